//! RFC 6121: roster, subscriptions, presence, delivery.

use crate::case::Case;

mod s2_roster;
mod s3_subscription;
mod s4_presence;
mod s8_5_local_user;

/// The cases, in the order of the RFC.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    let lists =
        [s2_roster::CASES, s3_subscription::CASES, s4_presence::CASES, s8_5_local_user::CASES];
    lists.into_iter().flatten()
}

//! Vectors of the RFCs, rules one by one, and properties.

mod properties;
mod rules;
mod vectors;

use std::sync::Arc;

use super::client::{Gs2, Scram};
use super::{ClientFirst, Family, Password, Verifier};
use crate::auth::{AuthChannel, AuthFailure, ChannelBindings};

pub(super) const FEW: u32 = 2;

pub(super) fn password(text: &str) -> Password {
    Password::prepare(text).unwrap()
}

pub(super) fn verifier(family: Family, text: &str) -> Arc<Verifier> {
    Arc::new(Verifier::derive(family, &password(text), b"0123456789abcdef".to_vec(), FEW))
}

/// A TLS connection with both bindings.
pub(super) fn tls() -> AuthChannel {
    AuthChannel {
        confidential: true,
        bindings: ChannelBindings { exporter: Some([7; 32]), end_point: Some(vec![9; 32]) },
        ..AuthChannel::default()
    }
}

/// A whole exchange between our two sides; the server's verdict, and the client's on the server.
pub(super) fn exchange(
    family: Family,
    gs2: &Gs2<'_>,
    channel: &AuthChannel,
    typed: &str,
    stored: &str,
) -> Result<(), AuthFailure> {
    let plus = matches!(gs2, Gs2::Bound { .. });
    let (first, client) = Scram::begin(family, "juliet", password(typed), "cnonce", gs2);
    let first = ClientFirst::parse(family, plus, &first, channel)?;
    assert_eq!(first.authcid(), "juliet");
    let (challenge, server) = first.challenge(verifier(family, stored), "snonce", None);
    let (proof, client) = client.respond(&challenge, None).unwrap();
    let last = server.finish(&proof)?;
    client.finish(&last).unwrap();
    Ok(())
}

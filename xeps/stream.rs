//! The ordered list of stream features.
//!
//! The order is that of the elements in `<stream:features/>` and of the questions asked: encryption
//! before authentication before binding.

use oc_core::ns;
use oc_core::stream::{Bind, RosterVersioning, Sasl, StartTls, StreamFeature};

use crate::{channel_binding, csi, limits, register, sasl2, sm};

/// What a client stream negotiates, in order.
pub static FEATURES: &[&dyn StreamFeature] = &[
    &StartTls,
    &sasl2::Sasl2 { session: &[csi::NS, ns::SM] },
    &Sasl,
    &channel_binding::ChannelBinding,
    &limits::StreamLimitsFeature,
    &register::InBand,
    &sm::StreamManagement,
    &csi::ClientState,
    &Bind,
    &RosterVersioning,
];

//! The plug point of a domain, and the words its features speak.

use std::any::Any;

use crate::auth::{IdentityAnswer, IdentityCommand};
use crate::disco::{DiscoInfo, DiscoItem};
use crate::feature::Answer;
use crate::spec::Xep;
use crate::{BareJid, Condition, Ctx, Jid, Reject, Stanza, Time};

use super::{HostEffect, HostSettings};

/// What a feature may ask.
#[derive(Clone, Debug)]
pub enum Question {
    /// The identity service.
    Identity(IdentityCommand),
    /// How many accounts of the domain have a session.
    OnlineUsers,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Of the identity service.
    Identity(IdentityAnswer),
    /// A number.
    Count(u64),
}

/// Who asks; later ones may do more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// Anybody from elsewhere.
    Stranger,
    /// An account of this domain.
    Account,
    /// One of [`HostSettings::administrators`].
    Administrator,
}

/// What a feature sees of its host.
#[derive(Clone, Copy)]
pub struct HostView<'a> {
    /// The domain.
    pub domain: &'a BareJid,
    /// Its settings.
    pub settings: &'a HostSettings,
    /// When the server was started.
    pub started: Time,
    /// Who asks.
    pub asker: Asker,
    /// The address that asks.
    pub from: Option<&'a Jid>,
    /// Heads of the other plug points, for what they make the domain announce.
    pub others: &'a [&'static Xep],
    pub(super) features: &'static [&'static dyn HostFeature],
}

impl<'a> HostView<'a> {
    /// The features that are active, in order.
    pub fn features(&self) -> impl Iterator<Item = &'static dyn HostFeature> + use<'a> {
        let settings = self.settings;
        self.features.iter().copied().filter(move |f| f.active(settings))
    }

    /// What the domain says of itself: every active feature adds its part.
    ///
    /// It is the same for everybody: XEP-0115 lets what one peer has heard stand for all.
    pub fn info(&self) -> DiscoInfo {
        let view = Self { asker: Asker::Stranger, from: None, ..*self };
        let mut info = DiscoInfo::default();
        for feature in view.features() {
            info.features.extend(feature.xep().features);
            feature.describe(&view, &mut info);
        }
        info.features.extend(self.others.iter().flat_map(|xep| xep.features));
        info
    }
}

/// What a feature remembers of one host. Only the feature can name the type.
#[derive(Default)]
pub struct Slot(Option<Box<dyn Any + Send>>);

impl Slot {
    /// The state of type `T`, made when it is first asked for; a slot holds one type in its life.
    pub fn of<T: Any + Send + Default>(&mut self) -> &mut T {
        if !self.0.as_ref().is_some_and(|state| state.is::<T>()) {
            self.0 = Some(Box::new(T::default()));
        }
        let state = self.0.as_mut().and_then(|state| state.downcast_mut());
        state.expect("a box of this type was put there above")
    }
}

/// One call of a feature: everything it may use.
pub struct Turn<'a, 'c> {
    /// The host.
    pub view: HostView<'a>,
    /// What the feature remembers.
    pub slot: &'a mut Slot,
    /// Time and ids.
    pub ctx: &'a mut Ctx<'c>,
    /// What is to be done besides the answer, and after it.
    pub effects: &'a mut Vec<HostEffect>,
    pub(super) asked: Option<(u64, Question)>,
}

impl Turn<'_, '_> {
    /// Asks somebody; [`HostFeature::found`] gets the answer together with `memo`, a number that
    /// tells apart the questions of one request, or reminds of something said in it.
    pub fn ask(&mut self, memo: u64, question: Question) -> Answer {
        debug_assert!(self.asked.is_none(), "one question at a time");
        self.asked = Some((memo, question));
        Answer::Later
    }
}

/// A plug point: what a domain can be asked. Object-safe; every method but the head has a default.
pub trait HostFeature: Sync {
    /// The head of the extension.
    fn xep(&self) -> &'static Xep;

    /// Whether the settings ask for it; otherwise it is neither announced nor called.
    fn active(&self, _settings: &HostSettings) -> bool {
        true
    }

    /// Adds identities, features and forms to what the domain says of itself.
    fn describe(&self, _view: &HostView<'_>, _info: &mut DiscoInfo) {}

    /// What a node of the domain says of itself; `None`: not a node of this feature.
    fn node_info(&self, _node: &str, _view: &HostView<'_>) -> Option<Result<DiscoInfo, Reject>> {
        None
    }

    /// Items under a node of the domain, or under the domain; `None`: not a node of this feature.
    fn items(&self, _node: Option<&str>, _view: &HostView<'_>) -> Option<Vec<DiscoItem>> {
        None
    }

    /// Answers a request: an IQ of type `get` or `set` with exactly one child.
    fn iq(&self, _query: &Stanza, _turn: &mut Turn<'_, '_>) -> Answer {
        Answer::Pass
    }

    /// Goes on with a request whose question was answered.
    fn found(
        &self,
        _query: &Stanza,
        _memo: u64,
        _found: Found,
        _turn: &mut Turn<'_, '_>,
    ) -> Answer {
        Answer::Reject(Reject::new(Condition::InternalServerError, "RFC 6120 §8.3.3.6"))
    }
}

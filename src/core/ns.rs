//! Every namespace of the RFCs, and of the XEPs that the core must know by name, once (rule R7).

/// RFC 6120 §4.8.3: content namespace of client streams, and our one inner namespace of stanzas.
pub const CLIENT: &str = "jabber:client";
/// RFC 6120 §4.8.3: content namespace of server streams.
pub const SERVER: &str = "jabber:server";
/// RFC 6120 §4.8.2: stream header, features and errors.
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// RFC 6120 §4.9.2: conditions of stream errors.
pub const STREAM_ERROR: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// RFC 6120 §8.3.2: conditions of stanza errors.
pub const STANZA_ERROR: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// RFC 6120 §5: STARTTLS.
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// RFC 6120 §6: SASL.
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// RFC 6120 §7: resource binding.
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// RFC 3921 §3: session establishment; optional and empty since RFC 6121.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// RFC 7395 §3.3: framing of streams over WebSocket.
pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
/// RFC 6121 §2.1: roster management.
pub const ROSTER: &str = "jabber:iq:roster";
/// RFC 6121 §2.6: the roster versioning stream feature.
pub const ROSTER_VERSIONING: &str = "urn:xmpp:features:rosterver";
/// RFC 6121 §3.4: the subscription pre-approval stream feature.
pub const PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";
/// Namespaces in XML: the `xml` prefix.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// XEP-0480 #scram: data of SCRAM upgrade tasks.
pub const SCRAM_UPGRADE: &str = "urn:xmpp:scram-upgrade:0";
/// XEP-0198: stream management.
pub const SM: &str = "urn:xmpp:sm:3";
/// XEP-0203: delayed delivery; stamped by the server on what it kept.
pub const DELAY: &str = "urn:xmpp:delay";
/// XEP-0280: message carbons; made by the server only.
pub const CARBONS: &str = "urn:xmpp:carbons:2";
/// XEP-0359: unique and stable stanza ids; stamped by archives and rooms.
pub const STANZA_ID: &str = "urn:xmpp:sid:0";
/// XEP-0313: message archives; results come from servers only.
pub const MAM: &str = "urn:xmpp:mam:2";
/// XEP-0030: information about an entity.
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// XEP-0030: items of an entity.
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// XEP-0115: entity capabilities.
pub const CAPS: &str = "http://jabber.org/protocol/caps";
/// XEP-0004: data forms.
pub const DATA_FORM: &str = "jabber:x:data";
/// XEP-0085: chat states.
pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
/// XEP-0334: message processing hints.
pub const HINTS: &str = "urn:xmpp:hints";
/// XEP-0060: notifications of a publish-subscribe service.
pub const PUBSUB_EVENT: &str = "http://jabber.org/protocol/pubsub#event";
/// XEP-0045: what a room says of its occupants.
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";

/// What the lexer maps to static strings without an allocation; the most frequent first.
pub(crate) const KNOWN: &[&str] = &[
    CLIENT,
    SERVER,
    STREAM,
    SM,
    CHAT_STATES,
    "urn:xmpp:receipts",
    STANZA_ID,
    CAPS,
    DISCO_INFO,
    DISCO_ITEMS,
    ROSTER,
    "http://jabber.org/protocol/muc",
    MUC_USER,
    "urn:xmpp:chat-markers:0",
    HINTS,
    CARBONS,
    "urn:xmpp:ping",
    "vcard-temp:x:update",
    "http://jabber.org/protocol/pubsub",
    PUBSUB_EVENT,
    MAM,
    "http://jabber.org/protocol/rsm",
    "eu.siacs.conversations.axolotl",
    "urn:xmpp:eme:0",
    DELAY,
    DATA_FORM,
    STREAM_ERROR,
    STANZA_ERROR,
    TLS,
    SASL,
    BIND,
    SESSION,
    FRAMING,
    XML,
    "urn:xmpp:sasl:2",
    "urn:xmpp:bind:0",
    "urn:xmpp:fast:0",
];

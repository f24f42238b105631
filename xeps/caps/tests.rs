use oc_core::host::{Asker, Contacts, HostSettings};
use oc_core::{Condition, Ctx, ErrorType, Kind, Stanza, Time};

use super::*;
use crate::testing::{Counter, Domain, el, jid};

const SIMPLE: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>
    <identity category='client' type='pc' name='Exodus 0.9.1'/>
    <feature var='http://jabber.org/protocol/disco#info'/>
    <feature var='http://jabber.org/protocol/muc'/>
    <feature var='http://jabber.org/protocol/disco#items'/>
    <feature var='http://jabber.org/protocol/caps'/>
</query>";
const SIMPLE_VER: &str = "QgayPKawpkPSDYmwT/WM94uAlu0=";

const COMPLEX: &str = "<query xmlns='http://jabber.org/protocol/disco#info'
        node='http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w='>
    <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>
    <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
    <feature var='http://jabber.org/protocol/caps'/>
    <feature var='http://jabber.org/protocol/disco#info'/>
    <feature var='http://jabber.org/protocol/disco#items'/>
    <feature var='http://jabber.org/protocol/muc'/>
    <x xmlns='jabber:x:data' type='result'>
        <field var='FORM_TYPE' type='hidden'>
            <value>urn:xmpp:dataforms:softwareinfo</value>
        </field>
        <field var='ip_version' type='text-multi'>
            <value>ipv6</value>
            <value>ipv4</value>
        </field>
        <field var='os'><value>Mac</value></field>
        <field var='os_version'><value>10.5.1</value></field>
        <field var='software'><value>Psi</value></field>
        <field var='software_version'><value>0.11</value></field>
    </x>
</query>";

fn sha1(query: &str) -> Result<String, IllFormed> {
    hash(&el(query), Algorithm::Sha1)
}

/// An answer with these children more than the simple one.
fn with(more: &str) -> String {
    SIMPLE.replace("</query>", &format!("{more}</query>"))
}

#[test]
fn xep_0115_ver_gen_simple() {
    assert_eq!(sha1(SIMPLE).as_deref(), Ok(SIMPLE_VER));
}

#[test]
fn xep_0115_ver_gen_complex() {
    assert_eq!(sha1(COMPLEX).as_deref(), Ok("q07IKJEyjvHSyhy//CH0CxmKi8w="));
}

#[test]
fn xep_0115_ver_proc_ill_formed() {
    let form = |of: &str| {
        format!(
            "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>{of}\
             </field></x>"
        )
    };
    let one = form("<value>urn:a</value>");
    for (more, why) in [
        ("<feature var='http://jabber.org/protocol/muc'/>".to_owned(), IllFormed::Twice),
        (
            "<identity category='client' type='pc' name='Exodus 0.9.1'/>".to_owned(),
            IllFormed::Twice,
        ),
        (format!("{one}{one}"), IllFormed::FormType),
        (form("<value>urn:a</value><value>urn:b</value>"), IllFormed::FormType),
        ("<feature var='urn:a&lt;urn:b'/>".to_owned(), IllFormed::Separator),
        ("<identity category='client/pc' type=''/>".to_owned(), IllFormed::Separator),
    ] {
        assert_eq!(sha1(&with(&more)), Err(why), "{more}");
    }
    assert_eq!(sha1("<query xmlns='urn:other'/>"), Err(IllFormed::NotInfo));
}

#[test]
fn xep_0115_ver_proc_form_without_type_is_ignored() {
    let untyped = "<x xmlns='jabber:x:data' type='result'>\
        <field var='os'><value>Mac</value></field></x>";
    assert_eq!(sha1(&with(untyped)).as_deref(), Ok(SIMPLE_VER));
    let shown = "<x xmlns='jabber:x:data' type='result'>\
        <field var='FORM_TYPE' type='text-single'><value>urn:a</value></field></x>";
    assert_eq!(sha1(&with(shown)).as_deref(), Ok(SIMPLE_VER));
}

#[test]
fn xep_0115_stream_hash_is_that_of_our_own_answer() {
    let contacts = Contacts { abuse: vec!["mailto:abuse@example.org".into()], ..<_>::default() };
    let mut domain = Domain::new(HostSettings { contacts, ..HostSettings::default() });
    let c = element(&domain.host().view(Asker::Stranger));
    let ver = c.attr("ver").expect("a hash").to_owned();
    // The same for those who may do more, so that what one has verified holds for all.
    assert_eq!(c, element(&domain.host().view(Asker::Administrator)));
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let answer = domain.ask("a@example.org/r", "get", info).expect("a payload");
    assert_eq!(hash(&answer, Algorithm::Sha1), Ok(ver.clone()));
    let node = format!("{NODE}#{ver}");
    let info = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>");
    let answer = domain.ask("a@example.org/r", "get", &info).expect("a payload");
    assert_eq!(answer.attr("node"), Some(node.as_str()));
    assert_eq!(hash(&answer, Algorithm::Sha1), Ok(ver));
}

#[test]
fn xep_0115_discover_stale_node() {
    let mut domain = Domain::new(HostSettings::default());
    let info =
        format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{NODE}#stale'/>");
    let refused = domain.refused("a@example.org/r", "get", &info);
    assert_eq!(refused, (Condition::ItemNotFound, ErrorType::Cancel));
}

struct Peers {
    cache: Cache,
    ids: Counter,
}

impl Peers {
    fn new() -> Self {
        Self { cache: Cache::default(), ids: Counter(0) }
    }

    fn presence(&mut self, from: &str, c: &str) -> Option<Stanza> {
        let presence = Stanza::new(Kind::Presence).from_jid(jid(from)).with_child(el(c));
        let mut ctx = Ctx { now: Time(0), ids: &mut self.ids };
        self.cache.heard(&presence, &jid("example.org"), &mut ctx)
    }

    fn simple(&mut self, from: &str) -> Option<Stanza> {
        let c = format!(
            "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' \
             node='http://code.google.com/p/exodus' ver='{SIMPLE_VER}'/>"
        );
        self.presence(from, &c)
    }

    fn known(&self) -> Option<std::sync::Arc<Capabilities>> {
        self.cache.get(&Claim { algorithm: Algorithm::Sha1, ver: SIMPLE_VER.into() })
    }
}

#[test]
fn xep_0115_ver_proc_verified_is_cached() {
    let mut peers = Peers::new();
    let ask = peers.simple("romeo@montague.lit/orchard").expect("a question");
    assert_eq!(ask.to(), Some(&jid("romeo@montague.lit/orchard")), "the full JID");
    let node = format!("http://code.google.com/p/exodus#{SIMPLE_VER}");
    assert_eq!(ask.payload().and_then(|p| p.attr("node")), Some(node.as_str()));
    assert_eq!(peers.simple("juliet@capulet.lit/chamber"), None, "one question for all");
    assert!(peers.cache.answered(&ask.result(Some(el(SIMPLE)))));
    let known = peers.known().expect("was verified");
    assert!(known.has("http://jabber.org/protocol/muc") && !known.has("urn:xmpp:ping"));
    assert_eq!(known.identities, [("client".into(), "pc".into())]);
    assert_eq!(peers.simple("juliet@capulet.lit/chamber"), None, "known for all");
}

#[test]
fn xep_0115_ver_proc_poison_is_refused() {
    let mut peers = Peers::new();
    let ask = peers.simple("mallory@evil.example/r").expect("a question");
    let poison = with("<feature var='urn:xmpp:poison'/>");
    // Nobody else can answer in his place, and nobody is believed unasked.
    let mut forged = ask.result(Some(el(SIMPLE)));
    forged.set_from(Some(jid("eve@evil.example/r")));
    assert!(!peers.cache.answered(&forged));
    assert!(peers.cache.answered(&ask.result(Some(el(&poison)))));
    assert_eq!(peers.known(), None);
    assert!(!peers.cache.answered(&ask.result(Some(el(SIMPLE)))), "one answer to a question");
    // He is not asked again, an honest client is.
    assert_eq!(peers.simple("mallory@evil.example/r"), None);
    let ask = peers.simple("romeo@montague.lit/orchard").expect("a question");
    assert!(peers.cache.answered(&ask.result(Some(el(SIMPLE)))));
    assert!(peers.known().is_some());
}

#[test]
fn xep_0115_legacy_is_not_cached() {
    let mut peers = Peers::new();
    let legacy = "<c xmlns='http://jabber.org/protocol/caps' \
                  node='http://exodus.jabberstudio.org/caps' ver='0.9'/>";
    assert_eq!(peers.presence("romeo@montague.lit/orchard", legacy), None);
    let unknown = legacy.replace("ver=", "hash='md2' ver=");
    assert_eq!(peers.presence("romeo@montague.lit/orchard", &unknown), None);
    assert!(peers.cache.is_empty());
}

#[test]
fn xep_0115_security_cache_is_bounded() {
    let mut peers = Peers::new();
    for i in 0..2_500 {
        let query = with(&format!("<feature var='urn:{i}'/>"));
        let ver = sha1(&query).expect("well-formed");
        let c = format!(
            "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='{ver}'/>"
        );
        let ask = peers.presence("romeo@montague.lit/orchard", &c).expect("a question");
        peers.cache.answered(&ask.result(Some(el(&query))));
    }
    assert_eq!(peers.cache.len(), 2_000);
}

//! RFC 6121 §2: the roster, its errors and its versions.

use super::*;
use crate::{Condition, ErrorType, limits};

const JULIET: &str = "juliet@example.com";
const GET: &str = "<iq type='get' id='r1'><query xmlns='jabber:iq:roster'/></iq>";

fn set(item: &str) -> String {
    format!("<iq type='set' id='r2'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
}

fn get(ver: &str) -> String {
    format!("<iq type='get' id='r3'><query xmlns='jabber:iq:roster' ver='{ver}'/></iq>")
}

/// One interested resource.
fn juliet() -> Desk {
    let mut desk = Desk::new(JULIET);
    desk.bind(1, "balcony");
    desk.client(1, GET);
    desk
}

/// What is in a result or a push: items as `jid name subscription groups`, and the version.
fn read(text: &str) -> (Vec<String>, Option<String>) {
    let iq = stanza(text);
    let Some(query) = iq.payload() else { return (vec![], None) };
    let items = query.children().map(|item| {
        let groups: Vec<_> = item.children().map(|g| g.text().into_owned()).collect();
        let attr = |name| item.attr(name).unwrap_or("-");
        format!("{} {} {} {groups:?}", attr("jid"), attr("name"), attr("subscription"))
    });
    (items.collect(), query.attr("ver").map(str::to_owned))
}

#[test]
fn rfc6121_2_2_roster_get() {
    let mut desk = Desk::new(JULIET);
    desk.bind(1, "balcony");
    let effects = desk.client(1, GET);
    assert_eq!(
        to(&effects, 1),
        ["<iq type='result' id='r1' to='juliet@example.com/balcony' from='juliet@example.com'>\
          <query xmlns='jabber:iq:roster' ver='0'/></iq>"]
    );
    // Addressed to the own bare JID it is the same.
    let effects = desk.client(1, &GET.replace("<iq", "<iq to='juliet@example.com'"));
    assert_eq!(brief(&effects), ["1 result juliet@example.com->juliet@example.com/balcony"]);
}

#[test]
fn rfc6121_2_3_2_add_is_stored_pushed_and_answered() {
    let mut desk = juliet();
    desk.bind(2, "garden");
    desk.client(2, GET);
    desk.bind(3, "hall");
    let item = "<item jid='Nurse@example.com' name='Nurse' subscription='both' ask='subscribe' \
        approved='true'><group>Servants</group><group>Home</group></item>";
    let effects = desk.client(1, &set(item));
    assert!(matches!(effects[0], AccountEffect::Store(_)), "{effects:?}");
    // RFC 6121 §2.1.5: what only the server may say is ignored.
    let expected = r#"nurse@example.com Nurse none ["Servants", "Home"]"#;
    for key in [1, 2] {
        let pushed = to(&effects, key).into_iter().find(|text| text.contains("'set'")).unwrap();
        assert_eq!(read(&pushed).0, [expected]);
        let push = stanza(&pushed);
        assert_eq!(push.from(), Some(&bare(JULIET).into()));
        assert!(push.id().is_some() && push.to().unwrap().is_full());
        assert!(!pushed.contains("ask=") && !pushed.contains("approved="));
    }
    // Connected, but it has not asked.
    assert_eq!(to(&effects, 3), Vec::<String>::new());
    let result = to(&effects, 1).into_iter().find(|text| text.contains("'result'")).unwrap();
    assert_eq!(read(&result).0, Vec::<String>::new());
    // The answer of a client to a push goes nowhere.
    assert_eq!(desk.client(2, "<iq type='result' id='x' to='juliet@example.com'/>"), []);
    desk.reload();
    desk.bind(1, "balcony");
    assert_eq!(read(&to(&desk.client(1, GET), 1)[0]).0, [expected]);
}

#[test]
fn rfc6121_2_4_update_replaces_name_and_groups() {
    let mut desk = juliet();
    let jid = "jid='nurse@example.com'";
    for (item, expected) in [
        (
            format!("<item {jid} name='N'><group>A</group></item>"),
            r#"nurse@example.com N none ["A"]"#,
        ),
        (
            format!("<item {jid} name='M'><group>A</group><group>B</group></item>"),
            r#"nurse@example.com M none ["A", "B"]"#,
        ),
        (
            format!("<item {jid} name='M'><group>B</group></item>"),
            r#"nurse@example.com M none ["B"]"#,
        ),
        (format!("<item {jid} name=''/>"), "nurse@example.com - none []"),
    ] {
        let effects = desk.client(1, &set(&item));
        assert_eq!(read(&to(&effects, 1)[0]).0, [expected]);
    }
    // The subscription is not the client's to change.
    desk.contact("romeo@example.net", "both", None);
    let effects =
        desk.client(1, &set("<item jid='romeo@example.net' subscription='none' name='R'/>"));
    assert_eq!(read(&to(&effects, 1)[0]).0, ["romeo@example.net R both []"]);
}

#[test]
fn rfc6121_2_3_3_errors() {
    let long = "x".repeat(limits::ROSTER_TEXT_BYTES + 1);
    let many: String = (0..=limits::ROSTER_GROUPS).map(|n| format!("<group>{n}</group>")).collect();
    let bad = (Condition::BadRequest, ErrorType::Modify);
    let not_acceptable = (Condition::NotAcceptable, ErrorType::Modify);
    let item = |inside: &str| format!("<item jid='nurse@example.com'>{inside}</item>");
    for (payload, error) in [
        (String::new(), bad),
        ("<item jid='a@b.c'/><item jid='d@e.f'/>".to_owned(), bad),
        ("<item/>".to_owned(), bad),
        ("<item jid=''/>".to_owned(), bad),
        ("<item jid='@@'/>".to_owned(), bad),
        ("<item jid='nurse@example.com/kitchen'/>".to_owned(), bad),
        ("<other jid='a@b.c'/>".to_owned(), bad),
        ("<item xmlns='urn:x' jid='a@b.c'/>".to_owned(), bad),
        (item("<group>A</group><group>A</group>"), bad),
        (item("<group/>"), not_acceptable),
        (item(&format!("<group>{long}</group>")), not_acceptable),
        (item(&many), not_acceptable),
        (format!("<item jid='nurse@example.com' name='{long}'/>"), not_acceptable),
        // RFC 6121 §2.3.3, implementation note.
        (format!("<item jid='{JULIET}'/>"), (Condition::NotAllowed, ErrorType::Cancel)),
        // RFC 6121 §2.5.3
        (
            "<item jid='nobody@example.com' subscription='remove'/>".to_owned(),
            (Condition::ItemNotFound, ErrorType::Cancel),
        ),
    ] {
        let mut desk = juliet();
        let effects = desk.client(1, &set(&payload));
        assert_eq!(refused(&effects), Some(error), "{payload}");
        assert_eq!(effects.len(), 1, "nothing else happens: {effects:?}");
        assert_eq!(desk.saved, Saved::default(), "{payload}");
    }
}

/// RFC 6121 §2.1.5, §2.1.6: a roster belongs to its owner.
#[test]
fn rfc6121_2_1_5_third_parties_are_refused() {
    let forbidden = Some((Condition::Forbidden, ErrorType::Auth));
    let query = "<query xmlns='jabber:iq:roster'><item jid='evil@example.net'/></query>";
    for type_ in ["get", "set"] {
        let mut desk = juliet();
        let text = |to: &str| {
            format!("<iq from='romeo@example.net/x' to='{to}' id='1' type='{type_}'>{query}</iq>")
        };
        assert_eq!(refused(&desk.routed(&text(JULIET))), forbidden);
        // A push that somebody made up does not reach a client.
        let effects = desk.routed(&text("juliet@example.com/balcony"));
        assert_eq!(refused(&effects), Some((Condition::ServiceUnavailable, ErrorType::Cancel)),);
        assert_eq!(to(&effects, 1), Vec::<String>::new());
        assert_eq!(desk.account.roster.len(), 0);
    }
}

#[test]
fn rfc6121_2_5_2_removal_ends_subscriptions() {
    let remove = set("<item jid='romeo@example.net' subscription='remove'/>");
    for (subscription, ask, told) in [
        ("none", None, vec![]),
        ("none", Some("subscribe"), vec!["unsubscribe"]),
        ("to", None, vec!["unsubscribe"]),
        ("from", None, vec!["unsubscribed", "unavailable"]),
        ("from", Some("subscribe"), vec!["unsubscribe", "unsubscribed", "unavailable"]),
        ("both", None, vec!["unsubscribe", "unsubscribed", "unavailable"]),
    ] {
        let mut desk = juliet();
        desk.client(1, "<presence/>");
        desk.contact("romeo@example.net", subscription, ask);
        let effects = desk.client(1, &remove);
        let said: Vec<_> =
            routed_stanzas(&effects).iter().map(|s| s.type_().unwrap().to_owned()).collect();
        assert_eq!(said, told, "{subscription}");
        for stanza in routed_stanzas(&effects) {
            assert_eq!(stanza.to(), Some(&bare("romeo@example.net").into()));
        }
        let push = to(&effects, 1).into_iter().find(|t| t.contains("'set'")).unwrap();
        assert_eq!(read(&push).0, ["romeo@example.net - remove []"]);
        assert!(to(&effects, 1).iter().any(|t| t.contains("'result'")));
        desk.reload();
        assert_eq!(desk.account.roster.len(), 0);
    }
}

#[test]
fn rfc6121_2_3_3_full_roster() {
    let mut desk = juliet();
    for n in 0..limits::ROSTER_ITEMS {
        let owner = bare(JULIET);
        let jid = bare(&format!("c{n}@example.net"));
        desk.account.roster.put(&owner, &jid, Item::default(), Time(0));
    }
    let full = Some((Condition::ResourceConstraint, ErrorType::Wait));
    assert_eq!(refused(&desk.client(1, &set("<item jid='a@b.c'/>"))), full);
    assert_eq!(refused(&desk.client(1, "<presence to='a@b.c' type='subscribe'/>")), full);
    assert_eq!(refused(&desk.client(1, "<presence to='a@b.c' type='subscribed'/>")), full);
    // What is there may still change.
    assert_eq!(refused(&desk.client(1, &set("<item jid='c7@example.net' name='x'/>"))), None);
}

/// RFC 6121 §2.6.3: a client that was away gets what changed, one push each, in order.
#[test]
fn rfc6121_2_6_3_versions() {
    let mut desk = juliet();
    for n in 0..10 {
        desk.client(1, &set(&format!("<item jid='c{n}@example.net'/>")));
    }
    let (all, ver) = read(&to(&desk.client(1, &get("")), 1)[0]);
    let ver = ver.unwrap();
    assert_eq!(all.len(), 10);
    // Nothing has changed: an empty result, no push.
    let effects = desk.client(1, &get(&ver));
    assert_eq!(to(&effects, 1).len(), 1);
    assert!(stanza(&to(&effects, 1)[0]).payload().is_none());

    desk.client(1, &set("<item jid='c2@example.net' name='two'/>"));
    desk.client(1, &set("<item jid='c5@example.net' name='five'/>"));
    desk.client(1, &set("<item jid='c2@example.net' name='TWO'/>"));
    desk.reload();
    desk.bind(2, "garden");
    let effects = desk.client(2, &get(&ver));
    let said = to(&effects, 2);
    assert!(stanza(&said[0]).payload().is_none());
    let pushes: Vec<_> = said[1..].iter().map(|text| read(text)).collect();
    assert_eq!(pushes[0].0, ["c5@example.net five none []"]);
    assert_eq!(pushes[1].0, ["c2@example.net TWO none []"]);
    assert_eq!(pushes.len(), 2);
    let vers: Vec<u64> =
        pushes.iter().map(|(_, ver)| ver.as_ref().unwrap().parse().unwrap()).collect();
    assert!(ver.parse::<u64>().unwrap() < vers[0] && vers[0] < vers[1]);
    // Having these, the client is up to date.
    assert_eq!(to(&desk.client(2, &get(&vers[1].to_string())), 2).len(), 1);

    // A removal, or a version nobody gave out: the whole roster.
    desk.client(2, &set("<item jid='c0@example.net' subscription='remove'/>"));
    desk.reload();
    desk.bind(3, "hall");
    for known in [vers[1].to_string(), "999999999999999".to_owned(), "x".to_owned()] {
        let said = to(&desk.client(3, &get(&known)), 3);
        assert_eq!((said.len(), read(&said[0]).0.len()), (1, 9), "{known}");
    }
}

/// RFC 6121 §2.6.3: the version in each push is new, and larger than all before; also when the
/// clock goes back, after a removal and after a restart.
#[test]
fn rfc6121_2_6_3_versions_grow_strictly() {
    let mut desk = juliet();
    let mut last = 0;
    for (n, now) in [5_000, 5_000, 4_000, 1, 1, 9_000].into_iter().enumerate() {
        desk.now = Time(now);
        let jid = format!("c{}@example.net", n % 2);
        let text = match n % 3 {
            2 => set(&format!("<item jid='{jid}' subscription='remove'/>")),
            _ => set(&format!("<item jid='{jid}' name='{n}'/>")),
        };
        let effects = desk.client(1, &text);
        let push = to(&effects, 1).into_iter().find(|t| t.contains("'set'")).unwrap();
        let ver: u64 = read(&push).1.unwrap().parse().unwrap();
        assert!(ver > last, "{ver} after {last}");
        last = ver;
        desk.reload();
        desk.bind(1, "balcony");
        desk.client(1, GET);
    }
}

#[test]
fn stored_roster_reads_back_equal() {
    let mut desk = juliet();
    desk.client(
        1,
        &set("<item jid='a@b.c' name='A &amp; &apos;B&apos;'><group>&lt;g&gt; </group></item>"),
    );
    desk.client(1, "<presence to='d@e.f' type='subscribe'/>");
    desk.client(1, "<presence to='g@h.i' type='subscribed'/>");
    desk.routed("<presence from='j@k.l' to='juliet@example.com' type='subscribe'/>");
    desk.client(1, &set("<item jid='a@b.c' subscription='remove'/>"));
    desk.client(1, &set("<item jid='a@b.c' name=' '/>"));
    let (roster, pending) =
        (std::mem::take(&mut desk.account.roster), std::mem::take(&mut desk.account.pending));
    desk.reload();
    assert_eq!(desk.account.roster, roster);
    assert_eq!(desk.account.pending, pending);
}

#[test]
fn unreadable_value_stops_the_account() {
    for (table, value) in [
        ("roster", "not XML"),
        ("roster", "<item xmlns='jabber:iq:roster' jid='a@b.c' subscription='maybe' ver='1'/>"),
        ("roster", "<item xmlns='jabber:iq:roster' jid='a@b.c' subscription='none'/>"),
        ("pending", "<iq/>"),
    ] {
        let rows = vec![(table.to_owned(), b"a@b.c".to_vec(), value.as_bytes().to_vec())];
        let loaded = Account::load(bare(JULIET), &Saved { rows }, &[]);
        assert!(matches!(loaded, Err(LoadError::Unreadable { table: t }) if t.0 == table));
    }
}

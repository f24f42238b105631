//! The server's mechanisms with whatever a client sends: nothing panics, and nobody is let in who
//! has not proved what he must.
//!
//! Inputs are lines: mechanism, first message, last message. A line `@` stands for the right
//! message, spoiled by the last line (position and change), so that the fuzzer reaches the end.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use oc_core::{
    auth::{AuthChannel, ChannelBindings},
    sasl::{
        Binding, ClientFirst, Family, HashedToken, HtHash, Mechanism, Password, Plain, Verifier,
        advertised_hash, check_trace,
        client::{self, Gs2, Scram},
        ht,
    },
};

const SECRET: &str = "correct horse battery staple";
/// What we send; a proof that was not made for it is worth nothing.
const NONCE: &str = "server-nonce";
/// Few, for the fuzzer's speed: the number changes no path.
const ITERATIONS: u32 = 2;

static VERIFIERS: LazyLock<[Arc<Verifier>; 3]> = LazyLock::new(|| {
    Family::ALL.map(|family| {
        let salt = b"0123456789abcdef".to_vec();
        Arc::new(Verifier::derive(family, &password(), salt, ITERATIONS))
    })
});

static CHANNEL: LazyLock<AuthChannel> = LazyLock::new(|| AuthChannel {
    confidential: true,
    bindings: ChannelBindings { exporter: Some([7; 32]), end_point: Some(vec![9; 32]) },
    advertised: Mechanism::ALL.iter().map(ToString::to_string).collect(),
    ..AuthChannel::default()
});

fn password() -> Password {
    Password::prepare(SECRET).expect("RFC 4013 takes lower-case letters and spaces")
}

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (choice, first, last, spoil) = (line(), line(), line(), line());
    let choice = choice.first().copied().unwrap_or_default();
    let mechanisms = || Mechanism::ALL.into_iter().chain(Mechanism::FAST);
    let mechanism = mechanisms().cycle().nth(usize::from(choice)).expect("it never ends");
    assert_eq!(mechanism.name().parse(), Ok(mechanism));
    match mechanism {
        Mechanism::Scram { family, plus } => scram(family, plus, first, last, spoil),
        Mechanism::Plain => plain(first),
        Mechanism::Anonymous => anonymous(first),
        Mechanism::Ht { hash, binding } => hashed_token(hash, binding, first, spoil),
    }
    let _ = String::from_utf8_lossy(data).parse::<Mechanism>();
    prepared(first);
});

/// `message` with one byte changed, or as it is if `spoil` says nothing.
fn spoiled(mut message: Vec<u8>, spoil: &[u8]) -> Vec<u8> {
    if let [high, low, flip, ..] = spoil {
        let at = usize::from(u16::from_be_bytes([*high, *low])) % message.len();
        message[at] ^= flip;
    }
    message
}

fn scram(family: Family, plus: bool, first: &[u8], last: &[u8], spoil: &[u8]) {
    let gs2 = match plus {
        false => Gs2::No,
        true => Gs2::Bound { type_: "tls-exporter", data: &[7; 32] },
    };
    let (right_first, client) = Scram::begin(family, "juliet", password(), "client-nonce", &gs2);
    let honest = first == b"@" || first == right_first;
    let first = if first == b"@" { right_first } else { first.to_vec() };
    let Ok(parsed) = ClientFirst::parse(family, plus, &first, &CHANNEL) else {
        assert!(!honest, "an honest client is refused");
        return;
    };
    let text = str::from_utf8(&first).expect("RFC 5802 §5.1: messages are UTF-8");
    // RFC 5802 §6: without binding only where the mechanism has none, and never `y` where we
    // offer one.
    assert!(text.starts_with(if plus { "p=tls-" } else { "n," }), "{text}");
    assert!(!parsed.authcid().is_empty());
    assert!(parsed.authzid().is_none_or(|name| !name.is_empty()));
    let index = Family::ALL.iter().position(|f| *f == family).expect("ALL has all");
    let verifier = Arc::clone(&VERIFIERS[index]);
    let downgrade = advertised_hash(family, &CHANNEL.advertised, None);
    let (challenge, server) = parsed.challenge(verifier, NONCE, Some(&downgrade));
    // Whatever the server is told, a client must live with its own challenge or refuse it.
    let response = client.respond(&challenge, None);
    let ours = text.split(',').nth(3).is_some_and(|part| part.starts_with("r=client-nonce"));
    assert_eq!(response.is_ok(), ours, "{text}");
    let Ok((right, waiting)) = response else {
        assert!(server.finish(last).is_err(), "let in by {last:?}");
        return;
    };
    let message = if last == b"@" { spoiled(right.clone(), spoil) } else { last.to_vec() };
    match server.finish(&message) {
        Ok(signature) => {
            assert!(honest && message == right, "let in by {}", message.escape_ascii());
            assert_eq!(waiting.finish(&signature), Ok(()));
        }
        Err(_) => assert!(!(honest && message == right), "the right proof is refused"),
    }
}

fn plain(first: &[u8]) {
    let right = client::plain("juliet", SECRET);
    assert!(Plain::parse(&right).is_ok());
    let Ok(plain) = Plain::parse(first) else { return };
    let authzid = plain.authzid.as_deref().unwrap_or_default();
    let parts = [authzid.as_bytes(), plain.authcid.as_bytes(), plain.password.as_bytes()];
    assert_eq!(parts.join(&0), first, "the parts are the message");
    if let Ok(typed) = Password::prepare(&plain.password) {
        assert_eq!(VERIFIERS[1].fits(&typed), typed == password());
    }
}

fn anonymous(first: &[u8]) {
    if check_trace(first).is_ok() {
        let trace = str::from_utf8(first).expect("RFC 4505 §2: UTF-8");
        assert!(trace.chars().count() <= 255);
    }
}

fn hashed_token(hash: HtHash, binding: Binding, first: &[u8], spoil: &[u8]) {
    let data = ht::binding_data(binding, &CHANNEL.bindings).expect("the channel has them all");
    let right = ht::initiator(hash, "juliet", SECRET, data);
    let message = if first == b"@" { spoiled(right.clone(), spoil) } else { first.to_vec() };
    let Ok(parsed) = HashedToken::parse(hash, &message) else {
        assert_ne!(message, right, "an honest client is refused");
        return;
    };
    let end = parsed.authcid.len() + 1;
    let proved = parsed.proves(hash, SECRET, data);
    assert_eq!(proved, message[end..] == right["juliet".len() + 1..], "{}", message.escape_ascii());
    // Not by another token, nor on another connection.
    assert!(!(proved && parsed.proves(hash, "another token", data)));
    assert!(!(proved && parsed.proves(hash, SECRET, b"another connection")));
}

/// RFC 4013: preparing twice changes nothing, and the bounds hold.
fn prepared(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if let Ok(once) = Password::prepare(&text) {
        assert!(once.chars() > 0);
    }
}

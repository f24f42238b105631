//! Steps in any order with any content: nothing panics, nobody gets in.

use oc_core::auth::{AuthExtras, AuthId, AuthReply, AuthStep, FastUse, Secret};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Builder;

use super::{DOMAIN, House, tls};
use crate::IdentityProvider;

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..80),
        "n,,n=(juliet|nobody),r=[a-z]{1,4}".prop_map(String::into_bytes),
        "p=tls-exporter,,n=juliet,r=[a-z]{1,4}".prop_map(String::into_bytes),
        "c=biws,r=[a-zA-Z0-9+/]{28},p=[A-Za-z0-9+/]{27}=".prop_map(String::into_bytes),
        "\0(juliet|nobody)\0.{0,9}".prop_map(String::into_bytes),
        vec(any::<u8>(), 32).prop_map(|hash| [b"juliet\0".to_vec(), hash].concat()),
    ]
}

fn begin() -> impl Strategy<Value = AuthStep> {
    let mechanism = prop_oneof![
        "SCRAM-SHA-(1|256|512)(-PLUS)?",
        "HT-SHA-(256|512)-(NONE|EXPR|ENDP)",
        "PLAIN|ANONYMOUS|EXTERNAL",
    ];
    let count = proptest::option::of(any::<u64>());
    let rest = (any::<bool>(), count, any::<bool>());
    (mechanism, proptest::option::of(message()), rest).prop_map(
        |(mechanism, initial, (fast, count, invalidate))| AuthStep::Begin {
            realm: DOMAIN.to_owned(),
            mechanism,
            initial: initial.map(Secret),
            claimed: None,
            channel: Box::new(tls("a")),
            extras: AuthExtras {
                client_id: Some("phone".to_owned()),
                fast: fast.then_some(FastUse { count, invalidate }),
                token_request: Some("HT-SHA-256-NONE".to_owned()),
                upgrades: vec!["UPGR-SCRAM-SHA-256".to_owned()],
            },
        },
    )
}

fn step() -> impl Strategy<Value = AuthStep> {
    prop_oneof![
        3 => begin(),
        3 => message().prop_map(|data| AuthStep::Respond { data: Secret(data) }),
        1 => proptest::option::of(message())
            .prop_map(|data| AuthStep::Task { data, task: "UPGR-SCRAM-SHA-256".to_owned() }),
        1 => Just(AuthStep::Abort),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_walk_gets_in(steps in vec((0u128..3, step()), 1..20)) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let house = House::with(|s| s.backoff = None).await;
            for (id, step) in steps {
                let reply = house.ocms.auth(AuthId(id), step).await;
                let out = matches!(reply, AuthReply::Challenge(_) | AuthReply::Failure(_));
                prop_assert!(out, "{reply:?}");
            }
            prop_assert!(house.ocms.exchanges.len() <= 3);
            Ok(())
        })?;
    }
}

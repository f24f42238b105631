//! The binary `open-conference`: the command line.
fn main() {
    let mut file = None;
    let mut set = vec![];
    let mut a = std::env::args().skip(2);
    while let Some(x) = a.next() {
        if x == "--config" {
            file = a.next().map(Into::into);
        } else if x == "--set" {
            set.push(a.next().expect("x"));
        }
    }
    let config = match (open_conference::config::Sources { file, set }).load() {
        Ok(c) => c,
        Err(e) => {
            eprintln!("{e}");
            return;
        }
    };
    open_conference::log::start(&config.log).expect("x");
    let rt = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("x");
    rt.block_on(async move {
        let h = open_conference::house::House::open(config).await.expect("x");
        for n in ["alice", "bob"] {
            let r = h
                .identity()
                .command(oc_core::auth::IdentityCommand::Create {
                    account: oc_core::BareJid::new(&format!("{n}@example.org")).expect("x"),
                    password: oc_core::auth::Secret(b"secret-pass".to_vec()),
                    invitation: None,
                    rate_key: None,
                })
                .await;
            println!("{r:?}");
        }
        std::future::pending::<()>().await
    });
}

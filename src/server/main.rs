//! The binary `open-conference`: the command line.
fn main() {
    let mut file = None;
    let mut set = vec![];
    let mut a = std::env::args().skip(2);
    while let Some(x) = a.next() {
        if x == "--config" {
            file = a.next().map(Into::into);
        } else if x == "--set" {
            set.push(a.next().unwrap());
        }
    }
    let config = match (open_conference::config::Sources { file, set }).load() {
        Ok(c) => c,
        Err(e) => {
            eprintln!("{e}");
            return;
        }
    };
    open_conference::log::start(&config.log).unwrap();
    let rt =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    rt.block_on(async move {
        let _h = open_conference::house::House::open(config).await.unwrap();
        std::future::pending::<()>().await
    });
}

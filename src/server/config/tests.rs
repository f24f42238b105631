use std::path::Path;

use super::load::from_text;
use super::value::Rate;
use super::*;

fn file(text: &str) -> Result<Config, ConfigError> {
    from_text(Some((Path::new("/etc/oc/server.toml"), text)), &[])
}

fn set(overrides: &[&str]) -> Result<Config, ConfigError> {
    let set = overrides.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    from_text(None, &set)
}

/// All faults as the operator sees them.
fn faults(outcome: Result<Config, ConfigError>) -> String {
    outcome.expect_err("the configuration is wrong").to_string()
}

const DOMAIN: &str = "[domain]\nname = \"example.org\"\n";

#[test]
fn server_toml_is_the_output_of_config_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../server.toml");
    let committed = std::fs::read_to_string(&path).expect("server.toml is there");
    assert!(
        committed == default_file(),
        "server.toml differs: cargo run -- config default > server.toml"
    );
}

#[test]
fn manual_has_a_chapter_per_section() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../../manual/operator/configuration.md");
    let committed = std::fs::read_to_string(&path).expect("the chapter is there");
    assert!(
        committed == manual_page(),
        "it differs: cargo run -- config manual > manual/operator/configuration.md"
    );
    for (section, _, _) in Config::SECTIONS {
        assert!(committed.contains(&format!("[{section}]")));
    }
}

#[test]
fn default_file_loads_and_changes_nothing() {
    let config = file(&default_file()).expect("the default file is valid");
    assert_eq!(config, file(DOMAIN).expect("valid"));
    assert_eq!(config, set(&["domain.name=example.org"]).expect("valid"));
}

/// Every default and every example must be what its own reader accepts: the file with all marks
/// removed still loads.
#[test]
fn every_default_and_example_is_accepted_by_its_reader() {
    let lines = default_file().lines().map(|line| uncomment(line) + "\n").collect::<String>();
    assert!(file(&lines).is_ok(), "{}", faults(file(&lines)));
    for (section, _, _) in Config::SECTIONS {
        let settings = Config::defaults().describe(section);
        for setting in settings.first().into_iter().flatten() {
            assert!(lines.contains(&format!("\n{} = ", setting.name)), "{}", setting.name);
            assert!(!setting.doc.is_empty(), "[{section}] {} has no documentation", setting.name);
        }
    }
}

/// `#key = value` and `#[section]` become settings; `# text` stays a comment.
fn uncomment(line: &str) -> String {
    match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => {
            rest.to_owned()
        }
        _ => line.to_owned(),
    }
}

#[test]
fn only_the_domain_is_required() {
    let text = faults(file(""));
    assert!(text.contains("no domain is set"), "{text}");
    assert!(text.contains("--set domain.name=example.org"), "{text}");
    let config = set(&["domain.name=Example.ORG"]).expect("valid");
    assert_eq!(config.domains[0].name(), "example.org");
    assert_eq!(config.c2s.listen.len(), 2);
}

#[test]
fn unknown_setting_names_file_line_and_nearest() {
    let text = faults(file("[domain]\nname = \"example.org\"\n\n[c2s]\nidel_ping = \"5 min\"\n"));
    assert_eq!(
        text,
        "/etc/oc/server.toml:5: [c2s] idel_ping: there is no such setting\n    \
         fix: did you mean idle_ping?"
    );
    let text = faults(file("[domain]\nname = \"example.org\"\n[limit]\n"));
    assert_eq!(
        text,
        "/etc/oc/server.toml:3: there is no section [limit]\n    fix: did you mean [limits]?"
    );
}

#[test]
fn wrong_unit_and_out_of_range_name_the_fix() {
    let with = |line: &str| faults(file(&format!("{DOMAIN}{line}\n")));
    let text = with("[c2s]\nresume = \"5 parsecs\"");
    assert!(
        text.contains(":4: [c2s] resume: \"parsecs\" is not one of the units ms, s, min, h, d")
    );
    let text = with("[c2s]\nresume = 300");
    assert!(text.contains("300 is not a length of time"), "{text}");
    let text = with("[c2s]\nresume = \"300\"");
    assert!(text.contains("\"300\" has no unit (ms, s, min, h, d)"), "{text}");
    assert!(text.contains("fix: write a length of time from \"0 s\" to \"1 d\""), "{text}");
    let text = with("[c2s]\nnegotiation = \"2 h\"");
    assert!(text.contains("\"2 h\" is out of range"), "{text}");
    assert!(text.contains("from \"2 s\" to \"5 min\""), "{text}");
    let text = with("[limits]\nstanza_size = \"1 GiB\"");
    assert!(text.contains("from \"10 KiB\" to \"16 MiB\""), "{text}");
    let text = with("[limits]\nconnections = 0");
    assert!(text.contains("write a whole number from 1 to"), "{text}");
    let text = with("[limits]\nbytes = \"64 KiB\"");
    assert!(text.contains("has no \"/s\""), "{text}");
    let text = with("[store]\nengine = \"fjal\"");
    assert!(text.contains("fix: write \"fjall\" (or one of"), "{text}");
    let text = with("[log]\nlevel = \"loud\"");
    assert!(text.contains("\"loud\" is not a log level"), "{text}");
    let text = with("[c2s]\nlisten = [\"0.0.0.0:5222\",\n\"::5222\"]");
    assert!(text.starts_with("/etc/oc/server.toml:5: [c2s] listen: \"::5222\" is not"), "{text}");
    let text = with("[tls]\nmin_version = \"1.1\"");
    assert!(text.contains("\"1.1\" is not one of the choices"), "{text}");
}

#[test]
fn all_faults_are_listed_at_once() {
    let text = faults(file("[domain]\nnmae = \"x\"\n[c2s]\nresume = 1\n[web]\n"));
    assert_eq!(text.lines().filter(|line| line.starts_with("/etc/oc/")).count(), 3, "{text}");
}

#[test]
fn broken_toml_names_its_line() {
    let text = faults(file("[domain]\nname = \"example.org\n"));
    assert!(text.starts_with("/etc/oc/server.toml:2: "), "{text}");
    let text = faults(file("[domain]\nname = \"a.example\"\nname = \"b.example\"\n"));
    assert!(text.starts_with("/etc/oc/server.toml:3: "), "{text}");
}

#[test]
fn several_domains_in_file_and_overrides() {
    let config = file("[[domain]]\nname = \"a.example\"\n[[domain]]\nname = \"b.example\"\n");
    let config = config.expect("valid");
    assert_eq!(config.domains.len(), 2);
    assert!(config.domain("B.example").is_some());
    assert!(config.domain("c.example").is_none());

    let config = set(&[
        "domain.name=a.example",
        "domain.2.name=anon.a.example",
        "domain.2.anonymous=true",
        "domain.administrators=admin@a.example",
    ])
    .expect("valid");
    assert!(!config.domains[0].anonymous);
    assert!(config.domains[1].anonymous);
    assert_eq!(config.domains[0].administrators.len(), 1);

    let text = faults(set(&["domain.name=a.example", "domain.3.name=b.example"]));
    assert!(text.contains("number the sections [[domain]] from 1, without gaps"), "{text}");
    let text = faults(file("[[domain]]\nname = \"a.example\"\n[[domain]]\nname = \"A.example\"\n"));
    assert!(text.contains(":4: domain a.example is there twice"), "{text}");
    let text = faults(file("[[domain]]\nname = \"a.example\"\n[[tls]]\n"));
    assert!(text.contains("there may be only one [tls]"), "{text}");
}

#[test]
fn overrides_obey_types_and_name_themselves() {
    let config = set(&[
        "domain.name=example.org",
        "c2s.listen=127.0.0.1:0,[::1]:0",
        "c2s.listen_tls=[]",
        "http.listen=[\"127.0.0.2:5443\"]",
        "c2s.resume=2 min",
        "c2s.resume=3 min",
        "limits.connections=7",
        "tls.min_version=1.3",
        "store.path=/tmp/some where",
        "dns.servers=192.0.2.1",
        "log.level=info,c2s=debug",
    ])
    .expect("valid");
    assert_eq!(config.c2s.listen.len(), 2);
    assert!(config.c2s.listen_tls.is_empty());
    assert_eq!(config.c2s.resume.get().as_secs(), 180, "the last one wins");
    assert_eq!(config.limits.connections.get(), 7);
    assert_eq!(config.tls.min_version, TlsVersion::V13);
    assert_eq!(config.store.path.path(), Path::new("/tmp/some where"));
    assert_eq!(config.dns.servers[0].0.port(), 53);
    assert_eq!(config.public_url(&config.domains[0]).as_deref(), Some("https://example.org:5443"));

    let wrong = |text: &str| faults(set(&["domain.name=example.org", text]));
    assert!(wrong("c2s.resume=2 years").starts_with("--set c2s.resume=2 years: [c2s] resume:"));
    assert!(wrong("c2s.resme=2 min").contains("did you mean resume?"));
    assert!(wrong("c2s").contains("there is no = in it"));
    assert!(wrong("resume=1 s").contains("is not section.key"));
    assert!(wrong("limits.connections=many").contains("write a whole number"));
    assert!(wrong("c2s.listen=localhost:5222").contains("write an IP address and a port"));
}

#[test]
fn relative_paths_begin_at_the_directory_of_the_file() {
    let text = format!("{DOMAIN}certificate = \"cert.pem\"\nkey = \"/k/key.pem\"\n");
    let config = file(&text).expect("valid");
    let path = |location: &Option<value::Location>| location.as_ref().map(|l| l.path().to_owned());
    assert_eq!(path(&config.domains[0].certificate), Some("/etc/oc/cert.pem".into()));
    assert_eq!(path(&config.domains[0].key), Some("/k/key.pem".into()));
    let text = faults(file(&format!("{DOMAIN}certificate = \"cert.pem\"\n")));
    assert!(text.contains(":3: domain example.org has a certificate but no key"), "{text}");
}

#[test]
fn rfc6120_13_8_1_plaintext_is_refused_off_loopback() {
    let text = faults(file(&format!("{DOMAIN}[c2s]\nallow_plaintext = true\n")));
    assert!(
        text.starts_with("/etc/oc/server.toml:4: [c2s] allow_plaintext lets passwords"),
        "{text}"
    );
    assert!(text.contains("take 0.0.0.0:5222 out of the listeners"), "{text}");
    let loopback = ["domain.name=example.org", "c2s.allow_plaintext=true"];
    let with = |listen| set(&[loopback[0], loopback[1], listen]);
    assert!(with("c2s.listen=127.9.8.7:5222,[::1]:5222").is_ok());
    assert!(with("c2s.listen=127.0.0.1:5222,192.0.2.1:5222").is_err());
    assert!(with("c2s.listen=[::]:5222").is_err());
    let text = faults(set(&["domain.name=example.org", "http.listen_plaintext=0.0.0.0:80"]));
    assert!(text.contains("0.0.0.0:80, which is not a loopback address"), "{text}");
}

#[test]
fn unlimited_rates_are_refused_off_loopback() {
    for setting in ["limits.bytes", "limits.stanzas", "auth.failures"] {
        let setting = format!("{setting}=unlimited");
        let text = faults(set(&["domain.name=example.org", &setting]));
        assert!(text.starts_with(&format!("--set {setting}: ")), "{text}");
        let loopback = [
            "domain.name=example.org",
            "c2s.listen=127.0.0.1:5222",
            "c2s.listen_tls=[]",
            "http.listen=[]",
            &setting,
        ];
        assert!(set(&loopback).is_ok());
    }
    let open =
        ["domain.name=example.org", "domain.registration=open", "limits.registrations=unlimited"];
    assert!(faults(set(&open)).contains("[limits] registrations is unlimited"));
}

#[test]
fn one_address_serves_one_listener() {
    let text = faults(set(&["domain.name=example.org", "http.listen=0.0.0.0:5222"]));
    assert!(text.contains("0.0.0.0:5222 is also in"), "{text}");
    let nowhere = ["domain.name=a.example", "c2s.listen=[]", "c2s.listen_tls=[]", "http.listen=[]"];
    assert!(faults(set(&nowhere)).contains("there is no listener for clients"));
}

#[test]
fn extdisco_entries_are_checked() {
    let text = faults(file(&format!("{DOMAIN}[[extdisco]]\nservice = \"turn\"\n")));
    assert!(text.contains(":4: [[extdisco]] number 1 has no host"), "{text}");
    let turn = "[[extdisco]]\nservice = \"turn\"\nhost = \"turn.example.org\"\nsecret = \"s\"\n";
    let config = file(&format!("{DOMAIN}{turn}{turn}")).expect("valid");
    assert_eq!(config.extdisco.len(), 2);
    assert_eq!(
        config.extdisco[1].host.as_ref().map(address::Host::as_str),
        Some("turn.example.org")
    );
}

#[test]
fn settings_that_wait_for_a_restart_are_named() {
    let old = set(&["domain.name=example.org"]).expect("valid");
    let new = set(&["domain.name=example.org", "c2s.resume=1 min", "log.level=debug"]);
    assert!(old.restart_needed(&new.expect("valid")).is_empty());
    let new = set(&["domain.name=example.org", "c2s.listen=[]", "domain.2.name=b.example"]);
    assert_eq!(old.restart_needed(&new.expect("valid")), ["[domain]", "[c2s] listen"]);
}

fn example(name: &str, set: &[&str]) -> Result<Config, ConfigError> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    let set = set.iter().map(|&text| text.to_owned()).collect();
    Sources { file: Some(file), set }.load()
}

#[test]
fn every_example_loads() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let files = std::fs::read_dir(directory).expect("there are examples");
    let names = files.map(|file| file.expect("readable").file_name().into_string().expect("text"));
    let names = names.filter(|name| name.starts_with("server-") && name.ends_with(".toml"));
    let names = names.collect::<Vec<_>>();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        if let Err(error) = example(&name, &[]) {
            panic!("{error}");
        }
    }
}

#[test]
fn conformance_profile_is_what_suites_need() {
    let config = example("server-conformance.toml", &[]).expect("valid");
    let names = config.domains.iter().map(Domain::name).collect::<Vec<_>>();
    assert_eq!(names, ["example.org", "localhost", "anon.example.org"]);
    assert!(config.c2s.allow_plaintext);
    assert!(config.auth.mechanisms.contains(&Mechanism::Plain));
    assert!(config.auth.mechanisms.contains(&Mechanism::ScramSha1));
    assert_eq!(config.domains[0].registration, Registration::Open);
    assert!(config.domains[2].anonymous && !config.domains[0].anonymous);
    assert_eq!(config.domains[0].administrators[0].0.as_str(), "admin@example.org");
    let limits = &config.limits;
    assert_eq!(limits.bytes, Rate::UNLIMITED);
    assert!(limits.stanzas.get().is_none() && limits.registrations.get().is_none());
    assert_eq!(config.store.engine, Engine::Memory);
    assert!(example("server-conformance.toml", &["c2s.listen=127.5.0.1:5222"]).is_ok());
}

#[test]
fn conformance_profile_is_refused_off_loopback() {
    for listener in ["c2s.listen", "c2s.listen_tls", "http.listen"] {
        let set = format!("{listener}=192.0.2.1:5222");
        let text = faults(example("server-conformance.toml", &[&set]));
        let faults = text.lines().filter(|line| !line.trim().starts_with("fix:"));
        let faults = faults.collect::<Vec<_>>();
        assert!(faults.len() >= 4, "{text}");
        for fault in &faults {
            let place = fault.contains("server-conformance.toml:");
            assert!(place && fault.contains("which is not a loopback address"), "{fault}");
        }
        assert_eq!(text.contains("allow_plaintext"), listener == "c2s.listen", "{text}");
        assert!(text.contains("take 192.0.2.1:5222 out of the listeners"), "{text}");
    }
    let text = faults(example("server-conformance.toml", &["http.listen_plaintext=0.0.0.0:80"]));
    assert!(text.starts_with("--set http.listen_plaintext=0.0.0.0:80: "), "{text}");
}

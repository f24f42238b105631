//! Debian's ejabberd, in one Erlang node without distribution, so that nothing outlives it.

use std::{fs, path::PathBuf, process::Command};

use super::{ANONYMOUS, DOMAIN, Plan};

pub fn command(plan: &Plan<'_>) -> Result<Command, String> {
    let dir = plan.dir.display();
    let ip = plan.ip;
    let (starttls, tls, http) =
        (plan.place.starttls.port(), plan.place.tls.port(), plan.place.http.port());
    let hash = if super::sha256_only() { "sha256" } else { "sha" };
    let text = format!(
        r#"hosts: ["{DOMAIN}", "localhost", "{ANONYMOUS}"]
loglevel: warning
certfiles: ["{dir}/chain.pem", "{dir}/key.pem"]
auth_password_format: scram
auth_scram_hash: {hash}
disable_sasl_mechanisms: ["digest-md5"]
shaper: {{}}
shaper_rules: {{ max_user_sessions: infinity, max_user_offline_messages: 1000 }}
host_config:
  "{ANONYMOUS}": {{ auth_method: [anonymous], anonymous_protocol: sasl_anon,
    allow_multiple_connections: true }}
registration_timeout: infinity
listen:
  - {{ port: {starttls}, ip: "{ip}", module: ejabberd_c2s, starttls: true,
      max_stanza_size: 262144 }}
  - {{ port: {tls}, ip: "{ip}", module: ejabberd_c2s, tls: true, max_stanza_size: 262144 }}
  - {{ port: {http}, ip: "{ip}", module: ejabberd_http, tls: true,
      request_handlers: {{ "/xmpp-websocket": ejabberd_http_ws, "/http-bind": mod_bosh }} }}
acl: {{ local: {{ user_regexp: "" }} }}
access_rules: {{ local: {{ allow: local }}, register: {{ allow: all }}, c2s: {{ allow: all }} }}
s2s_access: none
modules:
  mod_adhoc: {{}}
  mod_blocking: {{}}
  mod_bosh: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_client_state: {{}}
  mod_disco: {{ server_info: [
    {{ modules: all, name: abuse-addresses, urls: ["mailto:a@example.org"] }}] }}
  mod_last: {{}}
  mod_offline: {{ access_max_user_messages: max_user_offline_messages }}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_pubsub: {{ plugins: [flat, pep] }}
  mod_register: {{ access: register, password_strength: 0, ip_access: all }}
  mod_roster: {{ versioning: true }}
  mod_stream_mgmt: {{ resend_on_timeout: if_offline }}
  mod_time: {{}}
  mod_vcard: {{}}
  mod_version: {{}}
"#
    );
    let config = plan.dir.join("ejabberd.yml");
    fs::write(&config, text).map_err(|e| e.to_string())?;
    let library = fs::read_dir("/usr/lib/x86_64-linux-gnu")
        .map_err(|e| e.to_string())?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .find(|p| ebin(p).join("ejabberd_app.beam").exists())
        .ok_or("ejabberd is not installed")?;
    let mut command = Command::new("erl");
    command
        .args(["-noinput", "-boot", "start_sasl", "+K", "true"])
        .arg("-pa")
        .arg(ebin(&library))
        .args(["-mnesia", "dir", &format!("\"{dir}/mnesia\"")])
        .args(["-sasl", "sasl_error_logger", "false"])
        .args(["-eval", "{ok,_}=application:ensure_all_started(ejabberd)."])
        .env("EJABBERD_CONFIG_PATH", &config)
        .env("EJABBERD_LOG_PATH", plan.dir.join("ejabberd.log"))
        .env("SPOOL_DIR", plan.dir)
        .env("HOME", plan.dir)
        .env("ERL_LIBS", "/usr/lib/x86_64-linux-gnu");
    Ok(command)
}

fn ebin(library: &std::path::Path) -> PathBuf {
    library.join("ebin")
}

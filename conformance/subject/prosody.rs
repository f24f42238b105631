//! Debian's Prosody, with what it has in core switched on and its rate limits off.

use std::{fs, process::Command};

use super::{ANONYMOUS, DOMAIN, Plan};

pub fn command(plan: &Plan<'_>) -> Result<Command, String> {
    let dir = plan.dir.display();
    let (ip, cert, key) = (plan.ip, &plan.cert, &plan.key);
    let (starttls, tls, http) =
        (plan.place.starttls.port(), plan.place.tls.port(), plan.place.http.port());
    let hash = if super::sha256_only() { "SHA-256" } else { "SHA-1" };
    let text = format!(
        r#"run_as_root = true
pidfile = "{dir}/prosody.pid"
data_path = "{dir}/data"
log = {{ info = "{dir}/prosody.log" }}
interfaces = {{ "{ip}" }}
c2s_ports = {{ {starttls} }}
c2s_direct_tls_ports = {{ {tls} }}
http_ports = {{ }}
https_ports = {{ {http} }}
s2s_ports = {{ }}
gc = {{ mode = "generational" }}
network_backend = "epoll"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
allow_registration = true
authentication = "internal_hashed"
password_hash = "{hash}"
storage = "internal"
ssl = {{ certificate = "{cert}", key = "{key}" }}
https_ssl = {{ certificate = "{cert}", key = "{key}" }}
consider_websocket_secure = true
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "private", "vcard4", "vcard_legacy",
  "version", "uptime", "time", "ping", "register", "register_ibr", "offline", "smacks", "csi",
  "csi_simple", "carbons", "pep", "blocklist", "lastactivity", "server_contact_info",
  "websocket", "bosh", "posix" }}
modules_disabled = {{ "s2s" }}
contact_info = {{ abuse = {{ "mailto:abuse@example.org" }} }}
VirtualHost "{DOMAIN}"
VirtualHost "localhost"
VirtualHost "{ANONYMOUS}"
  authentication = "anonymous"
"#
    );
    fs::create_dir_all(plan.dir.join("data")).map_err(|e| e.to_string())?;
    let config = plan.dir.join("prosody.cfg.lua");
    fs::write(&config, text).map_err(|e| e.to_string())?;
    let mut command = Command::new("prosody");
    command.arg("-F").arg("--config").arg(config);
    Ok(command)
}

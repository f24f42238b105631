//! The annotated default file, made from the declarations.

use super::Config;
use super::section::Described;

/// `server.toml` as `open-conference config default` prints it: every setting with its
/// documentation, commented out at its default, except the one that must be set.
pub fn default_file() -> String {
    let config = Config::defaults();
    let mut out = String::from(HEAD);
    for (name, doc, many) in Config::SECTIONS {
        out.push('\n');
        comment(&mut out, doc);
        let optional = *many && *name != "domain";
        out.push_str(&if optional { format!("#[[{name}]]\n") } else { format!("[{name}]\n") });
        for setting in config.describe(name).first().into_iter().flatten() {
            out.push('\n');
            describe(&mut out, setting, *name == "domain" && setting.name == "name");
        }
    }
    out
}

fn comment(out: &mut String, doc: &[&str]) {
    for line in doc {
        out.push('#');
        out.push_str(line);
        out.push('\n');
    }
}

fn describe(out: &mut String, setting: &Described, required: bool) {
    comment(out, setting.doc);
    let mut notes = Vec::new();
    if !setting.range.is_empty() {
        notes.push(setting.range.clone());
    }
    let empty = matches!(setting.value.as_deref(), None | Some("[]"));
    if empty && setting.example.is_some() && !required {
        notes.push("Not set by default.".to_owned());
    }
    if setting.restart && !required {
        notes.push("A change needs a restart.".to_owned());
    }
    if !notes.is_empty() {
        out.push_str("# ");
        out.push_str(&notes.join(" "));
        out.push('\n');
    }
    let shown = match setting.example {
        Some(example) if empty => example,
        _ => setting.value.as_deref().unwrap_or_default(),
    };
    let mark = if required { "" } else { "#" };
    out.push_str(&format!("{mark}{} = {shown}\n", setting.name));
}

const HEAD: &str = "\
# Open Conference: every setting with its default.
#
# This is what `open-conference config default` prints. A setting that begins with # is at its
# default and may be left out; to change it, remove the # and edit the value. Lengths of time and
# sizes have units: \"500 ms\", \"30 s\", \"5 min\", \"2 h\", \"7 d\"; \"100 B\", \"64 KiB\",
# \"16 MiB\", \"1 GiB\". Relative paths begin at the directory of this file. Passwords and keys are
# never written here, only the names of their files. `open-conference check` tells what is wrong
# with a file; SIGHUP makes a running server read it again.
";

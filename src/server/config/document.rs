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

/// `manual/operator/configuration.md`: the same as a chapter to read.
pub fn manual_page() -> String {
    let config = Config::defaults();
    let mut out = String::from(MANUAL_HEAD);
    for (name, doc, many) in Config::SECTIONS {
        let brackets = if *many && *name != "domain" { ("[[", "]]") } else { ("[", "]") };
        out.push_str(&format!("\n## {}{name}{}\n\n", brackets.0, brackets.1));
        paragraph(&mut out, doc);
        out.push('\n');
        for setting in config.describe(name).first().into_iter().flatten() {
            item(&mut out, setting);
        }
    }
    out
}

fn paragraph(out: &mut String, doc: &[&str]) {
    for line in doc {
        out.push_str(line.trim_start());
        out.push('\n');
    }
}

fn item(out: &mut String, setting: &Described) {
    let default = match setting.value.as_deref() {
        None => "not set".to_owned(),
        Some(value) => format!("`{value}`"),
    };
    out.push_str(&format!("### {}\n\n", setting.name));
    paragraph(out, setting.doc);
    out.push_str(&format!("\nDefault: {default}."));
    if !setting.range.is_empty() {
        out.push_str(&format!(" {}", setting.range));
    }
    if let Some(example) = setting.example {
        out.push_str(&format!(" Example: `{} = {example}`.", setting.name));
    }
    if setting.restart {
        out.push_str(" A change needs a restart.");
    }
    out.push_str("\n\n");
}

const MANUAL_HEAD: &str = "\
# Configuration

Every setting of `server.toml`. This chapter is printed by `open-conference config manual`; the
same as a file to edit is printed by `open-conference config default`.

- The file is optional; only the name of the domain must be set. Without `--config` the server
  reads `/etc/open-conference/server.toml`, if it is there.
- `--set section.key=value` overrides one setting, any number of times; it obeys the same types
  and bounds. The second domain is `--set domain.2.key=value`.
- Lengths of time and sizes have units: `\"30 s\"`, `\"5 min\"`, `\"16 MiB\"`. Relative paths
  begin at the directory of the file. Passwords and keys are never written here, only the names
  of files.
- A mistake stops the start, with its file, line, the nearest valid name and the fix.
- At SIGHUP (or `open-conference reload`) the server reads the file again. If something is wrong
  with it, nothing changes. Settings that say so wait for a restart.
";

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

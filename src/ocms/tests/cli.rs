//! The binary `ocms`, as a person or a script calls it.

#![expect(clippy::unwrap_used, reason = "a test; clippy knows only the functions marked so")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn ocms(db: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ocms"))
        .arg("--db")
        .arg(db)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn life_of_an_account() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("ocms.db");
    let run = |args: &[&str], input: &str| ocms(&db, args, input);
    let missing = run(&["user", "list"], "");
    assert_eq!(missing.status.code(), Some(3));
    assert!(!db.exists());

    let added = run(&["user", "add", "juliet@example.org"], "");
    let text = String::from_utf8(added.stdout).unwrap();
    let password = text.trim_end().rsplit_once("password: ").unwrap().1;
    assert_eq!(password.len(), 23);
    let stdin = ["user", "add", "Romeo@example.org", "--password-stdin", "--json"];
    let added = json(&run(&stdin, "montague and co\r\nsecond line"));
    assert_eq!(added["account"], "romeo@example.org");
    assert!(added.get("password").is_none());

    let again = run(&["user", "add", "juliet@example.org", "--json"], "");
    assert_eq!((again.status.code(), &json(&again)["error"]), (Some(1), &Value::from("exists")));
    let short = run(&["user", "passwd", "juliet@example.org", "--password-stdin"], "short\n");
    assert_eq!(short.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&short.stderr).contains("too short"));
    assert_eq!(run(&["user", "add", "example.org"], "").status.code(), Some(2));

    assert!(run(&["user", "disable", "romeo@example.org"], "").status.success());
    let list = json(&run(&["user", "list", "--json"], ""));
    assert_eq!(list[0]["account"], "juliet@example.org");
    assert_eq!((&list[0]["disabled"], &list[1]["disabled"]), (&false.into(), &true.into()));
    assert!(run(&["user", "enable", "romeo@example.org"], "").status.success());
    assert!(run(&["user", "remove", "romeo@example.org"], "").status.success());
    assert_eq!(run(&["user", "remove", "romeo@example.org"], "").status.code(), Some(1));
    let list = json(&run(&["user", "list", "--domain", "example.org", "--json"], ""));
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn invitation() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("ocms.db");
    let made = ocms(&db, &["invite", "create", "example.org", "--json"], "");
    assert_eq!(json(&made)["invitation"].as_str().unwrap().len(), 24);
    let wrong = ocms(&db, &["invite", "create", "example.org", "--expires", "soon"], "");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn help_has_examples_everywhere() {
    let words = [
        vec![],
        vec!["user", "add"],
        vec!["user", "passwd"],
        vec!["user", "list"],
        vec!["user", "remove"],
        vec!["user", "disable"],
        vec!["user", "enable"],
        vec!["invite", "create"],
    ];
    for mut words in words {
        words.push("--help");
        let help = ocms(Path::new("unused"), &words, "");
        let text = String::from_utf8(help.stdout).unwrap();
        assert!(text.contains("Example"), "{words:?}: {text}");
    }
}

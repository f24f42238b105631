use std::path::Path;

use clap::CommandFactory;

use super::*;

#[test]
fn every_command_has_help_with_examples() {
    fn walk(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(command.get_about().is_some(), "{path} says nothing of itself");
        if command.get_name() == "help" {
            return;
        }
        let subcommands = command.get_subcommands().collect::<Vec<_>>();
        if subcommands.is_empty() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = format!("  open-conference{}", &path[" open-conference".len()..]);
            assert!(help.contains(&example), "{path} has no example");
        }
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{path} {} has no help", argument.get_id());
        }
        subcommands.into_iter().for_each(|subcommand| walk(subcommand, &path));
    }
    let command = Line::command();
    command.clone().debug_assert();
    walk(&command, "");
}

/// Every example line of every help text must be understood by the parser itself.
#[test]
fn examples_in_help_are_understood() {
    fn collect(command: &clap::Command, out: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = help.lines().filter_map(|line| line.split_once("open-conference "));
        out.extend(examples.map(|(_, rest)| rest.to_owned()));
        command.get_subcommands().for_each(|subcommand| collect(subcommand, out));
    }
    let mut examples = Vec::new();
    collect(&Line::command(), &mut examples);
    assert!(examples.len() > 20);
    for example in examples {
        // Behind two spaces comes an explanation; behind > a file; behind ` prose.
        let typed = example.split(['>', '`']).next().unwrap_or_default();
        let typed = typed.split("   ").next().unwrap_or_default().trim();
        let words = std::iter::once("open-conference").chain(typed.split_whitespace());
        if let Err(error) = Line::try_parse_from(words) {
            panic!("{typed}: {error}");
        }
    }
}

#[test]
fn overrides_may_stand_before_or_behind_the_command() {
    let parse = |words: &[&str]| Line::try_parse_from(words).unwrap().source;
    let source = parse(&["open-conference", "--set", "a.b=c", "serve", "--set", "d.e=f g"]);
    assert_eq!(source.set.last().map(String::as_str), Some("d.e=f g"));
    let source = parse(&["open-conference", "user", "list", "--config", "x.toml"]);
    assert_eq!(source.config.as_deref(), Some(Path::new("x.toml")));
    let source = parse(&["open-conference", "serve", "--set", "a.b=c", "--set", "d.e=f"]);
    assert_eq!(source.set, ["a.b=c", "d.e=f"]);
}

#[test]
fn addresses_and_times_are_checked_before_anything_happens() {
    let parse = |words: &[&str]| {
        let words = std::iter::once(&"open-conference").chain(words);
        Line::try_parse_from(words).map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(parse(&["user", "add", "example.org"]).unwrap_err().contains("write NAME@example.org"));
    assert!(parse(&["user", "add", "juliet@example.org/balcony"]).is_err());
    assert!(parse(&["user", "add", "j@example.org", "--generate", "--password-stdin"]).is_err());
    assert!(parse(&["invite", "create", "example.org", "--valid", "7"]).is_err());
    assert_eq!(period("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(period("2d"), Ok(Duration::from_secs(172_800)));
    assert!(period("0d").is_err());
    assert!(period("99999999d").is_err());
}

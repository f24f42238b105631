//! Prints the lines of `xeps/anchors.txt` for the texts of XEPs (`xep-nnnn.xml`, as the XSF
//! publishes them):
//!
//! `cargo run -p oc-examples --example anchors -- .../xep-0030.xml .../xep-0199.xml`

use std::collections::BTreeSet;
use std::process::ExitCode;

fn main() -> ExitCode {
    for path in std::env::args().skip(1) {
        let number = path.rsplit('-').next().and_then(|end| end.strip_suffix(".xml"));
        let (Some(number), Ok(text)) = (number, std::fs::read_to_string(&path)) else {
            eprintln!("{path}: the name must be xep-nnnn.xml, and the text UTF-8");
            return ExitCode::FAILURE;
        };
        for (anchor, topic) in anchors(&text) {
            println!("XEP-{number} #{anchor} {topic}");
        }
    }
    ExitCode::SUCCESS
}

/// Anchor and title of every section, sorted. The texts declare entities, so this scans for the
/// start tags instead of reading XML.
fn anchors(text: &str) -> BTreeSet<(String, String)> {
    let is_level = |rest: &&str| rest.starts_with(|level: char| level.is_ascii_digit());
    without_comments(text)
        .split("<section")
        .skip(1)
        .filter(is_level)
        .filter_map(|rest| {
            let tag = rest.split('>').next()?;
            let topic = attr(tag, "topic").unwrap_or_default();
            Some((attr(tag, "anchor")?, topic))
        })
        .collect()
}

/// The value of an attribute in either kind of quotes, its white space collapsed.
fn attr(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}="))?;
    let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let value = rest[1..].split(quote).next()?;
    let value = value.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn without_comments(text: &str) -> String {
    let mut parts = text.split("<!--");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once("-->").map_or("", |(_, after)| after));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_of_a_text() {
        let text = "<!DOCTYPE xep [<!ENTITY % ents SYSTEM 'xep.ent'> %ents;]>\n\
            <section1 topic='Getting &lt;all&gt;\n  of it' anchor='all'>\n\
            <section2 anchor=\"b\" topic=\"It's\"> <section2 topic='none'>\n\
            <!-- <section1 topic='old' anchor='old'> --> <section1 anchor='a'/>";
        let found: Vec<_> = anchors(text).into_iter().collect();
        let pair = |anchor: &str, topic: &str| (anchor.to_owned(), topic.to_owned());
        assert_eq!(found, [pair("a", ""), pair("all", "Getting <all> of it"), pair("b", "It's")]);
    }
}

//! As much of TOML as a `Cargo.toml` needs: sections, keys, and `path` values.

use crate::Source;

/// One `key = value` of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The section's name, as written between the brackets.
    pub section: String,
    /// The key, up to the first dot: `tokio` in `tokio.workspace = true`.
    pub key: String,
    /// The value as written.
    pub value: String,
    /// Line, from 1.
    pub line: usize,
}

/// The entries of a manifest, in order.
pub fn entries(manifest: &Source) -> Vec<Entry> {
    let (mut section, mut found) = (String::new(), Vec::new());
    for (i, line) in manifest.text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') && line.ends_with(']') && !line.contains('=') {
            line.trim_matches(['[', ']']).clone_into(&mut section);
            // `[dependencies.tokio]` names the crate in the header.
            if let Some((head, name)) = section.clone().rsplit_once("dependencies.") {
                let section = format!("{head}dependencies");
                found.push(Entry { section, key: name.into(), value: String::new(), line: i + 1 });
            }
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let key = key.trim().split('.').next().unwrap_or_default().trim_matches('"');
            found.push(Entry {
                section: section.clone(),
                key: key.to_owned(),
                value: value.trim().to_owned(),
                line: i + 1,
            });
        }
    }
    found
}

/// The crates a manifest depends on: name and line, in any of its dependency sections.
pub fn dependencies(manifest: &Source) -> Vec<Entry> {
    let is_dependency = |s: &str| {
        s == "dependencies" || s.ends_with("-dependencies") || s.ends_with(".dependencies")
    };
    entries(manifest)
        .into_iter()
        .filter(|e| is_dependency(&e.section) && e.section != "workspace.dependencies")
        .collect()
}

/// The name of the package, or "" for a workspace without one.
pub fn package_name(manifest: &Source) -> String {
    entries(manifest)
        .into_iter()
        .find(|e| e.section == "package" && e.key == "name")
        .map(|e| e.value.trim_matches('"').to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_dependency_is_seen() {
        let text = "[package]\nname = \"a\"\n[dependencies]\nx.workspace = true\n\
                    y = { version = \"1\" }\n[dev-dependencies]\nz = \"1\"\n[dependencies.w]\n\
                    version = \"1\"\n[target.'cfg(unix)'.dependencies]\nv = \"1\"\n";
        let manifest = Source::new("Cargo.toml", text.to_owned());
        let names: Vec<_> = dependencies(&manifest).into_iter().map(|e| e.key).collect();
        assert_eq!(names, ["x", "y", "z", "w", "v"]);
        assert_eq!(package_name(&manifest), "a");
    }
}

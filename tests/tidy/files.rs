//! R8 and the maps: sizes of files, functions and lines, and that the maps name what exists.

use crate::{Finding, Source, Tree, source::closing, source::is_name};

const FILE_LINES_MAX: usize = 900;
const FUNCTION_LINES_MAX: usize = 120;
const COLUMNS_MAX: usize = 100;

/// R8: file <= 900 lines, function <= 120, line <= 100 columns.
pub fn sizes(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|f| f.is_rust()) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            let what =
                format!("{lines} lines; split the state into owners (at most {FILE_LINES_MAX})");
            found.push(Finding::new(&file.path, lines, "R8", what));
        }
        for (i, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX {
                let what = format!("{columns} columns (at most {COLUMNS_MAX})");
                found.push(Finding::new(&file.path, i + 1, "R8", what));
            }
        }
        for (line, name, lines) in functions(file) {
            if lines > FUNCTION_LINES_MAX {
                let what = format!(
                    "fn {name} has {lines} lines (at most {FUNCTION_LINES_MAX}, aim at 70)"
                );
                found.push(Finding::new(&file.path, line, "R8", what));
            }
        }
    }
    found
}

/// Functions with a body: line, name, number of lines.
fn functions(file: &Source) -> Vec<(usize, String, usize)> {
    let code = &file.code;
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if at > 0 && is_name(code.as_bytes()[at - 1]) {
            continue;
        }
        let name: String =
            code[at + 3..].bytes().take_while(|b| is_name(*b)).map(char::from).collect();
        let Some(stop) = code[at..].find(['{', ';']).filter(|_| !name.is_empty()) else { continue };
        if code.as_bytes()[at + stop] == b'{'
            && let Some(end) = closing(code, at + stop)
        {
            let (first, last) = (file.line_of(at), file.line_of(end - 1));
            found.push((first, name, last + 1 - first));
        }
    }
    found
}

/// The maps are true: `README.md` names every top folder, `src/README.md` every folder of `src/`.
pub fn map(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let top = |f: &&String| !f.contains('/') && !f.starts_with('.');
    let src = |f: &&String| f.starts_with("src/");
    found.extend(missing(tree, "README.md", tree.folders.iter().filter(top)));
    found.extend(missing(tree, "src/README.md", tree.folders.iter().filter(src)));
    found
}

fn missing<'a>(tree: &Tree, map: &str, folders: impl Iterator<Item = &'a String>) -> Vec<Finding> {
    let Some(text) = tree.file(map).map(|f| f.text.as_str()) else {
        return vec![Finding::new(map, 1, "map", "is missing; it is the map of the tree")];
    };
    folders
        .filter(|folder| {
            let name = folder.rsplit('/').next().unwrap_or_default();
            !text.contains(&format!("{name}/"))
        })
        .map(|folder| {
            let what = format!("does not name the folder {folder}/: say what it is for");
            Finding::new(map, 1, "map", what)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r8_file_function_line_too_long() {
        let long_file = "// x\n".repeat(901);
        let long_function = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(120));
        let long_line = format!("// {}\n", "é".repeat(98));
        let fine = format!("fn f() {{\n{}}}\n// {}\n", "    g();\n".repeat(118), "é".repeat(97));
        let tree = Tree::of(&[
            ("src/a.rs", &long_file),
            ("src/b.rs", &long_function),
            ("src/c.rs", &long_line),
            ("src/d.rs", &fine),
        ]);
        let found = sizes(&tree);
        let places: Vec<_> = found.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(places, ["src/a.rs", "src/b.rs", "src/c.rs"], "{found:?}");
    }

    #[test]
    fn map_leaves_a_folder_out() {
        let tree = Tree::of(&[
            ("README.md", "`src/` and `xeps/`"),
            ("src/README.md", "| `core/` | words |"),
            ("src/core/sasl/mod.rs", ""),
            ("xeps/lib.rs", ""),
        ]);
        let found = map(&tree);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].what.contains("src/core/sasl"));
    }
}

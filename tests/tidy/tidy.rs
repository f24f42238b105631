//! Runs every rule of the house on the repository.

use std::{path::Path, time::Instant};

use oc_tidy::{RULES, Tree};

#[test]
fn the_house_is_tidy() {
    let start = Instant::now();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tree = Tree::read(&root).expect("the repository can be read");
    assert!(tree.file("Cargo.toml").is_some(), "this is not the repository");
    let mut broken = 0;
    for (name, rule) in RULES {
        let found = rule(&tree);
        for finding in &found {
            println!("{finding}");
        }
        if !found.is_empty() {
            println!("-- {name}: {} finding(s)\n", found.len());
        }
        broken += found.len();
    }
    println!("{} files, {} rules, {:?}", tree.files.len(), RULES.len(), start.elapsed());
    assert!(broken == 0, "{broken} place(s) break a rule of the house; they are listed above");
}

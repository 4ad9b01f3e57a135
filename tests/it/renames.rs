//! Old names are not used again: this test reads the list in `docs/renames.md`.

use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn old_paths_and_types_are_not_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("docs/renames.md")).expect("docs/renames.md can be read");
    let rows: Vec<Vec<&str>> = list.lines().filter(|line| line.starts_with("| `")).map(cells).collect();
    let (files, types): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row[0].starts_with("src/"));
    assert!(files.len() > 30 && types.len() > 20, "{} files and {} types are listed", files.len(), types.len());

    let sources = sources(root);
    let mut wrong = BTreeSet::new();
    // A new module may have a name that another one had.
    let reused: BTreeSet<&str> = files.iter().map(|row| row[1]).collect();
    for row in &files {
        let (old, new) = (row[0], row[1]);
        if !root.join(new).is_file() {
            wrong.insert(format!("docs/renames.md: {new} does not exist"));
        }
        let folder = old.trim_end_matches(".rs");
        if reused.iter().any(|new| new.trim_end_matches(".rs").starts_with(folder)) {
            continue;
        }
        let below = format!("{folder}/");
        if sources.iter().any(|(path, _)| path == old || path.starts_with(&below)) {
            wrong.insert(format!("{old} exists again; its new name is {new}"));
        }
        // In prose a path is written with its module and without `src/`.
        let short = old.trim_start_matches("src/");
        for (path, text) in sources.iter().filter(|_| short.contains('/')) {
            if has_word(text, short) {
                wrong.insert(format!("{path} mentions {short}; its new name is {new}"));
            }
        }
    }
    for row in types.iter().filter(|row| row[2] != "ordinary word") {
        let name = row[0].rsplit("::").next().expect("a path has a last part");
        for (path, text) in &sources {
            if has_word(text, name) {
                wrong.insert(format!("{path} mentions {name}; its new name is {}", row[1]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn only_whole_words_are_found() {
    assert!(has_word("a [`Vault`] of", "Vault") && has_word("Vault::new", "Vault"));
    assert!(!has_word("Vaulted MyVault", "Vault") && !has_word("my/browser/own.rs", "browser/own.rs"));
}

/// The cells of a row of a table, without their backticks.
fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect()
}

/// All files under `src/` that are text, by path.
fn sources(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![root.join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("src can be listed") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let name = path.strip_prefix(root).expect("it is under the root").to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).expect("a source is text")));
            }
        }
    }
    found
}

fn has_word(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(inside) && !text[at + word.len()..].starts_with(inside))
}

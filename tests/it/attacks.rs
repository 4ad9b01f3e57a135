//! What a tenant must not get through: each row of the table of attacks is sent, its answer is held against what Chrome
//! would say of something that is not there, and then the victim is looked at.
//!
//! A row has a letter and a number, which stand in the text of its failure. The same frames end, blind or show other
//! sessions of a bare Chrome that is shared: that is what they were measured on. The table is `docs/attacks.md`.

mod browser;
mod cdp_sessions;
mod contexts;
mod control_port;
mod crashing_commands;
mod ended_targets;
mod frames;
mod from_pages;
mod greed;
mod greed_browser;
mod greed_snapshots;
mod indirect_routes;
mod navigation;
mod other_entry_points;
mod pausing;
mod rows;
mod same_site;
mod stage;
mod targets;
mod victim;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The table of attacks, as people read it.
const TABLE: &str = "docs/attacks.md";

/// Each row of the table is sent by the tests that it names, and each row that a test sends is in the table.
#[test]
fn attack_table_names_the_tests_that_send_each_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join(TABLE)).expect("the table");
    let mut code = String::new();
    for file in std::fs::read_dir(root.join("tests/it/attacks")).expect("the attacks").flatten() {
        let text = std::fs::read_to_string(file.path()).expect("a source");
        code.extend(text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]));
    }
    let listed = listed(&table);
    assert!(listed.len() > 100, "{TABLE} has {} rows: is it still a table?", listed.len());
    let mut wrong = Vec::new();
    for (row, cells) in &listed {
        if !code.contains(row.as_str()) {
            wrong.push(format!("no attack sends {row}"));
        }
        // The last two columns: what it costs, and the tests.
        let [.., cost, tests] = cells.as_slice() else { panic!("{row} has no cells") };
        if cost.is_empty() {
            wrong.push(format!("{row} does not say what it costs others"));
        }
        let tests: Vec<_> = tests.split(", ").map(|test| test.trim_matches('`')).collect();
        for test in tests {
            if !code.contains(&format!("async fn {test}(")) {
                wrong.push(format!("{row} names the test {test}, which is not there"));
            }
        }
    }
    let known: BTreeSet<_> = listed.keys().cloned().collect();
    wrong.extend(sent(&code).difference(&known).map(|row| format!("{row} is sent and not in {TABLE}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the bench `neighbour` does to others is in the table, too, with what it costs.
#[test]
fn attack_table_lists_every_bench_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join(TABLE)).expect("the table");
    let acts = std::fs::read_to_string(root.join("benches/load/neighbour/acts.rs")).expect("the acts");
    let acts: Vec<_> =
        acts.lines().filter_map(|line| line.trim().strip_prefix("act(\"")?.split_once("\", \"")).collect();
    assert!(!acts.is_empty(), "the acts are written in another way");
    let listed = listed(&table);
    let first_cells: Vec<_> = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    let has_line = |name: &str| first_cells.iter().any(|cell| cell.contains(&format!("`{name}`")));
    let is_there = |(name, what): &&(&str, &str)| {
        let row = what.split(':').next().filter(|row| is_row(row));
        row.map_or_else(|| has_line(name), |row| listed.contains_key(row))
    };
    let missing: Vec<_> = acts.iter().filter(|act| !is_there(act)).collect();
    assert!(missing.is_empty(), "{TABLE} does not say what these cost: {missing:?}");
}

/// The rows of the table, each with its cells.
fn listed(table: &str) -> BTreeMap<String, Vec<&str>> {
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let ids: Vec<_> = cells[0].split(' ').filter(|word| is_row(word)).collect();
        for id in ids {
            let before = rows.insert(id.to_owned(), cells.clone());
            assert!(before.is_none(), "{TABLE} has {id} twice");
        }
    }
    rows
}

/// The rows that texts of the code begin with, as those of failures do.
fn sent(code: &str) -> BTreeSet<String> {
    let texts = code.split('"').flat_map(|text| text.split([' ', ':', ',', '{']).take_while(|word| is_row(word)));
    texts.map(str::to_owned).collect()
}

/// A letter and two digits.
fn is_row(word: &str) -> bool {
    matches!(word.as_bytes(), [b'A'..=b'Z', b'0'..=b'9', b'0'..=b'9'])
}

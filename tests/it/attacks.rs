//! Attacks between tenants. Each row of the table in `docs/attacks.md` is sent; its answer is
//! compared with Chrome's answer for an unknown id, and then the victim is checked.
//!
//! A row has a letter and a number; failure messages begin with it. On a bare Chrome that two
//! connections share, the same frames end, change or read other sessions.

mod allowance;
mod borders;
mod browser;
mod cdp_sessions;
mod contexts;
mod control_port;
mod crashing_commands;
mod dedicated;
mod egress;
mod ended_targets;
mod files;
mod forwarded;
mod frames;
mod from_pages;
mod greed;
mod greed_browser;
mod greed_snapshots;
mod habits;
mod indirect_routes;
mod launch;
mod mcp;
mod namespace;
mod navigation;
mod other_entry_points;
mod page_state;
mod pages;
mod pausing;
mod quick;
mod quick_code;
mod rows;
mod same_site;
mod stage;
mod targets;
mod tenants;
mod victim;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The table of attacks.
const TABLE: &str = "docs/attacks.md";

/// Every row of the table names the tests that send it, and every row that a test sends is in the
/// table.
#[test]
fn attack_table_names_the_tests_that_send_each_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join(TABLE)).expect("the table");
    let mut code = String::new();
    let of = |directory: &str| std::fs::read_dir(root.join(directory)).expect("the attacks").flatten();
    let files = of("tests/it/attacks").chain(of("tests/it/upstreams")).map(|file| file.path());
    for file in files.chain([root.join("tests/it/upstreams.rs")]) {
        let text = std::fs::read_to_string(file).expect("a source");
        code.extend(text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]));
    }
    let listed = listed(&table);
    assert!(listed.len() > 100, "{TABLE} has {} rows: is it still a table?", listed.len());
    let mut wrong = Vec::new();
    for (row, cells) in &listed {
        if !code.contains(row.as_str()) {
            wrong.push(format!("no attack sends {row}"));
        }
        // The last two columns: the cost, and the tests.
        let [.., cost, tests] = cells.as_slice() else { panic!("{row} has no cells") };
        if cost.is_empty() {
            wrong.push(format!("{row} does not state its cost for others"));
        }
        let tests: Vec<_> = tests.split(", ").map(|test| test.trim_matches('`')).collect();
        for test in tests {
            if !code.contains(&format!("async fn {test}(")) {
                wrong.push(format!("{row} names the test {test}, which does not exist"));
            }
        }
    }
    let known: BTreeSet<_> = listed.keys().cloned().collect();
    wrong.extend(sent(&code).difference(&known).map(|row| format!("{row} is sent and not in {TABLE}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every row of the bench `neighbour` is in the table, with its cost.
#[test]
fn attack_table_lists_every_bench_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join(TABLE)).expect("the table");
    let read = |file: &str| std::fs::read_to_string(root.join("benches/load/neighbour").join(file)).expect("the acts");
    let acts = read("acts.rs") + &read("tenants.rs");
    let acts: Vec<_> =
        acts.lines().filter_map(|line| line.trim().strip_prefix("act(\"")?.split_once("\", \"")).collect();
    assert!(!acts.is_empty(), "no acts found in the bench's source");
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

/// The rows of the table: the row's id and its cells.
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

/// The row ids at the begin of string literals in the code, as failure messages have them.
fn sent(code: &str) -> BTreeSet<String> {
    let texts = code.split('"').flat_map(|text| text.split([' ', ':', ',', '{']).take_while(|word| is_row(word)));
    texts.map(str::to_owned).collect()
}

/// Whether a word is a row id: a letter and two digits.
fn is_row(word: &str) -> bool {
    matches!(word.as_bytes(), [b'A'..=b'Z', b'0'..=b'9', b'0'..=b'9'])
}

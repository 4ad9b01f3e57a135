//! What a tenant must not get through: each row of the table of attacks is sent, its answer is held against what Chrome
//! would say of something that is not there, and then the victim is looked at.
//!
//! A row has a letter and a number, which stand in the text of its failure. The same frames end, blind or show other
//! sessions of a bare Chrome that is shared: that is what they were measured on.

mod browser;
mod cdp_sessions;
mod contexts;
mod control_port;
mod ended;
mod frames;
mod from_pages;
mod greed;
mod killers;
mod navigation;
mod pausing;
mod rows;
mod same_site;
mod side_doors;
mod stage;
mod targets;
mod to_the_port;
mod victim;

/// The rows of the table: a letter, and the highest number with it.
const ROWS: [(char, u8); 17] = [
    ('T', 22),
    ('C', 13),
    ('D', 6),
    ('W', 4),
    ('B', 17),
    ('X', 3),
    ('A', 5),
    ('S', 10),
    ('I', 2),
    ('N', 12),
    ('H', 3),
    ('K', 4),
    ('P', 5),
    ('J', 18),
    ('F', 18),
    ('R', 10),
    ('Z', 10),
];

/// No row without an attack: its name stands in the code, as what a failure of it would say.
#[test]
fn every_row_of_the_table_is_sent() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/attacks");
    let files = std::fs::read_dir(&directory).expect("the attacks");
    let mut code = String::new();
    for file in files.flatten() {
        code += &std::fs::read_to_string(file.path()).expect("a source");
    }
    let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let rows = ROWS.iter().flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number:02}")));
    let missing: Vec<_> = rows.filter(|row| !code.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "no attack sends the rows {missing:?}");
}

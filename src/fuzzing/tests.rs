use std::{env, sync::LazyLock};

use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestRunner};

use super::*;

/// Mutations of the seeds that each property is tried with.
const CASES: u32 = 2000;

/// What a mutation puts in: the words and bytes that mean something to one of the formats.
static WORDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let lines = include_str!("../../fuzz/words.dict").lines().filter(|line| line.starts_with('"'));
    lines.map(|line| word(&line[1..line.len() - 1])).collect()
});

/// A word of libFuzzer's dictionaries: `\\`, `\"` and `\xAB` are escapes.
fn word(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        (bytes, rest) = match (byte, after) {
            (b'\\', [b'x', digits @ ..]) => {
                let digits = str::from_utf8(&digits[..2]).expect("two digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
                (bytes, &after[3..])
            }
            (b'\\', [escaped, after @ ..]) => {
                bytes.push(*escaped);
                (bytes, after)
            }
            _ => {
                bytes.push(*byte);
                (bytes, after)
            }
        };
    }
    bytes
}

/// One change of an input.
#[derive(Clone, Debug)]
enum Edit {
    /// Another byte.
    Byte(u8),
    /// A word is put in.
    Word(Index),
    /// So many bytes are taken out.
    Cut(u8),
    /// So many bytes of another seed are put in.
    Splice(Index, Index, u8),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        any::<u8>().prop_map(Edit::Byte),
        any::<Index>().prop_map(Edit::Word),
        (1..12u8).prop_map(Edit::Cut),
        (any::<Index>(), any::<Index>(), 1..64u8).prop_map(|(seed, from, length)| Edit::Splice(seed, from, length)),
    ]
}

fn mutated(seeds: &[Vec<u8>], seed: Index, edits: &[(Index, Edit)]) -> Vec<u8> {
    let mut input = seed.get(seeds).clone();
    for (at, edit) in edits {
        let at = at.index(input.len() + 1);
        match edit {
            Edit::Byte(byte) if at < input.len() => input[at] = *byte,
            Edit::Byte(byte) => input.push(*byte),
            Edit::Word(word) => drop(input.splice(at..at, word.get(&WORDS).iter().copied())),
            Edit::Cut(length) => drop(input.drain(at..(at + usize::from(*length)).min(input.len()))),
            Edit::Splice(other, from, length) => {
                let other = other.get(seeds);
                let from = from.index(other.len() + 1);
                let part = &other[from..(from + usize::from(*length)).min(other.len())];
                drop(input.splice(at..at, part.iter().copied()));
            }
        }
    }
    input
}

/// The seeds as they are, and mutations of them.
fn holds(target: Target) {
    let seeds = target.seeds();
    assert!(seeds.len() > 2, "{} has no seeds", target.name);
    for seed in &seeds {
        (target.run)(seed);
    }
    let mut runner = TestRunner::new(ProptestConfig { cases: CASES, ..ProptestConfig::default() });
    let inputs = (any::<Index>(), vec((any::<Index>(), edit()), 1..6));
    let checked = runner.run(&inputs, |(seed, edits)| {
        (target.run)(&mutated(&seeds, seed, &edits));
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{}: {error}", target.name));
}

#[test]
fn frames_are_read_as_serde_json_reads_them() {
    holds(PURE[0]);
}

#[test]
fn cbor_and_json_become_each_other_without_loss() {
    holds(PURE[1]);
}

#[test]
fn every_command_has_a_decision_that_its_arguments_cannot_get_around() {
    holds(PURE[2]);
}

#[test]
fn no_spelling_of_a_url_gets_around_the_rules() {
    holds(PURE[3]);
}

#[test]
fn proxies_and_hosts_are_read_without_loss_and_never_shown() {
    holds(PURE[4]);
}

#[cfg(feature = "server")]
#[test]
fn snapshots_and_states_are_refused_or_kept_without_loss() {
    holds(SERVER[0]);
}

#[cfg(feature = "server")]
#[test]
fn no_request_of_a_page_comes_through_the_guard() {
    holds(SERVER[1]);
}

#[cfg(feature = "server")]
#[test]
fn handshakes_of_socks_are_read_wherever_they_are_cut() {
    holds(SERVER[2]);
}

/// `fuzz/` has a target for each property, and no other.
#[test]
#[cfg(feature = "server")]
fn every_property_has_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("fuzz/Cargo.toml");
    for Target { name, .. } in targets() {
        let text = fs::read_to_string(root.join(format!("fuzz_targets/{name}.rs"))).expect(name);
        assert!(text.contains(&format!("run(\"{name}\"")), "fuzz_targets/{name}.rs runs another property");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks {name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), targets().len(), "a target without a property");
}

#[test]
#[ignore = "writes the inputs that the target FUZZ_TARGET begins with into the directory FUZZ_CORPUS, for `make fuzz`"]
fn seeds_are_written() {
    let [name, directory] = ["FUZZ_TARGET", "FUZZ_CORPUS"].map(|name| env::var(name).expect(name));
    let target = targets().into_iter().find(|target| target.name == name).expect("the name of a target");
    fs::create_dir_all(&directory).expect("a directory");
    for (at, seed) in target.seeds().into_iter().enumerate() {
        fs::write(Path::new(&directory).join(format!("seed-{at}")), seed).expect("a file");
    }
}

#[test]
fn words_of_the_dictionary_are_read_as_libfuzzer_reads_them() {
    assert_eq!(word(r#"a\"\\\x0a\xff"#), b"a\"\\\n\xff");
    assert!(WORDS.len() > 50 && WORDS.contains(&b"\r\n".to_vec()));
}

//! Checks the isolation invariant in the sources: only `src/virtual_browser/outbox.rs` makes a
//! [`ToClient`], and only for the view to which a CDP session was announced. The compiler hides the
//! private items of that file from others; this test keeps them private.
//! `outbox_check_detects_public_constructors` makes items public in a copy of the file, and each
//! change must be detected.
//!
//! [`ToClient`]: ghostmux::virtual_browser::ToClient

use std::{
    fs,
    path::{Path, PathBuf},
};

const OUTBOX: &str = "virtual_browser/outbox.rs";
const MOST_LINES: usize = 250;
/// The functions that may change the map *announced CDP session -> view*.
const CHANGES: [&str; 3] = ["announce", "withdraw", "withdraw_view"];
/// Methods that change a map.
const CHANGING: [&str; 9] =
    [".insert(", ".entry(", ".remove(", ".extract_if(", ".retain(", ".clear(", ".drain(", ".extend(", "values_mut("];
/// Traits that a frame may derive: none of them creates or changes one.
const DERIVES: [&str; 3] = ["Debug", "PartialEq", "Eq"];

#[test]
fn only_the_outbox_creates_frames_for_clients() {
    let wrong = faults(&read(OUTBOX));
    assert!(wrong.is_empty(), "src/{OUTBOX} does not keep the isolation invariant:\n{}", wrong.join("\n"));
    assert!(
        !Path::new("src/virtual_browser/outbox").exists(),
        "src/{OUTBOX} has child modules, which see what is private in it"
    );
}

#[test]
fn other_files_neither_create_frames_nor_choose_views() {
    let mut wrong = Vec::new();
    for path in sources(Path::new("src")) {
        let name = path.strip_prefix("src").expect("below src").to_string_lossy().into_owned();
        if name == OUTBOX || name.contains("tests") {
            continue;
        }
        let code = without_comments(&read(&name));
        for word in ["ToClient {", "ToClient::", "-> ToClient"] {
            for (at, _) in code.match_indices(word) {
                // `Action::ToClient` is what a virtual browser returns to the session task.
                let before = &code[..at];
                if !before.ends_with("Action::") {
                    wrong.push(format!("src/{name}: {word}"));
                }
            }
        }
        // The outbox pairs a frame with its view; one place passes both on, and one place takes
        // them.
        for (at, _) in code.match_indices("Action::ToClient(") {
            let line = code[at..].lines().next().unwrap_or_default();
            let handed_on = name == "virtual_browser.rs" && line == "Action::ToClient(view, frame)));";
            if !handed_on && !line.contains("=>") {
                wrong.push(format!("src/{name}: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "only src/{OUTBOX} may make frames for clients:\n{}", wrong.join("\n"));
}

#[test]
fn outbox_check_detects_public_constructors() {
    let text = read(OUTBOX);
    for (code, opened, why) in [
        ("    fn own_words(", "    pub(super) fn own_words(", "makes a ToClient"),
        ("    fn own_words(", "    pub(crate) fn own_words(", "makes a ToClient"),
        ("    text: Bytes,", "    pub(super) text: Bytes,", "is not private"),
        ("    frames: Vec<", "    pub(super) frames: Vec<", "is not private"),
        ("    view: ViewId,\n    cdp: Cdp,", "    pub(super) view: ViewId,\n    cdp: Cdp,", "is not private"),
        ("    announced: HashMap", "    pub(super) announced: HashMap", "is not private"),
        ("#[derive(Debug, PartialEq, Eq)]\npub struct ToClient", "#[derive(Default)]\npub struct ToClient", "derives"),
        ("impl ToClient {", "impl From<String> for ToClient {", "implements"),
        ("    fn tell(&mut self, view", "    pub(super) fn tell(&mut self, view", "text for a view"),
        ("    fn say(", "    pub(super) fn say(", "text for a view"),
        ("struct Announced {", "pub(super) struct Announced {", "is not private"),
        (
            "        self.announced.get(on).map",
            "        self.announced.clear();\n        self.announced.get(on).map",
            "changes the map",
        ),
        ("use std::collections", "mod child;\nuse std::collections", "child module"),
        ("use std::collections", "macro_rules! frame { () => {} }\nuse std::collections", "macro"),
    ] {
        let changed = text.replacen(code, opened, 1);
        assert_ne!(changed, text, "this is not in src/{OUTBOX}: {code}");
        let wrong = faults(&changed);
        assert!(wrong.iter().any(|fault| fault.contains(why)), "the check did not detect {opened:?}: {wrong:?}");
    }
    let long = format!("{text}{}", "\n".repeat(MOST_LINES));
    assert!(faults(&long).iter().any(|fault| fault.contains("lines")));
}

/// What in the outbox would let another file create a frame or choose its view.
fn faults(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let lines = text.lines().count();
    if lines > MOST_LINES {
        wrong.push(format!("it has {lines} lines, more than {MOST_LINES}"));
    }
    let code = without_comments(text);
    for line in code.lines().map(str::trim) {
        let item = line.strip_prefix("pub").map_or(line, |rest| rest.trim_start_matches(|c| c != ' ').trim_start());
        if item.starts_with("mod ") {
            wrong.push(format!("a child module: {line}"));
        }
        if item.starts_with("macro_rules!") {
            wrong.push(format!("a macro: {line}"));
        }
        if line.contains(" for ToClient") || line.contains(" for Outbox") || line.contains(" for Announced") {
            wrong.push(format!("it implements a trait by which a frame could be made: {line}"));
        }
        if line.contains("struct Announced") && line.starts_with("pub") {
            wrong.push(format!("it is not private: {line}"));
        }
    }
    for name in ["ToClient", "Announced", "Outbox"] {
        let Some(at) = code.find(&format!("struct {name} {{")) else {
            wrong.push(format!("there is no struct {name}"));
            continue;
        };
        for field in code[at..].lines().skip(1).take_while(|line| *line != "}") {
            if field.trim_start().starts_with("pub") {
                wrong.push(format!("a field of {name} is not private: {}", field.trim()));
            }
        }
        let derives = code[..at].rsplit("#[derive(").next().and_then(|rest| rest.split(')').next()).unwrap_or_default();
        let more = derives.split(',').map(str::trim).find(|derived| {
            // A new virtual browser has an empty outbox.
            !(DERIVES.contains(derived) || name == "Outbox" && *derived == "Default")
        });
        if let Some(more) = more {
            wrong.push(format!("{name} derives {more}"));
        }
    }
    for function in functions(&code) {
        let Function { name, head, body } = function;
        let public = head.starts_with("pub");
        let makes = head.split("->").nth(1).is_some_and(|to| to.contains("ToClient") || to.contains("Self"));
        // Functions that return frames made before, with their views.
        if public && makes && name != "poll_frames" {
            wrong.push(format!("another file can call {name}, which makes a ToClient"));
        }
        if public && (head.contains("impl FnOnce") || head.contains("view: ViewId, text")) {
            wrong.push(format!("another file can call {name} with any text for a view"));
        }
        if !CHANGES.contains(&name) && CHANGING.iter().any(|change| body.contains(&format!("announced{change}"))) {
            wrong.push(format!("{name} changes the map of what was announced"));
        }
        if public && body.contains("self.frames.push(") && !["admit"].contains(&name) {
            wrong.push(format!("another file can call {name}, which makes a ToClient"));
        }
    }
    wrong
}

struct Function<'a> {
    name: &'a str,
    head: &'a str,
    body: &'a str,
}

/// The functions of a file in rustfmt's format: each begins with four blanks and ends with `    }`.
fn functions(code: &str) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let start = code[..at].rfind('\n').map_or(0, |at| at + 1);
        let end = code[start..].find("\n    }\n").map_or(code.len(), |end| start + end);
        let text = code[start..end].trim_start();
        let Some((head, body)) = text.split_once('{') else { continue };
        let name = code[at + 3..].split(['(', '<']).next().unwrap_or_default();
        found.push(Function { name, head, body });
    }
    found
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n") + "\n"
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new("src").join(name)).unwrap_or_else(|error| panic!("src/{name}: {error}"))
}

fn sources(under: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(under).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
    found
}

//! Who may import whom, and what pure code never does: read from the sources, so that it stays true.
//!
//! A failure names the file, the edge or the word, and this table. Change the table only together with the design.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A layer (a module of the crate's root) and the layers that its files may name.
const MAY_IMPORT: [(&str, &[&str]); 19] = [
    ("cdp", &[]),
    ("session", &["cdp"]),
    ("browser", &["cdp"]),
    ("store", &[]),
    ("snapshot", &["cdp", "browser", "store"]),
    ("snapshots", &["store", "snapshot"]), // the command line, without a server
    ("client", &["cdp", "session"]),       // for `ToClient`, all that a client can be sent
    ("live", &["cdp", "session", "browser", "client", "snapshot"]),
    ("registry", &["live", "browser", "client", "cdp", "snapshot", "store"]), // it opens leases, hands over sockets, and fills sessions
    ("limits", &[]),
    ("auth", &[]),
    ("api", &["registry", "browser", "snapshot", "cdp"]), // `cdp`: ids and the members of what Chrome answers
    ("server", &["registry", "client", "api", "live", "auth", "limits", "browser", "store"]), // `browser`, `store`: to start them
    ("doctor", &["browser"]),
    ("error", &[]),
    ("files", &[]),
    ("metrics", &[]),
    ("config", &[]),
    ("workers", &[]),
];

/// The program, which sees the crate from outside. `cdp`: to print the declarations of the `ghost` domain.
const MAIN_MAY_IMPORT: [&str; 4] = ["server", "doctor", "snapshots", "cdp"];

/// Everybody may name these, they name only each other.
const LEAVES: [&str; 5] = ["error", "metrics", "config", "files", "workers"];

/// Files and directories that decide without acting.
const PURE: [&str; 8] = [
    "cdp",
    "session",
    "browser/disposal.rs",
    "browser/pixels.rs",
    "browser/targets.rs",
    "browser/targets",
    "live/phase.rs",
    "registry/line.rs",
];

/// What pure code never says, and why.
const NOT_IN_PURE: [(&str, &str); 9] = [
    ("tokio", "it runs on no runtime"),
    ("async", "it never waits"),
    (".await", "it never waits"),
    ("Instant::now", "time is an argument"),
    ("SystemTime", "time is an argument"),
    ("Uuid::new", "ids are arguments"),
    ("tracing::", "it never logs"),
    ("std::fs", "it does no I/O"),
    ("std::net", "it does no I/O"),
];

/// What all sessions of a browser share. One client's many targets and CDP sessions must not make each message of the others
/// cost more, so nothing here looks through a collection.
const SHARED: [&str; 4] = ["browser/targets.rs", "browser/targets", "browser/link.rs", "browser/link"];

/// How a collection is looked through.
const SCANS: [&str; 10] = [
    ".iter(",
    ".iter_mut(",
    ".into_iter(",
    ".values(",
    ".values_mut(",
    ".into_values(",
    ".keys(",
    ".retain(",
    ".drain(",
    "extract_if(",
];

/// Functions that may, because what they look through is as small as is said.
const MAY_SCAN: [(&str, &str, &str); 26] = [
    ("browser/link.rs", "run", "the end of the browser"),
    ("browser/link.rs", "next_timeout", "three clocks"),
    ("browser/link/messages.rs", "on_detached", "the CDP sessions that have just gone"),
    ("browser/link/orders.rs", "on_release", "the pages of a lease that has ended"),
    ("browser/link/turns.rs", "next_turn", "those who wait for one worker"),
    ("browser/targets.rs", "new", "the proxy's own three CDP sessions"),
    ("browser/targets.rs", "below", "the CDP sessions below one"),
    ("browser/targets.rs", "pages_of", "the leases that are asked for"),
    ("browser/targets/attach.rs", "on_attached", "two watchers"),
    ("browser/targets/attach.rs", "on_detached", "the CDP sessions that have just gone"),
    ("browser/targets/attach.rs", "loosen", "two watchers, and one waiter for each root of a lease"),
    ("browser/targets/attach.rs", "forget_handed", "the CDP sessions that have just gone"),
    ("browser/targets/attach.rs", "on_gone", "two watchers, and one waiter for each root of a lease"),
    ("browser/targets/attachments.rs", "children", "the CDP sessions below one"),
    ("browser/targets/conceal.rs", "reveal", "a page and its parts"),
    ("browser/targets/conceal.rs", "survey", "the contexts of one lease"),
    ("browser/targets/conceal.rs", "remember_origin", "as many as are remembered"),
    ("browser/targets/hold.rs", "on_resume", "two watchers, and one waiter for each root of a lease"),
    ("browser/targets/hold.rs", "take_handed", "two watchers"),
    ("browser/targets/hold.rs", "wanted_by", "the roots of one lease"),
    ("browser/targets/hold.rs", "decide", "the roots of one lease"),
    ("browser/targets/hold.rs", "follows_a_tab", "the roots of one lease"),
    ("browser/targets/index.rs", "get", "the values under one key"),
    ("browser/targets/roots.rs", "get", "the roots of one lease"),
    ("browser/targets/roots.rs", "remove", "the roots of one lease"),
    ("browser/targets/roots.rs", "set", "the roots of one lease"),
];

#[test]
fn what_all_sessions_share_looks_through_nothing() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources().iter().filter(|source| SHARED.iter().any(|shared| source.path.starts_with(shared))) {
        for (function, word) in scans(&source.code) {
            let is_this = |(path, name, _): &&(&str, &str, &str)| source.path == Path::new(path) && *name == function;
            match MAY_SCAN.iter().find(is_this) {
                Some(allowed) => {
                    used.insert(*allowed);
                }
                None => wrong.push(format!("src/{}: {function} says {word:?}", source.path.display())),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "looked through on the task that all sessions share: find it by an index (src/browser/targets/), or say in MAY_SCAN \
         why it is little:\n{}",
        wrong.join("\n")
    );
    let unused: Vec<_> = MAY_SCAN.iter().filter(|allowed| !used.contains(*allowed)).collect();
    assert!(unused.is_empty(), "in MAY_SCAN, and not needed: {unused:?}");
}

/// Where a collection is looked through: the function, and by what word. A `for` over a field counts.
fn scans(code: &str) -> Vec<(String, &'static str)> {
    let mut found: Vec<(usize, &'static str)> = Vec::new();
    for word in SCANS.into_iter().chain([" in &self.", " in &mut self.", " in self."]) {
        // A method of the mirror's own collections that says `for` whom it looks is no field.
        let is_field =
            |at: usize| !word.starts_with(" in") || !code[at..].split('{').next().is_some_and(|of| of.contains('('));
        found.extend(code.match_indices(word).filter(|(at, _)| is_field(*at)).map(|(at, _)| (at, word)));
    }
    found.sort_unstable();
    let function = |at: usize| {
        let start = code[..at].rfind("fn ").map_or(0, |fn_at| fn_at + 3);
        code[start..].chars().take_while(|c| is_word(*c)).collect()
    };
    found.into_iter().map(|(at, word)| (function(at), word)).collect()
}

#[test]
fn every_import_is_in_the_table() {
    let mut wrong = Vec::new();
    for source in sources() {
        for to in source.imports() {
            if !source.may_import(&to) {
                wrong.push(format!("src/{}: {} may not import {to}", source.path.display(), source.layer));
            }
        }
    }
    assert!(wrong.is_empty(), "edges that are not in MAY_IMPORT of tests/it/layers.rs:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_row_in_the_table() {
    for source in sources() {
        let known = MAY_IMPORT.iter().any(|(layer, _)| *layer == source.layer) || source.layer == "main";
        assert!(known, "src/{} belongs to no layer: add {:?} to MAY_IMPORT", source.path.display(), source.layer);
    }
}

#[test]
fn pure_code_reads_no_clock_and_waits_for_nothing() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| PURE.iter().any(|pure| source.path.starts_with(pure))) {
        for (word, why) in NOT_IN_PURE {
            if contains_word(&source.code, word) {
                wrong.push(format!("src/{} says {word:?}: {why}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "pure code is not pure:\n{}", wrong.join("\n"));
}

#[test]
fn the_reader_sees_what_a_compiler_sees() {
    let code = "// crate::comment\n/* crate::block */ use crate::{\n  cdp::{ids, message::Message},\n  config as c, error,\n};\n\
                fn f(x: &crate::live::Live) -> &str { \"crate::text\" }\n\
                #[cfg(test)]\nmod tests { use crate::server::Server; fn g() { {} } }\nuse crate::api;";
    let source = Source::new("session/view.rs", code);
    let seen: Vec<_> = source.imports().into_iter().collect();
    assert_eq!(seen, ["api", "cdp", "config", "error", "live"]);
    assert!(source.may_import("cdp") && source.may_import("config") && !source.may_import("live"));

    let above = Source::new("live.rs", "use super::session::Session; use super::Something;");
    assert_eq!(above.imports().into_iter().collect::<Vec<_>>(), ["session"]);
    let outside = Source::new("main.rs", "use ghostmux::{config::{self, Config}, server};");
    assert_eq!(outside.imports().into_iter().collect::<Vec<_>>(), ["config", "server"]);
    let quotes = Source::new(
        "live.rs",
        r##"let a = '"'; let b = r#"crate::raw " "#; use crate::cdp; let c: &'static str = "\"";"##,
    );
    assert_eq!(quotes.imports().into_iter().collect::<Vec<_>>(), ["cdp"]);

    let scan = "fn f() { self.all.get(x) } fn g() { for a in &self.all {} } fn h() { self.all.retain(|_| true) }";
    assert_eq!(scans(scan), [("g".to_owned(), " in &self."), ("h".to_owned(), ".retain(")]);

    assert!(contains_word("async fn f()", "async") && !contains_word("let asynchronous = 1;", "async"));
    assert!(
        contains_word("x.await?", ".await")
            && contains_word("tracing::info!()", "tracing::")
            && !contains_word("my_tokio_like()", "tokio")
    );
}

/// A file under `src/`, without comments, texts and tests.
struct Source {
    path: PathBuf,
    layer: String,
    code: String,
}

impl Source {
    fn new(path: impl AsRef<Path>, text: &str) -> Self {
        let path = path.as_ref().to_owned();
        let first = path.iter().next().expect("a file has a name").to_string_lossy();
        Self { layer: first.trim_end_matches(".rs").to_owned(), code: without_tests(&plain(text)), path }
    }

    /// The layers that this file names, other than its own.
    fn imports(&self) -> BTreeSet<String> {
        let mut prefixes = vec!["crate::"];
        if self.layer == "main" {
            prefixes.push("ghostmux::");
        }
        // From a module of the root, `super` is the root.
        if self.path.iter().count() == 1 || self.path.ends_with("mod.rs") && self.path.iter().count() == 2 {
            prefixes.push("super::");
        }
        let mut found = BTreeSet::new();
        for prefix in prefixes {
            for (at, _) in self.code.match_indices(prefix) {
                if self.code[..at].ends_with(is_word) {
                    continue;
                }
                let named = first_segments(&self.code[at + prefix.len()..]);
                found.extend(named.into_iter().filter(|name| prefix != "super::" || is_layer(name)));
            }
        }
        // What the root re-exports or defines itself is not a layer; a type's name tells it apart.
        found.retain(|name| *name != self.layer && name.starts_with(|c: char| c.is_ascii_lowercase()));
        found
    }

    fn may_import(&self, to: &str) -> bool {
        if LEAVES.contains(&to) {
            return true;
        }
        if self.layer == "main" {
            return MAIN_MAY_IMPORT.contains(&to);
        }
        // Pure parts of an impure layer may use only what is pure itself.
        let is_pure = PURE.iter().any(|pure| self.path.starts_with(pure));
        let allowed = MAY_IMPORT.iter().find(|(layer, _)| *layer == self.layer).map_or(&[][..], |(_, allowed)| allowed);
        allowed.contains(&to) && (!is_pure || PURE.contains(&to))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("src can be listed") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let relative = path.strip_prefix(&root).expect("it is under src");
            // The map names everything; test files may.
            let is_code = relative.extension().is_some_and(|ext| ext == "rs");
            let is_test = relative.ends_with("tests.rs") || relative.iter().any(|part| part == "tests");
            if is_code && relative != Path::new("lib.rs") && !is_test {
                sources.push(Source::new(relative, &fs::read_to_string(&path).expect("a source can be read")));
            }
        }
    }
    assert!(!sources.is_empty(), "no sources under {}", root.display());
    sources
}

/// `cdp::X` names cdp; `{cdp::X, live::{Y}}` names cdp and live.
fn first_segments(path: &str) -> Vec<String> {
    let name = |text: &str| text.trim_start().chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(group) = path.trim_start().strip_prefix('{') else { return vec![name(path)] };
    let mut names = vec![name(group)];
    let mut depth = 1;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The text with comments and the contents of literals blanked out.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after_word = out.ends_with(is_word);
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            quoted(rest)
        } else if !after_word && (rest.starts_with("r\"") || rest.starts_with("r#")) {
            let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
            let close = format!("\"{}", "#".repeat(hashes));
            let open = 2 + hashes;
            // `r#type` is a name, not a text.
            let is_text = rest[1 + hashes..].starts_with('"');
            if is_text { rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len()) } else { 0 }
        } else if let Some(escape) = rest.strip_prefix("'\\") {
            escape.char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(rest.len(), |(end, _)| end + 3)
        } else if c == '\'' && rest.chars().nth(2) == Some('\'') {
            rest.char_indices().nth(3).map_or(rest.len(), |(end, _)| end)
        } else {
            0
        };
        if skip > 0 {
            out.push(' ');
            rest = &rest[skip..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The length of the text literal that `rest` begins with.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Tests may name what they like: cuts `#[cfg(test)] mod … { … }`.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        let end = item.find([';', '{']).map_or(item.len(), |open| {
            let mut depth = 0;
            let close = item[open..].char_indices().find(|(_, c)| {
                depth += i32::from(*c == '{') - i32::from(*c == '}');
                depth == 0
            });
            close.map_or(item.len(), |(close, _)| open + close + 1)
        });
        rest = &item[end..];
    }
    out + rest
}

fn contains_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = word.starts_with(is_word) && code[..at].ends_with(is_word);
        let after = word.ends_with(is_word) && code[at + word.len()..].starts_with(is_word);
        !before && !after
    })
}

fn is_layer(name: &str) -> bool {
    MAY_IMPORT.iter().any(|(layer, _)| *layer == name)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

//! Checks of the source tree: the imports between modules, and what pure code must not use.
//!
//! A failure names the file, the import or the word, and the table. Change a table only together
//! with the design.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A top-level module and the top-level modules that its files may import.
const ROOMS: [(&str, &[&str]); 20] = [
    ("cdp", &[]),
    ("api_types", &["cdp"]),
    ("port", &["cdp"]),
    ("virtual_browser", &["port"]),
    ("browser", &["port"]),
    ("pool", &["browser", "port"]),
    ("store", &[]),
    ("snapshot", &["browser", "port", "store"]),
    ("tenant", &["port"]),
    ("session", &["virtual_browser", "browser", "pool", "port", "snapshot", "store", "tenant"]),
    ("page", &["session", "browser", "virtual_browser"]),
    // `browser`: the protocol and the version of the Chrome that runs. `pool`, `store`: their errors, in `http/errors.rs`.
    ("http", &["session", "snapshot", "browser", "pool", "store", "tenant"]),
    ("cli", &["browser", "snapshot", "store", "tenant"]),
    ("app", &["http", "session", "page", "pool", "browser", "store", "tenant", "port"]),
    // For tests alone: it calls what reads the input of others.
    ("fuzzing", &["virtual_browser", "snapshot", "session", "http", "port", "tenant"]),
    ("close_reason", &[]),
    ("metrics", &[]),
    ("runtime", &[]),
    // The hosts and ports of settings.
    ("config", &["port"]),
    ("main", &[]),
];

/// The binary, which sees the crate from outside. It needs `api_types` to print the declarations of
/// the `ghost` domain.
const MAIN_MAY_IMPORT: [&str; 5] = ["app", "cli", "api_types", "config", "close_reason"];

/// All modules may import these.
const FOR_ALL: [&str; 3] = ["cdp", "api_types", "close_reason"];

/// All modules that are not pure may import these.
const FOR_IMPURE: [&str; 3] = ["metrics", "runtime", "config"];

/// Files and modules without I/O. They may import only each other.
const PURE: [&str; 28] = [
    "cdp",
    "api_types",
    "port",
    "close_reason",
    "virtual_browser",
    "browser/mirror",
    "session/launch",
    "session/lifecycle",
    "session/fair_queue",
    "browser/books",
    "browser/closings",
    "browser/context_reaper",
    "browser/pixels",
    "pool/decision",
    "pool/health",
    "pool/placement",
    "pool/policy",
    "pool/reconcile",
    "pool/recycling",
    "pool/scaling",
    "pool/spares",
    "pool/warm_pool",
    "http/browserless/in_page",
    "http/browserless/plan",
    "http/browserless/settings",
    "tenant/egress/socks",
    "tenant/limits/pace",
    "tenant/limits/refusal",
];

/// Imports that the tables do not allow, each with its reason.
const EXCUSED: [(&str, &str); 0] = [];

/// Sibling files that import each other. Do not add any; remove a line when its cycle is gone.
const KNOWN_CYCLES: &[&[&str]] = &[];

/// Files longer than `MOST_LINES`. Do not add any; remove a line when its file was divided.
const KNOWN_LARGE: &[&str] = &[];

/// `src/lib.rs` says which modules need a feature; the others must be exactly the modules that are
/// pure as a whole.
#[test]
fn build_without_default_features_has_exactly_the_pure_modules() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("src/lib.rs");
    let mut built = BTreeSet::new();
    let mut before = "";
    for line in map.lines() {
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';'))
            && !before.starts_with("#[cfg(")
        {
            built.insert(name);
        }
        before = line;
    }
    let pure: BTreeSet<&str> = PURE.into_iter().filter(|part| !part.contains('/')).collect();
    assert_eq!(built, pure, "the modules that are built without the feature `server`, and the pure ones");
}

/// Largest number of lines of a file.
const MOST_LINES: usize = 450;

/// Words that pure code must not contain, and why.
const NOT_IN_PURE: [(&str, &str); 9] = [
    ("tokio", "pure code does not depend on a runtime"),
    ("async", "pure code does not wait"),
    (".await", "pure code does not wait"),
    ("Instant::now", "pure code gets the time as an argument"),
    ("SystemTime", "pure code gets the time as an argument"),
    ("Uuid::new", "pure code gets ids as arguments"),
    ("tracing::", "pure code does not log"),
    ("std::fs", "pure code does no I/O"),
    ("std::net", "pure code does no I/O"),
];

#[test]
fn every_import_is_allowed_by_the_table() {
    let tree = SourceTree::read();
    let mut wrong = BTreeSet::new();
    for source in &tree.sources {
        for to in tree.imports(source) {
            if !may_import(&source.module, &to) {
                wrong.insert(format!("src/{} may not import {}", source.path.display(), to.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "edges that are not in ROOMS of tests/it/layers.rs:\n{}", lines(&wrong));
}

/// Only one module maps errors to HTTP.
#[test]
fn only_http_knows_status_codes() {
    let mut wrong = BTreeSet::new();
    for source in sources().iter().filter(|source| !is_in(&source.module, "http")) {
        for word in ["StatusCode", "axum::"] {
            if contains_word(&source.code, word) {
                wrong.insert(format!(
                    "src/{} says {word:?}: give the error a type, and map it in src/http/errors.rs",
                    source.path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "status codes outside of src/http/:\n{}", lines(&wrong));
}

#[test]
fn module_table_matches_the_source_tree() {
    let tree = SourceTree::read();
    let rooms: BTreeSet<_> = tree.sources.iter().filter_map(|source| source.module.first()).cloned().collect();
    let rows: BTreeSet<_> = ROOMS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(rooms, rows, "the modules under src/, and the rows of ROOMS in tests/it/layers.rs");
    for part in PURE {
        let exists = tree.sources.iter().any(|source| is_in(&source.module, part));
        assert!(exists, "PURE of tests/it/layers.rs names {part}, which does not exist");
    }
}

/// Both pages are written by hand and must name every top-level module.
#[test]
fn lib_docs_and_architecture_page_name_every_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lib = read("src/lib.rs");
    let map: String = lib.lines().filter(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
    let page = read("docs/architecture.md");
    let mut missing = BTreeSet::new();
    for (room, _) in ROOMS.iter().filter(|(room, _)| *room != "main") {
        for (name, text) in [("src/lib.rs", &map), ("docs/architecture.md", &page)] {
            if !contains_word(text, room) {
                missing.insert(format!("{name} does not name {room}"));
            }
        }
    }
    assert!(missing.is_empty(), "modules that are not described:\n{}", lines(&missing));
}

#[test]
fn pure_code_uses_no_clock_io_or_async() {
    let mut wrong = BTreeSet::new();
    for source in sources().iter().filter(|source| is_pure(&source.module)) {
        for (word, why) in NOT_IN_PURE {
            if contains_word(&source.code, word) {
                wrong.insert(format!("src/{} contains {word:?}: {why}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "pure code is not pure:\n{}", lines(&wrong));
}

/// The outputs of a pure state machine are taken with methods named `poll_*`.
#[test]
fn outputs_of_pure_code_are_polled() {
    let mut wrong = BTreeSet::new();
    for source in sources().iter().filter(|source| is_pure(&source.module)) {
        for name in output_methods(&source.code) {
            wrong.insert(format!("src/{}: name {name} poll_…", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "methods that take an output of a pure state machine:\n{}", lines(&wrong));
}

#[test]
fn output_methods_are_found_by_name_and_signature() {
    let code = "pub fn actions(&mut self) -> Vec<Action> {} pub(super) fn take_frames(&mut self,) -> Vec<Frame> {}
        pub(crate) fn poll_due(&mut self) -> Option<Due> {} fn next(&mut self) -> Option<u8> {}
        pub fn next_timeout(&self) -> Option<Instant> {} pub fn take_picture(&mut self) {}";
    assert_eq!(output_methods(code), ["actions", "take_frames"]);
}

/// The visible methods that change their object, return something, and have the name of an output but not `poll_*`.
fn output_methods(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let is_visible = code[..at].trim_end().ends_with("pub") || code[..at].trim_end().ends_with(')');
        let Some((head, _)) = code[at + 3..].split_once('{') else { continue };
        let Some((name, signature)) = head.split_once('(') else { continue };
        let changes = signature.trim_start().starts_with("&mut self") && signature.contains("->");
        let is_output = ["next", "pop", "due", "drain", "actions"].contains(&name)
            || ["next_", "pop_", "take_", "drain_"].iter().any(|start| name.starts_with(start));
        if is_visible && changes && is_output {
            found.push(name);
        }
    }
    found
}

/// Tests are not counted.
#[test]
fn no_file_is_longer_than_450_lines() {
    let mut wrong = BTreeSet::new();
    for (path, text) in SourceTree::files() {
        let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        let is_known = KNOWN_LARGE.contains(&path.as_str());
        if lines > MOST_LINES && !is_known {
            wrong.insert(format!("src/{path} has {lines} lines: divide it"));
        } else if lines <= MOST_LINES && is_known {
            wrong.insert(format!("src/{path} has {lines} lines: remove it from KNOWN_LARGE"));
        }
    }
    assert!(wrong.is_empty(), "{}", lines(&wrong));
}

/// A parent and its children may import each other; siblings may not.
#[test]
fn sibling_files_have_no_import_cycles() {
    let found: BTreeSet<String> = SourceTree::read().circles().into_iter().map(|circle| circle.join(" <-> ")).collect();
    let known: BTreeSet<String> = KNOWN_CYCLES.iter().map(|circle| circle.join(" <-> ")).collect();
    let new: BTreeSet<_> = found.difference(&known).cloned().collect();
    assert!(new.is_empty(), "sibling files with an import cycle; remove one direction:\n{}", lines(&new));
    let gone: BTreeSet<_> = known.difference(&found).cloned().collect();
    assert!(gone.is_empty(), "cycles that are gone; remove them from KNOWN_CYCLES:\n{}", lines(&gone));
}

#[test]
fn import_parser_matches_the_compiler() {
    let code = "// crate::comment\n/* crate::block */ use crate::{\n  cdp::{ids, message::Message},\n  config as c, error,\n};\n\
                pub(in crate::alpha) fn f(x: &crate::beta::Live) -> &str { \"crate::text\" }\n\
                #[cfg(test)]\nmod tests { use crate::server::Server; fn g() { {} } }\nuse crate::api;";
    let paths = |module: &str, code: &str| {
        let source = Source::new(&format!("{module}.rs"), code);
        let found: BTreeSet<String> = source.paths().iter().map(|path| path.join("::")).collect();
        found.into_iter().collect::<Vec<_>>()
    };
    let seen = paths("room/view", code);
    assert_eq!(seen, ["api", "beta::Live", "cdp::ids", "cdp::message::Message", "config", "error"]);

    let relative = "use super::{super::x::Y, sibling, self}; use self::child::Z; use super::*;";
    assert_eq!(paths("room/a/b", relative), ["room::a", "room::a::b::child::Z", "room::a::sibling", "room::x::Y"]);
    let outside = paths("main", "use ghostmux::{config::{self, Config}, server}; use crate::local;");
    assert_eq!(outside, ["config", "config::Config", "server"]);
    let quotes =
        r##"let a = '"'; let b = r#"crate::raw " "#; use crate::cdp; let c: &'static str = "\""; let d = 'x';"##;
    assert_eq!(paths("live", quotes), ["cdp"]);

    assert!(contains_word("async fn f()", "async") && !contains_word("let asynchronous = 1;", "async"));
    assert!(
        contains_word("x.await?", ".await")
            && contains_word("tracing::info!()", "tracing::")
            && !contains_word("my_tokio_like()", "tokio")
    );
}

/// A parent may re-export items of a child; an import through the parent counts as an import of the
/// child.
#[test]
fn cycles_through_the_parent_are_found() {
    let tree = SourceTree::of(&[
        ("room.rs", "mod a; mod b; mod c; use self::{a::A, b::B};"),
        ("room/a.rs", "use super::B; pub struct A;"),
        ("room/b.rs", "use super::c::deep::C; pub struct B;"),
        ("room/c.rs", "mod deep; use super::Own;"),
        ("room/c/deep.rs", "use super::super::A; pub struct C;"),
    ]);
    assert_eq!(tree.circles(), [["room::a", "room::b", "room::c"]]);
    let straight = SourceTree::of(&[
        ("room.rs", "mod a; mod b; use self::{a::A, b::B};"),
        ("room/a.rs", "use super::{B, Own}; pub struct A;"),
        ("room/b.rs", "use super::Own; pub struct B;"),
    ]);
    assert!(straight.circles().is_empty());
}

/// A file under `src/`, without comments, string contents and tests.
struct Source {
    path: PathBuf,
    /// The path of its module; empty for the crate root.
    module: Vec<String>,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        Self { path: path.into(), module, code: without_tests(&plain(text)) }
    }

    /// The paths in this crate that the file names, from the crate root.
    fn paths(&self) -> BTreeSet<Vec<String>> {
        let mut found = BTreeSet::new();
        let roots: &[&str] = if self.module == ["main"] { &["ghostmux::"] } else { &["crate::", "super::", "self::"] };
        let starts: BTreeSet<usize> =
            roots.iter().flat_map(|root| self.code.match_indices(root).map(|(at, _)| at)).collect();
        let mut end = 0;
        for at in starts {
            let before = self.code[..at].trim_end();
            let is_longer = self.code[..at].ends_with(is_word) || before.ends_with("::");
            let is_visibility = before.ends_with("(in");
            // What lies before `end` is part of a path that has been read.
            if at >= end && !is_longer && !is_visibility {
                let mut paths = Vec::new();
                end = self.code.len() - leaves(&self.code[at..], &[], &mut paths).len();
                found.extend(paths.iter().filter_map(|path| self.resolved(path)));
            }
        }
        found
    }

    /// Resolves `crate`, `super` and `self`, at the beginning and within a path.
    fn resolved(&self, path: &[String]) -> Option<Vec<String>> {
        let mut found = self.module.clone();
        for (at, segment) in path.iter().enumerate() {
            match segment.as_str() {
                "crate" | "ghostmux" if at == 0 => found.clear(),
                "super" => drop(found.pop()?),
                "self" | "*" => {}
                name => found.push(name.to_owned()),
            }
        }
        (!found.is_empty()).then_some(found)
    }

    /// The names that `use` brings into the file, with their full paths.
    fn uses(&self) -> BTreeMap<String, Vec<String>> {
        let mut paths = Vec::new();
        for (at, _) in self.code.match_indices("use ") {
            if !self.code[..at].ends_with(is_word) {
                leaves(self.code[at + 4..].trim_start(), &[], &mut paths);
            }
        }
        let inside = |path: &&Vec<String>| matches!(path[0].as_str(), "crate" | "super" | "self");
        let named = paths.iter().filter(inside).filter_map(|path| self.resolved(path));
        named.filter_map(|path| Some((path.last()?.clone(), path))).collect()
    }
}

/// All files of `src/`.
fn sources() -> Vec<Source> {
    SourceTree::read().sources
}

/// The source tree.
struct SourceTree {
    sources: Vec<Source>,
    modules: BTreeSet<Vec<String>>,
    uses: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
}

impl SourceTree {
    fn read() -> Self {
        let files = Self::files();
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        Self::of(&files)
    }

    /// The sources, by path below `src/`.
    fn files() -> Vec<(String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        let mut dirs = vec![root.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(&dir).expect("src can be listed") {
                let path = entry.expect("an entry can be read").path();
                if path.is_dir() {
                    dirs.push(path);
                    continue;
                }
                let relative = path.strip_prefix(&root).expect("it is under src").to_string_lossy().into_owned();
                assert!(!relative.ends_with("mod.rs"), "src/{relative}: a module foo is foo.rs beside foo/");
                // The crate root and test files may import everything.
                let is_test = relative.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "fake.rs"));
                if path.extension().is_some_and(|ext| ext == "rs") && relative != "lib.rs" && !is_test {
                    files.push((relative, fs::read_to_string(&path).expect("a source can be read")));
                }
            }
        }
        assert!(!files.is_empty(), "no sources under {}", root.display());
        files
    }

    fn of(files: &[(&str, &str)]) -> Self {
        let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        let modules = sources.iter().map(|source| source.module.clone()).collect();
        let uses = sources.iter().map(|source| (source.module.clone(), source.uses())).collect();
        Self { sources, modules, uses }
    }

    /// The files whose items a file uses, as module paths.
    fn imports(&self, source: &Source) -> BTreeSet<Vec<String>> {
        source.paths().iter().filter_map(|path| self.file_of(path, 8)).filter(|to| *to != source.module).collect()
    }

    /// The file that defines a path, through re-exports.
    fn file_of(&self, path: &[String], hops: usize) -> Option<Vec<String>> {
        let len = (1..=path.len()).rev().find(|len| self.modules.contains(&path[..*len]))?;
        let (module, rest) = path.split_at(len);
        let next = rest.first().and_then(|name| self.uses.get(module)?.get(name)).filter(|next| *next != path);
        match next {
            Some(next) if hops > 0 => {
                let whole: Vec<_> = next.iter().chain(&rest[1..]).cloned().collect();
                self.file_of(&whole, hops - 1).or_else(|| Some(module.to_vec()))
            }
            _ => Some(module.to_vec()),
        }
    }

    /// Sets of sibling files that import each other, directly or through files below them.
    fn circles(&self) -> Vec<Vec<String>> {
        let mut edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
        for source in &self.sources {
            for to in self.imports(source) {
                let shared = source.module.iter().zip(&to).take_while(|(a, b)| a == b).count();
                // What is above or below a file is no sibling; rooms have a table of their own.
                if shared > 0 && shared < source.module.len() && shared < to.len() {
                    edges.entry(source.module[..=shared].to_vec()).or_default().insert(to[..=shared].to_vec());
                }
            }
        }
        let reach: BTreeMap<_, _> = edges.keys().map(|from| (from.clone(), reachable(&edges, from))).collect();
        let mut circles = BTreeSet::new();
        for (from, below) in reach.iter().filter(|(from, below)| below.contains(*from)) {
            let circle = below.iter().filter(|to| reach.get(*to).is_some_and(|back| back.contains(from)));
            circles.insert(circle.map(|module| module.join("::")).collect::<Vec<_>>());
        }
        circles.into_iter().collect()
    }
}

fn reachable(edges: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>, from: &Vec<String>) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut next = vec![from];
    while let Some(at) = next.pop() {
        for to in edges.get(at).into_iter().flatten() {
            if found.insert(to.clone()) {
                next.push(to);
            }
        }
    }
    found
}

fn may_import(from: &[String], to: &[String]) -> bool {
    let (source, room) = (from[0].as_str(), to[0].as_str());
    if source == "main" {
        return MAIN_MAY_IMPORT.contains(&room);
    }
    if EXCUSED.iter().any(|(file, of)| is_in(from, file) && is_in(to, of)) {
        return true;
    }
    let for_impure = FOR_IMPURE.contains(&room) && !FOR_ALL.contains(&source);
    let allowed = source == room || FOR_ALL.contains(&room) || for_impure || row(source).contains(&room);
    // Pure parts of a module may import only pure code.
    allowed && (!is_pure(from) || is_pure(to))
}

fn row(room: &str) -> &'static [&'static str] {
    ROOMS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, row)| row)
}

fn is_pure(module: &[String]) -> bool {
    PURE.iter().any(|part| is_in(module, part))
}

/// Whether a module is `part` (written with slashes) or below it.
fn is_in(module: &[String], part: &str) -> bool {
    let mut segments = module.iter();
    part.split('/').all(|name| segments.next().is_some_and(|segment| segment == name))
}

fn lines(set: &BTreeSet<String>) -> String {
    set.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
}

/// Collects the paths of a `use` tree, or the one path at the start of `text`; returns the rest of
/// the text.
fn leaves<'a>(text: &'a str, before: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = before.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(mut group) = rest.strip_prefix('{') {
            loop {
                group = group.trim_start();
                if let Some(after) = group.strip_prefix('}') {
                    return after;
                }
                let after = leaves(group, &path, found).trim_start();
                let after = after.strip_prefix(',').unwrap_or(after);
                if after.len() == group.len() {
                    return after;
                }
                group = after;
            }
        }
        let len = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (name, after) = rest.strip_prefix('*').map_or_else(|| rest.split_at(len), |after| ("*", after));
        if name.is_empty() {
            return rest;
        }
        path.push(name.to_owned());
        rest = after;
        match rest.trim_start().strip_prefix("::").map(str::trim_start) {
            Some(next) if next.starts_with(|c| is_word(c) || c == '{' || c == '*') => rest = next,
            _ => break,
        }
    }
    found.push(path);
    match rest.trim_start().strip_prefix("as ") {
        Some(alias) => alias.trim_start().trim_start_matches(is_word),
        None => rest,
    }
}

/// The text with comments and the contents of literals replaced by blanks.
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
            // `r#type` is an identifier, not a raw string.
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

/// The length of the string literal at the start of `rest`.
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

/// Removes `#[cfg(test)] mod … { … }`: tests may import everything.
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

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Code that all sessions of a browser share. It must not scan collections: otherwise one client
/// with many targets or CDP sessions would slow each message of the others.
const SHARED: [&str; 4] = ["browser/mirror.rs", "browser/mirror", "browser/link.rs", "browser/link"];

/// Words that scan a collection.
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

/// Functions that may scan, with the reason why the collection is small.
const MAY_SCAN: [(&str, &str, &str); 37] = [
    ("browser/link.rs", "run", "the end of the browser"),
    ("browser/link.rs", "next_timeout", "three clocks"),
    ("browser/link/mending.rs", "mend", "the proxy's own three CDP sessions"),
    ("browser/link/messages.rs", "on_detached", "the CDP sessions that have just gone"),
    ("browser/link/navigations.rs", "forget", "the pages that wait for a window, when a lease ends"),
    ("browser/link/requests.rs", "on_release", "the pages of a lease that has ended"),
    ("browser/link/shared_worker_lock.rs", "next_turn", "those who wait for one worker"),
    ("browser/mirror.rs", "new", "the proxy's own three CDP sessions"),
    ("browser/mirror.rs", "below", "the CDP sessions below one"),
    ("browser/mirror.rs", "pages_of", "the leases that are asked for"),
    ("browser/mirror/pages.rs", "pages", "the pages of one lease, that an action asks for"),
    ("browser/mirror/attach.rs", "on_attached", "two watchers"),
    ("browser/mirror/attach.rs", "on_detached", "the CDP sessions that have just gone"),
    ("browser/mirror/attach.rs", "loosen", "two watchers, and one waiter for each root of a lease"),
    ("browser/mirror/attach.rs", "forget_handed", "the CDP sessions that have just gone"),
    ("browser/mirror/attach.rs", "on_gone", "two watchers, and one waiter for each root of a lease"),
    ("browser/mirror/attachments.rs", "all", "all CDP sessions, once an interval"),
    ("browser/mirror/attachments.rs", "children", "the CDP sessions below one"),
    ("browser/link/calls.rs", "on_keeper_attached", "the commands of one page's setup"),
    ("browser/mirror/certificates.rs", "ignore_certificate_errors", "the targets of one lease"),
    ("browser/mirror/certificates.rs", "keep", "the commands of one page's setup"),
    ("browser/mirror/certificates.rs", "lacking", "the targets of one lease"),
    ("browser/mirror/hidden_pages.rs", "reveal", "a page and its parts"),
    ("browser/mirror/hidden_pages.rs", "survey", "the contexts of one lease"),
    ("browser/mirror/hidden_pages.rs", "remember_origin", "as many as are remembered"),
    ("browser/mirror/hold.rs", "on_resume", "two watchers, and one waiter for each root of a lease"),
    ("browser/mirror/hold.rs", "take_handed", "two watchers"),
    ("browser/mirror/hold.rs", "wanted_by", "the roots of one lease"),
    ("browser/mirror/hold.rs", "decide", "the roots of one lease"),
    ("browser/mirror/hold.rs", "follows_a_tab", "the roots of one lease"),
    ("browser/mirror/hidden_pages.rs", "targets", "all targets with waiting events, once an interval"),
    ("browser/mirror/index.rs", "get", "the values under one key"),
    ("browser/mirror/population.rs", "all", "all targets, once an interval"),
    ("browser/mirror/records.rs", "recorded", "everything, once an interval"),
    ("browser/mirror/roots.rs", "get", "the roots of one lease"),
    ("browser/mirror/roots.rs", "remove", "the roots of one lease"),
    ("browser/mirror/roots.rs", "set", "the roots of one lease"),
];

#[test]
fn shared_code_does_not_scan_collections() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources().iter().filter(|source| SHARED.iter().any(|shared| source.path.starts_with(shared))) {
        for (function, word) in scans(&source.code) {
            let is_this = |(path, name, _): &&(&str, &str, &str)| source.path == Path::new(path) && *name == function;
            match MAY_SCAN.iter().find(is_this) {
                Some(allowed) => {
                    used.insert(*allowed);
                }
                None => wrong.push(format!("src/{}: {function} contains {word:?}", source.path.display())),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "collections scanned on the task that all sessions share: use an index (src/browser/mirror/), or add the \
         function to MAY_SCAN with the reason why the collection is small:\n{}",
        wrong.join("\n")
    );
    let unused: Vec<_> = MAY_SCAN.iter().filter(|allowed| !used.contains(*allowed)).collect();
    assert!(unused.is_empty(), "entries of MAY_SCAN that are not needed: {unused:?}");
}

/// Where code scans a collection: the function and the word. A `for` over a field counts.
fn scans(code: &str) -> Vec<(String, &'static str)> {
    let mut found: Vec<(usize, &'static str)> = Vec::new();
    for word in SCANS.into_iter().chain([" in &self.", " in &mut self.", " in self."]) {
        // A method of the mirror's own collections is not a field.
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

//! Checks of the pages that people read: links, headings, files, targets of `make`, commands, flags and variables that
//! they name exist. `tests/clients/docs.mjs` runs their commands and scripts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use url::Url;

/// Flags of other programs.
const FOREIGN_FLAGS: [&str; 33] = [
    // Chrome
    "disable-dev-shm-usage",
    "disable-features",
    "disable-frame-rate-limit",
    "headless",
    "lang",
    "no-sandbox",
    "remote-debugging-pipe",
    "remote-debugging-port",
    "site-per-process",
    "user-agent",
    // MCP servers: --cdp-endpoint, --wsEndpoint
    "cdp-endpoint",
    "ws",
    // agent-browser
    "cdp",
    "cdp-headers",
    "pin-tab",
    "session",
    // openapi-python-client
    "url",
    // cargo
    "exact",
    "lib",
    "locked",
    "no-default-features",
    "open",
    "test",
    // docker
    "cap-add",
    "rm",
    "security-opt",
    "shm-size",
    // the sweep, the taint proof and the benchmark
    "browser",
    "messages",
    "methods",
    "row",
    "seconds",
    "write-docs",
];

/// Further flags of the proofs that are also in ordinary sentences.
const PROOF_FLAGS: [&str; 3] = ["seed", "max-examples", "serve"];

/// Variables that are no setting: a token is never a flag, because other users can see those.
const OTHER_VARIABLES: [&str; 1] = ["TOKEN"];

/// Words after `ghostmux` that are no commands: labels of the store's encryption.
const LABELS: [&str; 2] = ["chunk", "key"];

/// Pages that name files of the past.
const OF_THE_PAST: [&str; 2] = ["CHANGELOG.md", "docs/renames.md"];

/// A line with its number.
type Line<'a> = (usize, &'a str);

/// A page, by its path from the root.
struct Page {
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> = ["docs", "docs/adr", "examples", "."]
        .into_iter()
        .flat_map(|dir| fs::read_dir(root().join(dir)).expect("a directory").flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    paths.sort();
    let relative =
        |path: &Path| path.strip_prefix(root()).expect("a file of this tree").to_string_lossy().replace("./", "");
    let page = |path: PathBuf| Page { path: relative(&path), text: fs::read_to_string(&path).expect("a page") };
    let pages: Vec<Page> = paths.into_iter().map(page).collect();
    assert!(pages.len() > 20 && pages.iter().any(|page| page.path == "README.md"), "the pages are elsewhere");
    pages
}

impl Page {
    /// The lines outside of fenced blocks, and those in them.
    fn lines(&self) -> (Vec<Line<'_>>, Vec<Line<'_>>) {
        let mut is_block = false;
        let (mut prose, mut code) = (Vec::new(), Vec::new());
        for (at, line) in self.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                is_block = !is_block;
            } else if is_block {
                code.push((at + 1, line));
            } else {
                prose.push((at + 1, line));
            }
        }
        assert!(!is_block, "{}: a block without its end", self.path);
        (prose, code)
    }

    /// Inline code and the lines of blocks, each with its line number.
    fn code(&self) -> Vec<(usize, String)> {
        let (prose, code) = self.lines();
        let mut found: Vec<_> = code.iter().map(|(at, line)| (*at, (*line).to_owned())).collect();
        for (at, line) in prose {
            // In a table a bar in code is written with a backslash.
            found.extend(line.split('`').skip(1).step_by(2).map(|code| (at, code.replace("\\|", "|"))));
        }
        found
    }

    /// The targets of its links, each with its line number.
    fn links(&self) -> Vec<(usize, String)> {
        let (prose, _) = self.lines();
        let mut found = Vec::new();
        // A link may go on in the next line.
        let mut text = String::new();
        let mut starts = Vec::new();
        for (at, line) in prose {
            starts.push((text.len(), at));
            text.extend(line.split('`').step_by(2));
            text.push('\n');
        }
        let line_of = |place: usize| starts.iter().rev().find(|(start, _)| *start <= place).map_or(1, |(_, at)| *at);
        for (place, _) in text.match_indices("](") {
            let rest = &text[place + 2..];
            let target = &rest[..rest.find(')').unwrap_or_else(|| panic!("{}: a link without its end", self.path))];
            found.push((line_of(place), target.split_whitespace().next().unwrap_or_default().to_owned()));
        }
        found
    }

    /// The anchors of its headings, as GitHub makes them.
    fn anchors(&self) -> BTreeSet<String> {
        let (prose, _) = self.lines();
        let mut found = BTreeMap::new();
        let mut anchors = BTreeSet::new();
        for heading in
            prose.iter().filter(|(_, line)| line.starts_with('#')).map(|(_, line)| line.trim_start_matches('#').trim())
        {
            // Of a link only its words count.
            let words: String = heading
                .split("](")
                .enumerate()
                .map(|(at, part)| if at == 0 { part } else { part.split_once(')').map_or("", |(_, rest)| rest) })
                .collect();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
            let count = found.entry(anchor.clone()).and_modify(|count| *count += 1).or_insert(0);
            anchors.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
        }
        anchors
    }
}

/// All that is wrong, one line each.
fn report(wrong: &BTreeSet<String>, what: &str) {
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.iter().map(String::as_str).collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut wrong = BTreeSet::new();
    let mut count = 0;
    for page in &pages {
        for (line, target) in page.links() {
            count += 1;
            let place = format!("{}:{line}: {target}", page.path);
            if target.contains("://") {
                let is_good = Url::parse(&target)
                    .is_ok_and(|url| url.scheme() == "https" && url.domain().is_some_and(|host| host.contains('.')));
                if !is_good {
                    wrong.insert(format!("{place} is no https: address"));
                }
                continue;
            }
            let (path, anchor) = target.split_once('#').map_or((&*target, None), |(path, anchor)| (path, Some(anchor)));
            let file = match path {
                "" => root().join(&page.path),
                _ => root().join(&page.path).with_file_name("").join(path),
            };
            let Ok(file) = file.canonicalize() else {
                wrong.insert(format!("{place} is no file"));
                continue;
            };
            let Some(anchor) = anchor else { continue };
            let to = pages.iter().find(|other| root().join(&other.path).canonicalize().is_ok_and(|path| path == file));
            if !to.is_some_and(|to| to.anchors().contains(anchor)) {
                wrong.insert(format!("{place} is no heading"));
            }
        }
    }
    assert!(count > 100, "only {count} links were found");
    report(&wrong, "links that lead nowhere");
}

#[test]
fn every_file_that_is_named_exists() {
    let mut wrong = BTreeSet::new();
    let dirs =
        ["src/", "tests/", "docs/", "fixtures/", "scripts/", "benches/", "examples/", "types/", "fuzz/", ".github/"];
    for page in pages().iter().filter(|page| !OF_THE_PAST.contains(&page.path.as_str())) {
        for (line, code) in page.code() {
            let is_path = dirs.iter().any(|dir| code.starts_with(dir))
                && !code.contains(['*', ' ', '{', '…', '<'])
                && !code.contains("TARGET");
            let path = code.split(':').next().unwrap_or_default();
            if is_path
                && !["fuzz/artifacts", "fuzz/corpus"].iter().any(|made| path.starts_with(made))
                && !root().join(path).exists()
            {
                wrong.insert(format!("{}:{line}: {code}", page.path));
            }
        }
    }
    report(&wrong, "files that do not exist");
}

#[test]
fn every_target_of_make_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("the Makefile");
    let targets: BTreeSet<_> = makefile
        .lines()
        .filter_map(|line| line.split_once(':').map(|(name, _)| name))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
        .collect();
    let mut wrong = BTreeSet::new();
    let mut count = 0;
    for page in pages() {
        for (line, code) in page.code() {
            let words: Vec<_> = code.split_whitespace().collect();
            if words.first() == Some(&"make")
                && let Some(target) =
                    words.get(1).filter(|target| target.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
            {
                count += 1;
                if !targets.contains(target) {
                    wrong.insert(format!("{}:{line}: make {target}", page.path));
                }
            }
        }
    }
    assert!(count > 20, "only {count} were found");
    report(&wrong, "targets that the Makefile has not");
}

/// The help of a command of ghostmux; `None` if there is no such command.
fn help(words: &[&str]) -> Option<String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_ghostmux")).args(words).arg("--help").output().expect("ghostmux starts");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn every_command_of_ghostmux_exists() {
    let mut wrong = BTreeSet::new();
    let mut known = BTreeMap::new();
    let mut exists = |words: &[&str]| *known.entry(words.join(" ")).or_insert_with(|| help(words).is_some());
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    for page in pages() {
        for (line, code) in page.code() {
            let words: Vec<_> = code.split_whitespace().collect();
            let Some(at) = words.iter().position(|word| matches!(*word, "ghostmux" | "target/release/ghostmux")) else {
                continue;
            };
            let rest =
                words[at + 1..].iter().take_while(|word| is_word(&word.replace('|', "")) && !word.starts_with("--"));
            let rest: Vec<_> = rest.copied().collect();
            let is_command = match rest.as_slice() {
                [] => true,
                [first, ..] if LABELS.contains(first) => true,
                ["snapshot", which, ..] => which.split('|').all(|which| exists(&["snapshot", which])),
                [command, ..] => exists(&[*command]),
            };
            if !is_command {
                wrong.insert(format!("{}:{line}: {code}", page.path));
            }
        }
    }
    report(&wrong, "commands that ghostmux has not");
}

#[test]
fn every_flag_and_variable_exists() {
    let mut helps = String::new();
    let mut commands = vec![Vec::new()];
    while let Some(command) = commands.pop() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let text = help(&words).expect("a command");
        commands.extend(subcommands(&text).map(|name| [command.as_slice(), &[name.to_owned()]].concat()));
        helps.push_str(&text);
    }
    let mut known: BTreeSet<&str> = flags(&helps).collect();
    assert!(known.len() > 40, "only {} flags were found", known.len());
    known.extend(FOREIGN_FLAGS);
    known.extend(PROOF_FLAGS);
    let pages = pages();
    // The flags of Chrome that clients may give: another test compares the tables of that page with those in force.
    let launch = pages.iter().find(|page| page.path.ends_with("launch-options.md")).expect("the page about them");
    let launch = launch
        .code()
        .into_iter()
        .filter(|(line, _)| launch.text.lines().nth(line - 1).is_some_and(|text| text.starts_with("| `--")));
    let launch: Vec<String> = launch.map(|(_, code)| code).collect();
    known.extend(launch.iter().flat_map(|code| flags(code)));
    let mut wrong = BTreeSet::new();
    for page in &pages {
        for (line, code) in page.code() {
            // The names of Chrome's own switches, in what is said about them.
            for flag in flags(&code).filter(|flag| !known.contains(flag)) {
                wrong.insert(format!("{}:{line}: --{flag}", page.path));
            }
            for (at, _) in code.match_indices("GHOSTMUX_") {
                let name: String = code[at + 9..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
                let flag = name.to_lowercase().replace('_', "-");
                // Without a name it is the beginning of all of them.
                let is_known = known.contains(flag.as_str()) || OTHER_VARIABLES.contains(&name.as_str());
                if !name.is_empty() && !is_known {
                    wrong.insert(format!("{}:{line}: GHOSTMUX_{name}", page.path));
                }
            }
        }
    }
    report(&wrong, "flags and variables that no command has");
}

/// The names of the subcommands in a help text.
fn subcommands(help: &str) -> impl Iterator<Item = &str> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help")
}

/// The flags in a text, without their dashes.
fn flags(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("--").map(|(at, _)| at);
    starts.filter_map(|at| {
        let is_start = text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '/');
        let rest = &text[at + 2..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
        (is_start && end > 1 && !rest.starts_with('-')).then(|| rest[..end].trim_end_matches('-'))
    })
}

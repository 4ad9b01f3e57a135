//! Compiles the policy table, `src/virtual_browser/policy.tsv`, into perfect hashes; an invalid row
//! fails the build.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::Path,
};

const TABLE: &str = "src/virtual_browser/policy.tsv";
const COLUMNS: &str = "method\tscope\tpage\tbrowser\tpage_handler\tbrowser_handler\twith\talso\twhy";

/// In place of the name of a method: every method of the domain that has no row of its own.
const WHOLE: &str = "*";

/// The handlers of methods, with the doc comments of the variants of `Handler`.
/// `src/virtual_browser/dispatch.rs` calls them.
const HANDLERS: [(&str, &str); 49] = [
    ("acknowledge", "Answers with an empty result."),
    ("attach_to_browser_target", "Attaches to the virtual browser target."),
    ("attach_to_target", "Attaches to a target of this session."),
    ("auto_attach_related", "Sends a command to Chrome, from a root only, if its target belongs to this session."),
    ("cancel_download", "Cancels a download of this session."),
    ("certificate_errors", "Refuses to ignore certificate errors on a root, where this would affect every session."),
    ("claim", "Sends a command to Chrome, and notes what of the page it claims for its sender."),
    ("close_browser", "Ends the session."),
    ("create_browser_context", "Creates a context for this session."),
    ("create_target", "Creates a target in a context of this session."),
    ("detach_from_target", "Detaches a CDP session from its parent."),
    ("dispose_browser_context", "Disposes of a context of this session."),
    ("download_behavior", "Sets the download directory of a context."),
    ("during_trace", "Sends a command to Chrome while a trace of this session runs."),
    ("emulate", "Sends a command to Chrome, and records the emulation that it sets."),
    ("load_extension", "Loads an extension from below the directory of the operator."),
    ("navigate", "Sends a command that navigates the page, once that waits for no window that it opens."),
    ("end_trace", "Ends the trace of this session."),
    ("get_browser_contexts", "Lists the contexts of this session."),
    ("get_dev_tools_target", "Answers that no developer tools are open."),
    ("get_extensions", "Lists the extensions, with their paths below the directory of the operator."),
    ("get_target_info", "Describes a target of this session."),
    ("get_targets", "Lists the targets of this session."),
    ("get_version", "Answers with the browser's version."),
    ("get_window_bounds", "Sends a command to Chrome if its window belongs to this session."),
    ("get_window_for_target", "Finds the window of a target of this session."),
    ("ghost_ask", "Has an operation of the `ghost` domain performed."),
    ("ghost_disable", "Turns events of the `ghost` domain off."),
    ("ghost_enable", "Turns events of the `ghost` domain on."),
    ("in_context", "Sends a command to Chrome with a context of this session."),
    ("io_stream", "Sends a command about a stream to Chrome: streams belong to one CDP session."),
    ("network_disable", "Sends a command to Chrome; the CDP session then keeps no response bodies."),
    ("no_histograms", "Answers with no histograms."),
    ("no_processes", "Answers with no processes."),
    ("not_allowed_on_page", "Answers with Chrome's error on a page for a method of roots."),
    ("own_target", "Sends a command to Chrome if its target belongs to this session."),
    ("page_download_behavior", "Sets the download directory of a page's context."),
    ("page_enable", "Sends a command to Chrome; the client then handles the page's dialogs."),
    ("permission", "Changes a permission in a context of this session."),
    ("resume", "Resumes a target."),
    ("send_message_to_target", "Handles the nested message like a flat one."),
    ("set_auto_attach", "Auto-attaches a root to the targets of this session."),
    ("set_auto_attach_below", "Auto-attaches a page, tab or worker to its child targets."),
    ("set_contents_size", "Sets the size of a window's contents, within limits."),
    ("set_discover_targets", "Turns the events of this session's targets on or off."),
    ("set_window_bounds", "Sets the bounds of a window, within limits."),
    ("start_trace", "Starts a trace once the session is alone in its browser."),
    ("system_info", "Describes the machine, without the command line of the browser."),
    ("uninstall_extension", "Removes an extension, and does not load it again with its user data."),
];

/// Rules for arguments (`check NAME` in the table): the variants of `Check`. `src/virtual_browser/arguments.rs` has the
/// rules.
const CHECKS: [&str; 23] = [
    "clear_display_features",
    "composition",
    "cookies",
    "crash",
    "device_metrics",
    "display_features",
    "drag_event",
    "ended_worker",
    "file_info",
    "file_input",
    "gesture",
    "key_event",
    "navigate",
    "network_buffers",
    "network_resource",
    "pdf",
    "quota",
    "screencast",
    "screenshot",
    "scroll",
    "starting_worker",
    "touch",
    "visible_size",
];

/// The capabilities by their names in the settings, with the variants of `Capability`.
const CAPABILITIES: [(&str, &str); 5] = [
    ("dedicated", "Dedicated"),
    ("host-files", "HostFiles"),
    ("launch-args", "LaunchArgs"),
    ("private-network", "PrivateNetwork"),
    ("tracing", "Tracing"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={TABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    let text = fs::read_to_string(TABLE).map_err(|error| format!("{TABLE}: {error}"))?;
    let table = Table::read(&text).map_err(|(line, what)| format!("{TABLE}:{line}: {what}"))?;
    if let Some(name) = table.unused().first() {
        return Err(format!("{TABLE}: no row uses {name:?}: remove it from build.rs, and its code").into());
    }
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    fs::write(Path::new(&out).join("policy.rs"), table.code())?;
    Ok(())
}

/// The table as Rust code, by method and by domain.
#[derive(Default)]
pub struct Table<'a> {
    rows: BTreeMap<&'a str, String>,
    /// Whether all rows of a domain have the scope `target` and the verdict `pass`.
    domains: BTreeMap<&'a str, bool>,
    /// The handlers that rows name.
    used: BTreeSet<&'a str>,
}

impl<'a> Table<'a> {
    /// Reads the table; the error is the number of a bad line and its fault.
    pub fn read(text: &'a str) -> Result<Self, (usize, String)> {
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        if lines.next().is_none_or(|(_, header)| header != COLUMNS) {
            return Err((1, format!("the header must be {COLUMNS:?}")));
        }
        let mut table = Self::default();
        for (number, line) in lines {
            table.add(line).map_err(|what| (number, what))?;
        }
        Ok(table)
    }

    fn add(&mut self, line: &'a str) -> Result<(), String> {
        let columns: Vec<_> = line.split('\t').collect();
        let &[method, scope, page, browser, page_handler, browser_handler, with, also, why] = columns.as_slice() else {
            return Err(format!("{} columns instead of 9", columns.len()));
        };
        let name = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_method = |(domain, method): &(&str, &str)| name(domain) && (name(method) || *method == WHOLE);
        let Some((domain, _)) = method.split_once('.').filter(is_method) else {
            return Err(format!("{method:?} is not a method"));
        };
        // What nobody has looked at must not reach Chrome.
        let is_local = |verdict: &str| matches!(verdict, "answer-locally" | "not-found" | "refuse");
        if method.ends_with(WHOLE) && !(is_local(page) && is_local(browser) && with.is_empty()) {
            return Err(format!("{method} may only be answered here or refused"));
        }
        if !["target", "context", "browser", "host"].contains(&scope) {
            return Err(format!("{scope:?} is not a scope: use target, context, browser or host"));
        }
        let known = ["tab", "iframe", "worker", "shared_worker", "service_worker"];
        if let Some(kind) = also.split(',').find(|kind| !kind.is_empty() && !known.contains(kind)) {
            return Err(format!("{kind:?} is not a kind of target"));
        }
        if why.trim().is_empty() {
            return Err(format!("{method} has no text in column why"));
        }
        let on_page = self.decision(page, page_handler).map_err(|what| format!("{method} on a page: {what}"))?;
        let on_browser =
            self.decision(browser, browser_handler).map_err(|what| format!("{method} on a browser: {what}"))?;
        let with = self.with(with, [page, browser]).map_err(|what| format!("{method}, column with: {what}"))?;
        let row = format!("Row {{ page: {on_page}, browser: {on_browser}, with: &[{with}] }}");
        if self.rows.insert(method, row).is_some() {
            return Err(format!("{method} occurs twice"));
        }
        *self.domains.entry(domain).or_insert(true) &= scope == "target" && page == "pass";
        Ok(())
    }

    /// How a capability changes a row that is refused without it: `capability=verdict:handler;…`.
    fn with(&mut self, text: &'a str, verdicts: [&str; 2]) -> Result<String, String> {
        let mut code = Vec::new();
        for part in text.split(';').filter(|_| !text.is_empty()) {
            let Some((name, decision)) = part.split_once('=') else {
                return Err(format!("{part:?} is not capability=verdict:handler"));
            };
            let capability = capability(name)?;
            let refused = format!("refuse {name}");
            if !verdicts.contains(&refused.as_str()) {
                return Err(format!("{name} changes nothing: neither column says {refused:?}"));
            }
            let (verdict, handler) = decision.split_once(':').unwrap_or((decision, ""));
            if verdict == "refuse" || verdict.starts_with("refuse ") || verdict == "not-found" {
                return Err(format!("{name} must allow something: {verdict:?} does not"));
            }
            let entry = format!("({capability}, {})", self.decision(verdict, handler)?);
            if code.contains(&entry) || code.iter().any(|other: &String| other.starts_with(&format!("({capability},")))
            {
                return Err(format!("{name} occurs twice"));
            }
            code.push(entry);
        }
        Ok(code.join(", "))
    }

    /// A verdict and its handler.
    fn decision(&mut self, verdict: &str, name: &'a str) -> Result<String, String> {
        let (verdict, own) = match verdict {
            "pass" => ("Verdict::Pass".to_owned(), Some("Handler::Pass".to_owned())),
            "not-found" => ("Verdict::NotFound".to_owned(), Some("Handler::NotFound".to_owned())),
            "inject-context" => ("Verdict::InjectContext".to_owned(), None),
            "own-only" => ("Verdict::OwnOnly".to_owned(), None),
            "virtualise" => ("Verdict::Virtualise".to_owned(), None),
            "sanitise" => ("Verdict::Sanitise".to_owned(), None),
            "answer-locally" => ("Verdict::AnswerLocally".to_owned(), None),
            _ => {
                let needs = match verdict.strip_prefix("refuse") {
                    Some("") => "None".to_owned(),
                    Some(name) if name.starts_with(' ') => format!("Some({})", capability(&name[1..])?),
                    _ => {
                        return Err(format!(
                            "{verdict:?} is not a verdict: use pass, inject-context, own-only, virtualise, sanitise, \
                             answer-locally, not-found, refuse or refuse CAPABILITY"
                        ));
                    }
                };
                let refusal = format!("Refuse(Refusal {{ needs: {needs} }})");
                (format!("Verdict::{refusal}"), Some(format!("Handler::{refusal}")))
            }
        };
        let handler = match (name, own) {
            ("", Some(own)) => own,
            ("", None) => return Err("the verdict needs a handler".to_owned()),
            (_, Some(own)) if own != "Handler::Pass" => {
                return Err(format!("handler {name:?} is given, but this verdict has none"));
            }
            _ => self.handler(name)?,
        };
        Ok(format!("Decision {{ verdict: {verdict}, handler: {handler} }}"))
    }

    fn handler(&mut self, name: &'a str) -> Result<String, String> {
        let (list, known) = match name.strip_prefix("check ") {
            Some(check) => ("CHECKS", CHECKS.contains(&check).then(|| format!("Check(Check::{})", variant(check)))),
            None => ("HANDLERS", HANDLERS.iter().any(|(known, _)| *known == name).then(|| variant(name))),
        };
        self.used.insert(name);
        known
            .map(|known| format!("Handler::{known}"))
            .ok_or_else(|| format!("{name:?} is not a handler; {list} in build.rs lists them"))
    }

    /// The handlers and checks that no row names.
    pub fn unused(&self) -> Vec<String> {
        let checks = CHECKS.iter().map(|check| format!("check {check}"));
        let all = HANDLERS.iter().map(|(name, _)| (*name).to_owned()).chain(checks);
        all.filter(|name| !self.used.contains(name.as_str())).collect()
    }

    /// The Rust code of the table.
    fn code(&self) -> String {
        let mut map = phf_codegen::Map::new();
        let mut domains = phf_codegen::Map::new();
        for (method, row) in &self.rows {
            match method.split_once('.') {
                Some((domain, WHOLE)) => domains.entry(domain, row.as_str()),
                _ => map.entry(*method, row.as_str()),
            };
        }
        let mut open = phf_codegen::Set::new();
        for (domain, _) in self.domains.iter().filter(|(_, open)| **open) {
            open.entry(*domain);
        }
        let mut handlers = String::new();
        for (name, doc) in HANDLERS {
            let _ = writeln!(handlers, "    /// {doc}\n    {},", variant(name));
        }
        let mut checks = String::new();
        for name in CHECKS {
            let _ = writeln!(checks, "    /// `{name}`\n    {},", variant(name));
        }
        format!(
            "/// The code that performs a decision. `HANDLERS` in `build.rs` lists the names for rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {{
    /// Sends the command to Chrome unchanged.
    Pass,
    /// Answers as for a method that Chrome does not know.
    NotFound,
    /// Answers with an error.
    Refuse(Refusal),
    /// Sends the command to Chrome after a check of its arguments.
    Check(Check),
{handlers}}}

/// A rule for the arguments of a page-level command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {{
{checks}}}

#[allow(clippy::unreadable_literal)]
static ROWS: phf::Map<&str, Row> = {};
/// Domains with a row for every method that has none of its own.
#[allow(clippy::unreadable_literal)]
static DOMAINS: phf::Map<&str, Row> = {};
/// Domains whose methods affect only their own target.
#[allow(clippy::unreadable_literal)]
static OPEN_DOMAINS: phf::Set<&str> = {};
",
            map.build(),
            domains.build(),
            open.build()
        )
    }
}

fn capability(name: &str) -> Result<String, String> {
    let variant = CAPABILITIES.iter().find(|(known, _)| *known == name).map(|(_, variant)| variant);
    variant.map(|variant| format!("Capability::{variant}")).ok_or_else(|| {
        let known: Vec<&str> = CAPABILITIES.iter().map(|(known, _)| *known).collect();
        format!("{name:?} is not a capability: use {}", known.join(", "))
    })
}

/// The variant of a name: `get_targets` is `GetTargets`.
fn variant(name: &str) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    name.split('_').map(capital).collect()
}

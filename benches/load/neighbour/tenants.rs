//! The cost of a greedy tenant for a client of another tenant, on one server with the limits of [`LIMITS`]: in a Chrome
//! that both share, and with a Chrome of its own for the greedy one.
//!
//! The other client is measured alone first, and then beside the greedy tenant.

use std::{
    fmt::Write as _,
    fs, io,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ghostmux::tenant::{
    Secret,
    token::{self, TokenHash},
};
use serde_json::json;
use tempfile::TempDir;

use super::{
    super::{
        cdp::Root,
        clones::site,
        sides::{Endpoint, Proxy},
        table::{Budget, Row, Section, percentile},
    },
    Act, Greedy, SETTLE, Waits,
    acts::{act, joined, refusals},
    beside, command, shortened,
};

/// The title of the section.
pub(crate) const TITLE: &str = "A greedy tenant";
/// The limits of the greedy tenant.
const LIMITS: &str = "max_sessions = 5, sessions_per_minute = 60, pages_per_session = 20, cdp_sessions_per_session = 200, \
                      commands_per_second = 1000, bytes_per_second = \"8MiB\"";
/// The goal: the other client waits at most this many times as long as alone, or this many milliseconds more.
const TIMES: f64 = 2.0;
const MORE: f64 = 50.0;
/// The acts that limits per second slow down, so that others do not feel them in the same Chrome either.
const PACED: [&str; 2] = ["tenant-commands", "tenant-bytes"];
/// The act without a goal, which is measured only with a Chrome of its own for the greedy tenant.
const BURNING: &str = "tenant-burning";
/// Its pages.
const BURNING_PAGES: usize = 50;
/// Sessions of the greedy tenant.
const SESSIONS: usize = 4;
/// The pause between connections of the other client.
const EVERY: Duration = Duration::from_millis(150);

/// The acts of a greedy tenant, within its limits, in the order of the table.
pub(crate) const ACTS: [Act; 8] = [
    act("tenant-commands", "four sessions send commands as fast as they are taken", commands),
    act("tenant-bytes", "four sessions send commands of 256 KiB", bytes),
    act("tenant-frames", "commands of 32 MiB, one after another", frames),
    act("tenant-results", "two sessions read results of 20 MB", results),
    act("tenant-unread", "four sessions let their pages log, and do not read", unread),
    act("tenant-sessions", "eight clients connect and leave all the time; most are refused", sessions),
    act("tenant-pages", "four sessions open and close 20 pages each, all the time", pages),
    act("tenant-burning", "50 pages run `while (true);`", burn),
];

/// A server with a greedy tenant and another one.
struct Server {
    proxy: Proxy,
    greedy: Endpoint,
    other: Endpoint,
    _directory: TempDir,
}

impl Server {
    /// `sharing` says who may be in a Chrome with the greedy tenant.
    fn start(settings: &[String], sharing: &str) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let tokens: [Secret; 2] = [token::generate(), token::generate()];
        let mut text = String::new();
        let limits = [format!("{{ {LIMITS}, sharing = \"{sharing}\" }}"), "{}".to_owned()];
        for ((name, limits), token) in ["greedy", "other"].into_iter().zip(limits).zip(&tokens) {
            let hash = TokenHash::of(token.reveal()).to_hex();
            let _ = write!(
                text,
                "[tenants.{name}]\ncapabilities = [\"private-network\"]\nlimits = {limits}\n[[tenants.{name}.tokens]]\nname = \"bench\"\nsha256 = \"{hash}\"\n"
            );
        }
        let file = directory.path().join("tenants.toml");
        fs::write(&file, text)?;
        let tenants = format!("--tenants={}", file.display());
        // The second Chrome is started although the machine is busy.
        let own = ["--min-browsers=1", "--max-browsers=2", "--memory-limit=0", "--cpu-limit=0", &tenants];
        let proxy = Proxy::start(&own.into_iter().chain(settings.iter().map(String::as_str)).collect::<Vec<_>>())?;
        let [greedy, other] = tokens.map(|token| proxy.endpoint.at(&format!("/?token={}", token.reveal())));
        Ok(Self { proxy, greedy, other, _directory: directory })
    }
}

/// What the other client waits for.
struct Measured {
    waits: Waits,
    /// The times from the connection to the first answer of a page.
    connects: Vec<f64>,
}

/// Measures these rows, or all.
pub(crate) fn tenants(settings: &[String], wanted: &[String], small: bool) -> io::Result<Section> {
    let mut section = Section::new(TITLE, "alone").with_ours("beside it");
    section.note(format!(
        "A client of one tenant repeats a small `Runtime.evaluate` on its page and, in `tenant-sessions`, another one \
         connects again and again. *Alone* is while the other tenant does nothing, *beside it* while that tenant does what \
         the row says for eight seconds, within these limits: `{LIMITS}`. The figures are the 99th percentile of the waits \
         as if the client asked every 10 ms, and the 90th percentile of the times from the connection to the first answer \
         of a page. First both tenants are in one Chrome, then the greedy one has a Chrome of its own (`sharing = \
         \"tenant\"`)."
    ));
    section.note(format!(
        "With a Chrome of its own for the greedy tenant, and for commands and bytes also in a shared one, the goal is at \
         most {TIMES} times the wait alone, or at most {MORE} ms more. The other rows have no goal: a Chrome has one thread \
         for the pages and the messages of all its sessions, and how the processors are shared among processes \
         (`tenant-burning`) is the operating system's business."
    ));
    let site = site()?;
    let mut notes = Vec::new();
    let acts = ACTS.iter().filter(|act| wanted.is_empty() || wanted.iter().any(|name| name == act.name));
    let ways = |act| ["all", "tenant"].map(|sharing| (act, sharing));
    for (act, sharing) in acts.flat_map(ways).filter(|(act, sharing)| act.name != BURNING || *sharing == "tenant") {
        let from = Instant::now();
        let server = Server::start(settings, sharing)?;
        thread::sleep(SETTLE);
        let has_connects = act.name == "tenant-sessions";
        let with = |run: fn(&Greedy<'_>) -> io::Result<String>| {
            let greedy = Greedy { endpoint: &server.greedy, site, small, begun: Mutex::new(Instant::now()) };
            measure(&greedy, &server.other, has_connects, run)
        };
        let (alone, greedy) = (with(idle)?, with(act.run)?);
        let what = match sharing {
            "all" => act.what.to_owned(),
            _ if act.name == BURNING => format!("{}, in a Chrome of its own", act.what),
            _ => "… in a Chrome of its own".to_owned(),
        };
        let has_goal = if sharing == "all" { PACED.contains(&act.name) } else { act.name != BURNING };
        let budget = if has_goal { Budget::AtMostTimesOrMore(TIMES, MORE) } else { Budget::None };
        let row = |what: String, alone, greedy| Row::both(what, "ms", &[(alone, greedy)], budget);
        section.push(row(format!("`{}`: {what}", act.name), alone.waits.p99, greedy.waits.p99));
        if has_connects {
            let of = |measured: &Measured| percentile(measured.connects.clone(), 0.9);
            section.push(row(format!("… `{}`, to connect", act.name), of(&alone), of(&greedy)));
        }
        let said = joined(&[alone.waits.said, greedy.waits.said]);
        #[expect(clippy::print_stderr, reason = "a long run shows how far it is")]
        {
            eprintln!(
                "{} ({sharing}): {:.1} ms, alone {:.1} ms; worst {:.0} and {:.0} ms ({} s, {} Chromes; {said})",
                act.name,
                greedy.waits.p99,
                alone.waits.p99,
                greedy.waits.worst,
                alone.waits.worst,
                from.elapsed().as_secs(),
                server.proxy.chromes(),
            );
        }
        if !said.is_empty() {
            notes.push(format!("- `{}`, `sharing = \"{sharing}\"`: {said}", act.name));
        }
    }
    if !notes.is_empty() {
        section.note(format!(
            "What the greedy tenant was refused, and acts that were not completed:\n\n{}",
            notes.join("\n")
        ));
    }
    Ok(section)
}

/// Measures the other client while the greedy one acts.
fn measure(
    greedy: &Greedy<'_>,
    other: &Endpoint,
    has_connects: bool,
    run: fn(&Greedy<'_>) -> io::Result<String>,
) -> io::Result<Measured> {
    let mut client = other.page()?;
    for _ in 0..20 {
        client.evaluate("1")?;
    }
    let connects = Mutex::new(Vec::new());
    let waits = beside(&mut client, greedy, |greedy| {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            if has_connects {
                scope.spawn(|| {
                    while !over.load(Ordering::Acquire) {
                        // As long as the act is being prepared, it counts too: it is less than a second.
                        let took = other.first_page().map_or(f64::INFINITY, |(took, _)| took.as_secs_f64() * 1e3);
                        connects.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(took);
                        thread::sleep(EVERY);
                    }
                });
            }
            let said = run(greedy);
            over.store(true, Ordering::Release);
            said
        })
    })?;
    Ok(Measured { waits, connects: connects.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) })
}

/// When an act ends that goes on all the time.
fn end(greedy: &Greedy<'_>) -> Instant {
    Instant::now() + if greedy.small { Duration::from_millis(500) } else { Duration::from_secs(8) }
}

#[expect(clippy::unnecessary_wraps, reason = "it is in the place of an act")]
fn idle(greedy: &Greedy<'_>) -> io::Result<String> {
    greedy.begin();
    thread::sleep(if greedy.small { Duration::from_millis(500) } else { Duration::from_secs(4) });
    Ok(String::new())
}

/// Opens this many sessions, and repeats the same in each at once until the act ends.
fn in_sessions(
    greedy: &Greedy<'_>,
    count: usize,
    each: impl Fn(&mut Root, &str, Instant) -> io::Result<String> + Sync,
) -> io::Result<String> {
    let opened = (0..count).map(|_| greedy.open_page()).collect::<io::Result<Vec<_>>>()?;
    greedy.begin();
    let until = end(greedy);
    let said = thread::scope(|scope| {
        let all: Vec<_> = opened
            .into_iter()
            .map(|(mut root, page)| {
                let each = &each;
                scope.spawn(move || each(&mut root, &page, until).unwrap_or_else(|error| shortened(&error.to_string())))
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap_or_else(|_| "a thread panicked".to_owned())).collect::<Vec<_>>()
    });
    Ok(said.into_iter().find(|said| !said.is_empty()).unwrap_or_default())
}

/// Sends the same command again and again, this many at once; returns the first refusal.
fn repeatedly(root: &mut Root, page: &str, at_once: usize, expression: &str, until: Instant) -> io::Result<String> {
    let params = json!({ "expression": expression, "returnByValue": true });
    let text = params.to_string();
    let mut said = String::new();
    while Instant::now() < until {
        let burst = root.burst(at_once, at_once, Greedy::until(), |id, _| {
            super::super::cdp::command(id, "Runtime.evaluate", &text, Some(page))
        })?;
        if said.is_empty() {
            said = refusals("Runtime.evaluate", &burst);
        }
    }
    Ok(said)
}

fn commands(greedy: &Greedy<'_>) -> io::Result<String> {
    in_sessions(greedy, SESSIONS, |root, page, until| repeatedly(root, page, 250, "1", until))
}

fn bytes(greedy: &Greedy<'_>) -> io::Result<String> {
    let expression = format!("/*{}*/ 1", "x".repeat(256 << 10));
    in_sessions(greedy, SESSIONS, |root, page, until| repeatedly(root, page, 8, &expression, until))
}

fn frames(greedy: &Greedy<'_>) -> io::Result<String> {
    let expression = format!("/*{}*/ 1", "x".repeat(greedy.size(32 << 20)));
    in_sessions(greedy, 1, |root, page, until| repeatedly(root, page, 1, &expression, until))
}

fn results(greedy: &Greedy<'_>) -> io::Result<String> {
    let expression = format!("'x'.repeat({})", greedy.size(20_000_000));
    in_sessions(greedy, 2, |root, page, until| repeatedly(root, page, 1, &expression, until))
}

fn unread(greedy: &Greedy<'_>) -> io::Result<String> {
    in_sessions(greedy, SESSIONS, |root, page, until| {
        root.call_on(page, "Runtime.enable", &json!({}))?;
        let flood = "{ const line = 'x'.repeat(2000);
            const some = () => { for (let i = 0; i < 200; i++) console.log(line); setTimeout(some) }
            some() }";
        let text = command(1_000_000, "Runtime.evaluate", &json!({ "expression": flood }), Some(page));
        root.ws().send(text.as_bytes())?;
        thread::sleep(until.saturating_duration_since(Instant::now()));
        Ok(String::new())
    })
}

#[expect(clippy::unnecessary_wraps, reason = "it is an act")]
fn sessions(greedy: &Greedy<'_>) -> io::Result<String> {
    greedy.begin();
    let until = end(greedy);
    let (opened, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while Instant::now() < until {
                    let count = if greedy.endpoint.page().is_ok() { &opened } else { &refused };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    Ok(format!("{} sessions were opened, {} refused", opened.into_inner(), refused.into_inner()))
}

fn pages(greedy: &Greedy<'_>) -> io::Result<String> {
    let url = format!("http://{}/", greedy.site);
    // The page that a session begins with is one of the 20, and so is the one of `open_page`.
    let count = greedy.size(18);
    in_sessions(greedy, SESSIONS, |root, _, until| {
        let mut said = String::new();
        let open = json!({ "url": url }).to_string();
        while Instant::now() < until {
            let opened = root.burst(count, count, Greedy::until(), |id, _| {
                super::super::cdp::command(id, "Target.createTarget", &open, None)
            })?;
            if said.is_empty() {
                said = refusals("Target.createTarget", &opened);
            }
            let targets = opened.results;
            root.burst(targets.len(), targets.len(), Greedy::until(), |id, at| {
                command(id, "Target.closeTarget", &json!({ "targetId": targets[at]["targetId"] }), None)
            })?;
        }
        Ok(said)
    })
}

fn burn(greedy: &Greedy<'_>) -> io::Result<String> {
    let all = if greedy.small { 4 } else { BURNING_PAGES };
    let url = format!("http://{}/", greedy.site);
    let mut roots = Vec::new();
    let mut left = all;
    while left > 0 {
        let (mut root, context) = greedy.open()?;
        // One page of the 20 is there already.
        let now = left.min(19);
        let pages = Greedy::attach_all(&mut root, &context, now, &url)?;
        left -= now;
        roots.push((root, pages));
    }
    greedy.begin();
    for (root, pages) in &mut roots {
        for (id, page) in (1_000_000..).zip(pages) {
            let text = command(id, "Runtime.evaluate", &json!({ "expression": "while (true);" }), Some(page));
            root.ws().send(text.as_bytes())?;
        }
    }
    thread::sleep(end(greedy).saturating_duration_since(Instant::now()));
    Ok(String::new())
}

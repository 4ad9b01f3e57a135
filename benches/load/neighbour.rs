//! The cost of a greedy neighbour: how long a client waits for a small reply while another one uses
//! as many resources as it can, with one proxy; compared with the same two clients in one plain
//! Chrome.
//!
//! Each row has its own Chrome and proxy, so that it can be measured alone and does not affect the
//! next.

mod acts;
mod http;
mod on_page;
mod tenants;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ghostmux::browser::find::Found;
use serde_json::{Value, json};

use super::{
    cdp::{Page, Root, text},
    clones::site,
    sides::{Chrome, Endpoint, Proxy, Side},
    table::{Budget, Row, Section, percentile},
};

pub(crate) use self::{
    acts::ACTS,
    tenants::{ACTS as OF_TENANTS, TITLE as TENANTS, tenants},
};

/// The title of the section.
pub(crate) const TITLE: &str = "A greedy neighbour";

/// How much longer a client may wait than beside the same act in a plain Chrome, in milliseconds.
const GOAL: f64 = 250.0;
/// Chrome is busy for a moment after its start.
const SETTLE: Duration = Duration::from_secs(1);
/// The interval of the victim's requests.
const EVERY: Duration = Duration::from_millis(5);
/// How long the victim is measured after the greedy client has ended: the work that it left counts
/// too.
const AFTER: Duration = Duration::from_millis(1500);
/// Time limit of an act.
const LONGEST: Duration = Duration::from_secs(75);
/// The largest part of a refusal that is printed, in characters.
const SHOWN: usize = 110;

/// An act of a greedy client.
pub(crate) struct Act {
    /// The name that selects it.
    pub(crate) name: &'static str,
    /// Its description.
    pub(crate) what: &'static str,
    pub(crate) run: fn(&Greedy<'_>) -> io::Result<String>,
}

/// The environment of an act.
pub(crate) struct Greedy<'a> {
    pub(crate) endpoint: &'a Endpoint,
    /// A small site on this machine.
    site: SocketAddr,
    /// Whether the sizes are reduced, to check only that the act works.
    small: bool,
    /// The time at which the measured part begins; what comes before is preparation.
    begun: Mutex<Instant>,
}

impl Greedy<'_> {
    fn proxied(&self) -> bool {
        self.endpoint.side() == Side::Proxied
    }

    /// This number, or a fiftieth of it with reduced sizes.
    fn size(&self, full: usize) -> usize {
        if self.small { (full / 50).max(2) } else { full }
    }

    /// Begins the measured part.
    fn begin(&self) {
        *self.begun.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
    }

    fn until() -> Instant {
        Instant::now() + LONGEST
    }

    /// A connection with a context of its own, which is disposed of with the connection.
    fn open(&self) -> io::Result<(Root, String)> {
        let mut root = self.endpoint.connect()?;
        let made = root.call("Target.createBrowserContext", &json!({ "disposeOnDetach": true }))?;
        Ok((root, text(&made["browserContextId"])?))
    }

    /// As [`Greedy::open`], with a blank page and the id of its CDP session.
    fn open_page(&self) -> io::Result<(Root, String)> {
        let (mut root, context) = self.open()?;
        let session = Self::attach_all(&mut root, &context, 1, "about:blank")?.remove(0);
        Ok((root, session))
    }

    /// Opens this many pages; returns their targets.
    fn pages(root: &mut Root, context: &str, count: usize, url: &str) -> io::Result<Vec<String>> {
        let params = json!({ "url": url, "browserContextId": context });
        let made =
            root.burst(count, count, Self::until(), |id, _| command(id, "Target.createTarget", &params, None))?;
        made.results.iter().map(|result| text(&result["targetId"])).collect()
    }

    /// Opens this many pages; returns their CDP sessions.
    fn attach_all(root: &mut Root, context: &str, count: usize, url: &str) -> io::Result<Vec<String>> {
        let targets = Self::pages(root, context, count, url)?;
        let attached = root.burst(targets.len(), targets.len(), Self::until(), |id, at| {
            command(id, "Target.attachToTarget", &json!({ "targetId": targets[at], "flatten": true }), None)
        })?;
        attached.results.iter().map(|result| text(&result["sessionId"])).collect()
    }
}

fn command(id: i32, method: &str, params: &Value, session: Option<&str>) -> String {
    super::cdp::command(id, method, &params.to_string(), session)
}

/// The waiting times of the victim.
struct Waits {
    worst: f64,
    /// As if it had sent a request every 10 ms, answered or not.
    p99: f64,
    /// The outcome of the act.
    said: String,
}

/// Measures these rows, or all.
pub(crate) fn neighbour(found: &Found, settings: &[String], wanted: &[String], small: bool) -> io::Result<Section> {
    let mut section = Section::new(TITLE, "in a plain Chrome");
    section.note(
        "A client repeats a small `Runtime.evaluate` on its page while another client performs the act. The figures \
         are the longest wait for a reply, and the 99th percentile of the waits as if it asked every 10 ms; for \
         comparison, the same with two clients connected to one plain Chrome.",
    );
    section.note(format!(
        "The goal is at most {GOAL} ms more than in a plain Chrome. If a plain Chrome has no such act, the comparison \
         is the most similar act, or a client that is alone in the Chrome; the row states which."
    ));
    let site = site()?;
    let mut notes = Vec::new();
    for act in ACTS.iter().filter(|act| wanted.is_empty() || wanted.iter().any(|name| name == act.name)) {
        let from = Instant::now();
        let bare = {
            let chrome = Chrome::start(found)?;
            measure(act, &chrome.endpoint, site, small)?
        };
        let ours = {
            let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
            let proxy = Proxy::start(&settings)?;
            measure(act, &proxy.endpoint, site, small)?
        };
        let row = |what: String, bare, ours| Row::both(what, "ms", &[(bare, ours)], Budget::AtMostMore(GOAL));
        section.push(row(format!("`{}`: {}", act.name, act.what), bare.worst, ours.worst));
        section.push(row(format!("… `{}`, 99th percentile", act.name), bare.p99, ours.p99));
        #[expect(clippy::print_stderr, reason = "a long run shows how far it is")]
        {
            eprintln!(
                "{}: {:.0} ms, plain {:.0} ms ({} s; plain: {}; ours: {})",
                act.name,
                ours.worst,
                bare.worst,
                from.elapsed().as_secs(),
                bare.said,
                ours.said
            );
        }
        if !ours.said.is_empty() {
            notes.push(format!("- `{}`: {}", act.name, ours.said));
        }
    }
    if !notes.is_empty() {
        section.note(format!(
            "Commands that the proxy refused, and acts that were not completed:\n\n{}",
            notes.join("\n")
        ));
    }
    Ok(section)
}

fn measure(act: &Act, endpoint: &Endpoint, site: SocketAddr, small: bool) -> io::Result<Waits> {
    thread::sleep(SETTLE);
    let mut victim = endpoint.page()?;
    for _ in 0..20 {
        victim.evaluate("1")?;
    }
    let greedy = Greedy { endpoint, site, small, begun: Mutex::new(Instant::now()) };
    beside(&mut victim, &greedy, act.run)
}

/// Measures the victim while the greedy client acts.
fn beside(
    victim: &mut Page,
    greedy: &Greedy<'_>,
    run: impl FnOnce(&Greedy<'_>) -> io::Result<String>,
) -> io::Result<Waits> {
    let over = AtomicBool::new(false);
    let (done, samples) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch(victim, &over));
        let done = run(greedy);
        over.store(true, Ordering::Release);
        (done, watching.join())
    });
    let begun = *greedy.begun.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (samples, lost) = samples.map_err(|_| io::Error::other("the victim panicked"))?;
    let mut waits = Vec::new();
    for (asked, waited) in samples {
        if asked + waited >= begun {
            // A client that had asked meanwhile would have waited for the rest of the time.
            let mut left = waited.as_secs_f64() * 1e3;
            loop {
                waits.push(left);
                left -= 10.0;
                if left <= 0.0 {
                    break;
                }
            }
        }
    }
    let worst = waits.iter().copied().fold(0.0, f64::max);
    let done = done.unwrap_or_else(|error| format!("ended early: {}", shortened(&error.to_string())));
    let lost = lost.map(|error| format!("the other client was lost: {}", shortened(&error.to_string())));
    let said =
        [lost.unwrap_or_default(), done].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
    Ok(Waits { worst, p99: percentile(waits, 0.99), said })
}

/// The time of a request, and how long the reply took.
type Sample = (Instant, Duration);

/// Measures the victim until the act is over; also returns the error if its connection was lost,
/// which counts as if there had been no reply for the whole time limit.
fn watch(victim: &mut Page, over: &AtomicBool) -> (Vec<Sample>, Option<io::Error>) {
    let mut samples = Vec::new();
    let mut last = None;
    loop {
        let asked = Instant::now();
        if let Err(error) = victim.evaluate("1") {
            samples.push((asked, LONGEST));
            return (samples, Some(error));
        }
        samples.push((asked, asked.elapsed()));
        if over.load(Ordering::Acquire) {
            let until = *last.get_or_insert_with(|| Instant::now() + AFTER);
            if Instant::now() > until {
                return (samples, None);
            }
        }
        thread::sleep(EVERY);
    }
}

fn shortened(text: &str) -> String {
    let text = text.replace(['\r', '\n'], " ");
    if text.chars().count() <= SHOWN { text } else { text.chars().take(SHOWN).chain(['…']).collect() }
}

//! The memory of all processes per blank session, which limits the sessions of a machine.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use super::{
    Bench,
    plot::{Kind, Plot},
    process::{Memory, tree_memory},
    sides::{Chrome, Endpoint},
    table::{Budget, Row, Section},
};

const SETTLE: Duration = Duration::from_secs(3);
/// The warm pool counts as settled if it did not change for this long.
const STEADY: Duration = Duration::from_secs(7);
/// Time limit until the warm leases of a burst are released.
const CALM: Duration = Duration::from_secs(90);

pub(crate) fn memory(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("Memory of all processes per blank session", "direct");
    section.note(
        "The memory of the proxy and of Chrome with all its processes, above that without sessions; each session has \
         evaluated once. Direct is a context and a page of a plain Chrome. Additional warm leases after a burst of \
         new sessions (at most ten times `--warm`, for some seconds) have been released before.",
    );
    let proxy = bench.start_proxy(&[])?;
    let chrome = Chrome::start(&bench.found)?;
    // The first page has one-time costs.
    drop((proxy.endpoint.first_page()?, chrome.endpoint.first_page()?));
    thread::sleep(SETTLE);
    let sides = [(chrome.pid(), &chrome.endpoint), (proxy.pid(), &proxy.endpoint)];
    let mut own = Memory::default();
    let mut groups = Vec::new();
    for sessions in [1, 10, 50] {
        let [direct, ours] = [per_session(sides[0], sessions)?, per_session(sides[1], sessions)?];
        let budget = if sessions == 1 { Budget::None } else { Budget::AtMost(11.0) };
        section.push(Row::both(
            format!("{sessions} sessions, private"),
            "MiB",
            &[(direct.private, ours.private)],
            budget,
        ));
        section.push(Row::both(
            format!("{sessions} sessions, proportional"),
            "MiB",
            &[(direct.pss, ours.pss)],
            Budget::None,
        ));
        let bars = vec![Some(direct.private), Some(ours.private)];
        groups.push((format!("{sessions} sessions"), bars));
        own = ours;
    }
    drop(chrome);
    let whole = Chrome::start(&bench.found)?;
    let (_, page) = whole.endpoint.first_page()?;
    thread::sleep(SETTLE);
    let all = tree_memory(&[whole.pid()]);
    let whole = [(all.pss / 1024.0, own.pss)];
    groups.push(("a whole Chrome for each".to_owned(), vec![Some(all.private / 1024.0), None]));
    section.plots.push(Plot {
        file: "memory.svg".to_owned(),
        title: "Private memory of all processes per blank session".to_owned(),
        axis: "MiB".to_owned(),
        series: ["without the proxy", "through the proxy"].map(str::to_owned).into(),
        kind: Kind::Bars { groups, mark: Some(11.0) },
    });
    section.push(Row::both("50 sessions, beside a whole Chrome each", "MiB", &whole, Budget::AtMostTimes(0.1)));
    drop(page);
    Ok(section)
}

/// MiB for each of this many sessions.
fn per_session((pid, endpoint): (u32, &Endpoint), sessions: u32) -> io::Result<Memory> {
    let (before, warm) = (tree_memory(&[pid]), endpoint.warm()?);
    let pages = (0..sessions).map(|_| endpoint.first_page()).collect::<io::Result<Vec<_>>>()?;
    calm(endpoint, warm)?;
    let after = tree_memory(&[pid]);
    drop(pages);
    calm(endpoint, warm)?;
    let each = |before: f64, after: f64| (after - before) / 1024.0 / f64::from(sessions);
    Ok(Memory { private: each(before.private, after.private), pss: each(before.pss, after.pss) })
}

/// Waits until there are as many warm leases as before, for longer than the pool needs to change
/// their number.
fn calm(endpoint: &Endpoint, warm: u32) -> io::Result<()> {
    let until = Instant::now() + CALM;
    let mut since = Instant::now();
    while since.elapsed() < STEADY {
        thread::sleep(Duration::from_millis(100));
        let now = endpoint.warm()?;
        if now != warm {
            since = Instant::now();
        }
        if since > until {
            return Err(io::Error::other(format!("there are {now} warm leases after {CALM:?}, and there were {warm}")));
        }
    }
    Ok(())
}

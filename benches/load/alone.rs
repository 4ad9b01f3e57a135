//! The proxy without Chrome: with a fake browser behind it, compared with nginx in front of the
//! same one.

use std::{collections::VecDeque, io, net::SocketAddr, thread, time::Duration};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;

use super::{
    Bench,
    cdp::{Page, command, text},
    fake,
    plot::{Kind, Plot},
    process::{cpu_seconds, memory},
    sides::{Nginx, Proxy},
    table::{Budget, Row, Section, median},
    ws::Ws,
};

/// A command of some 200 bytes.
const PARAMS: &str =
    r#"{"expression":"document.querySelector('main > article:nth-child(2)').textContent","returnByValue":true}"#;
/// The largest number of pending commands, one per session.
const IN_FLIGHT: usize = 100;
/// The time after which memory is measured.
const SETTLE: Duration = Duration::from_secs(2);

pub(crate) fn alone(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("The proxy alone: CPU per command of 200 B and its reply", "nginx");
    section.note(format!(
        "A fake browser is the upstream. One nginx process proxies the same frames to the same fake browser, with one \
         connection per client. At most {IN_FLIGHT} commands are pending, one per session, unless stated otherwise."
    ));
    raise_file_limit();
    let upstream = fake::start()?;
    let mut one = None;
    let mut groups = Vec::new();
    for (sessions, in_flight) in [(1, 1), (1, 32), (100, IN_FLIGHT), (1_000, IN_FLIGHT), (4_000, IN_FLIGHT)] {
        let count = if in_flight == 1 { 6_000 } else { 20_000 };
        let rounds = if bench.long { 10 } else { 4 };
        let proxy = bench.start_proxy(&[&format!("--browser-url=ws://{upstream}/devtools/browser/fake")])?;
        let default = Nginx::start(upstream, None)?;
        let large = Nginx::start(upstream, Some("64k"))?;
        let mut servers = vec![(proxy.pid(), open(&proxy, sessions)?, Vec::new())];
        for nginx in [&default, &large].into_iter().flatten() {
            // With 4,000 sessions the limit of open files is near, so only one nginx runs.
            if servers.len() == 1 || sessions <= 1_000 {
                servers.push((nginx.pid(), open_plain(nginx.address, sessions)?, Vec::new()));
            }
        }
        for round in 0..=rounds {
            for (pid, pages, costs) in &mut servers {
                let before = cpu_seconds(*pid);
                exchange(pages, in_flight, count)?;
                if round > 0 {
                    costs.push((cpu_seconds(*pid) - before) / count as f64 * 1e6);
                }
            }
        }
        let what = if in_flight == 1 || sessions > 1 {
            format!("{sessions} sessions")
        } else {
            format!("{sessions} session, {in_flight} under way")
        };
        let (ours, nginx) = servers.split_first().ok_or_else(|| io::Error::other("no server"))?;
        let cost = median(ours.2.clone());
        let limit = if sessions < 100 { 0.8 } else { 0.6 };
        let mut bars = vec![None, Some(cost), None];
        if nginx.is_empty() {
            section.push(Row::own(format!("{what} (no nginx here)"), "µs", cost, Budget::None));
        }
        let kinds = [("default buffers", 0), ("64 KiB buffers", 2)];
        for ((_, _, theirs), (buffers, place)) in nginx.iter().zip(kinds) {
            bars[place] = Some(median(theirs.clone()));
            let rounds: Vec<(f64, f64)> = theirs.iter().copied().zip(ours.2.iter().copied()).collect();
            section.push(Row::both(format!("{what}, nginx with {buffers}"), "µs", &rounds, Budget::AtMostTimes(limit)));
        }
        groups.push((what, bars));
        let first = *one.get_or_insert(cost);
        if sessions >= 1_000 {
            let mut row =
                Row::both(format!("{sessions} sessions beside one"), "µs", &[(first, cost)], Budget::AtMostTimes(1.2));
            row.beside = None;
            section.push(row);
        }
    }
    section.plots.push(Plot {
        file: "alone.svg".to_owned(),
        title: "The proxy alone: CPU per command of 200 B and its reply".to_owned(),
        axis: "microseconds of CPU".to_owned(),
        series: ["nginx, its default buffers", "ghostmux", "nginx, 64 KiB buffers"].map(str::to_owned).into(),
        kind: Kind::Bars { groups, mark: None },
    });
    Ok(section)
}

pub(crate) fn idle(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("Memory of the proxy per idle session", "");
    section.note(
        "Private memory above that of the proxy without sessions, with a fake browser; each session has its page \
         attached and got one reply. What 10 MB leave is measured 2 s later.",
    );
    raise_file_limit();
    let upstream = fake::start()?;
    for sessions in &[1, 50, 500] {
        let proxy = bench.start_proxy(&[&format!("--browser-url=ws://{upstream}/devtools/browser/fake")])?;
        // The first session includes one-time costs, and the first 10 MB enlarge the link's own
        // buffer.
        let fresh = memory(proxy.pid()).private;
        let mut first = open(&proxy, 1)?;
        move_much(&mut first)?;
        drop(first);
        thread::sleep(SETTLE);
        let before = memory(proxy.pid()).private;
        let per_session = || (memory(proxy.pid()).private - before) / f64::from(*sessions);
        let mut pages = open(&proxy, usize::try_from(*sessions).unwrap_or(1))?;
        exchange(&mut pages, 1, 1)?;
        thread::sleep(SETTLE);
        let budget = if *sessions == 1 { Budget::None } else { Budget::AtMost(25.0) };
        section.push(Row::own(format!("{sessions} connected"), "KiB", per_session(), budget));
        move_much(&mut pages)?;
        thread::sleep(SETTLE);
        section.push(Row::own(format!("{sessions} connected, after 10 MB each"), "KiB", per_session(), budget));
        drop(pages);
        thread::sleep(SETTLE);
        let left = memory(proxy.pid()).private - before;
        section.push(Row::own(format!("… all {sessions} gone again: what is left in all"), "KiB", left, Budget::None));
        let kept = before - fresh;
        section.push(Row::own("… what the first session's 10 MB left for good, in all", "KiB", kept, Budget::None));
    }
    Ok(section)
}

/// A result of 10 MB on each session.
fn move_much(pages: &mut [Page]) -> io::Result<()> {
    for page in pages {
        let command = page.command("Runtime.evaluate", r#"{"expression":"1","ignored":"reply:10000000"}"#, true);
        page.ws.send(command.as_bytes())?;
        page.reply()?;
        page.ws.forget();
    }
    Ok(())
}

/// Opens sessions of the proxy, each attached to its page.
fn open(proxy: &Proxy, count: usize) -> io::Result<Vec<Page>> {
    let open = |_| {
        let mut root = proxy.endpoint.connect()?;
        // The proxy answers this itself; for `Target.getTargets` the fake would list the targets of
        // all sessions.
        root.send("Target.setDiscoverTargets", &json!({ "discover": true }))?;
        loop {
            let created = root.event("Target.targetCreated")?;
            if created["targetInfo"]["type"] == "page" {
                return root.attach(&text(&created["targetInfo"]["targetId"])?);
            }
        }
    };
    (0..count).map(open).collect()
}

fn open_plain(address: SocketAddr, count: usize) -> io::Result<Vec<Page>> {
    (0..count).map(|number| Ok(Page::plain(Ws::connect(address, "/")?, format!("{number:032X}")))).collect()
}

/// Sends this many commands over all sessions in turn, one pending per session; with one session,
/// `in_flight` on it.
fn exchange(pages: &mut [Page], in_flight: usize, count: usize) -> io::Result<()> {
    let sessions = pages.len();
    let mut waiting = VecDeque::with_capacity(in_flight);
    for number in 0..count {
        if waiting.len() == in_flight
            && let Some(page) = waiting.pop_front()
        {
            receive(pages, page)?;
        }
        let page: &mut Page = &mut pages[number % sessions];
        page.ws.send(command(7, "Runtime.evaluate", PARAMS, Some(&page.session)).as_bytes())?;
        waiting.push_back(number % sessions);
    }
    waiting.into_iter().try_for_each(|page| receive(pages, page))
}

fn receive(pages: &mut [Page], page: usize) -> io::Result<()> {
    pages[page].ws.receive().map(|_| ())
}

/// Raises the limit of open files to what the system allows.
fn raise_file_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

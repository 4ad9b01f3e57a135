//! The pool of browsers: bursts of new sessions, a ramp of them, quick sessions, and how many share one browser.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Bench,
    cdp::{Root, text},
    clones::site,
    process::{cpu_seconds, tree_cpu, tree_memory},
    sides::{Chrome, Endpoint, Side},
    table::{Budget, Row, Section, median, percentile},
};

/// Sessions of a burst.
const BURST: usize = 50;
/// Sessions of the ramp, the pause between two, the pause of each between two pages, and the most browsers. Two cores serve
/// that: with all of them they load ten pages a second, of some twenty that are possible (see the table of sessions per
/// browser). A faster ramp measures how long an overloaded machine takes, and not how long a client waits for a place.
const RAMP: (usize, Duration, Duration, usize) = (40, Duration::from_millis(400), Duration::from_secs(4), 4);
/// Sessions that share browsers in the table of sessions per browser.
const SHARING: usize = 40;
/// The pause of each of them between two pages.
const THINKS: Duration = Duration::from_secs(1);
/// A pause in which browsers become quiet.
const QUIET: Duration = Duration::from_secs(2);
/// Time limit for warm leases and browsers to be there.
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) fn burst(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("A burst of 50 clients at once", "direct");
    section.note(
        "From the TCP connect to the first evaluated page; all stay connected until the last one is ready. Direct: 50 \
         contexts in one plain Chrome. Cold: `--warm 0`; warm: `--warm 50`, all of them ready; by default: `--warm 2`, the \
         first burst and the one after it. One browser each.",
    );
    let kinds: [(&str, &str, u32); 3] =
        [("cold (`--warm 0`)", "--warm=0", 0), ("warm (`--warm 50`)", "--warm=50", 50), ("default", "--warm=2", 2)];
    let rounds = if bench.long { 5 } else { 3 };
    let mut figures: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    let mut note = |what: String, direct: &[f64], ours: &[f64]| {
        for (name, part) in [("p50", 0.5), ("p99", 0.99), ("the last", 1.0)] {
            let pair = (percentile(direct.to_vec(), part), percentile(ours.to_vec(), part));
            let what = format!("{what}, {name}");
            match figures.iter_mut().find(|(known, _)| *known == what) {
                Some((_, pairs)) => pairs.push(pair),
                None => figures.push((what, vec![pair])),
            }
        }
    };
    let mut starts = Vec::new();
    for _ in 0..rounds {
        let direct = all_at_once(&bench.chrome.endpoint)?;
        thread::sleep(QUIET * 2);
        starts.push(started(bench)?);
        for (what, setting, warm) in kinds {
            let proxy = bench.start_proxy(&[setting, "--browsers=1", "--sessions-per-browser=100"])?;
            eventually("warm leases", || Ok(proxy.endpoint.warm()? >= warm))?;
            thread::sleep(QUIET);
            let name = if warm == 2 { "default, the first burst".to_owned() } else { what.to_owned() };
            note(name, &direct, &all_at_once(&proxy.endpoint)?);
            if warm == 2 {
                // The contexts of the first burst are gone, and the leases that it lacked are there.
                thread::sleep(QUIET * 2);
                note("default, the next burst".to_owned(), &direct, &all_at_once(&proxy.endpoint)?);
            }
        }
    }
    for (what, pairs) in &figures {
        section.push(Row::both(what.as_str(), "ms", pairs, Budget::None));
    }
    section.push(Row::other("for comparison: one Chrome started for one client", "ms", median(starts)));
    Ok(section)
}

/// Milliseconds until each of [`BURST`] clients has its first evaluated page.
fn all_at_once(endpoint: &Endpoint) -> io::Result<Vec<f64>> {
    let together = Arc::new(Barrier::new(BURST));
    let clients = (0..BURST).map(|_| {
        let (endpoint, together) = (endpoint.clone(), together.clone());
        thread::spawn(move || {
            together.wait();
            endpoint.first_page()
        })
    });
    let clients: Vec<_> = clients.collect();
    let ready = clients.into_iter().map(|client| joined(client.join()));
    // The pages are kept until all are there.
    let ready = ready.collect::<io::Result<Vec<_>>>()?;
    Ok(ready.iter().map(|(took, _)| took.as_secs_f64() * 1e3).collect())
}

/// Milliseconds from the start of a plain Chrome to its first evaluated page.
fn started(bench: &Bench) -> io::Result<f64> {
    let from = Instant::now();
    let chrome = Chrome::start(&bench.found)?;
    chrome.endpoint.first_page()?;
    Ok(from.elapsed().as_secs_f64() * 1e3)
}

pub(crate) fn ramp(bench: &Bench) -> io::Result<Section> {
    let (sessions, every, thinks, browsers) = RAMP;
    let mut section = Section::new("From one to four browsers under a ramp of sessions", "one Chrome's start");
    section.note(format!(
        "{sessions} clients, one every {} ms, each of which stays and loads a page every {} seconds; \
         `--sessions-per-browser 10 --max-browsers {browsers}`, limits of processor and memory off. The time is from the \
         TCP connect to the first evaluated page. No client waits for a browser to start: until it has, the others take \
         the session.",
        every.as_millis(),
        thinks.as_secs()
    ));
    let (site, most) = (site()?, format!("--max-browsers={browsers}"));
    let flags = ["--sessions-per-browser=10", &most, "--min-browsers=1", "--cpu-limit=0", "--memory-limit=0"];
    let (mut medians, mut longest, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..if bench.long { 5 } else { 3 } {
        // As busy as the machine is beside the ramp, the start of a browser takes longer than on its own.
        let start = started(bench)?;
        let proxy = bench.start_proxy(&flags)?;
        eventually("warm leases", || Ok(proxy.endpoint.warm()? >= 2))?;
        thread::sleep(QUIET);
        let until = Instant::now() + every * u32::try_from(sessions).unwrap_or(1) + QUIET;
        let mut clients = Vec::new();
        for _ in 0..sessions {
            let endpoint = proxy.endpoint.clone();
            clients.push(thread::spawn(move || {
                let (took, page) = endpoint.first_page()?;
                work(page.into_root(), site, thinks, until)?;
                io::Result::Ok(took.as_secs_f64() * 1e3)
            }));
            thread::sleep(every);
        }
        let started = eventually("four browsers", || Ok(proxy.chromes() >= browsers));
        counts.push(proxy.chromes() as f64);
        let times = clients.into_iter().map(|client| joined(client.join())).collect::<io::Result<Vec<_>>>()?;
        started?;
        medians.push((start, median(times.clone())));
        longest.push((start, percentile(times, 1.0)));
    }
    section.push(Row::both("connect to first evaluated page, p50", "ms", &medians, Budget::None));
    section.push(Row::both("the longest of all", "ms", &longest, Budget::AtMostTimes(1.0)));
    section.push(Row::own("browsers at the end", "", median(counts), Budget::None));
    Ok(section)
}

/// The parts of a quick session, in milliseconds.
type Quick = [f64; 5];

const PARTS: [&str; 5] = ["connect", "new page", "goto", "evaluate", "close"];

/// One measurement of quick sessions.
struct Served {
    per_second: f64,
    /// Medians.
    parts: Quick,
    /// CPU milliseconds per session, of all processes, and of the proxy alone.
    cpu: (f64, f64),
}

pub(crate) fn quick(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("Quick sessions: connect, new page, goto, evaluate, close", "direct");
    section.note(
        "Each client connects, creates a page, opens a page of a local site, evaluates once and closes, over and over. In \
         a plain Chrome it creates a context first and disposes of it at the end. A session of the proxy has a context and \
         a blank page, as a new Chrome has: `its own page` uses that one instead of a new one. CPU is that of Chrome with \
         all its processes, and of the proxy, until two seconds after the last session.",
    );
    let site = site()?;
    let cold = bench.start_proxy(&["--warm=0"])?;
    let sides = [
        (bench.chrome.pid(), &bench.chrome.endpoint, false),
        (bench.proxy.pid(), &bench.proxy.endpoint, false),
        (cold.pid(), &cold.endpoint, false),
        (bench.proxy.pid(), &bench.proxy.endpoint, true),
    ];
    let (rounds, length) = if bench.long { (7, Duration::from_secs(5)) } else { (3, Duration::from_secs(4)) };
    for clients in [1, 4, 8, 16] {
        let mut all: [Vec<Served>; 4] = Default::default();
        for _ in 0..rounds {
            for (served, (pid, endpoint, own_page)) in all.iter_mut().zip(sides) {
                served.push(serve(pid, endpoint, own_page, site, clients, length)?);
            }
        }
        let [direct, ours, cold, own] = &all;
        let both = |ours: &[Served], pick: &dyn Fn(&Served) -> f64| -> Vec<(f64, f64)> {
            direct.iter().zip(ours).map(|(direct, ours)| (pick(direct), pick(ours))).collect()
        };
        let rate = |served: &Served| served.per_second;
        section.push(Row::both(format!("{clients} at a time"), "/s", &both(ours, &rate), Budget::None));
        section.push(Row::both(format!("{clients} at a time, `--warm 0`"), "/s", &both(cold, &rate), Budget::None));
        section.push(Row::both(format!("{clients} at a time, its own page"), "/s", &both(own, &rate), Budget::None));
        for (at, name) in PARTS.iter().enumerate() {
            let pairs = both(ours, &|served| served.parts[at]);
            section.push(Row::both(format!("… {name}, p50"), "ms", &pairs, Budget::None));
        }
        let chrome = |served: &Served| served.cpu.0 - served.cpu.1;
        for (what, served) in [("", ours), (", `--warm 0`", cold), (", its own page", own)] {
            let what = format!("… CPU of Chrome per session{what}");
            section.push(Row::both(what, "ms", &both(served, &chrome), Budget::None));
        }
        let proxy = median(ours.iter().map(|served| served.cpu.1).collect());
        section.push(Row::own("… CPU of the proxy per session", "ms", proxy, Budget::None));
    }
    Ok(section)
}

fn serve(
    pid: u32,
    endpoint: &Endpoint,
    own_page: bool,
    site: SocketAddr,
    clients: usize,
    length: Duration,
) -> io::Result<Served> {
    let is_direct = endpoint.side() == Side::Direct;
    let proxy_cpu = || if is_direct { 0.0 } else { cpu_seconds(pid) };
    let (before, from) = ((tree_cpu(pid), proxy_cpu()), Instant::now());
    let done = over_and_over(endpoint, own_page, site, clients, length)?;
    let per_second = done.len() as f64 / from.elapsed().as_secs_f64();
    // What is left to be disposed of belongs to these sessions.
    thread::sleep(QUIET);
    let each = |seconds: f64| seconds * 1e3 / done.len() as f64;
    let cpu = (each(tree_cpu(pid) - before.0), each(proxy_cpu() - before.1));
    let parts = std::array::from_fn(|at| median(done.iter().map(|quick| quick[at]).collect()));
    Ok(Served { per_second, parts, cpu })
}

fn over_and_over(
    endpoint: &Endpoint,
    own_page: bool,
    site: SocketAddr,
    clients: usize,
    length: Duration,
) -> io::Result<Vec<Quick>> {
    let from = Instant::now();
    let clients: Vec<_> = (0..clients)
        .map(|_| {
            let endpoint = endpoint.clone();
            thread::spawn(move || {
                let mut done = Vec::new();
                while from.elapsed() < length {
                    done.push(one_quick(&endpoint, own_page, site)?);
                }
                io::Result::Ok(done)
            })
        })
        .collect();
    let done = clients.into_iter().map(|client| joined(client.join())).collect::<io::Result<Vec<_>>>()?;
    Ok(done.into_iter().flatten().collect())
}

fn one_quick(endpoint: &Endpoint, own_page: bool, site: SocketAddr) -> io::Result<Quick> {
    let mut quick = Quick::default();
    let mut since = Instant::now();
    let mut lap = |at: usize| {
        quick[at] = since.elapsed().as_secs_f64() * 1e3;
        since = Instant::now();
    };
    let is_direct = endpoint.side() == Side::Direct;
    let mut root = endpoint.connect()?;
    let mut params = json!({ "url": "about:blank" });
    if is_direct {
        params["browserContextId"] = root.call("Target.createBrowserContext", &json!({}))?["browserContextId"].take();
    }
    lap(0);
    let target = if own_page {
        let targets = root.call("Target.getTargets", &json!({}))?;
        let mut targets = targets["targetInfos"].as_array().into_iter().flatten();
        let page = targets.find(|info| info["type"] == "page");
        text(&page.ok_or_else(|| io::Error::other("a session without a page"))?["targetId"])?
    } else {
        text(&root.call("Target.createTarget", &params)?["targetId"])?
    };
    let session = attach(&mut root, &target)?;
    lap(1);
    goto(&mut root, &session, site)?;
    lap(2);
    evaluate(&mut root, &session, "document.title")?;
    lap(3);
    if is_direct {
        root.call("Target.disposeBrowserContext", &json!({ "browserContextId": params["browserContextId"] }))?;
    } else {
        root.call("Browser.close", &json!({}))?;
    }
    drop(root);
    lap(4);
    Ok(quick)
}

fn attach(root: &mut Root, target: &str) -> io::Result<String> {
    text(&root.call("Target.attachToTarget", &json!({ "targetId": target, "flatten": true }))?["sessionId"])
}

fn goto(root: &mut Root, session: &str, site: SocketAddr) -> io::Result<()> {
    let went = root.call_on(session, "Page.navigate", &json!({ "url": format!("http://{site}/") }))?;
    if let Some(error) = went.get("errorText") {
        return Err(io::Error::other(error.to_string()));
    }
    let loaded =
        "document.readyState === 'complete' || new Promise(done => addEventListener('load', () => done(true)))";
    evaluate(root, session, loaded).map(drop)
}

fn evaluate(root: &mut Root, session: &str, expression: &str) -> io::Result<Value> {
    let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
    root.call_on(session, "Runtime.evaluate", &params)
}

/// Opens a page of the site, over and over with this pause, until the time is over. Returns the milliseconds of each, and
/// of an evaluate after it.
fn work(
    (mut root, session): (Root, String),
    site: SocketAddr,
    thinks: Duration,
    until: Instant,
) -> io::Result<Vec<(f64, f64)>> {
    let mut done = Vec::new();
    while Instant::now() < until {
        let since = Instant::now();
        goto(&mut root, &session, site)?;
        let (loaded, loaded_at) = (since.elapsed(), Instant::now());
        evaluate(&mut root, &session, "document.title")?;
        done.push((loaded.as_secs_f64() * 1e3, loaded_at.elapsed().as_secs_f64() * 1e3));
        thread::sleep(thinks.saturating_sub(since.elapsed()));
    }
    Ok(done)
}

pub(crate) fn sharing(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("Sessions per browser", "one browser");
    section.note(format!(
        "{SHARING} sessions in all, each of which opens a page of a local site and evaluates once, every second; spread \
         over so many browsers that each has 5, 10, 20 or 40 of them. `one browser` is all {SHARING} in one, of the same \
         round. Memory is the private memory of the proxy and of all Chromes, divided by the number of sessions.",
    ));
    let site = site()?;
    let length = Duration::from_secs(if bench.long { 20 } else { 8 });
    let sizes = [40, 20, 10, 5];
    let mut figures: Vec<[Vec<(f64, f64)>; 4]> = sizes.iter().map(|_| Default::default()).collect();
    for _ in 0..if bench.long { 5 } else { 3 } {
        let mut one: Option<[f64; 4]> = None;
        for (number, figures) in sizes.iter().zip(&mut figures) {
            let these = shared(bench, *number, site, length)?;
            let one = *one.get_or_insert(these);
            for ((figure, one), this) in figures.iter_mut().zip(one).zip(these) {
                figure.push((one, this));
            }
        }
    }
    for (size, [loads, load, evaluate, memory]) in sizes.iter().zip(&figures) {
        section.push(Row::both(format!("{size} per browser: pages per second"), "/s", loads, Budget::None));
        section.push(Row::both("… load of a page, p99", "ms", load, Budget::None));
        section.push(Row::both("… evaluate, p99", "ms", evaluate, Budget::None));
        section.push(Row::both("… memory per session", "MiB", memory, Budget::None));
    }
    Ok(section)
}

/// Pages per second, the p99 of a load and of an evaluate in milliseconds, and MiB per session.
fn shared(bench: &Bench, number: usize, site: SocketAddr, length: Duration) -> io::Result<[f64; 4]> {
    let (browsers, per) = (format!("--browsers={}", SHARING / number), format!("--sessions-per-browser={number}"));
    let proxy = bench.start_proxy(&[&browsers, &per, "--warm=0"])?;
    let mut clients = Vec::new();
    for _ in 0..SHARING {
        clients.push(proxy.endpoint.first_page()?.1.into_root());
    }
    thread::sleep(QUIET);
    let (from, until) = (Instant::now(), Instant::now() + length);
    let clients: Vec<_> = (0_u32..)
        .zip(clients)
        .map(|(number, client)| {
            thread::spawn(move || {
                // Not all in the same moment.
                thread::sleep(THINKS * number / u32::try_from(SHARING).unwrap_or(1));
                work(client, site, THINKS, until)
            })
        })
        .collect();
    thread::sleep(length / 2);
    let memory = tree_memory(&[proxy.pid()]).private / 1024.0 / SHARING as f64;
    let done = clients.into_iter().map(|client| joined(client.join())).collect::<io::Result<Vec<_>>>()?;
    let took = from.elapsed().as_secs_f64();
    let done: Vec<(f64, f64)> = done.into_iter().flatten().collect();
    let part = |pick: fn(&(f64, f64)) -> f64| percentile(done.iter().map(pick).collect(), 0.99);
    Ok([done.len() as f64 / took, part(|done| done.0), part(|done| done.1), memory])
}

fn joined<T>(client: thread::Result<io::Result<T>>) -> io::Result<T> {
    client.map_err(|_| io::Error::other("a client panicked"))?
}

fn eventually(what: &str, mut is_so: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let until = Instant::now() + LONGEST;
    while !is_so()? {
        if Instant::now() > until {
            return Err(io::Error::other(format!("after {LONGEST:?} there are no {what}")));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

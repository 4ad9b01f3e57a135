//! Sessions: the time until the first reply, and sessions per second.

use std::{
    io,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use super::{
    Bench,
    plot::{Kind, Plot},
    sides::{Chrome, Endpoint, Proxy},
    table::{Budget, Row, Section, median, percentile},
};

/// Long enough to replace a warm lease and to dispose of the last session.
const SPACE: Duration = Duration::from_millis(200);
const BURST: usize = 20;

pub(crate) fn connect(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("Connect to first evaluated page", "direct");
    section.note(
        "From the TCP connect to the reply of the first `Runtime.evaluate`: upgrade, `Target.getTargets`, \
         `Target.attachToTarget`, `Runtime.evaluate`. In a plain Chrome the client creates a context and a page \
         instead of listing targets, because it needs them to be isolated.",
    );
    let cold = bench.start_proxy(&["--warm=0"])?;
    let rounds = if bench.long { 300 } else { 100 };
    let mut warm_rounds = Vec::new();
    let mut cold_rounds = Vec::new();
    for _ in 0..rounds {
        let direct = spaced(&bench.chrome.endpoint)?;
        let warm = spaced(&bench.proxy.endpoint)?;
        let cold = spaced(&cold.endpoint)?;
        warm_rounds.push((direct, warm));
        cold_rounds.push((direct, cold));
    }
    let tail = |rounds: &[(f64, f64)]| {
        let side = |pick: fn(&(f64, f64)) -> f64| percentile(rounds.iter().map(pick).collect(), 0.99);
        [(side(|round| round.0), side(|round| round.1))]
    };
    section.push(Row::both("warm, p50", "ms", &warm_rounds, Budget::AtMost(3.0)));
    section.push(Row::both("warm, p99", "ms", &tail(&warm_rounds), Budget::AtMost(25.0)));
    section.push(Row::both("cold (`--warm 0`), p50", "ms", &cold_rounds, Budget::None));
    section.push(Row::both("cold (`--warm 0`), p99", "ms", &tail(&cold_rounds), Budget::None));
    drop(cold);

    let mut medians = Vec::new();
    let mut lasts = Vec::new();
    for _ in 0..if bench.long { 10 } else { 3 } {
        let direct = burst(&bench.chrome.endpoint)?;
        thread::sleep(SPACE * 8);
        let ours = burst(&bench.proxy.endpoint)?;
        thread::sleep(SPACE * 8);
        medians.push((median(direct.clone()), median(ours.clone())));
        lasts.push((percentile(direct, 1.0), percentile(ours, 1.0)));
    }
    section.push(Row::both(format!("burst of {BURST}, p50"), "ms", &medians, Budget::None));
    section.push(Row::both(format!("burst of {BURST}, the last"), "ms", &lasts, Budget::None));

    let mut own = Vec::new();
    for _ in 0..if bench.long { 10 } else { 3 } {
        let from = Instant::now();
        let chrome = Chrome::start(&bench.found)?;
        chrome.endpoint.first_page()?;
        own.push(from.elapsed().as_secs_f64() * 1e3);
    }
    section.push(Row::other("for comparison: a Chrome started for it, p50", "ms", median(own.clone())));
    let side = |rounds: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| rounds.iter().map(pick).collect();
    let series: [Vec<f64>; 4] = [
        side(&cold_rounds, |round| round.0),
        side(&warm_rounds, |round| round.1),
        side(&cold_rounds, |round| round.1),
        own,
    ];
    section.plots.push(Plot {
        file: "connect.svg".to_owned(),
        title: "Connect to first evaluated page: share of the sessions that were ready".to_owned(),
        axis: "milliseconds".to_owned(),
        series: ["direct, a context made", "proxied, warm", "proxied, cold", "a Chrome started for it"]
            .map(str::to_owned)
            .into(),
        kind: Kind::Shares(series.into()),
    });
    Ok(section)
}

fn spaced(endpoint: &Endpoint) -> io::Result<f64> {
    let (took, page) = endpoint.first_page()?;
    drop(page);
    thread::sleep(SPACE);
    Ok(took.as_secs_f64() * 1e3)
}

/// Milliseconds of each of several clients that connect at once. All stay connected until the last
/// one is ready.
fn burst(endpoint: &Endpoint) -> io::Result<Vec<f64>> {
    let together = Arc::new(Barrier::new(BURST));
    let clients: Vec<_> = (0..BURST)
        .map(|_| {
            let (endpoint, together) = (endpoint.clone(), together.clone());
            thread::spawn(move || {
                together.wait();
                endpoint.first_page()
            })
        })
        .collect();
    let mut times = Vec::new();
    let mut pages = Vec::new();
    for client in clients {
        let (took, page) = client.join().map_err(|_| io::Error::other("a client panicked"))??;
        times.push(took.as_secs_f64() * 1e3);
        pages.push(page);
    }
    Ok(times)
}

/// The title of [`dedicated`].
pub(crate) const DEDICATED: &str = "Connect to first evaluated page in a browser of one's own";

/// A session with a browser of its own, beside a Chrome that is started for one client.
pub(crate) fn dedicated(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new(DEDICATED, "a Chrome started for it");
    section.note(
        "`isolation=dedicated`, from the TCP connect to the reply of the first `Runtime.evaluate`. With a spare browser the \
         next one is started after the connect; without one, the client waits for its start, as for a bare launch.",
    );
    let with_spare = bench.start_proxy(&["--dedicated-spares=1", "--cpu-limit=0"])?;
    let without = bench.start_proxy(&["--dedicated-spares=0"])?;
    let own = |proxy: &Proxy| {
        let (took, page) = proxy.endpoint.at("/?isolation=dedicated").first_page()?;
        drop(page);
        io::Result::Ok(took.as_secs_f64() * 1e3)
    };
    // The first one finds no spare browser.
    own(&with_spare)?;
    let (mut spare, mut cold) = (Vec::new(), Vec::new());
    let rounds = match (bench.small, bench.long) {
        (true, _) => 2,
        (false, true) => 40,
        (false, false) => 12,
    };
    for _ in 0..rounds {
        let from = Instant::now();
        let chrome = Chrome::start(&bench.found)?;
        chrome.endpoint.first_page()?;
        let launched = from.elapsed().as_secs_f64() * 1e3;
        drop(chrome);
        cold.push((launched, own(&without)?));
        while with_spare.endpoint.gauge("ghostmux_browsers_spare")? == 0 {
            thread::sleep(SPACE);
        }
        thread::sleep(SPACE);
        spare.push((launched, own(&with_spare)?));
    }
    section.push(Row::both("with a spare browser, p50", "ms", &spare, Budget::AtMost(150.0)));
    section.push(Row::both("without, p50", "ms", &cold, Budget::None));
    Ok(section)
}

pub(crate) fn sessions(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("Sessions per second", "direct");
    section.note("Each client connects, evaluates once on its page, disconnects, and connects again.");
    let (rounds, length) = if bench.long { (4, Duration::from_secs(5)) } else { (2, Duration::from_millis(1500)) };
    for clients in [1, 4, 8] {
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let direct = per_second(&bench.chrome.endpoint, clients, length)?;
            thread::sleep(SPACE * 4);
            let ours = per_second(&bench.proxy.endpoint, clients, length)?;
            thread::sleep(SPACE * 4);
            rates.push((direct, ours));
        }
        section.push(Row::both(format!("{clients} at a time"), "/s", &rates, Budget::None));
    }
    Ok(section)
}

fn per_second(endpoint: &Endpoint, clients: usize, length: Duration) -> io::Result<f64> {
    let from = Instant::now();
    let clients: Vec<_> = (0..clients)
        .map(|_| {
            let endpoint = endpoint.clone();
            thread::spawn(move || {
                let mut done = 0_u32;
                while from.elapsed() < length {
                    endpoint.first_page()?;
                    done += 1;
                }
                io::Result::Ok(done)
            })
        })
        .collect();
    let mut done = 0;
    for client in clients {
        done += client.join().map_err(|_| io::Error::other("a client panicked"))??;
    }
    Ok(f64::from(done) / from.elapsed().as_secs_f64())
}

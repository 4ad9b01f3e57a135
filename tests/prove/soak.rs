//! The soak: sessions of several kinds come and go while browsers are killed and recycled and sockets are dropped
//! half-way.
//!
//! Only sessions of a killed browser may end, with their close code and reason; nobody may wait longer than [`LONGEST`];
//! and when all clients are gone, nothing that they used may be left. A CSV of samples over time, and a picture of it, are
//! written beside the outcome.

#![allow(clippy::cast_precision_loss, reason = "counts, far below 2^52")]
#![allow(clippy::float_cmp, reason = "counts, which are whole numbers")]

mod chart;
mod client;
mod disturb;
mod samples;
mod visits;

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::Mutex,
    time::{Duration, Instant},
};

use futures_util::{future::join_all, join};
use serde_json::{Value, json};

use self::{
    client::End,
    samples::{Sample, Sampler},
    visits::Kind,
};
use crate::{
    browsers::Browser,
    options::Options,
    proxy::Proxy,
    random::Random,
    site::Site,
    verdict::{self, Outcome},
};

/// Clients at a time.
const VISITORS: usize = 6;
/// Browsers that run.
const BROWSERS: u64 = 2;
/// The time that a client may wait at most: to be let in, for the answer to a command or to a request.
const LONGEST: Duration = Duration::from_secs(30);
/// A run up to this long is a short one: browsers are killed more often, samples are taken more often.
const SHORT: u64 = 60;
/// Time limit until nothing is left of the clients: pauses between disposals, unused warm leases.
const SETTLES: Duration = Duration::from_secs(45);
/// What the proxy may keep at the end above what it had after warm-up, in MiB of anonymous memory.
const PROXY_GROWTH: f64 = 24.0;
/// The same for all Chromes, in MiB of proportional memory that is no file's.
const CHROME_GROWTH: f64 = 80.0;
/// The most faults that are told.
const FAULTS: usize = 40;

/// A browser that the soak has killed.
#[derive(Clone, Copy, Debug)]
struct Kill {
    browser: u64,
    at: Instant,
}

/// What all visitors share.
pub(crate) struct Stage {
    proxy: Proxy,
    site: Site,
    until: Mutex<Instant>,
    kills: Mutex<Vec<Kill>>,
    recycled: Mutex<Vec<u64>>,
    faults: Mutex<Vec<String>>,
    /// Visits that came to their end, by kind.
    visits: Mutex<BTreeMap<&'static str, u64>>,
    /// Visits that ended with a killed browser, by what the client was told.
    lost: Mutex<BTreeMap<String, u64>>,
    /// The longest waits in milliseconds, by what was waited for.
    waits: Mutex<BTreeMap<&'static str, f64>>,
}

impl Stage {
    async fn start(browser: &Browser) -> Self {
        let number = BROWSERS.to_string();
        let flags = [
            "--warm=1",
            // Parked sessions do not keep a recycled browser for longer.
            "--recycle-deadline=2s",
            // The machine may be busy with other work.
            "--memory-limit=0",
            "--cpu-limit=0",
            "--min-browsers",
            &number,
            "--max-browsers",
            &number,
        ];
        Self {
            proxy: Proxy::start(browser.clone(), &flags).await,
            site: Site::start().await,
            until: Mutex::new(Instant::now()),
            kills: Mutex::default(),
            recycled: Mutex::default(),
            faults: Mutex::default(),
            visits: Mutex::default(),
            lost: Mutex::default(),
            waits: Mutex::default(),
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= *self.until.lock().expect("no panic")
    }

    fn fault(&self, what: String) {
        let mut faults = self.faults.lock().expect("no panic");
        if faults.len() < FAULTS {
            faults.push(what);
        }
    }

    /// Notes how long somebody has waited.
    fn waited(&self, what: &'static str, since: Instant) {
        let took = since.elapsed();
        if took > LONGEST {
            self.fault(format!("{what} took {} ms; at most {} are allowed", took.as_millis(), LONGEST.as_millis()));
        }
        let mut waits = self.waits.lock().expect("no panic");
        let longest = waits.entry(what).or_default();
        *longest = longest.max(took.as_secs_f64() * 1e3);
    }

    fn killed(&self, browser: u64) -> Option<Instant> {
        self.kills.lock().expect("no panic").iter().find(|kill| kill.browser == browser).map(|kill| kill.at)
    }

    /// A visit did not come to its end. This is a fault unless its browser was killed and the client was told so.
    fn ended(&self, kind: Kind, end: &End) {
        let excused = if let Some(browser) = end.browser {
            self.killed(browser).is_some()
        } else {
            // It was to get a browser: one that was killed meanwhile.
            let kills = self.kills.lock().expect("no panic");
            kills.iter().any(|kill| kill.at + Duration::from_secs(1) >= end.since)
        };
        if excused && end.is_told() {
            *self.lost.lock().expect("no panic").entry(end.told()).or_default() += 1;
        } else {
            let browser = end.browser.map_or("an unknown browser".to_owned(), |browser| format!("browser {browser}"));
            let killed = if excused { "killed" } else { "not killed" };
            self.fault(format!("{}: {} failed in {browser}, {killed}: {}", kind.name(), end.what, end.why));
        }
    }

    /// Visits until the time is over.
    async fn visitor(&self, number: usize, seed: u64) {
        let mut random = Random::of(seed, &format!("visitor {number}"));
        while !self.is_over() {
            let kind = Kind::pick(&mut random);
            self.visit(kind, &mut random).await;
        }
    }

    async fn visit(&self, kind: Kind, random: &mut Random) {
        match visits::visit(self, kind, random).await {
            Ok(()) => *self.visits.lock().expect("no panic").entry(kind.name()).or_default() += 1,
            Err(end) => self.ended(kind, &end),
        }
    }
}

/// Runs the soak for the time of the options and returns its outcome.
pub(crate) async fn run(browser: &Browser, options: &Options) -> Outcome {
    let since = Instant::now();
    let seconds = options.seconds.unwrap_or(600);
    let stage = Stage::start(browser).await;
    // One of each kind, so that what is made once is there.
    join_all(Kind::ALL.map(async |kind| stage.visit(kind, &mut Random::of(options.seed, kind.name())).await)).await;
    let mut sampler = Sampler::new(&stage.proxy, since, if seconds > SHORT { 1000 } else { 250 });
    let start = settled(&stage, &mut sampler, None).await;
    let begun = Instant::now();
    *stage.until.lock().expect("no panic") = begun + Duration::from_secs(seconds);
    let visitors = join_all((0..VISITORS).map(|number| stage.visitor(number, options.seed)));
    let pace = if seconds > SHORT { 8_000 } else { 2_000 };
    let disturb = disturb::disturb(&stage, Random::of(options.seed, "disturbances"), pace);
    let say = |sample: &Sample| options.say(&sample.line());
    join!(visitors, disturb, sampler.watch(&stage, &say));
    let loaded = begun.elapsed();
    let end = settled(&stage, &mut sampler, Some(&start)).await;
    compare(&stage, &start, &end);
    let written = write(&sampler.csv());
    outcome(&stage, options, &Run { since, loaded, start, end, written }).await
}

/// A session that stays must be found.
pub(crate) async fn left_session_is_detected(browser: &Browser) {
    let stage = Stage::start(browser).await;
    let mut sampler = Sampler::new(&stage.proxy, Instant::now(), 250);
    let start = settled(&stage, &mut sampler, None).await;
    let _left = client::Client::open(&stage, "/").await.expect("a session");
    let mut end = sampler.take(&stage).await;
    compare(&stage, &start, &end);
    let faults = std::mem::take(&mut *stage.faults.lock().expect("no panic"));
    assert!(faults.iter().any(|fault| fault.starts_with("sessions:")), "{faults:?}");
    end.set("proxy_mib", start.get("proxy_mib") + PROXY_GROWTH + 1.0);
    compare(&stage, &start, &end);
    let faults = std::mem::take(&mut *stage.faults.lock().expect("no panic"));
    assert!(faults.iter().any(|fault| fault.starts_with("proxy_mib:")), "{faults:?}");
}

/// Waits until nothing is left of clients, or for [`SETTLES`]; returns the last sample.
async fn settled(stage: &Stage, sampler: &mut Sampler, start: Option<&Sample>) -> Sample {
    let until = Instant::now() + SETTLES;
    let mut calm = 0;
    loop {
        let sample = sampler.take(stage).await;
        let is_settled = match start {
            Some(start) => differences(start, &sample).is_empty(),
            None => samples::GONE.iter().all(|name| sample.get(name) == 0.0) && sample.get("warm") == BROWSERS as f64,
        };
        // The first sample must hold for a while, so that it is no moment between two disposals.
        calm = if is_settled { calm + 1 } else { 0 };
        if calm >= if start.is_some() { 1 } else { 4 } || Instant::now() > until {
            return sample;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// What is not back to its value at the start.
fn differences(start: &Sample, end: &Sample) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |name: &str, limit: f64, why: &str| {
        let value = end.get(name);
        if value > limit {
            found.push(format!("{name}: {value:.1} at the end, at most {limit:.1} is allowed{why}"));
        }
    };
    for name in samples::GONE {
        check(name, 0.0, "");
    }
    for name in samples::BACK {
        check(name, start.get(name), " (the value after warm-up)");
    }
    for (name, growth) in [("proxy_mib", PROXY_GROWTH), ("chrome_mib", CHROME_GROWTH)] {
        check(name, start.get(name) + growth, &format!(" ({growth} MiB above the value after warm-up)"));
    }
    for name in ["proxy_mib", "chrome_mib"] {
        if end.get(name) == 0.0 {
            found.push(format!("{name}: the system does not tell it"));
        }
    }
    if end.get("browsers") != BROWSERS as f64 {
        found.push(format!("browsers: {} at the end, {BROWSERS} are wanted", end.get("browsers")));
    }
    found
}

fn compare(stage: &Stage, start: &Sample, end: &Sample) {
    for difference in differences(start, end) {
        stage.fault(difference);
    }
}

struct Run {
    since: Instant,
    loaded: Duration,
    start: Sample,
    end: Sample,
    written: io::Result<PathBuf>,
}

async fn outcome(stage: &Stage, options: &Options, run: &Run) -> Outcome {
    for path in ["sessions", "snapshots"] {
        let answer = stage.proxy.http("GET", &format!("/v1/{path}"), &[], "").await.body;
        let left: Value = serde_json::from_str(&answer).unwrap_or_default();
        if left[path].as_array().is_none_or(|left| !left.is_empty()) {
            stage.fault(format!("{path} are left at the end: {answer}"));
        }
    }
    // What the pool found different from the browsers and has mended: it should have been right by itself.
    let metrics = stage.proxy.http("GET", "/metrics", &[], "").await.body;
    let found = metrics.lines().filter(|line| line.starts_with("ghostmux_pool_differences_total"));
    for line in found.filter(|line| !line.ends_with(" 0")) {
        stage.fault(format!("the pool mended a difference: {line}"));
    }
    let kills = stage.kills.lock().expect("no panic").len();
    let recycled = stage.recycled.lock().expect("no panic").len();
    let lost = stage.proxy.figure("browsers_lost_total").await;
    if lost != kills as u64 {
        stage.fault(format!("{lost} browsers were lost, and {kills} were killed"));
    }
    let visits = stage.visits.lock().expect("no panic").clone();
    if kills == 0 || recycled == 0 || visits.len() < Kind::ALL.len() {
        stage.fault(format!("the run was too short: {kills} kills, {recycled} recycled, {visits:?}"));
    }
    let served: u64 = visits.values().sum();
    let waits = stage.waits.lock().expect("no panic").clone();
    let waits: BTreeMap<_, _> = waits.iter().map(|(what, ms)| (*what, format!("{ms:.0} ms"))).collect();
    let written = match &run.written {
        Ok(path) => path.display().to_string(),
        Err(error) => error.to_string(),
    };
    let facts = json!({
        "seed": options.seed,
        "seconds under load": run.loaded.as_secs(),
        "visits": visits,
        "visits per second": format!("{:.1}", served as f64 / run.loaded.as_secs_f64()),
        "browsers killed": kills,
        "browsers recycled": recycled,
        "visits that ended with their browser": stage.lost.lock().expect("no panic").clone(),
        "longest waits": waits,
        "after warm-up": run.start.line(),
        "at the end": run.end.line(),
        "samples": written,
    });
    let version = stage.proxy.http("GET", "/json/version", &[], "").await.body;
    let version: Value = serde_json::from_str(&version).unwrap_or_default();
    let product = version["Browser"].as_str().unwrap_or("unknown").to_owned();
    let faults = stage.faults.lock().expect("no panic").clone();
    Outcome { proof: "soak", product, facts, faults, took: run.since.elapsed() }.with_log_of(&stage.proxy)
}

/// Writes the samples and their picture beside the proofs' outcomes.
fn write(csv: &str) -> io::Result<PathBuf> {
    let directory = verdict::directory();
    fs::create_dir_all(&directory)?;
    let path = directory.join("soak.csv");
    fs::write(&path, csv)?;
    fs::write(directory.join("soak.svg"), chart::svg(csv))?;
    Ok(path)
}

//! What the proxy and its Chromes hold, sampled over time.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::Stage;
use crate::proxy::Proxy;

/// The columns, in order; [`Sample`] has their values.
pub(crate) const COLUMNS: [&str; 19] = [
    "seconds",
    "sessions",
    "parked",
    "queued",
    "sockets",
    "browsers",
    "warm",
    "contexts",
    "targets",
    "cdp_sessions",
    "disposals",
    "processes",
    "fds",
    "files",
    "proxy_mib",
    "chrome_mib",
    "visits",
    "kills",
    "recycles",
];
/// Zero when no client is there.
pub(crate) const GONE: [&str; 5] = ["sessions", "parked", "queued", "sockets", "disposals"];
/// Not more at the end than after warm-up.
pub(crate) const BACK: [&str; 7] = ["warm", "contexts", "targets", "cdp_sessions", "processes", "fds", "files"];

/// The values of [`COLUMNS`] at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample([f64; COLUMNS.len()]);

impl Sample {
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.0[column(name)]
    }

    pub(crate) fn set(&mut self, name: &str, value: f64) {
        self.0[column(name)] = value;
    }

    /// The values with their names.
    pub(crate) fn line(&self) -> String {
        COLUMNS.iter().zip(self.0).fold(String::new(), |mut line, (name, value)| {
            let _ = write!(line, "{}{name} {}", if line.is_empty() { "" } else { ", " }, number(value));
            line
        })
    }
}

fn column(name: &str) -> usize {
    COLUMNS.iter().position(|column| *column == name).expect("a column")
}

fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    format!("{rounded}")
}

/// Takes samples and keeps them.
pub(crate) struct Sampler {
    since: Instant,
    interval: Duration,
    pid: u32,
    directory: PathBuf,
    samples: Vec<Sample>,
}

impl Sampler {
    /// One that watches this proxy, with this many milliseconds between two samples.
    pub(crate) fn new(proxy: &Proxy, since: Instant, interval: u64) -> Self {
        let (pid, directory) = (proxy.pid(), proxy.session_dir());
        Self { since, interval: Duration::from_millis(interval), pid, directory, samples: Vec::new() }
    }

    /// Samples until the visits are over.
    pub(crate) async fn watch(&mut self, stage: &Stage, say: &impl Fn(&Sample)) {
        let mut said = Instant::now();
        while !stage.is_over() {
            let sample = self.take(stage).await;
            if said.elapsed() > Duration::from_secs(20) {
                said = Instant::now();
                say(&sample);
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    /// Takes one.
    pub(crate) async fn take(&mut self, stage: &Stage) -> Sample {
        let metrics = stage.proxy.http("GET", "/metrics", &[], "").await.body;
        let figure = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix("ghostmux_")?.strip_prefix(name));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or(f64::NAN)
        };
        let (pid, directory) = (self.pid, self.directory.clone());
        let named = stage.proxy.browser_processes();
        // Some milliseconds: the visitors go on meanwhile.
        let held = tokio::task::spawn_blocking(move || Held::read(pid, named, &directory)).await.expect("no panic");
        let visits: u64 = stage.visits.lock().expect("no panic").values().sum();
        let sample = Sample([
            self.since.elapsed().as_secs_f64(),
            figure("sessions "),
            figure("sessions_parked "),
            figure("sessions_queued "),
            figure("views "),
            figure("browsers "),
            figure("sessions_warm "),
            figure("contexts "),
            figure("targets "),
            figure("cdp_sessions "),
            figure("disposals "),
            held.processes as f64,
            held.fds as f64,
            held.files as f64,
            held.proxy,
            held.chromes,
            visits as f64,
            stage.kills.lock().expect("no panic").len() as f64,
            stage.recycled.lock().expect("no panic").len() as f64,
        ]);
        self.samples.push(sample.clone());
        sample
    }

    /// All samples.
    pub(crate) fn csv(&self) -> String {
        let mut csv = format!("{}\n", COLUMNS.join(","));
        for Sample(values) in &self.samples {
            let values: Vec<String> = values.iter().map(|value| number(*value)).collect();
            let _ = writeln!(csv, "{}", values.join(","));
        }
        csv
    }
}

/// What the system knows.
struct Held {
    /// Processes below the proxy, and Chromes that it has lost.
    processes: usize,
    fds: usize,
    /// Entries of the directory of the sessions' files, and of those directly in it.
    files: usize,
    /// Memory of the proxy that is no file's (heap, stacks, data that it has changed), in MiB.
    ///
    /// Not its private memory: the pages of the program are private while no other process runs the same program, and
    /// shared while one does. *Measured:* 38 MiB of 51 for a debug build. When the other proofs, which run beside the
    /// soak, end their proxies, this one's private memory grows by them at once.
    proxy: f64,
    /// The same of all Chromes, with memory that several of their processes share, by their number: proportional, in MiB.
    chromes: f64,
}

impl Held {
    fn read(pid: u32, named: Vec<u32>, directory: &Path) -> Self {
        let mut chromes: BTreeSet<u32> = descendants(pid).into_iter().collect();
        chromes.extend(named);
        let count = |of: &Path| fs::read_dir(of).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        let own: Vec<PathBuf> = count(directory);
        let inner: usize = own.iter().map(|path| -> Vec<PathBuf> { count(path) }).map(|inside| inside.len()).sum();
        let descriptors: Vec<PathBuf> = count(Path::new(&format!("/proc/{pid}/fd")));
        Self {
            processes: chromes.len(),
            fds: descriptors.len(),
            files: own.len() + inner,
            proxy: memory(pid, &["Anonymous:", "Swap:"]),
            chromes: chromes.iter().map(|pid| memory(*pid, &["Pss_Anon:", "Pss_Shmem:", "SwapPss:"])).sum(),
        }
    }
}

/// The sum of these figures of a process, in MiB.
fn memory(pid: u32, names: &[&str]) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let sizes = rollup.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        names.contains(&words.next()?).then(|| words.next()?.parse::<f64>().ok())?
    });
    sizes.sum::<f64>() / 1024.0
}

fn descendants(root: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parents: Vec<(u32, u32)> = all
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?))
        })
        .collect();
    let mut found = vec![root];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

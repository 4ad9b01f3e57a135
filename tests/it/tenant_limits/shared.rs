//! Two processes on one Redis that is stopped, restarted without its data or with old data, and slow. Every start and every end is recorded;
//! the record is checked afterwards.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ghostmux::{
    config::{Config, RawConfig, SharedLimits},
    tenant::{
        LimitBook, Limits,
        limits::{LimitName, NoStart, Periods, StartPermit},
    },
};
use tokio::task::JoinHandle;

use crate::store::{owner, test_store::TestStore};

/// Short, so that the test is: the same proportions as those of the server.
const PERIODS: Periods = Periods {
    beat: Duration::from_millis(200),
    answer: Duration::from_millis(300),
    lease: Duration::from_secs(4),
    gap: Duration::from_secs(2),
    settle: Duration::from_millis(1500),
};

/// One session: from before the request to its admission, and when it ended; in microseconds.
#[derive(Clone, Copy)]
struct Held {
    asked: u64,
    from: u64,
    until: Option<u64>,
}

/// What happened in one process. What is told is also printed, for another one to read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(String, Held)>>>);

impl Log {
    fn started(&self, tenant: &str, asked: u64) -> usize {
        let held = Held { asked, from: now(), until: None };
        let mut all = self.0.lock().expect("no panic");
        println!("started {tenant} {asked} {}", held.from);
        all.push((tenant.to_owned(), held));
        all.len() - 1
    }

    fn ended(&self, at: usize) {
        let until = now();
        self.0.lock().expect("no panic")[at].1.until = Some(until);
        println!("ended {at} {until}");
    }

    /// Reads a line that another process printed.
    fn read(&self, line: &str) {
        let mut all = self.0.lock().expect("no panic");
        let number = |text: &str| text.parse::<u64>().expect("a number");
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["started", tenant, asked, from] => {
                all.push((tenant.to_owned(), Held { asked: number(asked), from: number(from), until: None }));
            }
            ["ended", at, until] => all[at.parse::<usize>().expect("a number")].1.until = Some(number(until)),
            // What the test harness says.
            _ => {}
        }
    }

    fn of(&self, wanted: &str) -> Vec<Held> {
        let all = self.0.lock().expect("no panic");
        all.iter().filter(|(tenant, _)| tenant == wanted).map(|(_, held)| *held).collect()
    }
}

/// The most sessions at one moment.
fn most_at_once(all: &[Held]) -> usize {
    let at = |moment: u64| {
        all.iter().filter(|held| held.from <= moment && held.until.is_none_or(|until| until > moment)).count()
    };
    all.iter().map(|held| at(held.from)).max().unwrap_or_default()
}

/// The largest excess of starts over a rate per minute, in any window.
fn most_beyond(all: &[Held], per_minute: f64) -> f64 {
    let mut all = all.to_vec();
    all.sort_by_key(|held| held.from);
    let mut worst = f64::MIN;
    for first in &all {
        // What was asked for after `asked` and admitted before `from` was admitted in this window.
        let mut within = 0.0;
        for last in all.iter().filter(|held| held.asked >= first.asked) {
            within += 1.0;
            let window = Duration::from_micros(last.from.saturating_sub(first.asked)).as_secs_f64() / 60.0;
            worst = f64::max(worst, within - per_minute * (1.0 + window));
        }
    }
    worst
}

#[test]
fn the_checks_find_what_is_too_much() {
    let held = |asked, from, until| Held { asked, from, until: Some(until) };
    assert_eq!(most_at_once(&[held(0, 1, 5), held(0, 2, 3), held(2, 3, 9)]), 2);
    let burst = vec![held(0, 1, 1); 7];
    assert!(most_beyond(&burst, 6.0) > 0.9 && most_beyond(&burst[1..], 6.0) <= 0.0);
}

/// One process: its limits, and the task that renews its leases.
struct Node {
    book: LimitBook,
    keeps: JoinHandle<()>,
}

impl Node {
    fn start(store: String, mode: SharedLimits) -> Self {
        let variables = [("GHOSTMUX_STORE", store), ("GHOSTMUX_SHARED_LIMITS", "fail-closed".to_owned())];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        let config = Config::load(RawConfig::default(), variables).expect("settings");
        let (url, _) = config.shared_limits().expect("a Redis");
        let book = LimitBook::shared(url, mode, PERIODS).expect("a URL");
        let keeps = tokio::spawn({
            let book = book.clone();
            async move { book.keep().await }
        });
        Self { book, keeps }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.keeps.abort();
    }
}

fn limits(sessions: u32, starts: u32) -> Limits {
    let some = |most| (most > 0).then_some(most);
    Limits { max_sessions: some(sessions), sessions_per_minute: some(starts), ..Limits::default() }
}

/// Starts sessions as fast as it can, each of which lasts `lasts`, until it is aborted.
fn greedy(node: &Node, tenant: &'static str, limits: Limits, lasts: Duration, log: &Log) -> JoinHandle<()> {
    let (book, log) = (node.book.clone(), log.clone());
    tokio::spawn(async move {
        loop {
            let asked = now();
            match book.start(&owner(tenant), &limits).await {
                Ok(start) => {
                    let at = log.started(tenant, asked);
                    tokio::time::sleep(lasts).await;
                    log.ended(at);
                    drop(start);
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(3)).await,
            }
        }
    })
}

/// A session that starts as soon as it may.
async fn held(node: &Node, tenant: &str, limits: &Limits, log: &Log) -> StartPermit {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let asked = now();
        match node.book.start(&owner(tenant), limits).await {
            Ok(start) => {
                log.started(tenant, asked);
                return start;
            }
            Err(why) => assert!(Instant::now() < deadline, "it never starts: {why:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sessions at once, and starts per minute, of the tenants `few` and `fast`.
const SESSIONS: u32 = 5;
const STARTS: u32 = 600;
/// The variables of [`one_process`].
const STORE: &str = "GHOSTMUX_TEST_STORE";
const KEEPS: &str = "GHOSTMUX_TEST_KEEPS";

/// Microseconds, for all processes of this machine.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    u64::try_from(since.as_micros()).expect("a time")
}

/// One of the processes of the next test, which runs it with its variables: it starts sessions of two tenants as fast as
/// it can, and says so, until its standard input ends.
#[ignore = "a part of shared_limits_that_fail_closed_are_never_exceeded"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process() {
    // Ends the line that the test harness has begun.
    println!();
    let store = std::env::var(STORE).expect("the variable");
    let keeps: usize = std::env::var(KEEPS).expect("the variable").parse().expect("a number");
    let node = Node::start(store, SharedLimits::FailClosed);
    let log = Log::default();
    let mut kept = Vec::new();
    for _ in 0..keeps {
        kept.push(held(&node, "few", &limits(SESSIONS, 0), &log).await);
    }
    let mut tasks = Vec::new();
    for lasts in [3, 20, 150, 400] {
        tasks.push(greedy(&node, "few", limits(SESSIONS, 0), Duration::from_millis(lasts), &log));
    }
    tasks.push(greedy(&node, "fast", limits(0, STARTS), Duration::ZERO, &log));
    let ends = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = ends.await;
    for task in tasks {
        task.abort();
    }
    drop(kept);
}

/// A process that runs [`one_process`], and what it said.
struct Process {
    child: Child,
    said: Log,
}

impl Process {
    fn start(redis: &TestStore, keeps: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "tenant_limits::shared::one_process", "--ignored", "--nocapture"])
            .env(STORE, redis.argument())
            .env(KEEPS, keeps.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let (stdout, said) = (child.stdout.take().expect("piped"), Log::default());
        std::thread::spawn({
            let said = said.clone();
            move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    said.read(&line);
                }
            }
        });
        Self { child, said }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shared_limits_that_fail_closed_are_never_exceeded() {
    let mut redis = TestStore::redis();
    // One has sessions that last all the time: nobody may forget them.
    let both = [Process::start(&redis, 3), Process::start(&redis, 0)];
    let all = |tenant: &str| both.iter().flat_map(|process| process.said.of(tenant)).collect::<Vec<_>>();
    let starts_again = async |tenant: &str, times: usize| {
        let (since, deadline) = (now(), Instant::now() + Duration::from_secs(40));
        while all(tenant).iter().filter(|held| held.asked > since).count() < times {
            assert!(Instant::now() < deadline, "no session of {tenant} starts any more");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    starts_again("few", 50).await;
    for away in [500, 3000, 5000] {
        // Stopped, and started again without what it knew; once with what it knew half a second before.
        if away < 1000 {
            redis.save_redis();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        redis.stop_redis();
        tokio::time::sleep(Duration::from_millis(away)).await;
        redis.start_redis();
        starts_again("few", 50).await;
        // Slow, for less and for more than a lease: it keeps what it knew.
        redis.pause_redis(true);
        tokio::time::sleep(Duration::from_millis(away)).await;
        redis.pause_redis(false);
        starts_again("few", 50).await;
    }
    starts_again("fast", 5).await;
    let (few, fast) = (all("few"), all("fast"));
    assert!(few.len() > 300 && fast.len() > 100, "too few to prove anything: {}, {}", few.len(), fast.len());
    let (most, beyond) = (most_at_once(&few), most_beyond(&fast, STARTS.into()));
    eprintln!(
        "{} sessions, at most {most} of {SESSIONS} at once; {} starts, at most {beyond} beyond the rate",
        few.len(),
        fast.len()
    );
    assert!(most <= SESSIONS as usize, "{most} sessions at once, of {SESSIONS}; {} in all", few.len());
    assert!(beyond <= 1e-3, "{beyond} starts more than {STARTS} per minute allow; {} in all", fast.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shared_limits_that_fail_open_are_exceeded_by_no_more_than_one_share_for_each_process() {
    const SESSIONS: u32 = 6;
    let mut redis = TestStore::redis();
    let (one, two) =
        (Node::start(redis.argument(), SharedLimits::FailOpen), Node::start(redis.argument(), SharedLimits::FailOpen));
    let log = Log::default();
    let limits = limits(SESSIONS, 0);
    // Both know of each other, and one has all places.
    let mut kept = vec![held(&two, "open", &limits, &log).await];
    let deadline = Instant::now() + Duration::from_secs(20);
    while one.book.nodes() != 2 || two.book.nodes() != 2 {
        assert!(Instant::now() < deadline, "they do not know of each other");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kept.clear();
    for _ in 0..SESSIONS {
        kept.push(held(&one, "open", &limits, &log).await);
    }
    let full = two.book.start(&owner("open"), &limits).await.err();
    assert!(matches!(full, Some(NoStart::Refused(refusal)) if refusal.limit == LimitName::Sessions), "{full:?}");
    redis.stop_redis();
    // While Redis is away each has its share, by its own count.
    let mut away = 0;
    let start = loop {
        match two.book.start(&owner("open"), &limits).await {
            Ok(start) => break start,
            Err(_) => away += 1,
        }
        assert!(away < 100, "it does not fail open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(start.sessions, Some(SESSIONS / 2));
    // When it is back, the places that are held count again at once.
    redis.start_redis();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let again = two.book.start(&owner("open"), &limits).await;
        if matches!(&again, Err(NoStart::Refused(refusal)) if refusal.limit == LimitName::Sessions) {
            break;
        }
        let by_share = again.is_ok_and(|start| start.sessions == Some(SESSIONS / 2));
        assert!(by_share, "Redis gave a place beyond the limit");
        assert!(Instant::now() < deadline, "the places that are held do not count again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_without_a_word_frees_its_places_after_its_lease() {
    let redis = TestStore::redis();
    let (one, two) = (
        Node::start(redis.argument(), SharedLimits::FailClosed),
        Node::start(redis.argument(), SharedLimits::FailClosed),
    );
    let (limits, log) = (limits(1, 0), Log::default());
    let place = held(&one, "one", &limits, &log).await;
    // Its places are not released: the process is gone.
    one.keeps.abort();
    std::mem::forget(place);
    let since = Instant::now();
    drop(held(&two, "one", &limits, &log).await);
    let took = since.elapsed();
    assert!(took > PERIODS.gap && took < PERIODS.lease * 2, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_properly_frees_its_places_at_once() {
    let redis = TestStore::redis();
    let (one, two) = (
        Node::start(redis.argument(), SharedLimits::FailClosed),
        Node::start(redis.argument(), SharedLimits::FailClosed),
    );
    let (limits, log) = (limits(1, 0), Log::default());
    let place = held(&one, "one", &limits, &log).await;
    one.keeps.abort();
    drop(place);
    one.book.close().await;
    let since = Instant::now();
    drop(held(&two, "one", &limits, &log).await);
    assert!(since.elapsed() < PERIODS.gap, "{:?}", since.elapsed());
}

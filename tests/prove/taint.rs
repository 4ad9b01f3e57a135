//! The taint proof: several users act at random on one real Chrome through one proxy, each with
//! its own marker in everything it does. No client may receive a marker or an id of another user.
//! Some users have two clients on one session.
//!
//! With `--tenants N` the server has this many tenants, and the users are spread over them. Then a user also acts on its
//! session and snapshots as the server knows them, and tries to reach those of other tenants.
//!
//! With `--dedicated N` the sessions of the last users have Chromes of their own, beside the shared ones.

mod acts;
mod borders;
mod checker;
mod relay;
mod user;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::sync::watch;

use self::{
    checker::{Checker, MARKER, Reader},
    relay::{Relay, Tap},
    user::{Board, Recent, Stage, User},
};
use crate::{
    browsers::Browser, options::Options, proxy::Proxy, random::Random, site::Site, tenants::Tenants, verdict::Outcome,
};

/// The number of users, if there are not more tenants.
const USERS: usize = 4;
/// The number of users that have two clients on one session.
const WITH_TWO_CLIENTS: usize = 2;
/// The interval of HTTP requests, which count as a user of their own, for each tenant.
const HTTP: Duration = Duration::from_millis(300);

/// Runs the proof and returns its outcome.
pub(crate) async fn run(browser: &Browser, options: &Options) -> Outcome {
    let tenants = Tenants::new(options.tenants, |at| checker::tenant(at, options.seed));
    let (browsers, flags) = (options.browsers.to_string(), tenants.flags());
    let flags = ["--strict", "--browsers", &browsers].into_iter().chain(flags.iter().map(String::as_str));
    let proxy = Proxy::start(browser.clone(), &flags.collect::<Vec<_>>()).await;
    let addresses = vec![proxy.address().to_owned(); USERS.max(tenants.count())];
    proven(&proxy, tenants, &addresses, WITH_TWO_CLIENTS, options, None).await.with_log_of(&proxy)
}

/// Tests the checker: a relay that inserts a frame of a client into each connection of another must be
/// detected.
pub(crate) async fn injected_leaks_are_detected(browser: &Browser, options: &Options) {
    let proxy = Proxy::start(browser.clone(), &["--strict"]).await;
    let honest = Relay::start(proxy.address(), None).await;
    let (now, is_now) = watch::channel(false);
    let tap = Tap { of: honest.frames(), now: is_now };
    let leaky = Relay::start(proxy.address(), Some(tap)).await;
    let addresses = [leaky.address.clone(), honest.address.clone()];
    let outcome = proven(&proxy, Tenants::default(), &addresses, 0, options, Some(now)).await;
    let found = outcome.faults.iter().filter(|fault| fault.starts_with("user 0 received")).count();
    assert!(found > 0, "a frame of user 1 reached user 0, and nobody noticed: {}", outcome.text());
    let others: Vec<_> = outcome.faults.iter().filter(|fault| !fault.contains("received")).collect();
    assert!(others.is_empty(), "{others:?}");
}

/// Tests of the checker that need no browser.
pub(crate) fn checker_detects_foreign_ids() {
    checker::test();
}

/// A user for each address; the first `with_two` have two clients.
async fn proven(
    proxy: &Proxy,
    tenants: Tenants,
    addresses: &[String],
    with_two: usize,
    options: &Options,
    leak: Option<watch::Sender<bool>>,
) -> Outcome {
    let since = Instant::now();
    let site = Site::start().await;
    let stage = Arc::new(Stage {
        site: site.origin(),
        seed: options.seed,
        until: options.seconds.map(|seconds| since + Duration::from_secs(seconds)),
        messages: options.messages,
        // Most of a million messages are console messages.
        burst: if options.seconds.is_some() { 150 } else { 2000 },
        checker: Checker::new(tenants.count()),
        dedicated_from: addresses.len().saturating_sub(options.dedicated),
        tenants,
        recent: Recent::default(),
        board: Board::default(),
        faults: Mutex::default(),
        heard: Mutex::default(),
        attacks: Mutex::default(),
        ends: Mutex::default(),
        joined: AtomicU64::default(),
    });
    let mut tasks = tokio::task::JoinSet::new();
    for (number, address) in addresses.iter().enumerate() {
        let (path, has_company) = (Arc::default(), number < with_two);
        for client in 0..=usize::from(has_company) {
            let path = (Arc::clone(&path), has_company);
            tasks.spawn(User::new((number, client), stage.clone(), address.clone(), path).work());
        }
    }
    let clients = tasks.len();
    let nothing = HashSet::new();
    let mut random = Random::of(options.seed, "requests");
    let mut clock = tokio::time::interval(HTTP);
    let mut said = Instant::now();
    // Users that are not let in give up.
    while !stage.is_over() && !tasks.is_empty() {
        while let Some(ended) = tasks.try_join_next() {
            ended.expect("no user panics");
        }
        clock.tick().await;
        for tenant in 0..stage.tenants.count() {
            let reader = Reader::User(addresses.len().next_multiple_of(stage.tenants.count()) + tenant);
            for path in ["/json/list", "/json/version"] {
                let answer = proxy.http("GET", path, &stage.tenants.headers(tenant), "").await;
                stage.checker.received(reader, &answer.body, &nothing);
            }
            if stage.tenants.are_several() {
                borders::request(proxy, &stage, tenant, &mut random).await;
            }
        }
        if let Some(leak) = leak.as_ref().filter(|_| stage.checker.count().0 > 300) {
            leak.send_replace(true);
        }
        if said.elapsed() > Duration::from_secs(20) {
            said = Instant::now();
            options.say(&format!("{} messages checked", stage.checker.count().0));
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no user panics");
    }
    outcome(proxy, &stage, &site, options, (since, addresses.len(), clients)).await
}

async fn outcome(
    proxy: &Proxy,
    stage: &Stage,
    site: &Site,
    options: &Options,
    (since, users, clients): (Instant, usize, usize),
) -> Outcome {
    let checked = stage.checker.checked();
    let mut faults: Vec<String> = checked.leaks.iter().take(20).map(ToString::to_string).collect();
    faults.extend(stage.faults.lock().expect("no panic").clone());
    // A request to the site contains one marker only, in path, cookie and headers.
    let requests = site.requests();
    for request in &requests {
        let text = &request.head;
        let of = |at: usize| text[at + MARKER.len()..].split('q').next().map(str::to_owned);
        let users: HashSet<_> = text.match_indices(MARKER).filter_map(|(at, _)| of(at)).collect();
        if users.len() > 1 {
            faults.push(format!("a request with the markers of {users:?}: {text}"));
        }
    }
    let heard = stage.heard.lock().expect("no panic").clone();
    let attacks: BTreeMap<_, _> = stage.attacks.lock().expect("no panic").clone();
    let version = proxy.http("GET", "/json/version", &stage.tenants.headers(0), "").await.body;
    let version: serde_json::Value = serde_json::from_str(&version).unwrap_or_default();
    let product = version["Browser"].as_str().unwrap_or("unknown").to_owned();
    if clients > users && stage.joined.load(Ordering::Relaxed) == 0 {
        faults.push("no two clients ever shared a session".to_owned());
    }
    if version["Browser"].is_null() {
        faults.push("the proxy no longer answers".to_owned());
    }
    // A browser that ends also ends the sessions of others, which reconnect to another one and may
    // not report it.
    let lost = proxy.figure("browsers_lost_total").await;
    if lost > 0 {
        faults.push(format!("{lost} browsers were lost: {}", logged(&proxy.log(), &["browser lost"]).join("\n")));
        options.say("sent before the first was lost:");
        stage.recent.before_loss().iter().for_each(|command| options.say(command));
    }
    // With several browsers, the users were in all of them.
    let browsers = proxy.http("GET", "/v1/browsers", &stage.tenants.headers_of_operator(), "").await.body;
    let browsers: serde_json::Value = serde_json::from_str(&browsers).unwrap_or_default();
    let browsers = browsers["browsers"].as_array().cloned().unwrap_or_default();
    let shared = browsers.iter().filter(|browser| browser["isolation"] != "dedicated");
    let served: Vec<_> = shared.map(|browser| browser["sessionsServed"].as_u64().unwrap_or(0)).collect();
    // One that has just been started to replace another one need not have any.
    let (used, started) = (served.iter().map(|served| u64::from(*served > 0)).sum::<u64>(), options.browsers);
    if used < started {
        faults.push(format!("only {used} of {started} browsers had a session: {served:?}"));
    }
    // Those of users with browsers of their own ended with their sessions.
    let ready = logged(&proxy.log(), &["browser ready"]).len() as u64;
    if options.dedicated > 0 && ready <= started {
        faults.push(format!("no session had a browser of its own: {ready} were started"));
    }
    let facts = json!({
        "seed": options.seed,
        "sessions of each browser": served,
        "differences between the records and the browsers": proxy.differences().await,
        "what the pool has done, and why": logged(&proxy.log(), &["decision=", "the browser differed"]),
        "tenants": options.tenants,
        "users in browsers of their own": options.dedicated,
        "users": users,
        "clients": clients,
        "joined the session of another client": stage.joined.load(Ordering::Relaxed),
        "connections that ended by themselves": stage.ends.lock().expect("no panic").clone(),
        "messages checked": checked.messages,
        "bytes checked": checked.bytes,
        "ids known": checked.ids,
        "attacks with foreign ids": attacks.values().sum::<u64>(),
        "errors that repeat a foreign id their client sent": checked.echoes,
        "requests at the site": requests.len(),
        "methods attacked with": attacks.len(),
        "heard": heard,
    });
    Outcome { proof: "taint", product, facts, faults, took: since.elapsed() }
}

/// The lines of a log with one of these texts, each cut to its first 300 characters.
fn logged(log: &str, texts: &[&str]) -> Vec<String> {
    let lines = log.lines().filter(|line| texts.iter().any(|text| line.contains(text)));
    lines.map(|line| line.chars().take(300).collect()).collect()
}

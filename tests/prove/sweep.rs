//! The sweep: one client sends every method of the running browser's protocol, with arguments
//! generated from its types, on every kind of CDP session, while another client (the victim) works.
//! Then it sends all methods on targets that have ended. With `--tenants N` the two are of different tenants.
//!
//! The shared processes must live, the victim must not be affected, and every command must be
//! answered once. A sequence of commands that violates this is minimised and printed.

mod connection;
mod ended;
mod minimise;
mod protocol;
mod stage;
mod values;
mod victim;
mod world;

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use serde_json::json;

use self::{
    ended::State,
    protocol::Protocol,
    stage::{Command, On, Ran, Stage},
    values::Maker,
    world::World,
};
use crate::{browsers::Browser, options::Options, random::Random, verdict::Outcome};

/// Batches per stage: later batches run in the state that earlier ones left; then a new stage
/// begins.
const BATCHES: usize = 60;
/// The number of recent batches that may have caused harm that is detected now.
const SUSPECTS: usize = 12;
/// The number of messages without owner that one stage may cause.
const UNOWNED: u64 = 10;
/// How often the whole protocol is sent to each ended target, with other arguments in another
/// order.
const ROUNDS: usize = 4;
/// The part of a limited time that remains for ended targets.
const FOR_ENDED: f64 = 0.3;
/// The time within which harm must show.
const SHOWS: Duration = Duration::from_secs(4);

struct Sweep<'a> {
    browser: &'a Browser,
    options: &'a Options,
    protocol: Protocol,
    world: World,
    skip: HashSet<String>,
    recent: Vec<Vec<Command>>,
    faults: Vec<String>,
    /// Late answers to the victim that were not late when the same commands were repeated.
    slow: Vec<String>,
    /// The reasons for which stages ended, with their counts.
    ends: BTreeMap<String, u64>,
    counts: BTreeMap<&'static str, u64>,
    by_kind: BTreeMap<String, u64>,
}

/// Runs the sweep and returns its outcome.
pub(crate) async fn run(browser: &Browser, options: &Options) -> Outcome {
    let since = Instant::now();
    let world = World::new(browser, &secret(options.seed), options.tenants).await;
    let text = world.proxy.http("GET", "/json/protocol", &world.tenants.headers(0), "").await.body;
    let protocol = Protocol::read(&text).unwrap_or_else(|error| panic!("the protocol cannot be read: {error}"));
    let mut sweep = Sweep {
        browser,
        options,
        protocol,
        world,
        skip: HashSet::new(),
        recent: Vec::new(),
        faults: Vec::new(),
        slow: Vec::new(),
        ends: BTreeMap::new(),
        counts: BTreeMap::new(),
        by_kind: BTreeMap::new(),
    };
    sweep.living(since).await;
    sweep.ended(since).await;
    sweep.outcome(since).await
}

fn secret(seed: u64) -> String {
    format!("secret{:016x}", Random::of(seed, "secret").next())
}

impl Sweep<'_> {
    async fn living(&mut self, since: Instant) {
        let mut plan: Vec<(usize, On)> = Vec::new();
        for (at, method) in self.protocol.methods.iter().enumerate() {
            if self.options.matches(&method.name) {
                plan.extend(On::ALL.map(|on| (at, on)));
            }
        }
        Random::of(self.options.seed, "order").shuffle(&mut plan);
        self.count("planned", plan.len());
        let mut stage = None;
        let mut on_stage = 0;
        for (at, on) in plan {
            if self.is_over(since, 1.0 - FOR_ENDED) {
                break;
            }
            let method = &self.protocol.methods[at];
            if self.skip.contains(&method.name) {
                continue;
            }
            let random = Random::of(self.options.seed, &format!("{} {on}", method.name));
            let of_tenants = self.options.tenants > 0;
            let arguments = Maker { protocol: &self.protocol, random, of_tenants }.arguments(method);
            let name = method.name.clone();
            let commands: Vec<Command> =
                arguments.into_iter().map(|params| Command { on, method: name.clone(), params }).collect();
            if stage.is_none() {
                stage = self.begin().await;
                on_stage = 0;
            }
            let Some(running) = stage.as_mut().filter(|stage| stage.kinds().contains(&on)) else {
                self.count("batches without a stage", 1);
                continue;
            };
            let ran = running.run(&commands).await;
            on_stage += 1;
            self.count("batches", 1);
            self.count("commands", commands.len());
            *self.by_kind.entry(on.to_string()).or_default() += 1;
            self.recent.push(commands);
            let old = self.recent.len().saturating_sub(SUSPECTS);
            self.recent.drain(..old);
            if let Ran::Spent(why) = &ran {
                *self.ends.entry(why.chars().take(60).collect()).or_default() += 1;
                self.options.say(&format!("{name} on {on}: {why}"));
            }
            if ran != Ran::Well || on_stage >= BATCHES {
                self.end(stage.take()).await;
            }
            // Without a sign of harm the processes are checked only now and then; the victim checks
            // all the time.
            let suspicious = ran != Ran::Well || on_stage.is_multiple_of(8);
            if suspicious && self.world.harm().is_some() {
                self.end(stage.take()).await;
                self.harmed().await;
            }
        }
        self.end(stage).await;
        if self.world.harm_within(SHOWS).await.is_some() {
            self.harmed().await;
        }
        // Chrome's reply to a command on a CDP session that has just ended does not name the
        // session: each stage that ended explains a few such messages.
        let before = self.counts.get("messages of no owner").copied().unwrap_or_default();
        let unowned = before + self.world.proxy.figure("unowned_messages_total").await;
        let stages = self.counts["stages"];
        if unowned > UNOWNED * stages {
            self.fault(format!("{unowned} messages of no owner in {stages} stages"));
        }
    }

    /// Sends the whole protocol to each ended target.
    async fn ended(&mut self, since: Instant) {
        let mut plan: Vec<(usize, State)> =
            (0..ROUNDS).flat_map(|round| State::ALL.map(|state| (round, state))).collect();
        Random::of(self.options.seed, "order of what has ended").shuffle(&mut plan);
        for (round, state) in plan {
            if self.is_over(since, 1.0) {
                break;
            }
            let random = Random::of(self.options.seed, &format!("{round} {state}"));
            let mut maker = Maker { protocol: &self.protocol, random, of_tenants: self.options.tenants > 0 };
            let mut commands: Vec<Command> = Vec::new();
            for method in &self.protocol.methods {
                let name = &method.name;
                let is_wanted = self.options.matches(name) && !self.skip.contains(name);
                if is_wanted && !ended::LEFT_OUT.contains(&name.as_str()) {
                    let params = maker.one(method);
                    commands.push(Command { on: On::Ended(state), method: name.clone(), params });
                }
            }
            maker.random.shuffle(&mut commands);
            match self.world.ended(state).await {
                Ok(ended) => {
                    let (faults, received) = ended.run(&commands).await;
                    self.faults.extend(faults);
                    self.count("frames received", usize::try_from(received).unwrap_or_default());
                    self.count("states that had ended", 1);
                    self.count("commands on what had ended", commands.len());
                    *self.by_kind.entry(state.to_string()).or_default() += 1;
                }
                Err(why) => self.fault(format!("there is no such state to try: {why}")),
            }
            self.recent = vec![commands];
            if self.world.harm_within(SHOWS).await.is_some() {
                self.harmed().await;
            }
        }
    }

    /// Whether this part of the allowed time has passed.
    fn is_over(&self, since: Instant, part: f64) -> bool {
        let limit = self.options.seconds.map(|seconds| Duration::from_secs(seconds).mul_f64(part));
        limit.is_some_and(|limit| since.elapsed() > limit)
    }

    async fn begin(&mut self) -> Option<Stage> {
        self.count("stages", 1);
        match self.world.stage().await {
            Ok(stage) => {
                let there = stage.kinds().len();
                if there < On::ALL.len() {
                    self.count("stages that lack a kind of CDP session", 1);
                }
                Some(stage)
            }
            Err(why) => {
                // Either the world was harmed, or a stage cannot be set up, which is a fault too.
                if self.world.harm_within(SHOWS).await.is_some() {
                    self.harmed().await;
                } else {
                    self.faults.push(format!("a new client found no stage: {why}"));
                }
                None
            }
        }
    }

    async fn end(&mut self, stage: Option<Stage>) {
        if let Some(stage) = stage {
            let (faults, received) = stage.close().await;
            for fault in &faults {
                self.options.say(fault);
            }
            self.faults.extend(faults);
            self.count("frames received", usize::try_from(received).unwrap_or_default());
        }
    }

    /// Harm was detected: finds the command, and begins again without that method.
    async fn harmed(&mut self) {
        let Some(harm) = self.world.harm() else { return };
        self.options.say(&format!("{harm}; looking for the command"));
        self.keep_figures().await;
        let suspects = std::mem::take(&mut self.recent).concat();
        let found = minimise::smallest(self.browser, &secret(self.options.seed), self.options.tenants, &suspects).await;
        if let Some((commands, harm)) = found {
            self.skip.extend(commands.iter().map(|command| command.method.clone()));
            let commands: Vec<String> = commands.iter().map(ToString::to_string).collect();
            // The whole list, to be able to repeat it; a fault in a report is cut.
            let file = crate::verdict::directory().join(format!("sweep-harm-{}.txt", self.faults.len()));
            let written = std::fs::write(&file, commands.join("\n")).is_ok();
            let kept =
                if written { format!(" ({} commands: {})", commands.len(), file.display()) } else { String::new() };
            self.fault(format!("{harm}{kept}\n    by {}", commands.join("\n    then ")));
        } else {
            let mut methods: Vec<&str> = suspects.iter().rev().map(|command| command.method.as_str()).collect();
            methods.dedup();
            let what =
                format!("{harm}\n    not again when repeated; before it, the last first: {}", methods.join(", "));
            if harm.is_only_slow() {
                // A busy machine has the same effect. It is reported, but is not a fault.
                self.options.say(&what);
                self.slow.push(what);
            } else {
                self.fault(what);
            }
        }
        self.world = World::new(self.browser, &secret(self.options.seed), self.options.tenants).await;
    }

    fn fault(&mut self, what: String) {
        self.options.say(&what);
        self.faults.push(what);
    }

    /// Records the counters of the proxy and the victim before they end.
    async fn keep_figures(&mut self) {
        let slowest = self.counts.entry("slowest look of the victim (ms)").or_default();
        *slowest = self.world.victim.slowest().max(*slowest);
        self.count("looks of the victim", usize::try_from(self.world.victim.looks()).unwrap_or_default());
        for (name, metric) in
            [("messages of no owner", "unowned_messages_total"), ("commands refused", "commands_refused_total")]
        {
            let value = self.world.proxy.figure(metric).await;
            self.count(name, usize::try_from(value).unwrap_or_default());
        }
    }

    fn count(&mut self, what: &'static str, more: usize) {
        *self.counts.entry(what).or_default() += u64::try_from(more).unwrap_or_default();
    }

    async fn outcome(mut self, since: Instant) -> Outcome {
        self.keep_figures().await;
        let product = self.world.product().await;
        let living = On::ALL.iter().map(ToString::to_string);
        let kinds: Vec<String> = living.chain(State::ALL.iter().map(ToString::to_string)).collect();
        if let Some(missing) = kinds.iter().find(|kind| self.options.is_whole() && !self.by_kind.contains_key(*kind)) {
            self.faults.push(format!("nothing was sent on a {missing}"));
        }
        let facts = json!({
            "seed": self.options.seed,
            "tenants": self.options.tenants,
            "methods": self.protocol.methods.len(),
            "counts": self.counts,
            "batches by CDP session": self.by_kind,
            "stages ended": self.ends,
            "late answers that did not happen again": self.slow,
        });
        let (proof, faults, took) = ("sweep", self.faults, since.elapsed());
        Outcome { proof, product, facts, faults, took }.with_log_of(&self.world.proxy)
    }
}

//! The sweep: every method of the running browser's protocol, with arguments made from its types, on every kind of CDP
//! session, sent by one client while another works on. Then all of it again, at once, on what has ended.
//!
//! The shared processes live, the victim notices nothing, every command is answered once. A command that breaks this is
//! made as small as it gets and printed.

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

/// Batches on one stage: what they leave behind is part of the test, and a reason to begin anew.
const BATCHES: usize = 60;
/// Batches that may have done a harm that shows now.
const SUSPECTS: usize = 12;
/// Messages of no owner that one stage explains.
const UNOWNED: u64 = 10;
/// How often all of the protocol is sent on each thing that has ended, with other arguments in another order.
const ROUNDS: usize = 4;
/// The part of a limited time that is left for those.
const FOR_ENDED: f64 = 0.3;
/// How long a harm may take to show.
const SHOWS: Duration = Duration::from_secs(4);

struct Sweep<'a> {
    browser: &'a Browser,
    options: &'a Options,
    protocol: Protocol,
    world: World,
    skip: HashSet<String>,
    recent: Vec<Vec<Command>>,
    faults: Vec<String>,
    /// Answers to the victim that came late once, and not again when the same was done.
    slow: Vec<String>,
    /// Why stages ended, how often.
    ends: BTreeMap<String, u64>,
    counts: BTreeMap<&'static str, u64>,
    by_kind: BTreeMap<String, u64>,
}

/// Runs it; what it found is in the outcome.
pub(crate) async fn run(browser: &Browser, options: &Options) -> Outcome {
    let since = Instant::now();
    let world = World::new(browser, &secret(options.seed)).await;
    let text = world.proxy.http("GET", "/json/protocol", &[], "").await.body;
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
            let arguments = Maker { protocol: &self.protocol, random }.arguments(method);
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
            // While nothing seems wrong the processes are looked at now and then, and the victim looks all the time.
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
        // Chrome answers what reaches a CDP session that has just gone without saying whose it was: that explains a few
        // for each stage that ended, and no more.
        let before = self.counts.get("messages of no owner").copied().unwrap_or_default();
        let unowned = before + self.world.proxy.figure("unowned_messages_total").await;
        let stages = self.counts["stages"];
        if unowned > UNOWNED * stages {
            self.fault(format!("{unowned} messages of no owner in {stages} stages"));
        }
    }

    /// All of the protocol on each thing that has ended.
    async fn ended(&mut self, since: Instant) {
        let mut plan: Vec<(usize, State)> =
            (0..ROUNDS).flat_map(|round| State::ALL.map(|state| (round, state))).collect();
        Random::of(self.options.seed, "order of what has ended").shuffle(&mut plan);
        for (round, state) in plan {
            if self.is_over(since, 1.0) {
                break;
            }
            let random = Random::of(self.options.seed, &format!("{round} {state}"));
            let mut maker = Maker { protocol: &self.protocol, random };
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

    /// Whether this part of the time that is allowed has gone by.
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
                // Either the world has come to harm, or a stage cannot be had, which is a fault of its own.
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

    /// Something broke: which command was it? Then all begins anew, without that method.
    async fn harmed(&mut self) {
        let Some(harm) = self.world.harm() else { return };
        self.options.say(&format!("{harm}; looking for the command"));
        self.keep_figures().await;
        let suspects = std::mem::take(&mut self.recent).concat();
        let found = minimise::smallest(self.browser, &secret(self.options.seed), &suspects).await;
        if let Some((commands, harm)) = found {
            self.skip.extend(commands.iter().map(|command| command.method.clone()));
            let commands: Vec<String> = commands.iter().map(ToString::to_string).collect();
            self.fault(format!("{harm}\n    by {}", commands.join("\n    then ")));
        } else {
            let mut methods: Vec<&str> = suspects.iter().rev().map(|command| command.method.as_str()).collect();
            methods.dedup();
            let what =
                format!("{harm}\n    not again when repeated; before it, the last first: {}", methods.join(", "));
            if harm.is_only_slow() {
                // A busy machine does that too. It is told, and no fault.
                self.options.say(&what);
                self.slow.push(what);
            } else {
                self.fault(what);
            }
        }
        self.world = World::new(self.browser, &secret(self.options.seed)).await;
    }

    fn fault(&mut self, what: String) {
        self.options.say(&what);
        self.faults.push(what);
    }

    /// What the proxy and the victim have counted, before they go.
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
            "methods": self.protocol.methods.len(),
            "counts": self.counts,
            "batches by CDP session": self.by_kind,
            "stages ended": self.ends,
            "late answers that did not happen again": self.slow,
        });
        Outcome { proof: "sweep", product, facts, faults: self.faults, took: since.elapsed() }
    }
}

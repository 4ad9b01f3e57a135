use super::*;
use crate::port::Settle;

const MS: Duration = Duration::from_millis(1);

/// The reaper and its clock. Chrome replies to each disposal after `takes`.
struct World {
    disposals: ContextReaper,
    start: Instant,
    now: Instant,
    takes: Duration,
    last: i32,
    /// The disposals in progress, and when Chrome replies.
    ends: VecDeque<(CallId, Instant)>,
    begun: Vec<(u128, String)>,
}

impl World {
    fn new(takes: Duration) -> Self {
        let now = Instant::now();
        Self {
            disposals: ContextReaper::default(),
            start: now,
            now,
            takes,
            last: 0,
            ends: VecDeque::new(),
            begun: Vec::new(),
        }
    }

    fn leave(&mut self, base: &str, contexts: &[&str]) {
        let contexts = contexts.iter().map(|context| ContextId::from(*context)).collect();
        self.disposals.leave(&base.into(), contexts, Vec::new(), false, self.now);
    }

    fn ask(&mut self, lease: u64, tag: Tag) {
        let (method, params) = ("Target.disposeBrowserContext".into(), String::new());
        self.disposals.ask(LeaseId(lease), tag, Call { on: None, method, params, settle: Settle::Plain });
    }

    /// Advances the clock.
    fn run(&mut self, until: Duration) {
        let until = self.start + until;
        loop {
            if self.ends.front().is_some_and(|(_, at)| *at <= self.now)
                && let Some((call, at)) = self.ends.pop_front()
            {
                self.disposals.ended(call, || at);
            }
            if let Some(disposal) = self.disposals.poll_due(self.now) {
                let name = match disposal {
                    Disposal::Page(page) => page.to_string(),
                    Disposal::Context { context, .. } | Disposal::Orphan(context) => context.to_string(),
                    Disposal::Base { base, .. } => base.to_string(),
                    Disposal::Asked { lease, tag, .. } => format!("{}/{tag}", lease.0),
                };
                self.begun.push(((self.now - self.start).as_millis(), name));
                self.last += 1;
                self.disposals.started(CallId(self.last), self.now);
                self.ends.push_back((CallId(self.last), self.now + self.takes));
                continue;
            }
            let reply = self.ends.front().map(|(_, at)| *at);
            match self.disposals.next_timeout().into_iter().chain(reply).min() {
                Some(at) if at <= until => self.now = self.now.max(at),
                _ => break,
            }
        }
        self.now = until;
    }

    fn begun(&self) -> Vec<(u128, &str)> {
        self.begun.iter().map(|(at, name)| (*at, name.as_str())).collect()
    }
}

#[test]
fn chrome_says_of_each_context_with_a_gate_that_it_is_gone() {
    let mut world = World::new(MS);
    world.disposals.leave(&"base".into(), vec!["one".into(), "two".into()], Vec::new(), true, world.now);
    world.run(1000 * MS);
    let names: Vec<&str> = world.begun().into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["one", "two", "base"]);
}

#[test]
fn disposals_wait_for_the_reply_and_a_pause_of_equal_length() {
    let mut world = World::new(40 * MS);
    for base in ["a", "b", "c"] {
        world.leave(base, &[]);
    }
    world.run(1000 * MS);
    assert_eq!(world.begun(), [(10, "a"), (90, "b"), (170, "c")]);
    assert_eq!((world.disposals.waiting(), world.disposals.next_timeout()), (0, None));
}

#[test]
fn the_pause_shrinks_as_the_queue_grows_but_never_to_zero() {
    for (takes, waiting, pause) in
        [(40, 1, 40), (40, 64, 40), (40, 128, 20), (40, 100_000, 10), (1, 1, 10), (100_000, 1, 500), (100_000, 640, 50)]
    {
        let mut world = World::new(takes * MS);
        (0..=waiting).for_each(|at| world.leave(&at.to_string(), &[]));
        // The reply decides when the second one starts, not the quiet moment.
        world.disposals.poll_due(world.now + LONGEST_WAIT).expect("the first");
        world.disposals.started(CallId(1), world.now);
        let replied = world.now + takes * MS;
        world.disposals.ended(CallId(1), || replied);
        let from = world.disposals.next_timeout().expect("the second") - world.now;
        assert_eq!(from, (takes + pause) * MS, "{takes} ms each, {waiting} waiting");
    }
}

#[test]
fn busy_clients_delay_disposals_for_a_limited_time() {
    let mut world = World::new(20 * MS);
    world.leave("a", &[]);
    world.leave("b", &[]);
    for at in 1..100 {
        world.disposals.on_client(world.now);
        world.run(at * 5 * MS);
    }
    let [(a, "a"), (b, "b")] = world.begun()[..] else { panic!("{:?}", world.begun) };
    assert!((250..260).contains(&a) && (b - a) >= 40 && b < 310, "{a} {b}");
}

#[test]
fn contexts_of_one_session_are_disposed_one_at_a_time() {
    let mut world = World::new(20 * MS);
    world.leave("base", &["zero", "one", "two"]);
    world.run(1000 * MS);
    assert_eq!(world.begun(), [(10, "one"), (50, "two"), (90, "base")]);
}

#[test]
fn pages_are_closed_one_by_one_before_their_context() {
    let mut world = World::new(10 * MS);
    let pages = (0..PAGES_AT_ONCE + 2).map(|page| TargetId::from(format!("page{page}"))).collect();
    world.disposals.leave(&"base".into(), vec!["zero".into()], pages, false, world.now);
    world.run(1000 * MS);
    assert_eq!(world.begun(), [(10, "page8"), (30, "page9"), (50, "base")]);
}

#[test]
fn the_more_pages_wait_the_more_are_closed_at_a_time() {
    let late = 300 * MS;
    let mut world = World::new(late);
    let pages = (0..PAGES_AT_ONCE + 800).map(|page| TargetId::from(format!("page{page}"))).collect();
    world.disposals.leave(&"base".into(), vec!["zero".into()], pages, false, world.now);
    world.run(10 * MS + late);
    // 10 ms apart.
    let at: Vec<u128> = world.begun().iter().map(|(at, _)| *at).collect();
    assert_eq!(at, (0..16).map(|page| 10 + 10 * page).collect::<Vec<_>>());
    world.run(60_000 * MS);
    let (last, name) = world.begun()[800];
    assert!(name == "base" && last < 50_000, "{name} {last} ms: one at a time takes six minutes");
    let alone = world.begun()[799].0 + late.as_millis();
    assert!(last >= alone, "the context is disposed of after Chrome has replied about each page: {last}, {alone}");
}

#[test]
fn a_client_that_waits_is_not_overtaken_by_pages() {
    let mut world = World::new(300 * MS);
    let pages = (0..PAGES_AT_ONCE + 200).map(|page| TargetId::from(format!("page{page}"))).collect();
    world.disposals.leave(&"base".into(), vec!["zero".into()], pages, false, world.now);
    world.run(40 * MS);
    let before = world.begun.len();
    assert!(before > 1, "{before}");
    world.ask(1, 7);
    world.run(2000 * MS);
    assert_eq!(world.begun()[before].1, "1/7");
}

#[test]
fn client_disposals_in_sequence_are_not_paused() {
    let mut world = World::new(20 * MS);
    for tag in 0..3 {
        world.ask(1, tag);
        world.run(Duration::from_millis(20 * (tag + 1)));
    }
    assert_eq!(world.begun(), [(0, "1/0"), (20, "1/1"), (40, "1/2")]);
}

#[test]
fn concurrent_disposals_of_one_client_do_not_delay_another() {
    let mut world = World::new(20 * MS);
    (0..3).for_each(|tag| world.ask(1, tag));
    world.ask(2, 0);
    world.run(1000 * MS);
    assert_eq!(world.begun(), [(0, "1/0"), (40, "2/0"), (80, "1/1"), (120, "1/2")]);
}

#[test]
fn ended_sessions_and_client_disposals_alternate() {
    let mut world = World::new(20 * MS);
    world.leave("a", &[]);
    world.leave("b", &[]);
    (0..3).for_each(|tag| world.ask(1, tag));
    world.run(1000 * MS);
    let order: Vec<&str> = world.begun().iter().map(|(_, name)| *name).collect();
    assert_eq!(order, ["1/0", "a", "1/1", "b", "1/2"]);
}

#[test]
fn ended_sessions_withdraw_client_disposals() {
    let mut world = World::new(20 * MS);
    (0..3).for_each(|tag| world.ask(1, tag));
    world.ask(2, 7);
    world.disposals.forget(LeaseId(1));
    world.run(1000 * MS);
    assert_eq!(world.begun(), [(0, "2/7")]);
    assert_eq!(world.disposals.waiting(), 0);
}

#[test]
fn unanswered_disposals_time_out() {
    let mut world = World::new(DEADLINE * 100);
    world.leave("a", &[]);
    world.leave("b", &[]);
    world.run(20 * MS);
    assert_eq!(world.begun(), [(10, "a")]);
    let late = world.start + 10 * MS + DEADLINE;
    assert_eq!(world.disposals.next_timeout(), Some(late));
    assert!(world.disposals.poll_due(late).is_none(), "the pause comes first");
    let (_, longest) = PAUSE;
    assert_eq!(world.disposals.next_timeout(), Some(late + longest));
    assert!(world.disposals.poll_due(late + longest).is_some());
    // A late reply ends no other disposal.
    world.disposals.started(CallId(2), late + longest);
    world.disposals.ended(CallId(1), || late + longest);
    assert_eq!(world.disposals.poll_due(late + longest).map(|_| ()), None, "the second one is in progress");
}

#[test]
fn a_context_whose_disposal_is_late_is_leaving_until_chrome_replies() {
    let mut world = World::new(DEADLINE * 100);
    world.leave("a", &["A"]);
    world.leave("b", &["B"]);
    world.run(20 * MS);
    let late = world.start + 10 * MS + DEADLINE;
    world.disposals.poll_due(late);
    let leaving = |world: &World| world.disposals.leaving().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(leaving(&world), ["B", "A"]);
    world.disposals.ended(CallId(1), || late);
    assert_eq!(leaving(&world), ["B"]);
}

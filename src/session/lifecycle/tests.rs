use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn bye() -> CloseReason {
    CloseReason::Bye("test")
}

fn active(clients: u32) -> Phase {
    Phase::Active(NonZeroU32::new(clients).expect("not zero"))
}

/// A life in this phase, with sockets on their way.
fn life(phase: Phase, coming: u32, keep_alive: Duration, now: Instant) -> Lifecycle {
    let deadlines = Deadlines { keep_alive, ..Deadlines::default() };
    Lifecycle { phase, coming, ..Lifecycle::new(deadlines, now) }
}

#[test]
fn every_phase_handles_every_event() {
    let then = Instant::now();
    let now = then + SECOND;
    let last = CloseReason::LastClientLeft;
    let table: [(Phase, u32, Duration, Event, Phase); 24] = [
        (Phase::Queued, 0, SECOND, Event::Placed, Phase::Parked(now)),
        (Phase::Queued, 0, SECOND, Event::Came, active(1)),
        (Phase::Queued, 0, SECOND, Event::Went, Phase::Queued),
        (Phase::Queued, 0, SECOND, Event::Used, Phase::Queued),
        (Phase::Queued, 0, SECOND, Event::Over(bye()), Phase::Closed(bye())),
        (active(1), 0, SECOND, Event::Came, active(2)),
        (active(2), 0, SECOND, Event::Went, active(1)),
        (active(1), 0, SECOND, Event::Went, Phase::Parked(now)),
        (active(1), 0, Duration::ZERO, Event::Went, Phase::Closed(last.clone())),
        // Another one is on its way: it finds the session.
        (active(1), 1, Duration::ZERO, Event::Went, Phase::Parked(now)),
        (active(1), 1, SECOND, Event::Missed, active(1)),
        (active(1), 0, SECOND, Event::Placed, active(1)),
        (active(1), 0, SECOND, Event::Used, active(1)),
        (active(1), 0, SECOND, Event::Coming, active(1)),
        (active(1), 0, SECOND, Event::Over(bye()), Phase::Closed(bye())),
        (Phase::Parked(then), 1, SECOND, Event::Came, active(1)),
        (Phase::Parked(then), 0, SECOND, Event::Went, Phase::Parked(then)),
        (Phase::Parked(then), 0, SECOND, Event::Placed, Phase::Parked(then)),
        (Phase::Parked(then), 0, SECOND, Event::Used, Phase::Parked(now)),
        (Phase::Parked(then), 1, SECOND, Event::Missed, Phase::Parked(now)),
        (Phase::Parked(then), 1, Duration::ZERO, Event::Missed, Phase::Closed(last)),
        (Phase::Parked(then), 0, SECOND, Event::Over(bye()), Phase::Closed(bye())),
        (Phase::Closed(bye()), 0, SECOND, Event::Came, Phase::Closed(bye())),
        (Phase::Closed(bye()), 0, SECOND, Event::Over(CloseReason::Killed), Phase::Closed(bye())),
    ];
    for (from, coming, keep_alive, event, to) in table {
        let mut life = life(from.clone(), coming, keep_alive, then);
        let before = life.on(event.clone(), now);
        assert_eq!(*life.phase(), to, "{from:?} {event:?}");
        assert_eq!(before, (from != to).then_some(from), "{event:?}");
    }
}

#[test]
fn each_deadline_runs_in_its_phase_and_from_its_start() {
    let start = Instant::now();
    let at = |seconds| start + SECOND * seconds;
    let deadlines = Deadlines { timeout: SECOND * 100, idle_timeout: SECOND * 10, keep_alive: SECOND * 20 };
    let mut life = Lifecycle::new(deadlines, start);
    // Waiting for a place is no life.
    assert_eq!(life.next_timeout(), None);
    life.on(Event::Came, at(5));
    assert_eq!(life.next_timeout(), Some((at(15), Deadline::IdleTimeout)));
    life.hear(at(8));
    assert_eq!(life.next_timeout(), Some((at(18), Deadline::IdleTimeout)));
    assert_eq!((life.poll_end(at(17)), life.poll_end(at(18))), (None, Some(CloseReason::Idle(SECOND * 10))));
    life.on(Event::Went, at(9));
    assert_eq!(life.next_timeout(), Some((at(29), Deadline::KeepAlive)));
    assert_eq!(life.poll_end(at(29)), Some(CloseReason::Forgotten(SECOND * 20)));
    // Whoever is on his way will not find it ended.
    life.on(Event::Coming, at(10));
    assert_eq!(life.next_timeout(), Some((at(105), Deadline::Timeout)));
    life.on(Event::Came, at(97));
    assert_eq!(life.next_timeout(), Some((at(105), Deadline::Timeout)));
    assert_eq!(life.poll_end(at(105)), Some(CloseReason::Expired(SECOND * 100)));
    // A deadline that is changed counts from where it counted before.
    life.deadlines.timeout = SECOND * 50;
    assert_eq!(life.poll_end(at(97)), Some(CloseReason::Expired(SECOND * 50)));
    life.deadlines = Deadlines::default();
    assert_eq!((life.next_timeout(), life.poll_end(at(1_000_000))), (None, None));
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => Just(Event::Placed),
        1 => Just(Event::Coming),
        1 => Just(Event::Missed),
        4 => Just(Event::Came),
        4 => Just(Event::Went),
        1 => Just(Event::Used),
        1 => Just(Event::Over(bye())),
    ]
}

proptest! {
    /// Whatever happens in whatever order: it leaves `Queued` once and never comes back, has as many clients as came
    /// and did not go, ends once, and stays so.
    #[test]
    fn no_sequence_of_events_leads_astray(
        events in prop::collection::vec((event(), 0_u32..30), 0..60),
        keep_alive in 0_u32..3,
        timeout in 0_u32..100,
    ) {
        let start = Instant::now();
        let deadlines =
            Deadlines { timeout: SECOND * timeout, idle_timeout: SECOND * 40, keep_alive: SECOND * keep_alive };
        let mut life = Lifecycle::new(deadlines, start);
        let (mut now, mut clients, mut ends) = (start, 0_u32, 0);
        for (event, later) in events {
            now += SECOND * later;
            let event = life.poll_end(now).map_or(event, Event::Over);
            let was = life.phase().clone();
            let counts = !matches!(was, Phase::Closed(_));
            match &event {
                Event::Came if counts => clients += 1,
                Event::Went if counts => clients = clients.saturating_sub(1),
                _ => {}
            }
            let before = life.on(event, now);
            prop_assert_eq!(before.is_some(), was != *life.phase());
            match life.phase() {
                Phase::Queued => prop_assert_eq!(was, Phase::Queued),
                Phase::Active(there) => prop_assert_eq!(there.get(), clients),
                Phase::Parked(since) => prop_assert!(clients == 0 && *since <= now),
                Phase::Closed(_) => {
                    ends += u32::from(!matches!(was, Phase::Closed(_)));
                    prop_assert_eq!((life.next_timeout(), life.clients()), (None, 0));
                }
            }
            // What has passed has been acted upon.
            if let Some((at, deadline)) = life.next_timeout() {
                let at_once = deadline == Deadline::KeepAlive && deadlines.keep_alive.is_zero();
                prop_assert!(at > now || at_once || life.poll_end(now).is_some());
            }
        }
        prop_assert!(ends <= 1);
    }
}

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn rates(commands: f64, bytes: f64) -> Rates {
    let some = |rate: f64| (rate > 0.0).then_some(rate);
    Rates { commands: some(commands), bytes: some(bytes) }
}

/// One session that always has the next frame ready.
struct Sender {
    bytes: usize,
    debt: Option<Debt>,
    passed: Vec<Instant>,
}

impl Sender {
    fn new(bytes: usize) -> Self {
        Self { bytes, debt: None, passed: Vec::new() }
    }

    /// Sends what may pass now.
    fn run(&mut self, pacer: &mut Pacer, now: Instant) {
        for _ in 0..10_000 {
            match &mut self.debt {
                Some(debt) => {
                    if pacer.poll_paid(debt, now).is_some() {
                        return;
                    }
                    self.debt = None;
                    self.passed.push(now);
                }
                None => match pacer.on_frame(self.bytes, now) {
                    Turn::Now => self.passed.push(now),
                    Turn::Later(debt) => self.debt = Some(debt),
                },
            }
        }
    }

    fn passed_in(&self, from: Instant, span: Duration) -> usize {
        self.passed.iter().filter(|at| **at >= from && **at < from + span).count()
    }
}

fn run(pacer: &mut Pacer, senders: &mut [Sender], from: Instant, span: Duration) {
    let mut now = from;
    while now < from + span {
        for sender in senders.iter_mut() {
            sender.run(pacer, now);
        }
        now += Duration::from_millis(1);
    }
}

#[test]
fn a_burst_of_one_second_passes_and_the_rest_at_the_rate() {
    let start = Instant::now();
    let mut pacer = Pacer::new(rates(100.0, 0.0), start);
    let mut one = [Sender::new(10)];
    run(&mut pacer, &mut one, start, SECOND * 5);
    assert_eq!(one[0].passed_in(start, Duration::from_millis(1)), 100);
    let later = one[0].passed_in(start + SECOND, SECOND * 4);
    assert!((395..=401).contains(&later), "{later} in 4 s at 100 per second");
}

#[test]
fn sessions_of_a_tenant_share_its_rate_equally() {
    let start = Instant::now();
    let mut pacer = Pacer::new(rates(0.0, 1000.0), start);
    // One sends large frames, the other small ones.
    let mut both = [Sender::new(2000), Sender::new(50)];
    run(&mut pacer, &mut both, start, SECOND * 20);
    let bytes = |sender: &Sender| sender.passed_in(start + SECOND * 4, SECOND * 16) * sender.bytes;
    let (large, small) = (bytes(&both[0]), bytes(&both[1]));
    assert!((6000..=10_000).contains(&large), "{large} of 8000");
    assert!((7500..=8100).contains(&small), "{small} of 8000");
}

#[test]
fn a_small_frame_does_not_wait_for_the_large_one_of_another_session() {
    let start = Instant::now();
    let mut pacer = Pacer::new(rates(0.0, 1000.0), start);
    let Turn::Later(mut large) = pacer.on_frame(100_000, start) else { panic!("more than a second's worth") };
    let Turn::Later(mut small) = pacer.on_frame(10, start) else { panic!("the bucket is empty") };
    assert!(pacer.poll_paid(&mut small, start).is_some());
    assert_eq!(pacer.poll_paid(&mut small, start + Duration::from_millis(21)), None, "10 bytes at half the rate");
    assert!(pacer.poll_paid(&mut large, start + SECOND * 50).is_some());
    assert_eq!(pacer.poll_paid(&mut large, start + SECOND * 101), None);
}

#[test]
fn a_debt_names_the_limit_for_which_it_waits() {
    let start = Instant::now();
    let mut pacer = Pacer::new(rates(1.0, 1000.0), start);
    let Turn::Later(bytes) = pacer.on_frame(2000, start) else { panic!("too many bytes") };
    assert_eq!(bytes.limit(), Some(LimitName::BytesPerSecond));
    pacer.cancel(bytes, start);
    let mut pacer = Pacer::new(rates(1.0, 1000.0), start);
    assert_eq!(pacer.on_frame(1, start), Turn::Now);
    let Turn::Later(commands) = pacer.on_frame(1, start) else { panic!("a second command") };
    assert_eq!(commands.limit(), Some(LimitName::CommandsPerSecond));
    pacer.cancel(commands, start);
}

#[test]
fn a_limit_that_is_removed_frees_those_that_wait() {
    let start = Instant::now();
    let mut pacer = Pacer::new(rates(1.0, 0.0), start);
    assert_eq!(pacer.on_frame(1, start), Turn::Now);
    let Turn::Later(mut debt) = pacer.on_frame(1, start) else { panic!("a second command") };
    pacer.set_rates(Rates::default(), start);
    assert_eq!(pacer.poll_paid(&mut debt, start), None);
    assert_eq!(pacer.on_frame(1, start), Turn::Now);
}

proptest! {
    /// Whatever is sent and given up: what passes in any second is at most two seconds' worth, and the frame of each
    /// session that was being paid before; and no session is forgotten as a debtor.
    #[test]
    fn no_order_of_frames_exceeds_the_rate(
        acts in prop::collection::vec((0_u8..4, 0_usize..3, 1_usize..400, 0_u64..400), 1..200)
    ) {
        const RATE: f64 = 100.0;
        let start = Instant::now();
        let mut now = start;
        let mut pacer = Pacer::new(rates(0.0, RATE), start);
        let mut sessions: [Option<(Debt, usize)>; 3] = [None; 3];
        let mut passed: Vec<(Instant, usize)> = Vec::new();
        for (act, session, bytes, millis) in acts {
            now += Duration::from_millis(millis);
            let slot = &mut sessions[session];
            match (act, &mut *slot) {
                (0, Some((debt, _))) => {
                    pacer.cancel(*debt, now);
                    *slot = None;
                }
                (_, Some((debt, bytes))) => {
                    if pacer.poll_paid(debt, now).is_none() {
                        passed.push((now, *bytes));
                        *slot = None;
                    }
                }
                (_, None) => match pacer.on_frame(bytes, now) {
                    Turn::Now => passed.push((now, bytes)),
                    Turn::Later(debt) => *slot = Some((debt, bytes)),
                },
            }
            let waiting = u32::try_from(sessions.iter().flatten().count()).expect("few");
            prop_assert_eq!(pacer.buckets[1].as_ref().expect("a limit").debtors, waiting);
        }
        for (from, _) in &passed {
            let within: usize =
                passed.iter().filter(|(at, _)| at >= from && *at < *from + SECOND).map(|(_, bytes)| bytes).sum();
            let most = 2.0 * RATE + 3.0 * 400.0;
            #[allow(clippy::cast_precision_loss, reason = "small numbers")]
            let within = within as f64;
            prop_assert!(within <= most, "{within} bytes in a second, of at most {most}");
        }
        // Over all the time, nothing but the frames under way is more than the rate.
        let all: usize = passed.iter().map(|(_, bytes)| bytes).sum();
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        let all = all as f64;
        prop_assert!(all <= RATE * (1.0 + (now - start).as_secs_f64()) + 1.0, "{all}");
    }
}

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

fn rules(total: u32, per_owner: u32, queue: usize) -> Admission {
    let (total, per_owner) = (NonZeroU32::new(total), NonZeroU32::new(per_owner));
    Admission { total, per_owner, queue, timeout: Duration::from_secs(30) }
}

fn admission_control(total: u32, per_owner: u32, queue: usize) -> AdmissionControl {
    AdmissionControl::new(rules(total, per_owner, queue), LimitBook::local(), Arc::default())
}

fn owner(number: u8) -> Owner {
    format!("owner-{number}").parse().expect("an owner")
}

#[tokio::test(start_paused = true)]
async fn waiting_requests_are_served_or_time_out() {
    let admission_control = admission_control(1, 0, 1);
    let first = admission_control.enter(&owner(1), &Limits::default()).await.expect("there is a place");
    let waits = tokio::spawn({
        let admission_control = admission_control.clone();
        async move { admission_control.enter(&owner(2), &Limits::default()).await }
    });
    tokio::task::yield_now().await;
    match admission_control.enter(&owner(3), &Limits::default()).await {
        Err(ServiceError::QueueFull { most: 1, waiting: 1, queue: 1, .. }) => {}
        other => panic!("{:?}", other.err()),
    }
    assert_eq!((admission_control.fullness().waiting, admission_control.fullness().taken), (1, 1));
    drop(first);
    let second = waits.await.expect("no panic").expect("its turn");
    assert_eq!((admission_control.fullness().waiting, admission_control.fullness().taken), (0, 1));
    let since = Instant::now();
    match admission_control.enter(&owner(2), &Limits::default()).await {
        Err(ServiceError::QueueTimeout { waited, position: 1, waiting: 1, .. }) => {
            assert!(waited >= Duration::from_secs(30) && since.elapsed() < Duration::from_secs(31));
        }
        other => panic!("{:?}", other.err()),
    }
    assert_eq!(admission_control.fullness().recently_rejected, 2);
    drop(second);
    assert_eq!((admission_control.fullness().waiting, admission_control.fullness().taken), (0, 0));
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(admission_control.fullness().recently_rejected, 0);
}

#[tokio::test]
async fn owners_have_a_session_limit() {
    let admission_control = admission_control(0, 2, 0);
    let both = (
        admission_control.enter(&owner(1), &Limits::default()).await,
        admission_control.enter(&owner(1), &Limits::default()).await,
    );
    assert!(both.0.is_ok() && both.1.is_ok());
    assert!(matches!(
        admission_control.enter(&owner(1), &Limits::default()).await,
        Err(ServiceError::TooMany { most: 2, .. })
    ));
    assert!(admission_control.enter(&owner(2), &Limits::default()).await.is_ok());
    drop(both);
    assert!(admission_control.enter(&owner(1), &Limits::default()).await.is_ok());
    assert!(admission_control.state().of_owner.is_empty());
}

#[tokio::test]
async fn tenants_have_a_session_limit() {
    let admission_control = admission_control(0, 3, 0);
    let limits = Limits { max_sessions: Some(2), ..Limits::default() };
    let both = (admission_control.enter(&owner(1), &limits).await, admission_control.enter(&owner(1), &limits).await);
    assert!(both.0.is_ok() && both.1.is_ok());
    let refused = admission_control.enter(&owner(1), &limits).await.err();
    assert!(matches!(refused, Some(ServiceError::Limited(Refusal { limit: LimitName::Sessions, most: 2, .. }))));
    assert!(admission_control.enter(&owner(2), &limits).await.is_ok());
    drop(both);
    assert!(admission_control.enter(&owner(1), &limits).await.is_ok());
    // The server's own limit is the smaller one here.
    let limits = Limits { max_sessions: Some(9), ..Limits::default() };
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(admission_control.enter(&owner(1), &limits).await.expect("a place"));
    }
    let refused = admission_control.enter(&owner(1), &limits).await.err();
    assert!(matches!(refused, Some(ServiceError::TooMany { most: 3, .. })));
    drop(all);
    assert!(admission_control.state().of_owner.is_empty());
}

#[tokio::test]
async fn sessions_that_are_refused_for_their_number_are_no_starts() {
    let admission_control = admission_control(0, 0, 0);
    let limits = Limits { max_sessions: Some(1), sessions_per_minute: Some(2), ..Limits::default() };
    let first = admission_control.enter(&owner(1), &limits).await.expect("there is a place");
    for _ in 0..3 {
        let refused = admission_control.enter(&owner(1), &limits).await.err();
        assert!(matches!(refused, Some(ServiceError::Limited(Refusal { limit: LimitName::Sessions, .. }))));
    }
    drop(first);
    assert!(admission_control.enter(&owner(1), &limits).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn tenants_have_a_limit_of_starts_per_minute() {
    let admission_control = admission_control(0, 0, 0);
    let limits = Limits { sessions_per_minute: Some(2), ..Limits::default() };
    let start = async |number| admission_control.enter(&owner(number), &limits).await.map(drop);
    assert!(start(1).await.is_ok() && start(1).await.is_ok());
    match start(1).await {
        Err(ServiceError::Limited(refusal)) => {
            assert_eq!((refusal.limit, refusal.retry_seconds()), (LimitName::StartsPerMinute, 30));
        }
        other => panic!("{other:?}"),
    }
    assert!(start(2).await.is_ok(), "another tenant");
    let refusals = &admission_control.inner.metrics.limit_refusals;
    assert_eq!(refusals.get_or_create(&LimitLabels { limit: "sessions_per_minute" }).get(), 1);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(start(1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn tenants_have_a_share_of_the_queue() {
    let admission_control = admission_control(1, 0, 10);
    let place = admission_control.enter(&owner(9), &Limits::default()).await.expect("a place");
    let limits = Limits { queue_share: Some(20), ..Limits::default() };
    let wait = |number| {
        let admission_control = admission_control.clone();
        Box::pin(async move { admission_control.enter(&owner(number), &limits).await })
    };
    let (mut one, mut two, mut other) = (wait(1), wait(1), wait(2));
    assert!(futures_util::poll!(&mut one).is_pending() && futures_util::poll!(&mut two).is_pending());
    let refused = wait(1).await.err();
    assert!(matches!(refused, Some(ServiceError::Limited(Refusal { limit: LimitName::Queue, most: 2, .. }))));
    assert!(futures_util::poll!(&mut other).is_pending(), "another tenant may wait");
    // A place goes to the tenants in turn, and a waiter that leaves makes room for another.
    drop(place);
    let first = one.await.expect("its turn");
    assert!(futures_util::poll!(&mut two).is_pending());
    drop(first);
    drop(other.await.expect("its turn before the second of the other tenant"));
    drop(two.await.expect("its turn"));
    assert!(admission_control.state().of_owner.is_empty());
}

proptest! {
    /// In any order of arrivals, cancellations and departures: the limit is never exceeded, no request waits while there is
    /// a place, and at the end all places are free.
    #[test]
    fn no_order_of_events_loses_a_place(acts in prop::collection::vec((0_u8..3, 0_u8..6), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let admission_control = admission_control(3, 0, 5);
            let (mut places, mut waiting) = (Vec::new(), Vec::new());
            for (act, by) in acts {
                match act {
                    0 if !places.is_empty() => drop(places.remove(usize::from(by) % places.len())),
                    1 if !waiting.is_empty() => drop(waiting.remove(usize::from(by) % waiting.len())),
                    _ => {
                        let admission_control = admission_control.clone();
                        waiting.push(Box::pin(async move { admission_control.enter(&owner(by % 3), &Limits::default()).await }));
                    }
                }
                // Everybody looks whether it is his turn.
                let mut still = Vec::new();
                for mut waiter in waiting {
                    match futures_util::poll!(&mut waiter) {
                        std::task::Poll::Ready(done) => places.extend(done.ok()),
                        std::task::Poll::Pending => still.push(waiter),
                    }
                }
                waiting = still;
                let fullness = admission_control.fullness();
                assert_eq!((fullness.taken as usize, fullness.waiting), (places.len(), waiting.len()));
                assert!(places.len() <= 3 && (waiting.is_empty() || places.len() == 3));
            }
            drop((places, waiting));
            assert_eq!((admission_control.fullness().taken, admission_control.fullness().waiting), (0, 0));
            assert!(admission_control.state().of_owner.is_empty());
        });
    }
}

#[tokio::test(start_paused = true)]
async fn raised_limits_admit_those_that_wait_and_lowered_ones_end_nobody() {
    let admission_control = admission_control(1, 0, 2);
    let first = admission_control.enter(&owner(1), &Limits::default()).await.expect("there is a place");
    let waits = [2, 3].map(|number| {
        let admission_control = admission_control.clone();
        tokio::spawn(async move { admission_control.enter(&owner(number), &Limits::default()).await })
    });
    tokio::task::yield_now().await;
    assert_eq!(admission_control.fullness().waiting, 2);
    admission_control.set_rules(rules(3, 0, 2));
    let mut admitted = Vec::new();
    for wait in waits {
        admitted.push(wait.await.expect("no panic").expect("there is a place now"));
    }
    admission_control.set_rules(rules(1, 1, 0));
    let refused = admission_control.enter(&owner(2), &Limits::default()).await.err();
    assert!(matches!(refused, Some(ServiceError::TooMany { most: 1, .. })), "{refused:?}");
    let refused = admission_control.enter(&owner(4), &Limits::default()).await.err();
    assert!(matches!(refused, Some(ServiceError::QueueFull { most: 1, queue: 0, .. })), "{refused:?}");
    drop((first, admitted));
    let fullness = admission_control.fullness();
    assert_eq!((fullness.taken, fullness.most, fullness.queue), (0, Some(1), 0));
}

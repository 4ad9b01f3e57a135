use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

fn admission_control(total: u32, per_owner: u32, queue: usize) -> AdmissionControl {
    let rules = Admission {
        total: NonZeroU32::new(total),
        per_owner: NonZeroU32::new(per_owner),
        queue,
        timeout: Duration::from_secs(30),
    };
    AdmissionControl::new(rules, Arc::default())
}

fn owner(number: u8) -> Owner {
    format!("owner-{number}").parse().expect("an owner")
}

#[tokio::test(start_paused = true)]
async fn waiting_requests_are_served_or_time_out() {
    let admission_control = admission_control(1, 0, 1);
    let first = admission_control.enter(&owner(1)).await.expect("there is a place");
    let waits = tokio::spawn({
        let admission_control = admission_control.clone();
        async move { admission_control.enter(&owner(2)).await }
    });
    tokio::task::yield_now().await;
    match admission_control.enter(&owner(3)).await {
        Err(ServiceError::QueueFull { most: 1, waiting: 1, queue: 1, .. }) => {}
        other => panic!("{:?}", other.err()),
    }
    assert_eq!((admission_control.fullness().waiting, admission_control.fullness().taken), (1, 1));
    drop(first);
    let second = waits.await.expect("no panic").expect("its turn");
    assert_eq!((admission_control.fullness().waiting, admission_control.fullness().taken), (0, 1));
    let since = Instant::now();
    match admission_control.enter(&owner(2)).await {
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
    let both = (admission_control.enter(&owner(1)).await, admission_control.enter(&owner(1)).await);
    assert!(both.0.is_ok() && both.1.is_ok());
    assert!(matches!(admission_control.enter(&owner(1)).await, Err(ServiceError::TooMany { most: 2, .. })));
    assert!(admission_control.enter(&owner(2)).await.is_ok());
    drop(both);
    assert!(admission_control.enter(&owner(1)).await.is_ok());
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
                        waiting.push(Box::pin(async move { admission_control.enter(&owner(by % 3)).await }));
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

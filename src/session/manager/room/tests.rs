use std::{future::pending, time::Duration};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
/// The time that an import may take while others wait.
const UPLOAD: Duration = Duration::from_secs(5);

fn rooms(queue: usize) -> Rooms {
    let limits = SnapshotLimits { line: 1 << 20, transfers: 2, memory: 120 << 20, fields: 1, upload: UPLOAD };
    Rooms::new(limits, Admission { total: None, per_owner: None, queue, timeout: SECOND * 30 })
}

fn owner(name: &str) -> Owner {
    name.parse().expect("a name")
}

/// Room for a document of one tenant.
async fn take(rooms: &Rooms, bytes: usize) -> Result<Room, ServiceError> {
    rooms.take(&owner("one"), &Limits::default(), bytes).await
}

/// An import of a tenant that never sends its end, from when it has room.
async fn never_arrives(rooms: &Rooms, name: &str) -> ServiceError {
    let room = rooms.take(&owner(name), &Limits::default(), 1).await.expect("room");
    room.while_arriving(pending::<()>()).await.expect_err("it never arrives")
}

#[tokio::test(start_paused = true)]
async fn concurrent_documents_are_limited() {
    let rooms = rooms(1);
    let (first, _second) = (take(&rooms, 1).await.expect("room"), take(&rooms, 1).await.expect("room"));
    let late = take(&rooms, 1).await.expect_err("no room");
    assert!(matches!(late, ServiceError::Crowded { most: 2, .. }), "{late}");
    let third = take(&rooms, 1);
    let (third, ()) = tokio::join!(third, async { drop(first) });
    drop(third.expect("room that was freed"));
}

#[tokio::test(start_paused = true)]
async fn document_memory_is_limited() {
    let rooms = rooms(1);
    let large = take(&rooms, 6 << 20).await.expect("room");
    take(&rooms, 6 << 20).await.expect_err("both need more than there is");
    drop(large);
    drop(take(&rooms, 10 << 20).await.expect("all of it"));
    let never = take(&rooms, (10 << 20) + 1).await.expect_err("more than there ever is");
    assert!(matches!(never, ServiceError::Snapshot(RepositoryError::NoMemory { .. })), "{never}");
}

#[tokio::test(start_paused = true)]
async fn copied_session_states_count_as_documents() {
    let rooms = rooms(1);
    let to_hold = async || rooms.take_to_hold(&Owner::local(), &Limits::default()).await;
    let copied = to_hold().await.expect("room");
    take(&rooms, 6 << 20).await.expect_err("both need more than there is");
    drop(copied);
    drop(take(&rooms, 6 << 20).await.expect("room"));
    let _both = (to_hold().await.expect("room"), take(&rooms, 1).await.expect("room"));
    let late = to_hold().await.expect_err("there is no third place");
    assert!(matches!(late, ServiceError::Crowded { most: 2, .. }), "{late}");
}

#[tokio::test(start_paused = true)]
async fn waiting_documents_are_limited() {
    let rooms = rooms(0);
    let _both = (take(&rooms, 1).await.expect("room"), take(&rooms, 1).await.expect("room"));
    let since = Instant::now();
    take(&rooms, 1).await.expect_err("nobody may wait");
    assert_eq!(since.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn tenants_that_wait_take_turns() {
    let (rooms, order) = (rooms(10), Mutex::new(Vec::new()));
    let all_of_it = take(&rooms, 10 << 20).await.expect("all of it");
    let one = async |name: &'static str, at: u32| {
        let room = rooms.take(&owner(name), &Limits::default(), 10 << 20).await.expect("room");
        order.lock().expect("no panic").push((name, at));
        drop(room);
    };
    let all = async { tokio::join!(one("a", 1), one("a", 2), one("a", 3), one("b", 1), one("b", 2)) };
    tokio::join!(all, async {
        tokio::task::yield_now().await;
        drop(all_of_it);
    });
    assert_eq!(order.into_inner().expect("no panic"), [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)]);
}

#[tokio::test(start_paused = true)]
async fn imports_that_arrive_slowly_give_way_to_other_tenants() {
    let rooms = rooms(10);
    let since = Instant::now();
    let slow = async || never_arrives(&rooms, "attacker").await;
    // When one ends it is the third one's turn; then the second one ends.
    let both = async {
        let (first, second) = tokio::join!(slow(), slow());
        assert!(matches!(first, ServiceError::SlowImport { most: UPLOAD }), "{first}");
        assert!(matches!(second, ServiceError::SlowImport { most: UPLOAD }), "{second}");
        pending::<()>().await;
    };
    let victim = async {
        let _room = rooms.take(&owner("victim"), &Limits::default(), 1).await.expect("room of the attacker's");
        assert_eq!(since.elapsed(), UPLOAD);
        // Each has one now, so that nobody has to give way.
        rooms.take(&owner("victim"), &Limits::default(), 1).await.expect_err("no room");
        assert_eq!(since.elapsed(), UPLOAD + SECOND * 30);
    };
    tokio::select! {
        biased;
        () = both => {}
        ended = slow() => panic!("ended for nobody: {ended}"),
        () = victim => {}
    }
}

#[tokio::test(start_paused = true)]
async fn imports_that_arrive_slowly_go_on_while_no_other_tenant_waits() {
    let rooms = rooms(10);
    let slow = never_arrives(&rooms, "one");
    let both = async { tokio::join!(never_arrives(&rooms, "one"), take(&rooms, 1)).1 };
    tokio::select! {
        ended = slow => panic!("ended: {ended}"),
        late = both => panic!("{late:?}"),
        () = tokio::time::sleep(UPLOAD * 2) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn one_tenant_does_not_fill_the_queue() {
    let rooms = rooms(10);
    let _both = (take(&rooms, 1).await.expect("room"), take(&rooms, 1).await.expect("room"));
    let limits = Limits { queue_share: Some(10), ..Limits::default() };
    let one = owner("one");
    let waits = rooms.take(&one, &limits, 1);
    let refused = async {
        tokio::task::yield_now().await;
        rooms.take(&one, &limits, 1).await.expect_err("its place in the queue is taken")
    };
    tokio::select! {
        biased;
        room = waits => panic!("{room:?}"),
        refused = refused => assert!(matches!(refused, ServiceError::Limited(_)), "{refused}"),
    }
}

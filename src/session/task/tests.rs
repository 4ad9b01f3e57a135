//! The task by itself, on a browser that has nothing to say and a clock that jumps.

use futures_util::FutureExt as _;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::*;
use crate::{
    api_types::{Millis, Options, Owner, Request},
    browser::fake,
    config::{CdpSessionLimits, Limit, SnapshotLimits},
    session::{
        error::ServiceError,
        persistence::{HibernateGuard, PersistenceError},
    },
    tenant::{Access, Audit, Tenants},
};

fn caller() -> Caller {
    Caller {
        tenant: Tenants::local(Capabilities::strict()).all().remove(0),
        access: Access::default(),
        host: "here".into(),
    }
}

const SECOND: Duration = Duration::from_secs(1);

struct Alone;

impl SessionService for Alone {
    fn hibernate(
        &self,
        _: Arc<SessionInfo>,
        _: ContextHandle,
    ) -> BoxFuture<'static, Result<HibernateGuard, PersistenceError>> {
        unreachable!("no session of these tests is saved")
    }

    fn autosave(&self, _: Arc<SessionInfo>, _: ContextHandle) -> BoxFuture<'static, Result<(), PersistenceError>> {
        unreachable!("no session of these tests is saved")
    }

    fn ask(&self, _: Caller, _: Arc<str>, _: Request) -> BoxFuture<'static, Result<String, ServiceError>> {
        async { Err(ServiceError::Closing) }.boxed()
    }
}

/// A session that runs, and what becomes of it.
struct Running {
    control: mpsc::Sender<Box<Control>>,
    seen: fake::Seen,
    ended: oneshot::Receiver<(CloseReason, Duration)>,
    metrics: Arc<Metrics>,
}

impl Running {
    /// The reason of its end, and after how long that came. By then all that it had is given back, once.
    async fn end(self) -> (CloseReason, Duration) {
        let ended = self.ended.await.expect("it ends with a reason");
        tokio::time::sleep(FAREWELL * 2).await;
        assert_eq!(self.seen.released(), 1);
        assert!(self.control.is_closed());
        let Metrics { sessions, sessions_parked, sessions_queued, views, .. } = &*self.metrics;
        assert_eq!([sessions.get(), sessions_parked.get(), sessions_queued.get(), views.get()], [0; 4]);
        ended
    }
}

/// Starts a session with these deadlines; with a client, of which the other end is returned.
async fn start(options: Options, ping_interval: Duration, with_client: bool) -> (Running, Option<TcpStream>) {
    let any = Limit { default: Duration::ZERO, most: None, zero_is_endless: true };
    let metrics = Arc::<Metrics>::default();
    let deadlines = Deadlines {
        timeout: any,
        idle_timeout: any,
        keep_alive: any,
        park_keep_alive: SECOND,
        hibernate_after: Duration::ZERO,
        autosave: Duration::ZERO,
    };
    let queue = ClientQueue { soft: 1 << 20, hard: 1 << 20, total: 1 << 20, stall: SECOND };
    let terms = Terms {
        cdp_sessions: CdpSessionLimits::default(),
        clients_per_session: 8,
        screenshot_queue: 1,
        max_client_frame: 1 << 20,
        queue,
        deadlines,
        ping_interval,
        ledger: Ledger::new(1 << 20),
        snapshots: SnapshotLimits { line: 1 << 20, transfers: 1, memory: 1 << 24, fields: 10 },
        directory: PathBuf::from("/nowhere"),
        metrics: metrics.clone(),
        audit: Audit::default(),
    };
    let (lease, seen) = fake::lease();
    let (control, asked) = mpsc::channel(8);
    let record = Record::new("test".into(), 1, Owner::local(), options, &deadlines, metrics.clone()).expect("good");
    let (tenant, sessions) = (caller().tenant, Arc::new(Alone));
    let start = Start { record, lease, tenant, is_shared: false, control: asked, sessions };
    let ledger = terms.ledger.clone();
    let mut live = Box::new(SessionTask::new(Arc::new(terms), "BROWSER".into(), start));
    let mut far = None;
    if with_client {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let connect = TcpStream::connect(listener.local_addr().expect("an address"));
        let (near, there) = tokio::join!(listener.accept(), connect);
        let root = live.root().await.expect("a root");
        let client = Client::new(near.expect("a socket").0, &[], ledger, now());
        live.seat(client, root, caller(), false);
        far = there.ok();
    } else {
        live.park();
    }
    let (told, ended) = oneshot::channel();
    let since = now();
    tokio::spawn(live.run(move |reason| {
        let _ = told.send((reason.clone(), now() - since));
    }));
    (Running { control, seen, ended, metrics }, far)
}

/// The code of the close frame that a client got, whatever came before it.
async fn code(far: Option<TcpStream>) -> u16 {
    let mut got = Vec::new();
    let _ = far.expect("a client").read_to_end(&mut got).await;
    let at = got.windows(1).position(|byte| byte[0] == 0x88).unwrap_or_else(|| panic!("no close frame in {got:?}"));
    u16::from_be_bytes([got[at + 2], got[at + 3]])
}

#[tokio::test(start_paused = true)]
async fn sessions_without_client_end_after_keep_alive() {
    let options =
        Options { keep_alive: Some(Millis(SECOND * 60)), timeout: Some(Millis(SECOND * 90)), ..Options::default() };
    let (running, _) = start(options, Duration::ZERO, false).await;
    let (reason, after) = running.end().await;
    assert_eq!(reason, CloseReason::Forgotten(SECOND * 60));
    assert!(after >= SECOND * 60 && after < SECOND * 61, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn sessions_end_at_their_timeout_with_clients_connected() {
    let options =
        Options { keep_alive: Some(Millis(SECOND * 600)), timeout: Some(Millis(SECOND * 90)), ..Options::default() };
    let (running, _) = start(options.clone(), Duration::ZERO, false).await;
    let (reason, after) = running.end().await;
    assert_eq!(reason, CloseReason::Expired(SECOND * 90));
    assert!(after >= SECOND * 90 && after < SECOND * 91, "{after:?}");
    let (running, far) = start(options, Duration::ZERO, true).await;
    let (code, (reason, after)) = tokio::join!(code(far), running.end());
    assert_eq!((code, reason), (4001, CloseReason::Expired(SECOND * 90)));
    assert!(after >= SECOND * 90 && after < SECOND * 91, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn sessions_with_silent_clients_end_after_the_idle_timeout() {
    let options = Options {
        idle_timeout: Some(Millis(SECOND * 30)),
        keep_alive: Some(Millis(SECOND * 600)),
        ..Options::default()
    };
    let (running, far) = start(options.clone(), Duration::ZERO, true).await;
    let (code, (reason, after)) = tokio::join!(code(far), running.end());
    assert_eq!((code, reason), (4002, CloseReason::Idle(SECOND * 30)));
    assert!(after >= SECOND * 30 && after < SECOND * 31, "{after:?}");
    // Nobody can be idle who is not there.
    let (running, _) = start(options, Duration::ZERO, false).await;
    assert_eq!(running.end().await.0, CloseReason::Forgotten(SECOND * 600));
}

#[tokio::test(start_paused = true)]
async fn clients_without_pong_are_disconnected_and_their_session_parks() {
    let options = Options { keep_alive: Some(Millis(SECOND * 600)), ..Options::default() };
    let (running, far) = start(options, SECOND * 30, true).await;
    let (code, (reason, after)) = tokio::join!(code(far), running.end());
    assert_eq!((code, reason), (4008, CloseReason::Forgotten(SECOND * 600)));
    // Eleven times nothing, and then its keep_alive.
    assert!(after >= SECOND * 900 && after <= SECOND * 1000, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn changed_deadlines_keep_their_start() {
    let options = Options { keep_alive: Some(Millis(SECOND * 60)), ..Options::default() };
    let (running, _) = start(options, Duration::ZERO, false).await;
    tokio::time::sleep(SECOND * 50).await;
    let (reply, answer) = oneshot::channel();
    let options = Options { keep_alive: Some(Millis(SECOND * 100)), ..Options::default() };
    let update = Control::Update { caller: caller(), options, reply };
    assert!(running.control.send(Box::new(update)).await.is_ok());
    assert_eq!(answer.await.expect("an answer").expect("good").keep_alive, Millis(SECOND * 100));
    let (reason, after) = running.end().await;
    assert_eq!(reason, CloseReason::Forgotten(SECOND * 100));
    assert!(after >= SECOND * 100 && after < SECOND * 101, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn sessions_without_keep_alive_end_with_their_client() {
    let (running, far) = start(Options::default(), Duration::ZERO, true).await;
    drop(far);
    assert_eq!(running.end().await.0, CloseReason::LastClientLeft);
}

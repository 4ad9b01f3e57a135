//! The task by itself, on a browser that has nothing to say and a clock that jumps.

use std::path::PathBuf;

use futures_util::FutureExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::*;
use crate::{
    api_types::{Isolation, LaunchPolicy, Millis, Options, Owner, Request},
    browser::fake,
    config::{
        Capabilities, CdpSessionLimits, ClientQueue, KeptLimits, Limit, PageLimits, RequestLimits, SnapshotLimits,
    },
    metrics::Metrics,
    session::{
        client::Ledger,
        error::ServiceError,
        launch::LaunchLimits,
        persistence::{HibernateGuard, PersistenceError},
        session_files::{FileLimits, FilesBook},
    },
    tenant::{Access, Audit, LimitBook, Limits, ServerNetwork, Tenant, TenantSettings, Tenants},
};

fn caller() -> Caller {
    Caller {
        tenant: Tenants::local(Capabilities::strict()).all().remove(0),
        access: Access::default(),
        base: Arc::new(BaseUrl::plain("here")),
    }
}

const SECOND: Duration = Duration::from_secs(1);
const KEPT: KeptLimits = KeptLimits { time: SECOND, count: 1, bytes: 1 };
const FILES: FileLimits = FileLimits { session: 1 << 20, owner: 1 << 20, count: 10 };

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

    fn save_profile(
        &self,
        _: Arc<SessionInfo>,
        _: ContextHandle,
        _: Option<u64>,
        _: Option<Arc<crate::store::ProfileLease>>,
    ) -> BoxFuture<'static, Result<(), PersistenceError>> {
        unreachable!("no session of these tests has a profile")
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
    start_limited(options, ping_interval, with_client, Limits::default()).await
}

/// As [`start`], for a tenant with these limits.
async fn start_limited(
    options: Options,
    ping_interval: Duration,
    with_client: bool,
    limits: Limits,
) -> (Running, Option<TcpStream>) {
    let any = Limit { default: Duration::ZERO, most: None, zero_is_endless: true };
    let metrics = Arc::<Metrics>::default();
    let deadlines = Deadlines {
        timeout: any,
        idle_timeout: any,
        keep_alive: any,
        park_keep_alive: SECOND,
        hibernate_after: Duration::ZERO,
        autosave: Duration::ZERO,
        keep_files: any,
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
        snapshots: SnapshotLimits { line: 1 << 20, transfers: 1, memory: 1 << 24, fields: 10, upload: SECOND },
        pages: PageLimits {
            timeout: SECOND,
            timeout_most: SECOND,
            queue: 1,
            result: 1 << 20,
            idle: SECOND,
            actions: 1,
            handles: 1,
            history: 0,
            quick_body: 1 << 20,
            log_entries: 1,
            log_bytes: 1 << 10,
        },
        block_list: None,
        requests: RequestLimits { keys: KEPT, jobs: KEPT, secrets: 1 },
        launch: LaunchTerms {
            policy: LaunchPolicy::Dedicated,
            limits: LaunchLimits { flags: 1, bytes: 1 },
            extensions: None,
            is_gated: false,
            in_namespace: false,
        },
        network: ServerNetwork::default(),
        directory: PathBuf::from("/nowhere"),
        files: FILES,
        user_data: None,
        user_data_quota: 0,
        metrics: metrics.clone(),
        audit: Audit::default(),
        usage: Arc::default(),
        tenants: Tenants::local(Capabilities::local()),
    };
    let (lease, seen) = fake::lease();
    let (control, asked) = mpsc::channel(8);
    let record = Record::new("test".into(), Owner::local(), Isolation::Shared, options, &deadlines, metrics.clone())
        .expect("good");
    let settings = TenantSettings { limits, ..TenantSettings::default() };
    let (tenant, sessions) = (Tenant::new(Owner::local(), settings), Arc::new(Alone));
    let pace = LimitBook::local().pace(&Owner::local(), &limits, now());
    let files = FilesBook::new(PathBuf::from("/nowhere")).open(&record.session_info().session_id(), FILES);
    let start = Start {
        record,
        lease,
        tenant,
        pace,
        slow_mo: 0,
        proxy: None,
        is_shared: false,
        control: asked,
        sessions,
        files,
    };
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

/// A frame as a client sends it; the mask is zero.
fn frame(code: u8, text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short");
    assert!(length < 126);
    [&[0x80 | code, 0x80 | length, 0, 0, 0, 0], text].concat()
}

const TEXT: u8 = 1;
const PING: u8 = 9;
const PONG: u8 = 10;
const CLOSE: u8 = 8;

/// The next frame of the server: its code and its text.
async fn next_frame(far: &mut TcpStream) -> (u8, Vec<u8>) {
    let code = far.read_u8().await.expect("a frame") & 0xf;
    let length = match far.read_u8().await.expect("a length") {
        126 => far.read_u16().await.expect("a length").into(),
        length => usize::from(length),
    };
    let mut text = vec![0; length];
    far.read_exact(&mut text).await.expect("the text");
    (code, text)
}

fn bytes_per_second(most: u64) -> Limits {
    Limits { bytes_per_second: Some(most), ..Limits::default() }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_delayed_is_not_idle_and_its_pings_are_answered() {
    let options = Options {
        idle_timeout: Some(Millis(SECOND * 2)),
        keep_alive: Some(Millis(SECOND * 600)),
        ..Options::default()
    };
    let (running, far) = start_limited(options, Duration::ZERO, true, bytes_per_second(10)).await;
    let (mut far, since) = (far.expect("a client"), now());
    // No JSON: the proxy answers it. One second's worth passes at once, the rest takes 3.5 s.
    let both = [frame(TEXT, &[b'x'; 45]), frame(PING, b"here")].concat();
    far.write_all(&both).await.expect("sent");
    assert_eq!(next_frame(&mut far).await, (PONG, b"here".to_vec()));
    let (code, text) = next_frame(&mut far).await;
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(code == TEXT && text.contains("-32700"), "{code} {text}");
    let took = now() - since;
    assert!(took >= SECOND * 7 / 2 && took < SECOND * 4, "{took:?}");
    // From here on it is idle.
    let (code, text) = next_frame(&mut far).await;
    assert_eq!((code, u16::from_be_bytes([text[0], text[1]])), (CLOSE, 4002));
    let took = now() - since;
    assert!(took >= SECOND * 11 / 2 && took < SECOND * 7, "{took:?}");
    drop(far);
    assert_eq!(running.end().await.0, CloseReason::Idle(SECOND * 2));
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_frame_is_delayed_too_long_is_disconnected_and_its_session_parks() {
    let options = Options { keep_alive: Some(Millis(SECOND * 60)), ..Options::default() };
    let (running, far) = start_limited(options, Duration::ZERO, true, bytes_per_second(10)).await;
    let (mut far, since) = (far.expect("a client"), now());
    far.write_all(&frame(TEXT, &[b'x'; 100])).await.expect("sent");
    let (code, text) = next_frame(&mut far).await;
    assert_eq!((code, u16::from_be_bytes([text[0], text[1]])), (CLOSE, 4008));
    let text = String::from_utf8_lossy(&text[2..]).into_owned();
    assert!(text.contains("bytes_per_second") && text.contains("10"), "{text}");
    let took = now() - since;
    assert!(took >= SECOND * 5 && took < SECOND * 6, "{took:?}");
    drop(far);
    assert_eq!(running.metrics.clients_too_fast.get(), 1);
    assert_eq!(running.end().await.0, CloseReason::Forgotten(SECOND * 60));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_does_not_wait_for_a_frame_that_is_delayed() {
    for by_client in [true, false] {
        let (running, far) = start_limited(Options::default(), Duration::ZERO, true, bytes_per_second(10)).await;
        let mut far = far.expect("a client");
        let last = if by_client { frame(CLOSE, &[]) } else { frame(PING, b"") };
        far.write_all(&[frame(TEXT, &[b'x'; 45]), last].concat()).await.expect("sent");
        if !by_client {
            assert_eq!(next_frame(&mut far).await.0, PONG);
            assert!(running.control.send(Box::new(Control::End(CloseReason::Killed))).await.is_ok());
        }
        let (reason, after) = running.end().await;
        assert_eq!(reason, if by_client { CloseReason::LastClientLeft } else { CloseReason::Killed });
        assert!(after < SECOND, "{after:?}");
    }
}

//! A browser for tests that accepts every request and sends nothing.

use std::sync::atomic::AtomicUsize;

use super::{codec::Writer, egress::LeaseEgress, *};
use crate::{cdp::error::CdpError, port::FromBrowser};

/// The events of a [`lease`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    released: Arc<AtomicUsize>,
}

impl Seen {
    /// How often the lease was returned.
    pub(crate) fn released(&self) -> usize {
        self.released.load(Ordering::Relaxed)
    }
}

/// A lease in such a browser. The task ends with the last handle on it.
pub(crate) fn lease() -> (Lease, Seen) {
    let (orders, mut taken) = mpsc::unbounded_channel();
    let seen = Seen::default();
    let no = CdpError::server("the browser is a fake");
    let identity = Identity {
        version: "{}".to_owned(),
        product: "Chrome/156".to_owned(),
        no_target_to_close: no.clone(),
        no_context_for_target: no,
    };
    let shared = Shared {
        id: BrowserId(0),
        orders,
        identity,
        pid: None,
        profile: None,
        extensions: Arc::default(),
        cgroup: None,
        egress: None,
        proved: AtomicBool::new(false),
        leases: AtomicU64::new(1),
        held: records::Held::default(),
        live: AtomicI64::new(0),
        served: AtomicU64::new(0),
        own_roots: AtomicUsize::new(0),
        exclusive: watch::Sender::new(false),
        framing: Framing::JSON_PIPE,
        permits: Permits::new(20_000_000),
        openings: Openings::new(4),
        bytes: Arc::default(),
        close: CancellationToken::new(),
        dedicated: Arc::default(),
        killed: Arc::default(),
    };
    let lease = Lease {
        id: LeaseId(1),
        base: "BASE".into(),
        context: LeaseContext::Created("CTX".into()),
        spare_root: Some("ROOT".into()),
        account: Arc::default(),
        counted: false,
        claimed: AtomicBool::new(false),
        writer: Writer::new(Framing::JSON_PIPE),
        egress: Arc::new(LeaseEgress::new(None, None)),
        browser: Browser { shared: Arc::new(shared) },
    };
    let released = seen.released.clone();
    tokio::spawn(async move {
        let mut inboxes = Vec::new();
        while let Some(order) = taken.recv().await {
            match order {
                LinkRequest::Open { inbox, .. } => {
                    let _ = inbox.send(Parcel::Plain(FromBrowser::Introduced));
                    inboxes.push(inbox);
                }
                LinkRequest::Own { reply, .. } => {
                    let _ = reply.send(Reply::Result(r#"{"sessionId":"ROOT2"}"#.to_owned()));
                }
                LinkRequest::Release { .. } => {
                    released.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            }
        }
    });
    (lease, seen)
}

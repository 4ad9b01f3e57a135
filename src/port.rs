//! What passes between a lease in a browser and the session that holds it. PURE: values only.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use crate::cdp::{
    emulation::Change,
    error::CdpError,
    ids::{CallId, CdpSessionId, ContextId, TargetId},
    json_object::quote,
    permission::Ruling,
    target::Filter,
};

/// A browser of the pool, by its number. One that is replaced keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrowserId(pub u32);

impl std::fmt::Display for BrowserId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A session's own number for a command it sends upstream under an id of the link's.
pub type Tag = u64;

/// How a resume goes up, if it does.
#[derive(Debug)]
pub enum ResumeAs {
    /// As the client wrote it.
    Frame {
        /// The frame.
        text: Bytes,
        /// Its id, for the answer if it is kept back.
        id: CallId,
    },
    /// Under an id of the link's.
    Call(Tag),
}

/// A command that goes out under an id of the link's.
#[derive(Debug)]
pub struct Call {
    /// The CDP session; `None` is the root connection.
    pub on: Option<CdpSessionId>,
    /// The method.
    pub method: Cow<'static, str>,
    /// Its params, as JSON.
    pub params: String,
    /// What the link itself must learn from the reply.
    pub settle: Settle,
}

impl Call {
    /// `Target.attachToTarget`: a flat CDP session on a target, below a browser-level one. The link holds it back, or
    /// refuses it, where Chrome would end by it.
    pub fn attach(on: Option<CdpSessionId>, target: TargetId) -> Self {
        let params = format!(r#"{{"targetId":{},"flatten":true}}"#, quote(target.as_str()));
        Self { on, method: "Target.attachToTarget".into(), params, settle: Settle::Attach(target) }
    }
}

/// What a [`Permit`] holds, and gives back when it is dropped.
pub trait Guard: std::fmt::Debug + Send + Sync {
    /// Nobody will say when it is over: it counts until it would be late.
    fn leave(self: Box<Self>);
}

/// The permission to do what all sessions of a browser share out among them; dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    held: Box<dyn Guard>,
}

impl Permit {
    /// A permission that holds `guard`.
    pub fn new(guard: impl Guard + 'static) -> Self {
        Self { held: Box::new(guard) }
    }

    /// What was permitted goes on, and nobody will say when it is over: it counts until it would be late.
    pub fn leave(self) {
        self.held.leave();
    }
}

/// What the link learns from a reply before anybody else sees it.
#[derive(Clone, Debug, Default)]
pub enum Settle {
    /// Nothing.
    #[default]
    Plain,
    /// The context in the reply belongs to the lease that asked.
    Bind,
    /// The context is gone.
    Unbind(ContextId),
    /// The CDP session in the reply is a browser-level one of the lease that asked, or of the proxy itself.
    Root,
    /// As [`Settle::Root`]: the one that owns the contexts, and that no client ever sees.
    Base,
    /// The target in the reply is a page of the proxy's own in this context: no client is shown it.
    Conceal(ContextId),
    /// This is what holds in this context from now on.
    Rule(ContextId, Ruling),
    /// This is what the page pretends from now on.
    Emulate(TargetId, Change),
    /// A client attaches to this target.
    Attach(TargetId),
    /// The reply names a new target: it is delivered once this root of the client was told of the target.
    Names(CdpSessionId),
    /// Auto-attach does so explicitly. If it is refused, what was expected will not come.
    AutoAttach(TargetId),
}

/// Which of the two mutually exclusive kinds of browser-level auto-attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// Pages and workers (Playwright).
    Page,
    /// Tabs and workers (Puppeteer).
    Tab,
}

/// A browser-level `Target.setAutoAttach` that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Decided by whether the filter lets tabs through.
    pub flavour: Flavour,
    /// The client's filter.
    pub filter: Filter,
    /// `waitForDebuggerOnStart`.
    pub wait: bool,
}

/// What reaches a lease, in the order of the pipe.
#[derive(Debug)]
pub enum FromBrowser {
    /// A reply or an event on one of its CDP sessions, as Chrome wrote it.
    Message {
        /// The CDP session named at its end.
        on: CdpSessionId,
        /// The id, if it is a reply.
        id: Option<CallId>,
        /// The text up to where `,"sessionId":…` begins.
        body_end: usize,
        /// The whole text.
        text: Bytes,
    },
    /// The answer to a command sent under an id of ours.
    Reply {
        /// Which.
        tag: Tag,
        /// Chrome's `result`, or its error.
        reply: Reply,
    },
    /// Something about its targets.
    Told(Told),
    /// It has been told of all the targets it began with: from here on it can answer for them.
    Introduced,
    /// A download event of one of its contexts: method and params as Chrome wrote them.
    Download {
        /// `Browser.downloadWillBegin` or `Browser.downloadProgress`.
        method: &'static str,
        /// Chrome's text.
        params: String,
    },
    /// There is room again for what its clients send.
    Room,
    /// The browser is lost, and the lease with it.
    Lost(Arc<str>),
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Chrome's `result`, as it wrote it.
    Result(String),
    /// Chrome's error.
    Error(CdpError),
}

/// What a lease is told about its targets, in the order of the pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The proxy made one more context for it.
    Context {
        /// Its id.
        context: ContextId,
    },
    /// A target is there; `info` is Chrome's `TargetInfo`.
    Created {
        /// Its id.
        target: TargetId,
        /// Chrome's text.
        info: String,
    },
    /// Its `TargetInfo` changed.
    Changed {
        /// Its id.
        target: TargetId,
        /// Chrome's text.
        info: String,
    },
    /// It is gone.
    Destroyed {
        /// Its id.
        target: TargetId,
    },
    /// It crashed; `params` is Chrome's.
    Crashed {
        /// Its id.
        target: TargetId,
        /// Chrome's text.
        params: String,
    },
    /// The proxy has a page pretend what clients of an earlier session wanted it to, until a client says otherwise.
    Emulated {
        /// The page.
        target: TargetId,
        /// The CDP session by which it does so.
        by: CdpSessionId,
        /// What.
        what: Vec<Change>,
    },
    /// A CDP session of this lease began.
    Attached {
        /// The CDP session on which the client is told of it.
        parent: CdpSessionId,
        /// The new one.
        child: CdpSessionId,
        /// What it is attached to.
        target: TargetId,
        /// Chrome's `TargetInfo`.
        info: String,
        /// Whether the target waits for this CDP session to resume it.
        waiting: bool,
    },
    /// A CDP session of this lease ended, with all below it.
    Detached {
        /// The CDP session on which the client was told of it.
        parent: CdpSessionId,
        /// The one that ended.
        child: CdpSessionId,
        /// What it was attached to.
        target: TargetId,
        /// The other CDP sessions that went with it, deepest first.
        below: Vec<CdpSessionId>,
    },
}

/// What a browser said of itself, and the words it uses; asked once at its start.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The `result` of `Browser.getVersion`, as Chrome wrote it.
    pub version: String,
    /// `product`, for example `HeadlessChrome/156.0.8078.79`.
    pub product: String,
    /// How this build says that a target to close does not exist.
    pub no_target_to_close: CdpError,
    /// How this build says that a context for a new target does not exist; with [`Identity::NOBODY`] for its id.
    pub no_context_for_target: CdpError,
}

impl Identity {
    /// The id of nothing, by which a browser is made to say its words for what does not exist.
    pub const NOBODY: &str = "ghostmux-asks-for-nobody";

    /// The error for a target that is to be created in a context that is not there.
    pub fn no_context_for_target(&self, context: &str) -> CdpError {
        let mut error = self.no_context_for_target.clone();
        error.message = error.message.replace(Self::NOBODY, context).into();
        error
    }

    /// The first number of its version; 0 if it names none.
    pub fn major(&self) -> u32 {
        let version = self.product.rsplit('/').next().unwrap_or_default();
        version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
    }
}

//! The messages between a lease in a browser and the session that holds it. PURE: values only.

mod context;
pub mod egress;
mod launch;

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

pub use self::{
    context::{ContextProxy, NewContext},
    launch::{Extension, LaunchSpec, LockedDirectory, PageSetup, ScreenSize, UserData},
};

/// A browser of the pool, by its number. One that is replaced keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrowserId(pub u32);

impl std::fmt::Display for BrowserId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A session's own number for a command that it sends to Chrome under an id of the link.
pub type Tag = u64;

/// The form in which a resume is sent to Chrome.
#[derive(Debug)]
pub enum ResumeAs {
    /// The client's own frame.
    Frame {
        /// The frame.
        text: Bytes,
        /// Its id, for the reply if it is not sent.
        id: CallId,
    },
    /// A command under an id of the link.
    Call(Tag),
}

/// A command that is sent to Chrome under an id of the link.
#[derive(Debug)]
pub struct Call {
    /// The CDP session; `None` is the root connection.
    pub on: Option<CdpSessionId>,
    /// The method.
    pub method: Cow<'static, str>,
    /// Its params, as JSON.
    pub params: String,
    /// What the link itself records from the reply.
    pub settle: Settle,
}

impl Call {
    /// `Target.attachToTarget`: a flat CDP session on a target, below a browser-level one. The link
    /// delays or refuses it if it would end Chrome.
    pub fn attach(on: Option<CdpSessionId>, target: TargetId) -> Self {
        let params = format!(r#"{{"targetId":{},"flatten":true}}"#, quote(target.as_str()));
        Self { on, method: "Target.attachToTarget".into(), params, settle: Settle::Attach(target) }
    }

    /// `Target.closeTarget`. The link repeats it while the page is still there.
    pub fn close(on: Option<CdpSessionId>, page: TargetId) -> Self {
        let params = format!(r#"{{"targetId":{}}}"#, quote(page.as_str()));
        Self { on, method: "Target.closeTarget".into(), params, settle: Settle::Close(page) }
    }
}

/// The resource of a [`Permit`], which is returned when the guard is dropped.
pub trait Guard: std::fmt::Debug + Send + Sync {
    /// The end will not be reported: the resource counts until its deadline.
    fn leave(self: Box<Self>);
}

/// The permission to use a limited resource that all sessions of a browser share; dropping it returns the resource.
#[derive(Debug)]
pub struct Permit {
    held: Box<dyn Guard>,
}

impl Permit {
    /// A permission with this guard.
    pub fn new(guard: impl Guard + 'static) -> Self {
        Self { held: Box::new(guard) }
    }

    /// The permitted work continues, and its end will not be reported: it counts until its deadline.
    pub fn leave(self) {
        self.held.leave();
    }
}

/// What the link records from a reply before the reply is delivered.
#[derive(Clone, Debug, Default)]
pub enum Settle {
    /// Nothing.
    #[default]
    Plain,
    /// The context in the reply belongs to the lease that asked; this is its gate, if it has one. The gate is kept until
    /// Chrome has disposed of the context.
    Bind(Option<egress::OpenedGate>),
    /// Chrome's own default context, which the reply names, belongs to the lease that asked.
    BindNative,
    /// The context was disposed of.
    Unbind(ContextId),
    /// The CDP session in the reply is a browser-level one of the lease that asked, or of the proxy itself.
    Root,
    /// As [`Settle::Root`]: the one that owns the contexts, which clients do not see.
    Base,
    /// This page closes. The command is repeated if the page stays.
    Close(TargetId),
    /// The target in the reply is a hidden page of the proxy in this context.
    Conceal(ContextId),
    /// These permissions apply in this context from now on.
    Rule(ContextId, Ruling),
    /// This emulation applies to the page from now on.
    Emulate(TargetId, Change),
    /// A client attaches to this target.
    Attach(TargetId),
    /// The reply names a new target: it is delivered once this root of the client was told of the target.
    Names(CdpSessionId),
    /// Auto-attach attaches explicitly. If Chrome refuses, no CDP session is expected any more.
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

/// The messages to a lease, in the order of the pipe.
#[derive(Debug)]
pub enum FromBrowser {
    /// A reply or an event on one of its CDP sessions, unchanged.
    Message {
        /// The CDP session named at its end.
        on: CdpSessionId,
        /// The id, if it is a reply.
        id: Option<CallId>,
        /// The length of the text before `,"sessionId":…`.
        body_end: usize,
        /// The whole text.
        text: Bytes,
    },
    /// The reply to a command under an id of the link.
    Reply {
        /// The lease's number for the command.
        tag: Tag,
        /// Chrome's `result`, or its error.
        reply: Reply,
    },
    /// An event about its targets.
    Told(Told),
    /// All initial targets of the lease were reported: from now on the session can answer for them.
    Introduced,
    /// A download event of one of its contexts: method and params as Chrome wrote them.
    Download {
        /// `Browser.downloadWillBegin` or `Browser.downloadProgress`.
        method: &'static str,
        /// Chrome's text.
        params: String,
    },
    /// There is room again for commands of its clients.
    Room,
    /// The browser was lost, and the lease with it.
    Lost(Arc<str>),
}

/// The outcome of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Chrome's `result`, unchanged.
    Result(String),
    /// Chrome's error.
    Error(CdpError),
}

/// The events about its targets that a lease receives, in the order of the pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The proxy created another context for it.
    Context {
        /// Its id.
        context: ContextId,
    },
    /// A target was created; `info` is Chrome's `TargetInfo`.
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
    /// The target was destroyed.
    Destroyed {
        /// Its id.
        target: TargetId,
    },
    /// The target crashed; `params` is Chrome's.
    Crashed {
        /// Its id.
        target: TargetId,
        /// Chrome's text.
        params: String,
    },
    /// The proxy restored the emulation of a page from a snapshot; it applies until a client changes it.
    Emulated {
        /// The page.
        target: TargetId,
        /// The CDP session on which it was set.
        by: CdpSessionId,
        /// The emulation.
        what: Vec<Change>,
    },
    /// The proxy has set the emulation of a page that the launch options of the session ask for; it applies until a client
    /// changes it. The CDP session stays.
    SetUp {
        /// The page.
        target: TargetId,
        /// The CDP session on which it was set.
        by: CdpSessionId,
        /// The emulation.
        what: Vec<Change>,
    },
    /// A CDP session of this lease began.
    Attached {
        /// The CDP session on which the client is told of it.
        parent: CdpSessionId,
        /// The new one.
        child: CdpSessionId,
        /// Its target.
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
        /// Its target.
        target: TargetId,
        /// The other CDP sessions that ended with it, deepest first.
        below: Vec<CdpSessionId>,
    },
}

/// The version of a browser and its error texts, requested once at its start.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The `result` of `Browser.getVersion`, unchanged.
    pub version: String,
    /// `product`, for example `HeadlessChrome/156.0.8078.79`.
    pub product: String,
    /// This build's error for closing an unknown target.
    pub no_target_to_close: CdpError,
    /// This build's error for creating a target in an unknown context; with [`Identity::NOBODY`] as its id.
    pub no_context_for_target: CdpError,
}

impl Identity {
    /// An id that does not exist, to request the browser's errors for unknown objects.
    pub const NOBODY: &str = "ghostmux-unknown-id";

    /// The error for creating a target in this unknown context.
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

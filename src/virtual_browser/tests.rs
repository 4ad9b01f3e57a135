//! A [`Pair`] is a virtual browser with one client and a link that only records the requests; a test plays both of
//! its ends. Contexts `CTX` (the default one), root `ROOT`, page `P` of tab `T`, CDP session `S` on it.

mod attach;
mod browser;
mod crashed_pages;
mod decisions;
mod dialog_guard;
mod emulation;
mod extensions;
mod files;
mod frames;
mod ghost;
mod holes;
mod liveness_check;
mod network_buffers;
mod outbox;
mod ownership;
mod page_limit;
#[cfg(feature = "server")]
mod record;
mod replay;
mod scope;
mod target;

use std::collections::VecDeque;

use super::*;
use crate::{
    api_types::capability::Capabilities,
    cdp::{json_object::JsonObject, message},
    port::{ContextProxy, Flavour, NewContext, Reply, Settle},
};

const VIEW: ViewId = ViewId(1);

/// The `TargetInfo` of a page.
fn info(target: &str, kind: &str, context: &str) -> String {
    format!(
        r#"{{"targetId":"{target}","type":"{kind}","title":"","url":"http://x/","attached":true,"canAccessOpener":false,"browserContextId":"{context}"}}"#
    )
}

struct Pair {
    session: VirtualBrowser,
    /// Commands whose reply has not been fed yet, in order.
    tags: VecDeque<Tag>,
    /// Of these the session is to be reminded.
    reminders: Vec<Tag>,
    /// What was noted of downloads.
    notes: Vec<DownloadNote>,
}

impl Pair {
    fn with(caps: Capabilities) -> Self {
        let identity = Identity {
            version: r#"{"product":"Chrome/156"}"#.to_owned(),
            product: "Chrome/156".to_owned(),
            no_target_to_close: CdpError::new(-32602, "No such target to close"),
            no_context_for_target: CdpError::server(format!("No such context {}", Identity::NOBODY)),
        };
        let directory = PathBuf::from("/own");
        let mut session = VirtualBrowser::new(
            Granted::new(caps, Capabilities::all()),
            Arc::new(identity),
            "BASE".into(),
            "CTX".into(),
            "browser".into(),
            directory,
        );
        session.open_view(VIEW, "ROOT".into(), true);
        Self { session, tags: VecDeque::new(), reminders: Vec::new(), notes: Vec::new() }
    }

    fn new() -> Self {
        Self::with(Capabilities::strict())
    }

    /// A page is there, and its client is attached to it.
    fn with_page() -> Self {
        Self::with_page_and(Capabilities::strict())
    }

    fn with_page_and(caps: Capabilities) -> Self {
        let mut pair = Self::with(caps);
        pair.created("T", "tab", "CTX");
        pair.created("P", "page", "CTX");
        pair.attached("ROOT", "S", "P");
        pair
    }

    fn created(&mut self, target: &str, kind: &str, context: &str) -> Vec<String> {
        self.told(Told::Created { target: target.into(), info: info(target, kind, context) })
    }

    fn changed(&mut self, target: &str, info: &str) -> Vec<String> {
        self.told(Told::Changed { target: target.into(), info: info.to_owned() })
    }

    fn attached(&mut self, parent: &str, child: &str, target: &str) -> Vec<String> {
        let kind = self.session.scope.targets.get(target).map_or("page", |seen| seen.kind.as_type());
        let info = info(target, kind, "CTX");
        self.told(Told::Attached {
            parent: parent.into(),
            child: child.into(),
            target: target.into(),
            info,
            waiting: false,
        })
    }

    fn detached(&mut self, parent: &str, child: &str, target: &str, below: &[&str]) -> Vec<String> {
        let below = below.iter().map(|below| CdpSessionId::from(*below)).collect();
        self.told(Told::Detached { parent: parent.into(), child: child.into(), target: target.into(), below })
    }

    fn told(&mut self, told: Told) -> Vec<String> {
        self.feed(FromBrowser::Told(told))
    }

    fn feed(&mut self, from: FromBrowser) -> Vec<String> {
        self.session.on_browser(from);
        self.actions()
    }

    /// A message of Chrome's, with the CDP session at its end.
    fn message(&mut self, text: &str) -> Vec<String> {
        let text = Bytes::from(text.to_owned());
        let route = message::route(&text);
        let id = match route.head {
            message::Head::Reply(id) => Some(id),
            _ => None,
        };
        let on = CdpSessionId::from(route.session.expect("a CDP session"));
        let body_end = route.body_end;
        self.feed(FromBrowser::Message { on, id, body_end, text })
    }

    /// The oldest command is answered.
    fn result(&mut self, result: &str) -> Vec<String> {
        let tag = self.tags.pop_front().expect("a command");
        self.feed(FromBrowser::Reply { tag, reply: Reply::Result(result.to_owned()) })
    }

    fn error(&mut self, code: i32, message: &'static str) -> Vec<String> {
        let tag = self.tags.pop_front().expect("a command");
        self.feed(FromBrowser::Reply { tag, reply: Reply::Error(CdpError::new(code, message)) })
    }

    fn says(&mut self, frame: &str) -> Vec<String> {
        self.view_says(VIEW, frame)
    }

    fn view_says(&mut self, view: ViewId, frame: &str) -> Vec<String> {
        self.session.on_client(view, Bytes::from(frame.to_owned()));
        self.actions()
    }

    /// A command on the client's root.
    fn asks(&mut self, method: &str, params: &str) -> Vec<String> {
        self.says(&format!(r#"{{"id":1,"method":"{method}","params":{params}}}"#))
    }

    /// A command on a CDP session of its.
    fn asks_on(&mut self, session: &str, method: &str, params: &str) -> Vec<String> {
        self.says(&format!(r#"{{"id":1,"method":"{method}","params":{params},"sessionId":"{session}"}}"#))
    }

    fn actions(&mut self) -> Vec<String> {
        let mut spelt = Vec::new();
        loop {
            let actions = self.session.poll_actions();
            if actions.is_empty() {
                return spelt;
            }
            for action in actions {
                match action {
                    // They go along with the events; a test looks at them by themselves.
                    Action::Note(note) => self.notes.push(note),
                    action => spelt.push(self.spell(action)),
                }
            }
        }
    }

    fn spell(&mut self, action: Action) -> String {
        match action {
            Action::ToClient(view, frame) => format!("{}: {}", view.0, text(frame)),
            Action::Pass(text) | Action::Navigate(_, text) => format!("pass {}", String::from_utf8_lossy(&text)),
            Action::Call(tag, call) => {
                self.tags.push_back(tag);
                format!("call {} {} {}", call.on.expect("a CDP session"), call.method, call.params)
            }
            Action::NewContext(tag, NewContext { proxy }) => {
                self.tags.push_back(tag);
                if proxy == ContextProxy::None { "new context".to_owned() } else { format!("new context by {proxy:?}") }
            }
            Action::Resume(on, children, ResumeAs::Frame { text, .. }) => {
                format!("resume {on} children:{children} {}", String::from_utf8_lossy(&text))
            }
            Action::Resume(on, children, ResumeAs::Call(tag)) => {
                self.tags.push_back(tag);
                format!("resume {on} children:{children}")
            }
            Action::IgnoreCertificateErrors(tag, ignore) => {
                self.tags.push_back(tag);
                format!("ignore certificate errors: {ignore}")
            }
            Action::AutoAttach(tag, root, interest) => {
                self.tags.push_back(tag);
                match interest {
                    None => format!("auto {root} off"),
                    Some(Interest { flavour, wait, .. }) => {
                        let flavour = if flavour == Flavour::Tab { "tab" } else { "page" };
                        format!("auto {root} {flavour} wait:{wait}")
                    }
                }
            }
            Action::Detach(tag, session) => {
                self.tags.push_back(tag);
                format!("detach {session}")
            }
            Action::Directory(path) => format!("directory {}", path.display()),
            Action::Listen => "listen".to_owned(),
            Action::Note(_) => unreachable!("notes are taken before"),
            Action::Move(tag, wish) => {
                self.tags.push_back(tag);
                let mut ways: Vec<String> =
                    wish.ways.iter().map(|(from, to)| format!(" {} -> {}", from.display(), to.display())).collect();
                ways.sort();
                format!("move{}", ways.concat())
            }
            Action::CheckFiles(tag, directory, paths) => {
                self.tags.push_back(tag);
                format!("check {paths:?} in {}", directory.display())
            }
            Action::FindExtension(tag, directory, path) => {
                self.tags.push_back(tag);
                format!("find {path:?} in {}", directory.display())
            }
            Action::ShowExtension(id) => format!("show {id}"),
            Action::KeepExtension(id, path) => format!("keep {id} {path:?}"),
            Action::Claim(tag) => {
                self.tags.push_back(tag);
                "claim".to_owned()
            }
            Action::Unclaim => "unclaim".to_owned(),
            Action::Remind(tag) => {
                self.reminders.push(tag);
                "remind".to_owned()
            }
            Action::Permit(tag, pixels) => {
                self.tags.push_back(tag);
                format!("permit {pixels}")
            }
            Action::Ghost(tag, view, request) => {
                self.tags.push_back(tag);
                format!("ghost {}: {request:?}", view.0)
            }
            Action::Close(view, why) => format!("close {}: {why}", view.0),
            Action::End => "end".to_owned(),
        }
    }

    /// Nothing of the past is kept.
    #[track_caller]
    fn is_at_rest(&self) {
        let VirtualBrowser { pending, attaching, files, scope, .. } = &self.session;
        assert!(pending.is_empty() && attaching.is_empty(), "{pending:?} {attaching:?}");
        assert_eq!(files.under_way(), 0);
        for (id, cdp) in scope.sessions.iter() {
            assert!(cdp.in_flight.is_empty(), "{id}: {:?}", cdp.in_flight);
        }
    }
}

fn text(frame: ToClient) -> String {
    let (text, end) = frame.parts();
    String::from_utf8([&text[..], end.as_bytes()].concat()).expect("UTF-8")
}

/// A CDP error as a client reads it, on its root.
fn failed(id: i32, code: i32, message: &str) -> String {
    format!(r#"1: {{"id":{id},"error":{{"code":{code},"message":"{message}"}}}}"#)
}

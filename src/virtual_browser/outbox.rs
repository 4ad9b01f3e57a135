//! The CDP sessions announced to a session's views, and the frames made for them: the isolation invariant lives here.
//!
//! Invariant: a [`ToClient`] is made only in this file, and only for the view to which its CDP session was announced. No
//! byte of another session can reach a socket without it, so a leak does not compile. Other files name an announced CDP
//! session and the message to send on it; they cannot choose the view. Only [`Outbox::announce`] and [`Outbox::withdraw`]
//! change the map *announced CDP session -> view*. `tests/it/outbox.rs` reads this file, and the taint proof tests it.

use std::collections::HashMap;

use bytes::Bytes;

use super::{ViewId, cdp_session::Cdp, on_targets::OnTargets};
use crate::cdp::{
    error::CdpError,
    ids::{CallId, CdpSessionId, TargetId},
    json_object::quote,
    message::{self, Malformed},
};

/// Most bytes of a message inside one `Target.receivedMessageFromTarget` inside another. Each level doubles the
/// backslashes before every quote: a console line of quotes, ten levels deep, would fill the memory.
const MOST_NESTED: usize = 16 * 1024 * 1024;

/// A frame for one client. Only this file makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct ToClient {
    text: Bytes,
    /// The text was cut before its `sessionId` and lacks its last brace.
    open: bool,
}

impl ToClient {
    /// The text, and the suffix that completes it.
    pub fn parts(self) -> (Bytes, &'static str) {
        (self.text, if self.open { "}" } else { "" })
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.text.len() + usize::from(self.open)
    }

    /// Whether the text begins like this.
    pub fn starts_with(&self, start: &str) -> bool {
        self.text.starts_with(start.as_bytes())
    }

    /// Whether it is empty; a frame never is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A frame whose text the proxy has written.
    fn own_words(text: String) -> Self {
        Self { text: Bytes::from(text), open: false }
    }
}

/// An announced CDP session: the view it was announced to, which never changes, and its state.
#[derive(Debug)]
struct Announced {
    view: ViewId,
    cdp: Cdp,
}

/// The announced CDP sessions of one session, and the frames that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    announced: HashMap<CdpSessionId, Announced>,
    on_targets: OnTargets,
    /// By view, the CDP session for its client's frames without a `sessionId`.
    homes: HashMap<ViewId, CdpSessionId>,
    frames: Vec<(ViewId, ToClient)>,
    /// Views for which a nested message exceeded [`MOST_NESTED`].
    overgrown: Vec<ViewId>,
}

impl Outbox {
    /// Announces a CDP session to a view, where its messages go from now on. One that was announced before stays there.
    pub(super) fn announce(&mut self, on: CdpSessionId, view: ViewId, cdp: Cdp) {
        self.announced.entry(on).or_insert_with(|| Announced { view, cdp: self.on_targets.with(cdp) });
    }

    /// A CDP session has ended: no more frames are sent on it.
    pub(super) fn withdraw(&mut self, on: &CdpSessionId) {
        self.on_targets.forget(self.announced.remove(on).map(|gone| gone.cdp));
    }

    /// Removes a view with its CDP sessions and its waiting frames. Returns the CDP sessions.
    pub(super) fn withdraw_view(&mut self, view: ViewId) -> Vec<(CdpSessionId, Cdp)> {
        self.homes.remove(&view);
        self.frames.retain(|(to, _)| *to != view);
        let gone = self.announced.extract_if(|_, announced| announced.view == view);
        gone.map(|(on, announced)| (on, self.on_targets.without(announced.cdp))).collect()
    }

    /// Sets the CDP session for a client's frames without a `sessionId`: the root, or the page of a page socket.
    pub(super) fn set_home(&mut self, view: ViewId, home: CdpSessionId) {
        self.homes.insert(view, home);
    }

    /// The CDP session for a client's frames without a `sessionId`.
    pub(super) fn home(&self, view: ViewId) -> Option<&CdpSessionId> {
        self.homes.get(&view)
    }

    /// The view that a CDP session was announced to.
    pub(super) fn view(&self, on: &CdpSessionId) -> Option<ViewId> {
        self.announced.get(on).map(|announced| announced.view)
    }

    /// A CDP session that was announced to this view, by an id that its client sent.
    pub(super) fn find(&self, view: ViewId, id: &str) -> Option<(&CdpSessionId, &Cdp)> {
        let found = self.announced.get_key_value(id).filter(|(_, announced)| announced.view == view);
        found.map(|(on, announced)| (on, &announced.cdp))
    }

    /// The state of an announced CDP session.
    pub(super) fn get(&self, on: &CdpSessionId) -> Option<&Cdp> {
        self.announced.get(on).map(|announced| &announced.cdp)
    }

    /// As [`Outbox::get`]; its view cannot be changed.
    pub(super) fn get_mut(&mut self, on: &CdpSessionId) -> Option<&mut Cdp> {
        self.announced.get_mut(on).map(|announced| &mut announced.cdp)
    }

    /// As [`Outbox::get`], by an id that may be any text.
    pub(super) fn get_key_value(&self, id: &str) -> Option<(&CdpSessionId, &Cdp)> {
        self.announced.get_key_value(id).map(|(on, announced)| (on, &announced.cdp))
    }

    /// Whether a CDP session was announced to any view of this session.
    pub(super) fn contains_key(&self, on: &CdpSessionId) -> bool {
        self.announced.contains_key(on)
    }

    /// The number of announced CDP sessions.
    pub(super) fn len(&self) -> usize {
        self.announced.len()
    }

    /// All announced CDP sessions, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&CdpSessionId, &Cdp)> {
        self.announced.iter().map(|(on, announced)| (on, &announced.cdp))
    }

    /// Whether a CDP session on this target was announced.
    pub(super) fn is_attached(&self, target: &TargetId) -> bool {
        self.on_targets.has(target)
    }

    /// The frames that are ready, in order.
    pub(super) fn poll_frames(&mut self) -> Vec<(ViewId, ToClient)> {
        std::mem::take(&mut self.frames)
    }

    /// A view for which a nested message exceeded the limit, once for each.
    pub(super) fn poll_overgrown(&mut self) -> Option<ViewId> {
        self.overgrown.pop()
    }

    // ---- Frames for clients.

    /// A message of Chrome on a CDP session. It goes to the view that the CDP session was announced to; without one it is
    /// dropped.
    pub(super) fn admit(&mut self, on: &CdpSessionId, text: Bytes, body_end: usize) {
        let Some(Announced { view, cdp }) = self.announced.get(on) else { return };
        let view = *view;
        if !cdp.flat {
            let inner = [&text[..body_end], b"}"].concat();
            self.wrap(on, &String::from_utf8_lossy(&inner));
        } else if self.homes.get(&view) == Some(on) {
            self.frames.push((view, ToClient { text: text.slice(..body_end), open: true }));
        } else {
            self.frames.push((view, ToClient { text, open: false }));
        }
    }

    /// A reply to a client's command on one of its CDP sessions.
    pub(super) fn reply(&mut self, on: &CdpSessionId, id: CallId, result: &str) {
        self.say(on, |session| message::reply(id, result, session));
    }

    /// An error for a client's command on one of its CDP sessions.
    pub(super) fn fail(&mut self, on: &CdpSessionId, id: CallId, error: &CdpError) {
        self.say(on, |session| {
            message::error_reply(Some(id), error.code, &error.message, error.data.as_deref(), session)
        });
    }

    /// An event on one of its CDP sessions.
    pub(super) fn event(&mut self, on: &CdpSessionId, method: &str, params: &str) {
        self.say(on, |session| message::event(method, params, session));
    }

    /// An error for a frame that names no CDP session of its view. As in Chrome, it has no `sessionId`.
    pub(super) fn no_session(&mut self, view: ViewId, id: CallId) {
        let error = CdpError::NO_SESSION;
        self.tell(view, message::error_reply(Some(id), error.code, &error.message, None, None));
    }

    /// An error for a frame that could not be parsed.
    pub(super) fn malformed(&mut self, view: ViewId, error: &Malformed) {
        self.tell(view, error.reply());
    }

    /// As [`Outbox::malformed`], for a message inside a `Target.sendMessageToTarget` to this CDP session.
    pub(super) fn malformed_inside(&mut self, on: &CdpSessionId, error: &Malformed) {
        self.wrap(on, &error.reply());
    }

    /// The proxy's reply to a frame of a view: it has no data of Chrome.
    fn tell(&mut self, view: ViewId, text: String) {
        self.frames.push((view, ToClient::own_words(text)));
    }

    fn say(&mut self, on: &CdpSessionId, text: impl FnOnce(Option<&str>) -> String) {
        let Some(Announced { view, cdp }) = self.announced.get(on) else { return };
        let view = *view;
        let is_home = self.homes.get(&view) == Some(on);
        // The root of a page socket: its client does not know it.
        if cdp.parent.is_none() && !is_home {
            return;
        }
        if cdp.flat {
            let text = text((!is_home).then_some(on.as_str()));
            self.frames.push((view, ToClient::own_words(text)));
        } else {
            let inner = text(None);
            self.wrap(on, &inner);
        }
    }

    /// Sends `Target.receivedMessageFromTarget` on the parent of a CDP session that is not flat, if both belong to the same
    /// view.
    fn wrap(&mut self, on: &CdpSessionId, inner: &str) {
        let Some(Announced { view, cdp }) = self.announced.get(on) else { return };
        let Some(parent) = cdp.parent.clone() else { return };
        let Some(above) = self.announced.get(&parent).filter(|above| above.view == *view) else { return };
        if !above.cdp.flat && inner.len() > MOST_NESTED {
            if !self.overgrown.contains(view) {
                self.overgrown.push(*view);
            }
            return;
        }
        let params = format!(r#"{{"sessionId":"{on}","message":{},"targetId":"{}"}}"#, quote(inner), cdp.target);
        self.event(&parent, "Target.receivedMessageFromTarget", &params);
    }
}

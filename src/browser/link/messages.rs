//! Routes the messages from Chrome.

use std::{collections::HashSet, time::Instant};

use bytes::Bytes;

use super::Link;
use crate::{
    browser::{InternalEvent, codec::Received, inbox::Parcel},
    cdp::{
        cbor::{Decoded, MalformedCbor},
        error::CdpError,
        ids::{CallId, CdpSessionId, TargetId},
        json_object::JsonObject,
        message::{self, Head, Route},
    },
    port::{FromBrowser, Reply, Settle},
};

impl Link {
    pub(super) fn on_message(&mut self, message: &Received, now: &mut Option<Instant>) -> Result<(), MalformedCbor> {
        let route = message.route()?;
        match route.head {
            Head::Reply(id) if self.hand_on(id, message) => {}
            Head::Reply(id) if id.is_ours() => {
                let Some(text) = self.text_of(message)? else { return Ok(()) };
                self.on_reply(id, &text);
                self.after();
            }
            Head::Reply(id) => self.route(&route, Some(id), message)?,
            Head::Event(method) => {
                if self.on_event(method, route.session, message, now)? {
                    self.route(&route, None, message)?;
                }
            }
            // An error without id: no command of the proxy is answered in this way.
            Head::Other => {
                self.metrics.unowned.inc();
                let Some(text) = self.text_of(message)? else { return Ok(()) };
                tracing::debug!(text = %String::from_utf8_lossy(&text[..text.len().min(200)]), "a message of no owner");
            }
        }
        Ok(())
    }

    /// A message on a CDP session goes to the lease that owns it. A message without owner is
    /// dropped and counted.
    pub(super) fn route(
        &mut self,
        route: &Route<'_>,
        id: Option<CallId>,
        message: &Received,
    ) -> Result<(), MalformedCbor> {
        let owner = route.session.and_then(|session| self.targets.session(session));
        match owner {
            Some((on, Some(lease))) => {
                let Some(inbox) = self.inboxes.get(&lease) else { return Ok(()) };
                let on = on.clone();
                let parcel = match message {
                    Received::Json(text) => {
                        let (body_end, text) = (route.body_end, text.clone());
                        Parcel::Plain(FromBrowser::Message { on, id, body_end, text })
                    }
                    Received::Cbor(message) => Parcel::Cbor { on, id, message: message.clone() },
                };
                let _ = inbox.to.send(parcel);
            }
            // Events of the watchers and of pages that are being prepared, which are the proxy's
            // own.
            Some((on, None)) if self.hearers.contains_key(on) => {
                let on = on.clone();
                let Some(text) = self.text_of(message)? else { return Ok(()) };
                self.tell_hearer(on.as_str(), &text);
            }
            Some((_, None)) => {}
            None => {
                self.metrics.unowned.inc();
            }
        }
        Ok(())
    }

    /// The text of a message that the link itself reads. `None` if it nests too deep, which is
    /// counted.
    fn text_of(&mut self, message: &Received) -> Result<Option<Bytes>, MalformedCbor> {
        Ok(match message.text(&mut self.decoder)? {
            Decoded::Text(text) => Some(text),
            Decoded::TooDeep => {
                self.count_too_deep();
                None
            }
        })
    }

    pub(super) fn count_too_deep(&self) {
        if self.metrics.events_too_deep.inc() == 0 {
            tracing::warn!(
                "an event of Chrome's nests too deep for JSON and was dropped; ghostmux_events_too_deep_total counts them"
            );
        }
    }

    /// Delivers an event on a CDP session of the proxy's own to its subscriber, if there is one.
    fn tell_hearer(&self, on: &str, text: &Bytes) {
        if let (Some(to), Head::Event(method)) = (self.hearers.get(on), message::route(text).head) {
            let params = message::params_of(text).unwrap_or("{}").to_owned();
            let _ = to.send(InternalEvent { on: on.into(), method: method.to_owned(), params });
        }
    }

    /// Handles events that the mirror must see first. Returns true if the event is to be routed as
    /// well.
    fn on_event(
        &mut self,
        method: &str,
        session: Option<&str>,
        message: &Received,
        now: &mut Option<Instant>,
    ) -> Result<bool, MalformedCbor> {
        let Some(name) = method.strip_prefix("Target.") else {
            return self.on_download_event(method, session, message, now);
        };
        let at = *now.get_or_insert_with(Instant::now);
        let Some(text) = self.text_of(message)? else { return Ok(false) };
        let params = message::params_of(&text).unwrap_or("{}");
        match (name, session) {
            ("attachedToTarget", _) => {
                self.on_attached(session, params, at);
                if let Some(session) = session {
                    self.tell_hearer(session, &text);
                }
            }
            ("detachedFromTarget", _) => {
                if let Some(child) = JsonObject::read(params).and_then(|params| params.string("sessionId")) {
                    self.on_detached(&child);
                }
            }
            ("targetCreated" | "targetInfoChanged", None) => {
                let info = JsonObject::read(params).and_then(|params| params.get("targetInfo").map(str::to_owned));
                if let Some(info) = info {
                    if name == "targetCreated" {
                        self.targets.on_created(&info, at);
                    } else {
                        self.targets.on_changed(&info);
                    }
                }
            }
            ("targetDestroyed" | "targetCrashed", None) => {
                if let Some(target) = JsonObject::read(params).and_then(|params| params.string("targetId")) {
                    if name == "targetDestroyed" {
                        self.on_destroyed(&target.into());
                    } else {
                        self.targets.on_crashed(&target, params);
                    }
                }
            }
            // `receivedMessageFromTarget`, and events that a newer Chrome adds: no part of the
            // proxy enables them.
            _ => {}
        }
        self.after();
        Ok(false)
    }

    fn on_attached(&mut self, on: Option<&str>, params: &str, now: Instant) {
        let Some(params) = JsonObject::read(params) else { return };
        let on = on.map(CdpSessionId::from);
        if let (Some(child), Some(info)) = (params.string("sessionId"), params.get("targetInfo")) {
            let waiting = params.get("waitingForDebugger") == Some("true");
            self.targets.on_attached(on.as_ref(), child.into(), info, waiting, now);
        }
    }

    /// A target is gone.
    pub(super) fn on_destroyed(&mut self, target: &TargetId) {
        self.targets.on_destroyed(target.as_str());
        self.closings.gone(target.as_str());
        self.drop_navigations(target);
        self.next_turn(target);
    }

    pub(super) fn on_detached(&mut self, child: &str) {
        let child = CdpSessionId::from(child);
        let mut gone = self.targets.below(&child);
        gone.push(child.clone());
        let mut left = HashSet::new();
        for session in &gone {
            self.hearers.remove(session);
            left.extend(self.targets.target_of(session).filter(|target| self.turns.is_waited_for(target)).cloned());
        }
        self.targets.on_detached(child.as_str());
        for target in left {
            self.next_turn(&target);
        }
        // The event is delivered first, then the replies that Chrome will not send any more.
        self.flush_effects();
        // Ids decrease: the oldest is the largest.
        let on = |on: &CdpSessionId| {
            self.waiting_on.range((on.clone(), CallId(i32::MIN))..=(on.clone(), CallId(i32::MAX))).rev()
        };
        let lost: Vec<CallId> = gone.iter().flat_map(on).map(|(_, id)| *id).collect();
        for id in lost {
            if let Some(waiting) = self.settled(id) {
                if let Settle::Conceal(context) = &waiting.settle {
                    self.concealed(context, None);
                    self.flush_effects();
                }
                self.answer(waiting.who, Reply::Error(CdpError::NO_SESSION));
            }
        }
    }

    fn on_download_event(
        &mut self,
        method: &str,
        session: Option<&str>,
        message: &Received,
        now: &mut Option<Instant>,
    ) -> Result<bool, MalformedCbor> {
        let at = |now: &mut Option<Instant>| *now.get_or_insert_with(Instant::now);
        match (method, session) {
            ("Page.downloadWillBegin", Some(session)) => {
                if let Some(lease) = self.targets.lease_of(session) {
                    let Some(text) = self.text_of(message)? else { return Ok(true) };
                    self.downloads.on_page_event(lease, message::params_of(&text).unwrap_or("{}"));
                }
                Ok(true)
            }
            ("Browser.downloadWillBegin" | "Browser.downloadProgress", Some(session))
                if self.downloads.is_on(session) =>
            {
                let at = at(now);
                let begin = method == "Browser.downloadWillBegin";
                let Some(text) = self.text_of(message)? else { return Ok(false) };
                let params = message::params_of(&text).unwrap_or("{}").to_owned();
                let owner = |target: &str| self.targets.owner(target);
                self.downloads.on_event(begin, params, owner, at);
                self.after();
                Ok(false)
            }
            // On a client's CDP session these events are always off: the proxy removes clients'
            // requests for them.
            ("Browser.downloadWillBegin" | "Browser.downloadProgress", _) => {
                self.metrics.unowned.inc();
                Ok(false)
            }
            _ => Ok(true),
        }
    }
}

//! `Target.*` as this session's clients see it: a Chrome that holds only what is theirs.

use super::{Action, Attaching, Pending, VirtualBrowser, arguments, scope::Cdp};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId, TargetId},
        json_object::JsonObject,
        message::Command,
        target::{Filter, Kind},
    },
    close_reason::CloseReason,
    port::{Flavour, Interest, Settle},
};

const NO_TARGET: CdpError = CdpError::new(-32602, "No target with given id found");
const NO_CHILD: CdpError = CdpError::new(-32602, "No session with given id");
const NO_CHILD_BY_TARGET: CdpError = CdpError::new(-32602, "No session for given target id");
const UNSPECIFIED: CdpError = CdpError::new(-32602, "Session id must be specified");
const NOT_FLAT: CdpError = CdpError::new(-32602, "Only flatten protocol is supported with browser level auto-attach");
const BOTH_FLAVOURS: CdpError = CdpError::new(
    -32602,
    "Filter should not simultaneously allow \"tab\" and \"page\", page targets are attached via tab targets",
);
const STRAY_FILTER: CdpError = CdpError::new(-32602, "Filter should not be present with `discover` is off");
const LAST_CONTEXT: CdpError = CdpError::new(-32000, "Cannot dispose default browser context.");

/// CDP sessions that may be attached each on the one before. They end with the first, one inside the other, and so deep goes
/// Chrome's stack, and ours.
const MOST_DEEP: usize = 32;

/// A `filter` member that is none.
struct NoFilter;

/// A client's command, and where it was sent.
pub(super) struct Asked<'a> {
    on: &'a CdpSessionId,
    pub(super) id: CallId,
    params: JsonObject<'a>,
    root: bool,
}

impl VirtualBrowser {
    /// Reads a `Target.*` command for its handler; what cannot be read is answered here.
    pub(super) fn ask_target(
        &mut self,
        on: &CdpSessionId,
        command: &Command,
        handle: impl FnOnce(&mut Self, Asked<'_>),
    ) {
        let id = command.id();
        let Some(root) = self.scope.sessions.get(on).map(Cdp::is_root) else { return };
        match JsonObject::read(command.params()) {
            Some(params) => handle(self, Asked { on, id, params, root }),
            None => self.scope.fail(on, id, &CdpError::INVALID),
        }
    }

    /// Whether a CDP session more may be attached; if not, the command is answered.
    fn may_attach(&mut self, asked: &Asked<'_>, method: &str) -> bool {
        if self.is_deepest(asked.on) {
            let error = format!(
                "'{method}' is refused: CDP sessions may be attached {MOST_DEEP} deep, each on the one before; attach on another one"
            );
            self.refuse(asked.on, asked.id, &CdpError::server(error));
            return false;
        }
        if self.is_full() {
            self.refuse_full(asked, method);
            return false;
        }
        true
    }

    /// A command whose parameters are incomplete or of a wrong type goes up as it was read, for Chrome to refuse in its
    /// own words. *Measured:* a member that is there with a wrong type, `null` included, is always refused. No id that
    /// Chrome could read goes along, should it not refuse.
    fn let_chrome_refuse(&mut self, asked: &Asked<'_>, method: &str) {
        let text = asked.params.to_string();
        let Some(mut params) = JsonObject::read(&text) else {
            return self.scope.fail(asked.on, asked.id, &CdpError::INVALID);
        };
        for name in ["targetId", "sessionId", "browserContextId"] {
            if params.string(name).is_some() {
                params.remove(name);
            }
        }
        self.forward(asked.on, asked.on.clone(), asked.id, method, params.to_string());
    }

    /// The filter a command names, if it names one; an error if that is no filter.
    fn filter(asked: &Asked<'_>) -> Result<Option<Filter>, NoFilter> {
        asked.params.get("filter").map(|json| Filter::read(json).ok_or(NoFilter)).transpose()
    }

    pub(super) fn get_targets(&mut self, asked: &Asked<'_>) {
        if Self::filter(asked).is_err() {
            // Should Chrome read what we cannot, then it is filtered all the same.
            let pending = Pending::Targets(asked.on.clone(), asked.id);
            let params = asked.params.to_string();
            return self.call(asked.on.clone(), "Target.getTargets", params, Settle::Plain, pending);
        }
        // Chrome does not count the browser among them, as it does in a discovery.
        let pending = Pending::Targets(asked.on.clone(), asked.id);
        // Asked on the session's own root: a worker's CDP session would not be answered.
        let Some(to) = self.root_of(asked.on) else { return };
        self.call(to, "Target.getTargets", asked.params.to_string(), Settle::Plain, pending);
    }

    pub(super) fn on_target_infos(&mut self, on: &CdpSessionId, id: CallId, result: &str) {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Infos<'a> {
            #[serde(borrow)]
            target_infos: Vec<&'a serde_json::value::RawValue>,
        }

        let Ok(infos) = serde_json::from_str::<Infos<'_>>(result) else {
            return self.scope.fail(on, id, &CdpError::server("Chrome's targets could not be read"));
        };
        let infos: Vec<_> =
            infos.target_infos.iter().filter_map(|info| self.scope.shown(info.get())).map(|(_, info)| info).collect();
        self.scope.reply(on, id, &format!(r#"{{"targetInfos":[{}]}}"#, infos.join(",")));
    }

    pub(super) fn get_target_info(&mut self, asked: &Asked<'_>) {
        let target = match (asked.params.get("targetId"), asked.root) {
            (None, true) => Some(self.scope.browser.to_string()),
            (None, false) => self.scope.sessions.get(asked.on).map(|cdp| cdp.target.to_string()),
            (Some(_), _) => asked.params.string("targetId"),
        };
        let Some(target) = target else { return self.let_chrome_refuse(asked, "Target.getTargetInfo") };
        if target == self.scope.browser.as_str() {
            let info = format!(r#"{{"targetInfo":{}}}"#, self.scope.browser_info());
            return self.scope.reply(asked.on, asked.id, &info);
        }
        if !self.scope.targets.contains_key(target.as_str()) {
            return self.scope.fail(asked.on, asked.id, &NO_TARGET);
        }
        let Some(to) = self.root_of(asked.on) else { return };
        let pending = Pending::Target(asked.on.clone(), asked.id);
        self.call(to, "Target.getTargetInfo", format!(r#"{{"targetId":"{target}"}}"#), Settle::Plain, pending);
    }

    pub(super) fn on_target_info(&mut self, on: &CdpSessionId, id: CallId, result: &str) {
        let info = JsonObject::read(result).and_then(|result| result.get("targetInfo").map(str::to_owned));
        match info
            .as_deref()
            .and_then(|info| self.scope.shown(info))
            .map(|(_, info)| format!(r#"{{"targetInfo":{info}}}"#))
        {
            Some(result) => self.scope.reply(on, id, &result),
            None => self.scope.fail(on, id, &NO_TARGET),
        }
    }

    pub(super) fn set_discover_targets(&mut self, asked: &Asked<'_>) {
        let (Some(discover), Ok(filter)) = (asked.params.read_as::<bool>("discover"), Self::filter(asked)) else {
            return self.let_chrome_refuse(asked, "Target.setDiscoverTargets");
        };
        if !discover && filter.is_some() {
            return self.scope.fail(asked.on, asked.id, &STRAY_FILTER);
        }
        if discover && !self.scope.may_listen(asked.on, |cdp| cdp.discover.is_some()) {
            return self.refuse_listener(asked.on, asked.id, "Target.setDiscoverTargets");
        }
        self.scope.discover(asked.on, discover.then(|| filter.unwrap_or_else(Filter::default_of_chrome)));
        self.scope.reply(asked.on, asked.id, "{}");
    }

    pub(super) fn set_auto_attach(&mut self, asked: &Asked<'_>) {
        let on_off = asked.params.read_as::<bool>("autoAttach");
        let wait = asked.params.read_as::<bool>("waitForDebuggerOnStart");
        let flatten = asked.params.get("flatten").map_or(Some(false), |_| asked.params.read_as::<bool>("flatten"));
        let (Some(on_off), Some(wait), Some(flatten), Ok(filter)) = (on_off, wait, flatten, Self::filter(asked)) else {
            return self.let_chrome_refuse(asked, "Target.setAutoAttach");
        };
        if !flatten {
            return self.scope.fail(asked.on, asked.id, &NOT_FLAT);
        }
        let filter = filter.unwrap_or_else(Filter::default_of_chrome);
        let flavour = match (filter.matches(Kind::Tab), filter.matches(Kind::Page)) {
            (true, true) => return self.scope.fail(asked.on, asked.id, &BOTH_FLAVOURS),
            (true, false) => Flavour::Tab,
            _ => Flavour::Page,
        };
        // One that is on already has attached to what there is.
        let is_on = self.scope.sessions.get(asked.on).is_some_and(|cdp| cdp.auto_attach);
        if on_off && !is_on && self.cdp_sessions() + self.scope.targets.len() > self.limits.all {
            return self.refuse_full(asked, "Target.setAutoAttach");
        }
        if let Some(cdp) = self.scope.sessions.get_mut(asked.on) {
            cdp.auto_attach = on_off;
        }
        let interest = on_off.then_some(Interest { flavour, filter, wait });
        let tag = self.expect(Pending::Forward(asked.on.clone(), asked.id));
        self.actions.push(Action::AutoAttach(tag, asked.on.clone(), interest));
    }

    /// On a page, tab or worker it concerns only what is below that: it goes up, flat whatever the client said.
    pub(super) fn set_auto_attach_below(&mut self, mut asked: Asked<'_>) {
        let flat = asked.params.read_as::<bool>("flatten") == Some(true);
        let is_off = asked.params.read_as::<bool>("autoAttach") == Some(false);
        if let Some(cdp) = self.scope.sessions.get_mut(asked.on) {
            cdp.auto_attach = !is_off;
            cdp.children_not_flat = !flat;
        }
        if !matches!(asked.params.get("flatten"), Some(json) if json != "true" && json != "false") {
            asked.params.set_raw("flatten", "true");
        }
        self.pass_with(asked.on, asked.id, "Target.setAutoAttach", &asked.params.to_string());
    }

    pub(super) fn attach_to_target(&mut self, mut asked: Asked<'_>) {
        if !self.may_attach(&asked, "Target.attachToTarget") {
            return;
        }
        let Some(target) = asked.params.string("targetId") else {
            return self.let_chrome_refuse(&asked, "Target.attachToTarget");
        };
        if target == self.scope.browser.as_str() {
            return self.attach_to_browser(&asked);
        }
        let Some((target, _)) = self.scope.targets.get_key_value(target.as_str()) else {
            return self.scope.fail(asked.on, asked.id, &NO_TARGET);
        };
        let target = target.clone();
        let flatten = asked.params.get("flatten").map(str::to_owned);
        let flat = flatten.as_deref() == Some("true");
        if flatten.is_none_or(|json| json == "false") {
            asked.params.set_raw("flatten", "true");
        }
        let pending = Pending::Attach(asked.on.clone(), asked.id);
        let settle = Settle::Attach(target.clone());
        self.attaching.push_back(Attaching { tag: self.last_tag + 1, on: asked.on.clone(), target, flat });
        self.call(asked.on.clone(), "Target.attachToTarget", asked.params.to_string(), settle, pending);
    }

    pub(super) fn attach_to_browser_target(&mut self, asked: &Asked<'_>) {
        if !self.may_attach(asked, "Target.attachToBrowserTarget") {
            return;
        }
        if !asked.root {
            return self.scope.fail(asked.on, asked.id, &CdpError::NOT_ALLOWED);
        }
        self.attach_to_browser(asked);
    }

    /// A further virtual root: a browser-level CDP session below the view's own.
    fn attach_to_browser(&mut self, asked: &Asked<'_>) {
        let Some(to) = self.root_of(asked.on) else { return };
        let is_root = |target: &TargetId| *target == self.scope.browser;
        let coming = self.attaching.iter().filter(|attach| is_root(&attach.target)).count();
        if coming + self.scope.sessions.values().filter(|cdp| cdp.is_root()).count() >= self.limits.roots {
            let error = format!(
                "'Target.attachToBrowserTarget' is refused: this session has {} CDP sessions on the browser, which is all that \
                 max_roots allows; detach from one first",
                self.limits.roots
            );
            return self.refuse(asked.on, asked.id, &CdpError::server(error));
        }
        let target = self.scope.browser.clone();
        self.attaching.push_back(Attaching { tag: self.last_tag + 1, on: asked.on.clone(), target, flat: true });
        if asked.root {
            self.forward(asked.on, asked.on.clone(), asked.id, "Target.attachToBrowserTarget", "{}".to_owned());
        } else {
            // By way of a page's `attachToTarget`: it is announced on the root, from which it is attached.
            self.forward(asked.on, to, asked.id, "Target.attachToBrowserTarget", "{}".to_owned());
        }
    }

    /// The CDP sessions of this session, those that are still to come included.
    fn cdp_sessions(&self) -> usize {
        self.scope.sessions.len() + self.attaching.len()
    }

    fn is_full(&self) -> bool {
        self.cdp_sessions() >= self.limits.all
    }

    fn refuse_full(&mut self, asked: &Asked<'_>, method: &str) {
        let most = self.limits.all;
        let error = format!(
            "'{method}' is refused: this session has {} CDP sessions, and max_cdp_sessions allows {most}; detach from some first",
            self.cdp_sessions()
        );
        self.refuse(asked.on, asked.id, &CdpError::server(error));
    }

    /// Whether nothing may be attached on this CDP session, because it stands too deep itself.
    fn is_deepest(&self, on: &CdpSessionId) -> bool {
        let above = |cdp: &&Cdp| cdp.parent.as_ref().and_then(|parent| self.scope.sessions.get(parent));
        std::iter::successors(self.scope.sessions.get(on), above).count() > MOST_DEEP
    }

    pub(super) fn get_browser_contexts(&mut self, asked: &Asked<'_>) {
        let contexts: Vec<String> = self.scope.contexts.iter().map(|context| format!("\"{context}\"")).collect();
        let result = format!(
            r#"{{"browserContextIds":[{}],"defaultBrowserContextId":"{}"}}"#,
            contexts.join(","),
            self.scope.default_context
        );
        self.scope.reply(asked.on, asked.id, &result);
    }

    pub(super) fn create_browser_context(&mut self, mut asked: Asked<'_>, command: &Command) {
        if let arguments::Checked::Refused { code, message } =
            arguments::check_browser_context(command.method(), command.params(), self.granted)
        {
            return self.refuse(asked.on, asked.id, &CdpError { code, message: message.into(), data: None });
        }
        // On the lease, with which it goes: contexts live as long as the session, whatever the client said.
        if !matches!(asked.params.get("disposeOnDetach"), Some(json) if json != "true" && json != "false") {
            asked.params.set_raw("disposeOnDetach", "true");
        }
        let pending = Pending::CreateContext(asked.on.clone(), asked.id);
        self.call(self.base.clone(), "Target.createBrowserContext", asked.params.to_string(), Settle::Bind, pending);
    }

    pub(super) fn dispose_browser_context(&mut self, asked: &Asked<'_>) {
        let Some(context) = asked.params.string("browserContextId") else {
            return self.let_chrome_refuse(asked, "Target.disposeBrowserContext");
        };
        if context == self.scope.default_context.as_str() {
            return self.scope.fail(asked.on, asked.id, &LAST_CONTEXT);
        }
        let Some(context) = self.scope.contexts.iter().find(|own| own.as_str() == context).cloned() else {
            let error = CdpError::server(format!("Failed to find context with id {context}"));
            return self.scope.fail(asked.on, asked.id, &error);
        };
        let params = format!(r#"{{"browserContextId":"{context}"}}"#);
        let settle = Settle::Unbind(context.clone());
        let pending = Pending::DisposeContext(asked.on.clone(), asked.id, context);
        self.call(self.base.clone(), "Target.disposeBrowserContext", params, settle, pending);
    }

    pub(super) fn create_target(&mut self, mut asked: Asked<'_>) {
        if let Some(url) = asked.params.string("url") {
            if arguments::opens_blank(&url) {
                asked.params.set_string("url", "about:blank");
            } else if let Err(why) = arguments::url_allowed(&url, self.granted) {
                return self.refuse(asked.on, asked.id, &CdpError::server(why));
            }
        }
        match asked.params.get("browserContextId") {
            None => {
                let context = self.scope.default_context.clone();
                asked.params.set_string("browserContextId", context.as_str());
            }
            Some(_) => {
                if let Some(context) = asked.params.string("browserContextId")
                    && !self.scope.owns_context(&context)
                {
                    return self.scope.fail(asked.on, asked.id, &self.identity.no_context_for_target(&context));
                }
            }
        }
        arguments::limit_window(&mut asked.params, self.granted);
        let Some(to) = self.root_of(asked.on) else { return };
        let settle = Settle::Names(if asked.root { asked.on.clone() } else { to.clone() });
        let pending = Pending::Forward(asked.on.clone(), asked.id);
        self.call(to, "Target.createTarget", asked.params.to_string(), settle, pending);
    }

    /// A command about a target, which must be one's own.
    pub(super) fn on_own_target(&mut self, asked: &Asked<'_>, method: &str, root_only: bool) {
        if root_only && !asked.root {
            let error = CdpError::server(format!("{method} is only supported on the Browser target"));
            return self.scope.fail(asked.on, asked.id, &error);
        }
        let Some(target) = asked.params.string("targetId") else { return self.let_chrome_refuse(asked, method) };
        if !self.scope.targets.contains_key(target.as_str()) {
            let error =
                if method == "Target.closeTarget" { self.identity.no_target_to_close.clone() } else { NO_TARGET };
            return self.scope.fail(asked.on, asked.id, &error);
        }
        self.forward(asked.on, asked.on.clone(), asked.id, method, asked.params.to_string());
    }

    pub(super) fn detach_from_target(&mut self, asked: &Asked<'_>) {
        let by_session = asked.params.get("sessionId").is_some();
        if [asked.params.get("sessionId"), asked.params.get("targetId")]
            .into_iter()
            .flatten()
            .any(|json| !json.starts_with('"'))
        {
            return self.let_chrome_refuse(asked, "Target.detachFromTarget");
        }
        if !by_session && asked.params.get("targetId").is_none() {
            return self.scope.fail(asked.on, asked.id, &UNSPECIFIED);
        }
        match self.child(asked) {
            Some(child) => {
                let tag = self.expect(Pending::Forward(asked.on.clone(), asked.id));
                self.actions.push(Action::Detach(tag, child));
            }
            None => self.fail_no_child(asked),
        }
    }

    /// The CDP session that a command names, by `sessionId` or by `targetId`, among those announced on the one it is
    /// sent on.
    fn child(&self, asked: &Asked<'_>) -> Option<CdpSessionId> {
        let is_child = |cdp: &Cdp| cdp.parent.as_ref() == Some(asked.on);
        if asked.params.get("sessionId").is_some() {
            let session = asked.params.string("sessionId")?;
            let (id, _) = self.scope.sessions.get_key_value(session.as_str()).filter(|(_, cdp)| is_child(cdp))?;
            return Some(id.clone());
        }
        let target = asked.params.string("targetId")?;
        self.scope
            .sessions
            .iter()
            .find(|(_, cdp)| is_child(cdp) && cdp.target.as_str() == target)
            .map(|(id, _)| id.clone())
    }

    fn fail_no_child(&mut self, asked: &Asked<'_>) {
        let error = if asked.params.has("sessionId") { NO_CHILD } else { NO_CHILD_BY_TARGET };
        self.scope.fail(asked.on, asked.id, &error);
    }

    /// What is inside is treated exactly as a frame that the client had sent flat; nothing tunnels past the policy.
    pub(super) fn send_message_to_target(&mut self, asked: &Asked<'_>) {
        let Some(inner) = asked.params.string("message") else {
            return self.let_chrome_refuse(asked, "Target.sendMessageToTarget");
        };
        if !asked.params.has("sessionId") && !asked.params.has("targetId") {
            return self.scope.fail(asked.on, asked.id, &UNSPECIFIED);
        }
        let Some(child) = self.child(asked).filter(|child| self.scope.sessions.get(child).is_some_and(|cdp| !cdp.flat))
        else {
            return self.fail_no_child(asked);
        };
        self.scope.reply(asked.on, asked.id, "{}");
        match Command::read(inner.into()) {
            Ok(command) if command.session().is_none() => self.on_command(&child, &command, false),
            Ok(command) => self.scope.fail(&child, command.id(), &CdpError::NO_SESSION),
            Err(malformed) => {
                self.malformed += 1;
                self.scope.sessions.malformed_inside(&child, &malformed);
            }
        }
    }

    pub(super) fn get_dev_tools_target(&mut self, asked: &Asked<'_>) {
        let Some(target) = asked.params.string("targetId") else {
            return self.let_chrome_refuse(asked, "Target.getDevToolsTarget");
        };
        if !asked.root {
            self.scope.fail(asked.on, asked.id, &CdpError::NOT_ALLOWED);
        } else if self.scope.targets.contains_key(target.as_str()) {
            self.scope.reply(asked.on, asked.id, "{}");
        } else {
            self.scope.fail(asked.on, asked.id, &NO_TARGET);
        }
    }

    /// The root of the view that a CDP session belongs to.
    pub(super) fn root_of(&self, on: &CdpSessionId) -> Option<CdpSessionId> {
        self.roots.get(&self.scope.sessions.view(on)?).map(|(root, _)| root.clone())
    }

    pub(super) fn on_attached(
        &mut self,
        parent: &CdpSessionId,
        child: CdpSessionId,
        target: &TargetId,
        info: &str,
        waiting: bool,
    ) {
        let (Some(view), Some(above)) = (self.scope.sessions.view(parent), self.scope.sessions.get(parent)) else {
            // It was never announced: a client's that has gone, or the proxy's own.
            return self.on_attached_below(parent, child);
        };
        // The page of a page socket is known already, and its client was not to be told.
        if self.scope.sessions.contains_key(&child) {
            return;
        }
        let (inherits, on_root) = (above.children_not_flat, above.is_root());
        let kind = Kind::from_type(&JsonObject::read(info).and_then(|info| info.string("type")).unwrap_or_default());
        if kind == Kind::Browser {
            let browser = self.scope.browser.clone();
            let cdp = Cdp::new(Some(parent.clone()), browser, Kind::Browser, true);
            self.scope.sessions.announce(child.clone(), view, cdp);
            let info = self.scope.browser_info();
            return self.announce(parent, &child, &info, waiting);
        }
        let asked = self.attaching.iter().position(|attach| attach.on == *parent && attach.target == *target);
        let below = asked.is_none() && !on_root;
        let flat = asked.and_then(|at| self.attaching.remove(at)).map_or(!inherits, |attach| attach.flat);
        if !self.scope.targets.contains_key(target) || self.scope.sessions.len() >= self.limits.all {
            // Not to be shown, or what auto-attach made beyond the limit: it runs on, and nobody is attached.
            let tag = self.expect(Pending::Nobody);
            self.actions.push(Action::Detach(tag, child));
            return;
        }
        let mut cdp = Cdp::new(Some(parent.clone()), target.clone(), kind, flat);
        cdp.below = below;
        self.scope.sessions.announce(child.clone(), view, cdp);
        // Chrome too says that it is attached before it says to whom.
        self.scope.mark_attached(target);
        self.announce(parent, &child, info, waiting);
    }

    fn announce(&mut self, parent: &CdpSessionId, child: &CdpSessionId, info: &str, waiting: bool) {
        let params = format!(r#"{{"sessionId":"{child}","targetInfo":{info},"waitingForDebugger":{waiting}}}"#);
        self.scope.event(parent, "Target.attachedToTarget", &params);
    }

    pub(super) fn on_detached(
        &mut self,
        parent: &CdpSessionId,
        child: &CdpSessionId,
        target: &TargetId,
        below: &[CdpSessionId],
    ) {
        // Of what it was never told it hears no end.
        if !self.scope.sessions.contains_key(child) {
            self.dialog_guards.lost(child);
            self.emulators.lost(child);
            return;
        }
        let params = format!(r#"{{"sessionId":"{child}","targetId":"{target}"}}"#);
        self.scope.event(parent, "Target.detachedFromTarget", &params);
        for gone in below.iter().chain([child]) {
            // Nothing a client sent is ever left without an answer.
            let in_flight = self.scope.sessions.get_mut(gone).map(|cdp| cdp.in_flight.take()).unwrap_or_default();
            for id in in_flight {
                self.scope.fail(gone, id, &CdpError::NO_SESSION);
            }
            let (Some(view), Some(cdp)) = (self.scope.sessions.view(gone), self.scope.sessions.get(gone)) else {
                continue;
            };
            let target = cdp.target.clone();
            let was_home = self.scope.sessions.home(view) == Some(gone);
            self.scope.sessions.withdraw(gone);
            self.listeners.forget(gone);
            self.forget_certificates(gone);
            if self.tracing.as_ref() == Some(gone) {
                self.tracing = None;
                self.actions.push(Action::Unclaim);
            }
            self.scope.tell(&target);
            if was_home {
                self.settle_frames();
                self.actions.push(Action::Close(view, CloseReason::Bye("the page is gone")));
            }
        }
    }
}

//! The commands of `Target.*`, which show a client only the targets, contexts and CDP sessions of its own session.
//! `attach` has those that attach, and the events of CDP sessions.

mod attach;

use super::{Action, Pending, VirtualBrowser, arguments, cdp_session::Cdp};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId},
        json_object::JsonObject,
        message::Command,
        target::{Filter, Kind},
    },
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

/// The `filter` member could not be read.
struct NoFilter;

/// A client's command of `Target.*`, and the CDP session it was sent on.
pub(super) struct Asked<'a> {
    on: &'a CdpSessionId,
    pub(super) id: CallId,
    params: JsonObject<'a>,
    root: bool,
}

impl VirtualBrowser {
    /// Parses a `Target.*` command and calls its handler. If the params cannot be parsed, the client gets an error.
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

    /// Sends a command whose parameters are incomplete or of a wrong type to Chrome, whose error the client gets.
    /// *Measured:* Chrome always refuses a member of a wrong type, `null` included. All ids are removed, in case it does
    /// not.
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

    /// The filter of a command, if it has one; an error if it is not valid.
    fn filter(asked: &Asked<'_>) -> Result<Option<Filter>, NoFilter> {
        asked.params.get("filter").map(|json| Filter::read(json).ok_or(NoFilter)).transpose()
    }

    pub(super) fn get_targets(&mut self, asked: &Asked<'_>) {
        if Self::filter(asked).is_err() {
            // If Chrome accepts a filter that is not valid here, its result is filtered all the same.
            let pending = Pending::Targets(asked.on.clone(), asked.id);
            let params = asked.params.to_string();
            return self.call(asked.on.clone(), "Target.getTargets", params, Settle::Plain, pending);
        }
        // Chrome does not count the browser among them, as it does in a discovery.
        let pending = Pending::Targets(asked.on.clone(), asked.id);
        // Sent on the root of the view, because Chrome does not answer it on a worker's CDP session.
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
        // If it is on already, the existing targets were attached then.
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

    /// On a page, tab or worker, auto-attach concerns only the targets below it. It is sent to Chrome, always flat.
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

    pub(super) fn get_browser_contexts(&mut self, asked: &Asked<'_>) {
        let contexts: Vec<String> = self.scope.contexts.iter().map(|context| format!("\"{context}\"")).collect();
        let result = format!(
            r#"{{"browserContextIds":[{}],"defaultBrowserContextId":"{}"}}"#,
            contexts.join(","),
            self.scope.default_context
        );
        self.scope.reply(asked.on, asked.id, &result);
    }

    /// Only what is read here gets to Chrome. A context lives as long as the session, whatever `disposeOnDetach` says: it
    /// is disposed of with the lease.
    pub(super) fn create_browser_context(&mut self, asked: &Asked<'_>, command: &Command) {
        if let arguments::Checked::Refused { code, message } =
            arguments::check_browser_context(command.method(), command.params(), self.granted)
        {
            return self.refuse(asked.on, asked.id, &CdpError { code, message: message.into(), data: None });
        }
        match arguments::new_context(&asked.params, self.has_gates) {
            Ok(new) => {
                let tag = self.expect(Pending::CreateContext(asked.on.clone(), asked.id));
                self.actions.push(Action::NewContext(tag, new));
            }
            Err(error) => self.refuse(asked.on, asked.id, &error),
        }
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
            } else if let Err(why) = self.may_open(&url) {
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
        if let Some(error) = self.has_all_pages() {
            return self.refuse(asked.on, asked.id, &error);
        }
        arguments::limit_window(&mut asked.params, self.granted);
        // In full Chrome such a page is of the type `other`: nothing announces, counts or closes it. Headless shell ignores it.
        asked.params.remove("hidden");
        let Some(to) = self.root_of(asked.on) else { return };
        let settle = Settle::Names(if asked.root { asked.on.clone() } else { to.clone() });
        let pending = Pending::Forward(asked.on.clone(), asked.id);
        self.call(to, "Target.createTarget", asked.params.to_string(), settle, pending);
    }

    /// A command on a target, which must belong to the session.
    pub(super) fn on_own_target(&mut self, asked: &Asked<'_>, method: &str, root_only: bool) {
        if root_only && !asked.root {
            let error = CdpError::server(format!("{method} is only supported on the Browser target"));
            return self.scope.fail(asked.on, asked.id, &error);
        }
        let Some(target) = asked.params.string("targetId") else { return self.let_chrome_refuse(asked, method) };
        let closes = method == "Target.closeTarget";
        if !self.scope.targets.contains_key(target.as_str()) {
            let error = if closes { self.identity.no_target_to_close.clone() } else { NO_TARGET };
            return self.scope.fail(asked.on, asked.id, &error);
        }
        let settle = if closes { Settle::Close(target.into()) } else { Settle::Plain };
        let pending = Pending::Forward(asked.on.clone(), asked.id);
        self.call(asked.on.clone(), method, asked.params.to_string(), settle, pending);
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

    /// The CDP session that a command names by `sessionId` or `targetId`. It must have been announced on the CDP session
    /// that the command was sent on.
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

    /// The inner message is treated as a frame that the client sent flat: the policy applies to it.
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
        self.views.get(&self.scope.sessions.view(on)?).map(|view| view.root.clone())
    }
}

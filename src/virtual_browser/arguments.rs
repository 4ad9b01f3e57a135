//! The rules for arguments, which the policy table names as `check …`.
//!
//! Single, ordinary-looking commands end Chrome and with it the sessions of every tenant, or reach files and networks of
//! others; each rule here says which and why. A command is sent unchanged, sent with other parameters, or answered.
//! Parameters that are incomplete or of a wrong type are sent to Chrome, which refuses them. The rules do not know the
//! owners of objects; paths are only returned, because this code does no I/O.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    api_types::capability::{Capability, Granted},
    cdp::{emulation, json_object::JsonObject, message::string, target::Kind},
    virtual_browser::policy::{Check, Refusal},
};

mod context;
mod crash_rules;
mod url;
mod window;

use self::url::Destination;
pub use self::{
    context::new_context,
    url::{opens_blank, url_allowed},
    window::{check_bounds, limit_window},
};

/// The verdict on a command's parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// Send the command unchanged.
    AsIs,
    /// Send the command with these params.
    Rewritten(String),
    /// Take a screenshot of this part of a page, if it is not too large.
    Picture(Part),
    /// Send the command unchanged if the session may have buffers that exceed the size for each CDP session by this many
    /// bytes.
    Buffers {
        /// Bytes.
        beyond: f64,
    },
    /// Send the command unchanged once the page has answered a liveness check: if its process has gone, Chrome ends.
    OnceAlive,
    /// Send another command, whose result has the same shape.
    Another {
        /// The method.
        method: &'static str,
        /// The params.
        params: String,
    },
    /// Crash the page. The frame that was to navigate to `chrome://crash`, if the command names one.
    Crash(Option<String>),
    /// Send the command unchanged; it ends the process of the page.
    Crashes,
    /// Answer with this result.
    Answer(String),
    /// Answer with this error.
    Refused {
        /// The code.
        code: i32,
        /// The text.
        message: String,
    },
    /// Send the command once each of these paths of the host was found to be in the session's directory.
    Files {
        /// The paths as the client wrote them.
        paths: Vec<String>,
    },
}

/// The part of a page in a screenshot.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A clip.
    Clip {
        /// Width in CSS pixels.
        width: f64,
        /// Height in CSS pixels.
        height: f64,
        /// Pixels per CSS pixel, before the device pixel ratio.
        scale: f64,
    },
    /// The whole page.
    Whole,
    /// The visible area.
    Viewport,
}

/// The CDP session that a command is sent on.
#[derive(Clone, Copy, Debug)]
pub struct On {
    /// The kind of its target.
    pub kind: Kind,
    /// Whether the auto-attach of a page or worker attached it; otherwise a client did.
    pub below: bool,
}

impl From<Kind> for On {
    fn from(kind: Kind) -> Self {
        Self { kind, below: false }
    }
}

/// Checks the parameters of a command, sent to such a CDP session, by the rule that its row of the policy table names.
///
/// `params` is one object without a doubled key. [`Capability::Dedicated`] means that this session *is* alone in its
/// browser.
pub fn check(rule: Check, method: &str, params: &str, on: impl Into<On>, granted: Granted) -> Checked {
    let On { kind: on, below } = on.into();
    apply(function(rule), &Call { method, on, below, granted }, params)
}

/// As [`check`], for `Target.createBrowserContext`.
pub fn check_browser_context(method: &str, params: &str, granted: Granted) -> Checked {
    apply(browser_context, &Call { method, on: Kind::Browser, below: false, granted }, params)
}

fn apply(rule: Rule, call: &Call<'_>, params: &str) -> Checked {
    // Params that cannot be parsed cannot be checked, for example a key with a lone surrogate. Chrome refuses them too.
    let Some(mut object) = JsonObject::read(params) else { return invalid("Invalid parameters") };
    rule(call, &mut object)
}

type Rule = fn(&Call<'_>, &mut JsonObject<'_>) -> Checked;

fn function(rule: Check) -> Rule {
    match rule {
        Check::ClearDisplayFeatures => clear_display_features,
        Check::Composition => crash_rules::composition,
        Check::Cookies => cookies,
        Check::Crash => crash_rules::crash,
        Check::DeviceMetrics => device_metrics,
        Check::DisplayFeatures => display_features,
        Check::DragEvent => drag_event,
        Check::EndedWorker => crash_rules::ended_worker,
        Check::FileInfo => file_info,
        Check::FileInput => file_input,
        Check::Gesture => crash_rules::gesture,
        Check::KeyEvent => key_event,
        Check::Navigate => navigate,
        Check::NetworkBuffers => network_buffers,
        Check::NetworkResource => network_resource,
        Check::Pdf => crash_rules::pdf,
        Check::Quota => crash_rules::quota,
        Check::Screencast => screencast,
        Check::Screenshot => screenshot,
        Check::Scroll => crash_rules::scroll,
        Check::StartingWorker => crash_rules::starting_worker,
        Check::Touch => crash_rules::touch,
        Check::VisibleSize => visible_size,
    }
}

/// The input of a rule besides the parameters.
struct Call<'a> {
    method: &'a str,
    on: Kind,
    below: bool,
    granted: Granted,
}

/// Bytes of bodies that Chrome may keep for each CDP session in its renderer; about Chrome's default.
const MAX_BUFFER: f64 = 100e6;

/// Bytes of bodies that Chrome may keep for one CDP session in the network process, which all tenants share.
const MAX_DURABLE_BUFFER: f64 = 16e6;

/// Refuses `file:` and `chrome:` pages, and the transition type `address_bar`, which allows URLs that end or freeze the
/// browser. For a page of Chrome's own the reply is that of headless shell, which has none.
fn navigate(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    let mut is_changed = false;
    if let Some(url) = text(params, "url").map(Cow::into_owned) {
        if url::is_crash(&url) && call.on == Kind::Page {
            return Checked::Crash(params.string("frameId"));
        }
        if url::is_chromes_own(&url) {
            params.set_string("url", &url::that_is_invalid(&url));
            is_changed = true;
        } else if let Err(why) = url_allowed(&url, call.granted) {
            return refused(if why == url::INVALID { why } else { format!("'{}' is refused: {why}", call.method) });
        }
    }
    if text(params, "transitionType").is_some_and(|kind| kind == "address_bar") {
        params.remove("transitionType");
        is_changed = true;
    }
    if is_changed { Checked::Rewritten(params.to_string()) } else { Checked::AsIs }
}

/// Refuses 0, by which Chrome 148 divides and ends. The text is that of 156.
fn screencast(_: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    match params.read_as::<f64>("everyNthFrame") {
        Some(every) if every < 1.0 => invalid("everyNthFrame must be a positive integer"),
        _ => Checked::AsIs,
    }
}

fn screenshot(_: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    #[derive(Deserialize)]
    struct Clip {
        width: f64,
        height: f64,
        scale: f64,
    }
    if params.has("clip") {
        // Also refuses a duplicate key, of which Chrome would take the last.
        return match params.read_as::<Clip>("clip") {
            Some(Clip { width, height, scale }) => Checked::Picture(Part::Clip { width, height, scale }),
            None => invalid("Invalid parameters"),
        };
    }
    let whole = params.get("captureBeyondViewport") == Some("true") && params.get("fromSurface") != Some("false");
    Checked::Picture(if whole { Part::Whole } else { Part::Viewport })
}

fn device_metrics(_: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    in_range(emulation::viewport(params))
}

/// Limits the emulated screen to the largest window.
fn visible_size(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    if limit_window(params, call.granted) { Checked::Rewritten(params.to_string()) } else { Checked::AsIs }
}

fn in_range(checked: Result<(), String>) -> Checked {
    checked.map_or_else(|why| invalid(&why), |()| Checked::AsIs)
}

/// Refuses an empty list, which ends the browser with SIGILL.
fn display_features(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    if let Some(refused) = crash_rules::only_on_a_page(call) {
        return refused;
    }
    match params.read_as::<Vec<Box<RawValue>>>("features") {
        Some(features) if features.is_empty() => Checked::Answer("{}".to_owned()),
        _ => Checked::AsIs,
    }
}

/// Refuses the command on an out-of-process iframe, where it ends the browser with SIGTRAP.
fn clear_display_features(call: &Call<'_>, _: &mut JsonObject<'_>) -> Checked {
    if call.on == Kind::Page { Checked::AsIs } else { Checked::Answer("{}".to_owned()) }
}

/// Removes the native key code, with which full Chrome runs its own shortcuts: a window in the default context, or its
/// settings. Refuses clipboard commands, because all contexts share the clipboard.
fn key_event(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    let native = params.has("nativeVirtualKeyCode");
    params.remove("nativeVirtualKeyCode");
    let commands: Vec<Box<RawValue>> = params.read_as("commands").unwrap_or_default();
    let pastes = |command: &RawValue| {
        let command = string(command.get()).unwrap_or_default();
        command.trim_ascii().to_ascii_lowercase().starts_with("paste")
    };
    let may_paste = call.granted.has(Capability::Dedicated) || call.granted.has(Capability::Clipboard);
    if !may_paste && commands.iter().any(|command| pastes(command)) {
        let kept: Vec<_> = commands.iter().filter(|command| !pastes(command)).map(|command| command.get()).collect();
        params.set_raw("commands", format!("[{}]", kept.join(",")));
    } else if !native {
        return Checked::AsIs;
    }
    Checked::Rewritten(params.to_string())
}

/// Checks the dropped files, which the page reads by path.
fn drag_event(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    if call.granted.has(Capability::HostFiles) {
        return Checked::AsIs;
    }
    // Params that cannot be parsed could contain files, for example under a duplicate key.
    let Some(mut data) = params.get("data").and_then(JsonObject::read) else { return invalid("Invalid parameters") };
    if !data.has("files") {
        return Checked::AsIs;
    }
    data.remove("files");
    let data = data.to_string();
    params.set_raw("data", data);
    Checked::Rewritten(params.to_string())
}

/// Limits the buffers for response bodies. A request above the session's budget is refused and not cut, because the
/// client would miss bodies later without a reason. Chrome reads a negative size as no limit.
///
/// The buffer of durable messages is cut: the mapper of `WebDriver BiDi` requests 200 MB and needs the command to succeed.
fn network_buffers(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    const TOTAL: &str = "maxTotalBufferSize";
    let durable = call.method == "Network.configureDurableMessages"
        || params.get("enableDurableMessages").is_some_and(|durable| durable != "false");
    if durable {
        let mut is_cut = false;
        for name in [TOTAL, "maxResourceBufferSize"] {
            if params.read_as::<f64>(name).is_some_and(|size| !(0.0..=MAX_DURABLE_BUFFER).contains(&size)) {
                params.set_raw(name, MAX_DURABLE_BUFFER.to_string());
                is_cut = true;
            }
        }
        return if is_cut { Checked::Rewritten(params.to_string()) } else { Checked::AsIs };
    }
    match params.read_as::<f64>(TOTAL) {
        Some(size) if size < 0.0 => invalid("maxTotalBufferSize must not be negative, which is no limit"),
        size => Checked::Buffers { beyond: (size.unwrap_or(0.0) - MAX_BUFFER).max(0.0) },
    }
}

/// Refuses the command on a worker, where it ends Chrome 148 with SIGTRAP.
fn cookies(call: &Call<'_>, _: &mut JsonObject<'_>) -> Checked {
    match call.on {
        Kind::Worker | Kind::SharedWorker | Kind::ServiceWorker | Kind::Worklet => refused(format!(
            "'{}' is refused on a worker: set cookies on a page, or by Storage.setCookies",
            call.method
        )),
        _ => Checked::AsIs,
    }
}

/// Checks the URL of a request of the browser itself, for which no same-origin rule applies. On a worker that has ended the
/// command ends the browser.
fn network_resource(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    let of_worker = crash_rules::ended_worker(call, params);
    if of_worker != Checked::AsIs {
        return of_worker;
    }
    let Some(address) = text(params, "url") else { return Checked::AsIs };
    match url::destination(&address) {
        Destination::OtherScheme => invalid("Unsupported URL scheme"),
        Destination::Private if !call.granted.has(Capability::PrivateNetwork) => {
            refused(Refusal { needs: Some(Capability::PrivateNetwork) }.message(call.method))
        }
        Destination::Private | Destination::Public => Checked::AsIs,
    }
}

fn file_input(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    let Some(files) = params.get("files") else { return Checked::AsIs };
    match serde_json::from_str::<Vec<String>>(files) {
        Ok(paths) if paths.is_empty() || call.granted.has(Capability::HostFiles) => Checked::AsIs,
        Ok(paths) => Checked::Files { paths },
        Err(_) => invalid("Invalid parameters"),
    }
}

/// Refuses the command, because its reply has the path of a file on the host.
fn file_info(call: &Call<'_>, _: &mut JsonObject<'_>) -> Checked {
    if call.granted.has(Capability::HostFiles) {
        return Checked::AsIs;
    }
    refused(Refusal { needs: Some(Capability::HostFiles) }.message(call.method))
}

/// Refuses universal network access: scripts of these origins could read every address that the host reaches, the control
/// port included.
fn browser_context(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    const NAME: &str = "originsWithUniversalNetworkAccess";
    let none = params.get(NAME).is_none_or(|origins| {
        origins == "null" || serde_json::from_str::<Vec<&RawValue>>(origins).is_ok_and(|origins| origins.is_empty())
    });
    if none {
        return Checked::AsIs;
    }
    refused(format!("'{}' with {NAME} is refused: no capability allows it", call.method))
}

/// A string member, decoded.
fn text<'a>(params: &'a JsonObject<'_>, name: &str) -> Option<Cow<'a, str>> {
    string(params.get(name)?)
}

fn invalid(message: &str) -> Checked {
    Checked::Refused { code: -32602, message: message.to_owned() }
}

fn refused(message: String) -> Checked {
    Checked::Refused { code: Refusal::CODE, message }
}

#[cfg(test)]
mod tests;

//! What a method may be told: the rules that the policy table names as `check …`.
//!
//! Single, ordinary-looking commands end Chrome and with it every tenant, or reach files and networks that are not the
//! tenant's; each rule here says which and why. A command is let through as it came, with parameters rewritten, or
//! answered. What is of a wrong type or incomplete goes up for Chrome to refuse. Nothing here knows who owns what;
//! paths are only reported, because the file system is not looked at here.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    api_types::capability::{Capability, Granted},
    cdp::{emulation, json_object::JsonObject, message::string, target::Kind},
    virtual_browser::policy::{Check, Refusal},
};

mod crash_rules;
mod url;
mod window;

use self::url::Destination;
pub use self::{
    url::{opens_blank, url_allowed},
    window::{check_bounds, limit_window},
};

/// The verdict on a command's parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// They may go up as they are.
    AsIs,
    /// This object goes up in their place.
    Rewritten(String),
    /// A picture of this part of a page, if it is not too large.
    Picture(Part),
    /// They may go up as they are if the session may keep so many bytes of response bodies beyond what each of its CDP
    /// sessions may.
    Buffers {
        /// Bytes.
        beyond: f64,
    },
    /// They may go up as they are once the page has answered: if its process has gone, Chrome ends.
    OnceAlive,
    /// Another command goes up in its place, whose result is like its own.
    Another {
        /// The method.
        method: &'static str,
        /// Its params.
        params: String,
    },
    /// The page crashes instead. Which of its frames was to go to `chrome://crash`, if it was said.
    Crash(Option<String>),
    /// The command does not go up; this is its result.
    Answer(String),
    /// The command does not go up; this is its error.
    Refused {
        /// The code.
        code: i32,
        /// The text.
        message: String,
    },
    /// They may go up once each of these paths of the host has been found to be the session's own.
    Files {
        /// As the client spelt them.
        paths: Vec<String>,
    },
}

/// What is to be in a picture.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A clip: CSS pixels, and how many pixels become of one on a screen of plain resolution.
    Clip {
        /// Its width.
        width: f64,
        /// Its height.
        height: f64,
        /// The factor.
        scale: f64,
    },
    /// All of the page.
    Whole,
    /// What is in view.
    Viewport,
}

/// What kind of CDP session a command is sent to.
#[derive(Clone, Copy, Debug)]
pub struct On {
    /// What it is attached to.
    pub kind: Kind,
    /// Whether the auto-attach of the page or worker above it made it; otherwise a client asked for it.
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
    // What cannot be read cannot be checked: a key with a lone surrogate. Chrome refuses it too.
    let Some(mut object) = JsonObject::read(params) else { return invalid("Invalid parameters") };
    rule(call, &mut object)
}

type Rule = fn(&Call<'_>, &mut JsonObject<'_>) -> Checked;

fn function(rule: Check) -> Rule {
    match rule {
        Check::ClearDisplayFeatures => clear_display_features,
        Check::Composition => crash_rules::composition,
        Check::Cookies => cookies,
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
        Check::Touch => crash_rules::touch,
        Check::VisibleSize => visible_size,
    }
}

/// What a rule knows beside the parameters.
struct Call<'a> {
    method: &'a str,
    on: Kind,
    below: bool,
    granted: Granted,
}

/// Bytes of bodies that may be kept for each CDP session in its own renderer; about Chrome's default.
const MAX_BUFFER: f64 = 100e6;

/// Bytes of bodies kept for one CDP session in the network process, which all tenants share.
const MAX_DURABLE_BUFFER: f64 = 16e6;

/// `file:` and `chrome:` pages, and `address_bar`, with which a URL does what it does for a person: it ends or freezes
/// the browser. A page of Chrome's own is answered as a headless shell does, which has none.
fn navigate(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    let mut is_changed = false;
    if let Some(url) = text(params, "url").map(Cow::into_owned) {
        if url::is_crash(&url) && matches!(call.on, Kind::Page | Kind::Iframe) {
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

/// A division by it: 148 dies of 0. The text is that of 156.
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
        // Refuses a doubled key, of which Chrome would take the last.
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

/// Its window would be no larger.
fn visible_size(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    if limit_window(params, call.granted) { Checked::Rewritten(params.to_string()) } else { Checked::AsIs }
}

fn in_range(checked: Result<(), String>) -> Checked {
    checked.map_or_else(|why| invalid(&why), |()| Checked::AsIs)
}

/// An empty list is SIGILL of the browser.
fn display_features(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    if let Some(refused) = crash_rules::only_on_a_page(call) {
        return refused;
    }
    match params.read_as::<Vec<Box<RawValue>>>("features") {
        Some(features) if features.is_empty() => Checked::Answer("{}".to_owned()),
        _ => Checked::AsIs,
    }
}

/// SIGTRAP of the browser on an out-of-process iframe.
fn clear_display_features(call: &Call<'_>, _: &mut JsonObject<'_>) -> Checked {
    if call.on == Kind::Page { Checked::AsIs } else { Checked::Answer("{}".to_owned()) }
}

/// With a native key code full Chrome runs its own shortcuts: a window in the default context, its settings. The
/// clipboard is one for all contexts.
fn key_event(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    let native = params.has("nativeVirtualKeyCode");
    params.remove("nativeVirtualKeyCode");
    let commands: Vec<Box<RawValue>> = params.read_as("commands").unwrap_or_default();
    let pastes = |command: &RawValue| {
        let command = string(command.get()).unwrap_or_default();
        command.trim_ascii().to_ascii_lowercase().starts_with("paste")
    };
    if !call.granted.has(Capability::Dedicated) && commands.iter().any(|command| pastes(command)) {
        let kept: Vec<_> = commands.iter().filter(|command| !pastes(command)).map(|command| command.get()).collect();
        params.set_raw("commands", format!("[{}]", kept.join(",")));
    } else if !native {
        return Checked::AsIs;
    }
    Checked::Rewritten(params.to_string())
}

/// The page reads what is dropped on it, by path.
fn drag_event(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    if call.granted.has(Capability::HostFiles) {
        return Checked::AsIs;
    }
    // What cannot be read could hold files all the same: a key that stands twice.
    let Some(mut data) = params.get("data").and_then(JsonObject::read) else { return invalid("Invalid parameters") };
    if !data.has("files") {
        return Checked::AsIs;
    }
    data.remove("files");
    let data = data.to_string();
    params.set_raw("data", data);
    Checked::Rewritten(params.to_string())
}

/// A client that asks for more than is kept would miss bodies later, and not know why: it is refused above the session's
/// budget. A negative size is no limit to Chrome.
///
/// Durable messages are cut instead: the mapper of `WebDriver BiDi` asks for 200 MB of them, and cannot go on without.
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

/// SIGTRAP of the browser on a worker (148).
fn cookies(call: &Call<'_>, _: &mut JsonObject<'_>) -> Checked {
    match call.on {
        Kind::Worker | Kind::SharedWorker | Kind::ServiceWorker | Kind::Worklet => refused(format!(
            "'{}' is refused on a worker: set cookies on a page, or by Storage.setCookies",
            call.method
        )),
        _ => Checked::AsIs,
    }
}

/// A request of the browser's own, which no same-origin rule holds back.
fn network_resource(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
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

/// Tells where on the host a file lies.
fn file_info(call: &Call<'_>, _: &mut JsonObject<'_>) -> Checked {
    if call.granted.has(Capability::HostFiles) {
        return Checked::AsIs;
    }
    refused(Refusal { needs: Some(Capability::HostFiles) }.message(call.method))
}

/// Scripts of these origins could read every address the host reaches, the control port's among them.
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

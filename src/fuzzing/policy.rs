//! Every command has a decision; what no row names goes nowhere; and no arguments get around the rules for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use super::{judged, recorded_frames};
use crate::{
    api_types::capability::{Capabilities, Capability, Granted},
    cdp::{json_object::JsonObject, message::Command, target::Kind},
    virtual_browser::{
        arguments::{Checked, On, check, check_browser_context},
        policy::{Handler, Level, Refusal, Verdict, decide, not_found},
    },
};

const TABLE: &str = include_str!("../virtual_browser/policy.tsv");

/// The table's text, by method: the scope, and the verdicts on a page and on the browser.
static ROWS: LazyLock<BTreeMap<&str, [&str; 3]>> = LazyLock::new(|| {
    let rows = TABLE.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>());
    rows.map(|columns| (columns[0], [columns[1], columns[2], columns[3]])).collect()
});

/// The domains of which some method does not simply pass on a page.
static GUARDED: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let guarded = ROWS.iter().filter(|(_, [scope, page, _])| *scope != "target" || *page != "pass");
    guarded.filter_map(|(method, _)| Some(method.split_once('.')?.0)).collect()
});

const KINDS: [Kind; 8] = [
    Kind::Tab,
    Kind::Page,
    Kind::Iframe,
    Kind::Worker,
    Kind::SharedWorker,
    Kind::ServiceWorker,
    Kind::Worklet,
    Kind::Other,
];

/// Arguments of methods that have rules for them.
const ARGUMENTS: [(&str, &str); 24] = [
    ("DOM.setFileInputFiles", r#"{"files":["/etc/passwd"],"nodeId":3}"#),
    ("DOM.getFileInfo", r#"{"objectId":"1"}"#),
    ("Emulation.setDeviceMetricsOverride", r#"{"width":1e4,"height":1e4,"deviceScaleFactor":1.1,"mobile":false}"#),
    ("Emulation.setDisplayFeaturesOverride", r#"{"features":[]}"#),
    ("Emulation.setVisibleSize", r#"{"width":100000,"height":1}"#),
    (
        "Input.dispatchDragEvent",
        r#"{"type":"drop","x":1,"y":1,"data":{"items":[],"files":["/x"],"dragOperationsMask":1}}"#,
    ),
    (
        "Input.dispatchKeyEvent",
        r#"{"type":"rawKeyDown","nativeVirtualKeyCode":84,"commands":["paste"," PasteAndMatchStyle","copy"]}"#,
    ),
    ("Input.dispatchTouchEvent", r#"{"type":"touchStart","touchPoints":[],"timestamp":-1e300}"#),
    ("Input.imeSetComposition", r#"{"text":"x","selectionStart":-1,"selectionEnd":0,"replacementStart":-1}"#),
    ("Input.synthesizeScrollGesture", r#"{"x":1,"y":2.5,"yDistance":-300,"repeatCount":1,"speed":800}"#),
    ("Input.synthesizeTapGesture", r#"{"x":1,"y":1,"tapCount":100000000}"#),
    ("Network.configureDurableMessages", r#"{"maxTotalBufferSize":200000000,"maxResourceBufferSize":-1}"#),
    ("Network.enable", r#"{"maxTotalBufferSize":1e9,"enableDurableMessages":true}"#),
    ("Network.getResponseBody", r#"{"requestId":"1"}"#),
    ("Network.loadNetworkResource", r#"{"frameId":"F","url":"http://127.0.0.1/","options":{"disableCache":true}}"#),
    ("Network.setCookies", r#"{"cookies":[]}"#),
    ("Page.captureScreenshot", r#"{"clip":{"x":0,"y":0,"width":1,"height":2,"scale":3},"captureBeyondViewport":true}"#),
    ("Page.navigate", r#"{"url":" view-source:\tfile:///etc/passwd","transitionType":"address_bar","frameId":"F"}"#),
    ("Page.navigate", r#"{"url":"CHROME:\\\\crash?x"}"#),
    ("Page.printToPDF", r#"{"paperWidth":1e-300}"#),
    ("Page.startScreencast", r#"{"format":"png","everyNthFrame":0}"#),
    ("Storage.deleteStorageBucket", r#"{"bucket":{"storageKey":"http://x/"}}"#),
    ("Storage.overrideQuotaForOrigin", r#"{"origin":"http://x","quotaSize":-1}"#),
    ("Target.createBrowserContext", r#"{"originsWithUniversalNetworkAccess":["http://x"]}"#),
];

pub(super) fn fixtures() -> Vec<Vec<u8>> {
    let frame =
        |method: &str, params: &str| format!(r#"{{"id":1,"method":"{method}","params":{params}}}"#).into_bytes();
    let mut seeds = recorded_frames();
    seeds.extend(ARGUMENTS.iter().map(|(method, params)| frame(method, params)));
    seeds.extend(ROWS.keys().map(|method| frame(method, "{}")));
    seeds.extend(
        ["Nope.enable", "Target.newThing", "Runtime.newThing", "ghost.none", "."].map(|method| frame(method, "{}")),
    );
    seeds
}

pub(super) fn run(input: &[u8]) {
    let Ok(command) = Command::read(Bytes::copy_from_slice(input)) else { return };
    let method = command.method();
    let shared = Capabilities::of_shared_browser();
    for granted in [
        Granted::none(),
        Granted::new(Capabilities::local(), shared),
        Granted::new(Capabilities::all(), Capabilities::all()),
    ] {
        for level in [Level::Page, Level::Browser] {
            decided(method, level, granted);
        }
        if let Handler::Check(rule) = decide(method, Level::Page, granted).handler {
            for kind in KINDS {
                for below in [false, true] {
                    let on = On { kind, below };
                    let checked = check(rule, method, command.params(), on, granted);
                    if let Checked::Rewritten(params) = &checked {
                        assert!(JsonObject::read(params).is_some(), "{method} is given {params}");
                        let again = check(rule, method, params, on, granted);
                        assert!(!matches!(again, Checked::Rewritten(_)), "{method} {params} becomes {again:?}");
                    }
                    sent(method, command.params(), &checked, granted);
                }
            }
        }
        // It is reached by a handler of its own, with the params of Target.createBrowserContext.
        sent(
            "Target.createBrowserContext",
            command.params(),
            &check_browser_context(method, command.params(), granted),
            granted,
        );
    }
}

/// The decision is the row's; without a row there is none, except for a new method of a page's own domain.
fn decided(method: &str, level: Level, granted: Granted) {
    let decision = decide(method, level, granted);
    let row = ROWS.get(method).or_else(|| ROWS.get(format!("{}.*", method.split_once('.')?.0).as_str()));
    match row {
        None if decision.verdict == Verdict::NotFound => assert!(not_found(method).contains(method)),
        None => {
            let domain = method.split_once('.').expect("it passes only by its domain").0;
            let is_open = level == Level::Page && decision.verdict == Verdict::Pass && !GUARDED.contains(domain);
            assert!(
                is_open && ROWS.keys().any(|row| row.starts_with(&format!("{domain}."))),
                "{method} has no row, and is {decision:?}"
            );
        }
        Some([_, page, browser]) => match (if level == Level::Page { *page } else { *browser }, decision.handler) {
            ("refuse", handler) => assert_eq!(handler, Handler::Refuse(Refusal { needs: None }), "{method}"),
            ("not-found", handler) => assert_eq!(handler, Handler::NotFound, "{method}"),
            ("pass", _) => assert_eq!(decision.verdict, Verdict::Pass, "{method}"),
            (rule, Handler::Refuse(refusal)) => {
                let needs = refusal.needs.expect("a capability, or the row would be \"refuse\"");
                assert_eq!(rule, format!("refuse {needs}"), "{method}");
                assert!(refusal.message(method).contains(method));
            }
            (rule, Handler::Pass) if rule.strip_prefix("refuse ").is_some_and(|name| has(name, granted)) => {}
            (rule, Handler::Pass | Handler::NotFound) => panic!("{method} is {decision:?} by {rule}"),
            (rule, _) => {
                let needed = rule.strip_prefix("refuse ");
                assert!(needed.is_none_or(|name| has(name, granted)), "{method} is let through without {needed:?}");
            }
        },
    }
}

/// Whether the capability of this name is granted.
fn has(name: &str, granted: Granted) -> bool {
    ALL.into_iter().any(|capability| capability.name() == name && granted.has(capability))
}

const ALL: [Capability; 5] = [
    Capability::HostFiles,
    Capability::Tracing,
    Capability::PrivateNetwork,
    Capability::LaunchArgs,
    Capability::Dedicated,
];

/// What goes up to Chrome, as another JSON parser reads it, is not what the rule is there to hold back.
fn sent(method: &str, asked: &str, checked: &Checked, granted: Granted) {
    let params = match checked {
        Checked::AsIs | Checked::Picture(_) | Checked::Buffers { .. } | Checked::OnceAlive | Checked::Crashes => asked,
        Checked::Rewritten(params) => params,
        Checked::Another { params, .. } => {
            assert!(serde_json::from_str::<Value>(params).is_ok_and(|params| params.is_object()), "{method} {params}");
            return;
        }
        Checked::Answer(result) => {
            assert!(serde_json::from_str::<Value>(result).is_ok_and(|result| result.is_object()), "{method} {result}");
            return;
        }
        Checked::Refused { message, .. } => {
            assert!(!message.is_empty(), "{method}");
            return;
        }
        Checked::Crash(_) => return,
        Checked::Files { paths } => {
            assert!(!paths.is_empty(), "{method}");
            return;
        }
    };
    let Some(params) = judged(params) else { return };
    let files = granted.has(Capability::HostFiles);
    let number = |name: &str| params[name].as_f64();
    match method {
        "Page.navigate" if !files => {
            let is_file =
                |url: &str| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "file" | "chrome" | "devtools"));
            let url = params["url"].as_str().unwrap_or_default();
            assert!(!is_file(url), "{url:?} is opened");
            assert_ne!(params["transitionType"], "address_bar");
        }
        "Input.dispatchKeyEvent" => {
            assert!(params["nativeVirtualKeyCode"].is_null(), "{params}");
            assert!(granted.has(Capability::Dedicated) || !pastes(&params), "{params}");
        }
        "Input.dispatchDragEvent" if !files => assert!(params["data"]["files"].is_null(), "{params}"),
        "DOM.setFileInputFiles" if !files => {
            assert!(params["files"].as_array().is_none_or(Vec::is_empty), "{params}");
        }
        "DOM.getFileInfo" => assert!(files, "{params}"),
        "Emulation.setVisibleSize" if !granted.has(Capability::Dedicated) => {
            assert!(
                !["width", "height"].into_iter().any(|side| number(side).is_some_and(|side| side > 4096.0)),
                "{params}"
            );
        }
        "Page.startScreencast" => assert!(number("everyNthFrame").is_none_or(|every| every >= 1.0), "{params}"),
        "Storage.overrideQuotaForOrigin" => {
            assert!(number("quotaSize").is_none_or(|size| (0.0..=9.1e15).contains(&size)), "{params}");
        }
        "Target.createBrowserContext" => {
            let origins = &params["originsWithUniversalNetworkAccess"];
            assert!(origins.is_null() || origins.as_array().is_some_and(Vec::is_empty), "{params}");
        }
        _ => {}
    }
}

/// Whether the commands of a key event paste what another session may have copied.
fn pastes(params: &Value) -> bool {
    let mut commands = params["commands"].as_array().into_iter().flatten().filter_map(Value::as_str);
    commands.any(|command| command.trim().to_ascii_lowercase().starts_with("paste"))
}

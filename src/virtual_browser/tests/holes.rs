//! Sends every method that the policy inspects with foreign ids, in every member that names an id and in every spelling:
//! no command to Chrome may have one where Chrome would read it.

use std::collections::BTreeSet;

use super::*;
use crate::cdp::json_object::quote;

const FOREIGN: &str = "FOREIGN";
/// Windows are numbers.
const FOREIGN_WINDOW: i32 = 4242;

/// The members of the params in which a method names an object that has an owner. Every method with a verdict that checks
/// the owner has a row.
const NAMES: &[(&str, &[&str])] = &[
    ("Browser.cancelDownload", &["guid", "browserContextId"]),
    ("Browser.close", &[]),
    ("Browser.getHistograms", &[]),
    ("Browser.getVersion", &[]),
    ("Browser.getWindowBounds", &["windowId"]),
    ("Browser.getWindowForTarget", &["targetId"]),
    ("Browser.grantPermissions", &["browserContextId"]),
    ("Browser.resetPermissions", &["browserContextId"]),
    ("Browser.setContentsSize", &["windowId"]),
    ("Browser.setDockTile", &[]),
    ("Browser.setDownloadBehavior", &["browserContextId", "downloadPath"]),
    ("Browser.setPermission", &["browserContextId"]),
    ("Browser.setWindowBounds", &["windowId"]),
    ("IO.close", &[]),
    ("IO.read", &[]),
    ("IO.resolveBlob", &[]),
    ("Page.setDownloadBehavior", &["downloadPath"]),
    ("Runtime.runIfWaitingForDebugger", &[]),
    ("Security.setIgnoreCertificateErrors", &[]),
    ("Storage.clearCookies", &["browserContextId"]),
    ("Storage.getCookies", &["browserContextId"]),
    ("Storage.setCookies", &["browserContextId"]),
    ("SystemInfo.getProcessInfo", &[]),
    ("Target.activateTarget", &["targetId"]),
    ("Target.attachToBrowserTarget", &[]),
    ("Target.attachToTarget", &["targetId"]),
    ("Target.autoAttachRelated", &["targetId"]),
    ("Target.closeTarget", &["targetId"]),
    ("Target.createBrowserContext", &[]),
    ("Target.createTarget", &["browserContextId"]),
    ("Target.detachFromTarget", &["sessionId", "targetId"]),
    ("Target.disposeBrowserContext", &["browserContextId"]),
    ("Target.getBrowserContexts", &[]),
    ("Target.getDevToolsTarget", &["targetId"]),
    ("Target.getTargetInfo", &["targetId"]),
    ("Target.getTargets", &[]),
    ("Target.sendMessageToTarget", &["sessionId", "targetId"]),
    ("Target.setAutoAttach", &[]),
    ("Target.setDiscoverTargets", &[]),
    ("ghost.*", &[]),
    ("ghost.disable", &[]),
    ("ghost.enable", &[]),
];

/// A complete set of arguments for all these methods, all of this session.
const OWN: &[(&str, &str)] = &[
    ("targetId", "\"P\""),
    ("browserContextId", "\"CTX\""),
    ("sessionId", "\"S\""),
    ("guid", "\"G\""),
    ("windowId", "1"),
    ("downloadPath", "\"/wanted\""),
    ("url", "\"about:blank\""),
    ("behavior", "\"allow\""),
    ("discover", "true"),
    ("autoAttach", "true"),
    ("waitForDebuggerOnStart", "true"),
    ("flatten", "true"),
    ("permissions", "[\"midi\"]"),
    ("permission", "{\"name\":\"midi\"}"),
    ("setting", "\"granted\""),
    ("cookies", "[]"),
    ("bounds", "{}"),
    ("message", "\"{}\""),
];

fn value(name: &str) -> String {
    if name == "windowId" { FOREIGN_WINDOW.to_string() } else { quote(FOREIGN) }
}

/// Every way to put a foreign value under a name, as members.
fn spellings(name: &str) -> Vec<String> {
    let foreign = value(name);
    let own = OWN.iter().find(|(own, _)| *own == name).map_or("null", |(_, own)| own);
    let escaped_name = format!("\\u{:04x}{}", u32::from(name.as_bytes()[0]), &name[1..]);
    let escaped = if name == "windowId" { "4242.0".to_owned() } else { format!("\"\\u{:04x}OREIGN\"", u32::from('F')) };
    vec![
        format!("\"{name}\":{foreign}"),
        format!("\"{name}\":{escaped}"),
        format!("\"{escaped_name}\":{foreign}"),
        format!("\"{name}\":{own},\"{name}\":{foreign}"),
        format!("\"{name}\":{foreign},\"{name}\":{own}"),
        format!("\"{name}\":{own},\"{escaped_name}\":{foreign}"),
        format!("\"{escaped_name}\":{own},\"{name}\":{foreign}"),
        format!("\"{name}\":[{foreign}]"),
        format!("\"{name}\":{{\"{name}\":{foreign}}}"),
        format!("\"{name}\":null"),
        format!("\"{name}\":{FOREIGN_WINDOW}"),
        format!("\"{name}\":true"),
        format!("\"{name}\":\"\""),
        format!("\"{name}\":\"\\ud800\""),
        format!("\"{name}\":{foreign},\"\\ud800\":1"),
        format!("\"{name}\":{foreign},\"filter\":[{{\"type\":\"\\ud800\"}}]"),
        format!("\"{name}\":{foreign},\"flatten\":5,\"eventsEnabled\":5,\"disposeOnDetach\":5"),
    ]
}

/// Params with `members`, and with the other arguments that a method may need if `others`.
pub(super) fn params(name: &str, members: &str, others: bool) -> String {
    let mut all = vec![members.to_owned()];
    if others {
        let same = |own: &str| own == name || members.contains(&format!("\"{own}\""));
        // By `sessionId` Chrome does not look at `targetId`, and the other way round.
        let instead = |own: &str| name == "targetId" && own == "sessionId";
        let own = OWN.iter().filter(|(own, _)| !same(own) && !instead(own));
        all.extend(own.map(|(own, value)| format!("\"{own}\":{value}")));
    }
    format!("{{{}}}", all.join(","))
}

/// A client with everything of its own, and a child that is not flat, `N`, with one below, `NN`.
fn client() -> Pair {
    client_with(Capabilities::strict())
}

pub(super) fn client_with(caps: Capabilities) -> Pair {
    let mut pair = Pair::with_page_and(caps);
    pair.session.scope.windows.insert(1);
    pair.feed(FromBrowser::Download {
        method: "Browser.downloadWillBegin",
        params: r#"{"guid":"G","suggestedFilename":"x"}"#.to_owned(),
    });
    pair.asks("Target.attachToTarget", r#"{"targetId":"P"}"#);
    pair.attached("ROOT", "N", "P");
    pair.created("W", "worker", "CTX");
    pair.asks_on("S", "Target.attachToTarget", r#"{"targetId":"W","flatten":true}"#);
    pair.attached("S", "SW", "W");
    pair.asks_on("N", "Target.attachToTarget", r#"{"targetId":"W"}"#);
    pair.attached("N", "NN", "W");
    pair
}

/// The frames by which a command reaches each kind of CDP session.
fn ways(method: &str, params: &str) -> [String; 6] {
    let command = |session: &str| format!(r#"{{"id":1,"method":"{method}","params":{params}{session}}}"#);
    let tunnel = |on: &str, inner: &str| {
        let params = format!(r#"{{"sessionId":"{on}","message":{}}}"#, quote(inner));
        format!(r#"{{"id":2,"method":"Target.sendMessageToTarget","params":{params}}}"#)
    };
    [
        command(""),
        command(r#","sessionId":"S""#),
        command(r#","sessionId":"SW""#),
        command("").replace("\"id\":1", "\"id\":-1"),
        tunnel("N", &command("")),
        tunnel("N", &tunnel("NN", &command(""))),
    ]
}

/// Checks that a text for Chrome has no duplicate keys and no foreign id.
fn check(action: &Action, names: &[&str], frame: &str) {
    let up = match action {
        Action::Pass(text) | Action::Navigate(_, text) | Action::Resume(_, _, ResumeAs::Frame { text, .. }) => {
            let command = Command::read(text.clone()).expect("what goes up can be read");
            assert_ne!(command.session(), Some(FOREIGN), "{frame}");
            assert_ne!(command.session(), None, "{frame}: {text:?}");
            command.params().to_owned()
        }
        Action::Call(_, call) => {
            assert!(call.on.as_ref().is_some_and(|on| on.as_str() != FOREIGN), "{frame}: {call:?}");
            call.params.clone()
        }
        Action::Detach(_, session) | Action::AutoAttach(_, session, _) => {
            assert_ne!(session.as_str(), FOREIGN, "{frame}");
            return;
        }
        _ => return,
    };
    let read = JsonObject::read(&up).unwrap_or_else(|| panic!("{frame}: {up} is read differently by others"));
    for name in names {
        let value = read.string(name);
        assert!(value.as_deref() != Some(FOREIGN), "{frame} went up as {up}");
        assert!(*name != "windowId" || read.read_as::<f64>(name) != Some(f64::from(FOREIGN_WINDOW)), "{frame}: {up}");
        let path = *name != "downloadPath" || value.is_none() || value.as_deref() == Some("/own/downloads/CTX");
        assert!(path, "{frame}: {up}");
    }
    // An interest in targets must never reach Chrome from a root: it is everybody's.
    let of_root = frame.contains(r#""method":"Target.set"#) && !frame.contains("\"sessionId\"");
    let refused = [r#""flatten":5"#, r#""filter":[{"type":5}]"#].iter().any(|wrong| up.contains(wrong));
    assert!(!of_root || refused, "{frame} went up as {up}");
}

#[test]
fn foreign_ids_are_never_sent_in_any_spelling() {
    let mut frames = 0;
    for (method, names) in NAMES {
        for name in *names {
            for members in spellings(name) {
                for others in [false, true] {
                    for frame in ways(method, &params(name, &members, others)) {
                        let mut pair = client();
                        pair.session.on_client(VIEW, Bytes::from(frame.clone()));
                        for action in pair.session.poll_actions() {
                            check(&action, names, &frame);
                        }
                        frames += 1;
                    }
                }
            }
        }
    }
    assert!(frames > 4000, "{frames}");
}

#[test]
fn auto_attach_of_roots_is_never_sent() {
    for filter in [
        r#"[{"type":"\ud800"},{"type":"tab","exclude":true},{}]"#,
        r#"[{"type":"tab","exclude":false,"exclude":true},{}]"#,
        r#"[{"x":1,"x":2,"exclude":true,"type":"tab"},{}]"#,
        r#"[{"\u0065xclude":true,"type":"tab"},{}]"#,
        "[]",
    ] {
        for method in ["Target.setAutoAttach", "Target.setDiscoverTargets"] {
            let frame = format!(
                r#"{{"id":1,"method":"{method}","params":{{"discover":true,"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true,"filter":{filter}}}}}"#
            );
            let mut pair = client();
            pair.session.on_client(VIEW, Bytes::from(frame.clone()));
            for action in pair.session.poll_actions() {
                check(&action, &[], &frame);
            }
        }
    }
}

#[test]
fn every_inspected_method_has_a_row() {
    let looked_into = ["inject-context", "own-only", "virtualise", "answer-locally"];
    let rows: BTreeSet<&str> = include_str!("../policy.tsv")
        .lines()
        .filter(|row| row.split('\t').skip(2).take(2).any(|verdict| looked_into.contains(&verdict)))
        .filter_map(|row| row.split('\t').next())
        .collect();
    let named: BTreeSet<&str> = NAMES.iter().map(|(method, _)| *method).collect();
    let missing: Vec<_> = rows.difference(&named).collect();
    assert!(missing.is_empty(), "{missing:?} need a row in NAMES");
}

#[test]
fn methods_without_a_rule_are_not_sent() {
    // Every method of the table, on every kind of CDP session, with no and with all params: a command to Chrome is sent
    // on a CDP session of this session, or on the base.
    let params = params("", "\"x\":1", true);
    for row in include_str!("../policy.tsv").lines().skip(1) {
        let method = row.split('\t').next().expect("a method");
        for params in ["{}", &params] {
            for frame in ways(method, params) {
                let mut pair = client();
                pair.session.on_client(VIEW, Bytes::from(frame.clone()));
                let own = ["ROOT", "BASE", "S", "SW", "N", "NN"];
                for action in pair.session.poll_actions() {
                    let on = match &action {
                        Action::Pass(text) => {
                            Command::read(text.clone()).ok().and_then(|up| up.session().map(str::to_owned))
                        }
                        Action::Call(_, call) => call.on.as_ref().map(ToString::to_string),
                        Action::Resume(on, ..)
                        | Action::Navigate(on, _)
                        | Action::Detach(_, on)
                        | Action::AutoAttach(_, on, _) => Some(on.to_string()),
                        _ => continue,
                    };
                    assert!(on.as_deref().is_some_and(|on| own.contains(&on)), "{frame}: {action:?}");
                }
            }
        }
    }
}

//! Arguments that end the browser, and with it every tenant; each was found by the sweep (`tests/prove/sweep`), on
//! Chromium 156.

use super::{Call, Checked, invalid, refused};
use crate::{
    api_types::capability::Capability,
    cdp::{json_object::JsonObject, target::Kind},
    virtual_browser::policy,
};

/// The largest quota: the largest integer that a double has exactly. Chrome converts it to an int64, and ends if it
/// cannot.
const MAX_QUOTA: f64 = 9_007_199_254_740_992.0;

/// Smallest paper size, in inches. Chrome rounds a smaller one to zero, and ends on a page without an extent.
const MIN_PAPER: f64 = 0.001;

/// Most taps of a gesture. *Measured:* the browser's main thread makes all taps at once, and 100 million delay every
/// tenant by minutes.
const MAX_TAPS: f64 = 1000.0;

/// Largest distance of an event from 1970, in seconds: about three thousand years.
const MAX_TIME: f64 = 1e11;

/// Refuses a quota below 0 or above an int64, which ends the browser with SIGTRAP.
pub(super) fn quota(_: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    match params.read_as::<f64>("quotaSize") {
        Some(size) if !(0.0..=MAX_QUOTA).contains(&size) => {
            invalid(&format!("quotaSize must be between 0 and {MAX_QUOTA}"))
        }
        _ => Checked::AsIs,
    }
}

/// Refuses paper of almost no width or height, which ends the browser with SIGTRAP. The text is Chrome's for paper without
/// room; Chrome itself refuses 0 and less.
pub(super) fn pdf(_: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    let tiny = |name| params.read_as::<f64>(name).is_some_and(|inches| inches > 0.0 && inches < MIN_PAPER);
    if tiny("paperWidth") || tiny("paperHeight") {
        return invalid("invalid print parameters: content area is empty");
    }
    Checked::OnceAlive
}

/// Refuses the command on a shared or service worker, and on a dedicated one without the auto-attach of its page. If the
/// worker has ended while it is attached, the command ends the browser with SIGTRAP or SIGSEGV. The proxy cannot know
/// whether a worker has ended: a service worker stops by itself.
///
/// A liveness check before the command does not help. *Measured, 156:* with the command 4 ms after the check, while the
/// worker is stopped, 38 of 115 tries ended Chrome; with the command at once, 4 of 390. A script that keeps the worker's
/// thread busy meanwhile prevents a stop (none of 530), but not the end of its process, which its tenant can cause at any
/// moment: none of 189 with the command at most 2 ms after the check, 25 of 66 with 10 ms.
pub(super) fn ended_worker(call: &Call<'_>, _: &mut JsonObject<'_>) -> Checked {
    let may_have_ended = match call.on {
        Kind::SharedWorker | Kind::ServiceWorker => true,
        Kind::Worker => !call.below,
        _ => false,
    };
    if may_have_ended && !call.granted.has(Capability::Dedicated) {
        return refused(format!(
            "'{}' is refused on a worker that may have ended, with which Chrome would end: it needs the capability {} and {}",
            call.method,
            Capability::Dedicated,
            policy::OWN_BROWSER
        ));
    }
    Checked::AsIs
}

/// Refuses the command on a worker. Chrome answers with the embedder policy that comes with the worker's script; until
/// that has arrived there is none, and the command ends the browser with SIGSEGV. The proxy does not see the script arrive.
pub(super) fn starting_worker(call: &Call<'_>, _: &mut JsonObject<'_>) -> Checked {
    if call.on.is_worker() && !call.granted.has(Capability::Dedicated) {
        return refused(format!(
            "'{}' is refused on a worker: while its script loads, Chrome would end. It needs the capability {} and {}",
            call.method,
            Capability::Dedicated,
            policy::OWN_BROWSER
        ));
    }
    Checked::AsIs
}

/// Refuses to end the process of an iframe. *Measured:* if the page then navigates it and stops that, a script that adds a
/// frame to the iframe ends the browser with SIGTRAP. For pages `crashed_pages` prevents that; scripts in an iframe can be
/// sent to its page, too.
pub(super) fn crash(call: &Call<'_>, _: &mut JsonObject<'_>) -> Checked {
    if call.on == Kind::Page || call.granted.has(Capability::Dedicated) {
        return Checked::Crashes;
    }
    refused(format!(
        "'{}' is refused on an iframe or worker, with which Chrome could end: it needs the capability {} and {}",
        call.method,
        Capability::Dedicated,
        policy::OWN_BROWSER
    ))
}

/// Refuses a range that begins before the text, which ends the browser with SIGILL.
pub(super) fn composition(_: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    let negative = |name| params.read_as::<f64>(name).is_some_and(|at| at < 0.0);
    if negative("replacementStart") || negative("replacementEnd") {
        return invalid("The replacement range must not be negative");
    }
    Checked::AsIs
}

/// Delays synthetic gestures, which end the browser with SIGSEGV on a page or frame whose process has gone.
pub(super) fn gesture(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    if !call.granted.has(Capability::Dedicated) {
        return refused(format!(
            "'{}' is refused: if the page has crashed, Chrome would end. Send Input.dispatchTouchEvent",
            call.method
        ));
    }
    match params.read_as::<f64>("tapCount") {
        Some(count) if count > MAX_TAPS => invalid(&format!("tapCount must not exceed {MAX_TAPS}")),
        _ => Checked::AsIs,
    }
}

/// As [`gesture`], for a mouse wheel, which makes the same scroll gesture.
pub(super) fn scroll(call: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    if call.granted.has(Capability::Dedicated) {
        return Checked::AsIs;
    }
    let number = |name| params.read_as::<f64>(name);
    let (Some(x), Some(y)) = (number("x"), number("y")) else { return invalid("Invalid parameters") };
    let times = 1.0 + number("repeatCount").unwrap_or(0.0).clamp(0.0, MAX_TAPS);
    let delta = |name| -number(name).unwrap_or(0.0) * times;
    let (right, down) = (delta("xDistance"), delta("yDistance"));
    if ![x, y, right, down].into_iter().all(f64::is_finite) {
        return invalid("Invalid parameters");
    }
    Checked::Another {
        method: "Input.dispatchMouseEvent",
        params: format!(r#"{{"type":"mouseWheel","x":{x},"y":{y},"deltaX":{right},"deltaY":{down}}}"#),
    }
}

/// Refuses a touch too far in the past, which ends the browser with SIGTRAP.
pub(super) fn touch(_: &Call<'_>, params: &mut JsonObject<'_>) -> Checked {
    match params.read_as::<f64>("timestamp") {
        Some(at) if at.abs() > MAX_TIME => invalid("timestamp is too far away"),
        _ => Checked::AsIs,
    }
}

/// Refuses the command on an out-of-process iframe, where it ends the browser with SIGTRAP; workers and tabs do not have
/// the command.
pub(super) fn only_on_a_page(call: &Call<'_>) -> Option<Checked> {
    matches!(call.on, Kind::Iframe | Kind::Other)
        .then(|| refused(format!("'{}' is refused on a frame: send it to the page", call.method)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;
    use crate::api_types::capability::Capabilities;

    fn strict(method: &str, params: &str) -> Checked {
        check(method, params, Kind::Page, Capabilities::strict())
    }

    /// Every right but that to a browser of its own.
    fn others() -> Capabilities {
        Capabilities { dedicated: false, ..Capabilities::all() }
    }

    #[test]
    fn only_pages_may_be_crashed() {
        assert_eq!(strict("Page.crash", "{}"), Checked::Crashes);
        for on in [Kind::Iframe, Kind::Worker, Kind::SharedWorker, Kind::ServiceWorker] {
            assert!(matches!(check("Page.crash", "{}", on, Capabilities::strict()), Checked::Refused { .. }), "{on:?}");
            assert_eq!(check("Page.crash", "{}", on, Capabilities::all()), Checked::Crashes, "{on:?}");
        }
    }

    #[test]
    fn quotas_outside_of_an_int64_are_refused() {
        for size in ["-1", "-0.5", "-9223372036854775808", "1e19", "1e300", "9007199254740994"] {
            let params = format!(r#"{{"origin":"http://x","quotaSize":{size}}}"#);
            let error = invalid("quotaSize must be between 0 and 9007199254740992");
            assert_eq!(strict("Storage.overrideQuotaForOrigin", &params), error, "{size}");
        }
        for params in [r#"{"origin":"http://x"}"#, r#"{"quotaSize":0}"#, r#"{"quotaSize":-0}"#, r#"{"quotaSize":"-1"}"#]
        {
            assert_eq!(strict("Storage.overrideQuotaForOrigin", params), Checked::AsIs, "{params}");
        }
    }

    #[test]
    fn paper_without_extent_is_refused() {
        for params in [r#"{"paperHeight":1e-300}"#, r#"{"paperWidth":0.0009,"paperHeight":11}"#] {
            let error = invalid("invalid print parameters: content area is empty");
            assert_eq!(strict("Page.printToPDF", params), error, "{params}");
        }
        for params in ["{}", r#"{"paperWidth":0,"paperHeight":-1}"#, r#"{"paperWidth":0.01,"paperHeight":1e300}"#] {
            assert_eq!(strict("Page.printToPDF", params), Checked::OnceAlive, "{params}");
        }
    }

    #[test]
    fn compositions_replace_only_existing_text() {
        let params = |more: &str| format!(r#"{{"text":"x","selectionStart":-1,"selectionEnd":0{more}}}"#);
        for more in [r#","replacementStart":-1"#, r#","replacementStart":0,"replacementEnd":-1"#] {
            let error = invalid("The replacement range must not be negative");
            assert_eq!(strict("Input.imeSetComposition", &params(more)), error, "{more}");
        }
        for more in ["", r#","replacementStart":3,"replacementEnd":1"#] {
            assert_eq!(strict("Input.imeSetComposition", &params(more)), Checked::AsIs, "{more}");
        }
    }

    #[test]
    fn endless_gestures_and_distant_times_are_refused() {
        let error = invalid("tapCount must not exceed 1000");
        let alone = Capabilities { dedicated: true, ..Capabilities::strict() };
        let tap = |count: &str, caps: Capabilities| {
            let params = format!(r#"{{"x":1,"y":1,"tapCount":{count}}}"#);
            check("Input.synthesizeTapGesture", &params, Kind::Page, caps)
        };
        assert_eq!(tap("100000000", alone), error);
        assert_eq!(tap("2", alone), Checked::AsIs);
        for method in ["Input.dispatchTouchEvent", "Input.emulateTouchFromMouseEvent"] {
            for at in ["-9223372036854775808", "1e300"] {
                let params = format!(r#"{{"type":"touchStart","touchPoints":[],"timestamp":{at}}}"#);
                assert_eq!(strict(method, &params), invalid("timestamp is too far away"), "{at}");
            }
            assert_eq!(strict(method, r#"{"timestamp":1795477762.5}"#), Checked::AsIs);
        }
    }

    #[test]
    fn display_features_are_refused_on_other_targets_than_pages() {
        let method = "Emulation.setDisplayFeaturesOverride";
        let params = r#"{"features":[{"orientation":"vertical","offset":2,"maskLength":1}]}"#;
        let error = refused(format!("'{method}' is refused on a frame: send it to the page"));
        assert_eq!(check(method, params, Kind::Iframe, Capabilities::strict()), error);
        assert_eq!(check(method, params, Kind::Page, Capabilities::strict()), Checked::AsIs);
    }

    #[test]
    fn synthetic_gestures_are_checked_in_shared_browsers() {
        for method in ["Input.synthesizeTapGesture", "Input.synthesizePinchGesture"] {
            let Checked::Refused { message, .. } = strict(method, r#"{"x":1,"y":1,"scaleFactor":2}"#) else {
                panic!("{method}");
            };
            assert!(message.contains(method) && message.contains("Input.dispatchTouchEvent"), "{message}");
        }
        let scroll = |params: &str| strict("Input.synthesizeScrollGesture", params);
        let wheel = |rest: &str| Checked::Another {
            method: "Input.dispatchMouseEvent",
            params: format!(r#"{{"type":"mouseWheel",{rest}}}"#),
        };
        assert_eq!(
            scroll(r#"{"x":1,"y":2.5,"yDistance":-300,"repeatCount":1,"speed":800}"#),
            wheel(r#""x":1,"y":2.5,"deltaX":-0,"deltaY":600"#)
        );
        for bad in [r#"{"x":1}"#, r#"{"x":1,"y":1,"yDistance":1e308,"repeatCount":900}"#] {
            assert!(matches!(scroll(bad), Checked::Refused { .. }), "{bad}");
        }
    }

    #[test]
    fn isolation_status_is_refused_on_workers_which_may_be_loading() {
        let is_passed =
            |kind, granted| check("Network.getSecurityIsolationStatus", "{}", kind, granted) == Checked::AsIs;
        for kind in [Kind::Worker, Kind::SharedWorker, Kind::ServiceWorker] {
            assert!(!is_passed(kind, others()), "{kind:?}");
        }
        assert!(is_passed(Kind::Page, Capabilities::strict()) && is_passed(Kind::Iframe, Capabilities::strict()));
    }

    #[test]
    fn what_ends_chrome_is_refused_on_workers_that_may_have_ended() {
        use super::super::On;
        for (method, params) in [
            ("Network.getResponseBody", r#"{"requestId":"1"}"#),
            ("Network.loadNetworkResource", r#"{"url":"https://example.com/"}"#),
        ] {
            let passes = |kind: Kind, below: bool| check(method, params, On { kind, below }, others()) == Checked::AsIs;
            assert!(passes(Kind::Worker, true), "{method}");
            for (kind, below) in [(Kind::Worker, false), (Kind::SharedWorker, false), (Kind::ServiceWorker, true)] {
                assert!(!passes(kind, below), "{method} on {kind:?}");
            }
        }
    }
}

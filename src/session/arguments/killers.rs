//! Arguments that end the browser, and with it every tenant; each was found by the sweep (`tests/prove/sweep`), on
//! Chromium 156.

use super::{Call, Checked, invalid, refused};
use crate::cdp::{object::Object, target::Kind};

/// The largest quota: what a double counts exactly. Chrome makes an int64 of it, and ends where that cannot be.
const MAX_QUOTA: f64 = 9_007_199_254_740_992.0;

/// Inches. Less is nothing to Chrome's geometry, which ends on a page without an extent.
const MIN_PAPER: f64 = 0.001;

/// Taps that one gesture may have. *Measured:* the browser's one thread makes them all before it does anything else,
/// and 100 million keep every tenant waiting for minutes.
const MAX_TAPS: f64 = 1000.0;

/// Seconds from 1970 that an event may be away: some three thousand years.
const MAX_TIME: f64 = 1e11;

/// SIGTRAP of the browser with a quota below 0, or above what an int64 holds.
pub(super) fn quota(_: &Call<'_>, params: &mut Object<'_>) -> Checked {
    match params.read_as::<f64>("quotaSize") {
        Some(size) if !(0.0..=MAX_QUOTA).contains(&size) => {
            invalid(&format!("quotaSize must be between 0 and {MAX_QUOTA}"))
        }
        _ => Checked::AsIs,
    }
}

/// SIGTRAP of the browser with paper that is wide or high by next to nothing. The text is Chrome's for paper without
/// room; what is 0 or less it refuses itself.
pub(super) fn pdf(_: &Call<'_>, params: &mut Object<'_>) -> Checked {
    let tiny = |name| params.read_as::<f64>(name).is_some_and(|inches| inches > 0.0 && inches < MIN_PAPER);
    if tiny("paperWidth") || tiny("paperHeight") {
        return invalid("invalid print parameters: content area is empty");
    }
    Checked::AsIs
}

/// SIGILL of the browser with a range that begins before the text does.
pub(super) fn composition(_: &Call<'_>, params: &mut Object<'_>) -> Checked {
    let negative = |name| params.read_as::<f64>(name).is_some_and(|at| at < 0.0);
    if negative("replacementStart") || negative("replacementEnd") {
        return invalid("The replacement range must not be negative");
    }
    Checked::AsIs
}

/// As many taps as a gesture may have.
pub(super) fn taps(_: &Call<'_>, params: &mut Object<'_>) -> Checked {
    match params.read_as::<f64>("tapCount") {
        Some(count) if count > MAX_TAPS => invalid(&format!("tapCount must not exceed {MAX_TAPS}")),
        _ => Checked::AsIs,
    }
}

/// SIGTRAP of the browser with a touch that was too long ago.
pub(super) fn touch(_: &Call<'_>, params: &mut Object<'_>) -> Checked {
    match params.read_as::<f64>("timestamp") {
        Some(at) if at.abs() > MAX_TIME => invalid("timestamp is too far away"),
        _ => Checked::AsIs,
    }
}

/// SIGTRAP of the browser on an out-of-process iframe; workers and tabs do not have it.
pub(super) fn only_on_a_page(call: &Call<'_>) -> Option<Checked> {
    matches!(call.on, Kind::Iframe | Kind::Other)
        .then(|| refused(format!("'{}' is refused on a frame: send it to the page", call.method)))
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;
    use crate::config::Capabilities;

    fn strict(method: &str, params: &str) -> Checked {
        check(method, params, Kind::Page, &Capabilities::strict())
    }

    #[test]
    fn a_quota_is_a_number_of_bytes() {
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
    fn paper_has_an_extent() {
        for params in [r#"{"paperHeight":1e-300}"#, r#"{"paperWidth":0.0009,"paperHeight":11}"#] {
            let error = invalid("invalid print parameters: content area is empty");
            assert_eq!(strict("Page.printToPDF", params), error, "{params}");
        }
        for params in ["{}", r#"{"paperWidth":0,"paperHeight":-1}"#, r#"{"paperWidth":0.01,"paperHeight":1e300}"#] {
            assert_eq!(strict("Page.printToPDF", params), Checked::AsIs, "{params}");
        }
    }

    #[test]
    fn a_composition_replaces_only_what_is_there() {
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
    fn gestures_are_finite_and_of_our_time() {
        let error = invalid("tapCount must not exceed 1000");
        assert_eq!(strict("Input.synthesizeTapGesture", r#"{"x":1,"y":1,"tapCount":100000000}"#), error);
        assert_eq!(strict("Input.synthesizeTapGesture", r#"{"x":1,"y":1,"tapCount":2}"#), Checked::AsIs);
        for method in ["Input.dispatchTouchEvent", "Input.emulateTouchFromMouseEvent"] {
            for at in ["-9223372036854775808", "1e300"] {
                let params = format!(r#"{{"type":"touchStart","touchPoints":[],"timestamp":{at}}}"#);
                assert_eq!(strict(method, &params), invalid("timestamp is too far away"), "{at}");
            }
            assert_eq!(strict(method, r#"{"timestamp":1795477762.5}"#), Checked::AsIs);
        }
    }

    #[test]
    fn display_features_are_a_page_s() {
        let method = "Emulation.setDisplayFeaturesOverride";
        let params = r#"{"features":[{"orientation":"vertical","offset":2,"maskLength":1}]}"#;
        let error = refused(format!("'{method}' is refused on a frame: send it to the page"));
        assert_eq!(check(method, params, Kind::Iframe, &Capabilities::strict()), error);
        assert_eq!(check(method, params, Kind::Page, &Capabilities::strict()), Checked::AsIs);
    }
}

use super::*;
use crate::{
    api_types::capability::{Capabilities, Capability},
    virtual_browser::policy::{self, Handler, Level},
};

/// As [`super::check`], by the rule that the table names.
pub(super) fn check(method: &str, params: &str, on: impl Into<On>, caps: Capabilities) -> Checked {
    let granted = Granted::new(caps, Capabilities::all());
    match policy::decide(method, Level::Page, granted).handler {
        Handler::Check(rule) => super::check(rule, method, params, on, granted),
        handler => panic!("{method} has no rule for its arguments, but {handler:?}"),
    }
}

fn strict(method: &str, params: &str) -> Checked {
    check(method, params, Kind::Page, Capabilities::strict())
}

fn rewritten(params: &str) -> Checked {
    Checked::Rewritten(params.to_owned())
}

fn answer() -> Checked {
    Checked::Answer("{}".to_owned())
}

#[test]
fn navigation_is_limited_to_allowed_urls() {
    for (params, message) in [
        (r#"{"url":"file:///etc/passwd"}"#, "'Page.navigate' is refused: file: URLs need the capability host-files"),
        (
            r#"{"url":"fi\tle:x","frameId":"F"}"#,
            "'Page.navigate' is refused: file: URLs need the capability host-files",
        ),
        (r#"{"\u0075rl":"\u0066ile:x"}"#, "'Page.navigate' is refused: file: URLs need the capability host-files"),
        (r#"{"url":"devtools://a"}"#, "'Page.navigate' is refused: devtools: URLs are not allowed"),
        (r#"{"url":"example.com"}"#, "Cannot navigate to invalid URL"),
        (r#"{"url":"\ud800"}"#, "Cannot navigate to invalid URL"),
    ] {
        assert_eq!(strict("Page.navigate", params), refused(message.to_owned()), "{params}");
    }
    for params in [
        r#"{"url":"https://example.com/\ud800","transitionType":"link"}"#,
        // For Chrome to refuse.
        r#"{"url":5}"#,
        "{}",
    ] {
        assert_eq!(strict("Page.navigate", params), Checked::AsIs, "{params}");
    }
    let params = r#"{"url":"http://x/\ud800", "transitionType":"address\u005fbar","frameId" : "F"}"#;
    assert_eq!(strict("Page.navigate", params), rewritten(r#"{"url":"http://x/\ud800","frameId":"F"}"#));
    let local = Capabilities::local();
    assert_eq!(check("Page.navigate", r#"{"url":"file:///x"}"#, Kind::Page, local), Checked::AsIs);
}

#[test]
fn chrome_pages_become_an_invalid_url() {
    for (asked, given) in [
        ("chrome://settings", "data:chrome://settings"),
        (" CHROME:gpu/a,b", "data:CHROME:gpu/a"),
        ("about:version", "data:about:version"),
        ("view-source:chr\\tome://gpu", "data:view-source:chrome://gpu"),
        ("chrome://crash.x", "data:chrome://crash.x"),
        ("view-source:chrome://crash", "data:view-source:chrome://crash"),
    ] {
        let params = |url: &str| format!(r#"{{"url":"{url}","frameId":"F"}}"#);
        assert_eq!(strict("Page.navigate", &params(asked)), rewritten(&params(given)), "{asked}");
    }
    let long = format!(r#"{{"url":"chrome://{}"}}"#, "x".repeat(1 << 20));
    assert!(matches!(strict("Page.navigate", &long), Checked::Rewritten(params) if params.len() < 300));
    let both = r#"{"url":"chrome://quit","transitionType":"address_bar"}"#;
    assert_eq!(strict("Page.navigate", both), rewritten(r#"{"url":"data:chrome://quit"}"#));
}

#[test]
fn navigation_to_chrome_crash_crashes_the_page() {
    for url in ["chrome://crash", "chrome://crash/", " CHROME:\\\\cRash?x", "chrome:crash"] {
        let (crash, params) = (Checked::Crash(None), format!(r#"{{"url":"{url}"}}"#));
        assert_eq!(strict("Page.navigate", &params), crash, "{url}");
        for on in [Kind::Iframe, Kind::Worker] {
            let elsewhere = check("Page.navigate", &params, on, Capabilities::strict());
            assert!(matches!(elsewhere, Checked::Rewritten(_)), "{url} on {on:?}");
        }
    }
    let framed = strict("Page.navigate", r#"{"url":"chrome://crash","frameId":"F"}"#);
    assert_eq!(framed, Checked::Crash(Some("F".to_owned())));
}

#[test]
fn screencast_steps_must_be_positive() {
    for step in ["0", "-0", "0.0", "-1", "0e5"] {
        let params = format!(r#"{{"format":"png","everyNthFrame":{step}}}"#);
        assert_eq!(strict("Page.startScreencast", &params), invalid("everyNthFrame must be a positive integer"));
    }
    for params in ["{}", r#"{"everyNthFrame":1}"#, r#"{"everyNthFrame":"0"}"#] {
        assert_eq!(strict("Page.startScreencast", params), Checked::AsIs, "{params}");
    }
}

#[test]
fn screenshots_and_viewports_have_a_largest_size() {
    let metrics = |width: &str, height: &str, scale: &str| {
        let params = format!(r#"{{"width":{width},"height":{height},"deviceScaleFactor":{scale},"mobile":false}}"#);
        assert_eq!(
            strict("Emulation.setDeviceMetricsOverride", &params),
            strict("Page.setDeviceMetricsOverride", &params)
        );
        strict("Page.setDeviceMetricsOverride", &params)
    };
    for (width, height, scale) in
        [("1280", "720", "1"), ("0", "0", "0"), ("1280", "19000", "2"), ("1280", "78000", "0")]
    {
        assert_eq!(metrics(width, height, scale), Checked::AsIs, "{width} {height} {scale}");
    }
    let chrome = invalid("Width and height values must be positive, not greater than 10000000");
    assert_eq!(metrics("10000001", "1", "1"), chrome);
    let large = invalid("width and height make more than 100000000 device pixels");
    for (width, height, scale) in
        [("10000000", "10000000", "1"), ("1000", "1000", "20"), ("1000", "200000", "1"), ("1e4", "1e4", "1.1")]
    {
        assert_eq!(metrics(width, height, scale), large, "{width} {height} {scale}");
    }
    // The window's own size.
    assert_eq!(metrics("0", "0", "2"), Checked::AsIs);
    let window =
        invalid("width and height make more than 100000000 device pixels: 0 is that of a window, 4096 at most");
    for (width, height, scale) in [("0", "0", "3"), ("1000", "0", "5"), ("0", "0", "1000")] {
        assert_eq!(metrics(width, height, scale), window, "{width} {height} {scale}");
    }
    let shot = |clip: &str| strict("Page.captureScreenshot", &format!(r#"{{"format":"png","clip":{clip}}}"#));
    let clip = Part::Clip { width: 1280.0, height: 5e4, scale: 0.5 };
    assert_eq!(shot(r#"{"x":0,"y":0,"width":1280,"height":50000,"scale":0.5}"#), Checked::Picture(clip));
    let doubled = r#"{"x":0,"y":0,"width":1,"height":1,"scale":1,"width":1e7}"#;
    assert_eq!(shot(doubled), invalid("Invalid parameters"));
    for (params, checked) in [
        ("{}", Part::Viewport),
        (r#"{"captureBeyondViewport":true}"#, Part::Whole),
        (r#"{"captureBeyondViewport":true,"fromSurface":false}"#, Part::Viewport),
        (r#"{"captureBeyondViewport":false,"format":"png"}"#, Part::Viewport),
    ] {
        assert_eq!(strict("Page.captureScreenshot", params), Checked::Picture(checked), "{params}");
    }
    let visible = |side: &str| strict("Emulation.setVisibleSize", &format!(r#"{{"width":{side},"height":1}}"#));
    assert_eq!(visible("4096"), Checked::AsIs);
    assert_eq!(visible("20000"), Checked::Rewritten(r#"{"width":4096,"height":1}"#.to_owned()));
}

#[test]
fn display_features_do_not_end_the_browser() {
    for (params, checked) in
        [(r#"{"features":[ ]}"#, answer()), (r#"{"features":[{}]}"#, Checked::AsIs), ("{}", Checked::AsIs)]
    {
        assert_eq!(strict("Emulation.setDisplayFeaturesOverride", params), checked, "{params}");
    }
    for (on, checked) in [(Kind::Page, Checked::AsIs), (Kind::Iframe, answer()), (Kind::Worker, answer())] {
        let method = "Emulation.clearDisplayFeaturesOverride";
        assert_eq!(check(method, "{}", on, Capabilities::strict()), checked, "{on:?}");
    }
}

#[test]
fn keys_trigger_no_browser_shortcuts_or_clipboard() {
    for (params, checked) in [
        (r#"{"type":"keyDown","key":"a"}"#, Checked::AsIs),
        (r#"{"type":"keyDown","commands":["selectAll"]}"#, Checked::AsIs),
        (
            r#"{"type":"rawKeyDown","modifiers":2,"nativeVirtualKeyCode":78,"key":"n"}"#,
            rewritten(r#"{"type":"rawKeyDown","modifiers":2,"key":"n"}"#),
        ),
        (r#"{"type":"rawKeyDown","nativeVirtualKey\u0043ode":78}"#, rewritten(r#"{"type":"rawKeyDown"}"#)),
        (
            r#"{"commands":["selectAll","paste","PASTE","p\u0061steAndMatchStyle", "copy"],"type":"keyDown"}"#,
            rewritten(r#"{"commands":["selectAll","copy"],"type":"keyDown"}"#),
        ),
        (r#"{"commands":[" pasteGlobalSelection"]}"#, rewritten(r#"{"commands":[]}"#)),
    ] {
        assert_eq!(strict("Input.dispatchKeyEvent", params), checked, "{params}");
    }
    let params = r#"{"commands":["paste"],"nativeVirtualKeyCode":1}"#;
    for may in [Capability::Dedicated, Capability::Clipboard] {
        let checked = check("Input.dispatchKeyEvent", params, Kind::Page, Capabilities::of([may]));
        assert_eq!(checked, rewritten(r#"{"commands":["paste"]}"#), "{may}");
    }
}

#[test]
fn host_files_need_the_capability() {
    let local = Capabilities::local();
    let params = r#"{"type":"drop","data":{"items":[],"f\u0069les":["/etc/passwd"],"dragOperationsMask":1}}"#;
    let clean = r#"{"type":"drop","data":{"items":[],"dragOperationsMask":1}}"#;
    let twice = r#"{"type":"drop","data":{"files":["/etc/passwd"],"f\u0069les":["x"]}}"#;
    assert_eq!(strict("Input.dispatchDragEvent", twice), invalid("Invalid parameters"));
    assert_eq!(strict("Input.dispatchDragEvent", params), rewritten(clean));
    assert_eq!(strict("Input.dispatchDragEvent", clean), Checked::AsIs);
    assert_eq!(check("Input.dispatchDragEvent", params, Kind::Page, local), Checked::AsIs);

    let params = r#"{"files":["/etc/passwd","d/../\u0078"],"nodeId":1}"#;
    let paths = vec!["/etc/passwd".to_owned(), "d/../x".to_owned()];
    assert_eq!(strict("DOM.setFileInputFiles", params), Checked::Files { paths });
    assert_eq!(check("DOM.setFileInputFiles", params, Kind::Page, local), Checked::AsIs);
    assert_eq!(strict("DOM.setFileInputFiles", r#"{"files":[]}"#), Checked::AsIs);
    for params in [r#"{"files":["\ud800"]}"#, r#"{"files":["/etc/passwd",5]}"#, r#"{"files":{}}"#, r#"{"\ud800":1}"#] {
        assert_eq!(strict("DOM.setFileInputFiles", params), invalid("Invalid parameters"), "{params}");
    }

    let text = "'DOM.getFileInfo' is refused: it needs the capability host-files";
    assert_eq!(strict("DOM.getFileInfo", r#"{"objectId":"1"}"#), refused(text.to_owned()));
    assert_eq!(check("DOM.getFileInfo", r#"{"objectId":"1"}"#, Kind::Page, local), Checked::AsIs);
}

#[test]
fn buffered_bodies_are_counted_and_limited_in_the_network_process() {
    for (method, params, beyond) in [
        ("Network.enable", "{}", 0.0),
        ("Network.enable", r#"{"maxTotalBufferSize":100000000,"maxPostDataSize":-1}"#, 0.0),
        ("Network.enable", r#"{"maxTotalBufferSize":2e9,"maxResourceBufferSize":-1}"#, 1.9e9),
        ("Network.enable", r#"{"enableDurableMessages":false,"maxTotalBufferSize":100000001}"#, 1.0),
    ] {
        assert_eq!(strict(method, params), Checked::Buffers { beyond }, "{method} {params}");
    }
    let negative = invalid("maxTotalBufferSize must not be negative, which is no limit");
    assert_eq!(strict("Network.enable", r#"{"maxTotalBufferSize":-1}"#), negative);
    for (method, params, checked) in [
        (
            "Network.enable",
            r#"{"enableDurableMessages":true,"maxTotalBufferSize":200000000,"maxResourceBufferSize":-1}"#,
            rewritten(
                r#"{"enableDurableMessages":true,"maxTotalBufferSize":16000000,"maxResourceBufferSize":16000000}"#,
            ),
        ),
        ("Network.enable", r#"{"enableDurableMessages":true,"maxTotalBufferSize":16000000}"#, Checked::AsIs),
        ("Network.configureDurableMessages", r#"{"maxTotalBufferSize":1000}"#, Checked::AsIs),
        (
            "Network.configureDurableMessages",
            r#"{"maxTotalBufferSize":16000001}"#,
            rewritten(r#"{"maxTotalBufferSize":16000000}"#),
        ),
    ] {
        assert_eq!(strict(method, params), checked, "{method} {params}");
    }
}

#[test]
fn cookies_cannot_be_set_on_workers() {
    for (on, passes) in [(Kind::Page, true), (Kind::Iframe, true), (Kind::Worker, false), (Kind::ServiceWorker, false)]
    {
        let checked = check("Network.setCookies", r#"{"cookies":[]}"#, on, Capabilities::local());
        assert_eq!(checked == Checked::AsIs, passes, "{on:?}");
    }
}

#[test]
fn browser_requests_to_private_networks_are_refused() {
    let text = "'Network.loadNetworkResource' is refused: it needs the capability private-network";
    for url in ["http://127.0.0.1:9222/json/list", "http:\\\\2130706433", "http://[::1]/", "http://redis/"] {
        let params = format!(r#"{{"url":"{url}","options":{{}}}}"#);
        assert_eq!(strict("Network.loadNetworkResource", &params), refused(text.to_owned()), "{url}");
        let checked = check("Network.loadNetworkResource", &params, Kind::Page, Capabilities::local());
        assert_eq!(checked, Checked::AsIs, "{url}");
    }
    for (url, checked) in [
        ("https://example.com/x.map", Checked::AsIs),
        ("file:///etc/passwd", invalid("Unsupported URL scheme")),
        ("view-source:http://example.com/", invalid("Unsupported URL scheme")),
    ] {
        assert_eq!(strict("Network.loadNetworkResource", &format!(r#"{{"url":"{url}"}}"#)), checked, "{url}");
    }
}

#[test]
fn universal_network_access_is_refused() {
    let context = |params: &str| check_browser_context("Target.createBrowserContext", params, Granted::none());
    let text =
        "'Target.createBrowserContext' with originsWithUniversalNetworkAccess is refused: no capability allows it";
    for (origins, checked) in [
        (r#"["http://a.test"]"#, refused(text.to_owned())),
        (r#""http://a.test""#, refused(text.to_owned())),
        ("[]", Checked::AsIs),
        ("null", Checked::AsIs),
    ] {
        let params = format!(r#"{{"disposeOnDetach":true,"originsWithUniversalNetworkAccess":{origins}}}"#);
        assert_eq!(context(&params), checked, "{params}");
    }
    assert_eq!(context("{}"), Checked::AsIs);
}

//! The flags of Chrome that a client may give, and how each is sorted. PURE.
//!
//! A flag that is not here is refused. `docs/launch-options.md` shows this table; a test compares the two.

use super::value::{Name, Value};
use crate::api_types::Capability;

/// How a flag is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// In a shared browser it is emulated for each page of the session; in a dedicated one Chrome gets it.
    Emulated,
    /// It is accepted and changes nothing.
    NoEffect,
    /// Only a dedicated browser can have it.
    OwnBrowser,
    /// It becomes the proxy of the session, before the others are judged (`Launch::without_proxy`).
    Proxy,
    /// No browser gets it.
    Refused,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    /// With the dashes. One that ends with `*` stands for all flags that begin like this.
    pub(super) name: &'static str,
    pub(super) value: Value,
    pub(super) sort: Sort,
    /// What the tenant needs beside `dedicated`.
    pub(super) needs: Option<Capability>,
    pub(super) why: &'static str,
}

const fn emulated(name: &'static str, value: Value, why: &'static str) -> Flag {
    Flag { name, value, sort: Sort::Emulated, needs: None, why }
}

const fn idle(name: &'static str, why: &'static str) -> Flag {
    Flag { name, value: Value::Ignored, sort: Sort::NoEffect, needs: None, why }
}

const fn own(name: &'static str, value: Value, why: &'static str) -> Flag {
    Flag { name, value, sort: Sort::OwnBrowser, needs: None, why }
}

/// For one who may weaken what protects pages from each other.
const fn weak(name: &'static str, value: Value, why: &'static str) -> Flag {
    Flag { needs: Some(Capability::LaunchArgs), ..own(name, value, why) }
}

const fn of_proxy(name: &'static str, why: &'static str) -> Flag {
    Flag { name, value: Value::Ignored, sort: Sort::Proxy, needs: None, why }
}

const fn refused(name: &'static str, why: &'static str) -> Flag {
    Flag { name, value: Value::Ignored, sort: Sort::Refused, needs: None, why }
}

const fn acts(text: &'static str) -> Name {
    Name { text, acts: true, needs: None }
}

const fn weakens(text: &'static str) -> Name {
    Name { text, acts: true, needs: Some(Capability::LaunchArgs) }
}

const fn off(text: &'static str) -> Name {
    Name { text, acts: false, needs: None }
}

const GIVEN: &str = "Chrome is started with it, or without what it turns off";
const SANDBOX: &str = "the operator decides on Chrome's sandbox and processes";
const NO_WINDOW: &str = "there is no window on a screen";
const NO_GPU: &str = "Chrome chooses how it draws, by what the machine has";
const CONNECTS: &str = "the server itself connects to Chrome";
const EGRESS: &str = "it decides where requests go, and the server alone does so; give the session a proxy: proxy=URL, or \
                      --proxy-server with one proxy";
const HOST: &str = "it names files of the server's machine";
const PROGRAM: &str = "it starts a program on the server's machine";
const EXTENSION: &str = "the operator chooses the directory that extensions may come from";

/// Features that clients turn off. Those without effect are off here already, or are none of a current Chrome.
const FEATURES_OFF: &[Name] = &[
    acts("AutomationControlled"),
    acts("BackForwardCache"),
    weakens("IsolateOrigins"),
    acts("LazyFrameLoading"),
    acts("PaintHolding"),
    acts("Prerender2"),
    weakens("site-per-process"),
    acts("ThirdPartyStoragePartitioning"),
    acts("TrackingProtection3pcd"),
    off("AcceptCHFrame"),
    off("AudioServiceOutOfProcess"),
    off("AutoExpandDetailsElement"),
    off("AvoidUnnecessaryBeforeUnloadCheckSync"),
    off("BlinkGenPropertyTrees"),
    off("CalculateNativeWinOcclusion"),
    off("CertificateTransparencyComponentUpdater"),
    off("DestroyProfileOnBrowserClose"),
    off("DialMediaRouteProvider"),
    off("GlobalMediaControls"),
    off("HttpsFirstBalancedModeAutoEnable"),
    off("HttpsUpgrades"),
    off("ImprovedCookieControls"),
    off("InterestFeedContentSuggestions"),
    off("LensOverlay"),
    off("MediaRouter"),
    off("OptimizationHints"),
    off("ProcessPerSiteUpToMainFrameThreshold"),
    off("RenderDocument"),
    off("Translate"),
    off("TranslateUI"),
    off("VizDisplayCompositor"),
];

/// Features that clients turn on.
const FEATURES_ON: &[Name] = &[
    acts("SharedArrayBuffer"),
    acts("WebContentsForceDark"),
    off("NetworkService"),
    off("NetworkServiceInProcess"),
    off("PdfOopif"),
];

const BLINK_OFF: &[Name] = &[acts("AutomationControlled")];

const BLINK_SETTINGS: &[Name] = &[
    acts("imagesEnabled=false"),
    acts("imagesEnabled=true"),
    acts("primaryHoverType=2"),
    acts("availableHoverTypes=2"),
    acts("primaryPointerType=4"),
    acts("availablePointerTypes=4"),
    acts("preferredColorScheme=0"),
    acts("preferredColorScheme=1"),
];

/// The table.
pub(super) const FLAGS: &[Flag] = &[
    // ---- Emulated in a shared browser.
    emulated("--accept-lang", Value::Languages, "languages that pages see, and that requests name"),
    emulated("--force-device-scale-factor", Value::Scale, "device pixel ratio of pages"),
    emulated("--ignore-certificate-errors", Value::Nothing, "pages of the session load in spite of such errors"),
    emulated("--lang", Value::Languages, "as `--accept-lang`, and the locale of numbers and dates"),
    emulated("--user-agent", Value::UserAgent, "user agent of pages and their requests"),
    emulated("--window-size", Value::Size, "size of pages"),
    // ---- Only in a dedicated browser.
    weak("--allow-running-insecure-content", Value::Nothing, "pages of https load scripts of http"),
    own(
        "--autoplay-policy",
        Value::Word(&["no-user-gesture-required", "user-gesture-required", "document-user-activation-required"]),
        "a setting of the whole browser",
    ),
    own("--blink-settings", Value::Names(BLINK_SETTINGS), "a setting of the whole browser"),
    own("--deny-permission-prompts", Value::Nothing, "a setting of the whole browser"),
    own("--disable-blink-features", Value::Names(BLINK_OFF), "a setting of the whole browser"),
    own("--disable-extensions-except", Value::Extensions, EXTENSION),
    own("--disable-features", Value::Names(FEATURES_OFF), "features of the whole browser"),
    own("--disable-font-subpixel-positioning", Value::Nothing, "how the whole browser draws"),
    own("--disable-http2", Value::Nothing, "connections of the whole browser"),
    own("--disable-ipc-flooding-protection", Value::Nothing, "in a shared browser it protects other sessions"),
    own("--disable-lcd-text", Value::Nothing, "how the whole browser draws"),
    own("--disable-notifications", Value::Nothing, "a setting of the whole browser"),
    own("--disable-quic", Value::Nothing, "connections of the whole browser"),
    weak("--disable-site-isolation-trials", Value::Nothing, "sites share processes"),
    weak("--disable-web-security", Value::Nothing, "pages read what they load from other origins"),
    own("--enable-automation", Value::Nothing, "a setting of the whole browser"),
    weak("--enable-experimental-web-platform-features", Value::Nothing, "what was not yet reviewed for a release"),
    own("--enable-features", Value::Names(FEATURES_ON), "features of the whole browser"),
    own("--enable-precise-memory-info", Value::Nothing, "a setting of the whole browser"),
    weak("--enable-unsafe-swiftshader", Value::Nothing, "WebGL in software, which Chrome calls unsafe"),
    own(
        "--font-render-hinting",
        Value::Word(&["none", "slight", "medium", "full", "max"]),
        "how the whole browser draws",
    ),
    own(
        "--force-color-profile",
        Value::Word(&["srgb", "display-p3-d65", "color-spin-gamma24", "scrgb-linear", "hdr10"]),
        "how the whole browser draws",
    ),
    own("--force-dark-mode", Value::Nothing, "a setting of the whole browser"),
    own("--force-prefers-reduced-motion", Value::Nothing, "a setting of the whole browser"),
    own("--js-flags", Value::JsFlags, "the engine of the whole browser"),
    own("--load-extension", Value::Extensions, EXTENSION),
    own("--unsafely-treat-insecure-origin-as-secure", Value::Origins, "a setting of the whole browser"),
    own("--use-fake-device-for-media-stream", Value::Nothing, "pages get a camera and a microphone that are none"),
    own(
        "--use-fake-ui-for-media-stream",
        Value::Nothing,
        "pages get camera and microphone without a question: only with --use-fake-device-for-media-stream, not those of \
         the server",
    ),
    // ---- Accepted without effect.
    idle("--allow-pre-commit-input", GIVEN),
    idle("--disable-accelerated-2d-canvas", NO_GPU),
    idle("--disable-background-networking", GIVEN),
    idle("--disable-background-timer-throttling", GIVEN),
    idle("--disable-backgrounding-occluded-windows", GIVEN),
    idle("--disable-breakpad", GIVEN),
    idle("--disable-client-side-phishing-detection", GIVEN),
    idle("--disable-component-extensions-with-background-pages", GIVEN),
    idle("--disable-component-update", GIVEN),
    idle("--disable-crash-reporter", GIVEN),
    idle("--disable-default-apps", GIVEN),
    idle("--disable-dev-shm-usage", SANDBOX),
    idle("--disable-domain-reliability", GIVEN),
    idle("--disable-extensions", GIVEN),
    idle("--disable-field-trial-config", GIVEN),
    idle("--disable-gpu", NO_GPU),
    idle("--disable-gpu-sandbox", SANDBOX),
    idle("--disable-hang-monitor", GIVEN),
    idle("--disable-infobars", NO_WINDOW),
    idle("--disable-popup-blocking", GIVEN),
    idle("--disable-prompt-on-repost", GIVEN),
    idle("--disable-renderer-backgrounding", GIVEN),
    idle("--disable-search-engine-choice-screen", GIVEN),
    idle("--disable-seccomp-filter-sandbox", SANDBOX),
    idle("--disable-setuid-sandbox", SANDBOX),
    idle("--disable-software-rasterizer", NO_GPU),
    idle("--disable-sync", GIVEN),
    idle("--disable-translate", GIVEN),
    idle("--disk-cache-size", "the operator limits what a browser stores"),
    idle("--enable-logging", "the server keeps the output of Chrome"),
    idle("--export-tagged-pdf", GIVEN),
    idle("--generate-pdf-document-outline", GIVEN),
    Flag {
        value: Value::Word(&["", "new", "old", "shell", "true"]),
        ..idle("--headless", "all browsers of this server are headless")
    },
    idle("--hide-scrollbars", GIVEN),
    idle("--ignore-gpu-blocklist", NO_GPU),
    idle("--incognito", "each session begins with nothing stored"),
    idle("--log-level", "the server keeps the output of Chrome"),
    idle("--media-cache-size", "the operator limits what a browser stores"),
    idle("--metrics-recording-only", GIVEN),
    idle("--mute-audio", GIVEN),
    idle("--no-default-browser-check", GIVEN),
    idle("--no-first-run", GIVEN),
    idle("--no-sandbox", SANDBOX),
    idle("--no-service-autorun", GIVEN),
    idle("--no-startup-window", GIVEN),
    idle("--no-zygote", SANDBOX),
    idle("--password-store", GIVEN),
    idle("--renderer-process-limit", SANDBOX),
    idle("--single-process", SANDBOX),
    idle("--start-fullscreen", NO_WINDOW),
    idle("--start-maximized", NO_WINDOW),
    idle("--test-type", NO_WINDOW),
    idle("--use-angle", NO_GPU),
    idle("--use-gl", NO_GPU),
    idle("--use-mock-keychain", GIVEN),
    idle("--v", "the server keeps the output of Chrome"),
    idle("--window-position", NO_WINDOW),
    // ---- Refused, with a reason of its own.
    refused("--allow-file-access*", "pages would read files of the server's machine"),
    refused("--auto-open-devtools-for-tabs", NO_WINDOW),
    refused("--auto-select-*", "pages would see the screen of the server's machine"),
    refused("--browser-subprocess-path", PROGRAM),
    refused("--crash-dumps-dir", HOST),
    refused("--disk-cache-dir", HOST),
    refused("--dns-*", EGRESS),
    refused("--dump-dom", "it ends Chrome when a page has loaded"),
    refused("--enable-crash-reporter*", HOST),
    refused("--gpu-launcher", PROGRAM),
    refused("--host-resolver-rules", EGRESS),
    refused("--host-rules", EGRESS),
    refused("--load-and-launch-app", EXTENSION),
    refused("--log-file", HOST),
    refused("--log-net-log", HOST),
    refused("--no-proxy-server", EGRESS),
    refused("--ppapi-*", PROGRAM),
    refused("--print-to-pdf", HOST),
    refused("--profile-directory", HOST),
    of_proxy("--proxy-bypass-list", "the hosts that leave out the proxy of the session, as Chrome reads them"),
    of_proxy("--proxy-server", "the proxy of the session, in a shared browser too (docs/egress.md)"),
    refused("--proxy-*", EGRESS),
    refused("--register-pepper-plugins", PROGRAM),
    refused("--remote-*", CONNECTS),
    refused("--renderer-cmd-prefix", PROGRAM),
    refused("--screenshot", HOST),
    refused("--ssl-key-log-file", HOST),
    refused("--trace-*", HOST),
    refused("--type", PROGRAM),
    refused("--use-file-for-fake-*", HOST),
    refused("--user-data-dir", "the directory belongs to the server; user_data=NAME gives the session one that stays"),
    refused("--utility-cmd-prefix", PROGRAM),
];

/// The row of a flag, by its name without dashes.
pub(super) fn find(name: &str) -> Option<&'static Flag> {
    let fits = |flag: &&Flag| {
        let row = flag.name.trim_start_matches('-');
        row.strip_suffix('*').map_or(row == name, |start| name.starts_with(start))
    };
    FLAGS.iter().find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_has_one_row() {
        for flag in FLAGS {
            let name = flag.name.trim_start_matches('-').trim_end_matches('*');
            assert!(flag.name.starts_with("--") && !name.is_empty(), "{}", flag.name);
            assert_eq!(find(name).map(|found| found.name), Some(flag.name), "another row is found first");
            assert!(!flag.why.is_empty());
        }
    }

    /// The flags by which a client would reach the host, the network beside the session's egress, or others.
    #[test]
    fn flags_that_reach_beyond_the_session_are_in_no_browser() {
        for name in [
            "remote-debugging-port",
            "remote-debugging-pipe",
            "remote-debugging-address",
            "remote-allow-origins",
            "user-data-dir",
            "proxy-pac-url",
            "proxy-auto-detect",
            "no-proxy-server",
            "host-resolver-rules",
            "renderer-cmd-prefix",
            "browser-subprocess-path",
            "use-file-for-fake-video-capture",
            "use-file-for-fake-audio-capture",
            "allow-file-access-from-files",
            "ssl-key-log-file",
            "type",
        ] {
            assert_eq!(find(name).map(|flag| flag.sort), Some(Sort::Refused), "{name}");
        }
        for name in ["proxy-server", "proxy-bypass-list"] {
            assert_eq!(find(name).map(|flag| flag.sort), Some(Sort::Proxy), "{name}");
        }
        for name in ["unheard-of", "LANG", "Remote-Debugging-Port", "-lang", "app", "disable-local-network-access", ""]
        {
            assert!(find(name).is_none(), "{name}");
        }
    }
}

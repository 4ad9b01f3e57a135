//! The flags of a Chrome. The caller adds those of the pipe and the profile.

use std::path::Path;

use nix::{sys::statvfs::statvfs, unistd::Uid};

use super::Kind;

/// Chrome keeps shared memory of every page in `/dev/shm`, and crashes when that is full. Docker
/// gives it 64 MiB.
const SMALL_SHARED_MEMORY: u64 = 1 << 30;

/// No background activity and no requests of Chrome's own.
const QUIET: [&str; 17] = [
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-crash-reporter",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-hang-monitor",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-service-autorun",
    "--disable-prompt-on-repost",
];

/// Every page counts as visible: no page is looked at, and which one would be in the background is
/// chance.
const ALWAYS_IN_FRONT: [&str; 3] = [
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
];

/// The flags that Puppeteer and Playwright also use, so that scripts find the same behaviour:
/// pop-ups open (*measured:* full Chrome otherwise blocks them, headless shell never does), input
/// works at once after a navigation, pages are not restored from the back/forward cache, PDFs have
/// tags and an outline, colours do not depend on the machine.
///
/// Not used: `--disable-ipc-flooding-protection`, because all sessions share the browser's main
/// thread.
const AS_CLIENTS_EXPECT: [&str; 8] = [
    "--allow-pre-commit-input",
    "--disable-back-forward-cache",
    "--disable-field-trial-config",
    "--disable-popup-blocking",
    "--export-tagged-pdf",
    "--force-color-profile=srgb",
    "--generate-pdf-document-outline",
    "--hide-scrollbars",
];

/// No use of the host's desktop, such as its keyring and audio.
const APART: [&str; 3] = ["--mute-audio", "--password-store=basic", "--use-mock-keychain"];

/// Text selected in one page can be pasted in another with the middle mouse button, across contexts
/// (*measured:* in both builds of 156); each of these flags prevents it.
const WITHOUT_SELECTION: &str =
    "--blink-settings=middleClickPasteAllowed=false,selectionClipboardBufferAvailable=false";

/// Features that use memory, act without the page's request, or end the browser.
///
/// - `Https…`: full Chrome first tries `https:` where `http:` was asked for. *Measured* on 156: when both fail, and the context
///   is disposed of at once, the browser ends by SIGSEGV. Playwright turns them off too.
/// - `SpareRenderer…`: full Chrome starts a second renderer for every context that navigates. *Measured* on 156: without it a
///   page of a new context takes 265 ms of processor time in place of 328, and neither a second page nor a navigation to
///   another site takes longer.
/// - `WebUIOmnibox…`: full Chrome runs two pages of its own interface in every context (*measured:* 57 MiB per session with
///   them, 17 without).
///
/// Chrome ignores unknown names.
const WITHOUT_FEATURES: [&str; 13] = [
    "AcceptCHFrame",
    "DialMediaRouteProvider",
    "GlobalMediaControls",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "MediaRouter",
    "OptimizationHints",
    "ProcessPerSiteUpToMainFrameThreshold",
    "SpareRendererForSitePerProcess",
    "Translate",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "WebUIOmniboxPopup",
];

/// The flags for a Chrome of this kind on this machine, without those of sandbox, pipe and profile.
pub fn default_flags(kind: Kind) -> Vec<String> {
    flags_for(kind, shared_memory().is_some_and(|bytes| bytes < SMALL_SHARED_MEMORY))
}

/// All flags except those of pipe and profile: the defaults, the sandbox as decided, and the
/// operator's own.
pub fn command_line(kind: Kind, no_sandbox: bool, args: &[String]) -> Vec<String> {
    let mut flags = default_flags(kind);
    if no_sandbox {
        flags.push("--no-sandbox".into());
    }
    merge(flags, args)
}

/// Chrome refuses to start as root unless its sandbox is off.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// The size of `/dev/shm` in bytes, if it exists.
pub fn shared_memory() -> Option<u64> {
    let stat = statvfs(Path::new("/dev/shm")).ok()?;
    Some(stat.blocks() * stat.fragment_size())
}

fn flags_for(kind: Kind, shared_memory_is_small: bool) -> Vec<String> {
    let mut flags = Vec::new();
    if kind == Kind::Full {
        // Without the second flag, a window opens in Chrome's default context.
        flags.extend(["--headless", "--no-startup-window"]);
    }
    for group in [&QUIET[..], &ALWAYS_IN_FRONT, &AS_CLIENTS_EXPECT, &APART] {
        flags.extend(group);
    }
    if shared_memory_is_small {
        flags.push("--disable-dev-shm-usage");
    }
    let mut flags: Vec<String> = flags.into_iter().map(str::to_owned).collect();
    flags.push(WITHOUT_SELECTION.to_owned());
    flags.push(format!("--disable-features={}", WITHOUT_FEATURES.join(",")));
    flags
}

/// Adds `args` to `flags`. If a flag is given twice, Chrome uses the last one, which is what the
/// operator wants, except for list flags: there it would ignore ours, so the lists are joined.
pub(in crate::browser) fn merge(mut flags: Vec<String>, args: &[String]) -> Vec<String> {
    for arg in args {
        let list = ["--disable-features=", "--enable-features=", "--blink-settings="]
            .into_iter()
            .find(|list| arg.starts_with(list));
        let ours = list.and_then(|list| flags.iter_mut().find(|flag| flag.starts_with(list)).map(|flag| (list, flag)));
        match ours {
            Some((list, flag)) => {
                flag.push(',');
                flag.push_str(&arg[list.len()..]);
            }
            None => flags.push(arg.clone()),
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(flags: &[String], flag: &str) -> bool {
        flags.iter().any(|have| have == flag)
    }

    #[test]
    fn only_full_chrome_gets_the_headless_flag() {
        assert!(has(&flags_for(Kind::Full, false), "--headless"));
        assert!(!has(&flags_for(Kind::Shell, false), "--headless"));
    }

    #[test]
    fn dev_shm_is_avoided_only_when_small() {
        assert!(has(&flags_for(Kind::Shell, true), "--disable-dev-shm-usage"));
        assert!(!has(&flags_for(Kind::Shell, false), "--disable-dev-shm-usage"));
    }

    #[test]
    fn operator_features_are_merged() {
        let args = [
            "--disable-features=Mine",
            "--enable-features=A",
            "--enable-features=B",
            "--blink-settings=primaryHoverType=2",
            "--lang=de",
        ]
        .map(str::to_owned);
        let flags = command_line(Kind::Full, true, &args);
        assert!(has(&flags, &format!("{WITHOUT_SELECTION},primaryHoverType=2")), "{flags:?}");
        let off = flags.iter().filter(|flag| flag.starts_with("--disable-features=")).collect::<Vec<_>>();
        assert!(off.len() == 1 && off[0].ends_with(",Mine") && off[0].contains("WebUIOmniboxPopup"), "{off:?}");
        assert!(has(&flags, "--enable-features=A,B") && has(&flags, "--lang=de") && has(&flags, "--no-sandbox"));
    }

    #[test]
    fn flags_are_unique() {
        let mut flags = flags_for(Kind::Full, true);
        let all = flags.len();
        flags.sort();
        flags.dedup();
        assert_eq!(flags.len(), all);
    }
}

//! In which browser launch options can be honoured, and how. PURE.

use super::{
    flags::Sort,
    options::{Judged, Viewport, Wanted},
    value::{self, Value},
};
use crate::{
    api_types::{Bad, Capability, Isolation, LaunchPolicy, capability::Capabilities},
    cdp::{
        emulation::{Aspect, Override},
        json_object::quote,
    },
    port::{PageSetup, ScreenSize},
};

/// What a tenant and the server allow.
#[derive(Clone, Copy, Debug)]
pub struct Rights {
    /// The capabilities of the tenant.
    pub capabilities: Capabilities,
    /// What is done with what a shared browser cannot have as it is.
    pub policy: LaunchPolicy,
    /// Whether there is a directory that extensions may come from.
    pub has_extensions: bool,
}

/// The option of Puppeteer by which clients load extensions.
const EXTENSIONS: &str = "launch.enableExtensions";
/// The screen of a browser with windows, unless `--window-size` needs a larger one.
const SCREEN: ScreenSize = ScreenSize { width: 1920, height: 1080 };
/// Longest side of a screen.
const SCREEN_SIDE: u32 = 4096;

/// How launch options are honoured.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// With whom the session shares its browser.
    pub isolation: Isolation,
    /// The flags for its Chrome; none in a shared one.
    pub flags: Vec<LaunchFlag>,
    /// The screen of its Chrome; `None` is a headless one.
    pub screen: Option<ScreenSize>,
    /// What is set for each of its pages before the page runs.
    pub pages: PageSetup,
    /// The pause before each command of its clients, in milliseconds.
    pub slow_mo: u64,
}

/// A flag for Chrome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchFlag {
    /// Its name, with the dashes.
    pub name: &'static str,
    /// The flag as Chrome gets it.
    pub arg: String,
    /// Its value, if that is a list of directories, which must be checked and completed.
    pub directories: Option<String>,
}

/// Why launch options cannot be honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unplaced {
    /// They are refused, by this rule.
    Bad(Bad),
    /// The tenant lacks a capability.
    Incapable {
        /// The flag.
        what: &'static str,
        /// The capability.
        needs: Capability,
    },
}

impl Wanted {
    /// Decides how these options are honoured, for a session that asks for this isolation.
    pub fn place(&self, asked: Option<Isolation>, rights: &Rights) -> Result<Setup, Unplaced> {
        const NO_DIRECTORY: &str = "this server has no directory of extensions (extensions_dir)";
        if self.extensions && !rights.has_extensions {
            return refuse(EXTENSIONS, NO_DIRECTORY);
        }
        for Judged { flag, passed } in &self.flags {
            if let Some(needs) = flag.needs.or(passed.needs).filter(|needs| !rights.capabilities.has(*needs)) {
                return Err(Unplaced::Incapable { what: flag.name, needs });
            }
            if matches!(flag.value, Value::Extensions) && !rights.has_extensions {
                return refuse(flag.name, NO_DIRECTORY);
            }
        }
        let (accepts, viewport) = (self.accepts_insecure_certs, self.viewport.map(overrides_of));
        let slow_mo = self.slow_mo;
        if self.is_alone(asked, rights)? {
            let mut emulation = viewport.unwrap_or_default();
            // Headless shell ignores `--lang` (*measured*), and the interface of Chrome has few languages.
            emulation.extend(self.language(None));
            let pages = PageSetup { ignore_certificate_errors: accepts, emulation };
            let flags = self.flags.iter().map(LaunchFlag::of).collect();
            let screen = self.headful.then(|| screen(value::size(self.value("--window-size"))));
            return Ok(Setup { isolation: Isolation::Dedicated, flags, screen, pages, slow_mo });
        }
        let ignore_certificate_errors = accepts || self.has("--ignore-certificate-errors");
        let mut emulation = viewport.or_else(|| self.window()).unwrap_or_default();
        emulation.extend(self.language(self.value("--user-agent")));
        let pages = PageSetup { ignore_certificate_errors, emulation };
        Ok(Setup { isolation: Isolation::Shared, flags: Vec::new(), screen: None, pages, slow_mo })
    }

    /// Whether the session gets a dedicated browser.
    fn is_alone(&self, asked: Option<Isolation>, rights: &Rights) -> Result<bool, Unplaced> {
        if asked == Some(Isolation::Dedicated) {
            return Ok(true);
        }
        let flag = self.flags.iter().map(|judged| judged.flag).find(|flag| flag.sort == Sort::OwnBrowser);
        let Some(own) = flag.map(|flag| flag.name).or(self.own_browser_option()) else {
            return match self.emulated().filter(|_| rights.policy == LaunchPolicy::Refuse) {
                Some(option) => refuse(
                    option,
                    "launch_policy is refuse: this server emulates nothing; add isolation=dedicated, or leave it out",
                ),
                None => Ok(false),
            };
        };
        let (may, policy) = (rights.capabilities.has(Capability::Dedicated), rights.policy);
        match (asked, policy) {
            (Some(Isolation::Shared), _) => refuse(
                own,
                "it needs a dedicated browser, and isolation=shared asks for another; leave out one of the two",
            ),
            (_, LaunchPolicy::Dedicated) if may => Ok(true),
            (_, LaunchPolicy::Dedicated) => refuse(
                own,
                "it needs a dedicated browser, and this tenant lacks the capability dedicated; leave it out",
            ),
            (_, LaunchPolicy::Emulate | LaunchPolicy::Refuse) => {
                let why = "it needs a dedicated browser, which launch_policy does not give by itself here";
                refuse(own, &format!("{why} ({}); add isolation=dedicated, or leave it out", policy.name()))
            }
        }
    }

    /// An option beside the flags that only a dedicated browser can have.
    fn own_browser_option(&self) -> Option<&'static str> {
        let options = [(EXTENSIONS, self.extensions), ("launch.headless", self.headful)];
        options.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name)
    }

    /// The first option that a shared browser does not have as it is, but can emulate.
    fn emulated(&self) -> Option<&'static str> {
        let flag = self.flags.iter().map(|judged| judged.flag).find(|flag| flag.sort == Sort::Emulated);
        let others = [
            ("launch.defaultViewport", self.viewport.is_some()),
            ("launch.acceptInsecureCerts", self.accepts_insecure_certs),
            ("launch.slowMo", self.slow_mo > 0),
        ];
        let option = others.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name);
        flag.map(|flag| flag.name).or(option)
    }

    /// The size of pages as the flags say.
    fn window(&self) -> Option<Vec<Override>> {
        let size = value::size(self.value("--window-size"));
        let scale = value::scale(self.value("--force-device-scale-factor"));
        let ((width, height), scale) = match (size, scale) {
            (None, None) => return None,
            // 0 is the size that the page has.
            (size, scale) => (size.unwrap_or((0, 0)), scale.unwrap_or(0.0)),
        };
        Some(overrides_of(Viewport { width, height, scale, ..Viewport::default() }))
    }

    /// The languages and the locale of pages, with this user agent.
    fn language(&self, agent: Option<&str>) -> Vec<Override> {
        let languages = self.value("--accept-lang").or(self.value("--lang"));
        // An empty user agent keeps that of Chrome.
        let own = format!(r#"{{"userAgent":{}"#, quote(agent.unwrap_or_default()));
        let params = match languages {
            Some(languages) => format!(r#"{own},"acceptLanguage":{}}}"#, quote(languages)),
            None => format!("{own}}}"),
        };
        let agent = (agent.is_some() || languages.is_some()).then(|| Override::new(Aspect::UserAgent, params));
        let locale = self.value("--lang").and_then(|languages| languages.split(',').next());
        let locale = locale.map(|locale| Override::new(Aspect::Locale, format!(r#"{{"locale":{}}}"#, quote(locale))));
        agent.into_iter().chain(locale).collect()
    }
}

impl LaunchFlag {
    fn of(judged: &Judged) -> Self {
        let directories = judged.passed.value.clone().filter(|_| matches!(judged.flag.value, Value::Extensions));
        Self { name: judged.flag.name, arg: judged.arg(), directories }
    }
}

/// A screen for a window of this size.
fn screen(window: Option<(u32, u32)>) -> ScreenSize {
    let (width, height) = window.unwrap_or_default();
    let side = |given: u32, least: u32| given.clamp(least, SCREEN_SIDE);
    ScreenSize { width: side(width, SCREEN.width), height: side(height, SCREEN.height) }
}

fn refuse<T>(option: &str, why: &str) -> Result<T, Unplaced> {
    Err(Unplaced::Bad(Bad::new(option, format!("is refused: {why}"))))
}

/// The emulation of a viewport.
fn overrides_of(viewport: Viewport) -> Vec<Override> {
    let Viewport { width, height, scale, is_mobile, has_touch, is_landscape } = viewport;
    let turned = if is_landscape { r#","screenOrientation":{"type":"landscapePrimary","angle":90}"# } else { "" };
    let params =
        format!(r#"{{"width":{width},"height":{height},"deviceScaleFactor":{scale},"mobile":{is_mobile}{turned}}}"#);
    let touch = has_touch.then(|| Override::new(Aspect::Touch, r#"{"enabled":true}"#.to_owned()));
    std::iter::once(Override::new(Aspect::Viewport, params)).chain(touch).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{api_types::Launch, session::launch::LaunchLimits};

    const LIMITS: LaunchLimits = LaunchLimits { flags: 20, bytes: 4096 };

    fn rights(of: &[Capability], policy: LaunchPolicy) -> Rights {
        Rights { capabilities: Capabilities::of(of.iter().copied()), policy, has_extensions: true }
    }

    fn place(options: &Json, asked: Option<Isolation>, rights: &Rights) -> Result<Setup, Unplaced> {
        let Json::Object(options) = options.clone() else { panic!("{options} is no object") };
        Wanted::read(&Launch(options), LIMITS).expect("they may be given").place(asked, rights)
    }

    /// The emulation, one command a line.
    fn emulation(setup: &Setup) -> Vec<String> {
        let shown = |one: &Override| format!("{} {}", one.aspect().method(), one.params().expect("in range"));
        setup.pages.emulation.iter().map(shown).collect()
    }

    const ALL: [Capability; 2] = [Capability::Dedicated, Capability::LaunchArgs];

    #[test]
    fn shared_browser_emulates_what_a_dedicated_one_gets_as_flags() {
        let given = json!({ "args": [
            "--window-size=800,600", "--force-device-scale-factor=2", "--lang=de-CH,de", "--user-agent=me \"1\"",
            "--ignore-certificate-errors", "--no-sandbox",
        ] });
        let rights = rights(&ALL, LaunchPolicy::Dedicated);
        let shared = place(&given, None, &rights).expect("it is emulated");
        assert_eq!((shared.isolation, shared.flags.len()), (Isolation::Shared, 0));
        assert!(shared.pages.ignore_certificate_errors);
        assert_eq!(
            emulation(&shared),
            [
                r#"Emulation.setDeviceMetricsOverride {"width":800,"height":600,"deviceScaleFactor":2,"mobile":false}"#,
                r#"Emulation.setUserAgentOverride {"userAgent":"me \"1\"","acceptLanguage":"de-CH,de"}"#,
                r#"Emulation.setLocaleOverride {"locale":"de-CH"}"#,
            ]
        );
        let own = place(&given, Some(Isolation::Dedicated), &rights).expect("it is launched so");
        let args: Vec<_> = own.flags.iter().map(|flag| flag.arg.as_str()).collect();
        assert_eq!(
            args,
            [
                "--window-size=800,600",
                "--force-device-scale-factor=2",
                "--lang=de-CH,de",
                "--user-agent=me \"1\"",
                "--ignore-certificate-errors",
            ]
        );
        assert_eq!(own.isolation, Isolation::Dedicated);
        let languages = [
            r#"Emulation.setUserAgentOverride {"userAgent":"","acceptLanguage":"de-CH,de"}"#,
            r#"Emulation.setLocaleOverride {"locale":"de-CH"}"#,
        ];
        assert_eq!(emulation(&own), languages, "headless shell ignores the flag");
    }

    #[test]
    fn default_viewport_is_emulated_in_every_browser_and_goes_before_the_window() {
        let viewport = json!({ "width": 390, "height": 844, "isMobile": true, "hasTouch": true, "isLandscape": true });
        let given = json!({ "defaultViewport": viewport, "args": ["--window-size=800,600"], "slowMo": 20 });
        for asked in [None, Some(Isolation::Dedicated)] {
            let setup = place(&given, asked, &rights(&ALL, LaunchPolicy::Dedicated)).expect("it is emulated");
            assert_eq!(setup.slow_mo, 20);
            let commands = emulation(&setup);
            assert!(commands[0].contains(r#""width":390"#) && commands[0].contains("landscapePrimary"), "{commands:?}");
            assert_eq!(commands[1..], [r#"Emulation.setTouchEmulationEnabled {"enabled":true}"#]);
        }
    }

    #[test]
    fn options_for_a_dedicated_browser_get_one_only_by_policy_and_capability() {
        let own = json!({ "args": ["--lang=de", "--font-render-hinting=none"] });
        let isolation = |asked, rights: &Rights| place(&own, asked, rights).map(|setup| setup.isolation);
        let may = |policy| rights(&[Capability::Dedicated], policy);
        assert_eq!(isolation(None, &may(LaunchPolicy::Dedicated)), Ok(Isolation::Dedicated));
        let refused = |asked, rights: &Rights| match isolation(asked, rights) {
            Err(Unplaced::Bad(bad)) => bad.to_string(),
            other => panic!("{other:?}"),
        };
        for policy in [LaunchPolicy::Emulate, LaunchPolicy::Refuse] {
            let why = refused(None, &may(policy));
            assert!(why.contains("--font-render-hinting") && why.contains("isolation=dedicated"), "{why}");
            assert!(why.contains(policy.name()), "{why}");
            assert_eq!(isolation(Some(Isolation::Dedicated), &may(policy)), Ok(Isolation::Dedicated));
        }
        let why = refused(Some(Isolation::Shared), &may(LaunchPolicy::Dedicated));
        assert!(why.contains("isolation=shared"), "{why}");
        let why = refused(None, &rights(&[], LaunchPolicy::Dedicated));
        assert!(why.contains("--font-render-hinting") && why.contains("capability dedicated"), "{why}");
    }

    #[test]
    fn refuse_policy_refuses_what_would_be_emulated_and_takes_what_has_no_effect() {
        let rights = rights(&ALL, LaunchPolicy::Refuse);
        let idle = json!({ "args": ["--no-sandbox", "--headless=new"], "headless": true });
        assert_eq!(place(&idle, None, &rights).expect("it changes nothing").isolation, Isolation::Shared);
        for (given, option) in [
            (json!({ "args": ["--lang=de"] }), "--lang"),
            (json!({ "defaultViewport": { "width": 1, "height": 1 } }), "launch.defaultViewport"),
            (json!({ "acceptInsecureCerts": true }), "launch.acceptInsecureCerts"),
            (json!({ "slowMo": 1 }), "launch.slowMo"),
        ] {
            match place(&given, None, &rights) {
                Err(Unplaced::Bad(bad)) => {
                    assert!(bad.field == option && bad.why.contains("launch_policy is refuse"), "{bad}");
                }
                other => panic!("{given}: {other:?}"),
            }
        }
    }

    #[test]
    fn flags_that_weaken_pages_need_the_capability_also_in_a_browser_of_ones_own() {
        let only_dedicated = rights(&[Capability::Dedicated], LaunchPolicy::Dedicated);
        for flag in [
            "--disable-web-security",
            "--disable-site-isolation-trials",
            "--allow-running-insecure-content",
            "--disable-features=IsolateOrigins,site-per-process",
            "--enable-experimental-web-platform-features",
            "--enable-unsafe-swiftshader",
        ] {
            let given = json!({ "args": [flag] });
            for asked in [None, Some(Isolation::Dedicated)] {
                let refused = place(&given, asked, &only_dedicated).err();
                let what = flag.split('=').next().expect("a name");
                let is_incapable = matches!(
                    refused,
                    Some(Unplaced::Incapable { what: named, needs: Capability::LaunchArgs }) if named == what
                );
                assert!(is_incapable, "{flag}: {refused:?}");
            }
            assert!(place(&given, None, &rights(&ALL, LaunchPolicy::Dedicated)).is_ok(), "{flag}");
        }
    }

    #[test]
    fn extensions_need_a_directory_that_the_operator_chose() {
        let given = json!({ "args": ["--load-extension=ublock,/opt/ext/b"] });
        let none = Rights { has_extensions: false, ..rights(&ALL, LaunchPolicy::Dedicated) };
        let Err(Unplaced::Bad(bad)) = place(&given, None, &none) else { panic!("there is no directory") };
        assert!(bad.field == "--load-extension" && bad.why.contains("extensions_dir"), "{bad}");
        let setup = place(&given, None, &rights(&ALL, LaunchPolicy::Dedicated)).expect("it may");
        assert_eq!(setup.flags[0].directories.as_deref(), Some("ublock,/opt/ext/b"));
    }

    #[test]
    fn clients_that_load_extensions_get_a_dedicated_browser() {
        let rights = |has_extensions| Rights { has_extensions, ..rights(&ALL, LaunchPolicy::Dedicated) };
        let wants = json!({ "enableExtensions": true });
        let setup = place(&wants, None, &rights(true)).expect("there is a directory");
        assert_eq!((setup.isolation, setup.flags.len()), (Isolation::Dedicated, 0));
        for (asked, rights, word) in
            [(None, rights(false), "extensions_dir"), (Some(Isolation::Shared), rights(true), "isolation=shared")]
        {
            match place(&wants, asked, &rights) {
                Err(Unplaced::Bad(bad)) => {
                    assert!(bad.field == EXTENSIONS && bad.why.contains(word), "{bad}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn browsers_with_windows_are_dedicated_and_have_a_screen_that_is_large_enough() {
        let screen = |options: &Json| {
            let setup = place(options, None, &rights(&ALL, LaunchPolicy::Dedicated)).expect("they may be given");
            assert_eq!(setup.isolation == Isolation::Dedicated, setup.screen.is_some());
            setup.screen.map(|ScreenSize { width, height }| (width, height))
        };
        assert_eq!(screen(&json!({ "headless": true })), None);
        assert_eq!(screen(&json!({ "headless": false })), Some((1920, 1080)));
        let window = |size: &str| json!({ "headless": false, "args": [format!("--window-size={size}")] });
        assert_eq!(screen(&window("800,600")), Some((1920, 1080)));
        assert_eq!(screen(&window("2560,600")), Some((2560, 1080)));
        assert_eq!(screen(&window("8192,8192")), Some((4096, 4096)));
        match place(&json!({ "headless": false }), None, &rights(&ALL, LaunchPolicy::Emulate)) {
            Err(Unplaced::Bad(bad)) => assert_eq!(bad.field, "launch.headless"),
            other => panic!("{other:?}"),
        }
    }
}

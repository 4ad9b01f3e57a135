//! The launch options of the client libraries. PURE.

use serde_json::{Map, Value as Json};

use super::{
    flags::{self, Flag, Sort},
    switch::{Argument, Switch},
    value::Passed,
};
use crate::api_types::{Bad, Launch};

/// The limits of a client's launch options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchLimits {
    /// Most flags.
    pub flags: usize,
    /// Most bytes of all options together, as JSON.
    pub bytes: usize,
}

/// Longest delay of a command, in milliseconds.
const SLOWEST: f64 = 4000.0;
/// Longest side of a viewport.
const SIDE: f64 = 8192.0;

/// What a client wants of the browser of its session, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// The flags that change something, each once.
    pub(super) flags: Vec<Judged>,
    pub(super) viewport: Option<Viewport>,
    pub(super) accepts_insecure_certs: bool,
    /// The pause before each command, in milliseconds.
    pub(super) slow_mo: u64,
    /// Whether its clients load extensions.
    pub(super) extensions: bool,
    /// Whether it has windows on a screen.
    pub(super) headful: bool,
}

/// A flag that passed.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) flag: &'static Flag,
    pub(super) passed: Passed,
}

impl PartialEq for Judged {
    fn eq(&self, other: &Self) -> bool {
        self.flag.name == other.flag.name && self.passed == other.passed
    }
}

impl Judged {
    /// The flag as Chrome gets it.
    pub(super) fn arg(&self) -> String {
        match &self.passed.value {
            Some(value) => format!("{}={value}", self.flag.name),
            None => self.flag.name.to_owned(),
        }
    }
}

/// The size of pages.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Viewport {
    pub(super) width: u32,
    pub(super) height: u32,
    /// 0 is that of the screen.
    pub(super) scale: f64,
    pub(super) is_mobile: bool,
    pub(super) has_touch: bool,
    pub(super) is_landscape: bool,
}

/// How an option of a library is sorted.
enum Rule {
    /// It changes nothing, whatever it is.
    Idle,
    /// It changes nothing if it is like this; otherwise it is refused.
    Only(fn(&Json) -> bool, &'static str),
    /// It is refused.
    Never(&'static str),
}

const OF_CLIENT: &str = "the server starts its browsers itself";
const PATH: &str = "it names files of the server's machine";
const FLAGS: &str = "the flags of the server stay; give those that you want in args";
const UNSEEN: &str = "nobody sees the windows of this server's browsers; leave it out";

fn is_off(value: &Json) -> bool {
    matches!(value, Json::Null | Json::Bool(false))
}

/// Options of Puppeteer, Playwright and browserless, but for those that are read below.
const OPTIONS: &[(&str, Rule)] = &[
    ("devtools", Rule::Only(is_off, UNSEEN)),
    ("dumpio", Rule::Idle),
    ("pipe", Rule::Idle),
    ("timeout", Rule::Idle),
    ("protocolTimeout", Rule::Idle),
    ("waitForInitialPage", Rule::Idle),
    ("handleSIGINT", Rule::Idle),
    ("handleSIGTERM", Rule::Idle),
    ("handleSIGHUP", Rule::Idle),
    ("chromiumSandbox", Rule::Idle),
    ("browser", Rule::Only(|value| value == "chrome", "the browsers of this server are Chromes")),
    ("product", Rule::Only(|value| value == "chrome", "the browsers of this server are Chromes")),
    ("channel", Rule::Never("the operator chooses the Chrome (browser_path)")),
    ("executablePath", Rule::Never("the operator chooses the Chrome (browser_path)")),
    ("env", Rule::Never(OF_CLIENT)),
    ("ignoreDefaultArgs", Rule::Only(leaves_flags, FLAGS)),
    ("ignoreAllDefaultArgs", Rule::Only(is_off, FLAGS)),
    (
        "userDataDir",
        Rule::Never("the directory belongs to the server; user_data=NAME gives the session one that stays"),
    ),
    ("downloadsPath", Rule::Never(PATH)),
    ("artifactsDir", Rule::Never(PATH)),
    ("tracesDir", Rule::Never(PATH)),
    ("debuggingPort", Rule::Never("the server itself connects to Chrome")),
    ("stealth", Rule::Only(is_off, "this server changes nothing that pages can see of a browser; leave it out")),
    ("firefoxUserPrefs", Rule::Never("the browsers of this server are Chromes")),
    ("extraPrefsFirefox", Rule::Never("the browsers of this server are Chromes")),
];

/// The options that are read below.
const READ: [&str; 7] =
    ["args", "defaultViewport", "acceptInsecureCerts", "ignoreHTTPSErrors", "slowMo", "enableExtensions", "headless"];

/// Whether it asks for a browser with windows on a screen.
fn is_headful(value: &Json) -> Result<bool, Bad> {
    match value {
        Json::Null | Json::Bool(true) => Ok(false),
        Json::Bool(false) => Ok(true),
        Json::String(word) if matches!(word.as_str(), "true" | "new" | "old" | "shell") => Ok(false),
        Json::String(word) if word == "false" => Ok(true),
        _ => Err(bad("headless", "is neither true nor false")),
    }
}

/// Whether it names no flag that this server gives Chrome.
fn leaves_flags(value: &Json) -> bool {
    let is_none = |flag: &Json| flag == "--enable-automation";
    is_off(value) || value.as_array().is_some_and(|flags| flags.iter().all(is_none))
}

impl Wanted {
    /// Checks the launch options of a client. An error names the option or flag and its rule.
    pub fn read(launch: &Launch, limits: LaunchLimits) -> Result<Self, Bad> {
        let Launch(options) = launch;
        let bytes = serde_json::to_string(options).map_or(usize::MAX, |text| text.len());
        if bytes > limits.bytes {
            return Err(Bad::new("launch", format!("has {bytes} bytes, and max_launch_bytes is {}", limits.bytes)));
        }
        for (name, value) in options.iter().filter(|(name, _)| !READ.contains(&name.as_str())) {
            check(name, value)?;
        }
        let is_on = |name: &str| match options.get(name) {
            None => Ok(false),
            Some(value) if is_off(value) => Ok(false),
            Some(Json::Bool(true)) => Ok(true),
            Some(_) => Err(bad(name, "is neither true nor false")),
        };
        let mut flags = flags_in(options.get("args"), limits.flags)?;
        let extensions = extensions(options.get("enableExtensions"), &mut flags)?;
        Ok(Self {
            flags,
            viewport: options.get("defaultViewport").filter(|value| !value.is_null()).map(viewport).transpose()?,
            accepts_insecure_certs: is_on("acceptInsecureCerts")? | is_on("ignoreHTTPSErrors")?,
            slow_mo: options.get("slowMo").filter(|value| !value.is_null()).map(slow_mo).transpose()?.unwrap_or(0),
            extensions,
            headful: options.get("headless").map_or(Ok(false), is_headful)?,
        })
    }

    /// The value of a flag that passed.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.flags.iter().find(|judged| judged.flag.name == name)?.passed.value.as_deref()
    }

    /// Whether a flag is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|judged| judged.flag.name == name)
    }
}

fn bad(name: &str, why: impl Into<String>) -> Bad {
    Bad::new(&format!("launch.{name}"), why)
}

fn check(name: &str, value: &Json) -> Result<(), Bad> {
    let refuse = |why: &str| Err(bad(name, format!("is refused: {why}")));
    match OPTIONS.iter().find(|(known, _)| *known == name).map(|(_, rule)| rule) {
        Some(Rule::Idle) => Ok(()),
        Some(Rule::Only(is_good, _)) if is_good(value) => Ok(()),
        Some(Rule::Only(_, why) | Rule::Never(why)) => refuse(why),
        None => refuse("this server knows no such launch option; docs/launch-options.md lists them"),
    }
}

/// `enableExtensions`: whether extensions are wanted. Those that it lists are loaded beside those of the flags.
fn extensions(value: Option<&Json>, flags: &mut Vec<Judged>) -> Result<bool, Bad> {
    let listed = match value {
        None => return Ok(false),
        Some(value) if is_off(value) => return Ok(false),
        Some(Json::Bool(true)) => return Ok(true),
        Some(listed) => listed.as_array().map(|paths| paths.iter().map(Json::as_str).collect::<Option<Vec<_>>>()),
    };
    let is_path = |path: &&str| !path.is_empty() && !path.contains(',');
    let paths = listed.flatten().filter(|paths| paths.iter().all(is_path));
    let paths = paths.ok_or_else(|| bad("enableExtensions", "is neither true nor false nor a list of directories"))?;
    for name in ["--load-extension", "--disable-extensions-except"] {
        let given = flags.iter().position(|judged| judged.flag.name == name).map(|at| flags.remove(at));
        let given = given.as_ref().and_then(|judged| judged.passed.value.as_deref());
        // The second flag only limits those of the first.
        if given.is_none() && (paths.is_empty() || name != "--load-extension") {
            continue;
        }
        let all: Vec<&str> = given.into_iter().chain(paths.iter().copied()).collect();
        flags.extend(judge(&format!("{name}={}", all.join(",")))?);
    }
    Ok(true)
}

fn slow_mo(value: &Json) -> Result<u64, Bad> {
    let millis = value.as_f64().filter(|millis| (0.0..=SLOWEST).contains(millis));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and SLOWEST")]
    let whole = millis.map(|millis| millis.ceil() as u64);
    whole.ok_or_else(|| bad("slowMo", format!("is no number of milliseconds from 0 to {SLOWEST}")))
}

fn viewport(value: &Json) -> Result<Viewport, Bad> {
    let Json::Object(members) = value else { return Err(bad("defaultViewport", "is neither an object nor null")) };
    let side = |members: &Map<String, Json>, name: &str| {
        let side = members.get(name).and_then(Json::as_f64).filter(|side| (1.0..=SIDE).contains(side));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1 and SIDE")]
        let side = side.map(|side| side as u32);
        side.ok_or_else(|| bad(&format!("defaultViewport.{name}"), format!("is no number from 1 to {SIDE}")))
    };
    let mut read = Viewport { width: side(members, "width")?, height: side(members, "height")?, ..Viewport::default() };
    for (name, value) in members {
        let member = format!("defaultViewport.{name}");
        let truth = || value.as_bool().ok_or_else(|| bad(&member, "is neither true nor false"));
        match name.as_str() {
            "width" | "height" => {}
            "deviceScaleFactor" => {
                let scale = value.as_f64().filter(|scale| *scale == 0.0 || (0.25..=5.0).contains(scale));
                read.scale = scale.ok_or_else(|| bad(&member, "is neither 0 nor a number from 0.25 to 5"))?;
            }
            "isMobile" => read.is_mobile = truth()?,
            "hasTouch" => read.has_touch = truth()?,
            "isLandscape" => read.is_landscape = truth()?,
            _ => return Err(bad(&member, "is no member of a viewport")),
        }
    }
    Ok(read)
}

/// The flags that change something. Of several with one name Chrome takes the last; all of them must be good.
fn flags_in(args: Option<&Json>, most: usize) -> Result<Vec<Judged>, Bad> {
    let not_texts = || bad("args", "is no list of texts");
    let args = match args {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(args) => args.as_array().ok_or_else(not_texts)?,
    };
    if args.len() > most {
        return Err(bad("args", format!("has {} flags, and max_launch_flags is {most}", args.len())));
    }
    let mut all: Vec<Judged> = Vec::new();
    for arg in args {
        let arg = arg.as_str().ok_or_else(not_texts)?;
        if let Some(judged) = judge(arg)? {
            all.retain(|other| other.flag.name != judged.flag.name);
            if judged.passed.acts {
                all.push(judged);
            }
        }
    }
    let has = |name: &str| all.iter().any(|judged| judged.flag.name == name);
    if has("--use-fake-ui-for-media-stream") && !has("--use-fake-device-for-media-stream") {
        return Err(Bad::new(
            "--use-fake-ui-for-media-stream",
            "is refused without --use-fake-device-for-media-stream: pages would get the cameras of the server's machine",
        ));
    }
    Ok(all)
}

/// Judges one argument; `None` if it changes nothing whatever others say.
fn judge(arg: &str) -> Result<Option<Judged>, Bad> {
    let switch = match Argument::read(arg) {
        Argument::Switch(switch) => switch,
        Argument::Other("" | "about:blank") => return Ok(None),
        Argument::End => {
            return Err(bad("args", "\"--\" is refused: it ends the flags, and no flag may come after others"));
        }
        Argument::Other(other) => {
            return Err(bad("args", format!("{:?} is refused: it is no flag, and Chrome would open it", short(other))));
        }
    };
    let Switch { name, value } = switch;
    let shown = format!("--{}", short(name));
    let flag = flags::find(name).ok_or_else(|| {
        let similar =
            flags::find(&name.to_ascii_lowercase()).filter(|_| name.bytes().any(|byte| byte.is_ascii_uppercase()));
        let similar =
            similar.map(|flag| format!("; Chrome compares the case, did you mean {}?", flag.name)).unwrap_or_default();
        let why =
            format!("is refused: it is not among the flags that may be given, see docs/launch-options.md{similar}");
        Bad::new(&shown, why)
    })?;
    if flag.sort == Sort::Refused {
        return Err(Bad::new(&shown, format!("is refused: {}", flag.why)));
    }
    match flag.value.check(value) {
        Ok(passed) => {
            let acts = passed.acts && !matches!(flag.sort, Sort::NoEffect | Sort::Proxy);
            Ok(Some(Judged { flag, passed: Passed { acts, ..passed } }))
        }
        Err(why) => {
            let why = if why.is_empty() { why } else { format!(" ({why})") };
            let given = value.map_or_else(|| "no value".to_owned(), |value| format!("{:?}", short(value)));
            Err(Bad::new(&shown, format!("{given} is refused{why}; its value may be: {}", flag.value.rule())))
        }
    }
}

/// The beginning of a text, for an error.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    const LIMITS: LaunchLimits = LaunchLimits { flags: 8, bytes: 4096 };

    fn read(options: &Json) -> Result<Wanted, Bad> {
        let Json::Object(options) = options.clone() else { panic!("{options} is no object") };
        Wanted::read(&Launch(options), LIMITS)
    }

    fn args(args: &[&str]) -> Result<Vec<String>, Bad> {
        read(&json!({ "args": args })).map(|wanted| wanted.flags.iter().map(Judged::arg).collect())
    }

    #[test]
    fn flags_that_change_something_are_kept_once_as_chrome_reads_them() {
        let kept = |given: &[&str]| args(given).expect("they may be given");
        assert_eq!(kept(&["--no-sandbox", "--disable-gpu", "about:blank", ""]), <[&str; 0]>::default());
        assert_eq!(kept(&["--lang=de", "-lang=fr", " --lang=es "]), ["--lang=es"], "the last one counts");
        assert_eq!(
            kept(&["--window-size=800,600", "--mute-audio", "--lang=de"]),
            ["--window-size=800,600", "--lang=de"]
        );
        assert_eq!(kept(&["--disable-features=Translate,PaintHolding"]), ["--disable-features=PaintHolding"]);
        assert_eq!(kept(&["--disable-features=PaintHolding", "--disable-features=Translate"]), <[&str; 0]>::default());
        assert_eq!(kept(&["--disable-web-security=true"]), ["--disable-web-security"]);
        let both = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"];
        assert_eq!(kept(&both), both);
    }

    #[test]
    fn bad_flags_are_refused_with_their_name_and_rule() {
        for (given, field, why) in [
            (&["--remote-debugging-port=9222"][..], "--remote-debugging-port", "the server itself connects"),
            (&["-remote-debugging-port=9222"], "--remote-debugging-port", "the server itself connects"),
            (&[" --user-data-dir=/tmp"], "--user-data-dir", "user_data=NAME"),
            (&["--proxy-pac-url=http://p/x.pac"], "--proxy-pac-url", "proxy=URL"),
            (&["--unheard-of"], "--unheard-of", "docs/launch-options.md"),
            (&["--Lang=de"], "--Lang", "did you mean --lang"),
            (&["--window-size"], "--window-size", "no value is refused"),
            (&["--window-size=big"], "--window-size", "WIDTH,HEIGHT"),
            (&["--window-size=big", "--window-size=8,6"], "--window-size", "\"big\" is refused"),
            (&["--disable-features=Translate,Sandbox"], "--disable-features", "\"Sandbox\" is not in its list"),
            (&["--js-flags=--allow-natives-syntax"], "--js-flags", "--expose-gc"),
            (&["--use-fake-ui-for-media-stream"], "--use-fake-ui-for-media-stream", "cameras"),
            (&["--headless=maybe"], "--headless", "`new`"),
            (&["--", "--lang=de"], "launch.args", "ends the flags"),
            (&["file:///etc/passwd"], "launch.args", "Chrome would open it"),
            (&["--lang=a\0"], "--lang", "is refused"),
            (&["--v"; 9], "launch.args", "max_launch_flags is 8"),
        ] {
            let bad = args(given).expect_err(field);
            assert!(bad.field == field && bad.why.contains(why), "{given:?}: {bad}");
        }
    }

    /// The schema for clients has the options of the tables that are not refused, and their values are accepted or refused by
    /// both.
    #[test]
    fn schema_has_the_options_that_may_be_given() {
        let schema = schemars::schema_for!(Launch).to_value();
        let members = schema["properties"].as_object().expect("members");
        let named: BTreeSet<&str> = members.keys().map(String::as_str).collect();
        let given = OPTIONS.iter().filter(|(_, rule)| !matches!(rule, Rule::Never(_))).map(|(name, _)| *name);
        // The proxy is taken out before the others are judged.
        assert_eq!(named, given.chain(READ).chain(["proxy"]).collect());
        // The words of one member, as an example of those that the schema lists.
        for word in schema["properties"]["headless"]["anyOf"][1]["enum"].as_array().expect("words") {
            assert!(read(&json!({ "headless": word })).is_ok(), "{word}");
        }
    }

    #[test]
    fn listed_extensions_are_loaded_beside_those_of_the_flags() {
        let wanted = |options: &Json| {
            let wanted = read(options).expect("they may be given");
            (wanted.extensions, wanted.flags.iter().map(Judged::arg).collect::<Vec<_>>())
        };
        let none: Vec<String> = Vec::new();
        assert_eq!(wanted(&json!({ "enableExtensions": false })), (false, none.clone()));
        assert_eq!(wanted(&json!({ "enableExtensions": true })), (true, none.clone()));
        assert_eq!(wanted(&json!({ "enableExtensions": [] })), (true, none));
        let listed = json!({ "enableExtensions": ["a", "b"] });
        assert_eq!(wanted(&listed), (true, vec!["--load-extension=a,b".to_owned()]));
        let args = ["--load-extension=c", "--disable-extensions-except=c"];
        let both = json!({ "enableExtensions": ["a"], "args": args });
        let flags = ["--load-extension=c,a", "--disable-extensions-except=c,a"].map(str::to_owned);
        assert_eq!(wanted(&both), (true, flags.to_vec()));
    }

    #[test]
    fn options_of_the_libraries_are_read_or_refused_by_name() {
        let idle = json!({
            "headless": true, "dumpio": true, "pipe": true, "timeout": 30000, "devtools": false, "stealth": false,
            "ignoreDefaultArgs": ["--enable-automation"], "handleSIGINT": false, "defaultViewport": null, "args": [],
            "slowMo": 0, "acceptInsecureCerts": false, "chromiumSandbox": true, "browser": "chrome",
        });
        assert_eq!(read(&idle), Ok(Wanted::default()));
        let wanted = read(&json!({
            "defaultViewport": { "width": 800, "height": 600, "deviceScaleFactor": 2, "isMobile": true, "hasTouch": true },
            "ignoreHTTPSErrors": true, "slowMo": 49.5,
        }));
        let viewport =
            Viewport { width: 800, height: 600, scale: 2.0, is_mobile: true, has_touch: true, is_landscape: false };
        let expected =
            Wanted { viewport: Some(viewport), accepts_insecure_certs: true, slow_mo: 50, ..Wanted::default() };
        assert_eq!(wanted, Ok(expected));
        for (given, field, why) in [
            (json!({ "headless": "maybe" }), "headless", "true nor false"),
            (json!({ "devtools": true }), "devtools", "window"),
            (json!({ "stealth": true }), "stealth", "leave it out"),
            (json!({ "userDataDir": "/tmp/x" }), "userDataDir", "user_data=NAME"),
            (json!({ "executablePath": "/bin/sh" }), "executablePath", "browser_path"),
            (json!({ "env": {} }), "env", "refused"),
            (json!({ "ignoreDefaultArgs": true }), "ignoreDefaultArgs", "flags of the server stay"),
            (json!({ "ignoreDefaultArgs": ["--disable-extensions"] }), "ignoreDefaultArgs", "flags of the server stay"),
            (json!({ "unheardOf": 1 }), "unheardOf", "docs/launch-options.md"),
            (json!({ "enableExtensions": "marks" }), "enableExtensions", "list of directories"),
            (json!({ "enableExtensions": ["a,b"] }), "enableExtensions", "list of directories"),
            (json!({ "enableExtensions": [1] }), "enableExtensions", "list of directories"),
            (json!({ "slowMo": 60000 }), "slowMo", "4000"),
            (json!({ "slowMo": "1" }), "slowMo", "4000"),
            (json!({ "acceptInsecureCerts": 1 }), "acceptInsecureCerts", "true nor false"),
            (json!({ "args": "--lang=de" }), "args", "list"),
            (json!({ "args": [1] }), "args", "list"),
            (json!({ "defaultViewport": 5 }), "defaultViewport", "object"),
            (json!({ "defaultViewport": { "width": 1 } }), "defaultViewport.height", "8192"),
            (json!({ "defaultViewport": { "width": 1e9, "height": 1 } }), "defaultViewport.width", "8192"),
            (json!({ "defaultViewport": { "width": 1, "height": 1, "x": 1 } }), "defaultViewport.x", "member"),
        ] {
            let bad = read(&given).expect_err(field);
            assert!(bad.field == format!("launch.{field}") && bad.why.contains(why), "{given}: {bad}");
        }
        let long = read(&json!({ "args": ["--user-agent=", "x".repeat(5000)] })).expect_err("too long");
        assert!(long.why.contains("max_launch_bytes is 4096"), "{long}");
    }
}

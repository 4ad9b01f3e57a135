//! The options of a client's connection, from the query of its URL.

use data_encoding::BASE64_NOPAD;
use percent_encoding::percent_decode_str;

use crate::{
    api_types::{
        self, Bad, Beginning, Initial, Isolation, Launch, Millis, Options, Secret, WantedProfile, WantedProxy,
    },
    config::span,
    session::hidden_query,
};

/// Options that other servers know, that would change the browser, and that this server does not have. They are refused by
/// name, with the alternative.
const NOT_YET: [(&str, &str); 10] = [
    ("args", FLAGS),
    ("ignoreDefaultArgs", FLAGS),
    ("userDataDir", "use user_data=NAME, for a directory of the server that is kept under this name"),
    ("proxyCountry", "name the proxy itself: proxy=http://USER:PASSWORD@HOST:PORT"),
    ("stealth", ""),
    ("blockAds", BLOCK),
    ("block_ads", BLOCK),
    ("record", "use Page.startScreencast"),
    ("replay", "use Page.startScreencast"),
    ("solveCaptchas", ""),
];
const FLAGS: &str = "give flags as --NAME=VALUE, or in args of launch";
const BLOCK: &str = "use Network.setBlockedURLs";

/// The options of a client's connection.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// Deadlines and name of the session.
    pub options: Options,
    /// Whether the connected browser-level clients are disconnected.
    pub takeover: bool,
    /// Whether no other browser-level client may connect while this one stays.
    pub exclusive: bool,
    /// The name of the session.
    pub session: Option<String>,
    /// What a new session is from its creation on; one that exists must be like this.
    pub initial: Initial,
}

impl ConnectOptions {
    /// Reads the query of a URL. Unknown members are ignored: they may be for another server, for example a token.
    pub fn read(query: &str) -> Result<Self, Bad> {
        let mut wish = Self::default();
        let (mut isolated, mut snapshot, mut pages, mut profile) = (None, None, None, WantedProfile::default());
        let (mut proxy, mut proxy_bypass) = (None, None);
        // Flags go behind those of `launch`, wherever that is in the query.
        let (mut launch, mut flags): (Option<Launch>, _) = (None, Vec::new());
        let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, given) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
            let (name, value) = (&*decoded(name), decoded(given.unwrap_or_default()));
            let value = hidden_query::opened(name, value)?;
            let time = || span(&value).map(Millis).map_err(|why| Bad::new(name, why));
            match name {
                "timeout" => wish.options.timeout = Some(time()?),
                "idle_timeout" | "idleTimeout" => wish.options.idle_timeout = Some(time()?),
                "keep_alive" | "keepAlive" => wish.options.keep_alive = Some(time()?),
                "hibernate_after" | "hibernateAfter" => wish.options.hibernate_after = Some(time()?),
                "autosave" => wish.options.autosave = Some(time()?),
                "keep_files" | "keepFiles" => wish.options.keep_files = Some(time()?),
                "name" => wish.options.name = Some(value),
                "session" => wish.session = Some(value),
                "exclusive" => wish.exclusive = truth(name, &value)?,
                "takeover" => wish.takeover = truth(name, &value)?,
                "isolation" => isolated = Some(isolation(&value)?),
                "snapshot" => snapshot = Some(value),
                "pages" => pages = Some(truth(name, &value)?),
                "profile" => profile.profile = Some(value),
                "persist" => profile.persist = Some(truth(name, &value)?),
                "user_data" | "userData" => profile.user_data = Some(value),
                "proxy" | "proxyServer" | "proxy_server" | "externalProxyServer" => {
                    if !matches!(&*value, "false" | "0") {
                        // A word is the name of a service on other servers.
                        if !value.contains("://") && !value.is_empty() {
                            return Err(Bad::new(
                                name,
                                "is no URL of a proxy: write http://USER:PASSWORD@HOST:PORT or socks5://…",
                            ));
                        }
                        proxy = Some(Secret::new(value));
                    }
                }
                "proxyBypass" | "proxy_bypass" => proxy_bypass = Some(value),
                "launch" => {
                    let Launch(members) = launch_in(&value)?;
                    launch.get_or_insert_default().0.extend(members);
                }
                // What changes nothing is left out, so that the client joins a session without launch options.
                "headless" => {
                    if !truth(name, &value)? {
                        launch.get_or_insert_default().0.insert(name.to_owned(), false.into());
                    }
                }
                "acceptInsecureCerts" | "ignoreHTTPSErrors" => {
                    if truth(name, &value)? {
                        launch.get_or_insert_default().0.insert(name.to_owned(), true.into());
                    }
                }
                "slowMo" => {
                    let millis = value.parse::<f64>().map_err(|_| Bad::new(name, "is no number of milliseconds"))?;
                    if millis != 0.0 {
                        launch.get_or_insert_default().0.insert(name.to_owned(), millis.into());
                    }
                }
                _ if name.starts_with("--") => {
                    let is_bare = given.is_none_or(str::is_empty);
                    flags.push(if is_bare { name.to_owned() } else { format!("{name}={value}") });
                }
                _ => refuse_unless_known(name, &value)?,
            }
        }
        for flag in flags {
            launch.get_or_insert_default().add_flag(flag)?;
        }
        // Without a snapshot `pages` may be for another server.
        let begins = snapshot.map(|snapshot| Beginning { snapshot, pages: pages.unwrap_or(true) });
        wish.initial = Initial::of(isolated, begins, launch, WantedProxy::of(proxy, proxy_bypass)?, profile)?;
        Ok(wish)
    }
}

/// Refuses an option that is set and not supported. An option with a value that turns it off is not refused, nor is an
/// unknown one.
fn refuse_unless_known(name: &str, value: &str) -> Result<(), Bad> {
    let advice = match NOT_YET.iter().find(|(option, _)| *option == name) {
        Some((_, advice)) if !matches!(value, "false" | "0") => *advice,
        _ => return Ok(()),
    };
    let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
    Err(Bad::new(name, format!("cannot be honoured by this server; leave it out{advice}")))
}

/// Launch options: JSON, or JSON in base64.
fn launch_in(value: &str) -> Result<Launch, Bad> {
    let is_json = value.trim_start().starts_with('{');
    let decoded = || {
        // In a query a `+` is a space, and both alphabets of base64 are in use, with and without padding.
        let text: String = value.trim_end_matches('=').replace([' ', '-'], "+").replace('_', "/");
        String::from_utf8(BASE64_NOPAD.decode(text.as_bytes()).ok()?).ok()
    };
    let text = if is_json { value.to_owned() } else { decoded().unwrap_or_default() };
    if !text.trim_start().starts_with('{') {
        return Err(Bad::new("launch", "is neither a JSON object nor one in base64"));
    }
    api_types::read(&text).map_err(|bad| Bad::new("launch", format!("is no JSON object: {}", bad.why)))
}

fn isolation(value: &str) -> Result<Isolation, Bad> {
    let known = Isolation::ALL.into_iter().find(|isolation| isolation.name() == value);
    known.ok_or_else(|| Bad::new("isolation", format!("{value:?} is neither shared nor dedicated")))
}

fn truth(name: &str, value: &str) -> Result<bool, Bad> {
    match value {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Bad::new(name, format!("{value:?} is neither true nor false"))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api_types::ProfileUse;

    #[test]
    fn query_parameters_become_options() {
        let asked =
            ConnectOptions::read("token=x&timeout=5000&idle_timeout=90s&keepAlive=5m&autosave=30s&hibernate_after=1h&name=my+job%21&takeover&exclusive=1").expect("good");
        let span = |millis| Some(Millis(Duration::from_millis(millis)));
        assert_eq!(asked.options.timeout, span(5000));
        assert_eq!(asked.options.idle_timeout, span(90_000));
        assert_eq!(asked.options.keep_alive, span(300_000));
        assert_eq!((asked.options.autosave, asked.options.hibernate_after), (span(30_000), span(3_600_000)));
        assert_eq!(asked.options.name.as_deref(), Some("my job!"));
        assert!(asked.takeover && asked.exclusive);
        let none = ConnectOptions::read("").expect("good");
        assert!(
            !none.takeover
                && !none.exclusive
                && none.options == Options::default()
                && none.initial == Initial::default()
        );
        for query in ["token=x&stealth=false&blockAds=0", "headless=true", "whatever=--flag"] {
            assert!(ConnectOptions::read(query).is_ok(), "{query}");
        }
        let proxy = |query: &str| ConnectOptions::read(query).expect("good").initial.proxy;
        for query in ["proxy=socks5://u:p%2525@h:1", "externalProxyServer=socks5%3A%2F%2Fu%3Ap%2525%40h%3A1"] {
            assert_eq!(proxy(query).expect("a proxy").server.reveal(), "socks5://u:p%25@h:1", "{query}");
        }
        let of_flags = proxy("--proxy-server=http://h:1&--proxy-bypass-list=*.test&--lang=de").expect("a proxy");
        assert_eq!((of_flags.bypass.as_deref(), of_flags.is_flag()), (Some("*.test"), true));
        assert_eq!(proxy("proxy=false"), None);
        for isolation in Isolation::ALL {
            let asked = ConnectOptions::read(&format!("isolation={}", isolation.name())).expect("good");
            assert_eq!(asked.initial.isolation, Some(isolation));
        }
        let begins = ConnectOptions::read("snapshot=x&pages=false").expect("good").initial.begins;
        assert_eq!(begins, Some(Beginning { snapshot: "x".into(), pages: false }));
        let used = ConnectOptions::read("profile=shop&persist").expect("good").initial.profile;
        assert_eq!(used, Some(ProfileUse::snapshot("shop".into(), true)));
        let used = ConnectOptions::read("user_data=shop").expect("good").initial;
        assert_eq!(used.profile, Some(ProfileUse::user_data("shop".into())));
        assert_eq!(used.isolation, Some(Isolation::Dedicated));
        assert_eq!(ConnectOptions::read("persist=false").expect("good").initial.profile, None);
        for (query, field) in [
            ("persist", "persist"),
            ("profile=..%2Fother", "profile"),
            ("profile=a&snapshot=b", "profile"),
            ("profile=a&user_data=b", "profile"),
            ("user_data=a&snapshot=b", "userData"),
            ("user_data=a&isolation=shared", "isolation"),
            ("user_data=a&persist=false", "persist"),
            ("user_data=..", "userData"),
            ("user_data=a%2F..%2Fb", "userData"),
            ("timeout=-1", "timeout"),
            ("timeout=", "timeout"),
            ("keep_alive=soon", "keep_alive"),
            ("takeover=perhaps", "takeover"),
            ("exclusive=2", "exclusive"),
            ("isolation=strong", "isolation"),
            ("isolation", "isolation"),
            ("launch=%7B", "launch"),
            ("launch=[]", "launch"),
            ("launch=!", "launch"),
            ("launch=bm8=", "launch"),
            ("launch=%7B%22args%22:1%7D&--lang=de", "launch.args"),
            ("slowMo=soon", "slowMo"),
            ("headless=perhaps", "headless"),
            ("args=--lang=de", "args"),
            ("proxy=residential", "proxy"),
            ("proxyServer=h:1", "proxyServer"),
            ("proxyBypass=x", "proxyBypass"),
            ("proxy=http://h:1&--proxy-server=http://h:2", "--proxy-server"),
            ("proxy=hidden.AAAA", "proxy"),
            ("stealth", "stealth"),
            ("blockAds=true", "blockAds"),
            ("record=true", "record"),
            ("snapshot=x&pages=some", "pages"),
        ] {
            assert_eq!(ConnectOptions::read(query).map_err(|bad| bad.field).err().as_deref(), Some(field), "{query}");
        }
    }

    #[test]
    fn launch_options_are_read_from_json_base64_and_flags_in_the_query() {
        let read = |query: &str| {
            let Launch(launch) = ConnectOptions::read(query).expect("good").initial.launch.expect("launch options");
            serde_json::Value::Object(launch).to_string()
        };
        let expected = r#"{"args":["--lang=de"],"headless":true}"#;
        let json = "launch=%7B%22args%22:[%22--lang=de%22],%22headless%22:true%7D";
        assert_eq!(read(json), expected);
        for base64 in [BASE64_NOPAD.encode(expected.as_bytes()), data_encoding::BASE64URL.encode(expected.as_bytes())] {
            assert_eq!(read(&format!("launch={base64}")), expected);
        }
        // 0xfb is `+/` in base64, and a `+` in a query is a space.
        assert_eq!(read("launch=eyJhIjoifj8+fj8/In0="), r#"{"a":"~?>~??"}"#);
        let all = read(&format!("--window-size=8,6&--disable-gpu&{json}&--user-agent=a+b%3D&%2D%2Dhide-scrollbars="));
        let args = r#"["--lang=de","--window-size=8,6","--disable-gpu","--user-agent=a b=","--hide-scrollbars"]"#;
        assert_eq!(all, format!(r#"{{"args":{args},"headless":true}}"#));
        assert_eq!(read("acceptInsecureCerts&slowMo=50"), r#"{"acceptInsecureCerts":true,"slowMo":50.0}"#);
        for nothing in ["token=x", "launch=%7B%7D", "headless", "headless=true&acceptInsecureCerts=0&slowMo=0"] {
            assert_eq!(ConnectOptions::read(nothing).expect("good").initial.launch, None, "{nothing}");
        }
    }
}

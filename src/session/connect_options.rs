//! The options of a client's connection, from the query of its URL.

use percent_encoding::percent_decode_str;

use crate::{
    api_types::{Bad, Beginning, Initial, Isolation, Millis, Options},
    config::span,
};

/// Options that other servers know, that would change the browser, and that this server does not have. They are refused by
/// name, with the alternative.
const NOT_YET: [(&str, &str); 15] = [
    ("launch", ""),
    ("args", FLAGS),
    ("ignoreDefaultArgs", FLAGS),
    ("userDataDir", "save and begin with snapshots instead"),
    ("proxy", PROXY),
    ("proxyServer", PROXY),
    ("proxy_server", PROXY),
    ("externalProxyServer", PROXY),
    ("proxyCountry", PROXY),
    ("stealth", ""),
    ("blockAds", BLOCK),
    ("block_ads", BLOCK),
    ("record", "use Page.startScreencast"),
    ("replay", "use Page.startScreencast"),
    ("solveCaptchas", ""),
];
const FLAGS: &str = "the operator gives Chrome flags with --browser-args";
const PROXY: &str =
    "give the context a proxy: proxyServer of Target.createBrowserContext, or of your library's newContext";
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
        let (mut snapshot, mut pages) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let plain = value.replace('+', " ");
            let value = percent_decode_str(&plain).decode_utf8_lossy();
            let time = || span(&value).map(Millis).map_err(|why| Bad::new(name, why));
            match name {
                "timeout" => wish.options.timeout = Some(time()?),
                "idle_timeout" | "idleTimeout" => wish.options.idle_timeout = Some(time()?),
                "keep_alive" | "keepAlive" => wish.options.keep_alive = Some(time()?),
                "hibernate_after" | "hibernateAfter" => wish.options.hibernate_after = Some(time()?),
                "autosave" => wish.options.autosave = Some(time()?),
                "name" => wish.options.name = Some(value.into_owned()),
                "session" => wish.session = Some(value.into_owned()),
                "exclusive" => wish.exclusive = truth(name, &value)?,
                "takeover" => wish.takeover = truth(name, &value)?,
                "isolation" => wish.initial.isolation = Some(isolation(&value)?),
                "snapshot" => snapshot = Some(value.into_owned()),
                "pages" => pages = Some(truth(name, &value)?),
                _ => refuse_unless_known(name, &value)?,
            }
        }
        // Without a snapshot `pages` may be for another server.
        wish.initial.begins = snapshot.map(|snapshot| Beginning { snapshot, pages: pages.unwrap_or(true) });
        Ok(wish)
    }
}

/// Refuses an option that is set and not supported. An option with a value that turns it off is not refused, nor is an
/// unknown one.
fn refuse_unless_known(name: &str, value: &str) -> Result<(), Bad> {
    let advice = match NOT_YET.iter().find(|(option, _)| *option == name) {
        Some((_, advice)) if !matches!(value, "false" | "0") => *advice,
        None if name.starts_with("--") => FLAGS,
        _ => return Ok(()),
    };
    let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
    Err(Bad::new(name, format!("cannot be honoured by this server; leave it out{advice}")))
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
        let proxied = ConnectOptions::read("proxyServer=x").expect_err("not honoured").to_string();
        assert!(proxied.contains("Target.createBrowserContext"), "{proxied}");
        for isolation in Isolation::ALL {
            let asked = ConnectOptions::read(&format!("isolation={}", isolation.name())).expect("good");
            assert_eq!(asked.initial.isolation, Some(isolation));
        }
        let begins = ConnectOptions::read("snapshot=x&pages=false").expect("good").initial.begins;
        assert_eq!(begins, Some(Beginning { snapshot: "x".into(), pages: false }));
        for (query, field) in [
            ("timeout=-1", "timeout"),
            ("timeout=", "timeout"),
            ("keep_alive=soon", "keep_alive"),
            ("takeover=perhaps", "takeover"),
            ("exclusive=2", "exclusive"),
            ("isolation=strong", "isolation"),
            ("isolation", "isolation"),
            ("launch=%7B%7D", "launch"),
            ("--proxy-server=http://p:1", "--proxy-server"),
            ("--lang", "--lang"),
            ("proxy=residential", "proxy"),
            ("stealth", "stealth"),
            ("blockAds=true", "blockAds"),
            ("record=true", "record"),
            ("snapshot=x&pages=some", "pages"),
        ] {
            assert_eq!(ConnectOptions::read(query).map_err(|bad| bad.field).err().as_deref(), Some(field), "{query}");
        }
    }
}

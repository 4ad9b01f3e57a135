//! What the URL and the body of a quick action want of its session.

use crate::{
    api_types::{
        Bad, Beginning, BlockList, Initial, Millis, WantedProfile, WantedProxy,
        quick::{LaunchOrText, QuickSession},
    },
    session::manager::ConnectOptions,
};

/// Options of sessions that clients connect to. A quick action has a session of its own.
const OF_CLIENTS: [&str; 10] = [
    "session",
    "exclusive",
    "takeover",
    "keep_alive",
    "keepAlive",
    "idle_timeout",
    "idleTimeout",
    "hibernate_after",
    "autosave",
    "keep_files",
];
const ADS: &str = "needs a list of hosts, and this server has none: its operator sets one with block_list; name what is not to be \
                   loaded with rejectRequestPattern";

/// What a quick action wants of its session.
#[derive(Debug)]
pub(super) struct QuickNeeds {
    /// The options of the session.
    pub(super) options: ConnectOptions,
    /// The time limit of the action.
    pub(super) timeout: Option<Millis>,
    /// The hosts that are blocked.
    pub(super) blocked: Option<BlockList>,
}

/// Reads the URL and the body. `list` has the hosts that can be blocked.
pub(super) fn read(query: &str, body: QuickSession, list: Option<BlockList>) -> Result<QuickNeeds, Bad> {
    let mut blocks_ads = body.block_ads.then_some("blockAds");
    let members: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    for (name, value) in &members {
        if OF_CLIENTS.contains(&&**name) {
            let why = "is for sessions that clients connect to; a quick action has a session of its own. POST /v1/sessions \
                       creates one whose pages can be driven by HTTP";
            return Err(Bad::new(name, why));
        }
        if is_ads(name) && !matches!(&**value, "false" | "0") {
            blocks_ads = Some(name);
        }
    }
    let blocked = match blocks_ads {
        Some(name) => Some(list.ok_or_else(|| Bad::new(name, ADS))?),
        None => None,
    };
    // Clients that connect have no such option.
    let is_other = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).next().is_none_or(|(name, _)| !is_ads(&name));
    let mut wish = ConnectOptions::read(&query.split('&').filter(is_other).collect::<Vec<_>>().join("&"))?;
    let timeout = match (wish.options.timeout.take(), body.timeout) {
        (Some(_), Some(_)) => {
            return Err(Bad::new("timeout", "is in the URL and in the body; leave out one of the two"));
        }
        (of_query, of_body) => of_query.or(of_body),
    };
    if let Some((_, name)) = members.into_iter().find(|(name, _)| name == "trackingId") {
        wish.options.name.get_or_insert_with(|| name.into_owned());
    }
    if let Some(initial) = of_body(body)? {
        if wish.initial != Initial::default() {
            let why =
                "and other options of the session are in the URL and in the body; give all of them in one of the two";
            return Err(Bad::new("launch", why));
        }
        wish.initial = initial;
    }
    Ok(QuickNeeds { options: wish, timeout, blocked })
}

/// Whether a member of the query says that hosts are blocked.
fn is_ads(name: &str) -> bool {
    matches!(name, "blockAds" | "block_ads")
}

/// What the body wants of the session; `None` if it wants nothing.
fn of_body(body: QuickSession) -> Result<Option<Initial>, Bad> {
    let QuickSession { launch, block_ads: _, proxy, proxy_bypass, snapshot, profile, isolation, timeout: _ } = body;
    if launch.is_none()
        && proxy.is_none()
        && proxy_bypass.is_none()
        && snapshot.is_none()
        && profile.is_none()
        && isolation.is_none()
    {
        return Ok(None);
    }
    let launch = match launch {
        None => None,
        Some(LaunchOrText::Options(launch)) => Some(launch),
        Some(LaunchOrText::Text(text)) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("launch", &text).finish();
            ConnectOptions::read(&query)?.initial.launch
        }
    };
    let begins = snapshot.map(|snapshot| Beginning { snapshot, pages: false });
    let profile = WantedProfile { profile, ..WantedProfile::default() };
    Ok(Some(Initial::of(isolation, begins, launch, WantedProxy::of(proxy, proxy_bypass)?, profile)?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::api_types::{Isolation, Launch, Secret};

    fn launch(value: serde_json::Value) -> LaunchOrText {
        serde_json::from_value(value).expect("launch options")
    }

    #[test]
    fn launch_options_mean_the_same_in_the_url_and_in_the_body() {
        let wanted = Launch(json!({ "args": ["--lang=de"] }).as_object().expect("an object").clone());
        let json = json!({ "args": ["--lang=de"] });
        let base64 = data_encoding::BASE64.encode(json.to_string().as_bytes());
        for (query, body) in [
            ("--lang=de".to_owned(), None),
            (format!("launch={base64}&token=x"), None),
            (String::new(), Some(launch(json.clone()))),
            (String::new(), Some(launch(json!(base64)))),
            ("trackingId=me".to_owned(), Some(launch(json!(json.to_string())))),
        ] {
            let wish = read(&query, QuickSession { launch: body, ..QuickSession::default() }, None).expect(&query);
            assert_eq!(wish.options.initial.launch.as_ref(), Some(&wanted), "{query}");
        }
        let QuickNeeds { options: ConnectOptions { options, .. }, timeout, .. } =
            read("timeout=5000&trackingId=me", QuickSession::default(), None).expect("good");
        assert_eq!((options.name.as_deref(), options.timeout), (Some("me"), None));
        assert_eq!(timeout, Some(Millis(Duration::from_secs(5))));
        let body = QuickSession {
            proxy: Some(Secret::new("http://h:1".to_owned())),
            isolation: Some(Isolation::Dedicated),
            ..QuickSession::default()
        };
        let wish = read("", body, None).expect("good").options;
        assert!(wish.initial.proxy.is_some() && wish.initial.isolation == Some(Isolation::Dedicated));
    }

    #[test]
    fn what_a_quick_action_cannot_have_is_refused_by_name() {
        let limited = QuickSession { timeout: Some(Millis(Duration::from_secs(1))), ..QuickSession::default() };
        let snapshot = QuickSession { snapshot: Some("x".to_owned()), ..QuickSession::default() };
        let ads = QuickSession { block_ads: true, ..QuickSession::default() };
        for (query, body, field) in [
            ("session=x", QuickSession::default(), "session"),
            ("keep_alive=1m", QuickSession::default(), "keep_alive"),
            ("blockAds", QuickSession::default(), "blockAds"),
            ("blockAds=true", QuickSession::default(), "blockAds"),
            ("stealth", QuickSession::default(), "stealth"),
            ("", ads, "blockAds"),
            ("timeout=5", limited, "timeout"),
            ("--lang=de", snapshot, "launch"),
            ("", QuickSession { launch: Some(launch(json!("no"))), ..QuickSession::default() }, "launch"),
        ] {
            assert_eq!(read(query, body, None).map_err(|bad| bad.field).err().as_deref(), Some(field), "{query}");
        }
        assert!(read("blockAds=false&token=x&unknown", QuickSession::default(), None).is_ok());
    }

    #[test]
    fn hosts_are_blocked_if_the_url_or_the_body_says_so() {
        let list = BlockList::read("ads.example").expect("a list");
        let ads = QuickSession { block_ads: true, ..QuickSession::default() };
        for (query, body, is_blocked) in [
            ("blockAds", QuickSession::default(), true),
            ("blockAds=true", QuickSession::default(), true),
            ("timeout=5&block%5Fads=1&%62lockAds", QuickSession::default(), true),
            ("", ads.clone(), true),
            ("", QuickSession::default(), false),
            ("blockAds=false", QuickSession::default(), false),
        ] {
            let wish = read(query, body, Some(list.clone())).expect(query);
            assert_eq!(wish.blocked, is_blocked.then(|| list.clone()), "{query}");
        }
        assert!(read("", ads, None).is_err_and(|bad| bad.to_string().contains("block_list")));
    }
}

//! What the URL and the body of a quick action want of its session.

use crate::{
    api_types::{
        Bad, Beginning, Initial, Millis, WantedProfile, WantedProxy,
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
const ADS: &str =
    "needs a list of advertisers, and this server has none; name what is not to be loaded with rejectRequestPattern";

/// The options of the session, and the time limit of the action.
pub(super) fn read(query: &str, body: QuickSession) -> Result<(ConnectOptions, Option<Millis>), Bad> {
    let members: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    for (name, value) in &members {
        if OF_CLIENTS.contains(&&**name) {
            let why = "is for sessions that clients connect to; a quick action has a session of its own. POST /v1/sessions \
                       creates one whose pages can be driven by HTTP";
            return Err(Bad::new(name, why));
        }
        if matches!(&**name, "blockAds" | "block_ads") && !matches!(&**value, "false" | "0") {
            return Err(Bad::new(name, ADS));
        }
    }
    if body.block_ads {
        return Err(Bad::new("blockAds", ADS));
    }
    let mut wish = ConnectOptions::read(query)?;
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
    Ok((wish, timeout))
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
            let (wish, _) = read(&query, QuickSession { launch: body, ..QuickSession::default() }).expect(&query);
            assert_eq!(wish.initial.launch.as_ref(), Some(&wanted), "{query}");
        }
        let (wish, timeout) = read("timeout=5000&trackingId=me", QuickSession::default()).expect("good");
        assert_eq!((wish.options.name.as_deref(), wish.options.timeout), (Some("me"), None));
        assert_eq!(timeout, Some(Millis(Duration::from_secs(5))));
        let body = QuickSession {
            proxy: Some(Secret::new("http://h:1".to_owned())),
            isolation: Some(Isolation::Dedicated),
            ..QuickSession::default()
        };
        let (wish, _) = read("", body).expect("good");
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
            assert_eq!(read(query, body).map_err(|bad| bad.field).err().as_deref(), Some(field), "{query}");
        }
        assert!(read("blockAds=false&token=x&unknown", QuickSession::default()).is_ok());
    }
}

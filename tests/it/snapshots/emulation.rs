//! Emulation settings of clients are restored, from the first request on, until a client changes
//! them.

use serde_json::{Value, json};

use super::apis::page_at;
use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, Failure},
    proxy::Proxy,
    rest::id_of,
    site::Site,
};

const SET: [(&str, &str); 8] = [
    ("Emulation.setUserAgentOverride", r#"{"userAgent":"Nothing/1.0","acceptLanguage":"fr-CH"}"#),
    ("Emulation.setDeviceMetricsOverride", r#"{"width":321,"height":654,"deviceScaleFactor":2,"mobile":false}"#),
    ("Emulation.setTouchEmulationEnabled", r#"{"enabled":true,"maxTouchPoints":3}"#),
    ("Emulation.setEmulatedMedia", r#"{"features":[{"name":"prefers-color-scheme","value":"dark"}]}"#),
    ("Emulation.setLocaleOverride", r#"{"locale":"de-CH"}"#),
    ("Emulation.setTimezoneOverride", r#"{"timezoneId":"Asia/Tokyo"}"#),
    ("Emulation.setGeolocationOverride", r#"{"latitude":1,"longitude":2,"accuracy":3}"#),
    ("Network.setExtraHTTPHeaders", r#"{"headers":{"x-extra":"header"}}"#),
];

async fn set(client: &Client, session: &str, method: &str, params: &str) -> Result<Value, Failure> {
    client.call_on(session, method, serde_json::from_str(params).expect("JSON")).await
}

/// The values that the page observes.
async fn seen(client: &Client, session: &str) -> Value {
    let script = "(() => {
        const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions();
        const dark = matchMedia('(prefers-color-scheme: dark)').matches;
        const { userAgent, language, maxTouchPoints } = navigator;
        return [userAgent, language, innerWidth, devicePixelRatio, maxTouchPoints, dark, locale, timeZone];
    })()";
    client.evaluate(session, script).await
}

async fn emulation_is_saved_and_restored(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &[]).await, Site::start().await);
    let url = site.url("/?pretends");
    let client = proxy.connect().await;
    let page = client.page().await;
    for (method, params) in SET {
        set(&client, &page.session, method, params).await.expect(method);
    }
    // A setting that Chrome refused is not saved.
    set(&client, &page.session, "Emulation.setLocaleOverride", r#"{"locale":"no locale!"}"#).await.expect_err("none");
    client.ok(Some(&page.session), "Network.enable", json!({})).await;
    client.open(&page, &url).await;
    let wanted = seen(&client, &page.session).await;
    assert_eq!(wanted, json!(["Nothing/1.0", "fr-CH", 321, 2, 3, true, "de-CH", "Asia/Tokyo"]));
    let saved = client.ok(None, "ghost.saveSnapshot", json!({})).await;
    assert_eq!(saved["report"]["omitted"], json!([]), "{saved}");
    drop(client);

    let id = id_of(&saved["snapshot"]).to_owned();
    let before = site.requests().len();
    let client = proxy.connect_to(&format!("/?snapshot={id}")).await;
    let session = page_at(&client, &url).await;
    assert_eq!(seen(&client, &session).await, wanted);
    // A copy of an unchanged restored session has the same settings.
    let cloned = client.ok(None, "ghost.cloneSession", json!({ "count": 1 })).await;
    let copy = proxy.connect_to(
        cloned["sessions"][0]["webSocketDebuggerUrl"]
            .as_str()
            .map_or("", |url| &url[url.find("/devtools").expect("a path")..]),
    );
    let copy = copy.await;
    let in_copy = page_at(&copy, &url).await;
    assert_eq!(seen(&copy, &in_copy).await, wanted);
    for request in &site.requests()[before..] {
        let head = request.head.to_lowercase();
        if head.starts_with("get /?pretends") {
            for line in ["user-agent: nothing/1.0", "accept-language: fr-ch", "x-extra: header"] {
                assert!(head.contains(line), "{line} is not in {head}");
            }
        }
    }

    // A setting that the client sets or clears is the client's own; the others are kept, on other
    // pages too.
    set(&client, &session, "Emulation.setTimezoneOverride", r#"{"timezoneId":"Europe/Rome"}"#).await.expect("set");
    set(&client, &session, "Emulation.setLocaleOverride", r#"{"locale":"it"}"#).await.expect("set");
    set(&client, &session, "Emulation.clearDeviceMetricsOverride", "{}").await.expect("cleared");
    let elsewhere = json!({ "url": site.url_at("b.localhost", "/?elsewhere") });
    client.ok(Some(&session), "Page.enable", json!({})).await;
    client.ok(Some(&session), "Page.navigate", elsewhere).await;
    client.event_on(&session, "Page.loadEventFired").await;
    let now = seen(&client, &session).await;
    assert_ne!(now[2], 321, "{now}");
    let kept = [0, 1, 4, 5, 6, 7].map(|at| now[at].clone());
    assert_eq!(json!(kept), json!(["Nothing/1.0", "fr-CH", 3, true, "it", "Europe/Rome"]));
    let requests = site.requests();
    let last = requests.iter().find(|request| request.path == "/?elsewhere").expect("a request");
    assert!(last.head.to_lowercase().contains("x-extra: header"), "{}", last.head);
}
in_each_browser!(emulation_is_saved_and_restored);

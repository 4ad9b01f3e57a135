//! Sessions with a browser of their own (`isolation=dedicated`): what they may do there, that nobody else comes in, and
//! that the browser ends with the session.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, text},
    proxy::{Proxy, eventually},
    reconnect::{id_of, parked, session},
    reload::Configured,
    rest::{is_problem, ok, send},
    site::Site,
    tenants::{Server, Tenant},
};

const OWN: &str = "/?isolation=dedicated";
/// No spare browsers: then all that run belong to a session.
const NO_SPARES: &[&str] = &["--dedicated-spares", "0"];

/// The browsers of the pool, with this isolation, that have not ended.
async fn browsers(proxy: &Proxy, isolation: &str) -> Vec<Value> {
    let all = ok(proxy, "GET", "/v1/browsers", Value::Null).await["browsers"].take();
    let all = all.as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|browser| browser["isolation"] == isolation && browser["state"] != "dead").collect()
}

/// The ids of the pages of a session, as its client sees them.
async fn pages(client: &Client) -> Vec<String> {
    let infos = client.ok(None, "Target.getTargets", json!({})).await["targetInfos"].take();
    let infos = infos.as_array().cloned().unwrap_or_default();
    infos.iter().filter(|info| info["type"] == "page").map(|info| text(info, "targetId")).collect()
}

async fn session_has_a_browser_with_chromes_own_context(browser: Browser) {
    let proxy = Proxy::start(browser, NO_SPARES).await;
    let site = Site::start().await;
    let (other, client) = (proxy.connect().await, proxy.connect_to(OWN).await);
    let shown = session(&client, &id_of(&client).await).await;
    assert_eq!(shown["isolation"], "dedicated");
    assert_eq!(session(&other, &id_of(&other).await).await["isolation"], "shared");
    // One page is there, in the default context, as in a Chrome that has just started.
    let first = pages(&client).await;
    assert_eq!(first.len(), 1, "{first:?}");
    let contexts = client.ok(None, "Target.getBrowserContexts", json!({})).await;
    assert_eq!(contexts["browserContextIds"], json!([]));
    let own = text(&contexts, "defaultBrowserContextId");
    let info = client.ok(None, "Target.getTargetInfo", json!({ "targetId": first[0] })).await["targetInfo"].take();
    assert_eq!((&info["browserContextId"], &info["url"]), (&json!(own), &json!("about:blank")));
    // Commands that name no context, and those that name it, reach it.
    let page = client.page_at(&site.url("/page")).await;
    let cookie = json!({ "name": "own", "value": "1", "url": site.url("/") });
    client.ok(None, "Storage.setCookies", json!({ "cookies": [cookie] })).await;
    let named = client.page_in(Some(&own), &site.url("/page")).await;
    for session in [&page.session, &named.session] {
        assert_eq!(client.evaluate(session, "document.cookie.includes('own=1')").await, true);
    }
    let cookies = client.ok(None, "Storage.getCookies", json!({ "browserContextId": own })).await;
    assert!(cookies.to_string().contains(r#""own""#), "{cookies}");
    client.ok(None, "Browser.grantPermissions", json!({ "permissions": ["geolocation"] })).await;
    // Contexts of its own work as elsewhere, and are not the default one.
    let context = text(&client.ok(None, "Target.createBrowserContext", json!({})).await, "browserContextId");
    let apart = client.page_in(Some(&context), &site.url("/page")).await;
    assert_eq!(client.evaluate(&apart.session, "document.cookie.includes('own=1')").await, false);
    client.ok(None, "Target.disposeBrowserContext", json!({ "browserContextId": context })).await;
    let kept = client.call("Target.disposeBrowserContext", json!({ "browserContextId": own })).await;
    assert!(kept.is_err(), "{kept:?}");
    let all = pages(&client).await;
    assert_eq!(all.len(), 3);
    // A browser without a page goes on.
    for page in all {
        client.ok(None, "Target.closeTarget", json!({ "targetId": page })).await;
    }
    eventually("no page", async || pages(&client).await.is_empty()).await;
    let page = client.page_at(&site.url("/page")).await;
    // The two know nothing of each other.
    let theirs = other.page_at(&site.url("/page")).await;
    assert_eq!(other.evaluate(&theirs.session, "document.cookie.includes('own=1')").await, false);
    for (one, target) in [(&client, &theirs.target), (&other, &page.target)] {
        let found = one.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await;
        assert!(found.is_err(), "{found:?}");
    }
}
in_each_browser!(session_has_a_browser_with_chromes_own_context);

async fn browser_ends_with_its_session_however_that_ends(browser: Browser) {
    let proxy = Proxy::start(browser, NO_SPARES).await;
    let shared = proxy.browsers();
    let gone = async |how: &str| {
        eventually(how, async || proxy.browsers() == shared && browsers(&proxy, "dedicated").await.is_empty()).await;
    };
    let client = proxy.connect_to(OWN).await;
    assert_eq!(proxy.browsers().len(), shared.len() + 1);
    drop(client);
    gone("the end after the socket").await;
    let client = proxy.connect_to(OWN).await;
    client.ok(None, "Browser.close", json!({})).await;
    assert!(client.end().await.contains("1000"));
    gone("the end after Browser.close").await;
    let made = ok(&proxy, "POST", "/v1/sessions", json!({ "isolation": "dedicated" })).await;
    assert_eq!(made["isolation"], "dedicated");
    let id = text(&made, "id");
    ok(&proxy, "DELETE", &format!("/v1/sessions/{id}"), Value::Null).await;
    gone("the end after DELETE").await;
    // A client that leaves while its browser starts.
    let leaves = proxy.connect_to(OWN);
    let _ = tokio::time::timeout(std::time::Duration::from_millis(20), leaves).await;
    gone("the end after a client that left at once").await;
    let lost = proxy.figure("browsers_lost_total").await;
    assert_eq!(lost, 0, "they were ended, not lost: {}", proxy.log());
}
in_each_browser!(browser_ends_with_its_session_however_that_ends);

async fn loss_of_a_dedicated_browser_ends_its_session_alone(browser: Browser) {
    let proxy = Proxy::start(browser, NO_SPARES).await;
    let (shared, client, other) = (proxy.connect().await, proxy.connect_to(OWN).await, proxy.connect_to(OWN).await);
    let pages = (shared.page().await, other.page().await);
    // It is its own Chrome, so it may end it in any way.
    client.start(None, "Browser.crash", json!({})).await;
    let closed = client.end().await;
    assert!(closed.contains("1011") && closed.contains("browser is lost"), "{closed}");
    assert_eq!(shared.evaluate(&pages.0.session, "1").await, 1);
    assert_eq!(other.evaluate(&pages.1.session, "1").await, 1);
    let left = browsers(&proxy, "dedicated").await;
    assert_eq!(left.len(), 1, "{left:?}");
    let (_, dead) = send(&proxy, "GET", "/v1/browsers", Value::Null).await;
    let dead = dead["browsers"].as_array().into_iter().flatten().filter(|browser| browser["state"] == "dead").count();
    assert_eq!(dead, 1);
}
in_each_browser!(loss_of_a_dedicated_browser_ends_its_session_alone);

async fn browser_wide_commands_act_in_the_own_browser_and_nowhere_else(browser: Browser) {
    let proxy = Proxy::start(browser, NO_SPARES).await;
    let site = Site::start().await;
    let (client, other) = (proxy.connect_to(OWN).await, proxy.connect().await);
    let (page, theirs) = (client.page_at(&site.url("/page")).await, other.page_at(&site.url("/page")).await);
    // A session that is alone in a shared browser may trace.
    let _third = proxy.connect().await;
    for (method, params) in [
        ("SystemInfo.getInfo", json!({})),
        ("Browser.getHistogram", json!({ "name": "x" })),
        ("Fetch.enable", json!({})),
        ("Tracing.start", json!({})),
        ("Browser.grantPermissions", json!({ "permissions": ["clipboardReadWrite"] })),
    ] {
        let (_, refused) = other.call(method, params).await.expect_err(method);
        assert!(refused.contains("isolation=dedicated"), "{method}: {refused}");
    }
    let info = client.ok(None, "SystemInfo.getInfo", json!({})).await;
    assert_eq!(info["commandLine"], "", "it has paths of the host");
    assert!(info["gpu"].is_object(), "{info}");
    client.ok(None, "Browser.grantPermissions", json!({ "permissions": ["clipboardReadWrite"] })).await;
    // A root sees the requests of all its pages, and of nobody else.
    client.ok(None, "Fetch.enable", json!({ "patterns": [{ "urlPattern": "*hop*" }] })).await;
    other.evaluate(&theirs.session, "fetch('/page?hop').then(answer => answer.status)").await;
    let there = json!({ "url": site.url("/page?hop") });
    client.start(Some(&page.session), "Page.navigate", there).await;
    let paused = client.event("Fetch.requestPaused").await;
    assert!(paused["params"]["request"]["url"].as_str().is_some_and(|url| url.ends_with("?hop")), "{paused}");
    let request = paused["params"]["requestId"].clone();
    client.ok(None, "Fetch.continueRequest", json!({ "requestId": request })).await;
    client.ok(None, "Fetch.disable", json!({})).await;
    // A trace, while another session is in the shared browser.
    let how = json!({ "transferMode": "ReportEvents", "traceConfig": { "includedCategories": ["blink", "toplevel"] } });
    client.ok(None, "Tracing.start", how).await;
    client.evaluate(&page.session, "document.body.append('traced')").await;
    client.ok(None, "Tracing.end", json!({})).await;
    client.event("Tracing.tracingComplete").await;
    // What nobody may do stays refused.
    for method in ["Target.setRemoteLocations", "Browser.getBrowserCommandLine", "Target.exposeDevToolsProtocol"] {
        let (_, refused) = client.call(method, json!({})).await.expect_err(method);
        assert!(refused.contains("no capability allows it"), "{method}: {refused}");
    }
}
in_each_browser!(browser_wide_commands_act_in_the_own_browser_and_nowhere_else);

async fn parked_session_is_found_again_in_its_browser(browser: Browser) {
    let proxy = Proxy::start(browser, NO_SPARES).await;
    let site = Site::start().await;
    let observer = proxy.connect().await;
    let client = proxy.connect_to("/s/crawl?isolation=dedicated&keep_alive=60s").await;
    let id = id_of(&client).await;
    let page = client.page_at(&site.url("/page")).await;
    client.evaluate(&page.session, "globalThis.kept = 41; 0").await;
    drop(client);
    parked(&observer, &id).await;
    // The same URL finds it; one for another kind of browser does not, and ends nothing.
    let refused = proxy.refusal("/s/crawl?isolation=shared").await;
    assert!(refused.contains("409") && refused.contains("isolation"), "{refused}");
    let client = proxy.connect_to("/s/crawl?isolation=dedicated").await;
    let session = client.attach(None, &page.target).await;
    assert_eq!(client.evaluate(&session, "globalThis.kept + 1").await, 42);
    assert_eq!(pages(&client).await.len(), 2);
}
in_each_browser!(parked_session_is_found_again_in_its_browser);

async fn hibernated_session_comes_back_in_another_dedicated_browser(browser: Browser) {
    let proxy = Proxy::start(browser, NO_SPARES).await;
    let site = Site::start().await;
    let observer = proxy.connect().await;
    let client = proxy.connect_to("/?isolation=dedicated&keep_alive=10m&hibernate_after=1ms").await;
    let id = id_of(&client).await;
    let page = client.page_at(&site.url("/page")).await;
    client.evaluate(&page.session, "localStorage.kept = 'yes'; document.cookie = 'kept=yes; max-age=600'; 0").await;
    let context = text(&client.ok(None, "Target.createBrowserContext", json!({})).await, "browserContextId");
    client.page_in(Some(&context), &site.url("/page?other")).await;
    drop(client);
    eventually("it hibernates", async || session(&observer, &id).await["state"] == "hibernated").await;
    assert_eq!(session(&observer, &id).await["isolation"], "dedicated");
    eventually("its browser has ended", async || browsers(&proxy, "dedicated").await.is_empty()).await;
    let client = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    assert_eq!(session(&client, &id).await["isolation"], "dedicated");
    assert_eq!(browsers(&proxy, "dedicated").await.len(), 1);
    let page = client.page_at(&site.url("/page")).await;
    let kept = client.evaluate(&page.session, "localStorage.kept + document.cookie").await;
    assert_eq!(kept, "yeskept=yes");
    let contexts = client.ok(None, "Target.getBrowserContexts", json!({})).await["browserContextIds"].take();
    assert_eq!(contexts.as_array().map(Vec::len), Some(1), "{contexts}");
}
in_each_browser!(hibernated_session_comes_back_in_another_dedicated_browser);

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_placed_in_the_browser_of_another() {
    let proxy = Proxy::start(Browser::any(), &["--sessions-per-browser", "1", "--reconcile-interval", "500ms"]).await;
    let site = Site::start().await;
    let own = proxy.connect_to(OWN).await;
    let id = id_of(&own).await;
    own.page_at(&site.url("/page")).await;
    // More sessions than the shared browser is to have, and as many of their own.
    let (shared, others) =
        (join_all((0..6).map(|_| proxy.connect())).await, join_all((0..2).map(|_| proxy.connect_to(OWN))).await);
    for client in shared.iter().chain(&others) {
        client.page().await;
        assert!(pages(client).await.len() <= 2);
    }
    let mut seen = Vec::new();
    for browser in browsers(&proxy, "dedicated").await {
        let sessions = browser["sessions"].as_u64();
        assert!(sessions <= Some(1), "{browser}");
        assert_eq!(sessions == Some(1), browser["session"].is_string(), "{browser}");
        assert!(browser["warm"] == 0 && browser["sessionsServed"].as_u64() <= Some(1), "{browser}");
        seen.extend(browser["session"].as_str().map(str::to_owned));
    }
    assert!(seen.contains(&id) && seen.len() == 3, "{seen:?}");
    let status = ok(&proxy, "GET", "/v1/status", Value::Null).await;
    assert_eq!((&status["browsers"]["dedicated"], &status["browsers"]["ready"]), (&json!(3), &json!(1)), "{status}");
    let number = browsers(&proxy, "dedicated").await[0]["id"].clone();
    let (status, refused) = send(&proxy, "POST", &format!("/v1/browsers/{number}/recycle"), Value::Null).await;
    assert_eq!(status, 409, "{refused}");
    // The books agree with Chrome: its own default context belongs to the session.
    proxy.compared(4).await;
    assert_eq!(proxy.differences().await, [""; 0], "{}", proxy.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_has_the_memory_and_processor_time_of_the_own_browser() {
    let proxy = Proxy::start(Browser::any(), NO_SPARES).await;
    let (own, shared) = (proxy.connect_to(OWN).await, proxy.connect().await);
    let of = async |client: &Client| client.ok(None, "ghost.getUsage", json!({})).await["usage"].clone();
    let (own, shared) = (of(&own).await, of(&shared).await);
    assert!(own["browserMemory"].as_u64() > Some(10 << 20), "{own}");
    assert!(own["browserCpuTime"].as_u64() > Some(0) && own["browserProcesses"].as_u64() > Some(1), "{own}");
    assert!(shared["browserMemory"].is_null() && shared["browserProcesses"].is_null(), "{shared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spare_browser_serves_the_next_session_and_is_stopped_when_idle() {
    const SETTINGS: &str = "dedicated_spares = 1\ncpu_limit = 0\nbrowser_idle = ";
    let configured = Configured::start(&format!("{SETTINGS}'5m'")).await;
    let proxy = &configured.proxy;
    let spare = async || ok(proxy, "GET", "/v1/status", Value::Null).await["browsers"]["spare"].clone();
    assert_eq!(spare().await, 0, "nobody has asked for one");
    let first = proxy.connect_to(OWN).await;
    eventually("a spare one", async || proxy.figure("browsers_spare").await == 1).await;
    let ready: Vec<Value> = browsers(proxy, "dedicated").await;
    let waiting = ready.iter().find(|browser| browser["session"].is_null()).expect("a spare browser");
    assert_eq!(waiting["sessions"], 0, "{waiting}");
    let second = proxy.connect_to(OWN).await;
    let taken = session(&second, &id_of(&second).await).await["browser"].clone();
    assert_eq!(taken, waiting["id"], "the spare one, not one that was started for it");
    second.page().await;
    configured.write(&format!("{SETTINGS}'1s'"));
    configured.reload().await;
    eventually("no spare one", async || spare().await == 0).await;
    assert_eq!(browsers(proxy, "dedicated").await.len(), 2, "those of sessions stay");
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_wait_for_a_dedicated_browser_and_get_the_next_that_is_free() {
    let proxy = Proxy::start(Browser::any(), &["--max-dedicated", "1", "--dedicated-spares", "0"]).await;
    let first = proxy.connect_to(OWN).await;
    let next = async {
        let next = proxy.connect_to(OWN).await;
        pages(&next).await.len()
    };
    let leaves = async {
        eventually("the next one waits", async || {
            proxy.http("GET", "/v1/sessions?state=queued", &[], "").await.body.contains(r#""state":"queued""#)
        })
        .await;
        // Those who share a browser do not wait for it.
        proxy.connect().await.page().await;
        drop(first);
    };
    let (pages, ()) = tokio::join!(next, leaves);
    assert_eq!(pages, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_values_and_servers_without_dedicated_browsers_say_so() {
    let proxy = Proxy::start(Browser::any(), &["--max-dedicated", "0"]).await;
    let refused = proxy.refusal("/?isolation=strong").await;
    assert!(refused.contains("400") && refused.contains("neither shared nor dedicated"), "{refused}");
    let (status, refused) = send(&proxy, "POST", "/v1/sessions", json!({ "isolation": "strong" })).await;
    assert_eq!(status, 400, "{refused}");
    assert!(refused.to_string().contains("dedicated"), "{refused}");
    let refused = proxy.refusal(OWN).await;
    assert!(refused.contains("400") && refused.contains("max_dedicated is 0"), "{refused}");
    let client = proxy.connect_to("/?isolation=shared").await;
    let own = json!({ "isolation": "dedicated" });
    let (_, refused) = client.call("ghost.createSession", own).await.expect_err("none is offered");
    assert!(refused.contains("max_dedicated is 0"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tenants_with_the_capability_get_a_browser_of_their_own() {
    let rich = Tenant::with("rich", r#"capabilities = ["dedicated"]"#);
    let poor = Tenant::with("poor", r#"capabilities = ["tracing", "clipboard"]"#);
    let server = Server::start(&[&rich, &poor], NO_SPARES).await;
    let own = json!({ "isolation": "dedicated" });
    is_problem(&server.ask(&poor, "POST", "/v1/sessions", own.clone()).await, 403, "no-capability", "dedicated");
    let refused = server.proxy.refusal(&format!("{OWN}&token={}", poor.text())).await;
    assert!(refused.contains("403") && refused.contains("it needs the capability dedicated"), "{refused}");
    let theirs = server.proxy.connect_to(&format!("/?token={}", poor.text())).await;
    let (_, refused) = theirs.call("ghost.createSession", own.clone()).await.expect_err("it lacks the capability");
    assert!(refused.contains("it needs the capability dedicated"), "{refused}");

    let session = server.ok(&rich, "POST", "/v1/sessions", own).await;
    assert_eq!(session["isolation"], "dedicated");
    let client = server.proxy.connect_to(&format!("{OWN}&token={}", rich.text())).await;
    let rights = client.ok(None, "ghost.getSession", json!({})).await["session"]["capabilities"].clone();
    assert_eq!(
        rights,
        json!(["tracing", "dedicated", "clipboard"]),
        "alone, a trace and the clipboard show nobody else"
    );
    client.ok(None, "Tracing.start", json!({})).await;
    // In a shared browser the same tenant may less.
    let shared = server.proxy.connect_to(&format!("/?token={}", rich.text())).await;
    assert!(shared.call("Tracing.start", json!({})).await.is_err());
}

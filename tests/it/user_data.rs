//! User data directories that stay: `?user_data=NAME`, a dedicated browser on a directory below `--profiles-dir`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, text},
    definition::{is_a, is_of},
    proxy::{Proxy, eventually},
    reconnect::{id_of, session},
    rest::{JSON, body_of, is_problem, ok},
    sessions::problem,
    site::Site,
    snapshots::apis::{mark, marks},
};

/// A time in which the size is checked, on a loaded machine too.
const CHECKS: Duration = Duration::from_secs(40);

/// A server that keeps user data in this directory.
pub(crate) async fn serve(browser: &Browser, directory: &Path, flags: &[&str]) -> Proxy {
    let directory = directory.display().to_string();
    let own = ["--profiles-dir", &*directory, "--dedicated-spares", "0"];
    Proxy::start(browser.clone(), &[&own, flags].concat()).await
}

async fn found(client: &Client, site: &Site) -> Value {
    let page = client.page_at(&site.url("/?kept")).await;
    marks(client, &page.session).await
}

fn kept(mark: &str) -> Value {
    json!([format!("mark={mark}"), mark, null, format!("{mark}7")])
}

/// The process of the browser that this session has for itself.
pub(crate) async fn pid_of(proxy: &Proxy, id: &str) -> Pid {
    let all = ok(proxy, "GET", "/v1/browsers", Value::Null).await;
    let own = all["browsers"].as_array().expect("a list").iter().find(|browser| browser["session"] == id);
    let pid = own.and_then(|browser| browser["pid"].as_i64()).expect("it has a browser");
    Pid::from_raw(i32::try_from(pid).expect("a pid"))
}

async fn user_data_stay_over_kill_9_of_browser_and_server(browser: Browser) {
    let (site, directory) = (Site::start().await, tempfile::tempdir().expect("a directory"));
    let base = directory.path().join("profiles");
    let mut proxy = serve(&browser, &base, &[]).await;
    let client = proxy.connect_to("/?user_data=shop").await;
    let shown = session(&client, &id_of(&client).await).await;
    is_a("Session", &shown);
    assert_eq!((&shown["userData"], &shown["isolation"]), (&json!("shop"), &json!("dedicated")), "{shown}");
    let page = client.page_at(&site.url("/?kept")).await;
    mark(&client, &page, "kept").await;
    let _ = client.call("Browser.close", json!({})).await;
    drop(client);

    // At once: the next session waits until Chrome has written everything and has ended.
    let client = proxy.connect_to("/?user_data=shop&keep_alive=10m").await;
    assert_eq!(found(&client, &site).await, kept("kept"), "after the session");
    let data = base.join("local@shop/data");
    assert!(data.join("SingletonLock").symlink_metadata().is_ok() || data.join("Default").exists(), "it is in use");
    assert_eq!(fs::metadata(&base).expect("there").permissions().mode() & 0o777, 0o700);
    let id = id_of(&client).await;
    kill(pid_of(&proxy, &id).await, Signal::SIGKILL).expect("it runs");
    assert!(client.end().await.contains("1011"));
    let client = proxy.connect_to("/?user_data=shop").await;
    assert_eq!(found(&client, &site).await, kept("kept"), "after kill -9 of its browser");
    let id = id_of(&client).await;
    let left = pid_of(&proxy, &id).await;
    proxy.kill();
    client.end().await;
    // The new server waits for the Chrome of the old one, which has the lock.
    let proxy = serve(&browser, &base, &[]).await;
    let client = proxy.connect_to("/?user_data=shop").await;
    let state = fs::read_to_string(format!("/proc/{left}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "two Chromes on one directory: {state}");
    assert_eq!(found(&client, &site).await, kept("kept"), "after kill -9 of the server");
    proxy.terminate();
    client.end().await;
    drop(proxy);
    let proxy = serve(&browser, &base, &[]).await;
    let client = proxy.connect_to("/?user_data=shop").await;
    assert_eq!(found(&client, &site).await, kept("kept"), "after a drain");
    // Another directory is another user.
    let other = proxy.connect_to("/?user_data=bank").await;
    assert_eq!(found(&other, &site).await, json!(["", null, null, null]));
}
in_each_browser!(user_data_stay_over_kill_9_of_browser_and_server);

#[tokio::test(flavor = "multi_thread")]
async fn user_data_are_used_by_one_session_and_managed_as_profiles() {
    let (site, directory) = (Site::start().await, tempfile::tempdir().expect("a directory"));
    let browser = Browser::any();
    let proxy = serve(&browser, directory.path(), &[]).await;
    let client = proxy.connect_to("/?user_data=shop&keep_alive=10m").await;
    let holder = id_of(&client).await;
    for path in ["/?user_data=shop", "/s/named?user_data=shop"] {
        let (status, refused) = problem(&proxy.refusal(path).await);
        assert_eq!((status, &refused["type"]), (409, &json!("urn:ghostmux:profile-in-use")), "{refused}");
        assert_eq!(refused["holder"], json!(holder), "{refused}");
    }
    for query in ["user_data=a&isolation=shared", "user_data=a&profile=b", "user_data=..", "user_data=a%2F..%2Fb"] {
        let (status, refused) = problem(&proxy.refusal(&format!("/?{query}")).await);
        assert_eq!((status, &refused["type"]), (400, &json!("urn:ghostmux:bad-value")), "{query}: {refused}");
    }
    let page = client.page_at(&site.url("/?kept")).await;
    mark(&client, &page, "kept").await;
    let saver = proxy.connect_to("/?profile=stored&persist=true").await;
    saver.ok(None, "ghost.closeSession", json!({})).await;
    eventually("the profile is saved", async || proxy.figure("profiles_saved_total").await == 1).await;

    let all = ok(&proxy, "GET", "/v1/profiles", Value::Null).await;
    is_of("ghost.listProfiles", &all);
    let shown = all["profiles"].as_array().expect("a list");
    let kinds: Vec<_> = shown.iter().map(|one| (text(one, "name"), text(one, "kind"))).collect();
    let pair = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    assert_eq!(kinds, [pair("stored", "snapshot"), pair("shop", "userData")]);
    assert_eq!(shown[1]["holder"], json!(holder), "{all}");
    assert!(shown[1]["size"].as_u64() > Some(10_000) && shown[1]["savedAt"].as_u64() > Some(1 << 40), "{all}");
    let mut paged = Vec::new();
    let mut next = String::new();
    for _ in 0..3 {
        let page = ok(&proxy, "GET", &format!("/v1/profiles?limit=1{next}"), Value::Null).await;
        paged.extend(page["profiles"].as_array().expect("a list").iter().map(|one| text(one, "name")));
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    assert_eq!(paged, ["stored", "shop"]);
    // A name is that of a profile in the store, unless the kind is given.
    is_problem(&proxy.http("GET", "/v1/profiles/shop", &[], "").await, 404, "no-profile", "shop");
    let one = ok(&proxy, "GET", "/v1/profiles/shop?kind=userData", Value::Null).await;
    assert_eq!(one["name"], "shop", "{one}");
    let path = "/v1/profiles/shop/snapshots";
    let exported = proxy.http("POST", path, &[JSON], r#"{"kind":"userData"}"#).await;
    assert_eq!(exported.status, 201, "{}", exported.body);
    let reader = proxy.connect_to(&format!("/?snapshot={}", text(&body_of(&exported), "id"))).await;
    assert_eq!(found(&reader, &site).await, kept("kept"));
    let path = "/v1/profiles/shop?kind=userData";
    is_problem(&proxy.http("DELETE", path, &[], "").await, 409, "profile-in-use", &holder);
    client.ok(None, "ghost.closeSession", json!({})).await;
    let idle = proxy.http("POST", "/v1/profiles/shop/snapshots", &[JSON], r#"{"kind":"userData"}"#).await;
    is_problem(&idle, 409, "profile-not-in-use", "user_data=shop");
    assert_eq!(proxy.http("DELETE", path, &[], "").await.status, 204);
    is_problem(&proxy.http("DELETE", path, &[], "").await, 404, "no-profile", "exist");
    assert!(fs::read_dir(directory.path()).expect("there").next().is_none(), "nothing is left");
    // A server without a directory for that says so.
    let proxy = Proxy::start(browser, &[]).await;
    let (status, refused) = problem(&proxy.refusal("/?user_data=shop").await);
    assert_eq!((status, &refused["type"]), (400, &json!("urn:ghostmux:not-offered")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn user_data_beyond_the_quota_end_their_session_after_a_warning() {
    let (site, directory) = (Site::start().await, tempfile::tempdir().expect("a directory"));
    let proxy = serve(&Browser::any(), directory.path(), &["--user-data-quota", "64MiB"]).await;
    let client = proxy.connect_to("/?user_data=big&keep_alive=10m").await;
    client.ok(None, "ghost.enable", json!({})).await;
    let page = client.page_at(&site.url("/?kept")).await;
    let much = "(async () => { const cache = await caches.open('much');
        const bytes = new Uint8Array(1 << 20);
        for (let at = 0; at < 80; at++) {
            for (let from = 0; from < bytes.length; from += 65536) crypto.getRandomValues(bytes.subarray(from, from + 65536));
            await cache.put('/much' + at, new Response(bytes.slice()));
        }
        return true; })()";
    assert_eq!(client.evaluate(&page.session, much).await, true);
    let is_told = |frame: &Value| frame["method"] == "ghost.userDataTooLarge";
    let told = client.wait("ghost.userDataTooLarge", CHECKS, is_told).await["params"].clone();
    is_of("ghost.userDataTooLarge", &told);
    assert_eq!((&told["userData"], &told["limit"]), (&json!("big"), &json!(64 << 20)), "{told}");
    // After the next check.
    let closed = client.wait_or_close(CHECKS, |_| false).await.expect_err("it was closed");
    assert!(closed.contains("4010") && closed.contains("user_data_quota"), "{closed}");
    let (status, refused) = problem(&proxy.refusal("/?user_data=other").await);
    assert_eq!((status, &refused["type"]), (507, &json!("urn:ghostmux:user-data-quota")), "{refused}");
    assert_eq!(proxy.http("DELETE", "/v1/profiles/big?kind=userData", &[], "").await.status, 204);
    proxy.connect_to("/?user_data=other").await.ok(None, "Browser.getVersion", json!({})).await;
}

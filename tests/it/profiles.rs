//! Profiles on shared browsers: `?profile=NAME`, `&persist=true`, and the same over HTTP and the `ghost` domain.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, text},
    definition::{is_a, is_of},
    proxy::{Proxy, eventually},
    reconnect::id_of,
    rest::{JSON, body_of, connect, create, is_problem, ok},
    sessions::problem,
    site::Site,
    snapshots::apis::{mark, marks},
    store::{owner, test_store::TestStore},
};

/// The marks that a client finds on the site: those of a new page, so without sessionStorage.
async fn found(client: &Client, site: &Site) -> Value {
    let page = client.page_at(&site.url("/?profile")).await;
    marks(client, &page.session).await
}

/// What [`found`] returns when a profile was saved with this mark; without one nothing.
fn saved(mark: Option<&str>) -> Value {
    match mark {
        None => json!(["", null, null, null]),
        Some(mark) => json!([format!("mark={mark}"), mark, null, format!("{mark}7")]),
    }
}

async fn is_saved_times(proxy: &Proxy, times: u64) {
    eventually("the profile is saved", async || proxy.figure("profiles_saved_total").await >= times).await;
}

async fn a_session_saves_its_profile_however_it_ends(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &[]).await, Site::start().await);
    let ends = ["leaves", "Browser.close", "ghost.closeSession", "DELETE", "timeout"];
    let mut before: Option<String> = None;
    for end in ends {
        let client = proxy.connect_to("/?profile=shop&persist=true").await;
        let session = client.ok(None, "ghost.getSession", json!({})).await["session"].clone();
        is_a("Session", &session);
        assert_eq!((&session["profile"], &session["persist"]), (&json!("shop"), &json!(true)), "{session}");
        assert_eq!(found(&client, &site).await, saved(before.as_deref()), "before {end}");
        let page = client.page_at(&site.url("/?profile")).await;
        let name = end.replace('.', "_");
        mark(&client, &page, &name).await;
        match end {
            "leaves" => {}
            "DELETE" => {
                let path = format!("/v1/sessions/{}", text(&session, "id"));
                assert_eq!(proxy.http("DELETE", &path, &[], "").await.status, 204);
            }
            "timeout" => {
                client.ok(None, "ghost.updateSession", json!({ "timeout": 1 })).await;
                client.end().await;
            }
            command => _ = client.call(command, json!({})).await,
        }
        drop(client);
        if end == "leaves" {
            is_saved_times(&proxy, 1).await;
        }
        // At once, with no wait for the save: a client that only reads sees the newest state, too.
        let reader = proxy.connect_to("/?profile=shop").await;
        assert_eq!(found(&reader, &site).await, saved(Some(&name)), "after {end}");
        before = Some(name);
    }
    assert_eq!(proxy.figure("profiles_not_saved_total").await, 0);
}
in_each_browser!(a_session_saves_its_profile_however_it_ends);

#[tokio::test(flavor = "multi_thread")]
async fn profiles_survive_a_drain_and_kill_9_of_browser_and_server() {
    let (site, test_store) = (Site::start().await, TestStore::embedded());
    let argument = test_store.argument();
    let flags = ["--store", &*argument, "--drain", "100ms"];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    let client = proxy.connect_to("/?profile=shop&persist=true").await;
    let page = client.page_at(&site.url("/?profile")).await;
    mark(&client, &page, "drained").await;
    // The client stays: the server ends while the session runs.
    proxy.terminate();
    client.end().await;
    // Not told to end again before: that would end it at once.
    let stat = format!("/proc/{}/stat", proxy.pid());
    eventually("the server ends", async || {
        std::fs::read_to_string(&stat).expect("it is not waited for yet").contains(") Z ")
    })
    .await;
    drop(proxy);

    let mut proxy = Proxy::start(Browser::any(), &flags).await;
    let client = proxy.connect_to("/?profile=shop&persist=true&autosave=1s").await;
    assert_eq!(found(&client, &site).await, saved(Some("drained")));
    let page = client.page_at(&site.url("/?profile")).await;
    mark(&client, &page, "autosaved").await;
    let saves = proxy.figure("profiles_saved_total").await;
    // A save may have begun before.
    is_saved_times(&proxy, saves + 2).await;
    proxy.lose_browser();
    let closed = client.end().await;
    assert!(closed.contains("1011") && !closed.contains("connect again"), "{closed}");
    let client = proxy.connect_to("/?profile=shop&persist=true").await;
    assert_eq!(found(&client, &site).await, saved(Some("autosaved")));
    let page = client.page_at(&site.url("/?profile")).await;
    mark(&client, &page, "lost").await;
    proxy.kill();
    client.end().await;

    let proxy = Proxy::start(Browser::any(), &flags).await;
    let client = proxy.connect_to("/?profile=shop&persist=true").await;
    assert_eq!(found(&client, &site).await, saved(Some("autosaved")), "the last complete state");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_at_a_time_saves_a_profile_and_any_number_begins_with_it() {
    let (proxy, site) = (Proxy::start(Browser::any(), &[]).await, Site::start().await);
    let (status, refused) = problem(&proxy.refusal("/?profile=shop").await);
    assert_eq!((status, &refused["type"]), (404, &json!("urn:ghostmux:no-profile")), "{refused}");
    assert!(text(&refused, "detail").contains("persist=true"), "{refused}");
    let made = create(&proxy, json!({ "profile": "shop", "persist": true })).await;
    assert_eq!((&made["profile"], &made["persist"]), (&json!("shop"), &json!(true)), "{made}");
    let client = connect(&proxy, &made).await;
    let page = client.page_at(&site.url("/?profile")).await;
    mark(&client, &page, "first").await;
    assert_eq!(client.ok(None, "ghost.closeSession", json!({})).await, json!({}));

    let writer = proxy.connect_to("/?profile=shop&persist=true&keep_alive=10m").await;
    let holder = id_of(&writer).await;
    let (status, refused) = problem(&proxy.refusal("/?profile=shop&persist=true").await);
    assert_eq!((status, &refused["type"]), (409, &json!("urn:ghostmux:profile-in-use")), "{refused}");
    assert_eq!(refused["holder"], json!(holder), "{refused}");
    let asked = json!({ "profile": "shop", "persist": true });
    let refused = proxy.http("POST", "/v1/sessions", &[JSON], &asked.to_string()).await;
    is_problem(&refused, 409, "profile-in-use", &holder);
    let refused = writer.call("ghost.createSession", asked).await.expect_err("it is in use");
    assert!(refused.1.contains(&holder), "{refused:?}");
    // A parked session goes on to hold it; those that do not save are not in its way.
    drop(writer);
    eventually("it is parked", async || {
        ok(&proxy, "GET", &format!("/v1/sessions/{holder}"), Value::Null).await["state"] == "parked"
    })
    .await;
    let readers = futures_util::future::join_all((0..3).map(|_| proxy.connect_to("/?profile=shop"))).await;
    for reader in &readers {
        assert_eq!(found(reader, &site).await, saved(Some("first")));
        let page = reader.page_at(&site.url("/?profile")).await;
        mark(reader, &page, "unsaved").await;
    }
    assert!(problem(&proxy.refusal("/?profile=shop&persist=true").await).0 == 409);
    drop(readers);
    assert_eq!(proxy.http("DELETE", &format!("/v1/sessions/{holder}"), &[], "").await.status, 204);
    let writer = proxy.connect_to("/?profile=shop&persist=true").await;
    assert_eq!(found(&writer, &site).await, saved(Some("first")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_session_has_one_profile() {
    let proxy = Proxy::start(Browser::any(), &["--warm", "0"]).await;
    let client = proxy.connect_to("/s/shop?profile=shop&persist=true").await;
    let other = proxy.connect_to("/s/shop?profile=shop&persist=true").await;
    assert_eq!(id_of(&other).await, id_of(&client).await);
    for (query, option) in [("profile=bank&persist=true", "profile"), ("profile=shop", "persist")] {
        let (status, refused) = problem(&proxy.refusal(&format!("/s/shop?{query}")).await);
        assert_eq!((status, &refused["type"]), (409, &json!("urn:ghostmux:option-conflict")), "{refused}");
        assert!(text(&refused, "detail").contains(option), "{refused}");
    }
    for query in ["persist=true", "profile=a%2Fb", "profile=..", "profile=a&snapshot=b", "profile=a&persist=maybe"] {
        let (status, refused) = problem(&proxy.refusal(&format!("/?{query}")).await);
        assert_eq!((status, &refused["type"]), (400, &json!("urn:ghostmux:bad-value")), "{query}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_profile_is_refused_by_name_and_stays() {
    let (site, test_store) = (Site::start().await, TestStore::embedded());
    let argument = test_store.argument();
    let flags = ["--store", &*argument];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    let client = proxy.connect_to("/?profile=shop&persist=true").await;
    let page = client.page_at(&site.url("/?profile")).await;
    mark(&client, &page, "kept").await;
    let _ = client.call("Browser.close", json!({})).await;
    is_saved_times(&proxy, 1).await;
    drop(proxy);
    let store = test_store.open();
    let meta = store.profile(&owner("local"), "shop").await.expect("an answer").expect("a profile");
    drop(store);
    test_store.change_chunk(&meta, 0, |mut chunk| {
        let at = chunk.len() / 2;
        chunk[at] ^= 1;
        Some(chunk)
    });
    let proxy = Proxy::start(Browser::any(), &flags).await;
    for query in ["profile=shop", "profile=shop&persist=true"] {
        let (status, refused) = problem(&proxy.refusal(&format!("/?{query}")).await);
        assert_eq!((status, &refused["type"]), (422, &json!("urn:ghostmux:snapshot-damaged")), "{refused}");
        assert!(text(&refused, "detail").contains(r#"the profile "shop" cannot be used"#), "{refused}");
    }
    // A refused session holds nothing: the profile can be deleted, and begun again.
    assert_eq!(proxy.http("DELETE", "/v1/profiles/shop", &[], "").await.status, 204);
    let client = proxy.connect_to("/?profile=shop&persist=true").await;
    assert_eq!(found(&client, &site).await, saved(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_listed_exported_and_deleted() {
    let (proxy, site) = (Proxy::start(Browser::any(), &[]).await, Site::start().await);
    let ghost = proxy.connect().await;
    for name in ["c", "a", "b"] {
        let client = proxy.connect_to(&format!("/?profile={name}&persist=true")).await;
        let page = client.page_at(&site.url("/?profile")).await;
        mark(&client, &page, name).await;
        client.ok(None, "ghost.closeSession", json!({})).await;
        is_saved(&proxy, name).await;
    }
    let writer = proxy.connect_to("/?profile=b&persist=true").await;
    let all = ok(&proxy, "GET", "/v1/profiles", Value::Null).await;
    is_of("ghost.listProfiles", &all);
    let shown: Vec<_> = all["profiles"].as_array().expect("a list").iter().collect();
    assert_eq!(shown.iter().map(|profile| text(profile, "name")).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(shown.iter().all(|profile| profile["kind"] == "snapshot" && profile["size"].as_u64() > Some(100)), "{all}");
    assert_eq!((&shown[0]["holder"], &shown[1]["holder"]), (&Value::Null, &json!(id_of(&writer).await)), "{all}");
    assert_eq!(ghost.ok(None, "ghost.listProfiles", json!({})).await, all);
    let first = ok(&proxy, "GET", "/v1/profiles?limit=2", Value::Null).await;
    let rest = ok(&proxy, "GET", &format!("/v1/profiles?cursor={}", text(&first, "next")), Value::Null).await;
    assert_eq!((&first["profiles"][1], &rest["profiles"]), (shown[1], &json!([shown[2]])), "{first} {rest}");
    assert_eq!(ok(&proxy, "GET", "/v1/profiles/b", Value::Null).await, *shown[1]);
    let one = ghost.ok(None, "ghost.getProfile", json!({ "profile": "a" })).await;
    is_of("ghost.getProfile", &one);
    assert_eq!(one["profile"], *shown[0]);
    // It is no snapshot of the owner, until it is copied to one; later saves do not change that.
    assert_eq!(ok(&proxy, "GET", "/v1/snapshots", Value::Null).await["snapshots"], json!([]));
    let exported = proxy.http("POST", "/v1/profiles/b/snapshots", &[JSON], "{}").await;
    assert_eq!(exported.status, 201, "{}", exported.body);
    let snapshot = body_of(&exported);
    is_a("Snapshot", &snapshot);
    let path = format!("/v1/snapshots/{}", text(&snapshot, "id"));
    assert_eq!((exported.header("location"), &snapshot["name"]), (Some(&*path), &json!("b")));
    assert_eq!(ok(&proxy, "GET", "/v1/snapshots", Value::Null).await["snapshots"], json!([snapshot]));
    let page = writer.page_at(&site.url("/?profile")).await;
    mark(&writer, &page, "later").await;

    let refused = proxy.http("DELETE", "/v1/profiles/b", &[], "").await;
    is_problem(&refused, 409, "profile-in-use", &id_of(&writer).await);
    writer.ok(None, "ghost.closeSession", json!({})).await;
    assert_eq!(proxy.http("DELETE", "/v1/profiles/b", &[], "").await.status, 204);
    assert_eq!(ghost.ok(None, "ghost.deleteProfile", json!({ "profile": "a" })).await, json!({}));
    for (method, path) in
        [("GET", "/v1/profiles/b"), ("DELETE", "/v1/profiles/b"), ("POST", "/v1/profiles/a/snapshots")]
    {
        is_problem(&proxy.http(method, path, &[JSON], "").await, 404, "no-profile", "there is no profile");
    }
    assert_eq!(problem(&proxy.refusal("/?profile=b").await).0, 404);
    let left = ok(&proxy, "GET", "/v1/profiles", Value::Null).await;
    assert_eq!(left["profiles"], json!([shown[2]]));
    let client = proxy.connect_to(&format!("/?snapshot={}", text(&snapshot, "id"))).await;
    assert_eq!(found(&client, &site).await, saved(Some("b")));
}

/// Waits until a session has saved its profile and released it.
async fn is_saved(proxy: &Proxy, name: &str) {
    let path = format!("/v1/profiles/{name}");
    eventually("the profile is saved", async || {
        let answer = proxy.http("GET", &path, &[], "").await;
        answer.status == 200 && body_of(&answer)["holder"] == Value::Null
    })
    .await;
}

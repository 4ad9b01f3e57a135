//! Sessions by a name that clients choose: `?session=NAME`, `/s/NAME`, and `session` of `createSession`.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, text},
    definition::is_a,
    proxy::{Proxy, eventually},
    reconnect::{id_of, session},
    rest::{JSON, body_of, create, is_problem, ok},
    sessions::problem,
    site::Site,
};

/// The URLs of all pages that `/json/list` below this path shows.
async fn listed(proxy: &Proxy, path: &str) -> Vec<String> {
    let answer = proxy.http("GET", path, &[], "").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let list: Vec<Value> = serde_json::from_str(&answer.body).expect("a list");
    list.iter().filter(|target| target["type"] == "page").map(|target| text(target, "url")).collect()
}

/// A value in a page of this client, which another client of the same session can find.
async fn mark(client: &Client, url: &str) {
    let page = client.page_at(url).await;
    client.evaluate(&page.session, "globalThis.mark = 7").await;
}

async fn has_page(client: &Client, url: &str) -> bool {
    let targets = client.ok(None, "Target.getTargets", json!({})).await;
    targets["targetInfos"].as_array().is_some_and(|infos| infos.iter().any(|info| info["url"] == url))
}

async fn clients_that_know_a_name_share_its_session(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &[]).await, Site::start().await);
    let observer = proxy.connect().await;
    let one = proxy.connect_to("/s/shop").await;
    let id = id_of(&one).await;
    mark(&one, &site.url("/page?shop")).await;
    for path in
        ["/?session=shop", "/s/shop/", "/s/shop/devtools/browser", "/chromium?session=shop", "/s/shop?session=shop"]
    {
        let other = proxy.connect_to(path).await;
        assert_eq!(id_of(&other).await, id, "{path}");
        assert!(has_page(&other, &site.url("/page?shop")).await, "{path}");
    }
    let seen = session(&observer, &id).await;
    assert_eq!(seen["name"], "shop", "{seen}");
    assert_eq!(ok(&proxy, "GET", "/v1/sessions?name=shop", Value::Null).await["sessions"][0]["id"], json!(id));
    // Another name is another session, and a name is no id.
    let other = proxy.connect_to("/s/Shop").await;
    assert_ne!(id_of(&other).await, id);
    assert!(proxy.refusal("/devtools/browser/shop").await.starts_with("404 "));
    // Deadlines of a client that joins hold for the session; the name is free when that has ended.
    assert_eq!(id_of(&proxy.connect_to("/s/shop?timeout=1h").await).await, id);
    assert_eq!(session(&observer, &id).await["timeout"], 3_600_000);
    drop(one);
    eventually("the name is free", async || {
        !has_page(&proxy.connect_to("/s/shop").await, &site.url("/page?shop")).await
    })
    .await;
}
in_each_browser!(clients_that_know_a_name_share_its_session);

#[tokio::test(flavor = "multi_thread")]
async fn of_clients_that_come_at_once_the_first_creates_the_session_and_the_others_wait() {
    let proxy = Proxy::start(Browser::any(), &["--warm", "0"]).await;
    let observer = proxy.connect().await;
    let clients = futures_util::future::join_all((0..6).map(|_| proxy.connect_to("/s/both"))).await;
    let id = id_of(&clients[0]).await;
    eventually("all of them are there", async || session(&observer, &id).await["clients"] == 6).await;
    let new = async || ok(&proxy, "PUT", "/s/calls/json/new?about:blank", Value::Null).await;
    futures_util::future::join_all((0..4).map(|_| new())).await;
    assert_eq!(
        listed(&proxy, "/s/calls/json/list").await,
        ["about:blank"; 5],
        "they are in one session, with its first page"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_began_with_is_said_again_or_refused_by_name() {
    let proxy = Proxy::start(Browser::any(), &["--warm", "0", "--hibernate-after", "200ms"]).await;
    let observer = proxy.connect().await;
    let saved = create(&proxy, json!({})).await;
    let path = format!("/v1/sessions/{}/snapshots", text(&saved, "id"));
    let snapshot = text(&ok(&proxy, "POST", &path, json!({})).await["snapshot"], "id");
    let client = proxy.connect_to(&format!("/s/begun?snapshot={snapshot}&keep_alive=10m")).await;
    let id = id_of(&client).await;
    let conflicts = async || {
        for (query, option) in
            [("snapshot=other".to_owned(), "snapshot"), (format!("snapshot={snapshot}&pages=false"), "pages")]
        {
            let (status, refused) = problem(&proxy.refusal(&format!("/s/begun?{query}")).await);
            assert_eq!((status, &refused["type"]), (409, &json!("urn:ghostmux:option-conflict")), "{refused}");
            assert!(text(&refused, "detail").contains(option), "{refused}");
        }
        for (asked, option) in [
            (json!({ "session": "begun", "snapshot": "other" }), "snapshot"),
            (json!({ "session": "begun", "snapshot": snapshot, "pages": false }), "pages"),
        ] {
            let refused = proxy.http("POST", "/v1/sessions", &[JSON], &asked.to_string()).await;
            is_problem(&refused, 409, "option-conflict", option);
        }
    };
    conflicts().await;
    let other = proxy.connect_to(&format!("/s/begun?snapshot={snapshot}")).await;
    assert_eq!(id_of(&other).await, id);
    drop((client, other));
    // It is known through hibernation, too.
    eventually("it hibernates", async || session(&observer, &id).await["state"] == "hibernated").await;
    conflicts().await;
    assert_eq!(id_of(&proxy.connect_to(&format!("/s/begun?snapshot={snapshot}")).await).await, id);
    // A session without a name is as ever.
    let client = proxy.connect().await;
    let (status, refused) =
        problem(&proxy.refusal(&format!("/devtools/browser/{}?snapshot={snapshot}", id_of(&client).await)).await);
    assert_eq!((status, &refused["field"]), (400, &json!("snapshot")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_creates_a_named_session_or_returns_it() {
    let proxy = Proxy::start(Browser::any(), &["--warm", "0"]).await;
    let post = async |asked: &Value| proxy.http("POST", "/v1/sessions", &[JSON], &asked.to_string()).await;
    let asked = json!({ "session": "job", "metadata": { "kept": "yes" } });
    let answers = futures_util::future::join_all((0..4).map(|_| post(&asked))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 201], "one of them creates it");
    for answer in &answers {
        let created = (answer.status == 201).then_some("/v1/sessions/job~local");
        assert_eq!(answer.header("location"), created, "{}", answer.body);
        let made = body_of(answer);
        is_a("Session", &made);
        assert_eq!((&made["session"], &made["name"], &made["state"]), (&json!("job"), &json!("job"), &json!("parked")));
    }
    let client = proxy.connect_to("/s/job").await;
    let id = id_of(&client).await;
    assert_eq!(id, body_of(&answers[0])["id"]);
    // What it is given holds from then on, and the rest stays.
    let answer = post(&json!({ "session": "job", "keepAlive": 120_000, "name": "nightly" })).await;
    let found = body_of(&answer);
    assert_eq!((answer.status, &found["keepAlive"], &found["name"]), (200, &json!(120_000), &json!("nightly")));
    assert_eq!((&found["state"], &found["metadata"]), (&json!("active"), &json!({ "kept": "yes" })));
    let listed = ok(&proxy, "GET", "/v1/sessions?name=nightly", Value::Null).await["sessions"][0].clone();
    assert_eq!((&listed["id"], &listed["session"]), (&json!(id), &json!("job")), "a list shows it");
    let made = client.ok(None, "ghost.createSession", json!({ "session": "job" })).await;
    assert_eq!((&made["session"]["id"], &made["session"]["name"]), (&json!(id), &json!("nightly")));
    let unnamed = create(&proxy, json!({})).await;
    assert!(unnamed.get("session").is_none(), "{unnamed}");
    for asked in [json!({ "session": "a~b" }), json!({ "session": "" }), json!({ "session": "job", "id": "chosen-id" })]
    {
        is_problem(&post(&asked).await, 400, "bad-value", "session");
    }
    is_problem(&post(&json!({ "session": "job", "keepAlive": 0 })).await, 400, "bad-value", "keepAlive");
    assert_eq!(session(&client, &id).await["keepAlive"], 120_000, "it is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_restored_without_a_client_waits_for_one() {
    let (proxy, site) = (Proxy::start(Browser::any(), &["--warm", "0"]).await, Site::start().await);
    // No keep_alive: it would end without a client.
    let client = proxy.connect_to("/s/frail?autosave=1s").await;
    let (id, url) = (id_of(&client).await, site.url("/page?frail"));
    mark(&client, &url).await;
    let saves = async || proxy.figure("sessions_autosaved_total").await;
    let before = saves().await;
    eventually("it is saved with its page", async || saves().await > before + 1).await;
    proxy.lose_browser();
    client.end().await;
    let path = format!("/v1/sessions/{id}");
    eventually("it hibernates", async || ok(&proxy, "GET", &path, Value::Null).await["state"] == "hibernated").await;
    let restored = ok(&proxy, "POST", "/v1/sessions", json!({ "session": "frail" })).await;
    assert_eq!((&restored["id"], &restored["state"]), (&json!(id), &json!("parked")), "{restored}");
    assert_ne!(restored["keepAlive"], 0);
    assert!(has_page(&proxy.connect_to("/s/frail").await, &url).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_below_a_name_act_in_its_session() {
    let (proxy, site) = (Proxy::start(Browser::any(), &[]).await, Site::start().await);
    // It is there for whoever asks for its URL, and that creates nothing; nor does any other GET, which pages can send.
    for (path, query) in
        [("/s/web/json/version", ""), ("/s/web/json/version/?token=t", "?token=t"), ("/json/version?session=web", "")]
    {
        let version: Value = serde_json::from_str(&proxy.http("GET", path, &[], "").await.body).expect("JSON");
        assert_eq!(text(&version, "webSocketDebuggerUrl"), format!("ws://{}/s/web{query}", proxy.address()));
    }
    for path in ["/s/web/json", "/s/web/json/list", "/json/list?session=web"] {
        assert!(listed(&proxy, path).await.is_empty(), "{path}");
    }
    for path in ["/s/web/json/close/AA", "/s/web/json/activate/AA", "/json/close/AA?session=web"] {
        assert_eq!(proxy.http("GET", path, &[], "").await.status, 404, "{path}");
    }
    assert_eq!(ok(&proxy, "GET", "/v1/sessions?name=web", Value::Null).await["sessions"], json!([]));
    let url = site.url("/page?new");
    let made = ok(&proxy, "PUT", &format!("/s/web/json/new?{url}"), Value::Null).await;
    let client = proxy.connect_to("/s/web").await;
    eventually("the page is there", async || has_page(&client, &url).await).await;
    for path in ["/s/web/json", "/s/web/json/list", "/json/list?session=web"] {
        assert!(listed(&proxy, path).await.contains(&url), "{path}");
    }
    assert!(!listed(&proxy, "/json/list").await.contains(&url), "it is in no other session");
    let close = format!("json/close/{}", text(&made, "id"));
    assert_eq!(proxy.http("GET", &format!("/s/other/{close}"), &[], "").await.status, 404);
    assert_eq!(proxy.http("GET", &format!("/s/web/{close}"), &[], "").await.status, 200);
    eventually("the page is gone", async || !has_page(&client, &url).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_cannot_be_one_is_refused() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let long = "x".repeat(65);
    for path in ["/s/", "/s/a~b", "/s/a%20b", "/?session=", "/?session=a/b", &format!("/s/{long}"), "/s/a?session=b"] {
        let (status, refused) = problem(&proxy.refusal(path).await);
        assert_eq!((status, &refused["field"]), (400, &json!("session")), "{path}: {refused}");
    }
    is_problem(&proxy.http("GET", "/s/a~b/json/list", &[], "").await, 400, "bad-value", "name of a session");
    is_problem(&proxy.http("GET", "/s/a~b/json/version", &[], "").await, 400, "bad-value", "name of a session");
    let client = proxy.connect_to("/s/a").await;
    let (status, refused) =
        problem(&proxy.refusal(&format!("/devtools/browser/{}?session=a", id_of(&client).await)).await);
    assert_eq!((status, &refused["field"]), (400, &json!("session")), "{refused}");
    // Nobody chooses the id of a named session.
    let chosen = proxy.http("POST", "/v1/sessions", &[JSON], &json!({ "id": "another~local" }).to_string()).await;
    assert_eq!(chosen.status, 400, "{}", chosen.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_session_is_resumed_by_its_name_after_a_restart() {
    let (site, directory) = (Site::start().await, tempfile::tempdir().expect("a directory"));
    let store = directory.path().join("store.redb").display().to_string();
    let flags = ["--hibernate-after", "1h", "--store", &store];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    let client = proxy.connect_to("/s/kept?keep_alive=10m").await;
    let (id, url) = (id_of(&client).await, site.url("/page?kept"));
    mark(&client, &url).await;
    drop(client);
    let path = format!("/v1/sessions/{id}");
    eventually("it is parked", async || ok(&proxy, "GET", &path, Value::Null).await["state"] == "parked").await;
    drop(proxy);
    let proxy = Proxy::start(Browser::any(), &flags).await;
    assert_eq!(ok(&proxy, "GET", &path, Value::Null).await["state"], "hibernated");
    // A call without a connection restores it as well.
    assert!(listed(&proxy, "/s/kept/json/list").await.contains(&url));
    let client = proxy.connect_to("/s/kept").await;
    assert_eq!(id_of(&client).await, id);
    assert!(has_page(&client, &url).await);
}

//! Snapshots over CDP and HTTP: what a client can do with them, and what it is refused.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, Page, text},
    definition::{is_a, is_of},
    proxy::{Proxy, eventually},
    rest::{JSON, body_of, connect, create, id_of, is_problem, ok},
    site::Site,
};

/// Writes this value into every store of a page.
pub(crate) async fn mark(client: &Client, page: &Page, what: &str) {
    let script = format!(
        "new Promise((done, failed) => {{
            document.cookie = 'mark={what}; max-age=1000'; localStorage.mark = '{what}'; sessionStorage.mark = '{what}';
            const open = indexedDB.open('marks', 1);
            open.onupgradeneeded = () => open.result.createObjectStore('marks');
            open.onerror = () => failed(open.error);
            open.onsuccess = () => {{
                const write = open.result.transaction('marks', 'readwrite');
                write.objectStore('marks').put({{ when: new Date(7), what: '{what}' }}, 'mark');
                write.oncomplete = () => {{ open.result.close(); done(true); }};
            }};
        }})"
    );
    assert_eq!(client.evaluate(&page.session, &script).await, true);
}

/// The values in the stores of a page: cookie, localStorage, sessionStorage, `IndexedDB`.
pub(crate) async fn marks(client: &Client, session: &str) -> Value {
    let script = "new Promise(done => {
        const all = base => [document.cookie.match(/mark=\\w+/)?.[0] ?? '', localStorage.mark ?? null, sessionStorage.mark ?? null, base];
        const open = indexedDB.open('marks');
        let fresh = false;
        open.onupgradeneeded = () => { fresh = true; };
        open.onsuccess = () => {
            if (fresh) { open.result.close(); indexedDB.deleteDatabase('marks'); return done(all(null)); }
            const read = open.result.transaction('marks').objectStore('marks').get('mark');
            read.onsuccess = () => { open.result.close(); done(all(read.result.what + (+read.result.when))); };
        };
    })";
    client.evaluate(session, script).await
}

/// Attaches to the page at this URL, which exists or is being opened.
pub(super) async fn page_at(client: &Client, url: &str) -> String {
    let mut found = None;
    eventually(&format!("a page at {url}"), async || {
        let all = client.ok(None, "Target.getTargets", json!({})).await;
        let infos = all["targetInfos"].as_array().cloned().unwrap_or_default();
        found =
            infos.iter().find(|info| info["type"] == "page" && info["url"] == url).map(|info| text(info, "targetId"));
        found.is_some()
    })
    .await;
    client.attach(None, &found.expect("it was found")).await
}

/// A command of the `ghost` domain; its result must match the definition.
async fn ghost(client: &Client, method: &str, params: Value) -> Value {
    let answer = client.ok(None, method, params).await;
    is_of(method, &answer);
    answer
}

async fn saved_sessions_can_be_restored_and_cloned(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &[]).await, Site::start().await);
    let url = site.url("/?saved");
    let client = proxy.connect_to("/?keep_alive=60000").await;
    ghost(&client, "ghost.enable", json!({})).await;
    let page = client.page_at(&url).await;
    mark(&client, &page, "first").await;

    let asked = json!({ "name": "logged in", "metadata": { "job": "7" }, "ttl": 3_600_000 });
    let saved = ghost(&client, "ghost.saveSnapshot", asked).await;
    let told = client.event("ghost.snapshotSaved").await["params"].clone();
    is_of("ghost.snapshotSaved", &told);
    assert_eq!(told, saved);
    let snapshot = &saved["snapshot"];
    assert_eq!((&snapshot["name"], &snapshot["metadata"]), (&json!("logged in"), &json!({ "job": "7" })), "{saved}");
    // The site sets a cookie of its own.
    let counts = (&snapshot["cookies"], &snapshot["databases"], &snapshot["partial"]);
    assert_eq!(counts, (&json!(2), &json!(1), &json!(false)), "{snapshot}");
    assert_eq!(saved["report"]["omitted"], json!([]), "{saved}");
    let id = id_of(snapshot);

    // Later changes are not in the snapshot.
    mark(&client, &page, "second").await;
    let first = json!(["mark=first", "first", "first", "first7"]);
    let second = json!(["mark=second", "second", "second", "second7"]);
    let begun = create(&proxy, json!({ "snapshot": id, "name": "begun" })).await;
    let from_rest = connect(&proxy, &begun).await;
    assert_eq!(marks(&from_rest, &page_at(&from_rest, &url).await).await, first);
    // And by the snapshot in the URL that a client connects with.
    let from_url = proxy.connect_to(&format!("/?snapshot={id}")).await;
    assert_eq!(marks(&from_url, &page_at(&from_url, &url).await).await, first);
    let without = proxy.connect_to(&format!("/?snapshot={id}&pages=false")).await;
    let page_of_own = without.page_at(&url).await;
    // sessionStorage belongs to a page, and this page was not opened.
    assert_eq!(marks(&without, &page_of_own.session).await, json!(["mark=first", "first", null, "first7"]));

    let cloned = ghost(&client, "ghost.cloneSession", json!({ "count": 3, "name": "copy" })).await;
    let copies = cloned["sessions"].as_array().expect("a list");
    assert_eq!(copies.len(), 3, "{cloned}");
    for (at, clone) in copies.iter().enumerate() {
        assert_eq!((&clone["name"], &clone["state"]), (&json!("copy"), &json!("parked")), "{clone}");
        let clone = connect(&proxy, clone).await;
        let session = page_at(&clone, &url).await;
        // Each clone has the current state of the first session, and does not change the next
        // clone.
        assert_eq!(marks(&clone, &session).await, second, "clone {at}");
        mark(&clone, &Page { target: String::new(), session }, "theirs").await;
    }
    assert_eq!(marks(&client, &page.session).await, second);

    // Restored to the saved state, by its own client.
    let restored = ghost(&client, "ghost.restoreSnapshot", json!({ "snapshot": id })).await;
    assert_eq!(restored["report"]["omitted"], json!([]), "{restored}");
    let told = client.event("ghost.snapshotRestored").await["params"].clone();
    is_of("ghost.snapshotRestored", &told);
    assert_eq!(marks(&client, &page_at(&client, &url).await).await, first);
}
in_each_browser!(saved_sessions_can_be_restored_and_cloned);

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_managed_over_http() {
    let (proxy, site) = (Proxy::start(Browser::any(), &[]).await, Site::start().await);
    let session = create(&proxy, json!({})).await;
    let client = connect(&proxy, &session).await;
    let page = client.page_at(&site.url("/?kept")).await;
    mark(&client, &page, "kept").await;
    let path = format!("/v1/sessions/{}", id_of(&session));
    let save = async |name: &str| {
        let body = json!({ "name": name, "metadata": { "kind": name } }).to_string();
        let answer = proxy.http("POST", &format!("{path}/snapshots"), &[JSON], &body).await;
        let saved = body_of(&answer);
        assert_eq!(answer.status, 201, "{saved}");
        let own = format!("/v1/snapshots/{}", id_of(&saved["snapshot"]));
        assert_eq!(answer.header("location"), Some(own.as_str()));
        saved["snapshot"].clone()
    };
    let (one, two) = (save("one").await, save("Two").await);
    for snapshot in [&one, &two] {
        is_a("Snapshot", snapshot);
        let path = format!("/v1/snapshots/{}", id_of(snapshot));
        assert_eq!(&ok(&proxy, "GET", &path, Value::Null).await, snapshot);
    }
    let listed = async |query: &str| {
        let page = ok(&proxy, "GET", &format!("/v1/snapshots?{query}"), Value::Null).await;
        let names = page["snapshots"].as_array().expect("a list").iter().map(|snapshot| text(snapshot, "name"));
        (names.collect::<Vec<_>>(), page.get("next").map(|next| next.as_str().expect("a cursor").to_owned()))
    };
    // Newest first.
    assert_eq!(listed("").await, (vec!["Two".to_owned(), "one".to_owned()], None));
    let (first, next) = listed("limit=1").await;
    let next = next.expect("there is more");
    assert_eq!(
        (first, listed(&format!("cursor={next}")).await),
        (vec!["Two".to_owned()], (vec!["one".to_owned()], None))
    );
    assert_eq!(listed("name=tW").await.0, ["Two"]);
    assert_eq!(listed("metadata.kind=one").await.0, ["one"]);

    // The whole content, exported to another ghostmux and imported again.
    let content = format!("/v1/snapshots/{}/content", id_of(&one));
    let whole = proxy.http("GET", &format!("{content}?format=ghostmux"), &[], "").await;
    assert_eq!((whole.status, whole.header("content-type")), (200, Some("application/x-ndjson")));
    let ndjson = ("Content-Type", "application/x-ndjson");
    let other = Proxy::start(Browser::any(), &[]).await;
    let imported = other.http("POST", "/v1/snapshots?name=moved&ttl=0", &[ndjson], &whole.body).await;
    let moved = body_of(&imported)["snapshot"].clone();
    assert_eq!((imported.status, &moved["name"]), (201, &json!("moved")), "{}", imported.body);
    assert_eq!((&moved["cookies"], &moved["pages"], &moved["size"]), (&one["cookies"], &one["pages"], &one["size"]));
    let again = other.connect_to(&format!("/?snapshot={}", id_of(&moved))).await;
    let read = marks(&again, &page_at(&again, &site.url("/?kept")).await).await;
    assert_eq!(read, json!(["mark=kept", "kept", "kept", "kept7"]));

    // In Playwright's format: without the pages, which the report says.
    let state = proxy.http("GET", &content, &[], "").await;
    let omitted: u64 = state.header("ghostmux-omitted").expect("a count").parse().expect("a number");
    assert!(state.status == 200 && omitted >= 1, "{omitted}: {}", state.body);
    let state = body_of(&state);
    let names = state["cookies"].as_array().expect("a list").iter().map(|cookie| text(cookie, "name"));
    assert!(names.collect::<Vec<_>>().contains(&"mark".to_owned()), "{state}");
    let imported = ok(&other, "POST", "/v1/snapshots", json!({ "storageState": state, "name": "of Playwright" })).await;
    is_of("ghost.importSnapshot", &imported);
    let again = other.connect_to(&format!("/?snapshot={}", id_of(&imported["snapshot"]))).await;
    let page = again.page_at(&site.url("/?kept")).await;
    assert_eq!(marks(&again, &page.session).await, json!(["mark=kept", "kept", null, "kept7"]));
    // And again by command.
    for format in ["playwright", "ghostmux"] {
        let exported =
            ghost(&client, "ghost.exportSnapshot", json!({ "snapshot": id_of(&one), "format": format })).await;
        let mut import = exported.as_object().expect("an object").clone();
        import.remove("report");
        let imported = ghost(&client, "ghost.importSnapshot", Value::Object(import)).await;
        assert_eq!(imported["snapshot"]["cookies"], one["cookies"], "{format}: {imported}");
        ghost(&client, "ghost.deleteSnapshot", json!({ "snapshot": id_of(&imported["snapshot"]) })).await;
    }

    let path = format!("/v1/snapshots/{}", id_of(&two));
    assert_eq!(proxy.http("DELETE", &path, &[], "").await.status, 204);
    is_problem(&proxy.http("GET", &path, &[], "").await, 404, "no-snapshot", id_of(&two));
    assert_eq!(listed("").await.0, ["one"]);
    // Two restores at the same time do not affect each other.
    let (three, four) = tokio::join!(save("three"), save("four"));
    for saved in [three, four] {
        for count in ["cookies", "origins", "databases", "pages", "partial"] {
            assert_eq!(saved[count], one[count], "{count}: {saved}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_snapshots_are_refused_and_change_nothing() {
    let (proxy, site) = (Proxy::start(Browser::any(), &["--snapshot-max", "1MiB"]).await, Site::start().await);
    let session = create(&proxy, json!({})).await;
    let client = connect(&proxy, &session).await;
    let page = client.page_at(&site.url("/?as-it-was")).await;
    mark(&client, &page, "own").await;
    let path = format!("/v1/sessions/{}", id_of(&session));
    let post = async |path: &str, body: Value| proxy.http("POST", path, &[JSON], &body.to_string()).await;

    let none = "018f0000-0000-7000-8000-000000000000";
    for id in [none, "nothing", "..%2f..", "%00"] {
        is_problem(&proxy.http("GET", &format!("/v1/snapshots/{id}"), &[], "").await, 404, "no-snapshot", "snapshot");
        let content = format!("/v1/snapshots/{id}/content?format=ghostmux");
        is_problem(&proxy.http("GET", &content, &[], "").await, 404, "no-snapshot", "snapshot");
    }
    is_problem(&post("/v1/sessions", json!({ "snapshot": none })).await, 404, "no-snapshot", none);
    assert!(proxy.refusal(&format!("/?snapshot={none}")).await.contains(none));
    is_problem(&post(&format!("{path}/snapshots"), json!({ "parts": ["soul"] })).await, 400, "bad-value", "parts[0]");
    is_problem(&post(&format!("{path}/clone"), json!({ "count": 101 })).await, 400, "bad-value", "count");
    let content = &format!("/v1/snapshots/{none}/content?format=pdf");
    is_problem(&proxy.http("GET", content, &[], "").await, 400, "bad-value", "format");

    // An import is checked completely before it becomes a snapshot.
    let saved = ok(&proxy, "POST", &format!("{path}/snapshots"), Value::Null).await["snapshot"].clone();
    let content = format!("/v1/snapshots/{}/content?format=ghostmux", id_of(&saved));
    let whole = proxy.http("GET", &content, &[], "").await.body;
    let ndjson = [("Content-Type", "application/x-ndjson")];
    let cut = &whole[..=whole.trim_end().rfind('\n').expect("lines")];
    let newer = whole.replacen(r#""version":1"#, r#""version":99"#, 1);
    for (body, kind) in [
        (cut, "snapshot-damaged"),
        (&whole[..whole.len() / 2], "snapshot-damaged"),
        ("", "snapshot-damaged"),
        ("{}", "snapshot-damaged"),
        (&newer, "snapshot-newer"),
    ] {
        is_problem(&proxy.http("POST", "/v1/snapshots", &ndjson, body).await, 422, kind, "snapshot");
    }
    for state in [json!([]), json!({ "cookies": 5 }), json!({ "origins": [{ "origin": "file:///etc/passwd" }] })] {
        let refused = post("/v1/snapshots", json!({ "storageState": state })).await;
        is_problem(&refused, 422, "no-snapshot-content", "storageState");
    }
    let refused = post("/v1/snapshots", json!({ "data": "%%%" })).await;
    is_problem(&refused, 422, "no-snapshot-content", "base64");
    is_problem(&post("/v1/snapshots", json!({ "name": "of nothing" })).await, 400, "bad-value", "storageState");
    let listed = ok(&proxy, "GET", "/v1/snapshots", Value::Null).await;
    assert_eq!(listed["snapshots"].as_array().map(Vec::len), Some(1), "{listed}");

    // Only a session's own client may restore into the session while it is connected.
    let restore = json!({ "snapshot": id_of(&saved) });
    is_problem(&post(&format!("{path}/restore"), restore.clone()).await, 409, "in-use", "park");
    // A snapshot that is too large; the session continues.
    client.evaluate(&page.session, "localStorage.much = crypto.randomUUID().repeat(60_000)").await;
    is_problem(&post(&format!("{path}/snapshots"), json!({})).await, 413, "snapshot-too-large", "1048576");
    client.evaluate(&page.session, "delete localStorage.much").await;
    assert_eq!(marks(&client, &page.session).await, json!(["mark=own", "own", "own", "own7"]));

    // One of two at the same time is refused.
    ok(&proxy, "POST", &format!("{path}/park"), Value::Null).await;
    let at = format!("{path}/restore");
    let (one, two) = tokio::join!(post(&at, restore.clone()), post(&at, restore.clone()));
    let (done, refused) = if one.status == 200 { (one, two) } else { (two, one) };
    assert_eq!(done.status, 200, "{}", done.body);
    is_problem(&refused, 409, "restoring", "again");
    let client = connect(&proxy, &session).await;
    let page = page_at(&client, &site.url("/?as-it-was")).await;
    assert_eq!(marks(&client, &page).await, json!(["mark=own", "own", "own", "own7"]));
}

//! Stored snapshots that cannot be read: every way to use them reports the reason and changes
//! nothing.

use ghostmux::{
    snapshot::{
        ndjson::Writer,
        record::{Context, Cookie, Lost, Record, Storage},
    },
    store::{SnapshotId, seal::CHUNK},
};
use serde_json::{Value, json};

use super::apis::{mark, marks};
use crate::definition::is_of;
use crate::{
    browsers::Browser,
    proxy::{Proxy, eventually},
    rest::{JSON, connect, create, id_of, is_problem, ok},
    site::Site,
    store::{
        named, owner, save,
        test_store::{KEY_ONE, KEY_TWO, TestStore},
    },
};

/// A session that visited a site, in three chunks: the usable records are in the first.
async fn content(site: &Site) -> Vec<u8> {
    let cookie = json!({ "name": "mark", "value": "saved", "domain": "127.0.0.1", "path": "/" });
    let cookie: Cookie = serde_json::from_value(cookie).expect("a cookie");
    let items = serde_json::from_str(r#"[["mark","saved"]]"#).expect("items");
    let why = "x".repeat(CHUNK / 2);
    let lost = |place: u32| Lost { what: "nothing".to_owned(), place: place.to_string(), why: why.clone() };
    let mut records = vec![
        Record::Context(Context::default()),
        Record::Cookies(vec![cookie]),
        Record::Storage(Storage { key: format!("{}/", site.origin()) }),
        Record::LocalStorage(items),
    ];
    records.extend((0..5).map(|test_store| Record::Lost(lost(test_store))));
    let mut content = Vec::new();
    let mut writer = Writer::new(&mut content, "of a test").await.expect("written");
    for record in &records {
        writer.write(record).await.expect("written");
    }
    writer.end(true).await.expect("written");
    content
}

/// A store with a good snapshot, a damaged one and one of a newer ghostmux.
async fn store_with_snapshots(test_store: &TestStore, site: &Site) -> [SnapshotId; 3] {
    let content = content(site).await;
    let text = String::from_utf8(content.clone()).expect("text");
    let newer = text.replacen(r#""version":1"#, r#""version":99"#, 1).into_bytes();
    let store = test_store.open();
    let mut ids = Vec::new();
    for (name, content) in [("good", &content), ("damaged", &content), ("newer", &newer)] {
        ids.push(save(&store, named("local", name), content).await.expect("saved"));
    }
    let damaged = store.meta(&owner("local"), ids[1]).await.expect("it is there");
    drop(store);
    test_store.change_chunk(&damaged, 1, |mut chunk| {
        let at = chunk.len() / 2;
        chunk[at] ^= 1;
        Some(chunk)
    });
    ids.try_into().expect("three")
}

/// A ghostmux with this store and these keys.
async fn proxy(test_store: &TestStore, keys: &str, more: &[&str]) -> Proxy {
    let (store, file) = (test_store.argument(), test_store.beside("keys"));
    std::fs::write(&file, keys).expect("written");
    let flags = ["--store", &store, "--store-key", file.to_str().expect("text")];
    Proxy::start(Browser::any(), &[&flags, more].concat()).await
}

/// Fails unless every way to use each of these snapshots reports its error and changes nothing.
async fn are_refused(proxy: &Proxy, site: &Site, wanted: &[(SnapshotId, &str, &str)]) {
    let post = async |path: &str, body: Value| proxy.http("POST", path, &[JSON], &body.to_string()).await;
    let parked = create(proxy, json!({ "name": "parked" })).await;
    let client = proxy.connect().await;
    let page = client.page_at(&site.url("/?own")).await;
    mark(&client, &page, "own").await;
    let listed = async |what: &str| ok(proxy, "GET", &format!("/v1/{what}"), Value::Null).await[what].clone();
    let ids =
        |list: &Value| list.as_array().expect("a list").iter().map(|one| id_of(one).to_owned()).collect::<Vec<_>>();
    let before = (listed("snapshots").await, ids(&listed("sessions").await));
    let own_pages = async || client.ok(None, "Target.getTargets", json!({})).await["targetInfos"].clone();
    let pages = own_pages().await;
    for (id, kind, word) in wanted {
        let restore = format!("/v1/sessions/{}/restore", id_of(&parked));
        is_problem(&post(&restore, json!({ "snapshot": id })).await, 422, kind, word);
        is_problem(&post("/v1/sessions", json!({ "snapshot": id })).await, 422, kind, word);
        let state = format!("/v1/snapshots/{id}/content");
        is_problem(&proxy.http("GET", &state, &[], "").await, 422, kind, word);
        let refusal = proxy.refusal(&format!("/?snapshot={id}")).await;
        assert!(refusal.starts_with("422") && refusal.contains(word), "{refusal}");
        for method in ["restoreSnapshot", "createSession", "exportSnapshot"] {
            let refused = client.call(&format!("ghost.{method}"), json!({ "snapshot": id })).await;
            let (code, message) = refused.expect_err(method);
            assert!(code == -32000 && message.contains(word), "{method}: {code} {message}");
        }
    }
    assert_eq!((listed("snapshots").await, ids(&listed("sessions").await)), before);
    assert_eq!(own_pages().await, pages);
    assert_eq!(marks(&client, &page.session).await, json!(["mark=own", "own", "own", "own7"]));
    let client = connect(proxy, &parked).await;
    let page = client.page_at(&site.url("/?parked")).await;
    assert_eq!(marks(&client, &page.session).await, json!(["", null, null, null]));
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_snapshots_are_refused_and_change_nothing() {
    let (site, mut test_store) = (Site::start().await, TestStore::embedded());
    test_store.use_keys(KEY_ONE);
    let [good, damaged, newer] = store_with_snapshots(&test_store, &site).await;

    let wrong = proxy(&test_store, KEY_TWO, &[]).await;
    are_refused(&wrong, &site, &[(good, "snapshot-key", "one")]).await;
    drop(wrong);

    // Both keys, the new one first: data encrypted with the old one can be read.
    let both = proxy(&test_store, &[KEY_TWO, KEY_ONE].join("\n"), &["--snapshot-count", "3"]).await;
    let client = both.connect_to(&format!("/?snapshot={good}")).await;
    let page = client.page_at(&site.url("/?good")).await;
    assert_eq!(marks(&client, &page.session).await, json!(["mark=saved", "saved", null, null]));
    let damage = damaged.to_string();
    are_refused(&both, &site, &[(damaged, "snapshot-damaged", &damage), (newer, "snapshot-newer", "99")]).await;

    // The quota has no room for a fourth; the session that was to be saved continues.
    let (code, message) = client.call("ghost.saveSnapshot", json!({})).await.expect_err("a refusal");
    assert!(code == -32000 && message.contains("snapshot_count"), "{code} {message}");
    let session = client.ok(None, "ghost.getSession", json!({})).await["session"].clone();
    let path = format!("/v1/sessions/{}/snapshots", id_of(&session));
    is_problem(&both.http("POST", &path, &[JSON], "{}").await, 507, "snapshot-quota", "snapshot_count");
    assert_eq!(marks(&client, &page.session).await, json!(["mark=saved", "saved", null, null]));
    let listed = ok(&both, "GET", "/v1/snapshots", Value::Null).await;
    assert_eq!(listed["snapshots"].as_array().map(Vec::len), Some(3), "{listed}");
}

/// Of many records, a damaged one or one of another version is listed by name, and so are the
/// others.
#[tokio::test(flavor = "multi_thread")]
async fn unreadable_session_records_are_listed_with_the_others() {
    let (mut test_store, site) = (TestStore::redis(), Site::start().await);
    test_store.use_keys(KEY_ONE);
    let [good, damaged, newer] = store_with_snapshots(&test_store, &site).await;
    let store = test_store.open();
    for id in [damaged, newer] {
        let meta = store.meta(&owner("local"), id).await.expect("it is there");
        test_store.write_meta(&meta, "not JSON");
    }
    let proxy = proxy(&test_store, KEY_ONE, &["--hibernate-after", "1ms"]).await;
    let sleeper = create(&proxy, json!({ "id": "a-sleeper" })).await;
    let is_asleep =
        async || ok(&proxy, "GET", "/v1/sessions?state=hibernated", Value::Null).await["sessions"] != json!([]);
    eventually("a session that hibernates", is_asleep).await;
    test_store.write_session("no-json.1", "not JSON");
    test_store
        .write_session("no-state.1", &json!({ "id": "no-state.1", "owner": "local", "snapshot": good }).to_string());
    let odd = json!({ "id": "odd-state.1", "owner": "local", "snapshot": null, "state": { "id": 7 } });
    test_store.write_session("odd-state.1", &odd.to_string());
    test_store.write_session("z-another.1", &json!({ "id": "z-another.1", "owner": "another" }).to_string());

    let client = proxy.connect().await;
    let own = client.ok(None, "ghost.getSession", json!({})).await["session"]["id"].clone();
    let ids = |list: &Value| list.as_array().into_iter().flatten().map(|one| one["id"].clone()).collect::<Vec<_>>();
    let by_rest = async |path: &str| ok(&proxy, "GET", path, Value::Null).await;
    for answer in [by_rest("/v1/sessions").await, client.ok(None, "ghost.listSessions", json!({})).await] {
        is_of("ghost.listSessions", &answer);
        assert_eq!(ids(&answer["sessions"]), [own.clone(), sleeper["id"].clone()], "{answer}");
        assert_eq!(ids(&answer["unreadable"]), ["no-json.1", "no-state.1", "odd-state.1"], "{answer}");
        assert!(answer["unreadable"][1]["reason"].as_str().is_some_and(|why| why.contains("state")), "{answer}");
    }
    for answer in [by_rest("/v1/snapshots").await, client.ok(None, "ghost.listSnapshots", json!({})).await] {
        is_of("ghost.listSnapshots", &answer);
        assert_eq!(ids(&answer["snapshots"]), [good.to_string()], "{answer}");
        assert_eq!(ids(&answer["unreadable"]), [newer.to_string(), damaged.to_string()], "{answer}");
    }
    for filter in ["name=x", "metadata.a=b", "state=active"] {
        assert_eq!(by_rest(&format!("/v1/sessions?{filter}")).await["unreadable"], Value::Null, "{filter}");
    }
    // A page of the list has room for both kinds.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..5 {
        let answer = by_rest(&format!("/v1/sessions?limit=1{cursor}")).await;
        seen.extend([ids(&answer["sessions"]), ids(&answer["unreadable"])].concat());
        let Some(next) = answer["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, [own, sleeper["id"].clone(), "no-json.1".into(), "no-state.1".into(), "odd-state.1".into()]);

    for id in ["no-json.1", "no-state.1", "odd-state.1"] {
        let path = format!("/v1/sessions/{id}");
        is_problem(&proxy.http("GET", &path, &[], "").await, 422, "session-unreadable", id);
        let refusal = proxy.refusal(&format!("/devtools/browser/{id}")).await;
        assert!(refusal.starts_with("422") && refusal.contains(id), "{refusal}");
        let taken = proxy.http("POST", "/v1/sessions", &[JSON], &json!({ "id": id }).to_string()).await;
        is_problem(&taken, 409, "id-in-use", id);
    }
    is_problem(&proxy.http("DELETE", "/v1/sessions/z-another.1", &[], "").await, 404, "no-session", "z-another.1");
    is_problem(&proxy.http("GET", &format!("/v1/snapshots/{newer}"), &[], "").await, 422, "snapshot-damaged", "JSON");
    for id in ["no-json.1", "no-state.1"] {
        assert_eq!(proxy.http("DELETE", &format!("/v1/sessions/{id}"), &[], "").await.status, 204);
        is_problem(&proxy.http("GET", &format!("/v1/sessions/{id}"), &[], "").await, 404, "no-session", "could not");
    }
    client.ok(None, "ghost.closeSession", json!({ "id": "odd-state.1" })).await;
    client.ok(None, "ghost.deleteSnapshot", json!({ "snapshot": newer })).await;
    assert_eq!(proxy.http("DELETE", &format!("/v1/snapshots/{damaged}"), &[], "").await.status, 204);
    for path in ["/v1/sessions", "/v1/snapshots"] {
        assert_eq!(by_rest(path).await["unreadable"], Value::Null, "{path}");
    }
    // The undamaged one.
    connect(&proxy, &sleeper).await.ok(None, "Browser.getVersion", json!({})).await;
}

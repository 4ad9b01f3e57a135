//! Sessions by HTTP: `/v1`, and what browserless has.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    browsers::Browser,
    client::Client,
    definition::{is_a, is_of},
    proxy::{Answer, Proxy, eventually},
};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A request and what came of it; `Null` for a body that is none.
async fn send(proxy: &Proxy, method: &str, path: &str, body: Value) -> (u16, Value) {
    let answer = match body {
        Value::Null => proxy.http(method, path, &[], "").await,
        body => proxy.http(method, path, &[JSON], &body.to_string()).await,
    };
    (answer.status, body_of(&answer))
}

fn body_of(answer: &Answer) -> Value {
    if answer.body.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

/// A request that must succeed.
async fn ok(proxy: &Proxy, method: &str, path: &str, body: Value) -> Value {
    let (status, said) = send(proxy, method, path, body).await;
    assert!((200..300).contains(&status), "{method} {path}: {status} {said}");
    said
}

/// A new session.
async fn create(proxy: &Proxy, body: Value) -> Value {
    let session = ok(proxy, "POST", "/v1/sessions", body).await;
    is_a("Session", &session);
    session
}

fn id_of(session: &Value) -> &str {
    session["id"].as_str().expect("an id")
}

/// A client at a session's own URL.
async fn connect(proxy: &Proxy, session: &Value) -> Client {
    let url = session["webSocketDebuggerUrl"].as_str().expect("a URL");
    let path = url.strip_prefix(&format!("ws://{}", proxy.address())).expect("our own address");
    proxy.connect_to(path).await
}

/// Fails unless it is a problem of this status and kind whose detail has the word.
fn is_problem(answer: &Answer, status: u16, kind: &str, word: &str) {
    let said = body_of(answer);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{said}");
    assert_eq!(
        (answer.status, &said["status"], &said["type"]),
        (status, &json!(status), &json!(format!("urn:ghostmux:{kind}"))),
        "{said}"
    );
    assert!(said["detail"].as_str().is_some_and(|detail| detail.contains(word)), "{word:?} in {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_made_found_changed_parked_and_ended() {
    let proxy = Proxy::start(Browser::any().await, &[]).await;
    let asked = json!({"name": "first", "metadata": {"job": "7"}, "timeout": 3_600_000, "keepAlive": 60_000});
    let answer = proxy.http("POST", "/v1/sessions", &[JSON], &asked.to_string()).await;
    let session = body_of(&answer);
    assert_eq!(answer.status, 201, "{session}");
    is_a("Session", &session);
    for key in ["name", "metadata", "timeout", "keepAlive"] {
        assert_eq!(session[key], asked[key], "{key}");
    }
    assert_eq!((&session["state"], &session["clients"]), (&json!("parked"), &json!(0)), "{session}");
    let path = format!("/v1/sessions/{}", id_of(&session));
    assert_eq!(answer.header("location"), Some(path.as_str()));

    let client = connect(&proxy, &session).await;
    let page = client.page().await;
    client.evaluate(&page.session, "globalThis.kept = 41").await;
    let active = ok(&proxy, "GET", &path, Value::Null).await;
    is_a("Session", &active);
    assert_eq!((&active["state"], &active["clients"]), (&json!("active"), &json!(1)), "{active}");
    let pages = ok(&proxy, "GET", &format!("{path}/pages"), Value::Null).await;
    assert!(
        pages["pages"]
            .as_array()
            .is_some_and(|pages| pages.iter().any(|info| info["targetId"] == page.target.as_str())),
        "{pages}"
    );
    let usage = ok(&proxy, "GET", &format!("{path}/usage"), Value::Null).await;
    is_a("Usage", &usage);
    assert!(usage["commands"].as_u64() >= Some(3) && usage["pages"].as_u64() >= Some(1), "{usage}");

    let changed = ok(&proxy, "PATCH", &path, json!({"name": "second", "metadata": {}, "idleTimeout": 120_000})).await;
    is_a("Session", &changed);
    assert_eq!(
        (&changed["name"], &changed["idleTimeout"], &changed["timeout"]),
        (&json!("second"), &json!(120_000), &json!(3_600_000)),
        "{changed}"
    );

    // Without a body: nothing needs to be said.
    let parked = ok(&proxy, "POST", &format!("{path}/park"), Value::Null).await;
    is_a("Session", &parked);
    let closed = client.end().await;
    assert!(
        closed.starts_with("1000") && closed.ends_with(session["webSocketDebuggerUrl"].as_str().expect("a URL")),
        "{closed}"
    );
    eventually("a parked session", async || ok(&proxy, "GET", &path, Value::Null).await["state"] == "parked").await;

    let again = connect(&proxy, &session).await;
    let same = again.attach(None, &page.target).await;
    assert_eq!(again.evaluate(&same, "++globalThis.kept").await, 42);
    assert_eq!(send(&proxy, "DELETE", &path, Value::Null).await, (204, Value::Null));
    let closed = again.end().await;
    assert!(closed.starts_with("1000"), "{closed}");
    for (method, path) in [
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("PATCH", path.clone()),
        ("POST", format!("{path}/park")),
        ("GET", format!("{path}/pages")),
        ("GET", format!("{path}/usage")),
    ] {
        let answer = proxy.http(method, &path, &[JSON], "{}").await;
        is_problem(&answer, 404, "no-session", id_of(&session));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_refused_by_name_and_nothing_changes() {
    let proxy = Proxy::start(Browser::any().await, &["--timeout-max", "1h"]).await;
    let session = create(&proxy, json!({"name": "mine"})).await;
    let path = format!("/v1/sessions/{}", id_of(&session));
    let park = format!("{path}/park");
    let large = json!({"metadata": {"k": "v".repeat(4096)}}).to_string();
    let long = json!({"name": "n".repeat(201)}).to_string();
    let huge = json!({"name": "n".repeat(70_000)}).to_string();
    let bodies = [
        (400, "bad-json", "no JSON", "{"),
        (400, "bad-json", "no JSON", "{\"name\":\"a\"} {}"),
        (400, "bad-value", "no object", "[]"),
        (400, "bad-value", "no object", "5"),
        (400, "bad-value", "colour", r#"{"colour":"red"}"#),
        (400, "bad-value", "name", r#"{"name":5}"#),
        (400, "bad-value", "name", r#"{"name":null}"#),
        (400, "bad-value", "", r#"{"name":"a","name":"b"}"#),
        (400, "bad-value", "metadata", r#"{"metadata":{"a":1}}"#),
        (400, "bad-value", "metadata", large.as_str()),
        (400, "bad-value", "name", long.as_str()),
        (400, "bad-value", "timeout", r#"{"timeout":-1}"#),
        (400, "bad-value", "timeout", r#"{"timeout":1e300}"#),
        (400, "bad-value", "timeout", r#"{"timeout":"5m"}"#),
        (400, "bad-value", "maximum", r#"{"timeout":3600001}"#),
        (413, "too-large", "bytes", huge.as_str()),
    ];
    for (status, kind, word, body) in bodies {
        for (method, path) in [("POST", "/v1/sessions"), ("PATCH", path.as_str())] {
            is_problem(&proxy.http(method, path, &[JSON], body).await, status, kind, word);
        }
    }
    for (status, kind, word, method, path, body) in [
        (400, "bad-value", "id", "POST", "/v1/sessions", r#"{"id":"a/b c d e f"}"#),
        (400, "bad-value", "id", "POST", "/v1/sessions", r#"{"id":"short"}"#),
        (400, "bad-value", "keepAlive", "POST", "/v1/sessions", r#"{"keepAlive":0}"#),
        (400, "bad-value", "id", "PATCH", path.as_str(), r#"{"id":"another-session"}"#),
        (400, "bad-value", "keepAlive", "POST", park.as_str(), r#"{"keepAlive":-5}"#),
        (400, "bad-value", "timeout", "POST", park.as_str(), r#"{"timeout":5}"#),
    ] {
        is_problem(&proxy.http(method, path, &[JSON], body).await, status, kind, word);
    }
    is_problem(&proxy.http("PATCH", &path, &[], "").await, 400, "no-body", "body");
    let plain = ("Content-Type", "text/plain");
    is_problem(&proxy.http("POST", "/v1/sessions", &[plain], "{}").await, 415, "content-type", "text/plain");
    for (query, word) in [
        ("state=asleep", "state"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("cursor=%20", "cursor"),
        ("colour=red", "colour"),
        ("name=a&name=b", "name"),
        ("metadata=x", "metadata"),
        ("metadata.a=1&metadata.a=2", "metadata.a"),
    ] {
        is_problem(&proxy.http("GET", &format!("/v1/sessions?{query}"), &[], "").await, 400, "bad-value", word);
    }
    is_problem(&proxy.http("GET", "/v1/sessions/%ff", &[], "").await, 400, "bad-path", "id");
    for unknown in ["nobody", "..", "%00", "5269804a-cdec-49f7-8a6a-a8aa1b34f55b"] {
        is_problem(
            &proxy.http("GET", &format!("/v1/sessions/{unknown}"), &[], "").await,
            404,
            "no-session",
            "no such session",
        );
    }
    for (method, path, allow) in [
        ("PUT", "/v1/sessions", "POST"),
        ("POST", path.as_str(), "PATCH"),
        ("DELETE", park.as_str(), "POST"),
        ("POST", "/pressure", "GET"),
        ("BREW", path.as_str(), "DELETE"),
    ] {
        let answer = proxy.http(method, path, &[], "").await;
        is_problem(&answer, 405, "method", method);
        assert!(answer.header("allow").is_some_and(|allowed| allowed.contains(allow)), "{method} {path}: {answer:?}");
    }
    is_problem(&proxy.http("GET", "/v1", &[], "").await, 404, "not-found", "/v1/openapi.json");

    assert_eq!(ok(&proxy, "GET", &path, Value::Null).await, session);
    let all = ok(&proxy, "GET", "/v1/sessions", Value::Null).await;
    assert_eq!(all, json!({"sessions": [session]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_may_be_chosen_once() {
    let proxy = Proxy::start(Browser::any().await, &[]).await;
    let session = create(&proxy, json!({"id": "job-2026.11_a"})).await;
    assert_eq!(session["id"], "job-2026.11_a");
    let again = || proxy.http("POST", "/v1/sessions", &[JSON], r#"{"id":"job-2026.11_a"}"#);
    is_problem(&again().await, 409, "id-in-use", "job-2026.11_a");
    connect(&proxy, &session).await.page().await;
    ok(&proxy, "DELETE", "/v1/sessions/job-2026.11_a", Value::Null).await;
    is_problem(&again().await, 409, "id-in-use", "job-2026.11_a");
    // Two at once: one of them is first.
    let body = r#"{"id":"both-at-once"}"#;
    let (one, other) = tokio::join!(
        proxy.http("POST", "/v1/sessions", &[JSON], body),
        proxy.http("POST", "/v1/sessions", &[JSON], body)
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_by_state_name_and_metadata_a_page_at_a_time() {
    let proxy = Proxy::start(Browser::any().await, &[]).await;
    let mut made = Vec::new();
    for one in 0..5 {
        let (name, job) = (format!("n{}", one % 2), format!("job {one} & more"));
        made.push(create(&proxy, json!({"name": name, "metadata": {"job": job, "all": "yes"}})).await);
    }
    let _client = connect(&proxy, &made[3]).await;
    let ids = async |query: &str| {
        let page = ok(&proxy, "GET", &format!("/v1/sessions?{query}"), Value::Null).await;
        is_of("ghost.listSessions", &page);
        let ids: Vec<String> =
            page["sessions"].as_array().expect("sessions").iter().map(|session| id_of(session).to_owned()).collect();
        (ids, page["next"].as_str().map(str::to_owned))
    };
    let of = |which: &[usize]| which.iter().map(|one| id_of(&made[*one]).to_owned()).collect::<Vec<_>>();
    for (query, which) in [
        ("", &[0, 1, 2, 3, 4][..]),
        ("state=active", &[3]),
        ("state=parked", &[0, 1, 2, 4]),
        ("state=queued", &[]),
        ("name=n1", &[1, 3]),
        ("name=n1&state=parked", &[1]),
        ("metadata.all=yes", &[0, 1, 2, 3, 4]),
        ("metadata.job=job+2+%26+more", &[2]),
        ("metadata%5Bjob%5D=job%202%20%26%20more", &[2]),
        ("metadata.job=job+2+%26+more&metadata.all=no", &[]),
        ("token=anything", &[0, 1, 2, 3, 4]),
    ] {
        assert_eq!(ids(query).await, (of(which), None), "{query}");
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let (page, next) = ids(&format!("limit=2{cursor}")).await;
        assert!(page.len() == 2 || next.is_none(), "{page:?}");
        seen.extend(page);
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, of(&[0, 1, 2, 3, 4]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_expired_is_gone_and_says_why() {
    let proxy = Proxy::start(Browser::any().await, &[]).await;
    let session = create(&proxy, json!({"timeout": 700})).await;
    assert_eq!(session["expiresBy"], "timeout", "{session}");
    let path = format!("/v1/sessions/{}", id_of(&session));
    eventually("its end", async || send(&proxy, "GET", &path, Value::Null).await.0 == 404).await;
    is_problem(&proxy.http("GET", &path, &[], "").await, 404, "no-session", "timeout");
    is_problem(&proxy.http("PATCH", &path, &[JSON], r#"{"timeout":5000}"#).await, 404, "no-session", "timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_during_the_end_is_made_or_refused() {
    let proxy = Proxy::start(Browser::any().await, &[]).await;
    for _ in 0..5 {
        let session = create(&proxy, Value::Null).await;
        let path = format!("/v1/sessions/{}", id_of(&session));
        let client = connect(&proxy, &session).await;
        client.page().await;
        let changes =
            futures_util::future::join_all((0..6).map(|_| proxy.http("PATCH", &path, &[JSON], r#"{"name":"late"}"#)));
        let (ended, changes) = tokio::join!(proxy.http("DELETE", &path, &[], ""), changes);
        assert_eq!(ended.status, 204, "{ended:?}");
        for change in changes {
            assert!(matches!(change.status, 200 | 404 | 409), "{change:?}");
        }
        assert!(client.end().await.starts_with("1000"));
        assert_eq!(send(&proxy, "GET", &path, Value::Null).await.0, 404);
    }
    assert_eq!(ok(&proxy, "GET", "/v1/sessions", Value::Null).await, json!({"sessions": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_may_look_at_the_document_and_at_nothing_else() {
    let proxy = Proxy::start(Browser::any().await, &[]).await;
    let session = create(&proxy, Value::Null).await;
    let path = format!("/v1/sessions/{}", id_of(&session));
    let address_bar = [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
    let document = proxy.http("GET", "/v1/openapi.json", &address_bar, "").await;
    assert_eq!(document.status, 200);
    assert!(!document.body.contains(id_of(&session)));
    let kill = format!("/kill/{}", id_of(&session));
    for (method, path) in [
        ("GET", "/v1/sessions"),
        ("GET", path.as_str()),
        ("DELETE", path.as_str()),
        ("GET", "/sessions"),
        ("GET", "/pressure"),
        ("GET", kill.as_str()),
        ("GET", "/v1/nothing"),
    ] {
        for headers in [&address_bar[..], &[("Origin", "http://evil.example")], &[("Sec-Fetch-Site", "cross-site")]] {
            is_problem(&proxy.http(method, path, headers, "").await, 403, "from-a-page", "page");
        }
    }
    // What Chrome's own network stack says is let in elsewhere, but a GET that changes something is not for it.
    let program = [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "empty")];
    is_problem(&proxy.http("GET", &kill, &program, "").await, 403, "not-by-get", "DELETE");
    assert_eq!(ok(&proxy, "GET", &path, Value::Null).await["state"], "parked");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_for_browserless_find_what_they_know() {
    let proxy = Proxy::start(Browser::any().await, &["--max-total-sessions", "3"]).await;
    let session = create(&proxy, json!({"name": "tracked"})).await;
    create(&proxy, Value::Null).await;
    let _client = connect(&proxy, &session).await;
    let all = ok(&proxy, "GET", "/sessions", Value::Null).await;
    assert_eq!(all.as_array().map(Vec::len), Some(2), "{all}");
    let told = ok(&proxy, "GET", "/sessions?trackingId=tracked", Value::Null).await;
    let [told] = &told.as_array().expect("a list")[..] else { panic!("one is called so: {told}") };
    assert_eq!(
        (&told["id"], &told["initialConnectURL"], &told["numbConnected"]),
        (&session["id"], &session["webSocketDebuggerUrl"], &json!(1)),
        "{told}"
    );
    assert!(told["browser"].as_str().is_some_and(|browser| browser.contains("Chrom")), "{told}");

    let pressure = ok(&proxy, "GET", "/pressure", Value::Null).await["pressure"].clone();
    assert_eq!(
        (&pressure["running"], &pressure["queued"], &pressure["maxConcurrent"], &pressure["isAvailable"]),
        (&json!(2), &json!(0), &json!(3), &json!(true)),
        "{pressure}"
    );
    create(&proxy, Value::Null).await;
    let pressure = ok(&proxy, "GET", "/pressure", Value::Null).await["pressure"].clone();
    assert_eq!((&pressure["running"], &pressure["isAvailable"]), (&json!(3), &json!(false)), "{pressure}");

    let kill =
        told["killURL"].as_str().and_then(|url| url.strip_prefix(&proxy.url())).expect("a URL of ours").to_owned();
    assert_eq!(send(&proxy, "GET", &kill, Value::Null).await, (204, Value::Null));
    is_problem(&proxy.http("GET", &kill, &[], "").await, 404, "no-session", id_of(&session));
    assert_eq!(ok(&proxy, "GET", "/sessions", Value::Null).await.as_array().map(Vec::len), Some(2));
}

/// The gauges of `/metrics`.
async fn gauges(proxy: &Proxy) -> HashMap<String, u64> {
    let answer = proxy.http("GET", "/metrics", &[], "").await;
    let line = |line: &str| Some((line.split(' ').next()?.to_owned(), line.split(' ').nth(1)?.parse().ok()?));
    answer.body.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_count_of_sessions_is_the_same() {
    let proxy = Proxy::start(Browser::any().await, &["--warm", "0"]).await;
    let agree = async |what: &str, active: usize, parked: usize| {
        let mut seen = Value::Null;
        let expected = json!([active, parked, active, parked, active + parked, active + parked, active + parked]);
        let same = async || {
            let listed = async |query: &str| {
                ok(&proxy, "GET", &format!("/v1/sessions?{query}"), Value::Null).await["sessions"]
                    .as_array()
                    .map_or(0, Vec::len)
            };
            let pressure = ok(&proxy, "GET", "/pressure", Value::Null).await["pressure"].clone();
            let running = pressure["running"].as_u64().unwrap_or(0);
            let parked = pressure["parked"].as_u64().unwrap_or(0);
            let gauges = gauges(&proxy).await;
            seen = json!([
                running - parked,
                parked,
                listed("state=active").await,
                listed("state=parked").await,
                listed("").await,
                gauges["ghostmux_sessions"],
                gauges["ghostmux_contexts"]
            ]);
            seen == expected
        };
        let agreed = tokio::time::timeout(std::time::Duration::from_secs(15), eventually(what, same)).await;
        assert!(
            agreed.is_ok(),
            "{what}: {seen}, not {expected}; running, parked by /pressure; active, parked, all by /v1/sessions; sessions, contexts by /metrics"
        );
    };
    agree("none", 0, 0).await;
    let one = create(&proxy, Value::Null).await;
    let other = create(&proxy, Value::Null).await;
    agree("two parked", 0, 2).await;
    let client = connect(&proxy, &one).await;
    let passing = proxy.connect().await;
    agree("one taken up, and one without a name", 2, 1).await;
    drop(passing);
    agree("it ended with its socket", 1, 1).await;
    drop(client);
    agree("its client went", 0, 2).await;
    ok(&proxy, "DELETE", &format!("/v1/sessions/{}", id_of(&one)), Value::Null).await;
    agree("one ended", 0, 1).await;
    let _again = connect(&proxy, &other).await;
    agree("the other one taken up", 1, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_domain_answers_and_tells_what_its_definition_says() {
    let proxy = Proxy::start(Browser::any().await, &[]).await;
    let client = proxy.connect_to("/?keep_alive=60000&name=own").await;
    let ghost = async |method: &str, params: Value| {
        let result = client.ok(None, method, params).await;
        is_of(method, &result);
        result
    };
    ghost("ghost.enable", json!({"expiringNotice": 3_600_000})).await;
    let own = ghost("ghost.getSession", json!({})).await["session"].clone();
    assert_eq!((&own["name"], &own["state"]), (&json!("own"), &json!("active")), "{own}");
    let other = ghost("ghost.createSession", json!({"metadata": {"a": "b"}})).await["session"].clone();
    let all = ghost("ghost.listSessions", json!({})).await;
    assert_eq!(all["sessions"].as_array().map(Vec::len), Some(2), "{all}");
    // One service behind both faces.
    assert_eq!(ok(&proxy, "GET", &format!("/v1/sessions/{}", id_of(&other)), Value::Null).await, other);
    ghost("ghost.updateSession", json!({"timeout": 1_800_000})).await;
    is_of("ghost.sessionUpdated", &client.event("ghost.sessionUpdated").await["params"]);
    is_of("ghost.sessionExpiring", &client.event("ghost.sessionExpiring").await["params"]);
    ghost("ghost.getUsage", json!({})).await;
    let page = client.page().await;
    let joined = proxy.connect_to(&format!("/devtools/page/{}", page.target)).await;
    is_of("ghost.clientAttached", &client.event("ghost.clientAttached").await["params"]);
    drop(joined);
    is_of("ghost.clientDetached", &client.event("ghost.clientDetached").await["params"]);
    ghost("ghost.closeSession", json!({"id": other["id"]})).await;
    ghost("ghost.disable", json!({})).await;
    ghost("ghost.park", json!({})).await;
    assert!(client.end().await.starts_with("1000"));
    let events = client.events();
    for event in events.iter().filter(|event| event["method"].as_str().is_some_and(|name| name.starts_with("ghost."))) {
        is_of(event["method"].as_str().expect("a name"), &event["params"]);
    }
    // Every command of the definition was asked above, and every event came but that of a lost browser.
    let domain = ghostmux::cdp::ghost::Domain::ghost();
    for event in domain.events.iter().filter(|event| event.name != "browserLost") {
        let method = format!("ghost.{}", event.name);
        assert!(events.iter().any(|heard| heard["method"] == method), "{method} did not come");
    }
    let asked: Vec<String> =
        client.frames().iter().filter(|frame| frame.sent).map(|frame| frame.text.to_string()).collect();
    for command in &domain.commands {
        let method = format!("\"ghost.{}\"", command.name);
        assert!(asked.iter().any(|frame| frame.contains(&method)), "{method} was not tried");
    }
}

//! Sessions as resources: created, read, changed, parked, ended.

use serde_json::{Value, json};

use super::{JSON, body_of, connect, create, id_of, is_problem, ok, send};
use crate::{
    browsers::Browser,
    definition::{is_a, is_of},
    proxy::{Proxy, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_created_read_changed_parked_and_ended() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
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

    // The body may be missing.
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
async fn session_ids_can_be_chosen_once() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let session = create(&proxy, json!({"id": "job-2026.11_a"})).await;
    assert_eq!(session["id"], "job-2026.11_a");
    let again = || proxy.http("POST", "/v1/sessions", &[JSON], r#"{"id":"job-2026.11_a"}"#);
    is_problem(&again().await, 409, "id-in-use", "job-2026.11_a");
    connect(&proxy, &session).await.page().await;
    ok(&proxy, "DELETE", "/v1/sessions/job-2026.11_a", Value::Null).await;
    is_problem(&again().await, 409, "id-in-use", "job-2026.11_a");
    // Two requests at the same time: one of them is first.
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
async fn session_list_filters_and_pages() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
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
    let all = async |limit: usize| {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let (page, next) = ids(&format!("limit={limit}{cursor}")).await;
            assert!(page.len() == limit || next.is_none(), "{page:?}");
            seen.extend(page);
            match next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return seen,
            }
        }
    };
    assert_eq!(all(2).await, of(&[0, 1, 2, 3, 4]));
    // The id of a session that is called by a name has another form.
    let _named = [proxy.connect_to("/s/crawl").await, proxy.connect_to("/s/other").await];
    assert_eq!(all(1).await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_sessions_report_their_reason() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let session = create(&proxy, json!({"timeout": 700})).await;
    assert_eq!(session["expiresBy"], "timeout", "{session}");
    let path = format!("/v1/sessions/{}", id_of(&session));
    eventually("the end of the session", async || send(&proxy, "GET", &path, Value::Null).await.0 == 404).await;
    is_problem(&proxy.http("GET", &path, &[], "").await, 404, "no-session", "timeout");
    is_problem(&proxy.http("PATCH", &path, &[JSON], r#"{"timeout":5000}"#).await, 404, "no-session", "timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_to_an_ending_session_are_made_or_refused() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
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

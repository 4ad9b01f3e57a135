//! What every request may rely on: names of members, pages of lists, keys against repetition, jobs.

use serde_json::{Value, json};

use super::{JSON, body_of, create, id_of, is_problem, ok, send};
use crate::{
    browsers::Browser,
    client::text,
    definition::is_a,
    pages::Driven,
    proxy::{Answer, Proxy, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn requests_say_what_was_meant_and_are_performed_once() {
    let flags = ["--idempotency-keys", "40", "--idempotency-bytes", "2KiB", "--jobs", "3"];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    unknown_members_name_what_was_meant(&proxy).await;
    sessions_are_released(&proxy).await;
    lists_have_pages(&proxy).await;
    repetitions_are_answered_as_before(&proxy).await;
    requests_go_on_as_jobs(&proxy).await;
}

async fn unknown_members_name_what_was_meant(proxy: &Proxy) {
    for (path, body, word) in [
        ("/v1/sessions", r#"{"keepalive":1}"#, "did you mean `keepAlive`?"),
        ("/v1/sessions", r#"{"userMetadata":{}}"#, "a name of Browserbase; here it is `metadata`"),
        ("/v1/sessions", r#"{"proxyUrl":"x"}"#, "a name of Steel; here it is `proxy`"),
        ("/v1/sessions", r#"{"sessionContext":{}}"#, "here it is `snapshot`"),
        ("/v1/sessions/x/pages/first/click", r#"{"clickcount":1}"#, "did you mean `clickCount`?"),
        ("/v1/sessions/x/pages/first/snapshot", r#"{"root":"a"}"#, "here it is `locator`"),
    ] {
        is_problem(&proxy.http("POST", path, &[JSON], body).await, 400, "bad-value", word);
    }
    is_problem(
        &proxy.http("GET", "/v1/sessions?stat=active", &[], "").await,
        400,
        "bad-value",
        "did you mean `state`?",
    );
}

async fn sessions_are_released(proxy: &Proxy) {
    let session = create(proxy, json!({})).await;
    let path = format!("/v1/sessions/{}/release", id_of(&session));
    assert_eq!(send(proxy, "POST", &path, json!({})).await, (204, Value::Null));
    is_problem(&proxy.http("POST", &path, &[], "").await, 404, "no-session", "DELETE");
}

async fn lists_have_pages(proxy: &Proxy) {
    let session = create(proxy, json!({})).await;
    let pages = format!("/v1/sessions/{}/pages", id_of(&session));
    for _ in 0..2 {
        ok(proxy, "POST", &pages, json!({})).await;
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for page in 0..3 {
        let some = ok(proxy, "GET", &format!("{pages}?limit=1{cursor}"), Value::Null).await;
        let [one] = &some["pages"].as_array().expect("pages")[..] else { panic!("{some}") };
        seen.push(text(one, "targetId"));
        assert_eq!(some.get("next").is_some(), page < 2, "{some}");
        cursor = some["next"].as_str().map_or_else(String::new, |next| format!("&cursor={next}"));
    }
    seen.dedup();
    assert_eq!(seen.len(), 3);
    for path in ["/v1/browsers", &pages, &format!("/v1/sessions/{}/files", id_of(&session)), "/v1/usage", "/v1/jobs"] {
        ok(proxy, "GET", &format!("{path}?limit=5"), Value::Null).await;
        is_problem(&proxy.http("GET", &format!("{path}?limit=0"), &[], "").await, 400, "bad-value", "limit");
        is_problem(&proxy.http("GET", &format!("{path}?cursor=x"), &[], "").await, 400, "bad-value", "cursor");
    }
}

async fn with_key(proxy: &Proxy, key: &str, path: &str, body: &str) -> Answer {
    proxy.http("POST", path, &[JSON, ("Idempotency-Key", key)], body).await
}

async fn repetitions_are_answered_as_before(proxy: &Proxy) {
    let first = with_key(proxy, "\"k1\"", "/v1/sessions", r#"{"name":"once"}"#).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None), "{first:?}");
    let again = with_key(proxy, "k1", "/v1/sessions", r#"{"name":"once"}"#).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(
        (again.header("idempotency-replayed"), again.header("location")),
        (Some("true"), first.header("location"))
    );
    let other = with_key(proxy, "k1", "/v1/sessions", r#"{"name":"twice"}"#).await;
    is_problem(&other, 422, "idempotency-key-reused", "another body");
    let session = body_of(&first);
    let park = format!("/v1/sessions/{}/park", id_of(&session));
    is_problem(&with_key(proxy, "k1", &park, "{}").await, 422, "idempotency-key-reused", "another path");
    let all = ok(proxy, "GET", "/v1/sessions?name=once", Value::Null).await;
    assert_eq!(all["sessions"].as_array().map(Vec::len), Some(1), "{all}");
    // A request that was refused before anything was done is not kept.
    is_problem(&with_key(proxy, "k2", "/v1/sessions", r#"{"nme":1}"#).await, 400, "bad-value", "name");
    let repaired = with_key(proxy, "k2", "/v1/sessions", r#"{"name":"k2"}"#).await;
    assert_eq!(repaired.status, 201, "{repaired:?}");
    for key in ["", "a b", "é", &"k".repeat(256)] {
        is_problem(&with_key(proxy, key, "/v1/sessions", "{}").await, 400, "bad-value", "Idempotency-Key");
    }
    // While the first is under way, a repetition is told so; its caller may hang up meanwhile.
    let page = Driven::with(proxy, "<p>x").await;
    let path = format!("{}/wait", page.path);
    let wait = json!({ "function": "() => { window.asked = (window.asked ?? 0) + 1; return window.go }" }).to_string();
    let client = proxy.connect_to(&format!("/devtools/page/{}", page.path.rsplit('/').next().expect("an id"))).await;
    let asked = async || {
        let asked = client.ok(None, "Runtime.evaluate", json!({ "expression": "window.asked > 0" })).await;
        asked["result"]["value"] == true
    };
    tokio::select! {
        answer = with_key(proxy, "k3", &path, &wait) => panic!("nobody has ended it: {answer:?}"),
        () = eventually("its begin", asked) => {}
    }
    let answer = with_key(proxy, "k3", &path, &wait).await;
    is_problem(&answer, 409, "idempotency-key-in-use", "being performed");
    assert!(answer.header("retry-after").is_some());
    client.ok(None, "Runtime.evaluate", json!({ "expression": "window.go = true" })).await;
    eventually("its answer", async || with_key(proxy, "k3", &path, &wait).await.status == 200).await;
    // Of older answers only that they were given is kept, when there is no room for them.
    for number in 0..4 {
        with_key(
            proxy,
            &format!("large{number}"),
            &format!("{}/evaluate", page.path),
            r#"{"expression":"'x'.repeat(900)"}"#,
        )
        .await;
    }
    is_problem(
        &with_key(proxy, "k1", "/v1/sessions", r#"{"name":"once"}"#).await,
        409,
        "answer-not-kept",
        "idempotency_bytes",
    );
    let mut answer = with_key(proxy, "more", "/v1/sessions/x/park", "{}").await;
    assert_eq!(answer.status, 404, "it is not kept");
    for number in 0..40 {
        answer = with_key(proxy, &format!("many{number}"), &format!("{}/evaluate", page.path), r#"{"expression":"1"}"#)
            .await;
    }
    is_problem(&answer, 429, "too-many", "idempotency_keys");
}

async fn requests_go_on_as_jobs(proxy: &Proxy) {
    let page = Driven::with(proxy, "<p>x").await;
    let job = async |action: &str, body: Value| {
        let headers = [JSON, ("Prefer", "wait=1, respond-async")];
        let answer = proxy.http("POST", &format!("{}/{action}", page.path), &headers, &body.to_string()).await;
        let said = body_of(&answer);
        (answer, said)
    };
    let (answer, begun) = job("evaluate", json!({ "expression": "6 * 7" })).await;
    is_a("Job", &begun);
    let path = format!("/v1/jobs/{}", text(&begun, "id"));
    assert_eq!((answer.status, answer.header("location")), (202, Some(&*path)), "{answer:?}");
    assert_eq!(answer.header("preference-applied"), Some("respond-async"));
    let done = ok(proxy, "GET", &format!("{path}?wait=10s"), Value::Null).await;
    is_a("Job", &done);
    assert_eq!((&done["state"], &done["result"]["value"]), (&json!("done"), &json!(42)), "{done}");
    let (_, failing) = job("evaluate", json!({ "expression": "null.x" })).await;
    let failed = ok(proxy, "GET", &format!("/v1/jobs/{}?wait=10s", text(&failing, "id")), Value::Null).await;
    assert_eq!((&failed["state"], &failed["error"]["type"]), (&json!("failed"), &json!("urn:ghostmux:script-failed")));
    let (refused, _) = job("click", json!({ "colour": 1 })).await;
    is_problem(&refused, 400, "bad-value", "colour");
    // A job that is deleted stops.
    let (_, endless) = job("wait", json!({ "selector": "#none" })).await;
    let endless = format!("/v1/jobs/{}", text(&endless, "id"));
    let all = ok(proxy, "GET", "/v1/jobs", Value::Null).await;
    assert_eq!(all["jobs"].as_array().map(Vec::len), Some(3), "{all}");
    assert!(all["jobs"][0].get("result").is_none(), "{all}");
    assert_eq!(ok(proxy, "GET", &endless, Value::Null).await["state"], "running");
    assert_eq!(send(proxy, "DELETE", &endless, Value::Null).await.0, 204);
    assert_eq!(page.value("2").await, 2, "the page is free again");
    is_problem(&proxy.http("GET", &endless, &[], "").await, 404, "no-job", "jobs_time");
    // A further one takes the place of the oldest that has ended.
    let mut last = Vec::new();
    for _ in 0..3 {
        last.push(job("wait", json!({ "selector": "#none" })).await.1);
    }
    is_problem(&proxy.http("GET", &path, &[], "").await, 404, "no-job", "");
    let (full, _) = job("text", json!({})).await;
    is_problem(&full, 429, "too-many", "jobs");
    for job in last {
        send(proxy, "DELETE", &format!("/v1/jobs/{}", text(&job, "id")), Value::Null).await;
    }
}

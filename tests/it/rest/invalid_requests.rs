//! Requests that are refused by name and without effect.

use serde_json::{Value, json};

use super::{JSON, body_of, create, id_of, is_problem, ok};
use crate::{browsers::Browser, definition::is_a, proxy::Proxy};

#[tokio::test(flavor = "multi_thread")]
async fn invalid_requests_are_refused_and_change_nothing() {
    let proxy = Proxy::start(Browser::any(), &["--timeout-max", "1h"]).await;
    let session = create(&proxy, json!({"name": "mine"})).await;
    let path = format!("/v1/sessions/{}", id_of(&session));
    let park = format!("{path}/park");
    let large = json!({"metadata": {"k": "v".repeat(4096)}}).to_string();
    let long = json!({"name": "n".repeat(201)}).to_string();
    let huge = json!({"name": "n".repeat(70_000)}).to_string();
    let bodies = [
        (400, "bad-json", "not JSON", "{"),
        (400, "bad-json", "not JSON", "{\"name\":\"a\"} {}"),
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
        ("metadata[a][b]=1", "one key"),
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
    // A snapshot has the name of its profile, which this cannot be.
    for (method, path) in [("GET", "/v1/profiles/%12"), ("POST", "/v1/profiles/%12/snapshots")] {
        is_problem(&proxy.http(method, path, &[], "").await, 404, "no-profile", "there is no profile");
    }
    for (method, path, allow) in [
        ("PUT", "/v1/sessions", "POST"),
        ("POST", path.as_str(), "PATCH"),
        ("DELETE", park.as_str(), "POST"),
        ("POST", "/pressure", "GET"),
        ("BREW", path.as_str(), "DELETE"),
        ("POST", "/metrics", "GET"),
        ("DELETE", "/readyz", "GET"),
        ("PUT", "/v1/openapi.json", "GET"),
        ("POST", "/", "GET"),
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

/// Some clients write methods in lower case; to the guard and to the routes that is no difference.
#[tokio::test(flavor = "multi_thread")]
async fn lower_case_methods_are_checked_and_routed_as_upper_case_ones() {
    let proxy = Proxy::start(Browser::any(), &["--allow-host", "box.lan"]).await;
    let session = create(&proxy, json!({"name": "mine"})).await;
    let path = format!("/v1/sessions/{}", id_of(&session));
    let by_name = [("Host", "box.lan")];
    for method in ["GET", "get", "head"] {
        let answer = proxy.http(method, "/v1/sessions", &by_name, "").await;
        assert_eq!(answer.status, 403, "{method}: {answer:?}");
    }
    assert_eq!(proxy.http("get", "/metrics", &[], "").await.status, 200);
    assert_eq!(proxy.http("put", "/json/new?about:blank", &[], "").await.status, 200);
    assert_eq!(body_of(&proxy.http("patch", &path, &[JSON], r#"{"name":"other"}"#).await)["name"], "other");
    assert_eq!(proxy.http("delete", &path, &[], "").await.status, 204);
    is_problem(&proxy.http("post", "/metrics", &[], "").await, 405, "method", "POST");
}

#[tokio::test(flavor = "multi_thread")]
async fn web_pages_may_read_only_the_api_document() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
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
    // Chromedriver's requests are accepted elsewhere, but not for a GET that ends a session.
    let chromes_own = [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "empty")];
    is_problem(&proxy.http("GET", &kill, &chromes_own, "").await, 403, "from-a-page", "page");
    let chromedriver = [&chromes_own[..], &[("User-Agent", "chromedriver")]].concat();
    is_problem(&proxy.http("GET", &kill, &chromedriver, "").await, 403, "not-by-get", "DELETE");
    assert_eq!(ok(&proxy, "GET", &path, Value::Null).await["state"], "parked");
}

#[tokio::test(flavor = "multi_thread")]
async fn full_server_names_the_limit_and_the_retry_time() {
    let flags = ["--max-sessions", "2", "--queue", "1", "--queue-timeout", "500ms", "--warm", "0"];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    let first = create(&proxy, Value::Null).await;
    create(&proxy, Value::Null).await;
    let answer = proxy.http("POST", "/v1/sessions", &[], "").await;
    is_problem(&answer, 503, "queue-timeout", "max_sessions");
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{answer:?}");
    let said = body_of(&answer);
    assert_eq!((&said["most"], &said["position"]), (&json!(2), &json!(1)), "{said}");

    // A place that becomes free is given to the waiting client.
    let path = format!("/v1/sessions/{}", id_of(&first));
    let waiting = async {
        loop {
            let answer = proxy.http("POST", "/v1/sessions", &[], "").await;
            if answer.status == 201 {
                return answer;
            }
            is_problem(&answer, 503, "queue-timeout", "queue_timeout");
        }
    };
    let (_, answer) = tokio::join!(proxy.http("DELETE", &path, &[], ""), waiting);
    is_a("Session", &body_of(&answer));

    let proxy = Proxy::start(Browser::any(), &["--max-owner-sessions", "1"]).await;
    create(&proxy, Value::Null).await;
    let answer = proxy.http("POST", "/v1/sessions", &[], "").await;
    is_problem(&answer, 429, "too-many", "max_owner_sessions");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

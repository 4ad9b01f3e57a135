//! Sessions over HTTP: `/v1` and browserless's endpoints.

mod habits;
mod invalid_requests;
mod other_apis;
mod resources;

use serde_json::{Value, json};

use crate::{
    client::Client,
    definition::is_a,
    proxy::{Answer, Proxy},
};

pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Sends a request; returns the status and the JSON body (`Null` if the body is not JSON).
pub(crate) async fn send(proxy: &Proxy, method: &str, path: &str, body: Value) -> (u16, Value) {
    let answer = match body {
        Value::Null => proxy.http(method, path, &[], "").await,
        body => proxy.http(method, path, &[JSON], &body.to_string()).await,
    };
    (answer.status, body_of(&answer))
}

pub(crate) fn body_of(answer: &Answer) -> Value {
    if answer.body.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

/// A request that must succeed.
pub(crate) async fn ok(proxy: &Proxy, method: &str, path: &str, body: Value) -> Value {
    let (status, said) = send(proxy, method, path, body).await;
    assert!((200..300).contains(&status), "{method} {path}: {status} {said}");
    said
}

/// A new session.
pub(crate) async fn create(proxy: &Proxy, body: Value) -> Value {
    let session = ok(proxy, "POST", "/v1/sessions", body).await;
    is_a("Session", &session);
    session
}

pub(crate) fn id_of(session: &Value) -> &str {
    session["id"].as_str().expect("an id")
}

/// A client at a session's own URL.
pub(crate) async fn connect(proxy: &Proxy, session: &Value) -> Client {
    let url = session["webSocketDebuggerUrl"].as_str().expect("a URL");
    let path = url.strip_prefix(&format!("ws://{}", proxy.address())).expect("our own address");
    proxy.connect_to(path).await
}

/// Fails unless the answer is a problem of this status and type whose detail contains the word.
pub(crate) fn is_problem(answer: &Answer, status: u16, kind: &str, word: &str) {
    let said = body_of(answer);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{said}");
    assert_eq!(
        (answer.status, &said["status"], &said["type"]),
        (status, &json!(status), &json!(format!("urn:ghostmux:{kind}"))),
        "{said}"
    );
    assert!(said["detail"].as_str().is_some_and(|detail| detail.contains(word)), "{word:?} in {said}");
}

//! The largest message that Chrome accepts on each connection: the proxy answers larger ones, and
//! the browser stays up.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_browser, in_each_browser},
    client::Client,
    proxy::Proxy,
    remote::RealBrowser,
};

/// The limit of a client's frame.
const MOST: usize = 100 * 1024 * 1024;

/// A command of exactly this many bytes; on the root without a CDP session.
fn command(id: i64, method: &str, session: Option<&str>, size: usize) -> String {
    let head = format!(r#"{{"id":{id},"method":"{method}","params":{{"expression":"6 * 7","x":""#);
    let tail = session.map_or_else(|| r#""}}"#.to_owned(), |session| format!(r#""}},"sessionId":"{session}"}}"#));
    format!("{head}{}{tail}", "x".repeat(size - head.len() - tail.len()))
}

async fn answer(client: &Client, id: i64, text: &str) -> Value {
    client.send_raw(text).await;
    client.wait("an answer", Duration::from_secs(120), |frame| frame["id"] == id).await
}

/// Messages of up to `largest` bytes are answered by Chrome. Larger ones are refused if Chrome does
/// not accept them (`refuses`).
async fn at_the_limit(proxy: &Proxy, largest: usize, refuses: bool) {
    let (client, other) = (proxy.connect().await, proxy.connect().await);
    let (page, others) = (client.page().await, other.page().await);
    let session = Some(page.session.as_str());
    let mut id = 9000;
    for size in [largest, largest + 1].into_iter().filter(|size| *size <= MOST) {
        id += 1;
        let reply = answer(&client, id, &command(id, "Runtime.evaluate", session, size)).await;
        if size <= largest || !refuses {
            assert_eq!(reply["result"]["result"]["value"], 42, "{size}: {reply}");
        } else {
            let words = reply["error"]["message"].as_str().unwrap_or_default();
            assert!(reply["error"]["code"] == -32600 && words.contains(&largest.to_string()), "{size}: {reply}");
            assert_eq!(reply["sessionId"], page.session.as_str(), "{reply}");
        }
        assert_eq!(other.evaluate(&others.session, "6 * 7").await, 42, "another session, after {size}");
    }
    // `Runtime.runIfWaitingForDebugger` has no params; what is given there is not sent to Chrome.
    let resume = command(9200, "Runtime.runIfWaitingForDebugger", session, MOST);
    let reply = answer(&client, 9200, &resume).await;
    assert_eq!((&reply["result"], &reply["sessionId"]), (&json!({}), &json!(session)), "{reply}");
    on_a_page_socket(proxy, &client, (largest, refuses)).await;
    in_a_tunnel(&client, &page.target).await;
    // A command on a root is sent under an id of the proxy, with a CDP session that the client did
    // not name.
    let reply = answer(&client, 9100, &command(9100, "Storage.getCookies", None, largest.min(MOST))).await;
    assert_eq!(reply["error"]["code"] == -32600, refuses, "{reply}");
    assert_eq!(other.evaluate(&others.session, "6 * 7").await, 42, "another session, after a root's command");
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42, "its own");
}

/// A page socket names no CDP session; the proxy adds it to the command.
async fn on_a_page_socket(proxy: &Proxy, client: &Client, (largest, refuses): (usize, bool)) {
    const ADDED: usize = r#","sessionId":"0123456789ABCDEF0123456789ABCDEF""#.len();
    let page = client.page().await;
    let socket = proxy.connect_to(&format!("/devtools/page/{}", page.target)).await;
    let sizes = if refuses { vec![largest - ADDED, largest - ADDED + 1] } else { vec![MOST] };
    for (id, size) in (9300..).zip(sizes) {
        let reply = answer(&socket, id, &command(id, "Runtime.evaluate", None, size)).await;
        if size + ADDED <= largest || !refuses {
            assert_eq!(reply["result"]["result"]["value"], 42, "{size}: {reply}");
        } else {
            let words = reply["error"]["message"].as_str().unwrap_or_default();
            assert!(reply["error"]["code"] == -32600 && words.contains(&largest.to_string()), "{size}: {reply}");
            assert!(reply.get("sessionId").is_none(), "{reply}");
        }
        assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42, "after {size} on a page socket");
    }
}

/// The message inside the largest `Target.sendMessageToTarget` is smaller than the limit, and every
/// Chrome accepts it.
async fn in_a_tunnel(client: &Client, target: &str) {
    let attached = client.ok(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": false })).await;
    let tunnel = attached["sessionId"].as_str().expect("a CDP session");
    let outer = |inner: &str| {
        json!({ "id": 9400, "method": "Target.sendMessageToTarget", "params": { "sessionId": tunnel, "message": inner } })
            .to_string()
    };
    let empty = command(9401, "Runtime.evaluate", None, 100);
    let inner = command(9401, "Runtime.evaluate", None, 100 + MOST - outer(&empty).len());
    let frame = outer(&inner);
    assert_eq!(frame.len(), MOST);
    client.send_raw(&frame).await;
    let is_answer = |frame: &Value| frame["method"] == "Target.receivedMessageFromTarget";
    let reply = client.wait("an answer in the tunnel", Duration::from_secs(120), is_answer).await;
    let reply: Value = serde_json::from_str(reply["params"]["message"].as_str().expect("text")).expect("JSON");
    assert_eq!((&reply["id"], &reply["result"]["result"]["value"]), (&json!(9401), &json!(42)), "{reply}");
    client.ok(None, "Target.detachFromTarget", json!({ "sessionId": tunnel })).await;
}

async fn json_pipe_answers_frames_that_are_too_large_for_chrome(browser: Browser) {
    let proxy = Proxy::start(browser, &["--codec", "json", "--warm", "0"]).await;
    at_the_limit(&proxy, MOST - 1, true).await;
}

in_browser!(Shell: json_pipe_answers_frames_that_are_too_large_for_chrome);

async fn cbor_pipe_accepts_every_frame_a_client_may_send(browser: Browser) {
    let proxy = Proxy::start(browser, &["--codec", "cbor", "--warm", "0"]).await;
    at_the_limit(&proxy, MOST, false).await;
}

in_browser!(Shell: cbor_pipe_accepts_every_frame_a_client_may_send);

async fn remote_socket_answers_frames_that_are_too_large_for_chrome(browser: Browser) {
    let real = RealBrowser::start(&browser).await;
    let proxy = Proxy::start_remote(browser, &real.url, &[]).await;
    at_the_limit(&proxy, MOST - 14, true).await;
}

in_browser!(Shell: remote_socket_answers_frames_that_are_too_large_for_chrome);

/// The response bodies that Chrome keeps are limited per CDP session.
async fn network_buffers_limit_response_bodies(browser: Browser) {
    let proxy = Proxy::start(browser, &["--network-buffers=1MB"]).await;
    let (client, other) = (proxy.connect().await, proxy.connect().await);
    let (page, others) = (client.page().await, other.page().await);
    let second = client.attach(None, &page.target).await;
    let enable = async |client: &Client, session: &str, size: f64| {
        client.call_on(session, "Network.enable", json!({ "maxTotalBufferSize": size })).await
    };
    let (_, refused) = enable(&client, &page.session, 102e6).await.expect_err("too many");
    assert!(refused.contains("2000000 bytes beyond") && refused.contains("network_buffers allows"), "{refused}");
    for size in [100e6, 101e6] {
        assert_eq!(enable(&client, &page.session, size).await, Ok(json!({})));
    }
    assert!(enable(&client, &second, 101e6).await.is_err());
    assert_eq!(enable(&client, &second, 100e6).await, Ok(json!({})));
    assert_eq!(enable(&other, &others.session, 101e6).await, Ok(json!({})));
    client.ok(Some(&page.session), "Network.disable", json!({})).await;
    assert_eq!(enable(&client, &second, 101e6).await, Ok(json!({})));
}

in_each_browser!(network_buffers_limit_response_bodies);

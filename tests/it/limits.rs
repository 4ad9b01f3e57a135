//! The largest message that goes up to Chrome, on each connection: what is larger is answered by the proxy, and costs
//! nobody their browser.

use std::time::Duration;

use serde_json::Value;

use crate::{
    browsers::{Browser, in_browser},
    client::Client,
    proxy::Proxy,
    remote::RealBrowser,
};

/// What a client may send at most.
const MOST: usize = 100 * 1024 * 1024;

/// A command of exactly this many bytes; on the root if there is no CDP session.
fn command(id: i64, method: &str, session: Option<&str>, size: usize) -> String {
    let head = format!(r#"{{"id":{id},"method":"{method}","params":{{"expression":"6 * 7","x":""#);
    let tail = session.map_or_else(|| r#""}}"#.to_owned(), |session| format!(r#""}},"sessionId":"{session}"}}"#));
    format!("{head}{}{tail}", "x".repeat(size - head.len() - tail.len()))
}

async fn answer(client: &Client, id: i64, text: &str) -> Value {
    client.send_raw(text).await;
    client.wait("an answer", Duration::from_secs(120), |frame| frame["id"] == id).await
}

/// What goes up is answered up to `largest` bytes. Above, it is refused if Chrome does not take it (`refuses`).
async fn at_the_limit(proxy: &Proxy, largest: usize, refuses: bool) {
    let (client, other) = (proxy.connect().await, proxy.connect().await);
    let (page, others) = (client.page().await, other.page().await);
    let session = Some(page.session.as_str());
    let mut id = 9000;
    for size in [largest - 1, largest, largest + 1, MOST].into_iter().filter(|size| *size <= MOST) {
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
    // On a root it goes up under an id of the proxy's, with a CDP session that the client did not name.
    let reply = answer(&client, 9100, &command(9100, "Storage.getCookies", None, largest.min(MOST))).await;
    assert_eq!(reply["error"]["code"] == -32600, refuses, "{reply}");
    assert_eq!(other.evaluate(&others.session, "6 * 7").await, 42, "another session, after a root's command");
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42, "its own");
}

async fn on_the_json_pipe_a_frame_that_chrome_does_not_take_is_answered(browser: Browser) {
    let proxy = Proxy::start(browser, &["--codec", "json", "--warm", "0"]).await;
    at_the_limit(&proxy, MOST - 1, true).await;
}

in_browser!(Shell: on_the_json_pipe_a_frame_that_chrome_does_not_take_is_answered);

async fn on_the_cbor_pipe_every_frame_that_a_client_may_send_is_taken(browser: Browser) {
    let proxy = Proxy::start(browser, &["--codec", "cbor", "--warm", "0"]).await;
    at_the_limit(&proxy, MOST, false).await;
}

in_browser!(Shell: on_the_cbor_pipe_every_frame_that_a_client_may_send_is_taken);

async fn on_a_remote_browsers_socket_a_frame_that_it_does_not_take_is_answered(browser: Browser) {
    let real = RealBrowser::start(&browser).await;
    let proxy = Proxy::start_remote(browser, &real.url).await;
    at_the_limit(&proxy, MOST - 14, true).await;
}

in_browser!(Shell: on_a_remote_browsers_socket_a_frame_that_it_does_not_take_is_answered);

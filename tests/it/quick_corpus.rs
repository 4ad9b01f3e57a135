//! The requests of `fixtures/browserless.json`, and what browserless answered to them (`scripts/record-browserless.mjs`).
//! Where ghostmux answers something else, `docs/from-browserless.md` says so.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{browsers::Browser, proxy::Proxy, quick::nothing_is_left, rest::JSON, site::head_of};

const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const PAGE: &str = "<!doctype html><link rel=icon href=\"data:,\"><title>page</title><h1>Page</h1><img src=\"/pixel.png\" \
                    onload=\"this.alt = 'image'\" onerror=\"this.alt = 'no image'\"><script src=\"/script.js\"></script>";

/// Requests at a time.
const AT_ONCE: usize = 6;

/// The site of the recorder.
async fn serve(mut socket: TcpStream) {
    let Some(head) = head_of(&mut socket).await else { return };
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (is, value) = line.split_once(": ")?;
            is.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let html = |status, body: &str| (status, "text/html", String::new(), body.as_bytes().to_vec());
    let (status, kind, more, body) = match head.split(' ').nth(1).unwrap_or("/") {
        "/echo" => {
            let names = ["cookie", "user-agent", "x-test", "referer", "authorization"];
            let lines: Vec<_> =
                names.iter().filter_map(|name| header(name).map(|value| format!("{name}: {value}"))).collect();
            let page = format!(
                "<!doctype html><link rel=icon href=\"data:,\"><title>echo</title><pre>{}</pre>",
                lines.join("\n")
            );
            html("200 OK", &page)
        }
        "/auth" if header("authorization").is_none() => {
            let asks = "WWW-Authenticate: Basic realm=\"x\"\r\n".to_owned();
            ("401 Unauthorized", "text/html", asks, b"who?".to_vec())
        }
        "/missing" => html("404 Not Found", "<title>none</title>not here"),
        "/redirect" => ("302 Found", "text/plain", "Location: /page\r\n".to_owned(), Vec::new()),
        "/pixel.png" => ("200 OK", "image/png", String::new(), BASE64.decode(PIXEL.as_bytes()).expect("base64")),
        "/script.js" => ("200 OK", "text/javascript", String::new(), b"document.title += \" script\"".to_vec()),
        "/never" => {
            let _ = socket.read_buf(&mut Vec::new()).await;
            return;
        }
        _ => html("200 OK", PAGE),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n{more}\r\n",
        body.len()
    );
    let _ = socket.write_all(&[head.as_bytes(), &body].concat()).await;
    let _ = socket.shutdown().await;
}

/// Sends a request and returns the answer's status, headers (names in lower case) and bytes.
async fn send(proxy: &Proxy, path: &str, body: &str) -> (u64, Vec<(String, String)>, Vec<u8>) {
    let mut socket = TcpStream::connect(proxy.address()).await.expect("it accepts");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}: {}\r\nContent-Length: {}\r\n\r\n",
        proxy.address(),
        JSON.0,
        JSON.1,
        body.len()
    );
    socket.write_all(format!("{head}{body}").as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.expect("it answers");
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    (status, headers, answer[end + 4..].to_vec())
}

/// Width and height of a PNG.
fn extent(bytes: &[u8]) -> Option<Value> {
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    (bytes.get(1..4)? == b"PNG").then(|| Some(json!([number(16)?, number(20)?]))).flatten()
}

/// What is compared of an answer: the same as in the recorder.
fn facts(status: u64, headers: &[(String, String)], bytes: &[u8], origin: &str) -> Map<String, Value> {
    let header = |name: &str| headers.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_str());
    let kind = header("content-type");
    let mut facts = Map::new();
    facts.insert("status".to_owned(), status.into());
    facts.insert("type".to_owned(), kind.into());
    for name in ["x-response-code", "x-response-status", "x-response-url", "x-response-ip"] {
        if let Some(value) = header(name) {
            facts.insert(name.to_owned(), value.replace(origin, "SITE").into());
        }
    }
    let text = String::from_utf8_lossy(bytes).replace(origin, "SITE");
    let latin: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let decoded = BASE64.decode(bytes).ok();
    let (name, value) = if let Some(extent) = extent(bytes) {
        ("png", extent)
    } else if let Some(extent) = decoded.and_then(|decoded| extent(&decoded)) {
        ("base64", extent)
    } else if bytes.get(6..10) == Some(b"JFIF") {
        ("jpeg", true.into())
    } else if bytes.get(8..12) == Some(b"WEBP") {
        ("webp", true.into())
    } else if latin.starts_with("%PDF") {
        let boxed = latin.find("/MediaBox [").and_then(|at| Some(&latin[at..=at + latin[at..].find(']')?]));
        ("pdf", json!({ "pages": latin.matches("/Type /Page\n").count(), "box": boxed }))
    } else if status == 200 && kind.is_some_and(|kind| kind.contains("json")) {
        ("json", serde_json::from_str(&text).expect("JSON"))
    } else {
        ("text", text.chars().take(4000).collect::<String>().into())
    };
    facts.insert(name.to_owned(), value);
    facts
}

/// What of the facts must be the same: of errors, the status alone.
fn compared(facts: &Map<String, Value>) -> Map<String, Value> {
    let is_error = facts["status"] != 200;
    facts
        .iter()
        .filter(|(name, _)| !is_error || *name == "status")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_those_of_browserless_except_where_the_docs_say_so() {
    let corpus: Vec<Value> = serde_json::from_str(include_str!("../../fixtures/browserless.json")).expect("JSON");
    assert!(corpus.len() >= 60, "{} requests", corpus.len());
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let site = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket));
        }
    });
    let docs = include_str!("../../docs/from-browserless.md");
    let table = docs.lines().skip_while(|line| *line != "## 5. Every request that is answered differently");
    let known: BTreeSet<&str> = table
        .take_while(|line| !line.starts_with("## 6"))
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .filter(|cell| *cell != "request")
        .collect();
    // Most of them wait for a while.
    let answers = stream::iter(&corpus).map(async |one| {
        let path = one["path"].as_str().expect("a path");
        let body = one["body"].to_string().replace("SITE", &origin);
        let (status, headers, bytes) = send(&proxy, path, &body).await;
        (one, facts(status, &headers, &bytes, &origin))
    });
    let answers: Vec<_> = answers.buffered(AT_ONCE).collect().await;
    let (mut differ, mut shown) = (BTreeSet::new(), Vec::new());
    for (one, ours) in answers {
        let name = one["name"].as_str().expect("a name");
        let theirs = one["answer"].as_object().expect("it was recorded");
        if compared(&ours) != compared(theirs) {
            differ.insert(name);
            if !known.contains(name) {
                shown.push(format!("{name}\n  browserless {}\n  here        {}", json!(theirs), json!(ours)));
            }
        }
    }
    site.abort();
    let stale: Vec<_> = known.difference(&differ).collect();
    assert!(
        shown.is_empty() && stale.is_empty(),
        "the table in docs/from-browserless.md lacks:\n{}\nand has: {stale:?}",
        shown.join("\n")
    );
    nothing_is_left(&proxy).await;
}

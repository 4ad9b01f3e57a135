//! Agents that come by MCP: `/mcp` in both kinds of the protocol, and `ghostmux mcp`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    proxy::{Answer, Proxy, eventually},
    rest::{body_of, ok},
    site::Site,
    tenants::{Server, Tenant},
};

const ACCEPT: (&str, &str) = ("Accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const PAGE: &str = "data:text/html,<title>Shop</title><label>Name<input id=n></label>\
    <button onclick=\"document.querySelector('p').textContent = 'Hello ' + n.value\">Greet</button><p>nobody</p>\
    <button onclick=\"p2.textContent = confirm('Sure?')\">Ask</button><b id=p2></b>\
    <ul><li>first of the things</li><li>second of the things</li><li>third of the things</li><li>last of the things</li></ul>";

/// An agent of the protocol 2025-11-25.
struct Agent<'a> {
    proxy: &'a Proxy,
    path: &'a str,
    session: String,
    headers: Vec<(&'a str, &'a str)>,
}

pub(crate) fn initialize() -> Value {
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } })
}

pub(crate) fn call_of(name: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": name, "arguments": arguments } })
}

/// What a tool says: all its texts.
fn said(result: &Value) -> String {
    let blocks = result["content"].as_array().cloned().unwrap_or_default();
    blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
}

/// The reference of the line that has this text.
fn ref_in(snapshot: &str, text: &str) -> String {
    let mut lines = snapshot.lines().filter(|line| line.contains(text)).filter_map(|line| line.split_once("[ref="));
    let (_, rest) = lines.next().unwrap_or_else(|| panic!("{text} with a reference in {snapshot}"));
    rest.split(']').next().expect("an end").to_owned()
}

impl<'a> Agent<'a> {
    async fn begin(proxy: &'a Proxy, path: &'a str, headers: &[(&'a str, &'a str)]) -> Self {
        let headers = [&[ACCEPT, JSON], headers].concat();
        let answer = proxy.http("POST", path, &headers, &initialize().to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(body_of(&answer)["result"]["protocolVersion"], "2025-11-25", "{answer:?}");
        let session = answer.header("mcp-session-id").expect("a session").to_owned();
        Self { proxy, path, session, headers }
    }

    async fn send(&self, method: &str, body: &str) -> Answer {
        let own = [("Mcp-Session-Id", self.session.as_str()), ("MCP-Protocol-Version", "2025-11-25")];
        self.proxy.http(method, self.path, &[&self.headers[..], &own].concat(), body).await
    }

    async fn ask(&self, name: &str, arguments: Value) -> Value {
        let answer = self.send("POST", &call_of(name, &arguments).to_string()).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        body_of(&answer)["result"].clone()
    }

    /// What a tool says that must succeed.
    async fn does(&self, name: &str, arguments: Value) -> String {
        let result = self.ask(name, arguments).await;
        assert_eq!(result["isError"], false, "{name}: {result}");
        said(&result)
    }

    /// What a tool says that must fail.
    async fn fails(&self, name: &str, arguments: Value) -> String {
        let result = self.ask(name, arguments).await;
        assert_eq!(result["isError"], true, "{name}: {result}");
        said(&result)
    }
}

async fn agents_drive_pages(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let agent = Agent::begin(&proxy, "/mcp", &[]).await;
    let sessions = || async { ok(&proxy, "GET", "/v1/sessions", Value::Null).await["sessions"].clone() };
    assert_eq!(sessions().await, json!([]), "a session was opened before it was needed");
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let tools = body_of(&agent.send("POST", &list).await)["result"]["tools"].clone();
    assert_eq!(tools.as_array().map(Vec::len), Some(21));

    let shown = agent.does("browser_navigate", json!({ "url": PAGE })).await;
    assert!(shown.contains("<untrusted-") && shown.contains("button \"Greet\""), "{shown}");
    assert_eq!(sessions().await[0]["id"], agent.session.as_str());
    let (field, greet, question) =
        (ref_in(&shown, "textbox"), ref_in(&shown, "Greet"), ref_in(&shown, "button \"Ask\""));
    let typed = json!({ "element": "the name", "target": field, "text": "Ada" });
    agent.does("browser_type", typed).await;
    // Only what is different is shown.
    let shown = agent.does("browser_click", json!({ "ref": greet })).await;
    assert!(shown.contains("changes of the snapshot") && shown.contains("Hello Ada"), "{shown}");
    assert!(!shown.contains("last of the things"), "{shown}");
    let whole = agent.does("browser_snapshot", json!({})).await;
    assert!(whole.contains("last of the things") && whole.contains("button \"Ask\""), "{whole}");

    // A dialog stays open until it is answered, and nothing else is done meanwhile.
    let shown = agent.does("browser_click", json!({ "target": format!("[ref={question}]") })).await;
    assert!(shown.contains("Sure?") && shown.contains("browser_handle_dialog"), "{shown}");
    assert!(agent.fails("browser_snapshot", json!({})).await.contains("browser_handle_dialog"));
    let shown = agent.does("browser_handle_dialog", json!({ "accept": true })).await;
    assert!(shown.contains("true"), "{shown}");

    let result = agent.ask("browser_take_screenshot", json!({})).await;
    let picture = &result["content"][1];
    assert_eq!((&picture["type"], &picture["mimeType"]), (&json!("image"), &json!("image/jpeg")));
    let data = picture["data"].as_str().expect("data");
    assert!(BASE64.decode(data.as_bytes()).expect("base64").starts_with(&[0xff, 0xd8]));
    let value = agent.does("browser_evaluate", json!({ "function": "() => ({ sum: 6 * 7 })" })).await;
    assert!(value.contains(r#"{"sum":42}"#), "{value}");
    let of_element = json!({ "element": "the button", "ref": greet, "function": "element => element.tagName" });
    assert!(agent.does("browser_evaluate", of_element).await.contains("BUTTON"));
    agent.does("browser_evaluate", json!({ "function": "() => console.error('so bad')" })).await;
    let console = agent.does("browser_console_messages", json!({ "level": "error" })).await;
    assert!(console.contains("[ERROR] so bad"), "{console}");

    let tabs = agent.does("browser_tabs", json!({ "action": "new", "url": "data:text/html,<p>second" })).await;
    assert!(tabs.contains("second"), "{tabs}");
    let tabs = agent.does("browser_tabs", json!({ "action": "list" })).await;
    assert!(tabs.contains("- 0: [Shop]") && tabs.contains("- 1: (current)"), "{tabs}");
    let shown = agent.does("browser_tabs", json!({ "action": "select", "index": 0 })).await;
    assert!(shown.contains("Hello Ada"), "{shown}");
    agent.does("browser_close", json!({})).await;
    let shown = agent.does("browser_snapshot", json!({})).await;
    assert!(shown.contains("second"), "{shown}");

    let why = agent.fails("browser_click", json!({ "target": "e999" })).await;
    assert!(why.contains("e999"), "{why}");
    let why = agent.fails("browser_click", json!({ "target": "p", "colour": "red" })).await;
    assert!(why.contains("colour"), "{why}");

    assert_eq!(agent.send("DELETE", "").await.status, 204);
    assert_eq!(agent.send("POST", &call_of("browser_snapshot", &json!({})).to_string()).await.status, 404);
    assert_eq!(sessions().await, json!([]));
}

in_each_browser!(agents_drive_pages);

/// Forms, waits, requests, a large screenshot, and tools that are asked for.
#[tokio::test]
async fn more_tools_are_listed_to_agents_that_ask_for_them() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let site = Site::start().await;
    let agent = Agent::begin(&proxy, "/mcp?caps=storage,vision,pdf,devtools,network,session&keep_alive=10m", &[]).await;
    let form = "data:text/html,<input placeholder=Name><input type=checkbox><select><option>a<option>b</select>\
        <script>setTimeout(() => document.body.append('arrived'), 200)</script>";
    let shown = agent.does("browser_navigate", json!({ "url": form })).await;
    let fields = json!([
        { "target": ref_in(&shown, "textbox"), "name": "Name", "type": "textbox", "value": "Ada" },
        { "target": ref_in(&shown, "checkbox"), "name": "Box", "type": "checkbox", "value": "true" },
        { "target": ref_in(&shown, "combobox"), "name": "List", "type": "combobox", "value": "b" },
    ]);
    let shown = agent.does("browser_fill_form", json!({ "fields": fields })).await;
    assert!(shown.contains("checked") && shown.contains("Ada"), "{shown}");
    agent.does("browser_wait_for", json!({ "text": "arrived" })).await;

    agent.does("browser_navigate", json!({ "url": site.url("/page?a") })).await;
    let requests = agent.does("browser_network_requests", json!({})).await;
    assert!(requests.contains("/page?a => [200]"), "{requests}");
    agent.does("browser_cookie_set", json!({ "name": "c", "value": "v" })).await;
    assert!(agent.does("browser_cookie_list", json!({})).await.contains("\"c\""));
    agent.does("browser_localstorage_set", json!({ "key": "k", "value": "v" })).await;
    assert!(agent.does("browser_localstorage_list", json!({})).await.contains(r#"{"k":"v"}"#));
    let pdf = agent.ask("browser_pdf_save", json!({})).await;
    assert_eq!(pdf["content"][1]["resource"]["mimeType"], "application/pdf", "{}", said(&pdf));
    assert!(agent.does("browser_session_list", json!({})).await.contains(&agent.session));

    agent.does("browser_resize", json!({ "width": 3000, "height": 1000 })).await;
    let result = agent.ask("browser_take_screenshot", json!({ "type": "png" })).await;
    let data = BASE64.decode(result["content"][1]["data"].as_str().expect("data").as_bytes()).expect("base64");
    let pixels = |at: usize| u32::from_be_bytes(data[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((pixels(16), pixels(20)), (1568, 523));

    // With `filename` a result is a file of the session, which pages take and others read.
    let kept = async |tool: &str, mut arguments: Value, name: &str| {
        arguments["filename"] = json!(name);
        let result = agent.ask(tool, arguments).await;
        let words = said(&result);
        assert!(result["isError"] == false && words.contains(&format!("Saved as \"{name}\"")), "{tool}: {words}");
        assert_eq!(result["content"].as_array().map(Vec::len), Some(1), "{tool}: the model reads it, too");
        let path = format!("/v1/sessions/{}/files/{name}", agent.session);
        let answer = proxy.http("GET", &path, &[], "").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/octet-stream")));
        answer.body
    };
    assert!(kept("browser_take_screenshot", json!({ "type": "png" }), "shot.png").await.contains("PNG"));
    assert!(kept("browser_pdf_save", json!({}), "page.pdf").await.starts_with("%PDF-"));
    assert!(kept("browser_network_requests", json!({}), "requests.txt").await.contains("/page?a => [200]"));
    assert_eq!(
        kept("browser_evaluate", json!({ "function": "() => 'x'.repeat(3)" }), "value.json").await.trim(),
        "\"xxx\""
    );
    agent.does("browser_evaluate", json!({ "function": "() => console.log('logged')" })).await;
    assert!(kept("browser_console_messages", json!({}), "console.txt").await.contains("[LOG] logged"));
    let snapshot = kept("browser_snapshot", json!({}), "page.yml").await;
    assert!(!snapshot.is_empty() && !snapshot.contains("untrusted"), "{snapshot}");
    let why = agent.fails("browser_pdf_save", json!({ "filename": "../page.pdf" })).await;
    assert!(why.contains("name"), "{why}");
    let upload = "data:text/html,<input type=file onchange='this.files[0].text().then(text => document.title = text)'>";
    agent.does("browser_navigate", json!({ "url": upload })).await;
    agent.does("browser_file_upload", json!({ "target": "input", "paths": ["value.json"] })).await;
    eventually("the page has read the file", async || {
        agent.does("browser_evaluate", json!({ "function": "() => document.title" })).await.contains("xxx")
    })
    .await;

    // A session of a name outlives its agent.
    for _ in 0..2 {
        let named = Agent::begin(&proxy, "/mcp?session=shop", &[]).await;
        assert_eq!(named.session, Agent::begin(&proxy, "/mcp?session=shop", &[]).await.session);
        assert_eq!(named.send("DELETE", "").await.status, 204);
    }
    let answer = agent.proxy.http("POST", "/mcp?caps=humans", &[ACCEPT, JSON], &initialize().to_string()).await;
    assert!(answer.status == 400 && answer.body.contains("humans"), "{answer:?}");
}

/// What is answered to an agent of the protocol 2026-07-28 that can do this.
async fn answered(proxy: &Proxy, path: &str, can: Value, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": can,
    });
    let name = params["name"].as_str().map(str::to_owned);
    let mut headers = vec![ACCEPT, JSON, ("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method)];
    headers.extend(name.as_deref().map(|name| ("Mcp-Name", name)));
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer = proxy.http("POST", path, &headers, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{method}: {answer:?}");
    assert!(answer.header("mcp-session-id").is_none());
    body_of(&answer)["result"].clone()
}

/// A client that can ask its user does, and sends the call again with the answer; to another one the model is told to ask.
#[tokio::test]
async fn agents_ask_a_person() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let path = "/mcp?caps=human";
    let can = json!({ "elicitation": { "form": {} } });
    let call = async |can: &Value, more: Value| {
        let mut params = json!({ "name": "browser_ask_human", "arguments": { "question": "Log in, please." } });
        params.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        answered(&proxy, path, can.clone(), "tools/call", params).await
    };
    let open = json!({ "name": "browser_session", "arguments": { "action": "new" } });
    let opened = said(&answered(&proxy, path, json!({}), "tools/call", open).await);
    let id = opened.lines().next().and_then(|line| line.strip_prefix("session: ")).expect("an id").to_owned();
    let question = json!({ "arguments": { "question": "Log in, please.", "session": id } });
    let asked = call(&can, question.clone()).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let request = &asked["inputRequests"]["answer"];
    assert_eq!(request["method"], "elicitation/create", "{asked}");
    let message = request["params"]["message"].as_str().expect("a message");
    assert!(message.starts_with("Log in, please.\nThe page, for the address bar of Chrome: devtools://"), "{message}");
    // Where the link leads, a client is attached to the page.
    let (_, socket) = message.split_once("?ws=").expect("a link");
    let socket = socket.replace("%2F", "/").replace("%3A", ":");
    let client = proxy.connect_to(socket.strip_prefix(proxy.address()).expect("this server")).await;
    assert_eq!(client.ok(None, "Runtime.evaluate", json!({ "expression": "1 + 1" })).await["result"]["value"], 2);

    for (answer, words) in [
        (json!({ "action": "accept", "content": { "answer": "I am in" } }), "answered: I am in"),
        (json!({ "action": "accept", "content": {} }), "answered: done"),
        (json!({ "action": "decline" }), "does not want"),
        (json!({ "action": "cancel" }), "without an answer"),
    ] {
        let mut again = question.clone();
        again["inputResponses"] = json!({ "answer": answer });
        let told = said(&call(&can, again).await);
        assert!(told.contains(words), "{told}");
    }
    for cannot in [json!({}), json!({ "elicitation": { "url": {} } })] {
        let told = said(&call(&cannot, question.clone()).await);
        assert!(told.contains("Ask the person") && told.contains("Log in, please.\nThe page"), "{told}");
    }
    let agent = Agent::begin(&proxy, path, &[]).await;
    let told = agent.does("browser_ask_human", json!({ "question": "Which one?" })).await;
    assert!(told.contains("Ask the person") && told.contains("Which one?"), "{told}");
}

/// An agent of the protocol 2026-07-28: there is no session but the one that a tool opens.
#[tokio::test]
async fn agents_without_an_mcp_session_name_their_session() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let send = async |method: &str, params: Value| answered(&proxy, "/mcp", json!({}), method, params).await;
    let call = async |name: &str, arguments: Value| {
        said(&send("tools/call", json!({ "name": name, "arguments": arguments })).await)
    };
    let discovered = send("server/discover", json!({})).await;
    let versions = discovered["supportedVersions"].to_string();
    assert!(versions.contains("2026-07-28") && versions.contains("2025-11-25"), "{discovered}");
    let list = send("tools/list", json!({})).await;
    assert!(list["ttlMs"].is_number() && list["cacheScope"] == "private", "{list}");

    let why = call("browser_navigate", json!({ "url": PAGE })).await;
    assert!(why.contains("browser_session"), "{why}");
    let opened = call("browser_session", json!({ "action": "new" })).await;
    let id = opened.lines().next().and_then(|line| line.strip_prefix("session: ")).expect("an id").to_owned();
    call("browser_navigate", json!({ "url": PAGE, "session": id })).await;
    let shown = call("browser_snapshot", json!({ "session": id })).await;
    assert!(shown.contains("Greet"), "{shown}");
    call("browser_session", json!({ "action": "close", "session": id })).await;
    let why = call("browser_snapshot", json!({ "session": id })).await;
    assert!(why.contains("session") && !why.contains("Greet"), "{why}");
}

#[tokio::test]
async fn sessions_of_agents_belong_to_their_tenant() {
    let (acme, other) = (Tenant::new("acme"), Tenant::new("other"));
    let server = Server::start(&[&acme, &other], &[]).await;
    let begin = initialize().to_string();
    let without = server.proxy.http("POST", "/mcp", &[ACCEPT, JSON], &begin).await;
    assert_eq!((without.status, without.header("www-authenticate").is_some()), (401, true));
    let agent = Agent::begin(&server.proxy, "/mcp", &[("x-api-key", acme.text())]).await;
    agent.does("browser_navigate", json!({ "url": PAGE })).await;

    let stranger = Agent::begin(&server.proxy, "/mcp", &[("x-api-key", other.text())]).await;
    // By the header: as with an id that was never given.
    let as_other = |session: &str| Agent {
        proxy: &server.proxy,
        path: "/mcp",
        session: session.to_owned(),
        headers: stranger.headers.clone(),
    };
    let body = call_of("browser_snapshot", &json!({})).to_string();
    let unknown = "0".repeat(agent.session.len());
    for method in ["POST", "DELETE"] {
        let foreign = as_other(&agent.session).send(method, &body).await;
        let never = as_other(&unknown).send(method, &body).await;
        assert_eq!((foreign.status, never.status), (404, 404), "{method}: {foreign:?}");
        assert_eq!(foreign.body.replace(&agent.session, &unknown), never.body);
    }
    // By the argument of a tool.
    let foreign = stranger.fails("browser_snapshot", json!({ "session": agent.session })).await;
    let never = stranger.fails("browser_snapshot", json!({ "session": unknown })).await;
    assert_eq!(foreign.replace(&agent.session, &unknown), never);
    assert!(agent.does("browser_snapshot", json!({})).await.contains("Greet"));
}

/// `ghostmux mcp` is a program that an agent starts.
#[tokio::test]
async fn command_hands_messages_on_and_ends_its_session() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_ghostmux"))
        .args(["mcp", "--server", &proxy.url(), "--caps", "pdf"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut input = child.stdin.take().expect("piped");
    let output = child.stdout.take().expect("piped");
    let (lines, ended) = tokio::task::spawn_blocking(move || {
        let mut output = BufReader::new(output);
        let mut send = |message: Value| {
            writeln!(input, "{message}").expect("written");
            let mut line = String::new();
            if message.get("id").is_some() {
                output.read_line(&mut line).expect("a line");
            }
            serde_json::from_str::<Value>(&line).unwrap_or_default()
        };
        let lines = [
            send(initialize()),
            send(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })),
            send(json!({ "jsonrpc": "2.0", "id": "list", "method": "tools/list" })),
            send(call_of("browser_navigate", &json!({ "url": PAGE }))),
            send(call_of("browser_snapshot", &json!({}))),
        ];
        drop(input);
        (lines, child.wait().expect("it ends"))
    })
    .await
    .expect("no panic");
    assert!(ended.success());
    let [begun, _, list, _, snapshot] = lines;
    assert_eq!(begun["result"]["serverInfo"]["name"], "ghostmux");
    assert_eq!(list["id"], "list");
    assert_eq!(list["result"]["tools"].as_array().map(Vec::len), Some(22));
    assert!(said(&snapshot["result"]).contains("Greet"), "{snapshot}");
    eventually("the session has ended", async || {
        ok(&proxy, "GET", "/v1/sessions", Value::Null).await["sessions"] == json!([])
    })
    .await;
}

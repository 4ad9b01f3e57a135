//! The endpoint of agents: called by a page, by a name that leads to this server, and with the session of another tenant.

use serde_json::{Value, json};

use super::stage::Stage;
use crate::{
    browsers::{Browser, in_each_browser},
    mcp::{call_of, initialize},
    rest::{body_of, ok},
    tenants::{Server, Tenant},
};

const ACCEPT: (&str, &str) = ("Accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// J20: a page knows the protocol, and the id of a session.
async fn pages_cannot_act_as_agents(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let canary = ok(&stage.proxy, "POST", "/v1/sessions", json!({ "keepAlive": 600_000 })).await;
    let id = canary["id"].as_str().expect("an id");
    let count = async || {
        let sessions = ok(&stage.proxy, "GET", "/v1/sessions", Value::Null).await;
        sessions["sessions"].as_array().map(Vec::len)
    };
    let pages = async || {
        let pages = ok(&stage.proxy, "GET", &format!("/v1/sessions/{id}/pages"), Value::Null).await;
        let pages = pages["pages"].as_array().cloned().unwrap_or_default();
        pages.iter().map(|page| page["url"].clone()).collect::<Vec<_>>()
    };
    let before = (count().await, pages().await);
    let act = call_of("browser_navigate", &json!({ "url": "data:,attacked", "session": id }));
    let page = stage.attacker.client.page_at(&stage.site.url("/page?attacker")).await;
    for body in [initialize().to_string(), act.to_string()] {
        for how in ["{}", "{ mode: 'no-cors' }"] {
            for kind in ["application/json", "text/plain"] {
                let script = format!(
                    "fetch('{}/mcp', {{ method: 'POST', body: {}, ...{how}, headers: {{ 'content-type': '{kind}',
                        accept: 'application/json, text/event-stream' }} }}).then(a => a.text(), e => e.name)",
                    stage.proxy.url(),
                    json!(body)
                );
                let read = stage.attacker.client.evaluate(&page.session, &script).await.to_string();
                assert!(!read.contains("jsonrpc"), "J20: {how} {kind}: {read}");
            }
        }
    }
    assert_eq!((count().await, pages().await), before, "J20: a page opened a session, or acted in one");
    // A name of the attacker that leads to this server: its pages have this server as their own origin.
    let port = stage.proxy.address().rsplit(':').next().expect("a port").to_owned();
    let rebound = format!("attacker.example:{port}");
    let origin = format!("http://{rebound}");
    let own = stage.proxy.address().to_owned();
    for (host, origin) in [(&rebound, None), (&rebound, Some(&origin)), (&own, Some(&origin))] {
        let mut headers = vec![ACCEPT, JSON, ("Host", host.as_str())];
        headers.extend(origin.map(|origin| ("Origin", origin.as_str())));
        let answer = stage.proxy.http("POST", "/mcp", &headers, &initialize().to_string()).await;
        assert!(answer.status >= 400 && answer.header("mcp-session-id").is_none(), "J20: {host}: {answer:?}");
    }
    stage.unharmed("J20").await;
}

in_each_browser!(pages_cannot_act_as_agents);

/// J21: a tenant knows the id of another one's session, opened or not, and of one that was opened by CDP.
#[tokio::test]
async fn agents_reach_no_session_of_another_tenant() {
    let (victim, attacker) = (Tenant::new("victim"), Tenant::new("attacker"));
    let server = Server::start(&[&victim, &attacker], &[]).await;
    let as_victim = [ACCEPT, JSON, ("x-api-key", victim.text())];
    let begun = server.proxy.http("POST", "/mcp", &as_victim, &initialize().to_string()).await;
    let minted = begun.header("mcp-session-id").expect("a session").to_owned();
    let opened = server.ok(&victim, "POST", "/v1/sessions", json!({ "keepAlive": 600_000 })).await;
    let opened = opened["id"].as_str().expect("an id");
    let pages = format!("/v1/sessions/{opened}/pages");
    let urls =
        |pages: &Value| pages["pages"].as_array().map(|all| all.iter().map(|page| page["url"].clone()).collect());
    let before: Option<Vec<_>> = urls(&server.ok(&victim, "GET", &pages, Value::Null).await);
    for id in [minted.as_str(), opened] {
        for (tool, arguments) in [
            ("browser_navigate", json!({ "url": "data:,attacked" })),
            ("browser_tabs", json!({ "action": "list" })),
            ("browser_session", json!({ "action": "close" })),
        ] {
            let by_header = [ACCEPT, JSON, ("x-api-key", attacker.text()), ("Mcp-Session-Id", id)];
            let answer = server.proxy.http("POST", "/mcp", &by_header, &call_of(tool, &arguments).to_string()).await;
            assert_eq!(answer.status, 404, "J21: {tool} {answer:?}");
            let mut named = arguments.clone();
            named["session"] = json!(id);
            let answer = server.proxy.http("POST", "/mcp", &by_header[..3], &call_of(tool, &named).to_string()).await;
            assert_eq!(body_of(&answer)["result"]["isError"], true, "J21: {tool} {answer:?}");
        }
        let ending = [("x-api-key", attacker.text()), ("Mcp-Session-Id", id)];
        assert_eq!(server.proxy.http("DELETE", "/mcp", &ending, "").await.status, 404, "J21");
    }
    assert_eq!(urls(&server.ok(&victim, "GET", &pages, Value::Null).await), before, "J21");
    let own = [&as_victim[..], &[("Mcp-Session-Id", minted.as_str())]].concat();
    let call = call_of("browser_navigate", &json!({ "url": "data:,attacked" })).to_string();
    let answer = server.proxy.http("POST", "/mcp", &own, &call).await;
    assert_eq!(body_of(&answer)["result"]["isError"], false, "J21: {answer:?}");
}

//! The other interfaces to the same sessions agree: browserless's endpoints, the metrics, the
//! `ghost` domain.

use std::{collections::HashMap, time::Duration};

use serde_json::{Value, json};

use super::{JSON, body_of, connect, create, id_of, is_problem, ok, send};
use crate::{
    browsers::Browser,
    definition::is_of,
    files,
    proxy::{Proxy, eventually},
    site::Site,
};

/// The gauges of `/metrics`.
async fn gauges(proxy: &Proxy) -> HashMap<String, u64> {
    let answer = proxy.http("GET", "/metrics", &[], "").await;
    let line = |line: &str| Some((line.split(' ').next()?.to_owned(), line.split(' ').nth(1)?.parse().ok()?));
    answer.body.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn browserless_endpoints_answer_as_documented() {
    let proxy = Proxy::start(Browser::any(), &["--max-sessions", "3"]).await;
    let session = create(&proxy, json!({"name": "tracked"})).await;
    create(&proxy, Value::Null).await;
    let client = connect(&proxy, &session).await;
    // It counts from its first answer on.
    client.ok(None, "Browser.getVersion", json!({})).await;
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
    let closed = client.end().await;
    assert!(closed.starts_with("4003"), "{closed}");
    is_problem(&proxy.http("GET", &kill, &[], "").await, 404, "no-session", id_of(&session));
    assert_eq!(ok(&proxy, "GET", "/sessions", Value::Null).await.as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_session_counts_agree() {
    let proxy = Proxy::start(Browser::any(), &["--warm", "0"]).await;
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
        let agreed = tokio::time::timeout(Duration::from_secs(15), eventually(what, same)).await;
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

/// Every command that drives a page.
async fn drive_a_page(ghost: &impl AsyncFn(&str, Value) -> Value, site: &Site) {
    const FORM: &str = "data:text/html,<input id=text><input id=check type=checkbox><input id=file type=file><select id=list><option>a</select>\
                        <button id=ask onclick=confirm()>";
    let page = ghost("ghost.newPage", json!({ "url": FORM })).await["targetId"].clone();
    let on_page = async |command: &str, params: Value| {
        let mut params = params;
        params["page"] = page.clone();
        ghost(&format!("ghost.{command}"), params).await
    };
    on_page("pageGoto", json!({ "url": FORM.replace("id=text", "id=text value=b") })).await;
    on_page("pageScripting", json!({ "enabled": true })).await;
    for command in ["pageBack", "pageForward", "pageReload", "pageScreenshot", "pagePdf", "pageLinks", "pageSnapshot"] {
        on_page(command, json!({})).await;
    }
    let text = |more: Value| {
        let mut params = json!({ "selector": "#text" });
        params.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        params
    };
    for command in ["Click", "Dblclick", "Hover", "Focus", "Clear", "Scroll", "Text", "Html", "Attributes", "Query"] {
        on_page(&format!("page{command}"), text(json!({}))).await;
    }
    on_page("pageType", text(json!({ "text": "a" }))).await;
    on_page("pageFill", text(json!({ "value": "b" }))).await;
    on_page("pagePress", text(json!({ "key": "Enter" }))).await;
    on_page("pageWait", text(json!({ "state": "visible" }))).await;
    on_page("pageSelect", json!({ "selector": "#list", "values": ["a"] })).await;
    on_page("pageCheck", json!({ "selector": "#check" })).await;
    on_page("pageUncheck", json!({ "selector": "#check" })).await;
    assert_eq!(on_page("pageEvaluate", json!({ "expression": "6 * 7" })).await["value"], 42);
    for command in ["pageTap", "pageBlur"] {
        on_page(command, text(json!({}))).await;
    }
    on_page("pageDrag", json!({ "source": { "selector": "#text" }, "target": { "selector": "#check" } })).await;
    on_page("pageFillForm", json!({ "fields": [{ "selector": "#text", "value": "c" }] })).await;
    on_page("pageUpload", json!({ "selector": "#file", "files": [{ "name": "a.txt", "content": "YQ==" }] })).await;
    on_page("pageViewport", json!({ "width": 600, "height": 500 })).await;
    on_page("pageEmulate", json!({ "timezone": "Asia/Tokyo" })).await;
    on_page("pageHeaders", json!({ "headers": { "a": "b" } })).await;
    on_page("pagePermissions", json!({ "reset": true })).await;
    on_page("pageAuthenticate", json!({ "username": "ada", "password": "x" })).await;
    on_page("pageCdp", json!({ "method": "DOM.getDocument" })).await;
    on_page("pageRoute", json!({ "url": "**/never" })).await;
    for command in ["Unroute", "Scripts", "Cookies", "Markdown", "Console", "Network"] {
        on_page(&format!("page{command}"), json!({})).await;
    }
    on_page("pageClick", json!({ "selector": "#ask", "expect": { "dialog": { "leave": true } } })).await;
    on_page("pageDialog", json!({ "accept": true })).await;
    on_page("pageActions", json!({ "actions": [{ "action": "text" }] })).await;
    on_page("pageEvaluate", json!({ "expression": "[]", "handle": true, "console": true })).await;
    on_page("releaseHandles", json!({})).await;
    on_page("pageGoto", json!({ "url": site.url("/page") })).await;
    on_page("pageStorage", json!({ "set": { "a": "b" } })).await;
    on_page("closePage", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ghost_domain_matches_its_definition() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
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
    // Both interfaces use one service.
    assert_eq!(ok(&proxy, "GET", &format!("/v1/sessions/{}", id_of(&other)), Value::Null).await, other);
    ghost("ghost.updateSession", json!({"timeout": 1_800_000})).await;
    is_of("ghost.sessionUpdated", &client.event("ghost.sessionUpdated").await["params"]);
    is_of("ghost.sessionExpiring", &client.event("ghost.sessionExpiring").await["params"]);
    ghost("ghost.getUsage", json!({})).await;
    assert_eq!(ghost("ghost.getEgress", json!({})).await["egress"]["isGated"], false);
    let page = client.page().await;
    let joined = proxy.connect_to(&format!("/devtools/page/{}", page.target)).await;
    is_of("ghost.clientAttached", &client.event("ghost.clientAttached").await["params"]);
    drop(joined);
    is_of("ghost.clientDetached", &client.event("ghost.clientDetached").await["params"]);
    ghost("ghost.closeSession", json!({"id": other["id"]})).await;
    let saved = ghost("ghost.saveSnapshot", json!({})).await["snapshot"].clone();
    let named = json!({"snapshot": saved["id"]});
    is_of("ghost.snapshotSaved", &client.event("ghost.snapshotSaved").await["params"]);
    ghost("ghost.restoreSnapshot", json!({"snapshot": saved["id"], "mode": "merge"})).await;
    is_of("ghost.snapshotRestored", &client.event("ghost.snapshotRestored").await["params"]);
    ghost("ghost.cloneSession", json!({})).await;
    ghost("ghost.listSnapshots", json!({})).await;
    assert_eq!(ghost("ghost.getSnapshot", named.clone()).await["snapshot"], saved);
    let data =
        ghost("ghost.exportSnapshot", json!({"snapshot": saved["id"], "format": "ghostmux"})).await["data"].clone();
    ghost("ghost.importSnapshot", json!({"data": data})).await;
    ghost("ghost.deleteSnapshot", named).await;
    let with_profile =
        ghost("ghost.createSession", json!({"profile": "shop", "persist": true})).await["session"].clone();
    ghost("ghost.closeSession", json!({"id": with_profile["id"]})).await;
    ghost("ghost.listProfiles", json!({})).await;
    for command in ["getProfile", "exportProfile", "deleteProfile"] {
        ghost(&format!("ghost.{command}"), json!({"profile": "shop"})).await;
    }
    files::allow(&client).await;
    let page = client.page_at("data:text/html,<body>x").await;
    files::download(&client, &page, "data:text/plain,x").await;
    let finished = client.event("ghost.downloadFinished").await["params"].clone();
    ghost("ghost.listDownloads", json!({"wait": 1000})).await;
    ghost("ghost.deleteDownload", json!({"download": finished["download"]["id"]})).await;
    assert_eq!(files::put(&proxy, id_of(&own), "a", "x").await.status, 200);
    ghost("ghost.listFiles", json!({})).await;
    ghost("ghost.deleteFile", json!({"name": "a"})).await;
    drive_a_page(&ghost, &Site::start().await).await;
    let path = format!("/v1/sessions/{}/pages/first/text", id_of(&own));
    let begun = proxy.http("POST", &path, &[JSON, ("Prefer", "respond-async")], "{}").await;
    let job = body_of(&begun)["id"].clone();
    ghost("ghost.listJobs", json!({})).await;
    assert_eq!(ghost("ghost.getJob", json!({"job": job, "wait": 10_000})).await["job"]["state"], "done");
    ghost("ghost.deleteJob", json!({"job": job})).await;
    let secret = json!({ "secret": "s", "value": "long enough", "origins": ["https://example.com"] });
    assert_eq!(ghost("ghost.putSecret", secret).await["secret"]["name"], "s");
    assert_eq!(ghost("ghost.listSecrets", json!({})).await["secrets"][0]["hasValue"], true);
    ghost("ghost.deleteSecret", json!({"secret": "s"})).await;
    ghost("ghost.disable", json!({})).await;
    ghost("ghost.park", json!({})).await;
    assert!(client.end().await.starts_with("1000"));
    let events = client.events();
    for event in events.iter().filter(|event| event["method"].as_str().is_some_and(|name| name.starts_with("ghost."))) {
        is_of(event["method"].as_str().expect("a name"), &event["params"]);
    }
    // Every command of the definition was sent above, and every event arrived except those of a lost
    // browser, of a lost profile, of user data, and of gates.
    let domain = ghostmux::api_types::Domain::ghost();
    for event in domain.events.iter().filter(|event| {
        let absent = ["browserLost", "profileLost", "userDataTooLarge", "egressFailed", "egressExhausted"];
        !absent.contains(&&*event.name)
    }) {
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

//! Attacks by the actions on the state of a page: other sessions' cookies, requests and targets, files of the host, passwords
//! for the wrong server, and the memory of the server.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
    pages::Driven,
    proxy::Proxy,
    site::Site,
};

async fn the_state_of_a_page_is_its_own(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &["--strict", "--page-log-size", "64KiB"]).await, Site::start().await);
    let (victim, page) = (Driven::with(&proxy, "").await, Driven::with(&proxy, "").await);
    let url = site.url("/page");
    victim.does("goto", json!({ "url": url })).await;
    page.does("goto", json!({ "url": url })).await;
    let cdp = |method: &str, params: Value| json!({ "method": method, "params": params });
    let target = victim.path.rsplit('/').next().expect("an id").to_owned();
    let info = victim.does("cdp", cdp("Target.getTargetInfo", json!({}))).await;
    let context = text(&info["result"]["targetInfo"], "browserContextId");

    // V16: cookies, storage and permissions of another session.
    victim.does("cookies", json!({ "set": [{ "name": "secret", "value": "1", "url": url }] })).await;
    victim.does("storage", json!({ "set": { "secret": "1" } })).await;
    assert_eq!(page.does("cookies", json!({})).await["cookies"], json!([]), "V16");
    assert_eq!(page.does("storage", json!({ "clear": true })).await["items"], json!({}), "V16");
    page.does("cookies", json!({ "clear": true })).await;
    page.does("permissions", json!({ "permissions": ["geolocation"] })).await;
    for (method, params) in [
        ("Storage.getCookies", json!({})),
        ("Storage.clearCookies", json!({})),
        ("Storage.setCookies", json!({ "cookies": [{ "name": "a", "value": "b", "url": url }] })),
        ("Browser.grantPermissions", json!({ "permissions": ["notifications"] })),
        ("Target.createTarget", json!({ "url": "about:blank" })),
    ] {
        let mut params = params;
        params["browserContextId"] = context.as_str().into();
        page.fails("cdp", cdp(method, params), 422, "command-refused", "ontext").await;
    }
    assert_eq!(victim.does("cookies", json!({})).await["cookies"][0]["name"], "secret", "V16");
    assert_eq!(victim.does("storage", json!({})).await["items"], json!({ "secret": "1" }), "V16");
    let state = "navigator.permissions.query({ name: 'geolocation' }).then(status => status.state)";
    assert_ne!(victim.value(state).await, "granted", "V16");

    // V17: requests of another session.
    page.does("route", json!({ "url": "**", "action": "fulfill", "body": "forged" })).await;
    page.does("network", json!({})).await;
    assert_ne!(victim.value("fetch('/other').then(answer => answer.text())").await, "forged", "V17");
    assert_eq!(page.does("route", json!({})).await["routes"][0]["requests"], 0, "V17");
    assert_eq!(page.does("network", json!({})).await["har"]["log"]["entries"], json!([]), "V17");
    page.does("unroute", json!({})).await;

    // V18: commands on the browser and on targets of others.
    for (method, params, word) in [
        ("Target.attachToTarget", json!({ "targetId": target, "flatten": true }), "No target"),
        ("Target.getTargetInfo", json!({ "targetId": target }), "No target"),
        ("Target.closeTarget", json!({ "targetId": target }), "target"),
        ("Target.activateTarget", json!({ "targetId": target }), "target"),
        ("Target.exposeDevToolsProtocol", json!({ "targetId": target }), "refused"),
        ("Target.setRemoteLocations", json!({ "locations": [] }), "refused"),
        ("Target.getBrowserContexts", json!({}), "Not allowed"),
        ("Target.disposeBrowserContext", json!({ "browserContextId": context }), "Not allowed"),
        ("Browser.crash", json!({}), "refused"),
        ("Browser.getBrowserCommandLine", json!({}), "refused"),
        ("Tracing.start", json!({}), "refused"),
        ("SystemInfo.getInfo", json!({}), "refused"),
        ("ghost.listSessions", json!({}), "wasn't found"),
        ("Page.reload\",\"sessionId\":\"x", json!({}), "wasn't found"),
        (
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": 9e6, "height": 9e6, "deviceScaleFactor": 1, "mobile": false }),
            "",
        ),
    ] {
        page.fails("cdp", cdp(method, params), 422, "command-refused", word).await;
    }
    let all = page.does("cdp", cdp("Target.getTargets", json!({}))).await.to_string();
    assert!(!all.contains(&target) && !all.contains(&context), "V18: {all}");
    assert_eq!(victim.value("1 + 1").await, 2, "V18");

    // V19: files of the host, and pages of Chrome's own.
    for method in ["Page.navigate", "Target.createTarget"] {
        page.fails("cdp", cdp(method, json!({ "url": "file:///etc/hostname" })), 422, "command-refused", "refused")
            .await;
    }
    let root = page.does("cdp", cdp("DOM.getDocument", json!({}))).await["result"]["root"]["nodeId"].clone();
    let files = cdp("DOM.setFileInputFiles", json!({ "files": ["/etc/hostname"], "nodeId": root }));
    page.fails("cdp", files, 422, "command-refused", "").await;
    for to in ["file:///etc/hostname", "chrome://version"] {
        let moved = json!({ "url": "**/moved", "action": "fulfill", "status": 302, "headers": { "Location": to } });
        page.does("route", moved).await;
        page.fails("goto", json!({ "url": site.url("/moved") }), 502, "not-loaded", "net::ERR_").await;
        page.does("unroute", json!({})).await;
    }
    page.does("scripts", json!({ "add": "if (location.href === 'about:blank') location = 'file:///etc/hostname'" }))
        .await;
    page.does("goto", json!({ "url": "about:blank" })).await;
    assert_eq!(page.value("location.href").await, "about:blank", "V19");
    page.fails("storage", json!({ "origin": "file://" }), 422, "not-possible", "").await;

    // V20: a page that writes, asks for and nests more than the server should keep.
    page.does("goto", json!({ "url": url })).await;
    page.does("console", json!({})).await;
    page.does("network", json!({})).await;
    let flood = "(async () => { for (let i = 0; i < 300; i++) console.log('x'.repeat(20_000)); \
                 for (let i = 0; i < 40; i++) await fetch('/x?' + 'y'.repeat(20_000)).catch(() => {}); })()";
    page.value(flood).await;
    for action in ["console", "network"] {
        let said = page.does(action, json!({})).await;
        assert!(
            said["dropped"].as_u64() > Some(0) && said.to_string().len() < 200_000,
            "V20: {action}: {}",
            said["dropped"]
        );
    }
    let nest = "(() => { let at = document.body; for (let i = 0; i < 1_000; i++) at = at.appendChild(document.createElement(i % 2 ? 'div' : 'blockquote')); \
                at.textContent = 'deep'; let p = document.createElement('p'); document.body.append(p); \
                for (let i = 0; i < 300; i++) { const b = document.createElement('b'); b.setAttribute('a' + i, ''); p = p.appendChild(b) } \
                for (let i = 0; i < 1000; i++) p.append(document.createElement('p')); })()";
    page.value(nest).await;
    let markdown = text(&page.does("markdown", json!({})).await, "markdown");
    assert!(markdown.contains("deep") && markdown.len() < 100_000, "V20: {} bytes", markdown.len());
    assert_eq!(page.value("1 + 1").await, 2, "V20");

    // V21: a password for another server than the one that it is for.
    page.does("authenticate", json!({ "username": "ada", "password": "secret", "origin": site.origin() })).await;
    page.does("goto", json!({ "url": site.url_at("localhost", "/page") })).await;
    let said = page.value("fetch('/private?other', { signal: AbortSignal.timeout(2000) }).then(answer => answer.status, () => 'failed')").await;
    assert_ne!(said, 200, "V21");
    let asked = site.requests().into_iter().filter(|request| request.path == "/private?other");
    assert!(asked.clone().count() > 0 && asked.clone().all(|request| !request.head.contains("Authorization")), "V21");
}

in_each_browser!(the_state_of_a_page_is_its_own);

//! Actions on pages by HTTP: pages of others, forbidden URLs, scripts, hostile pages, and locators that take for ever.

use serde_json::json;

use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
    pages::Driven,
    proxy::Proxy,
    rest::{JSON, body_of, create, id_of, is_problem},
    site::Site,
};

/// What a hostile page changes, before an action looks at it.
const HOSTILE: &str = "<p id=real>real</p><button id=button>Go</button><script>
    window.learned = [];
    const learn = (name, value) => { learned.push(name); return value };
    for (const [of, name] of [[Document.prototype, 'querySelectorAll'], [Element.prototype, 'querySelectorAll'],
        [Element.prototype, 'getBoundingClientRect'], [Element.prototype, 'getClientRects'], [Promise.prototype, 'then'],
        [Array.prototype, 'map'], [JSON, 'stringify'], [Element.prototype, 'matches'], [window, 'requestAnimationFrame']])
        of[name] = () => learn(name, []);
    for (const [of, name] of [[HTMLElement.prototype, 'innerText'], [Node.prototype, 'textContent'], [Node.prototype, 'isConnected']])
        Object.defineProperty(of, name, { get: () => learn(name, 'forged') });
    Object.defineProperty(window, 'ghostmux', { get: () => learn('ghostmux', { run: () => ({ status: 'done', text: 'forged' }) }), set: () => learn('ghostmux') });
    Object.prototype.status = 'done';
    Object.prototype.text = 'forged';
</script>";

async fn driven_pages_give_no_access(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &["--strict"]).await, Site::start().await);
    let page = Driven::with(&proxy, HOSTILE).await;

    // V01: the page of another session, by the path of one's own.
    let other = create(&proxy, json!({})).await;
    let target = page.path.rsplit('/').next().expect("an id").to_owned();
    let pages = format!("/v1/sessions/{}/pages", id_of(&other));
    for (method, path) in [
        ("POST", format!("{pages}/{target}/text")),
        ("POST", format!("{pages}/{target}/evaluate")),
        ("DELETE", format!("{pages}/{target}")),
    ] {
        let answer = proxy.http(method, &path, &[JSON], "{}").await;
        assert_eq!(answer.status, 404, "V01: {}", answer.body);
        is_problem(&answer, 404, "no-page", &target);
    }

    // V02: URLs that a client may not open.
    for url in [
        "chrome://version",
        "file:///etc/passwd",
        "view-source:chrome://gpu",
        " \tFILE:/etc/passwd",
        "devtools://devtools/bundled/x",
        "about:gpu",
        "chrome-extension://x/y",
    ] {
        page.fails("goto", json!({ "url": url }), 403, "url-refused", "").await;
        let answer = proxy.http("POST", &pages, &[JSON], &json!({ "url": url }).to_string()).await;
        is_problem(&answer, 403, "url-refused", "");
    }
    assert_eq!(page.value("location.href").await, "about:blank", "V02");

    // V04: a page that changes all that a script in it would use learns nothing and forges nothing.
    assert_eq!(page.does("text", json!({ "selector": "#real" })).await["text"], "real", "V04");
    page.does("click", json!({ "locator": { "role": "button", "name": "Go" } })).await;
    page.does("snapshot", json!({})).await;
    let missing = json!({ "selector": "#nothing", "timeout": 1000 });
    page.fails("click", missing, 504, "action-timeout", "no element matches").await;
    assert_eq!(page.value("learned.filter(name => name !== 'then').join()").await, "", "V04");

    // V03: a script in the isolated world has no more network than the page.
    page.does("goto", json!({ "url": site.url("/page") })).await;
    for world in ["main", "isolated"] {
        let fetch = "async url => { try { return (await fetch(url, { method: 'POST', body: '{}' })).status } catch (error) { return error.name } }";
        let args = json!([format!("{}/v1/sessions", proxy.url())]);
        let said = page.does("evaluate", json!({ "function": fetch, "args": args, "world": world })).await;
        assert!(["TypeError".into(), json!(403)].contains(&said["value"]), "V03: {world}: {said}");
    }

    // V05: work that does not end in the time of the action.
    page.value("(() => { document.body.innerHTML = '<p>' + 'a'.repeat(40) + '!'; })()").await;
    let bombs = [
        ("click", json!({ "selector": "text=/^(a+)+$/", "timeout": 300 })),
        ("evaluate", json!({ "expression": "for (;;);", "world": "isolated", "timeout": 300 })),
        ("evaluate", json!({ "expression": "/^(a+)+$/.test('a'.repeat(40) + '!')", "timeout": 300 })),
    ];
    for (action, body) in bombs {
        page.fails(action, body, 504, "action-timeout", "").await;
        assert_eq!(page.value("1 + 1").await, 2, "V05: {action}");
    }
    let deep = (0..300).fold(json!({ "css": "a" }), |inner, _| json!({ "css": "a", "has": inner }));
    let answer = page.ask("query", &json!({ "locator": deep })).await;
    assert_eq!(answer.status, 400, "V05: {}", answer.body);
}

in_each_browser!(driven_pages_give_no_access);

async fn users_of_pages_reach_nothing_of_others(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &["--strict"]).await, Site::start().await);
    let page = Driven::with(&proxy, "<input type=file multiple><button onclick='confirm(1)'>x</button>").await;
    let session = |page: &Driven<'_>| page.path.split("/pages/").next().unwrap_or_default().to_owned();
    let other = Driven::with(&proxy, "<button onclick='this.textContent = confirm(1)'>x</button>").await;
    for (of, name) in [(&page, "own"), (&other, "theirs")] {
        let put = proxy.http("PUT", &format!("{}/files/{name}", session(of)), &[], name).await;
        assert_eq!(put.status, 200);
    }

    // V06: files of others.
    let theirs = body_of(&proxy.http("GET", &format!("{}/files", session(&other)), &[], "").await);
    let path = text(&theirs["files"][0], "path");
    for name in ["theirs", "../files/own", "../../theirs", "/etc/passwd", &path, "..", "", "own/", "own\0", "files/own"]
    {
        for (action, body) in [
            ("upload", json!({ "selector": "input", "files": [{ "name": "own" }, { "name": name }] })),
            ("click", json!({ "selector": "button", "expect": { "fileChooser": { "files": [{ "name": name }] } } })),
        ] {
            let answer = page.ask(action, &body).await;
            assert!([400, 404].contains(&answer.status), "V06: {action} {name:?}: {}", answer.body);
        }
    }
    assert_eq!(page.value("document.querySelector('input').files.length").await, 0, "V06");
    let wrong = json!({ "selector": "input", "files": [{ "name": "../x", "content": "eA==" }] });
    page.fails("upload", wrong, 400, "bad-value", "separator").await;

    // V07: dialogs of others.
    other.does("click", json!({ "selector": "button", "expect": { "dialog": { "leave": true } } })).await;
    let target = other.path.rsplit('/').next().expect("an id");
    for path in [format!("{}/pages/{target}/dialog", session(&page)), format!("{}/dialog", page.path)] {
        let answer = proxy.http("POST", &path, &[JSON], r#"{"accept":true}"#).await;
        assert!([404, 409].contains(&answer.status), "V07: {}", answer.body);
    }
    other.does("dialog", json!({ "accept": true })).await;
    let answered = other.does("text", json!({ "selector": "button" })).await;
    assert_eq!(answered["text"], "true", "V07");

    // V08: a page that does all of it without end.
    page.does("goto", json!({ "url": site.url("/page") })).await;
    page.fails("evaluate", json!({ "expression": "for (;;) alert('x')", "timeout": 300 }), 504, "action-timeout", "")
        .await;
    assert_eq!(page.value("1 + 1").await, 2, "V08");
    let flood = "(() => { for (let n = 0; n < 50; n++) { setTimeout(() => { throw n }); alert(n) } })()";
    let said = page.does("evaluate", json!({ "expression": flood })).await;
    assert_eq!(said["dialogs"].as_array().map(Vec::len), Some(20), "V08: {said}");
    assert!(said["omitted"].as_u64() >= Some(30), "V08: {said}");
}

in_each_browser!(users_of_pages_reach_nothing_of_others);

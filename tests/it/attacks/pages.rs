//! Actions on pages by HTTP: pages of others, forbidden URLs, scripts, hostile pages, and locators that take for ever.

use serde_json::json;

use crate::{
    browsers::{Browser, in_each_browser},
    pages::Driven,
    proxy::Proxy,
    rest::{JSON, create, id_of, is_problem},
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

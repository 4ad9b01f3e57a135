//! Pages driven by `/v1/sessions/ID/pages`, without a CDP client and beside one.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
    definition::is_of,
    proxy::{Answer, Proxy, eventually},
    rest::{JSON, body_of, connect, create, id_of, is_problem, ok},
    site::Site,
};

const LOCATORS: &str = include_str!("../../fixtures/locators.html");

/// A page of a session, and how to drive it.
pub(crate) struct Driven<'a> {
    pub(crate) proxy: &'a Proxy,
    pub(crate) path: String,
}

impl<'a> Driven<'a> {
    /// A new session without a client, and a page of it with this content.
    pub(crate) async fn with(proxy: &'a Proxy, content: &str) -> Self {
        let session = create(proxy, json!({})).await;
        let pages = format!("/v1/sessions/{}/pages", id_of(&session));
        let page = ok(proxy, "POST", &pages, json!({})).await;
        is_of("ghost.newPage", &page);
        let driven = Self { proxy, path: format!("{pages}/{}", text(&page, "targetId")) };
        driven
            .does(
                "evaluate",
                json!({ "function": "html => { document.write(html); document.close() }", "args": [content] }),
            )
            .await;
        driven
    }

    pub(crate) async fn ask(&self, action: &str, body: &Value) -> Answer {
        self.proxy.http("POST", &format!("{}/{action}", self.path), &[JSON], &body.to_string()).await
    }

    /// An action that must succeed.
    pub(crate) async fn does(&self, action: &str, body: Value) -> Value {
        let answer = self.ask(action, &body).await;
        let said = body_of(&answer);
        assert_eq!(answer.status, 200, "{action} {body}: {said}");
        let mut name = format!("ghost.page{action}");
        name["ghost.page".len()..][..1].make_ascii_uppercase();
        is_of(&name, &said);
        said
    }

    /// An action that must fail.
    pub(crate) async fn fails(&self, action: &str, body: Value, status: u16, kind: &str, word: &str) -> Value {
        let answer = self.ask(action, &body).await;
        is_problem(&answer, status, kind, word);
        body_of(&answer)
    }

    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.does("evaluate", json!({ "expression": expression })).await["value"].clone()
    }
}

async fn actions_do_what_a_user_would_do(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let page = Driven::with(&proxy, LOCATORS).await;
    forms_are_filled(&page).await;
    elements_are_clicked_once_they_can_be(&page).await;
    what_is_in_a_page_is_read(&page).await;
    errors_say_what_was_seen(&page).await;
    scripts_are_bounded(&page).await;
    pictures_are_taken(&page).await;
}

in_each_browser!(actions_do_what_a_user_would_do);

async fn forms_are_filled(page: &Driven<'_>) {
    page.does("fill", json!({ "locator": { "label": "Full name" }, "value": "Grace" })).await;
    page.does("type", json!({ "selector": "#name", "text": " H" })).await;
    page.does("press", json!({ "key": "Shift+x" })).await;
    page.does("press", json!({ "key": "y" })).await;
    page.does("press", json!({ "key": "Backspace" })).await;
    assert_eq!(page.value("document.querySelector('#name').value").await, "Grace HX");
    page.does("press", json!({ "selector": "#name", "key": "Control+a" })).await;
    page.does("type", json!({ "selector": "#name", "text": "Zoë" })).await;
    assert_eq!(page.value("document.querySelector('#name').value").await, "Zoë");
}

async fn elements_are_clicked_once_they_can_be(page: &Driven<'_>) {
    page.does("fill", json!({ "locator": { "placeholder": "Ada Lovelace" }, "value": "" })).await;
    page.does("check", json!({ "locator": { "role": "checkbox" } })).await;
    page.does("check", json!({ "locator": { "role": "checkbox" } })).await;
    assert_eq!(page.value("document.querySelector('#yes').checked").await, true);
    page.does("uncheck", json!({ "locator": { "label": "I agree" } })).await;
    let selected = page.does("select", json!({ "locator": { "label": "Many" }, "values": ["One", "Three"] })).await;
    assert_eq!(selected["values"], json!(["One", "Three"]));
    // It is below the viewport, moves, is behind an overlay, and is disabled.
    page.value(
        "(() => {
            const far = document.querySelector('#far');
            far.disabled = true;
            far.style.position = 'relative';
            const overlay = document.createElement('div');
            overlay.style = 'position: fixed; inset: 0; z-index: 9';
            overlay.id = 'overlay';
            document.body.append(overlay);
            let left = 0;
            const move = () => { far.style.left = `${++left % 50}px`; if (left < 30) requestAnimationFrame(move) };
            move();
            setTimeout(() => far.disabled = false, 150);
            setTimeout(() => overlay.remove(), 300);
        })()",
    )
    .await;
    page.does("click", json!({ "locator": { "text": "Far below" } })).await;
    assert_eq!(page.value("document.querySelector('#far').textContent").await, "reached");
    page.does("scroll", json!({ "selector": "h1" })).await;
    page.value("events.length = 0").await;
    page.does("click", json!({ "selector": "#shadow", "button": "right" })).await;
    page.does("dblclick", json!({ "selector": "#submit2" })).await;
    page.does("hover", json!({ "selector": "#div-button" })).await;
    page.does("click", json!({ "selector": "#submit", "trial": true })).await;
    let events = page.value("events.join()").await.to_string();
    for event in ["contextmenu shadow true", "dblclick submit2 true", "mouseover div-button true"] {
        assert!(events.contains(event), "{event} in {events}");
    }
    assert!(!events.contains("click submit true"), "{events}");
    let inner = json!({ "role": "button", "name": "Inner", "frame": { "css": "#frame" } });
    page.does("click", json!({ "locator": inner })).await;
    let clicked = page.does("text", json!({ "locator": { "css": "#in", "frame": { "css": "#frame" } } })).await;
    assert_eq!(clicked["text"], "clicked");
    page.does("focus", json!({ "selector": "#story" })).await;
    page.does("clear", json!({ "selector": "#story" })).await;
    assert_eq!(page.value("document.activeElement.id + document.activeElement.value").await, "story");
}

async fn what_is_in_a_page_is_read(page: &Driven<'_>) {
    let attributes = page.does("attributes", json!({ "selector": "#email" })).await;
    assert_eq!(attributes["attributes"]["type"], "email");
    let found = page.does("query", json!({ "selector": "li", "limit": 2 })).await;
    assert_eq!((&found["count"], found["elements"].as_array().map(Vec::len)), (&json!(4), Some(2)), "{found}");
    let links = page.does("links", json!({ "selector": "nav" })).await;
    assert_eq!(links["links"][1]["text"], "Products");
    assert!(text(&page.does("text", json!({})).await, "text").contains("Bread and butter"));
    assert!(text(&page.does("html", json!({})).await, "html").starts_with("<!DOCTYPE html><html"));
    // References name elements of the last snapshot.
    let snapshot = text(&page.does("snapshot", json!({})).await, "snapshot");
    let line = snapshot.lines().find(|line| line.contains("button \"Value button\"")).expect("the button");
    let of_ref = line.split_once("[ref=").and_then(|(_, rest)| rest.split_once(']')).expect("a ref").0;
    page.does("click", json!({ "ref": of_ref })).await;
    assert!(page.value("events.join()").await.to_string().contains("click value true"));
    page.value("document.querySelector('#value').remove()").await;
    page.fails("click", json!({ "ref": of_ref }), 409, "stale-ref", of_ref).await;
    // Waits.
    page.value("setTimeout(() => { const it = document.createElement('i'); it.id = 'late'; it.textContent = 'x'; document.body.prepend(it); window.ready = true }, 100)").await;
    page.does("wait", json!({ "selector": "#late", "function": "() => window.ready", "loadState": "load" })).await;
    page.does("wait", json!({ "selector": "#nothing", "state": "detached", "url": "about:*", "time": 1 })).await;
}

async fn errors_say_what_was_seen(page: &Driven<'_>) {
    let several =
        page.fails("click", json!({ "selector": "li" }), 422, "several-elements", "4 elements match li").await;
    assert_eq!(several["matches"].as_array().map(Vec::len), Some(4), "{several}");
    let brief = |more: Value| {
        let mut body = json!({ "timeout": 100 });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    page.fails("click", brief(json!({ "selector": "#nothing" })), 504, "action-timeout", "no element matches").await;
    page.fails("click", brief(json!({ "selector": "#off" })), 504, "action-timeout", "the element is not enabled")
        .await;
    page.fails("fill", brief(json!({ "selector": "#readonly", "value": "x" })), 504, "action-timeout", "not editable")
        .await;
    page.fails("fill", json!({ "selector": "h1", "value": "x" }), 422, "not-possible", "Element is not an").await;
    page.fails("click", json!({ "selector": "a >> >> b" }), 400, "bad-selector", "").await;
    page.fails("click", json!({}), 400, "bad-value", "locator").await;
    page.fails("click", json!({ "selector": "a", "colour": 1 }), 400, "bad-value", "unknown field `colour`").await;
    page.fails("press", json!({ "key": "Entr" }), 400, "bad-value", "Entr").await;
    page.fails("back", json!({}), 422, "not-possible", "history").await;
}

async fn scripts_are_bounded(page: &Driven<'_>) {
    let sum = page.does("evaluate", json!({ "function": "async (a, b) => a + b.c", "args": [1, { "c": 2 }] })).await;
    assert_eq!(sum["value"], 3);
    let thrown = page
        .fails("evaluate", json!({ "expression": "null.x" }), 422, "script-failed", "TypeError: Cannot read properties")
        .await;
    assert!(text(&thrown, "stack").contains("at "), "{thrown}");
    page.fails("evaluate", json!({ "expression": "'x'.repeat(40 << 20)" }), 422, "result-too-large", "page_result")
        .await;
    page.fails("evaluate", json!({ "expression": "NaN" }), 422, "not-possible", "NaN").await;
    page.fails("evaluate", json!({ "expression": "for (;;);", "timeout": 200 }), 504, "action-timeout", "script").await;
    page.fails("evaluate", json!({ "expression": "new Promise(() => {})", "timeout": 100 }), 504, "action-timeout", "")
        .await;
    assert_eq!(page.value("1 + 1").await, 2);
}

/// Width and height of a PNG in base64, in pixels.
pub(crate) fn extent(png: &str) -> (u32, u32) {
    let png = BASE64.decode(png.as_bytes()).expect("base64");
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
    (number(16), number(20))
}

async fn pictures_are_taken(page: &Driven<'_>) {
    let size = |picture: &Value| extent(&text(picture, "data"));
    let width = page.value("innerWidth").await;
    let viewport = size(&page.does("screenshot", json!({})).await);
    assert_eq!(json!(viewport.0), width);
    let full = size(&page.does("screenshot", json!({ "fullPage": true })).await);
    assert!(full.1 > 3000, "{full:?}");
    let element = size(&page.does("screenshot", json!({ "selector": "#frame" })).await);
    let wanted = page.does("query", json!({ "selector": "#frame" })).await;
    assert!(wanted["elements"][0]["width"].as_f64().is_some_and(|width| (width - f64::from(element.0)).abs() < 2.0));
    let clip = size(&page.does("screenshot", json!({ "clip": { "x": 5, "y": 5, "width": 30, "height": 20 } })).await);
    assert_eq!(clip, (30, 20));
    let pdf = page.does("pdf", json!({ "landscape": true })).await;
    assert!(BASE64.decode(text(&pdf, "data").as_bytes()).expect("base64").starts_with(b"%PDF"));
}

/// Pages are opened, navigated and closed under the policy.
async fn pages_are_opened_navigated_and_closed(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &["--strict"]).await, Site::start().await);
    let session = create(&proxy, json!({})).await;
    let pages = format!("/v1/sessions/{}/pages", id_of(&session));
    let made = proxy.http("POST", &pages, &[JSON], &json!({ "url": site.url("/page") }).to_string()).await;
    let path = format!("{pages}/{}", text(&body_of(&made), "targetId"));
    assert_eq!((made.status, made.header("location")), (201, Some(&*path)));
    let page = Driven { proxy: &proxy, path };
    page.does("wait", json!({ "loadState": "load", "url": "**/page" })).await;
    // Each document tells its own status, also behind one in which something was evaluated.
    for path in ["/page?1", "/page?2", "/page?3", "/page?4", "/page"] {
        let went = page.does("goto", json!({ "url": site.url(path), "waitUntil": "domcontentloaded" })).await;
        assert_eq!(went["status"], 200, "{went}");
        assert_eq!(page.value("1 + 1").await, 2);
    }
    let went = page.does("goto", json!({ "url": site.url("/page?two"), "waitUntil": "networkidle" })).await;
    assert_eq!(
        (&went["navigated"], &went["status"], &went["url"]),
        (&json!(true), &json!(200), &json!(site.url("/page?two")))
    );
    let back = page.does("back", json!({})).await;
    assert_eq!(back["url"], site.url("/page"));
    assert_eq!(page.does("forward", json!({})).await["url"], site.url("/page?two"));
    assert_eq!(page.does("reload", json!({})).await["navigated"], true);
    // A click answers when the navigation that it begins shows its document.
    page.value("document.body.innerHTML = '<a href=\"/page?three\">three</a>'").await;
    let clicked = page.does("click", json!({ "locator": { "role": "link", "name": "three" } })).await;
    assert_eq!((&clicked["navigated"], &clicked["url"]), (&json!(true), &json!(site.url("/page?three"))));
    for url in ["chrome://version", "file:///etc/passwd", "view-source:file:///etc/passwd", "devtools://devtools/x"] {
        page.fails("goto", json!({ "url": url }), 403, "url-refused", "").await;
        let made = proxy.http("POST", &pages, &[JSON], &json!({ "url": url }).to_string()).await;
        is_problem(&made, 403, "url-refused", "");
    }
    page.fails("goto", json!({ "url": "http://127.0.0.1:1/" }), 502, "not-loaded", "net::ERR_").await;
    let closed = proxy.http("DELETE", &page.path, &[], "").await;
    assert_eq!(closed.status, 204);
    let text = format!("{}/text", page.path);
    // Chrome closes it after it has said so.
    eventually("its end", async || proxy.http("POST", &text, &[JSON], "{}").await.status == 404).await;
    page.fails("text", json!({}), 404, "no-page", "").await;
    let first = Driven { proxy: &proxy, path: format!("{pages}/first") };
    assert_eq!(first.value("1").await, 1, "the page with which the session began");
}

in_each_browser!(pages_are_opened_navigated_and_closed);

/// Requests for one page wait for each other, within bounds; a caller that goes away ends its action.
#[tokio::test(flavor = "multi_thread")]
async fn actions_on_one_page_queue() {
    let proxy = Proxy::start(Browser::any(), &["--page-queue", "1"]).await;
    let page = Driven::with(&proxy, "<p>one").await;
    let wait = json!({ "function": "() => { globalThis.asked = true; return globalThis.go }" });
    let read = json!({ "expression": "globalThis.go" });
    let client = proxy.connect_to(&format!("/devtools/page/{}", page.path.rsplit('/').next().expect("an id"))).await;
    let evaluate = async |expression: &str| {
        let result = client.ok(None, "Runtime.evaluate", json!({ "expression": expression })).await;
        result["result"]["value"].clone()
    };
    let others = async {
        eventually("an action that waits", async || evaluate("globalThis.asked").await == true).await;
        // One of them has the only place behind the first, and the other one has none.
        let (one, other) = (Box::pin(page.ask("evaluate", &read)), Box::pin(page.ask("evaluate", &read)));
        let (busy, queued) = futures_util::future::select(one, other).await.factor_first();
        is_problem(&busy, 429, "page-busy", "page_queue");
        evaluate("globalThis.go = true").await;
        queued.await
    };
    let (first, queued) = tokio::join!(page.ask("wait", &wait), others);
    assert_eq!((first.status, body_of(&queued)["value"].clone()), (200, json!(true)));
    page.value("globalThis.go = false").await;
    let started = Instant::now();
    let gone = tokio::time::timeout(Duration::from_millis(200), page.ask("wait", &wait)).await;
    assert!(gone.is_err());
    assert_eq!(page.value("2").await, 2);
    assert!(started.elapsed() < Duration::from_secs(10), "the action went on without its caller");
}

/// A client that is attached meanwhile gets the events of what happens in the page, and of nothing else.
async fn attached_clients_see_what_a_user_would_do(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let session = create(&proxy, json!({})).await;
    let client = connect(&proxy, &session).await;
    let target = client.page_at("data:text/html,<button onclick='this.textContent=1'>x</button>").await;
    for domain in ["Page", "DOM", "Network", "Inspector"] {
        client.ok(Some(&target.session), &format!("{domain}.enable"), json!({})).await;
    }
    client.ok(None, "Target.setDiscoverTargets", json!({ "discover": true })).await;
    client.evaluate(&target.session, "1").await;
    let before = client.events().len();
    let page = Driven { proxy: &proxy, path: format!("/v1/sessions/{}/pages/{}", id_of(&session), target.target) };
    page.does("snapshot", json!({})).await;
    page.does("click", json!({ "selector": "button" })).await;
    page.does("text", json!({})).await;
    let said = client.ok(None, "ghost.pageText", json!({ "page": target.target, "selector": "button" })).await;
    assert_eq!(said["text"], "1");
    assert_eq!(client.evaluate(&target.session, "document.querySelector('button').textContent").await, "1");
    let events: Vec<String> = client.events()[before..].iter().map(|event| text(event, "method")).collect();
    assert_eq!(events, Vec::<String>::new());
    // What the client sees if it asks for contexts of scripts: that there is another world.
    client.ok(Some(&target.session), "Runtime.enable", json!({})).await;
    let is_ours = |params: &Value| params["context"]["name"] == "ghostmux";
    let world = client.event_where("Runtime.executionContextCreated", is_ours).await;
    assert_eq!(world["context"]["auxData"]["isDefault"], false, "{world}");
}

in_each_browser!(attached_clients_see_what_a_user_would_do);

//! Actions of a user on pages, without a CDP client: what they cause, what they expect, dialogs, files, frames.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
    pages::Driven,
    proxy::{Proxy, eventually},
    rest::{JSON, body_of, connect, create, id_of, ok},
    site::Site,
};

/// A new session without a client, and a page of it.
async fn interactive<'a>(proxy: &'a Proxy, site: &Site) -> Driven<'a> {
    let session = create(proxy, json!({})).await;
    let pages = format!("/v1/sessions/{}/pages", id_of(&session));
    let page = ok(proxy, "POST", &pages, json!({ "url": site.url("/interaction") })).await;
    let page = Driven { proxy, path: format!("{pages}/{}", text(&page, "targetId")) };
    page.does("wait", json!({ "loadState": "load", "url": "**/interaction" })).await;
    page
}

fn session_of(page: &Driven<'_>) -> String {
    page.path.split("/pages/").next().unwrap_or_default().to_owned()
}

async fn answers_say_what_happened(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &[]).await, Site::start().await);
    let page = interactive(&proxy, &site).await;
    what_nothing_caused(&page).await;
    pages_that_were_opened_and_closed(&page, &site).await;
    dialogs(&page).await;
    downloads_and_exchanges(&page, &site).await;
    exceptions(&page).await;
    files(&page).await;
}

in_each_browser!(answers_say_what_happened);

async fn what_nothing_caused(page: &Driven<'_>) {
    let said = page.does("click", json!({ "selector": "#edge" })).await;
    let mut members: Vec<&String> = said.as_object().expect("an object").keys().collect();
    members.sort();
    assert_eq!(members, ["navigated", "took", "url"]);
}

async fn pages_that_were_opened_and_closed(page: &Driven<'_>, site: &Site) {
    let said = page.does("click", json!({ "selector": "#popup" })).await;
    let popup = text(&said["opened"][0], "targetId");
    assert_eq!((said["opened"].as_array().map(Vec::len), said["closed"].is_null()), (Some(1), true), "{said}");
    let said = page.does("click", json!({ "selector": "#close" })).await;
    if said["closed"].is_null() {
        // Chrome may close it a moment later.
        let pages = session_of(page) + "/pages";
        eventually("its end", async || !page.proxy.http("GET", &pages, &[], "").await.body.contains(&popup)).await;
    } else {
        assert_eq!(said["closed"], json!([popup]));
    }
    let url = site.url("/page?noopener");
    let said = page.does("click", json!({ "selector": "#noopener", "expect": { "popup": { "url": url } } })).await;
    assert_eq!(said["expected"]["popup"], said["opened"][0], "{said}");
    assert_eq!(said["opened"][0]["url"], url);
    // A page that its action closes.
    let path = format!("{}/pages/{}", session_of(page), text(&said["opened"][0], "targetId"));
    let other = Driven { proxy: page.proxy, path };
    let target = text(&said["opened"][0], "targetId");
    other.value("document.body.innerHTML = '<button onclick=\"window.close()\">Bye</button>'").await;
    let said = other.does("click", json!({ "selector": "button" })).await;
    assert_eq!(said["closed"], json!([target]));
    page.fails(
        "click",
        json!({ "selector": "#edge", "expect": { "popup": {} }, "timeout": 700 }),
        504,
        "action-timeout",
        "a popup",
    )
    .await;
}

async fn dialogs(page: &Driven<'_>) {
    let of_it = |said: &Value| said["dialogs"].clone();
    // Nobody expects it, so it is dismissed.
    let said = page.does("click", json!({ "selector": "#confirm" })).await;
    assert_eq!(of_it(&said), json!([{ "type": "confirm", "message": "Sure?", "answer": "dismissed" }]));
    let expect = json!({ "dialog": { "accept": true } });
    let said = page.does("click", json!({ "selector": "#confirm", "expect": expect })).await;
    assert_eq!(of_it(&said), json!([{ "type": "confirm", "message": "Sure?", "answer": "accepted" }]));
    assert_eq!(said["expected"]["dialog"], said["dialogs"][0]);
    assert_eq!(page.value("document.querySelector('#confirm').textContent").await, "true");
    let expect = json!({ "dialog": { "accept": true, "promptText": "Ada" } });
    let said = page.does("click", json!({ "selector": "#prompt", "expect": expect })).await;
    assert_eq!(of_it(&said)[0]["text"], "Ada", "{said}");
    assert_eq!(page.value("document.querySelector('#prompt').textContent").await, "Ada");
    // It stays open until it is answered.
    page.fails("dialog", json!({ "accept": true }), 409, "no-dialog", "expect.dialog").await;
    let said = page.does("click", json!({ "selector": "#alert", "expect": { "dialog": { "leave": true } } })).await;
    assert_eq!(of_it(&said)[0]["answer"], "open");
    page.fails("text", json!({ "selector": "#alert", "timeout": 200 }), 504, "action-timeout", "alert \"Are you").await;
    let (blocked, answered) = tokio::join!(
        page.does("text", json!({ "selector": "#alert" })),
        page.does("dialog", json!({ "accept": true }))
    );
    assert_eq!(
        (text(&blocked, "text"), &answered["dialogs"][0]["answer"]),
        ("answered".to_owned(), &json!("accepted"))
    );
    // In the middle of a script, and more than one.
    let said = page
        .does(
            "evaluate",
            json!({ "expression": "[confirm(1), confirm(2)]", "expect": { "dialog": { "accept": true } } }),
        )
        .await;
    assert_eq!((&said["value"], of_it(&said).as_array().map(Vec::len)), (&json!([true, false]), Some(2)), "{said}");
    for wrong in [json!({ "accept": true, "leave": true }), json!({ "promptText": "x" })] {
        page.fails("click", json!({ "selector": "#alert", "expect": { "dialog": wrong } }), 400, "bad-value", "dialog")
            .await;
    }
    let expect = json!({ "dialog": {} });
    page.fails(
        "click",
        json!({ "selector": "#edge", "expect": expect, "timeout": 300 }),
        504,
        "action-timeout",
        "a dialog",
    )
    .await;
}

async fn downloads_and_exchanges(page: &Driven<'_>, site: &Site) {
    let said = page
        .does("click", json!({ "selector": "#download", "expect": { "download": { "url": "**/download?*" } } }))
        .await;
    let download = &said["expected"]["download"];
    assert_eq!(
        (&download["name"], &download["url"]),
        (&json!("report.txt"), &json!(site.url("/download?report.txt"))),
        "{said}"
    );
    assert_eq!(said["downloads"][0]["id"], download["id"]);
    let path = format!("{}/downloads/{}?wait=30s", session_of(page), text(download, "id"));
    let content = page.proxy.http("GET", &path, &[], "").await;
    assert_eq!((content.status, content.body.len()), (200, 100_000));
    let expect = json!({ "response": { "url": "**/page?api", "method": "GET" }, "request": { "method": "POST" } });
    let said = page.does("click", json!({ "selector": "#fetch", "expect": expect })).await;
    let url = site.url("/page?api");
    assert_eq!(said["expected"]["response"], json!({ "url": url, "method": "GET", "status": 200 }), "{said}");
    assert_eq!(said["expected"]["request"], json!({ "url": url, "method": "POST" }));
    page.value("setTimeout(() => fetch('/page?waited', { method: 'PUT' }), 100)").await;
    let said = page.does("wait", json!({ "response": { "url": "**/page?waited", "method": "put" } })).await;
    assert_eq!(said["expected"]["response"]["status"], 200);
    let late = json!({ "request": { "url": "**/nothing" }, "timeout": 200 });
    page.fails("wait", late, 504, "action-timeout", "a request of **/nothing").await;
    let said =
        page.does("click", json!({ "selector": "#later", "expect": { "navigation": { "url": "**#later" } } })).await;
    assert_eq!((&said["expected"]["navigation"], &said["navigated"]), (&said["url"], &json!(true)), "{said}");
}

async fn exceptions(page: &Driven<'_>) {
    let said = page.does("click", json!({ "selector": "#throw" })).await;
    let error = &said["errors"][0];
    assert!(text(error, "message").starts_with("TypeError: Cannot read properties of null"), "{said}");
    assert!(text(error, "url").contains("/interaction"), "{said}");
    let often =
        "new Promise(done => { for (let n = 0; n < 30; n++) setTimeout(() => { throw n }); setTimeout(done, 20) })";
    let said = page.does("evaluate", json!({ "expression": often })).await;
    assert_eq!((said["errors"].as_array().map(Vec::len), &said["omitted"]), (Some(20), &json!(10)), "{said}");
    assert_eq!(said["errors"][7]["message"], "7");
    let quiet = page.does("wait", json!({ "time": 1 })).await;
    assert!(quiet["errors"].is_null(), "{quiet}");
}

async fn files(page: &Driven<'_>) {
    let files = session_of(page) + "/files";
    for (name, content) in [("a.txt", "first"), ("b.csv", "second")] {
        assert_eq!(page.proxy.http("PUT", &format!("{files}/{name}"), &[], content).await.status, 200);
    }
    let has = async |input: &str, wanted: &str| {
        let expression = format!("document.querySelector('{input}').dataset.has");
        eventually(wanted, async || page.value(&expression).await == wanted).await;
    };
    // A hidden input, by its own selector.
    page.does("upload", json!({ "selector": "#files", "files": [{ "name": "a.txt" }, { "name": "b.csv" }] })).await;
    has("#files", "a.txt:text/plain:first|b.csv:text/csv:second").await;
    // Behind a button, with its content.
    let inline = json!([{ "name": "c.md", "content": "aW5saW5l", "mimeType": "text/markdown" }]);
    let said = page.does("upload", json!({ "selector": "#choose", "files": inline })).await;
    assert_eq!(said["fileChooser"], json!({ "multiple": true, "files": 1 }), "{said}");
    has("#files", "c.md:text/markdown:inline").await;
    // By a label, and by an action that expects the chooser.
    page.does("upload", json!({ "selector": "#label", "files": [{ "name": "a.txt" }] })).await;
    has("#one", "a.txt:text/plain:first").await;
    let expect = json!({ "fileChooser": { "files": [{ "name": "b.csv" }] } });
    let said = page.does("click", json!({ "selector": "#choose", "expect": expect })).await;
    assert_eq!(said["expected"]["fileChooser"], json!({ "multiple": true, "files": 1 }), "{said}");
    has("#files", "b.csv:text/csv:second").await;
    let two = json!([{ "name": "a.txt" }, { "name": "b.csv" }]);
    page.fails("upload", json!({ "selector": "#one", "files": two }), 422, "not-possible", "takes one file").await;
    page.fails(
        "upload",
        json!({ "selector": "#edge", "files": [], "timeout": 300 }),
        504,
        "action-timeout",
        "a file chooser",
    )
    .await;
    let mixed = json!([{ "name": "a.txt" }, { "name": "c", "content": "" }]);
    page.fails("upload", json!({ "selector": "#files", "files": mixed }), 400, "bad-value", "either all").await;
    page.does("upload", json!({ "selector": "#files", "files": [] })).await;
    assert_eq!(page.value("files.files.length").await, 0);
}

async fn pointers_forms_and_frames(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &[]).await, Site::start().await);
    let page = interactive(&proxy, &site).await;
    positions_and_points(&page).await;
    drags_and_forms(&page).await;
    frames_of_other_sites(&page, &site).await;
    masks(&page).await;
}

in_each_browser!(pointers_forms_and_frames);

async fn happened(page: &Driven<'_>) -> Vec<String> {
    let events = page.value("events.splice(0)").await;
    events.as_array().into_iter().flatten().filter_map(|event| event.as_str().map(str::to_owned)).collect()
}

async fn positions_and_points(page: &Driven<'_>) {
    page.does("click", json!({ "selector": "#canvas", "position": { "x": 10, "y": 20 }, "modifiers": ["Shift"] }))
        .await;
    assert!(happened(page).await.contains(&"click canvas 10,20 shift".to_owned()));
    page.does("dblclick", json!({ "selector": "#canvas", "position": { "x": 30, "y": 5 }, "delay": 10 })).await;
    assert!(happened(page).await.contains(&"dblclick canvas 30,5".to_owned()));
    let found = page.does("query", json!({ "selector": "#canvas" })).await;
    let edge = |name: &str| found["elements"][0][name].as_f64().expect("a number") + 3.0;
    page.does("click", json!({ "x": edge("x") + 50.0, "y": edge("y") + 60.0 })).await;
    assert!(happened(page).await.contains(&"click canvas 50,60".to_owned()));
    page.does("hover", json!({ "x": edge("x") + 7.0, "y": edge("y") + 8.0 })).await;
    assert_eq!(happened(page).await.last().map(String::as_str), Some("mousemove canvas 7,8"));
    // Far below the viewport, in an element that is higher than it.
    page.does("click", json!({ "selector": "#tall", "position": { "x": 20, "y": 3500 } })).await;
    assert_eq!(happened(page).await, ["click tall 20,3500"]);
    page.does("tap", json!({ "selector": "#edge" })).await;
    let events = happened(page).await.join();
    assert!(
        events.contains("touchstart edge") && events.contains("touchend edge") && events.contains("click edge"),
        "{events}"
    );
    page.does("tap", json!({ "selector": "#edge", "trial": true })).await;
    page.does("hover", json!({ "selector": "#edge", "trial": true })).await;
    assert_eq!(happened(page).await, Vec::<String>::new());
    for wrong in [json!({ "x": 1 }), json!({ "x": 1, "y": 1, "selector": "a" }), json!({ "x": 1e9, "y": 1 }), json!({})]
    {
        page.fails("click", wrong, 400, "bad-value", "").await;
    }
    page.fails("click", json!({ "selector": "#edge", "position": { "x": 1 } }), 400, "bad-value", "y").await;
}

trait Joined {
    fn join(&self) -> String;
}

impl Joined for Vec<String> {
    fn join(&self) -> String {
        self.as_slice().join(";")
    }
}

async fn drags_and_forms(page: &Driven<'_>) {
    let (source, target) = (json!({ "selector": "#drag" }), json!({ "selector": "#drop" }));
    page.does("drag", json!({ "source": source, "target": target, "trial": true })).await;
    assert_eq!(happened(page).await, Vec::<String>::new());
    page.does("drag", json!({ "source": source, "target": target, "sourcePosition": { "x": 5, "y": 5 } })).await;
    assert_eq!(
        page.value("document.querySelector('#drop').textContent").await,
        "carried",
        "{:?}",
        happened(page).await
    );
    let gone = json!({ "source": source, "target": { "selector": "#nothing" }, "timeout": 300 });
    page.fails("drag", gone, 504, "action-timeout", "target: ").await;
    page.fails("drag", json!({ "source": source, "target": {} }), 400, "bad-value", "target").await;
    page.does("focus", json!({ "selector": "#name" })).await;
    page.does("blur", json!({ "selector": "#name" })).await;
    assert!(happened(page).await.contains(&"blur name".to_owned()));
    let fields = json!([
        { "locator": { "label": "Name" }, "value": "Ada" },
        { "selector": "#agree", "checked": true },
        { "locator": { "role": "combobox", "name": "Colour" }, "options": ["Green"] },
    ]);
    page.does("fillForm", json!({ "fields": fields })).await;
    assert_eq!(
        page.value("[document.querySelector('#name').value, agree.checked, colour.value]").await,
        json!(["Ada", true, "g"])
    );
    let fields = json!([{ "selector": "#name", "value": "Eve" }, { "selector": "#off", "value": "x" }]);
    page.fails("fillForm", json!({ "fields": fields, "timeout": 300 }), 504, "action-timeout", "fields[1]: #off").await;
    assert_eq!(page.value("document.querySelector('#name').value").await, "Eve");
    let several = json!({ "fields": [{ "selector": "input", "value": "x" }] });
    page.fails("fillForm", several, 422, "several-elements", "fields[0]").await;
    let two = json!({ "fields": [{ "selector": "#name", "value": "x", "checked": true }] });
    page.fails("fillForm", two, 400, "bad-value", "fields[0]").await;
}

async fn frames_of_other_sites(page: &Driven<'_>, site: &Site) {
    // A process of its own, because it is of another site; and in it one that is of this site again.
    let url = site.url_at("frame.localhost", "/interaction");
    page.does(
        "evaluate",
        json!({ "function": "url => new Promise(done => { other.onload = done; other.src = url })", "args": [url] }),
    )
    .await;
    let inside = |css: &str| json!({ "css": css, "frame": { "css": "#other" } });
    page.does("fill", json!({ "locator": inside("#name"), "value": "Ada" })).await;
    page.does("check", json!({ "locator": inside("#agree") })).await;
    let found = page.does("query", json!({ "locator": inside("#agree:checked") })).await;
    assert_eq!(found["count"], 1, "{found}");
    page.does("press", json!({ "locator": inside("#name"), "key": "x" })).await;
    page.does(
        "upload",
        json!({ "locator": inside("#one"), "files": [{ "name": "c", "content": "eA==", "mimeType": "a/b" }] }),
    )
    .await;
    page.does("wait", json!({ "locator": inside("[data-has='c:a/b:x']"), "state": "attached" })).await;
    // Something of the page lies above the frame.
    page.value("document.body.insertAdjacentHTML('beforeend', '<div id=over style=\"position: fixed; inset: 0; z-index: 9\"></div>')").await;
    let covered = json!({ "locator": inside("#agree"), "timeout": 700 });
    page.fails("click", covered, 504, "action-timeout", "<div id=\"over\"").await;
    page.value("over.remove()").await;
}

async fn masks(page: &Driven<'_>) {
    page.value("scrollTo(0, 0)").await;
    let taken = async |more: Value| {
        let mut body = json!({ "selector": "#canvas" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        text(&page.does("screenshot", body).await, "data")
    };
    let plain = taken(json!({})).await;
    let masked = taken(json!({ "mask": [{ "css": "#canvas" }, { "css": "#nothing" }] })).await;
    let green = taken(json!({ "mask": [{ "css": "#canvas" }], "maskColor": "#00ff00" })).await;
    assert!(plain != masked && masked != green && plain != green);
    assert_eq!(taken(json!({})).await, plain, "the mask is removed");
}

/// The dialogs of a page are those of the client that has enabled `Page` there.
#[tokio::test(flavor = "multi_thread")]
async fn dialogs_belong_to_the_attached_client() {
    let (proxy, site) = (Proxy::start(Browser::any(), &[]).await, Site::start().await);
    let session = create(&proxy, json!({})).await;
    let client = connect(&proxy, &session).await;
    let target = client.page().await;
    let page = Driven { proxy: &proxy, path: format!("/v1/sessions/{}/pages/{}", id_of(&session), target.target) };
    page.does("goto", json!({ "url": site.url("/interaction") })).await;
    // A client that does not care for dialogs does not have to: they are dismissed.
    let said = page.does("click", json!({ "selector": "#confirm" })).await;
    assert_eq!(said["dialogs"][0]["answer"], "dismissed", "{said}");
    client.ok(Some(&target.session), "Page.enable", json!({})).await;
    let expects = json!({ "selector": "#confirm", "expect": { "dialog": { "accept": true } } });
    page.fails("click", expects, 409, "client-owns", "who answers the dialogs").await;
    let click = async { page.does("click", json!({ "selector": "#confirm" })).await };
    let answer = async {
        client.event_on(&target.session, "Page.javascriptDialogOpening").await;
        page.fails("dialog", json!({ "accept": true }), 409, "client-owns", "").await;
        client.ok(Some(&target.session), "Page.handleJavaScriptDialog", json!({ "accept": true })).await;
    };
    let (said, ()) = tokio::join!(click, answer);
    assert_eq!(said["dialogs"][0]["answer"], "accepted", "{said}");
    assert_eq!(page.value("document.querySelector('#confirm').textContent").await, "true");
    // The files of a chooser come from the request, whoever else listens.
    let answer = proxy.http("POST", &format!("{}/nothing", page.path), &[JSON], "{}").await;
    assert_eq!(answer.status, 404, "{}", body_of(&answer));
}

//! What is more than one action on a page: lists of actions, snapshots with their options, scripts and the values they keep.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
    pages::Driven,
    proxy::{Proxy, eventually},
    rest::JSON,
    site::Site,
};

const SHOP: &str = "<main><h1>Shop</h1><p>Welcome</p><button onclick='console.log(\"sold\", 1, {a: 1})'>Buy</button>
    <a href='#more'>More</a><div style='cursor:pointer'>Card</div>
    <iframe srcdoc='<button onclick=\"document.title++\">Inner</button><iframe srcdoc=\"<input aria-label=Deep>\"></iframe>'>
    </iframe></main>";

async fn lists_snapshots_and_scripts_work(browser: Browser) {
    let (proxy, site) =
        (Proxy::start(browser, &["--page-handles", "2", "--page-actions", "4"]).await, Site::start().await);
    let page = Driven::with(&proxy, SHOP).await;
    page.does(
        "wait",
        json!({ "locator": { "role": "textbox", "frame": { "css": "iframe", "frame": { "css": "iframe" } } } }),
    )
    .await;
    actions_of_a_list_are_performed_in_order(&page).await;
    lists_tell_of_each_action(&page).await;
    snapshots_have_frames_and_options(&page).await;
    snapshots_show_what_changed(&page).await;
    scripts_take_elements(&page, &site).await;
    scripts_run_in_frames_and_keep_values(&page, &site).await;
}

in_each_browser!(lists_snapshots_and_scripts_work);

async fn actions_of_a_list_are_performed_in_order(page: &Driven<'_>) {
    let set = |value: &str| json!({ "action": "evaluate", "expression": format!("window.log = (window.log ?? '') + '{value}'") });
    let wrong = json!({ "action": "click", "selector": "#none", "timeout": 50 });
    let done =
        page.does("actions", json!({ "actions": [set("a"), set("b"), { "action": "text", "selector": "h1" }] })).await;
    assert_eq!((&done["failed"], &done["results"][1]["result"]["value"]), (&json!(0), &json!("ab")), "{done}");
    assert_eq!(done["results"][2]["result"]["text"], "Shop");
    // The list fails with the first action that does; the result says which, and what was done before.
    let list = json!({ "actions": [set("c"), wrong, set("d")] });
    let failed = page.fails("actions", list, 504, "action-timeout", "step 1 (click): pageClick was not done").await;
    assert_eq!(
        (&failed["step"], &failed["action"], &failed["seen"]),
        (&json!(1), &json!("click"), &json!("no element matches"))
    );
    assert_eq!(failed["results"].as_array().map(Vec::len), Some(1), "{failed}");
    assert_eq!(page.value("log").await, "abc");
    let list = json!({ "actions": [wrong, set("d")], "continueOnError": true });
    let done = page.does("actions", list).await;
    assert_eq!(
        (&done["failed"], &done["results"][0]["error"]["type"]),
        (&json!(1), &json!("urn:ghostmux:action-timeout")),
        "{done}"
    );
    assert_eq!(page.value("log").await, "abcd");
    // One time limit for all of them.
    let endless = json!({ "action": "evaluate", "expression": "for (;;);", "timeout": 60_000 });
    let list = json!({ "actions": [endless, set("e")], "continueOnError": true, "timeout": 300 });
    page.ask("actions", &list).await;
    assert_eq!(page.value("1 + 1").await, 2);
    for (list, word) in [
        (json!([]), "0 actions are not between 1 and 4"),
        (json!([set(""), set(""), set(""), set(""), set("")]), "5 actions"),
        (json!([{ "action": "clik" }]), "actions[0].action: \"clik\" is no action; did you mean \"click\"?"),
        (json!([set("x"), { "action": "click", "colour": 1 }]), "actions[1].colour: unknown field"),
        (json!([{ "action": "actions", "actions": [] }]), "is no action"),
    ] {
        page.fails("actions", json!({ "actions": list }), 400, "bad-value", word).await;
    }
    assert!(!page.value("log").await.to_string().contains('x'), "a list with an error is not begun");
}

async fn lists_tell_of_each_action(page: &Driven<'_>) {
    let list = json!({ "actions": [
        { "action": "evaluate", "expression": "1" },
        { "action": "click", "selector": "#none", "timeout": 50 },
    ] });
    let path = format!("{}/actions", page.path);
    let headers = [JSON, ("Accept", "text/event-stream")];
    let answer = page.proxy.http("POST", &path, &headers, &list.to_string()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    let events: Vec<(&str, Value)> = answer
        .body
        .split("event: ")
        .filter_map(|event| event.split_once("\ndata: "))
        .map(|(name, rest)| (name, serde_json::from_str(rest.lines().next().expect("data")).expect("JSON")))
        .collect();
    let names: Vec<&str> = events.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["step", "step", "error"], "{}", answer.body);
    assert_eq!((&events[0].1["result"]["value"], &events[1].1["error"]["status"]), (&json!(1), &json!(504)));
    assert_eq!((&events[2].1["step"], &events[2].1["status"]), (&json!(1), &json!(504)));
}

fn refs(snapshot: &str, word: &str) -> String {
    let line = snapshot.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("no {word} in {snapshot}"));
    line.split_once("[ref=").and_then(|(_, rest)| rest.split_once(']')).expect("a ref").0.to_owned()
}

async fn snapshots_have_frames_and_options(page: &Driven<'_>) {
    let snapshot = async |options: Value| text(&page.does("snapshot", options).await, "snapshot");
    let whole = snapshot(json!({})).await;
    let (buy, inner, deep) = (refs(&whole, "\"Buy\""), refs(&whole, "\"Inner\""), refs(&whole, "\"Deep\""));
    assert!(buy.starts_with('e') && inner.starts_with("f1e") && deep.starts_with("f2e"), "{whole}");
    page.does("click", json!({ "ref": inner })).await;
    page.does("fill", json!({ "ref": deep, "value": "below" })).await;
    let of_deep = json!({ "css": "iframe", "frame": { "css": "iframe" } });
    let said =
        page.does("evaluate", json!({ "expression": "document.querySelector('input').value", "frame": of_deep })).await;
    assert_eq!(said["value"], "below");
    let only = snapshot(json!({ "interactiveOnly": true })).await;
    for word in ["\"Buy\"", "\"More\"", "Card", "\"Inner\"", "\"Deep\""] {
        assert!(only.contains(word), "{word} in {only}");
    }
    assert!(!only.contains("Welcome") && !only.contains("heading"), "{only}");
    let flat = snapshot(json!({ "depth": 0 })).await;
    assert!(!flat.is_empty() && !flat.contains("Buy") && !flat.contains("Inner"), "{flat}");
    assert!(snapshot(json!({ "boxes": true, "selector": "button" })).await.contains("[box="));
    let root = snapshot(json!({ "selector": "h1" })).await;
    assert!(root.contains("Shop") && !root.contains("Buy"), "{root}");
    let whole = snapshot(json!({})).await;
    let cut = page.does("snapshot", json!({ "maxBytes": 100 })).await;
    let (kept, omitted) = (text(&cut, "snapshot"), cut["omittedLines"].as_u64().expect("lines"));
    assert!(kept.len() <= 100 && whole.starts_with(&kept), "{kept}");
    assert_eq!(kept.lines().count() as u64 + omitted, whole.lines().count() as u64, "{cut}");
    // References are of their element alone, also when the frame or the page shows another document.
    page.value("document.querySelector('iframe').srcdoc = '<button>Other</button>'").await;
    page.does("wait", json!({ "locator": { "text": "Other", "frame": { "css": "iframe" } } })).await;
    page.fails("click", json!({ "ref": inner, "timeout": 2000 }), 409, "stale-ref", "").await;
    page.fails("click", json!({ "ref": deep, "timeout": 2000 }), 409, "stale-ref", "").await;
    page.fails("click", json!({ "ref": "f99e1" }), 409, "stale-ref", "f99e1").await;
    page.fails("click", json!({ "ref": "x1" }), 400, "bad-value", "f1e12").await;
}

async fn snapshots_show_what_changed(page: &Driven<'_>) {
    page.does(
        "goto",
        json!({ "url": "data:text/html,<ul><li>one<li>two<li>three<li>four<li>five<li>six</ul><button>A</button>" }),
    )
    .await;
    let first = page.does("snapshot", json!({})).await;
    let same = page.does("snapshot", json!({ "since": first["version"] })).await;
    assert_eq!((&same["snapshot"], &same["since"]), (&json!(""), &first["version"]), "nothing has changed");
    page.value("document.querySelector('li').textContent = 'ONE'").await;
    let changed = page.does("snapshot", json!({ "since": first["version"] })).await;
    let diff = text(&changed, "snapshot");
    assert!(diff.contains("ONE") && diff.contains("\n-") && !diff.contains("six"), "{diff}");
    let unknown = page.does("snapshot", json!({ "since": "s99" })).await;
    assert!(unknown.get("since").is_none() && text(&unknown, "snapshot").contains("six"), "{unknown}");
    // The numbers of references go on in the next document.
    let button = refs(&text(&unknown, "snapshot"), "\"A\"");
    page.does("goto", json!({ "url": "data:text/html,<ul><li>1<li>2<li>3<li>4<li>5<li>6<li>7</ul><button>B</button><button>C</button>" })).await;
    page.does("snapshot", json!({})).await;
    page.fails("click", json!({ "ref": button }), 409, "stale-ref", "").await;
}

async fn scripts_take_elements(page: &Driven<'_>, site: &Site) {
    page.does("goto", json!({ "url": site.url("/page") })).await;
    let other = site.url_at("other.localhost", "/page");
    page.does(
        "evaluate",
        json!({ "args": [other], "function": "url => new Promise(done => {
        document.body.innerHTML = '<h1>Shop</h1><p>one<p>two<iframe id=other></iframe>'; window.mine = 'page';
        const frame = document.querySelector('iframe'); frame.onload = () => done(); frame.src = url })" }),
    )
    .await;
    let call = async |function: &str, args: Value, more: Value| {
        let mut body = json!({ "function": function, "args": args });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        page.does("evaluate", body).await["value"].clone()
    };
    let (head, of_frame) = (
        json!({ "$element": { "selector": "h1" } }),
        json!({ "$element": { "locator": { "css": "html", "frame": { "css": "#other" } } } }),
    );
    let mine = "(element, text) => element.textContent + text + typeof mine";
    assert_eq!(call(mine, json!([head, " "]), json!({})).await, "Shop string");
    assert_eq!(call(mine, json!([head, " "]), json!({ "world": "isolated" })).await, "Shop undefined");
    let both = json!(["x", head, { "$element": { "selector": "body" } }]);
    assert_eq!(call("(text, head, body) => body.contains(head) && text", both, json!({})).await, "x");
    let host = "element => element.ownerDocument.location.hostname + element.ownerDocument.defaultView.length";
    for world in ["main", "isolated"] {
        assert_eq!(call(host, json!([of_frame]), json!({ "world": world })).await, "other.localhost0");
    }
    // By a reference of a snapshot; and an element that is there later.
    let snapshot = page.does("snapshot", json!({})).await;
    let head_ref = json!({ "$element": { "ref": refs(&text(&snapshot, "snapshot"), "heading") } });
    assert_eq!(call("element => element.tagName", json!([head_ref]), json!({})).await, "H1");
    page.value("void setTimeout(() => document.querySelector('p').id = 'late', 200)").await;
    let late = json!({ "$element": { "selector": "#late" } });
    assert_eq!(call("element => element.textContent", json!([late]), json!({})).await, "one");
    // Nothing keeps an element that was an argument, not even of a call that was ended half-way.
    let weak = "document.body.append(document.createElement('i')); document.querySelector('i').id = 'weak';
        void (window.weak = new WeakRef(document.querySelector('#weak')))";
    page.value(weak).await;
    let args = json!([{ "$element": { "selector": "#weak" } }]);
    let endless = json!({ "function": "() => new Promise(() => {})", "args": args, "timeout": 300 });
    page.fails("evaluate", endless, 504, "action-timeout", "").await;
    assert_eq!(call("element => element.id", args, json!({})).await, "weak");
    page.value("document.querySelector('#weak').remove()").await;
    eventually("it is collected", async || {
        page.does("cdp", json!({ "method": "HeapProfiler.collectGarbage" })).await;
        page.value("weak.deref() === undefined").await == true
    })
    .await;
    // With a value that stays in the page.
    let kept = page.does("evaluate", json!({ "expression": "({ a: 1 })", "handle": true })).await;
    let kept = json!({ "$handle": kept["handle"] });
    let sum = "(kept, element) => kept.a + element.textContent";
    assert_eq!(call(sum, json!([kept, head]), json!({})).await, "1Shop");

    let fails = async |args: Value, more: Value, status: u16, kind: &str, words: &str| {
        let mut body = json!({ "function": "() => 1", "args": args, "timeout": 1000 });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        page.fails("evaluate", body, status, kind, words).await;
    };
    let named = |selector: &str| json!([{ "$element": { "selector": selector } }]);
    fails(named("p"), json!({}), 422, "several-elements", "2 elements").await;
    fails(named("#none"), json!({}), 504, "action-timeout", "no element matches").await;
    fails(named("css=["), json!({}), 400, "bad-selector", "").await;
    fails(json!([{ "$element": { "ref": "e99" } }]), json!({}), 409, "stale-ref", "").await;
    fails(json!([{ "$element": {} }]), json!({}), 400, "bad-value", "args: has an $element: it names none").await;
    fails(json!([head, of_frame]), json!({}), 400, "bad-value", "different worlds or frames").await;
    fails(json!([kept, head]), json!({ "world": "isolated" }), 400, "bad-value", "different worlds").await;
    fails(named("h1"), json!({ "frame": { "css": "#other" } }), 400, "bad-value", "leave it out").await;
    page.proxy.http("DELETE", &format!("{}/handles", page.path), &[], "").await;
}

async fn scripts_run_in_frames_and_keep_values(page: &Driven<'_>, site: &Site) {
    // The frame is of another site, and in another process where Chrome isolates sites.
    page.does("goto", json!({ "url": site.url("/page") })).await;
    let other = site.url_at("other.localhost", "/page");
    page.does("evaluate", json!({ "args": [other], "function": "url => new Promise(done => {
        const frame = document.createElement('iframe'); frame.onload = () => done(); frame.src = url; frame.id = 'other';
        document.body.append(frame); window.mine = 'page' })" })).await;
    let frame = json!({ "css": "#other" });
    let host = async |more: Value| {
        let mut body = json!({ "frame": frame, "expression": "location.hostname" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        page.does("evaluate", body).await["value"].clone()
    };
    assert_eq!(host(json!({})).await, "other.localhost");
    assert_eq!(host(json!({ "world": "isolated" })).await, "other.localhost");
    page.does("evaluate", json!({ "frame": frame, "expression": "var mine = 'frame'; mine" })).await;
    assert_eq!(host(json!({ "expression": "window.mine" })).await, "frame", "the main world of the frame");
    assert_eq!(host(json!({ "expression": "typeof mine", "world": "isolated" })).await, "undefined");
    assert_eq!(page.value("mine").await, "page");
    // Values that stay in the page.
    let keep = async |body: Value| page.does("evaluate", body).await;
    let list = keep(json!({ "expression": "[1, document.body]", "handle": true })).await;
    assert!(list.get("value").is_none(), "{list}");
    assert_eq!(list["description"], "Array(2)");
    let called = json!({ "function": "(list, more) => list[0] + more + list.length", "args": [{ "$handle": list["handle"] }, 5] });
    assert_eq!(page.does("evaluate", called.clone()).await["value"], 8);
    let plain = keep(json!({ "expression": "6 * 7", "handle": true })).await;
    assert_eq!((&plain["value"], plain.get("handle")), (&json!(42), None));
    let framed = keep(json!({ "expression": "window", "handle": true, "frame": frame })).await;
    let of_frame = json!({ "function": "it => it.location.hostname", "args": [{ "$handle": framed["handle"] }] });
    assert_eq!(page.does("evaluate", of_frame).await["value"], "other.localhost");
    let mixed =
        json!({ "function": "() => 1", "args": [{ "$handle": framed["handle"] }, { "$handle": list["handle"] }] });
    page.fails("evaluate", mixed, 400, "bad-value", "different worlds").await;
    page.fails("evaluate", json!({ "expression": "({})", "handle": true }), 429, "too-many-handles", "page_handles")
        .await;
    let free = format!("{}/handles?handle={}", page.path, text(&list, "handle"));
    assert_eq!(page.proxy.http("DELETE", &free, &[], "").await.status, 204);
    page.fails("evaluate", called, 409, "stale-handle", "").await;
    assert_eq!(page.proxy.http("DELETE", &format!("{}/handles", page.path), &[], "").await.status, 204);
    let again = keep(json!({ "expression": "({})", "handle": true })).await;
    page.does("reload", json!({})).await;
    let gone = json!({ "function": "it => 1", "args": [{ "$handle": again["handle"] }] });
    page.fails("evaluate", gone, 409, "stale-handle", "").await;
    // What is written to the console meanwhile.
    page.value("console.log('before')").await;
    let said = keep(json!({ "expression": "console.log('a', 1, [2]); console.error(new Error('bad')); setTimeout(() => console.log('later'), 5e3); 3", "console": true })).await;
    assert_eq!(said["value"], 3);
    let lines = said["console"].as_array().expect("lines");
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!((&lines[0]["type"], &lines[0]["text"]), (&json!("log"), &json!("a 1 Array(1)")));
    assert!(lines[1]["type"] == "error" && text(&lines[1], "text").starts_with("Error: bad"), "{said}");
}

/// An action that is detached goes on without its caller, another one does not.
#[tokio::test(flavor = "multi_thread")]
async fn detached_actions_go_on_without_their_caller() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let page = Driven::with(&proxy, "<p>one").await;
    let client = proxy.connect_to(&format!("/devtools/page/{}", page.path.rsplit('/').next().expect("an id"))).await;
    let evaluate = async |expression: &str| {
        let result = client.ok(None, "Runtime.evaluate", json!({ "expression": expression })).await;
        result["result"]["value"].clone()
    };
    for (detach, expected) in [(false, json!("undefined")), (true, json!("boolean"))] {
        let list = json!({ "detach": detach, "actions": [
            { "action": "wait", "function": "() => { window.begun = true; return window.go }" },
            { "action": "evaluate", "expression": "window.after = true" },
        ] });
        evaluate("delete window.after; delete window.begun; window.go = false").await;
        let begun = eventually("its begin", async || evaluate("window.begun").await == true);
        tokio::select! {
            answer = page.ask("actions", &list) => panic!("nobody has ended it: {answer:?}"),
            () = begun => {}
        }
        if detach {
            evaluate("window.go = true").await;
        }
        // It waits behind the list, if that goes on.
        assert_eq!(page.value("typeof window.after").await, expected, "{detach}");
    }
    assert_eq!(page.does("text", json!({ "detach": true })).await["text"], "one");
}

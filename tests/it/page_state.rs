//! The state of pages by `/v1/sessions/ID/pages/PAGE/…`: emulation, cookies, storage, routes, scripts, commands, logs; and
//! who owns what of it when a client is attached.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, Page, text},
    pages::{Driven, extent},
    proxy::{Proxy, eventually},
    rest::{connect, create, id_of},
    site::Site,
};

async fn the_state_of_a_page_is_set_and_read(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &["--page-log-entries", "20"]).await, Site::start().await);
    let page = Driven::with(&proxy, "<p>blank").await;
    page.does("goto", json!({ "url": site.url("/page") })).await;
    pages_pretend_to_be_elsewhere(&page).await;
    headers_and_the_network_are_changed(&page, &site).await;
    permissions_are_granted(&page, &site).await;
    cookies_are_set_listed_and_removed(&page, &site).await;
    storage_is_changed_and_read(&page, &site).await;
    requests_are_routed(&page, &site).await;
    servers_get_the_password(&page, &site).await;
    scripts_run_before_those_of_the_document(&page, &site).await;
    commands_have_the_rules_of_clients(&page).await;
    pages_are_read_as_markdown(&page).await;
    the_console_is_recorded(&page).await;
    requests_are_recorded(&page, &site).await;
}

in_each_browser!(the_state_of_a_page_is_set_and_read);

/// Screenshots of a page of this extent with two device pixels per CSS pixel, which stays as it is.
async fn pictures_have_the_pixels_of_the_page(page: &Driven<'_>, (width, height): (u32, u32)) {
    let clip = json!({ "x": 5, "y": 5, "width": 30, "height": 20 });
    for (body, wanted) in [
        (json!({}), (2 * width, 2 * height)),
        (json!({ "clip": clip }), (60, 40)),
        (json!({ "maxSide": 60 }), (60, 60 * height / width)),
        (json!({ "omitBackground": true }), (2 * width, 2 * height)),
    ] {
        assert_eq!(extent(&text(&page.does("screenshot", body.clone()).await, "data")), wanted, "{body}");
        assert_eq!(
            page.value("[innerWidth, innerHeight, devicePixelRatio]").await,
            json!([width, height, 2]),
            "{body}"
        );
    }
}

async fn pages_pretend_to_be_elsewhere(page: &Driven<'_>) {
    let own = page.value("[innerWidth, innerHeight, devicePixelRatio, navigator.userAgent]").await;
    page.does("viewport", json!({ "width": 500, "height": 400, "deviceScaleFactor": 2, "hasTouch": true })).await;
    let seen = page.value("[innerWidth, innerHeight, devicePixelRatio, navigator.maxTouchPoints > 0]").await;
    assert_eq!(seen, json!([500, 400, 2, true]));
    pictures_have_the_pixels_of_the_page(page, (500, 400)).await;
    page.fails("viewport", json!({ "width": 500, "height": null }), 400, "bad-value", "both null").await;
    page.fails("viewport", json!({ "width": 500 }), 400, "bad-value", "height").await;
    page.fails("viewport", json!({ "width": 9_000_000, "height": 9_000_000 }), 422, "command-refused", "pixels").await;
    let everything = json!({
        "device": "iPhone 15", "locale": "de-DE", "timezone": "Asia/Tokyo", "media": "print", "colorScheme": "dark",
        "reducedMotion": "reduce", "offline": true, "cpuRate": 2,
    });
    page.does("emulate", everything).await;
    // Each is set anew without the others.
    page.does("emulate", json!({ "timezone": "Europe/Berlin", "media": null })).await;
    let seen = page
        .value(
            "[screen.width, navigator.userAgent.includes('iPhone'), (1.5).toLocaleString(), \
             Intl.DateTimeFormat().resolvedOptions().timeZone, matchMedia('print').matches, \
             matchMedia('(prefers-color-scheme: dark)').matches, matchMedia('(prefers-reduced-motion)').matches, \
             navigator.onLine]",
        )
        .await;
    assert_eq!(seen, json!([393, true, "1,5", "Europe/Berlin", false, true, true, false]));
    page.fails("emulate", json!({ "device": "Nokia 3310" }), 400, "bad-value", "Pixel 7").await;
    page.fails("emulate", json!({ "timezone": "Nowhere/Here" }), 422, "command-refused", "timezone").await;
    page.fails("emulate", json!({ "cpuRate": 0 }), 400, "bad-value", "cpuRate").await;
    let nothing = json!({
        "device": null, "locale": null, "timezone": null, "colorScheme": null, "reducedMotion": null, "offline": null,
        "cpuRate": null,
    });
    page.does("emulate", nothing).await;
    assert_eq!(page.value("[innerWidth, innerHeight, devicePixelRatio, navigator.userAgent]").await, own);
    assert_eq!(
        page.value("[navigator.onLine, matchMedia('(prefers-reduced-motion)').matches]").await,
        json!([true, false])
    );
}

async fn headers_and_the_network_are_changed(page: &Driven<'_>, site: &Site) {
    page.does("headers", json!({ "headers": { "X-Test": "one" } })).await;
    page.does("goto", json!({ "url": site.url("/page?headers") })).await;
    page.does("headers", json!({ "headers": {} })).await;
    page.does("goto", json!({ "url": site.url("/page?none") })).await;
    let heads: Vec<String> = site.requests().into_iter().map(|request| request.head).collect();
    let has = |path: &str| heads.iter().any(|head| head.contains(path) && head.contains("X-Test: one"));
    assert!(has("/page?headers") && !has("/page?none"), "{heads:?}");
    page.fails("headers", json!({ "headers": { "a b": "c" } }), 400, "bad-value", "no name of a header").await;
    page.fails("headers", json!({ "headers": { "a": "b\r\nc: d" } }), 400, "bad-value", "control characters").await;
}

async fn permissions_are_granted(page: &Driven<'_>, site: &Site) {
    let state = "navigator.permissions.query({ name: 'geolocation' }).then(status => status.state)";
    let before = page.value(state).await;
    let granted = json!({ "origin": site.origin(), "permissions": ["geolocation"] });
    page.does("permissions", granted).await;
    page.does("emulate", json!({ "geolocation": { "latitude": 52.5, "longitude": 13.25 } })).await;
    assert_eq!(page.value(state).await, "granted");
    let place = "new Promise(done => navigator.geolocation.getCurrentPosition(({ coords }) => done([coords.latitude, coords.longitude]), ({ message }) => done(message)))";
    assert_eq!(page.value(place).await, json!([52.5, 13.25]));
    page.does("permissions", json!({ "reset": true })).await;
    page.does("emulate", json!({ "geolocation": null })).await;
    assert_eq!(page.value(state).await, before);
    page.fails("permissions", json!({ "permissions": ["nonsense"] }), 422, "command-refused", "nonsense").await;
    page.fails("permissions", json!({}), 400, "bad-value", "reset").await;
}

async fn cookies_are_set_listed_and_removed(page: &Driven<'_>, site: &Site) {
    let cookie = |name: &str| json!({ "name": name, "value": "1", "url": site.url("/"), "sameSite": "Lax" });
    page.does("cookies", json!({ "clear": true })).await;
    let set = page.does("cookies", json!({ "set": [cookie("one"), cookie("two"), cookie("three")] })).await;
    assert_eq!(set["cookies"].as_array().map(Vec::len), Some(3), "{set}");
    assert_eq!(page.value("document.cookie.split('; ').sort().join()").await, "one=1,three=1,two=1");
    let left = page.does("cookies", json!({ "remove": [{ "name": "two" }], "urls": [site.url("/")] })).await;
    let mut names: Vec<&str> =
        left["cookies"].as_array().expect("cookies").iter().filter_map(|one| one["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!((names, &left["cookies"][0]["domain"]), (vec!["one", "three"], &json!("127.0.0.1")));
    assert_eq!(page.does("cookies", json!({ "clear": true })).await["cookies"], json!([]));
    page.fails("cookies", json!({ "set": [{ "name": "a", "value": "b" }] }), 400, "bad-value", "domain").await;
    page.fails("cookies", json!({ "remove": [{}] }), 400, "bad-value", "clear").await;
}

async fn storage_is_changed_and_read(page: &Driven<'_>, site: &Site) {
    page.value("localStorage.setItem('a', '1')").await;
    let said = page.does("storage", json!({ "set": { "b": "2", "c": "\u{2028}" }, "remove": ["a"] })).await;
    assert_eq!((&said["origin"], &said["items"]), (&json!(site.origin()), &json!({ "b": "2", "c": "\u{2028}" })));
    let one = page.does("storage", json!({ "keys": ["b", "x"], "origin": site.origin() })).await;
    assert_eq!(one["items"], json!({ "b": "2" }));
    page.does("storage", json!({ "area": "session", "set": { "s": "3" } })).await;
    assert_eq!(page.value("[localStorage.length, sessionStorage.s]").await, json!([2, "3"]));
    assert_eq!(page.does("storage", json!({ "clear": true })).await["items"], json!({}));
    let other = json!({ "origin": "https://example.org" });
    page.fails("storage", other, 422, "not-possible", &site.origin()).await;
}

async fn requests_are_routed(page: &Driven<'_>, site: &Site) {
    let fetch = |path: &str| {
        format!(
            "fetch('{path}').then(async answer => [answer.status, answer.headers.get('X-A'), await answer.text()], () => 'failed')"
        )
    };
    let added = page.does("route", json!({ "url": "**/stopped*" })).await;
    assert_eq!(
        added["routes"],
        json!([{ "id": added["added"], "url": "**/stopped*", "action": "abort", "requests": 0 }])
    );
    let fulfill =
        json!({ "url": "**/made", "action": "fulfill", "status": 203, "headers": { "X-A": "b" }, "body": "ü" });
    let fulfill = text(&page.does("route", fulfill).await, "added");
    let change = json!({ "url": "**/changed", "action": "continue", "headers": { "X-Test": "routed" }, "removeHeaders": ["accept"] });
    page.does("route", change).await;
    assert_eq!(page.value(&fetch("/stopped?x")).await, "failed");
    assert_eq!(page.value(&fetch("/made")).await, json!([203, "b", "ü"]));
    assert_eq!(page.value(&fetch("/changed")).await[0], 200);
    assert_eq!(page.value(&fetch("/free")).await[0], 200);
    let requests = site.requests();
    let head = |path: &str| requests.iter().find(|request| request.path == path).map(|request| request.head.clone());
    assert!(head("/stopped?x").is_none() && head("/made").is_none() && head("/free").is_some());
    let changed = head("/changed").expect("a request");
    assert!(changed.contains("X-Test: routed") && !changed.contains("Accept: */*"), "{changed}");
    let listed = page.does("route", json!({})).await;
    let counts: Vec<u64> =
        listed["routes"].as_array().expect("routes").iter().filter_map(|route| route["requests"].as_u64()).collect();
    assert_eq!(counts, [1, 1, 1]);
    page.does("unroute", json!({ "route": fulfill })).await;
    assert_eq!(page.value(&fetch("/made")).await[0], 200);
    page.fails("unroute", json!({ "route": "r99" }), 400, "bad-value", "r99").await;
    assert_eq!(page.does("unroute", json!({})).await["routes"], json!([]));
    assert_eq!(page.value(&fetch("/stopped?y")).await[0], 200);
    page.fails("route", json!({ "url": "**", "body": "x" }), 400, "bad-value", "fulfill").await;
    for _ in 0..16 {
        page.does("route", json!({ "url": "**/never" })).await;
    }
    page.fails("route", json!({ "url": "**" }), 409, "too-many-on-page", "16 routes").await;
    page.does("unroute", json!({})).await;
}

async fn servers_get_the_password(page: &Driven<'_>, site: &Site) {
    // By fetch: what a navigation without a password shows is different in each browser.
    // A browser with windows asks its user, and waits.
    let asks = async |path: &str| {
        page.value(&format!(
            "fetch('{path}', {{ signal: AbortSignal.timeout(2000) }}).then(answer => answer.status, () => 'failed')"
        ))
        .await
    };
    let refused = |said: &Value| assert_ne!(said, &json!(200));
    refused(&asks("/private").await);
    let elsewhere = json!({ "username": "ada", "password": "secret", "origin": "http://localhost:1" });
    page.does("authenticate", elsewhere).await;
    refused(&asks("/private?1").await);
    // A wrong one is given once.
    page.does("authenticate", json!({ "username": "ada", "password": "wrong" })).await;
    refused(&asks("/private?2").await);
    page.does("authenticate", json!({ "username": "ada", "password": "secret", "origin": site.origin() })).await;
    assert_eq!(page.does("goto", json!({ "url": site.url("/private?3") })).await["status"], 200);
    page.does("authenticate", json!({})).await;
    page.fails("authenticate", json!({ "password": "x" }), 400, "bad-value", "username").await;
    page.does("goto", json!({ "url": site.url("/page") })).await;
}

async fn scripts_run_before_those_of_the_document(page: &Driven<'_>, site: &Site) {
    let first =
        page.does("scripts", json!({ "add": "window.early = document.readyState + (window.early ?? '')" })).await;
    page.does("scripts", json!({ "add": "globalThis.apart = 1", "world": "isolated" })).await;
    page.does("goto", json!({ "url": site.url("/page?scripts") })).await;
    assert_eq!(page.value("[window.early, typeof window.apart]").await, json!(["loading", "undefined"]));
    let apart = page.does("evaluate", json!({ "expression": "globalThis.apart", "world": "isolated" })).await;
    assert_eq!(apart["value"], 1);
    let left = page.does("scripts", json!({ "remove": first["added"] })).await;
    assert_eq!((left["scripts"].as_array().map(Vec::len), &left["scripts"][0]["world"]), (Some(1), &json!("isolated")));
    page.does("reload", json!({})).await;
    assert_eq!(page.value("typeof window.early").await, "undefined");
    page.fails("scripts", json!({ "remove": "99" }), 400, "bad-value", "99").await;
}

async fn commands_have_the_rules_of_clients(page: &Driven<'_>) {
    let document = page.does("cdp", json!({ "method": "DOM.getDocument" })).await;
    let root = &document["result"]["root"]["nodeId"];
    let found = json!({ "method": "DOM.querySelector", "params": { "nodeId": root, "selector": "body" } });
    assert!(page.does("cdp", found).await["result"]["nodeId"].as_u64().is_some_and(|id| id > 0));
    let wrong = page.fails("cdp", json!({ "method": "DOM.nothing" }), 422, "command-refused", "wasn't found").await;
    assert_eq!((&wrong["method"], &wrong["code"]), (&json!("DOM.nothing"), &json!(-32601)));
    page.fails("cdp", json!({ "method": "DOM.getDocument", "params": [] }), 400, "bad-value", "object").await;
}

async fn pages_are_read_as_markdown(page: &Driven<'_>) {
    let html = "<main><h1>Title</h1><script>no()</script><p>One <b>bold <i>and</i></b> <a href='/x'>link</a></p>\
                <ul><li>a<li>b</ul><div hidden>hidden</div><table><thead><tr><th>k<th>v</thead><tr><td>1<td>2</table><pre>x\n y</pre>\
                <p id=host></p></main>";
    let make = "html => { document.body.innerHTML = html; host.attachShadow({ mode: 'open' }).innerHTML = '<span>shadow &lt;b&gt;</span>' }";
    page.does("evaluate", json!({ "function": make, "args": [html] })).await;
    let markdown = text(&page.does("markdown", json!({})).await, "markdown");
    let origin = page.value("location.origin").await;
    let link = format!("[link]({}/x)", origin.as_str().expect("an origin"));
    for part in ["# Title", "**bold *and***", &link, "a\n", "| 1", "shadow"] {
        assert!(markdown.contains(part), "{part} in {markdown}");
    }
    assert!(!markdown.contains("no()") && !markdown.contains("hidden"), "{markdown}");
    let list = text(&page.does("markdown", json!({ "selector": "li >> nth=0" })).await, "markdown");
    assert_eq!(list.trim().trim_start_matches(['*', '-', ' ']), "a");
}

async fn the_console_is_recorded(page: &Driven<'_>) {
    page.value("console.log('before', { a: 1 })").await;
    let first = page.does("console", json!({})).await;
    assert_eq!(first["entries"][0]["text"], "before Object", "what the document wrote before is there: {first}");
    page.value("(() => { console.warn('a', 1); setTimeout(() => { throw new Error('late') }); for (let i = 0; i < 30; i++) console.info(i); })()").await;
    let full = async || {
        let said = page.does("console", json!({})).await;
        let has = |kind: &str| said["entries"].as_array().is_some_and(|all| all.iter().any(|one| one["kind"] == kind));
        has("exception") && said["entries"].as_array().map(Vec::len) == Some(20) && said["dropped"].as_u64() > Some(10)
    };
    eventually("the last lines", full).await;
    page.does("console", json!({ "clear": true })).await;
    assert_eq!(page.does("console", json!({ "stop": true })).await["entries"], json!([]));
}

async fn requests_are_recorded(page: &Driven<'_>, site: &Site) {
    assert_eq!(page.does("network", json!({})).await["har"]["log"]["entries"], json!([]));
    page.does("goto", json!({ "url": site.url("/redirect?/page?har") })).await;
    let said = page.does("network", json!({})).await;
    let entries = said["har"]["log"]["entries"].as_array().expect("entries");
    let statuses: Vec<u64> = entries.iter().filter_map(|entry| entry["response"]["status"].as_u64()).take(2).collect();
    assert_eq!(statuses, [302, 200], "{said}");
    assert_eq!(entries[0]["response"]["redirectURL"], site.url("/page?har"));
    assert_eq!(said["har"]["log"]["version"], "1.2");
    page.does("network", json!({ "stop": true })).await;
}

/// What a client has set is the client's; what a request has set gives way to a client. A client that is attached gets no
/// event of it.
async fn clients_and_requests_own_what_they_set(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &[]).await, Site::start().await);
    let session = create(&proxy, json!({})).await;
    let client = connect(&proxy, &session).await;
    client.ok(None, "Target.setDiscoverTargets", json!({ "discover": true })).await;
    let target = client.page_at(&site.url("/page")).await;
    for domain in ["Page", "DOM", "Network", "Inspector", "Log"] {
        client.ok(Some(&target.session), &format!("{domain}.enable"), json!({})).await;
    }
    let page = Driven { proxy: &proxy, path: format!("/v1/sessions/{}/pages/{}", id_of(&session), target.target) };
    nothing_is_told(&client, &target, &page).await;
    clients_are_asked_first(&client, &target, &page).await;
    clients_take_over(&client, &target, &page).await;
}

in_each_browser!(clients_and_requests_own_what_they_set);

async fn nothing_is_told(client: &Client, target: &Page, page: &Driven<'_>) {
    page.does("text", json!({})).await;
    client.evaluate(&target.session, "1").await;
    let before = client.events().len();
    for (action, body) in [
        ("emulate", json!({ "timezone": "Asia/Tokyo", "locale": "de-DE", "colorScheme": "dark", "cpuRate": 2 })),
        ("headers", json!({ "headers": { "a": "b" } })),
        ("cookies", json!({ "set": [{ "name": "a", "value": "b", "domain": "example.org" }] })),
        ("storage", json!({ "set": { "a": "b" } })),
        ("route", json!({ "url": "**/nothing" })),
        ("authenticate", json!({ "username": "a" })),
        ("scripts", json!({ "add": "1" })),
        ("console", json!({})),
        ("network", json!({})),
        ("cdp", json!({ "method": "DOM.getDocument" })),
        ("markdown", json!({})),
    ] {
        page.does(action, body).await;
    }
    client.evaluate(&target.session, "1").await;
    let told: Vec<String> = client.events()[before..].iter().map(|event| text(event, "method")).collect();
    assert_eq!(told, Vec::<String>::new());
    for (action, body) in [
        ("emulate", json!({ "timezone": null, "locale": null, "colorScheme": null, "cpuRate": null })),
        ("headers", json!({ "headers": {} })),
        ("unroute", json!({})),
        ("authenticate", json!({})),
    ] {
        page.does(action, body).await;
    }
}

async fn clients_are_asked_first(client: &Client, target: &Page, page: &Driven<'_>) {
    let set = async |method: &str, params: Value| {
        client.ok(Some(&target.session), method, params).await;
    };
    for (method, params, reset, action, body) in [
        (
            "Emulation.setTimezoneOverride",
            json!({ "timezoneId": "Asia/Tokyo" }),
            ("Emulation.setTimezoneOverride", json!({ "timezoneId": "" })),
            "emulate",
            json!({ "timezone": "Europe/Berlin" }),
        ),
        (
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": 300, "height": 300, "deviceScaleFactor": 1, "mobile": false }),
            ("Emulation.clearDeviceMetricsOverride", json!({})),
            "viewport",
            json!({ "width": 500, "height": 400 }),
        ),
        (
            "Network.emulateNetworkConditions",
            json!({ "offline": true, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 }),
            (
                "Network.emulateNetworkConditions",
                json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 }),
            ),
            "emulate",
            json!({ "offline": true }),
        ),
        ("Fetch.enable", json!({}), ("Fetch.disable", json!({})), "route", json!({ "url": "**/nothing" })),
        (
            "Fetch.enable",
            json!({ "handleAuthRequests": true, "patterns": [{ "urlPattern": "*" }] }),
            ("Fetch.disable", json!({})),
            "authenticate",
            json!({ "username": "a" }),
        ),
    ] {
        set(method, params).await;
        page.fails(action, body.clone(), 409, "client-owns", "client").await;
        set(reset.0, reset.1).await;
        page.does(action, body).await;
    }
    page.does("unroute", json!({})).await;
    page.does("authenticate", json!({})).await;
    set("Emulation.setTimezoneOverride", json!({ "timezoneId": "Asia/Tokyo" })).await;
    let raw = json!({ "method": "Emulation.setTimezoneOverride", "params": { "timezoneId": "" } });
    page.fails("cdp", raw, 409, "client-owns", "time zone").await;
    set("Emulation.setTimezoneOverride", json!({ "timezoneId": "" })).await;
}

async fn clients_take_over(client: &Client, target: &Page, page: &Driven<'_>) {
    page.does("emulate", json!({ "timezone": "Asia/Tokyo", "locale": "de-DE", "offline": true })).await;
    page.does("viewport", json!({ "width": 500, "height": 400 })).await;
    for (method, params) in [
        ("Emulation.setTimezoneOverride", json!({ "timezoneId": "Europe/Berlin" })),
        (
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": 300, "height": 200, "deviceScaleFactor": 1, "mobile": false }),
        ),
        (
            "Network.emulateNetworkConditions",
            json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 }),
        ),
    ] {
        client.ok(Some(&target.session), method, params).await;
    }
    let seen =
        "[innerWidth, Intl.DateTimeFormat().resolvedOptions().timeZone, (1.5).toLocaleString(), navigator.onLine]";
    assert_eq!(page.value(seen).await, json!([300, "Europe/Berlin", "1,5", true]));
    let metrics = json!({ "width": 300, "height": 200, "deviceScaleFactor": 2, "mobile": false });
    client.ok(Some(&target.session), "Emulation.setDeviceMetricsOverride", metrics).await;
    pictures_have_the_pixels_of_the_page(page, (300, 200)).await;
    // A page without clients keeps what requests have set.
    client.ok(None, "Target.detachFromTarget", json!({ "sessionId": target.session })).await;
    page.does("emulate", json!({ "timezone": "Asia/Tokyo" })).await;
    assert_eq!(page.value("Intl.DateTimeFormat().resolvedOptions().timeZone").await, "Asia/Tokyo");
}

//! Indirect ways from a page to the control port and to files: other addresses of this machine, a
//! proxy setting, headers forged through CDP; and pages of other sessions at the same site. A CDP
//! client can do more to a page than the page itself.

use serde_json::{Value, json};

use super::stage::{On, Stage};
use crate::{
    browsers::{Browser, in_browser, in_each_browser},
    client::{Page, text},
};

/// A page of the session of HTTP calls. If it is closed, or its id is received, an attack was
/// successful.
pub(super) struct CanaryPage {
    pub(super) id: String,
}

impl CanaryPage {
    pub(super) async fn create(stage: &Stage) -> Self {
        let made = stage.proxy.http("PUT", "/json/new?about:blank", &[], "").await;
        let made: Value = serde_json::from_str(&made.body).unwrap_or_else(|_| panic!("{made:?}"));
        Self { id: text(&made, "id") }
    }

    /// The page still exists, and the attacker's frames contain its id only where the attacker sent
    /// it.
    pub(super) async fn is_untouched(&self, stage: &Stage, how: &str) {
        let list = stage.proxy.http("GET", "/json/list", &[], "").await;
        assert!(list.body.contains(&self.id), "{how}: a page closed a page: {list:?}");
        let pages: Value = serde_json::from_str(&list.body).expect("JSON");
        assert_eq!(pages.as_array().map(Vec::len), Some(2), "{how}: a page made a page: {list:?}");
    }
}

/// Opens `/json/list` of this origin in the page and tries to read and change what it can from
/// there.
pub(super) async fn try_to_read_and_change(stage: &Stage, page: &Page, origin: &str, canary: &CanaryPage, how: &str) {
    let client = &stage.attacker.client;
    let on = Some(page.session.as_str());
    for path in ["/json/list".to_owned(), format!("/json/close/{}", canary.id), "/json/new?about:blank".to_owned()] {
        client.call_on(&page.session, "Page.navigate", json!({ "url": format!("{origin}{path}") })).await.ok();
        let params = json!({ "expression": SHOWN, "returnByValue": true, "awaitPromise": true });
        // A page that navigates away may not answer; what counts is what it would have shown.
        let shown = client.call_in(on, "Runtime.evaluate", params, crate::client::DEADLINE).await;
        let shown = shown.map(|shown| shown.to_string()).unwrap_or_default();
        assert!(!shown.contains("webSocketDebuggerUrl"), "{how}: {origin}{path} was read: {shown}");
        for (path, options) in [
            ("/json/list".to_owned(), "{}"),
            (format!("/json/close/{}", canary.id), "{ mode: 'no-cors' }"),
            (format!("/json/close/{}", canary.id), "{ mode: 'no-cors', method: 'POST' }"),
            ("/json/new?about:blank".to_owned(), "{ method: 'PUT' }"),
        ] {
            let fetch = format!("fetch('{origin}{path}', {options}).then(a => a.text()).catch(e => e.name)");
            let params = json!({ "expression": fetch, "returnByValue": true, "awaitPromise": true });
            let read = client.call_in(on, "Runtime.evaluate", params, crate::client::DEADLINE).await;
            let read = read.map(|read| read.to_string()).unwrap_or_default();
            assert!(!read.contains("webSocketDebuggerUrl"), "{how}: {origin}{path} was fetched: {read}");
        }
        canary.is_untouched(stage, how).await;
    }
}

const SHOWN: &str = "new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))
    .then(() => document.documentElement.innerText)";

/// J12: Chrome sends no `Sec-Fetch-Site` to addresses that it does not trust, and some of these
/// lead to this machine.
async fn pages_cannot_reach_the_port_by_other_local_addresses(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let canary = CanaryPage::create(&stage).await;
    let port = stage.proxy.address().rsplit(':').next().expect("a port").to_owned();
    for host in ["0.0.0.0", "0", "[::]", "[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]", "127.1", "localhost.", "a.localhost"]
    {
        let page = stage.attacker.client.page_at(&stage.site.url("/page?attacker")).await;
        try_to_read_and_change(&stage, &page, &format!("http://{host}:{port}"), &canary, &format!("J12 {host}")).await;
        stage.attacker.client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
    }
    stage.unharmed("J12").await;
}

in_each_browser!(pages_cannot_reach_the_port_by_other_local_addresses);

/// J12: through the address by which other machines reach this one, if ghostmux listens on it.
/// Chrome does not trust it either.
async fn pages_cannot_reach_the_port_by_the_external_address(browser: Browser) {
    // Nothing is sent: the system only selects the source address.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let Ok(outward) = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()) else {
        eprintln!("skipped: this machine has no address but loopback");
        return;
    };
    let stage = Stage::with(browser, &["--strict", "--listen", "0.0.0.0:0", "--insecure"]).await;
    let canary = CanaryPage::create(&stage).await;
    let port = stage.proxy.address().rsplit(':').next().expect("a port");
    let origin = format!("http://{}:{port}", outward.ip());
    let page = stage.attacker.client.page_at(&stage.site.url("/page?attacker")).await;
    try_to_read_and_change(&stage, &page, &origin, &canary, &format!("J12 {origin}")).await;
    stage.unharmed("J12").await;
}

in_browser!(Shell: pages_cannot_reach_the_port_by_the_external_address);

/// J13: a context whose proxy is our port. Its requests to addresses that Chrome does not trust
/// reach us without `Sec-Fetch-Site`.
async fn the_port_does_not_act_as_an_http_proxy(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let canary = CanaryPage::create(&stage).await;
    let client = &stage.attacker.client;
    for bypass in ["<-loopback>", ""] {
        let params = json!({ "proxyServer": stage.proxy.address(), "proxyBypassList": bypass });
        let context = text(&client.ok(None, "Target.createBrowserContext", params).await, "browserContextId");
        for origin in ["http://10.9.8.7", "http://192.0.2.1:9222", "http://a.localhost", &stage.proxy.url()] {
            let page = client.page_in(Some(&context), "about:blank").await;
            try_to_read_and_change(&stage, &page, origin, &canary, &format!("J13 {origin}, bypass {bypass:?}")).await;
        }
        client.ok(None, "Target.disposeBrowserContext", json!({ "browserContextId": context })).await;
    }
    stage.unharmed("J13").await;
}

in_each_browser!(the_port_does_not_act_as_an_http_proxy);

/// J14: headers that the client of a page forges.
async fn forged_headers_give_no_access(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let canary = CanaryPage::create(&stage).await;
    let client = &stage.attacker.client;
    let forged = [
        json!({}),
        json!({ "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty" }),
        json!({ "Sec-Fetch-Site": "", "Origin": "" }),
        json!({ "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "localhost", "X-Ghostmux-Proxy": "guess" }),
    ];
    for headers in &forged {
        let page = client.page_at(&stage.site.url("/page?attacker")).await;
        client.ok(Some(&page.session), "Network.enable", json!({})).await;
        let set = client.call_on(&page.session, "Network.setExtraHTTPHeaders", json!({ "headers": headers })).await;
        try_to_read_and_change(&stage, &page, &stage.proxy.url(), &canary, &format!("J14 {headers}, set: {set:?}"))
            .await;
        client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
    }
    // Each request is paused and continued with these headers only, to the control port.
    for headers in &forged {
        let headers: Vec<Value> = headers
            .as_object()
            .expect("an object")
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        for target in [format!("/json/close/{}", canary.id), "/json/list".to_owned()] {
            let page = client.page_at(&stage.site.url("/page?attacker")).await;
            let on = Some(page.session.as_str());
            // Not all requests: full Chrome requests icons at any time.
            client.ok(on, "Fetch.enable", json!({ "patterns": [{ "urlPattern": "*?stopped*" }] })).await;
            for started in ["location = '/page?stopped'", "fetch('/held?stopped').then(a => a.text())"] {
                let params = json!({ "expression": started, "returnByValue": true, "awaitPromise": true });
                let asked = client.start(on, "Runtime.evaluate", params).await;
                let paused = client.event_on(&page.session, "Fetch.requestPaused").await;
                let params = json!({ "requestId": paused["requestId"], "headers": headers,
                    "url": format!("{}{target}", stage.proxy.url()) });
                client.call_on(&page.session, "Fetch.continueRequest", params).await.ok();
                let answered = client.reply_to(asked).await.to_string();
                assert!(!answered.contains("webSocketDebuggerUrl"), "J14: {target} with {headers:?}: {answered}");
                canary.is_untouched(&stage, &format!("J14: {target} with {headers:?}")).await;
            }
            client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
        }
    }
    stage.unharmed("J14").await;
}

in_each_browser!(forged_headers_give_no_access);

/// N11: an isolated world with access to every origin, and requests redirected by `Fetch`, read no
/// host file, no Chrome page and nothing of the control port.
async fn an_isolated_world_reads_no_files_or_chrome_urls(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let canary = CanaryPage::create(&stage).await;
    let (client, page) = (&stage.attacker.client, &stage.attacker.page);
    let on = Some(page.session.as_str());
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "canary-words").expect("written");
    let world = json!({ "frameId": page.target, "worldName": "mine", "grantUniveralAccess": true });
    let world = client.ok(on, "Page.createIsolatedWorld", world).await["executionContextId"].clone();
    let urls = [
        format!("file://{}", file.path().display()),
        "chrome://version".to_owned(),
        format!("{}/json/list", stage.proxy.url()),
        format!("{}/json/close/{}", stage.proxy.url(), canary.id),
    ];
    for url in &urls {
        for how in [
            format!("fetch('{url}').then(a => a.text()).catch(e => e.name)"),
            format!(
                "new Promise(done => {{ const x = new XMLHttpRequest(); x.open('GET', '{url}'); x.onloadend = () => done(x.responseText); x.send() }}).catch(e => e.name)"
            ),
        ] {
            let params = json!({ "expression": how, "contextId": world, "awaitPromise": true, "returnByValue": true });
            let read = client.call_in(on, "Runtime.evaluate", params, crate::client::DEADLINE).await;
            let read = read.map(|read| read.to_string()).unwrap_or_default();
            let got = ["canary-words", "webSocketDebuggerUrl", "Command Line"].iter().any(|word| read.contains(word));
            assert!(!got, "N11: {url}: {read}");
        }
        canary.is_untouched(&stage, &format!("N11: {url}")).await;
    }
    client.ok(on, "Fetch.enable", json!({ "patterns": [{ "urlPattern": "*?stopped*" }] })).await;
    for url in &urls {
        let params = json!({ "expression": "fetch('/held?stopped').then(a => a.text()).catch(e => e.name)",
            "awaitPromise": true, "returnByValue": true });
        let asked = client.start(on, "Runtime.evaluate", params).await;
        let paused = client.event_on(&page.session, "Fetch.requestPaused").await;
        let params = json!({ "requestId": paused["requestId"], "url": url });
        if stage.attacker.call(On::Page, "Fetch.continueRequest", params).await.is_err() {
            let params = json!({ "requestId": paused["requestId"] });
            stage.attacker.ok(On::Page, "Fetch.continueRequest", params).await;
        }
        let read = client.reply_to(asked).await.to_string();
        let got = ["canary-words", "webSocketDebuggerUrl", "Command Line"].iter().any(|word| read.contains(word));
        assert!(!got, "N11: {url}: {read}");
        canary.is_untouched(&stage, &format!("N11: {url}")).await;
    }
    // The page itself is redirected: its request is continued elsewhere, or answered with a
    // redirect.
    for url in &urls[..2] {
        for (method, mut params) in [
            ("Fetch.continueRequest", json!({ "url": url })),
            (
                "Fetch.fulfillRequest",
                json!({ "responseCode": 302, "responseHeaders": [{ "name": "Location", "value": url }] }),
            ),
        ] {
            let page = client.page_at(&stage.site.url("/page?attacker")).await;
            let on = Some(page.session.as_str());
            client.ok(on, "Fetch.enable", json!({ "patterns": [{ "urlPattern": "*?stopped*" }] })).await;
            client.start(on, "Runtime.evaluate", json!({ "expression": "location = '/page?stopped'; 0" })).await;
            let paused = client.event_on(&page.session, "Fetch.requestPaused").await;
            params["requestId"] = paused["requestId"].clone();
            client.call_on(&page.session, method, params).await.ok();
            client.call_on(&page.session, "Fetch.disable", json!({})).await.ok();
            let shown = json!({ "expression": SHOWN, "returnByValue": true, "awaitPromise": true });
            let read = client.call_on(&page.session, "Runtime.evaluate", shown).await;
            let read = read.map(|read| read.to_string()).unwrap_or_default();
            let got = ["canary-words", "Command Line"].iter().any(|word| read.contains(word));
            assert!(!got, "N11: {method} to {url}: {read}");
            client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
        }
    }
    stage.unharmed("N11").await;
}

in_each_browser!(an_isolated_world_reads_no_files_or_chrome_urls);

/// P01: two sessions at one site share nothing of what pages of a site share.
async fn pages_of_one_site_share_nothing_between_sessions(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let (client, victim) = (&stage.attacker.client, &stage.victim);
    let keep = "(async () => {
        localStorage.word = WORD; sessionStorage.word = WORD
        await (await caches.open('shared')).put('/kept', new Response(WORD))
        await new Promise((done, fail) => {
            const open = indexedDB.open('shared', 1)
            open.onupgradeneeded = () => open.result.createObjectStore('words').put(WORD, 1)
            open.onsuccess = done; open.onerror = fail
        })
        navigator.locks.request('shared', () => new Promise(() => {}))
        const channel = window.channel = new BroadcastChannel('shared')
        channel.onmessage = () => channel.postMessage(WORD)
        return (await navigator.locks.query()).held.length
    })()";
    let page = victim.client.page_in(Some(&victim.context), &stage.site.url("/page?one-site")).await;
    let held = victim.client.evaluate(&page.session, &keep.replace("WORD", &json!(victim.marker).to_string())).await;
    assert_eq!(held, 1, "P01: the victim keeps what it should");
    // Another page of the same session finds all of it, so the test can detect a leak.
    let own = victim.client.page_in(Some(&victim.context), &stage.site.url("/page?one-site")).await;
    let heard = "new Promise(done => {
        const channel = new BroadcastChannel('shared')
        channel.onmessage = event => done(event.data)
        channel.postMessage('who is there?')
    }).then(async heard => [heard, localStorage.word, (await navigator.locks.query()).held.length].join())";
    let found = victim.client.evaluate(&own.session, heard).await;
    assert_eq!(found, format!("{0},{0},1", victim.marker), "P01");
    victim.client.ok(None, "Target.closeTarget", json!({ "targetId": own.target })).await;

    let look = "(async () => {
        const found = { cookie: document.cookie, local: localStorage.word, session: sessionStorage.word }
        found.caches = await caches.keys()
        found.databases = (await indexedDB.databases()).map(one => one.name)
        found.locks = (await navigator.locks.query()).held.length
        found.heard = await new Promise(done => {
            const channel = new BroadcastChannel('shared')
            channel.onmessage = event => done(event.data)
            channel.postMessage('who is there?')
            // A peer would be in the same browser and would have answered within one task of
            // another page.
            fetch('/page?turn').then(() => fetch('/page?turn')).then(() => done('nobody'))
        })
        found.workers = (await navigator.serviceWorker.getRegistrations()).length
        return JSON.stringify(found)
    })()";
    // In the session's default context, in one created before, and in one created now.
    let made = text(&client.ok(None, "Target.createBrowserContext", json!({})).await, "browserContextId");
    for context in [None, Some(made.as_str())] {
        let page = client.page_in(context, &stage.site.url("/page?one-site")).await;
        // The session's own worker, which the stage registered, is in its default context.
        let workers = i32::from(context.is_none());
        let found = client.evaluate(&page.session, look).await;
        let expected = json!({ "caches": [], "databases": [], "locks": 0, "heard": "nobody", "workers": workers,
            "cookie": "marker=one-site" });
        let found: Value = serde_json::from_str(found.as_str().unwrap_or_default()).expect("JSON");
        assert_eq!(found, expected, "P01, context {context:?}");
    }
    victim.client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
    stage.nothing_learned("P01");
}

in_each_browser!(pages_of_one_site_share_nothing_between_sessions);

/// P02: bringing own pages to the front does not take the focus from other sessions.
async fn other_sessions_keep_the_focus(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let watch = "window.left = []; for (const name of ['blur', 'visibilitychange', 'pagehide', 'freeze'])
        { addEventListener(name, () => left.push(name)); document.addEventListener(name, () => left.push(name)) }
        document.hasFocus()";
    let on = Some(victim.page.session.as_str());
    victim.client.ok(on, "Page.bringToFront", json!({})).await;
    let focused = victim.client.evaluate(&victim.page.session, watch).await;
    let named = json!({ "targetId": attacker.page.target });
    attacker.ok(On::Page, "Page.bringToFront", json!({})).await;
    attacker.ok(On::Root, "Target.activateTarget", named).await;
    for more in [json!({}), json!({ "newWindow": true }), json!({ "newWindow": true, "focus": true })] {
        let mut params = json!({ "url": "about:blank" });
        params.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        // Not every build knows `focus`.
        let _ = attacker.call(On::Root, "Target.createTarget", params).await;
    }
    attacker.ok(On::Page, "Page.bringToFront", json!({})).await;
    attacker.evaluate("window.focus(); window.open('/page?front'); 0").await;
    let now = victim.client.evaluate(&victim.page.session, "JSON.stringify([document.hasFocus(), left])").await;
    assert_eq!(now, json!([focused, []]).to_string(), "P02: the victim lost the focus");
}

in_each_browser!(other_sessions_keep_the_focus);

/// P05: menus, pickers, prompts and unfinished drags belong to their own window: other sessions can
/// click and type meanwhile.
async fn menus_and_pickers_do_not_block_other_sessions(browser: Browser) {
    const FIELDS: &str = "document.body.innerHTML = `<style>* { display: block; height: 30px; margin: 0 }</style>
        <select><option>1<option>2</select><a draggable=true href=/page>drag me</a>
        <input type=date><input type=color><input type=file><input list=l><datalist id=l><option>1</datalist>`; 0";
    let stage = Stage::strict(browser).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let typing = victim.client.page_at(&stage.site.url("/page?typing")).await;
    let listen =
        "document.body.innerHTML = '<input style=\"position:fixed;left:0;top:0;width:200px;height:100px\">'; 0";
    victim.client.evaluate(&typing.session, listen).await;
    let mouse = |kind: &str, button: &str, x: i32, y: i32| json!({ "type": kind, "button": button, "buttons": 1, "x": x, "y": y, "clickCount": 1 });
    let scripts = [
        "for (const one of document.querySelectorAll('input, select')) { try { one.showPicker() } catch {} }",
        "document.documentElement.requestFullscreen()",
        "document.documentElement.requestPointerLock()",
        "Notification.requestPermission(); navigator.geolocation.getCurrentPosition(() => {}, () => {})",
        "print()",
        "alert('nobody answers')",
    ];
    for act in 0..3 + scripts.len() {
        let client = &attacker.client;
        let page = client.page_at(&stage.site.url("/page?attacker")).await;
        let on = Some(page.session.as_str());
        client.evaluate(&page.session, FIELDS).await;
        let events = match act {
            0 => vec![mouse("mousePressed", "right", 20, 45), mouse("mouseReleased", "right", 20, 45)],
            1 => vec![mouse("mousePressed", "left", 20, 15), mouse("mouseReleased", "left", 20, 15)],
            2 => {
                let moves = (1..6).map(|step| mouse("mouseMoved", "left", 20 + 10 * step, 45 + 20 * step));
                [mouse("mousePressed", "left", 20, 45)].into_iter().chain(moves).collect()
            }
            _ => Vec::new(),
        };
        for event in events {
            client.start(on, "Input.dispatchMouseEvent", event).await;
        }
        if let Some(expression) = act.checked_sub(3).and_then(|at| scripts.get(at)) {
            client.start(on, "Runtime.evaluate", json!({ "expression": expression, "userGesture": true })).await;
        }
        // The action has been done by then, answered or not.
        client.ok(None, "Target.getTargets", json!({})).await;
        for kind in ["mousePressed", "mouseReleased"] {
            victim.client.ok(Some(&typing.session), "Input.dispatchMouseEvent", mouse(kind, "left", 20, 20)).await;
        }
        let key = json!({ "type": "char", "text": "a" });
        victim.client.ok(Some(&typing.session), "Input.dispatchKeyEvent", key).await;
        let typed = victim.client.evaluate(&typing.session, "document.querySelector('input').value").await;
        assert_eq!(typed, "a".repeat(act + 1), "P05, act {act}: the victim could not type");
    }
    stage.unharmed("P05").await;
}

in_browser!(Full: menus_and_pickers_do_not_block_other_sessions);

/// P03: reading the clipboard without a granted permission: with a click, and with the page's own
/// command.
async fn clicks_and_page_commands_do_not_read_the_clipboard(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let page = victim.client.page_at(&stage.site.url(&format!("/page?{}", victim.marker))).await;
    let copy = format!(
        "{{ const area = document.body.appendChild(document.createElement('textarea')); area.value = '{}'
            area.select(); document.execCommand('copy') }}",
        victim.marker
    );
    assert_eq!(victim.client.evaluate(&page.session, &copy).await, true, "P03: nothing was copied");
    let paste = "(async () => {
        const area = document.body.appendChild(document.createElement('textarea')); area.focus()
        const done = ['paste', 'pasteAndMatchStyle', 'PasteAsPlainText'].map(name => document.execCommand(name))
        const read = await Promise.race([navigator.clipboard.readText().catch(error => error.name),
            navigator.clipboard.read().then(items => items[0].getType('text/plain')).then(blob => blob.text())
                .catch(error => error.name)])
        return JSON.stringify([done, area.value, read])
    })()";
    let params = json!({ "expression": paste, "returnByValue": true, "awaitPromise": true, "userGesture": true });
    // A prompt that is never answered counts as a refusal.
    attacker.client.start(attacker.session(On::Page), "Runtime.evaluate", params).await;
    attacker.ok(On::Page, "Runtime.evaluate", json!({ "expression": "1" })).await;
    stage.nothing_learned("P03");
    let text = attacker.evaluate("document.querySelector('textarea').value").await;
    assert_eq!(text, "", "P03: the page pasted");
    stage.nothing_learned("P03");
    victim.client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
}

in_each_browser!(clicks_and_page_commands_do_not_read_the_clipboard);

//! Code that is run in quick actions: what others own, the port, the page that runs the code, and too much of everything.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    proxy::{Answer, eventually},
    rest::{JSON, body_of, is_problem},
    tenants::{Server, Tenant},
};

async fn code_gives_no_access(browser: Browser) {
    let (victim, attacker) = (Tenant::new("victim"), Tenant::new("attacker"));
    let reader = Tenant::with_token("reader", "scope = \"read-only\"");
    let server = Server::start_in(browser, &[&victim, &attacker, &reader], &["--page-timeout-max", "4s"]).await;
    let proxy = &server.proxy;
    let ask = async |code: &str, context: Value| -> Answer {
        let body = json!({ "code": code, "context": context }).to_string();
        proxy.http("POST", "/function", &[("x-api-key", attacker.text()), JSON], &body).await
    };
    let only_reads = server.ask(&reader, "POST", "/function", json!({ "code": "export default () => 1" })).await;
    is_problem(&only_reads, 403, "out-of-scope", "");

    // V50: what another session has, as a client that connects would try it.
    let theirs = server.ok(&victim, "POST", "/v1/sessions", json!({})).await;
    let id = theirs["id"].as_str().expect("an id");
    let page = server.ok(&victim, "POST", &format!("/v1/sessions/{id}/pages"), json!({})).await;
    let code = "export default async ({ page, context }) => {
        const root = await page.browser().target().createCDPSession(), own = await page.createCDPSession();
        const tried = async (on, method, params) => on.send(method, params).then(() => 'done', error => error.message);
        const seen = (await root.send('Target.getTargets')).targetInfos;
        const results = [];
        for (const on of [root, own]) {
            results.push(await tried(on, 'Target.attachToTarget', { targetId: context.target, flatten: true }));
            results.push(await tried(on, 'Target.closeTarget', { targetId: context.target }));
            results.push(await tried(on, 'Browser.crash', {}));
            results.push(await tried(on, 'ghost.getSession', { id: context.session }));
        }
        return { seen: seen.map(({ type, url }) => type + ' ' + url).sort(), results };
    }";
    let answer = body_of(&ask(code, json!({ "target": page["targetId"], "session": id })).await);
    // Its page, which is the only one of the session, and the browser: not the page that runs it.
    let seen: Vec<_> = answer["seen"].as_array().expect("targets").iter().filter(|one| *one != "browser ").collect();
    assert_eq!(seen, ["page about:blank"], "V50: {answer}");
    let results = answer["results"].as_array().expect("results");
    assert!(results.len() == 8 && results.iter().all(|result| result != "done"), "V50: {answer}");
    // It and the first page of the session.
    let pages = server.ok(&victim, "GET", &format!("/v1/sessions/{id}/pages"), Value::Null).await;
    assert_eq!(pages["pages"].as_array().map(Vec::len), Some(2), "V50: {pages}");

    // V51: the port of the server, from the page that runs the code and from the page that it drives.
    let port = proxy.url();
    let code = "export default async ({ page, context }) => {
        const reads = async urls => {
            const seen = [location.origin];
            for (const url of urls) {
                try { seen.push(await (await fetch(url)).text()); } catch (error) { seen.push(error.name); }
                const socket = new WebSocket(url.replace('http', 'ws'));
                seen.push(await new Promise(done => { socket.onopen = () => done('open'); socket.onerror = () => done('refused'); }));
            }
            return seen;
        };
        return [await reads(context), await page.evaluate(reads, context)];
    }";
    let token = attacker.text();
    let urls = json!([format!("{port}/json/version?token={token}"), format!("{port}/?token={token}")]);
    let answer = body_of(&ask(code, urls).await);
    let nothing = json!(["null", "TypeError", "refused", "TypeError", "refused"]);
    assert_eq!(answer, json!([nothing, nothing]), "V51");

    // V52: the page that runs the code, from the pages that it drives.
    let code = "export default async ({ page, context }) => {
        globalThis.secret = 'mine';
        const looks = () => [
            typeof secret, typeof Puppeteer, String(opener), length, history.length,
            Object.getOwnPropertyNames(globalThis).filter(name => /ghost|puppeteer|cdp|binding/i.test(name)).length,
        ];
        new BroadcastChannel('x').onmessage = () => { globalThis.secret = 'heard'; };
        const own = Object.getOwnPropertyNames(globalThis).filter(name => /ghost|puppeteer|cdp|binding/i.test(name));
        const seen = await page.evaluate(looks);
        await page.evaluate(() => new BroadcastChannel('x').postMessage(1));
        const popup = new Promise(done => page.once('popup', done));
        await page.evaluate(() => { open('about:blank'); });
        const inPopup = await (await popup).evaluate(() => [typeof secret, typeof Puppeteer]);
        return { own, seen, inPopup, secret: globalThis.secret };
    }";
    let answer = body_of(&ask(code, json!({})).await);
    let expected = json!({
        "own": [], "seen": ["undefined", "undefined", "null", 0, 1, 0], "inPopup": ["undefined", "undefined"], "secret": "mine",
    });
    assert_eq!(answer, expected, "V52");

    // V53: code that does not end, returns too much, leaves its page, or changes what is around it.
    for (code, status, kind) in [
        ("export default () => { for (;;); }", 408, "action-timeout"),
        ("for (;;);\nexport default () => 1", 408, "action-timeout"),
        ("export default ({ page }) => page.evaluate(() => { for (;;); })", 408, "action-timeout"),
        ("export default () => 'x'.repeat(200_000_000)", 422, "result-too-large"),
        ("export default () => new Uint8Array(200_000_000)", 422, "result-too-large"),
        ("export default () => { window.close(); return new Promise(() => {}); }", 400, "code-left"),
        (
            "export default () => { location.href = 'about:blank?left'; return new Promise(() => {}); }",
            400,
            "code-left",
        ),
        ("export default () => { alert(1); confirm(2); prompt(3); throw 'said'; }", 400, "script-failed"),
        (
            "JSON.stringify = () => { throw 1 }; Array.prototype.push = null; export default () => ({})",
            400,
            "script-failed",
        ),
    ] {
        let answer = ask(code, json!({})).await;
        assert!(
            answer.status == status && answer.body.contains(kind),
            "V53: {code}: {} {}",
            answer.status,
            answer.body
        );
    }
    // Who hangs up ends it.
    let endless = "export default async ({ page }) => { for (;;) await page.evaluate(() => 1); }";
    let hung_up = tokio::time::timeout(std::time::Duration::from_millis(1500), ask(endless, json!({}))).await;
    assert!(hung_up.is_err(), "V53: it ended");
    eventually("V53: the sessions of code have ended", async || {
        server.ok(&attacker, "GET", "/v1/sessions", Value::Null).await["sessions"] == json!([])
    })
    .await;
    let still = server.ok(&victim, "GET", &format!("/v1/sessions/{id}/pages"), Value::Null).await;
    assert_eq!(still, pages, "V53");
}

in_each_browser!(code_gives_no_access);

//! Code that is run with Puppeteer: `/function` and `/download`, as browserless has them.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    proxy::{Answer, Proxy},
    quick::{block_list, nothing_is_left, post},
    rest::{JSON, body_of, is_problem},
    site::Site,
};

const SCRIPT: (&str, &str) = ("Content-Type", "application/javascript");

/// Code that must succeed, and its answer.
async fn ran(proxy: &Proxy, path: &str, code: &str, context: Value) -> Answer {
    let answer = post(proxy, path, &json!({ "code": code, "context": context })).await;
    let shown: String = answer.body.chars().take(1000).collect();
    assert_eq!(answer.status, 200, "{path} {code}: {shown}");
    answer
}

async fn code_is_run_as_in_browserless(browser: Browser) {
    let list = block_list();
    let flags = ["--block-list", list.path().to_str().expect("a path"), "--page-result", "200KiB"];
    let (proxy, site) = (Proxy::start(browser, &flags).await, Site::start().await);
    results_have_their_type(&proxy, &site).await;
    code_drives_pages(&proxy, &site).await;
    errors_of_code_are_those_of_the_request(&proxy).await;
    downloads_are_answered(&proxy, &site).await;
    nothing_is_left(&proxy).await;
}

in_each_browser!(code_is_run_as_in_browserless);

async fn results_have_their_type(proxy: &Proxy, site: &Site) {
    let code = format!(
        "export default async ({{ page }}) => {{ await page.goto('{}'); return page.title(); }}",
        site.url("/page?a")
    );
    let plain = proxy.http("POST", "/function", &[SCRIPT], &code).await;
    assert_eq!((plain.status, &*plain.body), (200, "title-a\n"));
    assert_eq!(plain.header("content-type"), Some("text/plain; charset=UTF-8"));
    for (path, code, kind, body) in [
        (
            "/chromium/function",
            "export default ({ context }) => context",
            "application/json; charset=UTF-8",
            "{\n  \"a\": 5\n}\n",
        ),
        (
            "/chrome/function",
            "module.exports = async ({ context }) => '<b>' + context.a",
            "text/html; charset=UTF-8",
            "<b>5\n",
        ),
        ("/function", "export default () => 7", "text/plain; charset=UTF-8", "7\n"),
        ("/function", "export default () => ({ data: 'b { }', type: 'text/css' })", "text/css; charset=UTF-8", "b { }"),
        ("/function", "export default () => ({ data: btoa('bytes'), type: 'image/x' })", "image/x", "bytes"),
        ("/function", "export default () => new TextEncoder().encode('GIF89a')", "image/gif", "GIF89a"),
        (
            "/function",
            "import { five } from 'data:text/javascript,export const five = 5';\nexport default () => ({ data: five, type: 'application/json' })",
            "application/json; charset=UTF-8",
            "{\n  \"data\": 5,\n  \"type\": \"application/json\"\n}\n",
        ),
    ] {
        let answer = ran(proxy, path, code, json!({ "a": 5 })).await;
        assert_eq!((answer.header("content-type"), &*answer.body), (Some(kind), body), "{code}");
        assert_eq!(answer.header("content-security-policy"), Some("sandbox; frame-ancestors 'none'"));
    }
}

async fn code_drives_pages(proxy: &Proxy, site: &Site) {
    let code = "export default async ({ page, context }) => {
        const asked = [];
        await page.setRequestInterception(true);
        page.on('request', request => { asked.push(new URL(request.url()).pathname); request.continue(); });
        await page.goto(context.url);
        await page.setContent('<input id=i><button onclick=\"this.textContent = i.value\">Go');
        await page.type('#i', 'typed');
        await page.click('button');
        const other = await page.browser().newPage();
        await other.goto(context.url + 'two');
        const shot = await page.screenshot(), pdf = await page.pdf();
        return {
            asked, clicked: await page.$eval('button', button => button.textContent),
            titles: await Promise.all([page, other].map(page => page.title())),
            added: await page.evaluate((a, b) => a + b, 1, 2),
            shot: String.fromCharCode(...shot.slice(1, 4)), pdf: String.fromCharCode(...pdf.slice(0, 5)),
            timers: await new Promise(done => setTimeout(done, 20, 'run')),
        };
    }";
    let answer = body_of(&ran(proxy, "/function", code, json!({ "url": site.url("/page?") })).await);
    let expected = json!({
        "asked": ["/page"], "clicked": "typed", "titles": ["", "title-two"], "added": 3, "shot": "PNG", "pdf": "%PDF-", "timers": "run",
    });
    assert_eq!(answer, expected);
    let code = "export default async ({ page, context }) => page.evaluate(async urls => {
        const status = url => fetch(url, { mode: 'no-cors' }).then(() => 'there', () => 'blocked');
        return Promise.all(urls.map(status));
    }, context)";
    let urls = json!([site.url_at("ads.localhost", "/page?x"), site.url_at("shop.localhost", "/page?x")]);
    let answer = ran(proxy, "/function?blockAds", code, urls).await;
    assert_eq!(body_of(&answer), json!(["blocked", "there"]));
    // The session is what the URL wants of it.
    let answer = ran(
        proxy,
        "/function?--lang=de-DE",
        "export default ({ page }) => page.evaluate('navigator.language')",
        json!({}),
    )
    .await;
    assert_eq!(answer.body, "de-DE\n");
}

async fn errors_of_code_are_those_of_the_request(proxy: &Proxy) {
    for (code, status, kind, word) in [
        (
            "export default async () => { throw new RangeError('my error'); }",
            400,
            "script-failed",
            "RangeError: my error",
        ),
        ("export default ({ page }) => page.evaluate(() => missing)", 400, "script-failed", "missing is not defined"),
        ("export default 5", 400, "script-failed", "exports no function"),
        ("export default () => {", 400, "script-failed", "SyntaxError"),
        ("export default () => 'x'.repeat(300000)", 422, "result-too-large", "page_result allows 204800"),
        (
            "export default () => ({ data: '\\u00e9'.repeat(150000), type: 'text/plain' })",
            422,
            "result-too-large",
            "300000 bytes",
        ),
        ("export default () => new Uint8Array(300000)", 422, "result-too-large", "300000 bytes"),
        (
            "export default ({ page }) => page.browser().close().then(() => new Promise(() => {}))",
            400,
            "code-left",
            "its session",
        ),
    ] {
        let answer = post(proxy, "/function", &json!({ "code": code })).await;
        is_problem(&answer, status, kind, word);
    }
    let thrown =
        post(proxy, "/function", &json!({ "code": "export default () => {\n  throw new Error('x'); }" })).await;
    assert!(
        body_of(&thrown)["stack"].as_str().is_some_and(|stack| stack.contains("function.js:2:")),
        "{}",
        thrown.body
    );
    for (path, code, word) in [
        ("/function?timeout=1000", "export default () => new Promise(() => {})", "1000 ms"),
        ("/download?timeout=4000", "export default () => 1", "no page has downloaded"),
    ] {
        is_problem(&post(proxy, path, &json!({ "code": code })).await, 408, "action-timeout", word);
    }
    let no_code = post(proxy, "/function", &json!({ "context": {} })).await;
    is_problem(&no_code, 400, "bad-value", "code");
    is_problem(
        &proxy.http("POST", "/function", &[("Content-Type", "text/plain")], "x").await,
        415,
        "content-type",
        "application/javascript",
    );
    is_problem(&proxy.http("POST", "/download", &[JSON], "{").await, 400, "bad-json", "not JSON");
}

async fn downloads_are_answered(proxy: &Proxy, site: &Site) {
    let code = "export default ({ page, context }) => page.evaluate(url => { location.href = url; }, context.url)";
    for path in ["/download", "/chromium/download", "/chrome/download"] {
        let answer = ran(proxy, path, code, json!({ "url": site.url("/download?report.csv") })).await;
        assert_eq!(answer.header("content-type"), Some("text/csv"));
        assert_eq!(
            answer.header("content-disposition"),
            Some("attachment; filename=\"report.csv\"; filename*=UTF-8''report.csv")
        );
        assert_eq!(answer.body, "x".repeat(100_000));
    }
}

//! Quick actions in the shape of browserless: `/screenshot`, `/pdf`, `/content`, `/scrape`, `/links`.

use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    pages::extent,
    proxy::{Answer, Proxy, eventually},
    rest::{JSON, body_of, is_problem},
    site::Site,
};

const PAGE: &str = "<!doctype html><title>Shop</title><h1 class='a b'>Offers</h1><ul><li>One<li>Two</ul>
    <a href='https://example.org/x'>More</a><script>document.body.append('by script')</script>";

/// A quick action.
pub(crate) async fn post(proxy: &Proxy, path: &str, body: &Value) -> Answer {
    proxy.http("POST", path, &[JSON], &body.to_string()).await
}

/// A quick action that must succeed.
async fn done(proxy: &Proxy, path: &str, body: Value) -> Answer {
    let answer = post(proxy, path, &body).await;
    assert_eq!(answer.status, 200, "{path} {body}: {}", answer.body.chars().take(1000).collect::<String>());
    answer
}

/// Waits until no session is left.
pub(crate) async fn nothing_is_left(proxy: &Proxy) {
    eventually("the sessions of quick actions have ended", async || proxy.figure("sessions").await == 0).await;
}

async fn quick_actions_answer_as_browserless(browser: Browser) {
    let list = block_list();
    let flags = ["--block-list", list.path().to_str().expect("a path")];
    let (proxy, site) = (Proxy::start(browser, &flags).await, Site::start().await);
    content_has_the_page_and_its_response(&proxy, &site).await;
    screenshots_show_what_is_wanted(&proxy).await;
    pdfs_are_printed(&proxy).await;
    elements_are_scraped(&proxy).await;
    pages_are_waited_for(&proxy).await;
    pages_are_changed_before_they_are_read(&proxy, &site).await;
    hosts_of_the_list_are_blocked(&proxy, &site).await;
    errors_say_what_is_wrong(&proxy, &site).await;
    nothing_is_left(&proxy).await;
}

in_each_browser!(quick_actions_answer_as_browserless);

async fn content_has_the_page_and_its_response(proxy: &Proxy, site: &Site) {
    let (url, port) = (site.url("/page?x"), site.origin().rsplit(':').next().expect("a port").to_owned());
    let redirected = site.url(&format!("/redirect?{url}"));
    for path in ["/content", "/chromium/content", "/chrome/content?token=x&trackingId=y"] {
        let answer = done(proxy, path, json!({ "url": redirected })).await;
        assert!(answer.body.starts_with("<!DOCTYPE html><html>") && answer.body.contains("body-x"), "{}", answer.body);
        let headers = [
            ("content-type", "text/html; charset=UTF-8"),
            ("x-response-code", "200"),
            ("x-response-status", "OK"),
            ("x-response-url", &url),
            ("x-response-ip", "127.0.0.1"),
            ("x-response-port", &port),
            // It must not run as a page of this server.
            ("content-security-policy", "sandbox; frame-ancestors 'none'"),
        ];
        for (name, value) in headers {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }
    let answer = done(proxy, "/content", json!({ "html": PAGE })).await;
    assert!(answer.body.contains("by script"), "{}", answer.body);
    assert_eq!(answer.header("x-response-code"), None, "it was not loaded");
    let links = done(proxy, "/links", json!({ "html": PAGE })).await;
    assert_eq!(body_of(&links), json!({ "links": [{ "url": "https://example.org/x", "text": "More" }] }));
}

async fn screenshots_show_what_is_wanted(proxy: &Proxy) {
    const HIGH: &str = "<body style='margin:0'><div id=a style='width:200px;height:3000px;background:red'></div><b>x";

    let shown = async |options: Value, more: Value| {
        let mut body = json!({ "html": HIGH, "options": options });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        done(proxy, "/screenshot", body).await
    };
    let answer = shown(json!({ "encoding": "base64", "fullPage": true }), json!({ "scrollPage": true })).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert!(extent(&answer.body).1 >= 3000, "{:?}", extent(&answer.body));
    let clip = json!({ "x": 10, "y": 20, "width": 30, "height": 40 });
    assert_eq!(extent(&shown(json!({ "encoding": "base64", "clip": clip }), json!({})).await.body), (30, 40));
    let element = shown(json!({ "encoding": "base64", "omitBackground": true }), json!({ "selector": "div" })).await;
    assert_eq!(extent(&element.body), (200, 3000));
    for (kind, start) in [("png", "PNG"), ("jpeg", "JFIF"), ("webp", "WEBP")] {
        let options = json!({ "type": kind, "optimizeForSpeed": true });
        let answer = shown(options, json!({})).await;
        assert_eq!(answer.header("content-type"), Some(&*format!("image/{kind}")));
        assert!(answer.body.chars().take(20).collect::<String>().contains(start), "{kind}");
    }
    let refused = post(proxy, "/screenshot", &json!({ "html": HIGH, "selector": "#none" })).await;
    is_problem(&refused, 400, "no-element", "waitForSelector");
}

async fn pdfs_are_printed(proxy: &Proxy) {
    let sheet = json!({ "html": "<p style='height:2000px'>x", "options": {
        "format": "a4", "printBackground": true, "margin": { "top": "1cm", "left": 20 },
        "displayHeaderFooter": true, "headerTemplate": "<b>top</b>", "footerTemplate": "<i class=pageNumber></i>",
    } });
    let pages = |answer: &Answer| answer.body.matches("/Type /Page\n").count();
    let answer = done(proxy, "/pdf", sheet).await;
    assert_eq!(answer.header("content-type"), Some("application/pdf"));
    assert!(answer.body.starts_with("%PDF-") && pages(&answer) == 2, "{} pages", pages(&answer));
    // On one sheet.
    let whole =
        done(proxy, "/pdf", json!({ "html": "<p style='height:2000px'>x", "options": { "fullPage": true } })).await;
    assert_eq!(pages(&whole), 1);
}

async fn elements_are_scraped(proxy: &Proxy) {
    let body = json!({
        "html": PAGE, "elements": [{ "selector": "h1" }, { "selector": "li", "timeout": 1000 }],
        "debugOpts": { "html": true, "screenshot": true },
    });
    let answer = body_of(&done(proxy, "/scrape", body).await);
    let heading = &answer["data"][0]["results"][0];
    assert_eq!((&heading["text"], &heading["html"]), (&json!("Offers"), &json!("Offers")), "{heading}");
    assert_eq!(heading["attributes"], json!([{ "name": "class", "value": "a b" }]));
    assert!(["left", "top", "width", "height"].iter().all(|side| heading[side].is_number()), "{heading}");
    assert_eq!(answer["data"][1]["selector"], "li");
    assert_eq!(answer["data"][1]["results"].as_array().map(Vec::len), Some(2));
    assert!(answer["debug"]["html"].as_str().is_some_and(|html| html.contains("Offers")), "{answer}");
    let absent = json!({ "html": PAGE, "elements": [{ "selector": "table", "timeout": 100 }] });
    is_problem(&post(proxy, "/scrape", &absent).await, 408, "action-timeout", "css=table");
    let mut best = absent;
    best["bestAttempt"] = true.into();
    let answer = body_of(&done(proxy, "/scrape", best).await);
    assert_eq!(answer, json!({ "data": [{ "selector": "table", "results": [] }] }));
}

async fn pages_are_waited_for(proxy: &Proxy) {
    const LATE: &str = "<script>setTimeout(() => {
        document.body.append(Object.assign(document.createElement('p'), { id: 'late', textContent: 'late' }));
        document.dispatchEvent(new Event('ready'));
    }, 300)</script><body>";

    for wait in [
        json!({ "waitForSelector": { "selector": "#late", "visible": true } }),
        json!({ "waitForEvent": { "event": "ready" } }),
        json!({ "waitForFunction": { "fn": "() => !!document.querySelector('#late')", "polling": "raf" } }),
        json!({ "waitForFunction": { "fn": "document.querySelector('#late')" } }),
        json!({ "waitForFunction": { "fn": "async () => { while (!document.querySelector('#late')) await new Promise(done => setTimeout(done, 10)) }" } }),
        json!({ "waitForTimeout": 500 }),
        json!({ "gotoOptions": { "waitUntil": ["load", "networkidle0"] } }),
    ] {
        let mut body = wait.clone();
        body["html"] = LATE.into();
        let answer = done(proxy, "/content", body).await;
        assert!(answer.body.contains("id=\"late\""), "{wait}: {}", answer.body);
    }
    let never = json!({ "html": LATE, "waitForSelector": { "selector": "#never", "timeout": 50 } });
    is_problem(&post(proxy, "/content", &never).await, 408, "action-timeout", "#never");
    let body = json!({ "html": LATE, "bestAttempt": true, "waitForEvent": { "event": "never", "timeout": 50 } });
    assert!(done(proxy, "/content", body).await.body.contains("<script>"));
}

async fn pages_are_changed_before_they_are_read(proxy: &Proxy, site: &Site) {
    let body = json!({
        "html": PAGE, "setJavaScriptEnabled": false,
    });
    assert!(!done(proxy, "/content", body).await.body.contains(">by script"), "scripts are off");
    let body = json!({
        "url": site.url("/page?added"),
        "gotoOptions": { "referer": "http://example.org/from" },
        "addScriptTag": [
            { "content": "document.title += '-inline'; document.title += '-' + document.referrer", "id": "mine" },
            { "url": "data:text/javascript,document.title+='-data'", "type": "module" },
        ],
        "addStyleTag": [{ "content": "h1 { color: red }" }, { "url": "data:text/css,body{color:blue}" }],
    });
    let answer = done(proxy, "/content", body).await;
    assert!(answer.body.contains("title-added-inline-http://example.org/"), "{}", answer.body);
    assert!(answer.body.contains("id=\"mine\"") && answer.body.contains("data:text/css"), "{}", answer.body);
    let body = json!({
        "url": site.url("/page?set"),
        "viewport": { "width": 321, "height": 222, "deviceScaleFactor": 2 },
        "userAgent": { "userAgent": "me", "platform": "mine" },
        "cookies": [{ "name": "own", "value": "1" }],
        "setExtraHTTPHeaders": { "X-Test": "yes" },
        "emulateMediaType": "print",
        "rejectResourceTypes": ["image"],
        "rejectRequestPattern": ["never\\.js$"],
        "requestInterceptors": [{ "pattern": "mine\\.js", "response": {
            "contentType": "text/javascript",
            "body": "document.title = [innerWidth, devicePixelRatio, navigator.userAgent, navigator.platform, document.cookie, matchMedia('print').matches]",
        } }],
        "addScriptTag": [{ "url": site.url("/mine.js") }],
    });
    let answer = done(proxy, "/content", body).await;
    assert!(answer.body.contains("<title>321,2,me,mine,"), "{}", answer.body);
    assert!(answer.body.contains("own=1") && answer.body.contains("true</title>"), "{}", answer.body);
    let asked = site.requests();
    let head =
        &asked.iter().find(|request| request.path == "/page?set").expect("it was asked for").head.to_ascii_lowercase();
    for line in ["user-agent: me\r\n", "cookie: own=1\r\n", "x-test: yes\r\n"] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(!asked.iter().any(|request| request.path == "/mine.js"), "it was answered here");
    let refused = json!({ "url": site.url("/page?r"), "rejectRequestPattern": ["never\\.js$"], "addScriptTag": [{ "url": site.url("/never.js") }] });
    is_problem(&post(proxy, "/content", &refused).await, 422, "script-failed", "never.js");
    let markdown = done(proxy, "/markdown", json!({ "html": "<h1>A</h1><p>b <b>c</b>" })).await;
    assert_eq!(markdown.header("content-type"), Some("text/markdown; charset=UTF-8"));
    assert_eq!(markdown.body.trim(), "# A\n\nb **c**");
    // The session is what the URL wants of it.
    let body = json!({ "html": "<script>document.write(navigator.language + innerWidth)</script>" });
    let launch = BASE64.encode(br#"{"defaultViewport":{"width":333,"height":222}}"#);
    let answer = done(proxy, &format!("/content?--lang=de-DE&launch={}", launch.replace('=', "%3D")), body).await;
    assert!(answer.body.contains("de-DE333"), "{}", answer.body);
}

/// A list of hosts that are blocked.
pub(crate) fn block_list() -> tempfile::NamedTempFile {
    let list = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(list.path(), "# a list\n127.0.0.1 localhost\n0.0.0.0 ads.localhost\n*.track.localhost\n")
        .expect("it is written");
    list
}

async fn hosts_of_the_list_are_blocked(proxy: &Proxy, site: &Site) {
    let hosts = ["ads.localhost", "a.b.ads.localhost", "x.track.localhost", "track.localhost", "shop.localhost"];
    let images: Vec<_> =
        hosts.iter().map(|host| format!("<img src='{}'>", site.url_at(host, &format!("/pixel?{host}")))).collect();
    let frame = format!("<iframe src='{}'></iframe>", site.url_at("ads.localhost", "/page?framed"));
    let body = json!({
        "html": images.concat() + &frame, "blockAds": true,
        "requestInterceptors": [{ "pattern": "pixel\\?a\\.b", "response": { "body": "answered here" } }],
    });
    done(proxy, "/content", body.clone()).await;
    let asked = |part: &str| site.requests().iter().any(|request| request.path.contains(part));
    let seen: Vec<_> = hosts.iter().filter(|host| asked(&format!("/pixel?{host}"))).collect();
    assert_eq!(seen, [&"track.localhost", &"shop.localhost"]);
    assert!(!asked("framed"), "frames are blocked too");
    let blocked =
        post(proxy, "/content?blockAds", &json!({ "url": site.url_at("ads.localhost", "/page?opened") })).await;
    is_problem(&blocked, 502, "not-loaded", "ERR_BLOCKED_BY_CLIENT");
    let mut without = body;
    without["blockAds"] = false.into();
    done(proxy, "/content", without).await;
    assert!(asked("/pixel?ads.localhost") && asked("framed"));
}

async fn errors_say_what_is_wrong(proxy: &Proxy, site: &Site) {
    let file = json!({ "url": "about:blank", "addScriptTag": [{ "path": "/etc/passwd" }] });
    for (path, body, field) in [
        ("/content", json!({}), "url"),
        ("/content", json!({ "url": "about:blank", "colour": 1 }), "colour"),
        ("/content", file, "addScriptTag[0].path"),
        ("/screenshot", json!({ "html": "x", "options": { "path": "/tmp/x" } }), "options.path"),
        ("/pdf", json!({ "html": "x", "options": { "fullPage": true, "format": "a4" } }), "options.fullPage"),
        ("/scrape", json!({ "html": "x" }), "elements"),
        ("/content?keep_alive=5m", json!({ "html": "x" }), "keep_alive"),
        ("/content?launch=no", json!({ "html": "x" }), "launch"),
    ] {
        let answer = post(proxy, path, &body).await;
        is_problem(&answer, 400, "bad-value", field);
        assert_eq!(body_of(&answer)["field"], field, "{path} {body}");
    }
    let nowhere = post(proxy, "/content", &json!({ "url": "http://127.0.0.1:1/" })).await;
    is_problem(&nowhere, 502, "not-loaded", "net::ERR");
    let throws = json!({ "html": "x", "addScriptTag": [{ "url": site.url("/nothing").replace("http", "no") }] });
    is_problem(&post(proxy, "/content", &throws).await, 422, "script-failed", "could not be loaded");
    let late = json!({ "url": site.url("/late") });
    is_problem(&post(proxy, "/content?timeout=300", &late).await, 408, "action-timeout", "it waited for the response");
    let form = proxy.http("POST", "/content", &[("Content-Type", "text/plain")], "{}").await;
    is_problem(&form, 415, "content-type", "application/json");
    is_problem(&proxy.http("POST", "/pdf", &[JSON], "{").await, 400, "bad-json", "not JSON");
    for (path, word) in [("/chromium/bql", "/v1/sessions"), ("/performance", "Lighthouse"), ("/unblock", "/content")] {
        is_problem(&post(proxy, path, &json!({})).await, 501, "not-offered", word);
    }
    for (path, kind) in [("/firefox/screenshot", "other-browser"), ("/playwright/chromium", "other-protocol")] {
        is_problem(&post(proxy, path, &json!({})).await, 400, kind, "this server");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_actions_wait_for_a_place_and_free_it() {
    let proxy = Proxy::start(Browser::any(), &["--max-sessions", "1", "--queue", "1"]).await;
    let site = Site::start().await;
    let (late, html) = (json!({ "url": site.url("/late") }), json!({ "html": "x" }));
    let second = async {
        site.arrived("/late").await;
        post(&proxy, "/content", &html).await
    };
    let (first, second, third) = tokio::join!(post(&proxy, "/content", &late), second, async {
        let queued = async || body_of(&proxy.http("GET", "/pressure", &[], "").await)["pressure"]["queued"] == 1;
        eventually("one waits", queued).await;
        let refused = post(&proxy, "/content", &html).await;
        site.release();
        refused
    });
    assert_eq!((first.status, second.status), (200, 200), "{} {}", first.body, second.body);
    is_problem(&third, 429, "queue-full", "");
    assert!(third.header("retry-after").is_some());
    // Who hangs up needs no place any more.
    let hangs = tokio::time::timeout(Duration::from_secs(20), async {
        tokio::select! {
            answer = post(&proxy, "/content", &late) => panic!("{}", answer.body),
            () = async {
                eventually("it was asked", async || {
                    site.requests().iter().filter(|request| request.path == "/late").count() == 2
                }).await;
            } => {}
        }
    });
    hangs.await.expect("the page is asked for");
    nothing_is_left(&proxy).await;
    let totals = body_of(&proxy.http("GET", "/metrics/total", &[], "").await);
    assert_eq!((&totals["successful"], &totals["rejected"]), (&json!(2), &json!(1)), "{totals}");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_describes_itself_as_browserless() {
    let flags = ["--max-sessions", "7", "--queue", "3", "--page-timeout", "20s"];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    assert_eq!(proxy.http("GET", "/active", &[], "").await.status, 204);
    let config = body_of(&proxy.http("GET", "/config", &[], "").await);
    assert_eq!(
        (&config["concurrent"], &config["queued"], &config["timeout"], &config["token"]),
        (&json!(7), &json!(3), &json!(20_000), &Value::Null),
        "{config}"
    );
    for (path, body) in
        [("/content", json!({ "html": "x", "blockAds": true })), ("/pdf?blockAds", json!({ "html": "x" }))]
    {
        is_problem(&post(&proxy, path, &body).await, 400, "bad-value", "block_list");
    }
    let meta = body_of(&proxy.http("GET", "/meta", &[], "").await);
    assert!(meta["chromium"].as_str().is_some_and(|version| version.contains('.')), "{meta}");
}

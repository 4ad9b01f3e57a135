//! Entry points other than CDP frames: the HTTP API called by a page, imported snapshots, and files
//! that a browser writes by itself.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use super::stage::Stage;
use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, Page, text},
    rest,
};

/// J15, N12, D06: none of them gives more access than a frame.
async fn other_entry_points_give_no_access(browser: Browser) {
    let stage = Stage::strict(browser).await;
    pages_cannot_use_the_http_api(&stage).await;
    stage.unharmed("J15").await;
    imported_snapshots_open_no_file_or_chrome_urls(&stage).await;
    stage.unharmed("N12").await;
    unrequested_downloads_write_no_host_files(&stage).await;
    stage.unharmed("D06").await;
}

in_each_browser!(other_entry_points_give_no_access);

/// J15: a page that knows every path and every id, with every kind of request that a page can make.
async fn pages_cannot_use_the_http_api(stage: &Stage) {
    let (attacker, proxy) = (&stage.attacker, &stage.proxy);
    let canary = rest::create(proxy, json!({ "name": "canary", "keepAlive": 600_000 })).await;
    let path = format!("/v1/sessions/{}", rest::id_of(&canary));
    let saved = rest::ok(proxy, "POST", &format!("{path}/snapshots"), Value::Null).await;
    let snapshot = format!("/v1/snapshots/{}", rest::id_of(&saved["snapshot"]));
    let all = async || {
        let (_, mut session) = rest::send(proxy, "GET", &path, Value::Null).await;
        let sessions = rest::ok(proxy, "GET", "/v1/sessions", Value::Null).await;
        let count = sessions["sessions"].as_array().map(Vec::len);
        let snapshots = rest::ok(proxy, "GET", "/v1/snapshots", Value::Null).await;
        session.as_object_mut().map(|session| session.remove("expiresAt"));
        (session, count, snapshots)
    };
    let before = all().await;
    assert_eq!(before.0["id"], canary["id"], "J15: {before:?}");
    let url = proxy.url();
    let kill = format!("/kill/{}", rest::id_of(&canary));
    let requests = [
        ("GET", "/v1/sessions".to_owned()),
        ("POST", "/v1/sessions".to_owned()),
        ("GET", path.clone()),
        ("PATCH", path.clone()),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/park")),
        ("GET", format!("{path}/pages")),
        ("POST", format!("{path}/snapshots")),
        ("POST", format!("{path}/clone")),
        ("POST", "/v1/snapshots".to_owned()),
        ("GET", format!("{snapshot}/content?format=ghostmux")),
        ("DELETE", snapshot.clone()),
        ("GET", "/sessions".to_owned()),
        ("GET", "/metrics".to_owned()),
        ("GET", kill.clone()),
    ];
    // From a page of a site, and from one at the control port's own origin.
    for at in [stage.site.url("/page?attacker"), format!("{url}/json/version")] {
        let page = attacker.client.page_at(&at).await;
        for (method, path) in &requests {
            let script = format!(
                "Promise.all([{{}}, {{ mode: 'no-cors' }}, {{ headers: {{ 'content-type': 'application/json' }} }}].map(how =>
                    fetch('{url}{path}', {{ method: '{method}', credentials: 'include', ...how,
                        ...('{method}' === 'GET' ? {{}} : {{ body: '{{}}' }}) }}).then(said => said.text(), error => error.name)))
                    .then(all => all.join('|'))"
            );
            let read = attacker.client.evaluate(&page.session, &script).await.to_string();
            assert!(!read.contains(rest::id_of(&canary)), "J15: {method} {path} from {at}: {read}");
        }
        let others = format!(
            "new Promise(done => {{
                navigator.sendBeacon('{url}/v1/sessions', new Blob(['{{}}'], {{ type: 'text/plain' }}))
                const form = document.createElement('form')
                Object.assign(form, {{ method: 'POST', action: '{url}{path}/park', target: 'frame' }})
                const frame = Object.assign(document.createElement('iframe'), {{ name: 'frame', onload: () => done(0) }})
                document.documentElement.append(form, frame)
                form.submit()
                new Image().src = '{url}{kill}'
                document.head?.append(Object.assign(document.createElement('link'), {{ rel: 'prefetch', href: '{url}{kill}' }}))
            }})"
        );
        attacker.client.evaluate(&page.session, &others).await;
        assert_eq!(all().await, before, "J15: from {at}");
        let answers = [
            shown(&attacker.client, &page, &format!("{url}{kill}")).await,
            shown(&attacker.client, &page, &format!("{url}/v1/sessions")).await,
        ];
        assert!(!answers.concat().contains(rest::id_of(&canary)), "J15: {answers:?}");
        assert_eq!(all().await, before, "J15: from {at}");
        attacker.client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
    }
    let headers =
        json!({ "headers": { "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty" } });
    let page = attacker.client.page_at(&stage.site.url("/page?attacker")).await;
    attacker.client.ok(Some(&page.session), "Network.enable", json!({})).await;
    let _ = attacker.client.call_on(&page.session, "Network.setExtraHTTPHeaders", headers).await;
    shown(&attacker.client, &page, &format!("{url}{kill}")).await;
    assert_eq!(all().await, before, "J15: with forged headers");
    attacker.client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
    rest::send(proxy, "DELETE", &path, Value::Null).await;
    rest::send(proxy, "DELETE", &snapshot, Value::Null).await;
}

/// Navigates a page by command and returns the text that it shows then.
async fn shown(client: &Client, page: &Page, url: &str) -> String {
    let _ = client.call_on(&page.session, "Page.navigate", json!({ "url": url })).await;
    let params = json!({ "expression": "document.documentElement?.innerText", "returnByValue": true });
    client.call_on(&page.session, "Runtime.evaluate", params).await.map(|shown| shown.to_string()).unwrap_or_default()
}

/// N12: pages, histories and storage of a snapshot written by hand lead only where a command may
/// lead.
async fn imported_snapshots_open_no_file_or_chrome_urls(stage: &Stage) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "canary-words").expect("written");
    let host = format!("file://{}", file.path().display());
    let mut pages = Vec::new();
    for url in
        [&host, "chrome://settings/", "chrome://gpu", "chrome://inducebrowsercrashforrealz/", "view-source:file:///"]
    {
        let history = |urls: [&str; 3]| urls.map(|url| json!({ "url": url, "title": "" }));
        let web = stage.site.url("/page?restored");
        let page = |url: &str, history: [Value; 3]| {
            json!({ "url": url, "title": "", "history": history, "current": 1,
                "sessionStorage": [{ "key": format!("{url}/"), "items": [["a", "b"]] }] })
        };
        // The page itself, between two entries that may be opened; and such entries around a page
        // that may.
        pages.push(page(url, history([&web, url, &web])));
        pages.push(page(&web, history([url, &web, url])));
    }
    let content = content(&pages, &[&format!("{host}/"), "chrome://settings/"]);
    let ndjson = [("Content-Type", "application/x-ndjson")];
    let imported = stage.proxy.http("POST", "/v1/snapshots", &ndjson, &content).await;
    assert_eq!(imported.status, 201, "N12: {imported:?}");
    let snapshot = rest::body_of(&imported)["snapshot"].clone();
    let client = stage.proxy.connect_to(&format!("/?snapshot={}", rest::id_of(&snapshot))).await;
    stage.unharmed("N12").await;
    let listed = client.ok(None, "Target.getTargets", json!({ "filter": [{ "type": "page" }] })).await;
    let listed = listed["targetInfos"].as_array().cloned().unwrap_or_default();
    assert_eq!(listed.len(), pages.len(), "N12: {listed:?}");
    for info in listed {
        let page = client.attach(None, &text(&info, "targetId")).await;
        let history = client.ok(Some(&page), "Page.getNavigationHistory", json!({})).await;
        for entry in history["entries"].as_array().into_iter().flatten() {
            let url = text(entry, "url");
            assert!(url == "about:blank" || url.starts_with(&stage.site.origin()), "N12: {history}");
            let led = json!({ "entryId": entry["id"] });
            let _ = client.call_on(&page, "Page.navigateToHistoryEntry", led).await;
        }
    }
    drop(client);
    rest::send(&stage.proxy, "DELETE", &format!("/v1/snapshots/{}", rest::id_of(&snapshot)), Value::Null).await;
}

/// A snapshot of one context, in the format of `docs/snapshot-content.md`.
fn content(pages: &[Value], keys: &[&str]) -> String {
    let mut lines =
        vec![json!({ "header": { "version": 1, "browser": "" } }), json!({ "context": { "madeByClient": false } })];
    for key in keys {
        lines.push(json!({ "storage": { "key": key } }));
        lines.push(json!({ "localStorage": [["a", "b"]] }));
    }
    lines.extend(pages.iter().map(|page| json!({ "page": page })));
    let text = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n") + "\n";
    let counts = json!({ "contexts": 1, "cookies": 0, "origins": keys.len(), "localStorage": keys.len(),
        "sessionStorage": pages.len(), "databases": 0, "rows": 0, "pages": pages.len(), "bytes": text.len() });
    format!("{text}{}\n", json!({ "end": { "counts": counts, "complete": true } }))
}

/// D06: without a download directory, or with Chrome's default one, which all sessions on the host
/// share.
async fn unrequested_downloads_write_no_host_files(stage: &Stage) {
    for behavior in [None, Some("default")] {
        let client = stage.proxy.connect().await;
        let page = client.page_at(&stage.site.url("/page?attacker")).await;
        client.ok(Some(&page.session), "Page.enable", json!({})).await;
        if let Some(behavior) = behavior {
            client
                .ok(None, "Browser.setDownloadBehavior", json!({ "behavior": behavior, "eventsEnabled": true }))
                .await;
        }
        let name = format!("ghostmux-{}.bin", uuid::Uuid::new_v4().simple());
        let click = format!(
            "Object.assign(document.createElement('a'), {{ href: '/download?{name}', download: '' }}).click(); 0"
        );
        client.evaluate(&page.session, &click).await;
        // Headless shell does not begin the download and sends no event.
        let over =
            |frame: &Value| frame["method"] == "Page.downloadProgress" && frame["params"]["state"] != "inProgress";
        let ended = client.wait_or_close(Duration::from_secs(1), over).await;
        if let Ok(ended) = &ended {
            assert_eq!(ended["params"]["state"], "canceled", "D06: with behavior {behavior:?} it was written: {ended}");
        }
        let left: Vec<PathBuf> = places().iter().map(|place| place.join(&name)).filter(|path| path.exists()).collect();
        for path in &left {
            std::fs::remove_file(path).expect("it can go");
        }
        assert!(left.is_empty(), "D06: with behavior {behavior:?} the host has {left:?}");
    }
}

/// The directories to which a Chrome writes downloads by default.
fn places() -> Vec<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into()));
    vec![home.join("Downloads"), home, std::env::temp_dir(), Path::new(".").to_owned()]
}

//! URLs, host files, and input.

use std::{fs, os::unix::fs::symlink};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    rows::{Arena, rows_in_each_browser},
    stage::{EVERYWHERE, On, Says, Stage},
};
use crate::{
    browsers::{Browser, in_browser},
    client::text,
};

/// A host file that no client may read.
struct Canary {
    directory: tempfile::TempDir,
    words: String,
}

impl Canary {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let words = format!("canary-{}", uuid::Uuid::new_v4().simple());
        fs::write(directory.path().join("canary.txt"), &words).expect("written");
        symlink(directory.path().join("canary.txt"), directory.path().join("link.txt")).expect("a link");
        Self { directory, words }
    }

    fn path(&self) -> String {
        self.directory.path().join("canary.txt").display().to_string()
    }

    /// No client has received the file's content.
    fn is_unread(&self, stage: &Stage, row: &str) {
        for frame in stage.attacker.client.frames().iter().filter(|frame| !frame.sent) {
            assert!(!frame.text.contains(&self.words), "{row}: the file was read: {}", frame.text);
        }
    }
}

/// N01 to N04, J10: host files are not opened, whatever the spelling of the URL.
async fn host_files_are_not_opened(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, canary) = (&stage.attacker, Canary::new());
    let path = canary.path();
    attacker
        .evaluate("document.body.append(Object.assign(document.createElement('iframe'), { src: '/page?child' })); 0")
        .await;
    let tree = attacker.ok(On::Page, "Page.getFrameTree", json!({})).await;
    let child = &tree["frameTree"]["childFrames"][0]["frame"]["id"];
    assert!(child.is_string(), "N03: no child frame: {tree}");
    for url in [
        format!("file://{path}"),
        format!("FILE://{path}"),
        format!("file:{path}"),
        format!("file:/{path}"),
        format!("file://localhost{path}"),
        format!("  file://{path}"),
        format!("\u{1}file://{path}"),
        format!("fi\tle://{path}"),
        format!("fi\nle:/\r/{path}"),
        format!("file:\\\\\\{path}"),
        format!("view-source:file://{path}"),
        format!("ViEw-SoUrCe:FiLe://{path}"),
        format!("view-source: file://{path}"),
        format!("view-source:view-source:file://{path}"),
        format!("filesystem:file://{path}"),
    ] {
        for (row, params) in [("N01 N02", json!({ "url": url })), ("N03", json!({ "url": url, "frameId": child }))] {
            let done = attacker.call(On::Page, "Page.navigate", params).await;
            assert!(done.is_err(), "{row}: {url:?} was answered {done:?}");
        }
        for on in [On::Root, On::Page, On::Worker] {
            let done = attacker.call(on, "Target.createTarget", json!({ "url": url })).await;
            assert!(done.is_err(), "N04 @{on:?}: {url:?} was answered {done:?}");
        }
        let escaped = utf8_percent_encode(&url, NON_ALPHANUMERIC);
        let opened = stage.proxy.http("PUT", &format!("/json/new?{escaped}"), &[], "").await;
        assert_eq!(opened.status, 400, "J10: {url:?} was answered {opened:?}");
    }
    let href = attacker.evaluate("location.href + ' ' + [...document.querySelectorAll('iframe')].length").await;
    assert_eq!(href, format!("{} 1", stage.site.url("/attacker?attacker")), "N01: the page went elsewhere");
    let listed = stage.proxy.http("GET", "/json/list", &[], "").await;
    assert!(!listed.body.contains("canary"), "J10: {}", listed.body);
    canary.is_unread(&stage, "N01 N02 N03 N04");
    stage.unharmed("N01 N02 N03 N04 J10").await;
}

/// N05 to N09, X01: Chrome's own pages are not opened, including those that end Chrome.
async fn chrome_urls_are_not_opened(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let attacker = &stage.attacker;
    for (number, (row, host)) in [
        ("N05", "version"),
        ("N05", "process-internals"),
        ("N05", "net-internals"),
        ("N05", "tracing"),
        ("N05", "inspect"),
        ("N05 X01", "histograms"),
        ("X01", "gpu"),
        ("X01", "ukm"),
        ("N06", "settings"),
        ("N06", "history"),
        ("N06", "help"),
        ("N06", "password-manager"),
        ("N06", "app-settings"),
        ("N06", "apps"),
        ("N07", "inducebrowsercrashforrealz/"),
        ("N08", "uithreadhang"),
        ("N08", "hang"),
        ("N09", "quit"),
        ("N09", "restart"),
    ]
    .into_iter()
    .enumerate()
    {
        let spellings = [
            (format!("chrome://{host}"), "typed", On::Root),
            (format!("CHROME:{host}"), "address_bar", On::Page),
            (format!(" chr\tome://{host}"), "address_bar", On::Root),
            (format!("about:{}", host.trim_end_matches('/')), "typed", On::Page),
            (format!("view-source:chrome://{host}"), "typed", On::Page),
        ];
        for (url, transition, _) in &spellings {
            let params = json!({ "url": url, "transitionType": transition });
            let done = attacker.ok(On::Page, "Page.navigate", params).await;
            assert_eq!(done["errorText"], "net::ERR_INVALID_URL", "{row}: {url:?} was answered {done:?}");
        }
        // Every page needs a process: each URL is opened in one spelling, and each spelling with several URLs.
        let (url, _, on) = &spellings[number % spellings.len()];
        let made = attacker.ok(*on, "Target.createTarget", json!({ "url": url })).await;
        let session = attacker.client.attach(None, &text(&made, "targetId")).await;
        let href = attacker.client.evaluate(&session, "location.href").await;
        assert_eq!(href, "about:blank", "{row} @{on:?}: {url:?}");
        attacker.ok(On::Root, "Target.closeTarget", made).await;
        stage.undisturbed(row).await;
    }
    for url in [
        "devtools://devtools/bundled/inspector.html",
        "chrome-extension://a/b",
        "chrome-untrusted://print",
        // Blob URLs with an origin of Chrome's own.
        "blob:chrome://settings/11111111-1111-4111-8111-111111111111",
        "blob:chrome://gpu/11111111-1111-4111-8111-111111111111",
        "view-source:blob:devtools://devtools/11111111-1111-4111-8111-111111111111",
        "blob:file:///11111111-1111-4111-8111-111111111111",
    ] {
        let made = attacker.call(On::Root, "Target.createTarget", json!({ "url": url })).await;
        assert!(made.is_err(), "N05: {url:?} was answered {made:?}");
        let done = attacker.call(On::Page, "Page.navigate", json!({ "url": url })).await;
        assert!(done.is_err(), "N05: {url:?} was answered {done:?}");
    }
    stage.unharmed("N05").await;
}

/// N10: Chrome itself refuses such URLs to its pages; the proxy must not change that.
async fn page_scripts_cannot_open_file_or_chrome_urls(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, canary) = (&stage.attacker, Canary::new());
    for url in [format!("file://{}", canary.path()), "chrome://version".to_owned()] {
        let redirect = stage.site.url(&format!("/redirect?{url}"));
        let done = attacker.call(On::Page, "Page.navigate", json!({ "url": redirect })).await;
        let stopped = done.as_ref().is_ok_and(|done| done["errorText"].is_string());
        assert!(done.is_err() || stopped, "N10: {redirect} was answered {done:?}");
        attacker.client.open(&attacker.page, &stage.site.url("/page?again")).await;
        for expression in [
            format!("location = {}; 0", json!(url)),
            format!("fetch({}).then(() => 1, () => 0)", json!(url)),
            format!("open({}); 0", json!(url)),
        ] {
            assert_eq!(attacker.evaluate(&expression).await, 0, "N10: {expression}");
        }
        let script = format!("javascript:void(location={})", json!(url));
        attacker.call(On::Page, "Page.navigate", json!({ "url": script })).await.ok();
        let text = attacker.evaluate("document.body.innerText").await;
        assert_eq!(text, "body-again", "N10: {url}");
    }
    canary.is_unread(&stage, "N10");
    stage.unharmed("N10").await;
}

/// H01, H02, H03: pages receive no host file; a file of the session's own directory is allowed.
async fn pages_receive_no_host_files(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, canary) = (&stage.attacker, Canary::new());
    let client = &attacker.client;
    let input = "document.body.append(Object.assign(document.createElement('input'), { type: 'file' })); 0";
    attacker.evaluate(input).await;
    let root = attacker.ok(On::Page, "DOM.getDocument", json!({})).await["root"]["nodeId"].clone();
    let selector = json!({ "nodeId": root, "selector": "input" });
    let node = attacker.ok(On::Page, "DOM.querySelector", selector).await["nodeId"].clone();
    let element =
        attacker.ok(On::Page, "Runtime.evaluate", json!({ "expression": "document.querySelector('input')" })).await;
    let object = &element["result"]["objectId"];
    let directory = canary.directory.path().display().to_string();
    let path = canary.path();
    let (_, name) = directory.rsplit_once('/').expect("absolute");
    for path in [
        path.clone(),
        format!("{directory}/link.txt"),
        format!("{directory}/../{name}/canary.txt"),
        format!("{directory}/./canary.txt"),
        format!("/proc/self/root{path}"),
        format!("/proc/self/cwd/../../../../..{path}"),
        format!("/{path}"),
        format!("file://{path}"),
        "canary.txt".to_owned(),
        "/etc/hostname".to_owned(),
        format!("{path}\0"),
        format!("{}/../../../../..{path}", stage.proxy.session_dir().display()),
    ] {
        for named in [("nodeId", &node), ("objectId", object)] {
            let mut params = json!({ "files": [path] });
            params[named.0] = named.1.clone();
            stage.attacker.call(On::Page, "DOM.setFileInputFiles", params).await.expect_err("H01 H02");
        }
    }
    assert_eq!(attacker.evaluate("document.querySelector('input').files.length").await, 0, "H01 H02");

    // A session may upload its own downloads, so the refusals above are specific.
    let wish = json!({ "behavior": "allowAndName", "downloadPath": "/anywhere", "eventsEnabled": true });
    client.ok(None, "Browser.setDownloadBehavior", wish).await;
    attacker
        .evaluate("Object.assign(document.createElement('a'), { href: '/download?own', download: '' }).click(); 0")
        .await;
    let own = client.event_where("Browser.downloadProgress", |params| params["state"] == "completed").await;
    let params = json!({ "files": [text(&own, "filePath")], "nodeId": node });
    attacker.ok(On::Page, "DOM.setFileInputFiles", params).await;
    let read = attacker.evaluate("document.querySelector('input').files[0].text().then(text => text.length)").await;
    assert_eq!(read, 100_000, "H01: {own}");

    let listen = "window.dropped = []; addEventListener('dragover', event => event.preventDefault())
        addEventListener('drop', event => { event.preventDefault(); dropped.push(event.dataTransfer.files.length) }); 0";
    attacker.evaluate(listen).await;
    for kind in ["dragEnter", "dragOver", "drop"] {
        let data = json!({ "items": [], "files": [path], "dragOperationsMask": 1 });
        let params = json!({ "type": kind, "x": 50, "y": 50, "data": data });
        attacker.ok(On::Page, "Input.dispatchDragEvent", params).await;
    }
    assert_eq!(attacker.evaluate("JSON.stringify(dropped)").await, "[0]", "H03: what was dropped has files");
    let info = json!({ "objectId": object });
    stage.attack("H01", &[On::Page], "DOM.getFileInfo", info, Says::Refused).await;
    canary.is_unread(&stage, "H01 H02 H03");
    stage.unharmed("H01 H02 H03").await;
}

/// K01: no key event opens a page of Chrome's own.
async fn key_events_trigger_no_browser_shortcuts(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let attacker = &stage.attacker;
    let before = attacker.ok(On::Root, "Target.getTargets", json!({ "filter": [{}] })).await;
    let press = async |key: &str, code: i32, modifiers: i32| {
        for kind in ["rawKeyDown", "keyUp"] {
            let params = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code,
                "modifiers": modifiers, "isSystemKey": false });
            attacker.ok(On::Page, "Input.dispatchKeyEvent", params).await;
        }
    };
    for _ in 0..3 {
        press("n", 78, 2).await;
        press("t", 84, 2).await;
        press("Delete", 46, 2 | 8).await;
        press("h", 72, 2).await;
        press("F12", 123, 0).await;
    }
    let after = attacker.ok(On::Root, "Target.getTargets", json!({ "filter": [{}] })).await;
    let count = |list: &Value| list["targetInfos"].as_array().map(Vec::len);
    assert_eq!(count(&before), count(&after), "K01: {after}");
    stage.unharmed("K01").await;
}

/// K02, K03: the browser's shared clipboard cannot be read by a command.
async fn the_clipboard_is_not_readable(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let params = json!({ "permissions": ["geolocation", "clipboardReadWrite", "clipboardSanitizedWrite"] });
    stage.attack("K03", &EVERYWHERE, "Browser.grantPermissions", params.clone(), Says::Refused).await;
    let (_, refused) = attacker.call(On::Root, "Browser.grantPermissions", params).await.expect_err("K03");
    let advised = ["leave out clipboardReadWrite (", "or a session with isolation=dedicated"];
    assert!(advised.iter().all(|text| refused.contains(text)), "K03: {refused}");
    let rest = json!({ "permissions": ["geolocation", "clipboardSanitizedWrite"] });
    attacker.ok(On::Root, "Browser.grantPermissions", rest).await;
    for name in ["clipboard-read", "clipboardReadWrite"] {
        let params = json!({ "permission": { "name": name }, "setting": "granted" });
        stage.attack("K03", &EVERYWHERE, "Browser.setPermission", params, Says::Refused).await;
    }
    stage.unharmed("K03").await;
    // The victim copies text on a page that has the focus.
    let page = victim.client.page_at(&stage.site.url(&format!("/page?{}", victim.marker))).await;
    let copy = format!(
        "{{ const area = document.body.appendChild(document.createElement('textarea')); area.value = '{}'
            area.select(); document.execCommand('copy') }}",
        victim.marker
    );
    assert_eq!(victim.client.evaluate(&page.session, &copy).await, true, "K02: nothing was copied");
    attacker.evaluate("document.body.appendChild(document.createElement('textarea')).focus(); 0").await;
    for command in ["paste", "Paste", "pasteAndMatchStyle", "PasteAsPlainText", " paste "] {
        let params = json!({ "type": "keyDown", "key": "v", "commands": [command], "modifiers": 2 });
        attacker.ok(On::Page, "Input.dispatchKeyEvent", params).await;
    }
    assert_eq!(attacker.evaluate("document.querySelector('textarea').value").await, "", "K02");
    let read = "navigator.clipboard.readText().then(text => text, error => error.name)";
    let params = json!({ "expression": read, "returnByValue": true });
    attacker.ok(On::Page, "Runtime.evaluate", params).await;
    stage.nothing_learned("K02 K03");
    victim.client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
}

rows_in_each_browser! {
    host_files_are_not_opened,
    chrome_urls_are_not_opened,
    page_scripts_cannot_open_file_or_chrome_urls,
    pages_receive_no_host_files,
    the_clipboard_is_not_readable,
}

in_browser!(Full: key_events_trigger_no_browser_shortcuts);

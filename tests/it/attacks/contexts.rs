//! Contexts, downloads and windows of other sessions.

use std::{fs, os::unix::fs::symlink, path::Path};

use serde_json::{Value, json};

use super::{
    rows::{Arena, rows_in_each_browser},
    stage::{EVERYWHERE, On, Says, Stage, no_context, says},
};
use crate::client::{Client, Page, text};

/// C01 to C08: a foreign context gets the answer for an unknown one.
async fn foreign_contexts_are_not_found(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (victim, own) = (&stage.victim, &stage.attacker.context);
    let method = "Target.getBrowserContexts";
    stage.attack("C01", &EVERYWHERE[2..], method, json!({}), says(-32000, "Not allowed")).await;
    for result in stage.answers("C01", &EVERYWHERE[..2], method, json!({})).await {
        assert_eq!(result, json!({ "browserContextIds": [], "defaultBrowserContextId": own }), "C01");
    }
    for context in [&victim.context, &victim.default_context] {
        let named = json!({ "browserContextId": context });
        let gone = says(-32000, &format!("Failed to find context with id {context}"));
        stage.attack("C02", &EVERYWHERE[..2], "Target.disposeBrowserContext", named.clone(), gone).await;
        let not_here = says(-32000, "Not allowed");
        stage.attack("C02", &EVERYWHERE[2..], "Target.disposeBrowserContext", named.clone(), not_here).await;
        let cookie = json!({ "name": "planted", "value": "1", "url": stage.site.origin() });
        let geolocation = json!({ "name": "geolocation" });
        for (row, method, more) in [
            ("C03", "Storage.getCookies", json!({})),
            ("C04", "Storage.setCookies", json!({ "cookies": [cookie] })),
            ("C06", "Storage.clearCookies", json!({})),
            ("C07", "Browser.grantPermissions", json!({ "permissions": ["geolocation"] })),
            ("C08", "Browser.setPermission", json!({ "permission": geolocation, "setting": "denied" })),
            ("C08", "Browser.resetPermissions", json!({})),
        ] {
            let mut params = more;
            params["browserContextId"] = context.as_str().into();
            stage.attack(row, &EVERYWHERE, method, params, no_context(context)).await;
        }
    }
    stage.unharmed("C01 C02 C03 C04 C06 C07 C08").await;
}

/// C05, C06, C09: a command without a context uses the own default context.
async fn commands_without_a_context_use_the_own_default_context(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let attacker = &stage.attacker;
    for on in [On::Page, On::Root] {
        attacker.client.open(&attacker.page, &stage.site.url("/page?attacker")).await;
        let cookies = attacker.ok(on, "Storage.getCookies", json!({})).await;
        let cookies: Vec<_> =
            cookies["cookies"].as_array().expect("a list").iter().map(|one| text(one, "value")).collect();
        assert_eq!(cookies, ["attacker"], "C05 @{on:?}");
        attacker.ok(on, "Storage.clearCookies", json!({})).await;
        assert_eq!(attacker.evaluate("document.cookie").await, "", "C06 @{on:?}");
        stage.undisturbed("C05 C06").await;

        let granted = json!({ "permission": { "name": "geolocation" }, "setting": "granted" });
        attacker.ok(on, "Browser.setPermission", granted).await;
        let asked = "navigator.permissions.query({ name: 'geolocation' }).then(found => found.state)";
        assert_eq!(attacker.evaluate(asked).await, "granted", "C09 @{on:?}");
        let newcomer = stage.proxy.connect().await;
        let page = newcomer.page_at(&stage.site.url("/page?newcomer")).await;
        assert_eq!(newcomer.evaluate(&page.session, asked).await, "prompt", "C09 @{on:?}");
        attacker.ok(on, "Browser.resetPermissions", json!({})).await;
        assert_eq!(attacker.evaluate(asked).await, "prompt", "C09 @{on:?}");
        stage.undisturbed("C09").await;
    }
    stage.unharmed("C05 C06 C09").await;
}

/// C10: contexts with universal network access are refused.
async fn no_context_has_universal_network_access(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let params = json!({ "originsWithUniversalNetworkAccess": [stage.site.origin()] });
    stage.attack("C10", &EVERYWHERE[..2], "Target.createBrowserContext", params, Says::Refused).await;
    stage.unharmed("C10").await;
}

/// D01, D02, D03: foreign downloads are neither redirected, observed nor cancelled.
async fn foreign_downloads_are_not_changed(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let theirs = tempfile::tempdir().expect("a directory");
    let behavior = |path: &Path| json!({ "behavior": "allowAndName", "downloadPath": path, "eventsEnabled": true });
    let mut wish = behavior(&theirs.path().join("victim"));
    wish["browserContextId"] = victim.context.as_str().into();
    victim.client.ok(None, "Browser.setDownloadBehavior", wish).await;

    let taken = theirs.path().join("taken");
    let mut params = behavior(&taken);
    params["browserContextId"] = victim.context.as_str().into();
    stage.attack("D01", &EVERYWHERE, "Browser.setDownloadBehavior", params, no_context(&victim.context)).await;
    for on in EVERYWHERE {
        let params = json!({ "behavior": "default", "eventsEnabled": true });
        attacker.call(on, "Browser.setDownloadBehavior", params).await.expect("D02: one's own may be set");
    }

    let guid = begin(&victim.client, &victim.page, &format!("/slow?{}.bin", victim.marker)).await;
    let nothing = says(-32602, "No download item found for the given GUID");
    stage.attack("D03", &EVERYWHERE, "Browser.cancelDownload", json!({ "guid": guid }), nothing).await;
    let named = json!({ "guid": guid, "browserContextId": victim.context });
    stage.attack("D03", &EVERYWHERE, "Browser.cancelDownload", named, no_context(&victim.context)).await;
    stage.site.release();
    completed(&victim.client, &guid).await;
    stage.unharmed("D01 D02 D03").await;
    let events = attacker.client.events();
    let told: Vec<_> = events.iter().filter(|event| text(event, "method").contains("download")).collect();
    assert!(told.is_empty(), "D02: the attacker was told of another's download: {told:?}");
    assert!(!taken.exists(), "D01: the attacker's directory was made");
}

/// D04, D05: downloads go to the session's own directory, whatever path is requested.
async fn downloads_stay_in_the_sessions_directory(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let client = &stage.attacker.client;
    let host = tempfile::tempdir().expect("a directory");
    fs::create_dir(host.path().join("out")).expect("a directory");
    symlink(host.path().join("out"), host.path().join("link")).expect("a link");
    let host_path = host.path().display();
    // Chrome allows ten downloads of a page without user gesture.
    for (behavior, path) in [
        ("allow", format!("{host_path}/new/deep")),
        ("allowAndName", format!("{host_path}/out")),
        ("allow", format!("{host_path}/link")),
        ("allowAndName", format!("{host_path}/link")),
        ("allow", format!("{host_path}/x/../out")),
        ("allowAndName", format!("{host_path}/out/./")),
        ("allow", format!("/proc/self/root{host_path}/out")),
    ] {
        let params = json!({ "behavior": behavior, "downloadPath": path, "eventsEnabled": true });
        client.ok(None, "Browser.setDownloadBehavior", params).await;
        let guid = begin(client, &stage.attacker.page, "/download?evil.bin").await;
        completed(client, &guid).await;
        let at = find(&stage.proxy.session_dir(), &guid).unwrap_or_else(|| client.panic("D04: the file is nowhere"));
        assert_eq!(fs::read(&at).expect("read").len(), 100_000, "D04: {path}");
    }
    let left: Vec<_> = fs::read_dir(host.path()).expect("read").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "D04 D05: something was made on the host: {left:?}");
    assert_eq!(fs::read_dir(host.path().join("out")).expect("read").count(), 0, "D05: written through to the host");
    stage.unharmed("D04 D05").await;
}

/// W01, W02, W03: foreign windows cannot be found, moved or hidden, even if their ids are guessed.
async fn foreign_windows_are_not_found(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let victim = &stage.victim;
    let mine = stage.attacker.ok(On::Page, "Browser.getWindowForTarget", json!({})).await["windowId"].clone();
    assert_ne!(mine, victim.window, "two sessions in one window");
    for target in [&victim.page.target, &victim.tab] {
        let named = json!({ "targetId": target });
        let nothing = says(-32602, "No target with given id");
        stage.attack("W01", &EVERYWHERE, "Browser.getWindowForTarget", named, nothing).await;
    }
    let guess = victim.window.as_i64().expect("a number");
    for window in [guess, guess - 1, guess + 1].into_iter().filter(|window| mine != *window) {
        let nothing = || says(-32000, "Browser window not found");
        let bounds = json!({ "windowId": window, "bounds": { "windowState": "minimized" } });
        stage.attack("W02", &EVERYWHERE, "Browser.setWindowBounds", bounds, nothing()).await;
        let size = json!({ "windowId": window, "width": 321, "height": 234 });
        stage.attack("W03", &EVERYWHERE, "Browser.setContentsSize", size, nothing()).await;
        let named = json!({ "windowId": window });
        stage.attack("W01", &EVERYWHERE, "Browser.getWindowBounds", named, nothing()).await;
    }
    stage.unharmed("W01 W02 W03").await;
}

/// W04: a window larger than Chrome can draw would block the windows of all sessions for minutes,
/// and then for ever.
async fn window_size_is_limited(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, client) = (&stage.attacker, &stage.attacker.client);
    let window = attacker.ok(On::Page, "Browser.getWindowForTarget", json!({})).await["windowId"].clone();
    let side = 100_000_000;
    let content = json!({ "windowId": window, "width": side, "height": side });
    let bounds = json!({ "windowId": window, "bounds": { "width": side, "height": side } });
    for (method, params) in [("Browser.setContentsSize", content), ("Browser.setWindowBounds", bounds)] {
        stage.answers("W04", &[On::Root, On::Page], method, params).await;
    }
    let found = attacker.ok(On::Page, "Browser.getWindowBounds", json!({ "windowId": window })).await;
    assert_eq!((&found["bounds"]["width"], &found["bounds"]["height"]), (&json!(4096), &json!(4096)), "W04");
    let unknown = json!({ "windowId": window, "bounds": { "windowState": "x" } });
    stage
        .attack(
            "W04",
            &[On::Root, On::Page],
            "Browser.setWindowBounds",
            unknown,
            says(-32602, "Invalid window state: x"),
        )
        .await;
    let large = json!({ "url": "about:blank", "newWindow": true, "width": side, "height": side });
    let created = client.ok(None, "Target.createTarget", large).await;
    stage.unharmed("W04").await;
    client.ok(None, "Target.closeTarget", json!({ "targetId": created["targetId"] })).await;
}

/// Starts a download in a page; returns its guid.
async fn begin(client: &Client, page: &Page, path: &str) -> String {
    let click =
        "const link = Object.assign(document.createElement('a'), { href: PATH, download: '' }); link.click(); 0";
    client.evaluate(&page.session, &format!("{{ {} }}", click.replace("PATH", &json!(path).to_string()))).await;
    text(&client.event("Browser.downloadWillBegin").await["params"], "guid")
}

async fn completed(client: &Client, guid: &str) {
    let done = |params: &Value| params["guid"] == guid && params["state"] == "completed";
    client.event_where("Browser.downloadProgress", done).await;
}

fn find(directory: &Path, name: &str) -> Option<std::path::PathBuf> {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.file_name().is_some_and(|own| own == name) {
            return Some(path);
        }
        if let Some(found) = entry.file_type().ok().filter(fs::FileType::is_dir).and_then(|_| find(&path, name)) {
            return Some(found);
        }
    }
    None
}

rows_in_each_browser! {
    foreign_contexts_are_not_found,
    commands_without_a_context_use_the_own_default_context,
    no_context_has_universal_network_access,
    foreign_downloads_are_not_changed,
    downloads_stay_in_the_sessions_directory,
    foreign_windows_are_not_found,
    window_size_is_limited,
}

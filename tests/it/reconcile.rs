//! What is on record of a browser is compared with the browser. A second connection to Chrome, of which the proxy knows
//! nothing, makes the differences.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, text},
    proxy::{Proxy, eventually},
    remote::RealBrowser,
    rest::ok,
    site::Site,
};

/// The shortest interval that is allowed.
const OFTEN: &[&str] = &["--reconcile-interval", "500ms"];

/// A program in this directory that is the browser with a debugging port besides the proxy's pipe.
fn with_port(browser: &Browser, directory: &Path) -> Browser {
    let path = directory.join(browser.path.file_name().expect("a name"));
    let program = directory.join("program");
    fs::write(&program, format!("{}\n", browser.path.display())).expect("written");
    // The name of the program is read from a file, so that the proxy does not find it behind the script.
    let script = format!(
        "#!/bin/sh\nread -r program < '{}'\nexec \"$program\" --remote-debugging-port=0 \"$@\"\n",
        program.display()
    );
    fs::write(&path, script).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    Browser { path }
}

/// A connection to the proxy's only Chrome, by its debugging port.
async fn behind_its_back(proxy: &Proxy) -> Client {
    let profiles = || fs::read_dir(proxy.session_dir()).into_iter().flatten().flatten();
    let port = || {
        let of_profiles = profiles().flat_map(|own| fs::read_dir(own.path()).into_iter().flatten().flatten());
        of_profiles.into_iter().find_map(|profile| fs::read_to_string(profile.path().join("DevToolsActivePort")).ok())
    };
    eventually("the debugging port", async || port().is_some_and(|file| file.contains("/devtools/"))).await;
    let file = port().expect("a file");
    let (port, path) = file.split_once('\n').expect("a port and a path");
    Client::connect(&format!("127.0.0.1:{port}"), path.trim()).await.expect("Chrome accepts it")
}

/// The contexts of a browser, as Chrome says.
async fn contexts(chrome: &Client) -> Vec<String> {
    let said = chrome.ok(None, "Target.getBrowserContexts", json!({})).await;
    said["browserContextIds"].as_array().expect("a list").iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The default context of a session, by the id that it has in Chrome too.
async fn context_of(client: &Client) -> String {
    text(&client.ok(None, "Target.getBrowserContexts", json!({})).await, "defaultBrowserContextId")
}

/// One difference of each of these kinds was found.
async fn found(proxy: &Proxy, kinds: &[&str]) {
    let line = |kind: &&str| format!(r#"ghostmux_pool_differences_total{{kind="{kind}"}} 1"#);
    let mut expected: Vec<String> = kinds.iter().map(line).collect();
    expected.sort();
    eventually(&format!("{kinds:?}"), async || {
        let mut found = proxy.differences().await;
        found.sort();
        found == expected
    })
    .await;
}

async fn busy_browser_differs_in_nothing_and_what_belongs_to_nobody_is_removed(browser: Browser) {
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(with_port(&browser, directory.path()), &[OFTEN, &["--warm", "2"]].concat()).await;
    let (site, chrome) = (Site::start().await, behind_its_back(&proxy).await);
    let stays = proxy.connect().await;
    let page = stays.page_at(&site.url("/")).await;
    // Clients that come and go, with frames, workers, popups, contexts, hidden pages, and without saying goodbye.
    for _ in 0..2 {
        let comers = (0..3).map(async |one| {
            let client = proxy.connect().await;
            let wait = json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
            client.ok(None, "Target.setAutoAttach", wait).await;
            let page = client.page_at(&site.url("/")).await;
            client.evaluate(&page.session, "window.own = new Worker('/worker.js'); open('/page'); 0").await;
            let other = text(&client.ok(None, "Target.createBrowserContext", json!({})).await, "browserContextId");
            client.ok(None, "Target.createTarget", json!({ "url": "about:blank", "browserContextId": other })).await;
            if one == 0 {
                client.ok(None, "Target.disposeBrowserContext", json!({ "browserContextId": other })).await;
                client.ok(None, "ghost.saveSnapshot", json!({})).await;
            }
            // Chrome makes these when their client has gone.
            for _ in 0..20 {
                client.start(None, "Target.createBrowserContext", json!({})).await;
            }
        });
        join_all(comers).await;
    }
    proxy.compared(1).await;
    assert_eq!(proxy.differences().await, [""; 0], "a healthy run; the log:\n{}", proxy.log());

    let orphan = text(&chrome.ok(None, "Target.createBrowserContext", json!({})).await, "browserContextId");
    let make = |context: Option<&str>| json!({ "url": "about:blank", "browserContextId": context });
    chrome.ok(None, "Target.createTarget", make(Some(&orphan))).await;
    let in_default = json!({ "url": "about:blank" });
    let stray = text(&chrome.ok(None, "Target.createTarget", in_default).await, "targetId");
    found(&proxy, &["orphan_context", "stray_page"]).await;
    eventually("the end of both", async || {
        let targets = chrome.ok(None, "Target.getTargets", json!({})).await.to_string();
        !contexts(&chrome).await.contains(&orphan) && !targets.contains(&stray)
    })
    .await;
    // Nobody else was hit, and the server says what it has found.
    assert_eq!(stays.evaluate(&page.session, "6 * 7").await, 42);
    assert_eq!(ok(&proxy, "GET", "/v1/browsers/1", Value::Null).await["differences"], 2);
    let log = proxy.log();
    assert!(log.contains("orphan_context") && log.contains(&orphan) && log.contains(&stray), "{log}");
}
in_each_browser!(busy_browser_differs_in_nothing_and_what_belongs_to_nobody_is_removed);

#[tokio::test(flavor = "multi_thread")]
async fn session_whose_context_has_disappeared_ends_with_the_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let browser = with_port(&Browser::any(), directory.path());
    let proxy = Proxy::start(browser, &[OFTEN, &["--warm", "1"]].concat()).await;
    let chrome = behind_its_back(&proxy).await;
    let (hit, stays) = (proxy.connect().await, proxy.connect().await);
    hit.page().await;
    let page = stays.page().await;
    let (of_hit, of_stays) = (context_of(&hit).await, context_of(&stays).await);
    chrome.ok(None, "Target.disposeBrowserContext", json!({ "browserContextId": of_hit })).await;
    let closed = hit.end().await;
    assert!(closed.contains("1011") && closed.contains("has disappeared from Chrome"), "{closed}");
    found(&proxy, &["lost_context"]).await;

    // A warm lease is replaced before it is given to a client.
    eventually("the warm lease", async || proxy.figure("sessions_warm").await == 1).await;
    let warm = contexts(&chrome).await.into_iter().find(|context| *context != of_stays).expect("the warm lease");
    chrome.ok(None, "Target.disposeBrowserContext", json!({ "browserContextId": warm })).await;
    let count = || async { proxy.differences().await.concat() };
    eventually("the second difference", async || count().await.ends_with(r#"{kind="lost_context"} 2"#)).await;
    let newcomer = proxy.connect().await;
    newcomer.page().await;
    assert_ne!(context_of(&newcomer).await, warm);
    assert_eq!(stays.evaluate(&page.session, "6 * 7").await, 42);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_programs_have_in_a_remote_browser_is_left_alone() {
    let browser = Browser::any();
    let real = RealBrowser::start(&browser).await;
    let proxy = Proxy::start_remote(browser, &real.url, OFTEN).await;
    let (_, rest) = real.url.split_once("://").expect("a URL");
    let (address, path) = rest.split_once('/').expect("a path");
    let chrome = Client::connect(address, &format!("/{path}")).await.expect("Chrome accepts it");
    let theirs = text(&chrome.ok(None, "Target.createBrowserContext", json!({})).await, "browserContextId");
    let make = json!({ "url": "about:blank", "browserContextId": theirs });
    let page = text(&chrome.ok(None, "Target.createTarget", make).await, "targetId");
    chrome.attach(None, &page).await;
    // What is missing of a session is noticed here too: when it has ended, two comparisons were made.
    let hit = proxy.connect().await;
    hit.page().await;
    chrome.ok(None, "Target.disposeBrowserContext", json!({ "browserContextId": context_of(&hit).await })).await;
    let closed = hit.end().await;
    assert!(closed.contains("has disappeared from Chrome"), "{closed}");
    found(&proxy, &["lost_context"]).await;
    assert!(contexts(&chrome).await.contains(&theirs));
    assert!(chrome.ok(None, "Target.getTargets", json!({})).await.to_string().contains(&page));
}

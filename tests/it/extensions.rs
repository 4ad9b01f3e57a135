//! Extensions in dedicated browsers: `Extensions.*`, `--load-extension`, and those of user data that stay.

use std::{fs, path::Path};

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_browser},
    client::{Client, text},
    proxy::Proxy,
    reconnect::{id_of, session},
    site::Site,
    user_data::{pid_of, serve},
};

/// An extension that marks all pages, and counts the clicks on its button in its storage.
pub(crate) fn write_extension(directory: &Path, name: &str) {
    let directory = directory.join(name);
    fs::create_dir_all(&directory).expect("made");
    let manifest = json!({
        "manifest_version": 3, "name": name, "version": "1.2", "action": {}, "permissions": ["storage", "activeTab"],
        "background": { "service_worker": "worker.js" },
        "content_scripts": [{ "matches": ["<all_urls>"], "js": ["mark.js"], "run_at": "document_start" }],
    });
    let mark = format!("document.documentElement.dataset.mark = '{name}';");
    let worker = "chrome.action.onClicked.addListener(tab => chrome.storage.local.set({ clicked: tab.url }));";
    for (file, content) in
        [("manifest.json", manifest.to_string()), ("mark.js", mark), ("worker.js", worker.to_owned())]
    {
        fs::write(directory.join(file), content).expect("written");
    }
}

/// The mark of an extension on a new page.
async fn mark(client: &Client, site: &Site) -> Value {
    let page = client.page_at(&site.url("/page")).await;
    client.evaluate(&page.session, "document.documentElement.dataset.mark ?? ''").await
}

async fn installed(client: &Client) -> Vec<String> {
    let all = client.ok(None, "Extensions.getExtensions", json!({})).await;
    all["extensions"].as_array().expect("a list").iter().map(|one| text(one, "path")).collect()
}

async fn clients_load_extensions_of_the_operator_in_their_own_browser(browser: Browser) {
    let (site, directory) = (Site::start().await, tempfile::tempdir().expect("a directory"));
    write_extension(directory.path(), "good");
    let at = directory.path().display().to_string();
    let proxy = Proxy::start(browser, &["--extensions-dir", &at]).await;
    let client = proxy.connect_to("/?isolation=dedicated").await;
    assert_eq!(mark(&client, &site).await, "");
    let loaded = client.ok(None, "Extensions.loadUnpacked", json!({ "path": "good" })).await;
    let id = text(&loaded, "id");
    // The absolute path is as good, and loads it anew.
    let path = directory.path().join("good").display().to_string();
    assert_eq!(client.ok(None, "Extensions.loadUnpacked", json!({ "path": path })).await["id"], json!(id));
    assert_eq!(mark(&client, &site).await, "good");
    assert_eq!(installed(&client).await, ["good"], "without the place on the host");
    // Nobody else has it.
    let other = proxy.connect_to("/?isolation=dedicated").await;
    assert_eq!((installed(&other).await, mark(&other, &site).await), (Vec::new(), json!("")));
    let shared = proxy.connect().await;
    assert_eq!(mark(&shared, &site).await, "");
    for method in ["Extensions.loadUnpacked", "Extensions.getExtensions"] {
        let (_, refused) = shared.call(method, json!({ "path": "good" })).await.expect_err(method);
        assert!(refused.contains("isolation=dedicated"), "{refused}");
    }
    client.ok(None, "Extensions.uninstall", json!({ "id": id })).await;
    assert_eq!((installed(&client).await, mark(&client, &site).await), (Vec::new(), json!("")));
    // Puppeteer's launch option asks for a browser that can load them, and may name some.
    let launch =
        percent_encoding::utf8_percent_encode(r#"{"enableExtensions":["good"]}"#, percent_encoding::NON_ALPHANUMERIC);
    let client = proxy.connect_to(&format!("/?launch={launch}")).await;
    assert_eq!(session(&client, &id_of(&client).await).await["isolation"], "dedicated");
    assert_eq!((installed(&client).await, mark(&client, &site).await), (vec!["good".to_owned()], json!("good")));
}
in_browser!(Full: clients_load_extensions_of_the_operator_in_their_own_browser);

async fn installed_extensions_stay_with_user_data_over_kill_9(browser: Browser) {
    let (site, directory) = (Site::start().await, tempfile::tempdir().expect("a directory"));
    let (extensions, base) = (directory.path().join("extensions"), directory.path().join("profiles"));
    write_extension(&extensions, "good");
    let flags = ["--extensions-dir", &*extensions.display().to_string()];
    let mut proxy = serve(&browser, &base, &flags).await;
    let client = proxy.connect_to("/?user_data=shop").await;
    let id = text(&client.ok(None, "Extensions.loadUnpacked", json!({ "path": "good" })).await, "id");
    kill(pid_of(&proxy, &id_of(&client).await).await, Signal::SIGKILL).expect("it runs");
    assert!(client.end().await.contains("1011"));
    let has_it = async |client: &Client, when: &str| {
        let there = (installed(client).await, mark(client, &site).await);
        assert_eq!(there, (vec!["good".to_owned()], json!("good")), "{when}");
    };
    let client = proxy.connect_to("/?user_data=shop").await;
    has_it(&client, "after kill -9 of its browser").await;
    proxy.kill();
    client.end().await;
    let proxy = serve(&browser, &base, &flags).await;
    let client = proxy.connect_to("/?user_data=shop").await;
    has_it(&client, "after kill -9 of the server").await;
    // One that was removed does not come back.
    // Chrome removes none that it was started with (*measured*), but the next session begins without it.
    let _ = client.call("Extensions.uninstall", json!({ "id": id })).await;
    client.ok(None, "ghost.closeSession", json!({})).await;
    let client = proxy.connect_to("/?user_data=shop").await;
    assert_eq!((installed(&client).await, mark(&client, &site).await), (Vec::new(), json!("")));
    // Other user data do not have it.
    let other = proxy.connect_to("/?user_data=bank").await;
    assert_eq!((installed(&other).await, mark(&other, &site).await), (Vec::new(), json!("")));
}
in_browser!(Full: installed_extensions_stay_with_user_data_over_kill_9);

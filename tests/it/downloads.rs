//! The owner of a download, and the place of its file.

use serde_json::json;

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, text},
    proxy::{Proxy, eventually},
    site::Site,
};

/// Starts a download from a child frame that is not a target.
const FROM_A_CHILD: &str = "const frame = document.body.appendChild(document.createElement('iframe'));
    const link = frame.contentDocument.createElement('a');
    link.download = 'child.txt'; link.href = 'data:text/plain,hello'; frame.contentDocument.body.append(link); link.click(); 1";

/// Starts it on a page with the `Page` domain off, whose events would identify the owner.
async fn started_from_a_child(client: &Client) {
    let target =
        text(&client.ok(None, "Target.createTarget", json!({"url": "data:text/html,<body>x"})).await, "targetId");
    let session = client.attach(None, &target).await;
    eventually("the page", async || client.evaluate(&session, "document.body?.textContent").await == "x").await;
    client.evaluate(&session, FROM_A_CHILD).await;
}

async fn behave(client: &Client, params: serde_json::Value) {
    client.ok(None, "Browser.setDownloadBehavior", params).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn child_frame_downloads_are_reported_only_to_their_owner() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let site = Site::start().await;
    let (owner, other) = (proxy.connect().await, proxy.connect().await);
    // No evidence of the owner: no download directory, and no page with the `Page` domain on.
    behave(&owner, json!({"behavior": "deny", "eventsEnabled": true})).await;
    behave(&other, json!({"behavior": "deny", "eventsEnabled": true})).await;
    other.page_at(&site.url("/page?other")).await;
    started_from_a_child(&owner).await;
    let begun = owner.event("Browser.downloadWillBegin").await;
    assert_eq!(begun["params"]["suggestedFilename"], "child.txt");
    let guid = text(&begun["params"], "guid");
    owner.event_where("Browser.downloadProgress", |event| event["state"] == "canceled").await;
    // Events for the other session would have arrived before this reply.
    other.ok(None, "Target.getTargets", json!({})).await;
    assert!(!other.frames().iter().any(|frame| frame.text.contains(&guid)));
}

#[tokio::test(flavor = "multi_thread")]
async fn downloaded_file_is_in_place_before_completed_is_sent() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let wanted = tempfile::tempdir().expect("a directory");
    for (behavior, by_name) in [("allow", true), ("allowAndName", false)] {
        let client = proxy.connect().await;
        let path = wanted.path().join(behavior).join("deep");
        behave(&client, json!({"behavior": behavior, "downloadPath": path, "eventsEnabled": true})).await;
        started_from_a_child(&client).await;
        let begun = client.event("Browser.downloadWillBegin").await;
        client.event_where("Browser.downloadProgress", |event| event["state"] == "completed").await;
        let name = if by_name { "child.txt".to_owned() } else { text(&begun["params"], "guid") };
        assert_eq!(std::fs::read_to_string(path.join(name)).expect("the file"), "hello");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_event_completed_is_sent_after_the_file_is_in_place() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let wanted = tempfile::tempdir().expect("a directory");
    let client = proxy.connect().await;
    behave(&client, json!({"behavior": "allow", "downloadPath": wanted.path(), "eventsEnabled": false})).await;
    let page = client.page().await;
    client.ok(Some(&page.session), "Page.enable", json!({})).await;
    client.evaluate(&page.session, FROM_A_CHILD).await;
    client.event_where("Page.downloadProgress", |event| event["state"] == "completed").await;
    assert_eq!(std::fs::read_to_string(wanted.path().join("child.txt")).expect("the file"), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_ignore_the_client_path_without_host_files() {
    let proxy = Proxy::start(Browser::any(), &["--strict"]).await;
    let wanted = tempfile::tempdir().expect("a directory");
    let client = proxy.connect().await;
    behave(&client, json!({"behavior": "allow", "downloadPath": wanted.path().join("no"), "eventsEnabled": true}))
        .await;
    started_from_a_child(&client).await;
    client.event_where("Browser.downloadProgress", |event| event["state"] == "completed").await;
    assert!(std::fs::read_dir(wanted.path()).expect("a directory").next().is_none());
}

/// As in Chrome, which keeps a download after its end.
async fn finished_downloads_are_still_known(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let (owner, other) = (proxy.connect().await, proxy.connect().await);
    let wanted = tempfile::tempdir().expect("a directory");
    behave(&owner, json!({"behavior": "allowAndName", "downloadPath": wanted.path(), "eventsEnabled": true})).await;
    started_from_a_child(&owner).await;
    let over = owner.event_where("Browser.downloadProgress", |event| event["state"] == "completed").await;
    let guid = json!({ "guid": over["guid"] });
    assert_eq!(owner.ok(None, "Browser.cancelDownload", guid.clone()).await, json!({}));
    let unknown = other.call("Browser.cancelDownload", guid).await.expect_err("another's");
    assert_eq!(unknown, (-32602, "No download item found for the given GUID".to_owned()));
}

in_each_browser!(finished_downloads_are_still_known);

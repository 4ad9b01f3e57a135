//! The files of sessions: downloads by the API, uploads for pages, how long they stay, and how much they may take.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, Page, text},
    definition::{is_a, is_of},
    proxy::{Answer, Proxy, eventually},
    reconnect::id_of,
    rest::{self, body_of, create, is_problem, ok, send},
    site::Site,
    tenants::{Server, Tenant},
};

/// Clicks a link of the page, with a gesture of the user: without one Chrome allows few downloads.
pub(crate) async fn download(client: &Client, page: &Page, path: &str) {
    let link =
        format!("Object.assign(document.createElement('a'), {{ href: {}, download: '' }}).click(); 0", json!(path));
    let params = json!({ "expression": link, "userGesture": true });
    client.ok(Some(&page.session), "Runtime.evaluate", params).await;
}

/// Lets Chrome download; the path is that of the client's machine.
pub(crate) async fn allow(client: &Client) {
    let params = json!({ "behavior": "allowAndName", "downloadPath": "/home/client/downloads", "eventsEnabled": true });
    client.ok(None, "Browser.setDownloadBehavior", params).await;
}

/// The downloads of a session, once there are some and none is arriving.
pub(crate) async fn downloads(proxy: &Proxy, id: &str) -> Vec<Value> {
    let all = ok(proxy, "GET", &format!("/v1/sessions/{id}/downloads?wait=20s"), Value::Null).await;
    is_of("ghost.listDownloads", &all);
    all["downloads"].as_array().expect("a list").clone()
}

/// Uploads a file.
pub(crate) async fn put(proxy: &Proxy, id: &str, name: &str, content: &str) -> Answer {
    proxy.http("PUT", &format!("/v1/sessions/{id}/files/{name}"), &[], content).await
}

/// The input for files of a page, which shows what it was given.
pub(crate) async fn file_input(client: &Client, page: &Page) -> Value {
    let script = "document.body.append(Object.assign(document.createElement('input'), { type: 'file' })); 0";
    client.evaluate(&page.session, script).await;
    let element = json!({ "expression": "document.querySelector('input')" });
    client.ok(Some(&page.session), "Runtime.evaluate", element).await["result"]["objectId"].clone()
}

fn count(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

async fn downloads_are_listed_fetched_and_deleted(browser: Browser) {
    let (site, proxy) = (Site::start().await, Proxy::start(browser, &["--strict"]).await);
    let client = proxy.connect().await;
    let id = id_of(&client).await;
    client.ok(None, "ghost.enable", json!({})).await;
    allow(&client).await;
    let page = client.page_at(&site.url("/page?files")).await;
    download(&client, &page, "/download?report.pdf").await;
    let finished = client.event("ghost.downloadFinished").await["params"].clone();
    is_of("ghost.downloadFinished", &finished);
    download(&client, &page, "/download?report.pdf").await;
    eventually("two downloads", async || downloads(&proxy, &id).await.len() == 2).await;
    let all = downloads(&proxy, &id).await;
    let [first, second] = &all[..] else { panic!("{all:?}") };
    is_a("Download", first);
    assert_eq!((&first["name"], &second["name"]), (&json!("report.pdf"), &json!("report (1).pdf")));
    assert_eq!((&first["state"], &first["received"]), (&json!("completed"), &json!(100_000)), "{first}");
    assert_eq!(first["url"], site.url("/download?report.pdf"));
    assert_eq!(finished["download"], *first);
    assert_eq!(client.ok(None, "ghost.listDownloads", json!({})).await["downloads"][0], *first);

    let path = format!("/v1/sessions/{id}/downloads/{}", text(first, "id"));
    let got = proxy.http("GET", &path, &[], "").await;
    assert_eq!((got.status, got.body.len()), (200, 100_000));
    for (header, value) in [
        ("content-type", "application/octet-stream"),
        ("content-disposition", "attachment; filename=\"report.pdf\"; filename*=UTF-8''report.pdf"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
        ("accept-ranges", "bytes"),
        ("content-length", "100000"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(got.header(header), Some(value), "{header}");
    }
    let tag = got.header("etag").expect("a tag").to_owned();
    let part = proxy.http("GET", &path, &[("Range", "bytes=99990-"), ("If-Range", &tag)], "").await;
    assert_eq!((part.status, &*part.body), (206, "x".repeat(10).as_str()));
    assert_eq!(part.header("content-range"), Some("bytes 99990-99999/100000"));
    let whole = proxy.http("GET", &path, &[("Range", "bytes=0-9"), ("If-Range", "\"other\"")], "").await;
    assert_eq!((whole.status, whole.body.len()), (200, 100_000));
    is_problem(&proxy.http("GET", &path, &[("Range", "bytes=100000-")], "").await, 416, "range", "100000 bytes");
    let usage = ok(&proxy, "GET", &format!("/v1/sessions/{id}/usage"), Value::Null).await;
    is_a("Usage", &usage);
    assert!(usage["filesSize"].as_u64().is_some_and(|size| (200_000..300_000).contains(&size)), "{usage}");

    assert_eq!(proxy.http("DELETE", &path, &[], "").await.status, 204);
    is_problem(&proxy.http("GET", &path, &[], "").await, 404, "no-file", "no download");
    is_problem(&proxy.http("DELETE", &path, &[], "").await, 404, "no-file", "no download");
    let wrong = proxy.http("GET", &format!("/v1/sessions/{id}/downloads?wait=1h"), &[], "").await;
    is_problem(&wrong, 400, "bad-value", "wait");
    assert_eq!(downloads(&proxy, &id).await, std::slice::from_ref(second));
    // All is removed with the session.
    let _ = client.call("Browser.close", json!({})).await;
    eventually("no file", async || count(&proxy.own_directory().join("sessions")) == 0).await;
    is_problem(&proxy.http("GET", &path, &[], "").await, 404, "no-session", "");
}

in_each_browser!(downloads_are_listed_fetched_and_deleted);

async fn downloads_that_arrive_can_be_waited_for_and_canceled(browser: Browser) {
    let (site, proxy) = (Site::start().await, Proxy::start(browser, &["--strict"]).await);
    let client = proxy.connect().await;
    let id = id_of(&client).await;
    allow(&client).await;
    let page = client.page_at(&site.url("/page?files")).await;
    let path = format!("/v1/sessions/{id}/downloads");
    let begun = async |name: &str| {
        download(&client, &page, &format!("/slow?{name}")).await;
        let is_it = |event: &Value| event["suggestedFilename"] == *name;
        let guid = text(&client.event_where("Browser.downloadWillBegin", is_it).await, "guid");
        let is_listed = async || {
            let all = ok(&proxy, "GET", &path, Value::Null).await["downloads"].clone();
            all.as_array().is_some_and(|all| all.iter().any(|one| one["id"] == guid && one["received"] == 100_000))
        };
        eventually("a download that has begun", is_listed).await;
        guid
    };
    let guid = begun("one.bin").await;
    is_problem(&proxy.http("GET", &format!("{path}/{guid}"), &[], "").await, 409, "not-completed", "in progress");
    let wait = format!("{path}/{guid}?wait=20s");
    let (got, ()) = tokio::join!(proxy.http("GET", &wait, &[], ""), async {
        site.release();
    });
    assert_eq!((got.status, got.body.len()), (200, 100_001));

    let guid = begun("two.bin").await;
    assert_eq!(proxy.http("DELETE", &format!("{path}/{guid}"), &[], "").await.status, 204);
    let is_it = |event: &Value| event["guid"] == *guid && event["state"] == "canceled";
    client.event_where("Browser.downloadProgress", is_it).await;
    assert_eq!(downloads(&proxy, &id).await.len(), 1);

    let guid = begun("three.bin").await;
    client.ok(None, "Browser.cancelDownload", json!({ "guid": guid })).await;
    eventually("the end", async || downloads(&proxy, &id).await[1]["state"] == "canceled").await;
    is_problem(&proxy.http("GET", &format!("{path}/{guid}"), &[], "").await, 409, "not-completed", "canceled");
    eventually("one file", async || count(&proxy.own_directory().join("sessions")) == 1).await;
}

in_each_browser!(downloads_that_arrive_can_be_waited_for_and_canceled);

/// With `host-files` a download is at the client's path too.
#[tokio::test]
async fn downloads_of_clients_with_host_files_are_listed_too() {
    let (site, proxy) = (Site::start().await, Proxy::start(Browser::any(), &[]).await);
    let (client, wanted) = (proxy.connect().await, tempfile::tempdir().expect("a directory"));
    let id = id_of(&client).await;
    let params = json!({ "behavior": "allow", "downloadPath": wanted.path(), "eventsEnabled": true });
    client.ok(None, "Browser.setDownloadBehavior", params).await;
    let page = client.page_at(&site.url("/page?files")).await;
    download(&client, &page, "/download?a.bin").await;
    client.event_where("Browser.downloadProgress", |event| event["state"] == "completed").await;
    assert_eq!(fs::read(wanted.path().join("a.bin")).expect("there").len(), 100_000);
    let guid = text(&downloads(&proxy, &id).await[0], "id");
    let path = format!("/v1/sessions/{id}/downloads/{guid}");
    assert_eq!(proxy.http("GET", &path, &[], "").await.body.len(), 100_000);
    assert_eq!(proxy.http("DELETE", &path, &[], "").await.status, 204);
    assert!(wanted.path().join("a.bin").exists(), "it is the client's");
}

async fn uploads_reach_pages(browser: Browser) {
    const LARGE: usize = 52 << 20;
    let (site, proxy) = (Site::start().await, Proxy::start(browser, &["--strict"]).await);
    let client = proxy.connect().await;
    let id = id_of(&client).await;
    let page = client.page_at(&site.url("/page?files")).await;
    let answer = put(&proxy, &id, "gro%C3%9F%20a.bin", &"y".repeat(LARGE)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let stored = body_of(&answer);
    is_a("UploadedFile", &stored);
    assert_eq!((&stored["name"], &stored["size"]), (&json!("groß a.bin"), &json!(LARGE)));
    let all = ok(&proxy, "GET", &format!("/v1/sessions/{id}/files"), Value::Null).await;
    is_of("ghost.listFiles", &all);
    assert_eq!(all["files"], json!([stored]));

    let object = file_input(&client, &page).await;
    let params = json!({ "files": [stored["path"]], "objectId": object });
    client.ok(Some(&page.session), "DOM.setFileInputFiles", params).await;
    let read = "(async () => { const [file] = document.querySelector('input').files
        return [file.name, file.size, await file.slice(-3).text()].join() })()";
    assert_eq!(client.evaluate(&page.session, read).await, format!("groß a.bin,{LARGE},yyy"));

    let path = format!("/v1/sessions/{id}/files/gro%C3%9F%20a.bin");
    let part = proxy.http("GET", &path, &[("Range", "bytes=0-3")], "").await;
    assert_eq!((part.status, part.body.as_str()), (206, "yyyy"));
    assert_eq!(part.header("content-range"), Some(format!("bytes 0-3/{LARGE}").as_str()));
    // It never becomes a page of the server's origin.
    assert!(part.header("content-disposition").is_some_and(|value| value.starts_with("attachment")), "{part:?}");
    assert!(part.header("content-security-policy").is_some_and(|value| value.contains("sandbox")), "{part:?}");
    is_problem(&proxy.http("GET", &format!("{path}x"), &[], "").await, 404, "no-file", "no file");
    let outside = format!("/v1/sessions/{id}/files/..%2Fdownloads");
    is_problem(&proxy.http("GET", &outside, &[], "").await, 404, "no-file", "no file");

    client.ok(None, "ghost.deleteFile", json!({ "name": "groß a.bin" })).await;
    is_problem(&proxy.http("GET", &path, &[], "").await, 404, "no-file", "no file");
    is_problem(&proxy.http("DELETE", &path, &[], "").await, 404, "no-file", "no file");
    let params = json!({ "files": [stored["path"]], "objectId": object });
    client.call_on(&page.session, "DOM.setFileInputFiles", params).await.expect_err("it is deleted");
}

in_each_browser!(uploads_reach_pages);

/// An upload whose client disconnects, and one of which nothing more comes.
#[tokio::test]
async fn uploads_that_are_cut_off_leave_nothing() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let id = text(&create(&proxy, json!({})).await, "id");
    let head = |length: usize| {
        let address = proxy.address();
        format!("PUT /v1/sessions/{id}/files/a HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n")
    };
    let files = proxy.own_directory().join("sessions");
    let mut socket = TcpStream::connect(proxy.address()).await.expect("it accepts");
    socket.write_all(format!("{}{}", head(1 << 20), "z".repeat(1000)).as_bytes()).await.expect("sent");
    eventually("a file that arrives", async || count(&files) == 1).await;
    drop(socket);
    eventually("no file", async || count(&files) == 0).await;
    // A chunked body that ends in the middle of a chunk.
    let mut socket = TcpStream::connect(proxy.address()).await.expect("it accepts");
    let head = head(0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    socket.write_all(format!("{head}ff\r\nzz").as_bytes()).await.expect("sent");
    eventually("a file that arrives", async || count(&files) == 1).await;
    socket.shutdown().await.expect("half closed");
    let mut answer = String::new();
    let _ = socket.read_to_string(&mut answer).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    eventually("no file", async || count(&files) == 0).await;
    let all = ok(&proxy, "GET", &format!("/v1/sessions/{id}/files"), Value::Null).await;
    assert_eq!(all, json!({ "files": [] }));
    let usage = ok(&proxy, "GET", &format!("/v1/sessions/{id}/usage"), Value::Null).await;
    assert_eq!(usage["filesSize"], 0);
}

#[tokio::test]
async fn files_stay_as_long_as_their_session_can_return() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let session = create(&proxy, json!({ "keepAlive": 600_000 })).await;
    let id = rest::id_of(&session).to_owned();
    let stored = body_of(&put(&proxy, &id, "a.txt", "kept").await);
    let path = format!("/v1/sessions/{id}");
    // Clones have none of their own.
    let cloned = ok(&proxy, "POST", &format!("{path}/clone"), json!({})).await;
    let clone = text(&cloned["sessions"][0], "id");
    assert_eq!(ok(&proxy, "GET", &format!("/v1/sessions/{clone}/files"), Value::Null).await["files"], json!([]));
    // Parked, with a client, parked again, hibernated, restored.
    drop(proxy.connect_to(&format!("/devtools/browser/{id}")).await);
    ok(&proxy, "PATCH", &path, json!({ "hibernateAfter": 1 })).await;
    let state = async || text(&ok(&proxy, "GET", &path, Value::Null).await, "state");
    eventually("a session that hibernates", async || state().await == "hibernated").await;
    let files = async || ok(&proxy, "GET", &format!("{path}/files"), Value::Null).await["files"].clone();
    assert_eq!(files().await, json!([stored]));
    let client = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    assert_eq!(files().await, json!([stored]));
    assert_eq!(fs::read_to_string(text(&stored, "path")).expect("there"), "kept");
    let page = client.page_at("data:text/html,<body>x").await;
    let object = file_input(&client, &page).await;
    let params = json!({ "files": [stored["path"]], "objectId": object });
    client.ok(Some(&page.session), "DOM.setFileInputFiles", params).await;
    assert_eq!(proxy.http("DELETE", &path, &[], "").await.status, 204);
    eventually("no file", async || count(&proxy.own_directory().join("sessions")) == 0).await;
    is_problem(&proxy.http("GET", &format!("{path}/files"), &[], "").await, 404, "no-session", "");
}

#[tokio::test]
async fn files_can_be_kept_after_the_end_of_their_session() {
    let (site, proxy) = (Site::start().await, Proxy::start(Browser::any(), &["--keep-files-max", "1h"]).await);
    let client = proxy.connect_to("/s/report?keep_files=10m").await;
    let id = id_of(&client).await;
    let session = client.ok(None, "ghost.getSession", json!({})).await["session"].clone();
    assert_eq!(session["keepFiles"], 600_000);
    allow(&client).await;
    let page = client.page_at(&site.url("/page?files")).await;
    download(&client, &page, "/download?kept.bin").await;
    let guid = text(&downloads(&proxy, &id).await[0], "id");
    let _ = client.call("Browser.close", json!({})).await;
    client.end().await;
    let path = format!("/v1/sessions/{id}/downloads");
    eventually("the end", async || send(&proxy, "GET", &format!("/v1/sessions/{id}"), Value::Null).await.0 == 404)
        .await;
    assert_eq!(ok(&proxy, "GET", &path, Value::Null).await["downloads"][0]["id"], guid);
    assert_eq!(proxy.http("GET", &format!("{path}/{guid}"), &[], "").await.body.len(), 100_000);
    // The next session of this name has its own.
    let client = proxy.connect_to("/s/report").await;
    assert_eq!(ok(&proxy, "GET", &path, Value::Null).await["downloads"], json!([]));
    drop(client);
    eventually("no file", async || count(&proxy.own_directory().join("sessions")) == 0).await;
    let refused = proxy.refusal("/?keep_files=2h").await;
    assert!(refused.contains("keepFiles"), "{refused}");
}

async fn what_takes_too_much_is_canceled_or_refused(browser: Browser) {
    let flags = ["--strict", "--session-files-max", "96KiB", "--session-files-count", "3"];
    let (site, proxy) = (Site::start().await, Proxy::start(browser, &flags).await);
    let client = proxy.connect().await;
    let id = id_of(&client).await;
    allow(&client).await;
    let page = client.page_at(&site.url("/page?files")).await;
    download(&client, &page, "/download?large.bin").await;
    let is_over = |event: &Value| event["state"] == "canceled" || event["state"] == "completed";
    client.event_where("Browser.downloadProgress", is_over).await;
    let all = downloads(&proxy, &id).await;
    assert_eq!(all[0]["state"], "canceled", "{all:?}");
    assert!(text(&all[0], "reason").contains("session_files_max"), "{all:?}");
    eventually("no file", async || count(&proxy.own_directory().join("sessions")) == 0).await;
    for content in ["z".repeat(100_000), "z".repeat(1 << 20)] {
        is_problem(&put(&proxy, &id, "large", &content).await, 507, "files-quota", "session_files_max");
    }
    for name in ["a", "b", "c"] {
        assert_eq!(put(&proxy, &id, name, name).await.status, 200);
    }
    is_problem(&put(&proxy, &id, "d", "d").await, 507, "files-quota", "session_files_count");
    assert_eq!(count(&proxy.own_directory().join("sessions")), 3);
}

in_each_browser!(what_takes_too_much_is_canceled_or_refused);

#[tokio::test]
async fn each_tenant_has_a_quota_of_its_own() {
    let (small, other) = (Tenant::with("small", "limits = { max_file_bytes = \"64KiB\" }"), Tenant::new("other"));
    let server = Server::start(&[&small, &other], &[]).await;
    let proxy = &server.proxy;
    let ask = async |tenant: &Tenant, method: &str, path: &str, body: &str| {
        let key = ("x-api-key", tenant.text());
        proxy.http(method, path, &[key, rest::JSON], body).await
    };
    let begin = async |tenant: &Tenant| text(&body_of(&ask(tenant, "POST", "/v1/sessions", "{}").await), "id");
    let [one, two, theirs] = [begin(&small).await, begin(&small).await, begin(&other).await];
    let put = async |tenant: &Tenant, id: &str, size: usize| {
        ask(tenant, "PUT", &format!("/v1/sessions/{id}/files/a"), &"z".repeat(size)).await
    };
    assert_eq!(put(&small, &one, 40_000).await.status, 200);
    is_problem(&put(&small, &two, 40_000).await, 507, "files-quota", "session_files_quota");
    assert_eq!(put(&other, &theirs, 400_000).await.status, 200);
    assert_eq!(ask(&small, "DELETE", &format!("/v1/sessions/{one}"), "").await.status, 204);
    assert_eq!(put(&small, &two, 40_000).await.status, 200);
}

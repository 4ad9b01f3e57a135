//! Ways through the files of a session: to those of other sessions, to the host, and to all of the disk.

use std::{fs, os::unix::fs::symlink, path::Path};

use serde_json::{Value, json};

use super::{
    rows::{Arena, rows_in_each_browser},
    stage::{On, Stage},
};
use crate::{
    client::text,
    files::{allow, download, downloads, file_input, put},
    reconnect::id_of,
    rest::{JSON, body_of},
    tenants::{Server, Tenant},
};

/// All files and directories below a directory, other than those of Chrome.
fn tree(directory: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        all.push(entry.path().display().to_string());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(tree(&entry.path()));
        }
    }
    all.sort();
    all
}

/// D07: names of downloads that are paths, or have control characters, are names in lists and headers.
async fn names_of_downloads_lead_nowhere(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let attacker = &stage.attacker;
    let id = id_of(&attacker.client).await;
    allow(&attacker.client).await;
    let script = "for (const name of ['../../../evil.txt', '/etc/passwd', '..', 'a\\\\..\\\\b.txt', 'x\\r\\nSet-Cookie: evil=1', '\\u202efdp.exe'])
        Object.assign(document.createElement('a'), { href: 'data:text/html,<script>1</script>', download: name }).click(); 0";
    let params = json!({ "expression": script, "userGesture": true });
    attacker.ok(On::Page, "Runtime.evaluate", params).await;
    let all = downloads(&stage.proxy, &id).await;
    assert!(!all.is_empty(), "D07");
    for one in &all {
        let name = text(one, "name");
        let is_plain = !name.contains(['/', '\\', '\r', '\n', '\u{202e}']) && name != ".." && !name.is_empty();
        assert!(is_plain, "D07: {one}");
        let path = format!("/v1/sessions/{id}/downloads/{}", text(one, "id"));
        let got = stage.proxy.http("GET", &path, &[], "").await;
        assert_eq!(got.status, 200, "D07: {one}");
        assert!(got.header("set-cookie").is_none() && got.header("content-type") == Some("application/octet-stream"));
        assert!(got.header("content-disposition").is_some_and(|said| said.starts_with("attachment;")), "D07: {got:?}");
    }
    stage.unharmed("D07").await;
}

/// D08, H05: names and ids that are paths, or those of another session, name nothing.
async fn names_in_requests_lead_nowhere(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let (id, theirs) = (id_of(&attacker.client).await, id_of(&victim.client).await);
    let params = json!({ "behavior": "allowAndName", "downloadPath": "/any", "browserContextId": victim.context });
    victim.client.ok(None, "Browser.setDownloadBehavior", params).await;
    download(&victim.client, &victim.page, &format!("/download?{}.bin", victim.marker)).await;
    let guid = text(&downloads(&stage.proxy, &theirs).await[0], "id");
    assert_eq!(put(&stage.proxy, &theirs, "theirs.txt", &victim.marker).await.status, 200);
    assert_eq!(put(&stage.proxy, &id, "own.txt", "own").await.status, 200);
    let before = tree(&stage.proxy.own_directory().join("sessions"));
    let directory = before.iter().find_map(|path| path.strip_suffix("/files/theirs.txt")).expect("it is there");
    let (_, directory) = directory.rsplit_once('/').expect("absolute");
    for name in [
        guid.clone(),
        "theirs.txt".to_owned(),
        format!("..%2F..%2F{directory}%2Ffiles%2Ftheirs.txt"),
        format!("..%2f{directory}"),
        "..".to_owned(),
        "%2e%2e".to_owned(),
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd".to_owned(),
        "%2Fetc%2Fpasswd".to_owned(),
        "..%5C..%5Cx".to_owned(),
        "a%00b".to_owned(),
        "%0d%0aSet-Cookie:%20x".to_owned(),
        "own.txt%2F".to_owned(),
        ".".to_owned(),
    ] {
        for (method, kind) in [("GET", "downloads"), ("DELETE", "downloads"), ("DELETE", "files")] {
            let path = format!("/v1/sessions/{id}/{kind}/{name}");
            let said = stage.proxy.http(method, &path, &[], "").await;
            assert!(matches!(said.status, 400 | 404 | 405), "D08: {method} {path}: {said:?}");
            assert!(!said.body.contains(&victim.marker), "D08: {method} {path}: {said:?}");
        }
        if name != guid && name != "theirs.txt" {
            let said = put(&stage.proxy, &id, &name, "evil").await;
            assert!(matches!(said.status, 400 | 404 | 405), "H05: {name}: {said:?}");
        }
    }
    assert_eq!(tree(&stage.proxy.own_directory().join("sessions")), before, "D08 H05");
    stage.unharmed("D08 H05").await;
}

/// H04, H06: a page gets no file of another session, and none to which a link in its own directory leads.
async fn pages_receive_no_files_of_other_sessions(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let (id, theirs) = (id_of(&attacker.client).await, id_of(&victim.client).await);
    let path_of = async |id: &str, name: &str| text(&body_of(&put(&stage.proxy, id, name, name).await), "path");
    let (own, foreign) = (path_of(&id, "own.txt").await, path_of(&theirs, "theirs.txt").await);
    let object = file_input(&attacker.client, &attacker.page).await;
    let set = async |path: &str| {
        attacker.call(On::Page, "DOM.setFileInputFiles", json!({ "files": [path], "objectId": object })).await
    };
    let (own_directory, _) = own.rsplit_once("/files/").expect("a path");
    let (their_directory, _) = foreign.rsplit_once("/files/").expect("a path");
    let (_, their_name) = their_directory.rsplit_once('/').expect("absolute");
    set(&own).await.expect("H04: its own");
    for path in [
        foreign.clone(),
        format!("{own_directory}/../{their_name}/files/theirs.txt"),
        format!("{own_directory}/files/../../{their_name}/files/theirs.txt"),
        format!("{own_directory}/files//../../{their_name}/files/theirs.txt"),
        their_directory.to_owned(),
    ] {
        set(&path).await.expect_err("H04");
    }
    // Nothing that a client can send makes a link; something else has made some.
    for (link, to) in [("files/link.txt", &*foreign), ("files/host.txt", "/etc/hostname"), ("away", their_directory)] {
        symlink(to, Path::new(own_directory).join(link)).expect("linked");
    }
    for path in ["files/link.txt", "files/host.txt", "away/files/theirs.txt"] {
        set(&format!("{own_directory}/{path}")).await.expect_err("H06");
    }
    // An upload of that name takes the place of the link, and is not written through it.
    assert_eq!(put(&stage.proxy, &id, "link.txt", "mine").await.status, 200, "H06");
    assert_eq!(fs::read_to_string(&foreign).expect("there"), "theirs.txt", "H06: written through a link");
    // A download that has become a link.
    allow(&attacker.client).await;
    download(&attacker.client, &attacker.page, "/download?own").await;
    let guid = text(&downloads(&stage.proxy, &id).await[0], "id");
    let stored = tree(Path::new(own_directory)).into_iter().find(|path| path.ends_with(&guid)).expect("it is there");
    fs::remove_file(&stored).expect("there");
    symlink(&foreign, &stored).expect("linked");
    let said = stage.proxy.http("GET", &format!("/v1/sessions/{id}/downloads/{guid}"), &[], "").await;
    assert!(said.status == 409 && !said.body.contains("theirs.txt"), "H06: {said:?}");
    let deleted = stage.proxy.http("DELETE", &format!("/v1/sessions/{id}/downloads/{guid}"), &[], "").await;
    assert_eq!((deleted.status, Path::new(&foreign).exists()), (204, true), "H06");
    let chosen = attacker.evaluate("document.querySelector('input').files[0].text()").await;
    assert_eq!(chosen, "own.txt", "H04 H06");
    stage.unharmed("H04 H06").await;
}

/// H07: what is dropped has no files, also if the client intercepts drags.
async fn drags_bring_no_files(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let (id, theirs) = (id_of(&attacker.client).await, id_of(&victim.client).await);
    let path_of = async |id: &str| text(&body_of(&put(&stage.proxy, id, "a.txt", "text").await), "path");
    let paths = [path_of(&id).await, path_of(&theirs).await, "/etc/hostname".to_owned()];
    let listen = "window.dropped = []; addEventListener('dragover', event => event.preventDefault())
        addEventListener('drop', event => { event.preventDefault(); dropped.push(event.dataTransfer.files.length) }); 0";
    attacker.evaluate(listen).await;
    attacker.ok(On::Page, "Input.setInterceptDrags", json!({ "enabled": true })).await;
    for path in &paths {
        for kind in ["dragEnter", "dragOver", "drop"] {
            let items = json!([{ "mimeType": "text/uri-list", "data": format!("file://{path}") }]);
            let data = json!({ "items": items, "files": [path], "dragOperationsMask": 1 });
            let params = json!({ "type": kind, "x": 50, "y": 50, "data": data });
            attacker.ok(On::Page, "Input.dispatchDragEvent", params).await;
        }
    }
    assert_eq!(attacker.evaluate("JSON.stringify(dropped)").await, "[0,0,0]", "H07");
    stage.unharmed("H07").await;
}

/// D09: downloads without number and without end take what one session may, and others have theirs.
async fn downloads_do_not_fill_the_disk(arena: Arena) {
    let flags = ["--strict", "--session-files-max", "256KiB", "--session-files-count", "8"];
    let stage = Stage::with(arena, &flags).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let (id, theirs) = (id_of(&attacker.client).await, id_of(&victim.client).await);
    allow(&attacker.client).await;
    let flood = "for (let number = 0; number < 60; number++)
        Object.assign(document.createElement('a'), { href: '/download?' + number, download: '' }).click(); 0";
    for _ in 0..2 {
        attacker.ok(On::Page, "Runtime.evaluate", json!({ "expression": flood, "userGesture": true })).await;
    }
    // Chrome asks the user about many downloads of one page; a gesture and a name for each go around that.
    for number in 0..12 {
        download(&attacker.client, &attacker.page, &format!("/download?more-{number}")).await;
    }
    let all = downloads(&stage.proxy, &id).await;
    let kept: u64 =
        all.iter().filter(|one| one["state"] == "completed").filter_map(|one| one["received"].as_u64()).sum();
    assert!(all.iter().any(|one| text(one, "state") == "canceled" && one["reason"].is_string()), "D09: {all:?}");
    assert!(kept <= 256 << 10, "D09: {kept} bytes are kept");
    let usage = stage.proxy.http("GET", &format!("/v1/sessions/{id}/usage"), &[], "").await;
    assert!(body_of(&usage)["filesSize"].as_u64().is_some_and(|size| size <= 256 << 10), "D09: {usage:?}");
    assert_eq!(put(&stage.proxy, &theirs, "a", &"z".repeat(200_000)).await.status, 200, "D09");
    stage.unharmed("D09").await;
}

/// U13: files of another tenant's session, by every endpoint, and the quota of another tenant.
#[tokio::test]
async fn files_of_other_tenants_are_unknown() {
    let (victim, attacker) = (Tenant::new("victim"), Tenant::new("attacker"));
    let server = Server::start(&[&victim, &attacker], &["--session-files-quota", "1MiB"]).await;
    let proxy = &server.proxy;
    let ask = async |tenant: &Tenant, method: &str, path: &str, body: &str| {
        proxy.http(method, path, &[("x-api-key", tenant.text()), JSON], body).await
    };
    let client = proxy.connect_to(&format!("/?token={}", victim.text())).await;
    let id = id_of(&client).await;
    allow(&client).await;
    let page = client.page_at("data:text/html,<body>x").await;
    download(&client, &page, "data:text/plain,secret").await;
    let listed = body_of(&ask(&victim, "GET", &format!("/v1/sessions/{id}/downloads?wait=20s"), "").await);
    let guid = text(&listed["downloads"][0], "id");
    assert_eq!(ask(&victim, "PUT", &format!("/v1/sessions/{id}/files/a.txt"), "secret").await.status, 200);
    let own = proxy.connect_to(&format!("/?token={}", attacker.text())).await;
    let (own_id, unknown) = (id_of(&own).await, "00000000-0000-4000-8000-000000000000");
    for (method, path) in [
        ("GET", "downloads"),
        ("GET", "downloads?wait=1ms"),
        ("GET", "downloads/GUID"),
        ("GET", "downloads/GUID?wait=1ms"),
        ("DELETE", "downloads/GUID"),
        ("GET", "files"),
        ("GET", "files/a.txt"),
        ("PUT", "files/a.txt"),
        ("DELETE", "files/a.txt"),
    ] {
        let path = path.replace("GUID", &guid);
        let said = async |id: &str| {
            let said = ask(&attacker, method, &format!("/v1/sessions/{id}/{path}"), "evil").await;
            (said.status, said.body.replace(id, "ID"))
        };
        let (foreign, nothing) = (said(&id).await, said(unknown).await);
        assert_eq!(foreign.0, 404, "U13: {method} {path}: {foreign:?}");
        assert_eq!(foreign, nothing, "U13: {method} {path}");
        if path.contains(&guid) {
            let own = ask(&attacker, method, &format!("/v1/sessions/{own_id}/{path}"), "").await;
            assert_eq!(own.status, 404, "U13: {method} {path}: {own:?}");
        }
    }
    for (method, params) in [
        ("ghost.listDownloads", json!({ "id": id })),
        ("ghost.deleteDownload", json!({ "id": id, "download": guid })),
        ("ghost.deleteDownload", json!({ "download": guid })),
        ("ghost.listFiles", json!({ "id": id })),
        ("ghost.deleteFile", json!({ "id": id, "name": "a.txt" })),
        ("ghost.deleteFile", json!({ "name": "a.txt" })),
    ] {
        let (code, words) = own.call(method, params).await.expect_err("U13");
        assert!(code == -32000 && words.contains("no "), "U13: {method}: {words}");
    }
    // A key is for its session alone.
    let key = text(&own.ok(None, "ghost.getSession", json!({})).await["session"], "webSocketDebuggerUrl");
    let (_, key) = key.split_once("?key=").expect("a key");
    for (id, status) in [(&own_id, 200), (&id, 404)] {
        let said = proxy.http("GET", &format!("/v1/sessions/{id}/files?key={key}.{own_id}"), &[], "").await;
        assert_eq!(said.status, status, "U13: {said:?}");
    }
    // The attacker takes all that it may.
    let large = "z".repeat(600_000);
    let [first, second] = ["a", "b"].map(|name| format!("/v1/sessions/{own_id}/files/{name}"));
    assert_eq!(ask(&attacker, "PUT", &first, &large).await.status, 200);
    assert_eq!(ask(&attacker, "PUT", &second, &large).await.status, 507, "U13");
    assert_eq!(ask(&victim, "PUT", &format!("/v1/sessions/{id}/files/b.txt"), &large).await.status, 200, "U13");
    let kept = ask(&victim, "GET", &format!("/v1/sessions/{id}/downloads/{guid}"), "").await;
    assert_eq!((kept.status, &*kept.body), (200, "secret"), "U13");
    let kept: Value = body_of(&ask(&victim, "GET", &format!("/v1/sessions/{id}/files"), "").await);
    assert_eq!((&kept["files"][0]["name"], &kept["files"][0]["size"]), (&json!("a.txt"), &json!(6)), "U13");
}

rows_in_each_browser! {
    names_of_downloads_lead_nowhere,
    names_in_requests_lead_nowhere,
    pages_receive_no_files_of_other_sessions,
    drags_bring_no_files,
    downloads_do_not_fill_the_disk,
}

//! A full disk: uploads, downloads and snapshots fail with a reason, and nothing of anybody else is lost.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    browsers::Browser,
    client::text,
    files::{allow, download, downloads, put},
    proxy::{Proxy, eventually},
    reconnect::id_of,
    rest::{JSON, is_problem, ok},
    site::Site,
};

/// A small disk, which ends with the test.
struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where tests may not mount one.
    fn mount(mib: u32) -> Option<Self> {
        let directory = tempfile::Builder::new().prefix("ghostmux-it-disk-").tempdir().expect("a directory");
        let size = format!("size={mib}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()).output();
        match mounted {
            Ok(done) if done.status.success() => Some(Self { directory }),
            failed => {
                eprintln!("skipped: no disk can be mounted: {failed:?}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Fills it but for this many bytes.
    fn fill(&self, left: u64) -> PathBuf {
        let file = self.path().join("filler");
        let stat = nix::sys::statvfs::statvfs(self.path()).expect("a disk");
        let free = stat.blocks_available() * stat.fragment_size();
        let size = usize::try_from(free.saturating_sub(left)).expect("a small disk");
        fs::write(&file, vec![1; size]).expect("there is room");
        file
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.directory.path()).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_and_downloads_on_a_full_disk_fail_with_a_reason_and_take_nothing_else_along() {
    let Some(disk) = SmallDisk::mount(80) else { return };
    let flags = ["--session-dir", &disk.path().to_string_lossy(), "--warm", "0"];
    let (proxy, site) = (Proxy::start(Browser::any(), &flags).await, Site::start().await);
    let (client, other) = (proxy.connect().await, proxy.connect().await);
    let (id, id_of_other) = (id_of(&client).await, id_of(&other).await);
    assert_eq!(put(&proxy, &id_of_other, "kept.txt", "kept").await.status, 200);
    allow(&client).await;
    let page = client.page_at(&site.url("/page?full")).await;
    let page_of_other = other.page_at(&site.url("/page?other")).await;

    let filler = disk.fill(64 << 10);
    let large = "x".repeat(1 << 20);
    is_problem(&put(&proxy, &id, "large.txt", &large).await, 507, "disk-full", "session_dir");
    assert_eq!(ok(&proxy, "GET", &format!("/v1/sessions/{id}/files"), Value::Null).await["files"], json!([]));
    download(&client, &page, "/download?report.pdf").await;
    let all = downloads(&proxy, &id).await;
    assert_eq!((all.len(), &all[0]["state"]), (1, &json!("canceled")), "{all:?}");
    assert!(all[0]["reason"].as_str().is_some_and(|why| why.contains("session_dir")), "{all:?}");
    // Whoever was there goes on, with what it has.
    for (client, page) in [(&client, &page), (&other, &page_of_other)] {
        assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
    }
    let files = ok(&proxy, "GET", &format!("/v1/sessions/{id_of_other}/files"), Value::Null).await;
    assert_eq!(fs::read_to_string(text(&files["files"][0], "path")).expect("its file"), "kept");

    fs::remove_file(filler).expect("it is there");
    assert_eq!(put(&proxy, &id, "large.txt", &large).await.status, 200);
    download(&client, &page, "/download?again.pdf").await;
    eventually("a download that is whole", async || {
        downloads(&proxy, &id).await.last().is_some_and(|last| last["state"] == "completed")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_on_a_full_disk_are_refused_and_those_before_and_after_are_whole() {
    let Some(disk) = SmallDisk::mount(24) else { return };
    let store = disk.path().join("store.redb").to_string_lossy().into_owned();
    let (proxy, site) = (Proxy::start(Browser::any(), &["--store", &store]).await, Site::start().await);
    let client = proxy.connect().await;
    let id = id_of(&client).await;
    let page = client.page_at(&site.url("/page?full")).await;
    let save = async || proxy.http("POST", &format!("/v1/sessions/{id}/snapshots"), &[JSON], "{}").await;
    let saved = save().await;
    assert_eq!(saved.status, 201, "{}", saved.body);
    let saved: Value = serde_json::from_str(&saved.body).expect("JSON");
    let first = text(&saved["snapshot"], "id");

    // Some megabytes that do not compress.
    let script = "for (let n = 0; n < 2; n++) localStorage.setItem('large' + n, \
                  Array.from({ length: 150000 }, () => Math.random().toString(36).slice(2)).join('').slice(0, 1500000)); 0";
    client.evaluate(&page.session, script).await;
    let filler = disk.fill(128 << 10);
    let refused = save().await;
    is_problem(&refused, 507, "disk-full", &store);
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42, "the session goes on");

    fs::remove_file(filler).expect("it is there");
    let content = proxy.http("GET", &format!("/v1/snapshots/{first}/content"), &[], "").await;
    assert_eq!(content.status, 200, "the one before is whole: {}", content.body);
    let again = save().await;
    assert_eq!(again.status, 201, "the store works without a restart: {}", again.body);
    let listed = ok(&proxy, "GET", "/v1/snapshots", Value::Null).await;
    assert_eq!(listed["snapshots"].as_array().map(Vec::len), Some(2), "{listed}");
}

//! The books of one session's files, and uploads.

use std::{fs, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::{downloads::CANCELED_MOST, *};
use crate::virtual_browser::DownloadNote;

const MIB: u64 = 1 << 20;

struct Place {
    directory: tempfile::TempDir,
    files: Arc<SessionFiles>,
}

impl Place {
    fn with(limits: FileLimits) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let files = Arc::new(SessionFiles::new(directory.path().join("own"), limits, Arc::default()));
        Self { directory, files }
    }

    fn new() -> Self {
        Self::with(FileLimits { session: MIB, owner: 4 * MIB, count: 10 })
    }

    /// A download begins; its file is written as Chrome does.
    fn begin(&self, guid: &str, name: &str) -> Noted {
        let directory = self.files.path().join("downloads/CTX");
        self.files.make_downloads(&directory).expect("made");
        let (guid, name) = (guid.to_owned(), name.to_owned());
        fs::write(directory.join(&guid), "content").expect("written");
        self.files.on_download(DownloadNote::Began { guid, url: "http://site/".to_owned(), name })
    }

    fn progress(&self, guid: &str, received: u64, size: Option<u64>) -> Noted {
        self.files.on_download(DownloadNote::Progress { guid: guid.to_owned(), received, size })
    }

    fn end(&self, guid: &str, received: u64, is_whole: bool) -> Noted {
        self.files.on_download(DownloadNote::Ended { guid: guid.to_owned(), received, is_whole })
    }

    async fn put(&self, name: &str, pieces: Vec<io::Result<&'static [u8]>>) -> Result<UploadedFile, FilesError> {
        self.files.put(name, None, stream::iter(pieces).map(|piece| piece.map(Bytes::from_static))).await
    }

    /// Waits until the files that are removed in other threads are gone.
    async fn has_files(&self, expected: usize) {
        let count = || {
            let all = ["files", "arriving", "downloads/CTX"].map(|name| fs::read_dir(self.files.path().join(name)));
            all.into_iter().flatten().flatten().count()
        };
        let reached = async {
            while count() != expected {
                tokio::task::yield_now().await;
            }
        };
        let most = Duration::from_secs(20);
        tokio::time::timeout(most, reached).await.unwrap_or_else(|_| panic!("{} files, not {expected}", count()));
    }
}

#[tokio::test]
async fn downloads_are_listed_under_safe_names_with_their_states() {
    let place = Place::new();
    for (guid, name) in [("a", "../report.pdf"), ("b", "report.pdf"), ("c", "report.pdf"), ("d", "")] {
        assert_eq!(place.begin(guid, name), Noted::default());
    }
    assert_eq!(place.begin("a", "again"), Noted::default(), "Chrome says it once");
    place.progress("a", 5000, Some(9000));
    let finished = place.end("b", 7, true).finished.expect("it has ended");
    assert_eq!((finished.state, finished.received), (DownloadState::Completed, 7));
    assert_eq!(place.end("c", 3, false).finished.expect("it has ended").state, DownloadState::Canceled);
    assert_eq!(place.end("c", 3, true), Noted::default(), "it ends once");
    let all = place.files.list_downloads().downloads;
    let shown: Vec<_> = all.iter().map(|one| (&*one.id, &*one.name, one.state)).collect();
    assert_eq!(
        shown,
        [
            ("a", "report.pdf", DownloadState::InProgress),
            ("b", "report (1).pdf", DownloadState::Completed),
            ("c", "report (2).pdf", DownloadState::Canceled),
            ("d", "download", DownloadState::InProgress),
        ]
    );
    assert_eq!((all[0].received, all[0].size), (5000, Some(9000)));
    // What is announced counts before it has come: 9000 bytes are three blocks.
    assert_eq!(place.files.size(), (3 + 1 + 1) * BLOCK);
    let (_, mut file) = place.files.open_download("b").await.expect("it is there");
    let mut text = String::new();
    io::Read::read_to_string(&mut file, &mut text).expect("read");
    assert_eq!(text, "content");
    for guid in ["a", "c"] {
        assert!(matches!(place.files.open_download(guid).await, Err(FilesError::NotThere { .. })), "{guid}");
    }
    assert!(matches!(place.files.open_download("../files/x").await, Err(FilesError::Missing { .. })));
}

#[tokio::test]
async fn downloads_that_take_too_much_are_canceled() {
    let place = Place::with(FileLimits { session: MIB, owner: 2 * MIB, count: 2 });
    place.begin("a", "a");
    assert_eq!(place.progress("a", 0, Some(2 * MIB)).cancel.as_deref(), Some("a"), "it says that it is too large");
    assert_eq!(place.progress("a", 10, Some(2 * MIB)), Noted::default(), "it is canceled once");
    let finished = place.end("a", 10, false).finished.expect("it has ended");
    assert!(finished.reason.expect("why").contains("session_files_max"));
    assert_eq!(place.files.size(), 0);
    place.begin("b", "b");
    place.progress("b", MIB / 2, None);
    assert_eq!(place.progress("b", MIB + 1, None).cancel.as_deref(), Some("b"), "it does not say");
    // It was complete before it could be canceled.
    let finished = place.end("b", MIB + 2, true).finished.expect("it has ended");
    assert_eq!(finished.state, DownloadState::Canceled);
    // The file of `a` is Chrome's to remove.
    place.has_files(1).await;
    place.begin("c", "c");
    place.begin("d", "d");
    assert_eq!(place.begin("e", "e").cancel.as_deref(), Some("e"), "there are two files");
    assert!(place.end("e", 0, false).finished.and_then(|one| one.reason).expect("why").contains("session_files_count"));
    for number in 0..3 * CANCELED_MOST {
        place.begin(&number.to_string(), "x");
        place.end(&number.to_string(), 0, false);
    }
    assert_eq!(place.files.list_downloads().downloads.len(), CANCELED_MOST + 2);
}

#[tokio::test]
async fn deleted_downloads_leave_nothing() {
    let place = Place::new();
    place.begin("a", "a");
    place.end("a", 7, true);
    assert!(!place.files.delete_download("a").expect("it is there"));
    place.has_files(0).await;
    place.begin("b", "b");
    assert!(place.files.delete_download("b").expect("it is there"), "it is to be canceled");
    assert!(place.files.list_downloads().downloads.is_empty());
    assert!(matches!(place.files.delete_download("b"), Err(FilesError::Missing { .. })));
    // Chrome had completed it.
    assert_eq!(place.end("b", 7, true), Noted::default());
    place.has_files(0).await;
    assert_eq!(place.files.size(), 0);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_all_downloads_have_ended() {
    let place = Place::new();
    let waited = async |id: Option<&str>| {
        let since = tokio::time::Instant::now();
        place.files.wait(id, Duration::from_secs(30)).await;
        since.elapsed().as_secs()
    };
    assert_eq!(waited(None).await, 30, "there is none");
    assert_eq!(waited(Some("x")).await, 0, "there is no such download");
    place.begin("a", "a");
    place.begin("b", "b");
    assert_eq!(waited(None).await, 30);
    place.end("a", 1, true);
    assert_eq!((waited(Some("a")).await, waited(Some("b")).await, waited(None).await), (0, 30, 30));
    let files = place.files.clone();
    let waiting = tokio::spawn(async move { files.wait(None, Duration::from_secs(30)).await });
    tokio::task::yield_now().await;
    place.end("b", 1, false);
    waiting.await.expect("it waits no longer");
    assert_eq!(waited(None).await, 0);
}

#[tokio::test]
async fn uploads_arrive_as_a_whole_or_leave_nothing() {
    let place = Place::new();
    let stored = place.put("a.txt", vec![Ok(b"one "), Ok(b"two")]).await.expect("stored");
    assert_eq!((stored.size, fs::read_to_string(&stored.path).expect("there")), (7, "one two".to_owned()));
    let cut = || io::Error::from(io::ErrorKind::ConnectionReset);
    assert!(matches!(place.put("a.txt", vec![Ok(b"new"), Err(cut())]).await, Err(FilesError::Cut(_))));
    assert_eq!(fs::read_to_string(&stored.path).expect("there"), "one two", "the old one stays");
    let short = place.files.put("b", Some(10), stream::iter([Ok(Bytes::from_static(b"short"))])).await;
    assert!(matches!(short, Err(FilesError::Cut(_))));
    place.has_files(1).await;
    assert_eq!(place.files.size(), BLOCK);
    assert_eq!(place.put("a.txt", vec![Ok(b"new")]).await.expect("replaced").path, stored.path);
    assert_eq!(fs::read_to_string(&stored.path).expect("there"), "new");
    for name in ["", "..", "../a", "/etc/passwd", "a\0"] {
        assert!(matches!(place.put(name, vec![Ok(b"x")]).await, Err(FilesError::Name(_))), "{name:?}");
    }
    place.files.delete_file("a.txt").await.expect("deleted");
    assert!(matches!(place.files.delete_file("a.txt").await, Err(FilesError::Missing { .. })));
    place.has_files(0).await;
    assert_eq!(place.files.size(), 0);
}

#[tokio::test]
async fn uploads_beyond_the_quota_leave_nothing() {
    let account = Arc::<Account>::default();
    let place = Place::new();
    let limits = FileLimits { session: MIB, owner: MIB + BLOCK, count: 2 };
    let other = Arc::new(SessionFiles::new(place.directory.path().join("other"), limits, account.clone()));
    let files = Arc::new(SessionFiles::new(place.directory.path().join("one"), limits, account));
    let put = async |files: &Arc<SessionFiles>, size: Option<u64>, pieces: usize| {
        let content = stream::repeat_with(|| Ok(Bytes::from(vec![0; 64 << 10]))).take(pieces);
        files.put(&format!("{pieces}"), size, content).await.map_err(|why| why.to_string())
    };
    // In the middle, and before the first byte of what says that it is too large.
    assert!(put(&files, None, 17).await.expect_err("17 pieces").contains("session_files_max"));
    assert!(put(&files, Some(1 << 40), 0).await.expect_err("announced").contains("session_files_max"));
    assert_eq!((files.size(), other.size()), (0, 0));
    put(&files, None, 16).await.expect("exactly so much");
    // Another session of the owner.
    put(&other, None, 0).await.expect("one block is left");
    assert!(put(&other, None, 1).await.expect_err("full").contains("session_files_quota"));
    drop(files);
    put(&other, None, 1).await.expect("the other session has ended");
    assert!(put(&other, None, 2).await.expect_err("two files").contains("session_files_count"));
    assert_eq!(fs::read_dir(other.path().join("files")).expect("there").count(), 2);
}

#[tokio::test]
async fn nothing_is_stored_or_made_once_the_session_has_ended() {
    let place = Place::new();
    place.put("a", vec![Ok(b"x")]).await.expect("stored");
    let (sender, receiver) = tokio::sync::mpsc::channel::<io::Result<Bytes>>(1);
    let files = place.files.clone();
    let content = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let arriving = tokio::spawn(async move { files.put("b", None, content).await });
    sender.send(Ok(Bytes::from_static(b"begin"))).await.expect("it is read");
    place.has_files(2).await;
    place.files.close();
    drop(sender);
    assert!(matches!(arriving.await.expect("no panic"), Err(FilesError::Ended | FilesError::Disk(_))));
    assert!(matches!(place.put("c", vec![Ok(b"x")]).await, Err(FilesError::Ended)));
    assert!(place.files.make_downloads(&place.files.path().join("downloads/CTX")).is_err());
    let gone = async {
        while place.files.path().exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("removed");
    assert_eq!(place.files.size(), 0);
}

#[test]
fn downloads_have_no_directory_elsewhere() {
    let place = Place::new();
    for path in ["/tmp/downloads/CTX", "downloads/CTX"] {
        assert!(place.files.make_downloads(Path::new(path)).is_err(), "{path}");
    }
    let own = place.files.path();
    assert!(place.files.make_downloads(&own.join("downloads/../../x")).is_err());
    assert!(place.files.make_downloads(&own.join("other/CTX")).is_err());
    assert!(!own.exists());
}

/// Pages get files by their names alone, and only those of the session.
#[tokio::test]
async fn pages_get_only_files_of_the_session() {
    let place = Place::new();
    place.files.put_now("a", b"x");
    place.begin("guid", "b");
    let outside = place.directory.path().join("outside");
    fs::write(&outside, "secret").expect("written");
    let own = place.files.path().join("files/a");
    assert_eq!(place.files.paths_of(&["a"]).await.expect("own"), [own.to_string_lossy()]);
    for name in ["b", "guid", "../downloads/CTX/guid", "/etc/passwd", "..", "", "a/", "files/a", "a\0"] {
        place.files.paths_of(&["a", name]).await.expect_err(name);
    }
    // Whatever has happened on the disk.
    fs::remove_file(&own).expect("removed");
    std::os::unix::fs::symlink(&outside, &own).expect("a link");
    place.files.paths_of(&["a"]).await.expect_err("a link to the outside");
}

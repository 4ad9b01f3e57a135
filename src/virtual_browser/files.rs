//! Downloads, and files of the host that a client names.
//!
//! Chrome writes every download into a directory of the session, under its guid; for a download of a child frame, only
//! this directory shows its session. With the capability `host-files` a completed file is put at the path that its client
//! expects too, before the client gets the event that it is complete.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{Action, Pending, VirtualBrowser, browser::no_context};
use crate::{
    api_types::capability::Capability,
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, ContextId},
        json_object::{JsonObject, quote},
        message::{self, Command, Head},
    },
    port::Settle,
};

const NO_PATH: CdpError = CdpError::new(-32602, "downloadPath not provided");
const NO_DOWNLOAD: CdpError = CdpError::new(-32602, "No download item found for the given GUID");

/// Most completed downloads whose guids are remembered; the oldest is forgotten.
pub(super) const KEPT_GUIDS: usize = 256;

/// What Chrome says of a download, for the list of the session's downloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadNote {
    /// It begins.
    Began {
        /// Chrome's id.
        guid: String,
        /// From where it comes.
        url: String,
        /// The name that the site suggests.
        name: String,
    },
    /// More of it has arrived.
    Progress {
        /// Chrome's id.
        guid: String,
        /// Bytes that have arrived.
        received: u64,
        /// All bytes, if that is known.
        size: Option<u64>,
    },
    /// It has ended.
    Ended {
        /// Chrome's id.
        guid: String,
        /// Bytes that have arrived.
        received: u64,
        /// Whether the whole file is there; otherwise it was canceled.
        is_whole: bool,
    },
}

/// Where a completed file is to be, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The paths at which the file may be, each with its destination.
    pub ways: Vec<(PathBuf, PathBuf)>,
}

/// The settings of a context's downloads, from a client's `Browser.setDownloadBehavior`.
#[derive(Debug)]
struct Destination {
    /// The client's directory.
    path: PathBuf,
    /// `allow`: files have the names that sites suggest. Otherwise their guids.
    by_name: bool,
}

/// A file that is being moved, and the events that wait for it.
#[derive(Debug, Default)]
struct Moving {
    /// Chrome's `Page.downloadProgress`, which comes first, with its CDP session.
    pages: Vec<(CdpSessionId, Bytes, usize)>,
    /// The params of `Browser.downloadProgress`.
    browser: Option<String>,
    /// Whether the move has ended, successful or not.
    over: bool,
    /// The path after a successful move.
    to: Option<PathBuf>,
}

/// The files of a session.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    /// The contexts whose downloads Chrome writes into a directory of the session.
    allowed: BTreeSet<ContextId>,
    /// The contexts for which a client has said what becomes of downloads.
    chosen: BTreeSet<ContextId>,
    wishes: HashMap<ContextId, Destination>,
    /// The downloads whose start event was delivered, with the names that sites suggested.
    downloads: HashMap<String, String>,
    /// The guids of completed downloads, the oldest first; at most [`KEPT_GUIDS`].
    ended: VecDeque<String>,
    moving: HashMap<String, Moving>,
}

impl Files {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            allowed: BTreeSet::new(),
            chosen: BTreeSet::new(),
            wishes: HashMap::new(),
            downloads: HashMap::new(),
            ended: VecDeque::new(),
            moving: HashMap::new(),
        }
    }

    /// The number of downloads that are in progress.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.downloads.len()
    }

    pub(super) fn forget(&mut self, context: &ContextId) {
        self.wishes.remove(context);
        self.allowed.remove(context);
        self.chosen.remove(context);
    }

    /// Whether a download belongs to this session: one in progress, or one of the last that ended.
    fn is_own(&self, guid: &str) -> bool {
        self.downloads.contains_key(guid) || self.ended.iter().any(|ended| ended == guid)
    }

    /// A download has ended.
    fn end(&mut self, guid: &str) {
        if let Some((guid, _)) = self.downloads.remove_entry(guid) {
            if self.ended.len() >= KEPT_GUIDS {
                self.ended.pop_front();
            }
            self.ended.push_back(guid);
        }
    }

    /// The directory into which Chrome writes the downloads of a context, under their guids.
    fn downloads(&self, context: &str) -> PathBuf {
        self.directory.join("downloads").join(context)
    }
}

impl VirtualBrowser {
    pub(super) fn set_download_behavior(&mut self, on: &CdpSessionId, command: &Command, of_page: bool) {
        let id = command.id();
        let Some(mut params) = JsonObject::read(command.params()) else {
            return self.scope.fail(on, id, &CdpError::INVALID);
        };
        let named = if of_page { self.context_of(on) } else { params.string("browserContextId") };
        let context = named.unwrap_or_else(|| self.scope.default_context.to_string());
        if !self.scope.owns_context(&context) {
            return self.scope.fail(on, id, &no_context(&context));
        }
        let wrong = |name| params.has(name) && params.string(name).is_none();
        let events = params.get("eventsEnabled");
        if params.string("behavior").is_none()
            || !of_page && wrong("browserContextId")
            || wrong("downloadPath")
            || !of_page && !matches!(events, None | Some("true" | "false"))
        {
            // A member of a wrong type: sent to Chrome without the path, which refuses it.
            if params.string("downloadPath").is_some() {
                params.remove("downloadPath");
            }
            return self.forward(on, on.clone(), id, command.method(), params.to_string());
        }
        if !of_page && events == Some("true") && !self.scope.may_listen(on, |cdp| cdp.download_events) {
            return self.refuse_listener(on, id, command.method());
        }
        let behavior = params.string("behavior").unwrap_or_default();
        let allows = matches!(behavior.as_str(), "allow" | "allowAndName");
        let path = params.string("downloadPath").filter(|path| !path.is_empty());
        self.files.chosen.insert(ContextId::from(context.as_str()));
        let mut up = JsonObject::default();
        if allows {
            let Some(path) = path else { return self.scope.fail(on, id, &NO_PATH) };
            // Without host-files the file is not moved, whatever the client asks for.
            if self.granted.has(Capability::HostFiles) {
                let wish = Destination { path: PathBuf::from(path), by_name: behavior == "allow" };
                self.files.wishes.insert(ContextId::from(context.as_str()), wish);
            }
            self.allow_into_directory(&context, &mut up);
        } else {
            self.files.wishes.remove(context.as_str());
            up.set_raw("behavior", quote(&behavior));
        }
        up.set_raw("browserContextId", quote(&context));
        // A CDP session with these events gets those of every context: only the proxy's own enables them.
        up.set_raw("eventsEnabled", "false");
        if !of_page && let Some(cdp) = self.scope.sessions.get_mut(on) {
            cdp.download_events = events == Some("true");
            if cdp.download_events {
                self.actions.push(Action::Listen);
            }
        }
        self.call(
            self.base.clone(),
            "Browser.setDownloadBehavior",
            up.to_string(),
            Settle::Plain,
            Pending::Forward(on.clone(), id),
        );
    }

    /// Adds to the params of `Browser.setDownloadBehavior` that Chrome writes downloads into the session's directory.
    /// Never `allow`: *measured*, full Chrome 156 may end by SIGABRT when a context goes with such a download.
    fn allow_into_directory(&mut self, context: &str, params: &mut JsonObject<'_>) {
        let directory = self.files.downloads(context);
        self.files.allowed.insert(ContextId::from(context));
        params.set_raw("behavior", "\"allowAndName\"");
        params.set_raw("downloadPath", quote(&directory.to_string_lossy()));
        self.actions.push(Action::Directory(directory));
    }

    /// Allows downloads in the default context, for callers without a client: not if there is a client, or one has said
    /// what becomes of downloads.
    pub fn allow_downloads(&mut self) {
        let context = self.scope.default_context.to_string();
        let is_set = self.files.chosen.contains(context.as_str()) || self.files.allowed.contains(context.as_str());
        if is_set || self.has_browser_level_view() {
            return;
        }
        let mut params = JsonObject::default();
        self.allow_into_directory(&context, &mut params);
        params.set_raw("browserContextId", quote(&context));
        params.set_raw("eventsEnabled", "false");
        let (base, params) = (self.base.clone(), params.to_string());
        self.call(base, "Browser.setDownloadBehavior", params, Settle::Plain, Pending::Nobody);
    }

    pub(super) fn cancel_download(&mut self, on: &CdpSessionId, command: &Command) {
        let id = command.id();
        let Some(mut params) = JsonObject::read(command.params()) else {
            return self.scope.fail(on, id, &CdpError::INVALID);
        };
        if let Some(context) = params.string("browserContextId")
            && !self.scope.owns_context(&context)
        {
            return self.scope.fail(on, id, &no_context(&context));
        }
        if params.string("guid").is_some_and(|guid| !self.files.is_own(&guid)) {
            return self.scope.fail(on, id, &NO_DOWNLOAD);
        }
        if !params.has("browserContextId") {
            params.set_string("browserContextId", self.scope.default_context.as_str());
        }
        self.forward(on, self.base.clone(), id, command.method(), params.to_string());
    }

    /// Cancels a download that takes too much of the disk, or that was deleted. Its client gets Chrome's event.
    pub fn cancel(&mut self, guid: &str) {
        if !self.files.is_own(guid) {
            return;
        }
        // Chrome does not say in which context it is. In others it knows no such download.
        for context in self.files.allowed.clone() {
            let params = format!(r#"{{"guid":{},"browserContextId":{}}}"#, quote(guid), quote(context.as_str()));
            self.call(self.base.clone(), "Browser.cancelDownload", params, Settle::Plain, Pending::Nobody);
        }
    }

    pub(super) fn on_download(&mut self, method: &'static str, params: &str) {
        let Some(read) = JsonObject::read(params) else { return };
        let Some(guid) = read.string("guid") else { return };
        self.actions.extend(note_of(method, &guid, &read).map(Action::Note));
        if method == "Browser.downloadWillBegin" {
            self.files.downloads.insert(guid, read.string("suggestedFilename").unwrap_or_default());
            return self.tell_download(method, params);
        }
        match read.get("state") {
            Some("\"completed\"") => {
                if self.move_file(&guid)
                    && let Some(moving) = self.files.moving.get_mut(&guid)
                {
                    moving.browser = Some(params.to_owned());
                    self.settle_move(&guid);
                } else {
                    self.tell_download(method, params);
                    self.files.end(&guid);
                }
            }
            Some("\"canceled\"") => {
                self.tell_download(method, params);
                self.files.end(&guid);
            }
            _ => self.tell_download(method, params),
        }
    }

    /// The way from the session's directory to the client's, if the client may use its directory.
    fn ways(&self, guid: &str) -> Vec<(PathBuf, PathBuf)> {
        let name = self.files.downloads.get(guid).map_or(guid, String::as_str);
        // The name that a site suggests must be a name, not a path.
        let name = Path::new(name).file_name().map_or_else(|| guid.into(), std::ffi::OsStr::to_os_string);
        let from = |context: &ContextId| self.files.downloads(context.as_str()).join(guid);
        let to = |wish: &Destination| if wish.by_name { wish.path.join(&name) } else { wish.path.join(guid) };
        self.files.wishes.iter().map(|(context, wish)| (from(context), to(wish))).collect()
    }

    /// An event of a page. The event that a download is complete is delayed until its file was moved. Returns false if it
    /// is delayed.
    pub(super) fn on_page_download(&mut self, on: &CdpSessionId, text: &Bytes, body_end: usize) -> bool {
        if self.files.wishes.is_empty() || message::route(text).head != Head::Event("Page.downloadProgress") {
            return true;
        }
        let Some(read) = message::params_of(text).and_then(JsonObject::read) else { return true };
        let Some(guid) = read.string("guid").filter(|_| read.get("state") == Some("\"completed\"")) else {
            return true;
        };
        if !self.move_file(&guid) {
            return true;
        }
        if let Some(moving) = self.files.moving.get_mut(&guid) {
            moving.pages.push((on.clone(), text.clone(), body_end));
        }
        self.settle_move(&guid);
        false
    }

    /// Starts to move a file, unless it was started. Returns false if the file is not moved.
    fn move_file(&mut self, guid: &str) -> bool {
        if self.files.moving.contains_key(guid) {
            return true;
        }
        let ways = self.ways(guid);
        if ways.is_empty() {
            return false;
        }
        self.files.moving.insert(guid.to_owned(), Moving::default());
        let tag = self.expect(Pending::Moved(guid.to_owned()));
        self.actions.push(Action::Move(tag, Move { ways }));
        true
    }

    /// The move of a file has ended: delivers the delayed events.
    pub fn on_moved(&mut self, tag: u64, to: Option<PathBuf>) {
        let Some(Pending::Moved(guid)) = self.settled(tag) else { return };
        if let Some(moving) = self.files.moving.get_mut(&guid) {
            moving.over = true;
            moving.to = to;
        }
        self.settle_move(&guid);
    }

    /// Delivers the events that waited for a file.
    fn settle_move(&mut self, guid: &str) {
        let Some(moving) = self.files.moving.get_mut(guid).filter(|moving| moving.over) else { return };
        let (pages, browser) = (std::mem::take(&mut moving.pages), moving.browser.take());
        for (on, text, body_end) in pages {
            self.scope.sessions.admit(&on, text, body_end);
        }
        // The browser-level event is the last one of a download.
        let Some(params) = browser else { return };
        let to = self.files.moving.remove(guid).and_then(|moving| moving.to);
        self.files.end(guid);
        let Some(mut read) = JsonObject::read(&params) else { return };
        if let Some(to) = to.filter(|_| read.has("filePath")) {
            read.set_raw("filePath", quote(&to.to_string_lossy()));
        }
        let text = read.to_string();
        self.tell_download("Browser.downloadProgress", &text);
    }

    fn tell_download(&mut self, method: &str, params: &str) {
        let listeners: Vec<CdpSessionId> =
            self.scope.sessions.iter().filter(|(_, cdp)| cdp.download_events).map(|(id, _)| id.clone()).collect();
        for on in listeners {
            self.scope.event(&on, method, params);
        }
    }

    // ---- Files of the host that a client gives to a page.

    pub(super) fn check_files(&mut self, on: &CdpSessionId, command: &Command, paths: Vec<String>) {
        if self.granted.has(Capability::HostFiles) {
            return self.pass_with(on, command.id(), command.method(), command.params());
        }
        let pending =
            Pending::Files(on.clone(), command.id(), command.method().to_owned(), command.params().to_owned());
        let tag = self.expect(pending);
        self.actions.push(Action::CheckFiles(tag, self.files.directory.clone(), paths));
    }

    /// The files that a client named were checked. `inside` says whether all are in the session's directory, with links
    /// resolved.
    pub fn on_files(&mut self, tag: u64, inside: bool) {
        let Some(Pending::Files(on, id, method, params)) = self.settled(tag) else { return };
        if !self.scope.sessions.contains_key(&on) {
            return;
        }
        if inside {
            self.pass_with(&on, id, &method, &params);
        } else {
            let error = format!(
                "'{method}' is refused for files outside the session's directory: it needs the capability {}",
                Capability::HostFiles
            );
            self.refuse(&on, id, &CdpError::server(error));
        }
    }
}

/// What an event says of a download.
fn note_of(method: &str, guid: &str, read: &JsonObject<'_>) -> Option<DownloadNote> {
    let guid = guid.to_owned();
    if method == "Browser.downloadWillBegin" {
        let text = |name| read.string(name).unwrap_or_default();
        return Some(DownloadNote::Began { guid, url: text("url"), name: text("suggestedFilename") });
    }
    let received = bytes(read, "receivedBytes").unwrap_or(0);
    match read.get("state")? {
        "\"inProgress\"" => {
            // 0 means that it is not known.
            let size = bytes(read, "totalBytes").filter(|size| *size > 0);
            Some(DownloadNote::Progress { guid, received, size })
        }
        state => Some(DownloadNote::Ended { guid, received, is_whole: state == "\"completed\"" }),
    }
}

/// A number of bytes; Chrome writes it as a double.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn bytes(read: &JsonObject<'_>, name: &str) -> Option<u64> {
    Some(read.read_as::<f64>(name)? as u64)
}

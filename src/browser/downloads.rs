//! Finds the owner of each download. PURE except for one look at a directory.
//!
//! Chrome reports every download of every context, with URL and file name, to each browser-level
//! CDP session that enabled the events. So clients never enable them: one CDP session of the proxy
//! does, and each download is reported to its owner only, found by evidence. Events without a known
//! owner wait; an owner is never guessed.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::PathBuf,
    time::{Duration, Instant},
};

use super::mirror::LeaseId;
use crate::cdp::{ids::CdpSessionId, json_object::JsonObject};

/// The time after which events of a download without owner are dropped.
const PATIENCE: Duration = Duration::from_secs(10);
/// The number of downloads named by pages that are remembered until their browser-level event.
const NAMED: usize = 1024;

/// The action for an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Deliver to this lease.
    Deliver { lease: LeaseId, method: &'static str, params: String },
    /// Drop: it has no owner.
    Dropped,
    /// Ask which of these leases' pages contains this frame; the answer goes to [`Downloads::own`].
    Ask { guid: String, frame: String, leases: Vec<LeaseId> },
}

#[derive(Debug)]
struct Waiting {
    events: Vec<(&'static str, String)>,
    until: Instant,
}

/// The downloads of one browser.
#[derive(Debug)]
pub(super) struct Downloads {
    session: CdpSessionId,
    owners: HashMap<String, LeaseId>,
    /// Downloads that pages have just named: guid and lease.
    named: VecDeque<(String, LeaseId)>,
    waiting: HashMap<String, Waiting>,
    /// When waiting events are dropped, in this order, since all wait equally long. Entries that
    /// were already resolved may remain.
    given_up: VecDeque<(Instant, String)>,
    /// The directory of each lease's files, which are named by their guids.
    directories: HashMap<LeaseId, Vec<PathBuf>>,
    /// The leases with a client that has the events on: only their pages are asked.
    listening: HashSet<LeaseId>,
    verdicts: VecDeque<Verdict>,
}

impl Downloads {
    /// `session` is the proxy's CDP session on which the events are enabled.
    pub(super) fn new(session: CdpSessionId) -> Self {
        Self {
            session,
            owners: HashMap::new(),
            named: VecDeque::new(),
            waiting: HashMap::new(),
            given_up: VecDeque::new(),
            directories: HashMap::new(),
            listening: HashSet::new(),
            verdicts: VecDeque::new(),
        }
    }

    /// The CDP session on which the events are enabled.
    pub(super) fn session(&self) -> &CdpSessionId {
        &self.session
    }

    /// Whether the events are enabled on this CDP session.
    pub(super) fn is_on(&self, session: &str) -> bool {
        self.session.as_str() == session
    }

    /// Sets the directory of a lease's files.
    pub(super) fn directory(&mut self, lease: LeaseId, path: PathBuf) {
        let all = self.directories.entry(lease).or_default();
        if !all.contains(&path) {
            all.push(path);
        }
    }

    /// A client of this lease has enabled the events.
    pub(super) fn listen(&mut self, lease: LeaseId) {
        self.listening.insert(lease);
    }

    /// A page of this lease contains the frame that started the download.
    pub(super) fn own(&mut self, guid: &str, lease: LeaseId) {
        let Some(waiting) = self.waiting.remove(guid) else { return };
        self.forget_given_up();
        let mut over = false;
        for (method, params) in waiting.events {
            over |= read(&params).is_some_and(|(_, _, over)| over);
            self.verdicts.push_back(Verdict::Deliver { lease, method, params });
        }
        if !over {
            self.owners.insert(guid.to_owned(), lease);
        }
    }

    /// A lease has ended. Returns whether it had a directory.
    pub(super) fn release(&mut self, lease: LeaseId) -> bool {
        self.listening.remove(&lease);
        self.owners.retain(|_, owner| *owner != lease);
        self.named.retain(|(_, owner)| *owner != lease);
        self.directories.remove(&lease).is_some()
    }

    /// The next action.
    pub(super) fn poll_verdict(&mut self) -> Option<Verdict> {
        self.verdicts.pop_front()
    }

    /// When [`Downloads::on_timeout`] is to be called.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.given_up.front().map(|(until, _)| *until)
    }

    /// `Page.downloadWillBegin` on a CDP session of a lease; it comes just before the browser's
    /// event.
    pub(super) fn on_page_event(&mut self, lease: LeaseId, params: &str) {
        if let Some(guid) = JsonObject::read(params).and_then(|params| params.string("guid")) {
            if self.named.len() == NAMED {
                self.named.pop_front();
            }
            self.named.push_back((guid, lease));
        }
    }

    /// `Browser.downloadWillBegin` (`begin`) or `Browser.downloadProgress`. `owner` is the owner of
    /// the frame according to the mirror.
    pub(super) fn on_event(
        &mut self,
        begin: bool,
        params: String,
        owner: impl Fn(&str) -> Option<LeaseId>,
        now: Instant,
    ) {
        let method = if begin { "Browser.downloadWillBegin" } else { "Browser.downloadProgress" };
        let Some((guid, frame, over)) = read(&params) else {
            self.verdicts.push_back(Verdict::Dropped);
            return;
        };
        let found = self
            .owners
            .get(&guid)
            .copied()
            .or_else(|| frame.as_deref().and_then(&owner))
            .or_else(|| self.by_name(&guid))
            .or_else(|| self.by_file(&guid));
        let Some(lease) = found else {
            if begin && let Some(frame) = frame {
                let leases = self.listening.iter().copied().collect();
                self.verdicts.push_back(Verdict::Ask { guid: guid.clone(), frame, leases });
            }
            let until = now + PATIENCE;
            let waiting = self.waiting.entry(guid).or_insert_with_key(|guid| {
                self.given_up.push_back((until, guid.clone()));
                Waiting { events: Vec::new(), until }
            });
            waiting.events.push((method, params));
            return;
        };
        if let Some(waiting) = self.waiting.remove(&guid) {
            self.forget_given_up();
            for (method, params) in waiting.events {
                self.verdicts.push_back(Verdict::Deliver { lease, method, params });
            }
        }
        self.verdicts.push_back(Verdict::Deliver { lease, method, params });
        if over {
            self.owners.remove(&guid);
        } else {
            self.owners.insert(guid, lease);
        }
    }

    /// Drops events that had no owner for too long.
    pub(super) fn on_timeout(&mut self, now: Instant) {
        while self.given_up.front().is_some_and(|(until, _)| *until <= now) {
            let Some((_, guid)) = self.given_up.pop_front() else { return };
            let Some(waiting) = self.waiting.remove(&guid) else { continue };
            self.forget_given_up();
            // The file may exist by now.
            let owner = self.by_file(&guid);
            for (method, params) in waiting.events {
                self.verdicts.push_back(match owner {
                    Some(lease) => Verdict::Deliver { lease, method, params },
                    None => Verdict::Dropped,
                });
            }
        }
    }

    /// Removes resolved entries, so that the first entry is one that waits.
    fn forget_given_up(&mut self) {
        let waits = |(until, guid): &(Instant, String)| self.waiting.get(guid).is_some_and(|one| one.until == *until);
        while self.given_up.front().is_some_and(|first| !waits(first)) {
            self.given_up.pop_front();
        }
    }

    fn by_name(&mut self, guid: &str) -> Option<LeaseId> {
        let at = self.named.iter().position(|(name, _)| name == guid)?;
        self.named.remove(at).map(|(_, lease)| lease)
    }

    /// The file is in its owner's directory before the second progress event (*measured*).
    fn by_file(&self, guid: &str) -> Option<LeaseId> {
        // A guid of Chrome's is a valid file name; other text must not become a path.
        if !guid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return None;
        }
        let has = |path: &PathBuf| path.join(guid).exists() || path.join(format!("{guid}.crdownload")).exists();
        self.directories.iter().find(|(_, all)| all.iter().any(has)).map(|(lease, _)| *lease)
    }
}

/// The guid, the frame if there is one, and whether it is the last event of its download.
fn read(params: &str) -> Option<(String, Option<String>, bool)> {
    let params = JsonObject::read(params)?;
    let over = matches!(params.get("state"), Some("\"completed\"" | "\"canceled\""));
    Some((params.string("guid")?, params.string("frameId"), over))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = r#"{"frameId":"F","guid":"g-1","url":"http://a/","suggestedFilename":"x"}"#;
    const PROGRESS: &str = r#"{"guid":"g-1","totalBytes":1,"receivedBytes":1,"state":"inProgress"}"#;
    const DONE: &str = r#"{"guid":"g-1","totalBytes":1,"receivedBytes":1,"state":"completed"}"#;

    fn events(downloads: &mut Downloads, owner: impl Fn(&str) -> Option<LeaseId> + Copy, now: Instant) {
        downloads.on_event(true, BEGIN.into(), owner, now);
        downloads.on_event(false, PROGRESS.into(), owner, now);
        downloads.on_event(false, DONE.into(), owner, now);
    }

    fn delivered(downloads: &mut Downloads) -> Vec<Option<u64>> {
        let lease = |verdict| match verdict {
            Verdict::Deliver { lease, .. } => Some(Some(lease.0)),
            Verdict::Dropped => Some(None),
            Verdict::Ask { .. } => None,
        };
        std::iter::from_fn(|| downloads.poll_verdict()).filter_map(lease).collect()
    }

    #[test]
    fn frame_target_identifies_the_owner() {
        let mut downloads = Downloads::new("S".into());
        events(&mut downloads, |frame| (frame == "F").then_some(LeaseId(7)), Instant::now());
        assert_eq!(delivered(&mut downloads), [Some(7); 3]);
        assert!(downloads.owners.is_empty());
    }

    #[test]
    fn page_event_identifies_the_owner() {
        let mut downloads = Downloads::new("S".into());
        downloads.on_page_event(LeaseId(3), BEGIN);
        events(&mut downloads, |_| None, Instant::now());
        assert_eq!(delivered(&mut downloads), [Some(3); 3]);
    }

    #[test]
    fn download_directory_identifies_the_owner_of_waiting_events() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut downloads = Downloads::new("S".into());
        downloads.directory(LeaseId(4), directory.path().to_owned());
        downloads.on_event(true, BEGIN.into(), |_| None, Instant::now());
        assert_eq!(delivered(&mut downloads), []);
        std::fs::write(directory.path().join("g-1.crdownload"), "x").expect("a file");
        downloads.on_event(false, PROGRESS.into(), |_| None, Instant::now());
        assert_eq!(delivered(&mut downloads), [Some(4), Some(4)]);
    }

    #[test]
    fn events_without_owner_expire_and_are_not_guessed() {
        let mut downloads = Downloads::new("S".into());
        downloads.directory(LeaseId(4), "/nowhere".into());
        let now = Instant::now();
        events(&mut downloads, |_| None, now);
        assert_eq!(delivered(&mut downloads), []);
        assert_eq!(downloads.next_timeout(), Some(now + PATIENCE));
        downloads.on_timeout(now + PATIENCE);
        assert_eq!(delivered(&mut downloads), [None; 3]);
    }

    #[test]
    fn pages_of_listening_sessions_are_asked_without_evidence() {
        let mut downloads = Downloads::new("S".into());
        downloads.listen(LeaseId(5));
        downloads.on_event(true, BEGIN.into(), |_| None, Instant::now());
        let asked = Verdict::Ask { guid: "g-1".into(), frame: "F".into(), leases: vec![LeaseId(5)] };
        assert_eq!(downloads.poll_verdict(), Some(asked));
        downloads.on_event(false, DONE.into(), |_| None, Instant::now());
        downloads.own("g-1", LeaseId(5));
        assert_eq!(delivered(&mut downloads), [Some(5), Some(5)]);
        assert!(downloads.owners.is_empty() && downloads.waiting.is_empty());
    }
}

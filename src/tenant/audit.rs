//! The audit log: one JSON object per line for each decision that matters. It never makes a request wait: a thread writes,
//! and what does not fit into its queue is counted.

use std::{
    collections::HashMap,
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    net::{IpAddr, Ipv6Addr},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{Access, Denied, Tenant};
use crate::{api_types::Owner, config::AuditSettings, metrics::Metrics};

/// Most events that wait to be written.
const QUEUE: usize = 10_000;
/// How often refused sources are written, and a file that cannot be written is tried again.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long refused requests of a source are counted before they are written.
const DENIED_EVERY: Duration = Duration::from_secs(60);
/// Most sources that are counted apart.
const SOURCES: usize = 10_000;

/// A decision.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Event {
    /// When, in RFC 3339.
    at: String,
    /// What was decided, one word of a fixed list.
    #[serde(rename = "event")]
    name: &'static str,
    /// The tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// The number of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// The address from which the request came.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// The operation, or the object of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<String>,
    /// The reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// How many requests this line stands for, if several.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

impl Event {
    /// A decision now.
    pub fn new(name: &'static str) -> Self {
        Self { at: Timestamp::now().to_string(), name, ..Self::default() }
    }

    /// About this tenant.
    #[must_use]
    pub fn of(self, tenant: &Tenant) -> Self {
        self.owner(tenant.owner())
    }

    /// About the tenant of this name.
    #[must_use]
    pub fn owner(self, owner: &Owner) -> Self {
        Self { tenant: Some(owner.to_string()), ..self }
    }

    /// For a caller with this access.
    #[must_use]
    pub fn by(self, access: &Access) -> Self {
        let token = access.token.as_ref().map(|token| token.number().to_string());
        Self { token, source: access.from, ..self }
    }

    /// About this session.
    #[must_use]
    pub fn session(self, id: &str) -> Self {
        Self { session: Some(short(id)), ..self }
    }

    /// With this operation or object.
    #[must_use]
    pub fn what(self, what: impl Into<String>) -> Self {
        Self { what: Some(short(&what.into())), ..self }
    }

    /// For this reason.
    #[must_use]
    pub fn why(self, why: &(impl fmt::Display + ?Sized)) -> Self {
        Self { why: Some(short(&why.to_string())), ..self }
    }
}

/// What a client chose may be long.
fn short(text: &str) -> String {
    text.chars().take(300).collect()
}

/// The audit log; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Audit(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    to: SyncSender<Item>,
    is_required: bool,
    is_failing: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
enum Item {
    Event(Box<Event>),
    Denied(IpAddr, &'static str),
}

impl Audit {
    /// A log in a file, written by a thread of its own.
    pub fn open(settings: &AuditSettings, metrics: Arc<Metrics>) -> io::Result<Self> {
        let (to, from) = sync_channel(QUEUE);
        let is_failing = Arc::new(AtomicBool::new(false));
        let log = Log::open(settings)?;
        let writer = Writer { log, is_failing: is_failing.clone(), metrics: metrics.clone(), denied: HashMap::new() };
        thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(&from))?;
        Ok(Self(Some(Arc::new(Inner { to, is_required: settings.is_required, is_failing, metrics }))))
    }

    /// Writes a decision.
    pub fn write(&self, event: Event) {
        self.send(Item::Event(Box::new(event)));
    }

    /// Counts a request that was refused at the door. The first of a source is written at once, the others of a minute
    /// together.
    pub fn denied(&self, from: IpAddr, why: &Denied) {
        self.send(Item::Denied(source(from), why.why()));
    }

    fn send(&self, item: Item) {
        let Some(inner) = &self.0 else { return };
        if inner.to.try_send(item).is_err() {
            inner.metrics.audit_lost.inc();
            inner.is_failing.store(true, Ordering::Release);
        }
    }

    /// Whether no session may begin, because its begin could not be recorded.
    pub fn must_refuse(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.is_required && inner.is_failing.load(Ordering::Acquire))
    }
}

/// The source under which refused requests are counted: an IPv6 network is one.
fn source(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// The refused requests of a source since the last line about it.
#[derive(Debug)]
struct Refused {
    since: Instant,
    count: u64,
    why: &'static str,
}

struct Writer {
    log: Log,
    is_failing: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
    denied: HashMap<IpAddr, Refused>,
}

impl Writer {
    fn run(mut self, from: &Receiver<Item>) {
        let mut next = Instant::now() + INTERVAL;
        loop {
            match from.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Item::Event(event)) => self.write(&event),
                Ok(Item::Denied(from, why)) => self.on_denied(from, why, Instant::now()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.tell_denied(Instant::now() + DENIED_EVERY);
                    return;
                }
            }
            let now = Instant::now();
            if now >= next {
                next = now + INTERVAL;
                self.tell_denied(now);
                if self.is_failing.load(Ordering::Acquire) && self.log.recover().is_ok() {
                    self.set_failing(None);
                }
            }
        }
    }

    fn on_denied(&mut self, from: IpAddr, why: &'static str, now: Instant) {
        if let Some(refused) = self.denied.get_mut(&from) {
            refused.count += 1;
            return;
        }
        if self.denied.len() >= SOURCES {
            self.metrics.audit_lost.inc();
            return;
        }
        self.denied.insert(from, Refused { since: now, count: 0, why });
        self.write(&Event { source: Some(from), ..Event::new("denied").why(why) });
    }

    /// Writes how many further requests of each source were refused in the last minute.
    fn tell_denied(&mut self, now: Instant) {
        let is_due = |_: &IpAddr, refused: &mut Refused| now.duration_since(refused.since) >= DENIED_EVERY;
        let due: Vec<_> = self.denied.extract_if(is_due).filter(|(_, refused)| refused.count > 0).collect();
        for (from, Refused { count, why, .. }) in due {
            self.write(&Event { source: Some(from), count: Some(count), ..Event::new("denied").why(why) });
        }
    }

    fn write(&mut self, event: &Event) {
        // Every event can be serialised.
        let mut line = serde_json::to_vec(event).unwrap_or_default();
        line.push(b'\n');
        let written = self.log.write(&line).or_else(|_| self.log.reopen().and_then(|()| self.log.write(&line)));
        if written.is_err() {
            self.metrics.audit_lost.inc();
        }
        self.set_failing(written.err());
    }

    fn set_failing(&self, error: Option<io::Error>) {
        self.metrics.audit_failing.set(i64::from(error.is_some()));
        let was = self.is_failing.swap(error.is_some(), Ordering::AcqRel);
        match error {
            Some(error) if !was => {
                tracing::error!(file = %self.log.path.display(), %error, "the audit log cannot be written");
            }
            None if was => tracing::info!(file = %self.log.path.display(), "the audit log is written again"),
            _ => {}
        }
    }
}

/// The file, and the older ones beside it: `audit.log.1` is the youngest of these.
struct Log {
    path: PathBuf,
    most: u64,
    files: u32,
    file: File,
    size: u64,
}

impl Log {
    fn open(settings: &AuditSettings) -> io::Result<Self> {
        let file = append(&settings.path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: settings.path.clone(), most: settings.size, files: settings.files, file, size })
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = append(&self.path)?;
        self.size = self.file.metadata()?.len();
        Ok(())
    }

    /// Opens the file again, and makes room in it.
    fn recover(&mut self) -> io::Result<()> {
        self.reopen()?;
        if self.size >= self.most { self.rotate() } else { Ok(()) }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 > self.most {
            self.rotate()?;
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.files).rev() {
            match std::fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.path, numbered(1))?;
        self.reopen()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn settings(directory: &Path) -> AuditSettings {
        AuditSettings { path: directory.join("audit.log"), is_required: true, size: 1 << 20, files: 2 }
    }

    /// The lines that are in the file, once there are as many.
    fn lines(path: &Path, count: usize) -> Vec<Value> {
        let since = Instant::now();
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            if lines.len() >= count || since.elapsed() > Duration::from_secs(10) {
                return lines;
            }
            thread::yield_now();
        }
    }

    #[test]
    fn decisions_are_lines_of_json() {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = settings(directory.path());
        let audit = Audit::open(&settings, Arc::default()).expect("opened");
        audit.write(Event::new("session-opened").session("s\n1").why(&"x".repeat(1000)));
        let lines = lines(&settings.path, 1);
        assert_eq!((&lines[0]["event"], &lines[0]["session"]), (&"session-opened".into(), &"s\n1".into()));
        assert_eq!(lines[0]["why"].as_str().map(str::len), Some(300));
        assert!(lines[0]["at"].as_str().is_some_and(|at| at.ends_with('Z')) && lines[0].get("count").is_none());
    }

    #[test]
    fn refused_requests_of_a_source_are_counted() {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = settings(directory.path());
        let audit = Audit::open(&settings, Arc::default()).expect("opened");
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().expect("one"), "2001:db8::7".parse().expect("other"));
        for _ in 0..100 {
            audit.denied(one, &Denied::Unknown);
        }
        audit.denied(other, &Denied::Missing);
        // Dropping it writes what was counted.
        drop(audit);
        let lines = lines(&settings.path, 3);
        let of = |source: &str| lines.iter().filter(|line| line["source"] == source).collect::<Vec<_>>();
        let counted = of("192.0.2.1");
        assert_eq!((counted.len(), counted[0].get("count"), &counted[1]["count"]), (2, None, &99.into()), "{lines:?}");
        assert_eq!(of("2001:db8::").len(), 1, "{lines:?}");
    }

    #[test]
    fn full_files_are_rotated_and_the_oldest_is_dropped() {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = AuditSettings { size: 100, ..settings(directory.path()) };
        let mut log = Log::open(&settings).expect("opened");
        for number in 0..5_u8 {
            log.write(&[b'0' + number; 80]).expect("written");
        }
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect(name);
        assert_eq!((&read("audit.log")[..1], &read("audit.log.1")[..1], &read("audit.log.2")[..1]), ("4", "3", "2"));
        assert!(!directory.path().join("audit.log.3").exists());
    }

    #[test]
    fn a_log_that_cannot_be_written_is_noticed_and_tried_again() {
        let directory = tempfile::tempdir().expect("a directory");
        // The rotation fails while a directory is in its way.
        let settings = AuditSettings { size: 10, files: 1, ..settings(directory.path()) };
        let blocked = directory.path().join("audit.log.1");
        std::fs::create_dir_all(blocked.join("x")).expect("made");
        let metrics = Arc::new(Metrics::default());
        let audit = Audit::open(&settings, metrics.clone()).expect("opened");
        audit.write(Event::new("one"));
        audit.write(Event::new("two"));
        let until = |is_failing: bool| {
            let since = Instant::now();
            while audit.must_refuse() != is_failing && since.elapsed() < Duration::from_secs(10) {
                thread::yield_now();
            }
            audit.must_refuse()
        };
        assert!(until(true), "it is required, and cannot be written");
        assert_eq!(metrics.audit_lost.get(), 1);
        std::fs::remove_dir_all(&blocked).expect("removed");
        assert!(!until(false), "it can be written again");
    }
}

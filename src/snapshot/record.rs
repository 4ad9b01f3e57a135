//! The content of a snapshot: one JSON record a line, so that any size is written and read with little memory.
//!
//! The first record is the [`Header`], the last the [`Trailer`]; what is between belongs to the context, the storage key
//! and the database named last. `docs/snapshot-content.md` is the reference. Strings that a page chose stay raw JSON:
//! JavaScript's may hold what is no Unicode.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The version this program writes; it reads it and every older one.
pub const VERSION: u32 = 1;
/// Longest line that is read, in bytes: no record of ours is longer, and a hostile file must not fill the memory.
pub const LONGEST: u64 = 256 * 1024 * 1024;

/// A piece of JSON as Chrome or a page wrote it.
pub type Raw = Box<RawValue>;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Record {
    /// What this is; the first.
    Header(Header),
    /// A context begins; the first one is the session's default.
    Context(Context),
    /// Cookies of this context.
    Cookies(Vec<Cookie>),
    /// A storage key of this context begins.
    Storage(Storage),
    /// Items of this storage key's localStorage: `[key, value]`, both JSON strings.
    LocalStorage(Vec<(Raw, Raw)>),
    /// A database of this storage key begins.
    Database(Database),
    /// Rows of this database.
    Rows(Rows),
    /// An open page of this context.
    Page(Box<Page>),
    /// Something that could not be carried.
    Lost(Lost),
    /// How much there was; the last.
    End(Trailer),
}

/// What a snapshot is of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The content's version.
    pub version: u32,
    /// The browser's product, for example `HeadlessChrome/156.0.8078.79`; empty for an import.
    pub browser: String,
}

/// A context.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// Whether a client made it; otherwise it is the session's default.
    pub made_by_client: bool,
}

/// A cookie with every attribute that Chrome tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Host, or with a dot in front a domain.
    pub domain: String,
    /// Its path.
    pub path: String,
    /// Seconds since the epoch; absent for one that ends with the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<f64>,
    /// Hidden from scripts.
    #[serde(default)]
    pub http_only: bool,
    /// For secure connections only.
    #[serde(default)]
    pub secure: bool,
    /// `Strict`, `Lax` or `None`; absent if the site did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_site: Option<String>,
    /// `Low`, `Medium` or `High`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// `Unset`, `NonSecure` or `Secure`: how it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_scheme: Option<String>,
    /// The port of the server that set it; -1 if Chrome does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<i32>,
    /// The partition of a `Partitioned` cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<PartitionKey>,
}

/// CDP's `Network.CookiePartitionKey`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionKey {
    /// The site of the top-level page.
    pub top_level_site: String,
    /// Whether a frame of another site was between.
    pub has_cross_site_ancestor: bool,
}

/// A storage key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// As Chrome spells it: `https://a.test/`, or with its partition `https://a.test/^0https://top.test`.
    pub key: String,
}

/// A database of `IndexedDB`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Its name, a JSON string.
    pub name: Raw,
    /// Its version.
    pub version: u64,
    /// Its object stores.
    pub stores: Vec<Store>,
}

/// An object store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Store {
    /// Its name, a JSON string.
    pub name: Raw,
    /// A JSON string, an array of them, or null.
    pub key_path: Raw,
    /// Whether it makes keys itself.
    pub auto_increment: bool,
    /// The next key it will make; absent if it makes none or Chrome did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<f64>,
    /// Its indexes.
    pub indexes: Vec<Index>,
}

/// An index.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Its name, a JSON string.
    pub name: Raw,
    /// A JSON string or an array of them.
    pub key_path: Raw,
    /// Whether a key may stand only once.
    pub unique: bool,
    /// Whether an array gives a key for each of its items.
    pub multi_entry: bool,
}

/// Rows of an object store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rows {
    /// The store's place in [`Database::stores`].
    pub store: usize,
    /// Key and value in the encoding of `docs/snapshot-content.md`.
    pub rows: Vec<(Raw, Raw)>,
}

/// An open page.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Where it was.
    pub url: String,
    /// Its title, a JSON string.
    pub title: Raw,
    /// Its session history, the oldest first; empty if it is not known.
    #[serde(default)]
    pub history: Vec<Entry>,
    /// The place of the current entry.
    #[serde(default)]
    pub current: usize,
    /// How far it was scrolled, in CSS pixels.
    #[serde(default)]
    pub scroll: (f64, f64),
    /// The page that opened it, by its place among this context's pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opener: Option<usize>,
    /// Whether it was in front.
    #[serde(default)]
    pub front: bool,
    /// Its sessionStorage.
    #[serde(default)]
    pub session_storage: Vec<SessionStorage>,
    /// What stood in its form fields, if that was asked for.
    #[serde(default)]
    pub fields: Vec<Field>,
}

/// An entry of a page's session history.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its URL.
    pub url: String,
    /// Its title, a JSON string.
    pub title: Raw,
}

/// A page's sessionStorage of one storage key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionStorage {
    /// As Chrome spells it.
    pub key: String,
    /// `[key, value]`, both JSON strings.
    pub items: Vec<(Raw, Raw)>,
}

/// A form field of a page's own document that is not as the site sent it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// Which of the document's fields, in tree order, counted from 0.
    pub number: usize,
    /// Its element's name in capitals, to tell whether the page is still the same.
    pub tag: String,
    /// Its text, a JSON string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Raw>,
    /// Whether it is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<bool>,
    /// Whether it, an option, is selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<bool>,
}

/// Something that could not be carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// What it is: `cookie`, `localStorage`, `database`, `row`, `page`, …
    pub what: String,
    /// Where it is: a storage key, a URL, a database's name.
    pub place: String,
    /// Why it could not be carried.
    pub why: String,
}

/// How much a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Contexts.
    pub contexts: u64,
    /// Cookies.
    pub cookies: u64,
    /// Storage keys that hold anything.
    pub origins: u64,
    /// Items of localStorage.
    pub local_storage: u64,
    /// Items of sessionStorage.
    pub session_storage: u64,
    /// Databases.
    pub databases: u64,
    /// Rows in their stores.
    pub rows: u64,
    /// Open pages.
    pub pages: u64,
    /// Bytes of all records.
    pub bytes: u64,
}

impl Counts {
    fn add(&mut self, record: &Record) {
        let count = |length: usize| length as u64;
        match record {
            Record::Context(_) => self.contexts += 1,
            Record::Cookies(cookies) => self.cookies += count(cookies.len()),
            Record::Storage(_) => self.origins += 1,
            Record::LocalStorage(items) => self.local_storage += count(items.len()),
            Record::Database(_) => self.databases += 1,
            Record::Rows(rows) => self.rows += count(rows.rows.len()),
            Record::Page(page) => {
                self.pages += 1;
                self.session_storage += page.session_storage.iter().map(|area| count(area.items.len())).sum::<u64>();
            }
            Record::Header(_) | Record::Lost(_) | Record::End(_) => {}
        }
    }
}

/// The end of a snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trailer {
    /// How much came before it; less is a snapshot that was cut.
    pub counts: Counts,
    /// False if a deadline ended the capture: what had not been read by then is among what was lost.
    pub complete: bool,
}

/// Why content could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// Reading failed.
    #[error("the snapshot cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It was written by a newer program.
    #[error("the snapshot is of version {0}, this program reads up to {VERSION}: use a newer ghostmux")]
    Newer(u32),
    /// It is something else.
    #[error("line {line} is no record of a snapshot: {why}")]
    Shape {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// It ends too early.
    #[error("the snapshot ends after line {0}, before its end record: it was cut off")]
    Cut(u64),
}

/// Writes records.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    counts: Counts,
    line: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Begins a snapshot.
    pub async fn new(to: W, browser: &str) -> std::io::Result<Self> {
        let mut writer = Self { to, counts: Counts::default(), line: Vec::new() };
        writer.write(&Record::Header(Header { version: VERSION, browser: browser.to_owned() })).await?;
        Ok(writer)
    }

    /// Writes the next record.
    pub async fn write(&mut self, record: &Record) -> std::io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)?;
        // Raw JSON may have been written over several lines; inside a text a line's end is escaped.
        for byte in self.line.iter_mut().filter(|byte| **byte == b'\n') {
            *byte = b' ';
        }
        self.line.push(b'\n');
        self.counts.add(record);
        self.counts.bytes += self.line.len() as u64;
        self.to.write_all(&self.line).await?;
        // One huge record must not keep its memory to the end.
        self.line.shrink_to(1024 * 1024);
        Ok(())
    }

    /// Writes the end.
    pub async fn end(mut self, complete: bool) -> std::io::Result<Counts> {
        let counts = self.counts.clone();
        self.write(&Record::End(Trailer { counts: counts.clone(), complete })).await?;
        self.to.flush().await?;
        Ok(counts)
    }
}

#[derive(Deserialize)]
struct Begin {
    header: Version,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Reads records, and checks that they are in order.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    header: Header,
    counts: Counts,
    lines: u64,
    text: String,
    last: Option<Trailer>,
}

impl<R: AsyncBufRead + Unpin> Reader<R> {
    /// Reads the header.
    pub async fn new(from: R) -> Result<Self, ContentError> {
        let header = Header { version: 0, browser: String::new() };
        let mut reader = Self { from, header, counts: Counts::default(), lines: 0, text: String::new(), last: None };
        if !reader.line().await? {
            return Err(ContentError::Cut(0));
        }
        // The version first: a newer header may have any other shape.
        let begin: Begin = reader.parse()?;
        if begin.header.version > VERSION {
            return Err(ContentError::Newer(begin.header.version));
        }
        match reader.parse()? {
            Record::Header(header) if header.version > 0 => reader.header = header,
            _ => return Err(reader.shape("it has no version")),
        }
        Ok(reader)
    }

    /// What it is of.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How much came so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The end record, once it was reached.
    pub fn trailer(&self) -> Option<&Trailer> {
        self.last.as_ref()
    }

    /// The next record; `None` behind the last one.
    pub async fn next(&mut self) -> Result<Option<Record>, ContentError> {
        if self.last.is_some() {
            return Ok(None);
        }
        if !self.line().await? {
            return Err(ContentError::Cut(self.lines));
        }
        let record: Record = self.parse()?;
        match &record {
            Record::Header(_) => return Err(self.shape("a second header")),
            Record::End(trailer) => {
                if trailer.counts != self.counts {
                    return Err(self.shape("something is missing before it"));
                }
                self.last = Some(trailer.clone());
                return Ok(None);
            }
            Record::Context(_) | Record::Lost(_) => {}
            _ if self.counts.contexts == 0 => return Err(self.shape("it belongs to no context")),
            Record::LocalStorage(_) | Record::Database(_) if self.counts.origins == 0 => {
                return Err(self.shape("it belongs to no storage key"));
            }
            Record::Rows(_) if self.counts.databases == 0 => return Err(self.shape("it belongs to no database")),
            _ => {}
        }
        self.counts.add(&record);
        self.counts.bytes += self.text.len() as u64;
        self.text.shrink_to(1024 * 1024);
        Ok(Some(record))
    }

    async fn line(&mut self) -> Result<bool, ContentError> {
        self.text.clear();
        let read = (&mut self.from).take(LONGEST).read_line(&mut self.text).await?;
        self.lines += 1;
        if read > 0 && !self.text.ends_with('\n') {
            return Err(if read as u64 >= LONGEST {
                self.shape("it is too long")
            } else {
                ContentError::Cut(self.lines)
            });
        }
        if self.lines == 1 {
            self.counts.bytes += read as u64;
        }
        Ok(read > 0)
    }

    fn parse<T: for<'de> Deserialize<'de>>(&self) -> Result<T, ContentError> {
        serde_json::from_str(&self.text).map_err(|error| self.shape(&error.to_string()))
    }

    fn shape(&self, why: &str) -> ContentError {
        ContentError::Shape { line: self.lines, why: why.to_owned() }
    }
}

/// Reads a whole snapshot and keeps nothing of it: whether it is sound from beginning to end.
pub async fn check<R: AsyncBufRead + Unpin>(from: R) -> Result<Trailer, ContentError> {
    let mut reader = Reader::new(from).await?;
    while reader.next().await?.is_some() {}
    reader.trailer().cloned().ok_or(ContentError::Cut(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn written(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, "Chrome/1").await.expect("written");
        for record in records {
            writer.write(record).await.expect("written");
        }
        writer.end(true).await.expect("written");
        bytes
    }

    fn raw(json: &str) -> Raw {
        RawValue::from_string(json.to_owned()).expect("JSON")
    }

    async fn sample() -> Vec<u8> {
        let items = vec![(raw(r#""\ud800""#), raw(r#""v""#))];
        written(&[
            Record::Context(Context::default()),
            Record::Storage(Storage { key: "https://a.test/".to_owned() }),
            Record::LocalStorage(items),
        ])
        .await
    }

    #[tokio::test]
    async fn what_was_written_is_read() {
        let bytes = sample().await;
        let mut reader = Reader::new(bytes.as_slice()).await.expect("a snapshot");
        let mut read = Vec::new();
        while let Some(record) = reader.next().await.expect("a record") {
            read.push(serde_json::to_string(&record).expect("JSON"));
        }
        assert_eq!(
            read,
            [
                r#"{"context":{"madeByClient":false}}"#,
                r#"{"storage":{"key":"https://a.test/"}}"#,
                r#"{"localStorage":[["\ud800","v"]]}"#
            ]
        );
        let counts = &reader.trailer().expect("the end").counts;
        assert_eq!((counts.origins, counts.local_storage), (1, 1));
    }

    #[tokio::test]
    async fn a_snapshot_that_lacks_its_end_is_none_wherever_it_is_cut() {
        let bytes = sample().await;
        for end in 0..bytes.len() {
            assert!(check(&bytes[..end]).await.is_err(), "cut at {end}");
        }
        assert!(check(bytes.as_slice()).await.expect("whole").complete);
    }

    #[tokio::test]
    async fn a_line_that_was_taken_out_is_missed() {
        let text = String::from_utf8(sample().await).expect("text");
        for line in 1..4 {
            let lines: Vec<&str> =
                text.lines().enumerate().filter(|(at, _)| *at != line).map(|(_, line)| line).collect();
            let cut = format!("{}\n", lines.join("\n"));
            let error = check(cut.as_bytes()).await.expect_err("a line is missing");
            assert!(matches!(error, ContentError::Shape { .. }), "{line}: {error}");
        }
    }

    #[tokio::test]
    async fn a_newer_version_is_refused_by_name() {
        let newer = r#"{"header":{"version":2,"something":"else"}}"#.to_owned() + "\n";
        let error = check(newer.as_bytes()).await.expect_err("newer");
        assert!(error.to_string().contains("version 2"), "{error}");
        for other in
            ["", "[]\n", "{}\n", "{\"header\":{}}\n", "{\"header\":{\"version\":0,\"browser\":\"\"}}\n", "\u{0}\n"]
        {
            assert!(check(other.as_bytes()).await.is_err(), "{other}");
        }
    }
}

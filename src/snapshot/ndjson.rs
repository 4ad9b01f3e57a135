//! Writes and reads records as lines of text, one by one, so that memory does not grow with the size.

use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::record::{Counts, Header, Record, Trailer, VERSION};
use crate::runtime;

/// Longest line, in bytes, of content in the store: no record of ghostmux is longer. Imported content has a lower
/// limit, checked before it is stored.
const LONGEST: usize = 256 * 1024 * 1024;

/// Why content could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// Reading failed.
    #[error("the snapshot cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// A newer program wrote it.
    #[error("the snapshot has version {0}, and this ghostmux reads up to {VERSION}; use a newer one")]
    Newer(u32),
    /// A line is not a valid record.
    #[error("line {line} is not a record of a snapshot: {why}")]
    Shape {
        /// Number of the line, from 1.
        line: u64,
        /// The problem.
        why: String,
    },
    /// A line exceeds the limit.
    #[error("line {line} is longer than {most} bytes, the most that snapshot_line allows")]
    TooLong {
        /// Number of the line, from 1.
        line: u64,
        /// The limit, in bytes.
        most: usize,
    },
    /// The content ends before its end record.
    #[error("the snapshot ends after line {0}, before its end record; it was cut off")]
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
    /// Starts a snapshot and writes its header.
    pub async fn new(to: W, browser: &str) -> std::io::Result<Self> {
        let mut writer = Self { to, counts: Counts::default(), line: Vec::new() };
        writer.write(&Record::Header(Header { version: VERSION, browser: browser.to_owned() })).await?;
        Ok(writer)
    }

    /// Writes the next record.
    pub async fn write(&mut self, record: &Record) -> std::io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)?;
        // Raw JSON may contain line breaks between tokens; inside a string they are escaped.
        for byte in self.line.iter_mut().filter(|byte| **byte == b'\n') {
            *byte = b' ';
        }
        self.line.push(b'\n');
        self.counts.add(record);
        self.counts.bytes += self.line.len() as u64;
        self.to.write_all(&self.line).await?;
        // A huge record must not keep its memory until the end.
        self.line.shrink_to(1024 * 1024);
        Ok(())
    }

    /// Writes the end record.
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

/// Reads records, and checks their order.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    header: Header,
    counts: Counts,
    longest: usize,
    lines: u64,
    text: String,
    last: Option<Trailer>,
}

impl<R: AsyncBufRead + Unpin> Reader<R> {
    /// Reads the header of stored content.
    pub async fn new(from: R) -> Result<Self, ContentError> {
        Self::limited(from, LONGEST).await
    }

    /// Like [`Reader::new`]; no line may have more than `longest` bytes.
    pub async fn limited(from: R, longest: usize) -> Result<Self, ContentError> {
        let (header, counts) = (Header { version: 0, browser: String::new() }, Counts::default());
        let mut reader = Self { from, header, counts, longest, lines: 0, text: String::new(), last: None };
        if !reader.line().await? {
            return Err(ContentError::Cut(0));
        }
        // The version first: a newer header may have another shape.
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

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Counts of the records so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The end record, once it was read.
    pub fn trailer(&self) -> Option<&Trailer> {
        self.last.as_ref()
    }

    /// The next record; `None` after the last one.
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
                    return Err(self.shape("records are missing before it"));
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
        // One byte more shows whether the line continues.
        let read = (&mut self.from).take(self.longest as u64 + 1).read_line(&mut self.text).await?;
        self.lines += 1;
        if read > self.longest {
            return Err(ContentError::TooLong { line: self.lines, most: self.longest });
        }
        if read > 0 && !self.text.ends_with('\n') {
            return Err(ContentError::Cut(self.lines));
        }
        if self.lines == 1 {
            self.counts.bytes += read as u64;
        }
        Ok(read > 0)
    }

    fn parse<T: for<'de> Deserialize<'de>>(&self) -> Result<T, ContentError> {
        runtime::aside(self.text.len(), || {
            serde_json::from_str(&self.text).map_err(|_| place_of_error::<T>(&self.text))
        })
        .map_err(|why| self.shape(&why))
    }

    fn shape(&self, why: &str) -> ContentError {
        ContentError::Shape { line: self.lines, why: why.to_owned() }
    }
}

/// Why a line cannot be read, with the member that is wrong. Reading with this is slower, so it is done only for a line
/// that is refused.
fn place_of_error<T: for<'de> Deserialize<'de>>(line: &str) -> String {
    let mut reader = serde_json::Deserializer::from_str(line);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) if error.path().iter().next().is_some() => error.to_string(),
        Err(error) => error.inner().to_string(),
        Ok(_) => "there is more after the object".to_owned(),
    }
}

/// Reads a whole snapshot without keeping it, to check that it is valid from beginning to end.
pub async fn check<R: AsyncBufRead + Unpin>(from: R) -> Result<Trailer, ContentError> {
    check_within(from, LONGEST).await
}

/// Like [`check`]; also checks that no line has more than `longest` bytes.
pub async fn check_within<R: AsyncBufRead + Unpin>(from: R, longest: usize) -> Result<Trailer, ContentError> {
    let mut reader = Reader::limited(from, longest).await?;
    let mut before = 0;
    while let Some(record) = reader.next().await? {
        let size = usize::try_from(reader.counts.bytes - before).unwrap_or(usize::MAX);
        before = reader.counts.bytes;
        // Freeing a million small pieces takes as long as reading them.
        runtime::aside(size, || drop(record));
    }
    reader.trailer().cloned().ok_or(ContentError::Cut(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cdp::json_string::JsonString,
        snapshot::record::{Context, Storage},
    };

    async fn written(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, "Chrome/1").await.expect("written");
        for record in records {
            writer.write(record).await.expect("written");
        }
        writer.end(true).await.expect("written");
        bytes
    }

    fn raw(json: &str) -> JsonString {
        serde_json::from_str(json).expect("a JSON string")
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
    async fn written_lines_are_read_back() {
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
    async fn truncated_snapshots_are_refused() {
        let bytes = sample().await;
        for end in 0..bytes.len() {
            assert!(check(&bytes[..end]).await.is_err(), "cut at {end}");
        }
        assert!(check(bytes.as_slice()).await.expect("whole").complete);
    }

    #[tokio::test]
    async fn removed_lines_are_detected() {
        let text = String::from_utf8(sample().await).expect("text");
        for line in 1..4 {
            let lines: Vec<&str> =
                text.lines().enumerate().filter(|(at, _)| *at != line).map(|(_, line)| line).collect();
            let cut = format!("{}\n", lines.join("\n"));
            let error = check(cut.as_bytes()).await.expect_err("a line is missing");
            assert!(matches!(error, ContentError::Shape { .. }), "{line}: {error}");
        }
    }

    /// A page's strings stay raw JSON, so that each could be any JSON.
    #[tokio::test]
    async fn names_that_are_no_strings_are_refused_by_line_and_member() {
        let header = r#"{"header":{"version":1,"browser":""}}"#;
        let context = r#"{"context":{"madeByClient":false}}"#;
        let storage = r#"{"storage":{"key":"https://a.test/"}}"#;
        for (line, member) in [
            (r#"{"localStorage":[["a","1"],[5,"v"]]}"#, "localStorage[1][0]: it is a number"),
            (r#"{"localStorage":[["a",{"b":1}]]}"#, "localStorage[0][1]: it is an object"),
            (r#"{"database":{"name":null,"version":1,"stores":[]}}"#, "database.name: it is null"),
            (
                r#"{"database":{"name":"d","version":1,"stores":[
                    {"name":["s"],"keyPath":null,"autoIncrement":false,"indexes":[]}]}}"#,
                "database.stores[0].name: it is a list",
            ),
            (
                r#"{"database":{"name":"d","version":1,"stores":[{"name":"s","keyPath":null,"autoIncrement":false,
                    "indexes":[{"name":true,"keyPath":"k","unique":false,"multiEntry":false}]}]}}"#,
                "database.stores[0].indexes[0].name: it is a boolean",
            ),
            (r#"{"page":{"url":"https://a.test/","title":7}}"#, "page.title: it is a number"),
        ] {
            let text = [header, context, storage, &line.replace('\n', " "), ""].join("\n");
            let error = check(text.as_bytes()).await.expect_err(line).to_string();
            let right = format!("line 4 is not a record of a snapshot: {member}, and a string is expected");
            assert!(error.starts_with(&right), "{error}, not {right}");
        }
    }

    #[tokio::test]
    async fn newer_versions_are_refused() {
        let newer = r#"{"header":{"version":2,"something":"else"}}"#.to_owned() + "\n";
        let error = check(newer.as_bytes()).await.expect_err("newer");
        assert!(error.to_string().contains("version 2"), "{error}");
        for other in
            ["", "[]\n", "{}\n", "{\"header\":{}}\n", "{\"header\":{\"version\":0,\"browser\":\"\"}}\n", "\u{0}\n"]
        {
            assert!(check(other.as_bytes()).await.is_err(), "{other}");
        }
    }

    #[tokio::test]
    async fn too_long_lines_are_named_and_not_read_completely() {
        let bytes = sample().await;
        let longest = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).max().expect("lines");
        assert!(check_within(bytes.as_slice(), longest).await.expect("whole").complete);
        let error = check_within(bytes.as_slice(), longest - 1).await.expect_err("a line is too long");
        assert!(matches!(error, ContentError::TooLong { line: 5, most } if most == longest - 1), "{error}");
        let endless = tokio::io::BufReader::new(tokio::io::repeat(b'['));
        let error = check_within(endless, 1 << 20).await.expect_err("it has no end");
        assert!(matches!(error, ContentError::TooLong { line: 1, .. }), "{error}");
    }
}

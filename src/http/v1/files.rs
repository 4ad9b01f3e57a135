//! The content of files as streams: uploads, and downloads with the ranges that a request names.

use std::{fs::File, io, ops::Bound, time::UNIX_EPOCH};

use axum::{
    body::{Body as AxumBody, HttpBody as _},
    extract::{FromRequestParts as _, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, EXPECT},
    },
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use headers::{ContentRange, ETag, HeaderMapExt as _, IfRange, LastModified, Range};
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::{
    super::{
        reply::{Answer, Problem, disposition, stream as answer_with, text},
        request::{By, PathParameters, Query},
    },
    query::Members,
    snapshots::{PATIENCE, drain},
};
use crate::{
    api_types::{
        self,
        operations::{GetDownload, GetFile, Operation, PutFile},
    },
    session::manager::SessionManager,
};

/// Bytes that are read from a file at a time.
const PIECE: usize = 64 << 10;

/// Performs [`PutFile`].
pub(super) async fn put(
    State(registry): State<SessionManager>,
    By(caller): By,
    request: Request,
) -> Result<Answer, Problem> {
    let (mut parts, body) = request.into_parts();
    let wanted: PutFile = input::<PutFile>(&mut parts, Map::new()).await?;
    let size = body.size_hint().exact();
    let pieces = body.into_data_stream().map_err(io::Error::other);
    let pieces = stream::unfold(Box::pin(pieces), async |mut pieces| {
        let late = |_| {
            let why = format!("nothing arrived for {} s", PATIENCE.as_secs());
            Some(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
        };
        let piece = tokio::time::timeout(PATIENCE, pieces.next()).await.unwrap_or_else(late);
        Some((piece?, pieces))
    });
    // Fused: the rest of a refused body is read below, also if its end was read already.
    let mut content: BoxStream<'static, io::Result<Bytes>> = pieces.fuse().boxed();
    match registry.put_file(&caller, wanted, size, &mut content).await {
        Ok(reply) => Ok(text(StatusCode::OK, "application/json", reply.output)),
        Err(why) => {
            // A client that asks first whether it may send the content has not sent it.
            if !parts.headers.contains_key(EXPECT) {
                drain(&mut content).await;
            }
            Err(why.into())
        }
    }
}

/// Performs [`GetFile`].
pub(super) async fn get(
    State(registry): State<SessionManager>,
    By(caller): By,
    request: Request,
) -> Result<Answer, Problem> {
    let (mut parts, _) = request.into_parts();
    let wanted: GetFile = input::<GetFile>(&mut parts, Map::new()).await?;
    let (name, file) = registry.file(&caller, wanted).await?;
    attachment(&name, &name, file, &parts.headers).await
}

/// Performs [`GetDownload`].
pub(super) async fn download(
    members: Members,
    State(registry): State<SessionManager>,
    By(caller): By,
    request: Request,
) -> Result<Answer, Problem> {
    let (mut parts, _) = request.into_parts();
    let Ok(Query(query)) = Query::from_request_parts(&mut parts, &()).await;
    let query = match members.object(query)? {
        Value::Object(query) => query,
        _ => Map::new(),
    };
    let wanted: GetDownload = input::<GetDownload>(&mut parts, query).await?;
    let (download, file) = registry.download(&caller, wanted).await?;
    attachment(&download.id, &download.name, file, &parts.headers).await
}

/// The content of a file, or the range that the headers name.
async fn attachment(id: &str, name: &str, file: File, asked: &HeaderMap) -> Result<Answer, Problem> {
    let unreadable = |error: io::Error| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "disk", format!("the file cannot be read: {error}"))
    };
    let about = FileInfo::of(id, &file).map_err(unreadable)?;
    let wanted = about.range(asked)?;
    let (first, length) = wanted.unwrap_or((0, about.size));
    let mut file = tokio::fs::File::from_std(file);
    file.seek(io::SeekFrom::Start(first)).await.map_err(unreadable)?;
    let body = ReaderStream::with_capacity(file.take(length), PIECE);
    let mut answer = answer_with("application/octet-stream", AxumBody::from_stream(body));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // Whatever the file is, it never becomes a page of this server's origin.
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'"),
    );
    if let Ok(disposition) = HeaderValue::try_from(disposition(name)) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    headers.typed_insert(about.tag);
    headers.typed_insert(about.modified);
    if wanted.is_some() {
        if let Ok(range) = ContentRange::bytes(first..first + length, about.size) {
            headers.typed_insert(range);
        }
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(answer)
}

/// What the headers say of a file.
struct FileInfo {
    size: u64,
    tag: ETag,
    modified: LastModified,
}

impl FileInfo {
    fn of(id: &str, file: &File) -> io::Result<Self> {
        let data = file.metadata()?;
        let modified = data.modified()?;
        let nanos = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
        let tag = format!("\"{id}-{:x}-{nanos:x}\"", data.len()).parse();
        Ok(Self { size: data.len(), tag: tag.map_err(io::Error::other)?, modified: modified.into() })
    }

    /// The first byte and the length of the one range that a request wants; `None` for the whole file.
    fn range(&self, headers: &HeaderMap) -> Result<Option<(u64, u64)>, Problem> {
        // What cannot be read, and several ranges at once, are answered with the whole (RFC 9110, 14.2).
        let Some(range) = headers.typed_get::<Range>() else { return Ok(None) };
        if let Some(condition) = headers.typed_get::<IfRange>()
            && condition.is_modified(Some(&self.tag), Some(&self.modified))
        {
            return Ok(None);
        }
        let mut satisfiable = range.satisfiable_ranges(self.size);
        let (one, more) = (satisfiable.next(), satisfiable.next());
        if more.is_some() {
            return Ok(None);
        }
        let Some((Bound::Included(first), to)) = one else { return Ok(None) };
        let last = self.size.saturating_sub(1);
        let last = if let Bound::Included(to) = to { to.min(last) } else { last };
        if first > last || first >= self.size {
            let detail = format!("the file has {} bytes, and none of them is in the range", self.size);
            return Err(Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range", detail));
        }
        Ok(Some((first, last - first + 1)))
    }
}

/// Reads the input from the path and these other members.
async fn input<O: Operation>(
    parts: &mut axum::http::request::Parts,
    mut members: Map<String, Value>,
) -> Result<O, Problem> {
    if let Some(rest) = O::ROW.rest {
        for (member, text) in PathParameters::from_request_parts(parts, &()).await?.members(&rest) {
            members.insert(member.to_owned(), text.into());
        }
    }
    Ok(api_types::read(&Value::Object(members).to_string())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size: usize) -> FileInfo {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(size as u64).expect("made");
        FileInfo::of("id", &file).expect("there")
    }

    fn range(of: &FileInfo, range: &str, condition: Option<&str>) -> Result<Option<(u64, u64)>, u16> {
        let mut headers = HeaderMap::new();
        headers.insert("range", range.parse().expect("a header"));
        if let Some(condition) = condition {
            headers.insert("if-range", condition.parse().expect("a header"));
        }
        of.range(&headers).map_err(|problem| problem.answer().status().as_u16())
    }

    #[test]
    fn one_range_is_given_and_what_cannot_be_given_is_refused_or_the_whole() {
        let file = file(100);
        for (text, found) in [
            ("bytes=0-9", Ok(Some((0, 10)))),
            ("bytes=90-", Ok(Some((90, 10)))),
            ("bytes=90-1000", Ok(Some((90, 10)))),
            ("bytes=-5", Ok(Some((95, 5)))),
            ("bytes=-1000", Ok(None)),
            ("bytes=99-99", Ok(Some((99, 1)))),
            ("bytes=100-", Err(416)),
            ("bytes=0-1,5-6", Ok(None)),
            ("lines=0-1", Ok(None)),
            ("x", Ok(None)),
        ] {
            assert_eq!(range(&file, text, None), found, "{text}");
        }
        assert_eq!(range(&self::file(0), "bytes=0-", None), Err(416));
    }

    #[test]
    fn a_range_of_another_state_of_the_file_is_not_given() {
        let file = file(100);
        let mut headers = HeaderMap::new();
        headers.typed_insert(file.tag.clone());
        let tag = headers["etag"].to_str().expect("text").to_owned();
        assert_eq!(range(&file, "bytes=0-9", Some(&tag)), Ok(Some((0, 10))));
        assert_eq!(range(&file, "bytes=0-9", Some("\"other\"")), Ok(None));
        assert_eq!(range(&file, "bytes=0-9", Some("Sun, 06 Nov 1994 08:49:37 GMT")), Ok(None));
    }

    #[test]
    fn files_are_attachments_under_their_names() {
        let same = |name: &str, header: &str| assert_eq!(disposition(name), format!("attachment; {header}"));
        same("a b.pdf", "filename=\"a b.pdf\"; filename*=UTF-8''a%20b.pdf");
        same("ä\"\\.txt", "filename=\"___.txt\"; filename*=UTF-8''%C3%A4%22%5C.txt");
    }
}

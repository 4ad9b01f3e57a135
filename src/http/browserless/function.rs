//! `/function` and `/download`: one request runs code with Puppeteer in a session of its own. It is answered by what the code
//! returns, or by the file that its pages have downloaded. `run` holds the session.

use std::{fs::File, time::Instant};

use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    routing,
};
use data_encoding::BASE64;
use tokio_util::io::ReaderStream;

use super::{
    super::{
        Api,
        promises::Documented,
        reply::{Answer, Problem, disposition, stream, text},
        request::{By, CodeBody},
    },
    about::Totals,
    bodies::Bodies,
    quick::{self, SANDBOX, from_json},
    run::{self, Program, Ran},
    wish::{self, QuickNeeds},
};
use crate::{
    api_types::{
        Bad, Download, Nothing, Schemas,
        operations::{Rest, RestAnswer, RestInput},
        quick::{QuickDownload, QuickFunction, QuickSession},
    },
    runtime,
    session::{
        manager::{Caller, SessionManager},
        pages::CodeResult,
    },
};

/// Bytes that are read from a file at a time.
const PIECE: usize = 64 << 10;
/// The type of what is not known.
const UNKNOWN: &str = "application/octet-stream";

const A_POST: Rest = Rest { answer: RestAnswer::Media(&["*/*"]), says: "What the code returned.", ..quick::A_POST };

/// The endpoints, as the document shows them.
pub(in crate::http) const ENDPOINTS: [Documented; 2] = [
    Documented {
        name: "quickFunction",
        rest: Rest { path: "/function", input: RestInput::NeededBody("QuickFunction"), ..A_POST },
        input: Schemas::input::<QuickFunction>,
        output: Schemas::output::<Nothing>,
    },
    Documented {
        name: "quickDownload",
        rest: Rest { path: "/download", input: RestInput::NeededBody("QuickDownload"), says: "The file.", ..A_POST },
        input: Schemas::input::<QuickDownload>,
        output: Schemas::output::<Nothing>,
    },
];

/// The routes, also below the names of browsers.
pub(super) fn routes(bodies: &Bodies, totals: &Totals) -> Router<Api> {
    let mut router = Router::new();
    for below in ["", "/chromium", "/chrome"] {
        for (name, is_download) in [("function", false), ("download", true)] {
            let (bodies, totals) = (bodies.clone(), totals.clone());
            let answer = async move |State(manager): State<SessionManager>, By(caller): By, request: Request| {
                let (counted, since) = (totals.begin(), Instant::now());
                let done = Box::pin(answer(&manager, &caller, &bodies, request, is_download)).await;
                let done = done.map_err(|problem| of_code(problem.for_browserless()));
                counted.end(since.elapsed(), done.as_ref().map(drop));
                done
            };
            router = router.route(&format!("{below}/{name}"), routing::post(answer));
        }
    }
    router
}

/// An error of the code is one of the request, as in browserless.
fn of_code(mut problem: Problem) -> Problem {
    if matches!(problem.kind, "script-failed" | "code-left") {
        problem.status = StatusCode::BAD_REQUEST;
    }
    problem
}

async fn answer(
    manager: &SessionManager,
    caller: &Caller,
    bodies: &Bodies,
    request: Request,
    is_download: bool,
) -> Result<Answer, Problem> {
    let limits = manager.page_limits();
    let query = request.uri().query().unwrap_or_default().to_owned();
    // Until the answer is made.
    let declared = request.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    let _held = bodies.hold(caller.owner(), declared, limits.quick_body)?;
    let body = CodeBody::up_to(limits.quick_body, request).await?;
    let QuickFunction { code, context } = runtime::aside(body.text.len(), || read(body))?;
    let QuickNeeds { options, timeout, blocked } = wish::read(&query, QuickSession::default(), manager.block_list())?;
    let program = Program { code, context, blocked, is_download };
    match run::program(manager, caller, options, program, run::limit(timeout, limits)).await? {
        Ran::Returned(result) => Ok(returned(result)),
        Ran::Downloaded(download, file) => Ok(downloaded(&download, file)),
    }
}

/// Reads a body: code, or an object with code, which may be in base64.
fn read(CodeBody { text, is_json }: CodeBody) -> Result<QuickFunction, Problem> {
    let function =
        if is_json { from_json::<QuickFunction>(&text)? } else { QuickFunction { code: text, context: None } };
    let QuickFunction { code, context } = function;
    if code.trim().is_empty() {
        return Err(Bad::new("code", "is missing: export default async ({ page, context }) => { … }").into());
    }
    let decoded = BASE64.decode(code.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(QuickFunction { code: decoded.unwrap_or(code), context })
}

/// The answer with what code returned.
fn returned(CodeResult { kind, body }: CodeResult) -> Answer {
    let kind = match kind {
        Some(kind) if kind.contains(';') => kind,
        Some(kind) if kind.starts_with("text/") || kind == "application/json" => format!("{kind}; charset=UTF-8"),
        Some(kind) => kind,
        None => sniffed(&body).to_owned(),
    };
    let mut answer = text(StatusCode::OK, UNKNOWN, body);
    let headers = answer.headers_mut();
    if let Ok(kind) = HeaderValue::try_from(kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    answer
}

/// The answer with a file.
fn downloaded(download: &Download, file: File) -> Answer {
    let size = file.metadata().map(|data| data.len());
    let body = ReaderStream::with_capacity(tokio::fs::File::from_std(file), PIECE);
    let mut answer = stream(of_name(&download.name), Body::from_stream(body));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    if let Ok(size) = size {
        headers.insert(header::CONTENT_LENGTH, size.into());
    }
    if let Ok(disposition) = HeaderValue::try_from(disposition(&download.name)) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    answer
}

/// The type of bytes, by how they begin.
fn sniffed(bytes: &[u8]) -> &'static str {
    const BEGINNINGS: [(&[u8], &str); 9] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b", "application/gzip"),
        (b"\x1a\x45\xdf\xa3", "video/webm"),
        (b"OggS", "audio/ogg"),
        (b"ID3", "audio/mpeg"),
    ];
    match bytes {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "video/mp4",
        _ => BEGINNINGS.iter().find(|(start, _)| bytes.starts_with(start)).map_or(UNKNOWN, |(_, kind)| kind),
    }
}

/// The type of a file, by its name.
fn of_name(name: &str) -> &'static str {
    let (_, extension) = name.rsplit_once('.').unwrap_or_default();
    match &*extension.to_ascii_lowercase() {
        "csv" => "text/csv",
        "txt" | "log" | "md" => "text/plain",
        "html" | "htm" => "text/html",
        "xml" => "application/xml",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mp3" => "audio/mpeg",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api_types::AnyValue;

    fn given(text: &str, is_json: bool) -> Result<(String, Option<AnyValue>), String> {
        let body = CodeBody { text: text.to_owned(), is_json };
        read(body).map(|QuickFunction { code, context }| (code, context)).map_err(|problem| problem.detail)
    }

    #[test]
    fn code_is_plain_in_json_or_in_base64() {
        let code = "export default () => 1";
        let base64 = BASE64.encode(code.as_bytes());
        assert_eq!(given(code, false), Ok((code.to_owned(), None)));
        assert_eq!(given(&base64, false), Ok((code.to_owned(), None)));
        let body = json!({ "code": base64, "context": { "a": 1 } }).to_string();
        assert_eq!(given(&body, true), Ok((code.to_owned(), Some(AnyValue(json!({ "a": 1 }))))));
        for (body, is_json, why) in [
            ("", false, "code: is missing"),
            ("{}", true, "code: is missing"),
            ("{", true, "the body is not JSON"),
            (r#"{"code":"x","url":"y"}"#, true, "url: "),
        ] {
            let error = given(body, is_json).expect_err(body);
            assert!(error.contains(why), "{body}: {error}");
        }
    }

    #[test]
    fn answers_have_the_type_of_their_content() {
        let of = |kind: Option<&str>, body: &[u8]| {
            let answer = returned(CodeResult { kind: kind.map(str::to_owned), body: body.to_vec() });
            assert!(
                answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().is_ok_and(|csp| csp.contains("sandbox"))
            );
            answer.headers()[header::CONTENT_TYPE].to_str().map(str::to_owned).unwrap_or_default()
        };
        for (kind, body, expected) in [
            (Some("text/html"), "<b>", "text/html; charset=UTF-8"),
            (Some("application/json"), "{}", "application/json; charset=UTF-8"),
            (Some("text/css; charset=latin1"), "", "text/css; charset=latin1"),
            (Some("image/svg+xml"), "", "image/svg+xml"),
            (Some("a/b\r\nX-Forged: 1"), "", UNKNOWN),
            (None, "GIF89a", "image/gif"),
            (None, "RIFF....WEBP", "image/webp"),
            (None, "x", UNKNOWN),
        ] {
            assert_eq!(of(kind, body.as_bytes()), expected);
        }
        assert_eq!((of_name("a.CSV"), of_name("csv"), of_name("a.b.exe")), ("text/csv", UNKNOWN, UNKNOWN));
    }
}

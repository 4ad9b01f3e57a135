//! Operations on the files of a session. An operation is performed in `session/manager/files.rs`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{DownloadList, FILE_NAME_MOST, FILE_NAME_PATTERN, FileList, Millis, Nothing, UploadedFile, given},
    CommandResult::Output,
    Errors, Operation, PAGE_MOST, Rest, RestAnswer, RestInput, Row, Verb, WAIT_MOST, operations,
};

operations! {
    /// A request about the files of a session.
    File, FileRequest:
        ListDownloads, GetDownload, DeleteDownload, ListFiles, GetFile, PutFile, DeleteFile,
}

/// An endpoint that lists the downloads of one session.
const OF_ONE: Rest = Rest {
    verb: Verb::Get,
    path: "/v1/sessions/{id}/downloads",
    id: Some("id"),
    second: None,
    input: RestInput::Query,
    answer: RestAnswer::Output,
    says: "Its downloads.",
    tag: "files",
    errors: &[Errors::Session],
};

/// Lists what the pages of a session downloaded. Chrome downloads once a client has allowed it (`Browser.setDownloadBehavior`;
/// Playwright does by itself), whatever path the client names.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListDownloads {
    /// The session; that of this connection if absent.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
    /// How long to wait until there is a download and none is arriving; at most 5 minutes. In a query it may have a unit:
    /// `30s`.
    #[serde(deserialize_with = "given")]
    #[schemars(extend("maximum" = WAIT_MOST))]
    pub wait: Option<Millis>,
    /// Most downloads on the page, 1 to 1000; 1000 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = PAGE_MOST))]
    pub limit: Option<u32>,
    /// The `next` of the page before this one.
    #[serde(deserialize_with = "given")]
    pub cursor: Option<String>,
}

impl Operation for ListDownloads {
    type Output = DownloadList;
    const ROW: Row = Row { name: "listDownloads", ghost: Some(Output), rest: Some(OF_ONE) };
}

/// Gives the content of a download. `Range` and `If-Range` are understood. It is sent as an attachment, never as a page.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetDownload {
    /// The session.
    #[serde(default, deserialize_with = "given")]
    pub id: Option<String>,
    /// The download.
    pub download: String,
    /// How long to wait until it has arrived; at most 5 minutes. In a query it may have a unit: `30s`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(extend("maximum" = WAIT_MOST))]
    pub wait: Option<Millis>,
}

impl Operation for GetDownload {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "getDownload",
        // Its content is a stream, which a frame is not.
        ghost: None,
        rest: Some(Rest {
            path: "/v1/sessions/{id}/downloads/{download}",
            second: Some("download"),
            answer: RestAnswer::File,
            says: "The content.",
            errors: &[Errors::Session, Errors::Download],
            ..OF_ONE
        }),
    };
}

/// Deletes a download; one that is arriving is canceled.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteDownload {
    /// The session; that of this connection if absent.
    #[serde(default, deserialize_with = "given")]
    pub id: Option<String>,
    /// The download.
    pub download: String,
}

impl Operation for DeleteDownload {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "deleteDownload",
        ghost: Some(Output),
        rest: Some(Rest {
            verb: Verb::Delete,
            path: "/v1/sessions/{id}/downloads/{download}",
            second: Some("download"),
            input: RestInput::Path,
            answer: RestAnswer::Nothing,
            says: "The download is deleted.",
            errors: &[Errors::Session, Errors::Download],
            ..OF_ONE
        }),
    };
}

/// Lists the files that clients uploaded for the pages of a session.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListFiles {
    /// The session; that of this connection if absent.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
    /// Most files on the page, 1 to 1000; 1000 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = PAGE_MOST))]
    pub limit: Option<u32>,
    /// The `next` of the page before this one.
    #[serde(deserialize_with = "given")]
    pub cursor: Option<String>,
}

impl Operation for ListFiles {
    type Output = FileList;
    const ROW: Row = Row {
        name: "listFiles",
        ghost: Some(Output),
        rest: Some(Rest { path: "/v1/sessions/{id}/files", says: "The files.", ..OF_ONE }),
    };
}

/// Gives the content of a file that was uploaded, or that an agent had saved. `Range` and `If-Range` are understood. It is sent
/// as an attachment, never as a page.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetFile {
    /// The session.
    #[serde(default, deserialize_with = "given")]
    pub id: Option<String>,
    /// The name of the file.
    #[schemars(length(max = FILE_NAME_MOST), regex(pattern = FILE_NAME_PATTERN))]
    pub name: String,
}

impl Operation for GetFile {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "getFile",
        // Its content is a stream, which a frame is not.
        ghost: None,
        rest: Some(Rest {
            path: "/v1/sessions/{id}/files/{name}",
            second: Some("name"),
            input: RestInput::Path,
            answer: RestAnswer::File,
            says: "The content.",
            errors: &[Errors::Session, Errors::File],
            ..OF_ONE
        }),
    };
}

/// Uploads a file for the pages of a session: the body is its content, of any type. A file of the same name is replaced when
/// the whole content has arrived. Clients give its `path` to their upload calls and to `DOM.setFileInputFiles`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutFile {
    /// The session.
    #[serde(default, deserialize_with = "given")]
    pub id: Option<String>,
    /// The name of the file: at most 240 bytes, without separators and control characters.
    #[schemars(length(max = FILE_NAME_MOST), regex(pattern = FILE_NAME_PATTERN))]
    pub name: String,
}

impl Operation for PutFile {
    type Output = UploadedFile;
    const ROW: Row = Row {
        name: "putFile",
        // A file may be larger than a frame.
        ghost: None,
        rest: Some(Rest {
            verb: Verb::Put,
            path: "/v1/sessions/{id}/files/{name}",
            second: Some("name"),
            input: RestInput::Content,
            says: "The file, with its path.",
            errors: &[Errors::Session, Errors::Upload],
            ..OF_ONE
        }),
    };
}

/// Deletes a file that a client uploaded. A page that has it open can go on reading it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteFile {
    /// The session; that of this connection if absent.
    #[serde(default, deserialize_with = "given")]
    pub id: Option<String>,
    /// The name of the file.
    #[schemars(length(max = FILE_NAME_MOST), regex(pattern = FILE_NAME_PATTERN))]
    pub name: String,
}

impl Operation for DeleteFile {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "deleteFile",
        ghost: Some(Output),
        rest: Some(Rest {
            verb: Verb::Delete,
            path: "/v1/sessions/{id}/files/{name}",
            second: Some("name"),
            input: RestInput::Path,
            answer: RestAnswer::Nothing,
            says: "The file is deleted.",
            errors: &[Errors::Session, Errors::File],
            ..OF_ONE
        }),
    };
}

//! What happens to a page during an action, and what a caller expects of it. PURE: types only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bad, Download, FILE_NAME_MOST, FILE_NAME_PATTERN, given};

/// How far a document must be loaded, in the words of Playwright and of Puppeteer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LoadState {
    /// the response has arrived, and the document is begun.
    Commit,
    /// the document is parsed.
    DomContentLoaded,
    /// its images, frames and styles are loaded too.
    #[default]
    Load,
    /// there was no connection for 500 ms.
    NetworkIdle,
    /// the same, in the words of Puppeteer.
    NetworkIdle0,
    /// there were at most two connections for 500 ms.
    NetworkIdle2,
}

/// What happened during an action, beside what it is for. Each list has at most 20 entries; `omitted` counts the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Happened {
    /// The pages that the page opened.
    pub opened: Vec<OpenedPage>,
    /// The target ids of the session's pages that were closed.
    pub closed: Vec<String>,
    /// The dialogs of the page.
    pub dialogs: Vec<PageDialogInfo>,
    /// The downloads that the page began.
    pub downloads: Vec<Download>,
    /// The last file chooser of the page.
    pub file_chooser: Option<FileChooserInfo>,
    /// The exceptions of the page that nothing caught.
    pub errors: Vec<PageException>,
    /// How many dialogs, exceptions and so on did not fit into these lists.
    pub omitted: u32,
    /// What was expected, and came.
    pub expected: Option<Expected>,
}

/// A page that was opened by another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenedPage {
    /// The id of the page, in paths and for clients.
    pub target_id: String,
    /// Its URL at that moment.
    pub url: String,
}

/// The type of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DialogType {
    /// a message.
    Alert,
    /// a question that is answered by yes or no.
    Confirm,
    /// a question that is answered by a text.
    Prompt,
    /// whether the page may be left.
    BeforeUnload,
}

/// How a dialog was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DialogAnswer {
    /// it was accepted.
    Accepted,
    /// it was dismissed.
    Dismissed,
    /// not yet: it is open.
    Open,
}

/// A dialog of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PageDialogInfo {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: DialogType,
    /// Its text, cut after 1000 characters.
    pub message: String,
    /// How it was answered.
    pub answer: DialogAnswer,
    /// The text that a `prompt` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A file chooser that a page opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileChooserInfo {
    /// Whether it takes several files.
    pub multiple: bool,
    /// How many files it was given; it waits for files if there are none.
    pub files: u32,
}

/// An exception of a page that nothing caught.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PageException {
    /// The message in one line, cut after 1000 characters.
    pub message: String,
    /// The URL of the script; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The line, from 1.
    pub line: u32,
}

/// A response of a server, or the request for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Exchange {
    /// The URL, cut after 2048 characters.
    pub url: String,
    /// The method; absent if the request was sent before it was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The status of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
}

/// What was expected, and came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    /// The page that was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub popup: Option<OpenedPage>,
    /// The download, which may still be arriving.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<Download>,
    /// The URL to which the page navigated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub navigation: Option<String>,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Exchange>,
    /// The response, whose body may still be arriving.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Exchange>,
    /// The dialog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialog: Option<PageDialogInfo>,
    /// The file chooser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_chooser: Option<FileChooserInfo>,
}

/// What an action must cause. It is listened for before the action begins, and the answer comes when all of it has come.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Expect {
    /// That the page opens another page.
    #[serde(deserialize_with = "given")]
    pub popup: Option<ExpectUrl>,
    /// That a download begins.
    #[serde(deserialize_with = "given")]
    pub download: Option<ExpectUrl>,
    /// That the page shows another document, or that its URL changes.
    #[serde(deserialize_with = "given")]
    pub navigation: Option<ExpectNavigation>,
    /// That a request is sent.
    #[serde(deserialize_with = "given")]
    pub request: Option<ExpectExchange>,
    /// That a response arrives.
    #[serde(deserialize_with = "given")]
    pub response: Option<ExpectExchange>,
    /// That a dialog opens, and how it is answered.
    #[serde(deserialize_with = "given")]
    pub dialog: Option<ExpectDialog>,
    /// That a file chooser opens, and the files that it is given.
    #[serde(deserialize_with = "given")]
    pub file_chooser: Option<ExpectFileChooser>,
}

/// Something with a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectUrl {
    /// The URL, in which `*` stands for any characters except `/`, and `**` for any; any URL if absent.
    #[serde(deserialize_with = "given")]
    pub url: Option<String>,
}

/// A navigation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ExpectNavigation {
    /// The URL, in which `*` stands for any characters except `/`, and `**` for any; any URL if absent.
    #[serde(deserialize_with = "given")]
    pub url: Option<String>,
    /// How far the document must be loaded; `load` if absent.
    pub wait_until: LoadState,
}

/// A request of the page, or the response to one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectExchange {
    /// The URL, in which `*` stands for any characters except `/`, and `**` for any; any URL if absent.
    #[serde(deserialize_with = "given")]
    pub url: Option<String>,
    /// The method, such as `POST`; any if absent.
    #[serde(deserialize_with = "given")]
    pub method: Option<String>,
}

/// A dialog, and how it is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ExpectDialog {
    /// Whether it is accepted; it is dismissed otherwise.
    pub accept: bool,
    /// The text that a `prompt` is given, with `accept`; the page's own text if absent.
    #[serde(deserialize_with = "given")]
    pub prompt_text: Option<String>,
    /// Whether it stays open until `dialog` answers it. The action is answered when it has opened.
    pub leave: bool,
    /// Whether the action is answered although none has opened, once it is done.
    pub optional: bool,
}

/// A file chooser, and the files that it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectFileChooser {
    /// The files.
    pub files: Vec<FileForPage>,
}

/// A file for a page: one of the session's own files, or a small one with its content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileForPage {
    /// The name: of a file that was uploaded to the session (`/v1/sessions/{id}/files/{name}`) if there is no `content`.
    #[schemars(length(max = FILE_NAME_MOST), regex(pattern = FILE_NAME_PATTERN))]
    pub name: String,
    /// The content, in base64.
    #[serde(default, deserialize_with = "given")]
    pub content: Option<String>,
    /// The MIME type, with `content`.
    #[serde(default, deserialize_with = "given")]
    pub mime_type: Option<String>,
}

impl Expect {
    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it.
    pub fn check(&self) -> Result<(), Bad> {
        let Some(dialog) = &self.dialog else { return Ok(()) };
        if dialog.leave && dialog.accept {
            return Err(Bad::new(
                "expect.dialog",
                "has leave and accept; an open dialog is accepted by the action dialog",
            ));
        }
        if dialog.prompt_text.is_some() && !dialog.accept {
            return Err(Bad::new("expect.dialog", "has a promptText without accept"));
        }
        Ok(())
    }
}

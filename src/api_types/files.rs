//! The files of a session: what its pages downloaded, and what its clients uploaded for its pages.

use schemars::JsonSchema;
use serde::Serialize;

use super::Bad;

/// Longest name of a file, in bytes: what the file systems of Linux allow, less what a number takes.
pub const FILE_NAME_MOST: usize = 240;
/// What the name of a file is made of: no separators, and no characters that do not show what the name is.
pub const FILE_NAME_PATTERN: &str = r"^[^/\\\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+$";

/// How far a download has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DownloadState {
    /// it is arriving.
    InProgress,
    /// the whole file is there.
    Completed,
    /// it was canceled or has failed; nothing is kept of it.
    Canceled,
}

/// A file that a page of the session downloaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Download {
    /// The `guid` of Chrome's events about it.
    pub id: String,
    /// Its name: that which the site suggests, made safe as the name of a file, and unique in the session.
    pub name: String,
    /// From where it comes; a URL of more than 2048 bytes is cut.
    pub url: String,
    /// How far it has come.
    pub state: DownloadState,
    /// Bytes that have arrived.
    pub received: u64,
    /// Its size; absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub started_at: u64,
    /// When it was completed or canceled; absent while it is arriving.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
    /// Why the server canceled it; absent if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The downloads of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DownloadList {
    /// The downloads, the earliest first.
    pub downloads: Vec<Download>,
    /// The `cursor` of the next page; absent if this is the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A file that a client uploaded, for the pages of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadedFile {
    /// Its name, unique in the session.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its path, for `DOM.setFileInputFiles` and for the upload calls of clients.
    pub path: String,
    /// When it was uploaded, in milliseconds since 1970-01-01 UTC.
    pub uploaded_at: u64,
}

/// The files that clients uploaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileList {
    /// The files, by name.
    pub files: Vec<UploadedFile>,
    /// The `cursor` of the next page; absent if this is the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Checks the name of a file that a client uploads: it must be a name, and no path.
pub fn file_name(name: &str) -> Result<&str, Bad> {
    let why = if name.is_empty() || name == "." || name == ".." {
        "is not the name of a file"
    } else if name.len() > FILE_NAME_MOST {
        "is longer than 240 bytes"
    } else if name.contains(['/', '\\']) {
        "has a separator of directories; a file has a name, and no path"
    } else if name.chars().any(is_harmful) {
        "has control characters, or characters that change the direction of text"
    } else {
        return Ok(name);
    };
    Err(Bad::new("name", why))
}

/// The name that a site suggests for a download as the name of a file: without directories and control characters, of a
/// length that file systems allow.
pub fn safe_file_name(suggested: &str) -> String {
    let name = suggested.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|char| !is_harmful(*char)).collect();
    let name = name.trim().trim_end_matches(['.', ' ']);
    if name.trim_start_matches('.').is_empty() {
        return "download".to_owned();
    }
    let (stem, extension) = divided(name);
    let room = FILE_NAME_MOST.saturating_sub(extension.len());
    format!("{}{extension}", cut(stem, room))
}

/// The name with a number before its extension, as Chrome numbers files of the same name.
pub fn numbered(name: &str, number: usize) -> String {
    let (stem, extension) = divided(name);
    format!("{stem} ({number}){extension}")
}

/// The text, or as much of its begin as fits into this number of bytes.
pub fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The name without its extension, and the extension with its dot; of an ordinary length, or none.
fn divided(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= 20 => name.split_at(at),
        _ => (name, ""),
    }
}

/// Characters that do not show what a name is: control characters, and those that change the direction of text.
fn is_harmful(char: char) -> bool {
    char.is_control() || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_uploads_are_names_and_no_paths() {
        // What the document says of names, but for their length and the names of directories.
        let pattern = regex::Regex::new(FILE_NAME_PATTERN).expect("a pattern");
        for name in ["a", "report.pdf", ".env", "ä ö.txt", "a..b", "%2e%2e", "~", "-rf", &"n".repeat(240)] {
            assert_eq!(file_name(name), Ok(name));
            assert!(pattern.is_match(name), "{name:?}");
        }
        for char in '\0'..='\u{2100}' {
            assert_eq!(
                pattern.is_match(&char.to_string()),
                char == '.' || file_name(&char.to_string()).is_ok(),
                "{char:?}"
            );
        }
        for name in
            ["", ".", "..", "a/b", "/etc/passwd", "..\\x", "a\0", "a\nb", "\u{202e}fdp.exe", "\u{7f}", &"n".repeat(241)]
        {
            assert_eq!(file_name(name).map_err(|bad| bad.field), Err("name".to_owned()), "{name:?}");
            assert_eq!(pattern.is_match(name), name == "." || name == ".." || name.len() > FILE_NAME_MOST, "{name:?}");
        }
    }

    #[test]
    fn names_of_downloads_are_made_safe() {
        for (suggested, name) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a.txt", "a.txt"),
            ("a\u{202e}fdp.exe", "afdp.exe"),
            ("a\r\nb\0.txt", "ab.txt"),
            ("  x. . ", "x"),
            ("", "download"),
            ("..", "download"),
            ("a/", "download"),
            (".env", ".env"),
        ] {
            assert_eq!(safe_file_name(suggested), name, "{suggested:?}");
            assert!(file_name(&safe_file_name(suggested)).is_ok());
        }
        let long = safe_file_name(&format!("{}.tar.gz", "ä".repeat(500)));
        assert!(long.len() <= FILE_NAME_MOST && long.ends_with("ä.gz"), "{long}");
        assert_eq!(numbered("report.pdf", 2), "report (2).pdf");
        assert_eq!(numbered("Makefile", 1), "Makefile (1)");
        assert_eq!(numbered(".env", 1), ".env (1)");
    }
}

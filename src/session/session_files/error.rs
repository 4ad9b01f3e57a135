//! Why a file is not kept, or not given.

use std::io;

use crate::api_types::{Bad, DownloadState, cut};

/// Why a file is not kept, or not given.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The session has no such download or file.
    #[error("the session has no {what} {name:?}")]
    Missing {
        /// `download` or `file`.
        what: &'static str,
        /// What was asked for.
        name: String,
    },
    /// The download has not arrived, or was canceled.
    #[error("the download {id} is {}, so it has no content", match state {
        DownloadState::InProgress => "in progress; ask with wait=30s to wait for it",
        DownloadState::Canceled => "canceled",
        DownloadState::Completed => "completed, and its file is gone",
    })]
    NotThere {
        /// The download.
        id: String,
        /// Its state.
        state: DownloadState,
    },
    /// The files take as much of the disk as they may.
    #[error("the files take {taken} bytes, and {limit} allows {most}; delete files or downloads of {whose} first")]
    Quota {
        /// The name of the limit.
        limit: &'static str,
        /// Bytes or files that it allows.
        most: u64,
        /// Those that are taken.
        taken: u64,
        /// Whose files count.
        whose: &'static str,
    },
    /// There are as many files as there may be.
    #[error("the session has {most} files, the most that session_files_count allows; delete some first")]
    Many {
        /// Value of the setting.
        most: usize,
    },
    /// The name is no name of a file.
    #[error(transparent)]
    Name(#[from] Bad),
    /// The session has ended.
    #[error("the session has ended, and its files are removed")]
    Ended,
    /// The body of an upload ended early, or did not arrive in time. Nothing is kept of it.
    #[error("the content did not arrive as a whole, and nothing is kept of it: {0}")]
    Cut(io::Error),
    /// The system refused.
    #[error("the file cannot be written or read ({0}); see session_dir")]
    Disk(io::Error),
}

impl FilesError {
    /// The session has no such download or file.
    pub(super) fn missing(what: &'static str, name: &str) -> Self {
        Self::Missing { what, name: cut(name, 200).to_owned() }
    }
}

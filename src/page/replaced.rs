//! Which errors of Chrome say that the document of a command has been replaced. PURE.

use crate::{browser::CallError, session::pages::PageError};

/// Whether a script did not run, as its document is no longer there.
pub(super) fn is_unknown_context(error: &PageError) -> bool {
    matches!(error, PageError::Call(CallError::Refused { error, .. }) if error.message.contains("Cannot find context"))
}

/// Whether the document was replaced while a script ran in it.
pub(super) fn is_replaced(error: &PageError) -> bool {
    let PageError::Call(CallError::Refused { error, .. }) = error else { return false };
    let words = [
        "Cannot find context",
        "context was destroyed",
        "navigated or closed",
        "Promise was collected",
        "No frame for given id",
    ];
    words.iter().any(|words| error.message.contains(words))
}

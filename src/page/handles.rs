//! Values that callers keep in a page: objects of its scripts, by names that only requests on this page know.

use std::{collections::HashMap, sync::Arc};

use crate::{browser::PageDriver, session::pages::PageError};

/// A value that stays in the page.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    /// Chrome's id of the object.
    pub(super) object: String,
    /// The world in which it is.
    pub(super) context: i64,
    /// The process of its frame, if that is not the page's.
    pub(super) remote: Option<Arc<PageDriver>>,
    /// The number of the page's document; the value goes with it.
    pub(super) document: u64,
}

impl Handle {
    /// Whether two values are in the same world, so that a function can take both. Each process counts its worlds by itself.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        let is_same_process = match (&self.remote, &other.remote) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        is_same_process && self.context == other.context
    }
}

/// The values that are kept.
#[derive(Debug, Default)]
pub(super) struct Handles {
    values: HashMap<String, Handle>,
    /// The last number of one.
    last: u64,
}

impl Handles {
    /// Those of a page whose handles have numbers up to this one.
    pub(super) fn behind(last: u64) -> Self {
        Self { last, ..Self::default() }
    }

    /// The last number of a handle.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Refuses one more value than there may be in this document.
    pub(super) fn check_room(&mut self, document: u64, most: usize) -> Result<(), PageError> {
        self.values.retain(|_, handle| handle.document == document);
        if self.values.len() >= most { Err(PageError::ManyHandles { most }) } else { Ok(()) }
    }

    /// Keeps a value. Returns the name of its handle.
    pub(super) fn keep(&mut self, value: Handle) -> String {
        self.last += 1;
        let name = format!("h{}", self.last);
        self.values.insert(name.clone(), value);
        name
    }

    /// The value of a handle, if it is of this document.
    pub(super) fn get(&self, handle: &str, document: u64) -> Result<Handle, PageError> {
        let kept = self.values.get(handle).filter(|kept| kept.document == document);
        kept.cloned().ok_or_else(|| PageError::StaleHandle { handle: handle.chars().take(100).collect() })
    }

    /// Forgets a value, or all.
    pub(super) fn take(&mut self, handle: Option<&str>, document: u64) -> Result<Vec<Handle>, PageError> {
        let Some(handle) = handle else { return Ok(self.values.drain().map(|(_, value)| value).collect()) };
        let value = self.get(handle, document)?;
        self.values.remove(handle);
        Ok(vec![value])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_with_their_document_and_names_are_not_used_again() {
        let value = |document| Handle { object: "1.2.3".to_owned(), context: 2, remote: None, document };
        let mut handles = Handles::behind(4);
        assert_eq!((handles.keep(value(1)), handles.keep(value(1))), ("h5".to_owned(), "h6".to_owned()));
        assert!(handles.get("h5", 1).is_ok() && handles.get("h1", 1).is_err());
        assert!(matches!(handles.check_room(1, 2), Err(PageError::ManyHandles { most: 2 })));
        assert!(handles.get("h5", 2).is_err(), "another document");
        handles.check_room(2, 2).expect("the others have gone");
        assert_eq!((handles.keep(value(2)), handles.last()), ("h7".to_owned(), 7));
        assert_eq!(handles.take(Some("h7"), 2).map(|values| values.len()).ok(), Some(1));
        assert!(handles.take(Some("h7"), 2).is_err());
        assert_eq!(handles.take(None, 2).map(|values| values.len()).ok(), Some(0));
    }
}

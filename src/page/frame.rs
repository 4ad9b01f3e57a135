//! A frame of a page that is driven.

use std::sync::Arc;

use crate::browser::PageDriver;

/// A frame of the page.
#[derive(Clone)]
pub(super) struct Frame {
    pub(super) id: String,
    /// Its process, if that is not the page's.
    pub(super) remote: Option<Arc<PageDriver>>,
    /// The frame in which it is; `None` for the main frame.
    pub(super) parent: Option<Box<Frame>>,
}

impl Frame {
    /// A frame in the process of the page.
    pub(super) fn of_page(id: String) -> Self {
        Self { id, remote: None, parent: None }
    }

    /// A number for the process in which it is looked for. The numbers of worlds are those of one process.
    pub(super) fn process(&self) -> usize {
        self.remote.as_ref().map_or(0, |driver| Arc::as_ptr(driver) as usize)
    }

    /// Whether it is the main frame.
    pub(super) fn is_main(&self) -> bool {
        self.parent.is_none()
    }
}

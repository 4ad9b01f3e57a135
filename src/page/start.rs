//! What the task of a page begins with.

use std::sync::Arc;

use crate::{browser::ContextHandle, cdp::ids::TargetId, config::PageLimits, session::pages::PageSession};

/// The page of a task.
pub(super) struct Start {
    pub(super) place: ContextHandle,
    pub(super) page: TargetId,
    pub(super) limits: PageLimits,
    pub(super) session: Arc<dyn PageSession>,
}

//! The extensions of a dedicated browser whose targets its session may see. PURE.

use std::collections::HashSet;

use super::Mirror;
use crate::cdp::{
    target::{Kind, TargetInfo},
    url,
};

/// The ids of the extensions whose targets are shown. Chrome has extensions of its own, which can do what no page can, such as
/// its PDF viewer: those are never in it.
#[derive(Debug, Default)]
pub(super) struct ShownExtensions(HashSet<String>);

impl ShownExtensions {
    /// The kind that decides whether a target is shown: at one of Chrome's own URLs it counts as Chrome's, whatever its type,
    /// and so does one of an extension that is not shown.
    pub(super) fn kind_of(&self, info: &TargetInfo) -> Kind {
        let is_shown = |url| url::extension_of(url).is_some_and(|id| self.0.contains(id));
        if url::is_visible(&info.url) || is_shown(&info.url) { info.kind } else { Kind::Other }
    }
}

impl Mirror {
    /// Shows the targets of this extension that are created from now on to the owner of their context.
    pub(crate) fn show_extension(&mut self, id: String) {
        self.extensions.0.insert(id);
    }
}

//! What the proxy has on record of one browser, and what Chrome says that it has. PURE.
//!
//! `pool/reconcile` compares the two, and [`Mend`] is what the link does about a difference.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::LeaseId;
use crate::cdp::{
    ids::{ContextId, TargetId},
    target::{Kind, TargetInfo},
};

/// What the proxy has on record of a browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// The leases that a session or the warm pool holds, with their default contexts; `None` while that is being made.
    pub held: BTreeMap<LeaseId, Option<ContextId>>,
    /// The leases to which the link has a context or a CDP session.
    pub known: BTreeSet<LeaseId>,
    /// The contexts of leases.
    pub contexts: BTreeMap<ContextId, LeaseId>,
    /// Contexts of ended leases that wait for their disposal, or are being disposed of.
    pub leaving: BTreeSet<ContextId>,
    /// The targets that Chrome has announced, without the uncertain ones and those of the browser
    /// itself, and the number of CDP sessions on each.
    pub targets: BTreeMap<TargetId, usize>,
    /// Targets that were announced and that Chrome may list or not: its own user interface, and pages whose events wait
    /// because a hidden page is being created in their context.
    pub uncertain: BTreeSet<TargetId>,
}

/// What Chrome says that a browser has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The contexts, without Chrome's own default context.
    pub contexts: BTreeSet<ContextId>,
    /// Chrome's own default context.
    pub default_context: Option<ContextId>,
    /// The targets.
    pub targets: BTreeMap<TargetId, Listed>,
}

/// A target as Chrome lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its kind.
    pub kind: Kind,
    /// Its context.
    pub context: Option<ContextId>,
    /// Whether a CDP session is on it, of the proxy or of another program.
    pub is_attached: bool,
    /// Its `TargetInfo`, as Chrome wrote it.
    pub info: String,
}

/// The link's part in ending a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mend {
    /// Disposes of a context, in the queue of disposals.
    Dispose(ContextId),
    /// Forgets a context that does not exist.
    Forget(ContextId),
    /// Tells the session of a lease that it has lost its browser, for this reason.
    EndSession(LeaseId, Arc<str>),
    /// Ends a lease that nobody holds.
    Release(LeaseId),
    /// Handles the announcement of a target that was missed: its `TargetInfo`.
    Announce(String),
    /// Handles the end of a target that was missed.
    Destroy(TargetId),
    /// Handles the end of the CDP sessions on a target that was missed.
    DetachAll(TargetId),
    /// Detaches whatever CDP session of the proxy's own is on a target.
    DetachUnknown(TargetId),
    /// Closes a page, in the queue of disposals.
    Close(TargetId),
}

impl Inventory {
    /// Reads the results of `Target.getBrowserContexts` and `Target.getTargets`; the error says what is wrong with them.
    pub fn read(contexts: &str, targets: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Contexts {
            browser_context_ids: BTreeSet<ContextId>,
            default_browser_context_id: Option<ContextId>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Targets<'a> {
            #[serde(borrow)]
            target_infos: Vec<&'a RawValue>,
        }
        let contexts: Contexts = serde_json::from_str(contexts)?;
        let targets: Targets<'_> = serde_json::from_str(targets)?;
        let listed = targets.target_infos.into_iter().filter_map(|json| {
            let info = TargetInfo::read(json.get()).filter(|info| info.kind != Kind::Browser)?;
            let listed = Listed {
                kind: info.kind,
                context: info.context,
                is_attached: info.attached,
                info: json.get().to_owned(),
            };
            Some((info.id, listed))
        });
        Ok(Self {
            contexts: contexts.browser_context_ids,
            default_context: contexts.default_browser_context_id,
            targets: listed.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_chrome_are_read() {
        let contexts = r#"{"browserContextIds":["C1","C2"],"defaultBrowserContextId":"D"}"#;
        let page = r#"{"targetId":"T","type":"page","title":"\ud83d","url":"about:blank","attached":true,"canAccessOpener":false,"browserContextId":"C1"}"#;
        let browser =
            r#"{"targetId":"B","type":"browser","title":"","url":"","attached":true,"canAccessOpener":false}"#;
        let read = Inventory::read(contexts, &format!(r#"{{"targetInfos":[{browser},{page}]}}"#)).expect("read");
        assert_eq!((read.contexts.len(), read.default_context), (2, Some("D".into())));
        let listed = Listed { kind: Kind::Page, context: Some("C1".into()), is_attached: true, info: page.to_owned() };
        assert_eq!(read.targets, BTreeMap::from([("T".into(), listed)]), "browser targets are no part of it");
        Inventory::read("{}", r#"{"targetInfos":[]}"#).expect_err("no list of contexts");
    }
}

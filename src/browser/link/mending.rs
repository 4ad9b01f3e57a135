//! Ends differences between what is on record and what Chrome has.

use std::{collections::BTreeMap, time::Instant};

use super::{Link, calls::Pending};
use crate::{
    browser::books::{Books, Mend},
    cdp::{
        ids::{CdpSessionId, TargetId},
        json_object::quote,
    },
    port::{Call, FromBrowser, Settle},
};

impl Link {
    /// What is on record. Who holds the leases is not known here.
    pub(super) fn books(&self) -> Books {
        let recorded = self.targets.recorded();
        let (held, leaving) = (BTreeMap::new(), self.disposals.leaving().cloned().collect());
        Books {
            held,
            known: recorded.leases,
            contexts: recorded.contexts,
            leaving,
            targets: recorded.targets,
            uncertain: recorded.uncertain,
        }
    }

    pub(super) fn mend(&mut self, mend: Mend, now: Instant) {
        match mend {
            Mend::Dispose(context) => self.disposals.orphan(context, now),
            Mend::Forget(context) => self.is_gone(&context),
            Mend::EndSession(lease, why) => self.deliver(lease, FromBrowser::Lost(why)),
            Mend::Release(lease) => match self.targets.base_of(lease) {
                Some(base) => self.on_release(lease, &base),
                // Its contexts belong to nobody from now on, and are disposed of as such.
                None => {
                    for root in self.targets.release(lease) {
                        self.detach_root(root.as_str());
                    }
                }
            },
            Mend::Announce(info) => self.targets.on_created(&info, now),
            Mend::Destroy(target) => {
                self.detach_all(&target);
                self.on_destroyed(&target);
            }
            Mend::DetachAll(target) => self.detach_all(&target),
            Mend::DetachUnknown(target) => {
                let own = self.targets.watchers().iter().chain([self.downloads.session()]).cloned().map(Some);
                let own: Vec<Option<CdpSessionId>> = own.chain([None]).collect();
                for on in own {
                    let params = format!(r#"{{"targetId":{}}}"#, quote(target.as_str()));
                    let method = "Target.detachFromTarget".into();
                    self.call(None, Call { on, method, params, settle: Settle::Plain }, Pending::Nobody);
                }
            }
            Mend::Close(page) => self.disposals.close(page, now),
        }
    }

    /// The CDP sessions on a target have ended.
    fn detach_all(&mut self, target: &TargetId) {
        for session in self.targets.sessions_on(target) {
            self.on_detached(session.as_str());
        }
    }
}

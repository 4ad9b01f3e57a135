//! What the pool asks of a browser to find out whether it is well, and how it ends one that is not.

use std::sync::{Arc, atomic::Ordering};

use tokio::sync::oneshot;

use super::{Browser, LinkRequest};
use crate::port::{Call, Settle};

impl Browser {
    /// Kills the process group at once; its sessions are told that the browser was lost, and why.
    pub(crate) fn kill(&self, why: Arc<str>) {
        let _ = self.shared.killed.set(why);
        self.shared.close.cancel();
    }

    /// The number of bytes that the browser has sent and taken. It grows while a large message is on its way.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Asks the browser for something that every browser answers at once; completes with the answer, whatever it is.
    /// There is no time limit. Never completes once the browser has ended.
    pub(crate) async fn probe(&self) {
        let method = "Browser.getVersion".into();
        let call = Call { on: None, method, params: "{}".to_owned(), settle: Settle::Plain };
        let (reply, answer) = oneshot::channel();
        self.order(LinkRequest::Own { call, lease: None, reply });
        if self.answered(answer).await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

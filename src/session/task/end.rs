//! How a session ends.

use std::future::poll_fn;

use super::{
    FAREWELL, SessionTask,
    saving::{EndOfProfile, save_profile},
};
use crate::{close_reason::CloseReason, session::lifecycle::Event};

impl SessionTask {
    /// Closes the sockets of all clients, saves the profile if it has one, and releases the lease.
    pub(super) async fn end(mut self: Box<Self>, gone: impl FnOnce(&CloseReason)) {
        let mut reason = self.over.take().unwrap_or(CloseReason::Bye("over"));
        if let CloseReason::BrowserLost(why) = &mut reason {
            self.tell_of_loss(why);
        }
        self.step(Event::Over(reason.clone()));
        let profile = self.save_at_end(&reason);
        let announced = profile.as_ref().map(EndOfProfile::announced);
        // The place in the browser is free at once; a client that closes slowly holds only its socket.
        let Self { mut views, lease, terms, record, jobs, control, inbox, .. } = *self;
        drop(jobs);
        let why = reason.clone();
        let leave = async move {
            if let Some(profile) = profile {
                save_profile(profile, inbox).await;
            }
            drop((lease, record));
            gone(&why);
            // A task that waits for the end of the session waits for this channel to close.
            drop(control);
        };
        let farewell = async {
            // Who connects elsewhere after it has heard of the end must not find the state before.
            if let Some(announced) = announced {
                announced.await;
            }
            for view in views.sockets_mut().filter(|view| view.leaving.is_none()) {
                view.client.close(&reason);
            }
            for view in views.sockets_mut() {
                poll_fn(|cx| view.client.poll_closed(cx)).await;
            }
        };
        let _ = tokio::join!(leave, tokio::time::timeout(FAREWELL, farewell));
        terms.metrics.views.dec_by(views.sockets().count().try_into().unwrap_or(0));
    }
}

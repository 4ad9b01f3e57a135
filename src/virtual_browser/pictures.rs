//! The screenshots of a session that wait or are being drawn, and the device pixels of its CDP sessions.

use super::arguments::Part;
use crate::{
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId, TargetId},
    },
    port::Permit,
};

/// The number of device pixels per CSS pixel that a CDP session has set.
#[derive(Debug)]
pub(super) struct DeviceScale {
    /// An upper bound of the present value.
    pub(super) most: f64,
    /// The number of commands without a reply that change it.
    asked: u32,
}

impl Default for DeviceScale {
    fn default() -> Self {
        Self { most: 1.0, asked: 0 }
    }
}

impl DeviceScale {
    /// A command that sets it is sent. The bound does not fall before Chrome's reply.
    pub(super) fn ask(&mut self, scale: f64) {
        self.most = self.most.max(scale);
        self.asked += 1;
    }

    /// Chrome has replied to such a command: with the new value, or `None` for an error.
    pub(super) fn answered(&mut self, scale: Option<f64>) {
        self.asked -= 1;
        if let Some(scale) = scale.filter(|_| self.asked == 0) {
            self.most = scale;
        }
    }
}

/// Most screenshots of ended CDP sessions that are tracked. These stop counting when their page is destroyed; older ones
/// count until their deadline.
const MOST_DETACHED: usize = 64;

/// A screenshot of a page that a client has requested.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) on: CdpSessionId,
    pub(super) id: CallId,
    pub(super) params: String,
    pub(super) part: Part,
    /// The value of [`Pictures::resized`] when the visible area was measured; `None` for a clip, which has a size.
    pub(super) measured: Option<u64>,
    /// Whether it is drawn on its own CDP session, and not on the one that has set the viewport of the page.
    pub(super) is_own: bool,
}

/// The screenshots of a session.
#[derive(Debug)]
pub(super) struct Pictures {
    /// The number that wait for a permit.
    pub(super) waiting: usize,
    /// The largest number that may wait for a permit.
    pub(super) most_waiting: usize,
    /// The number of commands so far that may have changed the visible area of a page.
    pub(super) resized: u64,
    /// Screenshots that Chrome may still draw although their CDP session has ended: no reply will come.
    detached: Vec<Drawing>,
}

/// A screenshot that Chrome draws. If it is dropped, it counts until its deadline, because Chrome continues to draw.
#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) page: TargetId,
    pub(super) permit: Option<Permit>,
}

impl Drawing {
    /// Chrome has finished: the screenshot does not count any more.
    pub(super) fn done(mut self) {
        self.permit = None;
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.leave();
        }
    }
}

impl Default for Pictures {
    fn default() -> Self {
        Self { waiting: 0, most_waiting: 1000, resized: 0, detached: Vec::new() }
    }
}

impl Pictures {
    /// Sets how many screenshots may wait for a permit.
    pub(super) fn limit(&mut self, most_waiting: usize) {
        self.most_waiting = most_waiting;
    }

    /// A command changes the visible area of a page or its device pixel ratio: a screenshot may have more pixels than were
    /// measured.
    pub(super) fn on_resizing(&mut self) {
        self.resized += 1;
    }

    /// Chrome has replied to a screenshot with an error.
    pub(super) fn failed(&mut self, drawing: Drawing, error: &CdpError) {
        if *error != CdpError::NO_SESSION {
            return drawing.done();
        }
        if self.detached.len() == MOST_DETACHED {
            self.detached.remove(0);
        }
        self.detached.push(drawing);
    }

    /// A page was destroyed or has crashed: Chrome does not draw it any more.
    pub(super) fn page_is_gone(&mut self, page: &TargetId) {
        self.detached.extract_if(.., |drawing| drawing.page == *page).for_each(Drawing::done);
    }
}

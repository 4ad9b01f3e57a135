//! Pictures of pages: how large one may be.
//!
//! One is as large as its clip, as all of its page or as what is in view of that, times the device pixels that CDP sessions
//! make of a CSS pixel.
//! *Measured:* 360 million pixels keep everybody waiting, and take memory by the gigabyte. So do several large pictures at
//! once; each goes up when the browser has a permit for as many pixels, which all its sessions share.

use serde::Deserialize;

use super::{Action, Pending, VirtualBrowser, arguments::Part};
use crate::{
    cdp::{
        emulation::{self, MAX_WINDOW},
        error::CdpError,
        ids::{CallId, CdpSessionId, TargetId},
        json_object::JsonObject,
        target::Kind,
    },
    port::{Permit, Settle, Tag},
};

/// The method.
const METHOD: &str = "Page.captureScreenshot";

/// How many device pixels a CDP session makes of a CSS pixel.
#[derive(Debug)]
pub(super) struct DeviceScale {
    /// At most so many.
    most: f64,
    /// Commands that change it and have not been answered.
    asked: u32,
}

impl Default for DeviceScale {
    fn default() -> Self {
        Self { most: 1.0, asked: 0 }
    }
}

impl DeviceScale {
    /// A command that sets it goes up. It may not be lower until Chrome has said so.
    pub(super) fn ask(&mut self, scale: f64) {
        self.most = self.most.max(scale);
        self.asked += 1;
    }

    /// Such a command was answered: with what it is now, or with an error.
    pub(super) fn answered(&mut self, scale: Option<f64>) {
        self.asked -= 1;
        if let Some(scale) = scale.filter(|_| self.asked == 0) {
            self.most = scale;
        }
    }
}

/// `cssContentSize` of `Page.getLayoutMetrics`.
#[derive(Deserialize)]
struct Size {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// `cssLayoutViewport`.
#[derive(Deserialize)]
struct View {
    #[serde(rename = "clientWidth")]
    width: f64,
    #[serde(rename = "clientHeight")]
    height: f64,
}

/// So many pictures whose CDP session has ended are given up early when their page goes; older ones count to the end.
const MOST_DETACHED: usize = 64;

/// A picture that a client wants of a page.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) on: CdpSessionId,
    pub(super) id: CallId,
    params: String,
    part: Part,
    /// The value of [`Pictures::resized`] when what is in view was measured. A clip has its own size.
    measured: Option<u64>,
}

/// The pictures of a session.
#[derive(Debug)]
pub(super) struct Pictures {
    /// So many wait for a permit.
    waiting: usize,
    /// So many may.
    most_waiting: usize,
    /// Commands so far that may have changed what is in view of a page.
    resized: u64,
    /// Those that Chrome may still be drawing though their CDP session has ended: nobody will hear when it is done.
    detached: Vec<Drawing>,
}

/// A picture that Chrome is drawing. Dropped, it counts until Chrome would be late with it: whoever let go of it has
/// not stopped Chrome.
#[derive(Debug)]
pub(super) struct Drawing {
    page: TargetId,
    permit: Option<Permit>,
}

impl Drawing {
    /// It is over, and the next one may be taken.
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
    /// How many may wait for a permit from now on.
    pub(super) fn limit(&mut self, most_waiting: usize) {
        self.most_waiting = most_waiting;
    }

    /// A command resizes what is in view of a page, or changes its device pixels: perhaps a picture of what is in view has
    /// more of them than was measured.
    pub(super) fn on_resizing(&mut self) {
        self.resized += 1;
    }

    /// A picture was answered with an error.
    pub(super) fn failed(&mut self, drawing: Drawing, error: &CdpError) {
        if *error != CdpError::NO_SESSION {
            return drawing.done();
        }
        if self.detached.len() == MOST_DETACHED {
            self.detached.remove(0);
        }
        self.detached.push(drawing);
    }

    /// A page has gone or crashed, and nothing of it is drawn any more.
    pub(super) fn page_is_gone(&mut self, page: &TargetId) {
        self.detached.extract_if(.., |drawing| drawing.page == *page).for_each(Drawing::done);
    }
}

impl VirtualBrowser {
    /// Takes a picture of a page, if it is not too large, and as soon as the browser has room for it.
    pub(super) fn take_picture(&mut self, on: &CdpSessionId, id: CallId, params: &str, part: Part) {
        self.take(Picture { on: on.clone(), id, params: params.to_owned(), part, measured: None });
    }

    fn take(&mut self, picture: Picture) {
        let Part::Clip { width, height, scale } = picture.part else { return self.measure(picture) };
        let (on, id) = (&picture.on, picture.id);
        let scale = scale * self.device_scale(on);
        if let Err(why) = emulation::picture(width, height, scale) {
            return self.refuse(&picture.on, id, &CdpError::params(why));
        }
        let most = self.pictures.most_waiting;
        if self.pictures.waiting >= most {
            let error = format!(
                "'{METHOD}' is refused: screenshot_queue allows that {most} of this session wait for their turn; take the \
                 next when some have been answered"
            );
            return self.refuse(&picture.on, id, &CdpError::server(error));
        }
        self.pictures.waiting += 1;
        let pixels = emulation::pixels(width, height, scale);
        let tag = self.expect(Pending::Permit(picture, pixels));
        self.actions.push(Action::Permit(tag, pixels));
    }

    fn measure(&mut self, mut picture: Picture) {
        picture.measured = Some(self.pictures.resized);
        self.call(
            picture.on.clone(),
            "Page.getLayoutMetrics",
            "{}".to_owned(),
            Settle::Plain,
            Pending::Picture(picture),
        );
    }

    /// The browser has room for a picture.
    pub fn on_permit(&mut self, tag: Tag, permit: Permit) {
        self.pictures.waiting -= 1;
        let Some(Pending::Permit(mut picture, pixels)) = self.settled(tag) else { return };
        let Some(page) = self.scope.sessions.get(&picture.on).map(|cdp| cdp.target.clone()) else { return };
        if picture.measured.is_some_and(|at| at != self.pictures.resized) {
            // More may be in view by now.
            picture.part = Part::Viewport;
            return self.take(picture);
        }
        if let Part::Clip { width, height, scale } = picture.part
            && emulation::pixels(width, height, scale * self.device_scale(&picture.on)) > pixels
        {
            // It waits for what it takes by now, or is refused.
            return self.take(picture);
        }
        let Picture { on, id, params, .. } = picture;
        self.call(
            on.clone(),
            METHOD,
            params,
            Settle::Plain,
            Pending::Taken(on, id, Drawing { page, permit: Some(permit) }),
        );
    }

    /// The page has said how large it is, or what is in view of it.
    pub(super) fn on_measured(&mut self, mut picture: Picture, metrics: &str) {
        let size = JsonObject::read(metrics).and_then(|metrics| match picture.part {
            Part::Viewport => {
                metrics.read_as("cssLayoutViewport").map(|View { width, height }| (0.0, 0.0, width, height))
            }
            _ => metrics.read_as("cssContentSize").map(|Size { x, y, width, height }| (x, y, width, height)),
        });
        let (Some((x, y, width, height)), Some(mut params)) = (size, JsonObject::read(&picture.params)) else {
            let error = CdpError::server("Unable to capture screenshot");
            return self.scope.fail(&picture.on, picture.id, &error);
        };
        if picture.part == Part::Whole {
            // Chrome is asked for just that: it may be larger by then.
            params.set_raw("clip", format!(r#"{{"x":{x},"y":{y},"width":{width},"height":{height},"scale":1}}"#));
            picture.params = params.to_string();
            picture.measured = None;
        } else if picture.measured != Some(self.pictures.resized) {
            return self.measure(picture);
        }
        picture.part = Part::Clip { width, height, scale: 1.0 };
        self.take(picture);
    }

    /// A page has not said how large it is. What is in view of a tab, which never says it, is no more than the largest
    /// window.
    pub(super) fn on_unmeasured(&mut self, mut picture: Picture, error: &CdpError) {
        let may_go_on = self.scope.sessions.contains_key(&picture.on) && *error != CdpError::NO_SESSION;
        if picture.part != Part::Viewport || !may_go_on {
            return self.scope.fail(&picture.on, picture.id, error);
        }
        picture.part = Part::Clip { width: MAX_WINDOW, height: MAX_WINDOW, scale: 1.0 };
        self.take(picture);
    }

    /// A command that changes how many device pixels are a CSS pixel was answered.
    pub(super) fn scaled(&mut self, on: &CdpSessionId, scale: Option<f64>) {
        if let Some(cdp) = self.scope.sessions.get_mut(on) {
            cdp.device_scale.answered(scale);
        }
    }

    /// The most device pixels that anybody makes of a CSS pixel of the page that a CDP session is on.
    fn device_scale(&self, on: &CdpSessionId) -> f64 {
        let Some(page) = self.scope.sessions.get(on).map(|cdp| &cdp.target) else { return 1.0 };
        let on_it = self.scope.sessions.values().filter(|cdp| cdp.target == *page || cdp.kind == Kind::Tab);
        let scales = on_it.map(|cdp| cdp.device_scale.most);
        scales.chain(self.emulators.device_scale(page)).fold(1.0, f64::max)
    }
}

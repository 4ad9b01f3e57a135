//! Limits the size and the number of screenshots.
//!
//! The size of a screenshot is that of its clip, of the whole page or of the visible area, times the device pixel ratio.
//! *Measured:* 360 million pixels delay all sessions of the browser, and take gigabytes of memory; so do several large
//! screenshots at the same time. So a screenshot is sent to Chrome when the browser has a permit for its pixels; the
//! sessions of a browser share the permits.

use serde::Deserialize;

use super::{
    Action, Pending, VirtualBrowser,
    arguments::Part,
    cdp_session::Cdp,
    claims::Claim,
    pictures::{Drawing, Picture},
};
use crate::{
    cdp::{
        emulation::{self, Aspect, MAX_WINDOW},
        error::CdpError,
        ids::{CallId, CdpSessionId, TargetId},
        json_object::JsonObject,
        target::Kind,
    },
    port::{Permit, Settle, Tag},
};

const METHOD: &str = "Page.captureScreenshot";

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

impl VirtualBrowser {
    /// Takes a screenshot of a page, if it is not too large, once the browser has a permit for it.
    pub(super) fn take_picture(&mut self, on: &CdpSessionId, id: CallId, params: &str, part: Part) {
        // A client's is drawn as in Chrome.
        let is_own = self.scope.sessions.get(on).is_some_and(|cdp| !cdp.of_calls);
        self.take(Picture { on: on.clone(), id, params: params.to_owned(), part, measured: None, is_own });
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

    /// A permit for a screenshot was given.
    pub fn on_permit(&mut self, tag: Tag, permit: Permit) {
        self.pictures.waiting -= 1;
        let Some(Pending::Permit(mut picture, pixels)) = self.settled(tag) else { return };
        let Some(page) = self.scope.sessions.get(&picture.on).map(|cdp| cdp.target.clone()) else { return };
        if picture.measured.is_some_and(|at| at != self.pictures.resized) {
            // The visible area may have grown.
            picture.part = Part::Viewport;
            return self.take(picture);
        }
        if let Part::Clip { width, height, scale } = picture.part
            && emulation::pixels(width, height, scale * self.device_scale(&picture.on)) > pixels
        {
            // It has more pixels now: it waits for a larger permit, or is refused.
            return self.take(picture);
        }
        let emulator = if picture.is_own { None } else { self.emulator(&page) };
        let painter = emulator.unwrap_or_else(|| picture.on.clone());
        picture.is_own = painter == picture.on;
        let params = picture.params.clone();
        let drawing = Drawing { page, permit: Some(permit) };
        self.call(painter, METHOD, params, Settle::Plain, Pending::Taken(picture, drawing));
    }

    /// Chrome has replied to a screenshot with an error.
    pub(super) fn on_untaken(&mut self, mut picture: Picture, drawing: Drawing, error: &CdpError) {
        self.pictures.failed(drawing, error);
        if *error == CdpError::NO_SESSION && !picture.is_own {
            // The CDP session that has set the viewport has ended, and the viewport with it.
            picture.is_own = true;
            return self.take(picture);
        }
        self.scope.fail(&picture.on, picture.id, error);
    }

    /// The reply to `Page.getLayoutMetrics`: the size of the page or of its visible area.
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
            // Chrome gets this size as a clip: the page may be larger when it is drawn.
            params.set_raw("clip", format!(r#"{{"x":{x},"y":{y},"width":{width},"height":{height},"scale":1}}"#));
            picture.params = params.to_string();
            picture.measured = None;
        } else if picture.measured != Some(self.pictures.resized) {
            return self.measure(picture);
        }
        picture.part = Part::Clip { width, height, scale: 1.0 };
        self.take(picture);
    }

    /// `Page.getLayoutMetrics` failed. A tab always refuses it; its visible area is at most the largest window.
    pub(super) fn on_unmeasured(&mut self, mut picture: Picture, error: &CdpError) {
        let may_go_on = self.scope.sessions.contains_key(&picture.on) && *error != CdpError::NO_SESSION;
        if picture.part != Part::Viewport || !may_go_on {
            return self.scope.fail(&picture.on, picture.id, error);
        }
        picture.part = Part::Clip { width: MAX_WINDOW, height: MAX_WINDOW, scale: 1.0 };
        self.take(picture);
    }

    /// The CDP session that has set the viewport of a page, if one has. A screenshot of a call of REST is drawn there: Chrome
    /// draws it with the device pixel ratio of the CDP session that asks for it, and clears that of the others if it has a
    /// clip (*measured*).
    fn emulator(&self, page: &TargetId) -> Option<CdpSessionId> {
        let viewport = Claim::Emulation(Aspect::Viewport);
        let has_set = |cdp: &Cdp| cdp.target == *page && cdp.claims.has(viewport);
        let of_views = self.scope.sessions.iter().find(|(_, cdp)| has_set(cdp)).map(|(session, _)| session);
        of_views.or_else(|| self.emulators.of(page, Aspect::Viewport)).cloned()
    }

    /// Chrome has replied to a command that changes the device pixel ratio.
    pub(super) fn scaled(&mut self, on: &CdpSessionId, scale: Option<f64>) {
        if let Some(cdp) = self.scope.sessions.get_mut(on) {
            cdp.device_scale.answered(scale);
        }
    }

    /// The largest device pixel ratio that any CDP session has set for the page of this CDP session.
    fn device_scale(&self, on: &CdpSessionId) -> f64 {
        let Some(page) = self.scope.sessions.get(on).map(|cdp| &cdp.target) else { return 1.0 };
        let on_it = self.scope.sessions.iter().filter(|(_, cdp)| cdp.target == *page || cdp.kind == Kind::Tab);
        let scales = on_it.map(|(_, cdp)| cdp.device_scale.most);
        scales.chain(self.emulators.device_scale(page)).fold(1.0, f64::max)
    }
}

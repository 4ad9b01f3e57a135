//! Pictures of pages: how large one may be.
//!
//! One is as large as its clip, as all of its page or as what is in view of that, times the device pixels that CDP sessions
//! make of a CSS pixel.
//! *Measured:* 360 million pixels keep everybody waiting, and take memory by the gigabyte.

use serde::Deserialize;

use super::{Pending, Session, arguments::Part};
use crate::cdp::{
    emulation::{self, MAX_WINDOW},
    error::CdpError,
    ids::{CallId, CdpSessionId},
    lease::Settle,
    object::Object,
    target::Kind,
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

impl Session {
    /// Takes a picture of a page, if it is not too large.
    pub(super) fn take_picture(&mut self, on: &CdpSessionId, id: CallId, params: &str, part: Part) {
        let device_scale = self.device_scale(on);
        let fits = |width, height, scale: f64| emulation::picture(width, height, scale * device_scale);
        let checked = match part {
            Part::Clip { width, height, scale } => fits(width, height, scale),
            // However large the window is.
            Part::Viewport if fits(MAX_WINDOW, MAX_WINDOW, 1.0).is_ok() => Ok(()),
            Part::Whole | Part::Viewport => {
                let pending = Pending::Picture(on.clone(), id, params.to_owned(), part);
                return self.call(on.clone(), "Page.getLayoutMetrics", "{}".to_owned(), Settle::Plain, pending);
            }
        };
        match checked {
            Ok(()) => self.pass_with(on, id, METHOD, params),
            Err(why) => self.refuse(on, id, &CdpError::params(why)),
        }
    }

    /// The page has said how large it is, or what is in view of it.
    pub(super) fn on_measured(&mut self, on: &CdpSessionId, id: CallId, params: &str, part: &Part, metrics: &str) {
        let size = Object::read(metrics).and_then(|metrics| match part {
            Part::Viewport => {
                metrics.read_as("cssLayoutViewport").map(|View { width, height }| (0.0, 0.0, width, height))
            }
            _ => metrics.read_as("cssContentSize").map(|Size { x, y, width, height }| (x, y, width, height)),
        });
        let (Some((x, y, width, height)), Some(mut params)) = (size, Object::read(params)) else {
            return self.scope.fail(on, id, &CdpError::server("Unable to capture screenshot"));
        };
        if *part == Part::Whole {
            // Chrome is asked for just that: it may be larger by then.
            params.set_raw("clip", format!(r#"{{"x":{x},"y":{y},"width":{width},"height":{height},"scale":1}}"#));
        }
        let params = params.to_string();
        self.take_picture(on, id, &params, Part::Clip { width, height, scale: 1.0 });
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

//! The mouse: clicks, movements, the wheel.

use std::time::Duration;

use serde_json::json;

use super::{commands::MouseEvent, driven::Page, keys, present::Mouse};
use crate::{
    api_types::{Modifier, MouseButton, Point},
    session::pages::PageError,
};

/// How long an action waits for a navigation that it has begun.
const NAVIGATION: Duration = Duration::from_secs(5);

/// What a pointer action does at the point of its element.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Moves there.
    Move { modifiers: Vec<Modifier> },
    /// Clicks there.
    Click { button: MouseButton, count: u32, modifiers: Vec<Modifier>, delay: Duration },
    /// Turns the wheel there, by so many CSS pixels.
    Wheel { dx: f64, dy: f64 },
    /// Taps there.
    Tap { modifiers: Vec<Modifier> },
    /// Moves there, and presses the first button.
    Down,
    /// Moves there in so many movements, and releases the first button.
    Up { steps: u32 },
}

impl Act {
    /// A plain click.
    pub(super) fn click() -> Self {
        Self::Click { button: MouseButton::Left, count: 1, modifiers: Vec::new(), delay: Duration::ZERO }
    }

    /// What is checked: the events that the element must receive, and whether it must be enabled.
    fn checks(&self) -> (&'static str, bool) {
        match self {
            Self::Click { .. } => ("mouse", true),
            Self::Tap { .. } => ("tap", true),
            Self::Down => ("mouse", false),
            // What is dragged is under the mouse when it is released.
            Self::Up { .. } => ("drag", false),
            Self::Move { .. } | Self::Wheel { .. } => ("hover", false),
        }
    }

    fn modifiers(&self) -> &[Modifier] {
        match self {
            Self::Move { modifiers } | Self::Click { modifiers, .. } | Self::Tap { modifiers } => modifiers,
            Self::Wheel { .. } | Self::Down | Self::Up { .. } => &[],
        }
    }
}

/// How a pointer action is performed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct How {
    /// Whether nothing is checked.
    pub(super) force: bool,
    /// Whether nothing is done.
    pub(super) trial: bool,
    /// Where in the element, from the upper left corner of its padding.
    pub(super) position: Option<Point>,
}

impl Page {
    /// Performs a pointer action on an element, once that is as Playwright wants it for such an action.
    pub(super) async fn point(&self, what: &'static str, selector: &str, act: &Act, how: How) -> Result<(), PageError> {
        let How { force, trial, position } = how;
        let (kind, enabled) = act.checks();
        let wanted = match (force, enabled, kind) {
            (true, _, _) => "to have a visible point",
            (false, true, "tap") => "to be visible, stable, enabled, and to receive the tap",
            (false, true, _) => "to be visible, stable, enabled, and to receive the click",
            (false, false, _) => "to be visible, stable, and to receive the movement",
        };
        self.waits_for(format!("{selector} {wanted}"));
        let args = json!({ "kind": kind, "enabled": enabled, "force": force, "trial": trial, "position": position });
        for attempt in 0.. {
            let (frame, step) = self.step(what, Some(selector), "pointer", args.clone()).await?;
            if let Some(point) = self.in_viewport(&frame, (step.x, step.y), !force).await? {
                if !trial {
                    self.act(point, act).await?;
                }
                match self.call(&frame, "release", &json!({})).await {
                    // The document was replaced by what the click did.
                    Ok(None) => return self.settle().await,
                    Ok(Some(step)) => {
                        if self.judge(what, selector, step)?.is_some() {
                            return self.settle().await;
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            self.pause(attempt).await;
        }
        Ok(())
    }

    /// Turns the wheel where the mouse is: in the middle of the viewport.
    pub(super) async fn wheel(&self, dx: f64, dy: f64) -> Result<(), PageError> {
        let screen = self.call(&self.main(), "screen", &json!({})).await?.unwrap_or_default();
        self.act((screen.width / 2.0, screen.height / 2.0), &Act::Wheel { dx, dy }).await
    }

    /// Does it at a point of the viewport.
    pub(super) async fn act(&self, (x, y): (f64, f64), act: &Act) -> Result<(), PageError> {
        if let Act::Tap { modifiers } = act {
            return self.tap_at((x, y), modifiers).await;
        }
        let Mouse { at: before, is_pressed } = *self.mouse();
        let (button, buttons) = if is_pressed { ("left", 1) } else { ("none", 0) };
        let modifiers = keys::bits(act.modifiers());
        let (delta_x, delta_y) = (None, None);
        let moved =
            MouseEvent { kind: "mouseMoved", x, y, button, buttons, click_count: 0, modifiers, delta_x, delta_y };
        if let Act::Up { steps } = act {
            for step in 1..*steps {
                let part = f64::from(step) / f64::from(*steps);
                let (x, y) = (before.0 + (x - before.0) * part, before.1 + (y - before.1) * part);
                self.send(&MouseEvent { x, y, ..moved.clone() }).await?;
            }
        }
        self.send(&moved).await?;
        if matches!(act, Act::Up { .. }) {
            // Chrome tells an element with the first movement that something is dragged over it, and asks with the second
            // whether it may be dropped there.
            self.send(&moved).await?;
        }
        self.mouse().at = (x, y);
        match act {
            Act::Move { .. } | Act::Tap { .. } => {}
            Act::Wheel { dx, dy } => {
                self.send(&MouseEvent { kind: "mouseWheel", delta_x: Some(*dx), delta_y: Some(*dy), ..moved }).await?;
            }
            Act::Down => {
                self.mouse().is_pressed = true;
                let pressed = MouseEvent { kind: "mousePressed", button: "left", buttons: 1, click_count: 1, ..moved };
                self.send(&pressed).await?;
            }
            Act::Up { .. } => self.let_mouse_go().await?,
            Act::Click { button, count, delay, .. } => {
                let (button, buttons) = match button {
                    MouseButton::Left => ("left", 1),
                    MouseButton::Right => ("right", 2),
                    MouseButton::Middle => ("middle", 4),
                };
                for click_count in 1..=*count {
                    let pressed = MouseEvent { kind: "mousePressed", button, buttons, click_count, ..moved.clone() };
                    self.send(&pressed).await?;
                    if !delay.is_zero() {
                        tokio::time::sleep(*delay).await;
                    }
                    self.send(&MouseEvent { kind: "mouseReleased", buttons: 0, ..pressed }).await?;
                }
            }
        }
        Ok(())
    }

    /// Releases the button that a drag has pressed, if it has.
    pub(super) async fn let_mouse_go(&self) -> Result<(), PageError> {
        let Mouse { at: (x, y), is_pressed } = std::mem::take(&mut *self.mouse());
        if !is_pressed {
            return Ok(());
        }
        let (delta_x, delta_y) = (None, None);
        let (kind, button) = ("mouseReleased", "left");
        self.send(&MouseEvent { kind, x, y, button, buttons: 0, click_count: 1, modifiers: 0, delta_x, delta_y }).await
    }

    async fn send(&self, event: &MouseEvent<'_>) -> Result<(), PageError> {
        self.acts();
        self.ask_long(self.driver(), event).await.map(drop)
    }

    /// Waits until a navigation that the action has begun shows its document, or ends otherwise. One that takes long goes
    /// on without the action.
    pub(super) async fn settle(&self) -> Result<(), PageError> {
        // Events of the action came before this answer.
        if self.call(&self.main(), "screen", &json!({})).await?.is_none() || self.state().is_navigating {
            self.waits_for("the navigation that the action has begun");
            let navigated = self.wait_for(|state| !state.is_navigating);
            return tokio::time::timeout(NAVIGATION, navigated).await.unwrap_or(Ok(()));
        }
        Ok(())
    }

    /// Checks or unchecks a checkbox or radio button.
    pub(super) async fn set_checked(
        &self,
        what: &'static str,
        selector: &str,
        wanted: bool,
        force: bool,
    ) -> Result<(), PageError> {
        self.waits_for(format!("{selector} to be in the document"));
        let (_, step) = self.step(what, Some(selector), "isChecked", json!({})).await?;
        if step.is == wanted {
            return Ok(());
        }
        self.point(what, selector, &Act::click(), How { force, ..How::default() }).await?;
        let (_, step) = self.step(what, Some(selector), "isChecked", json!({})).await?;
        if step.is == wanted {
            return Ok(());
        }
        Err(PageError::Impossible { what, why: "the click did not change its state".to_owned() })
    }
}

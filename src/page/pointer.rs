//! The mouse: clicks, movements, the wheel.

use std::time::Duration;

use serde_json::json;

use super::{commands::MouseEvent, driven::Page, keys};
use crate::{
    api_types::{Modifier, MouseButton},
    session::pages::PageError,
};

/// How long an action waits for a navigation that it has begun.
const NAVIGATION: Duration = Duration::from_secs(5);

/// What a pointer action does at the point of its element.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Moves there.
    Move,
    /// Clicks there.
    Click { button: MouseButton, count: u32, modifiers: Vec<Modifier> },
    /// Turns the wheel there, by so many CSS pixels.
    Wheel { dx: f64, dy: f64 },
}

/// How a pointer action is performed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct How {
    /// Whether nothing is checked.
    pub(super) force: bool,
    /// Whether nothing is done.
    pub(super) trial: bool,
}

impl Page {
    /// Performs a pointer action on an element, once that is as Playwright wants it for such an action.
    pub(super) async fn point(&self, what: &'static str, selector: &str, act: &Act, how: How) -> Result<(), PageError> {
        let How { force, trial } = how;
        let (kind, enabled) = match act {
            Act::Click { .. } => ("mouse", true),
            Act::Move | Act::Wheel { .. } => ("hover", false),
        };
        let wanted = match (force, enabled) {
            (true, _) => "to have a visible point",
            (false, true) => "to be visible, stable, enabled, and to receive the click",
            (false, false) => "to be visible, stable, and to receive the movement",
        };
        self.waits_for(format!("{selector} {wanted}"));
        let args = json!({ "kind": kind, "enabled": enabled, "force": force, "trial": trial });
        for attempt in 0.. {
            let (frame, step) = self.step(what, Some(selector), "pointer", args.clone()).await?;
            if let Some(point) = self.in_viewport(&frame, (step.x, step.y)).await? {
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

    async fn act(&self, (x, y): (f64, f64), act: &Act) -> Result<(), PageError> {
        let mut event = MouseEvent {
            kind: "mouseMoved",
            x,
            y,
            button: "none",
            buttons: 0,
            click_count: 0,
            modifiers: 0,
            delta_x: None,
            delta_y: None,
        };
        if let Act::Click { modifiers, .. } = act {
            event.modifiers = modifiers.iter().map(|modifier| keys::bit(*modifier)).fold(0, |all, bit| all | bit);
        }
        self.send(&event).await?;
        match act {
            Act::Move => {}
            Act::Wheel { dx, dy } => {
                self.send(&MouseEvent { kind: "mouseWheel", delta_x: Some(*dx), delta_y: Some(*dy), ..event }).await?;
            }
            Act::Click { button, count, .. } => {
                let (button, buttons) = match button {
                    MouseButton::Left => ("left", 1),
                    MouseButton::Right => ("right", 2),
                    MouseButton::Middle => ("middle", 4),
                };
                for click_count in 1..=*count {
                    let pressed = MouseEvent { kind: "mousePressed", button, buttons, click_count, ..event.clone() };
                    self.send(&pressed).await?;
                    self.send(&MouseEvent { kind: "mouseReleased", buttons: 0, ..pressed }).await?;
                }
            }
        }
        Ok(())
    }

    async fn send(&self, event: &MouseEvent<'_>) -> Result<(), PageError> {
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
        let click = Act::Click { button: MouseButton::Left, count: 1, modifiers: Vec::new() };
        self.point(what, selector, &click, How { force, trial: false }).await?;
        let (_, step) = self.step(what, Some(selector), "isChecked", json!({})).await?;
        if step.is == wanted {
            return Ok(());
        }
        Err(PageError::Impossible { what, why: "the click did not change its state".to_owned() })
    }
}

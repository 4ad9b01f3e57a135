//! The finger: taps.

use super::{driven::Page, keys};
use crate::{
    api_types::Modifier,
    browser::commands::{Nothing, commands},
    session::pages::PageError,
};

commands! {
    "Input.dispatchTouchEvent" = TouchEvent<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        touch_points: Vec<TouchPoint>,
        modifiers: u32,
    } -> Nothing;
}

#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct TouchPoint {
    x: f64,
    y: f64,
}

impl Page {
    /// Taps a point of the viewport.
    pub(super) async fn tap_at(&self, (x, y): (f64, f64), modifiers: &[Modifier]) -> Result<(), PageError> {
        let modifiers = keys::bits(modifiers);
        self.acts();
        let start = TouchEvent { kind: "touchStart", touch_points: vec![TouchPoint { x, y }], modifiers };
        self.ask_long(self.driver(), &start).await?;
        let end = TouchEvent { kind: "touchEnd", touch_points: Vec::new(), modifiers };
        self.ask_long(self.driver(), &end).await.map(drop)
    }
}

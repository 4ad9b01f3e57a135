//! The keyboard and form fields.

use std::time::Duration;

use serde_json::json;

use super::{
    commands::{InsertText, KeyEvent},
    driven::Page,
    keys::{self, Key},
};
use crate::{api_types::Modifier, session::pages::PageError};

impl Page {
    /// Focuses an element. With `reset` the cursor of a text field that had no focus goes to its beginning.
    pub(super) async fn focus(&self, what: &'static str, selector: &str, reset: bool) -> Result<(), PageError> {
        self.waits_for(format!("{selector} to be in the document"));
        self.step(what, Some(selector), "focus", json!({ "reset": reset })).await.map(drop)
    }

    /// Takes the focus from an element.
    pub(super) async fn blur(&self, what: &'static str, selector: &str) -> Result<(), PageError> {
        self.waits_for(format!("{selector} to be in the document"));
        self.step(what, Some(selector), "blur", json!({})).await?;
        self.settle().await
    }

    /// Puts a text into a form field in place of what it has.
    pub(super) async fn fill(
        &self,
        what: &'static str,
        selector: &str,
        value: &str,
        force: bool,
    ) -> Result<(), PageError> {
        self.waits_for(format!("{selector} to be visible, enabled and editable"));
        let args = json!({ "value": value, "force": force });
        let (_, step) = self.step(what, Some(selector), "fill", args).await?;
        if step.status == "input" {
            // The present text is selected.
            if value.is_empty() {
                self.press(&[], &Key::named("Delete").unwrap_or_else(|| unreachable!("a key of the table"))).await?;
            } else {
                self.ask_long(self.driver(), &InsertText { text: value }).await?;
            }
        }
        self.settle().await
    }

    /// Selects options of a list.
    pub(super) async fn select(
        &self,
        what: &'static str,
        selector: &str,
        values: &[String],
    ) -> Result<Vec<String>, PageError> {
        self.waits_for(format!("{selector} to be visible and enabled, and to have the options"));
        let (_, step) = self.step(what, Some(selector), "select", json!({ "values": values })).await?;
        self.settle().await?;
        Ok(step.values)
    }

    /// Types a text, one key after the other.
    pub(super) async fn type_text(&self, text: &str, delay: Duration) -> Result<(), PageError> {
        self.waits_for("the text to be typed");
        for sign in text.chars() {
            match Key::of_char(sign) {
                Some(key) => self.press(&[], &key).await?,
                None => {
                    self.ask_long(self.driver(), &InsertText { text: &sign.to_string() }).await?;
                }
            }
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
        }
        self.settle().await
    }

    /// Presses a key while others are held.
    pub(super) async fn press(&self, held: &[Modifier], key: &Key) -> Result<(), PageError> {
        let mut modifiers = 0;
        for modifier in held {
            modifiers |= keys::bit(*modifier);
            if let Some(key) = modifier_key(*modifier) {
                self.send_key("rawKeyDown", modifiers, &key).await?;
            }
        }
        self.send_key(if key.text.is_some() { "keyDown" } else { "rawKeyDown" }, modifiers, key).await?;
        self.send_key("keyUp", modifiers, key).await?;
        for modifier in held.iter().rev() {
            modifiers &= !keys::bit(*modifier);
            if let Some(key) = modifier_key(*modifier) {
                self.send_key("keyUp", modifiers, &key).await?;
            }
        }
        Ok(())
    }

    async fn send_key(&self, kind: &str, modifiers: u32, key: &Key) -> Result<(), PageError> {
        let text = key.text.as_deref().filter(|_| kind == "keyDown");
        self.acts();
        let event =
            KeyEvent { kind, modifiers, key: &key.value, code: &key.code, windows_virtual_key_code: key.number, text };
        self.ask_long(self.driver(), &event).await.map(drop)
    }
}

fn modifier_key(modifier: Modifier) -> Option<Key> {
    Key::named(match modifier {
        Modifier::Alt => "Alt",
        Modifier::Control => "Control",
        Modifier::Meta => "Meta",
        Modifier::Shift => "Shift",
    })
}

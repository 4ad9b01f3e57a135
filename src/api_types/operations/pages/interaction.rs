//! The operations that act on a page as a user does: mouse, touch, forms, files, dialogs.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::{
    super::{Acted, Bad, Expect, FileForPage, Locator, Millis, Modifier, MouseButton, Point, given, locator, whole},
    CommandResult::Output,
    Operation, Rest, RestInput, Row,
    action::{OF_PAGE, action},
};

/// An element of a page, named in one of three ways.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ElementName {
    /// The element. One of `locator`, `selector` and `ref` names it.
    #[serde(deserialize_with = "given")]
    pub locator: Option<Locator>,
    /// The element, in Playwright's selector syntax.
    #[serde(deserialize_with = "given")]
    pub selector: Option<String>,
    /// The element, by a reference of the last `snapshot`, such as `e12`.
    #[serde(rename = "ref", deserialize_with = "given")]
    pub of_ref: Option<String>,
}

impl ElementName {
    /// The selector of the element; `None` if none is named.
    pub fn element(&self) -> Result<Option<String>, Bad> {
        locator::element(self.selector.as_deref(), self.locator.as_ref(), self.of_ref.as_deref())
    }
}

/// A field of a form, and what it is given: one of `value`, `checked` and `options`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FormField {
    /// The field. One of `locator`, `selector` and `ref` names it.
    #[serde(deserialize_with = "given")]
    pub locator: Option<Locator>,
    /// The field, in Playwright's selector syntax.
    #[serde(deserialize_with = "given")]
    pub selector: Option<String>,
    /// The field, by a reference of the last `snapshot`, such as `e12`.
    #[serde(rename = "ref", deserialize_with = "given")]
    pub of_ref: Option<String>,
    /// The text of a text field.
    #[serde(deserialize_with = "given")]
    pub value: Option<String>,
    /// The name of a secret in place of a text.
    #[serde(deserialize_with = "given")]
    pub secret: Option<String>,
    /// Whether the field gets the one-time password of the secret.
    pub totp: bool,
    /// Whether a checkbox or radio button is checked.
    #[serde(deserialize_with = "given")]
    pub checked: Option<bool>,
    /// The values or labels of the options of a list that are selected.
    #[serde(deserialize_with = "given")]
    pub options: Option<Vec<String>>,
}

impl FormField {
    /// The selector of the field; `None` if none is named.
    pub fn element(&self) -> Result<Option<String>, Bad> {
        locator::element(self.selector.as_deref(), self.locator.as_ref(), self.of_ref.as_deref())
    }
}

action! {
    /// Clicks an element, once it is visible, stable, enabled, and receives the click; or, with `x` and `y`, a point of the
    /// viewport at once.
    element PageClick = "pageClick", "click" -> Acted {
        /// The button; `left` if absent.
        #[serde(default)]
        button: MouseButton,
        /// How often, 1 to 3; 1 if absent.
        #[serde(default, deserialize_with = "whole")]
        #[schemars(range(min = 1, max = 3))]
        click_count: Option<u32>,
        /// The keys that are held.
        #[serde(default)]
        modifiers: Vec<Modifier>,
        /// Where in the element, from the upper left corner of its padding; in the middle of what is visible if absent.
        #[serde(default, deserialize_with = "given")]
        position: Option<Point>,
        /// The time between pressing and releasing the button.
        #[serde(default, deserialize_with = "given")]
        delay: Option<Millis>,
        /// Without an element: from the left of the viewport, in CSS pixels.
        #[serde(default, deserialize_with = "given")]
        x: Option<f64>,
        /// Without an element: from the top of the viewport.
        #[serde(default, deserialize_with = "given")]
        y: Option<f64>,
        /// Whether nothing is waited for except that the element exists.
        #[serde(default)]
        force: bool,
        /// Whether everything is waited for, and nothing is clicked.
        #[serde(default)]
        trial: bool,
    }

    /// Clicks an element twice, as a double click.
    element PageDblclick = "pageDblclick", "dblclick" -> Acted {
        /// The button; `left` if absent.
        #[serde(default)]
        button: MouseButton,
        /// The keys that are held.
        #[serde(default)]
        modifiers: Vec<Modifier>,
        /// Where in the element, from the upper left corner of its padding; in the middle of what is visible if absent.
        #[serde(default, deserialize_with = "given")]
        position: Option<Point>,
        /// The time between pressing and releasing the button.
        #[serde(default, deserialize_with = "given")]
        delay: Option<Millis>,
        /// Without an element: from the left of the viewport, in CSS pixels.
        #[serde(default, deserialize_with = "given")]
        x: Option<f64>,
        /// Without an element: from the top of the viewport.
        #[serde(default, deserialize_with = "given")]
        y: Option<f64>,
        /// Whether nothing is waited for except that the element exists.
        #[serde(default)]
        force: bool,
        /// Whether everything is waited for, and nothing is clicked.
        #[serde(default)]
        trial: bool,
    }

    /// Moves the mouse over an element, once it is visible, stable, and receives the movement.
    element PageHover = "pageHover", "hover" -> Acted {
        /// The keys that are held.
        #[serde(default)]
        modifiers: Vec<Modifier>,
        /// Where in the element, from the upper left corner of its padding; in the middle of what is visible if absent.
        #[serde(default, deserialize_with = "given")]
        position: Option<Point>,
        /// Without an element: from the left of the viewport, in CSS pixels.
        #[serde(default, deserialize_with = "given")]
        x: Option<f64>,
        /// Without an element: from the top of the viewport.
        #[serde(default, deserialize_with = "given")]
        y: Option<f64>,
        /// Whether nothing is waited for except that the element exists.
        #[serde(default)]
        force: bool,
        /// Whether everything is waited for, and the mouse is not moved.
        #[serde(default)]
        trial: bool,
    }

    /// Taps an element with a finger, once it is visible, stable, enabled, and receives the tap.
    element PageTap = "pageTap", "tap" -> Acted {
        /// The keys that are held.
        #[serde(default)]
        modifiers: Vec<Modifier>,
        /// Where in the element, from the upper left corner of its padding; in the middle of what is visible if absent.
        #[serde(default, deserialize_with = "given")]
        position: Option<Point>,
        /// Without an element: from the left of the viewport, in CSS pixels.
        #[serde(default, deserialize_with = "given")]
        x: Option<f64>,
        /// Without an element: from the top of the viewport.
        #[serde(default, deserialize_with = "given")]
        y: Option<f64>,
        /// Whether nothing is waited for except that the element exists.
        #[serde(default)]
        force: bool,
        /// Whether everything is waited for, and nothing is tapped.
        #[serde(default)]
        trial: bool,
    }

    /// Drags an element with the mouse, and drops it on another one. Each must be visible, stable, and hit by the mouse.
    page PageDrag = "pageDrag", "drag" -> Acted {
        /// The element that is dragged.
        source: ElementName,
        /// The element on which it is dropped.
        target: ElementName,
        /// Where the first is taken, from the upper left corner of its padding; in the middle if absent.
        #[serde(default, deserialize_with = "given")]
        source_position: Option<Point>,
        /// Where it is dropped, from the upper left corner of the padding of the second; in the middle if absent.
        #[serde(default, deserialize_with = "given")]
        target_position: Option<Point>,
        /// In how many movements, 1 to 1000; 2 if absent.
        #[serde(default, deserialize_with = "whole")]
        #[schemars(range(min = 1, max = 1000))]
        steps: Option<u32>,
        /// Whether nothing is waited for except that the elements exist.
        #[serde(default)]
        force: bool,
        /// Whether everything is waited for, and nothing is dragged.
        #[serde(default)]
        trial: bool,
    }

    /// Takes the focus from an element.
    element PageBlur = "pageBlur", "blur" -> Acted {}

    /// Fills the fields of a form, one after the other. An error says which field failed; those before it are filled.
    page PageFillForm = "pageFillForm", "fillForm" -> Acted {
        /// The fields, at most 100.
        fields: Vec<FormField>,
    }

    /// Gives files to a file input, which may be hidden, or to the file chooser that a click on the element opens.
    element PageUpload = "pageUpload", "upload" -> Acted {
        /// The files, in place of those that it has: all of the session, or all with their content. An empty list removes
        /// all.
        files: Vec<FileForPage>,
    }

    /// Answers the open dialog of a page. It does not wait for the action that opened it.
    page PageDialog = "pageDialog", "dialog" -> Acted {
        /// Whether it is accepted; it is dismissed otherwise.
        accept: bool,
        /// The text that a `prompt` is given, with `accept`.
        #[serde(default, deserialize_with = "given")]
        prompt_text: Option<String>,
    }
}

//! The commands of CDP that drive a page.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::browser::commands::{Nothing, commands};

commands! {
    "Page.enable" = EnablePage {} -> Nothing;
    "Page.setLifecycleEventsEnabled" = EnableLifecycle { enabled: bool } -> Nothing;
    "Page.setInterceptFileChooserDialog" = InterceptChooser { enabled: bool } -> Nothing;
    "Runtime.enable" = EnableRuntime {} -> Nothing;
    "Page.getFrameTree" = GetFrameTree {} -> FrameTree;
    "Page.createIsolatedWorld" = CreateWorld<'a> { frame_id: &'a str, world_name: &'a str } -> CreatedWorld;
    "Page.navigate" = GoTo<'a> {
        url: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        referrer: Option<&'a str>,
    } -> Gone;
    "Page.bringToFront" = BringToFront {} -> Nothing;
    "Page.reload" = Reload {} -> Nothing;
    "Page.captureScreenshot" = Capture<'a> {
        format: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        quality: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        clip: Option<Clip>,
        capture_beyond_viewport: bool,
        optimize_for_speed: bool,
    } -> Picture;
    "Page.getLayoutMetrics" = GetMetrics {} -> Metrics;
    "Page.printToPDF" = Print {
        landscape: bool,
        print_background: bool,
        #[serde(rename = "preferCSSPageSize")]
        prefer_css_page_size: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        scale: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        paper_width: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        paper_height: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        page_ranges: Option<String>,
        #[serde(flatten)]
        more: MoreOfPdf,
    } -> Picture;
    "Runtime.evaluate" = EvaluateIn<'a> {
        expression: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        context_id: Option<i64>,
        await_promise: bool,
        return_by_value: bool,
        user_gesture: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        object_group: Option<&'a str>,
    } -> Answer;
    "Runtime.getIsolateId" = GetIsolateId {} -> Nothing;
    "Runtime.callFunctionOn" = CallFunction<'a> {
        function_declaration: &'a str,
        execution_context_id: i64,
        arguments: Vec<Argument>,
        await_promise: bool,
        return_by_value: bool,
        user_gesture: bool,
        object_group: &'a str,
    } -> Answer;
    "Runtime.releaseObject" = ReleaseObject<'a> { object_id: &'a str } -> Nothing;
    "Runtime.releaseObjectGroup" = ReleaseGroup<'a> { object_group: &'a str } -> Nothing;
    "DOM.resolveNode" = ResolveNode<'a> {
        backend_node_id: i64,
        /// The main world of the node's document, if absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        execution_context_id: Option<i64>,
        object_group: &'a str,
    } -> Resolved;
    "Emulation.setScriptExecutionDisabled" = DisableScripts { value: bool } -> Nothing;
    "Emulation.setDefaultBackgroundColorOverride" = SetBackground {
        #[serde(skip_serializing_if = "Option::is_none")]
        color: Option<Rgba>,
    } -> Nothing;
    "Network.enable" = EnableNetwork { max_total_buffer_size: u32 } -> Nothing;
    "Runtime.terminateExecution" = Terminate {} -> Nothing;
    "DOM.describeNode" = DescribeNode<'a> { object_id: &'a str } -> Described;
    "Input.dispatchMouseEvent" = MouseEvent<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        x: f64,
        y: f64,
        button: &'a str,
        buttons: u32,
        click_count: u32,
        modifiers: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        delta_x: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        delta_y: Option<f64>,
    } -> Nothing;
    "Input.dispatchKeyEvent" = KeyEvent<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        modifiers: u32,
        key: &'a str,
        code: &'a str,
        windows_virtual_key_code: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
    } -> Nothing;
    "Input.insertText" = InsertText<'a> { text: &'a str } -> Nothing;
}

impl<'a> EvaluateIn<'a> {
    /// The value of an expression in a world. A promise is not waited for, and pages see no gesture of a user.
    pub(super) fn value_of(expression: &'a str, context: i64) -> Self {
        Self {
            expression,
            context_id: Some(context),
            await_promise: false,
            return_by_value: true,
            user_gesture: false,
            object_group: None,
        }
    }
}

/// The rest of the parameters of `Page.printToPDF`.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MoreOfPdf {
    pub(crate) display_header_footer: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header_template: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) footer_template: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) margin_top: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) margin_right: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) margin_bottom: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) margin_left: Option<f64>,
    #[serde(rename = "generateTaggedPDF", skip_serializing_if = "Option::is_none")]
    pub(crate) generate_tagged_pdf: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generate_document_outline: Option<bool>,
}

/// An area of the document, in CSS pixels.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Clip {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) scale: f64,
}

/// A colour.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Rgba {
    pub(crate) r: u8,
    pub(crate) g: u8,
    pub(crate) b: u8,
    pub(crate) a: u8,
}

/// The result of `Page.getFrameTree`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FrameTree {
    pub(crate) frame_tree: FrameNode,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FrameNode {
    pub(crate) frame: FrameInfo,
}

/// A frame, as events have it too.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FrameInfo {
    pub(crate) id: String,
    pub(crate) parent_id: Option<String>,
    pub(crate) loader_id: String,
    pub(crate) url: String,
    pub(crate) url_fragment: Option<String>,
}

/// The result of `Page.createIsolatedWorld`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatedWorld {
    pub(crate) execution_context_id: i64,
}

/// The result of `Page.navigate`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gone {
    pub(crate) error_text: Option<String>,
    /// Absent if the document is the same.
    pub(crate) loader_id: Option<String>,
}

/// The result of `Page.captureScreenshot` and `Page.printToPDF`.
#[derive(Debug, Deserialize)]
pub(crate) struct Picture {
    /// In base64.
    pub(crate) data: String,
}

/// The result of `Page.getLayoutMetrics`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metrics {
    pub(crate) css_layout_viewport: LayoutViewport,
    pub(crate) css_content_size: ContentSize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LayoutViewport {
    pub(crate) page_x: f64,
    pub(crate) page_y: f64,
    pub(crate) client_width: f64,
    pub(crate) client_height: f64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ContentSize {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// An argument of a function: a value of JSON, or an object of the page.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Argument {
    /// As the caller wrote it.
    Value(serde_json::Value),
    /// By Chrome's id.
    ObjectId(String),
}

/// The result of `DOM.resolveNode`.
#[derive(Debug, Deserialize)]
pub(crate) struct Resolved {
    pub(crate) object: Remote,
}

/// The params of `Runtime.consoleAPICalled`.
#[derive(Debug, Deserialize)]
pub(crate) struct ConsoleCalled {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) args: Vec<Remote>,
}

/// The result of `Runtime.evaluate`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    pub(crate) result: Remote,
    pub(crate) exception_details: Option<Thrown>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remote {
    pub(crate) value: Option<Box<RawValue>>,
    pub(crate) unserializable_value: Option<String>,
    pub(crate) object_id: Option<String>,
    pub(crate) description: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Thrown {
    pub(crate) text: String,
    pub(crate) exception: Option<Remote>,
}

impl Thrown {
    /// The message in one line, and the stack.
    pub(crate) fn divide(self) -> (String, String) {
        let thrown = self.exception.and_then(|thrown| {
            thrown.description.or_else(|| thrown.value.map(|value| format!("{}: {}", self.text, value.get())))
        });
        let stack = thrown.unwrap_or(self.text);
        (stack.lines().next().unwrap_or_default().to_owned(), stack)
    }
}

/// The result of `DOM.describeNode`.
#[derive(Debug, Deserialize)]
pub(crate) struct Described {
    pub(crate) node: Node,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Node {
    pub(crate) frame_id: Option<String>,
    pub(crate) backend_node_id: i64,
}

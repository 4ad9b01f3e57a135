//! Operations on the pages of a session: they open, close and drive pages for callers without a CDP client. `page` performs
//! them, and `session/manager/page_actions.rs` finds the session.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{
        AccessibilitySnapshot, Acted, AnyValue, Area, AttributesOf, Bad, ElementState, FoundElements, LoadState,
        Locator, Millis, Modifier, MouseButton, NewPageInfo, Nothing, PageHtmlOf, PageLinksOf, PagePdfOf, PagePicture,
        PageTextOf, PictureFormat, ScriptResult, Selected, Went, World, given, locator, whole,
    },
    CommandResult::Output,
    Errors, Operation, Rest, RestAnswer, RestInput, Row, Verb,
    action::{OF_PAGE, action},
    operations,
    page_state::{
        PageAuthenticate, PageCdp, PageConsole, PageCookies, PageEmulate, PageHeaders, PageMarkdown, PageNetwork,
        PagePermissions, PageRoute, PageScripts, PageStorage, PageUnroute, PageViewport,
    },
};

/// The name of the page that Chrome lists first: the oldest one.
pub const FIRST_PAGE: &str = "first";

/// What a request says of its page.
#[derive(Clone, Copy, Debug)]
pub struct OnPage<'a> {
    /// The session; that of the client if absent.
    pub session: Option<&'a str>,
    /// The target id of the page, or [`FIRST_PAGE`].
    pub page: &'a str,
    /// The time limit; that of the server if absent.
    pub timeout: Option<Millis>,
}

/// Declares the operations that drive a page, and collects them with those that other files declare (`also`).
macro_rules! actions {
    (
        also $($also:ident),* $(,)?;
        $(
            $(#[$doc:meta])*
            $on:ident $name:ident = $command:literal, $action:literal -> $output:ty {
                $($(#[$attribute:meta])* $member:ident: $type:ty),* $(,)?
            }
        )*
    ) => {
        $(action! { $(#[$doc])* $on $name = $command, $action -> $output { $($(#[$attribute])* $member: $type),* } })*

        operations! {
            /// A request about the pages of a session.
            Page, PageRequest: NewPage, ClosePage, $($name,)* $($also),*
        }

        impl PageRequest {
            /// The session, the page and the time limit of a request that drives a page.
            pub fn on_page(&self) -> Option<OnPage<'_>> {
                match self {
                    Self::NewPage(_) | Self::ClosePage(_) => None,
                    $(Self::$name($name { id, page, timeout, .. }))|*
                    | $(Self::$also($also { id, page, timeout, .. }))|* => {
                        Some(OnPage { session: id.as_deref(), page, timeout: *timeout })
                    }
                }
            }
        }
    };
}

/// Opens a page in the session's default context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewPage {
    /// The session; that of this connection if absent.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
    /// Its URL; blank if absent. The answer does not wait until it is loaded: `wait` does.
    #[serde(deserialize_with = "given")]
    pub url: Option<String>,
}

impl Operation for NewPage {
    type Output = NewPageInfo;
    const ROW: Row = Row {
        name: "newPage",
        ghost: Some(Output),
        rest: Some(Rest {
            path: "/v1/sessions/{id}/pages",
            second: None,
            input: RestInput::Body("NewPage"),
            answer: RestAnswer::CreatedOne,
            says: "The new page.",
            ..OF_PAGE
        }),
    };

    fn created(page: &NewPageInfo) -> Option<String> {
        Some(format!("/v1/sessions/{}/pages/{}", page.session, page.target_id))
    }
}

/// Closes a page. Its `beforeunload` handlers do not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosePage {
    /// The session; that of this connection if absent.
    #[serde(default, deserialize_with = "given")]
    pub id: Option<String>,
    /// The target id of the page, or `first`, the oldest page.
    pub page: String,
}

impl Operation for ClosePage {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "closePage",
        ghost: Some(Output),
        rest: Some(Rest {
            verb: Verb::Delete,
            answer: RestAnswer::Nothing,
            says: "The page is closed.",
            errors: &[Errors::Session, Errors::Page],
            ..OF_PAGE
        }),
    };
}

actions! {
    also PageViewport, PageEmulate, PageHeaders, PagePermissions, PageAuthenticate, PageCookies, PageStorage, PageRoute,
        PageUnroute, PageScripts, PageCdp, PageMarkdown, PageConsole, PageNetwork;

    /// Navigates a page to a URL, and waits until it is loaded. The same URLs are allowed as for `Page.navigate`.
    page PageGoto = "pageGoto", "goto" -> Went {
        /// The URL.
        url: String,
        /// How far it must be loaded; `load` if absent.
        #[serde(default)]
        wait_until: LoadState,
    }

    /// Reloads a page, and waits until it is loaded.
    page PageReload = "pageReload", "reload" -> Went {
        /// How far it must be loaded; `load` if absent.
        #[serde(default)]
        wait_until: LoadState,
    }

    /// Goes back in the history of a page, and waits until the page is loaded. Without an entry it is refused.
    page PageBack = "pageBack", "back" -> Went {
        /// How far it must be loaded; `load` if absent.
        #[serde(default)]
        wait_until: LoadState,
    }

    /// Goes forward in the history of a page, and waits until the page is loaded. Without an entry it is refused.
    page PageForward = "pageForward", "forward" -> Went {
        /// How far it must be loaded; `load` if absent.
        #[serde(default)]
        wait_until: LoadState,
    }

    /// Clicks an element, once it is visible, stable, enabled, and receives the click.
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
        /// Whether nothing is waited for except that the element exists.
        #[serde(default)]
        force: bool,
        /// Whether everything is waited for, and nothing is clicked.
        #[serde(default)]
        trial: bool,
    }

    /// Clicks an element twice, as a double click.
    element PageDblclick = "pageDblclick", "dblclick" -> Acted {
        /// Whether nothing is waited for except that the element exists.
        #[serde(default)]
        force: bool,
    }

    /// Moves the mouse over an element, once it is visible, stable, and receives the movement.
    element PageHover = "pageHover", "hover" -> Acted {
        /// Whether nothing is waited for except that the element exists.
        #[serde(default)]
        force: bool,
    }

    /// Focuses an element.
    element PageFocus = "pageFocus", "focus" -> Acted {}

    /// Focuses an element and types a text, one key after the other.
    element PageType = "pageType", "type" -> Acted {
        /// The text.
        text: String,
        /// The time between two keys.
        #[serde(default, deserialize_with = "given")]
        delay: Option<Millis>,
    }

    /// Puts a text into a form field in place of what it has, once it is visible, enabled and editable.
    element PageFill = "pageFill", "fill" -> Acted {
        /// The text.
        value: String,
        /// Whether nothing is waited for except that the element exists.
        #[serde(default)]
        force: bool,
    }

    /// Empties a form field, once it is visible, enabled and editable.
    element PageClear = "pageClear", "clear" -> Acted {}

    /// Presses a key or a combination of keys. With an element, focuses it before; it waits for nothing but that the
    /// element exists.
    element PagePress = "pagePress", "press" -> Acted {
        /// The key, such as `Enter`, `a` or `Control+Shift+ArrowLeft`: a value of `KeyboardEvent.key` or `.code`.
        key: String,
    }

    /// Selects options of a list (`select`), once it is visible and enabled. Those that are not named are deselected.
    element PageSelect = "pageSelect", "select" -> Selected {
        /// The values or labels of the options.
        values: Vec<String>,
    }

    /// Checks a checkbox or radio button by a click, if it is not checked.
    element PageCheck = "pageCheck", "check" -> Acted {
        /// Whether nothing is waited for except that the element exists.
        #[serde(default)]
        force: bool,
    }

    /// Unchecks a checkbox by a click, if it is checked.
    element PageUncheck = "pageUncheck", "uncheck" -> Acted {
        /// Whether nothing is waited for except that the element exists.
        #[serde(default)]
        force: bool,
    }

    /// Scrolls an element into view; or with `dx` or `dy`, what is below the mouse, as its wheel does. With both, the mouse
    /// is moved over the element before.
    element PageScroll = "pageScroll", "scroll" -> Acted {
        /// To the right, in CSS pixels.
        #[serde(default, deserialize_with = "given")]
        dx: Option<f64>,
        /// Down, in CSS pixels.
        #[serde(default, deserialize_with = "given")]
        dy: Option<f64>,
    }

    /// Waits for all that is given: the state of an element, a URL, a load state, a function, a time.
    element PageWait = "pageWait", "wait" -> Acted {
        /// The state of the element; `visible` if absent.
        #[serde(default, deserialize_with = "given")]
        state: Option<ElementState>,
        /// The URL, in which `*` stands for any characters except `/`, and `**` for any.
        #[serde(default, deserialize_with = "given")]
        url: Option<String>,
        /// How far the page must be loaded.
        #[serde(default, deserialize_with = "given")]
        load_state: Option<LoadState>,
        /// An expression, or a function without parameters, whose value must become true, in the main world.
        #[serde(default, deserialize_with = "given")]
        function: Option<String>,
        /// A time.
        #[serde(default, deserialize_with = "given")]
        time: Option<Millis>,
    }

    /// Reads the text of an element, or of the page.
    element PageText = "pageText", "text" -> PageTextOf {}

    /// Reads the HTML of an element, or of the page.
    element PageHtml = "pageHtml", "html" -> PageHtmlOf {}

    /// Reads the attributes of an element.
    element PageAttributes = "pageAttributes", "attributes" -> AttributesOf {}

    /// Looks for elements; waits for none, and any number is found.
    element PageQuery = "pageQuery", "query" -> FoundElements {
        /// Most elements that are described, up to 1000; 100 if absent.
        #[serde(default, deserialize_with = "whole")]
        #[schemars(range(max = 1000))]
        limit: Option<u32>,
    }

    /// Lists the links of an element, or of the page.
    element PageLinks = "pageLinks", "links" -> PageLinksOf {
        /// Most links, up to 10000; 1000 if absent.
        #[serde(default, deserialize_with = "whole")]
        #[schemars(range(max = 10_000))]
        limit: Option<u32>,
    }

    /// Takes a screenshot: of the viewport, of an element, of the whole page, or of an area.
    element PageScreenshot = "pageScreenshot", "screenshot" -> PagePicture {
        /// Whether it shows the whole page.
        #[serde(default)]
        full_page: bool,
        /// The area of the document that it shows.
        #[serde(default, deserialize_with = "given")]
        clip: Option<Area>,
        /// The format; `png` if absent.
        #[serde(default)]
        format: PictureFormat,
        /// The quality of JPEG and WebP, 0 to 100.
        #[serde(default, deserialize_with = "whole")]
        #[schemars(range(max = 100))]
        quality: Option<u32>,
    }

    /// Prints a page as a PDF.
    page PagePdf = "pagePdf", "pdf" -> PagePdfOf {
        /// Whether it is in landscape format.
        #[serde(default)]
        landscape: bool,
        /// Whether backgrounds are printed.
        #[serde(default)]
        print_background: bool,
        /// Whether the page's own size of the paper (`@page`) counts.
        #[serde(default, rename = "preferCSSPageSize")]
        prefer_css_page_size: bool,
        /// The scale, 0.1 to 2; 1 if absent.
        #[serde(default, deserialize_with = "given")]
        scale: Option<f64>,
        /// Width of the paper in inches; 8.5 if absent.
        #[serde(default, deserialize_with = "given")]
        paper_width: Option<f64>,
        /// Height of the paper in inches; 11 if absent.
        #[serde(default, deserialize_with = "given")]
        paper_height: Option<f64>,
        /// The pages, such as `1-5, 8`; all if absent.
        #[serde(default, deserialize_with = "given")]
        page_ranges: Option<String>,
    }

    /// Evaluates an expression, or calls a function, and returns its value as JSON. A promise is awaited.
    page PageEvaluate = "pageEvaluate", "evaluate" -> ScriptResult {
        /// The expression. One of `expression` and `function` is needed.
        #[serde(default, deserialize_with = "given")]
        expression: Option<String>,
        /// The function, such as `(a, b) => a + b`.
        #[serde(default, deserialize_with = "given")]
        function: Option<String>,
        /// The arguments of the function.
        #[serde(default)]
        args: Vec<AnyValue>,
        /// Where it runs; `main` if absent.
        #[serde(default)]
        world: World,
    }

    /// Reads the accessibility snapshot of an element, or of the page, with references by which the next actions can name
    /// elements.
    element PageSnapshot = "pageSnapshot", "snapshot" -> AccessibilitySnapshot {
        /// Most levels; all if absent.
        #[serde(default, deserialize_with = "whole")]
        depth: Option<u32>,
    }
}

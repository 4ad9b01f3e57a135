//! Operations on the pages of a session: they open, close and drive pages for callers without a CDP client. `page` performs
//! them, and `session/manager/page_actions.rs` finds the session.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{
        Acted, Area, AttributesOf, Bad, ElementState, Expect, ExpectExchange, FoundElements, LoadState, Locator,
        Millis, NewPageInfo, Nothing, PageHtmlOf, PageLinksOf, PagePdfOf, PagePicture, PageTextOf, PaperMargin,
        PictureFormat, Selected, Went, given, locator, whole,
    },
    CommandResult::Output,
    Errors, Operation, PageActions, PageEvaluate, PageSnapshot, ReleaseHandles, Rest, RestAnswer, RestInput, Row, Verb,
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
    /// What it must cause.
    pub expect: Option<&'a Expect>,
    /// Whether it goes on if its caller hangs up.
    pub detach: bool,
}

mod interaction;
pub use self::interaction::*;

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
            Page, PageRequest: NewPage, ClosePage, ReleaseHandles, $($name,)* $($also),*
        }

        impl PageRequest {
            /// The session, the page and the time limit of a request that drives a page.
            pub fn on_page(&self) -> Option<OnPage<'_>> {
                match self {
                    Self::NewPage(_) | Self::ClosePage(_) => None,
                    Self::ReleaseHandles(ReleaseHandles { id, page, .. }) => {
                        Some(OnPage { session: id.as_deref(), page, timeout: None, expect: None, detach: false })
                    }
                    $(Self::$name($name { id, page, timeout, expect, detach, .. }))|*
                    | $(Self::$also($also { id, page, timeout, expect, detach, .. }))|* => Some(OnPage {
                        session: id.as_deref(),
                        page,
                        timeout: *timeout,
                        expect: expect.as_ref(),
                        detach: *detach,
                    }),
                }
            }

            /// Makes it one about this page of this session, with this time limit; a request that drives no page is left as it
            /// is.
            pub fn aim(&mut self, on_session: &str, on_page: &str, limit: Millis) {
                match self {
                    Self::NewPage(_) | Self::ClosePage(_) | Self::ReleaseHandles(_) => {}
                    $(Self::$name($name { id, page, timeout, .. }))|*
                    | $(Self::$also($also { id, page, timeout, .. }))|* => {
                        *id = Some(on_session.to_owned());
                        on_page.clone_into(page);
                        *timeout = Some(limit);
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
    also PageClick, PageDblclick, PageHover, PageTap, PageDrag, PageBlur, PageFillForm, PageUpload, PageDialog, PageActions,
        PageEvaluate, PageSnapshot, PageViewport, PageEmulate, PageHeaders, PagePermissions, PageAuthenticate, PageCookies,
        PageStorage, PageRoute, PageUnroute, PageScripts, PageCdp, PageMarkdown, PageConsole, PageNetwork;

    /// Navigates a page to a URL, and waits until it is loaded. The same URLs are allowed as for `Page.navigate`.
    page PageGoto = "pageGoto", "goto" -> Went {
        /// The URL.
        url: String,
        /// How far it must be loaded; `load` if absent.
        #[serde(default)]
        wait_until: LoadState,
        /// The page that links to it, as the header `Referer` says.
        #[serde(default, deserialize_with = "given")]
        referer: Option<String>,
        /// Whether the answer describes the `response`.
        #[serde(default)]
        details: bool,
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

    /// Focuses an element.
    element PageFocus = "pageFocus", "focus" -> Acted {}

    /// Focuses an element and types a text, one key after the other.
    element PageType = "pageType", "type" -> Acted {
        /// The text. One of `text` and `secret` is given.
        #[serde(default, deserialize_with = "given")]
        text: Option<String>,
        /// The name of a secret in place of a text. It is put at the cursor, letter by letter, without events of keys.
        #[serde(default, deserialize_with = "given")]
        secret: Option<String>,
        /// Whether the one-time password of the secret is typed.
        #[serde(default)]
        totp: bool,
        /// The time between two keys.
        #[serde(default, deserialize_with = "given")]
        delay: Option<Millis>,
    }

    /// Puts a text into a form field in place of what it has, once it is visible, enabled and editable.
    element PageFill = "pageFill", "fill" -> Acted {
        /// The text. One of `value` and `secret` is given.
        #[serde(default, deserialize_with = "given")]
        value: Option<String>,
        /// The name of a secret in place of a text.
        #[serde(default, deserialize_with = "given")]
        secret: Option<String>,
        /// Whether the field gets the one-time password of the secret.
        #[serde(default)]
        totp: bool,
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

    /// Waits for all that is given: the state of an element, a URL, a load state, a function, a time, a request, a response.
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
        /// A request that the page sends from now on.
        #[serde(default, deserialize_with = "given")]
        request: Option<ExpectExchange>,
        /// A response that arrives from now on.
        #[serde(default, deserialize_with = "given")]
        response: Option<ExpectExchange>,
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
        /// The elements that are covered by rectangles; at most 20 locators, each of any number of elements.
        #[serde(default)]
        mask: Vec<Locator>,
        /// The CSS colour of these rectangles; `#FF00FF` if absent.
        #[serde(default, deserialize_with = "given")]
        mask_color: Option<String>,
        /// Whether the background is transparent where the page has none; not for JPEG.
        #[serde(default)]
        omit_background: bool,
        /// Whether it is encoded faster, and larger.
        #[serde(default)]
        optimize_for_speed: bool,
        /// Most pixels of its longer side, from 16: a larger one is scaled down.
        #[serde(default, deserialize_with = "whole")]
        #[schemars(range(min = 16))]
        max_side: Option<u32>,
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
        /// The margins; those of Chrome if absent.
        #[serde(default, deserialize_with = "given")]
        margin: Option<PaperMargin>,
        /// The HTML above each page, in which elements of the classes `date`, `title`, `url`, `pageNumber` and `totalPages`
        /// get those values. Without `footer`, there is none.
        #[serde(default, deserialize_with = "given")]
        header: Option<String>,
        /// The HTML below each page, as in `header`.
        #[serde(default, deserialize_with = "given")]
        footer: Option<String>,
        /// Whether the background is transparent where the page has none.
        #[serde(default)]
        omit_background: bool,
        /// Whether the PDF says what is a heading, a paragraph and so on; as Chrome decides if absent.
        #[serde(default, deserialize_with = "given")]
        tagged: Option<bool>,
        /// Whether the PDF has an outline, made from the headings.
        #[serde(default, deserialize_with = "given")]
        outline: Option<bool>,
    }

    /// Turns the scripts of a page on or off, for the documents that it opens from now on. Scripts of `evaluate` run anyway.
    page PageScripting = "pageScripting", "scripting" -> Acted {
        /// Whether they run.
        enabled: bool,
    }
}

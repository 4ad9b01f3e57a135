//! The bodies of quick actions, in the shape of browserless: `POST /screenshot`, `/pdf`, `/content`, `/scrape`, `/function`,
//! `/download`, and ours, `/markdown` and `/links`. PURE: types only. `http/browserless/plan.rs` makes a plan of them.

mod function;
mod members;
mod options;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::{
    function::{QuickDownload, QuickFunction},
    members::{
        AddedScript, AddedStyle, Credentials, Intercepted, Interceptor, LifecycleEvents, QuickCookie, ResourceType,
        UserAgent, Viewport, WaitForEvent, WaitForFunction, WaitForSelector,
    },
    options::{
        DebugOptions, Length, PaperFormat, PdfMargin, PdfOptions, QuickClip, ScrapedElement, ScreenshotEncoding,
        ScreenshotOptions,
    },
};
use super::{Attributes, Isolation, Launch, Millis, Pattern, Secret, given, whole};

/// How a quick action opens its page, and what it waits for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opening {
    /// The URL of the page.
    pub url: Option<String>,
    /// The content of the page, in place of `url`.
    pub html: Option<String>,
    /// How the page is loaded.
    pub goto_options: GotoOptions,
    /// An event that is waited for.
    pub wait_for_event: Option<WaitForEvent>,
    /// A function that is waited for.
    pub wait_for_function: Option<WaitForFunction>,
    /// An element that is waited for.
    pub wait_for_selector: Option<WaitForSelector>,
    /// A time that is waited for.
    pub wait_for_timeout: Option<Millis>,
    /// The size of the viewport.
    pub viewport: Option<Viewport>,
    /// The user agent.
    pub user_agent: Option<UserAgent>,
    /// Cookies that are set before.
    pub cookies: Vec<QuickCookie>,
    /// User and password for servers and proxies that ask for them.
    pub authenticate: Option<Credentials>,
    /// Headers of every request.
    pub set_extra_http_headers: Option<Attributes>,
    /// Whether scripts run.
    pub set_java_script_enabled: Option<bool>,
    /// Scripts that are added.
    pub add_script_tag: Vec<AddedScript>,
    /// Styles that are added.
    pub add_style_tag: Vec<AddedStyle>,
    /// The media type, `screen` or `print`.
    pub emulate_media_type: Option<String>,
    /// Types of requests that fail.
    pub reject_resource_types: Vec<ResourceType>,
    /// URLs of requests that fail.
    pub reject_request_pattern: Vec<Pattern>,
    /// Requests that are answered by the body.
    pub request_interceptors: Vec<Interceptor>,
    /// Whether the action goes on if the page is not loaded, or what is waited for does not come.
    pub best_attempt: bool,
}

/// What the session of a quick action is to be like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuickSession {
    /// Launch options, or a text with them.
    pub launch: Option<LaunchOrText>,
    /// Whether advertisements are blocked.
    pub block_ads: bool,
    /// The proxy.
    pub proxy: Option<Secret>,
    /// The hosts without it.
    pub proxy_bypass: Option<String>,
    /// The snapshot it begins with.
    pub snapshot: Option<String>,
    /// The profile it begins with.
    pub profile: Option<String>,
    /// With whom it shares its browser.
    pub isolation: Option<Isolation>,
    /// The time limit.
    pub timeout: Option<Millis>,
}

/// Launch options: an object, or a text with its JSON, which may be in base64.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LaunchOrText {
    /// The options.
    Options(Launch),
    /// A text with them.
    Text(String),
}

/// How a page is loaded.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GotoOptions {
    /// The page that links to it, as the header `Referer` says.
    #[serde(deserialize_with = "given")]
    pub referer: Option<String>,
    /// How long it may take; 30000 if absent, and 0 is as long as the server allows.
    #[serde(deserialize_with = "given")]
    pub timeout: Option<Millis>,
    /// How far it must be loaded; `load` if absent.
    #[serde(deserialize_with = "given")]
    pub wait_until: Option<LifecycleEvents>,
}

/// Declares the body of a quick action: the members that all have, and its own.
macro_rules! bodies {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$attribute:meta])* $member:ident: $type:ty),* $(,)? }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", default, deny_unknown_fields)]
        pub struct $name {
            /// The URL of the page. One of `url` and `html` is needed. The same URLs are allowed as for `Page.navigate`.
            #[serde(deserialize_with = "given")]
            pub url: Option<String>,
            /// The content of the page, in place of `url`.
            #[serde(deserialize_with = "given")]
            pub html: Option<String>,
            /// How the page is loaded.
            pub goto_options: GotoOptions,
            /// An event of the document or its window that is waited for.
            #[serde(deserialize_with = "given")]
            pub wait_for_event: Option<WaitForEvent>,
            /// A function that must return something true.
            #[serde(deserialize_with = "given")]
            pub wait_for_function: Option<WaitForFunction>,
            /// An element that is waited for.
            #[serde(deserialize_with = "given")]
            pub wait_for_selector: Option<WaitForSelector>,
            /// A time that is waited for.
            #[serde(deserialize_with = "given")]
            pub wait_for_timeout: Option<Millis>,
            /// The size of the viewport, and what else belongs to a screen.
            pub viewport: Option<Viewport>,
            /// The user agent.
            #[serde(deserialize_with = "given")]
            pub user_agent: Option<UserAgent>,
            /// Cookies that are set before the page is opened.
            pub cookies: Vec<QuickCookie>,
            /// User and password for servers that ask for them.
            pub authenticate: Option<Credentials>,
            /// Headers of every request.
            #[serde(rename = "setExtraHTTPHeaders", deserialize_with = "given")]
            pub set_extra_http_headers: Option<Attributes>,
            /// Whether the scripts of the page run; `true` if absent.
            #[serde(deserialize_with = "given")]
            pub set_java_script_enabled: Option<bool>,
            /// Scripts that are added when the page is loaded.
            pub add_script_tag: Vec<AddedScript>,
            /// Styles that are added when the page is loaded.
            pub add_style_tag: Vec<AddedStyle>,
            /// The media type that style sheets see: `screen` or `print`.
            pub emulate_media_type: Option<String>,
            /// Types of requests that fail.
            pub reject_resource_types: Vec<ResourceType>,
            /// Requests that fail: those whose URL matches one of these regular expressions.
            pub reject_request_pattern: Vec<Pattern>,
            /// Requests that are answered from here: those whose URL matches the `pattern`.
            pub request_interceptors: Vec<Interceptor>,
            /// Whether the action goes on if the page is not loaded, or what is waited for does not come.
            pub best_attempt: bool,
            /// Launch options, as in the query.
            #[serde(deserialize_with = "given")]
            pub launch: Option<LaunchOrText>,
            /// Whether requests for the hosts of the server's `block_list` fail.
            pub block_ads: bool,
            /// The proxy through which the page leaves: `http://USER:PASSWORD@HOST:PORT` or `socks5://…`.
            #[serde(deserialize_with = "given")]
            #[schemars(with = "Option<String>", extend("writeOnly" = true))]
            pub proxy: Option<Secret>,
            /// The hosts that are connected to without `proxy`, with commas between them.
            #[serde(deserialize_with = "given")]
            pub proxy_bypass: Option<String>,
            /// The snapshot with whose cookies and storage the page is opened.
            #[serde(deserialize_with = "given")]
            pub snapshot: Option<String>,
            /// The profile with whose cookies and storage the page is opened; it is not saved.
            #[serde(deserialize_with = "given")]
            pub profile: Option<String>,
            /// With whom the session shares its browser; `shared` if absent.
            #[serde(deserialize_with = "given")]
            pub isolation: Option<Isolation>,
            /// How long all may take, the wait for a place included. If absent, `page_timeout` of the server; 0 is as long
            /// as it allows.
            #[serde(deserialize_with = "given")]
            pub timeout: Option<Millis>,
            $($(#[$attribute])* pub $member: $type),*
        }

        impl $name {
            /// How it opens its page, what its session is to be like, and its own members.
            pub fn divide(self) -> (Opening, QuickSession, ($($type,)*)) {
                let opening = Opening {
                    url: self.url,
                    html: self.html,
                    goto_options: self.goto_options,
                    wait_for_event: self.wait_for_event,
                    wait_for_function: self.wait_for_function,
                    wait_for_selector: self.wait_for_selector,
                    wait_for_timeout: self.wait_for_timeout,
                    viewport: self.viewport,
                    user_agent: self.user_agent,
                    cookies: self.cookies,
                    authenticate: self.authenticate,
                    set_extra_http_headers: self.set_extra_http_headers,
                    set_java_script_enabled: self.set_java_script_enabled,
                    add_script_tag: self.add_script_tag,
                    add_style_tag: self.add_style_tag,
                    emulate_media_type: self.emulate_media_type,
                    reject_resource_types: self.reject_resource_types,
                    reject_request_pattern: self.reject_request_pattern,
                    request_interceptors: self.request_interceptors,
                    best_attempt: self.best_attempt,
                };
                let session = QuickSession {
                    launch: self.launch,
                    block_ads: self.block_ads,
                    proxy: self.proxy,
                    proxy_bypass: self.proxy_bypass,
                    snapshot: self.snapshot,
                    profile: self.profile,
                    isolation: self.isolation,
                    timeout: self.timeout,
                };
                (opening, session, ($(self.$member,)*))
            }
        }
    )*};
}

bodies! {
    /// Opens a page in a session of its own and takes a screenshot. The answer is the picture. It has the headers
    /// `X-Response-Code`, `-Status`, `-URL`, `-IP` and `-Port` of the response with the page. `/chromium/screenshot` and
    /// `/chrome/screenshot` are the same.
    QuickScreenshot {
        /// What the picture shows, and how it is encoded.
        options: ScreenshotOptions,
        /// Whether the page is scrolled to its end and back before, so that what is loaded late is there.
        scroll_page: bool,
        /// The element that the picture shows, in CSS; of several the first.
        #[serde(deserialize_with = "given")]
        selector: Option<String>,
    }

    /// Opens a page in a session of its own and prints it. The answer is the PDF, with headers as for `/screenshot`.
    QuickPdf {
        /// How it is printed.
        options: PdfOptions,
    }

    /// Opens a page in a session of its own. The answer is its HTML after its scripts ran, with headers as for
    /// `/screenshot`.
    QuickContent {}

    /// Opens a page in a session of its own and reads elements, with headers as for `/screenshot`.
    QuickScrape {
        /// Which elements.
        elements: Vec<ScrapedElement>,
        /// What else the answer has.
        #[serde(deserialize_with = "given")]
        debug_opts: Option<DebugOptions>,
    }

    /// Opens a page in a session of its own. The answer is its content as Markdown, with headers as for `/screenshot`.
    QuickMarkdown {
        /// The element that is read, in CSS; of several the first. The whole page if absent.
        #[serde(deserialize_with = "given")]
        selector: Option<String>,
    }

    /// Opens a page in a session of its own and lists its links, with headers as for `/screenshot`.
    QuickLinks {
        /// Most links, up to 10000; 1000 if absent.
        #[serde(deserialize_with = "whole")]
        #[schemars(range(max = 10_000))]
        limit: Option<u32>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::read;

    #[test]
    fn bodies_of_browserless_are_read() {
        let body = r#"{"url":"https://a/","gotoOptions":{"waitUntil":["load","networkidle2"],"timeout":5},"viewport":null,
            "setExtraHTTPHeaders":{"a":"b"},"setJavaScriptEnabled":false,"userAgent":"x","bestAttempt":true,
            "cookies":[{"name":"a","value":"b","sameSite":"Lax"}],"options":{"type":"jpeg","quality":5,"encoding":"base64"},
            "requestInterceptors":[{"pattern":"x","response":{"body":"y","status":200}}],"launch":"e30="}"#;
        let (opening, session, (options, scrolls, selector)) = read::<QuickScreenshot>(body).expect("a body").divide();
        assert_eq!(opening.url.as_deref(), Some("https://a/"));
        assert_eq!(opening.user_agent.expect("one").user_agent.as_deref(), Some("x"));
        assert_eq!(options.encoding, ScreenshotEncoding::Base64);
        assert!(!scrolls && selector.is_none() && opening.best_attempt);
        assert_eq!(session.launch, Some(LaunchOrText::Text("e30=".to_owned())));
    }

    #[test]
    fn errors_name_the_member_of_the_body() {
        let field = |body: &str| read::<QuickPdf>(body).expect_err(body).field;
        for (body, expected) in [
            (r#"{"url":5}"#, "url"),
            (r#"{"cookies":[{"name":"a"}]}"#, "cookies[0]"),
            (r#"{"options":{"format":"A9"}}"#, "options.format"),
            (r#"{"gotoOptions":{"waitUntil":"soon"}}"#, "gotoOptions.waitUntil"),
            (r#"{"rejectResourceTypes":["image","noise"]}"#, "rejectResourceTypes[1]"),
            (r#"{"options":{"colour":1}}"#, "options.colour"),
            (r#"{"scrollPage":true}"#, "scrollPage"),
        ] {
            assert_eq!(field(body), expected, "{body}");
        }
    }
}

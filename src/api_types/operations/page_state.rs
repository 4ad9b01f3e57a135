//! Operations on the state of a page: what it pretends to be, what its context stores, what becomes of its requests, and what
//! it has logged. They are actions as those of [`pages`](super::pages).

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{
        Acted, AnyValue, Attributes, Bad, BlockList, CdpResult, ColorScheme, ConsoleOf, Cookie, CookieFilter,
        CookiesOf, Expect, Geolocation, Locator, MarkdownOf, MediaType, Millis, NetworkOf, Pattern, ReducedMotion,
        RouteAction, RoutesOf, ScriptsOf, Setting, StorageArea, StorageOf, VIEWPORT_MOST, World, given, locator,
        quick::ResourceType, whole, whole_setting,
    },
    CommandResult::Output,
    Operation, Rest, RestInput, Row,
    action::{OF_PAGE, action},
};

action! {
    /// Sets the size of a page, and what screen it seems to be on; `null` for width and height resets it. The page keeps it
    /// until it is closed, or a client sets its own.
    page PageViewport = "pageViewport", "viewport" -> Acted {
        /// In CSS pixels, at most 10,000,000.
        #[serde(deserialize_with = "whole_setting")]
        #[schemars(extend("minimum" = 1, "maximum" = VIEWPORT_MOST))]
        width: Setting<u32>,
        /// In CSS pixels, at most 10,000,000.
        #[serde(deserialize_with = "whole_setting")]
        #[schemars(extend("minimum" = 1, "maximum" = VIEWPORT_MOST))]
        height: Setting<u32>,
        /// Device pixels for one CSS pixel; 1 if absent.
        #[serde(default, deserialize_with = "given")]
        device_scale_factor: Option<f64>,
        /// Whether `meta viewport` counts and scrollbars lie over the page, as on a phone.
        #[serde(default)]
        is_mobile: bool,
        /// Whether it has a touch screen.
        #[serde(default)]
        has_touch: bool,
    }
}

action! {
    /// Makes a page believe it is on another device, in another place, or in another state. What is absent stays; `null`
    /// resets. The page keeps it until it is closed, or a client sets its own.
    page PageEmulate = "pageEmulate", "emulate" -> Acted {
        /// A device of Playwright's list, such as `iPhone 15` or `Pixel 7`: its viewport, user agent and touch screen.
        #[serde(default)]
        device: Setting<String>,
        /// The locale of numbers and dates, such as `de-DE`.
        #[serde(default)]
        locale: Setting<String>,
        /// The time zone, such as `Europe/Berlin`.
        #[serde(default)]
        timezone: Setting<String>,
        /// The position; pages also need the permission `geolocation`.
        #[serde(default)]
        geolocation: Setting<Geolocation>,
        /// The kind of media for which styles are chosen.
        #[serde(default)]
        media: Setting<MediaType>,
        /// The colours that the user prefers.
        #[serde(default)]
        color_scheme: Setting<ColorScheme>,
        /// Whether the user prefers less motion.
        #[serde(default)]
        reduced_motion: Setting<ReducedMotion>,
        /// The user agent.
        #[serde(default)]
        user_agent: Setting<String>,
        /// Whether the page has no network.
        #[serde(default)]
        offline: Setting<bool>,
        /// How many times slower its processor is, 1 to 100.
        #[serde(default)]
        cpu_rate: Setting<f64>,
    }
}

action! {
    /// Sets headers that a page adds to each of its requests, in place of those that were set before.
    page PageHeaders = "pageHeaders", "headers" -> Acted {
        /// The headers; none resets them.
        headers: Attributes,
    }
}

action! {
    /// Grants permissions to an origin in the context of a page. The other permissions of the origin are denied.
    page PagePermissions = "pagePermissions", "permissions" -> Acted {
        /// The origin, such as `https://example.org`; all if absent.
        #[serde(default, deserialize_with = "given")]
        origin: Option<String>,
        /// Names of Chrome's protocol, such as `geolocation` and `notifications`, or of Playwright, such as `camera`.
        #[serde(default)]
        permissions: Vec<String>,
        /// Whether the permissions of all origins are reset first.
        #[serde(default)]
        reset: bool,
    }
}

action! {
    /// Answers servers that ask a page for a user and a password (HTTP authentication); without `username` no longer.
    page PageAuthenticate = "pageAuthenticate", "authenticate" -> Acted {
        /// The user.
        #[serde(default, deserialize_with = "given")]
        username: Option<String>,
        /// The password.
        #[serde(default, deserialize_with = "given")]
        password: Option<String>,
        /// The only origin that gets them, such as `https://example.org`; each that asks if absent.
        #[serde(default, deserialize_with = "given")]
        origin: Option<String>,
    }
}

action! {
    /// Clears, removes and sets cookies of the context of a page, in this order; then lists them.
    page PageCookies = "pageCookies", "cookies" -> CookiesOf {
        /// Whether all cookies of the context are removed first.
        #[serde(default)]
        clear: bool,
        /// The cookies to remove.
        #[serde(default)]
        remove: Vec<CookieFilter>,
        /// The cookies to set.
        #[serde(default)]
        set: Vec<Cookie>,
        /// Only cookies that are sent to one of these URLs are listed.
        #[serde(default)]
        urls: Vec<String>,
    }
}

action! {
    /// Clears, removes and sets values of the storage of an origin, in this order; then reads it.
    page PageStorage = "pageStorage", "storage" -> StorageOf {
        /// The origin, which the page or one of its frames must have; that of the page if absent.
        #[serde(default, deserialize_with = "given")]
        origin: Option<String>,
        /// Which storage; `local` if absent.
        #[serde(default)]
        area: StorageArea,
        /// Whether all values are removed first.
        #[serde(default)]
        clear: bool,
        /// The keys to remove.
        #[serde(default)]
        remove: Vec<String>,
        /// The values to set, by key.
        #[serde(default)]
        set: Attributes,
        /// Only these keys are read.
        #[serde(default, deserialize_with = "given")]
        keys: Option<Vec<String>>,
    }
}

action! {
    /// Adds a rule for requests of a page: they fail, or are answered, or are sent with other headers. Without `url`, `regex`
    /// and `resourceTypes` it only lists the rules. Of these, all that are given must apply to a request.
    page PageRoute = "pageRoute", "route" -> RoutesOf {
        /// The URLs, in which `*` stands for any characters except `/`, and `**` for any.
        #[serde(default, deserialize_with = "given")]
        url: Option<String>,
        /// A regular expression that some part of the URL matches.
        #[serde(default, deserialize_with = "given")]
        regex: Option<Pattern>,
        /// The types of the requests; any if there is none.
        #[serde(default)]
        resource_types: Vec<ResourceType>,
        /// What happens to the requests; `abort` if absent.
        #[serde(default)]
        action: RouteAction,
        /// The status of an answer (`fulfill`); 200 if absent.
        #[serde(default, deserialize_with = "whole")]
        #[schemars(range(min = 200, max = 599))]
        status: Option<u32>,
        /// The headers of an answer (`fulfill`), or the headers that a request has in place of its own (`continue`).
        #[serde(default)]
        headers: Attributes,
        /// Headers that a request loses (`continue`).
        #[serde(default)]
        remove_headers: Vec<String>,
        /// The body of an answer (`fulfill`).
        #[serde(default, deserialize_with = "given")]
        body: Option<String>,
        /// Whether the body is in base64.
        #[serde(default)]
        base64: bool,
        /// The hosts of these. Requests from outside cannot set it.
        #[serde(skip)]
        blocked: Option<BlockList>,
    }
}

action! {
    /// Removes rules for requests of a page: one, or all.
    page PageUnroute = "pageUnroute", "unroute" -> RoutesOf {
        /// The id of the rule; all if absent.
        #[serde(default, deserialize_with = "given")]
        route: Option<String>,
    }
}

action! {
    /// Removes or adds a script that runs in each new document of a page, before the scripts of the document; then lists
    /// them. The present document is left as it is.
    page PageScripts = "pageScripts", "scripts" -> ScriptsOf {
        /// The source of the script to add.
        #[serde(default, deserialize_with = "given")]
        add: Option<String>,
        /// Where it runs; `main` if absent.
        #[serde(default)]
        world: World,
        /// The id of the script to remove.
        #[serde(default, deserialize_with = "given")]
        remove: Option<String>,
    }
}

action! {
    /// Sends a command of CDP to a page, under the rules that hold for clients of the session. It is sent on a CDP session
    /// that all such commands of the page share: what they set stays, and events are not received.
    page PageCdp = "pageCdp", "cdp" -> CdpResult {
        /// The method, such as `DOM.getDocument`.
        method: String,
        /// Its params, an object.
        #[serde(default, deserialize_with = "given")]
        params: Option<AnyValue>,
    }
}

action! {
    /// Reads an element, or the page, as Markdown.
    element PageMarkdown = "pageMarkdown", "markdown" -> MarkdownOf {}
}

action! {
    /// Reads the console of a page. The first request begins to record it.
    page PageConsole = "pageConsole", "console" -> ConsoleOf {
        /// Whether the lines are forgotten once they are read.
        #[serde(default)]
        clear: bool,
        /// Whether recording ends, and all is forgotten.
        #[serde(default)]
        stop: bool,
    }
}

action! {
    /// Reads the requests of a page. The first request begins to record them.
    page PageNetwork = "pageNetwork", "network" -> NetworkOf {
        /// Whether the requests are forgotten once they are read.
        #[serde(default)]
        clear: bool,
        /// Whether recording ends, and all is forgotten.
        #[serde(default)]
        stop: bool,
    }
}

//! The actions that set a page up before it is opened: what it pretends to be, its cookies, its headers, and what becomes of
//! its requests. PURE.

use data_encoding::BASE64;
use serde_json::json;

use crate::{
    api_types::{
        AnyValue, Bad, Cookie, MediaType, RouteAction, Setting, VIEWPORT_MOST,
        operations::{
            PageAuthenticate, PageCdp, PageCookies, PageEmulate, PageHeaders, PageRequest, PageRoute, PageViewport,
        },
        quick::{Credentials, Intercepted, Interceptor, Opening, QuickCookie, UserAgent, Viewport},
    },
    cdp::json_object::quote,
};

/// The actions, in the order in which they are performed. What they need is taken out.
pub(super) fn settings(opening: &mut Opening) -> Result<Vec<PageRequest>, Bad> {
    let mut steps = Vec::new();
    if let Some(media) = opening.emulate_media_type.take().filter(|media| !media.is_empty()) {
        let media = match &*media {
            "screen" => MediaType::Screen,
            "print" => MediaType::Print,
            _ => return Err(Bad::new("emulateMediaType", format!("{} is neither screen nor print", quote(&media)))),
        };
        steps.push(PageRequest::PageEmulate(PageEmulate { media: Setting::Set(media), ..PageEmulate::default() }));
    }
    let cookies = std::mem::take(&mut opening.cookies);
    if !cookies.is_empty() {
        let url = opening.url.as_deref().filter(|url| url.starts_with("http"));
        let set = cookies.into_iter().enumerate().map(|(index, one)| cookie(index, one, url));
        steps.push(PageRequest::PageCookies(PageCookies {
            set: set.collect::<Result<_, _>>()?,
            ..PageCookies::default()
        }));
    }
    if let Some(viewport) = opening.viewport.take() {
        steps.push(PageRequest::PageViewport(self::viewport(viewport)?));
    }
    if let Some(agent) = opening.user_agent.take() {
        steps.extend(user_agent(agent));
    }
    if let Some(Credentials { username, password }) = opening.authenticate.take() {
        let (username, password) = (Some(username), Some(password.reveal().clone()));
        steps.push(PageRequest::PageAuthenticate(PageAuthenticate {
            username,
            password,
            ..PageAuthenticate::default()
        }));
    }
    if let Some(headers) = opening.set_extra_http_headers.take().filter(|headers| !headers.0.is_empty()) {
        steps.push(PageRequest::PageHeaders(PageHeaders { headers, ..PageHeaders::default() }));
    }
    steps.extend(routes(opening));
    Ok(steps)
}

fn viewport(given: Viewport) -> Result<PageViewport, Bad> {
    let Viewport { width, height, device_scale_factor, is_mobile, is_landscape, has_touch } = given;
    let side = |name: &str, side: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
        let whole = (1.0..=f64::from(VIEWPORT_MOST)).contains(&side).then_some(side.floor() as u32);
        whole.map(Setting::Set).ok_or_else(|| {
            Bad::new(&format!("viewport.{name}"), format!("{side} is not from 1 to {VIEWPORT_MOST} pixels"))
        })
    };
    // A viewport is in landscape format if it is wider than high.
    let _ = is_landscape;
    // 0 is the scale of the screen, in Puppeteer.
    let device_scale_factor = device_scale_factor.filter(|scale| *scale != 0.0);
    let (width, height) = (side("width", width)?, side("height", height)?);
    Ok(PageViewport { width, height, device_scale_factor, is_mobile, has_touch, ..PageViewport::default() })
}

fn user_agent(agent: UserAgent) -> Option<PageRequest> {
    let UserAgent { user_agent, user_agent_metadata, platform } = agent;
    let user_agent = user_agent.filter(|agent| !agent.is_empty());
    if user_agent_metadata.is_none() && platform.is_none() {
        let emulate = |agent| PageEmulate { user_agent: Setting::Set(agent), ..PageEmulate::default() };
        return user_agent.map(|agent| PageRequest::PageEmulate(emulate(agent)));
    }
    let mut params = json!({ "userAgent": user_agent.unwrap_or_default() });
    if let Some(platform) = platform {
        params["platform"] = platform.into();
    }
    if let Some(metadata) = user_agent_metadata {
        params["userAgentMetadata"] = metadata.into();
    }
    let method = "Emulation.setUserAgentOverride".to_owned();
    Some(PageRequest::PageCdp(PageCdp { method, params: Some(AnyValue(params)), ..PageCdp::default() }))
}

/// A cookie. One that names no domain is one of the page.
fn cookie(index: usize, given: QuickCookie, page: Option<&str>) -> Result<Cookie, Bad> {
    let QuickCookie { name, value, url, domain, path, secure, http_only, same_site, expires } = given;
    let url = url.or_else(|| page.filter(|_| domain.is_none()).map(str::to_owned));
    if url.is_none() && domain.is_none() {
        return Err(Bad::new(&format!("cookies[{index}]"), "needs url or domain: the page has no URL"));
    }
    // -1 is a cookie without an end.
    let expires = expires.filter(|expires| *expires >= 0.0);
    Ok(Cookie { name, value, url, domain, path, expires, http_only, secure, same_site })
}

/// The rules for requests. Of several that match, the newest counts: what is to fail comes last.
fn routes(opening: &mut Opening) -> Vec<PageRequest> {
    let mut routes = Vec::new();
    let interceptors = std::mem::take(&mut opening.request_interceptors);
    for Interceptor { pattern, response } in interceptors.into_iter().rev() {
        routes.push(PageRoute { regex: Some(pattern), ..answered(response) });
    }
    let types = std::mem::take(&mut opening.reject_resource_types);
    if !types.is_empty() {
        let url = Some("**".to_owned());
        routes.push(PageRoute { url, resource_types: types, action: RouteAction::Abort, ..PageRoute::default() });
    }
    for pattern in std::mem::take(&mut opening.reject_request_pattern) {
        routes.push(PageRoute { regex: Some(pattern), action: RouteAction::Abort, ..PageRoute::default() });
    }
    routes.into_iter().map(PageRequest::PageRoute).collect()
}

fn answered(Intercepted { status, headers, content_type, body }: Intercepted) -> PageRoute {
    let mut headers = headers.unwrap_or_default();
    if let Some(kind) = content_type {
        headers.0.insert("Content-Type".to_owned(), kind);
    }
    let base64 = body.as_deref().is_some_and(is_base64);
    PageRoute { action: RouteAction::Fulfill, status, headers, body, base64, ..PageRoute::default() }
}

/// Whether browserless would take a text for base64: groups of four letters, the last one padded.
fn is_base64(text: &str) -> bool {
    !text.is_empty() && BASE64.decode(text.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::api_types::{Pattern, quick::QuickContent, read};

    fn set(body: &Value) -> Result<Vec<PageRequest>, String> {
        let (mut opening, ..) = read::<QuickContent>(&body.to_string()).map_err(|bad| bad.to_string())?.divide();
        settings(&mut opening).map_err(|bad| bad.to_string())
    }

    #[test]
    fn settings_come_in_the_order_of_browserless() {
        let body = json!({
            "url": "https://a/", "viewport": { "width": 300.9, "height": 200, "deviceScaleFactor": 0 },
            "userAgent": { "userAgent": "x" }, "cookies": [{ "name": "a", "value": "b", "expires": -1 }],
            "authenticate": { "username": "u", "password": "p" }, "setExtraHTTPHeaders": { "a": "b" },
            "emulateMediaType": "print", "rejectResourceTypes": ["image"], "rejectRequestPattern": ["x", "y"],
            "requestInterceptors": [
                { "pattern": "1", "response": { "contentType": "text/css", "body": "p {}" } },
                { "pattern": "2", "response": { "body": "eHg=", "status": 404 } },
            ],
        });
        let steps = set(&body).expect("good");
        let names: Vec<_> = steps.iter().map(PageRequest::name).collect();
        let expected = "pageEmulate pageCookies pageViewport pageEmulate pageAuthenticate pageHeaders pageRoute pageRoute \
                        pageRoute pageRoute pageRoute";
        assert_eq!(names.join(" "), expected);
        let PageRequest::PageCookies(cookies) = &steps[1] else { panic!("{steps:?}") };
        assert_eq!((cookies.set[0].url.as_deref(), cookies.set[0].expires), (Some("https://a/"), None));
        let PageRequest::PageViewport(viewport) = &steps[2] else { panic!("{steps:?}") };
        assert_eq!((viewport.width, viewport.device_scale_factor), (Setting::Set(300), None));
        // The newest rule counts: first what fails, then the first interceptor.
        let routes: Vec<_> = steps[6..]
            .iter()
            .map(|step| match step {
                PageRequest::PageRoute(route) => {
                    (route.regex.as_ref().map(Pattern::as_str), route.action, route.base64)
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let (fulfill, abort) = (RouteAction::Fulfill, RouteAction::Abort);
        let expected = [
            (Some("2"), fulfill, true),
            (Some("1"), fulfill, false),
            (None, abort, false),
            (Some("x"), abort, false),
            (Some("y"), abort, false),
        ];
        assert_eq!(routes, expected);
    }

    #[test]
    fn settings_that_cannot_be_are_refused_by_name() {
        for (body, field) in [
            (json!({ "html": "x", "cookies": [{ "name": "a", "value": "b" }] }), "cookies[0]"),
            (json!({ "html": "x", "emulateMediaType": "braille" }), "emulateMediaType"),
            (json!({ "html": "x", "viewport": { "width": 0, "height": 5 } }), "viewport.width"),
            (json!({ "html": "x", "rejectRequestPattern": ["x", "(?=y)"] }), "rejectRequestPattern[1]"),
            (
                json!({ "html": "x", "requestInterceptors": [{ "pattern": "(", "response": {} }] }),
                "requestInterceptors[0].pattern",
            ),
        ] {
            let why = set(&body).expect_err("it cannot be");
            assert!(why.starts_with(&format!("{field}: ")), "{body}: {why}");
        }
        assert_eq!(set(&json!({ "html": "x", "emulateMediaType": null, "viewport": null })), Ok(Vec::new()));
    }
}

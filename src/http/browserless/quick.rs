//! Quick actions: one request opens a page in a session of its own, and is answered by what was wanted of it.
//!
//! `api_types::quick` has the bodies, `wish` reads what is wanted of the session, `plan` makes actions on a page of the body,
//! and `run` performs them.

use std::time::Instant;

use axum::{
    Router,
    body::HttpBody as _,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    routing,
};
use serde::de::DeserializeOwned;

use super::{
    super::{
        Api,
        promises::Documented,
        reply::{Answer, Problem, text},
        request::{By, LargeBody},
    },
    about::Totals,
    bodies::Bodies,
    plan::{self, Step, Wanted},
    run::{self, Outcome},
    wish::{self, QuickNeeds},
};
use crate::{
    api_types::{
        self, Bad, Nothing, Schemas,
        operations::{Errors, PageLinks, Rest, RestAnswer, RestInput, Verb},
        quick::{QuickContent, QuickLinks, QuickMarkdown, QuickPdf, QuickScrape, QuickScreenshot, QuickSession},
    },
    runtime,
    session::manager::{Caller, SessionManager},
};

/// Most characters of a URL in a header.
const LONGEST_URL: usize = 1000;
/// The content of other sites must not run as a page of this server.
pub(super) const SANDBOX: &str = "sandbox; frame-ancestors 'none'";

/// What the endpoints have in common.
pub(super) const A_POST: Rest = Rest {
    verb: Verb::Post,
    path: "",
    id: None,
    second: None,
    input: RestInput::Path,
    answer: RestAnswer::Output,
    says: "",
    tag: "quick actions",
    errors: &[Errors::Beginning, Errors::Body, Errors::Page, Errors::Quick],
};

/// The endpoints, as the document shows them.
pub(in crate::http) const ENDPOINTS: [Documented; 6] = [
    Documented {
        name: "quickScreenshot",
        rest: Rest {
            path: "/screenshot",
            input: RestInput::NeededBody("QuickScreenshot"),
            answer: RestAnswer::Media(&["image/png", "image/jpeg", "image/webp", "text/plain"]),
            says: "The picture; in base64 if `options.encoding` says so.",
            ..A_POST
        },
        input: Schemas::input::<QuickScreenshot>,
        output: Schemas::output::<Nothing>,
    },
    Documented {
        name: "quickPdf",
        rest: Rest {
            path: "/pdf",
            input: RestInput::NeededBody("QuickPdf"),
            answer: RestAnswer::Media(&["application/pdf"]),
            says: "The PDF.",
            ..A_POST
        },
        input: Schemas::input::<QuickPdf>,
        output: Schemas::output::<Nothing>,
    },
    Documented {
        name: "quickContent",
        rest: Rest {
            path: "/content",
            input: RestInput::NeededBody("QuickContent"),
            answer: RestAnswer::Media(&["text/html"]),
            says: "The HTML.",
            ..A_POST
        },
        input: Schemas::input::<QuickContent>,
        output: Schemas::output::<Nothing>,
    },
    Documented {
        name: "quickScrape",
        rest: Rest { path: "/scrape", input: RestInput::NeededBody("QuickScrape"), says: "The elements.", ..A_POST },
        input: Schemas::input::<QuickScrape>,
        output: Schemas::output::<answers::Scraped>,
    },
    Documented {
        name: "quickMarkdown",
        rest: Rest {
            path: "/markdown",
            input: RestInput::NeededBody("QuickMarkdown"),
            answer: RestAnswer::Media(&["text/markdown"]),
            says: "The Markdown.",
            ..A_POST
        },
        input: Schemas::input::<QuickMarkdown>,
        output: Schemas::output::<Nothing>,
    },
    Documented {
        name: "quickLinks",
        rest: Rest { path: "/links", input: RestInput::NeededBody("QuickLinks"), says: "The links.", ..A_POST },
        input: Schemas::input::<QuickLinks>,
        output: Schemas::output::<answers::Links>,
    },
];

/// What these endpoints answer as JSON.
mod answers {
    use schemars::JsonSchema;
    use serde::Serialize;

    use crate::api_types::Link;

    /// The elements of a page, by their selectors.
    #[derive(Serialize, JsonSchema)]
    #[schemars(rename = "QuickScraped")]
    pub(super) struct Scraped {
        data: Vec<OfSelector>,
        /// If `debugOpts` is given.
        #[serde(skip_serializing_if = "Option::is_none")]
        debug: Option<Debug>,
    }

    #[derive(Serialize, JsonSchema)]
    #[schemars(inline)]
    struct OfSelector {
        selector: String,
        results: Vec<Element>,
    }

    #[derive(Serialize, JsonSchema)]
    #[schemars(inline)]
    struct Element {
        attributes: Vec<Attribute>,
        height: f64,
        html: String,
        left: f64,
        text: String,
        top: f64,
        width: f64,
    }

    #[derive(Serialize, JsonSchema)]
    #[schemars(inline)]
    struct Attribute {
        name: String,
        value: String,
    }

    #[derive(Serialize, JsonSchema)]
    #[schemars(inline)]
    struct Debug {
        #[serde(skip_serializing_if = "Option::is_none")]
        html: Option<String>,
        /// In base64.
        #[serde(skip_serializing_if = "Option::is_none")]
        screenshot: Option<String>,
    }

    /// The links of a page.
    #[derive(Serialize, JsonSchema)]
    #[schemars(rename = "QuickLinksOf")]
    pub(super) struct Links {
        /// In the order of the document.
        links: Vec<Link>,
    }
}

/// The routes of quick actions, also below the names of browsers.
pub(super) fn routes(bodies: &Bodies, totals: &Totals) -> Router<Api> {
    let all = (bodies.clone(), totals.clone());
    let mut router = Router::new();
    for below in ["", "/chromium", "/chrome"] {
        router = router
            .merge(route::<QuickScreenshot>(&format!("{below}/screenshot"), &all))
            .merge(route::<QuickPdf>(&format!("{below}/pdf"), &all))
            .merge(route::<QuickContent>(&format!("{below}/content"), &all))
            .merge(route::<QuickScrape>(&format!("{below}/scrape"), &all))
            .merge(route::<QuickMarkdown>(&format!("{below}/markdown"), &all))
            .merge(route::<QuickLinks>(&format!("{below}/links"), &all));
    }
    router
}

fn route<Q: QuickAction>(path: &str, (bodies, totals): &(Bodies, Totals)) -> Router<Api> {
    let (bodies, totals) = (bodies.clone(), totals.clone());
    let answer = async move |State(manager): State<SessionManager>, By(caller): By, request: Request| {
        let (counted, since) = (totals.begin(), Instant::now());
        let done = Box::pin(answer::<Q>(&manager, &caller, &bodies, request)).await;
        let done = done.map_err(Problem::for_browserless);
        counted.end(since.elapsed(), done.as_ref().map(drop));
        done
    };
    Router::new().route(path, routing::post(answer))
}

/// A body that means a plan.
trait QuickAction: DeserializeOwned + Send + 'static {
    /// The actions, and what is wanted of the session.
    fn plan(self) -> Result<((Vec<Step>, Wanted), QuickSession), Bad>;
}

impl QuickAction for QuickScreenshot {
    fn plan(self) -> Result<((Vec<Step>, Wanted), QuickSession), Bad> {
        let (opening, session, (options, scroll_page, selector)) = self.divide();
        let can_fail = opening.best_attempt;
        let mut steps = plan::opening(opening)?;
        steps.extend(scroll_page.then(|| plan::scroll(can_fail)));
        Ok(((steps, plan::picture(options, selector)?), session))
    }
}

impl QuickAction for QuickPdf {
    fn plan(self) -> Result<((Vec<Step>, Wanted), QuickSession), Bad> {
        let (opening, session, (options,)) = self.divide();
        let mut steps = plan::opening(opening)?;
        let (more, wanted) = plan::pdf(options)?;
        steps.extend(more);
        Ok(((steps, wanted), session))
    }
}

impl QuickAction for QuickContent {
    fn plan(self) -> Result<((Vec<Step>, Wanted), QuickSession), Bad> {
        let (opening, session, ()) = self.divide();
        Ok(((plan::opening(opening)?, Wanted::Content(Box::default())), session))
    }
}

impl QuickAction for QuickScrape {
    fn plan(self) -> Result<((Vec<Step>, Wanted), QuickSession), Bad> {
        let (opening, session, (elements, debug)) = self.divide();
        let can_fail = opening.best_attempt;
        let mut steps = plan::opening(opening)?;
        let (more, wanted) = plan::scraped(&elements, debug, can_fail)?;
        steps.extend(more);
        Ok(((steps, wanted), session))
    }
}

impl QuickAction for QuickMarkdown {
    fn plan(self) -> Result<((Vec<Step>, Wanted), QuickSession), Bad> {
        let (opening, session, (selector,)) = self.divide();
        Ok(((plan::opening(opening)?, plan::markdown(selector)), session))
    }
}

impl QuickAction for QuickLinks {
    fn plan(self) -> Result<((Vec<Step>, Wanted), QuickSession), Bad> {
        let (opening, session, (limit,)) = self.divide();
        let wanted = Wanted::Links(Box::new(PageLinks { limit, ..PageLinks::default() }));
        Ok(((plan::opening(opening)?, wanted), session))
    }
}

async fn answer<Q: QuickAction>(
    manager: &SessionManager,
    caller: &Caller,
    bodies: &Bodies,
    request: Request,
) -> Result<Answer, Problem> {
    let limits = manager.page_limits();
    let query = request.uri().query().unwrap_or_default().to_owned();
    // Until the answer is made.
    let declared = request.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    let _held = bodies.hold(caller.owner(), declared, limits.quick_body)?;
    let body = LargeBody::up_to(limits.quick_body, request).await?;
    let ((mut steps, wanted), session) = runtime::aside(body.len(), || read::<Q>(&body))?;
    drop(body);
    let QuickNeeds { options, timeout, blocked } = wish::read(&query, session, manager.block_list())?;
    // The newest rule for requests counts: those of the body come later.
    steps.splice(0..0, blocked.map(plan::block));
    Ok(media(run::run(manager, caller, options, (steps, wanted), run::limit(timeout, limits)).await?))
}

/// The answer with what was wanted, and in its headers the response with the page.
fn media(Outcome { kind, body, response }: Outcome) -> Answer {
    let mut answer = text(StatusCode::OK, kind, body);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    if let Some(response) = response {
        let url: String = response.url.chars().take(LONGEST_URL).collect();
        tell(headers, "x-response-code", Some(response.status.to_string()));
        tell(headers, "x-response-status", Some(response.status_text));
        tell(headers, "x-response-url", Some(url));
        tell(headers, "x-response-ip", response.ip);
        tell(headers, "x-response-port", response.port.map(|port| port.to_string()));
    }
    answer
}

fn read<Q: QuickAction>(body: &str) -> Result<((Vec<Step>, Wanted), QuickSession), Problem> {
    Ok(from_json::<Q>(body)?.plan()?)
}

/// Reads a body in JSON; an error tells what is no JSON from what has wrong members.
pub(super) fn from_json<T: DeserializeOwned>(body: &str) -> Result<T, Problem> {
    api_types::read::<T>(body).map_err(|bad| match serde_json::from_str::<serde::de::IgnoredAny>(body) {
        Ok(_) => bad.into(),
        Err(error) => Problem::new(StatusCode::BAD_REQUEST, "bad-json", format!("the body is not JSON: {error}")),
    })
}

/// Adds a header, if there is a value that a header can have.
fn tell(headers: &mut HeaderMap, name: &'static str, value: Option<String>) {
    if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::DocumentResponse;

    #[test]
    fn html_of_others_is_no_page_of_this_server() {
        let response = DocumentResponse {
            url: format!("https://a.example/{}", "x".repeat(2000)),
            status: 203,
            status_text: "Non-Authoritative\r\nX-Forged: 1".to_owned(),
            ip: Some("192.0.2.1".to_owned()),
            port: Some(443),
        };
        let body = b"<script>1</script>".to_vec();
        let answer = media(Outcome { kind: "text/html; charset=UTF-8", body, response: Some(response) });
        let of = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        assert!(
            of("content-security-policy")
                .is_some_and(|policy| policy.contains("sandbox") && !policy.contains("allow-"))
        );
        assert_eq!(
            (of("x-response-code"), of("x-response-ip"), of("x-response-port")),
            (Some("203"), Some("192.0.2.1"), Some("443"))
        );
        assert_eq!(of("x-response-url").map(str::len), Some(LONGEST_URL));
        // What cannot be a header is none, and makes none.
        assert_eq!((of("x-response-status"), of("x-forged")), (None, None));
    }
}

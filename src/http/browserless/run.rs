//! Performs the plan of a quick action in a session of its own. The session has one owner, which this future holds: it ends
//! with the action, also when the action fails, when its time is over, and when the caller hangs up.

use std::{fs::File, time::Duration};

use axum::http::StatusCode;
use data_encoding::BASE64;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, value::RawValue};
use tokio::time::Instant;

use super::plan::{self, Step, Wanted};
use crate::{
    api_types::{
        AnyValue, BlockList, DocumentResponse, Download, Link, Millis, PictureFormat, Reply,
        operations::{PageCookies, PageHtml, PageRequest, PageScreenshot},
        quick::{DebugOptions, ScreenshotEncoding},
    },
    cdp::ids::TargetId,
    config::PageLimits,
    http::reply::Problem,
    runtime,
    session::{
        manager::{BriefSession, Caller, ConnectOptions, ServiceError, SessionManager},
        pages::{Code, CodeResult, PageError},
    },
};

/// How much longer all may take than the steps of it, which end with an error that says more.
const GRACE: Duration = Duration::from_secs(1);

/// What a quick action answers.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) kind: &'static str,
    pub(super) body: Vec<u8>,
    /// The response with the page.
    pub(super) response: Option<DocumentResponse>,
}

/// Code that is run, and what of it is wanted.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) code: String,
    /// What the code is given beside the page.
    pub(super) context: Option<AnyValue>,
    /// The hosts that are blocked.
    pub(super) blocked: Option<BlockList>,
    /// Whether the file that its pages download is wanted.
    pub(super) is_download: bool,
}

/// What code has led to.
#[derive(Debug)]
pub(super) enum Ran {
    /// It returned this.
    Returned(CodeResult),
    /// Its pages downloaded this file.
    Downloaded(Download, File),
}

/// How long an action may take that asks for this.
pub(super) fn limit(asked: Option<Millis>, limits: PageLimits) -> Duration {
    match asked {
        Some(Millis(Duration::ZERO)) => limits.timeout_most,
        Some(Millis(asked)) => asked.min(limits.timeout_most),
        None => limits.timeout.min(limits.timeout_most),
    }
}

/// Runs code, within this time.
pub(super) async fn program(
    manager: &SessionManager,
    caller: &Caller,
    wish: ConnectOptions,
    Program { code, context, blocked, is_download }: Program,
    limit: Duration,
) -> Result<Ran, Problem> {
    let (deadline, limits) = (Instant::now() + limit, manager.page_limits());
    let all = async {
        let session = manager.create_briefly(caller, wish, limit).await?;
        let on = OnPage::open(session, deadline, limits.timeout).await?;
        if let Some(hosts) = blocked {
            on.perform(plan::block(hosts).request).await?;
        }
        if is_download {
            on.session.allow_downloads().await?;
        }
        let (context, page) = (context.unwrap_or_else(|| AnyValue(Map::new().into())), on.page.clone());
        let code = Code { text: code, context, page, timeout: limit, most: limits.result };
        let result = on.session.run(code).await?;
        if !is_download {
            return Ok(Ran::Returned(result));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let Some((download, file)) = on.session.first_download(left).await? else {
            let detail = "the code has ended, and no page has downloaded a file since; wait in the code until the download \
                          has begun";
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "action-timeout", detail));
        };
        Ok(Ran::Downloaded(download, file))
    };
    // What waits for a download ends at the deadline, and says so.
    let most = if is_download { limit + GRACE } else { limit };
    tokio::time::timeout(most, Box::pin(all)).await.unwrap_or_else(|_| {
        let detail = format!("the code was not done within {} ms; give it longer with timeout", limit.as_millis());
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "action-timeout", detail))
    })
}

/// Performs a plan, within this time.
pub(super) async fn run(
    manager: &SessionManager,
    caller: &Caller,
    wish: ConnectOptions,
    (steps, wanted): (Vec<Step>, Wanted),
    limit: Duration,
) -> Result<Outcome, Problem> {
    let deadline = Instant::now() + limit;
    let all = async {
        let session = manager.create_briefly(caller, wish, limit).await?;
        let page = OnPage::open(session, deadline, manager.page_limits().timeout).await?;
        let mut response = None;
        for Step { request, may_fail } in steps {
            let is_opening = matches!(request, PageRequest::PageGoto(_));
            match page.perform(request).await {
                Ok(reply) if is_opening => response = read::<Opened>(&reply)?.response,
                Ok(_) => {}
                Err(why) if may_fail && is_of_the_page(&why) => {}
                Err(why) => return Err(why.into()),
            }
        }
        let (kind, body) = Box::pin(page.answer(wanted)).await?;
        Ok(Outcome { kind, body, response })
    };
    // In a box: it is much larger than what only passes it on. A step that takes too long says what it waited for, and is
    // given the time to do so.
    tokio::time::timeout(limit + GRACE, Box::pin(all)).await.unwrap_or_else(|_| {
        let detail = format!(
            "the action was not done within {} ms; give it longer with timeout, or let it wait for less",
            limit.as_millis()
        );
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "action-timeout", detail))
    })
}

/// Whether a step failed because of what the page did, and not because of the request or the browser.
fn is_of_the_page(why: &ServiceError) -> bool {
    let ServiceError::Page(why) = why else { return false };
    matches!(
        why,
        PageError::NotLoaded { .. }
            | PageError::Timeout { .. }
            | PageError::Script { .. }
            | PageError::Impossible { .. }
    )
}

#[derive(Deserialize)]
struct Opened {
    response: Option<DocumentResponse>,
}

#[derive(Deserialize)]
struct Data {
    data: String,
}

#[derive(Deserialize)]
struct Html {
    html: String,
}

#[derive(Deserialize)]
struct Markdown {
    markdown: String,
}

#[derive(Deserialize)]
struct CookiesOf {
    cookies: Value,
}

#[derive(Deserialize)]
struct Evaluated {
    value: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Found {
    count: u32,
}

#[derive(Deserialize, serde::Serialize)]
struct Links {
    links: Vec<Link>,
}

/// Reads what an action answered.
fn read<T: DeserializeOwned>(reply: &Reply) -> Result<T, Problem> {
    let read = runtime::aside(reply.output.len(), || serde_json::from_str(&reply.output));
    read.map_err(|error| ServiceError::Unreadable(error).into())
}

/// The page of a quick action.
struct OnPage {
    session: BriefSession,
    page: TargetId,
    /// When all is to be done.
    deadline: Instant,
    /// The time limit of an action that names none.
    default: Duration,
}

impl OnPage {
    async fn open(session: BriefSession, deadline: Instant, default: Duration) -> Result<Self, Problem> {
        let page = session.page().await?;
        Ok(Self { session, page, deadline, default })
    }

    async fn perform(&self, mut request: PageRequest) -> Result<Reply, ServiceError> {
        let asked = request.on_page().and_then(|on| on.timeout).map_or(self.default, |Millis(asked)| asked);
        let left = self.deadline.saturating_duration_since(Instant::now());
        request.aim(self.session.id(), self.page.as_str(), Millis(asked.min(left)));
        self.session.perform(request).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: PageRequest) -> Result<T, Problem> {
        read(&self.perform(request).await?)
    }

    /// Makes the answer: its type and its content.
    async fn answer(&self, wanted: Wanted) -> Result<(&'static str, Vec<u8>), Problem> {
        match wanted {
            Wanted::Picture { element, request, encoding } => {
                if let Some(query) = element
                    && self.ask::<Found>(PageRequest::PageQuery(*query)).await?.count == 0
                {
                    let detail = "selector: no element of the page matches; use waitForSelector to wait for it";
                    return Err(Problem::new(StatusCode::BAD_REQUEST, "no-element", detail));
                }
                let kind = match request.format {
                    PictureFormat::Png => "image/png",
                    PictureFormat::Jpeg => "image/jpeg",
                    PictureFormat::Webp => "image/webp",
                };
                let Data { data } = self.ask(PageRequest::PageScreenshot(*request)).await?;
                match encoding {
                    ScreenshotEncoding::Base64 => Ok(("text/plain; charset=UTF-8", data.into_bytes())),
                    ScreenshotEncoding::Binary => Ok((kind, decoded(&data)?)),
                }
            }
            Wanted::Pdf { mut request, full_page } => {
                if full_page {
                    let value = self.ask::<Evaluated>(plan::height()).await?.value;
                    let height = value.and_then(|value| value.get().parse::<f64>().ok());
                    request.paper_height = height.filter(|height| *height > 0.0).map(plan::paper_height);
                }
                let Data { data } = self.ask(PageRequest::PagePdf(*request)).await?;
                Ok(("application/pdf", decoded(&data)?))
            }
            Wanted::Content(request) => {
                let Html { html } = self.ask(PageRequest::PageHtml(*request)).await?;
                let mut html = html.into_bytes();
                // As browserless does.
                html.push(b'\n');
                Ok(("text/html; charset=UTF-8", html))
            }
            Wanted::Scraped { request, debug } => {
                let value = self.ask::<Evaluated>(PageRequest::PageEvaluate(*request)).await?.value;
                let data = value.map_or("null".to_owned(), |value| value.get().to_owned());
                let debug = match debug {
                    Some(debug) => format!(r#","debug":{}"#, Value::Object(self.debug(debug).await?)),
                    None => String::new(),
                };
                Ok(("application/json; charset=UTF-8", format!(r#"{{"data":{data}{debug}}}"#).into_bytes()))
            }
            Wanted::Markdown(request) => {
                let Markdown { markdown } = self.ask(PageRequest::PageMarkdown(*request)).await?;
                Ok(("text/markdown; charset=UTF-8", markdown.into_bytes()))
            }
            Wanted::Links(request) => {
                let links: Links = self.ask(PageRequest::PageLinks(*request)).await?;
                let links = serde_json::to_vec(&links).map_err(ServiceError::Unreadable)?;
                Ok(("application/json; charset=UTF-8", links))
            }
        }
    }

    /// What `/scrape` shows to who looks for a mistake.
    async fn debug(&self, debug: DebugOptions) -> Result<Map<String, Value>, Problem> {
        let mut shown = Map::new();
        if debug.html {
            let Html { html } = self.ask(PageRequest::PageHtml(PageHtml::default())).await?;
            shown.insert("html".to_owned(), html.into());
        }
        if debug.cookies {
            let CookiesOf { cookies } = self.ask(PageRequest::PageCookies(PageCookies::default())).await?;
            shown.insert("cookies".to_owned(), cookies);
        }
        if debug.screenshot {
            let whole = PageScreenshot { full_page: true, ..PageScreenshot::default() };
            let Data { data } = self.ask(PageRequest::PageScreenshot(whole)).await?;
            shown.insert("screenshot".to_owned(), data.into());
        }
        Ok(shown)
    }
}

/// The bytes of a picture or a PDF.
fn decoded(data: &str) -> Result<Vec<u8>, Problem> {
    runtime::aside(data.len(), || BASE64.decode(data.as_bytes())).map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "browser", "Chrome's answer is no base64; try again")
    })
}

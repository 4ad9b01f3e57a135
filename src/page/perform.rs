//! Leads each request to its action, with its time limit, and tells what happened to the page meanwhile.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{
    acting::{Before, needed},
    check_url,
    commands::DisableScripts,
    driven::Page,
    interaction::interact,
    keys,
    means::Means,
    picture::{PictureForm, Scene},
    pointer::{Act, How},
    script::Outcome,
    secrets::{self, Text},
    snapshot::Taken,
    state_actions,
};
use crate::{
    api_types::{
        AccessibilitySnapshot, Acted, Aftermath, AttributesOf, Bad, Expect, FoundElements, Happened, Locator, Millis,
        Nothing, PageHtmlOf, PageLinksOf, PagePdfOf, PagePicture, PageTextOf, Reply, ScriptResult, Selected, Went,
        capability::Granted,
        operations::{
            PageAttributes, PageBack, PageCheck, PageClear, PageClick, PageEvaluate, PageFill, PageFocus, PageForward,
            PageGoto, PageHtml, PageLinks, PagePdf, PagePress, PageQuery, PageReload, PageRequest, PageScreenshot,
            PageScripting, PageScroll, PageSelect, PageSnapshot, PageText, PageType, PageUncheck, PageWait,
            ReleaseHandles,
        },
    },
    config::PageLimits,
    session::pages::PageError,
};

/// Most locators of a mask.
const MASKS_MOST: usize = 20;

/// Performs an action until its time limit.
pub(super) async fn perform(
    page: &Page,
    means: &Means,
    granted: Granted,
    limits: PageLimits,
    request: PageRequest,
) -> Result<Reply, PageError> {
    let what = request.name();
    let asked = request.on_page().and_then(|on| on.timeout).map(|timeout| timeout.0);
    let limit = asked.unwrap_or(limits.timeout).min(limits.timeout_most);
    page.waits_for("the page");
    let before = Before::of(page);
    let expect = expectation(&request);
    let (acts, has_plain_answer) = (acts(&request), has_plain_answer(&request));
    let action = Box::pin(async {
        page.begin(&expect, acts).await?;
        if !expect.dialog.as_ref().is_some_and(|dialog| dialog.leave) {
            return Box::pin(act(page, means, granted, limits, before, request)).await;
        }
        if !has_plain_answer {
            return Err(Bad::new("expect.dialog", "cannot leave the dialog of this action open").into());
        }
        tokio::select! {
            reply = Box::pin(act(page, means, granted, limits, before, request)) => reply,
            left = page.left_dialog() => {
                left?;
                Ok(plain(before.and_after(page).await?))
            }
        }
    });
    let done = tokio::time::timeout(limit, action).await;
    page.is_at(None);
    let reply = done.unwrap_or_else(|_| {
        let seen = page.seen();
        Err(PageError::Timeout { what, limit: limit.as_millis(), condition: seen.condition, seen: seen.last })
    });
    page.end();
    let mut reply = reply.map_err(|error| page.without_secrets(error))?;
    page.session().hide_secrets_in_json(&mut reply.output);
    if reply.output.len() > limits.result {
        return Err(PageError::TooLarge { size: reply.output.len(), most: limits.result });
    }
    Ok(reply)
}

/// What a request expects; a `wait` has some of it as members of its own.
fn expectation(request: &PageRequest) -> Expect {
    let mut expect = request.on_page().and_then(|on| on.expect).cloned().unwrap_or_default();
    if let PageRequest::PageWait(PageWait { request, response, .. }) = request {
        expect.request = request.clone().or(expect.request);
        expect.response = response.clone().or(expect.response);
    }
    expect
}

/// Whether an action may change what pages the session has.
fn acts(request: &PageRequest) -> bool {
    !matches!(
        request,
        PageRequest::PageText(_)
            | PageRequest::PageHtml(_)
            | PageRequest::PageAttributes(_)
            | PageRequest::PageQuery(_)
            | PageRequest::PageLinks(_)
            | PageRequest::PageSnapshot(_)
            | PageRequest::PageScreenshot(_)
            | PageRequest::PagePdf(_)
    )
}

/// Whether the answer has no member that is needed, except those of all answers.
fn has_plain_answer(request: &PageRequest) -> bool {
    acts(request) && !matches!(request, PageRequest::PageSelect(_) | PageRequest::PageActions(_))
}

/// Such an answer.
fn plain(after: Aftermath) -> Reply {
    Reply::of::<PageClick>(&Acted::new(after))
}

/// The answer of an action during which the page is closed.
pub(super) struct Closing {
    url: String,
    since: Instant,
    may_be: bool,
}

impl Closing {
    pub(super) fn of(page: &Page, request: &PageRequest) -> Self {
        let may_be = has_plain_answer(request) && expectation(request).is_empty();
        Self { url: page.state().url, since: Instant::now(), may_be }
    }

    /// If the action has closed the page, that is what it was to do.
    pub(super) async fn reply(self, page: &Page) -> Result<Reply, PageError> {
        if !self.may_be || !page.was_closed_by_action().await {
            return Err(PageError::Closed);
        }
        let happened = Happened { closed: vec![page.id().to_string()], ..Happened::default() };
        let took = Millis(self.since.elapsed());
        Ok(plain(Aftermath { url: self.url, navigated: false, took, happened }))
    }
}

async fn act(
    page: &Page,
    means: &Means,
    granted: Granted,
    limits: PageLimits,
    before: Before,
    request: PageRequest,
) -> Result<Reply, PageError> {
    if let Some(reply) = state_actions::perform(page, means, &request, before).await? {
        return Ok(reply);
    }
    let what = request.name();
    let acted = async || before.and_after(page).await.map(Acted::new);
    let went = async |status| Ok::<_, PageError>(Went::new(before.and_after(page).await?, status, None));
    if takes_input(&request) {
        page.bring_to_front().await?;
    }
    Ok(match request {
        // The session manager performs the first two, and `list` the last.
        PageRequest::NewPage(_) | PageRequest::ClosePage(_) | PageRequest::PageActions(_) => {
            return Err(PageError::Closed);
        }
        PageRequest::ReleaseHandles(ReleaseHandles { handle, .. }) => {
            page.release_handles(handle.as_deref()).await?;
            Reply::of::<ReleaseHandles>(&Nothing {})
        }
        PageRequest::PageGoto(PageGoto { url, wait_until, referer, details, .. }) => {
            check_url(&url, granted)?;
            if details {
                page.watch_responses().await?;
            }
            let status = page.go_to(&url, referer.as_deref(), wait_until).await?;
            let response = page.state().response().filter(|_| details);
            Reply::of::<PageGoto>(&Went { response, ..went(status).await? })
        }
        PageRequest::PageScripting(PageScripting { enabled, .. }) => {
            page.driver().ask(&DisableScripts { value: !enabled }).await?;
            Reply::of::<PageScripting>(&acted().await?)
        }
        PageRequest::PageReload(PageReload { wait_until, .. }) => {
            let status = page.reload(wait_until).await?;
            Reply::of::<PageReload>(&went(status).await?)
        }
        PageRequest::PageBack(PageBack { wait_until, .. }) => {
            let status = page.step_in_history(what, false, wait_until).await?;
            Reply::of::<PageBack>(&went(status).await?)
        }
        PageRequest::PageForward(PageForward { wait_until, .. }) => {
            let status = page.step_in_history(what, true, wait_until).await?;
            Reply::of::<PageForward>(&went(status).await?)
        }
        request @ (PageRequest::PageClick(_)
        | PageRequest::PageDblclick(_)
        | PageRequest::PageHover(_)
        | PageRequest::PageTap(_)
        | PageRequest::PageDrag(_)
        | PageRequest::PageBlur(_)
        | PageRequest::PageFillForm(_)
        | PageRequest::PageUpload(_)) => interact(page, before, what, request).await?,
        PageRequest::PageFocus(focus) => {
            page.focus(what, &needed(focus.element())?, false).await?;
            Reply::of::<PageFocus>(&acted().await?)
        }
        PageRequest::PageType(typing) => {
            let text = Text::read("text", typing.text.as_deref(), typing.secret.as_deref(), typing.totp)?;
            let delay = typing.delay.map_or(Duration::ZERO, |delay| delay.0);
            page.type_with(what, &needed(typing.element())?, text, delay).await?;
            Reply::of::<PageType>(&acted().await?)
        }
        PageRequest::PageFill(fill) => {
            let text = Text::read("value", fill.value.as_deref(), fill.secret.as_deref(), fill.totp)?;
            page.fill_with(what, &needed(fill.element())?, text, fill.force).await?;
            Reply::of::<PageFill>(&acted().await?)
        }
        PageRequest::PageClear(clear) => {
            page.fill(what, &needed(clear.element())?, "", false).await?;
            Reply::of::<PageClear>(&acted().await?)
        }
        PageRequest::PagePress(press) => {
            let (held, key) = keys::combination(&press.key)?;
            if let Some(selector) = press.element()? {
                page.focus(what, &selector, true).await?;
            }
            page.press(&held, &key).await?;
            page.settle().await?;
            Reply::of::<PagePress>(&acted().await?)
        }
        PageRequest::PageSelect(select) => {
            let values = page.select(what, &needed(select.element())?, &select.values).await?;
            Reply::of::<PageSelect>(&Selected::new(before.and_after(page).await?, values))
        }
        PageRequest::PageCheck(check) => {
            page.set_checked(what, &needed(check.element())?, true, check.force).await?;
            Reply::of::<PageCheck>(&acted().await?)
        }
        PageRequest::PageUncheck(check) => {
            page.set_checked(what, &needed(check.element())?, false, check.force).await?;
            Reply::of::<PageUncheck>(&acted().await?)
        }
        PageRequest::PageScroll(scroll) => {
            let by = (scroll.dx.is_some() || scroll.dy.is_some())
                .then(|| (scroll.dx.unwrap_or_default(), scroll.dy.unwrap_or_default()));
            match (scroll.element()?, by) {
                (Some(selector), Some((dx, dy))) => {
                    page.point(what, &selector, &Act::Wheel { dx, dy }, How::default()).await?;
                }
                (Some(selector), None) => {
                    page.waits_for(format!("{selector} to be stable"));
                    page.step(what, Some(&selector), "scroll", json!({})).await?;
                }
                (None, Some((dx, dy))) => page.wheel(dx, dy).await?,
                (None, None) => return Err(Bad::new("locator", "give an element, dx or dy").into()),
            }
            Reply::of::<PageScroll>(&acted().await?)
        }
        PageRequest::PageWait(wait) => {
            page.wait(what, &wait).await?;
            Reply::of::<PageWait>(&acted().await?)
        }
        PageRequest::PageScreenshot(screenshot) => {
            let element = screenshot.element()?;
            let PageScreenshot {
                full_page,
                clip,
                format,
                quality,
                mask,
                mask_color,
                omit_background,
                optimize_for_speed,
                max_side,
                ..
            } = screenshot;
            if mask.len() > MASKS_MOST {
                return Err(Bad::new("mask", format!("has more than {MASKS_MOST} locators")).into());
            }
            let mask = mask.iter().map(Locator::selector).collect::<Result<Vec<_>, _>>()?;
            let colour = mask_color.unwrap_or_else(|| "#FF00FF".to_owned());
            let scene = match (element, clip, full_page) {
                (Some(selector), None, false) => Scene::Element(selector),
                (None, Some(clip), false) => Scene::Clip(clip),
                (None, None, true) => Scene::FullPage,
                (None, None, false) => Scene::Viewport,
                _ => return Err(Bad::new("clip", "give one of an element, clip and fullPage").into()),
            };
            if quality.is_some_and(|quality| quality > 100) {
                return Err(Bad::new("quality", "is not between 0 and 100").into());
            }
            if max_side.is_some_and(|most| most < 16) {
                return Err(Bad::new("maxSide", "is less than 16").into());
            }
            let form = PictureForm { format, quality, omit_background, optimize_for_speed, max_side };
            let data = page.take_masked(means, what, (&mask[..], &colour[..]), scene, form).await?;
            Reply::of::<PageScreenshot>(&PagePicture::new(before.and_after(page).await?, data, format))
        }
        PageRequest::PagePdf(pdf) => {
            let data = page.print(pdf, granted).await?;
            Reply::of::<PagePdf>(&PagePdfOf::new(before.and_after(page).await?, data))
        }
        PageRequest::PageEvaluate(evaluate) => {
            secrets::check_args(&evaluate.args)?;
            let Outcome { value, handle, description, console } = page.evaluate_script(what, &evaluate, limits).await?;
            let after = before.and_after(page).await?;
            Reply::of::<PageEvaluate>(&ScriptResult::new(after, value, handle, description, console))
        }
        reading => read(page, before, what, limits, reading).await?,
    })
}

/// Whether an action sends input to the page, or waits until an element is drawn.
fn takes_input(request: &PageRequest) -> bool {
    matches!(
        request,
        PageRequest::PageClick(_)
            | PageRequest::PageDblclick(_)
            | PageRequest::PageHover(_)
            | PageRequest::PageTap(_)
            | PageRequest::PageDrag(_)
            | PageRequest::PageBlur(_)
            | PageRequest::PageFillForm(_)
            | PageRequest::PageUpload(_)
            | PageRequest::PageFocus(_)
            | PageRequest::PageType(_)
            | PageRequest::PageFill(_)
            | PageRequest::PageClear(_)
            | PageRequest::PagePress(_)
            | PageRequest::PageSelect(_)
            | PageRequest::PageCheck(_)
            | PageRequest::PageUncheck(_)
            | PageRequest::PageScroll(_)
            | PageRequest::PageScreenshot(_)
    )
}

/// The actions that only read.
async fn read(
    page: &Page,
    before: Before,
    what: &'static str,
    limits: PageLimits,
    request: PageRequest,
) -> Result<Reply, PageError> {
    let after = async || before.and_after(page).await;
    Ok(match request {
        PageRequest::PageText(text) => {
            let step = page.read(what, text.element()?.as_deref(), "text", json!({})).await?;
            Reply::of::<PageText>(&PageTextOf::new(after().await?, step.text))
        }
        PageRequest::PageHtml(html) => {
            let html = page.html(what, html.element()?.as_deref()).await?;
            Reply::of::<PageHtml>(&PageHtmlOf::new(after().await?, html))
        }
        PageRequest::PageAttributes(attributes) => {
            let selector = needed(attributes.element())?;
            let step = page.read(what, Some(&selector), "attributes", json!({})).await?;
            Reply::of::<PageAttributes>(&AttributesOf::new(after().await?, step.attributes))
        }
        PageRequest::PageQuery(query) => {
            let step = page.query(what, &needed(query.element())?, query.limit).await?;
            let count = u32::try_from(step.count).unwrap_or(u32::MAX);
            Reply::of::<PageQuery>(&FoundElements::new(after().await?, count, step.elements))
        }
        PageRequest::PageLinks(links) => {
            let step = page.links(what, links.element()?.as_deref(), links.limit).await?;
            Reply::of::<PageLinks>(&PageLinksOf::new(after().await?, step.links))
        }
        PageRequest::PageSnapshot(snapshot) => {
            let Taken { text, version, since, omitted_lines } = page.snapshot(what, &snapshot, limits).await?;
            let after = after().await?;
            Reply::of::<PageSnapshot>(&AccessibilitySnapshot::new(after, text, version, since, omitted_lines))
        }
        _ => return Err(PageError::Closed),
    })
}

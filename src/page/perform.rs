//! Leads each request to its action, with its time limit, and tells what happened to the page meanwhile.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{
    check_url,
    driven::Page,
    keys,
    means::Means,
    picture::Scene,
    pointer::{Act, How},
    script, state_actions,
};
use crate::{
    api_types::{
        AccessibilitySnapshot, Acted, Aftermath, AttributesOf, Bad, FoundElements, Millis, MouseButton, PageHtmlOf,
        PageLinksOf, PagePdfOf, PagePicture, PageTextOf, Reply, ScriptResult, Selected, Went,
        capability::Granted,
        operations::{
            PageAttributes, PageBack, PageCheck, PageClear, PageClick, PageDblclick, PageEvaluate, PageFill, PageFocus,
            PageForward, PageGoto, PageHover, PageHtml, PageLinks, PagePdf, PagePress, PageQuery, PageReload,
            PageRequest, PageScreenshot, PageScroll, PageSelect, PageSnapshot, PageText, PageType, PageUncheck,
            PageWait,
        },
    },
    config::PageLimits,
    session::pages::PageError,
};

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
    let before = Before { navigations: page.state().navigations, since: Instant::now() };
    let action = Box::pin(act(page, means, granted, before, request));
    let reply = tokio::time::timeout(limit, action).await.unwrap_or_else(|_| {
        let seen = page.seen();
        Err(PageError::Timeout { what, limit: limit.as_millis(), condition: seen.condition, seen: seen.last })
    })?;
    if reply.output.len() > limits.result {
        return Err(PageError::TooLarge { size: reply.output.len(), most: limits.result });
    }
    Ok(reply)
}

/// The page before an action.
#[derive(Clone, Copy)]
struct Before {
    navigations: u64,
    since: Instant,
}

impl Before {
    fn and_after(self, page: &Page) -> Aftermath {
        let state = page.state();
        let navigated = state.navigations > self.navigations;
        Aftermath { url: state.url, navigated, took: Millis(self.since.elapsed()) }
    }
}

/// The element of a request that needs one.
fn needed(element: Result<Option<String>, Bad>) -> Result<String, Bad> {
    element?.ok_or_else(|| Bad::new("locator", "is missing: name the element by one of locator, selector and ref"))
}

async fn act(
    page: &Page,
    means: &Means,
    granted: Granted,
    before: Before,
    request: PageRequest,
) -> Result<Reply, PageError> {
    if let Some(reply) = state_actions::perform(page, means, &request, &|| before.and_after(page)).await? {
        return Ok(reply);
    }
    let what = request.name();
    let acted = || Acted::new(before.and_after(page));
    let went = |status| Went::new(before.and_after(page), status);
    if takes_input(&request) {
        page.bring_to_front().await?;
    }
    Ok(match request {
        // The session manager performs them.
        PageRequest::NewPage(_) | PageRequest::ClosePage(_) => return Err(PageError::Closed),
        PageRequest::PageGoto(PageGoto { url, wait_until, .. }) => {
            check_url(&url, granted)?;
            let status = page.go_to(&url, wait_until).await?;
            Reply::of::<PageGoto>(&went(status))
        }
        PageRequest::PageReload(PageReload { wait_until, .. }) => {
            let status = page.reload(wait_until).await?;
            Reply::of::<PageReload>(&went(status))
        }
        PageRequest::PageBack(PageBack { wait_until, .. }) => {
            let status = page.step_in_history(what, false, wait_until).await?;
            Reply::of::<PageBack>(&went(status))
        }
        PageRequest::PageForward(PageForward { wait_until, .. }) => {
            let status = page.step_in_history(what, true, wait_until).await?;
            Reply::of::<PageForward>(&went(status))
        }
        PageRequest::PageClick(click) => {
            let selector = needed(click.element())?;
            let PageClick { button, click_count, modifiers, force, trial, .. } = click;
            let count = click_count.unwrap_or(1);
            if !(1..=3).contains(&count) {
                return Err(Bad::new("clickCount", format!("{count} is not between 1 and 3")).into());
            }
            let click = Act::Click { button, count, modifiers };
            page.point(what, &selector, &click, How { force, trial }).await?;
            Reply::of::<PageClick>(&acted())
        }
        PageRequest::PageDblclick(click) => {
            let twice = Act::Click { button: MouseButton::Left, count: 2, modifiers: Vec::new() };
            let how = How { force: click.force, trial: false };
            page.point(what, &needed(click.element())?, &twice, how).await?;
            Reply::of::<PageDblclick>(&acted())
        }
        PageRequest::PageHover(hover) => {
            let how = How { force: hover.force, trial: false };
            page.point(what, &needed(hover.element())?, &Act::Move, how).await?;
            Reply::of::<PageHover>(&acted())
        }
        PageRequest::PageFocus(focus) => {
            page.focus(what, &needed(focus.element())?, false).await?;
            Reply::of::<PageFocus>(&acted())
        }
        PageRequest::PageType(typing) => {
            page.focus(what, &needed(typing.element())?, true).await?;
            page.type_text(&typing.text, typing.delay.map_or(Duration::ZERO, |delay| delay.0)).await?;
            Reply::of::<PageType>(&acted())
        }
        PageRequest::PageFill(fill) => {
            page.fill(what, &needed(fill.element())?, &fill.value, fill.force).await?;
            Reply::of::<PageFill>(&acted())
        }
        PageRequest::PageClear(clear) => {
            page.fill(what, &needed(clear.element())?, "", false).await?;
            Reply::of::<PageClear>(&acted())
        }
        PageRequest::PagePress(press) => {
            let (held, key) = keys::combination(&press.key)?;
            if let Some(selector) = press.element()? {
                page.focus(what, &selector, true).await?;
            }
            page.press(&held, &key).await?;
            page.settle().await?;
            Reply::of::<PagePress>(&acted())
        }
        PageRequest::PageSelect(select) => {
            let values = page.select(what, &needed(select.element())?, &select.values).await?;
            Reply::of::<PageSelect>(&Selected::new(before.and_after(page), values))
        }
        PageRequest::PageCheck(check) => {
            page.set_checked(what, &needed(check.element())?, true, check.force).await?;
            Reply::of::<PageCheck>(&acted())
        }
        PageRequest::PageUncheck(check) => {
            page.set_checked(what, &needed(check.element())?, false, check.force).await?;
            Reply::of::<PageUncheck>(&acted())
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
            Reply::of::<PageScroll>(&acted())
        }
        PageRequest::PageWait(wait) => {
            page.wait(what, &wait).await?;
            Reply::of::<PageWait>(&acted())
        }
        PageRequest::PageScreenshot(screenshot) => {
            let element = screenshot.element()?;
            let PageScreenshot { full_page, clip, format, quality, .. } = screenshot;
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
            let data = page.take(what, scene, format, quality).await?;
            Reply::of::<PageScreenshot>(&PagePicture::new(before.and_after(page), data, format))
        }
        PageRequest::PagePdf(pdf) => {
            let data = page.print(pdf, granted).await?;
            Reply::of::<PagePdf>(&PagePdfOf::new(before.and_after(page), data))
        }
        PageRequest::PageEvaluate(evaluate) => {
            let expression = script::expression(&evaluate)?;
            let value = page.run_script(what, &expression, evaluate.world).await?;
            Reply::of::<PageEvaluate>(&ScriptResult::new(before.and_after(page), value))
        }
        reading => read(page, before, what, reading).await?,
    })
}

/// Whether an action sends input to the page, or waits until an element is drawn.
fn takes_input(request: &PageRequest) -> bool {
    matches!(
        request,
        PageRequest::PageClick(_)
            | PageRequest::PageDblclick(_)
            | PageRequest::PageHover(_)
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
async fn read(page: &Page, before: Before, what: &'static str, request: PageRequest) -> Result<Reply, PageError> {
    let after = || before.and_after(page);
    Ok(match request {
        PageRequest::PageText(text) => {
            let step = page.read(what, text.element()?.as_deref(), "text", json!({})).await?;
            Reply::of::<PageText>(&PageTextOf::new(after(), step.text))
        }
        PageRequest::PageHtml(html) => {
            let html = page.html(what, html.element()?.as_deref()).await?;
            Reply::of::<PageHtml>(&PageHtmlOf::new(after(), html))
        }
        PageRequest::PageAttributes(attributes) => {
            let selector = needed(attributes.element())?;
            let step = page.read(what, Some(&selector), "attributes", json!({})).await?;
            Reply::of::<PageAttributes>(&AttributesOf::new(after(), step.attributes))
        }
        PageRequest::PageQuery(query) => {
            let step = page.query(what, &needed(query.element())?, query.limit).await?;
            let count = u32::try_from(step.count).unwrap_or(u32::MAX);
            Reply::of::<PageQuery>(&FoundElements::new(after(), count, step.elements))
        }
        PageRequest::PageLinks(links) => {
            let step = page.links(what, links.element()?.as_deref(), links.limit).await?;
            Reply::of::<PageLinks>(&PageLinksOf::new(after(), step.links))
        }
        PageRequest::PageSnapshot(snapshot) => {
            let args = json!({ "depth": snapshot.depth });
            let step = page.read(what, snapshot.element()?.as_deref(), "snapshot", args).await?;
            Reply::of::<PageSnapshot>(&AccessibilitySnapshot::new(after(), step.snapshot))
        }
        _ => return Err(PageError::Closed),
    })
}

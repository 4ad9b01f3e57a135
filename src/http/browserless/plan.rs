//! What a quick action does: the actions on a page that its body means, in their order, and what the answer is made of.
//! PURE: `run.rs` performs them.

use serde_json::json;

use super::{in_page, settings};
use crate::{
    api_types::{
        AnyValue, Area, Bad, BlockList, ElementState, LoadState, Locator, Millis, PaperMargin, PictureFormat,
        RouteAction, World,
        operations::{
            PageEvaluate, PageGoto, PageHtml, PageLinks, PageMarkdown, PagePdf, PageQuery, PageRequest, PageRoute,
            PageScreenshot, PageScripting, PageWait,
        },
        quick::{
            AddedScript, AddedStyle, DebugOptions, Length, LifecycleEvents, Opening, PdfOptions, ScrapedElement,
            ScreenshotEncoding, ScreenshotOptions, WaitForFunction, WaitForSelector,
        },
    },
    cdp::json_object::quote,
};

/// CSS pixels of an inch.
const PER_INCH: f64 = 96.0;

/// An action on the page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) request: PageRequest,
    /// Whether the quick action goes on if it fails.
    pub(super) may_fail: bool,
}

/// What the answer is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    /// A picture; of this element, if one is named.
    Picture { element: Option<Box<PageQuery>>, request: Box<PageScreenshot>, encoding: ScreenshotEncoding },
    /// A PDF, on paper as high as the page if `full_page` says so.
    Pdf { request: Box<PagePdf>, full_page: bool },
    /// The HTML of the page.
    Content(Box<PageHtml>),
    /// Elements, and the same of the page for who looks for a mistake.
    Scraped { request: Box<PageEvaluate>, debug: Option<DebugOptions> },
    /// The page as Markdown.
    Markdown(Box<PageMarkdown>),
    /// Its links.
    Links(Box<PageLinks>),
}

/// The actions that open the page and wait for what is to be there.
pub(super) fn opening(mut opening: Opening) -> Result<Vec<Step>, Bad> {
    let can_fail = opening.best_attempt;
    let settings = settings::settings(&mut opening)?;
    let mut steps: Vec<_> = settings.into_iter().map(|request| Step { request, may_fail: false }).collect();
    let mut add = |request: PageRequest, may_fail| steps.push(Step { request, may_fail });
    if opening.set_java_script_enabled == Some(false) {
        add(PageRequest::PageScripting(PageScripting { enabled: false, ..PageScripting::default() }), false);
    }
    let timeout = limit(opening.goto_options.timeout);
    let wait_until = opening.goto_options.wait_until.as_ref().map_or(LoadState::Load, last);
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    match (given(opening.url), given(opening.html)) {
        (Some(url), _) => {
            let referer = opening.goto_options.referer;
            let goto = PageGoto { url, wait_until, referer, details: true, timeout, ..PageGoto::default() };
            add(PageRequest::PageGoto(goto), can_fail);
        }
        (None, Some(html)) => {
            if matches!(wait_until, LoadState::NetworkIdle | LoadState::NetworkIdle0 | LoadState::NetworkIdle2) {
                // Chrome tells once of a document that its network is idle, also if its content is replaced afterwards.
                let wait_until = LoadState::Commit;
                let fresh = PageGoto { url: "about:blank".to_owned(), wait_until, timeout, ..PageGoto::default() };
                add(PageRequest::PageGoto(fresh), can_fail);
            }
            add(call(in_page::SET_CONTENT, AnyValue(html.into()), timeout), can_fail);
            let loaded = PageWait { load_state: Some(wait_until), timeout, ..PageWait::default() };
            add(PageRequest::PageWait(loaded), can_fail);
        }
        (None, None) => return Err(Bad::new("url", "is missing: one of url and html is needed")),
    }
    for (index, style) in opening.add_style_tag.into_iter().enumerate() {
        add(added_style(index, style)?, false);
    }
    for (index, script) in opening.add_script_tag.into_iter().enumerate() {
        add(added_script(index, script)?, false);
    }
    if let Some(time) = opening.wait_for_timeout.filter(|time| !time.0.is_zero()) {
        // The action as a whole has a limit.
        let wait = PageWait { time: Some(time), timeout: Some(Millis(Millis::MOST)), ..PageWait::default() };
        add(PageRequest::PageWait(wait), can_fail);
    }
    if let Some(wait) = opening.wait_for_function {
        add(PageRequest::PageWait(function(wait)), can_fail);
    }
    if let Some(wait) = opening.wait_for_selector {
        add(PageRequest::PageWait(selector(wait)), can_fail);
    }
    if let Some(wait) = opening.wait_for_event {
        add(call(in_page::WAIT_FOR_EVENT, AnyValue(wait.event.into()), limit(wait.timeout)), can_fail);
    }
    Ok(steps)
}

/// Lets requests for these hosts fail.
pub(super) fn block(hosts: BlockList) -> Step {
    let route = PageRoute { blocked: Some(hosts), action: RouteAction::Abort, ..PageRoute::default() };
    Step { request: PageRequest::PageRoute(route), may_fail: false }
}

/// A picture of the page or of an element of it.
pub(super) fn picture(options: ScreenshotOptions, selector: Option<String>) -> Result<Wanted, Bad> {
    let ScreenshotOptions {
        kind,
        quality,
        full_page,
        clip,
        omit_background,
        encoding,
        optimize_for_speed,
        capture_beyond_viewport: _,
        from_surface: _,
        path,
    } = options;
    no_file("options.path", path.as_ref())?;
    if quality.is_some_and(|quality| quality > 100) {
        return Err(Bad::new("options.quality", "is not between 0 and 100"));
    }
    if quality.is_some() && kind == PictureFormat::Png {
        return Err(Bad::new("options.quality", "is for JPEG and WebP; give type too"));
    }
    if clip.and_then(|clip| clip.scale).is_some_and(|scale| (scale - 1.0).abs() > f64::EPSILON) {
        return Err(Bad::new("options.clip.scale", "is not 1; set deviceScaleFactor of the viewport in its place"));
    }
    if clip.is_some() && full_page {
        return Err(Bad::new("options.clip", "is a part, and fullPage is the whole; leave out one of the two"));
    }
    let locator = selector.filter(|selector| !selector.is_empty()).map(first);
    let element = locator.clone().map(|locator| {
        let any = Locator { nth: None, ..locator };
        Box::new(PageQuery { locator: Some(any), limit: Some(0), ..PageQuery::default() })
    });
    let request = PageScreenshot {
        // The picture of an element has its extent.
        full_page: full_page && locator.is_none(),
        clip: clip.filter(|_| locator.is_none()).map(|clip| Area {
            x: clip.x,
            y: clip.y,
            width: clip.width,
            height: clip.height,
        }),
        locator,
        format: kind,
        quality,
        omit_background: omit_background && kind != PictureFormat::Jpeg,
        optimize_for_speed,
        ..PageScreenshot::default()
    };
    Ok(Wanted::Picture { element, request: Box::new(request), encoding })
}

/// The page, or the first element of a selector, as Markdown.
pub(super) fn markdown(selector: Option<String>) -> Wanted {
    let locator = selector.filter(|selector| !selector.is_empty()).map(first);
    Wanted::Markdown(Box::new(PageMarkdown { locator, ..PageMarkdown::default() }))
}

/// The page as a PDF.
pub(super) fn pdf(options: PdfOptions) -> Result<(Vec<Step>, Wanted), Bad> {
    no_file("options.path", options.path.as_ref())?;
    if options.full_page && (options.height.is_some() || options.format.is_some()) {
        return Err(Bad::new("options.fullPage", "cannot be used with height or format"));
    }
    let inches = |name: &str, length: Option<&Length>| length.map(|length| inches(name, length)).transpose();
    let margin = options.margin.unwrap_or_default();
    let side = |name: &str, length: Option<&Length>| {
        inches(&format!("options.margin.{name}"), length).map(Option::unwrap_or_default)
    };
    let paper = options.format.map(|paper| (paper.width, paper.height));
    let width = inches("options.width", options.width.as_ref())?;
    let height = inches("options.height", options.height.as_ref())?;
    let request = PagePdf {
        landscape: options.landscape,
        print_background: options.print_background,
        prefer_css_page_size: options.prefer_css_page_size,
        scale: options.scale,
        paper_width: paper.map(|(width, _)| width).or(width),
        paper_height: paper.map(|(_, height)| height).or(height),
        page_ranges: options.page_ranges.filter(|ranges| !ranges.is_empty()),
        margin: Some(PaperMargin {
            top: side("top", margin.top.as_ref())?,
            right: side("right", margin.right.as_ref())?,
            bottom: side("bottom", margin.bottom.as_ref())?,
            left: side("left", margin.left.as_ref())?,
        }),
        header: options.display_header_footer.then(|| options.header_template.unwrap_or_default()),
        footer: options.display_header_footer.then(|| options.footer_template.unwrap_or_default()),
        omit_background: options.omit_background,
        tagged: Some(options.tagged.unwrap_or(true)),
        outline: Some(options.outline),
        timeout: limit(options.timeout),
        ..PagePdf::default()
    };
    let waits_for_fonts = options.wait_for_fonts.unwrap_or(true);
    let fonts = waits_for_fonts.then(|| Step { request: evaluate(in_page::FONTS, Vec::new(), None), may_fail: true });
    let wanted = Wanted::Pdf { request: Box::new(request), full_page: options.full_page };
    Ok((fonts.into_iter().collect(), wanted))
}

/// Elements of the page, each of which is waited for.
pub(super) fn scraped(
    elements: &[ScrapedElement],
    debug: Option<DebugOptions>,
    can_fail: bool,
) -> Result<(Vec<Step>, Wanted), Bad> {
    if elements.is_empty() {
        return Err(Bad::new("elements", "is missing: the elements to be read, as [{\"selector\":\"h1\"}]"));
    }
    for (is_given, name) in debug.iter().flat_map(|debug| [(debug.console, "console"), (debug.network, "network")]) {
        if is_given {
            return Err(Bad::new(&format!("debugOpts.{name}"), "is not there yet; read it in a session by CDP"));
        }
    }
    let wait = |element: &ScrapedElement| {
        let wanted = WaitForSelector { selector: element.selector.clone(), ..WaitForSelector::default() };
        let wait = PageWait { timeout: limit(element.timeout), ..selector(wanted) };
        Step { request: PageRequest::PageWait(wait), may_fail: can_fail }
    };
    let selectors: Vec<&str> = elements.iter().map(|element| &*element.selector).collect();
    let request = isolated(in_page::SCRAPE, vec![AnyValue(json!(selectors))], None);
    Ok((elements.iter().map(wait).collect(), Wanted::Scraped { request: Box::new(request), debug }))
}

/// Scrolls through the page.
pub(super) fn scroll(can_fail: bool) -> Step {
    Step { request: evaluate(in_page::SCROLL, Vec::new(), None), may_fail: can_fail }
}

/// Asks for the height of the page.
pub(super) fn height() -> PageRequest {
    evaluate(in_page::HEIGHT, Vec::new(), None)
}

/// Height of paper in inches for so many CSS pixels.
pub(super) fn paper_height(pixels: f64) -> f64 {
    pixels / PER_INCH
}

fn isolated(function: &str, args: Vec<AnyValue>, timeout: Option<Millis>) -> PageEvaluate {
    let function = Some(function.to_owned());
    PageEvaluate { function, args, timeout, world: World::Isolated, ..PageEvaluate::default() }
}

fn evaluate(function: &str, args: Vec<AnyValue>, timeout: Option<Millis>) -> PageRequest {
    PageRequest::PageEvaluate(isolated(function, args, timeout))
}

fn call(function: &str, argument: AnyValue, timeout: Option<Millis>) -> PageRequest {
    evaluate(function, vec![argument], timeout)
}

/// A time limit. 0 is none: as long as the server allows.
fn limit(given: Option<Millis>) -> Option<Millis> {
    given.map(|given| if given.0.is_zero() { Millis(Millis::MOST) } else { given })
}

/// The event that comes last.
fn last(events: &LifecycleEvents) -> LoadState {
    let rank = |state: &LoadState| match state {
        LoadState::Commit => 0,
        LoadState::DomContentLoaded => 1,
        LoadState::Load => 2,
        LoadState::NetworkIdle2 => 3,
        LoadState::NetworkIdle | LoadState::NetworkIdle0 => 4,
    };
    events.0.iter().copied().max_by_key(rank).unwrap_or_default()
}

/// The first element of a selector in CSS.
fn first(css: String) -> Locator {
    Locator { css: Some(css), nth: Some(0), ..Locator::default() }
}

fn selector(wait: WaitForSelector) -> PageWait {
    let state = match (wait.hidden, wait.visible) {
        (true, _) => ElementState::Hidden,
        (false, true) => ElementState::Visible,
        (false, false) => ElementState::Attached,
    };
    let locator = Some(first(wait.selector));
    PageWait { locator, state: Some(state), timeout: limit(wait.timeout), ..PageWait::default() }
}

fn function(wait: WaitForFunction) -> PageWait {
    let text = wait.function;
    // In browserless, too, such a function must only end.
    let is_async = text.contains("async") || text.contains("await");
    let function = if is_async { format!("async () => {{ await (\n{text}\n)(); return true; }}") } else { text };
    PageWait { function: Some(function), timeout: limit(wait.timeout), ..PageWait::default() }
}

fn added_script(index: usize, script: AddedScript) -> Result<PageRequest, Bad> {
    let AddedScript { url, content, path, kind, id } = script;
    no_file(&format!("addScriptTag[{index}].path"), path.as_ref())?;
    one_of("addScriptTag", index, url.as_ref(), content.as_ref())?;
    // Puppeteer writes it into the document, too.
    let kind = kind.unwrap_or_else(|| "text/javascript".to_owned());
    let script = json!({ "url": url, "content": content, "type": kind, "id": id });
    Ok(call(in_page::ADD_SCRIPT, AnyValue(script), None))
}

fn added_style(index: usize, style: AddedStyle) -> Result<PageRequest, Bad> {
    let AddedStyle { url, content, path } = style;
    no_file(&format!("addStyleTag[{index}].path"), path.as_ref())?;
    one_of("addStyleTag", index, url.as_ref(), content.as_ref())?;
    Ok(call(in_page::ADD_STYLE, AnyValue(json!({ "url": url, "content": content })), None))
}

fn one_of(list: &str, index: usize, url: Option<&String>, content: Option<&String>) -> Result<(), Bad> {
    match (url, content) {
        (Some(_), None) | (None, Some(_)) => Ok(()),
        _ => Err(Bad::new(&format!("{list}[{index}]"), "needs one of url and content")),
    }
}

/// Quick actions read and write no files of the server.
fn no_file(field: &str, path: Option<&String>) -> Result<(), Bad> {
    match path {
        Some(_) => {
            Err(Bad::new(field, "is a file of the server, which quick actions neither read nor write; leave it out"))
        }
        None => Ok(()),
    }
}

/// A length in inches.
fn inches(field: &str, length: &Length) -> Result<f64, Bad> {
    let text = match length {
        Length::Pixels(pixels) => return Ok(pixels / PER_INCH),
        Length::Text(text) => text.trim(),
    };
    let unit = text.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let per_inch = match &*unit.to_ascii_lowercase() {
        "" | "px" => PER_INCH,
        "in" => 1.0,
        "cm" => 2.54,
        "mm" => 25.4,
        _ => return Err(Bad::new(field, format!("{} has no unit of px, in, cm and mm", quote(text)))),
    };
    let number = text[..text.len() - unit.len()].parse::<f64>();
    number.map(|number| number / per_inch).map_err(|_| Bad::new(field, format!("{} is no length", quote(text))))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::api_types::{
        quick::{QuickContent, QuickPdf, QuickScreenshot},
        read,
    };

    /// The steps of a body, as `name` or `name!`, if it may fail.
    fn steps(body: &Value) -> Result<Vec<Step>, String> {
        let (opened, ..) = read::<QuickContent>(&body.to_string()).map_err(|bad| bad.to_string())?.divide();
        opening(opened).map_err(|bad| bad.to_string())
    }

    fn named(body: &Value) -> String {
        let name = |step: &Step| format!("{}{}", step.request.name(), if step.may_fail { "?" } else { "" });
        steps(body).map_or_else(|bad| bad, |steps| steps.iter().map(name).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn members_become_actions_in_the_order_of_browserless() {
        for (body, expected) in [
            (json!({ "url": "https://a/" }), "pageGoto"),
            (json!({ "url": "https://a/", "html": "x" }), "pageGoto"),
            (json!({ "html": "x" }), "pageEvaluate pageWait"),
            (json!({ "html": "x", "bestAttempt": true }), "pageEvaluate? pageWait?"),
            // On a document that Chrome has called idle, it would wait for ever.
            (json!({ "html": "x", "gotoOptions": { "waitUntil": "networkidle0" } }), "pageGoto pageEvaluate pageWait"),
            (
                json!({ "html": "x", "gotoOptions": { "waitUntil": ["load", "networkidle2"] }, "bestAttempt": true }),
                "pageGoto? pageEvaluate? pageWait?",
            ),
            (json!({ "html": "x", "setJavaScriptEnabled": false }), "pageScripting pageEvaluate pageWait"),
            (json!({ "html": "x", "setJavaScriptEnabled": true }), "pageEvaluate pageWait"),
            (
                json!({
                    "url": "https://a/", "bestAttempt": true, "waitForEvent": { "event": "e" }, "waitForTimeout": 5,
                    "waitForFunction": { "fn": "f" }, "waitForSelector": { "selector": "s" },
                    "addScriptTag": [{ "content": "x" }], "addStyleTag": [{ "url": "https://a/" }],
                }),
                "pageGoto? pageEvaluate pageEvaluate pageWait? pageWait? pageWait? pageEvaluate?",
            ),
            (json!({ "url": "", "html": "" }), "url: is missing: one of url and html is needed"),
            (json!({ "html": "x", "addStyleTag": [{}] }), "addStyleTag[0]: needs one of url and content"),
        ] {
            assert_eq!(named(&body), expected, "{body}");
        }
    }

    #[test]
    fn waits_mean_the_same_as_in_puppeteer() {
        let goto = |events: Value| {
            let steps = steps(&json!({ "url": "https://a/", "gotoOptions": { "waitUntil": events, "timeout": 0 } }));
            match steps.expect("steps").remove(0).request {
                PageRequest::PageGoto(goto) => (goto.wait_until, goto.timeout),
                other => panic!("{other:?}"),
            }
        };
        let endless = Some(Millis(Millis::MOST));
        assert_eq!(goto(json!("domcontentloaded")), (LoadState::DomContentLoaded, endless));
        assert_eq!(goto(json!(["load", "networkidle0", "networkidle2"])), (LoadState::NetworkIdle0, endless));
        let wait =
            |text: &str| function(WaitForFunction { function: text.to_owned(), polling: None, timeout: None }).function;
        assert_eq!(wait("() => x").as_deref(), Some("() => x"));
        assert_eq!(wait("async () => x").as_deref(), Some("async () => { await (\nasync () => x\n)(); return true; }"));
        for (hidden, visible, state) in [
            (false, false, ElementState::Attached),
            (false, true, ElementState::Visible),
            (true, true, ElementState::Hidden),
        ] {
            let wait = selector(WaitForSelector { selector: "a".to_owned(), hidden, visible, timeout: None });
            assert_eq!((wait.state, wait.locator.expect("one").nth), (Some(state), Some(0)));
        }
    }

    #[test]
    fn pictures_and_pdfs_have_the_options_of_puppeteer() {
        let picture = |body: Value| {
            let (_, _, (options, _, selector)) = read::<QuickScreenshot>(&body.to_string()).expect("a body").divide();
            picture(options, selector).map_err(|bad| bad.field)
        };
        let element = picture(json!({ "selector": "b", "options": { "fullPage": true } })).expect("good");
        let Wanted::Picture { element: Some(_), request, .. } = element else { panic!("{element:?}") };
        assert!(!request.full_page && request.locator.is_some());
        for (body, field) in [
            (json!({ "options": { "path": "x" } }), "options.path"),
            (json!({ "options": { "quality": 5 } }), "options.quality"),
            (
                json!({ "options": { "clip": { "x": 0, "y": 0, "width": 1, "height": 1, "scale": 2 } } }),
                "options.clip.scale",
            ),
            (
                json!({ "options": { "fullPage": true, "clip": { "x": 0, "y": 0, "width": 1, "height": 1 } } }),
                "options.clip",
            ),
        ] {
            assert_eq!(picture(body).err().as_deref(), Some(field));
        }
        let pdf = |options: Value| {
            let body = json!({ "options": options }).to_string();
            let (_, _, (options,)) = read::<QuickPdf>(&body).expect("a body").divide();
            pdf(options).map(|(_, wanted)| wanted).map_err(|bad| bad.field)
        };
        let sheet = pdf(json!({ "width": "25.4mm", "height": 96, "margin": { "top": "2.54cm" } })).expect("good");
        let Wanted::Pdf { request, full_page: false } = sheet else { panic!("{sheet:?}") };
        assert_eq!((request.paper_width, request.paper_height), (Some(1.0), Some(1.0)));
        assert_eq!(request.margin, Some(PaperMargin { top: 1.0, ..PaperMargin::default() }));
        assert!(request.header.is_none() && request.tagged == Some(true));
        for (options, field) in [
            (json!({ "fullPage": true, "format": "a4" }), "options.fullPage"),
            (json!({ "width": "5em" }), "options.width"),
            (json!({ "margin": { "left": "x" } }), "options.margin.left"),
            (json!({ "path": "x" }), "options.path"),
        ] {
            assert_eq!(pdf(options).err().as_deref(), Some(field));
        }
    }
}

//! The tools of the core: each is one operation on the current page, or a few.

use std::time::Duration;

use rmcp::model::ContentBlock;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::time::Instant;

use super::{
    agent::{Agent, Tab, leaves_dialogs, lines_of, read},
    arguments::{
        Click, Drag, Evaluate, Field, FieldType, FileUpload, FillForm, HandleDialog, Key, Navigate, Resize,
        SelectOption, Session, SessionAction, Snapshot, TabAction, Tabs, TakeScreenshot, Type, WaitFor,
    },
    result::{Failure, Shown},
};
use crate::{
    api_types::{
        AnyValue, Bad, ElementState, FileForPage, LoadState, Locator, Millis, Modifier, PictureFormat, Setting,
        locator,
        operations::{
            ClosePage, CloseSession, CreateSession, ElementName, FormField, PageBack, PageClick, PageDblclick,
            PageDialog, PageDrag, PageEvaluate, PageFill, PageFillForm, PageGoto, PageHover, PagePress, PageRequest,
            PageScreenshot, PageSelect, PageSnapshot, PageType, PageUpload, PageViewport, PageWait,
        },
    },
    session::manager::ServiceError,
};

/// How long a page that was closed may still be listed.
const CLOSING: Duration = Duration::from_secs(5);
/// Longest time that an agent may wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Most pixels of the longer side of a screenshot: models see no more.
const PICTURE_MOST: u32 = 1568;
const QUALITY: u32 = 80;

/// An element as an agent names it: by a reference of a snapshot, or by a selector.
pub(super) fn element(target: &str) -> ElementName {
    let target = target.trim();
    // Some models copy the brackets.
    let bare = target.strip_prefix('[').and_then(|target| target.strip_suffix(']')).unwrap_or(target);
    let bare = bare.strip_prefix("ref=").unwrap_or(bare);
    if locator::ref_of(bare).is_some() {
        return ElementName { of_ref: Some(bare.to_owned()), ..ElementName::default() };
    }
    ElementName { selector: Some(target.to_owned()), ..ElementName::default() }
}

/// The element as an argument of a script.
fn element_argument(target: &str) -> AnyValue {
    let ElementName { selector, of_ref, .. } = element(target);
    AnyValue(match of_ref {
        Some(of_ref) => json!({ "$element": { "ref": of_ref } }),
        None => json!({ "$element": { "selector": selector } }),
    })
}

fn maybe(target: Option<&str>) -> ElementName {
    target.map(element).unwrap_or_default()
}

/// A URL as a person writes it.
fn full(url: &str) -> String {
    let url = url.trim();
    let has_scheme = url.split_once(':').is_some_and(|(scheme, rest)| {
        let is_port =
            rest.split('/').next().is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
        !scheme.contains(['.', '/']) && !is_port
    });
    match url {
        _ if has_scheme => url.to_owned(),
        _ if url.starts_with("localhost") || url.starts_with("127.0.0.1") => format!("http://{url}"),
        _ => format!("https://{url}"),
    }
}

impl Agent<'_> {
    pub(super) async fn navigate(&self, Navigate { url }: Navigate) -> Result<Shown, Failure> {
        let goto = PageGoto {
            url: full(&url),
            wait_until: LoadState::DomContentLoaded,
            expect: Some(leaves_dialogs()),
            ..PageGoto::default()
        };
        self.go(PageRequest::PageGoto(goto)).await
    }

    pub(super) async fn back(&self) -> Result<Shown, Failure> {
        let back =
            PageBack { wait_until: LoadState::DomContentLoaded, expect: Some(leaves_dialogs()), ..PageBack::default() };
        self.go(PageRequest::PageBack(back)).await
    }

    /// Navigates, and waits a while until the page is loaded.
    async fn go(&self, navigation: PageRequest) -> Result<Shown, Failure> {
        let page = self.undisturbed().await?;
        let mut shown = Shown::default();
        if !self.step(&page, None, navigation, &mut shown).await?.has_dialog && !self.load(&page, &mut shown).await? {
            self.look(&page, &mut shown).await?;
        }
        Ok(shown)
    }

    pub(super) async fn snapshot(&self, asked: Snapshot) -> Result<Shown, Failure> {
        let Snapshot { target, depth, boxes, filename } = asked;
        let ElementName { selector, of_ref, .. } = maybe(target.as_deref());
        let snapshot = PageSnapshot { selector, of_ref, depth, boxes, ..PageSnapshot::default() };
        match filename {
            Some(name) => self.keep_snapshot(name, snapshot).await,
            None => self.look_at(snapshot).await,
        }
    }

    pub(super) async fn click(&self, Click { target, is_double, button, modifiers }: Click) -> Result<Shown, Failure> {
        let ElementName { selector, of_ref, .. } = element(&target);
        let modifiers = modifiers.into_iter().map(modifier).collect();
        let expect = Some(leaves_dialogs());
        let request = if is_double {
            let click = PageDblclick { expect, selector, of_ref, button, modifiers, ..PageDblclick::default() };
            PageRequest::PageDblclick(click)
        } else {
            PageRequest::PageClick(PageClick { expect, selector, of_ref, button, modifiers, ..PageClick::default() })
        };
        self.act_with(Some(&target), vec![request]).await
    }

    pub(super) async fn type_text(&self, asked: Type) -> Result<Shown, Failure> {
        let Type { target, text, submit, slowly, secret, totp } = asked;
        let ElementName { selector, of_ref, .. } = element(&target);
        let (of_element, of_refs) = (selector.clone(), of_ref.clone());
        let expect = Some(leaves_dialogs());
        let mut requests = vec![if slowly {
            PageRequest::PageType(PageType { expect, selector, of_ref, text, secret, totp, ..PageType::default() })
        } else {
            let value = text;
            PageRequest::PageFill(PageFill { expect, selector, of_ref, value, secret, totp, ..PageFill::default() })
        }];
        if submit {
            requests.push(PageRequest::PagePress(PagePress {
                selector: of_element,
                of_ref: of_refs,
                key: "Enter".to_owned(),
                expect: Some(leaves_dialogs()),
                ..PagePress::default()
            }));
        }
        self.act(requests).await
    }

    pub(super) async fn fill_form(&self, FillForm { fields }: FillForm) -> Result<Shown, Failure> {
        let fields = fields.into_iter().map(form_field).collect::<Result<_, _>>()?;
        let fill = PageFillForm { fields, expect: Some(leaves_dialogs()), ..PageFillForm::default() };
        self.act(vec![PageRequest::PageFillForm(fill)]).await
    }

    pub(super) async fn select(&self, SelectOption { target, values }: SelectOption) -> Result<Shown, Failure> {
        let ElementName { selector, of_ref, .. } = element(&target);
        self.act(vec![PageRequest::PageSelect(PageSelect { selector, of_ref, values, ..PageSelect::default() })]).await
    }

    pub(super) async fn press(&self, key: String) -> Result<Shown, Failure> {
        self.act(vec![PageRequest::PagePress(PagePress {
            key,
            expect: Some(leaves_dialogs()),
            ..PagePress::default()
        })])
        .await
    }

    pub(super) async fn hover(&self, target: &str) -> Result<Shown, Failure> {
        let ElementName { selector, of_ref, .. } = element(target);
        let hover = PageHover { selector, of_ref, expect: Some(leaves_dialogs()), ..PageHover::default() };
        self.act(vec![PageRequest::PageHover(hover)]).await
    }

    pub(super) async fn drag(&self, Drag { start_target, end_target }: Drag) -> Result<Shown, Failure> {
        let (source, target) = (element(&start_target), element(&end_target));
        let drag = PageDrag { source, target, expect: Some(leaves_dialogs()), ..PageDrag::default() };
        self.act(vec![PageRequest::PageDrag(drag)]).await
    }

    pub(super) async fn upload(&self, FileUpload { paths, target }: FileUpload) -> Result<Shown, Failure> {
        let opened_by = self.view(|seen| seen.chooser.take()).await?;
        let Some(target) = target.or(opened_by) else {
            let words = "No file chooser is open. Name the file input, or the button that opens one, as target.";
            return Err(Failure::Words(words.to_owned()));
        };
        let ElementName { selector, of_ref, .. } = element(&target);
        let files = paths.into_iter().map(|name| FileForPage { name, ..FileForPage::default() }).collect();
        let upload = PageUpload { selector, of_ref, files, expect: Some(leaves_dialogs()), ..PageUpload::default() };
        self.act(vec![PageRequest::PageUpload(upload)]).await
    }

    pub(super) async fn dialog(&self, HandleDialog { accept, prompt_text }: HandleDialog) -> Result<Shown, Failure> {
        let page = self.page().await?;
        let answered = self.on(&page, PageDialog { accept, prompt_text, ..PageDialog::default() }).await;
        if !matches!(&answered, Err(Failure::Service(ServiceError::Bad(_)))) {
            self.view(|seen| seen.has_dialog = false).await?;
        }
        answered?;
        let mut shown = Shown::default();
        self.look(&page, &mut shown).await?;
        Ok(shown)
    }

    pub(super) async fn wait_for(&self, WaitFor { time, text, text_gone }: WaitFor) -> Result<Shown, Failure> {
        let time = time.map(|seconds| Duration::try_from_secs_f64(seconds).map(|time| Millis(time.min(LONGEST_WAIT))));
        let time = time.transpose().map_err(|_| Bad::new("time", "is no number of seconds"))?;
        let by_text = |text: String, state| PageWait {
            locator: Some(Locator { text: Some(text), nth: Some(0), ..Locator::default() }),
            state: Some(state),
            ..PageWait::default()
        };
        let waits: Vec<PageRequest> = [
            // The time limit of an action does not count what it is told to wait.
            time.map(|time| PageWait {
                time: Some(time),
                timeout: Some(Millis(LONGEST_WAIT * 2)),
                ..PageWait::default()
            }),
            text_gone.map(|text| by_text(text, ElementState::Hidden)),
            text.map(|text| by_text(text, ElementState::Visible)),
        ]
        .into_iter()
        .flatten()
        .map(PageRequest::PageWait)
        .collect();
        if waits.is_empty() {
            return Err(Failure::Words("Give one of time, text and textGone.".to_owned()));
        }
        self.act(waits).await
    }

    pub(super) async fn evaluate(&self, Evaluate { function, target, filename }: Evaluate) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct Evaluated {
            value: Option<Box<RawValue>>,
        }

        let args = target.as_deref().map(element_argument).into_iter().collect();
        let evaluate = PageEvaluate { function: Some(function), args, ..PageEvaluate::default() };
        let Evaluated { value } = self.ask(evaluate).await?;
        let mut shown = Shown::default();
        shown.tell(value.as_deref().map_or("undefined", RawValue::get));
        self.shown_or_kept(filename, shown).await
    }

    pub(super) async fn screenshot(&self, asked: TakeScreenshot) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct Picture {
            data: String,
        }

        let TakeScreenshot { target, format, full_page, filename } = asked;
        let ElementName { selector, of_ref, .. } = maybe(target.as_deref());
        let format = format.unwrap_or(PictureFormat::Jpeg);
        let kind = match format {
            PictureFormat::Png => "image/png",
            PictureFormat::Jpeg => "image/jpeg",
            PictureFormat::Webp => "image/webp",
        };
        let quality = (format != PictureFormat::Png).then_some(QUALITY);
        // Nobody who reads a file has the eyes of a model.
        let max_side = filename.is_none().then_some(PICTURE_MOST);
        let shot =
            PageScreenshot { selector, of_ref, full_page, format, quality, max_side, ..PageScreenshot::default() };
        let Picture { data } = self.ask(shot).await?;
        if let Some(name) = filename {
            return self.keep_base64(name, &data).await;
        }
        let mut shown = Shown::saying("What the picture shows is from the page.");
        shown.add(ContentBlock::image(data, kind));
        Ok(shown)
    }

    pub(super) async fn tabs_tool(&self, Tabs { action, index, url }: Tabs) -> Result<Shown, Failure> {
        let tabs = self.tabs().await?;
        let current = self.current(&tabs).await?;
        let of_index = |index: u32| {
            let tab = usize::try_from(index).ok().and_then(|index| tabs.get(index));
            tab.ok_or_else(|| Failure::Words(format!("There is no tab {index}; there are {}.", tabs.len())))
        };
        match action {
            TabAction::List => {}
            TabAction::New => {
                self.open().await?;
                if let Some(url) = url {
                    return self.navigate(Navigate { url }).await;
                }
            }
            TabAction::Select => {
                let Some(index) = index else {
                    return Err(Failure::Words("Say which tab by index.".to_owned()));
                };
                let Tab { target_id, .. } = of_index(index)?;
                self.choose(Some(target_id)).await?;
                return self.act(Vec::new()).await;
            }
            TabAction::Close => {
                let tab = match (index, current) {
                    (Some(index), _) => Some(of_index(index)?),
                    (None, current) => current.map(|current| &tabs[current]),
                };
                let Some(tab) = tab else { return Err(Failure::Words("There is no tab.".to_owned())) };
                self.perform(ClosePage { id: Some(self.session.clone()), page: tab.target_id.clone() }).await?;
                self.gone(&tab.target_id).await?;
            }
        }
        let tabs = self.tabs().await?;
        let current = self.current(&tabs).await?;
        let mut shown = Shown::default();
        if tabs.is_empty() {
            shown.say("There is no tab. browser_navigate opens one.");
        }
        shown.tell(lines_of(&tabs, current).trim_end());
        Ok(shown)
    }

    pub(super) async fn resize(&self, Resize { width, height }: Resize) -> Result<Shown, Failure> {
        let pixels = |field: &'static str, size: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in the range")]
            let whole = (1.0..=100_000.0).contains(&size).then_some(size.round() as u32);
            whole.map(Setting::Set).ok_or_else(|| Bad::new(field, "is no size in pixels"))
        };
        let (width, height) = (pixels("width", width)?, pixels("height", height)?);
        self.act(vec![PageRequest::PageViewport(PageViewport { width, height, ..PageViewport::default() })]).await
    }

    pub(super) async fn close(&self) -> Result<Shown, Failure> {
        self.tabs_tool(Tabs { action: TabAction::Close, index: None, url: None }).await
    }

    /// Waits until a page that was closed is not listed any more.
    async fn gone(&self, page: &str) -> Result<(), Failure> {
        let end = Instant::now() + CLOSING;
        while Instant::now() < end {
            if self.tabs().await?.iter().all(|tab| tab.target_id != page) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Agent<'_> {
    pub(super) async fn session(&self, asked: Session) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct Made {
            id: String,
        }

        let Session { action, profile, snapshot } = asked;
        match action {
            SessionAction::New => {
                let create = CreateSession { snapshot, profile, ..CreateSession::default() };
                let Made { id } = read(&self.perform(create).await?)?;
                Ok(Shown::saying(format!("session: {id}\nPass it as `session` to the other tools.")))
            }
            SessionAction::Close => {
                self.perform(CloseSession { id: Some(self.session.clone()) }).await?;
                Ok(Shown::saying("The session has ended."))
            }
        }
    }
}

fn modifier(key: Key) -> Modifier {
    match key {
        Key::Alt => Modifier::Alt,
        // The browsers run on Linux.
        Key::Control | Key::ControlOrMeta => Modifier::Control,
        Key::Meta => Modifier::Meta,
        Key::Shift => Modifier::Shift,
    }
}

fn form_field(Field { target, name, kind, value }: Field) -> Result<FormField, Bad> {
    let ElementName { selector, of_ref, .. } = element(&target);
    let field = FormField { selector, of_ref, ..FormField::default() };
    Ok(match kind {
        FieldType::Textbox | FieldType::Slider => FormField { value: Some(value), ..field },
        FieldType::Combobox => FormField { options: Some(vec![value]), ..field },
        FieldType::Checkbox | FieldType::Radio => {
            let checked = value.parse().map_err(|_| {
                let name: String = name.chars().take(100).collect();
                Bad::new("value", format!("of {name:?} is neither true nor false"))
            })?;
            FormField { checked: Some(checked), ..field }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_named_by_references_and_selectors() {
        for (target, of_ref) in [("e12", "e12"), ("[ref=e12]", "e12"), ("ref=f1e2", "f1e2"), (" e3 ", "e3")] {
            assert_eq!(element(target).of_ref.as_deref(), Some(of_ref), "{target}");
        }
        for target in ["button", "[data-x=e1]", "text=e1", "em"] {
            assert_eq!(element(target).selector.as_deref(), Some(target), "{target}");
        }
    }

    #[test]
    fn urls_get_a_scheme() {
        for (url, wanted) in [
            ("https://a.example/x", "https://a.example/x"),
            ("data:text/html,x", "data:text/html,x"),
            ("about:blank", "about:blank"),
            ("a.example", "https://a.example"),
            ("a.example:8080/x", "https://a.example:8080/x"),
            ("localhost:3000", "http://localhost:3000"),
            ("a.example/?u=http://b", "https://a.example/?u=http://b"),
        ] {
            assert_eq!(full(url), wanted);
        }
    }
}

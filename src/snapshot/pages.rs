//! What is read on a page of the session itself: by CDP, on a CDP session that its clients do not know, and without a
//! script of ours in it, so that neither they nor the page notice.

use std::collections::{BTreeSet, HashSet};

use serde::Deserialize;
use tokio::{sync::mpsc, time::Instant};

use super::{
    Parts, Problem, by, fields,
    key::StorageKey,
    record::{Entry, Lost, Page, Raw, SessionStorage},
    vault::evaluated,
};
use crate::{
    browser::{Attached, OwnRoot},
    cdp::{
        ids::{CdpSessionId, TargetId},
        object::{Object, quote},
        target::TargetInfo,
    },
};

/// Asks whether a page is in front. Where its own scripts would run by that, in its place of these functions for example,
/// Chrome gives up instead.
const FRONT: &str = r#"{"expression":"document.visibilityState === 'visible' && document.hasFocus() ? 'true' : ''","throwOnSideEffect":true,"returnByValue":true}"#;

/// What a page said.
#[derive(Debug)]
pub(super) struct Seen {
    /// Its record.
    pub(super) page: Page,
    /// The storage keys of its frames.
    pub(super) keys: BTreeSet<StorageKey>,
    /// Storage keys that cannot be reached, and what else could not be carried.
    pub(super) lost: Vec<Lost>,
    /// Whether it did not answer in time.
    pub(super) late: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct History {
    current_index: usize,
    entries: Vec<HistoryEntry>,
}

#[derive(Deserialize)]
struct HistoryEntry {
    url: String,
    title: Raw,
}

#[derive(Deserialize)]
struct Tree {
    frame: Frame,
    #[serde(default, rename = "childFrames")]
    children: Vec<Tree>,
}

#[derive(Deserialize)]
struct Frame {
    id: String,
}

impl Tree {
    fn frames(self, into: &mut Vec<String>) {
        into.push(self.frame.id);
        self.children.into_iter().for_each(|child| child.frames(into));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    css_visual_viewport: Viewport,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Viewport {
    page_x: f64,
    page_y: f64,
}

#[derive(Deserialize)]
struct Items {
    entries: Vec<(Raw, Raw)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    frame_tree: Tree,
}

/// Reads a page. What it does not answer in time is missing, and said to be.
pub(super) async fn look(root: &OwnRoot, target: &TargetId, info: &str, parts: &Parts, end: Instant) -> Seen {
    let url = named(TargetInfo::read(info).map(|info| info.url).unwrap_or_default());
    let title = Object::read(info).and_then(|info| serde_json::from_str(info.get("title")?).ok());
    let page = Page {
        url: url.clone(),
        title: title.unwrap_or_else(empty),
        history: Vec::new(),
        current: 0,
        scroll: (0.0, 0.0),
        opener: None,
        front: false,
        session_storage: Vec::new(),
        fields: Vec::new(),
    };
    let mut seen = Seen { page, keys: BTreeSet::new(), lost: Vec::new(), late: false };
    let deadline = end.min(Instant::now() + parts.page_deadline);
    if let Err(problem) = by(deadline, read(root, target, parts, &mut seen)).await {
        seen.late = matches!(problem, Problem::Late);
        let what = "page".to_owned();
        let why = format!("not all of it could be read, only what the record says: {problem}");
        seen.lost.push(Lost { what, place: url, why });
    }
    seen
}

/// A page that has never been anywhere may have no URL yet (*measured* in full Chrome); it is a blank one.
fn named(url: String) -> String {
    if url.is_empty() { "about:blank".to_owned() } else { url }
}

async fn read(root: &OwnRoot, target: &TargetId, parts: &Parts, seen: &mut Seen) -> Result<(), Problem> {
    let page = root.attach(target).await?;
    let history: History = ask(&page, page.session(), "Page.getNavigationHistory", "{}").await?;
    if let Some(current) = history.entries.get(history.current_index) {
        seen.page.url = named(current.url.clone());
        seen.page.title.clone_from(&current.title);
    }
    seen.page.current = history.current_index;
    seen.page.history =
        history.entries.into_iter().map(|entry| Entry { url: named(entry.url), title: entry.title }).collect();
    let mut sessions = vec![page.session().clone()];
    sessions.extend(frames_apart(&page).await?);
    let mut stored = HashSet::new();
    for session in sessions {
        let answer: Answer = ask(&page, &session, "Page.getFrameTree", "{}").await?;
        let mut frames = Vec::new();
        answer.frame_tree.frames(&mut frames);
        for frame in frames {
            let Some(key) = storage_key(&page, &session, &frame).await else { continue };
            if stored.insert(key.clone()) {
                read_area(&page, &session, key, seen).await?;
            }
        }
    }
    if !parts.pages {
        return Ok(());
    }
    let metrics: Metrics = ask(&page, page.session(), "Page.getLayoutMetrics", "{}").await?;
    seen.page.scroll = (metrics.css_visual_viewport.page_x, metrics.css_visual_viewport.page_y);
    if parts.fields {
        seen.page.fields = fields::read(&page.call("DOMSnapshot.captureSnapshot", r#"{"computedStyles":[]}"#).await?)?;
    }
    seen.page.front = evaluated(&page.call("Runtime.evaluate", FRONT).await?).is_ok_and(|front| front == "true");
    Ok(())
}

/// The CDP sessions of frames of a page that are in processes of their own.
async fn frames_apart(page: &Attached) -> Result<Vec<CdpSessionId>, Problem> {
    let (to, mut heard) = mpsc::unbounded_channel();
    let mut found = Vec::new();
    let mut todo = vec![page.session().clone()];
    while let Some(session) = todo.pop() {
        page.listen(&session, to.clone());
        let on = r#"{"autoAttach":true,"waitForDebuggerOnStart":false,"flatten":true,"filter":[{"type":"iframe"}]}"#;
        page.call_below(&session, "Target.setAutoAttach", on).await?;
        // Those that are there are announced before the reply.
        while let Ok(event) = heard.try_recv() {
            let child = Object::read(&event.params).and_then(|params| params.string("sessionId"));
            if let Some(child) = child.filter(|_| event.method == "Target.attachedToTarget") {
                found.push(CdpSessionId::from(child.as_str()));
                todo.push(child.into());
            }
        }
    }
    Ok(found)
}

/// A frame's storage key; none if it has gone or has no storage, as sandboxed ones.
async fn storage_key(page: &Attached, session: &CdpSessionId, frame: &str) -> Option<String> {
    let params = format!(r#"{{"frameId":{}}}"#, quote(frame));
    let result = page.call_below(session, "Storage.getStorageKeyForFrame", params).await.ok()?;
    Object::read(&result)?.string("storageKey")
}

async fn read_area(page: &Attached, session: &CdpSessionId, key: String, seen: &mut Seen) -> Result<(), Problem> {
    match StorageKey::read(&key) {
        Ok(key) => {
            seen.keys.insert(key);
        }
        Err(why) if key.starts_with("http") => {
            seen.lost.push(Lost { what: "storage".to_owned(), place: key, why: why.to_owned() });
            return Ok(());
        }
        // `about:blank` and the like.
        Err(_) => return Ok(()),
    }
    let params = format!(r#"{{"storageId":{{"storageKey":{},"isLocalStorage":false}}}}"#, quote(&key));
    let items: Items = ask(page, session, "DOMStorage.getDOMStorageItems", &params).await?;
    // *Measured:* where a key is no Unicode, Chrome says U+FFFD.
    if items.entries.iter().any(|(key, _)| key.get().contains('\u{fffd}')) {
        let why = "a key may be another: Chrome does not tell those that are no Unicode".to_owned();
        seen.lost.push(Lost { what: "sessionStorage".to_owned(), place: key.clone(), why });
    }
    if !items.entries.is_empty() {
        seen.page.session_storage.push(SessionStorage { key, items: items.entries });
    }
    Ok(())
}

async fn ask<T: for<'de> Deserialize<'de>>(
    page: &Attached,
    session: &CdpSessionId,
    method: &'static str,
    params: &str,
) -> Result<T, Problem> {
    let result = page.call_below(session, method, params).await?;
    serde_json::from_str(&result).map_err(|error| Problem::Script(format!("Chrome's answer to {method}: {error}")))
}

fn empty() -> Raw {
    serde_json::value::RawValue::from_string(r#""""#.to_owned()).expect("a JSON string")
}

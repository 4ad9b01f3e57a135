//! Reads a page of the session itself by CDP, on a CDP session that its clients do not see, and without a script of the
//! proxy in it, so that neither the clients nor the page notice.

use std::collections::{BTreeSet, HashSet};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    Parts, Problem,
    form_fields::{self, CaptureSnapshot},
    record::{Entry, Lost, Page, SessionStorage},
    storage_key::StorageKey,
};
use crate::{
    browser::{
        InternalRoot, PageDriver, Surveyed, by_deadline,
        commands::{Evaluate, GetNavigationHistory, commands},
    },
    cdp::{
        emulation::Overrides,
        ids::TargetId,
        json_object::JsonObject,
        json_string::JsonString,
        target::{Kind, TargetInfo},
    },
    runtime,
};

/// Whether a page is in front.
const FRONT: &str = "document.visibilityState === 'visible' && document.hasFocus()";
/// About the bytes of a node in a `DOMSnapshot`.
const NODE: usize = 32;

commands! {
    "Page.getFrameTree" = GetFrameTree {} -> FrameTree;
    "Page.getLayoutMetrics" = GetLayoutMetrics {} -> Metrics;
    "Storage.getStorageKeyForFrame" = GetStorageKeyForFrame<'a> { frame_id: &'a str } -> KeyOfFrame;
    "DOMStorage.getDOMStorageItems" = GetDomStorageItems<'a> { storage_id: StorageId<'a> } -> Items;
}

/// The result of reading a page.
#[derive(Debug)]
pub(super) struct Seen {
    /// The page's record.
    pub(super) page: Page,
    /// The storage keys of its frames.
    pub(super) keys: BTreeSet<StorageKey>,
    /// Storage keys that cannot be reached, and other losses.
    pub(super) lost: Vec<Lost>,
    /// Whether the page did not answer in time.
    pub(super) late: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StorageId<'a> {
    storage_key: &'a str,
    is_local_storage: bool,
}

/// The result of `Page.getFrameTree`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FrameTree {
    frame_tree: Tree,
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

/// The result of `Page.getLayoutMetrics`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metrics {
    css_visual_viewport: Viewport,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Viewport {
    page_x: f64,
    page_y: f64,
}

/// The result of `Storage.getStorageKeyForFrame`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyOfFrame {
    storage_key: String,
}

/// The result of `DOMStorage.getDOMStorageItems`.
#[derive(Deserialize)]
pub(crate) struct Items {
    entries: Vec<(JsonString, JsonString)>,
}

/// Reads a page. Parts that are not answered in time are missing, and reported.
pub(super) async fn look(
    root: &InternalRoot,
    surveyed: &Surveyed,
    (target, info): (&TargetId, &str),
    parts: &Parts,
    end: Instant,
) -> Seen {
    let url = named(TargetInfo::read(info).map(|info| info.url).unwrap_or_default());
    let title = JsonObject::read(info).and_then(|info| serde_json::from_str(info.get("title")?).ok());
    let page = Page {
        url: url.clone(),
        title: title.unwrap_or_default(),
        history: Vec::new(),
        current: 0,
        scroll: (0.0, 0.0),
        opener: None,
        front: false,
        session_storage: Vec::new(),
        fields: Vec::new(),
        emulation: Vec::new(),
    };
    let mut seen = Seen { page, keys: BTreeSet::new(), lost: Vec::new(), late: false };
    for one in surveyed.overrides.get(target).into_iter().flat_map(Overrides::all) {
        match one {
            Ok(one) => seen.page.emulation.push(one),
            Err((what, why)) => {
                let why = format!("{}: {why}", what.method());
                seen.lost.push(Lost { what: "emulation".to_owned(), place: url.clone(), why });
            }
        }
    }
    let deadline = end.min(Instant::now() + parts.page_deadline);
    if let Err(problem) = by_deadline(deadline, read(root, surveyed, target, parts, &mut seen)).await {
        seen.late = problem.is_late();
        let what = "page".to_owned();
        let why = format!("only a part of it could be read: {problem}");
        seen.lost.push(Lost { what, place: url, why });
    }
    seen
}

/// The URL of a page. A page that was never navigated may have an empty URL (*measured* in full Chrome): it is blank.
fn named(url: String) -> String {
    if url.is_empty() { "about:blank".to_owned() } else { url }
}

async fn read(
    root: &InternalRoot,
    surveyed: &Surveyed,
    target: &TargetId,
    parts: &Parts,
    seen: &mut Seen,
) -> Result<(), Problem> {
    let page = root.attach(target).await?;
    let history = page.ask(&GetNavigationHistory {}).await?;
    if let Some(current) = history.entries.get(history.current_index) {
        seen.page.url = named(current.url.clone());
        seen.page.title.clone_from(&current.title);
    }
    seen.page.current = history.current_index;
    seen.page.history =
        history.entries.into_iter().map(|entry| Entry { url: named(entry.url), title: entry.title }).collect();
    let apart = frames_apart(surveyed, target);
    // Frames that were removed meanwhile are left out.
    let apart: Vec<_> = join_all(apart.iter().map(|frame| root.attach(frame))).await.into_iter().flatten().collect();
    let mut stored = HashSet::new();
    for (at, part) in [&page].into_iter().chain(&apart).enumerate() {
        let tree = match part.ask(&GetFrameTree {}).await {
            Ok(answer) => answer.frame_tree,
            Err(error) if error.is_detached() && at > 0 => continue,
            Err(error) => return Err(error.into()),
        };
        let mut frames = Vec::new();
        tree.frames(&mut frames);
        for frame in frames {
            // A frame that was removed, or that has no storage as a sandboxed one, has no key.
            let Ok(KeyOfFrame { storage_key }) = part.ask(&GetStorageKeyForFrame { frame_id: &frame }).await else {
                continue;
            };
            if stored.insert(storage_key.clone()) {
                read_area(part, storage_key, seen).await?;
            }
        }
    }
    if !parts.pages {
        return Ok(());
    }
    let metrics = page.ask(&GetLayoutMetrics {}).await?;
    seen.page.scroll = (metrics.css_visual_viewport.page_x, metrics.css_visual_viewport.page_y);
    if parts.fields {
        read_fields(&page, parts.most_fields, seen).await?;
    }
    // If scripts of the page would run, for example replacements of these functions, Chrome gives up instead.
    let front = page.ask(&Evaluate { throw_on_side_effect: true, ..Evaluate::new(FRONT) }).await?;
    seen.page.front = front.value().unwrap_or(false);
    Ok(())
}

async fn read_fields(page: &PageDriver, most: usize, seen: &mut Seen) -> Result<(), Problem> {
    let document = page.ask(&CaptureSnapshot { computed_styles: [] }).await?;
    let (fields, more) = runtime::aside(document.nodes() * NODE, || form_fields::read(document, most));
    seen.page.fields = fields;
    if more > 0 {
        let why = format!("{more} more than are saved of one page: {most} (snapshot_fields)");
        seen.lost.push(Lost { what: "formField".to_owned(), place: seen.page.url.clone(), why });
    }
    Ok(())
}

/// The frames of a page that are in processes of their own, from the mirror. Auto-attach is not used for this: it ends
/// the client's hold on a frame that is about to start, and the frame waits for ever (*measured*).
fn frames_apart(surveyed: &Surveyed, page: &TargetId) -> Vec<TargetId> {
    let part_of = |(id, kind, info): &(TargetId, Kind, String)| {
        let info = TargetInfo::read(info).filter(|_| *kind == Kind::Iframe)?;
        Some((id.clone(), info.parent?))
    };
    let parts: Vec<(TargetId, TargetId)> = surveyed.targets.iter().filter_map(part_of).collect();
    let (mut whole, mut at) = (vec![page.clone()], 0);
    while let Some(parent) = whole.get(at).cloned() {
        at += 1;
        let inside = parts.iter().filter(|(id, of)| *of == parent && !whole.contains(id));
        let inside: Vec<TargetId> = inside.map(|(id, _)| id.clone()).collect();
        whole.extend(inside);
    }
    whole.split_off(1)
}

async fn read_area(part: &PageDriver, key: String, seen: &mut Seen) -> Result<(), Problem> {
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
    let storage_id = StorageId { storage_key: &key, is_local_storage: false };
    let items = part.ask(&GetDomStorageItems { storage_id }).await?;
    // *Measured:* for a key that is not valid Unicode, Chrome reports U+FFFD.
    if items.entries.iter().any(|(key, _)| key.get().contains('\u{fffd}')) {
        let why = "a key may differ: Chrome does not report keys that are not valid Unicode".to_owned();
        seen.lost.push(Lost { what: "sessionStorage".to_owned(), place: key.clone(), why });
    }
    if !items.entries.is_empty() {
        seen.page.session_storage.push(SessionStorage { key, items: items.entries });
    }
    Ok(())
}

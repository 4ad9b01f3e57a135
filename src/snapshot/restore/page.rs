//! Opens a page as it was saved: its sessionStorage, its history, its scroll position. Until all this is done, the page
//! is hidden from clients.

use std::sync::Arc;

use tokio::time::Instant;

use crate::snapshot::{
    Problem,
    record::{Entry, Page},
    restore::store_args,
    storage_key::StorageKey,
    storage_page::StoragePage,
};
use crate::{
    browser::{
        CallError, ContextHandle, Emulated, InternalRoot, PageDriver, by_deadline,
        commands::{GetNavigationHistory, NavigateToHistoryEntry, ResetNavigationHistory},
    },
    cdp::{
        emulation::Override,
        ids::{ContextId, TargetId},
    },
};

/// Most entries of a page's history that are restored.
const ENTRIES: usize = 50;
/// Waits until the document is loaded; in a document of the storage page, until the page leaves it.
const LOADED: &str = "typeof ghost !== 'undefined' ? new Promise(() => {}) : document.readyState === 'complete' ? null \
                      : new Promise(done => addEventListener('load', () => done()))";
/// Fills form fields, as far as the fields are still the same, and sends the events for it to the page's scripts.
const FILL: &str = "(fields => { \
    const all = document.querySelectorAll('input, textarea, option'); \
    for (const { number, tag, value, checked, selected } of fields) { \
      const field = all[number]; \
      if (field?.tagName !== tag) continue; \
      const before = [field.value, field.checked, field.selected]; \
      if (value !== undefined) field.value = value; \
      if (checked !== undefined) field.checked = checked; \
      if (selected !== undefined) field.selected = selected; \
      if ([field.value, field.checked, field.selected].every((now, at) => now === before[at])) continue; \
      const tell = tag === 'OPTION' ? field.closest('select') : field; \
      tell?.dispatchEvent(new Event('input', { bubbles: true })); \
      tell?.dispatchEvent(new Event('change', { bubbles: true })); \
    } })";

/// A page that is being opened. Dropping it closes it, unless it was revealed.
#[derive(Debug)]
pub(in crate::snapshot) struct Opened {
    root: Arc<InternalRoot>,
    target: Option<TargetId>,
    /// The storage page on it, if there is one.
    storage_page: Option<StoragePage>,
    /// The emulation that is set again.
    emulated: Option<Emulated>,
}

/// Items that could not be carried: kind and reason.
pub(in crate::snapshot) type Losses = Vec<(&'static str, String)>;

/// A blank page that is hidden from clients.
pub(in crate::snapshot) async fn blank(root: &Arc<InternalRoot>, context: &ContextId) -> Result<Opened, Problem> {
    let target = Some(root.new_page(context, false).await?);
    Ok(Opened { root: root.clone(), target, storage_page: None, emulated: None })
}

/// Makes a page blank again.
pub(in crate::snapshot) async fn empty(page: &PageDriver) -> Result<(), Problem> {
    page.navigate("about:blank").await?;
    page.evaluate_across_navigations(LOADED).await?;
    page.ask(&ResetNavigationHistory {}).await?;
    Ok(())
}

impl Opened {
    /// A page of the session that no client has seen yet, with the storage page on it, if there is one.
    pub(in crate::snapshot) fn of(root: &Arc<InternalRoot>, page: TargetId, storage_page: Option<StoragePage>) -> Self {
        Self { root: root.clone(), target: Some(page), storage_page, emulated: None }
    }

    /// Restores the page, as far as possible by the deadline.
    pub(in crate::snapshot) async fn load(&mut self, place: &ContextHandle, page: &Page, deadline: Instant) -> Losses {
        let mut lost = Losses::new();
        let Some(target) = &self.target else { return lost };
        let (root, storage_page, emulated) = (&self.root, self.storage_page.take(), &mut self.emulated);
        let loaded = async {
            let storage_page = async {
                match storage_page {
                    Some(storage_page) => Ok(storage_page),
                    None => StoragePage::on(root.attach(target).await?).await,
                }
            };
            // Before the first request to the site.
            let (storage_page, emulation) =
                tokio::join!(storage_page, emulate(place, target, &page.emulation, &mut lost));
            *emulated = emulation?;
            load(storage_page?, page, &mut lost).await
        };
        if let Err(problem) = by_deadline(deadline, loaded).await {
            lost.push(("page", format!("it could not be restored completely: {problem}")));
        }
        lost
    }

    /// Shows the page to the session's clients.
    pub(in crate::snapshot) fn reveal(mut self) -> Option<TargetId> {
        let target = self.target.take()?;
        self.root.reveal(&target, self.emulated.take());
        Some(target)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(target) = self.target.take() {
            self.root.close(&target);
        }
    }
}

async fn emulate(
    place: &ContextHandle,
    page: &TargetId,
    overrides: &[Override],
    lost: &mut Losses,
) -> Result<Option<Emulated>, Problem> {
    if overrides.is_empty() {
        return Ok(None);
    }
    let (emulated, refused) = place.emulate(page, overrides).await?;
    lost.extend(refused.into_iter().map(|(what, why)| ("emulation", format!("{}: {why}", what.method()))));
    Ok(Some(emulated))
}

async fn load(mut storage_page: StoragePage, page: &Page, lost: &mut Losses) -> Result<(), Problem> {
    for area in &page.session_storage {
        let stored = async {
            let key = StorageKey::read(&area.key).map_err(|why| Problem::Item(why.to_owned()))?;
            storage_page.visit(&key).await?;
            storage_page.run::<Vec<(String, String)>>("store", &store_args(&area.items, true)).await
        };
        match stored.await {
            Ok(refused) => {
                lost.extend(
                    refused.into_iter().map(|(item, why)| ("sessionStorage", format!("{} {item}: {why}", area.key))),
                );
            }
            Err(problem) => lost.push(("sessionStorage", format!("{}: {problem}", area.key))),
        }
    }
    let (before, after) = history(page, lost);
    for (at, entry) in before.iter().enumerate() {
        storage_page.go(&entry.url).await?;
        storage_page.title(&entry.title).await?;
        if at == 0 {
            storage_page.ask(&ResetNavigationHistory {}).await?;
        }
    }
    if !after.is_empty() {
        storage_page.go(&page.url).await?;
        if before.is_empty() {
            storage_page.ask(&ResetNavigationHistory {}).await?;
        }
        for entry in &after {
            storage_page.go(&entry.url).await?;
            storage_page.title(&entry.title).await?;
        }
    }
    let opened = storage_page.open_up().await?;
    let done = visit(&opened, page, before.len(), !after.is_empty(), lost).await;
    opened.detach().await?;
    done
}

/// Loads the page behind the earlier entries of its history, and restores its appearance.
async fn visit(
    opened: &PageDriver,
    page: &Page,
    before: usize,
    goes_back: bool,
    lost: &mut Losses,
) -> Result<(), Problem> {
    if !may_open(&page.url) {
        lost.push(("page", "its URL is of a kind that a snapshot does not open".to_owned()));
        return Ok(());
    }
    if goes_back {
        back(opened, before).await?;
    } else {
        match opened.navigate(&page.url).await {
            // Chrome shows a page with the error.
            Err(error @ CallError::NotLoaded { .. }) => lost.push(("page", error.to_string())),
            navigated => navigated?,
        }
    }
    opened.evaluate_across_navigations(LOADED).await?;
    if before == 0 && !goes_back {
        opened.ask(&ResetNavigationHistory {}).await?;
    }
    if page.scroll != (0.0, 0.0) {
        let (x, y) = page.scroll;
        opened.evaluate::<()>(&format!("scrollTo({{ left: {x}, top: {y}, behavior: 'instant' }}), null")).await?;
    }
    if !page.fields.is_empty() {
        let fields = serde_json::to_string(&page.fields).unwrap_or_default();
        opened.evaluate::<()>(&format!("{FILL}({fields})")).await?;
    }
    Ok(())
}

/// Goes back to the entry at this index, and loads it.
async fn back(page: &PageDriver, to: usize) -> Result<(), Problem> {
    let history = page.ask(&GetNavigationHistory {}).await?;
    let entry = history.entries.get(to).ok_or_else(|| Problem::Item("its history is shorter now".to_owned()))?;
    page.ask(&NavigateToHistoryEntry { entry_id: entry.id }).await?;
    Ok(())
}

/// The entries before and after the current one that can be restored.
fn history<'a>(page: &'a Page, lost: &mut Losses) -> (Vec<&'a Entry>, Vec<&'a Entry>) {
    let may = |entry: &&Entry| may_open(&entry.url);
    let split = page.current.min(page.history.len());
    let before: Vec<_> = page.history[..split].iter().filter(may).collect();
    // If the page itself is not opened, its later entries cannot be reached.
    let after = page.history.get(split + 1..).filter(|_| may_open(&page.url)).unwrap_or_default();
    let after: Vec<_> = after.iter().filter(may).take(ENTRIES).collect();
    let from = before.len().saturating_sub(ENTRIES);
    let before = before[from..].to_vec();
    let missing = page.history.len().saturating_sub(before.len() + after.len() + 1);
    if missing > 0 {
        lost.push(("history", format!("{missing} entries that cannot be opened again")));
    }
    (before, after)
}

/// Whether a page may be navigated to this URL: a snapshot may come from any source, and some URLs belong to the
/// browser.
fn may_open(url: &str) -> bool {
    url == "about:blank" || url.starts_with("http://") || url.starts_with("https://") || url.starts_with("data:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_of_unopened_pages_is_not_restored() {
        let entry = |url: &str| format!(r#"{{"url":"{url}","title":"\""}}"#);
        let page = |url: &str| -> Page {
            let history = [entry("http://a.test/1"), entry(url), entry("http://a.test/3")].join(",");
            let page = format!(r#"{{"url":"{url}","title":"","history":[{history}],"current":1}}"#);
            serde_json::from_str(&page).expect("a page")
        };
        for (url, after) in [("http://a.test/2", 1), ("chrome://settings/", 0), ("file:///etc/passwd", 0)] {
            let (page, mut lost) = (page(url), Losses::new());
            let made = history(&page, &mut lost);
            assert_eq!((made.0.len(), made.1.len(), lost.is_empty()), (1, after, after == 1), "{url}");
        }
    }

    #[test]
    fn snapshots_open_no_chrome_urls() {
        for url in ["https://a.test/", "http://a.test/x", "about:blank", "data:text/html,x"] {
            assert!(may_open(url), "{url}");
        }
        for url in [
            "chrome://crash",
            " file:///etc/passwd",
            "view-source:http://a/",
            "javascript:1",
            "HTTP:x",
            "about:srcdoc",
            "",
        ] {
            assert!(!may_open(url), "{url}");
        }
    }
}

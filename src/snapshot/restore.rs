//! Writes records into a session.

mod blank;
mod clear;
mod cookies;
mod page;

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use tokio::{io::AsyncBufRead, time::Instant};

use self::{blank::Blank, page::Opened};
use super::{
    Problem, Report, SnapshotError,
    ndjson::Reader,
    record::{Cookie, Database, KeptProxy, Lost, Page, Record, Rows},
    storage_key::StorageKey,
    storage_page::StoragePage,
    unless_gone,
};
use crate::{
    browser::{
        ContextHandle, InternalRoot, by_deadline,
        commands::{Nothing, commands},
    },
    cdp::{ids::ContextId, json_string::JsonString, permission::Ruling},
};

/// Deadline of one step, for example of a batch of rows.
const STEP: Duration = Duration::from_secs(30);

commands! {
    "Target.activateTarget" = ActivateTarget<'a> { target_id: &'a str } -> Nothing;
}

/// How a restore treats the existing state of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The session is new and no client has seen it. It has only a blank page, which becomes the first page of the
    /// snapshot.
    Fresh,
    /// Its pages are closed and its cookies and storage cleared, then the snapshot is written. Contexts that its
    /// clients created stay, empty.
    Replace,
    /// The snapshot is written over the existing state; what it does not name stays.
    Merge,
}

/// The options of a restore.
#[derive(Clone, Debug)]
pub struct Reopen {
    /// How the existing state is treated.
    pub mode: Mode,
    /// Whether the snapshot's pages are opened.
    pub pages: bool,
    /// How long one page may take to load. After that it is shown to the session, loaded or not.
    pub page_deadline: Duration,
}

impl Default for Reopen {
    fn default() -> Self {
        Self { mode: Mode::Fresh, pages: true, page_deadline: Duration::from_secs(15) }
    }
}

/// Writes a snapshot into a session: first the storage, then the pages, so that no script of a site runs without its
/// state. Only the pages that are opened contact a site, and the session's clients see only these.
///
/// The records are applied as they arrive. A caller that needs all or nothing first reads them once with
/// [`super::check`].
pub async fn restore<R: AsyncBufRead + Unpin>(
    place: &ContextHandle,
    how: &Reopen,
    from: R,
) -> Result<Report, SnapshotError> {
    let (reader, root, before) = tokio::join!(Reader::new(from), InternalRoot::new(place.browser()), place.survey());
    let (mut reader, root) = (reader?, Arc::new(root?));
    let mut restore = Restore {
        place,
        how,
        root,
        context: None,
        blank: None,
        storage_page: None,
        cookies: Vec::new(),
        pages: Vec::new(),
        database: None,
        skip: Skip::Nothing,
        report: Report::default(),
    };
    match how.mode {
        Mode::Fresh => {
            restore.blank = Blank::of(&before);
            if let Some(blank) = &mut restore.blank {
                // The storage page is always needed, and is made while the records are read. An error is reported when it is used.
                blank.storage_page = by_deadline(Instant::now() + STEP, blank.storage_page(&restore.root)).await.ok();
            }
        }
        Mode::Replace => restore.clear(&before).await?,
        Mode::Merge => {}
    }
    while let Some(record) = reader.next().await? {
        restore.record(record).await?;
    }
    restore.finish_context().await?;
    restore.finish_blank(reader.counts().pages > 0 && how.pages).await?;
    let mut report = restore.report;
    report.counts = reader.counts().clone();
    report.complete = reader.trailer().is_some_and(|trailer| trailer.complete);
    Ok(report)
}

/// Which records are skipped, because the object they belong to could not be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    Nothing,
    Database,
    Storage,
    Context,
}

struct Restore<'a> {
    place: &'a ContextHandle,
    how: &'a Reopen,
    root: Arc<InternalRoot>,
    context: Option<ContextId>,
    /// The page of a new session, until it has become one of the snapshot's pages.
    blank: Option<Blank>,
    /// The storage page that writes into the context.
    storage_page: Option<StoragePage>,
    /// The cookies that were set in this context, to be checked afterwards.
    cookies: Vec<Cookie>,
    pages: Vec<Page>,
    database: Option<Database>,
    skip: Skip,
    report: Report,
}

impl Restore<'_> {
    fn lose(&mut self, what: &str, place: &str, why: &str) {
        self.report.lose(Lost { what: what.to_owned(), place: place.to_owned(), why: why.to_owned() });
    }

    fn fail(&mut self, what: &str, place: &str, problem: Problem) -> Result<(), SnapshotError> {
        let problem = unless_gone(problem)?;
        self.lose(what, place, &problem.to_string());
        Ok(())
    }

    fn place_of(&self) -> String {
        let key = self.storage_page.as_ref().and_then(StoragePage::at).map_or("", |key| &key.text);
        self.database.as_ref().map_or(key.to_owned(), |database| format!("{key} {}", database.name.get()))
    }

    async fn record(&mut self, record: Record) -> Result<(), SnapshotError> {
        match record {
            Record::Context(context) => self.next_context(context.proxy.as_ref()).await,
            // The losses of the capture were reported then.
            Record::Header(_) | Record::End(_) | Record::Lost(_) => Ok(()),
            _ if self.skip == Skip::Context => Ok(()),
            Record::Permissions(rulings) => self.rule(rulings).await,
            Record::Cookies(cookies) => self.set_cookies(cookies).await,
            Record::Storage(storage) => self.visit(&storage.key).await,
            Record::Page(page) => {
                self.pages.push(*page);
                Ok(())
            }
            _ if self.skip == Skip::Storage => Ok(()),
            Record::LocalStorage(items) => self.local_storage(&items).await,
            Record::Database(database) => self.create(database).await,
            Record::Rows(_) if self.skip == Skip::Database => Ok(()),
            Record::Rows(rows) => self.rows(&rows).await,
        }
    }

    // ---- Contexts.

    async fn next_context(&mut self, kept: Option<&KeptProxy>) -> Result<(), SnapshotError> {
        let first = self.context.is_none() && self.skip == Skip::Nothing;
        self.finish_context().await?;
        self.skip = Skip::Nothing;
        if first {
            self.context = Some(self.place.context().clone());
            return Ok(());
        }
        let proxy = kept.and_then(KeptProxy::open);
        if let (Some(kept), None) = (kept, &proxy) {
            // Its pages would leave another way.
            self.skip = Skip::Context;
            self.lose(
                "context",
                &kept.server,
                "it leaves by this proxy, whose user and password are not kept (store_key)",
            );
            return Ok(());
        }
        match self.place.new_context(proxy).await {
            Ok(context) => self.context = Some(context),
            Err(error) => {
                self.skip = Skip::Context;
                self.fail("context", "", error.into())?;
            }
        }
        Ok(())
    }

    async fn finish_context(&mut self) -> Result<(), SnapshotError> {
        self.finish_database().await?;
        let storage_page = self.storage_page.take();
        let Some(context) = self.context.take() else { return Ok(()) };
        if let Some(blank) = self.blank.as_mut().filter(|_| context == *self.place.context()) {
            blank.storage_page = storage_page;
        }
        let set = std::mem::take(&mut self.cookies);
        let pages = std::mem::take(&mut self.pages);
        // The cookies are read before the first page, which may change them, starts to load.
        let place = self.place;
        let kept = async { if set.is_empty() { Ok(Vec::new()) } else { cookies::all_in(place, &context).await } };
        let open = async { if self.how.pages { self.reopen(&context, &pages).await } else { Ok(()) } };
        let (kept, opened) = tokio::join!(kept, open);
        for cookie in cookies::missing(&set, &kept?) {
            self.lose("cookie", &cookies::place_of(cookie), "Chrome did not store it");
        }
        opened
    }

    /// Opens the pages, several at the same time, and shows them in their order.
    async fn reopen(&mut self, context: &ContextId, pages: &[Page]) -> Result<(), SnapshotError> {
        let (root, place, limit) = (&self.root, self.place, self.how.page_deadline);
        let mut blank = self.blank.take_if(|_| context == self.place.context() && !pages.is_empty());
        // One page at a time waits for its turn, so that other sessions have theirs.
        let line = &tokio::sync::Mutex::new(());
        let mut open = |page| {
            let blank = blank.take();
            async move {
                let first = line.lock().await;
                let mut turn = place.browser().opening().await;
                drop(first);
                let mut opened = match blank {
                    Some(Blank { target, storage_page }) => Opened::of(root, target, storage_page),
                    // In a context Chrome creates one after the other, in the order of the requests.
                    None => turn.make(page::blank(root, context)).await?,
                };
                let lost = turn.load(opened.load(place, page, Instant::now() + limit)).await;
                Ok((opened, lost))
            }
        };
        let opens: Vec<_> = pages.iter().map(&mut open).collect();
        let at_once = place.browser().openings_at_once();
        let loaded: Vec<Result<(Opened, _), Problem>> = stream::iter(opens).buffered(at_once).collect().await;
        let mut front = None;
        for (page, loaded) in pages.iter().zip(loaded) {
            let (opened, lost) = match loaded {
                Ok(loaded) => loaded,
                Err(problem) => {
                    self.fail("page", &page.url, problem)?;
                    continue;
                }
            };
            for (what, why) in lost {
                self.report.lose(Lost { what: what.to_owned(), place: page.url.clone(), why });
            }
            if page.opener.is_some() {
                let why = "the opener of a page cannot be restored".to_owned();
                self.report.lose(Lost { what: "opener".to_owned(), place: page.url.clone(), why });
            }
            let target = opened.reveal();
            if page.front {
                front = target.or(front);
            }
        }
        if let Some(front) = front {
            // The page may have closed itself meanwhile.
            let _ = self.place.ask(&ActivateTarget { target_id: front.as_str() }).await;
        }
        Ok(())
    }

    // ---- Permissions.

    async fn rule(&mut self, rulings: Vec<Ruling>) -> Result<(), SnapshotError> {
        let Some(context) = self.context.clone() else { return Ok(()) };
        for ruling in rulings {
            let method = ruling.method();
            // A snapshot may come from any source, and all sessions of a browser share the clipboard.
            if ruling.opens_clipboard().is_none_or(|named| !named.is_empty()) {
                self.lose("permission", method, "the clipboard is not granted by a snapshot: a client must do it");
            } else if let Err(error) = self.place.rule(&context, ruling).await {
                self.fail("permission", method, error.into())?;
            }
        }
        Ok(())
    }

    // ---- Storage.

    async fn visit(&mut self, text: &str) -> Result<(), SnapshotError> {
        self.finish_database().await?;
        self.skip = Skip::Nothing;
        let visited = match StorageKey::read(text) {
            Ok(key) => self.go(key).await,
            Err(why) => Err(Problem::Item(why.to_owned())),
        };
        if let Err(problem) = visited {
            self.skip = Skip::Storage;
            self.fail("storage", text, problem)?;
        }
        Ok(())
    }

    async fn go(&mut self, key: StorageKey) -> Result<(), Problem> {
        let mut storage_page = match self.storage_page.take() {
            Some(storage_page) => storage_page,
            None => by_deadline(Instant::now() + STEP, self.storage_page()).await?,
        };
        let visited = by_deadline(Instant::now() + STEP, storage_page.visit(&key)).await;
        // The origin is remembered, because its storage must be found at the next save even if no page visits it.
        self.place.remember(self.context.as_ref().unwrap_or(self.place.context()), key.memory());
        self.storage_page = Some(storage_page);
        visited
    }

    async fn storage_page(&mut self) -> Result<StoragePage, Problem> {
        let context = self.context.as_ref().unwrap_or(self.place.context());
        match self.blank.as_mut().filter(|_| context == self.place.context()) {
            Some(blank) => blank.storage_page(&self.root).await,
            None => StoragePage::new(&self.root, context).await,
        }
    }

    /// Runs one operation of the storage page for the key at which it is.
    async fn run<T: serde::de::DeserializeOwned>(&mut self, op: &str, args: &str) -> Result<T, Problem> {
        let Some(storage_page) = &mut self.storage_page else {
            return Err(Problem::Item("the storage page has no location".to_owned()));
        };
        by_deadline(Instant::now() + STEP, storage_page.run(op, args)).await
    }

    async fn local_storage(&mut self, items: &[(JsonString, JsonString)]) -> Result<(), SnapshotError> {
        let place = self.place_of();
        match self.run::<Vec<(String, String)>>("store", &store_args(items, false)).await {
            Ok(lost) => {
                for (item, why) in lost {
                    self.lose("localStorage", &format!("{place} {item}"), &why);
                }
            }
            Err(problem) => self.fail("localStorage", &place, problem)?,
        }
        Ok(())
    }

    async fn create(&mut self, database: Database) -> Result<(), SnapshotError> {
        self.finish_database().await?;
        self.skip = Skip::Nothing;
        let args = serde_json::to_string(&database).unwrap_or_default();
        self.database = Some(database);
        if let Err(problem) = self.run::<Option<()>>("create", &args).await {
            let place = self.place_of();
            self.skip = Skip::Database;
            self.database = None;
            self.fail("database", &place, problem)?;
        }
        Ok(())
    }

    async fn rows(&mut self, rows: &Rows) -> Result<(), SnapshotError> {
        let name = self.database.as_ref().and_then(|database| database.stores.get(rows.store));
        let place = self.place_of();
        let Some(name) = name.map(|store| store.name.get().to_owned()) else {
            self.lose("rows", &place, "their store does not exist");
            return Ok(());
        };
        let args = format!(r#"{{"store":{name},"rows":{}}}"#, serde_json::to_string(&rows.rows).unwrap_or_default());
        match self.run::<Vec<(String, String)>>("put", &args).await {
            Ok(lost) => {
                for (row, why) in lost {
                    self.lose("row", &format!("{place} {name} {row}"), &why);
                }
            }
            Err(problem) => self.fail("rows", &format!("{place} {name}"), problem)?,
        }
        Ok(())
    }

    /// Sets the key generators to their saved state, and closes the database.
    async fn finish_database(&mut self) -> Result<(), SnapshotError> {
        let place = self.place_of();
        let Some(database) = self.database.take() else { return Ok(()) };
        for store in &database.stores {
            let Some(next) = store.next_key.filter(|_| store.auto_increment) else { continue };
            let args = format!(r#"{{"store":{},"next":{next}}}"#, store.name.get());
            if let Err(problem) = self.run::<Option<()>>("generator", &args).await {
                self.fail("keyGenerator", &format!("{place} {}", store.name.get()), problem)?;
            }
        }
        if let Err(problem) = self.run::<Option<()>>("close", "").await {
            self.fail("database", &place, problem)?;
        }
        Ok(())
    }
}

/// The argument of the storage page's operation `store`.
pub(super) fn store_args(items: &[(JsonString, JsonString)], session: bool) -> String {
    format!(r#"{{"items":{},"session":{session}}}"#, serde_json::to_string(items).unwrap_or_default())
}

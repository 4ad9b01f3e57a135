//! From a session to records.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{io::AsyncWrite, time::Instant};

use super::{
    Parts, Problem, Report, SnapshotError, by,
    candidates::Candidates,
    key::StorageKey,
    lines::Writer,
    pages,
    record::{Context, Cookie, Database, Index, Lost, Page, Raw, Record, Rows, Storage, Store},
    unless_gone,
    vault::Vault,
};
use crate::{
    browser::{OwnRoot, Place, Surveyed},
    cdp::{
        ids::ContextId,
        object::{Object, quote},
        target::Kind,
    },
};

/// Cookies of one record.
const COOKIES: usize = 500;
/// Pages that are looked at together.
const PAGES: usize = 8;
/// How long one step may take, a batch of rows for example.
const STEP: Duration = Duration::from_secs(15);

/// Reads the state of a session and writes it as records, unseen by its clients: no navigation, no event, no change of
/// focus, and no page is stopped. A part that cannot be read is reported and left out.
pub async fn capture<W: AsyncWrite + Unpin>(place: &Place, parts: &Parts, to: W) -> Result<Report, SnapshotError> {
    let root = OwnRoot::new(place.browser()).await?;
    let product = &place.browser().identity().product;
    let out = Writer::new(to, product).await.map_err(SnapshotError::Write)?;
    let end = Instant::now() + parts.deadline;
    let mut capture = Capture { place, parts, root, end, out, report: Report { complete: true, ..Report::default() } };
    for surveyed in place.survey().await {
        capture.context(&surveyed).await?;
    }
    let Capture { out, mut report, .. } = capture;
    report.counts = out.end(report.complete).await.map_err(SnapshotError::Write)?;
    Ok(report)
}

struct Capture<'a, W> {
    place: &'a Place,
    parts: &'a Parts,
    root: OwnRoot,
    end: Instant,
    out: Writer<W>,
    report: Report,
}

#[derive(Deserialize)]
struct Listed {
    name: Raw,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    version: u64,
    stores: Vec<SchemaStore>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaStore {
    name: Raw,
    key_path: Raw,
    auto_increment: bool,
    indexes: Vec<Index>,
}

#[derive(Deserialize)]
struct Batch {
    batches: Vec<Rows>,
    lost: Vec<(usize, String, String)>,
    more: bool,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<(Raw, Raw)>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Others {
    workers: Vec<String>,
    caches: Vec<String>,
    files: Vec<String>,
}

impl<W: AsyncWrite + Unpin> Capture<'_, W> {
    /// When the next step must be over: one that hangs must not use up the time of the others.
    fn step(&self) -> Instant {
        self.end.min(Instant::now() + STEP)
    }

    async fn write(&mut self, record: &Record) -> Result<(), SnapshotError> {
        self.out.write(record).await.map_err(SnapshotError::Write)
    }

    async fn lose(&mut self, what: &str, place: &str, why: &str) -> Result<(), SnapshotError> {
        self.lost(Lost { what: what.to_owned(), place: place.to_owned(), why: why.to_owned() }).await
    }

    async fn lost(&mut self, lost: Lost) -> Result<(), SnapshotError> {
        self.write(&Record::Lost(lost.clone())).await?;
        self.report.lose(lost);
        Ok(())
    }

    async fn fail(&mut self, what: &str, place: &str, problem: Problem) -> Result<(), SnapshotError> {
        let problem = unless_gone(problem)?;
        self.report.complete &= !matches!(problem, Problem::Late);
        self.lose(what, place, &problem.to_string()).await
    }

    async fn context(&mut self, surveyed: &Surveyed) -> Result<(), SnapshotError> {
        let made_by_client = surveyed.context != *self.place.context();
        self.write(&Record::Context(Context { made_by_client })).await?;
        if self.parts.permissions && !surveyed.rulings.is_empty() {
            self.write(&Record::Permissions(surveyed.rulings.clone())).await?;
        }
        let mut candidates = Candidates::default();
        let pages = self.pages(surveyed, &mut candidates).await?;
        for cookies in self.cookies(&surveyed.context).await?.chunks(COOKIES) {
            for cookie in cookies {
                candidates.cookie(cookie);
            }
            if self.parts.cookies {
                self.write(&Record::Cookies(cookies.to_vec())).await?;
            }
        }
        candidates.surveyed(surveyed);
        if candidates.left_out > 0 {
            let why = format!("{} origins more than are looked at", candidates.left_out);
            self.lose("origins", "", &why).await?;
        }
        if self.parts.local_storage || self.parts.indexed_db {
            self.storage(&surveyed.context, &candidates).await?;
        }
        if self.parts.pages {
            for page in pages {
                self.write(&Record::Page(Box::new(page))).await?;
            }
        }
        Ok(())
    }

    /// Looks at the pages, several at once: one that hangs must not use up the time of the others.
    async fn pages(&mut self, surveyed: &Surveyed, candidates: &mut Candidates) -> Result<Vec<Page>, SnapshotError> {
        let ids: Vec<_> = surveyed.targets.iter().filter(|(_, kind, _)| *kind == Kind::Page).collect();
        let (root, parts, end) = (&self.root, self.parts, self.end);
        let looks: Vec<_> = ids.iter().map(|(id, _, info)| pages::look(root, id, info, parts, end)).collect();
        let seen: Vec<_> = stream::iter(looks).buffered(PAGES).collect().await;
        let mut pages = Vec::new();
        for (mut seen, (_, _, info)) in seen.into_iter().zip(&ids) {
            self.report.complete &= !seen.late;
            for key in seen.keys {
                candidates.frame(key);
            }
            for entry in &seen.page.history {
                candidates.url(&entry.url);
            }
            candidates.url(&seen.page.url);
            let opener = Object::read(info).and_then(|info| info.string("openerId"));
            seen.page.opener = opener.and_then(|opener| ids.iter().position(|(id, _, _)| id.as_str() == opener));
            for lost in seen.lost {
                self.lost(lost).await?;
            }
            pages.push(seen.page);
        }
        Ok(pages)
    }

    async fn cookies(&mut self, context: &ContextId) -> Result<Vec<Cookie>, SnapshotError> {
        #[derive(Deserialize)]
        struct Cookies {
            cookies: Vec<Raw>,
        }
        let params = format!(r#"{{"browserContextId":{}}}"#, quote(context.as_str()));
        let read = async {
            let result = self.place.call("Storage.getCookies", params).await?;
            let cookies: Cookies =
                serde_json::from_str(&result).map_err(|error| Problem::Script(format!("Chrome's answer: {error}")))?;
            Ok(cookies.cookies)
        };
        let raw = match by(self.step(), read).await {
            Ok(raw) => raw,
            Err(problem) => {
                self.fail("cookies", "", problem).await?;
                return Ok(Vec::new());
            }
        };
        let mut cookies = Vec::new();
        for raw in raw {
            let members = Object::read(raw.get());
            let is = |name| members.as_ref().and_then(|members| members.get(name)) == Some("true");
            let place = members.as_ref().and_then(|members| members.string("domain")).unwrap_or_default();
            if is("partitionKeyOpaque") {
                self.lose("cookie", &place, "Chrome hides the page it belongs to").await?;
                continue;
            }
            match serde_json::from_str::<Cookie>(raw.get()) {
                // Chrome says -1 for one that ends with the browser.
                Ok(cookie) if is("session") => cookies.push(Cookie { expires: None, ..cookie }),
                Ok(cookie) => cookies.push(cookie),
                Err(error) => self.lose("cookie", &place, &format!("it has another shape: {error}")).await?,
            }
        }
        Ok(cookies)
    }

    async fn storage(&mut self, context: &ContextId, candidates: &Candidates) -> Result<(), SnapshotError> {
        if candidates.keys().next().is_none() {
            return Ok(());
        }
        let mut vault = match by(self.step(), Vault::new(&self.root, context)).await {
            Ok(vault) => vault,
            Err(problem) => return self.fail("storage", "", problem).await,
        };
        for key in candidates.keys() {
            match by(self.step(), vault.visit(key)).await {
                Ok(()) => self.key(context, &mut vault, key).await?,
                Err(problem) => self.fail("storage", &key.text, problem).await?,
            }
        }
        Ok(())
    }

    /// All that is under one storage key. Its record is written with the first thing that is there.
    async fn key(&mut self, context: &ContextId, vault: &mut Vault, key: &StorageKey) -> Result<(), SnapshotError> {
        let head = Record::Storage(Storage { key: key.text.clone() });
        let mut begun = false;
        let mut from = self.parts.local_storage.then_some(0);
        while let Some(at) = from.take() {
            match by(self.step(), vault.run::<Items>("local", &format!(r#"{{"from":{at}}}"#))).await {
                Ok(Items { items, next }) => {
                    if !items.is_empty() {
                        self.begin(&mut begun, &head).await?;
                        self.write(&Record::LocalStorage(items)).await?;
                    }
                    from = next;
                }
                Err(problem) => self.fail("localStorage", &key.text, problem).await?,
            }
        }
        if self.parts.indexed_db {
            match by(self.step(), vault.run::<Vec<Listed>>("databases", "")).await {
                Ok(listed) => {
                    for Listed { name } in listed {
                        self.begin(&mut begun, &head).await?;
                        let place = format!("{} {}", key.text, name.get());
                        if let Err(problem) = self.database(vault, key, name, &place).await? {
                            self.fail("database", &place, problem).await?;
                        }
                    }
                }
                Err(problem) => self.fail("IndexedDB", &key.text, problem).await?,
            }
        }
        if begun {
            // Its frames may be gone when the session is saved again.
            self.place.remember(context, key.memory());
        }
        if let Ok(Others { workers, caches, files }) = by(self.step(), vault.run("others", "")).await {
            for scope in workers {
                self.lose("serviceWorker", &scope, "the site registers it again when it is opened").await?;
            }
            if !caches.is_empty() {
                self.lose("cacheStorage", &key.text, "it is not part of snapshots").await?;
            }
            if !files.is_empty() {
                self.lose("fileSystem", &key.text, "the origin's private files are not part of snapshots").await?;
            }
        }
        Ok(())
    }

    async fn begin(&mut self, begun: &mut bool, record: &Record) -> Result<(), SnapshotError> {
        if !std::mem::replace(begun, true) {
            self.write(record).await?;
        }
        Ok(())
    }

    /// One database. The outer error ends the capture, the inner one costs this database.
    async fn database(
        &mut self,
        vault: &mut Vault,
        key: &StorageKey,
        name: Raw,
        place: &str,
    ) -> Result<Result<(), Problem>, SnapshotError> {
        let open = format!(r#"{{"name":{}}}"#, name.get());
        let schema: Schema = match by(self.step(), vault.run("open", &open)).await {
            Ok(schema) => schema,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut stores = Vec::new();
        for store in schema.stores {
            let next_key = if store.auto_increment {
                by(self.step(), next_key(vault, key, &name, &store.name)).await.ok().flatten()
            } else {
                None
            };
            if store.auto_increment && next_key.is_none() {
                let place = format!("{place} {}", store.name.get());
                self.lose("keyGenerator", &place, "Chrome did not say where it stands").await?;
            }
            let SchemaStore { name, key_path, auto_increment, indexes } = store;
            stores.push(Store { name, key_path, auto_increment, next_key, indexes });
        }
        let names: Vec<String> = stores.iter().map(|store| store.name.get().to_owned()).collect();
        self.write(&Record::Database(Database { name, version: schema.version, stores })).await?;
        loop {
            let Batch { batches, lost, more } = match by(self.step(), vault.run("rows", "")).await {
                Ok(batch) => batch,
                Err(problem) => return Ok(Err(problem)),
            };
            for rows in batches {
                self.write(&Record::Rows(rows)).await?;
            }
            for (store, row, why) in lost {
                let store = names.get(store).map_or("", String::as_str);
                self.lose("row", &format!("{place} {store} {row}"), &why).await?;
            }
            if !more {
                break;
            }
        }
        Ok(by(self.step(), vault.run::<Option<()>>("close", "")).await.map(drop))
    }
}

/// The next key that a store will make; CDP tells what scripts cannot see.
async fn next_key(
    vault: &mut Vault,
    key: &StorageKey,
    db: &RawValue,
    store: &RawValue,
) -> Result<Option<f64>, Problem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        key_generator_value: f64,
    }
    let params = format!(
        r#"{{"storageKey":{},"databaseName":{},"objectStoreName":{}}}"#,
        quote(&key.text),
        db.get(),
        store.get()
    );
    let result = vault.call_inside("IndexedDB.getMetadata", params).await?;
    Ok(serde_json::from_str::<Metadata>(&result).ok().map(|metadata| metadata.key_generator_value))
}

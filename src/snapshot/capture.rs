//! Reads the state of a session and writes it as records.

mod storage;

use std::time::Duration;

use futures_util::{StreamExt as _, future::try_join, stream};
use tokio::{io::AsyncWrite, sync::mpsc, time::Instant};

use self::storage::{Found, Readers};
use super::{
    Parts, Problem, Report, SnapshotError,
    ndjson::Writer,
    origins::Origins,
    pages::{self, Seen},
    record::{Context, Cookie, KeptProxy, Lost, Page, Raw, Record},
    storage_page::StoragePage,
    unless_gone,
};
use crate::{
    browser::{CallError, ContextHandle, InternalRoot, Surveyed, by_deadline, commands::GetCookies},
    cdp::{
        ids::{ContextId, TargetId},
        json_object::JsonObject,
        target::Kind,
    },
};

/// Most cookies in one record.
const COOKIES: usize = 500;
/// Pages that are read at the same time.
const PAGES: usize = 8;
/// Deadline of one step, for example of a batch of rows.
const STEP: Duration = Duration::from_secs(15);

/// Reads the state of a session and writes it as records, unnoticed by its clients: no navigation, no event, no change
/// of focus, and no page is stopped. A part that cannot be read is reported and left out.
pub async fn capture<W: AsyncWrite + Unpin>(
    place: &ContextHandle,
    parts: &Parts,
    to: W,
) -> Result<Report, SnapshotError> {
    let root = InternalRoot::new(place.browser()).await?;
    let product = &place.browser().identity().product;
    let writer = Writer::new(to, product).await.map_err(SnapshotError::Write)?;
    let scene = Scene { place, parts, root, end: Instant::now() + parts.deadline };
    let mut capture = Capture { scene, out: Out { writer, report: Report { complete: true, ..Report::default() } } };
    for surveyed in place.survey().await {
        capture.context(&surveyed).await?;
    }
    let Out { writer, mut report } = capture.out;
    report.counts = writer.end(report.complete).await.map_err(SnapshotError::Write)?;
    Ok(report)
}

/// The source of a capture: the session's place, the parts to read and the deadline.
struct Scene<'a> {
    place: &'a ContextHandle,
    parts: &'a Parts,
    root: InternalRoot,
    end: Instant,
}

impl Scene<'_> {
    /// The deadline of the next step: a step that hangs must not use up the time of the others.
    fn step(&self) -> Instant {
        self.end.min(Instant::now() + STEP)
    }
}

/// The output of a capture, and its report.
struct Out<W> {
    writer: Writer<W>,
    report: Report,
}

struct Capture<'a, W> {
    scene: Scene<'a>,
    out: Out<W>,
}

impl<W: AsyncWrite + Unpin> Out<W> {
    async fn write(&mut self, record: &Record) -> Result<(), SnapshotError> {
        self.writer.write(record).await.map_err(SnapshotError::Write)
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
        self.report.complete &= !problem.is_late();
        self.lose(what, place, &problem.to_string()).await
    }

    async fn found(&mut self, found: Found) -> Result<(), SnapshotError> {
        match found {
            Found::Record(record) => self.write(&record).await,
            Found::Lost(lost) => self.lost(lost).await,
            Found::Failed(what, place, problem) => self.fail(what, &place, problem).await,
        }
    }
}

impl<W: AsyncWrite + Unpin> Capture<'_, W> {
    async fn context(&mut self, surveyed: &Surveyed) -> Result<(), SnapshotError> {
        let made_by_client = surveyed.context != *self.scene.place.context();
        let proxy = self.scene.place.proxy_of(&surveyed.context);
        let proxy = proxy.map(|proxy| KeptProxy::new(&proxy, self.scene.parts.credentials));
        self.out.write(&Record::Context(Context { made_by_client, proxy })).await?;
        if self.scene.parts.permissions && !surveyed.rulings.is_empty() {
            self.out.write(&Record::Permissions(surveyed.rulings.clone())).await?;
        }
        let mut candidates = Origins::default();
        let ids: Vec<_> = surveyed.targets.iter().filter(|(_, kind, _)| *kind == Kind::Page).collect();
        let (root, parts, end) = (&self.scene.root, self.scene.parts, self.scene.end);
        // Several pages at the same time: one that hangs must not use up the time of the others.
        let looks: Vec<_> =
            ids.iter().map(|(id, _, info)| pages::look(root, surveyed, (id, info), parts, end)).collect();
        let looks = stream::iter(looks).buffered(PAGES).collect::<Vec<_>>();
        let get_cookies = GetCookies { browser_context_id: surveyed.context.as_str() };
        let cookies = by_deadline(self.scene.step(), self.scene.place.ask(&get_cookies));
        // A page of the proxy takes longest to start, so it starts at the same time.
        let (seen, cookies, storage_page) = tokio::join!(looks, cookies, self.open_storage_page_early(surveyed));
        let pages = self.pages(&ids, seen, &mut candidates).await?;
        let cookies = cookies.map(|answer| answer.cookies);
        for cookies in self.cookies(cookies).await?.chunks(COOKIES) {
            for cookie in cookies {
                candidates.cookie(cookie);
            }
            if self.scene.parts.cookies {
                self.out.write(&Record::Cookies(cookies.to_vec())).await?;
            }
        }
        candidates.surveyed(surveyed);
        if candidates.left_out > 0 {
            let why = format!("{} origins above the limit", candidates.left_out);
            self.out.lose("origins", "", &why).await?;
        }
        if self.scene.parts.local_storage || self.scene.parts.indexed_db {
            self.storage(&surveyed.context, &candidates, storage_page).await?;
        }
        if self.scene.parts.pages {
            for page in pages {
                self.out.write(&Record::Page(Box::new(page))).await?;
            }
        }
        Ok(())
    }

    /// Starts a storage page at the first key to read, if it is already known that there is one. If the key turns out
    /// to be another, or cannot be reached, the turn of that key shows it.
    async fn open_storage_page_early(&self, surveyed: &Surveyed) -> Option<Result<StoragePage, Problem>> {
        let mut likely = Origins::default();
        likely.surveyed(surveyed);
        let first = likely.keys().next().filter(|_| self.scene.parts.local_storage || self.scene.parts.indexed_db)?;
        let mut storage_page =
            by_deadline(self.scene.step(), StoragePage::new(&self.scene.root, &surveyed.context)).await;
        if let Ok(storage_page) = &mut storage_page {
            let _ = by_deadline(self.scene.step(), storage_page.visit(first)).await;
        }
        Some(storage_page)
    }

    /// Writes the records of the pages that were read.
    async fn pages(
        &mut self,
        ids: &[&(TargetId, Kind, String)],
        seen: Vec<Seen>,
        candidates: &mut Origins,
    ) -> Result<Vec<Page>, SnapshotError> {
        let mut pages = Vec::new();
        for (mut seen, (_, _, info)) in seen.into_iter().zip(ids) {
            self.out.report.complete &= !seen.late;
            for key in seen.keys {
                candidates.frame(key);
            }
            for entry in &seen.page.history {
                candidates.url(&entry.url);
            }
            candidates.url(&seen.page.url);
            let opener = JsonObject::read(info).and_then(|info| info.string("openerId"));
            seen.page.opener = opener.and_then(|opener| ids.iter().position(|(id, _, _)| id.as_str() == opener));
            for lost in seen.lost {
                self.out.lost(lost).await?;
            }
            pages.push(seen.page);
        }
        Ok(pages)
    }

    async fn cookies(&mut self, read: Result<Vec<Raw>, CallError>) -> Result<Vec<Cookie>, SnapshotError> {
        let raw = match read {
            Ok(raw) => raw,
            Err(error) => {
                self.out.fail("cookies", "", error.into()).await?;
                return Ok(Vec::new());
            }
        };
        let mut cookies = Vec::new();
        for raw in raw {
            let members = JsonObject::read(raw.get());
            let is = |name| members.as_ref().and_then(|members| members.get(name)) == Some("true");
            let place = members.as_ref().and_then(|members| members.string("domain")).unwrap_or_default();
            if is("partitionKeyOpaque") {
                self.out.lose("cookie", &place, "Chrome hides the page it belongs to").await?;
                continue;
            }
            match serde_json::from_str::<Cookie>(raw.get()) {
                // For a session cookie Chrome reports -1.
                Ok(cookie) if is("session") => cookies.push(Cookie { expires: None, ..cookie }),
                Ok(cookie) => cookies.push(cookie),
                Err(error) => self.out.lose("cookie", &place, &format!("it has an unknown shape: {error}")).await?,
            }
        }
        Ok(cookies)
    }

    async fn storage(
        &mut self,
        context: &ContextId,
        candidates: &Origins,
        storage_page: Option<Result<StoragePage, Problem>>,
    ) -> Result<(), SnapshotError> {
        let Self { scene, out } = self;
        let storage_page = match storage_page.transpose() {
            Ok(storage_page) => storage_page,
            Err(problem) => return out.fail("storage", "", problem).await,
        };
        let (to, mut keys) = mpsc::unbounded_channel();
        let readers = Readers::new(scene, context, storage_page);
        let read = async {
            readers.read(candidates.keys(), to).await;
            Ok(())
        };
        let write = async {
            while let Some(mut key) = keys.recv().await {
                while let Some(found) = key.recv().await {
                    out.found(found).await?;
                }
            }
            Ok(())
        };
        try_join(read, write).await.map(drop)
    }
}

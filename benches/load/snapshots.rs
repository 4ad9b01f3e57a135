//! Saving and restoring: duration, size, and memory use of the proxy.
//!
//! Runs in this process with a pool of its own, to measure the engine and the store only.

use std::{fs, io, time::Instant};

use ghostmux::{
    api_types::Owner,
    browser::{
        CodecChoice, Launch, Lease, Source,
        find::{command_line, is_root},
    },
    cdp::json_string::JsonString,
    config::{BrowserLimits, Codec, StoreKeys, StoreLimits, StorePlace, StoreSettings},
    metrics::Metrics,
    pool::{BrowserKind, Company, LeaseRequest, Plan, Pool},
    snapshot::{
        Parts, Reopen, Report, capture,
        ndjson::Writer,
        record::{Context, Cookie, Database, ObjectStore, Record, Rows, Storage},
        restore,
    },
    store::{Meta, New, SnapshotId, Store},
};
use serde_json::{json, value::RawValue};
use tokio::io::AsyncWrite;

use super::{
    Bench,
    table::{Budget, Row, Section},
};

/// Origins and megabytes of the sessions; the last ones only with `--long`.
const SHAPES: [(u64, u64); 8] = [(1, 1), (10, 1), (100, 1), (1, 10), (10, 10), (10, 100), (100, 100), (10, 200)];
const SHORT: usize = 6;
const ROW: usize = 10_000;
const ROWS: usize = 20;
const MB: f64 = 1e6;

/// How much more memory than at rest the proxy may need, in MiB, for a session of any size.
const MEMORY: f64 = 32.0;

pub(crate) fn snapshots(bench: &Bench) -> io::Result<Section> {
    tokio::runtime::Runtime::new()?.block_on(measure(bench)).map_err(|error| io::Error::other(error.to_string()))
}

type Done<T> = Result<T, Box<dyn std::error::Error>>;

async fn measure(bench: &Bench) -> Done<Section> {
    let mut section = Section::new("Saving and restoring a session", "");
    section.note(
        "Cookies, localStorage and IndexedDB of this many origins, half of the data random; no pages. From the \
         browser into the store's file and back, in the same process as the store. The memory is the peak above that \
         at rest.",
    );
    let directory = tempfile::tempdir()?;
    let launch = Launch {
        binary: bench.found.binary.clone(),
        flags: command_line(bench.found.kind, is_root(), &[]),
        directory: directory.path().to_owned(),
        codec: CodecChoice::new(Codec::Auto),
        cgroups: None,
        nice: 0,
        has_extensions: false,
        egress: None,
        is_gated: false,
        in_namespace: false,
    };
    let plan = Plan::fixed(vec![Source::Local(launch)]);
    let pool = Pool::start(plan, Metrics::default().into()).await?;
    let store = Store::new(&StoreSettings {
        place: StorePlace::File(directory.path().join("store.redb")),
        keys: StoreKeys::default(),
        ttl: None,
        limits: StoreLimits::NONE,
    });
    for (origins, megabytes) in SHAPES.into_iter().take(if bench.long { SHAPES.len() } else { SHORT }) {
        let made =
            save(&store, |to| async move { make(to, origins, megabytes).await.map(|()| Report::default()) }).await?;
        let what = format!("{origins} origin{}, {megabytes} MB", if origins == 1 { "" } else { "s" });
        let (lease, mut other) = (
            pool.lease(LeaseRequest {
                kind: BrowserKind::Shared,
                company: Company::Anyone,
                limits: BrowserLimits::default(),
                gate: None,
            })
            .await?,
            pool.lease(LeaseRequest {
                kind: BrowserKind::Shared,
                company: Company::Anyone,
                limits: BrowserLimits::default(),
                gate: None,
            })
            .await?,
        );
        // The first page of a new session is not part of the measurement.
        other.open();
        let restored = Peak::of(load(&store, made.id, &lease)).await?;
        let place = lease.place();
        let parts = Parts { pages: false, deadline: std::time::Duration::from_secs(600), ..Parts::default() };
        let saved = Peak::of(save(&store, |to| async move { Ok(capture(&place, &parts, to).await?) })).await?;
        let ms = |peak: f64| peak * 1e3;
        section.push(Row::own(format!("{what}: save"), "ms", ms(saved.seconds), Budget::None));
        section.push(Row::own(format!("{what}: restore"), "ms", ms(restored.seconds), Budget::None));
        section.push(Row::own(format!("{what}: content"), "MB", saved.result.raw as f64 / MB, Budget::None));
        section.push(Row::own(format!("{what}: in the store"), "MB", saved.result.stored as f64 / MB, Budget::None));
        let memory = saved.mebibytes.max(restored.mebibytes);
        section.push(Row::own(format!("{what}: memory"), "MiB", memory, Budget::AtMost(MEMORY)));
        for id in [made.id, saved.result.id] {
            store.remove(&Owner::local(), id).await?;
        }
    }
    pool.close().await;
    Ok(section)
}

/// The duration of something, and the growth of this process during it.
struct Peak<T> {
    result: T,
    seconds: f64,
    mebibytes: f64,
}

impl<T> Peak<T> {
    async fn of(work: impl Future<Output = Done<T>>) -> Done<Self> {
        // Resets the peak.
        fs::write("/proc/self/clear_refs", "5")?;
        let (before, since) = (status("VmRSS:")?, Instant::now());
        let result = work.await?;
        Ok(Self { result, seconds: since.elapsed().as_secs_f64(), mebibytes: (status("VmHWM:")? - before) / 1024.0 })
    }
}

fn status(name: &str) -> io::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok());
    kib.ok_or_else(|| io::Error::other(format!("no {name}")))
}

async fn save<F: Future<Output = Done<Report>>>(
    store: &Store,
    make: impl FnOnce(tokio::io::DuplexStream) -> F,
) -> Done<Meta> {
    let mut writer = store.put(New::of(Owner::local())).await?;
    let report = writer.fill(make).await??;
    sound(&report)?;
    Ok(writer.commit(json!({})).await?)
}

async fn load(store: &Store, id: SnapshotId, lease: &Lease) -> Done<()> {
    let reader = store.get(&Owner::local(), id).await?;
    sound(&restore(&lease.place(), &Reopen::default(), reader.into_read()).await?)
}

/// An incomplete result must not be reported as a figure.
fn sound(report: &Report) -> Done<()> {
    if report.lost.is_empty() { Ok(()) } else { Err(format!("not all of it was carried: {report:?}").into()) }
}

/// Writes a session with this many origins and megabytes.
async fn make<W: AsyncWrite + Unpin>(to: W, origins: u64, megabytes: u64) -> Done<()> {
    let mut writer = Writer::new(to, "").await?;
    writer.write(&Record::Context(Context::default())).await?;
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for origin in 0..origins {
        let host = format!("o{origin}.bench.test");
        let cookie = json!({ "name": "sid", "value": host, "domain": host, "path": "/", "secure": true, "sourceScheme": "Secure", "sourcePort": 443 });
        writer.write(&Record::Cookies(vec![serde_json::from_value::<Cookie>(cookie)?])).await?;
    }
    for origin in 0..origins {
        writer.write(&Record::Storage(Storage { key: format!("https://o{origin}.bench.test/") })).await?;
        let items = (0..10).map(|item| Ok((raw(&format!("item{item}"))?, raw(&text(&mut random, 100))?)));
        writer.write(&Record::LocalStorage(items.collect::<Done<_>>()?)).await?;
        let (name, key_path, indexes) = (raw("rows")?, RawValue::from_string("null".to_owned())?, Vec::new());
        let stores = vec![ObjectStore { name, key_path, auto_increment: false, next_key: None, indexes }];
        writer.write(&Record::Database(Database { name: raw("db")?, version: 1, stores })).await?;
        let rows = usize::try_from(megabytes * 1_000_000 / origins)? / ROW;
        for first in (0..rows.max(1)).step_by(ROWS) {
            let rows = (first..(first + ROWS).min(rows.max(1))).map(|row| {
                let value = format!(r#"["o",["id",{row},"text","{}"]]"#, text(&mut random, ROW));
                Ok((RawValue::from_string(row.to_string())?, RawValue::from_string(value)?))
            });
            writer.write(&Record::Rows(Rows { store: 0, rows: rows.collect::<Done<_>>()? })).await?;
        }
    }
    writer.end(true).await?;
    Ok(())
}

fn raw(text: &str) -> Done<JsonString> {
    Ok(serde_json::from_str(&json!(text).to_string())?)
}

/// Letters, half of them random.
fn text(random: &mut u64, length: usize) -> String {
    let mut next = || {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        char::from(b'a' + (*random % 16) as u8)
    };
    (0..length).map(|at| if at % 2 == 0 { next() } else { 'x' }).collect()
}

//! Browsers that are started for one session, with options of their own.

use std::{path::Path, sync::Arc, time::Duration};

use ghostmux::{
    browser::{
        CodecChoice, Launch, Source,
        find::{self, command_line, is_root},
    },
    config::{BrowserLimits, Codec, PoolSettings},
    metrics::Metrics,
    pool::{BrowserKind, Company, LeaseRequest, NoLease, Plan, Pool},
    port::LaunchSpec,
};

use crate::{browsers::Browser, proxy::eventually};

/// A pool with one shared browser, and at most so many dedicated ones.
async fn pool(directory: &Path, max_dedicated: usize) -> (Pool, Arc<Metrics>) {
    let found = find::inspect(&Browser::any().await.path).await.expect("a browser");
    let launch = Launch {
        binary: found.binary,
        flags: command_line(found.kind, is_root(), &[]),
        directory: directory.to_owned(),
        codec: CodecChoice::new(Codec::Auto),
        cgroups: None,
    };
    let plan = Plan::fixed(vec![Source::Local(launch)]);
    let settings = PoolSettings { max_dedicated, dedicated_spares: 1, ..plan.settings };
    let metrics = Arc::new(Metrics::default());
    (Pool::start(Plan { settings, ..plan }, metrics.clone()).await.expect("a browser that starts"), metrics)
}

/// The request of a session for a browser that is started with these flags.
fn with(args: &[&str]) -> LeaseRequest {
    let launch = LaunchSpec::new(args.iter().map(|arg| (*arg).to_owned()).collect());
    let limits = BrowserLimits::default();
    LeaseRequest { kind: BrowserKind::Dedicated(launch), company: Company::Anyone, limits }
}

/// Whether a process runs, and has this argument.
fn runs_with(pid: Option<u32>, arg: &str) -> bool {
    let line = pid.and_then(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok()).unwrap_or_default();
    line.split(|byte| *byte == 0).any(|word| word == arg.as_bytes())
}

const MARK: &str = "--force-device-scale-factor=2";

#[tokio::test(flavor = "multi_thread")]
async fn browser_with_launch_options_is_started_for_its_session_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let (pool, metrics) = pool(directory.path(), 2).await;
    let plain = pool.lease(with(&[])).await.expect("a browser of its own");
    let special = pool.lease(with(&[MARK])).await.expect("a browser with its options");
    assert!(special.is_dedicated() && special.browser().id() != plain.browser().id());
    assert!(runs_with(special.browser().pid(), MARK), "it has the options");
    let others = pool.running().into_iter().filter(|browser| browser.id() != special.browser().id());
    assert!(others.map(|browser| runs_with(browser.pid(), MARK)).all(|has| !has), "nobody else has them");
    // There is no room for another one until a session ends.
    let waits = pool.lease(with(&[MARK, "--lang=de"]));
    let ends = async {
        tokio::task::yield_now().await;
        assert_eq!(metrics.browsers_dedicated.get(), 2);
        drop(special);
    };
    let (next, ()) = tokio::join!(waits, ends);
    let next = next.expect("its turn");
    assert!(runs_with(next.browser().pid(), "--lang=de"));
    drop((next, plain));
    // None is kept for a session that does not come.
    eventually("the end of those with options", async || {
        let report = pool.report();
        !report.iter().any(|browser| runs_with(browser.pid(), MARK))
    })
    .await;
    // A session that leaves while its browser starts leaves none behind.
    let left = tokio::time::timeout(Duration::from_millis(5), pool.lease(with(&[MARK, "--lang=fr"]))).await;
    drop(left);
    eventually("the end of the browser of a session that left", async || metrics.browsers_dedicated.get() == 0).await;
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn launch_options_that_do_not_start_concern_nobody_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let (pool, metrics) = pool(directory.path(), 2).await;
    // As a process of an unknown kind Chrome ends at once.
    let broken = || with(&["--type=nonsense"]);
    let why = pool.lease(broken()).await.expect_err("it does not start");
    assert!(matches!(why, NoLease::NotStarted { .. }), "{why}");
    let why = why.to_string();
    assert!(why.contains("with these launch options") && why.contains("ended while starting"), "{why}");
    assert_eq!(pool.lacks(), None, "the server is ready");
    // The others do not wait for the pause, and do not use it up.
    for request in [with(&[]), with(&[MARK])] {
        drop(pool.lease(request).await.expect("a browser that starts"));
    }
    for _ in 0..3 {
        let again = pool.lease(broken()).await.expect_err("it does not start");
        assert!(matches!(again, NoLease::NotStarted { .. }), "{again}");
    }
    assert_eq!(metrics.browsers_lost.get(), 0);
    assert!(pool.report().iter().any(|browser| browser.why.as_deref().is_some_and(|why| why.contains("starting"))));
    pool.close().await;
}

//! Limits of tenants on sessions and snapshots, and which sessions share a Chrome; with a real browser.

use std::{sync::Arc, time::Duration};

use ghostmux::{
    api_types::{Initial, Label, Millis, Options, SnapshotPart},
    browser::{
        CodecChoice, Launch, Source,
        find::{self, command_line, is_root},
    },
    close_reason::CloseReason,
    config::{Admission, Codec, Config, HttpSession, PoolSettings, RawConfig, StorePlace, StoreSettings},
    metrics::Metrics,
    pool::{NoLease, Plan, Pool},
    session::{
        directory::LocalDirectory,
        manager::{BaseUrl, Caller, ServiceError, SessionManager},
        task::Terms,
    },
    snapshot::repository::RepositoryError,
    store::{Store, StoreError},
    tenant::{Access, LimitBook, Limits, Sharing, Tenant, TenantSettings, limits::LimitName},
};

use crate::{browsers::Browser, proxy::eventually};

/// A service with up to this many browsers.
async fn service(directory: &std::path::Path, max_browsers: usize) -> (Pool, SessionManager) {
    let found = find::inspect(&Browser::any().path).await.expect("a browser");
    let flags = command_line(found.kind, is_root(), &[]);
    let codec = CodecChoice::new(Codec::Auto);
    let (binary, of_launch) = (found.binary, directory.to_owned());
    let launch = Launch {
        binary,
        flags,
        directory: of_launch,
        codec,
        cgroups: None,
        nice: 0,
        has_extensions: false,
        egress: None,
        is_gated: false,
        in_namespace: false,
    };
    let plan = Plan::fixed(vec![Source::Local(launch)]);
    let plan = Plan { settings: PoolSettings { max_browsers: Some(max_browsers), ..plan.settings }, ..plan };
    let metrics = Arc::new(Metrics::default());
    let pool = Pool::start(plan, metrics.clone()).await.expect("a browser that starts");
    let config = Config::load(RawConfig::default(), []).expect("defaults");
    let place = StorePlace::File(directory.join("store.redb"));
    let store = Store::new(&StoreSettings { place, ..config.store_settings() });
    let terms = Terms::new(&config, directory, metrics);
    let admission = Admission { total: None, per_owner: None, queue: 0, timeout: Duration::ZERO };
    let (directory, book) = (Arc::new(LocalDirectory::default()), LimitBook::local());
    let registry = SessionManager::new(pool.clone(), store, directory, terms, HttpSession::Own, admission, book);
    (pool, registry)
}

fn caller(owner: &str, limits: Limits) -> Caller {
    let settings = TenantSettings { limits, ..TenantSettings::default() };
    let tenant = Tenant::new(owner.parse().expect("an owner"), settings);
    Caller { tenant, access: Access::default(), base: Arc::new(BaseUrl::plain("127.0.0.1:9222")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn sharing_decides_whose_sessions_are_in_one_chrome() {
    let directory = tempfile::Builder::new().prefix("ghostmux-it-").tempdir().expect("a directory");
    let (pool, registry) = service(directory.path(), 3).await;
    let tenant = |name: &str, sharing| caller(name, Limits { sharing, ..Limits::default() });
    let begin = async |caller: &Caller| {
        let session = registry.create(caller, None, Options::default(), Initial::default()).await?;
        Ok::<_, ServiceError>((session.browser.expect("it has a browser"), session.id))
    };
    let (one, other) = (tenant("one", Sharing::All), tenant("other", Sharing::All));
    let (shared, _) = begin(&one).await.expect("a session");
    assert_eq!(begin(&other).await.expect("a session").0, shared);
    let apart = tenant("apart", Sharing::Tenant);
    let (own, _) = begin(&apart).await.expect("a browser is started for it");
    assert_ne!(own, shared);
    assert_eq!(begin(&apart).await.expect("a session").0, own, "sessions of one tenant meet");
    let alone = tenant("alone", Sharing::Session);
    let (for_itself, id) = begin(&alone).await.expect("a browser is started for it");
    assert!(for_itself != shared && for_itself != own);
    // Others still do not meet them, and no fourth browser may be started.
    assert_eq!(begin(&one).await.expect("a session").0, shared);
    assert_eq!(begin(&apart).await.expect("a session").0, own);
    let refused = begin(&alone).await.expect_err("there is no browser for it");
    assert!(matches!(refused, ServiceError::NoPlace(NoLease::Apart)), "{refused}");
    // A browser that is free again serves whoever comes.
    registry.close(&alone, &id, CloseReason::Bye("the test ends it")).await.expect("closed");
    eventually("its browser is free", async || begin(&alone).await.is_ok_and(|(browser, _)| browser == for_itself))
        .await;
    registry.shut_down(CloseReason::ShuttingDown).await;
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_snapshots_and_session_time_have_the_limits_of_the_tenant() {
    let directory = tempfile::Builder::new().prefix("ghostmux-it-").tempdir().expect("a directory");
    let (pool, registry) = service(directory.path(), 1).await;
    let limits = Limits {
        max_sessions: Some(1),
        max_snapshots: Some(1),
        max_session_time: Some(Duration::from_secs(60)),
        ..Limits::default()
    };
    let (few, other) = (caller("few", limits), caller("other", Limits::default()));
    let longer = Options { timeout: Some(Millis(Duration::from_secs(61))), ..Options::default() };
    let refused = registry.create(&few, None, longer.clone(), Initial::default()).await.expect_err("too long");
    assert!(matches!(&refused, ServiceError::Bad(bad) if bad.field == "timeout"), "{refused}");
    let session = registry.create(&few, None, Options::default(), Initial::default()).await.expect("a session");
    assert_eq!(session.timeout, Millis(Duration::from_secs(60)));
    let refused = registry.update(&few, &session.id, longer.clone()).await.expect_err("too long");
    assert!(matches!(&refused, ServiceError::Bad(bad) if bad.field == "timeout"), "{refused}");

    let refused = registry.create(&few, None, Options::default(), Initial::default()).await.expect_err("a second one");
    assert!(
        matches!(&refused, ServiceError::Limited(why) if (why.limit, why.most) == (LimitName::Sessions, 1)),
        "{refused}"
    );
    let theirs =
        registry.create(&other, None, longer, Initial::default()).await.expect("another tenant has other limits");

    let save =
        async |caller, id: &str| registry.save_snapshot(caller, id, &SnapshotPart::USUAL, Label::default()).await;
    let kept = save(&few, &session.id).await.expect("saved").snapshot.id;
    let refused = save(&few, &session.id).await.expect_err("a second snapshot");
    let is_quota =
        |why: &ServiceError| matches!(why, ServiceError::Snapshot(RepositoryError::Store(StoreError::Quota { .. })));
    assert!(is_quota(&refused), "{refused}");
    for _ in 0..2 {
        save(&other, &theirs.id).await.expect("another tenant has other limits");
    }
    registry.delete_snapshot(&few, &kept).await.expect("deleted");
    save(&few, &session.id).await.expect("there is room again");
    registry.shut_down(CloseReason::ShuttingDown).await;
    pool.close().await;
}

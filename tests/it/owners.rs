//! Owners of sessions. The server has one owner so far, so this test calls the session manager
//! directly with two.

use std::{sync::Arc, time::Duration};

use ghostmux::{
    api_types::{
        Beginning, Copies, Initial, Label, Millis, Options, RestoreMode, Restoring, SessionState, SnapshotFormat,
        SnapshotPart,
        operations::{ExportSnapshot, ListSessions, ListSnapshots},
    },
    browser::{
        CodecChoice, Launch, Source,
        find::{self, command_line, is_root},
    },
    close_reason::CloseReason,
    config::{Admission, Capabilities, Codec, Config, HttpSession, RawConfig, StorePlace, StoreSettings},
    metrics::Metrics,
    pool::{Plan, Pool},
    session::{
        directory::LocalDirectory,
        manager::{BaseUrl, Caller, ConnectOptions, ServiceError, SessionManager},
        task::Terms,
    },
    store::Store,
    tenant::{Access, LimitBook, Tenant, TenantSettings},
};

use crate::{browsers::Browser, proxy::eventually};

/// A service with the default settings, alone.
async fn service(directory: &std::path::Path) -> (Pool, SessionManager) {
    service_of(directory, Arc::new(LocalDirectory::default())).await
}

/// One of the services that share `nodes`.
async fn service_of(directory: &std::path::Path, nodes: Arc<LocalDirectory>) -> (Pool, SessionManager) {
    let found = find::inspect(&Browser::any().path).await.expect("a browser");
    let flags = command_line(found.kind, is_root(), &[]);
    let launch = Launch {
        binary: found.binary,
        flags,
        directory: directory.to_owned(),
        codec: CodecChoice::new(Codec::Auto),
        cgroups: None,
        nice: 0,
        has_extensions: false,
        egress: None,
        is_gated: false,
        in_namespace: false,
    };
    let plan = Plan::fixed(vec![Source::Local(launch)]);
    let metrics = Arc::new(Metrics::default());
    let pool = Pool::start(plan, metrics.clone()).await.expect("a browser that starts");
    let config = Config::load(RawConfig::default(), []).expect("defaults");
    let place = StorePlace::File(directory.join("store.redb"));
    let store = Store::new(&StoreSettings { place, ..config.store_settings() });
    let terms = Terms::new(&config, directory, metrics);
    let admission = Admission { total: None, per_owner: None, queue: 0, timeout: Duration::ZERO };
    let registry =
        SessionManager::new(pool.clone(), store, nodes, terms, HttpSession::Own, admission, LimitBook::local());
    (pool, registry)
}

fn caller(owner: &str) -> Caller {
    caller_with(owner, Capabilities::local())
}

/// A caller whose tenant has these capabilities.
fn caller_with(owner: &str, capabilities: Capabilities) -> Caller {
    // An admin sees the sessions of all.
    let capabilities = Capabilities { admin: false, ..capabilities };
    let settings = TenantSettings { capabilities, ..TenantSettings::default() };
    let tenant = Tenant::new(owner.parse().expect("an owner"), settings);
    Caller { tenant, access: Access::default(), base: Arc::new(BaseUrl::plain("127.0.0.1:9222")) }
}

/// The error for this session, without its id.
fn refusal<T>(answer: Result<T, ServiceError>, id: &str) -> String {
    let refused = answer.err().expect("a refusal");
    let is_none = matches!(refused, ServiceError::NoSession { ended: None, .. });
    assert!(is_none, "{refused}");
    refused.to_string().replace(id, "ID")
}

fn copies() -> Copies {
    Copies { count: 1, options: Options::default(), parts: SnapshotPart::USUAL.to_vec(), proxy: None }
}

fn restoring(snapshot: &str) -> Restoring {
    Restoring { snapshot: snapshot.to_owned(), mode: RestoreMode::Merge, pages: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_other_owners_are_not_found() {
    let directory = tempfile::Builder::new().prefix("ghostmux-it-").tempdir().expect("a directory");
    let (pool, registry) = service(directory.path()).await;
    let (one, other) = (caller("one"), caller("other"));
    let named = |name: &str| Options { name: Some(name.to_owned()), ..Options::default() };
    let theirs = registry.create(&one, None, named("theirs"), Initial::default()).await.expect("a session");
    let own = registry
        .create(&other, Some("my-own-session".to_owned()), named("own"), Initial::default())
        .await
        .expect("a session");

    // Exactly the error for a session that never existed.
    let unknown = "5269804a-cdec-49f7-8a6a-a8aa1b34f55b";
    let is_refused = async |id: &str| {
        let reason = CloseReason::Bye("by somebody else");
        let said = [
            refusal(registry.get(&other, id).await, id),
            refusal(registry.update(&other, id, named("stolen")).await, id),
            refusal(registry.park(&other, id, Some(Millis(Duration::from_secs(1)))).await, id),
            refusal(registry.pages(&other, id).await, id),
            refusal(registry.usage(&other, id).await, id),
            refusal(registry.save_snapshot(&other, id, &SnapshotPart::USUAL, Label::default()).await, id),
            refusal(registry.clone_session(&other, id, copies()).await, id),
            refusal(registry.restore_snapshot(&other, None, id, restoring(unknown)).await, id),
            refusal(registry.close(&other, id, reason).await, id),
            refusal(
                registry.connect(&other, id, ConnectOptions { takeover: true, ..ConnectOptions::default() }).await,
                id,
            ),
        ];
        assert!(said.iter().all(|said| said.starts_with("no such session ID; there was none")), "{said:?}");
    };
    is_refused(unknown).await;
    is_refused(&theirs.id).await;
    assert_eq!(registry.get(&one, &theirs.id).await.expect("it is there"), theirs);
    for (caller, session) in [(&one, &theirs), (&other, &own)] {
        let listed = registry.list(caller, &ListSessions::default()).await.expect("a list");
        assert_eq!(listed.sessions, std::slice::from_ref(session));
    }

    // The same for snapshots.
    let saved = registry.save_snapshot(&one, &theirs.id, &SnapshotPart::USUAL, Label::default()).await.expect("saved");
    let said = async |id: &str| {
        let begins = Some(Beginning { snapshot: id.to_owned(), pages: true });
        let initial = Initial { begins, ..Initial::default() };
        let export = ExportSnapshot { snapshot: id.to_owned(), format: SnapshotFormat::Ghostmux };
        let refused = [
            registry.snapshot(&other, id).await.map(drop),
            registry.delete_snapshot(&other, id).await,
            registry.export_snapshot(&other, &export).await.map(drop),
            registry.content(&other, id).await.map(drop),
            registry.restore_snapshot(&other, None, &own.id, restoring(id)).await.map(drop),
            registry.create(&other, None, Options::default(), initial.clone()).await.map(drop),
            registry.begin(&other, ConnectOptions { initial, ..ConnectOptions::default() }).await.map(drop),
        ];
        refused.map(|refused| refused.expect_err("a refusal").to_string().replace(id, "ID"))
    };
    assert_eq!(Box::pin(said(&saved.snapshot.id)).await, Box::pin(said(unknown)).await);
    assert!(Box::pin(said(unknown)).await.iter().all(|said| said == "no such snapshot ID"));
    let listed = async |caller| registry.list_snapshots(caller, &ListSnapshots::default()).await.expect("a list");
    assert_eq!(listed(&one).await.snapshots, [saved.snapshot]);
    assert_eq!(listed(&other).await.snapshots, []);

    // And for a hibernated session.
    let asleep = Options { hibernate_after: Some(Millis(Duration::from_millis(1))), ..named("asleep") };
    let asleep = registry.create(&one, None, asleep, Initial::default()).await.expect("a session").id;
    let state = async || registry.get(&one, &asleep).await.expect("it is there").state;
    eventually("a session that hibernates", async || state().await == SessionState::Hibernated).await;
    is_refused(&asleep).await;
    let all = async |caller| {
        let listed = registry.list(caller, &ListSessions::default()).await.expect("a list").sessions;
        listed.into_iter().filter_map(|session| session.name).collect::<Vec<_>>()
    };
    assert_eq!((all(&one).await, all(&other).await), (vec!["theirs".into(), "asleep".into()], vec!["own".into()]));
    registry.close(&one, &asleep, CloseReason::Bye("done")).await.expect("it ends");

    // Only the owner is told that the session has ended.
    registry.close(&one, &theirs.id, CloseReason::Bye("done")).await.expect("it ends");
    refusal(registry.get(&other, &theirs.id).await, &theirs.id);
    let ended = registry.get(&one, &theirs.id).await.expect_err("it is over");
    assert!(matches!(&ended, ServiceError::NoSession { ended: Some(_), .. }), "{ended}");
    assert!(ended.to_string().contains("done"), "{ended}");

    registry.shut_down(CloseReason::ShuttingDown).await;
    pool.close().await;
}

/// In one process and one browser: what a session may do follows from who made it.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_may_do_what_its_tenant_may() {
    let directory = tempfile::Builder::new().prefix("ghostmux-it-").tempdir().expect("a directory");
    let (pool, registry) = service(directory.path()).await;
    let (able, strict) = (caller("able"), caller_with("strict", Capabilities::strict()));
    let open = async |caller| {
        let params = r#"{"url":"file:///proc/version"}"#.to_owned();
        registry.call(caller, None, "Target.createTarget", params).await.expect("the session answers")
    };
    open(&able).await.1.expect("its tenant may open files of the host");
    let refused = open(&strict).await.1.expect_err("its tenant may not");
    assert!(refused.message.contains("host-files"), "{}", refused.message);
    registry.shut_down(CloseReason::ShuttingDown).await;
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lives_on_one_node_at_a_time() {
    let directory = || tempfile::Builder::new().prefix("ghostmux-it-").tempdir().expect("a directory");
    let (here, there, nodes) = (directory(), directory(), Arc::new(LocalDirectory::default()));
    let (one_pool, one) = service_of(here.path(), nodes.clone()).await;
    let (other_pool, other) = service_of(there.path(), nodes).await;
    let caller = caller("one");
    let create = async |node: &SessionManager| {
        node.create(&caller, Some("of-one-node".to_owned()), Options::default(), Initial::default()).await
    };
    create(&one).await.expect("the id is free");
    let refused = create(&other).await.expect_err("it lives on the other node");
    assert!(matches!(refused, ServiceError::IdInUse(_)), "{refused}");
    one.close(&caller, "of-one-node", CloseReason::Bye("done")).await.expect("it ends");
    create(&other).await.expect("the id is free again");
    for (pool, node) in [(one_pool, one), (other_pool, other)] {
        node.shut_down(CloseReason::ShuttingDown).await;
        pool.close().await;
    }
}

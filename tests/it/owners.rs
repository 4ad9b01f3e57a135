//! Whose a session is. The program has one owner today, so this asks the service itself, in this process, for two.

use std::{sync::Arc, time::Duration};

use ghostmux::{
    browser::{
        CodecChoice, Launch,
        find::{self, command_line, is_root},
        pool::{Plan, Pool, Source},
    },
    cdp::ghost::{Millis, Options, Wanted},
    config::{Admission, Codec, Config, HttpSession, RawConfig, StorePlace, StoreSettings},
    error::CloseReason,
    live::Terms,
    metrics::Metrics,
    registry::{Caller, Owner, Registry, ServiceError, Wish},
    store::Store,
};

use crate::browsers::Browser;

/// A service with the default settings.
async fn service(directory: &std::path::Path) -> (Pool, Registry) {
    let found = find::inspect(&Browser::any().await.path).await.expect("a browser");
    let flags = command_line(found.kind, is_root(), &[]);
    let launch =
        Launch { binary: found.binary, flags, directory: directory.to_owned(), codec: CodecChoice::new(Codec::Auto) };
    let plan = Plan { sources: vec![Source::Local(launch)], warm: 0, max_sessions: None };
    let metrics = Arc::new(Metrics::default());
    let pool = Pool::start(plan, metrics.clone()).await.expect("a browser that starts");
    let config = Config::load(RawConfig::default(), []).expect("defaults");
    let place = StorePlace::File(directory.join("store.redb"));
    let store = Store::new(&StoreSettings { place, ..config.store.clone() });
    let terms = Terms::new(&config, directory, metrics);
    let admission = Admission { total: None, per_owner: None, queue: 0, timeout: Duration::ZERO };
    (pool.clone(), Registry::new(pool, store, terms, HttpSession::Own, admission, "max_sessions"))
}

fn caller(owner: &str) -> Caller {
    Caller { owner: Owner::new(owner), host: "127.0.0.1:9222".into() }
}

/// What is said of this session, without its id.
fn refusal<T>(answer: Result<T, ServiceError>, id: &str) -> String {
    let refused = answer.err().expect("a refusal");
    let is_none = matches!(refused, ServiceError::NoSession { ended: None, .. });
    assert!(is_none, "{refused}");
    refused.to_string().replace(id, "ID")
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_elses_session_is_as_if_it_were_not() {
    let directory = tempfile::Builder::new().prefix("ghostmux-it-").tempdir().expect("a directory");
    let (pool, registry) = service(directory.path()).await;
    let (one, other) = (caller("one"), caller("other"));
    let named = |name: &str| Options { name: Some(name.to_owned()), ..Options::default() };
    let theirs = registry.create(&one, None, named("theirs"), None).await.expect("a session");
    let own = registry.create(&other, Some("my-own-session".to_owned()), named("own"), None).await.expect("a session");

    // Word for word what is said of a session that never was.
    let unknown = "5269804a-cdec-49f7-8a6a-a8aa1b34f55b";
    for id in [unknown, theirs.id.as_str()] {
        let reason = || CloseReason::Bye("by somebody else");
        let said = [
            refusal(registry.get(&other, id), id),
            refusal(registry.update(&other, id, named("stolen")).await, id),
            refusal(registry.park(&other, id, Some(Millis(Duration::from_secs(1)))).await, id),
            refusal(registry.pages(&other, id).await, id),
            refusal(registry.usage(&other, id).await, id),
            refusal(registry.close(&other, id, reason()).await, id),
            refusal(registry.connect(&other, id, Wish { takeover: true, ..Wish::default() }).await, id),
        ];
        assert!(said.iter().all(|said| said == "no such session ID"), "{said:?}");
    }
    assert_eq!(registry.get(&one, &theirs.id).expect("it is there"), theirs);
    for (caller, session) in [(&one, &theirs), (&other, &own)] {
        let listed = registry.list(caller, &Wanted::default()).expect("a list");
        assert_eq!(listed.sessions, std::slice::from_ref(session));
    }

    // That it is over is told to its owner only.
    registry.close(&one, &theirs.id, CloseReason::Bye("done")).await.expect("it ends");
    refusal(registry.get(&other, &theirs.id), &theirs.id);
    let ended = registry.get(&one, &theirs.id).expect_err("it is over");
    assert!(matches!(&ended, ServiceError::NoSession { ended: Some(_), .. }), "{ended}");
    assert!(ended.to_string().contains("done"), "{ended}");

    registry.shut_down(CloseReason::ShuttingDown).await;
    pool.close().await;
}

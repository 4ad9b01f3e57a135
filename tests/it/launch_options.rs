//! Launch options of clients: what is emulated in a shared browser, what a dedicated one is started with, and what is refused.

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

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, text},
    proxy::{Proxy, eventually},
    reconnect::{id_of, session},
    rest::{is_problem, ok, send},
    site::Site,
    tenants::{Server, Tenant},
};

/// A pool with one shared browser, and at most so many dedicated ones.
async fn pool(directory: &Path, max_dedicated: usize) -> (Pool, Arc<Metrics>) {
    let found = find::inspect(&Browser::any().path).await.expect("a browser");
    let launch = Launch {
        binary: found.binary,
        flags: command_line(found.kind, is_root(), &[]),
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
    let settings = PoolSettings { max_dedicated, dedicated_spares: 1, ..plan.settings };
    let metrics = Arc::new(Metrics::default());
    (Pool::start(Plan { settings, ..plan }, metrics.clone()).await.expect("a browser that starts"), metrics)
}

/// The request of a session for a browser that is started with these flags.
fn with(args: &[&str]) -> LeaseRequest {
    let launch = LaunchSpec::new(args.iter().map(|arg| (*arg).to_owned()).collect());
    let limits = BrowserLimits::default();
    LeaseRequest { kind: BrowserKind::Dedicated(launch), company: Company::Anyone, limits, gate: None }
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

/// What a page sees of the launch options.
const SEEN: &str = "[innerWidth, innerHeight, devicePixelRatio, navigator.userAgent, navigator.language, \
                    Intl.NumberFormat().resolvedOptions().locale].join(' ')";

fn query(launch: &Value) -> String {
    let json = launch.to_string();
    format!("/?launch={}", percent_encoding::utf8_percent_encode(&json, percent_encoding::NON_ALPHANUMERIC))
}

async fn seen(client: &Client, session: &str) -> Value {
    client.evaluate(session, SEEN).await
}

async fn launch_options_are_emulated_in_a_shared_browser_for_each_page(browser: Browser) {
    let proxy = Proxy::start(browser, &["--sessions-per-browser", "10"]).await;
    let site = Site::start().await;
    let other = proxy.connect().await;
    let args = ["--window-size=701,502", "--force-device-scale-factor=2", "--user-agent=own/1", "--lang=de-CH,de"];
    let client = proxy.connect_to(&query(&json!({ "args": args, "headless": true }))).await;
    assert_eq!(session(&client, &id_of(&client).await).await["isolation"], "shared");
    let expected = "701 502 2 own/1 de-CH de-CH";
    // The page that is there, one that the client opens, and one that a page opens: before its first script.
    let infos = client.ok(None, "Target.getTargets", json!({})).await["targetInfos"].take();
    let first = client.attach(None, &text(&infos[0], "targetId")).await;
    client.ok(Some(&first), "Page.navigate", json!({ "url": site.url("/page") })).await;
    eventually("the first page", async || seen(&client, &first).await == expected).await;
    let page = client.page_at(&site.url("/page")).await;
    assert_eq!(seen(&client, &page.session).await, expected);
    let popup = format!(
        "new Promise(done => {{ const popup = open('{}'); popup.onload = () => done(popup.eval(`{SEEN}`)); }})",
        site.url("/page")
    );
    assert_eq!(client.evaluate(&page.session, &popup).await, expected);
    // A context of its own.
    let context = text(&client.ok(None, "Target.createBrowserContext", json!({})).await, "browserContextId");
    let apart = client.page_in(Some(&context), &site.url("/page")).await;
    assert_eq!(seen(&client, &apart.session).await, expected);
    // What a client sets holds for its page alone.
    let metrics = json!({ "width": 300, "height": 400, "deviceScaleFactor": 1, "mobile": false });
    client.ok(Some(&apart.session), "Emulation.setDeviceMetricsOverride", metrics).await;
    client.ok(Some(&apart.session), "Emulation.setLocaleOverride", json!({ "locale": "fr" })).await;
    client.ok(Some(&apart.session), "Emulation.setUserAgentOverride", json!({ "userAgent": "you/2" })).await;
    let changed = seen(&client, &apart.session).await;
    assert!(
        changed.as_str().is_some_and(|seen| seen.starts_with("300 400 1 you/2") && seen.ends_with("fr")),
        "{changed}"
    );
    assert_eq!(seen(&client, &page.session).await, expected);
    let theirs = other.page_at(&site.url("/page")).await;
    let theirs = seen(&other, &theirs.session).await;
    assert!(!["701", "own/1", "de-CH"].iter().any(|own| theirs.to_string().contains(own)), "{theirs}");
}
in_each_browser!(launch_options_are_emulated_in_a_shared_browser_for_each_page);

async fn dedicated_browser_is_started_with_the_flags_of_its_session(browser: Browser) {
    let proxy = Proxy::start(browser, &["--dedicated-spares", "0"]).await;
    let site = Site::start().await;
    let client =
        proxy.connect_to("/s/fonts?--font-render-hinting=none&--lang=de&--user-agent=own/1&keep_alive=1m").await;
    let shown = session(&client, &id_of(&client).await).await;
    assert_eq!(shown["isolation"], "dedicated", "{shown}");
    let all = ok(&proxy, "GET", "/v1/browsers", Value::Null).await["browsers"].take();
    let own =
        all.as_array().into_iter().flatten().find(|browser| browser["session"] == shown["id"]).expect("its browser");
    let pid = own["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    for flag in ["--font-render-hinting=none", "--lang=de", "--user-agent=own/1"] {
        assert!(runs_with(pid, flag), "{flag}");
    }
    let page = client.page_at(&site.url("/page")).await;
    assert_eq!(client.evaluate(&page.session, "navigator.userAgent").await, "own/1");
    // A client that names the session by its URL joins, one that wants other flags does not.
    let again = "/s/fonts?--font-render-hinting=none&--lang=de&--user-agent=own/1";
    drop(proxy.connect_to(again).await);
    drop(proxy.connect_to("/s/fonts").await);
    let refused = proxy.refusal("/s/fonts?--lang=fr").await;
    assert!(refused.contains("409") && refused.contains("launch"), "{refused}");
    // A clone has the flags, and so has the session when it has hibernated.
    let cloned = ok(&proxy, "POST", &format!("/v1/sessions/{}/clone", text(&shown, "id")), json!({})).await;
    assert_eq!(cloned["sessions"][0]["isolation"], "dedicated", "{cloned}");
    let browsers = proxy.browsers();
    let with_flag = browsers.iter().filter(|pid| runs_with(u32::try_from(pid.as_raw()).ok(), "--lang=de"));
    assert_eq!(with_flag.count(), 2);
}
in_each_browser!(dedicated_browser_is_started_with_the_flags_of_its_session);

#[tokio::test(flavor = "multi_thread")]
async fn launch_options_survive_hibernation() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let observer = proxy.connect().await;
    let launch = json!({ "defaultViewport": { "width": 333, "height": 444 }, "args": ["--js-flags=--expose-gc"] });
    let path = format!("{}&keep_alive=10m&hibernate_after=1ms", query(&launch));
    let client = proxy.connect_to(&path).await;
    let id = id_of(&client).await;
    client.page().await;
    drop(client);
    eventually("it hibernates", async || session(&observer, &id).await["state"] == "hibernated").await;
    let client = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    let page = client.page().await;
    assert_eq!(client.evaluate(&page.session, "innerWidth + 'x' + innerHeight + typeof gc").await, "333x444function");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_errors_and_slow_motion_are_as_the_launch_options_say() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let client = proxy.connect_to("/?slowMo=300").await;
    let page = client.page().await;
    let since = std::time::Instant::now();
    for _ in 0..3 {
        client.evaluate(&page.session, "1").await;
    }
    assert!(since.elapsed() >= Duration::from_millis(900), "{:?}", since.elapsed());
}

/// What is refused, by whom it is tried, with what must be said.
#[tokio::test(flavor = "multi_thread")]
async fn launch_options_that_are_refused_name_the_option_and_the_rule() {
    let proxy = Proxy::start(Browser::any(), &["--max-launch-flags", "3"]).await;
    for (path, words) in [
        ("/?--unheard-of=1", &["--unheard-of", "docs/launch-options.md"][..]),
        ("/?--window-size=big", &["--window-size", "big", "WIDTH,HEIGHT"]),
        ("/?--remote-debugging-port=9", &["--remote-debugging-port", "connects to Chrome"]),
        ("/?--load-extension=x", &["--load-extension", "extensions_dir"]),
        ("/?--font-render-hinting=none&isolation=shared", &["--font-render-hinting", "isolation=shared"]),
        ("/?launch=%7B%22stealth%22:true%7D", &["launch.stealth", "leave it out"]),
        ("/?launch=%7B%22userDataDir%22:%22/tmp%22%7D", &["launch.userDataDir", "user_data=NAME"]),
        ("/?launch=%7B%22headless%22:false%7D", &["launch.headless", "headless"]),
        ("/?headless=false", &["launch.headless", "headless"]),
        ("/?launch=nonsense!", &["launch", "base64"]),
        ("/?--v&--v&--v&--v", &["launch.args", "max_launch_flags is 3"]),
    ] {
        let refused = proxy.refusal(path).await;
        assert!(refused.contains("400"), "{path}: {refused}");
        assert!(words.iter().all(|word| refused.contains(word)), "{path}: {refused}");
    }
    let launch = json!({ "launch": { "args": ["--proxy-pac-url=x"] } });
    let (status, refused) = send(&proxy, "POST", "/v1/sessions", launch.clone()).await;
    assert!(status == 400 && refused.to_string().contains("--proxy-pac-url"), "{refused}");
    let client = proxy.connect().await;
    let (_, refused) = client.call("ghost.createSession", launch).await.expect_err("it is refused");
    assert!(refused.contains("--proxy-pac-url") && refused.contains("proxy=URL"), "{refused}");
    // Flags that do not start Chrome are told at once, and hurt nobody.
    client.page().await;
    assert!(proxy.http("GET", "/readyz", &[], "").await.status == 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_and_capabilities_decide_who_gets_a_browser_for_launch_options() {
    let rich = Tenant::with("rich", r#"capabilities = ["dedicated"]"#);
    let strong = Tenant::with("strong", r#"capabilities = ["dedicated", "launch-args"]"#);
    let poor = Tenant::with("poor", r"capabilities = []");
    let create = |args: &[&str]| json!({ "launch": { "args": args } });
    let server = Server::start(&[&rich, &strong, &poor], &["--dedicated-spares", "0"]).await;
    let made = server.ok(&rich, "POST", "/v1/sessions", create(&["--disable-lcd-text"])).await;
    assert_eq!(made["isolation"], "dedicated");
    let refused = server.ask(&poor, "POST", "/v1/sessions", create(&["--disable-lcd-text"])).await;
    is_problem(&refused, 400, "bad-value", "--disable-lcd-text");
    assert!(refused.body.contains("capability dedicated"), "{}", refused.body);
    let made = server.ok(&poor, "POST", "/v1/sessions", create(&["--lang=de", "--no-sandbox"])).await;
    assert_eq!(made["isolation"], "shared");
    let weak = create(&["--disable-web-security"]);
    is_problem(&server.ask(&rich, "POST", "/v1/sessions", weak.clone()).await, 403, "no-capability", "launch-args");
    assert_eq!(server.ok(&strong, "POST", "/v1/sessions", weak).await["isolation"], "dedicated");
    for (policy, lang) in [("emulate", "shared"), ("refuse", "")] {
        let server = Server::start(&[&rich], &["--launch-policy", policy, "--dedicated-spares", "0"]).await;
        let refused = server.ask(&rich, "POST", "/v1/sessions", create(&["--disable-lcd-text"])).await;
        is_problem(&refused, 400, "bad-value", "isolation=dedicated");
        let answer = server.ask(&rich, "POST", "/v1/sessions", create(&["--lang=de"])).await;
        match lang {
            "" => is_problem(&answer, 400, "bad-value", "--lang"),
            isolation => assert!(answer.body.contains(&format!(r#""isolation":"{isolation}""#)), "{}", answer.body),
        }
    }
}

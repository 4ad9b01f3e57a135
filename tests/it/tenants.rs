//! Servers with tenants: tokens in every place, what tenants see of each other, and changes of their file.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ghostmux::tenant::{
    Secret,
    token::{self, TokenHash},
};
use serde_json::{Value, json};

use crate::{
    browsers::Browser,
    client::{Client, text},
    proxy::{Answer, Proxy, eventually},
    rest::{JSON, body_of, id_of, is_problem},
};

/// A server with a file of tenants.
pub(crate) struct Server {
    pub(crate) proxy: Proxy,
    file: PathBuf,
    _directory: tempfile::TempDir,
}

/// A tenant with one token, as a client knows it.
pub(crate) struct Tenant {
    pub(crate) name: &'static str,
    pub(crate) token: Secret,
    /// What the file has below the tenant.
    pub(crate) settings: &'static str,
    /// What the file has below its token.
    pub(crate) of_token: &'static str,
}

impl Tenant {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, token: token::generate(), settings: "", of_token: "" }
    }

    /// Its pages may load the test's sites, which are on loopback.
    pub(crate) fn insider(name: &'static str) -> Self {
        Self::with(name, "capabilities = [\"private-network\"]")
    }

    pub(crate) fn with(name: &'static str, settings: &'static str) -> Self {
        Self { settings, ..Self::new(name) }
    }

    pub(crate) fn with_token(name: &'static str, of_token: &'static str) -> Self {
        Self { of_token, ..Self::new(name) }
    }

    pub(crate) fn text(&self) -> &str {
        self.token.reveal()
    }
}

pub(crate) fn file_of(tenants: &[&Tenant]) -> String {
    tenants.iter().fold(String::new(), |mut text, tenant| {
        let Tenant { name, settings, of_token, .. } = tenant;
        let hash = TokenHash::of(tenant.text()).to_hex();
        let _ = write!(
            text,
            "[tenants.{name}]\n{settings}\n[[tenants.{name}.tokens]]\nname = \"t\"\nsha256 = \"{hash}\"\n{of_token}\n"
        );
        text
    })
}

impl Server {
    pub(crate) async fn start(tenants: &[&Tenant], flags: &[&str]) -> Self {
        Self::start_in(Browser::any(), tenants, flags).await
    }

    pub(crate) async fn start_in(browser: Browser, tenants: &[&Tenant], flags: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("ghostmux-it-tenants-").tempdir().expect("a directory");
        let file = directory.path().join("tenants.toml");
        fs::write(&file, file_of(tenants)).expect("written");
        let path = file.to_string_lossy().into_owned();
        let flags = [&["--tenants", path.as_str()], flags].concat();
        Self { proxy: Proxy::start(browser, &flags).await, file, _directory: directory }
    }

    /// The file of the tenants.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Replaces the tenants, as an operator does.
    pub(crate) fn set(&self, text: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, text).expect("written");
        fs::rename(&new, &self.file).expect("renamed");
    }

    pub(crate) async fn ask(&self, tenant: &Tenant, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.proxy.http(method, path, &[("x-api-key", tenant.text()), JSON], &body).await
    }

    pub(crate) async fn ok(&self, tenant: &Tenant, method: &str, path: &str, body: Value) -> Value {
        let answer = self.ask(tenant, method, path, body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
        body_of(&answer)
    }

    async fn create(&self, tenant: &Tenant, body: Value) -> Value {
        self.ok(tenant, "POST", "/v1/sessions", body).await
    }

    /// A client at a URL that the server handed out.
    async fn connect(&self, url: &str) -> Result<Client, String> {
        let path = url.strip_prefix(&format!("ws://{}", self.proxy.address())).expect("our own address");
        self.proxy.try_connect_to(path).await
    }
}

fn url_of(session: &Value) -> String {
    text(session, "webSocketDebuggerUrl")
}

#[tokio::test]
async fn tokens_are_accepted_in_every_place_and_are_in_no_url_or_log() {
    let acme = Tenant::new("acme");
    let server = Server::start(&[&acme], &["--token-host", "*.ghost.test", "--log", "debug"]).await;
    let (proxy, token) = (&server.proxy, acme.text());
    let bearer = format!("Bearer {token}");
    let label = format!("{}.ghost.test", token.replace('_', "-"));
    let by_path = format!("/t/{token}");
    let by_query = format!("?token={token}");
    for (name, path, query, headers) in [
        ("Authorization", "", "", vec![("authorization", bearer.as_str())]),
        ("x-api-key", "", "", vec![("x-api-key", token)]),
        ("?token=", "", by_query.as_str(), vec![]),
        ("/t/TOKEN/", by_path.as_str(), "", vec![]),
        ("host", "", "", vec![("host", label.as_str())]),
    ] {
        // A WebSocket, and the calls of clients that know only host and port.
        let client = Client::connect_with(proxy.address(), &format!("{path}/{query}"), &headers).await;
        let client = client.unwrap_or_else(|why| panic!("{name}: {why}"));
        let session = client.ok(None, "ghost.getSession", json!({})).await;
        let version = proxy.http("GET", &format!("{path}/json/version{query}"), &headers, "").await;
        assert_eq!(version.status, 200, "{name}: {}", version.body);
        let list = proxy.http("GET", &format!("{path}/json/list{query}"), &headers, "").await;
        assert_eq!(list.status, 200, "{name}: {}", list.body);
        let sessions = proxy.http("GET", &format!("{path}/sessions{query}"), &headers, "").await;
        for shown in [session.to_string(), version.body.clone(), list.body.clone(), sessions.body] {
            assert!(shown.contains("key=") && !shown.contains("gmx"), "{name}: {shown}");
        }
        // What it hands out works, also by another name of the server.
        let url = url_of(&body_of(&version));
        let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).expect("a path");
        let by_key = proxy.connect_to(path).await;
        by_key.ok(None, "Browser.getVersion", json!({})).await;
    }
    let log = proxy.log();
    let label = label.split('.').next().expect("a label");
    assert!(!log.contains(token) && !log.contains(label), "a token is in the log: {log}");
    assert!(!fs::read_to_string(&server.file).expect("a file").contains(token));
}

#[tokio::test]
async fn requests_without_an_accepted_token_are_refused_alike() {
    let acme = Tenant::new("acme");
    let old = Tenant::with_token("old", "expires = 2020-01-01");
    let far = Tenant::with_token("far", "from = [\"192.0.2.0/24\"]");
    let server = Server::start(&[&acme, &old, &far], &[]).await;
    let unknown = token::generate();
    let all = [unknown.reveal().as_str(), old.text(), far.text(), "hunter2"];
    for path in
        ["/json/version", "/json/list", "/v1/sessions", "/v1/nothing", "/sessions", "/metrics", "/", "/pressure"]
    {
        let mut said = Vec::new();
        for token in all {
            let answer = server.proxy.http("GET", path, &[("x-api-key", token)], "").await;
            is_problem(&answer, 401, "unauthorized", "not valid");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"ghostmux\""));
            said.push(answer.body);
        }
        assert!(said.iter().all(|body| *body == said[0]), "{path}: {said:?}");
        is_problem(&server.proxy.http("GET", path, &[], "").await, 401, "unauthorized", "needs a token");
    }
    for token in all {
        let refused = server.proxy.refusal(&format!("/?token={token}")).await;
        assert!(refused.starts_with("401") && refused.contains("not valid"), "{refused}");
    }
    // Whoever mistypes a token is told.
    let mistyped = &acme.text()[..acme.text().len() - 1];
    let answer = server.proxy.http("GET", "/json/version", &[("x-api-key", mistyped)], "").await;
    is_problem(&answer, 401, "unauthorized", "mistyped");
    // Probes need no token; figures need one of an admin.
    for path in ["/health", "/healthz", "/readyz"] {
        assert_eq!(server.proxy.http("GET", path, &[], "").await.status, 200, "{path}");
    }
    is_problem(&server.ask(&acme, "GET", "/metrics", Value::Null).await, 403, "no-capability", "admin");
    is_problem(&server.ask(&acme, "GET", "/v1/status", Value::Null).await, 403, "no-capability", "admin");
}

#[tokio::test]
async fn tenants_see_only_their_own_sessions() {
    let (acme, other) = (Tenant::new("acme"), Tenant::new("other"));
    let admin = Tenant::with("ops", "capabilities = [\"admin\"]");
    let server = Server::start(&[&acme, &other, &admin], &[]).await;
    // The same id and the same name for both.
    let [theirs, own] = [
        server.create(&acme, json!({ "id": "shared-id-1" })).await,
        server.create(&other, json!({ "id": "shared-id-1" })).await,
    ];
    assert_eq!((id_of(&theirs), id_of(&own)), ("shared-id-1", "shared-id-1"));
    for tenant in [&acme, &other] {
        server.create(tenant, json!({ "session": "shop" })).await;
    }
    let secret = server.create(&acme, json!({ "id": "only-acmes-1", "name": "secret" })).await;
    let count = async |tenant: &Tenant| {
        let listed = server.ok(tenant, "GET", "/v1/sessions", Value::Null).await;
        listed["sessions"].as_array().expect("a list").len()
    };
    assert_eq!((count(&acme).await, count(&other).await), (3, 2));

    // What another tenant has is answered as what never was.
    for (method, path) in [
        ("GET", "/v1/sessions/ID"),
        ("PATCH", "/v1/sessions/ID"),
        ("DELETE", "/v1/sessions/ID"),
        ("POST", "/v1/sessions/ID/park"),
        ("GET", "/v1/sessions/ID/pages"),
        ("GET", "/v1/sessions/ID/usage"),
        ("POST", "/v1/sessions/ID/snapshots"),
        ("POST", "/v1/sessions/ID/clone"),
        ("GET", "/kill/ID"),
    ] {
        let body = if method == "GET" || method == "DELETE" { Value::Null } else { json!({}) };
        let said = async |id: &str| {
            let answer = server.ask(&other, method, &path.replace("ID", id), body.clone()).await;
            (answer.status, answer.body.replace(id, "ID"))
        };
        let (foreign, unknown) = (said("only-acmes-1").await, said("nobodys-id-1").await);
        assert_eq!(foreign, unknown, "{method} {path}");
        assert_eq!(foreign.0, 404, "{method} {path}: {foreign:?}");
    }
    // An id that another tenant uses is free.
    server.create(&other, json!({ "id": "only-acmes-1" })).await;
    // Its key does not open the session of the same id.
    let foreign = server.proxy.try_connect_to(&format!("/devtools/browser/only-acmes-1?token={}", other.text())).await;
    let client = foreign.expect("its own");
    let session = client.ok(None, "ghost.getSession", json!({})).await;
    assert!(session["session"].get("name").is_none() && session.to_string().contains("only-acmes-1"), "{session}");

    // An admin sees all, with their tenants.
    let all = server.ok(&admin, "GET", "/v1/sessions", Value::Null).await;
    let owners: Vec<_> = all["sessions"].as_array().expect("a list").iter().map(|one| text(one, "owner")).collect();
    assert_eq!(owners.iter().filter(|owner| *owner == "acme").count(), 3, "{owners:?}");
    is_problem(&server.ask(&admin, "GET", "/v1/sessions/shared-id-1", Value::Null).await, 409, "ambiguous", "TENANT@");
    let one = server.ok(&admin, "GET", "/v1/sessions/acme@shared-id-1", Value::Null).await;
    assert_eq!((text(&one, "owner").as_str(), url_of(&one).contains("key=")), ("acme", false), "{one}");
    server.ok(&admin, "DELETE", "/v1/sessions/acme@only-acmes-1", Value::Null).await;
    let gone = server.ask(&acme, "GET", &format!("/v1/sessions/{}", id_of(&secret)), Value::Null).await;
    assert_eq!(gone.status, 404, "{}", gone.body);
    server.ok(&admin, "GET", "/v1/status", Value::Null).await;
    assert!(server.ask(&admin, "GET", "/metrics", Value::Null).await.body.contains("ghostmux_"));
}

#[tokio::test]
async fn keys_open_one_session_and_end_with_their_token() {
    let (acme, other) = (Tenant::new("acme"), Tenant::new("other"));
    let server = Server::start(&[&acme, &other], &[]).await;
    let (one, two) = (server.create(&acme, json!({})).await, server.create(&acme, json!({})).await);
    let key = url_of(&one).split_once("?key=").expect("a key").1.to_owned();
    let client = server.connect(&url_of(&one)).await.expect("its session");
    let page = client.page_at("about:blank").await;

    // It sees and controls this session, and no other.
    let listed = client.ok(None, "ghost.listSessions", json!({})).await;
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(1), "{listed}");
    let refused = client.call("ghost.getSession", json!({ "id": id_of(&two) })).await.expect_err("another session");
    assert!(refused.1.contains("no such session"), "{refused:?}");
    let refused = client.call("ghost.createSession", json!({})).await.expect_err("it concerns more than one");
    assert!(refused.1.contains("one session alone"), "{refused:?}");
    for path in [
        format!("/devtools/browser/{}?key={key}", id_of(&two)),
        format!("/?key={key}.{}", id_of(&two)),
        format!("/devtools/browser/{}?key={key}x", id_of(&one)),
        format!("/devtools/page/{}?key={key}", page.target),
    ] {
        let refused = server.proxy.refusal(&path).await;
        assert!(refused.starts_with("401"), "{path}: {refused}");
    }
    // Not for a new session either.
    let refused = server.proxy.refusal(&format!("/?key={key}.{}", id_of(&one))).await;
    assert!(refused.starts_with("403") && refused.contains("one session alone"), "{refused}");
    // The URLs of its pages hold one too.
    let list = server.proxy.http("GET", &format!("/json/list?key={key}.{}", id_of(&one)), &[], "").await;
    let entries = body_of(&list);
    let entry = entries.as_array().expect("a list").iter().find(|entry| entry["id"] == page.target.as_str());
    let on_page =
        server.connect(&url_of(entry.unwrap_or_else(|| panic!("no page in {entries}")))).await.expect("its page");
    on_page.ok(None, "Runtime.evaluate", json!({ "expression": "1" })).await;

    server.set(&file_of(&[&other]));
    assert!(client.end().await.starts_with("4003"));
    assert!(on_page.end().await.starts_with("4003"));
    let refused = server.connect(&url_of(&one)).await.err().expect("its token is gone");
    assert!(refused.starts_with("401"), "{refused}");
}

#[tokio::test]
async fn revoked_tokens_end_their_connections_within_a_second() {
    let (acme, other) = (Tenant::new("acme"), Tenant::new("other"));
    let second = Tenant::new("acme");
    let both = format!(
        "{}[[tenants.acme.tokens]]\nname = \"second\"\nsha256 = \"{}\"\n",
        file_of(&[&acme]),
        TokenHash::of(second.text()).to_hex()
    );
    let server = Server::start(&[&acme, &other], &[]).await;
    server.set(&format!("{both}{}", file_of(&[&other])));
    let connect = async |tenant: &Tenant| {
        server.proxy.try_connect_to(&format!("/?keep_alive=60000&token={}", tenant.text())).await
    };
    eventually("the second token is accepted", async || connect(&second).await.is_ok()).await;
    let (revoked, kept, others) =
        (connect(&acme).await.expect("in"), connect(&second).await.expect("in"), connect(&other).await.expect("in"));

    // A file that is wrong changes nothing, and its error has the place.
    server.set(&format!("{both}colour = 1\n"));
    eventually("the error is logged", async || server.proxy.log().contains("colour")).await;
    assert!(server.proxy.log().contains("tenants.toml: line 10: tenants.acme.tokens"), "{}", server.proxy.log());
    revoked.ok(None, "Browser.getVersion", json!({})).await;

    // One of the two tokens is replaced: rotation.
    let rotated = both.replace(&TokenHash::of(acme.text()).to_hex(), &TokenHash::of("another").to_hex());
    server.set(&format!("{rotated}{}", file_of(&[&other])));
    let since = Instant::now();
    assert!(revoked.end().await.starts_with("4003"), "{:?}", revoked.closed());
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    for client in [&kept, &others] {
        client.ok(None, "Browser.getVersion", json!({})).await;
    }
    let refused = connect(&acme).await.err().expect("revoked");
    assert!(refused.starts_with("401"), "{refused}");
    // The parked session is still its tenant's.
    let listed = server.ok(&second, "GET", "/v1/sessions?state=parked", Value::Null).await;
    assert!(!listed["sessions"].as_array().expect("a list").is_empty(), "{listed}");

    // A tenant that is removed loses its sessions.
    server.set(&file_of(&[&other]));
    assert!(kept.end().await.starts_with("4003"));
    others.ok(None, "Browser.getVersion", json!({})).await;
    let ops = Tenant::with("ops", "capabilities = [\"admin\"]");
    server.set(&file_of(&[&other, &ops]));
    eventually("the sessions of the removed tenant have ended", async || {
        let listed = server.ask(&ops, "GET", "/v1/sessions", Value::Null).await;
        listed.status == 200 && !listed.body.contains("\"acme\"")
    })
    .await;
}

#[tokio::test]
async fn capabilities_are_reported_and_change_with_the_next_command() {
    let mut acme = Tenant::with("acme", "capabilities = [\"host-files\", \"clipboard\"]");
    let server = Server::start(&[&acme], &[]).await;
    let client = server.proxy.connect_to(&format!("/?token={}", acme.text())).await;
    let capabilities = async || client.ok(None, "ghost.getSession", json!({})).await["session"]["capabilities"].clone();
    assert_eq!(capabilities().await, json!(["host-files", "clipboard"]));
    let grant = json!({ "permissions": ["clipboardReadWrite"] });
    client.ok(None, "Browser.grantPermissions", grant.clone()).await;
    acme.settings = "capabilities = [\"host-files\"]";
    server.set(&file_of(&[&acme]));
    eventually("the capability is gone", async || capabilities().await == json!(["host-files"])).await;
    let refused = client.call("Browser.grantPermissions", grant).await.expect_err("it has no such capability");
    assert!(refused.1.contains("it needs the capability clipboard"), "{refused:?}");
}

#[tokio::test]
async fn narrow_tokens_do_what_they_are_for() {
    let acme = Tenant::new("acme");
    let viewer = Tenant::with_token("viewer", "scope = \"read-only\"");
    let one = Tenant::with_token("one", "scope = \"session:the-one-1\"");
    let server = Server::start(&[&acme, &viewer, &one], &[]).await;
    server.ok(&viewer, "GET", "/v1/sessions", Value::Null).await;
    for (method, path, body) in
        [("POST", "/v1/sessions", json!({})), ("GET", "/json/list", Value::Null), ("POST", "/v1/snapshots", json!({}))]
    {
        let answer = server.ask(&viewer, method, path, body).await;
        assert!(matches!(answer.status, 400 | 403), "{method} {path}: {} {}", answer.status, answer.body);
        assert!(answer.status == 400 || answer.body.contains("read-only"), "{}", answer.body);
    }
    let refused = server.proxy.refusal(&format!("/?token={}", viewer.text())).await;
    assert!(refused.starts_with("403") && refused.contains("read-only"), "{refused}");
    let refused = server.proxy.refusal(&format!("/?token={}", one.text())).await;
    assert!(refused.starts_with("403") && refused.contains("session:the-one-1"), "{refused}");
    let refused = server.proxy.refusal(&format!("/devtools/browser/another-1?token={}", one.text())).await;
    assert!(refused.starts_with("404"), "{refused}");
}

#[tokio::test]
async fn wrong_tenants_prevent_the_start_with_their_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tenants.toml");
    let serve = |flags: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_ghostmux"))
            .args(["serve", "--listen", "127.0.0.1:0", "--tenants"])
            .arg(&path)
            .args(flags)
            .output()
            .expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = serve(&[]);
    assert!(code == Some(2) && said.contains("cannot read the tenants in"), "{said}");
    fs::write(&path, "[tenants.acme]\ncapabilities = [\"root\"]\n").expect("written");
    let (code, said) = serve(&[]);
    assert!(code == Some(2) && said.contains("tenants.toml: line 2: tenants.acme.capabilities"), "{said}");
    let (code, said) = serve(&["--insecure"]);
    assert!(code == Some(2) && said.contains("--insecure") && said.contains("--tenants"), "{said}");
}

#[tokio::test]
async fn usage_and_audit_log_tell_what_tenants_did() {
    let (acme, other) = (Tenant::new("acme"), Tenant::new("other"));
    let admin = Tenant::with("ops", "capabilities = [\"admin\"]");
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let (audit, usage) = (path("audit.log"), path("usage.json"));
    let flags = ["--audit", &audit, "--audit-mode", "required", "--usage", &usage];
    let server = Server::start(&[&acme, &other, &admin], &flags).await;
    let session = server.create(&acme, json!({})).await;
    let client = server.connect(&url_of(&session)).await.expect("its session");
    client.ok(None, "Browser.getVersion", json!({})).await;
    server.ask(&acme, "DELETE", &format!("/v1/sessions/{}", id_of(&session)), Value::Null).await;
    server.ask(&other, "POST", "/v1/drain", Value::Null).await;
    for _ in 0..5 {
        server.proxy.http("GET", "/v1/sessions", &[("x-api-key", "hunter2")], "").await;
    }

    let rows = async |tenant: &Tenant, query: &str| {
        let shown = server.ok(tenant, "GET", &format!("/v1/usage{query}"), Value::Null).await;
        shown["usage"].as_array().expect("rows").clone()
    };
    eventually("the session is counted", async || rows(&acme, "").await[0]["bytesIn"].as_u64() > Some(0)).await;
    let own = rows(&acme, "?by=day").await;
    assert_eq!((own.len(), text(&own[0], "tenant").as_str(), &own[0]["starts"]), (1, "acme", &json!(1)), "{own:?}");
    assert!(own[0]["day"].is_string() && own[0]["sessionTime"].as_u64() > Some(0), "{own:?}");
    assert!(rows(&other, "").await.is_empty());
    assert_eq!(rows(&admin, "").await.len(), 1);
    assert!(rows(&admin, "?from=2020-01-01&to=2020-01-31").await.is_empty());
    for wrong in ["yesterday", "20261127", "2026-11-27T00:00:00Z", "2026-02-30"] {
        let wrong = server.ask(&acme, "GET", &format!("/v1/usage?from={wrong}"), Value::Null).await;
        is_problem(&wrong, 400, "bad-value", "is not a day");
    }

    let lines = || -> Vec<Value> {
        let text = fs::read_to_string(&audit).expect("a file");
        assert!([&acme, &other].iter().all(|tenant| !text.contains(tenant.text())), "a token is in the audit log");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let has = |event: &str, tenant: Option<&str>| {
        lines()
            .into_iter()
            .filter(|line| line["event"] == event && line["tenant"].as_str() == tenant)
            .collect::<Vec<_>>()
    };
    eventually("the end is recorded", async || !has("session-ended", Some("acme")).is_empty()).await;
    let opened = has("session-opened", Some("acme"));
    let number = TokenHash::of(acme.text()).number().to_string();
    assert_eq!((opened.len(), text(&opened[0], "token")), (1, number), "{opened:?}");
    assert_eq!(
        (text(&opened[0], "session"), text(&opened[0], "source").as_str()),
        (id_of(&session).into(), "127.0.0.1")
    );
    assert_eq!(text(&has("refused", Some("other"))[0], "what"), "drain");
    // The further ones of this source are written together, a minute later.
    eventually("the refused source is recorded", async || !has("denied", None).is_empty()).await;
    assert_eq!(has("denied", None).len(), 1, "{:?}", lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_needs_an_admin_and_reads_the_tenants() {
    let operator = Tenant::with("operator", "capabilities = [\"admin\"]");
    let (acme, new) = (Tenant::new("acme"), Tenant::new("new"));
    let server = Server::start(&[&operator, &acme], &[]).await;
    let refused = server.ask(&acme, "POST", "/v1/reload", Value::Null).await;
    is_problem(&refused, 403, "no-capability", "admin");
    server.set("[tenants.acme]\nwrong = 1\n");
    let refused = server.ask(&operator, "POST", "/v1/reload", Value::Null).await;
    is_problem(&refused, 422, "configuration", "tenants.toml");
    server.set(&file_of(&[&operator, &new]));
    server.ok(&operator, "POST", "/v1/reload", Value::Null).await;
    assert_eq!(server.ask(&new, "GET", "/v1/sessions", Value::Null).await.status, 200);
    assert_eq!(server.ask(&acme, "GET", "/v1/sessions", Value::Null).await.status, 401);
}

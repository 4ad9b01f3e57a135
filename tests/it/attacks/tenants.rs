//! Ways from one tenant to another on a server with tokens: ids and names of others, keys, and what refusals tell.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    client::text,
    rest::{JSON, body_of, is_problem},
    site::Site,
    tenants::{Server, Tenant},
};

/// U01: every id and name of another tenant, by every interface that takes one, is answered as one that never was.
#[tokio::test]
async fn ids_and_names_of_other_tenants_are_unknown() {
    let (victim, attacker) = (Tenant::new("victim"), Tenant::new("attacker"));
    let server = Server::start(&[&victim, &attacker], &[]).await;
    let proxy = &server.proxy;
    let ask = async |tenant: &Tenant, method: &str, path: &str, body: &str| {
        proxy.http(method, path, &[("x-api-key", tenant.text()), JSON], body).await
    };
    let theirs = proxy.connect_to(&format!("/s/shop?token={}", victim.text())).await;
    let page = theirs.page_at("data:text/html,victim").await;
    let id = text(&theirs.ok(None, "ghost.getSession", json!({})).await["session"], "id");
    let saved = body_of(&ask(&victim, "POST", &format!("/v1/sessions/{id}/snapshots"), "{}").await);
    let snapshot = text(&saved["snapshot"], "id");

    // By their text alone: refusals must not differ but by what was asked.
    let unknown = ["shop~nobody", "00000000000000000000000000000000", "019b0000-0000-7000-8000-000000000000"];
    let theirs_ids = [id.as_str(), &page.target, &snapshot];
    let filled = |text: &str, [session, page, snapshot]: [&str; 3]| {
        text.replace("SESSION", session).replace("PAGE", page).replace("SNAPSHOT", snapshot)
    };
    let plain =
        |said: &str| [theirs_ids, unknown].concat().iter().fold(said.to_owned(), |said, id| said.replace(id, "ID"));
    let own = proxy.connect_to(&format!("/?token={}", attacker.text())).await;
    for (template, method, body) in [
        ("/v1/sessions/SESSION", "GET", ""),
        ("/v1/sessions/SESSION", "DELETE", ""),
        ("/v1/sessions/SESSION", "PATCH", r#"{"name":"stolen"}"#),
        ("/v1/sessions/SESSION/park", "POST", "{}"),
        ("/v1/sessions/SESSION/restore", "POST", r#"{"snapshot":"SNAPSHOT"}"#),
        ("/v1/sessions", "POST", r#"{"snapshot":"SNAPSHOT"}"#),
        ("/v1/sessions", "POST", r#"{"session":"another","snapshot":"SNAPSHOT"}"#),
        ("/v1/sessions/victim@SESSION", "GET", ""),
        ("/v1/sessions/SESSION/pages", "GET", ""),
        ("/v1/sessions/SESSION/pages", "POST", "{}"),
        ("/v1/sessions/SESSION/pages/PAGE", "DELETE", ""),
        ("/v1/sessions/SESSION/pages/PAGE/text", "POST", "{}"),
        ("/v1/sessions/SESSION/pages/first/evaluate", "POST", r#"{"expression":"1"}"#),
        ("/v1/sessions/SESSION/usage", "GET", ""),
        ("/v1/sessions/SESSION/egress", "GET", ""),
        ("/v1/sessions/SESSION/clone", "POST", "{}"),
        ("/v1/sessions/SESSION/snapshots", "POST", "{}"),
        ("/v1/snapshots/SNAPSHOT", "GET", ""),
        ("/v1/snapshots/SNAPSHOT", "DELETE", ""),
        ("/v1/snapshots/SNAPSHOT/content?format=ghostmux", "GET", ""),
        ("/v1/snapshots/SNAPSHOT/content?format=playwright", "GET", ""),
        ("/json/close/PAGE", "GET", ""),
        ("/json/activate/PAGE", "GET", ""),
        // In its own session of this name.
        ("/s/shop/json/close/PAGE", "GET", ""),
        ("/json/activate/PAGE?session=shop", "GET", ""),
        ("/kill/SESSION", "GET", ""),
    ] {
        let said = async |ids: [&str; 3]| {
            let [path, body] = [template, body].map(|text| filled(text, ids));
            ask(&attacker, method, &path, &body).await
        };
        let (foreign, nothing) = (said(theirs_ids).await, said(unknown).await);
        assert_eq!(foreign.status, 404, "U01: {method} {template}: {}", foreign.body);
        assert_eq!(
            (foreign.status, plain(&foreign.body)),
            (nothing.status, plain(&nothing.body)),
            "U01: {method} {template}"
        );
    }
    let token = attacker.text();
    for path in [
        "/devtools/browser/SESSION?",
        "/devtools/browser/SESSION?takeover=true&",
        "/devtools/browser/SESSION?exclusive=true&",
        "/devtools/page/PAGE?",
        "/s/shop/devtools/page/PAGE?",
        "/?snapshot=SNAPSHOT&",
        "/s/another?snapshot=SNAPSHOT&",
    ] {
        let said = async |ids: [&str; 3]| proxy.refusal(&format!("{}token={token}", filled(path, ids))).await;
        let (foreign, nothing) = (said(theirs_ids).await, said(unknown).await);
        assert!(foreign.starts_with("404"), "U01: {path}: {foreign}");
        assert_eq!(plain(&foreign), plain(&nothing), "U01: {path}");
    }
    for (method, params) in [
        ("ghost.getSession", r#"{"id":"SESSION"}"#),
        ("ghost.closeSession", r#"{"id":"SESSION"}"#),
        ("ghost.updateSession", r#"{"id":"SESSION","name":"stolen"}"#),
        ("ghost.park", r#"{"id":"SESSION"}"#),
        ("ghost.getUsage", r#"{"id":"SESSION"}"#),
        ("ghost.newPage", r#"{"id":"SESSION"}"#),
        ("ghost.closePage", r#"{"page":"PAGE"}"#),
        ("ghost.pageText", r#"{"page":"PAGE"}"#),
        ("ghost.pageText", r#"{"id":"SESSION","page":"PAGE"}"#),
        ("ghost.getEgress", r#"{"id":"SESSION"}"#),
        ("ghost.cloneSession", r#"{"id":"SESSION"}"#),
        ("ghost.saveSnapshot", r#"{"id":"SESSION"}"#),
        ("ghost.restoreSnapshot", r#"{"id":"SESSION","snapshot":"SNAPSHOT"}"#),
        ("ghost.restoreSnapshot", r#"{"snapshot":"SNAPSHOT"}"#),
        ("ghost.createSession", r#"{"snapshot":"SNAPSHOT"}"#),
        ("ghost.getSnapshot", r#"{"snapshot":"SNAPSHOT"}"#),
        ("ghost.deleteSnapshot", r#"{"snapshot":"SNAPSHOT"}"#),
        ("ghost.exportSnapshot", r#"{"snapshot":"SNAPSHOT"}"#),
        ("Target.getTargetInfo", r#"{"targetId":"PAGE"}"#),
        ("Target.attachToTarget", r#"{"targetId":"PAGE","flatten":true}"#),
        ("Target.closeTarget", r#"{"targetId":"PAGE"}"#),
    ] {
        let said = async |ids: [&str; 3]| {
            let params = serde_json::from_str(&filled(params, ids)).expect("JSON");
            match own.call(method, params).await {
                Err((code, words)) => (code, plain(&words)),
                Ok(result) => panic!("U01: {method}: {result}"),
            }
        };
        let (foreign, nothing) = (said(theirs_ids).await, said(unknown).await);
        assert_eq!(foreign, nothing, "U01: {method}");
        assert_ne!(foreign.0, -32601, "U01: there is a command {method}");
    }
    // The same name is another session.
    let named = proxy.connect_to(&format!("/s/shop?token={token}")).await;
    let targets = named.ok(None, "Target.getTargets", json!({})).await.to_string();
    assert!(!targets.contains("data:text/html,victim") && !targets.contains(&page.target), "U01: {targets}");
    let seen = [own.frames(), named.frames()].concat();
    for frame in seen.iter().filter_map(|frame| frame.received()) {
        assert!(!frame.to_string().contains("data:text/html,victim"), "U01: {frame}");
    }
    theirs.ok(Some(&page.session), "Runtime.evaluate", json!({ "expression": "1" })).await;
}

/// U02: keys that were changed, or that are for another session or tenant.
#[tokio::test]
async fn keys_cannot_be_forged_or_moved() {
    let (victim, attacker) = (Tenant::new("victim"), Tenant::new("attacker"));
    let server = Server::start(&[&victim, &attacker], &[]).await;
    let key_of = async |tenant: &Tenant, id: &str| {
        let body = json!({ "id": id, "keepAlive": 600_000 }).to_string();
        let made = server.proxy.http("POST", "/v1/sessions", &[("x-api-key", tenant.text()), JSON], &body).await;
        let url = text(&body_of(&made), "webSocketDebuggerUrl");
        url.split_once("?key=").expect("a key").1.to_owned()
    };
    let theirs = key_of(&victim, "the-same-id").await;
    let own = key_of(&attacker, "the-same-id").await;
    assert_ne!(theirs, own, "U02: of two tenants");
    let mut said = Vec::new();
    // The number of the victim's token with the attacker's MAC, and the other way round. A character has 6 bits: the
    // number is 8 bytes, so it ends within the 11th.
    for at in [10, 11] {
        for key in [format!("{}{}", &theirs[..at], &own[at..]), format!("{}{}", &own[..at], &theirs[at..])] {
            said.push(server.proxy.refusal(&format!("/devtools/browser/the-same-id?key={key}")).await);
        }
    }
    for at in (0..theirs.len()).step_by(3) {
        let mut changed = own.clone();
        changed.replace_range(at..=at, if &own[at..=at] == "A" { "B" } else { "A" });
        said.push(server.proxy.refusal(&format!("/devtools/browser/the-same-id?key={changed}")).await);
    }
    // Of no token, and no key at all.
    for key in ["A".repeat(own.len()), "x".to_owned(), String::new()] {
        said.push(server.proxy.refusal(&format!("/devtools/browser/the-same-id?key={key}")).await);
    }
    // Nobody learns which tokens there are: the number of one is refused as the number of none.
    assert!(said.iter().all(|one| *one == said[0] && one.starts_with("401")), "U02: {said:?}");
    // Its own key leads to its own session.
    let client = server.proxy.connect_to(&format!("/devtools/browser/the-same-id?key={own}")).await;
    client.ok(None, "Browser.getVersion", json!({})).await;
}

/// U03: what refusals tell of tokens, by their words and by their time.
#[tokio::test]
async fn refusals_tell_nothing_of_other_tokens() {
    const ROUNDS: usize = 60;
    let (victim, other) = (Tenant::new("victim"), Tenant::new("other"));
    let server = Server::start(&[&victim, &other], &[]).await;
    // The first half of a token that exists, and one that shares nothing with any.
    let near = format!("{}{}", &victim.text()[..20], &other.text()[20..]);
    let far = format!("gmx_{}_aaaaaa", "a".repeat(32));
    let mut times = [Vec::new(), Vec::new()];
    let mut said = Vec::new();
    for _ in 0..ROUNDS {
        for (token, times) in [&near, &far].into_iter().zip(&mut times) {
            let since = Instant::now();
            let answer = server.proxy.http("GET", "/v1/sessions", &[("x-api-key", token)], "").await;
            times.push(since.elapsed());
            said.push((answer.status, answer.body));
        }
    }
    assert!(said.iter().all(|one| *one == said[0] && one.0 == 401), "U03: {said:?}");
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[ROUNDS / 2]
    };
    let [near, far] = &mut times;
    let (near, far) = (median(near), median(far));
    let apart = near.abs_diff(far);
    // Of the same class: a comparison of bytes takes nanoseconds, a look-up elsewhere would take a millisecond.
    assert!(apart < Duration::from_millis(1) + near.min(far) / 2, "U03: {near:?} and {far:?}");
    let metrics = server.proxy.http("GET", "/metrics", &[("x-api-key", victim.text())], "").await;
    assert_eq!(metrics.status, 403, "U03: {}", metrics.body);
    let pressure = server.proxy.http("GET", "/pressure", &[("x-api-key", victim.text())], "").await;
    assert_eq!(pressure.status, 403, "U03: {}", pressure.body);
}

/// U04: a tenant tries to manage tenants and tokens; and an admin's requests carry names and bodies that are meant to write
/// more into the file than they may.
#[tokio::test(flavor = "multi_thread")]
async fn tenants_cannot_be_managed_without_admin_or_by_odd_names() {
    let (victim, attacker) = (Tenant::new("victim"), Tenant::new("attacker"));
    let viewer = Tenant::with_token("viewer", "scope = \"read-only\"");
    let viewer = Tenant { settings: "capabilities = [\"admin\"]", ..viewer };
    let ops = Tenant::with("ops", "capabilities = [\"admin\"]");
    let server = Server::start(&[&victim, &attacker, &viewer, &ops], &[]).await;
    let file = || fs::read_to_string(server.file()).expect("a file");
    let before = file();
    let admin = json!({ "capabilities": ["admin"] });
    let all = [
        ("GET", "/v1/tenants", Value::Null),
        ("GET", "/v1/tenants/NAME", Value::Null),
        ("PUT", "/v1/tenants/NAME", admin.clone()),
        ("DELETE", "/v1/tenants/NAME", Value::Null),
        ("GET", "/v1/tenants/NAME/tokens", Value::Null),
        ("POST", "/v1/tenants/NAME/tokens", json!({ "name": "mine" })),
        ("GET", "/v1/tenants/NAME/tokens/t", Value::Null),
        ("DELETE", "/v1/tenants/NAME/tokens/t", Value::Null),
    ];
    for (method, path, body) in &all {
        // Its own, another's, and one that does not exist: the same words, so it learns nothing of names.
        let mut said = Vec::new();
        for name in ["attacker", "victim", "nobody", "..%2Fvictim"] {
            let answer = server.ask(&attacker, method, &path.replace("NAME", name), body.clone()).await;
            is_problem(&answer, 403, "no-capability", "it needs the capability admin");
            said.push(answer.body);
        }
        assert!(said.iter().all(|body| *body == said[0]), "U04: {method} {path}: {said:?}");
        if *method != "GET" {
            let answer = server.ask(&viewer, method, &path.replace("NAME", "viewer"), body.clone()).await;
            is_problem(&answer, 403, "out-of-scope", "read-only");
        }
        let answer = server.proxy.http(method, &path.replace("NAME", "victim"), &[JSON], &body.to_string()).await;
        is_problem(&answer, 401, "unauthorized", "needs a token");
    }
    // No client of a session has these as commands.
    let client = server.proxy.connect_to(&format!("/?token={}", attacker.text())).await;
    for command in ["listTenants", "putTenant", "createToken", "listTokens"] {
        let refused = client.call(&format!("ghost.{command}"), json!({ "tenant": "attacker" })).await;
        assert!(refused.is_err(), "U04: ghost.{command}: {refused:?}");
    }
    assert_eq!(file(), before, "U04: the file is as it was");

    // Names that are no names, and texts that are TOML.
    for name in [
        "a%0A%5Btenants.evil%5D",
        "x%22%5D%0A%5Btenants.evil%5D%0Acapabilities%20%3D%20%5B%22admin%22%5D%0A%23",
        "..%2F..%2Fetc%2Fpasswd",
        "a%00b",
        "%C3%A4",
        "a%20b",
        "x'y",
        &"x".repeat(65),
    ] {
        let answer = server.ask(&ops, "PUT", &format!("/v1/tenants/{name}"), admin.clone()).await;
        is_problem(&answer, 400, "bad-value", "is no name");
        for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/tokens"), ("DELETE", "/tokens/t")] {
            let answer = server.ask(&ops, method, &format!("/v1/tenants/{name}{path}"), Value::Null).await;
            is_problem(&answer, 404, "no-tenant", "there is no tenant");
        }
        let answer = server.ask(&ops, "DELETE", &format!("/v1/tenants/victim/tokens/{name}"), Value::Null).await;
        is_problem(&answer, 404, "no-token", "has no token");
    }
    for (body, word) in [
        (json!({ "name": "x\"\n[tenants.evil]\ncapabilities = [\"admin\"]" }), "name"),
        (json!({ "scope": "session:x\"\n[tenants.evil]" }), "scope"),
        (json!({ "from": ["10.0.0.0/8\", \"::/0"] }), "from"),
        (json!({ "tenant": "ops" }), "the path names it"),
        (json!({ "sha256": "00" }), "sha256"),
    ] {
        let answer = server.ask(&ops, "POST", "/v1/tenants/victim/tokens", body).await;
        is_problem(&answer, 400, "bad-value", word);
    }
    let huge = json!({ "name": "x".repeat(1 << 20) });
    is_problem(&server.ask(&ops, "POST", "/v1/tenants/victim/tokens", huge).await, 413, "too-large", "larger");
    assert_eq!(file(), before, "U04: the file is as it was");

    // Names that a tenant may have, and that TOML would read as something else: they make that tenant and no other.
    for name in ["a.b", "..", "true", "1e5", "tokens"] {
        let path = format!("/v1/tenants/{}", name.replace('.', "%2E"));
        assert_eq!(server.ask(&ops, "PUT", &path, json!({})).await.status, 201, "U04: {name}");
        let issued = server.ok(&ops, "POST", &format!("{path}/tokens"), json!({ "name": "t" })).await;
        let token = text(&issued, "token");
        let listed = server.proxy.http("GET", "/v1/tenants", &[("x-api-key", &token)], "").await;
        is_problem(&listed, 403, "no-capability", "admin");
        assert_eq!(server.ask(&ops, "DELETE", &path, Value::Null).await.status, 204, "U04: {name}");
    }
    assert_eq!(file().trim_end(), before.trim_end(), "U04: the file is as it was");
}

/// U10: the profile of another tenant, by every interface that takes its name; and a profile of the same name.
#[tokio::test]
async fn profiles_of_other_tenants_are_unknown() {
    let (victim, attacker) = (Tenant::insider("victim"), Tenant::insider("attacker"));
    let server = Server::start(&[&victim, &attacker], &[]).await;
    let (proxy, site) = (&server.proxy, Site::start().await);
    let url = |tenant: &Tenant, query: &str| format!("/?{query}&token={}", tenant.text());
    let ask = async |tenant: &Tenant, method: &str, path: &str, body: &str| {
        proxy.http(method, path, &[("x-api-key", tenant.text()), JSON], body).await
    };
    let theirs = proxy.connect_to(&url(&victim, "profile=shop&persist=true")).await;
    let page = theirs.page_at(&site.url("/?login")).await;
    theirs.evaluate(&page.session, "localStorage.secret = 'of the victim'").await;
    theirs.ok(None, "ghost.closeSession", json!({})).await;
    // The victim saves it while the attacker comes.
    let theirs = proxy.connect_to(&url(&victim, "profile=shop&persist=true")).await;

    let own = proxy.connect_to(&url(&attacker, "keep_alive=0")).await;
    let said = async |name: &str| {
        let mut said = vec![
            proxy.refusal(&url(&attacker, &format!("profile={name}"))).await,
            proxy.refusal(&format!("/s/another?profile={name}&token={}", attacker.text())).await,
        ];
        for (method, path, body) in [
            ("GET", "/v1/profiles/NAME", ""),
            ("DELETE", "/v1/profiles/NAME", ""),
            ("POST", "/v1/profiles/NAME/snapshots", "{}"),
            ("GET", "/v1/profiles/victim@NAME", ""),
            ("POST", "/v1/sessions", r#"{"profile":"NAME"}"#),
            ("POST", "/v1/sessions", r#"{"session":"another","profile":"NAME"}"#),
        ] {
            let answer = ask(&attacker, method, &path.replace("NAME", name), &body.replace("NAME", name)).await;
            said.push(format!("{} {}", answer.status, answer.body));
        }
        for (method, member) in [
            ("ghost.getProfile", "profile"),
            ("ghost.deleteProfile", "profile"),
            ("ghost.exportProfile", "profile"),
            ("ghost.createSession", "profile"),
        ] {
            said.push(format!("{:?}", own.call(method, json!({ member: name })).await.expect_err("it is unknown")));
        }
        said.iter().map(|said| said.replace(name, "NAME")).collect::<Vec<_>>()
    };
    let foreign = said("shop").await;
    assert_eq!(foreign, said("never").await, "U10");
    assert!(foreign.iter().take(8).all(|said| said.starts_with("404")), "U10: {foreign:?}");
    let listed = body_of(&ask(&attacker, "GET", "/v1/profiles", "").await);
    assert_eq!(listed["profiles"], json!([]), "U10: {listed}");
    // A profile of the same name is another one, which nobody holds.
    let mine = proxy.connect_to(&url(&attacker, "profile=shop&persist=true")).await;
    let page = mine.page_at(&site.url("/?login")).await;
    let read = "localStorage.secret ?? 'nothing'";
    assert_eq!(mine.evaluate(&page.session, read).await, "nothing", "U10");
    mine.evaluate(&page.session, "localStorage.secret = 'of the attacker'").await;
    mine.ok(None, "ghost.closeSession", json!({})).await;
    assert_eq!(ask(&attacker, "DELETE", "/v1/profiles/shop", "").await.status, 204, "U10");
    theirs.ok(None, "ghost.closeSession", json!({})).await;
    let theirs = proxy.connect_to(&url(&victim, "profile=shop")).await;
    let page = theirs.page_at(&site.url("/?login")).await;
    assert_eq!(theirs.evaluate(&page.session, read).await, "of the victim", "U10");
}

/// U11: the user data of another tenant, by their name, by that of their directory, and while they are in use.
#[tokio::test]
async fn user_data_of_other_tenants_are_unknown() {
    let (victim, attacker) = (
        Tenant::with("victim", "capabilities = [\"dedicated\", \"private-network\"]"),
        Tenant::with("attacker", "capabilities = [\"dedicated\", \"private-network\"]"),
    );
    let directory = tempfile::tempdir().expect("a directory");
    let base = directory.path().display().to_string();
    let server = Server::start(&[&victim, &attacker], &["--profiles-dir", &base]).await;
    let (proxy, site) = (&server.proxy, Site::start().await);
    let url = |tenant: &Tenant, query: &str| format!("/?{query}&token={}", tenant.text());
    let ask = async |method: &str, path: &str, body: &str| {
        proxy.http(method, path, &[("x-api-key", attacker.text()), JSON], body).await
    };
    let theirs = proxy.connect_to(&url(&victim, "user_data=shop")).await;
    let page = theirs.page_at(&site.url("/?login")).await;
    theirs.evaluate(&page.session, "localStorage.secret = 'of the victim'").await;
    let idle = proxy.connect_to(&url(&victim, "user_data=idle")).await;
    idle.ok(None, "ghost.closeSession", json!({})).await;
    let said = async |name: &str| {
        let mut said = Vec::new();
        for (method, path, body) in [
            ("GET", "/v1/profiles/NAME?kind=userData", ""),
            ("DELETE", "/v1/profiles/NAME?kind=userData", ""),
            ("POST", "/v1/profiles/NAME/snapshots", r#"{"kind":"userData"}"#),
        ] {
            let answer = ask(method, &path.replace("NAME", name), body).await;
            said.push(format!("{} {}", answer.status, answer.body).replace(name, "NAME"));
        }
        said
    };
    let foreign = said("shop").await;
    assert_eq!(foreign, said("never").await, "U11");
    assert!(foreign.iter().all(|said| said.starts_with("404")), "U11: {foreign:?}");
    let victims = directory.path().join("victim@idle/data");
    assert!(victims.exists());
    // A directory of the attacker's own, by way of which a path would lead to others.
    let way = proxy.connect_to(&url(&attacker, "user_data=way")).await;
    way.ok(None, "ghost.closeSession", json!({})).await;
    for name in [
        "victim@shop",
        "way%2f..%2fvictim%40shop",
        "way%2f..%2fvictim%40idle",
        "..%2fvictim%40shop",
        "victim%40shop%2fdata",
        "..",
        "%2fetc",
        "a%00",
    ] {
        let refused = proxy.refusal(&url(&attacker, &format!("user_data={name}"))).await;
        assert!(refused.starts_with("400"), "U11: {name}: {refused}");
        let path = format!("/v1/profiles/{}", name.replace('@', "%40"));
        for (method, path, body) in [
            ("GET", format!("{path}?kind=userData"), ""),
            ("POST", format!("{path}/snapshots"), r#"{"kind":"userData"}"#),
            ("DELETE", format!("{path}?kind=userData"), ""),
        ] {
            let answer = ask(method, &path, body).await;
            assert!(matches!(answer.status, 400 | 404), "U11: {method} {path}: {} {}", answer.status, answer.body);
        }
    }
    assert!(victims.exists(), "U11: the victim's user data were deleted");
    assert_eq!(ask("DELETE", "/v1/profiles/way?kind=userData", "").await.status, 204, "U11");
    assert_eq!(body_of(&ask("GET", "/v1/profiles", "").await)["profiles"], json!([]), "U11");
    let mine = proxy.connect_to(&url(&attacker, "user_data=shop")).await;
    let page = mine.page_at(&site.url("/?login")).await;
    let read = "localStorage.secret ?? 'nothing'";
    assert_eq!(mine.evaluate(&page.session, read).await, "nothing", "U11");
    mine.ok(None, "ghost.closeSession", json!({})).await;
    assert_eq!(ask("DELETE", "/v1/profiles/shop?kind=userData", "").await.status, 204, "U11");
    theirs.ok(None, "ghost.closeSession", json!({})).await;
    let theirs = proxy.connect_to(&url(&victim, "user_data=shop")).await;
    let page = theirs.page_at(&site.url("/?login")).await;
    assert_eq!(theirs.evaluate(&page.session, read).await, "of the victim", "U11");
}

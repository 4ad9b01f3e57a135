//! Ways around the border of a tenant: ids that the server hands out, what waits where all can wait, how long answers take,
//! and what lists, figures and logs show.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::{
    client::text,
    proxy::eventually,
    rest::{body_of, id_of, is_problem},
    tenants::{Server, Tenant},
};

/// What an upgrade has beside its token; an answer that is not the 101 ends the connection.
const UPGRADE: [(&str, &str); 4] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
];

/// U06: ids that `/json/version` hands out, pages of the session of HTTP calls, and names, used by another tenant.
#[tokio::test]
async fn ids_from_http_calls_and_names_belong_to_their_tenant() {
    let (victim, attacker) = (Tenant::new("victim"), Tenant::new("attacker"));
    let server = Server::start(&[&victim, &attacker], &[]).await;
    let proxy = &server.proxy;
    let by = |path: &str, tenant: &Tenant| format!("{path}?token={}", tenant.text());

    // An id that opens a session for its own tenant, once, opens none for another.
    let version = server.ok(&victim, "GET", "/json/version", Value::Null).await;
    let url = text(&version, "webSocketDebuggerUrl");
    let minted = url.rsplit('/').next().and_then(|rest| rest.split('?').next()).expect("an id");
    let refused = proxy.refusal(&by(&format!("/devtools/browser/{minted}"), &attacker)).await;
    let forged = format!("{}{}", &minted[1..], &minted[..1]);
    let unknown = proxy.refusal(&by(&format!("/devtools/browser/{forged}"), &attacker)).await;
    assert!(refused.starts_with("404"), "U06: {refused}");
    assert_eq!(refused.replace(minted, "ID"), unknown.replace(&forged, "ID"), "U06");
    proxy.connect_to(&by(&format!("/devtools/browser/{minted}"), &victim)).await;

    // Each tenant has a session of HTTP calls of its own.
    let opened = server.ok(&victim, "PUT", "/json/new?data:text/html,victim", Value::Null).await;
    let page = text(&opened, "id");
    let named = proxy.connect_to(&by("/s/shop", &victim)).await;
    let of_named = named.page_at("data:text/html,victim").await.target;
    for path in ["/json/list", "/json", "/json/list?session=shop", "/s/shop/json/list", "/s/shop/json"] {
        let listed = server.ask(&attacker, "GET", path, Value::Null).await;
        assert_eq!(listed.status, 200, "U06: {path}: {}", listed.body);
        let is_shown = |what: &&str| listed.body.contains(*what);
        let shown = [page.as_str(), &of_named, "text/html,victim"].into_iter().find(is_shown);
        assert_eq!(shown, None, "U06: {path}: {}", listed.body);
    }
    for path in ["/json/close/", "/json/activate/", "/s/shop/json/close/", "/s/shop/json/activate/"] {
        for target in [&page, &of_named] {
            let answer = server.ask(&attacker, "GET", &format!("{path}{target}"), Value::Null).await;
            assert_eq!((answer.status, answer.body), (404, format!("No such target id: {target}")), "U06: {path}");
        }
    }
    // The id of a named session names its tenant, and is of no use to another.
    let id = text(&named.ok(None, "ghost.getSession", json!({})).await["session"], "id");
    let refused = proxy.refusal(&by(&format!("/devtools/browser/{id}"), &attacker)).await;
    assert!(refused.starts_with("404"), "U06: {refused}");
    for body in [json!({ "id": id }), json!({ "session": id }), json!({ "id": "victim@shop" })] {
        let answer = server.ask(&attacker, "POST", "/v1/sessions", body.clone()).await;
        is_problem(&answer, 400, "bad-value", "use");
    }
    let listed = server.ok(&victim, "GET", "/json/list", Value::Null).await.to_string();
    assert!(listed.contains(&page) && listed.contains("text/html,victim"), "U06: {listed}");
    let targets = named.ok(None, "Target.getTargets", json!({})).await.to_string();
    assert!(targets.contains(&of_named), "U06: {targets}");
}

/// The medians of the times of two requests, sent in turn.
async fn medians(rounds: usize, request: impl AsyncFn(usize)) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..2 * rounds {
        // Which of them is first changes, too.
        let which = (round + round / 2) % 2;
        let since = Instant::now();
        request(which).await;
        times[which].push(since.elapsed());
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    })
}

/// U07: whether an id of another tenant exists cannot be read from the time of a refusal, also while its session is busy.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_foreign_ids_take_as_long_as_those_of_unknown_ones() {
    const ROUNDS: usize = 40;
    const ROUNDS_BESIDE_WORK: usize = 9;
    let (victim, attacker) = (Tenant::new("victim"), Tenant::new("attacker"));
    let server = Server::start(&[&victim, &attacker], &[]).await;
    let theirs = server.proxy.connect_to(&format!("/?token={}", victim.text())).await;
    let page = theirs.page_at("data:text/html,victim").await.target;
    let session = text(&theirs.ok(None, "ghost.getSession", json!({})).await["session"], "id");
    let saved = theirs.ok(None, "ghost.saveSnapshot", json!({})).await;
    let snapshot = text(&saved["snapshot"], "id");
    let of_page = ["/devtools/page/ID", page.as_str(), "0123456789ABCDEF0123456789ABCDEF"];
    let refused = async |path: &str, id: &str| {
        let upgrade = if path.starts_with("/devtools") { &UPGRADE[..] } else { &[] };
        let headers = [&[("x-api-key", attacker.text())], upgrade].concat();
        let answer = server.proxy.http("GET", &path.replace("ID", id), &headers, "").await;
        assert_eq!(answer.status, 404, "U07: {path}: {}", answer.body);
    };
    for [path, foreign, unknown] in [
        ["/v1/sessions/ID", &session, "5269804a-cdec-49f7-8a6a-a8aa1b34f55b"],
        ["/v1/sessions/ID/pages", &session, "5269804a-cdec-49f7-8a6a-a8aa1b34f55b"],
        ["/devtools/browser/ID", &session, "5269804a-cdec-49f7-8a6a-a8aa1b34f55b"],
        ["/v1/snapshots/ID", &snapshot, "019b0000-0000-7000-8000-000000000000"],
        ["/v1/snapshots/ID/content", &snapshot, "019b0000-0000-7000-8000-000000000000"],
        of_page,
    ] {
        let [foreign, unknown] = medians(ROUNDS, async |which| refused(path, [foreign, unknown][which]).await).await;
        let apart = foreign.abs_diff(unknown);
        // Of the same class: what has to ask a session, a browser or the disk takes a millisecond more.
        assert!(
            apart < Duration::from_millis(1) + foreign.min(unknown) / 2,
            "U07: {path}: {foreign:?} and {unknown:?}"
        );
    }

    // Its session reads large commands all the time, in its own task: it is not asked.
    let large = json!({ "id": 1, "method": "X.y", "params": { "padding": "x".repeat(200_000) } }).to_string();
    let work = async {
        loop {
            let frame = Frame::message(large.clone(), OpCode::Data(Data::Text), true);
            theirs.send(Message::Frame(frame)).await.expect("the victim's connection stays open");
        }
    };
    let [path, foreign, unknown] = of_page;
    let measured = medians(ROUNDS_BESIDE_WORK, async |which| refused(path, [foreign, unknown][which]).await);
    let [foreign, unknown] = tokio::select! {
        () = work => unreachable!("it does not end"),
        medians = measured => medians,
    };
    let apart = foreign.abs_diff(unknown);
    assert!(
        apart < Duration::from_millis(20) + foreign.min(unknown) / 2,
        "U07: {path} of a busy session: {foreign:?} and {unknown:?}"
    );
}

/// U08: nothing that a tenant can read has a name, an id or a number of another tenant; and what a tenant writes makes no
/// line of its own in the logs.
#[tokio::test]
async fn lists_figures_and_logs_tell_nothing_of_other_tenants() {
    let (victim, attacker) = (Tenant::new("zebra"), Tenant::new("attacker"));
    let directory = tempfile::tempdir().expect("a directory");
    let audit = directory.path().join("audit.log").to_string_lossy().into_owned();
    let flags = ["--metrics-tokens", "any", "--log", "debug", "--audit", &audit];
    let server = Server::start(&[&victim, &attacker], &flags).await;
    let proxy = &server.proxy;
    let make = async |tenant: &Tenant, body: Value| server.ok(tenant, "POST", "/v1/sessions", body).await;
    let own = id_of(&make(&attacker, json!({})).await).to_owned();
    for name in ["zebra-1", "zebra-2", "zebra-3"] {
        make(&victim, json!({ "id": format!("id-of-{name}"), "name": name, "metadata": { "kind": "zebra" } })).await;
    }
    let theirs = proxy.connect_to(&format!("/s/zebra-shop?token={}", victim.text())).await;
    let page = theirs.page_at("data:text/html,zebra").await.target;
    let saved = theirs.ok(None, "ghost.saveSnapshot", json!({ "name": "zebra" })).await;
    let snapshot = text(&saved["snapshot"], "id");
    make(&attacker, json!({})).await;
    let client = proxy.connect_to(&format!("/?token={}", attacker.text())).await;

    let tells_nothing = |what: &str, said: &str| {
        let told = ["zebra", &page, &snapshot].into_iter().find(|word| said.contains(*word));
        assert_eq!(told, None, "U08: {what} tells of another tenant: {said}");
    };
    for (path, status) in [
        ("/metrics", 200),
        ("/pressure", 200),
        ("/v1/sessions", 200),
        ("/v1/sessions?name=zebra-1", 200),
        ("/v1/sessions?metadata.kind=zebra", 200),
        ("/v1/snapshots", 200),
        ("/sessions", 200),
        ("/sessions?trackingId=zebra-1", 200),
        ("/json/list", 200),
        ("/json/version", 200),
        ("/v1/usage", 200),
        ("/v1/usage?by=day", 200),
        ("/health", 200),
        ("/readyz", 200),
        ("/v1/openapi.json", 200),
        ("/v1/status", 403),
        ("/v1/browsers", 403),
        ("/v1/tenants", 403),
    ] {
        let answer = server.ask(&attacker, "GET", path, Value::Null).await;
        assert_eq!(answer.status, status, "U08: {path}: {}", answer.body);
        tells_nothing(path, &answer.body);
    }
    // A browser that there is and one that there is not: nobody learns how many there are.
    for (method, path) in [("GET", "/v1/browsers/ID"), ("POST", "/v1/browsers/ID/recycle")] {
        let said = async |id: &str| {
            let body = if method == "POST" { json!({}) } else { Value::Null };
            let answer = server.ask(&attacker, method, &path.replace("ID", id), body).await;
            (answer.status, answer.body)
        };
        assert_eq!(said("1").await, said("99").await, "U08: {path}");
    }
    for command in ["ghost.getSession", "ghost.listSessions", "ghost.listSnapshots", "ghost.getUsage"] {
        tells_nothing(command, &client.ok(None, command, json!({})).await.to_string());
    }
    // The next page of its list does not begin at the number of all sessions so far.
    let first = server.ok(&attacker, "GET", "/v1/sessions?limit=1", Value::Null).await;
    let next = text(&first, "next");
    assert_eq!(text(&first["sessions"][0], "id"), own, "U08: the oldest is first");
    assert!(next.ends_with(&own) && u64::from_str_radix(&next, 16).is_err(), "U08: {next}");
    let second = server.ok(&attacker, "GET", &format!("/v1/sessions?limit=1&cursor={next}"), Value::Null).await;
    assert_eq!(second["sessions"].as_array().map(Vec::len), Some(1), "U08: {second}");
    assert_ne!(text(&second["sessions"][0], "id"), own, "U08: {second}");

    // Line breaks and control sequences in everything that a tenant names.
    let forged = "x\r\nFORGED \u{1b}[31m\u{2028}FORGED";
    let encoded = "x%0D%0AFORGED%20%1B%5B31m%E2%80%A8FORGED";
    for body in [
        json!({ "name": forged }),
        json!({ "id": forged }),
        json!({ "session": forged }),
        json!({ "snapshot": forged }),
        json!({ "metadata": { forged: forged } }),
        json!({ forged: 1 }),
    ] {
        server.ask(&attacker, "POST", "/v1/sessions", body.clone()).await;
        let _ = client.call("ghost.createSession", body).await;
    }
    for path in
        ["/v1/sessions/ID", "/v1/snapshots/ID", "/kill/ID", "/json/close/ID", "/s/ID/json/list", "/ID", "/t/ID/x"]
    {
        server.ask(&attacker, "GET", &path.replace("ID", encoded), Value::Null).await;
    }
    for path in
        ["/devtools/browser/ID?", "/devtools/page/ID?", "/s/ID?", "/?session=ID&", "/?name=ID&", "/?ID=1&", "/?key=ID&"]
    {
        let path = format!("{}token={}", path.replace("ID", encoded), attacker.text());
        if let Ok(client) = proxy.try_connect_to(&path).await {
            client.ok(None, "Browser.close", json!({})).await;
        }
    }
    proxy.http("GET", "/v1/sessions", &[("x-api-key", "FORGED"), ("user-agent", "FORGED")], "").await;
    let written = || fs::read_to_string(&audit).expect("the audit log");
    eventually("the denial is recorded", async || written().contains("denied")).await;
    for log in [proxy.log(), written()] {
        let line = log.lines().find(|line| line.trim_start().starts_with("FORGED") || line.contains('\u{1b}'));
        assert_eq!(line, None, "U08: a tenant wrote a line of the log");
        for tenant in [&victim, &attacker] {
            assert!(!log.contains(tenant.text()), "U08: a token is in the log");
        }
    }
}

/// U09: a tenant whose own calls wait, or that holds what it may not use, keeps no other tenant waiting.
#[tokio::test(flavor = "multi_thread")]
async fn tenants_that_wait_or_send_slowly_do_not_delay_others() {
    const SOON: Duration = Duration::from_secs(10);
    let (victim, attacker) = (Tenant::new("victim"), Tenant::new("attacker"));
    let viewer = Tenant::with_token("viewer", "scope = \"read-only\"");
    let settings =
        ["--max-sessions=2", "--queue=10", "--queue-timeout=40s", "--snapshot-transfers=1", "--metrics-tokens=none"];
    let server = Server::start(&[&victim, &attacker, &viewer], &settings).await;
    let proxy = &server.proxy;
    server.ok(&victim, "GET", "/json/list", Value::Null).await;
    let only = proxy.connect_to(&format!("/?token={}", attacker.text())).await;

    // There is no place for the attacker's session of HTTP calls; the victim has its own already.
    let waits = server.ask(&attacker, "GET", "/json/list", Value::Null);
    let listed = async {
        eventually("the attacker waits", async || proxy.figure("sessions_queued").await == 1).await;
        tokio::time::timeout(SOON, server.ok(&victim, "GET", "/json/list", Value::Null)).await
    };
    tokio::select! {
        answer = waits => panic!("U09: the attacker should have waited: {} {}", answer.status, answer.body),
        listed = listed => drop(listed.expect("U09: a tenant waited for the place of another")),
    }
    drop(only);

    // A token that may import nothing begins imports and does not send them.
    let mut slow = Vec::new();
    for kind in ["application/json", "application/x-ndjson"] {
        let mut socket = TcpStream::connect(proxy.address()).await.expect("it accepts");
        let head = format!(
            "POST /v1/snapshots HTTP/1.1\r\nHost: {}\r\nx-api-key: {}\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n",
            proxy.address(),
            viewer.text()
        );
        socket.write_all(head.as_bytes()).await.expect("sent");
        slow.push(socket);
    }
    // Requests that come later: those above have been read.
    for _ in 0..3 {
        server.ok(&viewer, "GET", "/v1/sessions", Value::Null).await;
    }
    let state = json!({ "storageState": { "cookies": [], "origins": [] } });
    let imported = server.ask(&victim, "POST", "/v1/snapshots", state);
    let imported = tokio::time::timeout(SOON, imported).await.expect("U09: a tenant waited for the room of another");
    assert_eq!(imported.status, 201, "U09: {}", imported.body);
    assert_eq!(text(&body_of(&imported)["snapshot"], "id").len(), 36);
}

/// U12: a tenant that sends its imports slowly, more of them than may run at a time, keeps no other tenant waiting.
#[tokio::test(flavor = "multi_thread")]
async fn slow_imports_give_way_to_another_tenant() {
    let (victim, attacker) = (Tenant::new("victim"), Tenant::new("attacker"));
    let settings = ["--snapshot-transfers=1", "--snapshot-upload-time=500ms", "--queue-timeout=60s"];
    let server = Server::start(&[&victim, &attacker], &settings).await;
    let proxy = &server.proxy;
    for kind in ["application/json", "application/x-ndjson"] {
        let mut slow = Vec::new();
        for _ in 0..3 {
            let mut socket = TcpStream::connect(proxy.address()).await.expect("it accepts");
            let head = format!(
                "POST /v1/snapshots HTTP/1.1\r\nHost: {}\r\nx-api-key: {}\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n{{",
                proxy.address(),
                attacker.text()
            );
            socket.write_all(head.as_bytes()).await.expect("sent");
            slow.push(socket);
        }
        // Requests that come later: those above have been read.
        for _ in 0..3 {
            server.ok(&attacker, "GET", "/v1/sessions", Value::Null).await;
        }
        let state = json!({ "storageState": { "cookies": [], "origins": [] } });
        let imported = server.ask(&victim, "POST", "/v1/snapshots", state);
        let imported = tokio::time::timeout(Duration::from_secs(15), imported).await;
        let imported = imported.expect("U12: a tenant waited for the slow imports of another");
        assert_eq!(imported.status, 201, "U12: {}", imported.body);
    }
}

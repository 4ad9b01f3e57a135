//! The life of sessions as clients see it: codes and reasons of their ends, admission, the queue;
//! and that all session counts agree.

use std::{collections::HashSet, time::Duration};

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::{
    browsers::Browser,
    client::{Client, DEADLINE, text},
    proxy::{Proxy, eventually, size},
    reconnect::{id_of, parked, session},
};

/// Pseudorandom numbers with a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        // xorshift64, Marsaglia 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).expect("below a usize")
    }
}

/// Status and body of a refusal.
pub(crate) fn problem(refusal: &str) -> (u16, Value) {
    let (status, body) = refusal.split_once(" {").unwrap_or_else(|| panic!("no problem: {refusal}"));
    let status = status.split(' ').next().and_then(|status| status.parse().ok());
    (status.expect("a status"), serde_json::from_str(&format!("{{{body}")).expect("JSON"))
}

/// RFC 6455 §5.5.1: who closes a connection is answered by a close frame.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closes_is_answered() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let stream = TcpStream::connect(proxy.address()).await.expect("a connection");
    let url = format!("ws://{}/", proxy.address());
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("a WebSocket");
    socket.close(Some(CloseFrame { code: CloseCode::Away, reason: "bye".into() })).await.expect("a close frame");
    let answer = timeout(DEADLINE, async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame,
                Some(Ok(_)) => {}
                ended => panic!("no close frame: {ended:?}"),
            }
        }
    });
    let frame = answer.await.expect("an answer in time");
    assert_eq!(frame.map(|frame| frame.code), Some(CloseCode::Away));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_end_has_its_code_and_reason() {
    // Often enough that pings would keep the idle session, and not so often that a client on a busy machine misses two.
    let proxy = Proxy::start(Browser::any(), &["--ping-interval", "500ms"]).await;
    let observer = proxy.connect().await;

    let idle = proxy.connect_to("/?idle_timeout=2000&keep_alive=1m").await;
    let id = id_of(&idle).await;
    // Messages from Chrome do not count as activity: the page logs all the time.
    let page = idle.page().await;
    idle.ok(Some(&page.session), "Runtime.enable", json!({})).await;
    idle.evaluate(&page.session, "setInterval(() => console.log('tick'), 10); 1").await;
    let end = idle.end().await;
    assert!(end.starts_with("4002 idle") && end.contains("2s"), "{end}");
    let refused = proxy.refusal(&format!("/devtools/browser/{id}")).await;
    let (status, problem) = problem(&refused);
    assert_eq!((status, &problem["type"]), (404, &json!("urn:ghostmux:no-session")));
    assert!(
        text(&problem, "detail").contains("s ago: idle") && text(&problem, "reason").starts_with("idle"),
        "{problem}"
    );

    let timed = proxy.connect_to("/?timeout=2500ms&keep_alive=1m").await;
    timed.ok(None, "ghost.enable", json!({ "expiringNotice": 2300 })).await;
    let expiring = timed.event("ghost.sessionExpiring").await;
    assert_eq!(expiring["params"]["deadline"], "timeout");
    assert!(expiring["params"]["remaining"].as_u64().is_some_and(|left| left <= 2300), "{expiring}");
    let end = timed.end().await;
    assert!(end.starts_with("4001 expired"), "{end}");

    let kept = proxy.connect_to("/?keep_alive=300").await;
    let id = id_of(&kept).await;
    drop(kept);
    let gone = async || observer.call("ghost.getSession", json!({ "id": id })).await.is_err();
    eventually("no client came back in time", gone).await;
    let (code, words) = observer.call("ghost.getSession", json!({ "id": id })).await.expect_err("it is over");
    assert!(code == -32000 && words.contains("no client came back within the keep_alive of 300ms"), "{code} {words}");

    let parks = proxy.connect().await;
    let id = id_of(&parks).await;
    let given = parks.ok(None, "ghost.park", json!({ "keepAlive": 60_000 })).await["session"].clone();
    assert_eq!((&given["id"], &given["keepAlive"]), (&json!(id), &json!(60_000)));
    assert_eq!(parks.end().await, format!("1000 ws://{}/devtools/browser/{id}", proxy.address()));
    parked(&observer, &id).await;

    // Closed by another client.
    observer.ok(None, "ghost.closeSession", json!({ "id": id })).await;
    assert!(observer.call("ghost.getSession", json!({ "id": id })).await.is_err());
    let own = proxy.connect_to("/?keep_alive=1m").await;
    assert_eq!(own.ok(None, "ghost.closeSession", json!({})).await, json!({}));
    assert!(own.end().await.starts_with("1000 "), "{:?}", own.closed());
    // `Browser.close` ends the session, also with `keep_alive`.
    let closes = proxy.connect_to("/?keep_alive=1m").await;
    let id = id_of(&closes).await;
    closes.ok(None, "Browser.close", json!({})).await;
    assert!(closes.end().await.starts_with("1000 "));
    assert!(observer.call("ghost.getSession", json!({ "id": id })).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_without_pong_are_disconnected() {
    let proxy = Proxy::start(Browser::any(), &["--ping-interval", "100ms"]).await;
    let observer = proxy.connect().await;
    let client = proxy.connect_to("/?keep_alive=1m").await;
    let id = id_of(&client).await;
    // The operating system still reads from the socket, but the client does not answer.
    client.read(false);
    parked(&observer, &id).await;
    // A client that answers pings stays connected, even if it sends nothing else.
    assert_eq!(session(&observer, &id_of(&observer).await).await["state"], "active");
    client.read(true);
    assert!(client.end().await.starts_with("4008 no answer to pings"), "{:?}", client.closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_settings_are_refused_and_change_nothing() {
    let flags = ["--timeout-max", "1h", "--idle-timeout-max", "10m", "--keep-alive-max", "5m"];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    let client = proxy.connect().await;
    let before = client.ok(None, "ghost.getSession", json!({})).await;
    assert_eq!(before["session"]["timeout"], 3_600_000, "a limit of the server's holds for who asks for none");
    for (params, named) in [
        (json!({ "timeout": -1 }), "timeout"),
        (json!({ "timeout": 0 }), "timeout"),
        (json!({ "idleTimeout": 600_001 }), "idleTimeout"),
        (json!({ "name": "ok", "keepAlive": 1e12 }), "keepAlive"),
        (json!({ "name": "x".repeat(201) }), "name"),
        (json!({ "metadata": { "k": "v".repeat(4097) } }), "metadata"),
        (json!({ "name": "ok", "colour": 1 }), "colour"),
        (json!({ "name": null }), "name"),
    ] {
        let (code, words) = client.call("ghost.updateSession", params.clone()).await.expect_err("refused");
        assert!(code == -32602 && words.contains(named), "{params}: {code} {words}");
    }
    assert_eq!(client.ok(None, "ghost.getSession", json!({})).await["session"]["name"], Value::Null);
    for id in ["nobody-0", "", "../../x"] {
        let (code, words) = client.call("ghost.closeSession", json!({ "id": id })).await.expect_err("refused");
        assert_eq!(
            (code, words),
            (-32000, format!("no such session {id}; there was none, or its last client left it or closed it"))
        );
    }
    for (query, named) in
        [("timeout=2h", "timeout"), ("keep_alive=6m", "keepAlive"), ("idle_timeout=x", "idle_timeout")]
    {
        let (status, problem) = problem(&proxy.refusal(&format!("/?{query}")).await);
        assert!(status == 400 && problem["field"] == named, "{query}: {problem}");
    }
    let made = client.ok(None, "ghost.createSession", json!({ "id": "my-own.id", "name": "made" })).await;
    assert_eq!((&made["session"]["id"], &made["session"]["state"]), (&json!("my-own.id"), &json!("parked")));
    for id in ["my-own.id", "short", "a b c d e f g"] {
        assert!(client.call("ghost.createSession", json!({ "id": id })).await.is_err(), "{id}");
    }
    client.ok(None, "ghost.closeSession", json!({ "id": "my-own.id" })).await;
    let (_, words) = client.call("ghost.createSession", json!({ "id": "my-own.id" })).await.expect_err("used");
    assert!(words.contains("is in use or was used before"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queued_clients_are_admitted_in_order_and_leave_when_they_hang_up() {
    let flags = ["--max-sessions", "1", "--queue", "1", "--queue-timeout", "20s"];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    let waiting = async |proxy: &Proxy| {
        let metrics = proxy.http("GET", "/metrics", &[], "").await.body;
        let line = metrics.lines().find(|line| line.starts_with("ghostmux_sessions_queued ")).map(str::to_owned);
        line.and_then(|line| line.split(' ').nth(1)?.parse::<u32>().ok()).expect("a figure")
    };
    let first = proxy.connect().await;
    let (next, ()) = tokio::join!(proxy.try_connect_to("/"), async {
        eventually("one client waits", async || waiting(&proxy).await == 1).await;
        let (status, full) = problem(&proxy.refusal("/").await);
        assert_eq!((status, &full["type"]), (503, &json!("urn:ghostmux:queue-full")));
        assert_eq!((&full["limit"], &full["most"], &full["waiting"]), (&json!("max_sessions"), &json!(1), &json!(1)));
        drop(first);
    });
    let second = next.expect("its turn came");
    second.ok(None, "Browser.getVersion", json!({})).await;
    // A client that hangs up leaves the queue, and the next one is not delayed.
    let gives_up = tokio::time::timeout(Duration::from_millis(300), proxy.try_connect_to("/")).await;
    assert!(gives_up.is_err(), "there was no place");
    eventually("no client waits", async || waiting(&proxy).await == 0).await;
    drop(second);
    proxy.connect().await.ok(None, "Browser.getVersion", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_measured_without_visible_events() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let client = proxy.connect().await;
    client.ok(None, "Target.setDiscoverTargets", json!({ "discover": true })).await;
    let page = client.page().await;
    let grown = "globalThis.big = Array.from({ length: 500000 }, (_, n) => ({ n })); \
                 for (let n = 0; n < 1000; n++) document.body.append(document.createElement('p')); 1";
    client.evaluate(&page.session, grown).await;
    let frames = client.frames().len();
    let usage = client.ok(None, "ghost.getUsage", json!({})).await["usage"].clone();
    let figure = |name: &str| {
        let whole = usage[name].as_u64().and_then(|figure| usize::try_from(figure).ok());
        whole.unwrap_or_else(|| panic!("no {name} in {usage}"))
    };
    assert!(figure("jsHeapUsed") > 8_000_000 && figure("domNodes") >= 1000 && figure("cpuTime") > 0, "{usage}");
    assert_eq!((figure("pages"), figure("pagesMost")), (2, 2), "with the one that every session has");
    let sent: Vec<_> = client.frames().into_iter().filter(|frame| frame.sent).collect();
    assert_eq!((figure("framesIn"), figure("commands")), (sent.len(), sent.len()));
    assert_eq!(figure("bytesIn"), sent.iter().map(|frame| frame.text.len()).sum::<usize>());
    assert!(figure("framesOut") >= frames - sent.len() && figure("events") >= 3, "{usage}");
    // Only the request and its reply: no other frame came.
    assert_eq!(client.frames().len(), frames + 2);
}

/// Sessions are parked and resumed in random order.
#[tokio::test(flavor = "multi_thread")]
async fn randomly_parked_and_resumed_sessions_leave_nothing() {
    let most = size(30, 300);
    let proxy = Proxy::start(Browser::any(), &["--warm", "2"]).await;
    // A context is counted before its page exists; `sessions_warm` counts a warm lease once it is
    // complete.
    let gauges = async || {
        let body = proxy.http("GET", "/metrics", &[], "").await.body;
        let names =
            ["sessions", "sessions_parked", "views", "contexts", "targets", "cdp_sessions", "calls", "sessions_warm"];
        names.map(|name| {
            let line = body.lines().find_map(|line| line.strip_prefix(&format!("ghostmux_{name} ")));
            line.and_then(|value| value.parse::<usize>().ok()).unwrap_or_else(|| panic!("no {name}"))
        })
    };
    // Chrome may still announce a target of a warm lease that is already counted.
    let (mut before, mut same) = ([0; 8], 0);
    eventually("the warm leases, and no new target", async || {
        let last = std::mem::replace(&mut before, gauges().await);
        same = if before == last && before[3] == 2 && before[6] == 0 && before[7] == 2 { same + 1 } else { 0 };
        same == 50
    })
    .await;
    let observer = proxy.connect().await;
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut there: Vec<(String, Client)> = Vec::new();
    let mut gone: Vec<(String, u64)> = Vec::new();
    let mut made = 0;
    let (mut turns, most_turns) = (0, most * 3);
    while turns < most_turns {
        turns += 1;
        match random.below(10) {
            0..4 if made < most => {
                let client = proxy.connect_to("/?keep_alive=5m").await;
                let id = id_of(&client).await;
                made += 1;
                there.push((id, client));
            }
            4..7 if !there.is_empty() => {
                let (id, client) = there.swap_remove(random.below(there.len()));
                let targets = client.ok(None, "Target.getTargets", json!({})).await;
                let target = text(&targets["targetInfos"][0], "targetId");
                let page = client.attach(None, &target).await;
                let marker = random.0 >> 12;
                client.evaluate(&page, &format!("globalThis.marker = {marker}")).await;
                if random.below(2) == 0 {
                    client.ok(None, "ghost.park", json!({})).await;
                } else {
                    drop(client);
                }
                gone.push((id, marker));
            }
            _ if !gone.is_empty() => {
                let (id, marker) = gone.swap_remove(random.below(gone.len()));
                parked(&observer, &id).await;
                let client = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
                let targets = client.ok(None, "Target.getTargets", json!({})).await;
                let page = client.attach(None, &text(&targets["targetInfos"][0], "targetId")).await;
                assert_eq!(client.evaluate(&page, "marker").await, marker);
                there.push((id, client));
            }
            _ => {}
        }
    }
    // All counts of sessions agree: the list, the metrics, and the contexts in Chrome.
    for (id, _) in &gone {
        parked(&observer, id).await;
    }
    let listed = observer.ok(None, "ghost.listSessions", json!({ "limit": 1000 })).await;
    let listed = listed["sessions"].as_array().expect("a list").clone();
    let of_state = |state: &str| listed.iter().filter(|session| session["state"] == state).count();
    assert_eq!((of_state("active"), of_state("parked")), (there.len() + 1, gone.len()));
    eventually("all counts agree", async || {
        let [sessions, parked, views, contexts, ..] = gauges().await;
        sessions == listed.len() && parked == gone.len() && views == there.len() + 1 && contexts == sessions + 2
    })
    .await;
    let ids: HashSet<String> = listed.iter().map(|session| text(session, "id")).collect();
    assert!(gone.iter().all(|(id, _)| ids.contains(id)) && there.iter().all(|(id, _)| ids.contains(id)));
    for (id, _) in &gone {
        observer.ok(None, "ghost.closeSession", json!({ "id": id })).await;
    }
    for (_, client) in &there {
        client.ok(None, "Browser.close", json!({})).await;
    }
    drop((there, observer));
    // Chrome closes the pages of one session after the other, so the test waits while there is progress.
    let (mut now, mut targets) = ([0; 8], usize::MAX);
    let mut is_back = false;
    while !is_back {
        let progress = eventually("fewer targets", async || {
            now = gauges().await;
            is_back = now == before;
            is_back || now[4] < targets
        });
        if tokio::time::timeout(Duration::from_secs(18), progress).await.is_err() {
            break;
        }
        targets = now[4];
    }
    assert!(
        is_back,
        "sessions, parked, views, contexts, targets, CDP sessions, calls, warm: {now:?}, before {before:?}"
    );
}

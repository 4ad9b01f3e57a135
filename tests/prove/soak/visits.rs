//! The kinds of visits.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{
    LONGEST, Stage,
    client::{Client, End},
};
use crate::random::Random;

/// A kind of visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A session with one page, which ends with its client.
    Quick,
    /// The client leaves, comes back, and finds its page.
    Parked,
    /// The session is hibernated while the client is away.
    Hibernated,
    /// Two clients on one session; one leaves earlier.
    Shared,
    /// A snapshot is saved, and another session begins with it.
    Saved,
    /// The session is cloned.
    Cloned,
    /// The socket is dropped half-way.
    Dropped,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] =
        [Self::Quick, Self::Parked, Self::Hibernated, Self::Shared, Self::Saved, Self::Cloned, Self::Dropped];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Parked => "parked",
            Self::Hibernated => "hibernated",
            Self::Shared => "shared",
            Self::Saved => "saved",
            Self::Cloned => "cloned",
            Self::Dropped => "dropped",
        }
    }

    /// Most visits are quick.
    pub(crate) fn pick(random: &mut Random) -> Self {
        match random.below(20) {
            0..=8 => Self::Quick,
            9..=11 => Self::Dropped,
            12 | 13 => Self::Parked,
            14 | 15 => Self::Shared,
            16 | 17 => Self::Hibernated,
            18 => Self::Saved,
            _ => Self::Cloned,
        }
    }
}

/// Makes one visit. `Err` says why it did not come to its end; nothing of it is left then either.
pub(crate) async fn visit(stage: &Stage, kind: Kind, random: &mut Random) -> Result<(), End> {
    let mut left = Left::default();
    let mark = format!("{:x}", random.next());
    let visited = match kind {
        Kind::Quick => quick(stage, random).await,
        Kind::Parked => parked(stage, random, &mark, &mut left).await,
        Kind::Hibernated => hibernated(stage, random, &mark, &mut left).await,
        Kind::Shared => shared(stage, random, &mark).await,
        Kind::Saved => saved(stage, &mark, &mut left).await,
        Kind::Cloned => cloned(stage, random, &mark, &mut left).await,
        Kind::Dropped => dropped(stage, random).await,
    };
    for path in left.0 {
        let status = stage.proxy.http("DELETE", &path, &[], "").await.status;
        if status != 204 && !(visited.is_err() && status == 404) && !is_lost(stage, status) {
            stage.fault(format!("{}: DELETE {path} was answered {status}", kind.name()));
        }
    }
    visited
}

/// A session ends with a browser that is killed between its last command and its end.
fn is_lost(stage: &Stage, status: u16) -> bool {
    let kills = stage.kills.lock().expect("no panic");
    status == 404 && kills.last().is_some_and(|kill| kill.at.elapsed() < LONGEST)
}

/// What the visitor ends by request when it is done.
#[derive(Default)]
struct Left(Vec<String>);

impl Left {
    fn session(&mut self, session: &Value) -> String {
        let id = session["id"].as_str().unwrap_or_default();
        self.0.push(format!("/v1/sessions/{id}"));
        format!("/devtools/browser/{id}")
    }
}

async fn pause(random: &mut Random, most: usize) {
    tokio::time::sleep(Duration::from_millis(random.below(most) as u64)).await;
}

/// A request that must succeed.
async fn ask(stage: &Stage, method: &str, path: &str, body: Value, browser: Option<u64>) -> Result<Value, End> {
    let since = Instant::now();
    let answer = stage.proxy.http(method, path, &[("Content-Type", "application/json")], &body.to_string()).await;
    stage.waited("a request", since);
    if !(200..300).contains(&answer.status) {
        let why = format!("{} {method} {path}: {}", answer.status, answer.body);
        return Err(End { what: "a request", why, browser, since });
    }
    Ok(serde_json::from_str(&answer.body).unwrap_or_default())
}

async fn quick(stage: &Stage, random: &mut Random) -> Result<(), End> {
    let mut client = Client::open(stage, "/").await?;
    let page = client.page().await?;
    for _ in 0..random.below(4) {
        client.evaluate(&page, "document.title.length").await?;
        pause(random, 100).await;
    }
    if random.once_in(2) {
        client.call(None, "Browser.close", json!({})).await?;
    }
    Ok(())
}

async fn parked(stage: &Stage, random: &mut Random, mark: &str, left: &mut Left) -> Result<(), End> {
    let mut client = Client::open(stage, "/?keep_alive=2m").await?;
    let (browser, path) = (client.browser, left.session(&json!({ "id": client.id })));
    let page = client.page().await?;
    client.mark(&page, mark).await?;
    drop(client);
    pause(random, 2_000).await;
    // It may have moved to another browser, if its own was recycled.
    let mut client = Client::reopen(stage, &path, browser).await?;
    let page = client.page_again().await?;
    client.is_marked(&page, mark).await
}

async fn hibernated(stage: &Stage, random: &mut Random, mark: &str, left: &mut Left) -> Result<(), End> {
    let wanted = json!({ "keepAlive": 120_000, "hibernateAfter": 100 });
    let session = ask(stage, "POST", "/v1/sessions", wanted, None).await?;
    let path = left.session(&session);
    let mut client = Client::reopen(stage, &path, session["browser"].as_u64()).await?;
    let browser = client.browser;
    let page = client.page().await?;
    client.mark(&page, mark).await?;
    let id = client.id.clone();
    drop(client);
    let since = Instant::now();
    loop {
        let session = ask(stage, "GET", &format!("/v1/sessions/{id}"), Value::Null, browser).await?;
        if session["state"] == "hibernated" {
            break;
        }
        if since.elapsed() > LONGEST {
            let why = format!("it is not hibernated after {LONGEST:?}: {session}");
            return Err(End { what: "hibernation", why, browser, since });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    pause(random, 1_000).await;
    // It is in no browser: what becomes of its old one does not matter any more.
    let mut client = Client::reopen(stage, &path, None).await?;
    let page = client.page_again().await?;
    client.is_marked(&page, mark).await
}

async fn shared(stage: &Stage, random: &mut Random, mark: &str) -> Result<(), End> {
    let mut one = Client::open(stage, "/").await?;
    let page = one.page().await?;
    let path = format!("/devtools/browser/{}", one.id);
    let mut other = Client::reopen(stage, &path, one.browser).await?;
    let same = other.page_again().await?;
    one.mark(&page, mark).await?;
    other.is_marked(&same, mark).await?;
    if random.once_in(2) {
        drop(one);
        pause(random, 300).await;
        other.is_marked(&same, mark).await
    } else {
        drop(other);
        pause(random, 300).await;
        one.is_marked(&page, mark).await
    }
}

async fn saved(stage: &Stage, mark: &str, left: &mut Left) -> Result<(), End> {
    let mut client = Client::open(stage, "/").await?;
    let page = client.page().await?;
    client.mark(&page, mark).await?;
    let path = format!("/v1/sessions/{}/snapshots", client.id);
    let saved = ask(stage, "POST", &path, json!({}), client.browser).await?;
    let snapshot = &saved["snapshot"]["id"];
    left.0.push(format!("/v1/snapshots/{}", snapshot.as_str().unwrap_or_default()));
    drop(client);
    let session = ask(stage, "POST", "/v1/sessions", json!({ "snapshot": snapshot }), None).await?;
    let path = left.session(&session);
    let mut client = Client::reopen(stage, &path, session["browser"].as_u64()).await?;
    let page = client.page_again().await?;
    client.is_marked(&page, mark).await
}

async fn cloned(stage: &Stage, random: &mut Random, mark: &str, left: &mut Left) -> Result<(), End> {
    let mut client = Client::open(stage, "/").await?;
    let page = client.page().await?;
    client.mark(&page, mark).await?;
    let path = format!("/v1/sessions/{}/clone", client.id);
    let since = Instant::now();
    let made = match ask(stage, "POST", &path, json!({ "count": 2 }), client.browser).await {
        // The clone may be made in another browser.
        Err(end) if end.browser.is_none_or(|browser| stage.killed(browser).is_none()) => {
            return Err(End { browser: None, since, ..end });
        }
        made => made?,
    };
    drop(client);
    let sessions = made["sessions"].as_array().cloned().unwrap_or_default();
    let paths: Vec<(String, Option<u64>)> =
        sessions.iter().map(|session| (left.session(session), session["browser"].as_u64())).collect();
    for (path, browser) in paths {
        let mut client = Client::reopen(stage, &path, browser).await?;
        let page = client.page_again().await?;
        client.is_marked(&page, mark).await?;
        pause(random, 100).await;
    }
    Ok(())
}

/// A socket that is dropped in the middle of something. Nobody waits for it, so nothing can fail.
async fn dropped(stage: &Stage, random: &mut Random) -> Result<(), End> {
    match random.below(4) {
        0 => raw(stage, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgr").await,
        1 => {
            let upgrade = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
            // The head of a frame of a megabyte, and its first bytes.
            let frame = [0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, b'{', b'"'];
            raw(stage, &[upgrade.as_bytes(), &frame].concat()).await;
        }
        2 => {
            let mut client = Client::open(stage, "/").await?;
            for _ in 0..3 {
                let url = stage.site.url("/page?dropped");
                client.tell(None, "Target.createTarget", json!({ "url": url })).await;
            }
            pause(random, 30).await;
        }
        _ => {
            let mut client = Client::open(stage, "/").await?;
            let page = client.page().await?;
            let params = json!({ "expression": "'x'.repeat(1e6)", "returnByValue": true });
            client.tell(Some(&page), "Runtime.evaluate", params).await;
            pause(random, 10).await;
        }
    }
    Ok(())
}

async fn raw(stage: &Stage, bytes: &[u8]) {
    if let Ok(mut socket) = TcpStream::connect(stage.proxy.address()).await {
        let _ = socket.write_all(bytes).await;
        let _ = socket.shutdown().await;
    }
}

//! `Site`: a small web site on loopback whose pages contain a marker.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

use crate::client::DEADLINE;

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Path and query.
    pub(crate) path: String,
    /// The whole head of the request.
    #[allow(dead_code, reason = "the taint proof searches it for foreign markers")]
    pub(crate) head: String,
}

#[derive(Default)]
struct State {
    requests: Mutex<Vec<Request>>,
    arrived: Notify,
    released: Notify,
}

/// A running site. Dropping it stops it.
pub(crate) struct Site {
    address: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(State::default());
        let served = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, served.clone()));
            }
        });
        Self { address, state, task }
    }

    /// The URL of a path of this site.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The URL of a path of this site at another host name, such as `a.localhost`.
    pub(crate) fn url_at(&self, host: &str, path: &str) -> String {
        let port = self.address.rsplit(':').next().unwrap_or_default();
        format!("http://{host}:{port}{path}")
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().expect("no panic").clone()
    }

    /// Waits for a request whose path ends with this text.
    pub(crate) async fn arrived(&self, end: &str) {
        let arrived = async {
            loop {
                let news = self.state.arrived.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if self.requests().iter().any(|request| request.path.ends_with(end)) {
                    return;
                }
                news.await;
            }
        };
        let waited = tokio::time::timeout(DEADLINE, arrived).await;
        waited.unwrap_or_else(|_| panic!("no request for …{end}: {:?}", self.requests()));
    }

    /// Ends the pending `/slow` and begins `/late`.
    pub(crate) fn release(&self) {
        self.state.released.notify_waiters();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The head of a request, if the client sends one.
pub(crate) async fn head_of(socket: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    while !read.windows(4).any(|end| end == b"\r\n\r\n") {
        match socket.read_buf(&mut read).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
    Some(String::from_utf8_lossy(&read).into_owned())
}

async fn serve(mut socket: TcpStream, state: Arc<State>) {
    let Some(head) = head_of(&mut socket).await else { return };
    let path = head.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or("/").to_owned();
    // Subscribed before the request is recorded, so that a test that saw the request can release
    // it.
    let released = state.released.notified();
    tokio::pin!(released);
    released.as_mut().enable();
    state.requests.lock().expect("no panic").push(Request { path: path.clone(), head: head.clone() });
    state.arrived.notify_waiters();
    let (name, query) = path.split_once('?').unwrap_or((&path, ""));
    let wait = name == "/slow";
    let is_locked = name == "/private" && !head.contains("\r\nAuthorization: Basic YWRhOnNlY3JldA==\r\n");
    let (status, kind, more, body) = if is_locked { locked() } else { answer(name, query) };
    // A waiting download announces one byte more than it has sent.
    let length = body.len() + usize::from(wait);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\
         Cache-Control: no-store\r\n{more}\r\n"
    );
    if name == "/late" {
        released.as_mut().await;
    }
    let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
    if wait {
        released.await;
        let _ = socket.write_all(b".").await;
    }
    let _ = socket.shutdown().await;
}

/// The answer to who does not know the password: ada, secret.
fn locked() -> (&'static str, &'static str, String, String) {
    let ask = "WWW-Authenticate: Basic realm=\"test\"\r\n".to_owned();
    ("401 Unauthorized", "text/html", ask, "<title>locked</title>".to_owned())
}

fn answer(name: &str, query: &str) -> (&'static str, &'static str, String, String) {
    const SCRIPT: &str = "text/javascript";
    let ok = "200 OK";
    match name {
        "/worker.js" => (ok, SCRIPT, String::new(), "onmessage = event => postMessage(event.data)".to_owned()),
        "/shared.js" => (
            ok,
            SCRIPT,
            String::new(),
            "onconnect = event => event.ports[0].onmessage = said => event.ports[0].postMessage(said.data)".to_owned(),
        ),
        "/service.js" => (
            ok,
            SCRIPT,
            String::new(),
            "oninstall = () => skipWaiting(); onactivate = event => event.waitUntil(clients.claim())".to_owned(),
        ),
        "/download" | "/slow" => {
            let named = format!("Content-Disposition: attachment; filename=\"{}\"\r\n", query.replace('"', ""));
            (ok, "application/octet-stream", named, "x".repeat(100_000))
        }
        "/storage" => (ok, "text/html", String::new(), include_str!("../../fixtures/storage.html").to_owned()),
        "/interaction" => (ok, "text/html", String::new(), include_str!("../../fixtures/interaction.html").to_owned()),
        "/cookies" => {
            let cookies = [
                "plain=1",
                "hidden=2; HttpOnly; SameSite=Strict; Max-Age=100000; Path=/deep",
                "wide=3; Domain=a.localhost; SameSite=Lax; Priority=High",
                "part=4; Secure; SameSite=None; Partitioned; Path=/",
                "odd=\"a b\", c=d; SameSite=None; Secure; Priority=Low",
            ];
            let set = cookies.iter().fold(String::new(), |set, cookie| format!("{set}Set-Cookie: {cookie}\r\n"));
            (ok, "text/html", set, format!("<link rel=icon href=\"data:,\"><title>cookies</title>{query}"))
        }
        "/redirect" => ("302 Found", "text/plain", format!("Location: {query}\r\n"), String::new()),
        // A page that sets the query as its cookie and reports to its site when it runs. It names
        // an icon, because Chrome would otherwise request one at any time during a test.
        _ => {
            let cookie = if query.is_empty() { String::new() } else { format!("Set-Cookie: marker={query}\r\n") };
            let body = format!(
                "<!doctype html><link rel=icon href=\"data:,\"><title>title-{query}</title><body>body-{query}</body>\
                 <script>new BroadcastChannel('loaded').postMessage('{query}')</script>"
            );
            (ok, "text/html", cookie, body)
        }
    }
}

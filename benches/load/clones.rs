//! A small logged-in session: the time to save it, to copy it, to start from it, and to restore it
//! from hibernation.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Bench,
    cdp::{Page, Root, text},
    sides::Endpoint,
    table::{Budget, Row, Section, median, percentile},
};

/// Long enough to replace a warm lease and to dispose of the last session.
const SPACE: Duration = Duration::from_millis(400);
/// Time limit of every step.
const PATIENCE: Duration = Duration::from_secs(30);
const COPIES: usize = 20;
/// A login as Firebase stores it, and a CSRF token.
const LOG_IN: &str = "new Promise((done, failed) => {
    localStorage.theme = 'dark';
    sessionStorage.csrf = 'c'.repeat(32);
    const open = indexedDB.open('firebaseLocalStorageDb', 1);
    open.onupgradeneeded = () => open.result.createObjectStore('firebaseLocalStorage', { keyPath: 'fbase_key' });
    open.onerror = () => failed(open.error);
    open.onsuccess = () => {
        const write = open.result.transaction('firebaseLocalStorage', 'readwrite');
        write.objectStore('firebaseLocalStorage').put({ fbase_key: 'user', value: { token: 't'.repeat(1000), until: new Date() } });
        write.oncomplete = () => { open.result.close(); done('logged in'); };
    };
})";
/// An expression that tells whether the page was restored.
const SEEN: &str = "sessionStorage.csrf?.length === 32 && localStorage.theme === 'dark'";

pub(crate) fn clones(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("A logged-in session: saved, copied, restored", "");
    section.note(
        "One origin with an HttpOnly cookie, localStorage, sessionStorage and a database, and one open page. The site \
         is on the same machine and answers at once; the page of a copy is loaded when the copy is ready.",
    );
    let site = site()?;
    let rounds = if bench.long { 50 } else { 20 };
    let mut session = Session::log_in(&bench.proxy.endpoint, site)?;
    let (mut saves, mut copies, mut begins) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (took, answer) = session.timed("ghost.saveSnapshot", &json!({}))?;
        saves.push(took);
        let id = text(&answer["snapshot"]["id"])?;
        thread::sleep(SPACE);
        let (took, cloned) = session.timed("ghost.cloneSession", &json!({ "keepAlive": 60_000 }))?;
        copies.push(took);
        session.end_all(&cloned)?;
        thread::sleep(SPACE);
        begins.push(first_page(&bench.proxy.endpoint.at(&format!("/?snapshot={id}")), site)?);
        session.root.call("ghost.deleteSnapshot", &json!({ "snapshot": id }))?;
        thread::sleep(SPACE);
    }
    let mut many = Vec::new();
    for _ in 0..3 {
        let params = json!({ "keepAlive": 60_000, "count": COPIES });
        let (took, cloned) = session.timed("ghost.cloneSession", &params)?;
        many.push(took);
        session.end_all(&cloned)?;
        thread::sleep(SPACE * 4);
    }
    drop(session);
    section.push(Row::own("save, p50", "ms", median(saves), Budget::None));
    section.push(Row::own("clone, p50", "ms", median(copies.clone()), Budget::AtMost(150.0)));
    section.push(Row::own("clone, p95", "ms", percentile(copies, 0.95), Budget::None));
    section.push(Row::own(format!("{COPIES} clones in one call, p50"), "ms", median(many), Budget::None));
    section.push(Row::own("connect with `?snapshot=` to its page, p50", "ms", median(begins), Budget::None));
    section.push(Row::own("connect to a hibernated one to its page, p50", "ms", woken(bench, site)?, Budget::None));
    Ok(section)
}

/// Milliseconds from connecting to a hibernated session to the first reply of its page.
fn woken(bench: &Bench, site: SocketAddr) -> io::Result<f64> {
    let proxy = bench.start_proxy(&["--hibernate-after=50ms"])?;
    let mut watcher = proxy.endpoint.connect()?;
    let session = Session::log_in(&proxy.endpoint, site)?;
    let id = session.id.clone();
    drop(session);
    let mut times = Vec::new();
    for _ in 0..10 {
        let since = Instant::now();
        while watcher.call("ghost.getSession", &json!({ "id": id }))?["session"]["state"] != "hibernated" {
            if since.elapsed() > PATIENCE {
                return Err(io::Error::other("a parked session does not hibernate"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(SPACE);
        times.push(first_page(&proxy.endpoint.at(&format!("/devtools/browser/{id}")), site)?);
    }
    watcher.call("ghost.closeSession", &json!({ "id": id }))?;
    Ok(median(times))
}

/// Milliseconds from the TCP connect until the page reports that it was restored.
fn first_page(endpoint: &Endpoint, site: SocketAddr) -> io::Result<f64> {
    let since = Instant::now();
    let root = endpoint.connect()?;
    let mut page = page_at(root, site)?;
    if page.evaluate(SEEN)?["result"]["value"] != true {
        return Err(io::Error::other("it is not logged in"));
    }
    Ok(since.elapsed().as_secs_f64() * 1e3)
}

fn page_at(mut root: Root, site: SocketAddr) -> io::Result<Page> {
    let targets = root.call("Target.getTargets", &json!({}))?;
    let url = format!("http://{site}/");
    let page = targets["targetInfos"].as_array().into_iter().flatten().find(|info| info["url"] == url.as_str());
    let page = page.ok_or_else(|| io::Error::other(format!("no page at {url} in {targets}")))?;
    root.attach(&text(&page["targetId"])?)
}

/// Creates a logged-in session and a client of it.
struct Session {
    root: Root,
    id: String,
}

impl Session {
    fn log_in(endpoint: &Endpoint, site: SocketAddr) -> io::Result<Self> {
        let mut root = endpoint.at("/?keep_alive=10m").connect()?;
        let id = text(&root.call("ghost.getSession", &json!({}))?["session"]["id"])?;
        let targets = root.call("Target.getTargets", &json!({}))?;
        let page = targets["targetInfos"].as_array().into_iter().flatten().find(|info| info["type"] == "page");
        let page = text(&page.ok_or_else(|| io::Error::other("a session without a page"))?["targetId"])?;
        let attached = root.call("Target.attachToTarget", &json!({ "targetId": page, "flatten": true }))?;
        let attached = text(&attached["sessionId"])?;
        root.call_on(&attached, "Page.navigate", &json!({ "url": format!("http://{site}/") }))?;
        let params = json!({ "expression": LOG_IN, "awaitPromise": true, "returnByValue": true });
        let done = root.call_on(&attached, "Runtime.evaluate", &params)?;
        if done["result"]["value"] != "logged in" {
            return Err(io::Error::other(format!("it did not log in: {done}")));
        }
        Ok(Self { root, id })
    }

    /// Sends a command; also returns its duration in milliseconds.
    fn timed(&mut self, method: &str, params: &Value) -> io::Result<(f64, Value)> {
        let since = Instant::now();
        let answer = self.root.call(method, params)?;
        let took = since.elapsed().as_secs_f64() * 1e3;
        // An incomplete result must not be reported as a figure.
        match &answer["report"]["omitted"] {
            Value::Array(none) if none.is_empty() => Ok((took, answer)),
            omitted => Err(io::Error::other(format!("not all of it was carried: {omitted}"))),
        }
    }

    fn end_all(&mut self, cloned: &Value) -> io::Result<()> {
        for session in cloned["sessions"].as_array().into_iter().flatten() {
            self.root.call("ghost.closeSession", &json!({ "id": session["id"] }))?;
        }
        Ok(())
    }
}

/// A site on loopback, which is served until the process ends.
pub(crate) fn site() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            // Chrome opens some connections in advance.
            thread::spawn(move || serve(socket));
        }
    });
    Ok(address)
}

fn serve(mut socket: TcpStream) -> io::Result<()> {
    let body = "<!doctype html><title>Account</title><link rel=icon href=data:,><p>Account</p>";
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nSet-Cookie: sid=1; HttpOnly; Path=/\r\n\r\n{body}"
    );
    let mut lines = BufReader::new(socket.try_clone()?).lines();
    loop {
        match lines.next() {
            Some(Ok(line)) if line.is_empty() => socket.write_all(answer.as_bytes())?,
            Some(Ok(_)) => {}
            _ => return Ok(()),
        }
    }
}

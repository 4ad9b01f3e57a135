//! The acts of greedy clients, in the sizes that had an effect.

use std::{
    io,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    super::cdp::{Burst, Root, text},
    Act, Greedy, command, http, on_page, shortened,
};

/// All acts, in the order of the table.
pub(crate) const ACTS: [Act; 33] = [
    act("attach", "250 pages, 12,000 CDP sessions on one, 5,000 setAutoAttach calls, then a disconnect", attach),
    act("import", "three snapshots at once, each with one line of 190 MB (plain: nothing)", import),
    act("fields", "a snapshot with 120,000 checkboxes (plain: their `DOMSnapshot`)", fields),
    act("endings", "100 clones that end at once (plain: contexts)", endings),
    act("leaving", "100 clients that leave at once", leaving),
    act("pictures", "ten pictures of 100 million pixels at once", on_page::pictures),
    act("restore", "300 pages from one snapshot (plain: opened at once)", restore),
    act("huge-viewport", "R01: viewports and pictures of 10 million × 10 million", on_page::huge_viewport),
    act("contexts", "R02: 300 contexts, 60 pages", contexts),
    act("unread", "R03: a flood of console events that are not read", on_page::unread),
    act("result", "R04: one result of 200 MB", on_page::result),
    act("commands", "R05: 60,000 commands at once", on_page::commands),
    act("large-commands", "R06: five commands of 40 MB", on_page::large_commands),
    act("hang-up", "R07: 60 clients that make a context and a page and hang up", hang_up),
    act("busy", "R08: six pages with endless loops or dialogs", on_page::busy),
    act("unanswered", "R09: 400,000 commands that are never answered", unanswered),
    act("whole-page", "R10: a screenshot of a whole page of 30,000 × 30,000", on_page::whole_page),
    act("pages", "300 pages opened at once", pages),
    act("connections", "100 clients that connect at once", connections),
    act("tree", "five times the whole tree of a document of 100,000 nodes", on_page::tree),
    act("console", "20,000 console events of 2 KB, read", on_page::console),
    act("heap", "a heap snapshot of two million objects", on_page::heap),
    act("pdf", "a PDF of 500 pages", on_page::pdf),
    act("patterns", "20 × 20,000 patterns of requests to intercept", on_page::patterns),
    act("scripts", "50 scripts of 1 MB for every new document, 20 documents", on_page::scripts),
    act("discover", "32 CDP sessions that discover targets, 1,000 changes", discover),
    act("lists", "2,000 lists of 250 targets", lists),
    act("cookies", "3,000 cookies, read 300 times", cookies),
    act("mouse", "20,000 mouse events", on_page::mouse),
    act("saves", "ten saves at once of a session with 30 pages (plain: their `DOMSnapshot`)", saves),
    act("http-lists", "1,000 × `/json/list`, `/json/version` and `/v1/sessions`", http_lists),
    act("protocol", "50 × `/json/protocol` at once", protocol),
    act("headers", "200 connections with 1 MB of header or without a request", headers),
];

pub(super) const fn act(name: &'static str, what: &'static str, run: fn(&Greedy<'_>) -> io::Result<String>) -> Act {
    Act { name, what, run }
}

pub(super) fn refusals(what: &str, burst: &Burst) -> String {
    match &burst.refusal {
        None => String::new(),
        Some(first) => format!("{} of {what} refused{}", burst.refused, shortened(first)),
    }
}

pub(super) fn joined(parts: &[String]) -> String {
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("; ")
}

/// Sends the same command this many times at once.
pub(super) fn repeat(
    root: &mut Root,
    count: usize,
    session: Option<&str>,
    method: &'static str,
    params: &Value,
) -> io::Result<String> {
    let params = params.to_string();
    let burst =
        root.burst(count, count, Greedy::until(), |id, _| super::super::cdp::command(id, method, &params, session))?;
    Ok(refusals(method, &burst))
}

/// The error of a call, if there is one.
pub(super) fn said(done: io::Result<Value>) -> String {
    done.err().map_or_else(String::new, |error| shortened(&error.to_string()))
}

fn attach(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, context) = greedy.open()?;
    let pages = Greedy::pages(&mut root, &context, greedy.size(250), "about:blank")?;
    greedy.begin();
    let own = json!({ "targetId": pages[0], "flatten": true });
    let attached = repeat(&mut root, greedy.size(12_000), None, "Target.attachToTarget", &own)?;
    let orders = json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
    let ordered = repeat(&mut root, greedy.size(5_000), None, "Target.setAutoAttach", &orders)?;
    Ok(joined(&[attached, ordered]))
}

fn import(greedy: &Greedy<'_>) -> io::Result<String> {
    if !greedy.proxied() {
        thread::sleep(Duration::from_secs(3));
        return Ok(String::new());
    }
    let header = "{\"header\":{\"version\":1,\"browser\":\"HeadlessChrome/148.0.0.0\"}}\n{\"context\":{\"madeByClient\":false}}\n\
                  {\"storage\":{\"key\":\"https://a.test/\"}}\n{\"localStorage\":[[\"a\",\"b\"]";
    let item = ",[\"key\",\"value\"]";
    let times = greedy.size(190_000_000) / item.len();
    let line_end = "]}\n";
    let counts = json!({
        "contexts": 1, "cookies": 0, "origins": 1, "localStorage": times + 1, "sessionStorage": 0, "databases": 0,
        "rows": 0, "pages": 0, "bytes": header.len() + times * item.len() + line_end.len(),
    });
    let tail = format!("{line_end}{}\n", json!({ "end": { "counts": counts, "complete": true } }));
    let post =
        || http::post(greedy.endpoint.address(), "/v1/snapshots", "application/x-ndjson", header, item, times, &tail);
    let statuses = at_once(3, post)?;
    // A part of the line is within `snapshot_line`; the whole line is not, and must be refused.
    let due = if greedy.small { "201" } else { "413" };
    Ok(if statuses == due { String::new() } else { format!("answered {statuses}, where {due} is due") })
}

/// The different statuses of these threads.
fn at_once(count: usize, one: impl Fn() -> io::Result<u16> + Sync) -> io::Result<String> {
    let statuses = thread::scope(|scope| {
        let all: Vec<_> = (0..count).map(|_| scope.spawn(&one)).collect();
        let joined = all.into_iter().map(|one| one.join().map_err(|_| io::Error::other("a thread panicked")));
        joined.collect::<io::Result<Vec<_>>>()
    })?;
    let mut seen: Vec<String> = statuses
        .into_iter()
        .map(|status| status.map_or_else(|error| shortened(&error.to_string()), |status| status.to_string()))
        .collect();
    seen.sort();
    seen.dedup();
    Ok(seen.join(", "))
}

fn fields(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    let html = format!("document.body.innerHTML = '<input type=checkbox checked>'.repeat({}); 0", greedy.size(120_000));
    root.call_on(&page, "Runtime.evaluate", &json!({ "expression": html }))?;
    greedy.begin();
    Ok(said(if greedy.proxied() {
        root.call("ghost.saveSnapshot", &json!({ "parts": ["pages", "formFields"] }))
    } else {
        root.call_on(&page, "DOMSnapshot.captureSnapshot", &json!({ "computedStyles": [] }))
    }))
}

fn endings(greedy: &Greedy<'_>) -> io::Result<String> {
    let count = greedy.size(100);
    let mut root = greedy.endpoint.connect()?;
    let mut ids = Vec::new();
    if greedy.proxied() {
        let cloned = root.call("ghost.cloneSession", &json!({ "keepAlive": 600_000, "count": count }))?;
        for session in cloned["sessions"].as_array().into_iter().flatten() {
            ids.push(text(&session["id"])?);
        }
        greedy.begin();
        let ended = root.burst(ids.len(), ids.len(), Greedy::until(), |id, at| {
            command(id, "ghost.closeSession", &json!({ "id": ids[at] }), None)
        })?;
        // They are disposed of after the reply.
        thread::sleep(Duration::from_secs(if greedy.small { 1 } else { 8 }));
        return Ok(refusals("ghost.closeSession", &ended));
    }
    for _ in 0..count {
        let context = text(&root.call("Target.createBrowserContext", &json!({}))?["browserContextId"])?;
        root.call("Target.createTarget", &json!({ "url": "about:blank", "browserContextId": context }))?;
        ids.push(context);
    }
    greedy.begin();
    let ended = root.burst(ids.len(), ids.len(), Greedy::until(), |id, at| {
        command(id, "Target.disposeBrowserContext", &json!({ "browserContextId": ids[at] }), None)
    })?;
    Ok(refusals("Target.disposeBrowserContext", &ended))
}

fn leaving(greedy: &Greedy<'_>) -> io::Result<String> {
    let clients = (0..greedy.size(100)).map(|_| greedy.endpoint.page()).collect::<io::Result<Vec<_>>>()?;
    greedy.begin();
    drop(clients);
    thread::sleep(Duration::from_secs(if greedy.small { 1 } else { 6 }));
    Ok(String::new())
}

fn restore(greedy: &Greedy<'_>) -> io::Result<String> {
    let count = greedy.size(300);
    let (mut root, context) = greedy.open()?;
    let url = format!("http://{}/", greedy.site);
    if !greedy.proxied() {
        greedy.begin();
        Greedy::pages(&mut root, &context, count, &url)?;
        return Ok(String::new());
    }
    Greedy::pages(&mut root, &context, count, &url)?;
    let saved = root.call("ghost.saveSnapshot", &json!({ "parts": ["pages"] }))?;
    let id = text(&saved["snapshot"]["id"])?;
    drop(root);
    thread::sleep(Duration::from_secs(3));
    greedy.begin();
    let mut again = greedy.endpoint.at(&format!("/?snapshot={id}")).connect()?;
    Ok(said(again.call("Target.getTargets", &json!({}))))
}

fn contexts(greedy: &Greedy<'_>) -> io::Result<String> {
    let mut root = greedy.endpoint.connect()?;
    let mut refused = Vec::new();
    let pages = greedy.size(60);
    for at in 0..greedy.size(300) {
        match root.call("Target.createBrowserContext", &json!({ "disposeOnDetach": true })) {
            Ok(context) if at < pages => {
                let params = json!({ "url": "about:blank", "browserContextId": context["browserContextId"] });
                refused.push(said(root.call("Target.createTarget", &params)));
            }
            made => refused.push(said(made)),
        }
    }
    refused.retain(|one| !one.is_empty());
    Ok(refused.first().map_or_else(String::new, |first| format!("{} refused: {first}", refused.len())))
}

fn hang_up(greedy: &Greedy<'_>) -> io::Result<String> {
    greedy.begin();
    for at in 0..greedy.size(60) {
        let (mut root, context) = greedy.open()?;
        let params = json!({ "url": format!("http://{}/", greedy.site), "browserContextId": context });
        // Some disconnect while their page is being created.
        if at % 3 == 0 {
            root.send("Target.createTarget", &params)?;
        } else {
            root.call("Target.createTarget", &params)?;
        }
    }
    Ok(String::new())
}

fn unanswered(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, context) = greedy.open()?;
    let targets = Greedy::pages(&mut root, &context, 1, "about:blank")?;
    let own = json!({ "targetId": targets[0], "flatten": true });
    let page = text(&root.call("Target.attachToTarget", &own)?["sessionId"])?;
    greedy.begin();
    let never = json!({ "expression": "new Promise(() => {})", "awaitPromise": true });
    // Pending evaluations in the page make all later ones slow, in a plain Chrome too.
    let until = Greedy::until();
    root.burst(greedy.size(400_000), 0, until, |id, at| {
        // Under the client's ids, and under those that the proxy replaces by its own.
        let id = if at % 2 == 0 { id } else { -1 - id };
        command(id, "Runtime.evaluate", &never, Some(&page))
    })?;
    for _ in 0..greedy.size(2_000) {
        if Instant::now() >= until {
            break;
        }
        let session = text(&root.call("Target.attachToTarget", &own)?["sessionId"])?;
        root.call_on(&session, "Runtime.evaluate", &json!({ "expression": "1" }))?;
        root.call("Target.detachFromTarget", &json!({ "sessionId": session }))?;
    }
    repeat(&mut root, greedy.size(20_000), Some(&page), "Runtime.evaluate", &json!({ "expression": "1" }))
}

fn pages(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, context) = greedy.open()?;
    greedy.begin();
    let params = json!({ "url": "about:blank", "browserContextId": context });
    repeat(&mut root, greedy.size(300), None, "Target.createTarget", &params)
}

fn connections(greedy: &Greedy<'_>) -> io::Result<String> {
    greedy.begin();
    let clients = thread::scope(|scope| {
        let all: Vec<_> = (0..greedy.size(100)).map(|_| scope.spawn(|| greedy.endpoint.page())).collect();
        all.into_iter()
            .map(|one| one.join().map_err(|_| io::Error::other("a thread panicked"))?)
            .collect::<io::Result<Vec<_>>>()
    })?;
    drop(clients);
    thread::sleep(Duration::from_secs(2));
    Ok(String::new())
}

fn discover(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    greedy.begin();
    let mut refused = Vec::new();
    for _ in 0..32 {
        match root.call("Target.attachToBrowserTarget", &json!({})) {
            Ok(attached) => {
                let session = text(&attached["sessionId"])?;
                let all = json!({ "discover": true, "filter": [{}] });
                refused.push(said(root.call_on(&session, "Target.setDiscoverTargets", &all)));
            }
            Err(error) => refused.push(shortened(&error.to_string())),
        }
    }
    for at in 0..greedy.size(1_000) {
        let title = format!("document.title = '{at} ' + 'x'.repeat(1000); 0");
        root.call_on(&page, "Runtime.evaluate", &json!({ "expression": title }))?;
    }
    Ok(joined(&refused))
}

fn lists(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, context) = greedy.open()?;
    Greedy::pages(&mut root, &context, greedy.size(250), "about:blank")?;
    greedy.begin();
    repeat(&mut root, greedy.size(2_000), None, "Target.getTargets", &json!({}))
}

fn cookies(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, context) = greedy.open()?;
    greedy.begin();
    let cookie =
        |at: usize| json!({ "name": "n", "value": "v".repeat(200), "domain": format!("s{at}.test"), "path": "/" });
    let all: Vec<Value> = (0..greedy.size(3_000)).map(cookie).collect();
    let set = said(root.call("Storage.setCookies", &json!({ "cookies": all, "browserContextId": context })));
    let params = json!({ "browserContextId": context });
    let read = repeat(&mut root, greedy.size(300), None, "Storage.getCookies", &params)?;
    Ok(joined(&[set, read]))
}

fn saves(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, context) = greedy.open()?;
    let url = format!("http://{}/", greedy.site);
    let pages = Greedy::attach_all(&mut root, &context, greedy.size(30), &url)?;
    greedy.begin();
    if greedy.proxied() {
        return repeat(&mut root, 10, None, "ghost.saveSnapshot", &json!({}));
    }
    let count = pages.len() * 10;
    let params = json!({ "computedStyles": [] });
    let taken = root.burst(count, count, Greedy::until(), |id, at| {
        command(id, "DOMSnapshot.captureSnapshot", &params, Some(&pages[at % pages.len()]))
    })?;
    Ok(refusals("DOMSnapshot.captureSnapshot", &taken))
}

fn http_lists(greedy: &Greedy<'_>) -> io::Result<String> {
    let clients = (0..greedy.size(50)).map(|_| greedy.endpoint.page()).collect::<io::Result<Vec<_>>>()?;
    greedy.begin();
    let address = greedy.endpoint.address();
    for _ in 0..greedy.size(1_000) {
        http::get(address, "/json/list")?;
        http::get(address, "/json/version")?;
        if greedy.proxied() {
            http::get(address, "/v1/sessions")?;
        }
    }
    drop(clients);
    Ok(String::new())
}

fn protocol(greedy: &Greedy<'_>) -> io::Result<String> {
    greedy.begin();
    let statuses = at_once(greedy.size(50), || http::get(greedy.endpoint.address(), "/json/protocol"))?;
    Ok(if statuses == "200" { String::new() } else { format!("answered {statuses}") })
}

fn headers(greedy: &Greedy<'_>) -> io::Result<String> {
    greedy.begin();
    let address: SocketAddr = greedy.endpoint.address();
    let long = format!("GET /json/version HTTP/1.1\r\nHost: {address}\r\nX-Long: {}\r\n\r\n", "x".repeat(1 << 20));
    let beginnings: [&[u8]; 4] = [long.as_bytes(), b"GET / HTTP/1.1\r\n", &[0; 512], b""];
    let sockets = (0..greedy.size(200))
        .map(|at| http::unfinished(address, beginnings[at % beginnings.len()]))
        .collect::<io::Result<Vec<_>>>()?;
    thread::sleep(Duration::from_secs(1));
    drop(sockets);
    Ok(String::new())
}

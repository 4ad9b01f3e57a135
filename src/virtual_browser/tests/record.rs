//! Records the conversations for `replay`: one client, one session and a real Chrome.
//!
//! ```sh
//! npm --prefix tests/clients ci && cargo test --lib record -- --ignored
//! ```

use std::{
    collections::HashMap,
    fmt::Write as _,
    path::Path,
    process::{Command as Program, Stdio},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::{
    browser::{CodecChoice, Launch, Lease, Source, find},
    config,
    metrics::Metrics,
    pool::{BrowserKind, Company, LeaseRequest, Plan, Pool},
};

const PUPPETEER: &str = r"
const browser = await require('puppeteer-core').connect({ browserWSEndpoint: process.env.URL, defaultViewport: null });
const page = await browser.newPage();
await page.goto('data:text/html,<title>a</title><iframe src=about:blank></iframe>');
await page.evaluate(() => document.title);
const [popup] = await Promise.all([
  new Promise(then => page.once('popup', then)), page.evaluate(() => { window.open('about:blank'); })]);
await popup.evaluate(() => 1);
await popup.close();
const worker = new Promise(then => page.once('workercreated', then));
await page.evaluate(() => { globalThis.w = new Worker('data:text/javascript,self.x=1'); });
await worker;
const context = await browser.createBrowserContext();
const other = await context.newPage();
await other.goto('data:text/html,other');
await browser.cookies();
await context.close();
const cdp = await page.createCDPSession();
await cdp.send('Runtime.evaluate', { expression: '1+1' });
await cdp.detach();
const root = await browser.target().createCDPSession();
await root.send('Target.getTargets');
await root.send('Browser.crash').catch(error => error);
await browser.version();
await page.close();
await browser.disconnect();
";

const PLAYWRIGHT: &str = r"
const browser = await require('playwright-core').chromium.connectOverCDP(process.env.URL);
const context = await browser.newContext({ userAgent: 'X', viewport: { width: 300, height: 300 } });
const page = await context.newPage();
await page.goto('data:text/html,<title>a</title><iframe src=about:blank></iframe>');
await page.evaluate(() => document.title);
const [popup] = await Promise.all([
  page.waitForEvent('popup'), page.evaluate(() => { window.open('about:blank'); })]);
await popup.evaluate(() => 1);
await popup.close();
const [worker] = await Promise.all([
  page.waitForEvent('worker'), page.evaluate(() => { globalThis.w = new Worker('data:text/javascript,self.x=1'); })]);
await worker.evaluate(() => self.x);
await context.grantPermissions(['geolocation']);
await context.cookies();
const cdp = await context.newCDPSession(page);
await cdp.send('Runtime.evaluate', { expression: '1+1' });
await cdp.detach();
const root = await browser.newBrowserCDPSession();
await root.send('Target.getTargets');
await root.send('Browser.crash').catch(error => error);
await page.close();
await context.close();
await browser.close();
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes fixtures/puppeteer.jsonl anew; needs Chrome, Node and tests/clients/node_modules"]
async fn record_puppeteer() {
    record("puppeteer", PUPPETEER).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes fixtures/playwright.jsonl anew; needs Chrome, Node and tests/clients/node_modules"]
async fn record_playwright() {
    record("playwright", PLAYWRIGHT).await;
}

async fn chrome(directory: &Path) -> Pool {
    let mut found = None;
    for path in find::candidates() {
        found = found.or(find::inspect(&path).await.ok());
    }
    let found = found.expect("a Chrome");
    let flags = find::command_line(found.kind, find::is_root(), &[]);
    let launch = Launch {
        binary: found.binary,
        flags,
        directory: directory.to_owned(),
        codec: CodecChoice::new(config::Codec::Auto),
        cgroups: None,
        nice: 0,
        has_extensions: false,
        egress: None,
        is_gated: false,
        in_namespace: false,
    };
    let plan = Plan::fixed(vec![Source::Local(launch)]);
    Pool::start(plan, Arc::new(Metrics::default())).await.expect("a Chrome that starts")
}

async fn record(name: &str, script: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let pool = chrome(directory.path()).await;
    let mut lease = pool
        .lease(LeaseRequest {
            kind: BrowserKind::Shared,
            company: Company::Anyone,
            limits: config::BrowserLimits::default(),
            gate: None,
        })
        .await
        .expect("a lease");
    let mut inbox = lease.open();
    let root = lease.browser().root(lease.id()).await.expect("a root");
    let identity = Arc::new(lease.browser().identity().clone());
    let (base, context) = (lease.base().clone(), lease.context().clone());
    let mut tape = json!({
        "base": base, "context": context, "browser": "00000000-0000-4000-8000-000000000000", "root": root,
        "version": identity.version,
    })
    .to_string();
    let mut session = VirtualBrowser::new(
        Granted::none(),
        identity,
        base,
        context,
        "00000000-0000-4000-8000-000000000000".into(),
        directory.path().join("own"),
    );
    session.open_view(VIEW, root, true);

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/node_modules");
    // Not from a file, so that no path gets into what the client sends.
    let mut client = Program::new("node")
        .args(["-e", &format!("(async () => {{ {script} }})().then(() => process.exit(0))")])
        .env("NODE_PATH", modules)
        .env("URL", url)
        .current_dir("/")
        .stdin(Stdio::null())
        .spawn()
        .expect("Node");
    let (stream, _) = listener.accept().await.expect("a client");
    let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a WebSocket");
    loop {
        let line = tokio::select! {
            Some(from) = inbox.recv() => {
                let line = replay::spell(&from);
                session.on_browser(from);
                line
            }
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    session.on_client(VIEW, Bytes::from(text.to_string()));
                    Some(json!({ "client": text.as_str() }))
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                _ => break,
            },
        };
        if let Some(line) = line {
            let _ = write!(tape, "\n{line}");
        }
        for action in session.poll_actions() {
            if let Action::ToClient(_, frame) = action {
                let frame = text(frame);
                let _ = write!(tape, "\n{}", json!({ "to": frame }));
                let _ = socket.send(Message::text(frame)).await;
            } else {
                act(&mut lease, action);
            }
        }
    }
    let _ = socket.close(None).await;
    drop(socket);
    assert!(client.wait().expect("an end").success(), "the client failed");
    drop(lease);
    pool.close().await;
    tape.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{name}.jsonl"));
    std::fs::write(path, scrub(&tape)).expect("a fixture");
}

fn act(lease: &mut Lease, action: Action) {
    match action {
        Action::Pass(text) => lease.pass(&text).expect("Chrome takes it"),
        Action::Navigate(on, text) => lease.navigate(on, &text).expect("Chrome takes it"),
        Action::Call(tag, call) => lease.call(tag, call),
        Action::NewContext(tag, new) => lease.new_context(tag, &new).expect("it has no gate"),
        Action::Resume(on, children, how) => lease.resume(on, children, how),
        Action::AutoAttach(tag, root, interest) => lease.auto_attach(tag, root, interest),
        Action::Detach(tag, session) => lease.detach(tag, session),
        Action::Directory(path) => lease.directory(path),
        Action::Listen => lease.listen(),
        Action::Note(_) => {}
        other => panic!("{other:?} is not part of a recording"),
    }
}

/// Where Playwright puts downloads; six random characters follow.
const ARTIFACTS: &str = "/playwright-artifacts-";

/// Ids of 32 digits become numbers in the order in which they come, of the same length: they are recognised by it.
fn scrub(tape: &str) -> String {
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut scrubbed = String::with_capacity(tape.len());
    let mut rest = tape;
    let is_digit = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
    while let Some(start) = rest.find(is_digit) {
        scrubbed.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        if digits.len() == 32 {
            let next = names.len() + 1;
            let _ = write!(scrubbed, "{:032X}", names.entry(digits).or_insert(next));
        } else {
            scrubbed.push_str(digits);
        }
        rest = after;
    }
    scrubbed += rest;
    let mut parts = scrubbed.split(ARTIFACTS);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + ARTIFACTS + "0" + part.get(6..).unwrap_or_default())
}

//! Ways from a page of a tenant to this machine and its networks, past the gate of the page's context.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinHandle,
};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, Page, text},
    proxy::eventually,
    tenants::{Server, Tenant},
};

/// A name that the test's name server knows, at an address of this machine.
const REBOUND: &str = "rebound.test";

/// A server of the operator's on loopback, which answers every request, and whose UDP port counts packets.
pub(super) struct Intranet {
    pub(super) port: u16,
    udp: UdpSocket,
    tcp: JoinHandle<()>,
    names: JoinHandle<()>,
    name_server: String,
    reached: tokio::sync::watch::Receiver<Vec<String>>,
}

impl Intranet {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let udp = UdpSocket::bind(("127.0.0.1", port)).await.expect("a port");
        let (reach, reached) = tokio::sync::watch::channel(Vec::new());
        let tcp = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let read = socket.read(&mut head).await.unwrap_or(0);
                let line = String::from_utf8_lossy(&head[..read]).lines().next().unwrap_or_default().to_owned();
                reach.send_modify(|lines| lines.push(line));
                let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nAccess-Control-Allow-Origin: *\r\n\
                              Content-Length: 26\r\nConnection: close\r\n\r\n<title>intranet</title>\r\n\r\n";
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        let dns = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let name_server = dns.local_addr().expect("an address").to_string();
        let names = tokio::spawn(async move {
            let mut packet = [0; 512];
            while let Ok((length, from)) = dns.recv_from(&mut packet).await {
                if let Some(answer) = resolved(&packet[..length]) {
                    let _ = dns.send_to(&answer, from).await;
                }
            }
        });
        Self { port, udp, tcp, names, name_server, reached }
    }

    /// Nothing of a page has come here.
    #[track_caller]
    pub(super) fn is_unreached(&self, row: &str) {
        let lines = self.reached.borrow().clone();
        assert!(lines.is_empty(), "{row}: {lines:?}");
        let packet = self.udp.try_recv(&mut [0; 64]);
        assert!(packet.is_err(), "{row}: a UDP packet");
    }

    pub(super) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/", self.port)
    }
}

impl Drop for Intranet {
    fn drop(&mut self) {
        self.tcp.abort();
        self.names.abort();
    }
}

/// The answer of a name server that has 127.0.0.1 for every name, for no time at all.
fn resolved(question: &[u8]) -> Option<Vec<u8>> {
    let name_end = 12 + question.get(12..)?.iter().position(|byte| *byte == 0)?;
    let is_v4 = question.get(name_end + 1..name_end + 3)? == [0, 1];
    let mut answer = question[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
    answer.extend(question.get(12..name_end + 5)?);
    if is_v4 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}

/// A server with a tenant that has nothing, and one that may reach private networks.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) guest: Tenant,
    insider: Tenant,
    pub(super) intranet: Intranet,
}

impl Stage {
    async fn start(browser: Browser) -> Self {
        Self::start_with(browser, Tenant::new("guest"), &[]).await
    }

    pub(super) async fn start_with(browser: Browser, guest: Tenant, flags: &[&str]) -> Self {
        let intranet = Intranet::start().await;
        let insider = Tenant::insider("insider");
        let flags = [&["--egress-dns", intranet.name_server.as_str()], flags].concat();
        let server = Server::start_in(browser, &[&guest, &insider], &flags).await;
        Self { server, guest, insider, intranet }
    }

    pub(super) async fn client_of(&self, tenant: &Tenant) -> Client {
        self.server.proxy.connect_to(&format!("/?token={}", tenant.text())).await
    }

    /// The other tenant's pages do get there: what the guest tries is refused, not broken.
    pub(super) async fn others_reach_it(&self, row: &str) {
        let client = self.client_of(&self.insider).await;
        for host in ["127.0.0.1", REBOUND] {
            let page = client.page_at(&self.intranet.url(host)).await;
            assert_eq!(client.evaluate(&page.session, "document.title").await, "intranet", "{row}: {host}");
        }
    }
}

/// How a navigation ends: Chrome's error, or nothing.
pub(super) async fn navigated(client: &Client, page: &Page, url: &str) -> String {
    let done = client.ok(Some(&page.session), "Page.navigate", json!({ "url": url })).await;
    done["errorText"].as_str().unwrap_or_default().to_owned()
}

/// E01: private addresses in every spelling, as the first request of a session.
async fn no_spelling_of_a_private_address_is_reached(browser: Browser) {
    let stage = Stage::start(browser).await;
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0.0.0.0",
        "localhost",
        "a.localhost",
        "LOCALHOST.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "127.0.0.1.",
        "169.254.169.254",
        "10.0.0.1",
        REBOUND,
    ] {
        // Each has a session of its own: the first packet is gated.
        let client = stage.client_of(&stage.guest).await;
        client.ok(None, "ghost.enable", json!({})).await;
        let page = client.page().await;
        let error = navigated(&client, &page, &stage.intranet.url(host)).await;
        assert_eq!(error, "net::ERR_SOCKS_CONNECTION_FAILED", "E01: {host}");
        let told = client.event("ghost.egressFailed").await;
        assert_eq!(told["params"]["reason"], "private-network", "E01: {host}: {told}");
        stage.intranet.is_unreached(&format!("E01: {host}"));
    }
    stage.others_reach_it("E01").await;
}

in_each_browser!(no_spelling_of_a_private_address_is_reached);

/// E02: what a page loads: subresources, fetch, WebSocket, events, beacons, frames, workers, a redirect, a download, a
/// resource that the browser itself loads.
async fn nothing_that_a_page_loads_is_from_a_private_network(browser: Browser) {
    let stage = Stage::start(browser).await;
    let client = stage.client_of(&stage.guest).await;
    let page = client.page().await;
    for host in ["127.0.0.1", "localhost", REBOUND] {
        let url = stage.intranet.url(host);
        let ws = url.replace("http:", "ws:");
        let script = format!(
            "(async () => {{
                const ended = (what, events) => new Promise(resolve => events.forEach(name => what.addEventListener(name, resolve)));
                const add = (tag, set) => {{ const node = document.createElement(tag); Object.assign(node, set); document.body.append(node); return ended(node, ['load', 'error']); }};
                const socket = new WebSocket('{ws}');
                const events = new EventSource('{url}');
                navigator.sendBeacon('{url}beacon', 'x');
                const worker = new Worker(URL.createObjectURL(new Blob([`fetch('{url}').then(() => postMessage(1), () => postMessage(0))`])));
                await Promise.all([
                    fetch('{url}', {{ mode: 'no-cors' }}).catch(() => {{}}),
                    add('img', {{ src: '{url}' }}), add('script', {{ src: '{url}' }}), add('iframe', {{ src: '{url}' }}),
                    add('link', {{ rel: 'stylesheet', href: '{url}' }}),
                    ended(socket, ['error', 'open']), ended(events, ['error', 'open']), ended(worker, ['message', 'error']),
                ]);
                events.close();
                return 'tried';
            }})()"
        );
        assert_eq!(client.evaluate(&page.session, &script).await, "tried", "E02: {host}");
        stage.intranet.is_unreached(&format!("E02: {host}"));
        // A redirect of a public site, which the client plays.
        client
            .ok(Some(&page.session), "Fetch.enable", json!({ "patterns": [{ "urlPattern": "http://public.test/*" }] }))
            .await;
        let id = client.start(Some(&page.session), "Page.navigate", json!({ "url": "http://public.test/" })).await;
        let paused = client.event_on(&page.session, "Fetch.requestPaused").await;
        let params = json!({
            "requestId": paused["requestId"], "responseCode": 302,
            "responseHeaders": [{ "name": "Location", "value": url }],
        });
        client.ok(Some(&page.session), "Fetch.fulfillRequest", params).await;
        let done = client.reply_to(id).await;
        assert_eq!(done["result"]["errorText"], "net::ERR_SOCKS_CONNECTION_FAILED", "E02: redirect to {host}");
        client.forget_events("Fetch.requestPaused");
        client.ok(Some(&page.session), "Fetch.disable", json!({})).await;
        navigated(&client, &page, "about:blank").await;
        // A download, and what the browser loads for DevTools.
        let save = format!(
            "(() => {{ const link = document.createElement('a'); link.href = '{url}file'; link.download = 'file'; document.body.append(link); link.click(); }})()"
        );
        client.evaluate(&page.session, &save).await;
        let frame = client.ok(Some(&page.session), "Page.getFrameTree", json!({})).await;
        let load = json!({ "frameId": frame["frameTree"]["frame"]["id"], "url": url, "options": { "disableCache": true, "includeCredentials": false } });
        if let Ok(loaded) = client.call_on(&page.session, "Network.loadNetworkResource", load).await {
            assert_eq!(loaded["resource"]["success"], false, "E02: {host}: {loaded}");
        }
        stage.intranet.is_unreached(&format!("E02: {host}"));
    }
    stage.others_reach_it("E02").await;
}

in_each_browser!(nothing_that_a_page_loads_is_from_a_private_network);

/// E03: WebRTC, TURN over TCP and UDP, by name and address, and WebTransport.
async fn no_packet_of_webrtc_leaves_the_browser(browser: Browser) {
    let stage = Stage::start(browser).await;
    let client = stage.client_of(&stage.guest).await;
    let page = client.page().await;
    let port = stage.intranet.port;
    let script = format!(
        "(async () => {{
            const urls = host => ['stun:' + host + ':{port}', 'turn:' + host + ':{port}?transport=udp', 'turn:' + host + ':{port}?transport=tcp'];
            const gathered = async host => {{
                const peer = new RTCPeerConnection({{ iceServers: [{{ urls: urls(host), username: 'u', credential: 'c' }}] }});
                peer.createDataChannel('x');
                const complete = new Promise(resolve => {{
                    peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && resolve();
                    setTimeout(resolve, 5000);
                }});
                const seen = [];
                peer.onicecandidate = event => event.candidate && seen.push(event.candidate.candidate);
                await peer.setLocalDescription(await peer.createOffer());
                await complete;
                peer.close();
                return seen;
            }};
            try {{ await new WebTransport('https://127.0.0.1:{port}/').ready; }} catch {{}}
            return (await Promise.all(['127.0.0.1', 'localhost', '{REBOUND}'].map(gathered))).flat();
        }})()"
    );
    let seen = client.evaluate_in(&page.session, &script, Duration::from_secs(20)).await;
    let udp = |candidate: &&Value| candidate.as_str().is_some_and(|text| text.to_lowercase().contains(" udp "));
    assert_eq!(seen.as_array().expect("a list").iter().find(udp), None, "E03: {seen}");
    stage.intranet.is_unreached("E03");
    stage.others_reach_it("E03").await;
}

in_each_browser!(no_packet_of_webrtc_leaves_the_browser);

/// E04: proxies and bypass lists of a context, by raw CDP, that would go around the gate.
async fn no_context_gets_around_its_gate(browser: Browser) {
    let stage = Stage::start(browser).await;
    let client = stage.client_of(&stage.guest).await;
    let port = stage.intranet.port;
    for params in [
        json!({}),
        json!({ "proxyServer": "" }),
        json!({ "proxyServer": "direct://" }),
        json!({ "proxyBypassList": "<-loopback>;127.0.0.1" }),
        json!({ "proxyBypassList": "*" }),
        json!({ "proxyServer": "", "proxyBypassList": "<-loopback>,0.0.0.0/0" }),
        json!({ "proxyServer": "direct://", "proxyBypassList": "*" }),
    ] {
        let context = text(&client.ok(None, "Target.createBrowserContext", params.clone()).await, "browserContextId");
        let page = client.page_in(Some(&context), "about:blank").await;
        let error = navigated(&client, &page, &stage.intranet.url("127.0.0.1")).await;
        assert_eq!(error, "net::ERR_SOCKS_CONNECTION_FAILED", "E04: {params}");
        client.ok(None, "Target.disposeBrowserContext", json!({ "browserContextId": context })).await;
    }
    for server in [
        format!("http=127.0.0.1:{port};https=127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port},direct://"),
        format!("direct://,http://127.0.0.1:{port}"),
        format!("socks4://127.0.0.1:{port}"),
        format!("pac+http://127.0.0.1:{port}/x.pac"),
    ] {
        let refused = client.call("Target.createBrowserContext", json!({ "proxyServer": server })).await;
        assert!(matches!(&refused, Err((-32000, why)) if why.contains("is refused")), "E04: {server}: {refused:?}");
    }
    // As its proxy, the operator's server would get every request.
    for server in [format!("127.0.0.1:{port}"), format!("socks5://{REBOUND}:{port}")] {
        let params = json!({ "proxyServer": server });
        let Ok(made) = client.call("Target.createBrowserContext", params).await else { continue };
        let context = text(&made, "browserContextId");
        let page = client.page_in(Some(&context), "about:blank").await;
        let error = navigated(&client, &page, "http://example.com/").await;
        assert!(error.starts_with("net::ERR_"), "E04: {server}: {error}");
    }
    stage.intranet.is_unreached("E04");
    stage.others_reach_it("E04").await;
}

in_each_browser!(no_context_gets_around_its_gate);

/// E08: a client names a proxy in a private network: the operator's server would get every request.
async fn no_proxy_of_a_client_is_in_a_private_network(browser: Browser) {
    let stage = Stage::start(browser).await;
    let port = stage.intranet.port;
    for server in [
        format!("http://127.0.0.1:{port}"),
        format!("http://u:p@127.0.0.1:{port}"),
        format!("socks5://{REBOUND}:{port}"),
        format!("socks5://u:p@[::ffff:127.0.0.1]:{port}"),
        format!("http://localhost:{port}"),
    ] {
        let query = format!("/?token={}&proxy={}", stage.guest.text(), server.replace('@', "%40"));
        let client = stage.server.proxy.connect_to(&query).await;
        client.ok(None, "ghost.enable", json!({})).await;
        let of_context = text(
            &client.ok(None, "Target.createBrowserContext", json!({ "proxyServer": server })).await,
            "browserContextId",
        );
        for context in [None, Some(of_context.as_str())] {
            let page = client.page_in(context, "about:blank").await;
            let error = navigated(&client, &page, "http://example.com/").await;
            assert!(error.starts_with("net::ERR_"), "E08: {server}: {error}");
            let told = client.event("ghost.egressFailed").await;
            assert_eq!(told["params"]["reason"], "upstream-address", "E08: {server}: {told}");
        }
        stage.intranet.is_unreached(&format!("E08: {server}"));
    }
    stage.others_reach_it("E08").await;
}

in_each_browser!(no_proxy_of_a_client_is_in_a_private_network);

/// The gates that are open: what the process listens on at loopback, but for 127.0.0.1.
pub(super) fn gates_of(pid: u32) -> Vec<SocketAddrV4> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("its files")
        .flatten()
        .filter_map(|file| {
            fs::read_link(file.path()).ok()?.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned)
        })
        .collect();
    let is_gate = |(socket, inode): &(SocketAddrV4, String)| {
        socket.ip().is_loopback() && *socket.ip() != Ipv4Addr::LOCALHOST && sockets.contains(inode)
    };
    listeners_of(pid).into_iter().filter(is_gate).map(|(socket, _)| socket).collect()
}

/// The sockets that listen in the network of a process, with their inodes (proc(5)).
pub(super) fn listeners_of(pid: impl std::fmt::Display) -> Vec<(SocketAddrV4, String)> {
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).expect("the sockets");
    let listening = table.lines().skip(1).filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (address, port) = words.get(1)?.split_once(':')?;
        let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.swap_bytes());
        let port = u16::from_str_radix(port, 16).ok()?;
        (words.get(3) == Some(&"0A")).then(|| Some((SocketAddrV4::new(address, port), (*words.get(9)?).to_owned())))?
    });
    listening.collect()
}

/// E05: another process of this machine dials a gate. E06: a page dials the gate of another session, or its own.
async fn gates_serve_their_own_context_alone(browser: Browser) {
    let stage = Stage::start(browser).await;
    let insider = stage.client_of(&stage.insider).await;
    let page = insider.page_at(&stage.intranet.url("127.0.0.1")).await;
    let gates = gates_of(stage.server.proxy.pid());
    assert!(gates.len() >= 2, "E05: {gates:?}");
    let guest = stage.client_of(&stage.guest).await;
    let own = guest.page().await;
    for gate in &gates {
        let mut socket = TcpStream::connect(gate).await.expect("it listens");
        let mut greeting = Vec::new();
        let _ = socket.write_all(&[5, 1, 0]).await;
        let read = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut greeting)).await;
        assert!(read.is_ok() && greeting.is_empty(), "E05: {gate}: {greeting:?}");
        for (client, page) in [(&insider, &page), (&guest, &own)] {
            let error = navigated(client, page, &format!("http://{gate}/")).await;
            assert_eq!(error, "net::ERR_SOCKS_CONNECTION_FAILED", "E06: {gate}");
        }
    }
    let account = insider.ok(None, "ghost.getEgress", json!({})).await["egress"].clone();
    let reasons: Vec<&Value> =
        account["failures"].as_array().expect("a list").iter().map(|one| &one["reason"]).collect();
    assert!(reasons.contains(&&json!("own-listener")), "E06: {account}");
    // Nor the port of the server itself.
    let error = navigated(&insider, &page, &stage.server.proxy.url()).await;
    assert_eq!(error, "net::ERR_SOCKS_CONNECTION_FAILED", "E06: the port of the server");
    // Gates end with their contexts.
    let gates = gates_of(stage.server.proxy.pid());
    drop((insider, guest));
    eventually("the gates of both sessions are closed", async || {
        let now = gates_of(stage.server.proxy.pid());
        gates.iter().filter(|gate| !now.contains(gate)).count() >= 2
    })
    .await;
}

in_each_browser!(gates_serve_their_own_context_alone);

/// E07: a tenant loses the capability while its page is open, with a service worker: what the worker fetches is refused.
async fn a_lost_capability_holds_for_the_next_connection(browser: Browser) {
    let stage = Stage::start(browser).await;
    let client = stage.client_of(&stage.insider).await;
    let site = crate::site::Site::start().await;
    let page = client.page_at(&site.url_at("localhost", "/page?worker")).await;
    let register =
        "navigator.serviceWorker.register('/service.js').then(() => navigator.serviceWorker.ready).then(() => 'ready')";
    assert_eq!(client.evaluate(&page.session, register).await, "ready");
    let targets = client.ok(None, "Target.getTargets", json!({})).await;
    let targets = targets["targetInfos"].as_array().expect("a list").clone();
    let worker = targets.iter().find(|target| target["type"] == "service_worker").expect("the worker");
    let worker = client.attach(None, &text(worker, "targetId")).await;
    let fetch = |url: &str| format!("fetch('{url}', {{ cache: 'no-store' }}).then(() => 'reached', () => 'refused')");
    for session in [&page.session, &worker] {
        assert_eq!(client.evaluate(session, &fetch(&stage.intranet.url("127.0.0.1"))).await, "reached");
    }
    let file = fs::read_to_string(stage.server.file()).expect("the file").replace("\"private-network\"", "");
    stage.server.set(&file);
    eventually("the change is in force", async || {
        client.evaluate(&page.session, &fetch(&stage.intranet.url("127.0.0.1"))).await == "refused"
    })
    .await;
    let before = stage.intranet.reached.borrow().len();
    for host in ["127.0.0.1", "localhost", REBOUND] {
        for session in [&page.session, &worker] {
            assert_eq!(client.evaluate(session, &fetch(&stage.intranet.url(host))).await, "refused", "E07: {host}");
        }
    }
    assert_eq!(stage.intranet.reached.borrow().len(), before, "E07");
}

in_each_browser!(a_lost_capability_holds_for_the_next_connection);

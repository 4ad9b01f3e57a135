//! Real proxies for tests: an HTTP one with `CONNECT` and plain requests, and a SOCKS5 one. Each wants its own user and
//! password, finds every name at the test's site, and notes what it was asked for.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::{
    io::{self, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    client::{Client, Page},
    proxy::eventually,
    site::Site,
};

/// A proxy that runs. Dropping it ends it.
pub(crate) struct Upstream {
    scheme: &'static str,
    user: String,
    password: String,
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

/// What a proxy was asked for.
struct Asked {
    host: String,
    user: String,
    is_right: bool,
}

/// What the connections of a proxy share.
#[derive(Clone)]
struct Served {
    /// `USER:PASSWORD`; a user that ends with `*` stands for all that begin like it.
    pair: String,
    site: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Served {
    /// Notes a request. Whether the credentials are right.
    fn ask(&self, host: &str, pair: &str) -> bool {
        let (user, password) = pair.split_once(':').unwrap_or((pair, ""));
        let (own, own_password) = self.pair.split_once(':').expect("a pair");
        let is_user = own.strip_suffix('*').map_or(user == own, |start| user.starts_with(start));
        let is_right = is_user && password == own_password;
        let (host, user) = (host.to_owned(), user.to_owned());
        self.asked.lock().expect("no panic").push(Asked { host, user, is_right });
        is_right
    }
}

impl Upstream {
    pub(crate) async fn http(user: &str, password: &str, site: &Site) -> Self {
        Self::start("http", user, password, site).await
    }

    pub(crate) async fn socks(user: &str, password: &str, site: &Site) -> Self {
        Self::start("socks5", user, password, site).await
    }

    async fn start(scheme: &'static str, user: &str, password: &str, site: &Site) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let site = site.origin().rsplit_once('/').expect("an origin").1.to_owned();
        let site =
            SocketAddr::from(([127, 0, 0, 1], site.rsplit_once(':').expect("a port").1.parse().expect("a port")));
        let served = Served { pair: format!("{user}:{password}"), site, asked: asked.clone() };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served = served.clone();
                tokio::spawn(async move {
                    if scheme == "http" { http(stream, served).await } else { socks(stream, served).await }
                });
            }
        });
        Self { scheme, user: user.to_owned(), password: password.to_owned(), address, asked, task }
    }

    /// Without user and password.
    pub(crate) fn address(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(crate) fn url(&self) -> String {
        self.url_as(&self.user, &self.password)
    }

    pub(crate) fn url_as(&self, user: &str, password: &str) -> String {
        format!("{}://{user}:{}@{}", self.scheme, password.replace(':', "%3A"), self.address)
    }

    /// The URL for a query.
    pub(crate) fn escaped(&self) -> String {
        self.url().replace('%', "%25").replace('@', "%40")
    }

    /// The hosts of requests with the right credentials, without those of Chrome itself, each once in a row.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let asked = self.asked.lock().expect("no panic");
        let mut hosts: Vec<String> = asked.iter().filter(|one| one.is_right).map(|one| one.host.clone()).collect();
        hosts.dedup();
        hosts
    }

    /// The users whose requests had the right password, each once.
    pub(crate) fn users(&self) -> Vec<String> {
        let asked = self.asked.lock().expect("no panic");
        let mut users: Vec<String> = asked.iter().filter(|one| one.is_right).map(|one| one.user.clone()).collect();
        users.dedup();
        users
    }

    /// The users of the requests with the right password for a host, each once in a row.
    pub(crate) fn users_of(&self, host: &str) -> Vec<String> {
        let asked = self.asked.lock().expect("no panic");
        let of_host = asked.iter().filter(|one| one.is_right && one.host == host);
        let mut users: Vec<String> = of_host.map(|one| one.user.clone()).collect();
        users.dedup();
        users
    }

    /// The users of requests with wrong credentials. A request without any is a question.
    pub(crate) fn asked_by_others(&self) -> Vec<String> {
        let asked = self.asked.lock().expect("no panic");
        asked.iter().filter(|one| !one.is_right && !one.user.is_empty()).map(|one| one.user.clone()).collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn http(stream: TcpStream, served: Served) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut first, mut head, mut pair) = (String::new(), String::new(), String::new());
        if stream.read_line(&mut first).await? == 0 {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            if let Some(basic) =
                line.to_lowercase().starts_with("proxy-authorization:").then(|| line.rsplit(' ').next())
            {
                let bytes = BASE64.decode(basic.unwrap_or_default().trim().as_bytes()).unwrap_or_default();
                pair = String::from_utf8(bytes).unwrap_or_default();
            } else if !line.to_lowercase().starts_with("connection:") {
                head += &line;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let authority = target.trim_start_matches("http://").split('/').next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        if !served.ask(host, &pair) {
            let challenge = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"test\"\r\n\
                             Content-Length: 0\r\n\r\n";
            stream.write_all(challenge.as_bytes()).await?;
            continue;
        }
        if host == "refused.test" {
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await?;
            continue;
        }
        let mut remote = TcpStream::connect(served.site).await?;
        if method == "CONNECT" {
            stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
        } else {
            let path =
                target.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or("/");
            remote.write_all(format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{head}").as_bytes()).await?;
        }
        return io::copy_bidirectional(&mut stream, &mut remote).await.map(drop);
    }
}

async fn socks(mut stream: TcpStream, served: Served) -> io::Result<()> {
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting).await?;
    let mut methods = vec![0; usize::from(greeting[1])];
    stream.read_exact(&mut methods).await?;
    if !methods.contains(&2) {
        return stream.write_all(&[5, 0xff]).await;
    }
    stream.write_all(&[5, 2]).await?;
    stream.read_u8().await?;
    let (user, password) = (counted(&mut stream).await?, counted(&mut stream).await?);
    let pair = format!("{user}:{password}");
    if pair != served.pair {
        served.ask("", &pair);
        return stream.write_all(&[1, 1]).await;
    }
    stream.write_all(&[1, 0]).await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let host = if head[3] == 3 {
        counted(&mut stream).await?
    } else {
        let mut four = [0; 4];
        stream.read_exact(&mut four).await?;
        std::net::Ipv4Addr::from(four).to_string()
    };
    stream.read_u16().await?;
    served.ask(&host, &pair);
    if host == "refused.test" {
        return stream.write_all(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    }
    let mut remote = TcpStream::connect(served.site).await?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    io::copy_bidirectional(&mut stream, &mut remote).await.map(drop)
}

async fn counted(stream: &mut TcpStream) -> io::Result<String> {
    let mut text = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The title of a page that loads or has loaded.
pub(crate) async fn title(client: &Client, page: &Page) -> String {
    let state = async || client.evaluate(&page.session, "document.readyState").await;
    eventually("the page has loaded", async || state().await == "complete").await;
    client.evaluate(&page.session, "document.title").await.as_str().unwrap_or_default().to_owned()
}

/// Navigates a page, and answers the challenge of its proxy as the client libraries do.
pub(crate) async fn challenged(client: &Client, page: &Page, url: &str, pair: (&str, &str)) -> Value {
    let on = Some(page.session.as_str());
    client.ok(on, "Fetch.enable", json!({ "handleAuthRequests": true })).await;
    let navigation = client.start(on, "Page.navigate", json!({ "url": url })).await;
    let paused = client.event_on(&page.session, "Fetch.requestPaused").await;
    client.ok(on, "Fetch.continueRequest", json!({ "requestId": paused["requestId"] })).await;
    let asked = client.event_on(&page.session, "Fetch.authRequired").await;
    assert_eq!(asked["authChallenge"]["source"], "Proxy", "{asked}");
    let answer = json!({ "response": "ProvideCredentials", "username": pair.0, "password": pair.1 });
    client
        .ok(on, "Fetch.continueWithAuth", json!({ "requestId": asked["requestId"], "authChallengeResponse": answer }))
        .await;
    let done = client.reply_to(navigation).await["result"].clone();
    client.ok(on, "Fetch.disable", json!({})).await;
    client.forget_events("Fetch.requestPaused");
    done
}

/// The command lines of all processes of this machine, but for those of this test.
pub(crate) fn command_lines() -> String {
    let all = fs::read_dir("/proc").expect("the processes").flatten();
    let all = all.filter(|entry| entry.file_name() != *std::process::id().to_string());
    all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " ") + "\n")
        .collect()
}

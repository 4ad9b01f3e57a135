//! The two sides of a comparison: a plain Chrome with its debugging port, and the proxy with an
//! identical one.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use ghostmux::browser::find::{Found, command_line, find, is_root};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tempfile::TempDir;

use super::{
    cdp::{Page, Root, text},
    process,
    ws::Ws,
};

/// Time limit for a process to exit by itself.
const GRACE: Duration = Duration::from_secs(15);

/// The side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Direct,
    Proxied,
}

/// The address of a side, and how a client gets its page.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    side: Side,
    address: SocketAddr,
    path: String,
}

impl Endpoint {
    /// The same server with another path.
    pub(crate) fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    pub(crate) fn side(&self) -> Side {
        self.side
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn connect(&self) -> io::Result<Root> {
        Ws::connect(self.address, &self.path).map(Root::new)
    }

    /// A connection with a blank page that others do not see: the page of a session, or in a plain
    /// Chrome a page in a new context.
    pub(crate) fn page(&self) -> io::Result<Page> {
        let mut root = self.connect()?;
        let target = match self.side {
            Side::Proxied => {
                let targets = root.call("Target.getTargets", &json!({}))?;
                let targets = targets["targetInfos"].as_array().into_iter().flatten();
                let page = targets.into_iter().find(|info| info["type"] == "page");
                text(&page.ok_or_else(|| io::Error::other("a session without a page"))?["targetId"])?
            }
            Side::Direct => {
                let context = root.call("Target.createBrowserContext", &json!({ "disposeOnDetach": true }))?;
                let params = json!({ "url": "about:blank", "browserContextId": context["browserContextId"] });
                text(&root.call("Target.createTarget", &params)?["targetId"])?
            }
        };
        root.attach(&target)
    }

    /// The number of warm leases that are ready; zero in a plain Chrome.
    pub(crate) fn warm(&self) -> io::Result<u32> {
        self.gauge("ghostmux_sessions_warm")
    }

    /// A gauge of the proxy; zero in a plain Chrome.
    pub(crate) fn gauge(&self, name: &str) -> io::Result<u32> {
        if self.side == Side::Direct {
            return Ok(0);
        }
        let mut socket = TcpStream::connect(self.address)?;
        write!(socket, "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        let gauge = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        gauge.and_then(|gauge| gauge.parse().ok()).ok_or_else(|| io::Error::other(format!("/metrics has no {name}")))
    }

    /// From the TCP connect to the first reply of a page.
    pub(crate) fn first_page(&self) -> io::Result<(Duration, Page)> {
        let from = Instant::now();
        let mut page = self.page()?;
        page.evaluate("1")?;
        Ok((from.elapsed(), page))
    }
}

/// A child process that is killed when dropped. It is in the terminal's process group, so that
/// Ctrl-C ends it too.
#[derive(Debug)]
struct Running {
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let until = Instant::now() + GRACE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A plain Chrome.
#[derive(Debug)]
pub(crate) struct Chrome {
    running: Running,
    pub(crate) endpoint: Endpoint,
    _profile: TempDir,
}

impl Chrome {
    /// Starts one with the proxy's flags, but with a port instead of the pipe.
    pub(crate) fn start(found: &Found) -> io::Result<Self> {
        let profile = tempfile::tempdir()?;
        let child = Command::new(&found.binary)
            .args(command_line(found.kind, is_root(), &[]))
            .arg("--remote-debugging-port=0")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut running = Running { child };
        let mut lines = BufReader::new(running.child.stderr.take().ok_or_else(|| io::Error::other("no stderr"))?);
        let url = loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                return Err(io::Error::other("Chrome ended without opening its port"));
            }
            if let Some(url) = line.trim().strip_prefix("DevTools listening on ws://") {
                break url.to_owned();
            }
        };
        swallow(lines);
        let (address, path) = url.split_once('/').ok_or_else(|| io::Error::other("an odd URL"))?;
        let address = address.parse().map_err(io::Error::other)?;
        let endpoint = Endpoint { side: Side::Direct, address, path: format!("/{path}") };
        Ok(Self { running, endpoint, _profile: profile })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.child.id()
    }
}

/// The proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    running: Running,
    pub(crate) endpoint: Endpoint,
    _directory: TempDir,
}

impl Proxy {
    pub(crate) fn start(args: &[&str]) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let child = Command::new(env!("CARGO_BIN_EXE_ghostmux"))
            .args(["serve", "--listen=127.0.0.1:0", "--log=error"])
            .args(args)
            .env("TMPDIR", directory.path())
            .env("GHOSTMUX_STORE", directory.path().join("store.redb"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let mut running = Running { child };
        let mut lines = BufReader::new(running.child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let address = line.split("ws://").nth(1).and_then(|rest| rest.split(')').next()).map(str::parse);
        let Some(Ok(address)) = address else {
            return Err(io::Error::other(format!("the proxy did not start: {line}")));
        };
        swallow(lines);
        let endpoint = Endpoint { side: Side::Proxied, address, path: "/".to_owned() };
        Ok(Self { running, endpoint, _directory: directory })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.child.id()
    }

    /// The process id of its Chrome.
    pub(crate) fn chrome(&self) -> Option<u32> {
        process::child_with(self.pid(), "--remote-debugging-pipe")
    }

    /// The number of its Chromes.
    pub(crate) fn chromes(&self) -> usize {
        process::descendants_with(self.pid(), "--remote-debugging-pipe", "--type=")
    }
}

/// nginx as a plain WebSocket proxy.
#[derive(Debug)]
pub(crate) struct Nginx {
    running: Running,
    pub(crate) address: SocketAddr,
    _directory: TempDir,
}

impl Nginx {
    /// Starts one in front of `upstream`, with buffers of this size or its default. `None` if nginx
    /// is not installed.
    pub(crate) fn start(upstream: SocketAddr, buffer: Option<&str>) -> io::Result<Option<Self>> {
        let Some(binary) = in_path("nginx") else { return Ok(None) };
        // Another process may take the port before nginx does.
        for _ in 0..3 {
            if let Some(nginx) = Self::try_start(&binary, upstream, buffer)? {
                return Ok(Some(nginx));
            }
        }
        Err(io::Error::other("nginx did not start"))
    }

    fn try_start(binary: &Path, upstream: SocketAddr, buffer: Option<&str>) -> io::Result<Option<Self>> {
        let directory = tempfile::tempdir()?;
        let at = directory.path().display();
        // A free port; nginx cannot choose one and report it.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let buffers = buffer.map_or_else(String::new, |size| {
            format!("proxy_buffer_size {size}; proxy_buffers 4 {size}; proxy_busy_buffers_size {size};")
        });
        let temporary: Vec<String> = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {at}/{name};"))
            .collect();
        let user = if is_root() { "user root;" } else { "" };
        let configuration = format!(
            "{user} daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000; pid {at}/pid;\n\
             error_log stderr crit;\n\
             events {{ worker_connections 19000; }}\n\
             http {{ access_log off; {temporary} server {{ listen {address} backlog=4096; location / {{\n\
             proxy_pass http://{upstream}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;\n\
             proxy_set_header Connection upgrade; proxy_read_timeout 1h; tcp_nodelay on; {buffers} }} }} }}\n",
            temporary = temporary.concat(),
        );
        let file = directory.path().join("nginx.conf");
        fs::write(&file, configuration)?;
        let child = Command::new(binary)
            .arg("-c")
            .arg(&file)
            .args(["-e", "stderr", "-p"])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut nginx = Self { running: Running { child }, address, _directory: directory };
        let until = Instant::now() + GRACE;
        while Instant::now() < until && nginx.running.child.try_wait()?.is_none() {
            if std::net::TcpStream::connect(address).is_ok() {
                return Ok(Some(nginx));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(None)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.child.id()
    }
}

/// The Chrome that both sides use.
pub(crate) fn chrome_found() -> io::Result<Found> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(find(None)).map_err(io::Error::other)
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([Path::new("/usr/sbin").to_owned()]);
    places.map(|place| place.join(name)).find(|file| file.is_file())
}

/// The output of a child must be read.
fn swallow(mut from: impl Read + Send + 'static) {
    thread::spawn(move || io::copy(&mut from, &mut io::sink()));
}

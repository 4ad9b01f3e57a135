//! `Proxy`: a running `ghostmux serve` with its own Chrome.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getpgid},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{browsers::Browser, client::Client};

/// Time limit for the start; Chrome starts slowly on a busy machine.
const START: Duration = Duration::from_secs(60);
/// Time limit for the end.
const END: Duration = Duration::from_secs(20);

/// The size of a test: `short` by default, `long` if `GHOSTMUX_TEST_LONG` is set, as in `make
/// prove`.
pub(crate) fn size(short: usize, long: usize) -> usize {
    if std::env::var_os("GHOSTMUX_TEST_LONG").is_some() { long } else { short }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(has, _)| has == name).map(|(_, value)| value.as_str())
    }
}

/// A process of Chrome.
#[derive(Debug)]
pub(crate) struct ChromeProcess {
    pub(crate) pid: Pid,
    line: String,
}

impl ChromeProcess {
    /// The value of a flag, such as `--type=`. Processes that a zygote has forked have blanks between their flags.
    pub(crate) fn flag(&self, name: &str) -> Option<&str> {
        self.line.split(['\0', ' ']).find_map(|flag| flag.strip_prefix(name))
    }

    /// What it is for: its type, and that of a utility process, such as `utility network.mojom.NetworkService`.
    pub(crate) fn kind(&self) -> String {
        let flags = ["--type=", "--utility-sub-type="];
        flags.iter().filter_map(|name| self.flag(name)).collect::<Vec<_>>().join(" ")
    }

    /// Whether it is of this type, such as `renderer`.
    pub(crate) fn is_of_type(&self, kind: &str) -> bool {
        self.flag("--type=") == Some(kind)
    }
}

/// A running `ghostmux serve`. Dropping it stops it, and fails the test if a process or a file is
/// left.
pub(crate) struct Proxy {
    child: Child,
    address: String,
    pub(crate) browser: Browser,
    directory: tempfile::TempDir,
    /// The directory in which it makes its own.
    sessions: PathBuf,
    killed: bool,
}

impl Proxy {
    /// Starts it on a free port with these flags.
    pub(crate) async fn start(browser: Browser, flags: &[&str]) -> Self {
        let path = browser.path.to_string_lossy().into_owned();
        Self::serve(browser, &["--browser-path", &path], flags).await
    }

    /// Starts it with a Chrome that is already running, and these flags.
    pub(crate) async fn start_remote(browser: Browser, url: &str, flags: &[&str]) -> Self {
        Self::serve(browser, &["--browser-url", url], &[&["--codec", "json"], flags].concat()).await
    }

    /// Starts it with these flags alone, which name its browsers.
    pub(crate) async fn start_with(browser: Browser, flags: &[&str]) -> Self {
        Self::serve(browser, &[], flags).await
    }

    async fn serve(browser: Browser, source: &[&str], flags: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("ghostmux-it-").tempdir().expect("a directory");
        let log = fs::File::create(directory.path().join("log")).expect("a file for the log");
        // Several may share one: a test that sets it looks itself for what is left in it.
        let at = flags.iter().position(|flag| *flag == "--session-dir");
        let sessions = at.map_or_else(|| directory.path().join("sessions"), |at| flags[at + 1].into());
        fs::create_dir_all(&sessions).expect("a directory for sessions");
        let listen: &[&str] = if flags.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghostmux"));
        // Tests know how many browsers there are; tests of scaling set the limits, by flags or in a file. `make prove`
        // repeats the attacks in several browsers.
        let is_local = source.contains(&"--browser-path");
        if is_local && !flags.iter().any(|flag| flag.ends_with("-browsers") || *flag == "--config") {
            let browsers = std::env::var_os("GHOSTMUX_TEST_BROWSERS").unwrap_or_else(|| "1".into());
            command.env("GHOSTMUX_BROWSERS", browsers);
        }
        let mut child = command
            .arg("serve")
            .args(listen)
            .args(source)
            .env("GHOSTMUX_SESSION_DIR", &sessions)
            .args(flags)
            .env_remove("GHOSTMUX_CONFIG")
            // Unused warm pages take CPU time from all tests; tests of the warm pool set `--warm`.
            .env("GHOSTMUX_WARM", "0")
            // A test that ends does not wait for its clients; tests of the drain set `--drain`.
            .env("GHOSTMUX_DRAIN", "0s")
            .env("GHOSTMUX_STORE", directory.path().join("store.redb"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("piped");
        let (said, ready) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let line = tokio::task::spawn_blocking(move || ready.recv_timeout(START)).await.expect("no panic");
        let mut proxy = Self { child, address: String::new(), browser, directory, sessions, killed: false };
        let line = line.unwrap_or_else(|_| panic!("it did not get ready; its log:\n{}", proxy.log()));
        let address = line.split("http://").nth(1).and_then(|rest| rest.split([' ', '/']).next());
        address.unwrap_or_else(|| panic!("no address in {line:?}")).clone_into(&mut proxy.address);
        proxy
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The log so far (standard error).
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// The directory of the sessions' files.
    pub(crate) fn session_dir(&self) -> PathBuf {
        self.sessions.clone()
    }

    /// Its own directory in that, with the profiles of its Chromes.
    pub(crate) fn own_directory(&self) -> PathBuf {
        self.sessions.join(format!("ghostmux-{}", self.pid()))
    }

    /// The pids of the processes whose command line names its directory: its Chromes.
    pub(crate) fn browser_processes(&self) -> Vec<u32> {
        processes_naming(&self.session_dir())
    }

    /// The main processes of its Chromes.
    ///
    /// A child that Chrome has forked has its parent's command line until it executes its own program.
    pub(crate) fn browsers(&self) -> Vec<Pid> {
        let is_main = |pid: &u32| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
                let line = String::from_utf8_lossy(&line).into_owned();
                line.contains("--remote-debugging-pipe") && !line.contains("--type=")
            })
        };
        let all: Vec<u32> = self.browser_processes().into_iter().filter(is_main).collect();
        let is_fork = |pid: &u32| parent(*pid).is_some_and(|parent| all.contains(&parent));
        all.iter().filter(|pid| !is_fork(pid)).filter_map(|pid| i32::try_from(*pid).ok()).map(Pid::from_raw).collect()
    }

    /// All processes of its Chromes: those of the process groups that the main processes lead.
    pub(crate) fn chrome_processes(&self) -> Vec<ChromeProcess> {
        let main = self.browsers();
        let in_group = |pid: &Pid| getpgid(Some(*pid)).is_ok_and(|group| main.contains(&group));
        let of = |pid: Pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            Some(ChromeProcess { pid, line: String::from_utf8_lossy(&line).into_owned() })
        };
        processes()
            .filter_map(|pid| i32::try_from(pid).ok())
            .map(Pid::from_raw)
            .filter(in_group)
            .filter_map(of)
            .collect()
    }

    /// Kills its only Chrome with SIGKILL.
    pub(crate) fn lose_browser(&self) {
        kill(self.browsers()[0], Signal::SIGKILL).expect("it runs");
    }

    /// A WebSocket client with a new session.
    pub(crate) async fn connect(&self) -> Client {
        self.connect_to("/").await
    }

    /// A WebSocket client at this path and query.
    pub(crate) async fn connect_to(&self, path_and_query: &str) -> Client {
        match self.try_connect_to(path_and_query).await {
            Ok(client) => client,
            Err(error) => {
                panic!("{path_and_query} did not accept the connection: {error}; the proxy's log:\n{}", self.log())
            }
        }
    }

    /// As [`Proxy::connect_to`]; `Err` is the text of the refusal.
    pub(crate) async fn try_connect_to(&self, path_and_query: &str) -> Result<Client, String> {
        Client::connect(&self.address, path_and_query).await
    }

    /// The text of the refusal of a client that must not be admitted.
    pub(crate) async fn refusal(&self, path_and_query: &str) -> String {
        match self.try_connect_to(path_and_query).await {
            Ok(client) => client.panic(&format!("{path_and_query} accepted the connection")),
            Err(refusal) => refusal,
        }
    }

    /// One HTTP request on a new connection; `Host` is the proxy's address unless `headers` has
    /// one.
    pub(crate) async fn http(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            let _ = write!(request, "Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        let answer = self.bytes(format!("{request}\r\n{body}").as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {answer:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Answer {
            status: status.unwrap_or_else(|| panic!("{method} {path}: no status in {head:?}")),
            headers,
            body: body.to_owned(),
        }
    }

    /// The value of a metric, by its name without `ghostmux_`.
    pub(crate) async fn figure(&self, name: &str) -> u64 {
        let answer = self.http("GET", "/metrics", &[], "").await;
        let value = answer.body.lines().find_map(|line| {
            let (figure, value) = line.split_once(' ')?;
            (figure.trim_start_matches("ghostmux_") == name).then(|| value.parse().ok())?
        });
        value.unwrap_or_else(|| panic!("no figure {name}: {}", answer.body))
    }

    /// The differences between the records and the browsers that it has found: the lines of the metric that are not 0.
    pub(crate) async fn differences(&self) -> Vec<String> {
        let answer = self.http("GET", "/metrics", &[], "").await;
        let lines = answer
            .body
            .lines()
            .filter(|line| line.starts_with("ghostmux_pool_differences_total{") && !line.ends_with(" 0"));
        lines.map(str::to_owned).collect()
    }

    /// Waits until each of its browsers, this many, was compared with the records three times from now on: then what
    /// differs now was found.
    pub(crate) async fn compared(&self, browsers: u64) {
        let so_far = self.figure("pool_comparisons_total").await;
        let is_done = async || self.figure("pool_comparisons_total").await >= so_far + 3 * browsers;
        eventually("three comparisons of each browser", is_done).await;
    }

    /// Sends these bytes on a new connection and reads until the other side closes it.
    pub(crate) async fn bytes(&self, request: &[u8]) -> String {
        let exchange = async {
            let mut socket = TcpStream::connect(&self.address).await.expect("it accepts");
            let _ = socket.write_all(request).await;
            let mut answer = Vec::new();
            let _ = socket.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        };
        let deadline = Duration::from_secs(40);
        tokio::time::timeout(deadline, exchange).await.unwrap_or_else(|_| panic!("no answer in {deadline:?}"))
    }

    /// Kills it with SIGKILL; the checks at the end are skipped.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        self.killed = true;
    }

    /// Sends SIGTERM, without waiting.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Sends a signal, without waiting.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")), signal).expect("it runs");
    }

    fn end(&mut self) -> Result<(), String> {
        if self.killed {
            return Ok(());
        }
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        let _ = kill(pid, Signal::SIGTERM);
        let since = Instant::now();
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if since.elapsed() < END => thread::sleep(Duration::from_millis(5)),
                _ => {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    return Err(format!("it did not end within {END:?} of SIGTERM"));
                }
            }
        };
        if !status.success() {
            return Err(format!("it ended with {status}"));
        }
        let sessions = self.session_dir();
        if !sessions.starts_with(self.directory.path()) {
            let own = self.own_directory();
            return if own.exists() { Err(format!("{} is left", own.display())) } else { Ok(()) };
        }
        let since = Instant::now();
        while !processes_naming(&sessions).is_empty() {
            if since.elapsed() > Duration::from_secs(5) {
                return Err(format!("processes are left: {:?}", processes_naming(&sessions)));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let left: Vec<_> = fs::read_dir(&sessions).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("files are left: {left:?}")) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let ended = self.end();
        if thread::panicking() {
            eprintln!("---- the proxy's log, with {}:\n{}", self.browser.path.display(), self.log());
        } else if let Err(why) = ended {
            panic!("{why}; the proxy's log:\n{}", self.log());
        }
    }
}

/// Waits until the condition holds, for what no event reports. Asks again after each answer.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let asked = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(END, asked).await.unwrap_or_else(|_| panic!("never came: {what}"));
}

/// The process that started this one.
fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// All processes of this machine.
fn processes() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn processes_naming(directory: &Path) -> Vec<u32> {
    let directory = directory.to_string_lossy();
    let names_it = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&format!("{directory}/ghostmux-")))
    };
    processes().filter(names_it).collect()
}

//! Collects facts about the machine. `checks` evaluates them.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        resource::{Resource, getrlimit},
        signal::{Signal, killpg},
        statvfs::statvfs,
    },
    unistd::Pid,
};
use tokio::{net::TcpStream, process::Command, time::timeout};

use crate::{
    browser::find::{self, Found},
    config::{LocalBrowsers, RemoteUrl},
};

/// A browser that takes longer to load a blank page is not usable.
const START_DEADLINE: Duration = Duration::from_secs(15);
/// A remote browser that takes longer to accept a connection counts as unreachable.
const REACH_DEADLINE: Duration = Duration::from_secs(5);
/// Depth of the search for fonts: font directories are shallow, and links can form a circle.
const FONT_DEPTH: usize = 6;

/// The facts that the checks need.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) root: bool,
    pub(super) namespaces: Namespaces,
    pub(super) shared_memory: Option<u64>,
    pub(super) fonts: Fonts,
    /// The limit of open files of this process, and the most to which it may raise that limit.
    pub(super) open_files: Option<(u64, u64)>,
    /// Bytes of memory that this process and its browsers may use.
    pub(super) memory: Option<u64>,
    pub(super) cores: usize,
    pub(super) directory: Result<(), String>,
    /// Free bytes on the disk of the session directory.
    pub(super) directory_free: Option<u64>,
}

/// The kernel's settings for user namespaces, which Chrome's sandbox needs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Namespaces {
    pub(super) unprivileged_clone: Option<u64>,
    pub(super) most: Option<u64>,
    pub(super) restricted_by_apparmor: Option<u64>,
}

/// The installed fonts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fonts {
    pub(super) files: usize,
    pub(super) emoji: bool,
    pub(super) cjk: bool,
}

impl Machine {
    pub(super) fn look(session_dir: &Path) -> Self {
        Self {
            root: find::is_root(),
            namespaces: Namespaces {
                unprivileged_clone: read_number("/proc/sys/kernel/unprivileged_userns_clone"),
                most: read_number("/proc/sys/user/max_user_namespaces"),
                restricted_by_apparmor: read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            },
            shared_memory: find::shared_memory(),
            fonts: Fonts::look(),
            open_files: getrlimit(Resource::RLIMIT_NOFILE).ok(),
            memory: memory(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            directory: try_directory(session_dir).map_err(|error| error.to_string()),
            directory_free: statvfs(session_dir).ok().map(|stat| stat.blocks_available() * stat.fragment_size()),
        }
    }
}

impl Fonts {
    fn look() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let mut fonts = Self::default();
        for dir in [
            "/usr/share/fonts".into(),
            "/usr/local/share/fonts".into(),
            home.join(".fonts"),
            home.join(".local/share/fonts"),
        ] {
            fonts.look_in(&dir, FONT_DEPTH);
        }
        fonts
    }

    fn look_in(&mut self, dir: &Path, depth: usize) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if depth > 0 {
                    self.look_in(&path, depth - 1);
                }
            } else {
                self.count(&path);
            }
        }
    }

    pub(super) fn count(&mut self, file: &Path) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_font = file
            .extension()
            .and_then(OsStr::to_str)
            .is_some_and(|ext| ["ttf", "otf", "ttc", "otc", "pfb"].contains(&ext.to_ascii_lowercase().as_str()));
        if is_font {
            self.files += 1;
            self.emoji |= name.contains("emoji");
            self.cjk |=
                ["cjk", "wqy", "ipag", "ipaexg", "takao", "fallback", "unifont", "nanum", "notosanssc", "notosansjp"]
                    .iter()
                    .any(|word| name.contains(word));
        }
    }
}

/// Starts the browser for one blank page. Returns how long that took, or the browser's last message.
pub(super) async fn start(
    found: &Found,
    no_sandbox: bool,
    local: &LocalBrowsers,
    dir: &Path,
) -> Result<Duration, String> {
    let profile = dir.join(format!("ghostmux-doctor-{}", std::process::id()));
    fs::create_dir(&profile).map_err(|error| format!("cannot make {}: {error}", profile.display()))?;
    let outcome = start_in(found, no_sandbox, local, &profile).await;
    let _ = fs::remove_dir_all(&profile);
    outcome
}

async fn start_in(found: &Found, no_sandbox: bool, local: &LocalBrowsers, profile: &Path) -> Result<Duration, String> {
    let begin = Instant::now();
    // A window is needed here: the DOM is dumped from it.
    let flags = find::command_line(found.kind, no_sandbox, &local.args)
        .into_iter()
        .filter(|flag| flag != "--no-startup-window");
    let child = Command::new(&found.binary)
        .args(flags)
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(["--dump-dom", "about:blank"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    let outcome = timeout(START_DEADLINE, child.wait_with_output()).await;
    // Also after a success: helpers may outlive the browser briefly, and they write to the profile.
    if let Some(group) = group {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let output = match outcome {
        Ok(output) => output.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("no page within {} s", START_DEADLINE.as_secs())),
    };
    if String::from_utf8_lossy(&output.stdout).contains("<html>") {
        return Ok(begin.elapsed());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}", output.status, telling_line(&errors)))
}

/// The reason why Chrome ended, from its standard error: the first sentence of the first fatal line, or of the last
/// line.
pub(super) fn telling_line(errors: &str) -> &str {
    let mut lines = errors.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling = ["FATAL", "o usable sandbox", "no-sandbox", "loading shared libraries"];
    let found = lines.clone().find(|line| telling.iter().any(|word| line.contains(word)));
    let line = found.or_else(|| lines.next_back()).unwrap_or("it printed nothing");
    // The prefix `[1123/222043.391805:ERROR:content/browser/zygote_host/zygote_host_impl_linux.cc:130] ` does not help
    // the operator.
    let text = line.strip_prefix('[').and_then(|line| line.split_once("] ")).map_or(line, |(_, text)| text);
    text.split_inclusive(['!', '.']).next().filter(|sentence| text[sentence.len()..].starts_with(' ')).unwrap_or(text)
}

/// Whether a remote browser's address accepts connections.
pub(super) async fn reach(url: &RemoteUrl) -> Result<(), String> {
    match timeout(REACH_DEADLINE, TcpStream::connect(url.authority())).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", REACH_DEADLINE.as_secs())),
    }
}

/// The older form of the sandbox: a helper beside the browser that belongs to root and has the set-user-id bit.
pub(super) fn has_setuid_helper(binary: &Path) -> bool {
    let helper = binary.with_file_name("chrome-sandbox");
    helper.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o4000 != 0)
}

fn read_number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Free bytes of memory on the machine, or the limit of the control group if that is less.
fn memory() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free = line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()? << 10;
    Some(read_number("/sys/fs/cgroup/memory.max").map_or(free, |limit| limit.min(free)))
}

fn try_directory(dir: &Path) -> io::Result<()> {
    let probe = dir.join(format!("ghostmux-doctor-{}.probe", std::process::id()));
    fs::write(&probe, "x")?;
    fs::remove_file(&probe)
}

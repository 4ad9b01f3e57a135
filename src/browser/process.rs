//! One local Chrome process: its flags, its pipe, its profile directory, its end.
//!
//! Chrome runs in a process group of its own and exits when its pipe closes, so it ends with the
//! proxy (*measured:* within a second of `kill -9`). `PR_SET_PDEATHSIG` is not used: under Tokio it
//! fires when a thread ends.

use std::{
    borrow::Cow,
    ffi::OsString,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use command_fds::{CommandFdExt, FdMapping};
use nix::{
    fcntl::{FcntlArg, fcntl},
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use rustix::process::{getpriority_process, setpriority_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::unix::pipe::{Receiver, Sender},
    process::{Child, Command},
    runtime::Handle,
    task::JoinHandle,
    time::timeout,
};

use super::{
    cgroup::{Cgroup, Cgroups},
    codec::{Codec, CodecChoice},
    egress::BrowserEgress,
    find::merge,
    namespace::NetworkNamespace,
    screen,
    transport::Pipe,
};
use crate::port::{LaunchSpec, LockedDirectory, ScreenSize, egress::EgressGates};

/// How long a Chrome may take to exit after its pipe was closed.
const GRACE: Duration = Duration::from_secs(3);
/// How often it is looked whether an Xvfb has ended.
const LOOK: Duration = Duration::from_millis(10);
/// The capacity of each direction of the pipe, in bytes: the most that a user may request, unless
/// the system is configured otherwise (`fs.pipe-max-size`, pipe(7)).
const PIPE_SIZE: i32 = 1024 * 1024;
/// The length of `/org.chromium.Chromium.XXXXXX/SingletonSocket`.
const SINGLETON: usize = 45;
/// The longest path of a socket on Linux (`unix(7)`), with its NUL.
const LONGEST_SOCKET: usize = 108;
/// How many of Chrome's last lines of output are kept to explain a failed start.
const KEPT_LINES: usize = 20;

/// Among the flags of a full Chrome.
const HEADLESS: &str = "--headless";
/// Among the flags of all browsers. With it Chrome loads no extension but those that a flag names.
const WITHOUT_EXTENSIONS: &str = "--disable-extensions";
/// Chrome has the commands of `Extensions` only with it, and only on its pipe.
const LOAD_BY_COMMAND: &str = "--enable-unsafe-extension-debugging";

/// The program to start, and how.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The browser's binary (never a wrapper script that does not exec: killing it would orphan the browser).
    pub binary: PathBuf,
    /// All flags except those of the pipe and the profile.
    pub flags: Vec<String>,
    /// Where the profile directory is created. It belongs to this process, and is removed also if
    /// the process is killed.
    pub directory: PathBuf,
    /// The codec of its pipe.
    pub codec: CodecChoice,
    /// The control groups of browsers, if each is to be in one of its own.
    pub cgroups: Option<Arc<Cgroups>>,
    /// How much lower its priority is than that of this process: 0 to 19 (nice value).
    pub nice: u8,
    /// Whether dedicated browsers can load extensions, and keep those that are in their user data.
    pub has_extensions: bool,
    /// What makes the gates of a browser, if its contexts can have some.
    pub egress: Option<Arc<dyn EgressGates>>,
    /// Whether all its contexts are to have gates; otherwise those for which a client names a proxy.
    pub is_gated: bool,
    /// Whether each browser is to be in a network namespace of its own. Then all its contexts have gates.
    pub in_namespace: bool,
}

impl Launch {
    /// A browser as this one, but for what is different in one that is started for one session. `is_dedicated` says whether
    /// that session has it alone.
    pub(super) fn with(&self, special: &LaunchSpec, is_dedicated: bool) -> Cow<'_, Self> {
        let has_extensions = self.has_extensions && is_dedicated;
        if special.is_plain() && !has_extensions {
            return Cow::Borrowed(self);
        }
        let mut flags = merge(self.flags.clone(), special.args());
        if special.screen().is_some() {
            flags.retain(|flag| !flag.starts_with(HEADLESS));
        }
        if has_extensions {
            flags.retain(|flag| flag != WITHOUT_EXTENSIONS);
            flags.push(LOAD_BY_COMMAND.to_owned());
        }
        Cow::Owned(Self { flags, ..self.clone() })
    }

    /// Whether dedicated browsers can have windows on a screen of their own; the error says what is missing.
    pub(crate) fn can_have_screens(&self) -> Result<(), &'static str> {
        if !self.flags.iter().any(|flag| flag.starts_with(HEADLESS)) {
            return Err("its Chrome is a headless shell; start it with a full one (browser_path)");
        }
        screen::missing().map_or(Ok(()), Err)
    }
}

/// A running Chrome. Dropping it kills the process group and removes the profile directory.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    // Dropped after `group`, so that nothing is written there any more; then the cleanup has
    // nothing to do.
    profile: Profile,
    // Dropped after `group` too: nobody else may use the directory before.
    user_data: Option<Arc<dyn LockedDirectory>>,
    has_screen: bool,
    _cleanup: Option<ProfileCleanup>,
    stderr: Option<JoinHandle<Vec<String>>>,
    // Dropped after `group` too: only an empty one can be removed.
    cgroup: Option<Arc<Cgroup>>,
}

/// Starts a program whose priority is lower than that of this process. A child has the priority of the thread that starts it,
/// and what has threads already cannot be changed as a whole.
fn spawn_nice(command: &mut Command, nice: u8) -> io::Result<Child> {
    if nice == 0 {
        return command.spawn();
    }
    let runtime = Handle::current();
    let spawn = || {
        let _in_runtime = runtime.enter();
        // Of this thread. The lowest is 19, whatever is asked for.
        setpriority_process(None, getpriority_process(None)? + i32::from(nice))?;
        command.spawn()
    };
    thread::scope(|scope| {
        let spawned = thread::Builder::new().spawn_scoped(scope, spawn)?.join();
        spawned.unwrap_or_else(|_| Err(io::Error::other("the thread that starts the browser has panicked")))
    })
}

impl Process {
    /// Starts Chrome with the pipe on fds 3 and 4; on a user data directory that stays, or one of its own; with these gates.
    pub(super) fn start(
        launch: &Launch,
        egress: Option<&BrowserEgress>,
        user_data: Option<Arc<dyn LockedDirectory>>,
        screen: Option<ScreenSize>,
        codec: Codec,
    ) -> io::Result<(Self, Pipe)> {
        let profile = Profile::create(&launch.directory)?;
        // Pipes, not socket pairs: every read from a socket wakes its sender, a useless wake-up per
        // command (*measured*).
        let (commands_in, commands_out) = large_pipe()?;
        let (events_in, events_out) = large_pipe()?;
        let write = Sender::from_owned_fd(commands_out.into())?;
        let read = Receiver::from_owned_fd(events_in.into())?;

        let cgroup = launch.cgroups.as_ref().map(|cgroups| cgroups.make()).transpose()?.map(Arc::new);
        let namespace = egress.and_then(BrowserEgress::namespace);
        let (mut command, mut inherited) = match screen {
            None => (program(&launch.binary, cgroup.as_deref(), namespace), Vec::new()),
            Some(size) => {
                let shell = program(Path::new("/bin/sh"), cgroup.as_deref(), namespace);
                screen::program_with(size, &profile.0, &launch.binary, shell)?
            }
        };
        command
            .args(&launch.flags)
            .arg(match codec {
                Codec::Json => "--remote-debugging-pipe",
                Codec::Cbor => "--remote-debugging-pipe=cbor",
            })
            // No other flag may undo these.
            .args(egress.map(BrowserEgress::flags).unwrap_or_default())
            .arg(user_data_flag(user_data.as_ref().map_or(&*profile.0, |kept| kept.path())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if !names_utf8() {
            command.env_remove("LC_ALL").env("LC_CTYPE", "C.UTF-8");
        }
        // What Chrome writes when a renderer crashes has memory of its pages: without this, full Chrome keeps it in the home
        // directory for ever, whatever its flags say (*measured*). Headless shell writes nothing.
        command.env("BREAKPAD_DUMP_LOCATION", profile.0.join("Crash Reports"));
        // Chrome's temporary files are in its profile, unless the path of its singleton socket,
        // which is one of them, would be longer than the system allows.
        if profile.0.as_os_str().len() + SINGLETON < LONGEST_SOCKET {
            command.env("TMPDIR", &profile.0);
        } else {
            tracing::warn!(
                profile = %profile.0.display(),
                "the path is too long for Chrome's temporary files: they are in the system's directory, where they are neither \
                 counted nor removed; choose a shorter session_dir"
            );
        }
        inherited.push(FdMapping { parent_fd: OwnedFd::from(commands_in), child_fd: 3 });
        inherited.push(FdMapping { parent_fd: OwnedFd::from(events_out), child_fd: 4 });
        if let Some(kept) = &user_data {
            inherited.push(FdMapping { parent_fd: kept.share_lock()?, child_fd: 5 });
        }
        command.as_std_mut().fd_mappings(inherited).map_err(io::Error::other)?;
        let mut child = spawn_nice(&mut command, launch.nice)?;
        // `command` still has Chrome's ends of the pipes; they must be closed, or the pipe would
        // never end.
        drop(command);
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        if let (Some(namespace), Some(group)) = (namespace, group) {
            namespace.started(group);
        }
        let stderr = child.stderr.take().map(|stderr| tokio::spawn(last_lines(stderr)));
        let has_screen = screen.is_some();
        let cleanup = group.and_then(|group| ProfileCleanup::start(&profile.0, group, user_data.is_some(), has_screen));
        Ok((
            Self { child, group, profile, user_data, has_screen, _cleanup: cleanup, stderr, cgroup },
            Pipe::new(read, write, codec),
        ))
    }

    /// The browser's process id, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the process has exited by itself (its pipe is closed), or kills it; returns how
    /// it ended with the last lines of its output.
    pub(super) async fn end(mut self) -> (String, Vec<String>) {
        let how = if let Ok(status) = timeout(GRACE, self.child.wait()).await {
            status.map_or_else(|error| error.to_string(), |status| status.to_string())
        } else {
            self.kill_group();
            let _ = self.child.wait().await;
            format!("killed after {} s without leaving", GRACE.as_secs())
        };
        // Renderers and helpers that outlive the browser process are in its group.
        self.kill_group();
        self.screen_gone().await;
        self.group = None;
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove().await;
        }
        let lines = match self.stderr.take() {
            Some(task) => timeout(GRACE, task).await.map_or_else(|_| Vec::new(), Result::unwrap_or_default),
            None => Vec::new(),
        };
        (how, lines)
    }

    /// Whether its user data directory stays: then it is to write everything there before it ends.
    pub(super) fn keeps_user_data(&self) -> bool {
        self.user_data.is_some()
    }

    /// Kills Chrome and everything that it has started. An Xvfb is told to end: it then removes its socket and its lock, which
    /// are not in the profile.
    pub(super) fn kill_group(&self) {
        let Some(group) = self.group else { return };
        if self.has_screen {
            let _ = kill(group, Signal::SIGKILL);
            let _ = killpg(group, Signal::SIGTERM);
        } else {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }

    /// Waits a moment for the end of an Xvfb that was told to end, then kills it.
    async fn screen_gone(&self) {
        let Some(group) = self.group.filter(|_| self.has_screen) else { return };
        let gone = async {
            while killpg(group, None).is_ok() {
                tokio::time::sleep(LOOK).await;
            }
        };
        if timeout(GRACE, gone).await.is_err() {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }

    /// The control group, if the browser has one of its own.
    pub(super) fn cgroup(&self) -> Option<Arc<Cgroup>> {
        self.cgroup.clone()
    }

    /// The profile directory, in which sessions may store files too.
    pub(super) fn profile(&self) -> &Path {
        &self.profile.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

fn user_data_flag(directory: &Path) -> String {
    format!("--user-data-dir={}", directory.display())
}

/// The command that becomes the browser. It is in its network namespace and its control group before it starts anything.
pub(super) fn program(binary: &Path, cgroup: Option<&Cgroup>, namespace: Option<&NetworkNamespace>) -> Command {
    const ENTER: &str = "echo $$ > \"$1\" || exit; shift; exec \"$@\"";
    let mut words = namespace.map(NetworkNamespace::entrance).unwrap_or_default();
    if let Some(cgroup) = cgroup {
        words.extend(["/bin/sh", "-c", ENTER, "ghostmux-enter"].map(OsString::from));
        words.push(cgroup.procs().into());
    }
    words.push(binary.into());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// A pipe with a capacity of [`PIPE_SIZE`], or the largest that the system allows.
fn large_pipe() -> io::Result<(io::PipeReader, io::PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    let _ = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
    Ok((reader, writer))
}

async fn last_lines(stderr: tokio::process::ChildStderr) -> Vec<String> {
    let mut lines = BufReader::new(stderr).lines();
    let mut kept = std::collections::VecDeque::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if !line.trim().is_empty() {
            tracing::debug!(target: "chrome", "{line}");
            if kept.len() == KEPT_LINES {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    }
    kept.into()
}

/// A shell that outlives a `kill -9` of the proxy until it has removed the profile directory: it
/// waits for the end of its standard input, which comes when the proxy has ended in any way.
#[derive(Debug)]
struct ProfileCleanup {
    // Killed on drop: the proxy then cleans up itself, and the number of the process group may be
    // reused.
    _child: Child,
}

impl ProfileCleanup {
    /// Chrome exits by itself when its pipe has closed; one that `keeps` its user data gets the time to write them. An Xvfb is
    /// told to end first, as in [`Process::kill_group`].
    fn start(profile: &Path, group: Pid, keeps: bool, has_screen: bool) -> Option<Self> {
        // The second attempt removes what an ending helper of Chrome's still wrote; then the
        // process's directory, if nothing but its lock is left in it.
        const SCRIPT: &str = "read -r _; sleep \"$4\"; [ \"$5\" = screen ] && kill -s TERM -- \"-$2\" 2>/dev/null && sleep 1; kill -s KILL -- \"-$2\" 2>/dev/null; rm -rf -- \"$1\"; sleep 1; rm -rf -- \"$1\" \"$3\"/sessions; [ \"$(ls -A -- \"$3\")\" = lock ] && rm -f -- \"$3\"/lock; rmdir -- \"$3\" 2>/dev/null";
        let child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "ghostmux-cleanup"])
            .arg(profile)
            .arg(group.to_string())
            .arg(profile.parent().unwrap_or(profile))
            .arg(if keeps { "3" } else { "0" })
            .arg(if has_screen { "screen" } else { "" })
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        match child {
            Ok(child) => Some(Self { _child: child }),
            Err(error) => {
                tracing::warn!(%error, "no /bin/sh: a killed proxy would leave {} behind", profile.display());
                None
            }
        }
    }
}

/// Whether the locale of this process is one of UTF-8 (`locale(7)`). *Measured:* in another one Chrome silently uploads no file
/// whose path has other characters than those of ASCII.
fn names_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// A profile directory; removed when dropped.
#[derive(Debug)]
struct Profile(PathBuf);

impl Profile {
    fn create(base: &Path) -> io::Result<Self> {
        static LAST: AtomicU32 = AtomicU32::new(0);
        // As short as possible, because of the socket that Chrome creates in it.
        let path = base.join(LAST.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // Chrome's last helpers may still write during the removal: then it is repeated once.
        if std::fs::remove_dir_all(&self.0).is_err() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

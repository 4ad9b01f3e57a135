//! Finds a Chrome on this machine and its version, and decides on its flags.
//!
//! Starts no browser: it runs at most `--version`.

mod flags;
mod wrapper;

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use thiserror::Error;
use tokio::{process::Command, time::timeout};

pub(super) use self::flags::merge;
pub use self::flags::{command_line, default_flags, is_root, shared_memory};

/// The oldest Chrome with the required features.
pub const OLDEST: u32 = 148;

/// Best first: headless shell needs the least memory and has no user interface that a page could
/// reach.
const NAMES: [&str; 8] = [
    "chromium-headless-shell",
    "chrome-headless-shell",
    "headless_shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];

/// Where packages install a Chrome that may not be in PATH (the PATH of a service is often short).
const PLACES: [&str; 8] = [
    "/usr/local/bin",
    "/usr/bin",
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
    "/usr/lib64/chromium-browser",
    "/opt/google/chrome",
    "/opt/chrome-headless-shell-linux64",
    "/snap/bin",
];

/// Time limit for `--version`. On a machine with ten times more runnable tasks than processors it
/// takes more than five seconds (*measured*).
const DEADLINE: Duration = Duration::from_secs(20);

/// A Chrome that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The program itself if a wrapper script starts it: killing a script would leave its browser
    /// running.
    pub binary: PathBuf,
    /// Headless shell or full Chrome.
    pub kind: Kind,
    /// Its version.
    pub version: Version,
}

/// The two builds of Chrome, which need different flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Headless shell: the engine without the browser's user interface.
    Shell,
    /// Full Chrome.
    Full,
}

/// A version of Chrome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The first of its four numbers.
    pub major: u32,
    /// All four.
    pub full: String,
}

/// Why no browser can be started. Each text says what to do.
#[derive(Debug, Error)]
pub enum FindError {
    /// No known program is in any of the searched places.
    #[error(
        "no Chrome found: looked for {} in PATH and in {}; install one (Debian: apt install chromium-headless-shell) \
         or name one with --browser-path", NAMES.join(", "), PLACES.join(", ")
    )]
    Missing,
    /// The configured path does not exist.
    #[error("browser_path {path}: there is no such program; `ghostmux doctor` shows which browsers this machine has")]
    NotThere {
        /// As given.
        path: PathBuf,
    },
    /// It exists and does not answer as Chrome does.
    #[error("{path} cannot be used: {reason}; `ghostmux doctor` shows which browsers can")]
    NotUsable {
        /// What was run.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// It is too old.
    #[error(
        "{path} is version {version}, but {OLDEST} or newer is needed; update it, or name another with --browser-path"
    )]
    TooOld {
        /// What was run.
        path: PathBuf,
        /// Its output.
        version: Version,
    },
}

/// The browser to start: the one at `path`, or else the first usable one that is found.
pub async fn find(path: Option<&Path>) -> Result<Found, FindError> {
    if let Some(path) = path {
        return inspect(&at(path)?).await;
    }
    let mut first_failure = None;
    for candidate in candidates() {
        match inspect(&candidate).await {
            Ok(found) => return Ok(found),
            Err(failure) => first_failure = first_failure.or(Some(failure)),
        }
    }
    Err(first_failure.unwrap_or(FindError::Missing))
}

/// Every program on this machine with a name of Chrome's, best first, each once.
pub fn candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    candidates_in(std::env::split_paths(&path).chain(PLACES.iter().map(PathBuf::from)))
}

/// The program that is started for `path`, which may be a wrapper, and its kind. Nothing is run: it may be unusable.
pub fn program_at(path: &Path) -> (PathBuf, Kind) {
    let program = wrapper::started_by(path).unwrap_or_else(|| path.to_owned());
    let kind = Kind::of(&program);
    (program, kind)
}

/// Runs the program at `path` to find its version and kind.
pub async fn inspect(path: &Path) -> Result<Found, FindError> {
    if let Some(binary) = wrapper::started_by(path) {
        // A wrapper may also set up what its program needs; if the program does not run alone, the
        // wrapper is used.
        if let Ok(found) = inspect_as(&binary).await {
            return Ok(found);
        }
    }
    inspect_as(path).await
}

async fn inspect_as(path: &Path) -> Result<Found, FindError> {
    let said = version_text(path).await.map_err(|reason| FindError::NotUsable { path: path.to_owned(), reason })?;
    let Some(version) = Version::in_text(&said) else {
        let reason = format!("it is not a Chrome; `--version` printed {:?}", said.trim());
        return Err(FindError::NotUsable { path: path.to_owned(), reason });
    };
    if version.major < OLDEST {
        return Err(FindError::TooOld { path: path.to_owned(), version });
    }
    Ok(Found { binary: path.to_owned(), kind: Kind::of(path), version })
}

/// The output of `--version`, or the reason why there is none.
async fn version_text(path: &Path) -> Result<String, String> {
    let mut command = Command::new(path);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.process_group(0).kill_on_drop(true).spawn().map_err(|error| error.to_string())?;
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    let Ok(output) = timeout(DEADLINE, child.wait_with_output()).await else {
        // The process group is killed, because a script may have started the process that hangs.
        if let Some(group) = group {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        return Err(format!("`--version` did not finish within {} s", DEADLINE.as_secs()));
    };
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        return Err(format!("`--version` ended with {}: {}", output.status, last.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Resolves the setting `browser_path`: a path, or a name to search for.
fn at(path: &Path) -> Result<PathBuf, FindError> {
    let is_name = path.components().count() == 1 && !path.is_absolute();
    let found = if is_name { in_path(path) } else { wrapper::is_program(path).then(|| path.to_owned()) };
    found.ok_or_else(|| FindError::NotThere { path: path.to_owned() })
}

/// The first program of this name in PATH.
pub(super) fn in_path(name: &Path) -> Option<PathBuf> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search).map(|dir| dir.join(name)).find(|path| wrapper::is_program(path))
}

fn candidates_in(dirs: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let dirs: Vec<PathBuf> = dirs.collect();
    let mut found: Vec<PathBuf> = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    for path in NAMES.iter().flat_map(|name| dirs.iter().map(move |dir| dir.join(name))) {
        if !wrapper::is_program(&path) {
            continue;
        }
        // A wrapper in /usr/bin and the program that it starts in /usr/lib are one browser.
        let identity = wrapper::started_by(&path).or_else(|| path.canonicalize().ok()).unwrap_or_else(|| path.clone());
        if !seen.contains(&identity) {
            seen.push(identity);
            found.push(path);
        }
    }
    found
}

impl Kind {
    /// Decided by the file name: the output of `--version` is the same for both.
    fn of(binary: &Path) -> Self {
        let name = binary.file_name().unwrap_or_default().to_string_lossy().replace('_', "-");
        if name.contains("headless-shell") { Self::Shell } else { Self::Full }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shell => "headless shell",
            Self::Full => "full browser",
        })
    }
}

impl Version {
    /// The version in a text such as `Chromium 156.0.8078.79` or `HeadlessChrome/156.0.8078.79`.
    pub fn in_text(text: &str) -> Option<Self> {
        let mut words = text.split(|c: char| c.is_whitespace() || c == '/');
        words.find_map(|word| {
            let parts: Option<Vec<u32>> = word.split('.').map(|part| part.parse().ok()).collect();
            let parts = parts.filter(|parts| parts.len() == 4)?;
            Some(Self { major: parts[0], full: word.to_owned() })
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A directory with programs that are shell scripts.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a directory"))
        }

        fn with(self, name: &str, script: &str) -> Self {
            let path = self.0.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("executable");
            self
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }
    }

    #[test]
    fn version_is_parsed_from_every_builds_output() {
        for text in
            ["Chromium 156.0.8078.79 \n", "Google Chrome for Testing 156.0.8078.79", "HeadlessChrome/156.0.8078.79"]
        {
            let version = Version::in_text(text).expect(text);
            assert_eq!((version.major, version.to_string().as_str()), (156, "156.0.8078.79"));
        }
        for text in ["", "v20.20.2", "Mozilla Firefox 128.0", "1.2.3.x"] {
            assert_eq!(Version::in_text(text), None, "{text}");
        }
    }

    #[test]
    fn kind_is_derived_from_the_program_name() {
        let shells = ["/usr/lib/chromium/chromium-headless-shell", "/x/headless_shell", "/opt/chrome-headless-shell"];
        assert!(shells.iter().all(|path| Kind::of(Path::new(path)) == Kind::Shell));
        assert_eq!(Kind::of(Path::new("/opt/google/chrome/chrome")), Kind::Full);
    }

    #[test]
    fn headless_shell_is_preferred_and_browsers_are_listed_once() {
        let machine = Machine::new().with("google-chrome", "true").with("headless_shell", "true");
        let dirs = || [machine.0.path().to_owned(), PathBuf::from("/nonexistent"), machine.0.path().join(".")];
        assert_eq!(candidates_in(dirs().into_iter()), [machine.path("headless_shell"), machine.path("google-chrome")]);
    }

    #[test]
    fn setup_script_searches_for_the_same_browsers() {
        let script = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/setup.sh"));
        for line in [format!("CHROMES=({})", NAMES.join(" ")), format!("PLACES=\"{}\"", PLACES.join(":"))] {
            assert!(script.contains(&line), "scripts/setup.sh lacks {line}");
        }
        assert!(script.contains(&format!("OLDEST_CHROME={OLDEST}\n")));
    }

    #[tokio::test]
    async fn unusable_browsers_report_the_reason() {
        let machine = Machine::new()
            .with("new", "echo Chromium 148.0.1.2")
            .with("old", "echo Chromium 147.0.1.2")
            .with("node", "echo v20.20.2")
            .with("broken", "echo 'libnss3.so: cannot open shared object file' >&2; exit 127");
        assert_eq!(find(Some(&machine.path("new"))).await.expect("usable").version.major, 148);
        for (name, words) in [
            ("old", &["old is version 147.0.1.2", "148"][..]),
            ("node", &["it is not a Chrome", "v20.20.2"]),
            ("broken", &["libnss3.so: cannot open"]),
            ("absent", &["absent: there is no such program"]),
        ] {
            let error = find(Some(&machine.path(name))).await.expect_err(name).to_string();
            assert!(words.iter().all(|word| error.contains(word)) && !error.contains('\n'), "{error}");
        }
    }
}

//! The control groups (cgroup v2) of local browsers: each is in a group of its own, for which the kernel enforces a share
//! of processor time and a limit of memory.
//!
//! The group in which ghostmux is started must be delegated to it, as systemd does with `Delegate=yes`. A group that gives
//! controllers to its children has no processes of its own, so ghostmux moves itself into a child, `ghostmux-PID`; the
//! browsers are in others beside it, `ghostmux-PID-N`. A group is removed when its browser has ended. Those of a process
//! that was killed are removed by the next one that is started in the same group.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use super::Browser;
use crate::config::BrowserLimits;

/// Where version 2 is mounted.
const MOUNT: &str = "sys/fs/cgroup";
/// The begin of the names of our groups; the number of the process follows.
const PREFIX: &str = "ghostmux-";
/// What a group needs, in the words of `cgroup.subtree_control`.
const CONTROLLERS: [&str; 2] = ["cpu", "memory"];
/// The share of a group of which nothing is said.
const WEIGHT: u32 = 100;
/// How long killed processes may take to leave their group.
const LEAVING: Duration = Duration::from_secs(2);
/// How often is looked whether they have.
const LOOK: Duration = Duration::from_millis(10);

/// Why browsers cannot have groups of their own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("browser_cgroups: the browsers cannot have control groups of their own, because {0}")]
pub struct NoCgroups(String);

/// Makes the groups of the browsers of this process.
#[derive(Debug)]
pub struct Cgroups {
    /// The group that is delegated to this process.
    parent: PathBuf,
    pid: u32,
    last: AtomicU32,
}

impl Cgroups {
    /// Prepares the group of this process for those of browsers, and moves this process into a child of it. Removes what
    /// processes that were killed have left there. Waits for the system.
    pub fn prepare() -> Result<Arc<Self>, NoCgroups> {
        Self::at(Path::new("/"), std::process::id()).map(Arc::new)
    }

    fn at(root: &Path, pid: u32) -> Result<Self, NoCgroups> {
        let parent = of_process(root).ok_or_else(|| {
            NoCgroups(format!("this process is in no group of cgroup v2 that is mounted at /{MOUNT}"))
        })?;
        let failed = |what: &str, error: &io::Error| {
            NoCgroups(match error.kind() {
                io::ErrorKind::ResourceBusy => format!(
                    "other processes are in the group {} too; start ghostmux as the only one in it",
                    parent.display()
                ),
                _ => format!(
                    "{what} in the group {}: {error}; a group must be delegated to ghostmux: Delegate=yes in a unit of systemd",
                    parent.display()
                ),
            })
        };
        let controllers = fs::read_to_string(parent.join("cgroup.controllers"))
            .map_err(|error| failed("cannot read cgroup.controllers", &error))?;
        let missing: Vec<&str> = CONTROLLERS
            .into_iter()
            .filter(|wanted| !controllers.split_whitespace().any(|has| has == *wanted))
            .collect();
        if !missing.is_empty() {
            return Err(NoCgroups(format!(
                "the group {} has not the controllers {}; Delegate=yes in a unit of systemd gives them to it",
                parent.display(),
                missing.join(" and ")
            )));
        }
        remove_left(&parent, root, pid);
        let own = parent.join(format!("{PREFIX}{pid}"));
        make(&own).map_err(|error| failed("cannot make a group", &error))?;
        let text = pid.to_string();
        let all = CONTROLLERS.map(|controller| format!("+{controller}")).join(" ");
        let prepared = fs::write(own.join("cgroup.procs"), &text)
            .map_err(|error| failed("cannot move this process", &error))
            .and_then(|()| {
                fs::write(parent.join("cgroup.subtree_control"), &all)
                    .map_err(|error| failed("cannot give controllers to groups", &error))
            });
        if let Err(error) = prepared {
            // As it was before.
            let _ = fs::write(parent.join("cgroup.procs"), &text);
            let _ = fs::remove_dir(&own);
            return Err(error);
        }
        tracing::info!(group = %parent.display(), "each browser is in a control group of its own");
        Ok(Self { parent, pid, last: AtomicU32::new(0) })
    }

    /// A new group, without limits and without processes.
    pub(super) fn make(&self) -> io::Result<Cgroup> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let path = self.parent.join(format!("{PREFIX}{}-{number}", self.pid));
        make(&path)?;
        Ok(Cgroup { path, wanted: Mutex::default(), writing: Mutex::new(()) })
    }
}

/// The group of one browser. The kernel removes it only without processes: see [`Cgroup::remove`].
#[derive(Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
    // Guards the limits that are to hold; held for a copy.
    wanted: Mutex<BrowserLimits>,
    // Held while limits are written, so that the last ones stay.
    writing: Mutex<()>,
}

impl Cgroup {
    /// The file that takes a process into the group.
    pub(super) fn procs(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// These limits are to hold. Whether they are others than before: then [`Cgroup::apply`] is needed.
    pub(super) fn want(&self, limits: BrowserLimits) -> bool {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *wanted, limits) != limits
    }

    /// Writes the limits. May take long: a lower limit of memory makes the kernel free some first.
    pub(super) fn apply(&self) {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let BrowserLimits { cpu_weight, memory } = *self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memory.map_or_else(|| "max".to_owned(), |bytes| bytes.to_string());
        for (file, text) in [("cpu.weight", cpu_weight.unwrap_or(WEIGHT).to_string()), ("memory.max", memory)] {
            match fs::write(self.path.join(file), &text) {
                Ok(()) => {}
                // The browser has ended meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                Err(error) => {
                    tracing::error!(group = %self.path.display(), file, text, %error, "a limit of a browser cannot be set");
                }
            }
        }
    }

    /// Kills what is left in the group, and removes it.
    pub(super) async fn remove(&self) {
        let since = Instant::now();
        kill(&self.path);
        while let Err(error) = fs::remove_dir(&self.path) {
            if error.kind() == io::ErrorKind::NotFound {
                return;
            }
            if since.elapsed() > LEAVING {
                tracing::warn!(group = %self.path.display(), %error, "the control group of a browser cannot be removed");
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What a browser that did not start leaves. Usually the group is gone already.
        kill(&self.path);
        let _ = fs::remove_dir(&self.path);
    }
}

/// The group of this process, if version 2 is mounted. `root` is `/`, except in tests.
fn of_process(root: &Path) -> Option<PathBuf> {
    let mount = root.join(MOUNT);
    // Only version 2 has this file.
    if !mount.join("cgroup.controllers").exists() {
        return None;
    }
    let own = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    // Behind a cgroup namespace the path may lead out of what is mounted.
    let own = if own.split('/').any(|part| part == "..") { "" } else { own };
    Some(if own.is_empty() { mount } else { mount.join(own) })
}

/// The group of this process and those above it, up to the root of their file system; none without version 2.
pub(crate) fn with_parents(root: &Path) -> Vec<PathBuf> {
    let mount = root.join(MOUNT);
    let own = of_process(root);
    own.iter()
        .flat_map(|own| own.ancestors())
        .take_while(|group| group.starts_with(&mount))
        .map(Path::to_owned)
        .collect()
}

impl Browser {
    /// These limits hold for the browser from now on, if it has a control group of its own.
    pub(crate) fn limit(&self, limits: BrowserLimits) {
        if let Some(cgroup) = self.shared.cgroup.clone().filter(|cgroup| cgroup.want(limits)) {
            tokio::task::spawn_blocking(move || cgroup.apply());
        }
    }
}

/// Removes the groups of processes that run no more, and those of an earlier process with this number.
fn remove_left(parent: &Path, root: &Path, pid: u32) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let (of, number) = rest.split_once('-').map_or((rest, None), |(of, number)| (of, Some(number)));
        let is_ours = number.is_none_or(|number| number.parse::<u32>().is_ok());
        let Some(of) = of.parse::<u32>().ok().filter(|_| is_ours) else { continue };
        if of != pid && root.join(format!("proc/{of}")).exists() {
            continue;
        }
        let path = entry.path();
        kill(&path);
        let since = Instant::now();
        let mut removed = fs::remove_dir(&path);
        while removed.is_err() && since.elapsed() < LEAVING && path.exists() {
            std::thread::sleep(LOOK);
            removed = fs::remove_dir(&path);
        }
        match removed {
            Ok(()) => tracing::info!(group = %path.display(), "removed what a process that was killed has left"),
            // Another process that starts has removed it.
            Err(_) if !path.exists() => {}
            Err(error) => {
                tracing::warn!(group = %path.display(), %error, "a control group that was left cannot be removed");
            }
        }
    }
}

fn make(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Kills all processes of a group.
fn kill(group: &Path) {
    // An empty group has the file too.
    let file = group.join("cgroup.kill");
    if file.exists() {
        let _ = fs::write(file, "1");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        browser::{
            CodecChoice, Launch, Shares, Source, Started,
            find::{self, command_line, is_root},
            process::program,
            start,
        },
        config::Codec,
        port::{BrowserId, LaunchSpec},
    };

    /// A tree of files like that of the system, with a process 9. The process is in the group `a/b`.
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new(controllers: &str) -> Self {
            let tree = Self(tempfile::tempdir().expect("a directory"));
            for (path, text) in [("cgroup.controllers", "cpu memory pids"), ("a/b/cgroup.controllers", controllers)] {
                tree.write(&format!("{MOUNT}/{path}"), text);
            }
            tree.write("proc/self/cgroup", "1:name=systemd:/x\n0::/a/b\n");
            tree.write("proc/9/stat", "");
            tree
        }

        fn root(&self) -> &Path {
            self.0.path()
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.root().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }

        fn group(&self, name: &str) -> PathBuf {
            self.root().join(MOUNT).join("a/b").join(name)
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.group(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
        }
    }

    #[test]
    fn a_group_without_processor_and_memory_control_is_refused_with_what_it_lacks() {
        for (controllers, lacks) in
            [("", "cpu and memory"), ("pids memory", "controllers cpu;"), ("cpu", "controllers memory;")]
        {
            let tree = Tree::new(controllers);
            let why = Cgroups::at(tree.root(), 7).expect_err(controllers).to_string();
            assert!(why.starts_with("browser_cgroups: ") && why.contains(lacks) && why.contains("Delegate"), "{why}");
            assert!(!tree.group("ghostmux-7").exists(), "nothing is moved");
        }
        let tree = Tree::new("cpu memory");
        fs::remove_file(tree.root().join(MOUNT).join("cgroup.controllers")).expect("it is there");
        let why = Cgroups::at(tree.root(), 7).expect_err("version 1").to_string();
        assert!(why.contains("no group of cgroup v2"), "{why}");
    }

    #[test]
    fn browsers_are_beside_the_process_and_their_limits_are_written() {
        let tree = Tree::new("cpuset cpu io memory pids");
        let cgroups = Cgroups::at(tree.root(), 7).expect("delegated");
        assert_eq!(
            (tree.read("ghostmux-7/cgroup.procs"), tree.read("cgroup.subtree_control")),
            ("7".into(), "+cpu +memory".into())
        );
        let (one, two) = (cgroups.make().expect("made"), cgroups.make().expect("made"));
        assert_eq!(
            (one.procs(), two.procs()),
            (tree.group("ghostmux-7-0/cgroup.procs"), tree.group("ghostmux-7-1/cgroup.procs"))
        );
        let limits = BrowserLimits { cpu_weight: Some(50), memory: Some(1 << 30) };
        assert!(one.want(limits) && !one.want(limits), "the same limits are not written again");
        one.apply();
        let written = || (tree.read("ghostmux-7-0/cpu.weight"), tree.read("ghostmux-7-0/memory.max"));
        assert_eq!(written(), ("50".into(), "1073741824".into()));
        // The next tenant has no limits of its own.
        assert!(one.want(BrowserLimits::default()));
        one.apply();
        assert_eq!(written(), ("100".into(), "max".into()));
        assert!(!tree.group("ghostmux-7-1/cpu.weight").exists());
    }

    #[test]
    fn only_the_groups_of_processes_that_run_no_more_are_removed() {
        let tree = Tree::new("cpu memory");
        // 7 had this number before, 9 runs.
        let (left, kept) = (
            ["ghostmux-3", "ghostmux-3-0", "ghostmux-3-12", "ghostmux-7-5"],
            ["ghostmux-9", "ghostmux-9-0", "ghostmux-x", "ghostmux-3-x", "ghostmux-test-3", "other-3", "init.scope"],
        );
        for name in left.iter().chain(&kept) {
            fs::create_dir_all(tree.group(name)).expect("made");
        }
        let cgroups = Cgroups::at(tree.root(), 7).expect("delegated");
        assert!(left.iter().all(|name| !tree.group(name).exists()));
        assert!(kept.iter().all(|name| tree.group(name).exists()));
        drop(cgroups.make().expect("made"));
        assert!(!tree.group("ghostmux-7-0").exists(), "a browser that did not start leaves none");
    }

    /// The files are not those of a kernel here: this shows that Chrome keeps its pipe and its number.
    #[tokio::test]
    async fn chrome_takes_itself_into_its_group_before_it_starts() {
        let tree = Tree::new("cpu memory");
        let cgroups = Cgroups::at(tree.root(), 7).expect("delegated");
        let found = find::find(None).await.expect("a Chrome");
        let launch = Launch {
            binary: found.binary.clone(),
            flags: command_line(found.kind, is_root(), &[]),
            directory: tree.root().join("profiles"),
            codec: CodecChoice::new(Codec::Auto),
            cgroups: Some(Arc::new(cgroups)),
            nice: 0,
            has_extensions: false,
            egress: None,
            is_gated: false,
            in_namespace: false,
        };
        let (source, special) = (Source::Local(launch), LaunchSpec::default());
        let started = start(BrowserId(1), &source, &special, false, Shares::default(), Arc::default()).await;
        let Started { browser, link } = started.expect("it starts");
        let pid = browser.pid().expect("it runs").to_string();
        assert_eq!(tree.read("ghostmux-7-0/cgroup.procs").trim(), pid);
        browser.limit(BrowserLimits { cpu_weight: Some(50), memory: None });
        let since = Instant::now();
        while fs::read_to_string(tree.group("ghostmux-7-0/memory.max")).unwrap_or_default() != "max" {
            assert!(since.elapsed() < Duration::from_secs(20), "the limits are not written");
            tokio::time::sleep(LOOK).await;
        }
        assert_eq!(tree.read("ghostmux-7-0/cpu.weight"), "50");
        browser.close();
        link.await.expect("no panic");
    }

    /// With a group of the kernel, if this user may make one.
    #[tokio::test]
    async fn a_browser_starts_in_its_group_which_is_removed_with_all_its_processes() {
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        let Some(mount) = mounts.into_iter().find(|mount| mount.join("cgroup.controllers").exists()) else {
            eprintln!("skipped: this system has no cgroup v2");
            return;
        };
        let own = fs::read_to_string("/proc/self/cgroup").expect("it is there");
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
        let name = format!("ghostmux-test-{}", std::process::id());
        let path = mount.join(own).join(&name);
        if let Err(error) = fs::create_dir(&path) {
            eprintln!("skipped: no control group can be made at {}: {error}", path.display());
            return;
        }
        let group = Cgroup { path: path.clone(), wanted: Mutex::default(), writing: Mutex::new(()) };
        // It leaves a child behind, as Chrome does when it is killed.
        let mut command = program(Path::new("/bin/sh"), Some(&group), None);
        let mut child = command.args(["-c", "sleep 1000 & sleep 1000"]).spawn().expect("it starts");
        let pid = child.id().expect("it runs").to_string();
        let inside =
            || fs::read_to_string(group.procs()).expect("it is there").lines().map(str::to_owned).collect::<Vec<_>>();
        let since = Instant::now();
        while inside().len() < 2 {
            assert!(since.elapsed() < Duration::from_secs(20), "{:?}", inside());
            tokio::time::sleep(LOOK).await;
        }
        assert!(inside().contains(&pid), "the process itself is in its group: {:?}", inside());
        group.remove().await;
        assert!(!path.exists());
        assert!(!child.wait().await.expect("it ended").success());
    }
}

//! Evaluates the facts that `machine` collected. Each function takes facts and returns a [`Check`], without I/O.

use std::{io, net::SocketAddr, path::Path, time::Duration};

use super::{
    Check, Level,
    machine::{Fonts, Machine},
};
#[cfg(feature = "tls")]
use crate::config::{Expiry, ExpiryStage};
use crate::{
    browser::{
        find::{FindError, Found, Kind},
        namespace::NamespaceError,
    },
    config::{RemoteUrl, StorePlace, StoreSettings},
};

const MIB: u64 = 1 << 20;
/// With less shared memory, in bytes, Chrome is started so that it does not use `/dev/shm`.
const ENOUGH_SHARED_MEMORY: u64 = 1 << 30;
/// Open files for a few hundred sessions: one socket each here, several files each in Chrome.
const ENOUGH_FILES: u64 = 4096;
/// Bytes of memory for Chrome itself and a handful of pages.
const ENOUGH_MEMORY: u64 = 512 * MIB;
/// Bytes of disk for profiles and downloads of a handful of sessions.
const ENOUGH_DISK: u64 = 256 * MIB;

const SECCOMP: &str = "in Docker, give it a seccomp profile that allows user namespaces (docs/operating.md), or turn the \
                       sandbox off with GHOSTMUX_NO_SANDBOX=true if you trust every page";

pub(super) fn browser(found: &Result<Found, FindError>, others: &[Result<Found, FindError>]) -> Check {
    let describe = |found: &Found| format!("{} ({}) at {}", found.version, found.kind, found.binary.display());
    let chosen = match found {
        Ok(chosen) => chosen,
        Err(error) => {
            let usable = others.iter().flatten().map(|other| format!("usable: {}", describe(other)));
            let said: Vec<_> = std::iter::once(error.to_string()).chain(usable).collect();
            return Check::new(Level::Fail, "browser", said.join("; "));
        }
    };
    let others = others.iter().map(|other| match other {
        Ok(other) => format!("also {}", describe(other)),
        Err(error) => error.to_string(),
    });
    let said: Vec<_> = std::iter::once(describe(chosen)).chain(others).collect();
    let check = Check::new(Level::Ok, "browser", said.join("; "));
    match chosen.kind {
        Kind::Shell => check,
        Kind::Full => check.remedy(
            "headless shell needs less memory and keeps pages away from the browser's own interface: \
             apt install chromium-headless-shell",
        ),
    }
}

pub(super) fn start(outcome: &Result<Duration, String>, starts_without_sandbox: bool) -> Check {
    match outcome {
        Ok(took) => Check::new(Level::Ok, "browser start", format!("a blank page in {:.1} s", took.as_secs_f64())),
        Err(said) if starts_without_sandbox => {
            Check::new(Level::Fail, "browser start", format!("it starts only without its sandbox: {said}"))
                .remedy(SECCOMP)
        }
        Err(said) => {
            let check = Check::new(Level::Fail, "browser start", said.clone());
            match said.split_once("loading shared libraries: ") {
                Some((_, library)) => {
                    let library = library.split(':').next().unwrap_or(library);
                    check.remedy(format!(
                        "install the package that has {library}, or the browser as a package of the system"
                    ))
                }
                None => check.remedy("run it by hand with --headless --dump-dom about:blank to see its full output"),
            }
        }
    }
}

pub(super) fn remote(url: &RemoteUrl, reached: Result<(), String>, is_needed: bool) -> Check {
    let level = if is_needed { Level::Fail } else { Level::Warn };
    match reached {
        Ok(()) => Check::new(Level::Ok, "browser", format!("{url} accepts connections")),
        Err(error) => Check::new(level, "browser", format!("{url}: {error}"))
            .remedy("start that Chrome with --remote-debugging-port, and check that this machine can reach it"),
    }
}

pub(super) fn sandbox(machine: &Machine, turned_off: bool, setuid_helper: bool) -> Check {
    if machine.root {
        return Check::new(
            Level::Warn,
            "sandbox",
            "off: ghostmux runs as root, and Chrome starts as root only without it",
        )
        .remedy("run ghostmux as an ordinary user; as root, a page that breaks out of its renderer has root's rights");
    }
    if turned_off {
        return Check::new(Level::Warn, "sandbox", "off, because no_sandbox is set")
            .remedy("only visit pages that you trust");
    }
    if setuid_helper {
        return Check::new(Level::Ok, "sandbox", "on, by the set-user-id helper beside the browser");
    }
    let namespaces = machine.namespaces;
    let hindered = [
        (namespaces.unprivileged_clone == Some(0), "kernel.unprivileged_userns_clone=1"),
        (namespaces.most == Some(0), "user.max_user_namespaces=10000"),
        (namespaces.restricted_by_apparmor == Some(1), "kernel.apparmor_restrict_unprivileged_userns=0"),
    ];
    let wanted: Vec<&str> = hindered.iter().filter(|(is_so, _)| *is_so).map(|(_, setting)| *setting).collect();
    if wanted.is_empty() {
        return Check::new(Level::Ok, "sandbox", "the kernel allows user namespaces to every user");
    }
    Check::new(Level::Warn, "sandbox", "the kernel denies user namespaces to ordinary users").remedy(format!(
        "sysctl -w {} (and in /etc/sysctl.d), or install the browser's set-user-id helper (Debian: apt install \
         chromium-sandbox)",
        wanted.join(" ")
    ))
}

pub(super) fn namespace(without_interface: Result<Option<String>, NamespaceError>) -> Check {
    const CHECK: &str = "network namespaces";
    match without_interface {
        Ok(None) => Check::new(Level::Ok, CHECK, "each browser has one of its own"),
        Ok(Some(why)) => {
            Check::new(Level::Warn, CHECK, format!("pages believe to be offline: they can have no interface: {why}"))
                .remedy("load the kernel's module veth (modprobe veth)")
        }
        Err(error) => Check::new(Level::Fail, CHECK, error.to_string()).remedy("remove browser_netns to do without"),
    }
}

pub(super) fn shared_memory(bytes: Option<u64>) -> Check {
    match bytes {
        Some(bytes) if bytes >= ENOUGH_SHARED_MEMORY => Check::new(Level::Ok, "/dev/shm", mib(bytes)),
        Some(bytes) => {
            Check::new(Level::Warn, "/dev/shm", format!("{}, so Chrome uses files in its place", mib(bytes)))
                .remedy("give it 1 GiB, in Docker with --shm-size=1g, for more speed")
        }
        None => Check::new(Level::Warn, "/dev/shm", "does not exist").remedy("mount a tmpfs on it"),
    }
}

pub(super) fn fonts(fonts: &Fonts) -> Check {
    if fonts.files == 0 {
        return Check::new(Level::Warn, "fonts", "none: pages will show boxes for letters")
            .remedy("apt install fonts-liberation fonts-noto-color-emoji fonts-noto-cjk");
    }
    let missing = [
        (fonts.emoji, "emoji", "fonts-noto-color-emoji"),
        (fonts.cjk, "Chinese, Japanese or Korean", "fonts-noto-cjk"),
    ];
    let missing: Vec<_> = missing.into_iter().filter(|(is_there, ..)| !is_there).collect();
    if missing.is_empty() {
        return Check::new(Level::Ok, "fonts", format!("{} files", fonts.files));
    }
    let what: Vec<_> = missing.iter().map(|(_, what, _)| *what).collect();
    let packages: Vec<_> = missing.iter().map(|(_, _, package)| *package).collect();
    Check::new(Level::Warn, "fonts", format!("{} files, none for {}", fonts.files, what.join(" or for ")))
        .remedy(format!("if pages need them: apt install {}", packages.join(" ")))
}

pub(super) fn size(machine: &Machine) -> Check {
    let cores = format!("{} core{}", machine.cores, if machine.cores == 1 { "" } else { "s" });
    match machine.memory {
        Some(bytes) if bytes < ENOUGH_MEMORY => {
            Check::new(Level::Warn, "memory", format!("{} free, {cores}", mib(bytes)))
                .remedy("Chrome and a handful of pages need some 512 MiB")
        }
        Some(bytes) => Check::new(Level::Ok, "memory", format!("{} free, {cores}", mib(bytes))),
        None => Check::new(Level::Ok, "memory", cores),
    }
}

pub(super) fn files(machine: &Machine) -> Check {
    match machine.open_files {
        Some((now, most)) if now < ENOUGH_FILES => {
            Check::new(Level::Warn, "open files", format!("{now} per process, at most {most}"))
                .remedy("ulimit -n 65536, or LimitNOFILE=65536 in the service's unit, for hundreds of sessions")
        }
        Some((now, _)) => Check::new(Level::Ok, "open files", format!("{now} per process")),
        None => Check::new(Level::Ok, "open files", "no limit known"),
    }
}

pub(super) fn directory(path: &Path, machine: &Machine) -> Check {
    let path = path.display();
    if let Err(error) = &machine.directory {
        return Check::new(Level::Fail, "session_dir", format!("cannot write in {path}: {error}"))
            .remedy("make it writable, or name another with --session-dir");
    }
    match machine.directory_free {
        Some(free) if free < ENOUGH_DISK => {
            Check::new(Level::Warn, "session_dir", format!("{path} has {} free", mib(free)))
                .remedy("profiles and downloads go there; make room, or name another with --session-dir")
        }
        Some(free) => Check::new(Level::Ok, "session_dir", format!("{path}, {} free", mib(free))),
        None => Check::new(Level::Ok, "session_dir", path.to_string()),
    }
}

pub(super) fn store(settings: &StoreSettings) -> Check {
    let place = match &settings.place {
        StorePlace::File(path) => path.display().to_string(),
        StorePlace::Redis(url) => url.to_string(),
    };
    match settings.keys.sealing() {
        Some(key) => Check::new(Level::Ok, "snapshots", format!("in {place}, encrypted with the key {}", key.id)),
        None => Check::new(Level::Ok, "snapshots", format!("in {place}, not encrypted")).remedy(
            "give keys with --store-key if others can read it: whoever reads a snapshot can log in as its session",
        ),
    }
}

#[cfg(feature = "tls")]
pub(super) fn certificate(file: &Path, expiry: Result<Expiry, String>) -> Check {
    let file = file.display();
    let check = |level, said| Check::new(level, "tls_cert", format!("{file} {said}"));
    match expiry {
        Err(why) => check(Level::Fail, format!("cannot be used: {why}"))
            .remedy("give a PEM file with the certificate of this server and those of its issuers"),
        Ok(expiry) if expiry.stage() == ExpiryStage::Far => check(Level::Ok, expiry.to_string()),
        Ok(expiry) => check(Level::Warn, expiry.to_string())
            .remedy("put a new certificate and its key into the files; the server reads them by itself"),
    }
}

pub(super) fn listen(address: SocketAddr, bound: io::Result<()>) -> Check {
    match bound {
        Ok(()) => Check::new(Level::Ok, "listen", format!("{address} is free")),
        // Another ghostmux may be serving there, in which case all is well.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Check::new(Level::Warn, "listen", format!("{address} is taken"))
                .remedy("stop what listens there (ss -ltnp shows it), or choose another with --listen")
        }
        Err(error) => {
            Check::new(Level::Fail, "listen", format!("{address}: {error}")).remedy("choose another with --listen")
        }
    }
}

fn mib(bytes: u64) -> String {
    if bytes >= 10 << 30 { format!("{} GiB", bytes >> 30) } else { format!("{} MiB", bytes / MIB) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{
        browser::find::Version,
        cli::doctor::machine::{Namespaces, telling_line},
    };

    fn machine() -> Machine {
        Machine {
            root: false,
            namespaces: Namespaces { unprivileged_clone: Some(1), most: Some(1000), restricted_by_apparmor: None },
            shared_memory: Some(2 << 30),
            fonts: Fonts { files: 9, emoji: true, cjk: true },
            open_files: Some((65_536, 65_536)),
            memory: Some(8 << 30),
            cores: 2,
            directory: Ok(()),
            directory_free: Some(10 << 30),
        }
    }

    fn found(kind: Kind) -> Found {
        Found { binary: "/opt/chrome".into(), kind, version: Version { major: 156, full: "156.0.1.2".into() } }
    }

    #[test]
    fn every_failed_check_has_a_remedy() {
        let mut poor = machine();
        poor.namespaces = Namespaces { unprivileged_clone: Some(0), most: Some(0), restricted_by_apparmor: Some(1) };
        poor.open_files = Some((1024, 4096));
        poor.memory = Some(100 * MIB);
        poor.directory = Err("Permission denied".into());
        let taken = || Err(io::Error::from(io::ErrorKind::AddrInUse));
        let address = SocketAddr::from(([127, 0, 0, 1], 9222));
        for check in [
            start(&Err("no page within 15 s".into()), false),
            start(&Err("No usable sandbox!".into()), true),
            start(&Err("error while loading shared libraries: libnss3.so: cannot open".into()), false),
            remote(&"ws://a".parse().expect("a URL"), Err("refused".into()), true),
            sandbox(&poor, false, false),
            sandbox(&poor, true, true),
            sandbox(&Machine { root: true, ..machine() }, false, true),
            namespace(Ok(Some("Operation not supported".into()))),
            namespace(Err(NamespaceError::Refused("Operation not permitted".into()))),
            shared_memory(Some(64 * MIB)),
            shared_memory(None),
            fonts(&Fonts::default()),
            fonts(&Fonts { files: 3, emoji: true, cjk: false }),
            size(&poor),
            files(&poor),
            directory(Path::new("/nowhere"), &poor),
            directory(Path::new("/full"), &Machine { directory_free: Some(1), ..machine() }),
            listen(address, taken()),
            listen(address, Err(io::Error::from(io::ErrorKind::AddrNotAvailable))),
        ] {
            assert!(check.level != Level::Ok && check.remedy.is_some(), "{check:?}");
        }
    }

    #[test]
    fn machine_without_faults_passes_all_checks() {
        let machine = machine();
        for check in [
            browser(&Ok(found(Kind::Shell)), &[]),
            start(&Ok(Duration::from_millis(700)), false),
            sandbox(&machine, false, false),
            namespace(Ok(None)),
            shared_memory(machine.shared_memory),
            fonts(&machine.fonts),
            size(&machine),
            files(&machine),
            directory(Path::new("/tmp"), &machine),
            listen(SocketAddr::from(([127, 0, 0, 1], 9222)), Ok(())),
        ] {
            assert!(check.level == Level::Ok && check.remedy.is_none(), "{check:?}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn certificate_that_expires_within_a_month_is_reported() {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let said = |days: i64| {
            let at = now + jiff::SignedDuration::from_hours(24 * days);
            certificate(Path::new("/etc/x.pem"), Ok(Expiry::new(at, now)))
        };
        let good = said(31);
        assert!(good.level == Level::Ok && good.remedy.is_none() && good.found.contains("/etc/x.pem"), "{good:?}");
        for (days, words) in [(30, "in 30 days"), (3, "in 3 days"), (-2, "2 days ago")] {
            let check = said(days);
            assert!(check.level == Level::Warn && check.found.contains(words) && check.remedy.is_some(), "{check:?}");
        }
        assert_eq!(certificate(Path::new("/etc/x.pem"), Err("no file".to_owned())).level, Level::Fail);
    }

    #[test]
    fn store_without_key_is_reported_as_unencrypted() {
        let said = |key: &str| {
            let variables = [("GHOSTMUX_STORE", "redis://:s3cret@a:1"), ("GHOSTMUX_STORE_KEY", key)];
            let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
            store(
                &crate::config::Config::load(crate::config::RawConfig::default(), variables)
                    .expect("settings")
                    .store_settings(),
            )
        };
        let open = said("");
        assert!(open.found.contains("redis://a:1, not encrypted") && open.remedy.is_some(), "{open:?}");
        let sealed = said(&format!("k7:{}", "0".repeat(64)));
        assert!(sealed.found.ends_with("encrypted with the key k7") && sealed.remedy.is_none(), "{sealed:?}");
    }

    #[test]
    fn missing_browser_remedy_names_the_supported_ones() {
        let check = browser(&Err(FindError::NotThere { path: PathBuf::from("/x") }), &[Ok(found(Kind::Full))]);
        assert!(
            check.level == Level::Fail && check.found.contains("usable: 156.0.1.2 (full browser) at /opt/chrome"),
            "{check:?}"
        );
    }

    #[test]
    fn full_chrome_passes_and_headless_shell_is_recommended() {
        let check = browser(&Ok(found(Kind::Full)), &[]);
        assert!(check.level == Level::Ok && check.remedy.is_some_and(|text| text.contains("chromium-headless-shell")));
    }

    #[test]
    fn kernel_restriction_of_the_sandbox_is_named() {
        let mut machine = machine();
        machine.namespaces.restricted_by_apparmor = Some(1);
        let remedy = sandbox(&machine, false, false).remedy.expect("one");
        assert!(
            remedy.contains("kernel.apparmor_restrict_unprivileged_userns=0") && !remedy.contains("max_user"),
            "{remedy}"
        );
        assert_eq!(sandbox(&machine, false, true).level, Level::Ok);
    }

    #[test]
    fn reason_is_extracted_from_chromes_output() {
        let noise =
            "[1:2:ERROR:dbus] no bus\n[1:2:FATAL:zygote] No usable sandbox! Update your kernel\n[1:2:ERROR] bye\n";
        assert_eq!(telling_line(noise), "No usable sandbox!");
        let library = "chrome: error while loading shared libraries: libnss3.so: cannot open";
        assert_eq!(telling_line(library), library);
        assert_eq!(telling_line("one\ntwo\n\n"), "two");
        assert_eq!(telling_line(""), "it printed nothing");
    }

    #[test]
    fn fonts_are_identified_by_name() {
        let mut fonts = Fonts::default();
        for name in ["DejaVuSans.ttf", "NotoColorEmoji.ttf", "NotoSansCJK-Regular.ttc", "fonts.conf"] {
            fonts.count(Path::new(name));
        }
        assert_eq!((fonts.files, fonts.emoji, fonts.cjk), (3, true, true));
    }
}

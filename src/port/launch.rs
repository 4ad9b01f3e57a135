//! How a browser is started for one session, and what each of a session's pages begins with.

use std::{
    fmt,
    hash::{Hash, Hasher},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

use super::egress::GateFront;
use crate::cdp::emulation::Override;

/// What is different in a browser that is started for one session, from the others of this server. Browsers with equal
/// values are of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LaunchSpec {
    args: Arc<[String]>,
    user_data: Option<UserData>,
    screen: Option<ScreenSize>,
    gate: Option<GateFront>,
    shown_extensions: Arc<[String]>,
}

/// An unpacked extension that Chrome can load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its directory, with symbolic links followed.
    pub path: String,
    /// The id that Chrome gives it: 32 letters from `a` to `p`.
    pub id: String,
}

/// The size of a screen, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScreenSize {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

impl LaunchSpec {
    /// A browser with these flags for Chrome beside those of the server, each as `--flag` or `--flag=value`. Of two with one
    /// name Chrome uses the last. Nothing checks them any more: they go to a program on this machine.
    pub fn new(args: Vec<String>) -> Self {
        Self { args: args.into(), ..Self::default() }
    }

    /// As this one, on a user data directory that stays when the browser has ended.
    #[must_use]
    pub fn with_user_data(self, user_data: UserData) -> Self {
        Self { user_data: Some(user_data), ..self }
    }

    /// As this one, with windows on a screen of its own of this size; `None` is a headless one.
    #[must_use]
    pub fn with_screen(self, screen: Option<ScreenSize>) -> Self {
        Self { screen, ..self }
    }

    /// As this one, with gates of this front for all its contexts; `None` is as the server says.
    #[must_use]
    pub fn with_gate(self, gate: Option<GateFront>) -> Self {
        Self { gate, ..self }
    }

    /// The front of the gates of its contexts, if it is not as the server says.
    pub fn gate(&self) -> Option<GateFront> {
        self.gate
    }

    /// The size of its screen; `None` if it is headless.
    pub fn screen(&self) -> Option<ScreenSize> {
        self.screen
    }

    /// The user data directory that stays, if it has one.
    pub fn user_data(&self) -> Option<&UserData> {
        self.user_data.as_ref()
    }

    /// Whether such a browser is as all others, so that it can be started before a session asks for it.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// As this one; its session sees the targets of these extensions too.
    #[must_use]
    pub fn showing(self, extensions: &[Extension]) -> Self {
        let ids = extensions.iter().map(|extension| extension.id.clone());
        Self { shown_extensions: self.shown_extensions.iter().cloned().chain(ids).collect(), ..self }
    }

    /// The ids of the extensions whose targets its session sees.
    pub fn shown_extensions(&self) -> Arc<[String]> {
        self.shown_extensions.clone()
    }

    /// As this one, with these unpacked extensions beside those that it has.
    #[must_use]
    pub fn with_extensions(self, extensions: &[Extension]) -> Self {
        const LOAD: &str = "--load-extension=";
        if extensions.is_empty() {
            return self;
        }
        let (given, others): (Vec<&String>, Vec<&String>) = self.args.iter().partition(|arg| arg.starts_with(LOAD));
        let given = given.last().map(|arg| arg[LOAD.len()..].to_owned());
        let all: Vec<String> =
            given.into_iter().chain(extensions.iter().map(|extension| extension.path.clone())).collect();
        let mut args: Vec<String> = others.into_iter().cloned().collect();
        args.push(format!("{LOAD}{}", all.join(",")));
        Self { args: args.into(), ..self }
    }

    /// The flags for Chrome beside those of the server.
    pub fn args(&self) -> &[String] {
        &self.args
    }
}

/// What is set for each page of a session before the page runs.
#[derive(Clone, Debug, Default)]
pub struct PageSetup {
    /// Whether its certificate errors are ignored.
    pub ignore_certificate_errors: bool,
    /// Its emulation, until a client sets another.
    pub emulation: Vec<Override>,
}

impl PageSetup {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        !self.ignore_certificate_errors && self.emulation.is_empty()
    }
}

/// A user data directory that is locked for one browser.
pub trait LockedDirectory: fmt::Debug + Send + Sync {
    /// The directory.
    fn path(&self) -> &Path;

    /// The paths of the extensions that were installed in it. Chrome forgets those that a command has loaded.
    fn extensions(&self) -> Vec<String>;

    /// Keeps the path of an extension by its id, or forgets it.
    fn keep_extension(&self, id: &str, path: Option<&str>) -> io::Result<()>;

    /// The lock, for Chrome to inherit: so it is held until Chrome has ended, too.
    fn share_lock(&self) -> io::Result<OwnedFd>;
}

/// A user data directory that stays when its browser has ended. It is of use as long as the session has it locked.
#[derive(Clone, Debug)]
pub struct UserData {
    path: PathBuf,
    locked: Weak<dyn LockedDirectory>,
}

impl UserData {
    /// This directory, as long as it is locked.
    pub fn new(locked: &Arc<dyn LockedDirectory>) -> Self {
        Self { path: locked.path().to_owned(), locked: Arc::downgrade(locked) }
    }

    /// The directory, if it is still locked.
    pub fn locked(&self) -> Option<Arc<dyn LockedDirectory>> {
        self.locked.upgrade()
    }
}

impl PartialEq for UserData {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for UserData {}

impl Hash for UserData {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.path.hash(state);
    }
}

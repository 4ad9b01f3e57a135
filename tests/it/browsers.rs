//! The Chromes that the tests run against: headless shell and full Chrome, where installed.
//!
//! `GHOSTMUX_TEST_BROWSER=shell|full` requires one of them and fails if it is missing; the default,
//! `all`, uses each one that is installed, and fails if there is none. `GHOSTMUX_TEST_BROWSER_PATH`
//! names one Chrome instead.

use std::path::PathBuf;

use ghostmux::browser::find::{self, Kind};

/// The Chrome that a test runs against.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) path: PathBuf,
}

impl Browser {
    /// The installed browser of this kind; `None`, with a message on standard error, if the test is
    /// to be skipped. It is not run, which would take longer than some tests: the server does that.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        let program = |path: PathBuf| {
            let (path, found) = find::program_at(&path);
            (found == kind).then_some(Self { path })
        };
        if let Some(path) = std::env::var_os("GHOSTMUX_TEST_BROWSER_PATH") {
            return program(path.into());
        }
        let wanted = std::env::var("GHOSTMUX_TEST_BROWSER").unwrap_or_else(|_| "all".to_owned());
        let asked_for = match (wanted.as_str(), kind) {
            ("all", _) => false,
            ("shell", Kind::Shell) | ("full", Kind::Full) => true,
            ("shell" | "full", _) => return None,
            _ => panic!("GHOSTMUX_TEST_BROWSER={wanted}: say shell, full or all"),
        };
        let candidates = find::candidates();
        let are_others = !candidates.is_empty();
        let found = candidates.into_iter().find_map(program);
        if found.is_none() {
            assert!(!asked_for && are_others, "no {kind} is installed; `ghostmux doctor` says what there is");
            eprintln!("skipped: no {kind} is installed");
        }
        found
    }

    /// The browser for tests that need only one: headless shell if installed.
    pub(crate) fn any() -> Self {
        Self::of(Kind::Shell).or_else(|| Self::of(Kind::Full)).expect("a browser")
    }
}

/// Defines a test for each kind of browser from an `async fn name(browser: Browser)`.
macro_rules! in_each_browser {
    ($(#[$attribute:meta])* $name:ident) => {
        mod $name {
            $(#[$attribute])*
            #[tokio::test]
            async fn shell() {
                if let Some(browser) = $crate::browsers::Browser::of(ghostmux::browser::find::Kind::Shell) {
                    super::$name(browser).await;
                }
            }

            $(#[$attribute])*
            #[tokio::test]
            async fn full() {
                if let Some(browser) = $crate::browsers::Browser::of(ghostmux::browser::find::Kind::Full) {
                    super::$name(browser).await;
                }
            }
        }
    };
}

/// As [`in_each_browser`], for one kind of browser only.
macro_rules! in_browser {
    (Shell: $(#[$attribute:meta])* $name:ident) => {
        mod $name {
            $(#[$attribute])*
            #[tokio::test]
            async fn shell() {
                if let Some(browser) = $crate::browsers::Browser::of(ghostmux::browser::find::Kind::Shell) {
                    super::$name(browser).await;
                }
            }
        }
    };
    (Full: $(#[$attribute:meta])* $name:ident) => {
        mod $name {
            $(#[$attribute])*
            #[tokio::test]
            async fn full() {
                if let Some(browser) = $crate::browsers::Browser::of(ghostmux::browser::find::Kind::Full) {
                    super::$name(browser).await;
                }
            }
        }
    };
}

pub(crate) use {in_browser, in_each_browser};

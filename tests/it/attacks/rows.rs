//! Rows of the table that share a proxy and its Chrome: starting these takes a third of a row's
//! time.
//!
//! `rows_in_each_browser! { a, b }` defines a test for each kind of browser. It sends the rows one
//! after the other, each with its own victim and attacker, goes on after a failed row, and names
//! all that failed. `GHOSTMUX_TEST_ROW=text` sends only the rows whose name contains the text.

use std::{panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Instant};

use futures_util::FutureExt as _;
use ghostmux::browser::find::Kind;
use tokio::sync::OnceCell;

use crate::{browsers::Browser, proxy::Proxy};

/// The strict proxy that the rows share; it is started for the first one.
#[derive(Clone)]
pub(crate) struct Arena {
    pub(super) browser: Browser,
    strict: Arc<OnceCell<Arc<Proxy>>>,
}

impl From<Browser> for Arena {
    fn from(browser: Browser) -> Self {
        Self { browser, strict: Arc::default() }
    }
}

impl Arena {
    /// The proxy, with `--strict`.
    pub(super) async fn strict(&self) -> Arc<Proxy> {
        let start = async || Arc::new(Proxy::start(self.browser.clone(), &["--strict"]).await);
        self.strict.get_or_init(start).await.clone()
    }
}

/// A row that was not sent yet.
pub(super) type Row = Pin<Box<dyn Future<Output = ()>>>;

/// Sends these rows with this kind of browser, if it is installed.
pub(super) async fn send(kind: Kind, rows: impl FnOnce(&Arena) -> Vec<(&'static str, Row)>) {
    let Some(browser) = Browser::of(kind) else { return };
    let only = std::env::var("GHOSTMUX_TEST_ROW").unwrap_or_default();
    let mut failed = Vec::new();
    for (name, row) in rows(&Arena::from(browser)) {
        if !name.contains(&only) {
            continue;
        }
        eprintln!("==> {name}");
        let begun = Instant::now();
        if AssertUnwindSafe(row).catch_unwind().await.is_err() {
            failed.push(name);
        }
        eprintln!("    took {:?}", begun.elapsed());
    }
    assert!(failed.is_empty(), "these rows failed in {kind}, see above: {failed:?}");
}

/// Defines a test for each kind of browser from several `async fn name(arena: Arena)`.
macro_rules! rows_in_each_browser {
    ($($name:ident),+ $(,)?) => {
        mod rows {
            #[tokio::test]
            async fn shell() {
                $crate::attacks::rows::rows!(Shell: $($name),+);
            }

            #[tokio::test]
            async fn full() {
                $crate::attacks::rows::rows!(Full: $($name),+);
            }
        }
    };
}

/// As [`rows_in_each_browser`], for one kind of browser only.
macro_rules! rows_in_browser {
    (Shell: $($name:ident),+ $(,)?) => {
        mod rows_of_the_shell {
            #[tokio::test]
            async fn shell() {
                $crate::attacks::rows::rows!(Shell: $($name),+);
            }
        }
    };
}

macro_rules! rows {
    ($kind:ident: $($name:ident),+) => {
        $crate::attacks::rows::send(ghostmux::browser::find::Kind::$kind, |arena| {
            vec![$((stringify!($name), Box::pin(super::$name(arena.clone())) as $crate::attacks::rows::Row)),+]
        })
        .await
    };
}

pub(crate) use {rows, rows_in_browser, rows_in_each_browser};

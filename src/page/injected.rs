//! What is evaluated in an isolated world of a document: Playwright's injected script and the steps of ghostmux.
//! `scripts/playwright-injected.mjs` extracts the former from its package; `injected/NOTICE` names its authors.

use std::sync::LazyLock;

const PLAYWRIGHT: &str = include_str!("injected/playwright.js");
const PLAIN: &str = include_str!("injected/plain.js");
const STEPS: &str = include_str!("injected/ghostmux.js");
const SIMPLE: &str = include_str!("injected/simple.js");

/// The name of the isolated world. Clients see it in `Runtime.executionContextCreated`.
pub(super) const WORLD: &str = "ghostmux";
/// The name of the isolated world in which callers evaluate their own scripts.
pub(super) const SCRIPT_WORLD: &str = "ghostmux-script";

/// What was evaluated in a world, each with what is before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Tools {
    /// Nothing.
    None,
    /// The functions that look at the document as a whole: they are evaluated at once.
    Plain,
    /// The functions that look for elements too. With Playwright's script they take Chrome some 20 ms in each document
    /// (measured), so that it gets them only where they are used.
    All,
}

/// The functions of `injected/plain.js`.
const OF_PLAIN: [&str; 3] = ["document", "response", "screen"];

static EXPRESSION: LazyLock<String> = LazyLock::new(|| {
    format!("(() => {{ const module = {{}};\n{PLAYWRIGHT}\n(() => {{\n{SIMPLE}\n{STEPS}\n}})(); }})()")
});

impl Tools {
    /// What a function of `ghostmux` needs.
    pub(super) fn of(function: &str) -> Self {
        if OF_PLAIN.contains(&function) { Self::Plain } else { Self::All }
    }

    /// The expressions that make these of those that are there.
    pub(super) fn beyond(self, there: Self) -> impl Iterator<Item = &'static str> {
        let all = [(Self::Plain, PLAIN), (Self::All, &**EXPRESSION)];
        all.into_iter().filter(move |(tools, _)| there < *tools && *tools <= self).map(|(_, expression)| expression)
    }
}

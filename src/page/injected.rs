//! What is evaluated in an isolated world of each document: Playwright's injected script and the steps of ghostmux.
//! `scripts/playwright-injected.mjs` extracts the former from its package; `injected/NOTICE` names its authors.

use std::sync::LazyLock;

const PLAYWRIGHT: &str = include_str!("injected/playwright.js");
const STEPS: &str = include_str!("injected/ghostmux.js");
const SIMPLE: &str = include_str!("injected/simple.js");

/// The name of the isolated world. Clients see it in `Runtime.executionContextCreated`.
pub(super) const WORLD: &str = "ghostmux";
/// The name of the isolated world in which callers evaluate their own scripts.
pub(super) const SCRIPT_WORLD: &str = "ghostmux-script";

/// The expression that makes `ghostmux` in the world.
pub(super) static EXPRESSION: LazyLock<String> = LazyLock::new(|| {
    format!("(() => {{ const module = {{}};\n{PLAYWRIGHT}\n(() => {{\n{SIMPLE}\n{STEPS}\n}})(); }})()")
});

//! The proofs of isolation, and the soak: `make prove` runs them in full, `make prove-short` in short form.
//!
//! ```text
//! cargo test --test prove                                        the short parts, as tests
//! cargo test --test prove -- sweep --methods 'Page.*' --seed 7   one proof, without a time limit
//! cargo test --test prove -- verdict                             their results
//! ```
//!
//! It has its own `main` because the proofs take arguments; it lists and runs its tests as the test
//! harness does.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a proof has to say")]

#[allow(dead_code, unused_imports, unused_macros, reason = "a noun of the integration tests")]
#[path = "../it/browsers.rs"]
mod browsers;
#[allow(dead_code, unused_imports, unused_macros, reason = "a noun of the integration tests")]
#[path = "../it/client.rs"]
mod client;
mod options;
#[allow(dead_code, unused_imports, unused_macros, reason = "a noun of the integration tests")]
#[path = "../it/proxy.rs"]
mod proxy;
mod random;
#[allow(dead_code, unused_imports, unused_macros, reason = "a noun of the integration tests")]
#[path = "../it/site.rs"]
mod site;
mod soak;
mod sweep;
mod taint;
mod tenants;
mod verdict;
mod wire;

use std::{path::Path, process::ExitCode, time::Instant};

use ghostmux::browser::find;

use self::{browsers::Browser, options::Options, verdict::Outcome};

/// Time limit of the seeded part of the sweep in `make prove-short`.
const SWEEP_SECONDS: u64 = 40;
/// Time limit of the taint proof in `make prove-short`.
const TAINT_SECONDS: u64 = 25;

/// The tenants of the server in the taint proof in `make prove-short`; the test of its checker is without any.
const TAINT_TENANTS: usize = 2;
/// The users there whose sessions have Chromes of their own.
const TAINT_DEDICATED: usize = 1;

/// The time under load of the soak in `make prove-short`; its start and its end take some seconds more.
const SOAK_SECONDS: u64 = 12;

/// The names of the tests.
const TESTS: [&str; 6] = [
    "soak::short_soak_leaves_nothing_behind",
    "soak::left_session_is_detected",
    "sweep::seeded_sweep_harms_no_session",
    "taint::injected_leaks_are_detected",
    "taint::no_client_receives_foreign_data",
    "taint::checker_detects_foreign_ids",
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let proof = arguments.next_if(|first| matches!(first.as_str(), "soak" | "sweep" | "taint" | "verdict"));
    match proof.as_deref() {
        Some("verdict") => match runtime.block_on(verdict::verdict()) {
            Ok((pass, text)) => {
                print!("{text}");
                exit_code(pass)
            }
            Err(error) => {
                eprintln!("the verdict could not be written: {error}");
                ExitCode::FAILURE
            }
        },
        Some(proof) => match Options::read(arguments) {
            Ok(options) => runtime.block_on(prove(proof, &options)),
            Err(error) => {
                eprintln!("{error}");
                ExitCode::from(2)
            }
        },
        None => runtime.block_on(as_harness(&arguments.collect::<Vec<_>>())),
    }
}

async fn prove(proof: &str, options: &Options) -> ExitCode {
    let browser = browser(options).await;
    eprintln!("==> {} with seed {}", browser.path.display(), options.seed);
    let outcome = match proof {
        "soak" => soak::run(&browser, options).await,
        "sweep" => sweep::run(&browser, options).await,
        _ => taint::run(&browser, options).await,
    };
    if let Err(error) = outcome.keep() {
        eprintln!("the outcome could not be kept: {error}");
    }
    print!("{}", outcome.text());
    exit_code(outcome.faults.is_empty())
}

/// Handles `--list`; runs the named tests, or all.
async fn as_harness(arguments: &[String]) -> ExitCode {
    let ignored = arguments.iter().any(|argument| argument == "--ignored");
    // A test runner passes `--format terse`: that word is not the name of a test.
    let after_format = |at: usize| at > 0 && arguments.get(at - 1).is_some_and(|before| before == "--format");
    let words = arguments.iter().enumerate().filter(|(at, _)| !after_format(*at)).map(|(_, argument)| argument);
    let named: Vec<&String> = words.filter(|argument| !argument.starts_with('-')).collect();
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let wanted = |test: &str| {
        named.is_empty()
            || named.iter().any(|name| if exact { name.as_str() == test } else { test.contains(name.as_str()) })
    };
    let tests = TESTS.into_iter().filter(|test| !ignored && wanted(test));
    if arguments.iter().any(|argument| argument == "--list") {
        tests.for_each(|test| println!("{test}: test"));
        return ExitCode::SUCCESS;
    }
    for test in tests {
        let since = Instant::now();
        // A test fails by a panic, as in the test harness.
        run(test).await;
        println!("test {test} ... ok ({} s)", since.elapsed().as_secs());
    }
    ExitCode::SUCCESS
}

async fn run(test: &str) {
    let browser = Browser::any();
    match test {
        "soak::short_soak_leaves_nothing_behind" => {
            passed(&soak::run(&browser, &Options::short(SOAK_SECONDS)).await);
        }
        "soak::left_session_is_detected" => soak::left_session_is_detected(&browser).await,
        "sweep::seeded_sweep_harms_no_session" => passed(&sweep::run(&browser, &Options::short(SWEEP_SECONDS)).await),
        "taint::injected_leaks_are_detected" => {
            taint::injected_leaks_are_detected(&browser, &Options::short(TAINT_SECONDS)).await;
        }
        "taint::no_client_receives_foreign_data" => {
            let options = Options::short(TAINT_SECONDS).with_tenants(TAINT_TENANTS).with_dedicated(TAINT_DEDICATED);
            passed(&taint::run(&browser, &options).await);
        }
        "taint::checker_detects_foreign_ids" => taint::checker_detects_foreign_ids(),
        other => panic!("no test is called {other}"),
    }
}

fn passed(outcome: &Outcome) {
    print!("{}", outcome.text());
    outcome.check();
}

async fn browser(options: &Options) -> Browser {
    let Some(path) = &options.browser else { return Browser::any() };
    match find::inspect(Path::new(path)).await {
        Ok(found) => Browser { path: found.binary },
        Err(error) => panic!("{path}: {error}"),
    }
}

fn exit_code(pass: bool) -> ExitCode {
    if pass { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

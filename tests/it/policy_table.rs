//! The build's errors for an invalid policy table.

#[allow(
    dead_code,
    unreachable_pub,
    clippy::print_stdout,
    reason = "it is a program of its own; only its table is read"
)]
#[path = "../../build.rs"]
mod build;

use build::Table;

const HEADER: &str = "method\tscope\tpage\tbrowser\tpage_handler\tbrowser_handler\twith\talso\twhy";

/// The error for a table with this one row.
fn error(row: &str) -> String {
    let text = format!("{HEADER}\n{row}\n");
    match Table::read(&text) {
        Ok(_) => panic!("nothing is wrong with {row:?}"),
        Err((line, what)) => {
            assert_eq!(line, 2, "{what}");
            what
        }
    }
}

#[test]
fn invalid_policy_rows_are_refused_with_a_reason() {
    for (row, reason) in [
        ("Page.x\ttarget\tpass\tnot-found", "4 columns instead of 9"),
        ("Page\ttarget\tpass\tnot-found\t\t\t\t\twhy", "\"Page\" is not a method"),
        ("Page.*\ttarget\tpass\tnot-found\t\t\t\t\twhy", "Page.* may only be answered here or refused"),
        (
            "Page.x\tworld\tpass\tnot-found\t\t\t\t\twhy",
            "\"world\" is not a scope: use target, context, browser or host",
        ),
        ("Page.x\ttarget\tpass\tnot-found\t\t\t\tfrog\twhy", "\"frog\" is not a kind of target"),
        ("Page.x\ttarget\tpass\tnot-found\t\t\t\t\t ", "Page.x has no text in column why"),
        (
            "Page.x\ttarget\tallow\tnot-found\t\t\t\t\twhy",
            "Page.x on a page: \"allow\" is not a verdict: use pass, inject-context, own-only, virtualise, sanitise, \
             answer-locally, not-found, refuse or refuse CAPABILITY",
        ),
        (
            "Page.x\ttarget\tpass\trefuse magic\t\t\t\t\twhy",
            "Page.x on a browser: \"magic\" is not a capability: use dedicated, host-files, launch-args, private-network, \
             tracing",
        ),
        ("Page.x\ttarget\town-only\tnot-found\t\t\t\t\twhy", "Page.x on a page: the verdict needs a handler"),
        (
            "Page.x\ttarget\town-only\tnot-found\tguess\t\t\t\twhy",
            "Page.x on a page: \"guess\" is not a handler; HANDLERS in build.rs lists them",
        ),
        (
            "Page.x\ttarget\tsanitise\tnot-found\tcheck guess\t\t\t\twhy",
            "Page.x on a page: \"check guess\" is not a handler; CHECKS in build.rs lists them",
        ),
        (
            "Page.x\ttarget\trefuse\tnot-found\tresume\t\t\t\twhy",
            "Page.x on a page: handler \"resume\" is given, but this verdict has none",
        ),
        (
            "Page.x\tbrowser\tpass\trefuse\t\t\ttracing\t\twhy",
            "Page.x, column with: \"tracing\" is not capability=verdict:handler",
        ),
        (
            "Page.x\tbrowser\tpass\trefuse\t\t\tmagic=pass\t\twhy",
            "Page.x, column with: \"magic\" is not a capability: use dedicated, host-files, launch-args, private-network, \
             tracing",
        ),
        (
            "Page.x\tbrowser\tpass\trefuse\t\t\ttracing=pass\t\twhy",
            "Page.x, column with: tracing changes nothing: neither column says \"refuse tracing\"",
        ),
        (
            "Page.x\tbrowser\tpass\trefuse tracing\t\t\ttracing=refuse\t\twhy",
            "Page.x, column with: tracing must allow something: \"refuse\" does not",
        ),
        (
            "Page.x\tbrowser\tpass\trefuse tracing\t\t\ttracing=own-only:guess\t\twhy",
            "Page.x, column with: \"guess\" is not a handler; HANDLERS in build.rs lists them",
        ),
        (
            "Page.x\tbrowser\tpass\trefuse tracing\t\t\ttracing=pass;tracing=own-only:end_trace\t\twhy",
            "Page.x, column with: tracing occurs twice",
        ),
    ] {
        assert_eq!(error(row), reason, "{row:?}");
    }
    let row = "Page.x\ttarget\tpass\tnot-found\t\t\t\t\twhy";
    let twice = format!("{HEADER}\n{row}\n{row}\n");
    assert_eq!(Table::read(&twice).err(), Some((3, "Page.x occurs twice".to_owned())));
    assert!(Table::read("method\tscope\n").is_err_and(|(line, what)| line == 1 && what.contains("the header must be")));
}

#[test]
fn unused_handlers_are_named() {
    let text = format!("{HEADER}\nIO.read\ttarget\town-only\tnot-found\tio_stream\t\t\t\twhy\n");
    let unused = Table::read(&text).map(|table| table.unused()).unwrap_or_default();
    assert!(unused.contains(&"resume".to_owned()) && unused.contains(&"check navigate".to_owned()), "{unused:?}");
    assert!(!unused.contains(&"io_stream".to_owned()), "{unused:?}");
    let table = Table::read(include_str!("../../src/virtual_browser/policy.tsv"));
    assert_eq!(table.map(|table| table.unused()), Ok(Vec::new()));
}

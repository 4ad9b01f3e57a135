//! Errors of the command line: one clear line and an exit code.

use std::{net::TcpListener, os::unix::fs::PermissionsExt as _, process::Command};

/// Exit code and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ghostmux"))
        .args(arguments)
        .env_remove("GHOSTMUX_CONFIG")
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|line| line.starts_with("ghostmux:"))
        .collect::<String>();
    (output.status.code(), said)
}

#[test]
fn error_names_a_missing_chrome() {
    let (code, said) = run(&["serve", "--listen", "127.0.0.1:0", "--browser-path", "/nowhere/chrome"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("/nowhere/chrome"), "{said}");
}

#[test]
fn error_for_an_old_chrome_states_the_required_version() {
    let directory = tempfile::tempdir().expect("a directory");
    let chrome = directory.path().join("chrome");
    std::fs::write(&chrome, "#!/bin/sh\necho 'Chromium 120.0.6099.224'\n").expect("a file");
    std::fs::set_permissions(&chrome, std::fs::Permissions::from_mode(0o755)).expect("it may be run");
    let (code, said) = run(&["serve", "--listen", "127.0.0.1:0", "--browser-path", &chrome.to_string_lossy()]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("120") && said.contains("148"), "{said}");
}

#[test]
fn error_names_a_port_in_use_before_chrome_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (code, said) = run(&["serve", "--listen", &address]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
}

#[test]
fn error_names_an_unknown_setting() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("ghostmux.toml");
    std::fs::write(&file, "brwsers = 2\n").expect("a file");
    let (code, said) = run(&["serve", "--config", &file.to_string_lossy()]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("brwsers"), "{said}");
}

#[test]
fn listening_on_other_interfaces_requires_a_flag() {
    let (code, said) = run(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--insecure"), "{said}");
}

//! Control groups of browsers. On a system that delegates none to the tests, only that this is said.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    browsers::Browser,
    proxy::{Proxy, eventually},
};

const FLAGS: [&str; 5] = ["--browser-cgroups", "--browser-cpu-weight", "50", "--browser-memory-max", "4GiB"];

/// Why no browser can have a group of its own here; `None` if each can.
fn refusal(browser: &Browser) -> Option<(Option<i32>, String)> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ghostmux"))
        .args(["serve", "--listen", "127.0.0.1:0", "--browser-path"])
        .arg(&browser.path)
        .args(FLAGS)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("text");
    if line.contains("is ready") {
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        return None;
    }
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    Some((child.wait().expect("it ends").code(), said))
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_in_control_groups_or_the_server_does_not_start() {
    let browser = Browser::any();
    if let Some((code, said)) = refusal(&browser) {
        assert!(code == Some(2) && said.contains("browser_cgroups: the browsers cannot have control groups"), "{said}");
        eprintln!("skipped: {said}");
        return;
    }
    let proxy = Proxy::start(browser, &FLAGS).await;
    let client = proxy.connect().await;
    client.ok(None, "Browser.getVersion", json!({})).await;
    let group = |pid: u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_owned()
    };
    let of_browser = group(u32::try_from(proxy.browsers()[0].as_raw()).expect("a pid"));
    assert!(of_browser.ends_with(&format!("/ghostmux-{}-0", proxy.pid())), "{of_browser}");
    assert!(group(proxy.pid()).ends_with(&format!("/ghostmux-{}", proxy.pid())));
    let file = |name: &str| format!("/sys/fs/cgroup{of_browser}/{name}");
    let read = |name: &str| fs::read_to_string(file(name)).unwrap_or_default().trim().to_owned();
    eventually("its limits are set", async || {
        (read("cpu.weight"), read("memory.max")) == ("50".into(), "4294967296".into())
    })
    .await;
    proxy.lose_browser();
    eventually("the group of a browser that has ended is removed", async || !fs::exists(file("")).expect("readable"))
        .await;
}

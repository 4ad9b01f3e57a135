//! Browsers with windows: `headless: false`, on an Xvfb of their own.

use std::{
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use data_encoding::BASE64;
use nix::unistd::{Pid, Uid, getpgid};
use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_browser},
    client::{Client, text},
    proxy::{Proxy, eventually},
    reconnect::{id_of, session},
    rest::ok,
    sessions::problem,
    site::Site,
    user_data::pid_of,
};

fn wants(options: &Value) -> String {
    let json = options.to_string();
    format!("/?launch={}", percent_encoding::utf8_percent_encode(&json, percent_encoding::NON_ALPHANUMERIC))
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if !is_there {
        eprintln!("skipped: {program} is not installed");
    }
    is_there
}

/// The arguments of the Xvfb in a browser's process group, if there is one.
fn xvfb_of(group: Pid) -> Option<(Pid, Vec<String>)> {
    let all = std::fs::read_dir("/proc").ok()?.flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw)).find_map(|pid| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let words: Vec<String> = line.split('\0').map(str::to_owned).collect();
        let is_its = getpgid(Some(pid)).is_ok_and(|of| of == group) && words[0].ends_with("Xvfb");
        is_its.then_some((pid, words))
    })
}

/// What an environment variable of a process is.
fn environment(pid: Pid, name: &str) -> String {
    let all = std::fs::read_to_string(format!("/proc/{pid}/environ")).expect("it runs");
    all.split('\0').find_map(|one| one.strip_prefix(&format!("{name}="))).unwrap_or_default().to_owned()
}

/// The first byte of an X server's answer to a client without a cookie: 0 is a refusal.
fn knock(socket: &Path) -> u8 {
    let mut stream = UnixStream::connect(socket).expect("it listens");
    // Byte order, version 11.0, no authorization.
    stream.write_all(&[b'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]).expect("written");
    let mut first = [0];
    stream.read_exact(&mut first).expect("an answer");
    first[0]
}

async fn browser_with_windows_has_a_screen_of_its_own(browser: Browser) {
    if !is_installed("Xvfb") {
        return;
    }
    let proxy = Proxy::start(browser, &[]).await;
    let site = Site::start().await;
    let args = ["--window-size=1111,777"];
    let client = proxy.connect_to(&wants(&json!({ "headless": false, "args": args }))).await;
    let id = id_of(&client).await;
    assert_eq!(session(&client, &id).await["isolation"], "dedicated");
    let page = client.page_at(&site.url("/page")).await;
    let seen = "[navigator.userAgent.includes('Headless'), outerWidth, screen.width, screen.height, outerHeight > innerHeight]";
    assert_eq!(client.evaluate(&page.session, seen).await, json!([false, 1111, 1920, 1080, true]));
    let red = "document.body.innerHTML = ''; document.body.style.background = 'rgb(200, 10, 20)'; 0";
    client.evaluate(&page.session, red).await;
    let clip = json!({ "x": 10, "y": 10, "width": 8, "height": 8, "scale": 1 });
    let shot = client.ok(Some(&page.session), "Page.captureScreenshot", json!({ "clip": clip })).await;
    let shown = client.evaluate(&page.session, &pixel(&text(&shot, "data"))).await;
    assert_eq!(shown, json!([200, 10, 20, 255]), "the page is drawn");

    // Its screen: in its process group, without TCP, and closed to who has no cookie.
    let chrome = pid_of(&proxy, &id).await;
    let (xvfb, line) = xvfb_of(chrome).expect("it is in the group of Chrome");
    assert!(line.join(" ").contains("-nolisten tcp"), "{line:?}");
    let display = environment(chrome, "DISPLAY");
    let number = display.strip_prefix(':').expect("a display on this machine");
    let socket = PathBuf::from(format!("/tmp/.X11-unix/X{number}"));
    let cookie = PathBuf::from(environment(chrome, "XAUTHORITY"));
    assert!(cookie.starts_with(proxy.session_dir()), "{}", cookie.display());
    assert_eq!(cookie.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    if Uid::effective().is_root() {
        assert_eq!(knock_as_nobody(&socket), "0", "another user got in without the cookie");
    } else {
        // X.Org lets the user of the server in, who can read the cookie anyway.
        assert!(knock(&socket) < 2);
    }
    let used = ok(&proxy, "GET", &format!("/v1/sessions/{id}/usage"), Value::Null).await;
    assert!(used["browserMemory"].as_u64() > Some(50 << 20), "{used}");

    // Another one has another screen.
    let other = proxy.connect_to(&wants(&json!({ "headless": false }))).await;
    let theirs = pid_of(&proxy, &id_of(&other).await).await;
    assert_ne!(environment(theirs, "DISPLAY"), display);
    // It ends with the session, and leaves nothing.
    client.ok(None, "ghost.closeSession", json!({})).await;
    let lock = PathBuf::from(format!("/tmp/.X{number}-lock"));
    eventually("the end of the screen", async || !runs(xvfb) && !socket.exists() && !lock.exists()).await;
    // Without its screen a browser ends, and its session is told.
    let (xvfb, _) = xvfb_of(theirs).expect("it has one");
    nix::sys::signal::kill(xvfb, nix::sys::signal::Signal::SIGKILL).expect("it runs");
    assert!(other.end().await.contains("1011"));
}
in_browser!(Full: browser_with_windows_has_a_screen_of_its_own);

fn runs(pid: Pid) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z ")
}

/// A script that reads the first pixel of a PNG.
fn pixel(base64: &str) -> String {
    assert!(BASE64.decode(base64.as_bytes()).is_ok_and(|png| png.starts_with(b"\x89PNG")));
    format!(
        "(async () => {{ const image = new Image(); image.src = 'data:image/png;base64,{base64}'; await image.decode();
        const canvas = new OffscreenCanvas(1, 1).getContext('2d'); canvas.drawImage(image, 0, 0);
        return [...canvas.getImageData(0, 0, 1, 1).data]; }})()"
    )
}

/// As `knock`, by another user: the test's program itself is not for other users to run.
fn knock_as_nobody(socket: &Path) -> String {
    let script = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); \
                  s.sendall(bytes([108,0,11,0,0,0,0,0,0,0,0,0])); print(s.recv(1)[0])";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(socket).current_dir("/").uid(65534).gid(65534);
    let said = command.output().expect("python3 runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

async fn screen_ends_with_a_server_that_is_killed(browser: Browser) {
    if !is_installed("Xvfb") {
        return;
    }
    let mut proxy = Proxy::start(browser, &[]).await;
    let client = proxy.connect_to(&wants(&json!({ "headless": false }))).await;
    let chrome = pid_of(&proxy, &id_of(&client).await).await;
    let (xvfb, _) = xvfb_of(chrome).expect("it has one");
    proxy.kill();
    eventually("the end of the browser", async || !runs(chrome)).await;
    eventually("the end of its screen", async || !runs(xvfb)).await;
    client.end().await;
}
in_browser!(Full: screen_ends_with_a_server_that_is_killed);

/// Asks for a browser with windows, and gets the problem document.
async fn refused(proxy: &Proxy) -> Value {
    let (status, refused) = problem(&proxy.refusal(&wants(&json!({ "headless": false }))).await);
    assert_eq!((status, &refused["type"]), (400, &json!("urn:ghostmux:not-offered")), "{refused}");
    refused
}

async fn shell_refuses_windows_and_says_what_is_missing(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let refused = refused(&proxy).await.to_string();
    assert!(refused.contains("launch.headless") && refused.contains("headless shell"), "{refused}");
    let client: Client = proxy.connect().await;
    client.page().await;
}
in_browser!(Shell: shell_refuses_windows_and_says_what_is_missing);

//! Launch options that would reach beyond the session: the control of Chrome, files and programs of the server's machine,
//! the network, other people's extensions.

use std::os::unix::fs::symlink;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_browser},
    client::{Frame, text},
    extensions::write_extension,
    proxy::Proxy,
    rest::{ok, send},
    site::Site,
    tenants::{Server, Tenant},
};

/// A query that is decoded once.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Sends flags in every way; each must be refused with the name of the flag, and none starts a browser.
async fn all_refused(row: &str, flags: &[(&str, &str)], settings: &[&str]) {
    let proxy = Proxy::start(Browser::any(), &[&["--dedicated-spares", "0"], settings].concat()).await;
    let client = proxy.connect().await;
    for (flag, named) in flags {
        let launch = json!({ "args": ["--font-render-hinting=none", flag] });
        let text = launch.to_string();
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        let mut ways = vec![
            format!("/?launch={}", encoded(&text)),
            format!("/?launch={}&isolation=dedicated", encoded(&BASE64.encode(text.as_bytes()))),
        ];
        if name.starts_with("--") {
            ways.push(format!("/?{}={}&isolation=dedicated", encoded(name), encoded(value)));
            ways.push(format!("/s/name?{}={}", name.replace(' ', "+"), encoded(value)));
        }
        for path in ways {
            let refused = proxy.refusal(&path).await;
            assert!(refused.contains("400") && refused.contains(named), "{row}: {path}: {refused}");
        }
        let body = json!({ "launch": launch, "isolation": "dedicated" });
        let (status, refused) = send(&proxy, "POST", "/v1/sessions", body.clone()).await;
        assert!(status == 400 && refused.to_string().contains(named), "{row}: {flag}: {refused}");
        let (_, refused) = client.call("ghost.createSession", body).await.expect_err(row);
        assert!(refused.contains(named), "{row}: {flag}: {refused}");
    }
    let browsers = ok(&proxy, "GET", "/v1/browsers", Value::Null).await["browsers"].take();
    let all = browsers.as_array().into_iter().flatten();
    assert_eq!(all.filter(|browser| browser["isolation"] == "dedicated").count(), 0, "{row}: one was started");
}

/// O03: flags by which Chrome would take commands from others.
#[tokio::test(flavor = "multi_thread")]
async fn flags_open_no_second_control_of_chrome() {
    let flags = [
        ("--remote-debugging-port=0", "--remote-debugging-port"),
        ("--remote-debugging-address=0.0.0.0", "--remote-debugging-address"),
        ("--remote-debugging-pipe", "--remote-debugging-pipe"),
        ("--remote-debugging-socket-name=x", "--remote-debugging-socket-name"),
        ("--remote-allow-origins=*", "--remote-allow-origins"),
        ("--enable-chrome-browser-cloud-management", "--enable-chrome-browser-cloud-management"),
    ];
    all_refused("O03", &flags, &[]).await;
}

/// O04: flags that read or write files of the server's machine.
#[tokio::test(flavor = "multi_thread")]
async fn flags_reach_no_files_of_the_host() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name).display().to_string();
    let flags: Vec<(String, &str)> = [
        "--user-data-dir",
        "--disk-cache-dir",
        "--log-file",
        "--log-net-log",
        "--ssl-key-log-file",
        "--crash-dumps-dir",
        "--trace-startup-file",
        "--screenshot",
        "--print-to-pdf",
        "--use-file-for-fake-video-capture",
        "--use-file-for-fake-audio-capture",
        "--allow-file-access-from-files",
        "--profile-directory",
        "--homedir",
    ]
    .map(|name| (format!("{name}={}", at("x")), name))
    .to_vec();
    let flags: Vec<(&str, &str)> = flags.iter().map(|(flag, name)| (flag.as_str(), *name)).collect();
    all_refused("O04", &flags, &[]).await;
    let left = std::fs::read_dir(directory.path()).expect("the directory").count();
    assert_eq!(left, 0, "O04: something was written");
}

/// O05: flags that start a program on the server's machine, or Chrome as another process.
#[tokio::test(flavor = "multi_thread")]
async fn flags_start_no_program() {
    let flags = [
        ("--renderer-cmd-prefix=touch /tmp/x", "--renderer-cmd-prefix"),
        ("--utility-cmd-prefix=touch /tmp/x", "--utility-cmd-prefix"),
        ("--gpu-launcher=touch /tmp/x", "--gpu-launcher"),
        ("--browser-subprocess-path=/bin/sh", "--browser-subprocess-path"),
        ("--ppapi-plugin-launcher=/bin/sh", "--ppapi-plugin-launcher"),
        ("--type=renderer", "--type"),
        ("--js-flags=--allow-natives-syntax", "--js-flags"),
        ("--js-flags=--expose-gc --shell", "--js-flags"),
        ("--enable-features=Name<Study.Group:key/value", "--enable-features"),
    ];
    all_refused("O05", &flags, &[]).await;
}

/// O06: flags that decide where requests go. `--proxy-server` and `--proxy-bypass-list` never reach Chrome: they name the
/// proxy of the session, which its gate connects to (E08 to E11).
#[tokio::test(flavor = "multi_thread")]
async fn flags_change_no_egress() {
    let flags = [
        ("--proxy-pac-url=data:,x", "--proxy-pac-url"),
        ("--no-proxy-server", "--no-proxy-server"),
        ("--host-resolver-rules=MAP * 127.0.0.1", "--host-resolver-rules"),
        ("--host-rules=MAP * 127.0.0.1", "--host-rules"),
        ("--dns-over-https-templates=https://x/", "--dns-over-https-templates"),
        ("--disable-features=LocalNetworkAccessChecks", "--disable-features"),
    ];
    all_refused("O06", &flags, &[]).await;
}

/// O07: flags that are spelled so that a check and Chrome read them differently.
#[tokio::test(flavor = "multi_thread")]
async fn spellings_hide_no_flag() {
    let flags = [
        ("-remote-debugging-port=0", "--remote-debugging-port"),
        (" --remote-debugging-port=0", "--remote-debugging-port"),
        ("\t-remote-debugging-port=0\n", "--remote-debugging-port"),
        ("\u{b}--remote-debugging-port=0", "--remote-debugging-port"),
        ("--Remote-Debugging-Port=0", "--Remote-Debugging-Port"),
        ("---remote-debugging-port=0", "---remote-debugging-port"),
        ("--remote-debugging-port =0", "--remote-debugging-port"),
        ("--lang=de\0--remote-debugging-port=0", "--lang"),
        ("--lang=de --remote-debugging-port=0", "--lang"),
        ("--user-agent=a\r\nX-Own: 1", "--user-agent"),
        ("--", "launch.args"),
        ("file:///etc/passwd", "launch.args"),
        ("chrome://settings", "launch.args"),
        ("https://example.com", "launch.args"),
    ];
    all_refused("O07", &flags, &[]).await;
}

/// O08: extensions from elsewhere than the directory of the operator.
#[tokio::test(flavor = "multi_thread")]
async fn extensions_come_from_the_operators_directory_only() {
    let machine = tempfile::tempdir().expect("a directory");
    let at = |path: &str| machine.path().join(path);
    for extension in ["allowed/good", "evil", "allowed-evil"] {
        std::fs::create_dir_all(at(extension)).expect("made");
        std::fs::write(at(extension).join("manifest.json"), "{}").expect("written");
    }
    symlink(at("evil"), at("allowed/link")).expect("linked");
    let allowed = at("allowed").display().to_string();
    let mut flags = Vec::new();
    for name in ["--load-extension", "--disable-extensions-except"] {
        for path in ["../evil", "link", "good,../evil", ".", "/", "good/../../evil", "none"] {
            flags.push((format!("{name}={path}"), name));
        }
        flags.push((format!("{name}={}", at("evil").display()), name));
        flags.push((format!("{name}={}", at("allowed-evil").display()), name));
    }
    let flags: Vec<(&str, &str)> = flags.iter().map(|(flag, name)| (flag.as_str(), *name)).collect();
    all_refused("O08", &flags, &["--extensions-dir", &allowed]).await;
}

/// O11: `Extensions.loadUnpacked` of what is elsewhere than in the directory of the operator, and by who has no browser of its own.
async fn commands_load_extensions_of_the_operators_directory_only(browser: Browser) {
    let machine = tempfile::tempdir().expect("a directory");
    let at = |path: &str| machine.path().join(path);
    for extension in ["allowed/good", "evil", "allowed-evil"] {
        std::fs::create_dir_all(at(extension)).expect("made");
        let manifest = r#"{"manifest_version":3,"name":"any","version":"1"}"#;
        std::fs::write(at(extension).join("manifest.json"), manifest).expect("written");
    }
    symlink(at("evil"), at("allowed/link")).expect("linked");
    let proxy = Proxy::start(browser, &["--extensions-dir", &at("allowed").display().to_string()]).await;
    let client = proxy.connect_to("/?isolation=dedicated").await;
    let page = client.page().await;
    let (evil, beside) = (at("evil").display().to_string(), at("allowed-evil").display().to_string());
    let mut refusals = Vec::new();
    for path in ["../evil", "link", "good/../../evil", ".", "/", "none", "", &evil, &beside] {
        for on in [None, Some(&*page.session)] {
            let params = json!({ "path": path, "enableInIncognito": true });
            let refused = match on {
                None => client.call("Extensions.loadUnpacked", params).await,
                Some(page) => client.call_on(page, "Extensions.loadUnpacked", params).await,
            };
            let (_, refused) = refused.expect_err(path);
            refusals.push(refused.replace(&format!("{path:?}"), "PATH"));
        }
    }
    refusals.dedup();
    assert!(refusals.len() == 1 && refusals[0].contains("below extensions_dir"), "O11: {refusals:?}");
    let all = client.ok(None, "Extensions.getExtensions", json!({})).await;
    assert_eq!(all["extensions"], json!([]), "O11");
    let shared = proxy.connect().await;
    let refused = shared.call("Extensions.loadUnpacked", json!({ "path": "good" })).await;
    assert!(refused.is_err(), "O11: {refused:?}");
}
in_browser!(Full: commands_load_extensions_of_the_operators_directory_only);

/// O12: who has no right to files of the host neither sees nor opens what belongs to an extension, which can open those; nobody
/// opens what belongs to Chrome's own extensions.
async fn extensions_are_seen_by_who_sees_files_of_the_host(browser: Browser) {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["given", "sent"] {
        write_extension(directory.path(), name);
    }
    let able = Tenant::with("able", r#"capabilities = ["dedicated", "launch-args", "private-network", "host-files"]"#);
    let unable = Tenant::with("unable", r#"capabilities = ["dedicated", "launch-args", "private-network"]"#);
    let at = directory.path().display().to_string();
    let server = Server::start_in(browser, &[&able, &unable], &["--extensions-dir", &at]).await;
    let site = Site::start().await;
    let mut own = None;
    // The first finds the ids, which depend on the paths alone.
    for (tenant, sees) in [(&able, true), (&unable, false)] {
        let path = format!("/?token={}&isolation=dedicated&--load-extension=given", tenant.text());
        let client = server.proxy.connect_to(&path).await;
        client.ok(None, "Target.setDiscoverTargets", json!({ "discover": true, "filter": [{}] })).await;
        let attach = json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
        client.ok(None, "Target.setAutoAttach", attach).await;
        let sent = text(&client.ok(None, "Extensions.loadUnpacked", json!({ "path": "sent" })).await, "id");
        let page = client.page_at(&site.url("/page")).await;
        let mark = "document.documentElement.dataset.mark ?? ''";
        assert!(["given", "sent"].map(Value::from).contains(&client.evaluate(&page.session, mark).await), "both run");
        let of_extensions = |params: &Value| {
            params["targetInfo"]["url"].as_str().is_some_and(|url| url.starts_with("chrome-extension:"))
        };
        if sees {
            let mut seen = Vec::new();
            while seen.len() < 2 {
                let info = client.event_where("Target.attachedToTarget", of_extensions).await["targetInfo"].clone();
                assert_eq!(info["type"], "service_worker");
                seen.push((text(&info, "url"), text(&info, "targetId")));
            }
            own = seen.iter().map(|(url, _)| url.clone()).find(|url| url.contains(&sent));
        }
        let targets = client.ok(None, "Target.getTargets", json!({ "filter": [{}] })).await.to_string();
        assert_eq!(targets.contains("chrome-extension:"), sees, "O12: {targets}");
        let frames = client.frames();
        let mut received = frames.iter().filter_map(Frame::received);
        assert!(sees || !received.any(|frame| frame.to_string().contains("chrome-extension:")), "O12");
        let url = own.clone().expect("its worker was seen");
        for (url, opens) in [(&*url, sees), ("chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai/index.html", false)] {
            let moved = client.call_on(&page.session, "Page.navigate", json!({ "url": url })).await;
            assert_eq!(moved.is_ok(), opens, "O12: {url}: {moved:?}");
            let new = client.call("Target.createTarget", json!({ "url": url })).await;
            assert_eq!(new.is_ok(), opens, "O12: {url}: {new:?}");
        }
    }
}
in_browser!(Full: extensions_are_seen_by_who_sees_files_of_the_host);

/// O09: the cameras and screens of the server's machine.
#[tokio::test(flavor = "multi_thread")]
async fn flags_show_no_device_of_the_host() {
    let flags = [
        ("--use-fake-ui-for-media-stream", "--use-fake-ui-for-media-stream"),
        ("--auto-select-desktop-capture-source=Entire screen", "--auto-select-desktop-capture-source"),
        ("--auto-select-tab-capture-source-by-title=x", "--auto-select-tab-capture-source-by-title"),
        ("--auto-accept-this-tab-capture", "--auto-accept-this-tab-capture"),
    ];
    all_refused("O09", &flags, &[]).await;
}

/// O10: a page without the rules between origins, in a browser of its own, reads a file of the server's machine.
#[tokio::test(flavor = "multi_thread")]
async fn pages_without_web_security_read_no_files() {
    let tenant = Tenant::with("strong", r#"capabilities = ["dedicated", "launch-args", "private-network"]"#);
    let server = Server::start(&[&tenant], &["--dedicated-spares", "0"]).await;
    let (site, other) = (Site::start().await, Site::start().await);
    let flags = "--disable-web-security&--disable-site-isolation-trials&--allow-running-insecure-content";
    let client = server.proxy.connect_to(&format!("/?token={}&{flags}", tenant.text())).await;
    let page = client.page_at(&site.url("/page")).await;
    let read = format!("fetch('{}').then(answer => answer.text(), () => '')", other.url("/page"));
    let read = client.evaluate(&page.session, &read).await;
    assert!(read.as_str().is_some_and(|text| !text.is_empty()), "the flag holds: other origins are read");
    for attempt in [
        "fetch('file:///etc/passwd').then(answer => answer.text(), () => '')",
        "new Promise(done => { const xhr = new XMLHttpRequest(); xhr.onloadend = () => done(xhr.responseText); \
         xhr.open('GET', 'file:///etc/passwd'); xhr.send(); })",
        "new Promise(done => { const frame = document.createElement('iframe'); frame.src = 'file:///etc/passwd'; \
         frame.onload = () => { try { done(frame.contentDocument.body.innerText) } catch { done('') } }; \
         setTimeout(() => { try { done(frame.contentDocument.body.innerText) } catch { done('') } }, 1000); \
         document.body.append(frame); })",
        "new Promise(done => { const opened = open('file:///etc/passwd'); \
         setTimeout(() => { try { done(opened.document.body.innerText) } catch { done('') } }, 1000); })",
    ] {
        let read = client.evaluate(&page.session, attempt).await;
        assert!(!read.to_string().contains("root:"), "O10: {attempt} read it: {read}");
    }
    let gone = client.call_on(&page.session, "Page.navigate", json!({ "url": "file:///etc/passwd" })).await;
    assert!(gone.is_err(), "O10: {gone:?}");
}

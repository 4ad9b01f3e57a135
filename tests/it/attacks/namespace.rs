//! Ways of a browser itself past its gates, in a network namespace of its own (`--browser-netns`).

use std::{
    collections::HashSet,
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    process::Command,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use super::egress::{Stage, gates_of, listeners_of, navigated};
use crate::{
    browsers::{Browser, in_browser},
    proxy::eventually,
    tenants::Tenant,
};

const NETNS: &str = "--browser-netns";

/// Whether this system allows network namespaces to this user, by a program that has nothing to do with ghostmux.
fn has_namespaces() -> bool {
    let can = |arguments: &[&str]| {
        Command::new("unshare").args(arguments).arg("true").status().is_ok_and(|end| end.success())
    };
    can(&["--net"]) || can(&["--user", "--net"])
}

/// The network namespace of a process.
fn network_of(pid: impl std::fmt::Display) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// Whether a program in the network namespace of a process can connect to this socket.
fn reaches(pid: impl std::fmt::Display, socket: SocketAddrV4) -> bool {
    let dial = format!("exec 3<>/dev/tcp/{}/{}", socket.ip(), socket.port());
    let ghostmux = env!("CARGO_BIN_EXE_ghostmux");
    let pid = pid.to_string();
    let ended =
        Command::new(ghostmux).args(["namespace", "enter", &pid, "bash", "-c", &dial]).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() || said.contains("/dev/tcp/"), "{said}");
    ended.status.success()
}

/// The processes that keep the namespaces of a server.
fn keepers_of(server: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let is_keeper = |pid: &u32| {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        read("cmdline").ends_with("\0namespace\0keep\0") && read("status").contains(&format!("\nPPid:\t{server}\n"))
    };
    pids.filter(is_keeper).collect()
}

/// What a server says that cannot start.
fn refusal_of(browser: &Browser, flags: &[&str]) -> String {
    let mut serve = Command::new(env!("CARGO_BIN_EXE_ghostmux"));
    serve.args(["serve", "--listen", "127.0.0.1:0", "--browser-path"]).arg(&browser.path).args(flags);
    let ended = serve.output().expect("it runs");
    assert!(!ended.status.success());
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

/// E13: processes of a browser connect to this machine, to the port of the server, to gates of other browsers.
async fn processes_of_a_browser_reach_its_gates_alone(browser: Browser) {
    if !has_namespaces() {
        let why = refusal_of(&browser, &[NETNS]);
        assert!(why.contains("browser_netns") && why.contains("CAP_SYS_ADMIN"), "{why}");
        return;
    }
    let mut stage = Stage::start_with(browser, Tenant::new("guest"), &[NETNS, "--browsers", "2"]).await;
    let client = stage.client_of(&stage.guest).await;
    let page = client.page().await;
    assert_eq!(client.evaluate(&page.session, "navigator.onLine").await, true);
    for host in ["127.0.0.1", "localhost", "192.0.2.1", "10.0.0.1"] {
        let error = navigated(&client, &page, &stage.intranet.url(host)).await;
        assert_eq!(error, "net::ERR_SOCKS_CONNECTION_FAILED", "E13: {host}");
    }
    let server = stage.server.proxy.pid();
    let [one, other] = stage.server.proxy.browsers()[..] else { panic!("two browsers") };
    let networks = HashSet::from([network_of(server), network_of(one), network_of(other)]);
    assert!(networks.len() == 3 && !networks.contains(&None), "E13: {networks:?}");
    for process in stage.server.proxy.chrome_processes() {
        // One that has just ended is in none.
        let Some(network) = network_of(process.pid) else { continue };
        assert!(networks.contains(&Some(network.clone())) && Some(network) != network_of(server), "E13: {process:?}");
    }
    assert_eq!(gates_of(server), [], "E13: no gate is in the network of the machine");
    let machine = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = stage.server.proxy.address().rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
    let ports = [port, machine.local_addr().expect("an address").port()];
    for (own, foreign) in [(one, other), (other, one)] {
        for port in ports {
            let socket = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
            assert!(reaches(server, socket) && !reaches(own, socket), "E13: {socket}");
        }
        let gates = listeners_of(own);
        assert!(!gates.is_empty(), "E13");
        for (gate, _) in gates {
            assert!(reaches(own, gate) && !reaches(foreign, gate) && !reaches(server, gate), "E13: {gate}");
        }
        let routes = fs::read_to_string(format!("/proc/{own}/net/route")).expect("its routes");
        assert_eq!(routes.lines().count(), 1, "E13: beside the title: {routes}");
    }
    stage.intranet.is_unreached("E13");
    stage.others_reach_it("E13").await;
    // Without its keeper no context of a browser could have a gate: another browser takes its place.
    let before = keepers_of(server);
    assert_eq!(before.len(), 2);
    kill(Pid::from_raw(before[0].try_into().expect("a process")), Signal::SIGKILL).expect("it runs");
    eventually("another browser", async || {
        let now = keepers_of(server);
        now.len() == 2 && now != before && stage.server.proxy.http("GET", "/readyz", &[], "").await.status == 200
    })
    .await;
    stage.others_reach_it("E13").await;
    let left = keepers_of(server);
    stage.server.proxy.kill();
    eventually("nothing is left of a killed server's namespaces", async || {
        left.iter().all(|pid| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().is_empty())
    })
    .await;
}
in_browser!(Shell: processes_of_a_browser_reach_its_gates_alone);

/// E14: an extension with the permission `proxy` lets requests go directly, or to a proxy of its own.
async fn extensions_lead_nowhere_with_another_proxy(browser: Browser) {
    if !has_namespaces() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let extension = directory.path().join("direct");
    fs::create_dir(&extension).expect("made");
    let manifest = json!({
        "manifest_version": 3, "name": "direct", "version": "1", "permissions": ["proxy"],
        "background": { "service_worker": "worker.js" },
    });
    // Its worker runs when there is an event for it.
    let worker = "const set = () => chrome.proxy.settings.set({ value: { mode: 'direct' }, scope: 'regular' });
                  set(); chrome.runtime.onInstalled.addListener(set); chrome.tabs.onUpdated.addListener(set);";
    fs::write(extension.join("manifest.json"), manifest.to_string()).expect("written");
    fs::write(extension.join("worker.js"), worker).expect("written");
    let at = directory.path().display().to_string();
    let guest = Tenant::with("guest", r#"capabilities = ["dedicated", "launch-args"]"#);
    let stage = Stage::start_with(browser, guest, &[NETNS, "--extensions-dir", &at]).await;
    let path = format!("/?token={}&isolation=dedicated&--load-extension=direct", stage.guest.text());
    let client = stage.server.proxy.connect_to(&path).await;
    let page = client.page().await;
    let url = stage.intranet.url("127.0.0.1");
    eventually("the extension takes the gate away", async || {
        navigated(&client, &page, &url).await != "net::ERR_SOCKS_CONNECTION_FAILED"
    })
    .await;
    for host in ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1"] {
        let error = navigated(&client, &page, &stage.intranet.url(host)).await;
        assert!(error.starts_with("net::ERR_"), "E14: {host}: {error}");
    }
    stage.intranet.is_unreached("E14");
}
in_browser!(Full: extensions_lead_nowhere_with_another_proxy);

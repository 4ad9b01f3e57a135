//! The priority of browsers beside that of the server.

use std::{fs, path::Path};

use crate::{browsers::Browser, proxy::Proxy};

/// The members of `/proc/PID/stat` behind the name: proc(5) counts them from 3.
fn stat(process: &Path) -> Option<Vec<String>> {
    let text = fs::read_to_string(process.join("stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn nice(process: &Path) -> i64 {
    stat(process).expect("a process")[19 - 3].parse().expect("a number")
}

/// The kinds of a browser's processes, with their nice values.
fn of_processes(group: i32) -> Vec<(String, i64)> {
    let processes = fs::read_dir("/proc").expect("processes").flatten().map(|entry| entry.path());
    let of_group = processes.filter(|process| stat(process).is_some_and(|stat| stat[5 - 3] == group.to_string()));
    of_group
        .map(|process| {
            let line = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
            let kind = line.split(['\0', ' ']).find_map(|word| word.strip_prefix("--type=")).unwrap_or("browser");
            (kind.to_owned(), nice(&process))
        })
        .collect()
}

/// In headless shell: full Chrome as root sets all priorities itself.
#[tokio::test(flavor = "multi_thread")]
async fn browsers_have_a_lower_priority_than_the_server() {
    for (flags, lower) in [(&[][..], 5), (&["--browser-nice", "0"], 0), (&["--browser-nice", "19"], 19)] {
        let proxy = Proxy::start(Browser::any(), flags).await;
        let client = proxy.connect().await;
        let page = client.page().await;
        assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
        let own = nice(Path::new(&format!("/proc/{}", proxy.pid())));
        let found = of_processes(proxy.browsers()[0].as_raw());
        // As root it raises the priority of its browser process.
        let wanted = ("renderer".to_owned(), (own + lower).min(19));
        assert!(found.contains(&wanted), "{own} + {lower}: {found:?}");
    }
}

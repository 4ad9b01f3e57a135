//! Downloads, and files that a client names.

use super::{super::files::KEPT_GUIDS, *};

fn behavior(rest: &str) -> String {
    format!(r#"{{"behavior":{rest}}}"#)
}

/// A client that may have its files where it wants them, and hears of downloads.
fn host() -> Pair {
    let mut pair = Pair::with_page_and(Capabilities { host_files: true, ..Capabilities::strict() });
    pair.asks("Browser.setDownloadBehavior", &behavior(r#""allow","downloadPath":"/host","eventsEnabled":true"#));
    pair.result("{}");
    pair
}

fn begins(pair: &mut Pair, guid: &str, name: &str) -> Vec<String> {
    let params = format!(r#"{{"guid":"{guid}","suggestedFilename":{}}}"#, crate::cdp::json_object::quote(name));
    pair.feed(FromBrowser::Download { method: "Browser.downloadWillBegin", params })
}

fn progress(pair: &mut Pair, guid: &str, state: &str) -> Vec<String> {
    let params = format!(r#"{{"guid":"{guid}","state":"{state}","filePath":"/own/downloads/CTX/{guid}"}}"#);
    pair.feed(FromBrowser::Download { method: "Browser.downloadProgress", params })
}

#[test]
fn downloads_go_into_the_sessions_own_directory() {
    let mut pair = Pair::with_page();
    let up = r#"{"behavior":"allowAndName","downloadPath":"/own/downloads/CTX","browserContextId":"CTX","eventsEnabled":false}"#;
    for (on, params) in [
        ("", behavior(r#""allow","downloadPath":"/etc","eventsEnabled":true"#)),
        ("", behavior(r#""allowAndName","downloadPath":"../..","browserContextId":"CTX""#)),
        ("S", behavior(r#""\u0061llow","downloadPath":"/etc""#)),
    ] {
        let mut got = pair.asks_on(on, "Browser.setDownloadBehavior", &params);
        // The link learns that a client listens; Chrome is never asked for the events on behalf of a client.
        let listens = got.extract_if(.., |action| action == "listen").count() == 1;
        assert_eq!(listens, params.contains("eventsEnabled"));
        assert_eq!(got, ["directory /own/downloads/CTX", &format!("call BASE Browser.setDownloadBehavior {up}")]);
    }
    // A page's own is the same, for its context; what Chrome would overlook there is overlooked.
    for rest in ["", r#","eventsEnabled":5"#, r#","browserContextId":5"#, r#","browserContextId":"OTHER""#] {
        let params = behavior(&format!(r#""allow","downloadPath":"/etc"{rest}"#));
        let got = pair.asks_on("S", "Page.setDownloadBehavior", &params);
        assert_eq!(
            got,
            ["directory /own/downloads/CTX", &format!("call BASE Browser.setDownloadBehavior {up}")],
            "{rest}"
        );
    }
    let deny = r#"{"behavior":"deny","browserContextId":"CTX","eventsEnabled":false}"#;
    let got = pair.asks("Browser.setDownloadBehavior", &behavior(r#""deny","downloadPath":"/etc""#));
    assert_eq!(got, [format!("call BASE Browser.setDownloadBehavior {deny}")]);
    for rest in [r#""allow""#, r#""allow","downloadPath":"""#] {
        let got = pair.asks("Browser.setDownloadBehavior", &behavior(rest));
        assert_eq!(got, [failed(1, -32602, "downloadPath not provided")]);
    }
    let got = pair.asks("Browser.setDownloadBehavior", &behavior(r#""deny","browserContextId":"OTHER""#));
    assert_eq!(got, [failed(1, -32602, "Failed to find browser context for id OTHER")]);
    let got =
        pair.asks("Browser.setDownloadBehavior", &behavior(r#""allow","browserContextId":5,"downloadPath":"/etc""#));
    assert_eq!(got, [r#"call ROOT Browser.setDownloadBehavior {"behavior":"allow","browserContextId":5}"#]);
    // For Chrome to refuse.
    for rest in
        [r"5", r#""allow","downloadPath":5"#, r#""deny","eventsEnabled":1"#, r#""deny","browserContextId":null"#]
    {
        let params = behavior(rest);
        let got = pair.asks("Browser.setDownloadBehavior", &params);
        assert_eq!(got, [format!("call ROOT Browser.setDownloadBehavior {params}")]);
    }
}

#[test]
fn download_events_reach_the_clients_that_enabled_them() {
    let mut pair = Pair::with_page();
    assert_eq!(begins(&mut pair, "G", "a"), Vec::<String>::new());
    pair.asks("Browser.setDownloadBehavior", &behavior(r#""default","eventsEnabled":true"#));
    let event = r#"1: {"method":"Browser.downloadWillBegin","params":{"guid":"G","suggestedFilename":"a"}}"#;
    assert_eq!(begins(&mut pair, "G", "a"), [event]);
    assert_eq!(progress(&mut pair, "G", "inProgress").len(), 1);
    let got = progress(&mut pair, "G", "completed");
    assert!(got.len() == 1 && got[0].contains(r#""filePath":"/own/downloads/CTX/G""#), "{got:?}");
    assert_eq!(pair.session.files.under_way(), 0);
    begins(&mut pair, "H", "b");
    assert_eq!(progress(&mut pair, "H", "canceled").len(), 1);
    assert_eq!(pair.session.files.under_way(), 0);
    pair.asks("Browser.setDownloadBehavior", &behavior(r#""default""#));
    assert_eq!(begins(&mut pair, "G", "a"), Vec::<String>::new());
    for params in ["", "{}", r#"{"guid":5}"#] {
        let got = pair.feed(FromBrowser::Download { method: "Browser.downloadProgress", params: params.to_owned() });
        assert_eq!(got, Vec::<String>::new());
    }
}

#[test]
fn files_are_not_moved_without_the_capability() {
    let mut pair = Pair::with_page();
    pair.asks("Browser.setDownloadBehavior", &behavior(r#""allow","downloadPath":"/etc","eventsEnabled":true"#));
    begins(&mut pair, "G", "passwd");
    let got = progress(&mut pair, "G", "completed");
    assert!(got.len() == 1 && got[0].contains(r#""filePath":"/own/downloads/CTX/G""#), "{got:?}");
}

#[test]
fn files_are_moved_before_the_completion_event() {
    let mut pair = host();
    begins(&mut pair, "G", "report.pdf");
    let got = progress(&mut pair, "G", "completed");
    assert_eq!(got, ["move /own/downloads/CTX/G -> /host/report.pdf"]);
    let tag = pair.tags.pop_front().expect("a move");
    pair.session.on_moved(tag, Some("/host/report.pdf".into()));
    let params = r#"{"guid":"G","state":"completed","filePath":"/host/report.pdf"}"#;
    assert_eq!(pair.actions(), [format!(r#"1: {{"method":"Browser.downloadProgress","params":{params}}}"#)]);
    pair.session.on_moved(tag, None);
    assert_eq!(pair.actions(), Vec::<String>::new());
    pair.is_at_rest();
    // The file could not be moved: the client gets its present path.
    begins(&mut pair, "H", "x");
    progress(&mut pair, "H", "completed");
    let tag = pair.tags.pop_front().expect("a move");
    pair.session.on_moved(tag, None);
    assert!(pair.actions()[0].contains(r#""filePath":"/own/downloads/CTX/H""#));
}

#[test]
fn suggested_file_names_are_not_paths() {
    for (name, to) in [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("a/b/../c", "c"),
        ("a/", "a"),
        ("..", "G"),
        ("a/..", "G"),
        ("/", "G"),
        (".", "G"),
        ("", "G"),
        ("..\\..\\x", "..\\..\\x"),
    ] {
        let mut pair = host();
        begins(&mut pair, "G", name);
        let got = progress(&mut pair, "G", "completed");
        assert_eq!(got, [format!("move /own/downloads/CTX/G -> /host/{to}")], "{name}");
    }
}

#[test]
fn allow_and_name_keeps_the_guid_per_context() {
    let mut pair = host();
    pair.asks("Target.createBrowserContext", "{}");
    pair.result(r#"{"browserContextId":"NEW"}"#);
    let named = behavior(r#""allowAndName","downloadPath":"/named","browserContextId":"NEW","eventsEnabled":true"#);
    pair.asks("Browser.setDownloadBehavior", &named);
    pair.result("{}");
    begins(&mut pair, "G", "x");
    let both = "move /own/downloads/CTX/G -> /host/x /own/downloads/NEW/G -> /named/G";
    assert_eq!(progress(&mut pair, "G", "completed"), [both]);
    pair.tags.clear();
    // New settings replace the old ones, and those of a disposed context are forgotten.
    pair.asks("Browser.setDownloadBehavior", &behavior(r#""deny","eventsEnabled":true"#));
    pair.asks("Target.disposeBrowserContext", r#"{"browserContextId":"NEW"}"#);
    pair.result("{}");
    pair.result("{}");
    begins(&mut pair, "H", "x");
    assert!(progress(&mut pair, "H", "completed")[0].starts_with("1: "));
}

#[test]
fn only_own_downloads_can_be_cancelled() {
    let mut pair = Pair::with_page();
    let unknown = failed(1, -32602, "No download item found for the given GUID");
    let method = "Browser.cancelDownload";
    assert_eq!(pair.asks(method, r#"{"guid":"G"}"#), std::slice::from_ref(&unknown));
    begins(&mut pair, "G", "a");
    assert_eq!(
        pair.asks(method, r#"{"guid":"G"}"#),
        [r#"call BASE Browser.cancelDownload {"guid":"G","browserContextId":"CTX"}"#]
    );
    let own = r#"{"guid":"\u0047","browserContextId":"CTX"}"#;
    assert_eq!(pair.asks_on("S", method, own), [format!("call BASE Browser.cancelDownload {own}")]);
    let got = pair.asks(method, r#"{"guid":"G","browserContextId":"OTHER"}"#);
    assert_eq!(got, [failed(1, -32602, "Failed to find browser context for id OTHER")]);
    assert_eq!(
        pair.asks(method, r#"{"guid":5}"#),
        [r#"call BASE Browser.cancelDownload {"guid":5,"browserContextId":"CTX"}"#]
    );
    // Chrome knows a download that is over too, whatever became of it: it answers.
    progress(&mut pair, "G", "canceled");
    begins(&mut pair, "H", "a");
    progress(&mut pair, "H", "completed");
    for guid in ["G", "H"] {
        let up = format!(r#"call BASE Browser.cancelDownload {{"guid":"{guid}","browserContextId":"CTX"}}"#);
        assert_eq!(pair.asks(method, &format!(r#"{{"guid":"{guid}"}}"#)), [up]);
    }
    // The oldest of those is forgotten.
    for number in 1..KEPT_GUIDS {
        begins(&mut pair, &number.to_string(), "a");
        progress(&mut pair, &number.to_string(), "completed");
    }
    assert_eq!(pair.asks(method, r#"{"guid":"G"}"#), [unknown]);
    assert!(pair.asks(method, r#"{"guid":"H"}"#)[0].starts_with("call BASE"));
}

#[test]
fn pages_get_only_files_of_the_sessions_directory() {
    let mut pair = Pair::with_page();
    let params = r#"{"files":["/etc/passwd","/own/x"],"nodeId":1}"#;
    assert_eq!(pair.asks_on("S", "DOM.setFileInputFiles", params), [r#"check ["/etc/passwd", "/own/x"] in /own"#]);
    let tag = pair.tags.pop_front().expect("a check");
    pair.session.on_files(tag, false);
    let got = pair.actions();
    assert!(got.len() == 1 && got[0].contains("is refused for files outside the session's directory"), "{got:?}");
    pair.is_at_rest();
    pair.asks_on("S", "DOM.setFileInputFiles", params);
    let tag = pair.tags.pop_front().expect("a check");
    pair.session.on_files(tag, true);
    let up = format!(r#"pass {{"id":1,"method":"DOM.setFileInputFiles","params":{params},"sessionId":"S"}}"#);
    assert_eq!(pair.actions(), [up.as_str()]);
    // With the capability the files are not checked; with its page destroyed, the command is answered once.
    assert_eq!(host().asks_on("S", "DOM.setFileInputFiles", params), [up]);
    pair.asks_on("S", "DOM.setFileInputFiles", params);
    let tag = pair.tags.pop_front().expect("a check");
    let answered = pair.detached("ROOT", "S", "P", &[]);
    assert_eq!(answered.iter().filter(|frame| frame.contains("-32001")).count(), 2);
    pair.session.on_files(tag, true);
    let got = pair.actions();
    assert_eq!(got, Vec::<String>::new());
}

#[test]
fn events_of_downloads_are_noted_with_and_without_a_client_that_hears_them() {
    let mut pair = Pair::with_page();
    begins(&mut pair, "G", "a.txt");
    let said = r#"{"guid":"G","totalBytes":9.0,"receivedBytes":4.0,"state":"inProgress"}"#;
    pair.feed(FromBrowser::Download { method: "Browser.downloadProgress", params: said.to_owned() });
    let said = r#"{"guid":"G","totalBytes":0,"receivedBytes":9,"state":"completed"}"#;
    pair.feed(FromBrowser::Download { method: "Browser.downloadProgress", params: said.to_owned() });
    progress(&mut pair, "H", "canceled");
    let guid = || "G".to_owned();
    let noted = [
        DownloadNote::Began { guid: guid(), url: String::new(), name: "a.txt".to_owned() },
        DownloadNote::Progress { guid: guid(), received: 4, size: Some(9) },
        DownloadNote::Ended { guid: guid(), received: 9, is_whole: true },
        DownloadNote::Ended { guid: "H".to_owned(), received: 0, is_whole: false },
    ];
    assert_eq!(pair.notes, noted);
}

#[test]
fn only_own_downloads_are_canceled_in_the_contexts_that_have_a_directory() {
    let mut pair = Pair::with_page();
    pair.asks("Browser.setDownloadBehavior", &behavior(r#""allow","downloadPath":"/any""#));
    pair.session.cancel("G");
    assert_eq!(pair.actions(), Vec::<String>::new());
    begins(&mut pair, "G", "a");
    pair.session.cancel("G");
    let up = r#"call BASE Browser.cancelDownload {"guid":"G","browserContextId":"CTX"}"#;
    assert_eq!(pair.actions(), [up]);
}

//! Extensions of a dedicated browser.

use super::*;
use crate::{api_types::Capability, port::Extension};

const LOAD: &str = "Extensions.loadUnpacked";

const ID: &str = "aaaaaaaabbbbbbbbccccccccdddddddd";

fn own(directory: Option<&str>) -> Pair {
    able(directory, &[Capability::Dedicated])
}

fn able(directory: Option<&str>, rights: &[Capability]) -> Pair {
    let mut pair = Pair::with_page_and(Capabilities::of(rights.iter().copied()));
    pair.session.load_extensions_from(directory.map(PathBuf::from));
    pair
}

/// The path was looked for.
fn found(pair: &mut Pair, path: Option<&str>) -> Vec<String> {
    let tag = pair.tags.pop_front().expect("a search");
    pair.session.on_extension(tag, path.map(|path| Extension { path: path.to_owned(), id: ID.to_owned() }));
    pair.actions()
}

#[test]
fn extensions_are_loaded_from_where_they_were_found_below_the_directory() {
    let mut pair = own(Some("/allowed"));
    for (session, on) in [("", "ROOT"), ("S", "S")] {
        let params = r#"{"path":"marks","enableInIncognito":true}"#;
        let asked = if session.is_empty() { pair.asks(LOAD, params) } else { pair.asks_on(session, LOAD, params) };
        assert_eq!(asked, [r#"find "marks" in /allowed"#]);
        let up = format!(r#"call {on} {LOAD} {{"path":"/allowed/real","enableInIncognito":true}}"#);
        assert_eq!(found(&mut pair, Some("/allowed/real")), [up]);
        let kept = pair.result(r#"{"id":"abc"}"#);
        assert!(kept.iter().any(|action| action.contains(r#""result":{"id":"abc"}"#)), "{kept:?}");
        assert!(kept.contains(&r#"keep abc Some("/allowed/real")"#.to_owned()), "{kept:?}");
    }
    // One that is elsewhere, or nowhere, does not reach Chrome.
    assert_eq!(pair.asks(LOAD, r#"{"path":"\u002fevil"}"#), [r#"find "/evil" in /allowed"#]);
    let got = found(&mut pair, None);
    assert!(got.len() == 1 && got[0].contains("below extensions_dir") && got[0].contains("evil"), "{got:?}");
    // What is no path is not one for Chrome either.
    for params in ["{}", r#"{"path":5}"#, r#"{"path":["/evil"]}"#, r#"{"path":null}"#] {
        assert_eq!(pair.asks(LOAD, params), [format!("call ROOT {LOAD} {{}}")], "{params}");
        pair.error(-32602, "Invalid parameters");
    }
    let twice = pair.asks(LOAD, r#"{"path":"marks","path":"/evil"}"#);
    assert!(twice.len() == 1 && twice[0].contains("error"), "{twice:?}");
    pair.is_at_rest();
}

#[test]
fn extensions_that_were_removed_are_not_kept() {
    let mut pair = own(Some("/allowed"));
    let method = "Extensions.uninstall";
    assert_eq!(pair.asks(method, r#"{"id":"abc"}"#), [format!(r#"call ROOT {method} {{"id":"abc"}}"#)]);
    assert!(pair.result("{}").contains(&"keep abc None".to_owned()));
    pair.asks(method, r#"{"id":"abc"}"#);
    assert!(pair.error(-32000, "Nope").contains(&"keep abc None".to_owned()), "Chrome cannot remove one of a flag");
    // One that could not be loaded is not kept either.
    pair.asks(LOAD, r#"{"path":"marks"}"#);
    found(&mut pair, Some("/allowed/real"));
    assert_eq!(pair.error(-32000, "Nope"), [failed(1, -32000, "Nope")]);
    pair.is_at_rest();
}

#[test]
fn extensions_need_a_dedicated_browser_and_a_directory() {
    let got = own(None).asks(LOAD, r#"{"path":"/evil"}"#);
    assert!(got.len() == 1 && got[0].contains("extensions_dir"), "{got:?}");
    let all_others = Capabilities { dedicated: false, ..Capabilities::all() };
    let mut pair = Pair::with_page_and(all_others);
    pair.session.load_extensions_from(Some(PathBuf::from("/allowed")));
    for method in [LOAD, "Extensions.getExtensions", "Extensions.uninstall", "Extensions.triggerAction"] {
        let got = pair.asks(method, r#"{"path":"marks","id":"abc"}"#);
        assert!(got.len() == 1 && got[0].contains("isolation=dedicated"), "{got:?}");
    }
    pair.is_at_rest();
}

#[test]
fn clients_that_have_left_load_nothing() {
    let mut pair = own(Some("/allowed"));
    pair.asks_on("S", LOAD, r#"{"path":"marks"}"#);
    pair.detached("ROOT", "S", "P", &[]);
    assert_eq!(found(&mut pair, Some("/allowed/real")), Vec::<String>::new());
    pair.is_at_rest();
}

#[test]
fn paths_of_the_host_are_not_told() {
    let mut pair = own(Some("/allowed"));
    assert_eq!(pair.asks("Extensions.getExtensions", "{}"), ["call ROOT Extensions.getExtensions {}"]);
    let one = |path: &str| format!(r#"{{"id":"abc","name":"N","path":"{path}","enabled":true}}"#);
    let told = pair.result(&format!(r#"{{"extensions":[{},{}]}}"#, one("/allowed/a/b"), one("/before/c")));
    let shown = format!(r#"1: {{"id":1,"result":{{"extensions":[{},{}]}}}}"#, one("a/b"), one("c"));
    assert_eq!(told, [shown]);
    pair.asks("Extensions.getExtensions", "{}");
    assert!(pair.result(r#"{"other":1}"#)[0].contains("could not be read"));
    pair.asks("Extensions.getExtensions", "{}");
    assert_eq!(pair.error(-32000, "Nope"), [failed(1, -32000, "Nope")]);
    pair.is_at_rest();
}

#[test]
fn who_sees_files_of_the_host_sees_the_extensions_and_opens_their_pages() {
    let page = format!(r#"{{"url":"chrome-extension://{ID}/popup.html"}}"#);
    let other = r#"{"url":"chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai/index.html"}"#;
    for (rights, sees) in
        [(&[Capability::Dedicated, Capability::HostFiles][..], true), (&[Capability::Dedicated], false)]
    {
        let mut pair = able(Some("/allowed"), rights);
        pair.asks(LOAD, r#"{"path":"marks"}"#);
        let shown = found(&mut pair, Some("/allowed/marks")).contains(&format!("show {ID}"));
        assert_eq!(shown, sees);
        pair.result(r#"{"id":"abc"}"#);
        for (url, opens) in [(&*page, sees), (other, false)] {
            let new = pair.asks("Target.createTarget", url);
            assert_eq!(new[0].starts_with("call "), opens, "{new:?}");
            if opens {
                pair.result(r#"{"targetId":"T"}"#);
            }
            let moved = pair.asks_on("S", "Page.navigate", url);
            assert_eq!(!moved[0].contains("are not allowed"), opens, "{moved:?}");
        }
    }
    // Those that the browser was started with are shown too. Who lost the capability meanwhile opens none of their pages.
    for (rights, opens) in
        [(&[Capability::Dedicated, Capability::HostFiles][..], true), (&[Capability::Dedicated], false)]
    {
        let mut pair = able(None, rights);
        pair.session.show_extensions(&[ID.to_owned()]);
        assert_eq!(pair.asks("Target.createTarget", &page)[0].starts_with("call "), opens);
    }
}

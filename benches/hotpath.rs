//! Runs the pure layers repeatedly; `benches/instructions.sh` counts the instructions. It prints no
//! figures itself.
//!
//! `hotpath CASE N` processes N messages of a case; `hotpath` alone lists the cases. Without the
//! feature `server`, the cases `mirror-…` are events and requests of the mirror of targets, and
//! `mirror-…-x10` the same in a mirror that is ten times as large.

#![allow(clippy::print_stdout, reason = "names its cases")]

use std::{hint::black_box, path::PathBuf, sync::Arc};

use bytes::Bytes;
use ghostmux::{
    api_types::capability::{Capabilities, Granted},
    cdp::{
        cbor::{Decoder, Encoder},
        error::CdpError,
        ids::{CallId, CdpSessionId},
        message::{self, Head},
    },
    port::{FromBrowser, Identity, Told},
    virtual_browser::{Action, ViewId, VirtualBrowser},
};

const CONTEXT: &str = "C0000000000000000000000000000001";
const ROOT: &str = "00000000000000000000000000000002";
const PAGE: &str = "00000000000000000000000000000003";
const TARGET: &str = "00000000000000000000000000000004";
const VIEW: ViewId = ViewId(1);
const MB: usize = 1_000_000;

/// How many times larger the larger of two mirrors is; the additional content does not concern the
/// counted events.
#[cfg(not(feature = "server"))]
const LARGER: usize = 10;

/// A command is counted with its reply, which is small; a large message of Chrome costs as much as
/// a small one.
const CASES: [&str; 11] = [
    "roundtrip-200b",
    "command-1mb-text",
    "command-1mb-objects",
    "event-200b",
    "event-1mb",
    // The cost of the codec per message if it is not JSON.
    "to-cbor-200b",
    "to-cbor-1mb-text",
    "to-cbor-1mb-objects",
    "to-json-200b",
    "to-json-1mb-text",
    "to-json-1mb-objects",
];

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (case, count) = (args.next(), args.next().and_then(|count| count.parse::<u32>().ok()));
    let (Some(case), Some(count)) = (case, count) else {
        println!("{}", CASES.join("\n"));
        #[cfg(not(feature = "server"))]
        for case in ghostmux::browser::growth::CASES {
            println!("mirror-{case}\nmirror-{case}-x{LARGER}");
        }
        return;
    };
    #[cfg(not(feature = "server"))]
    if let Some(case) = case.strip_prefix("mirror-") {
        let larger = case.strip_suffix("-x10");
        return ghostmux::browser::growth::run(
            larger.unwrap_or(case),
            if larger.is_some() { LARGER } else { 1 },
            count,
        );
    }
    let mut session = session();
    match case.as_str() {
        "roundtrip-200b" => commands(&mut session, &command("document.querySelector('main > article')", "null"), count),
        "command-1mb-text" => commands(&mut session, &command("1", &format!("\"{}\"", "x".repeat(MB))), count),
        "command-1mb-objects" => commands(&mut session, &command("1", &objects()), count),
        "event-200b" => events(&mut session, 40, count),
        "event-1mb" => events(&mut session, MB, count),
        "to-cbor-200b" => to_cbor(&command("document.querySelector('main > article')", "null"), count),
        "to-cbor-1mb-text" => to_cbor(&command("1", &format!("\"{}\"", "x".repeat(MB))), count),
        "to-cbor-1mb-objects" => to_cbor(&command("1", &objects()), count),
        "to-json-200b" => to_json(&command("document.querySelector('main > article')", "null"), count),
        "to-json-1mb-text" => to_json(&command("1", &format!("\"{}\"", "x".repeat(MB))), count),
        "to-json-1mb-objects" => to_json(&command("1", &objects()), count),
        other => panic!("no case {other}"),
    }
}

/// A session with one view that is attached to its page.
fn session() -> VirtualBrowser {
    let identity = Identity {
        version: "{}".to_owned(),
        product: "HeadlessChrome/156.0.0.0".to_owned(),
        no_target_to_close: CdpError::INVALID,
        no_context_for_target: CdpError::INVALID,
    };
    let granted = Granted::new(Capabilities::local(), Capabilities::of_shared_browser());
    let base = CdpSessionId::from("base");
    let mut session =
        VirtualBrowser::new(granted, Arc::new(identity), base, CONTEXT.into(), "browser".into(), PathBuf::new());
    session.open_view(VIEW, ROOT.into(), true);
    let info = format!(
        r#"{{"targetId":"{TARGET}","type":"page","title":"","url":"about:blank","attached":true,"canAccessOpener":false,"browserContextId":"{CONTEXT}"}}"#
    );
    session.on_browser(FromBrowser::Told(Told::Created { target: TARGET.into(), info: info.clone() }));
    let attached =
        Told::Attached { parent: ROOT.into(), child: PAGE.into(), target: TARGET.into(), info, waiting: false };
    session.on_browser(FromBrowser::Told(attached));
    session.poll_actions();
    session
}

fn command(expression: &str, extra: &str) -> Bytes {
    Bytes::from(format!(
        r#"{{"id":1,"method":"Runtime.evaluate","params":{{"expression":"{expression}","extra":{extra},"returnByValue":true,"awaitPromise":true}},"sessionId":"{PAGE}"}}"#
    ))
}

/// Objects like those of a page's DOM tree.
fn objects() -> String {
    let node = r#"{"nodeId":12345,"name":"DIV","attributes":["id","a","class","b c"],"children":[],"ok":true},"#;
    format!("[{}]", node.repeat(MB / node.len()).trim_end_matches(','))
}

/// From client to Chrome: a frame is read, checked and sent. Then the reply, so that no command
/// stays pending.
fn commands(session: &mut VirtualBrowser, text: &Bytes, count: u32) {
    let result = r#"{"result":{"type":"string","value":"a text of forty letters, as they are here"}}"#;
    let reply = Bytes::from(message::reply(CallId(1), result, Some(PAGE)));
    for _ in 0..count {
        session.on_client(VIEW, text.clone());
        let passed = session.poll_actions().into_iter().any(|action| matches!(black_box(action), Action::Pass(_)));
        assert!(passed, "a command that does not pass");
        admit(session, &reply);
    }
}

/// From Chrome to client: a message is routed and accepted.
fn events(session: &mut VirtualBrowser, size: usize, count: u32) {
    let params = format!(r#"{{"type":"log","args":[{{"type":"string","value":"{}"}}]}}"#, "x".repeat(size));
    let event = Bytes::from(message::event("Runtime.consoleAPICalled", &params, Some(PAGE)));
    (0..count).for_each(|_| admit(session, &event));
}

/// From client to Chrome, after the policy decision.
fn to_cbor(text: &[u8], count: u32) {
    let text = str::from_utf8(text).expect("JSON");
    let mut encoder = Encoder::default();
    (0..count).for_each(|_| drop(black_box(encoder.message(black_box(text)).expect("JSON"))));
}

/// From Chrome to client, before the virtual browser accepts the message.
fn to_json(text: &[u8], count: u32) {
    let message = Encoder::default().message(str::from_utf8(text).expect("JSON")).expect("JSON");
    let mut decoder = Decoder::default();
    (0..count).for_each(|_| drop(black_box(decoder.text(black_box(&message)).expect("CBOR"))));
}

fn admit(session: &mut VirtualBrowser, text: &Bytes) {
    let route = message::route(black_box(text));
    let id = match route.head {
        Head::Reply(id) => Some(id),
        _ => None,
    };
    // The link has the id already and shares it; here it must be created.
    let on = CdpSessionId::from(route.session.expect("a CDP session at the end"));
    session.on_browser(FromBrowser::Message { on, id, body_end: route.body_end, text: text.clone() });
    let frames = session.poll_actions().into_iter().map(|action| match action {
        Action::ToClient(_, frame) => black_box(frame.parts()).0.len(),
        _ => 0,
    });
    assert!(frames.sum::<usize>() >= text.len(), "a message that does not reach the client");
}

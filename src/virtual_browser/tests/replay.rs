//! Replays conversations of real clients, recorded with a real Chrome by `record`, and compares the frames for the client
//! in their order.

use serde_json::{Value, json};

use super::*;

/// Puts one line of a recording into words: what came from the browser.
pub(super) fn spell(from: &FromBrowser) -> Option<Value> {
    Some(match from {
        FromBrowser::Message { text, .. } => json!({ "message": String::from_utf8_lossy(text) }),
        FromBrowser::Reply { tag, reply: Reply::Result(result) } => json!({ "tag": tag, "result": result }),
        FromBrowser::Reply { tag, reply: Reply::Error(CdpError { code, message, data }) } => {
            json!({ "tag": tag, "error": [code, message, data] })
        }
        FromBrowser::Told(told) => match told {
            Told::Context { context } => json!({ "context": context }),
            Told::Created { target, info } => json!({ "created": target, "info": info }),
            Told::Changed { target, info } => json!({ "changed": target, "info": info }),
            Told::Destroyed { target } => json!({ "destroyed": target }),
            Told::Crashed { target, params } => json!({ "crashed": target, "params": params }),
            // No session that is recorded was opened from a snapshot.
            Told::Emulated { .. } | Told::SetUp { .. } => return None,
            Told::Attached { parent, child, target, info, waiting } => {
                json!({ "attached": child, "on": parent, "target": target, "info": info, "waiting": waiting })
            }
            Told::Detached { parent, child, target, below } => {
                json!({ "detached": child, "on": parent, "target": target, "below": below })
            }
        },
        FromBrowser::Download { .. } | FromBrowser::Introduced | FromBrowser::Room | FromBrowser::Lost(_) => {
            return None;
        }
    })
}

/// The reverse of [`spell`].
fn read(line: &Value) -> FromBrowser {
    let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{line} has no {name}")).to_owned();
    if let Some(message) = line["message"].as_str() {
        let text = Bytes::from(message.to_owned());
        let route = message::route(&text);
        let id = match route.head {
            message::Head::Reply(id) => Some(id),
            _ => None,
        };
        let (on, body_end) = (route.session.expect("a CDP session").into(), route.body_end);
        return FromBrowser::Message { on, id, body_end, text };
    }
    if let Some(tag) = line["tag"].as_u64() {
        let reply = match line["error"].as_array() {
            None => Reply::Result(text("result")),
            Some(error) => Reply::Error(CdpError {
                code: error[0].as_i64().and_then(|code| code.try_into().ok()).expect("a code"),
                message: error[1].as_str().expect("words").to_owned().into(),
                data: error[2].as_str().map(str::to_owned),
            }),
        };
        return FromBrowser::Reply { tag, reply };
    }
    let has = |name: &str| line.get(name).is_some();
    FromBrowser::Told(if has("created") {
        Told::Created { target: text("created").into(), info: text("info") }
    } else if has("changed") {
        Told::Changed { target: text("changed").into(), info: text("info") }
    } else if has("destroyed") {
        Told::Destroyed { target: text("destroyed").into() }
    } else if has("crashed") {
        Told::Crashed { target: text("crashed").into(), params: text("params") }
    } else if has("attached") {
        Told::Attached {
            parent: text("on").into(),
            child: text("attached").into(),
            target: text("target").into(),
            info: text("info"),
            waiting: line["waiting"].as_bool().expect("a boolean"),
        }
    } else {
        let below = line["below"].as_array().expect("a list");
        Told::Detached {
            parent: text("on").into(),
            child: text("detached").into(),
            target: text("target").into(),
            below: below.iter().map(|id| id.as_str().expect("an id").into()).collect(),
        }
    })
}

/// Plays a recording; returns how many frames its client got.
fn replay(name: &str, recording: &str) -> usize {
    let lines: Vec<Value> = recording.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let (first, lines) = lines.split_first().expect("a recording is not empty");
    let named = |member: &str| first[member].as_str().unwrap_or_else(|| panic!("{first} has no {member}"));
    let identity = Identity {
        version: named("version").to_owned(),
        product: String::new(),
        no_target_to_close: CdpError::INVALID,
        no_context_for_target: CdpError::INVALID,
    };
    let mut session = VirtualBrowser::new(
        Granted::none(),
        Arc::new(identity),
        named("base").into(),
        named("context").into(),
        named("browser").into(),
        PathBuf::from("/own"),
    );
    session.open_view(VIEW, named("root").into(), true);
    let mut got: VecDeque<String> = VecDeque::new();
    let mut count = 0;
    for (at, line) in lines.iter().enumerate() {
        if let Some(wanted) = line["to"].as_str() {
            count += 1;
            assert_eq!(got.pop_front().as_deref(), Some(wanted), "{name}, line {}", at + 2);
            continue;
        }
        assert!(got.is_empty(), "{name}, before line {}: the client got more than it should: {got:?}", at + 2);
        match line["client"].as_str() {
            Some(frame) => session.on_client(VIEW, Bytes::from(frame.to_owned())),
            None => session.on_browser(read(line)),
        }
        loop {
            let actions = session.poll_actions();
            if actions.is_empty() {
                break;
            }
            got.extend(actions.into_iter().filter_map(|action| match action {
                Action::ToClient(_, frame) => Some(text(frame)),
                _ => None,
            }));
        }
    }
    assert!(got.is_empty(), "{name}, at its end: the client got more than it should: {got:?}");
    count
}

#[test]
fn puppeteer_replay_is_byte_identical() {
    assert!(replay("puppeteer.jsonl", include_str!("../../../fixtures/puppeteer.jsonl")) > 100);
}

#[test]
fn playwright_replay_is_byte_identical() {
    assert!(replay("playwright.jsonl", include_str!("../../../fixtures/playwright.jsonl")) > 100);
}

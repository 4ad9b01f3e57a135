//! Invalid frames: each gets an error or closes the sender's connection, and no other connection.

use std::{fs, time::Duration};

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::{
    rows::{Arena, rows_in_browser, rows_in_each_browser},
    stage::Stage,
};
use crate::{
    client::{Client, DEADLINE},
    raw::{BINARY, CLOSE, CONTINUATION, FIN, PING, RSV1, Raw, TEXT},
};

const NOT_JSON: i64 = -32700;
const NOT_A_MESSAGE: i64 = -32600;

/// Sends a text and returns the next reply; there must be one.
async fn say(client: &Client, text: &str) -> Value {
    client.send_raw(text).await;
    client
        .wait(&format!("an answer to {text:.80}"), Duration::from_secs(30), |frame| frame.get("method").is_none())
        .await
}

/// Sends each of these texts; each must get an error with this code and a message that begins with
/// `words`.
async fn each(stage: &Stage, row: &str, code: i64, words: &str, texts: &[String]) {
    let client = &stage.attacker.client;
    for text in texts {
        let reply = say(client, text).await;
        let error = &reply["error"];
        let right = error["code"] == code && error["message"].as_str().is_some_and(|said| said.starts_with(words));
        assert!(right, "{row}: {text:.200} was answered {reply}, and must be {code} {words}…");
    }
    stage.unharmed(row).await;
}

/// F01 to F04: duplicate and differently spelt keys do not bypass the checks.
async fn duplicate_and_escaped_keys_do_not_bypass_checks(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (own, vt) = (&stage.attacker.page.target, &stage.victim.page.target);
    let (mine, vs) = (&stage.attacker.page.session, &stage.victim.page.session);
    let close = |target: &str| format!(r#""method":"Target.closeTarget","params":{{"targetId":"{target}"}}"#);
    let mut doubled = Vec::new();
    for (first, second) in [(own, vt), (vt, own)] {
        doubled.push(format!(
            r#"{{"id":901,"method":"Target.closeTarget","params":{{"targetId":"{first}"}},"params":{{"targetId":"{second}"}}}}"#
        ));
    }
    for (first, second) in [(mine, vs), (vs, mine)] {
        doubled.push(format!(r#"{{"id":902,"method":"Page.close","sessionId":"{first}","sessionId":"{second}"}}"#));
        doubled
            .push(format!(r#"{{"id":902,"method":"Page.close","sessionId":"{first}","sess\u0069onId":"{second}"}}"#));
    }
    doubled.push(format!(r#"{{"id":903,"method":"Browser.getVersion",{}}}"#, close(vt)));
    doubled.push(format!(r#"{{"id":903,"meth\u006fd":"Browser.getVersion",{}}}"#, close(vt)));
    doubled.push(format!(r#"{{{},"id":904,"id":905}}"#, close(vt)));
    each(&stage, "F01", NOT_JSON, "CBOR: duplicate map key at position ", &doubled).await;

    let mut inside = Vec::new();
    for key in ["targetId", r"\u0074argetId", r"target\u0049d"] {
        for (first, second) in [(own, vt), (vt, own)] {
            let params = format!(r#"{{"targetId":"{first}","{key}":"{second}"}}"#);
            inside.push(format!(r#"{{"id":906,"method":"Target.closeTarget","params":{params}}}"#));
            inside
                .push(format!(r#"{{"id":906,"method":"Target.closeTarget","params":{params},"sessionId":"{mine}"}}"#));
        }
    }
    each(&stage, "F02", NOT_JSON, "", &inside).await;

    let params = [r#""\u0074argetId""#, r#""targetI\u0064""#].map(|key| format!(r#"{{{key}:"{vt}"}}"#));
    let escaped: String = vt.bytes().flat_map(|byte| [r"\u00".to_owned(), format!("{byte:02x}")]).collect();
    let mut disguised: Vec<String> = params
        .iter()
        .map(|params| format!(r#"{{"id":907,"method":"Target.closeTarget","params":{params}}}"#))
        .collect();
    disguised.push(format!(r#"{{"id":907,"method":"Target.closeTarget","params":{{"targetId":"{escaped}"}}}}"#));
    disguised.push(format!(r#"{{"id":907,"meth\u006fd":"Target.closeTarget","params":{{"targetId":"{vt}"}}}}"#));
    disguised.push(format!(r#"{{"id":907,"method":"Target.close\u0054arget","params":{{"targetId":"{vt}"}}}}"#));
    disguised.push(format!(r#"{{"id":907,"method":"\u0054arget.closeTarget","p\u0061rams":{{"targetId":"{vt}"}}}}"#));
    each(&stage, "F03 F04", -32602, "No target", &disguised).await;
    let session = format!(r#"{{"id":908,"method":"Page.close","sess\u0069onId":"{vs}"}}"#);
    each(&stage, "F04", -32001, "Session with given id not found.", &[session]).await;
    // Own targets are found under these spellings.
    let fine =
        format!(r#"{{"\u0069d":909,"meth\u006fd":"Target.getTarget\u0049nfo","params":{{"\u0074argetId":"{own}"}}}}"#);
    let reply = say(&stage.attacker.client, &fine).await;
    assert_eq!(reply["result"]["targetInfo"]["targetId"], own.as_str(), "F04: {reply}");
}

/// F05 to F11, F15: text that is not one well-formed command gets Chrome's error.
async fn malformed_commands_get_chromes_errors(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let vt = &stage.victim.page.target;
    let good = r#"{"id":910,"method":"Browser.getVersion"}"#;
    let evil = format!(r#"{{"id":911,"method":"Target.closeTarget","params":{{"targetId":"{vt}"}}}}"#);
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();

    let trailing = [format!("{good}\0{evil}"), format!("{good}\0"), format!("{good}{evil}"), format!("{good}\n{evil}")];
    each(&stage, "F05 F06", NOT_JSON, "JSON: unprocessed input remains at position ", &trailing).await;
    let inside = format!(r#"{{"id":912,"method":"Browser.getVersion","params":{{"a":"x{}{evil}"}}}}"#, '\0');
    let nul = [format!("\0{good}"), inside, good.replace("Browser", "Brow\0ser")];
    each(&stage, "F05", NOT_JSON, "JSON: ", &nul).await;

    let broken =
        strings(&["", " ", "{", r#"{"id":1,}"#, r"{'id':1}", "nul", r#"{"id":1 "method":"a"}"#, "{]", "\u{feff}{}"]);
    each(&stage, "F06", NOT_JSON, "JSON: ", &broken).await;
    each(&stage, "F06", NOT_A_MESSAGE, "Message must be an object", &strings(&["[]", "null", "5", "\"x\"", "true"]))
        .await;
    each(
        &stage,
        "F06",
        NOT_A_MESSAGE,
        "Message must have integer 'id' property",
        &strings(&["{}", r#"{"method":"a"}"#]),
    )
    .await;
    let no_method = strings(&[r#"{"id":1}"#, r#"{"id":1,"method":5}"#, r#"{"id":1,"method":null}"#]);
    each(&stage, "F06", NOT_A_MESSAGE, "Message must have string 'method' property", &no_method).await;

    let with = |member: &str| format!(r#"{{"id":913,"method":"Browser.getVersion",{member}}}"#);
    let params = ["\"x\"", "5", "true", "false"].map(|params| with(&format!("\"params\":{params}")));
    each(&stage, "F07", NOT_A_MESSAGE, "Message may have object 'params' property", &params).await;
    // Chrome treats an array as no params, whatever it contains.
    for params in ["null", "{}", "[]", "[1]"] {
        let reply = say(&stage.attacker.client, &with(&format!("\"params\":{params}"))).await;
        assert!(reply["result"]["product"].is_string(), "F07: {params} was answered {reply}");
    }

    let id = |id: &str| format!(r#"{{"id":{id},"method":"Browser.getVersion"}}"#);
    let ids = ["\"7\"", "1.5", "2147483648", "-2147483649", "1e10", "null", "{}", "true"].map(id);
    each(&stage, "F08", NOT_A_MESSAGE, "Message must have integer 'id' property", &ids).await;
    for (said, answered) in
        [("-5", -5), ("0", 0), ("-0", 0), ("7.0", 7), ("7e0", 7), ("2147483647", i32::MAX), ("-2147483648", i32::MIN)]
    {
        let reply = say(&stage.attacker.client, &id(said)).await;
        assert!(reply["id"] == answered && reply["result"].is_object(), "F08: {said} was answered {reply}");
        // The same on a page, where the client's own frame is sent to Chrome.
        let mut on_page = id(said).replace("Browser.getVersion", "Runtime.getIsolateId");
        on_page.insert_str(on_page.len() - 1, &format!(r#","sessionId":"{}""#, stage.attacker.page.session));
        let reply = say(&stage.attacker.client, &on_page).await;
        assert!(reply["id"] == answered && reply["result"].is_object(), "F08 @Page: {said} was answered {reply}");
    }

    let (vs, mine) = (&stage.victim.page.session, &stage.attacker.page.session);
    let session = |session: &str| with(&format!("\"sessionId\":{session}"));
    let no_strings = ["5", "{}", "null", "[]", "true"].map(session);
    each(&stage, "F09", NOT_A_MESSAGE, "Message may have string 'sessionId' property", &no_strings).await;
    let strange = [
        vs.clone(),
        mine.to_lowercase(),
        format!(" {mine}"),
        format!("{mine} "),
        format!(r"{mine}\u0000"),
        format!("{mine}{mine}"),
    ];
    let strange = strange.map(|text| session(&format!("\"{text}\"")));
    each(&stage, "F09", -32001, "Session with given id not found.", &strange).await;
    let reply = say(&stage.attacker.client, &session("\"\"")).await;
    assert!(reply["result"]["product"].is_string(), "F09: an empty sessionId is the root: {reply}");

    let keys = ["browserContextId", "targetId", "__proto__", "result", "", "Method", "jsonrpc", "error"];
    let keys = keys.map(|key| with(&format!("\"{key}\":\"{vt}\"")));
    let only = "Message has property other than 'id', 'method', 'sessionId', 'params'";
    each(&stage, "F10", NOT_A_MESSAGE, only, &keys).await;

    let mut deep = Vec::new();
    for depth in [1_000, 10_000, 200_000] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let (opened, closed) = (open.repeat(depth), close.repeat(depth));
            deep.push(with(&format!("\"params\":{{\"a\":{opened}1{closed}}}")));
            deep.push(opened);
        }
    }
    each(&stage, "F11", NOT_JSON, "JSON: stack limit exceeded at position ", &deep).await;

    let long = "x".repeat(1 << 20);
    for name in [
        "Target.closeTarget ",
        " Target.closeTarget",
        r"Target.closeTarget\t",
        r"Target.closeTarget\u0000",
        "target.closeTarget",
        "Target.CloseTarget",
        "Target..closeTarget",
        "Target.closeTarget.",
        "closeTarget",
        ".",
        "Nope.nope",
        long.as_str(),
    ] {
        for session in [String::new(), format!(r#","sessionId":"{mine}""#)] {
            let text = format!(r#"{{"id":914,"method":"{name}","params":{{"targetId":"{vt}"}}{session}}}"#);
            let reply = say(&stage.attacker.client, &text).await;
            assert!(
                reply["id"] == 914 && reply["error"]["code"] == -32601,
                "F15: {:.80} was answered {:.200}",
                name,
                reply.to_string()
            );
        }
    }
    stage.unharmed("F15").await;
}

/// F17: lone surrogates are accepted, and replies with them are no error for the proxy.
async fn lone_surrogates_are_accepted(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let session = &stage.attacker.page.session;
    for expression in [
        r"'\\ud800'",
        r"({'\\ud800': '\\udfff'})",
        r"'\\u0000'",
        r"'\\u2028'",
        r"'\ud800'",
        r"'a\ud800\ud800b'",
        "'\u{2028}'",
        r"'\u2028'",
    ] {
        let params = format!(r#"{{"expression":"({expression})","returnByValue":true}}"#);
        let text = format!(r#"{{"id":915,"method":"Runtime.evaluate","params":{params},"sessionId":"{session}"}}"#);
        let reply = say(&stage.attacker.client, &text).await;
        assert!(reply["id"] == 915 && reply["sessionId"] == session.as_str(), "F17: {expression} was answered {reply}");
        assert!(reply["result"].is_object(), "F17: {expression} was answered {reply}");
    }
    stage.unharmed("F17").await;
}

/// F12, F13, F16: invalid UTF-8 and invalid WebSocket frames.
async fn invalid_frames_close_only_the_senders_connection(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let good = br#"{"id":1,"method":"Browser.getVersion"}"#;
    let closing =
        format!(r#"{{"id":2,"method":"Target.closeTarget","params":{{"targetId":"{}"}}}}"#, stage.victim.page.target);
    for bytes in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80"] {
        let mut raw = Raw::connect(&stage.proxy).await;
        let text = [&br#"{"id":1,"method":"Browser.getVersion","params":{"a":""#[..], bytes, b"\"}}"].concat();
        for text in [&text[..], bytes] {
            raw.frame(FIN | TEXT, text).await;
            let answer = raw.next().await;
            assert!(answer.contains("-32700"), "F12: {bytes:x?} was answered {answer}");
        }
        raw.frame(FIN | TEXT, good).await;
        let answer = raw.next().await;
        assert!(answer.contains("product"), "F12: after {bytes:x?} the connection answered {answer}");
    }
    stage.unharmed("F12").await;

    for payload in [&good[..], &b"\xd8\x5a\x00\x00\x00\x05\xbfbid\xff"[..], closing.as_bytes()] {
        let mut raw = Raw::connect(&stage.proxy).await;
        raw.frame(FIN | BINARY, payload).await;
        assert_eq!(raw.next().await, "close 1003", "F13");
        stage.undisturbed("F13").await;
    }

    let mut unmasked = vec![FIN | TEXT, u8::try_from(good.len()).expect("short")];
    unmasked.extend(good);
    let close = closing.as_bytes();
    let frames = [
        ("RSV1", vec![(FIN | RSV1 | TEXT, close)]),
        ("opcode 3", vec![(FIN | 3, close)]),
        ("opcode 11", vec![(FIN | 0xb, close)]),
        ("a ping of 1,000 bytes", vec![(FIN | PING, &[b'x'; 1000][..])]),
        ("a ping in pieces", vec![(PING, b"x")]),
        ("a continuation first", vec![(FIN | CONTINUATION, close)]),
        ("a close of one byte", vec![(FIN | CLOSE, b"x")]),
        ("a text inside a text", vec![(TEXT, &close[..5]), (FIN | TEXT, close)]),
    ];
    for (what, frames) in frames {
        let mut raw = Raw::connect(&stage.proxy).await;
        for (first, payload) in frames {
            raw.frame(first, payload).await;
        }
        let answer = raw.next().await;
        assert!(answer.starts_with("close ") || answer == "gone", "F16: {what} was answered {answer}");
        stage.undisturbed("F16").await;
    }
    let mut raw = Raw::connect(&stage.proxy).await;
    raw.bytes(&unmasked).await;
    let answer = raw.next().await;
    assert!(answer.starts_with("close ") || answer == "gone", "F16: an unmasked frame was answered {answer}");
    for length in [1 << 62, u64::MAX, 101 << 20] {
        let mut raw = Raw::connect(&stage.proxy).await;
        raw.header(FIN | TEXT, length).await;
        let answer = raw.next().await;
        assert!(
            answer.starts_with("close ") || answer == "gone",
            "F16: a frame of {length} bytes was answered {answer}"
        );
    }
    // A message in several frames is valid.
    let mut raw = Raw::connect(&stage.proxy).await;
    raw.frame(TEXT, &good[..10]).await;
    raw.frame(FIN | PING, b"between").await;
    raw.frame(FIN | CONTINUATION, &good[10..]).await;
    assert!(raw.next().await.contains("product"), "F16: a message in pieces was not answered");
    stage.unharmed("F16").await;
}

/// F14: a message of the size that ends Chrome is not sent to it.
async fn messages_too_large_for_chrome_are_not_sent(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let large = |filling: &str, bytes: usize| {
        let text = filling.repeat(bytes / filling.len());
        format!(r#"{{"id":1,"method":"Browser.getVersion","params":{{"a":"{text}"}}}}"#)
    };
    let client = stage.proxy.connect().await;
    // The connection may be closed during the write.
    let _ = client.send(Message::text(large("x", 101 << 20))).await;
    let why = client.end().await;
    assert!(
        why.starts_with("1009") || why.contains("reset") || why.contains("roken pipe") || why.contains("without"),
        "F14: {why}"
    );
    drop(client);
    stage.victim.is_unchanged("F14", DEADLINE).await;

    let client = stage.proxy.connect().await;
    let page = client.page().await;
    let text = large("é", 99 << 20);
    for session in ["", &page.session] {
        let text = text.replacen(r#"{"id":1"#, &format!(r#"{{"id":1,"sessionId":"{session}""#), 1);
        client.send_raw(&text).await;
        let answered = client.wait_or_close(Duration::from_secs(60), |frame| frame.get("method").is_none()).await;
        assert!(
            answered.is_ok_and(|reply| reply.get("result").or(reply.get("error")).is_some()),
            "F14: no answer to 99 MiB"
        );
    }
    drop(client);
    stage.unharmed("F14").await;
}

/// F18: memory use follows the received bytes, not the announced length.
async fn an_announced_frame_size_allocates_no_memory(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let before = resident(stage.proxy.pid());
    let mut raws = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::connect(&stage.proxy).await;
        raw.header(FIN | TEXT, 50 << 20).await;
        raw.bytes(b"{").await;
        raws.push(raw);
    }
    for raw in &mut raws {
        assert!(raw.is_silent(Duration::from_millis(20)).await, "F18: half a frame was answered");
    }
    let slowest = stage.victim.round_trip(DEADLINE).await;
    assert!(slowest < Duration::from_secs(3), "F18: the victim waited {slowest:?}");
    let grown = resident(stage.proxy.pid()).saturating_sub(before);
    assert!(grown < 100 << 20, "F18: {} MiB for a gigabyte that never came", grown >> 20);
    stage.unharmed("F18").await;
}

/// The resident memory of a process, in bytes.
pub(super) fn resident(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

rows_in_each_browser! {
    duplicate_and_escaped_keys_do_not_bypass_checks,
    malformed_commands_get_chromes_errors,
    lone_surrogates_are_accepted,
}

rows_in_browser! { Shell:
    invalid_frames_close_only_the_senders_connection,
    messages_too_large_for_chrome_are_not_sent,
    an_announced_frame_size_allocates_no_memory,
}

//! The two encodings on the pipe, JSON and CBOR: clients read the same with both, and a Chrome
//! without CBOR is driven with JSON.

use std::{collections::BTreeMap, fmt::Write as _, fs, os::unix::fs::PermissionsExt as _};

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_browser, in_each_browser},
    client::Client,
    proxy::{Proxy, eventually},
};

/// The replies of Chrome to a fixed conversation, with ids that change from run to run replaced by
/// numbers.
async fn answers(browser: Browser, codec: &str) -> Vec<String> {
    let proxy = Proxy::start(browser, &["--codec", codec, "--warm", "0"]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    for expression in [
        r#"'\u0000\b\f\n\r\t\u001f \x7f\x80\u2028\uffff\ud800x 😀 \\ " / <'"#,
        "'x'.repeat(3e5) + '\\n'",
        "'é\\n'.repeat(3e4)",
        "[0.1, 1e21, 1e20, 1e12, 1e-7, 1e-6, 5e-324, 1.5e300, 2 ** 53, 2 ** 62, -(2 ** 63), 123456789012.5, 1234567890123.5]",
        "[-0, NaN, 1 / 0, 2147483647, 2147483648, -2147483648, -2147483649]",
        "-0",
        "Array(100).fill().reduce((inner) => [inner], [])",
        "Array(298).fill().reduce((inner) => [inner], [])",
        "({ '': [], 'é\"': {}, b: 1, a: [[{}]] })",
        "Array.from({ length: 3000 }, (_, n) => ({ n, half: n / 2, name: 'node ' + n }))",
        "document.title = 'tïtle 中'",
    ] {
        let evaluate = json!({ "expression": expression, "returnByValue": true });
        let _ = client.call_on(&page.session, "Runtime.evaluate", evaluate).await;
    }
    // Commands reach Chrome with the same meaning, whatever their spelling of letters and numbers.
    for (id, params) in [
        (1001, r#""expression":"'\u00e9é\ud83d\ude00😀\ud800 \u0041\t\/\u007f'""#),
        (1002, r#" "expression" : "'only \u0041SCII, \"quoted\"'" , "timeout" : 5.0e3 "#),
        (1003, r#""expr\u0065ssion":"[1,\n-0.5,1e21]","returnByValue":true,"timeout":12345678.5"#),
        (1004, r#""expression":"1","returnByValue":true,"timeout":"no number""#),
    ] {
        let session = &page.session;
        let text =
            format!(r#"{{"id":{id},"method":"Runtime.evaluate","params":{{{params}}},"sessionId":"{session}"}}"#);
        client.send_raw(&text).await;
        client.reply_to(id).await;
    }
    let clip = json!({ "x": 0, "y": 0, "width": 9, "height": 7, "scale": 1 });
    client.ok(Some(&page.session), "Page.captureScreenshot", json!({ "clip": clip })).await;
    client.ok(Some(&page.session), "DOM.getDocument", json!({ "depth": -1 })).await;
    client.ok(None, "Target.getTargetInfo", json!({ "targetId": page.target })).await;
    let _ = client.call("Nope.nope", json!({})).await;
    let _ = client.call_on(&page.session, "Page.navigate", json!({ "url": 5 })).await;
    replies(&client)
}

/// All replies in order; ids of 32 digits and UUIDs are replaced by numbers.
fn replies(client: &Client) -> Vec<String> {
    let mut known = BTreeMap::new();
    let mut texts = Vec::new();
    for frame in client.frames() {
        if frame.received().is_none_or(|frame| frame.get("id").is_none()) {
            continue;
        }
        let mut text = String::new();
        let is_id = |word: &str| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        for word in frame.text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            let (word, rest) = word.split_at(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len());
            if is_id(word) {
                let number = known.len();
                let _ = write!(text, "<{}>", known.entry(word.to_owned()).or_insert(number));
            } else {
                text += word;
            }
            text += rest;
        }
        texts.push(text);
    }
    texts
}

async fn clients_read_the_same_with_either_codec(browser: Browser) {
    let json = answers(browser.clone(), "json").await;
    let cbor = answers(browser, "cbor").await;
    assert!(json.len() > 20, "{json:?}");
    assert_eq!(json.len(), cbor.len());
    for (json, cbor) in json.iter().zip(&cbor) {
        let at = json.bytes().zip(cbor.bytes()).take_while(|(json, cbor)| json == cbor).count();
        let around = |text: &str| {
            String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(80)..]).chars().take(200).collect::<String>()
        };
        assert!(json == cbor, "JSON …{}\nCBOR …{}", around(json), around(cbor));
    }
}

in_each_browser!(clients_read_the_same_with_either_codec);

async fn json_is_used_when_chrome_lacks_cbor(browser: Browser) {
    let directory = tempfile::tempdir().expect("a directory");
    let old = directory.path().join("chromium-headless-shell");
    // The wrapper removes the flag that an older Chrome does not know.
    let script = format!(
        "#!/bin/bash\nwords=()\nfor word; do words+=(\"${{word%=cbor}}\"); done\nexec {} \"${{words[@]}}\"\n",
        browser.path.display()
    );
    fs::write(&old, script).expect("written");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).expect("made a program");
    let proxy = Proxy::start(Browser { path: old }, &["--codec", "cbor", "--browsers", "2"]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    assert_eq!(client.evaluate(&page.session, "'é' + 1").await, Value::from("é1"));
    assert_eq!(proxy.log().matches("supports no CBOR").count(), 1, "{}", proxy.log());
}

in_browser!(Shell: json_is_used_when_chrome_lacks_cbor);

/// Chrome cannot convert an event that nests deeper than 300. With CBOR the event is dropped and
/// counted; with JSON Chrome ends the page. In both cases no invalid message is sent, and other
/// pages continue.
async fn deeply_nested_events_produce_no_empty_frames(browser: Browser) {
    for codec in ["json", "cbor"] {
        let proxy = Proxy::start(browser.clone(), &["--codec", codec, "--warm", "0"]).await;
        let (client, other) = (proxy.connect().await, proxy.connect().await);
        let (page, others) = (client.page().await, other.page().await);
        let nest =
            "let at = document.body; for (let n = 0; n < 450; n++) at = at.appendChild(document.createElement('p')); 1";
        assert_eq!(client.evaluate(&page.session, nest).await, 1);
        let root =
            client.ok(Some(&page.session), "DOM.getDocument", json!({ "depth": 0 })).await["root"]["nodeId"].clone();
        // With JSON there may be no reply, because the renderer process ends.
        client.start(Some(&page.session), "DOM.requestChildNodes", json!({ "nodeId": root, "depth": -1 })).await;
        let is_over = async || {
            let seen = |is: &dyn Fn(&Value) -> bool| client.events().iter().any(is);
            let crashed = |event: &Value| event["method"] == "Inspector.targetCrashed";
            let delivered = |event: &Value| event["method"] == "DOM.setChildNodes";
            proxy.figure("events_too_deep_total").await == 1 || seen(&crashed) || seen(&delivered)
        };
        eventually("the event was handled", is_over).await;
        assert_eq!(other.evaluate(&others.session, "6 * 7").await, 42, "{codec}: another session");
        let after = client.page().await;
        assert_eq!(client.evaluate(&after.session, "6 * 7").await, 42, "{codec}: another page");
        for frame in client.frames().iter().chain(&other.frames()) {
            assert!(
                serde_json::from_str::<Value>(&frame.text).is_ok_and(|frame| frame.is_object()),
                "{codec}: {frame:?}"
            );
        }
        if codec == "cbor" {
            assert_eq!(proxy.figure("events_too_deep_total").await, 1);
            assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42, "the page itself");
        }
    }
}

in_each_browser!(deeply_nested_events_produce_no_empty_frames);

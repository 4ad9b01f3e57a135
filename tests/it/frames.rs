//! Every frame that the check accepts must be answered by Chrome as a command on its CDP session,
//! with that session and our id.
//!
//! Chrome's reply to a frame that it cannot parse has no session, and therefore no owner: its
//! sender would wait for ever. A frame that only one of the two parsers accepts could also bypass
//! the policy.

use std::{fmt::Write as _, time::Duration};

use ghostmux::cdp::message::Command;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, Page},
    proxy::Proxy,
};

#[derive(Deserialize)]
struct Row {
    case: String,
    frame: Option<String>,
    bytes: Option<String>,
}

async fn accepted_commands_are_answered_by_chrome(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    let rows: Vec<Row> = serde_json::from_str(include_str!("../../fixtures/frames.json")).expect("rows");
    let mut frames: Vec<(String, String)> = Vec::new();
    for row in rows {
        // One character stands for one byte; the check refuses invalid UTF-8.
        let bytes = |text: String| text.chars().map(|byte| u8::try_from(u32::from(byte)).expect("a byte")).collect();
        let text = row.frame.or_else(|| String::from_utf8(bytes(row.bytes?)).ok());
        frames.extend(text.map(|text| (row.case, text.replace("@S@", &page.session))));
    }
    let fixed = frames.len();
    assert!(fixed > 600, "{fixed} rows");
    frames.extend((0..4000).map(|seed| (format!("seed {seed}"), generated(seed, &page.session))));

    let (mut answered, mut on_page, mut refused) = (0, 0, 0);
    for (case, text) in frames {
        let Ok(command) = Command::read(text.clone().into()) else {
            refused += 1;
            continue;
        };
        let reply =
            answer(&client, &text).await.unwrap_or_else(|| client.panic(&format!("{case}: {text} was not answered")));
        assert_eq!(reply["id"], command.id().0, "{case}: {text} was answered {reply}");
        let code = &reply["error"]["code"];
        assert!(*code != -32700 && *code != -32600, "{case}: Chrome could not read {text}: {reply}");
        if command.session() == Some(&page.session) {
            assert_eq!(reply["sessionId"], page.session.as_str(), "{case}: {text} was answered {reply}");
            on_page += 1;
        }
        answered += 1;
    }
    eprintln!("{answered} answered, {on_page} of them by Chrome on a page, {refused} refused");
    assert!(on_page > 800 && refused > 300, "{answered} answered, {on_page} on a page, {refused} refused");
    assert_eq!(still_works(&client, &page).await, 42);
}

in_each_browser!(accepted_commands_are_answered_by_chrome);

/// The next reply to any command.
async fn answer(client: &Client, text: &str) -> Option<Value> {
    client.send_raw(text).await;
    client.wait_or_close(Duration::from_secs(10), |frame| frame.get("method").is_none()).await.ok()
}

async fn still_works(client: &Client, page: &Page) -> Value {
    client.evaluate(&page.session, "6 * 7").await
}

/// A command on a page, as a hostile writer of JSON would spell it.
fn generated(seed: u64, session: &str) -> String {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let id = random.pick(&[
        "7",
        "-7",
        "0",
        "7.0",
        "70e-1",
        "0.7e1",
        "7E+0",
        "2147483647",
        "-2147483648",
        "-0",
        "1e0",
        "7.5",
    ]);
    let id_key = random.pick(&[r#""id""#, r#""\u0069d""#, r#""i\u0064""#]);
    let method = random.pick(&[
        r#""Runtime.evaluate""#,
        r#""Runtime.\u0065valuate""#,
        r#""\u0052untime.evaluate""#,
        r#""Runtime.getIsolateId""#,
        r#""DOM.getDocument""#,
        r#""Nope.nope""#,
    ]);
    let mut params = String::from("{");
    let members = random.below(6);
    for at in 0..members {
        params += if at == 0 { "" } else { "," };
        params += random.pick(&[r#""expression":"1""#, r#""\u0065xpression":"1""#, ""]);
        if params.ends_with(['{', ',']) {
            let _ = write!(params, "\"k{at}\":{}", random.value(0));
        }
    }
    params += "}";
    let params = if random.below(10) == 0 { random.value(0) } else { params };
    let mut members = [
        format!("{id_key}:{id}"),
        format!("\"method\":{method}"),
        format!("\"params\":{params}"),
        format!("\"sessionId\":\"{session}\""),
    ];
    for at in (1..members.len()).rev() {
        members.swap(at, random.below(at + 1));
    }
    let space = random.pick(&["", " ", "\n", "\t \r"]);
    format!("{space}{{{space}{}{space}}}{space}", members.join(&format!("{space},{space}")))
}

/// Small numbers from a seed (xorshift): the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % most
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn value(&mut self, depth: usize) -> String {
        const PLAIN: [&str; 34] = [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1",
            "-1.5",
            "1e308",
            "-1e308",
            "1e309",
            "1e-400",
            "5e-324",
            "2e-324",
            "1E5",
            "0.1e+1",
            "123456789012345678901234567890",
            "9007199254740993",
            "4294967296",
            "1.",
            ".5",
            "01",
            "+1",
            "NaN",
            r#""""#,
            r#""\ud800""#,
            r#""\udc00\ud800""#,
            r#""\ud83d\ude00""#,
            r#""\u0000""#,
            r#""\b\f\n\r\t\/\\\"""#,
            r#""\x41""#,
            "\"\u{7f}\u{80}\u{2028}\u{fffd}\u{10ffff}\"",
            "\"\u{1}\"",
            "\"tab\there\"",
            "\"\u{feff}\"",
        ];
        match self.below(if depth > 3 { 1 } else { 6 }) {
            4 => {
                let items: Vec<_> = (0..self.below(4)).map(|_| self.value(depth + 1)).collect();
                format!("[{}]", items.join(","))
            }
            5 => {
                let keys = [r#""a""#, r#""\u0061""#, r#""""#, r#""__proto__""#, r#""\ud800""#, "\"é\"", r#""b""#];
                let members: Vec<_> =
                    (0..self.below(4)).map(|_| format!("{}:{}", self.pick(&keys), self.value(depth + 1))).collect();
                format!("{{{}}}", members.join(","))
            }
            3 if self.below(12) == 0 => {
                let depth = [100, 150, 190, 199, 250, 301][self.below(6)];
                format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
            }
            _ => PLAIN[self.below(PLAIN.len())].to_owned(),
        }
    }
}

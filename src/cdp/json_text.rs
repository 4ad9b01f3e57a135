//! Strings and numbers in JSON's spelling.

use std::{borrow::Cow, fmt::Write as _};

use super::ids::CallId;

/// Appends `content` as a JSON string.
pub(super) fn push_quoted(text: &mut String, content: &str) {
    text.push('"');
    let mut from = 0;
    for (at, byte) in content.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        text.push_str(&content[from..at]);
        text.push_str(escape);
        if escape.is_empty() {
            let _ = write!(text, "\\u{byte:04x}");
        }
        from = at + 1;
    }
    text.push_str(&content[from..]);
    text.push('"');
}

/// Decodes a JSON string with its quotes, as [`unescape`] does; `None` if it is not a valid one.
pub fn string(json: &str) -> Option<Cow<'_, str>> {
    Some(unescape(json.strip_prefix('"')?.strip_suffix('"')?))
}

/// Decodes the content of a JSON string, without its quotes. A lone surrogate, which Chrome writes
/// and accepts, becomes U+FFFD.
pub fn unescape(raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else { return Cow::Borrowed(raw) };
    let mut content = String::with_capacity(raw.len());
    content.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        content.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(escape) = rest.chars().next() else { break };
        rest = &rest[escape.len_utf8()..];
        content.push(match escape {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => match unit(rest) {
                Some(high @ 0xd800..0xdc00) => {
                    rest = &rest[4..];
                    let low = rest.strip_prefix("\\u").and_then(unit).filter(|low| (0xdc00..0xe000).contains(low));
                    low.map_or(char::REPLACEMENT_CHARACTER, |low| {
                        rest = &rest[6..];
                        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                            .unwrap_or(char::REPLACEMENT_CHARACTER)
                    })
                }
                Some(unit) => {
                    rest = &rest[4..];
                    char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                None => char::REPLACEMENT_CHARACTER,
            },
            other => other,
        });
    }
    content.push_str(rest);
    Cow::Owned(content)
}

/// The four hex digits at the start of an escape.
fn unit(text: &str) -> Option<u32> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

/// A number that Chrome accepts as an int32: by its value, so `7.0` and `70e-1` are 7.
pub(super) fn int32(number: &str) -> Option<CallId> {
    if let Ok(id) = number.parse() {
        return Some(CallId(id));
    }
    // Rust's parser accepts `inf` and `NaN`, JSON does not.
    let value: f64 = number.bytes().any(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())??;
    let exact = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value) && value.fract() == 0.0;
    #[expect(clippy::cast_possible_truncation, reason = "in range and whole")]
    exact.then_some(CallId(value as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_lone_surrogates_replaced() {
        for (raw, content) in [
            ("plain é", "plain é"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u0041\u00e9\u2028\u0000", "Aé\u{2028}\0"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d", "\u{fffd}"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\u12", "\u{fffd}12"),
            (r"x\", "x"),
        ] {
            assert_eq!(unescape(raw), content, "{raw}");
        }
        assert_eq!(string(r#""a\nb""#).as_deref(), Some("a\nb"));
        assert_eq!((string("5"), string("\"")), (None, None));
    }
}

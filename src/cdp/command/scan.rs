//! Reads a client's frame completely before any of it is sent to Chrome.
//!
//! One pass finds the members of the top-level object and everything that Chrome would refuse when
//! it converts JSON to CBOR, with Chrome's text and position. The meaning of a member is not its
//! concern: that is [`command`](crate::cdp::command), whose tests compare it with `serde_json`.

use std::{borrow::Cow, ops::Range};

use crate::cdp::{json_text::unescape, special_byte::next_special};

/// The largest number of open containers. Chrome's limit is 300.
const MAX_DEPTH: usize = 200;

/// Above this number, the keys of `params` are compared by sorting them.
const FEW_KEYS: usize = 16;

/// A member of the top-level object.
#[derive(Clone, Default)]
pub(super) struct Member {
    /// The text between the quotes, with its escapes.
    pub(super) key: Range<usize>,
    /// Without white space around it.
    pub(super) value: Range<usize>,
    /// The position in `params` of the second occurrence of a key.
    pub(super) repeated: Option<usize>,
}

/// The first members of a top-level object, in order. A fifth is always an error, whatever follows.
#[derive(Default)]
pub(super) struct Members {
    first: [Member; 5],
    count: usize,
    /// The position of the first control character in a string. Chrome accepts these; JSON does
    /// not, and a NUL would end the message on the pipe and start another one.
    pub(super) control: Option<usize>,
}

impl Members {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.first[..self.count].iter()
    }
}

/// An error: text that is not JSON, or more than Chrome accepts, and its position.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) what: &'static str,
    pub(super) at: usize,
}

/// Reads all of `text`, which is valid UTF-8 up to `valid`: returns the members of an object,
/// `None` for any other JSON.
pub(super) fn scan(text: &[u8], valid: usize) -> Result<Option<Members>, Fault> {
    let mut scanner = Scanner {
        text,
        valid,
        start: 0,
        at: 0,
        depth: 0,
        objects: [0; MAX_DEPTH.div_ceil(64)],
        control: None,
        has_exponent: false,
    };
    let first = scanner.token();
    let members = if first == Token::ObjectBegin {
        let mut members = Members::default();
        scanner.members(|scanner, key| {
            let token = scanner.token();
            let start = scanner.start;
            let mut repeated = None;
            if token == Token::ObjectBegin && same_key(&text[key.clone()], b"params") {
                let mut keys = Keys::default();
                scanner.members(|scanner, key| {
                    keys.add(text, key);
                    let token = scanner.token();
                    scanner.value(token)
                })?;
                repeated = keys.repeated(text);
            } else {
                scanner.value(token)?;
            }
            if let Some(member) = members.first.get_mut(members.count) {
                *member = Member { key, value: start..scanner.at, repeated };
                members.count += 1;
            }
            Ok(())
        })?;
        Some(members)
    } else {
        scanner.value(first)?;
        None
    };
    match scanner.token() {
        Token::Nothing => Ok(members.map(|members| Members { control: scanner.control, ..members })),
        _ => Err(scanner.fault("unprocessed input remains")),
    }
}

/// Whether the key, as written, means `name`.
fn same_key(raw: &[u8], name: &[u8]) -> bool {
    raw == name || (raw.contains(&b'\\') && decoded(raw).as_bytes() == name)
}

fn decoded(raw: &[u8]) -> Cow<'_, str> {
    // Invalid UTF-8 in a string is an error before its content is read.
    str::from_utf8(raw).map_or(Cow::Borrowed(""), unescape)
}

/// The keys of `params`, to find a duplicate: Chrome uses the last, so a check of the first could
/// be bypassed.
#[derive(Default)]
struct Keys {
    few: [Range<usize>; FEW_KEYS],
    count: usize,
    many: Vec<Range<usize>>,
    /// Whether any of them is written with an escape.
    escaped: bool,
    repeated: Option<usize>,
}

impl Keys {
    fn add(&mut self, text: &[u8], key: Range<usize>) {
        let Some(slot) = self.few.get_mut(self.count) else {
            self.many.push(key);
            return;
        };
        *slot = key.clone();
        let raw = &text[key.clone()];
        self.escaped |= raw.contains(&b'\\');
        let known = self.few[..self.count]
            .iter()
            .map(|other| &text[other.clone()])
            .any(|other| raw == other || (self.escaped && decoded(raw) == decoded(other)));
        self.count += 1;
        if known {
            self.repeated.get_or_insert(key.start);
        }
    }

    fn repeated(self, text: &[u8]) -> Option<usize> {
        if self.repeated.is_some() || self.many.is_empty() {
            return self.repeated;
        }
        let mut keys: Vec<_> =
            self.few.iter().chain(&self.many).map(|key| (decoded(&text[key.clone()]), key.start)).collect();
        keys.sort_unstable();
        keys.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).min()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Colon,
    Comma,
    String,
    /// A string that Chrome's lexer accepts and its decoder does not.
    BadString,
    Number,
    Word,
    Nothing,
    Invalid,
}

/// Chrome's JSON parser (`crdtp/json.cc`) as a loop, with its tokens and its order of checks, so
/// that errors have its texts and positions. Stricter than Chrome in two points: no `\v` escape, no
/// vertical tab as white space.
struct Scanner<'a> {
    text: &'a [u8],
    valid: usize,
    /// The start and the end of the last token.
    start: usize,
    at: usize,
    /// The number of open containers, and which of them are objects.
    depth: usize,
    objects: [u64; MAX_DEPTH.div_ceil(64)],
    control: Option<usize>,
    /// Whether the last token, if it is a number, has an exponent.
    has_exponent: bool,
}

impl Scanner<'_> {
    fn fault(&self, what: &'static str) -> Fault {
        Fault { what, at: self.start }
    }

    /// Reads an object whose brace is the last token; calls `each` to read the value after each
    /// key.
    fn members(&mut self, mut each: impl FnMut(&mut Self, Range<usize>) -> Result<(), Fault>) -> Result<(), Fault> {
        self.open(true)?;
        let mut token = self.token();
        while token != Token::ObjectEnd {
            let key = self.key(token)?;
            each(self, key)?;
            token = self.token();
            if token == Token::Comma {
                token = self.token();
                if token == Token::ObjectEnd {
                    return Err(self.fault("unexpected map end"));
                }
            } else if token != Token::ObjectEnd {
                return Err(self.fault("comma or map end expected"));
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads the value that begins with `token`, to any depth, without recursion.
    fn value(&mut self, mut token: Token) -> Result<(), Fault> {
        let floor = self.depth;
        loop {
            match token {
                Token::String | Token::Word => {}
                Token::Number if self.finite() => {}
                Token::Number => return Err(self.fault("invalid number")),
                Token::ArrayBegin => {
                    self.open(false)?;
                    token = self.token();
                    if token != Token::ArrayEnd {
                        continue;
                    }
                    self.depth -= 1;
                }
                Token::ObjectBegin => {
                    self.open(true)?;
                    token = self.token();
                    if token != Token::ObjectEnd {
                        self.key(token)?;
                        token = self.token();
                        continue;
                    }
                    self.depth -= 1;
                }
                Token::BadString => return Err(self.fault("invalid string")),
                Token::Nothing => return Err(self.fault("no input")),
                Token::Invalid => return Err(self.fault("invalid token")),
                _ => return Err(self.fault("value expected")),
            }
            loop {
                if self.depth == floor {
                    return Ok(());
                }
                match (self.token(), self.in_object()) {
                    (Token::ObjectEnd, true) | (Token::ArrayEnd, false) => self.depth -= 1,
                    (Token::Comma, true) => {
                        token = self.token();
                        if token == Token::ObjectEnd {
                            return Err(self.fault("unexpected map end"));
                        }
                        self.key(token)?;
                        token = self.token();
                        break;
                    }
                    (Token::Comma, false) => {
                        token = self.token();
                        if token == Token::ArrayEnd {
                            return Err(self.fault("unexpected array end"));
                        }
                        break;
                    }
                    (_, true) => return Err(self.fault("comma or map end expected")),
                    (_, false) => return Err(self.fault("comma or array end expected")),
                }
            }
        }
    }

    /// Uses the last token as a key, reads the colon after it, and returns the position of the
    /// key's content.
    fn key(&mut self, token: Token) -> Result<Range<usize>, Fault> {
        match token {
            Token::String => {}
            Token::BadString => return Err(self.fault("invalid string")),
            _ => return Err(self.fault("string literal expected")),
        }
        let key = self.start + 1..self.at - 1;
        if self.token() != Token::Colon {
            return Err(self.fault("colon expected"));
        }
        Ok(key)
    }

    fn open(&mut self, object: bool) -> Result<(), Fault> {
        if self.depth + 1 >= MAX_DEPTH {
            return Err(self.fault("stack limit exceeded"));
        }
        self.depth += 1;
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        if object {
            self.objects[word] |= bit;
        } else {
            self.objects[word] &= !bit;
        }
        Ok(())
    }

    fn in_object(&self) -> bool {
        self.objects[self.depth / 64] & (1 << (self.depth % 64)) != 0
    }

    /// Whether the number in the last token fits an f64. Without an exponent only a very long one
    /// does not.
    fn finite(&self) -> bool {
        let digits = &self.text[self.start..self.at];
        if digits.len() <= 300 && !self.has_exponent {
            return true;
        }
        str::from_utf8(digits).ok().and_then(|digits| digits.parse::<f64>().ok()).is_some_and(f64::is_finite)
    }

    #[inline]
    fn token(&mut self) -> Token {
        // Clients rarely write white space; a byte above space is none.
        if self.text.get(self.at).is_some_and(|byte| *byte <= b' ') {
            self.skip_space();
        }
        self.start = self.at;
        let Some(&first) = self.text.get(self.at) else { return Token::Nothing };
        self.at += 1;
        match first {
            b'"' => self.string(),
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => Token::Invalid,
        }
    }

    #[cold]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8]) -> Token {
        if !self.text[self.start..].starts_with(word) {
            return Token::Invalid;
        }
        self.at = self.start + word.len();
        Token::Word
    }

    fn number(&mut self) -> Token {
        self.at = self.start + usize::from(self.text[self.start] == b'-');
        let leading = self.at;
        let digits = self.digits();
        if digits == 0 || (digits > 1 && self.text[leading] == b'0') {
            return Token::Invalid;
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Token::Invalid;
            }
        }
        self.has_exponent = matches!(self.text.get(self.at), Some(b'e' | b'E'));
        if self.has_exponent {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Token::Invalid;
            }
        }
        Token::Number
    }

    fn digits(&mut self) -> usize {
        let count = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn string(&mut self) -> Token {
        let mut token = Token::String;
        while let Some(at) = next_special::<false>(self.text, self.at) {
            self.at = at + 1;
            match self.text[at] {
                b'"' => return if self.at > self.valid { Token::BadString } else { token },
                b'\\' => {}
                _ => {
                    self.control.get_or_insert(at);
                    continue;
                }
            }
            let hex = match self.text.get(self.at) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
                Some(b'u') => 4,
                // Chrome's lexer accepts `\x41`, its decoder does not.
                Some(b'x') => {
                    token = Token::BadString;
                    2
                }
                _ => return Token::Invalid,
            };
            let digits = self.at + 1..self.at + 1 + hex;
            self.at = digits.end;
            if !self.text.get(digits).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                return Token::Invalid;
            }
        }
        Token::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_control_character_is_found_at_any_position() {
        for length in 0..40 {
            for at in 0..length {
                let mut content = vec![b'x'; length];
                content[at] = 0;
                let text = [br#"{"a":""#, &content[..], br#""}"#].concat();
                let members = scan(&text, text.len()).ok().flatten().expect("an object");
                assert_eq!(members.control, Some(6 + at));
            }
        }
    }
}

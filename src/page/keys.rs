//! The keys of a keyboard with the US layout, as `Input.dispatchKeyEvent` wants them.

use crate::api_types::{Bad, Modifier};

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The value of `KeyboardEvent.key`.
    pub(super) value: String,
    /// The value of `KeyboardEvent.code`.
    pub(super) code: String,
    /// The virtual key code of Windows.
    pub(super) number: u32,
    /// What it types.
    pub(super) text: Option<String>,
}

/// Keys that have a name: `key`, `code`, number, text.
const NAMED: [(&str, &str, u32, &str); 33] = [
    ("Enter", "Enter", 13, "\r"),
    ("Tab", "Tab", 9, ""),
    ("Backspace", "Backspace", 8, ""),
    ("Delete", "Delete", 46, ""),
    ("Escape", "Escape", 27, ""),
    ("ArrowLeft", "ArrowLeft", 37, ""),
    ("ArrowUp", "ArrowUp", 38, ""),
    ("ArrowRight", "ArrowRight", 39, ""),
    ("ArrowDown", "ArrowDown", 40, ""),
    ("Home", "Home", 36, ""),
    ("End", "End", 35, ""),
    ("PageUp", "PageUp", 33, ""),
    ("PageDown", "PageDown", 34, ""),
    ("Insert", "Insert", 45, ""),
    ("CapsLock", "CapsLock", 20, ""),
    ("ContextMenu", "ContextMenu", 93, ""),
    (" ", "Space", 32, " "),
    ("Alt", "AltLeft", 18, ""),
    ("Control", "ControlLeft", 17, ""),
    ("Meta", "MetaLeft", 91, ""),
    ("Shift", "ShiftLeft", 16, ""),
    ("F1", "F1", 112, ""),
    ("F2", "F2", 113, ""),
    ("F3", "F3", 114, ""),
    ("F4", "F4", 115, ""),
    ("F5", "F5", 116, ""),
    ("F6", "F6", 117, ""),
    ("F7", "F7", 118, ""),
    ("F8", "F8", 119, ""),
    ("F9", "F9", 120, ""),
    ("F10", "F10", 121, ""),
    ("F11", "F11", 122, ""),
    ("F12", "F12", 123, ""),
];

/// The other keys: without and with Shift, `code`, number.
const SIGNS: [(char, char, &str, u32); 21] = [
    ('0', ')', "Digit0", 48),
    ('1', '!', "Digit1", 49),
    ('2', '@', "Digit2", 50),
    ('3', '#', "Digit3", 51),
    ('4', '$', "Digit4", 52),
    ('5', '%', "Digit5", 53),
    ('6', '^', "Digit6", 54),
    ('7', '&', "Digit7", 55),
    ('8', '*', "Digit8", 56),
    ('9', '(', "Digit9", 57),
    (';', ':', "Semicolon", 186),
    ('=', '+', "Equal", 187),
    (',', '<', "Comma", 188),
    ('-', '_', "Minus", 189),
    ('.', '>', "Period", 190),
    ('/', '?', "Slash", 191),
    ('`', '~', "Backquote", 192),
    ('[', '{', "BracketLeft", 219),
    ('\\', '|', "Backslash", 220),
    (']', '}', "BracketRight", 221),
    ('\'', '"', "Quote", 222),
];

impl Key {
    /// The key that types a character; `None` if the layout has none.
    pub(super) fn of_char(sign: char) -> Option<Self> {
        if sign == '\n' || sign == '\r' {
            return Self::named("Enter");
        }
        if sign == ' ' {
            return Self::named(" ");
        }
        let key = |code: String, number| Self { value: sign.into(), code, number, text: Some(sign.into()) };
        if sign.is_ascii_alphabetic() {
            let upper = sign.to_ascii_uppercase();
            return Some(key(format!("Key{upper}"), upper.into()));
        }
        let (_, _, code, number) = SIGNS.into_iter().find(|(plain, shifted, ..)| [*plain, *shifted].contains(&sign))?;
        Some(key(code.to_owned(), number))
    }

    /// The key of this `key` or `code`.
    pub(super) fn named(name: &str) -> Option<Self> {
        if let Some((key, code, number, text)) = NAMED.into_iter().find(|(key, code, ..)| [*key, *code].contains(&name))
        {
            let text = (!text.is_empty()).then(|| text.to_owned());
            return Some(Self { value: key.to_owned(), code: code.to_owned(), number, text });
        }
        if let Some(letter) = name.strip_prefix("Key").filter(|letter| letter.len() == 1) {
            return Self::of_char(letter.chars().next()?.to_ascii_lowercase());
        }
        if let Some((plain, ..)) = SIGNS.into_iter().find(|(_, _, code, _)| *code == name) {
            return Self::of_char(plain);
        }
        let mut signs = name.chars();
        let (Some(sign), None) = (signs.next(), signs.next()) else { return None };
        Self::of_char(sign)
    }

    /// The same key with Shift.
    fn shifted(self) -> Self {
        let mut signs = self.value.chars();
        let (Some(sign), None) = (signs.next(), signs.next()) else { return self };
        let with_shift = SIGNS.into_iter().find(|(plain, ..)| *plain == sign).map(|(_, shifted, ..)| shifted);
        Self::of_char(with_shift.unwrap_or(sign.to_ascii_uppercase())).unwrap_or(self)
    }
}

/// The bit of a modifier in the events of CDP.
pub(super) fn bit(modifier: Modifier) -> u32 {
    match modifier {
        Modifier::Alt => 1,
        Modifier::Control => 2,
        Modifier::Meta => 4,
        Modifier::Shift => 8,
    }
}

/// The bits of these modifiers.
pub(super) fn bits(modifiers: &[Modifier]) -> u32 {
    modifiers.iter().fold(0, |all, modifier| all | bit(*modifier))
}

/// Reads a combination of keys, such as `Control+Shift+A`: the modifiers and the key.
pub(super) fn combination(text: &str) -> Result<(Vec<Modifier>, Key), Bad> {
    let bad = |name: &str| {
        let name: String = name.chars().take(40).collect();
        Bad::new(
            "key",
            format!("{name:?} is no key; one is a value of KeyboardEvent.key or .code, such as Enter, a, KeyA"),
        )
    };
    // The key itself may be "+".
    let (held, last) = match text.strip_suffix("++") {
        Some(held) => (Some(held), "+"),
        None if text == "+" => (None, "+"),
        None => text.rsplit_once('+').map_or((None, text), |(held, last)| (Some(held), last)),
    };
    let mut modifiers = Vec::new();
    for name in held.into_iter().flat_map(|held| held.split('+')) {
        modifiers.push(match name {
            "Alt" => Modifier::Alt,
            "Control" | "ControlOrMeta" => Modifier::Control,
            "Meta" => Modifier::Meta,
            "Shift" => Modifier::Shift,
            other => return Err(bad(other)),
        });
    }
    let mut key = Key::named(last).ok_or_else(|| bad(last))?;
    if modifiers.contains(&Modifier::Shift) {
        key = key.shifted();
    }
    if modifiers.iter().any(|modifier| *modifier != Modifier::Shift) {
        key.text = None;
    }
    Ok((modifiers, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_read_as_playwright_does() {
        let read = |text: &str| {
            let (held, key) = combination(text).expect(text);
            (held, key.value, key.code, key.number, key.text)
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(read("a"), (vec![], "a".into(), "KeyA".into(), 65, text("a")));
        assert_eq!(read("Enter"), (vec![], "Enter".into(), "Enter".into(), 13, text("\r")));
        assert_eq!(read("Shift+a"), (vec![Modifier::Shift], "A".into(), "KeyA".into(), 65, text("A")));
        assert_eq!(read("Shift+Digit1"), (vec![Modifier::Shift], "!".into(), "Digit1".into(), 49, text("!")));
        assert_eq!(read("Control+A"), (vec![Modifier::Control], "A".into(), "KeyA".into(), 65, None));
        assert_eq!(read("+"), (vec![], "+".into(), "Equal".into(), 187, text("+")));
        assert_eq!(read("Control++").0, vec![Modifier::Control]);
        assert_eq!(read("Space"), (vec![], " ".into(), "Space".into(), 32, text(" ")));
        for wrong in ["", "Entr", "Ctrl+a", "ä", "a+b"] {
            assert!(combination(wrong).is_err(), "{wrong}");
        }
    }
}

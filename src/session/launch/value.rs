//! The values that a flag may have. PURE: nothing here reads a path.

use crate::api_types::Capability;

/// Longest user agent, in bytes.
const USER_AGENT: usize = 512;
/// Most languages.
const LANGUAGES: usize = 10;
/// Longest side of a window that a flag can ask for.
const SIDE: u32 = 8192;

/// The rule for the value of a flag.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// It is not looked at, because the flag has no effect.
    Ignored,
    /// None, or `true`.
    Nothing,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `WIDTH,HEIGHT` in pixels.
    Size,
    /// A factor from 0.25 to 5.
    Scale,
    /// One language, or several separated by commas.
    Languages,
    /// Printable ASCII.
    UserAgent,
    /// Web origins, separated by commas.
    Origins,
    /// Names from a list, separated by commas.
    Names(&'static [Name]),
    /// Flags of V8 from a list, separated by commas or spaces.
    JsFlags,
    /// Directories below `extensions_dir`, separated by commas.
    Extensions,
}

/// A name that may be in a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) text: &'static str,
    /// Whether it changes something here; otherwise it is left out.
    pub(super) acts: bool,
    pub(super) needs: Option<Capability>,
}

/// A value that passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// The value for Chrome; `None` is none.
    pub(super) value: Option<String>,
    /// Whether it changes something: of a list with only names without effect nothing is left.
    pub(super) acts: bool,
    /// What its names need.
    pub(super) needs: Option<Capability>,
}

/// V8's flags that are passed on, in the spelling with hyphens; V8 takes underscores for hyphens.
const JS_SWITCHES: [&str; 2] = ["--expose-gc", "--jitless"];
/// Those with a size in MiB, from 16 to 16384.
const JS_SIZES: [&str; 3] = ["--max-old-space-size", "--max-semi-space-size", "--initial-old-space-size"];

impl Value {
    /// The rule, for errors and documents.
    pub(super) fn rule(self) -> String {
        match self {
            Self::Ignored => "any value".to_owned(),
            Self::Nothing => "no value".to_owned(),
            Self::Word(words) => {
                let shown = |word: &&str| if word.is_empty() { "no value".to_owned() } else { format!("`{word}`") };
                words.iter().map(shown).collect::<Vec<_>>().join(", ")
            }
            Self::Size => format!("`WIDTH,HEIGHT`, each from 1 to {SIDE}"),
            Self::Scale => "a number from 0.25 to 5".to_owned(),
            Self::Languages => format!("up to {LANGUAGES} languages such as `de` or `de-CH`, with commas between"),
            Self::UserAgent => format!("up to {USER_AGENT} printable ASCII characters"),
            Self::Origins => "origins such as `http://10.0.0.5:8080`, with commas between".to_owned(),
            Self::Names(names) => {
                let all: Vec<_> = names.iter().map(|name| format!("`{}`", name.text)).collect();
                format!("with commas between: {}", all.join(", "))
            }
            Self::JsFlags => {
                let switches = JS_SWITCHES.iter().map(|flag| format!("`{flag}`"));
                let sizes = JS_SIZES.iter().map(|flag| format!("`{flag}=MIB`"));
                switches.chain(sizes).collect::<Vec<_>>().join(", ")
            }
            Self::Extensions => "directories below `--extensions-dir`, with commas between".to_owned(),
        }
    }

    /// Checks a value. An error is what it is not.
    pub(super) fn check(self, value: Option<&str>) -> Result<Passed, String> {
        let passed = |value: Option<String>| Ok(Passed { value, acts: true, needs: None });
        let given = value.filter(|value| !value.is_empty());
        let whole = |is_good: bool| if is_good { passed(given.map(str::to_owned)) } else { Err(String::new()) };
        match self {
            Self::Ignored => Ok(Passed::default()),
            Self::Nothing => match value {
                None | Some("" | "true" | "1") => passed(None),
                Some(_) => Err("Chrome takes it as set whatever its value is; write it without one".to_owned()),
            },
            Self::Word(words) => whole(words.contains(&value.unwrap_or_default())),
            Self::Size => whole(size(value).is_some()),
            Self::Scale => whole(scale(value).is_some()),
            Self::Languages => whole(given.is_some_and(are_languages)),
            Self::UserAgent => {
                whole(given.is_some_and(|text| {
                    text.len() <= USER_AGENT && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
                }))
            }
            Self::Origins => whole(given.is_some_and(|text| text.split(',').all(is_origin))),
            Self::Names(names) => among(names, value.unwrap_or_default()),
            Self::JsFlags => whole(given.is_some_and(are_js_flags)),
            Self::Extensions => whole(given.is_some_and(|text| text.split(',').all(|path| !path.is_empty()))),
        }
    }
}

/// The size of a window.
pub(super) fn size(value: Option<&str>) -> Option<(u32, u32)> {
    let (width, height) = value?.split_once(',')?;
    // `parse` would take a sign.
    let side = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|side| digits && (1..=SIDE).contains(side))
    };
    Some((side(width)?, side(height)?))
}

/// A device pixel ratio.
pub(super) fn scale(value: Option<&str>) -> Option<f64> {
    let text = value.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))?;
    text.parse().ok().filter(|scale| (0.25..=5.0).contains(scale))
}

fn are_languages(text: &str) -> bool {
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_one = |language: &str| {
        let mut parts = language.split('-');
        parts.next().is_some_and(|first| is_part(first) && first.len() >= 2) && parts.all(is_part)
    };
    text.split(',').count() <= LANGUAGES && text.split(',').all(is_one)
}

/// Whether it is `http` or `https`, a host and perhaps a port, in characters that need no decoding.
fn is_origin(text: &str) -> bool {
    let authority = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    authority.is_some_and(|authority| !authority.is_empty() && authority.bytes().all(is_plain))
}

/// Chrome reads `Name<Study:key/value` and `*Name` too: only the bare names of the list pass.
fn among(names: &[Name], text: &str) -> Result<Passed, String> {
    let mut passed = Passed::default();
    let mut kept = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let name = names.iter().find(|name| name.text == word);
        let name = name.ok_or_else(|| format!("{word:?} is not in its list"))?;
        passed.needs = passed.needs.or(name.needs);
        if name.acts {
            kept.push(name.text);
        }
    }
    passed.acts = !kept.is_empty();
    passed.value = Some(kept.join(",")).filter(|_| passed.acts);
    Ok(passed)
}

fn are_js_flags(text: &str) -> bool {
    let is_known = |flag: &str| {
        let flag = flag.replace('_', "-");
        let (name, value) = flag.split_once('=').map_or((flag.as_str(), None), |(name, value)| (name, Some(value)));
        let mib = |value: &str| {
            value.bytes().all(|byte| byte.is_ascii_digit())
                && value.parse::<u32>().is_ok_and(|mib| (16..=16_384).contains(&mib))
        };
        match value {
            None => JS_SWITCHES.contains(&name),
            Some(value) => JS_SIZES.contains(&name) && mib(value),
        }
    };
    text.split([' ', ',']).filter(|flag| !flag.is_empty()).all(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_follow_the_rule_pass() {
        for (rule, good, bad) in [
            (Value::Nothing, vec!["", "true", "1"], vec!["false", "0", "x"]),
            (Value::Word(&["", "new"]), vec!["", "new"], vec!["old", "New", "new "]),
            (
                Value::Size,
                vec!["800,600", "1,8192"],
                vec!["", "800", "800,", "0,1", "+8,6", "800x600", "9000,1", "1,2,3"],
            ),
            (Value::Scale, vec!["1", "1.5", "0.25"], vec!["", "0", "inf", "1e1", "-1", "6"]),
            (Value::Languages, vec!["de", "de-CH,de,en"], vec!["", "d", "de,", "de;q=0.5", "de_DE", "d\u{e9}"]),
            (Value::UserAgent, vec!["a b/1.0 (x; \"y\")"], vec!["", "a\r\nB: c", "\u{e4}", "a\tb"]),
            (
                Value::Origins,
                vec!["http://10.0.0.5:8080,https://a.example"],
                vec!["", "http://", "file:///etc", "http://a/b", "*", "http://a,", "http://a@b"],
            ),
            (
                Value::JsFlags,
                vec!["--expose-gc", "--expose_gc,--max-old-space-size=512", "--max_old_space_size=64 --jitless"],
                vec![
                    "",
                    "--allow-natives-syntax",
                    "-expose-gc",
                    "--expose-gc=1",
                    "--max-old-space-size=+64",
                    "expose-gc",
                ],
            ),
            (Value::Extensions, vec!["/a", "a,b"], vec!["", "a,", ","]),
        ] {
            for value in good {
                let given = Some(value).filter(|value| !value.is_empty());
                assert!(rule.check(given).is_ok_and(|passed| passed.acts), "{rule:?} {value:?}");
            }
            for value in bad {
                assert!(rule.check(Some(value)).is_err(), "{rule:?} {value:?}");
            }
        }
        assert!(Value::Size.check(None).is_err(), "a value is needed");
    }

    #[test]
    fn names_without_effect_are_left_out_of_a_list() {
        const LIST: Value = Value::Names(&[
            Name { text: "Acts", acts: true, needs: None },
            Name { text: "Weak", acts: true, needs: Some(Capability::LaunchArgs) },
            Name { text: "Idle", acts: false, needs: None },
        ]);
        let passed = |text| LIST.check(Some(text)).expect("all are known");
        assert_eq!(passed("Idle"), Passed::default());
        assert_eq!(passed("Idle, Acts").value.as_deref(), Some("Acts"));
        assert_eq!(passed("Acts,Weak").needs, Some(Capability::LaunchArgs));
        for bad in ["Other", "Acts<Study", "*Acts", "acts", "Acts:key/value", "Acts Idle"] {
            assert!(LIST.check(Some(bad)).is_err_and(|why| why.contains("list")), "{bad}");
        }
    }
}

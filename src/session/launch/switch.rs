//! One flag as Chrome reads it. PURE.
//!
//! Chrome on Linux removes white space at both ends of an argument, takes one that begins with `--` or `-` as a flag, divides
//! it at the first `=`, and compares names with their case. `--` ends the flags. What is no flag is a URL that it opens.

/// A flag with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Switch<'a> {
    /// Without the dashes.
    pub(super) name: &'a str,
    /// What follows the first `=`; `None` without one.
    pub(super) value: Option<&'a str>,
}

/// What Chrome makes of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Argument<'a> {
    Switch(Switch<'a>),
    /// `--`: what follows are no flags.
    End,
    /// A URL, or nothing at all.
    Other(&'a str),
}

impl<'a> Argument<'a> {
    /// Reads an argument.
    pub(super) fn read(text: &'a str) -> Self {
        // Chrome's white space is that of ASCII, with the vertical tab.
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
        if text == "--" {
            return Self::End;
        }
        match text.strip_prefix("--").or_else(|| text.strip_prefix('-')) {
            None | Some("") => Self::Other(text),
            Some(flag) => Self::Switch(match flag.split_once('=') {
                Some((name, value)) => Switch { name, value: Some(value) },
                None => Switch { name: flag, value: None },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_chrome_reads_them() {
        let flag = |name, value| Argument::Switch(Switch { name, value });
        for (text, read) in [
            ("--lang=de", flag("lang", Some("de"))),
            ("-lang=de", flag("lang", Some("de"))),
            (" \t--lang=de \n", flag("lang", Some("de"))),
            ("--lang", flag("lang", None)),
            ("--lang=", flag("lang", Some(""))),
            ("--lang==", flag("lang", Some("="))),
            ("--LANG=de", flag("LANG", Some("de"))),
            ("---lang=de", flag("-lang", Some("de"))),
            ("--user-agent=\"a b\"", flag("user-agent", Some("\"a b\""))),
            ("--", Argument::End),
            (" -- ", Argument::End),
            ("-", Argument::Other("-")),
            ("", Argument::Other("")),
            ("about:blank", Argument::Other("about:blank")),
            ("\u{2013}\u{2013}lang", Argument::Other("\u{2013}\u{2013}lang")),
        ] {
            assert_eq!(Argument::read(text), read, "{text:?}");
        }
    }
}

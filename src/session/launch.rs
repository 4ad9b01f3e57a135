//! Launch options of a client: what they mean, and in which browser they can be honoured. PURE: directories of extensions are
//! looked at by the manager.
//!
//! `switch` reads a flag as Chrome does, `flags` is the table of those that may be given, `value` has the rules for their
//! values, `options` the other options of the client libraries, `place` sorts all of them for a shared or a dedicated browser.

mod flags;
mod options;
mod place;
mod switch;
mod value;

pub use self::{
    options::{LaunchLimits, Wanted},
    place::{LaunchFlag, Rights, Setup, Unplaced},
};

/// The tables in the form of `docs/launch-options.md`.
#[cfg(test)]
fn tables() -> String {
    use std::fmt::Write as _;

    use self::flags::{FLAGS, Sort};

    let mut text = String::new();
    for (sort, title) in [
        (Sort::Emulated, "Emulated in a shared browser"),
        (Sort::OwnBrowser, "Only in a dedicated browser"),
        (Sort::Proxy, "The proxy of the session"),
        (Sort::NoEffect, "Accepted without effect"),
        (Sort::Refused, "Refused"),
    ] {
        let is_plain = matches!(sort, Sort::NoEffect | Sort::Proxy | Sort::Refused);
        let _ = writeln!(text, "### {title}\n");
        text += if is_plain { "| flag | why |\n|---|---|\n" } else { "| flag | value | why |\n|---|---|---|\n" };
        for flag in FLAGS.iter().filter(|flag| flag.sort == sort) {
            let needs = flag.needs.map(|needs| format!("; needs the capability `{needs}`")).unwrap_or_default();
            let rule = if is_plain { String::new() } else { format!(" {} |", flag.value.rule()) };
            let _ = writeln!(text, "| `{}` |{rule} {}{needs} |", flag.name, flag.why);
        }
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_tables_are_those_in_force() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/launch-options.md");
        let page = include_str!("../../docs/launch-options.md");
        assert!(page.contains(tables().trim_end()), "{path} must contain these tables:\n{}", tables());
    }
}

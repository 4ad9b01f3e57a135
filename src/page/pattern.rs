//! Patterns of URLs, in which `**` stands for any characters, and `*` for any except `/`. PURE.

/// Whether a URL has the form of a pattern, in which `**` stands for any characters, and `*` for any except `/`.
pub(super) fn matches(pattern: &str, url: &str) -> bool {
    let (pattern, url) = (pattern.as_bytes(), url.as_bytes());
    // The places of the pattern that the part of the URL so far has reached: time grows with both lengths.
    let mut reached = vec![false; pattern.len() + 1];
    let skip = |reached: &mut Vec<bool>| {
        for at in 0..pattern.len() {
            if reached[at] && pattern[at] == b'*' {
                let width = if pattern.get(at + 1) == Some(&b'*') { 2 } else { 1 };
                reached[at + width] = true;
            }
        }
    };
    reached[0] = true;
    skip(&mut reached);
    for byte in url {
        let mut next = vec![false; pattern.len() + 1];
        for at in 0..pattern.len() {
            if !reached[at] {
                continue;
            }
            match (pattern[at], pattern.get(at + 1)) {
                (b'*', Some(b'*')) => next[at] = true,
                (b'*', _) if *byte != b'/' => next[at] = true,
                (b'*', _) => {}
                (wanted, _) if wanted == *byte => next[at + 1] = true,
                _ => {}
            }
        }
        skip(&mut next);
        reached = next;
    }
    reached[pattern.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_globs() {
        for (pattern, url) in [
            ("https://a/", "https://a/"),
            ("https://a/*", "https://a/b"),
            ("**/b", "https://a/x/b"),
            ("**", ""),
            ("https://*/b?c=**", "https://a/b?c=d/e"),
            ("*", "abc"),
        ] {
            assert!(matches(pattern, url), "{pattern} {url}");
        }
        for (pattern, url) in [("https://a/*", "https://a/b/c"), ("https://a", "https://a/"), ("", "a"), ("*b", "a/b")]
        {
            assert!(!matches(pattern, url), "{pattern} {url}");
        }
        // A pattern that is slow for who tries all ways.
        assert!(!matches(&"**a".repeat(200), &"a".repeat(199)));
    }
}

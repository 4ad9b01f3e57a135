//! A block list blocks what its lines name, and nothing else.

use url::{Host, Url};

use crate::api_types::BlockList;

/// Longest reason of an error, in bytes: it quotes a part of a line.
const LONGEST_REASON: usize = 1024;

pub(super) fn fixtures() -> Vec<Vec<u8>> {
    let lists = [
        "",
        "# nothing\n",
        "\u{feff}ads.example # one\r\n*.below.example\n||filter.example^\n",
        "127.0.0.1 localhost localhost.localdomain\n::1 ip6-localhost\n0.0.0.0 0.0.0.0\n0.0.0.0\ttrack.example other.example\n",
        "M\u{fc}nchen.example.\n192.0.2.7\n2001:db8::7\n",
        "a.example\nhttps://b.example/\n",
        "||a.example^$third-party\n",
        "*.\n..\n*ads*.example\n",
        "0x7f.1\n*.017700000001\n||[::1]^\n",
        "xn--mnchen-3ya.example\n_dmarc.ads.example\n",
    ];
    lists.iter().map(|list| list.as_bytes().to_vec()).collect()
}

pub(super) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let list = match BlockList::read(&text) {
        Ok(list) => list,
        Err((line, why)) => {
            assert!((1..=text.lines().count()).contains(&line), "line {line} of {text:?}");
            assert!(!why.is_empty() && why.len() <= LONGEST_REASON, "{} bytes: {why}", why.len());
            return;
        }
    };
    let words = text.split_whitespace().count();
    assert!(list.len() <= words, "{} entries of {words} words", list.len());
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = line.split('#').next().unwrap_or_default();
        if let [entry] = line.split_ascii_whitespace().collect::<Vec<_>>()[..] {
            blocks(&list, entry);
        }
    }
    // Other letters can stand for these: `ﬁ` is `fi` in a name.
    if text.is_ascii() && !text.to_ascii_lowercase().contains("invalid") {
        for url in ["http://elsewhere.invalid/", "http://invalid/", "data:text/html,x", "about:blank"] {
            assert!(!list.has(url), "{url} is blocked by {text:?}");
        }
    }
    let _ = list.has(&text);
}

/// An entry with a name alone blocks it, or what is below it.
fn blocks(list: &BlockList, entry: &str) {
    let (name, has_itself) = match (entry.strip_prefix("*."), entry.strip_prefix("||")) {
        (Some(name), _) => (name, false),
        (None, Some(name)) => (name.strip_suffix('^').unwrap_or(name), true),
        (None, None) => (entry, true),
    };
    let bracketed = if name.contains(':') && !name.starts_with('[') { format!("[{name}]") } else { name.to_owned() };
    let Ok(url) = Url::parse(&format!("http://{bracketed}/")) else { return };
    assert!(!has_itself || list.has(url.as_str()), "{entry:?} does not block {url}");
    if let Some(Host::Domain(name)) = url.host() {
        let below = format!("https://x.y.{name}/path");
        assert!(Url::parse(&below).is_err() || list.has(&below), "{entry:?} does not block {below}");
    }
}

//! A list of hosts whose requests are blocked, as advertisers are. PURE: `config/block_list.rs` reads the file.

use std::{collections::HashMap, fmt, sync::Arc};

use url::{Host, Url};

/// Longest line that is read, in bytes. A name has at most 253.
const LONGEST_LINE: usize = 4096;
/// What hosts files call the machine itself.
const OF_THIS_MACHINE: [&str; 2] = ["localhost.localdomain", "local.localdomain"];

/// Hosts whose requests are blocked; cheap to clone. A look-up takes one step for each label of a host.
#[derive(Clone, Default)]
pub struct BlockList(Arc<HashMap<Box<str>, Covers>>);

/// What an entry is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Covers {
    /// The host of this name.
    itself: bool,
    /// The hosts below it.
    below: bool,
}

impl Covers {
    const ALL: Self = Self { itself: true, below: true };
    const BELOW: Self = Self { itself: false, below: true };
}

impl BlockList {
    /// Reads a list, one entry a line: `NAME` and `||NAME^` are a host and all below it, `*.NAME` those below it, and a line
    /// of a hosts file, `ADDRESS NAME…`, means each of its names. The error has the number of the line, from 1, and says what is
    /// wrong.
    pub fn read(text: &str) -> Result<Self, (usize, String)> {
        let mut hosts: HashMap<Box<str>, Covers> = HashMap::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let mut add = |name: &str, covers: Covers| {
                let name = host(name).map_err(|why| (index + 1, why))?;
                let known = hosts.entry(name).or_default();
                *known = Covers { itself: known.itself || covers.itself, below: known.below || covers.below };
                Ok::<(), (usize, String)>(())
            };
            if line.len() > LONGEST_LINE {
                return Err((index + 1, format!("has {} bytes; a line has at most {LONGEST_LINE}", line.len())));
            }
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            let Some(first) = words.next() else { continue };
            let names: Vec<&str> = words.collect();
            if names.is_empty() {
                let (name, covers) = entry(first);
                add(name, covers)?;
            } else if address(first).is_some() {
                names.into_iter().filter(|name| is_foreign(name)).try_for_each(|name| add(name, Covers::ALL))?;
            } else {
                let why = format!(
                    "{first:?} and more is no entry; write one name, or a line of a hosts file, such as 0.0.0.0 ads.example"
                );
                return Err((index + 1, why));
            }
        }
        Ok(Self(Arc::new(hosts)))
    }

    /// Whether requests for this URL are blocked.
    pub fn has(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        match url.host() {
            Some(Host::Domain(name)) => self.has_name(name.trim_end_matches('.')),
            Some(address) => self.0.get(&*plain(&address)).is_some_and(|covers| covers.itself),
            None => false,
        }
    }

    fn has_name(&self, name: &str) -> bool {
        if self.0.get(name).is_some_and(|covers| covers.itself) {
            return true;
        }
        let mut rest = name;
        while let Some((_, above)) = rest.split_once('.') {
            if self.0.get(above).is_some_and(|covers| covers.below) {
                return true;
            }
            rest = above;
        }
        false
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for BlockList {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for BlockList {}

impl fmt::Debug for BlockList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockList").field("entries", &self.len()).finish()
    }
}

/// The name of an entry, and what the entry covers.
fn entry(text: &str) -> (&str, Covers) {
    if let Some(name) = text.strip_prefix("*.") {
        return (name, Covers::BELOW);
    }
    let inner = text.strip_prefix("||").map(|rest| rest.strip_suffix('^').unwrap_or(rest));
    (inner.unwrap_or(text), Covers::ALL)
}

/// Whether a name of a hosts file is that of another machine: lists begin with the names of the machine itself.
fn is_foreign(name: &str) -> bool {
    name.contains('.') && address(name).is_none() && !OF_THIS_MACHINE.contains(&name)
}

/// An address, as lists have it.
fn address(text: &str) -> Option<Host> {
    let bracketed = if text.contains(':') { format!("[{text}]") } else { text.to_owned() };
    Host::parse(&bracketed).ok().filter(|host| !matches!(host, Host::Domain(_)))
}

/// A host as URLs of Chrome have it.
fn host(text: &str) -> Result<Box<str>, String> {
    let wrong = || {
        format!(
            "{:?} is no name of a host; write ads.example, *.ads.example, ||ads.example^ or 0.0.0.0 ads.example",
            text.chars().take(100).collect::<String>()
        )
    };
    let host = match address(text) {
        Some(address) => address,
        None => Host::parse(text).map_err(|_| wrong())?,
    };
    let name = plain(&host);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    match host {
        Host::Domain(_) if !name.split('.').all(is_label) || name.len() > 253 => Err(wrong()),
        _ => Ok(name),
    }
}

/// A host without a dot at its end.
fn plain<S: AsRef<str>>(host: &Host<S>) -> Box<str> {
    match host {
        Host::Domain(name) => name.as_ref().trim_end_matches('.').into(),
        Host::Ipv4(address) => address.to_string().into(),
        Host::Ipv6(address) => address.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn lists_and_hosts_files_block_hosts_and_those_below() {
        let text = "\u{feff}# comment\n\nads.example # one\r\n*.below.example\n||filter.example^\n\
            127.0.0.1 localhost localhost.localdomain\n::1 ip6-localhost\n0.0.0.0 0.0.0.0\n0.0.0.0\ttrack.example other.example\n\
            M\u{fc}nchen.example.\n192.0.2.7\n2001:db8::7\n";
        let list = BlockList::read(text).expect("a list");
        for url in [
            "https://ads.example/x",
            "http://ADS.example.:8080/",
            "wss://a.b.ads.example/",
            "https://x.below.example/",
            "https://x.filter.example/",
            "https://track.example/",
            "https://a.other.example/",
            "https://xn--mnchen-3ya.example/",
            "http://192.0.2.7/",
            "http://[2001:db8:0::7]/",
        ] {
            assert!(list.has(url), "{url}");
        }
        for url in [
            "https://example/",
            "https://below.example/",
            "https://notads.example/",
            "https://ads.example.org/?https://ads.example/",
            "http://localhost/",
            "http://127.0.0.1/",
            "http://0.0.0.0/",
            "data:text/html,ads.example",
            "about:blank",
            "no URL",
            "",
        ] {
            assert!(!list.has(url), "{url}");
        }
        assert_eq!(list.len(), 8);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, word) in [
            ("a.example\nhttps://b.example/\n", 2, "https://b.example/"),
            ("a.example b.example", 1, "a.example"),
            ("\n\n*ads*.example", 3, "*ads*"),
            ("||a.example^$third-party", 1, "third-party"),
            ("a..example", 1, "a..example"),
            ("*.", 1, "\"\""),
        ] {
            let (at, why) = BlockList::read(text).expect_err(text);
            assert!(at == line && why.contains(word), "{text}: {at} {why}");
        }
        assert!(BlockList::read(&"x".repeat(LONGEST_LINE + 1)).is_err_and(|(at, _)| at == 1));
        assert!(BlockList::read("# nothing\n").expect("a list").is_empty());
    }

    #[test]
    fn time_of_a_look_up_does_not_grow_with_the_list() {
        let lines: Vec<_> = (0..200_000).map(|number| format!("host{number}.ads.example")).collect();
        let list = BlockList::read(&lines.join("\n")).expect("a list");
        let deep = format!("https://{}host7.ads.example/", "a.".repeat(100));
        let since = Instant::now();
        for _ in 0..1000 {
            assert!(list.has(&deep) && !list.has("https://www.example.org/"));
        }
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
}

//! Storage keys in Chrome's spelling, and the frames by which they are reached.

/// A storage key that pages of the proxy can reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct StorageKey {
    /// The key in Chrome's spelling.
    pub(super) text: String,
    /// The origin, such as `https://a.test:8443`.
    pub(super) origin: String,
    partition: Partition,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Partition {
    /// A top-level page, or a frame with only frames of its own site above.
    None,
    /// A frame in a page of this other site.
    Top(String),
    /// A frame in a page of its own site, with a frame of another site in between.
    CrossSiteAncestor,
}

/// A host without a site, for the frame of another site in between.
const NOBODY: &str = "ghostmux.invalid";

impl StorageKey {
    /// The key of a top-level page.
    pub(super) fn first_party(origin: &str) -> Self {
        Self { text: format!("{origin}/"), origin: origin.to_owned(), partition: Partition::None }
    }

    /// Parses Chrome's spelling; `Err` says why no page of the proxy can reach the key.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let (origin, partition) =
            text.split_once("/^").map_or((text.strip_suffix('/'), None), |(origin, rest)| (Some(origin), Some(rest)));
        let origin = origin.filter(|origin| is_web(origin)).ok_or("it belongs to no web origin")?;
        let partition = match partition {
            None => Partition::None,
            Some("31") => Partition::CrossSiteAncestor,
            Some(rest) => match rest.strip_prefix('0') {
                Some(top) if is_web(top) => Partition::Top(top.to_owned()),
                _ => return Err("Chrome hides the page it belongs to"),
            },
        };
        Ok(Self { text: text.to_owned(), origin: origin.to_owned(), partition })
    }

    /// The text to remember: the origin, or the whole key if it has a partition.
    pub(super) fn memory(&self) -> &str {
        if self.partition == Partition::None { &self.origin } else { &self.text }
    }

    /// The URLs of nested frames, the page first, of which the innermost has this key.
    pub(super) fn frames(&self) -> Vec<String> {
        let own = format!("{}/", self.origin);
        match &self.partition {
            Partition::None => vec![own],
            Partition::Top(site) => vec![format!("{site}/"), own],
            Partition::CrossSiteAncestor => {
                let scheme = self.origin.split("://").next().unwrap_or("https");
                vec![own.clone(), format!("{scheme}://{NOBODY}/"), own]
            }
        }
    }
}

/// Whether this is the origin or site of a web page.
pub(super) fn is_web(origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    matches!(scheme, "http" | "https") && !host.is_empty() && !host.contains(['/', '?', '#', '@', '^', ' ', '\\'])
}

/// The origin of a URL in Chrome's spelling, if it is a web page's.
pub(super) fn origin_of(url: &str) -> Option<&str> {
    let scheme = url.find("://")?;
    let end = url[scheme + 3..].find(['/', '?', '#']).map_or(url.len(), |end| scheme + 3 + end);
    Some(&url[..end]).filter(|origin| is_web(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_storage_key_is_reachable_by_frames() {
        let frames = |text| StorageKey::read(text).map(|key| key.frames());
        let web = |frames: &[&str]| Ok(frames.iter().map(|&frame| frame.to_owned()).collect());
        assert_eq!(frames("https://a.test:8443/"), web(&["https://a.test:8443/"]));
        assert_eq!(frames("https://a.test/^0https://b.test"), web(&["https://b.test/", "https://a.test/"]));
        assert_eq!(frames("http://a.test/^31"), web(&["http://a.test/", "http://ghostmux.invalid/", "http://a.test/"]));
    }

    #[test]
    fn unreachable_storage_keys_state_the_reason() {
        for text in ["", "file:///", "chrome://settings/", "https://a.test/x", "https://a@b/", "https:///"] {
            assert_eq!(StorageKey::read(text), Err("it belongs to no web origin"), "{text}");
        }
        for text in ["https://a.test/^11^22", "https://a.test/^41^52^63", "https://a.test/^0chrome://x"] {
            assert_eq!(StorageKey::read(text), Err("Chrome hides the page it belongs to"), "{text}");
        }
    }

    #[test]
    fn only_web_urls_have_origins() {
        assert_eq!(origin_of("http://a.test:80/b?c#d"), Some("http://a.test:80"));
        assert_eq!(origin_of("https://a.test?b"), Some("https://a.test"));
        for url in ["about:blank", "data:text/html,http://a/", "blob:http://a/1", "file:///x", "http://u@h/"] {
            assert_eq!(origin_of(url), None, "{url}");
        }
    }
}

//! Which URLs are Chrome's own.

/// Whether a target at this URL, in Chrome's spelling in a `TargetInfo`, may be shown to a client.
/// Chrome's own URLs (`chrome:`, `devtools:`, extensions and others) may not: attaching there would
/// give access to the whole browser.
pub fn is_visible(url: &str) -> bool {
    // A page whose navigation failed is at `chrome-error:`.
    const SCHEMES: [&str; 7] = ["http", "https", "about", "data", "javascript", "file", "chrome-error"];
    if let Some(made_by) = url.strip_prefix("blob:").or_else(|| url.strip_prefix("filesystem:")) {
        // The origin of its creator; `null` if that has none.
        return made_by.starts_with("null/") || is_visible(made_by);
    }
    url.is_empty() || url == ":" || url.split_once(':').is_some_and(|(scheme, _)| SCHEMES.contains(&scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chrome_urls_are_hidden() {
        for url in [
            "",
            "about:blank",
            "https://a.test/",
            "data:text/html,x",
            "blob:https://a/1",
            "blob:null/1#x:y",
            "filesystem:https://a/temporary/x",
            "chrome-error://chromewebdata/",
        ] {
            assert!(is_visible(url), "{url}");
        }
        for url in [
            "chrome://settings/",
            "devtools://devtools/x.html",
            "chrome-extension://abc/x",
            "chrome-untrusted://x",
            "view-source:http://a/",
            "blob:chrome://settings/1",
        ] {
            assert!(!is_visible(url), "{url}");
        }
    }
}

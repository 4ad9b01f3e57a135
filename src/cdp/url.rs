//! Which URLs are Chrome's own, and which are an extension's.

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

/// The id of the extension whose file is at this URL, or which has made this `blob:` URL: 32 letters from `a` to `p`.
pub fn extension_of(url: &str) -> Option<&str> {
    const LENGTH: usize = 32;
    let url = url.strip_prefix("blob:").or_else(|| url.strip_prefix("filesystem:")).unwrap_or(url);
    let rest = url.strip_prefix("chrome-extension://")?;
    let (id, rest) = rest.split_at_checked(LENGTH)?;
    let ends = rest.is_empty() || rest.starts_with(['/', '?', '#']);
    (ends && id.bytes().all(|byte| matches!(byte, b'a'..=b'p'))).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_known_by_the_host_of_their_urls() {
        let id = "mhjfbmdgcfjbbpaeojofohoefgiehjai";
        for (url, found) in [
            (format!("chrome-extension://{id}"), true),
            (format!("chrome-extension://{id}/worker.js?x"), true),
            (format!("blob:chrome-extension://{id}/5"), true),
            (format!("chrome-extension://{id}a/"), false),
            (format!("chrome-extension://{id}@evil/"), false),
            (format!("chrome-extension://{}/", &id[1..]), false),
            (format!("chrome-extension://{}/", id.to_uppercase()), false),
            (format!("chrome://{id}/"), false),
            (format!("https://a.test/chrome-extension://{id}/"), false),
        ] {
            assert_eq!(extension_of(&url), found.then_some(id), "{url}");
        }
    }

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

//! Lists the storage keys under which a session may have stored data.

use std::collections::BTreeSet;

use super::{
    record::Cookie,
    storage_key::{StorageKey, is_web, origin_of},
};
use crate::{
    browser::Surveyed,
    cdp::target::{Kind, TargetInfo},
};

/// Most storage keys of a context that are read, in addition to those of its live frames.
const LOOKED_AT: usize = 512;

/// The storage keys of one context.
#[derive(Debug, Default)]
pub(super) struct Origins {
    keys: BTreeSet<StorageKey>,
    /// Number of keys above the limit.
    pub(super) left_out: usize,
}

impl Origins {
    /// Adds the key of a live frame.
    pub(super) fn frame(&mut self, key: StorageKey) {
        self.keys.insert(key);
    }

    /// Adds the origin of a URL of a page, as a top-level page.
    pub(super) fn url(&mut self, url: &str) {
        if let Some(origin) = origin_of(url) {
            self.add(StorageKey::first_party(origin));
        }
    }

    /// Adds the origins that the mirror of targets knows.
    pub(super) fn surveyed(&mut self, surveyed: &Surveyed) {
        // The last one seen is the most likely to matter.
        for origin in surveyed.origins.iter().rev() {
            match StorageKey::read(origin) {
                Ok(partition) => self.add(partition),
                Err(_) => self.url(origin),
            }
        }
        for (_, kind, info) in &surveyed.targets {
            // An iframe's URL does not tell its partition; its frame is asked.
            if *kind != Kind::Iframe
                && let Some(info) = TargetInfo::read(info)
            {
                self.url(&info.url);
            }
        }
    }

    /// Adds the origin that set a cookie. If Chrome does not know the port, the scheme's default.
    pub(super) fn cookie(&mut self, cookie: &Cookie) {
        let host = cookie.domain.trim_start_matches('.');
        let port = cookie.source_port.filter(|port| *port > 0);
        let mut schemes = vec![if cookie.secure { "https" } else { "http" }];
        match cookie.source_scheme.as_deref() {
            // A cookie of `http://localhost` may be called secure (*measured*).
            Some("Secure") if is_local(host) => schemes = vec!["https", "http"],
            Some("Secure") => schemes = vec!["https"],
            Some("NonSecure") => {}
            _ if !cookie.secure => schemes.push("https"),
            _ => {}
        }
        for scheme in schemes {
            let origin = match (scheme, port) {
                (_, None) | ("https", Some(443)) | ("http", Some(80)) => format!("{scheme}://{host}"),
                (_, Some(port)) => format!("{scheme}://{host}:{port}"),
            };
            if !is_web(&origin) {
                continue;
            }
            match &cookie.partition_key {
                Some(partition) if partition.has_cross_site_ancestor => {
                    let site = partition.top_level_site.split("://").nth(1).unwrap_or_default();
                    let same_site = host == site || host.ends_with(&format!(".{site}"));
                    let text = if same_site {
                        format!("{origin}/^31")
                    } else {
                        format!("{origin}/^0{}", partition.top_level_site)
                    };
                    if let Ok(key) = StorageKey::read(&text) {
                        self.add(key);
                    }
                }
                _ => self.add(StorageKey::first_party(&origin)),
            }
        }
    }

    fn add(&mut self, key: StorageKey) {
        if self.keys.len() < LOOKED_AT {
            self.keys.insert(key);
        } else if !self.keys.contains(&key) {
            self.left_out += 1;
        }
    }

    /// All keys; those of one origin are together.
    pub(super) fn keys(&self) -> impl Iterator<Item = &StorageKey> {
        self.keys.iter()
    }
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") || host == "[::1]"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_origin_is_derived_from_its_scheme_and_port() {
        for (cookie, keys) in [
            (r#"{"domain":"a.test","sourceScheme":"NonSecure","sourcePort":80"#, &["http://a.test/"][..]),
            (
                r#"{"domain":".a.test","secure":true,"sourceScheme":"Secure","sourcePort":8443"#,
                &["https://a.test:8443/"],
            ),
            (r#"{"domain":"a.test""#, &["http://a.test/", "https://a.test/"]),
            (
                r#"{"domain":"a.test","secure":true,"sourceScheme":"Secure","sourcePort":443,"partitionKey":{"topLevelSite":"https://b.test","hasCrossSiteAncestor":true}"#,
                &["https://a.test/^0https://b.test"],
            ),
            (
                r#"{"domain":"x.a.test","secure":true,"sourceScheme":"Secure","partitionKey":{"topLevelSite":"https://a.test","hasCrossSiteAncestor":true}"#,
                &["https://x.a.test/^31"],
            ),
            (r#"{"domain":"a/b""#, &[]),
        ] {
            let cookie: Cookie =
                serde_json::from_str(&format!(r#"{cookie},"name":"n","value":"v","path":"/"}}"#)).expect(cookie);
            let mut candidates = Origins::default();
            candidates.cookie(&cookie);
            let texts: Vec<&str> = candidates.keys().map(|key| key.text.as_str()).collect();
            assert_eq!(texts, keys, "{cookie:?}");
        }
    }

    #[test]
    fn omitted_origins_are_counted() {
        let mut candidates = Origins::default();
        for number in 0..LOOKED_AT + 3 {
            candidates.url(&format!("http://a{number}.test/"));
        }
        assert_eq!((candidates.keys().count(), candidates.left_out), (LOOKED_AT, 3));
    }
}

//! The proxy of a session in its record in the store: its credentials are encrypted with the key of the store, or not stored.

use serde::{Deserialize, Serialize};

use crate::{
    api_types::{Owner, Secret},
    port::egress::UpstreamProxy,
    store::{SealedText, Store},
};

/// The proxy of a session, as its record has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptProxy {
    /// The proxy without user and password, for people.
    server: String,
    /// All of it: encrypted; `None` if the store has no key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sealed: Option<SealedText>,
    /// All of it, if there is nothing secret in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    plain: Option<String>,
}

/// A proxy whose credentials are not known any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "session {id} leaves by the proxy {server}, and is not restored without it: {why}; give the proxy again, with the option \
     proxy"
)]
pub struct LostProxy {
    /// The session.
    pub id: String,
    /// The proxy, without user and password.
    pub server: String,
    /// Why they are not known.
    pub why: String,
}

impl KeptProxy {
    /// A proxy for the record of this session.
    pub(super) fn new(store: &Store, owner: &Owner, id: &str, upstream: &UpstreamProxy) -> Self {
        let (server, text) = (upstream.to_string(), upstream.to_text());
        if upstream.credentials.is_none() {
            return Self { server, sealed: None, plain: Some(text.reveal().clone()) };
        }
        Self { server, sealed: store.seal_text(owner, id, &text), plain: None }
    }

    /// The proxy of this session.
    pub(super) fn open(&self, store: &Store, owner: &Owner, id: &str) -> Result<UpstreamProxy, LostProxy> {
        let lost = |why: String| LostProxy { id: id.to_owned(), server: self.server.clone(), why };
        let text = match (&self.sealed, &self.plain) {
            (Some(sealed), _) => store.open_text(owner, id, sealed).map_err(|why| lost(why.to_string()))?,
            (None, Some(plain)) => Secret::new(plain.clone()),
            (None, None) => {
                return Err(lost(
                    "its user and password were not stored, because the server has no store_key".to_owned(),
                ));
            }
        };
        UpstreamProxy::of_text(text.reveal()).ok_or_else(|| lost("what the store has of it cannot be read".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{StoreKeys, StoreLimits, StorePlace, StoreSettings},
        port::egress::{Bypass, NamedBy},
    };

    fn store(keys: &str) -> Store {
        let keys = if keys.is_empty() { StoreKeys::default() } else { keys.parse::<StoreKeys>().expect("keys") };
        let limits = StoreLimits { snapshot: 1, bytes: 1, count: 1 };
        Store::new(&StoreSettings { place: StorePlace::File("/nowhere".into()), keys, ttl: None, limits })
    }

    #[test]
    fn a_proxy_comes_back_whole_or_not_at_all() {
        let key = format!("a:{}", "07".repeat(32));
        let owner = Owner::local();
        let read = |url: &str| UpstreamProxy::parse(url, NamedBy::Tenant).expect("a proxy");
        let bypass = Bypass::parse("*.a.test,<local>").expect("a list");
        let (secret, open) =
            (read("http://u:hidden@p:1").with_bypass(bypass.clone()), read("http://p:1").with_bypass(bypass));
        for (upstream, keys, is_kept) in [(&secret, key.as_str(), true), (&secret, "", false), (&open, "", true)] {
            let kept = KeptProxy::new(&store(keys), &owner, "s1", upstream);
            let json = serde_json::to_string(&kept).expect("JSON");
            assert!(!json.contains("hidden"), "{json}");
            let read: KeptProxy = serde_json::from_str(&json).expect("JSON");
            let opened = read.open(&store(keys), &owner, "s1");
            assert_eq!(opened.as_ref().ok(), Some(upstream).filter(|_| is_kept), "{opened:?}");
            if let Err(lost) = opened {
                let told = lost.to_string();
                assert!(told.contains("http://***@p:1") && told.contains("store_key"), "{told}");
            }
        }
    }
}

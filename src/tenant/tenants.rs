//! The tenants that are in force: finds the tenant of a request, and replaces the tenants by those of a changed document.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    ops::Bound,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    Access, Document, Freshness, Parsed, Scope, Secret, Tenant, TenantSettings, Token,
    denied::Denied,
    document::Stamp,
    token::{self, Form, Key, TokenHash, TokenNumber},
};
use crate::api_types::{Owner, capability::Capabilities};

/// What a request presents.
#[derive(Clone, Debug)]
pub enum Presented {
    /// Nothing.
    Nothing,
    /// A token, or a text in its place.
    Token(Secret),
    /// The key of a URL, and the session for which it must be.
    Key(Secret, String),
}

/// What a new set of tenants changes, for those who hold sessions and connections.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Tenants that are new.
    pub added: Vec<Arc<Tenant>>,
    /// Tokens that are accepted from now on.
    pub issued: Vec<(Arc<Tenant>, Arc<Token>)>,
    /// Tenants that are gone: their sessions end.
    pub removed: Vec<Arc<Tenant>>,
    /// Tenants whose capabilities or limits are others now.
    pub changed: Vec<Arc<Tenant>>,
    /// Tokens that are not accepted any more: their connections end.
    pub revoked: Vec<(Arc<Tenant>, Arc<Token>)>,
}

impl Changes {
    /// Whether nothing has changed for anybody who is connected.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.changed.is_empty() && self.revoked.is_empty()
    }
}

/// The tenants of the server; cheap to clone.
#[derive(Clone, Debug)]
pub struct Tenants {
    inner: Arc<Inner>,
}

#[derive(Debug)]
enum Inner {
    /// There are no tokens: every caller is this tenant.
    Local(Arc<Tenant>),
    /// Those of a document.
    Named(Named),
}

#[derive(Debug)]
struct Named {
    /// From it the keys of URLs are made.
    server: Secret<[u8; 32]>,
    /// The document, if there is one.
    document: Option<Document>,
    /// The age of the copy, if the document is on another machine.
    freshness: Option<Freshness>,
    // Guards the state of the document that was read last; held for a copy.
    seen: Mutex<Option<Stamp>>,
    // Guards the tenants in force; held for a copy of the pointer.
    state: RwLock<Arc<State>>,
    /// The number of changes so far.
    version: watch::Sender<u64>,
    // Held from the reading of the document until its tenants are in force, and while it is changed: an older state never
    // replaces a newer one.
    reading: tokio::sync::Mutex<()>,
}

impl Named {
    fn state(&self) -> Arc<State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The tenants at one time.
#[derive(Debug, Default)]
struct State {
    tenants: BTreeMap<Owner, Arc<Tenant>>,
    by_hash: HashMap<TokenHash, (Arc<Tenant>, Arc<Token>)>,
    by_number: HashMap<TokenNumber, TokenHash>,
}

impl Tenants {
    /// Only the built-in tenant `local`, with these capabilities.
    pub fn local(capabilities: Capabilities) -> Self {
        let settings = TenantSettings { capabilities, ..TenantSettings::default() };
        Self { inner: Arc::new(Inner::Local(Tenant::new(Owner::local(), settings))) }
    }

    /// The tenants of a document. `server` is the secret from which the keys of URLs are made, `freshness` the age of a
    /// copy.
    pub fn named(
        parsed: Parsed,
        server: Secret<[u8; 32]>,
        document: Option<Document>,
        freshness: Option<Freshness>,
    ) -> Self {
        let (seen, state, version) = (Mutex::default(), RwLock::default(), watch::Sender::new(0));
        let reading = tokio::sync::Mutex::default();
        let named = Named { server, document, freshness, seen, state, version, reading };
        let tenants = Self { inner: Arc::new(Inner::Named(named)) };
        tenants.replace(parsed);
        tenants
    }

    /// The document of the tenants, if there is one.
    pub fn document(&self) -> Option<&Document> {
        self.named_tenants()?.document.as_ref()
    }

    /// The age of the copy, if the document is on another machine.
    pub fn freshness(&self) -> Option<&Freshness> {
        self.named_tenants()?.freshness.as_ref()
    }

    /// Whether the copy is too old to be trusted.
    pub fn is_stale(&self) -> bool {
        self.freshness().is_some_and(Freshness::is_stale)
    }

    /// The copy is as the document is now, or that is wrong.
    pub(super) fn confirm(&self) {
        if let Some(freshness) = self.freshness() {
            freshness.confirm();
        }
    }

    /// Waits for changes: sessions and connections then look at their tenants and tokens again. Pends for ever if there are
    /// none to come.
    pub async fn changed(&self, seen: &mut u64) {
        let Some(named) = self.named_tenants() else { return std::future::pending().await };
        let mut version = named.version.subscribe();
        // The sender is in `self`, so it is not dropped.
        let _ = version.wait_for(|version| version != seen).await.map(|version| *seen = *version);
    }

    fn named_tenants(&self) -> Option<&Named> {
        match &*self.inner {
            Inner::Local(_) => None,
            Inner::Named(named) => Some(named),
        }
    }

    /// Waits until the document may be read or changed; `None` if there is none.
    pub(super) async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let named = self.named_tenants().filter(|named| named.document.is_some())?;
        Some(named.reading.lock().await)
    }

    pub(super) fn seen(&self) -> Option<Stamp> {
        self.named_tenants()?.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_seen(&self, stamp: Stamp) {
        if let Some(named) = self.named_tenants() {
            *named.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(stamp);
        }
    }

    /// Whether a request needs a token.
    pub fn need_tokens(&self) -> bool {
        self.named_tenants().is_some()
    }

    /// At most so many tenants whose names come after this one, by name.
    pub fn page(&self, after: &str, most: usize) -> Vec<Arc<Tenant>> {
        match &*self.inner {
            Inner::Local(tenant) => {
                Some(tenant.clone()).filter(|tenant| tenant.owner().as_str() > after).into_iter().collect()
            }
            Inner::Named(named) => {
                let state = named.state();
                let after = (Bound::Excluded(after), Bound::Unbounded);
                state.tenants.range::<str, _>(after).take(most).map(|(_, tenant)| tenant.clone()).collect()
            }
        }
    }

    /// All tenants, by name.
    pub fn all(&self) -> Vec<Arc<Tenant>> {
        match &*self.inner {
            Inner::Local(tenant) => vec![tenant.clone()],
            Inner::Named(named) => named.state().tenants.values().cloned().collect(),
        }
    }

    /// The tenant of this name.
    pub fn of(&self, owner: &Owner) -> Option<Arc<Tenant>> {
        match &*self.inner {
            Inner::Local(tenant) => Some(tenant.clone()).filter(|tenant| tenant.owner() == owner),
            Inner::Named(named) => named.state().tenants.get(owner).cloned(),
        }
    }

    /// The tokens of a tenant.
    pub fn tokens_of(&self, owner: &Owner) -> Vec<Arc<Token>> {
        let Some(named) = self.named_tenants() else { return Vec::new() };
        let of_owner = |(tenant, token): &(Arc<Tenant>, Arc<Token>)| (tenant.owner() == owner).then(|| token.clone());
        let mut tokens: Vec<_> = named.state().by_hash.values().filter_map(of_owner).collect();
        tokens.sort_by(|one, other| one.settings().name.cmp(&other.settings().name));
        tokens
    }

    /// The tenant of a request from this address, and how it has access.
    pub fn identify(
        &self,
        presented: &Presented,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(Arc<Tenant>, Access), Denied> {
        let state = match &*self.inner {
            Inner::Local(tenant) => return Ok((tenant.clone(), Access { from: Some(from), ..Access::default() })),
            Inner::Named(named) => named.state(),
        };
        if self.is_stale() && !matches!(presented, Presented::Nothing) {
            return Err(Denied::Stale);
        }
        let (hash, key) = match presented {
            Presented::Nothing => return Err(Denied::Missing),
            Presented::Token(text) => (Some(TokenHash::of(text.reveal())), None),
            Presented::Key(text, session) => {
                let key = Key::read(text.reveal()).ok_or(Denied::Unknown)?;
                (state.by_number.get(&key.token).copied(), Some((key, session)))
            }
        };
        let Some((tenant, token)) = hash.and_then(|hash| state.by_hash.get(&hash)) else {
            return Err(match presented {
                Presented::Token(text) if token::form(text.reveal()) == Form::Mistyped => Denied::Mistyped,
                _ => Denied::Unknown,
            });
        };
        let scope = match key {
            Some((key, session)) if token.made(&key, session) && scope_allows(token, session) => {
                Scope::Session(session.as_str().into())
            }
            Some(_) => return Err(Denied::Unknown),
            None => token.settings().scope.clone(),
        };
        if token.is_expired(now) {
            return Err(Denied::Expired(token.number()));
        }
        if !token.allows(from) {
            return Err(Denied::Network(token.number()));
        }
        Ok((tenant.clone(), Access { token: Some(token.clone()), scope, from: Some(from) }))
    }

    /// Puts other tenants in force. A tenant that stays is the same value with other settings; a token that stays as it
    /// was is the same value; all others are revoked.
    pub fn replace(&self, parsed: Parsed) -> Changes {
        let Some(named) = self.named_tenants() else { return Changes::default() };
        let before = named.state();
        let (mut next, mut changes) = (State::default(), Changes::default());
        for (owner, definition) in parsed {
            let tenant = if let Some(tenant) = before.tenants.get(&owner) {
                let settings = definition.settings.clone();
                if tenant.set(definition.settings) != settings {
                    changes.changed.push(tenant.clone());
                }
                tenant.clone()
            } else {
                let tenant = Tenant::new(owner.clone(), definition.settings);
                changes.added.push(tenant.clone());
                tenant
            };
            for (hash, settings) in definition.tokens {
                let kept = before.by_hash.get(&hash).map(|(_, token)| token).filter(|token| {
                    *token.settings() == settings
                        && before.by_hash[&hash].0.owner() == &owner
                        && !token.revoked().is_cancelled()
                });
                let token = kept.cloned().unwrap_or_else(|| {
                    let token = Token::new(&owner, hash, settings, &named.server);
                    changes.issued.push((tenant.clone(), token.clone()));
                    token
                });
                next.by_number.insert(hash.number(), hash);
                next.by_hash.insert(hash, (tenant.clone(), token));
            }
            next.tenants.insert(owner, tenant);
        }
        let next = Arc::new(next);
        *named.state.write().unwrap_or_else(PoisonError::into_inner) = next.clone();
        for (hash, (tenant, token)) in &before.by_hash {
            let is_kept = next.by_hash.get(hash).is_some_and(|(_, kept)| Arc::ptr_eq(kept, token));
            if !is_kept {
                token.revoked().cancel();
                changes.revoked.push((tenant.clone(), token.clone()));
            }
        }
        for (owner, tenant) in &before.tenants {
            if !next.tenants.contains_key(owner) {
                tenant.set_removed(true);
                changes.removed.push(tenant.clone());
            }
        }
        named.version.send_modify(|version| *version += 1);
        changes
    }

    /// Revokes the tokens that have expired by now.
    pub fn expire(&self, now: Timestamp) -> Changes {
        let Some(named) = self.named_tenants() else { return Changes::default() };
        let mut changes = Changes::default();
        for (tenant, token) in named.state().by_hash.values() {
            if token.is_expired(now) && !token.revoked().is_cancelled() {
                token.revoked().cancel();
                changes.revoked.push((tenant.clone(), token.clone()));
            }
        }
        if !changes.is_empty() {
            named.version.send_modify(|version| *version += 1);
        }
        changes
    }
}

/// Whether a key of this session may be used, if the token itself is for one session.
fn scope_allows(token: &Token, session: &str) -> bool {
    match &token.settings().scope {
        Scope::All => true,
        // Such a token is given no URL of a session.
        Scope::ReadOnly => false,
        Scope::Session(only) => **only == *session,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{api_types::capability::Capability, tenant::file::parse};

    const NOW: fn() -> Timestamp = Timestamp::now;

    fn file(tokens: &[(&str, &str, &str, &str)]) -> Parsed {
        let tokens = tokens.iter().map(|(owner, name, text, more)| {
            let hash = TokenHash::of(text).to_hex();
            format!("[[tenants.{owner}.tokens]]\nname = \"{name}\"\nsha256 = \"{hash}\"\n{more}\n")
        });
        parse(&tokens.collect::<String>()).expect("a file")
    }

    fn tenants(tokens: &[(&str, &str, &str, &str)]) -> Tenants {
        Tenants::named(file(tokens), Secret::new([7; 32]), None, None)
    }

    fn token(text: &str) -> Presented {
        Presented::Token(Secret::new(text.to_owned()))
    }

    fn who(tenants: &Tenants, presented: &Presented) -> Result<(String, Access), Denied> {
        let from = "127.0.0.1".parse().expect("an address");
        tenants.identify(presented, from, NOW()).map(|(tenant, access)| (tenant.owner().to_string(), access))
    }

    #[test]
    fn requests_belong_to_the_tenant_of_their_token() {
        let tenants = tenants(&[
            ("acme", "ci", "a", ""),
            ("acme", "old", "b", "expires = 2020-01-01"),
            ("other", "far", "c", "from = [\"10.0.0.0/8\"]"),
        ]);
        assert_eq!(who(&tenants, &token("a")).expect("acme").0, "acme");
        let number = |text| TokenHash::of(text).number();
        let denied = [
            (Presented::Nothing, Denied::Missing),
            (token("x"), Denied::Unknown),
            (token("gmx_x"), Denied::Mistyped),
            (token("b"), Denied::Expired(number("b"))),
            (token("c"), Denied::Network(number("c"))),
            (Presented::Key(Secret::new("x".into()), "s".into()), Denied::Unknown),
        ];
        for (presented, why) in denied {
            assert_eq!(who(&tenants, &presented).expect_err("denied"), why);
        }
        // The same words for all that a caller cannot know.
        let says = [Denied::Unknown, Denied::Expired(number("b")), Denied::Network(number("c"))].map(|why| why.says());
        assert!(says.iter().all(|words| *words == says[0]), "{says:?}");
    }

    #[test]
    fn keys_are_for_the_session_and_end_with_their_token() {
        let mut all = vec![("acme", "ci", "a", ""), ("acme", "one", "b", "scope = \"session:s1\"")];
        let tenants = tenants(&all);
        let (_, access) = who(&tenants, &token("a")).expect("acme");
        let key = access.key_of("s1").expect("a key");
        let keyed = |session: &str| Presented::Key(Secret::new(key.clone()), session.into());
        let (owner, by_key) = who(&tenants, &keyed("s1")).expect("acme");
        assert_eq!((owner.as_str(), &by_key.scope), ("acme", &Scope::Session("s1".into())));
        assert!(by_key.covers("s1") && !by_key.covers("s2"));
        assert_eq!(who(&tenants, &keyed("s2")).expect_err("another session"), Denied::Unknown);
        all.remove(0);
        tenants.replace(file(&all));
        assert_eq!(who(&tenants, &keyed("s1")).expect_err("revoked"), Denied::Unknown);
        assert!(by_key.is_revoked() && access.is_revoked());
    }

    #[test]
    fn reloaded_tenants_keep_what_has_not_changed() {
        let tenants = tenants(&[("acme", "a", "a", ""), ("acme", "b", "b", ""), ("gone", "c", "c", "")]);
        let (kept, revoked, removed) =
            (who(&tenants, &token("a")), who(&tenants, &token("b")), who(&tenants, &token("c")));
        let acme = tenants.of(&"acme".parse().expect("an owner")).expect("a tenant");
        let mut next = file(&[("acme", "a", "a", ""), ("new", "d", "d", "")]);
        next.get_mut(acme.owner()).expect("acme").settings.capabilities = Capabilities::of([Capability::Tracing]);
        let changes = tenants.replace(next);
        assert!(!kept.expect("acme").1.is_revoked());
        assert!(revoked.expect("acme").1.is_revoked() && removed.expect("gone").1.is_revoked());
        assert!(acme.capabilities().has(Capability::Tracing), "those who hold the tenant see the change");
        let names =
            |tenants: &[Arc<Tenant>]| tenants.iter().map(|tenant| tenant.owner().to_string()).collect::<Vec<_>>();
        assert_eq!(
            (names(&changes.removed), names(&changes.changed)),
            (vec!["gone".to_owned()], vec!["acme".to_owned()])
        );
        assert_eq!(changes.revoked.len(), 2);
        assert!(changes.removed[0].is_removed());
        assert!(who(&tenants, &token("d")).is_ok() && who(&tenants, &token("b")).is_err());
    }

    #[test]
    fn tokens_that_expire_are_revoked_once() {
        let soon = NOW() + jiff::SignedDuration::from_secs(60);
        let expires = format!("expires = {soon}");
        let tenants = tenants(&[("acme", "a", "a", &expires)]);
        let (_, access) = who(&tenants, &token("a")).expect("acme");
        assert!(tenants.expire(NOW()).is_empty() && !access.is_revoked());
        assert_eq!(tenants.expire(soon).revoked.len(), 1);
        assert!(access.is_revoked() && tenants.expire(soon).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_that_is_too_old_lets_nobody_in() {
        let most = Duration::from_secs(60);
        let copy = file(&[("acme", "a", "a", "")]);
        let tenants = Tenants::named(copy, Secret::new([7; 32]), None, Some(Freshness::new(most)));
        let (_, access) = who(&tenants, &token("a")).expect("acme");
        let key = Presented::Key(Secret::new(access.key_of("s").expect("a key")), "s".into());
        tokio::time::advance(most).await;
        assert!(who(&tenants, &token("a")).is_ok() && who(&tenants, &key).is_ok());
        tokio::time::advance(Duration::from_millis(1)).await;
        for presented in [token("a"), token("x"), token("gmx_x"), key.clone()] {
            assert_eq!(who(&tenants, &presented).expect_err("too old"), Denied::Stale);
        }
        assert_eq!(who(&tenants, &Presented::Nothing).expect_err("no token"), Denied::Missing);
        assert!(!access.is_revoked(), "who is connected stays so");
        tenants.confirm();
        assert!(who(&tenants, &token("a")).is_ok() && who(&tenants, &key).is_ok());
    }

    #[tokio::test]
    async fn a_server_without_tokens_has_one_tenant() {
        let tenants = Tenants::local(Capabilities::local());
        let (owner, access) = who(&tenants, &token("whatever")).expect("local");
        assert_eq!((owner.as_str(), access.scope), ("local", Scope::All));
        assert!(access.token.is_none() && !tenants.need_tokens());
    }
}

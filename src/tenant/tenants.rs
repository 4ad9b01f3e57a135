//! The tenants that are in force: finds the tenant of a request, and replaces the tenants by those of a changed file.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use jiff::Timestamp;

use super::{
    Access, Parsed, Scope, Secret, Tenant, TenantSettings, Token,
    token::{self, Form, Key, TokenHash, TokenNumber},
};
use crate::api_types::{Owner, capability::Capabilities};

/// Why a request is not accepted. A caller is told only [`Denied::says`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The request has no token.
    Missing,
    /// A character of the token is missing or mistyped.
    Mistyped,
    /// No tenant has this token, or no token made this key.
    Unknown,
    /// The token has expired.
    Expired(TokenNumber),
    /// The token is not accepted from this network.
    Network(TokenNumber),
}

impl Denied {
    /// What the caller is told: alike for all but what it can see itself.
    pub fn says(&self) -> &'static str {
        match self {
            Self::Missing => {
                "this server needs a token: Authorization: Bearer TOKEN, x-api-key: TOKEN, or ?token=TOKEN"
            }
            Self::Mistyped => "this is not a token: a character is missing or mistyped",
            Self::Unknown | Self::Expired(_) | Self::Network(_) => "this token is not valid here",
        }
    }

    /// The reason, for the audit log.
    pub fn why(&self) -> &'static str {
        match self {
            Self::Missing => "no token",
            Self::Mistyped => "mistyped",
            Self::Unknown => "unknown",
            Self::Expired(_) => "expired",
            Self::Network(_) => "network",
        }
    }
}

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
    /// Tenants that are gone: their sessions end.
    pub removed: Vec<Arc<Tenant>>,
    /// Tenants whose capabilities or limits are others now.
    pub changed: Vec<Arc<Tenant>>,
    /// Tokens that are not accepted any more: their connections end.
    pub revoked: Vec<(Owner, Arc<Token>)>,
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
    /// Those of a file.
    Named { server: Secret<[u8; 32]>, state: RwLock<Arc<State>> },
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

    /// The tenants of a file. `server` is the secret from which the keys of URLs are made.
    pub fn named(parsed: Parsed, server: Secret<[u8; 32]>) -> Self {
        let tenants = Self { inner: Arc::new(Inner::Named { server, state: RwLock::default() }) };
        tenants.replace(parsed);
        tenants
    }

    /// Whether a request needs a token.
    pub fn need_tokens(&self) -> bool {
        matches!(*self.inner, Inner::Named { .. })
    }

    /// All tenants, by name.
    pub fn all(&self) -> Vec<Arc<Tenant>> {
        match &*self.inner {
            Inner::Local(tenant) => vec![tenant.clone()],
            Inner::Named { state, .. } => read(state).tenants.values().cloned().collect(),
        }
    }

    /// The tenant of this name.
    pub fn of(&self, owner: &Owner) -> Option<Arc<Tenant>> {
        match &*self.inner {
            Inner::Local(tenant) => Some(tenant.clone()).filter(|tenant| tenant.owner() == owner),
            Inner::Named { state, .. } => read(state).tenants.get(owner).cloned(),
        }
    }

    /// The tokens of a tenant.
    pub fn tokens_of(&self, owner: &Owner) -> Vec<Arc<Token>> {
        let Inner::Named { state, .. } = &*self.inner else { return Vec::new() };
        let of_owner = |(tenant, token): &(Arc<Tenant>, Arc<Token>)| (tenant.owner() == owner).then(|| token.clone());
        let mut tokens: Vec<_> = read(state).by_hash.values().filter_map(of_owner).collect();
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
            Inner::Local(tenant) => return Ok((tenant.clone(), Access::default())),
            Inner::Named { state, .. } => read(state),
        };
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
        Ok((tenant.clone(), Access { token: Some(token.clone()), scope }))
    }

    /// Puts other tenants in force. A tenant that stays is the same value with other settings; a token that stays as it
    /// was is the same value; all others are revoked.
    pub fn replace(&self, parsed: Parsed) -> Changes {
        let Inner::Named { server, state } = &*self.inner else { return Changes::default() };
        let before = read(state);
        let (mut next, mut changes) = (State::default(), Changes::default());
        for (owner, definition) in parsed {
            let tenant = match before.tenants.get(&owner) {
                Some(tenant) => {
                    let settings = definition.settings.clone();
                    if tenant.set(definition.settings) != settings {
                        changes.changed.push(tenant.clone());
                    }
                    tenant.clone()
                }
                None => Tenant::new(owner.clone(), definition.settings),
            };
            for (hash, settings) in definition.tokens {
                let kept = before.by_hash.get(&hash).map(|(_, token)| token).filter(|token| {
                    *token.settings() == settings
                        && before.by_hash[&hash].0.owner() == &owner
                        && !token.revoked().is_cancelled()
                });
                let token = kept.cloned().unwrap_or_else(|| Token::new(&owner, hash, settings, server));
                next.by_number.insert(hash.number(), hash);
                next.by_hash.insert(hash, (tenant.clone(), token));
            }
            next.tenants.insert(owner, tenant);
        }
        let next = Arc::new(next);
        *state.write().unwrap_or_else(PoisonError::into_inner) = next.clone();
        for (hash, (tenant, token)) in &before.by_hash {
            let is_kept = next.by_hash.get(hash).is_some_and(|(_, kept)| Arc::ptr_eq(kept, token));
            if !is_kept {
                token.revoked().cancel();
                changes.revoked.push((tenant.owner().clone(), token.clone()));
            }
        }
        for (owner, tenant) in &before.tenants {
            if !next.tenants.contains_key(owner) {
                tenant.set_removed(true);
                changes.removed.push(tenant.clone());
            }
        }
        changes
    }

    /// Revokes the tokens that have expired by now.
    pub fn expire(&self, now: Timestamp) -> Changes {
        let Inner::Named { state, .. } = &*self.inner else { return Changes::default() };
        let mut changes = Changes::default();
        for (tenant, token) in read(state).by_hash.values() {
            if token.is_expired(now) && !token.revoked().is_cancelled() {
                token.revoked().cancel();
                changes.revoked.push((tenant.owner().clone(), token.clone()));
            }
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

fn read(state: &RwLock<Arc<State>>) -> Arc<State> {
    state.read().unwrap_or_else(PoisonError::into_inner).clone()
}

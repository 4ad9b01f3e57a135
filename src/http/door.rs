//! Decides from which tenant a request is, by its token or its key.

use std::{net::IpAddr, sync::Arc};

use axum::http::{StatusCode, header, request::Parts};
use jiff::Timestamp;

use super::{
    credentials,
    reply::{Answer, Problem},
};
use crate::{
    config::{NeededToken, TokenHost},
    session::manager::{BaseUrl, Caller},
    tenant::{Audit, Denied, Presented, Tenants, audit::Event},
};

/// The tenants, and the tokens that the endpoints need.
#[derive(Clone, Debug)]
pub struct Door {
    /// The tenants of the server.
    pub tenants: Tenants,
    /// Host names whose first label is a token.
    pub hosts: Vec<TokenHost>,
    /// The tokens with which the figures can be read.
    pub metrics: NeededToken,
    /// The tokens with which the health can be read.
    pub health: NeededToken,
    /// The audit log.
    pub audit: Audit,
}

/// Whose a request is.
pub(super) enum Entry {
    /// A tenant's.
    Tenant(Box<Caller>),
    /// Anybody's: the endpoint needs no token.
    Anybody,
}

/// Why a request gets no further than the door.
pub(super) enum Stopped {
    /// Its token is not accepted.
    Denied(Denied),
    /// Its tenant may not do this.
    NotAdmin,
}

impl Door {
    /// Takes the token or the key out of a request. A server without tokens leaves it as it is.
    pub(super) fn take(&self, parts: &mut Parts) -> Option<Presented> {
        self.tenants.need_tokens().then(|| credentials::take(parts, &self.hosts))
    }

    /// Decides whose a request is, which came from this address by the URL that `base` returns.
    pub(super) fn open(
        &self,
        presented: &Presented,
        path: &str,
        is_upgrade: bool,
        from: IpAddr,
        base: impl FnOnce() -> Arc<BaseUrl>,
    ) -> Result<Entry, Stopped> {
        let needed = if is_upgrade { NeededToken::Any } else { self.needed(path) };
        match self.tenants.identify(presented, from, Timestamp::now()) {
            Ok((tenant, access)) => {
                let caller = Caller { tenant, access, base: base() };
                if needed == NeededToken::Admin && !caller.is_admin() {
                    let event = Event::new("refused").of(&caller.tenant).by(&caller.access);
                    self.audit.write(event.what(path).why("it needs the capability admin"));
                    return Err(Stopped::NotAdmin);
                }
                Ok(Entry::Tenant(Box::new(caller)))
            }
            Err(_) if needed == NeededToken::None => Ok(Entry::Anybody),
            Err(why) => {
                self.audit.denied(from, &why);
                Err(Stopped::Denied(why))
            }
        }
    }

    /// The token that an endpoint needs.
    fn needed(&self, path: &str) -> NeededToken {
        match path {
            _ if !self.tenants.need_tokens() => NeededToken::None,
            "/metrics" | "/pressure" => self.metrics,
            "/health" | "/healthz" | "/readyz" => self.health,
            _ => NeededToken::Any,
        }
    }
}

impl Stopped {
    /// The answer.
    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::Denied(why @ Denied::Stale) => Problem {
                retry_after: Some(1),
                ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "tenants-unavailable", why.says())
            }
            .answer(),
            Self::Denied(why) => unauthorized(why),
            Self::NotAdmin => Problem::new(
                StatusCode::FORBIDDEN,
                "no-capability",
                "this needs the capability admin (metrics_tokens, health_tokens)",
            )
            .answer(),
        }
    }
}

/// The answer to a request without an accepted token.
pub(super) fn unauthorized(why: &Denied) -> Answer {
    let mut answer = Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", why.says()).answer();
    let value = header::HeaderValue::from_static("Bearer realm=\"ghostmux\"");
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    answer
}

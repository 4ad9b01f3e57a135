//! The operations on tenants and their tokens. The document of the tenants is changed by `tenant/edit.rs`, as by `ghostmux
//! token`, and read again before the answer.

use std::sync::Arc;

use jiff::Timestamp;

use super::{SessionManager, service::page_of};
use crate::{
    api_types::{
        BYTES_MOST, Bad, IssuedToken, Millis, NAME_RULE, Nothing, Owner, Reply, TenantInfo, TenantLimits, TenantList,
        TokenInfo, TokenList, TokenText,
        capability::Capabilities,
        millis,
        operations::{
            CreateToken, DeleteTenant, GetTenant, GetToken, ListTenants, ListTokens, PutTenant, RevokeToken,
            TenantRequest,
        },
        paged,
    },
    session::error::ServiceError,
    tenant::{
        ChangeError, EditError, Limits, NetworkChange, NewToken, Scope, Sharing, Tenant, TenantSettings, Tenants,
        Token, add_token, check_token_name, network, put_tenant, remove_tenant, remove_token,
        token::{self, Form, TokenHash, TokenSettings, repeatable},
    },
};

/// Most networks of a token.
const FROM_MOST: usize = 100;
/// Most bytes of a scope, as text.
const SCOPE_MOST: usize = 200;

impl SessionManager {
    /// Performs an operation on tenants or tokens.
    pub(super) async fn perform_on_tenants(&self, request: TenantRequest) -> Result<Reply, ServiceError> {
        let terms = self.inner.terms();
        let (tenants, audit) = (&terms.tenants, &terms.audit);
        Ok(match request {
            TenantRequest::ListTenants(wanted) => Reply::of::<ListTenants>(&list(tenants, &wanted)?),
            TenantRequest::GetTenant(GetTenant { tenant }) => {
                Reply::of::<GetTenant>(&shown(&known(tenants, &tenant)?.1))
            }
            TenantRequest::PutTenant(PutTenant { tenant, capabilities, limits, egress }) => {
                let limits = read(&limits)?;
                let network = egress
                    .as_ref()
                    .map(NetworkChange::read)
                    .transpose()
                    .map_err(|(field, why)| Bad::new(field, why))?;
                let owner = named(tenants, &tenant)?;
                let settings = TenantSettings {
                    capabilities: Capabilities::of(capabilities),
                    limits,
                    ..TenantSettings::default()
                };
                let of = owner.clone();
                let is_new =
                    tenants.edit(audit, move |text| put_tenant(text, &of, &settings, network.as_ref())).await?;
                let mut reply = Reply::of::<PutTenant>(&shown(&known(tenants, owner.as_str())?.1));
                reply.created.take_if(|_| !is_new);
                reply
            }
            TenantRequest::DeleteTenant(DeleteTenant { tenant }) => {
                let (owner, _) = known_in_file(tenants, &tenant)?;
                tenants.edit(audit, move |text| Ok((remove_tenant(text, &owner)?, ()))).await?;
                Reply::of::<DeleteTenant>(&Nothing {})
            }
            TenantRequest::ListTokens(ListTokens { tenant, limit, cursor }) => {
                let (owner, _) = known(tenants, &tenant)?;
                let (of, now) = (tenants.tokens_of(&owner), Timestamp::now());
                let tokens = of.iter().map(|token| token_shown(token.hash(), token.settings(), now)).collect();
                let (tokens, next) = paged(tokens, limit, cursor.as_deref(), |token: &TokenInfo| token.id.clone())?;
                Reply::of::<ListTokens>(&TokenList { tokens, next })
            }
            TenantRequest::CreateToken(wanted) => {
                let (text, new) = issued(tenants, wanted)?;
                let info = token_shown(new.hash, &new.settings, Timestamp::now());
                let tenant = new.owner.to_string();
                tenants.edit(audit, move |text| Ok((add_token_to_tenant(text, &new)?, ()))).await?;
                Reply::of::<CreateToken>(&IssuedToken { token: text, tenant, info })
            }
            TenantRequest::GetToken(GetToken { tenant, token }) => {
                let (owner, _) = known(tenants, &tenant)?;
                no_text("token", &token)?;
                let token = token_of(tenants, &owner, &token)?;
                Reply::of::<GetToken>(&token_shown(token.hash(), token.settings(), Timestamp::now()))
            }
            TenantRequest::RevokeToken(RevokeToken { tenant, token }) => {
                let (owner, _) = known_in_file(tenants, &tenant)?;
                no_text("token", &token)?;
                tenants.edit(audit, move |text| Ok((remove_token(text, &owner, &token)?, ()))).await?;
                Reply::of::<RevokeToken>(&Nothing {})
            }
        })
    }
}

/// The tenant of this name.
fn known(tenants: &Tenants, name: &str) -> Result<(Owner, Arc<Tenant>), ServiceError> {
    let known = name.parse().ok().and_then(|owner: Owner| Some((owner.clone(), tenants.of(&owner)?)));
    known.ok_or_else(|| ServiceError::NoTenant(repeatable(name)))
}

/// As [`known`], of a file that can be changed.
fn known_in_file(tenants: &Tenants, name: &str) -> Result<(Owner, Arc<Tenant>), ServiceError> {
    tenants.document().ok_or(ChangeError::NoFile)?;
    known(tenants, name)
}

/// Refuses the text of a token where a name is expected: names are in logs and in answers.
fn no_text(field: &str, name: &str) -> Result<(), Bad> {
    if token::form(name) == Form::Other {
        return Ok(());
    }
    Err(Bad::new(field, "is like the text of a token, which is a secret; give a name, or the id of the token"))
}

/// A name that a tenant of the file may have.
fn named(tenants: &Tenants, name: &str) -> Result<Owner, ServiceError> {
    tenants.document().ok_or(ChangeError::NoFile)?;
    no_text("tenant", name)?;
    let wrong = |_| Bad::new("tenant", format!("{:?} is no name: use {NAME_RULE}", repeatable(name)));
    Ok(name.parse().map_err(wrong)?)
}

/// A token of a tenant, by its id or its name.
fn token_of(tenants: &Tenants, owner: &Owner, wanted: &str) -> Result<Arc<Token>, ServiceError> {
    let of = tenants.tokens_of(owner);
    // As for the file: a name that looks like the number of another token does not hide that one.
    let by_number = of.iter().find(|token| token.number().to_string() == wanted);
    let found = by_number.or_else(|| of.iter().find(|token| token.settings().name == wanted)).cloned();
    found.ok_or_else(|| ServiceError::NoToken { tenant: owner.to_string(), token: repeatable(wanted) })
}

fn list(tenants: &Tenants, wanted: &ListTenants) -> Result<TenantList, ServiceError> {
    let most = page_of(wanted.limit)?;
    let mut page = tenants.page(wanted.cursor.as_deref().unwrap_or_default(), most + 1);
    let is_more = page.len() > most;
    page.truncate(most);
    let next = page.last().filter(|_| is_more).map(|tenant| tenant.owner().to_string());
    Ok(TenantList { tenants: page.iter().map(|tenant| shown(tenant)).collect(), next })
}

/// The limits that both types have in the same form, each once, for both directions.
macro_rules! same_limits {
    ($of:ident, $to:ident { $($other:tt)* }) => {
        $to {
            max_sessions: $of.max_sessions,
            sessions_per_minute: $of.sessions_per_minute,
            queue_share: $of.queue_share,
            pages_per_session: $of.pages_per_session,
            cdp_sessions_per_session: $of.cdp_sessions_per_session,
            commands_per_second: $of.commands_per_second,
            bytes_per_second: $of.bytes_per_second,
            max_snapshots: $of.max_snapshots,
            max_file_bytes: $of.max_file_bytes,
            egress_bytes_per_session: $of.egress_bytes_per_session,
            egress_bytes_per_day: $of.egress_bytes_per_day,
            cpu_weight: $of.cpu_weight,
            browser_memory_max: $of.browser_memory_max,
            $($other)*
        }
    };
}

fn shown(tenant: &Tenant) -> TenantInfo {
    let TenantSettings { capabilities, limits, network } = tenant.settings();
    let limits = same_limits!(
        limits,
        TenantLimits { max_session_time: limits.max_session_time.map(Millis), sharing: Some(limits.sharing) }
    );
    TenantInfo { name: tenant.owner().to_string(), capabilities: capabilities.list(), limits, egress: network.show() }
}

fn read(limits: &TenantLimits) -> Result<Limits, ServiceError> {
    for (field, number) in [
        ("bytesPerSecond", limits.bytes_per_second),
        ("maxSnapshots", limits.max_snapshots),
        ("maxFileBytes", limits.max_file_bytes),
        ("egressBytesPerSession", limits.egress_bytes_per_session),
        ("egressBytesPerDay", limits.egress_bytes_per_day),
        ("browserMemoryMax", limits.browser_memory_max),
    ] {
        if number.is_some_and(|number| number > BYTES_MOST) {
            return Err(Bad::new(&format!("limits.{field}"), format!("is more than {BYTES_MOST}")).into());
        }
    }
    let read = same_limits!(
        limits,
        Limits {
            // The file has whole milliseconds.
            max_session_time: limits
                .max_session_time
                .map(|Millis(time)| std::time::Duration::from_millis(millis(time))),
            sharing: limits.sharing.unwrap_or_default(),
        }
    );
    read.check().map_err(|(limit, why)| {
        let bad = Bad::new(if limit == "cpu_weight" { "limits.cpuWeight" } else { "limits.browserMemoryMax" }, why);
        // Who shares browsers may have neither limit, whatever its value.
        if read.sharing == Sharing::All { ServiceError::Together(bad) } else { bad.into() }
    })?;
    Ok(read)
}

fn token_shown(hash: TokenHash, settings: &TokenSettings, now: Timestamp) -> TokenInfo {
    TokenInfo {
        id: hash.number().to_string(),
        name: settings.name.clone(),
        scope: settings.scope.to_string(),
        expires: settings.expires.map(|at| at.to_string()),
        is_expired: settings.expires.is_some_and(|at| at <= now),
        from: settings.from.iter().map(ToString::to_string).collect(),
        created: settings.created.map(|at| at.to_string()),
    }
}

/// A new token, and what the file gets of it.
fn issued(tenants: &Tenants, wanted: CreateToken) -> Result<(TokenText, NewToken), ServiceError> {
    let text = token::generate();
    let (hash, now) = (TokenHash::of(text.reveal()), Timestamp::now());
    let name = wanted.name.unwrap_or_else(|| hash.to_hex()[..8].to_owned());
    no_text("name", &name)?;
    check_token_name(&name).map_err(|why| Bad::new("name", why))?;
    let no_moment = |_| Bad::new("expires", "is not a moment; write it with time and zone: 2027-01-31T18:00:00Z");
    let expires: Option<Timestamp> = wanted.expires.map(|at| at.parse().map_err(no_moment)).transpose()?;
    if wanted.from.len() > FROM_MOST {
        return Err(Bad::new("from", format!("has more than {FROM_MOST} networks")).into());
    }
    let scope = wanted.scope.map_or(Ok(Scope::All), |scope| scope_of(&scope))?;
    // From here on what the document does not say.
    let (owner, _) = known_in_file(tenants, &wanted.tenant)?;
    if expires.is_some_and(|at| at <= now) {
        return Err(Bad::new("expires", "is in the past").into());
    }
    let from = wanted.from.iter().map(|from| network(from).map_err(|why| Bad::new("from", why)));
    let from = from.collect::<Result<_, _>>()?;
    let created = Some(Timestamp::from_second(now.as_second()).unwrap_or(now));
    let settings = TokenSettings { name, scope, expires, from, created };
    Ok((TokenText(text.reveal().clone()), NewToken { owner, hash, settings }))
}

fn scope_of(text: &str) -> Result<Scope, Bad> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'~');
    let is_plain = text.strip_prefix("session:").unwrap_or(text).bytes().all(plain) && text.len() <= SCOPE_MOST;
    let read = if is_plain { Scope::read(text) } else { Err("names no id of a session".to_owned()) };
    read.map_err(|why| Bad::new("scope", why))
}

/// Unlike `ghostmux token new`, it adds no tenant: one that was removed at this moment does not come back.
fn add_token_to_tenant(text: &str, new: &NewToken) -> Result<String, EditError> {
    if !crate::tenant::parse(text)?.contains_key(&new.owner) {
        return Err(EditError::NoTenant(new.owner.to_string()));
    }
    add_token(text, new)
}

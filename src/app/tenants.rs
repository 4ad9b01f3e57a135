//! What the server begins with of its tenants: who they are, what they may use and have used, and the audit log.

use std::{io, sync::Arc};

use tokio_util::task::AbortOnDropHandle;

use super::start::StartError;
use crate::{
    config::{BrowserLimits, Config},
    metrics::Metrics,
    tenant::{Audit, Document, LimitBook, Tenant, Tenants, UsageLedger, limits::Periods, token::server_key},
};

/// The tenants of the file or the Redis, or the one of a server without tokens.
pub(super) async fn tenants(config: &Config) -> Result<Tenants, StartError> {
    let Some(place) = &config.tenants else { return Ok(Tenants::local(config.local_capabilities())) };
    let settings = config.store_settings();
    let secret = settings.keys.sealing().map(|key| &key.secret[..]);
    Ok(Tenants::of_document(Document::new(place, config.tenant_tokens), server_key(secret), config.tenants_max_stale)
        .await?)
}

/// What the tenants may use: in this process, or together with others.
pub(super) fn limits(config: &Config) -> Result<LimitBook, StartError> {
    let Some((url, while_away)) = config.shared_limits() else { return Ok(LimitBook::local()) };
    let invalid = |why| StartError::System { what: "shared_limits".to_owned(), error: io::Error::other(why) };
    LimitBook::shared(url, while_away, Periods::default()).map_err(invalid)
}

/// The usage of the tenants, as the file of an earlier process has it.
pub(super) fn usage(config: &Config) -> Result<UsageLedger, StartError> {
    let path = config.usage.clone();
    let shown = path.clone().unwrap_or_default();
    let system = |error| StartError::System { what: format!("cannot read {}", shown.display()), error };
    UsageLedger::open(path, config.usage_keep).map_err(system)
}

/// The audit log, if there is to be one.
pub(super) fn audit(config: &Config, metrics: &Arc<Metrics>) -> Result<Audit, StartError> {
    let Some(settings) = config.audit_settings() else { return Ok(Audit::default()) };
    let system = |error| StartError::System { what: format!("cannot write {}", settings.path.display()), error };
    Audit::open(&settings, metrics.clone()).map_err(system)
}

/// Logs whose limits of browsers have no effect.
pub(super) fn warn_of_limits_without_groups(config: &Config, tenants: &Tenants) {
    let has_limits = |tenant: &Arc<Tenant>| tenant.limits().browser() != BrowserLimits::default();
    let without: Vec<String> =
        tenants.all().iter().filter(|tenant| has_limits(tenant)).map(|tenant| tenant.owner().to_string()).collect();
    if !config.browser_cgroups && !without.is_empty() {
        tracing::warn!(
            tenants = without.join(" "),
            "their cpu_weight and browser_memory_max have no effect, because browsers have no control groups (browser_cgroups)"
        );
    }
}

/// Follows the changes of the tenants until the handle is dropped.
pub(super) fn keep_current(tenants: &Tenants, audit: &Audit) -> AbortOnDropHandle<()> {
    let (tenants, audit) = (tenants.clone(), audit.clone());
    AbortOnDropHandle::new(tokio::spawn(async move { tenants.keep_current(&audit).await }))
}

//! Converts errors of other rooms into HTTP answers. Only this file chooses the status, the problem type, `Retry-After`
//! and the details for programs.

use std::io::ErrorKind;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::reply::Problem;
use crate::{
    api_types::millis,
    browser::UserDataError,
    pool::{NoLease, NotReplaced},
    session::{manager::ServiceError, pages::PageError, session_files::FilesError},
    snapshot::{ContentError, SnapshotError, repository::RepositoryError},
    store::StoreError,
    tenant::{ChangeError, EditError, TenantsError, limits::Refusal},
};

impl From<&ServiceError> for Problem {
    fn from(why: &ServiceError) -> Self {
        let (status, kind) = of_service(why);
        let limited = match why {
            ServiceError::Limited(refusal) => Some(*refusal),
            _ => None,
        };
        let retry_after = limited.map_or_else(|| retry_after(status), |refusal| Some(refusal.retry_seconds()));
        Self { status, kind, detail: why.to_string(), details: details(why).into(), retry_after, limited }
    }
}

impl Problem {
    /// The same at the endpoints of browserless, whose clients know 429 for a server without room, and 408 for an action that
    /// takes too long.
    pub(super) fn for_browserless(mut self) -> Self {
        match self.kind {
            "queue-full" | "queue-timeout" | "no-place" => self.status = StatusCode::TOO_MANY_REQUESTS,
            "action-timeout" => self.status = StatusCode::REQUEST_TIMEOUT,
            _ => {}
        }
        self
    }
}

/// The status, and the last part of the problem type.
type Kind = (StatusCode, &'static str);

fn of_service(why: &ServiceError) -> Kind {
    match why {
        ServiceError::NoSession { .. } => (StatusCode::NOT_FOUND, "no-session"),
        ServiceError::NoBrowser(_) => (StatusCode::NOT_FOUND, "no-browser"),
        ServiceError::NotReplaced(NotReplaced::Dedicated(_)) => (StatusCode::CONFLICT, "dedicated-browser"),
        ServiceError::NotReplaced(_) => (StatusCode::CONFLICT, "remote-browser"),
        ServiceError::Tenants(TenantsError::Away(_)) => (StatusCode::SERVICE_UNAVAILABLE, "tenants-unavailable"),
        ServiceError::Config(_) | ServiceError::TooMuch(_) | ServiceError::Tenants(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "configuration")
        }
        ServiceError::NoTenant(_) => (StatusCode::NOT_FOUND, "no-tenant"),
        ServiceError::NoToken { .. } => (StatusCode::NOT_FOUND, "no-token"),
        ServiceError::TenantChange(why) => of_tenant_change(why),
        ServiceError::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        ServiceError::Paused { .. } => (StatusCode::SERVICE_UNAVAILABLE, "paused"),
        ServiceError::NoTarget(_) => (StatusCode::NOT_FOUND, "no-target"),
        ServiceError::Taken(_) | ServiceError::Exclusive(_) => (StatusCode::CONFLICT, "taken"),
        ServiceError::ManyClients { .. } => (StatusCode::CONFLICT, "many-clients"),
        ServiceError::Begun { .. } => (StatusCode::CONFLICT, "option-conflict"),
        ServiceError::IdInUse(_) => (StatusCode::CONFLICT, "id-in-use"),
        ServiceError::Elsewhere(_) => (StatusCode::CONFLICT, "elsewhere"),
        ServiceError::Queued(_) => (StatusCode::CONFLICT, "queued"),
        ServiceError::Closing => (StatusCode::CONFLICT, "closing"),
        ServiceError::Bad(_) => (StatusCode::BAD_REQUEST, "bad-value"),
        ServiceError::Together(_) => (StatusCode::UNPROCESSABLE_ENTITY, "contradiction"),
        ServiceError::Incapable { .. } => (StatusCode::FORBIDDEN, "no-capability"),
        ServiceError::OutOfScope { .. } => (StatusCode::FORBIDDEN, "out-of-scope"),
        ServiceError::Ambiguous(_) => (StatusCode::CONFLICT, "ambiguous"),
        ServiceError::Step { error, .. } => of_service(error),
        ServiceError::NoJob(_) => (StatusCode::NOT_FOUND, "no-job"),
        ServiceError::NoSecret(_) => (StatusCode::NOT_FOUND, "no-secret"),
        ServiceError::JobTooLarge { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "result-too-large"),
        ServiceError::NoAudit => (StatusCode::SERVICE_UNAVAILABLE, "no-audit"),
        ServiceError::ManyJobs { .. } | ServiceError::ManySecrets { .. } | ServiceError::TooMany { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "too-many")
        }
        ServiceError::Limited(Refusal { limit, .. }) => {
            (StatusCode::TOO_MANY_REQUESTS, if limit.window().is_some() { "too-fast" } else { "too-many" })
        }
        ServiceError::LimitsAway => (StatusCode::SERVICE_UNAVAILABLE, "limits-unavailable"),
        ServiceError::QueueFull { .. } => (StatusCode::SERVICE_UNAVAILABLE, "queue-full"),
        ServiceError::QueueTimeout { .. } => (StatusCode::SERVICE_UNAVAILABLE, "queue-timeout"),
        ServiceError::Crowded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "snapshots-busy"),
        ServiceError::SlowImport { .. } => (StatusCode::REQUEST_TIMEOUT, "slow-body"),
        ServiceError::NoSnapshot(_) => (StatusCode::NOT_FOUND, "no-snapshot"),
        ServiceError::Asleep(_) => (StatusCode::CONFLICT, "hibernated"),
        ServiceError::LostProxy(_) => (StatusCode::CONFLICT, "proxy-needed"),
        ServiceError::InUse(_) => (StatusCode::CONFLICT, "in-use"),
        ServiceError::Restoring(_) => (StatusCode::CONFLICT, "restoring"),
        ServiceError::NoProfile(_) | ServiceError::UserData { why: UserDataError::Missing, .. } => {
            (StatusCode::NOT_FOUND, "no-profile")
        }
        ServiceError::ProfileInUse { .. } | ServiceError::UserData { why: UserDataError::Locked, .. } => {
            (StatusCode::CONFLICT, "profile-in-use")
        }
        ServiceError::UserData { .. } => (StatusCode::SERVICE_UNAVAILABLE, "user-data"),
        ServiceError::UserDataQuota { .. } => (StatusCode::INSUFFICIENT_STORAGE, "user-data-quota"),
        ServiceError::UserDataIdle(_) => (StatusCode::CONFLICT, "profile-not-in-use"),
        ServiceError::Files(why) => of_files(why),
        ServiceError::Page(why) => of_page(why),
        ServiceError::Snapshot(why) | ServiceError::BadProfile { why, .. } => of_snapshot(why),
        ServiceError::NoUserData
        | ServiceError::NoPlace(NoLease::NeverDedicated { .. } | NoLease::NeverHeadful { .. }) => {
            (StatusCode::BAD_REQUEST, "not-offered")
        }
        ServiceError::NoPlace(NoLease::Call(_))
        | ServiceError::Call(_)
        | ServiceError::Refused(_)
        | ServiceError::Unreadable(_) => (StatusCode::SERVICE_UNAVAILABLE, "browser"),
        ServiceError::NoPlace(NoLease::NoGate) => (StatusCode::SERVICE_UNAVAILABLE, "no-browser-for-egress"),
        ServiceError::NoPlace(
            NoLease::Exclusive { .. }
            | NoLease::Apart
            | NoLease::NoBrowser { .. }
            | NoLease::NoDedicated { .. }
            | NoLease::NotStarted { .. }
            | NoLease::Closing,
        ) => (StatusCode::SERVICE_UNAVAILABLE, "no-place"),
    }
}

fn of_tenant_change(why: &ChangeError) -> Kind {
    match why {
        ChangeError::NoFile => (StatusCode::CONFLICT, "no-tenants-file"),
        ChangeError::Edit { error: EditError::NoTenant(_), .. } => (StatusCode::NOT_FOUND, "no-tenant"),
        ChangeError::Edit { error: EditError::NoToken { .. }, .. } => (StatusCode::NOT_FOUND, "no-token"),
        ChangeError::Edit { error: EditError::Exists { .. }, .. } => (StatusCode::CONFLICT, "token-name-in-use"),
        ChangeError::Edit { error: EditError::Many { .. }, .. } => (StatusCode::CONFLICT, "too-many-tokens"),
        ChangeError::Edit { error: EditError::ShownProxy, .. } => (StatusCode::BAD_REQUEST, "bad-value"),
        ChangeError::Edit { error: EditError::File(_) | EditError::Form(_), .. } | ChangeError::NotInForce(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "configuration")
        }
        ChangeError::File { .. } => (StatusCode::SERVICE_UNAVAILABLE, "tenants-file"),
        ChangeError::Away(_) => (StatusCode::SERVICE_UNAVAILABLE, "tenants-unavailable"),
    }
}

fn of_page(why: &PageError) -> Kind {
    match why {
        PageError::NoPage { .. } => (StatusCode::NOT_FOUND, "no-page"),
        PageError::Busy { .. } => (StatusCode::TOO_MANY_REQUESTS, "page-busy"),
        PageError::Closed => (StatusCode::CONFLICT, "page-closed"),
        PageError::Url { .. } => (StatusCode::FORBIDDEN, "url-refused"),
        PageError::NotLoaded { .. } => (StatusCode::BAD_GATEWAY, "not-loaded"),
        PageError::Bad(_) => (StatusCode::BAD_REQUEST, "bad-value"),
        PageError::Selector { .. } => (StatusCode::BAD_REQUEST, "bad-selector"),
        PageError::Several { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "several-elements"),
        PageError::StaleRef { .. } => (StatusCode::CONFLICT, "stale-ref"),
        PageError::Impossible { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "not-possible"),
        PageError::Timeout { .. } => (StatusCode::GATEWAY_TIMEOUT, "action-timeout"),
        PageError::StaleHandle { .. } => (StatusCode::CONFLICT, "stale-handle"),
        PageError::ManyHandles { .. } => (StatusCode::TOO_MANY_REQUESTS, "too-many-handles"),
        PageError::Script { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "script-failed"),
        PageError::TooLarge { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "result-too-large"),
        PageError::ClientOwns { .. } => (StatusCode::CONFLICT, "client-owns"),
        PageError::CodeLeft => (StatusCode::UNPROCESSABLE_ENTITY, "code-left"),
        PageError::NoDialog => (StatusCode::CONFLICT, "no-dialog"),
        PageError::NoSecret { .. } => (StatusCode::NOT_FOUND, "no-secret"),
        PageError::SecretOrigin { .. } => (StatusCode::FORBIDDEN, "secret-origin"),
        PageError::Step { error, .. } | PageError::Field { error, .. } => of_page(error),
        PageError::Files(why) => of_files(why),
        PageError::Refused { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "command-refused"),
        PageError::Many { .. } => (StatusCode::CONFLICT, "too-many-on-page"),
        PageError::Call(_) => (StatusCode::SERVICE_UNAVAILABLE, "browser"),
    }
}

fn of_files(why: &FilesError) -> Kind {
    match why {
        FilesError::Missing { .. } => (StatusCode::NOT_FOUND, "no-file"),
        FilesError::NotThere { .. } => (StatusCode::CONFLICT, "not-completed"),
        FilesError::Quota { .. } | FilesError::Many { .. } => (StatusCode::INSUFFICIENT_STORAGE, "files-quota"),
        FilesError::Name(_) => (StatusCode::BAD_REQUEST, "bad-value"),
        FilesError::Ended => (StatusCode::CONFLICT, "closing"),
        FilesError::Cut(error) if error.kind() == ErrorKind::TimedOut => (StatusCode::REQUEST_TIMEOUT, "slow-body"),
        FilesError::Cut(_) => (StatusCode::BAD_REQUEST, "bad-body"),
        FilesError::Disk(error) => match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                (StatusCode::INSUFFICIENT_STORAGE, "disk-full")
            }
            _ => (StatusCode::SERVICE_UNAVAILABLE, "disk"),
        },
    }
}

fn of_snapshot(why: &RepositoryError) -> Kind {
    match why {
        RepositoryError::Store(why) => of_store(why),
        RepositoryError::TooLarge { .. } | RepositoryError::NoMemory { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, "snapshot-too-large")
        }
        RepositoryError::Snapshot(SnapshotError::Browser(_)) => (StatusCode::SERVICE_UNAVAILABLE, "browser"),
        RepositoryError::Snapshot(SnapshotError::Content(ContentError::TooLong { .. })) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "snapshot-line")
        }
        RepositoryError::Snapshot(SnapshotError::Content(ContentError::Newer(_))) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "snapshot-newer")
        }
        RepositoryError::Snapshot(SnapshotError::Content(_)) => (StatusCode::UNPROCESSABLE_ENTITY, "snapshot-damaged"),
        RepositoryError::Snapshot(SnapshotError::Write(_)) => (StatusCode::SERVICE_UNAVAILABLE, "store"),
        RepositoryError::Import(_) | RepositoryError::Base64(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "no-snapshot-content")
        }
        RepositoryError::Cut(_) => (StatusCode::BAD_REQUEST, "bad-body"),
    }
}

fn of_store(why: &StoreError) -> Kind {
    match why {
        StoreError::Missing { .. } => (StatusCode::NOT_FOUND, "no-snapshot"),
        StoreError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "snapshot-too-large"),
        StoreError::Quota { .. } => (StatusCode::INSUFFICIENT_STORAGE, "snapshot-quota"),
        StoreError::DiskFull { .. } => (StatusCode::INSUFFICIENT_STORAGE, "disk-full"),
        StoreError::Invalid { .. } | StoreError::BadOwner(_) | StoreError::BadSnapshotId(_) => {
            (StatusCode::BAD_REQUEST, "bad-value")
        }
        StoreError::UnknownKey { .. } | StoreError::WrongKey { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "snapshot-key")
        }
        StoreError::Corrupt { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "snapshot-damaged"),
        StoreError::Newer { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "snapshot-newer"),
        StoreError::UnreadableSession { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "session-unreadable"),
        StoreError::ProfileLost { .. } => (StatusCode::CONFLICT, "profile-in-use"),
        StoreError::Abandoned | StoreError::InUse { .. } | StoreError::Unavailable { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "store")
        }
    }
}

/// Seconds after which a new attempt may succeed, if it may.
fn retry_after(status: StatusCode) -> Option<u32> {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some(5),
        StatusCode::SERVICE_UNAVAILABLE => Some(1),
        _ => None,
    }
}

/// Further members of the problem, for programs.
fn details(why: &ServiceError) -> Map<String, Value> {
    let details = match why {
        ServiceError::Step { step, action, error, results } => {
            let mut inner = details(error);
            let of_list = [("step", json!(step)), ("action", json!(action)), ("results", json!(results))];
            inner.extend(of_list.map(|(name, value)| (name.to_owned(), value)));
            Value::Object(inner)
        }
        ServiceError::Page(PageError::ManyHandles { most }) => json!({ "limit": "page_handles", "most": most }),
        ServiceError::NoSession { ended: Some(ended), .. } => {
            json!({ "endedAgo": millis(ended.ago()), "reason": ended.why })
        }
        ServiceError::Bad(bad) | ServiceError::Together(bad) | ServiceError::Page(PageError::Bad(bad)) => {
            json!({ "field": bad.field })
        }
        ServiceError::Page(PageError::Several { count, matches, .. }) => json!({ "count": count, "matches": matches }),
        ServiceError::Page(PageError::Timeout { condition, seen, .. }) => {
            json!({ "condition": condition, "seen": seen })
        }
        ServiceError::Page(PageError::Script { stack, .. }) => json!({ "stack": stack }),
        ServiceError::Page(PageError::TooLarge { size, most }) | ServiceError::JobTooLarge { size, most } => {
            json!({ "size": size, "most": most })
        }
        ServiceError::Page(PageError::Field { index, .. }) => json!({ "index": index }),
        ServiceError::Page(PageError::Refused { method, error }) => {
            json!({ "method": method, "code": error.code, "message": error.message })
        }
        ServiceError::Page(PageError::Many { most, .. }) => json!({ "most": most }),
        ServiceError::Page(PageError::Busy { most }) => json!({ "limit": "page_queue", "most": most }),
        ServiceError::Incapable { needs, .. } => json!({ "capability": needs.name() }),
        ServiceError::ProfileInUse { holder, .. } => json!({ "holder": holder }),
        ServiceError::ManyClients { most, .. } => json!({ "limit": "max_clients_per_session", "most": most }),
        ServiceError::Files(FilesError::Quota { limit, most, taken, .. }) => {
            json!({ "limit": limit, "most": most, "taken": taken })
        }
        ServiceError::Files(FilesError::Many { most }) => json!({ "limit": "session_files_count", "most": most }),
        ServiceError::ManyJobs { most } => json!({ "limit": "jobs", "most": most }),
        ServiceError::ManySecrets { most } => json!({ "limit": "secrets", "most": most }),
        ServiceError::TooMany { limit, most } => json!({ "limit": limit, "most": most }),
        ServiceError::Limited(Refusal { limit, most, retry_after }) => {
            json!({ "limit": limit.name(), "most": most, "retryAfter": millis(*retry_after) })
        }
        ServiceError::QueueFull { limit, most, waiting, queue } => {
            json!({ "limit": limit, "most": most, "waiting": waiting, "queue": queue })
        }
        ServiceError::Crowded { most, waiting } => json!({ "most": most, "waiting": waiting }),
        ServiceError::QueueTimeout { limit, most, waited, position, waiting } => json!({
            "limit": limit, "most": most, "waited": millis(*waited), "position": position, "waiting": waiting,
        }),
        _ => Value::Null,
    };
    match details {
        Value::Object(details) => details,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        api_types::{Bad, Capability, DownloadState, Owner},
        browser::CallError,
        config::ConfigError,
        pool::TooMuch,
        port::BrowserId,
        tenant::{RedisAway, Scope, limits::LimitName},
    };

    fn wrong_config() -> ConfigError {
        let setting = "warm in ghostmux.toml:1".to_owned();
        ConfigError::Value { setting, value: "x".to_owned(), problem: "must be a whole number".to_owned() }
    }

    /// Clients match on these values: a changed row breaks clients.
    #[test]
    fn each_error_has_its_status_and_problem_type() {
        let id = || "x".to_owned();
        let content = |error: ContentError| ServiceError::from(RepositoryError::Snapshot(error.into()));
        let write = || std::io::Error::other("full");
        let waited = Duration::from_secs(2);
        let changed = |error: EditError| ServiceError::from(ChangeError::edit("x", error));
        let away = || RedisAway { url: "redis://a".to_owned(), why: "it does not answer".to_owned() };
        let remote = NotReplaced::Remote { browser: BrowserId(1), url: "ws://a/".to_owned() };
        let table: Vec<(ServiceError, u16, &str, Option<u32>, Value)> = vec![
            (ServiceError::NoSession { id: id(), ended: None }, 404, "no-session", None, json!({})),
            (ServiceError::NoTarget(id()), 404, "no-target", None, json!({})),
            (ServiceError::NoBrowser(id()), 404, "no-browser", None, json!({})),
            (ServiceError::NotReplaced(remote), 409, "remote-browser", None, json!({})),
            (
                ServiceError::NotReplaced(NotReplaced::Dedicated(BrowserId(1))),
                409,
                "dedicated-browser",
                None,
                json!({}),
            ),
            (wrong_config().into(), 422, "configuration", None, json!({})),
            (TooMuch::Memory { limit: 2, mib: 1 }.into(), 422, "configuration", None, json!({})),
            (ServiceError::Draining, 503, "draining", Some(1), json!({})),
            (ServiceError::Paused { waiting: 2 }, 503, "paused", Some(1), json!({})),
            (ServiceError::Taken(id()), 409, "taken", None, json!({})),
            (ServiceError::IdInUse(id()), 409, "id-in-use", None, json!({})),
            (ServiceError::Elsewhere(id()), 409, "elsewhere", None, json!({})),
            (ServiceError::Queued(id()), 409, "queued", None, json!({})),
            (ServiceError::Closing, 409, "closing", None, json!({})),
            (Bad::new("name", "is long").into(), 400, "bad-value", None, json!({ "field": "name" })),
            (ServiceError::Together(Bad::new("a", "b")), 422, "contradiction", None, json!({ "field": "a" })),
            (
                ServiceError::Incapable { what: "drain", needs: Capability::Admin },
                403,
                "no-capability",
                None,
                json!({ "capability": "admin" }),
            ),
            (ServiceError::OutOfScope { what: "drain", scope: Scope::ReadOnly }, 403, "out-of-scope", None, json!({})),
            (ServiceError::Ambiguous(id()), 409, "ambiguous", None, json!({})),
            (ServiceError::ManyJobs { most: 3 }, 429, "too-many", Some(5), json!({ "limit": "jobs", "most": 3 })),
            (ServiceError::NoJob(id()), 404, "no-job", None, json!({})),
            (ServiceError::NoSecret(id()), 404, "no-secret", None, json!({})),
            (ServiceError::ManySecrets { most: 3 }, 429, "too-many", Some(5), json!({ "limit": "secrets", "most": 3 })),
            (
                ServiceError::JobTooLarge { size: 9, most: 3 },
                422,
                "result-too-large",
                None,
                json!({ "size": 9, "most": 3 }),
            ),
            (ServiceError::NoAudit, 503, "no-audit", Some(1), json!({})),
            (
                ServiceError::TooMany { limit: "max_owner_sessions", most: 3 },
                429,
                "too-many",
                Some(5),
                json!({ "limit": "max_owner_sessions", "most": 3 }),
            ),
            (
                Refusal::of_count(LimitName::Sessions, 3).into(),
                429,
                "too-many",
                Some(5),
                json!({ "limit": "max_sessions", "most": 3, "retryAfter": 5000 }),
            ),
            (
                Refusal::of_rate(LimitName::StartsPerMinute, 3, Duration::from_millis(1500)).into(),
                429,
                "too-fast",
                Some(2),
                json!({ "limit": "sessions_per_minute", "most": 3, "retryAfter": 1500 }),
            ),
            (ServiceError::NoTenant(id()), 404, "no-tenant", None, json!({})),
            (ServiceError::NoToken { tenant: id(), token: id() }, 404, "no-token", None, json!({})),
            (ChangeError::NoFile.into(), 409, "no-tenants-file", None, json!({})),
            (changed(EditError::NoTenant(id())), 404, "no-tenant", None, json!({})),
            (changed(EditError::NoToken { owner: Owner::local(), token: id() }), 404, "no-token", None, json!({})),
            (
                changed(EditError::Exists { owner: Owner::local(), name: id() }),
                409,
                "token-name-in-use",
                None,
                json!({}),
            ),
            (changed(EditError::Many { owner: Owner::local(), most: 2 }), 409, "too-many-tokens", None, json!({})),
            (changed(EditError::Form("tenants")), 422, "configuration", None, json!({})),
            (ChangeError::file("x", write()).into(), 503, "tenants-file", Some(1), json!({})),
            (ChangeError::from(away()).into(), 503, "tenants-unavailable", Some(1), json!({})),
            (TenantsError::from(away()).into(), 503, "tenants-unavailable", Some(1), json!({})),
            (TenantsError::None.into(), 422, "configuration", None, json!({})),
            (ServiceError::LimitsAway, 503, "limits-unavailable", Some(1), json!({})),
            (
                ServiceError::QueueFull { limit: "max_sessions", most: 3, waiting: 2, queue: 2 },
                503,
                "queue-full",
                Some(1),
                json!({ "limit": "max_sessions", "most": 3, "waiting": 2, "queue": 2 }),
            ),
            (
                ServiceError::QueueTimeout { limit: "max_sessions", most: 3, waited, position: 1, waiting: 2 },
                503,
                "queue-timeout",
                Some(1),
                json!({ "limit": "max_sessions", "most": 3, "waited": 2000, "position": 1, "waiting": 2 }),
            ),
            (
                ServiceError::Crowded { most: 2, waiting: 1 },
                503,
                "snapshots-busy",
                Some(1),
                json!({ "most": 2, "waiting": 1 }),
            ),
            (ServiceError::SlowImport { most: waited }, 408, "slow-body", None, json!({})),
            (ServiceError::NoSnapshot(id()), 404, "no-snapshot", None, json!({})),
            (ServiceError::NoUserData, 400, "not-offered", None, json!({})),
            (ServiceError::UserData { name: id(), why: UserDataError::Locked }, 409, "profile-in-use", None, json!({})),
            (ServiceError::UserData { name: id(), why: UserDataError::Missing }, 404, "no-profile", None, json!({})),
            (
                ServiceError::UserData { name: id(), why: UserDataError::Foreign("x".into()) },
                503,
                "user-data",
                Some(1),
                json!({}),
            ),
            (ServiceError::UserDataQuota { size: 2, limit: 1 }, 507, "user-data-quota", None, json!({})),
            (ServiceError::UserDataIdle(id()), 409, "profile-not-in-use", None, json!({})),
            (FilesError::Missing { what: "file", name: id() }.into(), 404, "no-file", None, json!({})),
            (
                FilesError::NotThere { id: id(), state: DownloadState::InProgress }.into(),
                409,
                "not-completed",
                None,
                json!({}),
            ),
            (
                FilesError::Quota { limit: "session_files_max", most: 2, taken: 1, whose: "x" }.into(),
                507,
                "files-quota",
                None,
                json!({ "limit": "session_files_max", "most": 2, "taken": 1 }),
            ),
            (
                FilesError::Many { most: 2 }.into(),
                507,
                "files-quota",
                None,
                json!({ "limit": "session_files_count", "most": 2 }),
            ),
            (FilesError::Ended.into(), 409, "closing", None, json!({})),
            (FilesError::Cut(ErrorKind::TimedOut.into()).into(), 408, "slow-body", None, json!({})),
            (FilesError::Cut(write()).into(), 400, "bad-body", None, json!({})),
            (FilesError::Disk(ErrorKind::StorageFull.into()).into(), 507, "disk-full", None, json!({})),
            (FilesError::Disk(write()).into(), 503, "disk", Some(1), json!({})),
            (ServiceError::NoProfile(id()), 404, "no-profile", None, json!({})),
            (
                ServiceError::ProfileInUse { name: id(), holder: "s".to_owned() },
                409,
                "profile-in-use",
                None,
                json!({ "holder": "s" }),
            ),
            (
                ServiceError::BadProfile {
                    name: id(),
                    why: StoreError::Corrupt { id: 1.into(), what: "a chunk is not there".to_owned() }.into(),
                },
                422,
                "snapshot-damaged",
                None,
                json!({}),
            ),
            (ServiceError::Asleep(id()), 409, "hibernated", None, json!({})),
            (ServiceError::InUse(id()), 409, "in-use", None, json!({})),
            (ServiceError::Restoring(id()), 409, "restoring", None, json!({})),
            (ServiceError::NoPlace(NoLease::Exclusive { seconds: 30 }), 503, "no-place", Some(1), json!({})),
            (
                ServiceError::NoPlace(NoLease::NoDedicated { seconds: 30, why: "x".into() }),
                503,
                "no-place",
                Some(1),
                json!({}),
            ),
            (ServiceError::NoPlace(NoLease::NeverDedicated { why: "x" }), 400, "not-offered", None, json!({})),
            (ServiceError::NoPlace(NoLease::NeverHeadful { why: "x" }), 400, "not-offered", None, json!({})),
            (ServiceError::NoPlace(NoLease::NoGate), 503, "no-browser-for-egress", Some(1), json!({})),
            (ServiceError::NoPlace(CallError::Gone.into()), 503, "browser", Some(1), json!({})),
            (ServiceError::Call(CallError::Gone), 503, "browser", Some(1), json!({})),
            (RepositoryError::NoMemory { most: 1 }.into(), 413, "snapshot-too-large", None, json!({})),
            (RepositoryError::Cut(write()).into(), 400, "bad-body", None, json!({})),
            (RepositoryError::Snapshot(SnapshotError::Write(write())).into(), 503, "store", Some(1), json!({})),
            (content(ContentError::Newer(9)), 422, "snapshot-newer", None, json!({})),
            (PageError::Busy { most: 2 }.into(), 429, "page-busy", Some(5), json!({"limit": "page_queue", "most": 2})),
            (PageError::StaleRef { selector: "aria-ref=e1".to_owned() }.into(), 409, "stale-ref", None, json!({})),
            (
                PageError::Several { selector: "a".to_owned(), count: 7, matches: vec!["<a>".to_owned()] }.into(),
                422,
                "several-elements",
                None,
                json!({"count": 7, "matches": ["<a>"]}),
            ),
            (StoreError::Abandoned.into(), 503, "store", Some(1), json!({})),
            (StoreError::TooLarge { limit: 1 }.into(), 413, "snapshot-too-large", None, json!({})),
            (
                StoreError::Invalid { what: "name", problem: "is long".to_owned() }.into(),
                400,
                "bad-value",
                None,
                json!({}),
            ),
            (
                StoreError::UnreadableSession { id: id(), why: "damaged".to_owned() }.into(),
                422,
                "session-unreadable",
                None,
                json!({}),
            ),
        ];
        for (error, status, kind, retry_after, details) in table {
            let problem = Problem::from(&error);
            let found = (problem.status.as_u16(), problem.kind, problem.retry_after, Value::Object(*problem.details));
            assert_eq!(found, (status, kind, retry_after, details), "{error}");
            assert_eq!(problem.detail, error.to_string());
        }
    }

    #[test]
    fn a_refusal_by_a_limit_says_in_its_headers_when_to_come_again() {
        let header = |why: Refusal, name: &str| {
            let answer = Problem::from(&ServiceError::from(why)).answer();
            answer.headers().get(name).map(|value| value.to_str().expect("text").to_owned())
        };
        let rate = Refusal::of_rate(LimitName::StartsPerMinute, 60, Duration::from_millis(2500));
        assert_eq!(header(rate, "retry-after").as_deref(), Some("3"));
        assert_eq!(header(rate, "ratelimit-policy").as_deref(), Some(r#""sessions_per_minute";q=60;w=60"#));
        assert_eq!(header(rate, "ratelimit").as_deref(), Some(r#""sessions_per_minute";r=0;t=3"#));
        let count = Refusal::of_count(LimitName::Sessions, 4);
        assert_eq!(header(count, "ratelimit-policy").as_deref(), Some(r#""max_sessions";q=4"#));
        assert_eq!(header(count, "ratelimit").as_deref(), Some(r#""max_sessions";r=0;t=5"#));
        let other = Problem::from(&ServiceError::Draining).answer();
        assert!(!other.headers().contains_key("ratelimit"));
    }
}

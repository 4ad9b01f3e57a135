//! What a caller may do at all: by the scope of its token or key, and by the capabilities of its tenant. The operations
//! themselves see only the sessions and snapshots of the caller, an admin those of all.

use futures_util::future::join_all;

use super::{Handle, SessionManager};
use crate::{
    api_types::{
        Capability, Request,
        operations::{
            CloseSession, CreateToken, DeleteDownload, DeleteFile, DeleteSecret, DeleteTenant, FileRequest,
            GetDownload, GetEgress, GetPages, GetSession, GetTenant, GetToken, GetUsage, ListDownloads, ListFiles,
            ListTokens, Park, ProfileRequest, PutFile, PutSecret, PutTenant, RevokeToken, SaveSnapshot, SecretRequest,
            ServerRequest, SessionRequest, SnapshotRequest, TenantRequest, UpdateSession,
        },
    },
    close_reason::CloseReason,
    session::{
        error::ServiceError,
        id::SessionId,
        pages::session_of,
        task::{Caller, Control},
    },
    tenant::{Scope, Tenants, token::repeatable},
};

/// Checks whether a caller may make a request. `from` is the session whose client makes it, if one does.
pub(super) fn permit(caller: &Caller, from: Option<&str>, request: &Request) -> Result<(), ServiceError> {
    let what = request.name();
    let is_for_admins = match request {
        // A tenant may see its own.
        Request::Server(ServerRequest::ListUsage(_))
        | Request::Session(_)
        | Request::Page(_)
        | Request::Snapshot(_)
        | Request::Profile(_)
        | Request::File(_)
        | Request::Job(_)
        | Request::Secret(_) => false,
        Request::Server(_) | Request::Control(_) | Request::Tenant(_) => true,
    };
    if is_for_admins && !caller.tenant.capabilities().has(Capability::Admin) {
        return Err(ServiceError::Incapable { what, needs: Capability::Admin });
    }
    let is_permitted = match &caller.access.scope {
        Scope::All => true,
        Scope::ReadOnly => reads(request),
        Scope::Session(only) => match concerns(request) {
            // Another session is answered as one that does not exist.
            Concerns::Named(named) if named != &**only => return Err(unknown(named)),
            Concerns::Named(_) => true,
            Concerns::Own => from == Some(only),
            // Of jobs it sees only those that were begun by the same right.
            Concerns::More => matches!(request, Request::Session(SessionRequest::ListSessions(_)) | Request::Job(_)),
        },
    };
    if is_permitted { Ok(()) } else { Err(out_of_scope(caller, what)) }
}

/// Checks whether a caller may do what concerns more than one session.
pub(super) fn whole(caller: &Caller, what: &'static str) -> Result<(), ServiceError> {
    if caller.access.scope == Scope::All { Ok(()) } else { Err(out_of_scope(caller, what)) }
}

/// Checks whether a caller may connect to this session.
pub(super) fn may_connect(caller: &Caller, id: &str) -> Result<(), ServiceError> {
    match &caller.access.scope {
        Scope::All => Ok(()),
        Scope::ReadOnly => Err(out_of_scope(caller, "connect")),
        Scope::Session(only) if **only == *id => Ok(()),
        Scope::Session(_) => Err(unknown(id)),
    }
}

fn out_of_scope(caller: &Caller, what: &'static str) -> ServiceError {
    ServiceError::OutOfScope { what, scope: caller.access.scope.clone() }
}

fn unknown(id: &str) -> ServiceError {
    ServiceError::NoSession { id: id.chars().take(200).collect(), ended: None }
}

/// Whether the audit log has the request: it controls the server, or hands out or deletes what a session stored.
pub(super) fn is_recorded(request: &Request) -> bool {
    match request {
        Request::Control(_) => true,
        Request::Session(request) => matches!(request, SessionRequest::CloseSession(_)),
        Request::Snapshot(request) => {
            !matches!(request, SnapshotRequest::ListSnapshots(_) | SnapshotRequest::GetSnapshot(_))
        }
        Request::Profile(request) => !only_names(request),
        Request::File(request) => !only_lists(request),
        Request::Tenant(request) => !only_looks(request),
        Request::Secret(request) => !matches!(request, SecretRequest::ListSecrets(_)),
        Request::Server(_) | Request::Page(_) | Request::Job(_) => false,
    }
}

/// The tenant, the token or the secret that a request is about, for the audit log; `None` if it is about none.
pub(super) fn object(request: &Request) -> Option<String> {
    let request = match request {
        Request::Tenant(request) => request,
        Request::Secret(
            SecretRequest::PutSecret(PutSecret { secret, .. }) | SecretRequest::DeleteSecret(DeleteSecret { secret }),
        ) => return Some(repeatable(secret)),
        _ => return None,
    };
    Some(match request {
        TenantRequest::ListTenants(_) => return None,
        TenantRequest::GetTenant(GetTenant { tenant })
        | TenantRequest::PutTenant(PutTenant { tenant, .. })
        | TenantRequest::DeleteTenant(DeleteTenant { tenant })
        | TenantRequest::ListTokens(ListTokens { tenant, .. })
        | TenantRequest::CreateToken(CreateToken { tenant, .. }) => repeatable(tenant),
        TenantRequest::GetToken(GetToken { tenant, token })
        | TenantRequest::RevokeToken(RevokeToken { tenant, token }) => {
            format!("{}/{}", repeatable(tenant), repeatable(token))
        }
    })
}

/// Whether a request about tenants changes none.
fn only_looks(request: &TenantRequest) -> bool {
    matches!(
        request,
        TenantRequest::ListTenants(_)
            | TenantRequest::GetTenant(_)
            | TenantRequest::ListTokens(_)
            | TenantRequest::GetToken(_)
    )
}

/// Whether a request about profiles shows that they exist, and no more.
fn only_names(request: &ProfileRequest) -> bool {
    matches!(request, ProfileRequest::ListProfiles(_) | ProfileRequest::GetProfile(_))
}

/// Whether a request about files shows that they exist, and not their content.
fn only_lists(request: &FileRequest) -> bool {
    matches!(request, FileRequest::ListDownloads(_) | FileRequest::ListFiles(_))
}

/// Whether a request only looks, and shows nothing by which somebody could act as a session.
fn reads(request: &Request) -> bool {
    match request {
        Request::Session(request) => matches!(
            request,
            SessionRequest::GetSession(_)
                | SessionRequest::ListSessions(_)
                | SessionRequest::GetUsage(_)
                | SessionRequest::GetEgress(_)
                | SessionRequest::GetPages(_)
        ),
        Request::Snapshot(request) => {
            matches!(request, SnapshotRequest::ListSnapshots(_) | SnapshotRequest::GetSnapshot(_))
        }
        Request::Profile(request) => only_names(request),
        Request::File(request) => only_lists(request),
        Request::Server(_) => true,
        Request::Secret(request) => matches!(request, SecretRequest::ListSecrets(_)),
        Request::Tenant(request) => only_looks(request),
        // What a page shows, a session shows to those who may drive it.
        Request::Control(_) | Request::Page(_) | Request::Job(_) => false,
    }
}

/// What a request concerns.
enum Concerns<'a> {
    /// The session that it names, alone.
    Named(&'a str),
    /// The session of the client, alone.
    Own,
    /// More than one session, or something else.
    More,
}

fn concerns(request: &Request) -> Concerns<'_> {
    if let Request::Page(request) = request {
        return session_of(request).map_or(Concerns::Own, Concerns::Named);
    }
    let (Request::Session(
        SessionRequest::GetSession(GetSession { id })
        | SessionRequest::CloseSession(CloseSession { id })
        | SessionRequest::Park(Park { id, .. })
        | SessionRequest::GetUsage(GetUsage { id })
        | SessionRequest::GetEgress(GetEgress { id })
        | SessionRequest::GetPages(GetPages { id, .. })
        | SessionRequest::UpdateSession(UpdateSession { id, .. }),
    )
    | Request::Snapshot(SnapshotRequest::SaveSnapshot(SaveSnapshot { id, .. }))
    | Request::File(
        FileRequest::ListDownloads(ListDownloads { id, .. })
        | FileRequest::GetDownload(GetDownload { id, .. })
        | FileRequest::DeleteDownload(DeleteDownload { id, .. })
        | FileRequest::ListFiles(ListFiles { id, .. })
        | FileRequest::PutFile(PutFile { id, .. })
        | FileRequest::DeleteFile(DeleteFile { id, .. }),
    )) = request
    else {
        return Concerns::More;
    };
    id.as_deref().map_or(Concerns::Own, Concerns::Named)
}

impl SessionManager {
    /// Lets all sessions look at their tenants again, in an endless loop, whenever an operator has changed them.
    pub async fn follow(&self, tenants: &Tenants) {
        let mut seen = 0;
        loop {
            tenants.changed(&mut seen).await;
            let all: Vec<Handle> = self.inner.live.iter().map(|handle| handle.value().clone()).collect();
            // A session that has just ended needs nothing.
            join_all(all.iter().map(|handle| handle.control.send(Box::new(Control::TenantChanged)))).await;
        }
    }

    /// Ends a session for browserless's `/kill/{id}`.
    pub async fn kill(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        permit(caller, None, &CloseSession { id: Some(id.to_owned()) }.into())?;
        self.close(caller, id, CloseReason::Killed).await
    }

    /// The live session that a caller means: its own, or for an admin that of any tenant, by its id or as `TENANT@ID`.
    pub(super) fn meant(&self, caller: &Caller, id: &str) -> Result<Option<Handle>, ServiceError> {
        let own = self.handle(&SessionId::new(caller.owner(), id));
        if own.is_some() || !caller.is_admin() {
            return Ok(own);
        }
        if let Some((owner, id)) = id.split_once('@') {
            return Ok(owner.parse().ok().and_then(|owner| self.handle(&SessionId::new(&owner, id))));
        }
        let mut found = self.inner.live.iter().filter(|handle| *handle.session_info.id == *id);
        match (found.next().map(|handle| handle.value().clone()), found.next()) {
            (Some(_), Some(_)) => Err(ServiceError::Ambiguous(id.to_owned())),
            (one, _) => Ok(one),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        api_types::{
            Owner, ProfileKind, SnapshotFormat,
            capability::Capabilities,
            operations::{
                CreateSession, DeleteProfile, Drain, ExportProfile, ExportSnapshot, GetProfile, GetSnapshot, GetStatus,
                ListProfiles, ListSessions, ListSnapshots, ListTenants, NewPage, PageText,
            },
        },
        session::task::BaseUrl,
        tenant::{Access, Tenant, TenantSettings},
    };

    fn caller(capabilities: Capabilities, scope: Scope) -> Caller {
        let settings = TenantSettings { capabilities, ..TenantSettings::default() };
        Caller {
            tenant: Tenant::new(Owner::local(), settings),
            access: Access { scope, ..Access::default() },
            base: Arc::new(BaseUrl::plain("here")),
        }
    }

    fn get(id: Option<&str>) -> Request {
        GetSession { id: id.map(str::to_owned) }.into()
    }

    #[test]
    fn only_admins_see_and_control_the_server() {
        let (admin, other) = (caller(Capabilities::all(), Scope::All), caller(Capabilities::strict(), Scope::All));
        let of_tenants = [
            Request::from(ListTenants::default()),
            PutTenant::default().into(),
            CreateToken::default().into(),
            RevokeToken::default().into(),
        ];
        for request in of_tenants.into_iter().chain([Drain {}.into(), GetStatus {}.into()]) {
            permit(&admin, None, &request).expect("permitted");
            let refused = permit(&other, None, &request).expect_err("it needs a capability");
            assert!(refused.to_string().contains("it needs the capability admin"), "{refused}");
        }
    }

    #[test]
    fn read_only_tokens_look_and_change_nothing() {
        let caller = caller(Capabilities::all(), Scope::ReadOnly);
        for request in [
            get(Some("s")),
            ListSessions::default().into(),
            ListSnapshots::default().into(),
            GetSnapshot { snapshot: "x".into() }.into(),
            ListProfiles::default().into(),
            GetProfile { profile: "x".into(), kind: ProfileKind::Snapshot }.into(),
            GetStatus {}.into(),
            ListTokens::default().into(),
            ListDownloads::default().into(),
            ListFiles::default().into(),
        ] {
            permit(&caller, None, &request).expect("it only looks");
        }
        for request in vec![
            Request::from(CreateSession::default()),
            UpdateSession::default().into(),
            CloseSession::default().into(),
            // Whoever has the content of a snapshot can log in as its session.
            ExportSnapshot { snapshot: "x".into(), format: SnapshotFormat::Ghostmux }.into(),
            SaveSnapshot::default().into(),
            ExportProfile { profile: "x".into(), kind: ProfileKind::Snapshot, name: None, metadata: None, ttl: None }
                .into(),
            DeleteProfile { profile: "x".into(), kind: ProfileKind::UserData }.into(),
            Drain {}.into(),
            PutTenant::default().into(),
            DeleteTenant::default().into(),
            CreateToken::default().into(),
            RevokeToken::default().into(),
            GetDownload::default().into(),
            DeleteDownload::default().into(),
            PutFile::default().into(),
            DeleteFile::default().into(),
            NewPage::default().into(),
            PageText::default().into(),
        ] {
            let refused = permit(&caller, None, &request).expect_err("it does more");
            assert!(refused.to_string().contains("read-only"), "{refused}");
        }
        assert!(may_connect(&caller, "s").is_err() && whole(&caller, "x").is_err());
    }

    #[test]
    fn keys_are_good_for_their_session_alone() {
        let caller = caller(Capabilities::all(), Scope::Session("s".into()));
        permit(&caller, None, &get(Some("s"))).expect("its session");
        permit(&caller, Some("s"), &get(None)).expect("its session");
        permit(&caller, Some("s"), &SaveSnapshot::default().into()).expect("its session");
        permit(&caller, None, &ListSessions::default().into()).expect("it shows only its session");
        let of = |id: &str| {
            let (id, download, name) = (Some(id.to_owned()), "x".to_owned(), "x".to_owned());
            [
                Request::from(ListDownloads { id: id.clone(), ..ListDownloads::default() }),
                GetDownload { id: id.clone(), download: download.clone(), wait: None }.into(),
                DeleteDownload { id: id.clone(), download }.into(),
                ListFiles { id: id.clone(), ..ListFiles::default() }.into(),
                PutFile { id: id.clone(), name: name.clone() }.into(),
                NewPage { id: id.clone(), url: None }.into(),
                PageText { id: id.clone(), ..PageText::default() }.into(),
                DeleteFile { id, name }.into(),
            ]
        };
        for (own, others) in of("s").into_iter().zip(of("other")) {
            permit(&caller, None, &own).expect("its session");
            let refused = permit(&caller, Some("s"), &others).expect_err("another session");
            assert!(matches!(refused, ServiceError::NoSession { ended: None, .. }), "{refused}");
        }
        let other = permit(&caller, Some("s"), &get(Some("other"))).expect_err("another session");
        assert!(matches!(other, ServiceError::NoSession { ended: None, .. }), "{other}");
        for request in [
            Request::from(CreateSession::default()),
            ListSnapshots::default().into(),
            ListProfiles::default().into(),
            GetProfile { profile: "x".into(), kind: ProfileKind::Snapshot }.into(),
            Drain {}.into(),
        ] {
            let refused = permit(&caller, Some("s"), &request).expect_err("it concerns more");
            assert!(refused.to_string().contains("one session alone"), "{refused}");
        }
        may_connect(&caller, "s").expect("its session");
        assert!(may_connect(&caller, "other").is_err());
    }
}

//! In which browsers a session may be.

use crate::{
    api_types::{Capability, Isolation, Launch, capability::Capabilities},
    pool::{BrowserKind, Company, LeaseRequest},
    port::{Extension, LaunchSpec, PageSetup, UserData, egress::UpstreamProxy},
    session::{
        error::ServiceError,
        extensions,
        id::SessionId,
        launch::{Rights, Setup, Unplaced, Wanted},
        persistence::Checkpoint,
        proxy,
        task::{Caller, LaunchTerms},
    },
    tenant::{Sharing, Tenant},
};

/// The place that a session is to have.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// With whom it shares its browser.
    pub(super) isolation: Isolation,
    /// The launch options that lead to the rest, if there are any.
    pub(super) asked: Option<Launch>,
    /// How its browser is started.
    launch: LaunchSpec,
    /// What is set for each of its pages.
    pub(super) pages: PageSetup,
    /// The pause before each command of its clients, in milliseconds.
    pub(super) slow_mo: u64,
    /// The proxy by which its pages leave.
    pub(super) proxy: Option<UpstreamProxy>,
}

impl Place {
    /// A place with this isolation, and nothing special.
    pub(super) fn plain(isolation: Isolation) -> Self {
        Self { isolation, ..Self::default() }
    }

    /// Notes what the session is to have again when it is restored, and its clones.
    pub(super) fn note(&self, checkpoint: &Checkpoint, id: &SessionId) {
        if let Some(launch) = &self.asked {
            checkpoint.set_launch(launch.clone());
        }
        if let Some(proxy) = &self.proxy {
            checkpoint.set_proxy(id.as_str(), proxy.clone());
        }
    }

    /// As this one, with this proxy.
    pub(super) fn with_proxy(self, proxy: Option<UpstreamProxy>) -> Self {
        Self { proxy, ..self }
    }

    /// As this one, in a browser on this user data directory, in which this caller has installed these extensions.
    pub(super) fn with_user_data(self, user_data: UserData, caller: &Caller, extensions: &[Extension]) -> Self {
        let launch = self.launch.with_user_data(user_data).with_extensions(extensions);
        Self { launch: showing(launch, caller.tenant.capabilities(), extensions), ..self }
    }

    /// The place for a session of this caller that asks for this. Fails if the launch options may not be given.
    pub(super) async fn of(
        caller: &Caller,
        isolation: Option<Isolation>,
        launch: Option<&Launch>,
        terms: &LaunchTerms,
    ) -> Result<Self, ServiceError> {
        let Some(asked) = launch else { return Ok(Self::plain(isolation.unwrap_or_default())) };
        let rights = Rights {
            capabilities: caller.tenant.capabilities(),
            policy: terms.policy,
            has_extensions: terms.extensions.is_some(),
        };
        let placed = Wanted::read(asked, terms.limits)?.place(isolation, &rights);
        let Setup { isolation, flags, screen, pages, slow_mo } = placed.map_err(|why| match why {
            Unplaced::Bad(bad) => ServiceError::Bad(bad),
            Unplaced::Incapable { what, needs } => ServiceError::Incapable { what, needs },
        })?;
        let has_extensions = flags.iter().any(|flag| flag.directories.is_some());
        let directory = terms.extensions_for(rights.capabilities);
        if has_extensions && terms.extensions.is_some() && directory.is_none() {
            return Err(ServiceError::Incapable { what: "--load-extension", needs: Capability::PrivateNetwork });
        }
        let (mut args, mut loaded) = (Vec::new(), Vec::new());
        for flag in flags {
            let (arg, found) = extensions::resolved(flag, directory).await?;
            args.push(arg);
            loaded.extend(found);
        }
        let launch = showing(LaunchSpec::new(args).with_screen(screen), rights.capabilities, &loaded);
        Ok(Self { isolation, asked: Some(asked.clone()), launch, pages, slow_mo, proxy: None })
    }
}

/// As this browser, with the targets of these extensions shown if the tenant may see them. Who has a CDP session on an
/// extension can do what that can: Chrome lets each unpacked one open files of the host.
fn showing(launch: LaunchSpec, capabilities: Capabilities, extensions: &[Extension]) -> LaunchSpec {
    if capabilities.has(Capability::HostFiles) { launch.showing(extensions) } else { launch }
}

/// The requirements of a session of this caller for its browser, on a server whose sessions all have gates if `is_gated`. Fails
/// if the tenant may not have such a session.
pub(super) fn wanted(caller: &Caller, place: &Place, is_gated: bool) -> Result<LeaseRequest, ServiceError> {
    let of_tenant = caller.tenant.proxy();
    let gate = proxy::gate_of(place.proxy.as_ref(), of_tenant.as_ref(), is_gated);
    let kind = match place.isolation {
        Isolation::Shared => BrowserKind::Shared,
        Isolation::Dedicated if caller.tenant.capabilities().has(Capability::Dedicated) => {
            BrowserKind::Dedicated(place.launch.clone().with_gate(gate))
        }
        Isolation::Dedicated => {
            return Err(ServiceError::Incapable { what: "isolation=dedicated", needs: Capability::Dedicated });
        }
    };
    let limits = caller.tenant.limits().browser();
    Ok(LeaseRequest { kind, company: company_of(&caller.tenant), limits, gate })
}

/// With whom the sessions in a browser of this kind share it.
pub(super) fn isolation_of(kind: &BrowserKind) -> Isolation {
    match kind {
        BrowserKind::Shared => Isolation::Shared,
        BrowserKind::Dedicated(_) => Isolation::Dedicated,
    }
}

/// The sessions that may be in the same browser as those of a tenant.
fn company_of(tenant: &Tenant) -> Company {
    match tenant.limits().sharing {
        Sharing::All => Company::Anyone,
        Sharing::Tenant => Company::Group(tenant.owner().as_str().into()),
        Sharing::Session => Company::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        api_types::Owner,
        session::task::BaseUrl,
        tenant::{Access, TenantSettings},
    };

    #[test]
    fn only_tenants_with_the_capability_get_a_browser_of_their_own() {
        let caller = |capabilities| Caller {
            tenant: Tenant::new(Owner::local(), TenantSettings { capabilities, ..TenantSettings::default() }),
            access: Access::default(),
            base: Arc::new(BaseUrl::plain("here")),
        };
        let all_others = Capabilities { dedicated: false, ..Capabilities::all() };
        let refused = wanted(&caller(all_others), &Place::plain(Isolation::Dedicated), false)
            .expect_err("it lacks the capability");
        assert!(refused.to_string().contains("'isolation=dedicated' is refused"), "{refused}");
        for (capabilities, isolation) in [
            (all_others, Isolation::Shared),
            (Capabilities::of([Capability::Dedicated]), Isolation::Dedicated),
            (Capabilities::of([Capability::Dedicated]), Isolation::Shared),
        ] {
            let request = wanted(&caller(capabilities), &Place::plain(isolation), false).expect("it may");
            assert_eq!(isolation_of(&request.kind), isolation);
        }
    }

    #[test]
    fn only_who_sees_files_of_the_host_sees_extensions() {
        let extensions = [Extension { id: "a".repeat(32), path: "/extensions/one".to_owned() }];
        for (capabilities, count) in [
            (Capabilities { host_files: false, ..Capabilities::all() }, 0),
            (Capabilities::of([Capability::HostFiles]), 1),
        ] {
            let launch = showing(LaunchSpec::default(), capabilities, &extensions);
            assert_eq!(launch.shown_extensions().len(), count);
        }
    }
}

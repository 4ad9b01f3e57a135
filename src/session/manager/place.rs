//! In which browsers a session may be.

use crate::{
    api_types::{Capability, Isolation},
    pool::{BrowserKind, Company, LeaseRequest},
    port::LaunchSpec,
    session::{error::ServiceError, task::Caller},
    tenant::{Sharing, Tenant},
};

/// The requirements of a session of this caller for its browser. Fails if the tenant may not have such a session.
pub(super) fn wanted(caller: &Caller, isolation: Isolation) -> Result<LeaseRequest, ServiceError> {
    let kind = match isolation {
        Isolation::Shared => BrowserKind::Shared,
        Isolation::Dedicated if caller.tenant.capabilities().has(Capability::Dedicated) => {
            BrowserKind::Dedicated(LaunchSpec::default())
        }
        Isolation::Dedicated => {
            return Err(ServiceError::Incapable { what: "isolation=dedicated", needs: Capability::Dedicated });
        }
    };
    let limits = caller.tenant.limits().browser();
    Ok(LeaseRequest { kind, company: company_of(&caller.tenant), limits })
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
        api_types::{Owner, capability::Capabilities},
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
        let refused = wanted(&caller(all_others), Isolation::Dedicated).expect_err("it lacks the capability");
        assert!(refused.to_string().contains("'isolation=dedicated' is refused"), "{refused}");
        for (capabilities, isolation) in [
            (all_others, Isolation::Shared),
            (Capabilities::of([Capability::Dedicated]), Isolation::Dedicated),
            (Capabilities::of([Capability::Dedicated]), Isolation::Shared),
        ] {
            let request = wanted(&caller(capabilities), isolation).expect("it may");
            assert_eq!(isolation_of(&request.kind), isolation);
        }
    }
}

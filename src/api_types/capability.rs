//! What a tenant may do beyond driving its own pages.

use std::fmt;

/// A right that a tenant has or has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Paths of the host in uploads and downloads.
    HostFiles,
    /// Traces, which show every session of a browser.
    Tracing,
    /// Pages that reach loopback and private networks.
    PrivateNetwork,
    /// Flags for Chrome.
    LaunchArgs,
    /// A Chrome of one's own, in which browser-wide commands are allowed.
    Dedicated,
}

impl Capability {
    /// The name in settings and in refusals.
    pub fn name(self) -> &'static str {
        match self {
            Self::HostFiles => "host-files",
            Self::Tracing => "tracing",
            Self::PrivateNetwork => "private-network",
            Self::LaunchArgs => "launch-args",
            Self::Dedicated => "dedicated",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The rights of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "five independent rights, not states")]
pub struct Capabilities {
    /// [`Capability::HostFiles`]
    pub host_files: bool,
    /// [`Capability::Tracing`]
    pub tracing: bool,
    /// [`Capability::PrivateNetwork`]
    pub private_network: bool,
    /// [`Capability::LaunchArgs`]
    pub launch_args: bool,
    /// [`Capability::Dedicated`]
    pub dedicated: bool,
}

impl Capabilities {
    /// Those of the built-in `local` tenant: whoever reaches loopback sits at the machine and has its files anyway.
    pub fn local() -> Self {
        Self { host_files: true, tracing: true, private_network: true, launch_args: false, dedicated: false }
    }

    /// None at all.
    pub fn strict() -> Self {
        Self::default()
    }

    /// All of them.
    pub fn all() -> Self {
        Self { host_files: true, tracing: true, private_network: true, launch_args: true, dedicated: true }
    }

    /// Those that a lease in a browser with other sessions can honour.
    pub fn of_shared_browser() -> Self {
        Self { launch_args: false, dedicated: false, ..Self::all() }
    }

    /// Whether the tenant has this right.
    pub fn has(self, capability: Capability) -> bool {
        match capability {
            Capability::HostFiles => self.host_files,
            Capability::Tracing => self.tracing,
            Capability::PrivateNetwork => self.private_network,
            Capability::LaunchArgs => self.launch_args,
            Capability::Dedicated => self.dedicated,
        }
    }
}

/// What a session may do: what its tenant may, as far as the kind of its lease can honour it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted(Capabilities);

impl Granted {
    /// `tenant` is what the tenant may, `honoured` what the kind of the lease can honour.
    pub fn new(tenant: Capabilities, honoured: Capabilities) -> Self {
        Self(Capabilities {
            host_files: tenant.host_files && honoured.host_files,
            tracing: tenant.tracing && honoured.tracing,
            private_network: tenant.private_network && honoured.private_network,
            launch_args: tenant.launch_args && honoured.launch_args,
            dedicated: tenant.dedicated && honoured.dedicated,
        })
    }

    /// Nothing beyond driving one's own pages.
    pub fn none() -> Self {
        Self(Capabilities::strict())
    }

    /// Whether the session has this right.
    pub fn has(self, capability: Capability) -> bool {
        self.0.has(capability)
    }
}

/// How many CDP sessions the clients of one session may have at a time, all together, and what these may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CdpSessionLimits {
    /// Of any kind.
    pub all: usize,
    /// On the browser itself.
    pub roots: usize,
    /// Bytes of response bodies that they may keep beyond what each may.
    pub network_buffers: usize,
}

impl Default for CdpSessionLimits {
    fn default() -> Self {
        Self { all: 10_000, roots: 256, network_buffers: 1 << 30 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_what_its_tenant_may_and_its_lease_can_honour() {
        let all = [
            Capability::HostFiles,
            Capability::Tracing,
            Capability::PrivateNetwork,
            Capability::LaunchArgs,
            Capability::Dedicated,
        ];
        let (none, shared) = (Capabilities::strict(), Capabilities::of_shared_browser());
        for capability in all {
            assert!(Granted::new(Capabilities::all(), Capabilities::all()).has(capability), "{capability}");
            for (tenant, honoured) in [(none, Capabilities::all()), (Capabilities::all(), none), (none, none)] {
                assert!(!Granted::new(tenant, honoured).has(capability), "{capability}");
            }
            // Whatever the tenant may, others are in the browser, and its flags are theirs too.
            let is_honoured = !matches!(capability, Capability::LaunchArgs | Capability::Dedicated);
            assert_eq!(Granted::new(Capabilities::all(), shared).has(capability), is_honoured, "{capability}");
        }
    }
}

//! The rights of a tenant beyond driving its own pages.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A right that a tenant can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// paths of the host in uploads and downloads.
    HostFiles,
    /// traces, which show every session of a browser.
    Tracing,
    /// pages that reach loopback and private networks.
    PrivateNetwork,
    /// flags for Chrome.
    LaunchArgs,
    /// a dedicated Chrome, in which browser-wide commands are allowed.
    Dedicated,
    /// the clipboard, which all sessions of a browser share.
    Clipboard,
    /// the sessions of all tenants, and the control of the server.
    Admin,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::HostFiles,
        Self::Tracing,
        Self::PrivateNetwork,
        Self::LaunchArgs,
        Self::Dedicated,
        Self::Clipboard,
        Self::Admin,
    ];

    /// The capability of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.name() == name)
    }

    /// The name in settings and in refusals.
    pub fn name(self) -> &'static str {
        match self {
            Self::HostFiles => "host-files",
            Self::Tracing => "tracing",
            Self::PrivateNetwork => "private-network",
            Self::LaunchArgs => "launch-args",
            Self::Dedicated => "dedicated",
            Self::Clipboard => "clipboard",
            Self::Admin => "admin",
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
#[expect(clippy::struct_excessive_bools, reason = "seven independent rights, not states")]
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
    /// [`Capability::Clipboard`]
    pub clipboard: bool,
    /// [`Capability::Admin`]
    pub admin: bool,
}

impl Capabilities {
    /// The rights of the built-in `local` tenant: a client that can use loopback runs on this machine, and can read its files
    /// and start a Chrome with any flags anyway.
    pub fn local() -> Self {
        Self { clipboard: false, ..Self::all() }
    }

    /// No rights.
    pub fn strict() -> Self {
        Self::default()
    }

    /// All rights.
    pub fn all() -> Self {
        Self::of(Capability::ALL)
    }

    /// The rights that a lease in a shared browser can honour.
    pub fn of_shared_browser() -> Self {
        Self { launch_args: false, dedicated: false, ..Self::all() }
    }

    /// The rights that a lease in a dedicated browser can honour.
    pub fn of_dedicated_browser() -> Self {
        Self { launch_args: false, ..Self::all() }
    }

    /// These rights, for a session that is alone in its browser: there a trace and the clipboard show nobody else, so with
    /// [`Capability::Dedicated`] they need no right of their own.
    #[must_use]
    pub fn alone(self) -> Self {
        let alone = self.dedicated;
        Self { tracing: self.tracing || alone, clipboard: self.clipboard || alone, ..self }
    }

    /// These rights.
    pub fn of(rights: impl IntoIterator<Item = Capability>) -> Self {
        let mut all = Self::default();
        for right in rights {
            *all.right(right) = true;
        }
        all
    }

    /// The rights that it has.
    pub fn list(self) -> Vec<Capability> {
        Capability::ALL.into_iter().filter(|capability| self.has(*capability)).collect()
    }

    fn right(&mut self, capability: Capability) -> &mut bool {
        match capability {
            Capability::HostFiles => &mut self.host_files,
            Capability::Tracing => &mut self.tracing,
            Capability::PrivateNetwork => &mut self.private_network,
            Capability::LaunchArgs => &mut self.launch_args,
            Capability::Dedicated => &mut self.dedicated,
            Capability::Clipboard => &mut self.clipboard,
            Capability::Admin => &mut self.admin,
        }
    }

    /// Whether the tenant has this right.
    pub fn has(mut self, capability: Capability) -> bool {
        *self.right(capability)
    }
}

/// The rights of a session: those of its tenant that the kind of its lease can honour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted(Capabilities);

impl Granted {
    /// `tenant` has the rights of the tenant, `honoured` those that the kind of the lease can honour.
    pub fn new(tenant: Capabilities, honoured: Capabilities) -> Self {
        let both = |right: &Capability| tenant.has(*right) && honoured.has(*right);
        Self(Capabilities::of(Capability::ALL.into_iter().filter(both)))
    }

    /// No right beyond driving its own pages.
    pub fn none() -> Self {
        Self(Capabilities::strict())
    }

    /// Whether the session has this right.
    pub fn has(self, capability: Capability) -> bool {
        self.0.has(capability)
    }

    /// The rights that it has.
    pub fn list(self) -> Vec<Capability> {
        self.0.list()
    }
}

/// Limits of the CDP sessions of all clients of one session together, and of the memory that they may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CdpSessionLimits {
    /// Most CDP sessions of any kind.
    pub all: usize,
    /// The setting or limit that gives this number.
    pub all_named: &'static str,
    /// Most CDP sessions on the browser itself.
    pub roots: usize,
    /// Most bytes of response bodies that they may keep together beyond the share of each.
    pub network_buffers: usize,
    /// Most commands that wait for a crashed page, and most bytes of them.
    pub held: (usize, usize),
}

/// The setting for the number of CDP sessions.
pub const MAX_CDP_SESSIONS: &str = "max_cdp_sessions";

impl CdpSessionLimits {
    /// These limits, with at most the tenant's number of CDP sessions.
    #[must_use]
    pub fn within(self, most: Option<u32>) -> Self {
        match most.and_then(|most| usize::try_from(most).ok()) {
            Some(all) if all < self.all => {
                Self { all, all_named: "the tenant's limit cdp_sessions_per_session", ..self }
            }
            _ => self,
        }
    }
}

impl Default for CdpSessionLimits {
    fn default() -> Self {
        Self { all: 10_000, all_named: MAX_CDP_SESSIONS, roots: 256, network_buffers: 1 << 30, held: (256, 1 << 20) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_have_the_rights_of_the_tenant_that_the_lease_can_honour() {
        let (none, shared) = (Capabilities::strict(), Capabilities::of_shared_browser());
        for capability in Capability::ALL {
            assert!(Granted::new(Capabilities::all(), Capabilities::all()).has(capability), "{capability}");
            for (tenant, honoured) in [(none, Capabilities::all()), (Capabilities::all(), none), (none, none)] {
                assert!(!Granted::new(tenant, honoured).has(capability), "{capability}");
            }
            // The browser is shared, and its flags and traces concern other tenants too.
            let is_honoured = !matches!(capability, Capability::LaunchArgs | Capability::Dedicated);
            assert_eq!(Granted::new(Capabilities::all(), shared).has(capability), is_honoured, "{capability}");
        }
    }

    #[test]
    fn a_browser_of_its_own_gives_traces_and_the_clipboard_and_no_right_beyond_the_browser() {
        let granted = |tenant: Capabilities| {
            let rights = Granted::new(tenant.alone(), Capabilities::of_dedicated_browser()).list();
            rights.into_iter().map(Capability::name).collect::<Vec<_>>()
        };
        assert_eq!(granted(Capabilities::of([Capability::Dedicated])), ["tracing", "dedicated", "clipboard"]);
        assert_eq!(granted(Capabilities::strict()), <[&str; 0]>::default(), "the right was taken away meanwhile");
        let all = granted(Capabilities::all());
        assert!(!all.contains(&"launch-args") && all.contains(&"host-files"), "{all:?}");
    }
}

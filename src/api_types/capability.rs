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

/// How many CDP sessions the clients of one session may have at a time, all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CdpSessionLimits {
    /// Of any kind.
    pub all: usize,
    /// On the browser itself.
    pub roots: usize,
}

impl Default for CdpSessionLimits {
    fn default() -> Self {
        Self { all: 10_000, roots: 256 }
    }
}

//! Whose a session is, and who asks.

use std::{fmt, sync::Arc};

/// Who a session belongs to. Today all belong to one; the registry's check is where that matters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner(Arc<str>);

impl Owner {
    /// The owner of this name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Whoever uses this machine, as long as there are no tokens.
    pub fn local() -> Self {
        Self::new("local")
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who asks, and by which name of this server: the URLs in answers must lead back by the same way.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub owner: Owner,
    /// The `Host` of the request.
    pub host: Arc<str>,
}

impl Caller {
    /// A caller on this machine.
    pub fn local(host: &str) -> Self {
        Self { owner: Owner::local(), host: host.into() }
    }

    /// Where to come back to a session.
    pub fn url_of(&self, id: &str) -> String {
        format!("ws://{}/devtools/browser/{id}", self.host)
    }
}

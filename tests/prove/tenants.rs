//! The tenants of the server under test: their file, and a token of each.

use std::{fmt::Write as _, fs};

use ghostmux::tenant::{
    Secret,
    token::{self, TokenHash},
};

/// The tenant that may read the figures of all.
const OPERATOR: &str = "operator";

/// The tenants of a server; none for a server without tokens.
#[derive(Default)]
pub(crate) struct Tenants {
    tokens: Vec<Secret>,
    of_operator: Option<Secret>,
    directory: Option<tempfile::TempDir>,
}

impl Tenants {
    /// This many, with these names, without limits; their pages may reach the site, which is on this machine, and their sessions
    /// may have Chromes of their own. They belong to a
    /// server that is started with [`Tenants::flags`].
    pub(crate) fn new(count: usize, name: impl Fn(usize) -> String) -> Self {
        if count == 0 {
            return Self::default();
        }
        let tokens: Vec<Secret> = (0..count).map(|_| token::generate()).collect();
        let of_operator = token::generate();
        let mut file = String::new();
        let mut add = |name: &str, settings: &str, token: &Secret| {
            let hash = TokenHash::of(token.reveal()).to_hex();
            let _ = write!(
                file,
                "[tenants.{name}]\n{settings}\n[[tenants.{name}.tokens]]\nname = \"t\"\nsha256 = \"{hash}\"\n"
            );
        };
        tokens
            .iter()
            .enumerate()
            .for_each(|(at, token)| add(&name(at), "capabilities = [\"private-network\", \"dedicated\"]", token));
        add(OPERATOR, "capabilities = [\"admin\"]", &of_operator);
        let directory = tempfile::Builder::new().prefix("ghostmux-prove-").tempdir().expect("a directory");
        fs::write(directory.path().join("tenants.toml"), file).expect("written");
        Self { tokens, of_operator: Some(of_operator), directory: Some(directory) }
    }

    /// The flags of the server.
    pub(crate) fn flags(&self) -> Vec<String> {
        let Some(directory) = &self.directory else { return Vec::new() };
        let file = directory.path().join("tenants.toml").to_string_lossy().into_owned();
        // The proofs read the figures without a token.
        ["--tenants", &file, "--metrics-tokens", "none"].map(str::to_owned).into()
    }

    /// The number of tenants; one for a server without tokens, where all clients are of the same.
    pub(crate) fn count(&self) -> usize {
        self.tokens.len().max(1)
    }

    /// Whether there are others from which a tenant is to be kept.
    pub(crate) fn are_several(&self) -> bool {
        self.tokens.len() > 1
    }

    /// A path without a query, as a client of this tenant requests it.
    pub(crate) fn path(&self, tenant: usize, path: &str) -> String {
        match self.tokens.get(tenant) {
            Some(token) => format!("{path}?token={}", token.reveal()),
            None => path.to_owned(),
        }
    }

    /// The headers of a request of this tenant.
    pub(crate) fn headers(&self, tenant: usize) -> Vec<(&str, &str)> {
        self.tokens.get(tenant).map(|token| ("x-api-key", token.reveal().as_str())).into_iter().collect()
    }

    /// The headers of a request for the figures of all.
    pub(crate) fn headers_of_operator(&self) -> Vec<(&str, &str)> {
        self.of_operator.iter().map(|token| ("x-api-key", token.reveal().as_str())).collect()
    }
}

//! Reads the file of tenants.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::IpAddr,
};

use ipnet::IpNet;
use jiff::{Timestamp, civil::Date, tz::Offset};
use serde::{Deserialize, Deserializer, de::Error as _};
use toml::Spanned;

use super::{
    Limits, TenantNetwork, TenantSettings,
    network::{allowed, hosts, ports, proxy},
    token::{Scope, TokenHash, TokenSettings},
};
use crate::{
    api_types::{
        NAME_RULE, Owner,
        capability::{Capabilities, Capability},
        is_name,
    },
    port::egress::{HostPattern, Ports, UpstreamProxy},
};

/// What is wrong with a file of tenants, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FileError {
    /// The line, from 1, if it is known.
    pub line: Option<usize>,
    /// The key, such as `tenants.acme.limits.max_sessions`; empty if the text is not TOML.
    pub key: String,
    /// The problem, and what to write instead.
    pub problem: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)
    }
}

/// A tenant as the file has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// What it may do, and how much it may use.
    pub settings: TenantSettings,
    /// Its tokens, by what is stored of them.
    pub tokens: Vec<(TokenHash, TokenSettings)>,
}

/// The tenants of a file.
pub type Parsed = BTreeMap<Owner, Definition>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tenants: BTreeMap<String, Spanned<Tenant>>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Tenant {
    capabilities: Vec<Right>,
    limits: Limits,
    #[serde(deserialize_with = "allowed")]
    egress_allow: Option<Vec<HostPattern>>,
    #[serde(deserialize_with = "hosts")]
    egress_deny: Vec<HostPattern>,
    #[serde(deserialize_with = "ports")]
    egress_ports: Option<Ports>,
    #[serde(deserialize_with = "proxy")]
    egress_proxy: Option<UpstreamProxy>,
    tokens: Vec<Spanned<StoredToken>>,
}

struct Right(Capability);

impl<'de> Deserialize<'de> for Right {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Capability::named(&name).map(Self).ok_or_else(|| {
            let all: Vec<_> = Capability::ALL.iter().map(|capability| capability.name()).collect();
            D::Error::custom(format!("{name:?} is not a capability; there are {}", all.join(", ")))
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredToken {
    name: String,
    #[serde(deserialize_with = "hash")]
    sha256: TokenHash,
    #[serde(default, deserialize_with = "time")]
    expires: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    created: Option<Timestamp>,
    #[serde(default, deserialize_with = "scope")]
    scope: Scope,
    #[serde(default)]
    from: Vec<Network>,
}

struct Network(IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        network(&String::deserialize(from)?).map(Self).map_err(D::Error::custom)
    }
}

/// Reads a network, `10.0.0.0/8`, or an address.
pub fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or(address).map(|network: IpNet| network.trunc()).ok_or_else(|| {
        format!("{text:?} is not a network; write an address such as 10.1.2.3, or a network such as 10.0.0.0/8")
    })
}

/// Reads a moment: a date, or a date with time and zone.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    let midnight = || Offset::UTC.to_timestamp(text.parse::<Date>().ok()?.at(0, 0, 0, 0)).ok();
    text.parse().ok().or_else(midnight).ok_or_else(|| {
        format!("{text:?} is not a moment; write 2027-01-31, or with time and zone 2027-01-31T18:00:00Z")
    })
}

fn hash<'de, D: Deserializer<'de>>(from: D) -> Result<TokenHash, D::Error> {
    // The text is not repeated: it may be a token.
    TokenHash::from_hex(&String::deserialize(from)?).ok_or_else(|| {
        D::Error::custom("is not a SHA-256: 64 hexadecimal digits; `ghostmux token new` makes a token and writes it")
    })
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let text = match toml::Value::deserialize(from)? {
        toml::Value::String(text) => text,
        toml::Value::Datetime(time) => time.to_string(),
        _ => String::new(),
    };
    moment(&text).map(Some).map_err(D::Error::custom)
}

fn scope<'de, D: Deserializer<'de>>(from: D) -> Result<Scope, D::Error> {
    Scope::read(&String::deserialize(from)?).map_err(D::Error::custom)
}

/// Reads the text of a file of tenants.
pub fn parse(text: &str) -> Result<Parsed, FileError> {
    let line_of = |at: usize| text.get(..at).map(|before| before.matches('\n').count() + 1);
    let wrong = |error: toml::de::Error, key: String| FileError {
        line: error.span().and_then(|span| line_of(span.start)),
        key,
        problem: error.message().replace("field", "key").replace('\n', "; "),
    };
    let from = toml::Deserializer::parse(text).map_err(|error| wrong(error, String::new()))?;
    let File { tenants } = serde_path_to_error::deserialize(from).map_err(|error| {
        // A value whose place is kept is a step of its own.
        let path = error.path().to_string();
        let steps: Vec<_> = path.split('.').filter(|step| !step.is_empty() && !step.starts_with("$__")).collect();
        wrong(error.into_inner(), steps.join("."))
    })?;
    let mut parsed = Parsed::new();
    let mut seen: HashMap<TokenHash, String> = HashMap::new();
    for (name, tenant) in tenants {
        let at = tenant.span().start;
        let tenant = tenant.into_inner();
        let key = format!("tenants.{name}");
        let bad = |at: usize, key: String, problem: String| FileError { line: line_of(at), key, problem };
        let owner: Owner = name.parse().map_err(|_| bad(at, key.clone(), format!("a tenant's name is {NAME_RULE}")))?;
        let mut tokens = Vec::with_capacity(tenant.tokens.len());
        for token in tenant.tokens {
            let at = token.span().start;
            let StoredToken { name, sha256, expires, created, scope, from } = token.into_inner();
            check_token_name(&name).map_err(|why| bad(at, format!("{key}.tokens.name"), why))?;
            if tokens.iter().any(|(_, other): &(_, TokenSettings)| other.name == name) {
                return Err(bad(at, format!("{key}.tokens.name"), format!("two tokens have the name {name:?}")));
            }
            if let Some(other) = seen.insert(sha256, format!("{owner}, {name}")) {
                let problem = format!("is the token ({other}) too: a token belongs to one tenant, once");
                return Err(bad(at, format!("{key}.tokens.sha256"), problem));
            }
            let from = from.into_iter().map(|Network(network)| network).collect();
            tokens.push((sha256, TokenSettings { name, scope, expires, from, created }));
        }
        tenant.limits.check().map_err(|(limit, why)| bad(at, format!("{key}.limits.{limit}"), why))?;
        let capabilities = Capabilities::of(tenant.capabilities.into_iter().map(|Right(capability)| capability));
        let Tenant { egress_allow: allow, egress_deny: deny, egress_ports: ports, egress_proxy: proxy, limits, .. } =
            tenant;
        let network = TenantNetwork { allow, deny, ports, proxy };
        let settings = TenantSettings { capabilities, limits, network };
        parsed.insert(owner, Definition { settings, tokens });
    }
    Ok(parsed)
}

/// Checks the name of a token.
pub fn check_token_name(name: &str) -> Result<(), String> {
    if is_name(name) { Ok(()) } else { Err(format!("{name:?} is not a name of a token; use {NAME_RULE}")) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::tenant) const FILE: &str = r#"# Our tenants.
[tenants.acme] # the shop
capabilities = ["host-files", "clipboard"]
limits = { max_sessions = 3, max_session_time = "1h", bytes_per_second = "1MiB", sharing = "tenant" }
egress_allow = ["*.example.com", "203.0.113.0/24"]
egress_deny = ["bad.example.com"]
egress_ports = "80,443"

[[tenants.acme.tokens]]
name = "ci"
sha256 = "0000000000000000000000000000000000000000000000000000000000000001"
expires = 2027-01-31T18:00:00Z
scope = "read-only"
from = ["10.0.0.0/8", "::1"]

[tenants.empty]
"#;

    pub(in crate::tenant) fn owner(name: &str) -> Owner {
        name.parse().expect("an owner")
    }

    #[test]
    fn files_name_tenants_with_capabilities_limits_and_tokens() {
        let parsed = parse(FILE).expect("a file");
        assert_eq!(parsed.len(), 2);
        let Definition { settings, tokens } = &parsed[&owner("acme")];
        assert!(settings.capabilities.has(Capability::HostFiles) && settings.capabilities.has(Capability::Clipboard));
        assert!(!settings.capabilities.has(Capability::Admin));
        assert_eq!((settings.limits.max_sessions, settings.limits.bytes_per_second), (Some(3), Some(1 << 20)));
        assert_eq!(settings.limits.max_session_time, Some(std::time::Duration::from_secs(3600)));
        let rules = settings.network.rules(&super::super::ServerNetwork::default(), false);
        assert_eq!((rules.lists.len(), rules.ports.to_string().as_str()), (1, "80,443"));
        let (_, token) = &tokens[0];
        assert_eq!((token.name.as_str(), &token.scope, token.from.len()), ("ci", &Scope::ReadOnly, 2));
        assert_eq!(token.expires.map(|at| at.to_string()).as_deref(), Some("2027-01-31T18:00:00Z"));
        assert_eq!(parsed[&owner("empty")], Definition::default());
        assert_eq!(parse("").expect("no tenants"), Parsed::new());
    }

    #[test]
    fn errors_name_line_and_key_and_repeat_no_token() {
        let with = |line: &str| FILE.replace("[tenants.empty]", &format!("[tenants.empty]\n{line}"));
        let hash = "sha256 = \"0000000000000000000000000000000000000000000000000000000000000001\"";
        for (text, line, key, problem) in [
            (with("colour = 1"), 17, "tenants.empty", "colour"),
            (with("capabilities = [\"root\"]"), 17, "tenants.empty.capabilities", "\"root\" is not a capability"),
            (with("limits = { max_sessions = -1 }"), 17, "tenants.empty.limits.max_sessions", "-1"),
            (with("limits = { cpu_weight = 50 }"), 16, "tenants.empty.limits.cpu_weight", "set sharing"),
            (
                with("limits = { cpu_weight = 0, sharing = \"tenant\" }"),
                16,
                "tenants.empty.limits.cpu_weight",
                "from 1 to 10000",
            ),
            (
                with("limits = { browser_memory_max = \"1MiB\", sharing = \"session\" }"),
                16,
                "tenants.empty.limits.browser_memory_max",
                "at least 256 MiB",
            ),
            (with("egress_deny = [\"http://x/\"]"), 17, "tenants.empty.egress_deny", "not a host pattern"),
            (with("egress_allow = \"x\""), 17, "tenants.empty.egress_allow", "string"),
            (with("egress_ports = \"http\""), 17, "tenants.empty.egress_ports", "is not a port"),
            (with("limits = { max_session_time = \"long\" }"), 17, "tenants.empty.limits.max_session_time", "time"),
            (FILE.replace("10.0.0.0/8", "10.0.0.0/99"), 14, "tenants.acme.tokens", "10.0.0.0/99"),
            (FILE.replace("read-only", "some"), 13, "tenants.acme.tokens", "\"some\" is not a scope"),
            (FILE.replace("2027-01-31T18:00:00Z", "\"soon\""), 12, "tenants.acme.tokens", "\"soon\" is not a moment"),
            (FILE.replace("[tenants.empty]", "[tenants.\"a b\"]"), 16, "tenants.a b", "1 to 64"),
            (
                format!("{FILE}[[tenants.empty.tokens]]\nname = \"x\"\n{hash}\n"),
                17,
                "tenants.empty.tokens.sha256",
                "acme, ci",
            ),
            (
                format!("{FILE}[[tenants.empty.tokens]]\nname = \"\"\n{}\n", hash.replace('1', "2")),
                17,
                "tenants.empty.tokens.name",
                "not a name",
            ),
            (format!("{FILE}]"), 17, "", ""),
        ] {
            let error = parse(&text).expect_err(&text);
            assert_eq!(error.line, Some(line), "{error}: {text}");
            assert!(error.key.starts_with(key) && error.problem.contains(problem), "{error}: {text}");
        }
        let token = crate::tenant::token::generate();
        let text = FILE.replace("0000000000000000000000000000000000000000000000000000000000000001", token.reveal());
        let error = parse(&text).expect_err("a token is not its hash");
        assert!(error.line == Some(11) && error.key.contains("sha256"), "{error}");
        assert!(!error.to_string().contains(token.reveal().as_str()), "{error}");
    }
}

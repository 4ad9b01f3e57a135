//! Changes the text of a file of tenants: the one place for `ghostmux token` and for REST. Comments and order are kept.

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value, value};

use super::{
    FileError, Limits, NetworkChange, Parsed, Sharing, TenantNetwork, TenantSettings,
    file::parse,
    token::{Scope, TokenHash, TokenSettings},
};
use crate::{
    api_types::{Capability, Owner, millis},
    port::egress::HostPattern,
};

/// A token that is to be written into a file.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The tenant.
    pub owner: Owner,
    /// The hash of the token.
    pub hash: TokenHash,
    /// The rest.
    pub settings: TokenSettings,
}

/// Why the text of a file cannot be changed so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file is wrong already, or would be.
    #[error(transparent)]
    File(#[from] FileError),
    /// A part of the file is not written as this program can change it.
    #[error("{0} is not written as a table that can be changed; change the file by hand")]
    Form(&'static str),
    /// There is no such tenant.
    #[error("there is no tenant {0:?}")]
    NoTenant(String),
    /// The tenant has no such token.
    #[error("the tenant {owner} has no token {token:?}; `ghostmux token ls` lists the tokens")]
    NoToken {
        /// The tenant.
        owner: Owner,
        /// What was given: a name or a number.
        token: String,
    },
    /// The tenant has a token of this name.
    #[error("the tenant {owner} has a token {name:?} already; choose another name, or revoke that one")]
    Exists {
        /// The tenant.
        owner: Owner,
        /// The name.
        name: String,
    },
    /// The proxy is written with `***` for its secrets, and is not the one that the tenant has.
    #[error("egress.proxy has *** in place of user and password, and the tenant has another proxy: write them")]
    ShownProxy,
    /// The tenant has as many tokens as it may have.
    #[error("the tenant {owner} has {most} tokens, as many as tenant_tokens allows; revoke one first")]
    Many {
        /// The tenant.
        owner: Owner,
        /// The value of the setting.
        most: usize,
    },
}

/// The text of the file with one token more. A tenant that the file does not have is added.
pub fn add_token(text: &str, new: &NewToken) -> Result<String, EditError> {
    let (mut wanted, mut document) = read(text)?;
    let definition = wanted.entry(new.owner.clone()).or_default();
    if definition.tokens.iter().any(|(_, token)| token.name == new.settings.name) {
        return Err(EditError::Exists { owner: new.owner.clone(), name: new.settings.name.clone() });
    }
    definition.tokens.push((new.hash, new.settings.clone()));
    let tenant = tenant_of(&mut document, &new.owner)?;
    let tokens = tenant.entry("tokens").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let tokens = tokens.as_array_of_tables_mut().ok_or(EditError::Form("tokens"))?;
    let TokenSettings { name, scope, expires, from, created } = &new.settings;
    let mut entry = Table::new();
    entry["name"] = value(name);
    entry["sha256"] = value(new.hash.to_hex());
    if let Some(created) = created {
        entry["created"] = value(created.to_string());
    }
    if let Some(expires) = expires {
        entry["expires"] = value(expires.to_string());
    }
    if *scope != Scope::All {
        entry["scope"] = value(scope.to_string());
    }
    if !from.is_empty() {
        entry["from"] = value(from.iter().map(ToString::to_string).collect::<Array>());
    }
    tokens.push(entry);
    checked(&document, &wanted)
}

/// The text of the file without a token, which is named by its number or its name.
pub fn remove_token(text: &str, owner: &Owner, token: &str) -> Result<String, EditError> {
    let (mut wanted, mut document) = read(text)?;
    let missing = || EditError::NoToken { owner: owner.clone(), token: token.to_owned() };
    let tokens = &mut wanted.get_mut(owner).ok_or_else(missing)?.tokens;
    // A name that looks like the number of another token does not hide that one.
    let by_number = tokens.iter().position(|(hash, _)| hash.number().to_string() == token);
    let at =
        by_number.or_else(|| tokens.iter().position(|(_, settings)| settings.name == token)).ok_or_else(missing)?;
    tokens.remove(at);
    let tenants = document.get_mut("tenants").and_then(Item::as_table_like_mut);
    let tenant = tenants.and_then(|tenants| tenants.get_mut(owner.as_str())).and_then(Item::as_table_like_mut);
    match tenant.and_then(|tenant| tenant.get_mut("tokens")) {
        Some(Item::ArrayOfTables(tokens)) => drop(tokens.remove(at)),
        Some(Item::Value(Value::Array(tokens))) => drop(tokens.remove(at)),
        _ => return Err(EditError::Form("tokens")),
    }
    checked(&document, &wanted)
}

/// The text of the file in which a tenant has these settings, and whether it is new there. Its tokens stay, and without
/// `network` what its sessions may connect to.
pub fn put_tenant(
    text: &str,
    owner: &Owner,
    settings: &TenantSettings,
    network: Option<&NetworkChange>,
) -> Result<(String, bool), EditError> {
    let (mut wanted, mut document) = read(text)?;
    let is_new = !wanted.contains_key(owner);
    let definition = wanted.entry(owner.clone()).or_default();
    let network = match network {
        Some(change) => change.apply(&definition.settings.network).ok_or(EditError::ShownProxy)?,
        None => definition.settings.network.clone(),
    };
    let settings = &TenantSettings { network, ..settings.clone() };
    let before = std::mem::replace(&mut definition.settings, settings.clone());
    let tenant = tenant_of(&mut document, owner)?;
    if before.capabilities != settings.capabilities {
        let names: Array = settings.capabilities.list().into_iter().map(Capability::name).collect();
        set(tenant, "capabilities", Some(names.into()).filter(|names: &Value| !is_empty(names)));
    }
    put_limits(tenant, &before.limits, &settings.limits)?;
    put_network(tenant, &before.network, &settings.network);
    Ok((checked(&document, &wanted)?, is_new))
}

/// Writes the keys of the network that are others than before.
fn put_network(tenant: &mut Table, before: &TenantNetwork, now: &TenantNetwork) {
    let list = |hosts: &[HostPattern]| Value::from(hosts.iter().map(ToString::to_string).collect::<Array>());
    if before.allow != now.allow {
        set(tenant, "egress_allow", now.allow.as_deref().map(list));
    }
    if before.deny != now.deny {
        set(tenant, "egress_deny", Some(list(&now.deny)).filter(|list| !is_empty(list)));
    }
    if before.ports != now.ports {
        set(tenant, "egress_ports", now.ports.as_ref().map(|ports| ports.to_string().into()));
    }
    if before.proxy != now.proxy {
        set(tenant, "egress_proxy", now.proxy.as_ref().map(|proxy| proxy.to_url().reveal().into()));
    }
}

/// Writes the limits that are others than before.
fn put_limits(tenant: &mut Table, before: &Limits, now: &Limits) -> Result<(), EditError> {
    if before == now {
        return Ok(());
    }
    let limits = tenant.entry("limits").or_insert_with(|| value(InlineTable::new()));
    let limits = limits.as_table_like_mut().ok_or(EditError::Form("limits"))?;
    for ((key, before), (_, now)) in values_of(before).into_iter().zip(values_of(now)) {
        if before != now {
            set(limits, key, now.map(Value::from));
        }
    }
    if limits.is_empty() {
        tenant.remove("limits");
    } else if let Some(limits) = tenant.get_mut("limits").and_then(Item::as_inline_table_mut) {
        // The spaces at what is the last one now.
        limits.fmt();
    }
    Ok(())
}

/// A value of a limit, as the file has it.
#[derive(PartialEq)]
enum Written {
    Number(i64),
    Text(String),
}

impl From<Written> for Value {
    fn from(written: Written) -> Self {
        match written {
            Written::Number(number) => number.into(),
            Written::Text(text) => text.into(),
        }
    }
}

/// The limits, by their keys in the file; `None` for one that is absent.
fn values_of(limits: &Limits) -> [(&'static str, Option<Written>); 15] {
    let Limits {
        max_sessions,
        sessions_per_minute,
        queue_share,
        pages_per_session,
        cdp_sessions_per_session,
        commands_per_second,
        bytes_per_second,
        max_snapshots,
        max_file_bytes,
        egress_bytes_per_session,
        egress_bytes_per_day,
        max_session_time,
        sharing,
        cpu_weight,
        browser_memory_max,
    } = *limits;
    let large = |number: Option<u64>| number.map(|number| Written::Number(i64::try_from(number).unwrap_or(i64::MAX)));
    let number = |number: Option<u32>| large(number.map(Into::into));
    let sharing = match sharing {
        Sharing::All => None,
        Sharing::Tenant => Some("tenant"),
        Sharing::Session => Some("session"),
    };
    [
        ("max_sessions", number(max_sessions)),
        ("sessions_per_minute", number(sessions_per_minute)),
        ("queue_share", number(queue_share)),
        ("pages_per_session", number(pages_per_session)),
        ("cdp_sessions_per_session", number(cdp_sessions_per_session)),
        ("commands_per_second", number(commands_per_second)),
        ("bytes_per_second", large(bytes_per_second)),
        ("max_snapshots", large(max_snapshots)),
        ("max_file_bytes", large(max_file_bytes)),
        ("egress_bytes_per_session", large(egress_bytes_per_session)),
        ("egress_bytes_per_day", large(egress_bytes_per_day)),
        ("max_session_time", max_session_time.map(|time| Written::Text(format!("{}ms", millis(time))))),
        ("sharing", sharing.map(|sharing| Written::Text(sharing.to_owned()))),
        ("cpu_weight", number(cpu_weight)),
        ("browser_memory_max", large(browser_memory_max)),
    ]
}

/// The text of the file without a tenant and its tokens. The comments at the tenant go with it.
pub fn remove_tenant(text: &str, owner: &Owner) -> Result<String, EditError> {
    let (mut wanted, mut document) = read(text)?;
    wanted.remove(owner).ok_or_else(|| EditError::NoTenant(owner.to_string()))?;
    let tenants = document.get_mut("tenants").and_then(Item::as_table_like_mut).ok_or(EditError::Form("tenants"))?;
    tenants.remove(owner.as_str());
    checked(&document, &wanted)
}

/// The tenants of a text, and the text as it can be changed.
fn read(text: &str) -> Result<(Parsed, DocumentMut), EditError> {
    let parsed = parse(text)?;
    let not_toml = |error: toml_edit::TomlError| {
        let problem = error.message().to_owned();
        FileError { line: None, key: String::new(), problem }
    };
    Ok((parsed, text.parse().map_err(not_toml)?))
}

/// The table of a tenant; it is added if there is none.
fn tenant_of<'a>(document: &'a mut DocumentMut, owner: &Owner) -> Result<&'a mut Table, EditError> {
    let tenants = document.entry("tenants").or_insert_with(|| {
        let mut tenants = Table::new();
        tenants.set_implicit(true);
        Item::Table(tenants)
    });
    let tenants = tenants.as_table_mut().ok_or(EditError::Form("tenants"))?;
    let tenant = tenants.entry(owner.as_str()).or_insert_with(|| Item::Table(Table::new()));
    tenant.as_table_mut().ok_or(EditError::Form("the tenant"))
}

/// Gives a key this value, or removes it. What is written around the old value stays.
fn set(table: &mut dyn TableLike, key: &str, new: Option<Value>) {
    let Some(mut new) = new else {
        table.remove(key);
        return;
    };
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => drop(table.insert(key, Item::Value(new))),
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Array::is_empty)
}

/// The text of a document, which is read as the tenants that the change was to make: nothing else has changed.
fn checked(document: &DocumentMut, wanted: &Parsed) -> Result<String, EditError> {
    let text = document.to_string();
    if parse(&text)? == *wanted { Ok(text) } else { Err(EditError::Form("the tenant")) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        api_types::{TenantEgress, capability::Capabilities},
        tenant::file::tests::{FILE, owner},
    };

    fn new(owner_name: &str, name: &str, text: &str) -> NewToken {
        let settings =
            TokenSettings { name: name.into(), scope: Scope::All, expires: None, from: Vec::new(), created: None };
        NewToken { owner: owner(owner_name), hash: TokenHash::of(text), settings }
    }

    #[test]
    fn tokens_are_added_and_removed_without_a_change_of_the_rest() {
        let added = add_token(FILE, &new("acme", "second", "a")).expect("added");
        assert!(added.starts_with("# Our tenants.\n[tenants.acme] # the shop\n"), "{added}");
        let names = |text: &str| {
            let parsed = parse(text).expect("a file");
            parsed[&owner("acme")].tokens.iter().map(|(_, token)| token.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&added), ["ci", "second"]);
        assert_eq!(remove_token(&added, &owner("acme"), "second").expect("removed"), FILE);
        let number = TokenHash::of("a").number().to_string();
        assert_eq!(remove_token(&added, &owner("acme"), &number).expect("removed"), FILE);
        let twice = add_token(&added, &new("acme", "second", "b"));
        assert!(twice.is_err_and(|why| why.to_string().contains("has a token \"second\" already")));
        let missing = remove_token(FILE, &owner("acme"), "third").expect_err("there is none");
        assert!(missing.to_string().contains("token ls"), "{missing}");
        // The first token of the first tenant.
        let first = add_token("", &new("acme", "first", "a")).expect("added");
        assert_eq!(names(&first), ["first"]);
        assert!(first.starts_with("[tenants.acme]\n\n[[tenants.acme.tokens]]\n"), "{first}");
    }

    fn settings(rights: &[Capability], limits: Limits) -> TenantSettings {
        TenantSettings { capabilities: Capabilities::of(rights.iter().copied()), limits, ..TenantSettings::default() }
    }

    #[test]
    fn tenants_are_added_changed_and_removed_without_a_change_of_the_rest() {
        let acme = parse(FILE).expect("a file")[&owner("acme")].settings.clone();
        assert_eq!(
            put_tenant(FILE, &owner("acme"), &acme, None),
            Ok((FILE.to_owned(), false)),
            "what stays is not written"
        );
        // One value of each kind, and one that is taken away.
        let limits = Limits {
            max_sessions: Some(4),
            bytes_per_second: Some(1 << 40),
            max_session_time: Some(Duration::from_millis(1500)),
            sharing: Sharing::All,
            ..acme.limits
        };
        let own = Limits { cpu_weight: Some(50), browser_memory_max: Some(1 << 30), ..acme.limits };
        let (with_own, _) =
            put_tenant(FILE, &owner("acme"), &settings(&[Capability::Tracing], own), None).expect("put");
        assert!(with_own.contains("cpu_weight = 50, browser_memory_max = 1073741824 }"), "{with_own}");
        let (changed, is_new) =
            put_tenant(FILE, &owner("acme"), &settings(&[Capability::Tracing], limits), None).expect("put");
        assert!(!is_new && changed.starts_with("# Our tenants.\n[tenants.acme] # the shop\n"), "{changed}");
        let line = "limits = { max_sessions = 4, max_session_time = \"1500ms\", bytes_per_second = 1099511627776 }\n";
        assert!(changed.contains("capabilities = [\"tracing\"]\n") && changed.contains(line), "{changed}");
        let (bare, _) = put_tenant(&changed, &owner("acme"), &TenantSettings::default(), None).expect("put");
        assert!(!bare.contains("limits") && !bare.contains("capabilities") && bare.contains("name = \"ci\""), "{bare}");
        let (back, _) = put_tenant(&bare, &owner("acme"), &acme, None).expect("put");
        assert_eq!(parse(&back), parse(FILE));

        let (more, is_new) = put_tenant(FILE, &owner("new"), &acme, None).expect("put");
        assert!(is_new && more.starts_with(FILE), "{more}");
        assert_eq!(remove_tenant(&more, &owner("new")).expect("removed").trim_end(), FILE.trim_end());
        let without = remove_tenant(FILE, &owner("acme")).expect("removed");
        assert_eq!(without.trim(), "[tenants.empty]");
        assert_eq!(remove_tenant(&without, &owner("acme")), Err(EditError::NoTenant("acme".to_owned())));
    }

    /// Names of tenants may be anything that the syntax of TOML gives another meaning.
    #[test]
    fn tenants_may_have_names_that_are_syntax() {
        for name in ["a.b", ".", "..", "-", "true", "1e5", "inf", "2026-11-27", "tokens", "tenants", "__proto__"] {
            let (put, is_new) =
                put_tenant(FILE, &owner(name), &settings(&[Capability::Tracing], Limits::default()), None).expect(name);
            assert!(is_new && parse(&put).expect(name).len() == 3, "{put}");
            let with = add_token(&put, &new(name, "one", name)).expect(name);
            assert_eq!(parse(&with).expect(name)[&owner(name)].tokens.len(), 1, "{with}");
            let without = remove_tenant(&with, &owner(name)).expect(name);
            assert_eq!(parse(&without), parse(FILE), "{without}");
        }
    }

    #[test]
    fn files_that_are_written_otherwise_are_not_damaged() {
        let inline = "tenants = { acme = { capabilities = [\"tracing\"] } }\n";
        let put = put_tenant(inline, &owner("acme"), &TenantSettings::default(), None);
        assert_eq!(put, Err(EditError::Form("tenants")));
        assert_eq!(parse(&remove_tenant(inline, &owner("acme")).expect("removed")).expect("a file").len(), 0);
        let dotted = "[tenants]\nacme.limits.max_sessions = 3\nacme.capabilities = [\"tracing\"] # both\n";
        let limits = Limits { max_sessions: Some(5), ..Limits::default() };
        let (put, _) =
            put_tenant(dotted, &owner("acme"), &settings(&[Capability::Tracing], limits), None).expect("put");
        assert_eq!(put, dotted.replace('3', "5"));
    }

    #[test]
    fn names_of_tokens_do_not_hide_numbers() {
        let number = TokenHash::of("a").number().to_string();
        let text = add_token(FILE, &new("acme", &number, "b")).expect("added");
        let text = add_token(&text, &new("acme", "real", "a")).expect("added");
        let left = remove_token(&text, &owner("acme"), &number).expect("removed");
        assert!(left.contains(&TokenHash::of("b").to_hex()) && !left.contains(&TokenHash::of("a").to_hex()), "{left}");
    }

    #[test]
    fn what_a_tenant_may_connect_to_is_changed_or_stays() {
        let change = |asked: TenantEgress| NetworkChange::read(&asked).expect("good");
        let secret = |text: &str| Some(crate::api_types::Secret::new(text.to_owned()));
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let all = TenantEgress {
            allow: Some(texts(&["*.example.com"])),
            deny: texts(&["bad.example.com"]),
            ports: Some("443".to_owned()),
            proxy: secret("http://u-{session}:p%40@10.0.0.1:3128"),
        };
        let put = |text: &str, change: &NetworkChange| {
            put_tenant(text, &owner("new"), &TenantSettings::default(), Some(change)).map(|(text, _)| text)
        };
        let written = put("", &change(all)).expect("put");
        let expected = "[tenants.new]\negress_allow = [\"*.example.com\"]\negress_deny = [\"bad.example.com\"]\negress_ports = \
                        \"443\"\negress_proxy = \"http://u-{session}:p%40@10.0.0.1:3128\"\n";
        assert_eq!(written, expected);
        let (same, _) = put_tenant(&written, &owner("new"), &TenantSettings::default(), None).expect("put");
        assert_eq!(same, written);
        // What is shown of the proxy stands for it, and for no other.
        let network = parse(&written).expect("a file")[&owner("new")].settings.network.clone();
        let shown = network.show().proxy.expect("a proxy");
        assert_eq!(shown, "http://***@10.0.0.1:3128");
        let kept = change(TenantEgress { proxy: secret(&shown), ..TenantEgress::default() });
        let kept = put(&written, &kept).expect("put");
        assert_eq!(kept, "[tenants.new]\negress_proxy = \"http://u-{session}:p%40@10.0.0.1:3128\"\n");
        let other = change(TenantEgress { proxy: secret("http://***@10.0.0.2:3128"), ..TenantEgress::default() });
        assert_eq!(put(&written, &other), Err(EditError::ShownProxy));
        assert_eq!(put(&written, &change(TenantEgress::default())).expect("put"), "[tenants.new]\n");
        for (asked, field) in [
            (TenantEgress { allow: Some(texts(&["http://x"])), ..TenantEgress::default() }, "egress.allow"),
            (TenantEgress { ports: Some("http".to_owned()), ..TenantEgress::default() }, "egress.ports"),
            (TenantEgress { proxy: secret("socks4://u:hidden@h:1"), ..TenantEgress::default() }, "egress.proxy"),
        ] {
            let (at, why) = NetworkChange::read(&asked).expect_err(field);
            assert!(at == field && !why.contains("hidden"), "{at}: {why}");
        }
    }
}

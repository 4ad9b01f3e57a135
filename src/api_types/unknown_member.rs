//! What to say of a member that an operation does not have: the member that was meant, or the name that another vendor's
//! member has here. PURE.

/// Most members that are listed when none is near.
const LISTED: usize = 12;

/// How a name of another vendor is said here.
struct Foreign {
    /// The name there.
    name: &'static str,
    /// Who has it.
    vendor: &'static str,
    /// The member here. The row counts only for operations that have it.
    ours: &'static str,
    /// What else is different.
    hint: &'static str,
}

const fn foreign(name: &'static str, vendor: &'static str, ours: &'static str, hint: &'static str) -> Foreign {
    Foreign { name, vendor, ours, hint }
}

/// Names of other vendors. A name may have several rows: the first whose `ours` the operation has counts.
const FOREIGN: [Foreign; 47] = [
    // Browserbase
    foreign("userMetadata", "Browserbase", "metadata", "its values are texts"),
    foreign("proxySettings", "Browserbase", "proxy", "a URL"),
    foreign("proxies", "Browserbase", "proxy", "one URL"),
    foreign("extensionId", "Browserbase", "launch", "its member `args`, with --load-extension"),
    foreign(
        "browserSettings",
        "Browserbase",
        "launch",
        "the flags of the browser; what is called `context` there is a `profile`",
    ),
    foreign("projectId", "Browserbase", "metadata", "a tenant's token takes its place"),
    foreign("region", "Browserbase", "metadata", "a server has no regions"),
    foreign("context", "Browserbase", "profile", "its name, with `persist` to save it"),
    // Steel
    foreign("sessionId", "Steel", "id", ""),
    foreign("sessionContext", "Steel", "snapshot", "import it first: POST /v1/snapshots with `storageState`"),
    foreign("proxyUrl", "Steel", "proxy", ""),
    foreign("useProxy", "Steel", "proxy", "a URL"),
    foreign("profileId", "Steel", "profile", "the name of the profile"),
    foreign("persistProfile", "Steel", "persist", ""),
    foreign("userDataDir", "Steel", "userData", "the name of a directory that the server keeps"),
    foreign("isHeadful", "Steel", "launch", "its member `headless`"),
    foreign("dimensions", "Steel", "launch", "its member `args`, with --window-size"),
    foreign("userAgent", "Steel", "launch", "its member `args`, with --user-agent"),
    foreign("namespace", "Steel", "metadata", ""),
    foreign("inactivityTimeout", "Steel", "idleTimeout", "milliseconds"),
    // browserless
    foreign("ttl", "browserless", "keepAlive", "milliseconds"),
    foreign("processKeepAlive", "browserless", "keepAlive", "milliseconds"),
    foreign("reconnectTimeout", "browserless", "keepAlive", "milliseconds"),
    foreign("trackingId", "browserless", "name", ""),
    foreign("args", "browserless", "launch", "its member `args`"),
    foreign("headless", "browserless", "launch", "its member `headless`"),
    foreign("stealth", "browserless", "launch", "there is no such switch; `launch` has the flags of the browser"),
    foreign("browser", "browserless", "launch", "the browser is always a Chromium"),
    foreign("gotoOptions", "browserless", "waitUntil", "its members are those of the request itself"),
    foreign("waitForTimeout", "browserless", "time", ""),
    foreign("waitForSelector", "browserless", "selector", ""),
    foreign("waitForFunction", "browserless", "function", ""),
    foreign("waitForEvent", "browserless", "loadState", ""),
    foreign("script", "Selenium", "function", "or `expression`"),
    foreign("code", "browserless", "function", "or `expression`"),
    // Playwright and Puppeteer
    foreign("storageState", "Playwright", "snapshot", "import it first: POST /v1/snapshots with `storageState`"),
    foreign("state", "Playwright", "loadState", ""),
    foreign("pageFunction", "Playwright", "function", ""),
    foreign("arg", "Playwright", "args", "a list"),
    foreign("isolated", "Playwright", "world", "`isolated` is its value"),
    foreign("path", "Playwright", "format", "the picture is in the answer"),
    foreign("mode", "Playwright", "depth", "the snapshot always has references"),
    foreign("root", "ghostmux", "locator", "the element named by `locator`, `selector` or `ref` is the root"),
    foreign("target", "Playwright MCP", "ref", ""),
    foreign("element", "Playwright MCP", "ref", "the reference names the element; a description is not needed"),
    foreign("xpath", "Selenium", "locator", "its member `xpath`"),
    foreign("css", "Selenium", "selector", "or `locator`, with its member `css`"),
];

/// The message for an unknown member, if this is a message of serde about one.
pub(super) fn explain(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (name, rest) = rest.split_once('`')?;
    // Serde lists the members between back quotes.
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let start = format!("unknown field `{name}`");
    if let Some(Foreign { vendor, ours, hint, .. }) =
        FOREIGN.iter().find(|foreign| foreign.name == name && known.contains(&foreign.ours))
    {
        let of = if *vendor == "ghostmux" { String::new() } else { format!(", a name of {vendor}") };
        let hint = if hint.is_empty() { String::new() } else { format!(": {hint}") };
        return Some(format!("{start}{of}; here it is `{ours}`{hint}"));
    }
    if let Some(near) = nearest(name, &known) {
        return Some(format!("{start}; did you mean `{near}`?"));
    }
    Some(match known.len() {
        0 => format!("{start}; there are no members"),
        1..=LISTED => format!("{start}; the members are {}", known.join(", ")),
        _ => format!("{start}; docs/operations.md lists the members, such as {}", known[..LISTED].join(", ")),
    })
}

/// The known name that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let meant = plain(name);
    // A name is refused whose comparison would take long.
    if meant.len() > 64 {
        return None;
    }
    let most = (meant.len() / 3).max(1);
    known
        .iter()
        .map(|known| (strsim::osa_distance(&meant, &plain(known)), *known))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::{Operation as _, Schemas, operations};

    #[test]
    fn unknown_members_name_the_one_that_was_meant() {
        let said = |message: &str| explain(message).expect("an unknown field");
        let of = |name: &str| format!("unknown field `{name}`, expected one of `keepAlive`, `metadata`, `proxy`");
        assert_eq!(said(&of("keepalive")), "unknown field `keepalive`; did you mean `keepAlive`?");
        assert_eq!(said(&of("keep_alive")), "unknown field `keep_alive`; did you mean `keepAlive`?");
        assert_eq!(said(&of("metdata")), "unknown field `metdata`; did you mean `metadata`?");
        assert_eq!(
            said(&of("userMetadata")),
            "unknown field `userMetadata`, a name of Browserbase; here it is `metadata`: its values are texts"
        );
        assert_eq!(said(&of("proxyUrl")), "unknown field `proxyUrl`, a name of Steel; here it is `proxy`");
        let far = said(&of("colour"));
        assert_eq!(far, "unknown field `colour`; the members are keepAlive, metadata, proxy");
        assert_eq!(said("unknown field `a`, there are no fields"), "unknown field `a`; there are no members");
        assert_eq!(said("unknown field `nme`, expected `name`"), "unknown field `nme`; did you mean `name`?");
        let long = "x".repeat(1 << 20);
        assert!(said(&of(&long)).ends_with("the members are keepAlive, metadata, proxy"));
        assert_eq!(explain("invalid type: integer `5`"), None);
    }

    /// A row whose member no operation has would never be said.
    #[test]
    fn every_foreign_name_leads_to_a_member_of_an_operation() {
        let mut schemas = Schemas::default();
        let mut members = std::collections::BTreeSet::new();
        for entry in operations::all() {
            let input = (entry.input)(&mut schemas).schema;
            members.extend(input["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
        }
        for Foreign { name, ours, .. } in FOREIGN {
            assert!(members.contains(ours), "{name}: {ours}");
        }
        let bad = operations::Request::read(operations::CreateSession::ROW.name, r#"{"sessionContext":{}}"#);
        let bad = bad.expect("an operation").expect_err("an unknown member").to_string();
        assert!(bad.contains("a name of Steel; here it is `snapshot`: import it first"), "{bad}");
    }
}

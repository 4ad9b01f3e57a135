//! The arguments: the proof and its size.

use std::io::Write as _;

/// Most tenants: each has at least one client.
const TENANTS_MOST: usize = 16;
/// Most users with Chromes of their own: as many such Chromes a server allows by default.
const DEDICATED_MOST: usize = 8;

/// The arguments after the name of the proof.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    /// A pattern of method names; `*` matches any text.
    pub(crate) methods: String,
    /// The duration; without it the proof runs to its end.
    pub(crate) seconds: Option<u64>,
    /// The smallest number of messages that the taint proof checks.
    pub(crate) messages: u64,
    /// The Chrome to use; by default the one that is found.
    pub(crate) browser: Option<String>,
    /// The number of Chromes over which the taint proof spreads its users.
    pub(crate) browsers: u64,
    /// The number of tenants of the server, over which taint proof and sweep spread their clients; without any it needs no
    /// tokens.
    pub(crate) tenants: usize,
    /// The number of users of the taint proof whose sessions have a Chrome of their own.
    pub(crate) dedicated: usize,
    pub(crate) quiet: bool,
}

impl Options {
    /// A short run for a test.
    pub(crate) fn short(seconds: u64) -> Self {
        let methods = "*".to_owned();
        let seconds = Some(seconds);
        Self {
            seed: 1,
            methods,
            seconds,
            messages: 0,
            browser: None,
            browsers: 1,
            tenants: 0,
            dedicated: 0,
            quiet: true,
        }
    }

    /// `--seed N --methods PATTERN --seconds N --messages N --browser PATH --browsers N --tenants N --dedicated N`
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { seconds: None, messages: 1_000_000, quiet: false, ..Self::short(0) };
        while let Some(name) = arguments.next() {
            let mut value =
                || arguments.next().filter(|value| !value.is_empty()).ok_or(format!("{name} needs a value"));
            let number = |value: String| value.parse().map_err(|error| format!("{name}: {value}: {error}"));
            match name.as_str() {
                "--seed" => options.seed = number(value()?)?,
                "--seconds" => options.seconds = Some(number(value()?)?),
                "--messages" => options.messages = number(value()?)?,
                "--methods" => options.methods = value()?,
                "--browsers" => options.browsers = number(value()?)?,
                "--tenants" => options.tenants = tenants(&value()?)?,
                "--dedicated" => options.dedicated = dedicated(&value()?)?,
                "--browser" => options.browser = Some(value()?),
                _ => return Err(format!("no option is called {name}")),
            }
        }
        Ok(options)
    }

    /// The same with this many tenants.
    pub(crate) fn with_tenants(self, tenants: usize) -> Self {
        Self { tenants, ..self }
    }

    /// The same with this many users in Chromes of their own.
    pub(crate) fn with_dedicated(self, dedicated: usize) -> Self {
        Self { dedicated, ..self }
    }

    /// Whether a method is to be tested.
    pub(crate) fn matches(&self, method: &str) -> bool {
        let mut rest = method;
        let parts: Vec<&str> = self.methods.split('*').collect();
        let [first, middle @ .., last] = parts.as_slice() else { return method == self.methods };
        if rest.len() < first.len() + last.len() || !rest.starts_with(first) || !rest.ends_with(last) {
            return false;
        }
        rest = &rest[first.len()..rest.len() - last.len()];
        middle.iter().all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }

    /// Whether every method is to be tested, without a time limit.
    pub(crate) fn is_whole(&self) -> bool {
        self.methods == "*" && self.seconds.is_none()
    }

    /// Prints a progress line.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            let line: String = line.chars().take(1500).collect();
            let _ = writeln!(std::io::stderr(), "    {line}");
        }
    }
}

/// Reads a number of tenants. A single one would be kept from nobody.
fn tenants(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count == 0 || (2..=TENANTS_MOST).contains(&count) => Ok(count),
        _ => Err(format!("--tenants: {text} is not 0, for none, or a number from 2 to {TENANTS_MOST}")),
    }
}

/// Reads a number of users with Chromes of their own.
fn dedicated(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count <= DEDICATED_MOST);
    count.ok_or_else(|| format!("--dedicated: {text} is not a number from 0 to {DEDICATED_MOST}"))
}

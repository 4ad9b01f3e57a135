//! What of a page has one owner, and which commands claim it.

use crate::cdp::{
    emulation::{Aspect, Change},
    json_object::JsonObject,
};

/// What of a page has one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// An aspect of its emulation, or the headers of its requests.
    Emulation(Aspect),
    /// The speed of its network, and whether it is offline.
    Network,
    /// The speed of its processor.
    Cpu,
    /// Requests wait for a decision (`Fetch`).
    Interception,
    /// Who answers when a server asks for a password.
    Authentication,
}

impl Claim {
    /// All claims, in the order of their bits.
    const ALL: [Self; 12] = [
        Self::Emulation(Aspect::UserAgent),
        Self::Emulation(Aspect::Viewport),
        Self::Emulation(Aspect::Touch),
        Self::Emulation(Aspect::Media),
        Self::Emulation(Aspect::Locale),
        Self::Emulation(Aspect::Timezone),
        Self::Emulation(Aspect::Geolocation),
        Self::Emulation(Aspect::Headers),
        Self::Network,
        Self::Cpu,
        Self::Interception,
        Self::Authentication,
    ];

    /// The name in texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Emulation(Aspect::UserAgent) => "the user agent",
            Self::Emulation(Aspect::Viewport) => "the viewport",
            Self::Emulation(Aspect::Touch) => "touch",
            Self::Emulation(Aspect::Media) => "the media features",
            Self::Emulation(Aspect::Locale) => "the locale",
            Self::Emulation(Aspect::Timezone) => "the time zone",
            Self::Emulation(Aspect::Geolocation) => "the geolocation",
            Self::Emulation(Aspect::Headers) => "the extra headers",
            Self::Network => "the network conditions",
            Self::Cpu => "the processor rate",
            Self::Interception => "the interception of requests",
            Self::Authentication => "the authentication",
        }
    }

    /// The command that gives up what a call has set, and its params; `None` if a client's command replaces it.
    pub(super) fn end(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Network => Some((
                "Network.emulateNetworkConditions",
                r#"{"offline":false,"latency":0,"downloadThroughput":-1,"uploadThroughput":-1}"#,
            )),
            Self::Cpu => Some(("Emulation.setCPUThrottlingRate", r#"{"rate":1}"#)),
            Self::Emulation(_) | Self::Interception | Self::Authentication => None,
        }
    }
}

/// A set of claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims(u16);

impl Claims {
    /// One of them.
    pub fn of(claim: Claim) -> Self {
        Self::ALL_BITS.iter().zip(Claim::ALL).find(|(_, one)| *one == claim).map_or(Self(0), |(bits, _)| *bits)
    }

    const ALL_BITS: [Self; Claim::ALL.len()] = {
        let mut all = [Self(0); Claim::ALL.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = Self(1 << at);
            at += 1;
        }
        all
    };

    /// Whether it has this one.
    pub fn has(self, claim: Claim) -> bool {
        self.0 & Self::of(claim).0 != 0
    }

    pub(super) fn set(&mut self, claim: Claim, has: bool) {
        if has {
            self.0 |= Self::of(claim).0;
        } else {
            self.0 &= !Self::of(claim).0;
        }
    }

    /// Those of both.
    pub(super) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

/// What a command claims (true) or gives up.
pub(super) fn changes(method: &str, params: &str) -> Vec<(Claim, bool)> {
    let Some(params) = JsonObject::read(params) else { return Vec::new() };
    let is_true = |name| params.get(name) == Some("true");
    match method {
        "Fetch.enable" => {
            let none = params.get("patterns").is_some_and(|patterns| patterns.trim_ascii() == "[]");
            vec![(Claim::Interception, !none), (Claim::Authentication, is_true("handleAuthRequests"))]
        }
        "Fetch.disable" => vec![(Claim::Interception, false), (Claim::Authentication, false)],
        "Network.emulateNetworkConditions" | "Network.overrideNetworkState" => {
            let above = |name| params.read_as::<f64>(name).is_some_and(|value| value > 0.0);
            let is_set =
                is_true("offline") || ["latency", "downloadThroughput", "uploadThroughput"].into_iter().any(above);
            vec![(Claim::Network, is_set)]
        }
        "Network.emulateNetworkConditionsByRule" => {
            let rules = params.get("matchedNetworkConditions");
            vec![(Claim::Network, rules.is_some_and(|rules| rules.trim_ascii() != "[]"))]
        }
        "Emulation.setCPUThrottlingRate" => {
            vec![(Claim::Cpu, params.read_as::<f64>("rate").is_some_and(|rate| rate > 1.0))]
        }
        _ => Vec::new(),
    }
}

/// What a change of the emulation of a page claims (true) or gives up.
pub(super) fn of_change(change: &Change) -> (Claim, bool) {
    (Claim::Emulation(change.aspect()), change.is_set())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_claim_and_give_up() {
        let all = |method: &str, params: &str| changes(method, params);
        let (interception, authentication) = (Claim::Interception, Claim::Authentication);
        assert_eq!(all("Fetch.enable", "{}"), [(interception, true), (authentication, false)]);
        assert_eq!(all("Fetch.enable", r#"{"patterns":[]}"#), [(interception, false), (authentication, false)]);
        let both = r#"{"handleAuthRequests":true,"patterns":[{}]}"#;
        assert_eq!(all("Fetch.enable", both), [(interception, true), (authentication, true)]);
        assert_eq!(all("Fetch.disable", "{}"), [(interception, false), (authentication, false)]);
        let plain = r#"{"offline":false,"latency":0,"downloadThroughput":-1,"uploadThroughput":-1}"#;
        assert_eq!(all("Network.emulateNetworkConditions", plain), [(Claim::Network, false)]);
        for slow in [r#"{"offline":true}"#, r#"{"latency":9}"#, r#"{"downloadThroughput":1}"#] {
            assert_eq!(all("Network.emulateNetworkConditions", slow), [(Claim::Network, true)], "{slow}");
        }
        assert_eq!(all("Emulation.setCPUThrottlingRate", r#"{"rate":1}"#), [(Claim::Cpu, false)]);
        assert_eq!(all("Emulation.setCPUThrottlingRate", r#"{"rate":4}"#), [(Claim::Cpu, true)]);
        assert!(all("Page.reload", "{}").is_empty());
    }

    #[test]
    fn claims_are_apart() {
        let mut claims = Claims::default();
        for (at, claim) in Claim::ALL.into_iter().enumerate() {
            assert!(!claims.has(claim), "{claim:?}");
            claims.set(claim, true);
            assert_eq!(claims.0.count_ones() as usize, at + 1);
        }
        claims.set(Claim::Network, false);
        assert!(!claims.has(Claim::Network) && claims.has(Claim::Cpu));
    }
}

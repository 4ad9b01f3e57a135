//! Rules for the requests of a page, and the password for servers that ask for one. Both stand on the domain `Fetch` of the
//! page's own CDP session: Chrome sends each request of the page, and waits for the decision about it.
//!
//! A request that several CDP sessions intercept waits for each of them (`docs/pages.md` says what was measured).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex as AsyncMutex;

use super::{emulation, means::Means, pattern::matches};
use crate::{
    api_types::{
        Attributes, Bad, BlockList, Pattern, RouteAction, RouteInfo, cut,
        operations::{PageAuthenticate, PageRoute, PageUnroute},
        quick::ResourceType,
    },
    browser::{
        InternalEvent, PageDriver,
        commands::{Nothing, commands},
    },
    session::pages::PageError,
    virtual_browser::Claim,
};

/// Most rules of a page.
const ROUTES_MOST: usize = 16;
/// Longest pattern of a rule, in bytes.
const PATTERN_MOST: usize = 256;
/// So much of a URL is compared with a pattern, in bytes.
const COMPARED: usize = 8192;
/// Most requests of which it is remembered that the password was sent.
const TRIED_MOST: usize = 256;

commands! {
    "Fetch.enable" = EnableFetch { patterns: Vec<RequestPattern>, handle_auth_requests: bool } -> Nothing;
    "Fetch.disable" = DisableFetch {} -> Nothing;
    "Fetch.failRequest" = Fail<'a> { request_id: &'a str, error_reason: &'a str } -> Nothing;
    "Fetch.fulfillRequest" = Fulfill<'a> {
        request_id: &'a str,
        response_code: u32,
        response_headers: Vec<Header<'a>>,
        body: String,
    } -> Nothing;
    "Fetch.continueRequest" = Continue<'a> {
        request_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        headers: Option<Vec<Header<'a>>>,
    } -> Nothing;
    "Fetch.continueWithAuth" = ContinueWithAuth<'a> {
        request_id: &'a str,
        auth_challenge_response: ChallengeAnswer<'a>,
    } -> Nothing;
}

/// A pattern of Chrome: `*` stands for any characters.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestPattern {
    url_pattern: String,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Header<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ChallengeAnswer<'a> {
    response: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Paused {
    request_id: String,
    request: Asked,
    resource_type: String,
}

#[derive(Deserialize)]
struct Asked {
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthRequired {
    request_id: String,
    auth_challenge: Challenge,
}

#[derive(Deserialize)]
struct Challenge {
    #[serde(default)]
    source: String,
    origin: String,
}

/// The rules of a page, and its password.
#[derive(Debug, Default)]
pub(super) struct Routes {
    // Guards the rules; held for one decision.
    now: Mutex<Rules>,
    // Held while Chrome is told of a change, so that it learns of the changes in their order.
    telling: AsyncMutex<()>,
}

#[derive(Debug, Default)]
struct Rules {
    list: Vec<Rule>,
    last: u32,
    password: Option<Login>,
    /// The requests to which the password was given, the newest last: it is not given twice.
    tried: VecDeque<String>,
}

/// The requests that a rule is about: all that is given must apply.
#[derive(Debug, Default)]
struct Target {
    glob: Option<String>,
    regex: Option<Pattern>,
    types: Vec<ResourceType>,
    hosts: Option<BlockList>,
}

impl Target {
    fn has(&self, url: &str, kind: &str) -> bool {
        self.glob.as_ref().is_none_or(|glob| matches(glob, url))
            && self.regex.as_ref().is_none_or(|regex| regex.is_in(url))
            && self.hosts.as_ref().is_none_or(|hosts| hosts.has(url))
            && (self.types.is_empty() || self.types.iter().any(|wanted| wanted.name().eq_ignore_ascii_case(kind)))
    }

    /// The URLs, for a caller.
    fn shown(&self) -> String {
        match (&self.glob, &self.regex) {
            (Some(glob), _) => glob.clone(),
            (None, Some(regex)) => format!("/{}/", regex.as_str()),
            (None, None) => "**".to_owned(),
        }
    }
}

#[derive(Debug)]
struct Rule {
    id: String,
    target: Target,
    requests: u32,
    does: Does,
}

#[derive(Debug)]
enum Does {
    Abort,
    Fulfill { status: u32, headers: Attributes, body: String },
    Continue { headers: Attributes, without: Vec<String> },
}

/// Not shown by `Debug` of anything that is logged.
struct Login {
    username: String,
    password: String,
    origin: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Routes {
    fn now(&self) -> MutexGuard<'_, Rules> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is intercepted.
    pub(super) fn is_empty(&self) -> bool {
        self.now().is_empty()
    }

    /// The rules, for a caller.
    pub(super) fn list(&self) -> Vec<RouteInfo> {
        let info = |rule: &Rule| RouteInfo {
            id: rule.id.clone(),
            url: rule.target.shown(),
            action: match rule.does {
                Does::Abort => RouteAction::Abort,
                Does::Fulfill { .. } => RouteAction::Fulfill,
                Does::Continue { .. } => RouteAction::Continue,
            },
            requests: rule.requests,
        };
        self.now().list.iter().map(info).collect()
    }
}

impl Rules {
    fn is_empty(&self) -> bool {
        self.list.is_empty() && self.password.is_none()
    }

    /// What Chrome is to intercept. It asks for a password only for requests that it intercepts.
    fn patterns(&self) -> Vec<RequestPattern> {
        let of = |url_pattern: String| RequestPattern { url_pattern };
        match self.password {
            Some(_) => vec![of("*".to_owned())],
            None => {
                self.list.iter().map(|rule| of(rule.target.glob.as_deref().map_or("*".to_owned(), in_chrome))).collect()
            }
        }
    }
}

/// A pattern of Chrome that matches at least the same URLs.
fn in_chrome(pattern: &str) -> String {
    pattern.replace('\\', "\\\\").replace('?', "\\?")
}

/// The rule that a request describes.
fn rule(request: &PageRoute) -> Result<Option<(Target, Does)>, Bad> {
    let PageRoute {
        url, regex, resource_types, action, status, headers, remove_headers, body, base64, blocked, ..
    } = request;
    if url.is_none() && regex.is_none() && resource_types.is_empty() && blocked.is_none() {
        return Ok(None);
    }
    if let Some(glob) = url.as_ref().filter(|glob| glob.is_empty() || glob.len() > PATTERN_MOST) {
        return Err(Bad::new("url", format!("has {} bytes, and not 1 to {PATTERN_MOST}", glob.len())));
    }
    let target =
        Target { glob: url.clone(), regex: regex.clone(), types: resource_types.clone(), hosts: blocked.clone() };
    emulation::check_headers("headers", headers)?;
    remove_headers.iter().try_for_each(|name| emulation::check_header("removeHeaders", name))?;
    let only = |member: &str, is_given: bool, of: &str| {
        if is_given { Err(Bad::new(member, format!("is for the action {of} only"))) } else { Ok(()) }
    };
    let does = match action {
        RouteAction::Abort => {
            only("headers", !headers.0.is_empty(), "fulfill or continue")?;
            Does::Abort
        }
        RouteAction::Fulfill => {
            let status = status.unwrap_or(200);
            if !(200..=599).contains(&status) {
                return Err(Bad::new("status", format!("{status} is not between 200 and 599")));
            }
            let body = body.as_deref().unwrap_or_default();
            if *base64 && BASE64.decode(body.as_bytes()).is_err() {
                return Err(Bad::new("body", "is no base64"));
            }
            let body = if *base64 { body.to_owned() } else { BASE64.encode(body.as_bytes()) };
            Does::Fulfill { status, headers: headers.clone(), body }
        }
        RouteAction::Continue => Does::Continue { headers: headers.clone(), without: remove_headers.clone() },
    };
    if *action != RouteAction::Fulfill {
        only("status", status.is_some(), "fulfill")?;
        only("body", body.is_some(), "fulfill")?;
    }
    if *action != RouteAction::Continue {
        only("removeHeaders", !remove_headers.is_empty(), "continue")?;
    }
    Ok(Some((target, does)))
}

/// The headers of a request after a rule.
fn changed<'a>(own: &'a BTreeMap<String, String>, set: &'a Attributes, without: &[String]) -> Vec<Header<'a>> {
    let is_set = |name: &str| set.0.keys().any(|other| other.eq_ignore_ascii_case(name));
    let is_removed = |name: &str| without.iter().any(|other| other.eq_ignore_ascii_case(name));
    let header = |(name, value): (&'a String, &'a String)| Header { name, value };
    let kept = own.iter().filter(|(name, _)| !is_set(name) && !is_removed(name)).map(header);
    kept.chain(set.0.iter().map(header)).collect()
}

impl Routes {
    /// Adds a rule, if the request describes one. Returns its id.
    pub(super) async fn add(
        &self,
        driver: &PageDriver,
        means: &Means,
        request: &PageRoute,
    ) -> Result<Option<String>, PageError> {
        let Some((target, does)) = rule(request)? else { return Ok(None) };
        means.check_free(Claim::Interception)?;
        let id = {
            let mut now = self.now();
            if now.list.len() >= ROUTES_MOST {
                return Err(PageError::Many { what: "routes", most: ROUTES_MOST });
            }
            now.last += 1;
            let id = format!("r{}", now.last);
            now.list.push(Rule { id: id.clone(), target, requests: 0, does });
            id
        };
        if let Err(error) = self.tell(driver).await {
            self.now().list.retain(|rule| rule.id != id);
            return Err(error);
        }
        Ok(Some(id))
    }

    /// Removes a rule, or all.
    pub(super) async fn remove(&self, driver: &PageDriver, request: &PageUnroute) -> Result<(), PageError> {
        match &request.route {
            Some(id) => {
                let mut now = self.now();
                let Some(at) = now.list.iter().position(|rule| rule.id == *id) else {
                    return Err(Bad::new("route", format!("the page has no route {id:?}; route lists them")).into());
                };
                now.list.remove(at);
            }
            None => self.now().list.clear(),
        }
        self.tell(driver).await
    }

    /// Sets the password, or removes it.
    pub(super) async fn authenticate(
        &self,
        driver: &PageDriver,
        means: &Means,
        request: &PageAuthenticate,
    ) -> Result<(), PageError> {
        let PageAuthenticate { username, password, origin, .. } = request;
        let password = match (username, password) {
            (Some(username), password) => Some(Login {
                username: username.clone(),
                password: password.clone().unwrap_or_default(),
                origin: origin.as_ref().map(|origin| origin.trim_end_matches('/').to_owned()),
            }),
            (None, None) if origin.is_none() => None,
            (None, _) => return Err(Bad::new("username", "is missing").into()),
        };
        if password.is_some() {
            means.check_free(Claim::Authentication)?;
        }
        let before = {
            let mut now = self.now();
            now.tried.clear();
            std::mem::replace(&mut now.password, password)
        };
        let told = self.tell(driver).await;
        if told.is_err() {
            self.now().password = before;
        }
        told
    }

    /// Tells Chrome what to intercept from now on.
    async fn tell(&self, driver: &PageDriver) -> Result<(), PageError> {
        let _turn = self.telling.lock().await;
        let enable = {
            let now = self.now();
            (!now.is_empty())
                .then(|| EnableFetch { patterns: now.patterns(), handle_auth_requests: now.password.is_some() })
        };
        match enable {
            Some(enable) => driver.ask(&enable).await.map(drop)?,
            None => driver.ask(&DisableFetch {}).await.map(drop)?,
        }
        Ok(())
    }

    /// Decides about a request that waits.
    pub(super) fn on_event(&self, driver: &PageDriver, event: &InternalEvent) {
        match &*event.method {
            "Fetch.requestPaused" => {
                if let Ok(paused) = serde_json::from_str(&event.params) {
                    self.decide(driver, &paused);
                }
            }
            "Fetch.authRequired" => {
                if let Ok(required) = serde_json::from_str(&event.params) {
                    self.answer_challenge(driver, required);
                }
            }
            _ => {}
        }
    }

    fn decide(&self, driver: &PageDriver, Paused { request_id, request, resource_type }: &Paused) {
        let mut now = self.now();
        let url = cut(&request.url, COMPARED);
        let Some(rule) = now.list.iter_mut().rev().find(|rule| rule.target.has(url, resource_type)) else {
            return driver.tell(&Continue { request_id, headers: None });
        };
        rule.requests = rule.requests.saturating_add(1);
        match &rule.does {
            Does::Abort => driver.tell(&Fail { request_id, error_reason: "BlockedByClient" }),
            Does::Fulfill { status, headers, body } => {
                let response_headers = headers.0.iter().map(|(name, value)| Header { name, value }).collect();
                let (response_code, body) = (*status, body.clone());
                driver.tell(&Fulfill { request_id, response_code, response_headers, body });
            }
            Does::Continue { headers, without } => {
                let headers = Some(changed(&request.headers, headers, without));
                driver.tell(&Continue { request_id, headers });
            }
        }
    }

    /// Gives a server the password, once. A proxy gets none: it is not the page's.
    fn answer_challenge(&self, driver: &PageDriver, AuthRequired { request_id, auth_challenge }: AuthRequired) {
        let mut now = self.now();
        let of_server = auth_challenge.source != "Proxy";
        let is_tried = now.tried.contains(&request_id);
        let for_origin = |password: &&Login| {
            password.origin.as_ref().is_none_or(|origin| *origin == auth_challenge.origin.trim_end_matches('/'))
        };
        let response = match now.password.as_ref().filter(|_| of_server).filter(for_origin) {
            Some(_) if is_tried => ChallengeAnswer { response: "CancelAuth", username: None, password: None },
            Some(Login { username, password, .. }) => {
                ChallengeAnswer { response: "ProvideCredentials", username: Some(username), password: Some(password) }
            }
            None => ChallengeAnswer { response: "Default", username: None, password: None },
        };
        driver.tell(&ContinueWithAuth { request_id: &request_id, auth_challenge_response: response });
        if !is_tried {
            if now.tried.len() == TRIED_MOST {
                now.tried.pop_front();
            }
            now.tried.push_back(request_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(all: &[(&str, &str)]) -> Attributes {
        Attributes(all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn rules_replace_and_remove_headers_in_any_case() {
        let own = attributes(&[("Accept", "a"), ("Cookie", "b"), ("X-Old", "c")]).0;
        let set = attributes(&[("accept", "z"), ("X-New", "n")]);
        let after: Vec<_> =
            changed(&own, &set, &["cookie".to_owned()]).iter().map(|one| (one.name, one.value)).collect();
        assert_eq!(after, [("X-Old", "c"), ("X-New", "n"), ("accept", "z")]);
    }

    #[test]
    fn rules_have_only_what_their_action_needs() {
        let url = Some("**".to_owned());
        let of = |request: PageRoute| rule(&PageRoute { url: url.clone(), ..request });
        assert!(of(PageRoute::default()).is_ok());
        assert!(rule(&PageRoute::default()).is_ok_and(|rule| rule.is_none()));
        for (wrong, member) in [
            (PageRoute { body: Some("x".to_owned()), ..PageRoute::default() }, "body"),
            (PageRoute { headers: attributes(&[("a", "b")]), ..PageRoute::default() }, "headers"),
            (PageRoute { remove_headers: vec!["a".to_owned()], ..PageRoute::default() }, "removeHeaders"),
            (PageRoute { action: RouteAction::Fulfill, status: Some(99), ..PageRoute::default() }, "status"),
            (
                PageRoute {
                    action: RouteAction::Fulfill,
                    headers: attributes(&[("a", "b\r\n")]),
                    ..PageRoute::default()
                },
                "headers",
            ),
        ] {
            assert_eq!(of(wrong).expect_err(member).field, member);
        }
        assert!(rule(&PageRoute { url: Some("x".repeat(257)), ..PageRoute::default() }).is_err());
    }

    #[test]
    fn chrome_gets_patterns_that_match_no_less() {
        assert_eq!(in_chrome("https://a/*?b=\\**"), "https://a/*\\?b=\\\\**");
    }
}

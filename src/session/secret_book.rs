//! The secrets of all owners, kept in memory, and which of them were typed in a session. PURE: the time is an argument.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use url::{Host, Url};

use super::{pages::PageError, totp::Totp};
use crate::{
    api_types::{Bad, NAME_RULE, Owner, Secret, SecretInfo, is_name, operations::PutSecret},
    store::Timestamp,
};

/// How long a text may be, in characters. A shorter one is not replaced by its name where a page shows it: it would be everywhere.
const VALUE: std::ops::RangeInclusive<usize> = 4..=4096;
const ORIGINS: std::ops::RangeInclusive<usize> = 1..=20;
/// Most texts of which a session remembers that they were typed. A one-time password, which holds no more, makes room first.
const TYPED_MOST: usize = 100;

/// The secrets of all owners; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct SecretBook {
    // Guards the secrets; held for one look-up among those of an owner, of which there are at most as many as `secrets` says.
    secrets: Arc<Mutex<HashMap<Owner, BTreeMap<String, Kept>>>>,
}

struct Kept {
    info: SecretInfo,
    value: Option<Secret>,
    totp: Option<Totp>,
    origins: Vec<OriginPattern>,
}

/// Why a secret is not stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotStored {
    Bad(Bad),
    /// The owner has as many as it may have.
    Many,
}

impl From<Bad> for NotStored {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

impl SecretBook {
    /// Stores a secret in place of the one of this name.
    pub(super) fn put(
        &self,
        owner: &Owner,
        request: PutSecret,
        most: usize,
        now: Timestamp,
    ) -> Result<SecretInfo, NotStored> {
        let kept = Kept::read(request, now)?;
        let info = kept.info.clone();
        let mut all = self.secrets();
        let of_owner = all.entry(owner.clone()).or_default();
        if of_owner.len() >= most && !of_owner.contains_key(&info.name) {
            return Err(NotStored::Many);
        }
        of_owner.insert(info.name.clone(), kept);
        Ok(info)
    }

    /// The secrets of an owner, by name.
    pub(super) fn list(&self, owner: &Owner) -> Vec<SecretInfo> {
        let all = self.secrets();
        all.get(owner).into_iter().flat_map(BTreeMap::values).map(|kept| kept.info.clone()).collect()
    }

    /// Forgets a secret. Returns whether there was one.
    pub(super) fn remove(&self, owner: &Owner, name: &str) -> bool {
        let mut all = self.secrets();
        let Some(of_owner) = all.get_mut(owner) else { return false };
        let was = of_owner.remove(name).is_some();
        if of_owner.is_empty() {
            all.remove(owner);
        }
        was
    }

    /// What is typed for a secret in a document of this origin: its text, or with `totp` its one-time password.
    pub(super) fn typed(
        &self,
        owner: &Owner,
        (name, totp): (&str, bool),
        origin: &str,
        now: Timestamp,
    ) -> Result<Secret, PageError> {
        let all = self.secrets();
        let kept = all.get(owner).and_then(|of_owner| of_owner.get(name));
        let kept = kept.ok_or_else(|| PageError::NoSecret { name: name.chars().take(100).collect() })?;
        let document = Url::parse(origin).ok();
        if !document.is_some_and(|document| kept.origins.iter().any(|pattern| pattern.has(&document))) {
            return Err(PageError::SecretOrigin { name: name.to_owned(), origin: origin.to_owned() });
        }
        let lacks = |member: &str, what: &str| Bad::new(member, format!("the secret {name} has no {what}"));
        if totp {
            let totp = kept.totp.as_ref().ok_or_else(|| lacks("totp", "key for one-time passwords"))?;
            return Ok(Secret::new(totp.password(now.0 / 1000)));
        }
        kept.value.clone().ok_or_else(|| lacks("secret", "text; totp: true types a one-time password").into())
    }

    fn secrets(&self) -> MutexGuard<'_, HashMap<Owner, BTreeMap<String, Kept>>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn read(request: PutSecret, now: Timestamp) -> Result<Self, Bad> {
        let PutSecret { secret: name, value, totp, origins } = request;
        if !is_name(&name) {
            return Err(Bad::new("secret", format!("is not {NAME_RULE}")));
        }
        if value.is_none() && totp.is_none() {
            return Err(Bad::new("value", "or totp is needed"));
        }
        if value.as_ref().is_some_and(|value| !VALUE.contains(&value.reveal().chars().count())) {
            return Err(Bad::new("value", format!("has not {} to {} characters", VALUE.start(), VALUE.end())));
        }
        let totp = totp.map(|text| Totp::parse(text.reveal())).transpose().map_err(|why| Bad::new("totp", why))?;
        if !ORIGINS.contains(&origins.len()) {
            return Err(Bad::new("origins", format!("are not {} to {}", ORIGINS.start(), ORIGINS.end())));
        }
        let read = |(at, text): (usize, &String)| {
            OriginPattern::parse(text).ok_or_else(|| Bad::new(&format!("origins[{at}]"), ORIGIN_RULE))
        };
        let origins = origins.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        let info = SecretInfo {
            name,
            origins: origins.iter().map(ToString::to_string).collect(),
            has_value: value.is_some(),
            has_totp: totp.is_some(),
            stored_at: now.0,
        };
        Ok(Self { info, value, totp, origins })
    }
}

const ORIGIN_RULE: &str = "is no origin such as https://example.com, https://example.com:8443 or https://*.example.com, which is \
                           all hosts below that name";

/// The origins of one host, or of all hosts below a name.
#[derive(Debug)]
struct OriginPattern {
    /// With the name below which the hosts are.
    url: Url,
    is_below: bool,
}

impl OriginPattern {
    fn parse(text: &str) -> Option<Self> {
        let below = text.replacen("://*.", "://", 1);
        let is_below = below != text;
        let url = Url::parse(&below).ok()?;
        let is_web = matches!(url.scheme(), "http" | "https");
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        let is_host = match url.host()? {
            // All hosts of a country or a registry are nobody's.
            Host::Domain(name) => !name.contains('*') && (!is_below || name.trim_end_matches('.').contains('.')),
            Host::Ipv4(_) | Host::Ipv6(_) => !is_below,
        };
        (is_web && is_bare && is_anonymous && is_host).then_some(Self { url, is_below })
    }

    fn has(&self, document: &Url) -> bool {
        let is_host = match (self.url.host_str(), document.host_str()) {
            (Some(name), Some(host)) if self.is_below => {
                host.strip_suffix(name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (own, host) => own == host,
        };
        is_host
            && self.url.scheme() == document.scheme()
            && self.url.port_or_known_default() == document.port_or_known_default()
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.url.origin().ascii_serialization();
        if self.is_below { f.write_str(&origin.replacen("://", "://*.", 1)) } else { f.write_str(&origin) }
    }
}

/// The secrets that were typed in the pages of a session: no answer shows them.
#[derive(Default)]
pub(super) struct TypedSecrets {
    // Guards the list; held for one answer.
    typed: Mutex<Vec<TypedSecret>>,
}

struct TypedSecret {
    text: Secret,
    /// Whether it is a one-time password.
    is_once: bool,
    /// How it stands in texts of answers, the longest first.
    forms: Vec<Secret>,
    /// The same as a part of JSON.
    in_json: Vec<Secret>,
    /// What stands there in its place.
    shown: String,
}

impl TypedSecrets {
    /// Remembers that a secret is typed; called before it is.
    pub(super) fn note(&self, (name, is_once): (&str, bool), text: &Secret) {
        let mut typed = self.typed();
        typed.retain(|known| known.text != *text);
        if typed.len() >= TYPED_MOST {
            let oldest = typed.iter().position(|known| known.is_once).unwrap_or(0);
            typed.remove(oldest);
        }
        let forms = forms(text.reveal());
        let in_json = forms.iter().map(|form| Secret::new(quoted(form.reveal()))).collect();
        typed.push(TypedSecret { text: text.clone(), is_once, forms, in_json, shown: format!("[secret {name}]") });
    }

    /// Replaces them in a text.
    pub(super) fn hide(&self, text: &mut String) {
        hide(&self.typed(), text);
    }

    /// Replaces them in the texts of a JSON document: a secret such as `true` stands in others too.
    pub(super) fn hide_in_json(&self, json: &mut String) {
        let typed = self.typed();
        let is_in = |TypedSecret { in_json, .. }: &TypedSecret| in_json.iter().any(|form| json.contains(form.reveal()));
        if !typed.iter().any(is_in) {
            return;
        }
        if let Ok(mut document) = serde_json::from_str(json) {
            hide_in_value(&typed, &mut document);
            *json = document.to_string();
        }
    }

    fn typed(&self) -> MutexGuard<'_, Vec<TypedSecret>> {
        self.typed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hide(typed: &[TypedSecret], text: &mut String) {
    for TypedSecret { forms, shown, .. } in typed {
        for form in forms {
            if text.contains(form.reveal()) {
                *text = text.replace(form.reveal(), shown);
            }
        }
    }
}

fn hide_in_value(typed: &[TypedSecret], value: &mut Value) {
    match value {
        Value::String(text) => hide(typed, text),
        Value::Array(values) => values.iter_mut().for_each(|value| hide_in_value(typed, value)),
        Value::Object(members) => {
            let hidden = std::mem::take(members).into_iter().map(|(mut name, mut value)| {
                hide(typed, &mut name);
                hide_in_value(typed, &mut value);
                (name, value)
            });
            *members = hidden.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl fmt::Debug for TypedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedSecrets").finish_non_exhaustive()
    }
}

/// A text as a part of a text of JSON.
fn quoted(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// How a text stands in another: itself, quoted (as in snapshots), in HTML, in a URL, in the body of a form.
fn forms(text: &str) -> Vec<Secret> {
    let in_html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let in_attribute = in_html.replace('"', "&quot;");
    let in_form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let in_url = in_form.replace('+', "%20");
    let mut forms = vec![text.to_owned(), quoted(text), in_html, in_attribute, in_form, in_url];
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms.into_iter().map(Secret::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(59_000);

    fn request(name: &str, origins: &[&str]) -> PutSecret {
        PutSecret {
            secret: name.to_owned(),
            value: Some(Secret::new("p@ss \"word\"".to_owned())),
            totp: None,
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        }
    }

    #[test]
    fn secrets_are_typed_in_documents_of_their_origins_alone() {
        for (pattern, shown, allowed, refused) in [
            (
                "https://example.com",
                "https://example.com",
                &["https://example.com", "https://example.com:443"][..],
                &[
                    "http://example.com",
                    "https://example.com:8443",
                    "https://www.example.com",
                    "https://example.com.evil.test",
                    "https://notexample.com",
                    "null",
                    "",
                ][..],
            ),
            (
                "https://*.Example.com/",
                "https://*.example.com",
                &["https://www.example.com", "https://a.b.example.com"],
                &[
                    "https://example.com",
                    "https://evilexample.com",
                    "http://www.example.com",
                    "https://www.example.com:1",
                ],
            ),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", &["http://127.0.0.1:8080"], &["http://127.0.0.1"]),
            ("http://[::1]:80", "http://[::1]", &["http://[::1]"], &["http://[::2]"]),
        ] {
            let (book, owner) = (SecretBook::default(), Owner::local());
            let info = book.put(&owner, request("a", &[pattern]), 1, NOW).expect("it is stored");
            assert_eq!(info.origins, [shown]);
            for origin in allowed {
                let typed = book.typed(&owner, ("a", false), origin, NOW).expect(origin);
                assert_eq!(typed.reveal(), "p@ss \"word\"", "{pattern} {origin}");
            }
            for origin in refused {
                let error = book.typed(&owner, ("a", false), origin, NOW).expect_err(origin);
                assert!(matches!(error, PageError::SecretOrigin { .. }), "{pattern} {origin}: {error}");
            }
        }
    }

    #[test]
    fn secrets_belong_to_their_owner() {
        let (book, other) = (SecretBook::default(), "other".parse().expect("an owner"));
        book.put(&Owner::local(), request("a", &["https://example.com"]), 1, NOW).expect("it is stored");
        let error = book.typed(&other, ("a", false), "https://example.com", NOW).expect_err("another's");
        assert!(matches!(error, PageError::NoSecret { .. }), "{error}");
        assert!(book.list(&other).is_empty() && !book.remove(&other, "a"));
        assert_eq!(book.list(&Owner::local()).len(), 1);
        assert_eq!(book.put(&Owner::local(), request("b", &["https://a.test"]), 1, NOW), Err(NotStored::Many));
        assert!(book.put(&Owner::local(), request("a", &["https://b.test"]), 1, NOW).is_ok(), "it is replaced");
        assert!(book.remove(&Owner::local(), "a") && book.secrets().is_empty());
    }

    #[test]
    fn one_time_passwords_are_those_of_the_time() {
        let (book, owner) = (SecretBook::default(), Owner::local());
        let totp = Some(Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned()));
        let request = PutSecret { value: None, totp, ..request("a", &["https://example.com"]) };
        let info = book.put(&owner, request, 1, NOW).expect("it is stored");
        assert_eq!((info.has_value, info.has_totp), (false, true));
        let typed = |totp| book.typed(&owner, ("a", totp), "https://example.com", NOW);
        assert_eq!(typed(true).expect("a password").reveal(), "287082");
        assert!(typed(false).is_err_and(|error| error.to_string().contains("has no text")));
    }

    #[test]
    fn what_is_no_secret_is_refused_with_member_and_rule() {
        let of = |change: fn(&mut PutSecret)| {
            let mut request = request("a", &["https://example.com"]);
            change(&mut request);
            match SecretBook::default().put(&Owner::local(), request, 1, NOW) {
                Err(NotStored::Bad(bad)) => bad.to_string(),
                other => panic!("{other:?}"),
            }
        };
        for (said, member) in [
            (of(|request| request.secret = "a/b".to_owned()), "secret"),
            (of(|request| request.value = None), "value"),
            (of(|request| request.value = Some(Secret::new("abc".to_owned()))), "value"),
            (of(|request| request.totp = Some(Secret::new("1".to_owned()))), "totp"),
            (of(|request| request.origins.clear()), "origins"),
            (of(|request| request.origins.push("example.com".to_owned())), "origins[1]"),
        ] {
            assert!(said.contains(member), "{member}: {said}");
        }
        for origin in [
            "https://*.com",
            "https://*",
            "https://a.*.test",
            "ftp://a.test",
            "https://a.test/path",
            "https://u@a.test",
            "https://*.1.2.3.4",
            "file:///",
            "data:,",
        ] {
            assert!(OriginPattern::parse(origin).is_none(), "{origin}");
        }
    }

    #[test]
    fn typed_secrets_are_hidden_however_they_are_written() {
        let typed = TypedSecrets::default();
        typed.note(("login", false), &Secret::new("p@ss \"<w>&\"".to_owned()));
        let texts = [
            "p@ss \"<w>&\"",
            "- textbox: \"p@ss \\\"<w>&\\\"\"",
            "<b>p@ss \"&lt;w&gt;&amp;\"</b>",
            "<input value=\"p@ss &quot;&lt;w&gt;&amp;&quot;\">",
            "https://a.test/?p=p%40ss%20%22%3Cw%3E%26%22",
            "p=p%40ss+%22%3Cw%3E%26%22",
        ];
        let mut json = serde_json::to_string(&texts).expect("JSON");
        typed.hide_in_json(&mut json);
        let hidden: Vec<String> = serde_json::from_str(&json).expect("JSON still");
        for text in &hidden {
            assert!(text.contains("[secret login]") && !text.contains("ss"), "{text}");
        }
        for (plain, secret) in [(r#"["p@ss",true,1234]"#, "true"), (r#"["p@ss",true,1234]"#, "1234")] {
            typed.note(("other", false), &Secret::new(secret.to_owned()));
            let mut other = plain.to_owned();
            typed.hide_in_json(&mut other);
            assert_eq!(other, plain, "{secret} is no text there");
        }
        let mut name = r#"{"true":"untrue"}"#.to_owned();
        typed.hide_in_json(&mut name);
        assert_eq!(name, r#"{"[secret other]":"un[secret other]"}"#);
        (0..TYPED_MOST).for_each(|at| typed.note(("otp", true), &Secret::new(format!("{at:06}"))));
        assert_eq!(typed.typed().len(), TYPED_MOST);
        let mut text = texts[0].to_owned();
        typed.hide(&mut text);
        assert_eq!(text, "[secret login]", "one-time passwords make room for each other");
        assert!(!format!("{typed:?}").contains("000001"));
    }
}

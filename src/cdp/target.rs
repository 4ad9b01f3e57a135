//! `Target.TargetInfo` and `Target.TargetFilter`: the parts that the proxy needs.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    ids::{ContextId, TargetId},
    message::string,
};

/// The kind of a target, from the `type` of its `TargetInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A browser-level endpoint.
    Browser,
    /// A tab; its page is a child of it for clients that auto-attach in tab flavour.
    Tab,
    /// A top-level page.
    Page,
    /// An out-of-process iframe.
    Iframe,
    /// A dedicated worker.
    Worker,
    /// A shared worker.
    SharedWorker,
    /// A service worker.
    ServiceWorker,
    /// An auction or shared-storage worklet, which belongs to a page like a worker.
    Worklet,
    /// Chrome's own user interface, hidden pages, and types that a newer Chrome adds: never shown.
    Other,
}

impl Kind {
    /// Reads the protocol's name.
    pub fn from_type(text: &str) -> Self {
        match text {
            "browser" => Self::Browser,
            "tab" => Self::Tab,
            "page" => Self::Page,
            "iframe" => Self::Iframe,
            "worker" => Self::Worker,
            "shared_worker" => Self::SharedWorker,
            "service_worker" => Self::ServiceWorker,
            "auction_worklet" | "shared_storage_worklet" | "worklet" => Self::Worklet,
            _ => Self::Other,
        }
    }

    /// The protocol's name; `other` for kinds that are never shown.
    pub const fn as_type(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Tab => "tab",
            Self::Page => "page",
            Self::Iframe => "iframe",
            Self::Worker => "worker",
            Self::SharedWorker => "shared_worker",
            Self::ServiceWorker => "service_worker",
            Self::Worklet => "worklet",
            Self::Other => "other",
        }
    }

    /// Whether targets of this kind can be shown to a client at all.
    pub const fn is_ordinary(self) -> bool {
        !matches!(self, Self::Browser | Self::Other)
    }

    /// Whether it runs scripts without a document.
    pub const fn is_worker(self) -> bool {
        matches!(self, Self::Worker | Self::SharedWorker | Self::ServiceWorker | Self::Worklet)
    }
}

/// The members of a `TargetInfo` that decide the owner of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetInfo {
    /// Its id.
    pub id: TargetId,
    /// Its kind.
    pub kind: Kind,
    /// Its URL, with lone surrogates replaced.
    pub url: String,
    /// Whether any debugger of the browser is attached to it, the proxy's included.
    pub attached: bool,
    /// Its context; browser targets have none.
    pub context: Option<ContextId>,
    /// The page that opened it.
    pub opener: Option<TargetId>,
    /// Whether it can reach that page by `window.opener`.
    pub can_access_opener: bool,
    /// The parent target, such as the page of an iframe.
    pub parent: Option<TargetId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow)]
    target_id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    url: Option<&'a RawValue>,
    #[serde(default)]
    attached: bool,
    browser_context_id: Option<ContextId>,
    #[serde(borrow)]
    opener_id: Option<&'a RawValue>,
    #[serde(default)]
    can_access_opener: bool,
    #[serde(borrow)]
    parent_id: Option<&'a RawValue>,
}

impl TargetInfo {
    /// Reads Chrome's JSON; `None` if it is not a `TargetInfo`.
    pub fn read(json: &str) -> Option<Self> {
        let wire: Wire<'_> = serde_json::from_str(json).ok()?;
        Some(Self {
            id: wire.target_id.as_ref().into(),
            kind: Kind::from_type(&wire.kind),
            url: wire.url.and_then(|raw| string(raw.get())).map_or_else(String::new, Cow::into_owned),
            attached: wire.attached,
            context: wire.browser_context_id,
            opener: wire.opener_id.and_then(|raw| string(raw.get())).map(|id| id.as_ref().into()),
            can_access_opener: wire.can_access_opener,
            parent: wire.parent_id.and_then(|raw| string(raw.get())).map(|id| id.as_ref().into()),
        })
    }
}

/// Chrome's text of a `TargetInfo` with its `attached` replaced.
///
/// `"attached":` with a bare quote cannot occur inside a JSON string, so the first one is the member.
pub fn with_attached(info: &str, attached: bool) -> Cow<'_, str> {
    const MEMBER: &str = "\"attached\":";
    let Some(at) = info.find(MEMBER) else { return Cow::Borrowed(info) };
    let value = at + MEMBER.len();
    let (old, new) = if attached { ("false", "true") } else { ("true", "false") };
    if info[value..].starts_with(old) {
        Cow::Owned([&info[..value], new, &info[value + old.len()..]].concat())
    } else {
        Cow::Borrowed(info)
    }
}

/// `Target.TargetFilter`: the first entry with the target's type, or without a type, decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Vec<Entry>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    exclude: bool,
    kind: Option<String>,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a filter entry")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
                let mut entry = Entry::default();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    match key.as_str() {
                        "exclude" => entry.exclude = serde_json::from_str(value.get()).map_err(A::Error::custom)?,
                        "type" => {
                            let kind = string(value.get()).ok_or_else(|| A::Error::custom("not a string"))?;
                            entry.kind = Some(kind.into_owned());
                        }
                        _ => {}
                    }
                }
                Ok(entry)
            }
        }

        from.deserialize_map(Members)
    }
}

impl Filter {
    /// Reads the protocol's JSON as Chrome does: the last of duplicate keys counts, and a lone
    /// surrogate is accepted (*measured*). `None` if it is not a filter: Chrome then refuses it
    /// too, and a filter that only we refused would be sent to Chrome and apply to the whole
    /// browser.
    pub fn read(json: &str) -> Option<Self> {
        let mut filter = Self(Vec::new());
        for entry in serde_json::from_str::<Vec<Entry>>(json).ok()? {
            let Some(kind) = entry.kind.as_deref() else {
                filter.0.push(entry);
                break;
            };
            // The filter is used at every event, so only deciding entries are kept, however long
            // the client's is.
            let is_known = Kind::from_type(kind).as_type() == kind;
            if is_known && filter.0.iter().all(|before| before.kind != entry.kind) {
                filter.0.push(entry);
            }
        }
        Some(filter)
    }

    /// Chrome's default filter: everything except browsers and tabs.
    pub fn default_of_chrome() -> Self {
        let exclude = |kind: &str| Entry { exclude: true, kind: Some(kind.to_owned()) };
        Self(vec![exclude("browser"), exclude("tab"), Entry { exclude: false, kind: None }])
    }

    /// Whether targets of this kind pass the filter.
    pub fn matches(&self, kind: Kind) -> bool {
        self.0
            .iter()
            .find(|entry| entry.kind.as_deref().is_none_or(|name| name == kind.as_type()))
            .is_some_and(|entry| !entry.exclude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_matching_filter_entry_decides() {
        let puppeteer =
            Filter::read(r#"[{"type":"page","exclude":true},{"type":"browser","exclude":true},{}]"#).expect("a filter");
        assert!(puppeteer.matches(Kind::Tab) && puppeteer.matches(Kind::ServiceWorker));
        assert!(!puppeteer.matches(Kind::Page) && !puppeteer.matches(Kind::Browser));
        assert!(!Filter::default_of_chrome().matches(Kind::Tab));
        assert!(!Filter::read("[]").expect("a filter").matches(Kind::Page));
        assert_eq!(Filter::read(r#"[{"type":5}]"#), None);
        assert_eq!(Filter::read(r#"{"type":"page"}"#), None);
    }

    #[test]
    fn filters_keep_only_entries_that_decide() {
        let many = |entry: &str| vec![entry; 1000].join(",");
        let (page, nothing) = (many(r#"{"type":"page","exclude":true}"#), many(r#"{"type":"nothing"}"#));
        let filter = Filter::read(&format!("[{nothing},{page},{{\"type\":\"page\"}},{{}},{page}]")).expect("a filter");
        assert!(!filter.matches(Kind::Page) && filter.matches(Kind::Worker));
        assert_eq!(filter.0.len(), 2);
    }

    #[test]
    fn filters_are_accepted_exactly_as_by_chrome() {
        // All of them match Chrome 156.
        for (json, page, worker) in [
            (r#"[{"type":"\ud800","exclude":true},{}]"#, true, true),
            (r#"[{"exclude":false,"exclude":false}]"#, true, true),
            (r#"[{"type":"page","exclude":true,"exclude":false}]"#, true, false),
            (r#"[{"type":"page","type":"worker"}]"#, false, true),
            (r#"[{"x":1}]"#, true, true),
            (r#"[{"t\u0079pe":"p\u0061ge"}]"#, true, false),
        ] {
            let filter = Filter::read(json).expect(json);
            assert_eq!((filter.matches(Kind::Page), filter.matches(Kind::Worker)), (page, worker), "{json}");
        }
        for json in [
            r#"[{"exclude":null}]"#,
            r#"[{"type":null}]"#,
            r#"[{"type":5}]"#,
            r#"[{"exclude":1}]"#,
            "[null]",
            "[5]",
            "[[]]",
            "{}",
            r#"[{"\ud800":1}]"#,
        ] {
            assert_eq!(Filter::read(json), None, "{json}");
        }
    }

    #[test]
    fn attached_is_replaced_only_as_a_member() {
        let info = r#"{"targetId":"A","type":"page","title":"\"attached\":true","url":"","attached":true,"canAccessOpener":false}"#;
        assert!(with_attached(info, false).ends_with(r#""attached":false,"canAccessOpener":false}"#));
        assert_eq!(with_attached(info, true), info);
    }

    #[test]
    fn lone_surrogates_in_titles_are_accepted() {
        let info = TargetInfo::read(
            r#"{"targetId":"A","type":"page","title":"\ud800","url":"http://x/","attached":true,"openerId":"B","browserContextId":"C"}"#,
        );
        let info = info.expect("a target");
        assert_eq!(
            (info.kind, info.opener.as_ref().map(TargetId::as_str), info.url.as_str()),
            (Kind::Page, Some("B"), "http://x/")
        );
    }
}

//! The types of ghostmux's own API, and its operations. PURE: types only.
//!
//! The Rust types are the one source: the `ghost` domain, the REST interface and the documents of both
//! (`fixtures/ghost.json`, `types/ghost.d.ts`, `fixtures/openapi.json`, `docs/operations.md`) are made from them. The comments of these types are
//! the descriptions in the documents.

mod bad;
mod block_list;
pub mod capability;
mod control;
mod definition;
mod egress;
mod events;
mod files;
mod job;
mod launch;
pub mod locator;
pub mod operations;
mod owner;
mod page;
mod page_events;
mod page_state;
mod paging;
mod pattern;
mod profile;
mod protocol;
mod proxy;
pub mod quick;
mod read;
mod reference;
mod schemas;
mod secret;
mod secrets;
mod server;
mod snapshot;
mod tenants;
#[cfg(test)]
mod tests;
mod typescript;
mod unknown_member;
mod usage;

use std::{borrow::Cow, collections::BTreeMap, fmt, ops::Deref, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;

pub use self::{
    bad::Bad,
    block_list::BlockList,
    capability::Capability,
    control::{Mode, Recycling, Reloaded, ServerMode, SettingChange},
    definition::{Domain, Items, Member, Type, merged},
    egress::{FailedConnection, SessionEgress},
    events::{
        BrowserLost, ClientAttached, ClientDetached, DownloadFinished, EgressExhausted, EgressFailed, Event,
        ProfileLost, SessionExpiring, SessionUpdated, SnapshotRestored, SnapshotSaved, UserDataTooLarge,
    },
    files::{
        Download, DownloadList, DownloadState, FILE_NAME_MOST, FILE_NAME_PATTERN, FileList, UploadedFile, cut,
        file_name, numbered, safe_file_name,
    },
    job::{Job, JobList, JobState},
    launch::{Launch, LaunchPolicy},
    locator::Locator,
    operations::{Operation, Reply, Request},
    owner::{BadOwner, NAME_RULE, Owner, is_name},
    page::{
        AccessibilitySnapshot, Acted, ActionsDone, Aftermath, AnyValue, Area, Attributes, AttributesOf, ConsoleLine,
        DocumentResponse, ElementState, FoundElement, FoundElements, Link, Modifier, MouseButton, NewPageInfo,
        PageHtmlOf, PageLinksOf, PagePdfOf, PagePicture, PageTextOf, PaperMargin, PictureFormat, Point, ScriptResult,
        ScriptValue, Selected, StepResult, Went, World,
    },
    page_events::{
        DialogAnswer, DialogType, Exchange, Expect, ExpectDialog, ExpectExchange, ExpectFileChooser, ExpectNavigation,
        ExpectUrl, Expected, FileChooserInfo, FileForPage, Happened, LoadState, OpenedPage, PageDialogInfo,
        PageException,
    },
    page_state::{
        CdpResult, ColorScheme, ConsoleEntry, ConsoleOf, Cookie, CookieFilter, CookiesOf, Geolocation, InitScript,
        MarkdownOf, MediaType, NetworkOf, ReducedMotion, RouteAction, RouteInfo, RoutesOf, SameSite, ScriptsOf,
        Setting, StorageArea, StorageOf, whole_setting,
    },
    paging::{PageOf, paged},
    pattern::Pattern,
    profile::{PROFILE_RULE, Profile, ProfileKind, ProfileUse, Profiles, profile_name},
    protocol::{ABOUT, declarations, definition},
    proxy::WantedProxy,
    read::{check_name, given, has_all, read, whole},
    reference::reference,
    schemas::{DEFINITIONS, Schemas, Shape, ShapeOf, capital},
    secret::Secret,
    secrets::{SecretInfo, SecretList},
    server::{
        BrowserCounts, BrowserInfo, BrowserOrigin, BrowserState, Browsers, QueueStatus, ServerStatus, SessionCounts,
    },
    snapshot::{
        Beginning, COPIES_MOST, Cloned, Copies, Exported, Importing, Label, Omission, RestoreMode, Restoring, Saved,
        Snapshot, SnapshotFormat, SnapshotPart, SnapshotReport, Snapshots, StorageState,
    },
    tenants::{
        BYTES_MOST, IssuedToken, Sharing, TenantEgress, TenantEgressInfo, TenantInfo, TenantLimits, TenantList,
        TokenInfo, TokenList, TokenText,
    },
    usage::{TenantUsage, TenantUsages, UsageBy},
};

/// The domain's definition in the protocol's own JSON format, merged into `/json/protocol`. Made by [`definition`].
pub const DEFINITION: &str = include_str!("../fixtures/ghost.json");
/// Most bytes of a session's metadata, as JSON.
pub const METADATA_MOST: usize = 4096;
/// Most characters of the name of a session or a snapshot.
pub const NAME_MOST: usize = 200;
/// What these names are made of: all but control characters, which would change the lists and logs they are shown in.
pub const NAME_PATTERN: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// Most CSS pixels of each side of a viewport: Chrome's limit.
pub const VIEWPORT_MOST: u32 = 10_000_000;
/// How long before a deadline `ghost.sessionExpiring` is sent, if the client does not say.
pub const EXPIRING_NOTICE: Duration = Duration::from_secs(30);

/// A duration: on the wire a number of milliseconds, at most [`Millis::MOST`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub Duration);

impl Millis {
    /// A year; more is a mistake.
    pub const MOST: Duration = Duration::from_secs(366 * 24 * 3600);
}

/// The whole milliseconds of a time.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(millis(self.0))
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = f64::deserialize(deserializer)?;
        let span = Duration::try_from_secs_f64(given / 1000.0).ok().filter(|span| *span <= Self::MOST);
        span.map(Self).ok_or_else(|| {
            let most = Self::MOST.as_millis();
            D::Error::custom(format!("{given} is no time: milliseconds from 0 to {most} are"))
        })
    }
}

impl JsonSchema for Millis {
    fn schema_name() -> Cow<'static, str> {
        "Milliseconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let most = millis(Self::MOST);
        json_schema!({
            "description": "A duration in milliseconds. For `timeout` and `idleTimeout` 0 means no limit; for \
                `keepAlive` 0 means that the session ends with its last socket; for `hibernateAfter` and `autosave` 0 \
                means never, for `keepFiles` that files are removed with the session.",
            "type": "number",
            "minimum": 0,
            "maximum": most,
        })
    }
}

/// What the owner stores with a session or snapshot: string values under string keys, none of them empty, at most 4 KiB
/// as JSON. ghostmux does not interpret it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("propertyNames" = { "minLength": 1 }))]
pub struct Metadata(pub BTreeMap<String, String>);

impl Deref for Metadata {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl FromIterator<(String, String)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}

/// The state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SessionState {
    /// waits for a place in a browser.
    Queued,
    /// has a client.
    Active,
    /// has no client; its pages run on.
    Parked,
    /// is saved and in no browser, because it was parked for long, or because its browser or its server failed while it
    /// had `autosave`; connecting to it restores it.
    Hibernated,
    /// has ended and cannot be restored.
    Closed,
}

/// With whom a session shares its browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Isolation {
    /// with the sessions of others: it has contexts of its own in their browser.
    #[default]
    Shared,
    /// with nobody: it has a Chrome of its own, which starts for it and ends with it.
    Dedicated,
}

impl Isolation {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Shared, Self::Dedicated];

    /// The value in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Dedicated => "dedicated",
        }
    }
}

/// What is decided when a session is created, and cannot be changed later.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Initial {
    /// With whom it shares its browser; [`Isolation::Shared`] if absent.
    pub isolation: Option<Isolation>,
    /// The snapshot it begins with; it is blank if absent.
    pub begins: Option<Beginning>,
    /// What its client wants of the browser.
    pub launch: Option<Launch>,
    /// The profile it begins with, or the user data directory of its browser; not together with a snapshot.
    pub profile: Option<ProfileUse>,
    /// The proxy by which its pages leave.
    pub proxy: Option<WantedProxy>,
}

/// What a request says of the profile of a new session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedProfile {
    /// The profile it begins with.
    pub profile: Option<String>,
    /// Whether it saves that.
    pub persist: Option<bool>,
    /// The user data directory of its browser.
    pub user_data: Option<String>,
}

/// Why a session cannot be created as a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadInitial {
    /// A value is invalid.
    Value(Bad),
    /// A value is valid, and not together with another one.
    Together(Bad),
}

impl From<Bad> for BadInitial {
    fn from(bad: Bad) -> Self {
        Self::Value(bad)
    }
}

impl From<BadInitial> for Bad {
    fn from(bad: BadInitial) -> Self {
        match bad {
            BadInitial::Value(bad) | BadInitial::Together(bad) => bad,
        }
    }
}

impl Initial {
    /// What a new session is from its creation on.
    pub fn of(
        isolation: Option<Isolation>,
        begins: Option<Beginning>,
        mut launch: Option<Launch>,
        proxy: Option<WantedProxy>,
        wanted: WantedProfile,
    ) -> Result<Self, BadInitial> {
        let of_launch = launch.as_mut().map(Launch::without_proxy).transpose()?.flatten();
        let launch = launch.filter(|Launch(members)| !members.is_empty());
        let proxy = match (proxy, of_launch) {
            (Some(_), Some(twice)) => {
                let why = "is a second proxy beside that of the option proxy; leave out one of the two";
                return Err(BadInitial::Together(Bad::new(twice.option, why)));
            }
            (proxy, of_launch) => proxy.or(of_launch),
        };
        let WantedProfile { profile, persist, user_data } = wanted;
        let profile = profile.map(|name| profile_name("profile", &name)).transpose()?;
        let user_data = user_data.map(|name| profile_name("userData", &name)).transpose()?;
        let together = |field, why| Err(BadInitial::Together(Bad::new(field, why)));
        let second = "is the state that the session begins with; give one of snapshot, profile and user data";
        let (profile, isolation) = match (profile, user_data) {
            (Some(_), Some(_)) => return together("profile", second),
            (Some(_), None) if begins.is_some() => return together("profile", second),
            (None, Some(_)) if begins.is_some() => return together("userData", second),
            (None, Some(_)) if isolation == Some(Isolation::Shared) => {
                let why = "is shared, and user data are for a browser of the session's own; leave isolation out";
                return together("isolation", why);
            }
            (None, Some(_)) if persist == Some(false) => {
                let why = "is false, and user data are always kept; use profile for state that is only read";
                return together("persist", why);
            }
            (None, Some(name)) => (Some(ProfileUse::user_data(name)), Some(Isolation::Dedicated)),
            (Some(name), None) => (Some(ProfileUse::snapshot(name, persist.unwrap_or(false))), isolation),
            (None, None) if persist == Some(true) => {
                return together("persist", "saves a profile; give its name with profile");
            }
            (None, None) => (None, isolation),
        };
        Ok(Self { isolation, begins, launch, profile, proxy })
    }
}

/// A deadline that ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Deadline {
    /// time since the session started.
    Timeout,
    /// time since a client last sent a frame, while a client is connected; frames from Chrome do not count.
    IdleTimeout,
    /// time since the last socket closed.
    KeepAlive,
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timeout",
            Self::IdleTimeout => "idleTimeout",
            Self::KeepAlive => "keepAlive",
        })
    }
}

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The id, by which clients reconnect to the session.
    pub id: String,
    /// The state.
    pub state: SessionState,
    /// The name by which clients find it, `/s/NAME`; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<String>,
    /// The URL to reconnect to the session.
    pub web_socket_debugger_url: String,
    /// The name that the owner chose; need not be unique. At most 200 characters, none of them a control character.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// What the owner stores with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata: Option<Metadata>,
    /// With whom it shares its browser.
    #[serde(default)]
    pub isolation: Isolation,
    /// The profile it began with; absent if it began with none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub profile: Option<String>,
    /// The user data directory that its browser uses; absent if that is removed with the browser.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_data: Option<String>,
    /// Whether its state is saved as this profile when it ends.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub persist: bool,
    /// When it started, in milliseconds since 1970-01-01 UTC.
    pub created_at: u64,
    /// Limit of the time since it started.
    pub timeout: Millis,
    /// Limit of the time since a client last sent a frame.
    pub idle_timeout: Millis,
    /// How long it lives without a socket.
    pub keep_alive: Millis,
    /// How long it is parked before it is saved and its pages are closed.
    #[serde(default)]
    pub hibernate_after: Millis,
    /// How often it is saved while it runs, so that it can be restored if its browser fails.
    #[serde(default)]
    pub autosave: Millis,
    /// How long its files can be fetched after its end.
    #[serde(default)]
    pub keep_files: Millis,
    /// When the first of its running deadlines ends it, in milliseconds since 1970-01-01 UTC; absent if none is running.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<u64>,
    /// The deadline that `expiresAt` belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_by: Option<Deadline>,
    /// Number of sockets that are connected to it now, page sockets included.
    pub clients: u32,
    /// These sockets, the earliest first. Empty in lists of sessions and in events.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub client_list: Vec<Client>,
    /// Number of the browser it is in; absent while it waits for a place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub browser: Option<u32>,
    /// The tenant to whom it belongs, if that is not the one who asks: only a tenant with the capability `admin` sees such
    /// sessions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// What it may do beyond driving its own pages; absent if that is nothing, and while it is in no browser.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub capabilities: Vec<Capability>,
}

/// A socket of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Its number in the session.
    #[schemars(with = "u32")]
    pub id: u64,
    /// The page it controls; absent for a browser-level client.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target_id: Option<String>,
    /// When it connected, in milliseconds since the epoch.
    pub connected_at: u64,
    /// Whether no other browser-level client may connect while this one stays.
    pub exclusive: bool,
}

/// What a session has used since it started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Time since it started.
    pub wall_time: Millis,
    /// Frames from its clients.
    pub frames_in: u64,
    /// Frames to its clients.
    pub frames_out: u64,
    /// Bytes of the frames from its clients.
    pub bytes_in: u64,
    /// Bytes of the frames to its clients.
    pub bytes_out: u64,
    /// Commands among the frames from its clients.
    pub commands: u64,
    /// Events among the frames to its clients.
    pub events: u64,
    /// Pages that are open now.
    pub pages: u32,
    /// The largest number of pages that were open at a time.
    pub pages_most: u32,
    /// Bytes of JavaScript heap in use in its pages now. Pages that do not answer within 2 s, because they are busy or
    /// paused, are left out here and in the next two.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub js_heap_used: Option<u64>,
    /// DOM nodes of its pages now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dom_nodes: Option<u64>,
    /// Processor time of the renderers of the pages that are open now, since each started, to 10 ms. Frames in a renderer
    /// of their own and closed pages are not included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_time: Option<Millis>,
    /// Memory in bytes of all processes of its browser, without what other programs share. Only for a session with a browser
    /// of its own, as the next two.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub browser_memory: Option<u64>,
    /// Processor time of these processes since the browser started, ended ones included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub browser_cpu_time: Option<Millis>,
    /// How many processes these are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub browser_processes: Option<u32>,
    /// Bytes of its files on disk now: downloads, and files that clients uploaded.
    #[serde(default)]
    pub files_size: u64,
    /// Bytes from its pages, if its requests pass gates (`egress`).
    #[serde(default)]
    pub egress_up: u64,
    /// Bytes to its pages, then.
    #[serde(default)]
    pub egress_down: u64,
}

/// Settings of a session. What is absent keeps its value, or takes the default of the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Its name.
    pub name: Option<String>,
    /// What the owner stores with it.
    pub metadata: Option<Metadata>,
    /// Time since its start; 0 is no limit.
    pub timeout: Option<Millis>,
    /// Time since its last frame from a client; 0 is no limit.
    pub idle_timeout: Option<Millis>,
    /// Time without a socket; with 0 it ends with its last socket.
    pub keep_alive: Option<Millis>,
    /// Time parked before it is hibernated; 0 is never.
    pub hibernate_after: Option<Millis>,
    /// Time between two saves; 0 is never.
    pub autosave: Option<Millis>,
    /// Time for which its files are kept after its end.
    pub keep_files: Option<Millis>,
}

/// A page of a list of sessions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sessions {
    /// Oldest first.
    pub sessions: Vec<Session>,
    /// Hibernated sessions whose record in the store cannot be read; absent if there are none, and if the list is
    /// filtered by name or metadata.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unreadable: Vec<Unreadable>,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// A session or snapshot in the store whose record cannot be read: another version of ghostmux wrote it, or it is
/// damaged. It cannot be used, but it can be deleted by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unreadable {
    /// The id.
    pub id: String,
    /// What is wrong with the record.
    pub reason: String,
}

/// The open pages of a session.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pages {
    /// In the order of Chrome.
    #[schemars(with = "Vec<PageInfo>")]
    pub pages: Vec<Box<RawValue>>,
    /// The `cursor` of the next page; absent if this is the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A `TargetInfo`, as `Target.getTargets` of Chrome gives it.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "camelCase", extend("additionalProperties" = true))]
#[expect(dead_code, reason = "it describes what Chrome writes")]
struct PageInfo {
    /// Connect to `/devtools/page/{targetId}` to control the page.
    target_id: String,
    #[schemars(rename = "type")]
    kind: String,
    title: String,
    url: String,
    #[schemars(skip_serializing_if = "Option::is_none")]
    browser_context_id: Option<String>,
}

/// The answer of an operation that answers nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Nothing {}

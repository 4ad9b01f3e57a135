//! Operations on sessions. An operation is performed in `session/manager/service.rs`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{
        Bad, BadInitial, Beginning, Initial, Isolation, Launch, Metadata, Millis, NAME_MOST, NAME_PATTERN, Nothing,
        Options, Pages, Secret, Session, SessionEgress, SessionState, Sessions, Usage, WantedProfile, WantedProxy,
        given, has_all,
    },
    CommandResult::{Member, Output},
    Errors, Operation, PAGE_MOST, Rest, RestAnswer, RestInput, Row, Verb, operations,
};

operations! {
    /// A request about sessions.
    Session, SessionRequest:
        GetSession, ListSessions, CreateSession, UpdateSession, CloseSession, Park, GetUsage, GetEgress, GetPages,
}

/// An endpoint that shows something of one session.
const OF_ONE: Rest = Rest {
    verb: Verb::Get,
    path: "/v1/sessions/{id}",
    id: Some("id"),
    second: None,
    input: RestInput::Path,
    answer: RestAnswer::Output,
    says: "The session.",
    tag: "sessions",
    errors: &[Errors::Session],
};

/// Shows a session.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GetSession {
    /// The session; that of this connection if absent.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
}

impl Operation for GetSession {
    type Output = Session;
    const ROW: Row = Row { name: "getSession", ghost: Some(Member("session")), rest: Some(OF_ONE) };
}

/// Lists the sessions of this owner, oldest first, one page at a time.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ListSessions {
    /// Only sessions in this state.
    #[serde(deserialize_with = "given")]
    pub state: Option<SessionState>,
    /// Only sessions with this name.
    #[serde(deserialize_with = "given")]
    pub name: Option<String>,
    /// Only sessions that have all these members with these values.
    #[serde(deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// Most sessions on the page, 1 to 1000; 100 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = PAGE_MOST))]
    pub limit: Option<u32>,
    /// The `next` of the page before this one.
    #[serde(deserialize_with = "given")]
    #[schemars(regex(pattern = "^([0-9a-f]{1,15}[.]|z)[A-Za-z0-9._~-]{0,129}$"))]
    pub cursor: Option<String>,
}

impl ListSessions {
    /// Whether such a session is among those that are wanted.
    pub fn takes(&self, state: SessionState, name: Option<&String>, metadata: Option<&Metadata>) -> bool {
        self.state.is_none_or(|wanted| state == wanted)
            && self.name.as_ref().is_none_or(|wanted| name == Some(wanted))
            && has_all(metadata, self.metadata.as_ref())
    }
}

impl Operation for ListSessions {
    type Output = Sessions;
    const ROW: Row = Row {
        name: "listSessions",
        ghost: Some(Output),
        rest: Some(Rest {
            path: "/v1/sessions",
            id: None,
            input: RestInput::Query,
            says: "A page of sessions.",
            errors: &[Errors::Filter],
            ..OF_ONE
        }),
    };
}

/// Creates a session. It is parked until a client connects to its `webSocketDebuggerUrl`. With `session` it may exist
/// already: it is then restored if it is hibernated, and gets the given members.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CreateSession {
    /// An id that was never used on this server: 8 to 64 characters of A-Z a-z 0-9 . _ -. Chosen by the server if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{8,64}$"))]
    pub id: Option<String>,
    /// The name by which clients find the session, `/s/NAME`: 1 to 64 characters of A-Z a-z 0-9 . _ -, unique for its
    /// owner. Not together with `id`.
    #[serde(deserialize_with = "given")]
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{1,64}$"))]
    pub session: Option<String>,
    /// A name, which need not be unique; that of `session` if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(length(max = NAME_MOST), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// What to store with it.
    #[serde(deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// Limit of the time since it started.
    #[serde(deserialize_with = "given")]
    pub timeout: Option<Millis>,
    /// Limit of the time since a client last sent a frame.
    #[serde(deserialize_with = "given")]
    pub idle_timeout: Option<Millis>,
    /// How long it waits for a client to connect or reconnect. If absent, the server's default for such sessions.
    #[serde(deserialize_with = "given")]
    #[schemars(extend("minimum" = 1))]
    pub keep_alive: Option<Millis>,
    /// How long it is parked before it is hibernated.
    #[serde(deserialize_with = "given")]
    pub hibernate_after: Option<Millis>,
    /// How often it is saved: at least 1000, or 0.
    #[serde(deserialize_with = "given")]
    pub autosave: Option<Millis>,
    /// How long its files can be fetched after its end.
    #[serde(deserialize_with = "given")]
    pub keep_files: Option<Millis>,
    /// With whom it shares its browser; `shared` if absent. `dedicated` needs the capability of that name.
    #[serde(deserialize_with = "given")]
    pub isolation: Option<Isolation>,
    /// What its browser is to be like.
    #[serde(deserialize_with = "given")]
    pub launch: Option<Launch>,
    /// The snapshot it begins with; it is blank if absent.
    #[serde(deserialize_with = "given")]
    pub snapshot: Option<String>,
    /// Whether the pages of the snapshot are opened; `true` if absent.
    #[serde(deserialize_with = "given")]
    pub pages: Option<bool>,
    /// The profile it begins with, in its newest state. Not together with `snapshot`.
    #[serde(deserialize_with = "given")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$"))]
    pub profile: Option<String>,
    /// Whether its state is saved as `profile` when it ends; `false` if absent. If there is no such profile yet, the session
    /// begins blank.
    #[serde(deserialize_with = "given")]
    pub persist: Option<bool>,
    /// The user data directory of its browser, which is `dedicated` and keeps everything there: made if there is none of this
    /// name. Not together with `snapshot` or `profile`.
    #[serde(deserialize_with = "given")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$"))]
    pub user_data: Option<String>,
    /// The proxy through which its pages leave: `http://USER:PASSWORD@HOST:PORT` or `socks5://…`. Nothing shows it again.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub proxy: Option<Secret>,
    /// The hosts that are connected to without `proxy`, with commas between them.
    #[serde(deserialize_with = "given")]
    pub proxy_bypass: Option<String>,
}

impl CreateSession {
    /// What decides the id, the settings, and what cannot be changed later.
    pub fn divide(self) -> Result<(Identity, Options, Initial), BadInitial> {
        let Self {
            id,
            session,
            name,
            metadata,
            timeout,
            idle_timeout,
            keep_alive,
            hibernate_after,
            autosave,
            keep_files,
            isolation,
            launch,
            snapshot,
            pages,
            profile,
            persist,
            user_data,
            proxy,
            proxy_bypass,
        } = self;
        let identity = match (id, session) {
            (Some(_), Some(_)) => {
                return Err(Bad::new("session", "decides the id of the session; leave out one of the two").into());
            }
            (None, Some(name)) => Identity::Name(name),
            (id, None) => Identity::Id(id),
        };
        let options =
            Options { name, metadata, timeout, idle_timeout, keep_alive, hibernate_after, autosave, keep_files };
        let begins = snapshot.map(|snapshot| Beginning { snapshot, pages: pages.unwrap_or(true) });
        let proxy = WantedProxy::of(proxy, proxy_bypass)?;
        let profile = WantedProfile { profile, persist, user_data };
        Ok((identity, options, Initial::of(isolation, begins, launch, proxy, profile)?))
    }
}

/// What decides the id of a session that is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The id itself; chosen by the server if absent.
    Id(Option<String>),
    /// The name by which clients find the session.
    Name(String),
}

impl Operation for CreateSession {
    type Output = Session;
    const ROW: Row = Row {
        name: "createSession",
        ghost: Some(Member("session")),
        rest: Some(Rest {
            verb: Verb::Post,
            path: "/v1/sessions",
            id: None,
            input: RestInput::BodyWithOne("NewSession", ["session", "id"]),
            answer: RestAnswer::FoundOrCreated,
            errors: &[Errors::Body, Errors::Beginning],
            ..OF_ONE
        }),
    };

    fn created(session: &Session) -> Option<String> {
        Some(format!("/v1/sessions/{}", session.id))
    }
}

/// Changes the given members of a live session; a changed deadline counts from the same moment as before.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct UpdateSession {
    /// The session; that of this connection if absent.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
    /// The new name; an empty one removes the name.
    #[serde(deserialize_with = "given")]
    #[schemars(length(max = NAME_MOST), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// Replaces the metadata as a whole.
    #[serde(deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// Limit of the time since it started.
    #[serde(deserialize_with = "given")]
    pub timeout: Option<Millis>,
    /// Limit of the time since a client last sent a frame.
    #[serde(deserialize_with = "given")]
    pub idle_timeout: Option<Millis>,
    /// How long it lives without a socket.
    #[serde(deserialize_with = "given")]
    pub keep_alive: Option<Millis>,
    /// How long it is parked before it is hibernated.
    #[serde(deserialize_with = "given")]
    pub hibernate_after: Option<Millis>,
    /// How often it is saved: at least 1000, or 0.
    #[serde(deserialize_with = "given")]
    pub autosave: Option<Millis>,
    /// How long its files can be fetched after its end.
    #[serde(deserialize_with = "given")]
    pub keep_files: Option<Millis>,
}

impl UpdateSession {
    /// The session, and what changes.
    pub fn divide(self) -> (Option<String>, Options) {
        let Self { id, name, metadata, timeout, idle_timeout, keep_alive, hibernate_after, autosave, keep_files } =
            self;
        (id, Options { name, metadata, timeout, idle_timeout, keep_alive, hibernate_after, autosave, keep_files })
    }
}

impl Operation for UpdateSession {
    type Output = Session;
    const ROW: Row = Row {
        name: "updateSession",
        ghost: Some(Member("session")),
        rest: Some(Rest {
            verb: Verb::Patch,
            input: RestInput::NeededBody("Changes"),
            says: "The session after the change.",
            errors: &[Errors::Session, Errors::Body],
            ..OF_ONE
        }),
    };
}

/// Ends a session with all its pages. Its clients are disconnected with close code 1000; one that ends its own session
/// gets the answer first.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CloseSession {
    /// The session; that of this connection if absent.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
}

impl Operation for CloseSession {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "closeSession",
        ghost: Some(Output),
        rest: Some(Rest { verb: Verb::Delete, answer: RestAnswer::Nothing, says: "The session has ended.", ..OF_ONE }),
    };
}

/// Parks a session: its clients are disconnected with close code 1000 and the URL to reconnect to as the reason; one that
/// parks its own session gets the answer first. The pages run on for `keepAlive`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Park {
    /// The session; that of this connection if absent.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
    /// The new `keepAlive`. If absent, a session without any gets the server's default for parked sessions.
    #[serde(deserialize_with = "given")]
    #[schemars(extend("minimum" = 1))]
    pub keep_alive: Option<Millis>,
}

impl Operation for Park {
    type Output = Session;
    const ROW: Row = Row {
        name: "park",
        ghost: Some(Member("session")),
        rest: Some(Rest {
            verb: Verb::Post,
            path: "/v1/sessions/{id}/park",
            input: RestInput::Body("Parking"),
            errors: &[Errors::Session, Errors::Body],
            ..OF_ONE
        }),
    };
}

/// Shows the usage of a session.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GetUsage {
    /// The session; that of this connection if absent.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
}

impl Operation for GetUsage {
    type Output = Usage;
    const ROW: Row = Row {
        name: "getUsage",
        ghost: Some(Member("usage")),
        rest: Some(Rest { path: "/v1/sessions/{id}/usage", says: "Its usage since it started.", ..OF_ONE }),
    };
}

/// Shows what a session connects to: bytes, and the last connections that were refused or failed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GetEgress {
    /// The session; that of this connection if absent.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
}

impl Operation for GetEgress {
    type Output = SessionEgress;
    const ROW: Row = Row {
        name: "getEgress",
        ghost: Some(Member("egress")),
        rest: Some(Rest { path: "/v1/sessions/{id}/egress", says: "Its network access.", ..OF_ONE }),
    };
}

/// Lists the pages of a session.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GetPages {
    /// The session.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
    /// Most pages on the page, 1 to 1000; 1000 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = PAGE_MOST))]
    pub limit: Option<u32>,
    /// The `next` of the page before this one.
    #[serde(deserialize_with = "given")]
    pub cursor: Option<String>,
}

impl Operation for GetPages {
    type Output = Pages;
    const ROW: Row = Row {
        name: "getPages",
        // A client has `Target.getTargets`.
        ghost: None,
        rest: Some(Rest {
            path: "/v1/sessions/{id}/pages",
            input: RestInput::Query,
            says: "Its open pages.",
            errors: &[Errors::Session, Errors::Filter],
            ..OF_ONE
        }),
    };
}

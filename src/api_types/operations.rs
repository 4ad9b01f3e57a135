//! The table of the operations of ghostmux, for all interfaces. PURE.
//!
//! The type of an operation is its input. The type and its row are in one of the files below; [`OPERATIONS`] has all rows.
//! The `ghost` domain and the REST interface are adapters: they read the input, hand it on as a [`Request`], and write the
//! [`Reply`]. Their documents are made from the same table.

mod action;
mod connection;
mod control;
mod files;
mod jobs;
mod page_scripts;
mod page_state;
mod pages;
mod profiles;
mod release;
mod secrets;
mod server;
mod sessions;
mod snapshots;
mod tenants;

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

// A glob, so that an operation is named only in the file that declares it.
pub use self::{
    connection::*, control::*, files::*, jobs::*, page_scripts::*, page_state::*, pages::*, profiles::*, release::*,
    secrets::*, server::*, sessions::*, snapshots::*, tenants::*,
};
use super::{Bad, Schemas, ShapeOf, read};

/// Most items on one page of a list.
pub const PAGE_MOST: u32 = 1000;

/// Longest time that a request may wait for something, in milliseconds.
pub const WAIT_MOST: u64 = 300_000;

/// An operation. The type is its input; the comment of the type is its description.
pub trait Operation: DeserializeOwned + JsonSchema {
    /// The output.
    type Output: Serialize + JsonSchema;

    /// The row: its names and its endpoint.
    const ROW: Row;

    /// The path of the resource that it created.
    fn created(_: &Self::Output) -> Option<String> {
        None
    }
}

/// The names of an operation and its endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name: of the command in the `ghost` domain, and `operationId` of REST.
    pub name: &'static str,
    /// The result of the command in the `ghost` domain; `None` if the domain does not have the command.
    pub ghost: Option<CommandResult>,
    /// The endpoint; `None` if REST does not have it.
    pub rest: Option<Rest>,
}

/// The result of a command in the `ghost` domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandResult {
    /// The output itself.
    Output,
    /// An object with one member of this name, the output.
    Member(&'static str),
}

/// An endpoint of REST.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    /// The method.
    pub verb: Verb,
    /// The path. It may have the parameter `{id}`, and after it one that is called as `second` says.
    pub path: &'static str,
    /// The member of the input that `{id}` gives. The document and the body are without it.
    pub id: Option<&'static str>,
    /// The member that the second parameter gives, and its name in the path.
    pub second: Option<&'static str>,
    /// The place of the other members of the input.
    pub input: RestInput,
    /// The answer.
    pub answer: RestAnswer,
    /// The description of the answer.
    pub says: &'static str,
    /// The group in the document.
    pub tag: &'static str,
    /// The errors, beside those of every request. For a status that several have, the last counts.
    pub errors: &'static [Errors],
}

/// The method of a request.
#[expect(missing_docs, reason = "they are those of HTTP")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// The place of the input of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestInput {
    /// In the path; a query is ignored.
    Path,
    /// In the query.
    Query,
    /// In the body, whose schema has this name in the document. An empty body is `{}`.
    Body(&'static str),
    /// Like `Body`, and it may have only one of these two members.
    BodyWithOne(&'static str, [&'static str; 2]),
    /// Like `Body`, and the body must be there.
    NeededBody(&'static str),
    /// Like `NeededBody`, or the content of a snapshot as a stream, with the other members in the query.
    Upload(&'static str),
    /// In the path; the body is the content of a file, of any type.
    Content,
}

/// The answer of an endpoint that succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestAnswer {
    /// The output.
    Output,
    /// The output: a resource was created, and [`Operation::created`] says at which path.
    CreatedOne,
    /// As `CreatedOne`; or the output alone: the resource existed.
    FoundOrCreated,
    /// The output: several resources were created.
    CreatedSeveral,
    /// Nothing.
    Nothing,
    /// The content of a snapshot, as a document or as a stream.
    Download,
    /// The content of a file, or the ranges of it that the request names.
    File,
    /// Content of one of these types.
    Media(&'static [&'static str]),
}

/// Errors that an endpoint may answer; `http` knows their statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errors {
    /// Of a request that names a session.
    Session,
    /// Of a request with a body.
    Body,
    /// Of a request with filters in the query.
    Filter,
    /// Of a request that creates sessions.
    Beginning,
    /// Of a request that names a browser.
    Browser,
    /// Of a request that replaces a browser.
    Replacement,
    /// Of a request that loads the configuration.
    Configuration,
    /// Of a request that names a snapshot.
    Snapshot,
    /// Of a request that stores a snapshot.
    Content,
    /// Of a request that names a profile.
    Profile,
    /// Of a request that imports a snapshot.
    Import,
    /// Of a request that names a tenant or a token.
    Tenant,
    /// Of a request that changes the tenants.
    TenantChange,
    /// Of a request that names a download.
    Download,
    /// Of a request that names a file that was uploaded.
    File,
    /// Of a request that uploads a file.
    Upload,
    /// Of a request that drives a page.
    Page,
    /// Of a request that names a job.
    Job,
    /// Of a request that names a secret.
    Secret,
    /// Of a quick action.
    Quick,
}

/// An operation of the table.
pub struct Entry {
    /// The row: its names and its endpoint.
    pub row: Row,
    /// The schema of its input, which describes the operation.
    pub input: ShapeOf,
    /// The schema of its output.
    pub output: ShapeOf,
    read: fn(&str) -> Result<Request, Bad>,
}

impl Entry {
    const fn of<O: Operation + Into<Request>>() -> Self {
        Self {
            row: O::ROW,
            input: Schemas::input::<O>,
            output: Schemas::output::<O::Output>,
            read: |json| read::<O>(json).map(Into::into),
        }
    }

    /// Reads the input from a JSON object.
    pub fn read(&self, json: &str) -> Result<Request, Bad> {
        (self.read)(json)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.row.name).finish()
    }
}

/// Makes the requests of a group, and its part of the table, from the types of its operations.
macro_rules! operations {
    ($(#[$doc:meta])* $group:ident, $requests:ident: $($operation:ident),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::large_enum_variant, reason = "a request is boxed where many lie in a queue")]
        pub enum $requests {
            $(
                #[doc = concat!("[`", stringify!($operation), "`]")]
                $operation($operation),
            )*
        }

        impl $requests {
            /// The name of the operation.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$operation(_) => <$operation as $crate::api_types::operations::Operation>::ROW.name,)*
                }
            }

            /// The rows of these operations.
            pub(super) const TABLE: &'static [$crate::api_types::operations::Entry] =
                &[$($crate::api_types::operations::Entry::of::<$operation>()),*];
        }

        $(
            impl From<$operation> for $crate::api_types::operations::Request {
                fn from(input: $operation) -> Self {
                    Self::$group($requests::$operation(input))
                }
            }
        )*
    };
}
use operations;

/// An operation with its input, to be performed.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "each is read, performed and dropped; none is kept among others")]
pub enum Request {
    /// About sessions.
    Session(SessionRequest),
    /// About the server and its browsers.
    Server(ServerRequest),
    /// About the pages of a session.
    Page(PageRequest),
    /// About snapshots.
    Snapshot(SnapshotRequest),
    /// About profiles.
    Profile(ProfileRequest),
    /// About the files of a session.
    File(FileRequest),
    /// About jobs.
    Job(JobRequest),
    /// About secrets.
    Secret(SecretRequest),
    /// That controls the server.
    Control(ControlRequest),
    /// About tenants and tokens.
    Tenant(TenantRequest),
}

/// All operations, by group.
pub const OPERATIONS: [&[Entry]; 11] = [
    SessionRequest::TABLE,
    release::RELEASE,
    PageRequest::TABLE,
    SnapshotRequest::TABLE,
    ProfileRequest::TABLE,
    FileRequest::TABLE,
    JobRequest::TABLE,
    SecretRequest::TABLE,
    ServerRequest::TABLE,
    ControlRequest::TABLE,
    TenantRequest::TABLE,
];

/// All operations, in the order of the documents.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    OPERATIONS.into_iter().flatten()
}

impl Request {
    /// The name of the operation.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Session(request) => request.name(),
            Self::Page(request) => request.name(),
            Self::Server(request) => request.name(),
            Self::Snapshot(request) => request.name(),
            Self::Profile(request) => request.name(),
            Self::File(request) => request.name(),
            Self::Job(request) => request.name(),
            Self::Secret(request) => request.name(),
            Self::Control(request) => request.name(),
            Self::Tenant(request) => request.name(),
        }
    }

    /// Reads a command of the `ghost` domain, by its name there; `None` if the domain has none of that name.
    pub fn read(name: &str, params: &str) -> Option<Result<Self, Bad>> {
        let entry = all().find(|entry| entry.row.name == name && entry.row.ghost.is_some())?;
        Some(entry.read(params))
    }
}

/// The result of an operation. `Debug` does not show the output: it may hold a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The output, as JSON.
    pub output: String,
    /// The path of the resource that was created.
    pub created: Option<String>,
    result: CommandResult,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("bytes", &self.output.len())
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

impl Reply {
    /// The reply of an operation.
    pub fn of<O: Operation>(output: &O::Output) -> Self {
        Self {
            // Every value of these types can be serialised.
            output: serde_json::to_string(output).unwrap_or_default(),
            created: O::created(output),
            result: O::ROW.ghost.unwrap_or(CommandResult::Output),
        }
    }

    /// The result of the command in the `ghost` domain, as JSON.
    pub fn into_result(self) -> String {
        match self.result {
            CommandResult::Output => self.output,
            CommandResult::Member(name) => format!(r#"{{"{name}":{}}}"#, self.output),
        }
    }
}

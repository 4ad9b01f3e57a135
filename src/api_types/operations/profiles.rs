//! Operations on profiles. An operation is performed in `session/manager/profiles.rs`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{
        Label, Metadata, Millis, NAME_MOST, NAME_PATTERN, Nothing, Profile, ProfileKind, Profiles, Snapshot, given,
    },
    CommandResult::{Member, Output},
    Errors, Operation, PAGE_MOST, Rest, RestAnswer, RestInput, Row, Verb, operations,
};

operations! {
    /// A request about profiles.
    Profile, ProfileRequest:
        ListProfiles, GetProfile, ExportProfile, DeleteProfile,
}

/// An endpoint that shows one profile.
const OF_ONE: Rest = Rest {
    verb: Verb::Get,
    path: "/v1/profiles/{id}",
    id: Some("profile"),
    second: None,
    input: RestInput::Query,
    answer: RestAnswer::Output,
    says: "The profile.",
    tag: "profiles",
    errors: &[Errors::Profile],
};

/// Lists the profiles of this owner, one page at a time: those in the store, then user data directories, each by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListProfiles {
    /// Most profiles on the page, 1 to 1000; 100 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = PAGE_MOST))]
    pub limit: Option<u32>,
    /// The `next` of the page before this one.
    #[serde(deserialize_with = "given")]
    #[schemars(regex(pattern = "^(@|@?[A-Za-z0-9_-][A-Za-z0-9._-]{0,63})$"))]
    pub cursor: Option<String>,
}

impl Operation for ListProfiles {
    type Output = Profiles;
    const ROW: Row = Row {
        name: "listProfiles",
        ghost: Some(Output),
        rest: Some(Rest {
            path: "/v1/profiles",
            id: None,
            says: "A page of profiles.",
            errors: &[Errors::Filter],
            ..OF_ONE
        }),
    };
}

/// Shows a profile.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetProfile {
    /// The name of the profile.
    pub profile: String,
    /// What it is made of; `snapshot` if absent.
    #[serde(default)]
    pub kind: ProfileKind,
}

impl Operation for GetProfile {
    type Output = Profile;
    const ROW: Row = Row { name: "getProfile", ghost: Some(Member("profile")), rest: Some(OF_ONE) };
}

/// Copies the state of a profile to a new snapshot, which later saves of the profile do not change. User data must be in use:
/// then their session is saved.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportProfile {
    /// The name of the profile.
    pub profile: String,
    /// What it is made of; `snapshot` if absent.
    #[serde(default)]
    pub kind: ProfileKind,
    /// The name of the snapshot; that of the profile if absent. At most 200 characters.
    #[serde(default, deserialize_with = "given")]
    #[schemars(length(max = NAME_MOST), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// What to store with it.
    #[serde(default, deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// How long it is kept; with 0 it is kept until it is deleted. If absent, as the server is configured.
    #[serde(default, deserialize_with = "given")]
    pub ttl: Option<Millis>,
}

impl ExportProfile {
    /// The profile, and the label of the snapshot.
    pub fn divide(self) -> (String, ProfileKind, Label) {
        let Self { profile, kind, name, metadata, ttl } = self;
        let name = name.or_else(|| Some(profile.clone()));
        (profile, kind, Label { name, metadata, ttl })
    }
}

impl Operation for ExportProfile {
    type Output = Snapshot;
    const ROW: Row = Row {
        name: "exportProfile",
        ghost: Some(Member("snapshot")),
        rest: Some(Rest {
            verb: Verb::Post,
            path: "/v1/profiles/{id}/snapshots",
            input: RestInput::Body("ProfileExport"),
            answer: RestAnswer::CreatedOne,
            says: "The new snapshot.",
            errors: &[Errors::Body, Errors::Content, Errors::Profile],
            ..OF_ONE
        }),
    };

    fn created(snapshot: &Snapshot) -> Option<String> {
        Some(format!("/v1/snapshots/{}", snapshot.id))
    }
}

/// Deletes a profile that no session saves or uses. Sessions that began with it are not affected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteProfile {
    /// The name of the profile.
    pub profile: String,
    /// What it is made of; `snapshot` if absent.
    #[serde(default)]
    pub kind: ProfileKind,
}

impl Operation for DeleteProfile {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "deleteProfile",
        ghost: Some(Output),
        rest: Some(Rest { verb: Verb::Delete, answer: RestAnswer::Nothing, says: "The profile is deleted.", ..OF_ONE }),
    };
}

//! What clients ask of the service behind the domain, read strictly: what cannot be read is named. PURE.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    METADATA_MOST, Metadata, Millis, NAME_MOST, Options, SessionState, Wanted, given,
    snapshot::{Beginning, COPIES_MOST, Exporting, Importing, Label, Restoring, SnapshotPart, WantedSnapshots},
};
use crate::cdp::{error::CdpError, json_object::JsonObject};

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Bad {
    /// Its name, as it stands in the definition.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

impl Bad {
    /// A value that cannot be used, by its name.
    pub fn new(field: &str, why: impl Into<String>) -> Self {
        Self { field: field.to_owned(), why: why.into() }
    }
}

impl From<&Bad> for CdpError {
    fn from(bad: &Bad) -> Self {
        Self::params(format!("Invalid parameters: {bad}"))
    }
}

/// An object with one member: the `result` of most commands, the `params` of most events.
pub fn object<T: Serialize + ?Sized>(name: &str, value: &T) -> String {
    // The shapes hold nothing that cannot be written.
    format!(r#"{{"{name}":{}}}"#, serde_json::to_string(value).unwrap_or_default())
}

/// Reads one of the shapes; the error names the member that is to blame.
pub fn read<T: DeserializeOwned>(json: &str) -> Result<T, Bad> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = match error.path().to_string() {
            path if path == "." => "params".to_owned(),
            path => path,
        };
        let why = error.inner().to_string();
        // Where in the text it was is of no use to whoever did not write the text.
        Bad { field, why: why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why).to_owned() }
    })
}

/// Whether all that is wanted is in this metadata, with the same values.
pub fn has_all(metadata: Option<&Metadata>, wanted: Option<&Metadata>) -> bool {
    let has = |(key, value): (&String, &String)| metadata.and_then(|metadata| metadata.get(key)) == Some(value);
    wanted.into_iter().flatten().all(has)
}

impl Wanted {
    /// Whether such a session is among those that are wanted.
    pub fn takes(&self, state: SessionState, name: Option<&String>, metadata: Option<&Metadata>) -> bool {
        self.state.is_none_or(|wanted| state == wanted)
            && self.name.as_ref().is_none_or(|wanted| name == Some(wanted))
            && has_all(metadata, self.metadata.as_ref())
    }
}

impl Label {
    /// The length of the name, the size of the metadata.
    pub fn check(&self) -> Result<(), Bad> {
        let Self { name, metadata, .. } = self.clone();
        Options { name, metadata, ..Options::default() }.check()
    }
}

impl Options {
    /// What does not depend on the server's settings: the length of the name, the size of the metadata.
    pub fn check(&self) -> Result<(), Bad> {
        if let Some(length) = self.name.as_ref().map(|name| name.chars().count()).filter(|length| *length > NAME_MOST) {
            return Err(Bad::new("name", format!("{length} characters are too many; at most {NAME_MOST}")));
        }
        let size = self.metadata.as_ref().map(|metadata| serde_json::to_string(metadata).map_or(0, |json| json.len()));
        if let Some(size) = size.filter(|size| *size > METADATA_MOST) {
            return Err(Bad::new("metadata", format!("{size} bytes as JSON are too many; at most {METADATA_MOST}")));
        }
        Ok(())
    }
}

/// What a client asks of the service behind the domain: of its own session, or of another of the same owner.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// `ghost.getSession`.
    Get(Option<String>),
    /// `ghost.listSessions`.
    List(Wanted),
    /// `ghost.createSession`.
    Create(Option<String>, Options, Option<Beginning>),
    /// `ghost.updateSession`.
    Update(Option<String>, Options),
    /// `ghost.closeSession`.
    Close(Option<String>),
    /// `ghost.park`.
    Park(Option<String>, Option<Millis>),
    /// `ghost.getUsage`.
    Usage(Option<String>),
    /// `ghost.saveSnapshot`.
    Save(Option<String>, Vec<SnapshotPart>, Label),
    /// `ghost.restoreSnapshot`.
    Restore(Option<String>, Restoring),
    /// `ghost.cloneSession`.
    Clone(Option<String>, Copies),
    /// `ghost.listSnapshots`.
    ListSnapshots(WantedSnapshots),
    /// `ghost.getSnapshot`.
    GetSnapshot(String),
    /// `ghost.deleteSnapshot`.
    DeleteSnapshot(String),
    /// `ghost.importSnapshot`.
    Import(Importing, Label),
    /// `ghost.exportSnapshot`.
    Export(Exporting),
}

/// What `ghost.cloneSession` makes of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Copies {
    /// How many.
    pub count: u32,
    /// What each is given.
    pub options: Options,
    /// What is copied.
    pub parts: Vec<SnapshotPart>,
}

/// Params from which members are taken one by one; what is left is one of the shapes.
struct Params<'a>(JsonObject<'a>);

impl<'a> Params<'a> {
    fn read(params: &'a str) -> Result<Self, Bad> {
        JsonObject::read(params).map(Self).ok_or_else(|| Bad::new("params", "is no object"))
    }

    fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>, Bad> {
        let of_member = |bad: Bad| match bad.field.as_str() {
            "params" => Bad::new(name, bad.why),
            field if field.starts_with('[') => Bad::new(&format!("{name}{field}"), bad.why),
            field => Bad::new(&format!("{name}.{field}"), bad.why),
        };
        let value = self.0.get(name).map(read).transpose().map_err(of_member)?;
        self.0.remove(name);
        Ok(value)
    }

    fn need<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, Bad> {
        self.take(name)?.ok_or_else(|| Bad::new(name, "is missing"))
    }

    fn parts(&mut self) -> Result<Vec<SnapshotPart>, Bad> {
        Ok(self.take("parts")?.unwrap_or_else(|| SnapshotPart::USUAL.to_vec()))
    }

    fn rest<T: DeserializeOwned>(&self) -> Result<T, Bad> {
        read(&self.0.to_string())
    }

    fn id_alone(&mut self) -> Result<Option<String>, Bad> {
        let id = self.take("id")?;
        self.rest::<Nothing>().map(|_| id)
    }

    fn snapshot_alone(&mut self) -> Result<String, Bad> {
        let snapshot = self.need("snapshot")?;
        self.rest::<Nothing>().map(|_| snapshot)
    }
}

/// For a command that takes nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Park {
    #[serde(deserialize_with = "given")]
    keep_alive: Option<Millis>,
}

impl Ask {
    /// Reads a command by its name behind `ghost.`; `None` if there is none of that name.
    pub fn read(name: &str, params: &str) -> Option<Result<Self, Bad>> {
        let read: fn(Params<'_>) -> Result<Self, Bad> = match name {
            "getSession" => |mut params| Ok(Self::Get(params.id_alone()?)),
            "listSessions" => |params| params.rest().map(Self::List),
            "createSession" => Self::create,
            "updateSession" => |mut params| Ok(Self::Update(params.take("id")?, params.rest()?)),
            "closeSession" => |mut params| Ok(Self::Close(params.id_alone()?)),
            "park" => |mut params| Ok(Self::Park(params.take("id")?, params.rest::<Park>()?.keep_alive)),
            "getUsage" => |mut params| Ok(Self::Usage(params.id_alone()?)),
            "saveSnapshot" => |mut params| Ok(Self::Save(params.take("id")?, params.parts()?, params.rest()?)),
            "restoreSnapshot" => |mut params| Ok(Self::Restore(params.take("id")?, params.rest()?)),
            "cloneSession" => Self::copies,
            "listSnapshots" => |params| params.rest().map(Self::ListSnapshots),
            "getSnapshot" => |mut params| Ok(Self::GetSnapshot(params.snapshot_alone()?)),
            "deleteSnapshot" => |mut params| Ok(Self::DeleteSnapshot(params.snapshot_alone()?)),
            "importSnapshot" => Self::import,
            "exportSnapshot" => |params| params.rest().map(Self::Export),
            _ => return None,
        };
        Some(Params::read(params).and_then(read))
    }

    fn create(mut params: Params<'_>) -> Result<Self, Bad> {
        let id = params.take("id")?;
        let (snapshot, pages) = (params.take("snapshot")?, params.take("pages")?);
        let begins = snapshot.map(|snapshot| Beginning { snapshot, pages: pages.unwrap_or(true) });
        Ok(Self::Create(id, params.rest()?, begins))
    }

    fn copies(mut params: Params<'_>) -> Result<Self, Bad> {
        let (id, parts) = (params.take("id")?, params.parts()?);
        // JSON has one kind of number: 2.0 is a count.
        let given = params.take::<f64>("count")?.unwrap_or(1.0);
        let count = (1..=COPIES_MOST).find(|count| f64::from(*count).total_cmp(&given).is_eq());
        let count = count.ok_or_else(|| Bad::new("count", format!("{given} is not between 1 and {COPIES_MOST}")))?;
        Ok(Self::Clone(id, Copies { count, options: params.rest()?, parts }))
    }

    fn import(mut params: Params<'_>) -> Result<Self, Bad> {
        // As it is written: it may be large, and only one place has to understand it.
        let state = params.0.get("storageState").map(str::to_owned);
        params.0.remove("storageState");
        let from = match (state, params.take("data")?) {
            (Some(state), None) => Importing::StorageState(state),
            (None, Some(data)) => Importing::Data(data),
            (None, None) => return Err(Bad::new("storageState", "is missing, and so is data; give one of them")),
            (Some(_), Some(_)) => return Err(Bad::new("data", "is there beside storageState; give one of them")),
        };
        Ok(Self::Import(from, params.rest()?))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_named() {
        let bad = |name: &str, params: &str| match Ask::read(name, params) {
            Some(Err(bad)) => bad.to_string(),
            other => panic!("{name} {params}: {other:?}"),
        };
        let negative = bad("updateSession", r#"{"timeout":-1}"#);
        assert!(negative.starts_with("timeout: -1 is no time"), "{negative}");
        assert!(bad("updateSession", r#"{"keepAlive":1e300}"#).starts_with("keepAlive: "));
        assert_eq!(bad("createSession", r#"{"name":5}"#), "name: invalid type: integer `5`, expected a string");
        assert!(bad("createSession", r#"{"metadata":{"a":1}}"#).starts_with("metadata.a: "));
        assert!(bad("getSession", r#"{"id":5}"#).starts_with("id: "));
        assert!(bad("getSession", r#"{"id":null}"#).starts_with("id: "));
        assert!(bad("updateSession", r#"{"timeout":null}"#).starts_with("timeout: "));
        assert!(bad("listSessions", r#"{"state":"asleep"}"#).starts_with("state: unknown variant `asleep`"));
        for name in ["getSession", "listSessions", "createSession", "updateSession", "closeSession", "park", "getUsage"]
        {
            let bad = bad(name, r#"{"colour":1}"#);
            assert!(bad.contains("unknown field `colour`"), "{bad}");
        }
        assert_eq!(Ask::read("sing", "{}"), None);
        let asked = Ask::read("park", r#"{"id":"a","keepAlive":5}"#);
        assert_eq!(asked, Some(Ok(Ask::Park(Some("a".into()), Some(Millis(Duration::from_millis(5)))))));
    }

    #[test]
    fn a_name_or_metadata_that_is_too_large_is_refused() {
        let named = |length| Options { name: Some("ä".repeat(length)), ..Options::default() };
        assert_eq!(named(200).check(), Ok(()));
        assert_eq!(named(201).check().map_err(|bad| bad.field), Err("name".to_owned()));
        let noted = |length| Options {
            metadata: Some(Metadata::from([("k".to_owned(), "v".repeat(length))])),
            ..Options::default()
        };
        assert_eq!(noted(4000).check(), Ok(()));
        assert_eq!(noted(4096).check().map_err(|bad| bad.field), Err("metadata".to_owned()));
    }
}

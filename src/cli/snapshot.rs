//! `ghostmux snapshot …`: the store from the command line, without a server.
//!
//! The command works on the store itself. A store file that a running ghostmux has open cannot be used; use that
//! server's `/v1/snapshots`.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;

use crate::{
    api_types::Owner,
    config::{Config, ConfigError, RawConfig},
    snapshot::{
        Report,
        repository::{self, RepositoryError},
    },
    store::{Expires, Meta, New, Query, Reader, SnapshotId, Store, StoreError, UnreadableSnapshot},
};

/// How many snapshots are requested at a time.
const PAGE: usize = 200;

/// `ghostmux snapshot …`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    settings: Settings,
}

/// The store and its keys: the settings of `serve` that name them.
#[derive(Debug, Args)]
struct Settings {
    /// TOML file with the settings of `serve`.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The store of the snapshots: a file, or a Redis [default: that of `serve`].
    #[arg(long, value_name = "PATH|URL", global = true)]
    store: Option<String>,
    /// File with the keys that encrypt snapshots.
    #[arg(long, value_name = "FILE", global = true)]
    store_key: Option<String>,
    /// The owner of the snapshots.
    #[arg(long, value_name = "NAME", global = true, default_value = "local")]
    owner: String,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List snapshots, newest first.
    Ls {
        /// List only those with this text in their name.
        name: Option<String>,
        /// Print one JSON document per line instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Write a snapshot out, decrypted: whoever can read the output can log in as its session.
    Export {
        /// The snapshot's id.
        id: String,
        /// File to write; standard output by default.
        file: Option<PathBuf>,
        /// Format: everything, or what Playwright's `newContext({ storageState })` takes.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Store the output of `export` as a new snapshot, and print its id.
    Import {
        /// File to read; `-` is standard input.
        file: PathBuf,
        /// Name of the new snapshot.
        #[arg(long)]
        name: Option<String>,
        /// Format: the output of `export`, or Playwright's `storageState`.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Keep it until it is deleted, and ignore `snapshot_ttl`.
        #[arg(long)]
        keep: bool,
    },
    /// Delete snapshots.
    Rm {
        /// The ids of the snapshots.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Encrypt the snapshots of all owners with the first key of `store_key`; without a key, store them unencrypted.
    Rekey,
}

/// The format of a snapshot file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Everything: JSON records, one per line.
    #[default]
    Ghostmux,
    /// Playwright's `storageState`: cookies, localStorage and `IndexedDB` of one context.
    Playwright,
}

/// Why `ghostmux snapshot` failed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotCommandError {
    /// A setting is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store returned an error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The content is not of the format given, or too large.
    #[error(transparent)]
    Content(#[from] RepositoryError),
    /// A file that cannot be read or written.
    #[error("{file}: {error}")]
    File {
        /// Path of the file.
        file: String,
        /// The system's error.
        error: io::Error,
    },
}

/// Runs the subcommand and writes its result to `out`.
pub async fn run(
    arguments: Arguments,
    variables: impl IntoIterator<Item = (String, String)>,
    mut out: impl Write,
) -> Result<(), SnapshotCommandError> {
    let Settings { config, store, store_key, owner } = arguments.settings;
    let settings = RawConfig::default().with_file(config).with("store", store).with("store_key", store_key);
    let config = Config::load(settings, variables)?;
    let store = Store::new(&config.store_settings());
    let owner: Owner = owner.parse().map_err(StoreError::from)?;
    let said = match arguments.verb {
        Verb::Ls { name, json } => {
            list(&store, &owner, name, json, &mut out).await?;
            String::new()
        }
        Verb::Export { id, file, format } => {
            export(&store, &owner, id.parse().map_err(StoreError::from)?, file.as_deref(), format).await?;
            String::new()
        }
        Verb::Import { file, name, format, keep } => {
            let expires = if keep { Expires::Never } else { Expires::ByDefault };
            let meta =
                import(&store, New { name, expires, ..New::of(owner) }, &file, format, config.snapshot_line).await?;
            format!("{}\n", meta.id)
        }
        Verb::Rm { ids } => {
            // All ids are parsed before the first snapshot is deleted.
            let ids =
                ids.iter().map(|id| id.parse()).collect::<Result<Vec<SnapshotId>, _>>().map_err(StoreError::from)?;
            for id in ids {
                store.remove(&owner, id).await?;
            }
            String::new()
        }
        Verb::Rekey => {
            let done = store.rekey().await?;
            let how = if store.is_sealed() { "sealed with the first key" } else { "left without encryption" };
            format!("{} {how}, {} were so already\n", done.sealed, done.kept)
        }
    };
    out.write_all(said.as_bytes()).map_err(|error| cannot("standard output", error))
}

async fn list(
    store: &Store,
    owner: &Owner,
    name: Option<String>,
    json: bool,
    out: &mut impl Write,
) -> Result<(), SnapshotCommandError> {
    let write =
        |out: &mut dyn Write, line: &str| writeln!(out, "{line}").map_err(|error| cannot("standard output", error));
    if !json {
        write(out, &row(["ID", "CREATED", "EXPIRES", "SIZE", "STORED", "KEY", "NAME"]))?;
    }
    let mut query = Query { name, before: None, limit: PAGE };
    loop {
        let page = store.list(owner, &query).await?;
        for meta in page.snapshots {
            let line = if json { serde_json::to_string(&meta).unwrap_or_default() } else { describe(&meta) };
            write(out, &line)?;
        }
        for UnreadableSnapshot { id, why } in page.unreadable {
            let line = if json {
                serde_json::json!({ "id": id, "unreadable": why }).to_string()
            } else {
                row([&id.to_string(), "-", "-", "-", "-", "-", &format!("unreadable: {why}")])
            };
            write(out, &line)?;
        }
        match page.next {
            Some(next) => query.before = Some(next),
            None => return Ok(()),
        }
    }
}

fn describe(meta: &Meta) -> String {
    row([
        &meta.id.to_string(),
        &meta.created.to_string(),
        &meta.expires.map_or("never".to_owned(), |expires| expires.to_string()),
        &meta.raw.to_string(),
        &meta.stored.to_string(),
        meta.key.as_ref().map_or("-", |key| &key.id),
        meta.name.as_deref().unwrap_or_default(),
    ])
}

fn row([id, created, expires, size, stored, key, name]: [&str; 7]) -> String {
    format!("{id:<36}  {created:<20}  {expires:<20}  {size:>11}  {stored:>11}  {key:<8}  {name}").trim_end().to_owned()
}

/// The content to write out.
enum Content {
    State((String, Report)),
    Whole(Reader),
}

async fn export(
    store: &Store,
    owner: &Owner,
    id: SnapshotId,
    file: Option<&Path>,
    format: Format,
) -> Result<(), SnapshotCommandError> {
    // Opened before the output file is created, so that a missing snapshot leaves no file.
    let reader = store.get(owner, id).await?;
    let content = match format {
        Format::Ghostmux => Content::Whole(reader),
        Format::Playwright => Content::State(repository::export_state(reader).await?),
    };
    let (name, mut to): (String, Box<dyn AsyncWrite + Unpin>) = match file {
        None => ("standard output".to_owned(), Box::new(tokio::io::stdout())),
        Some(path) => {
            // Never overwrites an existing file, and only the user can read the new one.
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            let made = made.map_err(|error| cannot(&path.display().to_string(), error))?;
            (path.display().to_string(), Box::new(tokio::fs::File::from_std(made)))
        }
    };
    let failed = |error| cannot(&name, error);
    match content {
        Content::State((state, report)) => {
            to.write_all(state.as_bytes()).await.map_err(failed)?;
            for lost in &report.lost {
                let _ = writeln!(io::stderr(), "not carried: {} {}: {}", lost.what, lost.place, lost.why);
            }
        }
        Content::Whole(mut reader) => {
            while let Some(bytes) = reader.next().await? {
                to.write_all(&bytes).await.map_err(failed)?;
            }
        }
    }
    to.flush().await.map_err(failed)
}

async fn import(
    store: &Store,
    new: New,
    file: &Path,
    format: Format,
    longest: usize,
) -> Result<Meta, SnapshotCommandError> {
    let name = file.display().to_string();
    let mut from: Box<dyn AsyncRead + Send + Unpin> = if file == Path::new("-") {
        Box::new(tokio::io::stdin())
    } else {
        Box::new(tokio::fs::File::open(file).await.map_err(|error| cannot(&name, error))?)
    };
    let (meta, _) = match format {
        Format::Ghostmux => repository::import_content(store, new, ReaderStream::new(from), longest).await?,
        Format::Playwright => {
            let mut state = String::new();
            from.read_to_string(&mut state).await.map_err(|error| cannot(&name, error))?;
            repository::import_state(store, new, &state).await?
        }
    };
    Ok(meta)
}

fn cannot(file: &str, error: io::Error) -> SnapshotCommandError {
    SnapshotCommandError::File { file: file.to_owned(), error }
}

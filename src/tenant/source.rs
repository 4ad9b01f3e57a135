//! Reads the tenants from their file, at the start and whenever it changes.

use std::{
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::MutexGuard;

use super::{
    Audit, ChangeError, Changes, EditError, FileError, Parsed, Secret, Tenants,
    audit::Event,
    edit::{self, LARGEST},
    file,
    tenants::Stamp,
};

/// How often the file is looked at, and tokens that have expired are searched. A revoked token ends its connections
/// within a second.
const INTERVAL: Duration = Duration::from_millis(400);

/// Why the tenants cannot be read. Those that are in force stay so.
#[derive(Debug, thiserror::Error)]
pub enum TenantsError {
    /// The file cannot be read.
    #[error("cannot read the tenants in {path}: {error}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file is wrong.
    #[error("the tenants in {path}: {error}", path = .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The problem, with its line and key.
        error: FileError,
    },
    /// The server has no file of tenants.
    #[error("this server has no tenants; --tenants names the file that has them")]
    None,
}

impl Tenants {
    /// The tenants of a file. `server` is the secret from which the keys of URLs are made.
    pub async fn of_file(path: PathBuf, server: Secret<[u8; 32]>) -> Result<Self, TenantsError> {
        let (stamp, parsed) = read(path.clone()).await?;
        let tenants = Self::named(parsed, server, Some(path));
        tenants.set_seen(stamp);
        Ok(tenants)
    }

    /// Reads the file again, and puts its tenants in force. If it is wrong, those that are in force stay so.
    pub async fn reload(&self, audit: &Audit) -> Result<Changes, TenantsError> {
        let turn = self.turn().await.ok_or(TenantsError::None)?;
        self.read_now(audit, turn).await
    }

    /// Changes the text of the file, and puts it in force. Changes at the same time, also by other processes, come one after
    /// the other.
    pub async fn edit<T: Send + 'static>(
        &self,
        audit: &Audit,
        edit: impl FnOnce(&str) -> Result<(String, T), EditError> + Send + 'static,
    ) -> Result<T, ChangeError> {
        let turn = self.turn().await.ok_or(ChangeError::NoFile)?;
        let path = self.path().ok_or(ChangeError::NoFile)?.to_owned();
        let (work, of) = (path.clone(), move |error| ChangeError::file(&path, io::Error::other(error)));
        let changed = tokio::task::spawn_blocking(move || edit::change(&work, false, edit)).await;
        let done = changed.unwrap_or_else(|panic| Err(of(panic)))?;
        self.read_now(audit, turn).await.map_err(|error| ChangeError::NotInForce(error.to_string()))?;
        Ok(done)
    }

    /// Reads the file, in the caller's turn.
    async fn read_now(&self, audit: &Audit, _turn: MutexGuard<'_, ()>) -> Result<Changes, TenantsError> {
        let path = self.path().ok_or(TenantsError::None)?;
        let read = read(path.to_owned()).await;
        if let Err(error) = &read {
            audit.write(Event::new("tenants-refused").why(error));
        }
        let (stamp, parsed) = read?;
        self.set_seen(stamp);
        let changes = self.replace(parsed);
        changes.tell(audit);
        tracing::info!(
            tenants = self.all().len(),
            added = ?changes.added.iter().map(|tenant| tenant.owner().to_string()).collect::<Vec<_>>(),
            removed = ?changes.removed.iter().map(|tenant| tenant.owner().to_string()).collect::<Vec<_>>(),
            changed = ?changes.changed.iter().map(|tenant| tenant.owner().to_string()).collect::<Vec<_>>(),
            issued = changes.issued.len(),
            revoked = changes.revoked.len(),
            "read the tenants"
        );
        Ok(changes)
    }

    /// Reads the file, in an endless loop, when it changes, and revokes the tokens that expire. Never returns.
    pub async fn keep_current(&self, audit: &Audit) {
        let mut said = None;
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.expire(Timestamp::now()).tell(audit);
            let Some(path) = self.path().map(Path::to_owned) else { continue };
            let stamp = tokio::task::spawn_blocking(move || stamp(&path)).await.ok().flatten();
            if stamp == self.seen() {
                continue;
            }
            match self.reload(audit).await {
                Ok(_) => said = None,
                Err(error) => {
                    // Once for each state of the file: an editor may be writing it.
                    if said != Some(stamp) {
                        said = Some(stamp);
                        tracing::error!(%error, "the tenants cannot be read; those that were read before stay in force");
                    }
                }
            }
        }
    }
}

impl Changes {
    /// Writes them into the audit log.
    fn tell(&self, audit: &Audit) {
        for tenant in &self.added {
            audit.write(Event::new("tenant-added").of(tenant));
        }
        for (tenant, token) in &self.issued {
            audit.write(Event::new("token-issued").of(tenant).what(token.number().to_string()));
        }
        for tenant in &self.removed {
            audit.write(Event::new("tenant-removed").of(tenant));
        }
        for tenant in &self.changed {
            audit.write(Event::new("tenant-changed").of(tenant));
        }
        for (tenant, token) in &self.revoked {
            audit.write(Event::new("token-revoked").of(tenant).what(token.number().to_string()));
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let data = std::fs::metadata(path).ok()?;
    Some(Stamp { modified: data.modified().ok(), size: data.len(), inode: data.ino() })
}

/// Reads the file apart from the runtime's threads, because it may be large or on a slow disk.
async fn read(path: PathBuf) -> Result<(Option<Stamp>, Parsed), TenantsError> {
    let work = move || {
        // Looked at before it is read: a change between the two is seen as one later.
        let stamp = stamp(&path);
        let unreadable = |error| TenantsError::Unreadable { path: path.clone(), error };
        if stamp.is_some_and(|stamp| stamp.size > LARGEST) {
            return Err(unreadable(io::Error::other(format!("it is larger than {LARGEST} bytes"))));
        }
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let parsed = file::parse(&text).map_err(|error| TenantsError::Wrong { path: path.clone(), error })?;
        Ok((stamp, parsed))
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(TenantsError::None))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What reads the file and what changes it have turns: an older state that was read before does not replace a newer one.
    #[tokio::test]
    async fn reloads_and_changes_come_one_after_the_other() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tenants.toml");
        std::fs::write(&path, "[tenants.old]\n").expect("written");
        let tenants = Tenants::of_file(path.clone(), Secret::new([7; 32])).await.expect("tenants");
        let audit = Audit::default();
        let turn = tenants.turn().await.expect("a file");
        let mut reload = std::pin::pin!(tenants.reload(&audit));
        tokio::time::timeout(Duration::from_millis(50), &mut reload).await.expect_err("somebody else has the turn");
        std::fs::write(&path, "[tenants.new]\n").expect("written");
        drop(turn);
        let changes = reload.await.expect("read");
        let names = |tenants: &[std::sync::Arc<super::super::Tenant>]| {
            tenants.iter().map(|tenant| tenant.owner().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            (names(&tenants.all()), names(&changes.added), names(&changes.removed)),
            (vec!["new".to_owned()], vec!["new".to_owned()], vec!["old".to_owned()])
        );
        let done = tenants.edit(&audit, |text| Ok((text.replace("new", "newer"), 7))).await.expect("changed");
        assert_eq!((done, names(&tenants.all())), (7, vec!["newer".to_owned()]), "it is in force");
    }
}

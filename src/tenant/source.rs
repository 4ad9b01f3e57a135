//! Reads the tenants from their document, at the start and whenever it changes.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::MutexGuard;

use super::{
    Audit, ChangeError, Changes, Document, EditError, Freshness, Parsed, RedisAway, Secret, Tenants, TenantsError,
    audit::Event, document::Stamp,
};

/// How often the document is looked at, and tokens that have expired are searched. A revoked token ends its connections
/// within a second.
const INTERVAL: Duration = Duration::from_millis(400);

impl Tenants {
    /// The tenants of a document. `server` is the secret from which the keys of URLs are made. What is read from another
    /// machine is trusted for `max_stale` when that does not answer.
    pub async fn of_document(
        document: Document,
        server: Secret<[u8; 32]>,
        max_stale: Duration,
    ) -> Result<Self, TenantsError> {
        // The age of what is read begins before it is read.
        let freshness = document.is_remote().then(|| Freshness::new(max_stale));
        let (stamp, parsed) = load(document.clone()).await?;
        let tenants = Self::named(parsed, server, Some(document), freshness);
        tenants.set_seen(stamp);
        Ok(tenants)
    }

    /// Reads the document again, and puts its tenants in force. If it is wrong, those that are in force stay so.
    pub async fn reload(&self, audit: &Audit) -> Result<Changes, TenantsError> {
        let turn = self.turn().await.ok_or(TenantsError::None)?;
        let read = self.read_now(audit, turn).await;
        if let Err(error) = &read {
            audit.write(Event::new("tenants-refused").why(error));
        }
        read
    }

    /// Changes the text of the document, and puts it in force. Changes at the same time, also by other processes, come one
    /// after the other.
    pub async fn edit<T: Send + 'static>(
        &self,
        audit: &Audit,
        edit: impl Fn(&str) -> Result<(String, T), EditError> + Send + 'static,
    ) -> Result<T, ChangeError> {
        let turn = self.turn().await.ok_or(ChangeError::NoFile)?;
        let document = self.document().ok_or(ChangeError::NoFile)?.clone();
        let place = document.to_string();
        let changed = tokio::task::spawn_blocking(move || document.change(false, edit)).await;
        let done = changed.unwrap_or_else(|panic| Err(ChangeError::file(place, std::io::Error::other(panic))))?;
        self.read_now(audit, turn).await.map_err(|error| ChangeError::NotInForce(error.to_string()))?;
        Ok(done)
    }

    /// Reads the document, in the caller's turn.
    async fn read_now(&self, audit: &Audit, _turn: MutexGuard<'_, ()>) -> Result<Changes, TenantsError> {
        let asked = self.document().ok_or(TenantsError::None)?.clone();
        let read = load(asked).await;
        if !matches!(read, Err(TenantsError::Away(_))) {
            self.confirm();
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

    /// Reads the document, in an endless loop, when it changes, and revokes the tokens that expire. Never returns.
    pub async fn keep_current(&self, audit: &Audit) {
        let mut watch = Watch::default();
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.expire(Timestamp::now()).tell(audit);
            let Some(document) = self.document().cloned() else { continue };
            let Ok(stamp) = tokio::task::spawn_blocking(move || document.stamp()).await else { continue };
            let away = match stamp {
                Err(away) => Some(away),
                Ok(stamp) if Some(&stamp) == self.seen().as_ref() => {
                    self.confirm();
                    watch.refused = None;
                    None
                }
                Ok(stamp) if watch.is_known_as_wrong(&stamp) => {
                    self.confirm();
                    None
                }
                Ok(stamp) => {
                    let Some(turn) = self.turn().await else { continue };
                    match self.read_now(audit, turn).await {
                        Ok(_) => None,
                        Err(TenantsError::Away(away)) => Some(away),
                        Err(error) => {
                            watch.refused(audit, stamp, &error);
                            None
                        }
                    }
                }
            };
            watch.answered(self, away.as_ref());
        }
    }
}

/// What the log has been told of the document, so that each thing is told once.
#[derive(Default)]
struct Watch {
    /// Where the document is does not answer.
    is_away: bool,
    /// The copy is too old to be trusted.
    is_stale: bool,
    /// The state that could not be read, and whether it cannot be read in future either.
    refused: Option<(Stamp, bool)>,
}

impl Watch {
    /// Where the document is has answered, or not.
    fn answered(&mut self, tenants: &Tenants, away: Option<&RedisAway>) {
        let Some(freshness) = tenants.freshness() else { return };
        let most = freshness.most();
        match away {
            Some(why) if !self.is_away => {
                tracing::warn!(%why, trusted = ?most, "the tenants that were read last stay in force");
            }
            None if self.is_away => tracing::info!("the Redis of the tenants answers again"),
            _ => {}
        }
        if freshness.is_stale() && !self.is_stale {
            let age = freshness.age().as_secs();
            tracing::error!(
                age,
                "requests with tokens are refused (503), because the Redis of the tenants has not answered for so many s \
                 (tenants_max_stale); sessions go on"
            );
        }
        (self.is_away, self.is_stale) = (away.is_some(), freshness.is_stale());
    }

    /// The text in this state was refused. It is told once: an editor may be writing it.
    fn refused(&mut self, audit: &Audit, stamp: Stamp, error: &TenantsError) {
        let is_wrong = matches!(error, TenantsError::Wrong { .. });
        if self.refused.as_ref().is_none_or(|(told, _)| *told != stamp) {
            tracing::error!(%error, "the tenants cannot be read; those that were read before stay in force");
            audit.write(Event::new("tenants-refused").why(error));
        }
        self.refused = Some((stamp, is_wrong));
    }

    /// Whether reading this state again would find the same mistakes.
    fn is_known_as_wrong(&self, stamp: &Stamp) -> bool {
        self.refused.as_ref().is_some_and(|(refused, is_wrong)| *is_wrong && refused == stamp)
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

/// Reads the document apart from the runtime's threads, because it may be large, or on a slow disk or network.
async fn load(document: Document) -> Result<(Stamp, Parsed), TenantsError> {
    let place = document.to_string();
    let read = tokio::task::spawn_blocking(move || document.load()).await;
    read.unwrap_or_else(|panic| Err(TenantsError::Unreadable { place, error: std::io::Error::other(panic) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TenantsPlace;

    /// What reads the file and what changes it have turns: an older state that was read before does not replace a newer one.
    #[tokio::test]
    async fn reloads_and_changes_come_one_after_the_other() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tenants.toml");
        std::fs::write(&path, "[tenants.old]\n").expect("written");
        let document = Document::new(&TenantsPlace::File(path.clone()), 100);
        let tenants = Tenants::of_document(document, Secret::new([7; 32]), Duration::ZERO).await.expect("tenants");
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

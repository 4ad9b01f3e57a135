//! Limits of the work and memory for snapshots, so that one session does not delay the others.

use std::time::Duration;

use super::{ConfigError, layers::Layers};

/// Limits of the work and memory for snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotLimits {
    /// Longest line of imported content, in bytes.
    pub line: usize,
    /// Most imports, and exports as one document, at a time; at least 1.
    pub transfers: usize,
    /// Most bytes of memory that these may take together.
    pub memory: usize,
    /// Most form fields of a page that are saved.
    pub fields: usize,
    /// How long an import may take while another tenant waits for its room.
    pub upload: Duration,
}

impl SnapshotLimits {
    /// Memory of a document while it is parsed, as a multiple of its size. *Measured* once: a snapshot of 181 MiB in
    /// one line took 1,948 MiB, which is 10.8 times as much.
    pub const TIMES: usize = 12;

    /// Checks that the memory is enough for one line.
    pub(super) fn check(self, layers: &Layers) -> Result<(), ConfigError> {
        if self.line <= self.memory / Self::TIMES {
            return Ok(());
        }
        let problem = format!("needs {} times as much of snapshot_memory; raise that, or lower this", Self::TIMES);
        Err(layers.value("snapshot_line").wrong(&problem))
    }
}

//! Limits of the work and memory for snapshots, so that one session does not delay the others.

use super::{
    ConfigError,
    layers::Layers,
    value::{number, size},
};

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
}

impl SnapshotLimits {
    pub(super) fn check(layers: &Layers) -> Result<Self, ConfigError> {
        let line_said = layers.text("snapshot_line");
        let line = line_said.read(size(64 << 10..=256 << 20))?;
        let memory = layers.text("snapshot_memory").read(size(1 << 20..=1 << 40))?;
        if line > memory / Self::TIMES {
            let problem = format!("needs {} times as much of snapshot_memory; raise that, or lower this", Self::TIMES);
            return Err(line_said.wrong(&problem));
        }
        Ok(Self {
            line,
            transfers: layers.text("snapshot_transfers").read(number::<u32>(1..=1000))? as usize,
            memory,
            fields: layers.text("snapshot_fields").read(number::<u32>(0..=1_000_000))? as usize,
        })
    }

    /// Memory of a document while it is parsed, as a multiple of its size. *Measured* once: a snapshot of 181 MiB in
    /// one line took 1,948 MiB, which is 10.8 times as much.
    pub const TIMES: usize = 12;
}

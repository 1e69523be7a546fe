//! Where the nodes' state lies.

use anyhow::{Context as _, Result, bail};
use std::path::Path;
use tempfile::TempDir;

/// A new folder on a real disk, below `parent`.
pub fn durable(parent: &Path) -> Result<TempDir> {
    std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    if is_memory(parent)? {
        bail!("{} is in memory: a durable row needs a real disk; name one with --dir", parent.display());
    }
    // SQLite and the log need their files' full paths.
    Ok(tempfile::tempdir_in(parent.canonicalize()?)?)
}

/// Whether the mount that holds `path` is in memory: the longest mount point that it lies under.
fn is_memory(path: &Path) -> Result<bool> {
    let path = path.canonicalize().with_context(|| path.display().to_string())?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").context("/proc/self/mounts")?;
    let holding = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        path.starts_with(point).then_some((point.len(), kind))
    });
    let (_, kind) = holding.max_by_key(|(length, _)| *length).context("no mount holds it")?;
    Ok(matches!(kind, "tmpfs" | "ramfs"))
}

//! The file that says in which epoch this folder's identity began to vote: with it, an empty journal is a lost one.

use crate::member::StartError;
use std::path::{Path, PathBuf};
use windlass_types::ChainId;

/// Says that this member has voted, in the member's directory.
pub const VOTED_FILE: &str = "voted";
/// In the place of an epoch: in none yet.
const NONE: &str = "-";

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A folder that began under an identity that was not a member's then.
    New,
    /// It has begun a journal of votes in this epoch.
    Voted(u64),
}

/// Reads the mark of `dir`.
pub(crate) fn read(dir: &Path, chain: ChainId) -> Result<Option<Mark>, StartError> {
    let path = dir.join(VOTED_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StartError::Mark { path, source }),
    };
    let other = |path: PathBuf| StartError::OtherMark { path, expected: chain, found: text.trim().into() };
    let (found, epoch) = text.trim().split_once(' ').ok_or_else(|| other(path.clone()))?;
    if found != chain.to_string() {
        return Err(other(path));
    }
    if epoch == NONE {
        return Ok(Some(Mark::New));
    }
    epoch.parse().map(|epoch| Some(Mark::Voted(epoch))).map_err(|_| other(path))
}

/// Writes it, durably.
pub(crate) fn write(dir: &Path, chain: ChainId, mark: Mark) -> std::io::Result<()> {
    let epoch = match mark {
        Mark::New => NONE.to_owned(),
        Mark::Voted(epoch) => epoch.to_string(),
    };
    let aside = dir.join(format!("{VOTED_FILE}.new"));
    std::fs::write(&aside, format!("{chain} {epoch}\n"))?;
    std::fs::File::open(&aside)?.sync_all()?;
    std::fs::rename(&aside, dir.join(VOTED_FILE))?;
    std::fs::File::open(dir)?.sync_all()
}

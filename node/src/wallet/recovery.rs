//! A node's way back from a loss: its words, its channel backup, and how both make a node again.
//!
//! What the words bring back: the on-chain wallet, the sidechain account, the keys of the channels.
//! What the backup brings back: the channels' money, by the peers' closes. What neither does: the
//! journal of pegs under way, payments' history, payments that were in flight.

use super::config::{Ready, WalletConfig};
use super::seed::{Seed, WordsError};
use crate::files::{self, BadFile};
use bitcoin::Amount;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use windlass_channels::{Backup, BackupError};

/// The backup that the running node writes.
pub(super) const BACKUP: &str = "channels.backup";

/// The backup that the next start restores.
pub(super) const TO_RESTORE: &str = "restore.backup";

/// There once the words were shown.
const SHOWN: &str = "words.shown";

/// What stays in the folder when a node's state is put aside.
const KEPT: [&str; 4] = ["config.toml", "seed", SHOWN, TO_RESTORE];

/// Why words were not shown, or a node not restored.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// A file of the folder.
    #[error(transparent)]
    File(#[from] BadFile),
    /// The words were shown before.
    #[error("the words were shown already{0}")]
    Shown(String),
    /// There is no seed yet: the node never ran.
    #[error("the node has no seed yet: start it once")]
    NoSeed,
    /// The words are none.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// The backup does not fit.
    #[error("the backup: {0}")]
    Backup(#[from] BackupError),
    /// The node's process runs.
    #[error("the node runs: stop it first")]
    Running,
}

/// What a restored node will get back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoring {
    /// Channels in the backup.
    pub channels: usize,
    /// Their capacity: what comes back is our part of it.
    pub capacity: Amount,
    /// Where the state that was there lies now, if there was any.
    pub put_aside: Option<PathBuf>,
}

/// The 24 words (BIP 39) of the node in the folder `dir`. They are shown once: a second time only if it
/// is asked for with `again`.
///
/// # Errors
/// See [`RecoveryError`].
pub fn words(dir: &Path, again: bool) -> Result<String, RecoveryError> {
    let seed = Seed::load(dir)?.ok_or(RecoveryError::NoSeed)?;
    let shown = dir.join(SHOWN);
    if let (Some(when), false) = (files::read_if_there(&shown)?, again) {
        return Err(RecoveryError::Shown(ago(&when)));
    }
    files::write_whole(&shown, format!("{}\n", now()).as_bytes(), 0o600)?;
    Ok(seed.words())
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How long ago the second `then` was, in words; nothing if it is no number.
fn ago(then: &str) -> String {
    let Ok(then) = then.trim().parse::<u64>() else { return String::new() };
    match now().saturating_sub(then) {
        0..120 => ", a moment ago".into(),
        seconds @ 120..7_200 => format!(", {} minutes ago", seconds / 60),
        seconds @ 7_200..172_800 => format!(", {} hours ago", seconds / 3_600),
        seconds => format!(", {} days ago", seconds / 86_400),
    }
}

/// Makes the folder `dir` that of a node that is restored at its next start: with these words (none
/// keeps the seed that is there) and this channel backup. What lies there is put aside, not removed.
///
/// # Errors
/// See [`RecoveryError`]. Nothing was changed then, but for an error of [`RecoveryError::File`].
pub fn restore(dir: &Path, words: Option<&str>, backup: &[u8]) -> Result<Restoring, RecoveryError> {
    if Ready::load(dir)?.is_some() {
        return Err(RecoveryError::Running);
    }
    let (seed, content) = open(dir, words, backup)?;
    let put_aside = put_aside(dir)?;
    seed.save(dir)?;
    files::write_whole(&dir.join(TO_RESTORE), backup, 0o600)?;
    let capacity = content.channels.iter().map(|channel| channel.capacity).sum();
    Ok(Restoring { channels: content.channels.len(), capacity, put_aside })
}

/// Whether [`restore`] could use these words and this backup. The node may run.
///
/// # Errors
/// See [`RecoveryError`].
pub fn check_restore(dir: &Path, words: Option<&str>, backup: &[u8]) -> Result<(), RecoveryError> {
    open(dir, words, backup).map(drop)
}

/// The seed and the backup, if they belong together and to the node's network.
fn open(dir: &Path, words: Option<&str>, backup: &[u8]) -> Result<(Seed, Backup), RecoveryError> {
    let config = WalletConfig::load(dir)?;
    let seed = match words {
        Some(words) => Seed::from_words(words)?,
        None => Seed::load(dir)?.ok_or(RecoveryError::NoSeed)?,
    };
    let content = Backup::open(backup, &seed.lightning())?;
    let expected = config.network.bitcoin();
    if content.network != expected {
        return Err(BackupError::WrongNetwork { found: content.network, expected }.into());
    }
    Ok((seed, content))
}

/// Moves a node's state to a folder beside it.
fn put_aside(dir: &Path) -> Result<Option<PathBuf>, BadFile> {
    let bad = |error: std::io::Error| BadFile::new(dir, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(bad)? {
        let name = entry.map_err(bad)?.file_name();
        let text = name.to_string_lossy().into_owned();
        if !KEPT.contains(&text.as_str()) && !text.starts_with("before-restore-") {
            found.push(name);
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let mut number = 1;
    let target = loop {
        let target = dir.join(format!("before-restore-{number}"));
        if !target.exists() {
            break target;
        }
        number += 1;
    };
    std::fs::create_dir(&target).map_err(bad)?;
    // The seed is in both: without it the old state is worth nothing.
    if dir.join("seed").exists() {
        std::fs::copy(dir.join("seed"), target.join("seed")).map_err(bad)?;
    }
    for name in found {
        std::fs::rename(dir.join(&name), target.join(&name)).map_err(bad)?;
    }
    Ok(Some(target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_chain::{Auth, BitcoindConfig};
    use windlass_types::ChainNetwork;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        let bitcoind = BitcoindConfig { url: "http://127.0.0.1:1".into(), auth: Auth::Cookie("/c".into()) };
        WalletConfig::new("alice", ChainNetwork::Regtest, bitcoind).save(dir.path()).expect("saved");
        dir
    }

    #[test]
    fn how_long_ago() {
        let before = |seconds: u64| ago(&format!("{}\n", now() - seconds));
        assert_eq!(before(3), ", a moment ago");
        assert_eq!(before(310), ", 5 minutes ago");
        assert_eq!(before(3 * 3_600 + 5), ", 3 hours ago");
        assert_eq!(before(40 * 86_400), ", 40 days ago");
        assert_eq!(ago("yesterday"), "");
    }

    #[test]
    fn words_are_shown_once_and_give_the_same_keys() {
        let dir = folder();
        assert!(matches!(words(dir.path(), false), Err(RecoveryError::NoSeed)));
        let seed = Seed::load_or_make(dir.path()).expect("made");
        let first = words(dir.path(), false).expect("shown");
        assert_eq!(first.split(' ').count(), 24);
        assert!(matches!(words(dir.path(), false), Err(RecoveryError::Shown(_))));
        assert_eq!(words(dir.path(), true).expect("asked for"), first);
        let again = Seed::from_words(&format!("  {}\n", first.to_uppercase().replace(' ', "  "))).expect("words");
        assert_eq!((again.lightning(), again.bitcoin()), (seed.lightning(), seed.bitcoin()));
    }

    #[test]
    fn a_wrong_backup_changes_nothing() {
        let dir = folder();
        let seed = Seed::load_or_make(dir.path()).expect("made");
        std::fs::write(dir.path().join("node.redb"), "state").expect("written");
        let error = restore(dir.path(), None, b"no backup").expect_err("no backup");
        assert!(matches!(error, RecoveryError::Backup(BackupError::Unknown)), "{error}");
        let error = restore(dir.path(), Some("abandon ability"), b"").expect_err("two words");
        assert!(matches!(error, RecoveryError::Words(_)), "{error}");
        assert!(dir.path().join("node.redb").exists());
        let kept = Seed::load(dir.path()).expect("read").expect("there");
        assert_eq!(kept.lightning(), seed.lightning());
    }
}

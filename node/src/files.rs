//! Files of a process's folder: written whole or not at all, read with the path in every error.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A folder's file that is missing or malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct BadFile {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

impl BadFile {
    /// What is wrong with `path`.
    pub(crate) fn new(path: impl Into<PathBuf>, reason: impl ToString) -> Self {
        Self { path: path.into(), reason: reason.to_string() }
    }
}

/// Writes a file aside, flushes it, and renames it: there or not, never half.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), BadFile> {
    let bad = |error: std::io::Error| BadFile::new(path, error);
    // A bare name has an empty parent: it is in the working directory.
    let path = &std::path::absolute(path).map_err(bad)?;
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(bad)?;
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&aside).map_err(bad)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(bad)?;
    std::fs::rename(&aside, path).map_err(bad)?;
    match path.parent() {
        Some(dir) => std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(bad),
        None => Ok(()),
    }
}

/// Reads a file; `None` if it isn't there.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>, BadFile> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BadFile::new(path, error)),
    }
}

/// Reads a file that must be there.
pub(crate) fn read(path: &Path) -> Result<String, BadFile> {
    std::fs::read_to_string(path).map_err(|error| BadFile::new(path, error))
}

/// Reads 32 secret bytes in hex; refuses a file that others can read. `None` if it isn't there.
pub(crate) fn read_secret(path: &Path) -> Result<Option<[u8; 32]>, BadFile> {
    let Some(text) = read_if_there(path)? else { return Ok(None) };
    let mode = std::fs::metadata(path).map_err(|error| BadFile::new(path, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(BadFile::new(path, format!("others can read it (mode {:03o}): chmod 600 it", mode & 0o777)));
    }
    let mut secret = [0; 32];
    hex::decode_to_slice(text.trim(), &mut secret).map_err(|_| BadFile::new(path, "it is no 32 bytes in hex"))?;
    Ok(Some(secret))
}

/// Writes 32 secret bytes in hex, for the owner alone.
pub(crate) fn write_secret(path: &Path, secret: &[u8; 32]) -> Result<(), BadFile> {
    write_whole(path, format!("{}\n", hex::encode(secret)).as_bytes(), 0o600)
}

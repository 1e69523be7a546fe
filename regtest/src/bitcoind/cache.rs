//! The cache's folder: its lock, its names, and the one way in.

use crate::progress::{Progress, Report};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// How often a waiting process looks whether the other one is done.
const LOCK_POLL: Duration = Duration::from_millis(200);

/// The cache can't be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {path}, where bitcoind is kept")]
pub struct CacheError {
    /// The file or folder.
    pub path: String,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

impl CacheError {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self { path, source }
    }
}

/// Where the bitcoind called `key` lies, if it is there.
pub fn binary(cache: &Path, key: &str) -> PathBuf {
    cache.join(key).join("bitcoind")
}

/// A folder to work in, for `key`. It is kept after a failure, so that a build goes on where it ended.
pub fn work(cache: &Path, key: &str) -> PathBuf {
    cache.join(format!(".work-{key}"))
}

/// Takes the lock, waiting for whoever has it. It is held as long as the file, or a copy of it that
/// a child has inherited, is open.
pub fn lock(cache: &Path, report: Report<'_>) -> Result<File, CacheError> {
    fs::create_dir_all(cache).map_err(CacheError::at(cache))?;
    let path = cache.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(CacheError::at(&path))?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                if !told {
                    report(Progress::note("bitcoind", "another windlass is making it: waiting for that one"));
                    told = true;
                }
                thread::sleep(LOCK_POLL);
            }
            Err(TryLockError::Error(error)) => return Err(CacheError::at(&path)(error)),
        }
    }
}

/// Puts a finished executable under its final name: copied aside, flushed, then one rename.
pub fn admit(cache: &Path, key: &str, finished: &Path) -> Result<PathBuf, CacheError> {
    let aside = cache.join(format!(".new-{key}"));
    remove(&aside)?;
    fs::create_dir_all(&aside).map_err(CacheError::at(&aside))?;
    let file = aside.join("bitcoind");
    fs::copy(finished, &file).map_err(CacheError::at(&file))?;
    File::open(&file).and_then(|f| f.sync_all()).map_err(CacheError::at(&file))?;
    let target = cache.join(key);
    // What was there did not run, or we would not be here.
    remove(&target)?;
    fs::rename(&aside, &target).map_err(CacheError::at(&target))?;
    Ok(binary(cache, key))
}

/// Removes a folder, if it is there.
pub fn remove(path: &Path) -> Result<(), CacheError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CacheError::at(path)(error)),
        _ => Ok(()),
    }
}

//! What can go wrong with a file.

use std::path::{Path, PathBuf};

/// Why a store could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process (or another `Store` of this one) has it open.
    #[error("{} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("no space left on the disk for {}", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The file is none of ours, or damaged.
    #[error("{} can't be read as a store: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database says.
        reason: String,
    },
    /// The operating system refused (missing directory, permissions).
    #[error("can't open {}: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
}

/// Why a read or a commit failed. After any of them nothing of the failed commit is in the store.
///
/// `Clone`, because commits that shared one fsync share its fate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is full. Free some space and try again: the store is intact.
    #[error("no space left on the disk for {}: nothing was written", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// Another failure of the disk or the operating system.
    #[error("can't use {}: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// The content of the file is damaged.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database says.
        reason: String,
    },
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// What the store does about a failure of the database.
pub(crate) enum Failure {
    /// The file has to be opened again: an earlier failure closed it.
    Reopen,
    /// Tell the caller.
    Tell(StoreError),
}

/// Sorts a failure of the database.
pub(crate) fn sort(path: &Path, error: redb::Error) -> Failure {
    let path = path.to_owned();
    match error {
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => Failure::Reopen,
        redb::Error::Io(error) if is_full(&error) => Failure::Tell(StoreError::DiskFull { path }),
        redb::Error::Io(error) => Failure::Tell(StoreError::Io { path, reason: error.to_string() }),
        other => Failure::Tell(StoreError::Damaged { path, reason: other.to_string() }),
    }
}

/// As [`sort`], when opening.
pub(crate) fn opening(path: &Path, error: redb::DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path },
        redb::DatabaseError::Storage(redb::StorageError::Io(error)) => io_opening(&path, error),
        other => OpenError::Damaged { path, reason: other.to_string() },
    }
}

/// An error of the operating system when opening.
pub(crate) fn io_opening(path: &Path, error: std::io::Error) -> OpenError {
    let path = path.to_owned();
    if is_full(&error) {
        return OpenError::DiskFull { path };
    }
    if error.kind() == std::io::ErrorKind::InvalidData {
        return OpenError::Damaged { path, reason: error.to_string() };
    }
    OpenError::Io { path, reason: error.to_string() }
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::InUse { path } => Self::Io { path, reason: "it is in use by another process".into() },
            OpenError::DiskFull { path } => Self::DiskFull { path },
            OpenError::Damaged { path, reason } => Self::Damaged { path, reason },
            OpenError::Io { path, reason } => Self::Io { path, reason },
        }
    }
}

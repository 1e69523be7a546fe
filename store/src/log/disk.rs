//! The only way from the log to files: real ones here, failing ones in [`crate::fault`].

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One flat directory of files. A file or a name is certain to be there after a power loss only
/// when it was synced: the content by [`DiskFile::sync`], the name by [`Disk::sync_names`].
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Where it is, for messages.
    fn path(&self) -> &Path;
    /// Keeps others out until the guard is dropped; [`io::ErrorKind::WouldBlock`] if one is in.
    ///
    /// # Errors
    /// Somebody else has it, or the operating system refused.
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>>;
    /// The names of all files.
    ///
    /// # Errors
    /// The operating system refused.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Opens a file; `make` makes it, empty.
    ///
    /// # Errors
    /// The operating system refused.
    fn open(&self, name: &str, make: bool) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name, in place of what has it.
    ///
    /// # Errors
    /// The operating system refused.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Takes a name away; who has the file open may go on reading it.
    ///
    /// # Errors
    /// The operating system refused.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes all names durable.
    ///
    /// # Errors
    /// The operating system refused.
    fn sync_names(&self) -> io::Result<()>;
}

/// A file that is read and written at positions.
pub trait DiskFile: Send + Sync + std::fmt::Debug {
    /// Bytes in it.
    ///
    /// # Errors
    /// The operating system refused.
    fn size(&self) -> io::Result<u64>;
    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// The file is shorter, or the operating system refused.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// The operating system refused; a part may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the content durable (fdatasync).
    ///
    /// # Errors
    /// The operating system refused: then it is not known what is there, and asking again won't tell.
    fn sync(&self) -> io::Result<()>;
}

/// The file whose lock keeps a second process out.
const LOCK: &str = "lock";

/// A directory of the operating system.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory `path`, made if it isn't there; its parent must be.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            match std::fs::create_dir(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
                other => other?,
            }
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                File::open(parent)?.sync_all()?;
            }
        }
        Ok(Self { path: path.to_owned() })
    }
}

impl Disk for Directory {
    fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.path.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            // A name that is no text is none of ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn open(&self, name: &str, make: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create(make).truncate(make).open(self.path.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

//! A store in one file: redb's tables.

use crate::error::{self, Failure, OpenError, StoreError};
use crate::group::{Group, Outcome};
use crate::store::{Entry, position};
use crate::writes::{Write, Writes};
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// The file as a backend of [`crate::Store`].
pub(crate) struct RedbFile {
    path: PathBuf,
    /// `None` after a failed attempt to open the file again.
    database: RwLock<Option<Database>>,
    group: Group,
}

const fn table(name: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

/// Pages that are kept in memory: state here is small, and a machine runs eight of these.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

impl RedbFile {
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let database = open_file(path)?;
        Ok(Self { path: path.to_owned(), database: RwLock::new(Some(database)), group: Group::default() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn get(&self, name: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|database| {
            let transaction = database.begin_read()?;
            let table = match transaction.open_table(table(name)) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                other => other?,
            };
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    pub(crate) fn table(&self, name: &str) -> Result<RedbTable, StoreError> {
        self.read(|database| match database.begin_read()?.open_table(table(name)) {
            Err(TableError::TableDoesNotExist(_)) => Ok(RedbTable { path: self.path.clone(), table: None }),
            other => Ok(RedbTable { path: self.path.clone(), table: Some(other?) }),
        })
    }

    pub(crate) fn last(&self, name: &str) -> Result<Option<Entry>, StoreError> {
        self.read(|database| {
            let transaction = database.begin_read()?;
            let table = match transaction.open_table(table(name)) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                other => other?,
            };
            Ok(table.last()?.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
        })
    }

    pub(crate) fn commit(&self, writes: Writes) -> Outcome {
        self.group.commit(writes, |round| self.write_round(round))
    }

    pub(crate) fn collect(
        &self,
        name: &str,
        from: &[u8],
        until: impl Fn(&[u8]) -> bool,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.read(|database| {
            let transaction = database.begin_read()?;
            let table = match transaction.open_table(table(name)) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                other => other?,
            };
            let mut entries = Vec::new();
            for entry in table.range::<&[u8]>(from..)? {
                let (key, value) = entry?;
                if entries.len() >= limit || !until(key.value()) {
                    break;
                }
                entries.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(entries)
        })
    }

    /// Runs `read`; if an earlier failure closed the file, opens it again, once.
    fn read<T>(&self, read: impl Fn(&Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        for attempt in 0..2 {
            let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let failure = match guard.as_ref() {
                Some(database) => match read(database) {
                    Ok(value) => return Ok(value),
                    Err(error) => error::sort(&self.path, error),
                },
                None => Failure::Reopen,
            };
            drop(guard);
            match failure {
                Failure::Tell(error) => return Err(error),
                Failure::Reopen if attempt == 0 => self.reopen()?,
                Failure::Reopen => break,
            }
        }
        Err(StoreError::Io { path: self.path.clone(), reason: "it failed again after it was opened again".into() })
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut guard = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // The old one must let go of the file's lock first.
        *guard = None;
        *guard = Some(open_file(&self.path)?);
        Ok(())
    }

    fn write_round(&self, round: &[(u64, Writes)]) -> Vec<(u64, Outcome)> {
        let result = self.read(|database| {
            let mut transaction = database.begin_write()?;
            // Two fsyncs instead of one would only guard against chosen-prefix checksum attacks.
            transaction.set_two_phase_commit(false);
            let mut positions = Vec::with_capacity(round.len());
            for (ticket, writes) in round {
                positions.push((*ticket, apply(&transaction, writes)?));
            }
            transaction.commit()?;
            Ok(positions)
        });
        match result {
            Ok(positions) => positions.into_iter().map(|(ticket, list)| (ticket, Ok(list))).collect(),
            Err(error) => round.iter().map(|(ticket, _)| (*ticket, Err(error.clone()))).collect(),
        }
    }
}

/// One table at one moment; see [`crate::Store::snapshot`].
pub(crate) struct RedbTable {
    path: PathBuf,
    table: Option<ReadOnlyTable<&'static [u8], &'static [u8]>>,
}

impl RedbTable {
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(table) = &self.table else { return Ok(None) };
        let found = table.get(key).map_err(|error| self.failure(error))?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    pub(crate) fn scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, StoreError> {
        self.page(prefix, prefix, usize::MAX)
    }

    pub(crate) fn page(&self, prefix: &[u8], first: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let Some(table) = &self.table else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        for entry in table.range::<&[u8]>(first..).map_err(|error| self.failure(error))?.take(limit) {
            let (key, value) = entry.map_err(|error| self.failure(error))?;
            if !key.value().starts_with(prefix) {
                break;
            }
            entries.push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(entries)
    }

    fn failure(&self, error: redb::StorageError) -> StoreError {
        match error::sort(&self.path, error.into()) {
            Failure::Tell(error) => error,
            Failure::Reopen => StoreError::Io { path: self.path.clone(), reason: "it was closed by a failure".into() },
        }
    }
}

fn apply(transaction: &WriteTransaction, writes: &Writes) -> Result<Vec<u64>, redb::Error> {
    let mut positions = Vec::new();
    for write in &writes.list {
        match write {
            Write::Put { table: name, key, value } => {
                transaction.open_table(table(name))?.insert(key.as_slice(), value.as_slice())?;
            }
            Write::Delete { table: name, key } => {
                transaction.open_table(table(name))?.remove(key.as_slice())?;
            }
            Write::Clear { table: name } => {
                transaction.delete_table(table(name))?;
            }
            Write::Append { table: name, value } => {
                let mut table = transaction.open_table(table(name))?;
                let next = match table.last()? {
                    None => 0,
                    Some((key, _)) => position(key.value())
                        .and_then(|last| last.checked_add(1))
                        .ok_or_else(|| redb::Error::Corrupted(format!("{name:?} is no journal")))?,
                };
                table.insert(next.to_be_bytes().as_slice(), value.as_slice())?;
                positions.push(next);
            }
        }
    }
    Ok(positions)
}

/// Opens or makes the file. A new one is made aside and renamed, so that a crash in between leaves
/// no half-made file under the real name.
fn open_file(path: &Path) -> Result<Database, OpenError> {
    if !path.exists() {
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".new-{}", std::process::id()));
        let aside = PathBuf::from(aside);
        let _ = std::fs::remove_file(&aside);
        drop(Database::create(&aside).map_err(|error| error::opening(path, error))?);
        // A hard link refuses to replace a file that another process made meanwhile.
        let linked = std::fs::hard_link(&aside, path);
        std::fs::remove_file(&aside).map_err(|error| error::io_opening(path, error))?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(error::io_opening(path, error));
            }
            _ => sync_directory(path).map_err(|error| error::io_opening(path, error))?,
        }
    }
    Database::builder().set_cache_size(CACHE_BYTES).open(path).map_err(|error| error::opening(path, error))
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => std::fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

//! Durable state for what must never be lost: a thin wrapper around `redb`.
//!
//! A [`Store`] is one file with named tables of byte keys to byte values. What the bytes mean is
//! the business of the crate that writes them.
//!
//! - [`Store::commit`] is atomic and has reached the disk (fsync) when it returns. Commits from
//!   several threads that wait at the same time share one fsync (group commit).
//! - A reader sees whole commits only.
//! - A second process that opens the same file gets [`OpenError::InUse`].
//! - A full disk is [`StoreError::DiskFull`]; nothing of that commit is there, and once there is
//!   room again the same `Store` goes on.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! use windlass_store::{Store, Writes};
//! let store = Store::open(dir.path().join("peg.redb"))?;
//! store.commit(Writes::new().put("intent", b"7", b"txid"))?;
//! assert_eq!(store.get("intent", b"7")?, Some(b"txid".to_vec()));
//! assert_eq!(store.append("journal", b"first")?, 0);
//! # Ok(()) }
//! ```

mod error;
#[doc(hidden)]
pub mod fault;
mod group;
mod log;
mod redb_file;
mod store;
mod writes;

pub use error::{OpenError, StoreError};
pub use log::Stats;
#[doc(hidden)]
pub use log::Tuning;
#[doc(hidden)]
pub use log::disk::{Disk, DiskFile};
pub use store::{Entry, Snapshot, Store};
pub use writes::Writes;

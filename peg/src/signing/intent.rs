//! What this member has put its name to: one transaction for each batch, for ever.
//!
//! Written durably before the first share for a batch leaves, so that no restart, rollback of
//! memory or confused ledger makes a member sign two transactions for one batch.

use bitcoin::{Txid, hashes::Hash as _};
use std::sync::Arc;
use windlass_store::{Store, StoreError, Writes};

const TABLE: &str = "peg/intents";

/// Why a member does not sign.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    /// It has signed another transaction for the batch.
    #[error("batch {batch}: this member has signed {signed} and does not sign {asked}")]
    Other {
        /// The batch.
        batch: u64,
        /// What it signed.
        signed: Txid,
        /// What it is asked to sign.
        asked: Txid,
    },
    /// The store failed: without a record there is no share.
    #[error("batch {batch}: the intent could not be recorded")]
    Store {
        /// The batch.
        batch: u64,
        /// Why.
        source: StoreError,
    },
}

/// The durable record of intents.
#[derive(Debug, Clone)]
pub struct Intents {
    store: Arc<Store>,
}

impl Intents {
    /// The intents in this store.
    pub const fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// What this member has signed for the batch.
    ///
    /// # Errors
    /// The store failed.
    pub fn get(&self, batch: u64) -> Result<Option<Txid>, IntentError> {
        let bytes =
            self.store.get(TABLE, &batch.to_be_bytes()).map_err(|source| IntentError::Store { batch, source })?;
        Ok(bytes.and_then(|b| Txid::from_slice(&b).ok()))
    }

    /// Records the intent; on return it is on disk.
    ///
    /// # Errors
    /// Another transaction stands there, or the store failed.
    pub fn record(&self, batch: u64, asked: Txid) -> Result<(), IntentError> {
        match self.get(batch)? {
            Some(signed) if signed == asked => Ok(()),
            Some(signed) => Err(IntentError::Other { batch, signed, asked }),
            None => self
                .store
                .commit(Writes::new().put(TABLE, &batch.to_be_bytes(), &asked.to_byte_array()))
                .map_err(|source| IntentError::Store { batch, source }),
        }
    }
}

//! For `windlass-fuzz` alone: the decoders of this crate that are not public. No part of its interface.

use crate::api::member::{BlockAnswer, GenesisAnswer};
use crate::{follower, wallet};
use std::sync::Arc;
use windlass_store::{Store, Writes};

/// A block as a member answers with it: nobody believes it unread. True if it can be read.
pub fn block_answer(bytes: &[u8]) -> bool {
    let Ok(answer) = serde_json::from_slice::<BlockAnswer>(bytes) else { return false };
    let Ok((block, certificate)) = follower::read_block(&answer) else { return false };
    assert_eq!((hex::encode(block.encode()), hex::encode(certificate)), {
        (answer.hex.to_lowercase(), answer.certificate.to_lowercase())
    });
    true
}

/// A genesis as a member answers with it, and as it lies in `genesis.json`; true if it is taken.
pub fn genesis_answer(bytes: &[u8]) -> bool {
    let Ok(answer) = serde_json::from_slice::<GenesisAnswer>(bytes) else { return false };
    let Some(genesis) = answer.read() else { return false };
    assert!(genesis.validate().is_ok(), "a genesis that no chain can begin with was taken");
    true
}

/// The words of a seed; true if they are.
pub fn words(text: &str) -> bool {
    wallet::fuzz_words(text)
}

/// A wallet's store that holds any rows of its journal: table by its number, key, value. True if it can be read.
pub fn wallet_journal(store: Arc<Store>, rows: &[(usize, &[u8], &[u8])]) -> bool {
    let mut writes = Writes::new();
    for (table, key, value) in rows {
        writes.add_put(wallet::JOURNAL_TABLES[table % wallet::JOURNAL_TABLES.len()], key, value);
    }
    store.commit(writes).expect("room for it");
    wallet::fuzz_journal(store)
}

/// Rows of a journal to begin with: table by its number, key, value.
pub fn wallet_journal_rows() -> Vec<(usize, Vec<u8>, Vec<u8>)> {
    wallet::journal_rows()
}

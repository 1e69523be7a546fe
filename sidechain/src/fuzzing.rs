//! For `windlass-fuzz` alone: the decoders of this crate that are not public, and a certificate to begin
//! with. No part of its interface.

use crate::IdentitySeed;
use crate::chain_store::{self, ChainStore};
use crate::engine::block::Sealed;
use crate::engine::committee::{Committee, EPOCH, Votes, private_key};
use crate::snapshot::{Pieces, Reader, signers};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_consensus::simplex::types::{Finalize, Proposal};
use commonware_consensus::types::{Round, View};
use commonware_cryptography::sha256;
use commonware_parallel::Sequential;
use commonware_utils::non_empty;
use std::sync::Arc;
use windlass_ledger::{Block, Genesis, MemoryState, Restore, Transaction, query};
use windlass_light::Certificate;
use windlass_store::{Store, Writes};
use windlass_types::{Digest, SideHeight};

/// A block as members send it to each other; true if it is one.
pub fn sealed_block(bytes: &[u8]) -> bool {
    let Ok(sealed) = Sealed::decode(bytes.to_vec()) else { return false };
    assert_eq!(sealed.encode().as_ref(), bytes);
    assert_eq!(sealed.block().encode(), bytes[4..]);
    true
}

/// A block in that form.
pub fn seal(block: Block) -> Vec<u8> {
    Sealed::new(Arc::new(block)).encode().to_vec()
}

/// Transactions as members pass them on; true if they are.
pub fn gossip(bytes: &[u8]) -> bool {
    let Ok(list) = borsh::from_slice::<Vec<Transaction>>(bytes) else { return false };
    assert_eq!(borsh::to_vec(&list).expect("writing to a vector does not fail"), bytes);
    assert!(list.iter().all(|transaction| transaction.id() == transaction.id()));
    true
}

/// The certificate of a block that the members with these seeds, a quorum, vote for.
pub fn certificate(seeds: &[IdentitySeed], genesis: &Genesis, block: &Block) -> Vec<u8> {
    let identities = genesis.identities();
    let committee = Committee::new(&identities).expect("members");
    let schemes: Vec<_> = seeds
        .iter()
        .map(|seed| committee.signer(genesis.chain_id(), private_key(seed.bytes())).expect("a member"))
        .collect();
    let digest = sha256::Digest(block.header.digest().0);
    let proposal = Proposal::new(Round::new(EPOCH, View::new(2)), View::new(1), digest);
    let votes = schemes.iter().map(|scheme| Finalize::sign(scheme, proposal.clone()).expect("it signs"));
    let votes = Votes::from_owned_finalizes(&schemes[0], non_empty![@votes], &Sequential).expect("a quorum");
    Certificate { descendants: Vec::new(), votes: votes.encode().to_vec() }.encode()
}

/// A member's store that holds any rows (table by its number, key, value) over the chain's first state: it
/// opens or says what is wrong, and so does every question. True if it opens and no answer is an error.
pub fn chain_store(store: Arc<Store>, genesis: &Arc<Genesis>, rows: &[(usize, &[u8], &[u8])]) -> bool {
    let Ok(_) = ChainStore::open(store.clone(), genesis.clone()) else { return false };
    let mut writes = Writes::new();
    for (table, key, value) in rows {
        writes.add_put(chain_store::TABLES[table % chain_store::TABLES.len()], key, value);
    }
    store.commit(writes).expect("room for it");
    let Ok(chain) = ChainStore::open(store, genesis.clone()) else { return false };
    let mut taken = true;
    for height in 0..3 {
        taken &= chain.block(SideHeight::new(height)).is_ok();
        taken &= chain.receipts(SideHeight::new(height)).is_ok();
    }
    taken &= chain.location(&Digest::default()).is_ok();
    taken &= chain.links().is_ok();
    taken & query::totals(&*chain.view()).is_ok()
}

/// The state that a snapshot carries, if the members of this genesis signed it and all of it holds.
pub fn snapshot(genesis: &Genesis, bytes: &[u8]) -> Option<MemoryState> {
    let mut reader = Reader::new(bytes).ok()?;
    signers(genesis, &reader.head).ok()?;
    let (mut state, mut restore) = (MemoryState::default(), Restore::new(reader.head.header));
    while let Some(rows) = reader.rows().ok()? {
        let changes = restore.take(&state, rows).ok()?;
        state.commit(&changes);
    }
    let last = restore.finish(&state).ok()?;
    state.commit(&last);
    Some(state)
}

/// The snapshot of a state, whose newest block has this certificate.
pub fn snapshot_of(state: MemoryState, certificate: Vec<u8>) -> Vec<u8> {
    let header = query::tip(&state).expect("a header");
    let pieces = Pieces::new(header, certificate, Vec::new(), Arc::new(state));
    pieces.flatten().flatten().collect()
}

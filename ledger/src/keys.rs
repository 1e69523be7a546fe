//! The keys of the state. The first byte is the namespace:
//!
//! - `s` state proper: what the rules read and the state root covers;
//! - `n` nodes of the sparse Merkle tree over `s`;
//! - `i` indices that only queries read, derivable from `s`;
//! - `m` the newest header.
//!
//! Numbers in keys are big endian so that a scan is in order.

use bitcoin::{OutPoint, Script, hashes::Hash as _};
use windlass_types::{AccountId, AssetId, BtcHeight, Digest};

/// The namespace that the state root covers.
pub const STATE: &[u8] = b"s";
/// The namespace of tree nodes.
pub const NODES: &[u8] = b"n";
/// The newest header.
pub const TIP: &[u8] = b"mt";
/// The id of the chain.
pub const CHAIN: &[u8] = b"sC";
/// Sums and sequence numbers.
pub const TOTALS: &[u8] = b"sT";
/// The dials in force, and the change that is pending.
pub const PARAMS: &[u8] = b"sF";
/// The newest epoch of the members; it may be to come.
pub const NEWEST_EPOCH: &[u8] = b"sE";
/// The members, by epoch.
pub const EPOCHS: &[u8] = b"sM";
/// The federation's coin.
pub const TREASURY: &[u8] = b"sc";
/// The id of the batch in flight.
pub const IN_FLIGHT: &[u8] = b"sB";
/// A treasury coin that was spent by something other than a batch.
pub const BREACH: &[u8] = b"sx";
/// Deposits that wait for a batch, by sequence number.
pub const DEPOSIT_QUEUE: &[u8] = b"sD";
/// Peg-outs that wait for a batch, by sequence number.
pub const PEG_OUT_QUEUE: &[u8] = b"sP";
/// Anchored Bitcoin blocks, by height.
pub const ANCHORS: &[u8] = b"sh";
/// All accounts.
pub const ACCOUNTS: &[u8] = b"sa";
/// All assets but the pegged bitcoin.
pub const ASSETS: &[u8] = b"sA";
/// What accounts have of them.
pub const UNITS: &[u8] = b"su";
/// All claimed deposits.
pub const DEPOSITS: &[u8] = b"sd";
/// All peg-outs.
pub const PEG_OUTS: &[u8] = b"sp";
/// All batches.
pub const BATCHES: &[u8] = b"sb";

/// The preimages that were shown, by their hash.
pub const REVEALED: &[u8] = b"sl";

fn join(prefix: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut key = prefix.to_vec();
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// The members of an epoch.
pub fn epoch(number: u64) -> Vec<u8> {
    join(EPOCHS, &[&number.to_be_bytes()])
}

/// An account.
pub fn account(id: &AccountId) -> Vec<u8> {
    join(ACCOUNTS, &[&id.to_bytes()])
}

/// An asset.
pub fn asset(id: &AssetId) -> Vec<u8> {
    join(ASSETS, &[&id.0])
}

/// What an account has of all assets but the pegged bitcoin.
pub fn units_of(account: &AccountId) -> Vec<u8> {
    join(UNITS, &[&account.to_bytes()])
}

/// What an account has of an asset.
pub fn units(account: &AccountId, asset: &AssetId) -> Vec<u8> {
    join(&units_of(account), &[&asset.0])
}

/// The preimage of a hash, once it was shown.
pub fn revealed(hash: &[u8; 32]) -> Vec<u8> {
    join(REVEALED, &[hash])
}

/// An anchored Bitcoin block.
pub fn anchor(height: BtcHeight) -> Vec<u8> {
    join(ANCHORS, &[&height.get().to_be_bytes()])
}

/// A claimed deposit.
pub fn deposit(outpoint: &OutPoint) -> Vec<u8> {
    join(DEPOSITS, &[&outpoint.txid.to_byte_array(), &outpoint.vout.to_be_bytes()])
}

/// A place in the queue of deposits.
pub fn queued_deposit(sequence: u64) -> Vec<u8> {
    join(DEPOSIT_QUEUE, &[&sequence.to_be_bytes()])
}

/// A peg-out.
pub fn peg_out(id: &Digest) -> Vec<u8> {
    join(PEG_OUTS, &[id.as_bytes()])
}

/// A place in the queue of peg-outs.
pub fn queued_peg_out(sequence: u64) -> Vec<u8> {
    join(PEG_OUT_QUEUE, &[&sequence.to_be_bytes()])
}

/// A batch.
pub fn batch(id: u64) -> Vec<u8> {
    join(BATCHES, &[&id.to_be_bytes()])
}

/// A Bitcoin script of the federation's own.
pub fn own_script(script: &Script) -> Vec<u8> {
    join(b"so", &[script.as_bytes()])
}

/// Index: the deposits of an account.
pub fn deposits_of(account: &AccountId) -> Vec<u8> {
    join(b"id", &[&account.to_bytes()])
}

/// Index: one deposit of an account.
pub fn deposit_of(account: &AccountId, sequence: u64) -> Vec<u8> {
    join(&deposits_of(account), &[&sequence.to_be_bytes()])
}

/// Index: the peg-outs of an account.
pub fn peg_outs_of(account: &AccountId) -> Vec<u8> {
    join(b"ip", &[&account.to_bytes()])
}

/// Index: one peg-out of an account.
pub fn peg_out_of(account: &AccountId, sequence: u64) -> Vec<u8> {
    join(&peg_outs_of(account), &[&sequence.to_be_bytes()])
}

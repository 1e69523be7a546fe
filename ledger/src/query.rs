//! Reads the state.

use crate::asset::AssetRecord;
use crate::record::{Account, BatchRecord, Breach, DepositRecord, PegOutRecord, Totals, TreasuryCoin};
use crate::state::{StateError, StateRead, decode, read, read_required};
use crate::{Anchor, Batch, Header, keys};
use bitcoin::{Amount, OutPoint};
use windlass_types::{AccountId, AssetId, BtcHeight, Digest};

/// The newest header.
///
/// # Errors
/// State could not be read, or is empty.
pub fn tip(view: &dyn StateRead) -> Result<Header, StateError> {
    read_required(view, keys::TIP)
}

/// Sums and sequence numbers.
///
/// # Errors
/// State could not be read, or is empty.
pub fn totals(view: &dyn StateRead) -> Result<Totals, StateError> {
    read_required(view, keys::TOTALS)
}

/// An account; one that never got anything is empty.
///
/// # Errors
/// State could not be read.
pub fn account(view: &dyn StateRead, id: &AccountId) -> Result<Account, StateError> {
    Ok(read(view, &keys::account(id))?.unwrap_or_default())
}

/// An account's balance.
///
/// # Errors
/// State could not be read.
pub fn balance(view: &dyn StateRead, id: &AccountId) -> Result<Amount, StateError> {
    Ok(account(view, id)?.balance)
}

/// The lowest nonce that an account has not used.
///
/// # Errors
/// State could not be read.
pub fn next_nonce(view: &dyn StateRead, id: &AccountId) -> Result<u64, StateError> {
    Ok(account(view, id)?.nonces.next())
}

/// An anchored Bitcoin block, if it is young enough to be kept.
///
/// # Errors
/// State could not be read.
pub fn anchor(view: &dyn StateRead, height: BtcHeight) -> Result<Option<Anchor>, StateError> {
    read(view, &keys::anchor(height))
}

/// A claimed deposit.
///
/// # Errors
/// State could not be read.
pub fn deposit(view: &dyn StateRead, outpoint: OutPoint) -> Result<Option<DepositRecord>, StateError> {
    read(view, &keys::deposit(&outpoint))
}

/// All claimed deposits of an account, oldest first.
///
/// # Errors
/// State could not be read.
pub fn deposits_of(view: &dyn StateRead, id: &AccountId) -> Result<Vec<DepositRecord>, StateError> {
    pointed_at(view, &keys::deposits_of(id))
}

/// The deposits that wait for a batch, oldest first.
///
/// # Errors
/// State could not be read.
pub fn pending_deposits(view: &dyn StateRead) -> Result<Vec<DepositRecord>, StateError> {
    pointed_at(view, keys::DEPOSIT_QUEUE)
}

/// A peg-out, by the id of its request.
///
/// # Errors
/// State could not be read.
pub fn peg_out(view: &dyn StateRead, id: &Digest) -> Result<Option<PegOutRecord>, StateError> {
    read(view, &keys::peg_out(id))
}

/// All peg-outs of an account, oldest first.
///
/// # Errors
/// State could not be read.
pub fn peg_outs_of(view: &dyn StateRead, id: &AccountId) -> Result<Vec<PegOutRecord>, StateError> {
    pointed_at(view, &keys::peg_outs_of(id))
}

/// The peg-outs that wait for a batch, oldest first.
///
/// # Errors
/// State could not be read.
pub fn pending_peg_outs(view: &dyn StateRead) -> Result<Vec<PegOutRecord>, StateError> {
    pointed_at(view, keys::PEG_OUT_QUEUE)
}

/// The batch in flight.
///
/// # Errors
/// State could not be read.
pub fn batch(view: &dyn StateRead) -> Result<Option<Batch>, StateError> {
    let Some(id) = read::<u64>(view, keys::IN_FLIGHT)? else { return Ok(None) };
    Ok(Some(read_required::<BatchRecord>(view, &keys::batch(id))?.batch))
}

/// Any batch by its id.
///
/// # Errors
/// State could not be read.
pub fn batch_by_id(view: &dyn StateRead, id: u64) -> Result<Option<BatchRecord>, StateError> {
    read(view, &keys::batch(id))
}

/// All batches, oldest first.
///
/// # Errors
/// State could not be read.
pub fn batches(view: &dyn StateRead) -> Result<Vec<BatchRecord>, StateError> {
    view.scan(keys::BATCHES)?.iter().map(|(key, value)| decode(key, value)).collect()
}

/// The federation's coin at the anchor.
///
/// # Errors
/// State could not be read.
pub fn treasury(view: &dyn StateRead) -> Result<Option<TreasuryCoin>, StateError> {
    read(view, keys::TREASURY)
}

/// The spend of the treasury that closed the peg, if there was one.
///
/// # Errors
/// State could not be read.
pub fn breach(view: &dyn StateRead) -> Result<Option<Breach>, StateError> {
    read(view, keys::BREACH)
}

/// All accounts, ascending by id.
///
/// # Errors
/// State could not be read.
pub fn accounts(view: &dyn StateRead) -> Result<Vec<(AccountId, Account)>, StateError> {
    let entries = view.scan(keys::ACCOUNTS)?;
    let pairs = entries.iter().map(|(key, value)| {
        let id = key.get(keys::ACCOUNTS.len()..).unwrap_or_default();
        Ok((decode(key, id)?, decode(key, value)?))
    });
    pairs.collect()
}

/// An asset; none for the pegged bitcoin, whose supply is in [`totals`].
///
/// # Errors
/// State could not be read.
pub fn asset(view: &dyn StateRead, id: &AssetId) -> Result<Option<AssetRecord>, StateError> {
    read(view, &keys::asset(id))
}

/// All assets, ascending by id.
///
/// # Errors
/// State could not be read.
pub fn assets(view: &dyn StateRead) -> Result<Vec<(AssetId, AssetRecord)>, StateError> {
    let entries = view.scan(keys::ASSETS)?;
    let pairs = entries.iter().map(|(key, value)| {
        let id = key.get(keys::ASSETS.len()..).unwrap_or_default();
        Ok((decode(key, id)?, decode(key, value)?))
    });
    pairs.collect()
}

/// What an account has of an asset, in units; of bitcoin in satoshis.
///
/// # Errors
/// State could not be read.
pub fn units(view: &dyn StateRead, id: &AccountId, asset: &AssetId) -> Result<u64, StateError> {
    if asset.is_btc() {
        return Ok(balance(view, id)?.to_sat());
    }
    Ok(read(view, &keys::units(id, asset))?.unwrap_or_default())
}

/// What an account has of each asset but the pegged bitcoin, in units, ascending by id.
///
/// # Errors
/// State could not be read.
pub fn units_of(view: &dyn StateRead, id: &AccountId) -> Result<Vec<(AssetId, u64)>, StateError> {
    let prefix = keys::units_of(id);
    let entries = view.scan(&prefix)?;
    let pairs = entries.iter().map(|(key, value)| {
        let asset = key.get(prefix.len()..).unwrap_or_default();
        Ok((decode(key, asset)?, decode(key, value)?))
    });
    pairs.collect()
}

/// What the entries under `prefix` point at: their values are the keys of records.
fn pointed_at<T: borsh::BorshDeserialize>(view: &dyn StateRead, prefix: &[u8]) -> Result<Vec<T>, StateError> {
    view.scan(prefix)?.iter().map(|(_, key)| read_required(view, key)).collect()
}

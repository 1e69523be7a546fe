//! Reads the state.

use crate::asset::AssetRecord;
use crate::members::{EpochRecord, Membership, NewestEpoch};
use crate::proposal::ParamsRecord;
use crate::record::{Account, BatchRecord, Breach, DepositRecord, PegOutRecord, Revealed, Totals, TreasuryCoin};
use crate::state::{StateError, StateRead, decode, read, read_required};
use crate::{Anchor, Batch, Header, Params, keys};
use bitcoin::{Amount, OutPoint};
use windlass_types::{AccountId, AssetId, BtcHeight, Digest, SideHeight};

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

/// The dials in force and what is pending, after the state's newest block (L80).
///
/// # Errors
/// State could not be read, or is empty.
pub fn params(view: &dyn StateRead) -> Result<ParamsRecord, StateError> {
    read_required(view, keys::PARAMS)
}

/// The dials for the block after the state's newest.
///
/// # Errors
/// State could not be read, or is empty.
pub fn next_params(view: &dyn StateRead) -> Result<Params, StateError> {
    let height = tip(view)?.height;
    Ok(params(view)?.at(height.next().unwrap_or(height)).clone())
}

/// The newest epoch of the members that the state knows of; it may be to come.
///
/// # Errors
/// State could not be read, or is empty.
pub fn newest_epoch(view: &dyn StateRead) -> Result<NewestEpoch, StateError> {
    read_required(view, keys::NEWEST_EPOCH)
}

/// The epoch of the block of height `height`, which is not before the state's newest (L87).
///
/// # Errors
/// State could not be read, or is empty.
pub fn epoch_at(view: &dyn StateRead, height: SideHeight) -> Result<u64, StateError> {
    let newest = newest_epoch(view)?;
    // One epoch is to come at most.
    Ok(if newest.first <= height { newest.number } else { newest.number.saturating_sub(1) })
}

/// The members of all epochs, the one to come included, oldest first.
///
/// # Errors
/// State could not be read.
pub fn epochs(view: &dyn StateRead) -> Result<Vec<EpochRecord>, StateError> {
    view.scan(keys::EPOCHS)?.iter().map(|(key, value)| decode(key, value)).collect()
}

/// The members for the block after the state's newest, and those to come.
///
/// # Errors
/// State could not be read, or is empty.
pub fn membership(view: &dyn StateRead) -> Result<Membership, StateError> {
    let height = tip(view)?.height;
    membership_at(view, height.next().unwrap_or(height))
}

pub(crate) fn membership_at(view: &dyn StateRead, height: SideHeight) -> Result<Membership, StateError> {
    let number = epoch_at(view, height)?;
    let mut epochs = epochs(view)?;
    let later = epochs.split_off(epochs.partition_point(|epoch| epoch.number <= number));
    let in_force = epochs.pop().ok_or_else(|| StateError::Missing(hex::encode(keys::epoch(number))))?;
    let mut former: Vec<[u8; 32]> = epochs.into_iter().flat_map(|epoch| epoch.identities).collect();
    former.retain(|identity| !in_force.identities.contains(identity));
    former.sort_unstable();
    former.dedup();
    Ok(Membership { in_force, next: later.into_iter().next(), former })
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

/// The preimage of a hash, once a policy account was spent from by it (L75).
///
/// # Errors
/// State could not be read.
pub fn revealed(view: &dyn StateRead, hash: &[u8; 32]) -> Result<Option<Revealed>, StateError> {
    read(view, &keys::revealed(hash))
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
    Ok(deposits_page(view, id, &[], usize::MAX)?.items)
}

/// The same by pages.
///
/// # Errors
/// State could not be read.
pub fn deposits_page(
    view: &dyn StateRead,
    id: &AccountId,
    from: &[u8],
    limit: usize,
) -> Result<Page<DepositRecord>, StateError> {
    page(view, &keys::deposits_of(id), from, limit, |_, key| read_required(view, key))
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
    Ok(peg_outs_page(view, id, &[], usize::MAX)?.items)
}

/// The same by pages.
///
/// # Errors
/// State could not be read.
pub fn peg_outs_page(
    view: &dyn StateRead,
    id: &AccountId,
    from: &[u8],
    limit: usize,
) -> Result<Page<PegOutRecord>, StateError> {
    page(view, &keys::peg_outs_of(id), from, limit, |_, key| read_required(view, key))
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
    Ok(assets_page(view, &[], usize::MAX)?.items)
}

/// The same by pages.
///
/// # Errors
/// State could not be read.
pub fn assets_page(
    view: &dyn StateRead,
    from: &[u8],
    limit: usize,
) -> Result<Page<(AssetId, AssetRecord)>, StateError> {
    page(view, keys::ASSETS, from, limit, |id, value| Ok((decode(id, id)?, decode(id, value)?)))
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
    Ok(units_page(view, id, &[], usize::MAX)?.items)
}

/// The same by pages.
///
/// # Errors
/// State could not be read.
pub fn units_page(
    view: &dyn StateRead,
    id: &AccountId,
    from: &[u8],
    limit: usize,
) -> Result<Page<(AssetId, u64)>, StateError> {
    page(view, &keys::units_of(id), from, limit, |asset, units| Ok((decode(asset, asset)?, decode(asset, units)?)))
}

/// A part of a list, and where the next part begins: what to give as `from` for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The part.
    pub items: Vec<T>,
    /// None after the last.
    pub next: Option<Vec<u8>>,
}

/// At most `limit` entries under `prefix` from `from` on; each is read from its key's rest and its value.
fn page<T>(
    view: &dyn StateRead,
    prefix: &[u8],
    from: &[u8],
    limit: usize,
    item: impl Fn(&[u8], &[u8]) -> Result<T, StateError>,
) -> Result<Page<T>, StateError> {
    let mut entries = view.page(prefix, from, limit.saturating_add(1))?;
    let rest = |key: &[u8]| key.get(prefix.len()..).unwrap_or_default().to_vec();
    let next = entries.get(limit).map(|(key, _)| rest(key));
    entries.truncate(limit);
    let items = entries.iter().map(|(key, value)| item(&rest(key), value)).collect::<Result<_, _>>()?;
    Ok(Page { items, next })
}

/// What the entries under `prefix` point at: their values are the keys of records.
fn pointed_at<T: borsh::BorshDeserialize>(view: &dyn StateRead, prefix: &[u8]) -> Result<Vec<T>, StateError> {
    view.scan(prefix)?.iter().map(|(_, key)| read_required(view, key)).collect()
}

//! A state made anew from its rows alone, as a snapshot carries them: piece by piece, so that memory holds one piece.
//!
//! What is taken is state proper, keys ascending. The tree over it, the indices and the newest header are not taken
//! from anyone but made here. At the end the root must be the one that the header says, and the books must add up:
//! the balances are the supply, the unpaid peg-outs are what is owed, the treasury's coin is both, and the units of
//! each asset are its supply.
//!
//! Not here: who signed the header. Without that a state is anyone's.

use crate::record::{Account, DepositRecord, PegOutRecord, PegOutState};
use crate::state::{Entry, decode, encode};
use crate::{AssetRecord, ChangeSet, Header, InvariantError, StateError, StateRead, exec, keys, query, smt};
use bitcoin::Amount;
use std::collections::BTreeMap;
use windlass_types::{AssetId, ChainId, Digest};

/// So many assets are added up in one pass over what accounts have of them.
const ASSETS_AT_A_TIME: usize = 65_536;
/// So many rows are read at a time.
const ROWS_AT_A_TIME: usize = 4_096;

/// Why rows are not the state of a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The state that is being made can't be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A sum leaves its range.
    #[error(transparent)]
    Range(#[from] InvariantError),
    /// A row is of no state proper.
    #[error("row {0} is not of the state that a root covers")]
    Namespace(String),
    /// Keys don't ascend: a row is there twice, or out of its order.
    #[error("row {0} does not come after the one before it")]
    Order(String),
    /// The rows make another root.
    #[error("the rows make the state root {found}, the header says {expected}")]
    Root {
        /// The header's.
        expected: Digest,
        /// What the rows make.
        found: Digest,
    },
    /// The rows are of another chain.
    #[error("the state is of the chain {found}, its header of {expected}")]
    Chain {
        /// The header's.
        expected: ChainId,
        /// The state's.
        found: ChainId,
    },
    /// A sum is not what it must be.
    #[error("{what} is said to be {said}, and adds up to {counted}")]
    Sum {
        /// Which sum.
        what: &'static str,
        /// What the header or the totals say.
        said: Amount,
        /// What the rows add up to.
        counted: Amount,
    },
    /// An asset's units are not its supply.
    #[error("the supply of asset {asset} is said to be {said}, and adds up to {counted}")]
    Asset {
        /// The asset.
        asset: AssetId,
        /// What its record says.
        said: u64,
        /// What accounts have.
        counted: u128,
    },
    /// Accounts have units of assets that nobody issued.
    #[error("{0} rows are of assets that nobody issued")]
    NoAsset(u64),
}

/// See the module's head.
#[derive(Debug, Clone)]
pub struct Restore {
    header: Header,
    last: Vec<u8>,
    balances: Amount,
    owed: Amount,
    /// Rows of what accounts have of assets.
    units: u64,
}

impl Restore {
    /// Begins to make the state after the block of `header`. Whether that block is final the caller has checked.
    pub const fn new(header: Header) -> Self {
        Self { header, last: Vec::new(), balances: Amount::ZERO, owed: Amount::ZERO, units: 0 }
    }

    /// Takes the next rows; `view` is the state with all changes so far. Returns what they change.
    ///
    /// # Errors
    /// A row is out of place or unreadable.
    pub fn take(&mut self, view: &dyn StateRead, rows: Vec<Entry>) -> Result<ChangeSet, RestoreError> {
        let mut changes = ChangeSet::default();
        for (key, value) in rows {
            if !key.starts_with(keys::STATE) {
                return Err(RestoreError::Namespace(hex::encode(key)));
            }
            if key <= self.last {
                return Err(RestoreError::Order(hex::encode(key)));
            }
            self.count(&key, &value, &mut changes)?;
            self.last.clone_from(&key);
            changes.put(key, value);
        }
        smt::commit(view, &mut changes)?;
        Ok(changes)
    }

    /// Adds a row to the sums, and its indices to the changes.
    fn count(&mut self, key: &[u8], value: &[u8], changes: &mut ChangeSet) -> Result<(), RestoreError> {
        if key.starts_with(keys::ACCOUNTS) {
            let account: Account = decode(key, value)?;
            self.balances = exec::plus(self.balances, account.balance, "the balances")?;
        } else if key.starts_with(keys::UNITS) {
            self.units = self.units.saturating_add(1);
        } else if key.starts_with(keys::DEPOSITS) {
            let record: DepositRecord = decode(key, value)?;
            changes.put(keys::deposit_of(&record.terms.account, record.sequence), key.to_vec());
        } else if key.starts_with(keys::PEG_OUTS) {
            let record: PegOutRecord = decode(key, value)?;
            changes.put(keys::peg_out_of(&record.from, record.sequence), key.to_vec());
            if !matches!(record.state, PegOutState::Paid { .. }) {
                self.owed = exec::plus(self.owed, record.amount, "the unpaid peg-outs")?;
            }
        }
        Ok(())
    }

    /// All rows are taken, and `view` is the state with all changes. Returns the last change: the header, without
    /// which it is no state yet.
    ///
    /// # Errors
    /// The state is not the header's, or its books don't add up.
    pub fn finish(self, view: &dyn StateRead) -> Result<ChangeSet, RestoreError> {
        let header = self.header;
        let found = smt::root(view)?;
        if found != header.state_root {
            return Err(RestoreError::Root { expected: header.state_root, found });
        }
        let chain: ChainId = crate::state::read_required(view, keys::CHAIN)?;
        if chain != header.chain {
            return Err(RestoreError::Chain { expected: header.chain, found: chain });
        }
        let totals = query::totals(view)?;
        let both = exec::plus(header.supply, header.owed, "supply and owed")?;
        let mut sums = vec![
            ("the supply", header.supply, self.balances),
            ("the supply", header.supply, totals.supply),
            ("what is owed", header.owed, self.owed),
            ("what is owed", header.owed, totals.owed),
        ];
        // L44: after a breach nothing stands against it any more.
        if query::breach(view)?.is_none() {
            sums.push(("the treasury", query::treasury(view)?.map_or(Amount::ZERO, |coin| coin.amount), both));
        }
        if let Some((what, said, counted)) = sums.into_iter().find(|(_, said, counted)| said != counted) {
            return Err(RestoreError::Sum { what, said, counted });
        }
        check_assets(view, self.units)?;
        let mut changes = ChangeSet::default();
        changes.put(keys::TIP.to_vec(), encode(&header));
        Ok(changes)
    }
}

/// L65 for a whole state: what accounts have of an asset is its supply. `rows` is how many rows say what accounts have.
fn check_assets(view: &dyn StateRead, rows: u64) -> Result<(), RestoreError> {
    let (mut known, mut from) = (0_u64, Vec::new());
    loop {
        let assets = view.page(keys::ASSETS, &from, ASSETS_AT_A_TIME)?;
        let Some((last, _)) = assets.last() else { break };
        from = after(last, keys::ASSETS);
        let mut sums: BTreeMap<Vec<u8>, (u64, u128)> = BTreeMap::new();
        for (key, value) in &assets {
            let record: AssetRecord = decode(key, value)?;
            sums.insert(key.get(keys::ASSETS.len()..).unwrap_or_default().to_vec(), (record.supply, 0));
        }
        known = known.saturating_add(add_up(view, &mut sums)?);
        if let Some((id, (said, counted))) = sums.iter().find(|(_, (said, counted))| u128::from(*said) != *counted) {
            let asset = AssetId(decode(id, id)?);
            return Err(RestoreError::Asset { asset, said: *said, counted: *counted });
        }
    }
    match rows.saturating_sub(known) {
        0 => Ok(()),
        unknown => Err(RestoreError::NoAsset(unknown)),
    }
}

/// Adds up what all accounts have of these assets; returns of how many rows.
fn add_up(view: &dyn StateRead, sums: &mut BTreeMap<Vec<u8>, (u64, u128)>) -> Result<u64, RestoreError> {
    let (mut known, mut from) = (0_u64, Vec::new());
    loop {
        let rows = view.page(keys::UNITS, &from, ROWS_AT_A_TIME)?;
        let Some((last, _)) = rows.last() else { return Ok(known) };
        from = after(last, keys::UNITS);
        for (key, value) in &rows {
            // An account's 33 bytes, then the asset's.
            let asset = key.get(keys::UNITS.len()..).and_then(|id| id.get(33..)).unwrap_or_default();
            if let Some((_, sum)) = sums.get_mut(asset) {
                *sum = sum.saturating_add(u128::from(decode::<u64>(key, value)?));
                known = known.saturating_add(1);
            }
        }
    }
}

/// Where the page after the row `key` begins, without its prefix.
fn after(key: &[u8], prefix: &[u8]) -> Vec<u8> {
    let mut from = key.get(prefix.len()..).unwrap_or_default().to_vec();
    from.push(0);
    from
}

#[cfg(test)]
#[path = "restore_tests.rs"]
pub(crate) mod tests;

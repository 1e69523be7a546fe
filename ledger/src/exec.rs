//! The state of a block in the making: the parent's state, what changed so far, and the sums.

use crate::apply::{Applied, ApplyError};
use crate::inputs::BitcoinInputs;
use crate::issue::Flow;
use crate::members::NewestEpoch;
use crate::proposal::ParamsRecord;
use crate::record::{Account, Totals};
use crate::state::{ChangeSet, Entry, StateError, StateRead, encode};
use crate::tx_error::TxError;
use crate::{Genesis, Header, Receipt, block, keys, query, smt};
use bitcoin::Amount;
use borsh::BorshSerialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_types::{AccountId, AssetId, BlockRef, ChainId, Digest, SideHeight};

/// The ledger's books don't add up: a fault of this software or of its database, never of a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvariantError {
    /// A sum left its range.
    #[error("{0} leaves its range")]
    Range(&'static str),
    /// L43: the treasury is not what the ledger owes.
    #[error("the treasury holds {treasury}, but supply {supply} and owed {owed} stand against it")]
    Reserve {
        /// The treasury's coin.
        treasury: Amount,
        /// The supply.
        supply: Amount,
        /// Burned and not settled.
        owed: Amount,
    },
    /// L41: the supply moved by something else than what was minted and burned.
    #[error("the supply is {supply}; {before} + {minted} minted - {burned} burned is expected")]
    Supply {
        /// After the block.
        supply: Amount,
        /// Before the block.
        before: Amount,
        /// Minted by the block.
        minted: Amount,
        /// Burned by the block.
        burned: Amount,
    },
    /// L65: accounts got of an asset what nobody gave or issued, or its supply is not what was issued and burned.
    #[error("the asset {asset} does not add up: {issued} issued, {burned} burned, and the accounts say otherwise")]
    Asset {
        /// The asset.
        asset: AssetId,
        /// Issued by the block; minted, of bitcoin.
        issued: u64,
        /// Burned by the block.
        burned: u64,
    },
    /// L34: a peg-out would pay more than it allows, or arrive as dust.
    #[error("the peg-out {0} would pay more than it allows")]
    FeeShare(Digest),
}

/// A block in the making.
pub(crate) struct Work<'a> {
    pub(crate) genesis: &'a Genesis,
    pub(crate) chain: ChainId,
    pub(crate) parent: Digest,
    pub(crate) height: SideHeight,
    pub(crate) anchor: BlockRef,
    pub(crate) totals: Totals,
    /// The dials for this block (L80), and what is pending after it.
    pub(crate) in_force: ParamsRecord,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) minted: Amount,
    pub(crate) burned: Amount,
    /// What moved, by asset.
    pub(crate) flows: BTreeMap<AssetId, Flow>,
    /// What the body root commits to, of the transactions so far.
    pub(crate) leaves: Vec<Digest>,
    pub(crate) ids: Vec<Digest>,
    before: Totals,
    /// As the parent's state has it.
    newest_epoch: NewestEpoch,
    /// As the parent's state has it, and as this block begins.
    params: [ParamsRecord; 2],
    view: &'a dyn StateRead,
    changes: ChangeSet,
}

impl StateRead for Work<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self.changes.get(key) {
            Some(changed) => Ok(changed.map(<[u8]>::to_vec)),
            None => self.view.get(key),
        }
    }

    fn scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, StateError> {
        Ok(self.changes.overlay(prefix, self.view.scan(prefix)?))
    }
}

impl<'a> Work<'a> {
    /// Begins the block after `parent`, whose state is `view`.
    pub(crate) fn begin(genesis: &'a Genesis, view: &'a dyn StateRead, parent: &Header) -> Result<Self, ApplyError> {
        let chain = genesis.chain_id();
        if parent.chain != chain {
            return Err(ApplyError::ForeignChain { expected: chain, found: parent.chain });
        }
        let (state, digest) = (query::tip(view)?.digest(), parent.digest());
        if state != digest {
            return Err(ApplyError::ForeignState { state, parent: digest });
        }
        let totals = query::totals(view)?;
        let height = parent.height.next().ok_or(ApplyError::Height(parent.height))?;
        let before = query::params(view)?;
        let newest_epoch = query::newest_epoch(view)?;
        // L85: before anything else of the block.
        let mut in_force = before.clone();
        in_force.activate(height, parent.anchor);
        let mut work = Self {
            genesis,
            chain,
            parent: digest,
            height,
            anchor: parent.anchor,
            totals,
            params: [before, in_force.clone()],
            in_force,
            receipts: Vec::new(),
            minted: Amount::ZERO,
            burned: Amount::ZERO,
            flows: BTreeMap::new(),
            leaves: Vec::new(),
            ids: Vec::new(),
            before: totals,
            newest_epoch,
            view,
            changes: ChangeSet::default(),
        };
        work.note_activation();
        Ok(work)
    }

    fn note_activation(&mut self) {
        let [before, begun] = &self.params;
        if before.since != begun.since {
            self.receipts.push(Receipt::ParamsChanged { number: begun.proposals });
        }
        self.note_epoch(self.newest_epoch);
    }

    /// Forgets what was done since the beginning.
    pub(crate) fn forget(&mut self) {
        self.changes = ChangeSet::default();
        self.totals = self.before;
        self.in_force.clone_from(&self.params[1]);
        (self.minted, self.burned) = (Amount::ZERO, Amount::ZERO);
        self.flows.clear();
        self.receipts.clear();
        self.note_activation();
        self.leaves.clear();
        self.ids.clear();
    }

    pub(crate) fn put<T: BorshSerialize>(&mut self, key: Vec<u8>, value: &T) {
        self.changes.put(key, encode(value));
    }

    /// Sets an entry whose value is the key of another one.
    pub(crate) fn point(&mut self, key: Vec<u8>, at: Vec<u8>) {
        self.changes.put(key, at);
    }

    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.changes.delete(key);
    }

    /// Adds to an account's balance. The sum of all balances is the supply, so none can overflow.
    pub(crate) fn credit(&mut self, id: &AccountId, amount: Amount) -> Result<(), ApplyError> {
        let account = query::account(self, id)?;
        let balance = plus(account.balance, amount, "a balance")?;
        self.flow(AssetId::BTC, amount.to_sat(), 0)?;
        self.put(keys::account(id), &Account { balance, ..account });
        Ok(())
    }

    /// Adds to what an account has of an asset. The sum of all is the supply, so none can overflow.
    pub(crate) fn credit_units(&mut self, id: &AccountId, asset: AssetId, units: u64) -> Result<(), TxError> {
        if asset.is_btc() {
            return self.credit(id, Amount::from_sat(units)).map_err(as_tx_error);
        }
        let sum = query::units(self, id, &asset)?.checked_add(units).ok_or(TxError::Overflow)?;
        self.flow(asset, units, 0).map_err(|error| as_tx_error(error.into()))?;
        self.set_units(id, asset, sum);
        Ok(())
    }

    /// Writes what an account has of an asset that is not bitcoin. Who has nothing of it has no entry.
    pub(crate) fn set_units(&mut self, id: &AccountId, asset: AssetId, units: u64) {
        let key = keys::units(id, &asset);
        if units == 0 {
            self.delete(key);
        } else {
            self.put(key, &units);
        }
    }

    /// Notes what an account got and gave of an asset, for L65.
    pub(crate) fn flow(&mut self, asset: AssetId, credited: u64, debited: u64) -> Result<(), InvariantError> {
        let flow = self.flows.entry(asset).or_default();
        let range = InvariantError::Range("what a block moves");
        flow.credited = flow.credited.checked_add(credited.into()).ok_or(range.clone())?;
        flow.debited = flow.debited.checked_add(debited.into()).ok_or(range)?;
        Ok(())
    }

    /// Ends the block: fixes the next batch, checks the books, and roots the state.
    pub(crate) fn finish(mut self, inputs: &BitcoinInputs) -> Result<Applied, ApplyError> {
        self.fix_batch()?;
        self.check_books()?;
        self.check_assets()?;
        let totals = self.totals;
        if totals != self.before {
            self.put(keys::TOTALS.to_vec(), &totals);
        }
        if self.in_force != self.params[0] {
            let record = self.in_force.clone();
            self.put(keys::PARAMS.to_vec(), &record);
        }
        let state_root = if self.changes.with_prefix(keys::STATE).next().is_none() {
            smt::root(self.view)?
        } else {
            smt::commit(self.view, &mut self.changes)?
        };
        let header = Header {
            chain: self.chain,
            height: self.height,
            parent: self.parent,
            anchor: self.anchor,
            supply: totals.supply,
            owed: totals.owed,
            state_root,
            body_root: block::body_root(inputs, &self.leaves),
        };
        self.put(keys::TIP.to_vec(), &header);
        Ok(Applied { header, changes: Arc::new(self.changes), ids: self.ids, receipts: self.receipts })
    }

    /// L41 and L43: the supply moved by what was minted and burned, and the treasury's coin is
    /// exactly what stands against it.
    fn check_books(&self) -> Result<(), ApplyError> {
        let Totals { supply, owed, .. } = self.totals;
        let (before, minted, burned) = (self.before.supply, self.minted, self.burned);
        if plus(before, minted, "the supply")? != plus(supply, burned, "the supply")? {
            return Err(InvariantError::Supply { supply, before, minted, burned }.into());
        }
        if query::breach(self)?.is_some() {
            return Ok(());
        }
        let treasury = query::treasury(self)?.map_or(Amount::ZERO, |coin| coin.amount);
        if plus(supply, owed, "supply and owed")? != treasury {
            return Err(InvariantError::Reserve { treasury, supply, owed }.into());
        }
        Ok(())
    }
}

/// L42: a sum of at most all bitcoin.
pub(crate) fn plus(a: Amount, b: Amount, what: &'static str) -> Result<Amount, InvariantError> {
    a.checked_add(b).filter(|sum| *sum <= Amount::MAX_MONEY).ok_or(InvariantError::Range(what))
}

/// L42: a difference of at least nothing.
pub(crate) fn minus(a: Amount, b: Amount, what: &'static str) -> Result<Amount, InvariantError> {
    a.checked_sub(b).ok_or(InvariantError::Range(what))
}

/// A fault that is met while a transaction is executed, in the words of a transaction's errors.
pub(crate) fn as_tx_error(error: ApplyError) -> TxError {
    match error {
        ApplyError::State(error) => TxError::State(error),
        _ => TxError::Overflow,
    }
}

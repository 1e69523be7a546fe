//! The dials of a sidechain: what they are, their ranges, and which of them may change.

use crate::GenesisError;
use crate::treasury;
use crate::wire;
use bitcoin::Amount;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use windlass_types::Blocks;

/// The dials of a sidechain.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Params {
    /// How many blocks deep (itself counted) a Bitcoin block must be before members anchor to it.
    pub anchor_depth: Blocks,
    /// Relative timelock of the user's reclaim leaf.
    pub reclaim_blocks: Blocks,
    /// How long before the reclaim the federation lets go of a deposit.
    pub reclaim_buffer: Blocks,
    /// Relative timelock of the treasury's emergency leaf.
    pub emergency_blocks: Blocks,
    /// How many emergency keys sign.
    pub emergency_threshold: u16,
    /// Smallest deposit that is minted.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub min_deposit: Amount,
    /// Largest deposit that is minted.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub max_deposit: Amount,
    /// Smallest peg-out, before Bitcoin's fee.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub min_peg_out: Amount,
    /// Largest peg-out, before Bitcoin's fee.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub max_peg_out: Amount,
    /// Fee rate of the federation's Bitcoin transactions.
    pub fee_rate_sat_per_kvb: u32,
    /// Smallest fee of a transfer or peg-out request on the sidechain.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub transfer_fee_min: Amount,
    /// Most transactions in a block.
    pub max_block_txs: u32,
    /// Most deposits in a batch.
    pub max_batch_deposits: u16,
    /// Most peg-outs in a batch.
    pub max_batch_peg_outs: u16,
    /// How many sidechain blocks lie at least between a proposal and the change that it makes (L82).
    pub change_delay_blocks: u32,
}

/// Most deposits, and most peg-outs, in a batch: their counts stay within one byte of a Bitcoin
/// transaction and the whole within a standard transaction's 100,000 vB.
pub const MAX_BATCH_ITEMS: u16 = 100;

/// The shortest delay of a change: whoever looks at the chain can see it come.
pub const MIN_CHANGE_DELAY_BLOCKS: u32 = 10;
/// The longest delay of a change, a year of idle blocks: the rules must stay changeable.
pub const MAX_CHANGE_DELAY_BLOCKS: u32 = 10_000_000;

/// How many dials there are.
pub const DIALS: usize = 15;

/// The dials that no proposal changes (L83): they stand in the scripts of deposits and of the treasury, or say
/// for how long a deposit is in time, and each coin keeps the terms that it was made with.
pub const FIXED_DIALS: [&str; 4] = ["reclaim_blocks", "reclaim_buffer", "emergency_blocks", "emergency_threshold"];

/// A dial that differs between two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialChange<N = &'static str> {
    /// Its name.
    pub name: N,
    /// Its value in the first: satoshis, blocks, or a count.
    pub from: u64,
    /// Its value in the second.
    pub to: u64,
}

impl Default for Params {
    /// The dials of a regtest network.
    fn default() -> Self {
        Self {
            anchor_depth: Blocks::new(6),
            reclaim_blocks: Blocks::new(1008),
            reclaim_buffer: Blocks::new(144),
            emergency_blocks: Blocks::new(4032),
            emergency_threshold: 3,
            min_deposit: Amount::from_sat(10_000),
            max_deposit: Amount::from_sat(100_000_000_000),
            min_peg_out: Amount::from_sat(10_000),
            max_peg_out: Amount::from_sat(100_000_000_000),
            fee_rate_sat_per_kvb: 2_000,
            transfer_fee_min: Amount::ZERO,
            max_block_txs: 20_000,
            max_batch_deposits: 50,
            max_batch_peg_outs: 50,
            change_delay_blocks: 20,
        }
    }
}

impl Params {
    /// Each dial and its value, in their order: satoshis, blocks, or a count.
    pub fn dials(&self) -> [(&'static str, u64); DIALS] {
        [
            ("anchor_depth", self.anchor_depth.get().into()),
            ("reclaim_blocks", self.reclaim_blocks.get().into()),
            ("reclaim_buffer", self.reclaim_buffer.get().into()),
            ("emergency_blocks", self.emergency_blocks.get().into()),
            ("emergency_threshold", self.emergency_threshold.into()),
            ("fee_rate_sat_per_kvb", self.fee_rate_sat_per_kvb.into()),
            ("min_deposit", self.min_deposit.to_sat()),
            ("max_deposit", self.max_deposit.to_sat()),
            ("min_peg_out", self.min_peg_out.to_sat()),
            ("max_peg_out", self.max_peg_out.to_sat()),
            ("transfer_fee_min", self.transfer_fee_min.to_sat()),
            ("max_block_txs", self.max_block_txs.into()),
            ("max_batch_deposits", self.max_batch_deposits.into()),
            ("max_batch_peg_outs", self.max_batch_peg_outs.into()),
            ("change_delay_blocks", self.change_delay_blocks.into()),
        ]
    }

    /// The dials that `other` has otherwise, in their order.
    pub fn changes_to(&self, other: &Self) -> Vec<DialChange> {
        let pairs = self.dials().into_iter().zip(other.dials());
        let changed = pairs.filter(|((_, from), (_, to))| from != to);
        changed.map(|((name, from), (_, to))| DialChange { name, from, to }).collect()
    }

    /// L1: each dial is in its range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn validate(&self, members: usize) -> Result<(), GenesisError> {
        for ((name, value), (low, high)) in self.dials().into_iter().zip(self.ranges(members)) {
            if value < low || value > high {
                return Err(GenesisError::Param { name, value, range: format!("{low} to {high}") });
            }
        }
        Ok(())
    }

    /// The smallest and the largest value of each dial, given the others; in the order of [`Self::dials`].
    fn ranges(&self, members: usize) -> [(u64, u64); DIALS] {
        let max_csv = u64::from(u16::MAX);
        let members = u64::try_from(members).unwrap_or(u64::MAX);
        let depth_and_buffer = u64::from(self.anchor_depth.get()).saturating_add(self.reclaim_buffer.get().into());
        let items = u64::from(MAX_BATCH_ITEMS);
        let supply = Amount::MAX_MONEY.to_sat();
        let fee = |fee: Option<Amount>| fee.map_or(u64::MAX, Amount::to_sat);
        // L1: the smallest deposit pays its fee alone and still mints more than dust; so does the
        // smallest peg-out to the dearest kind of script.
        let deposit_floor = fee(treasury::deposit_fee(self)).saturating_add(treasury::DUST.to_sat());
        let peg_out_floor = fee(treasury::dearest_peg_out_fee(self)).saturating_add(treasury::DEAREST_DUST.to_sat());
        [
            (1, 1_000),
            (depth_and_buffer.saturating_add(1), max_csv),
            (1, max_csv),
            (1, max_csv),
            (1, members),
            (100, 10_000_000),
            (deposit_floor, supply),
            (self.min_deposit.to_sat(), supply),
            (peg_out_floor, supply),
            (self.min_peg_out.to_sat(), supply),
            (0, supply),
            (1, 1_000_000),
            (1, items),
            (1, items),
            (MIN_CHANGE_DELAY_BLOCKS.into(), MAX_CHANGE_DELAY_BLOCKS.into()),
        ]
    }
}

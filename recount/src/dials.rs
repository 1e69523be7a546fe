//! The dials in force, as proposals in the blocks change them.

use crate::fault::TxFault;
use borsh::{BorshDeserialize, BorshSerialize};
use windlass_ledger::{Params, ParamsChange, Proposal};
use windlass_types::{BtcHeight, SideHeight};

/// By what the deposits of some Bitcoin blocks are judged: what was in force when the block was consumed.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub(crate) struct Bounds {
    pub(crate) from: BtcHeight,
    pub(crate) least: u64,
    pub(crate) most: u64,
    /// The highest rate that they pay.
    pub(crate) rate: u32,
}

/// See the module's head.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub(crate) struct Dials {
    pub(crate) params: Params,
    /// Ascending by the first Bitcoin block.
    bounds: Vec<Bounds>,
    proposals: u64,
    pending: Option<(SideHeight, Params)>,
}

impl Bounds {
    fn of(params: &Params, from: BtcHeight) -> Self {
        let (least, most) = (params.min_deposit.to_sat(), params.max_deposit.to_sat());
        Self { from, least, most, rate: params.fee_rate_sat_per_kvb }
    }
}

impl Dials {
    pub(crate) fn of(params: &Params) -> Self {
        let bounds = vec![Bounds::of(params, BtcHeight::new(0))];
        Self { params: params.clone(), bounds, proposals: 0, pending: None }
    }

    /// Before anything else of the block of this height; `anchor` is the one before it.
    pub(crate) fn begin(&mut self, height: SideHeight, anchor: BtcHeight) {
        if let Some((_, params)) = self.pending.take_if(|(at, _)| *at <= height) {
            let from = anchor.next().unwrap_or(anchor);
            self.bounds.retain(|bounds| bounds.from < from);
            self.bounds.push(Bounds::of(&params, from));
            self.params = params;
        }
    }

    /// What judges a deposit of this Bitcoin block.
    pub(crate) fn bounds(&self, block: BtcHeight) -> Option<&Bounds> {
        self.bounds.iter().rev().find(|bounds| bounds.from <= block)
    }

    /// Takes a proposal of the block of this height. Who signed it is not asked here: no coin leaves by it, and the
    /// scripts' dials can't change.
    pub(crate) fn propose(&mut self, proposal: &Proposal, height: SideHeight) -> Result<(), TxFault> {
        if Some(proposal.number) != self.proposals.checked_add(1) {
            return Err(TxFault::Proposal("is not the next one"));
        }
        self.pending = match &proposal.change {
            ParamsChange::Cancel => None,
            // Who votes moves no coins.
            ParamsChange::Replace { .. } => self.pending.take(),
            ParamsChange::Set { height: at, params } => {
                if at.get() < height.get().saturating_add(self.params.change_delay_blocks.into()) {
                    return Err(TxFault::Proposal("comes sooner than its delay"));
                }
                if !self.keeps_scripts(params) {
                    return Err(TxFault::Proposal("changes what coins were made with"));
                }
                Some((*at, params.clone()))
            }
        };
        self.proposals = proposal.number;
        Ok(())
    }

    fn keeps_scripts(&self, params: &Params) -> bool {
        let of = |params: &Params| {
            let Params { reclaim_blocks, reclaim_buffer, emergency_blocks, emergency_threshold, .. } = *params;
            (reclaim_blocks, reclaim_buffer, emergency_blocks, emergency_threshold)
        };
        of(&self.params) == of(params)
    }
}

//! What Bitcoin's blocks do to the ledger: settle the batch in flight, void it, give deposits
//! back; and fix the next batch.

use crate::apply::ApplyError;
use crate::exec::{InvariantError, Work, minus, plus};
use crate::inputs::{BitcoinBlockFacts, BitcoinInputs, InputsError, Spend, watched};
use crate::record::{BatchRecord, BatchState, Breach, DepositRecord, DepositState, PegOutRecord, PegOutState};
use crate::state::{StateError, StateRead as _, read_required};
use crate::treasury::{Batch, BatchInput, Coin, Parts};
use crate::{Anchor, Receipt, TreasuryCoin, keys, query};
use bitcoin::OutPoint;
use windlass_types::{BlockRef, BtcHeight, Digest};

impl Work<'_> {
    /// L5: consumes the Bitcoin blocks after the parent's anchor.
    pub(crate) fn consume(&mut self, inputs: &BitcoinInputs) -> Result<(), ApplyError> {
        if inputs.is_empty() {
            return Ok(());
        }
        inputs.verify(self.anchor, &watched(self)?)?;
        for facts in &inputs.blocks {
            self.consume_block(facts)?;
        }
        Ok(())
    }

    fn consume_block(&mut self, facts: &BitcoinBlockFacts) -> Result<(), ApplyError> {
        let block = facts.at().ok_or(InputsError::Header(facts.height))?;
        self.put(keys::anchor(block.height), &Anchor { block, transactions: facts.transactions });
        // L6: anchors are kept as long as a deposit in them could be claimed.
        if let Some(old) = block.height.checked_sub(self.genesis.params.reclaim_blocks) {
            let key = keys::anchor(old);
            if self.get(&key)?.is_some() {
                self.delete(key);
            }
        }
        self.anchor = block;
        self.receipts.push(Receipt::Anchored { block });
        let settled = self.consume_batch(facts, block)?;
        for spend in facts.spends.iter().filter(|spend| Some(spend.txid) != settled) {
            self.consume_spend(spend, block)?;
        }
        Ok(())
    }

    /// L36, L37: settles or voids the batch in flight if the block spends any of its inputs.
    /// Returns the transaction of a batch that settled.
    fn consume_batch(
        &mut self,
        facts: &BitcoinBlockFacts,
        block: BlockRef,
    ) -> Result<Option<bitcoin::Txid>, ApplyError> {
        let Some(batch) = query::batch(self)? else { return Ok(None) };
        let spent_by = |input: &BatchInput| {
            let at = facts.spends.binary_search_by_key(&input.outpoint, |spend| spend.outpoint).ok()?;
            facts.spends.get(at).map(|spend| spend.txid)
        };
        let by: Vec<Option<bitcoin::Txid>> = batch.inputs.iter().map(spent_by).collect();
        let own = by.iter().filter(|txid| **txid == Some(batch.txid)).count();
        if own == batch.inputs.len() {
            self.settle(&batch, block)?;
            return Ok(Some(batch.txid));
        }
        if own > 0 {
            return Err(InputsError::Partial { height: block.height, txid: batch.txid }.into());
        }
        let foreign = batch.inputs.iter().zip(by).find_map(|(input, txid)| Some((input.outpoint, txid?)));
        if let Some((outpoint, txid)) = foreign {
            self.void(batch, outpoint, txid, block)?;
        }
        Ok(None)
    }

    /// L36: the batch is on Bitcoin, as deep as anchors are. Its deposits are minted, its peg-outs
    /// are no longer owed, and its change is the treasury.
    fn settle(&mut self, batch: &Batch, block: BlockRef) -> Result<(), ApplyError> {
        let txid = batch.txid;
        self.receipts.push(Receipt::BatchSettled { batch: batch.id, txid, block });
        for input in &batch.inputs {
            if let Coin::Deposit { fee_share, .. } = input.coin {
                let amount = minus(input.amount, fee_share, "a deposit less its fee")?;
                self.mint(batch.id, input.outpoint, amount)?;
            }
        }
        for (index, payout) in batch.payouts.iter().enumerate() {
            self.totals.owed = minus(self.totals.owed, payout.burned, "owed")?;
            let mut record = self.peg_out_record(&payout.id)?;
            let (outpoint, amount, settled) = (batch.payout_outpoint(index), payout.amount, self.height);
            record.state = PegOutState::Paid { batch: batch.id, outpoint, amount, block, settled };
            self.put(keys::peg_out(&payout.id), &record);
            self.receipts.push(Receipt::Paid { id: payout.id, outpoint, amount });
        }
        match batch.change_outpoint() {
            Some(outpoint) => {
                let (amount, epoch, hidden) = (batch.change, batch.epoch, batch.hidden());
                let coin = TreasuryCoin { outpoint, amount, batch: batch.id, epoch, hidden, block };
                self.put(keys::TREASURY.to_vec(), &coin);
            }
            None => self.delete(keys::TREASURY.to_vec()),
        }
        let state = BatchState::Settled { block, settled: self.height };
        self.put(keys::batch(batch.id), &BatchRecord { batch: batch.clone(), state });
        self.delete(keys::IN_FLIGHT.to_vec());
        Ok(())
    }

    /// L40: mints a swept deposit.
    fn mint(&mut self, batch: u64, outpoint: OutPoint, amount: bitcoin::Amount) -> Result<(), ApplyError> {
        let mut record = self.deposit_record(outpoint)?;
        let account = record.terms.account;
        self.credit(&account, amount)?;
        self.totals.supply = plus(self.totals.supply, amount, "the supply")?;
        self.minted = plus(self.minted, amount, "minted")?;
        record.state = DepositState::Minted { batch, amount, minted: self.height };
        self.put(keys::deposit(&outpoint), &record);
        self.receipts.push(Receipt::Minted { outpoint, account, amount });
        Ok(())
    }

    /// L37: another transaction spent an input, so the batch can never confirm. All that it had
    /// waits again, in its old order; what was spent is seen to after.
    fn void(
        &mut self,
        batch: Batch,
        outpoint: OutPoint,
        txid: bitcoin::Txid,
        block: BlockRef,
    ) -> Result<(), ApplyError> {
        self.receipts.push(Receipt::BatchVoided { batch: batch.id, outpoint, txid });
        for input in &batch.inputs {
            if let Coin::Deposit { .. } = input.coin {
                let mut record = self.deposit_record(input.outpoint)?;
                record.state = DepositState::Claimed;
                self.put(keys::deposit(&input.outpoint), &record);
                self.point(keys::queued_deposit(record.sequence), keys::deposit(&input.outpoint));
            }
        }
        for payout in &batch.payouts {
            let mut record = self.peg_out_record(&payout.id)?;
            record.state = PegOutState::Pending;
            self.put(keys::peg_out(&payout.id), &record);
            self.point(keys::queued_peg_out(record.sequence), keys::peg_out(&payout.id));
        }
        let state = BatchState::Voided { outpoint, txid, block };
        self.put(keys::batch(batch.id), &BatchRecord { batch, state });
        self.delete(keys::IN_FLIGHT.to_vec());
        Ok(())
    }

    /// L38, L44: a spend that is no batch's: a waiting deposit went back to its user, or the
    /// treasury was spent.
    fn consume_spend(&mut self, spend: &Spend, block: BlockRef) -> Result<(), ApplyError> {
        let Spend { outpoint, txid } = *spend;
        if let Some(coin) = query::treasury(self)?.filter(|coin| coin.outpoint == outpoint) {
            self.put(keys::BREACH.to_vec(), &Breach { outpoint, amount: coin.amount, txid, block });
            self.delete(keys::TREASURY.to_vec());
            self.receipts.push(Receipt::Breached { outpoint, txid });
            return Ok(());
        }
        let record = query::deposit(self, outpoint)?.filter(|record| record.state == DepositState::Claimed);
        let Some(mut record) = record else {
            return Err(InputsError::Unwatched { height: block.height, outpoint }.into());
        };
        self.delete(keys::queued_deposit(record.sequence));
        record.state = DepositState::Reclaimed { txid, block };
        self.put(keys::deposit(&outpoint), &record);
        self.receipts.push(Receipt::Reclaimed { outpoint, txid });
        Ok(())
    }

    /// L31: fixes the next batch, if none is in flight and something waits.
    pub(crate) fn fix_batch(&mut self) -> Result<(), ApplyError> {
        if query::batch(self)?.is_some() || query::breach(self)?.is_some() {
            return Ok(());
        }
        let deposits = self.due_deposits()?;
        let mut peg_outs = query::pending_peg_outs(self)?;
        peg_outs.truncate(self.in_force.params.max_batch_peg_outs.into());
        if deposits.is_empty() && peg_outs.is_empty() {
            return Ok(());
        }
        let treasury = query::treasury(self)?;
        let parts = Parts {
            fixed: self.height,
            parent: self.parent,
            totals: &self.totals,
            treasury: treasury.as_ref(),
            deposits: &deposits,
            peg_outs: &peg_outs,
            fee_rate_sat_per_kvb: self.in_force.params.fee_rate_sat_per_kvb,
        };
        let batch = parts.batch(self.genesis)?;
        self.check_payouts(&batch, &peg_outs)?;
        for mut record in deposits {
            record.state = DepositState::Batched { batch: batch.id };
            self.put(keys::deposit(&record.outpoint), &record);
            self.delete(keys::queued_deposit(record.sequence));
        }
        for mut record in peg_outs {
            record.state = PegOutState::Batched { batch: batch.id };
            self.put(keys::peg_out(&record.id), &record);
            self.delete(keys::queued_peg_out(record.sequence));
        }
        self.totals.batches = batch.id.checked_add(1).ok_or(InvariantError::Range("the count of batches"))?;
        self.put(keys::IN_FLIGHT.to_vec(), &batch.id);
        self.put(keys::own_script(&batch.change_spend_info(self.genesis)?.script), &());
        self.receipts.push(Receipt::BatchFixed { batch: batch.id, txid: batch.txid });
        self.put(keys::batch(batch.id), &BatchRecord { batch, state: BatchState::InFlight });
        Ok(())
    }

    /// L31, L26: the deposits that the next batch sweeps. Lets go of those that are too late.
    fn due_deposits(&mut self) -> Result<Vec<DepositRecord>, ApplyError> {
        let mut due = query::pending_deposits(self)?;
        let late: Vec<DepositRecord> = due.extract_if(.., |deposit| !self.is_in_time(deposit.height)).collect();
        for mut record in late {
            let outpoint = record.outpoint;
            self.delete(keys::queued_deposit(record.sequence));
            record.state = DepositState::Lapsed { lapsed: self.height };
            self.put(keys::deposit(&outpoint), &record);
            self.receipts.push(Receipt::Lapsed { outpoint });
        }
        due.truncate(self.in_force.params.max_batch_deposits.into());
        Ok(due)
    }

    /// L26: whether a deposit of Bitcoin block `height` is still far enough from its reclaim:
    /// `anchor + buffer < height + reclaim_blocks`.
    pub(crate) fn is_in_time(&self, height: BtcHeight) -> bool {
        let params = &self.genesis.params;
        match (self.anchor.height.checked_add(params.reclaim_buffer), height.checked_add(params.reclaim_blocks)) {
            (Some(now), Some(reclaim)) => now < reclaim,
            _ => false,
        }
    }

    /// L34: admission made sure of it; a batch that breaks a peg-out's terms must never be signed.
    fn check_payouts(&self, batch: &Batch, peg_outs: &[PegOutRecord]) -> Result<(), ApplyError> {
        for (payout, record) in batch.payouts.iter().zip(peg_outs) {
            let fee = minus(payout.burned, payout.amount, "a peg-out's fee")?;
            if fee > record.fee_max || payout.amount < payout.script.minimal_non_dust() {
                return Err(InvariantError::FeeShare(payout.id).into());
            }
        }
        Ok(())
    }

    fn deposit_record(&self, outpoint: OutPoint) -> Result<DepositRecord, StateError> {
        read_required(self, &keys::deposit(&outpoint))
    }

    fn peg_out_record(&self, id: &Digest) -> Result<PegOutRecord, StateError> {
        read_required(self, &keys::peg_out(id))
    }
}

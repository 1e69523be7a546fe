//! What a transaction must satisfy, and what it does. Each function checks everything before it
//! writes anything, so a transaction that is refused has changed nothing.

use crate::checked::{Checked, Facts};
use crate::claim::{ClaimError, DepositClaim};
use crate::exec::{Work, as_tx_error, minus, plus};
use crate::issue::Change;
use crate::nonces::NonceError;
use crate::record::{Account, DepositRecord, DepositState, PegOutRecord, PegOutState, Revealed};
use crate::state::StateRead as _;
use crate::transaction::{MAX_MEMO_BYTES, MAX_TRANSFER_OUTPUTS, Output, Spending, Transaction, TxBody};
use crate::tx_error::TxError;
use crate::{Receipt, keys, query, treasury};
use bitcoin::{Amount, ScriptBuf, XOnlyPublicKey};
use std::collections::BTreeMap;
use windlass_types::{AccountId, AssetId, Digest};

/// An account after it paid.
pub(crate) struct Debited {
    account: Account,
    /// Bitcoin that left it.
    spent: Amount,
    /// Of other assets: how many units leave, and how many remain.
    assets: Vec<(AssetId, u64, u64)>,
}

/// A peg-out request's own part.
struct PegOut {
    script: ScriptBuf,
    amount: Amount,
    fee_max: Amount,
}

impl Work<'_> {
    /// Checks and executes one transaction. `checked` spares the signature if it stands for this one.
    pub(crate) fn transact(&mut self, transaction: &Transaction, checked: Option<&Checked>) -> Result<(), TxError> {
        // L10: for this chain, and signed. The signature comes first: whatever else is said about a
        // transaction, a mempool may keep it only if its account stands behind it.
        if transaction.chain != self.chain {
            return Err(TxError::ForeignChain { expected: self.chain, found: transaction.chain });
        }
        let facts = match checked.and_then(|checked| checked.facts_of(transaction)) {
            Some(facts) => facts,
            None => {
                let facts = Facts::of(transaction);
                transaction.verify_witness_over(&facts.id)?;
                facts
            }
        };
        // L74: on the clock that deposits are judged by. It only goes forward: what is too early may be good later.
        let anchor = self.anchor.height;
        if let Some(after) = facts.after.filter(|after| *after > anchor) {
            return Err(TxError::NotYet { after, anchor });
        }
        self.execute(facts, transaction)?;
        self.reveal(facts.id, transaction)?;
        self.leaves.push(facts.leaf);
        self.ids.push(facts.id);
        Ok(())
    }

    /// L75: keeps the preimages that the witness shows, the first transaction's of each hash.
    fn reveal(&mut self, id: Digest, transaction: &Transaction) -> Result<(), TxError> {
        let Some((witness, from)) = transaction.witness.policy().zip(transaction.from()) else { return Ok(()) };
        for (hash, preimage) in witness.preimages() {
            self.receipts.push(Receipt::Revealed { id, from, hash: Digest(hash), preimage: Digest(preimage) });
            let key = keys::revealed(&hash);
            if self.get(&key)?.is_none() {
                self.put(key, &Revealed { preimage, id, height: self.height });
            }
        }
        Ok(())
    }

    fn execute(&mut self, facts: Facts, transaction: &Transaction) -> Result<(), TxError> {
        let body = &transaction.body;
        match body {
            TxBody::Claim(claim) => return self.claim(claim),
            TxBody::Propose(proposal) => return self.propose(facts.id, proposal),
            _ => {}
        }
        // L42: what leaves the account is a sum that there can be.
        let (Some(spending), Some(outflow)) = (body.spending(), body.outflow()) else { return Err(TxError::Overflow) };
        let id = facts.id;
        match body {
            TxBody::Transfer { outputs, memo, .. } => self.transfer(facts, &spending, &outflow, outputs, memo),
            TxBody::PegOut { script, amount, fee_max, .. } => {
                let script = ScriptBuf::from_bytes(script.clone());
                self.peg_out(id, &spending, &outflow, PegOut { script, amount: *amount, fee_max: *fee_max })
            }
            TxBody::Issue { terms, .. } => self.issue(id, &spending, &outflow, terms),
            TxBody::Reissue { asset, units, .. } => {
                self.reissue(id, &spending, &outflow, Change { asset: *asset, units: *units })
            }
            TxBody::Burn { asset, units, .. } => {
                self.burn(id, &spending, &outflow, Change { asset: *asset, units: *units })
            }
            TxBody::Claim(claim) => self.claim(claim),
            TxBody::Propose(proposal) => self.propose(id, proposal),
        }
    }

    /// L11, L66, L76.
    fn transfer(
        &mut self,
        facts: Facts,
        spending: &Spending,
        outflow: &BTreeMap<AssetId, u64>,
        outputs: &[Output],
        memo: &[u8],
    ) -> Result<(), TxError> {
        if outputs.is_empty() || outputs.len() > MAX_TRANSFER_OUTPUTS {
            return Err(TxError::Outputs(outputs.len()));
        }
        if memo.len() > MAX_MEMO_BYTES {
            return Err(TxError::Memo(memo.len()));
        }
        for (index, output) in outputs.iter().enumerate() {
            if output.units == 0 {
                return Err(TxError::ZeroOutput(index));
            }
            if !facts.recipients && !output.to.is_payable() {
                return Err(TxError::Recipient { index, account: output.to });
            }
        }
        let debited = self.debit(spending, outflow)?;
        self.pay(spending, &debited)?;
        for output in outputs {
            self.credit_units(&output.to, output.asset, output.units)?;
        }
        let (id, from) = (facts.id, spending.from);
        for (&asset, &units) in outflow {
            if !asset.is_btc() {
                self.receipts.push(Receipt::Moved { id, from, asset, units });
                continue;
            }
            let amount = Amount::from_sat(units).checked_sub(spending.fee).unwrap_or_default();
            if amount > Amount::ZERO {
                self.receipts.push(Receipt::Transferred { id, from, amount });
            }
        }
        Ok(())
    }

    /// L12 to L14.
    fn peg_out(
        &mut self,
        id: Digest,
        spending: &Spending,
        outflow: &BTreeMap<AssetId, u64>,
        request: PegOut,
    ) -> Result<(), TxError> {
        self.open()?;
        let PegOut { script, amount, fee_max } = request;
        // L12: to an address that every node relays to, and not the federation's own.
        if !is_standard(&script) {
            return Err(TxError::Script(script));
        }
        if self.get(&keys::own_script(&script))?.is_some() {
            return Err(TxError::OwnScript(script));
        }
        let params = &self.in_force.params;
        let (min, max, fee_rate_sat_per_kvb) = (params.min_peg_out, params.max_peg_out, params.fee_rate_sat_per_kvb);
        if amount < min || amount > max {
            return Err(TxError::PegOutAmount { amount, min, max });
        }
        // L13: the most that the batch can cost it is allowed and leaves more than dust.
        let fee = treasury::peg_out_fee(params, &script).ok_or(TxError::Overflow)?;
        if fee > fee_max {
            return Err(TxError::FeeMax { fee, fee_max });
        }
        let dust = script.minimal_non_dust();
        if amount.checked_sub(fee).is_none_or(|net| net < dust) {
            return Err(TxError::Dust { amount, fee, dust });
        }
        let debited = self.debit(spending, outflow)?;
        // L14: what remains is nothing, or more than dust.
        let range = |error: crate::InvariantError| as_tx_error(error.into());
        let rest = minus(self.totals.supply, amount, "the supply").map_err(range)?;
        if rest > Amount::ZERO && rest < treasury::DUST {
            return Err(TxError::DustLeft { rest, min: treasury::DUST });
        }
        let owed = plus(self.totals.owed, amount, "owed").map_err(range)?;
        let burned = plus(self.burned, amount, "burned").map_err(range)?;
        let sequence = self.totals.peg_outs;
        self.pay(spending, &debited)?;
        self.totals.peg_outs = sequence.checked_add(1).ok_or(TxError::Overflow)?;
        (self.totals.supply, self.totals.owed, self.burned) = (rest, owed, burned);
        let from = spending.from;
        let (requested, state) = (self.height, PegOutState::Pending);
        let record =
            PegOutRecord { id, from, script, amount, fee_max, requested, sequence, fee_rate_sat_per_kvb, state };
        self.put(keys::peg_out(&id), &record);
        self.point(keys::queued_peg_out(sequence), keys::peg_out(&id));
        self.point(keys::peg_out_of(&from, sequence), keys::peg_out(&id));
        self.receipts.push(Receipt::Burned { id, from, amount });
        Ok(())
    }

    /// L21 to L27.
    fn claim(&mut self, claim: &DepositClaim) -> Result<(), TxError> {
        self.open()?;
        let (block, anchor) = (claim.block, self.anchor.height);
        if block > anchor {
            return Err(ClaimError::NotAnchored { block, anchor }.into());
        }
        let anchored = query::anchor(self, block)?.ok_or(ClaimError::TooOld(block))?;
        // L26: the federation lets go of a deposit before the user can take it back.
        if !self.is_in_time(block) {
            let reclaim = block.checked_add(self.genesis.params.reclaim_blocks).unwrap_or(block);
            return Err(ClaimError::TooLate { reclaim, anchor }.into());
        }
        // L86: by what was in force when the ledger consumed the block.
        let bounds = self.in_force.deposit_bounds(block);
        let shown = claim.verify(self.genesis, &bounds, &anchored)?;
        let outpoint = shown.outpoint;
        // L27: once and never again.
        if let Some(first) = query::deposit(self, outpoint)? {
            return Err(ClaimError::Again { outpoint, claimed: first.claimed }.into());
        }
        let sequence = self.totals.deposits;
        self.totals.deposits = sequence.checked_add(1).ok_or(TxError::Overflow)?;
        let record = DepositRecord {
            outpoint,
            amount: shown.amount,
            terms: claim.terms,
            height: block,
            claimed: self.height,
            sequence,
            fee_rate_sat_per_kvb: bounds.fee_rate_sat_per_kvb,
            state: DepositState::Claimed,
        };
        let account = claim.terms.account;
        self.put(keys::deposit(&outpoint), &record);
        self.put(keys::own_script(&shown.script), &());
        self.point(keys::queued_deposit(sequence), keys::deposit(&outpoint));
        self.point(keys::deposit_of(&account, sequence), keys::deposit(&outpoint));
        self.receipts.push(Receipt::Claimed { outpoint, account, amount: shown.amount });
        Ok(())
    }

    /// L44: after a breach the peg is closed.
    fn open(&self) -> Result<(), TxError> {
        match query::breach(self)? {
            Some(breach) => Err(TxError::Breached(breach.txid)),
            None => Ok(()),
        }
    }

    /// L15 to L18: nonce, expiry, fee and balances. What the account has after `outflow`, which includes the fee.
    pub(crate) fn debit(&self, spending: &Spending, outflow: &BTreeMap<AssetId, u64>) -> Result<Debited, TxError> {
        let account = query::account(self, &spending.from)?;
        // L15: one of the open nonces.
        let (next, found) = (account.nonces.next(), spending.nonce);
        let nonces = account.nonces.take(found).map_err(|error| match error {
            NonceError::Used => TxError::NonceUsed { next, found },
            NonceError::Ahead => TxError::NonceAhead { next, found },
        })?;
        // L16: not past its expiry.
        let height = self.height;
        if let Some(expiry) = spending.expiry.filter(|expiry| height > *expiry) {
            return Err(TxError::Expired { expiry, height });
        }
        // L17: the sidechain's fee.
        let (fee, min) = (spending.fee, self.in_force.params.transfer_fee_min);
        if fee < min {
            return Err(TxError::FeeTooLow { fee, min });
        }
        // L18: the account has it, of each asset.
        let (mut balance, mut assets) = (account.balance, Vec::new());
        for (&asset, &units) in outflow {
            if asset.is_btc() {
                let (have, need) = (balance, Amount::from_sat(units));
                balance = have.checked_sub(need).ok_or(TxError::Insufficient { have, need })?;
            } else {
                let have = query::units(self, &spending.from, &asset)?;
                let short = TxError::InsufficientAsset { asset, have, need: units };
                assets.push((asset, units, have.checked_sub(units).ok_or(short)?));
            }
        }
        let spent = account.balance.checked_sub(balance).unwrap_or_default();
        Ok(Debited { account: Account { balance, nonces }, spent, assets })
    }

    /// Writes what [`Self::debit`] found, and the fee into the pot.
    pub(crate) fn pay(&mut self, spending: &Spending, debited: &Debited) -> Result<(), TxError> {
        let range = |error: crate::InvariantError| as_tx_error(error.into());
        self.flow(AssetId::BTC, 0, debited.spent.to_sat()).map_err(range)?;
        self.put(keys::account(&spending.from), &debited.account);
        for &(asset, units, rest) in &debited.assets {
            self.flow(asset, 0, units).map_err(range)?;
            self.set_units(&spending.from, asset, rest);
        }
        if spending.fee > Amount::ZERO {
            self.credit(&AccountId::FEES, spending.fee).map_err(as_tx_error)?;
        }
        Ok(())
    }
}

/// L12: P2PKH, P2SH, P2WPKH, P2WSH, and P2TR to a point of the curve.
fn is_standard(script: &ScriptBuf) -> bool {
    let taproot =
        || script.is_p2tr() && script.as_bytes().get(2..).is_some_and(|key| XOnlyPublicKey::from_slice(key).is_ok());
    script.is_p2pkh() || script.is_p2sh() || script.is_p2wpkh() || script.is_p2wsh() || taproot()
}

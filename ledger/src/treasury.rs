//! The federation's Bitcoin transactions: one coin, spent by one batch at a time, each an exact
//! transaction that follows from the ledger alone.
//!
//! A batch spends the treasury coin and sweeps deposits; it pays peg-outs; what remains is the next
//! treasury coin. Its fee is shared equally. See rules L30 to L38.

use crate::record::{DepositRecord, PegOutRecord, Totals, TreasuryCoin};
use crate::script::{self, DepositTerms, ScriptError, SpendInfo};
use crate::{Genesis, Params, wire};
use bitcoin::hashes::Hash as _;
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::taproot::TapNodeHash;
use bitcoin::{
    Amount, OutPoint, Script, ScriptBuf, Sequence, TapSighashType, Transaction, TxIn, TxOut, Txid, Witness, absolute,
    transaction,
};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;
use windlass_types::{Digest, Epoch, SideHeight};

/// The least that a Taproot output may carry to be relayed by Bitcoin Core's default policy.
pub const DUST: Amount = Amount::from_sat(330);
/// The same of the dearest kind of address, P2PKH.
pub const DEAREST_DUST: Amount = Amount::from_sat(546);

/// Weight of what a batch has besides inputs and outputs: version, two counts of one byte,
/// locktime, and the two bytes of SegWit.
const WEIGHT_BASE: u64 = 42;
/// Weight of an input with a key-path signature: 41 bytes, and a witness of 66.
const WEIGHT_INPUT: u64 = 230;
/// Bytes of an output besides its script.
const OUTPUT_BYTES: u64 = 9;
/// Length of a Taproot output's script.
const TAPROOT_SCRIPT_BYTES: u64 = 34;

/// One exact Bitcoin transaction of the federation.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Batch {
    /// Counts from 0.
    pub id: u64,
    /// The epoch of the key that the change goes to.
    pub epoch: Epoch,
    /// The sidechain block that fixed it.
    pub fixed: SideHeight,
    /// The header before that block: what the change's hidden node commits to.
    pub parent: Digest,
    /// The supply after that block: what the change's hidden node commits to.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub supply: Amount,
    /// What is spent: the treasury's coin first, if there is one, then deposits.
    pub inputs: Vec<BatchInput>,
    /// The next treasury coin, output 0. Zero: there is none, nothing is left.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub change: Amount,
    /// The peg-outs, one output each, after the change.
    pub payouts: Vec<Payout>,
    /// Bitcoin's fee.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub fee: Amount,
    /// The transaction's id.
    #[borsh(serialize_with = "wire::txid::write", deserialize_with = "wire::txid::read")]
    pub txid: Txid,
}

/// A coin that a batch spends.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct BatchInput {
    /// Where it is.
    #[borsh(serialize_with = "wire::outpoint::write", deserialize_with = "wire::outpoint::read")]
    pub outpoint: OutPoint,
    /// Its value.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub amount: Amount,
    /// What it is.
    pub coin: Coin,
}

/// What a coin of a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "coin")]
pub enum Coin {
    /// The treasury's.
    Treasury {
        /// The epoch of its key.
        epoch: Epoch,
        /// Its hidden node.
        #[serde(with = "hex::serde")]
        hidden: [u8; 32],
    },
    /// A deposit.
    Deposit {
        /// What its address says.
        terms: DepositTerms,
        /// Its share of the fee: so much less is minted.
        #[serde(with = "bitcoin::amount::serde::as_sat")]
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        fee_share: Amount,
    },
}

/// A peg-out that a batch pays.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Payout {
    /// The request.
    pub id: Digest,
    /// Where to.
    #[borsh(serialize_with = "wire::script::write", deserialize_with = "wire::script::read")]
    pub script: ScriptBuf,
    /// What was burned.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub burned: Amount,
    /// What the output carries: the burned less its share of the fee.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub amount: Amount,
}

impl Batch {
    /// The transaction, without signatures (L32).
    ///
    /// # Errors
    /// A key of the genesis is no key.
    pub fn transaction(&self, genesis: &Genesis) -> Result<Transaction, ScriptError> {
        let input = self.inputs.iter().map(|input| TxIn {
            previous_output: input.outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        });
        let mut output = Vec::new();
        if self.change > Amount::ZERO {
            output.push(TxOut { value: self.change, script_pubkey: self.change_spend_info(genesis)?.script });
        }
        output.extend(
            self.payouts.iter().map(|payout| TxOut { value: payout.amount, script_pubkey: payout.script.clone() }),
        );
        Ok(Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: input.collect(),
            output,
        })
    }

    /// The coins that it spends, as outputs of the transactions that made them, in order.
    ///
    /// # Errors
    /// A key is no key.
    pub fn prevouts(&self, genesis: &Genesis) -> Result<Vec<TxOut>, ScriptError> {
        let outputs = self
            .inputs
            .iter()
            .map(|input| Ok(TxOut { value: input.amount, script_pubkey: input.spend_info(genesis)?.script }));
        outputs.collect()
    }

    /// What is signed for each input: BIP341, key path, SIGHASH_DEFAULT.
    ///
    /// # Errors
    /// A key is no key.
    pub fn sighashes(&self, genesis: &Genesis) -> Result<Vec<[u8; 32]>, ScriptError> {
        let transaction = self.transaction(genesis)?;
        let prevouts = self.prevouts(genesis)?;
        let mut cache = SighashCache::new(&transaction);
        let hashes = (0..self.inputs.len()).map(|index| {
            cache
                .taproot_key_spend_signature_hash(index, &Prevouts::All(&prevouts), TapSighashType::Default)
                .map(|hash| hash.to_byte_array())
                .map_err(|_| ScriptError::NoInput(index))
        });
        hashes.collect()
    }

    /// The Merkle root that tweaks the federation's key for input `index`.
    ///
    /// # Errors
    /// There is no such input, or a key is no key.
    pub fn merkle_root(&self, genesis: &Genesis, index: usize) -> Result<TapNodeHash, ScriptError> {
        let input = self.inputs.get(index).ok_or(ScriptError::NoInput(index))?;
        Ok(input.spend_info(genesis)?.merkle_root)
    }

    /// The script of the next treasury coin and what spends it.
    ///
    /// # Errors
    /// A key of the genesis is no key.
    pub fn change_spend_info(&self, genesis: &Genesis) -> Result<SpendInfo, ScriptError> {
        script::treasury_spend_info(genesis, self.epoch, self.hidden())
    }

    /// The hidden node of the next treasury coin.
    pub fn hidden(&self) -> [u8; 32] {
        script::treasury_hidden(&self.parent, self.supply)
    }

    /// Where the next treasury coin will be, if there is one.
    pub fn change_outpoint(&self) -> Option<OutPoint> {
        (self.change > Amount::ZERO).then_some(OutPoint { txid: self.txid, vout: 0 })
    }

    /// Where a payout will be.
    pub fn payout_outpoint(&self, index: usize) -> OutPoint {
        let first = u32::from(self.change > Amount::ZERO);
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        OutPoint { txid: self.txid, vout: first.saturating_add(index) }
    }
}

impl BatchInput {
    /// The script of the coin and what spends it.
    ///
    /// # Errors
    /// A key is no key.
    pub fn spend_info(&self, genesis: &Genesis) -> Result<SpendInfo, ScriptError> {
        match &self.coin {
            Coin::Treasury { epoch, hidden } => script::treasury_spend_info(genesis, *epoch, *hidden),
            Coin::Deposit { terms, .. } => terms.spend_info(genesis),
        }
    }
}

impl TreasuryCoin {
    /// The script of the coin and what spends it.
    ///
    /// # Errors
    /// A key of the genesis is no key.
    pub fn spend_info(&self, genesis: &Genesis) -> Result<SpendInfo, ScriptError> {
        script::treasury_spend_info(genesis, self.epoch, self.hidden)
    }
}

/// The most that a peg-out to `script` can be charged: the fee of a batch that has it alone.
/// Sharing only makes it cheaper (L34). `None` if the script is absurdly long.
pub fn peg_out_fee(params: &Params, script: &Script) -> Option<Amount> {
    batch_fee(params.fee_rate_sat_per_kvb, 1, &[TAPROOT_SCRIPT_BYTES, u64::try_from(script.len()).ok()?])
}

/// The most that a deposit can be charged: the fee of a batch that sweeps it alone.
pub fn deposit_fee(params: &Params) -> Option<Amount> {
    batch_fee(params.fee_rate_sat_per_kvb, 2, &[TAPROOT_SCRIPT_BYTES])
}

/// [`peg_out_fee`] of the longest script that is paid.
pub(crate) fn dearest_peg_out_fee(params: &Params) -> Option<Amount> {
    batch_fee(params.fee_rate_sat_per_kvb, 1, &[TAPROOT_SCRIPT_BYTES, TAPROOT_SCRIPT_BYTES])
}

/// The fee of a transaction with so many key-path inputs and outputs of such scripts, rounded up
/// to whole vbytes and satoshis (L33). `None` on overflow.
fn batch_fee(fee_rate_sat_per_kvb: u32, inputs: u64, scripts: &[u64]) -> Option<Amount> {
    let mut weight = WEIGHT_BASE.checked_add(WEIGHT_INPUT.checked_mul(inputs)?)?;
    for bytes in scripts {
        weight = weight.checked_add(bytes.checked_add(OUTPUT_BYTES)?.checked_mul(4)?)?;
    }
    let vsize = weight.div_ceil(4);
    Some(Amount::from_sat(vsize.checked_mul(fee_rate_sat_per_kvb.into())?.div_ceil(1000)))
}

/// Splits a fee into equal shares; the first ones pay the satoshis that don't divide (L34).
fn shares(fee: Amount, participants: u64) -> Option<impl Iterator<Item = Amount>> {
    let share = fee.to_sat().checked_div(participants)?;
    let rest = fee.to_sat().checked_rem(participants)?;
    let shares = (0..participants).map(move |index| Amount::from_sat(share.saturating_add(u64::from(index < rest))));
    Some(shares)
}

/// What a batch is made of.
pub(crate) struct Parts<'a> {
    pub(crate) fixed: SideHeight,
    pub(crate) parent: Digest,
    pub(crate) totals: &'a Totals,
    pub(crate) treasury: Option<&'a TreasuryCoin>,
    pub(crate) deposits: &'a [DepositRecord],
    pub(crate) peg_outs: &'a [PegOutRecord],
    /// The rate of Bitcoin's fee that is in force.
    pub(crate) fee_rate_sat_per_kvb: u32,
}

impl Parts<'_> {
    /// Fixes the batch (L31 to L35).
    pub(crate) fn batch(&self, genesis: &Genesis) -> Result<Batch, ScriptError> {
        let overflow = ScriptError::Overflow;
        let burned = sum(self.peg_outs.iter().map(|p| p.amount)).ok_or(overflow.clone())?;
        let treasury = self.treasury.map_or(Amount::ZERO, |coin| coin.amount);
        // L35: nothing is left only if everything was burned and nothing comes in.
        let has_change = !self.deposits.is_empty() || treasury != burned;
        let fee = self.fee(has_change).ok_or(overflow.clone())?;
        let participants = self.deposits.len().checked_add(self.peg_outs.len()).ok_or(overflow.clone())?;
        let participants = u64::try_from(participants).map_err(|_| overflow.clone())?;
        let mut shares = shares(fee, participants).ok_or(overflow.clone())?;
        let mut share = || shares.next().unwrap_or_default();

        let mut inputs: Vec<BatchInput> = Vec::new();
        inputs.extend(self.treasury.map(|coin| BatchInput {
            outpoint: coin.outpoint,
            amount: coin.amount,
            coin: Coin::Treasury { epoch: coin.epoch, hidden: coin.hidden },
        }));
        inputs.extend(self.deposits.iter().map(|deposit| BatchInput {
            outpoint: deposit.outpoint,
            amount: deposit.amount,
            coin: Coin::Deposit { terms: deposit.terms, fee_share: share() },
        }));
        let payouts = self.peg_outs.iter().map(|peg_out| {
            let amount = peg_out.amount.checked_sub(share())?;
            Some(Payout { id: peg_out.id, script: peg_out.script.clone(), burned: peg_out.amount, amount })
        });
        let payouts: Vec<Payout> = payouts.collect::<Option<_>>().ok_or(overflow.clone())?;
        let spent = sum(inputs.iter().map(|input| input.amount)).ok_or(overflow.clone())?;
        let paid = sum(payouts.iter().map(|payout| payout.amount)).ok_or(overflow.clone())?;
        let change = spent.checked_sub(paid).and_then(|rest| rest.checked_sub(fee)).ok_or(overflow.clone())?;
        if has_change != (change > Amount::ZERO) {
            return Err(overflow);
        }
        let mut batch = Batch {
            id: self.totals.batches,
            epoch: Epoch::new(0),
            fixed: self.fixed,
            parent: self.parent,
            supply: self.totals.supply,
            inputs,
            change,
            payouts,
            fee,
            txid: Txid::all_zeros(),
        };
        batch.txid = batch.transaction(genesis)?.compute_txid();
        Ok(batch)
    }

    /// L86: the rate in force, unless something in the batch was taken under a lower one. (L34: so nobody pays more
    /// than a batch of its own would have cost under the rate that it was taken under.)
    fn fee_rate(&self) -> u32 {
        let deposits = self.deposits.iter().map(|deposit| deposit.fee_rate_sat_per_kvb);
        let peg_outs = self.peg_outs.iter().map(|peg_out| peg_out.fee_rate_sat_per_kvb);
        deposits.chain(peg_outs).fold(self.fee_rate_sat_per_kvb, u32::min)
    }

    fn fee(&self, has_change: bool) -> Option<Amount> {
        let inputs = self.deposits.len().checked_add(usize::from(self.treasury.is_some()))?;
        let mut scripts: Vec<u64> = Vec::new();
        scripts.extend(has_change.then_some(TAPROOT_SCRIPT_BYTES));
        for peg_out in self.peg_outs {
            scripts.push(u64::try_from(peg_out.script.len()).ok()?);
        }
        batch_fee(self.fee_rate(), u64::try_from(inputs).ok()?, &scripts)
    }
}

/// L42: a sum that doesn't wrap and is at most all bitcoin.
pub(crate) fn sum(amounts: impl Iterator<Item = Amount>) -> Option<Amount> {
    let mut total = Amount::ZERO;
    for amount in amounts {
        total = total.checked_add(amount).filter(|total| *total <= Amount::MAX_MONEY)?;
    }
    Some(total)
}

#[cfg(test)]
#[path = "treasury_tests.rs"]
mod tests;

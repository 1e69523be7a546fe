//! The federation's coin, what waits to go in and out, and the one Bitcoin transaction that is due.

use crate::deposits::Deposit;
use crate::fault::TxFault;
use crate::saved::{consensus, inside};
use crate::script;
use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute::LockTime, transaction::Version,
};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, BTreeSet};
use windlass_ledger::{Genesis, Header, Params, Spend};
use windlass_types::{AccountId, BlockRef, BtcHeight};

/// A coin of the federation.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Coin {
    /// Where it is.
    #[borsh(serialize_with = "consensus::write", deserialize_with = "consensus::read")]
    pub outpoint: OutPoint,
    /// Value and script.
    #[borsh(serialize_with = "consensus::write", deserialize_with = "consensus::read")]
    pub output: TxOut,
}

/// What was burned to be paid on Bitcoin.
#[derive(Debug, Clone, BorshSerialize, BorshDeserialize)]
pub(crate) struct PegOut {
    #[borsh(serialize_with = "consensus::write", deserialize_with = "consensus::read")]
    pub(crate) script: ScriptBuf,
    pub(crate) amount: u64,
    pub(crate) fee_max: u64,
    /// The highest rate of Bitcoin's fee that it pays.
    pub(crate) rate: u32,
}

/// The transaction that is due.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub(crate) struct Due {
    pub(crate) id: u64,
    #[borsh(serialize_with = "consensus::write", deserialize_with = "consensus::read")]
    pub(crate) transaction: Transaction,
    pub(crate) coins: Vec<Coin>,
    deposits: BTreeMap<u64, (Deposit, u64)>,
    peg_outs: BTreeMap<u64, PegOut>,
}

/// See the module's head. What waits stands under the number that it came with.
#[derive(Clone, Default, BorshSerialize, BorshDeserialize)]
pub(crate) struct Treasury {
    coin: Option<Coin>,
    robbed: bool,
    deposits: BTreeMap<u64, Deposit>,
    peg_outs: BTreeMap<u64, PegOut>,
    /// Deposits that were claimed, as long as a claim could come again.
    #[borsh(serialize_with = "inside::write_claims", deserialize_with = "inside::read_claims")]
    claimed: BTreeSet<(BtcHeight, OutPoint)>,
    claims: u64,
    burns: u64,
    batches: u64,
    owed: u64,
    due: Option<Due>,
}

impl Due {
    /// What is signed for each input: BIP341, key path, the default sighash.
    pub(crate) fn messages(&self) -> Option<Vec<[u8; 32]>> {
        let outputs: Vec<TxOut> = self.coins.iter().map(|coin| coin.output.clone()).collect();
        let mut cache = SighashCache::new(&self.transaction);
        let message = |index| {
            let hash = cache.taproot_key_spend_signature_hash(index, &Prevouts::All(&outputs), TapSighashType::Default);
            hash.ok().map(|hash| hash.to_byte_array())
        };
        (0..self.coins.len()).map(message).collect()
    }
}

impl Treasury {
    pub(crate) const fn owed(&self) -> u64 {
        self.owed
    }

    /// What was burned and is not settled, counted peg-out by peg-out; none if that overflows.
    pub(crate) fn burned_unpaid(&self) -> Option<u64> {
        let due = self.due.iter().flat_map(|due| due.peg_outs.values());
        total(self.peg_outs.values().chain(due).map(|peg_out| peg_out.amount))
    }

    pub(crate) const fn due(&self) -> Option<&Due> {
        self.due.as_ref()
    }

    /// The coin's satoshis; none once it was robbed.
    pub(crate) fn backing(&self) -> Option<u64> {
        (!self.robbed).then(|| self.coin.as_ref().map_or(0, |coin| coin.output.value.to_sat()))
    }

    pub(crate) fn claimed(&mut self, deposit: Deposit) -> Result<(), TxFault> {
        if self.robbed {
            return Err(TxFault::Closed);
        }
        if !self.claimed.insert((deposit.block, deposit.outpoint)) {
            return Err(TxFault::Claim("is of a deposit that was claimed before"));
        }
        self.deposits.insert(self.claims, deposit);
        self.claims = self.claims.saturating_add(1);
        Ok(())
    }

    pub(crate) fn burned(&mut self, peg_out: PegOut) -> Result<(), TxFault> {
        if self.robbed {
            return Err(TxFault::Closed);
        }
        let overflow = TxFault::Overflow(windlass_types::AssetId::BTC);
        self.owed = self.owed.checked_add(peg_out.amount).ok_or(overflow)?;
        self.peg_outs.insert(self.burns, peg_out);
        self.burns = self.burns.saturating_add(1);
        Ok(())
    }

    /// What a Bitcoin block's spends do; returns what is minted.
    pub(crate) fn spent(&mut self, spends: &[Spend]) -> Result<Vec<(AccountId, u64)>, &'static str> {
        let mut spends: BTreeMap<OutPoint, bitcoin::Txid> = spends.iter().map(|s| (s.outpoint, s.txid)).collect();
        let mut minted = Vec::new();
        if let Some(due) = self.due.take() {
            let own = due.transaction.compute_txid();
            let by_own = due.coins.iter().filter(|coin| spends.get(&coin.outpoint) == Some(&own)).count();
            let touched = due.coins.iter().any(|coin| spends.contains_key(&coin.outpoint));
            if by_own == due.coins.len() {
                spends.retain(|outpoint, _| due.coins.iter().all(|coin| coin.outpoint != *outpoint));
                if spends.values().any(|txid| *txid == own) {
                    return Err("Bitcoin would have spent a coin by a transaction that does not have it");
                }
                minted = self.settle(due)?;
            } else if by_own > 0 {
                return Err("Bitcoin would have spent a part of a transaction's inputs by that transaction");
            } else if touched {
                // It can never confirm: all that it had waits again.
                self.deposits.extend(due.deposits.into_iter().map(|(number, (deposit, _))| (number, deposit)));
                self.peg_outs.extend(due.peg_outs);
            } else {
                self.due = Some(due);
            }
        }
        for outpoint in spends.into_keys() {
            if self.coin.as_ref().is_some_and(|coin| coin.outpoint == outpoint) {
                self.coin = None;
                self.robbed = true;
            } else {
                let number = self.deposits.iter().find(|(_, d)| d.outpoint == outpoint).map(|(number, _)| *number);
                let number = number.ok_or("a coin is spent that is not the federation's")?;
                self.deposits.remove(&number);
            }
        }
        Ok(minted)
    }

    fn settle(&mut self, due: Due) -> Result<Vec<(AccountId, u64)>, &'static str> {
        let minted: Vec<(AccountId, u64)> = due
            .deposits
            .into_values()
            .map(|(deposit, share)| Some((deposit.account, deposit.amount.checked_sub(share)?)))
            .collect::<Option<_>>()
            .ok_or("a deposit is less than its share of the fee")?;
        for peg_out in due.peg_outs.values() {
            self.owed = self.owed.checked_sub(peg_out.amount).ok_or("more is paid than is owed")?;
        }
        // The change is the first output; without change there are as many outputs as there are peg-outs.
        let has_change = due.transaction.output.len() > due.peg_outs.len();
        let change = due.transaction.output.first().filter(|_| has_change);
        let outpoint = OutPoint { txid: due.transaction.compute_txid(), vout: 0 };
        self.coin = change.map(|output| Coin { outpoint, output: output.clone() });
        Ok(minted)
    }

    /// Forgets deposits that can't be claimed again, for their block is too old.
    pub(crate) fn forget(&mut self, oldest: BtcHeight) {
        let first = OutPoint { txid: bitcoin::Txid::all_zeros(), vout: 0 };
        self.claimed = self.claimed.split_off(&(oldest, first));
    }

    /// At the end of a block: if nothing is due and something waits, the next transaction is.
    pub(crate) fn decide(
        &mut self,
        genesis: &Genesis,
        params: &Params,
        secp: &Secp256k1<VerifyOnly>,
        header: &Header,
        anchor: BlockRef,
        supply: u64,
    ) -> Result<(), &'static str> {
        if self.due.is_some() || self.robbed {
            return Ok(());
        }
        let now = u64::from(anchor.height.get());
        self.deposits.retain(|_, deposit| now < deposit.lapses);
        let deposits = first(&self.deposits, params.max_batch_deposits);
        let peg_outs = first(&self.peg_outs, params.max_batch_peg_outs);
        if deposits.is_empty() && peg_outs.is_empty() {
            return Ok(());
        }
        let hidden = script::commitment(&header.parent, supply);
        let change = script::treasury(hidden, genesis, secp).ok_or("the treasury has no script")?;
        let due = self.make(params, change, deposits, peg_outs).ok_or("the next batch does not add up")?;
        due.deposits.keys().for_each(|number| drop(self.deposits.remove(number)));
        due.peg_outs.keys().for_each(|number| drop(self.peg_outs.remove(number)));
        self.batches = self.batches.saturating_add(1);
        self.due = Some(due);
        Ok(())
    }

    fn make(
        &self,
        params: &Params,
        change_script: ScriptBuf,
        deposits: BTreeMap<u64, Deposit>,
        peg_outs: BTreeMap<u64, PegOut>,
    ) -> Option<Due> {
        let coin = |deposit: &Deposit| Coin {
            outpoint: deposit.outpoint,
            output: TxOut { value: Amount::from_sat(deposit.amount), script_pubkey: deposit.script.clone() },
        };
        let coins: Vec<Coin> = self.coin.iter().cloned().chain(deposits.values().map(coin)).collect();
        let has: u64 = total(coins.iter().map(|coin| coin.output.value.to_sat()))?;
        let burned: u64 = total(peg_outs.values().map(|peg_out| peg_out.amount))?;
        let has_change = !deposits.is_empty() || has != burned;
        let scripts = has_change.then_some(&change_script).into_iter();
        let scripts: Vec<&ScriptBuf> = scripts.chain(peg_outs.values().map(|peg_out| &peg_out.script)).collect();
        // Nothing pays a higher rate than that which it came under.
        let rates = deposits.values().map(|deposit| deposit.rate).chain(peg_outs.values().map(|peg_out| peg_out.rate));
        let rate = rates.fold(params.fee_rate_sat_per_kvb, u32::min);
        let fee = fee(rate, coins.len(), &scripts)?;
        // Equal shares; the first ones pay the satoshis that don't divide.
        let count = u64::try_from(deposits.len().checked_add(peg_outs.len())?).ok()?;
        let (each, rest) = (fee.checked_div(count)?, fee.checked_rem(count)?);
        let mut shares = (0..count).map(|place| if place < rest { each.saturating_add(1) } else { each });
        let deposits: Option<BTreeMap<u64, (Deposit, u64)>> =
            deposits.into_iter().map(|(number, deposit)| Some((number, (deposit, shares.next()?)))).collect();
        let mut paid = Vec::new();
        for peg_out in peg_outs.values() {
            let share = shares.next().filter(|share| *share <= peg_out.fee_max)?;
            let value = Amount::from_sat(peg_out.amount.checked_sub(share)?);
            paid.push(TxOut { value, script_pubkey: peg_out.script.clone() });
        }
        let change = has.checked_sub(total(paid.iter().map(|output| output.value.to_sat()))?)?.checked_sub(fee)?;
        if has_change != (change > 0) {
            return None;
        }
        let change = TxOut { value: Amount::from_sat(change), script_pubkey: change_script };
        let output = has_change.then_some(change).into_iter().chain(paid).collect();
        let input = coins.iter().map(|coin| TxIn {
            previous_output: coin.outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence(0xffff_fffd),
            witness: Witness::new(),
        });
        let transaction =
            Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: input.collect(), output };
        Some(Due { id: self.batches, transaction, coins, deposits: deposits?, peg_outs })
    }
}

/// The first `most` that wait.
fn first<T: Clone>(waiting: &BTreeMap<u64, T>, most: u16) -> BTreeMap<u64, T> {
    waiting.iter().take(most.into()).map(|(number, one)| (*number, one.clone())).collect()
}

fn total(mut amounts: impl Iterator<Item = u64>) -> Option<u64> {
    amounts.try_fold(0_u64, u64::checked_add)
}

/// Bitcoin's fee for so many inputs by key path and these outputs: whole virtual bytes, rounded up to a satoshi.
fn fee(rate_sat_per_kvb: u32, inputs: usize, scripts: &[&ScriptBuf]) -> Option<u64> {
    let mut weight = u64::try_from(inputs).ok()?.checked_mul(230)?.checked_add(42)?;
    for script in scripts {
        let bytes = u64::try_from(script.len()).ok()?.checked_add(9)?;
        weight = weight.checked_add(bytes.checked_mul(4)?)?;
    }
    Some(weight.div_ceil(4).checked_mul(rate_sat_per_kvb.into())?.div_ceil(1000))
}

//! What a member promises, and whether Bitcoin shows that it was kept.

use crate::api::ApiError;
use crate::api::member::PromiseAnswer;
use bitcoin::{Amount, Txid};
use serde::Serialize;
use windlass_chain::{Bitcoind, RpcError};
use windlass_ledger::{
    self as ledger, BatchState, DepositTerms, Genesis, Params, StateError, StateRead, query, treasury,
};
use windlass_light::{
    AddressPromise, MintPromise, PEG_OUT_BLOCKS, PegOutPromise, Promise, ReceiptFile, ReceiptSignature,
};
use windlass_sidechain::{IdentitySeed, endorse};
use windlass_types::{BlockRef, BtcHeight, Digest};

/// After the deadline a payment is looked for in so many more blocks: a late one is worth knowing of.
const LATE_BLOCKS: u32 = 1_008;

/// A member's pen.
pub(crate) struct Pen {
    seed: IdentitySeed,
    name: String,
}

impl Pen {
    pub(crate) const fn new(seed: IdentitySeed, name: String) -> Self {
        Self { seed, name }
    }

    /// Signs.
    pub(crate) fn sign(&self, genesis: &Genesis, promise: &Promise) -> PromiseAnswer {
        let signature = hex::encode(endorse(&self.seed, &promise.digest(genesis.chain_id())));
        PromiseAnswer { member: self.name.clone(), promise: hex::encode(promise.encode()), signature }
    }
}

impl PromiseAnswer {
    /// The promise and the signature, if they are such.
    pub(crate) fn read(&self) -> Option<(Promise, ReceiptSignature)> {
        let promise = Promise::decode(&hex::decode(&self.promise).ok()?).ok()?;
        let signature = hex::decode(&self.signature).ok()?.try_into().ok()?;
        Some((promise, ReceiptSignature { member: self.member.clone(), signature }))
    }
}

fn unreadable(error: StateError) -> ApiError {
    ApiError::failed(error)
}

/// That deposits to the address of `terms` are credited.
pub(crate) fn address(genesis: &Genesis, view: &dyn StateRead, terms: DepositTerms) -> Result<Promise, ApiError> {
    if !terms.account.is_payable() {
        return Err(ApiError::usage("the account of these terms can't be paid"));
    }
    let script = terms.spend_info(genesis).map_err(ApiError::usage)?.script;
    let record = query::params(view).map_err(unreadable)?;
    let fee_max = treasury::deposit_fee(&record.params).ok_or_else(|| ApiError::failed("the fee is out of range"))?;
    Ok(Promise::Address(AddressPromise {
        terms,
        script,
        min: record.params.min_deposit,
        max: record.params.max_deposit,
        fee_max,
        reclaim_blocks: record.params.reclaim_blocks,
        since: record.since,
    }))
}

/// That a deposit was minted.
pub(crate) fn mint(view: &dyn StateRead, outpoint: bitcoin::OutPoint) -> Result<Promise, ApiError> {
    let record = query::deposit(view, outpoint).map_err(unreadable)?;
    let record = record.ok_or_else(|| ApiError::not_found(format!("no deposit {outpoint} was claimed")))?;
    let ledger::DepositState::Minted { batch, amount, minted } = record.state else {
        return Err(ApiError::conflict(format!("the deposit {outpoint} is not minted")));
    };
    let batch = query::batch_by_id(view, batch).map_err(unreadable)?;
    let settled = batch.and_then(|batch| match batch.state {
        BatchState::Settled { block, .. } => Some((batch.batch.txid, block)),
        _ => None,
    });
    let (sweep, block) = settled.ok_or_else(|| ApiError::failed(format!("the sweep of {outpoint} is not settled")))?;
    Ok(Promise::Mint(MintPromise {
        outpoint,
        account: record.terms.account,
        deposited: record.amount,
        minted: amount,
        sweep,
        block,
        height: minted,
    }))
}

/// That a peg-out is paid in time. `anchor` is that of the block that took it.
pub(crate) fn peg_out(
    genesis: &Genesis,
    record: &ledger::PegOutRecord,
    anchor: BtcHeight,
) -> Result<Promise, ApiError> {
    let range = || ApiError::failed("the promise is out of range");
    let params = Params { fee_rate_sat_per_kvb: record.fee_rate_sat_per_kvb, ..genesis.params.clone() };
    let fee = treasury::peg_out_fee(&params, &record.script).ok_or_else(range)?;
    Ok(Promise::PegOut(PegOutPromise {
        id: record.id,
        account: record.from,
        script: record.script.clone(),
        amount: record.amount,
        fee_max: fee.min(record.fee_max),
        height: record.requested,
        anchor,
        deadline: anchor.checked_add(PEG_OUT_BLOCKS).ok_or_else(range)?,
    }))
}

/// What Bitcoin shows of a promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Bitcoin shows that it was kept.
    Kept {
        /// The transaction that does.
        txid: Txid,
        /// Its block.
        block: BlockRef,
        /// Its confirmations.
        confirmations: u32,
    },
    /// Bitcoin shows that it was not.
    Broken {
        /// How.
        reason: String,
    },
    /// Bitcoin does not show it yet, or never does.
    Open {
        /// Why.
        reason: String,
    },
}

/// Asks a bitcoind whether the promise was kept.
///
/// # Errors
/// It does not answer.
pub async fn outcome(promise: &Promise, bitcoind: &Bitcoind) -> Result<Outcome, RpcError> {
    match promise {
        Promise::Address(promise) => waiting(promise, bitcoind).await,
        Promise::Mint(promise) => swept(promise, bitcoind).await,
        Promise::PegOut(promise) => paid(promise, bitcoind).await,
    }
}

/// What was paid to the address and not moved since. What became of the rest only the mint's own receipt shows.
async fn waiting(promise: &AddressPromise, bitcoind: &Bitcoind) -> Result<Outcome, RpcError> {
    let tip = bitcoind.tip().await?.height;
    let coins = bitcoind.scan(std::slice::from_ref(&promise.script)).await?;
    let reason = match coins.iter().min_by_key(|coin| coin.height) {
        None => "no coin lies at the address now; of one that was swept, the mint's receipt tells".to_owned(),
        Some(coin) => {
            let sum: Amount = coins.iter().map(|coin| coin.value).sum();
            let reclaim = coin.height.checked_add(promise.reclaim_blocks);
            let when = match reclaim {
                Some(height) if height <= tip => format!("the user can take the oldest back since block {height}"),
                Some(height) => format!("the oldest is the user's alone from block {height} on"),
                None => "it can't be reclaimed".to_owned(),
            };
            format!("{} in {} coins lie at the address, not swept: {when}", crate::api::btc(sum), coins.len())
        }
    };
    Ok(Outcome::Open { reason })
}

async fn swept(promise: &MintPromise, bitcoind: &Bitcoind) -> Result<Outcome, RpcError> {
    let (txid, block) = (promise.sweep, promise.block);
    let tip = bitcoind.tip().await?.height;
    let broken = |reason: String| Ok(Outcome::Broken { reason });
    match bitcoind.block_hash(block.height).await? {
        None => {
            return Ok(Outcome::Open { reason: format!("bitcoind is at block {tip}, the sweep in {}", block.height) });
        }
        Some(hash) if hash != block.hash() => {
            return broken(format!("Bitcoin's block {} is another than the one with the sweep", block.height));
        }
        Some(_) => {}
    }
    let Some(sweep) = bitcoind.transaction_in_block(txid, block.hash()).await? else {
        return broken(format!("Bitcoin's block {block} does not have the sweep {txid}"));
    };
    if !sweep.input.iter().any(|input| input.previous_output == promise.outpoint) {
        return broken(format!("{txid} does not spend the deposit {}", promise.outpoint));
    }
    let confirmations = tip.since(block.height).map_or(0, |below| below.get().saturating_add(1));
    Ok(Outcome::Kept { txid, block, confirmations })
}

async fn paid(promise: &PegOutPromise, bitcoind: &Bitcoind) -> Result<Outcome, RpcError> {
    let tip = bitcoind.tip().await?.height;
    let least = promise.amount.checked_sub(promise.fee_max).unwrap_or(Amount::ZERO);
    let last = promise.deadline.get().saturating_add(LATE_BLOCKS).min(tip.get());
    for height in promise.anchor.get().saturating_add(1)..=last {
        let height = BtcHeight::new(height);
        let Some(hash) = bitcoind.block_hash(height).await? else { break };
        let Some(block) = bitcoind.block(hash).await? else { break };
        let pays = |output: &bitcoin::TxOut| {
            output.script_pubkey == promise.script && (least..=promise.amount).contains(&output.value)
        };
        let Some(payment) = block.txdata.iter().find(|transaction| transaction.output.iter().any(pays)) else {
            continue;
        };
        let (txid, block) = (payment.compute_txid(), BlockRef::new(height, hash));
        if height > promise.deadline {
            let reason = format!("paid by {txid} in block {height}: after block {}", promise.deadline);
            return Ok(Outcome::Broken { reason });
        }
        let confirmations = tip.since(height).map_or(0, |below| below.get().saturating_add(1));
        return Ok(Outcome::Kept { txid, block, confirmations });
    }
    if tip > promise.deadline {
        let reason = format!("no block up to {} pays it", promise.deadline);
        return Ok(Outcome::Broken { reason });
    }
    Ok(Outcome::Open { reason: format!("not paid in a block up to {tip}; the deadline is block {}", promise.deadline) })
}

/// A receipt of what enough of the answers promise, if they do. `ours` says whether a promise is the one that was asked for.
///
/// # Errors
/// Too few sign the same: each one's word.
pub(crate) fn gather(
    genesis: &Genesis,
    answers: Vec<Result<PromiseAnswer, ApiError>>,
    ours: impl Fn(&Promise) -> bool,
) -> Result<ReceiptFile, ApiError> {
    let chain = genesis.chain_id();
    let mut why: Vec<String> = Vec::new();
    let mut files: Vec<(Digest, ReceiptFile)> = Vec::new();
    for answer in answers {
        let (promise, signature) = match answer.map(|answer| answer.read().ok_or(answer.member)) {
            Ok(Ok((promise, signature))) if ours(&promise) => (promise, signature),
            Ok(Ok((_, signature))) => {
                why.push(format!("{} promises something else", signature.member));
                continue;
            }
            Ok(Err(member)) => {
                why.push(format!("{member} answers no promise"));
                continue;
            }
            Err(error) => {
                why.push(error.message);
                continue;
            }
        };
        let digest = Digest(promise.digest(chain));
        let known = genesis.members.iter().find(|member| member.name == signature.member);
        if !known.is_some_and(|member| ledger::endorsed(&member.identity, &digest.0, &signature.signature)) {
            why.push(format!("the signature of {} does not hold", signature.member));
            continue;
        }
        match files.iter_mut().find(|(known, _)| *known == digest) {
            Some((_, file)) if file.signatures.iter().any(|by| by.member == signature.member) => {}
            Some((_, file)) => file.signatures.push(signature),
            None => files.push((digest, ReceiptFile::new(chain, &promise, vec![signature]))),
        }
    }
    let fit = files.into_iter().map(|(_, file)| file).find(|file| file.verify(genesis).is_ok());
    fit.ok_or_else(|| {
        let needed = genesis.threshold;
        let why = if why.is_empty() { "they don't agree".to_owned() } else { why.join("; ") };
        ApiError::failed(format!("no {needed} members sign the same receipt: {why}"))
    })
}

//! The user's side of a deposit: find it in a block, claim it, or take it back.
//!
//! The address follows from [`DepositTerms`] and the genesis ([`DepositTerms::address`]); a client
//! makes it itself and believes nobody. After the reclaim timelock the coin is the user's alone,
//! with the federation dead: [`reclaim`] needs only the terms, the genesis and the user's key.

use crate::spend::{self, CoinToSpend, TooSmall};
use bitcoin::{
    Amount, Block, FeeRate, OutPoint, Script, ScriptBuf, Transaction,
    key::{Keypair, Secp256k1},
    secp256k1::Message,
};
use windlass_ledger::{DepositClaim, DepositTerms, Genesis, ScriptError};
use windlass_types::BtcHeight;

/// A payment to a deposit address, as a block has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDeposit {
    /// The coin.
    pub outpoint: OutPoint,
    /// Its value.
    pub amount: Amount,
    /// The claim, ready to be sent to the sidechain once its block is anchored.
    pub claim: DepositClaim,
}

/// All payments to the terms' address in a block: one transaction may pay it twice, and each
/// output is a deposit.
///
/// # Errors
/// The terms are of an epoch or key that there is no address of.
pub fn find(
    genesis: &Genesis,
    terms: &DepositTerms,
    block: &Block,
    height: BtcHeight,
) -> Result<Vec<FoundDeposit>, ScriptError> {
    let script = terms.spend_info(genesis)?.script;
    let mut found = Vec::new();
    for (outpoint, amount) in outputs_to(block, &script) {
        if let Some(claim) = DepositClaim::new(block, height, outpoint.txid, outpoint.vout, *terms) {
            found.push(FoundDeposit { outpoint, amount, claim });
        }
    }
    Ok(found)
}

fn outputs_to(block: &Block, script: &Script) -> Vec<(OutPoint, Amount)> {
    let mut found = Vec::new();
    for transaction in &block.txdata {
        for (vout, output) in (0u32..).zip(&transaction.output) {
            if *output.script_pubkey == *script {
                found.push((OutPoint::new(transaction.compute_txid(), vout), output.value));
            }
        }
    }
    found
}

/// The first Bitcoin block that can hold the reclaim of a deposit confirmed at `height`: none if
/// no such height exists.
pub fn reclaim_height(genesis: &Genesis, height: BtcHeight) -> Option<BtcHeight> {
    height.get().checked_add(genesis.params.reclaim_blocks.get()).map(BtcHeight::new)
}

/// Why a reclaim can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReclaimError {
    /// There is no such address.
    #[error(transparent)]
    Terms(#[from] ScriptError),
    /// The key is not the one in the terms.
    #[error("the key {key} can't reclaim this deposit: its address names {expected}")]
    ForeignKey {
        /// The key given.
        key: String,
        /// The key in the terms.
        expected: String,
    },
    /// Not worth a transaction.
    #[error(transparent)]
    TooSmall(#[from] TooSmall),
}

/// The signed transaction that takes a deposit back, whole, to `to`. Bitcoin accepts it from
/// [`reclaim_height`] on. 138 vB to a Taproot output.
///
/// # Errors
/// The key is another, or the coin doesn't pay the fee.
pub fn reclaim(
    genesis: &Genesis,
    terms: &DepositTerms,
    coin: CoinToSpend,
    to: ScriptBuf,
    fee_rate: FeeRate,
    user: &Keypair,
) -> Result<Transaction, ReclaimError> {
    let key = user.x_only_public_key().0.serialize();
    if key != terms.user_key {
        return Err(ReclaimError::ForeignKey { key: hex::encode(key), expected: hex::encode(terms.user_key) });
    }
    let info = terms.spend_info(genesis)?;
    let transaction = spend::through_leaf(coin, &info, genesis.params.reclaim_blocks, to, fee_rate, (1, 0))?;
    let sighash = spend::leaf_sighash(&transaction, coin, &info);
    let signature = Secp256k1::signing_only().sign_schnorr(&Message::from_digest(sighash), user);
    Ok(spend::complete(transaction, &info, &[signature.serialize().to_vec()]))
}

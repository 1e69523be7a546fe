//! The emergency spend of the treasury: k of the members' emergency keys, after the long timelock,
//! when the federation can sign no more.
//!
//! The transaction is made once, each holder of an emergency key signs it on its own machine
//! ([`EmergencySpend::sign`]), and [`EmergencySpend::finish`] puts exactly k signatures together.

use crate::spend::{self, CoinToSpend, TooSmall};
use bitcoin::{
    FeeRate, ScriptBuf, Transaction,
    key::{Keypair, Secp256k1},
    secp256k1::{Message, schnorr::Signature},
};
use std::collections::BTreeMap;
use windlass_ledger::{Genesis, ScriptError, SpendInfo, TreasuryCoin, script};

/// Why an emergency spend can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmergencyError {
    /// The coin's script can't be made.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// Not worth a transaction.
    #[error(transparent)]
    TooSmall(#[from] TooSmall),
    /// The key is no member's.
    #[error("{0} is no member's emergency key")]
    ForeignKey(String),
    /// A signature is invalid.
    #[error("the signature of {member} is invalid")]
    Invalid {
        /// The member's name.
        member: String,
    },
    /// Too few signatures.
    #[error("{found} signatures; the script asks for {needed}")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: u16,
    },
}

/// An emergency spend of one treasury coin, whole, to one script.
#[derive(Debug, Clone)]
pub struct EmergencySpend {
    transaction: Transaction,
    sighash: [u8; 32],
    info: SpendInfo,
    members: Vec<(String, [u8; 32])>,
    threshold: u16,
}

impl EmergencySpend {
    /// Makes the unsigned transaction.
    ///
    /// # Errors
    /// The coin doesn't pay the fee, or the genesis has a broken key.
    pub fn new(
        genesis: &Genesis,
        coin: &TreasuryCoin,
        to: ScriptBuf,
        fee_rate: FeeRate,
    ) -> Result<Self, EmergencyError> {
        let info = script::treasury_spend_info(genesis, coin.epoch, coin.hidden)?;
        let spent = CoinToSpend { outpoint: coin.outpoint, amount: coin.amount };
        let threshold = genesis.params.emergency_threshold;
        let signatures = usize::from(threshold);
        let empty = genesis.members.len().saturating_sub(signatures);
        let transaction =
            spend::through_leaf(spent, &info, genesis.params.emergency_blocks, to, fee_rate, (signatures, empty))?;
        let sighash = spend::leaf_sighash(&transaction, spent, &info);
        let members = genesis.members.iter().map(|m| (m.name.clone(), m.emergency_key)).collect();
        Ok(Self { transaction, sighash, info, members, threshold })
    }

    /// The unsigned transaction.
    pub const fn unsigned(&self) -> &Transaction {
        &self.transaction
    }

    /// One member's signature, with the member's index.
    ///
    /// # Errors
    /// The key is no member's.
    pub fn sign(&self, key: &Keypair) -> Result<(usize, Signature), EmergencyError> {
        let public = key.x_only_public_key().0.serialize();
        let index = self.members.iter().position(|(_, k)| *k == public);
        let index = index.ok_or_else(|| EmergencyError::ForeignKey(hex::encode(public)))?;
        Ok((index, Secp256k1::signing_only().sign_schnorr(&Message::from_digest(self.sighash), key)))
    }

    /// The complete transaction. More signatures than needed are left out: the script counts them.
    ///
    /// # Errors
    /// A signature is invalid, or there are too few.
    pub fn finish(&self, signatures: &BTreeMap<usize, Signature>) -> Result<Transaction, EmergencyError> {
        let secp = Secp256k1::verification_only();
        let needed = usize::from(self.threshold);
        if signatures.len() < needed {
            return Err(EmergencyError::TooFew { found: signatures.len(), needed: self.threshold });
        }
        let mut stack = vec![Vec::new(); self.members.len()];
        for (index, signature) in signatures.iter().take(needed) {
            let (name, key) = self.members.get(*index).ok_or_else(|| EmergencyError::ForeignKey(index.to_string()))?;
            secp.verify_schnorr(signature, &Message::from_digest(self.sighash), &script::x_only(key)?)
                .map_err(|_| EmergencyError::Invalid { member: name.clone() })?;
            if let Some(slot) = stack.get_mut(*index) {
                *slot = signature.serialize().to_vec();
            }
        }
        // The first key's CHECKSIG runs first, on the top of the stack: the last item pushed.
        stack.reverse();
        Ok(spend::complete(self.transaction.clone(), &self.info, &stack))
    }
}

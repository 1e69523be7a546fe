//! The state of a hash lock: a policy account's entry, and for each hash of its policy whether a preimage was shown.

use crate::proof::{HexBytes, ProofError, decode, malformed};
use serde::{Deserialize, Serialize};
use windlass_ledger::{Account, Policy, Revealed, keys, smt};
use windlass_types::Digest;

/// What the state has under a key that the claim's reader knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The value; none is "there is no such entry".
    pub value: Option<HexBytes>,
    /// The canonical encoding of the [`smt::Proof`].
    #[serde(with = "hex::serde")]
    pub proof: Vec<u8>,
}

/// A hash lock after a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// How it is spent from.
    pub policy: Policy,
    /// What it has, and which nonces it has used; none is "there was no such account".
    pub account: Option<Account>,
    /// Its hashes, each once, from the left: with the preimage, if anyone had shown it on this chain.
    pub hashes: Vec<(Digest, Option<Revealed>)>,
}

impl Lock {
    /// Whether anything was ever spent from it.
    pub fn spent_from(&self) -> bool {
        self.account.is_some_and(|account| account.nonces != Account::default().nonces)
    }
}

impl Part {
    /// The value, if the state under `root` has it under `key`.
    fn read<T: borsh::BorshDeserialize>(
        &self,
        root: &Digest,
        key: &[u8],
        what: &'static str,
        wrong: &impl Fn() -> ProofError,
    ) -> Result<Option<T>, ProofError> {
        let proof: smt::Proof = decode("proof", &self.proof)?;
        let value = self.value.as_ref().map(|value| value.0.as_slice());
        if !smt::verify(root, key, value, &proof) {
            return Err(wrong());
        }
        value.map(|value| decode(what, value)).transpose()
    }
}

/// Checks a lock's parts against the state's root.
pub(crate) fn verify(
    root: &Digest,
    policy: &[u8],
    account: &Part,
    preimages: &[Part],
    wrong: &impl Fn() -> ProofError,
) -> Result<Lock, ProofError> {
    let policy: Policy = decode("policy", policy)?;
    let asked = policy.hashes();
    if asked.is_empty() {
        return Err(malformed("policy", "it asks for no preimage: it is no hash lock".into()));
    }
    if asked.len() != preimages.len() {
        let reason = format!("{} for {} hashes", preimages.len(), asked.len());
        return Err(malformed("list of preimages", reason));
    }
    let account = account.read(root, &keys::account(&policy.account()), "account", wrong)?;
    let mut hashes = Vec::with_capacity(asked.len());
    for (hash, part) in asked.into_iter().zip(preimages) {
        let shown = part.read(root, &keys::revealed(&hash), "preimage", wrong)?;
        hashes.push((Digest(hash), shown));
    }
    Ok(Lock { policy, account, hashes })
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;

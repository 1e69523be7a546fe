//! What the proof of a hash lock's state proves, in sentences.

use super::money;
use bitcoin::Amount;
use serde::Serialize;
use windlass_ledger::HashLock;
use windlass_light::Lock;
use windlass_types::{BtcHeight, ChainNetwork, Digest, SideHeight};

/// A hash lock after a block.
#[derive(Debug, Clone, Serialize)]
pub struct State {
    address: String,
    policy: String,
    #[serde(rename = "balance_sat", with = "bitcoin::amount::serde::as_sat")]
    balance: Amount,
    exists: bool,
    /// Whether anything was ever taken out of it.
    spent_from: bool,
    /// Of a plain hash lock.
    terms: Option<Terms>,
    hashes: Vec<Shown>,
}

#[derive(Debug, Clone, Serialize)]
struct Terms {
    receiver: String,
    sender: String,
    timeout: BtcHeight,
    /// Whether the sidechain had read Bitcoin that far.
    reached: bool,
}

#[derive(Debug, Clone, Serialize)]
struct Shown {
    hash: Digest,
    preimage: Option<Digest>,
    /// The transaction that showed it first.
    transaction: Option<Digest>,
    height: Option<SideHeight>,
}

impl State {
    /// `anchor`: up to which height the block had read Bitcoin.
    pub fn new(network: ChainNetwork, anchor: BtcHeight, lock: &Lock) -> Self {
        let terms = lock.policy.as_hash_lock().map(|HashLock { receiver, sender, timeout, .. }| Terms {
            receiver: hex::encode(receiver),
            sender: hex::encode(sender),
            timeout,
            reached: anchor >= timeout,
        });
        let hashes = lock.hashes.iter().map(|(hash, shown)| Shown {
            hash: *hash,
            preimage: shown.map(|shown| Digest(shown.preimage)),
            transaction: shown.map(|shown| shown.id),
            height: shown.map(|shown| shown.height),
        });
        Self {
            address: lock.policy.account().address(network),
            policy: lock.policy.to_string(),
            balance: lock.account.map_or(Amount::ZERO, |account| account.balance),
            exists: lock.account.is_some(),
            spent_from: lock.spent_from(),
            terms,
            hashes: hashes.collect(),
        }
    }

    /// For people.
    pub fn sentences(&self, height: SideHeight) -> String {
        let address = &self.address;
        let has = match (self.exists, self.spent_from) {
            (false, _) => format!("After block {height}, the hash lock {address} had nothing: nobody had paid it."),
            (true, false) => {
                let balance = money::btc(self.balance);
                format!("After block {height}, the hash lock {address} had {balance}, and nobody had spent from it.")
            }
            (true, true) => {
                let balance = money::btc(self.balance);
                format!("After block {height}, the hash lock {address} had been spent from, and had {balance} left.")
            }
        };
        let mut lines = vec![has, self.terms()];
        lines.extend(self.hashes.iter().map(Shown::sentence));
        lines.join("\n")
    }

    fn terms(&self) -> String {
        match &self.terms {
            Some(Terms { receiver, sender, timeout, reached }) => {
                let so_far = if *reached { "which it had" } else { "which it had not yet" };
                format!(
                    "It pays the key {receiver} against the preimage, and the key {sender} once the sidechain has read \
                     Bitcoin up to block {timeout}, {so_far}."
                )
            }
            None => format!("Its policy is {}.", self.policy),
        }
    }
}

impl Shown {
    fn sentence(&self) -> String {
        let hash = self.hash;
        match (self.preimage, self.transaction, self.height) {
            (Some(preimage), Some(id), Some(height)) => {
                format!("The preimage of {hash} is {preimage}: transaction {id} in block {height} showed it.")
            }
            _ => format!("No preimage of {hash} had been shown."),
        }
    }
}

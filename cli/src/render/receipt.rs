//! What a receipt shows, in sentences.

use super::money;
use bitcoin::Address;
use serde::Serialize;
use windlass_ledger::Genesis;
use windlass_light::{Promise, Promised};
use windlass_node::promises::Outcome;
use windlass_types::{BtcHeight, ChainId};

/// What was promised, by whom, and whether Bitcoin shows it kept.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    chain: ChainId,
    members: Vec<String>,
    kind: &'static str,
    promise: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<BtcHeight>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bitcoin: Option<Outcome>,
}

impl Shown {
    /// Names what was promised with the chain's names.
    pub fn new(genesis: &Genesis, promised: &Promised, bitcoin: Option<Outcome>) -> Self {
        let (kind, deadline) = match &promised.promise {
            Promise::Address(_) => ("address", None),
            Promise::Mint(_) => ("mint", None),
            Promise::PegOut(peg_out) => ("peg_out", Some(peg_out.deadline)),
        };
        let promise = sentence(genesis, &promised.promise);
        Self { chain: genesis.chain_id(), members: promised.members.clone(), kind, promise, deadline, bitcoin }
    }

    /// How it was broken, if Bitcoin shows that.
    pub fn broken(&self) -> Option<&str> {
        match &self.bitcoin {
            Some(Outcome::Broken { reason }) => Some(reason),
            _ => None,
        }
    }

    /// For people.
    pub fn sentences(&self) -> String {
        let bitcoin = match &self.bitcoin {
            None => "Whether it was kept, --bitcoind shows.".to_owned(),
            Some(Outcome::Kept { txid, block, confirmations }) => {
                format!("Kept: {txid} is in Bitcoin block {}, with {confirmations} confirmations.", block.height)
            }
            Some(Outcome::Broken { reason }) => format!("BROKEN: {reason}."),
            Some(Outcome::Open { reason }) => format!("Bitcoin does not show it: {reason}."),
        };
        format!(
            "{} signed with their own keys:\n{}\n{bitcoin}\n\nchain  {}",
            self.members.join(", "),
            self.promise,
            self.chain
        )
    }
}

fn sentence(genesis: &Genesis, promise: &Promise) -> String {
    let network = genesis.network;
    let address = |script: &bitcoin::Script| {
        Address::from_script(script, network.bitcoin()).map_or_else(|_| script.to_hex_string(), |to| to.to_string())
    };
    match promise {
        Promise::Address(promise) => format!(
            "Deposits of {} to {} to {} are credited to {}, less at most {} for Bitcoin's fee. One that is not swept is \
             the user's alone {} blocks after its block. As of sidechain block {}; a change of the parameters is announced there.",
            money::btc(promise.min),
            money::btc(promise.max),
            address(&promise.script),
            promise.terms.account.address(network),
            money::btc(promise.fee_max),
            promise.reclaim_blocks,
            promise.since,
        ),
        Promise::Mint(promise) => format!(
            "The deposit {} of {} was swept by {} in Bitcoin block {}, and {} was credited to {} in sidechain block {}.",
            promise.outpoint,
            money::btc(promise.deposited),
            promise.sweep,
            promise.block.height,
            money::btc(promise.minted),
            promise.account.address(network),
            promise.height,
        ),
        Promise::PegOut(promise) => format!(
            "The peg-out {} of {}, burned by {} in sidechain block {}, is paid to {}, less at most {} for Bitcoin's fee, \
             in a Bitcoin block up to {}.",
            promise.id,
            money::btc(promise.amount),
            promise.account.address(network),
            promise.height,
            address(&promise.script),
            money::btc(promise.fee_max),
            promise.deadline,
        ),
    }
}

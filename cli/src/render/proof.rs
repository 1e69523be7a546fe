//! What a proof file proves, in sentences.

use super::{
    lock, money, short,
    table::{Align, Table},
};
use bitcoin::Amount;
use serde::Serialize;
use windlass_ledger::{Genesis, ParamsRecord};
use windlass_light::{Fact, Proven};
use windlass_peg::anchors::AnchorsReport;
use windlass_types::{AssetId, BlockRef, ChainId, Digest, SideHeight, grouped};

/// What was proven, by whom, for which chain.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    chain: ChainId,
    height: SideHeight,
    block: Digest,
    anchor: BlockRef,
    #[serde(rename = "supply_sat", with = "bitcoin::amount::serde::as_sat")]
    supply: Amount,
    signers: Vec<String>,
    members: usize,
    /// How often the members had changed by then.
    epoch: u64,
    proves: Proves,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Proves {
    Account {
        address: String,
        #[serde(rename = "balance_sat", with = "bitcoin::amount::serde::as_sat")]
        balance: Amount,
        exists: bool,
    },
    Params {
        record: Box<ParamsRecord>,
    },
    Units {
        address: String,
        asset: AssetId,
        units: u64,
    },
    Entry {
        key: String,
        value: Option<String>,
    },
    Transaction {
        id: Digest,
        index: u64,
    },
    Lock(lock::State),
}

impl Facts {
    /// Names what was proven with the chain's names.
    pub fn new(genesis: &Genesis, proven: &Proven) -> Self {
        let name = |index: &u16| genesis.members.get(usize::from(*index)).map(|member| member.name.clone());
        let proves = match &proven.fact {
            Fact::Account(id, account) => Proves::Account {
                address: id.address(genesis.network),
                balance: account.map_or(Amount::ZERO, |account| account.balance),
                exists: account.is_some(),
            },
            Fact::Params(record) => Proves::Params { record: record.clone() },
            Fact::Units(id, asset, units) => {
                Proves::Units { address: id.address(genesis.network), asset: *asset, units: *units }
            }
            Fact::Entry(key, value) => Proves::Entry { key: hex::encode(key), value: value.as_ref().map(hex::encode) },
            Fact::Transaction(transaction, index) => Proves::Transaction { id: transaction.id(), index: *index },
            Fact::Lock(lock) => Proves::Lock(lock::State::new(genesis.network, proven.header.anchor.height, lock)),
        };
        Self {
            chain: proven.header.chain,
            height: proven.header.height,
            block: proven.block(),
            anchor: proven.header.anchor,
            supply: proven.header.supply,
            signers: proven.signers.iter().filter_map(name).collect(),
            members: genesis.members.len(),
            epoch: proven.epoch,
            proves,
        }
    }

    /// For people.
    pub fn sentences(&self) -> String {
        let height = self.height;
        let fact = match &self.proves {
            Proves::Account { address, balance, exists: true } => {
                format!("After block {height}, {address} had {}.", money::btc(*balance))
            }
            Proves::Account { address, .. } => {
                format!("After block {height}, {address} had nothing: there was no such account.")
            }
            Proves::Params { record } => parameters(height, record),
            Proves::Units { address, asset, units: 0 } => {
                format!("After block {height}, {address} had nothing of the asset {asset}.")
            }
            Proves::Units { address, asset, units } => {
                format!("After block {height}, {address} had {} units of the asset {asset}.", grouped(*units))
            }
            Proves::Entry { key, value: Some(value) } => {
                format!("After block {height}, the state had {value} under {key}.")
            }
            Proves::Entry { key, value: None } => format!("After block {height}, the state had nothing under {key}."),
            Proves::Transaction { id, index } => {
                format!("Transaction {id} is in block {height}, at place {index}.")
            }
            Proves::Lock(lock) => lock.sentences(height),
        };
        let signed = if self.signers.is_empty() {
            "It is the genesis block: nobody signs it, it follows from the genesis file.".to_owned()
        } else {
            let (names, all) = (self.signers.join(", "), self.members);
            format!("{} of the {all} members signed the block as final: {names}.", self.signers.len())
        };
        let changes = match self.epoch {
            0 => String::new(),
            changes => format!(
                "\nOne member's key was exchanged for another {changes} times since the genesis, each time by the members before; you\n\
                 trust that no quorum of former keys was stolen afterwards."
            ),
        };
        let (chain, block, anchor, supply) = (self.chain, self.block, self.anchor, money::btc(self.supply));
        format!(
            "{fact}\n{signed}\n\n\
             chain   {chain}\n\
             block   {block}\n\
             bitcoin read up to block {} ({})\n\
             supply  {supply}\n\n\
             You trust that your genesis file is that of the chain you mean, and that no quorum of its members signs\n\
             a block that breaks the rules. What came after block {height} it does not say.{changes}",
            anchor.height,
            anchor.hash(),
        )
    }
}

fn parameters(height: SideHeight, record: &ParamsRecord) -> String {
    let dials: Vec<String> = record.params.dials().iter().map(|(name, value)| format!("{name} {value}")).collect();
    let pending = match &record.pending {
        Some(pending) => {
            let changes = record.params.changes_to(&pending.params);
            let changes: Vec<String> = changes.iter().map(|change| format!("{} {}", change.name, change.to)).collect();
            format!("From block {} on: {}.", pending.height, changes.join(", "))
        }
        None => "No change was pending.".to_owned(),
    };
    format!(
        "After block {height}, these parameters were in force, since block {}: {}.\n{pending}",
        record.since,
        dials.join(", ")
    )
}

/// `windlass anchors`.
pub fn anchors(report: &AnchorsReport) -> String {
    let mut table = Table::new(&[
        ("Block", Align::Right),
        ("Header", Align::Left),
        ("Supply", Align::Right),
        ("Bitcoin block", Align::Right),
        ("Confirmations", Align::Right),
        ("In", Align::Left),
    ]);
    for anchor in &report.anchors {
        table.row([
            anchor.height.to_string(),
            short(&anchor.header.to_string()).to_owned(),
            money::btc(anchor.supply),
            anchor.block.height.to_string(),
            anchor.confirmations.to_string(),
            anchor.txid.to_string(),
        ]);
    }
    let last = match report.anchors.last() {
        Some(anchor) => format!(
            "\nWho would rewrite the sidechain up to block {} would have to rewrite {} blocks of Bitcoin.",
            anchor.height, anchor.confirmations
        ),
        None => "Bitcoin holds no block of the sidechain yet: the first peg-in brings one.".to_owned(),
    };
    let text = if report.anchors.is_empty() { String::new() } else { table.text("") };
    let faults: String = report.faults.iter().map(|fault| format!("\nFAULT: {fault}")).collect();
    text + &last + &faults
}

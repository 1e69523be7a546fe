//! The statement: what went off the chain, what came back, and the transactions that prove it.
//!
//! Every figure is checked: each line must add up to the satoshi, and each transaction that it names
//! must be on this node's own Bitcoin chain and say what the line says. What does not is a fault.

mod channels;
mod entries;
mod pegs;
mod scan;

pub(super) use scan::SideScan;

use super::node::WalletNode;
use crate::api::ApiError;
use crate::api::wallet::{ChainedTransaction, Income, PegStatement, Statement, StatementEntry};
use bitcoin::{Amount, Transaction, Txid};
use entries::Known;
use windlass_types::BtcHeight;

impl WalletNode {
    /// GET `/v1/statement`
    pub(super) async fn statement(&self) -> Result<Statement, ApiError> {
        let at = self.bitcoind.tip().await.map_err(super::errors::rpc)?;
        let channels = self.channel_statements().await?;
        let peg_ins = self.peg_in_statements().await?;
        let peg_outs = self.peg_out_statements().await?;
        let mut faults: Vec<String> = Vec::new();
        let named = channels.iter().map(|line| ("channel", &line.id, &line.fault));
        let named = named.chain(peg_ins.iter().map(|line| ("peg-in", &line.id, &line.fault)));
        let named = named.chain(peg_outs.iter().map(|line| ("peg-out", &line.id, &line.fault)));
        faults
            .extend(named.filter_map(|(what, id, fault)| fault.as_ref().map(|fault| format!("{what} {id}: {fault}"))));
        let sidechain = match self.members.known_chain() {
            None => None,
            Some(_) => match self.sidechain_statement().await {
                Ok((statement, fault)) => {
                    faults.extend(fault.map(|fault| format!("sidechain account: {fault}")));
                    Some(statement)
                }
                Err(error) => {
                    faults.push(format!("sidechain account: it can't be checked now: {}", error.message));
                    None
                }
            },
        };
        let (entries, income) = self.entries(&peg_ins, &peg_outs, &mut faults);
        let name = self.config.name.clone();
        let ok = faults.is_empty();
        Ok(Statement { name, at, channels, peg_ins, peg_outs, sidechain, entries, income, ok, faults })
    }

    /// Every movement of money, compared with what the wallet holds.
    fn entries(
        &self,
        peg_ins: &[PegStatement],
        peg_outs: &[PegStatement],
        faults: &mut Vec<String>,
    ) -> (Vec<StatementEntry>, Income) {
        let txids = |list: &[PegStatement]| {
            list.iter().flat_map(|peg| peg.transactions.iter().map(|transaction| transaction.txid)).collect()
        };
        // The records first: what the wallet has seen beyond them is known as such by its height.
        let read_to = self.lightning.synced_to().height;
        let records = self.lightning.records();
        let known = Known { peg_ins: txids(peg_ins), peg_outs: txids(peg_outs), read_to };
        let (transactions, balance) = self.wallet.transactions_and_balance();
        let (list, found) = entries::entries(&records, &transactions, &known);
        faults.extend(found);
        let (sum, held) = (entries::sum_of(&list, "wallet"), i128::from(balance.total().to_sat()) * 1000);
        if sum != held {
            faults.push(format!("the wallet holds {held} msat, its entries come to {sum}"));
        }
        let income = entries::income(&list, &records);
        (list, income)
    }

    /// The transaction `txid` if it is in the block of the best chain at `height`.
    async fn on_chain(&self, txid: Txid, height: BtcHeight) -> Result<Option<Transaction>, ApiError> {
        let hash = self.bitcoind.block_hash(height).await.map_err(super::errors::rpc)?;
        let Some(hash) = hash else { return Ok(None) };
        self.bitcoind.transaction_in_block(txid, hash).await.map_err(super::errors::rpc)
    }
}

/// A line of a statement's transactions.
fn line(txid: Txid, purpose: &str, height: Option<BtcHeight>, amount: Amount, fee: Amount) -> ChainedTransaction {
    ChainedTransaction { txid, purpose: purpose.into(), height, amount, fee }
}

/// The faults of one line of the statement, joined; `None` without any.
fn joined(faults: Vec<String>) -> Option<String> {
    (!faults.is_empty()).then(|| faults.join("; "))
}

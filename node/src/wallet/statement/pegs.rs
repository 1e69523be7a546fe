//! The pegs' part of a statement.

use super::{joined, line};
use crate::api::ApiError;
use crate::api::member::{DepositState, PegOutInfo, PegOutState};
use crate::api::wallet::{ChainedTransaction, PegStatement};
use crate::wallet::journal::{Coin, Pages, Seen};
use crate::wallet::node::WalletNode;
use crate::wallet::pegout::paid;
use bitcoin::{Amount, OutPoint, ScriptBuf};

fn output_of(transaction: &bitcoin::Transaction, vout: u32) -> Option<&bitcoin::TxOut> {
    transaction.output.get(usize::try_from(vout).ok()?)
}

impl WalletNode {
    pub(super) async fn peg_in_statements(&self) -> Result<Vec<PegStatement>, ApiError> {
        let pages = self.journal.read(Pages::clone);
        let mut list = Vec::new();
        for coin in pages.coins.values() {
            // One that a reorganisation took away, and that never came back, never was.
            let Some(block) = coin.block else { continue };
            let script = pages.addresses.get(&coin.nonce).map(|address| address.script.clone()).unwrap_or_default();
            list.push((block.height, self.peg_in_statement(pages.coin_id(coin), coin, &script).await?));
        }
        list.sort_by_key(|(height, _)| *height);
        Ok(list.into_iter().map(|(_, statement)| statement).collect())
    }

    async fn peg_in_statement(&self, id: String, coin: &Coin, script: &ScriptBuf) -> Result<PegStatement, ApiError> {
        let mut faults = Vec::new();
        let OutPoint { txid, vout } = coin.outpoint;
        let height = coin.block.map(|at| at.height);
        let mut transactions = vec![line(txid, "deposit", height, coin.amount, Amount::ZERO)];
        if let Some(height) = height {
            let found = self.on_chain(txid, height).await?;
            let output = found.as_ref().and_then(|tx| output_of(tx, vout));
            if !output.is_some_and(|output| output.value == coin.amount && output.script_pubkey == *script) {
                faults.push(format!("the deposit {} is not in block {height} as it should be", coin.outpoint));
            }
        }
        let reclaimed = coin.spent.zip(coin.reclaim.as_ref()).filter(|(by, ours)| by.txid == ours.txid);
        let state = coin.sidechain.as_ref().map(|info| &info.state);
        let (closing, fee, word, settled) = if let Some((by, ours)) = reclaimed {
            let back = coin.amount.checked_sub(ours.fee).unwrap_or(Amount::ZERO);
            self.check_spend(coin, by, Some(back), &mut faults).await?;
            transactions.push(line(ours.txid, "reclaim", Some(by.block.height), back, ours.fee));
            (back, ours.fee, "reclaimed", true)
        } else if let Some(DepositState::Minted { txid, minted, fee, .. }) = state {
            match coin.spent {
                Some(by) if by.txid == *txid => self.check_spend(coin, by, None, &mut faults).await?,
                other => faults.push(format!(
                    "the members say that {txid} swept it, the chain says {}",
                    other.map_or_else(|| "nothing did".to_owned(), |by| by.txid.to_string())
                )),
            }
            transactions.push(line(*txid, "treasury", coin.spent.map(|by| by.block.height), *minted, *fee));
            (*minted, *fee, "minted", true)
        } else {
            (Amount::ZERO, Amount::ZERO, self.peg_in_word(coin), false)
        };
        if settled && closing.checked_add(fee) != Some(coin.amount) {
            faults.push(format!("{closing} and the fee of {fee} are not {}", coin.amount));
        }
        let (opening, state) = (coin.amount, word.to_owned());
        Ok(PegStatement { id, opening, closing, fee, state, settled, transactions, fault: joined(faults) })
    }

    fn peg_in_word(&self, coin: &Coin) -> &'static str {
        match (&coin.reclaim, coin.sidechain.as_ref().map(|info| &info.state)) {
            (Some(_), _) => "reclaiming",
            (None, None) => "confirming",
            (None, Some(DepositState::Claimed)) => "claimed",
            (None, Some(DepositState::Sweeping { .. })) => "sweeping",
            (None, Some(_)) => "yours to reclaim",
        }
    }

    /// The spend of a coin is in its block, and paid our wallet if it should have.
    async fn check_spend(
        &self,
        coin: &Coin,
        by: Seen,
        to_wallet: Option<Amount>,
        faults: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        let Seen { txid, block } = by;
        let Some(tx) = self.on_chain(txid, block.height).await? else {
            faults.push(format!("{txid} is not in block {}", block.height));
            return Ok(());
        };
        if !tx.input.iter().any(|input| input.previous_output == coin.outpoint) {
            faults.push(format!("{txid} does not spend {}", coin.outpoint));
        }
        let ours = |output: &&bitcoin::TxOut| self.wallet.is_mine(&output.script_pubkey);
        let got: Amount = tx.output.iter().filter(ours).map(|output| output.value).sum();
        if let Some(expected) = to_wallet.filter(|expected| *expected != got) {
            faults.push(format!("{txid} paid {got} to the wallet, not {expected}"));
        }
        Ok(())
    }

    pub(super) async fn peg_out_statements(&self) -> Result<Vec<PegStatement>, ApiError> {
        if self.members.known_chain().is_none() {
            return Ok(Vec::new());
        }
        let mut list = Vec::new();
        for info in self.peg_out_infos().await?.into_iter().rev() {
            list.push(self.peg_out_statement(&info).await?);
        }
        Ok(list)
    }

    async fn peg_out_statement(&self, info: &PegOutInfo) -> Result<PegStatement, ApiError> {
        let mut faults = Vec::new();
        let mut transactions: Vec<ChainedTransaction> = Vec::new();
        let (amount, fee) = paid(&info.state).unwrap_or((Amount::ZERO, Amount::ZERO));
        let (closing, fee, word, settled) = match &info.state {
            PegOutState::Pending => (Amount::ZERO, Amount::ZERO, "burned", false),
            PegOutState::Paying { .. } => (Amount::ZERO, Amount::ZERO, "paying", false),
            PegOutState::Refunded { .. } => (info.amount, Amount::ZERO, "refunded", true),
            PegOutState::Paid { .. } => (amount, fee, "paid", true),
        };
        if let PegOutState::Paid { txid, vout, .. } | PegOutState::Paying { txid, vout, .. } = &info.state {
            let outpoint = OutPoint::new(*txid, *vout);
            let known = self.journal.read(|pages| pages.peg_outs.get(&info.id).cloned());
            let seen =
                known.as_ref().and_then(|one| one.seen.iter().find(|(at, _)| *at == outpoint)).map(|(_, by)| *by);
            transactions.push(line(*txid, "treasury", seen.map(|by| by.block.height), amount, fee));
            match (seen, &known) {
                (Some(by), Some(known)) => {
                    let found = self.on_chain(*txid, by.block.height).await?;
                    let output = found.as_ref().and_then(|tx| output_of(tx, *vout));
                    if !output.is_some_and(|out| out.value == amount && out.script_pubkey == known.script) {
                        faults.push(format!("{outpoint} does not pay what the members say"));
                    }
                }
                _ if settled => faults.push(format!("the chain has no payment {outpoint}")),
                _ => {}
            }
        }
        if settled && closing.checked_add(fee) != Some(info.amount) {
            faults.push(format!("{closing} and the fee of {fee} are not {}", info.amount));
        }
        Ok(PegStatement {
            id: info.id.to_string(),
            opening: info.amount,
            closing,
            fee,
            state: word.into(),
            settled,
            transactions,
            fault: joined(faults),
        })
    }
}

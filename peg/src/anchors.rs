//! Which headers of the sidechain Bitcoin holds, and how deep.
//!
//! Each treasury coin's script commits, in its hidden node, to the header before the block that fixed its
//! batch and to the supply after it (L30). Here the treasury's transactions are walked from the first one on:
//! the hidden node is computed anew from the header, the script from the hidden node, and both are
//! looked for in the transaction that this bitcoind has.

use crate::reserves::{CheckError, Recount};
use bitcoin::{Amount, OutPoint, Txid};
use serde::{Deserialize, Serialize};
use windlass_chain::Bitcoind;
use windlass_ledger::{Batch, BatchState, Genesis, query, script};
use windlass_types::{BlockRef, ChainId, Digest, SideHeight};

/// A header that Bitcoin holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchoredHeader {
    /// The batch whose transaction holds it.
    pub batch: u64,
    /// That transaction.
    pub txid: Txid,
    /// The Bitcoin block that has it.
    pub block: BlockRef,
    /// Its confirmations at the tip.
    pub confirmations: u32,
    /// The header's height.
    pub height: SideHeight,
    /// The header's digest.
    pub header: Digest,
    /// The supply that the transaction commits to, too.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "supply_sat")]
    pub supply: Amount,
}

/// What the walk found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorsReport {
    /// The sidechain.
    pub chain: ChainId,
    /// Its newest block that was read.
    pub tip: SideHeight,
    /// Bitcoin, as of this block.
    pub bitcoin_tip: BlockRef,
    /// Oldest first.
    pub anchors: Vec<AnchoredHeader>,
    /// Batches that left no coin, and so no header: everything was pegged out.
    pub without_change: Vec<u64>,
    /// Every settled batch is where the sidechain says, in one line, with the script that it must have.
    pub ok: bool,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// Walks the treasury's transactions on this bitcoind.
///
/// # Errors
/// bitcoind does not answer, is on another chain, or the replayed state can't be read. A transaction that is not what it
/// should be is no error but a report that is not `ok`.
pub async fn walk(recount: &Recount, bitcoind: &Bitcoind) -> Result<AnchorsReport, CheckError> {
    let (tip, bitcoin_tip) = (recount.tip(), bitcoind.tip().await?);
    if bitcoind.block_hash(tip.anchor.height).await? != Some(tip.anchor.hash()) {
        return Err(CheckError::OtherChain { anchor: tip.anchor, tip: bitcoin_tip });
    }
    let mut walk =
        Walk { genesis: recount.genesis(), coin: None, anchors: Vec::new(), empty: Vec::new(), faults: Vec::new() };
    for record in query::batches(recount.state())? {
        let BatchState::Settled { block, .. } = record.state else { continue };
        walk.batch(bitcoind, &record.batch, block, bitcoin_tip).await?;
    }
    Ok(AnchorsReport {
        chain: tip.chain,
        tip: tip.height,
        bitcoin_tip,
        anchors: walk.anchors,
        without_change: walk.empty,
        ok: walk.faults.is_empty(),
        faults: walk.faults,
    })
}

struct Walk<'a> {
    genesis: &'a Genesis,
    /// The treasury's coin so far.
    coin: Option<OutPoint>,
    anchors: Vec<AnchoredHeader>,
    empty: Vec<u64>,
    faults: Vec<String>,
}

impl Walk<'_> {
    async fn batch(
        &mut self,
        bitcoind: &Bitcoind,
        batch: &Batch,
        block: BlockRef,
        tip: BlockRef,
    ) -> Result<(), CheckError> {
        let (id, txid) = (batch.id, batch.txid);
        let before = self.coin;
        self.coin = (batch.change > Amount::ZERO).then_some(OutPoint { txid, vout: 0 });
        if bitcoind.block_hash(block.height).await? != Some(block.hash()) {
            self.faults.push(format!("batch {id}: block {block} is not in Bitcoin's chain"));
            return Ok(());
        }
        let Some(transaction) = bitcoind.transaction_in_block(txid, block.hash()).await? else {
            self.faults.push(format!("batch {id}: block {block} has no transaction {txid}"));
            return Ok(());
        };
        if let Some(coin) = before.filter(|coin| !transaction.input.iter().any(|input| input.previous_output == *coin))
        {
            self.faults.push(format!("batch {id}: {txid} does not spend the treasury's coin {coin}"));
        }
        if self.coin.is_none() {
            self.empty.push(id);
            return Ok(());
        }
        // From the header and the supply alone, not from what the state says of the script.
        let hidden = script::treasury_hidden(&batch.parent, batch.supply);
        let expected = script::treasury_spend_info(self.genesis, batch.epoch, hidden)?.script;
        let found = transaction.output.first().map(|output| &output.script_pubkey);
        if found != Some(&expected) {
            self.faults.push(format!("batch {id}: {txid} does not commit to the header {}", batch.parent));
            return Ok(());
        }
        let depth = tip.height.get().saturating_sub(block.height.get());
        self.anchors.push(AnchoredHeader {
            batch: id,
            txid,
            block,
            confirmations: depth.saturating_add(1),
            height: SideHeight::new(batch.fixed.get().saturating_sub(1)),
            header: batch.parent,
            supply: batch.supply,
        });
        Ok(())
    }
}

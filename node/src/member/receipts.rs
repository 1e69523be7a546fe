//! What final blocks did, in the log: one line for each event of the peg.

use futures::future::BoxFuture;
use std::sync::Arc;
use tracing::{error, info, warn};
use windlass_ledger::{Applied, Block, Receipt, StateRead};
use windlass_sidechain::FinalizedPort;
use windlass_types::ChainNetwork;

/// Writes the log; addresses are the network's.
pub(super) struct Log(pub(super) ChainNetwork);

impl Log {
    fn line(&self, height: &str, receipt: &Receipt) {
        match receipt {
            Receipt::Anchored { .. } | Receipt::Transferred { .. } | Receipt::Moved { .. } => {}
            Receipt::Issued { asset, issuer, units, .. } => {
                info!(height, %asset, issuer = issuer.address(self.0), units, "asset issued");
            }
            Receipt::AssetBurned { asset, from, units, .. } => {
                info!(height, %asset, account = from.address(self.0), units, "asset burned");
            }
            Receipt::Proposed { id, number, height: Some(at) } => {
                info!(height, %id, number, %at, "a change is to come");
            }
            Receipt::Proposed { id, number, height: None } => {
                info!(height, %id, number, "the pending change is dropped");
            }
            Receipt::ParamsChanged { number } => info!(height, number, "new parameters are in force"),
            Receipt::EpochBegan { epoch } => info!(height, epoch, "a member has another identity from here on"),
            Receipt::Revealed { id, from, hash, .. } => {
                info!(height, %id, account = from.address(self.0), %hash, "preimage shown");
            }
            Receipt::Burned { id, from, amount } => {
                info!(height, %id, from = from.address(self.0), %amount, "peg-out burned");
            }
            Receipt::Claimed { outpoint, account, amount } => {
                info!(height, %outpoint, account = account.address(self.0), %amount, "deposit claimed");
            }
            Receipt::BatchFixed { batch, txid } => info!(height, batch, %txid, "batch fixed"),
            Receipt::BatchSettled { batch, txid, block } => info!(height, batch, %txid, %block, "batch settled"),
            Receipt::BatchVoided { batch, outpoint, txid } => {
                warn!(height, batch, %outpoint, %txid, "batch void: another transaction spent its input");
            }
            Receipt::Minted { outpoint, account, amount } => {
                info!(height, %outpoint, account = account.address(self.0), %amount, "deposit minted");
            }
            Receipt::Paid { id, outpoint, amount } => info!(height, %id, %outpoint, %amount, "peg-out paid"),
            Receipt::Reclaimed { outpoint, txid } => info!(height, %outpoint, %txid, "deposit reclaimed by its user"),
            Receipt::Lapsed { outpoint } => warn!(height, %outpoint, "deposit not swept in time"),
            Receipt::Breached { outpoint, txid } => {
                error!(height, %outpoint, %txid, "THE TREASURY WAS SPENT BY A TRANSACTION THAT IS NO BATCH");
            }
        }
    }
}

impl FinalizedPort for Log {
    fn finalized(&self, block: Arc<Block>, applied: Arc<Applied>, _: Arc<dyn StateRead>) -> BoxFuture<'static, ()> {
        let height = block.header.height.to_string();
        for receipt in &applied.receipts {
            self.line(&height, receipt);
        }
        Box::pin(std::future::ready(()))
    }
}

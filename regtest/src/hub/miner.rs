//! The one who mines, and gives the coins away.

use super::purse::{MATURITY, Purse};
use bitcoin::{Address, Amount, BlockHash, TxOut, Txid};
use tokio::sync::Mutex;
use windlass_chain::{Bitcoind, BroadcastError, RpcError, regtest};
use windlass_node::api::{ApiError, btc};
use windlass_types::BlockRef;

/// Blocks in one call of bitcoind's, so that none comes near the call's time limit.
const CHUNK: u32 = 100;
/// The most that one command mines.
pub const BLOCKS_MAX: u32 = 20_000;
/// The most that the faucet mines to make coins spendable.
const RIPEN_MAX: u32 = 400;

/// The miner and its coins.
#[derive(Debug)]
pub struct Miner {
    bitcoind: Bitcoind,
    regtest: regtest::Miner,
    purse: Purse,
    /// Held while coins are chosen and mined: a second payment would choose the same.
    turn: Mutex<()>,
}

/// An RPC's failure, for people.
pub fn rpc(error: RpcError) -> ApiError {
    if error.is_unreachable() {
        ApiError::not_running(error).hint("start what is down", "windlass up")
    } else {
        ApiError::failed(error)
    }
}

impl Miner {
    pub(super) fn new(bitcoind: Bitcoind, purse: Purse) -> Self {
        Self { regtest: regtest::Miner::new(bitcoind.clone()), bitcoind, purse, turn: Mutex::new(()) }
    }

    /// Bitcoin's tip.
    ///
    /// # Errors
    /// bitcoind does not answer.
    pub async fn tip(&self) -> Result<BlockRef, ApiError> {
        self.bitcoind.tip().await.map_err(rpc)
    }

    /// Mines `blocks` blocks, nobody told.
    ///
    /// # Errors
    /// Too many at once, or bitcoind does not answer.
    pub async fn mine(&self, blocks: u32) -> Result<Vec<BlockHash>, ApiError> {
        let _turn = self.turn.lock().await;
        self.mine_in_turn(blocks).await
    }

    /// Refuses more blocks than one command may mine.
    ///
    /// # Errors
    /// There are more.
    pub fn check_count(&self, blocks: u32) -> Result<(), ApiError> {
        if blocks <= BLOCKS_MAX {
            return Ok(());
        }
        Err(ApiError::usage(format!("{blocks} blocks are too many at once: at most {BLOCKS_MAX}")))
    }

    async fn mine_in_turn(&self, blocks: u32) -> Result<Vec<BlockHash>, ApiError> {
        self.check_count(blocks)?;
        let address = self.purse.reward_address();
        let mut hashes = Vec::new();
        let mut left = blocks;
        while left > 0 {
            let chunk = left.min(CHUNK);
            hashes.extend(self.regtest.mine(chunk, &address).await.map_err(rpc)?);
            left -= chunk;
        }
        Ok(hashes)
    }

    /// Pays and mines the payment into a block, nobody told. Where the coins are too young, mines
    /// until they are not.
    ///
    /// # Errors
    /// All coins together don't suffice, or bitcoind refuses or does not answer.
    pub async fn pay(&self, outputs: &[(Address, Amount)]) -> Result<Txid, ApiError> {
        let _turn = self.turn.lock().await;
        let outputs: Vec<TxOut> = outputs
            .iter()
            .map(|(address, value)| TxOut { value: *value, script_pubkey: address.script_pubkey() })
            .collect();
        let mut ripened = 0;
        loop {
            // A scan does not see the mempool: what is spent there must be in a block first.
            if !self.bitcoind.mempool().await.map_err(rpc)?.txids.is_empty() {
                self.mine_in_turn(1).await?;
            }
            let tip = self.bitcoind.tip().await.map_err(rpc)?;
            let coins = self.bitcoind.scan(&self.purse.scripts()).await.map_err(rpc)?;
            match self.purse.pay(&coins, tip.height, outputs.clone()) {
                Ok(transaction) => {
                    let txid = self.bitcoind.broadcast(&transaction).await.map_err(|error| match error {
                        BroadcastError::Rpc(error) => rpc(error),
                        rejected @ BroadcastError::Rejected { .. } => ApiError::failed(rejected),
                    })?;
                    self.mine_in_turn(1).await?;
                    return Ok(txid);
                }
                Err(short) if ripened < RIPEN_MAX => {
                    let young: Amount = coins.iter().map(|coin| coin.value).sum();
                    // What is there and young comes of age in at most 100 blocks; new rewards later.
                    let step = if young > short.need { 5 } else { MATURITY };
                    tracing::debug!(have = %short.have, need = %short.need, step, "the faucet's coins are too young");
                    self.mine_in_turn(step).await?;
                    ripened += step;
                }
                Err(short) => {
                    return Err(ApiError::insufficient(format!(
                        "the faucet has {}, that would take {}; on regtest the reward halves every 150 blocks, so there will not be much more",
                        btc(short.have),
                        btc(short.need)
                    ))
                    .hint("a fresh network has more", "windlass down --wipe && windlass up"));
                }
            }
        }
    }
}

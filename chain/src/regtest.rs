//! What only a private regtest chain can do: mine at will, and take blocks back.

use crate::{Bitcoind, RpcError};
use bitcoin::{Address, BlockHash};
use serde_json::{Value, json};

/// The miner's controls of a regtest bitcoind.
#[derive(Debug, Clone)]
pub struct Miner {
    bitcoind: Bitcoind,
}

impl Miner {
    /// Controls `bitcoind`, which refuses on any network but regtest.
    pub const fn new(bitcoind: Bitcoind) -> Self {
        Self { bitcoind }
    }

    /// Mines `count` blocks, of what the mempool holds, whose reward goes to `to`.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn mine(&self, count: u32, to: &Address) -> Result<Vec<BlockHash>, RpcError> {
        let hashes = self.bitcoind.call("generatetoaddress", vec![json!(count), json!(to.to_string())]).await?;
        self.flush().await?;
        Ok(hashes)
    }

    /// Makes bitcoind write its blocks' index and its coins, as a side effect of counting them.
    /// It does so rarely of its own, and after a `kill -9` blocks that no peer has are gone for ever.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn flush(&self) -> Result<(), RpcError> {
        self.bitcoind.call::<Value>("gettxoutsetinfo", vec![json!("none")]).await.map(drop)
    }

    /// Mines one block that holds nothing but its reward, which goes to `to`.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn mine_empty(&self, to: &Address) -> Result<BlockHash, RpcError> {
        #[derive(serde::Deserialize)]
        struct Answer {
            hash: BlockHash,
        }
        let nothing: [String; 0] = [];
        let answer: Answer = self.bitcoind.call("generateblock", vec![json!(to.to_string()), json!(nothing)]).await?;
        self.flush().await?;
        Ok(answer.hash)
    }

    /// Declares the block `hash` and all that follow it invalid.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn invalidate(&self, hash: BlockHash) -> Result<(), RpcError> {
        self.bitcoind.call::<Value>("invalidateblock", vec![json!(hash)]).await.map(drop)
    }

    /// Takes [`Self::invalidate`] back.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn reconsider(&self, hash: BlockHash) -> Result<(), RpcError> {
        self.bitcoind.call::<Value>("reconsiderblock", vec![json!(hash)]).await.map(drop)
    }

    /// Sets bitcoind's clock to `unix_seconds`; 0 gives it back.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn set_time(&self, unix_seconds: u64) -> Result<(), RpcError> {
        self.bitcoind.call::<Value>("setmocktime", vec![json!(unix_seconds)]).await.map(drop)
    }
}

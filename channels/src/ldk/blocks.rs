//! Blocks for LDK: bitcoind as a `BlockSource`, and all listeners as one.

use super::stack::{ChainMonitor, ChannelManager, Sweeper};
use crate::book::Tracer;
use bitcoin::pow::Work;
use bitcoin::{Block, BlockHash};
use lightning::chain::{BestBlock, Listen, transaction::TransactionData};
use lightning_block_sync::{
    AsyncBlockSourceResult, BlockData, BlockHeaderData, BlockSource, BlockSourceError, BlockSourceResult,
};
use std::sync::Arc;
use windlass_chain::{Bitcoind, RpcError};

/// A bitcoind in lightning-block-sync's words.
#[derive(Debug, Clone)]
pub(crate) struct Source(pub(crate) Bitcoind);

/// Whatever a bitcoind answers now may be different later: it may be starting, or syncing.
fn transient(error: RpcError) -> BlockSourceError {
    BlockSourceError::transient(error)
}

impl Source {
    async fn header(&self, hash: BlockHash) -> BlockSourceResult<BlockHeaderData> {
        let info = self.0.header(hash).await.map_err(transient)?;
        let info = info.ok_or_else(|| BlockSourceError::transient(format!("bitcoind does not know block {hash}")))?;
        Ok(BlockHeaderData {
            header: info.header,
            height: info.at.height.get(),
            chainwork: Work::from_be_bytes(info.chain_work),
        })
    }

    async fn block(&self, hash: BlockHash) -> BlockSourceResult<BlockData> {
        let block = self.0.block(hash).await.map_err(transient)?;
        let block = block.ok_or_else(|| BlockSourceError::transient(format!("bitcoind has no block {hash}")))?;
        Ok(BlockData::FullBlock(block))
    }

    async fn tip(&self) -> BlockSourceResult<(BlockHash, Option<u32>)> {
        let tip = self.0.tip().await.map_err(transient)?;
        Ok((tip.hash(), Some(tip.height.get())))
    }
}

impl BlockSource for Source {
    fn get_header<'a>(
        &'a self,
        hash: &'a BlockHash,
        _height_hint: Option<u32>,
    ) -> AsyncBlockSourceResult<'a, BlockHeaderData> {
        Box::pin(self.header(*hash))
    }

    fn get_block<'a>(&'a self, hash: &'a BlockHash) -> AsyncBlockSourceResult<'a, BlockData> {
        Box::pin(self.block(*hash))
    }

    fn get_best_block(&self) -> AsyncBlockSourceResult<'_, (BlockHash, Option<u32>)> {
        Box::pin(self.tip())
    }
}

/// Everything that reads blocks, in the order in which it must.
pub(crate) struct Listeners {
    pub(crate) chain_monitor: Arc<ChainMonitor>,
    pub(crate) channel_manager: Arc<ChannelManager>,
    pub(crate) sweeper: Arc<Sweeper>,
    pub(crate) tracer: Arc<Tracer>,
}

impl Listen for Listeners {
    fn block_connected(&self, block: &Block, height: u32) {
        self.tracer.block_connected(block, height);
        self.channel_manager.block_connected(block, height);
        self.chain_monitor.block_connected(block, height);
        self.sweeper.block_connected(block, height);
    }

    fn filtered_block_connected(&self, _: &bitcoin::block::Header, _: &TransactionData<'_>, _: u32) {
        debug_assert!(false, "our block source gives whole blocks");
    }

    fn blocks_disconnected(&self, fork: BestBlock) {
        self.tracer.blocks_disconnected(fork);
        self.channel_manager.blocks_disconnected(fork);
        self.chain_monitor.blocks_disconnected(fork);
        self.sweeper.blocks_disconnected(fork);
    }
}

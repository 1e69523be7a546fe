//! Bitcoin as this process sees it: the tip, followed; recent blocks, kept; what a sidechain block
//! may take from them.
//!
//! A bitcoind that is away, starting or behind is a normal state: the tip becomes an error, the
//! chain goes on without anchors, and everything resumes by itself.

use bitcoin::{Block, BlockHash, Network, Txid};
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use windlass_chain::{Bitcoind, RpcError};
use windlass_ledger::{BitcoinInputs, Header, MAX_INPUT_BLOCKS, StateRead, bitcoin_inputs, query};
use windlass_sidechain::BitcoinPort;
use windlass_types::{BlockRef, Blocks, BtcHeight};

/// How often bitcoind is asked for its tip.
const POLL: Duration = Duration::from_millis(200);
/// Most bytes of blocks that are kept.
const CACHE_BYTES: usize = 48 * 1024 * 1024;
/// A proposer collects Bitcoin blocks for so long; what it has by then is proposed.
const COLLECT: Duration = Duration::from_millis(200);
/// While another member's proposal can't be confirmed, look again at least this often.
const RECHECK: Duration = Duration::from_secs(1);
/// A transaction is looked for in at most so many of the newest blocks.
const SEARCH_BLOCKS_MAX: u32 = 2016;

/// One bitcoind, followed.
pub struct BitcoinView {
    bitcoind: Bitcoind,
    network: Network,
    tip: watch::Sender<Result<BlockRef, String>>,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    blocks: VecDeque<(BlockHash, Arc<Block>)>,
    bytes: usize,
}

impl Cache {
    fn get(&self, hash: &BlockHash) -> Option<Arc<Block>> {
        self.blocks.iter().rev().find(|(known, _)| known == hash).map(|(_, block)| block.clone())
    }

    fn put(&mut self, hash: BlockHash, block: Arc<Block>) {
        if self.get(&hash).is_some() {
            return;
        }
        self.bytes = self.bytes.saturating_add(block.total_size());
        self.blocks.push_back((hash, block));
        while self.bytes > CACHE_BYTES && self.blocks.len() > 1 {
            if let Some((_, oldest)) = self.blocks.pop_front() {
                self.bytes = self.bytes.saturating_sub(oldest.total_size());
            }
        }
    }
}

impl BitcoinView {
    /// A view of the bitcoind, which must be on `network`. Nothing is asked before [`Self::follow`].
    pub fn new(bitcoind: Bitcoind, network: Network) -> Arc<Self> {
        let tip = watch::Sender::new(Err("bitcoind has not been asked yet".into()));
        Arc::new(Self { bitcoind, network, tip, cache: Mutex::default() })
    }

    /// The bitcoind.
    pub const fn bitcoind(&self) -> &Bitcoind {
        &self.bitcoind
    }

    /// Its tip when last asked, or why there is none.
    pub fn tip(&self) -> Result<BlockRef, String> {
        self.tip.borrow().clone()
    }

    /// Each new tip.
    pub fn tips(&self) -> watch::Receiver<Result<BlockRef, String>> {
        self.tip.subscribe()
    }

    /// Follows the tip, for ever.
    pub async fn follow(self: Arc<Self>) {
        loop {
            let tip = self.ask().await;
            self.tip.send_if_modified(|known| {
                if *known == tip {
                    return false;
                }
                match (&*known, &tip) {
                    (Err(_), Ok(tip)) => info!(%tip, "bitcoind answers"),
                    (_, Ok(tip)) => debug!(%tip, "Bitcoin's tip moved"),
                    (Ok(_), Err(reason)) => warn!(reason, "bitcoind is away: going on without it"),
                    (Err(_), Err(_)) => {}
                }
                *known = tip;
                true
            });
            tokio::time::sleep(POLL).await;
        }
    }

    async fn ask(&self) -> Result<BlockRef, String> {
        if self.tip.borrow().is_err() {
            // It may be another one than before: started anew, on another chain.
            let network = self.bitcoind.network().await.map_err(|error| error.to_string())?;
            if network != self.network {
                return Err(format!("bitcoind is on {network}, this process is for {}", self.network));
            }
        }
        self.bitcoind.tip().await.map_err(|error| error.to_string())
    }

    /// The block of the best chain at `height`, with its hash; none above the tip.
    ///
    /// # Errors
    /// bitcoind did not answer.
    pub async fn block_at(&self, height: BtcHeight) -> Result<Option<(BlockHash, Arc<Block>)>, RpcError> {
        let Some(hash) = self.bitcoind.block_hash(height).await? else { return Ok(None) };
        let kept = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&hash);
        if let Some(block) = kept {
            return Ok(Some((hash, block)));
        }
        let Some(block) = self.bitcoind.block(hash).await? else { return Ok(None) };
        let block = Arc::new(block);
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).put(hash, block.clone());
        Ok(Some((hash, block)))
    }

    /// Confirmations of a transaction that is in a block after `after`: 0 if it is in none, or
    /// while bitcoind is away.
    pub async fn confirmations(&self, txid: Txid, after: BtcHeight) -> u32 {
        let Ok(tip) = self.tip() else { return 0 };
        let mut height = tip.height;
        while height > after && tip.height.get().saturating_sub(height.get()) < SEARCH_BLOCKS_MAX {
            let Ok(Some((_, block))) = self.block_at(height).await else { return 0 };
            if block.txdata.iter().any(|transaction| transaction.compute_txid() == txid) {
                return tip.height.get().saturating_sub(height.get()).saturating_add(1);
            }
            let Some(below) = height.previous() else { break };
            height = below;
        }
        0
    }

    /// The newest height that is buried `depth` deep, the block itself counted.
    fn buried(tip: BlockRef, depth: Blocks) -> Option<BtcHeight> {
        tip.height.checked_sub(Blocks::new(depth.get().saturating_sub(1)))
    }

    /// Consecutive blocks after `anchor` up to `newest`, as many as there is time for.
    async fn collect(&self, anchor: BlockRef, newest: BtcHeight) -> Result<Vec<(BtcHeight, Arc<Block>)>, RpcError> {
        let deadline = Instant::now() + COLLECT;
        let mut blocks = Vec::new();
        let mut last = anchor;
        while blocks.len() < MAX_INPUT_BLOCKS && Instant::now() < deadline {
            let Some(height) = last.height.next().filter(|height| *height <= newest) else { break };
            let Some((hash, block)) = self.block_at(height).await? else { break };
            if block.header.prev_blockhash != last.hash() {
                if blocks.is_empty() {
                    warn!(%anchor, "Bitcoin's best chain does not have the sidechain's anchor: no new anchors");
                }
                break;
            }
            blocks.push((height, block));
            last = BlockRef::new(height, hash);
        }
        Ok(blocks)
    }
}

/// What the sidechain takes from Bitcoin, as this member's bitcoind has it.
pub struct AnchorPort {
    view: Arc<BitcoinView>,
}

impl AnchorPort {
    /// Anchors are blocks that are buried as deep as the chain's parameters want for the block that takes them.
    pub const fn new(view: Arc<BitcoinView>) -> Self {
        Self { view }
    }

    /// The highest anchor that bitcoind could back now, in the block after `state`.
    pub fn newest(&self, state: &dyn StateRead) -> Option<BtcHeight> {
        BitcoinView::buried(self.view.tip().ok()?, depth(state)?)
    }
}

/// How deep an anchor of the block after `state` must be.
fn depth(state: &dyn StateRead) -> Option<Blocks> {
    match query::next_params(state) {
        Ok(params) => Some(params.anchor_depth),
        Err(error) => {
            warn!(%error, "the state can't be read");
            None
        }
    }
}

fn read(state: &dyn StateRead, blocks: &[(BtcHeight, Arc<Block>)]) -> Option<BitcoinInputs> {
    let blocks: Vec<(BtcHeight, &Block)> = blocks.iter().map(|(height, block)| (*height, &**block)).collect();
    match bitcoin_inputs(state, &blocks) {
        Ok(inputs) => Some(inputs),
        Err(error) => {
            warn!(%error, "the state can't be read");
            None
        }
    }
}

/// `Some` once it is settled, `None` while this member can't tell.
async fn judge(
    view: &BitcoinView,
    state: &dyn StateRead,
    parent: &Header,
    inputs: &BitcoinInputs,
) -> Result<Option<bool>, RpcError> {
    let Some(newest) = inputs.anchor() else { return Ok(Some(false)) };
    let (Ok(tip), Some(depth)) = (view.tip(), depth(state)) else { return Ok(None) };
    if BitcoinView::buried(tip, depth).is_none_or(|buried| buried < newest.height) {
        return Ok(None);
    }
    let mut blocks = Vec::new();
    let mut last = parent.anchor;
    for facts in &inputs.blocks {
        let Some(at) = facts.at() else { return Ok(Some(false)) };
        let Some((hash, block)) = view.block_at(at.height).await? else { return Ok(None) };
        if hash != at.hash() {
            // Ours has another block there. It may be ours that is on the losing branch.
            return Ok(None);
        }
        if last.height.next() != Some(at.height) || block.header.prev_blockhash != last.hash() {
            return Ok(Some(false));
        }
        blocks.push((at.height, block));
        last = at;
    }
    Ok(read(state, &blocks).map(|ours| ours == *inputs))
}

impl BitcoinPort for AnchorPort {
    fn propose(&self, state: Arc<dyn StateRead>, parent: Header) -> BoxFuture<'static, BitcoinInputs> {
        let view = self.view.clone();
        Box::pin(async move {
            let newest = view.tip().ok().zip(depth(&*state)).and_then(|(tip, depth)| BitcoinView::buried(tip, depth));
            let Some(newest) = newest.filter(|newest| *newest > parent.anchor.height) else {
                return BitcoinInputs::default();
            };
            match view.collect(parent.anchor, newest).await {
                Ok(blocks) => read(&*state, &blocks).unwrap_or_default(),
                Err(error) => {
                    debug!(%error, "proposing without Bitcoin");
                    BitcoinInputs::default()
                }
            }
        })
    }

    fn check(&self, state: Arc<dyn StateRead>, parent: Header, inputs: BitcoinInputs) -> BoxFuture<'static, bool> {
        let view = self.view.clone();
        Box::pin(async move {
            let mut tips = view.tips();
            loop {
                tips.mark_unchanged();
                match judge(&view, &*state, &parent, &inputs).await {
                    Ok(Some(verdict)) => return verdict,
                    Ok(None) => {}
                    Err(error) => debug!(%error, "can't check Bitcoin inputs yet"),
                }
                // Whichever comes first; an error means that nobody follows the tip any more.
                let _ = tokio::time::timeout(RECHECK, tips.changed()).await;
            }
        })
    }
}

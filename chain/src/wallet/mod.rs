//! The on-chain wallet: BDK with BIP86 descriptors, its change sets in a store.
//!
//! BDK watches and chooses coins with public descriptors; the keys are ours ([`keys`]). Whatever
//! changes is persisted before the method returns, but for blocks that hold nothing of ours: those
//! are written every [`SAVE_EVERY_BLOCKS`], and followed again after a crash.

mod build;
mod keys;
mod sync;
mod view;

pub use build::{BuildError, Built, BuiltMany, Chosen, Quantity, SendError};
pub use keys::SignError;
pub use sync::{SyncError, WalletSync};
pub use view::{Balance, WalletTx, WalletUtxo};

use bdk_wallet::chain::{BlockId, Merge as _, local_chain::ApplyHeaderError};
use bdk_wallet::{ChangeSet, KeychainKind};
use bitcoin::{Address, Block, Network, OutPoint, ScriptBuf, Transaction, Txid};
use keys::Keys;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use windlass_store::{Store, StoreError, Writes};
use windlass_types::{BlockRef, BtcHeight};

/// The journal of change sets.
const TABLE: &str = "wallet";

/// Empty blocks between two writes of the position: at most so many are read again after a crash.
const SAVE_EVERY_BLOCKS: u32 = 50;

/// Why the wallet could not be opened or could not keep a change.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// The store failed.
    #[error("the wallet's state can't be kept")]
    Store(#[from] StoreError),
    /// What lies in the store is no state of this wallet.
    #[error("the wallet's stored state does not fit: {0}")]
    Mismatch(String),
    /// The block doesn't follow on any block that the wallet knows.
    #[error("block {0} does not connect to the wallet's chain")]
    Unconnected(BlockRef),
}

struct Inner {
    bdk: bdk_wallet::Wallet,
    /// Coins of transactions that were built and not yet seen on the network. In memory only: after
    /// a restart nobody holds such a transaction any more, or it was broadcast and shows there.
    held: BTreeSet<OutPoint>,
    unsaved_blocks: u32,
    /// BDK orders sightings and evictions by seconds; two events of ours never share one.
    last_stamp: u64,
}

/// The wallet. All methods take `&self` and may be called from any thread; those that change
/// something wait for the disk.
pub struct Wallet {
    network: Network,
    keys: Keys,
    store: Arc<Store>,
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

impl std::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wallet").field("network", &self.network).finish_non_exhaustive()
    }
}

impl Wallet {
    /// Opens the wallet of `seed` whose state lies in `store`, or starts a new one at the genesis
    /// block.
    ///
    /// # Errors
    /// The store fails, or holds the state of another seed or network.
    pub fn open(seed: &[u8; 32], network: Network, store: Arc<Store>) -> Result<Arc<Self>, WalletError> {
        let keys = Keys::new(seed, network);
        let journal = store.journal(TABLE, 0)?;
        let mut merged = ChangeSet::default();
        for (position, bytes) in &journal {
            let change: ChangeSet = serde_json::from_slice(bytes)
                .map_err(|error| WalletError::Mismatch(format!("change set {position}: {error}")))?;
            merged.merge(change);
        }
        let bdk = if merged.is_empty() { Self::create(&keys, network)? } else { Self::load(&keys, network, &merged)? };
        if journal.len() > 1 {
            let bytes = to_json(&merged);
            store.commit(Writes::new().clear(TABLE).append(TABLE, &bytes))?;
        }
        let inner = Inner { bdk, held: BTreeSet::new(), unsaved_blocks: 0, last_stamp: 0 };
        let wallet = Self { network, keys, store, inner: Mutex::new(inner), changed: watch::Sender::new(0) };
        wallet.save(&mut wallet.lock())?;
        Ok(Arc::new(wallet))
    }

    fn create(keys: &Keys, network: Network) -> Result<bdk_wallet::Wallet, WalletError> {
        let (external, internal) = keys.descriptors();
        bdk_wallet::Wallet::create(external, internal)
            .network(network)
            .create_wallet_no_persist()
            .map_err(|error| WalletError::Mismatch(error.to_string()))
    }

    fn load(keys: &Keys, network: Network, state: &ChangeSet) -> Result<bdk_wallet::Wallet, WalletError> {
        let (external, internal) = keys.descriptors();
        bdk_wallet::Wallet::load()
            .descriptor(KeychainKind::External, Some(external))
            .descriptor(KeychainKind::Internal, Some(internal))
            .check_network(network)
            .load_wallet_no_persist(state.clone())
            .map_err(|error| WalletError::Mismatch(error.to_string()))?
            .ok_or_else(|| WalletError::Mismatch("it holds no wallet".into()))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held leaves at worst a change that is not persisted yet.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is staged. On a failure it stays staged and goes with the next write.
    fn save(&self, inner: &mut Inner) -> Result<(), WalletError> {
        if let Some(staged) = inner.bdk.staged() {
            self.store.append(TABLE, &to_json(staged))?;
            inner.bdk.take_staged();
        }
        inner.unsaved_blocks = 0;
        Ok(())
    }

    fn notify(&self) {
        self.changed.send_modify(|revision| *revision = revision.wrapping_add(1));
    }

    /// The network.
    pub const fn network(&self) -> Network {
        self.network
    }

    /// Changes whenever a block or a transaction of ours has come in.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The block that was applied last.
    pub fn tip(&self) -> BlockRef {
        let tip = self.lock().bdk.latest_checkpoint();
        BlockRef::new(BtcHeight::new(tip.height()), tip.hash())
    }

    /// The last blocks that were applied, each the parent of the next, at most `limit`.
    fn history(&self, limit: usize) -> Vec<BlockRef> {
        let mut blocks: Vec<BlockRef> = Vec::new();
        for point in self.lock().bdk.checkpoints().take(limit) {
            let at = BlockRef::new(BtcHeight::new(point.height()), point.hash());
            if blocks.last().is_some_and(|child| child.height.previous() != Some(at.height)) {
                break;
            }
            blocks.push(at);
        }
        blocks.reverse();
        blocks
    }

    /// An address that was never given out before.
    ///
    /// # Errors
    /// The store fails: an address that may be forgotten is not given out.
    pub fn address(&self) -> Result<Address, WalletError> {
        let mut inner = self.lock();
        let address = inner.bdk.reveal_next_address(KeychainKind::External).address;
        self.save(&mut inner)?;
        Ok(address)
    }

    /// How many addresses were given out, outer ones and those for change.
    pub fn revealed(&self) -> [u32; 2] {
        let inner = self.lock();
        [KeychainKind::External, KeychainKind::Internal]
            .map(|keychain| inner.bdk.derivation_index(keychain).map_or(0, |last| last.saturating_add(1)))
    }

    /// Counts the first so many addresses as given out, so that what was paid to them is found.
    ///
    /// # Errors
    /// The store fails.
    pub fn reveal_to(&self, counts: [u32; 2]) -> Result<(), WalletError> {
        let mut inner = self.lock();
        for (keychain, count) in [KeychainKind::External, KeychainKind::Internal].into_iter().zip(counts) {
            if let Some(last) = count.checked_sub(1) {
                inner.bdk.reveal_addresses_to(keychain, last).for_each(drop);
            }
        }
        self.save(&mut inner)
    }

    /// A script of ours for change; the same until something was paid to it.
    ///
    /// # Errors
    /// The store fails.
    pub fn change_script(&self) -> Result<ScriptBuf, WalletError> {
        let mut inner = self.lock();
        let script = inner.bdk.next_unused_address(KeychainKind::Internal).script_pubkey();
        self.save(&mut inner)?;
        Ok(script)
    }

    /// True if `script` is one of ours.
    pub fn is_mine(&self, script: &ScriptBuf) -> bool {
        self.lock().bdk.is_mine(script.clone())
    }

    /// Takes in the next block of the best chain. A block at a height that is already there replaces
    /// it and what followed it.
    ///
    /// # Errors
    /// It doesn't connect, or the store fails.
    pub fn apply_block(&self, block: &Block, at: BlockRef) -> Result<(), WalletError> {
        let mut inner = self.lock();
        let height = at.height.get();
        let parent = match height.checked_sub(1) {
            Some(parent) => BlockId { height: parent, hash: block.header.prev_blockhash },
            None => BlockId { height, hash: at.hash() },
        };
        let tip = inner.bdk.latest_checkpoint();
        // A wallet that starts late hangs its first block on what it has.
        let connected_to = if parent.height > tip.height() { tip.block_id() } else { parent };
        inner.bdk.apply_block_connected_to(block, height, connected_to).map_err(|error| match error {
            ApplyHeaderError::InconsistentBlocks | ApplyHeaderError::CannotConnect(_) => WalletError::Unconnected(at),
        })?;
        inner.unsaved_blocks += 1;
        let ours = inner.bdk.staged().is_some_and(|staged| !staged.tx_graph.is_empty() || !staged.indexer.is_empty());
        if ours || inner.unsaved_blocks >= SAVE_EVERY_BLOCKS {
            self.save(&mut inner)?;
        }
        drop(inner);
        self.notify();
        Ok(())
    }

    /// Takes in a transaction that was handed to the network, or seen there; ours or not.
    ///
    /// # Errors
    /// The store fails.
    pub fn insert_unconfirmed(&self, transactions: Vec<Transaction>) -> Result<(), WalletError> {
        let mut inner = self.lock();
        let stamp = inner.stamp();
        for transaction in &transactions {
            for input in &transaction.input {
                inner.held.remove(&input.previous_output);
            }
        }
        inner.bdk.apply_unconfirmed_txs(transactions.into_iter().map(|transaction| (transaction, stamp)));
        let changed = inner.bdk.staged().is_some();
        self.save(&mut inner)?;
        drop(inner);
        if changed {
            self.notify();
        }
        Ok(())
    }

    /// Forgets transactions that the network has dropped: their coins are there again.
    fn evict(&self, txids: &[Txid]) -> Result<(), WalletError> {
        let mut inner = self.lock();
        let stamp = inner.stamp();
        inner.bdk.apply_evicted_txs(txids.iter().map(|txid| (*txid, stamp)));
        self.save(&mut inner)?;
        drop(inner);
        self.notify();
        Ok(())
    }

    /// Writes the position among blocks, for a clean stop.
    ///
    /// # Errors
    /// The store fails.
    pub fn flush(&self) -> Result<(), WalletError> {
        self.save(&mut self.lock())
    }
}

impl Inner {
    fn stamp(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.last_stamp = now.max(self.last_stamp.saturating_add(1));
        self.last_stamp
    }
}

fn to_json(change: &ChangeSet) -> Vec<u8> {
    serde_json::to_vec(change).expect("a change set has string or number keys only")
}

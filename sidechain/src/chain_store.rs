//! The finalised chain on disk: state, blocks, certificates and where each transaction is. One
//! durable commit for all that becomes final together. A chain that began from a snapshot has nothing of the blocks
//! up to it but the newest one's certificate.

use crate::snapshot::Head;
use crate::tree::Tip;
use borsh::{BorshDeserialize, BorshSerialize};
use std::sync::{Arc, PoisonError, RwLock};
use windlass_ledger::{
    Applied, Block, ChangeSet, DecodeError, Genesis, Header, Overlay, StateError, StateRead, genesis_state, keys,
    query, smt,
};
use windlass_light::EpochLink;
use windlass_store::{Snapshot, Store, StoreError, Writes};
use windlass_types::{ChainId, Digest, SideHeight};

const STATE: &str = "state";
const BLOCKS: &str = "blocks";
const CERTIFICATES: &str = "certificates";
const RECEIPTS: &str = "receipts";
const TRANSACTIONS: &str = "transactions";
/// How each epoch of the members follows from the one before, by its number.
const LINKS: &str = "links";
const META: &str = "meta";

/// All of them.
pub(crate) const TABLES: [&str; 7] = [STATE, BLOCKS, CERTIFICATES, RECEIPTS, TRANSACTIONS, META, LINKS];
const CHAIN: &[u8] = b"chain";
const BASE: &[u8] = b"base";

/// Why the finalised chain can't be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainStoreError {
    /// The file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state in it can't be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file holds another chain.
    #[error("this store holds the chain {found}, not {expected}")]
    OtherChain {
        /// The chain asked for.
        expected: ChainId,
        /// The chain in the file, in hex.
        found: String,
    },
    /// An entry that was written here doesn't decode.
    #[error("{what} of height {height} is damaged: {reason}")]
    Damaged {
        /// Which entry.
        what: &'static str,
        /// Its height.
        height: SideHeight,
        /// What the decoder says.
        reason: String,
    },
    /// A block that doesn't follow the tip.
    #[error("block {found} does not follow the tip {tip}")]
    Gap {
        /// The tip's height.
        tip: SideHeight,
        /// The block's height.
        found: SideHeight,
    },
}

/// A final block with its proof and what it did.
#[derive(Clone)]
pub struct Finalised {
    /// The block.
    pub block: Arc<Block>,
    /// Its certificate, as [`verify_block`](crate::verify_block) reads it.
    pub certificate: Vec<u8>,
    /// What it did.
    pub applied: Arc<Applied>,
}

/// Where a transaction became final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The block.
    pub height: SideHeight,
    /// Its place among the block's transactions.
    pub index: u32,
}

/// The snapshot that a chain began from: what came before was not validated here.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Base {
    /// The header of its block.
    pub header: Header,
    /// Which members had signed it, by their index.
    pub signers: Vec<u16>,
}

/// The finalised chain in one [`Store`]; see the module's head.
pub struct ChainStore {
    store: Arc<Store>,
    base: Option<Base>,
    genesis: Arc<Genesis>,
    tip: RwLock<Tip>,
}

struct View(Snapshot);

fn state_error(error: StoreError) -> StateError {
    StateError::Read(error.to_string())
}

impl StateRead for View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        self.0.get(key).map_err(state_error)
    }

    fn scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StateError> {
        self.0.scan(prefix).map_err(state_error)
    }

    fn page(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StateError> {
        self.0.page(prefix, from, limit).map_err(state_error)
    }
}

fn key(height: SideHeight) -> [u8; 8] {
    height.get().to_be_bytes()
}

impl ChainStore {
    /// Opens the chain of `genesis` in `store`; writes its first state if the store is empty.
    ///
    /// # Errors
    /// The store holds another chain, or fails.
    pub fn open(store: Arc<Store>, genesis: Arc<Genesis>) -> Result<Arc<Self>, ChainStoreError> {
        let chain = genesis.chain_id();
        match store.get(META, CHAIN)? {
            None => {
                let (changes, _) = genesis_state(&genesis);
                let mut writes = Writes::new().put(META, CHAIN, chain.0.as_bytes());
                put_changes(&mut writes, &changes);
                store.commit(writes)?;
            }
            Some(found) if found == chain.0.as_bytes() => {}
            Some(found) => return Err(ChainStoreError::OtherChain { expected: chain, found: hex::encode(found) }),
        }
        let tip = read_tip(&store)?;
        let base = store.get(META, BASE)?.map(|bytes| {
            borsh::from_slice(&bytes).map_err(|error| ChainStoreError::Damaged {
                what: "the snapshot that the chain began from",
                height: tip.header.height,
                reason: error.to_string(),
            })
        });
        Ok(Arc::new(Self { store, base: base.transpose()?, genesis, tip: RwLock::new(tip) }))
    }

    /// Whether `store` has begun a chain.
    pub(crate) fn has_begun(store: &Store) -> Result<bool, StoreError> {
        Ok(store.get(META, CHAIN)?.is_some())
    }

    /// The chain's genesis.
    pub fn genesis(&self) -> &Arc<Genesis> {
        &self.genesis
    }

    pub(crate) fn tip_view(&self) -> Tip {
        self.tip.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The header of the newest final block.
    pub fn tip(&self) -> Header {
        self.tip_view().header
    }

    /// The state after the newest final block. It doesn't move: ask again for a newer one.
    pub fn view(&self) -> Arc<dyn StateRead> {
        self.tip_view().view
    }

    /// The snapshot that the chain began from; none if it began from the genesis.
    pub const fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    /// The certificate of the block at `height`; `None` where [`Self::block`] has none, but for the snapshot's own block.
    ///
    /// # Errors
    /// The store fails.
    pub fn certificate(&self, height: SideHeight) -> Result<Option<Vec<u8>>, ChainStoreError> {
        Ok(self.store.get(CERTIFICATES, &key(height))?)
    }

    /// The block at `height` and its certificate; `None` above the tip, for the genesis, and up to the snapshot that the
    /// chain began from.
    ///
    /// # Errors
    /// The store fails or an entry is damaged.
    pub fn block(&self, height: SideHeight) -> Result<Option<(Block, Vec<u8>)>, ChainStoreError> {
        let Some(bytes) = self.store.get(BLOCKS, &key(height))? else { return Ok(None) };
        let damaged = |what, reason| ChainStoreError::Damaged { what, height, reason };
        let block = Block::decode(&bytes).map_err(|error: DecodeError| damaged("the block", error.to_string()))?;
        let certificate = self.store.get(CERTIFICATES, &key(height))?;
        let certificate = certificate.ok_or_else(|| damaged("the certificate", "it is missing".into()))?;
        Ok(Some((block, certificate)))
    }

    /// The canonical encoding of the block at `height`; `None` above the tip and for the genesis.
    ///
    /// # Errors
    /// The store fails.
    pub fn block_bytes(&self, height: SideHeight) -> Result<Option<Vec<u8>>, ChainStoreError> {
        Ok(self.store.get(BLOCKS, &key(height))?)
    }

    /// What the block at `height` did, as the ledger's receipts in JSON (a list).
    ///
    /// # Errors
    /// The store fails.
    pub fn receipts(&self, height: SideHeight) -> Result<Option<String>, ChainStoreError> {
        let bytes = self.store.get(RECEIPTS, &key(height))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Where transaction `id` became final.
    ///
    /// # Errors
    /// The store fails.
    pub fn location(&self, id: &Digest) -> Result<Option<Location>, ChainStoreError> {
        let Some(bytes) = self.store.get(TRANSACTIONS, id.as_bytes())? else { return Ok(None) };
        let Some((height, index)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
        let Ok(index) = <[u8; 4]>::try_from(index) else { return Ok(None) };
        let height = SideHeight::new(u64::from_be_bytes(*height));
        Ok(Some(Location { height, index: u32::from_be_bytes(index) }))
    }

    /// How the members of each epoch follow from those before, from the genesis to the epoch of the block after the
    /// newest: what a light client needs beside the genesis.
    ///
    /// # Errors
    /// The store fails, or an entry is damaged.
    pub fn links(&self) -> Result<Vec<EpochLink>, ChainStoreError> {
        let rows = self.store.snapshot(LINKS)?.scan(&[])?;
        let link = |(_, bytes): &(Vec<u8>, Vec<u8>)| {
            borsh::from_slice(bytes).map_err(|error: std::io::Error| ChainStoreError::Damaged {
                what: "a link between epochs",
                height: self.tip().height,
                reason: error.to_string(),
            })
        };
        rows.iter().map(link).collect()
    }

    /// Writes `blocks`, which follow the tip, in one durable commit. Blocks for an fsync.
    ///
    /// # Errors
    /// The blocks don't follow the tip, or the store fails; then nothing was written.
    pub fn commit(&self, blocks: &[Finalised]) -> Result<(), ChainStoreError> {
        let mut at = self.tip_view();
        let mut writes = Writes::new();
        for entry in blocks {
            let header = &entry.block.header;
            if Some(header.height) != at.header.height.next() || header.parent != at.digest {
                return Err(ChainStoreError::Gap { tip: at.header.height, found: header.height });
            }
            put_changes(&mut writes, &entry.applied.changes);
            writes.add_put(BLOCKS, &key(header.height), &entry.block.encode());
            writes.add_put(CERTIFICATES, &key(header.height), &entry.certificate);
            if !entry.applied.receipts.is_empty() {
                let receipts = serde_json::to_vec(&entry.applied.receipts).unwrap_or_default();
                writes.add_put(RECEIPTS, &key(header.height), &receipts);
            }
            for (index, id) in (0u32..).zip(&entry.applied.ids) {
                let mut place = key(header.height).to_vec();
                place.extend_from_slice(&index.to_be_bytes());
                writes.add_put(TRANSACTIONS, id.as_bytes(), &place);
            }
            let after: Arc<dyn StateRead> = Arc::new(Overlay::new(at.view, entry.applied.changes.clone()));
            if let Some((number, link)) = link_after(entry, &*after)? {
                writes.add_put(LINKS, &number.to_be_bytes(), &link);
            }
            at = Tip::new(*header, after);
        }
        self.store.commit(writes)?;
        let tip = read_tip(&self.store)?;
        *self.tip.write().unwrap_or_else(PoisonError::into_inner) = tip;
        Ok(())
    }
}

/// If the block is an epoch's last: the next one's number, and how its members follow. `view` is the state after it;
/// later states prove the same, but under headers that the next epoch's members make final.
fn link_after(entry: &Finalised, view: &dyn StateRead) -> Result<Option<(u64, Vec<u8>)>, ChainStoreError> {
    let newest = query::newest_epoch(view)?;
    let header = &entry.block.header;
    if header.height.next() != Some(newest.first) || newest.number == 0 {
        return Ok(None);
    }
    let key = keys::epoch(newest.number);
    let epoch = view.get(&key)?.ok_or_else(|| StateError::Missing(hex::encode(&key)))?;
    let encoded = "writing to a vector does not fail and no length reaches u32";
    let link = EpochLink {
        header: borsh::to_vec(header).expect(encoded),
        certificate: entry.certificate.clone(),
        epoch,
        proof: borsh::to_vec(&smt::prove(view, &key)?).expect(encoded),
    };
    Ok(Some((newest.number, borsh::to_vec(&link).expect(encoded))))
}

/// The state that `store` has so far.
pub(crate) fn state_view(store: &Store) -> Result<Arc<dyn StateRead>, StoreError> {
    Ok(Arc::new(View(store.snapshot(STATE)?)))
}

/// The writes that bring a store's state on.
pub(crate) fn state_writes(changes: &ChangeSet) -> Writes {
    let mut writes = Writes::new();
    put_changes(&mut writes, changes);
    writes
}

/// The last writes of a store that was filled from a snapshot: from then on it is a chain.
pub(crate) fn begun(last: &ChangeSet, head: &Head, signers: &[u16]) -> Writes {
    const ENCODED: &str = "writing to a vector does not fail and no length reaches u32";
    let header = &head.header;
    let base = borsh::to_vec(&Base { header: *header, signers: signers.to_vec() }).expect(ENCODED);
    let mut writes = state_writes(last);
    for (number, link) in (1u64..).zip(&head.links) {
        writes.add_put(LINKS, &number.to_be_bytes(), &borsh::to_vec(link).expect(ENCODED));
    }
    writes.put(CERTIFICATES, &key(header.height), &head.certificate).put(META, BASE, &base).put(
        META,
        CHAIN,
        header.chain.0.as_bytes(),
    )
}

fn put_changes(writes: &mut Writes, changes: &ChangeSet) {
    for (key, value) in changes.iter() {
        match value {
            Some(value) => writes.add_put(STATE, key, value),
            None => writes.add_delete(STATE, key),
        }
    }
}

fn read_tip(store: &Store) -> Result<Tip, ChainStoreError> {
    let view = state_view(store)?;
    let header = query::tip(&*view)?;
    Ok(Tip::new(header, view))
}

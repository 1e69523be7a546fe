//! The final tip and the blocks above it that are not final yet, each with what it changes.
//!
//! Blocks are built and checked on parents that are not final (waiting for them deadlocks), so
//! their changes lie in memory over the finalised state until they are final or dropped.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use windlass_ledger::{Applied, Block, Header, Overlay, StateRead};
use windlass_types::{Digest, SideHeight};

/// The finalised state.
#[derive(Clone)]
pub(crate) struct Tip {
    pub header: Header,
    pub digest: Digest,
    pub view: Arc<dyn StateRead>,
}

impl Tip {
    pub fn new(header: Header, view: Arc<dyn StateRead>) -> Self {
        let digest = header.digest();
        Self { header, digest, view }
    }
}

/// A block that was executed and is not final.
#[derive(Clone)]
pub(crate) struct Node {
    pub block: Arc<Block>,
    pub applied: Arc<Applied>,
    ids: Arc<HashSet<Digest>>,
}

/// The state after one block, final or not.
pub(crate) struct Branch {
    pub header: Header,
    pub view: Arc<dyn StateRead>,
    /// The transactions of the blocks above the tip, one set a block.
    pub included: Vec<Arc<HashSet<Digest>>>,
}

impl Branch {
    pub fn includes(&self, id: &Digest) -> bool {
        self.included.iter().any(|ids| ids.contains(id))
    }
}

struct Inner {
    tip: Tip,
    nodes: BTreeMap<Digest, Node>,
    /// Of the blocks that lost, the newest: a late vote for one of them is worth a look.
    lost: VecDeque<(Digest, Header)>,
}

/// How many are remembered.
const MAX_LOST: usize = 64;

/// See the module's head.
pub(crate) struct Tree(Mutex<Inner>);

impl Tree {
    pub fn new(tip: Tip) -> Self {
        Self(Mutex::new(Inner { tip, nodes: BTreeMap::new(), lost: VecDeque::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tip(&self) -> Tip {
        self.lock().tip.clone()
    }

    pub fn node(&self, digest: &Digest) -> Option<Node> {
        self.lock().nodes.get(digest).cloned()
    }

    /// The header of a block that was executed here, above the tip or beside it.
    pub fn header(&self, digest: &Digest) -> Option<Header> {
        let inner = self.lock();
        let above = inner.nodes.get(digest).map(|node| node.block.header);
        above.or_else(|| inner.lost.iter().find(|(lost, _)| lost == digest).map(|(_, header)| *header))
    }

    /// The state after block `digest`, if it is the tip or was executed on top of it.
    pub fn branch(&self, digest: &Digest) -> Option<Branch> {
        let inner = self.lock();
        let mut path: Vec<&Node> = Vec::new();
        let mut at = *digest;
        while at != inner.tip.digest {
            let node = inner.nodes.get(&at)?;
            path.push(node);
            at = node.block.header.parent;
        }
        let header = path.first().map_or(inner.tip.header, |node| node.block.header);
        let mut view = inner.tip.view.clone();
        for node in path.iter().rev() {
            view = Arc::new(Overlay::new(view, node.applied.changes.clone()));
        }
        Some(Branch { header, view, included: path.iter().map(|node| node.ids.clone()).collect() })
    }

    pub fn insert(&self, block: Arc<Block>, applied: Arc<Applied>) {
        let digest = block.header.digest();
        let ids = Arc::new(applied.ids.iter().copied().collect());
        let mut inner = self.lock();
        if block.header.height > inner.tip.header.height {
            inner.nodes.insert(digest, Node { block, applied, ids });
        }
    }

    /// The chain is final up to `tip`: forgets what is not above it.
    pub fn advance(&self, tip: Tip) {
        let mut inner = self.lock();
        let mut at = tip.digest;
        while let Some(node) = inner.nodes.remove(&at) {
            at = node.block.header.parent;
        }
        let height: SideHeight = tip.header.height;
        let headers = inner.nodes.iter().map(|(digest, node)| (*digest, node.block.header));
        let lost: Vec<(Digest, Header)> = headers.filter(|(_, header)| header.height <= height).collect();
        inner.nodes.retain(|_, node| node.block.header.height > height);
        inner.lost.extend(lost);
        while inner.lost.len() > MAX_LOST {
            inner.lost.pop_front();
        }
        inner.tip = tip;
    }
}

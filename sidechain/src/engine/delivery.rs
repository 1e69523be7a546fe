//! Final blocks, in order, from the engine into the durable state.
//!
//! The engine delivers each final block at least once and waits for an acknowledgement. Here a
//! block is executed (or was, when it was voted for), shown to the [`FinalizedPort`], written with
//! its state and certificate in one durable commit, and only then acknowledged. While the member
//! catches up, the blocks that wait share a commit.
//!
//! [`FinalizedPort`]: crate::FinalizedPort

use crate::chain_store::Finalised;
use crate::core::Core;
use crate::engine::block::Sealed;
use commonware_actor::Feedback;
use commonware_codec::Encode as _;
use commonware_consensus::marshal::core::Mailbox;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::marshal::{Identifier, Update};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::Height;
use commonware_consensus::{Heightable as _, Reporter};
use commonware_cryptography::Digested;
use commonware_runtime::{Clock, Spawner};
use commonware_utils::Acknowledgement as _;
use commonware_utils::acknowledgement::Exact;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::error;
use windlass_ledger::{Applied, Block, StateRead};
use windlass_light::Certificate;
use windlass_types::SideHeight;

/// Most blocks in one durable commit, and in flight between the engine and this task.
pub(crate) const MAX_COMMIT: usize = 32;
/// Pause before something that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// The same where only a person can help.
const STANDSTILL: Duration = Duration::from_secs(5);

type Marshal = Mailbox<Scheme, Standard<Sealed>>;
type Delivered = (Digested<Sealed>, Exact);

/// The engine's end: takes the updates.
#[derive(Clone)]
pub(crate) struct Delivery {
    blocks: mpsc::UnboundedSender<Delivered>,
    core: Arc<Core>,
}

impl Delivery {
    pub fn new(core: Arc<Core>) -> (Self, mpsc::UnboundedReceiver<Delivered>) {
        let (blocks, receiver) = mpsc::unbounded_channel();
        (Self { blocks, core }, receiver)
    }
}

impl Reporter for Delivery {
    type Activity = Update<Sealed>;

    fn report(&mut self, update: Self::Activity) -> Feedback {
        match update {
            Update::Tip(_, height, _) => {
                let height = SideHeight::new(height.get());
                self.core.network_height.update(|known| known.max(height));
                Feedback::Ok
            }
            // The engine has at most `MAX_COMMIT` in flight, so the queue is bounded.
            Update::Block(block, acknowledgement) => match self.blocks.send((block, acknowledgement)) {
                Ok(()) => Feedback::Ok,
                Err(_) => Feedback::Closed,
            },
        }
    }
}

struct Task<E> {
    context: E,
    core: Arc<Core>,
    marshal: Marshal,
}

/// Starts the task that makes blocks final.
pub(crate) fn start<E: Spawner + Clock>(
    context: E,
    core: Arc<Core>,
    marshal: Marshal,
    delivered: mpsc::UnboundedReceiver<Delivered>,
) {
    // A thread of its own: it waits for the disk.
    context.dedicated().spawn(move |context| Task { context, core, marshal }.run(delivered));
}

impl<E: Clock> Task<E> {
    async fn run(self, mut delivered: mpsc::UnboundedReceiver<Delivered>) {
        while let Some(first) = delivered.recv().await {
            let mut batch = vec![first];
            while batch.len() < MAX_COMMIT
                && let Ok(next) = delivered.try_recv()
            {
                batch.push(next);
            }
            self.make_final(batch).await;
        }
    }

    async fn make_final(&self, batch: Vec<Delivered>) {
        let (blocks, acknowledgements): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let mut entries: Vec<Finalised> = Vec::with_capacity(blocks.len());
        for block in &blocks {
            let tip = self.core.tree.tip().header.height;
            if block.inner().block().header.height <= tip {
                continue;
            }
            // Only if this member's state is older than what the engine remembers to have delivered.
            for missing in self.missing(&entries, block).await {
                entries.push(self.finish(&missing).await);
            }
            entries.push(self.finish(block).await);
        }
        if !entries.is_empty() {
            self.commit(&entries).await;
        }
        for acknowledgement in acknowledgements {
            acknowledgement.acknowledge();
        }
    }

    async fn missing(&self, entries: &[Finalised], block: &Digested<Sealed>) -> Vec<Digested<Sealed>> {
        let newest = entries.last().map_or(self.core.tree.tip().header.height, |e| e.block.header.height);
        let mut missing = Vec::new();
        for height in newest.get() + 1..block.height().get() {
            missing.push(self.block_at(height).await);
        }
        missing
    }

    async fn block_at(&self, height: u64) -> Digested<Sealed> {
        loop {
            if let Some(block) = self.marshal.get_block(Identifier::Height(Height::new(height))).await {
                return block;
            }
            error!(height, "the engine has no block that it called final; waiting for it");
            self.context.sleep(RETRY).await;
        }
    }

    /// Executes a final block, finds its certificate and tells the port.
    async fn finish(&self, sealed: &Digested<Sealed>) -> Finalised {
        let block = sealed.inner().block();
        let (applied, view) = loop {
            let failure = match self.executed(block) {
                Ok(executed) => break executed,
                Err(failure) => failure,
            };
            // A quorum made final what this member's rules refuse, or its state is damaged: going
            // on would be a fork. Stop here, say so, and leave the rest of the member running.
            let height = block.header.height;
            error!(%height, %failure, "a final block can't be executed: this member stands still");
            self.core.note_trouble(Some(format!("block {height} is final but can't be executed: {failure}")));
            self.context.sleep(STANDSTILL).await;
        };
        let certificate = self.certificate(sealed).await.encode();
        self.core.finalized.finalized(block.clone(), applied.clone(), view).await;
        Finalised { block: block.clone(), certificate, applied }
    }

    /// What a block on top of the tip does, and the state after it.
    fn executed(&self, block: &Arc<Block>) -> Result<(Arc<Applied>, Arc<dyn StateRead>), String> {
        let digest = block.header.digest();
        if self.core.tree.node(&digest).is_none() {
            let parent = self.core.tree.branch(&block.header.parent).ok_or("its parent is not final here")?;
            self.core.execute(&parent, block).map_err(|error| error.to_string())?;
        }
        let (node, branch) = (self.core.tree.node(&digest), self.core.tree.branch(&digest));
        let (node, branch) = node.zip(branch).ok_or("it does not build on this member's chain")?;
        Ok((node.applied, branch.view))
    }

    /// The votes for `block`, or for the nearest descendant that has some.
    async fn certificate(&self, block: &Digested<Sealed>) -> Certificate {
        let mut descendants = Vec::new();
        let mut height = block.height().get();
        loop {
            if let Some(votes) = self.marshal.get_finalization(Height::new(height)).await {
                return Certificate { descendants, votes: votes.encode().to_vec() };
            }
            height += 1;
            descendants.push(self.block_at(height).await.inner().block().header);
        }
    }

    async fn commit(&self, entries: &[Finalised]) {
        while let Err(error) = self.core.commit(entries) {
            error!(%error, "can't write final blocks; trying again");
            self.core.note_trouble(Some(error.to_string()));
            self.context.sleep(RETRY).await;
        }
    }
}

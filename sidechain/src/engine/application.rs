//! The rule book as the engine's application: proposes and checks blocks on parents that are not
//! final yet.

use crate::core::Core;
use crate::engine::block::{Sealed, ours};
use crate::tree::Branch;
use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Context;
use commonware_consensus::{Application as EngineApplication, Epochable as _};
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::{Digested, Digestible as _, sha256};
use commonware_macros::select;
use commonware_runtime::{Clock, Metrics, Spawner};
use futures::StreamExt as _;
use std::sync::Arc;
use tracing::{error, warn};
use windlass_ledger::{BitcoinInputs, Block, query};

/// Most ancestors that are executed again to judge one block. A member further behind waits for
/// its final blocks to arrive instead.
const MAX_REPLAY: u64 = 64;

/// See the module's head.
#[derive(Clone)]
pub(crate) struct App {
    core: Arc<Core>,
}

impl App {
    pub const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The state after `block`: known, or found by executing what lies between it and the tip.
    /// Its ancestors were voted for by a quorum, so their Bitcoin inputs are not checked again.
    /// `None` if `block` can't be on the final chain.
    async fn branch_at(&self, block: Digested<Sealed>, mut ancestry: impl Ancestry<Sealed>) -> Option<Branch> {
        let height = block.inner().block().header.height;
        self.core.height.wait_for(|tip| tip.get().saturating_add(MAX_REPLAY) >= height.get()).await;
        // Newest first. The tip may move while ancestors are fetched, so each is looked up again.
        let mut path = vec![block];
        loop {
            let known = |(place, block): (usize, &Digested<Sealed>)| {
                self.core.tree.branch(&ours(block.digest())).map(|branch| (place, branch))
            };
            if let Some((place, branch)) = path.iter().enumerate().find_map(known) {
                path.truncate(place);
                return self.replay(branch, path);
            }
            if path.last()?.inner().block().header.height <= self.core.tree.tip().header.height {
                return None;
            }
            path.push(ancestry.next().await?);
        }
    }

    fn replay(&self, mut branch: Branch, mut path: Vec<Digested<Sealed>>) -> Option<Branch> {
        while let Some(block) = path.pop() {
            if let Err(error) = self.core.execute(&branch, block.inner().block()) {
                error!(height = %block.inner().block().header.height, %error, "a notarized block can't be executed");
                return None;
            }
            branch = self.core.tree.branch(&ours(block.digest()))?;
        }
        Some(branch)
    }

    async fn inputs(&self, context: &impl Clock, parent: &Branch) -> BitcoinInputs {
        select! {
            inputs = self.core.bitcoin.propose(parent.view.clone(), parent.header) => inputs,
            () = context.sleep(self.core.timing.leader / 2) => {
                warn!("bitcoind did not answer in time: proposing without it");
                BitcoinInputs::default()
            },
        }
    }

    async fn judge(&self, block: &Arc<Block>, parent: &Branch) -> bool {
        let inputs = &block.inputs;
        // The rules first: they are cheap, and a bad block should not wait for bitcoind.
        let applied = match self.core.judge(parent, block) {
            Ok(applied) => Arc::new(applied),
            Err(error) if error.is_own_fault() => {
                error!(height = %block.header.height, %error, "a block can't be judged here: not voting");
                self.core.note_trouble(Some(error.to_string()));
                return std::future::pending().await;
            }
            Err(error) => {
                warn!(height = %block.header.height, %error, "a member proposed a block that breaks the rules");
                return false;
            }
        };
        if !inputs.is_empty() && !self.core.bitcoin.check(parent.view.clone(), parent.header, inputs.clone()).await {
            warn!(height = %block.header.height, "a member proposed Bitcoin blocks that are not there");
            return false;
        }
        self.core.tree.insert(block.clone(), applied);
        true
    }
}

/// Whether the block after `parent` is one of this epoch, as its own branch has it; none if the state can't be read.
fn is_next_of(parent: &Branch, epoch: u64) -> Option<bool> {
    match query::epoch_at(&*parent.view, parent.header.height.next()?) {
        Ok(found) => Some(found == epoch),
        Err(error) => {
            error!(%error, "can't read the state");
            None
        }
    }
}

impl<E> EngineApplication<E> for App
where
    E: Clock + Spawner + Metrics,
{
    type SigningScheme = Scheme;
    type Context = Context<sha256::Digest, PublicKey>;
    type Block = Sealed;
    type Input = ();

    async fn propose(
        &mut self,
        (runtime, round): (E, Self::Context),
        mut ancestry: impl Ancestry<Self::Block>,
        (): Self::Input,
    ) -> Option<Digested<Self::Block>> {
        let parent = ancestry.next().await?;
        let branch = self.branch_at(parent, ancestry).await?;
        if !is_next_of(&branch, round.epoch().get())? {
            // The epoch's last block is here, and not final yet: others propose it again.
            return None;
        }
        let inputs = self.inputs(&runtime, &branch).await;
        let begun = runtime.current();
        match self.core.build(&branch, inputs) {
            Ok(block) => {
                let took = runtime.current().duration_since(begun).unwrap_or_default();
                self.core.budget.note(block.transactions.len(), took, self.core.timing.leader / 5);
                Some(Sealed::digested(block))
            }
            Err(error) => {
                error!(%error, "can't make a block");
                self.core.note_trouble(Some(error.to_string()));
                None
            }
        }
    }

    async fn verify(&mut self, (_, round): (E, Self::Context), mut ancestry: impl Ancestry<Self::Block>) -> bool {
        let Some(block) = ancestry.next().await else { return std::future::pending().await };
        let Some(parent) = ancestry.next().await else { return std::future::pending().await };
        let Some(branch) = self.branch_at(parent, ancestry).await else {
            // Not on the final chain, or not executable here: no vote, and no verdict either.
            return std::future::pending().await;
        };
        match is_next_of(&branch, round.epoch().get()) {
            Some(true) => self.judge(block.inner().block(), &branch).await,
            // Nobody of this epoch votes for a block of the next one, whatever is final here yet.
            Some(false) => false,
            None => std::future::pending().await,
        }
    }
}

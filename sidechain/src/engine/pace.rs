//! The pace of an idle chain.
//!
//! A leader proposes at once, with whatever it has. An *empty* block is then held by every member
//! before it is certified, until the heartbeat is over or there is news: a transaction that the
//! next block would take, or a newer anchor. So an idle chain makes a block a heartbeat, a lone
//! transaction waits for no clock, and a dead leader is noticed within the short time that a
//! proposal takes, not within a heartbeat.
//!
//! Holding is a matter of speed alone: in the end the verdict is the engine's own.

use crate::core::Core;
use crate::engine::block::ours;
use commonware_actor::Feedback;
use commonware_consensus::simplex::Plan;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Activity, Context};
use commonware_consensus::types::Round;
use commonware_consensus::{Automaton, CertifiableAutomaton, Handoff, Relay, Reporter};
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::sha256;
use commonware_macros::select;
use commonware_runtime::{Clock, Spawner};
use commonware_utils::channel::oneshot;
use std::sync::Arc;
use std::time::Duration;

/// Least time that an empty block is held when only a newer anchor is news: the leaders' bitcoinds
/// may be a little behind ours.
const ANCHOR_PAUSE: Duration = Duration::from_millis(100);

/// An engine's automaton, slowed down; see the module's head.
pub(crate) struct Paced<E, I> {
    context: Arc<E>,
    inner: I,
    core: Arc<Core>,
}

impl<E, I: Clone> Clone for Paced<E, I> {
    fn clone(&self) -> Self {
        Self { context: self.context.clone(), inner: self.inner.clone(), core: self.core.clone() }
    }
}

impl<E, I> Paced<E, I> {
    pub fn new(context: E, inner: I, core: Arc<Core>) -> Self {
        Self { context: Arc::new(context), inner, core }
    }
}

type RoundContext = Context<sha256::Digest, PublicKey>;

impl<E, I> Automaton for Paced<E, I>
where
    E: Spawner + Clock,
    I: Automaton<Context = RoundContext, Digest = sha256::Digest>,
{
    type Context = RoundContext;
    type Digest = sha256::Digest;

    async fn propose(&mut self, context: Self::Context) -> oneshot::Receiver<Self::Digest> {
        self.inner.propose(context).await
    }

    async fn verify(&mut self, context: Self::Context, payload: Self::Digest) -> oneshot::Receiver<bool> {
        self.inner.verify(context, payload).await
    }
}

impl<E, I> CertifiableAutomaton for Paced<E, I>
where
    E: Spawner + Clock,
    I: CertifiableAutomaton<Context = RoundContext, Digest = sha256::Digest>,
{
    async fn prepare(&mut self, context: Self::Context) -> oneshot::Receiver<Handoff<Self::Digest>> {
        self.inner.prepare(context).await
    }

    async fn certify(&mut self, round: Round, payload: Self::Digest) -> oneshot::Receiver<bool> {
        let verdict = self.inner.certify(round, payload).await;
        let (mut sender, receiver) = oneshot::channel();
        let core = self.core.clone();
        self.context.child("hold").spawn(move |context| async move {
            let hold = async {
                // A closed channel is the engine's own way to say that there will be no verdict.
                let verdict = verdict.await.ok()?;
                if verdict {
                    hold(&context, &core, payload).await;
                }
                Some(verdict)
            };
            let verdict = select! {
                () = sender.closed() => None,
                verdict = hold => verdict,
            };
            if let Some(verdict) = verdict {
                let _ = sender.send(verdict);
            }
        });
        receiver
    }
}

/// Returns when block `payload` should be made final.
async fn hold(context: &impl Clock, core: &Core, payload: sha256::Digest) {
    let digest = ours(payload);
    // Final already, or fetched without being executed here: others have judged it.
    let Some(node) = core.tree.node(&digest) else { return };
    if !node.block.transactions.is_empty() || !node.block.inputs.is_empty() {
        return;
    }
    let at = node.block.header.anchor.height;
    let news = async {
        loop {
            let seen = core.pool.changes().get();
            if core.has_news(&digest) {
                return;
            }
            core.pool.changes().wait_for(|now| now != seen).await;
        }
    };
    let newer_anchor = async {
        context.sleep(ANCHOR_PAUSE).await;
        let mut last = core.anchor.wait_for(|known| known > at).await;
        while !core.hurry_for_anchor() {
            last = core.anchor.wait_for(|known| known > last).await;
        }
    };
    select! {
        () = news => {},
        () = newer_anchor => {},
        () = context.sleep(core.timing.heartbeat) => {},
    }
}

impl<E, I> Relay for Paced<E, I>
where
    E: Spawner + Clock,
    I: Relay<Digest = sha256::Digest, PublicKey = PublicKey, Plan = Plan<PublicKey>>,
{
    type Digest = sha256::Digest;
    type PublicKey = PublicKey;
    type Plan = Plan<PublicKey>;

    fn broadcast(&mut self, payload: Self::Digest, plan: Self::Plan) -> Feedback {
        self.inner.broadcast(payload, plan)
    }
}

impl<E, I> Reporter for Paced<E, I>
where
    E: Spawner + Clock,
    I: Reporter<Activity = Activity<Scheme, sha256::Digest>>,
{
    type Activity = Activity<Scheme, sha256::Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        self.inner.report(activity)
    }
}

//! One engine an epoch. When an epoch's last block is final here, its engine ends and the next one's begins, if this
//! member is in it. Everything else (blocks, archives, mempool, links) goes on.

use crate::committees::Committees;
use crate::core::Core;
use crate::engine::evidence::Evidence;
use crate::engine::{PacedInline, Runtime, Seat, journal, simplex_config};
use crate::mark::{self, Mark};
use crate::member::StartError;
use commonware_consensus::Reporters;
use commonware_consensus::simplex;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::{Epoch, EpochInfo, Epocher, Height};
use commonware_cryptography::certificate::{Provider, Scoped};
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::sha256;
use commonware_p2p::utils::mux::{MuxHandle, Muxer};
use commonware_p2p::{Blocker, Receiver, Sender};
use commonware_runtime::Handle;
use commonware_runtime::buffer::paged::CacheRef;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info, warn};
use windlass_types::{Digest, SideHeight};

/// How soon a journal that was begun is marked.
const MARK: Duration = Duration::from_millis(20);
/// Pause before something that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Which heights an epoch has. Only final blocks say so: all branches share it.
#[derive(Clone)]
pub(crate) struct Heights(Arc<Committees>);

impl Heights {
    pub const fn new(committees: Arc<Committees>) -> Self {
        Self(committees)
    }
}

impl Epocher for Heights {
    fn containing(&self, height: Height) -> Option<EpochInfo> {
        let epoch = Epoch::new(self.0.known().epoch_at(SideHeight::new(height.get())));
        Some(EpochInfo::new(epoch, height, self.first(epoch)?, self.last(epoch)?))
    }

    fn first(&self, epoch: Epoch) -> Option<Height> {
        self.0.known().epoch(epoch.get()).map(|(first, _)| Height::new(first.get()))
    }

    fn last(&self, epoch: Epoch) -> Option<Height> {
        let known = self.0.known();
        known.epoch(epoch.get())?;
        let next = known.next_first(epoch.get()).map_or(u64::MAX, SideHeight::get);
        Some(Height::new(next.saturating_sub(1)))
    }
}

/// What checks the votes of an epoch.
#[derive(Clone)]
pub(crate) struct Schemes(Arc<Committees>);

impl Schemes {
    pub const fn new(committees: Arc<Committees>) -> Self {
        Self(committees)
    }
}

impl Provider for Schemes {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        self.0.known().scheme(epoch.get()).map(Scoped::scheme)
    }
}

/// The three channels of the engines, each divided by epochs.
pub(crate) struct Divided<S: Sender> {
    votes: MuxHandle<S>,
    certificates: MuxHandle<S>,
    resolver: MuxHandle<S>,
}

impl<S: Sender<PublicKey = PublicKey>> Divided<S> {
    pub fn new<E, R>(context: &E, votes: (S, R), certificates: (S, R), resolver: (S, R)) -> Self
    where
        E: Runtime,
        R: Receiver<PublicKey = PublicKey>,
    {
        let divide = |name: &'static str, (sender, receiver): (S, R)| {
            let (muxer, handle) = Muxer::new(context.child(name), sender, receiver);
            muxer.start();
            handle
        };
        let votes = divide("votes", votes);
        let (certificates, resolver) = (divide("certificates", certificates), divide("resolver", resolver));
        Self { votes, certificates, resolver }
    }
}

/// The task's parts.
pub(crate) struct Engines<E: Runtime, S: Sender, B> {
    pub context: E,
    pub core: Arc<Core>,
    pub seat: Seat,
    pub channels: Divided<S>,
    pub paced: PacedInline<E>,
    pub blocker: B,
    pub cache: CacheRef,
}

/// Whether the journal of `epoch` is there, or may be begun: a journal that was lost could have any vote in it.
pub(crate) async fn may_vote(context: &impl Runtime, core: &Core, seat: &Seat, epoch: u64) -> Result<(), StartError> {
    if journal::is_there(context, &seat.storage, epoch).await {
        return Ok(());
    }
    let lost = match mark::read(&seat.dir, core.chain_id)? {
        Some(Mark::New) => false,
        Some(Mark::Voted(newest)) => newest >= epoch,
        None => core.height.get() > SideHeight::default(),
    };
    if lost {
        let journal = seat.dir.join(crate::ENGINE_DIR).join(journal::name("", epoch));
        return Err(StartError::JournalLost { journal });
    }
    Ok(())
}

impl<E, S, B> Engines<E, S, B>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey> + Sync,
{
    pub async fn run(mut self) {
        loop {
            let height = self.core.height.get();
            let next = height.next().unwrap_or(height);
            let known = self.core.committees.known();
            let epoch = known.epoch_at(next);
            let is_in = known.epochs.at(next).index(&self.seat.me).is_some();
            let engine = if is_in { self.begin(epoch).await } else { None };
            if engine.is_none() {
                info!(epoch, "not a member of this epoch: following without a vote");
            }
            let core = self.core.clone();
            let is_over =
                |tip: SideHeight| tip.next().is_some_and(|next| core.committees.known().epoch_at(next) != epoch);
            core.height.wait_for(is_over).await;
            if let Some(engine) = engine {
                engine.abort();
            }
        }
    }

    /// Starts the engine of an epoch that this member is in.
    async fn begin(&mut self, epoch: u64) -> Option<Handle<()>> {
        if let Err(error) = may_vote(&self.context, &self.core, &self.seat, epoch).await {
            error!(epoch, %error, "not voting");
            self.core.note_trouble(Some(error.to_string()));
            return None;
        }
        let boundary = self.boundary(epoch).await;
        let known = self.core.committees.known();
        let (scheme, (_, committee)) = known.scheme(epoch).zip(known.epoch(epoch))?;
        let votes = self.channels.votes.register(epoch).await.ok()?;
        let certificates = self.channels.certificates.register(epoch).await.ok()?;
        let resolver = self.channels.resolver.register(epoch).await.ok()?;
        let evidence = Evidence::new(self.core.clone(), committee.clone(), (*scheme).clone());
        let reporter = Reporters::from((evidence, self.paced.clone()));
        let floor = sha256::Digest(boundary.0);
        let paced = self.paced.clone();
        let parts = (paced, reporter, self.blocker.clone(), self.cache.clone());
        let config = simplex_config(&self.core.timing, &self.seat.storage, (epoch, (*scheme).clone(), floor), parts);
        let context = self.context.child("simplex").with_attribute("epoch", epoch);
        info!(epoch, members = committee.len(), "an engine starts");
        let engine = simplex::Engine::new(context, config).start(votes, certificates, resolver);
        self.mark(epoch);
        Some(engine)
    }

    /// The last block before the epoch.
    async fn boundary(&self, epoch: u64) -> Digest {
        let first = self.core.committees.known().epoch(epoch).map(|(first, _)| first).unwrap_or_default();
        let Some(last) = first.previous() else { return self.seat.genesis };
        loop {
            match self.core.chain.block(last) {
                Ok(Some((block, _))) => return block.header.digest(),
                Ok(None) if last == SideHeight::default() => return self.seat.genesis,
                Ok(None) => error!(%last, "the last block of an epoch is not there"),
                Err(error) => error!(%last, %error, "the last block of an epoch can't be read"),
            }
            self.context.sleep(RETRY).await;
        }
    }

    /// Leaves the mark once there is a journal, so that a stop in between refuses nobody by mistake.
    fn mark(&self, epoch: u64) {
        let (dir, storage, chain) = (self.seat.dir.clone(), self.seat.storage.clone(), self.core.chain_id);
        self.context.child("mark").with_attribute("epoch", epoch).spawn(move |context| async move {
            if matches!(mark::read(&dir, chain), Ok(Some(Mark::Voted(newest))) if newest >= epoch) {
                return;
            }
            while !journal::is_there(&context, &storage, epoch).await {
                context.sleep(MARK).await;
            }
            if let Err(error) = mark::write(&dir, chain, Mark::Voted(epoch)) {
                warn!(%error, "can't leave the mark that this member has voted");
            }
        });
    }
}

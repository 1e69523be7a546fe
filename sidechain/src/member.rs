//! A member's life: join the others, agree on a genesis with them, then on blocks.

use crate::beacon::Beacon;
use crate::chain_store::{ChainStore, ChainStoreError};
use crate::committees::{Committees, Roster};
use crate::config::{MemberConfig, Timing};
use crate::core::{Budget, Core, Peers, Track};
use crate::engine::committee::{Committee, CommitteeError, private_key};
use crate::engine::epochs::may_vote;
use crate::engine::lines::{self, JoinError, Lines, LookupOracle, LookupReceiver, LookupSender};
use crate::engine::{self, Runtime, Seat};
use crate::handle::Handle;
use crate::level::Level;
use crate::links::{self, Links};
use crate::mark::{self, Mark};
use crate::mempool::Mempool;
use crate::ports::{BitcoinPort, FinalizedPort};
use crate::proofs::{PROOFS_DIR, Proofs};
use crate::signatures::{MAX_REMEMBERED, Signatures};
use crate::tree::Tree;
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_runtime::{Clock, Spawner};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};
use tracing::info;
use windlass_ledger::{Genesis, GenesisError, StateError, genesis_state, query};
use windlass_store::{OpenError, Store, StoreError};
use windlass_types::ChainId;

/// The runtime that a member runs on: [`run`](crate::run) hands one out.
pub type Context = commonware_runtime::tokio::Context;

/// The finalised chain, in the member's directory.
pub const CHAIN_FILE: &str = "chain.redb";
/// The engine's files, in the member's directory.
pub const ENGINE_DIR: &str = "consensus";

/// Why a member can't take part in agreement.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The genesis breaks a rule.
    #[error("the genesis is unusable: {0}")]
    Genesis(#[from] GenesisError),
    /// The members of an epoch are no committee.
    #[error("the members: {0}")]
    Committee(#[from] CommitteeError),
    /// The genesis names other members than the configuration.
    #[error("the genesis has other members than this member's configuration (the first at index {0})")]
    OtherMembers(usize),
    /// The chain's file can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The chain's file fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state in it can't be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The chain in it is another one, or damaged.
    #[error(transparent)]
    Chain(#[from] ChainStoreError),
    /// This member has voted before, and the record of its votes is gone. It could vote twice, so
    /// it must not vote at all: its place needs a new identity.
    #[error(
        "this member has its key but not its journal of votes ({}): it could vote twice, so it does not start; restore the directory, or replace the member under a new key",
        journal.display()
    )]
    JournalLost {
        /// Where the journal was.
        journal: PathBuf,
    },
    /// The proofs against members can't be read.
    #[error("can't read {}: {source}", path.display())]
    Proofs {
        /// Where they are.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The mark that this member has voted can't be read or written.
    #[error("can't read or write {}: {source}", path.display())]
    Mark {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The mark is another chain's.
    #[error("{} says that this member voted on the chain {found}, not {expected}", path.display())]
    OtherMark {
        /// The file.
        path: PathBuf,
        /// This chain.
        expected: ChainId,
        /// The chain in the file.
        found: String,
    },
}

/// A member that is connected to the others and doesn't vote yet.
pub struct Member {
    context: Context,
    joined: Joined<LookupSender<Context>, LookupReceiver, LookupOracle, LookupOracle>,
}

impl Member {
    /// Connects to the other members, now and again whenever a connection is lost. The [`Links`]
    /// work from here on, without a genesis.
    ///
    /// # Errors
    /// See [`JoinError`].
    pub fn join(context: Context, config: MemberConfig) -> Result<(Self, Links), JoinError> {
        let place = Place::new(config)?;
        let opened = lines::open(&context, &place.config, (&place.committee, &place.key.public_key()))?;
        let network = (opened.oracle.clone(), opened.oracle, opened.track);
        let (joined, links) = Joined::new(&context, place, opened.lines, opened.links, network);
        Ok((Self { context, joined }, links))
    }

    /// This member's index.
    pub const fn me(&self) -> u16 {
        self.joined.place.me
    }

    /// Starts agreement on the chain of `genesis`, from where this member stopped. It ends with
    /// the task that joined.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_consensus(
        self,
        genesis: Genesis,
        bitcoin: Arc<dyn BitcoinPort>,
        finalized: Arc<dyn FinalizedPort>,
    ) -> Result<Handle, StartError> {
        self.joined.start(&self.context, genesis, bitcoin, finalized).await
    }
}

/// Who a member is.
pub(crate) struct Place {
    pub config: MemberConfig,
    /// The genesis's.
    pub committee: Committee,
    pub me: u16,
    /// Put before the names of the engine's files: members of a simulation share a disk.
    pub storage: String,
    key: PrivateKey,
}

impl Place {
    pub fn new(config: MemberConfig) -> Result<Self, JoinError> {
        let identities: Vec<[u8; 32]> = config.members.iter().map(|peer| peer.identity).collect();
        let committee = Committee::new(&identities)?;
        let key = private_key(config.seed.bytes());
        let public = key.public_key();
        let me = config.place;
        let is_anothers = committee.index(&public).is_some_and(|place| place != me);
        if usize::from(me) >= committee.len() || is_anothers {
            return Err(JoinError::OtherPlace { place: me, identity: hex::encode(public.as_ref()) });
        }
        Ok(Self { config, committee, me, storage: String::new(), key })
    }
}

/// [`Member`] over any network, so that the same code runs in the simulator.
pub(crate) struct Joined<S, R, B, P> {
    pub place: Place,
    lines: Lines<S, R>,
    blocker: B,
    provider: P,
    track: Track,
    beacon: Arc<Beacon>,
    roster: Arc<Roster>,
}

impl<S, R, B, P> Joined<S, R, B, P>
where
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey> + Sync,
    P: Provider<PublicKey = PublicKey> + Sync,
{
    pub fn new<E: Spawner + Clock>(
        context: &E,
        place: Place,
        lines: Lines<S, R>,
        links: (S, R),
        (blocker, provider, track): (B, P, Track),
    ) -> (Self, Links) {
        let roster = Arc::new(Roster::new(&place.committee));
        let (links, beacon) = links::start(context.child("links"), roster.clone(), place.me, links);
        (Self { place, lines, blocker, provider, track, beacon, roster }, links)
    }

    pub async fn start<E: Runtime>(
        self,
        context: &E,
        genesis: Genesis,
        bitcoin: Arc<dyn BitcoinPort>,
        finalized: Arc<dyn FinalizedPort>,
    ) -> Result<Handle, StartError> {
        genesis.validate()?;
        self.check_members(&genesis)?;
        let chain_id = genesis.chain_id();
        let genesis = Arc::new(genesis);
        let dir = self.place.config.dir.clone();
        let store = Store::open(dir.join(CHAIN_FILE))?;
        let has_begun = ChainStore::has_begun(&store)?;
        let chain = ChainStore::open(store, genesis.clone())?;
        let me = self.place.key.public_key();
        if !has_begun && self.place.committee.index(&me).is_none() && mark::read(&dir, chain_id)?.is_none() {
            // A new identity that comes in: it has voted in no epoch yet.
            let failed = |source| StartError::Mark { path: dir.join(mark::VOTED_FILE), source };
            mark::write(&dir, chain_id, Mark::New).map_err(failed)?;
        }
        info!(chain = %chain_id, height = %chain.tip().height, "agreement starts");
        let proofs = dir.join(PROOFS_DIR);
        let proofs = Proofs::open(&dir).map_err(|source| StartError::Proofs { path: proofs, source })?;
        let timing = self.place.config.timing;
        let committees = Committees::new(chain_id, self.place.key.clone(), &query::epochs(&*chain.view())?)?;
        let members = (Arc::new(committees), self.roster, Peers::new(self.track));
        let (core, outbox) = core(genesis.clone(), chain, proofs, self.beacon, members, (bitcoin, finalized), timing);
        let (genesis_header, storage) = (genesis_state(&genesis).1, self.place.storage);
        let seat = Seat { me, genesis: genesis_header.digest(), storage, dir };
        let tip = core.height.get();
        let next = tip.next().unwrap_or(tip);
        let known = core.committees.known();
        if known.epochs.at(next).index(&seat.me).is_some() {
            may_vote(context, &core, &seat, known.epoch_at(next)).await?;
        }
        core.note_members(tip, true, &*core.chain.view())?;
        let handle = Handle::new(core.clone());
        engine::start(context, core, outbox, (seat, genesis_header), self.lines, self.blocker, self.provider).await;
        Ok(handle)
    }

    fn check_members(&self, genesis: &Genesis) -> Result<(), StartError> {
        let configured = &self.place.config.members;
        let differs = genesis.members.iter().zip(configured).position(|(a, b)| a.identity != b.identity);
        match differs {
            Some(index) => Err(StartError::OtherMembers(index)),
            None if genesis.members.len() != configured.len() => {
                Err(StartError::OtherMembers(genesis.members.len().min(configured.len())))
            }
            None => Ok(()),
        }
    }
}

fn core(
    genesis: Arc<Genesis>,
    chain: Arc<ChainStore>,
    proofs: Proofs,
    beacon: Arc<Beacon>,
    (committees, roster, peers): (Arc<Committees>, Arc<Roster>, Peers),
    (bitcoin, finalized): (Arc<dyn BitcoinPort>, Arc<dyn FinalizedPort>),
    timing: Timing,
) -> (Arc<Core>, mpsc::UnboundedReceiver<Arc<windlass_ledger::Checked>>) {
    let (outbox, receiver) = mpsc::unbounded_channel();
    let tip = chain.tip_view();
    let (height, anchor) = (tip.header.height, tip.header.anchor.height);
    beacon.note_own(height);
    let core = Core {
        chain_id: genesis.chain_id(),
        signatures: Signatures::new(MAX_REMEMBERED),
        genesis,
        chain,
        tree: Tree::new(tip),
        pool: Mempool::default(),
        bitcoin,
        finalized,
        timing,
        height: Level::new(height),
        heights: watch::Sender::new(height),
        network_height: Level::new(height),
        beacon,
        anchor: Level::new(anchor),
        anchor_tries: Mutex::new((anchor, 0)),
        outbox,
        budget: Budget::new(),
        trouble: Mutex::new(None),
        proofs,
        committees,
        roster,
        peers,
    };
    (Arc::new(core), receiver)
}

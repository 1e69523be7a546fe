//! A member's life: join the others, agree on a genesis with them, then on blocks.

use crate::beacon::Beacon;
use crate::chain_store::{ChainStore, ChainStoreError};
use crate::config::{MemberConfig, Timing};
use crate::core::{Budget, Core};
use crate::engine::committee::{Committee, private_key};
use crate::engine::lines::{self, JoinError, Lines, LookupOracle, LookupReceiver, LookupSender};
use crate::engine::{self, Runtime, Seat};
use crate::handle::Handle;
use crate::level::Level;
use crate::links::{self, Links};
use crate::mempool::Mempool;
use crate::ports::{BitcoinPort, FinalizedPort};
use crate::proofs::{PROOFS_DIR, Proofs};
use crate::signatures::{MAX_REMEMBERED, Signatures};
use crate::tree::Tree;
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_runtime::{Clock, Spawner, Storage};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};
use windlass_ledger::{Genesis, GenesisError, genesis_state};
use windlass_store::{OpenError, Store, StoreError};
use windlass_types::{ChainId, SideHeight};

/// The runtime that a member runs on: [`run`](crate::run) hands one out.
pub type Context = commonware_runtime::tokio::Context;

/// The finalised chain, in the member's directory.
pub const CHAIN_FILE: &str = "chain.redb";
/// The engine's files, in the member's directory.
pub const ENGINE_DIR: &str = "consensus";
/// Says that this member has voted, in the member's directory.
pub const VOTED_FILE: &str = "voted";

/// Why a member can't take part in agreement.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The genesis breaks a rule.
    #[error("the genesis is unusable: {0}")]
    Genesis(#[from] GenesisError),
    /// The genesis names other members than the configuration.
    #[error("the genesis has other members than this member's configuration (the first at index {0})")]
    OtherMembers(usize),
    /// The chain's file can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The chain's file fails.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    /// The mark that this member has voted can't be read.
    #[error("can't read {}: {source}", path.display())]
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
        let opened = lines::open(&context, &place.config, &place.committee)?;
        let (joined, links) =
            Joined::new(&context, place, opened.lines, opened.links, opened.oracle.clone(), opened.oracle);
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
        let me = committee.index(&public).ok_or_else(|| JoinError::NotAMember(hex::encode(public.as_ref())))?;
        Ok(Self { config, committee, me, storage: String::new(), key })
    }
}

/// [`Member`] over any network, so that the same code runs in the simulator.
pub(crate) struct Joined<S, R, B, P> {
    pub place: Place,
    lines: Lines<S, R>,
    blocker: B,
    provider: P,
    beacon: Arc<Beacon>,
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
        blocker: B,
        provider: P,
    ) -> (Self, Links) {
        let (links, beacon) = links::start(context.child("links"), place.committee.clone(), place.me, links);
        (Self { place, lines, blocker, provider, beacon }, links)
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
        let voted = has_voted(&dir, chain_id)? || (has_begun && chain.tip().height > SideHeight::new(0));
        let has_journal = engine::has_journal(context, &self.place.storage).await;
        if voted && !has_journal {
            return Err(StartError::JournalLost { journal: dir.join(ENGINE_DIR).join(engine::JOURNAL) });
        }
        if !voted {
            mark_voted_later(context.child("mark"), dir.clone(), self.place.storage.clone(), chain_id);
        }
        info!(chain = %chain_id, height = %chain.tip().height, "agreement starts");
        let proofs = dir.join(PROOFS_DIR);
        let proofs = Proofs::open(&dir).map_err(|source| StartError::Proofs { path: proofs, source })?;
        let timing = self.place.config.timing;
        let (core, outbox) = core(genesis.clone(), chain, proofs, self.beacon, (bitcoin, finalized), timing);
        let seat = Seat {
            scheme: self
                .place
                .committee
                .signer(chain_id, self.place.key.clone())
                .expect("a place is made only for a member"),
            me: self.place.key.public_key(),
            genesis: genesis_state(&genesis).1,
            storage: self.place.storage,
            committee: self.place.committee,
        };
        let handle = Handle::new(core.clone());
        engine::start(context, core, outbox, seat, self.lines, self.blocker, self.provider).await;
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
    };
    (Arc::new(core), receiver)
}

fn has_voted(dir: &Path, chain: ChainId) -> Result<bool, StartError> {
    let path = dir.join(VOTED_FILE);
    match std::fs::read_to_string(&path) {
        Ok(found) if found.trim() == chain.to_string() => Ok(true),
        Ok(found) => Err(StartError::OtherMark { path, expected: chain, found: found.trim().into() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StartError::Mark { path, source }),
    }
}

/// Leaves the mark once there is a journal, so that a stop in between refuses nobody by mistake.
fn mark_voted_later<E: Spawner + Clock + Storage>(context: E, dir: PathBuf, storage: String, chain: ChainId) {
    context.spawn(move |context| async move {
        while !engine::has_journal(&context, &storage).await {
            context.sleep(Duration::from_millis(250)).await;
        }
        if let Err(error) = write_mark(&dir, chain) {
            warn!(%error, "can't leave the mark that this member has voted");
        }
    });
}

fn write_mark(dir: &Path, chain: ChainId) -> std::io::Result<()> {
    let aside = dir.join(format!("{VOTED_FILE}.new"));
    std::fs::write(&aside, format!("{chain}\n"))?;
    std::fs::File::open(&aside)?.sync_all()?;
    std::fs::rename(&aside, dir.join(VOTED_FILE))?;
    std::fs::File::open(dir)?.sync_all()
}

//! A federation member: one process with its own folder, its own keys and its own bitcoind.
//!
//! Its life: read the folder ([`config`]); answer on the API from the first moment; join the other
//! members; generate the federation's key with them, once; write the genesis that follows from it;
//! agree on blocks; sign and broadcast what the chain has in flight. It ends on SIGTERM or SIGINT,
//! and a kill at any moment loses nothing: the chain, the share and the intents to sign are on
//! disk before anyone else hears of them, and everything else is repeated.

mod config;
mod keygen;
mod links;
mod proposal;
mod receipts;
pub(crate) mod recount;
mod signing;

pub use config::{Federation, FederationMember, MemberConfig, MemberKeys, Ready, create, emergency_keypair, keys};
pub use keygen::KeyGenerationError;
pub use proposal::{Enrolment, PROPOSAL_FORMAT, PROPOSAL_VERSION, ProposalFile, ProposalFileError, SignedBy};

use crate::api::member::GenesisAnswer;
use crate::bitcoin_view::{AnchorPort, BitcoinView};
use crate::files::{self, BadFile};
use crate::promises::Pen;
use crate::sidechain_api::{Backend, Server, ServerError, Service};
use rand::rngs::OsRng;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;
use windlass_chain::Bitcoind;
use windlass_ledger::Genesis;
use windlass_peg::dkg::Terms;
use windlass_peg::share::{KeyShare, ShareFile};
use windlass_peg::signing::{Intents, Pace, Signer, Status};
use windlass_sidechain::{Context, Handle, JoinError, LinkSender, Member, Peer, StartError, Timing};
use windlass_store::{OpenError, Store};

/// Why a member's process ended.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// A file of its folder.
    #[error(transparent)]
    File(#[from] BadFile),
    /// The folder's keys are no member's.
    #[error("{dir}: this member ({name}) is not in federation.json, or its identity is another member's", dir = .dir.display())]
    NotAMember {
        /// The folder.
        dir: PathBuf,
        /// Its name.
        name: String,
    },
    /// Its API can't listen.
    #[error(transparent)]
    Api(#[from] ServerError),
    /// The address for the other members is taken, or none of this machine's.
    #[error("can't listen on {address} for the other members: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The links can't start.
    #[error("the links to the other members can't start")]
    Join(#[from] JoinError),
    /// There is no share of the key.
    #[error("no key")]
    KeyGeneration(#[from] KeyGenerationError),
    /// The genesis on disk is another one than the key makes.
    #[error("{path} is of another key than this member's share", path = .0.display())]
    OtherGenesis(PathBuf),
    /// The genesis is there, the share isn't.
    #[error("{share} is missing, but the federation has its key: restore it from a backup", share = .0.display())]
    ShareMissing(PathBuf),
    /// Agreement can't start.
    #[error("agreement can't start")]
    Start(#[from] StartError),
    /// The member's store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The thread of the member ended without an answer.
    #[error("the member stopped without a reason: see its log")]
    Vanished,
    /// The process can't listen for signals.
    #[error("signals")]
    Signals(#[source] std::io::Error),
}

/// Runs the member whose folder is `dir` until it is told to stop. May be called inside a tokio
/// runtime: the member brings its own, on a thread of its own.
///
/// # Errors
/// See [`MemberError`].
pub async fn run(dir: impl Into<PathBuf>) -> Result<(), MemberError> {
    let dir = dir.into();
    let (answer, outcome) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let result = windlass_sidechain::run(&dir, |context| live(context, dir.clone()));
        let _ = answer.send(result);
    });
    outcome.await.unwrap_or(Err(MemberError::Vanished))
}

/// The folder, read.
struct Folder {
    dir: PathBuf,
    config: MemberConfig,
    federation: Federation,
    me: u16,
}

impl Folder {
    fn read(dir: PathBuf) -> Result<Self, MemberError> {
        let config = MemberConfig::load(&dir)?;
        let federation = Federation::load(&dir)?;
        let own = windlass_sidechain::identity_of(&config::identity_seed(&dir)?);
        // An identity that is in nobody's place there may be in this one's by now, or be proposed for it.
        let is_own = |m: &FederationMember| m.name == config.name;
        let is_free =
            |m: &FederationMember| m.keys.identity == own || federation.members.iter().all(|m| m.keys.identity != own);
        let place = federation.members.iter().position(|m| is_own(m) && is_free(m));
        let me = place.and_then(|me| u16::try_from(me).ok());
        let me = me.ok_or_else(|| MemberError::NotAMember { dir: dir.clone(), name: config.name.clone() })?;
        Ok(Self { dir, config, federation, me })
    }

    fn names(&self) -> Vec<String> {
        self.federation.members.iter().map(|member| member.name.clone()).collect()
    }

    fn link_config(&self) -> Result<windlass_sidechain::MemberConfig, MemberError> {
        let peer = |m: &FederationMember| Peer { identity: m.keys.identity, address: m.address };
        Ok(windlass_sidechain::MemberConfig {
            seed: config::identity_seed(&self.dir)?,
            members: self.federation.members.iter().map(peer).collect(),
            place: self.me,
            listen: self.config.listen,
            dir: self.dir.clone(),
            federation: self.federation.terms().to_string(),
            timing: Timing::with_heartbeat(self.config.heartbeat()),
        })
    }

    fn genesis_file(&self) -> PathBuf {
        self.dir.join("genesis.json")
    }

    /// The genesis that follows from the share; written if it isn't there.
    fn genesis(&self, share: &KeyShare) -> Result<Genesis, MemberError> {
        let genesis = self.federation.genesis(share.group().x_only().serialize());
        let path = self.genesis_file();
        let chain = genesis.chain_id();
        if let Some(text) = files::read_if_there(&path)? {
            let known: GenesisAnswer = serde_json::from_str(&text).map_err(|error| BadFile::new(&path, error))?;
            return if known.chain == chain { Ok(genesis) } else { Err(MemberError::OtherGenesis(path)) };
        }
        let answer = crate::sidechain_api::genesis_answer(&genesis);
        let text = serde_json::to_string_pretty(&answer).map_err(|error| BadFile::new(&path, error))?;
        files::write_whole(&path, text.as_bytes(), 0o644)?;
        info!(%chain, "the genesis is written");
        Ok(genesis)
    }
}

async fn live(context: Context, dir: PathBuf) -> Result<(), MemberError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(MemberError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(MemberError::Signals)?;
    tokio::select! {
        result = work(context, dir) => result,
        _ = terminate.recv() => {
            info!("told to stop");
            Ok(())
        }
        _ = interrupt.recv() => {
            info!("interrupted");
            Ok(())
        }
    }
}

async fn work(context: Context, dir: PathBuf) -> Result<(), MemberError> {
    let folder = Folder::read(dir)?;
    let server = Server::bind(folder.config.api, folder.config.name.clone()).await?;
    Ready { api: server.base(), pid: std::process::id() }.save(&folder.dir)?;
    let service = server.service();
    tokio::spawn(server.serve());

    service.say("waiting for the other members");
    can_listen(folder.config.listen)?;
    let (member, links) = Member::join(context, folder.link_config()?)?;
    let (links, key_generation, signing) = links::divide(links);
    let share = share(&folder, &links, key_generation, &service).await?;
    let genesis = folder.genesis(&share)?;

    service.say("starting agreement");
    let view = BitcoinView::new(Bitcoind::new(folder.config.bitcoind.clone()), genesis.network.bitcoin());
    tokio::spawn(view.clone().follow());
    let network = genesis.network;
    let port = Arc::new(AnchorPort::new(view.clone()));
    let chain = member.start_consensus(genesis, port.clone(), Arc::new(receipts::Log(network))).await?;
    tokio::spawn(note_anchors(chain.clone(), port, view.clone()));

    let recount = recount::Watch::new(chain.clone(), &folder.dir);
    tokio::spawn(recount.clone().run(view.clone()));

    let (status, signed) = (watch::Sender::new(Status::Idle), watch::Sender::new(None));
    let backend = Backend::Member {
        handle: chain.clone(),
        links: links.clone(),
        signing: status.subscribe(),
        recount: recount.clone(),
        pen: Pen::new(config::identity_seed(&folder.dir)?, folder.config.name.clone()),
        me: folder.me,
    };
    service.run(chain.chain().clone(), Some(view.clone()), backend);
    tokio::spawn(signing::broadcast(view, signed.subscribe()));

    let store = Store::open(folder.dir.join("member.redb"))?;
    let pace = Pace { attempt_ms: folder.config.signing_attempt_ms, ..Pace::default() };
    let signer = Signer::new(share, Intents::new(store), recount.clone(), OsRng, pace);
    signing::Signing { signer, chain, links, names: folder.names(), recount, status, signed }.run(signing).await;
    Ok(())
}

/// The network layer says nothing of an address that it can't have: ask before.
fn can_listen(address: std::net::SocketAddr) -> Result<(), MemberError> {
    std::net::TcpListener::bind(address).map(drop).map_err(|source| MemberError::Listen { address, source })
}

async fn share(
    folder: &Folder,
    links: &LinkSender,
    inbox: links::Inbox,
    service: &Service,
) -> Result<KeyShare, MemberError> {
    let file = ShareFile::new(&folder.dir);
    let complete = folder.dir.join("share.key");
    if folder.genesis_file().exists() && !complete.exists() {
        return Err(MemberError::ShareMissing(complete));
    }
    let members = &folder.federation.members;
    let terms = Terms {
        me: folder.me,
        members: u16::try_from(members.len()).unwrap_or(u16::MAX),
        threshold: folder.federation.threshold,
        digest: folder.federation.terms(),
    };
    let identities = keygen::Identities {
        seed: config::identity_seed(&folder.dir)?,
        members: members.iter().map(|member| member.keys.identity).collect(),
    };
    let service = service.clone();
    let tell: keygen::Tell = Arc::new(move |text| service.say(text));
    Ok(keygen::share(file, terms, identities, folder.names(), links.clone(), inbox, tell).await?)
}

/// Tells the chain at once when Bitcoin has a newer block to anchor to.
async fn note_anchors(chain: Handle, port: Arc<AnchorPort>, view: Arc<BitcoinView>) {
    let mut tips = view.tips();
    loop {
        tips.mark_unchanged();
        if let Some(anchor) = port.newest(&*chain.view()) {
            chain.note_anchor(anchor);
        }
        if tips.changed().await.is_err() {
            return;
        }
    }
}

//! A follower: syncs the sidechain from members' HTTP API, checking every certificate and every
//! rule itself, and serves the same API to read. It votes on nothing and signs nothing. It begins from the genesis, or
//! from a snapshot that the members signed; its API says which.

mod config;
mod snapshot;

pub use config::{FollowerConfig, Ready};

use crate::api::member::{BlockAnswer, GenesisAnswer};
use crate::api::{ApiError, Code, PAGE_MAX};
use crate::bitcoin_view::BitcoinView;
use crate::client::MemberClient;
use crate::files::{self, BadFile};
use crate::sidechain_api::{Backend, Server, ServerError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{debug, info, warn};
use windlass_chain::Bitcoind;
use windlass_ledger::{Block, Genesis, GenesisError};
use windlass_sidechain::{ChainStore, ChainStoreError, FollowError, SnapshotError, follow_into};
use windlass_store::{OpenError, Store};
use windlass_types::{ChainId, SideHeight};

/// How often members are asked for new blocks.
const POLL: Duration = Duration::from_millis(500);

/// Why a follower's process ended.
#[derive(Debug, thiserror::Error)]
pub enum FollowerError {
    /// A file of its folder.
    #[error(transparent)]
    File(#[from] BadFile),
    /// Its API can't listen.
    #[error(transparent)]
    Api(#[from] ServerError),
    /// The members' genesis breaks a rule.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// Its store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its chain.
    #[error(transparent)]
    Chain(#[from] ChainStoreError),
    /// The snapshot that it was to begin from.
    #[error("the snapshot {from} is refused")]
    Snapshot {
        /// Where it is from.
        from: String,
        /// Why.
        source: SnapshotError,
    },
    /// A thread of its own ended without an answer.
    #[error("the follower stopped without a reason: see its log")]
    Vanished,
    /// The process can't listen for signals.
    #[error("signals")]
    Signals(#[source] std::io::Error),
}

/// Runs the follower whose folder is `dir` until it is told to stop.
///
/// # Errors
/// See [`FollowerError`].
pub async fn run(dir: impl Into<PathBuf>) -> Result<(), FollowerError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(FollowerError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(FollowerError::Signals)?;
    tokio::select! {
        result = work(dir.into()) => result,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

async fn work(dir: PathBuf) -> Result<(), FollowerError> {
    let config = FollowerConfig::load(&dir)?;
    let server = Server::bind(config.api, config.name.clone()).await?;
    Ready { api: server.base(), pid: std::process::id() }.save(&dir)?;
    let service = server.service();
    tokio::spawn(server.serve());

    service.say("asking the members for the genesis");
    let members: Vec<MemberClient> = config.members.iter().map(MemberClient::new).collect();
    let genesis = genesis(&dir, &members, config.chain).await?;
    genesis.validate()?;
    let path = dir.join(windlass_sidechain::CHAIN_FILE);
    if let Some(source) = config.snapshot.filter(|_| !path.exists()) {
        snapshot::begin(&path, &genesis, &source, &service).await?;
    }
    let chain = ChainStore::open(Store::open(path)?, Arc::new(genesis))?;
    match chain.base() {
        None => info!("this chain was begun from the genesis: each of its blocks was validated here"),
        Some(base) => {
            info!(height = %base.header.height, "this chain was begun from a snapshot: blocks up to it were not validated here")
        }
    }
    let bitcoin = config.bitcoind.map(|bitcoind| {
        let view = BitcoinView::new(Bitcoind::new(bitcoind), chain.genesis().network.bitcoin());
        tokio::spawn(view.clone().follow());
        view
    });
    let height = watch::Sender::new(chain.tip().height);
    let backend = Backend::Follower { members: members.clone(), height: height.subscribe() };
    service.run(chain.clone(), bitcoin, backend);
    sync(&chain, &members, &height).await
}

/// The genesis in the folder, or the members': the one of the chain that is asked for, or else the
/// one that all members that answer have. Kept from then on.
async fn genesis(dir: &Path, members: &[MemberClient], wanted: Option<ChainId>) -> Result<Genesis, BadFile> {
    let path = dir.join("genesis.json");
    let wrong = |reason: &str| BadFile::new(&path, reason);
    if let Some(text) = files::read_if_there(&path)? {
        let answer: GenesisAnswer = serde_json::from_str(&text).map_err(|error| BadFile::new(&path, error))?;
        return answer
            .read()
            .filter(|genesis| wanted.is_none_or(|wanted| wanted == genesis.chain_id()))
            .ok_or_else(|| wrong("it is of another chain, or damaged"));
    }
    loop {
        let mut found: Vec<(GenesisAnswer, Genesis)> = Vec::new();
        for member in members {
            match member.genesis().await {
                Ok(answer) => match answer.read() {
                    Some(genesis) if wanted.is_none_or(|wanted| wanted == genesis.chain_id()) => {
                        found.push((answer, genesis));
                    }
                    _ => warn!(member = member.base(), "it serves another chain"),
                },
                Err(error) => debug!(member = member.base(), %error, "no genesis yet"),
            }
        }
        let agree = found.windows(2).all(|pair| matches!(pair, [(_, a), (_, b)] if a == b));
        if !agree {
            warn!("the members serve different chains: name one with `chain` in config.toml");
        } else if let Some((answer, genesis)) = found.pop() {
            let text = serde_json::to_string_pretty(&answer).map_err(|error| BadFile::new(&path, error))?;
            files::write_whole(&path, text.as_bytes(), 0o644)?;
            return Ok(genesis);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A block and its certificate out of an answer.
pub(crate) fn read_block(answer: &BlockAnswer) -> Result<(Block, Vec<u8>), String> {
    let bytes = hex::decode(&answer.hex).map_err(|error| error.to_string())?;
    let certificate = hex::decode(&answer.certificate).map_err(|error| error.to_string())?;
    Ok((Block::decode(&bytes).map_err(|error| error.to_string())?, certificate))
}

/// Takes blocks from whoever has them, for ever.
async fn sync(
    chain: &Arc<ChainStore>,
    members: &[MemberClient],
    height: &watch::Sender<SideHeight>,
) -> Result<(), FollowerError> {
    loop {
        let mut advanced = false;
        for member in members {
            match take(chain, member).await {
                Ok(0) => {}
                Ok(count) => {
                    debug!(member = member.base(), count, "synced");
                    height.send_replace(chain.tip().height);
                    advanced = true;
                    break;
                }
                Err(Trouble::Member(error)) if error.code == Code::NotRunning => {
                    debug!(member = member.base(), %error, "no blocks");
                }
                Err(Trouble::Member(error)) => warn!(member = member.base(), %error, "no blocks"),
                Err(Trouble::Follow(FollowError::Store(error))) => return Err(error.into()),
                Err(Trouble::Follow(error)) => {
                    warn!(member = member.base(), %error, "this member's blocks are refused");
                }
            }
        }
        if !advanced {
            tokio::time::sleep(POLL).await;
        }
    }
}

enum Trouble {
    Member(ApiError),
    Follow(FollowError),
}

async fn take(chain: &Arc<ChainStore>, member: &MemberClient) -> Result<usize, Trouble> {
    let Some(next) = chain.tip().height.next() else { return Ok(0) };
    let answers = member.blocks(next, PAGE_MAX).await.map_err(Trouble::Member)?;
    let blocks: Result<Vec<_>, String> = answers.iter().map(read_block).collect();
    let blocks = blocks.map_err(|reason| Trouble::Member(ApiError::failed(format!("its blocks: {reason}"))))?;
    let count = blocks.len();
    if count == 0 {
        return Ok(0);
    }
    let chain = chain.clone();
    let followed = tokio::task::spawn_blocking(move || follow_into(&chain, blocks)).await;
    match followed {
        Ok(Ok(tip)) => {
            info!(height = %tip.height, "followed");
            Ok(count)
        }
        Ok(Err(error)) => Err(Trouble::Follow(error)),
        Err(error) => Err(Trouble::Member(ApiError::failed(error))),
    }
}

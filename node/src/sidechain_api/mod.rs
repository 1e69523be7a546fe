//! Serves the sidechain's API (see [`crate::api::member`]): by a member from its own chain, by a
//! follower from what it has synced. It answers from the first moment of the process, with the
//! reason while the chain does not run yet.

mod answers;
mod assets;
mod chain;
mod errors;
mod events;
mod federation;
mod openapi;
mod page;
mod pegs;
mod preimages;
mod promises;
mod proofs;
mod snapshot;
mod transactions;

pub(crate) use chain::genesis_answer;

use crate::api::{ApiError, BODY_BYTES_MAX};
use crate::bitcoin_view::BitcoinView;
use crate::client::MemberClient;
use crate::handshake::serve_one_version;
use crate::member::recount::Watch;
use crate::promises::Pen;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use windlass_peg::signing::Status;
use windlass_sidechain::{ChainStore, Handle, LinkSender};
use windlass_types::SideHeight;

/// So many may read the events at once.
const STREAMS_MAX: usize = 64;

/// Why the API can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, or none of this machine's.
    #[error("the API can't listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
}

/// What stands behind the API.
pub(crate) enum Backend {
    /// A member.
    Member {
        /// Its chain.
        handle: Handle,
        /// Its links to the others.
        links: LinkSender,
        /// Where signing stands.
        signing: watch::Receiver<Status>,
        /// The second count, which is asked before each signature.
        recount: Arc<Watch>,
        /// What it signs promises with.
        pen: Pen,
        /// Its index.
        me: u16,
    },
    /// A follower: transactions go on to a member.
    Follower {
        /// The members.
        members: Vec<MemberClient>,
        /// The newest height that it has synced.
        height: watch::Receiver<SideHeight>,
    },
}

impl Backend {
    fn heights(&self) -> watch::Receiver<SideHeight> {
        match self {
            Self::Member { handle, .. } => handle.subscribe(),
            Self::Follower { height, .. } => height.clone(),
        }
    }
}

/// A chain that runs.
pub(crate) struct Running {
    name: String,
    chain: Arc<ChainStore>,
    bitcoin: Option<Arc<BitcoinView>>,
    backend: Backend,
}

/// What the handlers share: the chain, or why there is none yet.
#[derive(Clone)]
pub(crate) struct Service {
    name: Arc<str>,
    state: Arc<RwLock<Result<Arc<Running>, String>>>,
    /// Places for readers of the events.
    streams: Arc<Semaphore>,
    /// Places for readers of a snapshot.
    snapshots: Arc<Semaphore>,
}

impl Service {
    /// Says what the process is doing before its chain runs.
    pub(crate) fn say(&self, what: impl Into<String>) {
        let what = what.into();
        tracing::info!("{what}");
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Err(what);
    }

    /// The chain runs: from now on the API answers.
    pub(crate) fn run(&self, chain: Arc<ChainStore>, bitcoin: Option<Arc<BitcoinView>>, backend: Backend) {
        let running = Running { name: self.name.to_string(), chain, bitcoin, backend };
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Ok(Arc::new(running));
        tracing::info!("ready");
    }

    fn running(&self) -> Result<Arc<Running>, ApiError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.clone().map_err(|what| ApiError::not_running(format!("{} is not ready: {what}", self.name)))
    }
}

/// An API that listens.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    service: Service,
}

impl Server {
    /// Listens.
    pub(crate) async fn bind(address: SocketAddr, name: String) -> Result<Self, ServerError> {
        let listen = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let state = Arc::new(RwLock::new(Err("it has just started".to_owned())));
        Ok(Self {
            listener,
            address,
            service: Service {
                name: name.into(),
                state,
                streams: Arc::new(Semaphore::new(STREAMS_MAX)),
                snapshots: Arc::new(Semaphore::new(snapshot::READERS_MAX)),
            },
        })
    }

    /// The base address for clients.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the handlers share.
    pub(crate) fn service(&self) -> Service {
        self.service.clone()
    }

    /// Serves, for ever.
    pub(crate) async fn serve(self) {
        if let Err(error) = axum::serve(self.listener, router(self.service)).await {
            tracing::error!(%error, "the API stopped");
        }
    }
}

fn router(service: Service) -> Router {
    openapi::router()
        .fallback(errors::no_such_path)
        .method_not_allowed_fallback(errors::no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(serve_one_version))
        .with_state(service)
}

//! The sidechain as the wallet reaches it: any member or follower of a list. One that does not
//! answer is passed over for the next.

use crate::api::member::GenesisAnswer;
use crate::api::{ApiError, Code};
use crate::client::MemberClient;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use windlass_ledger::{Genesis, Params, ParamsRecord};
use windlass_light::{Fact, ProofFile};
use windlass_store::{Store, StoreError, Writes};
use windlass_types::{ChainId, ChainNetwork, SideHeight};

const TABLE: &str = "sidechain";
const GENESIS: &[u8] = b"genesis";

/// The sidechain that this wallet is on.
#[derive(Debug)]
pub(super) struct Sidechain {
    pub(super) id: ChainId,
    pub(super) genesis: Genesis,
    /// The parameters as of the block `height`, proven by the members' votes; the genesis's at first.
    pub(super) record: ParamsRecord,
    height: SideHeight,
}

impl Sidechain {
    /// The newest block whose parameters are known.
    pub(super) const fn height(&self) -> SideHeight {
        self.height
    }

    /// The parameters for the next block.
    pub(super) fn params(&self) -> &Params {
        self.record.at(self.height.next().unwrap_or(self.height))
    }
}

/// The list of members, and the chain once it is known.
#[derive(Debug)]
pub(super) struct Members {
    clients: Vec<MemberClient>,
    /// The one that answered last.
    current: AtomicUsize,
    network: ChainNetwork,
    expected: Option<ChainId>,
    chain: RwLock<Option<Arc<Sidechain>>>,
    store: Arc<Store>,
}

/// Worth asking another member: this one is down, or too slow.
const fn is_elsewhere(code: Code) -> bool {
    matches!(code, Code::NotRunning | Code::Timeout)
}

impl Members {
    /// A list of base addresses. The chain is the one in the store, if it was found before.
    ///
    /// # Errors
    /// The store fails, or holds another chain than `expected`.
    pub(super) fn new(
        bases: &[String],
        network: ChainNetwork,
        expected: Option<ChainId>,
        store: Arc<Store>,
    ) -> Result<Self, ApiError> {
        let clients = bases.iter().map(MemberClient::new).collect();
        let known = store.get(TABLE, GENESIS).map_err(ApiError::failed)?;
        let members =
            Self { clients, current: AtomicUsize::new(0), network, expected, chain: RwLock::new(None), store };
        if let Some(bytes) = known {
            let chain = members.read(&bytes)?;
            members.set(Arc::new(chain));
        }
        Ok(members)
    }

    /// All of them.
    pub(super) fn all(&self) -> &[MemberClient] {
        &self.clients
    }

    /// The chain, if it is known already.
    pub(super) fn known_chain(&self) -> Option<Arc<Sidechain>> {
        self.chain.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what is known of the chain, unless something newer is known.
    fn set(&self, chain: Arc<Sidechain>) -> Arc<Sidechain> {
        let mut known = self.chain.write().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(newer) if newer.height > chain.height => newer.clone(),
            _ => known.insert(chain).clone(),
        }
    }

    /// The chain with its newest parameters: asked of a member, and proven by the votes of a quorum, so that no
    /// single one makes a wallet pay what the rules do not ask.
    ///
    /// # Errors
    /// As [`Self::chain`]; or what the member says proves nothing.
    pub(super) async fn refreshed(&self) -> Result<Arc<Sidechain>, ApiError> {
        let chain = self.chain().await?;
        let proof: ProofFile = self.ask(|member| member.prove_params()).await?;
        let proven = proof.verify(&chain.genesis);
        let proven = proven.map_err(|error| ApiError::failed(format!("a member's word on the parameters: {error}")))?;
        let Fact::Params(record) = proven.fact else {
            return Err(ApiError::failed("a member's word on the parameters is about something else"));
        };
        let (id, genesis, height) = (chain.id, chain.genesis.clone(), proven.header.height);
        Ok(self.set(Arc::new(Sidechain { id, genesis, record: *record, height })))
    }

    /// The chain; the first time, from the members.
    ///
    /// # Errors
    /// No member answers, or they don't agree, or it is not the one in the configuration.
    pub(super) async fn chain(&self) -> Result<Arc<Sidechain>, ApiError> {
        if let Some(chain) = self.known_chain() {
            return Ok(chain);
        }
        let mut answers: Vec<(&MemberClient, GenesisAnswer)> = Vec::new();
        let mut last = None;
        for client in &self.clients {
            match client.genesis().await {
                Ok(answer) => answers.push((client, answer)),
                Err(error) => last = Some(error),
            }
        }
        let Some((first, answer)) = answers.first() else { return Err(self.nobody(last)) };
        if let Some((other, _)) = answers.iter().find(|(_, other)| other.hex != answer.hex) {
            let message = format!("{} and {} are on different sidechains", first.base(), other.base());
            return Err(ApiError::failed(message));
        }
        let bytes = hex::decode(&answer.hex).map_err(|_| malformed(first, "no hex"))?;
        let chain = self.read(&bytes).map_err(|error| malformed(first, &error.message))?;
        self.keep(&bytes).map_err(ApiError::failed)?;
        Ok(self.set(Arc::new(chain)))
    }

    fn keep(&self, genesis: &[u8]) -> Result<(), StoreError> {
        self.store.commit(Writes::new().put(TABLE, GENESIS, genesis))
    }

    fn read(&self, bytes: &[u8]) -> Result<Sidechain, ApiError> {
        let genesis: Genesis = borsh::from_slice(bytes).map_err(|e| ApiError::failed(format!("the genesis: {e}")))?;
        genesis.validate().map_err(ApiError::failed)?;
        let id = genesis.chain_id();
        if let Some(expected) = self.expected.filter(|expected| *expected != id) {
            return Err(ApiError::failed(format!("the sidechain is {id}, the configuration says {expected}")));
        }
        if genesis.network != self.network {
            let message = format!("the sidechain is pegged to {}, this wallet is on {}", genesis.network, self.network);
            return Err(ApiError::failed(message));
        }
        let record = ParamsRecord::first(&genesis.params);
        Ok(Sidechain { id, genesis, record, height: SideHeight::default() })
    }

    /// Puts a question to the member that answered last, and to the others in turn while one does
    /// not answer.
    ///
    /// # Errors
    /// What the one that answered says; or that none does.
    pub(super) async fn ask<'a, T, F>(&'a self, question: impl Fn(&'a MemberClient) -> F) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, ApiError>> + 'a,
    {
        let start = self.current.load(Ordering::Relaxed);
        let mut last = None;
        for step in 0..self.clients.len() {
            let index = (start + step) % self.clients.len();
            match question(&self.clients[index]).await {
                Err(error) if is_elsewhere(error.code) => last = Some(error),
                answer => {
                    self.current.store(index, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        Err(self.nobody(last))
    }

    fn nobody(&self, last: Option<ApiError>) -> ApiError {
        let message = match (self.clients.len(), last) {
            (0, _) => "this node knows no member of a federation: put some into its config.toml".to_owned(),
            (count, Some(error)) => format!("none of the {count} members answers; the last: {}", error.message),
            (count, None) => format!("none of the {count} members answers"),
        };
        ApiError::not_running(message).hint("see what runs", "windlass status")
    }
}

fn malformed(client: &MemberClient, reason: &str) -> ApiError {
    ApiError::failed(format!("{} gave no genesis: {reason}", client.base()))
}

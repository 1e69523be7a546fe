//! A federation of one with a plain key instead of a shared one, behind the members' API: the real
//! ledger, no agreement and no certificates. It moves only when a test calls [`Federation::turn`].

use super::Rig;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bitcoin::key::{Keypair, TapTweak as _};
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::{OutPoint, Witness};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use windlass_chain::Bitcoind;
use windlass_ledger::{
    self as ledger, DepositRecord, Genesis, GenesisMember, Header, MemoryState, Params, PegOutRecord, StateRead as _,
    Transaction, query,
};
use windlass_light::{Claim, HexBytes, ProofFile};
use windlass_node::api::member::{
    AccountInfo, Begun, BlockAnswer, ChainInfo, DepositInfo, DepositState, GenesisAnswer, PegOutInfo, PegOutState,
    SubmitAnswer, SubmitRequest, TransactionStatus,
};
use windlass_node::api::{ApiError, Page};
use windlass_node::handshake::serve_one_version;
use windlass_types::{AccountId, Blocks, BtcHeight, ChainNetwork, Digest, SideHeight};

struct Inner {
    genesis: Genesis,
    state: MemoryState,
    tip: Header,
    waiting: Vec<Transaction>,
    finals: HashMap<Digest, SideHeight>,
    blocks: Vec<Vec<u8>>,
    dead: bool,
}

type Shared = Arc<Mutex<Inner>>;

#[derive(Clone)]
pub struct Federation {
    inner: Shared,
    bitcoind: Bitcoind,
    key: Keypair,
    pub base: String,
}

fn locked(inner: &Shared) -> MutexGuard<'_, Inner> {
    inner.lock().expect("no panic")
}

fn key(byte: u8) -> Keypair {
    Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[byte; 32]).expect("a key"))
}

impl Federation {
    pub async fn start(rig: &Rig, params: Params) -> Self {
        let start = rig.bitcoind.tip().await.expect("a tip");
        let members = (1..=4u8).map(|index| GenesisMember {
            name: format!("f{index}"),
            identity: [index; 32],
            emergency_key: key(index).x_only_public_key().0.serialize(),
        });
        let treasury_key = key(9).x_only_public_key().0.serialize();
        let (network, threshold) = (ChainNetwork::Regtest, 3);
        let members = members.collect();
        let genesis = Genesis { version: ledger::VERSION, network, members, threshold, treasury_key, start, params };
        genesis.validate().expect("a good genesis");
        let (changes, tip) = ledger::genesis_state(&genesis);
        let mut state = MemoryState::default();
        state.commit(&changes);
        let (waiting, finals, blocks) = (Vec::new(), HashMap::new(), Vec::new());
        let inner = Arc::new(Mutex::new(Inner { genesis, state, tip, waiting, finals, blocks, dead: false }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let app = router(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { inner, bitcoind: rig.bitcoind.clone(), key: key(9), base }
    }

    /// Nobody answers from now on.
    pub fn die(&self) {
        locked(&self.inner).dead = true;
    }

    /// It answers again.
    pub fn revive(&self) {
        locked(&self.inner).dead = false;
    }

    pub fn params(&self) -> Params {
        locked(&self.inner).genesis.params.clone()
    }

    /// As if all members had been killed: their pools are in memory.
    pub fn forget_waiting(&self) {
        locked(&self.inner).waiting.clear();
    }

    pub fn supply(&self) -> bitcoin::Amount {
        locked(&self.inner).tip.supply
    }

    pub fn owed(&self) -> bitcoin::Amount {
        locked(&self.inner).tip.owed
    }

    /// One block of the sidechain, with all that waits and the anchor as far as it may go; then the
    /// batch in flight is signed and broadcast.
    pub async fn turn(&self) {
        let depth = self.params().anchor_depth.get();
        let tip = self.bitcoind.tip().await.expect("a tip").height.get();
        let from = locked(&self.inner).tip.anchor.height.get() + 1;
        let mut blocks = Vec::new();
        for height in from..=(tip + 1).saturating_sub(depth) {
            let height = BtcHeight::new(height);
            let hash = self.bitcoind.block_hash(height).await.expect("answers").expect("there");
            blocks.push((height, self.bitcoind.block(hash).await.expect("answers").expect("there")));
        }
        let batch = self.build(&blocks);
        if let Some((batch, transaction)) = batch {
            let transaction = self.sign(&batch, transaction);
            // A reclaim may have won.
            let _ = self.bitcoind.broadcast(&transaction).await;
        }
    }

    fn build(&self, blocks: &[(BtcHeight, bitcoin::Block)]) -> Option<(ledger::Batch, bitcoin::Transaction)> {
        let mut guard = locked(&self.inner);
        let inner = &mut *guard;
        let views: Vec<(BtcHeight, &bitcoin::Block)> = blocks.iter().map(|(height, block)| (*height, block)).collect();
        let inputs = ledger::bitcoin_inputs(&inner.state, &views).expect("readable");
        let waiting = std::mem::take(&mut inner.waiting);
        let (block, applied, left_out) =
            ledger::build(&inner.genesis, &inner.state, &inner.tip, inputs, waiting.clone()).expect("a block");
        inner.state.commit(&applied.changes);
        inner.tip = applied.header;
        let kept = |id: &Digest| left_out.iter().any(|(out, error)| out == id && error.is_transient());
        inner.waiting = waiting.into_iter().filter(|transaction| kept(&transaction.id())).collect();
        for transaction in &block.transactions {
            inner.finals.insert(transaction.id(), inner.tip.height);
        }
        inner.blocks.push(borsh::to_vec(&block).expect("encodes"));
        let batch = query::batch(&inner.state).expect("readable")?;
        let transaction = batch.transaction(&inner.genesis).expect("a transaction");
        Some((batch, transaction))
    }

    fn sign(&self, batch: &ledger::Batch, mut transaction: bitcoin::Transaction) -> bitcoin::Transaction {
        let secp = Secp256k1::new();
        let genesis = locked(&self.inner).genesis.clone();
        for (index, sighash) in batch.sighashes(&genesis).expect("hashes").into_iter().enumerate() {
            let root = batch.merkle_root(&genesis, index).expect("a root");
            let tweaked = self.key.tap_tweak(&secp, Some(root)).to_keypair();
            let signature = secp.sign_schnorr_no_aux_rand(&Message::from_digest(sighash), &tweaked);
            transaction.input[index].witness = Witness::from_slice(&[signature.serialize().to_vec()]);
        }
        transaction
    }
}

type Inside = State<Shared>;
type Answer<T> = Result<Json<T>, ApiError>;

fn router(inner: Shared) -> Router {
    Router::new()
        .route("/v1/genesis", get(genesis))
        .route("/v1/chain", get(chain))
        .route("/v1/accounts/{address}", get(account))
        .route("/v1/deposits", get(deposits))
        .route("/v1/deposits/{outpoint}", get(deposit))
        .route("/v1/peg-outs", get(peg_outs))
        .route("/v1/peg-outs/{id}", get(peg_out))
        .route("/v1/transactions", post(submit))
        .route("/v1/transactions/{id}", get(status))
        .route("/v1/blocks", get(blocks))
        .route("/v1/proofs/params", get(params))
        .route("/v1/epochs", get(|| async { Json(Vec::<windlass_sidechain::EpochLink>::new()) }))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&inner), gate))
        .layer(axum::middleware::from_fn(serve_one_version))
        .with_state(inner)
}

async fn gate(State(inner): Inside, request: Request, next: Next) -> Response {
    if locked(&inner).dead {
        return ApiError::not_running("it is dead").into_response();
    }
    next.run(request).await
}

async fn genesis(State(inner): Inside) -> Json<GenesisAnswer> {
    let genesis = locked(&inner).genesis.clone();
    let hex = hex::encode(borsh::to_vec(&genesis).expect("encodes"));
    Json(GenesisAnswer { chain: genesis.chain_id(), hex, genesis: serde_json::to_value(&genesis).expect("JSON") })
}

/// Under the genesis block, which nobody signs: here the parameters do not change.
async fn params(State(inner): Inside) -> Json<ProofFile> {
    let (changes, header) = ledger::genesis_state(&locked(&inner).genesis);
    let mut state = MemoryState::default();
    state.commit(&changes);
    let key = ledger::keys::PARAMS.to_vec();
    let value = state.get(&key).expect("memory").map(HexBytes);
    let proof = borsh::to_vec(&ledger::smt::prove(&state, &key).expect("memory")).expect("encodes");
    Json(ProofFile::new(&header, Vec::new(), Claim::Entry { key, value, proof }))
}

async fn chain(State(inner): Inside) -> Json<ChainInfo> {
    let inner = locked(&inner);
    Json(ChainInfo {
        chain: inner.tip.chain,
        network: inner.genesis.network,
        height: inner.tip.height,
        block: inner.tip.digest(),
        anchor: inner.tip.anchor,
        supply: inner.tip.supply,
        owed: inner.tip.owed,
        state_root: inner.tip.state_root,
        mempool: inner.waiting.len(),
        begun: Begun::Genesis,
    })
}

async fn account(State(inner): Inside, Path(address): Path<String>) -> Answer<AccountInfo> {
    let inner = locked(&inner);
    let id = AccountId::from_address(&address, ChainNetwork::Regtest).map_err(ApiError::usage)?;
    let account = query::account(&inner.state, &id).expect("readable");
    let height = inner.tip.height;
    let (next_nonce, used_nonces) = (account.nonces.next(), account.nonces.used_ahead());
    Ok(Json(AccountInfo { address, balance: account.balance, next_nonce, used_nonces, height }))
}

fn deposit_info(inner: &Inner, record: &DepositRecord) -> DepositInfo {
    let txid_of = |batch| query::batch_by_id(&inner.state, batch).expect("readable").expect("there").batch.txid;
    let state = match record.state {
        ledger::DepositState::Claimed => DepositState::Claimed,
        ledger::DepositState::Batched { batch } => DepositState::Sweeping { txid: txid_of(batch), confirmations: 0 },
        ledger::DepositState::Minted { batch, amount, minted } => {
            DepositState::Minted { txid: txid_of(batch), minted: amount, fee: record.amount - amount, height: minted }
        }
        ledger::DepositState::Reclaimed { txid, .. } => DepositState::Reclaimed { txid },
        ledger::DepositState::Lapsed { .. } => DepositState::Claimed,
    };
    DepositInfo {
        outpoint: record.outpoint,
        account: record.terms.account.address(ChainNetwork::Regtest),
        amount: record.amount,
        bitcoin_height: record.height,
        reclaim_height: record.height.checked_add(Blocks::new(9)).expect("small"),
        state,
    }
}

fn whole<T>(items: Vec<T>) -> Json<Page<T>> {
    Json(Page { items, next: None })
}

#[derive(serde::Deserialize)]
struct Of {
    account: String,
}

async fn deposits(State(inner): Inside, Query(of): Query<Of>) -> Answer<Page<DepositInfo>> {
    let inner = locked(&inner);
    let id = AccountId::from_address(&of.account, ChainNetwork::Regtest).map_err(ApiError::usage)?;
    let records = query::deposits_of(&inner.state, &id).expect("readable");
    Ok(whole(records.iter().map(|record| deposit_info(&inner, record)).collect()))
}

async fn deposit(State(inner): Inside, Path(outpoint): Path<OutPoint>) -> Answer<DepositInfo> {
    let inner = locked(&inner);
    let record = query::deposit(&inner.state, outpoint).expect("readable");
    let record = record.ok_or_else(|| ApiError::not_found("no such deposit"))?;
    Ok(Json(deposit_info(&inner, &record)))
}

fn peg_out_info(inner: &Inner, record: &PegOutRecord) -> PegOutInfo {
    let state = match record.state {
        ledger::PegOutState::Pending | ledger::PegOutState::Batched { .. } => PegOutState::Pending,
        ledger::PegOutState::Paid { outpoint: OutPoint { txid, vout }, amount, settled, .. } => {
            PegOutState::Paid { txid, vout, paid: amount, fee: record.amount - amount, height: settled }
        }
    };
    let network = inner.genesis.network;
    let to = bitcoin::Address::from_script(&record.script, network.bitcoin()).expect("an address").to_string();
    let (account, burned_height) = (record.from.address(network), record.requested);
    PegOutInfo { id: record.id, account, to, amount: record.amount, burned_height, state }
}

async fn peg_outs(State(inner): Inside, Query(of): Query<Of>) -> Answer<Page<PegOutInfo>> {
    let inner = locked(&inner);
    let id = AccountId::from_address(&of.account, ChainNetwork::Regtest).map_err(ApiError::usage)?;
    let records = query::peg_outs_of(&inner.state, &id).expect("readable");
    Ok(whole(records.iter().map(|record| peg_out_info(&inner, record)).collect()))
}

async fn peg_out(State(inner): Inside, Path(id): Path<Digest>) -> Answer<PegOutInfo> {
    let inner = locked(&inner);
    let record = query::peg_out(&inner.state, &id).expect("readable");
    let record = record.ok_or_else(|| ApiError::not_found("no such peg-out"))?;
    Ok(Json(peg_out_info(&inner, &record)))
}

async fn submit(State(inner): Inside, Json(request): Json<SubmitRequest>) -> Answer<SubmitAnswer> {
    let mut inner = locked(&inner);
    let bytes = hex::decode(&request.hex).map_err(ApiError::usage)?;
    let transaction = Transaction::decode(&bytes).map_err(ApiError::usage)?;
    if let Err(error) = ledger::check(&inner.genesis, &inner.state, &transaction)
        && !error.is_transient()
    {
        return Err(ApiError::conflict(error));
    }
    let id = transaction.id();
    if !inner.waiting.iter().any(|waiting| waiting.id() == id) {
        inner.waiting.push(transaction);
    }
    Ok(Json(SubmitAnswer { id }))
}

async fn status(State(inner): Inside, Path(id): Path<Digest>) -> Json<TransactionStatus> {
    let inner = locked(&inner);
    let waits = inner.waiting.iter().any(|waiting| waiting.id() == id);
    Json(match inner.finals.get(&id) {
        Some(height) => TransactionStatus::Final { height: *height },
        None if waits => TransactionStatus::Pending,
        None => TransactionStatus::Unknown,
    })
}

#[derive(serde::Deserialize)]
struct Range {
    from: u64,
    limit: u64,
}

async fn blocks(State(inner): Inside, Query(range): Query<Range>) -> Json<Page<BlockAnswer>> {
    let inner = locked(&inner);
    let heights = range.from..(range.from + range.limit).min(inner.blocks.len() as u64 + 1);
    let answer = |height: u64| BlockAnswer {
        height: SideHeight::new(height),
        block: Digest::default(),
        hex: hex::encode(&inner.blocks[height as usize - 1]),
        certificate: String::new(),
    };
    whole(heights.map(answer).collect())
}

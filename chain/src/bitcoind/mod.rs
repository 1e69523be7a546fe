//! One bitcoind over RPC.
//!
//! Answers are read with types of our own where those of `bitcoincore-rpc` 0.19 are stricter than
//! today's Bitcoin Core (it knows 31.99).

mod header;

pub use header::HeaderInfo;

use crate::error::{BroadcastError, ConnectError, RpcError};
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Transaction, Txid};
use bitcoincore_rpc::jsonrpc::{self, minreq_http};
use bitcoincore_rpc::{Client, RpcApi};
use header::HeaderJson;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use windlass_types::{BlockRef, BtcHeight};

/// How we prove to bitcoind that we may call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// The cookie that bitcoind writes at each start.
    Cookie(PathBuf),
    /// A fixed name and password.
    UserPassword {
        /// `rpcuser`.
        user: String,
        /// `rpcpassword`.
        password: String,
    },
}

/// Where a bitcoind is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BitcoindConfig {
    /// `http://127.0.0.1:18443`
    pub url: String,
    /// How we prove that we may call it.
    pub auth: Auth,
}

/// An unspent output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utxo {
    /// Its value.
    pub value: Amount,
    /// Its script.
    pub script: ScriptBuf,
    /// 0 in the mempool, 1 in the tip.
    pub confirmations: u32,
    /// The height of its block; `None` in the mempool.
    pub height: Option<BtcHeight>,
    /// True if it pays out a block's reward.
    pub coinbase: bool,
}

/// An unspent output that a scan has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unspent {
    /// Where it is.
    pub outpoint: OutPoint,
    /// Its value.
    pub value: Amount,
    /// Its script.
    pub script: ScriptBuf,
    /// The height of its block.
    pub height: BtcHeight,
}

/// What waits for a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mempool {
    /// The transactions.
    pub txids: Vec<Txid>,
    /// Grows with each transaction that comes or goes, until bitcoind is started again.
    pub sequence: u64,
}

struct Inner {
    config: BitcoindConfig,
    /// Made anew whenever a call did not get through: the cookie changes with each start.
    client: Mutex<Option<Arc<Client>>>,
}

/// A handle on one bitcoind; cheap to clone. No call is made before the first method.
#[derive(Clone)]
pub struct Bitcoind {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Bitcoind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Bitcoind").field(&self.inner.config.url).finish()
    }
}

/// A call that takes longer than this has failed. `scantxoutset` and a block of 4 MB stay below.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

impl Bitcoind {
    /// A handle, without any call: the bitcoind may be down.
    pub fn new(config: BitcoindConfig) -> Self {
        Self { inner: Arc::new(Inner { config, client: Mutex::new(None) }) }
    }

    /// A handle on a bitcoind that answers and is on `network`.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(config: BitcoindConfig, network: Network) -> Result<Self, ConnectError> {
        let url = config.url.clone();
        let bitcoind = Self::new(config);
        let found = bitcoind.network_name().await?;
        if found != network.to_core_arg() {
            return Err(ConnectError::WrongNetwork { url, found, expected: network });
        }
        Ok(bitcoind)
    }

    /// Where it is.
    pub fn config(&self) -> &BitcoindConfig {
        &self.inner.config
    }

    /// Any RPC, read as `T`.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn call<T: DeserializeOwned + Send + 'static>(
        &self,
        method: &str,
        arguments: Vec<Value>,
    ) -> Result<T, RpcError> {
        let (this, method) = (self.clone(), method.to_owned());
        let url = self.inner.config.url.clone();
        tokio::task::spawn_blocking(move || this.call_blocking(&method, &arguments))
            .await
            .unwrap_or_else(|_| Err(RpcError::Unreachable { url, reason: "the call was abandoned".into() }))
    }

    /// As [`Self::call`], from a thread that may block.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub fn call_blocking<T: DeserializeOwned>(&self, method: &str, arguments: &[Value]) -> Result<T, RpcError> {
        let first = self.call_once(method, arguments);
        match first {
            // A bitcoind that was started again has a new cookie: read it and try once more.
            Err(RpcError::Unauthorized { .. }) => self.call_once(method, arguments),
            other => other,
        }
    }

    fn call_once<T: DeserializeOwned>(&self, method: &str, arguments: &[Value]) -> Result<T, RpcError> {
        let client = self.client()?;
        let value: Value = client.call(method, arguments).map_err(|error| self.sort(method, error))?;
        serde_json::from_value(value)
            .map_err(|error| RpcError::Malformed { method: method.into(), reason: error.to_string() })
    }

    fn client(&self) -> Result<Arc<Client>, RpcError> {
        let mut slot = self.inner.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = slot.as_ref() {
            return Ok(Arc::clone(client));
        }
        let config = &self.inner.config;
        let unreachable = |reason: String| RpcError::Unreachable { url: config.url.clone(), reason };
        let builder = minreq_http::Builder::new()
            .timeout(CALL_TIMEOUT)
            .url(&config.url)
            .map_err(|error| unreachable(error.to_string()))?;
        let builder = match &config.auth {
            Auth::Cookie(path) => {
                let cookie = std::fs::read_to_string(path)
                    .map_err(|error| unreachable(format!("its cookie {}: {error}", path.display())))?;
                builder.cookie_auth(cookie.trim_end())
            }
            Auth::UserPassword { user, password } => builder.basic_auth(user.clone(), Some(password.clone())),
        };
        let client = Arc::new(Client::from_jsonrpc(jsonrpc::Client::with_transport(builder.build())));
        *slot = Some(Arc::clone(&client));
        Ok(client)
    }

    fn sort(&self, method: &str, error: bitcoincore_rpc::Error) -> RpcError {
        let url = self.inner.config.url.clone();
        let forget = || *self.inner.client.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match error {
            bitcoincore_rpc::Error::JsonRpc(jsonrpc::Error::Rpc(answer)) => match answer.code {
                // Still starting: "Loading block index…"
                -28 => RpcError::Unreachable { url, reason: answer.message },
                code => RpcError::Refused { method: method.into(), code, message: answer.message },
            },
            bitcoincore_rpc::Error::JsonRpc(jsonrpc::Error::Transport(error)) => {
                forget();
                match error.downcast_ref::<minreq_http::Error>() {
                    Some(minreq_http::Error::Http(http)) if http.status_code == 401 => RpcError::Unauthorized { url },
                    _ => RpcError::Unreachable { url, reason: error.to_string() },
                }
            }
            other => RpcError::Malformed { method: method.into(), reason: other.to_string() },
        }
    }

    async fn network_name(&self) -> Result<String, RpcError> {
        #[derive(Deserialize)]
        struct Info {
            chain: String,
        }
        Ok(self.call::<Info>("getblockchaininfo", vec![]).await?.chain)
    }

    /// The network that it is on.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn network(&self) -> Result<Network, RpcError> {
        let name = self.network_name().await?;
        Network::from_core_arg(&name).map_err(|error| malformed("getblockchaininfo", error))
    }

    /// The tip of its best chain.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn tip(&self) -> Result<BlockRef, RpcError> {
        let hash = self.best_block_hash().await?;
        match self.header(hash).await? {
            Some(info) => Ok(info.at),
            None => Err(malformed("getblockheader", "it doesn't know its own tip")),
        }
    }

    /// The hash of the tip of its best chain.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn best_block_hash(&self) -> Result<BlockHash, RpcError> {
        self.call("getbestblockhash", vec![]).await
    }

    /// The hash of the block at `height` of its best chain; `None` beyond the tip.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn block_hash(&self, height: BtcHeight) -> Result<Option<BlockHash>, RpcError> {
        match self.call("getblockhash", vec![json!(height.get())]).await {
            Ok(hash) => Ok(Some(hash)),
            Err(error) if error.is_out_of_range() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The block `hash`, also of a chain that lost; `None` if it is unknown.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn block(&self, hash: BlockHash) -> Result<Option<Block>, RpcError> {
        match self.call::<String>("getblock", vec![json!(hash), json!(0)]).await {
            Ok(hex) => deserialize_hex(&hex).map(Some).map_err(|error| malformed("getblock", error)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The header of the block `hash`, also of a chain that lost; `None` if it is unknown.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn header(&self, hash: BlockHash) -> Result<Option<HeaderInfo>, RpcError> {
        match self.call::<HeaderJson>("getblockheader", vec![json!(hash), json!(true)]).await {
            Ok(json) => json.read().map(Some).map_err(|error| malformed("getblockheader", error)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Hands `transaction` to the network. One that is already in the mempool or in a block is fine.
    ///
    /// # Errors
    /// Bitcoin Core refuses it, with its reason; or the call fails.
    pub async fn broadcast(&self, transaction: &Transaction) -> Result<Txid, BroadcastError> {
        /// "Transaction already in block chain" (with unspent outputs); in the mempool is no error.
        const ALREADY_IN_CHAIN: i32 = -27;
        let txid = transaction.compute_txid();
        // The second argument lifts Core's limit on the fee rate: what we pay is checked by us.
        match self.call::<Txid>("sendrawtransaction", vec![json!(serialize_hex(transaction)), json!(0)]).await {
            Ok(_) | Err(RpcError::Refused { code: ALREADY_IN_CHAIN, .. }) => Ok(txid),
            Err(RpcError::Refused { code, message, .. }) => {
                // One in a block whose outputs are all spent looks like a double spend of its inputs.
                if code == -25 && self.is_known(txid, transaction).await? {
                    return Ok(txid);
                }
                Err(BroadcastError::Rejected { txid, reason: message })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Hands a parent and the child that pays for it to the network together: the parent alone may pay too
    /// little to be taken. Those that are in the mempool already are fine.
    ///
    /// # Errors
    /// Bitcoin Core refuses one of them, with its reason; or the call fails.
    pub async fn broadcast_package(&self, package: &[Transaction]) -> Result<(), BroadcastError> {
        #[derive(Deserialize)]
        struct Answer {
            package_msg: String,
            #[serde(rename = "tx-results")]
            results: BTreeMap<String, ResultJson>,
        }
        #[derive(Deserialize)]
        struct ResultJson {
            txid: Txid,
            error: Option<String>,
        }
        let Some(last) = package.last() else { return Ok(()) };
        let list: Vec<String> = package.iter().map(serialize_hex).collect();
        let answer: Answer = match self.call("submitpackage", vec![json!(list), json!(0)]).await {
            Ok(answer) => answer,
            Err(RpcError::Refused { message, .. }) => {
                return Err(BroadcastError::Rejected { txid: last.compute_txid(), reason: message });
            }
            Err(error) => return Err(error.into()),
        };
        if answer.package_msg == "success" {
            return Ok(());
        }
        let refused = answer.results.into_values().find_map(|result| Some((result.txid, result.error?)));
        let (txid, reason) = refused.unwrap_or((last.compute_txid(), answer.package_msg));
        Err(BroadcastError::Rejected { txid, reason })
    }

    async fn is_known(&self, txid: Txid, transaction: &Transaction) -> Result<bool, RpcError> {
        for vout in 0..u32::try_from(transaction.output.len()).unwrap_or(u32::MAX) {
            if self.utxo(OutPoint::new(txid, vout)).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(self.mempool_transaction(txid).await?.is_some())
    }

    /// Asks whether the mempool would take `transaction`; `Err` in the inner result is its reason.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn test_accept(&self, transaction: &Transaction) -> Result<Result<(), String>, RpcError> {
        #[derive(Deserialize)]
        struct Answer {
            allowed: Option<bool>,
            #[serde(rename = "reject-reason")]
            reason: Option<String>,
        }
        let arguments = vec![json!([serialize_hex(transaction)]), json!(0)];
        let answers: Vec<Answer> = self.call("testmempoolaccept", arguments).await?;
        match answers.into_iter().next() {
            Some(Answer { allowed: Some(true), .. }) => Ok(Ok(())),
            Some(Answer { reason, .. }) => Ok(Err(reason.unwrap_or_else(|| "it gives no reason".into()))),
            None => Err(malformed("testmempoolaccept", "an empty list")),
        }
    }

    /// The output `outpoint` if it is unspent, the mempool's spends and outputs included.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn utxo(&self, outpoint: OutPoint) -> Result<Option<Utxo>, RpcError> {
        self.gettxout(outpoint, true).await
    }

    /// The output `outpoint` if it is unspent in the best chain, whatever the mempool says.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn confirmed_utxo(&self, outpoint: OutPoint) -> Result<Option<Utxo>, RpcError> {
        self.gettxout(outpoint, false).await
    }

    async fn gettxout(&self, outpoint: OutPoint, with_mempool: bool) -> Result<Option<Utxo>, RpcError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            bestblock: BlockHash,
            confirmations: u32,
            #[serde(with = "bitcoin::amount::serde::as_btc")]
            value: Amount,
            script_pub_key: ScriptJson,
            coinbase: bool,
        }
        let arguments = vec![json!(outpoint.txid), json!(outpoint.vout), json!(with_mempool)];
        let Some(answer) = self.call::<Option<Answer>>("gettxout", arguments).await? else { return Ok(None) };
        let height = match answer.confirmations.checked_sub(1) {
            None => None,
            Some(depth) => {
                let best = self.header(answer.bestblock).await?;
                best.and_then(|best| best.at.height.checked_sub(windlass_types::Blocks::new(depth)))
            }
        };
        Ok(Some(Utxo {
            value: answer.value,
            script: answer.script_pub_key.hex,
            confirmations: answer.confirmations,
            height,
            coinbase: answer.coinbase,
        }))
    }

    /// The transaction `txid` if it waits in the mempool.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn mempool_transaction(&self, txid: Txid) -> Result<Option<Transaction>, RpcError> {
        self.raw_transaction(vec![json!(txid), json!(0)]).await
    }

    /// The transaction `txid` if it is in the block `hash`.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn transaction_in_block(&self, txid: Txid, hash: BlockHash) -> Result<Option<Transaction>, RpcError> {
        self.raw_transaction(vec![json!(txid), json!(0), json!(hash)]).await
    }

    async fn raw_transaction(&self, arguments: Vec<Value>) -> Result<Option<Transaction>, RpcError> {
        match self.call::<String>("getrawtransaction", arguments).await {
            Ok(hex) => deserialize_hex(&hex).map(Some).map_err(|error| malformed("getrawtransaction", error)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What waits for a block.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn mempool(&self) -> Result<Mempool, RpcError> {
        #[derive(Deserialize)]
        struct Answer {
            txids: Vec<Txid>,
            mempool_sequence: u64,
        }
        let answer: Answer = self.call("getrawmempool", vec![json!(false), json!(true)]).await?;
        Ok(Mempool { txids: answer.txids, sequence: answer.mempool_sequence })
    }

    /// All unspent outputs with one of `scripts`, by a scan of the whole set (seconds on regtest,
    /// minutes on the main network).
    ///
    /// # Errors
    /// See [`RpcError`]; also refused while another scan runs.
    pub async fn scan(&self, scripts: &[ScriptBuf]) -> Result<Vec<Unspent>, RpcError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Row {
            txid: Txid,
            vout: u32,
            script_pub_key: ScriptBuf,
            #[serde(with = "bitcoin::amount::serde::as_btc")]
            amount: Amount,
            height: u32,
        }
        #[derive(Deserialize)]
        struct Answer {
            success: bool,
            unspents: Vec<Row>,
        }
        let scripts: Vec<String> = scripts.iter().map(|script| format!("raw({})", script.to_hex_string())).collect();
        let answer: Answer = self.call("scantxoutset", vec![json!("start"), json!(scripts)]).await?;
        if !answer.success {
            return Err(malformed("scantxoutset", "the scan was aborted"));
        }
        let read = |row: Row| Unspent {
            outpoint: OutPoint::new(row.txid, row.vout),
            value: row.amount,
            script: row.script_pub_key,
            height: BtcHeight::new(row.height),
        };
        Ok(answer.unspents.into_iter().map(read).collect())
    }
}

fn malformed(method: &str, reason: impl ToString) -> RpcError {
    RpcError::Malformed { method: method.into(), reason: reason.to_string() }
}

#[derive(Deserialize)]
struct ScriptJson {
    hex: ScriptBuf,
}

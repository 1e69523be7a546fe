//! Data for an outside watchtower: a signed justice transaction for each revoked state.
//!
//! They lie in `<folder>/<channel>/<transaction that it answers>.hex`. Whoever sees that transaction in a
//! block or a mempool broadcasts what the file holds, and needs no key for it. LDK signs it for the balance
//! of the cheat (BOLT 3's `to_local`) alone: payments in flight only the node itself can take.
//!
//! A state is answered from the moment on that the peer revokes it. Until then what it takes to sign lies in
//! the store, in the same commit as the monitor.

use super::kv::Kv;
use super::stack::{Fees, Keys};
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Amount, ScriptBuf, Transaction};
use lightning::chain::chaininterface::{ConfirmationTarget, FeeEstimator};
use lightning::chain::channelmonitor::{ChannelMonitor, ChannelMonitorUpdate};
use lightning::ln::chan_utils::CommitmentTransaction;
use lightning::sign::{InMemorySigner, SignerProvider};
use lightning::util::persist::KVStoreSync;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where the states that are not revoked yet lie in the store.
const WAITING: &str = "tower";

/// States that may wait to be revoked: BOLT 2 allows few; beyond, the oldest is given up.
const WAITING_MAX: usize = 64;

/// A state of the peer's that is not revoked yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    /// Unsigned; it spends one output, the cheat's balance.
    #[serde(serialize_with = "write_hex", deserialize_with = "read_hex")]
    justice: Transaction,
    value_sat: u64,
    number: u64,
}

/// `bitcoin`'s own form of this panics on a transaction that breaks off.
fn write_hex<S: Serializer>(transaction: &Transaction, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&serialize_hex(transaction))
}

fn read_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Transaction, D::Error> {
    deserialize_hex(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// What is kept for a channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Channel {
    /// One address of the wallet for all its justice transactions: one of them is broadcast at most.
    script: ScriptBuf,
    waiting: VecDeque<State>,
}

/// Reads what the store has of a channel; `None` if LDK could not sign it. (It takes the one input for granted.)
fn stored(bytes: &[u8]) -> Option<Channel> {
    let channel: Channel = serde_json::from_slice(bytes).ok()?;
    let sound =
        |state: &State| state.justice.input.len() == 1 && Amount::from_sat(state.value_sat) <= Amount::MAX_MONEY;
    channel.waiting.iter().all(sound).then_some(channel)
}

/// For the fuzzer: any bytes as a channel's row, and written again.
pub(crate) fn row(bytes: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec(&stored(bytes)?).ok()
}

/// The justice transaction, once the peer has revoked the state.
fn sign(monitor: &ChannelMonitor<InMemorySigner>, state: &State) -> Option<Transaction> {
    monitor.sign_to_local_justice_tx(state.justice.clone(), 0, state.value_sat, state.number).ok()
}

/// Writes justice transactions as states are revoked.
pub(crate) struct Tower {
    folder: PathBuf,
    kv: Arc<Kv>,
    keys: Arc<Keys>,
    fees: Arc<Fees>,
    turn: Mutex<()>,
}

impl Tower {
    pub(crate) fn new(folder: PathBuf, kv: Arc<Kv>, keys: Arc<Keys>, fees: Arc<Fees>) -> Self {
        Self { folder, kv, keys, fees, turn: Mutex::default() }
    }

    /// A new channel: its first state may be revoked later.
    pub(crate) fn add(&self, monitor: &ChannelMonitor<InMemorySigner>) {
        let states: Vec<_> = monitor.initial_counterparty_commitment_tx().into_iter().collect();
        self.take(monitor, &states);
    }

    /// An update: new states, or one that is revoked.
    pub(crate) fn update(&self, monitor: &ChannelMonitor<InMemorySigner>, update: &ChannelMonitorUpdate) {
        self.take(monitor, &monitor.counterparty_commitment_txs_from_update(update));
    }

    fn take(&self, monitor: &ChannelMonitor<InMemorySigner>, states: &[CommitmentTransaction]) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let id = monitor.channel_id().to_string();
        let Some(mut channel) = self.read(&id) else { return };
        channel.waiting.extend(states.iter().filter_map(|state| self.state(state, &channel.script)));
        while channel.waiting.len() > WAITING_MAX {
            channel.waiting.pop_front();
        }
        let (mut revoked, mut written) = (None, true);
        channel.waiting.retain(|state| {
            // It fails until the peer has revoked the state.
            let Some(signed) = sign(monitor, state).filter(|_| written) else { return true };
            if let Err(error) = self.write(&id, &signed) {
                tracing::error!(%error, folder = %self.folder.display(), "no data for the watchtower");
                written = false;
                return true;
            }
            revoked = Some(state.number);
            false
        });
        // States are numbered downwards. What is older and can't be signed spends a funding output that a splice
        // has spent: it can't be published any more.
        if let Some(number) = revoked.filter(|_| written) {
            channel.waiting.retain(|state| state.number < number);
        }
        if let Ok(value) = serde_json::to_vec(&channel)
            && let Err(error) = self.kv.write(WAITING, "", &id, value)
        {
            tracing::error!(%error, "the watchtower's states are not staged");
        }
    }

    fn read(&self, id: &str) -> Option<Channel> {
        let row = self.kv.read(WAITING, "", id).ok();
        let known = row.as_deref().and_then(stored);
        if row.is_some() && known.is_none() {
            tracing::error!(channel = id, "the watchtower's states are unreadable: those before now stay unanswered");
        }
        known.or_else(|| {
            let script = self.keys.get_destination_script([0; 32]).ok()?;
            Some(Channel { script, waiting: VecDeque::new() })
        })
    }

    /// The justice transaction of a state, unsigned; none if the peer has nothing in it.
    fn state(&self, commitment: &CommitmentTransaction, script: &ScriptBuf) -> Option<State> {
        let trusted = commitment.trust();
        let index = trusted.revokeable_output_index()?;
        let value = trusted.built_transaction().transaction.output.get(index)?.value;
        // The tower can't raise it later, so it is high from the start.
        let rate = self.fees.get_est_sat_per_1000_weight(ConfirmationTarget::UrgentOnChainSweep);
        let justice = trusted.build_to_local_justice_tx(u64::from(rate), script.clone()).ok()?;
        let number = commitment.commitment_number();
        Some(State { justice, value_sat: value.to_sat(), number })
    }

    fn write(&self, id: &str, justice: &Transaction) -> std::io::Result<()> {
        let Some(input) = justice.input.first() else { return Ok(()) };
        let folder = self.folder.join(id);
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.hex", input.previous_output.txid));
        let aside = path.with_extension("new");
        std::fs::write(&aside, serialize_hex(justice) + "\n")?;
        std::fs::rename(aside, path)
    }

    /// The channel's money came back: nothing of it is needed any more.
    pub(crate) fn remove(&self, id: &str) {
        // It may never have had a file.
        let _ = std::fs::remove_dir_all(self.folder.join(Path::new(id)));
        if let Err(error) = self.kv.remove(WAITING, "", id, true) {
            tracing::debug!(%error, "the watchtower's states are not removed");
        }
    }
}

//! What the wallet remembers of its pegs: deposit addresses, the coins that came to them, the
//! transactions that it sent to the sidechain. Written before anything is done about it.

use super::http::once::{self, Once};
use crate::api::member::{DepositInfo, PegOutInfo};
use bitcoin::consensus::serialize;
use bitcoin::{Amount, OutPoint, ScriptBuf, Txid};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use windlass_ledger::DepositTerms;
use windlass_store::{Store, StoreError, Writes};
use windlass_types::{BlockRef, Digest, SideHeight};

const ADDRESSES: &str = "peg-addresses";
const COINS: &str = "peg-coins";
const SENT: &str = "side-sent";
const PEG_OUTS: &str = "peg-outs";
const POSITION: &str = "peg-position";
const HISTORY: &[u8] = b"history";

/// All of them, for `windlass-fuzz`.
pub(crate) const JOURNAL_TABLES: [&str; 6] = [ADDRESSES, COINS, SENT, PEG_OUTS, POSITION, once::TABLE];

/// For `windlass-fuzz`: reads whatever is in the tables; true if all of it can be read.
pub(crate) fn fuzz_journal(store: Arc<Store>) -> bool {
    let once = Once::open(Arc::clone(&store)).is_ok_and(|once| once.is_whole());
    let Ok(journal) = Journal::open(store) else { return false };
    journal.read(|pages| pages.addresses.values().for_each(|address| drop(address.id())));
    journal.history().is_ok() && once
}

/// For `windlass-fuzz`: a row of each table.
pub(crate) fn journal_rows() -> Vec<(usize, Vec<u8>, Vec<u8>)> {
    let block = BlockRef::new(windlass_types::BtcHeight::new(1), bitcoin::hashes::Hash::all_zeros());
    let (outpoint, script) = (OutPoint::null(), ScriptBuf::from_bytes(vec![0x51, 0x20]));
    let seen = Seen { txid: outpoint.txid, block };
    let generator = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let terms = DepositTerms {
        account: windlass_types::AccountId::from_key(&generator.parse().expect("a key")),
        nonce: 1,
        epoch: windlass_types::Epoch::default(),
        user_key: [2; 32],
    };
    let address = DepositAddress { terms, address: "bcrt1".into(), script: script.clone() };
    let coin = Coin {
        outpoint,
        amount: Amount::from_sat(3),
        nonce: 1,
        index: 0,
        block: Some(block),
        spent: Some(seen),
        reclaim: Some(Reclaim { txid: outpoint.txid, hex: "00".into(), fee: Amount::from_sat(1) }),
        sidechain: None,
    };
    let id = Digest::default();
    let sent = Sent { id, hex: "00".into(), nonce: 4, expiry: SideHeight::new(5), takes: Amount::from_sat(6) };
    let peg_out = PegOut { id, script, info: None, seen: vec![(outpoint, seen)] };
    [json(&address), json(&coin), json(&sent), json(&peg_out), json(&[block]), once::row()]
        .into_iter()
        .zip([&b"address"[..], b"coin", b"sent", b"peg-out", HISTORY, b"key"])
        .enumerate()
        .map(|(table, (value, key))| (table, key.to_vec(), value))
        .collect()
}

/// A deposit address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DepositAddress {
    /// What the address says; its nonce is also the number of the reclaim key.
    pub(super) terms: DepositTerms,
    pub(super) address: String,
    pub(super) script: ScriptBuf,
}

impl DepositAddress {
    /// The id that people type: 12 digits of the hidden node.
    pub(super) fn id(&self) -> String {
        hex::encode(&self.terms.hidden()[..6])
    }
}

/// A coin at a deposit address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Coin {
    pub(super) outpoint: OutPoint,
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub(super) amount: Amount,
    /// The address's number.
    pub(super) nonce: u64,
    /// Its place among the address's coins.
    pub(super) index: u32,
    /// Its block; `None` after a reorganisation took it.
    pub(super) block: Option<BlockRef>,
    /// What spent it, as a block says.
    pub(super) spent: Option<Seen>,
    /// Our reclaim of it.
    pub(super) reclaim: Option<Reclaim>,
    /// The members' last word on it.
    pub(super) sidechain: Option<DepositInfo>,
}

/// A transaction in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) txid: Txid,
    pub(super) block: BlockRef,
}

/// A reclaim transaction, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reclaim {
    pub(super) txid: Txid,
    /// The transaction, in hex.
    pub(super) hex: String,
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub(super) fee: Amount,
}

/// A transaction that we sent to the sidechain, until it is final or no block will take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) id: Digest,
    /// The transaction, in hex.
    pub(super) hex: String,
    pub(super) nonce: u64,
    pub(super) expiry: SideHeight,
    /// What it takes from the account, its fee included.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub(super) takes: Amount,
}

/// A peg-out of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PegOut {
    pub(super) id: Digest,
    /// Where it goes.
    pub(super) script: ScriptBuf,
    /// The members' last word on it.
    pub(super) info: Option<PegOutInfo>,
    /// Payments to the script that were seen in blocks.
    pub(super) seen: Vec<(OutPoint, Seen)>,
}

/// All of it, in memory as on the disk.
#[derive(Debug, Default, Clone)]
pub(super) struct Pages {
    pub(super) addresses: BTreeMap<u64, DepositAddress>,
    pub(super) coins: BTreeMap<OutPoint, Coin>,
    pub(super) sent: BTreeMap<Digest, Sent>,
    pub(super) peg_outs: BTreeMap<Digest, PegOut>,
}

impl Pages {
    /// The id that people type of a coin: its address's, and a number from the second one on.
    pub(super) fn coin_id(&self, coin: &Coin) -> String {
        let of_address = self.addresses.get(&coin.nonce).map_or_else(String::new, DepositAddress::id);
        if coin.index == 0 { of_address } else { format!("{of_address}.{}", coin.index) }
    }
}

/// One entry that changed.
#[derive(Debug)]
pub(super) enum Entry {
    Address(u64),
    Coin(OutPoint),
    Sent(Digest),
    PegOut(Digest),
}

/// The journal.
#[derive(Debug)]
pub(super) struct Journal {
    store: Arc<Store>,
    pages: Mutex<Pages>,
}

fn read_all<T: DeserializeOwned>(store: &Store, table: &str) -> Result<Vec<T>, StoreError> {
    let damaged = |error: serde_json::Error| StoreError::Damaged {
        path: store.path().to_owned(),
        reason: format!("{table}: {error}"),
    };
    let entries = store.scan(table, b"")?;
    entries.iter().map(|(_, value)| serde_json::from_slice(value).map_err(damaged)).collect()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("its maps have string keys only")
}

impl Journal {
    /// Reads what is there.
    pub(super) fn open(store: Arc<Store>) -> Result<Self, StoreError> {
        let addresses: Vec<DepositAddress> = read_all(&store, ADDRESSES)?;
        let coins: Vec<Coin> = read_all(&store, COINS)?;
        let sent: Vec<Sent> = read_all(&store, SENT)?;
        let peg_outs: Vec<PegOut> = read_all(&store, PEG_OUTS)?;
        let pages = Pages {
            addresses: addresses.into_iter().map(|address| (address.terms.nonce, address)).collect(),
            coins: coins.into_iter().map(|coin| (coin.outpoint, coin)).collect(),
            sent: sent.into_iter().map(|sent| (sent.id, sent)).collect(),
            peg_outs: peg_outs.into_iter().map(|peg_out| (peg_out.id, peg_out)).collect(),
        };
        Ok(Self { store, pages: Mutex::new(pages) })
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the pages.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Pages) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the pages; returns once the change is on the disk. On a failure nothing is changed.
    pub(super) fn write(&self, change: impl FnOnce(&mut Pages) -> Vec<Entry>) -> Result<(), StoreError> {
        self.write_at(None, change)
    }

    /// As [`Self::write`], together with the position among Bitcoin's blocks.
    pub(super) fn write_at(
        &self,
        history: Option<&[BlockRef]>,
        change: impl FnOnce(&mut Pages) -> Vec<Entry>,
    ) -> Result<(), StoreError> {
        let mut pages = self.lock();
        let mut next = pages.clone();
        let changed = change(&mut next);
        let mut writes = Writes::new();
        for entry in changed {
            match entry {
                Entry::Address(nonce) => {
                    let value = next.addresses.get(&nonce).map(json);
                    put(&mut writes, ADDRESSES, &nonce.to_be_bytes(), value);
                }
                Entry::Coin(outpoint) => {
                    put(&mut writes, COINS, &serialize(&outpoint), next.coins.get(&outpoint).map(json));
                }
                Entry::Sent(id) => put(&mut writes, SENT, id.as_bytes(), next.sent.get(&id).map(json)),
                Entry::PegOut(id) => put(&mut writes, PEG_OUTS, id.as_bytes(), next.peg_outs.get(&id).map(json)),
            }
        }
        if let Some(history) = history {
            writes.add_put(POSITION, HISTORY, &json(&history));
        }
        self.store.commit(writes)?;
        *pages = next;
        Ok(())
    }

    /// The last blocks that were taken in, each the parent of the next.
    pub(super) fn history(&self) -> Result<Vec<BlockRef>, StoreError> {
        let bytes = self.store.get(POSITION, HISTORY)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }
}

fn put(writes: &mut Writes, table: &str, key: &[u8], value: Option<Vec<u8>>) {
    match value {
        Some(value) => writes.add_put(table, key, &value),
        None => writes.add_delete(table, key),
    }
}

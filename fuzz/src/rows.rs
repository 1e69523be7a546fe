//! Stores whose files are sound and whose rows are any bytes: written by a newer version, or by a bug.

use crate::seeds;
use std::sync::{Arc, OnceLock};
use windlass_ledger::{BitcoinInputs, ChangeSet, Genesis, MemoryState, StateRead, genesis_state, keys, query};
use windlass_store::fault::FaultDisk;
use windlass_store::{Store, Tuning};
use windlass_types::{AccountId, BtcHeight, Digest};

const TUNING: Tuning = Tuning {
    first_segment_bytes: 1 << 20,
    segment_bytes: 1 << 20,
    fold_dead_bytes: 1 << 20,
    fold_step_bytes: 1 << 20,
    background: false,
};

fn store() -> Arc<Store> {
    Store::open_log_tuned(FaultDisk::new(1), TUNING).expect("an empty disk")
}

fn genesis() -> &'static Arc<Genesis> {
    static GENESIS: OnceLock<Arc<Genesis>> = OnceLock::new();
    GENESIS.get_or_init(|| Arc::new(seeds::genesis()))
}

/// A row: the number of its table, key, value.
type Row<'a> = (usize, &'a [u8], &'a [u8]);

/// Any bytes as rows: table, length of the key, length of the value (two bytes), key, value.
fn rows(mut bytes: &[u8]) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    while let Some(([table, key, high, low], rest)) = bytes.split_first_chunk::<4>() {
        let (key, rest) = rest.split_at(rest.len().min(usize::from(*key)));
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at(rest.len().min(length));
        rows.push((usize::from(*table), key, value));
        bytes = rest;
    }
    rows
}

/// The bytes of a row, for seeds.
pub(crate) fn row(table: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("a short value").to_be_bytes();
    [&[table, u8::try_from(key.len()).expect("a short key")], &length[..], key, value].concat()
}

pub(crate) fn book(bytes: &[u8]) {
    windlass_channels::fuzzing::book(&rows(bytes));
}

pub(crate) fn wallet_journal(bytes: &[u8]) {
    windlass_node::fuzzing::wallet_journal(store(), &rows(bytes));
}

pub(crate) fn chain_store(bytes: &[u8]) {
    windlass_sidechain::fuzzing::chain_store(store(), genesis(), &rows(bytes));
}

/// What a row of the ledger's state may be named, by the table's number; the row's key is its rest.
pub(crate) const STATE_KEYS: [&[u8]; 16] = [
    keys::TIP,
    keys::CHAIN,
    keys::TOTALS,
    keys::TREASURY,
    keys::IN_FLIGHT,
    keys::BREACH,
    keys::DEPOSIT_QUEUE,
    keys::PEG_OUT_QUEUE,
    keys::ANCHORS,
    keys::ACCOUNTS,
    keys::DEPOSITS,
    keys::PEG_OUTS,
    keys::BATCHES,
    keys::NODES,
    keys::ASSETS,
    keys::UNITS,
];

/// The ledger's state with any rows over its first: each question has an answer or an error, and so has a
/// block that is made on it.
pub(crate) fn ledger_state(bytes: &[u8]) {
    let genesis = genesis();
    let (first, header) = genesis_state(genesis);
    let mut state = MemoryState::default();
    state.commit(&first);
    let mut changes = ChangeSet::default();
    for (table, rest, value) in rows(bytes) {
        changes.put([STATE_KEYS[table % STATE_KEYS.len()], rest].concat(), value.to_vec());
    }
    state.commit(&changes);
    ask(&state);
    let transactions = seeds::transactions(genesis.chain_id());
    for transaction in &transactions {
        let _ = windlass_ledger::check(genesis, &state, transaction);
    }
    let _ = windlass_ledger::build(genesis, &state, &header, BitcoinInputs::default(), transactions);
}

fn ask(state: &dyn StateRead) {
    let account: AccountId = seeds::account();
    let _ = (query::tip(state), query::totals(state), query::account(state, &account));
    let _ = (query::anchor(state, BtcHeight::new(1)), query::deposits_of(state, &account));
    let _ = (query::pending_deposits(state), query::pending_peg_outs(state), query::peg_outs_of(state, &account));
    let _ = (query::peg_out(state, &Digest::default()), query::treasury(state), query::breach(state));
    let _ = (query::accounts(state), query::batches(state), query::assets(state), query::units_of(state, &account));
    if let Ok(Some(batch)) = query::batch(state) {
        let _ = batch.transaction(genesis());
    }
}

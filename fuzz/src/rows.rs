//! Stores whose files are sound and whose rows are any bytes: written by a newer version, or by a bug.

use crate::seeds;
use std::sync::{Arc, OnceLock};
use windlass_channels::fuzzing::store;
use windlass_ledger::{BitcoinInputs, ChangeSet, Genesis, MemoryState, StateRead, genesis_state, keys, query};
use windlass_recount::Recount;
use windlass_types::{AccountId, BtcHeight, Digest};

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

/// The bytes of rows, for seeds.
pub(crate) fn joined(rows: &[(usize, Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let rows = rows.iter().map(|(table, key, value)| row(u8::try_from(*table).expect("few"), key, value));
    rows.collect::<Vec<_>>().concat()
}

/// The bytes of a row.
pub(crate) fn row(table: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("a short value").to_be_bytes();
    [&[table, u8::try_from(key.len()).expect("a short key")], &length[..], key, value].concat()
}

pub(crate) fn book(bytes: &[u8]) -> bool {
    windlass_channels::fuzzing::book(&rows(bytes))
}

pub(crate) fn wallet_journal(bytes: &[u8]) -> bool {
    windlass_node::fuzzing::wallet_journal(store(), &rows(bytes))
}

pub(crate) fn chain_store(bytes: &[u8]) -> bool {
    windlass_sidechain::fuzzing::chain_store(store(), genesis(), &rows(bytes))
}

/// What a row of the ledger's state may be named, by the table's number; the row's key is its rest.
pub(crate) const STATE_KEYS: [&[u8]; 17] = [
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
    keys::REVEALED,
];

/// The ledger's state with any rows over its first: each question has an answer or an error, and so has a
/// block that is made on it. True if no answer is an error.
pub(crate) fn ledger_state(bytes: &[u8]) -> bool {
    let genesis = genesis();
    let (first, header) = genesis_state(genesis);
    let mut state = MemoryState::default();
    state.commit(&first);
    let mut changes = ChangeSet::default();
    for (table, rest, value) in rows(bytes) {
        changes.put([STATE_KEYS[table % STATE_KEYS.len()], rest].concat(), value.to_vec());
    }
    state.commit(&changes);
    let answered = ask(&state);
    let transactions = seeds::transactions(genesis.chain_id());
    for transaction in &transactions {
        let _ = windlass_ledger::check(genesis, &state, transaction);
    }
    let _ = windlass_ledger::build(genesis, &state, &header, BitcoinInputs::default(), transactions);
    answered
}

/// A kept recount whose checksum holds: it goes on, or is not believed.
pub(crate) fn saved_recount(bytes: &[u8]) -> bool {
    let sum = Digest::tagged("Windlass/recount", &[bytes]);
    let block = seeds::first_block().encode();
    let saved = [bytes, sum.as_bytes()].concat();
    let resumed = Recount::resume((**genesis()).clone(), &saved, |_| Some(block.clone()));
    let Ok(mut recount) = resumed else { return false };
    let _ = (recount.due(), recount.coins(), recount.save());
    assert!(recount.take(&block).is_err(), "a block that is counted already");
    true
}

fn ask(state: &dyn StateRead) -> bool {
    let account: AccountId = seeds::account();
    let (pegs, tip) = (query::pending_peg_outs(state).is_ok(), query::tip(state).is_ok());
    let answered = [
        tip & query::totals(state).is_ok() & query::account(state, &account).is_ok(),
        query::anchor(state, BtcHeight::new(1)).is_ok() & query::deposits_of(state, &account).is_ok(),
        pegs & query::pending_deposits(state).is_ok() & query::peg_outs_of(state, &account).is_ok(),
        query::peg_out(state, &Digest::default()).is_ok() & query::treasury(state).is_ok(),
        query::revealed(state, &[7; 32]).is_ok(),
        query::assets(state).is_ok() & query::units_of(state, &account).is_ok(),
        query::breach(state).is_ok() & query::accounts(state).is_ok() & query::batches(state).is_ok(),
    ];
    let batch = query::batch(state);
    if let Ok(Some(batch)) = &batch {
        let _ = batch.transaction(genesis());
    }
    batch.is_ok() && answered.iter().all(|answered| *answered)
}

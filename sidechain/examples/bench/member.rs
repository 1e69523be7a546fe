//! One member, a federation of itself: from a transaction's bytes to its final, durable block.

use crate::load::{Accounts, BANK};
use crate::members::{Running, start, wait_for};
use crate::report::{Report, disk_bytes, per_second, usage};
use crate::{Outcome, fixture};
use bitcoin::Amount;
use serde_json::json;
use std::time::{Duration, Instant};
use windlass_ledger::{Genesis, Transaction};
use windlass_sidechain::{Handle, Timing};

const ACCOUNTS: usize = 1_000_000;
const SENDERS: usize = 20_000;
const ROUNDS: u64 = 10;
/// Transactions handed in at once.
const LOT: usize = 1_000;
/// As many wait at most: the pool takes 20,000.
const WAITING: usize = 12_000;

pub fn run(report: &mut Report, bound: f64) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let genesis = fixture::genesis_of(1);
    let bitcoin = fixture::FakeBitcoin::default();
    let addresses = crate::members::addresses(1)?;
    let member = start(0, &genesis, &addresses, dir.path(), &bitcoin, Timing::default())?;
    fund(&[&member], &bitcoin, &genesis, &[BANK])?;
    let mut accounts = Accounts::new(ACCOUNTS, SENDERS);
    // Each of these is large, and one account may have 1 MiB waiting.
    hand_in(&member.handle, &accounts.funding(&genesis), 10, 40)?;
    let mut list = Vec::new();
    for nonce in 0..ROUNDS {
        list.extend(accounts.round(&genesis, nonce));
    }
    let (disk, (processor, _)) = (disk_bytes(dir.path()), usage());
    let (height, begun) = (member.handle.tip().height.get(), Instant::now());
    hand_in(&member.handle, &list, LOT, WAITING)?;
    let (took, (after, resident)) = (begun.elapsed(), usage());
    let rate = per_second(list.len(), took);
    report.row(&json!({
        "what": "one member", "accounts": ACCOUNTS, "transfers": list.len(), "transfers_per_s": rate,
        "of_signature_bound_percent": (rate / bound * 100.0).round(),
        "processor_us_per_transfer": (after - processor).as_micros() / list.len() as u128,
        "blocks": member.handle.tip().height.get() - height,
        "disk_bytes_per_transfer": disk_bytes(dir.path()).saturating_sub(disk) / list.len() as u64,
        "resident_mb": resident / 1_000_000,
    }))
}

/// Hands in transactions in lots, and returns when all are final.
fn hand_in(handle: &Handle, list: &[Transaction], lot: usize, most: usize) -> Outcome<()> {
    let encoded: Vec<Vec<u8>> = list.iter().map(Transaction::encode).collect();
    for lot in encoded.chunks(lot) {
        while handle.waiting() + lot.len() > most {
            std::thread::sleep(Duration::from_millis(1));
        }
        for outcome in handle.submit_all_bytes(lot) {
            outcome?;
        }
    }
    wait_for("all are final", || handle.waiting() == 0)
}

/// A deposit for each name, by way of Bitcoin.
pub fn fund(members: &[&Running], bitcoin: &fixture::FakeBitcoin, genesis: &Genesis, names: &[u8]) -> Outcome<()> {
    let claims = fixture::deposit(bitcoin, genesis, names, Amount::from_int_btc(1_000));
    let note = || members.iter().for_each(|member| member.handle.note_anchor(bitcoin.tip()));
    note();
    let first = &members[0].handle;
    wait_for("the deposit is anchored", || first.tip().anchor.height == bitcoin.tip())?;
    for claim in claims {
        first.submit(claim)?;
    }
    wait_for("the batch is fixed", || fixture::confirm_batch(bitcoin, genesis, first))?;
    note();
    let has = |member: &Running| names.iter().all(|name| fixture::balance(&member.handle, *name) > Amount::ZERO);
    wait_for("the deposits are minted", || members.iter().all(|member| has(member)))
}

//! A node's accounts against the chain, whatever has happened.

use super::{Chain, DEADLINE, Peer, eventually};
use bitcoin::Txid;
use std::collections::BTreeMap;
use std::time::Instant;
use windlass_channels::{ArrivalKind, ChannelId, ChannelRecord, CloseKind};
use windlass_types::{BtcHeight, Msat};

/// What bitcoind says that a transaction in a block paid to the miner; fails if it is not in that block.
fn fee_on_chain(chain: &Chain, txid: Txid, height: BtcHeight) -> u64 {
    let read = async {
        let hash = chain.bitcoind.block_hash(height).await.expect("an answer").expect("a block");
        let arguments = vec![serde_json::json!(txid), serde_json::json!(2), serde_json::json!(hash)];
        chain.bitcoind.call::<serde_json::Value>("getrawtransaction", arguments).await
    };
    let found = chain.runtime.block_on(read).unwrap_or_else(|error| panic!("{txid} is not in block {height}: {error}"));
    let fee = found["fee"].as_f64().expect("bitcoind tells the fee");
    (fee * 1e8).round() as u64
}

/// What the node says that it paid for each transaction that it paid for alone.
fn fees(records: &[ChannelRecord]) -> BTreeMap<(Txid, BtcHeight), u64> {
    let mut fees = BTreeMap::new();
    let mut add = |txid: Txid, height: Option<BtcHeight>, fee: u64| {
        if let Some(height) = height {
            *fees.entry((txid, height)).or_default() += fee;
        }
    };
    for record in records.iter().filter(|record| !record.restored) {
        if record.we_funded {
            add(record.funding.outpoint.txid, record.funding.height, record.funding.fee.to_sat());
        }
        for splice in &record.splices {
            if splice.added.to_sat() + splice.removed.to_sat() > 0 {
                add(splice.txid, splice.height, (splice.fee + splice.wallet_fee).to_sat());
            }
        }
        if let Some(closing) = &record.closing
            && let Some(txid) = closing.txid
        {
            add(txid, closing.height, closing.transaction_fee.to_sat());
        }
        let arrivals = record.arrivals.iter();
        for arrival in arrivals.filter(|arrival| !matches!(arrival.kind, ArrivalKind::Close | ArrivalKind::Htlc)) {
            add(arrival.txid, Some(arrival.height), (arrival.fee + arrival.wallet_fee).to_sat());
        }
    }
    fees
}

/// What a channel has brought to the wallet, less what the wallet has put into it and paid for it.
fn brought(record: &ChannelRecord) -> i128 {
    let sat = |amount: bitcoin::Amount| i128::from(amount.to_sat());
    let funded = if record.we_funded { sat(record.funding.value) + sat(record.funding.fee) } else { 0 };
    let splices = record.splices.iter().map(|splice| {
        let back = if splice.to_wallet { sat(splice.removed) } else { 0 };
        back - sat(splice.added) - sat(splice.wallet_fee)
    });
    let lifted: i128 = record.arrivals.iter().map(|arrival| sat(arrival.wallet_fee)).sum();
    sat(record.arrived()) + splices.sum::<i128>() - funded - lifted
}

/// All that came into a channel, less all that left it other than to the wallet, in msat.
fn account(record: &ChannelRecord) -> i128 {
    let msat = |amount: Msat| i128::from(amount.get());
    let sat = |amount: bitcoin::Amount| i128::from(amount.to_sat()) * 1000;
    let (removed, splice_fees) = record.spliced_out();
    let ins = msat(record.opening) + msat(record.received) + msat(record.forwarded_in) + sat(record.spliced_in());
    ins - msat(record.sent) - msat(record.forwarded_out) - sat(removed) - sat(splice_fees)
}

/// The statement of `peer` adds up to the satoshi against the chain: its wallet, which began with
/// `start_sat` and has done nothing but channels, holds what the channels' accounts say; each account is
/// its balance; and each transaction is in its block and paid the fee that the books say.
pub fn check_statement(chain: &Chain, peer: &Peer, start_sat: u64) -> Vec<ChannelRecord> {
    peer.sync();
    let end = Instant::now() + DEADLINE;
    let records = loop {
        let records = peer.node().records();
        let holds = i128::from(peer.wallet().balance().total().to_sat());
        let expected = i128::from(start_sat) + records.iter().map(brought).sum::<i128>();
        if holds == expected {
            break records;
        }
        // Events come a little after what they tell of.
        assert!(Instant::now() < end, "{} holds {holds}, by its accounts {expected}: {records:#?}", peer.name);
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    for record in &records {
        let name = peer.name;
        if !record.restored {
            assert_eq!(account(record), i128::from(record.balance.get()), "{name}: {record:#?}");
        }
        if record.settled && record.penalty == Msat::ZERO {
            assert_eq!(record.difference_msat, 0, "{name}: {record:#?}");
        }
        let cooperative = record.closing.as_ref().is_some_and(|closing| closing.kind == CloseKind::Cooperative);
        if record.settled && cooperative {
            let closing = record.closing.as_ref().expect("it is closed");
            let out = (closing.fee + record.arrived()).to_sat() * 1000 + closing.rounding.get();
            assert_eq!(out, record.balance.get(), "{name}: {record:#?}");
        }
    }
    for ((txid, height), fee) in fees(&records) {
        let paid = fee_on_chain(chain, txid, height);
        assert_eq!(fee, paid, "{}: the fee of {txid}: {records:#?}", peer.name);
    }
    records
}

/// As [`check_statement`], of open channels that nothing is on its way over: LDK's balances are the account's.
pub fn check_open(chain: &Chain, peer: &Peer, start_sat: u64) -> Vec<ChannelRecord> {
    let records = check_statement(chain, peer, start_sat);
    for record in records.iter().filter(|record| record.closing.is_none()) {
        eventually("LDK's balance is the account's", || {
            let channel = peer.node().channel(record.id)?;
            (channel.splice.is_some() || channel.ours == peer.node().record(record.id)?.balance).then_some(())
        });
    }
    records
}

/// Mines, `other` reading along, until the channel's account is settled for `peer`.
pub fn settle(chain: &Chain, peer: &Peer, other: &Peer, id: ChannelId) -> ChannelRecord {
    for _ in 0..60 {
        let record = peer.node().record(id).expect("a record");
        if record.settled {
            return record;
        }
        chain.mine(6, &[peer, other]);
    }
    panic!("{}: {:#?}", peer.name, peer.node().record(id));
}

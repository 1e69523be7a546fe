//! The statement as a list of entries: each moves money into or out of one account.
//!
//! There is one account for the on-chain wallet and one for each channel. The wallet's entries are
//! made from its own transactions, so they add up to what it holds; what the channels' records do not
//! explain of a transaction of theirs is a fault. A channel's entries add up to our balance in it while
//! it is open, and to nothing once all of it has come back.

use crate::api::wallet::{EntryKind, Income, StatementEntry};
use bitcoin::Txid;
use std::collections::{BTreeMap, BTreeSet};
use windlass_chain::WalletTx;
use windlass_channels::{Arrival, ArrivalKind, ChannelRecord};
use windlass_types::{BtcHeight, Msat};

/// The wallet's account.
const WALLET: &str = "wallet";

const MSAT: u64 = 1000;

/// A sum of credits less debits, in msat.
type Sum = i128;

fn entry(account: &str, kind: EntryKind, msat: Sum, on_chain: Option<(Txid, Option<BtcHeight>)>) -> StatementEntry {
    let size = Msat::new(u64::try_from(msat.unsigned_abs()).unwrap_or(u64::MAX));
    let (credit_msat, debit_msat) = if msat < 0 { (Msat::ZERO, size) } else { (size, Msat::ZERO) };
    let (txid, height) = on_chain.map_or((None, None), |(txid, height)| (Some(txid), height));
    StatementEntry { account: account.to_owned(), kind, credit_msat, debit_msat, txid, height }
}

fn sats(sat: u64) -> Sum {
    Sum::from(sat) * Sum::from(MSAT)
}

/// What the entries of `account` add up to, in msat.
pub(super) fn sum_of(entries: &[StatementEntry], account: &str) -> Sum {
    let own = entries.iter().filter(|entry| entry.account == account);
    own.map(|entry| Sum::from(entry.credit_msat.get()) - Sum::from(entry.debit_msat.get())).sum()
}

fn arrival_kind(kind: ArrivalKind) -> EntryKind {
    match kind {
        ArrivalKind::Close => EntryKind::ChannelClose,
        ArrivalKind::Anchor => EntryKind::Anchor,
        ArrivalKind::Sweep => EntryKind::Sweep,
        ArrivalKind::Htlc => EntryKind::Htlc,
        ArrivalKind::Penalty => EntryKind::Penalty,
    }
}

/// The entries of one channel's account; those that move nothing are left out.
fn of_channel(record: &ChannelRecord) -> Vec<StatementEntry> {
    let id = record.id.to_string();
    let funding = Some((record.funding.outpoint.txid, record.funding.height));
    let capacity = sats(record.funding.value.to_sat());
    let opening = Sum::from(record.opening.get());
    let before = if record.restored { EntryKind::BeforeRestore } else { EntryKind::Pushed };
    let mut list = Vec::new();
    let mut add = |kind, msat: Sum, on_chain| {
        if msat != 0 {
            list.push(entry(&id, kind, msat, on_chain));
        }
    };
    if record.we_funded {
        add(EntryKind::ChannelOpen, capacity, funding);
        add(before, opening - capacity, funding);
    } else {
        add(before, opening, funding);
    }
    for splice in &record.splices {
        let on_chain = Some((splice.txid, splice.height));
        add(EntryKind::SpliceIn, sats(splice.added.to_sat()), on_chain);
        add(EntryKind::SpliceOut, -sats(splice.removed.to_sat()), on_chain);
        add(EntryKind::OnchainFee, -sats(splice.fee.to_sat()), on_chain);
    }
    let routing = Sum::from(record.routing_fees_paid.get());
    add(EntryKind::Received, Sum::from(record.received.get()), None);
    add(EntryKind::Sent, routing - Sum::from(record.sent.get()), None);
    add(EntryKind::RoutingFee, -routing, None);
    add(EntryKind::ForwardedIn, Sum::from(record.forwarded_in.get()), None);
    add(EntryKind::ForwardedOut, -Sum::from(record.forwarded_out.get()), None);
    let gift = record.arrivals.iter().find(|arrival| arrival.kind == ArrivalKind::Anchor);
    add(EntryKind::Anchor, sats(record.gift().to_sat()), gift.map(at));
    let penalty = record.arrivals.iter().find(|arrival| arrival.kind == ArrivalKind::Penalty);
    add(EntryKind::Penalty, Sum::from(record.penalty.get()), penalty.map(at));
    if let Some(closing) = &record.closing {
        let close = closing.txid.map(|txid| (txid, closing.height));
        add(EntryKind::OnchainFee, -sats(closing.fee.to_sat()), close);
        add(EntryKind::Anchor, -sats(closing.anchors.to_sat()), close);
        add(EntryKind::Rounding, -Sum::from(closing.rounding.get()), close);
        add(EntryKind::CutOff, -Sum::from(closing.in_flight.get()), close);
    }
    for loss in &record.losses {
        add(EntryKind::Taken, -sats(loss.value.to_sat()), Some((loss.txid, Some(loss.height))));
    }
    for arrival in &record.arrivals {
        add(arrival_kind(arrival.kind), -sats(arrival.net.to_sat()), Some(at(arrival)));
        add(EntryKind::OnchainFee, -sats(arrival.fee.to_sat()), Some(at(arrival)));
    }
    list
}

fn at(arrival: &Arrival) -> (Txid, Option<BtcHeight>) {
    (arrival.txid, Some(arrival.height))
}

/// What the channels' records say of the wallet's side of their transactions.
fn wallet_side(records: &[ChannelRecord]) -> BTreeMap<Txid, Vec<(EntryKind, Sum)>> {
    let mut parts: BTreeMap<Txid, Vec<(EntryKind, Sum)>> = BTreeMap::new();
    for record in records {
        if record.we_funded {
            let list = parts.entry(record.funding.outpoint.txid).or_default();
            list.push((EntryKind::ChannelOpen, -sats(record.funding.value.to_sat())));
            list.push((EntryKind::OnchainFee, -sats(record.funding.fee.to_sat())));
        }
        for splice in &record.splices {
            let list = parts.entry(splice.txid).or_default();
            list.push((EntryKind::SpliceIn, -sats(splice.added.to_sat())));
            list.push((EntryKind::OnchainFee, -sats(splice.wallet_fee.to_sat())));
            if splice.to_wallet {
                list.push((EntryKind::SpliceOut, sats(splice.removed.to_sat())));
            }
        }
        for arrival in &record.arrivals {
            let list = parts.entry(arrival.txid).or_default();
            list.push((arrival_kind(arrival.kind), sats(arrival.net.to_sat())));
            list.push((EntryKind::OnchainFee, -sats(arrival.wallet_fee.to_sat())));
        }
    }
    parts
}

/// What is behind the wallet's other transactions.
pub(super) struct Known {
    /// Deposits to the federation, and coins that came back from it.
    pub(super) peg_ins: BTreeSet<Txid>,
    /// Payments of the federation.
    pub(super) peg_outs: BTreeSet<Txid>,
    /// Up to here the channels' records know the chain.
    pub(super) read_to: BtcHeight,
}

/// All entries, and what does not add up.
pub(super) fn entries(
    records: &[ChannelRecord],
    transactions: &[WalletTx],
    known: &Known,
) -> (Vec<StatementEntry>, Vec<String>) {
    let parts = wallet_side(records);
    let (mut list, mut faults) = (Vec::new(), Vec::new());
    for tx in transactions {
        let height = tx.confirmed.map(|at| at.height);
        let mut rest = sats(tx.received.to_sat()) - sats(tx.spent.to_sat());
        let mut add = |kind, msat: Sum| {
            if msat != 0 {
                list.push(entry(WALLET, kind, msat, Some((tx.txid, height))));
            }
        };
        if let Some(parts) = parts.get(&tx.txid) {
            for (kind, msat) in parts {
                add(*kind, *msat);
                rest -= msat;
            }
            if rest != 0 && height.is_some_and(|height| height <= known.read_to) {
                faults.push(format!("{} msat of {} are explained by no channel", rest, tx.txid));
            }
        }
        let of_pegs = known.peg_ins.contains(&tx.txid).then_some(EntryKind::PegIn);
        let of_pegs = of_pegs.or_else(|| known.peg_outs.contains(&tx.txid).then_some(EntryKind::PegOut));
        // Whoever pays out of the wallet pays the fee, too; that of a channel's transaction is told above.
        if rest < 0 && !parts.contains_key(&tx.txid) {
            let fee = sats(tx.fee.map_or(0, |fee| fee.to_sat())).min(-rest);
            add(EntryKind::OnchainFee, -fee);
            rest += fee;
        }
        let other = if rest < 0 { EntryKind::Withdrawal } else { EntryKind::Deposit };
        add(of_pegs.unwrap_or(other), rest);
    }
    for record in records {
        let own = of_channel(record);
        let sum = sum_of(&own, &record.id.to_string());
        if record.settled && sum != 0 {
            faults.push(format!("{sum} msat are left in the account of channel {}", record.id));
        }
        if record.closing.is_none() && sum != Sum::from(record.balance.get()) {
            let balance = record.balance.get();
            faults.push(format!("channel {} holds {balance} msat, its entries come to {sum}", record.id));
        }
        list.extend(own);
    }
    (list, faults)
}

/// What it cost and what it brought, over all accounts.
pub(super) fn income(entries: &[StatementEntry], records: &[ChannelRecord]) -> Income {
    let debits = |wanted: EntryKind| {
        let of_kind = entries.iter().filter(|entry| entry.kind == wanted);
        Msat::new(of_kind.map(|entry| entry.debit_msat.get()).fold(0, u64::saturating_add))
    };
    let sum = |get: fn(&ChannelRecord) -> u64| records.iter().map(get).fold(0, u64::saturating_add);
    let forwarded_in = sum(|record| record.forwarded_in.get());
    let forwarded_out = sum(|record| record.forwarded_out.get());
    Income {
        onchain_fees_msat: debits(EntryKind::OnchainFee),
        routing_fees_msat: debits(EntryKind::RoutingFee),
        forwards_earned_msat: Msat::new(forwarded_in.saturating_sub(forwarded_out)),
        penalties_msat: Msat::new(sum(|record| record.penalty.get())),
        taken_msat: debits(EntryKind::Taken),
        received_msat: Msat::new(sum(|record| record.received.get())),
        sent_msat: debits(EntryKind::Sent),
    }
}

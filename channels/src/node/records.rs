//! Each channel's account, made from what the book has noted.

use super::Node;
use crate::book::{ANCHOR_SAT, ANCHORS_SAT, ClaimKind, Closed, Facts, Flow, Pages, Row, Splice, Trace};
use crate::{Arrival, ArrivalKind, ChannelId, ChannelRecord, CloseKind, Closing, Funding, Loss, SpliceRecord};
use bitcoin::{Amount, Txid};
use lightning::chain::channelmonitor::Balance;
use lightning::ln::types::ChannelId as LdkChannelId;
use std::collections::BTreeMap;
use windlass_types::{BtcHeight, Msat};

const SAT: u64 = 1000;

impl Node {
    /// The accounts of all channels that ever had a funding transaction.
    pub fn records(&self) -> Vec<ChannelRecord> {
        let ids: Vec<ChannelId> = self.book.read().facts.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.record(id)).collect()
    }

    /// The account of one channel.
    pub fn record(&self, id: ChannelId) -> Option<ChannelRecord> {
        // LDK's locks are not taken under ours; and what it waits for is asked only of closed channels.
        let closed = self.book.read().facts.get(&id)?.closed.is_some();
        let unresolved = if closed { self.unresolved(id) } else { Unresolved::default() };
        let Unresolved { amount, claimable_at, is_open } = unresolved;
        let pages = self.book.read();
        let facts = pages.facts.get(&id)?;
        let flow = pages.flows.get(&id).copied().unwrap_or_default();
        let nothing = Trace::default();
        let trace = pages.traces.get(&id).unwrap_or(&nothing);
        let is_quiet = !is_open && trace.resolved_at.is_some_and(|at| at < self.synced_to().height);
        Some(account(&pages, id, facts, flow, trace, Open { unresolved: amount, claimable_at, is_quiet }))
    }

    /// At each tip: notes for which channels that were closed by force LDK has nothing to wait for. Those
    /// that are buried are not looked at any more.
    pub(super) fn note_resolved(&self, tip: BtcHeight) {
        let closed: Vec<ChannelId> = {
            let pages = self.book.read();
            let wanted = |(id, facts): (&ChannelId, &Facts)| {
                let by_force = facts.closed.as_ref().is_some_and(|closed| closed.kind != CloseKind::Cooperative);
                (by_force && !pages.is_buried(id, facts, tip)).then_some(*id)
            };
            pages.facts.iter().filter_map(wanted).collect()
        };
        for id in closed {
            let is_open = self.unresolved(id).is_open;
            self.book.write(|pages| {
                let trace = pages.traces.entry(id).or_default();
                let at = if !is_open && trace.close.is_some() { trace.resolved_at.or(Some(tip)) } else { None };
                let changed = at != trace.resolved_at;
                trace.resolved_at = at;
                changed.then_some(Row::Trace(id))
            });
        }
    }

    /// What LDK still waits for on the chain: how much of it is surely ours, and whether there is
    /// anything (a payment of ours in flight is the payee's, or comes back when it times out).
    fn unresolved(&self, id: ChannelId) -> Unresolved {
        let to_search = {
            let pages = self.book.read();
            let restored = pages.facts.get(&id).is_some_and(|facts| facts.restored);
            restored && pages.traces.get(&id).is_none_or(|trace| !trace.searched)
        };
        if to_search {
            return Unresolved { is_open: true, ..Unresolved::default() };
        }
        let monitor = self.chain_monitor.get_monitor(LdkChannelId(id.0));
        let balances = monitor.map(|monitor| monitor.get_claimable_balances()).unwrap_or_default();
        let sum = balances.iter().map(Balance::claimable_amount_satoshis).fold(0, u64::saturating_add);
        let height = balances.iter().filter_map(|balance| match balance {
            Balance::ClaimableAwaitingConfirmations { confirmation_height, .. } => Some(*confirmation_height),
            Balance::MaybeTimeoutClaimableHTLC { claimable_height, .. } => Some(*claimable_height),
            _ => None,
        });
        Unresolved {
            amount: Amount::from_sat(sum),
            claimable_at: height.max().map(BtcHeight::new),
            is_open: !balances.is_empty(),
        }
    }
}

/// What LDK still waits for on the chain.
#[derive(Default)]
struct Unresolved {
    amount: Amount,
    /// When the last of it can be claimed, as far as a height decides it.
    claimable_at: Option<BtcHeight>,
    is_open: bool,
}

/// What is open on the chain.
struct Open {
    /// LDK still waits for so much.
    unresolved: Amount,
    /// When the last of it can be claimed.
    claimable_at: Option<BtcHeight>,
    /// LDK has waited for nothing since the tip before.
    is_quiet: bool,
}

fn account(pages: &Pages, id: ChannelId, facts: &Facts, mut flow: Flow, trace: &Trace, open: Open) -> ChannelRecord {
    let arrivals = arrivals(pages, trace);
    let returned: u64 = arrivals.iter().map(|arrival| arrival.gross.to_sat()).sum();
    // What happened in a restored channel is lost: what came back is all that is known.
    let lost = facts.restored.then_some(returned * SAT);
    let mut balance_msat = lost.unwrap_or_else(|| facts.balance_msat(&flow));
    let waiting: u64 = trace
        .open_claims()
        .filter(|claim| claim.kind != ClaimKind::Anchor && claim.kind != ClaimKind::Htlc)
        .map(|claim| claim.value_sat)
        .sum();
    let cooperative = facts.closed.as_ref().is_some_and(|closed| closed.kind == CloseKind::Cooperative);
    let confirmed = trace.close.is_some();
    let pending = match (&facts.closed, confirmed && cooperative) {
        // LDK waits for six confirmations, but the wallet has it.
        (Some(_), true) | (None, _) => Amount::ZERO,
        (Some(_), false) => open.unresolved + Amount::from_sat(waiting),
    };
    let settled = facts.closed.is_some() && confirmed && pending == Amount::ZERO && (cooperative || open.is_quiet);
    let end = |balance_msat| {
        facts.closed.as_ref().map(|closed| closing(facts, trace, closed, balance_msat, &arrivals, settled))
    };
    let mut closing = end(balance_msat);
    // The transaction's fee was read from what arrived, so it may hold a last part of a satoshi.
    let cut_off = closing.as_ref().filter(|closing| settled && closing.in_flight > Msat::ZERO);
    let limit = cut_off.map_or(0, |closing| closing.in_flight.get() + closing.rounding.get() + SAT);
    let unfinished = pages.unfinished_msat(limit);
    if unfinished > 0 {
        flow.sent_msat += unfinished;
        balance_msat = facts.balance_msat(&flow);
        closing = end(balance_msat);
    }
    let gross: u64 = arrivals.iter().map(|arrival| arrival.gross.to_sat()).sum();
    let accounted = closing.as_ref().map_or(0, |closing| {
        (closing.fee + closing.anchors + closing.taken).to_sat() * SAT
            + closing.rounding.get()
            + closing.in_flight.get()
    });
    let income = balance_msat + gift(facts, &arrivals) * SAT;
    let outgo = accounted + gross * SAT;
    let (penalty_msat, difference_msat) = match (settled, trace.punished_peer()) {
        (false, _) => (0, 0),
        (true, false) => (0, signed(income) - signed(outgo)),
        // All is ours then, whatever our balance was: nothing of the transaction may be missing.
        (true, true) => (outgo.saturating_sub(income), signed(not_taken(trace, gross) * SAT)),
    };
    let funding_fee = pages.funding_fee_sat(facts.user_id);
    ChannelRecord {
        id,
        peer: facts.peer,
        we_funded: facts.we_funded,
        announced: facts.announce,
        capacity: Amount::from_sat(facts.capacity_sat),
        outpoint: facts.funding,
        funding: Funding {
            outpoint: facts.first_funding().0,
            height: trace.funded_at,
            fee: Amount::from_sat(funding_fee),
            value: Amount::from_sat(facts.first_funding().1),
        },
        splices: facts.splices.iter().filter(|splice| !splice.dead).map(splice).collect(),
        restored: facts.restored,
        opening: Msat::new(lost.unwrap_or_else(|| facts.opening_msat())),
        received: Msat::new(flow.received_msat),
        sent: Msat::new(flow.sent_msat),
        routing_fees_paid: Msat::new(flow.routing_fees_msat),
        forwarded_in: Msat::new(flow.forwarded_in_msat),
        forwarded_out: Msat::new(flow.forwarded_out_msat),
        balance: Msat::new(balance_msat),
        closing,
        arrivals,
        penalty: Msat::new(penalty_msat),
        losses: losses(trace),
        pending,
        claimable_at: if pending > Amount::ZERO { open.claimable_at } else { None },
        settled,
        difference_msat,
    }
}

fn splice(splice: &Splice) -> SpliceRecord {
    SpliceRecord {
        txid: splice.to.txid,
        from: splice.from,
        to: splice.to,
        value: Amount::from_sat(splice.to_sat),
        height: splice.height,
        added: Amount::from_sat(splice.asked.in_sat),
        removed: Amount::from_sat(splice.asked.out_sat),
        to_wallet: splice.asked.to_wallet,
        fee: Amount::from_sat(splice.fee_sat),
        wallet_fee: Amount::from_sat(splice.asked.wallet_fee_sat),
    }
}

fn signed(msat: u64) -> i64 {
    // All bitcoin in millisatoshis is 2.1e18, which fits.
    i64::try_from(msat).unwrap_or(i64::MAX)
}

/// What of the outputs of a revoked state is not ours, the anchors left out.
fn not_taken(trace: &Trace, gross_sat: u64) -> u64 {
    let outputs = trace.close.iter().flat_map(|close| &close.outputs).map(|output| output.value_sat);
    let mut anchors = 2_u32;
    let without_anchors = outputs.filter(|value| {
        let is_anchor = *value == ANCHOR_SAT && anchors > 0;
        anchors -= u32::from(is_anchor);
        !is_anchor
    });
    without_anchors.sum::<u64>().saturating_sub(gross_sat)
}

fn losses(trace: &Trace) -> Vec<Loss> {
    let mut losses: BTreeMap<Txid, Loss> = BTreeMap::new();
    for taken in trace.taken.values() {
        let none = Loss { txid: taken.txid, height: taken.height, value: Amount::ZERO };
        losses.entry(taken.txid).or_insert(none).value += Amount::from_sat(taken.value_sat);
    }
    losses.into_values().collect()
}

fn arrivals(pages: &Pages, trace: &Trace) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    if let Some(close) = &trace.close {
        let mine: u64 = close.outputs.iter().filter(|output| output.mine).map(|output| output.value_sat).sum();
        if mine > 0 {
            arrivals.push(Arrival {
                kind: ArrivalKind::Close,
                txid: close.txid,
                height: close.height,
                gross: Amount::from_sat(mine),
                fee: Amount::ZERO,
                net: Amount::from_sat(mine),
                wallet_fee: Amount::ZERO,
            });
        }
    }
    for (txid, spend) in &trace.spends {
        let wallet_fee = pages.fees.get(txid).copied().unwrap_or(0);
        arrivals.push(Arrival {
            kind: spend.kind,
            txid: *txid,
            height: spend.height,
            gross: Amount::from_sat(spend.gross_sat),
            fee: Amount::from_sat(spend.fee_sat),
            net: Amount::from_sat(spend.gross_sat.saturating_sub(spend.fee_sat)),
            wallet_fee: Amount::from_sat(wallet_fee),
        });
    }
    arrivals.sort_by_key(|arrival| (arrival.height, arrival.kind, arrival.txid));
    arrivals
}

/// The end of a channel. What came out of our balance is read from the transactions: the funder
/// pays the fee and both anchors; below a satoshi nobody gets anything.
fn closing(
    facts: &Facts,
    trace: &Trace,
    closed: &Closed,
    balance_msat: u64,
    arrivals: &[Arrival],
    settled: bool,
) -> Closing {
    let kind = match (closed.kind, who_published(trace)) {
        (CloseKind::ForcedByUs | CloseKind::ForcedByPeer, Some(kind)) => kind,
        (kind, _) => kind,
    };
    let mut closing = Closing {
        kind,
        reason: closed.reason.clone(),
        balance: Msat::new(closed.balance_msat),
        txid: None,
        height: None,
        transaction_fee: Amount::ZERO,
        fee: Amount::ZERO,
        anchors: Amount::ZERO,
        rounding: Msat::ZERO,
        in_flight: Msat::ZERO,
        taken: trace.taken.values().map(|taken| Amount::from_sat(taken.value_sat)).sum(),
    };
    let Some(close) = &trace.close else { return closing };
    let out: u64 = close.outputs.iter().map(|output| output.value_sat).sum();
    let transaction_fee = facts.capacity_sat.saturating_sub(out);
    closing.txid = Some(close.txid);
    closing.height = Some(close.height);
    closing.transaction_fee = Amount::from_sat(transaction_fee);
    if facts.restored {
        closing.balance = Msat::new(balance_msat);
        return closing;
    }
    if !settled {
        return closing;
    }
    let gross: u64 = arrivals.iter().map(|arrival| arrival.gross.to_sat()).sum();
    let anchors_back: u64 = arrivals
        .iter()
        .filter(|arrival| arrival.kind == ArrivalKind::Anchor)
        .map(|arrival| arrival.gross.to_sat())
        .sum();
    let anchors_out: u64 = if facts.we_funded && kind != CloseKind::Cooperative {
        close.outputs.iter().filter(|output| output.value_sat == ANCHOR_SAT).map(|output| output.value_sat).sum()
    } else {
        0
    };
    let anchors = anchors_out.min(ANCHORS_SAT).saturating_sub(anchors_back);
    closing.anchors = Amount::from_sat(anchors);
    if trace.punished_peer() {
        // Their fee was the funder's, as always; what is beyond our balance is the penalty.
        closing.fee = if facts.we_funded { closing.transaction_fee } else { Amount::ZERO };
        return closing;
    }
    // The funder gave both anchors: to the fundee its own is a gift, on top of its balance.
    let own = gross.saturating_sub(gift(facts, arrivals)) + closing.taken.to_sat();
    let left = (balance_msat / SAT).saturating_sub(own).saturating_sub(anchors);
    let fee = if facts.we_funded { left.min(transaction_fee) } else { 0 };
    let rest_msat = balance_msat.saturating_sub((own + anchors + fee) * SAT);
    closing.fee = Amount::from_sat(fee);
    // Less than the network's dust limit, and nothing else arrived: too small for an output.
    let too_small = gross == anchors_back && closing.taken == Amount::ZERO && rest_msat < 546 * SAT;
    if rest_msat < SAT || too_small {
        closing.rounding = Msat::new(rest_msat);
    } else {
        closing.rounding = Msat::new(rest_msat % SAT);
        closing.in_flight = Msat::new(rest_msat - rest_msat % SAT);
    }
    closing
}

/// What the fundee got of the funder's money by spending its own anchor.
fn gift(facts: &Facts, arrivals: &[Arrival]) -> u64 {
    if facts.we_funded {
        return 0;
    }
    arrivals.iter().filter(|arrival| arrival.kind == ArrivalKind::Anchor).map(|arrival| arrival.gross.to_sat()).sum()
}

/// Whose commitment it is, once LDK has named an output of it that is ours.
fn who_published(trace: &Trace) -> Option<CloseKind> {
    let close = trace.close.as_ref()?;
    trace.claims.iter().filter(|claim| claim.outpoint.txid == close.txid).find_map(|claim| match claim.kind {
        ClaimKind::Delayed => Some(CloseKind::ForcedByUs),
        ClaimKind::Remote => Some(CloseKind::ForcedByPeer),
        ClaimKind::Anchor | ClaimKind::Htlc => None,
    })
}

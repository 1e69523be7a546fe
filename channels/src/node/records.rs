//! Each channel's account, made from what the book has noted.

use super::Node;
use crate::book::{ANCHOR_SAT, ANCHORS_SAT, ClaimKind, Closed, Facts, Flow, Pages, Row, Trace};
use crate::{Arrival, ArrivalKind, ChannelId, ChannelRecord, CloseKind, Closing, Funding};
use bitcoin::Amount;
use lightning::ln::types::ChannelId as LdkChannelId;
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
        // LDK's locks are not taken under ours.
        let (unresolved, is_open) = self.unresolved(id);
        let pages = self.book.read();
        let facts = pages.facts.get(&id)?;
        let flow = pages.flows.get(&id).copied().unwrap_or_default();
        let nothing = Trace::default();
        let trace = pages.traces.get(&id).unwrap_or(&nothing);
        let is_quiet = !is_open && trace.resolved_at.is_some_and(|at| at < self.synced_to().height);
        Some(account(&pages, id, facts, flow, trace, Open { unresolved, is_quiet }))
    }

    /// At each tip: notes for which channels that were closed by force LDK has nothing to wait for.
    pub(super) fn note_resolved(&self, tip: BtcHeight) {
        let by_force =
            |facts: &Facts| facts.closed.as_ref().is_some_and(|closed| closed.kind != CloseKind::Cooperative);
        let closed: Vec<ChannelId> =
            self.book.read().facts.iter().filter(|(_, facts)| by_force(facts)).map(|(id, _)| *id).collect();
        for id in closed {
            let (_, is_open) = self.unresolved(id);
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
    fn unresolved(&self, id: ChannelId) -> (Amount, bool) {
        let monitor = self.chain_monitor.get_monitor(LdkChannelId(id.0));
        let balances = monitor.map(|monitor| monitor.get_claimable_balances()).unwrap_or_default();
        let sum = balances.iter().map(|balance| balance.claimable_amount_satoshis()).sum();
        (Amount::from_sat(sum), !balances.is_empty())
    }
}

/// What is open on the chain.
struct Open {
    /// LDK still waits for so much.
    unresolved: Amount,
    /// LDK has waited for nothing since the tip before.
    is_quiet: bool,
}

fn account(pages: &Pages, id: ChannelId, facts: &Facts, mut flow: Flow, trace: &Trace, open: Open) -> ChannelRecord {
    let mut balance_msat = facts.balance_msat(&flow);
    let arrivals = arrivals(pages, trace);
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
        (closing.fee + closing.anchors).to_sat() * SAT + closing.rounding.get() + closing.in_flight.get()
    });
    let difference_msat =
        if settled { signed(balance_msat + gift(facts, &arrivals) * SAT) - signed(accounted + gross * SAT) } else { 0 };
    let funding_fee = pages.openings.get(&facts.user_id).and_then(|opening| opening.funding).map_or(0, |(_, fee)| fee);
    ChannelRecord {
        id,
        peer: facts.peer,
        we_funded: facts.we_funded,
        announced: facts.announce,
        capacity: Amount::from_sat(facts.capacity_sat),
        funding: Funding { outpoint: facts.funding, height: trace.funded_at, fee: Amount::from_sat(funding_fee) },
        opening: Msat::new(facts.opening_msat()),
        received: Msat::new(flow.received_msat),
        sent: Msat::new(flow.sent_msat),
        routing_fees_paid: Msat::new(flow.routing_fees_msat),
        forwarded_in: Msat::new(flow.forwarded_in_msat),
        forwarded_out: Msat::new(flow.forwarded_out_msat),
        balance: Msat::new(balance_msat),
        closing,
        arrivals,
        pending,
        settled,
        difference_msat,
    }
}

fn signed(msat: u64) -> i64 {
    // All bitcoin in millisatoshis is 2.1e18, which fits.
    i64::try_from(msat).unwrap_or(i64::MAX)
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
    };
    let Some(close) = &trace.close else { return closing };
    let out: u64 = close.outputs.iter().map(|output| output.value_sat).sum();
    let transaction_fee = facts.capacity_sat.saturating_sub(out);
    closing.txid = Some(close.txid);
    closing.height = Some(close.height);
    closing.transaction_fee = Amount::from_sat(transaction_fee);
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
    // The funder gave both anchors: to the fundee its own is a gift, on top of its balance.
    let own = gross.saturating_sub(gift(facts, arrivals));
    let left = (balance_msat / SAT).saturating_sub(own).saturating_sub(anchors);
    let fee = if facts.we_funded { left.min(transaction_fee) } else { 0 };
    let rest_msat = balance_msat.saturating_sub((own + anchors + fee) * SAT);
    closing.anchors = Amount::from_sat(anchors);
    closing.fee = Amount::from_sat(fee);
    // Less than the network's dust limit, and nothing else arrived: too small for an output.
    let too_small = gross == anchors_back && rest_msat < 546 * SAT;
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

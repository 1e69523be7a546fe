//! Probing: would a payment get there, and at what fee? Sends payments with a hash that nobody knows the
//! preimage of, so that the payee refuses them, and sees who refused.

use super::Node;
use super::channels::short_id;
use super::pay::payment_parameters;
use super::route::{path_cltv, route_cltv};
use crate::{Obstacle, PayError, PayLimits, Probe};
use bitcoin::secp256k1::PublicKey;
use lightning::ln::channelmanager::ProbeSendFailure;
use lightning::routing::router::{Path, PaymentParameters, Route};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;
use windlass_types::Msat;

/// Ways that are tried.
const ATTEMPTS_MAX: u32 = 6;

/// How long one may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// Ends of probes that nobody has asked for yet; beyond, the first goes.
const ENDS_MAX: usize = 256;

/// How probes ended, by LDK's id: at the payee, or at a channel.
pub(super) type Ends = BTreeMap<[u8; 32], Result<(), Option<u64>>>;

/// How one way ended.
enum Tried {
    Reached,
    FailedAt(Option<u64>),
    NoAnswer,
}

impl Node {
    /// Probes the way to who made a BOLT 11 invoice.
    ///
    /// # Errors
    /// See [`PayError`].
    pub async fn probe_invoice(
        &self,
        invoice: &str,
        amount: Option<Msat>,
        limits: &PayLimits,
    ) -> Result<Probe, PayError> {
        let checked = self.check_invoice(invoice, amount)?;
        let parameters = payment_parameters(&checked.invoice, checked.payee);
        self.probe(checked.payee, parameters, checked.amount, limits).await
    }

    /// Probes the way to a node.
    ///
    /// # Errors
    /// See [`PayError`].
    pub async fn probe_node(&self, payee: PublicKey, amount: Msat, limits: &PayLimits) -> Result<Probe, PayError> {
        if payee == self.node_id() {
            return Err(PayError::Ourselves);
        }
        if amount == Msat::ZERO {
            return Err(PayError::AmountMissing);
        }
        self.probe(payee, self.keysend_parameters(payee, amount), amount, limits).await
    }

    async fn probe(
        &self,
        payee: PublicKey,
        parameters: PaymentParameters,
        amount: Msat,
        limits: &PayLimits,
    ) -> Result<Probe, PayError> {
        let mut probe = Probe {
            payee,
            amount,
            reaches: false,
            fee: None,
            cltv: None,
            parts: 0,
            attempts: 0,
            failed_at: None,
            obstacle: None,
        };
        while probe.attempts < ATTEMPTS_MAX {
            // What a failed probe has taught the scorer counts for the next way.
            let Some(route) = self.find_route(&limits.route(parameters.clone(), amount)) else {
                probe.obstacle = Some(self.obstacle(&parameters, amount, limits));
                return Ok(probe);
            };
            probe.attempts += 1;
            probe.fee = Some(Msat::new(route.get_total_fees()));
            probe.cltv = Some(route_cltv(&route));
            probe.parts = route.paths.len();
            match self.try_route(route).await? {
                Tried::Reached => {
                    probe.reaches = true;
                    probe.failed_at = None;
                    return Ok(probe);
                }
                Tried::FailedAt(channel) => probe.failed_at = channel.map(short_id),
                Tried::NoAnswer => {}
            }
        }
        probe.obstacle = Some(Obstacle::NoWay);
        Ok(probe)
    }

    /// All parts at once: together they must fit.
    async fn try_route(&self, route: Route) -> Result<Tried, PayError> {
        let mut ids = Vec::new();
        for path in route.paths.into_iter().filter_map(probeable) {
            tracing::debug!(hops = path.hops.len(), cltv = path_cltv(&path), "a probe");
            match self.channel_manager.send_probe(path) {
                Ok((_, id)) => ids.push(id.0),
                Err(ProbeSendFailure::RouteNotFound) => return Ok(Tried::FailedAt(None)),
                Err(error) => return Err(PayError::Unprobed(format!("{error:?}"))),
            }
        }
        self.peer_manager.process_events();
        let mut outcome = Tried::Reached;
        let deadline = Instant::now() + ATTEMPT_TIMEOUT;
        for id in ids {
            let ended = self.wait_for(deadline, || self.probes().remove(&id)).await;
            match ended {
                Some(Ok(())) => {}
                Some(Err(channel)) => outcome = Tried::FailedAt(channel),
                None => return Ok(Tried::NoAnswer),
            }
        }
        Ok(outcome)
    }

    /// LDK's word on a probe.
    pub(super) fn probe_ended(&self, id: [u8; 32], end: Result<(), Option<u64>>) {
        let mut ends = self.probes();
        if ends.len() >= ENDS_MAX {
            ends.pop_first();
        }
        ends.insert(id, end);
    }

    fn probes(&self) -> std::sync::MutexGuard<'_, Ends> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of a path that may be probed: a last hop that is not announced may lead to a node that wakes up
/// for it. One hop alone needs none: our own channel's balance is known.
fn probeable(mut path: Path) -> Option<Path> {
    while let Some(last) = path.hops.last().filter(|hop| !hop.maybe_announced_channel) {
        tracing::debug!(scid = last.short_channel_id, "not probed: it is not announced");
        let value = path.final_value_msat();
        path.hops.pop();
        if let Some(last) = path.hops.last_mut() {
            last.fee_msat = last.fee_msat.saturating_add(value);
        }
    }
    (path.hops.len() >= 2).then_some(path)
}

//! What can go wrong with payments, and what asks for them.

use crate::limits::away_words;
use crate::{Obstacle, PaymentFailure, PaymentHash};
use bitcoin::Network;
use windlass_types::Msat;

/// Why there is no invoice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceError {
    /// Zero.
    #[error("an invoice over nothing can't be paid: leave the amount out, or give one")]
    Zero,
    /// More than the channels can take in.
    #[error("the channels can receive {have}, the invoice is over {need}")]
    InsufficientInbound {
        /// What they can.
        have: Msat,
        /// What is asked for.
        need: Msat,
    },
    /// The text is too long for an invoice.
    #[error("the description has {found} bytes, an invoice holds {most}")]
    MemoTooLong {
        /// Its length.
        found: usize,
        /// The most.
        most: usize,
    },
    /// Another invoice of ours has this hash: who paid that one could take this one's payment.
    #[error("payment hash {0} was asked for before: take a fresh one")]
    HashInUse(PaymentHash),
    /// Too few blocks to hold a payment, or more than payers accept.
    #[error("the final CLTV delta is {found} blocks; a hold invoice takes {least} to {most}")]
    FinalCltvDelta {
        /// As asked.
        found: u16,
        /// The least.
        least: u16,
        /// The most.
        most: u16,
    },
    /// LDK said no.
    #[error("no invoice: {0}")]
    Refused(String),
    /// The disk failed.
    #[error("the node can't make anything durable and stops")]
    NotDurable,
}

/// Why nothing was paid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayError {
    /// Not an invoice.
    #[error("{text:?} is not a Lightning invoice: {reason}")]
    Malformed {
        /// The text as given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// For another network.
    #[error("the invoice is for {found}, this node is on {expected}")]
    WrongNetwork {
        /// The invoice's.
        found: String,
        /// Ours.
        expected: Network,
    },
    /// Too late.
    #[error("the invoice expired {seconds_ago} s ago: ask for a new one")]
    Expired {
        /// How long ago.
        seconds_ago: u64,
    },
    /// Paid before, by us.
    #[error("invoice {0} is already paid")]
    AlreadyPaid(PaymentHash),
    /// Being paid, by us.
    #[error("invoice {0} is being paid already")]
    InFlight(PaymentHash),
    /// Our own.
    #[error("the invoice is this node's own")]
    OwnInvoice,
    /// The invoice leaves the amount open.
    #[error("the invoice has no amount: say how much to pay")]
    AmountMissing,
    /// The invoice says how much.
    #[error("the invoice is over {invoice}, {given} was given: leave the amount out")]
    AmountMismatch {
        /// The invoice's.
        invoice: Msat,
        /// The one given.
        given: Msat,
    },
    /// The channels can't send so much.
    #[error(
        "the channels can send {have} now, the payment needs {need} and fees{}{}",
        largest_words(.largest), away_words(.away)
    )]
    InsufficientBalance {
        /// What they can, reserves and limits of payments taken off.
        have: Msat,
        /// What is asked for.
        need: Msat,
        /// What would get to this payee now, fees taken off; none: nothing, or it is not known.
        largest: Option<Msat>,
        /// What channels could send besides whose peers are away.
        away: Msat,
    },
    /// Nothing leads there within the limits.
    #[error("{}: {obstacle}", no_route_words(.obstacle))]
    NoRoute {
        /// Which, if it was written down.
        hash: Option<PaymentHash>,
        /// What is in the way.
        #[source]
        obstacle: Obstacle,
    },
    /// This node can't pay itself.
    #[error("the payee is this node itself")]
    Ourselves,
    /// A name that DNS does not have, or can't prove.
    #[error("{name:?} can't be resolved to somebody to pay: {reason}")]
    Unresolved {
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
    /// It can be paid, but not over Lightning.
    #[error("it can be paid on the chain only, at {address}")]
    OnChainOnly {
        /// Where.
        address: String,
    },
    /// What a note may hold.
    #[error("the note has {found} bytes, an offer takes {most}")]
    NoteTooLong {
        /// Its length.
        found: usize,
        /// The most.
        most: usize,
    },
    /// LDK did not take the probe.
    #[error("the way can't be probed: {0}")]
    Unprobed(String),
    /// It was tried and failed.
    #[error("payment {hash} failed: {reason}")]
    Failed {
        /// Which.
        hash: PaymentHash,
        /// Why.
        #[source]
        reason: PaymentFailure,
    },
    /// It is still on its way.
    #[error("payment {0} is still on its way; it may yet arrive")]
    TimedOut(PaymentHash),
    /// The disk failed.
    #[error("the node can't make anything durable and stops")]
    NotDurable,
}

fn largest_words(largest: &Option<Msat>) -> String {
    largest.map_or_else(String::new, |largest| format!("; the largest payment that gets there now is {largest}"))
}

/// Waiting for gossip may help with what is "no route"; the rest needs the user.
const fn no_route_words(obstacle: &Obstacle) -> &'static str {
    match obstacle {
        Obstacle::UnknownPayee { .. } | Obstacle::NoWay | Obstacle::Offline { .. } => "no route to the payee",
        Obstacle::NoChannel
        | Obstacle::Full { .. }
        | Obstacle::Fee { .. }
        | Obstacle::Cltv { .. }
        | Obstacle::TooMuch { .. } => "the payment is not sent",
    }
}

/// Why there is no offer or refund, or it was not claimed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Zero.
    #[error("an offer of nothing can't be paid: leave the amount out, or give one")]
    Zero,
    /// Not a refund.
    #[error("{text:?} is not a refund: {reason}")]
    Malformed {
        /// The text as given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// For another network.
    #[error("the refund is for another network, this node is on {expected}")]
    WrongNetwork {
        /// Ours.
        expected: Network,
    },
    /// Too late.
    #[error("the refund has expired: ask for a new one")]
    Expired,
    /// Our own.
    #[error("the refund is this node's own")]
    Own,
    /// Nobody could answer.
    #[error("nobody can reach this node with an answer: connect to a peer, or open an announced channel")]
    Unreachable,
    /// More than the channels can take in now.
    #[error("the channels can receive {have} now, the refund is over {need}")]
    InsufficientInbound {
        /// What they can, the peers' reserves taken off.
        have: Msat,
        /// What is to be claimed.
        need: Msat,
    },
    /// The refund's maker can't be asked to pay.
    #[error("the refund's maker can't be reached, nothing was asked of it: {reason}")]
    PayerAway {
        /// Why.
        reason: String,
    },
    /// LDK said no.
    #[error("no offer: {0}")]
    Refused(String),
    /// The disk failed.
    #[error("the node can't make anything durable and stops")]
    NotDurable,
}

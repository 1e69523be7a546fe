//! What can go wrong, one enum per operation, each with its culprit.

use crate::book::BookError;
use crate::limits::away_words;
use crate::{ChannelId, Obstacle, PaymentFailure, PaymentHash};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, Network, Txid};
use std::net::SocketAddr;
use windlass_chain::{RpcError, SyncError};
use windlass_types::Msat;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or the address is not ours.
    #[error("can't listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        reason: String,
    },
    /// bitcoind does not answer.
    #[error(transparent)]
    Bitcoind(#[from] RpcError),
    /// bitcoind is on another network.
    #[error("bitcoind is on {found}, the node on {expected}")]
    WrongNetwork {
        /// bitcoind's.
        found: Network,
        /// Ours.
        expected: Network,
    },
    /// The wallet can't follow the chain.
    #[error("the wallet can't follow the chain")]
    Wallet(#[from] SyncError),
    /// Our own records can't be read.
    #[error("the node's records can't be read")]
    Book(#[from] BookError),
    /// LDK's state can't be read.
    #[error("{part} can't be read from the store: {reason}")]
    Damaged {
        /// Which part.
        part: &'static str,
        /// What LDK says.
        reason: String,
    },
    /// The channels' view of the chain can't be brought to bitcoind's.
    #[error("the channels can't be brought to bitcoind's tip: {0}")]
    Chain(String),
}

/// Why a peer could not be connected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// It does not answer, or is another node.
    #[error("can't reach {node_id} at {address}: {reason}")]
    Unreachable {
        /// The node.
        node_id: PublicKey,
        /// Where it should be.
        address: String,
        /// What happened.
        reason: String,
    },
    /// The key is our own.
    #[error("{0} is this node itself")]
    Ourselves(PublicKey),
    /// It is behind Tor, and there is no way to Tor.
    #[error("{0} is a Tor address: set `proxy` to Tor's SOCKS5 port, usually 127.0.0.1:9050")]
    NoProxy(String),
    /// No address is known.
    #[error("no address of {0} is known: connect to <public key>@<host>:<port> first")]
    UnknownAddress(PublicKey),
}

/// Why a channel was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The wallet has too little.
    #[error(
        "there are {have} on chain to spend, the channel needs {need} (with {fee} fee and {reserve} kept for closes)"
    )]
    InsufficientFunds {
        /// What may be spent now.
        have: Amount,
        /// The amount, the fee and the reserve.
        need: Amount,
        /// The fee of the funding transaction, estimated.
        fee: Amount,
        /// What stays in the wallet to lift the fees of closes by force.
        reserve: Amount,
    },
    /// Too small to be worth its fees.
    #[error("{amount} is too small for a channel: it takes {least} or more")]
    TooSmall {
        /// As asked.
        amount: Amount,
        /// The least.
        least: Amount,
    },
    /// More is pushed than is there to push.
    #[error("{push} can't be pushed: of {amount} at most {most} may be the peer's at the start")]
    PushTooLarge {
        /// As asked.
        push: Msat,
        /// The channel's value.
        amount: Amount,
        /// The most.
        most: Msat,
    },
    /// There is no connection to the peer.
    #[error(transparent)]
    Peer(#[from] ConnectError),
    /// LDK or the peer said no.
    #[error("the channel with {peer} was not opened: {reason}")]
    Refused {
        /// The peer.
        peer: PublicKey,
        /// Its words, or LDK's.
        reason: String,
    },
    /// The peer did not finish in time.
    #[error("{peer} did not finish opening the channel in time")]
    TimedOut {
        /// The peer.
        peer: PublicKey,
    },
    /// The disk failed.
    #[error("the node can't make anything durable and stops")]
    NotDurable,
}

/// Why a channel was not spliced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    /// There is no open channel with this id.
    #[error("there is no open channel {0}")]
    Unknown(ChannelId),
    /// The peer is not connected.
    #[error("{peer} is not connected, and a splice takes both: try again when it is back")]
    Offline {
        /// The peer.
        peer: PublicKey,
    },
    /// There is one already.
    #[error("channel {channel} has a splice that waits for {txid}: one at a time, and its fee can't be raised")]
    Pending {
        /// Which.
        channel: ChannelId,
        /// The splice that waits.
        txid: Txid,
    },
    /// One is being agreed on.
    #[error("channel {0} is being spliced: wait for that")]
    Busy(ChannelId),
    /// The wallet has too little.
    #[error(
        "there are {have} in blocks to spend, the splice needs {need} (with its fee and {reserve} kept for closes)"
    )]
    InsufficientFunds {
        /// What may be spent now, in blocks.
        have: Amount,
        /// The amount, the fee and the reserve.
        need: Amount,
        /// What stays in the wallet to lift the fees of closes by force.
        reserve: Amount,
    },
    /// Below what the network relays.
    #[error("{amount} is too small: the network relays {least} or more to this address")]
    TooSmall {
        /// As asked.
        amount: Amount,
        /// The least.
        least: Amount,
    },
    /// A fee rate that can't be meant.
    #[error("{asked} sat/vB is no fee rate for a splice: it takes {least} to {most}")]
    FeeRate {
        /// As asked.
        asked: u64,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// LDK or the peer said no. LDK gives a peer's reason to its log alone.
    #[error("channel {channel} was not spliced: {reason}")]
    Refused {
        /// Which.
        channel: ChannelId,
        /// LDK's words.
        reason: String,
    },
    /// The peer did not finish in time.
    #[error(
        "the peer did not finish splicing channel {0} in time and may yet: look at the channel before you try again"
    )]
    TimedOut(ChannelId),
    /// The disk failed.
    #[error("the node can't make anything durable and stops")]
    NotDurable,
}

/// Why a channel was not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// None has this id.
    #[error("no channel has an id that starts with {0:?}")]
    Unknown(String),
    /// More than one has.
    #[error("{prefix:?} is the start of several channels' ids: {}", list(.found))]
    Ambiguous {
        /// As given.
        prefix: String,
        /// Those that it fits.
        found: Vec<ChannelId>,
    },
}

fn list(ids: &[ChannelId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Why a channel was not closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseError {
    /// A splice is not locked in yet.
    #[error(
        "channel {channel} has a splice that waits for {txid}: close it when that has its confirmations, or by force"
    )]
    Splicing {
        /// Which.
        channel: ChannelId,
        /// The splice that waits.
        txid: Txid,
    },
    /// There is no such open channel.
    #[error("{0} is no open channel")]
    Unknown(ChannelId),
    /// A close together needs the peer.
    #[error("{peer} is not connected: wait for it, or close by force")]
    Offline {
        /// The peer.
        peer: PublicKey,
    },
    /// LDK said no.
    #[error("channel {channel} can't be closed: {reason}")]
    Refused {
        /// The channel.
        channel: ChannelId,
        /// LDK's words.
        reason: String,
    },
}

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
    /// LDK said no.
    #[error("no offer: {0}")]
    Refused(String),
    /// The disk failed.
    #[error("the node can't make anything durable and stops")]
    NotDurable,
}

/// Why a channel's policy was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// There is no such open channel.
    #[error("{0} is no open channel")]
    Unknown(ChannelId),
    /// Too few blocks to be safe.
    #[error("a CLTV delta of {found} blocks is not safe: it takes {least} or more")]
    CltvDelta {
        /// As asked.
        found: u16,
        /// The least.
        least: u16,
    },
    /// More than gossip can say.
    #[error("a base fee of {found} is more than gossip can say: the most is 4,294,967,295 msat")]
    Base {
        /// As asked.
        found: Msat,
    },
    /// LDK said no.
    #[error("the policy of channel {channel} can't be set: {reason}")]
    Refused {
        /// The channel.
        channel: ChannelId,
        /// LDK's words.
        reason: String,
    },
    /// The disk failed.
    #[error("the node can't make anything durable and stops")]
    NotDurable,
}

/// Why a wait ended without what it waited for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// It took too long.
    #[error("{0} took too long")]
    TimedOut(&'static str),
    /// bitcoind does not answer.
    #[error(transparent)]
    Bitcoind(#[from] RpcError),
    /// The node has stopped.
    #[error("the node has stopped: {0}")]
    Stopped(String),
}

//! What can go wrong with a channel.

use super::ConnectError;
use crate::ChannelId;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, Txid};
use windlass_types::Msat;

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

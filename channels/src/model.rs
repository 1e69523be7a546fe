//! What a node tells about itself.

use crate::{ChannelId, OfferId, PaymentHash};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, OutPoint, Txid};
use serde::{Deserialize, Serialize};
use windlass_types::{BlockRef, BtcHeight, Msat};

/// A node at a glance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Info {
    /// Its public key.
    pub node_id: PublicKey,
    /// Its name in gossip.
    pub alias: String,
    /// `<public key>@<host>:<port>`, to give to others.
    pub uri: String,
    /// The Bitcoin network.
    pub network: bitcoin::Network,
    /// The block that all its parts have seen.
    pub synced_to: BlockRef,
    /// Connected peers.
    pub peers: u32,
    /// Channels that are not closed.
    pub channels: u32,
    /// Channels that can carry a payment now.
    pub usable_channels: u32,
    /// Nodes known from gossip.
    pub known_nodes: u32,
    /// Channels known from gossip.
    pub known_channels: u32,
    /// What the open channels can send in all, fees of the way not counted.
    pub can_send: Msat,
    /// What the open channels can receive in all.
    pub can_receive: Msat,
}

/// Where the journal of events is; see [`crate::Node::events`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalInfo {
    /// The position of the next event.
    pub next: u64,
    /// The position of the oldest event that is kept; `next` if there is none.
    pub oldest: u64,
    /// All events before this position are acknowledged.
    pub acknowledged: u64,
    /// Events that are kept.
    pub waiting: u64,
    /// So many are kept at the most.
    pub most: u64,
    /// An application has acknowledged events, and was not given up since.
    pub has_reader: bool,
    /// Events that it never acknowledged and can't read any more, because there were too many.
    pub lost: u64,
}

/// Another node that this one knows how to reach.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Peer {
    /// Its public key.
    pub node_id: PublicKey,
    /// Where it was reached last, or where it connected from.
    pub address: Option<String>,
    /// There is a connection.
    pub connected: bool,
    /// It is connected to again and again, also without a channel.
    pub persistent: bool,
}

/// Where a channel is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// The funding transaction waits for confirmations, or for the peer to see them.
    Pending,
    /// It carries payments.
    Usable,
    /// It is open, but the peer is not connected.
    Offline,
    /// It is being closed together with the peer.
    Closing,
}

/// An open channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// The node at the other end.
    pub peer: PublicKey,
    /// Where it is in its life.
    pub state: ChannelState,
    /// We funded it, so we pay the commitment's or closing transaction's fee.
    pub we_funded: bool,
    /// It is announced in gossip (or will be, after six confirmations).
    pub announced: bool,
    /// Gossip knows it with the fees of both ends: others find ways over it.
    pub in_gossip: bool,
    /// The funding output's value.
    pub capacity: Amount,
    /// Our part, payments in flight not counted, before a close's fee.
    pub ours: Msat,
    /// The peer's part, likewise.
    pub theirs: Msat,
    /// Value in payments that are in flight.
    pub in_flight: Msat,
    /// The most that one payment over it can send now.
    pub can_send: Msat,
    /// The most that it can receive now.
    pub can_receive: Msat,
    /// What we must keep in it as a pledge.
    pub reserve: Amount,
    /// The funding output.
    pub funding: Option<OutPoint>,
    /// Its short id, `block x transaction x output`, once the funding is confirmed.
    pub short_id: Option<String>,
    /// The funding transaction's confirmations.
    pub confirmations: u32,
    /// The confirmations that both ends wait for.
    pub confirmations_required: u32,
    /// A splice of it that is not locked in yet; the figures above are those without it.
    pub splice: Option<PendingSplice>,
}

/// A splice that both ends have signed, and that has not got the confirmations that both wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingSplice {
    /// Its transaction.
    pub txid: Txid,
    /// The channel's capacity once it is locked in.
    pub capacity: Amount,
    /// Its block, once it is in one.
    pub height: Option<BtcHeight>,
}

/// Which way a payment went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// We paid.
    Out,
    /// We were paid, or asked to be.
    In,
}

/// How a payment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PaymentState {
    /// Ours, on its way; or an invoice that nobody has paid yet.
    Pending,
    /// It arrived.
    Succeeded {
        /// The proof, in hex.
        preimage: Option<String>,
    },
    /// It did not arrive and never will; the money is where it was.
    Failed {
        /// Why.
        reason: PaymentFailure,
    },
}

/// Why a payment failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum PaymentFailure {
    /// No way to the payee with enough room.
    #[error("no route to the payee with enough capacity")]
    NoRoute,
    /// The payee said no: an unknown, paid or expired invoice.
    #[error("the payee refused the payment: its invoice is unknown there, already paid or expired")]
    Refused,
    /// Each way that was tried failed.
    #[error("every route that was tried failed")]
    Exhausted,
    /// The invoice expired meanwhile.
    #[error("the invoice expired before the payment arrived")]
    Expired,
    /// Nobody answered an offer with an invoice.
    #[error("no invoice came: is who made the offer online?")]
    NoInvoice,
    /// Given up by this node's user.
    #[error("given up")]
    Abandoned,
    /// This node's user has called its hold invoice off.
    #[error("the hold invoice was cancelled; what was paid went back")]
    Cancelled,
    /// A hold invoice of this node was paid, but not settled in time.
    #[error("the payment was held, and nobody settled it in time: it went back")]
    HeldTooLong,
    /// This node stopped before anything was sent.
    #[error("nothing was sent: the node stopped first")]
    NotSent,
    /// LDK's word for something rare.
    #[error("{0}")]
    Other(String),
}

/// What a payment was asked for by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PaymentKind {
    /// A BOLT 11 invoice.
    #[default]
    Invoice,
    /// Nothing: the payer sent the preimage along.
    Keysend,
    /// A BOLT 12 offer.
    Offer {
        /// Which.
        id: OfferId,
    },
    /// A BOLT 12 refund: the payer has offered the payment.
    Refund,
}

/// A BOLT 12 offer of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// `lno1…`, to give to payers.
    pub text: String,
    /// How much; none leaves it to the payer.
    pub amount: Option<Msat>,
    /// What for.
    pub description: String,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// When it expires.
    pub expires_at: Option<u64>,
}

/// What a channel asks of payments that leave over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// For each payment.
    pub base: Msat,
    /// On top, so many millionths of the amount.
    pub ppm: u32,
    /// Blocks between the timeout that comes in and the one that goes out.
    pub cltv_delta: u16,
}

/// A payment, or an invoice that waits for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Its hash, and its name. What we pay by an offer or a refund has a name before it has a hash: then
    /// this is the name, and the hash is in [`Self::locked_to`].
    pub hash: PaymentHash,
    /// Which way.
    pub direction: Direction,
    /// The value that reaches the payee; none for an open invoice without an amount.
    pub amount: Option<Msat>,
    /// What the nodes on the way got, once it arrived.
    pub fee: Option<Msat>,
    /// How it stands.
    #[serde(flatten)]
    pub state: PaymentState,
    /// The invoice.
    pub invoice: Option<String>,
    /// What the invoice says it is for.
    pub memo: String,
    /// The payee.
    pub payee: Option<PublicKey>,
    /// When the payment or invoice was made, in seconds since 1970.
    pub created_at: u64,
    /// When it succeeded or failed.
    pub settled_at: Option<u64>,
    /// When the invoice expires.
    pub expires_at: Option<u64>,
    /// What it was asked for by.
    #[serde(default)]
    pub asked_by: PaymentKind,
    /// What the payer wrote to who made the offer.
    #[serde(default)]
    pub payer_note: Option<String>,
    /// The payment hash, where it is not the name.
    #[serde(default)]
    pub locked_to: Option<PaymentHash>,
}

impl Payment {
    /// One that begins now.
    pub(crate) const fn begun(
        hash: PaymentHash,
        direction: Direction,
        asked_by: PaymentKind,
        amount: Option<Msat>,
        created_at: u64,
    ) -> Self {
        Self {
            hash,
            direction,
            amount,
            fee: None,
            state: PaymentState::Pending,
            invoice: None,
            memo: String::new(),
            payee: None,
            created_at,
            settled_at: None,
            expires_at: None,
            asked_by,
            payer_note: None,
            locked_to: None,
        }
    }
}

/// What happened at a node; see [`crate::Node::events`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A channel's funding is negotiated.
    ChannelPending {
        /// Which.
        channel: ChannelId,
    },
    /// A channel carries payments.
    ChannelReady {
        /// Which.
        channel: ChannelId,
    },
    /// Both have signed a splice: it waits for a block, and the channel goes on meanwhile.
    SplicePending {
        /// Which.
        channel: ChannelId,
        /// The splice's transaction.
        txid: Txid,
    },
    /// A splice is locked in: the channel has its new capacity.
    ChannelSpliced {
        /// Which.
        channel: ChannelId,
        /// The splice's transaction.
        txid: Txid,
    },
    /// A channel is closed; its money may still be on the way to the wallet.
    ChannelClosed {
        /// Which.
        channel: ChannelId,
        /// Why.
        reason: String,
    },
    /// We were paid.
    PaymentReceived {
        /// Which.
        hash: PaymentHash,
        /// How much.
        amount: Msat,
    },
    /// Somebody paid a hold invoice: it waits for a word.
    PaymentHeld {
        /// Which.
        hash: PaymentHash,
        /// How much.
        amount: Msat,
        /// From this height on it can't be claimed; it is failed back a little earlier.
        claim_deadline: BtcHeight,
    },
    /// Our payment arrived.
    PaymentSent {
        /// Which.
        hash: PaymentHash,
    },
    /// Our payment failed.
    PaymentFailed {
        /// Which.
        hash: PaymentHash,
        /// Why.
        reason: PaymentFailure,
    },
    /// A payment of others went through us.
    PaymentForwarded {
        /// What we earned.
        fee: Msat,
    },
}

//! The Lightning node of Windlass, directly on LDK. The only crate that names `lightning`.
//!
//! [`Node::start`] takes a [`Config`] and [`Parts`] (bitcoind, the on-chain wallet, a store, fee rates)
//! and runs until [`Node::stop`]. Everything that it does is durable before it leaves the node, so it
//! may be killed at any time: LDK's monitors and manager and our own book go to the disk in one
//! commit, and messages that depend on it wait for that (see `ldk/committer.rs`).
//!
//! What is absent: the sidechain, and any rule about what a payment is for.

mod backup;
mod book;
mod config;
mod dns;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod hold;
mod ids;
mod ldk;
mod limits;
mod model;
mod names;
mod node;
mod record;
mod uri;

pub use backup::{BackedUpChannel, BackedUpSplice, Backup, BackupError};
pub use book::BookError;
pub use config::{Config, InboundLimits, Parts};
pub use dns::Dns;
pub use error::{
    CloseError, ConnectError, FindError, InvoiceError, OfferError, OpenError, PayError, PolicyError, SpliceError,
    StartError, WaitError,
};
pub use hold::{
    CLAIM_BUFFER_BLOCKS, FINAL_CLTV_DELTA_MAX, FINAL_CLTV_DELTA_MIN, FINAL_CLTV_DELTA_USUAL, HOLD_MARGIN_BLOCKS, Held,
    HoldError, HoldInvoice, HoldRequest, HoldState,
};
pub use ids::{ChannelId, HexError, OfferId, PaymentHash, PeerAddress, PeerAddressError, Preimage};
pub use limits::{Forward, MAX_CLTV, MaxFee, Obstacle, PayLimits, Probe, RETRY_FOR};
pub use model::{
    Channel, ChannelState, Direction, Event, Info, JournalInfo, Offer, Payment, PaymentFailure, PaymentKind,
    PaymentState, Peer, PendingSplice, Policy,
};
pub use names::{NameAnswer, NameResolver, NoNames};
pub use node::{GossipError, Node, OpenRequest, SpliceOut};
pub use record::{Arrival, ArrivalKind, ChannelRecord, CloseKind, Closing, Funding, Loss, SpliceRecord};

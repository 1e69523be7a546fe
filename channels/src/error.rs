//! What can go wrong, one enum per operation, each with its culprit.

mod channels;
mod payments;

pub use channels::{CloseError, FindError, OpenError, PolicyError, SpliceError};
pub use payments::{InvoiceError, OfferError, PayError};

use crate::book::BookError;
use bitcoin::Network;
use bitcoin::secp256k1::PublicKey;
use std::net::SocketAddr;
use windlass_chain::{RpcError, SyncError};

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

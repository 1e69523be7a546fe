//! What a bitcoind, or the way to it, can answer.

use bitcoin::{Network, Txid};
use std::path::PathBuf;

/// Why an RPC failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// It doesn't answer: stopped, starting, or stopping. Try again.
    #[error("bitcoind at {url} does not answer ({reason})")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It answers, but doesn't accept our password or cookie.
    #[error("bitcoind at {url} refuses our RPC password or cookie")]
    Unauthorized {
        /// Where it is.
        url: String,
    },
    /// It refused the call.
    #[error("bitcoind refused {method}: {message} (code {code})")]
    Refused {
        /// The RPC.
        method: String,
        /// Bitcoin Core's error code.
        code: i32,
        /// Bitcoin Core's words.
        message: String,
    },
    /// It answered something that we can't read.
    #[error("bitcoind's answer to {method} can't be read: {reason}")]
    Malformed {
        /// The RPC.
        method: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl RpcError {
    /// True if the same call may work later, with nothing changed on our side.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Bitcoin Core's "invalid address or key", which is also its "no such block or transaction".
    pub(crate) const fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code: -5, .. })
    }

    /// Bitcoin Core's "invalid parameter": a height beyond the tip.
    pub(crate) const fn is_out_of_range(&self) -> bool {
        matches!(self, Self::Refused { code: -8, .. })
    }
}

/// Why [`Bitcoind::connect`](crate::Bitcoind::connect) failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// It didn't answer, or not as it should.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// It is on another network.
    #[error("bitcoind at {url} is on {found}, not on {expected}")]
    WrongNetwork {
        /// Where it is.
        url: String,
        /// Its network.
        found: String,
        /// The network asked for.
        expected: Network,
    },
    /// The cookie file can't be read for a reason other than that it isn't there yet.
    #[error("can't read bitcoind's cookie {}: {reason}", path.display())]
    Cookie {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
}

/// Why a transaction was not broadcast.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BroadcastError {
    /// Bitcoin Core's mempool refuses it.
    #[error("bitcoind refused the transaction {txid}: {reason}")]
    Rejected {
        /// The transaction.
        txid: Txid,
        /// Bitcoin Core's words, for example `min relay fee not met`.
        reason: String,
    },
    /// The call failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

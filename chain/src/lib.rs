//! Bitcoin as the rest of Windlass sees it.
//!
//! - [`Bitcoind`]: one bitcoind over RPC. A bitcoind that is stopped and started again is
//!   [`RpcError::Unreachable`] in between, and the next call works.
//! - [`Follower`]: its blocks in order, each to apply, and on a reorganisation first those to undo.
//! - [`Wallet`]: a BIP86 wallet (BDK) whose state lies in a `windlass-store`; [`WalletSync`] feeds it.
//! - [`FeeSource`], [`parse_address`], [`merkle_proof`].
//! - [`regtest`]: what only a private regtest chain can do.
//!
//! What is absent: what a block means to a channel or a peg.

mod address;
mod bitcoind;
mod error;
mod fees;
mod follow;
mod merkle;
pub mod regtest;
mod wallet;

pub use address::{AddressError, parse_address};
pub use bitcoind::{Auth, Bitcoind, BitcoindConfig, HeaderInfo, Mempool, Unspent, Utxo};
pub use error::{BroadcastError, ConnectError, RpcError};
pub use fees::{FeeSource, StaticFees};
pub use follow::{Event, FollowError, Follower, POLL_INTERVAL};
pub use merkle::{merkle_proof, verify_merkle_proof};
pub use wallet::{
    Balance, BuildError, Built, BuiltMany, Chosen, Quantity, SendError, SignError, SyncError, Wallet, WalletError,
    WalletSync, WalletTx, WalletUtxo,
};

//! What goes over HTTP between the processes: the shapes of requests and answers, and errors.
//! JSON; amounts are whole satoshis in fields named `*_sat` (or millisatoshis, `*_msat`), heights
//! are plain numbers, hashes are hex.
//!
//! [`member`] is spoken by members and followers, [`wallet`] by the wallet nodes.

mod error;
pub mod member;
pub mod wallet;

pub use error::{ApiError, Code, Hint};

use bitcoin::Amount;

/// Amounts as whole satoshis in JSON, for `#[serde(with = "windlass_node::api::sat")]`.
pub use bitcoin::amount::serde::as_sat as sat;

/// The version prefix of every path.
pub const PREFIX: &str = "/v1";

/// How long a long-poll may last at most, in seconds (`?wait=`).
pub const WAIT_SECONDS_MAX: u64 = 60;

/// The largest request body that a server takes, in bytes.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A plain satoshi amount, for messages.
pub fn btc(amount: Amount) -> String {
    format!("{} BTC", windlass_types::format_btc(amount))
}

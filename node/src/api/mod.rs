//! What goes over HTTP between the processes: the shapes of requests and answers, and errors.
//! JSON; amounts are whole satoshis in fields named `*_sat` (or millisatoshis, `*_msat`), heights
//! are plain numbers, hashes are hex.
//!
//! [`member`] is spoken by members and followers, [`wallet`] and [`payments`] by the wallet nodes, [`assets`] and
//! [`policies`] by both.

pub mod assets;
mod error;
pub mod events;
pub mod member;
mod page;
pub mod payments;
pub mod policies;
pub(crate) mod schema;
pub mod splice;
pub mod wallet;

pub use error::{ApiError, Code, Hint};
pub use page::{API_VERSION, PAGE_MAX, PAGE_USUAL, Page, PageQuery, VERSION_HEADER};

use bitcoin::Amount;

/// Amounts as whole satoshis in JSON, for `#[serde(with = "windlass_node::api::sat")]`.
pub use bitcoin::amount::serde::as_sat as sat;

/// The same where there may be none, for `#[serde(with = "windlass_node::api::sat_opt", default)]`.
/// (`bitcoin`'s own `as_sat::opt` can't read `null` inside of a flattened struct.)
pub mod sat_opt {
    use super::Amount;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    /// Whole satoshis, or `null`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(amount: &Option<Amount>, serializer: S) -> Result<S::Ok, S::Error> {
        amount.map(Amount::to_sat).serialize(serializer)
    }

    /// Whole satoshis, or `null`.
    ///
    /// # Errors
    /// The deserializer's; also anything that is not a whole number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Amount>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Amount::from_sat))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        #[serde(with = "sat_opt", rename = "amount_sat", default)]
        amount: Option<Amount>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Outer {
        name: String,
        #[serde(flatten)]
        inner: Inner,
    }

    #[test]
    fn no_amount_survives_a_flattened_struct() {
        for amount in [None, Some(Amount::from_sat(7))] {
            let outer = Outer { name: "alice".into(), inner: Inner { amount } };
            let json = serde_json::to_string(&outer).expect("JSON");
            assert_eq!(serde_json::from_str::<Outer>(&json).expect(&json), outer);
        }
    }
}

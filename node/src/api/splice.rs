//! Splicing: more or less in a channel, while it goes on. Part of the wallet node's API:
//!
//! | method and path | body | answer |
//! |---|---|---|
//! | POST `/v1/channels/{id}/splice` | [`SpliceRequest`] | `ChannelInfo`, once the splice is broadcast |

use bitcoin::{Amount, Txid};
use serde::{Deserialize, Serialize};
use windlass_types::BtcHeight;

/// Which way a splice goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpliceWay {
    /// From the on-chain wallet into the channel.
    In,
    /// From the channel to an address.
    Out,
}

/// Splice a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpliceRequest {
    /// In or out.
    pub way: SpliceWay,
    /// So much; the fee comes on top, out of the wallet (in) or out of the channel (out).
    #[serde(with = "super::sat", rename = "amount_sat")]
    pub amount: Amount,
    /// Where what goes out is to arrive; the own wallet without.
    #[serde(default)]
    pub to: Option<String>,
    /// In sat/vB; the usual rate without.
    #[serde(default)]
    pub fee_rate: Option<u64>,
}

/// A splice that is not locked in yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpliceInfo {
    /// Its transaction.
    pub txid: Txid,
    /// The channel's capacity once it is locked in.
    #[serde(with = "super::sat", rename = "capacity_sat")]
    pub capacity: Amount,
    /// Its block, once it is in one.
    pub height: Option<BtcHeight>,
}

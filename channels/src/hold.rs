//! Hold invoices: paid into the channel, but kept back until somebody says the word.
//!
//! The contract is in `docs/spec/hold-invoices.md`.

use crate::{ChannelId, PaymentHash, Preimage};
use lightning::chain::channelmonitor::HTLC_FAIL_BACK_BUFFER;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use windlass_types::{BtcHeight, Msat};

/// So many blocks before the claim deadline, a payment that is still held is failed back: what the
/// user's word may take from the check of its height to LDK.
pub const HOLD_MARGIN_BLOCKS: u32 = 3;

/// LDK claims no payment that expires within so many blocks: it may have to do it on the chain.
pub const CLAIM_BUFFER_BLOCKS: u32 = HTLC_FAIL_BACK_BUFFER;

/// The least final CLTV delta of a hold invoice: some blocks remain to hold it, after what LDK and the
/// margin take.
pub const FINAL_CLTV_DELTA_MIN: u16 = 48;

/// The most: payers go no further than 1,008 blocks (LDK's limit, on the whole way) or 2,016.
pub const FINAL_CLTV_DELTA_MAX: u16 = 1_000;

/// A day.
pub const FINAL_CLTV_DELTA_USUAL: u16 = 144;

/// A hold invoice to be made.
#[derive(Debug, Clone)]
pub struct HoldRequest {
    /// What the payment is locked to; who knows its preimage settles.
    pub hash: PaymentHash,
    /// How much; none leaves it to the payer.
    pub amount: Option<Msat>,
    /// What for.
    pub memo: String,
    /// How long it may be paid.
    pub expiry: Duration,
    /// The invoice's `min_final_cltv_expiry_delta` (BOLT 11): blocks from the payment to its timeout.
    pub final_cltv_delta: u16,
}

/// Where a hold invoice stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum HoldState {
    /// Nobody has paid it.
    Open,
    /// It was not paid in time, and can't be any more.
    Expired,
    /// Paid, and waiting for a word.
    Held(Held),
    /// The word was given; the claim is on its way to the disk.
    Settling {
        /// What is claimed.
        held: Held,
        /// The word.
        preimage: Preimage,
    },
    /// The money is ours.
    Settled {
        /// What was claimed.
        amount: Msat,
        /// The word.
        preimage: Preimage,
    },
    /// Called off by the user; what was paid went back.
    Cancelled,
    /// Held until [`Held::cancel_height`], then failed back.
    TimedOut {
        /// The tip at which that was.
        height: BtcHeight,
    },
}

/// A payment that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What was paid, all parts together.
    pub amount: Msat,
    /// The channels that its parts came over.
    pub channels: Vec<ChannelId>,
    /// From this Bitcoin height on nothing can be claimed: the first part's timeout less
    /// [`CLAIM_BUFFER_BLOCKS`].
    pub claim_deadline: BtcHeight,
    /// At this height the node fails it back: [`HOLD_MARGIN_BLOCKS`] before the deadline.
    pub cancel_height: BtcHeight,
    /// When it arrived, in seconds since 1970.
    pub since: u64,
}

/// A hold invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldInvoice {
    /// Its hash, and its name.
    pub hash: PaymentHash,
    /// BOLT 11 text.
    pub invoice: String,
    /// How much it asks for.
    pub amount: Option<Msat>,
    /// What for.
    pub memo: String,
    /// Blocks from the payment to its timeout, at the least.
    pub final_cltv_delta: u16,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// Until when it may be paid, in seconds since 1970.
    pub expires_at: u64,
    /// Where it stands.
    pub state: HoldState,
}

impl HoldInvoice {
    /// The same, with an open invoice that is past its time shown so.
    pub(crate) fn at(mut self, now: u64) -> Self {
        if self.state == HoldState::Open && now > self.expires_at {
            self.state = HoldState::Expired;
        }
        self
    }

    /// The payment that waits, if one does.
    pub const fn held(&self) -> Option<&Held> {
        match &self.state {
            HoldState::Held(held) | HoldState::Settling { held, .. } => Some(held),
            _ => None,
        }
    }
}

/// Why a hold invoice was not settled or cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// There is none with this hash.
    #[error("there is no hold invoice {0}")]
    Unknown(PaymentHash),
    /// It is another one's preimage.
    #[error("this preimage is not that of {hash}: its hash is {found}")]
    WrongPreimage {
        /// The invoice.
        hash: PaymentHash,
        /// What the preimage hashes to.
        found: PaymentHash,
    },
    /// Nobody has paid it: there is nothing to take.
    #[error("hold invoice {0} is not paid yet")]
    NotPaid(PaymentHash),
    /// It was not paid in time.
    #[error("hold invoice {0} has expired unpaid")]
    Expired(PaymentHash),
    /// The money went back.
    #[error("hold invoice {0} is cancelled: what was paid went back")]
    Cancelled(PaymentHash),
    /// Too late.
    #[error("hold invoice {hash} was held until block {height}, then what was paid went back")]
    TimedOut {
        /// The invoice.
        hash: PaymentHash,
        /// The tip at which that was.
        height: BtcHeight,
    },
    /// It is settled: there is nothing to call off.
    #[error("hold invoice {0} is settled")]
    Settled(PaymentHash),
    /// The disk failed.
    #[error("the node can't make anything durable and stops")]
    NotDurable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_delta_leaves_blocks_to_hold() {
        assert!(u32::from(FINAL_CLTV_DELTA_MIN) >= CLAIM_BUFFER_BLOCKS + HOLD_MARGIN_BLOCKS + 6);
        const { assert!(FINAL_CLTV_DELTA_MIN < FINAL_CLTV_DELTA_USUAL) };
        const { assert!(FINAL_CLTV_DELTA_USUAL < FINAL_CLTV_DELTA_MAX) };
    }
}

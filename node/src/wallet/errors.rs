//! Errors of the parts in the API's words.

use crate::api::ApiError;
use windlass_chain::{BroadcastError, RpcError};
use windlass_channels::{
    CloseError, ConnectError, FindError, HoldError, InvoiceError, Obstacle, OfferError, OpenError, PayError,
    PolicyError, SpliceError,
};

/// bitcoind did not answer, or refused.
pub(super) fn rpc(error: RpcError) -> ApiError {
    if error.is_unreachable() {
        ApiError::not_running(error).hint("see what runs", "windlass status")
    } else {
        ApiError::failed(error)
    }
}

/// A transaction was not broadcast.
pub(super) fn broadcast(error: BroadcastError) -> ApiError {
    match error {
        BroadcastError::Rpc(error) => rpc(error),
        rejected @ BroadcastError::Rejected { .. } => ApiError::conflict(rejected),
    }
}

/// A peer was not reached.
pub(super) fn connect(error: ConnectError) -> ApiError {
    match error {
        ConnectError::Unreachable { .. } => ApiError::not_running(error),
        ConnectError::Ourselves(_) | ConnectError::UnknownAddress(_) | ConnectError::NoProxy(_) => {
            ApiError::usage(error)
        }
    }
}

/// A channel was not opened by the node `name`.
pub(super) fn open(name: &str, error: OpenError) -> ApiError {
    match error {
        OpenError::InsufficientFunds { have, need, fee, reserve } => {
            let missing = need.checked_sub(have).unwrap_or(bitcoin::Amount::ZERO);
            let message = format!(
                "{name} has {} on chain, the channel needs {} (of which {} fee and {} kept for closes)",
                crate::api::btc(have),
                crate::api::btc(need),
                crate::api::btc(fee),
                crate::api::btc(reserve)
            );
            ApiError::insufficient(message)
                .hint("fund the wallet", format!("windlass faucet {name} {}sat", missing.to_sat()))
        }
        OpenError::TooSmall { .. } | OpenError::PushTooLarge { .. } => ApiError::usage(error),
        OpenError::Peer(error) => connect(error),
        OpenError::TimedOut { .. } => ApiError::timeout(error),
        OpenError::Refused { .. } | OpenError::NotDurable => ApiError::failed(error),
    }
}

/// A channel was not found.
pub(super) fn find(error: FindError) -> ApiError {
    match error {
        FindError::Unknown(_) => ApiError::not_found(error).hint("list them", "windlass channel list"),
        FindError::Ambiguous { .. } => ApiError::usage(error),
    }
}

/// A channel of the node `name` was not spliced.
pub(super) fn splice(name: &str, error: SpliceError) -> ApiError {
    match error {
        SpliceError::Unknown(_) => ApiError::not_found(error).hint("list them", "windlass channel list"),
        SpliceError::Offline { .. } | SpliceError::Pending { .. } | SpliceError::Busy(_) => ApiError::conflict(error),
        SpliceError::InsufficientFunds { have, need, .. } => {
            let missing = need.checked_sub(have).unwrap_or(bitcoin::Amount::ZERO);
            ApiError::insufficient(error)
                .hint("fund the wallet", format!("windlass faucet {name} {}sat", missing.to_sat()))
        }
        SpliceError::TooSmall { .. } | SpliceError::FeeRate { .. } => ApiError::usage(error),
        SpliceError::TimedOut(_) => ApiError::timeout(error).hint("look at it", "windlass channel list"),
        SpliceError::Refused { .. } | SpliceError::NotDurable => ApiError::failed(error),
    }
}

/// A channel was not closed.
pub(super) fn close(error: CloseError) -> ApiError {
    match error {
        CloseError::Unknown(_) => ApiError::not_found(error).hint("list them", "windlass channel list"),
        CloseError::Offline { .. } | CloseError::Splicing { .. } => ApiError::conflict(error),
        CloseError::Refused { .. } => ApiError::failed(error),
    }
}

/// The node `name` made no invoice.
pub(super) fn invoice(name: &str, error: InvoiceError) -> ApiError {
    match error {
        InvoiceError::Zero | InvoiceError::MemoTooLong { .. } | InvoiceError::FinalCltvDelta { .. } => {
            ApiError::usage(error)
        }
        InvoiceError::HashInUse(_) => ApiError::conflict(error),
        InvoiceError::InsufficientInbound { .. } => ApiError::insufficient(error)
            .hint(format!("have a channel opened to {name}"), format!("windlass channel open NODE {name} 0.1btc")),
        InvoiceError::Refused(_) | InvoiceError::NotDurable => ApiError::failed(error),
    }
}

/// A hold invoice was not settled or cancelled.
pub(super) fn hold(error: HoldError) -> ApiError {
    match error {
        HoldError::Unknown(_) => ApiError::not_found(error),
        HoldError::WrongPreimage { .. } => ApiError::usage(error),
        HoldError::NotPaid(_)
        | HoldError::Expired(_)
        | HoldError::Cancelled(_)
        | HoldError::TimedOut { .. }
        | HoldError::Settled(_) => ApiError::conflict(error),
        HoldError::NotDurable => ApiError::failed(error),
    }
}

/// There is no offer or refund, or the node `name` did not claim it.
pub(super) fn offer(name: &str, error: OfferError) -> ApiError {
    match error {
        OfferError::Zero | OfferError::Malformed { .. } | OfferError::WrongNetwork { .. } | OfferError::Own => {
            ApiError::usage(error)
        }
        OfferError::Expired => ApiError::conflict(error),
        OfferError::InsufficientInbound { .. } => ApiError::insufficient(error)
            .hint(format!("have a channel opened to {name}"), format!("windlass channel open NODE {name} 0.1btc")),
        OfferError::PayerAway { .. } => ApiError::not_running(error).hint("see what runs", "windlass status"),
        OfferError::Unreachable | OfferError::Refused(_) | OfferError::NotDurable => ApiError::failed(error),
    }
}

/// A policy was not set.
pub(super) fn policy(error: PolicyError) -> ApiError {
    match error {
        PolicyError::Unknown(_) => ApiError::not_found(error).hint("list them", "windlass channel list"),
        PolicyError::CltvDelta { .. } | PolicyError::Base { .. } => ApiError::usage(error),
        PolicyError::Refused { .. } | PolicyError::NotDurable => ApiError::failed(error),
    }
}

/// Nothing was paid.
pub(super) fn pay(error: PayError) -> ApiError {
    match error {
        PayError::Malformed { .. }
        | PayError::WrongNetwork { .. }
        | PayError::OwnInvoice
        | PayError::Ourselves
        | PayError::AmountMissing
        | PayError::NoteTooLong { .. }
        | PayError::AmountMismatch { .. } => ApiError::usage(error),
        PayError::Expired { .. } | PayError::AlreadyPaid(_) | PayError::InFlight(_) => ApiError::conflict(error),
        PayError::InsufficientBalance { .. }
        | PayError::NoRoute {
            obstacle: Obstacle::NoChannel | Obstacle::Full { .. } | Obstacle::TooMuch { .. }, ..
        } => ApiError::insufficient(error).hint("see what can be sent", "windlass channel list"),
        PayError::TimedOut(_) => ApiError::timeout(error),
        PayError::Failed { hash, reason } => ApiError::failed(format!("payment {hash} failed: {reason}")),
        PayError::Unresolved { .. } => ApiError::not_found(error),
        PayError::OnChainOnly { ref address } => {
            let command = format!("windlass send NODE {address} AMOUNT");
            ApiError::conflict(&error).hint("pay it there", command)
        }
        PayError::NoRoute { .. } | PayError::Unprobed(_) | PayError::NotDurable => ApiError::failed(error),
    }
}

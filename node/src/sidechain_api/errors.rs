//! What goes wrong inside, as the API says it.

use crate::api::{ApiError, Code};
use axum::http::{Method, Uri};
use windlass_ledger::{ClaimError, StateError, TxError};
use windlass_sidechain::{ChainStoreError, PoolError, SubmitError};

/// No path of the API.
pub(super) async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::not_found(format!("there is no {} here; paths start with /v1", uri.path()))
}

/// A path of the API, asked otherwise.
pub(super) async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    ApiError::usage(format!("{} does not take {method}", uri.path()))
}

/// The state can't be read: our own fault.
pub(super) fn state(error: StateError) -> ApiError {
    ApiError::failed(error)
}

/// The store failed: our own fault.
pub(super) fn store(error: ChainStoreError) -> ApiError {
    ApiError::failed(error)
}

/// A transaction was not taken.
pub(super) fn submit(error: &SubmitError) -> ApiError {
    let code = match error {
        SubmitError::Malformed(_) | SubmitError::TooLong { .. } => Code::Usage,
        SubmitError::Final(_) => Code::Conflict,
        SubmitError::Refused(error) => refused(error),
        SubmitError::Pool(PoolError::Conflict(_)) => Code::Conflict,
        SubmitError::Pool(PoolError::AccountFull | PoolError::Full) | SubmitError::Store(_) => Code::Failed,
    };
    ApiError::new(code, error)
}

fn refused(error: &TxError) -> Code {
    match error {
        TxError::Insufficient { .. } | TxError::InsufficientAsset { .. } => Code::InsufficientFunds,
        TxError::NoAsset(_) => Code::NotFound,
        TxError::NonceUsed { .. }
        | TxError::NonceAhead { .. }
        | TxError::NotYet { .. }
        | TxError::Expired { .. }
        | TxError::Breached(_)
        | TxError::Claim(ClaimError::Again { .. } | ClaimError::NotAnchored { .. } | ClaimError::TooLate { .. }) => {
            Code::Conflict
        }
        TxError::State(_) | TxError::BlockFull => Code::Failed,
        _ => Code::Usage,
    }
}

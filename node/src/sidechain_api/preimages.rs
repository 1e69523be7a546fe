//! What hash locks have shown.

use super::answers::{Answer, Of as _, parse};
use super::{Service, errors};
use crate::api::ApiError;
use crate::api::policies::PreimageAnswer;
use axum::extract::{Path, State};
use windlass_ledger::query;
use windlass_types::Digest;

/// The preimage of a hash, once a policy account was spent from by it.
#[utoipa::path(
    get, path = "/preimages/{hash}", operation_id = "preimage",
    params(("hash" = String, Path, description = "The preimage's SHA-256")),
    responses((status = 200, body = PreimageAnswer)),
)]
pub(super) async fn preimage(State(service): State<Service>, Path(hash): Path<String>) -> Answer<PreimageAnswer> {
    let running = service.running()?;
    let hash: Digest = parse("a hash", &hash)?;
    match query::revealed(&*running.chain.view(), &hash.0).map_err(errors::state)? {
        Some(shown) => {
            Answer::of(PreimageAnswer { hash, preimage: Digest(shown.preimage), id: shown.id, height: shown.height })
        }
        None => Err(ApiError::not_found(format!("no policy account was spent from by a preimage of {hash} yet"))),
    }
}

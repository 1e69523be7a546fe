//! Bodies in, errors out: what axum says in plain text is said in the API's form.

use crate::api::{ApiError, BODY_BYTES_MAX};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{Method, Uri};
use serde::de::DeserializeOwned;

/// A JSON body; the content type does not matter.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|_| {
            ApiError::usage(format!("the request's body can't be read; at most {BODY_BYTES_MAX} bytes are"))
        })?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Body).map_err(|error| ApiError::usage(format!("the request's body: {error}")))
    }
}

/// No such path, or not this way.
pub(super) async fn unknown(method: Method, uri: Uri) -> ApiError {
    ApiError::not_found(format!("a wallet node has nothing at {method} {}", uri.path()))
}

//! The newest state as a snapshot, streamed.

use super::{Service, errors};
use crate::api::ApiError;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tracing::{info, warn};
use windlass_sidechain::{SnapshotError, pieces};

/// So many may read a snapshot at once: each keeps old pages of the store from being reused.
pub(super) const READERS_MAX: usize = 2;
/// Pieces that wait for a reader.
const AHEAD: usize = 2;
/// A reader that takes no piece for so long is gone.
const STALL: Duration = Duration::from_secs(30);
/// A reader that is not through after so long is cut off.
const LIFE: Duration = Duration::from_secs(3600);

/// The rows of the newest final state, with its header and certificate: what a follower begins from (docs/spec/snapshots.md).
/// It is of one moment, however long it takes to read.
#[utoipa::path(
    get, path = "/snapshot", operation_id = "snapshot",
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")),
)]
pub(super) async fn snapshot(State(service): State<Service>) -> Result<Response, ApiError> {
    let running = service.running()?;
    let place = service.snapshots.clone().try_acquire_owned();
    let place = place.map_err(|_| ApiError::failed("too many read a snapshot here; wait, or try another member"))?;
    let pieces = pieces(&running.chain).map_err(|error| match error {
        SnapshotError::Genesis => ApiError::conflict("there is no block after the genesis yet: nothing to begin from"),
        SnapshotError::Chain(error) => errors::store(error),
        other => ApiError::failed(other),
    })?;
    let (sender, receiver) = mpsc::channel::<std::io::Result<Bytes>>(AHEAD);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let (_place, begun, height) = (place, Instant::now(), pieces.height());
        for piece in pieces {
            let piece = piece.map(Bytes::from).map_err(std::io::Error::other);
            let sent = runtime.block_on(timeout(STALL, sender.send(piece)));
            if !matches!(sent, Ok(Ok(()))) || begun.elapsed() > LIFE {
                // The stream ends without its end: the reader knows that it is cut short.
                warn!(%height, "a reader of a snapshot is gone, or too slow");
                return;
            }
        }
        info!(%height, "a snapshot was read");
    });
    let body = Body::from_stream(ReceiverStream::new(receiver));
    Ok(([(CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

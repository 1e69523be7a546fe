//! The chain as it grows, as server-sent events: whoever was away says where to go on.

use super::answers::parse;
use super::{Running, Service};
use crate::api::ApiError;
use crate::api::member::BlockEvent;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};
use windlass_types::SideHeight;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// The first height that is wanted; the next block if it is not said.
    #[param(value_type = Option<u64>)]
    from: Option<String>,
}

struct Reader {
    running: Arc<Running>,
    heights: watch::Receiver<SideHeight>,
    next: Option<SideHeight>,
    _place: OwnedSemaphorePermit,
}

/// One event (`block`) for each final block; its id is the height. A reader that was away goes on with the header
/// `Last-Event-ID`, as browsers do by themselves, or with `from`. Nothing is dropped for a slow one: it is read from
/// the chain when it asks.
#[utoipa::path(
    get, path = "/events", operation_id = "events",
    params(From, ("Last-Event-ID" = Option<u64>, Header, description = "The height of the last event that was read")),
    responses((status = 200, body = BlockEvent, content_type = "text/event-stream")),
)]
pub(super) async fn events(
    State(service): State<Service>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let running = service.running()?;
    let place = service.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| ApiError::failed("too many streams of events are open here; try another member"))?;
    let last = headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let next = match (last, from.from) {
        (Some(last), _) => SideHeight::new(parse("Last-Event-ID", &last)?).next(),
        (None, Some(from)) => Some(SideHeight::new(parse("from", &from)?)),
        (None, None) => running.chain.tip().height.next(),
    };
    // The genesis is no event: nobody decided it.
    let next = next.map(|height| height.max(SideHeight::new(1)));
    let heights = running.backend.heights();
    let reader = Reader { running, heights, next, _place: place };
    Ok(Sse::new(futures::stream::unfold(reader, read)).keep_alive(KeepAlive::default()))
}

async fn read(mut reader: Reader) -> Option<(Result<Event, Infallible>, Reader)> {
    let height = reader.next?;
    while *reader.heights.borrow_and_update() < height {
        // The process ends.
        reader.heights.changed().await.ok()?;
    }
    let event = match block(&reader.running, height) {
        Ok(block) => Event::default().event("block").id(height.to_string()).json_data(block),
        Err(error) => {
            reader.next = None;
            return Some((Ok(failure(&error)), reader));
        }
    };
    reader.next = height.next();
    let event = event.unwrap_or_else(|error| failure(&ApiError::failed(error)));
    Some((Ok(event), reader))
}

/// The stream's last event where it can't go on.
fn failure(error: &ApiError) -> Event {
    let event = Event::default().event("error");
    event.json_data(error).unwrap_or_else(|_| Event::default().event("error"))
}

fn block(running: &Running, height: SideHeight) -> Result<BlockEvent, ApiError> {
    super::chain::has_validated(running, height)?;
    let found = running.chain.block(height).map_err(super::errors::store)?;
    let (block, _) = found.ok_or_else(|| ApiError::failed(format!("block {height} is not in the store")))?;
    let receipts = running.chain.receipts(height).map_err(super::errors::store)?;
    let receipts = receipts.map_or(Ok(serde_json::Value::Array(Vec::new())), |text| serde_json::from_str(&text));
    Ok(BlockEvent {
        height,
        block: block.digest(),
        anchor: block.header.anchor,
        supply: block.header.supply,
        transactions: block.transactions.iter().map(windlass_ledger::Transaction::id).collect(),
        receipts: receipts.map_err(|error| ApiError::failed(format!("the receipts of block {height}: {error}")))?,
    })
}

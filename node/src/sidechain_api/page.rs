//! Cursors: the rest of a key in the state, in hex. Clients don't look into them.

use crate::api::{ApiError, PAGE_MAX, PAGE_USUAL, Page, PageQuery};
use windlass_ledger::query;

/// How many items the request wants.
pub(super) fn limit(query: &PageQuery) -> Result<usize, ApiError> {
    let Some(text) = &query.limit else { return Ok(PAGE_USUAL) };
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| ApiError::usage(format!("limit: {text:?} is not 1 to {PAGE_MAX}")))
}

/// Where the request's page begins.
pub(super) fn from(query: &PageQuery) -> Result<Vec<u8>, ApiError> {
    let text = query.from.as_deref().unwrap_or_default();
    hex::decode(text).map_err(|_| ApiError::usage(format!("from: {text:?} is not what an answer gave as `next`")))
}

/// The answer of a page.
pub(super) fn answer<A, B>(page: query::Page<A>, items: impl FnOnce(Vec<A>) -> Vec<B>) -> Page<B> {
    Page { items: items(page.items), next: page.next.map(hex::encode) }
}

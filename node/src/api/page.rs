//! Lists by pages, and how the two sides of a connection know that they speak the same API.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// At most so many items in one answer.
pub const PAGE_MAX: usize = 256;

/// So many items where the request does not say.
pub const PAGE_USUAL: usize = 100;

/// The version of the API. It changes with everything that a client of before would take for something else, or not
/// find; both sides say it with every request and answer, in the header [`VERSION_HEADER`].
pub const API_VERSION: &str = "2";

/// Says [`API_VERSION`]. A request without it is served; one with another version is refused.
pub const VERSION_HEADER: &str = "windlass-api";

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Give it as `from` for the next part; none after the last item that there is now.
    pub next: Option<String>,
}

/// Which part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the part before; without it, the list's beginning.
    pub from: Option<String>,
    /// At most so many items, 1 to 256; 100 if it is not said.
    #[param(value_type = Option<u32>)]
    pub limit: Option<String>,
}

//! What happens at a Lightning node, for an application that must hear of each event once.

use serde::{Deserialize, Serialize};
use windlass_channels::Event;

/// Where the journal is.
pub use windlass_channels::JournalInfo;

/// An event with its position: 0, 1, 2…
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventAnswer {
    /// Where it stands in the journal.
    pub position: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Events in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsAnswer {
    /// From the position asked for on; at most 1,000.
    pub events: Vec<EventAnswer>,
    /// The position to ask for next.
    pub next: u64,
    /// So many events between the position asked for and the first here are lost: nobody acknowledged, and too
    /// many waited. Not 0: look at payments and channels for what they were.
    #[serde(default)]
    pub lost: u64,
}

/// The application that acknowledged is gone for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiveUpRequest {}

/// Lets go of events: the application has done with all before this position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcknowledgeRequest {
    /// The first position that is still wanted.
    pub before: u64,
}

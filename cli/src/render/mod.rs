//! Results as text for people. Each function returns what is printed; nothing here prints, asks
//! or computes money beyond adding up what it was given to show.

pub mod asset;
pub mod channel;
pub mod doctor;
pub mod federation;
pub mod hold;
pub mod lock;
pub mod money;
pub mod params;
pub mod payment;
pub mod peer;
pub mod peg;
pub mod policy;
pub mod proof;
pub mod receipt;
#[cfg(test)]
mod render_tests;
#[cfg(test)]
pub mod samples;
pub mod statement;
pub mod status;
mod table;
pub mod up;

/// So much of a long id is shown in a table; a unique prefix is enough everywhere.
const SHORT: usize = 12;

/// The start of an id.
pub fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

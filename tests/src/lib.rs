//! What the end-to-end tests share: a whole network of real processes, driven as a person drives
//! it, by the `windlass` command with `--json`.
//!
//! Each network has a directory of its own and whatever ports are free; it is ended when the value
//! is dropped. If the test failed, its directory stays and its path is printed.

pub mod network;
pub mod wait;

pub use network::{Failure, Network};
pub use wait::until;

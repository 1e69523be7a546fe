//! What LDK needs from us, and its types put together.

pub(crate) mod blocks;
pub(crate) mod broadcast;
pub(crate) mod coins;
pub(crate) mod committer;
pub(crate) mod fees;
pub(crate) mod gate;
pub(crate) mod gossip;
pub(crate) mod keys;
pub(crate) mod kv;
pub(crate) mod load;
pub(crate) mod log;
pub(crate) mod monitors;
pub(crate) mod stack;
pub(crate) mod ticks;
pub(crate) mod tower;

//! Nodes of one make in a line, with channels between neighbours.

mod ldk_node;
mod windlass;

use crate::load::Recorder;
use crate::protocol::{Impl, Shape};
use anyhow::Result;
use std::path::Path;
use std::sync::Arc;
use windlass_interop::chain::Chain;

/// Coins that a node gets for each of its channels, and one more for what it must keep back.
const SPARE_COINS: usize = 1;

/// Nodes in a line. The first pays, the last asks.
pub trait Rig: Send + Sync {
    /// Addresses that must be paid before [`Self::open`].
    fn needs(&self) -> Result<Vec<String>>;

    /// Opens the channels and waits until the first node can pay the last.
    fn open(&mut self, chain: &Chain) -> Result<()>;

    /// Invoices of the last node.
    fn invoices(&self, count: usize, amount_sat: u64) -> Result<Vec<String>>;

    /// Pays what `recorder` gives, `in_flight` at a time, until it gives no more.
    fn load(&self, in_flight: usize, recorder: &Arc<Recorder>) -> Result<()>;

    /// Sends money back if little is left on the first node's side.
    fn balance(&self) -> Result<()>;

    /// Stops the first node and starts it again on what lies on its disk. The seconds from the start
    /// until it runs, and until it could pay.
    fn restart(&mut self) -> Result<(f64, f64)>;
}

/// Starts the nodes; their state goes below `dir`.
pub fn start(which: Impl, shape: Shape, dir: &Path, chain: &Chain) -> Result<Box<dyn Rig>> {
    Ok(match which {
        Impl::Windlass | Impl::WindlassNoStore => {
            Box::new(windlass::Nodes::start(shape, dir, chain, which == Impl::WindlassNoStore)?)
        }
        Impl::LdkNode => Box::new(ldk_node::Nodes::start(shape, dir, chain)?),
    })
}

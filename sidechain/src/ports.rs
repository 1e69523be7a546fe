//! What the chain needs of the rest of a member, and doesn't know: Bitcoin, and whoever acts on a
//! final block.

use futures::future::BoxFuture;
use std::sync::Arc;
use windlass_ledger::{Applied, BitcoinInputs, Block, Header, StateRead};

/// A member's own view of Bitcoin.
pub trait BitcoinPort: Send + Sync + 'static {
    /// The Bitcoin blocks that a child of `parent` should consume: those between its anchor and
    /// the newest block that is buried deep enough, as far as they fit. `view` is the state after
    /// `parent`. Answer empty inputs when there is nothing new or bitcoind doesn't answer: the
    /// chain goes on. The caller gives up after a few hundred milliseconds.
    fn propose(&self, view: Arc<dyn StateRead>, parent: Header) -> BoxFuture<'static, BitcoinInputs>;

    /// Whether `inputs` are what this member's own bitcoind says of the blocks after `parent`'s
    /// anchor. Never asked for empty inputs.
    ///
    /// Answer false only for what can never become true. While bitcoind is behind, or away, or
    /// the block not buried deep enough yet: wait. Dropped when the answer no longer matters.
    fn check(&self, view: Arc<dyn StateRead>, parent: Header, inputs: BitcoinInputs) -> BoxFuture<'static, bool>;
}

/// Who acts on final blocks (signers, watchmen, indexes).
pub trait FinalizedPort: Send + Sync + 'static {
    /// Called for each final block, in order, at least once: a member that stops before its state
    /// is durable hears of the same blocks again. `view` is the state after `block`, and stays so.
    ///
    /// The chain's own [`Handle`](crate::Handle) may show the block a little later. The next block
    /// waits for the return: hand long work to a task.
    fn finalized(&self, block: Arc<Block>, applied: Arc<Applied>, view: Arc<dyn StateRead>) -> BoxFuture<'static, ()>;
}

/// Ports of a member without Bitcoin: no anchor ever moves, and nobody listens. For tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPorts;

impl BitcoinPort for NoPorts {
    fn propose(&self, _: Arc<dyn StateRead>, _: Header) -> BoxFuture<'static, BitcoinInputs> {
        Box::pin(std::future::ready(BitcoinInputs::default()))
    }

    fn check(&self, _: Arc<dyn StateRead>, _: Header, inputs: BitcoinInputs) -> BoxFuture<'static, bool> {
        Box::pin(std::future::ready(inputs == BitcoinInputs::default()))
    }
}

impl FinalizedPort for NoPorts {
    fn finalized(&self, _: Arc<Block>, _: Arc<Applied>, _: Arc<dyn StateRead>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

//! What a transaction should pay.

use bitcoin::FeeRate;
use std::fmt::Debug;
use windlass_types::Blocks;

/// Where fee rates come from.
pub trait FeeSource: Debug + Send + Sync {
    /// The rate at which a transaction should be in a block within `target` blocks.
    fn rate(&self, target: Blocks) -> FeeRate;
}

/// One rate whatever the target: for regtest, where an estimator has nothing to learn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaticFees(pub FeeRate);

impl StaticFees {
    /// 2 sat/vB: above Core's relay minimum, so that children and bumps relay too.
    pub const REGTEST: Self = Self(FeeRate::from_sat_per_kwu(500));
}

impl FeeSource for StaticFees {
    fn rate(&self, _target: Blocks) -> FeeRate {
        self.0
    }
}

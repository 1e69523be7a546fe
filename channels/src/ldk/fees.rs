//! Fee rates in LDK's words.

use bitcoin::FeeRate;
use lightning::chain::chaininterface::{ConfirmationTarget, FeeEstimator};
use std::sync::Arc;
use windlass_chain::FeeSource;
use windlass_types::Blocks;

/// LDK's lowest rate: 1 sat/vB, rounded up.
const FLOOR_SAT_PER_KW: u32 = 253;

/// Answers LDK from a [`FeeSource`].
#[derive(Debug)]
pub(crate) struct Fees(pub(crate) Arc<dyn FeeSource>);

impl Fees {
    fn within(&self, blocks: u32) -> u32 {
        per_kw(self.0.rate(Blocks::new(blocks)))
    }
}

fn per_kw(rate: FeeRate) -> u32 {
    u32::try_from(rate.to_sat_per_kwu()).unwrap_or(u32::MAX).max(FLOOR_SAT_PER_KW)
}

impl FeeEstimator for Fees {
    fn get_est_sat_per_1000_weight(&self, target: ConfirmationTarget) -> u32 {
        match target {
            // Only a bound for what a peer may ask: generous, or honest peers are refused.
            ConfirmationTarget::MaximumFeeEstimate => self.within(1).saturating_mul(10).max(25_000),
            ConfirmationTarget::UrgentOnChainSweep => self.within(2).saturating_mul(2),
            // An anchor lifts it later, so it only has to enter a mempool.
            ConfirmationTarget::MinAllowedAnchorChannelRemoteFee
            | ConfirmationTarget::MinAllowedNonAnchorChannelRemoteFee
            | ConfirmationTarget::AnchorChannelFee => FLOOR_SAT_PER_KW,
            ConfirmationTarget::NonAnchorChannelFee => self.within(6),
            ConfirmationTarget::ChannelCloseMinimum => self.within(144).min(self.within(6)),
            ConfirmationTarget::OutputSpendingFee => self.within(12),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_chain::StaticFees;

    #[test]
    fn never_below_the_floor_and_the_bound_is_above_all() {
        let fees = Fees(Arc::new(StaticFees(FeeRate::from_sat_per_kwu(1))));
        assert_eq!(fees.get_est_sat_per_1000_weight(ConfirmationTarget::OutputSpendingFee), FLOOR_SAT_PER_KW);
        let fees = Fees(Arc::new(StaticFees(FeeRate::from_sat_per_vb_u32(200))));
        let bound = fees.get_est_sat_per_1000_weight(ConfirmationTarget::MaximumFeeEstimate);
        assert!(bound > fees.get_est_sat_per_1000_weight(ConfirmationTarget::UrgentOnChainSweep));
    }
}

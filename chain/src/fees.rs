//! What a transaction should pay.

use crate::{Bitcoind, RpcError};
use bitcoin::{Amount, FeeRate};
use serde::Deserialize;
use serde_json::json;
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

impl Bitcoind {
    /// The rate at which bitcoind thinks that a transaction is in a block within `target` blocks; none while it has seen
    /// too little to say (on regtest: always).
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn estimate_rate(&self, target: Blocks) -> Result<Option<FeeRate>, RpcError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, with = "bitcoin::amount::serde::as_btc::opt")]
            feerate: Option<Amount>,
        }
        let answer: Answer = self.call("estimatesmartfee", vec![json!(target.get())]).await?;
        Ok(answer.feerate.map(|per_kvb| FeeRate::from_sat_per_kwu(per_kvb.to_sat().div_ceil(4))))
    }
}

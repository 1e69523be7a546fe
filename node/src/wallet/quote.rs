//! What a peg would cost and how long it would take, before anything is sent.

use super::members::Sidechain;
use super::node::WalletNode;
use crate::api::wallet::{PegQuote, PegQuoteRequest, PegWay};
use crate::api::{ApiError, btc};
use crate::client::MemberClient;
use bitcoin::{Amount, FeeRate, ScriptBuf};
use windlass_chain::{BuildError, Quantity, parse_address};
use windlass_ledger::{DepositTerms, Params, deposit_fee, peg_out_fee};
use windlass_types::{Blocks, BtcHeight, Epoch};

/// "Soon", to bitcoind's estimator.
const SOON: Blocks = Blocks::new(2);

impl WalletNode {
    /// POST `/v1/peg-quotes`
    pub(super) async fn peg_quote(&self, request: &PegQuoteRequest) -> Result<PegQuote, ApiError> {
        let chain = self.members.refreshed().await?;
        let tip = self.bitcoind.tip().await.map_err(super::errors::rpc)?.height;
        let estimate = self.bitcoind.estimate_rate(SOON).await.map_err(super::errors::rpc)?.map(per_kvb);
        let mut quote = match request.way {
            PegWay::In => self.quote_in(&chain, request, tip)?,
            PegWay::Out => self.quote_out(&chain, request, tip).await?,
        };
        quote.bitcoin_rate_sat_per_kvb = estimate;
        if let Some(asks) = estimate.filter(|asks| *asks > quote.peg_rate_sat_per_kvb) {
            let pays = quote.peg_rate_sat_per_kvb;
            quote.warnings.push(format!(
                "a block soon costs {asks} sat/kvB now, and the federation's transactions pay {pays}: they may wait longer"
            ));
        }
        if let Some(change) = &chain.record.pending {
            quote
                .warnings
                .push(format!("the parameters change at sidechain block {}: windlass chain params", change.height));
        }
        Ok(quote)
    }

    fn quote_in(&self, chain: &Sidechain, request: &PegQuoteRequest, tip: BtcHeight) -> Result<PegQuote, ApiError> {
        let params = chain.params();
        within("a deposit", request.amount, params.min_deposit, params.max_deposit)?;
        let fee = deposit_fee(params).ok_or_else(|| ApiError::failed("the fee is out of range"))?;
        let mut quote = empty(chain, request, fee, tip)?;
        let user_key = self.seed.reclaim(0).x_only_public_key().0.serialize();
        let terms = DepositTerms { account: self.seed.account_id(), nonce: 0, epoch: Epoch::new(0), user_key };
        let like = terms.address(&chain.genesis).map_err(ApiError::failed)?.script_pubkey();
        (quote.deposit_fee, quote.warnings) = self.own_fee(&like, request.amount)?;
        let depth = params.anchor_depth.get();
        // Buried, then swept, then that is buried; a batch that was fixed just before the claim is to be buried first.
        quote.blocks = depth.saturating_mul(2);
        quote.blocks_max = depth.saturating_mul(3);
        let reclaim = tip.next().and_then(|first| first.checked_add(params.reclaim_blocks));
        quote.reclaim_height = reclaim;
        quote.lapse_height = reclaim.and_then(|height| height.checked_sub(params.reclaim_buffer));
        Ok(quote)
    }

    /// What our own payment of `amount` would cost: built, and let go.
    fn own_fee(&self, to: &ScriptBuf, amount: Amount) -> Result<(Option<Amount>, Vec<String>), ApiError> {
        match self.wallet.build(to, Quantity::Exact(amount), self.fee_rate) {
            Ok(built) => {
                self.wallet.release(&built.transaction);
                Ok((Some(built.fee), Vec::new()))
            }
            Err(BuildError::InsufficientFunds { have, need, .. }) => {
                let warning =
                    format!("the wallet has {} to spend now, and this needs {} and more", btc(have), btc(need));
                Ok((None, vec![warning]))
            }
            Err(error) => Err(ApiError::failed(error)),
        }
    }

    async fn quote_out(
        &self,
        chain: &Sidechain,
        request: &PegQuoteRequest,
        tip: BtcHeight,
    ) -> Result<PegQuote, ApiError> {
        let params = chain.params();
        within("a peg-out", request.amount, params.min_peg_out, params.max_peg_out)?;
        let script = match &request.to {
            Some(text) => parse_address(text, self.wallet.network()).map_err(ApiError::usage)?.script_pubkey(),
            // Our own addresses are all of one kind: none is used up for a question.
            None => ScriptBuf::from_bytes(vec![0; TAPROOT_SCRIPT_BYTES]),
        };
        let fee = peg_out_fee(params, &script).ok_or_else(|| ApiError::failed("the fee is out of range"))?;
        let mut quote = empty(chain, request, fee, tip)?;
        quote.side_fee = params.transfer_fee_min;
        let (rest, max) = self.until_the_next_batch(params).await?;
        quote.blocks = rest.saturating_add(1);
        quote.blocks_max = max.saturating_add(1);
        let address = self.account_address();
        let balance = self.members.ask(|member| member.account(&address)).await?.balance;
        let needs = request.amount.checked_add(quote.side_fee).unwrap_or(Amount::MAX_MONEY);
        if balance < needs {
            quote.warnings.push(format!("the account has {}, and this needs {}", btc(balance), btc(needs)));
        }
        Ok(quote)
    }

    /// Blocks until the batch in flight is buried, as a member sees it; and the most that it can be.
    async fn until_the_next_batch(&self, params: &Params) -> Result<(u32, u32), ApiError> {
        let depth = params.anchor_depth.get();
        let federation = self.members.ask(MemberClient::federation).await?;
        let rest = federation.batch.map_or(0, |batch| depth.saturating_sub(batch.confirmations).max(1));
        Ok((rest, depth))
    }
}

/// What this wallet's addresses' scripts have.
const TAPROOT_SCRIPT_BYTES: usize = 34;

fn within(what: &str, amount: Amount, min: Amount, max: Amount) -> Result<(), ApiError> {
    if amount < min || amount > max {
        return Err(ApiError::usage(format!("{what} of {}: it can be {} to {}", btc(amount), btc(min), btc(max))));
    }
    Ok(())
}

fn empty(chain: &Sidechain, request: &PegQuoteRequest, fee: Amount, tip: BtcHeight) -> Result<PegQuote, ApiError> {
    let amount = request.amount;
    let arrives_min =
        amount.checked_sub(fee).ok_or_else(|| ApiError::usage(format!("the fee of {} takes it all", btc(fee))))?;
    Ok(PegQuote {
        way: request.way,
        amount,
        peg_fee_max: fee,
        deposit_fee: None,
        side_fee: Amount::ZERO,
        arrives_min,
        peg_rate_sat_per_kvb: chain.params().fee_rate_sat_per_kvb.into(),
        bitcoin_rate_sat_per_kvb: None,
        blocks: 0,
        blocks_max: 0,
        reclaim_height: None,
        lapse_height: None,
        params_height: chain.height(),
        bitcoin_height: tip,
        warnings: Vec::new(),
    })
}

/// Rounded up: a bound that is too low is none.
fn per_kvb(rate: FeeRate) -> u64 {
    rate.to_sat_per_kwu().saturating_mul(4)
}

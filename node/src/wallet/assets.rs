//! Assets other than bitcoin: issued, reissued, burned and sent by our account.

use super::node::WalletNode;
use super::sidetx::Slot;
use crate::api::ApiError;
use crate::api::assets::{AssetBalance, AssetTransferRequest, IssueAnswer, IssueRequest, UnitsRequest};
use crate::api::wallet::TransferAnswer;
use bitcoin::Amount;
use windlass_ledger::{MAX_MEMO_BYTES, MAX_TRANSFER_OUTPUTS, Output, TxBody};
use windlass_types::{AccountId, AssetId};

impl WalletNode {
    /// GET `/v1/assets`
    pub(super) async fn assets(&self) -> Result<Vec<AssetBalance>, ApiError> {
        let address = self.account_address();
        let address = address.as_str();
        self.members.ask(|member| member.asset_balances(address)).await
    }

    /// POST `/v1/assets`
    pub(super) async fn issue(&self, request: IssueRequest) -> Result<IssueAnswer, ApiError> {
        let terms = request.terms;
        terms.validate().map_err(ApiError::usage)?;
        let chain = self.members.chain().await?;
        let mut asset = AssetId::BTC;
        let body = |slot: Slot| {
            asset = terms.id(chain.id, &slot.from, slot.nonce);
            TxBody::Issue { from: slot.from, nonce: slot.nonce, terms, fee: slot.fee, expiry: slot.expiry }
        };
        let (id, fee) = self.submit(Amount::ZERO, request.max_fee, body, |_, _| Vec::new()).await?;
        let height = self.wait_final(id).await?;
        Ok(IssueAnswer { asset, id, height, fee })
    }

    /// POST `/v1/assets/{id}/reissue`
    pub(super) async fn reissue(&self, asset: &str, request: UnitsRequest) -> Result<TransferAnswer, ApiError> {
        let (asset, units) = (other_asset(asset)?, request.units);
        self.change(request.max_fee, |slot| {
            let Slot { from, nonce, fee, expiry } = slot;
            TxBody::Reissue { from, nonce, asset, units, fee, expiry }
        })
        .await
    }

    /// POST `/v1/assets/{id}/burn`
    pub(super) async fn burn(&self, asset: &str, request: UnitsRequest) -> Result<TransferAnswer, ApiError> {
        let (asset, units) = (other_asset(asset)?, request.units);
        self.change(request.max_fee, |slot| {
            let Slot { from, nonce, fee, expiry } = slot;
            TxBody::Burn { from, nonce, asset, units, fee, expiry }
        })
        .await
    }

    /// POST `/v1/assets/{id}/transfers`
    pub(super) async fn transfer_asset(
        &self,
        asset: &str,
        request: AssetTransferRequest,
    ) -> Result<TransferAnswer, ApiError> {
        let asset = other_asset(asset)?;
        if request.memo.len() > MAX_MEMO_BYTES {
            let message = format!("the memo has {} bytes, at most {MAX_MEMO_BYTES} are kept", request.memo.len());
            return Err(ApiError::usage(message));
        }
        if request.to.is_empty() || request.to.len() > MAX_TRANSFER_OUTPUTS {
            return Err(ApiError::usage(format!("{} receivers; 1 to {MAX_TRANSFER_OUTPUTS} fit", request.to.len())));
        }
        let outputs = request.to.iter().map(|to| {
            let account = AccountId::from_address(to.address.trim(), self.config.network).map_err(ApiError::usage)?;
            Ok(Output { to: account, asset, units: to.units })
        });
        let (outputs, memo) = (outputs.collect::<Result<Vec<_>, ApiError>>()?, request.memo.into_bytes());
        self.change(request.max_fee, |slot| {
            let Slot { from, nonce, fee, expiry } = slot;
            TxBody::Transfer { from, nonce, outputs, fee, memo, expiry }
        })
        .await
    }

    /// Submits what moves no bitcoin but its fee, and waits until it is final.
    async fn change(
        &self,
        max_fee: Option<Amount>,
        body: impl FnOnce(Slot) -> TxBody,
    ) -> Result<TransferAnswer, ApiError> {
        let (id, fee) = self.submit(Amount::ZERO, max_fee, body, |_, _| Vec::new()).await?;
        let height = self.wait_final(id).await?;
        Ok(TransferAnswer { id, height, fee })
    }
}

fn other_asset(text: &str) -> Result<AssetId, ApiError> {
    let asset: AssetId = text.parse().map_err(ApiError::usage)?;
    if asset.is_btc() {
        return Err(ApiError::usage("bitcoin is no asset of an issuer: send it with `windlass transfer`"));
    }
    Ok(asset)
}

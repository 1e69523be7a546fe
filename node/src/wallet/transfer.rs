//! Payments on the sidechain and on Bitcoin.

use super::node::WalletNode;
use crate::api::policies::Payee;
use crate::api::wallet::{AddressAnswer, AddressRequest, SendAnswer, SendRequest, TransferAnswer, TransferRequest};
use crate::api::{ApiError, btc};
use bitcoin::Amount;
use windlass_chain::{BroadcastError, BuildError, Quantity, SendError, parse_address};
use windlass_ledger::{MAX_MEMO_BYTES, MAX_TRANSFER_OUTPUTS, Output, TxBody};
use windlass_types::AccountId;

impl WalletNode {
    /// POST `/v1/transfers`
    pub(super) async fn transfer(&self, request: TransferRequest) -> Result<TransferAnswer, ApiError> {
        let mut to = vec![Payee { address: request.to, amount: request.amount }];
        to.extend(request.more);
        let outputs = self.outputs(&to)?;
        let sum = to.iter().try_fold(Amount::ZERO, |sum, payee| sum.checked_add(payee.amount));
        let amount = sum.ok_or_else(|| ApiError::usage("the amounts add up to more than there can be"))?;
        if request.memo.len() > MAX_MEMO_BYTES {
            let message = format!("the memo has {} bytes, at most {MAX_MEMO_BYTES} are kept", request.memo.len());
            return Err(ApiError::usage(message));
        }
        let memo = request.memo.into_bytes();
        let body = |slot: super::sidetx::Slot| TxBody::Transfer {
            from: slot.from,
            nonce: slot.nonce,
            outputs,
            fee: slot.fee,
            memo,
            expiry: slot.expiry,
        };
        let (id, fee) = self.submit(amount, request.max_fee, body, |_, _| Vec::new()).await?;
        let height = self.wait_final(id).await?;
        Ok(TransferAnswer { id, height, fee })
    }

    /// Payments in bitcoin, checked as far as no state is needed.
    pub(super) fn outputs(&self, to: &[Payee]) -> Result<Vec<Output>, ApiError> {
        if to.is_empty() || to.len() > MAX_TRANSFER_OUTPUTS {
            return Err(ApiError::usage(format!("{} receivers; 1 to {MAX_TRANSFER_OUTPUTS} fit", to.len())));
        }
        let output = |payee: &Payee| {
            let account =
                AccountId::from_address(payee.address.trim(), self.config.network).map_err(ApiError::usage)?;
            if payee.amount == Amount::ZERO {
                return Err(ApiError::usage("a transfer of nothing: give an amount of 1sat or more"));
            }
            Ok(Output::btc(account, payee.amount))
        };
        to.iter().map(output).collect()
    }

    /// POST `/v1/addresses`
    pub(super) fn address(&self, request: &AddressRequest) -> Result<AddressAnswer, ApiError> {
        let address = match request {
            AddressRequest::Bitcoin => self.wallet.address().map_err(ApiError::failed)?.to_string(),
            AddressRequest::Sidechain => self.account_address(),
        };
        Ok(AddressAnswer { address })
    }

    /// POST `/v1/sends`
    pub(super) async fn send(&self, request: SendRequest) -> Result<SendAnswer, ApiError> {
        let address = parse_address(&request.to, self.wallet.network()).map_err(ApiError::usage)?;
        let reserved = self.reserved();
        let have = self.wallet.balance().spendable();
        let free = have.checked_sub(reserved).unwrap_or(Amount::ZERO);
        if reserved > Amount::ZERO && request.amount > free && request.amount <= have {
            let message = format!(
                "{} has {} on chain, of which {} are kept back to close channels: {} can be sent",
                self.config.name,
                btc(have),
                btc(reserved),
                btc(free)
            );
            return Err(ApiError::insufficient(message));
        }
        let quantity = Quantity::Exact(request.amount);
        let script = address.script_pubkey();
        let built = self.wallet.send(&self.bitcoind, &script, quantity, self.fee_rate).await;
        let built = built.map_err(|error| self.explain_send(error))?;
        Ok(SendAnswer { txid: built.transaction.compute_txid(), fee: built.fee })
    }

    /// Why nothing was sent on chain, with the next step.
    pub(super) fn explain_send(&self, error: SendError) -> ApiError {
        let name = &self.config.name;
        match error {
            SendError::Build(BuildError::InsufficientFunds { have, need, waiting }) => {
                let missing = need.checked_sub(have).unwrap_or(Amount::ZERO);
                let waits = if waiting == Amount::ZERO {
                    String::new()
                } else {
                    format!(" ({} more wait for a block)", btc(waiting))
                };
                let message =
                    format!("{name} has {} on chain{waits}, this needs {} with its fee", btc(have), btc(need));
                let command = format!("windlass faucet {name} {}sat", missing.to_sat());
                ApiError::insufficient(message).hint("fund the wallet", command)
            }
            SendError::Build(error @ (BuildError::Dust { .. } | BuildError::TooMuch(_))) => ApiError::usage(error),
            SendError::Build(error) => ApiError::failed(error),
            SendError::Broadcast(BroadcastError::Rpc(error)) if error.is_unreachable() => {
                let message = format!("{error}; the payment may have been sent: look at the balance first");
                ApiError::not_running(message).hint("see what runs", "windlass status")
            }
            SendError::Broadcast(error) => ApiError::failed(error),
        }
    }
}

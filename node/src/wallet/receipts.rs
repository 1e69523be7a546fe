//! Receipts of our own pegs, collected from the members.

use super::journal::DepositAddress;
use super::node::WalletNode;
use crate::api::member::DepositState;
use crate::api::wallet::{PegInInfo, PegInState, ReceiptRequest};
use crate::api::{ApiError, Code};
use crate::promises::gather;
use bitcoin::OutPoint;
use futures::future::join_all;
use windlass_light::{Promise, ReceiptFile};

impl WalletNode {
    /// POST `/v1/receipts`: of a peg-out, its payment; of a peg-in, the mint, or before it the address.
    pub(super) async fn receipt(&self, request: &ReceiptRequest) -> Result<ReceiptFile, ApiError> {
        match self.deposit(&request.id).await {
            Ok(peg) => self.peg_in_receipt(&peg).await,
            Err(error) if error.code == Code::NotFound => self.peg_out_receipt(&request.id).await,
            Err(error) => Err(error),
        }
    }

    async fn peg_in_receipt(&self, peg: &PegInInfo) -> Result<ReceiptFile, ApiError> {
        match (&peg.state, peg.outpoint) {
            (PegInState::OnSidechain(DepositState::Minted { .. }), Some(outpoint)) => self.mint_receipt(outpoint).await,
            _ => self.address_receipt(peg).await,
        }
    }

    async fn mint_receipt(&self, outpoint: OutPoint) -> Result<ReceiptFile, ApiError> {
        let chain = self.members.chain().await?;
        let answers = join_all(self.members.all().iter().map(|member| member.promise_mint(outpoint))).await;
        let account = self.seed.account_id();
        gather(
            &chain.genesis,
            answers,
            |promise| matches!(promise, Promise::Mint(mint) if mint.outpoint == outpoint && mint.account == account),
        )
    }

    async fn address_receipt(&self, peg: &PegInInfo) -> Result<ReceiptFile, ApiError> {
        let chain = self.members.chain().await?;
        let is_it = |address: &&DepositAddress| address.address == peg.address;
        let address = self.journal.read(|pages| pages.addresses.values().find(is_it).cloned());
        let address = address.ok_or_else(|| ApiError::not_found(format!("no address of the peg-in {}", peg.id)))?;
        let terms = hex::encode(borsh::to_vec(&address.terms).map_err(ApiError::failed)?);
        let answers = join_all(self.members.all().iter().map(|member| member.promise_address(&terms))).await;
        gather(
            &chain.genesis,
            answers,
            |promise| matches!(promise, Promise::Address(ours) if ours.terms == address.terms && ours.script == address.script),
        )
    }

    async fn peg_out_receipt(&self, id: &str) -> Result<ReceiptFile, ApiError> {
        let chain = self.members.chain().await?;
        let info = self.peg_out_by_id(id).await?.info;
        let script = self.journal.read(|pages| pages.peg_outs.get(&info.id).map(|known| known.script.clone()));
        let answers = join_all(self.members.all().iter().map(|member| member.promise_peg_out(info.id))).await;
        gather(&chain.genesis, answers, |promise| {
            let Promise::PegOut(ours) = promise else { return false };
            let as_asked = script.as_ref().is_none_or(|script| *script == ours.script);
            ours.id == info.id && ours.amount == info.amount && as_asked
        })
    }
}

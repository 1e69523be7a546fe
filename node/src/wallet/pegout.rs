//! Peg-outs: burned on the sidechain, paid on Bitcoin.

use super::journal::{Entry, PegOut};
use super::node::WalletNode;
use crate::api::member::{PegOutInfo, PegOutState};
use crate::api::wallet::{PegOutRecord, PegOutRequest};
use crate::api::{ApiError, Code, btc};
use bitcoin::Amount;
use windlass_chain::parse_address;
use windlass_ledger::TxBody;
use windlass_types::Digest;

/// Without a limit of the user's, Bitcoin's fee may take this part of the amount.
const FEE_SHARE: u64 = 10;

const fn is_over(state: &PegOutState) -> bool {
    !matches!(state, PegOutState::Pending | PegOutState::Paying { .. })
}

impl WalletNode {
    /// POST `/v1/peg-outs`
    pub(super) async fn peg_out(&self, request: PegOutRequest) -> Result<PegOutRecord, ApiError> {
        let chain = self.members.refreshed().await?;
        let script = match &request.to {
            Some(text) => parse_address(text, self.wallet.network()).map_err(ApiError::usage)?.script_pubkey(),
            None => self.wallet.address().map_err(ApiError::failed)?.script_pubkey(),
        };
        let (amount, params) = (request.amount, chain.params());
        if amount < params.min_peg_out || amount > params.max_peg_out {
            let (min, max) = (btc(params.min_peg_out), btc(params.max_peg_out));
            return Err(ApiError::usage(format!("a peg-out of {}: it can be {min} to {max}", btc(amount))));
        }
        let fee_max = request.fee_max.unwrap_or(amount / FEE_SHARE);
        let body = |slot: super::sidetx::Slot| TxBody::PegOut {
            from: slot.from,
            nonce: slot.nonce,
            script: script.to_bytes(),
            amount,
            fee_max,
            fee: slot.fee,
            expiry: slot.expiry,
        };
        // The script is watched before anything can be paid to it.
        let note = |pages: &mut super::journal::Pages, id: Digest| {
            pages.peg_outs.insert(id, PegOut { id, script: script.clone(), info: None, seen: Vec::new() });
            vec![Entry::PegOut(id)]
        };
        let (id, _) = self.submit(amount, None, body, note).await?;
        self.wait_final(id).await?;
        let info = self.members.ask(|member| member.peg_out(id)).await?;
        self.note_peg_out(info.clone())?;
        Ok(self.record(info))
    }

    fn record(&self, info: PegOutInfo) -> PegOutRecord {
        let own = self.journal.read(|pages| pages.peg_outs.get(&info.id).map(|known| known.script.clone()));
        let own = own.is_some_and(|script| self.wallet.is_mine(&script));
        PegOutRecord { info, own }
    }

    fn note_peg_out(&self, info: PegOutInfo) -> Result<(), ApiError> {
        let id = info.id;
        if self.journal.read(|pages| pages.peg_outs.get(&id).is_none_or(|known| known.info.as_ref() == Some(&info))) {
            return Ok(());
        }
        self.keep(|pages| {
            let Some(known) = pages.peg_outs.get_mut(&id) else { return Vec::new() };
            known.info = Some(info);
            vec![Entry::PegOut(id)]
        })
    }

    /// The members' word on all our peg-outs, newest first; while none answers, their last word.
    pub(super) async fn peg_out_infos(&self) -> Result<Vec<PegOutInfo>, ApiError> {
        let known: Vec<PegOutInfo> =
            self.journal.read(|pages| pages.peg_outs.values().filter_map(|peg_out| peg_out.info.clone()).collect());
        let address = self.account_address();
        let address = address.as_str();
        let mut list = match self.members.ask(|member| member.peg_outs(address)).await {
            Ok(list) => {
                for info in &list {
                    self.note_peg_out(info.clone())?;
                }
                list
            }
            Err(error) if matches!(error.code, Code::NotRunning | Code::Timeout) => known,
            Err(error) => return Err(error),
        };
        list.sort_by_key(|info| (std::cmp::Reverse(info.burned_height), info.id));
        Ok(list)
    }

    /// GET `/v1/peg-outs`
    pub(super) async fn peg_outs(&self) -> Result<Vec<PegOutRecord>, ApiError> {
        Ok(self.peg_out_infos().await?.into_iter().map(|info| self.record(info)).collect())
    }

    /// GET `/v1/peg-outs/{id}`: a unique prefix is enough.
    pub(super) async fn peg_out_by_id(&self, id: &str) -> Result<PegOutRecord, ApiError> {
        let wanted = id.to_lowercase();
        let list = self.peg_outs().await?;
        let mut found =
            list.into_iter().filter(|one| !wanted.is_empty() && one.info.id.to_string().starts_with(&wanted));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => {
                Err(ApiError::usage(format!("several peg-outs start with {id:?}: give more of the id")))
            }
            (None, _) => Err(ApiError::not_found(format!("{} has no peg-out {id:?}", self.config.name))
                .hint("list them", "windlass peg list")),
        }
    }

    /// Keeps the members' word on peg-outs that are under way, for the time when none answers.
    pub(super) async fn refresh_peg_outs(&self) -> Result<(), ApiError> {
        let open: Vec<Digest> = self.journal.read(|pages| {
            let open = pages.peg_outs.values().filter(|one| one.info.as_ref().is_none_or(|info| !is_over(&info.state)));
            open.map(|one| one.id).collect()
        });
        for id in open {
            match self.members.ask(|member| member.peg_out(id)).await {
                Ok(info) => self.note_peg_out(info)?,
                Err(error) if error.code == Code::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What arrives and the fee, once known.
pub(super) const fn paid(state: &PegOutState) -> Option<(Amount, Amount)> {
    match state {
        PegOutState::Paid { paid, fee, .. } | PegOutState::Paying { paid, fee, .. } => Some((*paid, *fee)),
        PegOutState::Pending | PegOutState::Refunded { .. } => None,
    }
}

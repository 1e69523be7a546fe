//! The sidechain account's part of a statement: read from the sidechain's blocks, each with the
//! members' certificate, and compared with the balance that the members give.

use crate::api::PAGE_MAX;
use crate::api::member::{BlockAnswer, DepositState, PegOutState};
use crate::api::wallet::SidechainStatement;
use crate::api::{ApiError, btc};
use crate::client::MemberClient;
use crate::wallet::members::Sidechain;
use crate::wallet::node::WalletNode;
use bitcoin::Amount;
use windlass_ledger::{Block, Output, TxBody};
use windlass_sidechain::Epochs;
use windlass_types::{AccountId, Digest, SideHeight};

/// What the blocks say of one account, up to a height.
#[derive(Debug, Clone, Default)]
pub(in crate::wallet) struct SideScan {
    /// The last block that was read, with its digest.
    at: Option<(SideHeight, Digest)>,
    received: Amount,
    sent: Amount,
    fees: Amount,
    burned: Amount,
}

impl SideScan {
    /// Takes in the next block.
    fn take(&mut self, epochs: &Epochs, me: &AccountId, answer: &BlockAnswer) -> Result<(), String> {
        let bytes = hex::decode(&answer.hex).map_err(|_| "it is not hex".to_owned())?;
        let block = Block::decode(&bytes).map_err(|error| error.to_string())?;
        let header = block.header;
        if let Some((height, digest)) = self.at
            && (height.next() != Some(header.height) || digest != header.parent)
        {
            return Err(format!("it does not follow on block {height}"));
        }
        let certificate = hex::decode(&answer.certificate).map_err(|_| "its certificate is not hex".to_owned())?;
        epochs.verify_block(&block, &certificate).map_err(|error| error.to_string())?;
        for transaction in &block.transactions {
            self.count(me, &transaction.body).ok_or_else(|| "its amounts overflow".to_owned())?;
        }
        self.at = Some((header.height, header.digest()));
        Ok(())
    }

    fn count(&mut self, me: &AccountId, body: &TxBody) -> Option<()> {
        match body {
            TxBody::Transfer { from, outputs, fee, .. } => {
                let mut bitcoin = outputs.iter().filter(|output| output.asset.is_btc());
                let add = |sum: Amount, output: &Output| sum.checked_add(Amount::from_sat(output.units));
                let mut to_me = bitcoin.clone().filter(|output| output.to == *me);
                let to_me = to_me.try_fold(Amount::ZERO, add)?;
                let all = bitcoin.try_fold(Amount::ZERO, add)?;
                self.received = self.received.checked_add(to_me)?;
                if from == me {
                    self.sent = self.sent.checked_add(all)?;
                    self.fees = self.fees.checked_add(*fee)?;
                }
            }
            TxBody::PegOut { from, amount, fee, .. } if from == me => {
                self.burned = self.burned.checked_add(*amount)?;
                self.fees = self.fees.checked_add(*fee)?;
            }
            TxBody::Issue { from, fee, .. } | TxBody::Reissue { from, fee, .. } | TxBody::Burn { from, fee, .. }
                if from == me =>
            {
                self.fees = self.fees.checked_add(*fee)?;
            }
            TxBody::PegOut { .. } | TxBody::Claim(_) | TxBody::Propose(_) => {}
            TxBody::Issue { .. } | TxBody::Reissue { .. } | TxBody::Burn { .. } => {}
        }
        Some(())
    }
}

impl WalletNode {
    /// The account over its life, and what does not add up.
    pub(super) async fn sidechain_statement(&self) -> Result<(SidechainStatement, Option<String>), ApiError> {
        let chain = self.members.chain().await?;
        let account = self.account().await?;
        let scan = self.scan_to(&chain, account.height).await?;
        let address = account.address.as_str();
        let deposits = self.members.ask(|member| member.deposits(address)).await?;
        let minted = deposits.iter().filter_map(|deposit| match deposit.state {
            DepositState::Minted { minted, height, .. } if height <= account.height => Some(minted),
            _ => None,
        });
        let minted: Amount = minted.sum();
        let refunds = self.peg_out_infos().await?.into_iter().filter_map(|info| match info.state {
            PegOutState::Refunded { height, .. } if height <= account.height => Some(info.amount),
            _ => None,
        });
        let refunded: Amount = refunds.sum();
        let burned = scan.burned.checked_sub(refunded).unwrap_or(Amount::ZERO);
        let statement = SidechainStatement {
            account: account.address.clone(),
            minted,
            received: scan.received,
            sent: scan.sent,
            fees: scan.fees,
            burned,
            balance: account.balance,
        };
        let sum = |list: &[Amount]| list.iter().map(|amount| i128::from(amount.to_sat())).sum::<i128>();
        let out = sum(&[scan.sent, scan.fees, burned, account.balance]);
        let difference = sum(&[minted, scan.received]) - out;
        let fault = (difference != 0).then(|| {
            format!(
                "minted and received less sent, fees and burned is {difference} sat off the balance {}",
                btc(account.balance)
            )
        });
        Ok((statement, fault))
    }

    /// Reads the blocks up to `height`, from where the last statement stopped.
    async fn scan_to(&self, chain: &Sidechain, height: SideHeight) -> Result<SideScan, ApiError> {
        let me = self.seed.account_id();
        let mut scan = self.side_scan.lock().await;
        loop {
            // The genesis block has no transactions.
            let next = scan.at.map_or(Some(SideHeight::new(1)), |(at, _)| at.next());
            let Some(next) = next.filter(|next| *next <= height) else { return Ok(scan.clone()) };
            let missing = height.get().saturating_sub(next.get()).saturating_add(1);
            let limit = PAGE_MAX.min(usize::try_from(missing).unwrap_or(PAGE_MAX));
            let genesis = &chain.genesis;
            let ask = |member: &MemberClient| {
                let member = member.clone();
                async move { Ok((member.blocks(next, limit).await?, member.epochs(genesis).await?)) }
            };
            let (answers, epochs) = self.members.ask(ask).await?;
            if answers.is_empty() {
                return Err(ApiError::not_running(format!("the member that answers has no block {next} yet")));
            }
            for answer in answers.iter().filter(|answer| answer.height <= height) {
                scan.take(&epochs, &me, answer)
                    .map_err(|reason| ApiError::failed(format!("sidechain block {}: {reason}", answer.height)))?;
            }
        }
    }
}

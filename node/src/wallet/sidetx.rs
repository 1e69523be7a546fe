//! Transactions of our account on the sidechain: one nonce after the other, written down before
//! they leave, sent again until they are final or expired.

use super::journal::{Entry, Sent};
use super::node::WalletNode;
use crate::api::member::{AccountInfo, TransactionStatus};
use crate::api::{ApiError, Code, WAIT_SECONDS_MAX, btc};
use bitcoin::Amount;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_ledger::{Transaction, TxBody};
use windlass_types::{AccountId, Digest, SideHeight};

/// Sidechain blocks after which a transaction that is in none is given up.
const EXPIRY_BLOCKS: u64 = 2_000;

/// How long one question for a status waits at a member.
const STATUS_WAIT: Duration = Duration::from_secs(5);

/// How long to wait before the same question again, after an answer that came at once.
const RETRY: Duration = Duration::from_millis(100);

/// What a body needs to be told.
pub(super) struct Slot {
    pub(super) from: AccountId,
    pub(super) nonce: u64,
    pub(super) fee: Amount,
    pub(super) expiry: Option<SideHeight>,
}

impl WalletNode {
    /// Our account as the members have it.
    pub(super) async fn account(&self) -> Result<AccountInfo, ApiError> {
        let address = self.account_address();
        let address = address.as_str();
        self.members.ask(|member| member.account(address)).await
    }

    /// Signs and submits a transaction that spends `amount` and the sidechain's fee. Returns its id,
    /// and the fee; it is on its way then, not final. `note` is written down together with it.
    pub(super) async fn submit(
        &self,
        amount: Amount,
        body: impl FnOnce(Slot) -> TxBody,
        note: impl FnOnce(&mut super::journal::Pages, Digest) -> Vec<Entry>,
    ) -> Result<(Digest, Amount), ApiError> {
        let chain = self.members.chain().await?;
        let fee = chain.genesis.params.transfer_fee_min;
        // One at a time up to the mempool, so that nonces are handed out in order.
        let _turn = self.side_turn.lock().await;
        let account = self.account().await?;
        let need = amount.checked_add(fee).ok_or_else(|| ApiError::usage(format!("{} is too much", btc(amount))))?;
        // What is on its way already: its nonces and its money.
        let (pending, taken) = self.journal.read(|pages| {
            let open = |sent: &&Sent| sent.expiry > account.height && sent.nonce >= account.next_nonce;
            let last = pages.sent.values().filter(open).map(|sent| sent.nonce).max();
            let taken: Amount = pages.sent.values().filter(open).map(|sent| sent.takes).sum();
            (last, taken)
        });
        let have = account.balance.checked_sub(taken).unwrap_or(Amount::ZERO);
        if have < need {
            return Err(self.insufficient_on_sidechain(have, amount, fee));
        }
        let nonce = pending.map_or(0, |nonce| nonce.saturating_add(1)).max(account.next_nonce);
        let expiry = SideHeight::new(account.height.get().saturating_add(EXPIRY_BLOCKS));
        let body = body(Slot { from: self.seed.account_id(), nonce, fee, expiry: Some(expiry) });
        let transaction = Transaction::signed(chain.id, body, &self.seed.account());
        let (id, hex) = (transaction.id(), hex::encode(transaction.encode()));
        let sent = Sent { id, hex: hex.clone(), nonce, expiry, takes: need };
        self.keep(move |pages| {
            pages.sent.insert(id, sent);
            let mut entries = note(pages, id);
            entries.push(Entry::Sent(id));
            entries
        })?;
        match self.members.ask(|member| member.submit(hex.clone())).await {
            Ok(_) => Ok((id, fee)),
            // Nobody answered: it may have arrived all the same, and is sent again until it expires.
            Err(error) if matches!(error.code, Code::NotRunning | Code::Timeout) => {
                Err(ApiError::new(error.code, format!("transaction {id} is written down and will be sent: {error}")))
            }
            Err(error) => {
                self.close(id)?;
                Err(error)
            }
        }
    }

    /// Waits until a submitted transaction is final.
    pub(super) async fn wait_final(&self, id: Digest) -> Result<SideHeight, ApiError> {
        let deadline = Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX - 5);
        loop {
            let answer = self.members.ask(|member| member.transaction(id, STATUS_WAIT)).await;
            match answer {
                Ok(TransactionStatus::Final { height }) => {
                    self.close(id)?;
                    return Ok(height);
                }
                Ok(TransactionStatus::Pending) => {}
                // The member that had it is gone before it told the others, or the block refused it.
                Ok(TransactionStatus::Unknown) => self.resubmit(id).await?,
                Err(error) if matches!(error.code, Code::NotRunning | Code::Timeout) => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= deadline {
                let message = format!("transaction {id} is not final yet; it may still become so");
                return Err(ApiError::timeout(message).hint("see the federation", "windlass federation show"));
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Hands a transaction in again; an error if the members refuse it for good.
    async fn resubmit(&self, id: Digest) -> Result<(), ApiError> {
        let Some(hex) = self.journal.read(|pages| pages.sent.get(&id).map(|sent| sent.hex.clone())) else {
            return Ok(());
        };
        match self.members.ask(|member| member.submit(hex.clone())).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.code, Code::NotRunning | Code::Timeout) => Ok(()),
            Err(error) => {
                // It may have become final between the two questions.
                let status = self.members.ask(|member| member.transaction(id, Duration::ZERO)).await;
                if matches!(status, Ok(TransactionStatus::Unknown)) {
                    self.close(id)?;
                    return Err(error);
                }
                Ok(())
            }
        }
    }

    /// Forgets a transaction that is final or that no block will take.
    fn close(&self, id: Digest) -> Result<(), ApiError> {
        self.keep(|pages| {
            pages.sent.remove(&id);
            vec![Entry::Sent(id)]
        })
    }

    /// What an earlier life of this process left on its way is followed to its end.
    pub(super) async fn follow_sent(self: Arc<Self>) {
        let open: Vec<Digest> = self.journal.read(|pages| pages.sent.keys().copied().collect());
        for id in open {
            let node = Arc::clone(&self);
            tokio::spawn(async move {
                loop {
                    let expiry = node.journal.read(|pages| pages.sent.get(&id).map(|sent| sent.expiry));
                    let Some(expiry) = expiry else { return };
                    match node.wait_final(id).await {
                        Ok(height) => return tracing::info!(%id, %height, "an earlier transaction is final"),
                        Err(error) => tracing::info!(%id, %error, "an earlier transaction is not final"),
                    }
                    let past = node.account().await.is_ok_and(|account| account.height > expiry);
                    if past && let Err(error) = node.close(id) {
                        tracing::warn!(%id, %error, "an expired transaction can't be crossed off");
                    }
                    tokio::time::sleep(STATUS_WAIT).await;
                }
            });
        }
    }

    fn insufficient_on_sidechain(&self, have: Amount, amount: Amount, fee: Amount) -> ApiError {
        let name = &self.config.name;
        let message = format!(
            "{name} has {} on the sidechain, this needs {}{}",
            btc(have),
            btc(amount),
            if fee == Amount::ZERO { String::new() } else { format!(" and {} fee", btc(fee)) }
        );
        let missing = (amount + fee).checked_sub(have).unwrap_or(Amount::ZERO);
        ApiError::insufficient(message).hint("peg more in", format!("windlass peg in {name} {}sat", missing.to_sat()))
    }
}

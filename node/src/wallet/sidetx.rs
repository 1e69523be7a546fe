//! Transactions of our account on the sidechain: each with a nonce of its own, several on their way at once, written
//! down before they leave, sent again until they are final or expired.

use super::journal::{Entry, Sent};
use super::members::Sidechain;
use super::node::WalletNode;
use crate::api::member::{AccountInfo, TransactionStatus};
use crate::api::{ApiError, Code, WAIT_SECONDS_MAX, btc};
use bitcoin::Amount;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use windlass_ledger::{Transaction, TxBody};
use windlass_types::{AccountId, Digest, SideHeight};

/// Sidechain blocks after which a transaction that is in none is given up.
const EXPIRY_BLOCKS: u64 = 2_000;

/// How long one question for a status waits at a member.
const STATUS_WAIT: Duration = Duration::from_secs(5);

/// How often what is on its way is looked after.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(3);

/// How long to wait before the same question again, after an answer that came at once.
const RETRY: Duration = Duration::from_millis(100);

/// What a body needs to be told.
pub(super) struct Slot {
    pub(super) from: AccountId,
    pub(super) nonce: u64,
    pub(super) fee: Amount,
    pub(super) expiry: Option<SideHeight>,
}

/// The sidechain's fee in force, if the user allows it.
pub(super) fn allowed_fee(chain: &Sidechain, max: Option<Amount>) -> Result<Amount, ApiError> {
    let fee = chain.params().transfer_fee_min;
    if let Some(max) = max.filter(|max| *max < fee) {
        let message = format!("the sidechain's fee is {}, you allow {}", btc(fee), btc(max));
        return Err(ApiError::usage(format!("{message}: write --max-fee {}sat, or nothing", fee.to_sat())));
    }
    Ok(fee)
}

impl WalletNode {
    /// Our account as the members have it.
    pub(super) async fn account(&self) -> Result<AccountInfo, ApiError> {
        let address = self.account_address();
        let address = address.as_str();
        self.members.ask(|member| member.account(address)).await
    }

    /// Signs and submits a transaction that spends `amount` and the sidechain's fee, at most `max_fee`. Returns its id,
    /// and the fee; it is on its way then, not final. `note` is written down together with it.
    pub(super) async fn submit(
        &self,
        amount: Amount,
        max_fee: Option<Amount>,
        body: impl FnOnce(Slot) -> TxBody,
        note: impl FnOnce(&mut super::journal::Pages, Digest) -> Vec<Entry>,
    ) -> Result<(Digest, Amount), ApiError> {
        let chain = self.members.refreshed().await?;
        let fee = allowed_fee(&chain, max_fee)?;
        // One at a time up to the mempool, so that nonces are handed out in order.
        let _turn = self.side_turn.lock().await;
        let account = self.account().await?;
        let need = amount.checked_add(fee).ok_or_else(|| ApiError::usage(format!("{} is too much", btc(amount))))?;
        // What is on its way already: its nonces and its money.
        let (pending, taken) = self.journal.read(|pages| {
            let is_open = |nonce: &u64| *nonce >= account.next_nonce && !account.used_nonces.contains(nonce);
            let open = |sent: &&Sent| sent.expiry > account.height && is_open(&sent.nonce);
            let nonces: BTreeSet<u64> = pages.sent.values().filter(open).map(|sent| sent.nonce).collect();
            let taken: Amount = pages.sent.values().filter(open).map(|sent| sent.takes).sum();
            (nonces, taken)
        });
        let have = account.balance.checked_sub(taken).unwrap_or(Amount::ZERO);
        if have < need {
            return Err(self.insufficient_on_sidechain(have, amount, fee));
        }
        let is_free = |nonce: &u64| !pending.contains(nonce) && !account.used_nonces.contains(nonce);
        let nonce = (account.next_nonce..u64::MAX).find(is_free).ok_or_else(|| ApiError::failed("no nonce is left"))?;
        let expiry = SideHeight::new(account.height.get().saturating_add(EXPIRY_BLOCKS));
        let body = body(Slot { from: self.seed.account_id(), nonce, fee, expiry: Some(expiry) });
        let transaction = Transaction::signed(chain.id, body, &self.seed.account());
        let (id, hex) = (transaction.id(), hex::encode(transaction.encode()));
        let sent = Sent { id, hex, nonce, expiry, takes: need };
        self.keep(move |pages| {
            pages.sent.insert(id, sent);
            let mut entries = note(pages, id);
            entries.push(Entry::Sent(id));
            entries
        })?;
        // A nonce far ahead counts only after those before it.
        self.hand_in_earlier(nonce, false).await;
        let mut handed_in = self.hand_in(id).await;
        if handed_in.as_ref().is_err_and(|error| error.code == Code::Conflict) {
            // The members may have forgotten those before it: a mempool does not outlive its process.
            self.hand_in_earlier(nonce, true).await;
            handed_in = self.hand_in(id).await;
        }
        match handed_in {
            Ok(()) => Ok((id, fee)),
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
        let height = self.until_final(id, || self.resubmit(id)).await?;
        self.close(id)?;
        Ok(height)
    }

    /// Waits until a transaction is final; `again` hands it in where a member does not know it.
    pub(super) async fn until_final<F>(&self, id: Digest, again: impl Fn() -> F) -> Result<SideHeight, ApiError>
    where
        F: Future<Output = Result<(), ApiError>>,
    {
        let deadline = Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX - 5);
        loop {
            let answer = self.members.ask(|member| member.transaction(id, STATUS_WAIT)).await;
            match answer {
                Ok(TransactionStatus::Final { height }) => return Ok(height),
                Ok(TransactionStatus::Pending) => {}
                // The member that had it is gone before it told the others, or the block refused it.
                Ok(TransactionStatus::Unknown) => again().await?,
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

    /// Hands a transaction in, for the first time or again.
    async fn hand_in(&self, id: Digest) -> Result<(), ApiError> {
        let Some(hex) = self.journal.read(|pages| pages.sent.get(&id).map(|sent| sent.hex.clone())) else {
            return Ok(());
        };
        self.members.ask(|member| member.submit(hex.clone())).await?;
        self.handed_in.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        Ok(())
    }

    /// Hands in what was written down before: by an earlier life of this process, or `again` by this one.
    async fn hand_in_earlier(&self, nonce: u64, again: bool) {
        for (id, _) in self.open_in_order().into_iter().filter(|(_, sent)| sent.nonce < nonce) {
            let is_known = self.handed_in.lock().unwrap_or_else(PoisonError::into_inner).contains(&id);
            if (again || !is_known)
                && let Err(error) = self.hand_in(id).await
            {
                tracing::info!(%id, %error, "an earlier transaction is not taken");
            }
        }
    }

    /// What is on its way, by nonce.
    fn open_in_order(&self) -> Vec<(Digest, Sent)> {
        let mut open: Vec<(Digest, Sent)> =
            self.journal.read(|pages| pages.sent.iter().map(|(id, sent)| (*id, sent.clone())).collect());
        open.sort_by_key(|(_, sent)| sent.nonce);
        open
    }

    /// Hands a transaction in again that a member doesn't know; an error if it is refused for good.
    async fn resubmit(&self, id: Digest) -> Result<(), ApiError> {
        match self.hand_in(id).await {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.code, Code::NotRunning | Code::Timeout) => Ok(()),
            // One before it has to come first: the follower brings them in order.
            Err(_) if self.open_in_order().first().is_some_and(|(first, _)| *first != id) => Ok(()),
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
        self.handed_in.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.keep(|pages| {
            pages.sent.remove(&id);
            vec![Entry::Sent(id)]
        })
    }

    /// Follows what is on its way to its end, also when nobody waits for it any more: after a crash
    /// of ours, or when the member that had it is gone.
    pub(super) async fn follow_sent(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        while !*stopping.borrow() {
            let open = self.open_in_order();
            if !open.is_empty()
                && let Err(error) = self.look_after_sent(open).await
            {
                tracing::debug!(%error, "transactions wait");
            }
            tokio::select! {
                () = tokio::time::sleep(FOLLOW_INTERVAL) => {}
                _ = stopping.changed() => {}
            }
        }
    }

    async fn look_after_sent(&self, open: Vec<(Digest, Sent)>) -> Result<(), ApiError> {
        // Not while one is being made: it is written down a moment before it is handed in.
        let _turn = self.side_turn.lock().await;
        let height = self.account().await?.height;
        for (id, sent) in open {
            match self.members.ask(|member| member.transaction(id, Duration::ZERO)).await? {
                TransactionStatus::Final { .. } => self.close(id)?,
                TransactionStatus::Pending => {}
                TransactionStatus::Unknown if height > sent.expiry => {
                    tracing::warn!(%id, "a transaction expired before any block took it");
                    self.close(id)?;
                }
                TransactionStatus::Unknown => {
                    if let Err(error) = self.resubmit(id).await {
                        tracing::warn!(%id, %error, "a transaction is refused");
                    }
                }
            }
        }
        Ok(())
    }

    fn insufficient_on_sidechain(&self, have: Amount, amount: Amount, fee: Amount) -> ApiError {
        let name = &self.config.name;
        let message = format!(
            "{name} has {} on the sidechain, this needs {}{}",
            btc(have),
            btc(amount),
            if fee == Amount::ZERO { String::new() } else { format!(" and {} fee", btc(fee)) }
        );
        // Some more, for the Bitcoin fee of the peg-in.
        const MARGIN: Amount = Amount::from_sat(10_000);
        let missing = (amount + fee + MARGIN).checked_sub(have).unwrap_or(Amount::ZERO);
        ApiError::insufficient(message).hint("peg more in", format!("windlass peg in {name} {}sat", missing.to_sat()))
    }
}

//! Several channels in one funding transaction.
//!
//! Each peer is asked by itself. When all have agreed, one transaction is made and LDK broadcasts it
//! once every peer has signed our way back. If one of them does not agree, none is opened.

use super::open::OPEN_TIMEOUT;
use super::{Node, OpenRequest};
use crate::book::Row;
use crate::{Channel, OpenError};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, ScriptBuf};
use lightning::ln::types::ChannelId as LdkChannelId;
use std::collections::BTreeMap;
use std::sync::PoisonError;
use tokio::time::Instant;

/// The most channels of one batch: a transaction of usual size.
const BATCH_MAX: usize = 100;

/// A channel whose peer has agreed, and that waits for the others.
#[derive(Debug, Clone)]
pub(super) struct BatchPart {
    pub(super) temporary: LdkChannelId,
    pub(super) peer: PublicKey,
    pub(super) user_id: u128,
    pub(super) script: ScriptBuf,
    pub(super) amount: Amount,
}

/// The batches under way.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// Which batch a channel belongs to.
    member: BTreeMap<u128, u64>,
    /// How many channels each batch has, and those whose peers have agreed.
    parts: BTreeMap<u64, (usize, Vec<BatchPart>)>,
    next: u64,
}

impl Batches {
    fn add(&mut self, user_ids: &[u128]) -> u64 {
        let id = self.next;
        self.next += 1;
        self.parts.insert(id, (user_ids.len(), Vec::new()));
        self.member.extend(user_ids.iter().map(|user_id| (*user_id, id)));
        id
    }

    fn remove(&mut self, id: u64) -> Vec<BatchPart> {
        self.member.retain(|_, batch| *batch != id);
        self.parts.remove(&id).map(|(_, parts)| parts).unwrap_or_default()
    }
}

impl Node {
    /// Opens several channels with one funding transaction: all of them or none. Returns when it is signed
    /// and broadcast.
    ///
    /// # Errors
    /// The first that a channel met; see [`OpenError`].
    pub async fn open_channels(&self, requests: &[OpenRequest]) -> Result<Vec<Channel>, OpenError> {
        let [first, ..] = requests else { return Ok(Vec::new()) };
        if let [only] = requests {
            return Ok(vec![self.open_channel(only).await?]);
        }
        if requests.len() > BATCH_MAX {
            let reason = format!("a batch has {BATCH_MAX} channels at most, this one {}", requests.len());
            return Err(OpenError::Refused { peer: first.peer.node_id, reason });
        }
        self.check_opening(requests)?;
        for request in requests {
            self.connect(&request.peer).await?;
        }
        let user_ids: Vec<u128> = requests.iter().map(|_| self.new_user_id()).collect();
        let batch = self.batches().add(&user_ids);
        let result = self.open_batch(requests, &user_ids).await;
        // Those that had agreed and wait in vain.
        for part in self.batches().remove(batch) {
            let reason = "another channel of the same batch was not opened".to_owned();
            self.give_up_opening(part.temporary, part.peer, part.user_id, reason);
        }
        self.peer_manager.process_events();
        result
    }

    async fn open_batch(&self, requests: &[OpenRequest], user_ids: &[u128]) -> Result<Vec<Channel>, OpenError> {
        let pairs = || requests.iter().zip(user_ids);
        for (request, user_id) in pairs() {
            self.propose(request, *user_id).await?;
        }
        let deadline = Instant::now() + OPEN_TIMEOUT;
        // One that fails ends the wait for all.
        let failed = || {
            let pages = self.book.read();
            let failed = |user_id| pages.openings.get(user_id).is_some_and(|opening| opening.failed.is_some());
            let done = |user_id| pages.openings.get(user_id).is_some_and(|opening| opening.channel.is_some());
            (user_ids.iter().any(failed) || user_ids.iter().all(done)).then_some(())
        };
        self.wait_for(deadline, failed).await;
        let mut channels = Vec::new();
        // The one that failed first tells why; the others only that one did.
        let broken = pairs().find(|(_, user_id)| {
            self.book.read().openings.get(user_id).is_some_and(|opening| opening.failed.is_some())
        });
        if let Some((request, user_id)) = broken {
            self.wait_opened(request, *user_id, deadline).await?;
        }
        for (request, user_id) in pairs() {
            channels.push(self.wait_opened(request, *user_id, deadline).await?);
        }
        Ok(channels)
    }

    fn batches(&self) -> std::sync::MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a channel whose peer has agreed, if it belongs to a batch; funds the batch when it is whole.
    pub(super) fn take_batch_part(&self, part: BatchPart) -> bool {
        let whole = {
            let mut batches = self.batches();
            let Some(id) = batches.member.get(&part.user_id).copied() else { return false };
            let Some((count, parts)) = batches.parts.get_mut(&id) else { return false };
            parts.push(part);
            if parts.len() < *count {
                return true;
            }
            batches.remove(id)
        };
        if let Err(reason) = self.fund_batch(&whole) {
            for part in whole {
                self.give_up_opening(part.temporary, part.peer, part.user_id, reason.clone());
            }
        }
        true
    }

    fn fund_batch(&self, parts: &[BatchPart]) -> Result<(), String> {
        let payments: Vec<(ScriptBuf, Amount)> = parts.iter().map(|part| (part.script.clone(), part.amount)).collect();
        let built = self.build_funding(&payments).map_err(|error| error.to_string())?;
        let (txid, fee) = (built.transaction.compute_txid(), built.fee.to_sat());
        let count = parts.len() as u64;
        self.book.write(|pages| {
            for (number, part) in (0..count).zip(parts) {
                // Equal parts; the first ones carry the remainder.
                let share = fee / count + u64::from(number < fee % count);
                if let Some(opening) = pages.openings.get_mut(&part.user_id) {
                    opening.funding = Some((txid, share));
                }
            }
            parts.iter().map(|part| Row::Opening(part.user_id)).collect::<Vec<_>>()
        });
        let backed_up: Result<Vec<()>, _> = parts
            .iter()
            .map(|part| self.back_up_funding(part.peer, part.user_id, &built.transaction, &part.script))
            .collect();
        let given = backed_up.map_err(|error| error.to_string()).and_then(|_| {
            let channels: Vec<_> = parts.iter().map(|part| (&part.temporary, &part.peer)).collect();
            self.channel_manager
                .batch_funding_transaction_generated(&channels, built.transaction.clone())
                .map_err(|error| format!("{error:?}"))
        });
        if given.is_err() {
            self.parts.wallet.release(&built.transaction);
        }
        given
    }
}

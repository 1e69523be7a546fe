//! Tells the other members of transactions, and hears of theirs. Each member tells all others of
//! its own, once at once and then, of those that have waited for a while, every second until they are
//! final: a message to a member that is away is lost.

use crate::core::{Core, SubmitError};
use crate::mempool::PoolError;
use borsh::BorshDeserialize as _;
use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::{Clock, Spawner};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::debug;
use windlass_ledger::{Checked, Transaction};

/// Most bytes of transactions in one message; a larger transaction goes alone.
const MAX_BATCH_BYTES: usize = 512 * 1024;
/// How often own transactions are repeated.
const REPEAT: Duration = Duration::from_secs(1);

/// Starts the task on one channel. `outbox` are this member's own transactions.
pub(crate) fn start<E, S, R>(
    context: E,
    core: Arc<Core>,
    outbox: mpsc::UnboundedReceiver<Arc<Checked>>,
    (line, receiver): (S, R),
) where
    E: Spawner + Clock,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    context.spawn(move |context| run(context, core, outbox, line, receiver));
}

async fn run<E, S, R>(
    context: E,
    core: Arc<Core>,
    mut outbox: mpsc::UnboundedReceiver<Arc<Checked>>,
    mut line: S,
    mut receiver: R,
) where
    E: Clock,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let mut repeat_at = context.current() + REPEAT;
    loop {
        select! {
            message = receiver.recv() => {
                let Ok((_, message)) = message else { return };
                hear(&core, message.as_ref());
            },
            first = outbox.recv() => {
                let Some(first) = first else { return };
                let mut batch = vec![first];
                let mut bytes = 0;
                while bytes < MAX_BATCH_BYTES && let Ok(next) = outbox.try_recv() {
                    bytes += next.bytes();
                    batch.push(next);
                }
                tell(&mut line, &batch);
            },
            () = context.sleep_until(repeat_at) => {
                repeat_at = context.current() + REPEAT;
                let own = core.pool.repeat(MAX_BATCH_BYTES);
                if !own.is_empty() {
                    tell(&mut line, &own);
                }
            },
        }
    }
}

fn tell<S: Sender<PublicKey = PublicKey>>(line: &mut S, batch: &[Arc<Checked>]) {
    let list: Vec<&Transaction> = batch.iter().map(|checked| checked.transaction()).collect();
    let message = borsh::to_vec(&list).expect("writing to a vector does not fail and no length reaches u32");
    let _ = line.send(Recipients::All, message, false);
}

fn hear(core: &Core, message: &[u8]) {
    // Bounded by the connection's limit on a message.
    let list = match Vec::<Transaction>::try_from_slice(message) {
        Ok(list) => list,
        Err(error) => {
            debug!(%error, "a member sent malformed transactions");
            return;
        }
    };
    for outcome in core.submit_all(list, false) {
        match outcome {
            Ok(_) | Err(SubmitError::Final(_) | SubmitError::Pool(PoolError::Conflict(_))) => {}
            Err(error) => debug!(%error, "a member's transaction was not taken"),
        }
    }
}

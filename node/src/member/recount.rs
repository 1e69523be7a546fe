//! The independent recount at work: it reads each final block's bytes from the member's disk, asks the member's own
//! bitcoind for the coins that are to be spent, and is asked before each share leaves. What it has counted it keeps in
//! a file of its own, and goes on from there; without one that holds it counts from the genesis.

use crate::bitcoin_view::BitcoinView;
use crate::files;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tracing::{error, info, warn};
use windlass_peg::signing::{self, Job, Permit, Veto};
use windlass_recount::{Coin, Objection, Recount};
use windlass_sidechain::Handle;
use windlass_types::SideHeight;

/// Most blocks that are counted while a share waits: a member that has just started may be far behind.
const MAX_BLOCKS_WAITED_FOR: u64 = 32;
/// Blocks between two looks at whether someone waits for the recount.
const STRIDE: u64 = 256;
/// A coin that bitcoind did not have is asked for again this often.
const RETRY: Duration = Duration::from_secs(1);

/// The file in the member's folder.
const FILE: &str = "recount.saved";
/// So many blocks are counted without a word to the disk at most.
const MAX_UNSAVED_BLOCKS: u64 = 4_096;

/// What the file has, and what was counted since.
#[derive(Default)]
struct Kept {
    /// The file's length.
    bytes: usize,
    /// The bytes of the blocks counted since.
    since_bytes: usize,
    since_blocks: u64,
}

impl Kept {
    /// The file is written anew once as much was counted as it has: so it costs no more than the chain itself does.
    const fn is_due(&self) -> bool {
        self.since_blocks > 0 && (self.since_bytes >= self.bytes || self.since_blocks >= MAX_UNSAVED_BLOCKS)
    }
}

/// See the module's head.
pub(crate) struct Watch {
    chain: Handle,
    file: PathBuf,
    kept: Mutex<Kept>,
    recount: Mutex<Recount>,
    /// What bitcoind said of the coins of this batch.
    coins: Mutex<Option<(u64, Result<(), String>)>>,
    changed: watch::Sender<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Has counted what the file in the folder `dir` says, or nothing yet.
    pub(crate) fn new(chain: Handle, dir: &Path) -> Arc<Self> {
        let file = dir.join(FILE);
        let (recount, bytes) = resume(&chain, &file);
        let kept = Mutex::new(Kept { bytes, ..Kept::default() });
        let recount = Mutex::new(recount);
        Arc::new(Self { chain, file, kept, recount, coins: Mutex::new(None), changed: watch::Sender::new(()) })
    }

    /// Writes what was counted, if that is due. A disk that refuses costs a longer recount at the next start, and
    /// nothing else.
    fn keep(&self) {
        if !lock(&self.kept).is_due() {
            return;
        }
        let Some(saved) = lock(&self.recount).save() else { return };
        if let Err(error) = files::write_whole(&self.file, &saved, 0o600) {
            warn!(%error, "the recount is not kept");
        }
        *lock(&self.kept) = Kept { bytes: saved.len(), ..Kept::default() };
    }

    /// Told whenever it may permit what it did not before.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The newest block that was counted, and what was found wrong.
    pub(crate) fn found(&self) -> (SideHeight, Option<String>) {
        let recount = lock(&self.recount);
        (recount.height(), recount.fault().map(ToString::to_string))
    }

    /// Counts at most `most` blocks; false when there is none left, or one that is wrong.
    fn catch_up(&self, most: u64) -> bool {
        let mut recount = lock(&self.recount);
        for _ in 0..most {
            if recount.fault().is_some() {
                return false;
            }
            let Some(height) = recount.height().next().filter(|height| *height <= self.chain.tip().height) else {
                return false;
            };
            match self.chain.chain().block_bytes(height) {
                Ok(Some(block)) => {
                    let mut kept = lock(&self.kept);
                    kept.since_bytes = kept.since_bytes.saturating_add(block.len());
                    kept.since_blocks = kept.since_blocks.saturating_add(1);
                    drop(kept);
                    if let Err(fault) = recount.take(&block) {
                        error!(%fault, "the recount does not agree with the chain: this member signs nothing any more");
                        return false;
                    }
                }
                Ok(None) => return false,
                Err(error) => {
                    warn!(%error, %height, "the recount can't read a block");
                    return false;
                }
            }
        }
        true
    }

    /// Counts what becomes final and looks for the coins of what is due, for ever.
    pub(crate) async fn run(self: Arc<Self>, view: Arc<BitcoinView>) {
        let mut heights = self.chain.subscribe();
        let begun = self.chain.tip().height;
        loop {
            heights.mark_unchanged();
            let this = self.clone();
            let counted = tokio::task::spawn_blocking(move || {
                let more = this.catch_up(STRIDE);
                this.keep();
                more
            });
            match counted.await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(_) => return,
            }
            if begun > SideHeight::new(0) && lock(&self.recount).height() == begun {
                info!(height = %begun, "the chain is recounted");
            }
            let settled = self.look_for_coins(&view).await;
            let changed = if settled {
                heights.changed().await
            } else {
                tokio::time::timeout(RETRY, heights.changed()).await.unwrap_or(Ok(()))
            };
            if changed.is_err() {
                return;
            }
        }
    }

    /// Asks bitcoind for the coins of what is due, once they are there never again; false if one is not there.
    async fn look_for_coins(&self, view: &BitcoinView) -> bool {
        let (due, coins) = {
            let recount = lock(&self.recount);
            (recount.due(), recount.coins())
        };
        let Some(batch) = due else { return true };
        if matches!(&*lock(&self.coins), Some((known, Ok(()))) if *known == batch) {
            return true;
        }
        let mut outcome = Ok(());
        for coin in &coins {
            outcome = look_for(view, coin).await;
            if outcome.is_err() {
                break;
            }
        }
        let settled = outcome.is_ok();
        *lock(&self.coins) = Some((batch, outcome));
        self.changed.send_replace(());
        settled
    }
}

/// The recount of the file, as far as the chain agrees with it, and the file's length; or one from the genesis.
fn resume(chain: &Handle, file: &Path) -> (Recount, usize) {
    let genesis = || chain.genesis().as_ref().clone();
    let block = |height| chain.chain().block_bytes(height).ok().flatten();
    match std::fs::read(file) {
        Ok(saved) => match Recount::resume(genesis(), &saved, block) {
            Ok(recount) => {
                info!(height = %recount.height(), "the recount goes on from where it stopped");
                return (recount, saved.len());
            }
            Err(error) => {
                warn!(file = %file.display(), %error, "the kept recount is not believed: counting from the genesis");
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            warn!(file = %file.display(), %error, "the kept recount can't be read: counting from the genesis")
        }
    }
    (Recount::new(genesis()), 0)
}

async fn look_for(view: &BitcoinView, coin: &Coin) -> Result<(), String> {
    let outpoint = coin.outpoint;
    match view.bitcoind().confirmed_utxo(outpoint).await {
        Err(error) => Err(format!("bitcoind: {error}")),
        Ok(None) => Err(format!("{outpoint} is not there, or spent")),
        Ok(Some(utxo)) if utxo.value != coin.output.value || utxo.script != coin.output.script_pubkey => {
            Err(format!("{outpoint} holds {} for another script or amount", utxo.value))
        }
        Ok(Some(_)) => Ok(()),
    }
}

impl Permit for Watch {
    fn permits(&self, job: &Job) -> Result<(), Veto> {
        if let Some(fork) = self.chain.fork() {
            return Err(Veto::Fork(fork));
        }
        self.catch_up(MAX_BLOCKS_WAITED_FOR);
        signing::ask(&lock(&self.recount), job)?;
        let batch = job.batch;
        let reason = match &*lock(&self.coins) {
            Some((known, Ok(()))) if *known == batch => return Ok(()),
            Some((known, Err(reason))) if *known == batch => reason.clone(),
            _ => "bitcoind has not been asked yet".into(),
        };
        Err(Objection::NoCoin { batch, reason }.into())
    }
}

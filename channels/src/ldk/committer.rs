//! The group commit: everything that the node must not lose, in one write and one sync.
//!
//! A commit takes the monitors' updates that LDK has staged, the `ChannelManager`, and the rows of
//! the book. Monitors and manager are cut at one instant: LDK changes both under its consistency
//! lock, and serialising the manager takes that lock for itself, so the stage is emptied when the
//! manager's first byte is written. (A monitor that is newer than the manager would be force-closed at the
//! next start; an older one would be refused.)
//!
//! The book comes last: an event that the manager no longer has is in it. One that the manager
//! still has may be in it, too; then it is among the counted ones, and only those leave that list
//! which LDK had let go of before the manager was read. See [`crate::book::Book::is_replay`].
//!
//! [`super::gate::Gate`] commits before any message leaves, [`super::broadcast::Relay`] before a
//! transaction does, and the thread here whatever nobody waits for.

use super::kv::{Kv, Round};
use super::stack::ChannelManager;
use crate::book::Book;
use bitcoin::io;
use lightning::util::ser::{Writeable, Writer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The node's state can't be made durable any more: nothing may leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dead;

/// Makes commits; see the module's head.
pub(crate) struct Committer {
    kv: Arc<Kv>,
    book: Arc<Book>,
    channel_manager: Arc<ChannelManager>,
    /// Set once nothing can be committed any more.
    dead: AtomicBool,
    /// Why the node can't go on; see [`crate::Node::failed`].
    failure: watch::Sender<Option<String>>,
    /// The manager's image, kept for its room; also makes commits one at a time.
    image: Mutex<Vec<u8>>,
}

impl Committer {
    pub(crate) fn new(kv: Arc<Kv>, book: Arc<Book>, channel_manager: Arc<ChannelManager>) -> Self {
        let failure = watch::Sender::new(None);
        Self { kv, book, channel_manager, dead: AtomicBool::new(false), failure, image: Mutex::default() }
    }

    /// Why nothing is committed any more, once it is so.
    pub(crate) const fn failure(&self) -> &watch::Sender<Option<String>> {
        &self.failure
    }

    /// Returns when all that was changed before the call is on the disk. Blocks for the time of a sync.
    pub(crate) fn commit(&self) -> Result<(), Dead> {
        let mut image = self.image.lock().unwrap_or_else(PoisonError::into_inner);
        if self.dead.load(Ordering::Acquire) {
            return Err(Dead);
        }
        let drained = self.book.drained();
        if self.kv.forgets() {
            let (_, version) = self.book.take(drained);
            self.done(&self.kv.take(), version);
            return Ok(());
        }
        // The order matters: a request is for what was changed before it. And only here is the flag
        // cleared, under the image's lock, which is held until the commit is done.
        let nothing_staged = self.kv.take_if_empty();
        let manager_changed = self.channel_manager.get_and_clear_needs_persistence();
        let (round, cut) = match nothing_staged {
            Some(round) if !manager_changed => (round, false),
            _ => (self.cut(&mut image), true),
        };
        let (mut writes, version) = self.book.take(drained);
        self.kv.add(&mut writes, &round, cut.then_some(image.as_slice()));
        if writes.is_empty() {
            self.done(&round, version);
            return Ok(());
        }
        if let Err(error) = self.kv.store().commit(writes) {
            self.die(error.to_string());
            return Err(Dead);
        }
        self.done(&round, version);
        Ok(())
    }

    /// Serialises the manager into `image` and takes what is staged, both as of one instant.
    fn cut(&self, image: &mut Vec<u8>) -> Round {
        image.clear();
        let mut cut = Cut { image, kv: &self.kv, round: None };
        self.channel_manager.write(&mut cut).expect("memory takes all");
        cut.round.expect("the manager is not empty")
    }

    fn done(&self, round: &Round, version: u64) {
        self.kv.done(round);
        self.book.committed(version);
    }

    pub(crate) fn die(&self, reason: String) {
        tracing::error!(reason, "the node stops: what it does can't be made durable");
        self.dead.store(true, Ordering::Release);
        self.kv.give_up();
        self.failure.send_replace(Some(reason));
    }

    /// The thread for what nobody waits for, until [`Kv::stop`] is called or a commit fails.
    pub(crate) fn run(&self) {
        while self.kv.wait_due() {
            if self.commit().is_err() {
                return;
            }
        }
        self.dead.store(true, Ordering::Release);
        self.kv.give_up();
    }
}

/// Takes the manager's bytes, and the stage with the first of them.
struct Cut<'a> {
    image: &'a mut Vec<u8>,
    kv: &'a Kv,
    round: Option<Round>,
}

impl Writer for Cut<'_> {
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), io::Error> {
        if self.round.is_none() {
            self.round = Some(self.kv.take());
        }
        self.image.extend_from_slice(bytes);
        Ok(())
    }
}

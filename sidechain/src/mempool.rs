//! Transactions that wait for a block. No engine, no clock, no I/O.
//!
//! A transaction enters only if the state after the pool's own ones of its account would take it: its
//! nonce is open then, and the account has what all of them take. Every member has its own pool; they gossip.

use crate::level::Level;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use windlass_ledger::{Block, Checked, Nonces, TxError};
use windlass_types::{AccountId, AssetId, Digest, SideHeight};

/// Most transactions that wait.
pub const MAX_WAITING: usize = 20_000;
/// Most bytes of transactions that wait.
pub const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// Most transactions of one account that wait.
pub const MAX_WAITING_PER_ACCOUNT: usize = 1_000;
/// Most bytes of one account's transactions that wait.
pub const MAX_WAITING_BYTES_PER_ACCOUNT: usize = 1024 * 1024;
/// So many transactions of each account come before any further ones of one that has more: whoever hands in
/// thousands does not keep the others out of the next block.
const TURN: usize = 64;
/// So many bytes of each account likewise.
const TURN_BYTES: usize = 64 * 1024;
/// For how many blocks a transaction waits that no block takes.
pub const MAX_WAITING_BLOCKS: u64 = 5_000;
/// How many dropped transactions are remembered, for those who ask.
const MAX_DROPPED: usize = 1_000;

/// Why a transaction was not taken by the pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Another transaction with the same account and nonce waits.
    #[error("transaction {0} with the same account and nonce waits already")]
    Conflict(Digest),
    /// The account has too many waiting.
    #[error("the account has {MAX_WAITING_PER_ACCOUNT} transactions or {MAX_WAITING_BYTES_PER_ACCOUNT} bytes waiting")]
    AccountFull,
    /// The pool is full.
    #[error("{MAX_WAITING} transactions or {MAX_WAITING_BYTES} bytes are waiting already")]
    Full,
}

struct Entry {
    waiting: Arc<Checked>,
    /// Submitted to this very member, which repeats it to the others until it is final.
    own: bool,
    /// Was there when the own ones were last repeated.
    aged: bool,
    /// Was refused by the newest state, but may be good after the next block.
    asleep: bool,
    /// The newest final block when it came.
    since: SideHeight,
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<u64, Entry>,
    by_id: HashMap<Digest, u64>,
    by_nonce: BTreeMap<(AccountId, u64), Digest>,
    /// How many wait, and their bytes.
    per_account: HashMap<AccountId, (usize, usize)>,
    bytes: usize,
    next: u64,
    height: SideHeight,
    dropped: BTreeMap<Digest, String>,
    dropped_order: VecDeque<Digest>,
}

/// See the module's head.
pub(crate) struct Mempool {
    inner: Mutex<Inner>,
    changes: Level<u64>,
}

impl Default for Mempool {
    fn default() -> Self {
        Self { inner: Mutex::default(), changes: Level::new(0) }
    }
}

impl Mempool {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves whenever there may be something new for a block.
    pub const fn changes(&self) -> &Level<u64> {
        &self.changes
    }

    pub fn contains(&self, id: &Digest) -> bool {
        self.lock().by_id.contains_key(id)
    }

    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Why `id` was dropped, if it was, lately.
    pub fn dropped(&self, id: &Digest) -> Option<String> {
        self.lock().dropped.get(id).cloned()
    }

    /// The nonces of `account` after those that wait are used, too. `nonces` is the state's.
    pub fn nonces(&self, account: &AccountId, nonces: Nonces) -> Nonces {
        let inner = self.lock();
        let waiting = inner.by_nonce.range((*account, nonces.next())..=(*account, u64::MAX));
        // Ascending, so that each opens the way for those after it.
        waiting.fold(nonces, |nonces, ((_, nonce), _)| nonces.take(*nonce).unwrap_or(nonces))
    }

    /// What the transactions of `account` that wait take from it, but for those that the state refuses now and the one
    /// with `nonce`.
    pub fn outflow_besides(&self, account: &AccountId, nonce: u64) -> BTreeMap<AssetId, u64> {
        let inner = self.lock();
        let of_account = inner.by_nonce.range((*account, 0)..=(*account, u64::MAX));
        let others = of_account.filter(|((_, other), _)| *other != nonce).filter_map(|(_, id)| inner.by_id.get(id));
        let mut sums = BTreeMap::new();
        for entry in others.filter_map(|at| inner.entries.get(at)).filter(|entry| !entry.asleep) {
            // One whose sums overflow was never checked, and can't be afforded.
            for (asset, units) in entry.waiting.transaction().body.outflow().unwrap_or_default() {
                let sum = sums.entry(asset).or_insert(0_u64);
                *sum = sum.saturating_add(units);
            }
        }
        sums
    }

    /// Whether transaction `id` waits. If it does and was now submitted to this very member, it is its own.
    pub fn note(&self, id: &Digest, own: bool) -> bool {
        self.lock().note(id, own)
    }

    /// Takes a transaction that was checked. `Ok(false)` if it waits already.
    pub fn insert(&self, waiting: Arc<Checked>, own: bool) -> Result<bool, PoolError> {
        let (id, bytes) = (waiting.id(), waiting.bytes());
        let mut inner = self.lock();
        if inner.note(&id, own) {
            return Ok(false);
        }
        let slot = waiting.transaction().slot();
        if let Some(other) = slot.and_then(|slot| inner.by_nonce.get(&slot)).copied() {
            // One that the state refuses may be replaced: else it would block the account.
            if !inner.is_asleep(&other) {
                return Err(PoolError::Conflict(other));
            }
            inner.remove(&other);
            inner.note_dropped(other, format!("it was replaced by {id}"));
        }
        if inner.entries.len() >= MAX_WAITING || inner.bytes + bytes > MAX_WAITING_BYTES {
            return Err(PoolError::Full);
        }
        if let Some((account, nonce)) = slot {
            let (count, sum) = inner.per_account.get(&account).copied().unwrap_or_default();
            if count >= MAX_WAITING_PER_ACCOUNT || sum + bytes > MAX_WAITING_BYTES_PER_ACCOUNT {
                return Err(PoolError::AccountFull);
            }
            inner.per_account.insert(account, (count + 1, sum + bytes));
            inner.by_nonce.insert((account, nonce), id);
            inner.wake_after(account, nonce);
        }
        let place = inner.next;
        inner.next += 1;
        inner.bytes += bytes;
        inner.by_id.insert(id, place);
        inner.forget_dropped(&id);
        let since = inner.height;
        inner.entries.insert(place, Entry { waiting, own, aged: false, asleep: false, since });
        drop(inner);
        self.bump();
        Ok(true)
    }

    /// Transactions that are awake and that `skip` doesn't name, up to the bounds: the oldest, of each account as much
    /// as a turn has, and then what room is left for those who have more. An account's own are in the order of their nonces.
    pub fn select(&self, count: usize, bytes: usize, skip: impl Fn(&Digest) -> bool) -> Vec<Arc<Checked>> {
        let mut room = bytes;
        let inner = self.lock();
        let mut chosen: Vec<Arc<Checked>> = Vec::new();
        let mut take = |waiting: &Arc<Checked>| {
            if chosen.len() < count && waiting.bytes() <= room {
                room -= waiting.bytes();
                chosen.push(waiting.clone());
            }
        };
        let mut turns: HashMap<AccountId, (usize, usize)> = HashMap::new();
        let mut later = Vec::new();
        for entry in inner.entries.values().filter(|entry| !entry.asleep && !skip(&entry.waiting.id())) {
            let waiting = &entry.waiting;
            if let Some(account) = waiting.transaction().from() {
                let (taken, sum) = turns.entry(account).or_default();
                // The first one has its turn however large it is.
                if *taken > 0 && (*taken >= TURN || sum.saturating_add(waiting.bytes()) > TURN_BYTES) {
                    later.push(waiting);
                    continue;
                }
                (*taken, *sum) = (*taken + 1, sum.saturating_add(waiting.bytes()));
            }
            take(waiting);
        }
        later.into_iter().for_each(take);
        drop(inner);
        order_nonces(&mut chosen);
        chosen
    }

    /// The oldest transaction that isn't asleep and that `skip` doesn't name.
    pub fn first_awake(&self, skip: impl Fn(&Digest) -> bool) -> Option<Arc<Checked>> {
        let inner = self.lock();
        inner.entries.values().find(|entry| !entry.asleep && !skip(&entry.waiting.id())).map(|e| e.waiting.clone())
    }

    /// Own transactions that waited when this was last asked, and still do, up to `bytes`: to be told to the
    /// others again.
    pub fn repeat(&self, bytes: usize) -> Vec<Arc<Checked>> {
        let mut room = bytes;
        let mut inner = self.lock();
        let mut found = Vec::new();
        for entry in inner.entries.values_mut().filter(|entry| entry.own) {
            if std::mem::replace(&mut entry.aged, true) && entry.waiting.bytes() <= room {
                room -= entry.waiting.bytes();
                found.push(entry.waiting.clone());
            }
        }
        found
    }

    /// The state refused a transaction: drops it for good, or lets it sleep until the next block.
    pub fn refused(&self, id: &Digest, error: &TxError) {
        let mut inner = self.lock();
        if matches!(error, TxError::BlockFull | TxError::State(_)) {
            return;
        }
        if !error.is_transient() {
            inner.remove(id);
            inner.note_dropped(*id, error.to_string());
        } else if let Some(place) = inner.by_id.get(id).copied()
            && let Some(entry) = inner.entries.get_mut(&place)
        {
            entry.asleep = true;
        }
    }

    /// `block`, whose transactions have these ids, is final: they leave, and the sleepers wake if it did anything.
    pub fn finalised(&self, block: &Block, ids: &[Digest]) {
        let mut inner = self.lock();
        inner.height = block.header.height;
        inner.drop_stale();
        if block.transactions.is_empty() && block.inputs.is_empty() {
            return;
        }
        for (transaction, id) in block.transactions.iter().zip(ids) {
            inner.remove(id);
            // Whoever used the nonce, it is used.
            let slot = transaction.slot();
            if let Some(loser) = slot.and_then(|slot| inner.by_nonce.get(&slot)).copied() {
                inner.remove(&loser);
                inner.note_dropped(loser, format!("its nonce was used by {id}"));
            }
        }
        for entry in inner.entries.values_mut() {
            entry.asleep = false;
        }
        let waiting = !inner.entries.is_empty();
        drop(inner);
        if waiting {
            self.bump();
        }
    }

    fn bump(&self) {
        self.changes.update(|count| count.wrapping_add(1));
    }
}

/// Puts each account's transactions into the order of their nonces, in the places they have.
fn order_nonces(chosen: &mut [Arc<Checked>]) {
    let mut places: BTreeMap<AccountId, Vec<usize>> = BTreeMap::new();
    for (place, waiting) in chosen.iter().enumerate() {
        if let Some(account) = waiting.transaction().from() {
            places.entry(account).or_default().push(place);
        }
    }
    for places in places.into_values().filter(|places| places.len() > 1) {
        let mut sorted: Vec<Arc<Checked>> = places.iter().map(|&place| chosen[place].clone()).collect();
        sorted.sort_by_key(|waiting| waiting.transaction().nonce());
        for (place, waiting) in places.into_iter().zip(sorted) {
            chosen[place] = waiting;
        }
    }
}

impl Inner {
    fn note(&mut self, id: &Digest, own: bool) -> bool {
        let Some(entry) = self.by_id.get(id).and_then(|place| self.entries.get_mut(place)) else { return false };
        entry.own |= own;
        true
    }

    fn is_asleep(&self, id: &Digest) -> bool {
        self.by_id.get(id).and_then(|place| self.entries.get(place)).is_some_and(|entry| entry.asleep)
    }

    fn remove(&mut self, id: &Digest) {
        let Some(place) = self.by_id.remove(id) else { return };
        let Some(entry) = self.entries.remove(&place) else { return };
        self.bytes = self.bytes.saturating_sub(entry.waiting.bytes());
        let transaction = entry.waiting.transaction();
        if let Some((account, nonce)) = transaction.slot() {
            self.by_nonce.remove(&(account, nonce));
            if let Some((count, bytes)) = self.per_account.get_mut(&account) {
                *count = count.saturating_sub(1);
                *bytes = bytes.saturating_sub(entry.waiting.bytes());
                if *count == 0 {
                    self.per_account.remove(&account);
                }
            }
        }
    }

    /// Wakes the account's transactions above `nonce`: it may open the window for them.
    fn wake_after(&mut self, account: AccountId, nonce: u64) {
        let above = self.by_nonce.range((account, nonce)..=(account, u64::MAX));
        for place in above.filter_map(|(_, id)| self.by_id.get(id)) {
            if let Some(entry) = self.entries.get_mut(place) {
                entry.asleep = false;
            }
        }
    }

    /// Drops the oldest while they are too old. (They are in the order in which they came.)
    fn drop_stale(&mut self) {
        while let Some((_, entry)) = self.entries.first_key_value()
            && self.height.get().saturating_sub(entry.since.get()) > MAX_WAITING_BLOCKS
        {
            let id = entry.waiting.id();
            self.remove(&id);
            self.note_dropped(id, format!("no block took it for {MAX_WAITING_BLOCKS} blocks"));
        }
    }

    fn note_dropped(&mut self, id: Digest, reason: String) {
        if self.dropped.insert(id, reason).is_none() {
            self.dropped_order.push_back(id);
        }
        while self.dropped_order.len() > MAX_DROPPED {
            if let Some(oldest) = self.dropped_order.pop_front() {
                self.dropped.remove(&oldest);
            }
        }
    }

    fn forget_dropped(&mut self, id: &Digest) {
        if self.dropped.remove(id).is_some() {
            self.dropped_order.retain(|other| other != id);
        }
    }
}

#[cfg(test)]
#[path = "mempool_tests.rs"]
mod tests;

//! Signatures: checked once by this member, on all cores, before execution, and remembered.
//!
//! What is remembered is the ledger's own [`Checked`], which only a good signature makes. It is found by the
//! transaction's [leaf](Transaction::leaf), a hash of its whole encoding (chain, account, body and witness,
//! with lengths where lengths vary), and the ledger compares it with the transaction before it believes it. So
//! whatever is in here, or not, and whoever put it there: blocks are judged alike.

use rayon::iter::{IntoParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use windlass_ledger::{Block, Checked, Transaction, TxError};
use windlass_types::Digest;

/// Transactions that are remembered, at least; at most twice as many. Each takes a few hundred bytes.
pub(crate) const MAX_REMEMBERED: usize = 32_768;
/// Fewer than this are checked where they are: waking another core takes longer.
const FEW: usize = 4;

/// See the module's head.
pub(crate) struct Signatures {
    known: Mutex<Known>,
    most: usize,
}

/// Two generations: once the young one is full it is the old one, and what was old is forgotten.
#[derive(Default)]
struct Known {
    young: HashMap<Digest, Arc<Checked>>,
    old: HashMap<Digest, Arc<Checked>>,
}

impl Signatures {
    /// Remembers `most` at least; with 0, none.
    pub fn new(most: usize) -> Self {
        Self { known: Mutex::default(), most }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, leaf: &Digest) -> Option<Arc<Checked>> {
        let known = self.lock();
        known.young.get(leaf).or_else(|| known.old.get(leaf)).cloned()
    }

    /// Remembers a transaction. Not for every one that somebody sends: for those that wait for a block, or are
    /// in one, so that a flood of others drives nothing out.
    pub fn remember(&self, checked: &Arc<Checked>) {
        if self.most == 0 {
            return;
        }
        let mut known = self.lock();
        if known.young.len() >= self.most {
            known.old = std::mem::take(&mut known.young);
        }
        known.young.insert(checked.leaf(), checked.clone());
    }

    /// Checks transactions; remembers none.
    pub fn check(&self, list: Vec<Transaction>) -> Vec<Result<Arc<Checked>, TxError>> {
        let check = |transaction: Transaction| match self.find(&transaction.leaf()) {
            Some(checked) => Ok(checked),
            None => Checked::new(transaction).map(Arc::new),
        };
        if list.len() < FEW {
            return list.into_iter().map(check).collect();
        }
        list.into_par_iter().map(check).collect()
    }

    /// Checks a block's transactions, and remembers them. `None` where the signature is bad: the rules say so.
    pub fn of_block(&self, block: &Block) -> Vec<Option<Arc<Checked>>> {
        let check = |transaction: &Transaction| {
            if let Some(checked) = self.find(&transaction.leaf()) {
                return Some(checked);
            }
            let checked = Arc::new(Checked::new(transaction.clone()).ok()?);
            self.remember(&checked);
            Some(checked)
        };
        if block.transactions.len() < FEW {
            return block.transactions.iter().map(check).collect();
        }
        block.transactions.par_iter().map(check).collect()
    }
}

#[cfg(test)]
#[path = "signatures_tests.rs"]
mod tests;

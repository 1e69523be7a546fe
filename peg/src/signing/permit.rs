//! The last question before a share: may this be signed at all?
//!
//! The job comes from the member's ledger. The answer must come from somewhere else: from a recount that shares
//! nothing with the ledger, and from whoever knows that the chain has forked.

use super::Job;
use windlass_recount::{Objection, Recount};

/// Asked before each share leaves, and before commitments do.
pub trait Permit: Send + Sync {
    /// Whether the job may be signed now.
    ///
    /// # Errors
    /// Why not.
    fn permits(&self, job: &Job) -> Result<(), Veto>;
}

/// Why a member signs nothing, whatever its ledger says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Veto {
    /// The independent recount disagrees, or has not come so far.
    #[error(transparent)]
    Recount(#[from] Objection),
    /// Two blocks are final at one height: what is final means nothing.
    #[error("nothing is signed: {0}")]
    Fork(String),
}

impl Veto {
    /// Whether it may pass by itself: the recount is a moment behind.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Recount(Objection::NotDue { .. } | Objection::NoCoin { .. }))
    }
}

/// Asks a recount about the job's transaction and about each message that is to be signed for it.
///
/// # Errors
/// The recount's objection.
pub fn ask(recount: &Recount, job: &Job) -> Result<(), Objection> {
    let messages: Vec<[u8; 32]> = job.inputs.iter().map(|input| input.sighash).collect();
    recount.allows(job.batch, &job.transaction, &messages)
}

//! The light client: checks what a sidechain proves, from its genesis alone. No I/O, no clock, no state.
//!
//! - [`verify_header`], [`verify_block`]: a quorum of the members has made this block final.
//! - [`Epochs`]: who the members are, from epoch to epoch; a quorum of one hands on to the next.
//! - [`ProofFile`]: under such a header, what an account has, that there is no such account, any other
//!   entry of the state, the state of a hash lock, or that a transaction is in the block.
//! - [`ReceiptFile`]: what members promised with their own signatures.
//!
//! What it does not show: that the block follows the rules. Only who executes every block knows that; a
//! light client trusts that no quorum of the members signs a block that breaks them.

mod certificate;
pub mod committee;
mod epochs;
mod lock;
mod proof;
mod receipt;

pub use certificate::{
    Certificate, CertificateError, MAX_DESCENDANTS, signers, verify_block, verify_header, verify_with,
};
pub use committee::CommitteeError;
pub use epochs::{EpochLink, Epochs, LinkError, MAX_LINKS};
pub use lock::{Lock, Part};
pub use proof::{Claim, FORMAT, Fact, HexBytes, ProofError, ProofFile, Proven, VERSION};
pub use receipt::{
    AddressPromise, MAX_PROMISE_BYTES, MintPromise, PEG_OUT_BLOCKS, PegOutPromise, Promise, Promised, RECEIPT_FORMAT,
    RECEIPT_VERSION, ReceiptError, ReceiptFile, ReceiptSignature,
};

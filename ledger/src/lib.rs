//! The rule book of a Windlass sidechain: `apply(state, Bitcoin inputs, transactions) -> state'`.
//!
//! Pure: no I/O, no async, no clock, no randomness, no iteration over hash maps. The same function
//! serves members, followers, signers and recounts. Each rule has a number (L1, L2, …) in
//! `docs/spec/ledger.md`; the code that enforces a rule names it.
//!
//! - [`genesis_state`] makes the first state of a [`Genesis`].
//! - [`build`] makes a block (a proposer), [`apply`] checks and applies one (everyone),
//!   [`check`] says whether a transaction could enter the next block (a mempool).
//! - [`query`] reads the state; [`smt`] proves one entry of it against a header.
//! - [`script`] and [`treasury`] say which Bitcoin scripts and which exact Bitcoin transaction the
//!   ledger's facts mean.
//!
//! State is reached through [`StateRead`]; what a block changes comes back as a [`ChangeSet`].

#![deny(clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod admit;
mod apply;
mod asset;
mod block;
mod checked;
mod claim;
mod exec;
mod genesis;
mod identity;
mod inputs;
mod issue;
pub mod keys;
mod members;
mod nonces;
mod params;
mod policy;
mod proposal;
pub mod query;
mod receipt;
mod record;
mod restore;
pub mod script;
mod settle;
pub mod smt;
mod state;
mod transaction;
pub mod treasury;
mod tx_error;
pub mod wire;
mod witness;

#[cfg(test)]
mod books_tests;
#[cfg(test)]
mod deposit_tests;
#[cfg(test)]
mod issue_tests;
#[cfg(test)]
mod lock_tests;
#[cfg(test)]
mod peg_tests;
#[cfg(test)]
mod recount_tests;
#[cfg(test)]
mod testkit;

pub use apply::{
    Admission, Applied, ApplyError, BlockError, Built, apply, apply_checked, build, build_checked, check, genesis_state,
};
pub use asset::{
    AssetRecord, AssetTerms, Likeness, MAX_ASSET_NAME_BYTES, MAX_DECIMALS, MAX_TICKER_BYTES, TermsError, likeness,
    resembles_bitcoin,
};
pub use block::{Block, DecodeError, Header, Inclusion, MAX_BLOCK_BYTES, MAX_TRANSACTION_BYTES};
pub use checked::Checked;
pub use claim::{ClaimError, DepositClaim, MAX_CLAIM_TRANSACTION_BYTES};
pub use exec::InvariantError;
pub use genesis::{Genesis, GenesisError, GenesisMember, MAX_MEMBERS, VERSION};
pub use identity::{ENDORSEMENT_NAMESPACE, endorsed};
pub use inputs::{BitcoinBlockFacts, BitcoinInputs, InputsError, MAX_INPUT_BLOCKS, Spend, bitcoin_inputs, watched};
pub use members::{EpochOrigin, EpochRecord, Membership, NewestEpoch, SETTLED_BLOCKS, enrolment};
pub use nonces::{NONCE_WINDOW, NonceError, Nonces};
pub use params::{
    DIALS, DialChange, FIXED_DIALS, MAX_BATCH_ITEMS, MAX_CHANGE_DELAY_BLOCKS, MIN_CHANGE_DELAY_BLOCKS, Params,
};
pub use policy::{Clause, HashLock, MAX_POLICY_DEPTH, MAX_POLICY_LEAVES, Policy, PolicyError, PolicyTextError};
pub use proposal::{
    DepositBounds, MAX_CHANGE_AHEAD, MemberSignature, ParamsChange, ParamsRecord, PendingChange, Proposal,
    ProposalError,
};
pub use receipt::Receipt;
pub use record::{
    Account, Anchor, BatchRecord, BatchState, Breach, DepositRecord, DepositState, PegOutRecord, PegOutState, Revealed,
    Totals, TreasuryCoin,
};
pub use restore::{Restore, RestoreError};
pub use script::{DepositTerms, ScriptError, SpendInfo};
pub use state::{ChangeSet, Entry, MemoryState, Overlay, StateError, StateRead};
pub use transaction::{MAX_MEMO_BYTES, MAX_TRANSFER_OUTPUTS, Output, Spending, Transaction, TxBody};
pub use treasury::{Batch, BatchInput, Coin, Payout, deposit_fee, peg_out_fee};
pub use tx_error::TxError;
pub use witness::{LeafWitness, PolicyWitness, PolicyWitnessError, Witness};

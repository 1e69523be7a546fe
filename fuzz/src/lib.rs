//! What strangers and the disk send us, and the functions that must bear any of it.
//!
//! A target takes any bytes and panics only on a bug: a decoder that panics, or one that accepts
//! bytes which are not the encoding of what it returns. It says whether it took them. `cargo test -p windlass-fuzz` runs each over its
//! corpus and over random changes of it, on any toolchain; `just fuzz TARGET` lets libFuzzer run.

mod disk;
mod forms;
mod rows;
mod seeds;
mod text;
mod wire;

pub use forms::refused_examples;
pub use seeds::seeds;

/// A target's function: true if the bytes were taken, by one of its decoders at least.
pub type Target = fn(&[u8]) -> bool;

/// All targets by name; the name is also that of the folder in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("log_segment", disk::segment),
    ("log_snapshot", disk::snapshot),
    ("log_records", disk::records),
    ("ledger_transaction", wire::transaction),
    ("ledger_block", wire::block),
    ("ledger_genesis", wire::genesis),
    ("ledger_proof", wire::proof),
    ("ledger_asset", wire::asset),
    ("ledger_policy", wire::policy),
    ("proof_file", wire::proof_file),
    ("receipt_file", wire::receipt_file),
    ("ledger_state", rows::ledger_state),
    ("sidechain_block", wire::sealed_block),
    ("sidechain_certificate", wire::certificate),
    ("sidechain_gossip", wire::gossip),
    ("sidechain_store", rows::chain_store),
    ("sidechain_snapshot", wire::state_snapshot),
    ("recount_saved", rows::saved_recount),
    ("peg_signing", wire::signing),
    ("peg_dkg", wire::dkg),
    ("peg_share", wire::share),
    ("merkle_proof", wire::merkle_proof),
    ("account_address", text::account),
    ("policy_text", text::policy),
    ("amount", text::amount),
    ("digest", text::digest),
    ("bitcoin_address", text::bitcoin_address),
    ("peer_address", text::peer),
    ("lightning_ids", text::ids),
    ("payable", text::payable),
    ("refund", text::refund),
    ("name_proof", wire::name_proof),
    ("seed_words", text::words),
    ("channel_backup", wire::backup),
    ("channel_book", rows::book),
    ("gossip_snapshot", wire::gossip_snapshot),
    ("tower_row", disk::tower_row),
    ("wallet_journal", rows::wallet_journal),
    ("config", forms::config),
    ("api_requests", forms::requests),
    ("member_answers", forms::answers),
];

/// Runs the target `name`; for the programs in `libfuzzer/`.
///
/// # Panics
/// There is no such target, or it found a bug.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of this name");
    let _ = target(bytes);
}

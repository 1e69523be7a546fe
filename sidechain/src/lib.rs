//! The sidechain: members agree on blocks of the [ledger](windlass_ledger), keep them, and serve
//! them to followers with proof. It doesn't know what a deposit is, and reaches Bitcoin through
//! [`BitcoinPort`] only.
//!
//! # A member
//!
//! A member is one process and one call to [`run`], which brings its own runtime (tokio's) and
//! its own directory. Inside, `tokio::spawn`, axum and everything else of tokio work as usual.
//!
//! ```no_run
//! use std::{error::Error, path::PathBuf, sync::Arc};
//! use windlass_ledger::Genesis;
//! use windlass_sidechain::{IdentitySeed, Member, MemberConfig, NoPorts, Peer, Timing, To};
//!
//! /// `genesis_of` makes the genesis of what key generation came to.
//! fn member(config: MemberConfig, genesis_of: fn(&[u8]) -> Genesis) -> Result<(), Box<dyn Error>> {
//!     let dir: PathBuf = config.dir.clone();
//!     windlass_sidechain::run(&dir, move |context| async move {
//!         // 1. Join. The links to the other members work from here on: key generation runs on them.
//!         let (member, links) = Member::join(context, config)?;
//!         let (sender, mut messages) = links.split();
//!         sender.all_connected().await?;
//!         sender.send(To::All, b"round one".to_vec())?;
//!         let (from, message) = messages.recv().await.expect("the network runs");
//!         let genesis = genesis_of(&message);
//!
//!         // 2. Agree on blocks, from the genesis or from where this member stopped.
//!         let chain = member.start_consensus(genesis, Arc::new(NoPorts), Arc::new(NoPorts)).await?;
//!
//!         // 3. The rest of the process: an API, signing over `sender` and `messages`, …
//!         let api = tokio::spawn(async move { println!("block {}", chain.tip().height) });
//!         api.await?;
//!         Ok::<(), Box<dyn Error>>(())
//!     })?; // When this returns, everything of the member has stopped.
//!     Ok(())
//! }
//! ```
//!
//! # Invariants
//! - Nothing is shown as final, or handed to [`FinalizedPort`], that a quorum has not made final.
//! - State, block, certificate and height become durable together, in order, before the engine is
//!   told that the block was taken.
//! - A member whose journal of votes is lost doesn't start ([`StartError::JournalLost`]).
//! - What another member, or a user, sends can't reach a panic. A failing disk stops the process.
//!
//! Not here: clocks in the rules (a block has no time), pruning.

mod beacon;
mod chain_store;
mod committees;
mod config;
mod core;
mod engine;
mod follower;
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod identity;
mod level;
mod links;
mod mark;
mod member;
mod mempool;
mod ports;
mod proofs;
mod signatures;
mod snapshot;
mod tree;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod light_tests;
#[cfg(test)]
mod network_tests;
#[cfg(test)]
mod simulation_epochs_tests;
#[cfg(test)]
mod simulation_faults_tests;
#[cfg(test)]
mod simulation_lies_tests;
#[cfg(test)]
mod simulation_peg_tests;
#[cfg(test)]
mod simulation_tests;

pub use chain_store::{Base, ChainStore, ChainStoreError, Finalised, Location};
pub use config::{IdentitySeed, MAX_BODY_BYTES, MAX_LINK_BYTES, MAX_MESSAGE_BYTES, MemberConfig, Peer, Timing};
pub use core::{Misbehaviour, NoteError, SubmitError};
pub use engine::committee::identity_of;
pub use engine::lines::JoinError;
pub use follower::{FollowError, Follower, follow_into};
pub use handle::{Handle, TxStatus};
pub use identity::{endorse, endorsed};
pub use links::{LinkError, LinkSender, Links, To};
pub use mark::VOTED_FILE;
pub use member::{CHAIN_FILE, Context, ENGINE_DIR, Member, StartError};
pub use mempool::PoolError;
pub use ports::{BitcoinPort, FinalizedPort, NoPorts};
pub use proofs::{ForkError, ForkProof, PROOFS_DIR};
pub use snapshot::{MAGIC as SNAPSHOT_MAGIC, Pieces, SnapshotError, pieces, restore};
pub use windlass_light::{CertificateError, CommitteeError, EpochLink, Epochs, signers, verify_block};

use commonware_runtime::{Runner as _, Spawner as _, Supervisor as _};
use std::path::Path;
use std::time::Duration;

/// Runs a member's process: starts a tokio runtime whose engine files are in `dir`, runs `main` on
/// it and stops everything when `main` returns.
///
/// Blocks the calling thread, which must not be inside another runtime. Several may run in one
/// process on threads of their own (tests do), each with its own `dir`.
pub fn run<F, Fut>(dir: &Path, main: F) -> Fut::Output
where
    F: FnOnce(Context) -> Fut,
    Fut: Future,
{
    let config = commonware_runtime::tokio::Config::new()
        .with_storage_directory(dir.join(ENGINE_DIR))
        .with_worker_threads(2)
        .with_max_blocking_threads(64);
    commonware_runtime::tokio::Runner::new(config).start(|context| async move {
        let stopper = context.child("stop");
        let outcome = main(context).await;
        // Lets the engine close its files and lines in peace; its disk is safe without, too.
        let _ = stopper.stop(0, Some(Duration::from_secs(2))).await;
        outcome
    })
}

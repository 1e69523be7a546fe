//! The wallet node: Lightning, Bitcoin and the sidechain from one seed, behind one API
//! ([`crate::api::wallet`]).
//!
//! A node lives in a folder: `config.toml` ([`WalletConfig`]), `seed`, `store` (all that must not be lost), and while it runs
//! `node.json` ([`Ready`]). [`run()`] is the whole process.
//!
//! - Bitcoin's chain reaches it three times: the channels feed themselves and the on-chain wallet,
//!   the peg watcher (`watch`) feeds the journal of pegs. Each of them undoes what a
//!   reorganisation takes.
//! - The sidechain reaches it through any member or follower (`members`). Deposit addresses are
//!   computed here and believed from nobody; balances are what the members say, checked against the
//!   certified blocks in the statement.
//! - What leaves is written down first (`journal`): after `kill -9` it goes on.

mod assets;
mod config;
mod errors;
mod gossip;
mod holds;
mod http;
mod journal;
mod lightning;
mod members;
mod node;
mod payments;
mod peers;
mod pegin;
mod pegout;
mod policies;
mod quote;
mod receipts;
mod recovery;
mod run;
mod seed;
mod sidetx;
mod splice;
mod statement;
mod transfer;
mod watch;

pub(crate) use journal::{JOURNAL_TABLES, fuzz_journal, journal_rows};
pub(crate) use seed::fuzz_words;

pub use config::{Ready, WalletConfig};
pub use recovery::{RecoveryError, Restoring, check_restore, restore, words};
pub use run::{RunError, run, run_async, run_until};
pub use seed::WordsError;

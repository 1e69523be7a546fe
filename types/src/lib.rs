//! The words that more than one crate of Windlass shares: amounts, heights, ids and the
//! tagged hash. No I/O, no async, no clock.
//!
//! Units are types with a private field, checked arithmetic and no `From<u64>`: a Bitcoin
//! height can't be added to a sidechain height by accident. Satoshis are [`bitcoin::Amount`].

mod account;
mod amount;
mod asset;
mod hash;
mod height;
mod short;

pub use account::{AccountId, AccountKind, AccountParseError, ChainNetwork};
pub use amount::{AmountParseError, Msat, format_btc, grouped, parse_msat, parse_sat};
pub use asset::{AssetId, AssetParseError};
pub use hash::{ChainId, Digest, DigestParseError, tagged_hash};
pub use height::{BlockRef, Blocks, BtcHeight, Epoch, SideHeight};
pub use short::{id_fits, short_by_both_ends};

/// Satoshis, as everywhere in `rust-bitcoin`.
pub use bitcoin::Amount;

//! The state of a block in the making.

use bitcoin::Amount;

/// The ledger's books don't add up: a fault of this software or of its database, never of a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvariantError {
    /// A sum left its range.
    #[error("{0} leaves its range")]
    Range(&'static str),
    /// L43: the treasury is not what the ledger owes.
    #[error("the treasury holds {treasury}, but supply {supply} and owed {owed} stand against it")]
    Reserve {
        /// The treasury's coin.
        treasury: Amount,
        /// The supply.
        supply: Amount,
        /// Burned and not settled.
        owed: Amount,
    },
    /// L34: a peg-out would pay more than it allows, or arrive as dust.
    #[error("the peg-out {0} would pay more than it allows")]
    FeeShare(windlass_types::Digest),
}

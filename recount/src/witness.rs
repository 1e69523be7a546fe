//! Whether a peg-out's account stands behind it: its key's signature, or what its policy asks for.

use crate::encoding;
use bitcoin::XOnlyPublicKey;
use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::secp256k1::{Message, Secp256k1, VerifyOnly, schnorr};
use windlass_ledger::{Clause, LeafWitness, Witness};
use windlass_types::{AccountId, AccountKind, BtcHeight, Digest, tagged_hash};

/// What a leaf is judged by.
struct Case<'a> {
    id: &'a Digest,
    anchor: BtcHeight,
    secp: &'a Secp256k1<VerifyOnly>,
}

pub(crate) fn holds(
    witness: &Witness,
    from: &AccountId,
    id: &Digest,
    anchor: BtcHeight,
    secp: &Secp256k1<VerifyOnly>,
) -> bool {
    let case = Case { id, anchor, secp };
    match witness {
        Witness::None => false,
        Witness::Key(signature) => from.kind == AccountKind::Key && case.signed(&from.bytes, signature),
        Witness::Policy(shown) => {
            let mut leaves = shown.leaves.iter();
            from.kind == AccountKind::Policy
                && from.bytes == tagged_hash("Windlass/policy", &[&encoding(&shown.policy)])
                && case.met(shown.policy.root(), &mut leaves)
                && leaves.next().is_none()
        }
    }
}

impl Case<'_> {
    fn signed(&self, key: &[u8; 32], signature: &[u8; 64]) -> bool {
        let key = XOnlyPublicKey::from_slice(key).ok().zip(schnorr::Signature::from_slice(signature).ok());
        key.is_some_and(|(key, signature)| {
            self.secp.verify_schnorr(&signature, &Message::from_digest(self.id.0), &key).is_ok()
        })
    }

    /// Whether the clause is met by the next of `leaves`, which stand for its leaves from the left.
    fn met(&self, clause: &Clause, leaves: &mut std::slice::Iter<'_, LeafWitness>) -> bool {
        match clause {
            Clause::Threshold { k, clauses } => {
                // Each takes its leaves, met or not.
                let met: Vec<bool> = clauses.iter().map(|clause| self.met(clause, leaves)).collect();
                met.iter().filter(|met| **met).count() >= usize::from(*k)
            }
            Clause::Key(key) => matches!(leaves.next(), Some(LeafWitness::Signature(one)) if self.signed(key, one)),
            Clause::Sha256(hash) => {
                matches!(leaves.next(), Some(LeafWitness::Preimage(one)) if sha256::Hash::hash(one).as_byte_array() == hash)
            }
            Clause::After(height) => matches!(leaves.next(), Some(LeafWitness::Reached) if self.anchor >= *height),
        }
    }
}

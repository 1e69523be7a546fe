//! Signatures by a member's identity over what is not a vote: in key generation, and under proposals (L81).

use commonware_cryptography::Verifier as _;
use commonware_cryptography::ed25519::{PublicKey, Signature};

/// Keeps these signatures apart from votes and links.
pub const ENDORSEMENT_NAMESPACE: &[u8] = b"windlass/endorsement";

/// Whether `signature` is that of `identity` (ed25519, as votes are) over `digest`, a tagged hash of what is meant.
pub fn endorsed(identity: &[u8; 32], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    let Ok(key) = PublicKey::try_from(&identity[..]) else { return false };
    let Ok(signature) = Signature::try_from(&signature[..]) else { return false };
    key.verify(ENDORSEMENT_NAMESPACE, digest, &signature)
}

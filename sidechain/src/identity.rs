//! Signatures by a member's identity over what is not a vote: what it says in key generation, and under proposals.

use crate::config::IdentitySeed;
use crate::engine::committee::private_key;
use commonware_cryptography::Signer as _;
use windlass_ledger::ENDORSEMENT_NAMESPACE;
pub use windlass_ledger::endorsed;

/// The identity's ed25519 signature over 32 bytes (a tagged hash of what is meant).
pub fn endorse(seed: &IdentitySeed, digest: &[u8; 32]) -> [u8; 64] {
    let signature = private_key(seed.bytes()).sign(ENDORSEMENT_NAMESPACE, digest);
    let bytes: &[u8] = signature.as_ref();
    bytes.try_into().expect("an ed25519 signature has 64 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::committee::identity_of;

    #[test]
    fn an_endorsement_is_of_one_identity_and_one_digest() {
        let (one, two) = (IdentitySeed::new([1; 32]), IdentitySeed::new([2; 32]));
        let signature = endorse(&one, &[7; 32]);
        assert!(endorsed(&identity_of(&one), &[7; 32], &signature));
        assert!(!endorsed(&identity_of(&one), &[8; 32], &signature));
        assert!(!endorsed(&identity_of(&two), &[7; 32], &signature));
        assert!(!endorsed(&[0xff; 32], &[7; 32], &[0; 64]));
    }
}

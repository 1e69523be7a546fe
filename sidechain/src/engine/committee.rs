//! The members' keys: what checks votes is the light client's, what makes them is here.

use commonware_codec::DecodeExt as _;
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PrivateKey;
pub(crate) use windlass_light::committee::{Committee, CommitteeError, EPOCH, Votes};

/// The signing key of an identity's seed.
pub(crate) fn private_key(seed: &[u8; 32]) -> PrivateKey {
    PrivateKey::decode(seed.to_vec()).expect("any 32 bytes are an ed25519 seed")
}

/// The ed25519 identity of a seed.
pub fn identity_of(seed: &crate::IdentitySeed) -> [u8; 32] {
    let public = private_key(seed.bytes()).public_key();
    let bytes: &[u8] = public.as_ref();
    bytes.try_into().expect("an ed25519 key has 32 bytes")
}

//! One seed, and the keys that follow from it. Whoever has the file has the money.

use crate::files::{self, BadFile};
use bitcoin::secp256k1::{Keypair, Secp256k1, SecretKey};
use rand::RngCore as _;
use std::path::Path;
use windlass_types::{AccountId, tagged_hash};

/// A node's root secret. Not shown, not cloned.
pub(super) struct Seed([u8; 32]);

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from leaving the line above out.
        std::hint::black_box(&self.0);
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl Seed {
    /// Reads `seed` of the folder, or makes it.
    pub(super) fn load_or_make(dir: &Path) -> Result<Self, BadFile> {
        let path = dir.join("seed");
        if let Some(bytes) = files::read_secret(&path)? {
            return Ok(Self(bytes));
        }
        let mut bytes = [0; 32];
        rand::rngs::OsRng.fill_bytes(&mut bytes);
        files::write_secret(&path, &bytes)?;
        Ok(Self(bytes))
    }

    fn derive(&self, what: &str, index: u64) -> [u8; 32] {
        tagged_hash("Windlass/seed", &[&self.0, &index.to_le_bytes(), what.as_bytes()])
    }

    fn keypair(&self, what: &str, index: u64) -> Keypair {
        let secret = SecretKey::from_slice(&self.derive(what, index)).expect("a hash is no valid key once in 2^127");
        Keypair::from_secret_key(&Secp256k1::signing_only(), &secret)
    }

    /// The root of the Lightning node's keys.
    pub(super) fn lightning(&self) -> [u8; 32] {
        self.derive("lightning", 0)
    }

    /// The root of the on-chain wallet's keys.
    pub(super) fn bitcoin(&self) -> [u8; 32] {
        self.derive("bitcoin", 0)
    }

    /// The key of the sidechain account.
    pub(super) fn account(&self) -> Keypair {
        self.keypair("sidechain", 0)
    }

    /// The sidechain account.
    pub(super) fn account_id(&self) -> AccountId {
        AccountId::from_key(&self.account().x_only_public_key().0)
    }

    /// The key that takes back a coin sent to the deposit address number `nonce`.
    pub(super) fn reclaim(&self, nonce: u64) -> Keypair {
        self.keypair("reclaim", nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn is_made_once_and_kept_secret() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = Seed::load_or_make(dir.path()).expect("made");
        let again = Seed::load_or_make(dir.path()).expect("read");
        assert_eq!(first.account_id(), again.account_id());
        assert_ne!(first.lightning(), first.bitcoin());
        assert_ne!(first.reclaim(0), first.reclaim(1));
        assert!(!format!("{first:?}").contains(&hex::encode(first.0)));
        let path = dir.path().join("seed");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("changed");
        assert!(Seed::load_or_make(dir.path()).expect_err("open to all").reason.contains("chmod 600"));
        std::fs::write(&path, "not hex").expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("changed");
        assert!(Seed::load_or_make(dir.path()).is_err());
    }
}

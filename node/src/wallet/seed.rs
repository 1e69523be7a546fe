//! One seed, and the keys that follow from it. Whoever has the file has the money.

use crate::files::{self, BadFile};
use bip39::{Language, Mnemonic};
use bitcoin::secp256k1::{Keypair, Secp256k1, SecretKey};
use rand::RngCore as _;
use std::path::Path;
use windlass_types::{AccountId, tagged_hash};

/// How many words a seed is.
const WORDS: usize = 24;

/// Why words are no seed. The words themselves are not repeated: errors end up in logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Too few or too many.
    #[error("a seed is {WORDS} words, these are {0}")]
    Count(usize),
    /// Not in the list.
    #[error("word {0} is not in BIP 39's English list")]
    Unknown(usize),
    /// One is wrong, or they are in the wrong order.
    #[error("the words' checksum does not fit: one is wrong, or two have changed places")]
    Checksum,
}

/// A node's root secret. Not shown, not cloned.
pub(super) struct Seed([u8; 32]);

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from leaving the line above out.
        std::hint::black_box(&self.0);
    }
}

/// For `windlass-fuzz`: words that are taken are those of the seed that they give.
pub(crate) fn fuzz_words(text: &str) -> bool {
    let Ok(seed) = Seed::from_words(text) else { return false };
    assert!(Seed::from_words(&seed.words()).is_ok_and(|again| again.0 == seed.0));
    true
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl Seed {
    /// Reads `seed` of the folder, or makes it.
    pub(super) fn load_or_make(dir: &Path) -> Result<Self, BadFile> {
        if let Some(seed) = Self::load(dir)? {
            return Ok(seed);
        }
        let mut seed = Self([0; 32]);
        rand::rngs::OsRng.fill_bytes(&mut seed.0);
        seed.save(dir)?;
        Ok(seed)
    }

    /// Reads `seed` of the folder; `None` if it isn't there.
    pub(super) fn load(dir: &Path) -> Result<Option<Self>, BadFile> {
        Ok(files::read_secret(&dir.join("seed"))?.map(Self))
    }

    /// Writes `seed` of the folder, for the owner alone.
    pub(super) fn save(&self, dir: &Path) -> Result<(), BadFile> {
        files::write_secret(&dir.join("seed"), &self.0)
    }

    /// The seed as 24 words (BIP 39, English): they are its 32 bytes, so other wallets that stretch words
    /// before they derive keys find nothing with them.
    pub(super) fn words(&self) -> String {
        Mnemonic::from_entropy(&self.0).expect("32 bytes are 24 words").to_string()
    }

    /// The seed of 24 words; letters may be large or small.
    pub(super) fn from_words(text: &str) -> Result<Self, WordsError> {
        let text = text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
        let count = text.split(' ').filter(|word| !word.is_empty()).count();
        if count != WORDS {
            return Err(WordsError::Count(count));
        }
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &text).map_err(|error| match error {
            bip39::Error::UnknownWord(at) => WordsError::Unknown(at.saturating_add(1)),
            _ => WordsError::Checksum,
        })?;
        let mut seed = Self([0; 32]);
        seed.0.copy_from_slice(&mnemonic.to_entropy());
        Ok(seed)
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
    fn words_that_are_no_seed() {
        let words = Seed([7; 32]).words();
        let list: Vec<&str> = words.split(' ').collect();
        let error = |words: &[&str]| Seed::from_words(&words.join(" ")).expect_err("no seed");
        assert_eq!(error(&list[..12]), WordsError::Count(12));
        assert_eq!(error(&[]), WordsError::Count(0));
        let mut other = list.clone();
        other[2] = "windlass";
        assert_eq!(error(&other), WordsError::Unknown(3));
        let mut swapped = list.clone();
        swapped.swap(0, 23);
        assert_eq!(error(&swapped), WordsError::Checksum);
    }

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

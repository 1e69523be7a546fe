//! What members say to each other while they generate a key.

use crate::wire::{self, DecodeError};
use borsh::{BorshDeserialize, BorshSerialize};
use windlass_types::{Digest, tagged_hash};

/// The longest package of round 1 or 2, in bytes (39 of 57: about 1,400).
pub const MAX_PACKAGE_BYTES: usize = 4096;

/// How far a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Progress {
    /// It has no share yet.
    Working,
    /// It has saved its share of this transcript: its confirmation.
    Saved(Digest),
    /// As `Saved`, but it restarted since: what it knew of the session beyond the share is gone.
    Resumed(Digest),
    /// It knows that everyone has saved.
    Complete(Digest),
}

/// A round-1 package, signed by its author's identity for one session.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedPackage {
    /// FROST's encoding.
    pub package: Vec<u8>,
    /// The author's signature over [`SignedPackage::digest`].
    pub signature: [u8; 64],
}

impl SignedPackage {
    /// What the author signs: the session, its own index and the package.
    pub fn digest(session: &Digest, author: u16, package: &[u8]) -> [u8; 32] {
        tagged_hash("Windlass/dkg round 1", &[session.as_bytes(), &author.to_le_bytes(), package])
    }
}

/// What one member accuses another of.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Accusation {
    /// Two different packages, both signed for the same session: a proof.
    Equivocation(Box<[SignedPackage; 2]>),
    /// The accuser's word alone: a broken package, a wrong share, a false echo.
    Word(String),
}

/// A message of key generation.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum DkgMessage {
    /// Who takes part, repeated until the end.
    Hello {
        /// The hash of everything that was agreed before: members, threshold, parameters.
        terms: Digest,
        /// Fresh for each start of the member.
        nonce: [u8; 32],
        /// How far it is.
        progress: Progress,
    },
    /// The member's own round-1 package.
    Round1 {
        /// The session.
        session: Digest,
        /// The package.
        package: SignedPackage,
    },
    /// All round-1 packages as this member has received them.
    Echo {
        /// The session.
        session: Digest,
        /// One for each member, in order.
        packages: Vec<SignedPackage>,
    },
    /// The recipient's secret share. The links encrypt.
    Round2 {
        /// The session.
        session: Digest,
        /// FROST's encoding.
        package: Vec<u8>,
    },
    /// This member gives up and says whose fault it is.
    Abort {
        /// The session.
        session: Digest,
        /// The accused.
        member: u16,
        /// What it did.
        accusation: Accusation,
    },
}

/// The longest reason in an accusation, in bytes.
const MAX_REASON_BYTES: usize = 300;

impl DkgMessage {
    /// Decodes one message, strictly and within bounds.
    ///
    /// # Errors
    /// The bytes are too many, or not exactly one message.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message: Self = wire::decode(bytes)?;
        let malformed = |what: &str| Err(DecodeError::Malformed(what.into()));
        let long = |p: &SignedPackage| p.package.len() > MAX_PACKAGE_BYTES;
        match &message {
            Self::Round1 { package, .. } if long(package) => malformed("a round-1 package is too long"),
            Self::Echo { packages, .. } if packages.len() > usize::from(wire::MAX_MEMBERS) => {
                malformed("too many packages")
            }
            Self::Echo { packages, .. } if packages.iter().any(long) => malformed("a round-1 package is too long"),
            Self::Round2 { package, .. } if package.len() > MAX_PACKAGE_BYTES => {
                malformed("a round-2 package is too long")
            }
            Self::Abort { accusation: Accusation::Word(reason), .. } if reason.len() > MAX_REASON_BYTES => {
                malformed("a reason is too long")
            }
            _ => Ok(message),
        }
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }
}

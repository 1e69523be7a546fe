//! Proof files: a fact of the sidechain that anyone checks with the genesis and no connection.

use crate::certificate::CertificateError;
use crate::epochs::{EpochLink, Epochs, LinkError, MAX_LINKS};
use crate::lock::{self, Lock, Part};
use serde::{Deserialize, Serialize};
use windlass_ledger::{
    Account, DecodeError, Genesis, Header, Inclusion, ParamsRecord, Transaction, genesis_state, keys, smt,
};
use windlass_types::{AccountId, AssetId, ChainId, Digest, SideHeight};

/// An account's id in a key: its kind and 32 bytes.
const ACCOUNT_BYTES: usize = 33;
/// An account's id and an asset's.
const UNITS_BYTES: usize = 65;

/// What a proof file says that it is.
pub const FORMAT: &str = "windlass-proof";

/// The version of proof files that this reads and writes.
pub const VERSION: u32 = 2;

/// A fact, the header that it stands under, and the votes that made the header final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofFile {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The chain.
    pub chain: ChainId,
    /// From the genesis's members to those of the header, one for each epoch in between.
    pub links: Vec<EpochLink>,
    /// The header's canonical encoding.
    #[serde(with = "hex::serde")]
    pub header: Vec<u8>,
    /// The header's certificate; empty for the genesis block.
    #[serde(with = "hex::serde")]
    pub certificate: Vec<u8>,
    /// The fact.
    pub claim: Claim,
}

/// What is claimed, and how it hangs under the header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Claim {
    /// The state after the block has this value under this key, or nothing (L50 to L53).
    Entry {
        /// The key.
        #[serde(with = "hex::serde")]
        key: Vec<u8>,
        /// The value; none is "there is no such entry".
        value: Option<HexBytes>,
        /// The canonical encoding of the [`smt::Proof`].
        #[serde(with = "hex::serde")]
        proof: Vec<u8>,
    },
    /// The block has this transaction (L4).
    Transaction {
        /// Its canonical encoding, with its witness.
        #[serde(with = "hex::serde")]
        transaction: Vec<u8>,
        /// The canonical encoding of the [`Inclusion`].
        #[serde(with = "hex::serde")]
        proof: Vec<u8>,
    },
    /// A hash lock has this, and of these of its hashes a preimage was shown (L75).
    Lock {
        /// The canonical encoding of its policy.
        #[serde(with = "hex::serde")]
        policy: Vec<u8>,
        /// The entry of its account.
        account: Part,
        /// The entry of each of its hashes: each once, from the left.
        preimages: Vec<Part>,
    },
}

/// Bytes that JSON shows in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HexBytes(#[serde(with = "hex::serde")] pub Vec<u8>);

/// Why a proof file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// No proof file, or damaged.
    #[error("this is no proof file: {0}")]
    Unreadable(String),
    /// Of another version.
    #[error("the proof file is of version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// Of another chain.
    #[error("the proof is of the chain {found}; the genesis given is that of {expected}")]
    OtherChain {
        /// The genesis's chain.
        expected: ChainId,
        /// The proof's chain.
        found: ChainId,
    },
    /// The header is not final.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// An epoch's members don't hand on to the next one's.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A block 0 that is not the genesis's.
    #[error("the proof's block 0 is not the genesis block of the chain {0}")]
    GenesisBlock(ChainId),
    /// More links than the header needs.
    #[error("the proof has links to epochs that begin after block {0}")]
    TooManyLinks(SideHeight),
    /// The fact does not hang under the header.
    #[error("block {0} is final, but does not say what the proof claims")]
    Claim(SideHeight),
    /// A part that does not decode.
    #[error("the proof's {what} is malformed: {reason}")]
    Malformed {
        /// Which part.
        what: &'static str,
        /// What the decoder says.
        reason: String,
    },
}

/// What a proof file proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The block.
    pub header: Header,
    /// Who signed that it is final, by their index in the genesis; nobody for the genesis block.
    pub signers: Vec<u16>,
    /// The epoch of the members that signed: how many changes of them the proof shows.
    pub epoch: u64,
    /// The fact.
    pub fact: Fact,
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// After the block, this account had this; none is "there was no such account".
    Account(AccountId, Option<Account>),
    /// After the block, these were the chain's parameters.
    Params(Box<ParamsRecord>),
    /// After the block, this account had so many units of this asset; none is 0 units.
    Units(AccountId, AssetId, u64),
    /// After the block, the state had this value, or none, under this key.
    Entry(Vec<u8>, Option<Vec<u8>>),
    /// The block has this transaction, at this place.
    Transaction(Box<Transaction>, u64),
    /// After the block, this was the state of a hash lock.
    Lock(Box<Lock>),
}

impl ProofFile {
    /// Makes a file of the genesis's epoch; `certificate` is empty for the genesis block.
    pub fn new(header: &Header, certificate: Vec<u8>, claim: Claim) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            chain: header.chain,
            links: Vec::new(),
            header: borsh::to_vec(header).expect("writing to a vector does not fail and no length reaches u32"),
            certificate,
            claim,
        }
    }

    /// With the links of all epochs up to the header's.
    #[must_use]
    pub fn with_links(self, links: Vec<EpochLink>) -> Self {
        Self { links, ..self }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is none, or of another version.
    pub fn read(text: &str) -> Result<Self, ProofError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let unreadable = |error: serde_json::Error| ProofError::Unreadable(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(unreadable)?;
        if head.format != FORMAT {
            return Err(ProofError::Unreadable(format!("its format is {:?}, not {FORMAT:?}", head.format)));
        }
        if head.version != VERSION {
            return Err(ProofError::Version(head.version));
        }
        serde_json::from_str(text).map_err(unreadable)
    }

    /// Checks it against the chain's genesis.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, genesis: &Genesis) -> Result<Proven, ProofError> {
        let expected = genesis.chain_id();
        let header: Header = decode("header", &self.header)?;
        for found in [self.chain, header.chain] {
            if found != expected {
                return Err(ProofError::OtherChain { expected, found });
            }
        }
        let (signers, epoch) = self.finality(genesis, &header)?;
        let fact = self.claim.verify(&header)?;
        Ok(Proven { header, signers, epoch, fact })
    }

    fn finality(&self, genesis: &Genesis, header: &Header) -> Result<(Vec<u16>, u64), ProofError> {
        if header.height == SideHeight::default() {
            // Nobody votes for it: it follows from the genesis.
            let (_, first) = genesis_state(genesis);
            let holds = *header == first && self.certificate.is_empty() && self.links.is_empty();
            return if holds { Ok((Vec::new(), 0)) } else { Err(ProofError::GenesisBlock(genesis.chain_id())) };
        }
        if self.links.len() > MAX_LINKS {
            return Err(malformed("list of links", format!("{} of them", self.links.len())));
        }
        let mut epochs = Epochs::of_genesis(genesis).map_err(|error| CertificateError::Members(error.to_string()))?;
        for link in &self.links {
            epochs.cross(link)?;
        }
        let (first, committee) = epochs.newest();
        if header.height < first {
            return Err(ProofError::TooManyLinks(header.height));
        }
        let epoch = committee.epoch().get();
        Ok((epochs.verify_header(header, &self.certificate)?, epoch))
    }
}

impl Claim {
    fn verify(&self, header: &Header) -> Result<Fact, ProofError> {
        let wrong = || ProofError::Claim(header.height);
        match self {
            Self::Entry { key, value, proof } => {
                let proof: smt::Proof = decode("proof", proof)?;
                let value = value.as_ref().map(|value| value.0.as_slice());
                // What is not of the state proper is not under the root, whoever asks for it.
                if !key.starts_with(keys::STATE) || !smt::verify(&header.state_root, key, value, &proof) {
                    return Err(wrong());
                }
                if let Some(value) = value.filter(|_| key == keys::PARAMS) {
                    return Ok(Fact::Params(Box::new(decode("parameters", value)?)));
                }
                match key.strip_prefix(keys::ACCOUNTS) {
                    Some(id) if id.len() == ACCOUNT_BYTES => {
                        let account = value.map(|value| decode("account", value)).transpose()?;
                        Ok(Fact::Account(decode("account's id", id)?, account))
                    }
                    _ => units(key, value).unwrap_or_else(|| Ok(Fact::Entry(key.clone(), value.map(<[u8]>::to_vec)))),
                }
            }
            Self::Transaction { transaction, proof } => {
                let transaction = Transaction::decode(transaction)
                    .map_err(|error: DecodeError| malformed("transaction", error.to_string()))?;
                let proof: Inclusion = decode("proof", proof)?;
                if !proof.holds(&header.body_root, &transaction) {
                    return Err(wrong());
                }
                Ok(Fact::Transaction(Box::new(transaction), proof.index))
            }
            Self::Lock { policy, account, preimages } => {
                let lock = lock::verify(&header.state_root, policy, account, preimages, &wrong)?;
                Ok(Fact::Lock(Box::new(lock)))
            }
        }
    }
}

/// What an entry says of an asset's units, if its key is of such.
fn units(key: &[u8], value: Option<&[u8]>) -> Option<Result<Fact, ProofError>> {
    let id = key.strip_prefix(keys::UNITS).filter(|id| id.len() == UNITS_BYTES)?;
    let (account, asset) = id.split_at_checked(ACCOUNT_BYTES)?;
    let fact = || {
        let units = value.map_or(Ok(0), |value| decode("number of units", value))?;
        let asset = AssetId(decode("asset's id", asset)?);
        Ok(Fact::Units(decode("account's id", account)?, asset, units))
    };
    Some(fact())
}

impl Proven {
    /// The block's digest.
    pub fn block(&self) -> Digest {
        self.header.digest()
    }
}

pub(crate) fn malformed(what: &'static str, reason: String) -> ProofError {
    ProofError::Malformed { what, reason }
}

pub(crate) fn decode<T: borsh::BorshDeserialize>(what: &'static str, bytes: &[u8]) -> Result<T, ProofError> {
    borsh::from_slice(bytes).map_err(|error| malformed(what, error.to_string()))
}

#[cfg(test)]
#[path = "proof_tests.rs"]
pub(crate) mod tests;

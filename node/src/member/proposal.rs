//! A proposal as a file that goes from member to member: each adds its signature, with its own identity and after
//! its own look at the chain, and whoever has enough of them submits it.

use super::config;
use crate::api::member::ParamsInfo;
use crate::files::{self, BadFile};
use serde::{Deserialize, Serialize};
use std::path::Path;
use windlass_ledger::{
    DialChange, Genesis, GenesisMember, MemberSignature, Params, ParamsChange, Proposal, ProposalError, Transaction,
    endorsed, enrolment,
};
use windlass_sidechain::{endorse, identity_of};
use windlass_types::{ChainId, SideHeight};

/// What the file says that it is.
pub const PROPOSAL_FORMAT: &str = "windlass-proposal";
/// The version of the file that this reads and writes.
pub const PROPOSAL_VERSION: u32 = 2;

/// See the module's head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalFile {
    /// [`PROPOSAL_FORMAT`].
    pub format: String,
    /// [`PROPOSAL_VERSION`].
    pub version: u32,
    /// The chain.
    pub chain: ChainId,
    /// The proposal's number.
    pub number: u64,
    /// The first block that the change is in force for; none: what is pending is dropped.
    pub height: Option<SideHeight>,
    /// All parameters from then on, if they change.
    pub params: Option<Params>,
    /// Who gets another identity, if one does.
    pub replace: Option<Enrolment>,
    /// Who signed.
    pub signatures: Vec<SignedBy>,
}

/// A new identity's word that it takes a member's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The chain.
    pub chain: ChainId,
    /// The member's name.
    pub member: String,
    /// Its new identity.
    #[serde(with = "hex::serde")]
    pub identity: [u8; 32],
    /// By that identity.
    #[serde(with = "hex::serde")]
    pub consent: [u8; 64],
}

impl Enrolment {
    /// Of the folder `dir`, whose identity is to be that of the member `name`.
    ///
    /// # Errors
    /// There is no such member, or the folder has no identity.
    pub fn of(dir: &Path, genesis: &Genesis, name: &str) -> Result<Self, ProposalFileError> {
        let (index, _) = place(genesis, name)?;
        let seed = config::identity_seed(dir)?;
        let (chain, identity) = (genesis.chain_id(), identity_of(&seed));
        let consent = endorse(&seed, &enrolment(chain, index, &identity).0);
        Ok(Self { chain, member: name.to_owned(), identity, consent })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is none.
    pub fn load(path: &Path) -> Result<Self, BadFile> {
        serde_json::from_str(&files::read(path)?).map_err(|error| BadFile::new(path, error))
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// It can't be written.
    pub fn save(&self, path: &Path) -> Result<(), BadFile> {
        let text = serde_json::to_string_pretty(self).map_err(|error| BadFile::new(path, error))?;
        files::write_whole(path, format!("{text}\n").as_bytes(), 0o644)
    }
}

fn place<'a>(genesis: &'a Genesis, name: &str) -> Result<(u16, &'a GenesisMember), ProposalFileError> {
    let found = (0_u16..).zip(&genesis.members).find(|(_, member)| member.name == name);
    found.ok_or_else(|| ProposalFileError::NoSuchMember(name.to_owned()))
}

/// A member's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedBy {
    /// Its name.
    pub member: String,
    /// By its identity.
    #[serde(with = "hex::serde")]
    pub signature: [u8; 64],
}

/// Why a proposal file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ProposalFileError {
    /// The file, or one of the member's folder.
    #[error(transparent)]
    File(#[from] BadFile),
    /// Of another chain.
    #[error("the proposal is for the chain {found}; this is {expected}")]
    OtherChain {
        /// This chain.
        expected: ChainId,
        /// The file's.
        found: ChainId,
    },
    /// No member has this name.
    #[error("no member is called {0:?}")]
    NoSuchMember(String),
    /// The folder's identity is no member's.
    #[error("{0}: its identity is no member's of this chain")]
    NotAMember(String),
    /// A signature of nobody, or that does not hold.
    #[error("the file's signature of {0} does not hold for this proposal")]
    Signature(String),
    /// Files of different proposals.
    #[error("the files are of different proposals: sign copies of one file")]
    Different,
    /// The rules refuse it.
    #[error(transparent)]
    Refused(#[from] ProposalError),
}

impl ProposalFile {
    /// A proposal that nobody signed yet: the next one of the chain as `info` shows it. `change` is the height and
    /// all parameters from then on, or none to drop the pending change.
    pub fn new(info: &ParamsInfo, change: Option<(SideHeight, Params)>) -> Self {
        let (height, params) = change.unzip();
        Self {
            format: PROPOSAL_FORMAT.to_owned(),
            version: PROPOSAL_VERSION,
            chain: info.chain,
            number: info.record.proposals.saturating_add(1),
            height,
            params,
            replace: None,
            signatures: Vec::new(),
        }
    }

    /// The same for another identity of a member, from a height on.
    pub fn replacing(info: &ParamsInfo, height: SideHeight, enrolment: Enrolment) -> Self {
        Self { height: Some(height), replace: Some(enrolment), ..Self::new(info, None) }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is none, or of another version.
    pub fn load(path: &Path) -> Result<Self, BadFile> {
        let file: Self = serde_json::from_str(&files::read(path)?).map_err(|error| BadFile::new(path, error))?;
        if file.format != PROPOSAL_FORMAT || file.version != PROPOSAL_VERSION {
            return Err(BadFile::new(path, format!("it is no {PROPOSAL_FORMAT} of version {PROPOSAL_VERSION}")));
        }
        let changes = usize::from(file.params.is_some()) + usize::from(file.replace.is_some());
        if usize::from(file.height.is_some()) != changes {
            return Err(BadFile::new(
                path,
                "a change has a height and either parameters or a member, a withdrawal has none",
            ));
        }
        Ok(file)
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// It can't be written.
    pub fn save(&self, path: &Path) -> Result<(), BadFile> {
        let text = serde_json::to_string_pretty(self).map_err(|error| BadFile::new(path, error))?;
        files::write_whole(path, format!("{text}\n").as_bytes(), 0o644)
    }

    /// What it changes of the parameters in force.
    pub fn changes(&self, info: &ParamsInfo) -> Vec<DialChange> {
        self.params.as_ref().map(|params| info.record.params.changes_to(params)).unwrap_or_default()
    }

    /// The proposal, with the signatures in the order of the members. Checks each of them.
    ///
    /// # Errors
    /// It is another chain's, or a signature does not hold.
    pub fn proposal(&self, genesis: &Genesis, info: &ParamsInfo) -> Result<Proposal, ProposalFileError> {
        let (expected, found) = (genesis.chain_id(), self.chain);
        if found != expected {
            return Err(ProposalFileError::OtherChain { expected, found });
        }
        let change = match (self.height, &self.params, &self.replace) {
            (Some(height), Some(params), _) => ParamsChange::Set { height, params: params.clone() },
            (Some(height), None, Some(Enrolment { chain, member, identity, consent })) => {
                if *chain != expected {
                    return Err(ProposalFileError::OtherChain { expected, found: *chain });
                }
                let (member, _) = place(genesis, member)?;
                ParamsChange::Replace { height, member, identity: *identity, consent: *consent }
            }
            _ => ParamsChange::Cancel,
        };
        let mut proposal = Proposal { number: self.number, change, signatures: Vec::new() };
        let digest = proposal.digest(expected);
        let identities = &info.membership.in_force.identities;
        for ((index, member), identity) in (0_u16..).zip(&genesis.members).zip(identities) {
            let Some(by) = self.signatures.iter().find(|by| by.member == member.name) else { continue };
            if !endorsed(identity, &digest.0, &by.signature) {
                return Err(ProposalFileError::Signature(by.member.clone()));
            }
            proposal.signatures.push(MemberSignature { member: index, signature: by.signature });
        }
        let is_member = |by: &&SignedBy| genesis.members.iter().any(|member| member.name == by.member);
        match self.signatures.iter().find(|by| !is_member(by)) {
            Some(stranger) => Err(ProposalFileError::Signature(stranger.member.clone())),
            None => Ok(proposal),
        }
    }

    /// Signs it as the member whose folder is `dir`, if the rules would take it after the block that `info` shows.
    /// Returns the member's name.
    ///
    /// # Errors
    /// The rules refuse it, or the folder has no identity of a member.
    pub fn sign(&mut self, dir: &Path, genesis: &Genesis, info: &ParamsInfo) -> Result<String, ProposalFileError> {
        let proposal = self.proposal(genesis, info)?;
        let next = info.height.next().unwrap_or(info.height);
        proposal.check(genesis, &info.record, &info.membership, next)?;
        let seed = config::identity_seed(dir)?;
        let identity = identity_of(&seed);
        let place = info.membership.in_force.identities.iter().position(|known| *known == identity);
        let member = place.and_then(|place| genesis.members.get(place));
        let member = member.ok_or_else(|| ProposalFileError::NotAMember(dir.display().to_string()))?;
        let signature = endorse(&seed, &proposal.digest(self.chain).0);
        self.signatures.retain(|by| by.member != member.name);
        self.signatures.push(SignedBy { member: member.name.clone(), signature });
        Ok(member.name.clone())
    }

    /// Takes the signatures of another copy of the same proposal.
    ///
    /// # Errors
    /// It is of another proposal.
    pub fn merge(&mut self, other: Self) -> Result<(), ProposalFileError> {
        let unsigned = |file: &Self| Self { signatures: Vec::new(), ..file.clone() };
        if unsigned(self) != unsigned(&other) {
            return Err(ProposalFileError::Different);
        }
        for by in other.signatures {
            if !self.signatures.iter().any(|known| known.member == by.member) {
                self.signatures.push(by);
            }
        }
        Ok(())
    }

    /// The transaction, if enough members signed and the rules would take it after the block that `info` shows.
    ///
    /// # Errors
    /// They would not.
    pub fn transaction(&self, genesis: &Genesis, info: &ParamsInfo) -> Result<Transaction, ProposalFileError> {
        let proposal = self.proposal(genesis, info)?;
        let next = info.height.next().unwrap_or(info.height);
        proposal.check(genesis, &info.record, &info.membership, next)?;
        proposal.verify_signatures(genesis, &info.membership)?;
        Ok(Transaction::proposal(self.chain, proposal))
    }
}

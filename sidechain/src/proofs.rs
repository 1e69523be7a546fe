//! Proofs that members broke their promise, and the files that they are kept in: what was caught once is known
//! after a restart, and can be shown to others.
//!
//! Two kinds. A member that votes twice in a round is [`Misbehaviour`]: up to a third of the members may, and
//! nothing bad comes of it. Two final headers at one height are a [`ForkProof`]: more than a third did, what
//! is final means nothing any more, and whoever signs for the chain on Bitcoin stops (see
//! [`Handle::fork`](crate::Handle::fork)).

use crate::core::Misbehaviour;
use borsh::{BorshDeserialize, BorshSerialize};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tracing::error;
use windlass_ledger::Header;
use windlass_light::{CertificateError, Epochs};
use windlass_types::SideHeight;

/// The proofs, in the member's directory.
pub const PROOFS_DIR: &str = "proofs";
/// Proofs against members that are kept; one says as much as a thousand.
const MAX_KEPT: usize = 64;
const FORK: &str = "fork-";

/// Two headers of one height, both final by a quorum's votes.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ForkProof {
    /// The one that this member holds.
    pub first: (Header, Vec<u8>),
    /// The other, with its certificate.
    pub second: (Header, Vec<u8>),
}

/// Why two headers prove nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// They are of two heights, or the same.
    #[error("the headers at {first} and {second} don't exclude each other")]
    Agree {
        /// The first one's height.
        first: SideHeight,
        /// The second one's.
        second: SideHeight,
    },
    /// One is not final.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl ForkProof {
    /// The height at which there are two.
    pub const fn height(&self) -> SideHeight {
        self.first.0.height
    }

    /// Checks the proof from the members by epochs alone; returns those, by index and ascending, that signed both.
    ///
    /// # Errors
    /// It proves nothing.
    pub fn verify(&self, epochs: &Epochs) -> Result<Vec<u16>, ForkError> {
        let (first, second) = (&self.first, &self.second);
        if first.0.height != second.0.height || first.0 == second.0 {
            return Err(ForkError::Agree { first: first.0.height, second: second.0.height });
        }
        let signers = |(header, certificate): &(Header, Vec<u8>)| epochs.verify_header(header, certificate);
        let (mut culprits, others) = (signers(first)?, signers(second)?);
        culprits.retain(|member| others.contains(member));
        Ok(culprits)
    }
}

#[derive(Default)]
struct Known {
    misbehaviour: Vec<Misbehaviour>,
    fork: Option<String>,
}

/// See the module's head.
pub(crate) struct Proofs {
    dir: PathBuf,
    known: Mutex<Known>,
}

impl Proofs {
    /// Those that are in `dir`'s folder for them. A fork's file counts even if it can't be read: only a person
    /// takes it away.
    pub fn open(dir: &Path) -> std::io::Result<Self> {
        let dir = dir.join(PROOFS_DIR);
        let mut known = Known::default();
        if dir.exists() {
            for entry in std::fs::read_dir(&dir)? {
                let path = entry?.path();
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                if name.starts_with(FORK) {
                    known.fork = Some(format!("two blocks are final at one height: see {}", path.display()));
                } else if let Some(found) = read_misbehaviour(&path) {
                    known.misbehaviour.push(found);
                }
            }
            known.misbehaviour.sort_by_key(|found| (found.member, found.view));
        }
        Ok(Self { dir, known: Mutex::new(known) })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn misbehaviour(&self) -> Vec<Misbehaviour> {
        self.lock().misbehaviour.clone()
    }

    pub fn fork(&self) -> Option<String> {
        self.lock().fork.clone()
    }

    /// Keeps the first proof of each kind against each member.
    pub fn note_misbehaviour(&self, found: Misbehaviour) {
        let mut known = self.lock();
        let list = &mut known.misbehaviour;
        let is_known = list.iter().any(|other| other.member == found.member && other.what == found.what);
        if is_known || list.len() >= MAX_KEPT {
            return;
        }
        error!(member = found.member, what = found.what, view = found.view, "a member broke its promise");
        let name = format!("member-{}-view-{}.json", found.member, found.view);
        let value = json!({
            "what": found.what, "member": found.member, "view": found.view, "votes": hex::encode(&found.proof),
        });
        if let Err(error) = self.write(&name, &value) {
            error!(%error, name, "can't write the proof; it is known until this member stops");
        }
        list.push(found);
    }

    /// Keeps a proof that holds; from here on there is a fork.
    pub fn note_fork(&self, proof: &ForkProof, culprits: &[u16]) {
        let height = proof.height();
        let name = format!("{FORK}{height}.json");
        let side = |(header, certificate): &(Header, Vec<u8>)| {
            json!({
                "block": header.digest().to_string(), "certificate": hex::encode(certificate),
                "header": hex::encode(borsh::to_vec(header).unwrap_or_default()),
            })
        };
        let value = json!({
            "what": "two final blocks at one height", "chain": proof.first.0.chain.to_string(), "height": height.get(),
            "signed_both": culprits, "first": side(&proof.first), "second": side(&proof.second),
        });
        error!(%height, ?culprits, "two blocks are final at one height: this member signs nothing on Bitcoin any more");
        self.lock().fork =
            Some(format!("two blocks are final at height {height}: see {}", self.dir.join(&name).display()));
        if let Err(error) = self.write(&name, &value) {
            error!(%error, name, "can't write the proof; it is known until this member stops");
        }
    }

    fn write(&self, name: &str, value: &Value) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        let aside = self.dir.join(format!(".{name}.new"));
        let mut file = std::fs::File::create(&aside)?;
        file.write_all(format!("{value:#}\n").as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&aside, self.dir.join(name))?;
        std::fs::File::open(&self.dir)?.sync_all()
    }
}

fn read_misbehaviour(path: &Path) -> Option<Misbehaviour> {
    let value: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let what = Misbehaviour::WHATS.into_iter().find(|what| value["what"] == **what)?;
    let member = u16::try_from(value["member"].as_u64()?).ok()?;
    let proof = hex::decode(value["votes"].as_str()?).ok()?;
    Some(Misbehaviour { member, what, view: value["view"].as_u64()?, proof })
}

#[cfg(test)]
#[path = "proofs_tests.rs"]
mod tests;

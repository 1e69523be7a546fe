//! A member's folder.
//!
//! - `config.toml`: this member's own settings ([`MemberConfig`]).
//! - `federation.json`: what all members agreed on before there was a key ([`Federation`]); the
//!   same bytes at each.
//! - `identity.key`, `emergency.key`: its secrets (0600), made by [`create`].
//! - `share.key`: its share of the treasury's key, made by key generation.
//! - `genesis.json`: the chain's genesis, from key generation on.
//! - `member.json`: where the running process answers ([`Ready`]).

use crate::files::{self, BadFile};
use bitcoin::key::{Keypair, Secp256k1};
use bitcoin::secp256k1::SecretKey;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use windlass_chain::BitcoindConfig;
use windlass_ledger::{Genesis, GenesisMember, Params};
use windlass_sidechain::{IdentitySeed, identity_of};
use windlass_types::{BlockRef, ChainNetwork, Digest};

/// A member's own settings, `config.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberConfig {
    /// Its name in the federation.
    pub name: String,
    /// Where its API listens; port 0 takes a free one (see [`Ready`]).
    pub api: SocketAddr,
    /// Where it listens for the other members.
    pub listen: SocketAddr,
    /// How long an idle chain waits between two blocks.
    #[serde(default = "heartbeat_ms")]
    pub heartbeat_ms: u64,
    /// How long a signing attempt may take before the next member coordinates.
    #[serde(default = "signing_attempt_ms")]
    pub signing_attempt_ms: u64,
    /// Its own bitcoind. Last, because TOML wants tables last.
    pub bitcoind: BitcoindConfig,
}

const fn heartbeat_ms() -> u64 {
    3_000
}

const fn signing_attempt_ms() -> u64 {
    3_000
}

impl MemberConfig {
    /// Settings with the usual pace.
    pub fn new(name: impl Into<String>, api: SocketAddr, listen: SocketAddr, bitcoind: BitcoindConfig) -> Self {
        let (heartbeat_ms, signing_attempt_ms) = (heartbeat_ms(), signing_attempt_ms());
        Self { name: name.into(), api, listen, heartbeat_ms, signing_attempt_ms, bitcoind }
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// It is missing or malformed.
    pub fn load(dir: &Path) -> Result<Self, BadFile> {
        let path = dir.join("config.toml");
        toml::from_str(&files::read(&path)?).map_err(|error| BadFile::new(&path, error))
    }

    /// Writes `config.toml`, whole or not at all; makes the folder.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save(&self, dir: &Path) -> Result<(), BadFile> {
        let path = dir.join("config.toml");
        let text = toml::to_string_pretty(self).map_err(|error| BadFile::new(&path, error))?;
        files::write_whole(&path, text.as_bytes(), 0o600)
    }

    pub(super) const fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }
}

/// What all members agree on before there is a key, `federation.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Federation {
    /// Names the federation, so that members of two don't talk to each other by mistake.
    pub name: String,
    /// The Bitcoin network.
    pub network: ChainNetwork,
    /// How many sign.
    pub threshold: u16,
    /// The Bitcoin block from which on the sidechain looks at Bitcoin.
    pub start: BlockRef,
    /// The dials.
    pub params: Params,
    /// The members, in the order of their indices.
    pub members: Vec<FederationMember>,
}

/// A member as all others know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederationMember {
    /// Its name.
    pub name: String,
    /// Its public keys.
    #[serde(flatten)]
    pub keys: MemberKeys,
    /// Where the other members reach it.
    pub address: SocketAddr,
}

/// A member's public keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberKeys {
    /// ed25519: its links and its votes.
    #[serde(with = "hex::serde")]
    pub identity: [u8; 32],
    /// x-only: its part in the treasury's emergency leaf.
    #[serde(with = "hex::serde")]
    pub emergency_key: [u8; 32],
}

impl Federation {
    /// Reads `federation.json`.
    ///
    /// # Errors
    /// It is missing or malformed, or no key generation could run with it.
    pub fn load(dir: &Path) -> Result<Self, BadFile> {
        let path = dir.join("federation.json");
        let federation: Self =
            serde_json::from_str(&files::read(&path)?).map_err(|error| BadFile::new(&path, error))?;
        let members = federation.members.len();
        if federation.threshold < 2 || usize::from(federation.threshold) > members {
            let reason = format!("{} of {members} can't sign together: it takes at least 2", federation.threshold);
            return Err(BadFile::new(path, reason));
        }
        if members > usize::from(windlass_peg::wire::MAX_MEMBERS) {
            return Err(BadFile::new(path, format!("{members} members are too many")));
        }
        Ok(federation)
    }

    /// Writes `federation.json`, whole or not at all; makes the folder.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save(&self, dir: &Path) -> Result<(), BadFile> {
        let path = dir.join("federation.json");
        let text = serde_json::to_string_pretty(self).map_err(|error| BadFile::new(&path, error))?;
        files::write_whole(&path, text.as_bytes(), 0o644)
    }

    /// The genesis with this treasury key.
    pub fn genesis(&self, treasury_key: [u8; 32]) -> Genesis {
        let member = |member: &FederationMember| GenesisMember {
            name: member.name.clone(),
            identity: member.keys.identity,
            emergency_key: member.keys.emergency_key,
        };
        Genesis {
            version: windlass_ledger::VERSION,
            network: self.network,
            members: self.members.iter().map(member).collect(),
            threshold: self.threshold,
            treasury_key,
            start: self.start,
            params: self.params.clone(),
        }
    }

    /// The hash of everything that members must have in common to generate a key.
    pub fn terms(&self) -> Digest {
        let without_key = self.genesis([0; 32]).chain_id();
        Digest::tagged("Windlass/federation", &[without_key.0.as_bytes(), self.name.as_bytes()])
    }
}

/// Where a running member answers: `member.json`, written once its API listens. While it is still
/// generating the key or waiting for others, the API says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The base address of its API.
    pub api: String,
    /// Its process.
    pub pid: u32,
}

impl Ready {
    /// Reads `member.json`; `None` before the first start.
    ///
    /// # Errors
    /// It can't be read.
    pub fn load(dir: &Path) -> Result<Option<Self>, BadFile> {
        let path = dir.join("member.json");
        let Some(text) = files::read_if_there(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| BadFile::new(&path, error))
    }

    pub(crate) fn save(&self, dir: &Path) -> Result<(), BadFile> {
        let path = dir.join("member.json");
        let text = serde_json::to_string_pretty(self).map_err(|error| BadFile::new(&path, error))?;
        files::write_whole(&path, text.as_bytes(), 0o644)
    }
}

fn identity_file(dir: &Path) -> PathBuf {
    dir.join("identity.key")
}

fn emergency_file(dir: &Path) -> PathBuf {
    dir.join("emergency.key")
}

/// Makes a member's folder: its settings and, unless they are there, its secrets. The public keys
/// go into everyone's [`Federation`].
///
/// # Errors
/// A file can't be written, or a secret that is there can't be read.
pub fn create(dir: &Path, config: &MemberConfig) -> Result<MemberKeys, BadFile> {
    config.save(dir)?;
    for path in [identity_file(dir), emergency_file(dir)] {
        if files::read_secret(&path)?.is_none() {
            let secret = SecretKey::new(&mut rand::rngs::OsRng);
            files::write_secret(&path, &secret.secret_bytes())?;
        }
    }
    keys(dir)
}

/// The public keys of a member's folder.
///
/// # Errors
/// A secret is missing, malformed or readable by others.
pub fn keys(dir: &Path) -> Result<MemberKeys, BadFile> {
    let identity = identity_of(&identity_seed(dir)?);
    let emergency_key = emergency_keypair(dir)?.x_only_public_key().0.serialize();
    Ok(MemberKeys { identity, emergency_key })
}

/// The member's identity.
pub(super) fn identity_seed(dir: &Path) -> Result<IdentitySeed, BadFile> {
    let path = identity_file(dir);
    let secret = files::read_secret(&path)?.ok_or_else(|| BadFile::new(&path, "the member's identity is missing"))?;
    Ok(IdentitySeed::new(secret))
}

/// The member's emergency key. On a real network it is kept elsewhere: only its public half is
/// needed here.
///
/// # Errors
/// It is missing, malformed or readable by others.
pub fn emergency_keypair(dir: &Path) -> Result<Keypair, BadFile> {
    let path = emergency_file(dir);
    let secret = files::read_secret(&path)?.ok_or_else(|| BadFile::new(&path, "the emergency key is not here"))?;
    let secret = SecretKey::from_slice(&secret).map_err(|error| BadFile::new(&path, error))?;
    Ok(Keypair::from_secret_key(&Secp256k1::new(), &secret))
}

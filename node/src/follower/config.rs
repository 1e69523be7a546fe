//! A follower's folder: `config.toml`, `genesis.json` (from the first answer on), `chain.redb`,
//! and `follower.json`, where the running process answers.

use crate::files::{self, BadFile};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;
use windlass_chain::BitcoindConfig;
use windlass_types::ChainId;

/// A follower's settings, `config.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowerConfig {
    /// Its name.
    pub name: String,
    /// Where its API listens; port 0 takes a free one (see [`Ready`]).
    pub api: SocketAddr,
    /// Base addresses of members (or other followers).
    pub members: Vec<String>,
    /// The sidechain. Without it the follower takes the one that all members that answer agree on,
    /// the first time, and stays with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainId>,
    /// Where it begins, instead of the genesis: a snapshot's file, or the base address of a member or follower that
    /// serves one. Asked once; what it has since goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Its own bitcoind, if it has one: only to show confirmations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitcoind: Option<BitcoindConfig>,
}

impl FollowerConfig {
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
}

/// Where a running follower answers: `follower.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The base address of its API.
    pub api: String,
    /// Its process.
    pub pid: u32,
}

impl Ready {
    /// Reads `follower.json`; `None` before the first start.
    ///
    /// # Errors
    /// It can't be read.
    pub fn load(dir: &Path) -> Result<Option<Self>, BadFile> {
        let path = dir.join("follower.json");
        let Some(text) = files::read_if_there(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| BadFile::new(&path, error))
    }

    pub(super) fn save(&self, dir: &Path) -> Result<(), BadFile> {
        let path = dir.join("follower.json");
        let text = serde_json::to_string_pretty(self).map_err(|error| BadFile::new(&path, error))?;
        files::write_whole(&path, text.as_bytes(), 0o644)
    }
}

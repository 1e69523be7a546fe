//! A wallet node's folder: `config.toml` (written by whoever makes the node), `seed` (0600),
//! `node.json` (where it answers, written by the running node), `store` (all that must not be lost).

use crate::files::{self, BadFile};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, FeeRate};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use windlass_chain::BitcoindConfig;
use windlass_types::{ChainId, ChainNetwork};

/// A node's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletConfig {
    /// Its name, also in Lightning's gossip.
    pub name: String,
    /// The Bitcoin network.
    pub network: ChainNetwork,
    /// Where its API listens; port 0 takes a free one (see [`Ready`]).
    pub api: SocketAddr,
    /// Where its Lightning peers reach it; port 0 takes a free one.
    pub lightning: SocketAddr,
    /// Base addresses of members or followers, `http://127.0.0.1:18884`. Any of them will do; it
    /// goes on to the next when one does not answer.
    pub members: Vec<String>,
    /// The sidechain. Without it the node takes the one that all members that answer agree on, the
    /// first time, and stays with it.
    #[serde(default)]
    pub chain: Option<ChainId>,
    /// What its own Bitcoin transactions pay, in satoshis per 1,000 vB.
    #[serde(default = "fee_rate")]
    pub fee_rate_sat_per_kvb: u64,
    /// Confirmations that a channel that others open needs before it can be used.
    #[serde(default = "minimum_depth")]
    pub minimum_depth: u32,
    /// Blocks that a peer's balance is locked for after a close by force.
    #[serde(default = "to_self_delay")]
    pub to_self_delay: u16,
    /// What stays on chain for each channel, to lift the fee of a close by force.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "anchor_reserve_sat", default = "anchor_reserve")]
    pub anchor_reserve: Amount,
    /// Lightning ids of peers whose channels are used before their funding is in a block. Such a peer can
    /// take what is paid over the channel meanwhile: name only who is trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zero_conf_peers: Vec<PublicKey>,
    /// A SOCKS5 proxy, usually Tor's (`127.0.0.1:9050`): through it Lightning peers at `.onion` addresses
    /// are reached. Without it they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<SocketAddr>,
    /// A recursive DNS resolver (`9.9.9.9:53`), asked over TCP for names that are to be paid (BIP 353). It learns who
    /// is paid; what it answers is believed only with DNSSEC's proof. Without it names can't be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<SocketAddr>,
    /// A folder for data of an outside watchtower: signed transactions that answer each revoked state. A
    /// relative path starts at the node's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchtower: Option<PathBuf>,
    /// Where the map of the Lightning network comes from, beside what peers tell: the base address of a rapid
    /// gossip sync server (`https://…`). Not on regtest, whose channels no such server knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rapid_gossip_sync: Option<String>,
    /// Where bitcoind is. Last, because TOML wants tables last.
    pub bitcoind: BitcoindConfig,
}

const fn fee_rate() -> u64 {
    2_000
}

const fn minimum_depth() -> u32 {
    6
}

const fn to_self_delay() -> u16 {
    144
}

const fn anchor_reserve() -> Amount {
    Amount::from_sat(25_000)
}

impl WalletConfig {
    /// Settings with the defaults of a regtest network.
    pub fn new(name: impl Into<String>, network: ChainNetwork, bitcoind: BitcoindConfig) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            name: name.into(),
            network,
            api: any,
            lightning: any,
            members: Vec::new(),
            chain: None,
            fee_rate_sat_per_kvb: fee_rate(),
            minimum_depth: minimum_depth(),
            to_self_delay: to_self_delay(),
            anchor_reserve: anchor_reserve(),
            zero_conf_peers: Vec::new(),
            proxy: None,
            dns: None,
            watchtower: None,
            rapid_gossip_sync: None,
            bitcoind,
        }
    }

    /// `config.toml` of a node's folder.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("config.toml")
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// It is missing or malformed.
    pub fn load(dir: &Path) -> Result<Self, BadFile> {
        let path = Self::path(dir);
        toml::from_str(&files::read(&path)?).map_err(|error| BadFile::new(&path, error))
    }

    /// Writes `config.toml`, whole or not at all; makes the folder.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save(&self, dir: &Path) -> Result<(), BadFile> {
        let path = Self::path(dir);
        let text = toml::to_string_pretty(self).map_err(|error| BadFile::new(&path, error))?;
        files::write_whole(&path, text.as_bytes(), 0o600)
    }

    /// The fee rate of its own transactions.
    pub(super) fn fee_rate(&self) -> FeeRate {
        // 1 vB is 4 weight units; a thousand of each cancels.
        FeeRate::from_sat_per_kwu(self.fee_rate_sat_per_kvb.div_ceil(4))
    }
}

/// Where a running node answers: `node.json`, written once it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The base address of its API.
    pub api: String,
    /// Its process.
    pub pid: u32,
}

impl Ready {
    /// `node.json` of a node's folder.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("node.json")
    }

    /// Reads `node.json`; `None` while the node has not answered yet.
    ///
    /// # Errors
    /// It can't be read.
    pub fn load(dir: &Path) -> Result<Option<Self>, BadFile> {
        let path = Self::path(dir);
        let Some(text) = files::read_if_there(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| BadFile::new(&path, error))
    }

    pub(super) fn save(&self, dir: &Path) -> Result<(), BadFile> {
        let path = Self::path(dir);
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| BadFile::new(&path, error))?;
        files::write_whole(&path, &bytes, 0o644)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_chain::Auth;

    #[test]
    fn round_trips_and_names_what_is_wrong() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = WalletConfig::load(dir.path()).expect_err("missing");
        assert_eq!(missing.path, WalletConfig::path(dir.path()));
        let bitcoind = BitcoindConfig { url: "http://127.0.0.1:1".into(), auth: Auth::Cookie("/c".into()) };
        let config = WalletConfig::new("alice", ChainNetwork::Regtest, bitcoind);
        config.save(dir.path()).expect("saved");
        assert_eq!(WalletConfig::load(dir.path()), Ok(config));
        std::fs::write(WalletConfig::path(dir.path()), "name = 3").expect("written");
        assert!(WalletConfig::load(dir.path()).expect_err("malformed").reason.contains("name"));
    }
}

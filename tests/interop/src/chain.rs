//! A private regtest chain on a real bitcoind.

use crate::wait::until;
use anyhow::{Context as _, Result};
use bitcoin::{Address, Network, Transaction};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use windlass_chain::regtest::Miner;
use windlass_chain::{Auth, Bitcoind, BitcoindConfig};
use windlass_types::BlockRef;

/// Nobody's key: where the rewards go that nobody needs.
const NOBODY: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/// How a node of another make reaches bitcoind.
#[derive(Debug, Clone)]
pub struct Access {
    /// The port of bitcoind's RPC on 127.0.0.1.
    pub port: u16,
    /// The cookie's user.
    pub user: String,
    /// The cookie's password.
    pub password: String,
}

/// A bitcoind that ends with this value.
#[derive(Debug)]
pub struct Chain {
    /// None if another process owns it.
    process: Option<(Child, TempDir)>,
    dir: PathBuf,
    port: u16,
    bitcoind: Bitcoind,
    miner: Miner,
    runtime: Runtime,
}

/// A port that was free a moment ago.
///
/// # Errors
/// None is free.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Chain {
    /// Starts the bitcoind that `BITCOIND_EXE` names.
    ///
    /// # Errors
    /// There is none, or it does not come up.
    pub fn start() -> Result<Self> {
        let exe = std::env::var_os("BITCOIND_EXE").context("set BITCOIND_EXE to a bitcoind of version 28 or later")?;
        let dir = tempfile::tempdir()?;
        let port = free_port()?;
        let process = Command::new(&exe)
            .args(["-regtest", "-server", "-listen=0", "-printtoconsole=0", "-txindex", "-rpcthreads=16"])
            .arg(format!("-datadir={}", dir.path().display()))
            .arg(format!("-rpcport={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", exe.display()))?;
        let mut chain = Self::attach(dir.path(), port)?;
        chain.process = Some((process, dir));
        until("bitcoind is ready", || Ok(chain.runtime.block_on(chain.bitcoind.tip()).ok()))?;
        Ok(chain)
    }

    /// A chain that another process has started, on `dir`.
    ///
    /// # Errors
    /// No runtime can be made.
    pub fn attach(dir: &Path, port: u16) -> Result<Self> {
        let cookie = dir.join("regtest/.cookie");
        let config = BitcoindConfig { url: format!("http://127.0.0.1:{port}"), auth: Auth::Cookie(cookie) };
        let bitcoind = Bitcoind::new(config);
        let miner = Miner::new(bitcoind.clone());
        Ok(Self { process: None, dir: dir.into(), port, bitcoind, miner, runtime: Runtime::new()? })
    }

    /// Where its data lies, for [`Self::attach`].
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The port of its RPC, for [`Self::attach`].
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Our client of it.
    pub fn bitcoind(&self) -> &Bitcoind {
        &self.bitcoind
    }

    /// What others need to reach it.
    ///
    /// # Errors
    /// bitcoind wrote no cookie.
    pub fn access(&self) -> Result<Access> {
        let path = self.dir.join("regtest/.cookie");
        let cookie = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let (user, password) = cookie.split_once(':').context("the cookie has no colon")?;
        Ok(Access { port: self.port, user: user.into(), password: password.into() })
    }

    /// The best block.
    ///
    /// # Errors
    /// bitcoind is gone.
    pub fn tip(&self) -> Result<BlockRef> {
        Ok(self.runtime.block_on(self.bitcoind.tip())?)
    }

    /// Mines blocks whose reward nobody gets.
    ///
    /// # Errors
    /// bitcoind is gone.
    pub fn mine(&self, count: u32) -> Result<()> {
        self.mine_to(count, &nobody()?)
    }

    /// Mines blocks whose reward goes to `to`.
    ///
    /// # Errors
    /// bitcoind is gone.
    pub fn mine_to(&self, count: u32, to: &Address) -> Result<()> {
        self.runtime.block_on(self.miner.mine(count, to))?;
        Ok(())
    }

    /// Takes the last `depth` blocks away and puts `depth` + 1 others in their place, the first of them
    /// without any transaction: what was confirmed in them is so a block later.
    ///
    /// # Errors
    /// bitcoind is gone.
    pub fn reorganise(&self, depth: u32) -> Result<()> {
        let tip = self.tip()?.height.get();
        let first = windlass_types::BtcHeight::new(tip + 1 - depth);
        self.runtime.block_on(async {
            let hash = self.bitcoind.block_hash(first).await?.context("no such block")?;
            self.miner.invalidate(hash).await?;
            self.miner.mine_empty(&nobody()?).await?;
            self.miner.mine(depth, &nobody()?).await?;
            Ok(())
        })
    }

    /// Waits until the mempool has at least `count` transactions, and gives them.
    ///
    /// # Errors
    /// They do not come in time.
    pub fn mempool(&self, count: usize) -> Result<Vec<Transaction>> {
        until(&format!("{count} transactions in the mempool"), || {
            self.runtime.block_on(async {
                let ids = self.bitcoind.mempool().await?.txids;
                let mut found = Vec::new();
                for id in ids {
                    found.extend(self.bitcoind.mempool_transaction(id).await?);
                }
                Ok((found.len() >= count).then_some(found))
            })
        })
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        if let Some((process, _)) = &mut self.process {
            // It may have ended already; either way it is gone.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn nobody() -> Result<Address> {
    Ok(NOBODY.parse::<Address<_>>()?.require_network(Network::Regtest)?)
}

//! A real LND, built by `tests/interop/build-lnd`, on our bitcoind with RPC polling, spoken to over its
//! REST door.

mod node;
mod rest;

use crate::chain::{Access, Chain, free_port};
use crate::wait::until;
use anyhow::{Context as _, Result};
use rest::Rest;
use serde_json::Value;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running LND. It ends with this value.
#[derive(Debug)]
pub struct Lnd {
    program: PathBuf,
    dir: PathBuf,
    access: Access,
    rest: Rest,
    address: SocketAddr,
    process: Option<Child>,
    version: String,
}

impl Lnd {
    /// Starts `program` on an empty `dir`.
    ///
    /// # Errors
    /// It does not come up; its log is `dir/lnd.out`.
    pub fn start(program: &Path, dir: &Path, chain: &Chain) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        // On the first block, which is of 2011, LND would wait for newer ones for ever.
        chain.mine(1)?;
        let macaroon = dir.join("data/chain/bitcoin/regtest/admin.macaroon");
        let mut lnd = Self {
            program: program.into(),
            dir: dir.into(),
            access: chain.access()?,
            rest: Rest::new(free_port()?, macaroon)?,
            address: (Ipv4Addr::LOCALHOST, free_port()?).into(),
            process: None,
            version: String::new(),
        };
        lnd.launch()?;
        Ok(lnd)
    }

    fn launch(&mut self) -> Result<()> {
        let Access { port, user, password } = &self.access;
        let out = File::options().create(true).append(true).open(self.dir.join("lnd.out"))?;
        let grpc = free_port()?;
        let child = Command::new(&self.program)
            .arg(format!("--lnddir={}", self.dir.display()))
            .arg(format!("--rpclisten=127.0.0.1:{grpc}"))
            .arg(format!("--restlisten=127.0.0.1:{}", self.rest.port()))
            .arg(format!("--listen={}", self.address))
            .arg(format!("--externalip={}", self.address))
            .arg(format!("--bitcoind.rpchost=127.0.0.1:{port}"))
            .arg(format!("--bitcoind.rpcuser={user}"))
            .arg(format!("--bitcoind.rpcpass={password}"))
            .args(["--bitcoin.regtest", "--bitcoin.node=bitcoind", "--bitcoind.rpcpolling"])
            .args(["--bitcoind.blockpollinginterval=100ms", "--bitcoind.txpollinginterval=100ms"])
            // The door is on this machine alone, and this project's HTTP client speaks no TLS.
            .args(["--no-rest-tls", "--noseedbackup", "--alias=lnd", "--nobootstrap", "--debuglevel=info"])
            // As fast as tests like it: gossip is passed on at once, a lost peer is looked for at once.
            .args(["--trickledelay=50", "--minbackoff=100ms", "--maxbackoff=1s"])
            .args(["--gossip.sub-batch-delay=100ms"])
            // By itself it is content with one for a small channel, and a reorg that takes the only confirmation
            // of a usable channel away ends the channel (LDK closes it by force).
            .args(["--bitcoin.defaultchanconfs=3"])
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        self.process = Some(child);
        let info = until("LND is ready", || {
            if let Some(process) = &mut self.process
                && let Some(status) = process.try_wait()?
            {
                anyhow::bail!("LND ended ({status}); its last words:\n{}", last_words(&self.dir));
            }
            Ok(self.rest.get("/v1/getinfo").ok().filter(|info: &Value| info["synced_to_chain"] == true))
        })?;
        self.version = info["version"].as_str().unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
        Ok(())
    }

    /// The end of what it said, for who looks for a fault.
    pub fn last_words(&self) -> String {
        last_words(&self.dir)
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It stops in order if it still answers; a kill is no harm either.
            if self.rest.post("/v1/stop", &Value::Object(serde_json::Map::new())).is_err() {
                let _ = process.kill();
            }
            let _ = process.wait();
        }
    }
}

fn last_words(dir: &Path) -> String {
    const LINES: usize = 40;
    let text = std::fs::read_to_string(dir.join("lnd.out")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

impl Drop for Lnd {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

//! A Lightning node of ours, in this process, on a directory and with a runtime of its own.

use crate::chain::Chain;
use crate::wait::{DEADLINE, until};
use anyhow::{Context as _, Result};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Address, Amount, FeeRate, Network, OutPoint};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use windlass_chain::{Bitcoind, Quantity, StaticFees, Wallet};
use windlass_channels::{Channel, ChannelState, Config, Node, OpenRequest, Parts, Payment, PeerAddress};
use windlass_store::Store;
use windlass_types::Msat;

/// How long an invoice of a test is good.
const EXPIRY: Duration = Duration::from_secs(3600 * 24);

/// How long a runtime that was shut down may take to let its tasks go.
const LET_GO: Duration = Duration::from_secs(10);

/// A node of ours.
#[derive(Debug)]
pub struct Windlass {
    name: String,
    dir: PathBuf,
    bitcoind: Bitcoind,
    address: SocketAddr,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    runtime: Runtime,
    node: Arc<Node>,
    wallet: Arc<Wallet>,
}

impl Windlass {
    /// Starts a node whose state lies in `dir`, with as many threads for it as `threads`.
    ///
    /// # Errors
    /// See [`windlass_channels::StartError`].
    pub fn start(name: &str, dir: &Path, chain: &Chain, threads: usize) -> Result<Self> {
        let address = (Ipv4Addr::LOCALHOST, crate::chain::free_port()?).into();
        let mut node =
            Self { name: name.into(), dir: dir.into(), bitcoind: chain.bitcoind().clone(), address, running: None };
        node.run(threads)?;
        Ok(node)
    }

    /// Starts it again after [`Self::stop`] or [`Self::kill`].
    ///
    /// # Errors
    /// See [`windlass_channels::StartError`].
    pub fn run(&mut self, threads: usize) -> Result<()> {
        anyhow::ensure!(self.running.is_none(), "{} runs already", self.name);
        std::fs::create_dir_all(&self.dir)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name(&self.name)
            .enable_all()
            .build()?;
        // The threads of a node that was killed may still be letting go of the file.
        let store = until("the store is free", || Ok(open_store(&self.dir).ok()))?;
        let wallet = Wallet::open(&self.seed(1), Network::Regtest, Arc::clone(&store))?;
        let parts = Parts {
            bitcoind: self.bitcoind.clone(),
            wallet: Arc::clone(&wallet),
            store,
            fees: Arc::new(StaticFees::REGTEST),
        };
        let config = Config::new(&self.name, self.seed(2), Network::Regtest, self.address);
        let node = runtime.block_on(Node::start(config, parts)).with_context(|| format!("starting {}", self.name))?;
        self.running = Some(Running { runtime, node, wallet });
        Ok(())
    }

    /// A seed that is this name's and no other's.
    fn seed(&self, purpose: u8) -> [u8; 32] {
        let mut seed = [purpose; 32];
        for (byte, letter) in seed.iter_mut().skip(1).zip(self.name.bytes()) {
            *byte = letter;
        }
        seed
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        if let Some(Running { runtime, node, wallet }) = self.running.take() {
            runtime.block_on(node.stop());
            drop((node, wallet));
            runtime.shutdown_timeout(LET_GO);
        }
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(Running { runtime, node, wallet }) = self.running.take() {
            runtime.shutdown_timeout(LET_GO);
            drop((node, wallet));
        }
    }

    fn running(&self) -> Result<&Running> {
        self.running.as_ref().with_context(|| format!("{} does not run", self.name))
    }

    /// The node.
    ///
    /// # Errors
    /// It does not run.
    pub fn node(&self) -> Result<&Arc<Node>> {
        Ok(&self.running()?.node)
    }

    /// Runs `task` on the node's own runtime.
    ///
    /// # Errors
    /// That of the task.
    pub fn on<T, E, F>(&self, task: impl FnOnce(Arc<Node>) -> F) -> Result<T>
    where
        T: Send + 'static,
        E: Into<anyhow::Error> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let running = self.running()?;
        let done = running.runtime.block_on(running.runtime.spawn(task(Arc::clone(&running.node))));
        done?.map_err(Into::into).with_context(|| self.name.clone())
    }

    /// Its public key.
    ///
    /// # Errors
    /// It does not run.
    pub fn id(&self) -> Result<PublicKey> {
        Ok(self.node()?.node_id())
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How others reach it.
    ///
    /// # Errors
    /// It does not run.
    pub fn peer_address(&self) -> Result<PeerAddress> {
        Ok(PeerAddress { node_id: self.id()?, address: self.address.to_string() })
    }

    /// A new address of its wallet.
    ///
    /// # Errors
    /// The store fails.
    pub fn new_address(&self) -> Result<Address> {
        Ok(self.running()?.wallet.address()?)
    }

    /// What its wallet has, confirmed.
    ///
    /// # Errors
    /// It does not run.
    pub fn confirmed(&self) -> Result<Amount> {
        Ok(self.running()?.wallet.balance().confirmed)
    }

    /// Pays on the chain.
    ///
    /// # Errors
    /// Too little is there, or bitcoind refuses.
    pub fn send(&self, to: &Address, amount: Amount) -> Result<()> {
        let running = self.running()?;
        let rate = FeeRate::from_sat_per_vb(2).context("a rate")?;
        let script = to.script_pubkey();
        running
            .runtime
            .block_on(running.wallet.send(&self.bitcoind, &script, Quantity::Exact(amount), rate))
            .with_context(|| format!("{} sends {amount}", self.name))?;
        Ok(())
    }

    /// Reads the chain up to bitcoind's tip.
    ///
    /// # Errors
    /// bitcoind is gone.
    pub fn sync(&self) -> Result<()> {
        self.on(|node| async move { node.sync().await }).map(drop)
    }

    /// Opens a channel; its funding is broadcast, not confirmed.
    ///
    /// # Errors
    /// See [`windlass_channels::OpenError`].
    pub fn open(&self, peer: PeerAddress, amount: Amount, push: Msat, announce: bool) -> Result<OutPoint> {
        let request = OpenRequest { peer, amount, push, announce };
        let channel = self.on(move |node| async move { node.open_channel(&request).await })?;
        channel.funding.context("a channel without a funding output")
    }

    /// The open channel with this funding output.
    ///
    /// # Errors
    /// It does not run.
    pub fn channel(&self, funding: OutPoint) -> Result<Option<Channel>> {
        Ok(self.node()?.channels().into_iter().find(|channel| channel.funding == Some(funding)))
    }

    /// Waits until the channel carries payments.
    ///
    /// # Errors
    /// Not in time.
    pub fn wait_usable(&self, funding: OutPoint) -> Result<Channel> {
        until(&format!("{} can use the channel {funding}", self.name), || {
            Ok(self.channel(funding)?.filter(|channel| channel.state == ChannelState::Usable))
        })
    }

    /// Makes an invoice.
    ///
    /// # Errors
    /// See [`windlass_channels::InvoiceError`].
    pub fn invoice(&self, amount: Msat) -> Result<Payment> {
        self.on(move |node| async move { node.create_invoice(Some(amount), "interop", EXPIRY).await })
    }

    /// Pays an invoice and waits for its end.
    ///
    /// # Errors
    /// See [`windlass_channels::PayError`].
    pub fn pay(&self, invoice: &str) -> Result<Payment> {
        let invoice = invoice.to_owned();
        self.on(move |node| async move {
            let hash = node.pay(&invoice, None).await?;
            node.wait_payment(hash, DEADLINE).await
        })
    }
}

/// Opens the store of a node of ours.
fn open_store(dir: &Path) -> Result<Arc<Store>> {
    Ok(Store::open_log(dir.join("ln"))?)
}

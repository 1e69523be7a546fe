//! What the scenarios share: the chain, money, the other node, and steps that take several calls.

use crate::chain::Chain;
use crate::external::{ExternalNode, Paid};
use crate::wait::until;
use crate::windlass::Windlass;
use anyhow::{Result, bail, ensure};
use bitcoin::{Address, Amount, OutPoint};
use tempfile::TempDir;
use windlass_types::Msat;

/// Block rewards of the bank, and blocks until they may be spent.
const REWARDS: u32 = 20;
const MATURITY: u32 = 100;

/// Coins that a node gets at the start, so that one that is in use does not stop it.
const COINS: u32 = 3;
const COIN: Amount = Amount::from_int_btc(1);

/// Confirmations after which every make uses an announced channel.
pub const DEEP: u32 = 6;

/// What a channel of a scenario is worth.
pub const CAPACITY: Amount = Amount::from_sat(1_000_000);

/// What may go to fees and anchors when a channel is closed.
pub const FEES: Amount = Amount::from_sat(20_000);

/// The ground of a scenario.
pub struct World<'a> {
    /// The chain.
    pub chain: &'a Chain,
    /// The other node.
    pub them: &'a mut dyn ExternalNode,
    bank: Windlass,
    dir: TempDir,
    scenario: String,
}

impl<'a> World<'a> {
    /// Mines the money that the scenarios need and gives the other node some.
    ///
    /// # Errors
    /// bitcoind or the other node is gone.
    pub fn new(them: &'a mut dyn ExternalNode, chain: &'a Chain) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let bank = Windlass::start("bank", &dir.path().join("bank"), chain, 1)?;
        chain.mine_to(REWARDS, &bank.new_address()?)?;
        chain.mine(MATURITY)?;
        let world = Self { chain, them, bank, dir, scenario: String::new() };
        let addresses = (0..COINS * 3).map(|_| world.them.new_address()).collect::<Result<Vec<_>>>()?;
        world.give(&addresses)?;
        world.them.sync(chain.tip()?)?;
        Ok(world)
    }

    /// A new scenario: its nodes get names of their own.
    pub fn begin(&mut self, name: &str) {
        name.clone_into(&mut self.scenario);
    }

    fn give(&self, addresses: &[Address]) -> Result<()> {
        self.bank.sync()?;
        for address in addresses {
            self.bank.send(address, COIN)?;
        }
        self.chain.mine(1)
    }

    /// A new node of ours with money.
    ///
    /// # Errors
    /// It does not start.
    pub fn ours(&self, name: &str) -> Result<Windlass> {
        let name = format!("{}-{name}", self.scenario);
        let node = Windlass::start(&name, &self.dir.path().join(&name), self.chain, 2)?;
        let addresses = (0..COINS).map(|_| node.new_address()).collect::<Result<Vec<_>>>()?;
        self.give(&addresses)?;
        self.sync(&[&node])?;
        Ok(node)
    }

    /// All read the chain to its tip.
    ///
    /// # Errors
    /// Not in time.
    pub fn sync(&self, ours: &[&Windlass]) -> Result<()> {
        for node in ours {
            node.sync()?;
        }
        self.them.sync(self.chain.tip()?)
    }

    /// Mines, and all read it.
    ///
    /// # Errors
    /// Not in time.
    pub fn mine(&self, count: u32, ours: &[&Windlass]) -> Result<()> {
        self.chain.mine(count)?;
        self.sync(ours)
    }

    /// We open a channel and confirm it; `push` is theirs from the start.
    ///
    /// # Errors
    /// It does not become usable.
    pub fn we_open(&self, from: &Windlass, push: Amount, ours: &[&Windlass]) -> Result<OutPoint> {
        let peer =
            windlass_channels::PeerAddress { node_id: self.them.id()?, address: self.them.address().to_string() };
        let funding = from.open(peer, CAPACITY, Msat::from_sat(push).unwrap_or(Msat::ZERO), true)?;
        self.confirm(from, funding, ours)?;
        Ok(funding)
    }

    /// They open a channel to `to` and confirm it; `push` is ours from the start.
    ///
    /// # Errors
    /// It does not become usable.
    pub fn they_open(&self, to: &Windlass, push: Amount, ours: &[&Windlass]) -> Result<OutPoint> {
        let funding = self.them.open(to.id()?, to.address(), CAPACITY, push)?;
        self.confirm(to, funding, ours)?;
        Ok(funding)
    }

    /// Mines the funding in, and waits until both ends can use the channel.
    ///
    /// # Errors
    /// Not in time.
    pub fn confirm(&self, node: &Windlass, funding: OutPoint, ours: &[&Windlass]) -> Result<()> {
        self.chain.mempool(1)?;
        self.mine(DEEP, ours)?;
        self.wait_usable(node, funding)
    }

    /// Waits until both ends can use the channel.
    ///
    /// # Errors
    /// Not in time.
    pub fn wait_usable(&self, node: &Windlass, funding: OutPoint) -> Result<()> {
        node.wait_usable(funding)?;
        until("the other end can use the channel", || {
            let channels = self.them.channels()?;
            Ok(channels.iter().any(|channel| channel.funding == funding && channel.usable).then_some(()))
        })
    }

    /// We pay them.
    ///
    /// # Errors
    /// It fails, or the proof is wrong.
    pub fn we_pay(&self, from: &Windlass, amount: Msat) -> Result<()> {
        from.pay(&self.them.invoice(amount)?)?;
        Ok(())
    }

    /// They pay us.
    ///
    /// # Errors
    /// It fails, or we don't see it.
    pub fn they_pay(&self, to: &Windlass, amount: Msat) -> Result<()> {
        let invoice = to.invoice(amount)?;
        match self.them.pay(invoice.invoice.as_deref().unwrap_or_default())?.wait()? {
            Paid::Failed(reason) => bail!("they can't pay us: {reason}"),
            Paid::Preimage(preimage) => check_proof(&preimage, invoice.hash)?,
        }
        let hash = invoice.hash;
        let received =
            to.on(move |node| async move { anyhow::Ok(node.wait_received(hash, crate::wait::DEADLINE).await) })?;
        ensure!(received.is_some_and(|payment| payment.amount == Some(amount)), "we did not see their payment");
        Ok(())
    }

    /// Mines some blocks at a time until `done`, about `most` of them at the most.
    ///
    /// # Errors
    /// It never is.
    pub fn mine_until(&self, what: &str, most: u32, ours: &[&Windlass], done: impl Fn() -> Result<bool>) -> Result<()> {
        for _ in 0..most.div_ceil(DEEP) {
            if done()? {
                return Ok(());
            }
            self.mine(DEEP, ours)?;
        }
        ensure!(done()?, "in vain for {most} blocks: {what}");
        Ok(())
    }
}

/// A preimage must be the hash's.
pub fn check_proof(preimage: &str, hash: windlass_channels::PaymentHash) -> Result<()> {
    use bitcoin::hashes::{Hash as _, sha256};
    let bytes = hex::decode(preimage)?;
    ensure!(sha256::Hash::hash(&bytes).to_byte_array() == hash.0, "{preimage} is not the preimage of {hash}");
    Ok(())
}

//! What the scenarios ask of a node of another make.

use anyhow::Result;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Address, Amount, OutPoint};
use std::net::SocketAddr;
use windlass_types::{BlockRef, Msat};

/// A channel as the other node tells it.
#[derive(Debug, Clone)]
pub struct TheirChannel {
    /// Its funding output.
    pub funding: OutPoint,
    /// It carries payments now.
    pub usable: bool,
    /// Its value.
    pub capacity: Amount,
    /// The other node's part. Makes differ in whether a commitment's fee is in it.
    pub theirs: Msat,
}

/// How a payment of the other node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paid {
    /// With the proof, in hex.
    Preimage(String),
    /// It did not arrive.
    Failed(String),
}

/// A payment that the other node has begun and that has not ended yet.
pub struct Paying(Box<dyn FnOnce() -> Result<Paid> + Send>);

impl Paying {
    /// With what waits for its end.
    pub fn new(wait: impl FnOnce() -> Result<Paid> + Send + 'static) -> Self {
        Self(Box::new(wait))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It does not end in time, or the node is gone.
    pub fn wait(self) -> Result<Paid> {
        (self.0)()
    }
}

/// A node of another make, running. All calls wait until what they ask for is done.
pub trait ExternalNode {
    /// Its make and version.
    fn make(&self) -> String;

    /// Its public key.
    ///
    /// # Errors
    /// It does not answer.
    fn id(&self) -> Result<PublicKey>;

    /// Where it listens for peers.
    fn address(&self) -> SocketAddr;

    /// A new address of its wallet.
    ///
    /// # Errors
    /// It does not answer.
    fn new_address(&self) -> Result<Address>;

    /// What its wallet has in confirmed outputs.
    ///
    /// # Errors
    /// It does not answer.
    fn confirmed(&self) -> Result<Amount>;

    /// Waits until it has read the chain up to `tip`.
    ///
    /// # Errors
    /// Not in time.
    fn sync(&self, tip: BlockRef) -> Result<()>;

    /// Opens a channel to a node of ours and announces it, and gives the funding output once the
    /// transaction is broadcast.
    ///
    /// # Errors
    /// One of the two refuses.
    fn open(&self, peer: PublicKey, address: SocketAddr, amount: Amount, push: Amount) -> Result<OutPoint>;

    /// Its open channels.
    ///
    /// # Errors
    /// It does not answer.
    fn channels(&self) -> Result<Vec<TheirChannel>>;

    /// Closes a channel, together with us or by force; returns once it has begun.
    ///
    /// # Errors
    /// It refuses.
    fn close(&self, funding: OutPoint, force: bool) -> Result<()>;

    /// Makes an invoice.
    ///
    /// # Errors
    /// It refuses.
    fn invoice(&self, amount: Msat) -> Result<String>;

    /// Starts to pay an invoice.
    ///
    /// # Errors
    /// It refuses before anything leaves.
    fn pay(&self, invoice: &str) -> Result<Paying>;

    /// Makes an invoice whose payment is held until [`Self::settle`] or [`Self::cancel`].
    ///
    /// # Errors
    /// It refuses.
    fn hold_invoice(&self, hash: [u8; 32], amount: Msat) -> Result<String>;

    /// Waits until a payment for the invoice is held.
    ///
    /// # Errors
    /// Not in time.
    fn wait_held(&self, hash: [u8; 32]) -> Result<()>;

    /// Takes a held payment.
    ///
    /// # Errors
    /// None is held.
    fn settle(&self, preimage: [u8; 32]) -> Result<()>;

    /// Gives a held payment back.
    ///
    /// # Errors
    /// None is held.
    fn cancel(&self, hash: [u8; 32]) -> Result<()>;

    /// Whether gossip has told it of a channel between these two, with both ends' fees.
    ///
    /// # Errors
    /// It does not answer.
    fn knows(&self, one: PublicKey, other: PublicKey) -> Result<bool>;

    /// Stops it and starts it again on what lies on its disk.
    ///
    /// # Errors
    /// It does not come back.
    fn restart(&mut self) -> Result<()>;
}

//! What the bench and its workers say to each other: a line of JSON each way.

use serde::{Deserialize, Serialize};

/// What is under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Impl {
    /// Our node, durable.
    Windlass,
    /// Our node with its store switched off: what it would do if to be durable cost nothing.
    WindlassNoStore,
    /// ldk-node with its default SQLite store, durable.
    LdkNode,
}

impl Impl {
    /// Its name in the rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Windlass => "windlass",
            Self::WindlassNoStore => "windlass-no-store",
            Self::LdkNode => "ldk-node",
        }
    }
}

/// Nodes in a line, each pair with so many channels, the money on the first one's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Channels that a payment goes over, one after the other.
    pub hops: usize,
    /// Channels between neighbours.
    pub channels: usize,
}

/// From the bench to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// Start the nodes and open the channels.
    SetUp,
    /// The addresses of the last [`Answer::NeedsFunds`] have been paid, in a block.
    Funded,
    /// Make so many invoices.
    Prepare { count: usize, amount_sat: u64 },
    /// Pay them.
    Run { in_flight: usize, seconds: f64, count_syncs: bool },
    /// Stop the payer and start it again.
    Restart,
}

/// From a worker to the bench.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Pay a coin to each of these addresses.
    NeedsFunds(Vec<String>),
    /// Done.
    Ready,
    /// See [`Order::Run`].
    Ran(Ran),
    /// How long the payer took from its start until it ran, and until it could pay.
    Restarted { started_s: f64, can_pay_s: f64 },
    /// It could not be done.
    Failed(String),
}

/// A measured window, in which the wanted number of payments was in flight all the time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ran {
    /// The window's length.
    pub seconds: f64,
    /// From the call that pays until the payer has the preimage, of the payments that ended in the window.
    pub latencies_ms: Vec<f64>,
    /// Payments in all, those before and after the window too.
    pub payments: usize,
    /// Processor time of the process in the window, user and kernel: all nodes and the load.
    pub cpu_ms: f64,
    /// What the process wrote to files in the window.
    pub written_bytes: u64,
    /// Calls of `fdatasync` and `fsync` in the window, where they can be and were counted.
    pub syncs: Option<u64>,
    /// Payments that were refused at first and tried again.
    pub refused: usize,
    /// Payments that failed on their way, and are in no other figure.
    pub failed: usize,
}

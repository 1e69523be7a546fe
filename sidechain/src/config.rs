//! What a member is told: who it is, who the others are, and the dials.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Most bytes of a message between members, one block with its certificate included.
pub const MAX_MESSAGE_BYTES: u32 = 5 * 1024 * 1024;
/// Most bytes of a message that [`Links`](crate::Links) carries.
pub const MAX_LINK_BYTES: usize = 256 * 1024;
/// Most bytes of transactions that a proposer puts into a block.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The 32 secret bytes of a member's ed25519 identity: its links and its votes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct IdentitySeed([u8; 32]);

impl IdentitySeed {
    /// Wraps the secret.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for IdentitySeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentitySeed(..)")
    }
}

/// A member as the others reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its ed25519 key.
    pub identity: [u8; 32],
    /// Where it listens.
    pub address: SocketAddr,
}

/// What a member is told before there is a genesis.
///
/// Members have fixed addresses, known to all, and clocks that differ by less than five seconds:
/// the handshake refuses others.
#[derive(Debug)]
pub struct MemberConfig {
    /// This member's secret.
    pub seed: IdentitySeed,
    /// All members of the genesis, this one's place included, in its order.
    pub members: Vec<Peer>,
    /// This member's place there: its index. Its identity may be another one by now than in the genesis.
    pub place: u16,
    /// Where this member listens.
    pub listen: SocketAddr,
    /// Where this member keeps its chain and its journal. Must be the directory given to
    /// [`run`](crate::run).
    pub dir: PathBuf,
    /// Names the federation before its genesis exists, so that members of two federations don't
    /// talk to each other by mistake. The same for all members.
    pub federation: String,
    /// The dials.
    pub timing: Timing,
}

/// The dials of time. The same for all members, roughly: a difference costs speed, never safety.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long an empty block is held before it is made final, and so the pace of an idle chain.
    pub heartbeat: Duration,
    /// How long the others wait for a leader's block before they go on without it. A dead member
    /// costs this at each of its turns, until [`Self::skip`] has gone by.
    pub leader: Duration,
    /// How long past the heartbeat a block may take to be certified.
    pub grace: Duration,
    /// A leader not heard of for this long is passed over at once.
    pub skip: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self::with_heartbeat(Duration::from_secs(3))
    }
}

impl Timing {
    /// The dials that fit a heartbeat.
    pub fn with_heartbeat(heartbeat: Duration) -> Self {
        let grace = Duration::from_millis(1500);
        Self {
            heartbeat,
            leader: Duration::from_millis(600),
            grace,
            skip: heartbeat + grace + Duration::from_millis(600),
        }
    }

    /// Bound on the whole of a view: the leader's time, the hold, and slack.
    pub(crate) fn certification(&self) -> Duration {
        self.heartbeat + self.grace
    }
}

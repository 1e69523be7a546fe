//! Ports on 127.0.0.1: the usual one, else the next free.

use std::{
    collections::{BTreeSet, hash_map::RandomState},
    hash::{BuildHasher as _, Hasher as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

/// bitcoind's RPC.
pub const BITCOIN_RPC: u16 = 18443;
/// bitcoind's peers.
pub const BITCOIN_P2P: u16 = 18444;
/// The first Lightning node's peers; the next ones follow.
pub const LIGHTNING: u16 = 9735;
/// The first member's API; the next ones follow.
pub const MEMBER_API: u16 = 18884;
/// The first member's links to the others.
pub const MEMBER_LINKS: u16 = 18984;
/// The hub's API.
pub const HUB: u16 = 21021;
/// The first wallet node's API.
pub const NODE_API: u16 = 21121;

/// The ports that people look for first.
pub const PREFERRED: [u16; 5] = [BITCOIN_RPC, BITCOIN_P2P, LIGHTNING, MEMBER_API, HUB];

/// How far from the usual port the search goes.
const SEARCH_MAX: u16 = 400;

/// Where any port is taken from: below the system's range for outgoing connections.
const ANY_START: u16 = 10_000;
const ANY_END: u16 = 32_000;

/// There is no port.
#[derive(Debug, thiserror::Error)]
#[error("no free port from {from} to {}; see what holds them with: ss -ltnp", from.saturating_add(SEARCH_MAX))]
pub struct NoFreePort {
    /// Where the search began.
    pub from: u16,
}

/// Can a server listen here now?
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Hands out ports, each once.
#[derive(Debug, Default)]
pub struct Ports {
    taken: BTreeSet<u16>,
    any: bool,
}

impl Ports {
    /// Starts from the usual ports; `taken` are never given (another network's, say).
    pub fn preferred(taken: impl IntoIterator<Item = u16>) -> Self {
        Self { taken: taken.into_iter().collect(), any: false }
    }

    /// From anywhere, as tests want it; `taken` are never given.
    pub fn any(taken: impl IntoIterator<Item = u16>) -> Self {
        Self { taken: taken.into_iter().collect(), any: true }
    }

    /// The wish if it is free, else the next free one above.
    ///
    /// # Errors
    /// None is free within a few hundred.
    pub fn take(&mut self, wish: u16) -> Result<u16, NoFreePort> {
        if self.any {
            return self.take_any().ok_or(NoFreePort { from: wish });
        }
        let last = wish.saturating_add(SEARCH_MAX);
        let port = (wish..=last).find(|port| !self.taken.contains(port) && is_free(*port));
        let port = port.ok_or(NoFreePort { from: wish })?;
        self.taken.insert(port);
        Ok(port)
    }

    /// The port of last time if it is still free, else as [`Ports::take`] from `wish` on.
    ///
    /// # Errors
    /// As [`Ports::take`].
    pub fn retake(&mut self, last: u16, wish: u16) -> Result<u16, NoFreePort> {
        if last != 0 && !self.taken.contains(&last) && is_free(last) {
            self.taken.insert(last);
            return Ok(last);
        }
        self.take(wish)
    }

    /// A free port from a random place on. Not one of those that the system gives to outgoing
    /// connections (from 32768 on): another process could be given it before ours listens.
    fn take_any(&mut self) -> Option<u16> {
        let seed = RandomState::new().build_hasher().finish();
        let start = u16::try_from(seed % u64::from(ANY_END - ANY_START)).ok()?;
        let port = (ANY_START + start..ANY_END)
            .chain(ANY_START..ANY_START + start)
            .find(|port| !self.taken.contains(port) && is_free(*port))?;
        self.taken.insert(port);
        Some(port)
    }
}

/// The port on this machine.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_means_the_next_free_one() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let busy = listener.local_addr().expect("an address").port();
        let mut ports = Ports::preferred([]);
        let first = ports.take(busy).expect("a port");
        assert!(first > busy);
        assert!(ports.take(busy).expect("another port") > first);
        assert!(ports.retake(busy, busy).expect("a third") > first);
    }
}

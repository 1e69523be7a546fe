//! Who may come in: bounds on the connections of peers that nobody asked for.
//!
//! LDK closes a connection that has not finished its handshake after one to two pings' time
//! (10 to 20 s), one that answers no ping likewise, and takes at most 250 peers that we have no channel
//! with, each with at most 4 channels that are not funded yet, and such channels of at most 50 peers. It
//! does not bound connections that say nothing: that is done here. When too many are in their handshake,
//! the oldest of the address that has most of them makes room, so whoever floods drives out itself;
//! an honest handshake takes milliseconds.

use crate::config::InboundLimits;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A connection that came in.
struct Guest {
    from: SocketAddr,
    /// The same socket as LDK's, to end it.
    socket: TcpStream,
}

#[derive(Default)]
struct Guests {
    next: u64,
    /// In the order in which they came.
    open: BTreeMap<u64, Guest>,
}

/// The connections that came in and are open.
pub(super) struct Inbound {
    limits: InboundLimits,
    guests: Mutex<Guests>,
}

/// What to do with a newcomer.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Welcome,
    /// Welcome, once this one is closed.
    InsteadOf(u64),
    Refused,
}

/// Who has one address has them all: an IPv6 host commands a whole /64.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// `open`: number, address, and whether the handshake is over, oldest first.
fn judge(open: &[(u64, IpAddr, bool)], from: IpAddr, limits: &InboundLimits) -> Verdict {
    let from = household(from);
    let mut unfinished: BTreeMap<IpAddr, Vec<u64>> = BTreeMap::new();
    for (number, address, _) in open.iter().filter(|(_, _, finished)| !finished) {
        unfinished.entry(household(*address)).or_default().push(*number);
    }
    let handshakes: usize = unfinished.values().map(Vec::len).sum();
    let neighbours = open.iter().filter(|(_, address, _)| household(*address) == from).count();
    let oldest_neighbour = unfinished.get(&from).and_then(|numbers| numbers.first());
    if neighbours >= limits.from_one_address {
        return oldest_neighbour.map_or(Verdict::Refused, |number| Verdict::InsteadOf(*number));
    }
    if handshakes < limits.handshakes && open.len() < limits.connections {
        return Verdict::Welcome;
    }
    let greediest = unfinished.values().max_by_key(|numbers| numbers.len());
    let oldest = greediest.and_then(|numbers| numbers.first());
    oldest.map_or(Verdict::Refused, |number| Verdict::InsteadOf(*number))
}

impl Inbound {
    pub(super) fn new(limits: InboundLimits) -> Self {
        Self { limits, guests: Mutex::default() }
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection in, perhaps at the cost of another one; `None`: there is no room. `finished`
    /// gives the addresses of those whose handshake is over; it is asked only when it is crowded.
    pub(super) fn admit(
        &self,
        from: SocketAddr,
        stream: &TcpStream,
        finished: impl FnOnce() -> BTreeSet<SocketAddr>,
    ) -> std::io::Result<Option<u64>> {
        let socket = stream.try_clone()?;
        let mut guests = self.guests();
        let crowded = self.limits.handshakes.min(self.limits.from_one_address).min(self.limits.connections);
        if guests.open.len() >= crowded {
            let finished = finished();
            let open: Vec<_> = guests
                .open
                .iter()
                .map(|(number, guest)| (*number, guest.from.ip(), finished.contains(&guest.from)))
                .collect();
            match judge(&open, from.ip(), &self.limits) {
                Verdict::Welcome => {}
                Verdict::Refused => return Ok(None),
                Verdict::InsteadOf(number) => {
                    if let Some(guest) = guests.open.remove(&number) {
                        // LDK sees the end of the stream. If it is closed already, all the better.
                        let _ = guest.socket.shutdown(Shutdown::Both);
                    }
                }
            }
        }
        let number = guests.next;
        guests.next += 1;
        guests.open.insert(number, Guest { from, socket });
        Ok(Some(number))
    }

    /// A connection is over.
    pub(super) fn left(&self, number: u64) {
        self.guests().open.remove(&number);
    }

    /// Connections that are open.
    pub(super) fn count(&self) -> usize {
        self.guests().open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: InboundLimits = InboundLimits { connections: 6, handshakes: 3, from_one_address: 4 };

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn who_floods_drives_out_itself() {
        let open = [(1, ip(9), false), (2, ip(1), false)];
        assert_eq!(judge(&open, ip(1), &LIMITS), Verdict::Welcome);
        let open = [(1, ip(9), false), (2, ip(1), false), (3, ip(1), false)];
        for from in [1, 2, 9] {
            assert_eq!(judge(&open, ip(from), &LIMITS), Verdict::InsteadOf(2));
        }
    }

    #[test]
    fn finished_ones_are_never_driven_out() {
        let six: Vec<_> = (0..6).map(|i| (u64::from(i), ip(i), true)).collect();
        assert_eq!(judge(&six[..5], ip(7), &LIMITS), Verdict::Welcome);
        assert_eq!(judge(&six, ip(7), &LIMITS), Verdict::Refused);
        let four = [(1, ip(1), true), (2, ip(1), true), (3, ip(1), true), (4, ip(1), false)];
        assert_eq!(judge(&four, ip(1), &LIMITS), Verdict::InsteadOf(4));
        assert_eq!(judge(&four, ip(2), &LIMITS), Verdict::Welcome);
        let full = four.map(|(number, from, _)| (number, from, true));
        assert_eq!(judge(&full, ip(1), &LIMITS), Verdict::Refused);
    }

    #[test]
    fn one_host_has_many_ipv6_addresses() {
        let v6 = |text: &str| household(text.parse().expect("an address"));
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:2"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        assert_eq!(v6("::ffff:10.0.0.1"), ip(1));
    }
}

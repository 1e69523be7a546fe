//! How far the other members say they are. It rides on the links' pings.

use crate::level::Level;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use windlass_types::SideHeight;

/// See the module's head. Heights here are claims: they say whom to ask for proof.
pub(crate) struct Beacon {
    own: AtomicU64,
    peers: Mutex<Vec<SideHeight>>,
    claimed: Level<SideHeight>,
}

impl Beacon {
    pub fn new(members: usize) -> Self {
        let peers = Mutex::new(vec![SideHeight::default(); members]);
        Self { own: AtomicU64::new(0), peers, claimed: Level::new(SideHeight::default()) }
    }

    pub fn note_own(&self, height: SideHeight) {
        self.own.store(height.get(), Ordering::Relaxed);
    }

    pub fn own(&self) -> SideHeight {
        SideHeight::new(self.own.load(Ordering::Relaxed))
    }

    pub fn note_peer(&self, member: u16, height: SideHeight) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = peers.get_mut(usize::from(member)) {
            *known = height;
        }
        // So many members may lie: one more than that claims this, or more.
        let liars = peers.len().saturating_sub(1) / 3;
        let mut sorted = peers.clone();
        drop(peers);
        sorted.sort_unstable();
        let claimed = sorted.iter().rev().nth(liars).copied().unwrap_or_default();
        self.claimed.update(|_| claimed);
    }

    /// The height that at least one honest member claims to have.
    pub const fn claimed(&self) -> &Level<SideHeight> {
        &self.claimed
    }

    /// The members that claim to have `height`.
    pub fn who_has(&self, height: SideHeight) -> Vec<u16> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        (0u16..).zip(peers.iter()).filter(|(_, claim)| **claim >= height).map(|(member, _)| member).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_liar_of_four_is_not_believed() {
        let beacon = Beacon::new(4);
        beacon.note_peer(1, SideHeight::new(u64::MAX));
        assert_eq!(beacon.claimed().get(), SideHeight::new(0));
        beacon.note_peer(2, SideHeight::new(7));
        assert_eq!(beacon.claimed().get(), SideHeight::new(7));
        beacon.note_peer(3, SideHeight::new(9));
        assert_eq!(beacon.claimed().get(), SideHeight::new(9));
        assert_eq!(beacon.who_has(SideHeight::new(9)), [1, 3]);
    }
}

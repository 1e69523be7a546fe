//! Four levels of the tree in one entry of the state: a way of twenty steps reads six entries, not twenty-one.
//!
//! A page stands at a depth that is a multiple of four. Its places are numbered as in a heap: 1 is its top, and
//! below place `i` are `2i` and `2i + 1`. Places 16 to 31 are the tops of the pages below it; of those it holds
//! the hash, but a leaf it holds itself. So a page of its own has two entries at least, the topmost one aside.

use super::{EMPTY, Leaf, Path, branch};
use crate::keys;
use crate::state::{StateError, StateRead};
use windlass_types::Digest;

/// Levels of a page.
pub(super) const LEVELS: usize = 4;
/// The first place that is the top of another page.
pub(super) const BELOW: usize = 1 << LEVELS;
/// The top.
pub(super) const TOP: usize = 1;
const PLACES: usize = BELOW * 2;
/// Two bits for each place.
const KINDS_BYTES: usize = PLACES / 4;

/// What is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Empty,
    Leaf(Leaf),
    /// Two entries or more: their hash.
    Branch(Digest),
}

impl Node {
    pub(super) fn hash(&self) -> Digest {
        match self {
            Self::Empty => EMPTY,
            Self::Leaf(leaf) => leaf.hash(),
            Self::Branch(hash) => *hash,
        }
    }
}

/// See the module's head.
pub(super) struct Page([Node; PLACES]);

impl Page {
    /// A page with nothing but `top`, which is no branch.
    pub(super) const fn of(top: Node) -> Self {
        let mut places = [Node::Empty; PLACES];
        places[TOP] = top;
        Self(places)
    }

    pub(super) fn at(&self, place: usize) -> Node {
        self.0.get(place).copied().unwrap_or(Node::Empty)
    }

    pub(super) fn set(&mut self, place: usize, node: Node) {
        if let Some(slot) = self.0.get_mut(place) {
            *slot = node;
        }
    }

    /// Makes `place` what its two children make it.
    pub(super) fn join(&mut self, place: usize) {
        let (left, right) = children(place);
        let node = match (self.at(left), self.at(right)) {
            (Node::Empty, Node::Empty) => Node::Empty,
            // A leaf without a neighbour stands where their subtree does.
            (leaf @ Node::Leaf(_), Node::Empty) | (Node::Empty, leaf @ Node::Leaf(_)) => {
                self.set(left, Node::Empty);
                self.set(right, Node::Empty);
                leaf
            }
            (left, right) => Node::Branch(branch(&left.hash(), &right.hash())),
        };
        self.set(place, node);
    }

    /// The page at the first `depth` bits of `path`, if there is one.
    pub(super) fn read(view: &dyn StateRead, path: &Path, depth: usize) -> Result<Option<Self>, StateError> {
        let key = key(path, depth);
        let Some(bytes) = view.get(&key)? else { return Ok(None) };
        let corrupt = || StateError::Corrupt { key: hex::encode(&key), reason: "no page of the tree".into() };
        Self::decode(&bytes).map(Some).ok_or_else(corrupt)
    }

    /// Two bits a place (0 empty, 1 leaf, 2 branch), then of each its path and value, or its hash.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(KINDS_BYTES.saturating_add(PLACES.saturating_mul(32)));
        bytes.resize(KINDS_BYTES, 0);
        for (place, node) in self.0.iter().enumerate() {
            let kind: u8 = match node {
                Node::Empty => continue,
                Node::Leaf(leaf) => {
                    bytes.extend_from_slice(&leaf.path);
                    bytes.extend_from_slice(&leaf.value);
                    1
                }
                Node::Branch(hash) => {
                    bytes.extend_from_slice(hash.as_bytes());
                    2
                }
            };
            if let Some(kinds) = bytes.get_mut(place / 4) {
                *kinds |= kind.wrapping_shl(shift(place));
            }
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (kinds, mut rest) = bytes.split_first_chunk::<KINDS_BYTES>()?;
        let mut page = Self::of(Node::Empty);
        for (place, slot) in page.0.iter_mut().enumerate() {
            *slot = match kinds.get(place / 4)?.wrapping_shr(shift(place)) & 3 {
                0 => continue,
                1 => Node::Leaf(Leaf { path: take(&mut rest)?, value: take(&mut rest)? }),
                2 => Node::Branch(Digest(take(&mut rest)?)),
                _ => return None,
            };
        }
        rest.is_empty().then_some(page)
    }
}

/// Where a place's two bits are in their byte.
const fn shift(place: usize) -> u32 {
    match place % 4 {
        0 => 0,
        1 => 2,
        2 => 4,
        _ => 6,
    }
}

fn take(rest: &mut &[u8]) -> Option<[u8; 32]> {
    let (first, others) = rest.split_first_chunk::<32>()?;
    *rest = others;
    Some(*first)
}

/// The places below `place`.
pub(super) const fn children(place: usize) -> (usize, usize) {
    (place.saturating_mul(2), place.saturating_mul(2).saturating_add(1))
}

/// The key of the page at the first `depth` bits of `path`: `n`, the depth (2, BE), and the bits
/// in whole bytes, the rest of the last one zero.
pub(super) fn key(path: &Path, depth: usize) -> Vec<u8> {
    let mut key = Vec::with_capacity(keys::NODES.len().saturating_add(2).saturating_add(depth.div_ceil(8)));
    key.extend_from_slice(keys::NODES);
    key.extend_from_slice(&u16::try_from(depth).unwrap_or(u16::MAX).to_be_bytes());
    key.extend_from_slice(path.get(..depth / 8).unwrap_or(path));
    if !depth.is_multiple_of(8) {
        key.push(path.get(depth / 8).copied().unwrap_or(0) & 0xf0);
    }
    key
}

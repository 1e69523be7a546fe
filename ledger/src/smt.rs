//! The authenticated state: a sparse Merkle tree over the keys of namespace `s` (rules L50 to L53).
//!
//! An entry's place is the hash of its key, a path of 256 bits. A subtree with one entry is that
//! entry's leaf, one with none is the empty hash; so the root depends on the set of entries alone,
//! never on the order in which they came. Nodes are stored under their position.
//!
//! ```
//! use windlass_ledger::smt;
//! let root = smt::root_of([(&b"sa"[..], &b"1"[..])]);
//! assert_ne!(root, smt::EMPTY);
//! ```

use crate::keys;
use crate::state::{ChangeSet, StateError, StateRead, encode, read};
use bitcoin::hashes::{Hash as _, HashEngine as _, sha256, sha256t_hash_newtype};
use borsh::{BorshDeserialize, BorshSerialize};
use windlass_types::Digest;

// Tagged hashes as in `windlass_types::tagged_hash`, with the tag's midstate computed at compile
// time: half the work, and hashing is most of what a root costs.
sha256t_hash_newtype! {
    struct KeyTag = hash_str("Windlass/key");
    struct KeyHash(_);
    struct LeafTag = hash_str("Windlass/leaf");
    struct LeafHash(_);
    struct NodeTag = hash_str("Windlass/node");
    struct NodeHash(_);
}

/// The root of no entries.
pub const EMPTY: Digest = Digest([0; 32]);

/// Length of a path in bits: the depth that no node exceeds.
const PATH_BITS: usize = 256;

type Path = [u8; 32];

/// A leaf: where an entry is, and the SHA-256 of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Leaf {
    path: Path,
    value: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
enum Node {
    Leaf(Leaf),
    Branch { left: Digest, right: Digest },
}

/// Shows that an entry is, or is not, under a root.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proof {
    /// The hashes beside the way, from the root down.
    pub siblings: Vec<Digest>,
    /// What is at the end of the way: a leaf, or nothing.
    pub end: Option<Leaf>,
}

/// The root of a stored state.
///
/// # Errors
/// State could not be read.
pub fn root(view: &dyn StateRead) -> Result<Digest, StateError> {
    Ok(hash(read::<Node>(view, &position(&[0; 32], 0))?.as_ref()))
}

/// L52: the root of a set of entries, computed from nothing: the recount of what [`root`] says.
pub fn root_of<'a>(entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Digest {
    let mut leaves: Vec<Leaf> = entries.into_iter().map(|(key, value)| leaf(key, value)).collect();
    leaves.sort_unstable_by_key(|leaf| leaf.path);
    leaves.dedup_by_key(|leaf| leaf.path);
    hash(build(&leaves, 0, &mut ChangeSet::default()).as_ref())
}

/// L53: proves what `view` has under `key`.
///
/// # Errors
/// State could not be read.
pub fn prove(view: &dyn StateRead, key: &[u8]) -> Result<Proof, StateError> {
    let path = path_of(key);
    let mut siblings = Vec::new();
    for depth in 0..=PATH_BITS {
        match read::<Node>(view, &position(&path, depth))? {
            None => return Ok(Proof { siblings, end: None }),
            Some(Node::Leaf(end)) => return Ok(Proof { siblings, end: Some(end) }),
            Some(Node::Branch { left, right }) => siblings.push(if bit(&path, depth) { left } else { right }),
        }
    }
    Err(StateError::Missing("a leaf within 256 levels".into()))
}

/// Whether `proof` shows that the state of `root` has `value` under `key`; `None` is "no entry".
pub fn verify(root: &Digest, key: &[u8], value: Option<&[u8]>, proof: &Proof) -> bool {
    let path = path_of(key);
    let depth = proof.siblings.len();
    if depth > PATH_BITS {
        return false;
    }
    let fits = match (value, &proof.end) {
        (Some(value), Some(end)) => *end == leaf(key, value),
        (Some(_), None) => false,
        (None, None) => true,
        // Another entry stands where this one would: they agree so far and differ further down.
        (None, Some(end)) => end.path != path && (0..depth).all(|at| bit(&end.path, at) == bit(&path, at)),
    };
    let mut node = hash(proof.end.map(Node::Leaf).as_ref());
    for (at, sibling) in proof.siblings.iter().enumerate().rev() {
        node = if bit(&path, at) { branch(sibling, &node) } else { branch(&node, sibling) };
    }
    fits && node == *root
}

/// Brings the tree up to date with the changes of state proper in `changes`, adds the changed
/// nodes to them, and returns the new root.
pub(crate) fn commit(view: &dyn StateRead, changes: &mut ChangeSet) -> Result<Digest, StateError> {
    let mut updates: Vec<(Path, Option<Leaf>)> = changes
        .with_prefix(keys::STATE)
        .map(|(key, value)| (path_of(key), value.map(|value| leaf(key, value))))
        .collect();
    updates.sort_unstable_by_key(|(path, _)| *path);
    let mut nodes = ChangeSet::default();
    let top = update(view, &updates, 0, &mut nodes)?;
    if let Some((path, _)) = updates.first() {
        write(&mut nodes, path, 0, top.as_ref());
        changes.merge(nodes);
    }
    Ok(hash(top.as_ref()))
}

/// The node at `depth` on the way of the updates, after them. Writes what is below it, not itself:
/// whether a single leaf stays or moves up is its parent's to say.
fn update(
    view: &dyn StateRead,
    updates: &[(Path, Option<Leaf>)],
    depth: usize,
    nodes: &mut ChangeSet,
) -> Result<Option<Node>, StateError> {
    let way = updates.first().map_or([0; 32], |(path, _)| *path);
    let old = read::<Node>(view, &position(&way, depth))?;
    let Some(Node::Branch { left, right }) = old else {
        if updates.is_empty() {
            return Ok(old);
        }
        let kept = match old {
            Some(Node::Leaf(leaf)) if updates.binary_search_by_key(&leaf.path, |(path, _)| *path).is_err() => {
                Some(leaf)
            }
            _ => None,
        };
        let mut leaves: Vec<Leaf> = kept.into_iter().chain(updates.iter().filter_map(|(_, leaf)| *leaf)).collect();
        leaves.sort_unstable_by_key(|leaf| leaf.path);
        return Ok(build(&leaves, depth, nodes));
    };
    if updates.is_empty() {
        return Ok(old);
    }
    let split = updates.partition_point(|(path, _)| !bit(path, depth));
    let (to_left, to_right) = updates.split_at(split);
    let mut children = [left, right];
    let below = depth.saturating_add(1);
    let mut single = None;
    for (side, part) in [to_left, to_right].into_iter().enumerate() {
        let Some((path, _)) = part.first() else { continue };
        let child = update(view, part, below, nodes)?;
        write(nodes, path, below, child.as_ref());
        if let Some(slot) = children.get_mut(side) {
            *slot = hash(child.as_ref());
        }
        if let Some(Node::Leaf(leaf)) = child {
            single = Some(leaf);
        }
    }
    let [left, right] = children;
    match (left == EMPTY, right == EMPTY) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some(Node::Branch { left, right })),
        (left_empty, _) => {
            // One child is left. If it is a leaf it moves up here; an untouched child is read.
            let path = with_bit(&way, depth, left_empty);
            let child = match single {
                Some(leaf) => Some(Node::Leaf(leaf)),
                None if part_is_touched(left_empty, to_left, to_right) => None,
                None => read::<Node>(view, &position(&path, below))?,
            };
            match child {
                Some(Node::Leaf(leaf)) => {
                    write(nodes, &path, below, None);
                    Ok(Some(Node::Leaf(leaf)))
                }
                _ => Ok(Some(Node::Branch { left, right })),
            }
        }
    }
}

/// Whether the child that is left (the right one if the left is empty) was just updated.
fn part_is_touched(left_empty: bool, left: &[(Path, Option<Leaf>)], right: &[(Path, Option<Leaf>)]) -> bool {
    if left_empty { !right.is_empty() } else { !left.is_empty() }
}

/// The subtree of sorted leaves that share their first `depth` bits.
fn build(leaves: &[Leaf], depth: usize, nodes: &mut ChangeSet) -> Option<Node> {
    match leaves {
        [] => None,
        [leaf] => Some(Node::Leaf(*leaf)),
        [first, ..] => {
            let split = leaves.partition_point(|leaf| !bit(&leaf.path, depth));
            let (left, right) = leaves.split_at(split);
            let below = depth.saturating_add(1);
            let mut child = |part: &[Leaf], side: bool| {
                let node = build(part, below, nodes);
                write(nodes, &with_bit(&first.path, depth, side), below, node.as_ref());
                hash(node.as_ref())
            };
            Some(Node::Branch { left: child(left, false), right: child(right, true) })
        }
    }
}

fn write(nodes: &mut ChangeSet, path: &Path, depth: usize, node: Option<&Node>) {
    match node {
        Some(node) => nodes.put(position(path, depth), encode(node)),
        None => nodes.delete(position(path, depth)),
    }
}

/// The key of the node at the first `depth` bits of `path`: `n`, the depth (2, BE), and the bits
/// in whole bytes, the rest of the last one zero.
fn position(path: &Path, depth: usize) -> Vec<u8> {
    let mut key = keys::NODES.to_vec();
    key.extend_from_slice(&u16::try_from(depth).unwrap_or(u16::MAX).to_be_bytes());
    key.extend_from_slice(path.get(..depth / 8).unwrap_or(path));
    if !depth.is_multiple_of(8) {
        let kept = !0xff_u8.checked_shr(u32::try_from(depth % 8).unwrap_or(0)).unwrap_or(0);
        key.push(path.get(depth / 8).copied().unwrap_or(0) & kept);
    }
    key
}

/// Bit `at` of a path, the highest of the first byte first.
fn bit(path: &Path, at: usize) -> bool {
    path.get(at / 8).is_some_and(|byte| byte & mask(at) != 0)
}

fn with_bit(path: &Path, at: usize, set: bool) -> Path {
    let mut path = *path;
    if let Some(byte) = path.get_mut(at / 8) {
        *byte = if set { *byte | mask(at) } else { *byte & !mask(at) };
    }
    path
}

fn mask(at: usize) -> u8 {
    0x80_u8.checked_shr(u32::try_from(at % 8).unwrap_or(0)).unwrap_or(0)
}

/// L50.
fn path_of(key: &[u8]) -> Path {
    KeyHash::hash(key).to_byte_array()
}

fn leaf(key: &[u8], value: &[u8]) -> Leaf {
    Leaf { path: path_of(key), value: sha256::Hash::hash(value).to_byte_array() }
}

/// L51.
fn hash(node: Option<&Node>) -> Digest {
    match node {
        None => EMPTY,
        Some(Node::Leaf(leaf)) => {
            let mut engine = LeafHash::engine();
            engine.input(&leaf.path);
            engine.input(&leaf.value);
            Digest(LeafHash::from_engine(engine).to_byte_array())
        }
        Some(Node::Branch { left, right }) => branch(left, right),
    }
}

fn branch(left: &Digest, right: &Digest) -> Digest {
    let mut engine = NodeHash::engine();
    engine.input(left.as_bytes());
    engine.input(right.as_bytes());
    Digest(NodeHash::from_engine(engine).to_byte_array())
}

#[cfg(test)]
#[path = "smt_tests.rs"]
mod tests;

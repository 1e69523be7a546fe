//! The authenticated state: a sparse Merkle tree over the keys of namespace `s` (rules L50 to L53).
//!
//! An entry's place is the hash of its key, a path of 256 bits. A subtree with one entry is that
//! entry's leaf, one with none is the empty hash; so the root depends on the set of entries alone,
//! never on the order in which they came. Nodes are stored by four levels, in [pages](page).
//!
//! ```
//! use windlass_ledger::smt;
//! let root = smt::root_of([(&b"sa"[..], &b"1"[..])]);
//! assert_ne!(root, smt::EMPTY);
//! ```

mod page;

use crate::keys;
use crate::state::{ChangeSet, StateError, StateRead};
use bitcoin::hashes::{Hash as _, HashEngine as _, sha256, sha256t_hash_newtype};
use borsh::{BorshDeserialize, BorshSerialize};
use page::{BELOW, LEVELS, Node, Page, TOP, children};
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

impl Leaf {
    /// L51.
    fn hash(&self) -> Digest {
        let mut engine = LeafHash::engine();
        engine.input(&self.path);
        engine.input(&self.value);
        Digest(LeafHash::from_engine(engine).to_byte_array())
    }
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
    Ok(Page::read(view, &[0; 32], 0)?.map_or(EMPTY, |page| page.at(TOP).hash()))
}

/// L52: the root of a set of entries, computed from nothing: the recount of what [`root`] says.
pub fn root_of<'a>(entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Digest {
    let mut leaves: Vec<Leaf> = entries.into_iter().map(|(key, value)| leaf(key, value)).collect();
    leaves.sort_unstable_by_key(|leaf| leaf.path);
    leaves.dedup_by_key(|leaf| leaf.path);
    hash_of(&leaves, 0)
}

/// The hash of sorted leaves that share their first `depth` bits.
fn hash_of(leaves: &[Leaf], depth: usize) -> Digest {
    match leaves {
        [] => EMPTY,
        [leaf] => leaf.hash(),
        _ => {
            let (left, right) = leaves.split_at(leaves.partition_point(|leaf| !bit(&leaf.path, depth)));
            let below = depth.saturating_add(1);
            branch(&hash_of(left, below), &hash_of(right, below))
        }
    }
}

/// L53: proves what `view` has under `key`.
///
/// # Errors
/// State could not be read.
pub fn prove(view: &dyn StateRead, key: &[u8]) -> Result<Proof, StateError> {
    let path = path_of(key);
    let mut siblings = Vec::new();
    for depth in (0..=PATH_BITS).step_by(LEVELS) {
        let Some(page) = Page::read(view, &path, depth)? else {
            if depth == 0 {
                return Ok(Proof { siblings, end: None });
            }
            return Err(StateError::Missing(hex::encode(page::key(&path, depth))));
        };
        let mut place = TOP;
        for at in depth.. {
            match page.at(place) {
                Node::Empty => return Ok(Proof { siblings, end: None }),
                Node::Leaf(end) => return Ok(Proof { siblings, end: Some(end) }),
                Node::Branch(_) if place >= BELOW => break,
                Node::Branch(_) => {
                    let (left, right) = children(place);
                    let (next, beside) = if bit(&path, at) { (right, left) } else { (left, right) };
                    siblings.push(page.at(beside).hash());
                    place = next;
                }
            }
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
    let mut node = proof.end.map_or(EMPTY, |end| end.hash());
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
    let mut pages = ChangeSet::default();
    let old = Page::read(view, &[0; 32], 0)?;
    let was_there = old.is_some();
    let mut page = old.unwrap_or(Page::of(Node::Empty));
    update(view, &mut page, TOP, 0, &updates, &mut pages)?;
    let top = page.at(TOP);
    match (updates.first(), top) {
        (None, _) => {}
        (Some((path, _)), Node::Empty) if was_there => pages.delete(page::key(path, 0)),
        (Some(_), Node::Empty) => {}
        (Some((path, _)), _) => pages.put(page::key(path, 0), page.encode()),
    }
    changes.merge(pages);
    Ok(top.hash())
}

type Update = (Path, Option<Leaf>);

/// Brings what is at `place` of `page`, which is at `depth`, up to date. The pages below that change are in `pages`.
fn update(
    view: &dyn StateRead,
    page: &mut Page,
    place: usize,
    depth: usize,
    updates: &[Update],
    pages: &mut ChangeSet,
) -> Result<(), StateError> {
    let Some((way, _)) = updates.first() else { return Ok(()) };
    if place >= BELOW {
        let node = update_below(view, page.at(place), way, depth, updates, pages)?;
        page.set(place, node);
        return Ok(());
    }
    let below = depth.saturating_add(1);
    let (left, right) = children(place);
    match page.at(place) {
        Node::Branch(_) => {
            let (to_left, to_right) = updates.split_at(updates.partition_point(|(path, _)| !bit(path, depth)));
            update(view, page, left, below, to_left, pages)?;
            update(view, page, right, below, to_right, pages)?;
            page.join(place);
        }
        old => {
            let leaves = merged(old, updates);
            build(page, place, depth, &leaves, pages);
        }
    }
    Ok(())
}

/// The same for the top of the page below, which is `old`.
fn update_below(
    view: &dyn StateRead,
    old: Node,
    way: &Path,
    depth: usize,
    updates: &[Update],
    pages: &mut ChangeSet,
) -> Result<Node, StateError> {
    let mut page = match old {
        Node::Branch(_) => {
            Page::read(view, way, depth)?.ok_or_else(|| StateError::Missing(hex::encode(page::key(way, depth))))?
        }
        top => Page::of(top),
    };
    update(view, &mut page, TOP, depth, updates, pages)?;
    let top = page.at(TOP);
    match (old, top) {
        (_, Node::Branch(_)) => pages.put(page::key(way, depth), page.encode()),
        (Node::Branch(_), _) => pages.delete(page::key(way, depth)),
        _ => {}
    }
    Ok(top)
}

/// The leaves, sorted, after the updates of a place that has one at most.
fn merged(old: Node, updates: &[Update]) -> Vec<Leaf> {
    let is_updated = |leaf: &Leaf| updates.binary_search_by_key(&leaf.path, |(path, _)| *path).is_ok();
    let mut leaves: Vec<Leaf> = updates.iter().filter_map(|(_, leaf)| *leaf).collect();
    if let Node::Leaf(leaf) = old
        && !is_updated(&leaf)
    {
        leaves.insert(leaves.partition_point(|other| other.path < leaf.path), leaf);
    }
    leaves
}

/// Puts sorted leaves that share their first `depth` bits at `place`, which has nothing below.
fn build(page: &mut Page, place: usize, depth: usize, leaves: &[Leaf], pages: &mut ChangeSet) {
    let node = match leaves {
        [] => Node::Empty,
        [leaf] => Node::Leaf(*leaf),
        [first, ..] if place >= BELOW => {
            let mut own = Page::of(Node::Empty);
            build(&mut own, TOP, depth, leaves, pages);
            pages.put(page::key(&first.path, depth), own.encode());
            own.at(TOP)
        }
        _ => {
            let (to_left, to_right) = leaves.split_at(leaves.partition_point(|leaf| !bit(&leaf.path, depth)));
            let (left, right) = children(place);
            let below = depth.saturating_add(1);
            build(page, left, below, to_left, pages);
            build(page, right, below, to_right, pages);
            Node::Branch(branch(&page.at(left).hash(), &page.at(right).hash()))
        }
    };
    page.set(place, node);
}

/// Bit `at` of a path, the highest of the first byte first.
fn bit(path: &Path, at: usize) -> bool {
    path.get(at / 8).is_some_and(|byte| byte & mask(at) != 0)
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
fn branch(left: &Digest, right: &Digest) -> Digest {
    let mut engine = NodeHash::engine();
    engine.input(left.as_bytes());
    engine.input(right.as_bytes());
    Digest(NodeHash::from_engine(engine).to_byte_array())
}

#[cfg(test)]
#[path = "smt_tests.rs"]
mod tests;

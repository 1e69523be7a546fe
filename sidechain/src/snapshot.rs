//! A snapshot: the rows of the state at one final block, that block's header and certificate, as bytes that stream
//! (docs/spec/snapshots.md). Whoever has the genesis checks it; see [`restore`].

use crate::chain_store::{self, ChainStore, ChainStoreError};
use borsh::{BorshDeserialize, BorshSerialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_ledger::{Entry, Genesis, Header, Restore, RestoreError, StateRead, keys, query};
use windlass_light::{CertificateError, CommitteeError, EpochLink, Epochs, LinkError};
use windlass_store::{OpenError, Store, StoreError};
use windlass_types::{ChainId, SideHeight};

/// What a snapshot begins with; the last byte is its version.
pub const MAGIC: &[u8; 8] = b"wlstate1";
/// A head is no longer: the longest certificate there is fits, and a link for each of thousands of epochs.
const MAX_HEAD_BYTES: usize = 32 * 1024 * 1024;
/// Rows are put together to pieces of about so much…
const PIECE_BYTES: usize = 1024 * 1024;
/// …and a longer piece than this is refused.
const MAX_PIECE_BYTES: usize = 8 * 1024 * 1024;
/// Rows that are read at a time.
const ROWS: usize = 64;
/// A snapshot that does not end is not read on.
const MAX_BYTES: u64 = 1 << 40;

/// Why a snapshot was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It can't be read, or breaks off.
    #[error("the snapshot breaks off, or can't be read")]
    Read(#[source] std::io::Error),
    /// The bytes are no snapshot.
    #[error("this is no snapshot of this version: {0}")]
    Malformed(String),
    /// Its header is of another chain.
    #[error("the snapshot is of the chain {found}, not {expected}")]
    OtherChain {
        /// The chain asked for.
        expected: ChainId,
        /// The snapshot's.
        found: ChainId,
    },
    /// The first block has no certificate, and needs none.
    #[error("a snapshot of the genesis block proves nothing: begin from the genesis")]
    Genesis,
    /// No quorum of the members signed its header.
    #[error("the snapshot is not signed")]
    Certificate(#[from] CertificateError),
    /// The members of an epoch before it don't hand on to the next one's.
    #[error("the snapshot is not signed by who are members")]
    Link(#[source] Box<LinkError>),
    /// The genesis's members are no committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// Its rows are not the state of its header.
    #[error("the snapshot is not the state of its header (block {height})")]
    Rows {
        /// The header's height.
        height: SideHeight,
        /// What is wrong.
        source: RestoreError,
    },
    /// There is a chain already.
    #[error("{} is there already: a snapshot is for a follower that begins", .0.display())]
    Begun(PathBuf),
    /// The file can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file can't be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain made of it can't be read or put in its place.
    #[error(transparent)]
    Chain(#[from] ChainStoreError),
    /// The file can't be renamed or removed.
    #[error("{}", .0.display())]
    File(PathBuf, #[source] std::io::Error),
}

/// What a snapshot begins with.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Head {
    pub header: Header,
    pub certificate: Vec<u8>,
    /// From the genesis to the header's epoch.
    pub links: Vec<EpochLink>,
}

fn encode<T: BorshSerialize>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to a vector does not fail and no length reaches u32")
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a piece is no longer than a few MiB");
    [&length.to_le_bytes()[..], bytes].concat()
}

/// The newest final state of `chain`, as the pieces of a snapshot. They are of one moment, however the chain goes on.
///
/// # Errors
/// There is no block after the genesis, or the store fails.
pub fn pieces(chain: &ChainStore) -> Result<Pieces, SnapshotError> {
    let tip = chain.tip_view();
    let header = tip.header;
    if header.height == SideHeight::default() {
        return Err(SnapshotError::Genesis);
    }
    let certificate = chain.certificate(header.height)?.ok_or(ChainStoreError::Damaged {
        what: "the certificate",
        height: header.height,
        reason: "it is missing".into(),
    })?;
    let epochs = query::epochs(&*tip.view).map_err(ChainStoreError::from)?;
    let mut links = chain.links()?;
    links.truncate(epochs.iter().filter(|epoch| epoch.first <= header.height).count().saturating_sub(1));
    Ok(Pieces::new(header, certificate, links, tip.view))
}

/// See [`pieces`]. An error is the last item.
pub struct Pieces {
    height: SideHeight,
    begin: Option<Vec<u8>>,
    view: Arc<dyn StateRead>,
    /// Where the next rows are, without the namespace; `None` after the end.
    from: Option<Vec<u8>>,
}

impl Pieces {
    pub(crate) fn new(header: Header, certificate: Vec<u8>, links: Vec<EpochLink>, view: Arc<dyn StateRead>) -> Self {
        let head = framed(&encode(&Head { header, certificate, links }));
        let begin = Some([MAGIC, head.as_slice()].concat());
        Self { height: header.height, begin, view, from: Some(Vec::new()) }
    }

    /// The height of the state.
    pub const fn height(&self) -> SideHeight {
        self.height
    }

    fn rows(&mut self, from: Vec<u8>) -> Result<Vec<u8>, ChainStoreError> {
        let (mut rows, mut bytes, mut from): (Vec<Entry>, usize, _) = (Vec::new(), 0, from);
        while bytes < PIECE_BYTES {
            let page = self.view.page(keys::STATE, &from, ROWS)?;
            let Some((last, _)) = page.last() else { break };
            from = [last.get(keys::STATE.len()..).unwrap_or_default(), &[0]].concat();
            bytes += page.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
            rows.extend(page);
        }
        if rows.is_empty() {
            return Ok(framed(&[]));
        }
        self.from = Some(from);
        Ok(framed(&encode(&rows)))
    }
}

impl Iterator for Pieces {
    type Item = Result<Vec<u8>, ChainStoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(begin) = self.begin.take() {
            return Some(Ok(begin));
        }
        let from = self.from.take()?;
        Some(self.rows(from))
    }
}

/// Reads a snapshot piece by piece.
pub(crate) struct Reader<R> {
    input: std::io::Take<R>,
    pub head: Head,
}

impl<R: Read> Reader<R> {
    /// Reads the head.
    pub fn new(input: R) -> Result<Self, SnapshotError> {
        let mut input = input.take(MAX_BYTES);
        let mut magic = [0; MAGIC.len()];
        input.read_exact(&mut magic).map_err(SnapshotError::Read)?;
        if magic != *MAGIC {
            return Err(SnapshotError::Malformed(format!("it begins with {}", hex::encode(magic))));
        }
        let head = piece(&mut input, MAX_HEAD_BYTES, "head")?;
        let head = borsh::from_slice(&head).map_err(|error| SnapshotError::Malformed(format!("the head: {error}")))?;
        Ok(Self { input, head })
    }

    /// The next rows; `None` after the last, behind which nothing stands.
    pub fn rows(&mut self) -> Result<Option<Vec<Entry>>, SnapshotError> {
        let bytes = piece(&mut self.input, MAX_PIECE_BYTES, "piece")?;
        if bytes.is_empty() {
            let mut more = Vec::new();
            (&mut self.input).take(1).read_to_end(&mut more).map_err(SnapshotError::Read)?;
            return if more.is_empty() {
                Ok(None)
            } else {
                Err(SnapshotError::Malformed("bytes after its end".into()))
            };
        }
        let rows: Vec<Entry> =
            borsh::from_slice(&bytes).map_err(|error| SnapshotError::Malformed(format!("rows: {error}")))?;
        if rows.is_empty() {
            return Err(SnapshotError::Malformed("a piece without rows".into()));
        }
        Ok(Some(rows))
    }
}

fn piece(input: &mut impl Read, max: usize, what: &str) -> Result<Vec<u8>, SnapshotError> {
    let mut length = [0; 4];
    input.read_exact(&mut length).map_err(SnapshotError::Read)?;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > max {
        return Err(SnapshotError::Malformed(format!("a {what} of {length} bytes; at most {max}")));
    }
    // As long as what comes, whatever its length says.
    let mut bytes = Vec::new();
    let read = input.take(length as u64).read_to_end(&mut bytes).map_err(SnapshotError::Read)?;
    if read < length {
        return Err(SnapshotError::Read(std::io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(bytes)
}

/// Makes the chain's file at `path` from a snapshot: checks that a quorum of the members signed its header, that its
/// rows are the state of that header, and that the books in it add up. What came before it is taken on the members' word.
///
/// The file is made aside and renamed when it is whole: a process that dies before begins again.
///
/// # Errors
/// The first thing that is wrong; then there is no file.
pub fn restore(path: &Path, genesis: &Genesis, input: impl Read) -> Result<Header, SnapshotError> {
    if path.exists() {
        return Err(SnapshotError::Begun(path.to_owned()));
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(".restoring");
    let aside = PathBuf::from(aside);
    remove(&aside)?;
    let outcome = fill(&aside, genesis, input);
    if outcome.is_err() {
        remove(&aside)?;
    }
    let header = outcome?;
    let file = |error| SnapshotError::File(path.to_owned(), error);
    // Refuses to replace a file that another process made meanwhile.
    std::fs::hard_link(&aside, path).map_err(file)?;
    std::fs::remove_file(&aside).map_err(file)?;
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(file)?;
    }
    Ok(header)
}

fn remove(path: &Path) -> Result<(), SnapshotError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(SnapshotError::File(path.to_owned(), error)),
        _ => Ok(()),
    }
}

fn fill(path: &Path, genesis: &Genesis, input: impl Read) -> Result<Header, SnapshotError> {
    let mut reader = Reader::new(input)?;
    let signers = signers(genesis, &reader.head)?;
    let header = reader.head.header;
    let wrong = |source| SnapshotError::Rows { height: header.height, source };
    let store = Store::open(path)?;
    let mut restore = Restore::new(header);
    while let Some(rows) = reader.rows()? {
        let view = chain_store::state_view(&store)?;
        let changes = restore.take(&*view, rows).map_err(wrong)?;
        store.commit(chain_store::state_writes(&changes))?;
    }
    let last = restore.finish(&*chain_store::state_view(&store)?).map_err(wrong)?;
    let whole = chain_store::begun(&last, &reader.head, &signers);
    store.commit(whole)?;
    Ok(header)
}

/// Who signed a snapshot's header.
pub(crate) fn signers(genesis: &Genesis, head: &Head) -> Result<Vec<u16>, SnapshotError> {
    let (expected, found) = (genesis.chain_id(), head.header.chain);
    if found != expected {
        return Err(SnapshotError::OtherChain { expected, found });
    }
    if head.header.height == SideHeight::default() {
        return Err(SnapshotError::Genesis);
    }
    let mut epochs = Epochs::of_genesis(genesis)?;
    for link in &head.links {
        epochs.cross(link).map_err(|error| SnapshotError::Link(Box::new(error)))?;
    }
    let (since, _) = epochs.newest();
    if head.header.height < since {
        return Err(SnapshotError::Malformed(format!("links to epochs that begin after block {}", head.header.height)));
    }
    Ok(epochs.verify_header(&head.header, &head.certificate)?)
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;

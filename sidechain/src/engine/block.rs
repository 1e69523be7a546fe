//! A block in the engine's clothes: decoded once, with its bytes and digest at hand.

use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, EncodeSize, Error, Read, ReadExt as _, Write};
use commonware_consensus::types::Height;
use commonware_consensus::{Block as EngineBlock, Heightable};
use commonware_cryptography::{Digested, Digestible, sha256};
use std::sync::Arc;
use windlass_ledger::{Block, MAX_BLOCK_BYTES};
use windlass_types::{Digest, SideHeight};

/// See the module's head. On the wire: a length (u32, big endian), then the ledger's encoding.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    block: Arc<Block>,
    bytes: Bytes,
    digest: sha256::Digest,
}

impl Sealed {
    pub fn new(block: Arc<Block>) -> Self {
        let bytes = Bytes::from(block.encode());
        let digest = sha256::Digest(block.header.digest().0);
        Self { block, bytes, digest }
    }

    pub fn digested(block: Arc<Block>) -> Digested<Self> {
        let sealed = Self::new(block);
        let digest = sealed.digest;
        Digested::precomputed(sealed, digest)
    }

    pub const fn block(&self) -> &Arc<Block> {
        &self.block
    }
}

pub(crate) const fn ours(digest: sha256::Digest) -> Digest {
    Digest(digest.0)
}

/// The genesis block has no body and commits to none.
fn has_its_body(block: &Block) -> bool {
    let is_genesis = block.header.height == SideHeight::new(0);
    let is_bare = block.inputs.is_empty() && block.transactions.is_empty();
    let root = if is_genesis && is_bare { Digest::default() } else { block.body_root() };
    block.header.body_root == root
}

impl Write for Sealed {
    fn write(&self, buf: &mut impl BufMut) {
        buf.put_u32(u32::try_from(self.bytes.len()).expect("the ledger bounds a block's bytes"));
        buf.put_slice(&self.bytes);
    }
}

impl EncodeSize for Sealed {
    fn encode_size(&self) -> usize {
        4 + self.bytes.len()
    }
}

impl Read for Sealed {
    type Cfg = ();

    /// Refuses a body that the header doesn't commit to: the digest, which covers the header only,
    /// is what members vote on and store the block under.
    fn read_cfg(buf: &mut impl Buf, (): &Self::Cfg) -> Result<Self, Error> {
        let length = usize::try_from(u32::read(buf)?).map_err(|_| Error::InvalidUsize)?;
        if length > MAX_BLOCK_BYTES {
            return Err(Error::InvalidLength(length));
        }
        if buf.remaining() < length {
            return Err(Error::EndOfBuffer);
        }
        let bytes = buf.copy_to_bytes(length);
        let block = Block::decode(&bytes).map_err(|_| Error::Invalid("block", "malformed"))?;
        if !has_its_body(&block) {
            return Err(Error::Invalid("block", "the body is not the header's"));
        }
        let digest = sha256::Digest(block.header.digest().0);
        Ok(Self { block: Arc::new(block), bytes, digest })
    }
}

impl Digestible for Sealed {
    type Digest = sha256::Digest;

    fn digest(&self) -> Self::Digest {
        self.digest
    }
}

impl Heightable for Sealed {
    fn height(&self) -> Height {
        Height::new(self.block.header.height.get())
    }
}

impl EngineBlock for Sealed {
    fn parent(&self) -> Self::Digest {
        sha256::Digest(self.block.header.parent.0)
    }
}

//! The proof that a transaction is in a block (a Merkle block of BIP37).

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::{Block, MerkleBlock, Txid};

/// The proof that `txid` is in `block`: a serialised `MerkleBlock`, its first 80 bytes being the
/// header. `None` if it isn't in the block.
pub fn merkle_proof(block: &Block, txid: Txid) -> Option<Vec<u8>> {
    let txids: Vec<Txid> = block.txdata.iter().map(bitcoin::Transaction::compute_txid).collect();
    txids.contains(&txid).then(|| {
        let proof =
            MerkleBlock::from_header_txids_with_predicate(&block.header, &txids, |candidate| *candidate == txid);
        serialize(&proof)
    })
}

/// Reads a proof of [`merkle_proof`] and returns the hash of the block that it speaks of, or `None`
/// if it doesn't prove that `txid` is in it.
pub fn verify_merkle_proof(proof: &[u8], txid: Txid) -> Option<bitcoin::BlockHash> {
    let proof: MerkleBlock = deserialize(proof).ok()?;
    let (mut matches, mut indexes) = (Vec::new(), Vec::new());
    proof.extract_matches(&mut matches, &mut indexes).ok()?;
    matches.contains(&txid).then(|| proof.header.block_hash())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::Network;
    use bitcoin::constants::genesis_block;
    use bitcoin::hashes::Hash as _;

    #[test]
    fn proves_what_is_there_and_nothing_else() {
        let block = genesis_block(Network::Regtest);
        let txid = block.txdata[0].compute_txid();
        let proof = merkle_proof(&block, txid).expect("it is there");
        assert_eq!(&proof[..80], serialize(&block.header).as_slice());
        assert_eq!(verify_merkle_proof(&proof, txid), Some(block.block_hash()));
        assert_eq!(verify_merkle_proof(&proof, Txid::all_zeros()), None);
        assert_eq!(verify_merkle_proof(&proof[..90], txid), None);
        assert_eq!(merkle_proof(&block, Txid::all_zeros()), None);
    }
}

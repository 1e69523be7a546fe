//! The Bitcoin scripts of the federation (BIP341): deposit addresses and the treasury.
//!
//! Both are `tr(P, {hidden, leaf})` with two nodes at depth 1. `P` is the federation's FROST key.
//! The hidden node is a tagged hash that is used as a node and can be no script's hash: it makes
//! the output unique (deposit) or carries a commitment (treasury) for no extra byte. The leaf is a
//! way out after a relative timelock: for the user alone, or for the emergency keys.
//!
//! See `docs/spec/addresses.md`.

use crate::Genesis;
use bitcoin::key::TweakedPublicKey;
use bitcoin::opcodes::all::{OP_CHECKSIG, OP_CHECKSIGADD, OP_CHECKSIGVERIFY, OP_CSV, OP_NUMEQUALVERIFY};
use bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use bitcoin::taproot::{ControlBlock, LeafVersion, TapNodeHash, TaprootBuilder};
use bitcoin::{Address, Amount, ScriptBuf, XOnlyPublicKey};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;
use windlass_types::{AccountId, Blocks, Digest, Epoch, tagged_hash};

/// What makes a deposit address: whom it credits and who can take it back.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct DepositTerms {
    /// The account that is credited.
    #[serde(with = "crate::wire::account_hex")]
    pub account: AccountId,
    /// Any number: tells the addresses of one account apart.
    pub nonce: u64,
    /// The federation's key.
    pub epoch: Epoch,
    /// The x-only key that takes the coin back after [`crate::Params::reclaim_blocks`].
    #[serde(with = "hex::serde")]
    pub user_key: [u8; 32],
}

/// A Taproot output and what it takes to spend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendInfo {
    /// The script of the output.
    pub script: ScriptBuf,
    /// The output key: what a key-path signature verifies against.
    pub output_key: TweakedPublicKey,
    /// The root that tweaks the federation's key.
    pub merkle_root: TapNodeHash,
    /// The leaf's script.
    pub leaf: ScriptBuf,
    /// The control block of the leaf.
    pub control: ControlBlock,
}

/// Why a script can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// 32 bytes that are no point of the curve.
    #[error("{} is no x-only public key", hex::encode(.0))]
    Key([u8; 32]),
    /// An epoch that the federation has no key of.
    #[error("the federation has no key of epoch {0}")]
    Epoch(Epoch),
    /// A transaction has no such input.
    #[error("the batch has no input {0}")]
    NoInput(usize),
    /// Amounts that don't add up.
    #[error("the batch's amounts overflow")]
    Overflow,
}

impl DepositTerms {
    /// The hidden node: `H("Windlass/deposit", account (33) || nonce (8, LE) || epoch (4, LE))` (L20).
    pub fn hidden(&self) -> [u8; 32] {
        let (nonce, epoch) = (self.nonce.to_le_bytes(), self.epoch.get().to_le_bytes());
        tagged_hash("Windlass/deposit", &[&self.account.to_bytes(), &nonce, &epoch])
    }

    /// The deposit output: `tr(P, {hidden, and_v(v:pk(user), older(R))})` (L20).
    ///
    /// # Errors
    /// The user's key is no key, or the federation has no key of this epoch.
    pub fn spend_info(&self, genesis: &Genesis) -> Result<SpendInfo, ScriptError> {
        let leaf = reclaim_leaf(&x_only(&self.user_key)?, genesis.params.reclaim_blocks);
        two_nodes(&federation_key(genesis, self.epoch)?, self.hidden(), leaf)
    }

    /// The deposit address.
    ///
    /// # Errors
    /// As [`Self::spend_info`].
    pub fn address(&self, genesis: &Genesis) -> Result<Address, ScriptError> {
        Ok(Address::p2tr_tweaked(self.spend_info(genesis)?.output_key, genesis.network.bitcoin()))
    }
}

/// The hidden node of a treasury output: the sidechain header before the batch, and the supply
/// (L30): `H("Windlass/anchor", digest (32) || supply (8, LE))`.
pub fn treasury_hidden(parent: &Digest, supply: Amount) -> [u8; 32] {
    tagged_hash("Windlass/anchor", &[parent.as_bytes(), &supply.to_sat().to_le_bytes()])
}

/// A treasury output: `tr(P, {hidden, and_v(v:multi_a(k, emergency keys), older(E))})` (L30).
///
/// # Errors
/// A key of the genesis is no key, or there is no key of this epoch.
pub fn treasury_spend_info(genesis: &Genesis, epoch: Epoch, hidden: [u8; 32]) -> Result<SpendInfo, ScriptError> {
    two_nodes(&federation_key(genesis, epoch)?, hidden, emergency_leaf(genesis)?)
}

/// The federation's untweaked key of an epoch. There is one epoch, 0, until keys rotate.
///
/// # Errors
/// Another epoch, or the genesis's key is no key.
pub fn federation_key(genesis: &Genesis, epoch: Epoch) -> Result<XOnlyPublicKey, ScriptError> {
    if epoch != Epoch::new(0) {
        return Err(ScriptError::Epoch(epoch));
    }
    x_only(&genesis.treasury_key)
}

/// `<user> OP_CHECKSIGVERIFY <R> OP_CHECKSEQUENCEVERIFY`: `and_v(v:pk(user),older(R))`.
pub fn reclaim_leaf(user: &XOnlyPublicKey, blocks: Blocks) -> ScriptBuf {
    bitcoin::script::Builder::new()
        .push_x_only_key(user)
        .push_opcode(OP_CHECKSIGVERIFY)
        .push_int(blocks.get().into())
        .push_opcode(OP_CSV)
        .into_script()
}

/// `<k1> OP_CHECKSIG <k2> OP_CHECKSIGADD … <k> OP_NUMEQUALVERIFY <E> OP_CHECKSEQUENCEVERIFY`:
/// `and_v(v:multi_a(k,k1,k2,…),older(E))`, keys in the members' order.
///
/// # Errors
/// A member's emergency key is no key.
pub fn emergency_leaf(genesis: &Genesis) -> Result<ScriptBuf, ScriptError> {
    let mut builder = bitcoin::script::Builder::new();
    for (index, member) in genesis.members.iter().enumerate() {
        let opcode = if index == 0 { OP_CHECKSIG } else { OP_CHECKSIGADD };
        builder = builder.push_x_only_key(&x_only(&member.emergency_key)?).push_opcode(opcode);
    }
    Ok(builder
        .push_int(genesis.params.emergency_threshold.into())
        .push_opcode(OP_NUMEQUALVERIFY)
        .push_int(genesis.params.emergency_blocks.get().into())
        .push_opcode(OP_CSV)
        .into_script())
}

/// 32 bytes as a point of the curve.
///
/// # Errors
/// They are none.
pub fn x_only(bytes: &[u8; 32]) -> Result<XOnlyPublicKey, ScriptError> {
    XOnlyPublicKey::from_slice(bytes).map_err(|_| ScriptError::Key(*bytes))
}

/// One context for all verification.
pub(crate) fn secp() -> &'static Secp256k1<VerifyOnly> {
    static CONTEXT: OnceLock<Secp256k1<VerifyOnly>> = OnceLock::new();
    CONTEXT.get_or_init(Secp256k1::verification_only)
}

fn two_nodes(key: &XOnlyPublicKey, hidden: [u8; 32], leaf: ScriptBuf) -> Result<SpendInfo, ScriptError> {
    let tree = TaprootBuilder::new()
        .add_hidden_node(1, TapNodeHash::assume_hidden(hidden))
        .and_then(|tree| tree.add_leaf(1, leaf.clone()))
        .expect("two nodes at depth 1 make a full tree");
    let info = tree.finalize(secp(), *key).expect("two nodes at depth 1 make a full tree");
    let control = info.control_block(&(leaf.clone(), LeafVersion::TapScript)).expect("the tree has this leaf");
    Ok(SpendInfo {
        script: ScriptBuf::new_p2tr_tweaked(info.output_key()),
        output_key: info.output_key(),
        merkle_root: info.merkle_root().expect("the tree is not empty"),
        leaf,
        control,
    })
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;

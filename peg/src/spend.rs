//! What the two ways out share: one input, one output, a script path after a relative timelock.

use bitcoin::{
    Amount, FeeRate, OutPoint, ScriptBuf, Sequence, TapLeafHash, TapSighashType, Transaction, TxIn, TxOut, Weight,
    Witness,
    absolute::LockTime,
    hashes::Hash as _,
    sighash::{Prevouts, SighashCache},
    taproot::LeafVersion,
    transaction,
};
use windlass_ledger::SpendInfo;
use windlass_types::Blocks;

/// The coin that is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoinToSpend {
    /// Where it is.
    pub outpoint: OutPoint,
    /// Its value.
    pub amount: Amount,
}

/// The output would be dust, or the fee takes all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{amount} less a fee of {fee} leaves less than the {dust} that Bitcoin Core relays")]
pub struct TooSmall {
    /// The coin's value.
    pub amount: Amount,
    /// The transaction's fee.
    pub fee: Amount,
    /// The smallest output to that script.
    pub dust: Amount,
}

/// An unsigned spend of the coin through its leaf, to `to`, with the fee for a witness of
/// `signatures` signatures and `empty` empty stack items.
pub(crate) fn through_leaf(
    coin: CoinToSpend,
    info: &SpendInfo,
    timelock: Blocks,
    to: ScriptBuf,
    fee_rate: FeeRate,
    (signatures, empty): (usize, usize),
) -> Result<Transaction, TooSmall> {
    let mut witness = Witness::new();
    (0..signatures).for_each(|_| witness.push([0; 64]));
    (0..empty).for_each(|_| witness.push([]));
    witness.push(&info.leaf);
    witness.push(info.control.serialize());
    let dust = to.minimal_non_dust();
    // BIP68: the genesis bounds the timelock to 16 bits.
    let sequence = Sequence::from_height(u16::try_from(timelock.get()).unwrap_or(u16::MAX));
    let mut transaction = Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn { previous_output: coin.outpoint, script_sig: ScriptBuf::new(), sequence, witness }],
        output: vec![TxOut { value: Amount::ZERO, script_pubkey: to }],
    };
    let fee = fee_of(fee_rate, transaction.weight());
    let value = coin.amount.checked_sub(fee).filter(|value| *value >= dust);
    let value = value.ok_or(TooSmall { amount: coin.amount, fee, dust })?;
    for output in &mut transaction.output {
        output.value = value;
    }
    for input in &mut transaction.input {
        input.witness = Witness::new();
    }
    Ok(transaction)
}

fn fee_of(rate: FeeRate, weight: Weight) -> Amount {
    rate.fee_vb(weight.to_vbytes_ceil()).unwrap_or(Amount::MAX_MONEY)
}

/// The hash that a signature of the leaf's script signs.
pub(crate) fn leaf_sighash(transaction: &Transaction, coin: CoinToSpend, info: &SpendInfo) -> [u8; 32] {
    let prevout = TxOut { value: coin.amount, script_pubkey: info.script.clone() };
    let leaf = TapLeafHash::from_script(&info.leaf, LeafVersion::TapScript);
    SighashCache::new(transaction)
        .taproot_script_spend_signature_hash(0, &Prevouts::All(&[prevout]), leaf, TapSighashType::Default)
        .expect("one input, one prevout")
        .to_byte_array()
}

/// Puts the stack, the leaf and the control block into the first input.
pub(crate) fn complete(mut transaction: Transaction, info: &SpendInfo, stack: &[Vec<u8>]) -> Transaction {
    let mut witness = Witness::from_slice(stack);
    witness.push(&info.leaf);
    witness.push(info.control.serialize());
    for input in transaction.input.iter_mut().take(1) {
        input.witness = witness.clone();
    }
    transaction
}

//! The wallet's keys: one account of BIP86, and signatures for its inputs.

use super::Wallet;
use bdk_wallet::KeychainKind;
use bitcoin::bip32::{ChildNumber, DerivationPath, Xpriv, Xpub};
use bitcoin::key::{Keypair, TapTweak as _};
use bitcoin::secp256k1::{All, Message, Secp256k1};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::{Network, Psbt, Transaction, TxOut, Witness, taproot};

/// Why a transaction can't be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A taproot signature covers all outputs that are spent, so all must be known.
    #[error("the output that input {0} spends is not known")]
    MissingPrevout(usize),
    /// The PSBT and its transaction don't fit each other.
    #[error("the PSBT has {found} inputs for {expected} of its transaction")]
    Shape {
        /// Inputs of the PSBT.
        found: usize,
        /// Inputs of its transaction.
        expected: usize,
    },
}

/// The secret side of the wallet.
pub(super) struct Keys {
    account: Xpriv,
    secp: Secp256k1<All>,
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.account.private_key.non_secure_erase();
    }
}

impl Keys {
    /// The account `m/86'/coin'/0'` of `seed`.
    pub(super) fn new(seed: &[u8; 32], network: Network) -> Self {
        let secp = Secp256k1::new();
        let coin = u32::from(network != Network::Bitcoin);
        let hardened = |index| ChildNumber::Hardened { index };
        let path = DerivationPath::from(vec![hardened(86), hardened(coin), hardened(0)]);
        let account = Xpriv::new_master(network, seed)
            .and_then(|master| master.derive_priv(&secp, &path))
            .expect("no seed is known whose HMAC is no valid key (2^-127)");
        Self { account, secp }
    }

    /// The public descriptors: for receiving, for change.
    pub(super) fn descriptors(&self) -> (String, String) {
        let public = Xpub::from_priv(&self.secp, &self.account);
        (format!("tr({public}/0/*)"), format!("tr({public}/1/*)"))
    }

    fn keypair(&self, keychain: KeychainKind, index: u32) -> Keypair {
        let chain = match keychain {
            KeychainKind::External => 0,
            KeychainKind::Internal => 1,
        };
        let normal = |index| ChildNumber::Normal { index };
        let child = self
            .account
            .derive_priv(&self.secp, &[normal(chain), normal(index)])
            .expect("BDK derived the public side of the same child");
        child.to_keypair(&self.secp)
    }

    fn sign(&self, keychain: KeychainKind, index: u32, message: Message) -> Witness {
        let tweaked = self.keypair(keychain, index).tap_tweak(&self.secp, None).to_keypair();
        let signature = self.secp.sign_schnorr(&message, &tweaked);
        Witness::p2tr_key_spend(&taproot::Signature { signature, sighash_type: TapSighashType::Default })
    }
}

impl Wallet {
    /// Signs those inputs of `transaction` that spend outputs of ours; the others stay as they are.
    /// `prevouts` are the outputs that the inputs spend, one for each.
    ///
    /// # Errors
    /// An output is missing.
    pub fn sign_inputs(&self, transaction: &mut Transaction, prevouts: &[TxOut]) -> Result<(), SignError> {
        if prevouts.len() != transaction.input.len() {
            return Err(SignError::MissingPrevout(prevouts.len().min(transaction.input.len())));
        }
        let unsigned = transaction.clone();
        let mut cache = SighashCache::new(&unsigned);
        for (index, prevout) in prevouts.iter().enumerate() {
            let Some((keychain, child)) = self.lock().bdk.derivation_of_spk(prevout.script_pubkey.clone()) else {
                continue;
            };
            let sighash = cache
                .taproot_key_spend_signature_hash(index, &Prevouts::All(prevouts), TapSighashType::Default)
                .expect("there is a prevout for each input, and the index is one of them");
            transaction.input[index].witness = self.keys.sign(keychain, child, Message::from(sighash));
        }
        Ok(())
    }

    /// Signs those inputs of `psbt` that spend outputs of ours and returns the transaction. Inputs
    /// that others have finalised keep their witness; the rest is left without.
    ///
    /// # Errors
    /// An input says nothing about the output that it spends.
    pub fn sign_psbt(&self, psbt: &Psbt) -> Result<Transaction, SignError> {
        let mut transaction = psbt.unsigned_tx.clone();
        if psbt.inputs.len() != transaction.input.len() {
            return Err(SignError::Shape { found: psbt.inputs.len(), expected: transaction.input.len() });
        }
        let mut prevouts = Vec::with_capacity(psbt.inputs.len());
        for (index, (of_psbt, input)) in psbt.inputs.iter().zip(&mut transaction.input).enumerate() {
            let vout = usize::try_from(input.previous_output.vout).unwrap_or(usize::MAX);
            let whole = of_psbt.non_witness_utxo.as_ref().and_then(|before| before.output.get(vout));
            let prevout = of_psbt.witness_utxo.as_ref().or(whole).ok_or(SignError::MissingPrevout(index))?;
            prevouts.push(prevout.clone());
            if let Some(witness) = &of_psbt.final_script_witness {
                input.witness = witness.clone();
            }
            if let Some(script) = &of_psbt.final_script_sig {
                input.script_sig = script.clone();
            }
        }
        self.sign_inputs(&mut transaction, &prevouts)?;
        Ok(transaction)
    }
}

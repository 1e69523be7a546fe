//! The node's keys: LDK's own derivation, but money that comes back goes straight to the wallet.

use bitcoin::secp256k1::ecdh::SharedSecret;
use bitcoin::secp256k1::ecdsa::{RecoverableSignature, Signature};
use bitcoin::secp256k1::{All, PublicKey, Scalar, Secp256k1, schnorr};
use bitcoin::{ScriptBuf, Transaction, TxOut, absolute::LockTime};
use lightning::ln::inbound_payment::ExpandedKey;
use lightning::ln::msgs::UnsignedGossipMessage;
use lightning::ln::script::ShutdownScript;
use lightning::offers::invoice::UnsignedBolt12Invoice;
use lightning::sign::{
    ChangeDestinationSourceSync, EntropySource, InMemorySigner, KeysManager, NodeSigner, OutputSpender, PeerStorageKey,
    ReceiveAuthKey, Recipient, SignerProvider, SpendableOutputDescriptor,
};
use lightning_invoice::RawBolt11Invoice;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use windlass_chain::Wallet;

/// LDK's keys with the on-chain wallet as the place where everything ends.
pub(crate) struct Keys {
    inner: KeysManager,
    wallet: Arc<Wallet>,
}

impl Keys {
    pub(crate) fn new(seed: &[u8; 32], wallet: Arc<Wallet>) -> Self {
        // Only makes channel keys differ between starts, so a wrong clock does no harm as long as
        // nanoseconds differ.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { inner: KeysManager::new(seed, now.as_secs(), now.subsec_nanos(), true), wallet }
    }

    fn wallet_script(&self) -> Result<ScriptBuf, ()> {
        self.wallet.address().map(|address| address.script_pubkey()).map_err(|error| {
            tracing::error!(%error, "no address from the wallet");
        })
    }
}

impl EntropySource for Keys {
    fn get_secure_random_bytes(&self) -> [u8; 32] {
        self.inner.get_secure_random_bytes()
    }
}

impl NodeSigner for Keys {
    fn get_expanded_key(&self) -> ExpandedKey {
        self.inner.get_expanded_key()
    }

    fn get_peer_storage_key(&self) -> PeerStorageKey {
        self.inner.get_peer_storage_key()
    }

    fn get_receive_auth_key(&self) -> ReceiveAuthKey {
        self.inner.get_receive_auth_key()
    }

    fn get_node_id(&self, recipient: Recipient) -> Result<PublicKey, ()> {
        self.inner.get_node_id(recipient)
    }

    fn ecdh(&self, recipient: Recipient, other: &PublicKey, tweak: Option<&Scalar>) -> Result<SharedSecret, ()> {
        self.inner.ecdh(recipient, other, tweak)
    }

    fn sign_invoice(&self, invoice: &RawBolt11Invoice, recipient: Recipient) -> Result<RecoverableSignature, ()> {
        self.inner.sign_invoice(invoice, recipient)
    }

    fn sign_bolt12_invoice(&self, invoice: &UnsignedBolt12Invoice) -> Result<schnorr::Signature, ()> {
        self.inner.sign_bolt12_invoice(invoice)
    }

    fn sign_gossip_message(&self, message: UnsignedGossipMessage) -> Result<Signature, ()> {
        self.inner.sign_gossip_message(message)
    }

    fn sign_message(&self, message: &[u8]) -> Result<String, ()> {
        self.inner.sign_message(message)
    }
}

impl OutputSpender for Keys {
    fn spend_spendable_outputs(
        &self,
        descriptors: &[&SpendableOutputDescriptor],
        outputs: Vec<TxOut>,
        change: ScriptBuf,
        fee_sat_per_kw: u32,
        locktime: Option<LockTime>,
        secp: &Secp256k1<All>,
    ) -> Result<Transaction, ()> {
        self.inner.spend_spendable_outputs(descriptors, outputs, change, fee_sat_per_kw, locktime, secp)
    }
}

impl SignerProvider for Keys {
    type EcdsaSigner = InMemorySigner;

    fn generate_channel_keys_id(&self, inbound: bool, user_channel_id: u128) -> [u8; 32] {
        self.inner.generate_channel_keys_id(inbound, user_channel_id)
    }

    fn derive_channel_signer(&self, channel_keys_id: [u8; 32]) -> InMemorySigner {
        self.inner.derive_channel_signer(channel_keys_id)
    }

    fn get_destination_script(&self, _channel_keys_id: [u8; 32]) -> Result<ScriptBuf, ()> {
        self.wallet_script()
    }

    fn get_shutdown_scriptpubkey(&self) -> Result<ShutdownScript, ()> {
        let script = self.wallet_script()?;
        // Taproot needs the peer's option_shutdown_anysegwit, which every node of today has.
        ShutdownScript::try_from(script.clone()).map_err(|error| {
            tracing::error!(%script, ?error, "the wallet's address can't close a channel");
        })
    }
}

impl ChangeDestinationSourceSync for Keys {
    fn get_change_destination_script(&self) -> Result<ScriptBuf, ()> {
        self.wallet_script()
    }
}

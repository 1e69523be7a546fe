//! The node's keys: LDK's own derivation, but money that comes back goes straight to the wallet.

use bitcoin::secp256k1::ecdh::SharedSecret;
use bitcoin::secp256k1::ecdsa::{RecoverableSignature, Signature};
use bitcoin::secp256k1::{All, PublicKey, Scalar, Secp256k1, schnorr};
use bitcoin::{ScriptBuf, Transaction, TxOut, absolute::LockTime};
use lightning::chain::transaction::OutPoint;
use lightning::ln::chan_utils::{ChannelTransactionParameters, get_to_countersigner_keyed_anchor_redeemscript};
use lightning::ln::inbound_payment::ExpandedKey;
use lightning::ln::msgs::UnsignedGossipMessage;
use lightning::ln::script::ShutdownScript;
use lightning::offers::invoice::UnsignedBolt12Invoice;
use lightning::sign::{
    ChangeDestinationSourceSync, ChannelSigner, EntropySource, InMemorySigner, KeysManager, NodeSigner, OutputSpender,
    PeerStorageKey, ReceiveAuthKey, Recipient, SignerProvider, SpendableOutputDescriptor,
    StaticPaymentOutputDescriptor,
};
use lightning::types::features::ChannelTypeFeatures;
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

/// Which keys a channel has. Our number of the channel is random, so this is unique; and a backup that
/// holds the number is enough to find the keys again.
fn keys_id(user_channel_id: u128) -> [u8; 32] {
    let mut id = [0; 32];
    id[16..].copy_from_slice(&user_channel_id.to_be_bytes());
    id
}

impl Keys {
    /// The outputs of a peer's commitment that are our balance: only their keys are needed to spend them.
    pub(crate) fn balances_at_peers_commitment(
        &self,
        user_channel_id: u128,
        channel_value_satoshis: u64,
        commitment: &Transaction,
    ) -> Vec<StaticPaymentOutputDescriptor> {
        let channel_keys_id = keys_id(user_channel_id);
        let holder_pubkeys = self.inner.derive_channel_signer(channel_keys_id).pubkeys(&Secp256k1::new());
        let point = holder_pubkeys.payment_point;
        let with_anchors = ScriptBuf::new_p2wsh(&get_to_countersigner_keyed_anchor_redeemscript(&point).wscript_hash());
        let plain = ScriptBuf::new_p2wpkh(&bitcoin::PublicKey::new(point).wpubkey_hash().expect("it is compressed"));
        let txid = commitment.compute_txid();
        let outputs = (0..).zip(&commitment.output);
        outputs
            .filter_map(|(index, output)| {
                let mut features = ChannelTypeFeatures::only_static_remote_key();
                match &output.script_pubkey {
                    script if *script == with_anchors => features.set_anchors_zero_fee_htlc_tx_required(),
                    script if *script == plain => {}
                    _ => return None,
                }
                let parameters = ChannelTransactionParameters {
                    holder_pubkeys: holder_pubkeys.clone(),
                    holder_selected_contest_delay: 0,
                    is_outbound_from_holder: false,
                    counterparty_parameters: None,
                    funding_outpoint: None,
                    splice_parent_funding_txid: None,
                    channel_type_features: features,
                    channel_value_satoshis,
                };
                Some(StaticPaymentOutputDescriptor {
                    outpoint: OutPoint { txid, index },
                    output: output.clone(),
                    channel_keys_id,
                    channel_value_satoshis,
                    channel_transaction_parameters: Some(parameters),
                })
            })
            .collect()
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

    fn generate_channel_keys_id(&self, _inbound: bool, user_channel_id: u128) -> [u8; 32] {
        keys_id(user_channel_id)
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

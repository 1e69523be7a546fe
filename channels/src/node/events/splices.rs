//! What happens to splices: to be signed, agreed on, failed.

use crate::book::Row;
use crate::node::Node;
use crate::{ChannelId, Event};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, OutPoint, Psbt, Transaction, TxOut};
use lightning::events::Event as LdkEvent;
use lightning::ln::types::ChannelId as LdkChannelId;

impl Node {
    pub(super) fn handle_splice(&self, event: LdkEvent, replay: bool) {
        match event {
            // LDK asks again after each start, until it has the signatures.
            LdkEvent::FundingTransactionReadyForSigning {
                channel_id,
                counterparty_node_id,
                unsigned_transaction,
                ..
            } => self.sign_splice(ChannelId(channel_id.0), counterparty_node_id, unsigned_transaction),
            LdkEvent::SplicePending { channel_id, new_funding_txo, .. } => {
                self.splice_pending(ChannelId(channel_id.0), new_funding_txo, replay);
            }
            LdkEvent::SpliceFailed { channel_id, .. } => self.end_splicing(ChannelId(channel_id.0)),
            _ => {}
        }
    }

    /// Signs our coins of a splice; LDK signs the funding output that is spent. What it makes of it leaves
    /// after the next commit.
    fn sign_splice(&self, id: ChannelId, peer: PublicKey, transaction: Transaction) {
        let signed = self.signed_splice(id, transaction);
        let given = signed.and_then(|signed| {
            let given = self.channel_manager.funding_transaction_signed(&LdkChannelId(id.0), &peer, signed);
            given.map_err(|error| format!("{error:?}"))
        });
        if let Err(reason) = given {
            tracing::error!(%id, reason, "a splice can't be signed: close the channel by force if it stays unusable");
        }
    }

    fn signed_splice(&self, id: ChannelId, transaction: Transaction) -> Result<Transaction, String> {
        let of_ldk = LdkChannelId(id.0);
        let (funding, script) = {
            let monitor = self.chain_monitor.get_monitor(of_ldk).map_err(|()| "it has no monitor".to_owned())?;
            (monitor.get_funding_txo().into_bitcoin_outpoint(), monitor.get_funding_script())
        };
        let listed = self.channel_manager.list_channels();
        let details = listed.iter().find(|details| details.channel_id == of_ldk).ok_or("its channel is gone")?;
        let value = Amount::from_sat(details.channel_value_satoshis);
        let mut psbt = Psbt::from_unsigned_tx(transaction).map_err(|error| error.to_string())?;
        let mut into = Amount::ZERO;
        for (of_psbt, input) in psbt.inputs.iter_mut().zip(&psbt.unsigned_tx.input) {
            let OutPoint { txid, vout } = input.previous_output;
            let spent = if input.previous_output == funding {
                TxOut { value, script_pubkey: script.clone() }
            } else {
                let before = self.parts.wallet.transaction(txid).ok_or("the peer adds coins of its own")?;
                let vout = usize::try_from(vout).unwrap_or(usize::MAX);
                before.transaction.output.get(vout).cloned().ok_or("it has a coin that is not there")?
            };
            into = into.checked_add(spent.value).ok_or("it has more than all bitcoin there will ever be")?;
            of_psbt.witness_utxo = Some(spent);
        }
        let out: Amount = psbt.unsigned_tx.output.iter().map(|output| output.value).sum();
        let fee = into.checked_sub(out).ok_or("its outputs are more than its inputs")?;
        self.book.write(|pages| {
            let asked = pages.facts.get_mut(&id).and_then(|facts| facts.splicing.as_mut());
            // What goes out pays out of the channel.
            if let Some(asked) = asked.filter(|asked| asked.in_sat > 0) {
                asked.wallet_fee_sat = fee.to_sat();
            }
            [Row::Facts(id)]
        });
        self.parts.wallet.sign_psbt(&psbt).map_err(|error| error.to_string())
    }

    /// Both have signed, whoever asked for it.
    fn splice_pending(&self, channel: ChannelId, to: OutPoint, replay: bool) {
        let mut added = Ok(false);
        self.book.write(|pages| {
            added = pages.add_splice(channel, to);
            [Row::Facts(channel), Row::Trace(channel)]
        });
        if let Err(reason) = added {
            tracing::error!(%channel, %to, reason, "a splice can't be entered in the books");
        }
        self.refresh_backup();
        if !replay {
            self.emit(Event::SplicePending { channel, txid: to.txid });
        }
    }

    /// Nothing comes of what was asked: its coins are free again.
    pub(in crate::node) fn end_splicing(&self, id: ChannelId) {
        if self.book.read().facts.get(&id).is_none_or(|facts| facts.splicing.is_none()) {
            return;
        }
        self.book.write(|pages| {
            if let Some(asked) = pages.facts.get_mut(&id).and_then(|facts| facts.splicing.take()) {
                self.parts.wallet.release_coins(asked.coins);
            }
            [Row::Facts(id)]
        });
    }

    /// LDK says that a channel is ready after its funding, and after each splice again.
    pub(super) fn ready_or_spliced(&self, channel: ChannelId, funding: Option<OutPoint>) -> Event {
        let pages = self.book.read();
        let splices = pages.facts.get(&channel).map_or(&[][..], |facts| &facts.splices);
        match splices.iter().find(|splice| Some(splice.to) == funding) {
            Some(splice) => Event::ChannelSpliced { channel, txid: splice.to.txid },
            None => Event::ChannelReady { channel },
        }
    }
}

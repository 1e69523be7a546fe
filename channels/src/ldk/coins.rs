//! The wallet's coins, for LDK to lift the fees of what must confirm.

use crate::book::FeeNotes;
use bitcoin::{Psbt, ScriptBuf, Transaction};
use lightning::events::bump_transaction::Utxo;
use lightning::events::bump_transaction::sync::WalletSourceSync;
use std::sync::Arc;
use windlass_chain::Wallet;

/// An empty `scriptSig` is one byte, outside of the witness.
const EMPTY_SCRIPT_SIG_WEIGHT: u64 = 4;

/// The wallet as LDK's source of coins.
pub(crate) struct Coins {
    pub(crate) wallet: Arc<Wallet>,
    pub(crate) notes: Arc<dyn FeeNotes>,
}

impl WalletSourceSync for Coins {
    fn list_confirmed_utxos(&self) -> Result<Vec<Utxo>, ()> {
        let coins = self.wallet.confirmed_utxos().into_iter();
        Ok(coins
            .map(|coin| Utxo {
                outpoint: coin.outpoint,
                output: coin.output,
                satisfaction_weight: EMPTY_SCRIPT_SIG_WEIGHT + coin.satisfaction_weight.to_wu(),
            })
            .collect())
    }

    fn get_change_script(&self) -> Result<ScriptBuf, ()> {
        self.wallet.change_script().map_err(|error| tracing::error!(%error, "no change script from the wallet"))
    }

    fn sign_psbt(&self, psbt: Psbt) -> Result<Transaction, ()> {
        let transaction = self.wallet.sign_psbt(&psbt).map_err(|error| {
            tracing::error!(%error, "the wallet can't sign LDK's transaction");
        })?;
        // Signatures lie in witnesses, so this id is final.
        if let Ok(fee) = psbt.fee() {
            self.notes.note(transaction.compute_txid(), fee.to_sat());
        }
        Ok(transaction)
    }
}

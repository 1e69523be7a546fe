//! Transactions of ours.

use super::{SignError, Wallet, WalletError};
use crate::{Bitcoind, BroadcastError};
use bdk_wallet::error::CreateTxError;
use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, FeeRate, OutPoint, ScriptBuf, Transaction, Weight};
use windlass_types::BtcHeight;

/// How much to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// So much arrives; the fee comes on top.
    Exact(Amount),
    /// All that may be spent leaves; the fee comes off.
    All,
}

/// A signed transaction whose coins are held until it is seen on the network or released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The transaction, with all its signatures.
    pub transaction: Transaction,
    /// What it pays to the miner.
    pub fee: Amount,
    /// What arrives at the script.
    pub amount: Amount,
    /// The output that pays the script.
    pub vout: u32,
}

/// A signed transaction that pays several scripts; as [`Built`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltMany {
    /// The transaction, with all its signatures.
    pub transaction: Transaction,
    /// What it pays to the miner.
    pub fee: Amount,
}

/// Coins for a transaction that is built elsewhere; they are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The coins: each with the transaction that made it, and which of its outputs it is.
    pub coins: Vec<(Transaction, u32)>,
    /// What they sum up to.
    pub sum: Amount,
}

impl Chosen {
    /// Where the coins are.
    pub fn outpoints(&self) -> Vec<OutPoint> {
        self.coins.iter().map(|(transaction, vout)| OutPoint::new(transaction.compute_txid(), *vout)).collect()
    }
}

/// Why a transaction can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is not enough, or not enough that may be spent now.
    #[error("the wallet has {have} to spend, the payment needs {need}")]
    InsufficientFunds {
        /// What may be spent now.
        have: Amount,
        /// The amount and the fee.
        need: Amount,
        /// What is on its way: block rewards too young, and payments that wait for a block.
        waiting: Amount,
    },
    /// Below what the network relays.
    #[error("{amount} is dust: the network relays {least} or more to this address")]
    Dust {
        /// The amount asked for.
        amount: Amount,
        /// The least that is relayed.
        least: Amount,
    },
    /// More than 21 million bitcoin.
    #[error("{0} is more than all bitcoin there will ever be")]
    TooMuch(Amount),
    /// The store failed.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// It can't be signed.
    #[error("the wallet can't sign its own transaction")]
    Sign(#[from] SignError),
    /// What else BDK refuses.
    #[error("the wallet can't build the transaction: {0}")]
    Other(String),
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The transaction can't be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It was not broadcast. If bitcoind didn't answer it may have it nevertheless: then the wallet
    /// sees it in the mempool once bitcoind is back.
    #[error(transparent)]
    Broadcast(#[from] BroadcastError),
}

/// The least that the network relays to `script`.
pub(crate) fn dust_limit(script: &ScriptBuf) -> Amount {
    script.minimal_non_dust()
}

impl Wallet {
    /// Builds and signs a payment of `quantity` to `script` at `rate`. Spends coins that are in
    /// blocks, and our own change that is not yet. The coins are held: see [`Self::release`].
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(&self, script: &ScriptBuf, quantity: Quantity, rate: FeeRate) -> Result<Built, BuildError> {
        let least = dust_limit(script);
        if let Quantity::Exact(amount) = quantity {
            if amount > Amount::MAX_MONEY {
                return Err(BuildError::TooMuch(amount));
            }
            if amount < least {
                return Err(BuildError::Dust { amount, least });
            }
        }
        // Held from the choice of coins to their being held: two payments never choose the same.
        let mut inner = self.lock();
        let coins = inner.coins();
        let have: Amount = coins.iter().filter(|coin| coin.spendable).map(|coin| coin.output.value).sum();
        let held: Amount = coins.iter().filter(|coin| coin.held).map(|coin| coin.output.value).sum();
        let waiting = coins.iter().map(|coin| coin.output.value).sum::<Amount>() - have - held;
        if have == Amount::ZERO {
            let need = if let Quantity::Exact(amount) = quantity { amount } else { least };
            return Err(BuildError::InsufficientFunds { have, need, waiting });
        }
        let unspendable: Vec<OutPoint> =
            coins.iter().filter(|coin| !coin.spendable).map(|coin| coin.outpoint).collect();
        let psbt = {
            let mut builder = inner.bdk.build_tx();
            builder.fee_rate(rate).unspendable(unspendable);
            match quantity {
                Quantity::Exact(amount) => builder.add_recipient(script.clone(), amount),
                Quantity::All => builder.drain_wallet().drain_to(script.clone()),
            };
            let psbt = builder.finish().map_err(|error| explain(error, least, waiting))?;
            inner.held.extend(psbt.unsigned_tx.input.iter().map(|input| input.previous_output));
            self.save(&mut inner)?;
            psbt
        };
        drop(inner);
        let fee = psbt.fee().map_err(|error| BuildError::Other(error.to_string()))?;
        let transaction = self.sign_psbt(&psbt)?;
        let exact = |amount: Amount| matches!(quantity, Quantity::All) || quantity == Quantity::Exact(amount);
        let found = transaction.output.iter().position(|out| out.script_pubkey == *script && exact(out.value));
        let vout = found.ok_or_else(|| BuildError::Other("the payment is missing".into()))?;
        let amount = transaction.output[vout].value;
        let vout = u32::try_from(vout).map_err(|error| BuildError::Other(error.to_string()))?;
        Ok(Built { transaction, fee, amount, vout })
    }

    /// Builds and signs one transaction that pays several scripts. The coins are held: see
    /// [`Self::release`]. Its locktime (against fee sniping) is `height` or the wallet's own, whichever is
    /// lower: who takes it may have read fewer blocks than the wallet.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build_many(
        &self,
        payments: &[(ScriptBuf, Amount)],
        rate: FeeRate,
        height: BtcHeight,
    ) -> Result<BuiltMany, BuildError> {
        let mut inner = self.lock();
        let coins = inner.coins();
        let unspendable: Vec<OutPoint> =
            coins.iter().filter(|coin| !coin.spendable).map(|coin| coin.outpoint).collect();
        let locktime = height.get().min(inner.bdk.latest_checkpoint().height());
        let locktime = LockTime::from_height(locktime).map_err(|error| BuildError::Other(error.to_string()))?;
        let psbt = {
            let mut builder = inner.bdk.build_tx();
            builder.fee_rate(rate).unspendable(unspendable).nlocktime(locktime);
            for (script, amount) in payments {
                builder.add_recipient(script.clone(), *amount);
            }
            let psbt = builder.finish().map_err(|error| explain(error, Amount::ZERO, Amount::ZERO))?;
            inner.held.extend(psbt.unsigned_tx.input.iter().map(|input| input.previous_output));
            self.save(&mut inner)?;
            psbt
        };
        drop(inner);
        let fee = psbt.fee().map_err(|error| BuildError::Other(error.to_string()))?;
        Ok(BuiltMany { transaction: self.sign_psbt(&psbt)?, fee })
    }

    /// Chooses coins that pay `amount` into a P2WSH output, with change, in a transaction that another
    /// part of us builds at `rate` and that weighs `more` than ours would (inputs of others). Only coins in
    /// blocks. They are held until they are seen spent or [released](Self::release_coins).
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn choose(&self, amount: Amount, more: Weight, rate: FeeRate) -> Result<Chosen, BuildError> {
        // The same weight, whatever script it is.
        let anything = ScriptBuf::new_p2wsh(&bitcoin::WScriptHash::all_zeros());
        let target = rate.fee_wu(more).and_then(|fee| fee.checked_add(amount));
        let target = target.filter(|target| *target <= Amount::MAX_MONEY).ok_or(BuildError::TooMuch(amount))?;
        let mut inner = self.lock();
        let coins = inner.coins();
        let may = |coin: &&super::WalletUtxo| coin.spendable && coin.confirmed.is_some();
        let have: Amount = coins.iter().filter(may).map(|coin| coin.output.value).sum();
        let held: Amount = coins.iter().filter(|coin| coin.held).map(|coin| coin.output.value).sum();
        let waiting = coins.iter().map(|coin| coin.output.value).sum::<Amount>() - have - held;
        if have == Amount::ZERO {
            return Err(BuildError::InsufficientFunds { have, need: target, waiting });
        }
        let others: Vec<OutPoint> = coins.iter().filter(|coin| !may(coin)).map(|coin| coin.outpoint).collect();
        let mut builder = inner.bdk.build_tx();
        builder.fee_rate(rate).unspendable(others).add_recipient(anything, target);
        let psbt = builder.finish().map_err(|error| explain(error, Amount::ZERO, waiting))?;
        let mut chosen = Chosen { coins: Vec::new(), sum: Amount::ZERO };
        for input in &psbt.unsigned_tx.input {
            let OutPoint { txid, vout } = input.previous_output;
            let before = inner.bdk.tx_graph().get_tx(txid);
            let before = before.ok_or_else(|| BuildError::Other(format!("{txid} is missing")))?;
            chosen.coins.push((before.as_ref().clone(), vout));
            let value = coins.iter().find(|coin| coin.outpoint == input.previous_output).map(|coin| coin.output.value);
            chosen.sum += value.unwrap_or(Amount::ZERO);
        }
        inner.held.extend(psbt.unsigned_tx.input.iter().map(|input| input.previous_output));
        self.save(&mut inner)?;
        Ok(chosen)
    }

    /// Gives back the coins of a transaction that was built and will not be broadcast.
    pub fn release(&self, transaction: &Transaction) {
        let mut inner = self.lock();
        for input in &transaction.input {
            inner.held.remove(&input.previous_output);
        }
    }

    /// Keeps coins that another part of us has chosen from being chosen again, until they are
    /// spent or [released](Self::release_coins).
    pub fn hold_coins(&self, coins: impl IntoIterator<Item = OutPoint>) {
        self.lock().held.extend(coins);
    }

    /// Gives back held coins.
    pub fn release_coins(&self, coins: impl IntoIterator<Item = OutPoint>) {
        let mut inner = self.lock();
        for coin in coins {
            inner.held.remove(&coin);
        }
    }

    /// Builds a payment and hands it to the network.
    ///
    /// # Errors
    /// See [`SendError`]; the coins are free again.
    pub async fn send(
        &self,
        bitcoind: &Bitcoind,
        script: &ScriptBuf,
        quantity: Quantity,
        rate: FeeRate,
    ) -> Result<Built, SendError> {
        let built = self.build(script, quantity, rate)?;
        if let Err(error) = bitcoind.broadcast(&built.transaction).await {
            self.release(&built.transaction);
            return Err(error.into());
        }
        self.insert_unconfirmed(vec![built.transaction.clone()]).map_err(BuildError::from)?;
        Ok(built)
    }
}

fn explain(error: CreateTxError, least: Amount, waiting: Amount) -> BuildError {
    match error {
        CreateTxError::CoinSelection(short) => {
            BuildError::InsufficientFunds { have: short.available, need: short.needed, waiting }
        }
        CreateTxError::OutputBelowDustLimit(_) => BuildError::Dust { amount: Amount::ZERO, least },
        other => BuildError::Other(other.to_string()),
    }
}

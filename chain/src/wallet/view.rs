//! What is in the wallet.

use super::{Inner, Wallet};
use bdk_wallet::KeychainKind;
use bdk_wallet::chain::{ChainPosition, ConfirmationBlockTime};
use bitcoin::{Amount, OutPoint, Transaction, TxOut, Txid, Weight};
use windlass_types::{BlockRef, BtcHeight};

/// What the wallet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// In blocks, and free to spend (coins held for a transaction that is not broadcast included).
    pub confirmed: Amount,
    /// Change of our own transactions that wait for a block: may be spent.
    pub pending_change: Amount,
    /// From others, waiting for a block: may not be spent yet.
    pub pending_incoming: Amount,
    /// Block rewards that are not 100 blocks old.
    pub immature: Amount,
}

impl Balance {
    /// What a transaction may spend now.
    pub fn spendable(&self) -> Amount {
        self.confirmed + self.pending_change
    }

    /// All of it.
    pub fn total(&self) -> Amount {
        self.spendable() + self.pending_incoming + self.immature
    }
}

/// A coin of the wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletUtxo {
    /// Where it is.
    pub outpoint: OutPoint,
    /// Its value and script.
    pub output: TxOut,
    /// Its block; `None` while it waits for one.
    pub confirmed: Option<BlockRef>,
    /// True on the chain of change addresses.
    pub change: bool,
    /// What the witness that spends it adds to an input of 41 bytes (36 + 1 + 4, its empty
    /// `scriptSig` included): one Schnorr signature, its length and their count.
    pub satisfaction_weight: Weight,
    /// True while a transaction that was built and not yet broadcast spends it.
    pub held: bool,
    /// True if it may be spent in the next block.
    pub spendable: bool,
}

/// A transaction that concerns the wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletTx {
    /// Its id.
    pub txid: Txid,
    /// The transaction.
    pub transaction: Transaction,
    /// The sum of its inputs that were ours.
    pub spent: Amount,
    /// The sum of its outputs that are ours.
    pub received: Amount,
    /// What it pays, if all that it spends is known to the wallet.
    pub fee: Option<Amount>,
    /// Its block; `None` while it waits for one.
    pub confirmed: Option<BlockRef>,
}

/// A key spend: count of items, length, 64 bytes of signature.
const KEY_SPEND_WEIGHT: Weight = Weight::from_wu(66);

/// Blocks before a reward may be spent.
const COINBASE_MATURITY: u32 = 100;

fn block_of(position: &ChainPosition<ConfirmationBlockTime>) -> Option<BlockRef> {
    match position {
        ChainPosition::Confirmed { anchor, .. } => {
            Some(BlockRef::new(BtcHeight::new(anchor.block_id.height), anchor.block_id.hash))
        }
        ChainPosition::Unconfirmed { .. } => None,
    }
}

impl Inner {
    pub(super) fn coins(&self) -> Vec<WalletUtxo> {
        let tip = self.bdk.latest_checkpoint().height();
        let read = |coin: bdk_wallet::LocalOutput| {
            let confirmed = block_of(&coin.chain_position);
            let coinbase = self.bdk.tx_graph().get_tx(coin.outpoint.txid).is_some_and(|tx| tx.is_coinbase());
            let change = coin.keychain == KeychainKind::Internal;
            let held = self.held.contains(&coin.outpoint);
            let age = confirmed.map(|at| tip.saturating_sub(at.height.get()).saturating_add(1));
            let mature =
                if coinbase { age.is_some_and(|age| age >= COINBASE_MATURITY) } else { age.is_some() || change };
            WalletUtxo {
                outpoint: coin.outpoint,
                output: coin.txout,
                confirmed,
                change,
                satisfaction_weight: KEY_SPEND_WEIGHT,
                held,
                spendable: mature && !held,
            }
        };
        self.bdk.list_unspent().map(read).collect()
    }

    fn balance(&self) -> Balance {
        let balance = self.bdk.balance();
        Balance {
            confirmed: balance.confirmed,
            pending_change: balance.trusted_pending,
            pending_incoming: balance.untrusted_pending,
            immature: balance.immature,
        }
    }

    fn transactions(&self) -> Vec<WalletTx> {
        let read = |of_bdk: bdk_wallet::WalletTx<'_>| {
            let transaction = of_bdk.tx_node.tx.as_ref().clone();
            let (spent, received) = self.bdk.sent_and_received(&transaction);
            WalletTx {
                txid: of_bdk.tx_node.txid,
                spent,
                received,
                fee: self.bdk.calculate_fee(&transaction).ok(),
                confirmed: block_of(&of_bdk.chain_position),
                transaction,
            }
        };
        let mut list: Vec<WalletTx> = self.bdk.transactions().map(read).collect();
        list.sort_by_key(|tx| (tx.confirmed.is_none(), tx.confirmed.map(|at| at.height), tx.txid));
        list
    }
}

impl Wallet {
    /// What the wallet holds.
    pub fn balance(&self) -> Balance {
        self.lock().balance()
    }

    /// All transactions that concern the wallet and what they come to, of one moment.
    pub fn transactions_and_balance(&self) -> (Vec<WalletTx>, Balance) {
        let inner = self.lock();
        (inner.transactions(), inner.balance())
    }

    /// All unspent coins.
    pub fn utxos(&self) -> Vec<WalletUtxo> {
        self.lock().coins()
    }

    /// The coins in blocks that may be spent now and that no transaction holds.
    pub fn confirmed_utxos(&self) -> Vec<WalletUtxo> {
        self.utxos().into_iter().filter(|coin| coin.spendable && coin.confirmed.is_some()).collect()
    }

    /// All transactions that concern the wallet: in blocks first, by height.
    pub fn transactions(&self) -> Vec<WalletTx> {
        self.lock().transactions()
    }

    /// The transaction `txid`, if it concerns the wallet.
    pub fn transaction(&self, txid: Txid) -> Option<WalletTx> {
        self.transactions().into_iter().find(|tx| tx.txid == txid)
    }
}

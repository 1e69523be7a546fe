//! Bitcoin to spend, and a sidechain account to own: keys held by the test.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash as _;
use bitcoin::key::{Keypair, Secp256k1, TapTweak as _};
use bitcoin::secp256k1::{Message, SecretKey};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, Network, OutPoint, ScriptBuf, Sequence, TapNodeHash, Transaction, TxIn, TxOut, Txid, Witness,
};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use windlass_chain::Bitcoind;
use windlass_chain::regtest::Miner;
use windlass_ledger::{self as ledger, DepositTerms, TxBody};
use windlass_types::{AccountId, ChainId, Epoch};

/// What a payment pays.
pub const FEE: Amount = Amount::from_sat(2_000);

/// Twenty ripe coinbases, one for each payment.
pub struct Purse {
    key: Keypair,
    coins: Mutex<Vec<(OutPoint, Amount)>>,
    forks: AtomicU64,
}

pub fn keypair(n: u8) -> Keypair {
    Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[n; 32]).expect("a key"))
}

pub fn address(key: &Keypair) -> Address {
    Address::p2tr(&Secp256k1::new(), key.x_only_public_key().0, None, Network::Regtest)
}

pub fn account(key: &Keypair) -> AccountId {
    AccountId::from_key(&key.x_only_public_key().0)
}

pub fn terms(key: &Keypair, nonce: u64) -> DepositTerms {
    let user_key = key.x_only_public_key().0.serialize();
    DepositTerms { account: account(key), nonce, epoch: Epoch::new(0), user_key }
}

/// A signed sidechain transaction, in hex.
pub fn signed(chain: ChainId, body: TxBody, key: &Keypair) -> String {
    hex::encode(ledger::Transaction::signed(chain, body, key).encode())
}

impl Purse {
    pub fn new() -> Self {
        Self { key: keypair(99), coins: Mutex::default(), forks: AtomicU64::new(0) }
    }

    pub fn nobody(&self) -> Address {
        address(&keypair(98))
    }

    /// Another one each time: a block that was thrown away must not come again, for it is known as invalid.
    pub fn fork(&self) -> Address {
        let mut root = [0xfe; 32];
        root[..8].copy_from_slice(&self.forks.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let root = Some(TapNodeHash::from_byte_array(root));
        Address::p2tr(&Secp256k1::new(), self.key.x_only_public_key().0, root, Network::Regtest)
    }

    pub async fn fill(&self, bitcoind: &Bitcoind, miner: &Miner) {
        let hashes = miner.mine(20, &address(&self.key)).await.expect("mines");
        miner.mine(100, &self.nobody()).await.expect("mines");
        let mut coins = Vec::new();
        for hash in hashes {
            let block = bitcoind.block(hash).await.expect("bitcoind").expect("a block");
            let coinbase = &block.txdata[0];
            coins.push((OutPoint::new(coinbase.compute_txid(), 0), coinbase.output[0].value));
        }
        *self.coins.lock().expect("not poisoned") = coins;
    }

    /// A coin to spend.
    pub fn coin(&self) -> (OutPoint, Amount) {
        self.coins.lock().expect("not poisoned").pop().expect("money left")
    }

    /// Gives a coin back: it is spent after all others.
    pub fn put(&self, coin: (OutPoint, Amount)) {
        self.coins.lock().expect("not poisoned").insert(0, coin);
    }

    /// Takes one coin out, if it is there.
    pub fn take(&self, outpoint: OutPoint) -> bool {
        let mut coins = self.coins.lock().expect("not poisoned");
        let before = coins.len();
        coins.retain(|(coin, _)| *coin != outpoint);
        coins.len() < before
    }

    /// A signed transaction that pays the outputs out of the coin, and the rest, less a fee, back.
    pub fn spend(
        &self,
        (outpoint, value): (OutPoint, Amount),
        outputs: &[(ScriptBuf, Amount)],
        fee: Amount,
    ) -> Transaction {
        let own = address(&self.key).script_pubkey();
        let paid: Amount = outputs.iter().map(|(_, amount)| *amount).sum();
        let mut output: Vec<TxOut> =
            outputs.iter().map(|(s, v)| TxOut { script_pubkey: s.clone(), value: *v }).collect();
        output.push(TxOut { script_pubkey: own.clone(), value: value - paid - fee });
        let mut transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: outpoint,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                witness: Witness::new(),
            }],
            output,
        };
        let prevout = TxOut { script_pubkey: own, value };
        let sighash = SighashCache::new(&transaction)
            .taproot_key_spend_signature_hash(0, &Prevouts::All(&[prevout]), TapSighashType::Default)
            .expect("one input");
        let secp = Secp256k1::new();
        let tweaked = self.key.tap_tweak(&secp, None).to_keypair();
        let signature = secp.sign_schnorr(&Message::from_digest(sighash.to_byte_array()), &tweaked);
        transaction.input[0].witness = Witness::from_slice(&[signature.serialize()]);
        transaction
    }

    /// Pays one output.
    pub async fn pay(&self, bitcoind: &Bitcoind, to: ScriptBuf, amount: Amount) -> Txid {
        let transaction = self.spend(self.coin(), &[(to, amount)], FEE);
        bitcoind.broadcast(&transaction).await.expect("broadcast")
    }
}

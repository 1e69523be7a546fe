//! Accounts, and transfers between them.

use crate::fixture;
use bitcoin::Amount;
use bitcoin::XOnlyPublicKey;
use bitcoin::secp256k1::{Keypair, Secp256k1, SecretKey};
use rayon::iter::{IntoParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};
use windlass_ledger::{Genesis, MAX_TRANSFER_OUTPUTS, Output, Transaction, TxBody};
use windlass_types::{AccountId, Digest};

/// What each account has to begin with.
pub const BALANCE: Amount = Amount::from_sat(1_000);
/// Whom the deposit is for: it funds all others.
pub const BANK: u8 = 1;

/// Accounts that have coins. The first of them have a key, the others can only be paid.
pub struct Accounts {
    keys: Vec<Keypair>,
    pub ids: Vec<AccountId>,
    seed: u64,
}

impl Accounts {
    pub fn new(count: usize, senders: usize) -> Self {
        let secp = Secp256k1::new();
        let keys: Vec<Keypair> = (0..senders.min(count))
            .into_par_iter()
            .map(|index| {
                let secret = Digest::tagged("bench/key", &[&index.to_be_bytes()]);
                let secret = SecretKey::from_slice(&secret.0).expect("a scalar");
                Keypair::from_secret_key(&secp, &secret)
            })
            .collect();
        let mut ids: Vec<AccountId> =
            keys.par_iter().map(|keys| AccountId::from_key(&keys.x_only_public_key().0)).collect();
        let rest: Vec<AccountId> = (ids.len()..count).into_par_iter().map(receiver).collect();
        ids.extend(rest);
        Self { keys, ids, seed: 1 }
    }

    pub fn senders(&self) -> usize {
        self.keys.len()
    }

    /// The bank's transfers that give each account its balance.
    pub fn funding(&self, genesis: &Genesis) -> Vec<Transaction> {
        let chain = genesis.chain_id();
        let lots: Vec<&[AccountId]> = self.ids.chunks(MAX_TRANSFER_OUTPUTS).collect();
        let sign = |(nonce, lot): (u64, &[AccountId])| {
            let outputs = lot.iter().map(|id| Output::btc(*id, BALANCE)).collect();
            Transaction::signed(chain, body(fixture::account(BANK), nonce, outputs), &fixture::keypair(BANK))
        };
        (0..).zip(lots).collect::<Vec<_>>().into_par_iter().map(sign).collect()
    }

    /// A transfer of one satoshi from each sender with this nonce, to any account.
    pub fn round(&mut self, genesis: &Genesis, nonce: u64) -> Vec<Transaction> {
        let chain = genesis.chain_id();
        let targets: Vec<AccountId> = (0..self.keys.len()).map(|_| self.any()).collect();
        let sign = |(keys, (from, to)): (&Keypair, (&AccountId, AccountId))| {
            Transaction::signed(chain, body(*from, nonce, vec![Output::btc(to, Amount::ONE_SAT)]), keys)
        };
        self.keys.iter().zip(self.ids.iter().zip(targets)).collect::<Vec<_>>().into_par_iter().map(sign).collect()
    }

    fn any(&mut self) -> AccountId {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(self.seed >> 33).unwrap_or_default() % self.ids.len();
        self.ids[at]
    }
}

/// An account whose key nobody has.
fn receiver(index: usize) -> AccountId {
    (0_u32..)
        .find_map(|attempt| {
            let point = Digest::tagged("bench/point", &[&index.to_be_bytes(), &attempt.to_be_bytes()]);
            XOnlyPublicKey::from_slice(&point.0).ok()
        })
        .map(|key| AccountId::from_key(&key))
        .expect("every second number is on the curve")
}

fn body(from: AccountId, nonce: u64, outputs: Vec<Output>) -> TxBody {
    TxBody::Transfer { from, nonce, outputs, fee: Amount::ZERO, memo: Vec::new(), expiry: None }
}

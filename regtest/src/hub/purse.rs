//! The miner's coins, which the faucet gives away: two keys, and what the chain says they hold.
//!
//! Nothing is kept but one secret, so nothing can be lost: before a coin is chosen, the mempool is
//! mined away and the set of unspent outputs is scanned. Rewards and change go to different keys,
//! because a reward can't be spent for 100 blocks and a scan doesn't tell what is one.

use bitcoin::{
    Address, Amount, KnownHrp, OutPoint, ScriptBuf, Sequence, TapSighashType, Transaction, TxIn, TxOut, Witness,
    absolute::LockTime,
    hex::{DisplayHex as _, FromHex as _},
    key::{Keypair, TapTweak as _},
    secp256k1::{All, Message, Secp256k1, SecretKey, rand::thread_rng},
    sighash::{Prevouts, SighashCache},
    transaction::Version,
};
use std::{fs, io, os::unix::fs::OpenOptionsExt as _, path::Path};
use windlass_chain::Unspent;
use windlass_types::{BtcHeight, tagged_hash};

/// What the purse pays, in satoshis a virtual byte.
const FEE_RATE: u64 = 2;
/// A taproot input (57.5) and output (43), and what every transaction has (10.5), in virtual bytes.
const INPUT_VBYTES: u64 = 58;
const OUTPUT_VBYTES: u64 = 43;
const BASE_VBYTES: u64 = 11;
/// Coins in one transaction: enough for 10,000 BTC, and far from a transaction's standard size.
const INPUTS_MAX: usize = 400;
/// A block's reward can be spent in the block so many later.
pub const MATURITY: u32 = 100;
/// Smaller taproot outputs are not relayed.
const DUST: Amount = Amount::from_sat(330);

/// The coins don't suffice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    /// What there is, in coins that can be spent.
    pub have: Amount,
    /// What it takes, with the fee.
    pub need: Amount,
}

/// The miner's keys.
#[derive(Debug)]
pub struct Purse {
    secp: Secp256k1<All>,
    reward: Keypair,
    change: Keypair,
}

impl Purse {
    /// Reads the secret from `path`, or makes one.
    ///
    /// # Errors
    /// The file can't be read or written, or holds no key.
    pub fn open(path: &Path) -> io::Result<Self> {
        let no_key = || io::Error::new(io::ErrorKind::InvalidData, format!("{} holds no key", path.display()));
        let secret = match fs::read_to_string(path) {
            Ok(text) => <[u8; 32]>::from_hex(text.trim()).map_err(|_| no_key())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = SecretKey::new(&mut thread_rng()).secret_bytes();
                write_secret(path, &secret)?;
                secret
            }
            Err(error) => return Err(error),
        };
        let secp = Secp256k1::new();
        let key = |purpose: &[u8]| {
            let bytes = tagged_hash("Windlass/regtest-purse", &[&secret, purpose]);
            SecretKey::from_slice(&bytes).map(|key| Keypair::from_secret_key(&secp, &key)).map_err(|_| no_key())
        };
        let (reward, change) = (key(b"reward")?, key(b"change")?);
        Ok(Self { secp, reward, change })
    }

    fn address(&self, key: &Keypair) -> Address {
        Address::p2tr(&self.secp, key.x_only_public_key().0, None, KnownHrp::Regtest)
    }

    /// Where the blocks' rewards go.
    pub fn reward_address(&self) -> Address {
        self.address(&self.reward)
    }

    /// The scripts to scan for.
    pub fn scripts(&self) -> [ScriptBuf; 2] {
        [self.address(&self.reward).script_pubkey(), self.address(&self.change).script_pubkey()]
    }

    /// A signed payment out of `coins` (what a scan for [`Self::scripts`] found, none of it spent in
    /// the mempool) to `outputs`, for the block after `tip`.
    ///
    /// # Errors
    /// There is not enough.
    pub fn pay(&self, coins: &[Unspent], tip: BtcHeight, outputs: Vec<TxOut>) -> Result<Transaction, Short> {
        let target: Amount = outputs.iter().map(|output| output.value).sum();
        let [reward, _] = self.scripts();
        let ripe = |coin: &Unspent| tip.get().saturating_sub(coin.height.get()) >= MATURITY;
        let spendable = coins.iter().filter(|coin| coin.script != reward || ripe(coin)).cloned().collect();
        let (chosen, left) = choose(spendable, target, outputs.len())?;
        let mut output = outputs;
        if left >= DUST {
            output.push(TxOut { value: left, script_pubkey: self.address(&self.change).script_pubkey() });
        }
        let input = chosen.iter().map(|coin| input(coin.outpoint)).collect();
        let mut transaction = Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input, output };
        self.sign(&mut transaction, &chosen);
        Ok(transaction)
    }

    fn sign(&self, transaction: &mut Transaction, coins: &[Unspent]) {
        let spent: Vec<TxOut> =
            coins.iter().map(|coin| TxOut { value: coin.value, script_pubkey: coin.script.clone() }).collect();
        let [reward, _] = self.scripts();
        let mut cache = SighashCache::new(&mut *transaction);
        for (i, coin) in coins.iter().enumerate() {
            let hash = cache
                .taproot_key_spend_signature_hash(i, &Prevouts::All(&spent), TapSighashType::Default)
                .expect("each input has its spent output");
            let key = if coin.script == reward { self.reward } else { self.change };
            let signature = self.secp.sign_schnorr(&Message::from(hash), &key.tap_tweak(&self.secp, None).to_keypair());
            if let Some(witness) = cache.witness_mut(i) {
                *witness = Witness::from_slice(&[signature.as_ref().as_slice()]);
            }
        }
    }
}

fn write_secret(path: &Path, secret: &[u8; 32]) -> io::Result<()> {
    // A crash in between must not leave half a key behind.
    let aside = path.with_extension("new");
    let mut file = fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(&aside)?;
    io::Write::write_all(&mut file, secret.to_lower_hex_string().as_bytes())?;
    file.sync_all()?;
    fs::rename(aside, path)
}

fn input(previous_output: OutPoint) -> TxIn {
    TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    }
}

/// The largest coins that make up `target` and the fee, and what they leave.
fn choose(mut coins: Vec<Unspent>, target: Amount, outputs: usize) -> Result<(Vec<Unspent>, Amount), Short> {
    coins.sort_by_key(|coin| (std::cmp::Reverse(coin.value), coin.outpoint));
    coins.truncate(INPUTS_MAX);
    let mut sum = Amount::ZERO;
    let mut need = target + fee(1, outputs);
    let mut count = 0;
    for coin in &coins {
        count += 1;
        sum += coin.value;
        need = target + fee(count, outputs);
        if sum >= need {
            break;
        }
    }
    match sum.checked_sub(need) {
        Some(left) => {
            coins.truncate(count);
            Ok((coins, left))
        }
        None => Err(Short { have: sum, need }),
    }
}

/// The fee of so many inputs and outputs, and the change.
fn fee(inputs: usize, outputs: usize) -> Amount {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let inputs = INPUT_VBYTES.saturating_mul(count(inputs));
    let outputs = OUTPUT_VBYTES.saturating_mul(count(outputs).saturating_add(1));
    Amount::from_sat(BASE_VBYTES.saturating_add(inputs).saturating_add(outputs).saturating_mul(FEE_RATE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::{Txid, hashes::Hash as _};

    fn coin(purse: &Purse, number: u8, value: Amount, height: u32, reward: bool) -> Unspent {
        let script = purse.scripts()[usize::from(!reward)].clone();
        let outpoint = OutPoint::new(Txid::from_byte_array([number; 32]), 0);
        Unspent { outpoint, value, script, height: BtcHeight::new(height) }
    }

    #[test]
    fn young_rewards_stay_and_the_key_survives() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("purse.key");
        let purse = Purse::open(&path).expect("made");
        assert_eq!(Purse::open(&path).expect("read").scripts(), purse.scripts());
        let coins = [
            coin(&purse, 1, Amount::from_sat(5_000_000_000), 1, true),
            coin(&purse, 2, Amount::from_sat(5_000_000_000), 2, true),
            coin(&purse, 3, Amount::from_sat(70_000), 101, false),
        ];
        let to = |sat| vec![TxOut { value: Amount::from_sat(sat), script_pubkey: purse.scripts()[0].clone() }];
        let tip = BtcHeight::new(101);
        let payment = purse.pay(&coins, tip, to(5_000_000_000)).expect("enough");
        assert_eq!(payment.input.len(), 2, "the ripe reward and the change");
        assert!(payment.input.iter().all(|input| input.witness.len() == 1));
        let short = purse.pay(&coins, tip, to(6_000_000_000)).expect_err("not enough");
        assert_eq!(short.have, Amount::from_sat(5_000_070_000));
    }
}

//! For tests: a Bitcoin of a few blocks, a federation of four, and people with coins.

use crate::{BitcoinPort, Handle, IdentitySeed, MemberConfig, Peer, Timing, identity_of};
use bitcoin::absolute::LockTime;
use bitcoin::block::{Header as BitcoinHeader, Version};
use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::{Keypair, Message, Secp256k1, SecretKey, schnorr};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::{
    Amount, Block as BitcoinBlock, BlockHash, CompactTarget, OutPoint, Script, ScriptBuf, Sequence, TxIn, TxMerkleNode,
    TxOut, Txid, Witness, XOnlyPublicKey, transaction,
};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use windlass_ledger::{
    BitcoinInputs, DepositClaim, DepositTerms, Genesis, GenesisMember, Header, MAX_INPUT_BLOCKS, Output, Params,
    StateRead, Transaction, TxBody, VERSION, bitcoin_inputs, query,
};
use windlass_types::{AccountId, BlockRef, Blocks, BtcHeight, ChainNetwork, Epoch};

/// Members of the federation.
pub const MEMBERS: usize = 4;
const START: u32 = 100;

pub fn seed(index: usize) -> IdentitySeed {
    IdentitySeed::new([u8::try_from(index).expect("few members") + 1; 32])
}

pub fn keypair(name: u8) -> Keypair {
    let secret = SecretKey::from_slice(&[name; 32]).expect("a scalar");
    Keypair::from_secret_key(&Secp256k1::new(), &secret)
}

pub fn account(name: u8) -> AccountId {
    AccountId::from_key(&keypair(name).x_only_public_key().0)
}

pub fn genesis() -> Genesis {
    genesis_of(MEMBERS)
}

pub fn genesis_of(count: usize) -> Genesis {
    let members: Vec<GenesisMember> = (0..count)
        .map(|index| GenesisMember {
            name: format!("f{}", index + 1),
            identity: identity_of(&seed(index)),
            emergency_key: account(200 + u8::try_from(index).expect("few members")).bytes,
        })
        .collect();
    let threshold = u16::try_from(count - (count - 1) / 3).expect("few members");
    let emergency_threshold = threshold;
    let params = Params { anchor_depth: Blocks::new(1), emergency_threshold, ..Params::default() };
    let genesis = Genesis {
        version: VERSION,
        network: ChainNetwork::Regtest,
        members,
        threshold,
        treasury_key: account(250).bytes,
        start: BlockRef::new(BtcHeight::new(START), BlockHash::all_zeros()),
        params,
    };
    genesis.validate().expect("a good genesis");
    genesis
}

pub fn config(index: usize, addresses: &[SocketAddr], dir: &Path, timing: Timing) -> MemberConfig {
    let members = addresses.iter().enumerate();
    let members =
        members.map(|(index, address)| Peer { identity: identity_of(&seed(index)), address: *address }).collect();
    MemberConfig {
        seed: seed(index),
        members,
        place: u16::try_from(index).expect("few members"),
        listen: addresses[index],
        dir: dir.to_owned(),
        federation: "test".into(),
        timing,
    }
}

/// A Bitcoin that every member agrees with.
#[derive(Clone, Default)]
pub struct FakeBitcoin(Arc<Mutex<Chain>>);

#[derive(Default)]
struct Chain {
    blocks: Vec<BitcoinBlock>,
    /// The newest so many blocks are not buried deep enough for members to anchor to.
    hidden: usize,
    reorgs: u32,
    /// Signed transactions that wait for a block.
    pool: Vec<bitcoin::Transaction>,
}

impl Chain {
    /// All coins that no block has spent.
    fn unspent(&self) -> BTreeMap<OutPoint, TxOut> {
        let mut coins = BTreeMap::new();
        for transaction in self.blocks.iter().flat_map(|block| &block.txdata) {
            transaction.input.iter().for_each(|input| drop(coins.remove(&input.previous_output)));
            let txid = transaction.compute_txid();
            for (vout, output) in (0..).zip(&transaction.output) {
                coins.insert(OutPoint { txid, vout }, output.clone());
            }
        }
        coins
    }

    fn offered(&self) -> &[BitcoinBlock] {
        &self.blocks[..self.blocks.len().saturating_sub(self.hidden)]
    }
}

impl FakeBitcoin {
    /// The newest block that is buried deep enough.
    pub fn tip(&self) -> BtcHeight {
        BtcHeight::new(START + u32::try_from(self.0.lock().expect("no panic").offered().len()).expect("short"))
    }

    /// From now on the newest `count` blocks are not deep enough.
    pub fn hide(&self, count: usize) {
        self.0.lock().expect("no panic").hidden = count;
    }

    /// Whether a block has made this coin and none has spent it.
    pub fn has(&self, outpoint: &OutPoint, output: &TxOut) -> bool {
        self.0.lock().expect("no panic").unspent().get(outpoint) == Some(output)
    }

    /// How many transactions wait for a block.
    pub fn waiting(&self) -> usize {
        self.0.lock().expect("no panic").pool.len()
    }

    /// How often blocks pay to `script`.
    pub fn payments(&self, script: &Script) -> usize {
        let chain = self.0.lock().expect("no panic");
        let outputs = chain.blocks.iter().flat_map(|block| &block.txdata).flat_map(|transaction| &transaction.output);
        outputs.filter(|output| *output.script_pubkey == *script).count()
    }

    /// Takes a signed transaction, as a bitcoind does: none that is there, none whose coins are not. A signature
    /// that does not hold must never have left a member.
    pub fn broadcast(&self, transaction: &bitcoin::Transaction) {
        let mut chain = self.0.lock().expect("no panic");
        let txid = transaction.compute_txid();
        let coins = chain.unspent();
        let spent: Option<Vec<TxOut>> =
            transaction.input.iter().map(|input| coins.get(&input.previous_output).cloned()).collect();
        let Some(spent) = spent.filter(|_| chain.pool.iter().all(|other| other.compute_txid() != txid)) else { return };
        for other in &chain.pool {
            let theirs: Vec<OutPoint> = other.input.iter().map(|input| input.previous_output).collect();
            let conflicts = transaction.input.iter().any(|input| theirs.contains(&input.previous_output));
            assert!(!conflicts, "two transactions of the federation spend one coin");
        }
        let mut cache = SighashCache::new(transaction);
        for (index, (input, output)) in transaction.input.iter().zip(&spent).enumerate() {
            let hash = cache
                .taproot_key_spend_signature_hash(index, &Prevouts::All(&spent), TapSighashType::Default)
                .expect("an input");
            let signature = schnorr::Signature::from_slice(&input.witness[0]).expect("64 bytes");
            let key = XOnlyPublicKey::from_slice(&output.script_pubkey.as_bytes()[2..]).expect("Taproot");
            let message = Message::from_digest(hash.to_byte_array());
            Secp256k1::new().verify_schnorr(&signature, &message, &key).expect("a signature that holds");
        }
        chain.pool.push(transaction.clone());
    }

    /// Mines a block with all that waits.
    pub fn mine_waiting(&self) {
        let waiting = std::mem::take(&mut self.0.lock().expect("no panic").pool);
        self.mine(waiting);
    }

    /// Replaces the blocks that are not deep enough by as many and one more, empty ones: what they had waits again.
    pub fn reorg(&self) {
        let count = {
            let mut chain = self.0.lock().expect("no panic");
            let kept = chain.offered().len();
            let count = chain.blocks.len() - kept;
            let lost = chain.blocks.split_off(kept);
            chain.pool.extend(lost.into_iter().flat_map(|block| block.txdata.into_iter().skip(1)));
            chain.reorgs += 1;
            count
        };
        for _ in 0..=count {
            self.mine(Vec::new());
        }
    }

    /// Mines a block with `transactions`; returns it and its height.
    pub fn mine(&self, transactions: Vec<bitcoin::Transaction>) -> (BitcoinBlock, BtcHeight) {
        let mut chain = self.0.lock().expect("no panic");
        let number = u32::try_from(chain.blocks.len()).expect("short");
        let prev_blockhash = chain.blocks.last().map_or_else(BlockHash::all_zeros, BitcoinBlock::block_hash);
        let mut txdata = vec![coinbase(number)];
        txdata.extend(transactions);
        let header = BitcoinHeader {
            version: Version::ONE,
            prev_blockhash,
            merkle_root: TxMerkleNode::all_zeros(),
            time: number + (chain.reorgs << 16),
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        };
        let mut block = BitcoinBlock { header, txdata };
        block.header.merkle_root = block.compute_merkle_root().expect("not empty");
        chain.blocks.push(block.clone());
        (block, BtcHeight::new(START + number + 1))
    }

    fn inputs(&self, view: &dyn StateRead, parent: &Header, to: Option<usize>) -> BitcoinInputs {
        let chain = self.0.lock().expect("no panic");
        let blocks = chain.offered();
        let from = usize::try_from(parent.anchor.height.get() - START).expect("small");
        let to = to.unwrap_or(blocks.len()).min(blocks.len()).min(from + MAX_INPUT_BLOCKS);
        let list: Vec<(BtcHeight, &BitcoinBlock)> = (from..to)
            .map(|index| (BtcHeight::new(START + 1 + u32::try_from(index).expect("small")), &blocks[index]))
            .collect();
        bitcoin_inputs(view, &list).expect("a readable state")
    }
}

impl BitcoinPort for FakeBitcoin {
    fn propose(&self, view: Arc<dyn StateRead>, parent: Header) -> BoxFuture<'static, BitcoinInputs> {
        let inputs = self.inputs(&*view, &parent, None);
        Box::pin(std::future::ready(inputs))
    }

    fn check(&self, view: Arc<dyn StateRead>, parent: Header, inputs: BitcoinInputs) -> BoxFuture<'static, bool> {
        let to = usize::try_from(parent.anchor.height.get() - START).expect("small") + inputs.blocks.len();
        let same = self.inputs(&*view, &parent, Some(to)) == inputs;
        Box::pin(std::future::ready(same))
    }
}

fn coinbase(number: u32) -> bitcoin::Transaction {
    paying(OutPoint::null(), number, ScriptBuf::new(), Amount::from_sat(u64::from(number)))
}

fn paying(from: OutPoint, tag: u32, script: ScriptBuf, value: Amount) -> bitcoin::Transaction {
    bitcoin::Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::from_consensus(tag),
        input: vec![TxIn {
            previous_output: from,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut { value, script_pubkey: script }],
    }
}

/// Puts a deposit of `amount` for each name on Bitcoin; returns the claims.
pub fn deposit(bitcoin: &FakeBitcoin, genesis: &Genesis, names: &[u8], amount: Amount) -> Vec<Transaction> {
    let terms = |name: &u8| DepositTerms {
        account: account(*name),
        nonce: 0,
        epoch: Epoch::new(0),
        user_key: account(*name).bytes,
    };
    let transactions: Vec<bitcoin::Transaction> = names
        .iter()
        .map(|name| {
            let script = terms(name).spend_info(genesis).expect("good keys").script;
            let from = OutPoint { txid: Txid::from_byte_array([*name; 32]), vout: 0 };
            paying(from, 0, script, amount)
        })
        .collect();
    let (block, height) = bitcoin.mine(transactions.clone());
    let claims = names.iter().zip(&transactions).map(|(name, transaction)| {
        let claim = DepositClaim::new(&block, height, transaction.compute_txid(), 0, terms(name)).expect("it is there");
        Transaction::claim(genesis.chain_id(), claim)
    });
    claims.collect()
}

pub fn transfer(genesis: &Genesis, from: u8, to: u8, nonce: u64, sat: u64) -> Transaction {
    let body = TxBody::Transfer {
        from: account(from),
        nonce,
        outputs: vec![Output::btc(account(to), Amount::from_sat(sat))],
        fee: Amount::ZERO,
        memo: Vec::new(),
        expiry: None,
    };
    Transaction::signed(genesis.chain_id(), body, &keypair(from))
}

/// Burns `sat` of an account's, to be paid to `script`.
pub fn peg_out(genesis: &Genesis, from: u8, nonce: u64, sat: u64, script: &Script) -> Transaction {
    let body = TxBody::PegOut {
        from: account(from),
        nonce,
        script: script.to_bytes(),
        amount: Amount::from_sat(sat),
        fee_max: Amount::from_sat(5_000),
        fee: Amount::ZERO,
        expiry: None,
    };
    Transaction::signed(genesis.chain_id(), body, &keypair(from))
}

/// If a batch is in flight, confirms it on Bitcoin.
pub fn confirm_batch(bitcoin: &FakeBitcoin, genesis: &Genesis, handle: &Handle) -> bool {
    confirm_batch_in(bitcoin, genesis, &*handle.view())
}

/// The same in the state `view`.
pub fn confirm_batch_in(bitcoin: &FakeBitcoin, genesis: &Genesis, view: &dyn StateRead) -> bool {
    match query::batch(view).expect("a readable state") {
        Some(batch) => {
            bitcoin.mine(vec![batch.transaction(genesis).expect("good keys")]);
            true
        }
        None => false,
    }
}

pub fn balance(handle: &Handle, name: u8) -> Amount {
    query::balance(&*handle.view(), &account(name)).expect("a readable state")
}

//! For tests: a sidechain of one, on a Bitcoin chain that is made up block by block. The Bitcoin
//! blocks are real blocks with real Merkle roots, only without work.

use crate::{
    Applied, BitcoinInputs, Block, BlockError, ChangeSet, DepositClaim, DepositTerms, Genesis, GenesisMember, Header,
    MemoryState, Output, Params, Transaction, TxBody, TxError, apply, bitcoin_inputs, build, genesis_state, query,
};
use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::{Keypair, Secp256k1, SecretKey};
use bitcoin::{
    Amount, Block as BitcoinBlock, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction as BitcoinTx,
    TxIn, TxMerkleNode, TxOut, Txid, Witness, absolute, block, transaction,
};
use commonware_codec::DecodeExt as _;
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PrivateKey;
use std::collections::BTreeMap;
use windlass_recount::Recount;
use windlass_types::{AccountId, AssetId, BlockRef, BtcHeight, ChainNetwork, Digest, Epoch};

pub(crate) fn sat(sat: u64) -> Amount {
    Amount::from_sat(sat)
}

pub(crate) fn keypair(seed: u8) -> Keypair {
    let secret = SecretKey::from_slice(&[seed; 32]).expect("small and not zero");
    Keypair::from_secret_key(&Secp256k1::new(), &secret)
}

pub(crate) fn x_only(seed: u8) -> [u8; 32] {
    keypair(seed).x_only_public_key().0.serialize()
}

pub(crate) fn account(seed: u8) -> AccountId {
    AccountId::from_key(&keypair(seed).x_only_public_key().0)
}

pub(crate) fn terms(seed: u8, nonce: u64) -> DepositTerms {
    DepositTerms { account: account(seed), nonce, epoch: Epoch::new(0), user_key: x_only(seed) }
}

/// A P2WPKH script of nobody.
pub(crate) fn wpkh(tag: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_byte_array([tag; 20]))
}

/// The ed25519 key of a member.
pub(crate) fn identity(index: u8) -> PrivateKey {
    PrivateKey::decode([index; 32].to_vec()).expect("any 32 bytes are a seed")
}

pub(crate) fn genesis() -> Genesis {
    let start = bitcoin_block(BlockHash::all_zeros(), 0, vec![]);
    let member = |index: u8| GenesisMember {
        name: format!("f{index}"),
        identity: identity(index).public_key().as_ref().try_into().expect("32 bytes"),
        emergency_key: x_only(200 + index),
    };
    Genesis {
        version: crate::genesis::VERSION,
        network: ChainNetwork::Regtest,
        members: (1..=4).map(member).collect(),
        threshold: 3,
        treasury_key: x_only(250),
        start: BlockRef::new(BtcHeight::new(100), start.block_hash()),
        params: Params::default(),
    }
}

/// A block on `parent`; `nonce` tells blocks of one height apart.
pub(crate) fn bitcoin_block(parent: BlockHash, nonce: u32, transactions: Vec<BitcoinTx>) -> BitcoinBlock {
    let coinbase = BitcoinTx {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::from_bytes([&parent[..], &nonce.to_le_bytes()].concat()),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut { value: sat(5_000_000_000), script_pubkey: wpkh(0) }],
    };
    let mut txdata = vec![coinbase];
    txdata.extend(transactions);
    let header = block::Header {
        version: block::Version::from_consensus(0x2000_0000),
        prev_blockhash: parent,
        merkle_root: TxMerkleNode::all_zeros(),
        time: 0,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce,
    };
    let mut block = BitcoinBlock { header, txdata };
    block.header.merkle_root = block.compute_merkle_root().expect("it has a coinbase");
    block
}

/// A transaction that spends `inputs` and pays `outputs`; with a witness, as real ones have.
pub(crate) fn bitcoin_tx(inputs: &[OutPoint], outputs: &[(ScriptBuf, Amount)]) -> BitcoinTx {
    let input = |previous_output: &OutPoint| TxIn {
        previous_output: *previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[[1_u8; 64]]),
    };
    BitcoinTx {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: inputs.iter().map(input).collect(),
        output: outputs.iter().map(|(script, value)| TxOut { value: *value, script_pubkey: script.clone() }).collect(),
    }
}

/// A sidechain and the Bitcoin chain below it.
#[derive(Clone)]
pub(crate) struct Net {
    pub(crate) genesis: Genesis,
    pub(crate) state: MemoryState,
    pub(crate) tip: Header,
    pub(crate) bitcoin: Vec<(BtcHeight, BitcoinBlock)>,
    pub(crate) last: Option<Applied>,
    /// How deep (itself counted) a Bitcoin block must be before the sidechain anchors to it.
    pub(crate) depth: usize,
    /// Counts each block apart, from its bytes.
    pub(crate) recount: Recount,
    coins: u64,
}

impl Net {
    pub(crate) fn new() -> Self {
        Self::with(genesis())
    }

    pub(crate) fn with(genesis: Genesis) -> Self {
        genesis.validate().expect("a valid genesis");
        let (changes, tip) = genesis_state(&genesis);
        let mut state = MemoryState::default();
        state.commit(&changes);
        let start = bitcoin_block(BlockHash::all_zeros(), 0, vec![]);
        let bitcoin = vec![(genesis.start.height, start)];
        // By way of bytes: to the recount this crate's types are those of the crate as it is outside of tests.
        let recount = Recount::new(borsh::from_slice(&borsh::to_vec(&genesis).expect("memory")).expect("canonical"));
        Self { genesis, state, tip, bitcoin, last: None, depth: 1, recount, coins: 0 }
    }

    /// A coin of nobody that was never spent.
    pub(crate) fn coin(&mut self) -> OutPoint {
        self.coins += 1;
        OutPoint { txid: Txid::from_byte_array(Digest::tagged("coin", &[&self.coins.to_le_bytes()]).0), vout: 0 }
    }

    /// Mines a Bitcoin block. The sidechain doesn't see it yet.
    pub(crate) fn mine(&mut self, transactions: Vec<BitcoinTx>) -> BtcHeight {
        let (height, last) = self.bitcoin.last().expect("it starts with one");
        let height = height.next().expect("low");
        let block = bitcoin_block(last.block_hash(), height.get(), transactions);
        self.bitcoin.push((height, block));
        height
    }

    /// The inputs that bring the sidechain as near to Bitcoin's tip as its depth allows.
    pub(crate) fn inputs(&self) -> BitcoinInputs {
        let deep_enough = self.bitcoin.len() + 1 - self.depth.min(self.bitcoin.len());
        let new: Vec<_> = self.bitcoin[..deep_enough]
            .iter()
            .filter(|(height, _)| *height > self.tip.anchor.height)
            .map(|(height, block)| (*height, block))
            .take(crate::MAX_INPUT_BLOCKS)
            .collect();
        bitcoin_inputs(&self.state, &new).expect("memory")
    }

    /// Builds the next block, has `apply` agree, commits it; what was left out comes back.
    pub(crate) fn block(&mut self, transactions: Vec<Transaction>) -> Vec<(Digest, TxError)> {
        let inputs = self.inputs();
        let (block, built, left_out) =
            build(&self.genesis, &self.state, &self.tip, inputs, transactions).expect("a block can be built");
        let decoded = Block::decode(&block.encode()).expect("canonical");
        assert_eq!(decoded, block);
        let applied = self.apply(&decoded).expect("a built block applies");
        assert_eq!(applied, built);
        self.recount.take(&block.encode()).expect("the recount agrees");
        // From what it saves it goes on as if it had never stopped.
        self.recount = self.resumed(&self.recount.save().expect("nothing is wrong"), &block).expect("it adds up");
        self.commit(applied);
        left_out
    }

    /// The recount that these bytes were saved of, on a chain whose newest block is `block`.
    pub(crate) fn resumed(&self, saved: &[u8], block: &Block) -> Result<Recount, windlass_recount::SavedError> {
        let genesis = borsh::from_slice(&borsh::to_vec(&self.genesis).expect("memory")).expect("canonical");
        Recount::resume(genesis, saved, |_| Some(block.encode()))
    }

    pub(crate) fn apply(&self, block: &Block) -> Result<Applied, BlockError> {
        apply(&self.genesis, &self.state, &self.tip, block)
    }

    fn commit(&mut self, applied: Applied) {
        let mut changes = ChangeSet::default();
        changes.merge((*applied.changes).clone());
        self.state.commit(&changes);
        self.tip = applied.header;
        self.last = Some(applied);
        self.check();
    }

    /// A block that takes all of `transactions`.
    pub(crate) fn accept(&mut self, transactions: Vec<Transaction>) {
        let left_out = self.block(transactions);
        assert!(left_out.is_empty(), "{left_out:?}");
    }

    /// A block that refuses the one transaction; says why. `apply` and `check` say the same.
    pub(crate) fn refuse(&mut self, transaction: Transaction) -> TxError {
        let checked = crate::check(&self.genesis, &self.state, &transaction).expect_err("refused");
        let (mut block, _, left_out) =
            build(&self.genesis, &self.state, &self.tip, BitcoinInputs::default(), vec![transaction.clone()])
                .expect("a block can be built");
        assert_eq!(left_out, vec![(transaction.id(), checked.clone())]);
        block.transactions.push(transaction);
        match self.apply(&block) {
            Err(BlockError::Transaction { index: 0, error, .. }) => assert_eq!(error, checked),
            other => panic!("{other:?}"),
        }
        checked
    }

    /// The invariants that an outsider can check: supply counted account by account, owed peg-out
    /// by peg-out, and the treasury's coin.
    pub(crate) fn check(&self) {
        let supply: u64 =
            query::accounts(&self.state).expect("memory").iter().map(|(_, account)| account.balance.to_sat()).sum();
        assert_eq!(supply, self.tip.supply.to_sat());
        let pending: u64 =
            query::pending_peg_outs(&self.state).expect("memory").iter().map(|p| p.amount.to_sat()).sum();
        let in_flight: u64 = query::batch(&self.state)
            .expect("memory")
            .map_or(0, |batch| batch.payouts.iter().map(|payout| payout.burned.to_sat()).sum());
        assert_eq!(pending + in_flight, self.tip.owed.to_sat());
        if query::breach(&self.state).expect("memory").is_none() {
            let treasury = query::treasury(&self.state).expect("memory").map_or(0, |coin| coin.amount.to_sat());
            assert_eq!(treasury, supply + pending + in_flight);
        }
        self.check_assets();
        self.check_due();
        assert_eq!(crate::smt::root(&self.state), Ok(self.tip.state_root));
        assert_eq!(query::tip(&self.state), Ok(self.tip));
    }

    /// What the recount has due is what the ledger has in flight, to the byte.
    fn check_due(&self) {
        let batch = query::batch(&self.state).expect("memory").filter(|_| {
            // The recount has nothing due once the treasury was robbed.
            query::breach(&self.state).expect("memory").is_none()
        });
        match batch {
            Some(batch) => {
                let transaction = batch.transaction(&self.genesis).expect("keys");
                let messages = batch.sighashes(&self.genesis).expect("keys");
                assert_eq!(self.recount.allows(batch.id, &transaction, &messages), Ok(()));
            }
            None => assert_eq!(self.recount.due(), None),
        }
    }

    /// L65, counted account by account: the sum of what accounts have of an asset is its supply, and nobody has
    /// nothing of one or something of none.
    fn check_assets(&self) {
        let mut sums: BTreeMap<AssetId, u128> = BTreeMap::new();
        for (key, value) in self.state.iter().filter(|(key, _)| key.starts_with(crate::keys::UNITS)) {
            let asset = AssetId(key[key.len() - 32..].try_into().expect("32 bytes"));
            let units: u64 = borsh::from_slice(value).expect("a number");
            assert!(units > 0, "an entry of nothing");
            *sums.entry(asset).or_default() += u128::from(units);
        }
        let assets = query::assets(&self.state).expect("memory");
        let supplies = assets.iter().filter(|(_, record)| record.supply > 0);
        let supplies: BTreeMap<AssetId, u128> = supplies.map(|(id, record)| (*id, record.supply.into())).collect();
        assert_eq!(sums, supplies);
    }

    /// Mines a deposit to `terms` and anchors it.
    pub(crate) fn deposit(&mut self, terms: &DepositTerms, amount: Amount) -> DepositClaim {
        let script = terms.spend_info(&self.genesis).expect("keys").script;
        let coin = self.coin();
        let tx = bitcoin_tx(&[coin], &[(script, amount)]);
        let txid = tx.compute_txid();
        let height = self.mine(vec![tx]);
        self.block(vec![]);
        self.claim_of(height, txid, 0, terms)
    }

    pub(crate) fn claim_of(&self, height: BtcHeight, txid: Txid, vout: u32, terms: &DepositTerms) -> DepositClaim {
        let (_, block) = self.bitcoin.iter().find(|(at, _)| *at == height).expect("mined");
        DepositClaim::new(block, height, txid, vout, *terms).expect("in the block")
    }

    pub(crate) fn claim(&self, claim: DepositClaim) -> Transaction {
        Transaction::claim(self.genesis.chain_id(), claim)
    }

    /// The batch in flight, as Bitcoin would have it.
    pub(crate) fn batch_tx(&self) -> BitcoinTx {
        let batch = query::batch(&self.state).expect("memory").expect("a batch is in flight");
        batch.transaction(&self.genesis).expect("keys")
    }

    /// Has Bitcoin confirm the batch in flight, and the sidechain see it.
    pub(crate) fn settle(&mut self) {
        let tx = self.batch_tx();
        self.mine(vec![tx]);
        self.block(vec![]);
    }

    /// Deposits, claims and mints.
    pub(crate) fn fund(&mut self, seed: u8, amount: Amount) {
        let claim = self.deposit(&terms(seed, 0), amount);
        let claim = self.claim(claim);
        self.accept(vec![claim]);
        self.settle();
    }

    pub(crate) fn balance(&self, seed: u8) -> Amount {
        query::balance(&self.state, &account(seed)).expect("memory")
    }

    pub(crate) fn transfer(&self, from: u8, to: u8, amount: Amount) -> Transaction {
        self.sign(from, |from, nonce| TxBody::Transfer {
            from,
            nonce,
            outputs: vec![Output::btc(account(to), amount)],
            fee: Amount::ZERO,
            memo: vec![],
            expiry: None,
        })
    }

    pub(crate) fn peg_out(&self, from: u8, script: &ScriptBuf, amount: Amount) -> Transaction {
        self.sign(from, |from, nonce| TxBody::PegOut {
            from,
            nonce,
            script: script.to_bytes(),
            amount,
            fee_max: sat(1_000),
            fee: Amount::ZERO,
            expiry: None,
        })
    }

    /// Signs what `body` makes of the account and its next nonce.
    pub(crate) fn sign(&self, from: u8, body: impl FnOnce(AccountId, u64) -> TxBody) -> Transaction {
        let nonce = query::next_nonce(&self.state, &account(from)).expect("memory");
        Transaction::signed(self.genesis.chain_id(), body(account(from), nonce), &keypair(from))
    }
}

//! Where fuzzing starts: at least one well-formed input for each target. They lie in `corpus/` as files,
//! `seed-0`, `seed-1`…; a test compares.

use crate::forms::{ANSWERS, REQUESTS};
use crate::rows::{STATE_KEYS, joined, row};
use bitcoin::Amount;
use bitcoin::key::{Keypair, Secp256k1};
use windlass_ledger::{
    AssetTerms, BitcoinBlockFacts, BitcoinInputs, Block, Clause, DepositClaim, DepositTerms, Genesis, GenesisMember,
    Header, LeafWitness, MemberSignature, MemoryState, Output, Params, ParamsChange, Policy, PolicyWitness, Proposal,
    StateRead as _, Transaction, TxBody, Witness, genesis_state, keys, query, smt,
};
use windlass_light::{
    AddressPromise, Claim, HexBytes, MintPromise, Part, PegOutPromise, Promise, ProofFile, ReceiptFile,
    ReceiptSignature,
};
use windlass_peg::dkg::{DkgMessage, Progress, SignedPackage};
use windlass_peg::signing::{Commitment, SigningMessage};
use windlass_sidechain::IdentitySeed;
use windlass_store::fault;
use windlass_types::{AccountId, AssetId, BlockRef, Blocks, BtcHeight, ChainId, ChainNetwork, Digest, SideHeight};

fn keypair() -> Keypair {
    Keypair::from_seckey_slice(&Secp256k1::new(), &[1; 32]).expect("a scalar")
}

pub(crate) fn account() -> AccountId {
    AccountId::from_key(&keypair().x_only_public_key().0)
}

fn identities() -> Vec<IdentitySeed> {
    (1..=4).map(|number| IdentitySeed::new([number; 32])).collect()
}

/// A federation of four.
pub(crate) fn genesis() -> Genesis {
    let key = keypair().x_only_public_key().0.serialize();
    let members = identities()
        .iter()
        .enumerate()
        .map(|(index, seed)| GenesisMember {
            name: format!("f{}", index + 1),
            identity: windlass_sidechain::identity_of(seed),
            emergency_key: scalar(u8::try_from(index).expect("four") + 2),
        })
        .collect();
    let genesis = Genesis {
        version: windlass_ledger::VERSION,
        network: ChainNetwork::Regtest,
        members,
        threshold: 3,
        treasury_key: key,
        start: BlockRef::new(BtcHeight::new(1), bitcoin::hashes::Hash::all_zeros()),
        params: Params::default(),
    };
    genesis.validate().expect("a good genesis");
    genesis
}

fn scalar(number: u8) -> [u8; 32] {
    let pair = Keypair::from_seckey_slice(&Secp256k1::new(), &[number; 32]).expect("a scalar");
    pair.x_only_public_key().0.serialize()
}

/// The state of the genesis, and after the first block.
pub(crate) fn states() -> [MemoryState; 2] {
    let genesis = genesis();
    let (changes, header) = genesis_state(&genesis);
    let mut first = MemoryState::default();
    first.commit(&changes);
    let (_, applied, _) =
        windlass_ledger::build(&genesis, &first, &header, BitcoinInputs::default(), vec![]).expect("a block");
    let mut second = MemoryState::default();
    second.commit(&changes);
    second.commit(&applied.changes);
    [first, second]
}

/// Proofs of an account, of units, of any entry, of a hash lock, of the genesis block and of the first.
fn proof_files() -> Vec<Vec<u8>> {
    let [first, second] = states();
    let account = account();
    let file = |state: &MemoryState, key: Vec<u8>, certificate: Vec<u8>| {
        let value = state.get(&key).expect("memory").map(HexBytes);
        let proof =
            borsh::to_vec(&smt::prove(state, &key).expect("memory")).expect("writing to a vector does not fail");
        let header = query::tip(state).expect("memory");
        let file = ProofFile::new(&header, certificate, Claim::Entry { key, value, proof });
        serde_json::to_vec(&file).expect("JSON")
    };
    let there = second.iter().find(|(key, _)| key.starts_with(keys::STATE)).map(|(key, _)| key.to_vec());
    vec![
        file(&first, keys::account(&account), Vec::new()),
        file(&second, keys::account(&account), certificate()),
        file(&second, keys::units(&account, &AssetId([7; 32])), certificate()),
        file(&second, there.expect("the state is not empty"), certificate()),
        lock_proof(&second),
    ]
}

/// Of a hash lock that nobody has paid.
fn lock_proof(state: &MemoryState) -> Vec<u8> {
    let key = account().bytes;
    let lock = Policy::hash_lock(key, [8; 32], key, BtcHeight::new(500)).expect("a hash lock");
    let encode = |proof: &smt::Proof| borsh::to_vec(proof).expect("writing to a vector does not fail");
    let part = |key: Vec<u8>| Part { value: None, proof: encode(&smt::prove(state, &key).expect("memory")) };
    let claim = Claim::Lock {
        policy: borsh::to_vec(&lock).expect("writing to a vector does not fail"),
        account: part(keys::account(&lock.account())),
        preimages: vec![part(keys::revealed(&[8; 32]))],
    };
    let header = query::tip(state).expect("memory");
    serde_json::to_vec(&ProofFile::new(&header, certificate(), claim)).expect("JSON")
}

/// One promise of each kind.
pub(crate) fn promises() -> [Promise; 3] {
    let terms = DepositTerms { account: account(), nonce: 7, epoch: Default::default(), user_key: scalar(9) };
    let sat = Amount::from_sat;
    let address = AddressPromise {
        terms,
        script: terms.spend_info(&genesis()).expect("a script").script,
        min: sat(10_000),
        max: sat(20_000),
        fee_max: sat(338),
        reclaim_blocks: Blocks::new(1008),
        since: SideHeight::new(0),
    };
    let mint = MintPromise {
        outpoint: bitcoin::OutPoint::null(),
        account: account(),
        deposited: sat(20_000),
        minted: sat(19_800),
        sweep: bitcoin::hashes::Hash::all_zeros(),
        block: BlockRef::new(BtcHeight::new(12), bitcoin::hashes::Hash::all_zeros()),
        height: SideHeight::new(9),
    };
    let peg_out = PegOutPromise {
        id: Digest::default(),
        account: account(),
        script: bitcoin::ScriptBuf::from_bytes(vec![0x51; 22]),
        amount: sat(15_000),
        fee_max: sat(308),
        height: SideHeight::new(11),
        anchor: BtcHeight::new(13),
        deadline: BtcHeight::new(157),
    };
    [Promise::Address(address), Promise::Mint(mint), Promise::PegOut(peg_out)]
}

/// Each alone, and each signed by three.
fn receipt_files() -> Vec<Vec<u8>> {
    let chain = genesis().chain_id();
    let signed = |promise: &Promise| {
        let sign = |(seed, number): (&IdentitySeed, usize)| ReceiptSignature {
            member: format!("f{number}"),
            signature: windlass_sidechain::endorse(seed, &promise.digest(chain)),
        };
        let signatures = identities().iter().zip(1..=3).map(sign).collect();
        serde_json::to_vec(&ReceiptFile::new(chain, promise, signatures)).expect("JSON")
    };
    promises().iter().flat_map(|promise| [promise.encode(), signed(promise)]).collect()
}

/// The empty block on it.
pub(crate) fn first_block() -> Block {
    let genesis = genesis();
    let (changes, header) = genesis_state(&genesis);
    let mut state = MemoryState::default();
    state.commit(&changes);
    windlass_ledger::build(&genesis, &state, &header, BitcoinInputs::default(), vec![]).expect("a block").0
}

/// Its certificate, by all four.
pub(crate) fn certificate() -> Vec<u8> {
    windlass_sidechain::fuzzing::certificate(&identities(), &genesis(), &first_block())
}

pub(crate) fn transactions(chain: ChainId) -> Vec<Transaction> {
    let sat = Amount::from_sat;
    let transfer = TxBody::Transfer {
        from: account(),
        nonce: 3,
        outputs: vec![
            Output::btc(account(), sat(21)),
            Output::btc(account(), sat(2_100_000_000_000_000)),
            Output { to: account(), asset: AssetId([9; 32]), units: u64::MAX },
        ],
        fee: sat(1),
        memo: b"memo".to_vec(),
        expiry: Some(SideHeight::new(9)),
    };
    let peg_out = TxBody::PegOut {
        from: account(),
        nonce: 4,
        script: vec![0x51, 0x20],
        amount: sat(10_000),
        fee_max: sat(1_000),
        fee: sat(1),
        expiry: None,
    };
    let claim = DepositClaim {
        transaction: vec![2, 0, 0, 0],
        vout: 1,
        block: BtcHeight::new(7),
        header: [3; 80],
        proof: vec![4; 40],
        terms: DepositTerms {
            account: account(),
            nonce: 5,
            epoch: windlass_types::Epoch::default(),
            user_key: [6; 32],
        },
    };
    let (from, asset, fee, expiry) = (account(), AssetId([9; 32]), sat(1), None);
    let issue = TxBody::Issue { from, nonce: 5, terms: asset_terms(), fee, expiry };
    let reissue = TxBody::Reissue { from, nonce: 6, asset, units: 7, fee, expiry };
    let burn = TxBody::Burn { from, nonce: 7, asset, units: 8, fee, expiry };
    let signatures = vec![MemberSignature { member: 1, signature: [12; 64] }];
    let change = ParamsChange::Set { height: SideHeight::new(90), params: Params::default() };
    let (set, cancel) = (Proposal { number: 1, change, signatures }, ParamsChange::Cancel);
    let locked = TxBody::Burn { from: policy_witness().policy.account(), nonce: 0, asset, units: 8, fee, expiry };
    vec![
        Transaction::proposal(chain, set),
        Transaction::proposal(chain, Proposal { number: 2, change: cancel, signatures: vec![] }),
        // Not signed anew at each call: a signature has randomness in it.
        Transaction { chain, body: transfer, witness: Witness::Key([7; 64]) },
        Transaction { chain, body: peg_out, witness: Witness::Key([8; 64]) },
        Transaction::claim(chain, claim),
        Transaction { chain, body: issue, witness: Witness::Key([9; 64]) },
        Transaction { chain, body: reissue, witness: Witness::Key([10; 64]) },
        Transaction { chain, body: burn, witness: Witness::Key([11; 64]) },
        Transaction { chain, body: locked, witness: Witness::Policy(Box::new(policy_witness())) },
    ]
}

/// A hash lock that is claimed; the signature is none.
fn policy_witness() -> PolicyWitness {
    let hash = <bitcoin::hashes::sha256::Hash as bitcoin::hashes::Hash>::hash(&[42; 32]);
    let hash = *bitcoin::hashes::Hash::as_byte_array(&hash);
    let policy = Policy::hash_lock(scalar(1), hash, scalar(2), BtcHeight::new(500)).expect("a good policy");
    let leaves = vec![
        LeafWitness::Signature([12; 64]),
        LeafWitness::Preimage([42; 32]),
        LeafWitness::Unused,
        LeafWitness::Unused,
    ];
    PolicyWitness { policy, leaves }
}

/// Policies, bare and with what satisfies them.
fn policies() -> Vec<Policy> {
    let keys = (2..5).map(|number| Clause::Key(scalar(number))).collect();
    let multi = Policy::new(Clause::Threshold { k: 2, clauses: keys }).expect("a good policy");
    vec![policy_witness().policy, multi]
}

fn asset_terms() -> AssetTerms {
    AssetTerms { ticker: "OIL".into(), name: "Barrels of oil".into(), decimals: 3, units: 1_000, reissuable: true }
}

fn block() -> Block {
    let facts = BitcoinBlockFacts { height: BtcHeight::new(1), header: [9; 80], transactions: 2, spends: vec![] };
    let header = Header {
        chain: ChainId(Digest::default()),
        height: SideHeight::new(1),
        parent: Digest::default(),
        anchor: BlockRef::new(BtcHeight::new(1), bitcoin::hashes::Hash::all_zeros()),
        supply: Amount::from_sat(21),
        owed: Amount::ZERO,
        state_root: Digest::default(),
        body_root: Digest::default(),
    };
    Block {
        header,
        inputs: BitcoinInputs { blocks: vec![facts] },
        transactions: transactions(ChainId(Digest::default())),
    }
}

fn signing() -> Vec<Vec<u8>> {
    let session = [1; 32];
    let commitment = Commitment { hiding: [2; 33], binding: [3; 33] };
    let messages = [
        SigningMessage::Propose { session, batch: 1, attempt: 2, txid: [4; 32] },
        SigningMessage::Commit { session, commitments: vec![commitment; 2] },
        SigningMessage::Package { session, signers: vec![0, 1], commitments: vec![vec![commitment; 2]; 2] },
        SigningMessage::Shares { session, shares: vec![[5; 32]; 2] },
    ];
    messages.iter().map(SigningMessage::encode).collect()
}

fn dkg() -> Vec<Vec<u8>> {
    let session = Digest::default();
    let package = SignedPackage { package: vec![1; 100], signature: [2; 64] };
    let messages = [
        DkgMessage::Hello { terms: session, nonce: [3; 32], progress: Progress::Saved(session) },
        DkgMessage::Round1 { session, package: package.clone() },
        DkgMessage::Echo { session, packages: vec![package; 3] },
        DkgMessage::Round2 { session, package: vec![4; 50] },
    ];
    messages.iter().map(DkgMessage::encode).collect()
}

/// Records as the log writes them: put, journal's put, delete, clear; docs/spec/log.md.
const RECORDS: [&[u8]; 2] =
    [b"\x01\x01t\x03key\x05value\x01\x01j\x08\0\0\0\0\0\0\0\0\x05first", b"\x02\x01t\x03key\x03\x01j\x01\x01t\x00\x00"];

/// The seeds of a target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let hash = "12".repeat(32);
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match target {
        "log_segment" => vec![fault::sealed_segment(&RECORDS)],
        "log_snapshot" => vec![fault::empty_snapshot(), fault::sealed_snapshot(&RECORDS[..1])],
        "log_records" => vec![RECORDS[0].to_vec(), RECORDS.join(&0xff)],
        "ledger_transaction" => transactions(ChainId(Digest::default())).iter().map(Transaction::encode).collect(),
        "ledger_block" => vec![block().encode()],
        "ledger_genesis" => vec![borsh::to_vec(&genesis()).expect("writing to a vector does not fail")],
        "ledger_proof" => {
            let proof = smt::Proof { siblings: vec![Digest::default(); 3], end: None };
            vec![borsh::to_vec(&proof).expect("writing to a vector does not fail")]
        }
        "ledger_asset" => {
            vec![borsh::to_vec(&asset_terms()).expect("writing to a vector does not fail"), hash.into_bytes()]
        }
        "ledger_policy" => {
            let witness = borsh::to_vec(&policy_witness()).expect("writing to a vector does not fail");
            let policies = policies().into_iter().map(|policy| borsh::to_vec(&policy).expect("likewise"));
            policies.chain([witness]).collect()
        }
        "policy_text" => policies().iter().map(|policy| policy.to_string().into_bytes()).collect(),
        "proof_file" => proof_files(),
        "recount_saved" => {
            let mut recount = windlass_recount::Recount::new(genesis());
            recount.take(&first_block().encode()).expect("an empty block");
            let mut saved = recount.save().expect("nothing is wrong");
            saved.truncate(saved.len() - 32);
            vec![saved]
        }
        "sidechain_snapshot" => {
            let [_, state] = states();
            vec![windlass_sidechain::fuzzing::snapshot_of(state, certificate())]
        }
        "receipt_file" => receipt_files(),
        "peg_signing" => signing(),
        "peg_dkg" => dkg(),
        "merkle_proof" => {
            let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
            let proof = bitcoin::MerkleBlock::from_block_with_predicate(&genesis, |_| true);
            let txid = genesis.txdata.first().map(bitcoin::Transaction::compute_txid).expect("a coinbase");
            vec![[bitcoin::consensus::serialize(&txid), bitcoin::consensus::serialize(&proof)].concat()]
        }
        "account_address" => {
            let accounts = [account(), policy_witness().policy.account()];
            accounts.iter().map(|account| account.address(ChainNetwork::Regtest).into_bytes()).collect()
        }
        "amount" => texts(&["1000", "1000sat", "0.001btc", "20999999.9769", "5msat", "1_000"]),
        "digest" => texts(&[&hash]),
        "bitcoin_address" => texts(&["bcrt1p2tpvyjfa4kfc0qtva8me33a7p0dg9qkpl94qhar2fd0axctpjgjq64thk0"]),
        "peer_address" => texts(&[&format!("{key}@127.0.0.1:9735"), &format!("{key}@[::1]:9735")]),
        "lightning_ids" => texts(&[&hash]),
        other => others(other),
    }
}

/// BOLT 11's, BOLT 12's and LDK's examples.
const INVOICE: &str = "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap2r09nt4ndd0unm3z9u5t48y6ucv4r5sg7lk98c77ctvjczkspk5qprc90gx";
const OFFER: &str = "lno1pgx9getnwss8vetrw3hhyuckyypwa3eyt44h6txtxquqh7lz5djge4afgfjn7k4rgrkuag0jsd5xvxg";
/// The snapshot of LDK's own tests (four nodes, two channels), of regtest.
const SNAPSHOT: &str = concat!(
    "4c444b0106226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f61e362da00000004",
    "021607cfce19a4c5e7e6e738663dfafbbbac262e4ff76c2c9b30dbeefc35c00643",
    "02247d9db0dfafea745ef8c9e161eb322f73ac3f8858d8730b6fd97254747ce76b",
    "029e01f279986acc83ba235d46d80aede0b7595f410353b93a8ab540bb677f4432",
    "02c913118a8895b9e29c89af6e20ed00d95a1f64e4952edbafa84d048f26804c61",
    "000000020000ff0899c000021b000000010000ff0244e200060b000102030000000200280000",
    "0000000003e8000003e800000001000000003a5574d8ff0899c000021b000019000000010000",
    "007dff0244e200060b000105000000001d8119c0",
);

fn others(target: &str) -> Vec<Vec<u8>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match target {
        "payable" => {
            let uri = "bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4?amount=0.00001234&label=a%20b";
            texts(&[INVOICE, OFFER, "₿alice@example.com", &format!("{uri}&lightning={INVOICE}&lno={OFFER}")])
        }
        "name_proof" => vec![windlass_channels::fuzzing::RECORDED_PROOF.to_vec()],
        "refund" => texts(&[&windlass_channels::fuzzing::refund_text()]),
        "seed_words" => texts(&[&format!("{}art", "abandon ".repeat(23))]),
        "channel_backup" => vec![windlass_channels::fuzzing::backup_content()],
        "channel_book" => vec![joined(&windlass_channels::fuzzing::book_rows())],
        "gossip_snapshot" => vec![unhex(SNAPSHOT)],
        "tower_row" => texts(&[windlass_channels::fuzzing::TOWER_ROW]),
        "wallet_journal" => vec![joined(&windlass_node::fuzzing::wallet_journal_rows())],
        "config" => texts(&[&settings(), r#"{"api":"http://127.0.0.1:1","pid":7}"#]),
        "api_requests" => texts(&REQUESTS.iter().map(|(_, example)| *example).collect::<Vec<_>>()),
        "member_answers" => {
            let genesis = genesis();
            let bytes = borsh::to_vec(&genesis).expect("writing to a vector does not fail");
            let (block, certificate) = (hex(&first_block().encode()), hex(&certificate()));
            let zeros = hex(&[0; 32]);
            let computed = [
                format!(r#"{{"chain":"{}","hex":"{}","genesis":null}}"#, genesis.chain_id(), hex(&bytes)),
                format!(r#"{{"height":1,"block":"{zeros}","hex":"{block}","certificate":"{certificate}"}}"#),
            ];
            let stated = ANSWERS.iter().map(|(_, example)| *example);
            texts(&computed.iter().map(String::as_str).chain(stated).collect::<Vec<_>>())
        }
        "ledger_state" => {
            let (changes, _) = genesis_state(&genesis());
            let rows = changes.iter().filter_map(|(key, value)| {
                let table = STATE_KEYS.iter().position(|prefix| key.starts_with(prefix))?;
                Some(row(u8::try_from(table).ok()?, &key[STATE_KEYS[table].len()..], value?))
            });
            rows.collect()
        }
        "sidechain_block" => vec![windlass_sidechain::fuzzing::seal(first_block())],
        "sidechain_certificate" => vec![certificate()],
        "sidechain_gossip" => {
            let list = transactions(ChainId(Digest::default()));
            vec![borsh::to_vec(&list).expect("writing to a vector does not fail")]
        }
        "sidechain_store" => {
            let height = 1u64.to_be_bytes();
            vec![[row(1, &height, &first_block().encode()), row(2, &height, &certificate())].concat()]
        }
        "peg_share" => vec![windlass_peg::share::fuzz_share_content()],
        other => unreachable!("no target {other}"),
    }
}

/// A wallet node's settings, all of them.
fn settings() -> String {
    let auth = windlass_chain::Auth::Cookie("/c".into());
    let bitcoind = windlass_chain::BitcoindConfig { url: "http://127.0.0.1:1".into(), auth };
    let mut config = windlass_node::wallet::WalletConfig::new("alice", ChainNetwork::Regtest, bitcoind);
    config.watchtower = Some("tower".into());
    config.rapid_gossip_sync = Some("http://127.0.0.1:2".into());
    toml::to_string(&config).expect("settings can be written")
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Whatever is proposed between whatever else: all who replay the chain agree.

use super::*;
use proptest::prelude::*;

/// What may happen between two blocks.
#[derive(Debug, Clone)]
enum Op {
    Transfer { fee: u64 },
    PegOut { amount: u64 },
    Deposit { amount: u64 },
    Mine,
    Propose { after: u64, dial: u8, value: u64, turn: u64 },
    Cancel,
    Block,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..6_u64).prop_map(|fee| Op::Transfer { fee }),
        1 => (9_000..60_000_u64).prop_map(|amount| Op::PegOut { amount }),
        1 => (9_000..60_000_u64).prop_map(|amount| Op::Deposit { amount }),
        1 => Just(Op::Mine),
        1 => (8..14_u64, 0..6_u8, 0..6_u64, 0..5_u64)
            .prop_map(|(after, dial, value, turn)| Op::Propose { after, dial, value, turn }),
        1 => Just(Op::Cancel),
        16 => Just(Op::Block),
    ]
}

fn turn(params: &mut Params, dial: u8, value: u64) {
    match dial {
        0 => params.transfer_fee_min = sat(value),
        1 => params.max_peg_out = sat(20_000 + 10_000 * value),
        2 => params.min_deposit = sat(5_000 + 5_000 * value),
        3 => params.fee_rate_sat_per_kvb = 1_000 + 2_000 * u32::try_from(value).expect("small"),
        4 => params.max_batch_peg_outs = 1 + u16::try_from(value).expect("small"),
        _ => params.max_block_txs = 2 + u32::try_from(value).expect("small"),
    }
}

struct World {
    net: Net,
    blocks: Vec<Block>,
    waiting: Vec<Transaction>,
    nonce: u64,
    deposits: u64,
}

impl World {
    fn new() -> Self {
        let mut genesis = genesis();
        genesis.params.change_delay_blocks = 10;
        Self { net: Net::with(genesis), blocks: vec![], waiting: vec![], nonce: 0, deposits: 0 }
    }

    fn block(&mut self, transactions: Vec<Transaction>) {
        let net = &mut self.net;
        let (inputs, before) = (net.inputs(), net.tip);
        let (block, ..) =
            build(&net.genesis, &net.state, &before, inputs, transactions.clone()).expect("a block can be built");
        net.block(transactions);
        assert_eq!(block.header, net.tip);
        self.blocks.push(block);
    }

    fn spend(&mut self, body: impl FnOnce(AccountId, u64) -> TxBody) {
        let nonce = self.nonce;
        self.nonce += 1;
        let chain = self.net.genesis.chain_id();
        let body = body(account(1), nonce);
        self.waiting.push(Transaction::signed(chain, body, &crate::testkit::keypair(1)));
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Transfer { fee } => self.spend(|from, nonce| {
                let outputs = vec![Output::btc(account(2), sat(5))];
                TxBody::Transfer { from, nonce, outputs, fee: sat(fee), memo: vec![], expiry: None }
            }),
            Op::PegOut { amount } => self.spend(|from, nonce| {
                let (script, amount, fee_max) = (wpkh(1).to_bytes(), sat(amount), sat(5_000));
                TxBody::PegOut { from, nonce, script, amount, fee_max, fee: sat(5), expiry: None }
            }),
            Op::Deposit { amount } => {
                self.deposits += 1;
                let terms = terms(2, self.deposits);
                let script = terms.spend_info(&self.net.genesis).expect("keys").script;
                let coin = self.net.coin();
                let tx = crate::testkit::bitcoin_tx(&[coin], &[(script, sat(amount))]);
                let txid = tx.compute_txid();
                let height = self.net.mine(vec![tx]);
                let claim = self.net.claim_of(height, txid, 0, &terms);
                self.waiting.push(self.net.claim(claim));
            }
            Op::Mine => {
                let batch = query::batch(&self.net.state).expect("memory").map(|_| self.net.batch_tx());
                let is_mined = |tx: &bitcoin::Transaction| {
                    let txid = tx.compute_txid();
                    self.net.bitcoin.iter().any(|(_, block)| block.txdata.iter().any(|tx| tx.compute_txid() == txid))
                };
                let batch = batch.filter(|tx| !is_mined(tx));
                self.net.mine(batch.into_iter().collect());
            }
            Op::Propose { after, dial, value, turn: number } => {
                let change = self.net.proposed(after, |params| turn(params, dial, value));
                let next = self.net.in_force().proposals + 1;
                // Now and then not its turn.
                let number = if number == 0 { next.saturating_sub(1) } else { next };
                self.waiting.push(signed(self.net.genesis.chain_id(), number, change, &[0, 1, 3]));
            }
            Op::Cancel => self.waiting.push(self.net.propose(ParamsChange::Cancel)),
            Op::Block => {
                // What a block refuses is lost, but for the nonce of the account.
                let waiting = std::mem::take(&mut self.waiting);
                self.block(waiting);
                let account = query::account(&self.net.state, &account(1)).expect("memory");
                self.nonce = account.nonces.next();
            }
        }
    }
}

/// Executes the blocks from the genesis on, with signatures known or not.
fn replay(genesis: &Genesis, blocks: &[Block], cached: bool) -> (Header, MemoryState) {
    let (changes, mut tip) = genesis_state(genesis);
    let mut state = MemoryState::default();
    state.commit(&changes);
    for block in blocks {
        let known = |t: &Transaction| Checked::new(t.clone()).ok().map(Arc::new);
        let checked: Vec<_> = block.transactions.iter().map(known).collect();
        let applied: Result<_, BlockError> = match cached {
            true => apply_checked(genesis, &state, &tip, block, &checked),
            false => apply(genesis, &state, &tip, block),
        };
        let applied = applied.expect("it was built");
        state.commit(&applied.changes);
        tip = applied.header;
    }
    (tip, state)
}

fn run(ops: Vec<Op>) -> World {
    let mut world = World::new();
    // Some coins first, by blocks that are kept.
    let deposit = Op::Deposit { amount: 1_000_000 };
    world.run(deposit);
    world.run(Op::Block);
    let claim = world.deposits;
    assert_eq!(claim, 1);
    let terms = terms(1, 99);
    let script = terms.spend_info(&world.net.genesis).expect("keys").script;
    let coin = world.net.coin();
    let tx = crate::testkit::bitcoin_tx(&[coin], &[(script, sat(5_000_000))]);
    let txid = tx.compute_txid();
    let height = world.net.mine(vec![tx]);
    let claim = world.net.claim_of(height, txid, 0, &terms);
    world.waiting.push(world.net.claim(claim));
    for op in [Op::Block, Op::Mine, Op::Block, Op::Mine, Op::Block, Op::Mine, Op::Block] {
        world.run(op);
    }
    for op in ops {
        world.run(op);
    }
    world.run(Op::Block);
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// L85: proposals at random heights between transfers, peg-ins and peg-outs: whoever executes the blocks comes
    /// to the same state, with signatures known before or not. (`Net` checks the books after each.)
    #[test]
    fn all_replays_agree_on_the_parameters(ops in prop::collection::vec(op(), 20..120)) {
        let world = run(ops);
        let genesis = world.net.genesis.clone();
        let record = world.net.in_force();
        for cached in [false, true] {
            let (tip, state) = replay(&genesis, &world.blocks, cached);
            prop_assert_eq!(tip, world.net.tip);
            prop_assert_eq!(query::params(&state).expect("memory"), record.clone());
        }
        prop_assert!(record.pending.is_none_or(|pending| pending.height > world.net.tip.height));
    }
}

/// The property above is worth what it reaches.
#[test]
fn random_operations_change_the_parameters() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let ops = prop::collection::vec(op(), 100..120);
    let (mut changed, mut taken, mut paid) = (0, 0, 0);
    for _ in 0..10 {
        let world = run(ops.new_tree(&mut runner).expect("no filters").current());
        let record = world.net.in_force();
        changed += usize::from(record.since.get() > 0);
        taken += record.proposals;
        let outs = query::peg_outs_of(&world.net.state, &account(1)).expect("memory");
        paid += outs.iter().filter(|out| matches!(out.state, PegOutState::Paid { .. })).count();
    }
    assert!(changed >= 6 && taken >= 15 && paid >= 3, "{changed} {taken} {paid}");
}

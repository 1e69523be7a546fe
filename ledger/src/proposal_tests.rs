use super::*;
use crate::state::read;
use crate::testkit::{Net, account, genesis, identity, sat, terms, wpkh};
use crate::{
    Admission, Block, BlockError, Checked, ClaimError, Header, MemoryState, Output, PegOutState, Transaction, TxBody,
    apply, apply_checked, build, genesis_state, keys, query, smt,
};
use commonware_cryptography::Signer as _;
use std::sync::Arc;
use windlass_types::{AccountId, Blocks};

/// Signs as these members (by index, from 0), in this order.
fn signed(chain: ChainId, number: u64, change: ParamsChange, members: &[u16]) -> Transaction {
    let mut proposal = Proposal { number, change, signatures: vec![] };
    let digest = proposal.digest(chain);
    for &member in members {
        let key = identity(u8::try_from(member).expect("few") + 1);
        let signature = key.sign(crate::ENDORSEMENT_NAMESPACE, &digest.0);
        let signature = signature.as_ref().try_into().expect("64 bytes");
        proposal.signatures.push(MemberSignature { member, signature });
    }
    Transaction::proposal(chain, proposal)
}

impl Net {
    fn in_force(&self) -> ParamsRecord {
        query::params(&self.state).expect("memory")
    }

    /// The height of the block that would take a proposal now.
    fn next(&self) -> u64 {
        self.tip.height.get() + 1
    }

    /// The members' change of some dials, to come `after` blocks from the next one.
    fn proposed(&self, after: u64, edit: impl FnOnce(&mut Params)) -> ParamsChange {
        let mut params = self.in_force().params;
        edit(&mut params);
        ParamsChange::Set { height: SideHeight::new(self.next() + after), params }
    }

    fn propose(&self, change: ParamsChange) -> Transaction {
        signed(self.genesis.chain_id(), self.in_force().proposals + 1, change, &[0, 2, 3])
    }

    fn reach(&mut self, height: u64) {
        while self.tip.height.get() < height {
            self.block(vec![]);
        }
    }

    /// Has the members change dials, and the change come into force.
    fn change(&mut self, edit: impl FnOnce(&mut Params)) {
        let change = self.proposed(20, edit);
        let at = self.next() + 20;
        self.accept(vec![self.propose(change)]);
        self.reach(at);
    }

    fn paying(&self, fee: u64) -> Transaction {
        self.sign(1, |from, nonce| {
            let outputs = vec![Output::btc(account(2), sat(5))];
            TxBody::Transfer { from, nonce, outputs, fee: sat(fee), memo: vec![], expiry: None }
        })
    }
}

fn refusal(error: TxError) -> ProposalError {
    match error {
        TxError::Proposal(error) => error,
        other => panic!("{other:?}"),
    }
}

/// L80: they stand in the state from the first block on, under the root.
#[test]
fn the_parameters_stand_in_the_state() {
    let net = Net::new();
    assert_eq!(net.in_force(), ParamsRecord::first(&net.genesis.params));
    let proof = smt::prove(&net.state, keys::PARAMS).expect("memory");
    let value = crate::state::encode(&net.in_force());
    assert!(smt::verify(&net.tip.state_root, keys::PARAMS, Some(&value), &proof));
    let read: Option<ParamsRecord> = read(&net.state, keys::PARAMS).expect("memory");
    assert_eq!(read, Some(net.in_force()));
}

/// L81: one after the other, each once.
#[test]
fn a_proposal_is_taken_once_and_in_its_turn() {
    let mut net = Net::new();
    let chain = net.genesis.chain_id();
    let change = net.proposed(30, |params| params.transfer_fee_min = sat(3));
    for (found, expected) in [(0, 1), (2, 1), (u64::MAX, 1)] {
        let error = refusal(net.refuse(signed(chain, found, change.clone(), &[0, 1, 2])));
        assert_eq!(error, ProposalError::Number { expected, found });
    }
    let first = signed(chain, 1, change.clone(), &[0, 1, 2]);
    net.accept(vec![first.clone()]);
    assert_eq!(refusal(net.refuse(first)), ProposalError::Number { expected: 2, found: 1 });
    // Nor with other signatures, nor when it has come into force.
    let again = signed(chain, 1, change, &[0, 1, 2, 3]);
    assert_eq!(refusal(net.refuse(again.clone())), ProposalError::Number { expected: 2, found: 1 });
    net.reach(40);
    assert_eq!(refusal(net.refuse(again)), ProposalError::Number { expected: 2, found: 1 });
}

/// L81: by enough members, each once, and for this chain.
#[test]
fn a_proposal_takes_enough_members() {
    let mut net = Net::new();
    let chain = net.genesis.chain_id();
    let change = net.proposed(30, |params| params.transfer_fee_min = sat(3));
    let with = |members: &[u16]| signed(chain, 1, change.clone(), members);
    assert_eq!(refusal(net.refuse(with(&[]))), ProposalError::Signatures { found: 0, needed: 3 });
    assert_eq!(refusal(net.refuse(with(&[0, 3]))), ProposalError::Signatures { found: 2, needed: 3 });
    assert_eq!(refusal(net.refuse(with(&[0, 1, 1]))), ProposalError::Signer(1));
    assert_eq!(refusal(net.refuse(with(&[1, 0, 2]))), ProposalError::Signer(0));
    assert_eq!(refusal(net.refuse(with(&[0, 1, 4]))), ProposalError::Signer(4));
    let edit = |edit: &dyn Fn(&mut Proposal)| {
        let mut forged = with(&[0, 1, 2, 3]);
        let TxBody::Propose(proposal) = &mut forged.body else { panic!("a proposal") };
        edit(proposal);
        forged
    };
    // Enough good ones besides a bad one are not enough: nobody is named who did not sign.
    assert_eq!(refusal(net.refuse(edit(&|p| p.signatures[3].signature[0] ^= 1))), ProposalError::Signature(3));
    let swapped = edit(&|p| p.signatures[0].signature = p.signatures[1].signature);
    assert_eq!(refusal(net.refuse(swapped)), ProposalError::Signature(0));
    // Signed for something else: another height, another dial, another chain.
    let later = edit(&|p| {
        if let ParamsChange::Set { height, .. } = &mut p.change {
            *height = height.next().expect("low");
        }
    });
    assert_eq!(refusal(net.refuse(later)), ProposalError::Signature(0));
    let other = edit(&|p| {
        if let ParamsChange::Set { params, .. } = &mut p.change {
            params.transfer_fee_min = sat(4);
        }
    });
    assert_eq!(refusal(net.refuse(other)), ProposalError::Signature(0));
    let mut foreign = signed(ChainId(Digest([7; 32])), 1, change.clone(), &[0, 1, 2]);
    assert!(matches!(net.refuse(foreign.clone()), TxError::ForeignChain { .. }));
    foreign.chain = chain;
    assert_eq!(refusal(net.refuse(foreign)), ProposalError::Signature(0));
    net.accept(vec![with(&[0, 1, 2, 3])]);
    assert_eq!(net.in_force().pending.expect("pending").members, [0, 1, 2, 3]);
}

/// L81: whoever can't make blocks or can't move the treasury changes nothing.
#[test]
fn it_takes_as_many_as_for_blocks_and_for_coins() {
    let with = |members: u8, threshold: u16| {
        let mut genesis = genesis();
        genesis.members = (0..members).map(|_| genesis.members[0].clone()).collect();
        genesis.threshold = threshold;
        genesis.proposal_threshold()
    };
    // 4 members: blocks take 3. 15: 11. 3: all. 1: itself.
    let found = [with(4, 3), with(4, 4), with(15, 8), with(15, 12), with(3, 2), with(1, 1)];
    assert_eq!(found, [3, 4, 11, 12, 3, 1]);
}

/// L82.
#[test]
fn a_change_waits_for_its_delay() {
    let mut net = Net::new();
    let now = net.next();
    let at = |height: u64, net: &Net| {
        let ParamsChange::Set { params, .. } = net.proposed(0, |params| params.change_delay_blocks = 10) else {
            panic!("a change")
        };
        net.propose(ParamsChange::Set { height: SideHeight::new(height), params })
    };
    let earliest = SideHeight::new(now + 20);
    for found in [0, 1, now, now + 19] {
        let error = refusal(net.refuse(at(found, &net)));
        assert_eq!(error, ProposalError::TooSoon { earliest, found: SideHeight::new(found) });
    }
    let latest = SideHeight::new(now + MAX_CHANGE_AHEAD);
    let found = SideHeight::new(now + MAX_CHANGE_AHEAD + 1);
    assert_eq!(refusal(net.refuse(at(found.get(), &net))), ProposalError::TooFar { latest, found });
    // A shorter delay, too, comes after the delay that is in force.
    net.accept(vec![at(now + 20, &net)]);
    net.reach(now + 19);
    let short = net.proposed(10, |params| params.transfer_fee_min = sat(9));
    assert_eq!(net.in_force().params.change_delay_blocks, 20);
    // The next block has the new delay in force already.
    net.accept(vec![net.propose(short)]);
    assert_eq!(net.in_force().params.change_delay_blocks, 10);
}

/// L83: what coins were made with does not change, and the rest stays in its range.
#[test]
fn what_may_not_change_is_refused_by_name() {
    let mut net = Net::new();
    type Edit<'a> = &'a dyn Fn(&mut Params);
    let fixed: [(&str, Edit); 4] = [
        ("reclaim_blocks", &|p| p.reclaim_blocks = Blocks::new(2_000)),
        ("reclaim_buffer", &|p| p.reclaim_buffer = Blocks::new(145)),
        ("emergency_blocks", &|p| p.emergency_blocks = Blocks::new(1)),
        ("emergency_threshold", &|p| p.emergency_threshold = 1),
    ];
    assert_eq!(fixed.map(|(name, _)| name), FIXED_DIALS);
    for (name, edit) in fixed {
        let change = net.proposed(20, edit);
        match refusal(net.refuse(net.propose(change))) {
            ProposalError::Fixed(found) => assert_eq!(found.name, name),
            other => panic!("{other:?}"),
        }
    }
    let cases: [(&str, Edit); 5] = [
        ("anchor_depth", &|p| p.anchor_depth = Blocks::new(0)),
        ("reclaim_blocks", &|p| p.anchor_depth = Blocks::new(1_000)),
        ("change_delay_blocks", &|p| p.change_delay_blocks = 9),
        // A fee that the smallest deposit could not pay.
        ("min_deposit", &|p| p.fee_rate_sat_per_kvb = 100_000),
        ("max_peg_out", &|p| p.max_peg_out = sat(1)),
    ];
    for (name, edit) in cases {
        let change = net.proposed(20, edit);
        match refusal(net.refuse(net.propose(change))) {
            ProposalError::Params(GenesisError::Param { name: found, .. }) => assert_eq!(found, name),
            other => panic!("{other:?}"),
        }
    }
    let same = net.proposed(20, |_| {});
    assert_eq!(refusal(net.refuse(net.propose(same))), ProposalError::Unchanged);
}

/// L84: one is pending; a newer one takes its place, or drops it.
#[test]
fn a_pending_change_is_replaced_or_dropped() {
    let mut net = Net::new();
    assert_eq!(refusal(net.refuse(net.propose(ParamsChange::Cancel))), ProposalError::NothingPending);
    let first = net.proposed(20, |params| params.transfer_fee_min = sat(3));
    net.accept(vec![net.propose(first)]);
    let pending = net.in_force().pending.expect("pending");
    assert_eq!((pending.params.transfer_fee_min, pending.members), (sat(3), vec![0, 2, 3]));
    let second = net.proposed(25, |params| params.transfer_fee_min = sat(4));
    let at = net.next() + 25;
    net.accept(vec![net.propose(second)]);
    net.reach(at - 1);
    // The first one's height is past.
    assert_eq!(net.in_force().params.transfer_fee_min, Amount::ZERO);
    net.block(vec![]);
    assert_eq!(net.in_force().params.transfer_fee_min, sat(4));
    let third = net.proposed(20, |params| params.transfer_fee_min = sat(5));
    let at = net.next() + 20;
    net.accept(vec![net.propose(third)]);
    net.accept(vec![net.propose(ParamsChange::Cancel)]);
    assert_eq!((net.in_force().pending, net.in_force().proposals), (None, 4));
    net.reach(at + 1);
    assert_eq!(net.in_force().params.transfer_fee_min, sat(4));
    // Two in one block: in their order.
    let (one, two) = (net.proposed(20, |p| p.max_block_txs = 5), net.proposed(21, |p| p.max_block_txs = 6));
    let chain = net.genesis.chain_id();
    net.accept(vec![signed(chain, 5, one, &[0, 1, 2]), signed(chain, 6, two, &[1, 2, 3])]);
    assert_eq!(net.in_force().pending.expect("pending").params.max_block_txs, 6);
}

/// L85: the block before it has the old rules, the block itself has the new ones, for everything in it.
#[test]
fn a_change_comes_at_its_height() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let change = net.proposed(20, |params| {
        params.transfer_fee_min = sat(3);
        params.max_block_txs = 1;
        params.max_peg_out = sat(50_000);
    });
    let at = net.next() + 20;
    net.accept(vec![net.propose(change)]);
    net.reach(at - 2);
    let free = net.paying(0);
    let large = net.peg_out(1, &wpkh(1), sat(60_000));
    assert_eq!(crate::check(&net.genesis, &net.state, &large), Ok(()));
    net.accept(vec![free]);
    assert_eq!((net.tip.height.get(), net.in_force().params.transfer_fee_min), (at - 1, Amount::ZERO));
    assert_eq!(query::next_params(&net.state).expect("memory").transfer_fee_min, sat(3));
    // What waits is judged by the rules of the next block, one after the other.
    let (cheap, dear) = (net.paying(2), net.paying(3));
    let mut admission = Admission::new(&net.genesis, &net.state).expect("memory");
    for _ in 0..2 {
        let low = admission.check(&Checked::new(cheap.clone()).expect("signed"));
        assert_eq!(low, Err(TxError::FeeTooLow { fee: sat(2), min: sat(3) }));
        assert_eq!(admission.check(&Checked::new(dear.clone()).expect("signed")), Ok(()));
    }
    assert_eq!(net.refuse(cheap), TxError::FeeTooLow { fee: sat(2), min: sat(3) });
    let large = net.sign(1, |from, nonce| {
        let (script, amount) = (wpkh(1).to_bytes(), sat(60_000));
        TxBody::PegOut { from, nonce, script, amount, fee_max: sat(1_000), fee: sat(3), expiry: None }
    });
    assert!(matches!(net.refuse(large), TxError::PegOutAmount { .. }));
    let left_out = net.block(vec![dear.clone(), dear]);
    assert!(matches!(left_out[..], [(_, TxError::BlockFull)]), "{left_out:?}");
    let record = net.in_force();
    assert_eq!((record.since.get(), record.pending), (at, None));
    let receipts = &net.last.as_ref().expect("a block").receipts;
    assert_eq!(receipts[0], Receipt::ParamsChanged { number: 1 });
}

/// L86: what was taken before a change is paid for as it was taken.
#[test]
fn what_waits_keeps_its_fee() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    // A batch in flight, so that the next peg-out and the next deposit wait.
    net.accept(vec![net.peg_out(1, &wpkh(1), sat(20_000))]);
    let in_flight = net.batch_tx();
    let fee_max = crate::treasury::peg_out_fee(&net.in_force().params, &wpkh(2)).expect("small");
    let small = net.sign(1, |from, nonce| {
        let (script, amount) = (wpkh(2).to_bytes(), sat(10_000));
        TxBody::PegOut { from, nonce, script, amount, fee_max, fee: sat(0), expiry: None }
    });
    let small_id = small.id();
    let claim = net.deposit(&terms(2, 0), sat(10_000));
    net.accept(vec![small, net.claim(claim)]);
    net.change(|params| {
        params.fee_rate_sat_per_kvb = 2_000_000;
        params.min_deposit = sat(1_000_000);
        params.min_peg_out = sat(1_000_000);
    });
    // The batch in flight is as it was fixed.
    assert_eq!(net.batch_tx(), in_flight);
    net.settle();
    let batch = query::batch(&net.state).expect("memory").expect("the waiting ones");
    assert_eq!(batch.payouts.len() + batch.inputs.len(), 3);
    for payout in &batch.payouts {
        assert!(payout.burned - payout.amount <= fee_max);
    }
    net.settle();
    assert!(net.balance(2) > sat(9_000), "{}", net.balance(2));
    let paid = query::peg_out(&net.state, &small_id).expect("memory").expect("it was asked for");
    assert!(matches!(paid.state, PegOutState::Paid { amount, .. } if amount + fee_max >= sat(10_000)));
    // From now on the new rate.
    let claim = net.deposit(&terms(3, 0), sat(2_000_000));
    net.accept(vec![net.claim(claim)]);
    net.settle();
    assert_eq!(net.balance(3), sat(2_000_000 - 169 * 2_000));
}

/// L86, L25: a deposit is judged as it was when the ledger consumed its Bitcoin block.
#[test]
fn a_deposit_keeps_its_bounds() {
    let mut net = Net::new();
    let before = net.deposit(&terms(1, 0), sat(10_000));
    let low = net.deposit(&terms(1, 1), sat(9_999));
    net.change(|params| {
        params.min_deposit = sat(50_000);
        params.max_deposit = sat(60_000);
    });
    let after = net.deposit(&terms(1, 2), sat(10_000));
    net.accept(vec![net.claim(before)]);
    let bounds = |error| match error {
        TxError::Claim(ClaimError::Amount { min, max, .. }) => (min.to_sat(), max.to_sat()),
        other => panic!("{other:?}"),
    };
    assert_eq!(bounds(net.refuse(net.claim(low))).0, 10_000);
    assert_eq!(bounds(net.refuse(net.claim(after))), (50_000, 60_000));
    // Again, so that there are three sets: each block has its own.
    net.change(|params| params.min_deposit = sat(20_000));
    let third = net.deposit(&terms(1, 3), sat(20_000));
    net.accept(vec![net.claim(third)]);
    assert_eq!(net.in_force().deposits.len(), 3);
    net.settle();
    // Two changes at one anchor: the second one's count for the blocks after it.
    net.change(|params| params.min_deposit = sat(21_000));
    net.change(|params| params.min_deposit = sat(22_000));
    assert_eq!(
        net.in_force().deposits.iter().map(|b| b.min.to_sat()).collect::<Vec<_>>(),
        [10_000, 50_000, 20_000, 22_000]
    );
}

/// L86: sets that no deposit can be judged by any more are dropped.
#[test]
fn old_bounds_are_dropped() {
    let mut genesis = genesis();
    genesis.params.reclaim_blocks = Blocks::new(20);
    genesis.params.reclaim_buffer = Blocks::new(8);
    let mut net = Net::with(genesis);
    for step in 1..=6 {
        net.change(|params| params.min_deposit = sat(10_000 + step));
        for _ in 0..10 {
            net.mine(vec![]);
        }
        net.block(vec![]);
    }
    let record = net.in_force();
    let anchor = net.tip.anchor.height;
    assert!(record.deposits.len() <= 4, "{:?}", record.deposits);
    // The oldest block that a claim can name still has its set.
    let oldest = BtcHeight::new(anchor.get() - 29);
    assert!(record.deposits[0].from <= oldest, "{:?} {oldest}", record.deposits);
}

#[test]
fn a_proposal_has_one_encoding() {
    let net = Net::new();
    for change in [net.proposed(20, |params| params.max_block_txs = 7), ParamsChange::Cancel] {
        let transaction = net.propose(change);
        let bytes = transaction.encode();
        assert_eq!(Transaction::decode(&bytes), Ok(transaction.clone()));
        assert_eq!(transaction.slot(), Some((AccountId::FEES, 1)));
        let mut longer = bytes;
        longer.push(0);
        assert!(Transaction::decode(&longer).is_err());
    }
    let Transaction { body: TxBody::Propose(proposal), .. } = net.propose(ParamsChange::Cancel) else { panic!() };
    assert_eq!(
        proposal.digest(ChainId(Digest([1; 32]))).to_string(),
        "539710f60c52867deab2e7ace90ac95adb1c06d4e77959fb2358f602210c7427"
    );
}

#[path = "proposal_property_tests.rs"]
mod property;

//! Assets from issuance to burning, and their books under random transactions.

use crate::exec::Work;
use crate::testkit::{Net, account, keypair, sat};
use crate::{AssetTerms, BitcoinInputs, InvariantError, Output, Transaction, TxBody, TxError, query};
use bitcoin::Amount;
use proptest::prelude::*;
use windlass_types::{AccountId, AssetId};

fn terms(units: u64, reissuable: bool) -> AssetTerms {
    AssetTerms { ticker: "OIL".into(), name: "Barrels of oil".into(), decimals: 3, units, reissuable }
}

fn issue(net: &Net, by: u8, terms: &AssetTerms) -> (Transaction, AssetId) {
    let terms = terms.clone();
    let transaction = net.sign(by, |from, nonce| TxBody::Issue {
        from,
        nonce,
        terms: terms.clone(),
        fee: Amount::ZERO,
        expiry: None,
    });
    let nonce = transaction.nonce().expect("it has one");
    let id = terms.id(net.genesis.chain_id(), &account(by), nonce);
    (transaction, id)
}

fn reissue(net: &Net, by: u8, asset: AssetId, units: u64) -> Transaction {
    net.sign(by, |from, nonce| TxBody::Reissue { from, nonce, asset, units, fee: Amount::ZERO, expiry: None })
}

fn burn(net: &Net, by: u8, asset: AssetId, units: u64) -> Transaction {
    net.sign(by, |from, nonce| TxBody::Burn { from, nonce, asset, units, fee: Amount::ZERO, expiry: None })
}

fn pay(net: &Net, from: u8, outputs: Vec<Output>) -> Transaction {
    net.sign(from, |from, nonce| TxBody::Transfer {
        from,
        nonce,
        outputs,
        fee: Amount::ZERO,
        memo: vec![],
        expiry: None,
    })
}

/// Signs with the nonce that is so many after the next.
fn sign_ahead(net: &Net, by: u8, ahead: u64, body: impl FnOnce(AccountId, u64) -> TxBody) -> Transaction {
    let nonce = query::next_nonce(&net.state, &account(by)).expect("memory") + ahead;
    Transaction::signed(net.genesis.chain_id(), body(account(by), nonce), &keypair(by))
}

fn units(net: &Net, who: u8, asset: AssetId) -> u64 {
    query::units(&net.state, &account(who), &asset).expect("memory")
}

fn supply(net: &Net, asset: AssetId) -> u64 {
    query::asset(&net.state, &asset).expect("memory").expect("issued").supply
}

/// L62, L63, L64, L66: the whole life of an asset.
#[test]
fn an_asset_is_issued_moved_reissued_and_burned() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let (transaction, oil) = issue(&net, 1, &terms(1_000, true));
    net.accept(vec![transaction]);
    assert_eq!((units(&net, 1, oil), supply(&net, oil)), (1_000, 1_000));
    // One transfer, two assets, three accounts.
    let outputs = vec![
        Output { to: account(2), asset: oil, units: 300 },
        Output::btc(account(2), sat(5_000)),
        Output { to: account(3), asset: oil, units: 700 },
    ];
    let before = net.balance(1);
    net.accept(vec![pay(&net, 1, outputs)]);
    assert_eq!((units(&net, 1, oil), units(&net, 2, oil), units(&net, 3, oil)), (0, 300, 700));
    assert_eq!((net.balance(1), net.balance(2)), (before - sat(5_000), sat(5_000)));
    assert_eq!(query::units_of(&net.state, &account(1)), Ok(vec![]));
    assert_eq!(query::units_of(&net.state, &account(2)), Ok(vec![(oil, 300)]));
    net.accept(vec![reissue(&net, 1, oil, 50), burn(&net, 3, oil, 700)]);
    assert_eq!((units(&net, 1, oil), supply(&net, oil)), (50, 350));
    // The last one out leaves the asset and its terms.
    net.accept(vec![burn(&net, 1, oil, 50), burn(&net, 2, oil, 300)]);
    let record = query::asset(&net.state, &oil).expect("memory").expect("for ever");
    assert_eq!((record.supply, record.issuer, record.terms), (0, account(1), terms(1_000, true)));
    assert_eq!(query::assets(&net.state).expect("memory").len(), 1);
}

#[test]
fn lists_come_by_pages() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    for units in 1..=7 {
        let (transaction, _) = issue(&net, 1, &terms(units, true));
        net.accept(vec![transaction]);
    }
    let whole = query::assets(&net.state).expect("memory");
    assert_eq!(whole.len(), 7);
    for size in [1, 3, 7, 8] {
        let (mut all, mut from, mut pages) = (Vec::new(), Vec::new(), 0);
        loop {
            let page = query::assets_page(&net.state, &from, size).expect("memory");
            assert!(page.items.len() <= size);
            all.extend(page.items);
            pages += 1;
            let Some(next) = page.next else { break };
            from = next;
        }
        assert_eq!((all == whole, pages), (true, 7usize.div_ceil(size)), "{size} at a time");
    }
    let owned = query::units_page(&net.state, &account(1), &[], 2).expect("memory");
    assert_eq!(owned.items, query::units_of(&net.state, &account(1)).expect("memory")[..2]);
}

/// L60 to L66: each by name.
#[test]
fn what_breaks_an_assets_rules_is_refused() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let (first, fixed) = issue(&net, 1, &terms(1_000, false));
    net.accept(vec![first]);
    let (second, oil) = issue(&net, 1, &terms(1_000, true));
    net.accept(vec![second]);
    assert_ne!(fixed, oil, "the nonce tells them apart");
    let bad = AssetTerms { ticker: "oil".into(), ..terms(1, true) };
    assert!(matches!(net.refuse(issue(&net, 1, &bad).0), TxError::Terms(_)));
    let nobody = AssetId([9; 32]);
    assert_eq!(net.refuse(reissue(&net, 1, nobody, 1)), TxError::NoAsset(nobody));
    assert_eq!(net.refuse(burn(&net, 1, nobody, 1)), TxError::NoAsset(nobody));
    assert_eq!(net.refuse(reissue(&net, 1, fixed, 1)), TxError::NotReissuable(fixed));
    assert_eq!(net.refuse(reissue(&net, 2, oil, 1)), TxError::NotIssuer { asset: oil, issuer: account(1) });
    for transaction in [reissue(&net, 1, AssetId::BTC, 1), burn(&net, 1, AssetId::BTC, 1)] {
        assert_eq!(net.refuse(transaction), TxError::Pegged);
    }
    for transaction in [reissue(&net, 1, oil, 0), burn(&net, 1, oil, 0)] {
        assert_eq!(net.refuse(transaction), TxError::ZeroUnits);
    }
    let have = TxError::InsufficientAsset { asset: oil, have: 1_000, need: 1_001 };
    assert_eq!(net.refuse(burn(&net, 1, oil, 1_001)), have);
    let two =
        vec![Output { to: account(2), asset: oil, units: 1_000 }, Output { to: account(3), asset: oil, units: 1 }];
    assert_eq!(net.refuse(pay(&net, 1, two)), have);
    assert!(have.is_transient());
    let none = pay(&net, 1, vec![Output { to: account(2), asset: nobody, units: 1 }]);
    assert_eq!(net.refuse(none), TxError::InsufficientAsset { asset: nobody, have: 0, need: 1 });
    // Whoever has no bitcoin pays no fee, whatever else he has.
    let mut dear = Net::with({
        let mut genesis = crate::testkit::genesis();
        genesis.params.transfer_fee_min = sat(1);
        genesis
    });
    let (free, _) = issue(&dear, 2, &terms(1, true));
    assert_eq!(dear.refuse(free), TxError::FeeTooLow { fee: Amount::ZERO, min: sat(1) });
}

/// L65, L42: at the end of 64 bits.
#[test]
fn sums_of_units_do_not_wrap() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let (transaction, all) = issue(&net, 1, &terms(u64::MAX, true));
    net.accept(vec![transaction]);
    assert_eq!(net.refuse(reissue(&net, 1, all, 1)), TxError::Overflow);
    let twice = vec![Output { to: account(2), asset: all, units: u64::MAX }; 2];
    assert_eq!(net.refuse(pay(&net, 1, twice)), TxError::Overflow);
    net.accept(vec![pay(&net, 1, vec![Output { to: account(2), asset: all, units: u64::MAX }])]);
    net.accept(vec![burn(&net, 2, all, u64::MAX), reissue(&net, 1, all, u64::MAX)]);
    assert_eq!((units(&net, 1, all), supply(&net, all)), (u64::MAX, u64::MAX));
    // Burned and made anew within one block.
    let again = sign_ahead(&net, 1, 1, |from, nonce| TxBody::Reissue {
        from,
        nonce,
        asset: all,
        units: u64::MAX,
        fee: Amount::ZERO,
        expiry: None,
    });
    net.accept(vec![burn(&net, 1, all, u64::MAX), again]);
}

/// L65: a block that moves what nobody gave can't be finished, whatever the transactions say.
#[test]
fn books_of_an_asset_that_do_not_add_up_stop_the_ledger() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let (transaction, oil) = issue(&net, 1, &terms(1_000, true));
    net.accept(vec![transaction]);
    let finish = |edit: &dyn Fn(&mut Work<'_>)| {
        let mut work = Work::begin(&net.genesis, &net.state, &net.tip).expect("memory");
        edit(&mut work);
        work.finish(&BitcoinInputs::default()).map(|_| ())
    };
    assert_eq!(finish(&|_| ()), Ok(()));
    let wrong = |asset| Err(InvariantError::Asset { asset, issued: 0, burned: 0 }.into());
    assert_eq!(finish(&|work| work.credit_units(&account(2), oil, 1).expect("no end")), wrong(oil));
    assert_eq!(finish(&|work| work.flow(oil, 0, 1).expect("no end")), wrong(oil));
    assert_eq!(finish(&|work| work.credit(&account(2), sat(1)).expect("no end")), wrong(AssetId::BTC));
}

#[derive(Debug, Clone)]
enum Op {
    Issue { by: u8, units: u64, reissuable: bool },
    Reissue { by: u8, which: usize, units: u64 },
    Burn { by: u8, which: usize, units: u64 },
    Pay { from: u8, outputs: Vec<(u8, usize, u64)>, fee: u64 },
    Block,
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0..2_000_u64, 1 => Just(u64::MAX), 1 => any::<u64>()]
}

fn op() -> impl Strategy<Value = Op> {
    let who = || 1..4_u8;
    prop_oneof![
        2 => (who(), amount(), any::<bool>()).prop_map(|(by, units, reissuable)| Op::Issue { by, units, reissuable }),
        3 => (who(), 0..4_usize, amount()).prop_map(|(by, which, units)| Op::Reissue { by, which, units }),
        3 => (who(), 0..4_usize, amount()).prop_map(|(by, which, units)| Op::Burn { by, which, units }),
        8 => (who(), prop::collection::vec((who(), 0..5_usize, amount()), 1..5), 0..3_u64)
            .prop_map(|(from, outputs, fee)| Op::Pay { from, outputs, fee }),
        2 => Just(Op::Block),
    ]
}

/// A net whose accounts 1 to 3 have bitcoin; made once a thread.
fn funded() -> Net {
    thread_local!(static NET: Net = {
        let mut net = Net::new();
        (1..4).for_each(|who| net.fund(who, sat(10_000)));
        net
    });
    NET.with(Clone::clone)
}

fn run(ops: &[Op]) -> (Net, usize, usize) {
    let mut net = funded();
    let (mut assets, mut pending, mut refused, mut taken) = (vec![AssetId::BTC], Vec::new(), 0, 0);
    let mut sent = [0_u64; 4];
    for op in ops.iter().chain([&Op::Block]) {
        let pick = |assets: &[AssetId], which: usize| assets[which % assets.len()];
        let (by, body): (u8, Box<dyn FnOnce(AccountId, u64) -> TxBody>) = match op.clone() {
            Op::Block => {
                let list = std::mem::take(&mut pending);
                taken += list.len();
                // `Net` counts each asset account by account after the block.
                let left_out = net.block(list).len();
                (refused, taken) = (refused + left_out, taken - left_out);
                sent = [0; 4];
                continue;
            }
            Op::Issue { by, units, reissuable } => {
                let terms = terms(units, reissuable);
                let nonce = query::next_nonce(&net.state, &account(by)).expect("memory") + sent[usize::from(by)];
                assets.push(terms.id(net.genesis.chain_id(), &account(by), nonce));
                (by, Box::new(|from, nonce| TxBody::Issue { from, nonce, terms, fee: Amount::ZERO, expiry: None }))
            }
            Op::Reissue { by, which, units } => {
                let (asset, fee) = (pick(&assets, which), Amount::ZERO);
                (by, Box::new(move |from, nonce| TxBody::Reissue { from, nonce, asset, units, fee, expiry: None }))
            }
            Op::Burn { by, which, units } => {
                let (asset, fee) = (pick(&assets, which), Amount::ZERO);
                (by, Box::new(move |from, nonce| TxBody::Burn { from, nonce, asset, units, fee, expiry: None }))
            }
            Op::Pay { from, outputs, fee } => {
                let output = |(to, which, units)| Output { to: account(to), asset: pick(&assets, which), units };
                let (outputs, fee) = (outputs.into_iter().map(output).collect(), sat(fee));
                let body =
                    move |from, nonce| TxBody::Transfer { from, nonce, outputs, fee, memo: vec![], expiry: None };
                (from, Box::new(body))
            }
        };
        // Several in one block: the window of nonces lets those after a refused one through.
        pending.push(sign_ahead(&net, by, sent[usize::from(by)], body));
        sent[usize::from(by)] += 1;
    }
    (net, taken, refused)
}

proptest! {
    /// Case 5, L65: whatever is issued, moved and burned, the accounts' sum is the supply of each asset, and bitcoin's
    /// stays the treasury's.
    #[test]
    fn case_05_each_assets_accounts_add_up_to_its_supply(ops in prop::collection::vec(op(), 1..60)) {
        run(&ops);
    }
}

/// The property above is worth what it reaches: both outcomes of many.
#[test]
fn case_05_random_transactions_in_assets_are_taken_and_refused() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..20 {
        let ops = prop::collection::vec(op(), 60).new_tree(&mut runner).expect("a list").current();
        let (_, good, bad) = run(&ops);
        (taken, refused) = (taken + good, refused + bad);
    }
    assert!(taken > 200 && refused > 200, "{taken} taken, {refused} refused");
}

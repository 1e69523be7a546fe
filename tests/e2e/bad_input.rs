//! What people type and programs send: a clear error that says what was wrong and what to do, the
//! right exit code, and nothing lost.

use crate::{number, text, up};
use windlass_tests::Network;

/// Runs a command that must fail with this exit code and these words.
fn refuses(network: &Network, exit: i32, words: &[&str], arguments: &[&str]) {
    let failure = network.fails(arguments);
    assert_eq!(failure.exit, exit, "{arguments:?}: {}", failure.text);
    let said = failure.text.lines().any(|line| line.starts_with("error: "));
    assert!(said, "{arguments:?}: {}", failure.text);
    for word in words {
        assert!(
            failure.text.to_lowercase().contains(&word.to_lowercase()),
            "{arguments:?} should say {word:?}: {}",
            failure.text
        );
    }
}

#[test]
fn errors_say_what_was_wrong_and_what_to_do() {
    let network = up("bad-input");
    network.ok(&["channel", "open", "alice", "bob", "1000000sat"]);
    network.ok(&["peg", "in", "alice", "0.1btc"]);
    let before: Vec<_> = ["alice", "bob", "carol"].iter().map(|n| network.balance(n)).collect();
    let is = |exit, words: &[&str], arguments: &[&str]| refuses(&network, exit, words, arguments);

    // Amounts.
    is(2, &["no unit", "5sat"], &["faucet", "alice", "5"]);
    is(2, &["unit"], &["transfer", "alice", "bob", "100"]);
    is(2, &["not an amount"], &["peg", "in", "alice", "lots"]);
    is(2, &["whole number of satoshis"], &["send", "alice", "bob", "1500msat"]);
    is(2, &["dust"], &["send", "alice", "bob", "100sat"]);
    is(2, &["10000"], &["peg", "in", "alice", "500sat"]);
    is(2, &["10000"], &["peg", "out", "alice", "500sat"]);
    is(2, &["0.00000500", "0.00020000"], &["channel", "open", "alice", "bob", "500sat"]);

    // More than there is.
    is(4, &["alice has", "windlass faucet alice"], &["send", "alice", "bob", "900btc"]);
    is(4, &["carol has", "windlass faucet carol"], &["channel", "open", "carol", "bob", "900btc"]);
    is(4, &["alice has", "windlass peg in alice"], &["transfer", "alice", "bob", "5btc"]);
    is(4, &["carol has", "windlass peg in carol"], &["peg", "out", "carol", "1btc"]);
    is(4, &["windlass faucet alice"], &["peg", "in", "alice", "900btc"]);

    // Addresses.
    let side = text(&network.ok(&["address", "bob", "--side"]), "address");
    let mainnet = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    let testnet = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx";
    is(2, &["main"], &["send", "alice", mainnet, "10000sat"]);
    is(2, &["testnet"], &["peg", "out", "alice", "20000sat", "--to", testnet]);
    is(2, &["sidechain"], &["send", "alice", &side, "10000sat"]);
    is(2, &["prefix", "wlrt1"], &["transfer", "alice", mainnet, "10000sat"]);
    is(2, &["address"], &["send", "alice", "nonsense", "10000sat"]);
    is(2, &["address"], &["faucet", "nobody", "1btc"]);

    // Ids and names.
    is(1, &["dave", "alice"], &["balance", "dave"]);
    is(1, &["windlass channel list"], &["channel", "close", "ffffffff"]);
    is(1, &["windlass peg list"], &["peg", "show", "ffffffff"]);
    is(1, &["windlass peg list"], &["peg", "reclaim", "ffffffff"]);
    is(1, &["f9", "f1"], &["federation", "member", "stop", "f9"]);

    // Invoices.
    is(2, &["invoice"], &["pay", "alice", "lnbcrt1nonsense"]);
    let foreign = "lnbc25m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5vdhkven9v5sxyetpdeessp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q5sqqqqqqqqqqqqqqqpqsq67gye39hfg3zd8rgc80k32tvy9xk2xunwm5lzexnvpx6fd77en8qaq424dxgt56cag2dpt359k3ssyhetktkpqh24jqnjyw6uqd08sgptq44qu";
    is(2, &["main"], &["pay", "alice", foreign]);
    let amountless = text(&network.ok(&["invoice", "bob"]), "invoice");
    is(2, &["amount"], &["pay", "alice", &amountless]);
    // bob could receive this, but alice can't send it: her reserve stays in the channel.
    let rich = text(&network.ok(&["invoice", "bob", "989200sat"]), "invoice");
    is(4, &["can send"], &["pay", "alice", &rich]);
    is(4, &["can receive"], &["invoice", "bob", "0.5btc"]);

    // Nothing moved.
    for (node, before) in ["alice", "bob", "carol"].iter().zip(before) {
        let after = network.balance(node);
        for field in ["bitcoin_sat", "sidechain_sat", "lightning_msat"] {
            assert_eq!(number(&after, field), number(&before, field), "{node} {field}");
        }
    }
    network.assert_reserves();
}

#[test]
fn malformed_transactions_are_refused_by_the_sidechain() {
    let network = up("malformed");
    network.ok(&["peg", "in", "alice", "0.1btc"]);
    let member = network.api("f1");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = windlass_node::client::MemberClient::new(member);
    let submit = |hex: &str| runtime.block_on(client.submit(hex.into())).expect_err("refused");
    for junk in ["", "zz", "00", &"ff".repeat(100), &"00".repeat(300_000)] {
        let error = submit(junk);
        assert_eq!(error.code, windlass_node::api::Code::Usage, "{}: {error:?}", &junk[..junk.len().min(20)]);
    }
    // A well-formed transfer from an account with nothing, and one signed by another key.
    use bitcoin::secp256k1::{Keypair, Secp256k1};
    use windlass_ledger::{Transaction, TxBody};
    use windlass_types::{AccountId, Amount};
    let keys = |byte| Keypair::from_seckey_slice(&Secp256k1::new(), &[byte; 32]).expect("a key");
    let chain = runtime.block_on(client.chain()).expect("a chain").chain;
    let id = |k: &Keypair| AccountId::from_key(&k.x_only_public_key().0);
    let body = |from: AccountId| TxBody::Transfer {
        from,
        nonce: 0,
        outputs: vec![windlass_ledger::Output::btc(id(&keys(2)), Amount::from_sat(1000))],
        fee: Amount::ZERO,
        memo: Vec::new(),
        expiry: None,
    };
    let encode = |t: Transaction| hex::encode(borsh::to_vec(&t).expect("encodes"));
    let poor = submit(&encode(Transaction::signed(chain, body(id(&keys(1))), &keys(1))));
    assert_eq!(poor.code, windlass_node::api::Code::InsufficientFunds, "{poor:?}");
    let forged = submit(&encode(Transaction::signed(chain, body(id(&keys(1))), &keys(3))));
    assert!(forged.message.contains("signature"), "{forged:?}");
    let other = windlass_types::ChainId(windlass_types::Digest([9; 32]));
    let replayed = submit(&encode(Transaction::signed(other, body(id(&keys(1))), &keys(1))));
    assert!(replayed.message.contains("sidechain"), "{replayed:?}");
    network.assert_reserves();
}

//! Channels: open, pay directly and over two hops, close together and by force, and the statement
//! that accounts for each satoshi.

use crate::{number, text, up};
use serde_json::Value;
use std::time::Duration;
use windlass_tests::Network;

/// Pays an invoice of `to` from `from`.
fn pay(network: &Network, from: &str, to: &str, amount: &str) -> Value {
    let invoice = text(&network.ok(&["invoice", to, amount]), "invoice");
    let paid = network.ok(&["pay", from, &invoice]);
    assert_eq!(paid["state"], "succeeded", "{paid}");
    paid
}

fn statement(network: &Network, node: &str) -> Value {
    let statement = network.ok(&["statement", node]);
    assert_eq!(statement["ok"], true, "{statement:#}");
    statement
}

#[test]
fn a_channel_opens_pays_and_closes_to_the_satoshi() {
    let network = up("channels");
    let first = network.ok(&["channel", "open", "alice", "bob", "1000000sat"]);
    assert_eq!(first["state"], "usable", "{first}");
    assert_eq!(number(&first, "local_msat"), 1_000_000_000);
    let second = network.ok(&["channel", "open", "bob", "carol", "500000sat", "--push", "100000sat"]);

    assert_eq!(number(&pay(&network, "alice", "bob", "20000sat"), "fee_msat"), 0);
    let routed = pay(&network, "alice", "carol", "30000sat");
    assert!(number(&routed, "fee_msat") > 0, "bob forwards for a fee: {routed}");
    pay(&network, "carol", "bob", "1500msat");
    let payments = network.ok(&["payment", "list", "carol"]);
    assert_eq!(payments.as_array().map(Vec::len), Some(2), "{payments}");

    // More into the first, and a part of it out again to carol, while it goes on.
    let id = text(&first, "id");
    let spliced = network.ok(&["channel", "splice", "in", "alice", &id, "500000sat"]);
    assert_eq!(number(&spliced, "capacity_sat"), number(&first, "capacity_sat") + 500_000, "{spliced}");
    let spliced =
        network.ok(&["channel", "splice", "out", "alice", &id, "200000sat", "--to", "carol", "--fee-rate", "3"]);
    assert!(number(&spliced, "capacity_sat") < number(&first, "capacity_sat") + 300_000, "{spliced}");
    pay(&network, "alice", "bob", "10000sat");

    let open = statement(&network, "bob");
    assert_eq!(open["channels"].as_array().map(Vec::len), Some(2), "{open:#}");

    let closed = network.ok(&["channel", "close", &text(&first, "id")]);
    assert_eq!(closed["state"], "closed", "{closed}");
    let forced = network.ok(&["channel", "close", &text(&second, "id"), "--force"]);
    assert_eq!(forced["state"], "closed", "{forced}");

    for node in ["alice", "bob", "carol"] {
        let statement = statement(&network, node);
        for channel in statement["channels"].as_array().expect("channels") {
            assert_eq!(channel["state"], "closed", "{node}: {channel:#}");
            let earned = i128::from(number(channel, "opening_msat")) + i128::from(number(channel, "received_msat"))
                - i128::from(number(channel, "sent_msat"))
                + i128::from(number(channel, "spliced_in_sat")) * 1000
                - i128::from(number(channel, "spliced_out_sat") + number(channel, "splice_fees_sat")) * 1000;
            assert_eq!(earned, i128::from(number(channel, "closing_msat")), "{node}: {channel:#}");
            let settled = number(channel, "returned_sat") * 1000
                + number(channel, "fees_sat") * 1000
                + number(channel, "rounding_msat");
            assert_eq!(settled, number(channel, "closing_msat"), "{node}: {channel:#}");
            for transaction in channel["transactions"].as_array().expect("transactions") {
                assert!(transaction["height"].is_u64(), "every transaction is in a block: {channel:#}");
            }
        }
    }
    // Nothing is left in channels, and nothing on its way.
    for node in ["alice", "bob", "carol"] {
        let balance = network.balance(node);
        assert_eq!(number(&balance, "lightning_msat"), 0, "{node}: {balance}");
        assert_eq!(number(&balance, "lightning_closing_sat"), 0, "{node}: {balance}");
    }
}

#[test]
fn a_paid_or_expired_invoice_is_refused() {
    let network = up("invoices");
    network.ok(&["channel", "open", "alice", "bob", "1000000sat"]);
    let invoice = text(&network.ok(&["invoice", "bob", "1000sat"]), "invoice");
    network.ok(&["pay", "alice", &invoice]);
    let again = network.fails(&["pay", "alice", &invoice]);
    assert_eq!(again.exit, 1);
    assert!(again.text.contains("already paid"), "{}", again.text);

    let short = text(&network.ok(&["invoice", "bob", "1000sat", "--expiry", "1s"]), "invoice");
    // The second passes while we watch the clock that the invoice is judged by.
    let made = std::time::Instant::now();
    windlass_tests::until("the invoice expires", Duration::from_secs(20), || {
        (made.elapsed() > Duration::from_secs(2)).then_some(())
    });
    let refused = network.fails(&["pay", "alice", &short]);
    assert!(refused.text.contains("expired"), "{}", refused.text);
    assert_eq!(number(&network.balance("bob"), "lightning_msat"), 1_000_000);
}

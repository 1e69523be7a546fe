//! Assets of nodes' own, from the command line, on a real network.

use crate::{number, text, up};
use serde_json::Value;
use windlass_tests::Network;

fn units(network: &Network, node: &str, asset: &str) -> u64 {
    let listed = network.ok(&["asset", "list", node]);
    let all = listed["of"].as_array().expect("a list");
    let found = all.iter().find(|balance| balance["asset"] == asset);
    found.map_or(0, |balance| number(balance, "units"))
}

fn found_alike(verdict: &Value) -> Vec<String> {
    let alike = verdict["alike"].as_array().expect("a list");
    alike.iter().map(|other| text(other, "likeness")).collect()
}

#[test]
fn an_asset_lives_from_issuance_to_burning() {
    let network = up("assets");
    network.ok(&["peg", "in", "alice", "0.1btc"]);
    let issued = network.ok(&[
        "asset",
        "issue",
        "alice",
        "OIL",
        "1000",
        "--decimals",
        "3",
        "--full-name",
        "Oil",
        "--reissuable",
    ]);
    let id = text(&issued, "asset");
    let oil = id.as_str();
    assert_eq!(units(&network, "alice", oil), 1_000_000);
    // To two at once, in the asset's decimals; a fee above what is allowed would be refused.
    network.ok(&["asset", "send", "alice", oil, "bob=12.5", "carol=0.001", "--memo", "barrels", "--max-fee", "5sat"]);
    assert_eq!([units(&network, "bob", oil), units(&network, "carol", oil)], [12_500, 1]);
    network.ok(&["asset", "reissue", "alice", oil, "1"]);
    network.ok(&["asset", "burn", "bob", oil, "12.5"]);
    assert_eq!(units(&network, "bob", oil), 0);
    let all = network.ok(&["asset", "list"]);
    let first = &all["all"].as_array().expect("a list")[0];
    assert_eq!((number(first, "supply"), text(first, "asset")), (1_001_000 - 12_500, id.clone()));

    // Nobody but its issuer makes more, nobody has more than he has, and bitcoin is nobody's to issue.
    for (arguments, words) in [
        (["asset", "reissue", "bob", oil, "1"], "nobody else"),
        (["asset", "burn", "carol", oil, "1"], "units"),
        (["asset", "burn", "alice", "btc", "1"], "bitcoin"),
        (["asset", "send", "alice", oil, "bob=0.0001"], "decimals"),
        (["asset", "issue", "alice", "oil", "1"], "ticker"),
    ] {
        let failure = network.fails(&arguments);
        assert!(failure.text.contains(words), "{arguments:?}: {}", failure.text);
    }

    // Another's asset with a ticker that looks the same: both are warned of.
    let mine = network.ok(&["asset", "verify", oil, "--ticker", "OIL"]);
    assert!(mine["ok"] == true && found_alike(&mine).is_empty(), "{mine}");
    let other = text(&network.ok(&["asset", "issue", "bob", "O1L", "5", "--full-name", "Refined"]), "asset");
    assert_eq!(found_alike(&network.ok(&["asset", "verify", oil])), ["confusable_ticker"]);
    let failure = network.fails(&["asset", "verify", &other, "--issuer", &text(first, "issuer")]);
    assert!(failure.text.contains("issued by"), "{}", failure.text);
    let fake = text(&network.ok(&["asset", "issue", "bob", "BTC", "5"]), "asset");
    assert_eq!(network.ok(&["asset", "verify", &fake])["resembles_bitcoin"], true);
    network.assert_reserves();
}

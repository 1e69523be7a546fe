//! What an operator does: words, backup, restore, peers, several channels at once, the statement as CSV.

use crate::{number, text, up};
use windlass_tests::Network;

/// The sum of credits less debits of one account in a statement's CSV.
fn sum(csv: &str, account: &str) -> i128 {
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("account,kind,credit_msat,debit_msat,txid,height"));
    lines
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|fields| fields[0] == account)
        .map(|fields| fields[2].parse::<i128>().expect("credit") - fields[3].parse::<i128>().expect("debit"))
        .sum()
}

fn csv(network: &Network, node: &str) -> String {
    let output = network.run(&["statement", node, "--csv"]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_node_is_restored_from_words_and_backup() {
    let network = up("operator");
    let dir = tempfile::tempdir().expect("a directory");
    let (words_file, backup) = (dir.path().join("words"), dir.path().join("alice.backup"));
    let (words_file, backup) = (words_file.to_str().expect("a path"), backup.to_str().expect("a path"));

    let opened = network.ok(&["channel", "batch", "alice", "bob=1000000sat", "carol=500000sat"]);
    let fundings: Vec<String> = opened.as_array().expect("channels").iter().map(|c| text(c, "funding")).collect();
    assert_eq!(fundings.len(), 2);
    assert_eq!(fundings[0].split(':').next(), fundings[1].split(':').next(), "one transaction: {fundings:?}");
    // Their ids start alike; as the list shows them, they don't.
    let listed = network.run(&["channel", "list", "alice"]);
    let listed = String::from_utf8(listed.stdout).expect("text");
    for line in listed.lines().skip(1) {
        let (shown, peer) = (line.split_whitespace().next().expect("an id"), line.contains(" bob "));
        let policy = network.ok(&["channel", "policy", "alice", shown]);
        let meant = opened.as_array().expect("channels")[usize::from(!peer)]["id"].clone();
        assert_eq!(policy["channel"], meant, "{line}");
    }
    let invoice = text(&network.ok(&["invoice", "bob", "200000sat"]), "invoice");
    network.ok(&["pay", "alice", &invoice]);

    let words = text(&network.ok(&["node", "words", "alice"]), "words");
    assert_eq!(words.split(' ').count(), 24);
    let again = network.fails(&["node", "words", "alice"]);
    assert!(again.text.contains("--again"), "{}", again.text);
    std::fs::write(words_file, &words).expect("written");
    network.ok(&["node", "backup", "alice", "--to", backup]);

    // Words of another node do not open it, and change nothing.
    let bobs = text(&network.ok(&["node", "words", "bob"]), "words");
    let others = dir.path().join("bobs");
    std::fs::write(&others, bobs).expect("written");
    let others = others.to_str().expect("a path");
    let refused = network.fails(&["node", "restore", "alice", "--backup", backup, "--words", others]);
    assert!(refused.text.contains("another node"), "{}", refused.text);
    network.ok(&["node", "info", "alice"]);

    let before = csv(&network, "alice");
    for channel in opened.as_array().expect("channels") {
        let expected = number(&network.ok(&["channel", "list", "alice"])[0], "capacity_sat");
        assert!(expected > 0 && sum(&before, &text(channel, "id")) > 0, "{before}");
    }
    let restored = network.ok(&["node", "restore", "alice", "--backup", backup, "--words", words_file]);
    assert_eq!((number(&restored, "channels"), number(&restored, "capacity_sat")), (2, 1_500_000));
    let settled = || {
        network.ok(&["mine", "6"]);
        let list = network.ok(&["channel", "list", "alice"]);
        let list = list.as_array().expect("channels").clone();
        (list.len() == 2 && list.iter().all(|entry| entry["state"] == "closed")).then_some(())
    };
    windlass_tests::until("the money is back", std::time::Duration::from_secs(120), settled);

    let statement = network.ok(&["statement", "alice"]);
    assert_eq!(statement["ok"], true, "{statement:#}");
    let after = csv(&network, "alice");
    for channel in opened.as_array().expect("channels") {
        assert_eq!(sum(&after, &text(channel, "id")), 0, "{after}");
    }
    let back: u64 = statement["channels"].as_array().expect("channels").iter().map(|c| number(c, "returned_sat")).sum();
    assert!((1_290_000..1_300_000).contains(&back), "all but the fees of 1,300,000: {back}");
    let balance = network.balance("alice");
    let held = number(&balance, "bitcoin_sat") + number(&balance, "bitcoin_pending_sat");
    assert_eq!(sum(&after, "wallet"), i128::from(held) * 1000, "{after}");
}

#[test]
fn peers_are_added_and_removed() {
    let network = up("peers");
    let added = network.ok(&["peer", "add", "carol", "alice"]);
    assert_eq!((added["connected"].as_bool(), added["persistent"].as_bool()), (Some(true), Some(true)), "{added}");
    let listed = network.ok(&["peer", "list", "carol"]);
    assert!(listed.as_array().expect("peers").iter().any(|peer| peer["name"] == "alice" && peer["persistent"] == true));
    network.ok(&["peer", "remove", "carol", "alice"]);
    let refused = network.fails(&["peer", "remove", "carol", "alice"]);
    assert!(refused.text.contains("peer list"), "{}", refused.text);
    let id = text(&added, "node_id");
    let tor = format!("{id}@2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion:9735");
    let refused = network.fails(&["peer", "add", "carol", &tor]);
    assert!(refused.text.contains("proxy"), "{}", refused.text);
}

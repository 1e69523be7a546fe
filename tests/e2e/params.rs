//! The members change the chain's parameters, on real processes: proposed, signed by each with its own identity,
//! in force at one height for all.

use crate::{number, text, up};
use serde_json::Value;
use windlass_ledger::TxBody;
use windlass_node::client::MemberClient;
use windlass_node::member::ProposalFile;
use windlass_tests::{Network, until};

fn params(network: &Network, member: &str) -> Value {
    network.ok(&["chain", "params", "--url", &network.api(member)])
}

/// A transfer: its block and its fee. `None`: the rules changed between the wallet's look at them and the block.
fn transfer(network: &Network) -> Option<(u64, u64)> {
    match network.try_json(&["transfer", "alice", "bob", "1000sat"]) {
        Ok(answer) => Some((number(&answer, "height"), number(&answer, "fee_sat"))),
        Err(failure) => {
            assert!(failure.text.contains("at least"), "{failure:?}");
            None
        }
    }
}

#[test]
fn members_change_the_parameters_at_a_height() {
    let network = up("params");
    network.ok(&["peg", "in", "alice", "1btc"]);
    network.ok(&["peg", "out", "alice", "0.2btc"]);
    let before = network.ok(&["chain", "params"]);
    assert_eq!((number(&before, "since"), number(&before, "proposals")), (0, 0), "{before}");
    assert!(before["pending"].is_null(), "{before}");

    // A file, refused by name where it can't be.
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("a path").to_owned();
    let (file, copy, other) = (path("proposal.json"), path("copy.json"), path("other.json"));
    let refused = |arguments: &[&str], words: &str| {
        let failure = network.fails(arguments);
        assert!(failure.text.contains(words), "{words:?}: {failure:?}");
    };
    refused(&["chain", "propose", "--set", "reclaim_blocks=2000", "-o", &file], "for the life of the chain");
    refused(&["chain", "propose", "--set", "min_deposit=1sat", "-o", &file], "min_deposit is 1");
    refused(&["chain", "propose", "--set", "colour=5", "-o", &file], "transfer_fee_min");
    refused(&["chain", "propose", "--cancel", "-o", &file], "no pending change");
    refused(&["chain", "propose", "--set", "transfer_fee_min=7sat", "--at", "5", "-o", &file], "from block");
    let at = number(&before, "height") + 60;
    let change = ["--set", "transfer_fee_min=7sat", "--set", "max_peg_out=0.1btc"];
    let proposed = network.ok(&[&["chain", "propose", "--at", &at.to_string(), "-o", &file][..], &change].concat());
    assert_eq!(proposed["changes"].as_array().map(Vec::len), Some(2), "{proposed}");
    assert_eq!(number(&proposed, "number"), 1);

    // Each member signs its own; too few are refused, by the command and by the members.
    std::fs::copy(&file, &copy).expect("copied");
    network.ok(&["chain", "sign", &file, "--member", "f1"]);
    network.ok(&["chain", "sign", &file, "--member", "f1"]);
    network.ok(&["chain", "sign", &copy, "--member", "f2"]);
    refused(&["chain", "submit", &file, &copy], "2 members signed; it takes 3");
    network.ok(&["chain", "sign", &copy, "--member", "f3"]);
    let member = MemberClient::new(network.api("f2"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let genesis = runtime.block_on(member.genesis()).expect("a genesis").read().expect("holds");
    let info = runtime.block_on(member.params()).expect("answers");
    let mut whole = ProposalFile::load(file.as_ref()).expect("a file");
    whole.merge(ProposalFile::load(copy.as_ref()).expect("a file")).expect("copies");
    let transaction = whole.transaction(&genesis, &info).expect("signed");
    let mut short = transaction.clone();
    if let TxBody::Propose(proposal) = &mut short.body {
        proposal.signatures.pop();
    }
    let submit =
        |transaction: &windlass_ledger::Transaction| runtime.block_on(member.submit(hex::encode(transaction.encode())));
    let error = submit(&short).expect_err("under-signed");
    assert!(error.message.contains("2 members signed; it takes 3"), "{error:?}");
    // One that goes down hears of it later.
    network.ok(&["federation", "member", "stop", "f4"]);
    let taken = network.ok(&["chain", "submit", &file, &copy]);
    assert!(number(&taken, "block") < at && number(&taken, "height") == at, "{taken}");

    // Again: refused by name, whoever signed.
    refused(&["chain", "submit", &file, &copy], "this is proposal 1; the next one is 2");
    network.ok(&["chain", "propose", "--set", "transfer_fee_min=9sat", "-o", &other]);
    let mut signed_more = transaction.clone();
    if let TxBody::Propose(proposal) = &mut signed_more.body {
        proposal.signatures.remove(0);
    }
    let error = submit(&signed_more).expect_err("replayed");
    assert!(error.message.contains("the next one is 2"), "{error:?}");
    // Without a name it goes into the working directory.
    let mut bare = network.command(&["chain", "propose", "--set", "transfer_fee_min=9sat"]);
    let written = bare.current_dir(dir.path()).output().expect("the program starts");
    assert!(written.status.success() && dir.path().join("proposal-2.json").exists(), "{written:?}");
    let pending = params(&network, "f1");
    assert_eq!(number(&pending["pending"], "height"), at);
    assert_eq!(pending["changes"][0]["name"], "max_peg_out", "{pending}");
    let shown = String::from_utf8(network.run(&["chain", "params"]).stdout).expect("text");
    assert!(shown.contains("A change comes at block") && shown.contains("f1, f2, f3"), "{shown}");

    // Before its height the old rules, from it on the new ones.
    let (mut old, mut new) = (0, 0);
    until("the change is in force", std::time::Duration::from_secs(180), || {
        if let Some((height, fee)) = transfer(&network) {
            assert_eq!(fee, if height < at { 0 } else { 7 }, "block {height}, the change comes at {at}");
            if height < at { old += 1 } else { new += 1 }
        }
        (new > 1).then_some(())
    });
    assert!(old > 0, "the change came at once");
    refused(&["peg", "out", "alice", "0.2btc"], "0.1");
    network.ok(&["peg", "out", "alice", "0.05btc"]);

    // A member that was away, and one that is killed, agree.
    network.ok(&["federation", "member", "start", "f4"]);
    network.kill(network.pid("f2"));
    network.ok(&["federation", "member", "start", "f2"]);
    let agree = || {
        let records: Option<Vec<Value>> = ["f1", "f2", "f4"]
            .iter()
            .map(|name| {
                let all = network.try_json(&["chain", "params", "--url", &network.api(name)]).ok()?;
                Some(serde_json::json!([
                    all["params"],
                    all["since"],
                    all["proposals"],
                    all["pending"],
                    all["deposits"]
                ]))
            })
            .collect();
        let records = records?;
        (records[0][1] == at).then_some(())?;
        records.windows(2).all(|pair| pair[0] == pair[1]).then_some(())
    };
    until("all members agree on the parameters", std::time::Duration::from_secs(120), agree);

    // Anyone can check what is in force.
    let proof = path("params.proof");
    network.ok(&["prove", "params", "--out", &proof]);
    let verified = network.ok(&["verify", &proof]);
    assert_eq!(verified["proves"]["record"]["params"]["transfer_fee_min"], 7, "{verified}");
    assert!(text(&verified["proves"], "kind") == "params", "{verified}");
    network.assert_reserves();
}

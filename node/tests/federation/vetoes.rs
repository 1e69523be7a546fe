//! A member that must not sign: its proof of a fork, or its own recount, says so.

use crate::fed::{Fed, eventually};
use crate::purse::{address, keypair};
use crate::steps::{burn, deposit, minted, paid, payments};
use bitcoin::Amount;
use windlass_ledger::{Block, Params};
use windlass_node::api::member::MemberHealth;
use windlass_store::{Store, Writes};
use windlass_types::SideHeight;

/// Who is stopped from signing: with two of four silent three never sign.
const SILENT: [usize; 2] = [2, 3];
/// So many attempts, each with another coordinator, give everyone its turn.
const ATTEMPTS: u32 = 5;

async fn restart(fed: &mut Fed, members: &[usize], change: impl Fn(&std::path::Path)) {
    for m in members {
        assert_eq!(fed.terminate(*m), Some(0), "a clean end");
        change(&fed.member_dir(*m));
        fed.start(*m);
    }
    for m in members {
        fed.ready(*m).await;
    }
}

async fn health(fed: &Fed, m: usize) -> MemberHealth {
    eventually("it answers", || async { Some(fed.client(m)?.federation().await.ok()?.health) }).await
}

/// Everyone has had its turn to coordinate, and nothing was signed.
async fn unsigned(fed: &Fed) {
    eventually("each member has tried", || async {
        let batch = fed.client(0)?.federation().await.ok()?.batch?;
        assert!(!batch.signed, "it was signed by {:?}", batch.signers);
        (batch.attempt >= ATTEMPTS).then_some(())
    })
    .await;
    assert!(fed.bitcoind.mempool().await.expect("it answers").txids.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn case_35_after_a_fork_peg_outs_stop_until_a_person_has_looked() {
    let mut fed = Fed::up(Params::default()).await;
    let ann = keypair(1);
    let coin = deposit(&fed, &ann, 0, Amount::from_sat(500_000)).await;
    minted(&fed, coin).await;
    // What a fork leaves behind (`sidechain` tests how it comes to be): even a file that says nothing counts.
    restart(&mut fed, &SILENT, |dir| {
        std::fs::create_dir_all(dir.join("proofs")).expect("writable");
        std::fs::write(dir.join("proofs/fork-3.json"), "{}").expect("writable");
    })
    .await;
    let out = address(&keypair(4));
    let id = burn(&fed, &ann, 0, Amount::from_sat(100_000), &out).await;
    unsigned(&fed).await;
    for m in SILENT {
        let health = health(&fed, m).await;
        assert!(health.fork.as_ref().is_some_and(|fork| fork.contains("fork-3.json")), "{health:?}");
        assert!(health.complaints()[0].starts_with("signs nothing on Bitcoin: two blocks are final"), "{health:?}");
    }
    assert_eq!(health(&fed, 0).await.complaints(), Vec::<String>::new());
    // Nor after one more restart.
    restart(&mut fed, &SILENT, |_| ()).await;
    unsigned(&fed).await;
    assert!(health(&fed, 3).await.fork.is_some());
    restart(&mut fed, &SILENT, |dir| std::fs::remove_file(dir.join("proofs/fork-3.json")).expect("it is there")).await;
    paid(&fed, id).await;
    assert_eq!(payments(&fed, &out).await.len(), 1);
    fed.check_reserves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_04_a_member_whose_recount_disagrees_does_not_sign() {
    let mut fed = Fed::up(Params::default()).await;
    let ann = keypair(1);
    let coin = deposit(&fed, &ann, 0, Amount::from_sat(500_000)).await;
    minted(&fed, coin).await;
    // A block that says one satoshi more than there is: what a member holds whose rules were fooled.
    let planted = fed.any().chain().await.expect("a tip").height;
    restart(&mut fed, &SILENT, |dir| {
        let store = Store::open(dir.join(windlass_sidechain::CHAIN_FILE)).expect("it stopped");
        let key = planted.get().to_be_bytes();
        let bytes = store.get("blocks", &key).expect("readable").expect("it is there");
        let mut block = Block::decode(&bytes).expect("a block");
        block.header.supply += Amount::from_sat(1);
        store.commit(Writes::new().put("blocks", &key, &block.encode())).expect("writable");
        // What it counted before it was fooled would not be fooled with it.
        std::fs::remove_file(dir.join("recount.saved")).expect("it was kept");
    })
    .await;
    let out = address(&keypair(4));
    burn(&fed, &ann, 0, Amount::from_sat(100_000), &out).await;
    unsigned(&fed).await;
    for m in SILENT {
        let health = health(&fed, m).await;
        let fault = health.recount.expect("it was found");
        assert!(fault.contains(&format!("block {planted} says a supply of")), "{fault}");
    }
    let honest = health(&fed, 0).await;
    assert_eq!(honest.recount, None);
    assert!(honest.recounted.is_some_and(|height| height > SideHeight::new(0)));
    assert_eq!(payments(&fed, &out).await, vec![]);
}

/// After kill -9 the recount goes on from its file; one that is damaged is counted anew, never believed, and never in
/// the way.
#[tokio::test(flavor = "multi_thread")]
async fn a_recount_outlives_its_process_and_a_damaged_one_is_not_believed() {
    let mut fed = Fed::up(Params::default()).await;
    let ann = keypair(1);
    let coin = deposit(&fed, &ann, 0, Amount::from_sat(500_000)).await;
    minted(&fed, coin).await;
    let said = |fed: &Fed, m: usize, what: &str| {
        let log = std::fs::read_to_string(fed.path().join(format!("f{}.log", m + 1))).unwrap_or_default();
        log.contains(what).then_some(())
    };
    let goes_on = "the recount goes on from where it stopped";
    for m in SILENT {
        eventually("it is kept", || async { fed.member_dir(m).join("recount.saved").exists().then_some(()) }).await;
        fed.kill(m);
    }
    let damaged = fed.member_dir(3).join("recount.saved");
    let mut bytes = std::fs::read(&damaged).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, bytes).expect("writable");
    fed.start_all().await;
    eventually("the whole one goes on", || async { said(&fed, 2, goes_on) }).await;
    eventually("the damaged one is named", || async { said(&fed, 3, "is not believed: counting from the genesis") })
        .await;
    assert_eq!((said(&fed, 3, goes_on), said(&fed, 2, "is not believed")), (None, None));
    // Without them nobody could pay: three of four sign.
    fed.kill(0);
    let out = address(&keypair(4));
    let id = burn(&fed, &ann, 0, Amount::from_sat(100_000), &out).await;
    paid(&fed, id).await;
    for m in SILENT {
        assert_eq!(health(&fed, m).await.recount, None);
    }
}

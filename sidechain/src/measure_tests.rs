//! Numbers, not verdicts: `cargo test -p windlass-sidechain measure -- --ignored --nocapture`.

use crate::fixture::{FakeBitcoin, MEMBERS, genesis, transfer};
use crate::network_tests::{Running, addresses, fund, start_with, trace, wait};
use crate::{Timing, TxStatus};
use bitcoin::Amount;
use std::time::{Duration, Instant};

/// Processor time of this process, and its resident memory.
fn usage() -> (Duration, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|&field: &usize| fields[field].parse::<u64>().expect("a number")).sum();
    let pages: u64 = fields[21].parse().expect("a number");
    (Duration::from_millis(ticks * 10), pages * 4096)
}

#[test]
#[ignore = "measures"]
fn measure() {
    trace();
    let dir = tempfile::tempdir().expect("a directory");
    let (addresses, bitcoin, genesis) = (addresses(), FakeBitcoin::default(), genesis());
    let timing = Timing::default();
    let mut members: Vec<Option<Running>> =
        (0..MEMBERS).map(|index| start_with(index, &addresses, dir.path(), &bitcoin, timing).ok()).collect();
    let all: Vec<&Running> = members.iter().flatten().collect();
    fund(&all, &bitcoin, &[1, 2], Amount::from_sat(100_000_000));

    let begun = all[0].handle.tip().height.get();
    let (before, _) = usage();
    std::thread::sleep(Duration::from_secs(20));
    let (after, resident) = usage();
    let share = (after - before).as_secs_f64() / 20.0 / 4.0 * 100.0;
    println!("idle: {share:.2} % of a core a member, {} MB a member", resident / 4 / 1_000_000);
    println!("      {} blocks in 20 s", all[0].handle.tip().height.get() - begun);

    let lone = |members: &[Option<Running>], from: u64, count: u64| {
        let mut waits = Vec::new();
        for nonce in from..from + count {
            let live: Vec<&Running> = members.iter().flatten().collect();
            let member = live[usize::try_from(nonce).expect("small") % live.len()];
            let tx = transfer(&genesis, 1, 3, nonce, 10);
            wait("turn", || windlass_ledger::check(&genesis, &*member.handle.view(), &tx).is_ok());
            let id = member.handle.submit(tx).expect("good");
            waits.push(wait("final", || matches!(member.handle.tx_status(&id), Ok(TxStatus::Final { .. }))));
        }
        waits.sort();
        println!("      median {:?}, worst {:?}", waits[waits.len() / 2], waits[waits.len() - 1]);
    };
    println!("lone transfers, all alive:");
    lone(&members, 0, 40);
    let (before, _) = usage();
    let begun = (Instant::now(), members[0].as_ref().expect("runs").handle.tip().height.get());
    for nonce in 40..1040 {
        members[0].as_ref().expect("runs").handle.submit(transfer(&genesis, 1, 3, nonce, 10)).expect("good");
    }
    println!("1000 transfers taken in {:?}", begun.0.elapsed());
    wait("all final", || members[0].as_ref().expect("runs").handle.waiting() == 0);
    let blocks = members[0].as_ref().expect("runs").handle.tip().height.get() - begun.1;
    println!("1000 transfers final in {:?}, {blocks} blocks, {:?} of processor", begun.0.elapsed(), usage().0 - before);

    let size = |name: &str| {
        let mut bytes = 0;
        let mut open = vec![dir.path().join("f1").join(name)];
        while let Some(path) = open.pop() {
            let data = std::fs::metadata(&path).expect("it is there");
            if data.is_dir() {
                open.extend(std::fs::read_dir(&path).expect("readable").map(|entry| entry.expect("readable").path()));
            } else {
                bytes += std::os::unix::fs::MetadataExt::blocks(&data) * 512;
            }
        }
        bytes / 1000
    };
    println!("disk: {} kB chain, {} kB engine", size(crate::CHAIN_FILE), size(crate::ENGINE_DIR));
    let begun = Instant::now();
    members[3] = None;
    println!("stopped in {:?}", begun.elapsed());
    println!("lone transfers, one just dead:");
    lone(&members, 1040, 40);
    println!("lone transfers, one dead for a while:");
    std::thread::sleep(Duration::from_secs(8));
    lone(&members, 1080, 200);
    let goal = members[0].as_ref().expect("runs").handle.tip().height;
    let begun = Instant::now();
    members[3] = start_with(3, &addresses, dir.path(), &bitcoin, timing).ok();
    let back = members[3].as_ref().expect("it starts again");
    let from = back.handle.tip().height;
    println!("started again in {:?}", begun.elapsed());
    wait("caught up", || back.handle.tip().height >= goal);
    println!("disk: {} kB chain, {} kB engine", size(crate::CHAIN_FILE), size(crate::ENGINE_DIR));
    println!("caught up {from} to {goal} in {:?}; {} MB a member", begun.elapsed(), usage().1 / 4 / 1_000_000);
}

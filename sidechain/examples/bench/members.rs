//! Four members on threads of one process, over loopback: idle, a lone transfer, and catching up.

use crate::member::fund;
use crate::report::{Report, disk_bytes, per_second, percentile_ms, usage};
use crate::{Outcome, fixture};
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use windlass_ledger::Genesis;
use windlass_sidechain::{Handle, Links, Member, NoPorts, Timing, TxStatus};

const DEADLINE: Duration = Duration::from_secs(300);
const IDLE: Duration = Duration::from_secs(20);
const LONE: u64 = 200;
/// Blocks that the member that comes back has missed.
const MISSED: u64 = 2_000;

/// A member on a thread of its own; stops when dropped.
pub struct Running {
    pub handle: Handle,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn addresses(count: usize) -> Outcome<Vec<SocketAddr>> {
    let held: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    Ok(held.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?)
}

pub fn start(
    index: usize,
    genesis: &Genesis,
    addresses: &[SocketAddr],
    dir: &Path,
    bitcoin: &fixture::FakeBitcoin,
    timing: Timing,
) -> Outcome<Running> {
    let dir = dir.join(format!("f{}", index + 1));
    std::fs::create_dir_all(&dir)?;
    let config = fixture::config(index, addresses, &dir, timing);
    let (bitcoin, genesis) = (Arc::new(bitcoin.clone()), genesis.clone());
    let (ready, started) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        windlass_sidechain::run(&dir, |context| async move {
            let joined = Member::join(context, config);
            let (member, links) = match joined {
                Ok(joined) => joined,
                Err(error) => return drop(ready.send(Err(error.to_string()))),
            };
            match member.start_consensus(genesis, bitcoin, Arc::new(NoPorts)).await {
                Err(error) => drop(ready.send(Err(error.to_string()))),
                Ok(handle) => {
                    drop(ready.send(Ok(handle)));
                    let _ = stopped.await;
                }
            }
            drop::<Links>(links);
        });
    });
    let handle = started.recv()??;
    Ok(Running { handle, stop: Some(stop), thread: Some(thread) })
}

pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) -> Outcome<()> {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > DEADLINE {
            return Err(format!("not within {DEADLINE:?}: {what}").into());
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Ok(())
}

pub fn run(report: &mut Report) -> Outcome<()> {
    let genesis = fixture::genesis();
    idle_and_lone(report, &genesis)?;
    catch_up(report, &genesis)
}

fn idle_and_lone(report: &mut Report, genesis: &Genesis) -> Outcome<()> {
    let (dir, addresses) = (tempfile::tempdir()?, addresses(fixture::MEMBERS)?);
    let bitcoin = fixture::FakeBitcoin::default();
    let members: Vec<Running> = (0..fixture::MEMBERS)
        .map(|index| start(index, genesis, &addresses, dir.path(), &bitcoin, Timing::default()))
        .collect::<Result<_, _>>()?;
    fund(&members.iter().collect::<Vec<_>>(), &bitcoin, genesis, &[1])?;
    let (before, _) = usage();
    std::thread::sleep(IDLE);
    let (after, resident) = usage();
    let share = (after - before).as_secs_f64() / IDLE.as_secs_f64() / fixture::MEMBERS as f64;
    report.row(&json!({
        "what": "four members, idle", "core_percent_a_member": (share * 1000.0).round() / 10.0,
        "resident_mb_a_member": resident / fixture::MEMBERS as u64 / 1_000_000,
    }))?;
    let mut latencies = Vec::new();
    for nonce in 0..LONE {
        let handle = &members[usize::try_from(nonce)? % members.len()].handle;
        let transaction = fixture::transfer(genesis, 1, 3, nonce, 10);
        wait_for("its turn", || windlass_ledger::check(genesis, &*handle.view(), &transaction).is_ok())?;
        let sent = Instant::now();
        let id = handle.submit(transaction)?;
        wait_for("it is final", || matches!(handle.tx_status(&id), Ok(TxStatus::Final { .. })))?;
        latencies.push(sent.elapsed());
    }
    report.row(&json!({
        "what": "four members, a lone transfer", "transfers": LONE,
        "finality_p50_ms": percentile_ms(&mut latencies, 50), "finality_p99_ms": percentile_ms(&mut latencies, 99),
    }))
}

fn catch_up(report: &mut Report, genesis: &Genesis) -> Outcome<()> {
    let (dir, addresses) = (tempfile::tempdir()?, addresses(fixture::MEMBERS)?);
    let bitcoin = fixture::FakeBitcoin::default();
    let timing = Timing::with_heartbeat(Duration::from_millis(1));
    let begin = |index| start(index, genesis, &addresses, dir.path(), &bitcoin, timing);
    let mut members: Vec<Running> = (0..fixture::MEMBERS).map(begin).collect::<Result<_, _>>()?;
    wait_for("blocks are made", || members.iter().all(|member| member.handle.tip().height.get() > 20))?;
    drop(members.pop());
    let from = members[0].handle.tip().height.get();
    wait_for("blocks are missed", || members[0].handle.tip().height.get() >= from + MISSED)?;
    let begun = Instant::now();
    let back = begin(fixture::MEMBERS - 1)?;
    let first = back.handle.tip().height.get();
    // The others go on meanwhile: it must come near them.
    wait_for("it caught up", || back.handle.tip().height.get() + 20 >= members[0].handle.tip().height.get())?;
    let blocks = usize::try_from(back.handle.tip().height.get() - first)?;
    report.row(&json!({
        "what": "catching up, three members making blocks", "blocks": blocks,
        "blocks_per_s": per_second(blocks, begun.elapsed()),
        "disk_bytes_per_empty_block": disk_bytes(&dir.path().join("f1")) / members[0].handle.tip().height.get(),
    }))
}

//! After the storm: everyone is back, and everything that was promised must be done.

use super::world::{Condition, DEPTH, MEMBERS, World};
use crate::fed::eventually;

/// So many Bitcoin blocks are enough for a deposit that has just been paid, whatever waits before it.
const BLOCKS_MAX: u32 = 60;

impl World {
    /// All come back; blocks are mined until every deposit is minted and every peg-out is paid.
    pub async fn calm(&mut self) {
        self.say("calm");
        for m in 0..MEMBERS {
            if self.members[m] != Condition::Up {
                self.bring_back(m);
            }
        }
        for m in 0..MEMBERS {
            self.fed.ready(m).await;
        }
        for _ in 0..BLOCKS_MAX {
            self.everything_is_final().await;
            if self.open().is_empty() {
                self.say(format_args!("all is done at sidechain block {}", self.audit.height()));
                return;
            }
            self.batch_is_out().await;
            self.fed.mine(1).await;
            self.all_are_at_the_tip().await;
            self.check().await;
            self.claim().await;
        }
        let waiting: Vec<_> = self.waiting.iter().map(|waiting| (waiting.id, &waiting.said)).collect();
        panic!("{BLOCKS_MAX} blocks later: {:?}; not final: {waiting:?}", self.open());
    }

    /// What is promised and not done.
    fn open(&self) -> Vec<String> {
        let deposits =
            self.deposits.iter().filter(|deposit| !deposit.replaced && !self.audit.is_minted(deposit.outpoint()));
        let peg_outs = self.peg_outs.iter().filter(|peg_out| !self.audit.is_paid(&peg_out.id));
        let deposits = deposits.map(|deposit| format!("the deposit {} is not minted", deposit.txid));
        deposits.chain(peg_outs.map(|peg_out| format!("the peg-out {} is not paid", peg_out.id))).collect()
    }

    async fn everything_is_final(&mut self) {
        let since = std::time::Instant::now();
        loop {
            self.deliver().await;
            self.check().await;
            if self.waiting.is_empty() {
                return;
            }
            let waiting: Vec<_> = self.waiting.iter().map(|waiting| (waiting.id, &waiting.said)).collect();
            assert!(since.elapsed() < crate::fed::DEADLINE, "never final: {waiting:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    async fn all_are_at_the_tip(&self) {
        let tip = self.fed.bitcoind.tip().await.expect("a tip").height.get();
        for m in 0..MEMBERS {
            eventually(&format!("f{} has consumed what Bitcoin has buried", m + 1), || async {
                let info = self.fed.client(m)?.chain().await.ok()?;
                (info.anchor.height.get() >= tip - (DEPTH - 1)).then_some(())
            })
            .await;
        }
    }

    /// The batch in flight is signed and on Bitcoin, or waits there.
    async fn batch_is_out(&self) {
        eventually("the batch in flight is out", || async {
            let Some(batch) = self.fed.client(0)?.federation().await.ok()?.batch else { return Some(()) };
            let waits = self.fed.bitcoind.mempool().await.ok()?.txids.contains(&batch.txid);
            (waits || batch.confirmations > 0).then_some(())
        })
        .await;
    }

    /// The last look: four members, one chain, no complaints, no word of a panic.
    pub async fn end(mut self) {
        self.fed.mine(1).await;
        self.all_are_at_the_tip().await;
        self.check().await;
        assert_eq!(self.reachable().await.len(), MEMBERS);
        for m in 0..MEMBERS {
            let client = self.fed.client(m).expect("it runs");
            let health = client.federation().await.expect("it answers").health;
            assert_eq!(health.complaints(), Vec::<String>::new(), "f{}", m + 1);
            let log = std::fs::read_to_string(self.fed.path().join(format!("f{}.log", m + 1))).expect("a log");
            let bad: Vec<&str> = log.lines().filter(|line| line.contains("panicked at")).collect();
            assert!(bad.is_empty(), "f{}: {bad:?}", m + 1);
        }
        assert!(self.audit.reserves > 0, "the reserve was never counted");
        let replaced = self.deposits.iter().filter(|deposit| deposit.replaced).count();
        println!(
            "chaos: {} deposits ({replaced} replaced), {} peg-outs, {} sidechain transactions in {} blocks; the reserve was counted {} times",
            self.deposits.len(),
            self.peg_outs.len(),
            self.audit.finals.len(),
            self.audit.height(),
            self.audit.reserves,
        );
    }
}

//! The rules alone: signatures, and what a block costs to execute and to keep as accounts grow.

use crate::load::{Accounts, BANK};
use crate::report::{Report, disk_bytes, per_second, usage};
use crate::{Outcome, fixture};
use bitcoin::Amount;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use windlass_ledger::{Applied, BitcoinInputs, Block, Checked, Genesis, Transaction, apply_checked, build_checked};
use windlass_sidechain::{BitcoinPort as _, ChainStore, Finalised};
use windlass_store::Store;

/// Transfers of a block.
const BLOCK: usize = 5_000;
const BLOCKS: usize = 8;

/// Signature checks on one core, and on all: the bound of everything else.
pub fn signatures(report: &mut Report) -> Outcome<f64> {
    let genesis = fixture::genesis();
    let list = Accounts::new(BLOCK, BLOCK).round(&genesis, 0);
    let one = Instant::now();
    let good = list.iter().filter(|transaction| transaction.verify_witness().is_ok()).count();
    let one = per_second(good, one.elapsed());
    let all = Instant::now();
    let rounds = 4;
    for _ in 0..rounds {
        assert_eq!(list.par_iter().filter(|transaction| transaction.verify_witness().is_ok()).count(), list.len());
    }
    let all = per_second(good * rounds, all.elapsed());
    report.row(&json!({"what": "signatures", "one_core_per_s": one, "all_cores_per_s": all}))?;
    Ok(all)
}

struct Chain {
    genesis: Genesis,
    store: Arc<ChainStore>,
}

impl Chain {
    fn new(dir: &Path) -> Outcome<Self> {
        let genesis = fixture::genesis();
        let store = ChainStore::open(Store::open(dir.join("chain.redb"))?, Arc::new(genesis.clone()))?;
        Ok(Self { genesis, store })
    }

    fn build(&self, inputs: BitcoinInputs, list: &[Arc<Checked>]) -> Outcome<(Block, Applied)> {
        let (block, applied, left_out) =
            build_checked(&self.genesis, &*self.store.view(), &self.store.tip(), inputs, list)?;
        match left_out.first() {
            Some((id, error)) => Err(format!("{id} is left out: {error}").into()),
            None => Ok((block, applied)),
        }
    }

    fn commit(&self, block: Block, applied: Applied) -> Outcome<()> {
        let (block, applied) = (Arc::new(block), Arc::new(applied));
        Ok(self.store.commit(&[Finalised { block, certificate: Vec::new(), applied }])?)
    }

    /// A deposit for the bank, by way of Bitcoin.
    fn deposit(&self) -> Outcome<()> {
        let bitcoin = fixture::FakeBitcoin::default();
        let claims = fixture::deposit(&bitcoin, &self.genesis, &[BANK], Amount::from_int_btc(1_000));
        for list in [claims, Vec::new()] {
            let inputs = futures::executor::block_on(bitcoin.propose(self.store.view(), self.store.tip()));
            let (block, applied) = self.build(inputs, &checked(list)?)?;
            self.commit(block, applied)?;
            fixture::confirm_batch_in(&bitcoin, &self.genesis, &*self.store.view());
        }
        Ok(())
    }
}

fn checked(list: Vec<Transaction>) -> Outcome<Vec<Arc<Checked>>> {
    use rayon::iter::IntoParallelIterator as _;
    Ok(list.into_par_iter().map(|transaction| Checked::new(transaction).map(Arc::new)).collect::<Result<_, _>>()?)
}

/// Executes and commits blocks on a state of so many accounts.
pub fn apply(report: &mut Report, count: usize) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let (_, before) = usage();
    let chain = Chain::new(dir.path())?;
    chain.deposit()?;
    let mut accounts = Accounts::new(count, BLOCK);
    let filling = Instant::now();
    for lot in accounts.funding(&chain.genesis).chunks(150) {
        let (block, applied) = chain.build(BitcoinInputs::default(), &checked(lot.to_vec())?)?;
        chain.commit(block, applied)?;
    }
    let (filling, filled) = (filling.elapsed(), disk_bytes(dir.path()));
    let (mut executing, mut committing, mut transfers) = (Duration::ZERO, Duration::ZERO, 0);
    for nonce in 0..BLOCKS {
        let list = checked(accounts.round(&chain.genesis, nonce.try_into()?))?;
        let (block, _) = chain.build(BitcoinInputs::default(), &list)?;
        let known: Vec<Option<Arc<Checked>>> = list.into_iter().map(Some).collect();
        let begun = Instant::now();
        let applied = apply_checked(&chain.genesis, &*chain.store.view(), &chain.store.tip(), &block, &known)?;
        executing += begun.elapsed();
        transfers += block.transactions.len();
        let begun = Instant::now();
        chain.commit(block, applied)?;
        committing += begun.elapsed();
    }
    let grown = disk_bytes(dir.path()).saturating_sub(filled);
    report.row(&json!({
        "what": "rules", "accounts": count, "block_transfers": accounts.senders(),
        "apply_per_s": per_second(transfers, executing), "commit_per_s": per_second(transfers, committing),
        "apply_and_commit_per_s": per_second(transfers, executing + committing),
        "fill_s": filling.as_secs_f64().round(), "disk_bytes_per_account": filled / count as u64,
        "disk_bytes_per_transfer": grown / transfers as u64,
        "resident_mb": usage().1.saturating_sub(before) / 1_000_000,
    }))
}

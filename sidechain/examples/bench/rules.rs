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
use windlass_ledger::{
    Applied, BitcoinInputs, Block, Checked, Genesis, StateRead as _, Transaction, apply_checked, build_checked, keys,
    smt,
};
use windlass_sidechain::{BitcoinPort as _, ChainStore, Finalised};
use windlass_store::Store;
use windlass_types::{AccountId, AccountKind, Digest};

/// Transfers of a block.
const BLOCK: usize = 5_000;
const BLOCKS: usize = 8;
/// Proofs of each kind, at least.
const PROOFS: usize = 1_000;

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
    let resident = usage().1.saturating_sub(before);
    report.row(&json!({
        "what": "rules", "accounts": count, "block_transfers": accounts.senders(),
        "apply_per_s": per_second(transfers, executing), "commit_per_s": per_second(transfers, committing),
        "apply_and_commit_per_s": per_second(transfers, executing + committing),
        "fill_s": filling.as_secs_f64().round(), "disk_bytes_per_account": filled / count as u64,
        "disk_bytes_per_transfer": grown / transfers as u64,
        "disk_mb_per_million_accounts": per_million_mb(filled, count),
        "disk_mb_per_million_transfers": per_million_mb(grown, transfers),
        "resident_mb": resident / 1_000_000,
        "resident_mb_per_million_accounts": per_million_mb(resident, count),
    }))?;
    proofs(report, &chain, &accounts)
}

fn per_million_mb(bytes: u64, count: usize) -> u64 {
    // Bytes for each, times a million, are as many megabytes.
    bytes / count.max(1) as u64
}

/// Proofs of a balance and of an absence under this state: their bytes, and what making and checking one takes.
fn proofs(report: &mut Report, chain: &Chain, accounts: &Accounts) -> Outcome<()> {
    let (view, root) = (chain.store.view(), chain.store.tip().state_root);
    let step = (accounts.ids.len() / PROOFS).max(1);
    let there: Vec<AccountId> = accounts.ids.iter().step_by(step).copied().collect();
    let absent = |index: usize| {
        let bytes = Digest::tagged("bench/absent", &[&index.to_be_bytes()]).0;
        AccountId { kind: AccountKind::Policy, bytes }
    };
    let nowhere: Vec<AccountId> = (0..there.len()).map(absent).collect();
    for (of, ids) in [("balance", there), ("absence", nowhere)] {
        let keys: Vec<Vec<u8>> = ids.iter().map(keys::account).collect();
        let begun = Instant::now();
        let made: Vec<smt::Proof> = keys.iter().map(|key| smt::prove(&*view, key)).collect::<Result<_, _>>()?;
        let making = begun.elapsed();
        let values: Vec<Option<Vec<u8>>> = keys.iter().map(|key| view.get(key)).collect::<Result<_, _>>()?;
        let begun = Instant::now();
        let shown = keys.iter().zip(&values).zip(&made);
        let good = shown.filter(|((key, value), proof)| smt::verify(&root, key, value.as_deref(), proof)).count();
        let checking = begun.elapsed();
        if good != made.len() || values.iter().any(|value| value.is_some() != (of == "balance")) {
            return Err(format!("{good} of {} proofs of {of} hold", made.len()).into());
        }
        let sizes = made.iter().map(|proof| borsh::to_vec(proof).map(|bytes| bytes.len()));
        let sizes: Vec<usize> = sizes.collect::<Result<_, _>>()?;
        report.row(&json!({
            "what": "proofs", "of": of, "accounts": accounts.ids.len(), "proofs": good,
            "bytes_mean": sizes.iter().sum::<usize>() / good, "bytes_max": sizes.iter().max(),
            "making_us": making.as_micros() / good as u128, "checking_us": checking.as_micros() / good as u128,
        }))?;
    }
    Ok(())
}

//! What the tests do to a federation, step by step.

use crate::fed::{Fed, eventually};
use crate::purse::{account, signed, terms};
use bitcoin::key::Keypair;
use bitcoin::{Address, Amount, OutPoint, Txid};
use windlass_ledger::TxBody;
use windlass_node::api::member::{DepositState, PegOutInfo, PegOutState};
use windlass_peg::deposit::FoundDeposit;
use windlass_types::{BtcHeight, Digest};

/// Pays a deposit and claims it once it is anchored.
pub async fn deposit(fed: &Fed, key: &Keypair, nonce: u64, amount: Amount) -> OutPoint {
    let genesis = fed.genesis().await;
    let terms = terms(key, nonce);
    let to = terms.address(&genesis).expect("an address").script_pubkey();
    let txid = fed.purse.pay(&fed.bitcoind, to, amount).await;
    fed.mine(fed.federation.params.anchor_depth.get()).await;
    claim(fed, key, nonce, txid).await
}

/// The claim of the deposit in `txid`, in hex; none if it is in none of the newest blocks.
pub async fn claim_hex(fed: &Fed, key: &Keypair, nonce: u64, txid: Txid) -> Option<String> {
    let genesis = fed.genesis().await;
    let found = find(fed, key, nonce, txid).await?;
    Some(hex::encode(windlass_ledger::Transaction::claim(genesis.chain_id(), found.claim).encode()))
}

async fn find(fed: &Fed, key: &Keypair, nonce: u64, txid: Txid) -> Option<FoundDeposit> {
    let genesis = fed.genesis().await;
    let tip = fed.bitcoind.tip().await.expect("a tip");
    for depth in 0..20 {
        let height = BtcHeight::new(tip.height.get() - depth);
        let hash = fed.bitcoind.block_hash(height).await.expect("bitcoind").expect("a block");
        let block = fed.bitcoind.block(hash).await.expect("bitcoind").expect("a block");
        let found = windlass_peg::deposit::find(&genesis, &terms(key, nonce), &block, height).expect("terms");
        if let Some(found) = found.into_iter().find(|found| found.outpoint.txid == txid) {
            return Some(found);
        }
    }
    None
}

/// Claims the deposit in `txid`, which is buried.
pub async fn claim(fed: &Fed, key: &Keypair, nonce: u64, txid: Txid) -> OutPoint {
    fed.caught_up().await;
    let outpoint = find(fed, key, nonce, txid).await.expect("the deposit is in a block").outpoint;
    let hex = claim_hex(fed, key, nonce, txid).await.expect("the deposit is in a block");
    let id = eventually("the claim is taken", || async { fed.any().submit(hex.clone()).await.ok() }).await.id;
    fed.is_final(id).await;
    outpoint
}

pub async fn minted(fed: &Fed, outpoint: OutPoint) -> Amount {
    fed.mine_until("the deposit is minted", || async {
        match fed.any().deposit(outpoint).await.ok()?.state {
            DepositState::Minted { minted, .. } => Some(minted),
            _ => None,
        }
    })
    .await
}

pub async fn balance(fed: &Fed, key: &Keypair) -> Amount {
    let address = account(key).address(fed.federation.network);
    fed.any().account(&address).await.expect("an account").balance
}

pub async fn burn(fed: &Fed, key: &Keypair, nonce: u64, amount: Amount, to: &Address) -> Digest {
    let chain = fed.genesis().await.chain_id();
    let body = TxBody::PegOut {
        from: account(key),
        nonce,
        script: to.script_pubkey().into_bytes(),
        amount,
        fee_max: Amount::from_sat(5_000),
        fee: Amount::ZERO,
        expiry: None,
    };
    let id = fed.any().submit(signed(chain, body, key)).await.expect("taken").id;
    fed.is_final(id).await;
    id
}

pub async fn paid(fed: &Fed, id: Digest) -> PegOutInfo {
    fed.mine_until("the peg-out is paid", || async {
        let info = fed.any().peg_out(id).await.ok()?;
        matches!(info.state, PegOutState::Paid { .. }).then_some(info)
    })
    .await
}

/// All payments to the address that Bitcoin has.
pub async fn payments(fed: &Fed, to: &Address) -> Vec<Amount> {
    let found = fed.bitcoind.scan(&[to.script_pubkey()]).await.expect("a scan");
    found.into_iter().map(|unspent| unspent.value).collect()
}

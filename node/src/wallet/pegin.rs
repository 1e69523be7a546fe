//! Peg-ins: an address, a coin, a claim, and the way back.

use super::journal::{Coin, DepositAddress, Entry, Pages, Reclaim};
use super::members::Sidechain;
use super::node::WalletNode;
use crate::api::member::{DepositInfo, DepositState};
use crate::api::wallet::{PegInInfo, PegInState};
use crate::api::{ApiError, Code, btc};
use crate::client::MemberClient;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Amount, OutPoint};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use windlass_chain::WalletTx;
use windlass_ledger::{DepositBounds, DepositClaim, DepositTerms, Transaction};
use windlass_peg::CoinToSpend;
use windlass_peg::deposit::{self, ReclaimError};
use windlass_types::{BtcHeight, Epoch};

/// How often the members are asked about coins that are under way.
const INTERVAL: Duration = Duration::from_millis(300);

/// True if nothing more will happen to it on the sidechain.
pub(super) const fn is_over(state: &DepositState) -> bool {
    !matches!(state, DepositState::Claimed | DepositState::Sweeping { .. })
}

impl WalletNode {
    /// POST `/v1/deposits`: a fresh address, recomputed here from the genesis; no member has a say.
    pub(super) async fn new_deposit_address(&self) -> Result<PegInInfo, ApiError> {
        // The newest bounds, if a member answers; the address does not depend on them.
        let chain = match self.members.refreshed().await {
            Ok(chain) => chain,
            Err(_) => self.members.chain().await?,
        };
        if self.watched.borrow().is_none() {
            return Err(ApiError::not_running("the peg watcher has not seen a block yet: try again in a moment"));
        }
        let mut made = Err(ApiError::failed("no address"));
        self.keep(|pages| {
            let nonce = pages.addresses.keys().next_back().map_or(0, |last| last.saturating_add(1));
            let user_key = self.seed.reclaim(nonce).x_only_public_key().0.serialize();
            let terms = DepositTerms { account: self.seed.account_id(), nonce, epoch: Epoch::new(0), user_key };
            made = terms.address(&chain.genesis).map_err(ApiError::failed).map(|address| {
                let script = address.script_pubkey();
                DepositAddress { terms, address: address.to_string(), script }
            });
            let Ok(address) = &made else { return Vec::new() };
            pages.addresses.insert(nonce, address.clone());
            vec![Entry::Address(nonce)]
        })?;
        Ok(empty_view(&chain, &made?))
    }

    /// GET `/v1/deposits`, newest first.
    pub(super) async fn deposits(&self) -> Result<Vec<PegInInfo>, ApiError> {
        let pages = self.journal.read(Pages::clone);
        let Some(chain) = self.members.known_chain() else { return Ok(Vec::new()) };
        let tip = self.watched.borrow().map_or(BtcHeight::new(0), |at| at.height);
        let has_coin: BTreeSet<u64> = pages.coins.values().map(|coin| coin.nonce).collect();
        let all_have = pages.addresses.keys().all(|nonce| has_coin.contains(nonce));
        let own = if all_have { Vec::new() } else { self.wallet.transactions() };
        let mut list = Vec::new();
        for address in pages.addresses.values().rev() {
            let mut coins: Vec<&Coin> = pages.coins.values().filter(|coin| coin.nonce == address.terms.nonce).collect();
            coins.sort_by_key(|coin| std::cmp::Reverse(coin.index));
            let before = list.len();
            for coin in coins {
                if coin.block.is_some() || self.waits_for_a_block(coin).await {
                    list.push(view(&chain, address, &pages.coin_id(coin), coin, tip));
                }
            }
            if list.len() == before {
                list.push(seen_in(&own, &chain, address).unwrap_or_else(|| empty_view(&chain, address)));
            }
        }
        Ok(list)
    }

    /// GET `/v1/deposits/{id}`: a unique prefix is enough.
    pub(super) async fn deposit(&self, id: &str) -> Result<PegInInfo, ApiError> {
        let list = self.deposits().await?;
        if let Some(exact) = list.iter().find(|info| info.id == id) {
            return Ok(exact.clone());
        }
        let by_outpoint = |info: &&PegInInfo| info.outpoint.is_some_and(|coin| coin.to_string().starts_with(id));
        let mut found = list.iter().filter(|info| !id.is_empty() && (info.id.starts_with(id) || by_outpoint(info)));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one.clone()),
            (Some(_), Some(_)) => {
                Err(ApiError::usage(format!("several peg-ins start with {id:?}: give more of the id")))
            }
            (None, _) => Err(ApiError::not_found(format!("{} has no peg-in {id:?}", self.config.name))
                .hint("list them", "windlass peg list")),
        }
    }

    /// A coin that a reorganisation took from its block: is it still on its way?
    async fn waits_for_a_block(&self, coin: &Coin) -> bool {
        matches!(self.bitcoind.mempool_transaction(coin.outpoint.txid).await, Ok(Some(_)))
    }

    /// POST `/v1/deposits/{id}/reclaim`
    pub(super) async fn reclaim(&self, id: &str) -> Result<PegInInfo, ApiError> {
        let chain = self.members.chain().await?;
        let info = self.deposit(id).await?;
        let Some(outpoint) = info.outpoint else {
            return Err(ApiError::conflict(format!("no coin has come to the address of peg-in {} yet", info.id)));
        };
        let _turn = self.reclaim_turn.lock().await;
        let known = self.journal.read(|pages| {
            let coin = pages.coins.get(&outpoint)?.clone();
            let address = pages.addresses.get(&coin.nonce)?.clone();
            Some((coin, address))
        });
        let Some((coin, address)) = known else {
            return Err(ApiError::conflict(format!("the deposit {outpoint} is in no block yet")));
        };
        if let Some(reclaim) = &coin.reclaim {
            self.offer(&reclaim.hex).await?;
            return self.deposit(&info.id).await;
        }
        self.check_reclaim(&chain, &coin).await?;
        let to = self.wallet.address().map_err(ApiError::failed)?.script_pubkey();
        let spend = CoinToSpend { outpoint, amount: coin.amount };
        let user = self.seed.reclaim(coin.nonce);
        let transaction = deposit::reclaim(&chain.genesis, &address.terms, spend, to, self.fee_rate, &user);
        let transaction = transaction.map_err(|error| match error {
            ReclaimError::TooSmall(_) => ApiError::conflict(error),
            other => ApiError::failed(other),
        })?;
        let paid: Amount = transaction.output.iter().map(|output| output.value).sum();
        let fee = coin.amount.checked_sub(paid).unwrap_or(Amount::ZERO);
        let hex = serialize_hex(&transaction);
        let reclaim = Reclaim { txid: transaction.compute_txid(), hex: hex.clone(), fee };
        // First asked, then written, then sent: a refusal leaves no trace, a crash loses nothing.
        match self.bitcoind.test_accept(&transaction).await.map_err(super::errors::rpc)? {
            Ok(()) => {}
            Err(reason) => return Err(ApiError::conflict(format!("bitcoind refuses the reclaim now: {reason}"))),
        }
        self.keep(|pages| {
            let Some(coin) = pages.coins.get_mut(&outpoint) else { return Vec::new() };
            coin.reclaim = Some(reclaim);
            vec![Entry::Coin(outpoint)]
        })?;
        self.offer(&hex).await?;
        self.deposit(&info.id).await
    }

    async fn offer(&self, hex: &str) -> Result<(), ApiError> {
        let transaction: bitcoin::Transaction =
            bitcoin::consensus::encode::deserialize_hex(hex).map_err(ApiError::failed)?;
        self.bitcoind.broadcast(&transaction).await.map_err(super::errors::broadcast)?;
        self.wallet.insert_unconfirmed(vec![transaction]).map_err(ApiError::failed)
    }

    async fn check_reclaim(&self, chain: &Sidechain, coin: &Coin) -> Result<(), ApiError> {
        if let Some(spent) = &coin.spent {
            let message = format!("the deposit {} is spent already, by {}", coin.outpoint, spent.txid);
            return Err(ApiError::conflict(message));
        }
        let Some(block) = coin.block else {
            return Err(ApiError::conflict(format!("the deposit {} is in no block", coin.outpoint)));
        };
        let tip = self.bitcoind.tip().await.map_err(super::errors::rpc)?;
        let first = deposit::reclaim_height(&chain.genesis, block.height);
        let first = first.ok_or_else(|| ApiError::conflict("it can never be reclaimed: its height is out of range"))?;
        // A transaction may wait in the mempool if it may be in the next block.
        let next = tip.height.next().unwrap_or(tip.height);
        if let Some(left) = first.since(next).filter(|left| left.get() > 0) {
            let message =
                format!("the deposit {} can be reclaimed from block {first} on, {left} blocks from now", coin.outpoint);
            return Err(ApiError::conflict(message).hint("on regtest, mine them", format!("windlass mine {left}")));
        }
        Ok(())
    }

    /// Follows the coins on the sidechain: claims those that are buried deep enough, and keeps
    /// what the members say of them.
    pub(super) async fn follow_coins(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        while !*stopping.borrow() {
            if let Err(error) = self.look_after_coins().await {
                tracing::debug!(%error, "peg-ins wait");
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                _ = stopping.changed() => {}
            }
        }
    }

    async fn look_after_coins(&self) -> Result<(), ApiError> {
        let Some(tip) = *self.watched.borrow() else { return Ok(()) };
        let open: Vec<(Coin, DepositTerms)> = self.journal.read(|pages| {
            let under_way = |coin: &&Coin| {
                let reclaimed = coin.spent.zip(coin.reclaim.as_ref()).is_some_and(|(by, ours)| by.txid == ours.txid);
                !reclaimed && coin.sidechain.as_ref().is_none_or(|info| !is_over(&info.state))
            };
            let with_terms = |coin: &Coin| Some((coin.clone(), pages.addresses.get(&coin.nonce)?.terms));
            pages.coins.values().filter(under_way).filter_map(with_terms).collect()
        });
        if open.is_empty() {
            return Ok(());
        }
        let chain = self.members.refreshed().await?;
        for (coin, terms) in open {
            let Some(block) = coin.block else { continue };
            let confirmations = confirmations(Some(block.height), tip.height);
            let known = coin.sidechain.is_some();
            let fits = not_eligible(&chain, coin.amount, block.height, tip.height, known).is_none();
            if confirmations < chain.params().anchor_depth.get() || !fits {
                continue;
            }
            let outpoint = coin.outpoint;
            match self.members.ask(|member| member.deposit(outpoint)).await {
                Ok(info) => self.note_deposit(&coin, info)?,
                Err(error) if error.code == Code::NotFound => {
                    let sidechain = self.members.ask(MemberClient::chain).await?;
                    if sidechain.anchor.height >= block.height {
                        self.claim(&chain, &coin, &terms).await?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn note_deposit(&self, coin: &Coin, info: DepositInfo) -> Result<(), ApiError> {
        // Its confirmations change with each block: only what lasts is written.
        let same = |known: &DepositInfo| std::mem::discriminant(&known.state) == std::mem::discriminant(&info.state);
        if coin.sidechain.as_ref().is_some_and(same) && !matches!(info.state, DepositState::Sweeping { .. }) {
            return Ok(());
        }
        if coin.sidechain.as_ref() == Some(&info) {
            return Ok(());
        }
        self.keep(|pages| {
            let Some(known) = pages.coins.get_mut(&coin.outpoint) else { return Vec::new() };
            known.sidechain = Some(info);
            vec![Entry::Coin(coin.outpoint)]
        })
    }

    async fn claim(&self, chain: &Sidechain, coin: &Coin, terms: &DepositTerms) -> Result<(), ApiError> {
        let Some(at) = coin.block else { return Ok(()) };
        let Some(block) = self.bitcoind.block(at.hash()).await.map_err(super::errors::rpc)? else { return Ok(()) };
        let OutPoint { txid, vout } = coin.outpoint;
        let Some(claim) = DepositClaim::new(&block, at.height, txid, vout, *terms) else { return Ok(()) };
        let hex = hex::encode(Transaction::claim(chain.id, claim).encode());
        match self.members.ask(|member| member.submit(hex.clone())).await {
            Ok(answer) => tracing::info!(outpoint = %coin.outpoint, id = %answer.id, "claimed"),
            // It is asked again in the next round.
            Err(error) => tracing::info!(outpoint = %coin.outpoint, %error, "not claimed"),
        }
        Ok(())
    }
}

/// Our own payment to the address, before it is in a block.
fn seen_in(own: &[WalletTx], chain: &Sidechain, address: &DepositAddress) -> Option<PegInInfo> {
    let waiting = own.iter().rev().find_map(|tx| {
        let vout = tx.transaction.output.iter().position(|output| output.script_pubkey == address.script)?;
        let amount = tx.transaction.output.get(vout)?.value;
        Some((OutPoint::new(tx.txid, u32::try_from(vout).ok()?), amount))
    });
    let (outpoint, amount) = waiting?;
    let coin = Coin {
        outpoint,
        amount,
        nonce: address.terms.nonce,
        index: 0,
        block: None,
        spent: None,
        reclaim: None,
        sidechain: None,
    };
    Some(view(chain, address, &address.id(), &coin, BtcHeight::new(0)))
}

/// 1 for a coin in the tip, 0 for one in no block.
pub(super) fn confirmations(height: Option<BtcHeight>, tip: BtcHeight) -> u32 {
    height.and_then(|height| tip.since(height)).map_or(0, |below| below.get().saturating_add(1))
}

/// Why a coin will never be minted, if so.
fn not_eligible(chain: &Sidechain, amount: Amount, height: BtcHeight, tip: BtcHeight, claimed: bool) -> Option<String> {
    let params = chain.params();
    // As the ledger will judge it: by what is in force when its block is consumed, which later changes leave alone.
    let DepositBounds { min, max, .. } = chain.record.deposit_bounds(height);
    if amount < min {
        return Some(format!("{} is below the smallest deposit of {}", btc(amount), btc(min)));
    }
    if amount > max {
        return Some(format!("{} is above the largest deposit of {}", btc(amount), btc(max)));
    }
    if height <= chain.genesis.start.height {
        return Some(format!("block {height} is from before the sidechain began"));
    }
    let reclaim = height.checked_add(params.reclaim_blocks)?;
    let anchor = tip.get().saturating_sub(params.anchor_depth.get().saturating_sub(1));
    let too_late = anchor.saturating_add(params.reclaim_buffer.get()) >= reclaim.get();
    (too_late && !claimed).then(|| "it was not claimed in time: the federation leaves it to its owner".to_owned())
}

fn empty_view(chain: &Sidechain, address: &DepositAddress) -> PegInInfo {
    let params = chain.params();
    PegInInfo {
        id: address.id(),
        address: address.address.clone(),
        reclaim_blocks: params.reclaim_blocks.get(),
        min: params.min_deposit,
        max: params.max_deposit,
        outpoint: None,
        amount: None,
        bitcoin_height: None,
        reclaim_height: None,
        confirmations: 0,
        state: PegInState::Address,
    }
}

fn view(chain: &Sidechain, address: &DepositAddress, id: &str, coin: &Coin, tip: BtcHeight) -> PegInInfo {
    let height = coin.block.map(|at| at.height);
    PegInInfo {
        id: id.into(),
        outpoint: Some(coin.outpoint),
        amount: Some(coin.amount),
        bitcoin_height: height,
        reclaim_height: height.and_then(|height| deposit::reclaim_height(&chain.genesis, height)),
        confirmations: confirmations(height, tip),
        state: stage(chain, coin, tip),
        ..empty_view(chain, address)
    }
}

fn stage(chain: &Sidechain, coin: &Coin, tip: BtcHeight) -> PegInState {
    let swept = coin.spent.filter(|by| coin.reclaim.as_ref().is_none_or(|ours| ours.txid != by.txid));
    if let (Some(reclaim), None) = (&coin.reclaim, swept) {
        let confirmations = confirmations(coin.spent.map(|by| by.block.height), tip);
        return PegInState::Reclaiming { txid: reclaim.txid, fee: reclaim.fee, confirmations };
    }
    if let Some(info) = &coin.sidechain {
        return PegInState::OnSidechain(info.state.clone());
    }
    let reason = coin.block.and_then(|at| not_eligible(chain, coin.amount, at.height, tip, swept.is_some()));
    match reason {
        Some(reason) => PegInState::NotEligible { reason },
        None => PegInState::Confirming { needed: chain.params().anchor_depth.get() },
    }
}

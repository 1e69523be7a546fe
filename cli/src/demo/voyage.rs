//! The steps themselves.

use super::{Voyage, check, report::Step, show_statement};
use crate::{
    context::Context,
    network::{self, Wish},
    render::money,
};
use bitcoin::Amount;
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};
use windlass_node::api::payments::Limits;
use windlass_node::api::{
    ApiError,
    member::{DepositState, PegOutState},
    wallet::{
        Balance, ChannelInfo, ChannelState, InvoiceAnswer, PaymentInfo, PaymentState, PegInInfo, PegInState,
        PegOutRecord, Statement, TransferAnswer,
    },
};
use windlass_regtest::api::{
    Balances, ChannelClose, ChannelOpen, Federation, Invoice, Mine, Mined, NodeBalance, OneMember, OneNode, Pay, Peg,
    PegIn, PegOut, PegShow, ProcessStatus, Reserves, ReservesReport, Send, Sent, Transfer,
};
use windlass_types::{Msat, SideHeight};

const CHANNEL: Amount = Amount::from_sat(10_000_000);
const PAID_DIRECT: Msat = Msat::new(1_500_000_000);
const PAID_ROUTED: Msat = Msat::new(250_000_000);
const PEGGED_IN: Amount = Amount::from_sat(100_000_000);
const PEGGED_IN_BY_THREE: Amount = Amount::from_sat(40_000_000);
const TRANSFERRED: Amount = Amount::from_sat(25_000_000);
const PEGGED_OUT: Amount = Amount::from_sat(10_000_000);
const NEVER_SWEPT: Amount = Amount::from_sat(30_000_000);
const NODES: [&str; 3] = ["alice", "bob", "carol"];
const MEMBERS: [&str; 4] = ["f1", "f2", "f3", "f4"];
/// How long a member that was away may take to catch up.
const CATCH_UP: Duration = Duration::from_secs(60);
/// How often to look whether it has.
const LOOK: Duration = Duration::from_millis(200);

/// Is there a member to ask for blocks?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recount {
    Yes,
    NobodyToAsk,
}

impl Voyage<'_> {
    /// From the first block to the last statement.
    pub(super) async fn sail(&mut self) -> Result<(), ApiError> {
        self.up().await?;
        self.channels().await?;
        self.peg().await?;
        self.reclaim().await?;
        self.statements().await
    }

    /// A step: the work, its own checks, the recount, the line.
    async fn step<T>(
        &mut self,
        title: &str,
        recount: Recount,
        work: impl Future<Output = Result<(T, String), ApiError>>,
    ) -> Result<T, ApiError> {
        let began = Instant::now();
        let named = |error: ApiError| ApiError { message: format!("{title}: {}", error.message), ..error };
        let (value, detail) = work.await.map_err(named)?;
        let reserve = match recount {
            Recount::Yes => Some(recounted(&self.calm).await.map_err(named)?),
            Recount::NobodyToAsk => None,
        };
        self.calm.sink.finish();
        self.log(Step::new(self.steps.len() + 1, title, detail, began.elapsed(), reserve));
        Ok(value)
    }

    async fn up(&mut self) -> Result<(), ApiError> {
        let loud = Arc::clone(&self.loud);
        self.step("start", Recount::Yes, async move {
            let started = network::up(&loud, &Wish { any_ports: true, ..Wish::default() }).await?;
            loud.sink.finish();
            let status = &started.status;
            check::holds("every process is ready", status.healthy)?;
            let funded = |wallet: &NodeBalance| wallet.balance.as_ref().is_some_and(|b| b.bitcoin > PEGGED_IN);
            check::holds("every wallet is funded", status.wallets.iter().all(funded))?;
            let bitcoind = status.bitcoind.split(" (").next().unwrap_or_default();
            let detail = format!(
                "{bitcoind}; {} members, {} sign; {} Lightning nodes",
                status.members,
                status.threshold,
                status.wallets.len()
            );
            Ok(((), detail))
        })
        .await
    }

    async fn channels(&mut self) -> Result<(), ApiError> {
        let ctx = Arc::clone(&self.calm);
        let first = self.step("open alice-bob", Recount::Yes, open(&ctx, "alice", "bob")).await?;
        let second = self.step("open bob-carol", Recount::Yes, open(&ctx, "bob", "carol")).await?;
        self.step("pay alice → bob", Recount::Yes, pay(&ctx, "alice", "bob", PAID_DIRECT)).await?;
        self.step("pay alice → bob → carol", Recount::Yes, pay(&ctx, "alice", "carol", PAID_ROUTED)).await?;
        self.step("close alice-bob together", Recount::Yes, close(&ctx, first, "alice", false)).await?;
        self.step("close bob-carol by force", Recount::Yes, close(&ctx, second, "bob", true)).await
    }

    async fn peg(&mut self) -> Result<(), ApiError> {
        let ctx = Arc::clone(&self.calm);
        self.step("peg in by alice", Recount::Yes, peg_in(&ctx, "alice", PEGGED_IN)).await?;
        self.step("transfer alice → bob", Recount::Yes, transfer(&ctx, "alice", "bob", TRANSFERRED)).await?;
        self.step("stop member f4", Recount::Yes, member(&ctx, "stop", "f4")).await?;
        self.step("peg in by carol, 3 of 4", Recount::Yes, peg_in(&ctx, "carol", PEGGED_IN_BY_THREE)).await?;
        self.step("peg out by bob, 3 of 4", Recount::Yes, peg_out(&ctx, "bob", PEGGED_OUT)).await?;
        self.step("start member f4", Recount::Yes, async {
            member(&ctx, "start", "f4").await?;
            let height = caught_up(&ctx).await?;
            Ok(((), format!("caught up, all four at side block {height}")))
        })
        .await
    }

    async fn reclaim(&mut self) -> Result<(), ApiError> {
        let ctx = Arc::clone(&self.calm);
        let supply = recounted(&ctx).await?.supply;
        let info: PegInInfo = self
            .step("deposit address for bob", Recount::Yes, async {
                let info: PegInInfo = ctx.ask("peg/address", &OneNode { node: "bob".into() }).await?;
                let detail = format!("his alone again after {} blocks", info.reclaim_blocks);
                Ok((info, detail))
            })
            .await?;
        self.step("stop the whole federation", Recount::NobodyToAsk, async {
            for name in MEMBERS {
                member(&ctx, "stop", name).await?;
            }
            Ok(((), "f1 f2 f3 f4".to_owned()))
        })
        .await?;
        self.step("reclaim what is never swept", Recount::NobodyToAsk, take_back(&ctx, &info)).await?;
        self.step("start the federation", Recount::Yes, async {
            for name in MEMBERS {
                member(&ctx, "start", name).await?;
            }
            let height = caught_up(&ctx).await?;
            check::equal("the supply", &recounted(&ctx).await?.supply, &supply)?;
            Ok(((), format!("all four at side block {height}; the supply is what it was")))
        })
        .await
    }

    async fn statements(&mut self) -> Result<(), ApiError> {
        let ctx = Arc::clone(&self.calm);
        for node in NODES {
            let statement: Statement = self
                .step(&format!("statement of {node}"), Recount::Yes, async {
                    let statement: Statement = ctx.ask("statement", &OneNode { node: node.into() }).await?;
                    check::holds(&format!("it adds up ({})", statement.faults.join("; ")), statement.ok)?;
                    for channel in &statement.channels {
                        check::equal("a channel", &channel.state, &ChannelState::Closed)?;
                    }
                    let pegs = statement.peg_ins.len() + statement.peg_outs.len();
                    let detail =
                        format!("{} channels, {pegs} pegs, every satoshi accounted for", statement.channels.len());
                    Ok((statement, detail))
                })
                .await?;
            show_statement(self.shown, &statement);
            self.statements.push(statement);
        }
        Ok(())
    }
}

/// The reserve, counted anew: it must be supply + owed.
async fn recounted(ctx: &Context) -> Result<ReservesReport, ApiError> {
    let report: ReservesReport = ctx.ask("federation/reserves", &Reserves {}).await?;
    let owed = report.supply + report.owed_peg_outs + report.owed_deposits;
    check::equal("the reserve", &report.reserve, &owed)?;
    check::holds("the recount agrees", report.ok)?;
    Ok(report)
}

async fn balance(ctx: &Context, node: &str) -> Result<Balance, ApiError> {
    let all: Vec<NodeBalance> = ctx.ask("balance", &Balances { node: Some(node.into()) }).await?;
    let found = all.into_iter().find(|entry| entry.name == node).and_then(|entry| entry.balance);
    check::some(&format!("balance of {node}"), found)
}

async fn side_balance(ctx: &Context, node: &str) -> Result<Amount, ApiError> {
    check::some(&format!("sidechain balance of {node}"), balance(ctx, node).await?.sidechain)
}

async fn open(ctx: &Context, from: &str, to: &str) -> Result<(ChannelInfo, String), ApiError> {
    let body = ChannelOpen { from: from.into(), to: to.into(), amount: CHANNEL, push_msat: Msat::ZERO, private: false };
    let channel: ChannelInfo = ctx.ask("channel/open", &body).await?;
    check::equal("its state", &channel.state, &ChannelState::Usable)?;
    check::equal("its capacity", &channel.capacity, &CHANNEL)?;
    let funding = check::some("funding output", channel.funding)?;
    let detail = format!("{} sat, funded by {funding}", money::sat(channel.capacity));
    Ok((channel, detail))
}

async fn pay(ctx: &Context, from: &str, to: &str, amount: Msat) -> Result<((), String), ApiError> {
    let before = balance(ctx, to).await?.lightning_msat;
    let body = Invoice { node: to.into(), amount_msat: Some(amount), memo: "demo".into(), expiry_seconds: None };
    let invoice: InvoiceAnswer = ctx.ask("invoice", &body).await?;
    let what = invoice.invoice;
    let pay = Pay { node: from.into(), what, amount_msat: None, note: None, limits: Limits::default() };
    let payment: PaymentInfo = ctx.ask("pay", &pay).await?;
    check::equal("the payment", &payment.state, &PaymentState::Succeeded)?;
    check::equal("its hash", &payment.payment_hash, &invoice.payment_hash)?;
    let received = balance(ctx, to).await?.lightning_msat.checked_sub(before);
    check::equal("what arrived", &received, &Some(amount))?;
    Ok(((), format!("{} sat, fee {} sat", money::msat(amount), money::msat(payment.fee_msat))))
}

async fn close(ctx: &Context, channel: ChannelInfo, node: &str, force: bool) -> Result<((), String), ApiError> {
    let body = ChannelClose { id: channel.id.clone(), node: Some(node.into()), force };
    let closed: ChannelInfo = ctx.ask("channel/close", &body).await?;
    check::equal("its state", &closed.state, &ChannelState::Closed)?;
    let closing = check::some("closing transaction", closed.closing_txid)?;
    // What the chain returned, as each end counts it.
    for end in NODES {
        let statement: Statement = ctx.ask("statement", &OneNode { node: end.into() }).await?;
        check::holds(&format!("{end}'s statement adds up ({})", statement.faults.join("; ")), statement.ok)?;
    }
    let how = if force { ", every output swept after its timelock" } else { "" };
    Ok(((), format!("settled by {closing}{how}")))
}

async fn peg_in(ctx: &Context, node: &str, amount: Amount) -> Result<((), String), ApiError> {
    let supply = recounted(ctx).await?.supply;
    let before = side_balance(ctx, node).await?;
    let info: PegInInfo = ctx.ask("peg/in", &PegIn { node: node.into(), amount }).await?;
    let PegInState::OnSidechain(DepositState::Minted { txid, minted, fee, height }) = info.state else {
        return Err(ApiError::failed(format!("check failed: it is not minted: {:?}", info.state)));
    };
    check::equal("minted + fee", &minted.checked_add(fee), &Some(amount))?;
    check::equal("the supply", &Some(recounted(ctx).await?.supply), &supply.checked_add(minted))?;
    check::equal("the balance", &Some(side_balance(ctx, node).await?), &before.checked_add(minted))?;
    Ok(((), format!("{} minted in side block {height}, swept by {txid}", money::btc(minted))))
}

async fn transfer(ctx: &Context, from: &str, to: &str, amount: Amount) -> Result<((), String), ApiError> {
    let supply = recounted(ctx).await?.supply;
    let (had, has) = (side_balance(ctx, from).await?, side_balance(ctx, to).await?);
    let body =
        Transfer { from: from.into(), to: to.into(), amount, more: Vec::new(), memo: "demo".into(), max_fee: None };
    let done: TransferAnswer = ctx.ask("transfer", &body).await?;
    let left = had.checked_sub(amount).and_then(|rest| rest.checked_sub(done.fee));
    check::equal("the sender's balance", &Some(side_balance(ctx, from).await?), &left)?;
    check::equal("the receiver's balance", &Some(side_balance(ctx, to).await?), &has.checked_add(amount))?;
    check::equal("the supply", &recounted(ctx).await?.supply, &supply)?;
    Ok(((), format!("{} final in side block {}", money::btc(amount), done.height)))
}

async fn peg_out(ctx: &Context, node: &str, amount: Amount) -> Result<((), String), ApiError> {
    let (on_chain, side) = (balance(ctx, node).await?.bitcoin, side_balance(ctx, node).await?);
    let body = PegOut { node: node.into(), amount, to: None, fee_max: None };
    let done: PegOutRecord = ctx.ask("peg/out", &body).await?;
    let PegOutState::Paid { txid, paid, fee, .. } = done.info.state else {
        return Err(ApiError::failed(format!("check failed: it is not paid: {:?}", done.info.state)));
    };
    check::equal("paid + fee", &paid.checked_add(fee), &Some(amount))?;
    check::equal("the wallet", &Some(balance(ctx, node).await?.bitcoin), &on_chain.checked_add(paid))?;
    let left = side_balance(ctx, node).await?;
    check::holds("the sidechain balance went down by it", side.checked_sub(left) >= Some(amount))?;
    Ok(((), format!("{} received, fee {}, paid by {txid}", money::btc(paid), money::btc(fee))))
}

async fn member(ctx: &Context, verb: &str, name: &str) -> Result<((), String), ApiError> {
    let body = OneMember { member: name.into() };
    let process: ProcessStatus = ctx.ask(&format!("federation/member/{verb}"), &body).await?;
    check::equal("it runs", &process.pid.is_some(), &(verb == "start"))?;
    Ok(((), process.pid.map_or_else(|| "its process is gone".into(), |pid| format!("pid {pid}"))))
}

/// Waits until all members stand at one block.
async fn caught_up(ctx: &Context) -> Result<SideHeight, ApiError> {
    let deadline = Instant::now() + CATCH_UP;
    loop {
        let view: Federation = ctx.ask("federation/show", &serde_json::json!({})).await?;
        let tips: Vec<_> = view.members.iter().map(|member| member.height.zip(member.block)).collect();
        if let Some(Some((height, block))) = tips.first()
            && tips.iter().all(|tip| *tip == Some((*height, *block)))
        {
            return Ok(*height);
        }
        if Instant::now() >= deadline {
            return Err(ApiError::timeout(format!("check failed: the members did not come to one block: {tips:?}")));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Deposits with the whole federation stopped, waits out the deadline, takes the coin back.
async fn take_back(ctx: &Context, info: &PegInInfo) -> Result<((), String), ApiError> {
    let before = balance(ctx, "bob").await?.bitcoin;
    let body = Send { node: "bob".into(), to: info.address.clone(), amount: NEVER_SWEPT };
    let sent: Sent = ctx.ask("send", &body).await?;
    let _: Mined = ctx.ask("mine", &Mine { blocks: info.reclaim_blocks }).await?;
    let peg: Peg = ctx.ask("peg/reclaim", &PegShow { id: info.id.clone() }).await?;
    let Peg::In(entry) = peg else {
        return Err(ApiError::failed("check failed: a deposit was reclaimed and a peg-out came back"));
    };
    let PegInState::Reclaiming { txid, fee, confirmations } = entry.peg.state else {
        return Err(ApiError::failed(format!("check failed: it is not reclaimed: {:?}", entry.peg.state)));
    };
    check::holds("the reclaim is in a block", confirmations > 0)?;
    let left = before.checked_sub(sent.fee).and_then(|rest| rest.checked_sub(fee));
    check::equal("bob's wallet", &Some(balance(ctx, "bob").await?.bitcoin), &left)?;
    Ok(((), format!("{} back, fee {}, by {txid}", money::btc(NEVER_SWEPT), money::btc(fee))))
}

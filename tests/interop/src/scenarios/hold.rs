//! Payments that are held, then taken or given back.

use super::World;
use crate::external::Paid;
use crate::wait::{DEADLINE, until};
use crate::windlass::Windlass;
use anyhow::{Result, ensure};
use bitcoin::Amount;
use bitcoin::hashes::{Hash as _, sha256};
use std::time::Duration;
use windlass_channels::{HoldRequest, HoldState, Payment, PaymentHash, PaymentState, Preimage};
use windlass_types::Msat;

const AMOUNT: Msat = Msat::new(100_000_000);

fn hash_of(preimage: [u8; 32]) -> [u8; 32] {
    sha256::Hash::hash(&preimage).to_byte_array()
}

/// Blocks from the payment to its timeout that our invoices ask for.
const FINAL_CLTV_DELTA: u16 = 80;

/// They pay what we hold: once we take it, once we give it back.
pub fn we_hold(world: &mut World<'_>) -> Result<()> {
    let alice = world.ours("alice")?;
    let funding = world.we_open(&alice, Amount::from_sat(500_000), &[&alice])?;
    let before = alice.wait_usable(funding)?.ours;

    let preimage = Preimage([0x33; 32]);
    let paying = world.them.pay(&hold_invoice(&alice, preimage.hash())?)?;
    wait_held(&alice, preimage.hash())?;
    alice.on(move |node| async move { node.settle_hold(preimage.hash(), preimage).await })?;
    ensure!(paying.wait()? == Paid::Preimage(preimage.reveal()), "they have no proof of what we took");

    let hash = Preimage([0x44; 32]).hash();
    let paying = world.them.pay(&hold_invoice(&alice, hash)?)?;
    wait_held(&alice, hash)?;
    alice.on(move |node| async move { node.cancel_hold(hash).await })?;
    ensure!(matches!(paying.wait()?, Paid::Failed(_)), "what we gave back can't have arrived");
    until("only what we took is here", || {
        let now = alice.channel(funding)?.map(|channel| channel.ours.get());
        Ok((now == Some(before.get() + AMOUNT.get())).then_some(()))
    })
}

fn hold_invoice(of: &Windlass, hash: PaymentHash) -> Result<String> {
    let request = HoldRequest {
        hash,
        amount: Some(AMOUNT),
        memo: "interop".into(),
        expiry: Duration::from_secs(3600),
        final_cltv_delta: FINAL_CLTV_DELTA,
    };
    Ok(of.on(move |node| async move { node.create_hold_invoice(&request).await })?.invoice)
}

fn wait_held(at: &Windlass, hash: PaymentHash) -> Result<()> {
    until("we hold their payment", || {
        let hold = at.node()?.hold(hash);
        Ok(hold.filter(|hold| matches!(hold.state, HoldState::Held(_))).map(drop))
    })
}

/// We pay what they hold: once they take it, once they give it back.
pub fn they_hold(world: &mut World<'_>) -> Result<()> {
    let alice = world.ours("alice")?;
    let funding = world.we_open(&alice, Amount::from_sat(100_000), &[&alice])?;
    let before = alice.wait_usable(funding)?.ours;
    let (taken, given_back) = ([0x11; 32], [0x22; 32]);

    let hash = begin(&alice, world.them.hold_invoice(hash_of(taken), AMOUNT)?)?;
    world.them.wait_held(hash_of(taken))?;
    ensure!(state(&alice, hash)? == Some(PaymentState::Pending), "held is not paid");
    world.them.settle(taken)?;
    let paid = end(&alice, hash)?;
    ensure!(
        paid.state == PaymentState::Succeeded { preimage: Some(hex::encode(taken)) },
        "the proof is theirs: {:?}",
        paid.state
    );

    let hash = begin(&alice, world.them.hold_invoice(hash_of(given_back), AMOUNT)?)?;
    world.them.wait_held(hash_of(given_back))?;
    world.them.cancel(hash_of(given_back))?;
    ensure!(end(&alice, hash).is_err(), "what they gave back can't have arrived");
    until("only what they took is gone", || {
        let now = alice.channel(funding)?.map(|channel| channel.ours.get());
        Ok((now == Some(before.get() - AMOUNT.get())).then_some(()))
    })
}

fn begin(from: &Windlass, invoice: String) -> Result<PaymentHash> {
    from.on(move |node| async move { node.pay(&invoice, None).await })
}

fn end(from: &Windlass, hash: PaymentHash) -> Result<Payment> {
    from.on(move |node| async move { node.wait_payment(hash, DEADLINE).await })
}

fn state(of: &Windlass, hash: PaymentHash) -> Result<Option<PaymentState>> {
    Ok(of.node()?.payment(windlass_channels::Direction::Out, hash).map(|payment| payment.state))
}

//! Payments both ways, from dust to most of the channel.

use super::World;
use anyhow::{Context as _, Result, ensure};
use bitcoin::Amount;
use windlass_types::Msat;

/// A millisatoshi amount, dust, just above the dust limit, and large: some makes let no more than a tenth of
/// an announced channel be in flight.
const AMOUNTS: [u64; 5] = [1_001, 10_000, 354_000, 1_000_000, 90_000_000];

pub fn pay_both_ways(world: &mut World<'_>) -> Result<()> {
    let alice = world.ours("alice")?;
    let funding = world.we_open(&alice, Amount::from_sat(500_000), &[&alice])?;
    let balance = || Ok::<_, anyhow::Error>(alice.channel(funding)?.context("the channel")?.ours);
    let before = balance()?;
    for amount in AMOUNTS.map(Msat::new) {
        world.we_pay(&alice, amount)?;
    }
    let sent: u64 = AMOUNTS.iter().sum();
    crate::wait::until("our balance is less by what we sent", || {
        Ok((balance()?.get() == before.get() - sent).then_some(()))
    })?;
    for amount in AMOUNTS.map(Msat::new) {
        world.they_pay(&alice, amount)?;
    }
    crate::wait::until("our balance is as before", || Ok((balance()? == before).then_some(())))?;
    // A refusal is no end of the channel: an invoice that was paid is not paid twice.
    let invoice = world.them.invoice(Msat::new(1_000))?;
    alice.pay(&invoice)?;
    ensure!(alice.pay(&invoice).is_err(), "an invoice was paid twice");
    world.they_pay(&alice, Msat::new(1_000))
}

//! They forward for us, and we for them.

use super::World;
use crate::external::Paid;
use crate::wait::until;
use anyhow::{Context as _, Result, bail, ensure};
use bitcoin::Amount;
use windlass_types::Msat;

const AMOUNT: Msat = Msat::new(50_000_000);

pub fn two_hops(world: &mut World<'_>) -> Result<()> {
    let alice = world.ours("alice")?;
    let carol = world.ours("carol")?;
    let both = [&alice, &carol];
    let half = Amount::from_sat(500_000);
    world.we_open(&alice, half, &both)?;
    world.we_open(&carol, half, &both)?;
    let them = world.them.id()?;
    // Over them, to and fro.
    for (from, to) in [(&alice, &carol), (&carol, &alice)] {
        let (node, payee) = (from.node()?, to.id()?);
        until("gossip tells of the other channel", || Ok(node.knows_channel_between(them, payee).then_some(())))?;
        let paid = from.pay(&to.invoice(AMOUNT)?.invoice.context("a text")?)?;
        ensure!(paid.fee.is_some_and(|fee| fee > Msat::ZERO), "they forwarded for nothing");
    }
    // Over us.
    let dave = world.ours("dave")?;
    let all = [&alice, &carol, &dave];
    let funding = alice.open(dave.peer_address()?, super::world::CAPACITY, Msat::ZERO, true)?;
    world.chain.mempool(1)?;
    world.mine(super::world::DEEP, &all)?;
    alice.wait_usable(funding)?;
    dave.wait_usable(funding)?;
    let (first, second) = (alice.id()?, dave.id()?);
    until("gossip tells them of our channel", || Ok(world.them.knows(first, second)?.then_some(())))?;
    let has = || Ok::<_, anyhow::Error>(alice.node()?.channels().iter().map(|channel| channel.ours.get()).sum::<u64>());
    let before = has()?;
    let invoice = dave.invoice(AMOUNT)?;
    match world.them.pay(invoice.invoice.as_deref().context("a text")?)?.wait()? {
        Paid::Failed(reason) => bail!("they can't pay over us: {reason}"),
        Paid::Preimage(preimage) => super::world::check_proof(&preimage, invoice.hash)?,
    }
    until("we earned a fee", || Ok((has()? > before).then_some(())))
}

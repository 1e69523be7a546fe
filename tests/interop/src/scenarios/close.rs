//! Closes together: each has its part in its wallet after some blocks.

use super::World;
use super::world::{CAPACITY, DEEP, FEES};
use crate::wait::until;
use crate::windlass::Windlass;
use anyhow::{Context as _, Result};
use bitcoin::{Amount, OutPoint};

/// Their part.
const THEIRS: Amount = Amount::from_sat(400_000);

/// We close.
pub fn we_close(world: &mut World<'_>) -> Result<()> {
    close(world, |_, alice, funding| {
        let id = alice.channel(funding)?.context("the channel")?.id;
        alice.on(move |node| async move { node.close_channel(id, false).await })
    })
}

/// They close.
pub fn they_close(world: &mut World<'_>) -> Result<()> {
    close(world, |world, _, funding| world.them.close(funding, false))
}

fn close(world: &mut World<'_>, begin: impl Fn(&World<'_>, &Windlass, OutPoint) -> Result<()>) -> Result<()> {
    let alice = world.ours("alice")?;
    let funding = world.we_open(&alice, THEIRS, &[&alice])?;
    let (ours_before, theirs_before) = (alice.confirmed()?, world.them.confirmed()?);
    begin(world, &alice, funding)?;
    world.chain.mempool(1)?;
    world.mine(DEEP, &[&alice])?;
    until("we have our part", || Ok((alice.confirmed()? >= ours_before + CAPACITY - THEIRS - FEES).then_some(())))?;
    until("they have theirs", || Ok((world.them.confirmed()? >= theirs_before + THEIRS - FEES).then_some(())))?;
    until("nobody has the channel any more", || {
        let gone = world.them.channels()?.iter().all(|channel| channel.funding != funding);
        Ok((gone && alice.channel(funding)?.is_none()).then_some(()))
    })
}

//! Closes by force: each has its part in its wallet once the timelocks are over.

use super::World;
use super::world::{CAPACITY, FEES};
use crate::windlass::Windlass;
use anyhow::{Context as _, Result};
use bitcoin::{Amount, OutPoint};

/// Their part.
const THEIRS: Amount = Amount::from_sat(400_000);

/// The longest timelock of a channel of this size, and blocks for what comes before and after it.
const MOST: u32 = 400;

/// We close.
pub fn we_force_close(world: &mut World<'_>) -> Result<()> {
    force_close(world, |_, alice, funding| {
        let id = alice.channel(funding)?.context("the channel")?.id;
        alice.on(move |node| async move { node.close_channel(id, true).await })
    })
}

/// They close.
pub fn they_force_close(world: &mut World<'_>) -> Result<()> {
    force_close(world, |world, _, funding| world.them.close(funding, true))
}

fn force_close(world: &mut World<'_>, begin: impl Fn(&World<'_>, &Windlass, OutPoint) -> Result<()>) -> Result<()> {
    let alice = world.ours("alice")?;
    let funding = world.we_open(&alice, THEIRS, &[&alice])?;
    let (ours_before, theirs_before) = (alice.confirmed()?, world.them.confirmed()?);
    begin(world, &alice, funding)?;
    world.chain.mempool(1)?;
    let ours = || Ok(alice.confirmed()? >= ours_before + CAPACITY - THEIRS - FEES);
    let theirs = || Ok(world.them.confirmed()? >= theirs_before + THEIRS - FEES);
    world.mine_until("we have our part", MOST, &[&alice], ours)?;
    world.mine_until("they have theirs", MOST, &[&alice], theirs)
}

//! Blocks that go away take confirmations with them, and the others bring them back.

use super::World;
use super::world::{CAPACITY, DEEP, FEES};
use crate::wait::until;
use anyhow::{Context as _, Result, ensure};
use bitcoin::Amount;
use windlass_channels::PeerAddress;
use windlass_types::Msat;

const AMOUNT: Msat = Msat::new(10_000_000);

/// Blocks that go away.
const DEPTH: u32 = 2;

/// A funding transaction moves to another block before the channel is usable.
pub fn of_funding(world: &mut World<'_>) -> Result<()> {
    let alice = world.ours("alice")?;
    let peer = PeerAddress { node_id: world.them.id()?, address: world.them.address().to_string() };
    let funding = alice.open(peer, CAPACITY, Msat::new(500_000_000), true)?;
    world.chain.mempool(1)?;
    world.mine(DEPTH, &[&alice])?;
    world.chain.reorganise(DEPTH)?;
    world.sync(&[&alice])?;
    world.mine(DEEP, &[&alice])?;
    world.wait_usable(&alice, funding)?;
    let channel = alice.channel(funding)?.context("the channel")?;
    // It moved by one block: the first of the new ones is empty.
    ensure!(channel.confirmations == DEPTH + DEEP, "{} confirmations", channel.confirmations);
    world.we_pay(&alice, AMOUNT)?;
    world.they_pay(&alice, AMOUNT)
}

/// A closing transaction moves to another block.
pub fn of_close(world: &mut World<'_>) -> Result<()> {
    let theirs = Amount::from_sat(400_000);
    let alice = world.ours("alice")?;
    let funding = world.we_open(&alice, theirs, &[&alice])?;
    let (ours_before, theirs_before) = (alice.confirmed()?, world.them.confirmed()?);
    let id = alice.channel(funding)?.context("the channel")?.id;
    alice.on(move |node| async move { node.close_channel(id, false).await })?;
    world.chain.mempool(1)?;
    world.mine(1, &[&alice])?;
    world.chain.reorganise(1)?;
    world.mine(DEEP, &[&alice])?;
    until("we have our part", || Ok((alice.confirmed()? >= ours_before + CAPACITY - theirs - FEES).then_some(())))?;
    until("they have theirs", || Ok((world.them.confirmed()? >= theirs_before + theirs - FEES).then_some(())))
}

//! Each opens a channel to the other; both tell the same of both.

use super::World;
use super::world::CAPACITY;
use anyhow::{Context as _, Result, ensure};
use bitcoin::{Amount, OutPoint};
use windlass_types::Msat;

/// What the opener gives the other from the start.
const PUSH: Amount = Amount::from_sat(300_000);

pub fn open(world: &mut World<'_>) -> Result<()> {
    let alice = world.ours("alice")?;
    let push = Msat::from_sat(PUSH).context("fits")?;
    let ours = world.we_open(&alice, PUSH, &[&alice])?;
    let theirs = world.they_open(&alice, PUSH, &[&alice])?;
    let told = |funding: OutPoint| -> Result<_> {
        let channels = world.them.channels()?;
        channels.into_iter().find(|channel| channel.funding == funding).context("they don't know the channel")
    };
    let (seen, known) = (told(ours)?, alice.channel(ours)?.context("we don't know the channel")?);
    ensure!(seen.capacity == CAPACITY && known.capacity == CAPACITY, "both know what it is worth");
    ensure!(seen.theirs == push && known.theirs == push, "the push is theirs: {} and {}", seen.theirs, known.theirs);
    let (seen, known) = (told(theirs)?, alice.channel(theirs)?.context("we don't know the channel")?);
    ensure!(seen.capacity == CAPACITY && known.capacity == CAPACITY, "both know what it is worth");
    ensure!(known.ours == push, "the push is ours: {}", known.ours);
    ensure!(!known.we_funded, "they funded it");
    Ok(())
}

//! Either end may go away and come back, in order or not; the channel goes on.

use super::World;
use anyhow::Result;
use bitcoin::Amount;
use windlass_types::Msat;

const AMOUNT: Msat = Msat::new(10_000_000);

pub fn reconnect(world: &mut World<'_>) -> Result<()> {
    let mut alice = world.ours("alice")?;
    let funding = world.we_open(&alice, Amount::from_sat(500_000), &[&alice])?;
    world.we_pay(&alice, AMOUNT)?;

    world.them.restart()?;
    world.wait_usable(&alice, funding)?;
    world.we_pay(&alice, AMOUNT)?;
    world.they_pay(&alice, AMOUNT)?;

    alice.stop();
    alice.run(2)?;
    world.wait_usable(&alice, funding)?;
    world.we_pay(&alice, AMOUNT)?;
    world.they_pay(&alice, AMOUNT)?;

    alice.kill();
    world.chain.mine(2)?;
    alice.run(2)?;
    world.sync(&[&alice])?;
    world.wait_usable(&alice, funding)?;
    world.we_pay(&alice, AMOUNT)?;
    world.they_pay(&alice, AMOUNT)
}

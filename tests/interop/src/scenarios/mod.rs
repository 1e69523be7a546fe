//! What two Lightning nodes do with each other, written once for all makes.
//!
//! Each scenario starts nodes of ours anew and opens its own channels; the other node lives on from
//! one to the next, as a real peer does.

mod close;
mod force_close;
mod hold;
mod open;
mod pay;
mod reconnect;
mod reorg;
mod two_hops;
mod world;

pub use world::World;

use crate::external::ExternalNode;
use anyhow::Result;
use std::time::Instant;

/// A scenario and its name.
pub type Scenario = (&'static str, fn(&mut World<'_>) -> Result<()>);

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    ("open", open::open),
    ("pay_both_ways", pay::pay_both_ways),
    ("two_hops", two_hops::two_hops),
    ("we_hold", hold::we_hold),
    ("they_hold", hold::they_hold),
    ("we_close", close::we_close),
    ("they_close", close::they_close),
    ("we_force_close", force_close::we_force_close),
    ("they_force_close", force_close::they_force_close),
    ("reconnect", reconnect::reconnect),
    ("reorg_of_funding", reorg::of_funding),
    ("reorg_of_close", reorg::of_close),
];

/// Runs the scenarios that `wanted` names (all, if it names none) and tells how each went; false if one failed.
///
/// # Errors
/// There is no scenario of such a name, or the ground can't be laid.
pub fn run(them: &mut dyn ExternalNode, chain: &crate::chain::Chain, wanted: &[String]) -> Result<bool> {
    if let Some(unknown) = wanted.iter().find(|wanted| !SCENARIOS.iter().any(|(name, _)| name == wanted)) {
        let names: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
        anyhow::bail!("no scenario {unknown:?}; there are {}", names.join(", "));
    }
    let make = them.make();
    let mut world = World::new(them, chain)?;
    let mut all_well = true;
    for (name, scenario) in SCENARIOS {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        world.begin(name);
        let start = Instant::now();
        let end = scenario(&mut world);
        let seconds = start.elapsed().as_secs_f64();
        match end {
            Ok(()) => println!("{make}: {name}: ok ({seconds:.1} s)"),
            Err(error) => {
                all_well = false;
                println!("{make}: {name}: FAILED after {seconds:.1} s: {error:#}");
            }
        }
    }
    Ok(all_well)
}

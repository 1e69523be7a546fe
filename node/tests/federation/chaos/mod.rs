//! Chaos: deposits, transfers, peg-outs, reorganisations, `kill -9`, stopped processes, a bitcoind that goes away and a
//! member that lies, at random from a printed seed; after each Bitcoin block the books are compared.
//!
//! A minute of it is a test; `just chaos` runs it for longer. `WINDLASS_SEED=7` chooses the same acts again (not the same
//! interleaving: the processes are real), `WINDLASS_CHAOS_SECONDS` for how long.

mod acts;
mod audit;
mod calm;
pub mod liar;
mod world;

use rand::Rng as _;
use std::time::{Duration, Instant};
use world::World;

/// So long the acts go on between two calms.
const STORM: Duration = Duration::from_secs(20);

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap_or_else(|_| panic!("{variable} must be a number")))
}

#[tokio::test(flavor = "multi_thread")]
async fn chaos_and_not_a_satoshi_is_lost() {
    let asked = number("WINDLASS_CHAOS_SECONDS");
    let seed = number("WINDLASS_SEED").unwrap_or_else(|| if asked.is_some() { rand::random() } else { 1 });
    let time = Duration::from_secs(asked.unwrap_or(60));
    println!("chaos: WINDLASS_SEED={seed} WINDLASS_CHAOS_SECONDS={}", time.as_secs());
    let mut world = World::new(seed).await;
    let since = Instant::now();
    while since.elapsed() < time {
        let storm = Instant::now();
        while storm.elapsed() < STORM && since.elapsed() < time {
            world.act().await;
            // A random pause is part of the chaos: nothing waits for it.
            let pause = world.rng.gen_range(0..300);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        world.calm().await;
    }
    world.end().await;
}

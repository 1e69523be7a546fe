# The doors for daily work. `./x` sets a machine up; these expect one that is.

# List the doors.
default:
    @just --list

# Format, lints (warnings refused), and a short run of every fuzz target.
check:
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets -- -D warnings
    cargo test --locked --package windlass-fuzz

# Format the code.
fmt:
    cargo fmt --all

# All tests of all crates but the end-to-end ones.
test: (_with-bitcoind "cargo test --locked --workspace --exclude windlass-tests")

# The whole system with real processes.
e2e *ARGS: (_with-bitcoind "cargo test --locked --package windlass-tests --test e2e -- " + ARGS)

# A disk that fills up: needs root, for it mounts a small one.
full-disk: (_with-bitcoind "cargo test --locked --workspace --test e2e -- --ignored full_disk")

# A federation on a real bitcoind under random deposits, transfers, peg-outs, reorganisations, kill -9, hanging members and a liar, for
# so many seconds, from a printed seed; the books are compared after each Bitcoin block. The same acts again: WINDLASS_SEED=7 just chaos
chaos SECONDS="600": (_with-bitcoind "env WINDLASS_CHAOS_SECONDS=" + SECONDS + " cargo test --locked --package windlass-node --test federation -- chaos --nocapture")

# A Lightning node's process killed with -9 fifty times under load.
kills: (_with-bitcoind "env WINDLASS_KILLS=50 cargo test --locked --package windlass-tests --test e2e -- --nocapture kill_9_of_a_node_under_load")

# A Lightning node's disk loses power: long, and at each commit.
power-loss: (_with-bitcoind "env WINDLASS_ROUNDS=200 cargo test --locked --package windlass-channels --test lightning -- power_loss --include-ignored --nocapture")

# Agreement, key generation and signing in simulation: 200 whole lives of the federation with crashes, partitions, delays,
# reorganisations and lies, each from its printed seed. One again: WINDLASS_SEED=7 just sim.
sim SEEDS="200":
    WINDLASS_SEEDS={{ SEEDS }} cargo test --locked --package windlass-sidechain -- lives_of_many_seeds --nocapture
    cargo test --locked --package windlass-sidechain -- --include-ignored simulation catches_up
    cargo test --locked --package windlass-peg --package windlass-ledger

# The scenarios with nodes of other makes: a real LND (needs Go, or is left out) and ldk-node.
interop *SCENARIOS: (_with-bitcoind "tests/interop/run all " + SCENARIOS)

# Measure; rows also go to target/bench/*.jsonl. Names: up api channels sidechain peg, and members (of sidechain, the part without
# processes; `just bench sidechain --accounts 10000000` adds a larger state). `channels` runs our Lightning node
# beside ldk-node in one run; it takes options (`just bench channels --help`), and `long` or `restart`.
bench NAME="all" *OPTIONS: (_with-bitcoind "tests/bench " + NAME + " " + OPTIONS)

# Let libFuzzer run on a decoder, or on each in turn, for so many seconds. Names: fuzz/README.md.
fuzz TARGET="all" SECONDS="60":
    fuzz/run {{ TARGET }} {{ SECONDS }}

# Licences, advisories and sources of all dependencies (needs cargo-deny).
deny:
    cargo deny check

# Find or build a bitcoind, then run the command with it.
_with-bitcoind command:
    BITCOIND_EXE=$(cargo run --locked --quiet --package windlass-regtest --example bitcoind) {{ command }}

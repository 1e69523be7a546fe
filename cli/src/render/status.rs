//! The network, its processes, its wallets.

use super::{
    money,
    table::{Align, Table},
};
use crate::color::Paint;
use windlass_regtest::api::{NodeBalance, ProcessStatus, Status};

/// `windlass status`.
pub fn status(status: &Status, paint: Paint) -> String {
    let health = if status.healthy { paint.green("healthy") } else { paint.red("not healthy") };
    let mut head = Table::bare(&[Align::Left, Align::Left]);
    head.row(["network", &format!("{}, {health}", status.name)]);
    let bitcoin = status.bitcoin.map_or_else(|| "no block known".into(), |tip| format!("block {}", tip.height));
    head.row(["bitcoin", &format!("{bitcoin}, {}", status.bitcoind)]);
    let side = status.sidechain.as_ref().map_or_else(
        || "does not answer".into(),
        |side| {
            format!(
                "block {}, anchored at Bitcoin block {}, supply {}, owed {}",
                side.height,
                side.anchor.height,
                money::btc(side.supply),
                money::btc(side.owed)
            )
        },
    );
    head.row(["sidechain", &side]);
    head.row([
        "federation",
        &format!("{} of {} members run, {} sign", status.members_running, status.members, status.threshold),
    ]);
    head.row(["API", &status.api]);
    head.row(["disk", &format!("{} in {}", bytes(status.disk_bytes), status.dir)]);
    let mut text = head.text("");
    text.push('\n');
    text.push_str(&processes(&status.processes, paint));
    text.push('\n');
    text.push_str(&wallets(&status.wallets));
    for trouble in &status.troubles {
        text.push_str(&format!("{} {trouble}\n", paint.mark(false)));
    }
    text
}

/// The processes, one a line.
pub fn processes(processes: &[ProcessStatus], paint: Paint) -> String {
    let mut table = Table::new(&[
        ("Process", Align::Left),
        ("State", Align::Left),
        ("Pid", Align::Right),
        ("Memory", Align::Right),
        ("Listens", Align::Left),
    ]);
    for process in processes {
        let ports: Vec<_> = process.ports.iter().map(|(what, at)| format!("{what} {at}")).collect();
        table.row([
            process.name.clone(),
            state(process, paint),
            process.pid.map_or_else(|| "-".into(), |pid| pid.to_string()),
            process.memory_kb.map_or_else(|| "-".into(), |kb| bytes(kb.saturating_mul(1024))),
            ports.join(", "),
        ]);
    }
    table.text("")
}

fn state(process: &ProcessStatus, paint: Paint) -> String {
    match (process.pid, process.ready, &process.exit) {
        (Some(_), true, _) => paint.green("ready"),
        (Some(_), false, _) => paint.yellow("starting"),
        (None, _, Some(exit)) => paint.red(&format!("ended: {exit}")),
        (None, _, None) => paint.dim("stopped"),
    }
}

/// One process, as `stop` and `start` leave it.
pub fn process(process: &ProcessStatus, paint: Paint) -> String {
    let pid = process.pid.map_or_else(String::new, |pid| format!(", pid {pid}"));
    format!("{} {}{pid}", process.name, state(process, paint))
}

/// The wallets, one a line.
pub fn wallets(wallets: &[NodeBalance]) -> String {
    let mut table = Table::new(&[
        ("Wallets", Align::Left),
        ("BTC on chain", Align::Right),
        ("sidechain", Align::Right),
        ("Lightning: can send", Align::Right),
        ("can receive, sat", Align::Right),
    ]);
    for wallet in wallets {
        match &wallet.balance {
            Some(balance) => table.row([
                wallet.name.clone(),
                windlass_types::format_btc(balance.bitcoin),
                money::btc_or_dash(balance.sidechain),
                money::msat(balance.lightning_send_msat),
                money::msat(balance.lightning_receive_msat),
            ]),
            None => table.row([wallet.name.as_str(), "-", "-", "-", "-"]),
        }
    }
    table.text("")
}

/// All that one wallet has, line by line.
pub fn wallet(name: &str, balance: &windlass_node::api::wallet::Balance) -> String {
    let mut table = Table::bare(&[Align::Left, Align::Right, Align::Left]);
    table.row(["on chain", &windlass_types::format_btc(balance.bitcoin), "BTC"]);
    if balance.bitcoin_pending != bitcoin::Amount::ZERO {
        table.row(["  unconfirmed", &windlass_types::format_btc(balance.bitcoin_pending), "BTC"]);
    }
    if balance.bitcoin_reserved != bitcoin::Amount::ZERO {
        table.row(["  kept for closing by force", &windlass_types::format_btc(balance.bitcoin_reserved), "BTC"]);
    }
    table.row(["sidechain", &money::btc_or_dash(balance.sidechain), "BTC"]);
    table.row(["Lightning", &money::msat(balance.lightning_msat), "sat"]);
    table.row(["  can send", &money::msat(balance.lightning_send_msat), "sat"]);
    table.row(["  can receive", &money::msat(balance.lightning_receive_msat), "sat"]);
    if balance.lightning_closing != bitcoin::Amount::ZERO {
        table.row(["  on its way back", &money::sat(balance.lightning_closing), "sat"]);
    }
    format!("{name}\n{}", table.text("  "))
}

/// `33 MB`.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{} kB", count / 1_000),
        1_000_000..10_000_000_000 => format!("{} MB", count / 1_000_000),
        _ => format!("{} GB", count / 1_000_000_000),
    }
}

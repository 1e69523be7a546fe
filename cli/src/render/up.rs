//! What `up` brought up, and what to do with it.

use super::{
    status,
    table::{Align, Table},
};
use crate::color::Paint;
use std::time::Duration;
use windlass_regtest::api::Started;

/// `windlass up`.
pub fn up(started: &Started, command: &dyn Fn(&str) -> String, paint: Paint) -> String {
    let mut table = Table::bare(&[Align::Left, Align::Left, Align::Left, Align::Left, Align::Right]);
    for stage in &started.stages {
        table.row([
            paint.mark(true),
            stage.name.clone(),
            stage.what.clone(),
            stage.at.clone(),
            format!("{:.1} s", stage.seconds),
        ]);
    }
    let names: Vec<&str> = started.status.wallets.iter().map(|wallet| wallet.name.as_str()).collect();
    let next = match names.as_slice() {
        [first, second, ..] => command(&format!("channel open {first} {second} 0.1btc")),
        [first] => command(&format!("peg in {first} 0.1btc")),
        [] => command("status"),
    };
    let took = crate::duration::show(Duration::from_secs_f64(started.seconds.max(0.0)));
    format!(
        "{}{}\n{}{}  {}\n{}  {next}      {}  {}\n",
        table.text("  "),
        paint.bold(&format!("Ready in {took}")),
        status::wallets(&started.status.wallets),
        paint.dim("API "),
        started.status.api,
        paint.dim("Next"),
        paint.dim("Stop"),
        command("down"),
    )
}

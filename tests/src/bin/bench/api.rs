//! Payments per second over one channel between two nodes, through their HTTP APIs.

use crate::{
    Setup,
    report::{Latencies, Report, round},
};
use anyhow::{Result, bail};
use serde_json::json;
use std::time::{Duration, Instant};
use windlass_node::api::wallet::{InvoiceRequest, PayRequest, PaymentState};
use windlass_node::client::WalletClient;
use windlass_types::Msat;

const AMOUNT_SAT: u64 = 1_000;
/// In flight, and how many payments in all.
const RUNS: [(usize, usize); 2] = [(1, 200), (40, 1_200)];

pub fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    let network = setup.network("bench-api");
    network.ok(&["channel", "open", "alice", "bob", "0.1btc"]);
    let alice = WalletClient::new(network.api("alice"));
    let bob = WalletClient::new(network.api("bob"));
    for (in_flight, payments) in RUNS {
        let (elapsed, latencies) = setup.runtime.block_on(load(&alice, &bob, in_flight, payments))?;
        let latencies = Latencies::new(latencies);
        report.row(json!({
            "hops": 1, "channels": 1, "amount_sat": AMOUNT_SAT, "in_flight": in_flight, "payments": latencies.count(),
            "payments_per_s": round(latencies.count() as f64 / elapsed.as_secs_f64()),
            "p50_ms": latencies.ms(50), "p99_ms": latencies.ms(99),
        }))?;
    }
    Ok(())
}

/// `in_flight` payers, each paying one invoice after the other. Invoices are made before the clock
/// starts; what is timed is `pay` until the payer has the preimage.
async fn load(
    alice: &WalletClient,
    bob: &WalletClient,
    in_flight: usize,
    payments: usize,
) -> Result<(Duration, Vec<Duration>)> {
    let mut invoices = Vec::new();
    for _ in 0..payments {
        let amount_msat = Some(Msat::new(AMOUNT_SAT * 1000));
        let request = InvoiceRequest { amount_msat, memo: String::new(), expiry_seconds: 3600 };
        invoices.push(bob.invoice(&request).await?.invoice);
    }
    let start = Instant::now();
    let mut payers = Vec::new();
    for invoices in invoices.chunks(payments.div_ceil(in_flight)) {
        let (alice, invoices) = (alice.clone(), invoices.to_vec());
        payers.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            for invoice in invoices {
                let start = Instant::now();
                let paid = alice.pay(&PayRequest { invoice, timeout_seconds: 60, ..PayRequest::default() }).await?;
                if paid.state != PaymentState::Succeeded {
                    bail!("a payment ended {:?}: {:?}", paid.state, paid.error);
                }
                latencies.push(start.elapsed());
            }
            Ok(latencies)
        }));
    }
    let mut latencies = Vec::new();
    for payer in payers {
        latencies.extend(payer.await??);
    }
    Ok((start.elapsed(), latencies))
}

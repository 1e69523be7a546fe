//! The scenarios' words in LND's.

use super::Lnd;
use crate::external::{ExternalNode, Paid, Paying, TheirChannel};
use crate::wait::{DEADLINE, until};
use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Address, Amount, Network, OutPoint, Txid};
use reqwest::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use windlass_types::{BlockRef, Msat};

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("{value} is no text"))
}

/// LND writes 64-bit numbers as text.
fn number(value: &Value) -> Result<u64> {
    Ok(text(value)?.parse()?)
}

fn sat(value: &Value) -> Result<Amount> {
    Ok(Amount::from_sat(number(value)?))
}

/// Both ends have told what they ask for passing payments on.
fn has_policies(edge: &Value) -> bool {
    !edge["node1_policy"].is_null() && !edge["node2_policy"].is_null()
}

impl ExternalNode for Lnd {
    fn make(&self) -> String {
        format!("LND {}", self.version)
    }

    fn id(&self) -> Result<PublicKey> {
        Ok(text(&self.rest.get("/v1/getinfo")?["identity_pubkey"])?.parse()?)
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn new_address(&self) -> Result<Address> {
        let answer = self.rest.get("/v1/newaddress?type=TAPROOT_PUBKEY")?;
        Ok(text(&answer["address"])?.parse::<Address<_>>()?.require_network(Network::Regtest)?)
    }

    fn confirmed(&self) -> Result<Amount> {
        sat(&self.rest.get("/v1/balance/blockchain")?["confirmed_balance"])
    }

    fn sync(&self, tip: BlockRef) -> Result<()> {
        let hash = tip.hash().to_string();
        until("LND has read the chain", || {
            let info = self.rest.get("/v1/getinfo")?;
            Ok((info["block_hash"] == hash.as_str() && info["synced_to_chain"] == true).then_some(()))
        })
    }

    fn open(&self, peer: PublicKey, address: SocketAddr, amount: Amount, push: Amount) -> Result<OutPoint> {
        let node = json!({ "addr": { "pubkey": peer.to_string(), "host": address.to_string() }, "perm": true });
        if let Err(error) = self.rest.post("/v1/peers", &node)
            && !format!("{error:#}").contains("already connected")
        {
            return Err(error);
        }
        let request = json!({
            "node_pubkey": STANDARD.encode(peer.serialize()),
            "local_funding_amount": amount.to_sat().to_string(),
            "push_sat": push.to_sat().to_string(),
            "sat_per_vbyte": "2",
        });
        let point = self.rest.post("/v1/channels", &request)?;
        let mut txid = STANDARD.decode(text(&point["funding_txid_bytes"])?)?;
        txid.reverse();
        let vout = u32::try_from(point["output_index"].as_u64().unwrap_or(0))?;
        Ok(OutPoint { txid: hex::encode(txid).parse::<Txid>()?, vout })
    }

    fn channels(&self) -> Result<Vec<TheirChannel>> {
        let answer = self.rest.get("/v1/channels")?;
        let channels = answer["channels"].as_array().cloned().unwrap_or_default();
        // LND's router finds its own new channel only once it has announced it to itself.
        let graph = self.rest.get("/v1/graph")?;
        let edges = graph["edges"].as_array().map_or(&[][..], Vec::as_slice);
        let announced = |point: &Value| edges.iter().any(|edge| edge["chan_point"] == *point && has_policies(edge));
        channels
            .iter()
            .map(|channel| {
                Ok(TheirChannel {
                    funding: text(&channel["channel_point"])?.parse()?,
                    usable: channel["active"] == true && announced(&channel["channel_point"]),
                    capacity: sat(&channel["capacity"])?,
                    theirs: Msat::from_sat(sat(&channel["local_balance"])?).context("a balance")?,
                })
            })
            .collect()
    }

    fn close(&self, funding: OutPoint, force: bool) -> Result<()> {
        let OutPoint { txid, vout } = funding;
        let rate = if force { String::new() } else { "&sat_per_vbyte=2".into() };
        let path = format!("/v1/channels/{txid}/{vout}?force={force}{rate}");
        let begun = |update: &Value| update.get("close_pending").is_some();
        self.rest.stream(Method::DELETE, &path, None, DEADLINE, begun).map(drop)
    }

    fn invoice(&self, amount: Msat) -> Result<String> {
        let request = json!({ "value_msat": amount.get().to_string(), "memo": "interop", "private": true });
        Ok(text(&self.rest.post("/v1/invoices", &request)?["payment_request"])?.to_owned())
    }

    fn pay(&self, invoice: &str) -> Result<Paying> {
        let request = json!({
            "payment_request": invoice, "timeout_seconds": DEADLINE.as_secs(), "fee_limit_msat": "100000",
            "no_inflight_updates": true,
        });
        let rest = self.rest.clone();
        let payment = std::thread::spawn(move || {
            let ended = |update: &Value| matches!(update["status"].as_str(), Some("SUCCEEDED" | "FAILED"));
            let end = rest.stream(Method::POST, "/v2/router/send", Some(&request), DEADLINE, ended)?;
            Ok(match text(&end["status"])? {
                "SUCCEEDED" => Paid::Preimage(text(&end["payment_preimage"])?.to_owned()),
                _ => Paid::Failed(text(&end["failure_reason"])?.to_owned()),
            })
        });
        Ok(Paying::new(move || match payment.join() {
            Ok(end) => end,
            Err(_) => bail!("the thread of a payment panicked"),
        }))
    }

    fn hold_invoice(&self, hash: [u8; 32], amount: Msat) -> Result<String> {
        let request = json!({ "hash": STANDARD.encode(hash), "value_msat": amount.get().to_string(), "private": true });
        Ok(text(&self.rest.post("/v2/invoices/hodl", &request)?["payment_request"])?.to_owned())
    }

    fn wait_held(&self, hash: [u8; 32]) -> Result<()> {
        let path = format!("/v2/invoices/lookup?payment_hash={}", URL_SAFE.encode(hash));
        until("LND holds a payment", || Ok((self.rest.get(&path)?["state"] == "ACCEPTED").then_some(())))
    }

    fn settle(&self, preimage: [u8; 32]) -> Result<()> {
        self.rest.post("/v2/invoices/settle", &json!({ "preimage": STANDARD.encode(preimage) })).map(drop)
    }

    fn cancel(&self, hash: [u8; 32]) -> Result<()> {
        self.rest.post("/v2/invoices/cancel", &json!({ "payment_hash": STANDARD.encode(hash) })).map(drop)
    }

    fn knows(&self, one: PublicKey, other: PublicKey) -> Result<bool> {
        let ends = [one.to_string(), other.to_string()];
        let graph = self.rest.get("/v1/graph")?;
        let is = |key: &Value| key.as_str().is_some_and(|key| ends.iter().any(|end| end == key));
        let between = |edge: &Value| is(&edge["node1_pub"]) && is(&edge["node2_pub"]) && has_policies(edge);
        Ok(graph["edges"].as_array().is_some_and(|edges| edges.iter().any(between)))
    }

    fn restart(&mut self) -> Result<()> {
        self.end();
        self.launch()
    }
}

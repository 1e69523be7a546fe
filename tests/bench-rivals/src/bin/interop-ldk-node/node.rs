//! The scenarios' words in ldk-node's.

use anyhow::{Context as _, Result, bail};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Address, Amount, OutPoint};
use ldk_node::lightning::ln::msgs::SocketAddress;
use ldk_node::lightning::routing::gossip::NodeId;
use ldk_node::lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescription, Description};
use ldk_node::lightning_types::payment::{PaymentHash, PaymentPreimage};
use ldk_node::{ChannelDetails, Event, Node};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use windlass_bench_rivals::{build, failed};
use windlass_interop::chain::{Access, Chain, free_port};
use windlass_interop::external::{ExternalNode, Paid, Paying, TheirChannel};
use windlass_interop::wait::until;
use windlass_types::{BlockRef, Msat};

const EXPIRY_SECONDS: u32 = 3600;

/// What its events have told.
#[derive(Default)]
struct Told {
    ended: HashMap<[u8; 32], Paid>,
    held: HashMap<[u8; 32], u64>,
}

/// A running ldk-node.
pub struct LdkNode {
    dir: PathBuf,
    access: Access,
    port: u16,
    node: Arc<Node>,
    told: Arc<Mutex<Told>>,
}

impl LdkNode {
    pub fn start(dir: &Path, chain: &Chain) -> Result<Self> {
        let (access, port, told) = (chain.access()?, free_port()?, Arc::default());
        let node = launch(dir, port, &access, &told)?;
        Ok(Self { dir: dir.into(), access, port, node, told })
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn channel(&self, funding: OutPoint) -> Result<ChannelDetails> {
        let channels = self.node.list_channels();
        channels.into_iter().find(|channel| channel.funding_txo == Some(funding)).context("no such channel")
    }
}

fn launch(dir: &Path, port: u16, access: &Access, told: &Arc<Mutex<Told>>) -> Result<Arc<Node>> {
    let node = Arc::new(build("ldk-node", port, dir, access)?);
    node.start().map_err(failed)?;
    let (follower, told) = (Arc::clone(&node), Arc::clone(told));
    // Lasts as long as the process: ldk-node has no way to end the wait for an event.
    std::thread::spawn(move || {
        loop {
            let event = follower.wait_next_event();
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                Event::PaymentSuccessful { payment_hash, payment_preimage, .. } => {
                    let preimage = payment_preimage.map(|preimage| hex::encode(preimage.0)).unwrap_or_default();
                    told.ended.insert(payment_hash.0, Paid::Preimage(preimage));
                }
                Event::PaymentFailed { payment_hash: Some(hash), reason, .. } => {
                    told.ended.insert(hash.0, Paid::Failed(format!("{reason:?}")));
                }
                Event::PaymentClaimable { payment_hash, claimable_amount_msat, .. } => {
                    told.held.insert(payment_hash.0, claimable_amount_msat);
                }
                _ => {}
            }
            drop(told);
            if follower.event_handled().is_err() {
                return;
            }
        }
    });
    Ok(node)
}

fn description() -> Result<Bolt11InvoiceDescription> {
    Ok(Bolt11InvoiceDescription::Direct(Description::new("interop".into()).map_err(failed)?))
}

impl ExternalNode for LdkNode {
    fn make(&self) -> String {
        "ldk-node 0.7.1".into()
    }

    fn id(&self) -> Result<PublicKey> {
        Ok(self.node.node_id())
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn new_address(&self) -> Result<Address> {
        self.node.onchain_payment().new_address().map_err(failed)
    }

    fn confirmed(&self) -> Result<Amount> {
        Ok(Amount::from_sat(self.node.list_balances().total_onchain_balance_sats))
    }

    fn sync(&self, tip: BlockRef) -> Result<()> {
        until("ldk-node has read the chain", || {
            self.node.sync_wallets().map_err(failed)?;
            Ok((self.node.status().current_best_block.block_hash == tip.hash()).then_some(()))
        })
    }

    fn open(&self, peer: PublicKey, address: SocketAddr, amount: Amount, push: Amount) -> Result<OutPoint> {
        let address = SocketAddress::from(address);
        let push = Some(push.to_sat() * 1000);
        let id = self.node.open_announced_channel(peer, address, amount.to_sat(), push, None).map_err(failed)?;
        until("ldk-node funds its channel", || {
            let channels = self.node.list_channels();
            Ok(channels.iter().find(|channel| channel.user_channel_id == id).and_then(|channel| channel.funding_txo))
        })
    }

    fn channels(&self) -> Result<Vec<TheirChannel>> {
        let part = |channel: &ChannelDetails| {
            let pledge = channel.unspendable_punishment_reserve.unwrap_or(0) * 1000;
            Msat::new(channel.outbound_capacity_msat + pledge)
        };
        let all = self.node.list_channels();
        let told = all.iter().filter_map(|channel| {
            Some(TheirChannel {
                funding: channel.funding_txo?,
                usable: channel.is_usable,
                capacity: Amount::from_sat(channel.channel_value_sats),
                theirs: part(channel),
            })
        });
        Ok(told.collect())
    }

    fn close(&self, funding: OutPoint, force: bool) -> Result<()> {
        let channel = self.channel(funding)?;
        let (id, peer) = (channel.user_channel_id, channel.counterparty_node_id);
        if force {
            self.node.force_close_channel(&id, peer, None).map_err(failed)
        } else {
            self.node.close_channel(&id, peer).map_err(failed)
        }
    }

    fn invoice(&self, amount: Msat) -> Result<String> {
        let made = self.node.bolt11_payment().receive(amount.get(), &description()?, EXPIRY_SECONDS);
        Ok(made.map_err(failed)?.to_string())
    }

    fn pay(&self, invoice: &str) -> Result<Paying> {
        let invoice: Bolt11Invoice = invoice.parse().map_err(failed)?;
        let hash: [u8; 32] = *invoice.payment_hash().as_ref();
        self.node.bolt11_payment().send(&invoice, None).map_err(failed)?;
        let told = Arc::clone(&self.told);
        Ok(Paying::new(move || {
            until("ldk-node's payment ends", || {
                Ok(told.lock().unwrap_or_else(PoisonError::into_inner).ended.get(&hash).cloned())
            })
        }))
    }

    fn hold_invoice(&self, hash: [u8; 32], amount: Msat) -> Result<String> {
        let payment = self.node.bolt11_payment();
        let made = payment.receive_for_hash(amount.get(), &description()?, EXPIRY_SECONDS, PaymentHash(hash));
        Ok(made.map_err(failed)?.to_string())
    }

    fn wait_held(&self, hash: [u8; 32]) -> Result<()> {
        until("ldk-node holds a payment", || Ok(self.told().held.contains_key(&hash).then_some(())))
    }

    fn settle(&self, preimage: [u8; 32]) -> Result<()> {
        let hash = PaymentHash::from(PaymentPreimage(preimage));
        let Some(amount) = self.told().held.get(&hash.0).copied() else { bail!("nothing is held") };
        self.node.bolt11_payment().claim_for_hash(hash, amount, PaymentPreimage(preimage)).map_err(failed)
    }

    fn cancel(&self, hash: [u8; 32]) -> Result<()> {
        self.node.bolt11_payment().fail_for_hash(PaymentHash(hash)).map_err(failed)
    }

    fn knows(&self, one: PublicKey, other: PublicKey) -> Result<bool> {
        let ends = [NodeId::from_pubkey(&one), NodeId::from_pubkey(&other)];
        let graph = self.node.network_graph();
        Ok(graph.list_channels().into_iter().filter_map(|id| graph.channel(id)).any(|channel| {
            ends.contains(&channel.node_one)
                && ends.contains(&channel.node_two)
                && channel.one_to_two.is_some()
                && channel.two_to_one.is_some()
        }))
    }

    fn restart(&mut self) -> Result<()> {
        self.node.stop().map_err(failed)?;
        self.node = launch(&self.dir, self.port, &self.access, &self.told)?;
        Ok(())
    }
}

//! What we ask for passing payments of others on, channel by channel.

use super::Node;
use crate::{ChannelId, Forward, Policy, PolicyError};
use lightning::ln::channelmanager::MIN_CLTV_EXPIRY_DELTA;
use lightning::ln::types::ChannelId as LdkChannelId;
use windlass_types::Msat;

impl Node {
    /// The policy of an open channel, for payments that leave over it.
    pub fn policy(&self, id: ChannelId) -> Option<Policy> {
        let channels = self.channel_manager.list_channels();
        let config = channels.iter().find(|channel| channel.channel_id.0 == id.0)?.config?;
        Some(Policy {
            base: Msat::new(u64::from(config.forwarding_fee_base_msat)),
            ppm: config.forwarding_fee_proportional_millionths,
            cltv_delta: config.cltv_expiry_delta,
        })
    }

    /// Sets the policy of an open channel. It is durable when this returns, and told to the network if the
    /// channel is announced; for some minutes payers may still come with the old one.
    ///
    /// # Errors
    /// See [`PolicyError`]; nothing has changed then.
    pub async fn set_policy(&self, id: ChannelId, policy: Policy) -> Result<Policy, PolicyError> {
        if policy.cltv_delta < MIN_CLTV_EXPIRY_DELTA {
            return Err(PolicyError::CltvDelta { found: policy.cltv_delta, least: MIN_CLTV_EXPIRY_DELTA });
        }
        let base = u32::try_from(policy.base.get()).map_err(|_| PolicyError::Base { found: policy.base })?;
        let channels = self.channel_manager.list_channels();
        let channel = channels.iter().find(|channel| channel.channel_id.0 == id.0).ok_or(PolicyError::Unknown(id))?;
        let mut config = channel.config.ok_or(PolicyError::Unknown(id))?;
        config.forwarding_fee_base_msat = base;
        config.forwarding_fee_proportional_millionths = policy.ppm;
        config.cltv_expiry_delta = policy.cltv_delta;
        let peer = channel.counterparty.node_id;
        self.channel_manager
            .update_channel_config(&peer, &[LdkChannelId(id.0)], &config)
            .map_err(|error| PolicyError::Refused { channel: id, reason: format!("{error:?}") })?;
        self.peer_manager.process_events();
        if !self.kv.durable().await {
            return Err(PolicyError::NotDurable);
        }
        self.policy(id).ok_or(PolicyError::Unknown(id))
    }

    /// Payments of others that went through, oldest first.
    pub fn forwards(&self) -> Vec<Forward> {
        self.book.read().forwards.values().cloned().collect()
    }
}

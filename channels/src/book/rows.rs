//! The rows of the book that are about channels.

use super::splice::{Asked, Splice};
use crate::{ChannelId, CloseKind};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{OutPoint, Txid};
use serde::{Deserialize, Serialize};

/// What was agreed when a channel was proposed. Written before anything is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opening {
    pub(crate) peer: PublicKey,
    pub(crate) capacity_sat: u64,
    pub(crate) push_msat: u64,
    pub(crate) we_funded: bool,
    pub(crate) announce: bool,
    /// The funding transaction, once we have made it, and its fee.
    pub(crate) funding: Option<(Txid, u64)>,
    /// Why nothing came of it.
    pub(crate) failed: Option<String>,
    /// The channel that came of it.
    pub(crate) channel: Option<ChannelId>,
}

/// What stays true of a channel, and its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) user_id: u128,
    pub(crate) peer: PublicKey,
    /// The funding output that holds it, on the chain as far as we have read it, and its value.
    pub(crate) funding: OutPoint,
    pub(crate) capacity_sat: u64,
    pub(crate) push_msat: u64,
    pub(crate) we_funded: bool,
    pub(crate) announce: bool,
    /// All short ids and aliases that paths named it by.
    pub(crate) scids: Vec<u64>,
    pub(crate) closed: Option<Closed>,
    /// Only its name is known, from a backup: what happened in it is lost.
    #[serde(default)]
    pub(crate) restored: bool,
    /// What we have asked of a splice that is not agreed on yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) splicing: Option<Asked>,
    /// The channel's splices, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) splices: Vec<Splice>,
    /// The last transactions that we and the peer have signed to spend a funding output of it, in hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) spending: Vec<String>,
}

/// LDK's word on the end of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Closed {
    pub(crate) kind: CloseKind,
    pub(crate) reason: String,
    pub(crate) balance_msat: u64,
}

/// What moved over a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) received_msat: u64,
    pub(crate) sent_msat: u64,
    pub(crate) routing_fees_msat: u64,
    pub(crate) forwarded_in_msat: u64,
    pub(crate) forwarded_out_msat: u64,
}

impl Facts {
    /// What is known of a channel once it has a funding output.
    pub(crate) fn of_opening(opening: &Opening, user_id: u128, funding: OutPoint) -> Self {
        Self {
            user_id,
            peer: opening.peer,
            funding,
            capacity_sat: opening.capacity_sat,
            push_msat: opening.push_msat,
            we_funded: opening.we_funded,
            announce: opening.announce,
            scids: Vec::new(),
            closed: None,
            restored: false,
            splicing: None,
            splices: Vec::new(),
            spending: Vec::new(),
        }
    }

    /// Our balance at the opening.
    pub(crate) fn opening_msat(&self) -> u64 {
        if self.we_funded {
            self.first_funding().1.saturating_mul(1000).saturating_sub(self.push_msat)
        } else {
            self.push_msat
        }
    }

    /// Our balance by this account.
    pub(crate) fn balance_msat(&self, flow: &Flow) -> u64 {
        self.balance_with(flow, self.splices.iter().filter(|splice| !splice.dead))
    }

    /// Our balance with these splices alone.
    pub(crate) fn balance_with<'a>(&self, flow: &Flow, splices: impl Iterator<Item = &'a Splice>) -> u64 {
        let (mut more_sat, mut less_sat) = (0_u64, 0_u64);
        for splice in splices {
            more_sat = more_sat.saturating_add(splice.asked.in_sat);
            less_sat = less_sat.saturating_add(splice.asked.out_sat).saturating_add(splice.fee_sat);
        }
        self.opening_msat()
            .saturating_add(more_sat.saturating_mul(1000))
            .saturating_add(flow.received_msat)
            .saturating_add(flow.forwarded_in_msat)
            .saturating_sub(flow.sent_msat)
            .saturating_sub(flow.forwarded_out_msat)
            .saturating_sub(less_sat.saturating_mul(1000))
    }
}

//! The configuration files of members and nodes, written anew at each start: ports may change.
//! Keys are made once and stay.

use crate::{layout::Layout, ports::local, run::Run};
use windlass_chain::BitcoindConfig;
use windlass_node::{
    api::ApiError,
    member::{self, Federation, FederationMember, MemberConfig},
    wallet::WalletConfig,
};
use windlass_types::{Blocks, ChainNetwork};

/// Writes each member's configuration, and the one that they share.
///
/// # Errors
/// The sidechain's first Bitcoin block is not chosen yet, or a file can't be used.
pub fn write_members(layout: &Layout, run: &Run, bitcoind: &BitcoindConfig) -> Result<(), ApiError> {
    let start = run.start.ok_or_else(|| ApiError::failed("the sidechain's first Bitcoin block is not chosen yet"))?;
    let mut members = Vec::new();
    for member in &run.members {
        let config = MemberConfig::new(member.name.clone(), local(member.api), local(member.links), bitcoind.clone());
        let dir = layout.member(&member.name);
        let made = member::create(&dir, &config).map_err(ApiError::failed)?;
        // What the members agreed on at first stays, also when one has another identity by now.
        let agreed = Federation::load(&dir).ok().and_then(|known| {
            known.members.into_iter().find(|known| known.name == member.name).map(|known| known.keys)
        });
        let keys = agreed.unwrap_or(made);
        members.push(FederationMember { name: member.name.clone(), keys, address: local(member.links) });
    }
    let mut federation = Federation {
        name: run.name.clone(),
        network: ChainNetwork::Regtest,
        threshold: run.threshold,
        start,
        params: Default::default(),
        members,
    };
    federation.params.emergency_threshold = run.threshold;
    if let Some(blocks) = run.reclaim_blocks {
        federation.params.reclaim_blocks = Blocks::new(blocks);
        // The federation lets go of a deposit when a seventh of the time is left, as it does by default.
        federation.params.reclaim_buffer = Blocks::new((blocks / 7).max(1));
    }
    for member in &run.members {
        federation.save(&layout.member(&member.name)).map_err(ApiError::failed)?;
    }
    Ok(())
}

/// Writes each wallet node's configuration.
///
/// # Errors
/// A file can't be written.
pub fn write_nodes(layout: &Layout, run: &Run, bitcoind: &BitcoindConfig) -> Result<(), ApiError> {
    let members: Vec<_> = run.members.iter().map(|member| format!("http://{}", local(member.api))).collect();
    for node in &run.nodes {
        let mut config = WalletConfig::new(node.name.clone(), ChainNetwork::Regtest, bitcoind.clone());
        config.api = local(node.api);
        config.lightning = local(node.lightning);
        config.members.clone_from(&members);
        config.save(&layout.node(&node.name)).map_err(ApiError::failed)?;
    }
    Ok(())
}

//! Lightning nodes on a real bitcoind, with real TCP between them. One program for all: linking is what costs.

mod harness;

mod backup;
mod bad_peers;
mod chain;
mod crowd;
mod errors;
mod floods;
mod forgetting;
mod gossip_snapshot;
mod hold;
mod in_flight;
mod journal;
mod offers;
mod opening;
mod payments;
mod peers;
mod power_loss;
mod punish;
mod splice;
mod splice_edges;
mod stuck;
mod voyage;

//! The command tree and its dispatcher.

use crate::{
    commands::{
        address, anchors, asset, balance, chain, channel, completions, demo, doctor, down, faucet, federation, invoice,
        keysend, logs, mine, node, offer, pay, payment, peer, peg, policy, probe,
        process::{self, FollowerArgs, FollowerCommand, HubCommand, MemberCommand, Process},
        prove, refund, send, statement, status, transfer, up, verify,
    },
    context::{Context, Global},
};
use clap::{Parser, Subcommand};
use windlass_node::api::ApiError;

/// Bitcoin off the chain and back: Lightning channels and a federated sidechain, on regtest
#[derive(Debug, Parser)]
#[command(
    name = "windlass",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Amounts carry a unit: 1btc, 50000sat, 1000msat. Nodes and members go by name: alice, f1.\n\
                  Exit codes: 0 done, 1 failed, 2 usage, 3 not running, 4 not enough funds, 5 timed out.\n\n\
                  Start here:  windlass up    or the whole voyage at once:  windlass demo"
)]
pub struct Cli {
    /// Before or after the command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a network, or go on where it stopped
    Up(up::Args),
    /// Stop the network, in order
    Down(down::Args),
    /// What runs, how high the chains are, who has what
    Status(status::Args),
    /// What this machine lacks, and the command that installs it
    Doctor(doctor::Args),
    /// What the processes say
    Logs(logs::Args),
    /// Mine blocks and wait until every process has seen them
    #[command(alias = "generate")]
    Mine(mine::Args),
    /// Fresh coins for a node or a Bitcoin address
    Faucet(faucet::Args),
    /// A node's address, on Bitcoin or on the sidechain
    #[command(aliases = ["newaddress", "getnewaddress", "newaddr"])]
    Address(address::Args),
    /// What the nodes have: on chain, on the sidechain, over Lightning
    #[command(aliases = ["getbalance", "walletbalance"])]
    Balance(balance::Args),
    /// Send bitcoin on chain
    #[command(aliases = ["sendtoaddress", "sendcoins"])]
    Send(send::Args),
    /// Send bitcoin on the sidechain, to one or many
    Transfer(transfer::Args),
    /// Assets on the sidechain: issue, send, burn, verify
    #[command(subcommand)]
    Asset(asset::Command),
    /// Accounts of several keys, hashes and heights: multisig, hash locks, vaults
    #[command(subcommand)]
    Policy(policy::Command),
    /// The Lightning nodes
    #[command(subcommand)]
    Node(node::Command),
    /// Lightning peers
    #[command(subcommand)]
    Peer(peer::Command),
    /// Lightning channels
    #[command(subcommand)]
    Channel(channel::Command),
    /// Ask to be paid over Lightning
    #[command(aliases = ["addinvoice", "addholdinvoice"])]
    Invoice(invoice::Args),
    /// Pay a Lightning invoice, an offer, a URI or a name
    #[command(alias = "payinvoice")]
    Pay(pay::Args),
    /// Pay a node that has asked for nothing
    Keysend(keysend::Args),
    /// Would a payment get there, and at what fee?
    Probe(probe::Args),
    /// Invoices to be paid again and again (BOLT12)
    #[command(subcommand)]
    Offer(offer::Command),
    /// Offers to pay (BOLT12)
    #[command(subcommand)]
    Refund(refund::Command),
    /// Lightning payments
    #[command(subcommand)]
    Payment(payment::Command),
    /// Onto the sidechain and back to Bitcoin
    #[command(subcommand)]
    Peg(peg::Command),
    /// The federation that holds the pegged bitcoin
    #[command(subcommand)]
    Federation(federation::Command),
    /// The sidechain's parameters, and how its members change them
    #[command(subcommand)]
    Chain(chain::Command),
    /// Which blocks of the sidechain Bitcoin holds, and how deep
    Anchors(anchors::Args),
    /// Facts of the sidechain as files that anyone can check
    #[command(subcommand)]
    Prove(prove::Command),
    /// Check such a file, or a receipt, offline: what it proves, and whom one trusts
    Verify(verify::Args),
    /// Check every block of the sidechain yourself, and serve its API
    Follow(FollowerArgs),
    /// Opening and closing balances, each with its Bitcoin transaction
    Statement(statement::Args),
    /// The whole voyage on a network of its own, checked at each step
    Demo(demo::Args),
    /// A completion script for your shell
    Completions(completions::Args),

    /// A federation member's process
    #[command(subcommand, hide = true)]
    Member(MemberCommand),
    /// A follower's process: checks every block, holds no key
    #[command(subcommand, hide = true)]
    Follower(FollowerCommand),
    /// The process that supervises a network and answers these commands
    #[command(subcommand, hide = true)]
    Hub(HubCommand),

    /// In the words of lncli and Core Lightning: channel open
    #[command(hide = true, alias = "fundchannel")]
    Openchannel(channel::open::Args),
    /// In the words of lncli and Core Lightning: channel list
    #[command(hide = true, alias = "listpeerchannels")]
    Listchannels(channel::list::Args),
    /// In the words of lncli: channel close
    #[command(hide = true)]
    Closechannel(channel::close::Args),
    /// In the words of lncli and Core Lightning: node info
    #[command(hide = true)]
    Getinfo(node::info::Args),
    /// In the words of lncli and Core Lightning: payment list
    #[command(hide = true, alias = "listpays")]
    Listpayments(payment::list::Args),
    /// In Elements' words: peg address
    #[command(hide = true)]
    Getpeginaddress(peg::address::Args),
    /// In Elements' words: here a deposit is claimed by itself; this shows where it stands
    #[command(hide = true)]
    Claimpegin(peg::show::Args),
    /// In Elements' words: peg out
    #[command(hide = true)]
    Sendtomainchain(peg::out::Args),
}

impl Command {
    /// The long-running process that this asks for, if it does.
    pub fn process(&self) -> Option<Process> {
        match self {
            Self::Member(MemberCommand::Run(args)) => Some(Process::Member(args.dir.clone())),
            Self::Node(node::Command::Run(args)) => Some(Process::Node(args.dir.clone())),
            Self::Follow(args) | Self::Follower(FollowerCommand::Run(args)) => Some(Process::Follower(args.clone())),
            Self::Hub(HubCommand::Run(args)) => Some(Process::Hub(args.dir.clone())),
            _ => None,
        }
    }
}

/// For what [`Command::process`] takes before.
pub fn not_a_command() -> ApiError {
    ApiError::failed("a process does not run inside another one")
}

/// Runs one command.
///
/// # Errors
/// What the command met.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::Up(args) => up::run(ctx, args).await,
        Command::Down(args) => down::run(ctx, args).await,
        Command::Status(args) => status::run(ctx, args).await,
        Command::Doctor(args) => doctor::run(ctx, args).await,
        Command::Logs(args) => logs::run(ctx, args).await,
        Command::Mine(args) => mine::run(ctx, args).await,
        Command::Faucet(args) => faucet::run(ctx, args).await,
        Command::Address(args) => address::run(ctx, args).await,
        Command::Balance(args) => balance::run(ctx, args).await,
        Command::Send(args) => send::run(ctx, args).await,
        Command::Transfer(args) => transfer::run(ctx, args).await,
        Command::Asset(command) => asset::run(ctx, command).await,
        Command::Policy(command) => policy::run(ctx, command).await,
        Command::Node(command) => node::run(ctx, command).await,
        Command::Peer(command) => peer::run(ctx, command).await,
        Command::Channel(command) => channel::run(ctx, command).await,
        Command::Invoice(args) => invoice::run(ctx, args).await,
        Command::Pay(args) => pay::run(ctx, args).await,
        Command::Keysend(args) => keysend::run(ctx, args).await,
        Command::Probe(args) => probe::run(ctx, args).await,
        Command::Offer(command) => offer::run(ctx, command).await,
        Command::Refund(command) => refund::run(ctx, command).await,
        Command::Payment(command) => payment::run(ctx, command).await,
        Command::Peg(command) => peg::run(ctx, command).await,
        Command::Federation(command) => federation::run(ctx, command).await,
        Command::Chain(command) => chain::run(ctx, command).await,
        Command::Anchors(args) => anchors::run(ctx, args).await,
        Command::Prove(command) => prove::run(ctx, command).await,
        Command::Verify(args) => verify::run(ctx, &args).await,
        Command::Statement(args) => statement::run(ctx, args).await,
        Command::Demo(args) => demo::run(ctx, args).await,
        Command::Completions(args) => completions::run(ctx, args),
        Command::Follower(FollowerCommand::Snapshot(args)) => process::snapshot(ctx, args).await,
        Command::Member(_) | Command::Follow(_) | Command::Follower(_) | Command::Hub(_) => Err(not_a_command()),
        Command::Openchannel(args) => channel::open::run(ctx, args).await,
        Command::Listchannels(args) => channel::list::run(ctx, args).await,
        Command::Closechannel(args) => channel::close::run(ctx, args).await,
        Command::Getinfo(args) => node::info::run(ctx, args).await,
        Command::Listpayments(args) => payment::list::run(ctx, args).await,
        Command::Getpeginaddress(args) => peg::address::run(ctx, args).await,
        Command::Claimpegin(args) => peg::show::run(ctx, args).await,
        Command::Sendtomainchain(args) => peg::out::run(ctx, args).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn other_tools_words_work_and_stay_hidden() {
        let help = Cli::command().render_long_help().to_string();
        for words in [
            "openchannel alice bob 1btc",
            "fundchannel alice bob 1btc",
            "listchannels",
            "payinvoice alice lnbcrt1x",
            "addinvoice alice 1sat",
            "addholdinvoice alice 1sat --hold-new",
            "getinfo alice",
            "newaddress alice",
            "getpeginaddress alice",
            "claimpegin 00ff",
            "sendtomainchain alice 1btc",
            "generate 1",
        ] {
            let line = std::iter::once("windlass").chain(words.split(' '));
            assert!(Cli::try_parse_from(line).is_ok(), "{words}");
            let word = words.split(' ').next().expect("a word");
            assert!(!help.contains(&format!("  {word}")), "{word} is not hidden");
        }
    }

    #[test]
    fn global_flags_stand_before_or_after() {
        for line in [["windlass", "--json", "--name", "x", "status"], ["windlass", "status", "--json", "--name", "x"]] {
            let cli = Cli::try_parse_from(line).expect("parses");
            assert!(cli.global.json);
            assert_eq!(cli.global.name, "x");
        }
    }
}

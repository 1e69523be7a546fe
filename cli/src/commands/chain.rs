//! `windlass chain …`: the sidechain's parameters, and how its members change them.

use crate::{context::Context, render::params as render};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use windlass_ledger::{DialChange, Genesis};
use windlass_node::{
    api::{
        ApiError,
        member::{ParamsInfo, TransactionStatus},
    },
    client::MemberClient,
    member::{Enrolment, ProposalFile, ProposalFileError, Ready},
};
use windlass_types::{Digest, SideHeight};

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// The parameters in force, the change to come, and what never changes
    Params(ParamsArgs),
    /// Write a proposal to change parameters, for the members to sign
    Propose(ProposeArgs),
    /// Sign a proposal as a member, after a look at it
    Sign(SignArgs),
    /// Hand in a proposal that enough members have signed
    Submit(SubmitArgs),
    /// Say, as a folder with a new identity, that it takes a member's place
    Enrol(EnrolArgs),
}

/// Whom to ask.
#[derive(Debug, clap::Args)]
pub struct Whom {
    /// Ask this member or follower: http://127.0.0.1:18884 [default: one of the network that runs]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct ParamsArgs {
    #[command(flatten)]
    whom: Whom,
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct ProposeArgs {
    /// A parameter and its new value: transfer_fee_min=5sat, max_block_txs=10000 (again for several)
    #[arg(long, value_name = "NAME=VALUE", required_unless_present_any = ["cancel", "replace"])]
    set: Vec<String>,
    /// Give a member another identity: what `windlass chain enrol` wrote in its new folder
    #[arg(long, value_name = "FILE", conflicts_with = "set")]
    replace: Option<PathBuf>,
    /// The block from which on it is in force [default: as soon as the delay allows, and 100 blocks for the signatures]
    #[arg(long, value_name = "BLOCK")]
    at: Option<u64>,
    /// Drop the change that is pending
    #[arg(long, conflicts_with_all = ["set", "at", "replace"])]
    cancel: bool,
    /// Write it into this file [default: proposal-NUMBER.json]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    whom: Whom,
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct SignArgs {
    /// The proposal; the signature is added to it
    file: PathBuf,
    /// A member of this network: f1
    #[arg(long, required_unless_present = "dir")]
    member: Option<String>,
    /// The folder of the member, anywhere
    #[arg(long, value_name = "DIR", conflicts_with = "member")]
    dir: Option<PathBuf>,
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct SubmitArgs {
    /// The proposal; several copies of it, if each was signed by others
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    whom: Whom,
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct EnrolArgs {
    /// The member whose place it takes: f1
    member: String,
    /// The folder with the new identity
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Write it into this file [default: enrolment-MEMBER.json]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    whom: Whom,
}

/// A proposal file, as the commands answer it.
#[derive(Debug, Serialize)]
pub struct ProposalAnswer {
    file: PathBuf,
    number: u64,
    height: Option<SideHeight>,
    changes: Vec<DialChange>,
    signed: Vec<String>,
    signatures: usize,
}

/// A proposal that was handed in.
#[derive(Debug, Serialize)]
pub struct SubmitAnswer {
    id: Digest,
    number: u64,
    height: Option<SideHeight>,
    /// The block that has it; none yet with `--no-wait`.
    block: Option<SideHeight>,
}

/// Blocks for members to sign in, where no height is named.
const SIGNING_BLOCKS: u64 = 100;
/// How long one question for a status waits at a member.
const STATUS_WAIT: Duration = Duration::from_secs(30);

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::Params(args) => {
            let info = client(ctx, &args.whom).await?.params().await?;
            ctx.out.result(&info, |_| render::params(&info))
        }
        Command::Propose(args) => propose(ctx, args).await,
        Command::Sign(args) => sign(ctx, args).await,
        Command::Submit(args) => submit(ctx, args).await,
        Command::Enrol(args) => enrol(ctx, args).await,
    }
}

async fn client(ctx: &Context, whom: &Whom) -> Result<MemberClient, ApiError> {
    super::prove::member_at(ctx, whom.url.as_deref()).await
}

async fn genesis(client: &MemberClient) -> Result<Genesis, ApiError> {
    let answer = client.genesis().await?;
    answer.read().ok_or_else(|| ApiError::failed(format!("{} gave no genesis that holds", client.base())))
}

async fn propose(ctx: &Context, args: ProposeArgs) -> Result<(), ApiError> {
    let client = client(ctx, &args.whom).await?;
    let (info, genesis) = (client.params().await?, genesis(&client).await?);
    let soonest = info.height.get().saturating_add(1).saturating_add(params_delay(&info));
    let height = SideHeight::new(args.at.unwrap_or_else(|| soonest.saturating_add(SIGNING_BLOCKS)));
    let file = if let Some(path) = &args.replace {
        ProposalFile::replacing(&info, height, Enrolment::load(path).map_err(ApiError::failed)?)
    } else if args.cancel {
        ProposalFile::new(&info, None)
    } else {
        let mut params = info.record.params.clone();
        for text in &args.set {
            params = render::set(&params, text).map_err(ApiError::usage)?;
        }
        ProposalFile::new(&info, Some((height, params)))
    };
    let next = info.height.next().unwrap_or(info.height);
    let proposal = file.proposal(&genesis, &info).map_err(refused)?;
    proposal.check(&genesis, &info.record, &info.membership, next).map_err(|error| refused(error.into()))?;
    let path = args.out.unwrap_or_else(|| PathBuf::from(format!("proposal-{}.json", file.number)));
    file.save(&path).map_err(ApiError::failed)?;
    let answer = answer(&path, &file, &info);
    ctx.out.result(&answer, |_| render::proposal(&path, &file, &info))?;
    ctx.out.next(&[ctx.command(&format!("chain sign {} --member f1", path.display()))]);
    Ok(())
}

async fn enrol(ctx: &Context, args: EnrolArgs) -> Result<(), ApiError> {
    let genesis = genesis(&client(ctx, &args.whom).await?).await?;
    let enrolment = Enrolment::of(&args.dir, &genesis, &args.member).map_err(refused)?;
    let path = args.out.unwrap_or_else(|| PathBuf::from(format!("enrolment-{}.json", args.member)));
    enrolment.save(&path).map_err(ApiError::failed)?;
    ctx.out.result(&enrolment, |_| render::enrolment(&path, &enrolment))?;
    ctx.out.next(&[ctx.command(&format!("chain propose --replace {}", path.display()))]);
    Ok(())
}

fn params_delay(info: &ParamsInfo) -> u64 {
    info.record.params.change_delay_blocks.into()
}

async fn sign(ctx: &Context, args: SignArgs) -> Result<(), ApiError> {
    let dir = match (&args.dir, &args.member) {
        (Some(dir), _) => dir.clone(),
        (None, Some(member)) => {
            windlass_regtest::layout::check_name(member).map_err(ApiError::usage)?;
            ctx.network()?.layout().member(member)
        }
        (None, None) => return Err(ApiError::usage("as which member? Add --member f1 or --dir DIR")),
    };
    // A member believes its own process, and no other.
    let ready = Ready::load(&dir)
        .map_err(ApiError::usage)?
        .ok_or_else(|| ApiError::usage(format!("{} is no folder of a member that has run", dir.display())))?;
    let client = MemberClient::new(ready.api);
    let (info, genesis) = (client.params().await?, genesis(&client).await?);
    let mut file = ProposalFile::load(&args.file).map_err(ApiError::usage)?;
    let signer = file.sign(&dir, &genesis, &info).map_err(refused)?;
    file.save(&args.file).map_err(ApiError::failed)?;
    let answer = answer(&args.file, &file, &info);
    ctx.out.result(&answer, |_| format!("{signer} signed\n{}", render::proposal(&args.file, &file, &info)))?;
    let enough = file.signatures.len() >= info.signatures;
    let next = if enough { "submit" } else { "sign" };
    ctx.out.next(&[ctx.command(&format!("chain {next} {}", args.file.display()))]);
    Ok(())
}

async fn submit(ctx: &Context, args: SubmitArgs) -> Result<(), ApiError> {
    let client = client(ctx, &args.whom).await?;
    let (info, genesis) = (client.params().await?, genesis(&client).await?);
    let mut files = Vec::with_capacity(args.files.len());
    for path in &args.files {
        files.push(ProposalFile::load(path).map_err(ApiError::usage)?);
    }
    let mut files = files.into_iter();
    let mut file = files.next().ok_or_else(|| ApiError::usage("which proposal?"))?;
    for other in files {
        file.merge(other).map_err(refused)?;
    }
    let transaction = file.transaction(&genesis, &info).map_err(refused)?;
    let id = transaction.id();
    client.submit(hex::encode(transaction.encode())).await?;
    let block = if ctx.global.no_wait { None } else { Some(wait(ctx, &client, id).await?) };
    let answer = SubmitAnswer { id, number: file.number, height: file.height, block };
    ctx.out.result(&answer, |_| render::submitted(file.number, file.height, block))?;
    ctx.out.next(&[ctx.command("chain params")]);
    Ok(())
}

async fn wait(ctx: &Context, client: &MemberClient, id: Digest) -> Result<SideHeight, ApiError> {
    let deadline = tokio::time::Instant::now() + ctx.global.timeout.unwrap_or(crate::context::VERB_TIMEOUT);
    while tokio::time::Instant::now() < deadline {
        match client.transaction(id, STATUS_WAIT).await? {
            TransactionStatus::Final { height } => return Ok(height),
            TransactionStatus::Pending => {}
            TransactionStatus::Unknown => {
                return Err(ApiError::failed("the member dropped the proposal: another one may have come first")
                    .hint("see what is pending", ctx.command("chain params")));
            }
        }
    }
    Err(ApiError::timeout(format!("the proposal {id} is in no block yet"))
        .hint("look again", ctx.command("chain params")))
}

fn refused(error: ProposalFileError) -> ApiError {
    match error {
        ProposalFileError::File(error) => ApiError::usage(error),
        ProposalFileError::Refused(error) => ApiError::conflict(error),
        other => ApiError::usage(other),
    }
}

fn answer(path: &Path, file: &ProposalFile, info: &ParamsInfo) -> ProposalAnswer {
    ProposalAnswer {
        file: path.to_owned(),
        number: file.number,
        height: file.height,
        changes: file.changes(info),
        signed: file.signatures.iter().map(|by| by.member.clone()).collect(),
        signatures: info.signatures,
    }
}

//! The recount: do the federation's coins on Bitcoin equal what it owes?
//!
//! Two independent sides. [`Recount`] replays the sidechain's blocks from the genesis with the
//! ledger's own rules, believing nothing but the members' certificates (checked by the caller's
//! closure), and so has supply, unpaid peg-outs and the scripts of the coins. [`Recount::check`]
//! then asks a bitcoind, anyone's, for exactly these coins at its tip.
//!
//! At Bitcoin's tip: reserve = supply + owed. Owed is what was burned and is not paid yet, and what
//! was swept into the treasury and is not minted yet. A deposit that is claimed but not swept is
//! not reserve and not owed: its user can still take it back.

use bitcoin::{Amount, OutPoint, ScriptBuf};
use serde::{Deserialize, Serialize};
use windlass_chain::{Bitcoind, RpcError};
use windlass_ledger::{
    Batch, Block, BlockError, Coin, Genesis, GenesisError, Header, MemoryState, ScriptError, StateError, apply,
    genesis_state, query,
};
use windlass_types::{BlockRef, ChainId, SideHeight};

/// How often the tip may move under the check before it gives up.
const MAX_TIP_RETRIES: usize = 10;

/// Why the sidechain's blocks don't hold.
#[derive(Debug, thiserror::Error)]
pub enum RecountError {
    /// The genesis is out of range.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The members' certificate does not prove the block.
    #[error("block {height}: its certificate does not hold: {reason}")]
    Certificate {
        /// The block.
        height: SideHeight,
        /// Why.
        reason: String,
    },
    /// The block breaks a rule: a quorum signed what it must not.
    #[error("block {height} breaks the rules")]
    Rule {
        /// The block.
        height: SideHeight,
        /// Which rule.
        source: Box<BlockError>,
    },
}

/// Why the coins could not be checked (not: that they don't add up, which is a report).
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// bitcoind.
    #[error(transparent)]
    Bitcoind(#[from] RpcError),
    /// The replayed state.
    #[error(transparent)]
    State(#[from] StateError),
    /// A script.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// This bitcoind does not have the sidechain's anchor.
    #[error("bitcoind at {tip} does not have the sidechain's Bitcoin block {anchor}: it is behind or on another chain")]
    OtherChain {
        /// The sidechain's anchor.
        anchor: BlockRef,
        /// bitcoind's tip.
        tip: BlockRef,
    },
    /// Blocks came faster than the questions.
    #[error("Bitcoin's tip moved {MAX_TIP_RETRIES} times during the check")]
    Restless,
}

/// A coin of the federation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveCoin {
    /// Where it is.
    pub outpoint: OutPoint,
    /// Its value.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "amount_sat")]
    pub amount: Amount,
    /// Its script, recomputed.
    pub script: ScriptBuf,
    /// The batch that made it.
    pub batch: u64,
    /// Its confirmations at the tip.
    pub confirmations: u32,
}

/// What the recount found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservesReport {
    /// The sidechain.
    pub chain: ChainId,
    /// As of this sidechain block.
    pub height: SideHeight,
    /// Which had consumed Bitcoin up to here.
    pub anchor: BlockRef,
    /// The coins are as of this Bitcoin block.
    pub bitcoin_tip: BlockRef,
    /// What all accounts own.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "supply_sat")]
    pub supply: Amount,
    /// Burned, and not paid at Bitcoin's tip.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "owed_peg_outs_sat")]
    pub owed_peg_outs: Amount,
    /// Swept at Bitcoin's tip (less its fee), and not minted.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "owed_deposits_sat")]
    pub owed_deposits: Amount,
    /// Both together.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "owed_sat")]
    pub owed: Amount,
    /// Claimed, and not swept at Bitcoin's tip: counted on neither side.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "waiting_deposits_sat")]
    pub waiting_deposits: Amount,
    /// The federation's coins at Bitcoin's tip.
    pub coins: Vec<ReserveCoin>,
    /// Their sum.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "reserve_sat")]
    pub reserve: Amount,
    /// reserve = supply + owed, and every coin is what it should be.
    pub ok: bool,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// A replay of the sidechain from its genesis.
pub struct Recount {
    genesis: Genesis,
    state: MemoryState,
    tip: Header,
}

impl Recount {
    /// At height 0.
    ///
    /// # Errors
    /// The genesis is out of range.
    pub fn new(genesis: Genesis) -> Result<Self, RecountError> {
        genesis.validate()?;
        let (changes, tip) = genesis_state(&genesis);
        let mut state = MemoryState::default();
        state.commit(&changes);
        Ok(Self { genesis, state, tip })
    }

    /// The newest header.
    pub const fn tip(&self) -> &Header {
        &self.tip
    }

    /// The chain's genesis.
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The replayed state.
    pub const fn state(&self) -> &MemoryState {
        &self.state
    }

    /// Takes the next block. `certified` says whether the members' certificate proves it.
    ///
    /// # Errors
    /// The certificate does not hold, or the block breaks a rule.
    pub fn push<E: std::fmt::Display>(
        &mut self,
        block: &Block,
        certified: impl FnOnce(&Block) -> Result<(), E>,
    ) -> Result<(), RecountError> {
        let height = block.header.height;
        certified(block).map_err(|reason| RecountError::Certificate { height, reason: reason.to_string() })?;
        let applied = apply(&self.genesis, &self.state, &self.tip, block)
            .map_err(|source| RecountError::Rule { height, source: Box::new(source) })?;
        self.state.commit(&applied.changes);
        self.tip = applied.header;
        Ok(())
    }

    /// Compares with the coins at the bitcoind's tip.
    ///
    /// # Errors
    /// It could not be compared. A difference is no error but a report that is not `ok`.
    pub async fn check(&self, bitcoind: &Bitcoind) -> Result<ReservesReport, CheckError> {
        for _ in 0..MAX_TIP_RETRIES {
            let tip = bitcoind.tip().await?;
            let anchored = bitcoind.block_hash(self.tip.anchor.height).await?;
            if anchored != Some(self.tip.anchor.hash()) {
                return Err(CheckError::OtherChain { anchor: self.tip.anchor, tip });
            }
            let report = self.check_at(bitcoind, tip).await?;
            if bitcoind.tip().await? == tip {
                return Ok(report);
            }
        }
        Err(CheckError::Restless)
    }

    async fn check_at(&self, bitcoind: &Bitcoind, tip: BlockRef) -> Result<ReservesReport, CheckError> {
        let mut faults = Vec::new();
        if let Some(breach) = query::breach(&self.state)? {
            faults.push(format!("the treasury coin was spent by {}, which is no batch", breach.txid));
        }
        let batch = query::batch(&self.state)?;
        let confirmed = match &batch {
            Some(batch) => self.is_confirmed(bitcoind, batch, tip).await?,
            None => false,
        };
        let swept = batch.filter(|_| confirmed);
        let expected = match &swept {
            Some(batch) => match batch.change_outpoint() {
                Some(outpoint) => {
                    Some((outpoint, batch.change, batch.change_spend_info(&self.genesis)?.script, batch.id))
                }
                None => None,
            },
            None => match query::treasury(&self.state)? {
                Some(coin) => Some((coin.outpoint, coin.amount, coin.spend_info(&self.genesis)?.script, coin.batch)),
                None => None,
            },
        };
        let mut coins = Vec::new();
        if let Some((outpoint, amount, script, batch)) = expected {
            match bitcoind.confirmed_utxo(outpoint).await? {
                None => faults.push(format!("the coin {outpoint} of {amount} is not there (spent, or never made)")),
                Some(utxo) => {
                    if utxo.script != script {
                        faults.push(format!("the coin {outpoint} pays the script {}, not {script}", utxo.script));
                    }
                    if utxo.value != amount {
                        faults.push(format!("the coin {outpoint} holds {}, not {amount}", utxo.value));
                    }
                    let confirmations = utxo.confirmations;
                    coins.push(ReserveCoin { outpoint, amount: utxo.value, script, batch, confirmations });
                }
            }
        }
        self.report(tip, swept.as_ref(), coins, faults)
    }

    /// Whether the batch in flight is in a block after the anchor. (Before it, the ledger would
    /// have settled it.)
    async fn is_confirmed(&self, bitcoind: &Bitcoind, batch: &Batch, tip: BlockRef) -> Result<bool, CheckError> {
        let mut height = self.tip.anchor.height;
        while height < tip.height {
            let Some(next) = height.next() else { break };
            height = next;
            let Some(hash) = bitcoind.block_hash(height).await? else { break };
            if let Some(block) = bitcoind.block(hash).await?
                && block.txdata.iter().any(|transaction| transaction.compute_txid() == batch.txid)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn report(
        &self,
        bitcoin_tip: BlockRef,
        swept: Option<&Batch>,
        coins: Vec<ReserveCoin>,
        mut faults: Vec<String>,
    ) -> Result<ReservesReport, CheckError> {
        let totals = query::totals(&self.state)?;
        let paid = sum(swept.iter().flat_map(|batch| &batch.payouts).map(|payout| payout.burned));
        let swept_deposits = swept.iter().flat_map(|batch| &batch.inputs).filter_map(|input| match &input.coin {
            Coin::Deposit { fee_share, .. } => Some((input.amount, *fee_share)),
            Coin::Treasury { .. } => None,
        });
        let (whole, fees): (Vec<Amount>, Vec<Amount>) = swept_deposits.unzip();
        let whole = sum(whole.into_iter());
        let owed_deposits = minus(whole, sum(fees.into_iter()));
        let owed_peg_outs = minus(totals.owed, paid);
        let owed = sum([owed_peg_outs, owed_deposits].into_iter());
        let waiting = sum(query::pending_deposits(&self.state)?.iter().map(|deposit| deposit.amount));
        let in_flight = query::batch(&self.state)?;
        let batched = in_flight.iter().flat_map(|batch| &batch.inputs);
        let batched = sum(batched.filter(|i| matches!(i.coin, Coin::Deposit { .. })).map(|i| i.amount));
        let waiting_deposits = minus(sum([waiting, batched].into_iter()), whole);
        let reserve = sum(coins.iter().map(|coin| coin.amount));
        let liabilities = sum([totals.supply, owed].into_iter());
        if totals.supply != self.tip.supply {
            faults
                .push(format!("the header says a supply of {}, the accounts hold {}", self.tip.supply, totals.supply));
        }
        if reserve != liabilities {
            faults.push(format!("the reserve is {reserve}; supply and owed are {liabilities}"));
        }
        Ok(ReservesReport {
            chain: self.tip.chain,
            height: self.tip.height,
            anchor: self.tip.anchor,
            bitcoin_tip,
            supply: totals.supply,
            owed_peg_outs,
            owed_deposits,
            owed,
            waiting_deposits,
            coins,
            reserve,
            ok: faults.is_empty(),
            faults,
        })
    }
}

/// All amounts here are sums of coins and accounts that the ledger has bounded by 21 million BTC;
/// should that ever fail, the sums differ and the report says so.
fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    amounts.fold(Amount::ZERO, |total, amount| Amount::from_sat(total.to_sat().saturating_add(amount.to_sat())))
}

fn minus(a: Amount, b: Amount) -> Amount {
    Amount::from_sat(a.to_sat().saturating_sub(b.to_sat()))
}

//! Splicing: more or less in a channel, while it goes on.
//!
//! What LDK 0.2 can't: more than one splice of a channel at a time, raise the fee of one that waits, or add
//! coins to a peer's splice. Both must be connected and offer splicing (BOLT 9's bits 62/63) and quiescence (34/35).

use super::Node;
use crate::book::{Asked, Row};
use crate::{ChannelId, SpliceError};
use bitcoin::{Amount, FeeRate, ScriptBuf, TxOut, Txid, Weight};
use lightning::chain::chaininterface::BroadcasterInterface;
use lightning::ln::funding::{FundingTxInput, SpliceContribution};
use lightning::ln::types::ChannelId as LdkChannelId;
use lightning::util::errors::APIError;
use std::time::Duration;
use tokio::time::Instant;
use windlass_chain::{BuildError, Chosen};

/// How long a peer may take to agree.
const SPLICE_TIMEOUT: Duration = Duration::from_secs(30);

/// The input that spends the funding output: 41 bytes, and two signatures, their script, and their counts.
const FUNDING_INPUT: Weight = Weight::from_wu(4 * 41 + 224);

/// The least fee rate that LDK takes, in sat per 1,000 weight.
const FEERATE_FLOOR: u32 = 253;

/// Fee rates that a user may ask for, in sat/vB.
const FEE_RATE: std::ops::RangeInclusive<u64> = 1..=5_000;

/// What is taken out of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpliceOut {
    /// So much arrives.
    pub amount: Amount,
    /// There; in the wallet without.
    pub script: Option<ScriptBuf>,
}

impl Node {
    /// Adds `amount` from the wallet to a channel, at `rate` sat/vB or the usual one. Returns when both have
    /// signed and the transaction is broadcast: the channel goes on meanwhile, and has the amount once that
    /// has as many confirmations as its funding needed.
    ///
    /// # Errors
    /// See [`SpliceError`]. Nothing was spent then, except after [`SpliceError::TimedOut`], when the peer may
    /// yet answer.
    pub async fn splice_in(&self, id: ChannelId, amount: Amount, rate: Option<u64>) -> Result<Txid, SpliceError> {
        let rate = self.splice_rate(rate)?;
        self.check_splice(id)?;
        let refused = |reason: String| SpliceError::Refused { channel: id, reason };
        let reserve = self.reserve_for(self.channels_with_reserve());
        let chosen = self.parts.wallet.choose(amount, FUNDING_INPUT, rate).map_err(|error| match error {
            BuildError::InsufficientFunds { have, need, .. } => {
                let need = need.checked_add(reserve).unwrap_or(Amount::MAX_MONEY);
                SpliceError::InsufficientFunds { have, need, reserve }
            }
            other => refused(other.to_string()),
        })?;
        let coins = chosen.outpoints();
        let result = match self.check_left(amount, &chosen, rate, reserve) {
            Ok(()) => {
                let asked = Asked { in_sat: amount.to_sat(), coins: coins.clone(), ..Asked::default() };
                match self.contribution(amount, chosen) {
                    Ok(contribution) => self.splice(id, contribution, asked, rate).await,
                    Err(reason) => Err(refused(reason)),
                }
            }
            Err(error) => Err(error),
        };
        // While the peer may still answer, they stay held.
        if !matches!(result, Ok(_) | Err(SpliceError::TimedOut(_) | SpliceError::NotDurable)) {
            self.parts.wallet.release_coins(coins);
        }
        result
    }

    /// Takes an amount out of a channel; the fee, at `rate` sat/vB or the usual one, comes out of it, too.
    /// Returns as [`Self::splice_in`].
    ///
    /// # Errors
    /// See [`SpliceError`], and [`Self::splice_in`].
    pub async fn splice_out(&self, id: ChannelId, out: &SpliceOut, rate: Option<u64>) -> Result<Txid, SpliceError> {
        let rate = self.splice_rate(rate)?;
        self.check_splice(id)?;
        let script = match &out.script {
            Some(script) => script.clone(),
            None => {
                let address = self.parts.wallet.address();
                address
                    .map_err(|error| SpliceError::Refused { channel: id, reason: error.to_string() })?
                    .script_pubkey()
            }
        };
        let least = script.minimal_non_dust();
        if out.amount < least {
            return Err(SpliceError::TooSmall { amount: out.amount, least });
        }
        let to_wallet = self.parts.wallet.is_mine(&script);
        let outputs = vec![TxOut { value: out.amount, script_pubkey: script.clone() }];
        let asked = Asked { out_sat: out.amount.to_sat(), script: Some(script), to_wallet, ..Asked::default() };
        self.splice(id, SpliceContribution::SpliceOut { outputs }, asked, rate).await
    }

    fn splice_rate(&self, asked: Option<u64>) -> Result<FeeRate, SpliceError> {
        let Some(asked) = asked else { return Ok(self.funding_rate()) };
        let rate = FeeRate::from_sat_per_vb(asked).filter(|_| FEE_RATE.contains(&asked));
        rate.ok_or(SpliceError::FeeRate { asked, least: *FEE_RATE.start(), most: *FEE_RATE.end() })
    }

    fn check_splice(&self, id: ChannelId) -> Result<(), SpliceError> {
        let channel = self.channel(id).ok_or(SpliceError::Unknown(id))?;
        if let Some(splice) = channel.splice {
            return Err(SpliceError::Pending { channel: id, txid: splice.txid });
        }
        if channel.state == crate::ChannelState::Offline {
            return Err(SpliceError::Offline { peer: channel.peer });
        }
        Ok(())
    }

    /// The wallet keeps what it needs to lift the fees of closes.
    fn check_left(&self, amount: Amount, chosen: &Chosen, rate: FeeRate, reserve: Amount) -> Result<(), SpliceError> {
        // A frame, the new funding output, change, and a P2TR key spend for each coin.
        let inputs = u64::try_from(chosen.coins.len()).unwrap_or(u64::MAX);
        let weight = FUNDING_INPUT + Weight::from_wu(42 + 8 * 43) + Weight::from_wu(230) * inputs;
        let have = self.parts.wallet.balance().spendable();
        let need = rate.fee_wu(weight).and_then(|fee| fee.checked_add(amount)?.checked_add(reserve));
        let need = need.unwrap_or(Amount::MAX_MONEY);
        if have < need { Err(SpliceError::InsufficientFunds { have, need, reserve }) } else { Ok(()) }
    }

    fn contribution(&self, value: Amount, chosen: Chosen) -> Result<SpliceContribution, String> {
        let mut inputs = Vec::new();
        for (before, vout) in chosen.coins {
            let input = FundingTxInput::new_p2tr_key_spend(before, vout);
            inputs.push(input.map_err(|()| "a coin of the wallet is of no kind that LDK takes".to_owned())?);
        }
        let change_script = Some(self.parts.wallet.change_script().map_err(|error| error.to_string())?);
        Ok(SpliceContribution::SpliceIn { value, inputs, change_script })
    }

    async fn splice(
        &self,
        id: ChannelId,
        contribution: SpliceContribution,
        asked: Asked,
        rate: FeeRate,
    ) -> Result<Txid, SpliceError> {
        let known = self.begin_splice(id, contribution, asked, rate).await?;
        self.peer_manager.process_events();
        let outcome = self.wait_for(Instant::now() + SPLICE_TIMEOUT, || self.splice_outcome(id, known));
        match outcome.await {
            Some(Some(txid)) => {
                // Who mines next wants it.
                self.broadcasts().await;
                Ok(txid)
            }
            Some(None) => {
                let reason = "the peer did not agree, or went away meanwhile".to_owned();
                Err(SpliceError::Refused { channel: id, reason })
            }
            None => Err(SpliceError::TimedOut(id)),
        }
    }

    /// What came of it, once that is known: a transaction or nothing.
    fn splice_outcome(&self, id: ChannelId, known: usize) -> Option<Option<Txid>> {
        let pages = self.book.read();
        let facts = pages.facts.get(&id)?;
        // A peer's own splice may have come first.
        let ours = facts.splices.iter().skip(known).find(|splice| splice.asked != Asked::default());
        match (ours, &facts.splicing) {
            (Some(splice), _) => Some(Some(splice.to.txid)),
            (None, None) => Some(None),
            (None, Some(_)) => None,
        }
    }

    /// Hands it to LDK. Returns how many splices the channel has had before.
    async fn begin_splice(
        &self,
        id: ChannelId,
        contribution: SpliceContribution,
        asked: Asked,
        rate: FeeRate,
    ) -> Result<usize, SpliceError> {
        let of_ldk = LdkChannelId(id.0);
        let peer = self.channel(id).ok_or(SpliceError::Unknown(id))?.peer;
        let _turn = self.splice_turn.lock().await;
        if self.book.read().facts.get(&id).is_some_and(|facts| facts.splicing.is_some()) {
            // Either LDK has it, or it was lost in a crash before LDK had it. To add nothing is always
            // refused, and for which reason says which.
            let nothing = SpliceContribution::SpliceOut { outputs: Vec::new() };
            let answer = self.channel_manager.splice_channel(&of_ldk, &peer, nothing, FEERATE_FLOOR, None);
            if !answer.is_err_and(|error| words(error).contains("cannot be zero")) {
                return Err(SpliceError::Busy(id));
            }
            self.end_splicing(id);
        }
        // What is asked is on the disk before LDK knows of it, or the books could miss what came of it.
        let mut known = None;
        self.book.write(|pages| {
            known = pages.facts.get_mut(&id).map(|facts| {
                facts.splicing = Some(asked);
                facts.splices.len()
            });
            [Row::Facts(id)]
        });
        let known = known.ok_or(SpliceError::Unknown(id))?;
        if !self.kv.durable().await {
            return Err(SpliceError::NotDurable);
        }
        let rate = u32::try_from(rate.to_sat_per_kwu()).unwrap_or(u32::MAX);
        if let Err(error) = self.channel_manager.splice_channel(&of_ldk, &peer, contribution, rate, None) {
            self.end_splicing(id);
            return Err(SpliceError::Refused { channel: id, reason: words(error) });
        }
        Ok(known)
    }

    /// After a start: the coins of splices are theirs, and what waits for a block is sent again.
    pub(super) fn resume_splices(&self) {
        self.parts.wallet.hold_coins(self.book.read().coins_of_splices());
        self.rebroadcast_splices();
    }

    /// LDK hands out the transaction of a splice once; a mempool may lose it.
    pub(super) fn rebroadcast_splices(&self) {
        let waiting = self.book.read().waiting_splices();
        for transaction in waiting {
            self.broadcaster.broadcast_transactions(&[&transaction]);
        }
    }
}

/// What LDK says, without its type.
fn words(error: APIError) -> String {
    match error {
        APIError::APIMisuseError { err }
        | APIError::FeeRateTooHigh { err, .. }
        | APIError::InvalidRoute { err }
        | APIError::ChannelUnavailable { err } => err,
        other => format!("{other:?}"),
    }
}

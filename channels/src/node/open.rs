//! Opening a channel.

use super::{Node, count};
use crate::book::{Opening, Row};
use crate::{Channel, ChannelId, OpenError, PeerAddress};
use bitcoin::{Amount, ScriptBuf, Weight};
use lightning::sign::EntropySource;
use std::time::Duration;
use tokio::time::Instant;
use windlass_chain::{BuildError, BuiltMany};
use windlass_types::{Blocks, BtcHeight, Msat};

/// Below this, a close by force costs more than there is.
pub(super) const LEAST: Amount = Amount::from_sat(20_000);

/// How long a peer may take to agree to a channel.
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// What we keep beside a push: our reserve (a hundredth, BOLT 2's usual), the commitment's fee with
/// room for it to rise, and the anchors.
const KEPT_SAT: u64 = 3_000;

/// A channel to be opened.
#[derive(Debug, Clone)]
pub struct OpenRequest {
    /// With whom. It is connected to if need be.
    pub peer: PeerAddress,
    /// The channel's value.
    pub amount: Amount,
    /// What is the peer's from the start.
    pub push: Msat,
    /// Announce it in gossip, so that others may pay over it.
    pub announce: bool,
}

impl Node {
    /// Opens a channel and returns when its funding transaction is signed and broadcast. It carries
    /// payments after [`Channel::confirmations_required`]; see [`Self::wait_usable`].
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing was spent then, except after [`OpenError::TimedOut`], when the
    /// peer may yet answer.
    pub async fn open_channel(&self, request: &OpenRequest) -> Result<Channel, OpenError> {
        self.check_opening(std::slice::from_ref(request))?;
        self.connect(&request.peer).await?;
        let user_id = self.new_user_id();
        self.propose(request, user_id).await?;
        let deadline = Instant::now() + OPEN_TIMEOUT;
        self.wait_opened(request, user_id, deadline).await
    }

    /// Waits for what comes of a proposal.
    pub(super) async fn wait_opened(
        &self,
        request: &OpenRequest,
        user_id: u128,
        deadline: Instant,
    ) -> Result<Channel, OpenError> {
        let peer = request.peer.node_id;
        let outcome = self.wait_for(deadline, || self.outcome(user_id)).await;
        // Who mines next wants the funding in it.
        self.broadcasts().await;
        match outcome {
            Some(Ok(channel)) => Ok(channel),
            Some(Err(reason)) => Err(OpenError::Refused { peer, reason }),
            None => Err(OpenError::TimedOut { peer }),
        }
    }

    /// Notes a channel and proposes it to its peer, which must be connected.
    pub(super) async fn propose(&self, request: &OpenRequest, user_id: u128) -> Result<(), OpenError> {
        let peer = request.peer.node_id;
        let refused = |reason: String| OpenError::Refused { peer, reason };
        self.book.write(|pages| {
            let opening = Opening {
                peer,
                capacity_sat: request.amount.to_sat(),
                push_msat: request.push.get(),
                we_funded: true,
                announce: request.announce,
                funding: None,
                failed: None,
                channel: None,
            };
            pages.openings.insert(user_id, opening);
            [Row::Opening(user_id)]
        });
        if !self.kv.durable().await {
            return Err(OpenError::NotDurable);
        }
        let mut config = self.config.user_config();
        config.channel_handshake_config.announce_for_forwarding = request.announce;
        let (amount, push) = (request.amount.to_sat(), request.push.get());
        self.channel_manager
            .create_channel(peer, amount, push, user_id, None, Some(config))
            .map_err(|error| refused(format!("{error:?}")))?;
        self.peer_manager.process_events();
        Ok(())
    }

    fn outcome(&self, user_id: u128) -> Option<Result<Channel, String>> {
        let (failed, channel) = {
            let pages = self.book.read();
            let opening = pages.openings.get(&user_id)?;
            (opening.failed.clone(), opening.channel)
        };
        match (failed, channel) {
            (Some(reason), _) => Some(Err(reason)),
            (None, Some(id)) => Some(self.channel(id).ok_or_else(|| "it was closed at once".into())),
            (None, None) => None,
        }
    }

    /// Waits until the channel carries payments, or is gone; `None` if neither by `deadline`.
    pub async fn wait_usable(&self, id: ChannelId, deadline: Instant) -> Option<Channel> {
        self.wait_for(deadline, || self.channel(id).filter(|channel| channel.state == crate::ChannelState::Usable))
            .await
    }

    pub(super) fn new_user_id(&self) -> u128 {
        let random = self.keys.get_secure_random_bytes();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&random[..16]);
        u128::from_be_bytes(bytes)
    }

    /// Checks channels that are to be opened together.
    pub(super) fn check_opening(&self, requests: &[OpenRequest]) -> Result<(), OpenError> {
        let mut sum = Amount::ZERO;
        for request in requests {
            let amount = request.amount;
            if amount < LEAST {
                return Err(OpenError::TooSmall { amount, least: LEAST });
            }
            let reserve = (amount.to_sat() / 100).max(1_000);
            let most = Amount::from_sat(amount.to_sat().saturating_sub(reserve + KEPT_SAT));
            let most = Msat::from_sat(most).unwrap_or(Msat::ZERO);
            if request.push > most {
                return Err(OpenError::PushTooLarge { push: request.push, amount, most });
            }
            sum = sum.checked_add(amount).unwrap_or(Amount::MAX_MONEY);
        }
        let count = count(requests.len());
        let have = self.parts.wallet.balance().spendable();
        let fee = self.funding_fee(sum, count);
        let reserve = self.reserve_for(self.channels_with_reserve().saturating_add(count));
        let need = sum.checked_add(fee).and_then(|sum| sum.checked_add(reserve)).unwrap_or(Amount::MAX_MONEY);
        if have < need {
            return Err(OpenError::InsufficientFunds { have, need, fee, reserve });
        }
        Ok(())
    }

    /// What must stay in the wallet for so many channels.
    pub(super) fn reserve_for(&self, channels: u32) -> Amount {
        self.config.anchor_reserve.checked_mul(u64::from(channels)).unwrap_or(Amount::MAX_MONEY)
    }

    /// A signed funding transaction. LDK takes none whose locktime is above its own next block, and the
    /// wallet reads blocks before LDK does.
    pub(super) fn build_funding(&self, payments: &[(ScriptBuf, Amount)]) -> Result<BuiltMany, BuildError> {
        let height = BtcHeight::new(self.channel_manager.current_best_block().height);
        self.parts.wallet.build_many(payments, self.funding_rate(), height)
    }

    /// The rate of funding transactions.
    pub(super) fn funding_rate(&self) -> bitcoin::FeeRate {
        self.parts.fees.rate(Blocks::new(6))
    }

    /// An estimate from above: with as many inputs as it takes, largest coins first, an output for each
    /// channel and one for change.
    fn funding_fee(&self, amount: Amount, channels: u32) -> Amount {
        /// A version, counts, a locktime, and a P2TR output.
        const FRAME: Weight = Weight::from_wu(42 + 4 * 43);
        /// A P2WSH output.
        const OUTPUT: Weight = Weight::from_wu(4 * 43);
        /// A P2TR key spend.
        const INPUT: Weight = Weight::from_wu(164 + 66);
        let mut coins: Vec<Amount> =
            self.parts.wallet.utxos().iter().filter(|coin| coin.spendable).map(|coin| coin.output.value).collect();
        coins.sort_unstable_by(|a, b| b.cmp(a));
        let mut sum = Amount::ZERO;
        let mut weight = FRAME + OUTPUT * u64::from(channels);
        for coin in coins {
            sum += coin;
            weight += INPUT;
            if sum > amount {
                break;
            }
        }
        self.funding_rate().fee_wu(weight).unwrap_or(Amount::MAX_MONEY)
    }
}

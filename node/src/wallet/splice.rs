//! POST `/v1/channels/{id}/splice`

use super::errors;
use super::lightning::of_open;
use super::node::WalletNode;
use crate::api::ApiError;
use crate::api::splice::{SpliceRequest, SpliceWay};
use crate::api::wallet::ChannelInfo;
use windlass_chain::parse_address;
use windlass_channels::SpliceOut;

impl WalletNode {
    pub(super) async fn splice_channel(&self, id: &str, request: &SpliceRequest) -> Result<ChannelInfo, ApiError> {
        let before = self.channel(id)?;
        let channel = self.lightning.find_channel(&before.id).map_err(errors::find)?.id;
        let spliced = match (request.way, &request.to) {
            (SpliceWay::In, Some(_)) => {
                return Err(ApiError::usage("what is spliced in goes into the channel: leave out the address"));
            }
            (SpliceWay::In, None) => self.lightning.splice_in(channel, request.amount, request.fee_rate).await,
            (SpliceWay::Out, to) => {
                let network = self.wallet.network();
                let address = to.as_ref().map(|to| parse_address(to, network)).transpose().map_err(ApiError::usage)?;
                let script = address.map(|address| address.script_pubkey());
                let out = SpliceOut { amount: request.amount, script };
                self.lightning.splice_out(channel, &out, request.fee_rate).await
            }
        };
        spliced.map_err(|error| errors::splice(&self.config.name, error))?;
        let now = self.lightning.channel(channel);
        match now {
            Some(now) => Ok(of_open(&now, self.lightning.record(channel).as_ref())),
            None => self.channel(id),
        }
    }
}

//! The channels' part of a statement.

use super::{joined, line};
use crate::api::ApiError;
use crate::api::wallet::{ChainedTransaction, ChannelState, ChannelStatement};
use crate::wallet::node::WalletNode;
use bitcoin::{Amount, OutPoint};
use windlass_channels::{Arrival, ArrivalKind, ChannelRecord, SpliceRecord};
use windlass_types::Msat;

const MSAT: u64 = 1000;

fn msat(amount: Amount) -> i128 {
    i128::from(amount.to_sat()) * i128::from(MSAT)
}

impl WalletNode {
    pub(super) async fn channel_statements(&self) -> Result<Vec<ChannelStatement>, ApiError> {
        let mut list = Vec::new();
        for record in self.lightning.records() {
            list.push(self.channel_statement(&record).await?);
        }
        Ok(list)
    }

    async fn channel_statement(&self, record: &ChannelRecord) -> Result<ChannelStatement, ApiError> {
        let open = self.lightning.channel(record.id);
        let state = match (&record.closing, open) {
            (Some(_), _) if record.settled => ChannelState::Closed,
            (Some(_), _) | (None, None) => ChannelState::Closing,
            (None, Some(channel)) => match channel.state {
                windlass_channels::ChannelState::Pending => ChannelState::Opening,
                windlass_channels::ChannelState::Usable => ChannelState::Usable,
                windlass_channels::ChannelState::Offline => ChannelState::PeerAway,
                windlass_channels::ChannelState::Closing => ChannelState::Closing,
            },
        };
        // The funder pays for both anchors; a fundee that spends its own has received that much.
        // What a peer lost by publishing a revoked state is received in the same way.
        let gift = record.gift().to_sat().saturating_mul(MSAT).saturating_add(record.penalty.get());
        let balance = record.balance.get().saturating_add(gift);
        let received = record.received.get().saturating_add(record.forwarded_in.get()).saturating_add(gift);
        let sent = record.sent.get().saturating_add(record.forwarded_out.get());
        let of_closing = record.closing.as_ref();
        let closing_fees = of_closing.map_or(Amount::ZERO, |closing| closing.fee + closing.anchors);
        let fees = closing_fees + record.arrivals.iter().map(|arrival| arrival.fee).sum::<Amount>();
        let rounding = of_closing.map_or(0, |closing| closing.rounding.get().saturating_add(closing.in_flight.get()));
        let returned = record.arrived();
        let mut faults = Vec::new();
        let spliced_in = record.spliced_in();
        let (spliced_out, splice_fees) = record.spliced_out();
        let ins = i128::from(record.opening.get()) + i128::from(received) + msat(spliced_in);
        let outs = i128::from(sent) + msat(spliced_out) + msat(splice_fees);
        if ins - outs != i128::from(balance) {
            faults.push(format!(
                "opening {} + received {received} + spliced {spliced_in} - sent {sent} - spliced out {spliced_out} \
                 is not the balance {balance}",
                record.opening
            ));
        }
        let taken = of_closing.map_or(Amount::ZERO, |closing| closing.taken);
        let accounted = msat(returned) + msat(fees) + msat(taken) + i128::from(rounding);
        if record.settled && accounted != i128::from(balance) {
            let missing = i128::from(balance) - accounted;
            faults.push(format!("{missing} msat of the closing balance are neither returned nor accounted for"));
        }
        if record.difference_msat != 0 {
            faults.push(format!("{} msat are missing in the node's account", record.difference_msat));
        }
        let transactions = self.channel_transactions(record, &mut faults).await?;
        Ok(ChannelStatement {
            id: record.id.to_string(),
            peer: record.peer.to_string(),
            state,
            opening_msat: record.opening,
            received_msat: Msat::new(received),
            sent_msat: Msat::new(sent),
            spliced_in,
            spliced_out,
            splice_fees,
            closing_msat: Msat::new(balance),
            returned,
            fees,
            penalty_msat: record.penalty,
            taken,
            rounding_msat: Msat::new(rounding),
            transactions,
            fault: joined(faults),
        })
    }

    async fn channel_transactions(
        &self,
        record: &ChannelRecord,
        faults: &mut Vec<String>,
    ) -> Result<Vec<ChainedTransaction>, ApiError> {
        let OutPoint { txid, vout } = record.funding.outpoint;
        let funding_fee = record.funding.fee;
        // A peer's funding is not in our books: the chain tells the height while it is unspent.
        let mut height = record.funding.height;
        if height.is_none() {
            let coin = self.bitcoind.confirmed_utxo(record.funding.outpoint).await;
            height = coin.map_err(crate::wallet::errors::rpc)?.and_then(|coin| coin.height);
        }
        let mut list = vec![line(txid, "funding", height, record.funding.value, funding_fee)];
        if let Some(height) = height {
            let found = self.on_chain(txid, height).await?;
            let value = found.as_ref().and_then(|tx| tx.output.get(usize::try_from(vout).ok()?)).map(|out| out.value);
            match value {
                None => faults.push(format!("the funding {txid} is not in block {height}")),
                Some(value) if value != record.funding.value => {
                    faults.push(format!("the funding output carries {value}, the channel {}", record.funding.value));
                }
                Some(_) => {}
            }
        }
        for splice in &record.splices {
            let moved = if splice.added > Amount::ZERO { splice.added } else { splice.removed };
            list.push(line(splice.txid, "splice", splice.height, moved, splice.fee + splice.wallet_fee));
            self.check_splice(splice, faults).await?;
        }
        if let Some((closing, txid)) = record.closing.as_ref().and_then(|closing| Some((closing, closing.txid?))) {
            let paid = record.arrivals.iter().filter(|arrival| arrival.txid == txid).map(|arrival| arrival.net).sum();
            list.push(line(txid, "closing", closing.height, paid, closing.fee + closing.anchors));
            if let Some(height) = closing.height {
                match self.on_chain(txid, height).await? {
                    None => faults.push(format!("the closing {txid} is not in block {height}")),
                    Some(tx) if !tx.input.iter().any(|input| input.previous_output == record.outpoint) => {
                        faults.push(format!("the closing {txid} does not spend the funding output"));
                    }
                    Some(_) => {}
                }
            }
            self.check_arrivals(record, txid, faults).await?;
        }
        for arrival in record.arrivals.iter().filter(|arrival| arrival.kind != ArrivalKind::Close) {
            let purpose = match arrival.kind {
                ArrivalKind::Close | ArrivalKind::Sweep => "sweep",
                ArrivalKind::Anchor => "anchor",
                ArrivalKind::Htlc => "payment",
                ArrivalKind::Penalty => "penalty",
            };
            let fee = arrival.fee + arrival.wallet_fee;
            list.push(line(arrival.txid, purpose, Some(arrival.height), arrival.net, fee));
        }
        for loss in &record.losses {
            list.push(line(loss.txid, "taken", Some(loss.height), Amount::ZERO, Amount::ZERO));
            if self.on_chain(loss.txid, loss.height).await?.is_none() {
                faults.push(format!("{} is not in block {}", loss.txid, loss.height));
            }
        }
        Ok(list)
    }

    /// A splice is in its block, spends the one output and makes the other, of the value in the books.
    async fn check_splice(&self, splice: &SpliceRecord, faults: &mut Vec<String>) -> Result<(), ApiError> {
        let Some(height) = splice.height else { return Ok(()) };
        let Some(tx) = self.on_chain(splice.txid, height).await? else {
            faults.push(format!("the splice {} is not in block {height}", splice.txid));
            return Ok(());
        };
        let made = usize::try_from(splice.to.vout).ok().and_then(|vout| tx.output.get(vout)).map(|out| out.value);
        if made != Some(splice.value) || !tx.input.iter().any(|input| input.previous_output == splice.from) {
            faults.push(format!("the splice {} is not what the books say", splice.txid));
        }
        Ok(())
    }

    /// Each transaction that brought money home is in its block, and the wallet got what the books
    /// say, or more (a sweep takes several channels' money home at once).
    async fn check_arrivals(
        &self,
        record: &ChannelRecord,
        closing: bitcoin::Txid,
        faults: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        for arrival in &record.arrivals {
            let Arrival { txid, height, net, .. } = arrival;
            let Some(tx) = self.on_chain(*txid, *height).await? else {
                faults.push(format!("{txid} is not in block {height}"));
                continue;
            };
            // A payment that is resolved on the chain pays an output that is swept later.
            if arrival.kind == ArrivalKind::Htlc && *txid != closing {
                continue;
            }
            let ours = tx.output.iter().filter(|output| self.wallet.is_mine(&output.script_pubkey));
            let got: Amount = ours.map(|output| output.value).sum();
            if got < *net {
                faults.push(format!("{txid} brought {got} to the wallet, the books say {net}"));
            }
        }
        Ok(())
    }
}

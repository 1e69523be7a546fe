//! Assets in a block: issued, reissued, burned; and the books of each.

use crate::apply::ApplyError;
use crate::asset::{AssetRecord, AssetTerms};
use crate::exec::{InvariantError, Work};
use crate::transaction::Spending;
use crate::tx_error::TxError;
use crate::{Receipt, keys, query};
use std::collections::BTreeMap;
use windlass_types::{AssetId, Digest};

/// What a block did with one asset. The sums are wide enough for any number of transactions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flow {
    /// Supply before the block, where it changes.
    before: Option<u64>,
    issued: u64,
    burned: u64,
    pub(crate) credited: u128,
    pub(crate) debited: u128,
}

/// A reissue or a burn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) asset: AssetId,
    pub(crate) units: u64,
}

impl Work<'_> {
    /// L60 to L62: a new asset, all of it to its issuer.
    pub(crate) fn issue(
        &mut self,
        id: Digest,
        spending: &Spending,
        outflow: &BTreeMap<AssetId, u64>,
        terms: &AssetTerms,
    ) -> Result<(), TxError> {
        // L60: the terms are in range.
        terms.validate()?;
        let Spending { from: issuer, nonce, .. } = *spending;
        // L61: the id is bound to chain, issuer, nonce and terms. No account uses a nonce twice, so it is new.
        let asset = terms.id(self.chain, &issuer, nonce);
        if query::asset(self, &asset)?.is_some() || asset.is_btc() {
            return Err(TxError::Overflow);
        }
        let debited = self.debit(spending, outflow)?;
        self.pay(spending, &debited)?;
        // L62: what is issued is the issuer's.
        let units = terms.units;
        let record = AssetRecord { issuer, nonce, terms: terms.clone(), supply: units, issued: self.height };
        self.put(keys::asset(&asset), &record);
        let flow = self.flows.entry(asset).or_default();
        (flow.before, flow.issued) = (Some(0), units);
        self.credit_units(&issuer, asset, units)?;
        self.receipts.push(Receipt::Issued { id, issuer, asset, units });
        Ok(())
    }

    /// L63: more of an asset, by its issuer, if the terms allow it.
    pub(crate) fn reissue(
        &mut self,
        id: Digest,
        spending: &Spending,
        outflow: &BTreeMap<AssetId, u64>,
        change: Change,
    ) -> Result<(), TxError> {
        let Change { asset, units } = change;
        let mut record = self.changing(change)?;
        let issuer = record.issuer;
        if issuer != spending.from {
            return Err(TxError::NotIssuer { asset, issuer });
        }
        if !record.terms.reissuable {
            return Err(TxError::NotReissuable(asset));
        }
        let before = record.supply;
        // L65: the supply stays within 64 bits, and so does every balance.
        record.supply = before.checked_add(units).ok_or(TxError::Overflow)?;
        let flow = self.flows.get(&asset).copied().unwrap_or_default();
        let issued = flow.issued.checked_add(units).ok_or(TxError::Overflow)?;
        let debited = self.debit(spending, outflow)?;
        self.pay(spending, &debited)?;
        self.put(keys::asset(&asset), &record);
        let flow = self.flows.entry(asset).or_default();
        (flow.before, flow.issued) = (flow.before.or(Some(before)), issued);
        self.credit_units(&issuer, asset, units)?;
        self.receipts.push(Receipt::Issued { id, issuer, asset, units });
        Ok(())
    }

    /// L64: whoever has units of an asset may burn them.
    pub(crate) fn burn(
        &mut self,
        id: Digest,
        spending: &Spending,
        outflow: &BTreeMap<AssetId, u64>,
        change: Change,
    ) -> Result<(), TxError> {
        let Change { asset, units } = change;
        let mut record = self.changing(change)?;
        let before = record.supply;
        let flow = self.flows.get(&asset).copied().unwrap_or_default();
        let burned = flow.burned.checked_add(units).ok_or(TxError::Overflow)?;
        let debited = self.debit(spending, outflow)?;
        // Nobody has more than there is.
        record.supply = before.checked_sub(units).ok_or(TxError::Overflow)?;
        self.pay(spending, &debited)?;
        self.put(keys::asset(&asset), &record);
        let flow = self.flows.entry(asset).or_default();
        (flow.before, flow.burned) = (flow.before.or(Some(before)), burned);
        self.receipts.push(Receipt::AssetBurned { id, from: spending.from, asset, units });
        Ok(())
    }

    /// The asset whose supply is to change: never bitcoin's, and never by nothing (L64).
    fn changing(&self, change: Change) -> Result<AssetRecord, TxError> {
        let Change { asset, units } = change;
        if asset.is_btc() {
            return Err(TxError::Pegged);
        }
        if units == 0 {
            return Err(TxError::ZeroUnits);
        }
        query::asset(self, &asset)?.ok_or(TxError::NoAsset(asset))
    }

    /// L65: of each asset that the block touched, what accounts got less what they gave is what was issued less what
    /// was burned, and so much the supply has changed. Bitcoin's supply is in the header, and is L41's.
    pub(crate) fn check_assets(&self) -> Result<(), ApplyError> {
        for (asset, flow) in &self.flows {
            let (issued, burned) = match asset.is_btc() {
                true => (self.minted.to_sat(), self.burned.to_sat()),
                false => (flow.issued, flow.burned),
            };
            let got = flow.credited.checked_add(burned.into());
            let gave = flow.debited.checked_add(issued.into());
            let is_moved = got.is_some() && got == gave;
            let is_counted = match flow.before.filter(|_| !asset.is_btc()) {
                Some(before) => {
                    let supply = query::asset(self, asset)?.map_or(0, |record| record.supply);
                    u128::from(before).checked_add(issued.into()) == u128::from(supply).checked_add(burned.into())
                }
                // Nothing was issued or burned.
                None => asset.is_btc() || (issued, burned) == (0, 0),
            };
            if !is_moved || !is_counted {
                return Err(InvariantError::Asset { asset: *asset, issued, burned }.into());
            }
        }
        Ok(())
    }
}

//! Who has how much of what.

use crate::fault::TxFault;
use bitcoin::Amount;
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, BTreeSet};
use windlass_types::{AccountId, AssetId};

/// All accounts, all assets, all nonces.
#[derive(Clone, Default, BorshSerialize, BorshDeserialize)]
pub(crate) struct Accounts {
    /// No entry: nothing.
    units: BTreeMap<(AccountId, AssetId), u64>,
    nonces: BTreeMap<AccountId, Used>,
    supply: BTreeMap<AssetId, u64>,
    /// Who issued, and whether more may follow.
    issued: BTreeMap<AssetId, (AccountId, bool)>,
}

/// All nonces below the first, and these.
#[derive(Clone, Default, BorshSerialize, BorshDeserialize)]
struct Used {
    first: u64,
    above: BTreeSet<u64>,
}

impl Accounts {
    pub(crate) fn supply(&self, asset: &AssetId) -> u64 {
        self.supply.get(asset).copied().unwrap_or_default()
    }

    pub(crate) fn balance(&self, account: &AccountId, asset: &AssetId) -> u64 {
        self.units.get(&(*account, *asset)).copied().unwrap_or_default()
    }

    /// What accounts have, asset by asset.
    pub(crate) fn all_units(&self) -> impl Iterator<Item = (AssetId, u64)> {
        self.units.iter().map(|((_, asset), units)| (*asset, *units))
    }

    /// The supply of each asset of which there is some.
    pub(crate) fn supplies(&self) -> impl Iterator<Item = (AssetId, u64)> {
        self.supply.iter().map(|(asset, supply)| (*asset, *supply)).filter(|(_, supply)| *supply > 0)
    }

    /// Each nonce of an account counts once, ever.
    pub(crate) fn use_nonce(&mut self, account: &AccountId, nonce: u64) -> Result<(), TxFault> {
        let used = self.nonces.entry(*account).or_default();
        if nonce < used.first || !used.above.insert(nonce) {
            return Err(TxFault::Replay { account: *account, nonce });
        }
        while used.above.remove(&used.first) {
            used.first = used.first.saturating_add(1);
        }
        Ok(())
    }

    pub(crate) fn take(&mut self, account: &AccountId, asset: AssetId, units: u64) -> Result<(), TxFault> {
        let has = self.balance(account, &asset);
        let short = TxFault::Short { account: *account, asset, has, wanted: units };
        match has.checked_sub(units).ok_or(short)? {
            0 => drop(self.units.remove(&(*account, asset))),
            rest => drop(self.units.insert((*account, asset), rest)),
        }
        Ok(())
    }

    pub(crate) fn give(&mut self, account: &AccountId, asset: AssetId, units: u64) -> Result<(), TxFault> {
        if units > 0 {
            let has = self.units.entry((*account, asset)).or_default();
            *has = has.checked_add(units).ok_or(TxFault::Overflow(asset))?;
        }
        Ok(())
    }

    pub(crate) fn pay(&mut self, from: &AccountId, to: &AccountId, asset: AssetId, units: u64) -> Result<(), TxFault> {
        self.take(from, asset, units)?;
        self.give(to, asset, units)
    }

    /// New units come into being.
    pub(crate) fn make(&mut self, to: &AccountId, asset: AssetId, units: u64) -> Result<(), TxFault> {
        let most = if asset.is_btc() { Amount::MAX_MONEY.to_sat() } else { u64::MAX };
        let supply = self.supply(&asset).checked_add(units).filter(|sum| *sum <= most);
        self.supply.insert(asset, supply.ok_or(TxFault::Overflow(asset))?);
        self.give(to, asset, units)
    }

    /// Units go out of being.
    pub(crate) fn destroy(&mut self, from: &AccountId, asset: AssetId, units: u64) -> Result<(), TxFault> {
        self.take(from, asset, units)?;
        let supply = self.supply(&asset).checked_sub(units).ok_or(TxFault::Overflow(asset))?;
        self.supply.insert(asset, supply);
        Ok(())
    }

    /// Notes a new asset.
    pub(crate) fn issue(&mut self, issuer: &AccountId, asset: AssetId, more: bool) -> Result<(), TxFault> {
        if asset.is_btc() || self.issued.insert(asset, (*issuer, more)).is_some() {
            return Err(TxFault::Issue(asset));
        }
        Ok(())
    }

    pub(crate) fn may_reissue(&self, issuer: &AccountId, asset: &AssetId) -> Result<(), TxFault> {
        match self.issued.get(asset) {
            Some((first, true)) if first == issuer => Ok(()),
            _ => Err(TxFault::Reissue(*asset)),
        }
    }
}

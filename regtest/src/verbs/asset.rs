//! `asset …`: issued, moved, burned, listed, verified.

use super::transfer::side_address;
use crate::{
    api::{Alike, AssetIssue, AssetList, AssetListed, AssetSend, AssetUnits, AssetVerdict, AssetVerify, Quantity},
    hub::{Call, Hub},
};
use windlass_ledger::{likeness, resembles_bitcoin};
use windlass_node::{
    api::{
        ApiError,
        assets::{AssetInfo, AssetTransferRequest, IssueAnswer, IssueRequest, UnitsRequest, UnitsTo},
        wallet::TransferAnswer,
    },
    client::MemberClient,
};
use windlass_types::{AccountId, AssetId, ChainNetwork};

/// Issues an asset; done once it is final.
pub async fn issue(call: Call, ask: AssetIssue) -> Result<IssueAnswer, ApiError> {
    let request = IssueRequest { terms: ask.terms, max_fee: ask.max_fee };
    let done = call.hub.wallet(&ask.node)?.issue(&request).await?;
    call.step(1, 1, "final", format!("side block {}", done.height));
    Ok(done)
}

/// Makes more of an asset; done once it is final.
pub async fn reissue(call: Call, ask: AssetUnits) -> Result<TransferAnswer, ApiError> {
    let units = units(&known(&call.hub, ask.asset).await?, &ask.quantity)?;
    call.hub.wallet(&ask.node)?.reissue(ask.asset, &UnitsRequest { units, max_fee: ask.max_fee }).await
}

/// Burns units of an asset; done once it is final.
pub async fn burn(call: Call, ask: AssetUnits) -> Result<TransferAnswer, ApiError> {
    let units = units(&known(&call.hub, ask.asset).await?, &ask.quantity)?;
    call.hub.wallet(&ask.node)?.burn(ask.asset, &UnitsRequest { units, max_fee: ask.max_fee }).await
}

/// Sends units to one or many; done once it is final.
pub async fn send(call: Call, ask: AssetSend) -> Result<TransferAnswer, ApiError> {
    let hub = &call.hub;
    let info = known(hub, ask.asset).await?;
    let mut to = Vec::new();
    for (name, quantity) in &ask.to {
        to.push(UnitsTo { address: side_address(hub, name).await?, units: units(&info, quantity)? });
    }
    let request = AssetTransferRequest { to, memo: ask.memo, max_fee: ask.max_fee };
    hub.wallet(&ask.from)?.transfer_asset(ask.asset, &request).await
}

/// All assets, or what a node has.
pub async fn list(call: Call, ask: AssetList) -> Result<AssetListed, ApiError> {
    match ask.node {
        Some(node) => Ok(AssetListed::Of(call.hub.wallet(&node)?.assets().await?)),
        None => Ok(AssetListed::All(member(&call.hub)?.assets().await?)),
    }
}

/// Checks an id against its terms, and looks for others that it could be taken for.
pub async fn verify(call: Call, ask: AssetVerify) -> Result<AssetVerdict, ApiError> {
    let member = member(&call.hub)?;
    let chain = member.chain().await?;
    let all = member.assets().await?;
    let Some(info) = all.iter().find(|info| info.asset == ask.asset).cloned() else {
        return Err(no_asset(ask.asset));
    };
    let mut faults = Vec::new();
    // The id is recomputed here: who answers is not believed.
    match AccountId::from_address(&info.issuer, ChainNetwork::Regtest) {
        Ok(issuer) if info.terms.id(chain.chain, &issuer, info.nonce) == info.asset => {}
        Ok(_) => {
            faults.push("the id is not the hash of this issuer, nonce and terms: the member that answers lies".into())
        }
        Err(error) => faults.push(format!("its issuer: {error}")),
    }
    if let Some(expected) = ask.issuer.filter(|expected| *expected != info.issuer) {
        faults.push(format!("it is issued by {}, not by {expected}", info.issuer));
    }
    if let Some(expected) = ask.ticker.filter(|expected| *expected != info.terms.ticker) {
        faults.push(format!("its ticker is {}, not {expected}", info.terms.ticker));
    }
    let others = all.into_iter().filter(|other| other.asset != info.asset);
    let alike = others.filter_map(|other| {
        let likeness = likeness(&info.terms, &other.terms)?;
        let AssetInfo { asset, issuer, terms, .. } = other;
        Some(Alike { asset, ticker: terms.ticker, name: terms.name, issuer, likeness })
    });
    let (alike, resembles_bitcoin) = (alike.collect(), resembles_bitcoin(&info.terms));
    Ok(AssetVerdict { asset: info, ok: faults.is_empty(), faults, resembles_bitcoin, alike })
}

fn member(hub: &Hub) -> Result<MemberClient, ApiError> {
    let members = hub.running_members();
    let first = members.into_iter().next().map(|(_, client)| client);
    first.ok_or_else(|| {
        ApiError::not_running("no member of the federation runs").hint("start what is down", "windlass up")
    })
}

async fn known(hub: &Hub, asset: AssetId) -> Result<AssetInfo, ApiError> {
    if asset.is_btc() {
        return Err(ApiError::usage("bitcoin is no asset of an issuer").hint("send it", "windlass transfer"));
    }
    member(hub)?.asset(asset).await
}

fn no_asset(asset: AssetId) -> ApiError {
    ApiError::not_found(format!("there is no asset {asset}")).hint("see those that there are", "windlass asset list")
}

/// `12.5` of an asset with three decimals is 12500 units.
fn units(info: &AssetInfo, quantity: &Quantity) -> Result<u64, ApiError> {
    let (ticker, decimals) = (&info.terms.ticker, usize::from(info.terms.decimals));
    let wrong = |why: String| ApiError::usage(format!("{:?} is no amount of {ticker}: {why}", quantity.0));
    let (whole, fraction) = quantity.0.split_once('.').unwrap_or((&quantity.0, ""));
    if fraction.len() > decimals {
        return Err(wrong(format!("it has {decimals} decimals")));
    }
    let digits = format!("{whole}{fraction:0<decimals$}");
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("write digits, and a point before the decimals".into()));
    }
    match digits.parse() {
        Ok(0) => Err(wrong("it must be more than nothing".into())),
        Ok(units) => Ok(units),
        Err(_) => Err(wrong("it is more than there can be".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_ledger::AssetTerms;
    use windlass_types::SideHeight;

    #[test]
    fn amounts_are_read_in_the_assets_decimals() {
        let info = |decimals| AssetInfo {
            asset: AssetId([1; 32]),
            issuer: String::new(),
            nonce: 0,
            terms: AssetTerms { ticker: "OIL".into(), name: "Oil".into(), decimals, units: 1, reissuable: false },
            supply: 1,
            issued: SideHeight::new(1),
        };
        let read = |decimals, text: &str| units(&info(decimals), &Quantity(text.into())).map_err(|e| e.code);
        assert_eq!(read(3, "12.5"), Ok(12_500));
        assert_eq!(read(3, "12"), Ok(12_000));
        assert_eq!(read(0, "7"), Ok(7));
        assert_eq!(read(18, "18.446744073709551615"), Ok(u64::MAX));
        for (decimals, text) in [
            (3, "1.2345"),
            (0, "1.5"),
            (3, ""),
            (3, ".5"),
            (3, "-1"),
            (3, "+1"),
            (3, "0"),
            (3, "1e3"),
            (18, "18.446744073709551616"),
        ] {
            assert!(read(decimals, text).is_err(), "{text}");
        }
    }
}

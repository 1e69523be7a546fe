//! Fees, shares and the composition of batches.

use super::*;
use crate::record::{DepositState, PegOutState};
use crate::testkit::{account, genesis, sat, terms, wpkh, x_only};
use proptest::prelude::*;
use windlass_types::{BlockRef, BtcHeight};

fn deposit(index: u8, amount: u64) -> DepositRecord {
    DepositRecord {
        outpoint: OutPoint { txid: Txid::from_byte_array([index; 32]), vout: 1 },
        amount: sat(amount),
        terms: terms(1, index.into()),
        height: BtcHeight::new(1),
        claimed: SideHeight::new(1),
        sequence: index.into(),
        fee_rate_sat_per_kvb: u32::MAX,
        state: DepositState::Claimed,
    }
}

fn script(kind: u8) -> ScriptBuf {
    match kind {
        0 => wpkh(1),
        1 => ScriptBuf::new_p2pkh(&bitcoin::PubkeyHash::from_byte_array([1; 20])),
        2 => ScriptBuf::new_p2sh(&bitcoin::ScriptHash::from_byte_array([1; 20])),
        _ => ScriptBuf::from_bytes([&[0x51, 0x20][..], &x_only(1)].concat()),
    }
}

fn peg_out(index: u8, kind: u8, amount: u64) -> PegOutRecord {
    PegOutRecord {
        id: Digest([index; 32]),
        from: account(1),
        script: script(kind),
        amount: sat(amount),
        fee_max: Amount::ZERO,
        requested: SideHeight::new(1),
        sequence: index.into(),
        fee_rate_sat_per_kvb: u32::MAX,
        state: PegOutState::Pending,
    }
}

fn coin(amount: u64) -> TreasuryCoin {
    TreasuryCoin {
        outpoint: OutPoint { txid: Txid::from_byte_array([255; 32]), vout: 0 },
        amount: sat(amount),
        batch: 0,
        epoch: Epoch::new(0),
        hidden: [1; 32],
        block: BlockRef::new(BtcHeight::new(1), bitcoin::BlockHash::all_zeros()),
    }
}

fn batch(
    genesis: &Genesis,
    treasury: Option<&TreasuryCoin>,
    deposits: &[DepositRecord],
    peg_outs: &[PegOutRecord],
) -> Result<Batch, ScriptError> {
    let totals = Totals::default();
    let (fixed, parent) = (SideHeight::new(1), Digest([3; 32]));
    let fee_rate_sat_per_kvb = genesis.params.fee_rate_sat_per_kvb;
    Parts { fixed, parent, totals: &totals, treasury, deposits, peg_outs, fee_rate_sat_per_kvb }.batch(genesis)
}

#[test]
fn a_sweep_has_169_vbytes() {
    // The design's measure of one sweep with the treasury's coin.
    let params = Params { fee_rate_sat_per_kvb: 1_000, ..Params::default() };
    assert_eq!(deposit_fee(&params), Some(sat(169)));
    assert_eq!(peg_out_fee(&params, &wpkh(1)), Some(sat(142)));
    assert_eq!(dearest_peg_out_fee(&params), Some(sat(154)));
}

/// L34.
#[test]
fn the_rest_of_a_fee_falls_on_the_first() {
    let list = |fee, n| shares(sat(fee), n).expect("some").map(Amount::to_sat).collect::<Vec<_>>();
    assert_eq!(list(10, 3), [4, 3, 3]);
    assert_eq!(list(9, 3), [3, 3, 3]);
    assert_eq!(list(2, 3), [1, 1, 0]);
    assert!(shares(sat(1), 0).is_none());
}

#[test]
fn more_than_the_treasury_has_is_no_batch() {
    let genesis = genesis();
    assert_eq!(batch(&genesis, Some(&coin(40_000)), &[], &[peg_out(1, 0, 40_001)]), Err(ScriptError::Overflow));
    assert_eq!(batch(&genesis, None, &[], &[peg_out(1, 0, 40_001)]), Err(ScriptError::Overflow));
    let all = u64::MAX;
    assert_eq!(batch(&genesis, Some(&coin(all)), &[deposit(1, all)], &[]), Err(ScriptError::Overflow));
    assert_eq!(
        batch(&genesis, Some(&coin(all)), &[], &[peg_out(1, 0, all), peg_out(2, 0, all)]),
        Err(ScriptError::Overflow)
    );
}

proptest! {
    /// L34: whatever else is in the batch, nobody pays more than alone; the amounts add up; the
    /// rate is kept; no output is dust.
    #[test]
    fn nobody_pays_more_than_alone(
        rate in 100..2_000_000_u32,
        has_treasury in any::<bool>(),
        deposits in 0..=100_u8,
        kinds in prop::collection::vec(0..4_u8, 0..=100),
        rest in prop_oneof![Just(0_u64), 330..1_000_000_u64],
    ) {
        let mut genesis = genesis();
        genesis.params.fee_rate_sat_per_kvb = rate;
        let kinds = if has_treasury { kinds } else { vec![] };
        prop_assume!(deposits > 0 || !kinds.is_empty());
        let amount = 1_000_000_u64;
        let deposits: Vec<_> = (0..deposits).map(|index| deposit(index, amount)).collect();
        let peg_outs: Vec<_> = kinds.iter().zip(0_u8..).map(|(kind, index)| peg_out(index, *kind, amount)).collect();
        let treasury = coin(amount * kinds.len() as u64 + rest);
        let treasury = (has_treasury && treasury.amount > Amount::ZERO).then_some(&treasury);
        let batch = batch(&genesis, treasury, &deposits, &peg_outs).expect("a batch");

        let mut minted = Amount::ZERO;
        for input in &batch.inputs {
            if let Coin::Deposit { fee_share, .. } = input.coin {
                prop_assert!(fee_share <= deposit_fee(&genesis.params).expect("small"));
                minted += input.amount - fee_share;
            }
        }
        for payout in &batch.payouts {
            let fee = payout.burned - payout.amount;
            prop_assert!(fee <= peg_out_fee(&genesis.params, &payout.script).expect("small"));
        }
        // The books after settlement: new treasury = old + minted - burned.
        let old = treasury.map_or(Amount::ZERO, |coin| coin.amount);
        let burned: Amount = batch.payouts.iter().map(|payout| payout.burned).sum();
        prop_assert_eq!(batch.change + burned, old + minted);
        prop_assert!(batch.change == Amount::ZERO || batch.change >= DUST);

        let mut tx = batch.transaction(&genesis).expect("keys");
        for input in &mut tx.input {
            input.witness.push([1; 64]);
        }
        let vsize = tx.vsize() as u64;
        prop_assert!(vsize <= 100_000, "standard");
        prop_assert_eq!(batch.fee, sat((vsize * u64::from(rate)).div_ceil(1000)));
        let (spent, paid): (Amount, Amount) =
            (batch.inputs.iter().map(|i| i.amount).sum(), tx.output.iter().map(|o| o.value).sum());
        prop_assert_eq!(spent - paid, batch.fee);
    }
}

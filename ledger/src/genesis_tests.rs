use super::*;
use crate::testkit::{genesis, sat, x_only};
use bitcoin::Amount;
use windlass_types::{Blocks, BtcHeight};

#[test]
fn the_defaults_of_regtest_are_valid() {
    assert_eq!(genesis().validate(), Ok(()));
}

/// L1.
#[test]
fn each_wrong_field_is_named() {
    let wrong = |edit: &dyn Fn(&mut Genesis)| {
        let mut genesis = genesis();
        edit(&mut genesis);
        genesis.validate().expect_err("wrong").to_string()
    };
    type Edit<'a> = &'a dyn Fn(&mut Genesis);
    let cases: [(Edit, &str); 28] = [
        (&|g| g.version = 2, "version 2"),
        (&|g| g.members.clear(), "0 members"),
        (&|g| g.members = vec![g.members[0].clone(); 101], "101 members"),
        (&|g| g.members[1].name.clear(), "member 1: name"),
        (&|g| g.members[1].name = "x".repeat(33), "member 1: name"),
        (&|g| g.members[1].name = g.members[0].name.clone(), "member 1: name"),
        (&|g| g.members[2].identity = g.members[0].identity, "member 2: identity"),
        (&|g| g.members[3].emergency_key = [0xff; 32], "member 3: emergency_key"),
        (&|g| g.members[3].emergency_key = g.members[0].emergency_key, "member 3: emergency_key"),
        (&|g| g.threshold = 2, "2 of 4"),
        (&|g| g.threshold = 5, "5 of 4"),
        (&|g| g.treasury_key = [0xff; 32], "treasury key ffff"),
        (&|g| g.params.anchor_depth = Blocks::new(0), "anchor_depth is 0"),
        (&|g| g.params.reclaim_blocks = Blocks::new(150), "reclaim_blocks is 150; it must be 151"),
        (&|g| g.params.reclaim_blocks = Blocks::new(65_536), "reclaim_blocks"),
        (&|g| g.params.reclaim_buffer = Blocks::new(0), "reclaim_buffer"),
        (&|g| g.params.emergency_blocks = Blocks::new(65_536), "emergency_blocks"),
        (&|g| g.params.emergency_threshold = 0, "emergency_threshold"),
        (&|g| g.params.emergency_threshold = 5, "emergency_threshold"),
        (&|g| g.params.fee_rate_sat_per_kvb = 0, "fee_rate_sat_per_kvb"),
        (&|g| g.params.min_deposit = sat(667), "min_deposit is 667; it must be 668"),
        (&|g| g.params.max_deposit = sat(9_999), "max_deposit"),
        (&|g| g.params.min_peg_out = sat(853), "min_peg_out is 853; it must be 854"),
        (&|g| g.params.max_peg_out = Amount::MAX_MONEY + sat(1), "max_peg_out"),
        (&|g| g.params.max_block_txs = 0, "max_block_txs"),
        (&|g| g.params.max_batch_deposits = 101, "max_batch_deposits is 101; it must be 1 to 100"),
        (&|g| g.params.change_delay_blocks = 9, "change_delay_blocks is 9; it must be 10 to 10000000"),
        (&|g| g.params.change_delay_blocks = 10_000_001, "change_delay_blocks"),
    ];
    for (edit, words) in cases {
        let text = wrong(edit);
        assert!(text.contains(words), "{text:?} should name {words:?}");
    }
}

#[test]
fn each_field_is_in_the_chains_id() {
    let base = genesis();
    let edits: [&dyn Fn(&mut Genesis); 8] = [
        &|g| g.version = 5,
        &|g| g.network = ChainNetwork::Signet,
        &|g| g.members.swap(0, 1),
        &|g| g.threshold = 4,
        &|g| g.treasury_key = x_only(9),
        &|g| g.start = BlockRef::new(BtcHeight::new(1), g.start.hash()),
        &|g| g.params.anchor_depth = Blocks::new(7),
        &|g| g.params.max_batch_peg_outs = 49,
    ];
    for edit in edits {
        let mut other = base.clone();
        edit(&mut other);
        assert_ne!(other.chain_id(), base.chain_id());
    }
}

#[test]
fn json_and_borsh_round_trip() {
    let genesis = genesis();
    let json = serde_json::to_string(&genesis).expect("json");
    assert_eq!(serde_json::from_str::<Genesis>(&json).expect("json"), genesis);
    let bytes = borsh::to_vec(&genesis).expect("memory");
    assert_eq!(borsh::from_slice::<Genesis>(&bytes).expect("canonical"), genesis);
}

//! Answers of a hub, made up, for the golden tests.

use bitcoin::{Amount, BlockHash, OutPoint, Txid, hashes::Hash as _};
use windlass_node::api::events::JournalInfo;
use windlass_node::api::member::{
    BatchInfo, Begun, ChainInfo, CoinInfo, DepositState, FederationInfo, MemberHealth, MemberInfo, PegOutInfo,
    PegOutState,
};
use windlass_node::api::payments::{ForwardInfo, HoldInfo, HoldState, OfferInfo, PaymentKind, ProbeInfo};
use windlass_node::api::wallet::{
    Balance, ChainedTransaction, ChannelInfo, ChannelState, ChannelStatement, Direction, EntryKind, Income, NodeInfo,
    PaymentInfo, PaymentState, PegInInfo, PegInState, PegOutRecord, PegQuote, PegStatement, PegWay, SidechainStatement,
    Statement, StatementEntry,
};
use windlass_regtest::api::{
    Federation, FederationMember, NodeBalance, NodeChannel, NodePegIn, NodePegOut, ProcessStatus, ReserveCoin,
    ReservesReport, Status,
};
use windlass_types::{BlockRef, BtcHeight, ChainId, ChainNetwork, Digest, Msat, SideHeight};

pub fn sat(amount: u64) -> Amount {
    Amount::from_sat(amount)
}

pub fn txid(byte: u8) -> Txid {
    Txid::from_byte_array([byte; 32])
}

fn outpoint(byte: u8, vout: u32) -> OutPoint {
    OutPoint::new(txid(byte), vout)
}

fn block(height: u32) -> BlockRef {
    BlockRef::new(BtcHeight::new(height), BlockHash::from_byte_array([7; 32]))
}

pub fn balance() -> Balance {
    Balance {
        bitcoin: sat(989_998_000),
        bitcoin_pending: sat(5_000),
        bitcoin_reserved: Amount::ZERO,
        sidechain: Some(sat(25_000_000)),
        lightning_msat: Msat::new(700_000_500),
        lightning_send_msat: Msat::new(690_000_000),
        lightning_receive_msat: Msat::new(300_000_000),
        lightning_closing: Amount::ZERO,
    }
}

pub fn wallets() -> Vec<NodeBalance> {
    vec![
        NodeBalance { name: "alice".into(), balance: Some(balance()) },
        NodeBalance { name: "bob".into(), balance: None },
    ]
}

pub fn process(name: &str, pid: Option<u32>, exit: Option<&str>) -> ProcessStatus {
    ProcessStatus {
        name: name.into(),
        kind: "member".into(),
        pid,
        ready: pid.is_some(),
        ports: vec![("api".into(), "127.0.0.1:18884".into())],
        memory_kb: pid.map(|_| 31_000),
        exit: exit.map(str::to_owned),
        log: format!("/home/u/.windlass/regtest/default/logs/{name}.log"),
    }
}

pub fn status() -> Status {
    Status {
        name: "default".into(),
        dir: "/home/u/.windlass/regtest/default".into(),
        api: "http://127.0.0.1:21021".into(),
        bitcoind: "Bitcoin Core 31.0 (from the cache)".into(),
        bitcoin: Some(block(143)),
        sidechain: Some(ChainInfo {
            chain: ChainId(Digest([1; 32])),
            network: ChainNetwork::Regtest,
            height: SideHeight::new(57),
            block: Digest([2; 32]),
            anchor: block(138),
            supply: sat(25_000_000),
            owed: Amount::ZERO,
            state_root: Digest([3; 32]),
            begun: Begun::Genesis,
            mempool: 0,
        }),
        members_running: 3,
        members: 4,
        threshold: 3,
        processes: vec![process("f1", Some(4711), None), process("f2", None, Some("killed by signal 9"))],
        wallets: wallets(),
        disk_bytes: 33_400_000,
        healthy: false,
        troubles: vec!["f2 does not run".into()],
    }
}

pub fn channel() -> ChannelInfo {
    ChannelInfo {
        id: "5f3a9c11d0e4b7a25f3a9c11d0e4b7a2".into(),
        peer: "02aa".into(),
        state: ChannelState::Usable,
        funding: Some(outpoint(0x4c, 1)),
        confirmations: 6,
        capacity: sat(1_000_000),
        local_msat: Msat::new(700_000_500),
        remote_msat: Msat::new(299_999_500),
        send_msat: Msat::new(690_000_000),
        receive_msat: Msat::new(290_000_000),
        announced: true,
        funder: true,
        closing_txid: None,
        claimable_height: None,
        splice: None,
    }
}

pub fn channels() -> Vec<NodeChannel> {
    vec![
        NodeChannel { node: "alice".into(), peer_name: Some("bob".into()), channel: channel() },
        NodeChannel {
            node: "bob".into(),
            peer_name: None,
            channel: ChannelInfo { state: ChannelState::Closed, closing_txid: Some(txid(9)), ..channel() },
        },
    ]
}

pub fn node() -> NodeInfo {
    NodeInfo {
        name: "alice".into(),
        node_id: "02aabb".into(),
        lightning: "127.0.0.1:9735".into(),
        account: "wlrt1qexample".into(),
        synced: block(143),
        peers: vec!["03cc".into()],
        channels: 2,
        channels_usable: 1,
        journal: journal(3),
        version: "0.1.0".into(),
    }
}

/// The journal of a node whose application went away after its first 100 events, `lost` of the others are lost.
pub fn journal(lost: u64) -> JournalInfo {
    let (acknowledged, most) = (100, 1_000_000);
    let oldest = acknowledged + lost;
    JournalInfo { next: oldest + most, oldest, acknowledged, waiting: most, most, has_reader: true, lost }
}

pub fn payment(direction: Direction, state: PaymentState) -> PaymentInfo {
    PaymentInfo {
        payment_hash: "aabbccddeeff00112233".into(),
        direction,
        state,
        amount_msat: Some(Msat::new(1_000_000)),
        fee_msat: Msat::new(1_005),
        preimage: Some("00ff".into()),
        memo: "coffee".into(),
        error: (state == PaymentState::Failed).then(|| "no route".into()),
        created_at: 0,
        kind: PaymentKind::Invoice,
        offer: None,
        payer_note: None,
    }
}

pub fn probe(obstacle: Option<&str>) -> ProbeInfo {
    ProbeInfo {
        node_id: "02aa".into(),
        amount_msat: Msat::new(1_000_000),
        reaches: obstacle.is_none(),
        fee_msat: obstacle.is_none().then_some(Msat::new(1_005)),
        cltv: obstacle.is_none().then_some(123),
        parts: 2,
        attempts: 1,
        failed_at: obstacle.map(|_| "102x1x0".into()),
        obstacle: obstacle.map(Into::into),
    }
}

pub fn offer() -> OfferInfo {
    OfferInfo {
        id: "aabbccddeeff00112233".into(),
        offer: "lno1example".into(),
        amount_msat: None,
        description: "tips".into(),
        payments: 2,
        received_msat: Msat::new(3_000_500),
        created_at: 0,
        expires_at: None,
    }
}

pub fn forward() -> ForwardInfo {
    ForwardInfo {
        from: Some(channel().id),
        to: None,
        amount_msat: Msat::new(1_000_000),
        fee_msat: Msat::new(1_010),
        on_chain: false,
        at: 0,
    }
}

pub fn hold(state: HoldState) -> HoldInfo {
    let is_held = state == HoldState::Held;
    HoldInfo {
        payment_hash: "aabbccddeeff00112233".into(),
        invoice: "lnbcrt1example".into(),
        state,
        amount_msat: Some(Msat::new(1_000_000)),
        held_msat: is_held.then_some(Msat::new(1_000_001)),
        channels: if is_held { vec![channel().id] } else { vec![] },
        claim_deadline: is_held.then_some(BtcHeight::new(250)),
        cancel_height: is_held.then_some(BtcHeight::new(247)),
        final_cltv_delta: 144,
        memo: "a swap".into(),
        preimage: None,
        created_at: 0,
        expires_at: 3600,
    }
}

pub fn peg_in(state: PegInState) -> NodePegIn {
    NodePegIn {
        node: "alice".into(),
        peg: PegInInfo {
            id: "77aa01cd".into(),
            address: "bcrt1pexample".into(),
            reclaim_blocks: 144,
            min: sat(10_000),
            max: sat(100_000_000_000),
            outpoint: Some(outpoint(0x11, 0)),
            amount: Some(sat(100_000_000)),
            bitcoin_height: Some(BtcHeight::new(150)),
            reclaim_height: Some(BtcHeight::new(294)),
            confirmations: 7,
            state,
        },
    }
}

pub fn minted() -> PegInState {
    PegInState::OnSidechain(DepositState::Minted {
        txid: txid(0x22),
        minted: sat(99_999_662),
        fee: sat(338),
        height: SideHeight::new(77),
    })
}

pub fn peg_out() -> NodePegOut {
    NodePegOut {
        node: "bob".into(),
        peg: PegOutRecord {
            info: PegOutInfo {
                id: Digest([0xab; 32]),
                account: "wlrt1qexample".into(),
                to: "bcrt1qpaid".into(),
                amount: sat(25_000_000),
                burned_height: SideHeight::new(91),
                state: PegOutState::Paid {
                    txid: txid(0x33),
                    vout: 1,
                    paid: sat(24_998_600),
                    fee: sat(1_400),
                    height: SideHeight::new(95),
                },
            },
            own: true,
        },
    }
}

pub fn federation() -> Federation {
    Federation {
        view: FederationInfo {
            name: "f1".into(),
            threshold: 3,
            treasury_key: "79be".into(),
            members: vec![MemberInfo { name: "f1".into(), identity: "ed".into(), connected: true }],
            treasury: Some(CoinInfo { outpoint: outpoint(0x22, 0), value: sat(99_999_662), script: "5120".into() }),
            batch: None,
            health: MemberHealth::default(),
        },
        members: vec![
            FederationMember {
                process: process("f1", Some(4711), None),
                height: Some(SideHeight::new(57)),
                block: Some(Digest([2; 32])),
                health: MemberHealth {
                    fork: Some("two blocks are final at height 56: see proofs/fork-56.json".into()),
                    ..MemberHealth::default()
                },
            },
            FederationMember {
                process: process("f2", None, None),
                height: None,
                block: None,
                health: MemberHealth::default(),
            },
        ],
        batch: Some(BatchInfo {
            id: 3,
            txid: txid(0x44),
            deposits: 1,
            peg_outs: 2,
            fee: sat(338),
            signed: true,
            signers: vec!["f1".into(), "f2".into(), "f4".into()],
            attempt: 0,
            confirmations: 2,
        }),
        trust: "Any 3 of the 4 members together can take the treasury; any 2 can stop it.".into(),
    }
}

pub fn reserves(reserve: u64) -> ReservesReport {
    ReservesReport {
        chain: ChainId(Digest([1; 32])),
        height: SideHeight::new(57),
        anchor: block(138),
        tip: block(143),
        coins: vec![ReserveCoin { outpoint: outpoint(0x22, 0), value: sat(reserve), confirmations: 6 }],
        reserve: sat(reserve),
        supply: sat(75_000_000),
        owed_peg_outs: sat(25_000_000),
        owed_deposits: Amount::ZERO,
        waiting_deposits: sat(50_000),
        ok: reserve == 100_000_000,
        faults: if reserve == 100_000_000 { vec![] } else { vec!["the coin holds less".into()] },
    }
}

pub fn statement() -> Statement {
    let transaction = |purpose: &str, byte, amount, fee| ChainedTransaction {
        txid: txid(byte),
        purpose: purpose.into(),
        height: Some(BtcHeight::new(u32::from(byte))),
        amount: sat(amount),
        fee: sat(fee),
    };
    let entry = |kind, credit, debit, on_chain: Option<(u8, u32)>| StatementEntry {
        account: "wallet".into(),
        kind,
        credit_msat: Msat::new(credit),
        debit_msat: Msat::new(debit),
        txid: on_chain.map(|(byte, _)| txid(byte)),
        height: on_chain.map(|(_, height)| BtcHeight::new(height)),
    };
    Statement {
        name: "alice".into(),
        at: block(312),
        channels: vec![ChannelStatement {
            id: "5f3a9c11d0e4b7a25f3a9c11d0e4b7a2".into(),
            peer: "bob".into(),
            state: ChannelState::Closed,
            opening_msat: Msat::new(1_000_000_000),
            received_msat: Msat::ZERO,
            sent_msat: Msat::new(51_000_500),
            spliced_in: Amount::ZERO,
            spliced_out: Amount::ZERO,
            splice_fees: Amount::ZERO,
            closing_msat: Msat::new(948_999_500),
            returned: sat(948_000),
            fees: sat(999),
            penalty_msat: Msat::ZERO,
            taken: Amount::ZERO,
            rounding_msat: Msat::new(500),
            transactions: vec![transaction("funding", 0x68, 1_000_000, 0), transaction("closing", 0x83, 948_000, 999)],
            fault: None,
        }],
        peg_ins: vec![PegStatement {
            id: "77aa01cd".into(),
            opening: sat(100_000_000),
            closing: sat(99_999_662),
            fee: sat(338),
            state: "minted".into(),
            settled: true,
            transactions: vec![
                transaction("deposit", 0x96, 100_000_000, 0),
                transaction("treasury", 0x9d, 99_999_662, 338),
            ],
            fault: None,
        }],
        peg_outs: vec![PegStatement {
            id: "ab".repeat(32),
            opening: sat(25_000_000),
            closing: Amount::ZERO,
            fee: Amount::ZERO,
            state: "pending".into(),
            settled: false,
            transactions: Vec::new(),
            fault: None,
        }],
        sidechain: Some(SidechainStatement {
            account: "wlrt1qexample".into(),
            minted: sat(99_999_662),
            received: Amount::ZERO,
            sent: sat(10_000_000),
            fees: Amount::ZERO,
            burned: sat(25_000_000),
            balance: sat(64_999_662),
        }),
        entries: vec![
            entry(EntryKind::ChannelOpen, 0, 1_000_000_000, Some((0x68, 104))),
            entry(EntryKind::ChannelClose, 948_000_000, 0, Some((0x83, 131))),
            entry(EntryKind::Sent, 0, 51_000_500, None),
        ],
        income: Income {
            onchain_fees_msat: Msat::new(999_000),
            routing_fees_msat: Msat::new(1_000),
            forwards_earned_msat: Msat::new(2_000),
            penalties_msat: Msat::ZERO,
            taken_msat: Msat::ZERO,
            received_msat: Msat::ZERO,
            sent_msat: Msat::new(50_999_500),
        },
        ok: true,
        faults: Vec::new(),
    }
}

/// What `peg quote` answers.
pub fn peg_quote(way: PegWay) -> PegQuote {
    let is_in = way == PegWay::In;
    PegQuote {
        way,
        amount: sat(100_000_000),
        peg_fee_max: sat(if is_in { 338 } else { 308 }),
        deposit_fee: is_in.then(|| sat(282)),
        side_fee: if is_in { Amount::ZERO } else { sat(10) },
        arrives_min: sat(if is_in { 99_999_662 } else { 99_999_692 }),
        peg_rate_sat_per_kvb: 2_000,
        bitcoin_rate_sat_per_kvb: None,
        blocks: if is_in { 12 } else { 4 },
        blocks_max: if is_in { 18 } else { 7 },
        reclaim_height: is_in.then(|| BtcHeight::new(1_120)),
        lapse_height: is_in.then(|| BtcHeight::new(976)),
        params_height: SideHeight::new(17),
        bitcoin_height: BtcHeight::new(111),
        warnings: if is_in { Vec::new() } else { vec!["the parameters change at sidechain block 40".into()] },
    }
}

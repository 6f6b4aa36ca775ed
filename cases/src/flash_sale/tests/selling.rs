//! Every way of selling: how much it sells, and that the checks convict the one that sells too much.

use pgstrata_lab::study::ArmKind;

use super::*;

const CLIENTS: u32 = 12;
const OPERATIONS: u64 = 240;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sound_way_sells_exactly_the_stock() {
    let ground = Ground::new(1).await;
    for arm in card::CARD.arms.iter().filter(|arm| arm.kind != ArmKind::Broken) {
        FlashSale.prepare(arm, &ground.site, &scarce(OPERATIONS)).await.expect("prepared");
        let rig = FlashSale.open(arm, &ground.site, &scarce(OPERATIONS)).await.expect("opened");
        let history = carry_out(&rig, CLIENTS, OPERATIONS, 1).await;
        assert_eq!(count(&history, Outcome::Ok), 120, "{}", arm.name);
        assert_eq!(count(&history, Outcome::Rejected), 120, "{}", arm.name);
        assert_eq!(ground.number("select count(*) from flash_sale.orders").await, 120, "{}", arm.name);
        assert_eq!(judge(&ground, arm, &history).await, [], "{}", arm.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_naive_way_is_convicted_with_witnesses() {
    let ground = Ground::new(1).await;
    let naive = arm("naive");
    FlashSale.prepare(naive, &ground.site, &scarce(OPERATIONS)).await.expect("prepared");
    let rig = FlashSale.open(naive, &ground.site, &scarce(OPERATIONS)).await.expect("opened");
    let history = carry_out(&rig, CLIENTS, OPERATIONS, 1).await;
    let violations = judge(&ground, naive, &history).await;
    let oversold = violations.iter().find(|violation| violation.invariant == "I1").expect("it oversells");
    let witness = oversold.witnesses.first().expect("a witness");
    assert!(witness["orders_too_many"].as_i64().is_some_and(|orders| orders > 0), "{witness}");
    assert!(witness["live_orders"].as_i64() > witness["initial"].as_i64(), "{witness}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_gets_the_same_answer_from_every_way() {
    let ground = Ground::new(1).await;
    for arm in card::CARD.arms {
        FlashSale.prepare(arm, &ground.site, &scarce(OPERATIONS)).await.expect("prepared");
        let rig = FlashSale.open(arm, &ground.site, &scarce(OPERATIONS)).await.expect("opened");
        let mut client = rig.client(0).await.expect("a client");
        for number in 0..4 {
            let first = ask(&mut *client, number).await;
            let second = ask(&mut *client, number).await;
            assert_eq!((first.outcome, first.value), (Outcome::Ok, second.value), "{}", arm.name);
        }
        assert_eq!(ground.number("select count(*) from flash_sale.orders").await, 4, "{}", arm.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_sent_at_the_same_time_get_one_order_from_every_way() {
    let ground = Ground::new(1).await;
    for arm in card::CARD.arms.iter().filter(|arm| arm.kind != ArmKind::Broken) {
        FlashSale.prepare(arm, &ground.site, &scarce(80)).await.expect("prepared");
        let rig = FlashSale.open(arm, &ground.site, &scarce(80)).await.expect("opened");
        let history = carry_out(&rig, CLIENTS, 80, 3).await;
        assert_eq!(ground.number("select count(*) from flash_sale.orders").await, 40, "{}", arm.name);
        assert_eq!(judge(&ground, arm, &history).await, [], "{}", arm.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn products_on_several_servers_are_sold_each_on_its_own() {
    let ground = Ground::new(2).await;
    for name in ["conditional", "early-lock-release", "coalesced", "coalesced-http"] {
        let arm = arm(name);
        FlashSale.prepare(arm, &ground.site, &scarce(OPERATIONS)).await.expect("prepared");
        let rig = FlashSale.open(arm, &ground.site, &scarce(OPERATIONS)).await.expect("opened");
        let history = carry_out(&rig, CLIENTS, OPERATIONS, 1).await;
        assert_eq!(count(&history, Outcome::Ok), 120, "{name}");
        for server in &ground.site.servers {
            let session = server.control.connect().await.expect("a session");
            let row = session.query_one("select count(*) from flash_sale.orders", &[]).await.expect("a row");
            assert_eq!(row.get::<_, i64>(0), 60, "{name}");
        }
        assert_eq!(judge(&ground, arm, &history).await, [], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn false_acknowledgements_are_convicted() {
    let ground = Ground::new(1).await;
    let arm = arm("conditional");
    FlashSale.prepare(arm, &ground.site, &scarce(10)).await.expect("prepared");
    let rig = FlashSale.open(arm, &ground.site, &scarce(10)).await.expect("opened");
    let mut history = carry_out(&rig, 1, 3, 1).await;
    history.events[0].value += 1;
    let invented = Event { operation: 99, outcome: Outcome::Ok, ..history.events[1] };
    let refused = Event {
        operation: 98,
        outcome: Outcome::Rejected,
        value: super::super::purchase::reason::SOLD_OUT,
        ..invented
    };
    history.events.extend([invented, refused]);
    let found: Vec<String> =
        judge(&ground, arm, &history).await.into_iter().map(|violation| violation.invariant).collect();
    assert_eq!(found, ["I3", "I8", "I7"]);
}

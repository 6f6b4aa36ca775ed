//! Reserve, pay, expire: units come back once, and only those that nobody paid for.

use std::time::Instant;

use futures_util::future::join_all;
use uuid::Uuid;

use super::*;
use crate::flash_sale::service::{OrderState, Payment, Refusal};
use crate::flash_sale::{Decision, Purchase, Reservation};

fn purchase(number: i64) -> Purchase {
    Purchase { key: Uuid::now_v7(), product_id: 0, user_id: number }
}

/// Reservations that can be paid for so long, swept often.
fn hold(hold: Duration) -> ServiceSettings {
    ServiceSettings { hold, sweep_interval: Duration::from_millis(20), ..patient() }
}

async fn reserve(service: &Service, purchase: &Purchase) -> Reservation {
    match service.purchase(purchase, None).await {
        Ok(Decision::Reserved(reservation)) => reservation,
        other => panic!("not reserved: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_not_paid_in_time_returns_to_stock_once_and_can_be_bought_again() {
    let ground = Ground::new(1).await;
    let service = ground.shop(2, &hold(Duration::from_millis(300))).await;
    let (paid, left) = (purchase(1), purchase(2));
    reserve(&service, &paid).await;
    let first = reserve(&service, &left).await;
    assert!(matches!(service.pay(paid.key).await, Ok(Payment::Paid(_))));
    assert_eq!(service.purchase(&purchase(3), None).await.expect("decided"), Decision::SoldOut);

    until("the unit came back", async || ground.number("select quantity from flash_sale.inventory").await == 1).await;
    assert!(matches!(service.pay(left.key).await, Ok(Payment::Late(_))), "a late payment is refused");
    assert_eq!(service.find(left.key).await.expect("found").map(|order| order.state), Some(OrderState::Expired));
    assert_eq!(reserve(&service, &left).await, first, "the old key still tells of the old order");
    // The same user again: an expired order is no hindrance.
    let again = Purchase { key: Uuid::now_v7(), ..left };
    reserve(&service, &again).await;
    assert_eq!(ground.number("select returned from flash_sale.inventory").await, 1);
    assert_eq!(ground.violations().await, []);
}

#[tokio::test]
async fn paying_again_changes_nothing() {
    let ground = Ground::new(1).await;
    let service = ground.shop(1, &patient()).await;
    let wanted = purchase(1);
    reserve(&service, &wanted).await;
    let first = service.pay(wanted.key).await.expect("an answer");
    assert!(matches!(first, Payment::Paid(order) if order.state == OrderState::Paid));
    assert_eq!(service.pay(wanted.key).await.expect("an answer"), first);
    assert_eq!(service.pay(Uuid::now_v7()).await.expect("an answer"), Payment::NoSuchOrder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweepers_and_payments_at_the_same_time_return_each_unit_once() {
    let ground = Ground::new(1).await;
    let service = Arc::new(ground.shop(200, &hold(Duration::from_millis(100))).await);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let service = Arc::clone(&service);
        tasks.spawn(async move {
            let wanted = purchase(number);
            reserve(&service, &wanted).await;
            // About when it expires.
            tokio::time::sleep(Duration::from_millis(70 + number.unsigned_abs() % 60)).await;
            matches!(service.pay(wanted.key).await, Ok(Payment::Paid(_)))
        });
    }
    // More sweepers than the service's own.
    for _ in 0..2 {
        let session = ground.session().await;
        tasks.spawn(async move {
            for _ in 0..100 {
                session.execute("select flash_sale.expire_reservations(7)", &[]).await.expect("a sweep");
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            false
        });
    }
    let paid = tasks.join_all().await.into_iter().filter(|paid| *paid).count();
    let reserved = "select count(*) from flash_sale.orders where state = 'reserved'";
    until("nothing is reserved", async || ground.number(reserved).await == 0).await;
    let stored = ground.number("select count(*) from flash_sale.orders where state = 'paid'").await;
    assert_eq!(stored, i64::try_from(paid).expect("a count"), "whoever was told \"paid\" has paid, and nobody else");
    assert_eq!(ground.number("select quantity from flash_sale.inventory").await, 200 - stored);
    assert_eq!(ground.violations().await, []);
}

#[tokio::test]
async fn a_reservation_that_somebody_holds_does_not_keep_others_from_returning() {
    let ground = Ground::new(1).await;
    let service = ground.shop(2, &hold(Duration::from_millis(200))).await;
    let (held, free) = (purchase(1), purchase(2));
    reserve(&service, &held).await;
    reserve(&service, &free).await;
    let holder = ground.session().await;
    holder.batch_execute("begin").await.expect("begun");
    let lock = "select from flash_sale.orders where key = $1 for update";
    holder.execute(lock, &[&held.key]).await.expect("locked");
    let available = "select quantity from flash_sale.inventory";
    until("the other one came back", async || ground.number(available).await == 1).await;
    holder.batch_execute("rollback").await.expect("released");
    until("and this one too", async || ground.number(available).await == 2).await;
    assert_eq!(ground.violations().await, []);
}

#[tokio::test]
async fn nothing_is_done_for_a_request_that_is_too_late_or_whose_client_is_gone() {
    let ground = Ground::new(1).await;
    let service = ground.shop(10, &patient()).await;
    let holder = ground.hold_the_stock_row().await;
    let (first, late, gone) = (purchase(1), purchase(2), purchase(3));
    let soon = Instant::now() + Duration::from_millis(50);
    let asking = async {
        until_a_purchase_waits(&holder).await;
        let (late, gone) = tokio::join!(
            service.purchase(&late, Some(soon)),
            // Dropping the future is what a closed connection does to its request.
            tokio::time::timeout(Duration::from_millis(50), service.purchase(&gone, None)),
        );
        holder.batch_execute("commit").await.expect("released");
        (late, gone)
    };
    let (served, (late, gone)) = tokio::join!(service.purchase(&first, None), asking);
    assert!(matches!(served, Ok(Decision::Reserved(_))), "{served:?}");
    assert!(matches!(late, Err(Refusal::TooLate)), "{late:?}");
    assert!(gone.is_err(), "it had no answer yet");
    service.stop().await;
    assert_eq!(ground.number("select count(*) from flash_sale.orders").await, 1);
}

#[tokio::test]
async fn the_latch_answers_sold_out_without_the_database_but_knows_who_has_an_order() {
    let ground = Ground::new(1).await;
    let settings = ServiceSettings { latch_window: Duration::from_hours(1), ..patient() };
    let service = ground.shop(1, &settings).await;
    let winner = purchase(1);
    let reservation = reserve(&service, &winner).await;
    assert_eq!(service.purchase(&purchase(2), None).await.expect("decided"), Decision::SoldOut);
    let requests = |service: &Service| service.figures()[0].requests;
    until("the latch is closed", async || {
        let before = requests(&service);
        assert_eq!(service.purchase(&purchase(3), None).await.expect("decided"), Decision::SoldOut);
        requests(&service) == before
    })
    .await;
    assert_eq!(reserve(&service, &winner).await, reservation, "a repeated key is not told \"sold out\"");
}

#[tokio::test]
async fn the_latch_opens_by_itself_when_somebody_else_returned_stock() {
    let ground = Ground::new(1).await;
    let settings = ServiceSettings { latch_window: Duration::from_millis(200), ..patient() };
    let service = ground.shop(0, &settings).await;
    assert_eq!(service.purchase(&purchase(1), None).await.expect("decided"), Decision::SoldOut);
    let restock =
        "with more as (update flash_sale.product set initial = 1) update flash_sale.inventory set quantity = 1";
    ground.session().await.batch_execute(restock).await.expect("restocked");
    let wanted = purchase(2);
    until("it is sold again", async || matches!(service.purchase(&wanted, None).await, Ok(Decision::Reserved(_))))
        .await;
}

#[tokio::test]
async fn an_instance_that_remembers_nothing_still_knows_every_order() {
    let ground = Ground::new(1).await;
    let (first, second) = (purchase(1), purchase(2));
    let service = ground.shop(2, &patient()).await;
    let reservation = reserve(&service, &first).await;
    service.stop().await;

    let endpoint = ground.site.first().endpoint.clone();
    let service = Service::start(&[endpoint], &patient()).await.expect("the first one is gone");
    assert_eq!(reserve(&service, &first).await, reservation, "while there is stock");
    let same_user = Purchase { key: Uuid::now_v7(), ..first };
    assert_eq!(service.purchase(&same_user, None).await.expect("decided"), Decision::LimitReached);
    reserve(&service, &second).await;
    assert_eq!(reserve(&service, &first).await, reservation, "when all is sold");
    assert_eq!(service.purchase(&same_user, None).await.expect("decided"), Decision::LimitReached);
    let same_key = Purchase { user_id: 3, ..first };
    assert_eq!(service.purchase(&same_key, None).await.expect("decided"), Decision::KeyReused);
    assert_eq!(service.purchase(&purchase(4), None).await.expect("decided"), Decision::SoldOut);
}

#[tokio::test]
async fn a_batch_of_everything_at_once_is_decided_as_if_one_by_one() {
    let ground = Ground::new(1).await;
    let service = ground.shop(4, &patient()).await;
    let holder = ground.hold_the_stock_row().await;
    let (first, second, third) = (purchase(1), purchase(2), purchase(3));
    let wishes = [
        first,
        first,
        Purchase { user_id: 9, ..first },
        Purchase { key: Uuid::now_v7(), ..first },
        Purchase { product_id: 5, ..purchase(1) },
        second,
        third,
        purchase(4),
        second,
    ];
    // The flush of an earlier request stands still meanwhile, so all of these come into the next one, in this order.
    let earlier = purchase(100);
    let deciding = async {
        until_a_purchase_waits(&holder).await;
        join_all(wishes.iter().map(|wish| service.purchase(wish, None))).await
    };
    let releasing = async {
        until("all are in the queue", async || service.figures()[0].queued == 9).await;
        holder.batch_execute("commit").await.expect("released");
    };
    let (_, decisions, ()) = tokio::join!(service.purchase(&earlier, None), deciding, releasing);
    let told: Vec<&str> = decisions
        .into_iter()
        .map(|decision| match decision.expect("decided") {
            Decision::Reserved(_) => "reserved",
            Decision::SoldOut => "sold out",
            Decision::LimitReached => "limit",
            Decision::KeyReused => "key",
            Decision::NoSuchProduct => "no product",
        })
        .collect();
    assert_eq!(
        told,
        ["reserved", "reserved", "key", "limit", "no product", "reserved", "reserved", "sold out", "reserved"]
    );
    assert_eq!(service.figures()[0].batches, 2);
    assert_eq!(ground.number("select count(*) from flash_sale.orders").await, 4, "and nothing of a product unknown");
    assert_eq!(ground.violations().await, []);
}

//! What users of a ledger expect of a request, asked of a session and of the sequencer alike.

use std::time::{Duration, SystemTime};

use pgstrata_sequencer::Settings;
use uuid::Uuid;

use super::*;
use crate::ledger::accounts::{self, Changed, Limits, Status};
use crate::ledger::create_schema;
use crate::ledger::service::Service;
use crate::ledger::teller::{Teller, Way};
use crate::ledger::transfer::{Body, Currency, Decision, Kind, Leg, Receipt, Refusal, Request};

/// Whoever decides requests.
enum Counter {
    Session(Box<Teller>),
    Service(Box<Service>),
}

/// The two, each with books of its own: account 9 may owe any amount, accounts 1 to 3 in euros and 4 in yen are empty.
async fn counters() -> Vec<(Ground, Counter)> {
    let mut counters = Vec::new();
    for is_service in [false, true] {
        let ground = Ground::new(1).await;
        let session = ground.session().await;
        create_schema(&session).await.expect("the schema");
        let accounts = [(9, Currency::EUR, None), (1, Currency::EUR, Some(0)), (2, Currency::EUR, Some(0))];
        let more = [(3, Currency::EUR, Some(0)), (4, Currency::JPY, Some(0)), (10, Currency::JPY, None)];
        for (account_id, currency, floor) in accounts.into_iter().chain(more) {
            let opened = accounts::open(&*session, account_id, currency, Limits { floor, daily: None }).await;
            assert_eq!(opened.expect("opened"), Changed::Done);
        }
        let endpoint = &ground.site.first().endpoint;
        let counter = if is_service {
            let service = Service::start(endpoint, Settings::default(), false).await;
            Counter::Service(Box::new(service.expect("the service")))
        } else {
            let way = Way {
                isolation: include_str!("../arms/read_committed.sql"),
                read: include_str!("../arms/read_for_update.sql"),
            };
            Counter::Session(Box::new(Teller::open(session, way, false).await.expect("a teller")))
        };
        counters.push((ground, counter));
    }
    counters
}

impl Counter {
    async fn decide(&mut self, request: &Request) -> Decision {
        match self {
            Self::Session(teller) => teller.post(request).await.expect("a decision"),
            Self::Service(service) => service.post(request.clone(), None).await.expect("a decision").decision,
        }
    }

    async fn pay(&mut self, key: u128, from: i64, to: i64, amount: i64) -> Decision {
        self.decide(&transfer(key, from, to, amount)).await
    }
}

fn transfer(key: u128, from: i64, to: i64, amount: i64) -> Request {
    let leg = |account_id, amount| Leg { account_id, currency: Currency::EUR, amount };
    post(key, vec![leg(from, -amount), leg(to, amount)])
}

fn post(key: u128, legs: Vec<Leg>) -> Request {
    Request { key: Uuid::from_u128(key), body: Body::Post { kind: Kind::Transfer, legs } }
}

fn reversal(key: u128, of: u128) -> Request {
    Request { key: Uuid::from_u128(key), body: Body::Reverse { transfer_id: Uuid::from_u128(of) } }
}

fn posted(key: u128, entry: i64) -> Decision {
    Decision::Posted(Receipt { transfer_id: Uuid::from_u128(key), entry })
}

async fn balance(ground: &Ground, account_id: i64) -> i64 {
    let row = ground.session().await;
    let row = row.query_one("select balance from ledger.accounts where account_id = $1", &[&account_id]).await;
    row.expect("a row").get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_moves_money_once_and_a_key_means_one_request() {
    for (ground, mut counter) in counters().await {
        assert_eq!(counter.pay(1, 9, 1, 100).await, posted(1, 1));
        assert_eq!(counter.pay(2, 1, 2, 40).await, posted(2, 2));
        assert_eq!(counter.pay(2, 1, 2, 40).await, posted(2, 2), "sent again");
        assert_eq!(counter.pay(2, 1, 2, 41).await, Decision::Refused(Refusal::KeyReused));
        assert_eq!((balance(&ground, 1).await, balance(&ground, 2).await, balance(&ground, 9).await), (60, 40, -100));
        assert_eq!(ground.number("select count(*) from ledger.entries").await, 4);
        assert_eq!(super::judge_state(&ground).await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_posted_is_refused_with_its_reason_and_writes_nothing() {
    for (ground, mut counter) in counters().await {
        counter.pay(1, 9, 1, 100).await;
        let leg = |account_id, currency, amount| Leg { account_id, currency, amount };
        let (eur, jpy) = (Currency::EUR, Currency::JPY);
        let refused = [
            (transfer(2, 1, 2, 101), Refusal::InsufficientFunds),
            (transfer(3, 1, 77, 1), Refusal::NoSuchAccount),
            (transfer(4, 1, 1, 1), Refusal::AccountTwice),
            (post(5, vec![leg(1, eur, -5), leg(2, eur, 4)]), Refusal::Unbalanced),
            (post(6, vec![leg(1, eur, -5), leg(4, eur, 5)]), Refusal::CurrencyMismatch),
            (post(7, vec![leg(1, eur, -5), leg(4, jpy, 5)]), Refusal::Unbalanced),
            (reversal(8, 99), Refusal::NoSuchTransfer),
        ];
        for (request, refusal) in refused {
            assert_eq!(counter.decide(&request).await, Decision::Refused(refusal), "{request:?}");
        }
        assert_eq!(ground.number("select count(*) from ledger.transfers").await, 1);
        // A refusal is not kept: the same request is posted when funds have arrived.
        counter.pay(9, 9, 1, 1).await;
        assert_eq!(counter.pay(2, 1, 2, 101).await, posted(2, 3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_legs_in_several_currencies_are_posted_together_or_not_at_all() {
    for (ground, mut counter) in counters().await {
        counter.pay(1, 9, 1, 100).await;
        let leg = |account_id, currency, amount| Leg { account_id, currency, amount };
        let exchange = |key, euros: i64, yen: i64| {
            let legs = vec![
                leg(1, Currency::EUR, -euros),
                leg(9, Currency::EUR, euros),
                leg(10, Currency::JPY, -yen),
                leg(4, Currency::JPY, yen),
            ];
            post(key, legs)
        };
        assert_eq!(counter.decide(&exchange(2, 101, 16_000)).await, Decision::Refused(Refusal::InsufficientFunds));
        assert_eq!(balance(&ground, 4).await, 0);
        assert_eq!(counter.decide(&exchange(3, 50, 8_000)).await, posted(3, 2));
        assert_eq!(
            (balance(&ground, 1).await, balance(&ground, 4).await, balance(&ground, 10).await),
            (50, 8_000, -8_000)
        );
        assert_eq!(super::judge_state(&ground).await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_is_reversed_once_exactly_and_only_while_the_money_is_there() {
    for (ground, mut counter) in counters().await {
        counter.pay(1, 9, 1, 100).await;
        counter.pay(2, 1, 2, 40).await;
        counter.pay(3, 2, 3, 30).await;
        assert_eq!(counter.decide(&reversal(4, 2)).await, Decision::Refused(Refusal::InsufficientFunds));
        counter.pay(5, 9, 2, 30).await;
        assert_eq!(counter.decide(&reversal(4, 2)).await, posted(4, 3), "the same request, now that it can be");
        assert_eq!(counter.decide(&reversal(4, 2)).await, posted(4, 3), "sent again");
        assert_eq!(counter.decide(&reversal(6, 2)).await, Decision::Refused(Refusal::AlreadyReversed));
        assert_eq!(counter.decide(&reversal(7, 4)).await, Decision::Refused(Refusal::NotReversible));
        assert_eq!((balance(&ground, 1).await, balance(&ground, 2).await), (100, 0));
        assert_eq!(super::judge_state(&ground).await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_status_bind_from_the_moment_they_are_set() {
    for (ground, mut counter) in counters().await {
        let session = ground.session().await;
        counter.pay(1, 9, 1, 100).await;
        let limits = |floor, daily| Limits { floor: Some(floor), daily };
        assert_eq!(
            accounts::set_limits(&*session, 1, limits(101, None)).await.expect("asked"),
            Changed::BalanceForbids
        );
        accounts::set_limits(&*session, 1, limits(20, Some(50))).await.expect("set");
        assert_eq!(counter.pay(2, 1, 2, 51).await, Decision::Refused(Refusal::DailyLimitExceeded));
        assert_eq!(counter.pay(3, 1, 2, 50).await, posted(3, 2));
        assert_eq!(counter.pay(4, 1, 2, 1).await, Decision::Refused(Refusal::DailyLimitExceeded));
        accounts::set_limits(&*session, 1, limits(50, None)).await.expect("set");
        assert_eq!(counter.pay(4, 1, 2, 1).await, Decision::Refused(Refusal::InsufficientFunds));
        accounts::set_limits(&*session, 1, limits(0, None)).await.expect("set");
        accounts::set_status(&*session, 2, Status::Frozen).await.expect("frozen");
        assert_eq!(counter.pay(4, 1, 2, 1).await, Decision::Refused(Refusal::AccountNotOpen));
        assert_eq!(counter.pay(4, 1, 3, 1).await, posted(4, 3));
        accounts::set_status(&*session, 2, Status::Open).await.expect("open");
        assert_eq!(counter.pay(5, 1, 2, 1).await, posted(5, 4));
        let closed = accounts::set_status(&*session, 2, Status::Closed).await.expect("asked");
        assert_eq!(closed, Changed::BalanceForbids, "there is money in it");
        let again = accounts::open(&*session, 1, Currency::EUR, limits(0, None)).await.expect("asked");
        assert_eq!(again, Changed::AccountExists);
        assert_eq!(accounts::set_status(&*session, 77, Status::Open).await.expect("asked"), Changed::NoSuchAccount);
        assert_eq!(super::judge_state(&ground).await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_opens_and_closes_with_the_balances_of_its_time_and_comes_in_pages() {
    for (ground, mut counter) in counters().await {
        let session = ground.session().await;
        counter.pay(1, 9, 1, 100).await;
        counter.pay(2, 1, 2, 10).await;
        let row = session.query_one("select clock_timestamp()", &[]).await.expect("a row");
        let from: SystemTime = row.get(0);
        for key in 3..8 {
            counter.pay(key, 1, 2, 10).await;
        }
        let row = session.query_one("select clock_timestamp()", &[]).await.expect("a row");
        let until: SystemTime = row.get(0);
        counter.pay(8, 1, 2, 10).await;

        let page = async |span, after| {
            accounts::statement(&*session, 1, span, after, 3).await.expect("read").expect("an account")
        };
        let first = page((from, until), 0).await;
        assert_eq!((first.opening_balance, first.closing_balance, first.next), (90, 40, Some(5)));
        let second = page((from, until), 5).await;
        assert_eq!((second.opening_balance, second.closing_balance, second.next), (90, 40, None));
        let lines: Vec<(i64, i64, i64)> =
            first.lines.iter().chain(&second.lines).map(|line| (line.number, line.amount, line.balance)).collect();
        assert_eq!(lines, [(3, -10, 80), (4, -10, 70), (5, -10, 60), (6, -10, 50), (7, -10, 40)]);
        assert_eq!(first.lines[0].transfer_id, Uuid::from_u128(3));

        let empty = page((until, until), 0).await;
        assert_eq!((empty.opening_balance, empty.closing_balance, empty.lines.len()), (40, 40, 0));
        let before = page((SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_secs(1)), 0).await;
        assert_eq!((before.opening_balance, before.closing_balance, before.lines.len()), (0, 0, 0));
        let nobody = accounts::statement(&*session, 77, (from, until), 0, 3).await.expect("read");
        assert_eq!(nobody, None);
    }
}

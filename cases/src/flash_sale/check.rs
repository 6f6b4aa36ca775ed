//! Judges what clients were told against what is in the tables: the invariants that plain SQL alone cannot tell.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;

use pgstrata_lab::history::{Event, History, Outcome};
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{StudyError, Violation, WITNESS_LIMIT};
use pgstrata_pg::sql::{BinaryCopyInWriter, ClientError, Type};
use pgstrata_pg::{Error, Session};
use serde_json::{Value, json};

use super::demand::Demand;
use super::purchase::{Purchase, reason};

const ACKNOWLEDGED: &str = include_str!("check/acknowledged.sql");
const COPY_ACKNOWLEDGED: &str = include_str!("check/copy_acknowledged.sql");
const I3: &str = include_str!("check/i3_acknowledged_is_the_order.sql");
const I8: &str = include_str!("check/i8_acknowledged_is_there.sql");
const STOCK_AT_REST: &str = include_str!("check/stock_at_rest.sql");

/// What clients were told, by the server that the product lives on.
#[derive(Debug, Default)]
struct Told {
    /// An accepted purchase with its order number; one for each operation.
    accepted: Vec<(Purchase, i64)>,
    /// How many were told "sold out", and one of them, by product.
    sold_out: BTreeMap<i64, (u64, Option<Purchase>)>,
}

/// Judges a trial.
pub(crate) async fn check(site: &Site, history: &History) -> Result<Vec<Violation>, StudyError> {
    let demand = Demand::new(site.servers.len());
    let (told, unequal) = read_history(history, demand, site.servers.len());
    let mut violations: Vec<Violation> = unequal.into_iter().collect();
    for (server, told) in site.servers.iter().zip(&told) {
        let session = server.control.connect().await?;
        load(&session, &told.accepted).await?;
        violations.extend(
            rows(&session, "I3", I3, "were told of another order than the one they have", |row| {
                Ok(json!({
                    "key": row.try_get::<_, uuid::Uuid>("key")?,
                    "acknowledged_order_id": row.try_get::<_, i64>("acknowledged_order_id")?,
                    "order_id": row.try_get::<_, i64>("order_id")?,
                    "acknowledged_user_id": row.try_get::<_, i64>("acknowledged_user_id")?,
                    "user_id": row.try_get::<_, i64>("user_id")?,
                }))
            })
            .await?,
        );
        violations.extend(
            rows(&session, "I8", I8, "were told \"yours\" and have no order", |row| {
                Ok(json!({
                    "key": row.try_get::<_, uuid::Uuid>("key")?,
                    "acknowledged_order_id": row.try_get::<_, i64>("order_id")?,
                    "user_id": row.try_get::<_, i64>("user_id")?,
                }))
            })
            .await?,
        );
        violations.extend(phantom_sold_out(&session, told).await?);
    }
    Ok(violations)
}

/// Sorts what clients were told by server, and finds repeated requests whose answers differ (I5).
fn read_history(history: &History, demand: Demand, servers: usize) -> (Vec<Told>, Option<Violation>) {
    let mut told: Vec<Told> = (0..servers).map(|_| Told::default()).collect();
    let mut accepted: HashMap<u64, &Event> = HashMap::new();
    let mut unequal = Vec::new();
    for event in history.events.iter().filter(|event| event.outcome == Outcome::Ok) {
        match accepted.get(&event.operation) {
            Some(first) if first.value != event.value => unequal.push((*first, event)),
            Some(first) if first.finished_ns <= event.finished_ns => {}
            _ => {
                accepted.insert(event.operation, event);
            }
        }
    }
    for event in history.events.iter().filter(|event| event.outcome == Outcome::Rejected) {
        // A refusal that was under way while the other copy was accepted may be the older decision; stock can return.
        if let Some(first) = accepted.get(&event.operation)
            && event.sent_ns > first.finished_ns
        {
            unequal.push((*first, event));
        }
        if event.value == reason::SOLD_OUT {
            let purchase = demand.purchase(&history.operation(event));
            let (count, example) =
                told[demand.server_of(purchase.product_id)].sold_out.entry(purchase.product_id).or_default();
            *count += 1;
            example.get_or_insert(purchase);
        }
    }
    for event in accepted.values() {
        let purchase = demand.purchase(&history.operation(event));
        told[demand.server_of(purchase.product_id)].accepted.push((purchase, event.value));
    }
    (told, answers_differ(history, &unequal))
}

fn answers_differ(history: &History, unequal: &[(&Event, &Event)]) -> Option<Violation> {
    let answer = |event: &Event| json!({"outcome": event.outcome, "value": event.value, "client": event.client});
    let witnesses: Vec<Value> = unequal
        .iter()
        .take(WITNESS_LIMIT)
        .map(|(first, second)| {
            let key = history.operation(first).key;
            json!({"key": key, "first": answer(first), "second": answer(second)})
        })
        .collect();
    Violation::of("I5", unequal.len(), "repeated requests were answered differently", witnesses)
}

/// Loads what was accepted, so that millions of answers are judged by one join.
async fn load(session: &Session, accepted: &[(Purchase, i64)]) -> Result<(), StudyError> {
    let failed = |error: ClientError| StudyError::new("load what clients were told", error);
    session.batch_execute(ACKNOWLEDGED).await.map_err(failed)?;
    let sink = session.copy_in(COPY_ACKNOWLEDGED).await.map_err(failed)?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &[Type::UUID, Type::INT8, Type::INT8]));
    for (purchase, order_id) in accepted {
        writer.as_mut().write(&[&purchase.key, order_id, &purchase.user_id]).await.map_err(failed)?;
    }
    writer.finish().await.map_err(failed)?;
    session.batch_execute("analyze acknowledged").await.map_err(failed)
}

/// Runs a query whose rows are violations.
async fn rows(
    session: &Session,
    invariant: &str,
    sql: &str,
    found: &str,
    witness: impl Fn(&pgstrata_pg::sql::Row) -> Result<Value, ClientError>,
) -> Result<Option<Violation>, StudyError> {
    let rows = session.query(sql, &[]).await.map_err(Error::from)?;
    let witnesses: Result<Vec<Value>, ClientError> = rows.iter().take(WITNESS_LIMIT).map(witness).collect();
    Ok(Violation::of(invariant, rows.len(), found, witnesses.map_err(Error::from)?))
}

/// I7: when the dust has settled and nothing ever came back, whoever was told "sold out" was told so of an empty shelf.
async fn phantom_sold_out(session: &Session, told: &Told) -> Result<Option<Violation>, StudyError> {
    let mut count = 0;
    let mut witnesses = Vec::new();
    for row in session.query(STOCK_AT_REST, &[]).await.map_err(Error::from)? {
        let product: i64 = row.try_get("product_id").map_err(Error::from)?;
        let quantity: i64 = row.try_get("quantity").map_err(Error::from)?;
        let returned: i64 = row.try_get("returned").map_err(Error::from)?;
        let Some((refusals, example)) = told.sold_out.get(&product) else { continue };
        if quantity > 0 && returned == 0 {
            count += usize::try_from(*refusals).unwrap_or(usize::MAX);
            witnesses.push(json!({
                "product_id": product,
                "left": quantity,
                "told_sold_out": refusals,
                "one_of_them": example.map(|purchase| json!({"key": purchase.key, "user_id": purchase.user_id})),
            }));
        }
    }
    Ok(Violation::of("I7", count, "were told \"sold out\" while there was stock", witnesses))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(operation: u64, outcome: Outcome, value: i64, sent_ns: u64, finished_ns: u64) -> Event {
        Event { operation, intended_ns: sent_ns, sent_ns, finished_ns, value, client: 0, attempts: 1, outcome }
    }

    fn unequal(events: Vec<Event>) -> u64 {
        let history = History { seed: 1, events, measured_until_ns: 1_000, ..History::default() };
        read_history(&history, Demand::new(1), 1).1.map_or(0, |violation| violation.count)
    }

    #[test]
    fn two_orders_for_one_key_are_two_answers() {
        assert_eq!(unequal(vec![event(7, Outcome::Ok, 1, 0, 10), event(7, Outcome::Ok, 1, 20, 30)]), 0);
        assert_eq!(unequal(vec![event(7, Outcome::Ok, 1, 0, 10), event(7, Outcome::Ok, 2, 20, 30)]), 1);
    }

    #[test]
    fn a_refusal_asked_for_after_the_acceptance_was_known_is_another_answer() {
        let refused = |sent, finished| event(7, Outcome::Rejected, reason::SOLD_OUT, sent, finished);
        assert_eq!(unequal(vec![event(7, Outcome::Ok, 1, 0, 10), refused(11, 20)]), 1);
        assert_eq!(unequal(vec![event(7, Outcome::Ok, 1, 0, 10), refused(5, 20)]), 0, "both were under way");
        assert_eq!(unequal(vec![refused(0, 5), event(7, Outcome::Ok, 1, 6, 10)]), 0, "refusals may be reconsidered");
    }

    #[test]
    fn each_operation_is_looked_for_once() {
        let history = History {
            seed: 1,
            events: vec![
                event(7, Outcome::Ok, 1, 0, 10),
                event(7, Outcome::Ok, 1, 0, 12),
                event(8, Outcome::Ok, 2, 0, 9),
            ],
            measured_until_ns: 1_000,
            ..History::default()
        };
        let (told, _) = read_history(&history, Demand::new(1), 1);
        assert_eq!(told[0].accepted.len(), 2);
    }
}

//! The five programs, and how an allocation runs them.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use pgstrata_history::exact::Predicate;
use pgstrata_lab::observe::{Observer, WatchedTransaction};
use pgstrata_lab::study::Operation;
use pgstrata_pg::sql::{FromSql, Row};
use pgstrata_pg::{Error, Session};
use pgstrata_units::Isolation;

use super::call::{Call, PROGRAMS, Program, Purpose, WAREHOUSE};
use super::statements::Statements;
use crate::advisor::value::allocation::{Allocation, Form};
use crate::advisor::value::teller::Programs;

const DISTRICT: &str = "tpcc.district";
const CUSTOMER: &str = "tpcc.customer";
const ORDERS: &str = "tpcc.orders";
const NEW_ORDER: &str = "tpcc.new_order";
const ORDER_LINE: &str = "tpcc.order_line";
const STOCK: &str = "tpcc.stock";

/// How many of the last orders `StockLevel` looks at (TPC-C, clause 2.8.2.2).
const LAST_ORDERS: i64 = 20;

/// The programs of a session.
pub(super) struct Shop {
    allocation: Allocation<PROGRAMS>,
    statements: Statements,
    is_watched: bool,
    purpose: Purpose,
}

impl Shop {
    pub(super) async fn prepare(
        session: &Session,
        observer: &Observer,
        allocation: Allocation<PROGRAMS>,
        purpose: Purpose,
    ) -> Result<Self, Error> {
        let is_watched = observer.choose("", "watched") == "watched";
        Ok(Self { allocation, statements: Statements::prepare(session, observer).await?, is_watched, purpose })
    }

    async fn new_order(&self, doing: &mut WatchedTransaction<'_>, call: &Call) -> Result<i64, Error> {
        let run = &self.statements;
        let (district, customer) = (&call.district, &call.customer);
        // Nobody writes the columns of this and the next two plain reads. The graph knows rows and not columns, so they
        // are not told to it: Payment's change of the warehouse's takings would count as one of its tax.
        let rows = doing.unwatched().query(&run.new_order_warehouse, &[&WAREHOUSE]).await?;
        let tax: i64 = first(&rows, "w_tax")?;
        let rows = doing.write(DISTRICT, &run.new_order_district, &[&WAREHOUSE, district]).await?;
        let (d_tax, next): (i64, i64) = (first(&rows, "d_tax")?, first(&rows, "d_next_o_id")?);
        let order = next - 1;
        let rows = doing.unwatched().query(&run.new_order_customer, &[&WAREHOUSE, district, customer]).await?;
        let discount: i64 = first(&rows, "c_discount")?;
        let lines = i64::try_from(call.lines.len()).unwrap_or(0);
        doing.write(ORDERS, &run.new_order_order, &[&WAREHOUSE, district, &order, customer, &lines]).await?;
        doing.write(NEW_ORDER, &run.new_order_waiting, &[&WAREHOUSE, district, &order]).await?;
        for (number, line) in (1_i64..).zip(&call.lines) {
            let rows = doing.unwatched().query(&run.new_order_item, &[&line.item]).await?;
            let price: i64 = first(&rows, "i_price")?;
            doing.write(STOCK, &run.new_order_stock, &[&WAREHOUSE, &line.item, &line.quantity]).await?;
            let amount = price * line.quantity * (100 - discount) * (100 + tax + d_tax) / 10_000;
            let values: [&(dyn pgstrata_pg::sql::ToSql + Sync); 7] =
                [&WAREHOUSE, district, &order, &number, &line.item, &line.quantity, &amount];
            doing.write(ORDER_LINE, &run.new_order_line, &values).await?;
        }
        Ok(order)
    }

    async fn payment(&self, doing: &mut WatchedTransaction<'_>, call: &Call) -> Result<i64, Error> {
        let run = &self.statements;
        let (district, customer, amount) = (&call.district, &call.customer, &call.amount);
        doing.write("tpcc.warehouse", &run.payment_warehouse, &[&WAREHOUSE, amount]).await?;
        doing.write(DISTRICT, &run.payment_district, &[&WAREHOUSE, district, amount]).await?;
        doing.write(CUSTOMER, &run.payment_customer, &[&WAREHOUSE, district, customer, amount]).await?;
        let values: [&(dyn pgstrata_pg::sql::ToSql + Sync); 5] = [&call.key, &WAREHOUSE, district, customer, amount];
        doing.write("tpcc.history", &run.payment_history, &values).await?;
        Ok(*amount)
    }

    async fn order_status(&self, doing: &mut WatchedTransaction<'_>, call: &Call) -> Result<i64, Error> {
        let run = &self.statements;
        let (district, customer) = (&call.district, &call.customer);
        self.share(doing, call).await?;
        let rows = doing.read(CUSTOMER, &run.order_status_customer, &[&WAREHOUSE, district, customer]).await?;
        let balance: i64 = first(&rows, "c_balance")?;
        let all = Arc::new(of_district("o", *district).and(Predicate::equals("o_c_id", &customer.to_string())));
        let rows = doing.read_where(ORDERS, &all, &run.order_status_order, &[&WAREHOUSE, district, customer]).await?;
        let order: i64 = first(&rows, "o_id")?;
        let lines = Arc::new(of_district("ol", *district).and(Predicate::within("ol_o_id", order..=order)));
        doing.read_where(ORDER_LINE, &lines, &run.order_status_lines, &[&WAREHOUSE, district, &order]).await?;
        Ok(balance)
    }

    /// Keeps everybody from changing the district while it is looked at, where the program's reads are locked.
    async fn share(&self, doing: &mut WatchedTransaction<'_>, call: &Call) -> Result<(), Error> {
        if self.form(call.program) == Form::Locking {
            doing.read(DISTRICT, &self.statements.share_district, &[&WAREHOUSE, &call.district]).await?;
        }
        Ok(())
    }

    fn form(&self, program: Program) -> Form {
        self.allocation.forms[program as usize]
    }

    /// One district's, as the specification allows (clause 2.7.2.2).
    async fn delivery(&self, doing: &mut WatchedTransaction<'_>, call: &Call) -> Result<i64, Error> {
        let Some(order) = self.oldest(doing, call.district).await? else { return Ok(0) };
        self.deliver(doing, call, order).await?;
        Ok(order)
    }

    /// The order that has waited longest.
    async fn oldest(&self, doing: &mut WatchedTransaction<'_>, district: i64) -> Result<Option<i64>, Error> {
        let run = &self.statements;
        match self.form(Program::Delivery) {
            Form::Plain => {}
            Form::Updating => drop(doing.write(DISTRICT, &run.promote_district, &[&WAREHOUSE, &district]).await?),
            Form::Locking => drop(doing.read(DISTRICT, &run.lock_district, &[&WAREHOUSE, &district]).await?),
        }
        let all = Arc::new(of_district("no", district));
        let rows = doing.read_where(NEW_ORDER, &all, &run.delivery_oldest, &[&WAREHOUSE, &district]).await?;
        Ok(rows.first().map(|row| row.try_get("no_o_id")).transpose()?)
    }

    async fn deliver(&self, doing: &mut WatchedTransaction<'_>, call: &Call, order: i64) -> Result<(), Error> {
        let run = &self.statements;
        let district = &call.district;
        doing.delete(NEW_ORDER, &run.delivery_taken, &[&WAREHOUSE, district, &order]).await?;
        let rows = doing.write(ORDERS, &run.delivery_order, &[&WAREHOUSE, district, &order, &call.carrier]).await?;
        let customer: i64 = first(&rows, "o_c_id")?;
        let rows = doing.write(ORDER_LINE, &run.delivery_lines, &[&WAREHOUSE, district, &order, &call.carrier]).await?;
        let mut amount: i64 = 0;
        for row in &rows {
            amount += row.try_get::<_, i64>("ol_amount")?;
        }
        doing.write(CUSTOMER, &run.delivery_customer, &[&WAREHOUSE, district, &customer, &amount]).await?;
        Ok(())
    }

    async fn stock_level(&self, doing: &mut WatchedTransaction<'_>, call: &Call) -> Result<i64, Error> {
        let run = &self.statements;
        let district = &call.district;
        self.share(doing, call).await?;
        let rows = doing.read(DISTRICT, &run.stock_level_district, &[&WAREHOUSE, district]).await?;
        let until: i64 = first(&rows, "d_next_o_id")?;
        let from = until - LAST_ORDERS;
        let lines = Arc::new(of_district("ol", *district).and(Predicate::within("ol_o_id", from..until)));
        let values: [&(dyn pgstrata_pg::sql::ToSql + Sync); 5] = [&WAREHOUSE, district, &from, &until, &call.threshold];
        let rows = doing.read_where(ORDER_LINE, &lines, &run.stock_level_low, &values).await?;
        if !self.is_watched {
            return first(&rows, "low");
        }
        doing.also_read(STOCK, &rows, "stock_key", "stock_xmin")?;
        let mut low: BTreeSet<i64> = BTreeSet::new();
        for row in &rows {
            if row.try_get("is_low")? {
                low.insert(row.try_get("s_i_id")?);
            }
        }
        Ok(i64::try_from(low.len()).unwrap_or(i64::MAX))
    }
}

#[async_trait]
impl Programs for Shop {
    type Call = Call;

    fn call(&self, operation: &Operation) -> Call {
        Call::of(operation, self.purpose)
    }

    fn level(&self, call: &Call) -> Isolation {
        self.allocation.levels[call.program as usize]
    }

    fn changes(call: &Call) -> bool {
        call.program.changes()
    }

    async fn run(&self, doing: &mut WatchedTransaction<'_>, call: &Call) -> Result<i64, Error> {
        match call.program {
            Program::NewOrder => self.new_order(doing, call).await,
            Program::Payment => self.payment(doing, call).await,
            Program::OrderStatus => self.order_status(doing, call).await,
            Program::Delivery => self.delivery(doing, call).await,
            Program::StockLevel => self.stock_level(doing, call).await,
        }
    }
}

/// The rows of a district, in a table whose columns begin so.
fn of_district(prefix: &str, district: i64) -> Predicate {
    Predicate::equals(&format!("{prefix}_w_id"), &WAREHOUSE.to_string())
        .and(Predicate::equals(&format!("{prefix}_d_id"), &district.to_string()))
}

/// A column of the first row. What the programs ask for by key is never removed, so there is one.
fn first<'a, T: FromSql<'a> + Default>(rows: &'a [Row], column: &str) -> Result<T, Error> {
    Ok(rows.first().map_or_else(|| Ok(T::default()), |row| row.try_get(column))?)
}

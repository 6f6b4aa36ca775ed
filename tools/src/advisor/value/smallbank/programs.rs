//! The five programs, whom they are about, and how an allocation runs them.

use async_trait::async_trait;
use pgstrata_lab::observe::{Observer, WatchedTransaction};
use pgstrata_lab::study::Operation;
use pgstrata_pg::sql::{Row, Statement};
use pgstrata_pg::{Error, Session};
use pgstrata_units::Isolation;

use crate::advisor::value::allocation::{Allocation, Form};
use crate::advisor::value::teller::Programs;
use crate::advisor::value::texts;

/// How many customers there are: few, so that they are hot.
pub(super) const CUSTOMERS: i64 = 20;

/// The last of them.
const HIGHEST: usize = 19;

/// What each account holds in the beginning.
pub(super) const OPENING: i64 = 1_000;

/// How many programs there are.
pub(super) const PROGRAMS: usize = 5;

const ACCOUNT: &str = "smallbank.account";
const SAVINGS: &str = "smallbank.savings";
const CHECKING: &str = "smallbank.checking";

/// The largest amount that is moved at once.
const AMOUNT_MOST: u64 = 100;

/// One of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// Reads both accounts of a customer.
    Balance,
    /// Adds to checking.
    DepositChecking,
    /// Adds to savings.
    TransactSavings,
    /// Moves everything that a customer has to another's checking.
    Amalgamate,
    /// Takes from checking, and one more if both accounts together do not cover it.
    WriteCheck,
}

impl Program {
    const ALL: [Self; PROGRAMS] =
        [Self::Balance, Self::DepositChecking, Self::TransactSavings, Self::Amalgamate, Self::WriteCheck];

    pub(super) fn changes(self) -> bool {
        self != Self::Balance
    }
}

/// One call of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    program: Program,
    /// Whom it is about.
    customer: String,
    /// Who gets the money of an amalgamation; somebody with a higher number.
    other: String,
    amount: i64,
}

impl Call {
    pub(super) fn program(&self) -> Program {
        self.program
    }
}

/// Draws calls: each program as often as the others, customers by Zipf's law.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// The probability of this customer or one before.
    cumulative: Vec<f64>,
}

impl Choice {
    pub(super) fn new(skew: f64) -> Self {
        let weights: Vec<f64> = (1..=CUSTOMERS).map(|rank| (rank as f64).powf(-skew)).collect();
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let cumulative = weights.into_iter().map(|weight| {
            sum += weight / total;
            sum
        });
        Self { cumulative: cumulative.collect() }
    }

    /// The program, and the amount, depend on the operation alone; the customers on the skew, too.
    pub(super) fn call(&self, operation: &Operation) -> Call {
        let draw = operation.draw;
        let program = Program::ALL[(draw % 5) as usize];
        let (one, other) = (self.customer(draw >> 8), self.customer((draw >> 36) ^ (draw << 5)));
        let (low, high) = if one == other { neighbours(one) } else { (one.min(other), one.max(other)) };
        // An amalgamation goes from the lower to the higher; everything else is about the one that was drawn first.
        let customer = if program == Program::Amalgamate { low } else { one };
        let amount = i64::try_from((draw >> 3) % AMOUNT_MOST + 1).unwrap_or(1);
        Call { program, customer: name(customer), other: name(high), amount }
    }

    fn customer(&self, draw: u64) -> usize {
        const BITS: u64 = 1 << 28;
        let uniform = (draw % BITS) as f64 / BITS as f64;
        self.cumulative.partition_point(|sum| *sum <= uniform).min(self.cumulative.len() - 1)
    }
}

/// A customer and the next one.
fn neighbours(customer: usize) -> (usize, usize) {
    let low = customer.min(HIGHEST - 1);
    (low, low + 1)
}

/// As `fill.sql` writes it.
fn name(customer: usize) -> String {
    format!("customer {customer}")
}

/// The statements of a session.
pub(super) struct Bank {
    allocation: Allocation<PROGRAMS>,
    choice: Choice,
    find_account: Statement,
    savings: Reads,
    checking: Reads,
    add_savings: Statement,
    add_checking: Statement,
    empty_savings: Statement,
    empty_checking: Statement,
}

/// The ways of reading an account.
struct Reads {
    plain: Statement,
    updating: Statement,
    sharing: Statement,
    locking: Statement,
}

/// How a program reads an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    Updating,
    Sharing,
    Locking,
}

impl Bank {
    pub(super) async fn prepare(
        session: &Session,
        observer: &Observer,
        allocation: Allocation<PROGRAMS>,
        choice: Choice,
    ) -> Result<Self, Error> {
        let prepare = async |texts: (&str, &str)| session.prepare(observer.choose(texts.0, texts.1)).await;
        let savings = Reads {
            plain: prepare(texts!("read_savings")).await?,
            updating: prepare(texts!("promote_savings")).await?,
            sharing: prepare(texts!("share_savings")).await?,
            locking: prepare(texts!("lock_savings")).await?,
        };
        let checking = Reads {
            plain: prepare(texts!("read_checking")).await?,
            updating: prepare(texts!("promote_checking")).await?,
            sharing: prepare(texts!("share_checking")).await?,
            locking: prepare(texts!("lock_checking")).await?,
        };
        Ok(Self {
            allocation,
            choice,
            find_account: prepare(texts!("find_account")).await?,
            savings,
            checking,
            add_savings: prepare(texts!("add_savings")).await?,
            add_checking: prepare(texts!("add_checking")).await?,
            empty_savings: prepare(texts!("empty_savings")).await?,
            empty_checking: prepare(texts!("empty_checking")).await?,
        })
    }

    async fn find(&self, doing: &mut WatchedTransaction<'_>, name: &str) -> Result<i64, Error> {
        let rows = doing.read(ACCOUNT, &self.find_account, &[&name]).await?;
        first(&rows, "customer_id")
    }

    async fn read_savings(&self, doing: &mut WatchedTransaction<'_>, id: i64, way: Way) -> Result<i64, Error> {
        read(doing, SAVINGS, &self.savings, id, way).await
    }

    async fn read_checking(&self, doing: &mut WatchedTransaction<'_>, id: i64, way: Way) -> Result<i64, Error> {
        read(doing, CHECKING, &self.checking, id, way).await
    }

    /// Both accounts of a customer together.
    async fn balance(&self, doing: &mut WatchedTransaction<'_>, id: i64) -> Result<i64, Error> {
        let way = match self.form(Program::Balance) {
            Form::Plain => Way::Plain,
            Form::Updating => Way::Updating,
            Form::Locking => Way::Sharing,
        };
        let savings = self.read_savings(doing, id, way).await?;
        Ok(savings + self.read_checking(doing, id, way).await?)
    }

    async fn amalgamate(&self, doing: &mut WatchedTransaction<'_>, from: i64, other: &str) -> Result<i64, Error> {
        let to = self.find(doing, other).await?;
        let savings = self.read_savings(doing, from, Way::Locking).await?;
        let checking = self.read_checking(doing, from, Way::Locking).await?;
        doing.write(SAVINGS, &self.empty_savings, &[&from]).await?;
        doing.write(CHECKING, &self.empty_checking, &[&from]).await?;
        doing.write(CHECKING, &self.add_checking, &[&to, &(savings + checking)]).await?;
        Ok(0)
    }

    async fn write_check(&self, doing: &mut WatchedTransaction<'_>, id: i64, amount: i64) -> Result<i64, Error> {
        // Checking is written anyway; what matters is the read of savings, unless every read locks.
        let (of_savings, of_checking) = match self.form(Program::WriteCheck) {
            Form::Plain => (Way::Plain, Way::Plain),
            Form::Updating => (Way::Updating, Way::Plain),
            Form::Locking => (Way::Locking, Way::Locking),
        };
        let savings = self.read_savings(doing, id, of_savings).await?;
        let checking = self.read_checking(doing, id, of_checking).await?;
        let penalty = i64::from(savings + checking < amount);
        let taken = -(amount + penalty);
        doing.write(CHECKING, &self.add_checking, &[&id, &taken]).await?;
        Ok(taken)
    }

    fn form(&self, program: Program) -> Form {
        self.allocation.forms[program as usize]
    }
}

#[async_trait]
impl Programs for Bank {
    type Call = Call;

    fn call(&self, operation: &Operation) -> Call {
        self.choice.call(operation)
    }

    fn level(&self, call: &Call) -> Isolation {
        self.allocation.levels[call.program as usize]
    }

    fn changes(call: &Call) -> bool {
        call.program.changes()
    }

    async fn run(&self, doing: &mut WatchedTransaction<'_>, call: &Call) -> Result<i64, Error> {
        let id = self.find(doing, &call.customer).await?;
        match call.program {
            Program::Balance => self.balance(doing, id).await,
            Program::DepositChecking => {
                doing.write(CHECKING, &self.add_checking, &[&id, &call.amount]).await?;
                Ok(call.amount)
            }
            Program::TransactSavings => {
                doing.write(SAVINGS, &self.add_savings, &[&id, &call.amount]).await?;
                Ok(call.amount)
            }
            Program::Amalgamate => self.amalgamate(doing, id, &call.other).await,
            Program::WriteCheck => self.write_check(doing, id, call.amount).await,
        }
    }
}

async fn read(doing: &mut WatchedTransaction<'_>, table: &str, reads: &Reads, id: i64, way: Way) -> Result<i64, Error> {
    let rows = match way {
        Way::Plain => doing.read(table, &reads.plain, &[&id]).await?,
        Way::Sharing => doing.read(table, &reads.sharing, &[&id]).await?,
        Way::Locking => doing.read(table, &reads.locking, &[&id]).await?,
        Way::Updating => doing.write(table, &reads.updating, &[&id]).await?,
    };
    first(&rows, "balance")
}

/// A number of the first row; customers are never removed, so that there is one.
fn first(rows: &[Row], column: &str) -> Result<i64, Error> {
    Ok(rows.first().map_or(Ok(0), |row| row.try_get(column))?)
}

//! From operations to a history of one kind. The first operation that can only be of one kind decides; those before it wait.

use super::cursor::{ImportError, error_at};
use super::operations::{Action, Body, Micro};
use crate::model::{HistoryBuilder, Operation, Read, Status};
use crate::workload::bank::BankOperation;
use crate::workload::counter::CounterOperation;
use crate::workload::set::SetOperation;
use crate::workload::{Kind, Recorded, Workload};

/// Collects operations.
pub struct Gather<'a> {
    text: &'a str,
    kind: Option<Kind>,
    /// Those that came before the kind was known.
    waiting: Vec<Recorded<Body>>,
    adds: bool,
    reads_number: bool,
    transactions: HistoryBuilder,
    bank: Vec<Recorded<BankOperation>>,
    set: Vec<Recorded<SetOperation>>,
    counter: Vec<Recorded<CounterOperation>>,
}

/// The name of the one register of histories that have `:read` and `:write` without a key.
pub const ONE_REGISTER: &str = "register";

impl<'a> Gather<'a> {
    /// Nothing yet; of this kind, or of the kind that the operations tell.
    pub fn new(text: &'a str, kind: Option<Kind>) -> Self {
        Self {
            text,
            kind,
            waiting: Vec::new(),
            adds: false,
            reads_number: false,
            transactions: HistoryBuilder::new(),
            bank: Vec::new(),
            set: Vec::new(),
            counter: Vec::new(),
        }
    }

    /// Takes an operation.
    pub fn push(&mut self, record: Recorded<Body>) -> Result<(), ImportError> {
        if self.kind.is_none() {
            self.kind = self.told(&record.operation.action);
            if self.kind.is_none() {
                self.waiting.push(record);
                return Ok(());
            }
            self.release()?;
        }
        self.add(record)
    }

    fn told(&mut self, action: &Action) -> Option<Kind> {
        self.adds |= matches!(action, Action::Add(_));
        self.reads_number |= matches!(action, Action::ReadNumber(_));
        action.tells().or((self.adds && self.reads_number).then_some(Kind::Counter))
    }

    fn release(&mut self) -> Result<(), ImportError> {
        std::mem::take(&mut self.waiting).into_iter().try_for_each(|record| self.add(record))
    }

    /// The history. Where nothing told its kind, its reads saw nothing, and what was added were elements of a set.
    pub fn finish(mut self) -> Result<Workload, ImportError> {
        let has_transactions =
            self.waiting.iter().any(|record| matches!(record.operation.action, Action::Transaction(_)));
        let fallback = match (self.adds, has_transactions) {
            (true, _) => Kind::Set,
            (false, true) => Kind::ListAppend,
            (false, false) => Kind::RwRegister,
        };
        let kind = *self.kind.get_or_insert(fallback);
        self.release()?;
        Ok(match kind {
            Kind::ListAppend => Workload::ListAppend(self.transactions.finish()),
            Kind::RwRegister => Workload::RwRegister(self.transactions.finish()),
            Kind::Bank => Workload::Bank(self.bank),
            Kind::Set => Workload::Set(self.set),
            Kind::Counter => Workload::Counter(self.counter),
        })
    }

    fn add(&mut self, record: Recorded<Body>) -> Result<(), ImportError> {
        let about = record.with(());
        let Body { at, action } = record.operation;
        let kind = self.kind.expect("the kind is known when operations are added");
        match (kind, action) {
            (Kind::ListAppend | Kind::RwRegister, Action::Transaction(micros)) => {
                self.transaction(&about, at, kind, &micros)?;
            }
            (Kind::RwRegister, action @ (Action::Write(_) | Action::ReadNumber(_) | Action::ReadNothing)) => {
                self.transaction(&about, at, kind, &[on_one_register(&action)])?;
            }
            (Kind::Bank, Action::Transfer { from, to, amount }) => {
                self.bank.push(about.with(BankOperation::Transfer { from, to, amount }));
            }
            (Kind::Bank, Action::ReadBalances(balances)) => {
                self.bank.push(about.with(BankOperation::Read { balances: Some(balances) }));
            }
            (Kind::Bank, Action::ReadNothing) => self.bank.push(about.with(BankOperation::Read { balances: None })),
            (Kind::Set, Action::Add(value)) => self.set.push(about.with(SetOperation::Add(value))),
            (Kind::Set, Action::ReadCollection(elements)) => {
                self.set.push(about.with(SetOperation::Read(Some(elements))));
            }
            (Kind::Set, Action::ReadNothing) => {
                let elements = (about.status == Status::Committed).then(Vec::new);
                self.set.push(about.with(SetOperation::Read(elements)));
            }
            (Kind::Counter, Action::Add(value)) => self.counter.push(about.with(CounterOperation::Add(value))),
            (Kind::Counter, Action::ReadNumber(value)) => {
                self.counter.push(about.with(CounterOperation::Read(Some(value))));
            }
            (Kind::Counter, Action::ReadNothing) => self.counter.push(about.with(CounterOperation::Read(None))),
            _ => return Err(self.other_kind(at, kind)),
        }
        Ok(())
    }

    fn transaction(
        &mut self,
        about: &Recorded<()>,
        at: usize,
        kind: Kind,
        micros: &[Micro],
    ) -> Result<(), ImportError> {
        if micros.iter().any(|micro| micro.tells().is_some_and(|told| told != kind)) {
            return Err(self.other_kind(at, kind));
        }
        let answered = about.status == Status::Committed;
        let builder = &mut self.transactions;
        let operations: Vec<_> = micros
            .iter()
            .map(|micro| match micro {
                Micro::Append(key, value) => Operation::Append { key: builder.key(key), value: *value },
                Micro::Write(key, value) => Operation::Write { key: builder.key(key), value: *value },
                Micro::ReadList(key, list) => Operation::ReadList { key: builder.key(key), list: Some(list) },
                Micro::ReadValue(key, value) => Operation::Read { key: builder.key(key), seen: Read::Value(*value) },
                Micro::ReadNothing(key) if kind == Kind::ListAppend => {
                    // An answer of nil is the list that nobody has appended to.
                    let list: Option<&[i64]> = if answered { Some(&[]) } else { None };
                    Operation::ReadList { key: builder.key(key), list }
                }
                Micro::ReadNothing(key) => {
                    let seen = if answered { Read::Initial } else { Read::Unknown };
                    Operation::Read { key: builder.key(key), seen }
                }
            })
            .collect();
        builder.push(about.process, about.status, (about.invoked_ns, about.completed_ns), &operations);
        Ok(())
    }

    fn other_kind(&self, at: usize, kind: Kind) -> ImportError {
        let what = match kind {
            Kind::ListAppend => "a transaction of append and list reads",
            Kind::RwRegister => "a transaction of w and register reads",
            Kind::Bank => "a transfer, or a read of all balances",
            Kind::Set => "an add, or a read of a collection",
            Kind::Counter => "an add, or a read of a number",
        };
        error_at(self.text, at, format!("{what}, because this is a {kind} history"))
    }
}

/// `:read` and `:write` without a key, as operations on the one register.
fn on_one_register(action: &Action) -> Micro {
    let name = ONE_REGISTER.to_owned();
    match action {
        Action::Write(value) => Micro::Write(name, *value),
        Action::ReadNumber(value) => Micro::ReadValue(name, *value),
        _ => Micro::ReadNothing(name),
    }
}

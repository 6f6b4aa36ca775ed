//! Writes histories as EDN, JSON or text, piece by piece into whatever takes text.
//!
//! Each operation is written twice, as it was begun and as it ended, in the order in which that happened: what Elle wants.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt::{self, Write};

use super::text::{self, TextLimit};
use super::{Format, Syntax};
use crate::model::{History, Operation, Read, Status, Transaction, TransactionId, Value};
use crate::workload::bank::BankOperation;
use crate::workload::counter::CounterOperation;
use crate::workload::set::SetOperation;
use crate::workload::{Recorded, Workload};

/// Writes a history in a format, one operation map a line.
pub fn export(workload: &Workload, format: Format, out: &mut impl Write) -> Result<(), TextLimit> {
    let syntax = match (format, workload) {
        (Format::Text, Workload::RwRegister(history)) => return text::write(history, out),
        (Format::Text, _) => return Err(TextLimit::OtherKind),
        (Format::Edn, _) => Syntax::Edn,
        (Format::Json, _) => Syntax::Json,
    };
    let mut writer = Writer { syntax, out, index: 0 };
    match workload {
        Workload::ListAppend(history) | Workload::RwRegister(history) => transactions(history, &mut writer),
        Workload::Bank(records) => recorded(records, &mut writer, bank),
        Workload::Set(records) => recorded(records, &mut writer, set),
        Workload::Counter(records) => recorded(records, &mut writer, counter),
    }?;
    Ok(())
}

fn transactions(history: &History, writer: &mut Writer<'_, impl Write>) -> fmt::Result {
    let spans = history.transactions().map(|transaction| Span {
        process: transaction.process,
        status: transaction.status,
        invoked_ns: transaction.invoked_ns,
        completed_ns: transaction.completed_ns,
    });
    moments(spans, |moment| {
        let id = TransactionId(u32::try_from(moment.number).expect("ids are 32 bits"));
        let transaction = history.transaction(id);
        writer.begin(&moment, "txn")?;
        micros(history, transaction, moment.shows_answers(), writer)?;
        writer.end()
    })
}

fn micros(
    history: &History,
    transaction: &Transaction,
    shows_answers: bool,
    writer: &mut Writer<'_, impl Write>,
) -> fmt::Result {
    writer.out.write_char('[')?;
    for (place, operation) in history.operations(transaction).enumerate() {
        if place > 0 {
            writer.separator()?;
        }
        writer.out.write_char('[')?;
        let (function, key) = match operation {
            Operation::Append { key, .. } => ("append", key),
            Operation::Write { key, .. } => ("w", key),
            Operation::ReadList { key, .. } | Operation::Read { key, .. } => ("r", key),
        };
        writer.name(function)?;
        writer.separator()?;
        writer.key(history.key_name(key))?;
        writer.separator()?;
        match operation {
            Operation::Append { value, .. } | Operation::Write { value, .. } => write!(writer.out, "{value}")?,
            Operation::ReadList { list: Some(list), .. } if shows_answers => writer.values(list)?,
            Operation::Read { seen: Read::Value(value), .. } if shows_answers => write!(writer.out, "{value}")?,
            Operation::ReadList { .. } | Operation::Read { .. } => writer.nil()?,
        }
        writer.out.write_char(']')?;
    }
    writer.out.write_char(']')
}

fn recorded<T, W: Write>(
    records: &[Recorded<T>],
    writer: &mut Writer<'_, W>,
    value: impl Fn(&T, bool, &mut Writer<'_, W>, Step) -> fmt::Result,
) -> fmt::Result {
    let spans = records.iter().map(|record| Span {
        process: record.process,
        status: record.status,
        invoked_ns: record.invoked_ns,
        completed_ns: record.completed_ns,
    });
    moments(spans, |moment| {
        let operation = &records[moment.number].operation;
        value(operation, moment.shows_answers(), writer, Step::Begin(moment))?;
        value(operation, moment.shows_answers(), writer, Step::Value)?;
        writer.end()
    })
}

/// What a kind of operation is asked for: first to begin its map, then to write its value.
#[derive(Clone, Copy)]
enum Step {
    Begin(Moment),
    Value,
}

fn bank<W: Write>(operation: &BankOperation, answers: bool, writer: &mut Writer<'_, W>, step: Step) -> fmt::Result {
    match (operation, step) {
        (BankOperation::Transfer { .. }, Step::Begin(moment)) => writer.begin(&moment, "transfer"),
        (BankOperation::Read { .. }, Step::Begin(moment)) => writer.begin(&moment, "read"),
        (BankOperation::Transfer { from, to, amount }, Step::Value) => {
            writer.out.write_char('{')?;
            writer.field("from")?;
            writer.key(from)?;
            writer.out.write_str(", ")?;
            writer.field("to")?;
            writer.key(to)?;
            writer.out.write_str(", ")?;
            writer.field("amount")?;
            write!(writer.out, "{amount}}}")
        }
        (BankOperation::Read { balances: Some(balances) }, Step::Value) if answers => {
            writer.out.write_char('{')?;
            for (place, (account, balance)) in balances.iter().enumerate() {
                if place > 0 {
                    writer.out.write_str(", ")?;
                }
                writer.account(account)?;
                match balance {
                    Some(balance) => write!(writer.out, "{balance}")?,
                    None => writer.nil()?,
                }
            }
            writer.out.write_char('}')
        }
        (BankOperation::Read { .. }, Step::Value) => writer.nil(),
    }
}

fn set<W: Write>(operation: &SetOperation, answers: bool, writer: &mut Writer<'_, W>, step: Step) -> fmt::Result {
    match (operation, step) {
        (SetOperation::Add(_), Step::Begin(moment)) => writer.begin(&moment, "add"),
        (SetOperation::Read(_), Step::Begin(moment)) => writer.begin(&moment, "read"),
        (SetOperation::Add(value), Step::Value) => write!(writer.out, "{value}"),
        // A vector and not `#{…}`: a set cannot show that an element came twice.
        (SetOperation::Read(Some(elements)), Step::Value) if answers => writer.values(elements),
        (SetOperation::Read(_), Step::Value) => writer.nil(),
    }
}

fn counter<W: Write>(
    operation: &CounterOperation,
    answers: bool,
    writer: &mut Writer<'_, W>,
    step: Step,
) -> fmt::Result {
    match (operation, step) {
        (CounterOperation::Add(_), Step::Begin(moment)) => writer.begin(&moment, "add"),
        (CounterOperation::Read(_), Step::Begin(moment)) => writer.begin(&moment, "read"),
        (CounterOperation::Add(value), Step::Value) => write!(writer.out, "{value}"),
        (CounterOperation::Read(Some(value)), Step::Value) if answers => write!(writer.out, "{value}"),
        (CounterOperation::Read(_), Step::Value) => writer.nil(),
    }
}

/// Who, how it ended, and when.
struct Span {
    process: u32,
    status: Status,
    invoked_ns: u64,
    completed_ns: u64,
}

/// One line of the file.
#[derive(Clone, Copy)]
struct Moment {
    /// Which operation.
    number: usize,
    process: u32,
    time_ns: u64,
    /// How it ended; nothing where it begins.
    ended: Option<Status>,
}

impl Moment {
    fn shows_answers(&self) -> bool {
        self.ended == Some(Status::Committed)
    }
}

/// Goes through beginnings and ends in the order in which they happened. Memory holds what is in flight.
fn moments(spans: impl Iterator<Item = Span>, mut each: impl FnMut(Moment) -> fmt::Result) -> fmt::Result {
    let mut ends: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut in_flight: HashMap<usize, Moment> = HashMap::new();
    // Processes whose last operation was never answered: its end is written when the process goes on, or at the end.
    let mut unanswered: HashMap<u32, Moment> = HashMap::new();
    for (number, span) in spans.enumerate() {
        while let Some(Reverse((time_ns, ended))) = ends.peek().copied() {
            if time_ns > span.invoked_ns {
                break;
            }
            ends.pop();
            in_flight.remove(&ended).map_or(Ok(()), &mut each)?;
        }
        if let Some(moment) = unanswered.remove(&span.process) {
            each(Moment { time_ns: span.invoked_ns, ..moment })?;
        }
        let begin = Moment { number, process: span.process, time_ns: span.invoked_ns, ended: None };
        each(begin)?;
        let end = Moment { time_ns: span.completed_ns, ended: Some(span.status), ..begin };
        if span.status == Status::Unknown {
            unanswered.insert(span.process, Moment { time_ns: span.invoked_ns, ..end });
        } else {
            ends.push(Reverse((span.completed_ns, number)));
            in_flight.insert(number, end);
        }
    }
    let mut now_ns = 0;
    while let Some(Reverse((time_ns, ended))) = ends.pop() {
        now_ns = time_ns;
        in_flight.remove(&ended).map_or(Ok(()), &mut each)?;
    }
    let mut rest: Vec<Moment> = unanswered.into_values().collect();
    rest.sort_by_key(|moment| moment.number);
    rest.into_iter().try_for_each(|moment| each(Moment { time_ns: moment.time_ns.max(now_ns), ..moment }))
}

/// Writes maps, names and numbers in one of the two syntaxes.
struct Writer<'o, Out> {
    syntax: Syntax,
    out: &'o mut Out,
    index: u64,
}

impl<Out: Write> Writer<'_, Out> {
    /// `{:index 0, :type :ok, …, :value ` and no further.
    fn begin(&mut self, moment: &Moment, function: &str) -> fmt::Result {
        let outcome = match moment.ended {
            None => "invoke",
            Some(Status::Committed) => "ok",
            Some(Status::Aborted) => "fail",
            Some(Status::Unknown) => "info",
        };
        self.out.write_char('{')?;
        self.field("index")?;
        write!(self.out, "{}, ", self.index)?;
        self.field("time")?;
        // The clock of Elle's readers is signed.
        write!(self.out, "{}, ", moment.time_ns.min(i64::MAX.unsigned_abs()))?;
        self.field("type")?;
        self.name(outcome)?;
        self.out.write_str(", ")?;
        self.field("process")?;
        write!(self.out, "{}, ", moment.process)?;
        self.field("f")?;
        self.name(function)?;
        self.out.write_str(", ")?;
        self.field("value")?;
        self.index += 1;
        Ok(())
    }

    fn end(&mut self) -> fmt::Result {
        self.out.write_str("}\n")
    }

    fn field(&mut self, name: &str) -> fmt::Result {
        match self.syntax {
            Syntax::Edn => write!(self.out, ":{name} "),
            Syntax::Json => write!(self.out, "\"{name}\": "),
        }
    }

    fn name(&mut self, name: &str) -> fmt::Result {
        match self.syntax {
            Syntax::Edn => write!(self.out, ":{name}"),
            Syntax::Json => write!(self.out, "\"{name}\""),
        }
    }

    fn separator(&mut self) -> fmt::Result {
        self.out.write_str(if self.syntax == Syntax::Edn { " " } else { ", " })
    }

    fn nil(&mut self) -> fmt::Result {
        self.out.write_str(if self.syntax == Syntax::Edn { "nil" } else { "null" })
    }

    fn values(&mut self, values: &[Value]) -> fmt::Result {
        self.out.write_char('[')?;
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                self.separator()?;
            }
            write!(self.out, "{value}")?;
        }
        self.out.write_char(']')
    }

    /// A key's name: a number where it is one, a keyword where it can be one, a string otherwise.
    fn key(&mut self, name: &str) -> fmt::Result {
        let is_number = name.parse::<Value>().is_ok_and(|number| number.to_string() == name);
        let is_keyword = self.syntax == Syntax::Edn
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.*+!?$".contains(c));
        if is_number {
            self.out.write_str(name)
        } else if is_keyword {
            write!(self.out, ":{name}")
        } else {
            self.string(name)
        }
    }

    /// A key of a map of balances; JSON has strings there only.
    fn account(&mut self, name: &str) -> fmt::Result {
        match self.syntax {
            Syntax::Edn => {
                self.key(name)?;
                self.out.write_char(' ')
            }
            Syntax::Json => {
                self.string(name)?;
                self.out.write_str(": ")
            }
        }
    }

    fn string(&mut self, text: &str) -> fmt::Result {
        self.out.write_char('"')?;
        for c in text.chars() {
            match c {
                '"' => self.out.write_str("\\\"")?,
                '\\' => self.out.write_str("\\\\")?,
                '\n' => self.out.write_str("\\n")?,
                '\t' => self.out.write_str("\\t")?,
                '\r' => self.out.write_str("\\r")?,
                c if u32::from(c) < 0x20 => write!(self.out, "\\u{:04x}", u32::from(c))?,
                c => self.out.write_char(c)?,
            }
        }
        self.out.write_char('"')
    }
}

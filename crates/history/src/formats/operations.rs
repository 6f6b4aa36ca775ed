//! What one operation map of Elle's histories says: `{:type :ok, :f :txn, :value [[:append x 1] [:r x [1 2]]], …}`.
//!
//! Reads forms, knows nothing of the operations before and after; pairing them is [`super::pairing`]'s. The meaning of the keys
//! follows the documentation of jepsen.history and Elle's README.

use super::cursor::ImportError;
use super::form::{Data, Form};
use crate::model::Value;
use crate::workload::Kind;

/// What is known of an operation with this entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It was begun.
    Invoke,
    /// It was done.
    Ok,
    /// It was certainly not done.
    Fail,
    /// Nobody knows.
    Info,
}

/// One entry of a history.
#[derive(Debug)]
pub struct Entry<'a, 'f> {
    /// What is known.
    pub moment: Moment,
    /// Who did it; nothing where the history does not say.
    pub process: Option<u32>,
    /// Nanoseconds; nothing where the history does not say.
    pub time_ns: Option<u64>,
    /// The whole map.
    pub form: &'f Form<'a>,
}

/// What an operation does, and the byte at which it says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// Where.
    pub at: usize,
    /// What.
    pub action: Action,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A transaction of micro-operations.
    Transaction(Vec<Micro>),
    /// `:transfer`.
    Transfer { from: String, to: String, amount: Value },
    /// `:add`.
    Add(Value),
    /// `:write` of the one register.
    Write(Value),
    /// A `:read` that has no answer, or the answer nil.
    ReadNothing,
    /// A `:read` of a number.
    ReadNumber(Value),
    /// A `:read` of a collection.
    ReadCollection(Vec<Value>),
    /// A `:read` of all balances.
    ReadBalances(Vec<(String, Option<Value>)>),
}

/// One read or write within a transaction. Keys are names.
#[derive(Clone, Debug, PartialEq)]
pub enum Micro {
    /// `[:append k v]`
    Append(String, Value),
    /// `[:w k v]`
    Write(String, Value),
    /// `[:r k [v …]]`
    ReadList(String, Vec<Value>),
    /// `[:r k v]`
    ReadValue(String, Value),
    /// `[:r k nil]`
    ReadNothing(String),
}

impl Action {
    /// The kind of history that this can only be of.
    pub fn tells(&self) -> Option<Kind> {
        match self {
            Self::Transaction(micros) => micros.iter().find_map(Micro::tells),
            Self::Transfer { .. } | Self::ReadBalances(_) => Some(Kind::Bank),
            Self::Write(_) => Some(Kind::RwRegister),
            Self::ReadCollection(_) => Some(Kind::Set),
            Self::Add(_) | Self::ReadNothing | Self::ReadNumber(_) => None,
        }
    }
}

impl Micro {
    /// The kind of history that this can only be of.
    pub fn tells(&self) -> Option<Kind> {
        match self {
            Self::Append(..) | Self::ReadList(..) => Some(Kind::ListAppend),
            Self::Write(..) | Self::ReadValue(..) => Some(Kind::RwRegister),
            Self::ReadNothing(_) => None,
        }
    }
}

/// Reads what surrounds an operation; nothing for what is no client's (a nemesis, a log line).
pub fn entry<'a, 'f>(text: &str, form: &'f Form<'a>) -> Result<Option<Entry<'a, 'f>>, ImportError> {
    if !matches!(form.data, Data::Map(_)) {
        return Err(form.error(text, "an operation map with `type`, `f`, `value` and `process`"));
    }
    let process = match form.get("process").map(|process| &process.data) {
        None | Some(Data::Nil) => None,
        Some(Data::Integer(process)) => match u32::try_from(*process) {
            Ok(process) => Some(process),
            // Jepsen numbers its clients from 0; what is negative is its own.
            Err(_) => return Ok(None),
        },
        Some(_) => return Ok(None),
    };
    let Some(moment) = form.get("type") else {
        return Err(form.error(text, "an operation map with `type`"));
    };
    let moment = match moment.name() {
        Some("invoke") => Moment::Invoke,
        Some("ok") => Moment::Ok,
        Some("fail") => Moment::Fail,
        Some("info") => Moment::Info,
        _ => return Err(moment.error(text, "one of the types invoke, ok, fail and info")),
    };
    let time_ns = match form.get("time") {
        None => None,
        Some(time) if time.is_nil() => None,
        Some(time) => {
            let time_ns = time.integer().and_then(|time| u64::try_from(time).ok());
            Some(time_ns.ok_or_else(|| time.error(text, "a time in nanoseconds, from 0 on"))?)
        }
    };
    Ok(Some(Entry { moment, process, time_ns, form }))
}

/// Reads what an operation does. `completed` says whether its reads have answers, so that none means nil.
pub fn body(text: &str, form: &Form<'_>) -> Result<Body, ImportError> {
    let nothing = Form { at: form.at, data: Data::Nil };
    let value = form.get("value").unwrap_or(&nothing);
    let action = match form.get("f").and_then(Form::name) {
        None | Some("txn") => transaction(text, value)?,
        Some("transfer") => transfer(text, value)?,
        Some("add") => Action::Add(integer(text, value, "a whole number to add")?),
        Some("write") => Action::Write(integer(text, value, "a whole number to write")?),
        Some("read") => read(text, value)?,
        Some(_) => {
            let function = form.get("f").unwrap_or(form);
            return Err(function.error(text, "one of the functions txn, transfer, add, write and read"));
        }
    };
    Ok(Body { at: form.at, action })
}

fn transaction(text: &str, value: &Form<'_>) -> Result<Action, ImportError> {
    let micros = value.sequence().ok_or_else(|| value.error(text, "a sequence of micro-operations like [:r x nil]"))?;
    micros.iter().map(|form| micro(text, form)).collect::<Result<_, _>>().map(Action::Transaction)
}

fn micro(text: &str, form: &Form<'_>) -> Result<Micro, ImportError> {
    let shape = || form.error(text, "a micro-operation [function key value], the function one of append, w and r");
    let Some([function, key, value]) = form.sequence() else { return Err(shape()) };
    let name = key_name(text, key)?;
    match function.name().ok_or_else(shape)? {
        "append" => Ok(Micro::Append(name, integer(text, value, "a whole number to append")?)),
        "w" | "write" => Ok(Micro::Write(name, integer(text, value, "a whole number to write")?)),
        "r" | "read" => match &value.data {
            Data::Nil => Ok(Micro::ReadNothing(name)),
            Data::Integer(value) => Ok(Micro::ReadValue(name, *value)),
            Data::Sequence(elements) => Ok(Micro::ReadList(name, integers(text, elements)?)),
            _ => Err(value.error(text, "nil, a whole number or a list of whole numbers")),
        },
        _ => Err(function.error(text, "one of the micro-operations append, w and r")),
    }
}

fn transfer(text: &str, value: &Form<'_>) -> Result<Action, ImportError> {
    let part =
        |name: &str| value.get(name).ok_or_else(|| value.error(text, "a transfer like {:from 0, :to 1, :amount 5}"));
    Ok(Action::Transfer {
        from: key_name(text, part("from")?)?,
        to: key_name(text, part("to")?)?,
        amount: integer(text, part("amount")?, "a whole number as amount")?,
    })
}

fn read(text: &str, value: &Form<'_>) -> Result<Action, ImportError> {
    match &value.data {
        Data::Nil => Ok(Action::ReadNothing),
        Data::Integer(number) => Ok(Action::ReadNumber(*number)),
        Data::Sequence(elements) => integers(text, elements).map(Action::ReadCollection),
        Data::Map(balances) => {
            let balance = |(account, balance): &(Form<'_>, Form<'_>)| {
                let amount = if balance.is_nil() { None } else { Some(integer(text, balance, "a balance")?) };
                Ok((key_name(text, account)?, amount))
            };
            balances.iter().map(balance).collect::<Result<_, _>>().map(Action::ReadBalances)
        }
        _ => Err(value.error(text, "nil, a whole number, a collection of them, or a map of balances")),
    }
}

/// A key's name: `x`, `:x`, `"x"` and `x` of JSON are the same, and so are `1` and `"1"`, because JSON has no other keys.
fn key_name(text: &str, form: &Form<'_>) -> Result<String, ImportError> {
    match &form.data {
        Data::Name(name) => Ok(name.to_string()),
        Data::Integer(number) => Ok(number.to_string()),
        _ => Err(form.error(text, "a key: a number, a keyword or a string")),
    }
}

fn integer(text: &str, form: &Form<'_>, expected: &str) -> Result<Value, ImportError> {
    form.integer().ok_or_else(|| form.error(text, expected))
}

fn integers(text: &str, forms: &[Form<'_>]) -> Result<Vec<Value>, ImportError> {
    forms.iter().map(|form| integer(text, form, "a whole number")).collect()
}

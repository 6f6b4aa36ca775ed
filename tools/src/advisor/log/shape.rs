//! The shape of a statement: its tokens with every literal and parameter taken out, so that executions with other values
//! are the same statement.
//!
//! PostgreSQL's own `query_id` would do (and `pg_query`'s fingerprint does, in `programs`, over whole shapes), but neither
//! keeps the values, and a value that comes back in another statement of the transaction is what ties the two together.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;

use super::tokens::{Kind, Token};

/// A place where a value stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The bytes of the first value in [`Shape::text`]; of a list, all of its values.
    pub at: Range<usize>,
    /// What can stand there.
    pub kind: SlotKind,
    /// Of a parameter: its number, as the same number is the same value whatever was observed.
    pub number: Option<usize>,
    /// The column that it is compared with or assigned to, if that can be read off the tokens before it.
    pub name: Option<String>,
}

/// What can stand at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// A literal.
    Literal,
    /// A parameter, `$n`: who wrote the statement meant it to vary.
    Parameter,
    /// A literal after the name of its type, `interval '1 day'`, where the grammar takes no parameter.
    Typed,
    /// The elements of `in (…)` or `array[…]`, of any number.
    List,
    /// The rows of `values (…), (…)` after the first.
    Rows,
}

/// A statement without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The tokens with single spaces, names without quotes in lower case, `?` for values.
    pub key: String,
    /// The statement as it was seen first, without comments.
    pub text: String,
    /// Places of values in that text, in order.
    pub slots: Vec<Slot>,
}

/// A value: `None` is null or not told.
pub type Value = Option<String>;

/// The longest value that is kept as it is, bytes. Nobody needs more of a value than whether it equals another one.
const VALUE_MOST_BYTES: usize = 64;

/// A value as it is kept: of a long one, what tells it from others.
pub fn short(value: Value) -> Value {
    value.map(|value| {
        if value.len() <= VALUE_MOST_BYTES {
            return value;
        }
        let hash = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &value).hash(&mut hasher);
            hasher.finish()
        };
        // Two values of one length are taken for equal once in 2^128: no evidence is better than that.
        format!("{} bytes {:016x}{:016x}", value.len(), hash(0), hash(1))
    })
}

/// The types before which a string is a typed literal (PostgreSQL manual, 4.1.2.7); other words before a string are
/// keywords of the expression.
const LITERAL_TYPES: &[&str] = &[
    "bit",
    "bool",
    "boolean",
    "box",
    "bytea",
    "char",
    "cidr",
    "circle",
    "date",
    "inet",
    "interval",
    "json",
    "jsonb",
    "macaddr",
    "money",
    "numeric",
    "path",
    "point",
    "polygon",
    "precision",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "uuid",
    "varbit",
    "varchar",
    "xml",
    "zone",
];

/// Takes a statement apart; `values` are those of its parameters.
pub fn shape(source: &str, tokens: &[Token], values: &[Value]) -> (Shape, Vec<Value>) {
    let mut writer = Writer { source, tokens, values, shape: empty(), found: Vec::new() };
    let mut at = 0;
    while at < tokens.len() {
        at = writer.write(at);
    }
    (writer.shape, writer.found)
}

fn empty() -> Shape {
    Shape { key: String::new(), text: String::new(), slots: Vec::new() }
}

struct Writer<'a> {
    source: &'a str,
    tokens: &'a [Token],
    values: &'a [Value],
    shape: Shape,
    found: Vec<Value>,
}

impl Writer<'_> {
    /// Writes the token at a place, or the list that begins there; returns the place after it.
    fn write(&mut self, at: usize) -> usize {
        let token = &self.tokens[at];
        if self.is_value(at) {
            let kind = match token.kind {
                Kind::Parameter => SlotKind::Parameter,
                _ if self.is_typed(at) => SlotKind::Typed,
                _ => SlotKind::Literal,
            };
            let value = self.value(at);
            self.slot(kind, at..at + 1, value);
            return at + 1;
        }
        self.plain(at);
        if let Some(end) = self.list(at) {
            self.slot(SlotKind::List, at + 1..end, None);
            return end;
        }
        if let Some(end) = self.further_rows(at) {
            self.slot(SlotKind::Rows, at + 1..end, None);
            return end;
        }
        at + 1
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &self.source[token.at.clone()])
    }

    fn is_word(&self, at: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.word(at).eq_ignore_ascii_case(word))
    }

    fn is_value(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| matches!(token.kind, Kind::Literal | Kind::Parameter))
    }

    fn is_typed(&self, at: usize) -> bool {
        let is_string = self.word(at).ends_with('\'');
        is_string && at > 0 && self.is_word(at - 1, LITERAL_TYPES)
    }

    /// The value at a place, without quotes.
    fn value(&self, at: usize) -> Value {
        let text = self.word(at);
        if self.tokens[at].kind == Kind::Parameter {
            let number: usize = text[1..].parse().ok()?;
            return self.values.get(number.checked_sub(1)?)?.clone();
        }
        let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        Some(inner.map_or_else(|| text.to_owned(), |inner| inner.replace("''", "'")))
    }

    /// The end of a list of two or more values whose bracket is at a place: after `in (` or `array [`.
    fn list(&self, at: usize) -> Option<usize> {
        let opens = at > 0
            && (self.word(at) == "(" && self.is_word(at - 1, &["in"])
                || self.word(at) == "[" && self.is_word(at - 1, &["array"]));
        let mut end = at + 1;
        while opens && self.is_value(end) {
            match self.word(end + 1) {
                "," => end += 2,
                ")" | "]" => return Some(end + 1),
                _ => return None,
            }
        }
        None
    }

    /// The end of the rows after the first of `values`, when the first ends at a place.
    fn further_rows(&self, at: usize) -> Option<usize> {
        if self.word(at) != ")" || self.word(at + 1) != "," || self.word(at + 2) != "(" {
            return None;
        }
        let first = self.opening(at)?;
        if first == 0 || !self.is_word(first - 1, &["values"]) {
            return None;
        }
        let mut end = at + 1;
        while self.word(end) == "," && self.word(end + 1) == "(" {
            end = self.closing(end + 1)? + 1;
        }
        Some(end)
    }

    fn opening(&self, closing: usize) -> Option<usize> {
        let mut depth = 0_usize;
        (0..=closing).rev().find(|at| {
            match self.word(*at) {
                ")" => depth += 1,
                "(" => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    }

    fn closing(&self, opening: usize) -> Option<usize> {
        let mut depth = 0_usize;
        (opening..self.tokens.len()).find(|at| {
            match self.word(*at) {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    }

    /// Writes a token that stays.
    fn plain(&mut self, at: usize) {
        self.space(at);
        let text = &self.source[self.tokens[at].at.clone()];
        self.shape.text.push_str(text);
        if self.tokens[at].kind == Kind::Word {
            self.shape.key.push_str(&text.to_ascii_lowercase());
        } else {
            self.shape.key.push_str(text);
        }
    }

    /// Writes values as one place.
    fn slot(&mut self, kind: SlotKind, places: Range<usize>, value: Value) {
        let name = name_before(self.source, self.tokens, places.start);
        let number = (kind == SlotKind::Parameter).then(|| self.word(places.start)[1..].parse().ok()).flatten();
        let from = self.tokens[places.start].at.start;
        let to = self.tokens[places.end - 1].at.end;
        self.space(places.start);
        let begin = self.shape.text.len();
        self.shape.text.push_str(&self.source[from..to]);
        self.shape.key.push(if matches!(kind, SlotKind::List | SlotKind::Rows) { '*' } else { '?' });
        self.shape.slots.push(Slot { at: begin..self.shape.text.len(), kind, number, name });
        self.found.push(value);
    }

    /// White space before a token: one space or line end in the text where there was any, one space in the key.
    fn space(&mut self, at: usize) {
        if at == 0 {
            return;
        }
        self.shape.key.push(' ');
        let between = &self.source[self.tokens[at - 1].at.end..self.tokens[at].at.start];
        if between.contains('\n') && !self.shape.text.is_empty() {
            self.shape.text.push('\n');
        } else if !between.is_empty() && !self.shape.text.is_empty() {
            self.shape.text.push(' ');
        }
    }
}

/// The column before a value: `name = ?`, `t.name >= ?`, `name like ?`; or the one at its place in `insert into t (…) values (…)`.
fn name_before(source: &str, tokens: &[Token], at: usize) -> Option<String> {
    let word = |at: usize| &source[tokens[at].at.clone()];
    let mut before = at;
    while before > 0 && tokens[before - 1].kind == Kind::Sign && matches!(word(before - 1), "=" | "<" | ">" | "!") {
        before -= 1;
    }
    if before > 0 && before < at && matches!(tokens[before - 1].kind, Kind::Word | Kind::Quoted) {
        return plain_name(word(before - 1));
    }
    inserted_column(source, tokens, at)
}

/// A column's name as the name of a parameter: letters, digits and `_`.
fn plain_name(name: &str) -> Option<String> {
    let name = name.trim_matches('"').to_lowercase();
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (is_plain && name.starts_with(|c: char| c.is_ascii_alphabetic())).then_some(name)
}

/// The column at the place of a value in `insert into t (a, b) values (?, ?)`.
fn inserted_column(source: &str, tokens: &[Token], at: usize) -> Option<String> {
    let word = |at: usize| &source[tokens[at].at.clone()];
    if !word(0).eq_ignore_ascii_case("insert") {
        return None;
    }
    let values = (0..at).rev().find(|at| word(*at).eq_ignore_ascii_case("values"))?;
    // The value must stand directly in the row.
    let inside = &tokens[values + 1..at];
    let mut depth = 0_i32;
    let mut place = 0;
    for token in inside {
        match &source[token.at.clone()] {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 1 => place += 1,
            _ => {}
        }
    }
    let open = (0..values).find(|at| word(*at) == "(")?;
    let columns: Vec<usize> = (open + 1..values).filter(|at| !matches!(word(*at), "," | ")")).collect();
    (depth == 1).then(|| columns.get(place).and_then(|at| plain_name(word(*at))))?
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn of(text: &str, values: &[&str]) -> (Shape, Vec<Value>) {
        let values: Vec<Value> = values.iter().map(|value| Some((*value).to_owned())).collect();
        shape(text, &tokens(text), &values)
    }

    #[test]
    fn executions_with_other_values_have_one_shape() {
        let (literal, values) = of("SELECT balance  FROM checking\n WHERE custid = 17 -- the customer", &[]);
        let (prepared, parameters) = of("select balance from Checking where custid=$1", &["18"]);
        assert_eq!(literal.key, "select balance from checking where custid = ?");
        assert_eq!(literal.key, prepared.key);
        assert_eq!((values, parameters), (vec![Some("17".to_owned())], vec![Some("18".to_owned())]));
        assert_eq!(literal.text, "SELECT balance FROM checking\nWHERE custid = 17");
        assert_eq!(&literal.text[literal.slots[0].at.clone()], "17");
    }

    #[test]
    fn lists_and_rows_of_any_length_have_one_shape() {
        assert_eq!(of("select * from t where a in (1, 2, 3)", &[]).0.key, "select * from t where a in ( * )");
        let one = of("insert into t (a, b) values (1, 'x'), (2, 'y'), (3, f(4))", &[]);
        assert_eq!(one.0.key, "insert into t ( a , b ) values ( ? , ? ) *");
        assert_eq!(of("select array[1,2]", &[]).0.key, "select array [ * ]");
    }

    #[test]
    fn a_typed_literal_is_kept_apart() {
        let (shape, _) = of("select now() - interval '1 day', d = date '2026-01-01', x like '%a' from t", &[]);
        let kinds: Vec<SlotKind> = shape.slots.iter().map(|slot| slot.kind).collect();
        assert_eq!(kinds, [SlotKind::Typed, SlotKind::Typed, SlotKind::Literal]);
    }

    #[test]
    fn places_are_named_after_their_columns() {
        let names =
            |text: &str| -> Vec<Option<String>> { of(text, &[]).0.slots.into_iter().map(|slot| slot.name).collect() };
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(names("update t set a = a - 5 where t.id = 3 and \"N\" >= 4"), [None, name("id"), name("n")]);
        assert_eq!(names("insert into t (a, b) values (1, 'x')"), [name("a"), name("b")]);
        assert_eq!(names("insert into t values (1, f(2))"), [None, None]);
    }
}

//! Statements with their arguments in place, for the simple query protocol, and without the schema `public`, which is the
//! scratch schema when they run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::scan::{Word, said, words};

/// What stands for a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    /// A value in SQL.
    Sql(String),
    /// What an earlier statement of the session has returned under this name.
    Variable(String),
}

/// A statement that can be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bound {
    /// The text; variables stand as `:'name'`.
    pub sql: String,
    /// The variables in it.
    pub uses: Vec<String>,
    /// Parameters for which there is no argument.
    pub missing: Vec<String>,
}

/// Puts arguments in the place of parameters, by their names without sigils.
pub(super) fn bind(text: &str, arguments: &BTreeMap<String, Argument>) -> Bound {
    let mut bound = Bound::default();
    for word in words(text) {
        let Word::Parameter { name, text } = word else {
            bound.sql.push_str(word.text());
            continue;
        };
        match arguments.get(name) {
            Some(Argument::Sql(value)) => bound.sql.push_str(&guarded(value)),
            Some(Argument::Variable(variable)) => {
                let _ = write!(bound.sql, ":'{variable}'");
                if !bound.uses.contains(variable) {
                    bound.uses.push(variable.clone());
                }
            }
            None => {
                bound.sql.push_str(text);
                bound.missing.push(name.to_owned());
            }
        }
    }
    bound
}

/// The signs that comparisons are made of: `a >= :x` has two.
const COMPARES: [Word<'static>; 3] = [Word::Sign("="), Word::Sign("<"), Word::Sign(">")];

/// A piece of a statement that says something, with those before it.
struct Place<'s, 'a> {
    word: Word<'a>,
    before: &'s [Word<'a>],
    after: &'s [Word<'a>],
    /// It is part of a condition, as far as the keywords before it tell.
    is_condition: bool,
}

/// All pieces of a statement that say something.
fn places<'s, 'a>(said: &'s [Word<'a>]) -> impl Iterator<Item = Place<'s, 'a>> {
    let mut is_condition = false;
    said.iter().enumerate().map(move |(place, word)| {
        match word.name().as_deref() {
            Some("where" | "on" | "having") => is_condition = true,
            Some("set" | "values" | "returning" | "select") => is_condition = false,
            _ => {}
        }
        Place { word: *word, before: &said[..place], after: &said[place + 1..], is_condition }
    })
}

impl Place<'_, '_> {
    /// The signs of a comparison right before it, and the name that they compare it with.
    fn compared_with(&self) -> (&[Word<'_>], Option<String>) {
        let signs = self.before.iter().rev().take_while(|word| COMPARES.contains(word)).count();
        let (rest, signs) = self.before.split_at(self.before.len() - signs);
        (signs, rest.last().and_then(|word| word.name()))
    }
}

/// The columns that a statement compares with parameters, as far as it says `column = :parameter`, or the like. Unlike
/// `pgstrata_sqltext`, which says what holds of every row, it finds them under `or` and in subqueries, too.
pub(super) fn compared(text: &str) -> Vec<(String, String)> {
    let said: Vec<Word<'_>> = said(text).collect();
    let pair = |place: Place<'_, '_>| {
        let Word::Parameter { name, .. } = place.word else { return None };
        let (signs, column) = place.compared_with();
        let is_compared = place.is_condition && !signs.is_empty();
        column.filter(|_| is_compared).map(|column| (column, name.to_owned()))
    };
    places(&said).filter_map(pair).collect()
}

/// The pairs of columns that a statement's conditions have equal, as far as it says `column = column`.
pub(super) fn joined(text: &str) -> Vec<(String, String)> {
    let said: Vec<Word<'_>> = said(text).collect();
    let pair = |place: Place<'_, '_>| {
        if !place.is_condition || place.word != Word::Sign("=") {
            return None;
        }
        let right = match place.after {
            [_, Word::Sign("."), column, ..] | [column, ..] => column.name(),
            [] => None,
        };
        place.before.last()?.name().zip(right)
    };
    places(&said).filter_map(pair).collect()
}

/// The columns that a statement compares with whole numbers otherwise than by `=`: where values are on one side or the other.
pub(super) fn bounds(text: &str) -> Vec<(String, i64)> {
    let said: Vec<Word<'_>> = said(text).collect();
    let pair = |place: Place<'_, '_>| {
        let Word::Constant(constant) = place.word else { return None };
        let (signs, column) = place.compared_with();
        let is_order = signs.iter().any(|sign| *sign != Word::Sign("="));
        column.filter(|_| is_order).zip(constant.parse().ok())
    };
    places(&said).filter_map(pair).collect()
}

/// A value as a part of a larger expression.
fn guarded(value: &str) -> String {
    let is_one_word = words(value).len() == 1;
    if is_one_word { value.to_owned() } else { format!("({value})") }
}

/// The text without `public.` before names, and the schemas that other names are qualified with, out of those that exist.
pub(super) fn without_public(text: &str, is_schema: impl Fn(&str) -> bool) -> Result<String, String> {
    let found = words(text);
    let mut result = String::with_capacity(text.len());
    let mut skip_dot = false;
    for (place, word) in found.iter().enumerate() {
        if skip_dot && word.text() == "." {
            skip_dot = false;
            continue;
        }
        let follows_dot = place > 0 && found[place - 1].text() == ".";
        let has_dot = found.get(place + 1).is_some_and(|next| next.text() == ".");
        if let (Some(name), true, false) = (word.name(), has_dot, follows_dot) {
            if name == "public" {
                skip_dot = true;
                continue;
            }
            if is_schema(&name) {
                return Err(name);
            }
        }
        result.push_str(word.text());
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_take_the_place_of_parameters() {
        let arguments = BTreeMap::from([
            ("1".to_owned(), Argument::Sql("5".to_owned())),
            ("amount".to_owned(), Argument::Sql("-3".to_owned())),
            ("found".to_owned(), Argument::Variable("balance".to_owned())),
        ]);
        let bound = bind("update t set v = :found - :amount where id = $1 and w = :'other'", &arguments);
        assert_eq!(bound.sql, "update t set v = :'balance' - (-3) where id = 5 and w = :'other'");
        assert_eq!((bound.uses, bound.missing), (vec!["balance".to_owned()], vec!["other".to_owned()]));
    }

    #[test]
    fn conditions_are_told_from_assignments() {
        let pairs = compared("update t set a = :v where t.id = :k and g >= :g and b > 5 returning :x");
        assert_eq!(pairs, [("id".to_owned(), "k".to_owned()), ("g".to_owned(), "g".to_owned())]);
        assert_eq!(compared("insert into t values (:k)"), []);
    }

    #[test]
    fn columns_that_conditions_have_equal_are_found() {
        let found = joined("select x = y from a join b on i = b.j where a.k = :k and l = a.m and n < o");
        assert_eq!(found, [("i".to_owned(), "j".to_owned()), ("l".to_owned(), "m".to_owned())]);
    }

    #[test]
    fn bounds_are_numbers_that_columns_are_above_or_below() {
        let found = bounds("update t set a = 3 where t.b >= 5 and c<7 and d = 9 and e <> 2 and 4 < f");
        assert_eq!(found, [("b".to_owned(), 5), ("c".to_owned(), 7), ("e".to_owned(), 2)]);
    }

    #[test]
    fn only_the_schema_public_is_taken_away_and_other_schemas_are_named() {
        let check = |text: &str| without_public(text, |name| name == "audit");
        assert_eq!(
            check("select public.t.id from Public.t where 'public.t' = x"),
            Ok("select t.id from t where 'public.t' = x".to_owned())
        );
        assert_eq!(check("insert into \"audit\".log values (1)"), Err("audit".to_owned()));
        assert_eq!(check("select a.id from t as a"), Ok("select a.id from t as a".to_owned()));
    }
}

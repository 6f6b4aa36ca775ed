//! Rows that a witness does not name and that its statements need all the same: what predicates find that later statements
//! compute with. A delivery adds up the lines of an order; a schedule in which no line is named has none, the sum is null,
//! and the customer's balance cannot take it.

use pgstrata_sqltext::{Access, AccessKind, Rows, Schema, Statement, Term};

use super::bind::joined;
use super::scan::said;
use super::script::Cast;
use super::seeds::Wanted;

/// A row for each predicate of these programs that finds none of the rows that are wanted, as far as its equalities say
/// what it is. Rows that the programs insert are theirs to insert.
pub(super) fn companions(casts: &[Cast<'_>], wanted: &[Wanted], schema: &Schema) -> Vec<Wanted> {
    let mut all = wanted.to_vec();
    for cast in casts {
        for (place, index) in cast.path.iter().enumerate() {
            let Some(statement) = cast.program.statements.get(*index) else { continue };
            for access in statement.accesses.iter().filter(|access| access.kind != AccessKind::Insert) {
                if let Some(mut row) = row(cast, place, access, &all)
                    && !all.iter().any(|known| agrees(known, &row))
                {
                    join(&mut row, statement, &all, schema);
                    all.push(row);
                }
            }
        }
    }
    all.split_off(wanted.len())
}

/// The row that a predicate asks for; none when it says nothing, or when its values are not known.
fn row(cast: &Cast<'_>, place: usize, access: &Access, rows: &[Wanted]) -> Option<Wanted> {
    let Rows::Where { equal, .. } = &access.rows else { return None };
    if equal.is_empty() {
        return None;
    }
    let values = equal.iter().map(|(column, term)| Some((column.clone(), known(cast, place, term, rows)?)));
    Some(Wanted { relation: access.relation.clone(), values: values.collect::<Option<_>>()? })
}

/// Gives a row the values of the rows that a statement joins it with.
fn join(row: &mut Wanted, statement: &Statement, rows: &[Wanted], schema: &Schema) {
    let Some(relation) = schema.relations.get(&row.relation) else { return };
    for (one, two) in joined(&statement.text) {
        for (mine, theirs) in [(&one, &two), (&two, &one)] {
            let is_other = |other: &&Wanted| {
                other.relation != row.relation
                    && statement.accesses.iter().any(|access| access.relation == other.relation)
            };
            let value = rows.iter().filter(is_other).find_map(|other| other.values.get(theirs));
            if let (Some(value), true) = (value, relation.column(mine).is_some()) {
                row.values.entry(mine.clone()).or_insert_with(|| value.clone());
            }
        }
    }
}

/// What a term is before a place of the path, in SQL.
fn known(cast: &Cast<'_>, place: usize, term: &Term, rows: &[Wanted]) -> Option<String> {
    match term {
        Term::Parameter(name) => cast.arguments.get(name).cloned(),
        Term::Constant(constant) => Some(constant.clone()),
        Term::Result { statement, column } => {
            let place = cast.path[..place].iter().rposition(|index| index == statement)?;
            found(cast, place, column, rows)
        }
        Term::Unknown => None,
    }
}

/// What a statement finds in a column of its result: of the row among those that are wanted to which its equalities lead.
fn found(cast: &Cast<'_>, place: usize, column: &str, rows: &[Wanted]) -> Option<String> {
    let statement = cast.program.statements.get(cast.path[place])?;
    let [access] = statement.accesses.as_slice() else { return None };
    let values = access
        .rows
        .equalities()
        .into_iter()
        .map(|(column, term)| Some((column.clone(), known(cast, place, term, rows)?)));
    let sought = Wanted { relation: access.relation.clone(), values: values.collect::<Option<_>>()? };
    let name = original(statement, column);
    rows.iter().filter(|row| agrees(row, &sought)).find_map(|row| row.values.get(&name)).cloned()
}

/// The column that a statement returns under a name, as far as it says `column as name`.
pub(super) fn original(statement: &Statement, name: &str) -> String {
    let said: Vec<String> =
        said(&statement.text).map(|word| word.name().unwrap_or_else(|| word.text().to_owned())).collect();
    let renamed = said.windows(3).find(|three| three[1] == "as" && three[2] == name);
    renamed.map_or_else(|| name.to_owned(), |three| three[0].clone())
}

/// Whether a row can be one that is asked for: no value that both have differs.
fn agrees(row: &Wanted, sought: &Wanted) -> bool {
    let differs = |(column, value): (&String, &String)| row.values.get(column).is_some_and(|known| known != value);
    row.relation == sought.relation && !sought.values.iter().any(differs)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pgstrata_sqltext::{RelationName, Schema};
    use pgstrata_units::Isolation;

    use super::*;

    const TABLES: &str = "create table orders (w int, o int, c int, primary key (w, o));
        create table line (w int, o int, n int, amount int, primary key (w, o, n));
        create table stock (i int primary key, quantity int);";

    const STOCK: &str = "-- pgstrata: program StockLevel
begin;
select count(*) from line join stock on i = n where line.w = :w and quantity < 10;
commit;";

    const DELIVERY: &str = "-- pgstrata: program Delivery
begin;
select o as first from orders where w = :w order by o limit 1 \\gset
select sum(amount) from line where w = :w and o = :first;
commit;";

    fn wanted(relation: &str, values: &[(&str, &str)]) -> Wanted {
        let values: BTreeMap<String, String> =
            values.iter().map(|(column, value)| ((*column).to_owned(), (*value).to_owned())).collect();
        Wanted { relation: RelationName::new(relation), values }
    }

    fn check(program: &str, rows: &[Wanted], expect: &[Wanted]) {
        let schema = Schema::from_ddl(TABLES).expect("tables");
        let workload = pgstrata_sqltext::read_sources(&[("p.sql", program)], &schema).expect("a program");
        let program = &workload.programs[0];
        let cast = Cast {
            program,
            name: "T1".to_owned(),
            level: Isolation::ReadCommitted,
            arguments: BTreeMap::from([("w".to_owned(), "4".to_owned())]),
            path: (0..program.statements.len()).collect(),
        };
        assert_eq!(companions(&[cast], rows, &schema), expect);
    }

    #[test]
    fn a_predicate_that_finds_no_row_gets_one_with_what_earlier_statements_find() {
        let order = wanted("orders", &[("w", "4"), ("o", "7")]);
        let line = wanted("line", &[("w", "4"), ("o", "7")]);
        check(DELIVERY, std::slice::from_ref(&order), std::slice::from_ref(&line));
        check(DELIVERY, &[order, line], &[]);
        // Which order it is nobody knows, but that there is one.
        check(DELIVERY, &[], &[wanted("orders", &[("w", "4")])]);
    }

    #[test]
    fn a_row_has_the_values_of_the_rows_that_it_is_joined_with() {
        let stock = wanted("stock", &[("i", "3")]);
        check(STOCK, std::slice::from_ref(&stock), &[wanted("line", &[("w", "4"), ("n", "3")])]);
    }
}

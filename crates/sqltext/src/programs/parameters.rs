//! A program's parameters, with the types that the columns they meet have.

use std::collections::BTreeSet;

use crate::access::{Access, Term};
use crate::name::RelationName;
use crate::schema::Schema;
use crate::workload::{Parameter, Statement};

/// The parameters in the order of first mention, without those that earlier statements' results are.
pub fn of(schema: &Schema, statements: &[Statement]) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    let mut results = BTreeSet::new();
    for statement in statements {
        for name in &statement.arguments {
            if !results.contains(name) && !found.iter().any(|parameter| parameter.name == *name) {
                found.push(Parameter { name: name.clone(), type_name: None, example: None });
            }
        }
        results.extend(statement.results.iter().map(|result| result.variable.clone()));
    }
    for parameter in &mut found {
        let accesses = || statements.iter().flat_map(|statement| &statement.accesses);
        parameter.type_name = accesses().find_map(|access| type_in(schema, access, &parameter.name));
    }
    // Numbers in the order of numbers.
    let number = |parameter: &Parameter| parameter.name.parse::<u32>().ok();
    if found.iter().all(|parameter| number(parameter).is_some()) {
        found.sort_by_key(number);
    }
    found
}

/// What a pragma tells of one parameter.
pub fn tell(parameters: &mut Vec<Parameter>, told: &Parameter) {
    match parameters.iter_mut().find(|parameter| parameter.name == told.name) {
        Some(parameter) => {
            parameter.example = told.example.clone().or_else(|| parameter.example.take());
            parameter.type_name = told.type_name.clone().or_else(|| parameter.type_name.take());
        }
        None => parameters.push(told.clone()),
    }
}

/// The type of a column that the access compares with the parameter.
fn type_in(schema: &Schema, access: &Access, parameter: &str) -> Option<String> {
    let is_it = |term: &Term| matches!(term, Term::Parameter(name) if name == parameter);
    column_type(schema, &access.relation, access.column_of(is_it)?)
}

fn column_type(schema: &Schema, relation: &RelationName, column: &str) -> Option<String> {
    let column = schema.relations.get(relation)?.column(column)?;
    let of_serial = [("bigserial", "bigint"), ("serial8", "bigint"), ("serial", "int"), ("smallserial", "smallint")];
    let plain = of_serial.iter().find(|(serial, _)| *serial == column.type_name).map(|(_, plain)| (*plain).to_owned());
    plain.or_else(|| Some(column.type_name.clone()).filter(|type_name| !type_name.is_empty()))
}

//! Values of a type in SQL, as many different ones as are asked for.

use pgstrata_pg::quote_literal;

/// The value number `n` of a type, as a constant in SQL. Different numbers give different values where the type has enough
/// of them. A type that is not known gets a number in quotes, which many types read.
pub(super) fn value(type_name: &str, n: u32) -> String {
    let name = type_name.trim().to_ascii_lowercase();
    if name.ends_with("[]") {
        return quote_literal(&format!("{{{n}}}"));
    }
    let base = name.split(['(', ' ']).next().unwrap_or_default();
    let base = base.rsplit('.').next().unwrap_or_default();
    match base {
        "smallint" | "integer" | "int" | "bigint" | "int2" | "int4" | "int8" | "numeric" | "decimal" | "real"
        | "double" | "float" | "float4" | "float8" | "serial" | "bigserial" | "smallserial" | "oid" => n.to_string(),
        "boolean" | "bool" => if n.is_multiple_of(2) { "false" } else { "true" }.to_owned(),
        "char" | "character" | "bpchar" | "varchar" | "text" | "citext" | "name" | "bytea" => {
            let text = format!("v{n}");
            match length(&name) {
                // The last digits, as the first ones are alike.
                Some(most) if most < text.len() => quote_literal(&text[text.len() - most..]),
                _ => quote_literal(&text),
            }
        }
        "date" => format!("date '2024-01-01' + {n}"),
        "timestamp" => format!("timestamp '2024-01-01 00:00' + interval '{n} hours'"),
        "timestamptz" => format!("timestamptz '2024-01-01 00:00+00' + interval '{n} hours'"),
        "time" | "timetz" => format!("time '00:00' + interval '{n} minutes'"),
        "interval" => quote_literal(&format!("{n} seconds")),
        "uuid" => quote_literal(&format!("00000000-0000-4000-8000-{n:012}")),
        "json" | "jsonb" => quote_literal(&format!("{{\"n\": {n}}}")),
        "inet" | "cidr" => quote_literal(&format!("10.0.{}.{}", n / 256 % 256, n % 256)),
        "money" => format!("{n}::money"),
        _ => quote_literal(&n.to_string()),
    }
}

/// How many characters a type takes, if it says so.
fn length(type_name: &str) -> Option<usize> {
    let (_, rest) = type_name.split_once('(')?;
    rest.split(')').next()?.trim().parse().ok()
}

/// Whether values of a type can be added to and compared as numbers.
pub(super) fn is_number(type_name: &str) -> bool {
    let text = value(type_name, 1);
    text == "1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_their_type_and_differ() {
        let check = [
            ("bigint", "7"),
            ("numeric(12,2)", "7"),
            ("character varying(20)", "'v7'"),
            ("boolean", "true"),
            ("character(1)", "'7'"),
            ("int[]", "'{7}'"),
            ("uuid", "'00000000-0000-4000-8000-000000000007'"),
            ("mood", "'7'"),
        ];
        for (type_name, expect) in check {
            assert_eq!(value(type_name, 7), expect, "{type_name}");
        }
        assert!(is_number("double precision") && !is_number("text"));
    }
}

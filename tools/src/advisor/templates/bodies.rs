//! The transaction itself, in each language: its statements, its values, and what each statement must have found.

use std::fmt::Write as _;

use super::Language;
use super::plan::{Expect, Kind, Parameter, Plan, Step};

/// The function that does a plan's statements inside a transaction.
pub(super) fn body(language: Language, plan: &Plan) -> String {
    match language {
        Language::Sql => plpgsql(plan),
        Language::RustTokioPostgres => tokio_postgres(plan),
        Language::RustSqlx => sqlx(plan),
        Language::Python => python(plan),
        Language::Java => java(plan),
        Language::Go => go(plan),
        Language::Typescript => typescript(plan),
    }
}

/// Writes into a string, which cannot fail.
macro_rules! line {
    ($out:expr, $($what:tt)*) => { let _ = writeln!($out, $($what)*); };
}

fn joined(values: impl IntoIterator<Item = String>) -> String {
    values.into_iter().collect::<Vec<_>>().join(", ")
}

/// `from_account` is `fromAccount` in three of the languages.
fn camel(name: &str) -> String {
    let mut parts = name.split('_').filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or("value").to_owned();
    parts.fold(first, |mut so_far, part| {
        let (head, tail) = part.split_at(part.chars().next().map_or(0, char::len_utf8));
        so_far.push_str(&head.to_ascii_uppercase());
        so_far.push_str(tail);
        so_far
    })
}

/// `from_account` is `FromAccount` where Go exports it.
fn pascal(name: &str) -> String {
    let camel = camel(name);
    let (head, tail) = camel.split_at(camel.chars().next().map_or(0, char::len_utf8));
    format!("{}{tail}", head.to_ascii_uppercase())
}

/// The statement with each `$n` written as the language wants it. What stands in quotes is left alone.
fn with_values(step: &Step, mut value: impl FnMut(usize, &str) -> String) -> String {
    let mut sql = String::new();
    let mut in_quotes = false;
    let mut rest = step.sql.as_str();
    while let Some(sign) = rest.chars().next() {
        in_quotes ^= sign == '\'';
        let digits = rest[1..].find(|sign: char| !sign.is_ascii_digit()).unwrap_or(rest.len() - 1);
        let place = if sign == '$' && !in_quotes { rest[1..=digits].parse::<usize>().ok() } else { None };
        if let Some((place, name)) = place.and_then(|place| Some((place, step.arguments.get(place.checked_sub(1)?)?))) {
            sql.push_str(&value(place, name));
            rest = &rest[1 + digits..];
        } else {
            sql.push(sign);
            rest = &rest[sign.len_utf8()..];
        }
    }
    sql
}

/// `$n` as text that the server reads as its type, where the language's library has no such type.
fn cast_in_sql(plan: &Plan, step: &Step) -> String {
    with_values(step, |place, name| match plan.value(name).map(|value| &value.kind) {
        Some(Kind::Cast(kind)) => format!("cast(cast(${place} as text) as {kind})"),
        _ => format!("${place}"),
    })
}

/// Text between double quotes, for languages that escape as C does.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// What is kept and taken by no statement: the caller wants it, and compilers want it used.
fn for_the_caller(plan: &Plan) -> impl Iterator<Item = &Parameter> {
    let is_taken = |kept: &&Parameter| plan.steps.iter().any(|step| step.arguments.contains(&kept.name));
    plan.steps.iter().flat_map(|step| &step.keeps).filter(move |kept| !is_taken(kept))
}

fn plpgsql(plan: &Plan) -> String {
    let mut out = String::new();
    let kind = |value: &Parameter| match &value.kind {
        Kind::Long => "bigint".to_owned(),
        Kind::Integer => "integer".to_owned(),
        Kind::Flag => "boolean".to_owned(),
        Kind::Double => "double precision".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Cast(kind) => kind.clone(),
    };
    let declared = |value: &Parameter| format!("_{} {}", value.name, kind(value));
    let parameters = joined(std::iter::once("_key uuid".to_owned()).chain(plan.parameters.iter().map(declared)));
    line!(out, "create or replace function {}({parameters})", plan.name);
    line!(out, "returns boolean language plpgsql as $body$");
    for (place, kept) in plan.steps.iter().flat_map(|step| &step.keeps).enumerate() {
        let declare = if place == 0 { "declare\n" } else { "" };
        line!(out, "{declare}    {};", declared(kept));
    }
    line!(out, "begin");
    line!(out, "    insert into request (key) values (_key) on conflict (key) do nothing;");
    line!(out, "    if not found then\n        return false;\n    end if;");
    for step in &plan.steps {
        let sql = with_values(step, |_, name| format!("_{name}")).replace('\n', "\n    ");
        if step.keeps.is_empty() && step.returns_rows && sql.starts_with("select") {
            line!(out, "    perform{};", &sql["select".len()..]);
        } else if step.keeps.is_empty() {
            line!(out, "    {sql};");
        } else {
            let into = joined(step.keeps.iter().map(|kept| format!("_{}", kept.name)));
            line!(out, "    {};", into_variables(&sql, &into));
        }
        match step.expect {
            Expect::Anything => {}
            Expect::RowElseRefused => {
                line!(out, "    if not found then\n        raise exception 'refused';\n    end if;");
            }
            Expect::RowElseAgain => {
                line!(out, "    if not found then");
                line!(out, "        raise exception 'somebody was faster' using errcode = '40001';\n    end if;");
            }
        }
    }
    line!(out, "    return true;\nend $body$;");
    out
}

/// `into` stands before `from` of a query, and at the end of a statement that returns rows.
fn into_variables(sql: &str, into: &str) -> String {
    match sql.find(" from ").filter(|_| sql.starts_with("select")) {
        Some(at) => format!("{} into {into}{}", &sql[..at], &sql[at..]),
        None => format!("{sql} into {into}"),
    }
}

fn python(plan: &Plan) -> String {
    let mut out = String::new();
    let names = joined(std::iter::once("cursor".to_owned()).chain(plan.parameters.iter().map(|one| one.name.clone())));
    line!(out, "def {}({names}):", plan.name);
    line!(out, "    \"\"\"{}\"\"\"", plan.about.replace('"', "'"));
    for step in &plan.steps {
        let mut given = Vec::<String>::new();
        let percent = Step { sql: step.sql.replace('%', "%%"), ..step.clone() };
        let sql = with_values(&percent, |_, name| {
            let pair = format!("\"{name}\": {name}");
            if !given.contains(&pair) {
                given.push(pair);
            }
            format!("%({name})s")
        });
        // psycopg replaces `%%` only where there are values.
        let (sql, values) = if given.is_empty() {
            (step.sql.clone(), String::new())
        } else {
            (sql, format!(", {{{}}}", given.join(", ")))
        };
        line!(out, "    cursor.execute(\n        {}{values},\n    )", quoted(&sql));
        let failure = match step.expect {
            Expect::Anything => None,
            Expect::RowElseRefused => Some("Refused"),
            Expect::RowElseAgain => Some("Again"),
        };
        if step.keeps.is_empty() {
            if let Some(failure) = failure {
                line!(out, "    if cursor.rowcount == 0:\n        raise {failure}");
            }
            continue;
        }
        line!(out, "    row = cursor.fetchone()");
        line!(out, "    if row is None:\n        raise {}", failure.unwrap_or("Refused"));
        let kept = joined(step.keeps.iter().map(|kept| kept.name.clone()));
        line!(out, "    ({kept},) = row");
    }
    out
}

fn typescript(plan: &Plan) -> String {
    let mut out = String::new();
    let kind = |value: &Parameter| match value.kind {
        Kind::Flag => "boolean",
        Kind::Long | Kind::Integer | Kind::Double => "number | string",
        Kind::Text | Kind::Cast(_) => "string",
    };
    let declared = plan.parameters.iter().map(|one| format!("{}: {}", camel(&one.name), kind(one)));
    let parameters = joined(std::iter::once("client: Client".to_owned()).chain(declared));
    line!(out, "/** {} */", plan.about);
    line!(out, "export async function {}({parameters}): Promise<void> {{", camel(&plan.name));
    for (number, step) in plan.steps.iter().enumerate() {
        let values = joined(step.arguments.iter().map(|name| camel(name)));
        let query = format!("await client.query(\n    {},\n    [{values}],\n  )", quoted(&step.sql));
        let failure = match step.expect {
            Expect::Anything if step.keeps.is_empty() => {
                line!(out, "  {query}");
                continue;
            }
            Expect::Anything | Expect::RowElseRefused => "Refused",
            Expect::RowElseAgain => "Again",
        };
        let answer = format!("answer{}", number + 1);
        line!(out, "  const {answer} = {query}");
        line!(out, "  if (!{answer}.rowCount) throw new {failure}()");
        if !step.keeps.is_empty() {
            let names = joined(step.keeps.iter().map(|kept| camel(&kept.name)));
            line!(out, "  const [{names}] = Object.values({answer}.rows[0]) as string[]");
        }
    }
    for kept in for_the_caller(plan) {
        line!(out, "  void {} // for the caller", camel(&kept.name));
    }
    line!(out, "}}");
    out
}

fn java(plan: &Plan) -> String {
    let mut out = String::new();
    let kind = |value: &Parameter| match value.kind {
        Kind::Long => "long",
        Kind::Integer => "int",
        Kind::Flag => "boolean",
        Kind::Double => "double",
        Kind::Text | Kind::Cast(_) => "String",
    };
    let declared = plan.parameters.iter().map(|one| format!("{} {}", kind(one), camel(&one.name)));
    let parameters = joined(std::iter::once("Connection connection".to_owned()).chain(declared));
    line!(out, "/** {} */", plan.about);
    line!(out, "public static void {}({parameters}) throws SQLException, Refused, Again {{", camel(&plan.name));
    for kept in plan.steps.iter().flat_map(|step| &step.keeps) {
        line!(out, "    {} {};", kind(kept), camel(&kept.name));
    }
    for step in &plan.steps {
        let mut places = Vec::<String>::new();
        let sql = with_values(step, |_, name| {
            places.push(name.to_owned());
            "?".to_owned()
        });
        line!(out, "    try (PreparedStatement statement = connection.prepareStatement(");
        line!(out, "            {})) {{", quoted(&sql));
        for (place, name) in places.iter().enumerate() {
            let (place, argument) = (place + 1, camel(name));
            line!(
                out,
                "        {}",
                match plan.value(name).map(|value| &value.kind) {
                    Some(Kind::Long) => format!("statement.setLong({place}, {argument});"),
                    Some(Kind::Integer) => format!("statement.setInt({place}, {argument});"),
                    Some(Kind::Flag) => format!("statement.setBoolean({place}, {argument});"),
                    Some(Kind::Double) => format!("statement.setDouble({place}, {argument});"),
                    Some(Kind::Text) => format!("statement.setString({place}, {argument});"),
                    Some(Kind::Cast(_)) | None => format!("statement.setObject({place}, {argument}, Types.OTHER);"),
                }
            );
        }
        java_answer(&mut out, step);
        line!(out, "    }}");
    }
    line!(out, "}}");
    out
}

/// Runs the prepared statement and looks at what it found.
fn java_answer(out: &mut String, step: &Step) {
    let failure = match step.expect {
        Expect::Anything if step.keeps.is_empty() => {
            line!(out, "        statement.execute();");
            return;
        }
        Expect::Anything | Expect::RowElseRefused => "Refused",
        Expect::RowElseAgain => "Again",
    };
    if !step.returns_rows {
        line!(out, "        if (statement.executeUpdate() == 0) {{\n            throw new {failure}();\n        }}");
        return;
    }
    line!(out, "        try (ResultSet rows = statement.executeQuery()) {{");
    line!(out, "            if (!rows.next()) {{\n                throw new {failure}();\n            }}");
    for (place, kept) in step.keeps.iter().enumerate() {
        let get = match kept.kind {
            Kind::Long => "getLong",
            Kind::Integer => "getInt",
            Kind::Flag => "getBoolean",
            Kind::Double => "getDouble",
            Kind::Text | Kind::Cast(_) => "getString",
        };
        line!(out, "            {} = rows.{get}({});", camel(&kept.name), place + 1);
    }
    line!(out, "        }}");
}

fn go(plan: &Plan) -> String {
    let mut out = String::new();
    let kind = |value: &Parameter| match value.kind {
        Kind::Long => "int64",
        Kind::Integer => "int32",
        Kind::Flag => "bool",
        Kind::Double => "float64",
        Kind::Text | Kind::Cast(_) => "string",
    };
    let declared = plan.parameters.iter().map(|one| format!("{} {}", camel(&one.name), kind(one)));
    let parameters = joined(["ctx context.Context".to_owned(), "tx pgx.Tx".to_owned()].into_iter().chain(declared));
    line!(out, "// {}: {}", pascal(&plan.name), plan.about);
    line!(out, "func {}({parameters}) error {{", pascal(&plan.name));
    for step in &plan.steps {
        let sql = quoted(&cast_in_sql(plan, step));
        let values = joined(["ctx".to_owned(), sql].into_iter().chain(step.arguments.iter().map(|name| camel(name))));
        let failure = match step.expect {
            Expect::Anything | Expect::RowElseRefused => "ErrRefused",
            Expect::RowElseAgain => "ErrAgain",
        };
        if !step.keeps.is_empty() {
            for kept in &step.keeps {
                line!(out, "\tvar {} {}", camel(&kept.name), kind(kept));
            }
            let into = joined(step.keeps.iter().map(|kept| format!("&{}", camel(&kept.name))));
            line!(out, "\tif err := tx.QueryRow({values}).Scan({into}); errors.Is(err, pgx.ErrNoRows) {{");
            line!(out, "\t\treturn {failure}\n\t}} else if err != nil {{\n\t\treturn err\n\t}}");
        } else if step.expect == Expect::Anything {
            line!(out, "\tif _, err := tx.Exec({values}); err != nil {{\n\t\treturn err\n\t}}");
        } else {
            line!(out, "\tif done, err := tx.Exec({values}); err != nil {{\n\t\treturn err");
            line!(out, "\t}} else if done.RowsAffected() == 0 {{\n\t\treturn {failure}\n\t}}");
        }
    }
    line!(out, "\treturn nil\n}}");
    out
}

/// A type of Rust: of a parameter, or of a value that is kept.
fn rust_kind(value: &Parameter, is_kept: bool) -> &'static str {
    match value.kind {
        Kind::Long => "i64",
        Kind::Integer => "i32",
        Kind::Flag => "bool",
        Kind::Double => "f64",
        Kind::Text | Kind::Cast(_) if is_kept => "String",
        Kind::Text | Kind::Cast(_) => "&str",
    }
}

fn rust_head(out: &mut String, plan: &Plan, first: &str) {
    let declared = plan.parameters.iter().map(|one| format!("{}: {}", one.name, rust_kind(one, false)));
    line!(out, "/// {}", plan.about);
    line!(out, "pub async fn {}(", plan.name);
    for parameter in std::iter::once(first.to_owned()).chain(declared) {
        line!(out, "    {parameter},");
    }
    line!(out, ") -> Result<(), Failure> {{");
}

const fn rust_failure(step: &Step) -> &'static str {
    match step.expect {
        Expect::Anything | Expect::RowElseRefused => "Failure::Refused",
        Expect::RowElseAgain => "Failure::Again",
    }
}

fn rust_tail(out: &mut String, plan: &Plan) {
    for kept in for_the_caller(plan) {
        line!(out, "    let _ = {}; // for the caller", kept.name);
    }
    line!(out, "    Ok(())\n}}");
}

fn tokio_postgres(plan: &Plan) -> String {
    let mut out = String::new();
    rust_head(&mut out, plan, "transaction: &Transaction<'_>");
    for step in &plan.steps {
        let sql = quoted(&cast_in_sql(plan, step));
        let values = joined(step.arguments.iter().map(|name| format!("&{name}")));
        line!(out, "    let statement = {sql};");
        if !step.keeps.is_empty() {
            line!(out, "    let row = transaction.query_opt(statement, &[{values}]).await?;");
            line!(out, "    let Some(row) = row else {{ return Err({}) }};", rust_failure(step));
            for (place, kept) in step.keeps.iter().enumerate() {
                line!(out, "    let {}: {} = row.try_get({place})?;", kept.name, rust_kind(kept, true));
            }
        } else if step.expect == Expect::Anything {
            line!(out, "    transaction.execute(statement, &[{values}]).await?;");
        } else {
            line!(out, "    if transaction.execute(statement, &[{values}]).await? == 0 {{");
            line!(out, "        return Err({});\n    }}", rust_failure(step));
        }
    }
    rust_tail(&mut out, plan);
    out
}

fn sqlx(plan: &Plan) -> String {
    let mut out = String::new();
    rust_head(&mut out, plan, "connection: &mut PgConnection");
    if plan.steps.iter().any(|step| !step.keeps.is_empty()) {
        line!(out, "    use sqlx::Row as _;\n");
    }
    for step in &plan.steps {
        let sql = quoted(&cast_in_sql(plan, step));
        let by_reference =
            |name: &String| plan.steps.iter().flat_map(|step| &step.keeps).any(|kept| kept.name == *name);
        let bound: String = step
            .arguments
            .iter()
            .map(|name| if by_reference(name) { format!(".bind(&{name})") } else { format!(".bind({name})") })
            .collect();
        line!(out, "    let statement = sqlx::query({sql}){bound};");
        if !step.keeps.is_empty() {
            line!(out, "    let row = statement.fetch_optional(&mut *connection).await?;");
            line!(out, "    let Some(row) = row else {{ return Err({}) }};", rust_failure(step));
            for (place, kept) in step.keeps.iter().enumerate() {
                line!(out, "    let {}: {} = row.try_get({place})?;", kept.name, rust_kind(kept, true));
            }
        } else if step.expect == Expect::Anything {
            line!(out, "    statement.execute(&mut *connection).await?;");
        } else {
            line!(out, "    if statement.execute(&mut *connection).await?.rows_affected() == 0 {{");
            line!(out, "        return Err({});\n    }}", rust_failure(step));
        }
    }
    rust_tail(&mut out, plan);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_quotes_and_unknown_places_are_left_alone() {
        let step = Step {
            sql: "select '$1', $1, $2, $10".to_owned(),
            arguments: vec!["a".to_owned(), "b".to_owned()],
            expect: Expect::Anything,
            keeps: Vec::new(),
            returns_rows: true,
        };
        assert_eq!(with_values(&step, |_, name| format!(":{name}")), "select '$1', :a, :b, $10");
    }

    #[test]
    fn names_are_written_as_each_language_writes_them() {
        assert_eq!((camel("from_account").as_str(), pascal("take_job").as_str()), ("fromAccount", "TakeJob"));
    }
}

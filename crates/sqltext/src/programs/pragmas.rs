//! Comments that are addressed to pgstrata.

use pgstrata_units::Isolation;

use crate::error::SqlError;
use crate::position::Source;
use crate::workload::{Parameter, Pragma, PragmaKind};

/// What such a comment begins with, after its dashes.
const MARK: &str = "pgstrata:";

/// The pragmas among a source's comments, with their byte offsets.
pub fn read(source: &Source<'_>, comments: &[(usize, String)]) -> Result<Vec<(usize, Pragma)>, Vec<SqlError>> {
    let (mut pragmas, mut errors) = (Vec::new(), Vec::new());
    for (offset, comment) in comments {
        let Some(said) = comment.strip_prefix("--").and_then(|rest| rest.trim().strip_prefix(MARK)) else { continue };
        let span = source.span(*offset, offset + comment.len());
        match kind(said.trim()) {
            Ok(kind) => pragmas.push((*offset, Pragma { span, kind })),
            Err(message) => {
                let hint = "the pragmas are: program NAME [level]; accept unsafe: REASON; frequency NUMBER; \
                    parameter NAME TYPE [= EXAMPLE]";
                errors.push(SqlError { span, message, hint: Some(hint.to_owned()) });
            }
        }
    }
    if errors.is_empty() { Ok(pragmas) } else { Err(errors) }
}

fn kind(said: &str) -> Result<PragmaKind, String> {
    let (word, rest) = said.split_once(char::is_whitespace).unwrap_or((said, ""));
    let rest = rest.trim();
    match word {
        "program" => program(rest),
        "accept" => {
            let reason = rest.strip_prefix("unsafe").map(|rest| rest.trim_start_matches(':').trim());
            let reason = reason.filter(|reason| !reason.is_empty());
            let reason = reason.ok_or("expected `accept unsafe: REASON`, with a reason")?;
            Ok(PragmaKind::AcceptUnsafe { reason: reason.to_owned() })
        }
        "frequency" => {
            let frequency: f64 = rest.parse().map_err(|_| format!("{rest:?} is no number"))?;
            let is_fine = frequency.is_finite() && frequency >= 0.0;
            if is_fine { Ok(PragmaKind::Frequency(frequency)) } else { Err(format!("{rest:?} is no frequency")) }
        }
        "parameter" => parameter(rest),
        _ => Err(format!("{word:?} is no pragma")),
    }
}

fn program(rest: &str) -> Result<PragmaKind, String> {
    let (name, level) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if name.is_empty() {
        return Err("expected a name after `program`".to_owned());
    }
    let level: Option<Isolation> = match level.trim() {
        "" => None,
        level => Some(level.parse().map_err(|error| format!("{error}"))?),
    };
    Ok(PragmaKind::Program { name: name.to_owned(), level })
}

fn parameter(rest: &str) -> Result<PragmaKind, String> {
    let (declared, example) = match rest.split_once('=') {
        Some((declared, example)) => (declared.trim(), Some(example.trim().to_owned())),
        None => (rest, None),
    };
    let (name, type_name) = declared.split_once(char::is_whitespace).unwrap_or((declared, ""));
    let name = name.trim_start_matches([':', '$']);
    if name.is_empty() {
        return Err("expected `parameter NAME TYPE [= EXAMPLE]`".to_owned());
    }
    let type_name = Some(type_name.trim()).filter(|type_name| !type_name.is_empty()).map(str::to_owned);
    Ok(PragmaKind::Parameter(Parameter { name: name.to_owned(), type_name, example }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(comment: &str) -> Result<Option<PragmaKind>, String> {
        let source = Source::new("input", comment);
        let pragmas = read(&source, &[(0, comment.to_owned())]).map_err(|errors| errors[0].message.clone())?;
        Ok(pragmas.into_iter().next().map(|(_, pragma)| pragma.kind))
    }

    #[test]
    fn pragmas_are_read_and_other_comments_are_not() {
        let program = |level| PragmaKind::Program { name: "Balance".to_owned(), level };
        assert_eq!(one("-- pgstrata: program Balance"), Ok(Some(program(None))));
        assert_eq!(
            one("--pgstrata: program Balance Repeatable Read"),
            Ok(Some(program(Some(Isolation::RepeatableRead))))
        );
        assert_eq!(one("-- pgstrata: frequency 0.43"), Ok(Some(PragmaKind::Frequency(0.43))));
        let accepted = PragmaKind::AcceptUnsafe { reason: "counted at night".to_owned() };
        assert_eq!(one("-- pgstrata: accept unsafe: counted at night"), Ok(Some(accepted)));
        let parameter = Parameter {
            name: "id".to_owned(),
            type_name: Some("numeric(10, 2)".to_owned()),
            example: Some("'a=b'".to_owned()),
        };
        assert_eq!(
            one("-- pgstrata: parameter :id numeric(10, 2) = 'a=b'"),
            Ok(Some(PragmaKind::Parameter(parameter)))
        );
        assert_eq!(one("-- see pgstrata: program x"), Ok(None));
    }

    #[test]
    fn a_pragma_that_is_misspelled_is_an_error_and_not_a_comment() {
        for wrong in
            ["progam x", "program", "program x chaos", "accept unsafe:", "frequency often", "frequency -1", "parameter"]
        {
            assert!(one(&format!("-- pgstrata: {wrong}")).is_err(), "{wrong}");
        }
    }
}

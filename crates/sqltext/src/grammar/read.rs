//! A source's statements as trees, each with the way back from the tree's offsets to the source's.

use pg_query::NodeEnum;
use pg_query::protobuf::{ScanToken, Token};

use super::meta::{MetaCommand, blank_meta_commands};
use super::native::{self, Mode, Refused};
use super::split::{self, Piece};
use crate::error::SqlError;
use crate::position::{Source, Span};

/// The longest source that is read, bytes.
pub const SOURCE_BYTES_MAX: usize = 64 << 20;

/// The most errors that are reported of one source; the rest of it is not looked at.
const ERRORS_MAX: usize = 100;

/// A source in pieces.
#[derive(Debug)]
pub struct Read<'a> {
    /// Its text and lines.
    pub source: Source<'a>,
    /// Its statements, in order.
    pub statements: Vec<Parsed>,
    /// Its comments with their text, by byte offset.
    pub comments: Vec<(usize, String)>,
    /// What stands between statements for psql or pgbench.
    pub meta_commands: Vec<MetaCommand>,
}

/// One statement.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// Its first byte in the source.
    pub from: usize,
    /// One past its last byte.
    pub to: usize,
    /// As the grammar read it: all parameters are `$1` to `$n`.
    pub prepared: String,
    /// What `$1` to `$n` were, without sigils.
    pub arguments: Vec<String>,
    /// `:"name"`: identifiers that come from variables, with their offset in the source.
    pub interpolated: Vec<(usize, String)>,
    /// The tree.
    pub tree: NodeEnum,
    way_back: Vec<Replaced>,
}

/// A parameter that was written otherwise; offsets within the prepared text and the source.
#[derive(Debug, Clone)]
struct Replaced {
    prepared_to: usize,
    source_to: usize,
}

impl Parsed {
    /// The byte of the source that a byte of `prepared` came from.
    #[must_use]
    pub fn source_offset(&self, prepared: usize) -> usize {
        let passed = self.way_back.partition_point(|each| each.prepared_to <= prepared);
        match passed.checked_sub(1).map(|last| &self.way_back[last]) {
            Some(last) => (last.source_to + prepared - last.prepared_to).min(self.to),
            None => (self.from + prepared).min(self.to),
        }
    }
}

/// Reads a source. All errors are reported, not only the first.
///
/// Call it inside [`super::deep`].
pub fn read<'a>(name: &'a str, text: &'a str) -> Result<Read<'a>, Vec<SqlError>> {
    let source = Source::new(name, text);
    if let Some(error) = unreadable(&source) {
        return Err(vec![error]);
    }
    let (blanked, meta_commands) = blank_meta_commands(text);
    let tokens = match super::scan(&blanked) {
        Ok(tokens) => tokens,
        Err(error) => return Err(vec![scan_error(&source, &blanked, &error)]),
    };
    let comments = tokens.iter().filter(|token| split::is_comment(token.token())).map(|token| {
        let (from, to) = (split::offset(token.start), split::offset(token.end));
        (from, blanked[from..to].to_owned())
    });
    let comments = comments.collect();
    let (mut statements, mut errors) = (Vec::new(), Vec::new());
    for piece in split::pieces(&tokens) {
        match parse_piece(&source, &blanked, &tokens, &piece) {
            Ok(parsed) => statements.push(parsed),
            Err(error) => errors.push(error),
        }
        if errors.len() >= ERRORS_MAX {
            break;
        }
    }
    if errors.is_empty() { Ok(Read { source, statements, comments, meta_commands }) } else { Err(errors) }
}

fn unreadable(source: &Source<'_>) -> Option<SqlError> {
    let text = source.text();
    if text.len() > SOURCE_BYTES_MAX {
        return Some(SqlError {
            span: source.span(0, 0),
            message: format!("the source has {} bytes, more than {SOURCE_BYTES_MAX}", text.len()),
            hint: Some("give the programs' statements, not a dump of data".to_owned()),
        });
    }
    let nul = text.find('\0')?;
    Some(SqlError {
        span: source.span(nul, nul + 1),
        message: "a NUL character cannot be part of SQL".to_owned(),
        hint: Some("is this a text file, in UTF-8?".to_owned()),
    })
}

/// The scanner's own error has no place; the parser, which reads the same text, gives one.
fn scan_error(source: &Source<'_>, text: &str, error: &pg_query::Error) -> SqlError {
    let refused = match native::parse(text, Mode::Statements) {
        Err(refused) => refused,
        Ok(_) => Refused::anywhere(error.to_string()),
    };
    refusal(source, refused, text, |offset| offset, 0)
}

fn parse_piece(source: &Source<'_>, text: &str, tokens: &[ScanToken], piece: &Piece) -> Result<Parsed, SqlError> {
    let mut parsed = prepare(text, tokens, piece);
    match native::parse(&parsed.prepared, Mode::Statements) {
        Ok(tree) => {
            let statement = tree.stmts.into_iter().next().and_then(|raw| raw.stmt).and_then(|node| node.node);
            match statement {
                Some(tree) => parsed.tree = tree,
                None => return Err(refusal(source, Refused::anywhere("an empty statement"), "", |at| at, piece.from)),
            }
            Ok(parsed)
        }
        Err(refused) => {
            Err(refusal(source, refused, &parsed.prepared, |offset| parsed.source_offset(offset), piece.from))
        }
    }
}

/// Writes every parameter as `$n`, in the order of first mention.
fn prepare(text: &str, tokens: &[ScanToken], piece: &Piece) -> Parsed {
    let nothing = NodeEnum::AStar(pg_query::protobuf::AStar {});
    let mut parsed = Parsed {
        from: piece.from,
        to: piece.to,
        prepared: String::with_capacity(piece.to - piece.from),
        arguments: Vec::new(),
        interpolated: Vec::new(),
        tree: nothing,
        way_back: Vec::new(),
    };
    let (mut copied, mut brackets) = (piece.from, 0_usize);
    let own = &tokens[piece.first_token..piece.last_token];
    for (index, token) in own.iter().enumerate() {
        let (from, to) = (split::offset(token.start), split::offset(token.end));
        match token.token() {
            Token::Ascii91 => brackets += 1,
            Token::Ascii93 => brackets = brackets.saturating_sub(1),
            Token::Param => {
                let name = text[from + 1..to].to_owned();
                substitute(&mut parsed, &text[copied..from], name, to);
                copied = to;
            }
            // Inside brackets a colon parts the bounds of a slice.
            Token::Ascii58 if brackets == 0 => {
                let Some(next) = own.get(index + 1).filter(|next| split::offset(next.start) == to) else { continue };
                let (next_from, next_to) = (split::offset(next.start), split::offset(next.end));
                let word = &text[next_from..next_to];
                if word.starts_with('"') {
                    parsed.interpolated.push((from, word.trim_matches('"').to_owned()));
                    parsed.prepared.push_str(&text[copied..from]);
                    parsed.way_back.push(Replaced { prepared_to: parsed.prepared.len(), source_to: next_from });
                    copied = next_from;
                } else if let Some(name) = variable(word) {
                    substitute(&mut parsed, &text[copied..from], name, next_to);
                    copied = next_to;
                }
            }
            _ => {}
        }
    }
    parsed.prepared.push_str(&text[copied..piece.to]);
    parsed
}

/// The variable of `:name` or `:'name'`.
fn variable(word: &str) -> Option<String> {
    if let Some(inside) = word.strip_prefix('\'') {
        return inside.strip_suffix('\'').map(str::to_owned);
    }
    word.starts_with(|c: char| c.is_alphabetic() || c == '_').then(|| word.to_owned())
}

fn substitute(parsed: &mut Parsed, before: &str, name: String, source_to: usize) {
    let known = parsed.arguments.iter().position(|each| *each == name);
    let number = known.unwrap_or(parsed.arguments.len()) + 1;
    if known.is_none() {
        parsed.arguments.push(name);
    }
    parsed.prepared.push_str(before);
    parsed.prepared.push('$');
    parsed.prepared.push_str(&number.to_string());
    parsed.way_back.push(Replaced { prepared_to: parsed.prepared.len(), source_to });
}

/// An error at a character of `text`, whose bytes lead to the source by `back`.
fn refusal(
    source: &Source<'_>,
    refused: Refused,
    text: &str,
    back: impl Fn(usize) -> usize,
    otherwise: usize,
) -> SqlError {
    let span = match refused.character {
        None => source.span(otherwise, otherwise),
        Some(character) => {
            let from = text.char_indices().nth(character).map_or(text.len(), |(at, _)| at);
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let length = match text[from..].find(|c| !word(c)) {
                Some(0) => text[from..].chars().next().map_or(0, char::len_utf8),
                Some(length) => length,
                None => text.len() - from,
            };
            source.span(back(from), back(from + length))
        }
    };
    let hint = hint(&refused.message).map(str::to_owned);
    SqlError { span, message: refused.message, hint }
}

/// What to do about an error, by PostgreSQL's words for it.
const HINTS: [(&str, &str); 10] = [
    ("at end of input", "the statement ends too early: is a parenthesis or a clause missing?"),
    ("unterminated quoted string", "close the string with '; a quote inside it is written twice"),
    ("unterminated quoted identifier", "close the name with \""),
    ("unterminated dollar-quoted string", "the body must end with the same tag that it began with"),
    ("unterminated /* comment", "close the comment with */"),
    ("stack depth limit exceeded", "the statement nests too deeply to be read: part it"),
    ("memory exhausted", "the statement nests too deeply to be read: part it"),
    ("at or near \"?\"", "write parameters as $1 or :name"),
    ("at or near \"%\"", "write parameters as $1 or :name"),
    ("at or near \"@\"", "write parameters as $1 or :name"),
];

fn hint(message: &str) -> Option<&'static str> {
    HINTS.iter().find(|(words, _)| message.contains(words)).map(|(_, hint)| *hint)
}

/// The span of bytes of a source; a shorthand for callers that hold a [`Read`].
impl Read<'_> {
    /// The span of one statement.
    #[must_use]
    pub fn span_of(&self, statement: &Parsed) -> Span {
        self.source.span(statement.from, statement.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<String> {
        let errors = super::super::deep(|| read("input", text).err());
        errors.unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_error_of_syntax_is_at_its_line_and_character_in_postgresqls_words() {
        assert_eq!(errors("select 1;\n  select 选 form t where"), ["input:2:17: syntax error at or near \"t\""]);
        assert_eq!(errors("select :customer + from t"), ["input:1:20: syntax error at or near \"from\""]);
        assert_eq!(errors("update t set a = 1 where ("), ["input:1:27: syntax error at end of input"]);
        assert_eq!(errors("\n select 'a"), ["input:2:9: unterminated quoted string at or near \"'a\""]);
        assert_eq!(errors("selekt 1; select 2; delete t").len(), 2, "each statement is read");
        assert_eq!(errors("select 1 \0"), ["input:1:10: a NUL character cannot be part of SQL"]);
    }

    #[test]
    fn parameters_are_numbered_and_their_places_lead_back() {
        let text = "select a[1:2], b::int, :'who', :n from t where x = $2 and y = :n and z = :";
        let text = &format!("{text}n");
        super::super::deep(|| {
            let read = read("input", text).expect("it is SQL");
            let statement = &read.statements[0];
            assert_eq!(statement.prepared, "select a[1:2], b::int, $1, $2 from t where x = $3 and y = $2 and z = $2");
            assert_eq!(statement.arguments, ["who", "n", "2"]);
            for word in ["select", "from", "where", "y =", "z ="] {
                let (prepared, original) = (statement.prepared.find(word), text.find(word));
                assert_eq!(Some(statement.source_offset(prepared.expect("it is there"))), original, "{word}");
            }
        });
    }
}

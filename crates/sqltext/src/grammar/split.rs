//! A source's statements apart, its comments, and its parameters in the form that the grammar knows.
//!
//! Works on the tokens of PostgreSQL's own scanner, so that quotes, comments and bodies are what the server takes
//! them for.

use pg_query::protobuf::{ScanToken, Token};

/// A statement's words, without comments before and after it, and without its semicolon. Offsets are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where its first word begins.
    pub from: usize,
    /// One past its last word.
    pub to: usize,
    /// The first of its tokens, an index.
    pub first_token: usize,
    /// One past the last of its tokens.
    pub last_token: usize,
}

/// Statements by their semicolons: those inside parentheses and inside `begin atomic … end` part nothing.
#[must_use]
pub fn pieces(tokens: &[ScanToken]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut open: Option<Piece> = None;
    let (mut parentheses, mut body) = (0_usize, Body::default());
    for (index, token) in tokens.iter().enumerate() {
        let kind = token.token();
        if is_comment(kind) {
            continue;
        }
        if kind == Token::Ascii59 && parentheses == 0 && !body.is_open() {
            pieces.extend(open.take());
            body = Body::default();
            continue;
        }
        match kind {
            Token::Ascii40 => parentheses += 1,
            Token::Ascii41 => parentheses = parentheses.saturating_sub(1),
            _ => {}
        }
        body.see(kind);
        let (from, to) = (offset(token.start), offset(token.end));
        let piece = open.get_or_insert(Piece { from, to, first_token: index, last_token: index });
        piece.to = to;
        piece.last_token = index + 1;
    }
    pieces.extend(open);
    pieces
}

/// Whether a token is a comment.
#[must_use]
pub const fn is_comment(token: Token) -> bool {
    matches!(token, Token::SqlComment | Token::CComment)
}

/// An offset of the scanner, which never gives a negative one.
#[must_use]
pub fn offset(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// `begin atomic … end`, the body of a function in standard SQL, in which semicolons are its own.
#[derive(Default)]
struct Body {
    previous: Option<Token>,
    depth: usize,
}

impl Body {
    fn see(&mut self, token: Token) {
        match token {
            Token::Atomic if self.previous == Some(Token::BeginP) => self.depth = 1,
            Token::Case if self.depth > 0 => self.depth += 1,
            Token::EndP if self.depth > 0 => self.depth -= 1,
            _ => {}
        }
        self.previous = Some(token);
    }

    const fn is_open(&self) -> bool {
        self.depth > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        let tokens = pg_query::scan_tokens(text).expect("the scanner reads it");
        pieces(&tokens).iter().map(|piece| &text[piece.from..piece.to]).collect()
    }

    #[test]
    fn statements_end_at_their_own_semicolons() {
        assert_eq!(split("select 1; -- a;b\n;select ';' /* ; */;"), ["select 1", "select ';'"]);
        assert_eq!(split("create rule r as on insert to t do (select 1; select 2); select 3").len(), 2);
        let function =
            "create function f(a int) returns int begin atomic select case a when 1 then 2 end; select 1; end";
        assert_eq!(split(&format!("{function}; select 2")), [function, "select 2"]);
        assert_eq!(split("do $$ begin; end $$; begin; commit"), ["do $$ begin; end $$", "begin", "commit"]);
        assert_eq!(split(" -- nothing\n"), Vec::<&str>::new());
    }
}

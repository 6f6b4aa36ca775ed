//! A text of several statements, taken apart at its semicolons. It knows quotes, dollar quotes and comments, and no more of SQL.

/// The statements of a text, without the semicolons between them. Empty ones are left out.
pub(super) fn statements(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut begin = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(';') {
            found.push(&text[begin..at]);
            begin = at + 1;
        }
        at += token(rest);
    }
    found.push(&text[begin..]);
    found.into_iter().map(str::trim).filter(|statement| !statement.is_empty()).collect()
}

/// Bytes of what stands at the beginning of a text: something quoted, a comment, or one character.
fn token(rest: &str) -> usize {
    let first = rest.chars().next().map_or(1, char::len_utf8);
    let to = |begin: usize, end: &str| rest[begin..].find(end).map_or(rest.len(), |found| begin + found + end.len());
    match rest.as_bytes() {
        [b'\'' | b'"', ..] => to(1, &rest[..1]),
        [b'-', b'-', ..] => to(2, "\n"),
        [b'/', b'*', ..] => to(2, "*/"),
        [b'$', ..] => match rest[1..].find('$') {
            Some(end) if rest[1..=end].chars().all(|c| c.is_alphanumeric() || c == '_') => {
                let tag = &rest[..end + 2];
                to(tag.len(), tag)
            }
            _ => first,
        },
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_that_stand_for_themselves() {
        let check = |text, expected: &[&str]| assert_eq!(statements(text), expected, "{text}");
        check("begin; select 1;", &["begin", "select 1"]);
        check("select ';', \"a;b\" -- no; end\n; commit", &["select ';', \"a;b\" -- no; end", "commit"]);
        check("do $x$ begin; $$;$$ end $x$; select '它''s;'", &["do $x$ begin; $$;$$ end $x$", "select '它''s;'"]);
        check("select 1 /* ; */ + $1; select 'open;", &["select 1 /* ; */ + $1", "select 'open;"]);
        check(" ;; ", &[]);
    }
}

//! What goes wrong is told in both languages: each error, cause and hint in the crates that a command calls has its Chinese
//! in `crates/lab/src/chinese/sentences.txt`, and nothing stands there that is never told.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::tree::Tree;

use super::Finding;

/// The pairs.
const SENTENCES: &str = "crates/lab/src/chinese/sentences.txt";

/// Where all that is told must be among the pairs.
const COMPLETE: [&str; 6] = [
    "crates/pgstrata/src/",
    "crates/server/src/",
    "crates/lab/src/",
    "crates/pg/src/",
    "crates/sqltext/src/",
    "tools/src/advisor/",
];

/// Parts of those that no command tells people: tests, and what is of a program's own making.
const NOT_TOLD: [&str; 4] =
    ["/tests.rs", "/tests/", "crates/pg/src/decoding/message.rs", "tools/src/advisor/templates/"];

/// What begins something that is told; the literals up to the bracket that closes it are.
const TELLING: [(&str, char, char); 4] =
    [("#[error(", '(', ')'), ("LabError::usage(", '(', ')'), ("LabError::Machine {", '{', '}'), ("fn hint(", '{', '}')];

/// The same in the crate whose errors say what was tried.
const TRYING: &[(&str, char, char)] = &[("Error::new(", '(', ')')];

/// The same in the crate that answers with problems.
const REFUSING: &[(&str, char, char)] = &[
    ("Problem::new(", '(', ')'),
    ("Problem::missing(", '(', ')'),
    ("Problem::internal(", '(', ')'),
    ("Self::new(Code", '(', ')'),
    (".hint(", '(', ')'),
    ("bad(", '(', ')'),
    ("wrong(", '(', ')'),
];

/// The same in the crate that says what of SQL is wrong, and what it does not understand.
const READING: &[(&str, char, char)] = &[
    ("SqlError {", '{', '}'),
    ("Unanalysed {", '{', '}'),
    ("let why =", '=', ';'),
    ("let hint =", '=', ';'),
    ("Some(", '(', ')'),
    ("Err(", '(', ')'),
    ("ok_or(", '(', ')'),
    ("ok_or_else(", '(', ')'),
    ("say(", '(', ')'),
    ("say_at(", '(', ')'),
    ("say_with(", '(', ')'),
    ("strange(", '(', ')'),
];

/// Literals that are parts of sentences put together elsewhere.
const PARTS: [&str; 2] = ["could not {} {}", "apt-get download"];

/// Sentences without their Chinese, and Chinese without its sentence.
pub fn told_in_chinese(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(SENTENCES) else {
        return vec![Finding::of_file(SENTENCES, "is missing: it holds the Chinese of what goes wrong")];
    };
    let known: BTreeSet<&str> = english(text).map(|(_, sentence)| sentence).collect();
    let mut findings = Vec::new();
    let mut literals = BTreeSet::new();
    for (name, source) in tree.with_extension("rs") {
        let all = strings(source);
        if COMPLETE.iter().any(|part| name.starts_with(part)) && !NOT_TOLD.iter().any(|part| name.contains(part)) {
            findings.extend(untold(name, source, &all, &known));
        }
        literals.extend(all.into_iter().map(|(_, literal)| literal));
    }
    for (line, sentence) in english(text) {
        let is_used = literals.contains(sentence) || literals.contains(sentence.trim_end_matches(" {}"));
        if !is_used {
            findings.push(Finding::of_line(SENTENCES, line, format!("nothing says this any more: {sentence}")));
        }
    }
    findings
}

/// The first of every pair, with its line.
fn english(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.step_by(2).map(|(index, line)| (index + 1, line))
}

fn untold(name: &str, source: &str, literals: &[(usize, String)], known: &BTreeSet<&str>) -> Vec<Finding> {
    let code = source.find("#[cfg(test)]\nmod tests").unwrap_or(source.len());
    let of_its_own = match name {
        name if name.starts_with("crates/pg/") => TRYING,
        name if name.starts_with("crates/server/") => REFUSING,
        name if name.starts_with("crates/sqltext/") => READING,
        _ => &[],
    };
    let mut told: Vec<Range<usize>> = Vec::new();
    for (mark, opening, closing) in TELLING.iter().chain(of_its_own).copied() {
        let begins = source[..code].match_indices(mark).map(|(at, _)| at);
        told.extend(begins.filter_map(|at| Some(at..closed(source, literals, at, opening, closing)?)));
    }
    let mut findings = Vec::new();
    for (at, literal) in literals {
        let is_sentence = literal.contains(' ') && literal.chars().filter(char::is_ascii_alphabetic).count() > 3;
        let is_told = told.iter().any(|range| range.contains(at));
        if is_sentence && is_told && !known.contains(literal.as_str()) && !PARTS.contains(&literal.as_str()) {
            let line = source[..*at].matches('\n').count() + 1;
            findings.push(Finding::of_line(name, line, format!("add its Chinese to {SENTENCES}: {literal}")));
        }
    }
    findings
}

/// Where the first bracket after a place is closed; brackets in literals of strings and characters do not count.
fn closed(source: &str, literals: &[(usize, String)], from: usize, opening: char, closing: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = from;
    while let Some(sign) = source[at..].chars().next() {
        if literals.binary_search_by_key(&at, |(begin, _)| *begin).is_ok() {
            at = literal_end(source, at)?;
            continue;
        }
        if sign == '\'' {
            at += character_length(&source[at..]);
            continue;
        }
        if sign == opening {
            depth += 1;
        } else if sign == closing {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at);
            }
        }
        at += sign.len_utf8();
    }
    None
}

/// The string literals of a source with the places where they begin: as they are after formatting would have put `{}` for
/// every value, with `\n` for a line break. Raw strings and comments are passed over.
fn strings(source: &str) -> Vec<(usize, String)> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &source[at..];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(length) = raw_length(rest).filter(|_| at == 0 || !is_word(bytes[at - 1])) {
            at += length;
        } else if bytes[at] == b'\'' {
            at += character_length(rest);
        } else if bytes[at] == b'"' {
            let Some(end) = literal_end(source, at) else { break };
            found.push((at, plain(&source[at + 1..end - 1])));
            at = end;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Bytes of a raw string that begins here.
fn raw_length(rest: &str) -> Option<usize> {
    let hashes = rest.strip_prefix('r')?;
    let count = hashes.len() - hashes.trim_start_matches('#').len();
    let body = hashes[count..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(count));
    Some(2 + count + body.find(&end)? + end.len())
}

/// Bytes of a character, or of the sign before a lifetime's name.
fn character_length(rest: &str) -> usize {
    let mut signs = rest.char_indices().skip(1);
    match signs.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(1, |end| end + 4),
        Some(_) => signs.next().filter(|(_, sign)| *sign == '\'').map_or(1, |(at, _)| at + 1),
        None => 1,
    }
}

/// Behind the quote that ends a literal.
fn literal_end(source: &str, begin: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    let mut at = begin + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// A literal without its escapes and names of values.
fn plain(literal: &str) -> String {
    let mut text = String::with_capacity(literal.len());
    let mut signs = literal.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => match signs.next() {
                Some('\n') => while signs.next_if(|sign| sign.is_whitespace()).is_some() {},
                Some('n') => text.push_str("\\n"),
                Some(other) => text.push(other),
                None => {}
            },
            '{' if signs.next_if_eq(&'{').is_some() => text.push('{'),
            '}' if signs.next_if_eq(&'}').is_some() => text.push('}'),
            '{' => {
                while signs.next_if(|sign| *sign != '}').is_some() {}
                text.push('{');
            }
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, pairs: &str) -> Vec<String> {
        let tree = Tree::planted(&[("crates/lab/src/a.rs", source), (SENTENCES, pairs)]);
        told_in_chinese(&tree).into_iter().map(|finding| finding.message).collect()
    }

    const PAIRS: &str = "# head\n\nthere is no file {}\n没有文件 {}\n";

    #[test]
    fn a_sentence_without_its_chinese_is_convicted_wherever_it_is_told() {
        for source in [
            "#[error(\"all is {lost}\")]",
            "LabError::usage(format!(\"all is {}\", 1), hint)",
            "LabError::Machine { action: format!(\n\"all \\\n   is {lost:?}\"), hint }",
            "fn hint(&self) -> &'static str { match self { '{' => \"all is {}\" } }",
        ] {
            let source = format!("{source} // \"no comment is\"\nlet other = \"there is no file {{name}}\";");
            let found = found(&source, PAIRS);
            assert_eq!(found.len(), 1, "{source}: {found:?}");
            assert!(found[0].ends_with("all is {}"), "{found:?}");
        }
    }

    #[test]
    fn what_is_not_told_needs_none() {
        let source = "let a = r#\"LabError::usage(\"x y z w\")\"#; fn f() { g(\"x y z w\") }\n\
            LabError::usage(format!(\"there is no file {name}\"), hint);\n#[cfg(test)]\nmod tests { #[error(\"in a test\")] }";
        assert_eq!(found(source, PAIRS), Vec::<String>::new());
    }

    #[test]
    fn chinese_of_what_nothing_says_is_convicted() {
        let found = found("let a = \"there is no directory {name}\";", PAIRS);
        assert_eq!(found, ["nothing says this any more: there is no file {}"]);
    }
}

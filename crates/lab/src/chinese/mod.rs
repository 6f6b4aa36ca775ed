//! What goes wrong, in Chinese: errors, causes and hints are made in English where they happen, and said in the reader's
//! language in one place.
//!
//! An error's text is what `Display` gives and has one language. So the sentences stand here as pairs, with `{}` where
//! something is put in; a text that was made from one of them is taken apart and put together again. What is not among
//! them stays as it is: words of a server, of an operating system, of another program. That every sentence of ours is
//! among them is checked by `cargo xtask tidy`.

use std::borrow::Cow;
use std::sync::LazyLock;

use pgstrata_units::Language;

/// The pairs: a line in English, the line below it in Chinese, an empty line; `#` begins a comment, `\n` is a line break.
const SENTENCES: &str = include_str!("sentences.txt");

/// What is put into a sentence may be a sentence itself; so deep.
const DEPTH_MOST: usize = 8;

/// What stands for something that is put in.
const PLACE: &str = "{}";

/// A pair.
struct Sentence {
    /// The English between the places.
    pieces: Vec<String>,
    /// The Chinese: `{}` for what is put in next, `{1}` for the second of all.
    chinese: String,
}

static CATALOGUE: LazyLock<Vec<Sentence>> = LazyLock::new(|| {
    let mut sentences: Vec<Sentence> =
        pairs(SENTENCES).map(|(english, chinese)| Sentence::new(english, chinese)).collect();
    // Of two that fit, the one that says more.
    sentences.sort_by_key(|sentence| std::cmp::Reverse(sentence.pieces.iter().map(String::len).sum::<usize>()));
    sentences
});

/// The pairs of a catalogue, as they are written.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    std::iter::from_fn(move || Some((lines.next()?, lines.next()?)))
}

/// An error's text in the reader's language, as far as it is ours.
#[must_use]
pub fn said(text: &str, language: Language) -> Cow<'_, str> {
    match language {
        Language::English => Cow::Borrowed(text),
        Language::Chinese => whole(text, 0).map_or(Cow::Borrowed(text), Cow::Owned),
    }
}

/// A text in Chinese; nothing if no part of it is known.
fn whole(text: &str, depth: usize) -> Option<String> {
    if depth > DEPTH_MOST || text.is_empty() {
        return None;
    }
    let sentence = CATALOGUE.iter().find_map(|sentence| sentence.in_chinese(text, depth));
    sentence
        .or_else(|| lines(text, depth))
        .or_else(|| after_a_place(text, depth))
        .or_else(|| with_a_remark(text, depth))
}

/// Several lines, each by itself.
fn lines(text: &str, depth: usize) -> Option<String> {
    if !text.contains('\n') {
        return None;
    }
    let lines: Vec<(&str, Option<String>)> = text.lines().map(|line| (line, whole(line, depth + 1))).collect();
    let is_known = lines.iter().any(|(_, known)| known.is_some());
    let said = lines.into_iter().map(|(line, known)| known.unwrap_or_else(|| line.to_owned()));
    is_known.then(|| said.collect::<Vec<_>>().join("\n"))
}

/// `a.sql:2:9: what is wrong`, and `what failed: why`.
fn after_a_place(text: &str, depth: usize) -> Option<String> {
    let (before, after) = text.split_once(": ")?;
    let after = whole(after, depth + 1)?;
    // What editors make a link of keeps its form.
    let is_place = before.ends_with(|sign: char| sign.is_ascii_digit());
    Some(if is_place { format!("{before}: {after}") } else { format!("{}：{after}", or_itself(before, depth)) })
}

/// `what is wrong (what may be said)`.
fn with_a_remark(text: &str, depth: usize) -> Option<String> {
    let (before, remark) = text.strip_suffix(')')?.rsplit_once(" (")?;
    let (known, known_remark) = (whole(before, depth + 1), whole(remark, depth + 1));
    if known.is_none() && known_remark.is_none() {
        return None;
    }
    let (before, remark) = (known.as_deref().unwrap_or(before), known_remark.as_deref().unwrap_or(remark));
    Some(format!("{before}（{remark}）"))
}

fn or_itself(text: &str, depth: usize) -> String {
    whole(text, depth + 1).unwrap_or_else(|| text.to_owned())
}

impl Sentence {
    fn new(english: &str, chinese: &str) -> Self {
        let unescaped = |text: &str| text.replace("\\n", "\n");
        Self { pieces: unescaped(english).split(PLACE).map(str::to_owned).collect(), chinese: unescaped(chinese) }
    }

    /// The Chinese of a text that was made from this sentence.
    fn in_chinese(&self, text: &str, depth: usize) -> Option<String> {
        let parts = self.parts(text)?;
        let mut said = String::new();
        let mut rest = self.chinese.as_str();
        let mut next = 0;
        while let Some((before, after)) = rest.split_once('{') {
            let (which, after) = after.split_once('}')?;
            let at = if which.is_empty() { next } else { which.parse().ok()? };
            next = at + 1;
            said.push_str(before);
            said.push_str(&or_itself(parts.get(at)?, depth));
            rest = after;
        }
        said.push_str(rest);
        Some(said)
    }

    /// What was put into the sentence; nothing if the text is not made from it.
    fn parts<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return (self.pieces.first()? == text).then(Vec::new);
        };
        let mut rest = text.strip_prefix(first.as_str())?.strip_suffix(last.as_str())?;
        let mut parts = Vec::with_capacity(middle.len() + 1);
        for piece in middle {
            let at = rest.find(piece.as_str())?;
            parts.push(&rest[..at]);
            rest = &rest[at + piece.len()..];
        }
        parts.push(rest);
        Some(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(english: &str, chinese: &str) {
        assert_eq!(said(english, Language::Chinese), chinese);
        assert_eq!(said(english, Language::English), english);
    }

    #[test]
    fn a_sentence_is_said_with_what_was_put_into_it() {
        check("there is nothing to analyse", "没有可分析的内容");
        check("there is no file a b.sql", "没有文件 a b.sql");
        check("there is no .scenario file in dir", "dir 中没有 .scenario 文件");
        check("conflict_rate is 20, and must be between 0 and 1", "conflict_rate 为 20，必须在 0 与 1 之间");
    }

    #[test]
    fn what_is_put_in_may_be_a_sentence_too() {
        check("could not start the server", "无法启动服务器");
        check("could not connect to 127.0.0.1:1 as me", "无法连接 127.0.0.1:1 as me");
        check("did you mean `Leave`?", "是不是想写 `Leave`？");
        check("did you mean `tokens`? the arms are a, b", "是不是想写 `tokens`？可用的做法有 a, b");
    }

    #[test]
    fn a_place_stays_what_editors_make_a_link_of() {
        check("a.sql:2:9: this is not UTF-8", "a.sql:2:9: 此处不是 UTF-8");
        check("a.sql:1:1: more than 500 programs\n  1 | x", "a.sql:1:1: 程序超过 500 个\n  1 | x");
        check(
            "need.toml:3:1: there is no field `clint` (did you mean `clients`?)",
            "need.toml:3:1: 没有字段 `clint`（是不是想写 `clients`？）",
        );
        check("old.json: the baseline is not JSON", "old.json：基线不是 JSON");
        check(
            "a.toml:1:1: `audit` is \"no\" (did you mean \"none\"? it must be one of \"none\", \"history\")",
            "a.toml:1:1: `audit` 的值是 \"no\"（是不是想写 \"none\"？必须是 \"none\", \"history\" 之一）",
        );
    }

    #[test]
    fn words_of_others_stay_as_they_are() {
        for words in ["syntax error at or near \"t\"", "No such file or directory (os error 2)", "", "))((", "a: b: c"]
        {
            check(words, words);
        }
    }

    #[test]
    fn every_pair_is_whole_and_unlike_every_other() {
        let mut english = std::collections::BTreeSet::new();
        for (sentence, chinese) in pairs(SENTENCES) {
            assert!(english.insert(sentence), "twice: {sentence}");
            let is_chinese = |sign: char| ('\u{4e00}'..='\u{9fff}').contains(&sign);
            assert!(!sentence.contains(is_chinese), "a line is missing above: {sentence}");
            let is_said = chinese.contains(is_chinese)
                || chinese.chars().any(|sign| "（，。：".contains(sign))
                || sentence.contains("chmod");
            assert!(is_said || chinese == sentence, "a line is missing below: {sentence}");
            let places = sentence.matches(PLACE).count();
            assert_eq!(chinese.matches('{').count(), places, "{sentence}");
            let values: Vec<String> = (0..places).map(|place| format!("⟨{place}⟩")).collect();
            let made = values.iter().fold(sentence.replace("\\n", "\n"), |text, value| text.replacen(PLACE, value, 1));
            let said = said(&made, Language::Chinese);
            assert!(values.iter().all(|value| said.contains(value.as_str())), "{sentence}: {said}");
        }
        assert!(english.len() > 400, "{}", english.len());
    }
}

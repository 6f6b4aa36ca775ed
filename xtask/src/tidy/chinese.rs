//! Rules about Chinese text: between two Chinese characters a sign is full-width.

use super::Finding;
use super::places::outside_fences;
use crate::tree::Tree;

/// Half-width signs with the full-width ones that belong there.
const SIGNS: &[(char, char)] = &[(',', '，'), (':', '：'), (';', '；'), ('?', '？'), ('!', '！')];

/// Files whose texts people read.
const EXTENSIONS: &[&str] = &["md", "txt", "rs", "ts", "tsx", "json", "scenario"];

/// No half-width sign between Chinese characters. What stands in backticks is code and left alone.
pub fn punctuation(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, text) in EXTENSIONS.iter().flat_map(|extension| tree.with_extension(extension)) {
        for (index, line) in outside_fences(text) {
            findings.extend(half_width(line).map(|(sign, full)| {
                Finding::of_line(name, index + 1, format!("`{sign}` between Chinese characters; write `{full}`"))
            }));
        }
    }
    findings
}

fn half_width(line: &str) -> Option<(char, char)> {
    let prose: Vec<char> = line.split('`').step_by(2).collect::<Vec<_>>().join("`").chars().collect();
    prose.windows(3).find_map(|three| {
        let sign = SIGNS.iter().find(|(half, _)| *half == three[1])?;
        (is_chinese(three[0]) && is_chinese(three[2])).then_some(*sign)
    })
}

/// The unified ideographs; the rarer extensions do not occur in our texts.
fn is_chinese(character: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convicted(text: &str) -> usize {
        punctuation(&Tree::planted(&[("book/zh/a.md", text)])).len()
    }

    #[test]
    fn a_half_width_sign_between_chinese_characters_is_convicted() {
        for (half, full) in SIGNS {
            assert_eq!(convicted(&format!("甲{half}乙\n")), 1, "{half}");
            assert_eq!(convicted(&format!("甲{full}乙\n")), 0, "{full}");
        }
    }

    #[test]
    fn code_and_other_languages_keep_their_signs() {
        assert_eq!(convicted("`r(键,值)` PostgreSQL: 甲\n"), 0);
        assert_eq!(convicted("```\n甲,乙\n```\n"), 0);
    }
}

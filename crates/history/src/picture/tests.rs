//! Pictures look as they did, name everything in words, and let nothing out of its quotes.

use pgstrata_units::Language;

use super::{dot, svg};
use crate::model::{HistoryBuilder, Operation, Status};
use crate::synthetic::notation::history;
use crate::{Finding, History, Model, Options, Scope, check_list_append};

fn worst(history: &History) -> Finding {
    let options = Options { scope: Some(Scope::RealTime), ..Options::default() };
    let verdict = check_list_append(history, Model::StrictSerializable, &options);
    verdict.findings.into_iter().next().expect("the history has a fault")
}

#[test]
fn the_pictures_of_two_findings_look_as_they_did() {
    let skew = history(&["1@0-10: ax1", "2@20-90: rx[1] ay1", "3@21-95: ry[] ax2", "?4@0-99: rx[1 2] ry[1]"]);
    let aborted = history(&["!ax1 ay1 az1", "ry[] rx[1]"]);
    for (name, history) in [("write-skew", &skew), ("aborted-read", &aborted)] {
        let finding = worst(history);
        for language in Language::ALL {
            let picture = svg(&finding, history, language);
            insta::assert_binary_snapshot!(format!("{name}-{language}.svg").as_str(), picture.into_bytes());
        }
        insta::assert_snapshot!(format!("{name}-dot"), dot(&finding, history));
    }
}

#[test]
fn what_is_drawn_is_also_said() {
    let history = history(&["rx[] ay1", "ry[] ax1"]);
    let finding = worst(&history);
    let picture = svg(&finding, &history, Language::English);
    assert!(picture.contains("<title id=\"cycle-title\">G2-item: "));
    for step in finding.explain(&history).steps {
        assert!(picture.contains(&step.en.replace('<', "&lt;")), "{picture}");
    }
}

#[test]
fn names_from_outside_cannot_become_markup_or_end_a_string() {
    let mut builder = HistoryBuilder::new();
    let x = builder.key("</text><script>\"\\");
    let y = builder.key("y\u{1b}");
    for (read, append) in [(x, y), (y, x)] {
        let operations =
            [Operation::ReadList { key: read, list: Some(&[]) }, Operation::Append { key: append, value: 1 }];
        builder.push(0, Status::Committed, (0, 9), &operations);
    }
    let history = builder.finish();
    let finding = worst(&history);
    let picture = svg(&finding, &history, Language::English);
    assert!(!picture.contains("<script") && !picture.contains('\u{1b}'));
    let graph = dot(&finding, &history);
    assert!(graph.contains("script>\\\"\\\\") && !graph.contains('\u{1b}'), "{graph}");
}

#[test]
fn a_long_cycle_says_how_much_is_missing() {
    let history = crate::binary::read(&crate::synthetic::ring(100)).expect("it was just written");
    let picture = svg(&worst(&history), &history, Language::English);
    assert!(picture.contains("… 76 more transactions"), "{picture}");
}

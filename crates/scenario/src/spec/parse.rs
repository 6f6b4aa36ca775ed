//! From words to a specification. The grammar is that of `src/test/isolation/specparse.y`, the further rules those that
//! `isolationtester.c` checks before it runs anything.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{SpecError, SpecErrorKind};
use super::scan::{Located, Word, scan};
use super::{Marker, Permutation, PlannedStep, SessionScript, Spec, Step, StepId};
use crate::session::{SESSIONS_MAX, Seat};

/// Reads a specification.
pub fn parse(text: &str) -> Result<Spec, SpecError> {
    let words = scan(text)?;
    let mut parser = Parser { words: &words, at: 0, steps: BTreeMap::new() };
    parser.spec()
}

struct Parser<'a> {
    /// The last one is the end.
    words: &'a [Located],
    at: usize,
    /// The steps by name.
    steps: BTreeMap<String, StepId>,
}

/// A step of a permutation and its markers, as written.
struct WrittenStep<'a> {
    at: &'a Located,
    name: String,
    markers: Vec<WrittenMarker<'a>>,
}

enum WrittenMarker<'a> {
    Once,
    Step(&'a Located, String, Option<u32>),
}

impl<'a> Parser<'a> {
    fn spec(&mut self) -> Result<Spec, SpecError> {
        let mut setups = Vec::new();
        while let Some(setup) = self.block("setup")? {
            setups.push(setup);
        }
        let teardown = self.block("teardown")?;
        let mut sessions = Vec::new();
        while sessions.is_empty() || self.peek() == &Word::Keyword("session") {
            if sessions.len() == SESSIONS_MAX {
                return Err(self.error(SpecErrorKind::TooManySessions(SESSIONS_MAX)));
            }
            let session = self.session(Seat(sessions.len()))?;
            sessions.push(session);
        }
        let mut permutations = Vec::new();
        while self.peek() == &Word::Keyword("permutation") {
            self.at += 1;
            permutations.push(self.permutation()?);
        }
        if self.peek() != &Word::End {
            return Err(self.unexpected("`session`, `permutation` or the end"));
        }
        let unused_steps = self.unused(&permutations);
        Ok(Spec { setups, teardown, sessions, permutations, unused_steps })
    }

    fn session(&mut self, seat: Seat) -> Result<SessionScript, SpecError> {
        self.keyword("session", "`session`")?;
        let name = self.name("the session's name")?.1;
        let setup = self.block("setup")?;
        let mut steps = Vec::new();
        while steps.is_empty() || self.peek() == &Word::Keyword("step") {
            self.keyword("step", "`step`")?;
            let (at, name) = self.name("the step's name")?;
            let sql = self.statements()?;
            let id = StepId { session: seat, place: steps.len() };
            if self.steps.insert(name.clone(), id).is_some() {
                return Err(at.error(SpecErrorKind::DuplicateStep(name)));
            }
            steps.push(Step { name, sql, ..Step::default() });
        }
        let teardown = self.block("teardown")?;
        Ok(SessionScript { name, setup, steps, teardown })
    }

    fn permutation(&mut self) -> Result<Permutation, SpecError> {
        let mut written = Vec::new();
        while written.is_empty() || matches!(self.peek(), Word::Name(_)) {
            let (at, name) = self.name("the name of a step")?;
            let markers = if self.mark('(') { self.markers()? } else { Vec::new() };
            written.push(WrittenStep { at, name, markers });
        }
        let steps: Vec<StepId> =
            written.iter().map(|step| self.known(step.at, &step.name)).collect::<Result<_, _>>()?;
        let planned = written.iter().zip(&steps).map(|(written, step)| {
            let markers = written.markers.iter().map(|marker| self.marker(marker, *step, &written.name, &steps));
            Ok(PlannedStep { step: *step, markers: markers.collect::<Result<_, _>>()? })
        });
        Ok(Permutation { steps: planned.collect::<Result<_, _>>()? })
    }

    /// What stands between parentheses behind a step.
    fn markers(&mut self) -> Result<Vec<WrittenMarker<'a>>, SpecError> {
        let mut markers = Vec::new();
        loop {
            if self.mark('*') {
                markers.push(WrittenMarker::Once);
            } else {
                let (at, name) = self.name("`*` or the name of a step")?;
                markers.push(WrittenMarker::Step(at, name, self.notices()?));
            }
            if self.mark(')') {
                return Ok(markers);
            }
            if !self.mark(',') {
                return Err(self.unexpected("`,` or `)`"));
            }
        }
    }

    fn notices(&mut self) -> Result<Option<u32>, SpecError> {
        if self.peek() != &Word::Keyword("notices") {
            return Ok(None);
        }
        self.at += 1;
        let &Word::Number(count) = self.peek() else { return Err(self.unexpected("a number of notices")) };
        self.at += 1;
        Ok(Some(count))
    }

    fn marker(
        &self,
        written: &WrittenMarker<'_>,
        step: StepId,
        name: &str,
        permutation: &[StepId],
    ) -> Result<Marker, SpecError> {
        let (at, other_name, notices) = match written {
            WrittenMarker::Once => return Ok(Marker::Once),
            WrittenMarker::Step(at, other_name, notices) => (at, other_name, notices),
        };
        let other = self.steps.get(other_name).copied().filter(|other| permutation.contains(other));
        let other = other.ok_or_else(|| at.error(SpecErrorKind::ForeignMarker(other_name.clone())))?;
        if other.session == step.session {
            return Err(at.error(SpecErrorKind::OwnSession(name.to_owned())));
        }
        Ok(notices.map_or(Marker::Step(other), |count| Marker::Notices(other, count)))
    }

    fn known(&self, at: &Located, name: &str) -> Result<StepId, SpecError> {
        self.steps.get(name).copied().ok_or_else(|| at.error(SpecErrorKind::UnknownStep(name.to_owned())))
    }

    fn unused(&self, permutations: &[Permutation]) -> Vec<String> {
        if permutations.is_empty() {
            return Vec::new();
        }
        let used: BTreeSet<StepId> =
            permutations.iter().flat_map(|each| &each.steps).map(|planned| planned.step).collect();
        self.steps.iter().filter(|(_, id)| !used.contains(id)).map(|(name, _)| name.clone()).collect()
    }

    fn peek(&self) -> &'a Word {
        &self.words[self.at].word
    }

    fn block(&mut self, keyword: &'static str) -> Result<Option<String>, SpecError> {
        if self.peek() != &Word::Keyword(keyword) {
            return Ok(None);
        }
        self.at += 1;
        self.statements().map(Some)
    }

    fn keyword(&mut self, keyword: &'static str, expected: &'static str) -> Result<(), SpecError> {
        if self.peek() != &Word::Keyword(keyword) {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn name(&mut self, expected: &'static str) -> Result<(&'a Located, String), SpecError> {
        let at = &self.words[self.at];
        let Word::Name(name) = &at.word else { return Err(self.unexpected(expected)) };
        self.at += 1;
        Ok((at, name.clone()))
    }

    fn statements(&mut self) -> Result<String, SpecError> {
        let Word::Statements(sql) = self.peek() else { return Err(self.unexpected("statements in braces")) };
        self.at += 1;
        Ok(sql.clone())
    }

    fn mark(&mut self, mark: char) -> bool {
        let is_here = self.peek() == &Word::Mark(mark);
        self.at += usize::from(is_here);
        is_here
    }

    fn unexpected(&self, expected: &'static str) -> SpecError {
        let found = match self.peek() {
            Word::Keyword(keyword) => format!("`{keyword}`"),
            Word::Name(name) => format!("the name {name:?}"),
            Word::Statements(_) => "statements in braces".to_owned(),
            Word::Number(number) => number.to_string(),
            Word::Mark(mark) => format!("`{mark}`"),
            Word::End => "the end".to_owned(),
        };
        self.error(SpecErrorKind::Unexpected { expected, found })
    }

    fn error(&self, kind: SpecErrorKind) -> SpecError {
        self.words[self.at].error(kind)
    }
}

impl Located {
    fn error(&self, kind: SpecErrorKind) -> SpecError {
        SpecError { line: self.line, column: self.column, kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_SESSIONS: &str = r#"
# a comment
setup { create table t (id int);   }
setup
{
 insert into t values (1);
}
teardown { drop table t; }
session s1
setup { begin; }
step "s1 ""a""" { select 1; }
step s1$b	{ commit; }
session "s2"
step w { update t set id = 2; }
teardown { reset all; }
permutation "s1 ""a""" w(*) s1$b(w, w notices 3)
permutation w
"#;

    #[test]
    fn every_part_of_a_specification_is_read_as_it_was_written() {
        let spec = parse(TWO_SESSIONS).expect("a specification");
        assert_eq!(spec.setups, ["create table t (id int);", "\n insert into t values (1);\n"]);
        assert_eq!(spec.teardown.as_deref(), Some("drop table t;"));
        assert_eq!(spec.session_names(), ["s1", "s2"]);
        assert_eq!(spec.sessions[0].setup.as_deref(), Some("begin;"));
        assert_eq!(spec.sessions[0].steps[0].name, "s1 \"a\"");
        assert_eq!(spec.sessions[1].teardown.as_deref(), Some("reset all;"));
        let w = StepId { session: Seat(1), place: 0 };
        let markers: Vec<_> = spec.permutations[0].steps.iter().map(|step| step.markers.clone()).collect();
        assert_eq!(markers, [vec![], vec![Marker::Once], vec![Marker::Step(w), Marker::Notices(w, 3)]]);
        assert_eq!((spec.order_count(), spec.orders().count(), spec.unused_steps.len()), (2, 2, 0));
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_column() {
        let session = "session s step a {} step b {} session t step c {}";
        let check = [
            ("", "line 1, column 1: expected `session`, found the end"),
            ("session s\nstep a { select 1", "line 2, column 8: the statements are not closed by `}`"),
            ("session \"s\nstep a {}", "line 1, column 9: a quoted name is not closed on its line"),
            ("session s\n  stop a {}", "line 2, column 3: expected `step`, found the name \"stop\""),
            ("session s step a {} ;", "line 1, column 21: unexpected character ';'"),
            ("session s step a {} step a {}", "line 1, column 26: a second step named \"a\""),
            ("session step step a {}", "line 1, column 9: expected the session's name, found `step`"),
            (&format!("{session}\npermutation"), "line 2, column 12: expected the name of a step, found the end"),
            (&format!("{session}\npermutation a x"), "line 2, column 15: no session has a step named \"x\""),
            (
                &format!("{session}\npermutation a(c)"),
                "line 2, column 15: the step \"c\" that is to be waited for is not part of this permutation",
            ),
            (
                &format!("{session}\npermutation a(b) b"),
                "line 2, column 15: \"a\" cannot wait for a step of its own session",
            ),
            (
                &format!("{session}\npermutation a(c notices) c"),
                "line 2, column 24: expected a number of notices, found `)`",
            ),
            (&format!("{session}\npermutation a(*"), "line 2, column 16: expected `,` or `)`, found the end"),
            (
                &format!("{session}\npermutation a(c notices 99999999999) c"),
                "line 2, column 25: 99999999999 is too large",
            ),
        ];
        for (text, expect) in check {
            assert_eq!(parse(text).expect_err(text).to_string(), expect);
        }
    }

    #[test]
    fn steps_that_no_permutation_uses_are_named() {
        let spec = parse("session s step b {} step a {} step c {} permutation c").expect("a specification");
        assert_eq!(spec.unused_steps, ["a", "b"]);
    }
}

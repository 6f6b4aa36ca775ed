//! How long the decision takes: fifty programs of a shop, and fifty drawn by lot.
//!
//! What is measured is everything that a report holds: verdicts with witnesses, the best allocation, the largest safe sets,
//! and the search for promotions. Reading the SQL is measured by itself.

use std::fmt::Write as _;
use std::time::Duration;

use pgstrata_sqltext::{Schema, SqlError, Workload, read_sources};
use serde::Serialize;

use super::report::{Options, Report, Work};
use super::robustness;
use super::synthetic::{Shape, template_set};

/// The programs of an online shop, with its tables.
const SHOP: &str = concat!(include_str!("shop/tables.sql"), "\n", include_str!("shop/programs.sql"));
/// How many programs each workload has.
pub const PROGRAMS: usize = 50;
/// Longest that fifty programs may take, in seconds.
pub const TARGET_S: f64 = 1.0;

/// Programs whose decision is measured.
#[derive(Debug, Clone)]
pub struct Course {
    /// What they are.
    pub name: &'static str,
    /// Their SQL, with the tables.
    pub sql: String,
}

/// What was measured of a course.
#[derive(Debug, Clone, Serialize)]
pub struct Speed {
    /// What the programs are.
    pub name: &'static str,
    /// How many there are.
    pub programs: usize,
    /// Reading the SQL, in seconds of the clock, round by round.
    pub read_s: Vec<f64>,
    /// The decision, in seconds of the clock, round by round.
    pub decide_s: Vec<f64>,
    /// How much was looked at; the same in every round.
    pub work: Work,
}

/// The workloads that are measured.
#[must_use]
pub fn courses() -> Vec<Course> {
    let by_key = Shape { statements: 6, tables: 12, parameters: 3, ..Shape::by_key() };
    let everything = Shape { statements: 6, tables: 12, parameters: 3, ..Shape::everything() };
    vec![
        Course { name: "shop", sql: SHOP.to_owned() },
        Course { name: "by lot, by key", sql: drawn(&by_key) },
        Course { name: "by lot, everything", sql: drawn(&everything) },
    ]
}

/// Fifty programs out of as many sets as it takes.
fn drawn(shape: &Shape) -> String {
    const MARK: &str = "-- pgstrata: program ";
    let mut text = String::new();
    let mut count = 0;
    for seed in 0.. {
        let set = template_set(seed, shape);
        if seed == 0 {
            text.push_str(&set.schema);
        }
        for program in set.programs.split(MARK).skip(1) {
            if count == PROGRAMS {
                return text;
            }
            count += 1;
            let body = program.split_once('\n').map_or("", |(_, body)| body);
            let _ = write!(text, "{MARK}p{count}\n{body}");
        }
    }
    text
}

impl Course {
    /// Its tables and programs.
    pub fn read(&self) -> Result<(Schema, Workload), Vec<SqlError>> {
        let schema = Schema::from_ddl(&self.sql)?;
        let workload = read_sources(&[(self.name, &self.sql)], &schema)?;
        Ok((schema, workload))
    }

    /// Decides it, with everything that can be asked for.
    pub fn decide(&self) -> Result<Report, Vec<SqlError>> {
        let (schema, workload) = self.read()?;
        Ok(robustness::analyse(&workload, &schema, &options()))
    }

    /// Measures it some times, by a clock.
    pub fn measure(&self, rounds: u32, clock: &dyn Fn() -> Duration) -> Result<Speed, Vec<SqlError>> {
        let mut speed =
            Speed { name: self.name, programs: 0, read_s: Vec::new(), decide_s: Vec::new(), work: Work::default() };
        for _ in 0..rounds {
            let start = clock();
            let (schema, workload) = self.read()?;
            speed.read_s.push(clock().saturating_sub(start).as_secs_f64());
            let start = clock();
            let report = robustness::analyse(&workload, &schema, &options());
            speed.decide_s.push(clock().saturating_sub(start).as_secs_f64());
            speed.programs = workload.programs.len();
            speed.work = report.work;
        }
        Ok(speed)
    }
}

fn options() -> Options {
    Options { allocation: None, may_promote: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_course_has_fifty_programs_that_are_understood_whole() {
        for course in courses() {
            let (schema, workload) = course.read().expect("the course is SQL");
            assert_eq!(workload.programs.len(), PROGRAMS, "{}", course.name);
            assert_eq!(schema.unanalysed, [], "{}", course.name);
            let not_understood: Vec<_> =
                workload.programs.iter().flat_map(pgstrata_sqltext::Program::unanalysed).collect();
            assert_eq!(not_understood, Vec::<&pgstrata_sqltext::Unanalysed>::new(), "{}", course.name);
        }
    }

    /// What fifty programs may cost: about a third more than they do.
    const MOST_LOOKED_AT: u64 = 1_400_000;
    const MOST_STEPS: u64 = 700_000;

    /// Time depends on the machine; what is looked at does not.
    #[test]
    fn fifty_programs_are_decided_by_looking_at_no_more_than_so_much() {
        for course in courses() {
            let work = course.decide().expect("the course is SQL").work;
            let looked_at = work.combinations + work.unifications;
            assert!(looked_at <= MOST_LOOKED_AT, "{}: {work:?}", course.name);
            assert!(work.model_steps <= MOST_STEPS, "{}: {work:?}", course.name);
        }
    }
}

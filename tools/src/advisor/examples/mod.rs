//! Known workloads as files of SQL, which the analysis reads as it reads a user's: what to try first, on the command line
//! and in the workbench, and what tests and the book are about. One file each: tables, a line `-- Programs`, programs.

use pgstrata_units::Text;

use super::input::{Input, SourceText};
use super::requirement::Invariant;

/// A workload to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Its name: of its file, on the command line, in addresses.
    pub name: &'static str,
    /// Its title.
    pub title: Text,
    /// What it shows, in a sentence.
    pub summary: Text,
    /// What its application must keep true.
    pub invariant: Invariant,
    /// The whole file.
    pub sql: &'static str,
}

/// The line after which programs begin.
const PROGRAMS: &str = "\n-- Programs\n";

macro_rules! example {
    ($name:literal, $invariant:ident, $title:expr, $summary:expr) => {
        Example {
            name: $name,
            title: $title,
            summary: $summary,
            invariant: Invariant::$invariant,
            sql: include_str!(concat!($name, ".sql")),
        }
    };
}

/// All examples, in the order in which they are shown.
pub const EXAMPLES: [Example; 7] = [
    example!(
        "smallbank",
        SumFloor,
        Text { en: "SmallBank", zh: "SmallBank 银行" },
        Text {
            en: "Two accounts a customer and five programs: any two of them are safe at repeatable read, and three are not.",
            zh: "每位客户两个账户，共五个程序：在可重复读下任意两个都安全，而其中三个放在一起就不安全。",
        }
    ),
    example!(
        "tpcc",
        ExactCounter,
        Text { en: "TPC-C", zh: "TPC-C 订单" },
        Text {
            en: "Orders, payments and deliveries of a wholesaler: some of its five programs are safe at read committed.",
            zh: "批发商的下单、付款与配送：五个程序中有几个在读已提交下就安全。",
        }
    ),
    example!(
        "doctors-on-call",
        AtLeast,
        Text { en: "Doctors on call", zh: "值班医生" },
        Text {
            en: "Write skew: two doctors each see the other on call, and both leave.",
            zh: "写偏差：两位医生都看到对方在值班，于是都离开了。",
        }
    ),
    example!(
        "flash-sale",
        NoOversell,
        Text { en: "Flash sale", zh: "秒杀" },
        Text {
            en: "A stock that the client computes loses updates at read committed; one that the update computes does not.",
            zh: "读已提交下，由客户端计算库存会丢失更新；由 update 自己计算则不会。",
        }
    ),
    example!(
        "bank-transfer",
        SumConstant,
        Text { en: "Bank transfer", zh: "银行转账" },
        Text {
            en: "A transfer as a function in PL/pgSQL that looks before it pays, beside a report over all accounts.",
            zh: "用 PL/pgSQL 函数写成的转账，先查余额再付款；旁边还有汇总所有账户的报表。",
        }
    ),
    example!(
        "job-queue",
        TakenOnce,
        Text { en: "Job queue", zh: "任务队列" },
        Text {
            en: "Workers take jobs out of a table: two of them find the same one, unless finding it also locks it.",
            zh: "工作者从表中取任务：若查找时不同时加锁，两个工作者会找到同一个任务。",
        }
    ),
    example!(
        "booking",
        NoOversell,
        Text { en: "Booking in pieces", zh: "分段预订" },
        Text {
            en: "Statements without a transaction around them: no isolation level helps until they are one.",
            zh: "语句没有放在一个事务里：合成一个事务之前，任何隔离级别都无济于事。",
        }
    ),
];

/// An example by name.
#[must_use]
pub fn example(name: &str) -> Option<&'static Example> {
    EXAMPLES.iter().find(|example| example.name == name)
}

impl Example {
    /// The part of the file with the tables.
    #[must_use]
    pub fn schema(&self) -> &'static str {
        self.sql.split_once(PROGRAMS).map_or("", |(schema, _)| schema)
    }

    /// The part of the file with the programs.
    #[must_use]
    pub fn programs(&self) -> &'static str {
        self.sql.split_once(PROGRAMS).map_or(self.sql, |(_, programs)| programs)
    }

    /// The file as a user would name it, so that places are lines of the whole.
    #[must_use]
    pub fn input(&self) -> Input {
        Input { schema: Vec::new(), programs: vec![SourceText::new(format!("{}.sql", self.name), self.sql)] }
    }
}

#[cfg(test)]
mod tests {
    use pgstrata_sqltext::Program;

    use super::*;
    use crate::advisor::{Options, analyse};

    #[test]
    fn every_example_is_read_without_a_mistake_and_has_something_to_show() {
        for example in &EXAMPLES {
            let read = example.input().read().unwrap_or_else(|errors| panic!("{}: {errors:?}", example.name));
            assert!(read.workload.programs.len() > 1, "{}", example.name);
            let not_understood: Vec<_> = read.workload.programs.iter().flat_map(Program::unanalysed).collect();
            assert!(not_understood.is_empty(), "{}: {not_understood:?}", example.name);
            let report = analyse(&read.workload, &read.schema, &Options::default());
            let is_dangerous = !report.asked.is_safe() || !report.scopes.is_empty();
            assert!(is_dangerous, "{}: nothing is wrong at read committed", example.name);
        }
    }

    #[test]
    fn tables_and_programs_apart_are_the_whole_file() {
        for example in &EXAMPLES {
            let apart = Input {
                schema: vec![SourceText::new("schema.sql", example.schema())],
                programs: vec![SourceText::new("programs.sql", example.programs())],
            };
            let apart = apart.read().unwrap_or_else(|errors| panic!("{}: {errors:?}", example.name));
            let whole = example.input().read().expect("it was read before");
            let names = |programs: &[Program]| -> Vec<String> { programs.iter().map(|one| one.name.clone()).collect() };
            assert_eq!(names(&apart.workload.programs), names(&whole.workload.programs), "{}", example.name);
            assert_eq!(apart.schema.relations.len(), whole.schema.relations.len(), "{}", example.name);
        }
    }

    #[test]
    fn a_booking_in_pieces_is_found_and_a_claim_that_skips_locked_jobs_is_cheaper() {
        let report = |name: &str| {
            let read = example(name).expect("there is such an example").input().read().expect("it is SQL");
            analyse(&read.workload, &read.schema, &Options::default())
        };
        let booking = report("booking");
        assert!(booking.scopes.iter().any(|finding| finding.program == "BookInPieces"), "{:#?}", booking.scopes);
        let queue = report("job-queue");
        assert!(queue.optimal.level("ClaimFirst") >= queue.optimal.level("ClaimSkipping"), "{:#?}", queue.optimal);
        assert!(!queue.asked.is_safe(), "two workers take one job");
    }
}

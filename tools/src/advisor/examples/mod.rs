//! Known workloads as files of SQL, which the analysis reads as it reads a user's: what to try first, on the command line
//! and in the workbench.

use pgstrata_units::Text;

/// A workload to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its title.
    pub title: Text,
    /// What it shows.
    pub summary: Text,
    /// Its tables.
    pub schema: &'static str,
    /// Its programs.
    pub programs: &'static str,
}

macro_rules! example {
    ($name:literal, $title:expr, $summary:expr) => {
        Example {
            name: $name,
            title: $title,
            summary: $summary,
            schema: include_str!(concat!($name, "/schema.sql")),
            programs: include_str!(concat!($name, "/programs.sql")),
        }
    };
}

/// All examples, in the order in which they are shown.
pub const EXAMPLES: [Example; 5] = [
    example!(
        "smallbank",
        Text { en: "SmallBank", zh: "SmallBank 银行" },
        Text {
            en: "Two accounts a customer. Five programs, three of which together are not serializable at repeatable read.",
            zh: "每位客户两个账户。共五个程序，其中三个放在一起，在可重复读下不可串行化。",
        }
    ),
    example!(
        "tpcc",
        Text { en: "TPC-C", zh: "TPC-C 订单" },
        Text {
            en: "Orders, payments, deliveries: all five programs are safe at repeatable read, most of them lower.",
            zh: "下单、付款、配送：五个程序在可重复读下都安全，多数还可以更低。",
        }
    ),
    example!(
        "doctors",
        Text { en: "Doctors on call", zh: "值班医生" },
        Text {
            en: "Write skew: two doctors each see the other on call, and both leave.",
            zh: "写偏差：两位医生都看到对方在值班，于是都离开了。",
        }
    ),
    example!(
        "transfer",
        Text { en: "Transfer", zh: "转账" },
        Text {
            en: "Reading before writing loses updates at read committed; computing in the update does not.",
            zh: "读已提交下，先读后写会丢失更新；在 update 里计算则不会。",
        }
    ),
    example!(
        "flash-sale",
        Text { en: "Flash sale", zh: "秒杀" },
        Text {
            en: "Statements without a transaction around them: no isolation level helps.",
            zh: "语句没有放在一个事务里：任何隔离级别都无济于事。",
        }
    ),
];

/// An example by name.
#[must_use]
pub fn example(name: &str) -> Option<&'static Example> {
    EXAMPLES.iter().find(|example| example.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisor::input::{Input, SourceText};

    #[test]
    fn every_example_is_read_without_a_mistake_and_has_something_to_show() {
        for example in &EXAMPLES {
            let input = Input {
                schema: vec![SourceText::new("schema.sql", example.schema)],
                programs: vec![SourceText::new("programs.sql", example.programs)],
            };
            let read = input.read().unwrap_or_else(|errors| panic!("{}: {errors:?}", example.name));
            assert!(read.workload.programs.len() > 1, "{}", example.name);
            let not_understood: Vec<_> =
                read.workload.programs.iter().flat_map(pgstrata_sqltext::Program::unanalysed).collect();
            assert!(not_understood.is_empty(), "{}: {not_understood:?}", example.name);
        }
    }
}

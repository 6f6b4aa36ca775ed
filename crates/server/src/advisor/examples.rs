//! Questions to begin with: known workloads as files of SQL, which the analysis reads as it reads a user's.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use pgstrata_tools::advisor::Requirement;
use pgstrata_tools::advisor::requirement::Invariant;
use pgstrata_units::Text;

use crate::routes::advisor::Example;
use crate::routes::advisor::question::{Question, SourceText};

/// An example as files and words.
struct Card {
    name: &'static str,
    title: Text,
    summary: Text,
    schema: &'static str,
    programs: &'static str,
    invariants: &'static [Invariant],
}

macro_rules! card {
    ($name:literal, $title:expr, $summary:expr, $invariants:expr) => {
        Card {
            name: $name,
            title: $title,
            summary: $summary,
            schema: include_str!(concat!("examples/", $name, "/schema.sql")),
            programs: include_str!(concat!("examples/", $name, "/programs.sql")),
            invariants: $invariants,
        }
    };
}

const CARDS: [Card; 5] = [
    card!(
        "smallbank",
        Text { en: "SmallBank", zh: "SmallBank 银行" },
        Text {
            en: "Two accounts a customer. Five programs, three of which together are not serializable at repeatable read.",
            zh: "每位客户两个账户。共五个程序，其中三个放在一起，在可重复读下不可串行化。",
        },
        &[Invariant::SumFloor]
    ),
    card!(
        "tpcc",
        Text { en: "TPC-C", zh: "TPC-C 订单" },
        Text {
            en: "Orders, payments, deliveries: all five programs are safe at repeatable read, most of them lower.",
            zh: "下单、付款、配送：五个程序在可重复读下都安全，多数还可以更低。",
        },
        &[Invariant::ExactCounter]
    ),
    card!(
        "doctors",
        Text { en: "Doctors on call", zh: "值班医生" },
        Text {
            en: "Write skew: two doctors each see the other on call, and both leave.",
            zh: "写偏差：两位医生都看到对方在值班，于是都离开了。",
        },
        &[Invariant::AtLeast]
    ),
    card!(
        "transfer",
        Text { en: "Transfer", zh: "转账" },
        Text {
            en: "Reading before writing loses updates at read committed; computing in the update does not.",
            zh: "读已提交下，先读后写会丢失更新；在 update 里计算则不会。",
        },
        &[Invariant::SumConstant]
    ),
    card!(
        "flash-sale",
        Text { en: "Flash sale", zh: "秒杀" },
        Text {
            en: "Statements without a transaction around them: no isolation level helps.",
            zh: "语句没有放在一个事务里：任何隔离级别都无济于事。",
        },
        &[Invariant::NoOversell]
    ),
];

/// All examples.
pub fn all() -> &'static [Example] {
    static ALL: LazyLock<Vec<Example>> = LazyLock::new(|| CARDS.iter().map(example).collect());
    &ALL
}

fn example(card: &Card) -> Example {
    let invariants: BTreeSet<Invariant> = card.invariants.iter().copied().collect();
    Example {
        name: card.name.to_owned(),
        title: card.title.into(),
        summary: card.summary.into(),
        question: Question {
            title: card.title.en.to_owned(),
            schema: card.schema.to_owned(),
            sources: vec![SourceText { name: format!("{}.sql", card.name), text: card.programs.to_owned() }],
            requirement: Requirement { invariants, ..Requirement::default() },
            levels: std::collections::BTreeMap::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisor::reading::read;

    #[test]
    fn every_example_is_read_without_a_mistake_and_has_something_to_show() {
        for example in all() {
            let read = read(&example.question).unwrap_or_else(|errors| panic!("{}: {errors:?}", example.name));
            assert!(read.workload.programs.len() > 1, "{}", example.name);
            assert!(read.report.unanalysed.is_empty(), "{}: {:?}", example.name, read.report.unanalysed);
            let is_dangerous = !read.report.asked.is_safe() || !read.report.scopes.is_empty();
            assert!(is_dangerous, "{}: nothing is wrong at read committed", example.name);
        }
    }
}

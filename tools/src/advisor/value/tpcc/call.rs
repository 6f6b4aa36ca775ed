//! What a client of the study asks for: which program, and about whom. No database.

use pgstrata_lab::history::uniform;
use pgstrata_lab::study::Operation;
use uuid::Uuid;

/// The warehouse: there is one, so that it is hot.
pub(super) const WAREHOUSE: i64 = 1;

/// Its districts.
pub(super) const DISTRICTS: i64 = 4;

/// Customers of each district.
pub(super) const CUSTOMERS: i64 = 30;

/// Items.
pub(super) const ITEMS: i64 = 100;

/// How many programs there are.
pub(super) const PROGRAMS: usize = 5;

/// Lines of an order.
const LINES: std::ops::RangeInclusive<i64> = 3..=7;

/// How many of an item are ordered at most.
const QUANTITY_MOST: i64 = 10;

/// What is paid at most, cents.
const AMOUNT_MOST: i64 = 500_000;

/// One of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// Orders some items.
    NewOrder,
    /// Pays something.
    Payment,
    /// Looks at a customer's last order.
    OrderStatus,
    /// Delivers the oldest order of a district.
    Delivery,
    /// Counts items of the last orders that are short.
    StockLevel,
}

/// How often each program is called, per cent.
type Mix = [(Program, f64); PROGRAMS];

/// TPC-C's mix (clause 5.2.3), rounded to its minimum.
const MIX: Mix = [
    (Program::NewOrder, 45.0),
    (Program::Payment, 43.0),
    (Program::Delivery, 4.0),
    (Program::OrderStatus, 4.0),
    (Program::StockLevel, 4.0),
];

/// While an arm proves itself, Delivery is called as often as `NewOrder`: two deliveries that meet are what goes wrong, and
/// in TPC-C's mix they take minutes to. Those that change nothing are the same calls in both mixes.
const MIX_OF_PROOFS: Mix = [
    (Program::NewOrder, 34.0),
    (Program::Payment, 24.0),
    (Program::Delivery, 34.0),
    (Program::OrderStatus, 4.0),
    (Program::StockLevel, 4.0),
];

/// What calls are drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Throughput.
    Measurement,
    /// Whether the arm is sound.
    Proof,
}

/// Rows that a call writes on the average, for rules that look at the load: of `NewOrder` the district, the order twice,
/// and stock and line of five items; of Payment three and its history; of Delivery three rows and five lines.
pub(super) const ROWS_WRITTEN: f64 = 0.45 * 13.0 + 0.43 * 4.0 + 0.04 * 8.0;

/// Rows that it reads, those that it updates among them.
pub(super) const ROWS_READ: f64 = 0.45 * 13.0 + 0.43 * 3.0 + 0.04 * 7.0 + 0.04 * 8.0 + 0.04 * 201.0;

/// A line of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) item: i64,
    pub(super) quantity: i64,
}

/// One call of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) program: Program,
    pub(super) key: Uuid,
    pub(super) district: i64,
    pub(super) customer: i64,
    /// Of `NewOrder`, in the order of items, so that nobody waits in a circle for stock.
    pub(super) lines: Vec<Line>,
    pub(super) amount: i64,
    pub(super) carrier: i64,
    pub(super) threshold: i64,
}

impl Program {
    pub(super) fn changes(self) -> bool {
        !matches!(self, Self::OrderStatus | Self::StockLevel)
    }
}

impl Call {
    /// What an operation asks for: a function of its draw, and of the mix.
    pub(super) fn of(operation: &Operation, purpose: Purpose) -> Self {
        let draw = |number| uniform(operation.draw, number);
        let within = |number, least: i64, most: i64| least + scaled(draw(number), most - least + 1);
        let mut lines: Vec<Line> = Vec::new();
        for number in 0..u64::try_from(within(0, *LINES.start(), *LINES.end())).unwrap_or(0) {
            let line = Line { item: within(100 + number, 1, ITEMS), quantity: within(200 + number, 1, QUANTITY_MOST) };
            if lines.iter().all(|other| other.item != line.item) {
                lines.push(line);
            }
        }
        lines.sort_unstable();
        Self {
            program: program(draw(1), purpose),
            key: operation.key,
            district: within(2, 1, DISTRICTS),
            customer: within(3, 1, CUSTOMERS),
            lines,
            amount: within(4, 100, AMOUNT_MOST),
            carrier: within(5, 1, 10),
            threshold: within(6, 10, 20),
        }
    }
}

fn program(uniform: f64, purpose: Purpose) -> Program {
    let mix = match purpose {
        Purpose::Measurement => MIX,
        Purpose::Proof => MIX_OF_PROOFS,
    };
    let mut sum = 0.0;
    for (program, share) in mix {
        sum += share;
        if uniform * 100.0 < sum {
            return program;
        }
    }
    Program::StockLevel
}

/// A whole number from 0 to just below `count`.
fn scaled(uniform: f64, count: i64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a positive number below `count`, which is small")]
    let place = (uniform * count as f64) as i64;
    place.min(count - 1)
}

#[cfg(test)]
mod tests {
    use pgstrata_lab::history::operation;

    use super::*;

    #[test]
    fn calls_keep_to_the_mix_and_to_their_bounds() {
        for (purpose, mix) in [(Purpose::Measurement, MIX), (Purpose::Proof, MIX_OF_PROOFS)] {
            let calls: Vec<Call> = (0..10_000).map(|number| Call::of(&operation(5, number), purpose)).collect();
            for (program, share) in mix {
                let count = calls.iter().filter(|call| call.program == program).count() as f64 / 100.0;
                assert!((count - share).abs() < 2.0, "{program:?}: {count} % and not {share} %");
            }
            for call in &calls {
                assert!((1..=DISTRICTS).contains(&call.district) && (1..=CUSTOMERS).contains(&call.customer));
                assert!(!call.lines.is_empty() && call.lines.len() <= 7);
                assert!(call.lines.is_sorted_by(|a, b| a.item < b.item), "{:?}", call.lines);
                assert!(call.lines.iter().all(|line| (1..=ITEMS).contains(&line.item)));
            }
            assert_eq!(calls[0], Call::of(&operation(5, 0), purpose), "the same operation asks for the same");
        }
    }

    #[test]
    fn whether_a_call_changes_anything_does_not_depend_on_the_mix() {
        for number in 0..10_000 {
            let changes = |purpose| Call::of(&operation(5, number), purpose).program.changes();
            assert_eq!(changes(Purpose::Measurement), changes(Purpose::Proof), "operation {number}");
        }
    }
}

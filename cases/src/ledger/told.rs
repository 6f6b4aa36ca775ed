//! What a client was told, as the one number that a trial's history keeps of each accepted operation.

use pgstrata_lab::study::Reply;

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A transfer is in the books, with this entry on the account of the smallest id that it touches.
    Posted {
        /// The entry's number.
        entry: i64,
    },
    /// A statement ends with this entry.
    Statement {
        /// The entry's number.
        last_entry: i64,
    },
    /// The balances of all accounts are this far from nothing.
    Audit {
        /// Minor units.
        difference: i64,
    },
}

/// The last digit to the base of four says what was told.
const KINDS: i64 = 4;

impl Told {
    /// The answer as the lab takes it.
    pub(crate) fn reply(self) -> Reply {
        let (number, kind) = match self {
            Self::Posted { entry } => (entry, 0),
            Self::Statement { last_entry } => (last_entry, 1),
            Self::Audit { difference } => (difference, 2),
        };
        Reply::Accepted { value: number.saturating_mul(KINDS).saturating_add(kind) }
    }

    /// What the value of an accepted operation tells; none if it is no value of ours.
    pub(crate) fn of(value: i64) -> Option<Self> {
        let number = value.div_euclid(KINDS);
        match value.rem_euclid(KINDS) {
            0 => Some(Self::Posted { entry: number }),
            1 => Some(Self::Statement { last_entry: number }),
            2 => Some(Self::Audit { difference: number }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_survives_being_one_number() {
        for told in [
            Told::Posted { entry: 1 },
            Told::Posted { entry: 1 << 40 },
            Told::Statement { last_entry: 0 },
            Told::Audit { difference: 7 },
        ] {
            let Reply::Accepted { value } = told.reply() else { panic!("accepted") };
            assert_eq!(Told::of(value), Some(told));
        }
        assert_eq!(Told::of(3), None);
    }
}

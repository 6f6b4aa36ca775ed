//! The field's words as types: ids, units, isolation levels. No I/O.

//! How anything is measured and judged: studies, load, faults, invariants, records.

//! Two-phase commit over several servers: a durable decision before any second phase, and recovery after any crash.

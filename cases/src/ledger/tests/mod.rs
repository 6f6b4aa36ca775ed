//! The ledger against a real PostgreSQL: what is posted, what is told, and what convicts the books that are wrong.

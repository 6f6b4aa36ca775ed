//! The only door to PostgreSQL: find, start, kill, replicate and attach servers; open sessions.

//! Group flush for hot rows: coalesce requests, flush once, acknowledge after the commit.

//! The write-ahead log as PostgreSQL writes it: segments, pages, records. Pure: it reads bytes and opens nothing.

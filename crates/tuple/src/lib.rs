//! Heap pages, tuples and their visibility, as PostgreSQL 15 to 18 lay them out and decide it. Pure.

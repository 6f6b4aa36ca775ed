//! The library against a real PostgreSQL: grouping, refusal, fencing, and what is left after kill -9.

mod barrier;
mod crash;
mod example;
mod fence;
mod group;
mod support;

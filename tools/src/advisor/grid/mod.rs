//! The measured grid: what each way of keeping transactions serializable achieves, over workloads that differ in how much
//! they read, how unevenly, how long they are and how many clients there are.

mod strategy;

pub use strategy::{Strategy, UnknownStrategy};

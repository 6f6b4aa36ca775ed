//! The coordinator against two real servers: atomicity after every crash, fencing, barriers, and what it refuses.

mod barrier;
mod crash;
mod fence;
mod key;
mod ordinary;
mod support;

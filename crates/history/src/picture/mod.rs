//! Pictures of findings: a cycle as DOT, for Graphviz, and as SVG that needs no other program.
//!
//! Both are pure functions of the finding and its history: the same bytes every time.

mod dot;
mod ladder;
mod svg;

pub use dot::dot;
pub use ladder::svg;

#[cfg(test)]
mod tests;

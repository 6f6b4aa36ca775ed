//! Code for a solution.

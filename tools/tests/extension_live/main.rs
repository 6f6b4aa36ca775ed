//! The preloaded part of the extension on real servers: what it says of other sessions is held against what those
//! sessions say of themselves.

mod horizon;
mod privileges;
mod serializable;
mod snapshots;
mod support;
mod waits;

//! Heap pages of real servers, read by `pgstrata-tuple` and compared with what the servers say of them: headers, flags
//! and line pointers with `pageinspect`, values with the types' own output, visibility with what sessions select.

#![cfg(target_os = "linux")]

mod flags;
mod random;
mod standby;
mod support;
mod values;
mod visibility;
mod work;

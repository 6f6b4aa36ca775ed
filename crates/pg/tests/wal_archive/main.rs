//! The log of real servers: archived, received, read record by record, and compared with `pg_waldump` of the same
//! installation and with what SQL says.

#![cfg(target_os = "linux")]

mod damage;
mod filling;
mod oracle;
mod rows;
mod support;

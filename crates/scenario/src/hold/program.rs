//! Where a function lies in the memory of a running program.
//!
//! The program's dynamic symbols say where it lies in the file; the kernel's auxiliary vector says where the program's entry
//! was put, so the difference of the two entries is how far everything was moved (System V ABI, AMD64 supplement, 3.4.3).
//! Functions of libraries that the program loads are not looked for.

use std::fs;
use std::io;

use object::{Object as _, ObjectSymbol as _, SymbolKind};

use super::error::{HoldKind, Obstacle};

/// The key of the entry address in the auxiliary vector: getauxval(3).
const AT_ENTRY: u64 = 9;

/// How many similar names an error shows.
const SIMILAR_MAX: usize = 5;

/// The address of an exported function in the memory of process `pid`.
pub(super) fn address_of(pid: i32, function: &str) -> Result<usize, HoldKind> {
    let entry = entry_of(pid)?;
    let bytes =
        fs::read(format!("/proc/{pid}/exe")).map_err(|source| refused(pid, "read the server's program", source))?;
    let file = object::File::parse(&*bytes).map_err(HoldKind::Program)?;
    let exported =
        || file.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.kind() == SymbolKind::Text);
    let Some(found) = exported().find(|symbol| symbol.name() == Ok(function)) else {
        let wanted = function.to_ascii_lowercase();
        let holds = |name: &&str| name.to_ascii_lowercase().contains(&wanted);
        let similar = exported().filter_map(|symbol| symbol.name().ok()).filter(holds).take(SIMILAR_MAX);
        return Err(HoldKind::NoFunction { similar: similar.map(str::to_owned).collect() });
    };
    let address = found.address().wrapping_add(entry.wrapping_sub(file.entry()));
    usize::try_from(address).map_err(|_| HoldKind::NoProcess)
}

/// Where the kernel put the program's entry.
fn entry_of(pid: i32) -> Result<u64, HoldKind> {
    let path = format!("/proc/{pid}/auxv");
    let bytes = fs::read(path).map_err(|source| refused(pid, "read where the program was loaded", source))?;
    let word = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).unwrap_or_default();
    let pairs = bytes.chunks_exact(16).map(|pair| (word(&pair[..8]), word(&pair[8..])));
    // It is empty once the process has become a zombie.
    pairs.into_iter().find(|(key, _)| *key == AT_ENTRY).map(|(_, value)| value).ok_or(HoldKind::NoProcess)
}

fn refused(pid: i32, what: &'static str, source: io::Error) -> HoldKind {
    match source.kind() {
        io::ErrorKind::NotFound => HoldKind::NoProcess,
        io::ErrorKind::PermissionDenied => HoldKind::NotPermitted(Obstacle::of(pid)),
        _ => HoldKind::Io { what, source },
    }
}

//! A library to preload into PostgreSQL that makes `fsync` and `fdatasync` slow or failing while the server runs.
//!
//! What to do is read at every call from a control file shared by memory map; the file's path comes in the
//! environment variable [`CONTROL_VARIABLE`]. `build.rs` compiles this file alone into a shared object, without the
//! workspace's flags; `src/faults/fsync.rs` embeds the result and writes the control file, whose layout is said here.
//!
//! Not covered, because PostgreSQL on Linux does not rely on them for durability by default: `sync_file_range`
//! (a write-back hint), `syncfs` (once before recovery), `msync`, and writes to files opened with `O_DSYNC`
//! (`wal_sync_method = open_datasync`). A failure injected here never reaches the disk: the data stays in the page
//! cache, as it would not after a real device error.
#![no_std]

use core::ffi::{c_char, c_int, c_long, c_void};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The environment variable that names the control file.
const CONTROL_VARIABLE: &core::ffi::CStr = c"PGSTRATA_FSYNC_CONTROL";

/// Distinguishes a control file from anything else: "pgsfsyn1" as a native-endian word.
const MAGIC: u64 = u64::from_ne_bytes(*b"pgsfsyn1");

/// The control file: eight native-endian words, the first three written by the workbench, the rest by servers.
#[repr(C)]
struct Control {
    /// [`MAGIC`].
    magic: AtomicU64,
    /// How long each call waits before the real one, microseconds.
    delay_us: AtomicU64,
    /// The `errno` each call fails with instead of the real one; 0 lets it through.
    errno: AtomicU64,
    /// Calls of `fsync` so far.
    fsync_calls: AtomicU64,
    /// Calls of `fdatasync` so far.
    fdatasync_calls: AtomicU64,
    /// Calls that were made to fail.
    failed_calls: AtomicU64,
    /// Calls that were made to wait.
    delayed_calls: AtomicU64,
    /// Nanoseconds that calls really waited, all together.
    delayed_ns: AtomicU64,
}

/// The mapped control file; null before the first call, [`absent`] when there is none.
static CONTROL: AtomicPtr<Control> = AtomicPtr::new(ptr::null_mut());
static REAL_FSYNC: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static REAL_FDATASYNC: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Replaces the C library's `fsync`.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(file: c_int) -> c_int {
    if let Some(control) = control() {
        control.fsync_calls.fetch_add(1, Ordering::Relaxed);
        if hinder(control) {
            return -1;
        }
    }
    call_real(&REAL_FSYNC, c"fsync".as_ptr(), file)
}

/// Replaces the C library's `fdatasync`.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(file: c_int) -> c_int {
    if let Some(control) = control() {
        control.fdatasync_calls.fetch_add(1, Ordering::Relaxed);
        if hinder(control) {
            return -1;
        }
    }
    call_real(&REAL_FDATASYNC, c"fdatasync".as_ptr(), file)
}

/// Waits as long as the control file says; true when the call is to fail, with `errno` set.
fn hinder(control: &Control) -> bool {
    let delay_us = control.delay_us.load(Ordering::Relaxed);
    if delay_us > 0 {
        let waited_ns = wait(delay_us);
        control.delayed_calls.fetch_add(1, Ordering::Relaxed);
        control.delayed_ns.fetch_add(waited_ns, Ordering::Relaxed);
    }
    let errno = control.errno.load(Ordering::Relaxed);
    if errno == 0 {
        return false;
    }
    control.failed_calls.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the C library returns the address of this thread's errno, valid for the thread's life.
    unsafe { *__errno_location() = errno as c_int };
    true
}

/// Sleeps to an absolute deadline, because PostgreSQL's signals interrupt sleeps; the nanoseconds really waited.
fn wait(delay_us: u64) -> u64 {
    let start = now();
    let total_ns = start.nanoseconds as u64 + (delay_us % 1_000_000) * 1_000;
    let deadline = Timespec {
        seconds: start.seconds + (delay_us / 1_000_000) as c_long + (total_ns / NANOSECONDS_PER_SECOND) as c_long,
        nanoseconds: (total_ns % NANOSECONDS_PER_SECOND) as c_long,
    };
    // SAFETY: the deadline lives through the call, and no remaining time is asked for.
    while unsafe { clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, ptr::null_mut()) } == EINTR {}
    let end = now();
    let seconds = (end.seconds - start.seconds) as i64;
    (seconds * NANOSECONDS_PER_SECOND as i64 + (end.nanoseconds - start.nanoseconds) as i64) as u64
}

fn now() -> Timespec {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the clock exists on every Linux and `time` is writable.
    unsafe { clock_gettime(CLOCK_MONOTONIC, &mut time) };
    time
}

/// Calls the C library's own function of this name.
fn call_real(slot: &AtomicPtr<c_void>, name: *const c_char, file: c_int) -> c_int {
    let mut found = slot.load(Ordering::Relaxed);
    if found.is_null() {
        // SAFETY: the name is a C string; RTLD_NEXT asks for the next object after this one.
        found = unsafe { dlsym(RTLD_NEXT, name) };
        if found.is_null() {
            // SAFETY: as above. No C library lacks these functions; failing is the only safe answer if one does.
            unsafe { *__errno_location() = ENOSYS };
            return -1;
        }
        slot.store(found, Ordering::Relaxed);
    }
    // SAFETY: both functions have exactly this C signature.
    let real: extern "C" fn(c_int) -> c_int = unsafe { core::mem::transmute(found) };
    real(file)
}

/// The control file, mapped at the first call in this process or in the parent it was forked from.
fn control() -> Option<&'static Control> {
    let mut mapped = CONTROL.load(Ordering::Acquire);
    if mapped.is_null() {
        mapped = map_control().unwrap_or_else(absent);
        CONTROL.store(mapped, Ordering::Release);
    }
    if mapped == absent() {
        return None;
    }
    // SAFETY: not null and not the mark, so it is a map of at least one `Control`, never unmapped; all fields are
    // atomic, so other processes may change them at any time.
    Some(unsafe { &*mapped })
}

/// The mark for "looked, and there is no control file".
fn absent() -> *mut Control {
    ptr::without_provenance_mut(usize::MAX)
}

fn map_control() -> Option<*mut Control> {
    // SAFETY: the name is a C string; PostgreSQL does not change its environment at the same time.
    let path = unsafe { getenv(CONTROL_VARIABLE.as_ptr()) };
    if path.is_null() {
        return None;
    }
    // SAFETY: `path` is a C string from the environment; the map is checked before use and outlives the descriptor.
    let address = unsafe {
        let file = open(path, O_RDWR_CLOEXEC);
        if file < 0 {
            return None;
        }
        let length = core::mem::size_of::<Control>();
        let address = mmap(ptr::null_mut(), length, PROT_READ_WRITE, MAP_SHARED, file, 0);
        close(file);
        address
    };
    if address as isize == MAP_FAILED {
        return None;
    }
    let control = address.cast::<Control>();
    // SAFETY: freshly mapped, page-aligned; the workbench makes the file at least this long before it starts a server.
    let genuine = unsafe { (*control).magic.load(Ordering::Relaxed) } == MAGIC;
    genuine.then_some(control)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: always allowed; nothing above panics, and a server must not go on if it did.
    unsafe { abort() }
}

#[repr(C)]
struct Timespec {
    seconds: c_long,
    nanoseconds: c_long,
}

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

// Values of the Linux ABI on x86-64 and arm64 (uapi asm-generic/fcntl.h, mman-common.h, errno-base.h, time.h).
const CLOCK_MONOTONIC: c_int = 1;
const TIMER_ABSTIME: c_int = 1;
const EINTR: c_int = 4;
const ENOSYS: c_int = 38;
const O_RDWR_CLOEXEC: c_int = 0o2 | 0o2_000_000;
const PROT_READ_WRITE: c_int = 3;
const MAP_SHARED: c_int = 1;
const MAP_FAILED: isize = -1;
const RTLD_NEXT: *mut c_void = ptr::without_provenance_mut(usize::MAX);

unsafe extern "C" {
    fn __errno_location() -> *mut c_int;
    fn abort() -> !;
    fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
    fn clock_nanosleep(clock: c_int, flags: c_int, request: *const Timespec, remain: *mut Timespec) -> c_int;
    fn close(file: c_int) -> c_int;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn getenv(name: *const c_char) -> *const c_char;
    fn mmap(address: *mut c_void, length: usize, protection: c_int, flags: c_int, file: c_int, offset: c_long) -> *mut c_void;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
}

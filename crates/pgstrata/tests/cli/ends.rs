//! How a run ends early: Ctrl-C, and being killed. Neither leaves a process or a directory.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Home;

/// Bound of every wait here; nothing is asserted about how long things take.
const LIMIT: Duration = Duration::from_mins(2);

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn started(home: &Home) -> std::process::Child {
    let errors = home.path().join("errors.txt");
    let mut child = home
        .pgstrata(&["run", "flash-sale", "--arms", "conditional", "--duration", "10m", "--faults", "none", "--json"])
        .stderr(std::fs::File::create(&errors).expect("a file"))
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the program runs");
    wait_until("a server", || {
        let ended = child.try_wait().expect("asked");
        let said = std::fs::read_to_string(&errors).unwrap_or_default();
        assert!(ended.is_none(), "the run ended before it was ended ({ended:?}): {said}");
        !home.data_directories().is_empty() && !home.processes().is_empty()
    });
    child
}

fn signal(child: &std::process::Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), signal).expect("signalled");
}

#[test]
fn ctrl_c_leaves_no_process_and_no_directory() {
    let home = Home::new();
    let mut child = started(&home);
    signal(&child, Signal::SIGINT);
    let status = child.wait().expect("ended");
    assert_eq!(status.code(), Some(130));
    assert_eq!(home.processes(), Vec::<u32>::new());
    assert_eq!(home.data_directories(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn sigterm_leaves_no_process_and_no_directory() {
    let home = Home::new();
    let mut child = started(&home);
    signal(&child, Signal::SIGTERM);
    assert_eq!(child.wait().expect("ended").code(), Some(130));
    assert_eq!(home.processes(), Vec::<u32>::new());
    assert_eq!(home.data_directories(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_killed_run_takes_its_server_along_and_the_next_command_clears_up_after_it() {
    let home = Home::new();
    let mut child = started(&home);
    signal(&child, Signal::SIGKILL);
    child.wait().expect("ended");
    wait_until("the server to follow its parent", || home.processes().is_empty());
    assert!(!home.data_directories().is_empty(), "nobody was left to remove it");
    let doctor = home.run(&["doctor"]);
    assert!(doctor.status.success(), "{}", crate::text(&doctor.stdout));
    assert_eq!(home.data_directories(), Vec::<std::path::PathBuf>::new());
}

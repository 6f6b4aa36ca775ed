//! The workbench from the command line.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Home;

/// A workbench that is open, and its address without `http://`.
fn open(home: &Home, arguments: &[&str]) -> (Child, String, String) {
    let all: Vec<&str> = ["serve", "--port", "0", "--no-open"].iter().chain(arguments).copied().collect();
    let mut child = home.pgstrata(&all).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program runs");
    let mut line = String::new();
    let said = BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it says something");
    assert!(said > 0, "it ended before it was open");
    let address = line.trim().rsplit_once("http://").expect("an address").1.to_owned();
    let (host, rest) = address.split_once('/').expect("a path");
    (child, host.to_owned(), rest.to_owned())
}

fn get(host: &str, path: &str, header: &str) -> String {
    let mut stream = TcpStream::connect(host).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n{header}Connection: close\r\n\r\n").expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn interrupt(child: &mut Child) -> i32 {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, Signal::SIGINT).expect("a signal");
    child.wait().expect("it ends").code().expect("an exit code")
}

#[test]
fn serve_opens_a_private_server_and_ctrl_c_ends_it_with_nothing_left() {
    let home = Home::new();
    let (mut child, host, _) = open(&home, &[]);
    let status = get(&host, "/api/status", "");
    assert!(status.starts_with("HTTP/1.1 200") && status.contains("\"is_up\":true"), "{status}");
    assert!(status.contains("\"is_private\":true") && !status.contains(&*home.path().to_string_lossy()), "{status}");
    assert_eq!(interrupt(&mut child), 0);
    assert!(home.data_directories().is_empty() && home.processes().is_empty(), "something is left");
}

#[test]
fn where_others_can_reach_it_the_printed_address_holds_a_token_and_nothing_else_opens() {
    let home = Home::new();
    let (mut child, host, rest) = open(&home, &["--listen", "0.0.0.0"]);
    let token = rest.strip_prefix("?token=").expect("a token").to_owned();
    assert_eq!(token.len(), 32, "128 bits");
    assert!(get(&host, "/api/status", "").starts_with("HTTP/1.1 401"));
    let known = get(&host, "/api/status", &format!("Authorization: Bearer {token}\r\n"));
    assert!(known.starts_with("HTTP/1.1 200") && !known.contains(&token), "{known}");
    assert_eq!(interrupt(&mut child), 0);
}

#[test]
fn a_token_that_is_no_secret_and_a_study_that_is_not_there_are_wrong_usage() {
    let home = Home::new();
    let short = home.run(&["serve", "--port", "0", "--token", "hunter2"]);
    assert_eq!(short.status.code(), Some(2));
    let said = String::from_utf8_lossy(&short.stderr);
    assert!(said.contains("at least 16 characters") && !said.contains("hunter2"), "{said}");
    let study = home.run(&["serve", "--port", "0", "--no-open", "--run", "flash-sail"]);
    assert_eq!(study.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&study.stderr).contains("flash-sale"), "{study:?}");
    assert!(home.data_directories().is_empty() && home.processes().is_empty(), "something is left");
}

#[test]
fn a_port_that_is_taken_is_found_out_before_a_server_is_started() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = home.run(&["serve", "--port", &port, "--no-open"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--port"), "{output:?}");
    assert!(home.data_directories().is_empty());
}

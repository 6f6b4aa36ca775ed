//! Private servers for people, and attached ones.

use crate::{Home, parts, text};

#[test]
fn a_server_is_started_asked_and_stopped_and_leaves_nothing() {
    let home = Home::new();
    let (status, url, stderr) = parts(&home.run(&["pg", "start", "shop"]));
    assert_eq!(status, Some(0), "{stderr}");
    assert!(url.starts_with("postgresql://"), "{url}");

    let asked = home.run(&["pg", "psql", "shop", "--", "-Atc", "select 40 + 2"]);
    assert_eq!(text(&asked.stdout).trim(), "42", "{}", text(&asked.stderr));

    let again = home.run(&["pg", "start", "shop"]);
    assert!(text(&again.stdout).contains("already running"), "{}", text(&again.stdout));

    attached_runs_need_permission_and_clear_up(&home, url.trim());

    let (status, _, stderr) = parts(&home.run(&["pg", "stop", "shop"]));
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(home.processes(), Vec::<u32>::new());
    assert_eq!(home.data_directories(), Vec::<std::path::PathBuf>::new());
    assert_eq!(home.run(&["pg", "stop", "shop"]).status.code(), Some(2));
}

fn attached_runs_need_permission_and_clear_up(home: &Home, url: &str) {
    let schemas = || {
        let sql = "select string_agg(nspname, ' ' order by nspname) from pg_namespace where nspname !~ '^pg_'";
        text(&home.run(&["pg", "psql", "shop", "--", "-Atc", sql]).stdout)
    };
    let before = schemas();
    let run = |write: &[&str]| {
        let mut arguments = vec!["run", "flash-sale", "--arms", "conditional", "--preset", "ci", "--database-url", url];
        arguments.extend(write);
        home.run(&arguments)
    };
    let (status, _, stderr) = parts(&run(&[]));
    assert_eq!(status, Some(3), "{stderr}");
    assert!(stderr.contains("--allow-write"), "{stderr}");
    assert_eq!(schemas(), before, "nothing was changed without permission");

    let (status, _, stderr) = parts(&run(&["--allow-write"]));
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(schemas(), before, "what the run made is gone");
}

#[test]
fn the_doctor_finds_a_server_that_starts() {
    let home = Home::new();
    let (status, stdout, stderr) = parts(&home.run(&["doctor"]));
    assert_eq!(status, Some(0), "{stdout}\n{stderr}");
    assert!(stdout.contains("fsync=on"), "{stdout}");
    let json: serde_json::Value = serde_json::from_slice(&home.run(&["doctor", "--json"]).stdout).expect("JSON");
    assert!(json.as_array().is_some_and(|findings| findings.len() > 4));
    assert!(!home.run(&["pg", "list"]).stdout.is_empty());
}

/// Sends one request and returns the whole answer.
fn ask(address: &str, request: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut connection = std::net::TcpStream::connect(address).expect("the front door is open");
    connection.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn the_shop_is_served_over_http_until_ctrl_c() {
    use std::io::BufRead as _;
    let home = Home::new();
    let mut child = home
        .pgstrata(&["flash-sale", "serve", "--port", "0", "--stock", "1"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let address = line.trim().rsplit("http://").next().expect("an address").to_owned();

    let buy = |key: &str, user: u32| {
        let body = format!(r#"{{"product_id":1,"user_id":{user}}}"#);
        let head = "POST /purchases HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Type: application/json\r\n";
        ask(&address, &format!("{head}Idempotency-Key: {key}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    };
    let first = "018f6b3e-0000-7000-8000-000000000001";
    let sold = buy(first, 7);
    assert!(sold.starts_with("HTTP/1.1 201"), "{sold}");
    let again = buy(first, 7);
    assert_eq!(sold.rsplit("\r\n\r\n").next(), again.rsplit("\r\n\r\n").next(), "the same key gets the same answer");
    assert!(buy(first, 8).starts_with("HTTP/1.1 422"), "the same key with another body");
    assert!(buy("018f6b3e-0000-7000-8000-000000000002", 8).starts_with("HTTP/1.1 409"), "sold out");
    let found = ask(&address, &format!("GET /purchases/{first} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"));
    assert!(found.starts_with("HTTP/1.1 200"), "{found}");

    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("signalled");
    assert_eq!(child.wait().expect("ended").code(), Some(0));
    assert_eq!(home.processes(), Vec::<u32>::new());
    assert_eq!(home.data_directories(), Vec::<std::path::PathBuf>::new());
}

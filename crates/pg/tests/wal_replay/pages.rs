//! After every statement of random work the folded pages equal the server's own.

use std::fmt::Write as _;

use pgstrata_pg::{Install, Session};
use pgstrata_wal::RelFile;
use pgstrata_wal::replay::{Outcome, PAGES_MAX, Page, PageId, Pages};

use crate::support::{Followed, files, installs, seeds, server, session};
use crate::workload::Workload;

/// Statements of one run.
const STEPS: usize = 150;
const TABLES: [&str; 3] = ["account", "parted_1", "parted_2"];

/// The pages of a table as the server has them.
async fn own_pages(session: &Session, table: &str) -> Vec<Page> {
    let rows = session.query(include_str!("pages.sql"), &[&table]).await.expect("pages");
    rows.iter().map(|row| Page::new(row.get(0)).expect("a page")).collect()
}

/// What two pages differ in, for the message.
fn differences(ours: &Page, own: &Page) -> String {
    let mut told = format!("positions {} and {}, lines {} and {}", ours.lsn(), own.lsn(), ours.lines(), own.lines());
    for offset in 1..=own.lines().max(ours.lines()) {
        if (ours.line(offset), ours.tuple(offset)) != (own.line(offset), own.tuple(offset)) {
            let (line, header) = (ours.line(offset), ours.header(offset));
            let _ = write!(told, "\n{offset}: {line:?} {header:x?}");
            let _ = write!(told, "\n   own {:?} {:x?}", own.line(offset), own.header(offset));
        }
    }
    for (at, (mine, theirs)) in ours.bytes().iter().zip(own.bytes()).enumerate().filter(|(_, (a, b))| a != b).take(8) {
        let _ = write!(told, "\nbyte {at}: {mine:02x} {theirs:02x}");
    }
    told
}

async fn check_run(install: Install, settings: &[(&str, &str)], seed: u64) {
    let name = format!("{} {settings:?} seed {seed}", install.version);
    let server = server(install, settings).await;
    let watcher = session(&server).await;
    let mut followed = Followed::open(&server).await;
    let mut pages = Pages::new(PAGES_MAX, followed.feed().identity().logs_hints);
    let mut workload = Workload::begin(&server, seed).await;
    let mut relations: Vec<(&str, RelFile)> = Vec::new();
    for table in TABLES {
        relations.push((table, files(&watcher, table).await));
    }
    let (mut compared, mut done) = (0, Vec::new());
    for step in 0..STEPS {
        done.push(workload.step().await);
        for record in followed.catch_up().await {
            for touched in pages.apply(&record).unwrap_or_else(|error| panic!("{name}: {error}")) {
                let ours = relations.iter().any(|(_, relation)| *relation == touched.page.relation);
                let is_bad = matches!(touched.outcome, Outcome::Misfit(_) | Outcome::NotCovered(_) | Outcome::Unknown);
                assert!(!(ours && is_bad), "{name} step {step}: {touched:?} by {record:?}\n{}", done.join("\n"));
            }
        }
        for (table, relation) in &relations {
            let own = own_pages(&watcher, table).await;
            for (block, own) in (0..).zip(&own) {
                let id = PageId { relation: *relation, block };
                let ours = pages.page(id).cloned().unwrap_or_else(Page::empty).masked();
                let own = own.masked();
                let last = done.last().expect("a step");
                assert!(
                    ours == own,
                    "{name} step {step} {table} page {block} after {last}\n{}",
                    differences(&ours, &own)
                );
                compared += 1;
            }
        }
    }
    workload.finish().await;
    assert!(compared > STEPS, "{name}: only {compared} pages were compared");
}

#[tokio::test]
async fn folded_pages_are_the_servers_own_after_every_statement() {
    for install in installs() {
        for seed in seeds(1) {
            check_run(install.clone(), &[], seed).await;
        }
    }
}

#[tokio::test]
async fn folded_pages_are_the_servers_own_with_page_images_packed_by_pglz() {
    for install in installs() {
        for seed in seeds(2) {
            check_run(install.clone(), &[("full_page_writes", "on"), ("wal_compression", "pglz")], seed).await;
        }
    }
}

#[tokio::test]
async fn folded_pages_are_the_servers_own_with_page_images_as_they_are_at_level_logical() {
    for install in installs() {
        for seed in seeds(3) {
            check_run(
                install.clone(),
                &[("full_page_writes", "on"), ("wal_level", "logical"), ("wal_log_hints", "on")],
                seed,
            )
            .await;
        }
    }
}

#[tokio::test]
async fn folded_pages_are_the_servers_own_with_page_images_packed_by_lz4_or_zstd() {
    for (number, install) in installs().into_iter().enumerate() {
        // Builds without a method do not know its name.
        let plain = server(install.clone(), &[]).await;
        let known = session(&plain).await;
        for method in ["lz4", "zstd"] {
            let has = "select $1::text = any (enumvals) from pg_settings where name = 'wal_compression'";
            if known.query_one(has, &[&method]).await.expect("a setting").get(0) {
                check_run(
                    install.clone(),
                    &[("full_page_writes", "on"), ("wal_compression", method)],
                    4 + number as u64,
                )
                .await;
            }
        }
    }
}

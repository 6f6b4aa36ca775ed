//! A server with an extension beside it: it runs like the one it was made from, has what was added, and nothing of the
//! server's own folders has changed. The extension here is a library of the server's own under another name.

use std::fs;
use std::path::{Path, PathBuf};

use pgstrata_pg::overlay::{self, ExtensionFiles};
use pgstrata_pg::{Cluster, ClusterSpec, Dirs, Install, InstallSource, Kind, Profile, find};

const SCRIPT: &str =
    "create function toy_init(internal) returns internal as 'MODULE_PATHNAME', 'dsnowball_init' language c;";
const UPDATE: &str = "create function toy_answer() returns integer language sql as 'select 42';";

fn base() -> Install {
    find(None, None).expect("install PostgreSQL 14 to 18 to run these tests")
}

/// The server's own library of word stems, which every build of it has.
fn library_of(base: &Install) -> PathBuf {
    let prefix = base.bindir.canonicalize().expect("it is there").parent().expect("a prefix").to_owned();
    let below = ["lib", "lib/postgresql", "lib64/pgsql", "lib/pgsql"];
    let paths = below.iter().map(|place| prefix.join(place).join("dict_snowball.so"));
    paths.into_iter().find(|path| path.is_file()).expect("the server has its own libraries")
}

fn toy(directory: &Path, base: &Install, script: &str) -> ExtensionFiles {
    let control = "default_version = '1.0'\nmodule_pathname = '$libdir/toy'\nrelocatable = true\n";
    fs::write(directory.join("toy.control"), control).expect("write");
    fs::write(directory.join("toy--1.0.sql"), script).expect("write");
    fs::write(directory.join("toy--1.0--1.1.sql"), UPDATE).expect("write");
    fs::copy(library_of(base), directory.join("toy.so")).expect("copy");
    ExtensionFiles::in_directory(directory, "toy").expect("all three files are there")
}

/// Our own cache, so that what is kept and removed is this test's alone.
fn dirs() -> (tempfile::TempDir, Dirs) {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().expect("a directory");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("open to the server's user");
    let dirs = Dirs { cache: place.path().join("cache"), state: place.path().join("state") };
    (place, dirs)
}

#[tokio::test]
async fn an_extension_is_preloaded_created_and_updated_on_a_server_whose_folders_stay_as_they_are() {
    let (place, dirs) = dirs();
    let base = base();
    let extended = overlay::make(&base, &toy(place.path(), &base, SCRIPT), &dirs).expect("a server beside it");
    assert_eq!((extended.version, extended.source), (base.version, InstallSource::Extended));
    assert!(extended.extensions.contains("toy") && extended.extensions.is_superset(&base.extensions));
    assert!(extended.bindir.starts_with(&dirs.cache), "{extended:?}");

    let spec = ClusterSpec::new(extended, Profile::FastTest).with_setting("shared_preload_libraries", "toy");
    let cluster = Cluster::create(spec).await.expect("it runs");
    let session = cluster.endpoint().connect().await.expect("a session");
    session.batch_execute("create extension toy").await.expect("its library is found");
    session.batch_execute("select toy_answer()").await.expect_err("version 1.0 has no such function");
    session.batch_execute("alter extension toy update to '1.1'").await.expect("the update script is found");
    let answer: i32 = session.query_one("select toy_answer()", &[]).await.expect("version 1.1 has it").get(0);
    assert_eq!(answer, 42);
    // A library of the base, through its link.
    session.batch_execute("create or replace procedure p() language plpgsql as 'begin end'").await.expect("plpgsql");
    session.batch_execute("call p()").await.expect("plpgsql runs");

    let after = Install::at(&base.bindir, base.source).expect("it is still there");
    assert_eq!(after.extensions, base.extensions, "nothing was added to the server's own folders");
}

#[test]
fn libraries_that_lie_below_others_are_not_taken_for_one_of_them() {
    use std::os::unix::fs::PermissionsExt;
    let (place, dirs) = dirs();
    let prefix = place.path().join("server");
    let write = |name: &str, text: &str| {
        let path = prefix.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(&path, text).expect("written");
        path
    };
    for program in ["bin/postgres", "bin/initdb"] {
        let path = write(program, "#!/bin/sh\necho 'postgres (PostgreSQL) 16.14'\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("runnable");
    }
    for file in ["lib/libpq.so.5", "lib/postgresql/plpgsql.so", "share/postgresql/postgres.bki"] {
        write(file, "");
    }
    write("share/postgresql/extension/plpgsql.control", "");
    let server = Install::at(&prefix.join("bin"), InstallSource::Managed).expect("it says its version");
    let extended = overlay::make(&server, &toy(place.path(), &base(), SCRIPT), &dirs).expect("a server beside it");
    let made = extended.bindir.parent().expect("a prefix");
    assert!(made.join("lib/libpq.so.5").is_symlink() && made.join("lib/postgresql/plpgsql.so").is_symlink());
    assert!(!made.join("lib/postgresql").is_symlink() && made.join("lib/postgresql/toy.so").is_file());
    assert!(!prefix.join("lib/postgresql/toy.so").exists(), "nothing was added to the server's own folders");
}

#[test]
fn a_tree_is_made_once_for_the_same_files_and_anew_for_others() {
    let (place, dirs) = dirs();
    let base = base();
    let make = |script| overlay::make(&base, &toy(place.path(), &base, script), &dirs).expect("made").bindir;
    let first = make(SCRIPT);
    assert_eq!(make(SCRIPT), first);
    let second = make("select 1;");
    assert_ne!(second, first);
    assert!(first.join("postgres").is_file(), "what may be running is left alone");
}

#[test]
fn what_was_installed_last_is_the_one_that_is_listed() {
    let (place, dirs) = dirs();
    let base = base();
    let install = |script| overlay::install(&base, &toy(place.path(), &base, script), &dirs).expect("installed").bindir;
    let (first, second) = (install(SCRIPT), install("select 1;"));
    let links = fs::read_dir(dirs.overlays().join("installed")).expect("links").flatten();
    let listed: Vec<PathBuf> = links.map(|link| fs::read_link(link.path()).expect("a link")).collect();
    assert_eq!(listed, [second]);
    assert!(first.join("postgres").is_file());
}

#[test]
fn an_extension_that_was_not_built_is_an_error_that_says_how() {
    let place = tempfile::tempdir().expect("a directory");
    fs::write(place.path().join("toy.control"), "").expect("write");
    let error = ExtensionFiles::in_directory(place.path(), "toy").expect_err("no library, no script");
    assert!(matches!(error.kind(), Kind::NoExtension { name, .. } if name == "toy"), "{error:?}");
    assert!(error.hint().expect("a hint").contains("./x ext"));
}

#[tokio::test]
async fn a_server_with_an_extension_starts_from_the_same_template_as_the_one_without() {
    let (place, dirs) = dirs();
    let base = base();
    let extended = overlay::make(&base, &toy(place.path(), &base, SCRIPT), &dirs).expect("made");
    for install in [base, extended] {
        let spec = ClusterSpec { dirs: Some(dirs.clone()), ..ClusterSpec::new(install, Profile::FastTest) };
        Cluster::create(spec).await.expect("it runs");
    }
    let entries = fs::read_dir(dirs.templates()).expect("templates").flatten();
    assert_eq!(entries.filter(|entry| entry.path().is_dir()).count(), 1, "no initdb of its own");
}
